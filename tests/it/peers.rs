//! Peers that others wrote: node oidc-provider as the org, headless Chromium as the user agent.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::{complaints, options, org_suites, outcome, read, root, target_of};
use grantcheck::report::Word;

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

/// What `docs/peers.md` explains; whatever else is found is a bug of ours or news about the server.
const EXPLAINED: &[&str] = &["token/response-has-pragma-no-cache"];

#[test]
#[ignore = "needs node and oidc-provider from npm; .ci/run installs it"]
fn oidc_provider_is_judged_right() {
    let folder = root().join("tests/peers/oidc-provider");
    let (_peer, url) =
        start(Command::new("node").arg("server.mjs").args(["--port", "0"]).current_dir(folder));
    let path = "suites/targets/oidc-provider.yaml";
    let target = target_of(path, &read(path), &|name| (name == "OIDC_PROVIDER_URL").then(|| url.clone()));
    let report = outcome(&options(target, org_suites())).report;
    assert!(report.summary.pass >= 100, "{:?}", report.summary);
    assert_eq!((report.summary.fail, report.summary.inconclusive), (0, 0), "{}", complaints(&report));
    assert_eq!(report.listed_not_testable, Vec::<String>::new());
    let found: Vec<&str> = report
        .checks
        .iter()
        .filter(|row| matches!(row.verdict, Word::Fail | Word::Warn | Word::Note))
        .map(|row| row.check.as_str())
        .collect();
    assert_eq!(found, EXPLAINED);
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
