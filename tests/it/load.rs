//! Scenarios under load. Nothing here depends on how fast a machine is: runs end after so many plays.

use bytes::Bytes;
use grantcheck::load::quick::Quick;
use grantcheck::org::fault;
use grantcheck::report::Word;
use grantcheck::transcript::{Answer, Part, Response};
use grantcheck::wire::line::Raw;
use serde_json::Value;

use crate::support::{Folder, answering, embedded, files, options, outcome, root, suite};

/// Runs `load` in process: exit code, standard output with errors, and the JSON report where one was written.
pub fn load(name: &str, arguments: &[&str]) -> (u8, String, Value) {
    let report = scratch(&format!("load-{name}.json"));
    let json = format!("json={}", report.display());
    let (exit, text) = said(&[&["load", "--report", &json], arguments].concat());
    let told = std::fs::read_to_string(&report).unwrap_or_else(|_| "null".into());
    let _ = std::fs::remove_file(&report);
    (exit, text, serde_json::from_str(&told).unwrap())
}

/// Runs any command in process: exit code and everything that it said.
pub fn said(arguments: &[&str]) -> (u8, String) {
    let (exit, out, err) = answering(arguments, true, &[]);
    (exit, out + &err)
}

/// What the published schema has against a report.
fn against_schema(report: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(&grantcheck::load::report::schema()).unwrap();
    validator.iter_errors(report).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

#[test]
fn parts_of_a_run_are_put_together() {
    let suite = path("suites/load/soak.yaml");
    let folder = Folder::new("load-parts");
    let start = jiff_now();
    let part = |shard: &str, more: &[&str]| {
        let file = folder.join(format!("{}.json", shard.replace('/', "-of-")));
        let report = format!("json={}", file.display());
        let mut all =
            vec!["load", &suite, "--users", "5", "--pacing", "1ms", "--count", "31", "--warm-up", "0s"];
        all.extend(["--threshold", "rate > 0/s", "--threshold", "errors < 1", "--start-at", &start]);
        all.extend(["--shard", shard, "--report", &report]);
        all.extend(more);
        let (exit, text) = said(&all);
        assert_eq!(exit, 0, "{text}");
        assert!(text.contains(&format!("shard {shard} of it")), "{text}");
        file.display().to_string()
    };
    let files = [part("0/3", &[]), part("1/3", &[]), part("2/3", &[])];
    let whole = scratch("load-whole.json");
    let json = format!("json={}", whole.display());
    let (exit, text) = said(&["merge", &folder.display().to_string(), "--report", &json]);
    assert_eq!(exit, 0, "{text}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&whole).unwrap()).unwrap();
    assert_eq!(against_schema(&report), Vec::<String>::new());
    assert_eq!((&report["plays"][0]["pass"], &report["total"]["latency"]["count"]), (&31.into(), &31.into()));
    assert_eq!(report["thresholds"].as_array().unwrap().len(), 4, "{text}");
    let requests = |report: &Value| -> u64 {
        report["series"].as_array().unwrap().iter().map(|point| point["requests"].as_u64().unwrap()).sum()
    };
    assert_eq!(requests(&report), 31);
    // Ten, ten and eleven: nobody's share is another's.
    let mut shares = Vec::new();
    for file in &files {
        let report: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert_eq!(against_schema(&report), Vec::<String>::new());
        shares.push(report["plays"][0]["pass"].as_u64().unwrap());
    }
    assert_eq!(shares, [11, 10, 10]);
    let (exit, text) = said(&["merge", &files[0], &files[2]]);
    assert!(exit == 2 && text.contains("shard 1/3 is missing"), "{text}");
    let (exit, text) = said(&["merge", &files[0], &files[2], "--allow", "missing"]);
    assert!(exit == 3 && text.contains("inconclusive"), "{text}");
    let (exit, text) = said(&["merge", &whole.display().to_string()]);
    assert!(exit == 2 && text.contains("report of a whole run"), "{text}");
    // The same shard of another plan.
    for more in [["--seed", "2"], ["--within", "9s"]] {
        let other = part("1/3", &more);
        let (exit, text) = said(&["merge", &files[0], &other, &files[2]]);
        assert!(exit == 2 && text.contains("of different runs"), "{more:?} {text}");
    }
}

/// Now, as RFC 3339.
fn jiff_now() -> String {
    jiff::Timestamp::from_millisecond(grantcheck::wire::clock::real_now()).unwrap().to_string()
}

/// A file in the folder that cargo keeps for tests.
fn scratch(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

pub fn path(name: &str) -> String {
    root().join(name).display().to_string()
}

pub fn own(name: &str, source: &str) -> String {
    let path = scratch(&format!("load-{name}.yaml"));
    std::fs::write(&path, source).unwrap();
    path.display().to_string()
}

#[test]
fn every_play_is_judged_and_counted() {
    let suite = path("suites/load/token.yaml");
    let (exit, text, report) = load("token", &[&suite, "--users", "4", "--count", "60", "--warm-up", "0s"]);
    assert_eq!(exit, 0, "{text}");
    let plays = report["plays"].as_array().unwrap();
    assert_eq!(plays.len(), 3);
    let pass: u64 = plays.iter().map(|play| play["pass"].as_u64().unwrap()).sum();
    assert_eq!(pass, 60, "{text}");
    // Each in its turn: equal weights are equal numbers, but for the last round of each thread.
    assert!(plays.iter().all(|play| (15..=25).contains(&play["pass"].as_u64().unwrap())), "{text}");
    let total = &report["total"];
    assert_eq!(total["requests"], total["latency"]["count"]);
    assert_eq!((&total["errors"], &report["verdict"]), (&0.into(), &"pass".into()));
    assert!(report["signing"]["took"]["count"].as_u64().unwrap() >= 20, "{text}");
    assert!(report["catalogue"]["checks"].as_array().unwrap().len() > 10);
    // Nobody logs in twice over one connection more than it needs: each user kept its own.
    assert_eq!(report["connect"]["count"], 4, "{text}");
}

#[test]
fn what_does_not_hold_once_is_not_loaded() {
    let suite = path("suites/load/token.yaml");
    let (exit, text, report) =
        load("fault", &[&suite, "--count", "10", "--users", "1", "--fault", "token-as-text"]);
    assert_eq!(exit, 1, "{text}");
    assert!(text.contains("nothing was loaded") && text.contains("header content-type"), "{text}");
    assert_eq!(report, Value::Null);
}

#[test]
fn what_holds_once_and_not_again_is_seen_under_load() {
    // The refresh token rotates: whoever presents the one of the login again is refused.
    let source = "suite: s\njudges: org\napp: public\nscenarios:\n- scenario: a\n  steps:\n  - do: authorize\n  - do: redeem\n  - { do: refresh }\n";
    let suite = own("once", source);
    let arguments = [&*suite, "--users", "1", "--count", "10", "--tokens", "shared"];
    let (exit, text, report) = load("once", &arguments);
    assert_eq!(exit, 1, "{text}");
    assert_eq!((&report["plays"][0]["pass"], &report["plays"][0]["fail"]), (&1.into(), &9.into()), "{text}");
    assert_eq!(report["total"]["errors"], 9);
    let finding = &report["findings"][0];
    assert_eq!((&finding["times"], &finding["at"]["line"]), (&9.into(), &9.into()), "{text}");
    assert_eq!(against_schema(&report), Vec::<String>::new());
    assert!(text.contains("200 with an access token") && text.contains("invalid_grant"), "{text}");
    // Where a threshold says how many errors there may be, it decides.
    for (threshold, holds) in [("errors < 95%", true), ("refresh: errors < 5", false)] {
        let mut all = arguments.to_vec();
        all.extend(["--threshold", threshold]);
        let (_, text, report) = load("once-bounded", &all);
        assert_eq!(report["thresholds"][0]["holds"], holds, "{text}");
        let because = report["because"].as_array().unwrap();
        assert!(!because.iter().any(|why| why.as_str().unwrap().contains("times expected")), "{text}");
    }
}

#[test]
fn a_session_that_outlives_plays_is_got_once() {
    let suite = path("suites/load/soak.yaml");
    let arguments = ["--users", "6", "--pacing", "1ms", "--count", "40", "--warm-up", "0s", "--tokens"];
    for (tokens, sessions) in [("shared", 1), ("pool=3", 3), ("per-user", 6)] {
        let mut all = vec![suite.as_str()];
        all.extend(arguments);
        all.push(tokens);
        let (exit, text, report) = load(tokens, &all);
        assert_eq!(exit, 0, "{text}");
        assert_eq!(report["sessions"]["sessions"], sessions, "{text}");
        assert_eq!(report["sessions"]["logins"]["count"], sessions, "{text}");
        assert_eq!(
            (&report["sessions"]["renewals"]["count"], &report["total"]["requests"]),
            (&0.into(), &40.into())
        );
    }
}

#[test]
fn a_dead_token_is_renewed_once_and_the_request_sent_again() {
    let source = "suite: s\njudges: org\nscenarios:\n- scenario: a\n  steps:\n  - do: jwt-bearer\n  - do: call\n  - do: revoke\n";
    let suite = own("revokes", source);
    let (exit, text, report) =
        load("revokes", &[&suite, "--users", "1", "--count", "10", "--tokens", "shared"]);
    assert_eq!(exit, 0, "{text}");
    let sessions = &report["sessions"];
    assert_eq!((&sessions["renewals"]["count"], &sessions["refused"]), (&9.into(), &9.into()), "{text}");
    // What was refused is in no step: ten calls and ten revocations, of which nine calls waited.
    assert_eq!(
        (&report["total"]["requests"], &report["total"]["waited_for_renewal"]),
        (&20.into(), &9.into())
    );
    assert_eq!(report["total"]["statuses"]["200"], 20, "{text}");
}

#[test]
fn a_herd_costs_one_renewal_a_session() {
    let suite = path("suites/load/renewal-herd.yaml");
    for (tokens, sessions) in [("shared", 1), ("pool=3", 3)] {
        let arguments = [
            &*suite, "--users", "4", "--pacing", "50ms", "--for", "400ms", "--herd", "300", "--tokens",
            tokens,
        ];
        let (exit, text, report) = load(&format!("herd-{tokens}"), &arguments);
        assert_eq!(exit, 0, "{text}");
        let herd = &report["herd"];
        assert_eq!((&herd["callers"], &herd["failed"]), (&300.into(), &0.into()), "{text}");
        assert_eq!(herd["renewals"], sessions, "{text}");
        assert_eq!(against_schema(&report), Vec::<String>::new());
        assert!(report["sessions"]["refused"].as_u64().unwrap() >= 300, "{text}");
    }
}

#[test]
fn assertions_are_signed_as_often_as_is_asked() {
    let suite = path("suites/load/token.yaml");
    let arguments = [
        &*suite,
        "--select",
        "JWT bearer",
        "--users",
        "2",
        "--count",
        "30",
        "--warm-up",
        "0s",
        "--assertion",
    ];
    for (policy, during, before) in
        [("fresh", 30..=30, 0), ("reuse", 1..=2, 0), ("presigned=20", 10..=10, 20)]
    {
        let mut all = arguments.to_vec();
        all.push(policy);
        let (exit, text, report) = load(&format!("sign-{}", &policy[..5]), &all);
        assert_eq!(exit, 0, "{text}");
        let signing = &report["signing"];
        assert!(during.contains(&signing["took"]["count"].as_u64().unwrap()), "{policy} {text}");
        assert_eq!(signing["presigned"], before, "{policy} {text}");
    }
}

#[test]
fn what_cannot_be_is_told_before_anything_is_played() {
    let suite = path("suites/load/token.yaml");
    let cases: &[(&[&str], &str)] = &[
        (&["--rate", "x"], "`--rate x` is not understood"),
        (&["--threshold", "p99"], "p99 < 250ms"),
        (&["--tokens", "sharde"], "`pool=N`"),
        (&["--herd", "5"], "each play gets its own"),
        (&["--select", "no such scenario"], "no scenario is selected"),
        (&["--report", "pdf=x"], "`json=FILE`"),
        (&["--warm-up", "1h"], "takes the whole run"),
        (&["--shard", "3/3"], "`--shard 3/3` is no part"),
        (&["--start-at", "2001-01-01T00:00:00Z"], "the run would be over"),
        (&["--start-at", "2999-01-01T00:00:00Z"], "more than a day ahead"),
        (
            &["--threshold", "no such step: p99 < 1ms"],
            "`load/token › client credentials › 1 client-credentials`",
        ),
        (&["--rate", "0", "--for", "1s", "--warm-up", "0s"], "nobody ever plays"),
    ];
    for (arguments, told) in cases {
        let mut all = vec![suite.as_str()];
        all.extend(*arguments);
        let (exit, text, _) = load("wrong", &all);
        assert_eq!(exit, 2, "{text}");
        assert!(text.contains(told), "{arguments:?}: {text}");
    }
}

#[test]
fn what_cannot_be_played_is_not_vouched_for() {
    let source = "suite: s\njudges: org\nscenarios:\n- scenario: calls\n  steps: [{ do: jwt-bearer }, { do: call }]\n\
                  - scenario: logs in\n  steps: [{ do: jwt-bearer }]\n";
    let suite = own("two", source);
    let arguments = [&*suite, "--users", "1", "--count", "5", "--tokens"];
    let with = |tokens: &'static str| load(&format!("two-{tokens}"), &[&arguments[..], &[tokens]].concat());
    let (exit, text, report) = with("shared");
    assert_eq!((exit, &report["verdict"]), (3, &"inconclusive".into()), "{text}");
    assert!(report["run"]["unplayed"][0].as_str().unwrap().ends_with(" › logs in"), "{text}");
    assert!(text.contains(" › logs in: it was selected and not played"), "{text}");
    assert_eq!(against_schema(&report), Vec::<String>::new());
    assert_eq!(with("fresh").0, 0);
    // The bridge has no class of it, and says so.
    let bridge = scratch("load-two.py").display().to_string();
    let (exit, text) = said(&["worker", "--bridge", &bridge, &suite, "--tokens", "shared"]);
    assert!(
        exit == 0 && text.contains("1 scenarios") && text.contains(" › logs in cannot be played"),
        "{text}"
    );
    assert!(!std::fs::read_to_string(&bridge).unwrap().contains("logs in"));
}

#[test]
fn a_part_without_users_has_nothing_to_do_and_is_merged() {
    let suite = path("suites/load/soak.yaml");
    let folder = Folder::new("load-idle");
    let start = jiff_now();
    for shard in ["0/2", "1/2"] {
        let report = format!("json={}", folder.join(format!("{}.json", &shard[..1])).display());
        let mut all = vec!["load", &suite, "--users", "1", "--pacing", "10ms", "--warm-up", "0s"];
        all.extend(["--for", "20s", "--count", "10", "--start-at", &start, "--tokens", "per-user"]);
        all.extend(["--shard", shard, "--report", &report]);
        let (exit, text) = said(&all);
        assert_eq!(
            (exit, text.contains("nothing of the run falls to this part")),
            (0, shard == "1/2"),
            "{text}"
        );
    }
    let (exit, text) = said(&["merge", &folder.display().to_string()]);
    assert_eq!(exit, 0, "{text}");
}

/// Nobody waits a minute for nothing.
#[test]
fn where_nothing_can_be_played_nothing_is_loaded() {
    let suite = path("suites/org/web-server.yaml");
    let select = ["--select", "redemptions of one code at once"];
    let all = ["load", &suite, "--users", "1", "--for", "10m"];
    let (exit, text) = said(&[&all[..], &select].concat());
    assert_eq!(exit, 3, "{text}");
    assert!(text.contains("nothing was loaded"), "{text}");
}

#[test]
fn callers_of_a_herd_have_a_session_where_no_user_is() {
    let suite = path("suites/load/renewal-herd.yaml");
    let mut all = vec![&*suite, "--users", "1", "--pacing", "50ms", "--for", "400ms", "--herd", "6"];
    all.extend(["--tokens", "per-user", "--shard", "1/2"]);
    let (exit, text, report) = load("herd-idle", &all);
    assert_eq!((exit, &report["bugs"], &report["herd"]["failed"]), (0, &0.into(), &0.into()), "{text}");
}

#[test]
fn a_run_that_reached_its_count_took_as_long_as_that() {
    let suite = path("suites/load/token.yaml");
    let arguments = [
        &*suite,
        "--users",
        "1",
        "--count",
        "5",
        "--for",
        "1h",
        "--warm-up",
        "0s",
        "--threshold",
        "rate > 1/s",
    ];
    let (exit, text, report) = load("counted", &arguments);
    assert_eq!(exit, 0, "{text}");
    assert!(report["counted_ms"].as_f64().unwrap() < 600_000.0, "{text}");
}

#[test]
fn users_of_an_open_run_log_in_when_they_come() {
    let source =
        "suite: s\njudges: org\nscenarios:\n- scenario: a\n  steps: [{ do: jwt-bearer }, { do: call }]\n";
    let suite = own("open", source);
    let arguments = ["--rate", "50", "--count", "20", "--warm-up", "0s", "--tokens", "per-user"];
    let (exit, text, report) = load("open-per-user", &[&[&*suite][..], &arguments[..]].concat());
    assert_eq!(exit, 0, "{text}");
    let sessions = &report["sessions"];
    let logins = sessions["logins"]["count"].as_u64().unwrap();
    assert!((1..=20).contains(&logins), "{text}");
    assert_eq!(
        (&sessions["sessions"], &sessions["renewals"]["count"]),
        (&logins.into(), &0.into()),
        "{text}"
    );
}

/// What the short way says yes to, the judge of a run has nothing against: on every exchange of every shipped suite, with
/// the faultless org and with many that do wrong.
#[test]
fn the_short_way_never_says_yes_where_a_run_says_no() {
    let names = [
        "token",
        "client-credentials",
        "jwt-bearer",
        "refresh",
        "userinfo",
        "introspection",
        "resource",
        "web-server",
    ];
    let suites: Vec<_> = names
        .iter()
        .map(|name| suite(&format!("suites/org/{name}.yaml")))
        .chain(files("suites/load", ".yaml").iter().map(|path| suite(path)))
        .collect();
    let (mut yes, mut asked) = (0, 0);
    let faults = std::iter::once(None).chain(fault::all().iter().step_by(12).map(Some));
    for fault in faults {
        let mut options = options(embedded(), suites.clone());
        options.faults = fault.into_iter().collect();
        let outcome = outcome(&options);
        for row in outcome.report.scenarios.iter().filter(|row| row.verdict != Word::NotTestable) {
            let scenario = suites
                .iter()
                .flat_map(|s| &s.scenarios)
                .find(|s| s.name == row.scenario && s.suite == row.suite)
                .unwrap();
            let name = scenario.full_name();
            let of = |x: &&grantcheck::transcript::Exchange| x.scenario == name && x.part == Part::Scenario;
            for x in outcome.transcript.exchanges.iter().filter(of) {
                let Some(step) = scenario.steps.get(x.step).filter(|step| step.action.name() == x.action)
                else {
                    continue;
                };
                let (Some(quick), Answer::Response(response)) = (Quick::of(step), &x.answer) else {
                    continue;
                };
                let raw = raw(response);
                let says_yes = quick.holds(&raw, quick.read(&raw).as_ref(), x.took);
                asked += 1;
                yes += usize::from(says_yes);
                let against =
                    row.findings.iter().find(|f| f.check.is_none() && f.exchanges.contains(&x.number));
                assert!(!says_yes || against.is_none(), "{name}: {against:?}");
            }
        }
    }
    assert!(yes * 10 > asked * 8, "it must be worth something: {yes} of {asked}");
}

fn raw(response: &Response) -> Raw {
    let mut headers = http::HeaderMap::new();
    for (name, value) in &response.headers {
        let (name, value) =
            (http::HeaderName::try_from(name.as_str()), http::HeaderValue::try_from(value.as_str()));
        headers.append(name.unwrap(), value.unwrap());
    }
    Raw { status: response.status, headers, body: Bytes::from(response.body.clone()) }
}
