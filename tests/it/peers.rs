//! Peers that others wrote: node oidc-provider and oauth2-mock-server as the org, headless Chromium as the user agent,
//! jsforce and simple-salesforce as the client.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{complaints, embedded, options, outcome, read, root, suite, suites_in, target_of};
use grantcheck::report::{Report, Word};
use grantcheck::run::Options;
use grantcheck::suite::Suite;
use grantcheck::wire::chromium;

/// A child process that is ended with the test.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program and reads the address of its first line.
fn start(command: &mut Command) -> (Peer, String) {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the peer is installed");
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}")).to_owned();
    (Peer(child), url)
}

/// Starts a peer of `tests/peers`, and plays all suites of orgs against the target that describes it.
fn judged(name: &str, variable: &str) -> Report {
    judged_by(name, variable, suites_in("suites/org"))
}

/// The same with these suites.
fn judged_by(name: &str, variable: &str, suites: Vec<Suite>) -> Report {
    let folder = root().join("tests/peers").join(name);
    let (_peer, url) =
        start(Command::new("node").arg("server.mjs").args(["--port", "0"]).current_dir(folder));
    let path = format!("suites/targets/{name}.yaml");
    let target = target_of(&path, &read(&path), &|asked| (asked == variable).then(|| url.clone()));
    outcome(&options(target, suites)).report
}

/// The checks that came to one of these, in the order of the catalogue.
fn checks_that<'r>(report: &'r Report, words: &[Word]) -> Vec<&'r str> {
    let rows = report.checks.iter().filter(|row| words.contains(&row.verdict));
    rows.map(|row| row.check.as_str()).collect()
}

/// The same, by id.
fn sorted<'r>(report: &'r Report, words: &[Word]) -> Vec<&'r str> {
    let mut checks = checks_that(report, words);
    checks.sort_unstable();
    checks
}

/// What `docs/peers.md` explains; whatever else is found is a bug of ours or news about the server.
const EXPLAINED: &[&str] = &[
    "token/response-has-pragma-no-cache",
    "token/unlisted-grant-is-unauthorized-client",
    "jwt-bearer/strange-issue-time-is-refused",
    "jwt-bearer/replay-is-refused",
    "jwt-bearer/far-expiry-is-refused",
    "client-credentials/scope-is-not-widened",
];

#[test]
#[ignore = "needs node and oidc-provider from npm; .ci/run installs it"]
fn oidc_provider_is_judged_right() {
    let report = judged("oidc-provider", "OIDC_PROVIDER_URL");
    assert!(report.summary.pass >= 100, "{:?}", report.summary);
    assert_eq!((report.summary.fail, report.summary.inconclusive), (0, 0), "{}", complaints(&report));
    assert_eq!(report.listed_not_testable, Vec::<String>::new());
    assert_eq!(checks_that(&report, &[Word::Fail, Word::Warn, Word::Note]), EXPLAINED);
}

#[test]
#[ignore = "needs node and oidc-provider from npm; .ci/run installs it"]
fn oidc_provider_is_called_by_named_credentials() {
    let suites = vec![suite("suites/named-credential/server.yaml")];
    let report = judged_by("oidc-provider", "OIDC_PROVIDER_URL", suites);
    let summary = &report.summary;
    assert_eq!((summary.fail, summary.inconclusive), (0, 0), "{}", complaints(&report));
    // Its clock is its own, its API takes no JWT of a client, and it rotates.
    assert_eq!((summary.pass + summary.warn, summary.not_testable), (13, 5), "{summary:?}");
    let explained = ["token/response-has-pragma-no-cache", "named-credential/duplicate-refreshes-are-borne"];
    let mut found = checks_that(&report, &[Word::Fail, Word::Warn, Word::Note]);
    found.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(found, explained);
}

/// What oauth2-mock-server accepts although it must not, and that its refusals say nothing that a client could act on.
const ACCEPTED: &[&str] = &[
    "authorize/added-query-is-refused",
    "authorize/changed-query-is-refused",
    "authorize/confusing-authority-is-refused",
    "authorize/confusing-path-is-refused",
    "authorize/fragment-is-refused",
    "authorize/http-for-https-is-refused",
    "authorize/missing-client-is-not-redirected",
    "authorize/other-host-is-refused",
    "authorize/other-path-is-refused",
    "authorize/other-port-is-refused",
    "authorize/redirect-uri-is-not-normalised",
    "authorize/repeated-parameter-is-refused",
    "authorize/script-uri-is-refused",
    "authorize/scripts-of-others-cannot-read-it",
    "authorize/unknown-client-is-not-redirected",
    "authorize/unregistered-redirect-uri-is-refused",
    "client-auth/assertion-beside-a-secret-is-refused",
    "client-auth/assertion-for-another-audience-is-refused",
    "client-auth/assertion-names-the-client-twice",
    "client-auth/assertion-signature-is-verified",
    "client-auth/assertion-type-is-compared",
    "client-auth/assertion-without-audience-is-refused",
    "client-auth/assertion-without-expiry-is-refused",
    "client-auth/client-id-must-fit-the-assertion",
    "client-auth/client-id-must-fit-the-header",
    "client-auth/critical-header-must-be-understood",
    "client-auth/early-assertion-is-refused",
    "client-auth/empty-secret-is-refused",
    "client-auth/expired-assertion-is-refused",
    "client-auth/key-of-the-assertion-is-not-trusted",
    "client-auth/no-credentials-are-refused",
    "client-auth/secret-of-another-client-is-refused",
    "client-auth/symmetric-assertion-is-refused",
    "client-auth/unsigned-assertion-is-refused",
    "client-auth/wrong-secret-is-refused",
    "client-credentials/public-client-is-refused",
    "client-credentials/scope-is-not-widened",
    "client-credentials/unlisted-app-is-refused",
    "client-credentials/wrong-secret-is-refused",
    "code/bound-to-its-client",
    "code/redirect-uri-is-compared",
    "code/unknown-code-is-refused",
    "code/works-once",
    "id-token/max-age-is-kept",
    "introspection/caller-must-be-authorized",
    "introspection/revocation-shows-at-once",
    "introspection/revoked-token-is-inactive",
    "introspection/rotated-out-token-is-inactive",
    "introspection/unknown-token-is-inactive",
    "introspection/wrong-credentials-are-refused",
    "jwt-bearer/expired-is-refused",
    "jwt-bearer/failure-is-invalid-grant",
    "jwt-bearer/missing-audience-is-refused",
    "jwt-bearer/missing-expiry-is-refused",
    "jwt-bearer/missing-issuer-is-refused",
    "jwt-bearer/not-yet-valid-is-refused",
    "jwt-bearer/other-encoding-is-refused",
    "jwt-bearer/public-key-is-no-secret",
    "jwt-bearer/scope-is-not-widened",
    "jwt-bearer/shown-key-is-not-trusted",
    "jwt-bearer/unapproved-user-is-refused",
    "jwt-bearer/unknown-issuer-is-refused",
    "jwt-bearer/unknown-user-is-refused",
    "jwt-bearer/unsigned-is-refused",
    "jwt-bearer/wrong-audience-is-refused",
    "jwt-bearer/wrong-signature-is-refused",
    "pkce/empty-challenge-counts-as-missing",
    "pkce/missing-verifier-is-refused",
    "pkce/public-client-needs-a-challenge",
    "pkce/verifier-is-no-secret-of-the-client",
    "refresh/confidential-client-must-authenticate",
    "refresh/one-family-survives-a-race",
    "refresh/rotated-out-token-is-refused",
    "refresh/scope-is-never-widened",
    "refresh/token-is-bound-to-its-client",
    "refresh/token-kinds-are-not-mixed",
    "refresh/unknown-token-is-refused",
    "resource/invalid-token-is-401-with-challenge",
    "resource/revoked-token-is-refused",
    "revocation/confidential-client-must-authenticate",
    "revocation/missing-token-is-invalid-request",
    "revocation/revoked-refresh-token-is-refused",
    "revocation/takes-effect-at-once",
    "revocation/unknown-hint-is-ignored",
    "revocation/wrong-hint-is-searched-beyond",
    "token/error-code-is-registered",
    "token/missing-code-is-refused",
    "token/password-grant-is-off",
    "token/token-belongs-to-one-asker",
    "token/unlisted-grant-is-unauthorized-client",
    "userinfo/bad-token-is-refused",
    "userinfo/get-and-post-are-answered",
];

/// What it does refuse, though without the error code for it, and what it should refuse.
const LESSER: &[&str] = &[
    "client-auth/assertion-is-used-once",
    "client-auth/asymmetric-method-is-offered",
    "client-auth/two-methods-are-refused",
    "code/redirect-uri-is-required-again",
    "id-token/comes-with-openid",
    "introspection/missing-token-is-an-error",
    "introspection/ordinary-token-is-no-credential",
    "jwt-bearer/far-expiry-is-refused",
    "jwt-bearer/missing-subject-is-refused",
    "jwt-bearer/replay-is-refused",
    "jwt-bearer/strange-issue-time-is-refused",
    "pkce/challenge-is-base64url-alone",
    "pkce/challenge-is-no-verifier",
    "pkce/letter-case-counts",
    "pkce/reserved-characters-are-refused",
    "pkce/unknown-method-is-refused",
    "pkce/verifier-of-another-request-is-refused",
    "pkce/verifier-without-challenge-is-refused",
    "pkce/wrong-verifier-is-refused",
    "refresh/token-cannot-be-guessed",
    "revocation/foreign-token-is-refused",
    "revocation/refresh-token-takes-access-tokens-along",
    "revocation/revoked-access-token-is-refused",
    "token/json-body-is-refused",
    "token/missing-grant-type-is-refused",
    "token/repeated-parameter-is-refused",
    "token/unknown-grant-type-is-refused",
];

#[test]
#[ignore = "needs node and oauth2-mock-server from npm; .ci/run installs it"]
fn oauth2_mock_server_is_found_out() {
    let report = judged("oauth2-mock-server", "OAUTH2_MOCK_SERVER_URL");
    let sorted = |words: &[Word]| sorted(&report, words);
    assert_eq!(sorted(&[Word::Fail]), ACCEPTED);
    assert_eq!(sorted(&[Word::Warn, Word::Note]), LESSER);
    // What is offered there can be asked for, and every refusal has its control.
    assert_eq!(sorted(&[Word::Inconclusive]), Vec::<&str>::new());
    assert_eq!((report.summary.inconclusive, report.summary.bugs), (0, 0), "{}", complaints(&report));
    assert_eq!(report.listed_not_testable, Vec::<String>::new());
    assert!(report.summary.pass >= 30, "{:?}", report.summary);
}

/// Plays suites for clients against a program, in a process of its own with these variables.
fn client_judged(program: &str, suites: &[&str], variables: &[(&str, String)]) -> Report {
    let folder = tempdir();
    let json = folder.join("report.json");
    let status = Command::new(env!("CARGO_BIN_EXE_grantcheck"))
        .arg("run")
        .args(suites.iter().map(|suite| format!("suites/client/{suite}.yaml")))
        .args(["--program", &format!("suites/programs/{program}.yaml")])
        .args(["--report", &format!("json={}", json.display())])
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(root())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    let report = std::fs::read_to_string(&json).unwrap_or_else(|why| panic!("{status}: {why}"));
    std::fs::remove_dir_all(folder).unwrap();
    serde_json::from_str(&report).unwrap()
}

fn tempdir() -> std::path::PathBuf {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("grantcheck-peers-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// What `docs/peers.md` explains of jsforce.
const JSFORCE: &[&str] =
    &["renewal/refused-again-is-not-renewed-for-ever", "renewal/rotated-refresh-token-replaces-the-old"];
const JSFORCE_LESSER: &[&str] = &[
    "login/wrong-issuer-is-refused",
    "redeeming/request-says-what-it-takes",
    "verifier/is-long-enough-and-plain",
    "verifier/method-is-s256",
];

#[test]
#[ignore = "needs node and jsforce from npm; .ci/run installs it"]
fn jsforce_is_judged_right() {
    let modules = root().join("tests/peers/jsforce/node_modules").display().to_string();
    let suites = ["login", "pkce", "renewal", "renewal-rotation", "secrets"];
    let report = client_judged("jsforce", &suites, &[("NODE_PATH", modules)]);
    assert_eq!(sorted(&report, &[Word::Fail]), JSFORCE);
    assert_eq!(sorted(&report, &[Word::Warn, Word::Note]), JSFORCE_LESSER);
    assert!(report.summary.pass >= 40 && report.summary.bugs == 0, "{:?}", report.summary);
}

/// What `docs/peers.md` explains of simple-salesforce.
const SIMPLE_SALESFORCE: &[&str] = &[
    "answer/untold-lifetime-is-no-end",
    "redeeming/request-says-what-it-takes",
    "renewal/server-to-server-asks-for-a-new-grant",
    "server-to-server/first-callers-share-one-grant",
    "signing/assertion-ends-within-minutes",
    "signing/callers-share-one-request",
    "signing/each-request-has-its-own-assertion",
    "towards-salesforce/login-is-shared",
];

#[test]
#[ignore = "needs python3 and simple-salesforce from PyPI; .ci/run installs it"]
fn simple_salesforce_is_judged_right_through_the_proxy() {
    let bin = root().join("target/peers/simple-salesforce/bin").display().to_string();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap_or_default());
    let suites = ["renewal", "renewal-sharing", "secrets"];
    let report = client_judged("simple-salesforce", &suites, &[("PATH", path)]);
    // What thirty threads bring out depends on who is first.
    let found = sorted(&report, &[Word::Fail, Word::Warn, Word::Note]);
    assert!(found.iter().all(|check| SIMPLE_SALESFORCE.contains(check)), "{found:?}");
    let sure = ["renewal/server-to-server-asks-for-a-new-grant", "signing/assertion-ends-within-minutes"];
    assert!(sure.iter().all(|check| found.contains(check)), "{found:?}");
    assert!(report.summary.pass >= 4 && report.summary.bugs == 0, "{:?}", report.summary);
}

#[test]
#[ignore = "needs node, playwright-core from npm and Chromium; .ci/run installs them"]
fn a_browser_logs_in_approves_and_lands_on_the_callback() {
    // The port is free now, and nobody else on this machine has a reason to take it in the next second.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let (_org, url) = start(
        Command::new(env!("CARGO_BIN_EXE_grantcheck"))
            .args(["serve", "--listen", "127.0.0.1:0", "--target", "tests/peers/browser/target.yaml"])
            .env("PORT", &port)
            .current_dir(root()),
    );
    let authorize = format!(
        "{url}/services/oauth2/authorize?response_type=code&client_id=3MVG9grantcheck.browser&state=xyz\
         &redirect_uri=http%3A%2F%2F127.0.0.1%3A{port}%2Fcallback"
    );
    let output = Command::new("node")
        .args(["login.mjs", &authorize, "ann@grantcheck.example", "a-password-for-ann", &port])
        .current_dir(root().join("tests/peers/browser"))
        .output()
        .unwrap();
    let landed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        landed.starts_with("/callback?") && landed.contains("code=aPrx") && landed.contains("state=xyz"),
        "{landed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Profiles of the browsers that run.
fn browsers() -> BTreeSet<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
    let profile = |line: String| {
        line.split('\0')
            .find(|word| word.starts_with("--user-data-dir=") && word.contains("/grantcheck-"))
            .map(str::to_owned)
    };
    lines.filter_map(profile).collect()
}

#[test]
#[ignore = "needs Chromium, and node and jsforce from npm; .ci/run installs them"]
fn clients_are_logged_in_by_a_browser_that_nobody_of_us_wrote() {
    let before = browsers();
    let suites = vec![suite("tests/peers/browser/suite.yaml")];
    let own = outcome(&Options { chromium: chromium::find(), ..options(embedded(), suites) });
    assert_eq!((complaints(&own.report).as_str(), own.report.summary.pass), ("", 5));
    let login =
        |x: &&grantcheck::transcript::Exchange| x.action == "browser" && x.request.header("cookie").is_some();
    let login = own.transcript.exchanges.iter().find(login).expect("it keeps cookies");
    assert!(login.request.header("user-agent").unwrap().contains("Chrome"));

    let modules = root().join("tests/peers/jsforce/node_modules").display().to_string();
    let jsforce = client_judged("jsforce", &["../../tests/peers/browser/suite"], &[("NODE_PATH", modules)]);
    assert_eq!((jsforce.summary.pass, jsforce.summary.bugs), (5, 0), "{}", complaints(&jsforce));

    let until = Instant::now() + Duration::from_secs(10);
    while !browsers().is_subset(&before) {
        assert!(Instant::now() < until, "a browser is left behind");
        std::thread::yield_now();
    }
}
