//! What exploring finds, how small it gets, and that what is written goes wrong in the same way when it is played.

use std::sync::Arc;
use tokio::sync::{mpsc, watch};

use crate::support::{embedded, options, outcome, read, suite_of};
use grantcheck::client::wrong::{self, Wrongs};
use grantcheck::explore::{Exploration, Explored, Kind, Side, explore};
use grantcheck::oauth::salesforce::Profile;
use grantcheck::org::{Org, fault};
use grantcheck::report::Word;
use grantcheck::run::{Client, Options};
use grantcheck::subject::Target;
use grantcheck::wire::Clock;
use grantcheck::wire::host::Host;

/// The moment at which plays begin.
const BEGIN: i64 = 1_800_000_000_000;

fn exploration(target: Target, faults: &[&str], runs: u64) -> Exploration {
    let faults = faults.iter().map(|name| fault::find(name).unwrap()).collect();
    Exploration {
        side: Side::Org,
        options: Options { faults, begin: Some(BEGIN), ..options(target, Vec::new()) },
        runs: Some(runs),
        millis: None,
        select: Vec::new(),
        longest: 10,
        go_on: false,
        anything: false,
    }
}

fn explored(exploration: &Exploration) -> Explored {
    let (tell, _told) = mpsc::unbounded_channel();
    let (_stop, stopped) = watch::channel(false);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(explore(exploration, &tell, stopped)).unwrap()
}

fn embedded_as(profile: Profile) -> Target {
    Target { profile, ..embedded() }
}

#[test]
fn the_faultless_org_gives_no_cause_for_complaint() {
    for profile in [Profile::Salesforce, Profile::Rfc] {
        let explored = explored(&exploration(embedded_as(profile), &[], 60));
        let found: Vec<&str> = explored.found.iter().map(|one| one.text.as_str()).collect();
        assert_eq!(found, [""; 0], "{profile:?}");
        assert_eq!(
            (explored.runs, explored.broken.clone(), explored.not_testable.as_ref()),
            (60, None, None)
        );
        assert!(explored.vouches() && explored.exchanges > explored.steps);
    }
}

/// What is found of a fault, made small, written, read again and played on an org with the fault and on one without.
fn found_small_and_again(name: &str, runs: u64, steps: usize, check: Option<&str>) {
    // Where a check is expected, others say nothing.
    let select = check.map(|id| format!("check:{id}")).into_iter().collect();
    let explored = explored(&Exploration { select, ..exploration(embedded(), &[name], runs) });
    let one = explored.found.first().unwrap_or_else(|| panic!("{name} is not found in {runs} runs"));
    assert!(one.size.steps <= steps, "{name}: {}", one.size.words);
    assert_eq!(one.size.clients, 1, "{name}: {}", one.size.words);
    assert!(one.reproduced == Some(true), "{name}: {}", one.text);
    match (&one.way.kind, check) {
        (Kind::Check(id), Some(check)) => assert_eq!(id, check, "{name}"),
        (Kind::Model(_), None) => {}
        (kind, _) => panic!("{name}: {kind}"),
    }
    let again = |faults: Vec<&'static fault::Fault>| {
        let suites = vec![suite_of("explored/again.yaml", &one.text)];
        outcome(&Options { faults, begin: Some(BEGIN), ..options(embedded(), suites) }).report
    };
    let wrong = again(vec![fault::find(name).unwrap()]);
    let row = &wrong.scenarios[0];
    assert_eq!(row.verdict, one.way.verdict, "{name}: {}", one.text);
    let same = |f: &&grantcheck::report::FindingRow| f.check.as_deref() == check && f.verdict == row.verdict;
    assert!(row.findings.iter().any(|f| same(&f)), "{name}: {:?}", row.findings);
    let right = again(Vec::new());
    assert!(right.scenarios.iter().all(|row| row.verdict == Word::Pass), "{name}: {:?}", right.scenarios);
}

#[test]
fn a_code_that_is_redeemed_twice_is_found() {
    found_small_and_again("code-racy", 100, 2, Some("code/race-has-one-winner"));
}

#[test]
fn a_race_of_refreshes_that_two_win_is_found() {
    found_small_and_again("rotate-racy-pair", 100, 4, Some("refresh/one-family-survives-a-race"));
}

#[test]
fn a_revocation_that_takes_its_time_is_found() {
    found_small_and_again("introspect-cached", 600, 4, Some("introspection/revoked-token-is-inactive"));
}

#[test]
fn a_seed_plays_the_same_again() {
    let once = || {
        let explored = explored(&exploration(embedded(), &["code-racy"], 50));
        let found: Vec<(u64, String)> = explored.found.into_iter().map(|one| (one.run, one.text)).collect();
        (explored.runs, explored.steps, explored.exchanges, found)
    };
    assert_eq!(once(), once());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_org_over_http_is_explored_without_touching_its_clock() {
    let over_http = |fault: Option<&'static fault::Fault>| async move {
        let faults: Vec<_> = fault.into_iter().collect();
        let org = Arc::new(Org::new(&embedded(), &faults, [7; 32]));
        let host = Host::start(org, Clock::real(), "127.0.0.1:0").await.unwrap();
        let mut target = Target { org: Some(host.url()), disposable: true, ..embedded() };
        target.apps.retain(|role, _| role == "main" || role == "other");
        let exploration =
            Exploration { options: options(target, Vec::new()), ..exploration(embedded(), &[], 8) };
        let (tell, _told) = mpsc::unbounded_channel();
        let (_stop, stopped) = watch::channel(false);
        let explored = explore(&exploration, &tell, stopped).await.unwrap();
        host.stop().await;
        explored
    };
    let right = over_http(None).await;
    let found: Vec<&str> = right.found.iter().map(|one| one.text.as_str()).collect();
    assert_eq!((found, right.runs, right.broken.clone()), (vec![], 8, None));
    assert!(right.vouches(), "{:?}", right.not_testable);
    let wrong = over_http(fault::find("no-store-missing")).await;
    assert!(wrong.fails() && wrong.found[0].reproduced == Some(true));
    assert!(!wrong.found[0].text.contains("advance") && !wrong.found[0].text.contains("settings"));
}

/// Of what an org may do to our own client, with something that it does wrong.
fn of_client(wrong: Option<&str>, runs: u64) -> Exploration {
    let wrongs = wrong.map_or_else(Wrongs::default, |name| Wrongs::of(wrong::find(name).unwrap()));
    let of_org = exploration(embedded(), &[], runs);
    let options = Options { client: Client::Own(wrongs), jobs: 16, ..of_org.options };
    Exploration { side: Side::Client, options, ..of_org }
}

#[test]
fn the_faultless_client_gives_no_cause_for_complaint() {
    let explored = explored(&of_client(None, 96));
    let found: Vec<&str> = explored.found.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(
        (found, explored.runs, explored.broken.clone(), explored.not_testable.clone()),
        (vec![], 96, None, None)
    );
    assert!(explored.vouches());
}

#[test]
fn a_client_that_never_repeats_its_call_is_found_and_the_suite_shows_it() {
    let explored = explored(&of_client(Some("never-repeats"), 300));
    let one = explored.found.first().expect("it is found");
    assert!(one.reproduced == Some(true) && one.size.steps <= 3, "{}", one.text);
    let again = |client: Client| {
        let suites = vec![suite_of("explored/again.yaml", &one.text)];
        let report = outcome(&Options { client, ..options(embedded(), suites) }).report;
        (report.scenarios[0].verdict, report.scenarios[0].findings.clone())
    };
    let wrong = Client::Own(Wrongs::of(wrong::find("never-repeats").unwrap()));
    let (verdict, findings) = again(wrong);
    assert_eq!(verdict, one.way.verdict, "{findings:?}");
    let (verdict, findings) = again(Client::default());
    assert_ne!(verdict, Word::Fail, "{findings:?}");
}

#[test]
fn what_leaves_nothing_to_do_is_no_verdict() {
    let mut nothing = exploration(embedded(), &[], 20);
    let leave_out = ["!authorize", "!client-credentials", "!jwt-bearer", "!saml-bearer", "!keys"];
    nothing.select = leave_out.map(String::from).to_vec();
    let explored = explored(&nothing);
    assert_eq!((explored.runs, explored.vouches()), (0, false));
}

/// What is written down is of these; whether it is true, `grantcheck explore --table` finds out by playing it.
fn written(
    page: &str,
    doc_of: &dyn Fn(&str) -> Option<&'static str>,
    (longest, most): (f64, usize),
) -> (usize, usize) {
    let written = read(page);
    let rows: Vec<&str> = written.lines().filter(|line| line.starts_with("| `")).collect();
    let mut found = 0;
    for row in &rows {
        let name = row.split('`').nth(1).unwrap();
        let doc = doc_of(name).unwrap_or_else(|| panic!("there is no {name}"));
        assert!(row.contains(doc), "{page} is not fresh: {name}");
        if !row.contains("*not found*") {
            let columns: Vec<&str> = row.split('|').map(str::trim).collect();
            let (seconds, steps): (f64, usize) = (columns[5].parse().unwrap(), columns[6].parse().unwrap());
            assert!(seconds <= longest && steps <= most, "{row}");
            found += 1;
        }
    }
    assert!(written.contains(&format!("{found} of {} found", rows.len())));
    (found, rows.len())
}

#[test]
fn the_written_table_is_of_faults_that_there_are_and_most_are_found() {
    let doc = |name: &str| fault::find(name).map(|fault| fault.doc);
    let (found, all) = written("docs/explored.md", &doc, (60.0, 6));
    assert!(all > 30 && found * 100 >= all * 90, "{found} of {all}");
}

#[test]
fn the_written_table_of_clients_is_of_wrongs_that_there_are_and_most_are_found() {
    let doc = |name: &str| wrong::all().find(|wrong| wrong.name == name).map(|wrong| wrong.doc);
    let (found, all) = written("docs/explored-clients.md", &doc, (60.0, 6));
    assert!(all > 150 && found * 100 >= all * 80, "{found} of {all}");
}
