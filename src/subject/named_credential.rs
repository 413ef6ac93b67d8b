//! A Named Credential, as Salesforce's Setup has it, in plain data: how it gets its tokens, and which answers make it get
//! new ones.

use serde::{Deserialize, Serialize};

use super::{ClientAuth, Flow};

/// What a call-out of a Named Credential calls itself in `User-Agent`; the version of the API follows.
pub const USER_AGENT: &str = "SFDC-Callout/";

/// How a Named Credential authenticates its call-outs (Metadata API: NamedCredential `protocol`, ExternalCredential
/// `authenticationProtocol` with its `AuthProtocolVariant`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Legacy `Jwt`: a JWT that Salesforce signs is itself the bearer token.
    Jwt,
    /// Legacy `JwtExchange`: such a JWT is exchanged for a token (RFC 7523 §2.1).
    JwtExchange,
    /// External Credential, OAuth with the JWT bearer flow: the same, with claims that are set up there.
    JwtBearer,
    /// External Credential, `ClientCredentialsClientSecret`: the secret stands in the body.
    ClientSecret,
    /// External Credential, `ClientCredentialsClientSecretBasic`: the secret stands in HTTP Basic.
    ClientSecretBasic,
    /// External Credential, `ClientCredentialsJwtAssertion`: a signed assertion stands for the secret (RFC 7523 §2.2).
    ClientAssertion,
    /// External Credential, OAuth with the browser flow: a user logs in once at the external server.
    Browser,
}

impl Protocol {
    /// Each with its word in suites.
    pub const ALL: [(&str, Self); 7] = [
        ("jwt", Self::Jwt),
        ("jwt-exchange", Self::JwtExchange),
        ("jwt-bearer", Self::JwtBearer),
        ("client-secret", Self::ClientSecret),
        ("client-secret-basic", Self::ClientSecretBasic),
        ("client-assertion", Self::ClientAssertion),
        ("browser", Self::Browser),
    ];

    /// By its word.
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == word).map(|(_, protocol)| *protocol)
    }

    /// Every word.
    pub fn words() -> Vec<&'static str> {
        Self::ALL.iter().map(|(word, _)| *word).collect()
    }

    /// The flow by which it gets tokens; none where it needs no token endpoint.
    pub fn flow(self) -> Option<Flow> {
        match self {
            Self::Jwt => None,
            Self::JwtExchange | Self::JwtBearer => Some(Flow::JwtBearer),
            Self::ClientSecret | Self::ClientSecretBasic | Self::ClientAssertion => {
                Some(Flow::ClientCredentials)
            }
            Self::Browser => Some(Flow::WebServer),
        }
    }

    /// Where its credential stands in a token request; none where that is as the app is registered.
    pub fn client_auth(self) -> Option<ClientAuth> {
        match self {
            Self::ClientSecret => Some(ClientAuth::Post),
            Self::ClientSecretBasic => Some(ClientAuth::Basic),
            Self::ClientAssertion => Some(ClientAuth::PrivateKeyJwt),
            _ => None,
        }
    }

    /// Whether it signs a JWT for each token.
    pub fn signs_grants(self) -> bool {
        matches!(self, Self::Jwt | Self::JwtExchange | Self::JwtBearer)
    }

    /// How far ahead of `iat` its JWT ends where nobody set that up, in seconds: two minutes for External Credentials
    /// (Named Credentials: OAuth 2.0 Bearer Flow JWT Claims), five for legacy Named Credentials (as captured).
    pub fn lifetime(self) -> Option<i64> {
        match self {
            Self::JwtBearer => Some(120),
            Self::Jwt | Self::JwtExchange => Some(300),
            _ => None,
        }
    }
}

/// A Named Credential with its External Credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedCredential {
    /// How it gets tokens.
    pub protocol: Protocol,
    /// Statuses that make it get a new token besides 401 (External Credential: Additional Status Codes for Token Refresh).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renew_on: Vec<u16>,
}

impl NamedCredential {
    /// Of that protocol, with nothing set up besides.
    pub fn new(protocol: Protocol) -> Self {
        Self { protocol, renew_on: Vec::new() }
    }

    /// Out of the arguments that a suite gives a program; none where they speak of no Named Credential.
    pub fn of<'a>(args: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let (mut protocol, mut renew_on) = (None, "");
        for (name, value) in args {
            match ARGS.iter().position(|known| *known == name) {
                Some(0) => protocol = Protocol::read(value),
                Some(_) => renew_on = value,
                None => {}
            }
        }
        let (protocol, renew_on) = (protocol?, renew_on.split([',', ' ']));
        Some(Self { protocol, renew_on: renew_on.filter_map(|status| status.parse().ok()).collect() })
    }

    /// Whether an answer of that status makes it get a new token and repeat the call.
    pub fn renews_on(&self, status: u16) -> bool {
        status == 401 || self.renew_on.contains(&status)
    }
}

/// How a record tells that a call-out began with a token that the suite gave it.
pub const STORED_TOKEN: &str = "with a stored token";

/// The arguments of a program that speak of a Named Credential: its protocol, and the additional statuses.
pub const ARGS: [&str; 2] = ["named_credential", "renew_on"];

/// Whether a status may be listed as an additional one (Salesforce Help: Troubleshooting for Named Credentials).
pub fn may_be_listed(status: u16) -> bool {
    matches!(status, 400..=499 | 600..=999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_make_a_credential() {
        let read = NamedCredential::of([("renew_on", "403, 419"), ("named_credential", "jwt-bearer")]);
        let read = read.unwrap();
        assert_eq!((read.protocol, read.renew_on.as_slice()), (Protocol::JwtBearer, &[403, 419][..]));
        assert!(read.renews_on(401) && read.renews_on(419) && !read.renews_on(400));
        assert_eq!(NamedCredential::of([("does", "create")]), None);
        assert!(may_be_listed(403) && may_be_listed(601) && !may_be_listed(302) && !may_be_listed(503));
        for (word, protocol) in Protocol::ALL {
            assert_eq!(serde_json::to_value(protocol).unwrap(), word);
        }
    }
}
