//! A recording in place of its target: the same suites come to the same verdicts, and what cannot be said is not said.

use std::sync::Arc;

use crate::support::{complaints, embedded, options, org_suites, outcome, outcome_async, suite_of};
use grantcheck::oauth::salesforce::Profile;
use grantcheck::org::{Org, fault};
use grantcheck::report::{FindingRow, Report, Word};
use grantcheck::run::Options;
use grantcheck::subject::Target;
use grantcheck::transcript::{Recording, read, write};
use grantcheck::wire::Clock;
use grantcheck::wire::host::Host;

fn recorded(options: &Options) -> (Report, Arc<Recording>) {
    let mut outcome = outcome(options);
    let text = write(&outcome.transcript, &mut outcome.redactor);
    (outcome.report, Arc::new(Recording::new(read(&text).unwrap())))
}

/// Scenarios that cannot be replayed: the recorded verdicts of the others, and those of the replay.
fn compare(options: &Options, seed: u64) -> Vec<String> {
    let (before, recording) = recorded(options);
    let replay = Options {
        replay: Some(recording),
        faults: Vec::new(),
        socket: false,
        seed,
        begin: None,
        ..options.clone()
    };
    let after = outcome(&replay).report;
    assert_eq!(before.scenarios.len(), after.scenarios.len());
    let mut left_out = Vec::new();
    let mut wrong = Vec::new();
    for (was, is) in before.scenarios.iter().zip(&after.scenarios) {
        assert_eq!(was.scenario, is.scenario);
        if is.verdict == Word::NotTestable && was.verdict != Word::NotTestable {
            left_out.push(format!("{} › {}: {}", is.suite, is.scenario, is.reason.as_deref().unwrap_or("")));
        } else if was.verdict != is.verdict {
            wrong.push(format!(
                "{} › {}: {:?} instead of {:?}",
                is.suite, is.scenario, is.verdict, was.verdict
            ));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), complaints(&after));
    assert_eq!(after.summary.bugs, 0);
    left_out
}

#[test]
fn the_shipped_suites_come_to_the_same_verdicts() {
    let left_out = compare(&options(embedded(), org_suites()), 2);
    assert!(!left_out.is_empty() && left_out.len() < 20, "{}", left_out.join("\n"));
    for reason in &left_out {
        let known = ["no signature can be verified", "it looks into a token", "half a request"];
        assert!(known.iter().any(|known| reason.contains(known)), "{reason}");
    }
}

#[test]
fn over_a_socket_and_with_the_same_seed_as_well() {
    compare(&Options { socket: true, ..options(embedded(), org_suites()) }, 1);
}

#[test]
fn what_an_org_did_wrong_is_wrong_in_the_replay() {
    for name in ["code-reusable", "state-lost"] {
        let Some(fault) = fault::find(name) else { panic!("no fault {name}") };
        let mut options = Options { faults: vec![fault], ..options(embedded(), org_suites()) };
        options.target.profile = Profile::Rfc;
        compare(&options, 3);
    }
}

/// A suite of one scenario with these steps.
fn one(steps: &str) -> String {
    format!("suite: own\njudges: org\nscenarios:\n  - scenario: one\n    steps:\n{steps}")
}

#[test]
fn a_request_that_was_not_recorded_is_neither_passed_nor_failed() {
    let suite = |steps: &str| vec![suite_of("suites/own.yaml", &one(steps))];
    let (_, recording) = recorded(&options(
        embedded(),
        suite("      - do: authorize\n      - do: redeem\n      - do: call\n"),
    ));
    let replay = |steps: &str| {
        outcome(&Options { replay: Some(recording.clone()), seed: 9, ..options(embedded(), suite(steps)) })
            .report
    };
    assert_eq!(complaints(&replay("      - do: authorize\n      - do: redeem\n      - do: call\n")), "");
    for steps in [
        "      - do: authorize\n      - do: redeem\n        with: { redirect_uri: \"https://rogue.example\" }\n        expect: { refused: redirect-uri-mismatch }\n",
        "      - do: authorize\n      - do: redeem\n        without: code_verifier\n        expect: { status: [200, 400] }\n",
        "      - do: authorize\n      - do: redeem\n        times: 3\n        at_once: true\n        expect: { at_most: { 1: { status: 200 } } }\n",
        "      - do: authorize\n      - do: redeem\n      - do: call\n      - do: userinfo\n        together: true\n",
        "      - do: authorize\n      - do: redeem\n      - do: call\n        path: /services/data/v62.0/sobjects\n",
        "      - do: client-credentials\n",
    ] {
        let report = replay(steps);
        let row = &report.scenarios[0];
        assert_eq!(row.verdict, Word::Inconclusive, "{steps}{}", complaints(&report));
        let told = |text: &str| text.contains("the recording has no answer to this request");
        assert!(row.findings.iter().any(|finding| told(&finding.observed)), "{steps}{}", complaints(&report));
        let harsher = |finding: &&FindingRow| finding.verdict > Word::Inconclusive;
        assert!(!row.findings.iter().any(|finding| harsher(&finding)) && report.checks.is_empty(), "{steps}");
    }
}

#[test]
fn what_was_not_played_then_is_not_testable_now() {
    let (_, recording) =
        recorded(&options(embedded(), vec![suite_of("suites/own.yaml", &one("      - do: keys\n"))]));
    let others = one("      - do: keys\n").replace("scenario: one", "scenario: two");
    let options = Options {
        replay: Some(recording),
        ..options(embedded(), vec![suite_of("suites/own.yaml", &others)])
    };
    let report = outcome(&options).report;
    assert_eq!(report.scenarios[0].reason.as_deref(), Some("the recording has nothing of it"));
}

/// The target of the recorded run is gone when its recording answers: nothing is sent to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_a_foreign_org_answers_without_it() {
    let org = Arc::new(Org::new(&embedded(), &[], [7; 32]));
    let host = Host::start(org, Clock::real(), "127.0.0.1:0").await.unwrap();
    let target = Target { org: Some(host.url()), disposable: true, ..embedded() };
    let suites: Vec<_> = org_suites()
        .into_iter()
        .filter(|suite| suite.id.ends_with("web-server") || suite.id.ends_with("jwt-bearer"))
        .collect();
    let options = options(target, suites);
    let mut before = outcome_async(&options).await;
    host.stop().await;
    let text = write(&before.transcript, &mut before.redactor);
    let replay = Some(Arc::new(Recording::new(read(&text).unwrap())));
    let after = outcome_async(&Options { replay, seed: 5, ..options }).await;
    assert!(after.report.summary.pass > 20, "{}", after.report.summary.pass);
    for (was, is) in before.report.scenarios.iter().zip(&after.report.scenarios) {
        let same = was.verdict == is.verdict || is.verdict == Word::NotTestable;
        assert!(
            same,
            "{}: {:?} instead of {:?}\n{}",
            is.scenario,
            is.verdict,
            was.verdict,
            complaints(&after.report)
        );
    }
}

#[test]
fn an_answer_takes_as_long_as_it_took() {
    let suite = || {
        vec![suite_of(
            "suites/own.yaml",
            &one("      - do: keys\n        expect: { status: 200, within: 2s }\n"),
        )]
    };
    let mut before = outcome(&options(embedded(), suite()));
    assert_eq!(complaints(&before.report), "");
    for (took, verdict) in [(1_000_000, Word::Pass), (9_000_000, Word::Fail)] {
        before.transcript.exchanges.iter_mut().for_each(|x| x.took = took);
        let text = write(&before.transcript, &mut before.redactor);
        let replay = Some(Arc::new(Recording::new(read(&text).unwrap())));
        let after = outcome(&Options { replay, ..options(embedded(), suite()) });
        assert_eq!(after.report.scenarios[0].verdict, verdict, "{}", complaints(&after.report));
        assert_eq!(after.report.subject.org, "a recording of embedded");
        assert!(after.transcript.exchanges[0].response().unwrap().header("grantcheck-took").is_none());
    }
}
