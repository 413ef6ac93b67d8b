//! Every check is seen to fail: each fault of the org makes its set of checks fail, and no other.

use std::collections::BTreeSet;

use crate::support::{embedded, options, org_suites, outcome};
use grantcheck::catalog::{self, Check, Party};
use grantcheck::oauth::salesforce::Profile;
use grantcheck::org::fault::{self, Fault};
use grantcheck::report::{Report, Word};
use grantcheck::run::Options;
use grantcheck::suite::Suite;

fn check_of(origin: &str) -> &'static Check {
    catalog::all()
        .find(|check| check.origin == origin)
        .unwrap_or_else(|| panic!("no check is drawn from {origin}"))
}

fn checks_of(fault: &Fault) -> BTreeSet<&'static str> {
    fault.origins.iter().map(|origin| check_of(origin).id).collect()
}

/// Checks that do not hold. What Salesforce is known to do otherwise is judged as the RFC has it, so that a fault
/// that goes beyond can be seen.
fn failed(report: &Report) -> BTreeSet<&str> {
    let failed =
        report.checks.iter().filter(|row| matches!(row.verdict, Word::Fail | Word::Warn | Word::Note));
    failed.map(|row| row.check.as_str()).collect()
}

/// The profile in which a fault shows: a known deviation would hide it under the other.
fn profile_of(fault: &Fault) -> Profile {
    let deviates = |id: &&str| catalog::deviation(id).is_some();
    if checks_of(fault).iter().any(deviates) { Profile::Rfc } else { Profile::Salesforce }
}

fn play(fault: &'static Fault, suites: Vec<Suite>) -> Report {
    let mut target = embedded();
    target.profile = profile_of(fault);
    outcome(&Options { faults: vec![fault], ..options(target, suites) }).report
}

#[test]
fn every_check_stands_in_the_set_of_a_fault() {
    let covered: BTreeSet<&str> =
        fault::all().iter().flat_map(|fault| fault.origins.iter().copied()).collect();
    let missing: Vec<&str> = catalog::all()
        .filter(|check| check.binds == Party::Org && !covered.contains(check.origin))
        .map(|check| check.id)
        .collect();
    assert!(missing.is_empty(), "no fault makes these fail: {missing:?}");
}

#[test]
fn every_fault_is_caught_by_the_scenarios_of_its_checks() {
    let mut survived = Vec::new();
    for fault in fault::all() {
        let wanted = checks_of(fault);
        // Only scenarios that name one of the checks; one of them must catch it.
        let mut suites = org_suites();
        for suite in &mut suites {
            suite.scenarios.retain(|s| s.checks.iter().any(|check| wanted.contains(check.as_str())));
        }
        suites.retain(|suite| !suite.scenarios.is_empty());
        if suites.is_empty() {
            suites = org_suites();
        }
        let report = play(fault, suites);
        if failed(&report).is_disjoint(&wanted) {
            survived.push(fault.name);
        }
    }
    assert!(survived.is_empty(), "nothing catches: {survived:?}");
}

#[test]
#[ignore = "plays every suite with every fault; .ci/run does"]
fn every_fault_makes_its_checks_fail_and_no_other() {
    let mut wrong = Vec::new();
    for fault in fault::all() {
        let report = play(fault, org_suites());
        let got = failed(&report);
        let wanted = checks_of(fault);
        if got != wanted {
            let missed: Vec<_> = wanted.difference(&got).collect();
            let beyond: Vec<_> = got.difference(&wanted).collect();
            wrong.push(format!("{}: not failed {missed:?}, failed besides {beyond:?}", fault.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
