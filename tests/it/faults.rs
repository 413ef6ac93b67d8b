//! Every check is seen to fail: each fault of the org, and each wrong of our own client, makes its set of checks fail,
//! and no other.

use std::collections::BTreeSet;
use tokio::sync::{mpsc, watch};

use crate::support::{client_suites, embedded, options, org_suites, outcome, read, suite_of};
use grantcheck::catalog::{self, Party};
use grantcheck::org::fault;
use grantcheck::report::{CheckRow, Report, Word};
use grantcheck::run::{Options, judge_recording};
use grantcheck::score::{AT_TIMES, Fate, Matrix, Mutant, at_times, checks_of, profile_of, score};
use grantcheck::suite::Suite;

#[test]
fn every_check_stands_in_the_set_of_a_fault_or_a_wrong() {
    let covered: BTreeSet<&str> = Mutant::all().flat_map(checks_of).collect();
    let missing: Vec<&str> =
        catalog::all().map(|check| check.id).filter(|check| !covered.contains(check)).collect();
    assert!(missing.is_empty(), "nothing makes these fail: {missing:?}");
}

#[test]
fn every_origin_is_a_check() {
    let known =
        |origin: &str, party| catalog::all().any(|check| check.origin == origin && check.binds == party);
    let unknown: Vec<_> = Mutant::all()
        .filter(|mutant| !mutant.origins().iter().all(|origin| known(origin, mutant.party())))
        .collect();
    assert!(unknown.is_empty(), "no check is drawn from an origin of {unknown:?}");
}

/// Scores with a clock that begins at one moment.
fn scored(suites: Vec<Suite>, mutants: &[Mutant]) -> Matrix {
    let options = Options { begin: Some(1_800_000_000_000), ..options(embedded(), suites) };
    let (tell, _told) = mpsc::unbounded_channel();
    let (_stop, stopped) = watch::channel(false);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(score(&options, mutants, tell, stopped)).unwrap()
}

/// The checks that failed.
fn failed(report: &Report) -> BTreeSet<String> {
    let failed = |row: &&CheckRow| matches!(row.verdict, Word::Fail | Word::Warn | Word::Note);
    report.checks.iter().filter(failed).map(|row| row.check.clone()).collect()
}

/// Checks that compare parts of secrets, of which a recording has fingerprints alone.
const ONLY_LIVE: [&str; 1] = ["answer/token-is-sent-as-it-came"];

#[test]
fn each_fault_is_caught_by_the_scenarios_of_its_checks() {
    // A user who may not log in is no unknown one: where the org is right, its refusal says nothing about the check.
    let by_others = ["jwt-inactive"];
    let faults = Mutant::all().filter(|mutant| mutant.party() == Party::Org);
    each_is_caught(faults.filter(|mutant| !by_others.contains(&mutant.name())));
}

// In two halves, which are played beside each other: most of the time goes by in them.

#[test]
fn each_wrong_of_the_first_half_is_caught_by_the_scenarios_of_its_checks() {
    each_is_caught(wrongs().enumerate().filter(|(i, _)| i % 2 == 0).map(|(_, wrong)| wrong));
}

#[test]
fn each_wrong_of_the_second_half_is_caught_by_the_scenarios_of_its_checks() {
    each_is_caught(wrongs().enumerate().filter(|(i, _)| i % 2 == 1).map(|(_, wrong)| wrong));
}

fn wrongs() -> impl Iterator<Item = Mutant> {
    Mutant::all().filter(|mutant| mutant.party() == Party::Client)
}

fn each_is_caught(mutants: impl Iterator<Item = Mutant>) {
    let mut survived = Vec::new();
    let (org, client) = (org_suites(), client_suites());
    for mutant in mutants {
        let wanted = checks_of(mutant);
        let all = if mutant.party() == Party::Org { &org } else { &client };
        // Only scenarios that name one of the checks; one of them must catch it. Where none does, all of them.
        let mut suites = all.clone();
        for suite in &mut suites {
            suite.scenarios.retain(|s| s.checks.iter().any(|check| wanted.contains(check.as_str())));
        }
        suites.retain(|suite| !suite.scenarios.is_empty());
        if suites.is_empty() {
            suites.clone_from(all);
        }
        let mut target = embedded();
        target.profile = profile_of(mutant, target.profile);
        let options = options(target, suites);
        let mut outcome = outcome(&mutant.played(&options));
        if mutant.party() == Party::Client {
            // What a judge of a client looks at must be in a recording, and secrets are not.
            let text = grantcheck::transcript::write(&outcome.transcript, &mut outcome.redactor);
            let recorded = judge_recording(&grantcheck::transcript::read(&text).unwrap(), "recording", None);
            let live: BTreeSet<String> = failed(&outcome.report)
                .into_iter()
                .filter(|check| !ONLY_LIVE.contains(&check.as_str()))
                .collect();
            if failed(&recorded) != live {
                survived.push(mutant.name());
            }
        }
        let report = outcome.report;
        // What no check is drawn from is seen by what a suite expects.
        let by_expectation = wanted.is_empty() && report.summary.fail > 0;
        let by_check = failed(&report).iter().any(|check| wanted.contains(check.as_str()));
        if !by_expectation && !by_check {
            survived.push(mutant.name());
        }
    }
    assert!(survived.is_empty(), "nothing catches, or not of a recording: {survived:?}");
}

fn of_the_org(name: &str) -> Mutant {
    Mutant::Org(fault::find(name).unwrap())
}

#[test]
fn a_suite_of_ones_own_is_told_what_it_would_not_notice() {
    let suite = "
suite: own
judges: org
scenarios:
  - scenario: a token comes
    steps: [{ do: jwt-bearer }]
  - scenario: an old assertion
    steps: [{ do: jwt-bearer, with: { exp: -5m }, expect: { status: [2xx, 4xx] } }]
";
    let named = ["jwt-exp-ignored", "jwt-wrong-user", "code-reusable"].map(of_the_org);
    let matrix = scored(vec![suite_of("suites/own.yaml", suite)], &named);
    let fates: Vec<Fate> = matrix.rows.iter().map(|row| row.fate).collect();
    // Nobody asks whose token it is, and nobody redeems a code.
    assert_eq!(fates, [Fate::Caught, Fate::Survived, Fate::Unseen]);
    assert_eq!(matrix.unsound, [""; 0]);
}

#[test]
fn what_a_suite_says_of_the_faultless_org_counts_for_nothing() {
    let suite = "
suite: wrong
judges: org
scenarios:
  - scenario: a token does not come
    steps: [{ do: jwt-bearer, expect: { status: 201 } }]
";
    let matrix = scored(vec![suite_of("suites/wrong.yaml", suite)], &[of_the_org("jwt-exp-ignored")]);
    assert_eq!(matrix.unsound, ["suites/wrong › a token does not come"]);
    assert_eq!(matrix.rows[0].fate, Fate::Unseen);
}

/// What is written down is of these faults and these checks; whether it is true, `.ci/run` finds out by playing it.
#[test]
fn the_written_matrix_has_each_with_its_checks() {
    let written = read("docs/mutants.md");
    // A wrong that no check is drawn from is noticed by what suites expect.
    for mutant in Mutant::all().filter(|m| m.party() == Party::Org || !checks_of(*m).is_empty()) {
        let checks: Vec<String> = checks_of(mutant).into_iter().map(|check| format!("`{check}`")).collect();
        let row = format!("| `{}` | {} | {} |", mutant.name(), mutant.doc(), checks.join(", "));
        assert!(
            written.contains(&row),
            "docs/mutants.md is not fresh: `grantcheck score --markdown docs/mutants.md`"
        );
    }
    assert!(written.contains(&at_times()), "docs/mutants.md is not fresh");
    for (name, check) in AT_TIMES {
        assert!(Mutant::all().any(|mutant| mutant.name() == name), "{name}");
        assert!(catalog::find(check).is_some(), "{check}");
    }
    let names = Mutant::all().map(|mutant| format!("| `{}` |", mutant.name())).collect::<Vec<_>>();
    let unknown = written
        .lines()
        .filter(|line| line.starts_with("| `") && !names.iter().any(|name| line.starts_with(name)));
    assert_eq!(unknown.collect::<Vec<_>>(), [""; 0]);
}
