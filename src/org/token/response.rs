//! What a token response holds, by flow (captures of token responses).

use serde_json::{Map, Value, json};

use super::Issued;
use crate::oauth::{base64url, salesforce, sha256};
use crate::org::ask::Host;
use crate::org::registry::{Account, App, AppId, my_domain_name, org_id};
use crate::org::store::Grant;
use crate::org::{Org, fault, signing};

/// How long an ID token is valid, in seconds.
const ID_TOKEN_TTL: i64 = 120;

/// The members, in the order of the wire.
pub(super) fn members(org: &Org, id: AppId, host: &Host, issued: &Issued, now: i64) -> Map<String, Value> {
    let (app, account) = (org.registry.app(id), org.registry.user(issued.session.user));
    let has = |fault| org.faults.has(fault);
    let grant = issued.session.grant;
    let jwt = !issued.session.slides;
    let signed = match grant {
        Grant::Code | Grant::Refresh | Grant::ClientCredentials => true,
        Grant::JwtBearer => jwt,
        Grant::SamlBearer | Grant::Soap => false,
    };
    let access_token = match jwt {
        true => jwt_access_token(app, account, host, issued, now),
        false => issued.key.clone(),
    };
    let identity = match has(&fault::ID_WITHOUT_ORG) {
        true => format!("{}/id/{}", host.origin, account.id),
        false => account.identity_url(&host.origin),
    };
    let issued_at = match has(&fault::SF_ISSUED_AT_INT) || org.registry.switches.issued_at_seconds {
        true => now.div_euclid(1000),
        false => now,
    };

    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    // A SAML bearer answer was seen in an order of its own.
    let saml = grant == Grant::SamlBearer;
    if !saml {
        put("access_token", access_token.as_str().into());
    }
    if let Some(token) = &issued.refresh_token {
        put("refresh_token", token.as_str().into());
    }
    if signed {
        let secret = match has(&fault::SF_SIGNATURE) {
            true => "another secret",
            false => app.signing_secret.expose(),
        };
        put("signature", salesforce::signature(secret, &identity, &issued_at.to_string()).into());
    }
    if jwt {
        put("token_format", "jwt".into());
    }
    if !(has(&fault::SCOPE_DROPPED) && grant == Grant::Code) {
        put("scope", issued.session.scopes.to_string().into());
    }
    if issued.session.scopes.has("openid") && matches!(grant, Grant::Code | Grant::Refresh) {
        put("id_token", id_token(app, account, host, issued, &access_token, now).into());
    }
    if !has(&fault::INSTANCE_URL_MISSING) {
        put("instance_url", host.instance().into());
    }
    if saml {
        put("access_token", access_token.as_str().into());
    }
    put("id", identity.into());
    if !(has(&fault::TOKEN_TYPE_MISSING) && grant == Grant::Code) {
        put("token_type", "Bearer".into());
    }
    if signed {
        let value = match has(&fault::SF_ISSUED_AT_INT) {
            true => issued_at.into(),
            false => issued_at.to_string().into(),
        };
        put("issued_at", value);
    }
    if jwt {
        put("api_instance_url", "https://api.salesforce.com".into());
    }
    members
}

/// A JWT access token. `sfi` is what the org finds its session by.
fn jwt_access_token(app: &App, account: &Account, host: &Host, issued: &Issued, now: i64) -> String {
    let session = &issued.session;
    let issued_at = now.div_euclid(1000);
    let header = json!({
        "tnk": format!("core/{}/{}", my_domain_name().split('.').next().unwrap_or(""), org_id()),
        "ver": "1.0",
        "kid": signing::access_token_kid(),
        "tty": "sfdc-core-token",
        "typ": "JWT",
    });
    let claims = json!({
        "scp": session.scopes.to_string(),
        "aud": [host.instance()],
        "sub": format!("uid:{}", account.id),
        "nbf": issued_at - 15,
        "mty": "oauth",
        "sfi": issued.key,
        "roles": [],
        "iss": host.instance(),
        "hsc": false,
        "exp": session.expires.div_euclid(1000),
        "iat": issued_at,
        "client_id": app.registered.client_id,
    });
    signing::sign(object(header), object(claims))
}

/// An ID token (OpenID Connect Core §2).
fn id_token(
    app: &App,
    account: &Account,
    host: &Host,
    issued: &Issued,
    access_token: &str,
    now: i64,
) -> String {
    let issued_at = now.div_euclid(1000);
    let header = json!({ "typ": "JWT", "kid": signing::ID_TOKEN_KID });
    let mut claims = object(json!({
        "at_hash": base64url(&sha256(access_token)[..16]),
        "sub": account.identity_url(&host.origin),
        "aud": app.registered.client_id,
        "iss": host.origin,
        "exp": issued_at + ID_TOKEN_TTL,
        "iat": issued_at,
    }));
    if let Some(nonce) = &issued.nonce {
        claims.insert("nonce".into(), nonce.as_str().into());
    }
    signing::sign(object(header), claims)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
