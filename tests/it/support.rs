//! What several tests need: suites and targets from the repository, and a run of them.

use std::path::{Path, PathBuf};

use grantcheck::cli::{self, Io};
use grantcheck::diagnostic::Text;
use grantcheck::report::Report;
use grantcheck::run::{Options, Outcome, look_around, look_back, run};
use grantcheck::subject::Target;
use grantcheck::suite::{Lookup, Suite, read_suite, read_target};
use tokio::sync::{mpsc, watch};

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A path from the top of the repository.
pub fn at(path: &str) -> PathBuf {
    root().join(path)
}

/// The files of a folder that end so, in order of their names, as paths from the top of the repository.
pub fn files(folder: &str, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(at(folder)).expect(folder);
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<String> =
        names.filter(|name| name.ends_with(ending)).map(|name| format!("{folder}/{name}")).collect();
    found.sort();
    found
}

/// A file of the repository.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// A suite of the repository.
pub fn suite(path: &str) -> Suite {
    suite_of(path, &read(path))
}

/// A suite out of a text.
pub fn suite_of(name: &str, source: &str) -> Suite {
    let path = Path::new(name);
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let id = format!("{folder}/{}", path.file_stem().unwrap().to_string_lossy());
    read_suite(&Text::new(name, source), &id).unwrap_or_else(|problems| panic!("{}", shown(&problems)))
}

/// Every shipped suite for clients.
pub fn client_suites() -> Vec<Suite> {
    let mut suites = suites_in("suites/client");
    suites.extend(named_credential_suites().into_iter().filter(judges_clients));
    suites
}

/// Every shipped suite that judges orgs.
pub fn org_suites() -> Vec<Suite> {
    let mut suites = suites_in("suites/org");
    suites.extend(named_credential_suites().into_iter().filter(|suite| !judges_clients(suite)));
    suites
}

/// The suites of Named Credentials, for either end.
pub fn named_credential_suites() -> Vec<Suite> {
    suites_in("suites/named-credential")
}

/// Every suite of a folder.
pub fn suites_in(folder: &str) -> Vec<Suite> {
    files(folder, ".yaml").iter().map(|path| suite(path)).collect()
}

/// Which end a suite judges.
fn judges_clients(suite: &Suite) -> bool {
    suite.scenarios.iter().any(|scenario| scenario.client.is_some())
}

/// A target of the repository.
pub fn target(path: &str) -> Target {
    target_of(path, &read(path), &|_| None)
}

/// A target out of a text, with variables; files are looked for beside `name`.
pub fn target_of(name: &str, source: &str, variable: &dyn Fn(&str) -> Option<String>) -> Target {
    let folder = root().join(Path::new(name).parent().unwrap());
    let look_up = |lookup: Lookup<'_>| match lookup {
        Lookup::File(path) => std::fs::read_to_string(folder.join(path)).ok(),
        Lookup::Variable(name) => variable(name),
    };
    read_target(&Text::new(name, source), &look_up).unwrap_or_else(|problems| panic!("{}", shown(&problems)))
}

fn shown(problems: &[grantcheck::diagnostic::Diagnostic]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The embedded org.
pub fn embedded() -> Target {
    target("suites/targets/embedded.yaml")
}

/// Options for a run on that target.
pub fn options(target: Target, suites: Vec<Suite>) -> Options {
    Options { destructive: true, jobs: 2, ..Options::new(target, suites) }
}

/// Runs to the end.
pub fn outcome(options: &Options) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(outcome_async(options))
}

/// Runs to the end on a runtime that is there.
pub async fn outcome_async(options: &Options) -> Outcome {
    let (tell, _told) = mpsc::unbounded_channel();
    let (_stop, stopped) = watch::channel(false);
    let around = match &options.replay {
        Some(recording) => look_back(&options.target, recording),
        None => look_around(&options.target, options.within).await.unwrap(),
    };
    run(options, around, tell, stopped).await.unwrap()
}

/// What is not a pass, in words.
pub fn complaints(report: &Report) -> String {
    let scenarios =
        report.scenarios.iter().filter(|row| !matches!(row.verdict.word(), "pass" | "not testable"));
    scenarios
        .map(|row| {
            let findings: Vec<String> = row
                .findings
                .iter()
                .map(|f| {
                    format!(
                        "    {:?} {:?}: expected {}; observed {}",
                        f.verdict, f.check, f.expected, f.observed
                    )
                })
                .collect();
            format!("{} › {}: {}\n{}", row.suite, row.scenario, row.verdict.word(), findings.join("\n"))
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// Compares with a committed file; `UPDATE=1` rewrites it.
pub fn golden(path: &str, now: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, now).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == now, "{path} is not fresh: run `UPDATE=1 cargo test`");
}

/// Runs a command line in process, with nobody in front of it: exit code, standard output, standard error.
pub fn grantcheck(arguments: &[&str]) -> (u8, String, String) {
    answering(arguments, false, &[])
}

/// The same with a person in front of it, whose browser opens pages like that.
pub fn browsing(arguments: &[&str], open: &mut dyn FnMut(&str)) -> (u8, String, String) {
    commanded(arguments, true, &[], open)
}

/// The same with a person, perhaps, who gives these answers one after the other.
pub fn answering(arguments: &[&str], terminal: bool, answers: &[&str]) -> (u8, String, String) {
    commanded(arguments, terminal, answers, &mut |page| panic!("nobody opens {page}"))
}

fn commanded(
    arguments: &[&str],
    terminal: bool,
    answers: &[&str],
    open: &mut dyn FnMut(&str),
) -> (u8, String, String) {
    let arguments: Vec<String> =
        std::iter::once(&"grantcheck").chain(arguments).map(|a| (*a).to_owned()).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let answers = std::cell::RefCell::new(answers.iter());
    let answer = || answers.borrow_mut().next().map(|answer| (*answer).to_owned());
    let (mut ask, mut ask_all, mut ask_secret) = (answer, answer, answer);
    let mut io = Io {
        out: &mut out,
        err: &mut err,
        colour: false,
        terminal,
        ask: &mut ask,
        ask_all: &mut ask_all,
        ask_secret: &mut ask_secret,
        open,
    };
    let exit = cli::run(&arguments, &mut io);
    (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// An empty folder of one test, which goes with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("grantcheck-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// Writes a file in it, and tells its path.
    pub fn put(&self, name: &str, content: &str) -> String {
        std::fs::write(self.0.join(name), content).unwrap();
        self.path(name)
    }

    /// What stands in a file in it.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
    }
}

impl std::ops::Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where a `serve` that was started with its output piped listens, without `http://`.
pub fn listens(child: &mut std::process::Child) -> String {
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut line)
        .unwrap();
    line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line:?}")).to_owned()
}

/// Waits until something is so, for ten seconds at most.
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !is_so() {
        assert!(std::time::Instant::now() < end, "{what}");
        std::thread::yield_now();
    }
}
