//! Suites with a server of their own: its stubs, what stands behind them, and what is said of their calls.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{
    complaints, embedded, files, options, org_suites, outcome, read, suite, suite_of, target_of,
};
use grantcheck::org::fault;
use grantcheck::report::{FindingRow, Report, Word};
use grantcheck::run::{Options, Selection};
use grantcheck::subject::{Canned, Stub, Stubs};
use grantcheck::suite::Suite;

fn shipped() -> Vec<Suite> {
    files("suites/stubs", ".yaml").iter().map(|path| suite(path)).collect()
}

fn play(source: &str) -> Report {
    outcome(&options(embedded(), vec![suite_of("suites/own.yaml", source)])).report
}

/// What failed in the first scenario.
fn failed(report: &Report) -> Vec<&FindingRow> {
    report.scenarios[0].findings.iter().filter(|finding| finding.verdict == Word::Fail).collect()
}

/// A suite of one scenario behind these stubs.
fn with(stubs: &str, steps: &str) -> String {
    format!("suite: own\njudges: org\nstubs:\n{stubs}\nscenarios:\n  - scenario: one\n    steps:\n{steps}\n")
}

#[test]
fn the_shipped_ones_hold_on_every_way() {
    let all = options(embedded(), shipped());
    for options in [Options { jobs: 1, ..all.clone() }, Options { socket: true, ..all }] {
        let report = outcome(&options).report;
        assert_eq!(complaints(&report), "");
        assert_eq!(report.summary.pass, 2);
        assert_eq!(report.unused_waivers, Vec::<String>::new());
    }
}

#[test]
fn each_stub_of_the_shipped_ones_is_needed() {
    for path in files("suites/stubs", ".yaml") {
        let stubs = suite(&path).scenarios[0].stubs.clone().unwrap();
        for at in 0..stubs.answers.len() {
            let mut suite = suite(&path);
            let mut fewer = Stubs::clone(&stubs);
            let left_out = fewer.answers.remove(at).name();
            suite.scenarios[0].stubs = Some(Arc::new(fewer));
            let report = outcome(&options(embedded(), vec![suite])).report;
            let verdict = report.scenarios[0].verdict;
            assert!(matches!(verdict, Word::Fail | Word::Warn), "{path} without {left_out}: {verdict:?}");
        }
    }
}

#[test]
fn a_wrong_number_of_calls_is_a_finding_where_the_suite_says_it() {
    for (called, calls, told) in [
        ("called: 2", 1, "exactly 2"),
        ("called: 0", 1, "exactly 0"),
        ("called: { at_least: 2 }", 1, "at least 2"),
        ("called: { at_most: 2 }", 3, "at most 2"),
        ("called: { at_least: 2, at_most: 3 }", 4, "2 to 3"),
    ] {
        let stub = format!("  answers:\n    - path: /ping\n      respond: {{ status: 204 }}\n      {called}");
        let source = with(&stub, "      - do: client-credentials\n")
            + &"      - do: call\n        path: /ping\n".repeat(calls);
        let report = play(&source);
        let findings = failed(&report);
        assert_eq!((report.scenarios[0].verdict, findings.len()), (Word::Fail, 1), "{called}: {findings:?}");
        assert_eq!(findings[0].expected, format!("{told} calls of the stub any method /ping"));
        assert_eq!(findings[0].observed, format!("it answered {calls} times"));
        assert!(findings[0].check.is_none() && findings[0].step.is_none());
        let at = findings[0].at.as_ref().unwrap();
        assert_eq!(at.line, 7, "{called}");
    }
}

#[test]
fn where_the_rest_was_left_out_too_few_calls_are_no_finding() {
    let stub = "  answers:\n    - path: /ping\n      respond: { status: 500 }\n    - path: /pong\n      respond: { status: 204 }\n      called: 1";
    let report = play(&with(
        stub,
        "      - do: client-credentials\n      - do: call\n        path: /ping\n      - do: call\n        path: /pong\n",
    ));
    let findings = failed(&report);
    assert!(findings.len() == 1 && findings[0].observed.contains("500"), "{findings:?}");
}

#[test]
fn what_no_stub_answers_is_not_there_where_they_stand_alone() {
    let stub = "  alone: true\n  answers:\n    - path: /ping\n      respond: { status: 204 }";
    let report = play(&with(stub, "      - do: client-credentials\n"));
    let observed = &report.scenarios[0].findings[0].observed;
    assert!(observed.contains("404"), "{observed}");
}

#[test]
fn an_answer_that_takes_longer_than_a_client_waits_is_none() {
    let stub = "  answers:\n    - path: /ping\n      respond: { status: 204, delay: 5s }";
    let source = with(stub, "      - do: client-credentials\n      - do: call\n        path: /ping\n");
    let suite = suite_of("suites/own.yaml", &source);
    let options = Options { within: Duration::from_millis(400), ..options(embedded(), vec![suite]) };
    let report = outcome(&options).report;
    assert_eq!(report.scenarios[0].verdict, Word::Fail);
    assert_eq!(report.scenarios[0].findings[0].observed, "no answer within 400 ms");
}

#[test]
fn the_clock_of_the_org_behind_can_be_advanced() {
    let stub = "  answers:\n    - path: /ping\n      respond: { status: 204 }";
    let report = play(&with(
        stub,
        "      - do: client-credentials\n      - do: call\n        step: before\n      - do: advance\n        by: 5h\n      - do: call\n        control: before\n        expect: { refused: access-token-invalid }\n",
    ));
    assert_eq!(complaints(&report), "");
}

#[test]
fn what_the_org_behind_does_wrong_shows() {
    let stub = "  answers:\n    - path: /ping\n      respond: { status: 204 }";
    let source = with(
        stub,
        "      - do: authorize\n      - do: redeem\n        step: first\n      - do: redeem\n        control: first\n        expect: { refused: code-already-used }\n",
    );
    assert_eq!(complaints(&play(&source)), "");
    let faults = vec![fault::find("code-reusable").unwrap()];
    let suite = suite_of("suites/own.yaml", &source);
    let report = outcome(&Options { faults, ..options(embedded(), vec![suite]) }).report;
    assert_eq!(report.scenarios[0].verdict, Word::Fail);
    assert!(report.checks.iter().any(|row| row.check == "code/works-once" && row.verdict == Word::Fail));
}

/// Whatever the shipped suites find on the org in process, they find behind a server whose stubs nobody asks for. Only
/// that requests at once collide takes an org that has them at once.
#[test]
fn the_org_behind_stubs_is_the_org() {
    let stub = Stub {
        method: None,
        path: "/nobody/asks/for/this".into(),
        params: Vec::new(),
        headers: Vec::new(),
        respond: Canned { status: 500, ..Canned::default() },
        at_most: None,
        called: None,
    };
    let stubs = Arc::new(Stubs { alone: false, answers: vec![stub] });
    let mut suites = org_suites();
    for scenario in suites.iter_mut().flat_map(|suite| &mut suite.scenarios) {
        scenario.stubs = Some(stubs.clone());
    }
    let selection = Selection { patterns: vec!["!check:salesforce/refresh-collision-has-its-text".into()] };
    let report = outcome(&Options { selection: selection.clone(), ..options(embedded(), suites) }).report;
    assert_eq!(complaints(&report), "");
    let plain = outcome(&Options { selection, ..options(embedded(), org_suites()) }).report;
    let evident = |report: &Report| -> Vec<_> {
        let rows = report.checks.iter().filter(|row| !row.check.contains("collision"));
        rows.map(|row| (row.check.clone(), row.verdict)).collect()
    };
    assert_eq!(evident(&report), evident(&plain));
}

#[test]
fn on_another_org_they_are_not_testable() {
    let target = target_of("suites/targets/own.yaml", &read("suites/targets/embedded.yaml"), &|_| None);
    let target = grantcheck::subject::Target { org: Some("http://127.0.0.1:9".into()), ..target };
    let report = outcome(&options(target, shipped())).report;
    assert_eq!(report.summary.not_testable, 2);
    let reason = report.scenarios[0].reason.as_deref().unwrap();
    assert_eq!(reason, "its stubs are served in place of the embedded org, and the target is another");
}
