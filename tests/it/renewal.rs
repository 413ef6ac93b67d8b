//! Our own client, many callers at once: one renewal for all, and no server-to-server flow with a refresh token.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::json;
use tokio::task::JoinSet;
use wiremock::matchers::{body_string_contains, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{embedded, options, outcome, suite_of};
use grantcheck::client::Action;
use grantcheck::client::answer::Manner;
use grantcheck::oauth::Secret;
use grantcheck::org::Org;
use grantcheck::run::embedded_endpoints;
use grantcheck::subject::Target;
use grantcheck::wire::renewal::{GaveUp, Grant, Renewing};
use grantcheck::wire::{Clock, Transport};

const WITHIN: Duration = Duration::from_secs(20);

/// A server that takes the token `new` alone and renews to it.
async fn resource(token: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let stale = json!([{ "errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid" }]);
    Mock::given(method("GET"))
        .and(header("authorization", "Bearer new"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(401).set_body_json(stale))
        .mount(&server)
        .await;
    Mock::given(method("POST")).and(path("/services/oauth2/token")).respond_with(token).mount(&server).await;
    server
}

fn tokens() -> ResponseTemplate {
    let body = json!({ "access_token": "new", "token_type": "Bearer", "refresh_token": "kept-by-nobody" });
    ResponseTemplate::new(200).set_body_json(body).set_delay(Duration::from_millis(20))
}

fn session(server: &MockServer, flow: Action, refresh_token: Option<&str>) -> Arc<Renewing> {
    let org = server.uri();
    let transport = Transport::http(None, WITHIN, &org).unwrap();
    let target = Target { org: Some(org.clone()), ..embedded() };
    let grant = Grant {
        target: Arc::new(target),
        endpoints: embedded_endpoints(&org),
        org,
        app: "main".into(),
        user: "main".into(),
        flow: Some(flow),
        clock: Clock::real(),
        manner: Manner::default(),
        credential: None,
    };
    Renewing::new(transport, grant, Some("old".into()), refresh_token.map(Secret::new))
}

fn call(server: &MockServer) -> Request<Bytes> {
    Request::get(format!("{}/services/data/v62.0/limits", server.uri())).body(Bytes::new()).unwrap()
}

/// Bodies of the token requests that a server got.
async fn token_requests(server: &MockServer) -> Vec<String> {
    let received = server.received_requests().await.unwrap();
    let posts = received.into_iter().filter(|r| r.method.as_str() == "POST");
    posts.map(|r| String::from_utf8(r.body).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_callers_with_a_dead_token_share_one_refresh() {
    let server = resource(tokens()).await;
    let session = session(&server, Action::JwtBearer, Some("grant"));
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let (session, request) = (session.clone(), call(&server));
        calls.spawn(async move { session.call(&request).await.unwrap().status });
    }
    assert_eq!(calls.join_all().await, [200; 100]);
    let asked = token_requests(&server).await;
    assert_eq!((asked.len(), session.renewals()), (1, 1));
    assert!(asked[0].contains("grant_type=refresh_token") && asked[0].contains("refresh_token=grant"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_caller_takes_no_renewal_along() {
    let server = resource(tokens()).await;
    let session = session(&server, Action::JwtBearer, Some("grant"));
    let (renewing, request) = (session.clone(), call(&server));
    let first = tokio::spawn(async move { renewing.call(&request).await });
    // The first caller begins the renewal, and is cancelled before it is over.
    while session.renewals() == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert_eq!(session.call(&call(&server)).await.unwrap().status, 200);
    assert_eq!(token_requests(&server).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_renewal_reaches_every_caller_and_is_not_asked_again() {
    let dead = json!({ "error": "invalid_grant", "error_description": "expired access/refresh token" });
    let server = resource(ResponseTemplate::new(400).set_body_json(dead)).await;
    let session = session(&server, Action::JwtBearer, Some("grant"));
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (session, request) = (session.clone(), call(&server));
        calls.spawn(async move { session.call(&request).await.map(|response| response.status) });
    }
    let told = calls.join_all().await;
    assert!(told.iter().all(|told| matches!(told, Err(GaveUp::NoToken(why)) if why.is_final)), "{told:?}");
    assert!(session.call(&call(&server)).await.is_err());
    assert_eq!(token_requests(&server).await.len(), 1);
    assert!(!format!("{told:?}").contains("grant\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_for_a_while_is_asked_again_by_the_next_caller() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(4)
        .mount(&server)
        .await;
    Mock::given(method("POST")).respond_with(tokens()).mount(&server).await;
    Mock::given(header("authorization", "Bearer new"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let challenge =
        ResponseTemplate::new(401).insert_header("WWW-Authenticate", "Bearer error=\"invalid_token\"");
    Mock::given(method("GET")).respond_with(challenge).mount(&server).await;
    let session = session(&server, Action::JwtBearer, Some("grant"));
    let told = session.call(&call(&server)).await.map(|response| response.status);
    assert!(matches!(&told, Err(GaveUp::NoToken(why)) if !why.is_final), "{told:?}");
    assert_eq!(session.call(&call(&server)).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn server_to_server_flows_ask_for_a_new_grant_and_never_use_a_refresh_token() {
    for flow in [Action::JwtBearer, Action::SamlBearer, Action::ClientCredentials] {
        let server = resource(tokens()).await;
        let session = session(&server, flow.clone(), None);
        let mut calls = JoinSet::new();
        for _ in 0..30 {
            let (session, request) = (session.clone(), call(&server));
            calls.spawn(async move { session.call(&request).await.unwrap().status });
        }
        assert_eq!(calls.join_all().await, [200; 30]);
        // The answer brought a refresh token, which is nobody's to use: the next renewal is a new grant again.
        server.reset().await;
        Mock::given(body_string_contains("refresh_token"))
            .respond_with(ResponseTemplate::new(500))
            .expect(0)
            .mount(&server)
            .await;
        Mock::given(method("POST")).respond_with(tokens()).mount(&server).await;
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(403).set_body_string("Bad_OAuth_Token"))
            .mount(&server)
            .await;
        assert_eq!(session.call(&call(&server)).await.unwrap().status, 403);
        let asked = token_requests(&server).await;
        assert_eq!(asked.len(), 1, "{flow:?}");
        assert!(asked[0].contains("grant_type=") && !asked[0].contains("refresh_token"), "{flow:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_the_org_that_timed_out_is_renewed_once_by_a_thousand_callers() {
    let target = embedded();
    let (org, clock) = (Arc::new(Org::new(&target, &[], [3; 32])), Clock::own(1_800_000_000_000));
    let base = "https://acme.my.salesforce.com";
    let grant = Grant {
        target: Arc::new(target),
        endpoints: embedded_endpoints(base),
        org: base.into(),
        app: "main".into(),
        user: "main".into(),
        flow: Some(Action::JwtBearer),
        clock: clock.clone(),
        manner: Manner::default(),
        credential: None,
    };
    let session = Renewing::new(Transport::InProcess(org, clock.clone()), grant, None, None);
    let request = Request::get(format!("{base}/services/data/v62.0/limits")).body(Bytes::new()).unwrap();
    assert_eq!(session.call(&request).await.unwrap().status, 200);
    for expiries in 1..=3 {
        clock.advance(86_400_000);
        let mut calls = JoinSet::new();
        for _ in 0..1000 {
            let (session, request) = (session.clone(), request.clone());
            calls.spawn(async move { session.call(&request).await.unwrap().status });
        }
        assert!(calls.join_all().await.iter().all(|status| *status == 200));
        assert_eq!(session.renewals(), 1 + expiries);
    }
}

#[test]
fn no_server_to_server_flow_of_the_org_yields_a_refresh_token_whatever_scope_is_asked() {
    let suite = "
suite: scopes
judges: org
scenarios:
  - scenario: \"${row.do} with ${row.scope}\"
    for_each:
      - { do: jwt-bearer, scope: refresh_token }
      - { do: jwt-bearer, scope: offline_access api }
      - { do: saml-bearer, scope: refresh_token }
      - { do: saml-bearer, scope: api offline_access }
      - { do: client-credentials, scope: refresh_token }
      - { do: client-credentials, scope: full refresh_token }
    steps:
      - { do: \"${row.do}\", with: { params: { scope: \"${row.scope}\" } }, expect: { status: [2xx, 4xx], body: { refresh_token: absent } } }
";
    let report = outcome(&options(embedded(), vec![suite_of("suites/scopes.yaml", suite)])).report;
    assert_eq!((crate::support::complaints(&report).as_str(), report.summary.pass), ("", 6));
}
