//! What Salesforce adds to OAuth: the signature of a token response, identity URLs, 18-character ids,
//! and the names of outcomes, which each profile turns into what goes over the wire.

use serde::{Deserialize, Serialize};

use super::{Endpoint, base64, hmac_sha256};

/// Scopes that client credentials drop without a word (Salesforce Help: OAuth 2.0 Client Credentials Flow).
pub const NEED_A_USER: [&str; 4] = ["full", "web", "refresh_token", "offline_access"];

/// How an org speaks where RFC and Salesforce differ: names of outcomes, known deviations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// As the RFCs say.
    Rfc,
    /// As Salesforce does.
    #[default]
    Salesforce,
}

impl Profile {
    /// The profile of whoever answers at a URL: as the RFCs say, unless it is Salesforce's; without one it is the embedded org's.
    pub fn of(org: Option<&str>) -> Self {
        let salesforce = |host: &str| {
            ["salesforce.com", "force.com", "salesforce.mil", "sfcrmproducts.cn", "my.site.com"]
                .iter()
                .any(|domain| host == *domain || host.ends_with(&format!(".{domain}")))
        };
        match org.map(|org| url::Url::parse(org).ok().and_then(|url| url.host_str().map(str::to_owned))) {
            None => Profile::Salesforce,
            Some(Some(host)) if salesforce(&host) => Profile::Salesforce,
            Some(_) => Profile::Rfc,
        }
    }

    /// The name in targets and flags.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Rfc => "rfc",
            Profile::Salesforce => "salesforce",
        }
    }

    /// Reads the name in targets and flags.
    pub fn read(name: &str) -> Option<Self> {
        [Profile::Rfc, Profile::Salesforce].into_iter().find(|profile| profile.name() == name)
    }
}

/// `signature` of a token response: HMAC-SHA256 under the consumer secret over `id` and `issued_at`,
/// base64 (Salesforce: OAuth 2.0 Web Server Flow, token response).
pub fn signature(consumer_secret: &str, id: &str, issued_at: &str) -> String {
    base64(hmac_sha256(consumer_secret.as_bytes(), format!("{id}{issued_at}").as_bytes()))
}

/// The 18-character form of a 15-character record id: three characters that carry the letter case.
pub fn id18(id15: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    let mut out = id15.to_owned();
    for chunk in id15.as_bytes().chunks(5) {
        let bits = chunk
            .iter()
            .enumerate()
            .filter(|(_, b)| b.is_ascii_uppercase())
            .map(|(i, _)| 1 << i)
            .sum::<usize>();
        out.push(char::from(ALPHABET[bits]));
    }
    out
}

/// What a refusal looks like on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An OAuth error in the body: any of the statuses, any of the codes; where descriptions are given, one of them.
    Error {
        /// HTTP statuses.
        status: &'static [u16],
        /// Values of `error`.
        error: &'static [&'static str],
        /// Values of `error_description`; empty means any.
        description: &'static [&'static str],
    },
    /// An OAuth error in the parameters of a redirect to the client.
    Redirected {
        /// Values of `error`.
        error: &'static [&'static str],
        /// Values of `error_description`; empty means any.
        description: &'static [&'static str],
    },
    /// Shown on the spot, with no redirect to the client. Where codes are given and the body carries one, it is one of them.
    Shown {
        /// Values of `error`; empty means any.
        error: &'static [&'static str],
    },
    /// Shown on the spot or redirected to the client with one of these codes.
    ShownOrRedirected {
        /// Values of `error`.
        error: &'static [&'static str],
    },
    /// A status of the resource server and, where given, one of the texts that the body holds.
    Resource {
        /// HTTP statuses.
        status: &'static [u16],
        /// Texts, one of which is in the body; empty means any.
        holds: &'static [&'static str],
    },
    /// 200 with `active: false` (RFC 7662 §2.2).
    Inactive,
}

/// One outcome at one kind of endpoint, in both profiles.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The name in suites.
    pub name: &'static str,
    /// Where it applies.
    pub endpoint: Endpoint,
    /// What it means.
    pub doc: &'static str,
    /// As the RFCs say.
    pub rfc: Refusal,
    /// As Salesforce does.
    pub salesforce: Refusal,
}

const fn token(error: &'static [&'static str]) -> Refusal {
    Refusal::Error { status: &[400], error, description: &[] }
}

const fn client(error: &'static [&'static str]) -> Refusal {
    Refusal::Error { status: &[400, 401], error, description: &[] }
}

const fn said(error: &'static [&'static str], description: &'static [&'static str]) -> Refusal {
    Refusal::Error { status: &[400], error, description }
}

const fn row(
    name: &'static str,
    endpoint: Endpoint,
    doc: &'static str,
    rfc: Refusal,
    salesforce: Refusal,
) -> Outcome {
    Outcome { name, endpoint, doc, rfc, salesforce }
}

const GRANT: Refusal = token(&["invalid_grant"]);
const CLIENT: Refusal = client(&["invalid_client"]);
const DEAD: Refusal = said(
    &["invalid_grant"],
    &["expired access/refresh token", "token validity expired", "user hasn't approved this consumer"],
);
const ASSERTION: Refusal = said(&["invalid_grant"], &["invalid assertion"]);
const FLOW: Refusal = Refusal::Error {
    status: &[400, 401],
    error: &[
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_grant",
        "invalid_client",
        "invalid_request",
    ],
    description: &[],
};

/// Every outcome that a suite may name. Salesforce's texts: OAuth 2.0 Authorization Errors (Help), and
/// wire captures where Help is silent.
pub const OUTCOMES: &[Outcome] = &[
    // The authorization endpoint.
    row(
        "redirect-uri-mismatch",
        Endpoint::Authorize,
        "the redirect_uri is not registered; the user agent stays",
        Refusal::Shown { error: &[] },
        Refusal::Shown { error: &["redirect_uri_mismatch"] },
    ),
    row(
        "redirect-uri-missing",
        Endpoint::Authorize,
        "several redirect URIs are registered, and the request names none",
        Refusal::Shown { error: &[] },
        Refusal::Shown { error: &["redirect_uri_missing", "redirect_uri_mismatch"] },
    ),
    row(
        "repeated-parameter",
        Endpoint::Authorize,
        "a parameter stands twice",
        Refusal::ShownOrRedirected { error: &["invalid_request"] },
        Refusal::ShownOrRedirected { error: &["invalid_request", "redirect_uri_mismatch"] },
    ),
    row(
        "unknown-client",
        Endpoint::Authorize,
        "no such client; the user agent stays",
        Refusal::Shown { error: &[] },
        Refusal::Shown { error: &["invalid_client_id"] },
    ),
    row(
        "unsupported-response-type",
        Endpoint::Authorize,
        "the response_type is not known",
        Refusal::Redirected { error: &["unsupported_response_type", "invalid_request"], description: &[] },
        Refusal::ShownOrRedirected { error: &["unsupported_response_type"] },
    ),
    row(
        "challenge-missing",
        Endpoint::Authorize,
        "PKCE is required and no challenge came",
        Refusal::ShownOrRedirected { error: &["invalid_request"] },
        Refusal::Shown { error: &["invalid_request"] },
    ),
    row(
        "challenge-method-unsupported",
        Endpoint::Authorize,
        "the challenge method is not supported",
        Refusal::ShownOrRedirected { error: &["invalid_request"] },
        Refusal::ShownOrRedirected { error: &["invalid_request"] },
    ),
    row(
        "invalid-scope",
        Endpoint::Authorize,
        "a scope that the app does not have",
        Refusal::Redirected { error: &["invalid_scope"], description: &[] },
        Refusal::Redirected { error: &["invalid_scope"], description: &[] },
    ),
    row(
        "denied",
        Endpoint::Authorize,
        "the user said no",
        Refusal::Redirected { error: &["access_denied"], description: &[] },
        Refusal::Redirected { error: &["access_denied"], description: &["end-user denied authorization"] },
    ),
    row(
        "interaction-needed",
        Endpoint::Authorize,
        "the user would have to be asked",
        Refusal::Redirected {
            error: &["login_required", "consent_required", "interaction_required"],
            description: &[],
        },
        Refusal::Redirected { error: &["immediate_unsuccessful"], description: &[] },
    ),
    row(
        "login-failed",
        Endpoint::Authorize,
        "the page refuses name and password",
        Refusal::Shown { error: &[] },
        Refusal::Shown { error: &[] },
    ),
    row(
        "user-not-admitted",
        Endpoint::Authorize,
        "the user is not pre-authorized for the app",
        Refusal::ShownOrRedirected { error: &["access_denied"] },
        Refusal::Shown { error: &["OAUTH_APP_ACCESS_DENIED"] },
    ),
    row(
        "app-blocked",
        Endpoint::Authorize,
        "an admin blocked the app",
        Refusal::ShownOrRedirected { error: &["access_denied", "unauthorized_client"] },
        Refusal::Shown { error: &["OAUTH_APP_BLOCKED"] },
    ),
    row(
        "app-not-installed",
        Endpoint::Authorize,
        "the app is not installed in the org",
        Refusal::ShownOrRedirected { error: &["unauthorized_client"] },
        Refusal::Shown { error: &["OAUTH_APPROVAL_ERROR_GENERIC"] },
    ),
    row(
        "flow-not-enabled",
        Endpoint::Authorize,
        "the app does not list this flow",
        Refusal::ShownOrRedirected {
            error: &["unauthorized_client", "unsupported_response_type", "access_denied", "invalid_request"],
        },
        Refusal::ShownOrRedirected { error: &["oauth_flow_disabled", "unauthorized_client"] },
    ),
    // The token endpoint.
    row(
        "unsupported-grant-type",
        Endpoint::Token,
        "the grant type is not known",
        token(&["unsupported_grant_type"]),
        said(&["unsupported_grant_type"], &["grant type not supported"]),
    ),
    row(
        "method-not-allowed",
        Endpoint::Token,
        "a token request that is not a POST",
        Refusal::Resource { status: &[400, 404, 405], holds: &[] },
        Refusal::Resource { status: &[400, 404, 405], holds: &[] },
    ),
    row(
        "malformed-request",
        Endpoint::Token,
        "the request cannot be read",
        client(&["invalid_request", "unsupported_grant_type", "invalid_client"]),
        client(&["invalid_request", "unsupported_grant_type"]),
    ),
    row(
        "repeated-parameter",
        Endpoint::Token,
        "a parameter stands twice",
        token(&["invalid_request"]),
        token(&["invalid_request"]),
    ),
    row(
        "missing-code",
        Endpoint::Token,
        "no code came",
        token(&["invalid_request"]),
        said(&["invalid_grant", "invalid_request"], &[]),
    ),
    row(
        "unknown-client",
        Endpoint::Token,
        "no such client",
        client(&["invalid_client", "invalid_grant"]),
        said(&["invalid_client_id", "invalid_client", "app_not_found"], &[]),
    ),
    row(
        "client-authentication-failed",
        Endpoint::Token,
        "the secret or the client assertion is wrong or missing",
        client(&["invalid_client", "invalid_request"]),
        client(&["invalid_client"]),
    ),
    row(
        "code-unknown",
        Endpoint::Token,
        "no such code",
        GRANT,
        said(&["invalid_grant"], &["invalid authorization code"]),
    ),
    row(
        "code-already-used",
        Endpoint::Token,
        "the code was redeemed before",
        GRANT,
        said(
            &["invalid_grant"],
            &[
                "expired authorization code",
                "invalid authorization code",
                "token request is already being processed",
            ],
        ),
    ),
    row(
        "code-expired",
        Endpoint::Token,
        "the code is too old",
        GRANT,
        said(&["invalid_grant"], &["expired authorization code"]),
    ),
    row(
        "code-of-another-client",
        Endpoint::Token,
        "the code was issued to another client",
        GRANT,
        said(&["invalid_grant"], &["invalid authorization code"]),
    ),
    row(
        "redirect-uri-mismatch",
        Endpoint::Token,
        "the redirect_uri is not that of the authorization request",
        GRANT,
        said(&["redirect_uri_mismatch"], &["redirect_uri must match configuration"]),
    ),
    row(
        "redirect-uri-missing",
        Endpoint::Token,
        "the redirect_uri is missing",
        token(&["invalid_grant", "invalid_request"]),
        said(&["redirect_uri_missing", "redirect_uri_mismatch", "invalid_grant"], &[]),
    ),
    row(
        "verifier-wrong",
        Endpoint::Token,
        "the PKCE verifier does not fit",
        GRANT,
        token(&["invalid_grant", "invalid_request"]),
    ),
    row(
        "verifier-missing",
        Endpoint::Token,
        "no PKCE verifier came for a challenge",
        token(&["invalid_grant", "invalid_request"]),
        token(&["invalid_grant", "invalid_request"]),
    ),
    row(
        "verifier-unexpected",
        Endpoint::Token,
        "a PKCE verifier came without a challenge",
        token(&["invalid_grant", "invalid_request"]),
        token(&["invalid_grant", "invalid_request"]),
    ),
    row(
        "assertion-invalid",
        Endpoint::Token,
        "the assertion is malformed, lacks a part, or its signature does not fit",
        GRANT,
        ASSERTION,
    ),
    row(
        "assertion-expired",
        Endpoint::Token,
        "the assertion is past its time",
        GRANT,
        said(&["invalid_grant"], &["expired authorization code"]),
    ),
    row(
        "assertion-not-yet-valid",
        Endpoint::Token,
        "the assertion is before its time",
        GRANT,
        said(&["invalid_grant"], &["invalid assertion", "expired authorization code"]),
    ),
    row(
        "audience-wrong",
        Endpoint::Token,
        "the assertion is meant for another server",
        GRANT,
        said(&["invalid_grant"], &["audience is invalid", "Audience validation failed"]),
    ),
    row(
        "issuer-unknown",
        Endpoint::Token,
        "the issuer of the assertion is no client of this server",
        client(&["invalid_grant", "invalid_client"]),
        client(&["invalid_client_id", "invalid_client", "invalid_grant", "app_not_found"]),
    ),
    row(
        "user-not-approved",
        Endpoint::Token,
        "the user did not approve the client",
        GRANT,
        said(&["invalid_grant"], &["user hasn't approved this consumer"]),
    ),
    row(
        "user-not-admitted",
        Endpoint::Token,
        "the user is not pre-authorized for the app",
        GRANT,
        said(
            &["invalid_app_access", "invalid_grant"],
            &["user is not admin approved to access this app", "user hasn't approved this consumer"],
        ),
    ),
    row(
        "user-inactive",
        Endpoint::Token,
        "the user is inactive or frozen",
        GRANT,
        said(&["invalid_grant", "inactive_user"], &[]),
    ),
    row(
        "refresh-token-invalid",
        Endpoint::Token,
        "the refresh token is unknown, revoked, expired or rotated out",
        GRANT,
        DEAD,
    ),
    row(
        "refresh-token-of-another-client",
        Endpoint::Token,
        "the refresh token was issued to another client",
        GRANT,
        DEAD,
    ),
    row(
        "refresh-in-flight",
        Endpoint::Token,
        "the same refresh token is being used at this moment",
        GRANT,
        said(
            &["invalid_grant"],
            &[
                "token request is already being processed",
                "expired authorization code",
                "expired access/refresh token",
            ],
        ),
    ),
    row(
        "scope-too-wide",
        Endpoint::Token,
        "more scope than was granted",
        token(&["invalid_scope"]),
        said(&["invalid_request", "invalid_scope"], &[]),
    ),
    row(
        "scope-not-supported",
        Endpoint::Token,
        "this grant takes no scope",
        token(&["invalid_scope", "invalid_request"]),
        said(&["invalid_request"], &["scope parameter not supported"]),
    ),
    row(
        "flow-not-enabled",
        Endpoint::Token,
        "the app does not list this flow",
        FLOW,
        Refusal::Error {
            status: &[400, 401],
            error: &[
                "invalid_grant",
                "unsupported_grant_type",
                "oauth_flow_disabled",
                "unauthorized_client",
                "invalid_client",
            ],
            description: &[],
        },
    ),
    row(
        "no-run-as-user",
        Endpoint::Token,
        "the app has no user to run as",
        token(&["invalid_grant", "unauthorized_client"]),
        said(&["invalid_grant"], &["no client credentials user enabled"]),
    ),
    row(
        "no-valid-scopes",
        Endpoint::Token,
        "the app has no scope that works without a user",
        token(&["invalid_scope", "invalid_grant"]),
        said(&["invalid_grant"], &["no valid scopes defined"]),
    ),
    row(
        "ip-restricted",
        Endpoint::Token,
        "the request comes from outside of the allowed addresses",
        GRANT,
        said(&["invalid_grant"], &["ip restricted"]),
    ),
    row(
        "login-rate-exceeded",
        Endpoint::Token,
        "too many logins in an hour",
        Refusal::Error {
            status: &[400, 429],
            error: &["invalid_grant", "slow_down", "temporarily_unavailable"],
            description: &[],
        },
        said(&["invalid_grant"], &["login rate exceeded"]),
    ),
    row(
        "app-not-installed",
        Endpoint::Token,
        "the app is not installed in the org",
        CLIENT,
        client(&["invalid_client", "app_not_found"]),
    ),
    row(
        "app-blocked",
        Endpoint::Token,
        "an admin blocked the app",
        CLIENT,
        client(&["app_blocked", "fail_close_app_blocked"]),
    ),
    // Introspection and revocation.
    row(
        "client-authentication-failed",
        Endpoint::Introspect,
        "the caller is not authenticated",
        Refusal::Error {
            status: &[400, 401],
            error: &["invalid_client", "invalid_request"],
            description: &[],
        },
        Refusal::Error { status: &[400, 401], error: &["invalid_client"], description: &[] },
    ),
    row(
        "token-inactive",
        Endpoint::Introspect,
        "the token is dead, unknown, or not the caller's",
        Refusal::Inactive,
        Refusal::Inactive,
    ),
    row(
        "malformed-request",
        Endpoint::Introspect,
        "no token came",
        token(&["invalid_request"]),
        token(&["invalid_request"]),
    ),
    row(
        "token-unknown",
        Endpoint::Revoke,
        "no such token: RFC 7009 §2.2 answers 200 all the same",
        Refusal::Resource { status: &[200], holds: &[] },
        client(&["invalid_token", "unsupported_token_type"]),
    ),
    row(
        "malformed-request",
        Endpoint::Revoke,
        "no token came",
        token(&["invalid_request"]),
        token(&["invalid_request"]),
    ),
    // Resources.
    row(
        "access-token-invalid",
        Endpoint::Resource,
        "the access token is expired, revoked or garbage",
        Refusal::Resource { status: &[401], holds: &[] },
        Refusal::Resource { status: &[401], holds: &["INVALID_SESSION_ID", "INVALID_JWT_FORMAT"] },
    ),
    row(
        "access-token-missing",
        Endpoint::Resource,
        "no access token came",
        Refusal::Resource { status: &[401], holds: &[] },
        Refusal::Resource { status: &[401], holds: &["INVALID_"] },
    ),
    row(
        "scope-insufficient",
        Endpoint::Resource,
        "the access token lacks the scope",
        Refusal::Resource { status: &[403], holds: &[] },
        Refusal::Resource { status: &[401, 403], holds: &[] },
    ),
    row(
        "access-token-invalid",
        Endpoint::Userinfo,
        "the access token is expired, revoked or garbage",
        Refusal::Resource { status: &[401], holds: &[] },
        Refusal::Resource { status: &[403], holds: &["Bad_OAuth_Token"] },
    ),
    row(
        "access-token-missing",
        Endpoint::Userinfo,
        "no access token came",
        Refusal::Resource { status: &[400, 401], holds: &[] },
        Refusal::Resource { status: &[403], holds: &["Missing_OAuth_Token"] },
    ),
    row(
        "access-token-invalid",
        Endpoint::Identity,
        "the access token is expired, revoked or garbage",
        Refusal::Resource { status: &[401, 403], holds: &[] },
        Refusal::Resource { status: &[403], holds: &["Bad_OAuth_Token"] },
    ),
    row(
        "access-token-missing",
        Endpoint::Identity,
        "no access token came",
        Refusal::Resource { status: &[401, 403], holds: &[] },
        Refusal::Resource { status: &[403], holds: &["Missing_OAuth_Token"] },
    ),
];

/// The outcome of that name at that endpoint.
pub fn outcome(endpoint: Endpoint, name: &str) -> Option<&'static Outcome> {
    OUTCOMES.iter().find(|outcome| outcome.endpoint == endpoint && outcome.name == name)
}

impl Outcome {
    /// What it looks like in a profile.
    pub fn refusal(&self, profile: Profile) -> Refusal {
        match profile {
            Profile::Rfc => self.rfc,
            Profile::Salesforce => self.salesforce,
        }
    }
}

/// Which endpoint of an org a path is (Salesforce Help: OAuth Endpoints).
pub fn endpoint_of(path: &str) -> Endpoint {
    match path {
        "/services/oauth2/authorize" => Endpoint::Authorize,
        "/services/oauth2/token" => Endpoint::Token,
        "/services/oauth2/introspect" => Endpoint::Introspect,
        "/services/oauth2/revoke" => Endpoint::Revoke,
        "/services/oauth2/userinfo" => Endpoint::Userinfo,
        "/id/keys" => Endpoint::Keys,
        _ if path.starts_with("/id/") => Endpoint::Identity,
        _ if path.contains("/.well-known/") => Endpoint::Discovery,
        _ if path.starts_with("/services/data") || path.starts_with("/services/Soap") => Endpoint::Resource,
        _ => Endpoint::Page,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_their_letter_case() {
        assert_eq!(id18("00Dxx0000000001"), "00Dxx0000000001EAA");
        assert_eq!(id18("005xx0000000001"), "005xx0000000001AAA");
        assert_eq!(id18("00Dx0000000BV7z"), "00Dx0000000BV7zEAG");
    }

    #[test]
    fn the_signature_of_the_golden_vector_comes_out() {
        let id = "https://login.salesforce.com/id/00Dxx0000000001EAA/005xx0000000001AAA";
        assert_eq!(
            signature(&"1".repeat(64), id, "1700000000000"),
            "DLJtQ6iU5zrYTcArol/efSd0yjv+Zh0IImubFypH34E="
        );
    }

    #[test]
    fn an_outcome_stands_once_for_each_endpoint() {
        for (i, outcome) in OUTCOMES.iter().enumerate() {
            assert!(
                !OUTCOMES[..i].iter().any(|o| o.name == outcome.name && o.endpoint == outcome.endpoint),
                "{}",
                outcome.name
            );
        }
    }
}
