//! Independent peers: wiremock as an org that is not ours, raw sockets that break the rules, TLS with an authority of
//! its own.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{complaints, options, outcome_async, suite_of, target_of};
use grantcheck::report::{Report, Word};
use grantcheck::run::Options;
use grantcheck::subject::Target;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const TARGET: &str = "
org: ${ORG}
profile: rfc
apps:
  main:
    client_id: independent-main
    client_secret: independent-secret-0123456789
    key: ${file:keys/main.key}
    redirect_uri: https://client.example/callback
    scopes: [api]
    flows: [web-server, jwt-bearer, client-credentials, refresh-token]
users:
  main: { username: ann@independent.example, password: a-password }
login:
  - fill: { who: \"${user.username}\", secret: \"${user.password}\" }
endpoints: { token: /token, authorize: /authorize, introspect: /introspect, revoke: /revoke }
api: /api
disposable: true
";

fn target(org: &str) -> Target {
    target_of("suites/targets/independent.yaml", TARGET, &|name| (name == "ORG").then(|| org.to_owned()))
}

async fn play(target: Target, suite: &str) -> Report {
    play_within(target, suite, Duration::from_secs(10)).await
}

async fn play_within(target: Target, suite: &str, within: Duration) -> Report {
    let suite = suite_of("suites/independent.yaml", suite);
    outcome_async(&Options { within, ..options(target, vec![suite]) }).await.report
}

fn verdicts(report: &Report) -> Vec<Word> {
    report.scenarios.iter().map(|row| row.verdict).collect()
}

/// A page that no other site can frame.
fn page_of(html: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).insert_header("X-Frame-Options", "DENY").set_body_raw(html, "text/html")
}

const FIRST: &str = "
suite: first
judges: org
scenarios:
  - scenario: client credentials
    steps: [{ do: client-credentials }, { do: call }]
";

#[tokio::test(flavor = "multi_thread")]
async fn our_client_speaks_to_an_org_that_is_not_ours() {
    let server = MockServer::start().await;
    Mock::given(path("/token"))
        .and(method("POST"))
        .and(body_string_contains("grant_type=client_credentials"))
        .and(body_string_contains("client_secret=independent-secret-0123456789"))
        .respond_with(
            ResponseTemplate::new(200)
                .insert_header("Cache-Control", "no-store")
                .insert_header("Pragma", "no-cache")
                .set_body_json(json!({ "access_token": "independent-token", "token_type": "bearer" })),
        )
        .mount(&server)
        .await;
    Mock::given(path("/api"))
        .and(wiremock::matchers::header("authorization", "Bearer independent-token"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let report = play(target(&server.uri()), FIRST).await;
    assert_eq!(complaints(&report), "");
    // Discovery was looked for, two token requests were never made, nothing else was sent.
    let sent = server.received_requests().await.unwrap();
    assert_eq!(sent.iter().filter(|request| request.url.path() == "/token").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_with_relative_redirects_entities_and_307_are_passed() {
    let server = MockServer::start().await;
    let page = "<form method=post action='step?x=1&amp;y=2'><input type=hidden name=guard value='g&#43;1'>\
                <input name=who><input name=secret type=password></form>";
    Mock::given(path("/authorize"))
        .respond_with(
            ResponseTemplate::new(302)
                .insert_header("Location", "login/here")
                .insert_header("Set-Cookie", "s=1; Path=/"),
        )
        .mount(&server)
        .await;
    Mock::given(path("/login/here"))
        .and(wiremock::matchers::header("cookie", "s=1"))
        .respond_with(page_of(page))
        .mount(&server)
        .await;
    Mock::given(path("/login/step"))
        .and(wiremock::matchers::query_param("y", "2"))
        .and(body_string_contains("guard=g%2B1&who=ann%40independent.example&secret=a-password"))
        .respond_with(ResponseTemplate::new(307).insert_header("Location", "/done"))
        .mount(&server)
        .await;
    Mock::given(path("/done"))
        .and(method("POST"))
        .respond_with(ResponseTemplate::new(303).insert_header(
            "Location",
            "https://client.example/callback?code=a-code-that-nobody-guesses-0001",
        ))
        .mount(&server)
        .await;
    let suite = "
suite: pages
judges: org
scenarios:
  - scenario: the pages lead to a code
    steps:
      - do: authorize
        without: state
        expect: { redirect: { to: https://client.example/callback, code: a-code-that-nobody-guesses-0001 } }
";
    assert_eq!(complaints(&play(target(&server.uri()), suite).await), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_the_target_declares_wrongly_is_not_the_servers_fault() {
    let suite = "
suite: pages
judges: org
scenarios:
  - scenario: the pages lead to a code
    steps: [{ do: authorize }, { do: redeem }]
";
    for (page, told) in [
        (
            "<form method=post><input name=user><input name=pw></form>",
            "the form has no field `who`; it has: user, pw",
        ),
        ("<form method=post><input name=who><input name=secret></form>", "asks for who, secret again"),
        ("<p>wait</p><script>go()</script>", "`login: browser`"),
    ] {
        let server = MockServer::start().await;
        Mock::given(path("/authorize")).respond_with(page_of(page)).mount(&server).await;
        let report = play(target(&server.uri()), suite).await;
        assert_eq!(verdicts(&report), [Word::Inconclusive], "{page}: {}", complaints(&report));
        assert!(complaints(&report).contains(told), "{}", complaints(&report));
    }
    let server = MockServer::start().await;
    Mock::given(path("/authorize")).respond_with(page_of("<p>Sorry.</p>")).mount(&server).await;
    assert_eq!(verdicts(&play(target(&server.uri()), suite).await), [Word::Fail]);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_answers_are_judged_and_none_makes_us_fall() {
    for (body, kind) in [
        ("", "text/plain"),
        ("<html>maintenance</html>", "text/html"),
        ("{\"access_token\": 7}", "application/json"),
        ("[1, 2", "application/json"),
        ("null", "application/json"),
        ("\u{0}\u{1}", "application/octet-stream"),
    ] {
        let server = MockServer::start().await;
        Mock::given(path("/token"))
            .respond_with(ResponseTemplate::new(200).set_body_raw(body, kind))
            .mount(&server)
            .await;
        assert_eq!(verdicts(&play(target(&server.uri()), FIRST).await), [Word::Fail], "{body:?}");
    }
}

/// A listener that treats every connection in that way.
async fn raw_peer<F, Fut>(treat: F) -> String
where
    F: Fn(tokio::net::TcpStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(treat(stream));
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_cuts_fails_and_one_that_is_not_there_proves_nothing() {
    let cutting = raw_peer(|mut stream| async move {
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"acc").await;
    })
    .await;
    assert_eq!(verdicts(&play(target(&cutting), FIRST).await), [Word::Fail]);
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(verdicts(&play(target(&format!("http://{nobody}")), FIRST).await), [Word::Inconclusive]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_closes_without_a_word_is_not_blamed() {
    // One answer to a connection, which is then closed although HTTP/1.1 keeps it open.
    let url = raw_peer(|mut stream| async move {
        let mut bytes = [0; 4096];
        let _ = stream.read(&mut bytes).await;
        let body = r#"{"access_token":"independent-token","token_type":"Bearer"}"#;
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nPragma: no-cache\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await;
    let steps = "{ do: client-credentials }, { do: call }, ".repeat(10);
    let suite =
        format!("suite: closes\njudges: org\nscenarios:\n  - scenario: all of it\n    steps: [{steps}]\n");
    let report = play(target(&url), &suite).await;
    assert_eq!(verdicts(&report), [Word::Pass], "{}", complaints(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_hangs_fails_within_the_limit() {
    let hanging = raw_peer(|mut stream| async move {
        let mut buffer = [0; 1024];
        while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
    })
    .await;
    let report = play_within(target(&hanging), FIRST, Duration::from_millis(700)).await;
    assert_eq!(verdicts(&report), [Word::Fail]);
    assert!(complaints(&report).contains("no answer within 700 ms"), "{}", complaints(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_without_a_working_control_proves_nothing() {
    let server = MockServer::start().await;
    Mock::given(path("/token"))
        .respond_with(ResponseTemplate::new(401).set_body_json(json!({ "error": "invalid_client" })))
        .mount(&server)
        .await;
    let suite = "
suite: control
judges: org
scenarios:
  - scenario: a wrong secret is refused
    steps:
      - do: client-credentials
        with: { client_secret: wrong-secret-wrong-secret }
        expect: { refused: client-authentication-failed }
";
    let report = play(target(&server.uri()), suite).await;
    let words: Vec<Word> =
        report.scenarios[0].findings.iter().filter(|f| f.check.is_none()).map(|f| f.verdict).collect();
    assert_eq!(words, [Word::Inconclusive], "{}", complaints(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_another_reason_weighs_less_than_an_acceptance() {
    let suite = "
suite: reason
judges: org
scenarios:
  - scenario: a wrong secret is refused
    steps:
      - do: client-credentials
        with: { client_secret: wrong-secret-wrong-secret }
        expect: { refused: client-authentication-failed }
";
    for (answer, expected) in [
        (json!({ "error": "invalid_client" }), Word::Pass),
        (json!({ "error": "invalid_scope" }), Word::Warn),
        (json!({ "access_token": "granted-to-anybody", "token_type": "bearer" }), Word::Fail),
        (json!({ "access_token": "granted-with-201", "token_type": "bearer", "created": true }), Word::Fail),
    ] {
        let server = MockServer::start().await;
        let right = body_string_contains("client_secret=independent-secret-0123456789");
        let granted = json!({ "access_token": "granted-to-the-right-one", "token_type": "bearer" });
        let headers = |response: ResponseTemplate| {
            response.insert_header("Cache-Control", "no-store").insert_header("Pragma", "no-cache")
        };
        Mock::given(path("/token"))
            .and(right)
            .respond_with(headers(ResponseTemplate::new(200)).set_body_json(granted))
            .mount(&server)
            .await;
        let status = match (answer.get("error"), answer.get("created")) {
            (Some(_), _) => 400,
            (_, Some(_)) => 201,
            _ => 200,
        };
        Mock::given(path("/token"))
            .respond_with(headers(ResponseTemplate::new(status)).set_body_json(answer))
            .mount(&server)
            .await;
        let report = play(target(&server.uri()), suite).await;
        assert_eq!(verdicts(&report), [expected], "{}", complaints(&report));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn that_there_is_no_error_is_no_success() {
    let server = MockServer::start().await;
    let suite = "
suite: silence
judges: org
scenarios:
  - scenario: a redirect without an error
    steps: [{ do: authorize, expect: { redirect: { error: absent } } }]
  - scenario: an answer without an error
    steps: [{ do: client-credentials, expect: { error: absent } }]
  - scenario: what is refused has no token
    steps: [{ do: client-credentials, without: client_secret, expect: { body: { access_token: absent } } }]
";
    let report = play(target(&server.uri()), suite).await;
    let of = |row: &grantcheck::report::ScenarioRow| {
        row.findings.iter().filter(|f| f.check.is_none()).map(|f| f.verdict).max()
    };
    let words: Vec<Option<Word>> = report.scenarios.iter().map(of).collect();
    // The last one is refused like everything else here, which proves nothing.
    let wanted = [Word::Fail, Word::Fail, Word::Inconclusive].map(Some);
    assert_eq!(words, wanted, "{}", complaints(&report));
}

const ABSENT: &str = "
suite: absent
judges: org
scenarios:
  - scenario: another value
    steps: [{ do: client-credentials, expect: { body: { refresh_token: { not: old } } } }]
  - scenario: no value
    steps: [{ do: client-credentials, expect: { body: { refresh_token: { not: present } } } }]
";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_another_value() {
    let server = MockServer::start().await;
    let granted = json!({"access_token": "independent-token", "token_type": "Bearer"});
    Mock::given(path("/token"))
        .respond_with(
            ResponseTemplate::new(200)
                .insert_header("cache-control", "no-store")
                .insert_header("pragma", "no-cache")
                .set_body_json(granted),
        )
        .mount(&server)
        .await;
    let report = play(target(&server.uri()), ABSENT).await;
    assert_eq!(verdicts(&report), [Word::Fail, Word::Pass], "{}", complaints(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_a_race_are_all_there_before_one_is_answered() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    // The peer answers nobody before the last byte of all came: a client that sends one after another would wait for ever.
    const RACERS: usize = 20;
    static COMPLETE: AtomicUsize = AtomicUsize::new(0);
    let gate = Arc::new(tokio::sync::Barrier::new(RACERS));
    let peer = raw_peer(move |mut stream| {
        let gate = gate.clone();
        async move {
            let mut text = String::new();
            let mut buffer = [0; 4096];
            while let Ok(n) = stream.read(&mut buffer).await {
                if n == 0 {
                    return;
                }
                text.push_str(&String::from_utf8_lossy(&buffer[..n]));
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                if !head.starts_with("POST /token") {
                    let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
                    return;
                }
                let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ").and_then(|n| n.parse().ok()));
                if length == Some(body.len()) {
                    break;
                }
            }
            COMPLETE.fetch_add(1, Ordering::SeqCst);
            gate.wait().await;
            let body = "{\"access_token\":\"raced-for-token\",\"token_type\":\"bearer\"}";
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nPragma: no-cache\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
    .await;
    let suite = "
suite: race
judges: org
scenarios:
  - scenario: twenty at once
    steps:
      - do: client-credentials
        times: 20
        at_once: true
        expect: { exactly: { 20: { status: 200 } } }
  - scenario: twenty of several kinds together
    steps:
      - do: client-credentials
        step: first
        times: 11
        expect: { exactly: { 11: { status: 200 } } }
      - do: client-credentials
        with: { scope: api }
        together: true
      - do: client-credentials
        with: { scope: id }
        times: 8
        together: true
        expect: { exactly: { 8: { status: 200 } } }
";
    let report = play(target(&peer), suite).await;
    assert_eq!(verdicts(&report), [Word::Pass, Word::Pass], "{}", complaints(&report));
    assert_eq!(COMPLETE.load(Ordering::SeqCst), 2 * RACERS);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_url_elsewhere_does_not_get_the_token() {
    let (server, elsewhere) = (MockServer::start().await, MockServer::start().await);
    let granted = json!({"access_token": "independent-token", "token_type": "Bearer",
        "id": format!("{}/id/00D/005", elsewhere.uri())});
    Mock::given(path("/token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(granted))
        .mount(&server)
        .await;
    let target =
        Target { profile: grantcheck::oauth::salesforce::Profile::Salesforce, ..target(&server.uri()) };
    let suite = "
suite: identity
judges: org
scenarios:
  - scenario: whose token it is
    steps: [{ do: client-credentials }, { do: identity }]
";
    let report = play(target, suite).await;
    assert_ne!(verdicts(&report), [Word::Pass]);
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_needs_the_authority_that_the_target_names() {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(params, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let plain = raw_peer(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let body = "{\"access_token\":\"over-tls-token\",\"token_type\":\"bearer\"}";
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nPragma: no-cache\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    })
    .await;
    let url = plain.replace("http://127.0.0.1", "https://localhost");
    let stranger = target(&url);
    let trusted = Target { ca: Some(authority.pem()), ..target(&url) };
    assert_eq!(verdicts(&play(stranger, FIRST).await), [Word::Inconclusive]);
    assert_eq!(complaints(&play(trusted, FIRST).await), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_org_that_is_not_disposable_is_not_spoiled_without_leave() {
    let suite = "
suite: leave
judges: org
scenarios:
  - scenario: an approval
    steps: [{ do: authorize }]
  - scenario: a revocation
    steps: [{ do: client-credentials }, { do: revoke }]
  - scenario: a reading
    steps: [{ do: client-credentials }]
";
    let server = MockServer::start().await;
    let granted = json!({ "access_token": "independent-token", "token_type": "bearer" });
    Mock::given(path("/token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(granted))
        .mount(&server)
        .await;
    let target = Target { disposable: false, ..target(&server.uri()) };
    let options =
        Options { destructive: false, ..options(target, vec![suite_of("suites/leave.yaml", suite)]) };
    let report = outcome_async(&options).await.report;
    let not_testable: Vec<bool> =
        report.scenarios.iter().map(|row| row.verdict == Word::NotTestable).collect();
    assert_eq!(not_testable, [true, true, false], "{}", complaints(&report));
    let sent = server.received_requests().await.unwrap();
    assert!(!sent.iter().any(|request| matches!(request.url.path(), "/authorize" | "/revoke")));
}
