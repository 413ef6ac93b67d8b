//! Our own client: what each tweak puts on the wire, and a login by a person in a browser.

use std::io::{Read, Write};
use std::time::Duration;

use crate::support::{complaints, embedded, options, outcome, suite_of, target_of};
use grantcheck::oauth::{Params, from_base64};
use grantcheck::run::{Progress, look_around, run};
use grantcheck::transcript::{Exchange, Part};
use tokio::sync::{mpsc, watch};

/// Plays one step, written as flow YAML, and gives the exchange of the scenario itself.
fn sent(step: &str) -> Exchange {
    let suite = format!(
        "suite: tweaks\njudges: org\nscenarios:\n  - scenario: one\n    steps:\n      - {{ {step}, expect: {{ status: [2xx, 3xx, 4xx] }} }}\n"
    );
    let outcome = outcome(&options(embedded(), vec![suite_of("suites/tweaks.yaml", &suite)]));
    let mine = |x: &&Exchange| x.part == Part::Scenario;
    outcome
        .transcript
        .exchanges
        .iter()
        .find(mine)
        .unwrap_or_else(|| panic!("{step}: {}", complaints(&outcome.report)))
        .clone()
}

fn names(params: &Params) -> Vec<&str> {
    params.iter().map(|(name, _)| name).collect()
}

#[test]
fn parameters_are_set_left_out_doubled_and_turned_round() {
    let plain = sent("do: client-credentials");
    assert_eq!(names(plain.request.form()), ["grant_type", "client_id", "client_secret"]);
    let x = sent("do: client-credentials, without: client_secret, with: { params: { extra: 'a b' } }");
    assert_eq!(names(x.request.form()), ["grant_type", "client_id", "extra"]);
    assert!(x.request.body.ends_with("extra=a+b"));
    let x = sent("do: client-credentials, twice: { grant_type: password }");
    assert_eq!(x.request.form().all("grant_type").collect::<Vec<_>>(), ["client_credentials", "password"]);
    let x = sent("do: client-credentials, with: { order: reversed }");
    assert_eq!(names(x.request.form()), ["client_secret", "client_id", "grant_type"]);
}

#[test]
fn bodies_and_methods_can_be_others() {
    let x = sent("do: client-credentials, with: { body: json }");
    assert_eq!(x.request.header("content-type"), Some("application/json"));
    assert!(x.request.body.starts_with("{\"grant_type\""));
    let x = sent("do: client-credentials, with: { body: query }");
    assert!(x.request.body.is_empty() && x.request.query().get("client_secret").is_some());
    let x = sent("do: client-credentials, with: { http_method: GET }");
    assert!(x.request.method == "GET" && x.request.query().get("grant_type").is_some());
    let x = sent("do: client-credentials, with: { body: malformed }");
    assert!(x.request.body.ends_with("%zz"));
    let x = sent("do: client-credentials, with: { content-type: text/plain }");
    assert_eq!(x.request.header("content-type"), Some("text/plain"));
}

#[test]
fn headers_can_be_left_out() {
    let x = sent("do: client-credentials, without: [accept, content-type]");
    assert_eq!((x.request.header("accept"), x.request.header("content-type")), (None, None));
    assert!(x.request.body.starts_with("grant_type="));
}

#[test]
fn basic_carries_both_halves_form_encoded_unless_told_otherwise() {
    let credentials = |x: &Exchange| {
        let header = x.request.header("authorization").unwrap().strip_prefix("Basic ").unwrap().to_owned();
        String::from_utf8(from_base64(&header).unwrap()).unwrap()
    };
    let x = sent("do: client-credentials, app: basic, with: { client_secret: 'a:b+c%' }");
    assert!(credentials(&x).ends_with(":a%3Ab%2Bc%25"), "{}", credentials(&x));
    assert_eq!(x.facts.secret_is_right, Some(false));
    let x = sent("do: client-credentials, app: basic, with: { client_secret: 'a:b+c%', basic: raw }");
    assert!(credentials(&x).ends_with(":a:b+c%"));
    let x = sent("do: client-credentials, app: basic, without: client_secret");
    assert_eq!(x.request.header("authorization"), None);
}

#[test]
fn assertions_can_be_wrong_in_every_part() {
    let x = sent("do: jwt-bearer, with: { exp: -5m, claims: { extra: 7 } }, without: sub");
    let facts = x.facts.assertion.as_ref().unwrap();
    assert_eq!(facts.exp(), Some(x.at / 1000 - 300));
    assert!(facts.claims.get("sub").is_none() && facts.claims["extra"] == 7 && facts.verifies == Some(true));
    for (with, alg, unsigned) in
        [("alg: none", "none", true), ("signature: missing", "RS256", true), ("alg: HS256", "HS256", false)]
    {
        let facts = sent(&format!("do: jwt-bearer, with: {{ {with} }}")).facts.assertion.unwrap();
        assert_eq!(
            (facts.alg.as_str(), facts.unsigned, facts.verifies),
            (alg, unsigned, Some(false)),
            "{with}"
        );
    }
    for with in ["signature: broken", "key: other", "key: fresh"] {
        assert_eq!(
            sent(&format!("do: jwt-bearer, with: {{ {with} }}")).facts.assertion.unwrap().verifies,
            Some(false),
            "{with}"
        );
        assert_eq!(
            sent(&format!("do: saml-bearer, with: {{ {with} }}")).facts.assertion.unwrap().verifies,
            Some(false),
            "{with}"
        );
    }
    let padded = sent("do: jwt-bearer, with: { encoding: padded }");
    assert!(padded.request.form().get("assertion").unwrap().contains('='));
    let x = sent("do: saml-bearer, without: subject, with: { audience: \"https://elsewhere.example\" }");
    let facts = x.facts.assertion.unwrap();
    assert!(facts.claims.get("sub").is_none() && facts.audiences() == ["https://elsewhere.example"]);
}

#[test]
fn a_client_assertion_names_the_client_twice_and_the_token_endpoint() {
    let facts = sent("do: client-credentials, app: assertion").facts.client_assertion.unwrap();
    assert_eq!(facts.claims["iss"], facts.claims["sub"]);
    assert!(facts.audiences()[0].ends_with("/services/oauth2/token") && facts.claims.contains_key("jti"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_and_the_callback_is_heard() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let source = format!(
        "org: http://127.0.0.1:9\nprofile: rfc\napps:\n  main: {{ client_id: a, client_auth: none, redirect_uri: \"http://127.0.0.1:{port}/callback\", flows: [web-server] }}\n\
         users: {{ main: {{ username: ann }} }}\nlogin: browser\nendpoints: {{ authorize: /authorize, token: /token }}\n"
    );
    let target = target_of("suites/targets/browser.yaml", &source, &|_| None);
    let suite = "
suite: browser
judges: org
scenarios:
  - scenario: a person logs in
    steps:
      - do: authorize
        expect: { redirect: { code: code-of-a-person-who-was-asked-in-a-browser, state: \"${state}\" } }
";
    let options = options(target, vec![suite_of("suites/browser.yaml", suite)]);
    let (tell, mut told) = mpsc::unbounded_channel();
    let (_stop, stopped) = watch::channel(false);
    // The person: opens the URL that is told, and the browser comes back with an icon first and a code then.
    let person = tokio::spawn(async move {
        while let Some(progress) = told.recv().await {
            let Progress::OpenBrowser { url, user } = progress else { continue };
            assert_eq!(user, "ann");
            let state =
                Params::read(url.split_once('?').unwrap().1).unwrap().get("state").unwrap().to_owned();
            tokio::task::spawn_blocking(move || {
                for path in [
                    "/favicon.ico".to_owned(),
                    format!("/callback?code=code-of-a-person-who-was-asked-in-a-browser&state={state}"),
                ] {
                    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
                    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
                    let _ = stream.read_to_string(&mut String::new());
                }
            })
            .await
            .unwrap();
        }
    });
    let around = look_around(&options.target, Duration::from_secs(5)).await.unwrap();
    let report = run(&options, around, tell, stopped).await.unwrap().report;
    assert_eq!(complaints(&report), "");
    person.await.unwrap();
}
