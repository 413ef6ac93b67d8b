//! Every check is seen to fail: each fault of the org makes its set of checks fail, and no other.

use std::collections::BTreeSet;
use tokio::sync::{mpsc, watch};

use crate::support::{embedded, golden, options, org_suites, suite_of};
use grantcheck::catalog::{self, Party};
use grantcheck::org::fault::{self, Fault};
use grantcheck::run::Options;
use grantcheck::score::{Fate, Matrix, checks_of, markdown, score};
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
    for fault in fault::all() {
        let wanted = checks_of(fault);
        // Only scenarios that name one of the checks; one of them must catch it.
        let mut suites = all.clone();
        for suite in &mut suites {
            suite.scenarios.retain(|s| s.checks.iter().any(|check| wanted.contains(check.as_str())));
        }
        suites.retain(|suite| !suite.scenarios.is_empty());
        if suites.is_empty() {
            suites.clone_from(&all);
        }
        let matrix = scored(suites, &[fault]);
        if matrix.rows[0].checks.is_disjoint(&wanted) {
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

#[test]
#[ignore = "plays every suite with every fault; .ci/run does"]
fn the_kill_matrix_is_exact_and_written_down() {
    let matrix = scored(org_suites(), &fault::all().iter().collect::<Vec<_>>());
    let wrong = matrix.rows.iter().filter(|row| !row.missed().is_empty() || !row.beyond().is_empty());
    let wrong: Vec<String> = wrong
        .map(|row| {
            format!("{}: not failed {:?}, failed besides {:?}", row.fault.name, row.missed(), row.beyond())
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let told = format!(
        "# The kill matrix\n\nWhat `suites/org` says of each wrong that the embedded org can commit: the checks that \
         fail, all of them and no other, and how many scenarios tell. Generated; `UPDATE=1 cargo test --test it \
         kill_matrix -- --ignored` rewrites it, and `grantcheck score --all` prints it.\n\n{}",
        markdown(&matrix)
    );
    golden("docs/mutants.md", &told);
}
