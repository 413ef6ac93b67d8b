//! Authorization code (RFC 6749 §4.1): Salesforce's web server flow.

use crate::oauth::Params;
use crate::oauth::pkce::Method;

/// `grant_type` of the redemption.
pub const GRANT_TYPE: &str = "authorization_code";

/// What an authorization request says (RFC 6749 §4.1.1, RFC 7636 §4.3, OpenID Connect Core §3.1.2.1).
#[derive(Clone, Debug, Default)]
pub struct Authorize<'a> {
    /// The client.
    pub client_id: &'a str,
    /// Where the user agent is sent back to.
    pub redirect_uri: &'a str,
    /// Requested scope, space-delimited.
    pub scope: Option<String>,
    /// Opaque value that must come back.
    pub state: Option<&'a str>,
    /// The PKCE challenge and how it was made.
    pub challenge: Option<(String, Method)>,
    /// Bound to the ID token.
    pub nonce: Option<&'a str>,
}

impl Authorize<'_> {
    /// The query of the request.
    pub fn params(&self) -> Params {
        let challenge = self.challenge.as_ref();
        Params::new()
            .with("response_type", "code")
            .with("client_id", self.client_id)
            .with("redirect_uri", self.redirect_uri)
            .with_opt("scope", self.scope.as_deref())
            .with_opt("state", self.state)
            .with_opt("code_challenge", challenge.map(|(text, _)| text.as_str()))
            .with_opt("code_challenge_method", challenge.map(|(_, method)| method.name()))
            .with_opt("nonce", self.nonce)
    }
}

/// The redemption of a code (RFC 6749 §4.1.3, RFC 7636 §4.5), without client authentication.
pub fn redeem(code: &str, redirect_uri: &str, verifier: Option<&str>) -> Params {
    Params::new()
        .with("grant_type", GRANT_TYPE)
        .with("code", code)
        .with("redirect_uri", redirect_uri)
        .with_opt("code_verifier", verifier)
}
