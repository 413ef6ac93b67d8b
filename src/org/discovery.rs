//! What the org says of itself: both discovery documents and its public keys (probes of live discovery documents).

use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::ask::Ask;
use super::{Org, Reply, answer, fault, is_get, signing};

const JSON: &str = "application/json;charset=UTF-8";
/// Where the documents are: OpenID Connect's and RFC 8414's.
const DOCUMENTS: [&str; 2] = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

/// One document under both names. The issuer is the host that was asked.
pub(super) fn document(org: &Org, ask: &Ask) -> Reply {
    if !is_get(ask.request.method()) {
        return answer::method_not_allowed("GET, HEAD", ask.now);
    }
    let kind = if org.faults.has(&fault::DISC_AS_TEXT) { "text/plain;charset=UTF-8" } else { JSON };
    answer::text(StatusCode::OK, kind, members(org, ask).to_string(), ask.now).into()
}

/// Whether a path is that of a document, or is taken for one.
pub(super) fn is_document(org: &Org, path: &str) -> bool {
    DOCUMENTS.contains(&path)
        || org.faults.has(&fault::DISC_ANY_PATH) && DOCUMENTS.iter().any(|name| path.contains(name))
}

/// The public keys.
pub(super) fn keys(org: &Org, ask: &Ask) -> Reply {
    if !is_get(ask.request.method()) {
        return answer::method_not_allowed("GET, HEAD", ask.now);
    }
    let mut set = signing::published();
    if org.faults.has(&fault::JWKS_PRIVATE) {
        set["keys"][0]["d"] = "AQAB".into();
    }
    if org.faults.has(&fault::JWKS_SAME_KID) {
        set["keys"][1]["kid"] = set["keys"][0]["kid"].clone();
        let other = set["keys"][1]["n"].as_str().map(|n| format!("{}AAAA{}", &n[..8], &n[12..]));
        set["keys"][1]["n"] = other.into();
    }
    let mut response = answer::text(StatusCode::OK, JSON, set.to_string(), ask.now);
    if org.faults.has(&fault::JWKS_STALE) {
        let year = HeaderValue::from_static("public, max-age=31536000");
        response.headers_mut().insert(header::CACHE_CONTROL, year);
    }
    response.into()
}

/// Dynamic registration needs an initial access token, and nobody has one.
pub(super) fn register(ask: &Ask) -> Reply {
    let body =
        json!({ "error": "invalid_token", "error_description": "an initial access token is required" });
    answer::text(StatusCode::UNAUTHORIZED, JSON, body.to_string(), ask.now).into()
}

fn members(org: &Org, ask: &Ask) -> Value {
    let origin = &ask.host.origin;
    let at = |path: &str| format!("{origin}{path}");
    let has = |fault| org.faults.has(fault);
    let issuer = match has(&fault::DISC_ISSUER) {
        true => at("/elsewhere"),
        false if has(&fault::DISC_ISSUER_QUERY) => at("?tenant=acme"),
        false => origin.clone(),
    };
    let mut grants = vec!["authorization_code", "refresh_token"];
    if org.faults.has(&fault::DISC_LIES) {
        grants.push("password");
    }
    let methods: &[&str] = if org.registry.switches.challenge_plain { &["S256", "plain"] } else { &["S256"] };
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": at("/services/oauth2/authorize"),
        "token_endpoint": at("/services/oauth2/token"),
        "revocation_endpoint": at("/services/oauth2/revoke"),
        "userinfo_endpoint": at("/services/oauth2/userinfo"),
        "jwks_uri": at("/id/keys"),
        "introspection_endpoint": at("/services/oauth2/introspect"),
        "end_session_endpoint": at("/services/auth/idp/oidc/logout"),
        "scopes_supported": scopes(),
        "response_types_supported": ["code"],
        "grant_types_supported": grants,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "display_values_supported": ["page", "popup", "touch"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": methods,
        "claims_supported": claims(),
    });
    if org.faults.has(&fault::DISC_SECRETS_ALONE) {
        document["token_endpoint_auth_methods_supported"] =
            json!(["client_secret_post", "client_secret_basic"]);
    }
    if org.registry.switches.response_iss {
        document["authorization_response_iss_parameter_supported"] = true.into();
    }
    if org.registry.switches.signed_userinfo {
        document["userinfo_signing_alg_values_supported"] = json!(["RS256"]);
    }
    if let Some(members) = document.as_object_mut().filter(|_| org.faults.has(&fault::PKCE_UNLISTED)) {
        members.remove("code_challenge_methods_supported");
    }
    document[org.registry.switches.discovery_spelling] = at("/services/oauth2/register").into();
    let mut put = |name: &str, value: Value| document[name] = value;
    if has(&fault::DISC_HTTP) {
        put("userinfo_endpoint", at("/services/oauth2/userinfo").replacen("https:", "http:", 1).into());
    }
    if has(&fault::DISC_EMPTY_ARRAY) {
        put("claims_locales_supported", json!([]));
    }
    if has(&fault::DISC_ALG_NONE) {
        put("token_endpoint_auth_signing_alg_values_supported", json!(["RS256", "none"]));
    }
    if has(&fault::DISC_NO_RS256) {
        put("id_token_signing_alg_values_supported", json!(["PS512"]));
    }
    if has(&fault::DISC_DIFFERS) && ask.path().ends_with(DOCUMENTS[1]) {
        put("token_endpoint", at("/services/oauth2/token/old").into());
    }
    for (fault, name) in [
        (&fault::DISC_NO_RESPONSE_TYPES, "response_types_supported"),
        (&fault::DISC_NO_TOKEN_ENDPOINT, "token_endpoint"),
        (&fault::DISC_ALGS_MISSING, "token_endpoint_auth_signing_alg_values_supported"),
        (&fault::DISC_NO_REVOCATION, "revocation_endpoint"),
        (&fault::DISC_NO_SUBJECT_TYPES, "subject_types_supported"),
    ] {
        if let Some(members) = document.as_object_mut().filter(|_| has(fault)) {
            members.shift_remove(name);
        }
    }
    document
}

fn scopes() -> Vec<&'static str> {
    "id api web full chatter_api visualforce refresh_token openid profile email address phone offline_access \
        custom_permissions wave_api eclair_api"
        .split_whitespace()
        .collect()
}

fn claims() -> Vec<&'static str> {
    "active address email email_verified family_name given_name is_app_installed language locale name nickname \
        organization_id phone_number phone_number_verified photos picture preferred_username profile sub updated_at \
        urls user_id user_type zoneinfo"
        .split_whitespace()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::oauth::jwt::Jwt;

    #[test]
    fn the_issuer_is_the_host_that_was_asked() {
        let org = org();
        for origin in
            ["https://acme.my.salesforce.com", "https://login.salesforce.com", "http://127.0.0.1:8080"]
        {
            let mut both = ["openid-configuration", "oauth-authorization-server"]
                .map(|name| json(&org.handle(&get(&format!("{origin}/.well-known/{name}"), &[]), NOW)));
            assert_eq!(both[0], both[1]);
            assert_eq!(both[0]["issuer"], origin);
            assert!(both[0].remove("registration_endpoint").is_some());
        }
    }

    #[test]
    fn the_published_keys_verify_what_is_signed() {
        let org = org();
        let set: serde_json::Value =
            serde_json::from_str(&body(&org.handle(&get("/id/keys", &[]), NOW))).unwrap();
        let tokens = tokens(&org, NOW);
        let id_token = Jwt::read(&text(&tokens, "id_token")).unwrap();
        assert!(id_token.verifies_with_set(&set));
        assert_eq!(id_token.text("nonce"), Some("n-1"));
        assert_eq!(id_token.text("iss"), Some("https://acme.my.salesforce.com"));
        assert_eq!(id_token.text("sub"), Some(text(&tokens, "id").as_str()));
        let hash = crate::oauth::sha256(text(&tokens, "access_token"));
        assert_eq!(id_token.text("at_hash"), Some(crate::oauth::base64url(&hash[..16]).as_str()));
        assert!(set["keys"].as_array().unwrap().iter().all(|key| key.get("d").is_none()));
    }
}
