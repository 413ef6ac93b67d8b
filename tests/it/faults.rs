//! Every check is seen to fail: each fault of the org makes its set of checks fail, and no other.

use std::collections::BTreeSet;
use tokio::sync::{mpsc, watch};

use crate::support::{embedded, options, org_suites, outcome, read, suite_of};
use grantcheck::catalog::{self, Party};
use grantcheck::org::fault::{self, Fault};
use grantcheck::report::{CheckRow, Word};
use grantcheck::run::Options;
use grantcheck::score::{Fate, Matrix, checks_of, profile_of, score};
use grantcheck::suite::Suite;

#[test]
fn every_check_stands_in_the_set_of_a_fault() {
    let covered: BTreeSet<&str> = fault::all().iter().flat_map(checks_of).collect();
    let missing: Vec<&str> = catalog::all()
        .filter(|check| check.binds == Party::Org && !covered.contains(check.id))
        .map(|check| check.id)
        .collect();
    assert!(missing.is_empty(), "no fault makes these fail: {missing:?}");
}

#[test]
fn every_origin_of_a_fault_is_a_check() {
    let known: BTreeSet<&str> = catalog::all().map(|check| check.origin).collect();
    let unknown: Vec<_> = fault::all()
        .iter()
        .filter(|fault| !fault.origins.iter().all(|origin| known.contains(origin)))
        .collect();
    assert!(unknown.is_empty(), "no check is drawn from an origin of {unknown:?}");
}

/// Scores with a clock that begins at one moment.
fn scored(suites: Vec<Suite>, faults: &[&'static Fault]) -> Matrix {
    let options = Options { begin: Some(1_800_000_000_000), ..options(embedded(), suites) };
    let (tell, _told) = mpsc::unbounded_channel();
    let (_stop, stopped) = watch::channel(false);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(score(&options, faults, tell, stopped)).unwrap()
}

#[test]
fn every_fault_is_caught_by_the_scenarios_of_its_checks() {
    let mut survived = Vec::new();
    let all = org_suites();
    // A user who may not log in is no unknown one: where the org is right, its refusal says nothing about the check.
    let by_others = ["jwt-inactive"];
    for fault in fault::all().iter().filter(|fault| !by_others.contains(&fault.name)) {
        let wanted = checks_of(fault);
        // Only scenarios that name one of the checks; one of them must catch it. Where none does, all of them.
        let mut suites = all.clone();
        for suite in &mut suites {
            suite.scenarios.retain(|s| s.checks.iter().any(|check| wanted.contains(check.as_str())));
        }
        suites.retain(|suite| !suite.scenarios.is_empty());
        if suites.is_empty() {
            suites.clone_from(&all);
        }
        let mut target = embedded();
        target.profile = profile_of(fault, target.profile);
        let report = outcome(&Options { faults: vec![fault], ..options(target, suites) }).report;
        let failed = |row: &CheckRow| matches!(row.verdict, Word::Fail | Word::Warn | Word::Note);
        if !report.checks.iter().any(|row| failed(row) && wanted.contains(row.check.as_str())) {
            survived.push(fault.name);
        }
    }
    assert!(survived.is_empty(), "nothing catches: {survived:?}");
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
    let named = ["jwt-exp-ignored", "jwt-wrong-user", "code-reusable"].map(|name| fault::find(name).unwrap());
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
    let matrix =
        scored(vec![suite_of("suites/wrong.yaml", suite)], &[fault::find("jwt-exp-ignored").unwrap()]);
    assert_eq!(matrix.unsound, ["suites/wrong › a token does not come"]);
    assert_eq!(matrix.rows[0].fate, Fate::Unseen);
}

/// What is written down is of these faults and these checks; whether it is true, `.ci/run` finds out by playing it.
#[test]
fn the_written_matrix_has_every_fault_with_its_checks() {
    let written = read("docs/mutants.md");
    for fault in fault::all() {
        let checks: Vec<String> = checks_of(fault).into_iter().map(|check| format!("`{check}`")).collect();
        let row = format!("| `{}` | {} | {} |", fault.name, fault.doc, checks.join(", "));
        assert!(
            written.contains(&row),
            "docs/mutants.md is not fresh: `grantcheck score --markdown docs/mutants.md`"
        );
    }
    assert_eq!(written.matches("\n| `").count(), fault::all().len());
}
