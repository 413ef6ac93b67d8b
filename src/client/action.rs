//! What a client can be told to do.

use serde_json::Value;

use super::Template;
use crate::oauth::Endpoint;
use crate::oauth::pkce::Method;
use crate::subject::{Flow, NamedCredential};

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Sends the user agent to the authorization endpoint and through the pages to the callback.
    Authorize(Authorize),
    /// Redeems the code.
    Redeem,
    /// JWT bearer grant.
    JwtBearer,
    /// SAML bearer grant.
    SamlBearer,
    /// Client credentials grant.
    ClientCredentials,
    /// Refresh token grant.
    Refresh,
    /// Asks the introspection endpoint about a token.
    Introspect(TokenUse),
    /// Revokes a token.
    Revoke(TokenUse),
    /// Calls the userinfo endpoint.
    Userinfo(TokenUse),
    /// Calls Salesforce's identity URL.
    Identity(TokenUse),
    /// Fetches a discovery document.
    Discover {
        /// RFC 8414's instead of OpenID Connect's.
        oauth: bool,
        /// Path of another issuer on the target's host.
        below: Option<String>,
    },
    /// Fetches the JSON Web Key Set.
    Keys,
    /// Calls the protected resource.
    Call(Call),
    /// Calls the protected resource as a Named Credential of Salesforce does, which gets its token by itself.
    CallOut(CallOut),
    /// Calls Salesforce's SOAP API with the access token as session id.
    Soap(TokenUse),
    /// Lets time go by, in milliseconds.
    Advance(i64),
}

/// How an authorization is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Authorize {
    /// Requested scope values; none means all of the app's.
    pub scope: Option<Vec<String>>,
    /// PKCE method; none means no challenge.
    pub pkce: Option<Method>,
    /// Sent as `state` instead of a random one.
    pub state: Option<Template>,
    /// Whether a nonce is sent.
    pub nonce: bool,
    /// Sent as they are.
    pub extra: Vec<(&'static str, String)>,
    /// Whether the user says no.
    pub deny: bool,
    /// Whether pages are passed; if not, the first answer is the last.
    pub follow: bool,
}

/// Which token a step is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenUse {
    /// The token; none means the last access token.
    pub token: Option<Template>,
    /// `token_type_hint`.
    pub hint: Option<String>,
    /// HTTP method, where it is not the usual one.
    pub method: Option<String>,
}

/// A call of a resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// Which token; none means the last access token.
    pub token: Option<Template>,
    /// Whether no token is sent at all.
    pub anonymous: bool,
    /// HTTP method.
    pub method: Option<String>,
    /// Path on the target's host; none means the target's `api`.
    pub path: Option<Template>,
    /// JSON body.
    pub json: Option<Value>,
}

/// A call-out of a Named Credential.
#[derive(Clone, Debug, PartialEq)]
pub struct CallOut {
    /// How it gets its tokens.
    pub credential: NamedCredential,
    /// `kid` of the JWTs that it signs: the developer name of the certificate.
    pub kid: Option<String>,
    /// What is called.
    pub call: Call,
}

impl Action {
    /// The word after `do:`.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Authorize(_) => "authorize",
            Action::Redeem => "redeem",
            Action::JwtBearer => "jwt-bearer",
            Action::SamlBearer => "saml-bearer",
            Action::ClientCredentials => "client-credentials",
            Action::Refresh => "refresh",
            Action::Introspect(_) => "introspect",
            Action::Revoke(_) => "revoke",
            Action::Userinfo(_) => "userinfo",
            Action::Identity(_) => "identity",
            Action::Discover { .. } => "discover",
            Action::Keys => "keys",
            Action::Call(_) => "call",
            Action::CallOut(_) => "call-out",
            Action::Soap(_) => "soap",
            Action::Advance(_) => "advance",
        }
    }

    /// The kind of endpoint that it asks; none where it asks nobody.
    pub fn endpoint(&self) -> Option<Endpoint> {
        match self {
            Action::Authorize(_) => Some(Endpoint::Authorize),
            Action::Redeem
            | Action::JwtBearer
            | Action::SamlBearer
            | Action::ClientCredentials
            | Action::Refresh => Some(Endpoint::Token),
            Action::Introspect(_) => Some(Endpoint::Introspect),
            Action::Revoke(_) => Some(Endpoint::Revoke),
            Action::Userinfo(_) => Some(Endpoint::Userinfo),
            Action::Identity(_) => Some(Endpoint::Identity),
            Action::Discover { .. } => Some(Endpoint::Discovery),
            Action::Keys => Some(Endpoint::Keys),
            Action::Call(_) | Action::CallOut(_) | Action::Soap(_) => Some(Endpoint::Resource),
            Action::Advance(_) => None,
        }
    }

    /// The flow that it belongs to.
    pub fn flow(&self) -> Option<Flow> {
        match self {
            Action::Authorize(_) | Action::Redeem => Some(Flow::WebServer),
            Action::JwtBearer => Some(Flow::JwtBearer),
            Action::SamlBearer => Some(Flow::SamlBearer),
            Action::ClientCredentials => Some(Flow::ClientCredentials),
            Action::Refresh => Some(Flow::RefreshToken),
            Action::CallOut(out) => out.credential.protocol.flow(),
            _ => None,
        }
    }
}
