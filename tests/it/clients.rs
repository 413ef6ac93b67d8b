//! Clients under test: our own passes what is shipped for clients, each of its wrongs is found, and a program that does not
//! do its work passes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::support::{at, client_suites, complaints, embedded, options, outcome, suite_of};
use grantcheck::client::wrong::{self, Wrongs};
use grantcheck::report::console::{Style, console};
use grantcheck::report::{Report, StormRow, Word};
use grantcheck::run::{Client, Options, Selection};
use grantcheck::subject::program::{Trigger, verbatim};
use grantcheck::subject::{Flow, Program, Way};
use grantcheck::wire::isolation::Wall;

fn played(client: Client, patterns: &[&str]) -> Report {
    let selection = Selection { patterns: patterns.iter().map(|&p| p.to_owned()).collect() };
    outcome(&Options { client, selection, ..options(embedded(), client_suites()) }).report
}

#[test]
fn our_own_client_passes_every_suite_for_clients() {
    let report = played(Client::default(), &[]);
    assert_eq!(complaints(&report), "");
    assert_eq!((report.summary.not_testable, report.exit()), (0, 0));
    assert_eq!(report.subject.program.as_deref(), Some("own"));
}

#[test]
fn our_own_client_gives_up_a_redemption_that_is_not_answered() {
    let suite = "suite: silence\njudges: client\nscenarios:\n  - scenario: nothing comes back for a code\n    flow: web-server\n    \
        org: { answers: [{ to: token, times: 1, hang: 90s }] }\n    expect: { exit: any }\n    \
        checks: [robustness/silent-server-is-given-up]\n";
    let suites = vec![suite_of("silence.yaml", suite)];
    let report = outcome(&options(embedded(), suites)).report;
    assert_eq!((complaints(&report).as_str(), report.summary.pass), ("", 1));
}

#[test]
fn our_own_client_logs_out_of_the_login_that_it_has() {
    let suite = "suite: ends\njudges: client\nscenarios:\n  - scenario: a second login is ended\n    flow: web-server\n    \
        program: { calls: 2, args: { ends: log-out } }\n    org:\n      expire: { after_calls: 1 }\n      \
        answers: [{ to: token, grant_type: refresh_token, times: 1, respond: { status: 400, json: { error: invalid_grant } } }]\n    \
        checks: [logging-out/refresh-token-is-revoked]\n";
    let report = outcome(&options(embedded(), vec![suite_of("ends.yaml", suite)])).report;
    assert_eq!((complaints(&report).as_str(), report.summary.pass), ("", 1));
}

#[test]
fn each_start_without_a_place_for_tokens_begins_anew() {
    let suite = "suite: starts\njudges: client\nscenarios:\n  - scenario: a login for each start\n    flow: client-credentials\n    \
        program: { calls: 3, times: 3 }\n  - scenario: a pause that nobody can know of\n    flow: client-credentials\n    \
        program: { calls: 1, times: 2 }\n    \
        org: { answers: [{ to: token, times: 1, respond: { status: 503, headers: { retry-after: \"120\" } } }] }\n    \
        expect: { exit: any }\n  - scenario: a call on which it dies\n    flow: client-credentials\n    \
        program: { calls: 3, kill: { after: api-request, nth: 2 } }\n    expect: { exit: any }\n";
    let report = outcome(&options(embedded(), vec![suite_of("starts.yaml", suite)])).report;
    assert_eq!((complaints(&report).as_str(), report.summary.pass), ("", 3));
}

/// A program that a shell plays.
fn shell(script: &str, within: i64) -> Client {
    Client::Program(Arc::new(Program {
        name: "shell".into(),
        command: vec!["sh".into(), "-c".into(), script.into()],
        env: Vec::new(),
        trigger: None,
        flows: vec![Flow::RefreshToken, Flow::ClientCredentials, Flow::JwtBearer, Flow::SamlBearer],
        args: Vec::new(),
        folder: PathBuf::from("/"),
        within,
        stores: false,
        network: false,
        way: Way::Plain,
        secrets: Vec::new(),
    }))
}

#[test]
fn a_program_that_does_not_do_its_work_passes_nothing() {
    let some = ["! 30", "! 100"];
    for (script, within) in [("exit 0", 5000), ("exit 1", 5000), ("kill -9 $$", 5000), ("sleep 60", 50)] {
        let report = played(shell(script, within), &some);
        assert_eq!(report.summary.pass, 0, "`{script}`: {}", complaints(&report));
        assert_ne!(report.exit(), 0);
    }
    let report = played(shell("exit 89", 5000), &some);
    assert_eq!((report.summary.pass, report.summary.fail), (0, 0));
    assert!(report.scenarios.iter().all(|row| row.verdict == Word::NotTestable));
}

#[test]
fn who_asks_nothing_passes_nothing_where_any_end_will_do() {
    let suite = "suite: any\njudges: client\nscenarios:\n  - scenario: whatever it does\n    flow: client-credentials\n    \
        expect: { exit: any, requests: [{ to: token, count: { at_most: 1 } }] }\n";
    for (script, told) in [
        ("exit 0", "it did its work, and it asked nothing"),
        ("exit 1", "it gave up: exit 1, and printed nothing, and it asked nothing"),
        ("echo no luck >&2; exit 1", "it gave up: exit 1: no luck, and it asked nothing"),
        ("exit 3", "it ended in a way that is no answer: exit 3, and printed nothing"),
    ] {
        let suites = vec![suite_of("any.yaml", suite)];
        let report = outcome(&Options { client: shell(script, 5000), ..options(embedded(), suites) }).report;
        let complaints = complaints(&report);
        assert_eq!((report.scenarios[0].verdict, report.exit()), (Word::Inconclusive, 3), "{complaints}");
        assert!(complaints.contains(told), "`{script}`: {complaints}");
        assert!(report.checks.iter().all(|check| check.verdict != Word::Pass), "{:?}", report.checks);
    }
    let report = outcome(&options(embedded(), vec![suite_of("any.yaml", suite)])).report;
    assert_eq!((complaints(&report).as_str(), report.summary.pass), ("", 1));
}

#[test]
fn who_does_not_work_where_the_org_behaves_fails_there_and_is_not_judged_elsewhere() {
    let suite = "suite: both\njudges: client\nscenarios:\n  - scenario: the org behaves\n    flow: client-credentials\n  \
        - scenario: the org is busy\n    flow: client-credentials\n    \
        org: { answers: [{ to: token, times: 1, respond: { status: 503 } }] }\n    expect: { exit: any }\n";
    let client = shell("echo no luck >&2; exit 1", 5000);
    let suites = vec![suite_of("both.yaml", suite)];
    let report = outcome(&Options { client, ..options(embedded(), suites) }).report;
    let verdicts: Vec<_> = report.scenarios.iter().map(|row| row.verdict).collect();
    assert_eq!(verdicts, [Word::Fail, Word::Inconclusive], "{}", complaints(&report));
    let told = console(&report, Style::default());
    assert_eq!(told.matches("it gave up: exit 1: no luck").count(), 2, "{told}");
}

/// Calls the API once, with the token in no argument.
const CALL: &str = "printf 'header = \"Authorization: Bearer %s\"\\n' \"$GRANTCHECK_ACCESS_TOKEN\" | \
    curl -sf -K - -o /dev/null \"$GRANTCHECK_ORG_URL/services/data/v62.0/limits\"";

/// Does its work where nothing is in its way, and ends like that where something is.
fn breaks(end: &str) -> Client {
    shell(&format!("{CALL} && exit 0; {end}"), 3000)
}

const REFUSED: &str = "suite: refused\njudges: client\nscenarios:\n  - scenario: it gives up\n    flow: refresh-token\n    \
    org: { answers: [{ to: api, respond: { status: 403, json: [{ errorCode: API_DISABLED_FOR_ORG }] } }] }\n    \
    expect: { exit: gave-up, requests: [{ to: token, count: 0 }] }\n";

#[test]
fn who_breaks_down_or_hangs_refuses_nothing() {
    if std::process::Command::new("curl").arg("--version").output().is_err() {
        // A machine without curl shows nothing here; .ci/run has one.
        return;
    }
    for (end, word) in [
        ("exit 1", Word::Pass),
        ("exit 7", Word::Inconclusive),
        ("kill -SEGV $$", Word::Inconclusive),
        ("sleep 60", Word::Fail),
    ] {
        let suites = vec![suite_of("refused.yaml", REFUSED)];
        let report = outcome(&Options { client: breaks(end), ..options(embedded(), suites) }).report;
        assert_eq!(report.scenarios[0].verdict, word, "`{end}`: {}", complaints(&report));
        let passes = report.checks.iter().filter(|check| check.verdict == Word::Pass).count();
        assert_eq!(passes > 0, word == Word::Pass, "`{end}`: {:?}", report.checks);
    }
}

#[test]
fn that_a_program_leaves_no_temporary_file_is_seen() {
    let source = REFUSED
        .replace("    org: { answers: [{ to: api, respond: { status: 403, json: [{ errorCode: API_DISABLED_FOR_ORG }] } }] }\n", "")
        .replace("    expect: { exit: gave-up, requests: [{ to: token, count: 0 }] }\n", "    checks: [secrets/temporary-files-hold-none]\n");
    let told = |script: &str| {
        let suites = vec![suite_of("temporary.yaml", &source)];
        let client = shell(&format!("{script}; {CALL}"), 5000);
        let report = outcome(&Options { client, ..options(embedded(), suites) }).report;
        report
            .checks
            .iter()
            .find(|row| row.check == "secrets/temporary-files-hold-none")
            .map(|row| row.verdict)
    };
    if std::process::Command::new("curl").arg("--version").output().is_ok() {
        assert_eq!(told("true"), Some(Word::Pass));
        assert_eq!(told("echo $GRANTCHECK_ACCESS_TOKEN > $TMPDIR/t"), Some(Word::Warn));
    }
}

#[test]
fn a_storm_is_told_in_three_numbers() {
    let storm = |client: Client| {
        let report = played(client, &["30 calls in flight share one renewal of a rotating token"]);
        let told = console(&report, Style { all: true, ..Style::default() });
        let row = report.scenarios[0].program.as_ref().and_then(|program| program.storm).unwrap();
        let StormRow { callers, renewals, invalid_grants, failed_calls } = row;
        let line = format!(
            "{callers} callers: renewals {renewals}, self-made invalid_grant {invalid_grants}, failed calls {failed_calls}"
        );
        assert!(told.contains(&line), "{told}");
        (callers, renewals, invalid_grants, failed_calls)
    };
    assert_eq!(storm(Client::default()), (30, 1, 0, 0));
    let wrong = wrong::find("everybody-renews").unwrap();
    let (_, renewals, invalid_grants, _) = storm(Client::Own(Wrongs::of(wrong)));
    assert!(renewals > 1 && invalid_grants > 0, "{renewals} {invalid_grants}");
}

#[test]
fn what_a_program_prints_tells_no_secret() {
    let script =
        "echo \"$GRANTCHECK_CLIENT_SECRET $GRANTCHECK_REFRESH_TOKEN $GRANTCHECK_ACCESS_TOKEN\" >&2; exit 1";
    let outcome = outcome(&Options {
        client: shell(script, 5000),
        selection: Selection { patterns: vec!["with a live token".into()] },
        ..options(embedded(), client_suites())
    });
    let mut redactor = outcome.redactor;
    let told = grantcheck::report::json(&grantcheck::report::redacted(&outcome.report, &mut redactor));
    assert!(told.contains("exit 1"), "{told}");
    for secret in ["1111111111111111", "5Aep861", "00Dxx0000000001!"] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[test]
fn what_a_program_file_takes_from_the_environment_stands_in_no_report() {
    let source = "command: [sh, -c, 'echo \"key=$API_KEY\" >&2; exit 1']\nflows: refresh-token\n\
                  env: { API_KEY: \"${KEY_OF_IT}\" }\nfolder: /\n";
    let text = grantcheck::diagnostic::Text::new("shell.yaml", source);
    let lookup = |_: grantcheck::suite::Lookup<'_>| Some("looked-up-key-0001".to_owned());
    let program =
        grantcheck::suite::read_program(&text, std::path::Path::new("shell.yaml"), &lookup).unwrap();
    let outcome = outcome(&Options {
        client: Client::Program(Arc::new(program)),
        selection: Selection { patterns: vec!["with a live token".into()] },
        ..options(embedded(), client_suites())
    });
    let mut redactor = outcome.redactor;
    let told = grantcheck::report::json(&grantcheck::report::redacted(&outcome.report, &mut redactor));
    assert!(told.contains("key=secret:") && !told.contains("looked-up-key"), "{told}");
}

#[test]
fn a_program_of_somebody_else_is_judged_by_what_it_asks() {
    let path = at("suites/programs/naive.yaml");
    let text = grantcheck::diagnostic::Text::new("naive.yaml", std::fs::read_to_string(&path).unwrap());
    let program = grantcheck::suite::read_program(&text, &path, &|_| None).unwrap();
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        // A machine without Python shows nothing here; .ci/run has one.
        return;
    }
    let client = Client::Program(Arc::new(program));
    let report = played(client, &["5 calls in flight share one renewal", "with a live token no renewal"]);
    let verdicts: Vec<_> = report.scenarios.iter().map(|row| (row.scenario.as_str(), row.verdict)).collect();
    let known = [
        ("5 calls in flight share one renewal", Word::Fail),
        ("with a live token no renewal is asked for", Word::Pass),
    ];
    assert_eq!(verdicts, known, "{}", complaints(&report));
}

#[test]
fn what_can_never_come_about_is_a_diagnostic() {
    let source = "suite: s\njudges: client\nscenarios:\n  - scenario: a\n    flow: refresh-token\n    \
        program: { calls: 5 }\n    org: { expire: { at_once: 5 } }\n";
    let problems = grantcheck::suite::read_suite(&grantcheck::diagnostic::Text::new("s.yaml", source), "s");
    let told = problems.unwrap_err().iter().map(ToString::to_string).collect::<String>();
    assert!(told.contains("5 calls are never in flight at once"), "{told}");
    let right = source.replace("calls: 5", "calls: 5, concurrency: 5");
    assert_eq!(suite_of("s.yaml", &right).scenarios.len(), 1);
}

/// A client that runs already, is told over HTTP what to do, and answers with that status.
async fn running(status: u16) -> (wiremock::MockServer, Client) {
    use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::method};
    let server = MockServer::start().await;
    let work = move |request: &Request| {
        let told: serde_json::Value = request.body_json().unwrap();
        assert_eq!(told["GRANTCHECK_CALLS"], "1", "{told}");
        assert!(told["GRANTCHECK_CLIENT_SECRET"].as_str().is_some_and(|secret| !secret.is_empty()));
        ResponseTemplate::new(status).set_body_string("no such thing")
    };
    Mock::given(method("POST")).respond_with(work).mount(&server).await;
    let Client::Program(program) = shell("", 5000) else { unreachable!("a shell is a program") };
    let trigger = Some(Trigger::Request(format!("{}/sync", server.uri())));
    let program = Program { command: Vec::new(), trigger, ..(*program).clone() };
    (server, Client::Program(Arc::new(program)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_runs_already_is_told_and_its_answer_counts() {
    for (status, word) in [(200, "no call of it was let in"), (500, "it gave up"), (501, "does not do this")]
    {
        let (server, client) = running(status).await;
        let report = tokio::task::spawn_blocking(move || {
            played(
                client,
                &["4 processes", "callers without a token", "a token request that failed for a moment"],
            )
        });
        let report = report.await.unwrap();
        assert_eq!((report.summary.pass, report.summary.fail), (0, 0), "{status}: {}", complaints(&report));
        let told = serde_json::to_string(&report).unwrap();
        assert!(told.contains(word), "{status}: {}", complaints(&report));
        assert!(told.contains("runs already: it is not started, and not killed"));
        drop(server);
    }
}

/// A play of a client that is set going by that URL.
fn triggered(url: String) -> Report {
    let Client::Program(program) = shell("", 5000) else { unreachable!("a shell is a program") };
    let program = Program { command: Vec::new(), trigger: Some(Trigger::Request(url)), ..(*program).clone() };
    played(Client::Program(Arc::new(program)), &["with a live token"])
}

#[test]
fn a_trigger_that_reaches_nobody_is_no_fail_of_the_client() {
    for (url, why) in [
        ("http://u:hush@127.0.0.1:1/sync?key=hush".to_owned(), "start the client that listens there"),
        // What a play fills in leads elsewhere.
        ("http://127.0.0.1${flow}.example/hush".to_owned(), "not on this machine"),
    ] {
        let report = triggered(url);
        let told = console(&report, Style::default());
        assert_eq!((report.summary.pass, report.summary.fail, report.exit()), (0, 0, 3), "{told}");
        assert!(report.summary.inconclusive > 0 && told.contains(why) && !told.contains("hush"), "{told}");
    }
}

#[test]
fn a_client_that_breaks_its_trigger_off_has_not_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/sync", listener.local_addr().unwrap());
    // Each connection is closed as soon as something was asked over it.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut first = [0; 1];
            let _ = std::io::Read::read(&mut stream.unwrap(), &mut first);
        }
    });
    let report = triggered(url);
    let told = complaints(&report);
    assert_eq!(report.summary.pass, 0, "{told}");
    assert!(told.contains("it ended in a way that is no answer: its trigger"), "{told}");
}

#[test]
fn a_program_that_is_cut_off_reaches_the_org_and_nothing_else() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let wall = runtime.block_on(Wall::possible(Path::new(env!("CARGO_BIN_EXE_grantcheck"))));
    // A port of this machine that is not the org's: open to whoever is not cut off.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    // Nor has it anything to read, which it would wait for.
    let script = format!(
        "cat; url=${{GRANTCHECK_ORG_URL#http://}}; host=${{url%:*}}; \
         (exec 3<>/dev/tcp/$host/${{url#*:}}) || exit 3; (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>&- && exit 4; exit 5"
    );
    let selection = Selection { patterns: vec!["callers without a token".into()] };
    for (wall, word) in [(None, "exit 4"), (wall, "exit 5")] {
        let Client::Program(program) = shell("", 20_000) else { unreachable!("a shell is a program") };
        let command = ["bash", "-c", &verbatim(&script)].map(str::to_owned).to_vec();
        let client = Client::Program(Arc::new(Program { command, ..(*program).clone() }));
        let (walled, selection) = (wall.is_some(), selection.clone());
        let options = Options { client, selection, wall, ..options(embedded(), client_suites()) };
        // Where users may make no networks, the program is not cut off, and that is told.
        let word = if walled { word } else { "exit 4" };
        let report = outcome(&options).report;
        let told = complaints(&report) + &console(&report, Style::default());
        assert!(told.contains(word), "{told}");
    }
}
