//! Our own client: what each tweak puts on the wire, and a login by a person in a browser.

use std::time::Duration;

use crate::support::{Folder, browsing, complaints, embedded, options, outcome, suite_of, target_of};
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

/// A browser that a person has opened on a page of ours: it goes where it is sent, presses the one link, and plays an
/// org that calls back at once. Ends with the last page of the run; gives how often the link was pressed.
async fn browse(page: String) -> usize {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let (mut pressed, mut codes, mut in_a_row) = (0, 0, 0);
    let mut at = url::Url::parse(&page).unwrap();
    let icon = http.get(at.join("/favicon.ico").unwrap()).send().await.unwrap();
    assert_eq!(icon.status(), 404);
    loop {
        if at.path() == "/authorize" {
            let asked = Params::read(at.query().unwrap()).unwrap();
            at = url::Url::parse(asked.get("redirect_uri").unwrap()).unwrap();
            codes += 1;
            let code = grantcheck::oauth::base64url(grantcheck::oauth::sha256(format!("code {codes}")));
            at.query_pairs_mut().append_pair("code", &code);
            at.query_pairs_mut().append_pair("state", asked.get("state").unwrap());
        }
        let answer = http.get(at.clone()).send().await.unwrap();
        if let Some(to) = answer.headers().get("location") {
            in_a_row += 1;
            assert!(in_a_row < 10, "browsers give up after twenty redirects");
            at = at.join(to.to_str().unwrap()).unwrap();
            continue;
        }
        in_a_row = 0;
        let text = answer.text().await.unwrap();
        let link = |begin: &str| Some(text.split_once(begin)?.1.split('"').next()?.replace("&amp;", "&"));
        if let Some(link) = link("<a href=\"") {
            pressed += 1;
            at = at.join(&link).unwrap();
        } else if let Some(link) = link("http-equiv=\"refresh\" content=\"0;url=") {
            at = at.join(&link).unwrap();
        } else {
            assert!(text.contains("Done"), "{text}");
            return pressed;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_once_for_each_user_and_the_browser_does_the_rest() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let source = format!(
        "org: http://127.0.0.1:9\nprofile: rfc\napps:\n  main: {{ client_id: a, client_auth: none, redirect_uri: \"http://127.0.0.1:{port}/callback\", flows: [web-server] }}\n\
         users: {{ main: {{ username: ann }}, second: {{ username: bob }} }}\nlogin: browser\ndisposable: true\nendpoints: {{ authorize: /authorize, token: /token }}\n"
    );
    let target = target_of("suites/targets/browser.yaml", &source, &|_| None);
    let suite = "
suite: browser
judges: org
scenarios:
  - scenario: \"a person logs in: ${row.n}\"
    for_each: [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }, { n: 5 }, { n: 6 }, { n: 7 }, { n: 8 }, { n: 9 }, { n: 10 }, { n: 11 }, { n: 12 }]
    steps:
      - do: authorize
        expect: { redirect: { code: present, state: \"${state}\" } }
  - scenario: another person logs in twice
    user: second
    steps:
      - do: authorize
      - do: authorize
        expect: { redirect: { code: present, state: \"${state}\" } }
";
    let options = options(target, vec![suite_of("suites/browser.yaml", suite)]);
    let (tell, mut told) = mpsc::unbounded_channel();
    let (_stop, stopped) = watch::channel(false);
    let person = tokio::spawn(async move {
        let (mut browser, mut users) = (None, Vec::new());
        while let Some(progress) = told.recv().await {
            let Progress::OpenBrowser { url, user } = progress else { continue };
            users.push(user);
            browser.get_or_insert_with(|| tokio::spawn(browse(url)));
        }
        (browser.unwrap().await.unwrap(), users)
    });
    let around = look_around(&options.target, Duration::from_secs(5)).await.unwrap();
    let report = run(&options, around, tell, stopped).await.unwrap().report;
    assert_eq!((complaints(&report).as_str(), report.summary.pass), ("", 13));
    let (pressed, users) = person.await.unwrap();
    assert_eq!((pressed, users), (2, vec!["ann".to_owned(), "bob".to_owned()]));
}

#[test]
fn the_browser_of_who_sits_there_is_opened_once() {
    let folder = Folder::new("opened");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let target = format!(
        "org: http://127.0.0.1:9\nprofile: rfc\napps:\n  main: {{ client_id: a, client_auth: none, redirect_uri: \"http://127.0.0.1:{port}/callback\", flows: [web-server] }}\n\
         users: {{ main: {{ username: ann }} }}\nlogin: browser\ndisposable: true\nendpoints: {{ authorize: /authorize, token: /token }}\n"
    );
    let suite = "suite: browser\njudges: org\nscenarios:\n  - scenario: \"a person logs in: ${row.n}\"\n    for_each: [{ n: 1 }, { n: 2 }]\n    steps:\n      - do: authorize\n";
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(path("target.yaml"), target).unwrap();
    std::fs::write(path("suite.yaml"), suite).unwrap();
    let mut browsers = Vec::new();
    let arguments = ["run", &path("suite.yaml"), "--target", &path("target.yaml"), "--budget", "100"];
    let (exit, out, err) = browsing(&arguments, &mut |page| {
        let page = page.to_owned();
        browsers.push(std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(browse(page))));
    });
    assert_eq!(exit, 0, "{out}{err}");
    let pressed: Vec<usize> = browsers.into_iter().map(|browser| browser.join().unwrap()).collect();
    assert_eq!(pressed, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_for_a_login_that_ends_on_an_error_page() {
    use wiremock::matchers::query_param;
    use wiremock::{Mock, MockServer, ResponseTemplate};
    let html = |status, body: &str| {
        let page = ResponseTemplate::new(status).insert_header("X-Frame-Options", "DENY");
        page.set_body_raw(body.to_owned(), "text/html")
    };
    let server = MockServer::start().await;
    Mock::given(query_param("redirect_uri", "https://rogue.example/callback"))
        .respond_with(html(400, "<p>redirect_uri_mismatch</p>"))
        .mount(&server)
        .await;
    Mock::given(wiremock::matchers::path("/authorize"))
        .respond_with(html(200, "<form method=\"post\"><input name=\"pw\"></form>"))
        .mount(&server)
        .await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let source = format!(
        "org: {}\nprofile: rfc\napps:\n  main: {{ client_id: a, client_auth: none, redirect_uri: \"http://127.0.0.1:{port}/callback\", flows: [web-server] }}\n\
         users: {{ main: {{ username: ann }} }}\nlogin: browser\ndisposable: true\nendpoints: {{ authorize: /authorize, token: /token }}\n",
        server.uri()
    );
    let target = target_of("suites/targets/browser.yaml", &source, &|_| None);
    let suite = "
suite: refusals
judges: org
scenarios:
  - scenario: the org says no at once
    steps:
      - do: authorize
        with: { redirect_uri: https://rogue.example/callback }
        expect: { refused: redirect-uri-mismatch }
  - scenario: the org would ask for a login first
    steps:
      - do: authorize
        with: { response_type: nonsense }
        expect: { refused: unsupported-response-type }
";
    let options = options(target, vec![suite_of("suites/refusals.yaml", suite)]);
    let (tell, mut told) = mpsc::unbounded_channel();
    let (_stop, stopped) = watch::channel(false);
    let person = tokio::spawn(async move {
        let mut browser = None;
        while let Some(progress) = told.recv().await {
            let Progress::OpenBrowser { url, .. } = progress else { continue };
            browser.get_or_insert_with(|| tokio::spawn(browse(url)));
        }
        browser.unwrap().await.unwrap()
    });
    let around = look_around(&options.target, Duration::from_secs(5)).await.unwrap();
    let report = run(&options, around, tell, stopped).await.unwrap().report;
    let words: Vec<_> = report.scenarios.iter().map(|row| row.verdict.word()).collect();
    assert_eq!(words, ["pass", "inconclusive"], "{}", complaints(&report));
    assert!(complaints(&report).contains("a person would have to log in"));
    // The person was asked for the control alone.
    assert_eq!(person.await.unwrap(), 1);
}

#[test]
fn what_is_kept_of_a_step_that_goes_out_with_others_is_its_own() {
    let suite = "
suite: together
judges: org
scenarios:
  - scenario: an assertion once more
    steps:
      - do: jwt-bearer
        with: { jti: one }
        capture: { first: \"${assertion}\" }
      - do: jwt-bearer
        together: true
        with: { jti: another }
        capture: { second: \"${assertion}\" }
      - do: jwt-bearer
        with: { assertion: \"${first}\" }
      - do: jwt-bearer
        with: { assertion: \"${second}\" }
";
    let outcome = outcome(&options(embedded(), vec![suite_of("suites/together.yaml", suite)]));
    assert_eq!(complaints(&outcome.report), "");
    let sent: Vec<_> = outcome.transcript.exchanges.iter().filter_map(|x| x.param("assertion")).collect();
    let [first, second, third, fourth] = sent[..] else { panic!("{} assertions", sent.len()) };
    assert!(first != second && (first, second) == (third, fourth));
}
