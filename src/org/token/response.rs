//! What a token response holds, by flow (captures of token responses).

use serde_json::{Map, Value, json};

use super::Issued;
use crate::oauth::jwt::{Draft, Signing};
use crate::oauth::{base64url, salesforce, sha256};
use crate::org::answer::Members;
use crate::org::ask::Host;
use crate::org::registry::{Account, App, AppId, my_domain_name, org_id};
use crate::org::store::Grant;
use crate::org::{Org, fault, signing};

/// How long an ID token is valid, in seconds.
const ID_TOKEN_TTL: i64 = 120;

/// An instance that the org is not on.
const OTHER_INSTANCE: &str = "https://elsewhere.my.salesforce.com";

/// The members, in the order of the wire.
pub(super) fn members(org: &Org, id: AppId, host: &Host, issued: &Issued, now: i64) -> Members {
    let (app, account) = (org.registry.app(id), org.registry.user(issued.session.user));
    let has = |fault| org.faults.has(fault);
    let grant = issued.session.grant;
    let jwt = !issued.session.slides;
    let signed = match grant {
        Grant::Code | Grant::Refresh | Grant::ClientCredentials => true,
        Grant::JwtBearer => jwt || has(&fault::JWT_SIGNED_ANSWER),
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

    let at = issued_at.to_string();
    let mut members = Members::new();
    let mut put = |name, value: Value| members.put(name, value);
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
        put("signature", salesforce::signature(secret, &identity, &at).into());
    }
    if jwt {
        put("token_format", "jwt".into());
    }
    if !(has(&fault::SCOPE_DROPPED) && grant == Grant::Code) {
        put("scope", issued.session.scopes.to_string().into());
    }
    let openid = match issued.session.scopes.has("openid") {
        true => !has(&fault::IDT_MISSING),
        false => has(&fault::IDT_UNASKED) && grant == Grant::Code,
    };
    if openid && matches!(grant, Grant::Code | Grant::Refresh) {
        put("id_token", id_token(org, app, account, host, issued, &access_token, now).into());
    }
    if !has(&fault::INSTANCE_URL_MISSING) {
        let moved = grant == Grant::Refresh && has(&fault::REFRESH_OTHER_INSTANCE);
        put("instance_url", if moved { OTHER_INSTANCE.into() } else { host.instance().into() });
    }
    if saml {
        put("access_token", access_token.as_str().into());
    }
    put("id", identity.into());
    if !(has(&fault::TOKEN_TYPE_MISSING) && grant == Grant::Code) {
        let kind = if has(&fault::TOKEN_TYPE_RENAMED) { "jwt" } else { "Bearer" };
        put("token_type", kind.into());
    }
    if signed {
        let value = match has(&fault::SF_ISSUED_AT_INT) {
            true => issued_at.into(),
            false => at.into(),
        };
        put("issued_at", value);
    }
    let tells = org.registry.switches.rfc || has(&fault::EXPIRES_IN_LONG);
    if tells && !has(&fault::EXPIRES_IN_MISSING) {
        let seconds = issued.session.ttl.div_euclid(1000);
        let seconds = if has(&fault::EXPIRES_IN_LONG) { seconds.max(86_400) } else { seconds };
        put("expires_in", seconds.into());
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
    org: &Org,
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
    if let Some(at) = issued.auth_time {
        claims.insert("auth_time".into(), at.div_euclid(1000).into());
    }
    let mut header = object(header);
    spoil(org, app, &mut header, &mut claims);
    let how = if org.faults.has(&fault::IDT_SIGNATURE) {
        Signing::Broken(signing::key())
    } else if org.faults.has(&fault::IDT_NONE) {
        Signing::None
    } else if org.faults.has(&fault::IDT_HS256) {
        Signing::Hs256(app.signing_secret.expose().as_bytes())
    } else {
        return signing::sign(header, claims);
    };
    Draft { header, claims, twice: Vec::new() }.sign(&how)
}

/// What faults make of an ID token.
fn spoil(org: &Org, app: &App, header: &mut Map<String, Value>, claims: &mut Map<String, Value>) {
    let has = |fault| org.faults.has(fault);
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    if has(&fault::IDT_ISS) {
        put("iss", "https://elsewhere.example".into());
    }
    if has(&fault::IDT_AUD) {
        put("aud", "another-client".into());
    }
    if has(&fault::IDT_AZP) {
        put("aud", json!([app.registered.client_id, "another-client"]));
        put("azp", "another-client".into());
    }
    if has(&fault::IDT_HASH) {
        put("at_hash", base64url(&sha256("another access token")[..16]).into());
    }
    let exp = claims.get("exp").and_then(Value::as_i64).unwrap_or_default();
    if has(&fault::IDT_EXP) {
        claims.insert("exp".into(), (exp - 3600 - ID_TOKEN_TTL).into());
    }
    if has(&fault::IDT_TEXT_TIMES) {
        claims.insert("exp".into(), exp.to_string().into());
    }
    if has(&fault::IDT_NONCE) && claims.contains_key("nonce") {
        claims.insert("nonce".into(), "another-nonce".into());
    }
    let sub = claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
    if has(&fault::SUB_NEW) {
        let hash = claims.get("at_hash").and_then(Value::as_str).unwrap_or_default();
        let new = format!("{sub}/{hash}");
        claims.insert("sub".into(), new.into());
    }
    if has(&fault::SUB_LONG) {
        claims.insert("sub".into(), format!("{sub:x<300}").into());
    }
    if has(&fault::IDT_NO_IAT) {
        claims.shift_remove("iat");
    }
    if has(&fault::IDT_NO_KID) {
        header.shift_remove("kid");
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
