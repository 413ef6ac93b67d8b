//! What the org does, on what ground, and by which switch it does otherwise. `docs/org.md` is written from here.

use super::fault;
use crate::subject::{Kind, SETTINGS};

/// How it is known that Salesforce does so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Salesforce's own documentation says it.
    Documented,
    /// Captures, reports from the field, or the code of widely used clients show it.
    Observed,
    /// Nothing was found: this is our choice, the one that an RFC asks for where there is one.
    Assumed,
}

/// One behaviour.
#[derive(Clone, Copy, Debug)]
pub struct Behaviour {
    /// Where it shows.
    pub area: &'static str,
    /// What the org does.
    pub says: &'static str,
    /// How it is known.
    pub basis: Basis,
    /// Where that is written; sections without a name are those of the fact sheet, SALESFORCE.md.
    pub source: &'static str,
    /// The setting or policy that decides otherwise.
    pub switch: Option<&'static str>,
}

use Basis::{Assumed, Documented, Observed};

const fn row(
    area: &'static str,
    basis: Basis,
    source: &'static str,
    switch: Option<&'static str>,
    says: &'static str,
) -> Behaviour {
    Behaviour { area, says, basis, source, switch }
}

const HOSTS: &str = "Hosts and requests";
const AUTHORIZE: &str = "Authorization endpoint and pages";
const TOKEN: &str = "Token endpoint";
const CLIENTS: &str = "Client authentication";
const CODE: &str = "Authorization code";
const REFRESH: &str = "Refresh";
const JWT: &str = "JWT bearer";
const SAML: &str = "SAML bearer";
const CC: &str = "Client credentials";
const SESSIONS: &str = "Access tokens and sessions";
const REST: &str = "REST and SOAP";
const IDENTITY: &str = "Userinfo and identity URL";
const INTROSPECT: &str = "Introspection";
const REVOKE: &str = "Revocation";
const DISCOVERY: &str = "Discovery";
const LIMITS: &str = "Limits";

/// Every behaviour.
pub const TABLE: &[Behaviour] = &[
    row(
        HOSTS,
        Documented,
        "§1.1",
        None,
        "login.salesforce.com and test.salesforce.com serve the org as login hosts; every other host is its My Domain",
    ),
    row(
        HOSTS,
        Observed,
        "§1.3 (next-auth#11917, reshapr#65)",
        None,
        "issuer and identity URLs have the host that was asked",
    ),
    row(
        HOSTS,
        Observed,
        "§2.1",
        None,
        "instance_url is the My Domain, without a slash at its end, also where a login host was asked",
    ),
    row(
        HOSTS,
        Assumed,
        "in process there is one org",
        None,
        "the My Domain behind the login hosts is acme.my.salesforce.com",
    ),
    row(
        HOSTS,
        Assumed,
        "RFC 6749 §3.1, §3.2",
        None,
        "a repeated parameter is refused with invalid_request; one without a value counts as left out; unknown ones are ignored",
    ),
    row(
        HOSTS,
        Assumed,
        "RFC 6749 appendix B",
        None,
        "broken percent escapes and bytes that are not UTF-8 are refused with invalid_request",
    ),
    row(
        HOSTS,
        Assumed,
        "docs/decisions",
        Some("profile"),
        "under profile rfc, statuses, error codes and challenges are those of the RFCs where Salesforce has its own: 401 for failed clients and bad bearer tokens, 200 for unknown tokens at revocation, registered codes only",
    ),
    row(
        AUTHORIZE,
        Documented,
        "§2.2",
        None,
        "the user agent is sent to a login page, an approval page and back with code and state; the state is echoed unchanged",
    ),
    row(
        AUTHORIZE,
        Documented,
        "§2.2",
        None,
        "the redirect URI is compared character by character; it may be left out where the app has just one",
    ),
    row(
        AUTHORIZE,
        Observed,
        "§3.3",
        None,
        "unknown client, wrong redirect URI and a missing challenge are shown on the spot: 400, no Content-Type, a urlencoded body",
    ),
    row(
        AUTHORIZE,
        Assumed,
        "§14 (text), RFC 6749 §4.1.2.1",
        None,
        "another response_type than code is redirected with unsupported_response_type; implicit and hybrid flows are not offered",
    ),
    row(
        AUTHORIZE,
        Assumed,
        "§14 (text)",
        None,
        "a scope that the app does not have is redirected with invalid_scope, the requested scope is not allowed",
    ),
    row(AUTHORIZE, Documented, "§2.2, §8", None, "no scope asks for all of the app's scopes"),
    row(
        AUTHORIZE,
        Observed,
        "§2.1",
        None,
        "scopes are told in the server's order; full brings its members, web brings visualforce",
    ),
    row(
        AUTHORIZE,
        Assumed,
        "§2.1 (full list unknown)",
        None,
        "full stands for visualforce web openid chatter_api api id",
    ),
    row(
        AUTHORIZE,
        Documented,
        "§2.2",
        None,
        "prompt=login asks for the password again, prompt=consent for the approval",
    ),
    row(AUTHORIZE, Assumed, "§2.2", None, "prompt=select_account shows the login page"),
    row(
        AUTHORIZE,
        Documented,
        "§3.3",
        None,
        "immediate=true fails with immediate_unsuccessful where somebody would have to be asked",
    ),
    row(AUTHORIZE, Documented, "§2.2", None, "login_hint fills the user name in"),
    row(
        AUTHORIZE,
        Assumed,
        "§8 (memory)",
        None,
        "an approval is remembered by user and app for the scopes that it covered, until its last refresh token is revoked; users whom the target lists as approved are not asked",
    ),
    row(
        AUTHORIZE,
        Observed,
        "§13.2",
        Some("deny_error"),
        "a user who says no sends the client access_denied, end-user denied authorization",
    ),
    row(
        AUTHORIZE,
        Observed,
        "§3.3",
        None,
        "a blocked app, an app that is not installed and a user who is not admitted end on a page with an OAUTH_ code",
    ),
    row(
        AUTHORIZE,
        Assumed,
        "§3.3 (path of the page unknown)",
        None,
        "that page is answered on the spot with 400",
    ),
    row(
        AUTHORIZE,
        Observed,
        "§3.2",
        None,
        "an app that does not list the web server flow is refused with oauth_flow_disabled",
    ),
    row(AUTHORIZE, Documented, "§3.2", None, "POST is refused with must use HTTP GET"),
    row(
        AUTHORIZE,
        Documented,
        "§8, §10.2",
        Some("pkce_required"),
        "where PKCE is required, a missing challenge is refused before the login",
    ),
    row(AUTHORIZE, Assumed, "RFC 9700 §2.1.1", None, "a public client must send a challenge"),
    row(
        AUTHORIZE,
        Observed,
        "§8, §13.5 (mobile SDKs, jsforce)",
        Some("challenge_method_default"),
        "a challenge without a method is S256; plain is refused, as it is not advertised",
    ),
    row(
        AUTHORIZE,
        Assumed,
        "RFC 9700 §4.12, §4.16; RFC 6749 §10.12",
        None,
        "pages cannot be framed, tell no referrer, load nothing, and carry a value against request forgery; a request goes on only in the browser that brought it; passwords are answered with 303",
    ),
    row(
        TOKEN,
        Observed,
        "§3.2",
        None,
        "what is not a form sent by POST has no grant_type: unsupported_grant_type, grant type not supported",
    ),
    row(TOKEN, Documented, "§1.2", None, "parameters of the query count as well"),
    row(
        TOKEN,
        Observed,
        "appendix B",
        None,
        "the order of checks: grant type, forbidden scope, client, app state, flow, secret, grant, user, approval, scopes, login rate",
    ),
    row(TOKEN, Observed, "§3", None, "every error is 400 with error and error_description, in this order"),
    row(
        TOKEN,
        Observed,
        "§3.2",
        None,
        "scope is refused with refresh, JWT bearer, SAML bearer and client credentials: scope parameter not supported",
    ),
    row(TOKEN, Observed, "§3.2, §12", None, "the password grant is not supported: new orgs block it"),
    row(
        TOKEN,
        Documented,
        "§1.4",
        None,
        "format=json, xml or urlencoded wins over Accept, whose list is read left to right; */* is JSON",
    ),
    row(TOKEN, Assumed, "§1.4 (memory)", None, "XML has the root OAuth and one element for each member"),
    row(TOKEN, Observed, "§1.4", None, "X-PrettyPrint: 1 puts JSON on lines"),
    row(
        TOKEN,
        Observed,
        "§1.4",
        None,
        "Cache-Control stands twice (no-cache, no-store; no-store), with Pragma, Expires, X-ReadOnlyMode and, over TLS, Strict-Transport-Security",
    ),
    row(
        TOKEN,
        Documented,
        "appendix A",
        None,
        "which members an answer holds, and their order, follows the flow; there is no expires_in",
    ),
    row(TOKEN, Observed, "§13.10", Some("issued_at"), "issued_at is a text of milliseconds"),
    row(
        TOKEN,
        Documented,
        "§2.1",
        None,
        "signature is the HMAC-SHA256 of id and issued_at under the consumer secret",
    ),
    row(
        TOKEN,
        Assumed,
        "an app has a secret also where it is told none",
        None,
        "the answers to an app without a secret are signed with one that nobody knows",
    ),
    row(
        TOKEN,
        Documented,
        "§2.10",
        None,
        "an ID token comes with openid for code and refresh: RS256, two minutes, at_hash, nonce where one was sent; sub is the identity URL",
    ),
    row(TOKEN, Observed, "§2.3 (captures without one)", None, "JWT bearer answers bring no ID token"),
    row(
        CLIENTS,
        Documented,
        "§1.4",
        None,
        "client_id and client_secret in the body, or HTTP Basic; the body wins; client_assertion is read where there is no secret",
    ),
    row(CLIENTS, Observed, "appendix D", None, "Basic is read both raw and form-encoded"),
    row(
        CLIENTS,
        Observed,
        "§3.2",
        None,
        "a wrong or missing secret is invalid_client, invalid client credentials, with 400",
    ),
    row(
        CLIENTS,
        Observed,
        "§13.14",
        Some("unknown_client_error"),
        "an unknown consumer key is invalid_client_id, client identifier invalid",
    ),
    row(
        CLIENTS,
        Observed,
        "§3.2 (text assumed)",
        None,
        "Basic that cannot be decoded is invalid_basic_auth_header",
    ),
    row(CLIENTS, Documented, "§10.2", Some("secret_optional"), "the redemption of a code needs the secret"),
    row(
        CLIENTS,
        Documented,
        "§6",
        Some("secret_for_refresh"),
        "a refresh needs the secret; one that is sent is checked anyway",
    ),
    row(
        CLIENTS,
        Documented,
        "§4.2",
        None,
        "a client assertion is RS256 with the app's certificate; iss and sub are the client, aud the token endpoint",
    ),
    row(
        CLIENTS,
        Assumed,
        "§4.2",
        None,
        "aud may also be the My Domain or a login host; client credentials and introspection take a client assertion too",
    ),
    row(
        CLIENTS,
        Assumed,
        "RFC 7523 §3 (7)",
        None,
        "a client assertion whose jti was used before is refused with invalid_client",
    ),
    row(
        CLIENTS,
        Observed,
        "§3.2",
        None,
        "an app that is not installed is invalid_client, app must be installed into org; a blocked one app_blocked; a flow that the app does not list oauth_flow_disabled",
    ),
    row(
        CODE,
        Documented,
        "§8",
        Some("code_ttl"),
        "a code lives 15 minutes and works once; afterwards it is expired authorization code",
    ),
    row(CODE, Assumed, "§14", None, "a second use does not revoke what the first was given"),
    row(CODE, Assumed, "§3.2", None, "an attempt that is refused does not use the code up"),
    row(
        CODE,
        Observed,
        "§3.2",
        None,
        "an unknown code, and one of another client, is invalid authorization code",
    ),
    row(
        CODE,
        Observed,
        "§3.2",
        None,
        "redirect_uri must be that of the authorization request: redirect_uri_mismatch",
    ),
    row(
        CODE,
        Documented,
        "§3.2 (text assumed)",
        None,
        "redirect_uri left out, though the authorization request had one, is redirect_uri_missing",
    ),
    row(
        CODE,
        Observed,
        "§13.3",
        Some("pkce_error"),
        "a verifier that does not fit is invalid_grant, invalid code verifier",
    ),
    row(
        CODE,
        Observed,
        "§13.15",
        Some("verifier_limit"),
        "a verifier has 43 to 171 characters; 128 under profile rfc",
    ),
    row(
        CODE,
        Assumed,
        "RFC 9700 §2.1.1; §8 knows of refresh only",
        None,
        "a verifier for a code without a challenge is refused",
    ),
    row(
        CODE,
        Documented,
        "§2.2",
        None,
        "a refresh token comes with scope refresh_token or offline_access, where the app lists the flow",
    ),
    row(
        REFRESH,
        Documented,
        "§6",
        Some("rotation"),
        "without rotation the refresh token stays and the answer has none",
    ),
    row(
        REFRESH,
        Documented,
        "§6",
        Some("rotation"),
        "with rotation each refresh replaces it, without a period of grace; reuse of an old one kills the active one and all access tokens of the grant",
    ),
    row(
        REFRESH,
        Observed,
        "§6 (releases 250 to 252)",
        None,
        "while one request works on a refresh token, others get token request is already being processed",
    ),
    row(
        REFRESH,
        Assumed,
        "nothing is known",
        None,
        "a request that was abandoned holds it for 30 seconds at most",
    ),
    row(
        REFRESH,
        Observed,
        "§3.2",
        None,
        "a refresh token that is unknown, revoked, rotated out, displaced or another client's is expired access/refresh token",
    ),
    row(
        REFRESH,
        Documented,
        "§6",
        Some("refresh_policy"),
        "the policy is looked at when the token is used: infinite, zero (within the first session), lifetime since the grant, inactivity",
    ),
    row(REFRESH, Observed, "§3.2", Some("refresh_token_ttl"), "past the policy it is token validity expired"),
    row(
        REFRESH,
        Assumed,
        "§14",
        None,
        "each refresh gives a new access token; older ones live on until their end",
    ),
    row(
        REFRESH,
        Observed,
        "appendix C (jsforce)",
        None,
        "code_verifier and redirect_uri on a refresh are ignored",
    ),
    row(
        REFRESH,
        Documented,
        "§6",
        None,
        "the sixth approval of a user and app drops the oldest, with its access tokens",
    ),
    row(JWT, Documented, "§4.1", None, "RS256 with the app's certificate; kid is ignored"),
    row(
        JWT,
        Observed,
        "§4.1",
        None,
        "another signature is invalid assertion; RS384 and RS512 are invalid_client",
    ),
    row(
        JWT,
        Documented,
        "§4.1",
        None,
        "aud is a login host; the My Domain and its token endpoint are accepted too",
    ),
    row(JWT, Observed, "§13.1", Some("audience_error"), "another aud is audience is invalid"),
    row(
        JWT,
        Observed,
        "§4.1, §13.4 (sfdx-core, simple-salesforce)",
        Some("exp_limit"),
        "exp may be a number, a numeric text, or milliseconds, and lie as far ahead as it likes",
    ),
    row(
        JWT,
        Documented,
        "§4.1",
        Some("leeway"),
        "exp in the past, beyond three minutes of leeway, is expired authorization code",
    ),
    row(JWT, Assumed, "RFC 7523 §3 (5)", Some("leeway"), "nbf in the future is invalid assertion"),
    row(JWT, Assumed, "RFC 7523 §3", None, "without iss, sub, aud or exp it is invalid assertion"),
    row(
        JWT,
        Observed,
        "§4.1",
        None,
        "jti and iat are ignored: an assertion may be used again; prn wins over sub",
    ),
    row(
        JWT,
        Observed,
        "§3.2",
        None,
        "an unknown user and one who did not approve are the same: user hasn't approved this consumer",
    ),
    row(
        JWT,
        Documented,
        "§4.1",
        Some("admin_approved"),
        "an approval counts that came with a refresh token; or, where an admin decides, pre-authorization alone, else invalid_app_access",
    ),
    row(
        JWT,
        Observed,
        "§2.3",
        None,
        "the scopes are those of the approval without refresh_token; no refresh token, issued_at or signature, unless the access token is a JWT",
    ),
    row(
        JWT,
        Assumed,
        "§3.2 (memory)",
        None,
        "an inactive or frozen user is inactive user; one outside of the app's addresses ip restricted",
    ),
    row(
        SAML,
        Documented,
        "§4.3",
        None,
        "an assertion by itself, base64url; signed by the app's key with RSA-SHA256 or RSA-SHA1; Issuer is the client",
    ),
    row(
        SAML,
        Documented,
        "§4.3",
        None,
        "Audience as for JWT; Recipient is the token endpoint here or on a login host; the confirmation is bearer",
    ),
    row(
        SAML,
        Observed,
        "§3.2",
        None,
        "outside of its times it is expired authorization code, otherwise invalid assertion",
    ),
    row(SAML, Assumed, "§4.3", None, "an assertion may be used again"),
    row(CC, Observed, "§5", None, "on a login host it is request not supported on this domain"),
    row(
        CC,
        Observed,
        "§5",
        None,
        "without a run-as user it is no client credentials user enabled; where the flow is off, client credentials flow not enabled",
    ),
    row(
        CC,
        Documented,
        "§5",
        None,
        "full, web and refresh_token are dropped; nothing left is no valid scopes defined",
    ),
    row(CC, Observed, "§13.6", Some("run_as_needs_approval"), "the run-as user need not be pre-authorized"),
    row(
        SESSIONS,
        Documented,
        "§2.1",
        None,
        "an opaque access token is the 15-character org id, !, and 96 characters",
    ),
    row(
        SESSIONS,
        Documented,
        "§2.9",
        Some("jwt_access_tokens"),
        "a JWT access token is RS256 with the claims of the mobile SDK's tests; it works with REST, never with SOAP, and does not slide",
    ),
    row(
        SESSIONS,
        Documented,
        "§6",
        Some("access_token_ttl"),
        "a session lasts two hours; use past half of that extends it",
    ),
    row(
        SESSIONS,
        Assumed,
        "§6 (memory)",
        None,
        "use is a call to REST, SOAP, userinfo or the identity URL, not introspection",
    ),
    row(
        REST,
        Documented,
        "§7",
        None,
        "a dead token is 401, an array with INVALID_SESSION_ID, Session expired or invalid",
    ),
    row(REST, Assumed, "§7 (memory)", Some("profile"), "401 carries WWW-Authenticate: Token"),
    row(
        REST,
        Observed,
        "§7",
        None,
        "another scheme than Bearer or OAuth is INVALID_HEADER_TYPE; a JWT that is malformed or over is INVALID_JWT_FORMAT",
    ),
    row(
        REST,
        Assumed,
        "§7",
        None,
        "no Authorization at all is INVALID_SESSION_ID; the scheme is read in any case",
    ),
    row(
        REST,
        Observed,
        "§7",
        None,
        "without scope api or full it is 401, This session is not valid for use with the REST API",
    ),
    row(REST, Observed, "§7", None, "data calls to a login host are URL_NOT_RESET; unknown paths NOT_FOUND"),
    row(REST, Documented, "§1.4", None, "Sforce-Limit-Info is on every answer but the list of versions"),
    row(REST, Assumed, "kept out of the way of load runs", None, "the daily limit is told, not enforced"),
    row(
        REST,
        Assumed,
        "appendix D",
        None,
        "queries are SELECT fields FROM object WHERE field = 'value' AND ... LIMIT n; records of Account, Contact and Lead can be created",
    ),
    row(
        REST,
        Observed,
        "§7 (jsforce)",
        None,
        "SOAP tells a dead session by 500 and the fault sf:INVALID_SESSION_ID",
    ),
    row(REST, Observed, "appendix D", None, "SOAP login, getUserInfo and query are there"),
    row(
        IDENTITY,
        Observed,
        "§3.4",
        Some("profile"),
        "refusals are 403 with a word of plain text: Missing_OAuth_Token, Bad_OAuth_Token, Wrong_Org",
    ),
    row(
        IDENTITY,
        Documented,
        "§2.13",
        None,
        "the token comes in the header or as oauth_token or access_token; format json, xml or jsonp; version fills the URLs in",
    ),
    row(IDENTITY, Observed, "§13.11", Some("last_modified"), "last_modified_date ends in Z"),
    row(
        IDENTITY,
        Assumed,
        "§2.13 (memory)",
        None,
        "an unknown user is 404 Bad_Id; another user needs scope api or full, else 403 Invalid_Scope",
    ),
    row(IDENTITY, Assumed, "synthetic users", None, "names and addresses are made of the user name"),
    row(
        INTROSPECT,
        Documented,
        "§2.11",
        None,
        "a client that shows who it is learns of its own tokens, access and refresh; of all with introspect-all",
    ),
    row(
        INTROSPECT,
        Documented,
        "§2.11",
        Some("introspect_all"),
        "whatever else it asks about is {\"active\":false}",
    ),
    row(INTROSPECT, Observed, "§3.4 (body assumed)", None, "failed authentication is 401 invalid_client"),
    row(
        INTROSPECT,
        Assumed,
        "RFC 7662 §2.1",
        None,
        "the hint is ignored; a missing token is invalid_request; only POST is answered",
    ),
    row(
        REVOKE,
        Documented,
        "§2.12",
        None,
        "by form, by GET or as JSONP, without client authentication: 200 and nothing",
    ),
    row(
        REVOKE,
        Documented,
        "§2.12",
        None,
        "a refresh token takes its access tokens along; an access token leaves it alive",
    ),
    row(
        REVOKE,
        Observed,
        "§2.12 (jsforce)",
        Some("profile"),
        "an unknown or dead token is 400 invalid_token as a form",
    ),
    row(REVOKE, Documented, "§2.12", None, "a session that OAuth did not make is unsupported_token_type"),
    row(REVOKE, Assumed, "§14", None, "the text is invalid token; JSONP answers are 200 whatever they say"),
    row(
        DISCOVERY,
        Observed,
        "§1.3",
        Some("discovery_spelling"),
        "the document of a My Domain of 2026, with registration_endpoint",
    ),
    row(DISCOVERY, Assumed, "§14", None, "the RFC 8414 document is the same"),
    row(
        DISCOVERY,
        Assumed,
        "what the org offers",
        None,
        "response_types_supported is code alone; registration answers 401",
    ),
    row(
        DISCOVERY,
        Observed,
        "§1.3",
        None,
        "S256 is the one challenge method, authorization_code and refresh_token are the grant types that are named",
    ),
    row(
        DISCOVERY,
        Observed,
        "§1.3, §2.9",
        None,
        "ID tokens have a short numeric kid, JWT access tokens one that begins with CORE_ATJWT",
    ),
    row(LIMITS, Documented, "§9", None, "3600 logins of a user within an hour, then login rate exceeded"),
    row(
        LIMITS,
        Assumed,
        "§9 (memory)",
        None,
        "logins are: the login page, the redemption of a code, JWT bearer, SAML bearer, client credentials, SOAP login; not a refresh",
    ),
    row(
        LIMITS,
        Assumed,
        "a limit on everything",
        None,
        "bodies of 256 KiB (413), queries of 32 KiB (414), values of 8 KiB but for assertions, 200 parameters; 10,000 created records; the oldest tokens are forgotten past 500,000",
    ),
];

/// `docs/org.md`.
pub fn markdown() -> String {
    let mut out = String::from(
        "# The embedded org\n\nGenerated from `src/org/behaviour.rs` and `src/org/fault.rs`; do not edit.\n\n\
        What the org does, how it is known that Salesforce does so, and what decides otherwise. *Documented*: \
        Salesforce's documentation says it. *Observed*: captures, field reports or the code of widely used clients show it. \
        *Assumed*: nothing was found; it is our choice. Sections are those of the fact sheet that the org follows.\n",
    );
    let mut area = "";
    for one in TABLE {
        if one.area != area {
            area = one.area;
            out.push_str(&format!(
                "\n## {area}\n\n| The org does | Basis | Source | Switch |\n|---|---|---|---|\n"
            ));
        }
        let switch = one.switch.map(|name| format!("`{name}`")).unwrap_or_default();
        out.push_str(&format!("| {} | {} | {} | {switch} |\n", one.says, one.basis.word(), one.source));
    }
    out.push_str("\n## Switches\n\nSettings of a target that change the org.\n\n| Setting | Values | Meaning |\n|---|---|---|\n");
    for setting in SETTINGS {
        let values = match setting.kind {
            Kind::Flag => "true, false".to_owned(),
            Kind::Duration => "a duration".to_owned(),
            Kind::Words(words) => words.join(", "),
        };
        out.push_str(&format!("| `{}` | {values} | {} |\n", setting.name, setting.doc));
    }
    out.push_str("\n## Faults\n\nWrongs that the org commits on purpose.\n\n| Fault | The org | Breaks |\n|---|---|---|\n");
    for fault in fault::all() {
        out.push_str(&format!("| `{}` | {} | {} |\n", fault.name, fault.doc, fault.origins.join(", ")));
    }
    out
}

impl Basis {
    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Documented => "documented",
            Observed => "observed",
            Assumed => "assumed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_whole_and_switches_exist() {
        for (i, one) in TABLE.iter().enumerate() {
            assert!(
                !one.says.is_empty() && !one.source.is_empty() && !one.says.contains('|'),
                "{}",
                one.says
            );
            assert!(!TABLE[..i].iter().any(|other| other.says == one.says), "{}", one.says);
            if let Some(switch) = one.switch {
                assert!(switch == "profile" || SETTINGS.iter().any(|row| row.name == switch), "{switch}");
            }
        }
    }

    #[test]
    fn every_switch_of_contradictory_sources_has_its_row() {
        for setting in SETTINGS.iter().filter(|row| row.doc.contains("contradictory")) {
            assert!(TABLE.iter().any(|row| row.switch == Some(setting.name)), "{}", setting.name);
        }
    }

    #[test]
    fn the_page_holds_every_row() {
        let page = markdown();
        assert!(TABLE.iter().all(|row| page.contains(row.says)));
        assert!(fault::all().iter().all(|fault| page.contains(fault.name)));
    }
}
