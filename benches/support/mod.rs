//! What several benches need: the embedded org as a target, an org, a client of it.

// Each bench is a program of its own and uses a part of this.
#![allow(dead_code, clippy::disallowed_methods, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, header};

use grantcheck::client::Action;
use grantcheck::client::answer::Manner;
use grantcheck::diagnostic::Text;
use grantcheck::org::Org;
use grantcheck::run::embedded_endpoints;
use grantcheck::subject::{Setting, Target};
use grantcheck::suite::{Lookup, Suite, read_suite, read_target};
use grantcheck::wire::Clock;
use grantcheck::wire::renewal::Grant;

/// Some moment, in milliseconds since the epoch.
pub const NOW: i64 = 1_800_000_000_000;
/// Where the embedded org answers in process.
pub const BASE: &str = "https://acme.my.salesforce.com";

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect("a file of the repository")
}

/// The embedded org, without the limit of logins, which a bench would run into at once.
pub fn embedded() -> Target {
    let folder = root().join("suites/targets");
    let look_up = |lookup: Lookup<'_>| match lookup {
        Lookup::File(path) => std::fs::read_to_string(folder.join(path)).ok(),
        Lookup::Variable(_) => None,
    };
    let text = Text::new("suites/targets/embedded.yaml", read("suites/targets/embedded.yaml"));
    let mut target = read_target(&text, &look_up).expect("the shipped target is right");
    target.settings.0.insert("login_rate".into(), Setting::Word("off".into()));
    target
}

/// Every shipped org suite.
pub fn org_suites() -> Vec<Suite> {
    let entries = std::fs::read_dir(root().join("suites/org")).expect("the shipped suites");
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let name = format!("org/{}", path.file_stem().unwrap_or_default().to_string_lossy());
        let text = Text::new(name.clone(), read_file(path));
        read_suite(&text, &name).expect("the shipped suites are right")
    };
    paths.iter().map(read).collect()
}

fn read_file(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file of the repository")
}

pub fn org() -> Arc<Org> {
    Arc::new(Org::new(&embedded(), &[], [1; 32]))
}

/// How a client asks that org for tokens.
pub fn grant(flow: Action, base: &str, clock: Clock) -> Grant {
    Grant {
        target: Arc::new(embedded()),
        endpoints: embedded_endpoints(base),
        org: base.to_owned(),
        app: "main".into(),
        user: "main".into(),
        flow: Some(flow),
        clock,
        manner: Manner::default(),
        credential: None,
    }
}

/// A request for a token of one's own, by client credentials.
pub fn client_credentials(base: &str, target: &Target) -> Request<Bytes> {
    let app = &target.apps["main"];
    let secret = app.client_secret.as_ref().expect("the app has a secret").expose();
    token_request(
        &format!("{base}/services/oauth2/token"),
        &format!("grant_type=client_credentials&client_id={}&client_secret={secret}", app.client_id),
    )
}

pub fn token_request(url: &str, form: &str) -> Request<Bytes> {
    Request::post(url)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(form.to_owned()))
        .expect("a request that can be sent")
}

/// A call of the REST API.
pub fn call(base: &str) -> Request<Bytes> {
    Request::get(format!("{base}/services/data/v62.0/limits"))
        .body(Bytes::new())
        .expect("a request that can be sent")
}

/// How long a run of suites takes from its start to its end, as a person waits for it: the best of five.
pub fn start_to_end(suites: &str) -> Duration {
    let run = |_| {
        let begun = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_grantcheck"))
            .args(["run", suites])
            .current_dir(root())
            .output()
            .expect("the program starts");
        assert_eq!(output.status.code(), Some(0), "what is measured must be right");
        begun.elapsed()
    };
    (0..5).map(run).min().unwrap_or_default()
}

/// One promise.
pub struct Number {
    pub what: &'static str,
    pub reached: String,
    pub promised: &'static str,
    pub kept: bool,
}

/// What is reached beside what is promised. A promise that is not kept fails nothing: machines differ, and a person reads
/// the table.
pub fn table(numbers: &[Number]) {
    println!("\n| what | reached | promised | |\n|---|---|---|---|");
    for Number { what, reached, promised, kept } in numbers {
        println!("| {what} | {reached} | {promised} | {} |", if *kept { "kept" } else { "NOT KEPT" });
    }
}
