//! What the tests of the org share: a target with apps and users, requests in a few words, answers as they are.

use bytes::Bytes;
use http::{Request, header};
use serde_json::{Map, Value};

use super::fault::{self, Fault};
use super::store::{Code, MadeOf};
use super::{MY_DOMAIN, Org, Reply, token};
use crate::oauth::jwt::{Draft, Signing};
use crate::oauth::keys::{Certificate, PrivateKey, RsaAlgorithm};
use crate::oauth::pkce::Method;
use crate::oauth::{Params, base64};
use crate::subject::{ClientAuth, ConnectedApp, Flow, Setting, Target, User};

/// Some moment, in milliseconds.
pub(super) const NOW: i64 = 1_800_000_000_000;
pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const CALLBACK: &str = "https://client.example/cb";
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

pub(super) fn main_key() -> PrivateKey {
    PrivateKey::from_pem(include_str!("../../tests/keys/app-main.key")).unwrap()
}

pub(super) fn other_key() -> PrivateKey {
    PrivateKey::from_pem(include_str!("../../tests/keys/app-other.key")).unwrap()
}

/// Apps `main` and `other` with all flows, `public` with web server and refresh alone; users `main`, whom
/// `main` and `other` know, and `unapproved`.
pub(super) fn target() -> Target {
    let app = |id: &str, certificate: &str| ConnectedApp {
        client_id: id.to_owned(),
        client_secret: Some(format!("{id}-s3cret").into()),
        certificate: Some(Certificate::read(certificate).unwrap()),
        redirect_uris: vec![CALLBACK.to_owned()],
        scopes: ["api", "id", "openid", "refresh_token"].map(str::to_owned).to_vec(),
        flows: Flow::ALL.to_vec(),
        policy: crate::subject::AppPolicy { run_as: Some("main".into()), ..Default::default() },
        ..ConnectedApp::default()
    };
    let mut target = Target::default();
    target.apps.insert("main".into(), app("main", include_str!("../../tests/keys/app-main.crt")));
    target.apps.insert("other".into(), app("other", include_str!("../../tests/keys/app-other.crt")));
    let public = ConnectedApp {
        client_secret: None,
        client_auth: ClientAuth::None,
        certificate: None,
        flows: vec![Flow::WebServer, Flow::RefreshToken],
        ..app("public", include_str!("../../tests/keys/app-main.crt"))
    };
    target.apps.insert("public".into(), public);
    let user = |name: &str, approved: &[&str]| User {
        username: name.to_owned(),
        password: Some(format!("{name}-pw").into()),
        approved: approved.iter().map(|&role| role.to_owned()).collect(),
        ..User::default()
    };
    target.users.insert("main".into(), user("svc@acme.com", &["main", "other"]));
    target.users.insert("unapproved".into(), user("new@acme.com", &[]));
    target
}

/// The target with a setting.
pub(super) fn set(mut target: Target, name: &str, value: Setting) -> Target {
    target.settings.0.insert(name.to_owned(), value);
    target
}

pub(super) fn org_of(target: &Target) -> Org {
    Org::new(target, &[], [7; 32])
}

pub(super) fn org() -> Org {
    org_of(&target())
}

/// An org that rotates, with these faults.
pub(super) fn rotating(faults: &[&str]) -> Org {
    let faults: Vec<&'static Fault> = faults.iter().map(|name| fault::find(name).unwrap()).collect();
    Org::new(&set(target(), "rotation", Setting::Flag(true)), &faults, [7; 32])
}

/// The org of [`target`] with faults.
pub(super) fn faulty(faults: &[&str]) -> Org {
    let faults: Vec<&'static Fault> = faults.iter().map(|name| fault::find(name).unwrap()).collect();
    Org::new(&target(), &faults, [7; 32])
}

pub(super) fn get(url: &str, headers: &[(&str, &str)]) -> Request<Bytes> {
    let url = if url.starts_with('/') { format!("{MY_DOMAIN}{url}") } else { url.to_owned() };
    let mut request = Request::get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Bytes::new()).unwrap()
}

/// A form, given as in a query.
pub(super) fn post(url: &str, form: &str, headers: &[(&str, &str)]) -> Request<Bytes> {
    let mut request = get(url, headers);
    *request.method_mut() = http::Method::POST;
    request
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/x-www-form-urlencoded"));
    *request.body_mut() = Bytes::from(form.to_owned());
    request
}

pub(super) fn token_request(form: &Params) -> Request<Bytes> {
    post(token::PATH, &form.write(), &[])
}

pub(super) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

pub(super) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", base64(format!("{id}:{secret}")))
}

/// Calls the REST API.
pub(super) fn call(org: &Org, token: &str, now: i64) -> u16 {
    let request = get("/services/data/v62.0/limits", &[("authorization", &bearer(token))]);
    status(&org.handle(&request, now))
}

pub(super) fn status(reply: &Reply) -> u16 {
    reply.response.status().as_u16()
}

pub(super) fn body(reply: &Reply) -> String {
    String::from_utf8(reply.response.body().to_vec()).unwrap()
}

pub(super) fn json(reply: &Reply) -> Map<String, Value> {
    serde_json::from_slice(reply.response.body())
        .unwrap_or_else(|_| panic!("no JSON object: {}", body(reply)))
}

pub(super) fn text(members: &Map<String, Value>, name: &str) -> String {
    members.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name} in {members:?}")).to_owned()
}

pub(super) fn header_of(reply: &Reply, name: &str) -> String {
    reply.response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
}

/// Status, `error` and `error_description` of an OAuth error.
pub(super) fn refusal(reply: &Reply) -> (u16, String, String) {
    let members = json(reply);
    (status(reply), text(&members, "error"), text(&members, "error_description"))
}

/// What is said of a dead refresh token, for instance.
pub(super) fn says(reply: &Reply, description: &str) {
    assert_eq!(refusal(reply), (400, "invalid_grant".to_owned(), description.to_owned()));
}

/// A code of the user `main` for an app, with the S256 challenge of [`VERIFIER`].
pub(super) fn code(org: &Org, app: &str, now: i64) -> String {
    let id = org.registry.app_of(app).unwrap();
    let code = Code {
        auth_time: None,
        app: id,
        user: org.registry.user_of("svc@acme.com").unwrap(),
        scopes: org.registry.app(id).scopes.clone(),
        redirect_uri: Some(CALLBACK.to_owned()),
        challenge: Some((Method::S256.challenge(VERIFIER), Method::S256)),
        nonce: Some("n-1".to_owned()),
        issued_at: now,
        expires: now + org.registry.switches.code_ttl,
        used: false,
        tries: 0,
    };
    org.store.lock().issue_code(code, MadeOf::Chance(76))
}

/// The redemption of a code by `main`.
pub(super) fn redemption(code: &str) -> Params {
    crate::oauth::grant::authorization_code::redeem(code, CALLBACK, Some(VERIFIER))
        .with("client_id", "main")
        .with("client_secret", "main-s3cret")
}

/// Tokens of a web server flow of `main`.
pub(super) fn tokens(org: &Org, now: i64) -> Map<String, Value> {
    let reply = org.handle(&token_request(&redemption(&code(org, "main", now))), now);
    assert_eq!(status(&reply), 200, "{}", body(&reply));
    json(&reply)
}

/// A refresh by `main`.
pub(super) fn refreshing(token: &str) -> Params {
    crate::oauth::grant::refresh_token::request(token)
        .with("client_id", "main")
        .with("client_secret", "main-s3cret")
}

pub(super) fn refresh(org: &Org, token: &str, now: i64) -> Reply {
    org.handle(&token_request(&refreshing(token)), now)
}

/// Claims of `main` for its user.
pub(super) fn claims(now: i64) -> Map<String, Value> {
    crate::oauth::grant::jwt_bearer::claims(
        "main",
        "svc@acme.com",
        "https://login.salesforce.com",
        now / 1000,
    )
}

pub(super) fn signed(claims: Map<String, Value>, key: &PrivateKey) -> String {
    Draft::of(claims).sign(&Signing::Rsa(key, RsaAlgorithm::Rs256))
}

pub(super) fn jwt_bearer(org: &Org, assertion: &str, now: i64) -> Reply {
    org.handle(&token_request(&crate::oauth::grant::jwt_bearer::request(assertion)), now)
}
