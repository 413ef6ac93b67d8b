//! What a client knows in the course of one play.

use std::collections::BTreeMap;

use crate::oauth::{Endpoint, Secret};
use crate::transcript::Exchange;

/// Codes, tokens and other values of one play.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// The authorization code that was called back with.
    pub code: Option<Secret>,
    /// The PKCE verifier of the last authorization request.
    pub verifier: Option<Secret>,
    /// The `state` of the last authorization request.
    pub state: Option<String>,
    /// The `nonce` of the last authorization request.
    pub nonce: Option<String>,
    /// The `redirect_uri` of the last authorization request.
    pub redirect_uri: Option<String>,
    /// The last access token.
    pub access_token: Option<Secret>,
    /// The refresh token that is in force.
    pub refresh_token: Option<Secret>,
    /// The last ID token.
    pub id_token: Option<Secret>,
    /// Salesforce's identity URL.
    pub identity_url: Option<String>,
    /// Salesforce's instance URL.
    pub instance_url: Option<String>,
    /// The last assertion that was presented.
    pub assertion: Option<Secret>,
    /// Values that steps kept, by name.
    pub captured: BTreeMap<String, String>,
}

impl Session {
    /// Takes in what an exchange brought. A refresh without a new refresh token keeps the old one (RFC 6749 §6).
    pub fn absorb(&mut self, exchange: &Exchange) {
        if exchange.granted() {
            self.granted(|name| exchange.text(name));
        }
        if matches!(exchange.endpoint, Endpoint::Authorize | Endpoint::Page)
            && let Some(code) = exchange.code_issued()
        {
            self.code = Some(Secret::new(code));
        }
    }

    /// Takes in the members of a token response that are texts.
    pub fn granted<'m>(&mut self, text: impl Fn(&str) -> Option<&'m str>) {
        let secret = |name: &str| text(name).map(Secret::new);
        self.access_token = secret("access_token").or(self.access_token.take());
        self.refresh_token = secret("refresh_token").or(self.refresh_token.take());
        self.id_token = secret("id_token").or(self.id_token.take());
        self.identity_url = text("id").map(str::to_owned).or(self.identity_url.take());
        self.instance_url = text("instance_url").map(str::to_owned).or(self.instance_url.take());
    }

    /// The value of a name in a suite's text.
    pub fn value(&self, name: &str) -> Option<String> {
        let secret = |value: &Option<Secret>| value.as_ref().map(|s| s.expose().to_owned());
        match name {
            "access_token" => secret(&self.access_token),
            "refresh_token" => secret(&self.refresh_token),
            "id_token" => secret(&self.id_token),
            "code" => secret(&self.code),
            "code_verifier" => secret(&self.verifier),
            "assertion" => secret(&self.assertion),
            "state" => self.state.clone(),
            "nonce" => self.nonce.clone(),
            "identity_url" => self.identity_url.clone(),
            "instance_url" => self.instance_url.clone(),
            name => self.captured.get(name).cloned(),
        }
    }
}
