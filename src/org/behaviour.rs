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
    /// Where that is written.
    pub source: &'static str,
    /// The setting or policy that decides otherwise.
    pub switch: Option<&'static str>,
}

use Basis::{Assumed, Documented, Observed};

/// Writes the table by area: basis, source, switch (empty for none), what the org does.
macro_rules! behaviours {
    ($($area:literal { $($basis:ident $source:literal $switch:literal $says:literal)* })*) => {
        /// Every behaviour.
        pub const TABLE: &[Behaviour] = &[$($(row($area, $basis, $source, $switch, $says)),*),*];
    };
}

const fn row(
    area: &'static str,
    basis: Basis,
    source: &'static str,
    switch: &'static str,
    says: &'static str,
) -> Behaviour {
    let switch = if switch.is_empty() { None } else { Some(switch) };
    Behaviour { area, says, basis, source, switch }
}

behaviours! {
    "Hosts and requests" {
        Documented "Salesforce Help: OAuth 2.0 Web Server Flow" ""
            "login.salesforce.com and test.salesforce.com serve the org as login hosts; every other host is \
            its My Domain"
        Observed "probes of live discovery documents (next-auth#11917, reshapr#65)" "" "issuer and identity URLs have the host that was asked"
        Observed "REST API Developer Guide: Web Server OAuth Flow" ""
            "instance_url is the My Domain, without a slash at its end, also where a login host was asked"
        Assumed "in process there is one org" "" "the My Domain behind the login hosts is acme.my.salesforce.com"
        Assumed "RFC 6749 §3.1; Salesforce Help: OAuth 2.0 Authorization Errors; field reports" ""
            "a repeated parameter is refused with invalid_request; one without a value counts as left out; \
            unknown ones are ignored"
        Assumed "RFC 6749 inferred from field reports" ""
            "broken percent escapes and bytes that are not UTF-8 are refused with invalid_request"
        Observed "captures of response headers" "" "over TLS every page carries Strict-Transport-Security of two years"
        Assumed "our choice" "profile"
            "under profile rfc, statuses, error codes and challenges are those of the RFCs where Salesforce \
            has its own: 401 for failed clients and bad bearer tokens, 200 for unknown tokens at revocation, \
            registered codes only"
    }
    "Authorization endpoint and pages" {
        Documented "Salesforce Help: OAuth 2.0 Web Server Flow" ""
            "the user agent is sent to a login page, an approval page and back with code and state; the state \
            is echoed unchanged"
        Documented "Salesforce Help: OAuth 2.0 Web Server Flow" ""
            "the redirect URI is compared character by character; it may be left out where the app has just \
            one"
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" ""
            "unknown client, wrong redirect URI and a missing challenge are shown on the spot: 400, no \
            Content-Type, a urlencoded body"
        Assumed "no source found (text), RFC 6749 §4.1.2.1" ""
            "another response_type than code is redirected with unsupported_response_type; implicit and \
            hybrid flows are not offered"
        Assumed "no source found (text)" ""
            "a scope that the app does not have is redirected with invalid_scope, the requested scope is not \
            allowed"
        Documented "Salesforce Help: OAuth 2.0 Web Server Flow; jsforce; Mobile SDK" "" "no scope asks for all of the app's scopes"
        Observed "REST API Developer Guide: Web Server OAuth Flow" "" "scopes are told in the server's order; full brings its members, web brings visualforce"
        Assumed "REST API Developer Guide: Web Server OAuth Flow (full list unknown)" "" "full stands for visualforce web openid chatter_api api id"
        Documented "Salesforce Help: OAuth 2.0 Web Server Flow" "" "prompt=login asks for the password again, prompt=consent for the approval"
        Assumed "Salesforce Help: OAuth 2.0 Web Server Flow" "" "prompt=select_account shows the login page"
        Assumed "OpenID Connect Core §3.1.2.6; no source found" ""
            "prompt=none fails with login_required, or consent_required where somebody is logged in"
        Assumed "OpenID Connect Core §3.1.2.1; no source found" ""
            "max_age asks for the password again where the login is older, and auth_time stands in the ID token"
        Documented "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" "" "immediate=true fails with immediate_unsuccessful where somebody would have to be asked"
        Documented "Salesforce Help: OAuth 2.0 Web Server Flow" "" "login_hint fills the user name in"
        Assumed "Salesforce Help: OAuth 2.0 Web Server Flow; jsforce; Mobile SDK (memory)" ""
            "an approval is remembered by user and app for the scopes that it covered, until its last refresh \
            token is revoked; users whom the target lists as approved are not asked"
        Observed "sources contradict each other" "deny_error"
            "a user who says no sends the client access_denied, end-user denied authorization"
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" ""
            "a blocked app, an app that is not installed and a user who is not admitted end on a page with an \
            OAUTH_ code"
        Assumed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports (path of the page unknown)" "" "that page is answered on the spot with 400"
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" "" "an app that does not list the web server flow is refused with oauth_flow_disabled"
        Documented "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" "" "POST is refused with must use HTTP GET"
        Documented "Salesforce Help: OAuth 2.0 Web Server Flow; jsforce; Mobile SDK; Metadata API Developer Guide: ConnectedApp" "pkce_required"
            "where PKCE is required, a missing challenge is refused before the login"
        Assumed "RFC 9700 §2.1.1" "" "a public client must send a challenge"
        Observed "Salesforce Help: OAuth 2.0 Web Server Flow; jsforce; Mobile SDK; sources contradict each other (mobile SDKs, jsforce)" "challenge_method_default"
            "a challenge without a method is S256; plain is refused, as it is not advertised; under profile rfc the \
            challenge without a method is refused as well (RFC 7636 §4.3)"
        Assumed "no source found; RFC 9207" "response_iss" "authorization responses do not name the issuer"
        Assumed "RFC 9700 §4.12; field reports; RFC 6749 §10.12" ""
            "pages cannot be framed, tell no referrer, load nothing, and carry a value against request \
            forgery; a request goes on only in the browser that brought it; passwords are answered with 303"
    }
    "Token endpoint" {
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" ""
            "what is not a form sent by POST has no grant_type: unsupported_grant_type, grant type not \
            supported"
        Documented "Salesforce Help: OAuth Endpoints" "profile" "parameters of the query count as well; under profile rfc those of the body alone"
        Assumed "RFC 6749 §5.1, RFC 6750 §5.3" "profile"
            "under profile rfc an answer says expires_in, an access token lives for an hour where no setting says \
            otherwise, and client credentials of an app that may not use them are unauthorized_client"
        Observed "inferred from field reports" ""
            "the order of checks: grant type, forbidden scope, client, app state, flow, secret, grant, user, \
            approval, scopes, login rate"
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors" "" "every error is 400 with error and error_description, in this order"
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" ""
            "scope is refused with refresh, JWT bearer, SAML bearer and client credentials: scope parameter \
            not supported"
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports; Salesforce release notes" "" "the password grant is not supported: new orgs block it"
        Documented "REST API Developer Guide; captures of response headers" ""
            "format=json, xml or urlencoded wins over Accept, whose list is read left to right; */* is JSON"
        Assumed "REST API Developer Guide; captures of response headers (memory)" "" "XML has the root OAuth and one element for each member"
        Observed "REST API Developer Guide; captures of response headers" "" "X-PrettyPrint: 1 puts JSON on lines"
        Observed "REST API Developer Guide; captures of response headers" ""
            "Cache-Control stands twice (no-cache, no-store; no-store), with Pragma, Expires, X-ReadOnlyMode \
            and, over TLS, Strict-Transport-Security"
        Documented "captures of token responses" ""
            "which members an answer holds, and their order, follows the flow; there is no expires_in"
        Observed "sources contradict each other" "issued_at" "issued_at is a text of milliseconds"
        Documented "REST API Developer Guide: Web Server OAuth Flow" "" "signature is the HMAC-SHA256 of id and issued_at under the consumer secret"
        Assumed "an app has a secret also where it is told none" ""
            "the answers to an app without a secret are signed with one that nobody knows"
        Documented "Metadata API Developer Guide: ConnectedApp" ""
            "an ID token comes with openid for code and refresh: RS256, two minutes, at_hash, nonce where one \
            was sent; sub is the identity URL"
        Observed "Salesforce Help: OAuth 2.0 JWT Bearer Flow (captures without one)" "" "JWT bearer answers bring no ID token"
    }
    "Client authentication" {
        Documented "REST API Developer Guide; captures of response headers" ""
            "client_id and client_secret in the body, or HTTP Basic; the body wins; client_assertion is read \
            where there is no secret"
        Assumed "RFC 6749 §2.3, §5.2" "profile"
            "under profile rfc two ways of client authentication in one request are refused with \
            invalid_request, and an unknown client is told the same as a wrong secret"
        Observed "measured with twenty client libraries" "" "Basic is read both raw and form-encoded"
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" "" "a wrong or missing secret is invalid_client, invalid client credentials, with 400"
        Observed "sources contradict each other" "unknown_client_error"
            "an unknown consumer key is invalid_client_id, client identifier invalid"
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports (text assumed)" "" "Basic that cannot be decoded is invalid_basic_auth_header"
        Documented "Metadata API Developer Guide: ConnectedApp" "secret_optional" "the redemption of a code needs the secret"
        Documented "Salesforce Help: OAuth 2.0 Refresh Token Flow; Metadata API Developer Guide" "secret_for_refresh" "a refresh needs the secret; one that is sent is checked anyway"
        Documented "Salesforce Help: OAuth 2.0 Web Server Flow" ""
            "a client assertion is RS256 with the app's certificate; iss and sub are the client, aud the \
            token endpoint"
        Assumed "Salesforce Help: OAuth 2.0 Web Server Flow" ""
            "aud may also be the My Domain or a login host; client credentials and introspection take a \
            client assertion too"
        Assumed "RFC 7523 §3 (7)" "" "a client assertion whose jti was used before is refused with invalid_client"
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" ""
            "an app that is not installed is invalid_client, app must be installed into org; a blocked one \
            app_blocked; a flow that the app does not list oauth_flow_disabled"
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" ""
            "an external client app that is switched off, or whose OAuth plugin is, is refused with oauth_flow_disabled in every flow (policy `disabled` of a target)"
    }
    "Authorization code" {
        Documented "Salesforce Help: OAuth 2.0 Web Server Flow; jsforce; Mobile SDK" "code_ttl"
            "a code lives 15 minutes and works once; afterwards it is expired authorization code"
        Assumed "no source found" "" "a second use does not revoke what the first was given"
        Assumed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" "" "an attempt that is refused does not use the code up"
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" "" "an unknown code, and one of another client, is invalid authorization code"
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" "" "redirect_uri must be that of the authorization request: redirect_uri_mismatch"
        Documented "Salesforce Help: OAuth 2.0 Authorization Errors; field reports (text assumed)" ""
            "redirect_uri left out, though the authorization request had one, is redirect_uri_missing"
        Observed "sources contradict each other" "pkce_error" "a verifier that does not fit is invalid_grant, invalid code verifier"
        Observed "sources contradict each other" "verifier_limit" "a verifier has 43 to 171 characters; 128 under profile rfc"
        Observed "code of client libraries (jsforce)" "unasked_verifier"
            "a verifier for a code without a challenge is ignored; under profile rfc it is refused (RFC 9700 §2.1.1)"
        Documented "Salesforce Help: OAuth 2.0 Web Server Flow" ""
            "a refresh token comes with scope refresh_token or offline_access, where the app lists the flow"
    }
    "Refresh" {
        Documented "Salesforce Help: OAuth 2.0 Refresh Token Flow; Metadata API Developer Guide" "rotation" "without rotation the refresh token stays and the answer has none"
        Documented "Salesforce Help: OAuth 2.0 Refresh Token Flow; Metadata API Developer Guide" "rotation"
            "with rotation each refresh replaces it, without a period of grace; reuse of an old one kills the \
            active one and all access tokens of the grant"
        Observed "Salesforce Help: OAuth 2.0 Refresh Token Flow; Metadata API Developer Guide (releases 250 to 252)" ""
            "while one request works on a refresh token, others get token request is already being processed"
        Assumed "nothing is known" "" "a request that was abandoned holds it for 30 seconds at most"
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" ""
            "a refresh token that is unknown, revoked, rotated out, displaced or another client's is expired \
            access/refresh token"
        Documented "Salesforce Help: OAuth 2.0 Refresh Token Flow; Metadata API Developer Guide" "refresh_policy"
            "the policy is looked at when the token is used: infinite, zero (within the first session), \
            lifetime since the grant, inactivity"
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" "refresh_token_ttl" "past the policy it is token validity expired"
        Assumed "RFC 6749 §6" "profile"
            "under profile rfc a refresh may ask for less scope; for more it is invalid_scope"
        Assumed "no source found" "" "each refresh gives a new access token; older ones live on until their end"
        Observed "code of client libraries (jsforce)" "" "code_verifier and redirect_uri on a refresh are ignored"
        Documented "Salesforce Help: OAuth 2.0 Refresh Token Flow; Metadata API Developer Guide" "" "the sixth approval of a user and app drops the oldest, with its access tokens"
    }
    "JWT bearer" {
        Documented "Salesforce Help: OAuth 2.0 JWT Bearer Flow; sfdx-core" "" "RS256 with the app's certificate; kid is ignored"
        Observed "Salesforce Help: OAuth 2.0 JWT Bearer Flow; sfdx-core" "" "another signature is invalid assertion; RS384 and RS512 are invalid_client"
        Documented "Salesforce Help: OAuth 2.0 JWT Bearer Flow; sfdx-core" "" "aud is a login host; the My Domain and its token endpoint are accepted too"
        Observed "sources contradict each other" "audience_error" "another aud is audience is invalid"
        Observed "Salesforce Help: OAuth 2.0 JWT Bearer Flow; sfdx-core; sources contradict each other (sfdx-core, simple-salesforce)" "exp_limit"
            "exp may be a number, a numeric text, or milliseconds, and lie as far ahead as it likes"
        Documented "Salesforce Help: OAuth 2.0 JWT Bearer Flow; sfdx-core" "leeway" "exp in the past, beyond three minutes of leeway, is expired authorization code"
        Observed "Salesforce Help: OAuth 2.0 JWT Bearer Flow (names no such claim); sfdx-core; field notes" "nbf"
            "nbf is ignored; under profile rfc an assertion before its nbf is invalid assertion"
        Assumed "RFC 7523 §3 (4), (6), (7)" "profile"
            "under profile rfc an iat in the future or older than a day, an exp more than a day ahead, and a jti \
            that was used before are invalid assertion"
        Assumed "RFC 7523 §3" "" "without iss, sub, aud or exp it is invalid assertion"
        Observed "Salesforce Help: OAuth 2.0 JWT Bearer Flow; sfdx-core" "" "jti and iat are ignored: an assertion may be used again; prn wins over sub"
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" ""
            "an unknown user and one who did not approve are the same: user hasn't approved this consumer"
        Documented "Salesforce Help: OAuth 2.0 JWT Bearer Flow; sfdx-core" "admin_approved"
            "an approval counts that came with a refresh token; or, where an admin decides, pre-authorization \
            alone, else invalid_app_access"
        Observed "Salesforce Help: OAuth 2.0 JWT Bearer Flow" ""
            "the scopes are those of the approval without refresh_token; no refresh token, issued_at or \
            signature, unless the access token is a JWT"
        Assumed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports (memory)" ""
            "an inactive or frozen user is inactive user; one outside of the app's addresses ip restricted"
    }
    "SAML bearer" {
        Documented "Salesforce Help: OAuth 2.0 SAML Bearer Assertion Flow" ""
            "an assertion by itself, base64url; signed by the app's key with RSA-SHA256 or RSA-SHA1; Issuer \
            is the client"
        Documented "Salesforce Help: OAuth 2.0 SAML Bearer Assertion Flow" ""
            "Audience as for JWT; Recipient is the token endpoint here or on a login host; the confirmation \
            is bearer"
        Observed "Salesforce Help: OAuth 2.0 Authorization Errors; field reports" "" "outside of its times it is expired authorization code, otherwise invalid assertion"
        Assumed "Salesforce Help: OAuth 2.0 SAML Bearer Assertion Flow; RFC 7522 §3" "profile"
            "an assertion may be used again; under profile rfc it is good for one grant"
    }
    "Client credentials" {
        Observed "Salesforce Help: OAuth 2.0 Client Credentials Flow" "" "on a login host it is request not supported on this domain"
        Observed "Salesforce Help: OAuth 2.0 Client Credentials Flow" ""
            "without a run-as user it is no client credentials user enabled; where the flow is off, client \
            credentials flow not enabled"
        Documented "Salesforce Help: OAuth 2.0 Client Credentials Flow" "" "full, web and refresh_token are dropped; nothing left is no valid scopes defined"
        Observed "sources contradict each other" "run_as_needs_approval" "the run-as user need not be pre-authorized"
    }
    "Access tokens and sessions" {
        Documented "REST API Developer Guide: Web Server OAuth Flow" "" "an opaque access token is the 15-character org id, !, and 96 characters"
        Documented "Salesforce Help: JWT-Based Access Tokens; Mobile SDK tests" "jwt_access_tokens"
            "a JWT access token is RS256 with the claims of the mobile SDK's tests; it works with REST, never \
            with SOAP, and does not slide"
        Documented "Salesforce Help: OAuth 2.0 Refresh Token Flow; Metadata API Developer Guide" "access_token_ttl" "a session lasts two hours; use past half of that extends it"
        Assumed "Salesforce Help: OAuth 2.0 Refresh Token Flow; Metadata API Developer Guide (memory)" "" "use is a call to REST, SOAP, userinfo or the identity URL, not introspection"
    }
    "REST and SOAP" {
        Documented "REST API Developer Guide: Status Codes; jsforce" "" "a dead token is 401, an array with INVALID_SESSION_ID, Session expired or invalid"
        Assumed "REST API Developer Guide: Status Codes; jsforce (memory)" "profile" "401 carries WWW-Authenticate: Token"
        Observed "REST API Developer Guide: Status Codes; jsforce" ""
            "another scheme than Bearer or OAuth is INVALID_HEADER_TYPE; a JWT that is malformed or over is \
            INVALID_JWT_FORMAT"
        Assumed "REST API Developer Guide: Status Codes; jsforce" "" "no Authorization at all is INVALID_SESSION_ID; the scheme is read in any case"
        Observed "REST API Developer Guide: Status Codes; jsforce" "" "without scope api or full it is 401, This session is not valid for use with the REST API"
        Observed "REST API Developer Guide: Status Codes; jsforce" "" "data calls to a login host are URL_NOT_RESET; unknown paths NOT_FOUND"
        Documented "REST API Developer Guide; captures of response headers" "" "Sforce-Limit-Info is on every answer but the list of versions"
        Assumed "kept out of the way of load runs" "" "the daily limit is told, not enforced"
        Assumed "measured with twenty client libraries" ""
            "queries are SELECT fields FROM object WHERE field = 'value' AND ... LIMIT n; records of Account, \
            Contact and Lead can be created"
        Observed "REST API Developer Guide: Status Codes; jsforce (jsforce)" "" "SOAP tells a dead session by 500 and the fault sf:INVALID_SESSION_ID"
        Observed "measured with twenty client libraries" "" "SOAP login, getUserInfo and query are there"
    }
    "Userinfo and identity URL" {
        Observed "field reports" "profile"
            "refusals are 403 with a word of plain text: Missing_OAuth_Token, Bad_OAuth_Token, Wrong_Org"
        Documented "Salesforce Help: Identity URLs, UserInfo" ""
            "the token comes in the header or as oauth_token or access_token; format json, xml or jsonp; \
            version fills the URLs in"
        Observed "sources contradict each other" "last_modified" "last_modified_date ends in Z"
        Assumed "Salesforce Help: Identity URLs, UserInfo (memory)" ""
            "an unknown user is 404 Bad_Id; another user needs scope api or full, else 403 Invalid_Scope"
        Assumed "synthetic users" "" "names and addresses are made of the user name"
        Assumed "no source found; OpenID Connect Core §5.3.2" "signed_userinfo" "userinfo is not signed"
    }
    "Introspection" {
        Documented "Salesforce Help: Token Introspection" ""
            "a client that shows who it is learns of its own tokens, access and refresh; of all with \
            introspect-all"
        Documented "Salesforce Help: Token Introspection" "introspect_all" "whatever else it asks about is {\"active\":false}"
        Observed "field reports (body assumed)" "" "failed authentication is 401 invalid_client"
        Assumed "RFC 7662 §2.1" "" "the hint is ignored; a missing token is invalid_request; only POST is answered"
    }
    "Revocation" {
        Documented "Salesforce developer blog: Revoking OAuth 2.0 Tokens" "" "by form, by GET or as JSONP, without client authentication: 200 and nothing"
        Assumed "RFC 7009 §2.1" "profile"
            "under profile rfc only POST is answered, confidential clients authenticate, and a token of another client is \
            unauthorized_client"
        Documented "Salesforce developer blog: Revoking OAuth 2.0 Tokens" "" "a refresh token takes its access tokens along; an access token leaves it alive"
        Observed "Salesforce developer blog: Revoking OAuth 2.0 Tokens (jsforce)" "profile" "an unknown or dead token is 400 invalid_token as a form"
        Documented "Salesforce developer blog: Revoking OAuth 2.0 Tokens" "" "a session that OAuth did not make is unsupported_token_type"
        Assumed "no source found" "" "the text is invalid token; JSONP answers are 200 whatever they say"
    }
    "Discovery" {
        Observed "probes of live discovery documents" "discovery_spelling" "the document of a My Domain of 2026, with registration_endpoint"
        Assumed "no source found" "" "the RFC 8414 document is the same"
        Assumed "what the org offers" "" "response_types_supported is code alone; registration answers 401"
        Assumed "no source found" "" "documents and keys are not to be cached; other paths have no document"
        Observed "probes of live discovery documents" ""
            "S256 is the one challenge method, authorization_code and refresh_token are the grant types that \
            are named"
        Observed "probes of live discovery documents; Salesforce Help: JWT-Based Access Tokens; Mobile SDK tests" ""
            "ID tokens have a short numeric kid, JWT access tokens one that begins with CORE_ATJWT"
    }
    "Limits" {
        Documented "Salesforce Help 000381578" "login_rate" "3600 logins of a user within an hour, then login rate exceeded"
        Assumed "Salesforce Help 000381578 (memory)" ""
            "logins are: the login page, the redemption of a code, JWT bearer, SAML bearer, client \
            credentials, SOAP login; not a refresh"
        Assumed "a limit on everything" ""
            "bodies of 256 KiB (413), queries of 32 KiB (414), values of 8 KiB but for assertions, 200 \
            parameters; 10,000 created records; the oldest tokens are forgotten past 500,000"
        Assumed "a limit on everything" "rotation"
            "of each grant the last 64 refresh tokens are known: an older one that comes back is refused, and ends nothing"
    }
}

/// `docs/org.md`.
pub fn markdown() -> String {
    let mut out = String::from(
        "# The embedded org\n\nGenerated from `src/org/behaviour.rs` and `src/org/fault.rs`; do not edit.\n\n\
        What the org does, how it is known that Salesforce does so, and what decides otherwise. *Documented*: \
        Salesforce's documentation says it. *Observed*: captures, field reports or the code of widely used clients show it. \
        *Assumed*: nothing was found; it is our choice.\n",
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
