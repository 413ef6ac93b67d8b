//! The org as the fixture of somebody else's tests: its API does what its description says, and is not asked by pages.

use std::sync::Arc;

use crate::support::{embedded, golden};
use grantcheck::report::Report;
use grantcheck::run::fixture::{Fixture, PREFIX, openapi};
use grantcheck::subject::Waiver;
use grantcheck::wire::host::Host;
use serde_json::{Value, json};

struct Served {
    host: Host,
    http: reqwest::Client,
}

impl Served {
    async fn new() -> Self {
        let fixture = Fixture::new(embedded(), &[], true);
        let host = Host::serving(fixture.clone(), "127.0.0.1:0").await.unwrap();
        fixture.listens_at(&host.url());
        Self { host, http: reqwest::Client::new() }
    }

    async fn admin(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let url = format!("{}{PREFIX}{path}", self.host.url());
        let request = self.http.request(method.parse().unwrap(), url).body(body.to_owned());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    /// A token by client credentials; the status, and the token where there is one.
    async fn token(&self) -> (u16, String) {
        let target = embedded();
        let app = &target.apps["main"];
        let form = grantcheck::oauth::Params::new()
            .with("grant_type", "client_credentials")
            .with("client_id", app.client_id.as_str())
            .with("client_secret", app.client_secret.as_ref().unwrap().expose());
        let request = self
            .http
            .post(format!("{}/services/oauth2/token", self.host.url()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.write());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default();
        (status, body["access_token"].as_str().unwrap_or_default().to_owned())
    }

    async fn call(&self, token: &str) -> u16 {
        let url = format!("{}/services/data/v62.0/limits", self.host.url());
        self.http.get(url).bearer_auth(token).send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn behaviour_is_placed_as_a_suite_writes_it_and_counts_anew() {
    let served = Served::new().await;
    let busy = r#"{"answers": [{"to": "token", "times": 1, "respond": {"status": 503}}]}"#;
    for _ in 0..2 {
        assert_eq!(served.admin("PUT", "/behaviour", busy).await, (200, json!({})));
        assert_eq!(served.token().await.0, 503);
        assert_eq!(served.token().await.0, 200);
    }
    let (status, told) = served.admin("PUT", "/behaviour", r#"{"answrs": 1}"#).await;
    assert_eq!(status, 400);
    assert!(told["error"].as_str().unwrap().contains("did you mean `answers`"), "{told}");
    assert_eq!(served.admin("PUT", "/behaviour", "{}").await.0, 200);
}

#[tokio::test]
async fn tokens_die_by_order_and_by_time() {
    let served = Served::new().await;
    let (_, first) = served.token().await;
    assert_eq!(served.call(&first).await, 200);
    assert_eq!(served.admin("POST", "/expire", "").await.0, 200);
    assert_eq!(served.call(&first).await, 401);
    let (_, second) = served.token().await;
    let (status, told) = served.admin("POST", "/advance", r#"{"by": "48h"}"#).await;
    assert!(status == 200 && told["now"].is_i64(), "{told}");
    assert_eq!(served.call(&second).await, 401);
    assert_eq!(served.admin("POST", "/advance", r#"{"by": "-1h"}"#).await.0, 400);
}

#[tokio::test]
async fn record_and_verdicts_hold_no_secret_and_end_with_a_reset() {
    let served = Served::new().await;
    let (_, token) = served.token().await;
    served.admin("POST", "/expire", "").await;
    assert_eq!(served.call(&token).await, 401);
    // A behaviour that changes does not end the record.
    served.admin("PUT", "/behaviour", "{}").await;
    assert_eq!(served.call(&token).await, 401);
    let (_, recording) = served.admin("GET", "/transcript", "").await;
    assert_eq!(recording["exchanges"].as_array().unwrap().len(), 3);
    let (_, report) = served.admin("GET", "/report", "").await;
    for told in [&recording, &report] {
        let told = told.to_string();
        assert!(!told.contains(&token) && !told.contains("1111111111111111"), "{told}");
    }
    let report: Report = serde_json::from_value(report).unwrap();
    assert!(
        report.checks.iter().all(|row| !row.check.starts_with("client-credentials/")),
        "the org is judged"
    );
    assert_eq!(served.admin("POST", "/reset", "").await.0, 200);
    let (_, recording) = served.admin("GET", "/transcript", "").await;
    assert_eq!(recording["exchanges"], json!([]));
    assert_eq!(served.call(&token).await, 401);
}

#[tokio::test]
async fn a_reset_takes_faults_by_name() {
    let served = Served::new().await;
    assert_eq!(served.admin("POST", "/reset", r#"{"faults": ["jwt-exp-ignored"]}"#).await.0, 200);
    let (status, told) = served.admin("POST", "/reset", r#"{"faults": ["no-such"]}"#).await;
    assert!(status == 400 && told["error"].as_str().unwrap().contains("no-such"), "{told}");
    assert_eq!(served.admin("POST", "/reset", "{").await.0, 400);
}

#[tokio::test]
async fn what_a_reset_would_pass_over_is_refused() {
    let served = Served::new().await;
    for body in ["[]", "7", "null", r#"{"faults": "jwt-exp-ignored"}"#, r#"{"fault": ["jwt-exp-ignored"]}"#] {
        let (status, told) = served.admin("POST", "/reset", body).await;
        assert!(
            status == 400 && told["error"].as_str().unwrap().contains(r#"{"faults": ["#),
            "{body}: {status} {told}"
        );
    }
    assert_eq!(served.admin("POST", "/reset", "{}").await.0, 200);
    assert_eq!(served.admin("POST", "/reset", r#"{"faults": []}"#).await.0, 200);
}

#[tokio::test]
async fn too_long_a_body_is_refused_with_the_reason() {
    let served = Served::new().await;
    let long = " ".repeat(256 * 1024 + 1);
    for (method, path) in [("POST", "/reset"), ("PUT", "/behaviour"), ("POST", "/advance")] {
        let (status, told) = served.admin(method, path, &long).await;
        assert!(status == 413 && told["error"].as_str().unwrap().contains("256 KiB"), "{path}: {told}");
        let described = &openapi()["paths"][format!("{PREFIX}{path}")][method.to_ascii_lowercase()];
        assert!(described["responses"]["413"].is_object(), "{described}");
    }
    let longest = format!("{{}}{}", &long[..256 * 1024 - 2]);
    assert_eq!(served.admin("POST", "/reset", &longest).await.0, 200);
    // The org itself answers as it did.
    let url = format!("{}/services/oauth2/token", served.host.url());
    let answer = served.http.post(url).body(long).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (413, ""));
}

#[tokio::test]
async fn every_route_that_is_described_is_there_and_no_other() {
    let served = Served::new().await;
    let described = openapi();
    for (path, methods) in described["paths"].as_object().unwrap() {
        let path = path.strip_prefix(PREFIX).unwrap();
        for (method, operation) in methods.as_object().unwrap() {
            let example = &operation["requestBody"]["content"]["application/json"]["example"];
            let body = if example.is_null() { String::new() } else { example.to_string() };
            // The example of a fault is one that there is.
            assert_eq!(
                served.admin(&method.to_ascii_uppercase(), path, &body).await.0,
                200,
                "{method} {path} {body}"
            );
        }
        assert_eq!(served.admin("DELETE", path, "").await.0, 405, "{path}");
    }
    assert_eq!(served.admin("GET", "/no-such", "").await.0, 404);
    let (_, told) = served.admin("GET", "/openapi.json", "").await;
    assert_eq!(told, described);
}

#[tokio::test]
async fn a_page_of_another_site_is_not_let_in() {
    let served = Served::new().await;
    let at = |path: &str| format!("{}{PREFIX}{path}", served.host.url());
    for request in [served.http.post(at("/reset")), served.http.get(at("/transcript"))] {
        let answer = request.header("origin", "https://evil.example").send().await.unwrap();
        assert_eq!(answer.status(), 403);
    }
}

#[tokio::test]
async fn a_name_of_somebody_else_that_leads_here_is_not_served() {
    let served = Served::new().await;
    let port = served.host.url().rsplit_once(':').map(|(_, port)| port.to_owned()).unwrap();
    let status = |host: String| {
        let url = format!("{}{PREFIX}/transcript", served.host.url());
        let request = served.http.get(url).header("host", host);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    for (host, expected) in [
        (format!("evil.example:{port}"), 403),
        ("localhost.evil.example".to_owned(), 403),
        (format!("192.0.2.7:{port}"), 403),
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        ("[::1]:80".to_owned(), 200),
    ] {
        assert_eq!(status(host.clone()).await, expected, "{host}");
    }
}

#[tokio::test]
async fn what_would_do_nothing_is_refused_with_the_reason() {
    let served = Served::new().await;
    for (body, why) in [
        ("[]", "the behaviour of an org is a mapping"),
        ("{\"callback\": {\"deny\": true}}", "the tester's own"),
    ] {
        let (status, told) = served.admin("PUT", "/behaviour", body).await;
        assert!(status == 400 && told["error"].as_str().unwrap().contains(why), "{told}");
    }
}

#[test]
fn waivers_of_the_target_hold_for_what_is_served() {
    let mut target = embedded();
    target.waive = vec![Waiver { check: "calling/token-stays-out-of-urls".into(), because: "known".into() }];
    let fixture = Fixture::new(target.clone(), &[], true);
    let recorded = grantcheck::transcript::read(&fixture.recording()).unwrap();
    assert_eq!(recorded.waive, target.waive);
}

#[tokio::test]
async fn without_the_flag_there_is_no_api() {
    let fixture = Fixture::new(embedded(), &[], false);
    let host = Host::serving(Arc::clone(&fixture), "127.0.0.1:0").await.unwrap();
    fixture.listens_at(&host.url());
    let answer = reqwest::get(format!("{}{PREFIX}/transcript", host.url())).await.unwrap();
    assert_eq!(answer.status(), 404);
    assert!(!fixture.recording().contains("__grantcheck/openapi"));
}

#[test]
fn the_written_description_is_fresh() {
    golden("docs/admin-api.json", &format!("{:#}\n", openapi()));
}
