//! The shipped suites on the faultless embedded org: all pass, on every way to it, and every check has evidence.

use std::collections::BTreeSet;

use crate::support::{complaints, embedded, options, org_suites, outcome};
use grantcheck::catalog::{self, Party};
use grantcheck::client::Action;
use grantcheck::oauth::salesforce::Profile;
use grantcheck::report::{Report, Word};
use grantcheck::run::Options;
use grantcheck::subject::Target;
use grantcheck::suite::Need;

fn assert_clean(report: &Report) {
    assert_eq!(complaints(report), "");
    assert_eq!(report.exit(), 0);
}

#[test]
fn the_faultless_org_passes_every_suite_and_every_check_has_evidence() {
    let report = outcome(&options(embedded(), org_suites())).report;
    assert_clean(&report);
    // What Salesforce never says shows under the other profile.
    let rfc = Target { profile: Profile::Rfc, ..embedded() };
    let rfc = outcome(&options(rfc, org_suites())).report;
    let evident: BTreeSet<&str> = report
        .checks
        .iter()
        .chain(&rfc.checks)
        .filter(|row| matches!(row.verdict, Word::Pass | Word::KnownDeviation))
        .map(|row| row.check.as_str())
        .collect();
    let missing: Vec<&str> = catalog::all()
        .filter(|check| check.binds == Party::Org && !evident.contains(check.id))
        .map(|check| check.id)
        .collect();
    assert!(missing.is_empty(), "no shipped scenario shows anything about: {missing:?}");
}

#[test]
fn every_known_deviation_is_seen_on_the_embedded_org() {
    let report = outcome(&options(embedded(), org_suites())).report;
    let seen: BTreeSet<&str> = report
        .checks
        .iter()
        .filter(|row| row.verdict == Word::KnownDeviation)
        .map(|row| row.check.as_str())
        .collect();
    let listed: BTreeSet<&str> = catalog::deviations().iter().map(|deviation| deviation.check).collect();
    assert_eq!(seen, listed);
}

#[test]
fn a_socket_gives_the_same_verdicts() {
    let in_process = outcome(&options(embedded(), org_suites())).report;
    let over_socket = outcome(&Options { socket: true, ..options(embedded(), org_suites()) }).report;
    // On a socket the embedded org speaks no TLS.
    let https = Need::Capability("https".to_owned());
    let suites = org_suites();
    let scenarios = suites.iter().flat_map(|suite| &suite.scenarios);
    let secure: BTreeSet<&str> =
        scenarios.filter(|s| s.needs.contains(&https)).map(|s| s.name.as_str()).collect();
    let verdicts = |report: &Report| -> Vec<(String, Word)> {
        let rows = report.scenarios.iter().filter(|row| !secure.contains(row.scenario.as_str()));
        rows.map(|row| (row.scenario.clone(), row.verdict)).collect()
    };
    assert_clean(&over_socket);
    assert_eq!(verdicts(&in_process), verdicts(&over_socket));
}

#[test]
fn the_embedded_org_can_speak_as_the_rfcs_have_it() {
    let mut target = embedded();
    target.profile = Profile::Rfc;
    let report = outcome(&options(target, org_suites())).report;
    let failed: Vec<_> =
        report.scenarios.iter().filter(|row| row.verdict == Word::Fail).map(|row| &row.scenario).collect();
    assert!(failed.is_empty(), "{}", complaints(&report));
}

#[test]
fn the_same_seed_plays_the_same() {
    let requests = |seed| {
        let options = Options {
            seed,
            ..options(embedded(), vec![crate::support::suite("suites/org/web-server.yaml")])
        };
        let transcript = outcome(&options).transcript;
        let mut sent: Vec<String> = transcript.exchanges.iter().map(|x| x.request.query().write()).collect();
        sent.sort();
        sent
    };
    assert_eq!(requests(7), requests(7));
    assert_ne!(requests(7), requests(8));
}

#[test]
fn apps_with_jwt_access_tokens_or_rotation_pass_as_well() {
    let with = |change: fn(&mut grantcheck::subject::AppPolicy)| {
        let mut target = embedded();
        target.apps.values_mut().for_each(|app| change(&mut app.policy));
        outcome(&options(target, org_suites())).report
    };
    assert_clean(&with(|policy| policy.jwt_access_tokens = true));
    assert_clean(&with(|policy| policy.rotation = true));
}

#[test]
fn what_revokes_is_tagged_destructive() {
    for scenario in org_suites().iter().flat_map(|suite| &suite.scenarios) {
        let revokes = scenario.steps.iter().any(|step| matches!(step.action, Action::Revoke(_)));
        assert!(!revokes || scenario.tags.iter().any(|tag| tag == "destructive"), "{}", scenario.name);
    }
}
