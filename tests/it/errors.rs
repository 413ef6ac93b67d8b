//! Errors as people have them are found: each in every form in which it is met.

use grantcheck::errors::{How, Told, look_up};
use grantcheck::oauth::params::form_encode;
use proptest::prelude::*;

/// Code, description, and the entry that it is. Without a description the code stands alone.
const ERRORS: &[(&str, &str, &str)] = &[
    ("invalid_grant", "authentication failure", "error/authentication-failure"),
    ("invalid_grant", "authentication failure - Invalid Password", "error/authentication-failure"),
    ("invalid_grant", "user hasn't approved this consumer", "error/user-has-not-approved"),
    ("invalid_grant", "audience is invalid", "error/audience-is-invalid"),
    ("invalid_grant", "Audience validation failed", "error/audience-is-invalid"),
    ("invalid_grant", "invalid assertion", "error/invalid-assertion"),
    ("invalid_grant", "expired authorization code", "error/expired-authorization-code"),
    ("invalid_grant", "invalid authorization code", "error/invalid-authorization-code"),
    ("invalid_grant", "invalid code verifier", "error/invalid-code-verifier"),
    ("invalid_grant", "expired access/refresh token", "error/expired-refresh-token"),
    ("invalid_grant", "token validity expired", "error/token-validity-expired"),
    ("invalid_grant", "token request is already being processed", "error/token-request-in-process"),
    ("invalid_grant", "ip restricted", "error/ip-restricted"),
    ("invalid_grant", "inactive user", "error/inactive-user"),
    ("invalid_grant", "org is locked", "error/org-is-locked"),
    ("invalid_grant", "no client credentials user enabled", "error/no-client-credentials-user"),
    ("invalid_grant", "client credentials flow not enabled", "error/client-credentials-not-enabled"),
    ("invalid_grant", "request not supported on this domain", "error/wrong-domain"),
    ("invalid_grant", "no valid scopes defined", "error/no-valid-scopes"),
    ("invalid_grant", "login rate exceeded", "error/login-rate-exceeded"),
    ("invalid_grant", "user is not admin approved to access this app", "error/not-admin-approved"),
    ("invalid_client_id", "client identifier invalid", "error/invalid-client-id"),
    ("invalid_client", "invalid client credentials", "error/invalid-client"),
    ("invalid_client", "app must be installed into org", "error/app-must-be-installed"),
    ("app_not_found", "External client app is not installed in this org", "error/app-not-found"),
    ("app_blocked", "this app is blocked by admin", "error/app-blocked"),
    ("invalid_app_access", "user is not admin approved to access this app", "error/invalid-app-access"),
    (
        "oauth_flow_disabled",
        "The external client app or the OAuth plugin is disabled.",
        "error/oauth-flow-disabled",
    ),
    ("oauth_policy_not_found", "", "error/policy-not-found"),
    ("inactive_user", "", "error/inactive-user-code"),
    ("rate_limit_exceeded", "", "error/rate-limit-exceeded"),
    ("invalid_basic_auth_header", "", "error/invalid-basic-auth-header"),
    ("unsupported_grant_type", "grant type not supported", "error/unsupported-grant-type"),
    ("invalid_request", "scope parameter not supported", "error/scope-not-supported"),
    ("invalid_request", "must use HTTP GET", "error/must-use-https"),
    ("invalid_request", "HTTPS required", "error/must-use-https"),
    ("invalid_request", "out-of-band not supported", "error/out-of-band-not-supported"),
    ("invalid_request", "uvid invalid", "error/headless-request"),
    ("invalid_request", "guest flow not enabled", "error/headless-request"),
    ("invalid_request", "missing required code challenge", "authorize/code-challenge-required"),
    ("redirect_uri_mismatch", "redirect_uri must match configuration", "error/redirect-uri-mismatch"),
    ("redirect_uri_missing", "redirect_uri not provided", "error/redirect-uri-missing"),
    ("invalid_scope", "the requested scope is not allowed", "error/invalid-scope"),
    ("unsupported_response_type", "response type must be code", "authorize/unsupported-response-type"),
    ("access_denied", "end-user denied authorization", "error/access-denied"),
    ("access-denied", "end-user denied authorization", "error/access-denied"),
    ("immediate_unsuccessful", "", "authorize/immediate-unsuccessful"),
    ("unknown_error", "retry your request", "error/unknown-error"),
    ("use_dpop_nonce", "", "error/invalid-dpop-proof"),
    ("authorization_pending", "", "error/device-pending"),
    ("unsupported_token_type", "", "error/unsupported-token-type"),
    (
        "OAUTH_APPROVAL_ERROR_GENERIC",
        "An unexpected error has occurred during authentication. Please try again.",
        "page/approval-error-generic",
    ),
    ("OAUTH_APP_BLOCKED", "this app is blocked by admin", "page/app-blocked"),
    ("OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app", "page/app-access-denied"),
    (
        "OAUTH_EC_APP_NOT_FOUND",
        "External client app is not installed in this org",
        "page/external-client-app-not-found",
    ),
    (
        "OAUTH_AUTHORIZATION_BLOCKED",
        "Cross-org OAuth flows are not supported for this external client app",
        "page/authorization-blocked",
    ),
    ("Missing_OAuth_Token", "", "identity/missing-oauth-token"),
    ("Bad_OAuth_Token", "", "identity/bad-oauth-token"),
    ("Wrong_Org", "", "identity/wrong-org"),
    ("Invalid_Scope", "", "identity/invalid-scope"),
    ("INVALID_SESSION_ID", "Session expired or invalid", "api/session-expired"),
    ("INVALID_SESSION_ID", "This session is not valid for use with the REST API", "api/session-not-for-rest"),
    ("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE", "api/invalid-auth-header"),
    ("INVALID_AUTH_HEADER", "INVALID_JWT_FORMAT", "api/invalid-jwt-format"),
    ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", "api/request-limit-exceeded"),
    ("API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.", "api/disabled-for-org"),
    ("API_CURRENTLY_DISABLED", "API is disabled for this User", "api/disabled-for-user"),
    (
        "URL_NOT_RESET",
        "Destination URL not reset. The URL returned from login must be set in the SforceService",
        "api/url-not-reset",
    ),
    ("NOT_FOUND", "The requested resource does not exist", "api/not-found"),
    ("LOGIN_ERROR_RESTRICTED_DOMAIN", "Restricted IP", "login-history/restricted-ip"),
    ("LOGIN_OAUTH_INVALID_DSIG", "Signature Invalid", "login-history/invalid-signature"),
    (
        "LOGIN_OAUTH_EXCEED_GET_AT_LMT",
        "Failed: Get Access Token Limit Exceeded",
        "login-history/access-token-limit",
    ),
    ("LOGIN_SAML_INVALID_RECIPIENT", "Recipient Mismatched", "login-history/saml-recipient"),
];

/// The forms: a body of JSON, a URL, `error: description`, a line of a log.
fn forms(code: &str, text: &str) -> [(&'static str, String); 4] {
    let json = if text.is_empty() {
        serde_json::json!({ "error": code })
    } else if code.chars().all(|c| c.is_ascii_uppercase() || c == '_') && !code.starts_with("OAUTH_") {
        serde_json::json!([{ "message": text, "errorCode": code }])
    } else {
        serde_json::json!({ "error": code, "error_description": text })
    };
    let described =
        if text.is_empty() { String::new() } else { format!("&error_description={}", form_encode(text)) };
    let told = if text.is_empty() { code.to_owned() } else { format!("{code}: {text}") };
    let line = if text.is_empty() { code.to_owned() } else { format!("{code} - {text}") };
    [
        ("json", json.to_string()),
        ("url", format!("https://client.example/callback?error={code}{described}&state=af0ifjsldkj")),
        ("told", told),
        (
            "log",
            format!(
                "2026-11-22T08:15:42.118Z ERROR [worker-3] token request failed (400): {line} [request 7f3a]"
            ),
        ),
    ]
}

#[test]
fn each_error_is_found_in_each_form() {
    assert!(ERRORS.len() >= 60);
    let mut wrong = Vec::new();
    for (code, text, entry) in ERRORS {
        for (form, told) in forms(code, text) {
            let found = look_up(&told, None);
            let hit = found.first().is_some_and(|m| m.how == How::Exact && m.entry.id == *entry);
            if !hit {
                let found: Vec<_> = found.iter().take(4).map(|m| (m.entry.id, m.how)).collect();
                wrong.push(format!("{form}: {told}\n    wanted {entry}, found {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,200}") {
        let _ = Told::read(&text);
        let _ = look_up(&text, None);
    }

    #[test]
    fn no_mixture_of_what_it_looks_for_breaks_it(parts in prop::collection::vec(prop::sample::select(vec![
        "{", "[", "\"error\":", "\"", "\\\"", "error=", "error_description=", "%", "%4", "&", "<error>", "</", "invalid_grant", "é", " ", "\n", ":", "*",
    ]), 0..40)) {
        let _ = look_up(&parts.concat(), None);
    }
}
