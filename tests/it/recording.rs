//! A recording is judged like the run that it records.

use std::collections::BTreeMap;

use crate::support::{embedded, options, org_suites, outcome};
use grantcheck::org::fault;
use grantcheck::report::{Report, Word};
use grantcheck::run::{Options, judge_recording};

fn failed(report: &Report) -> BTreeMap<String, Word> {
    let rows = report.checks.iter().filter(|row| !matches!(row.verdict, Word::Inconclusive | Word::Pass));
    rows.map(|row| (row.check.clone(), row.verdict)).collect()
}

#[test]
fn a_recording_reads_back_to_the_same_verdicts_of_the_catalogue() {
    for name in [
        "code-reusable",
        "rotate-no-family",
        "jwt-none",
        "sf-signature",
        "pkce-plain-too",
        "revoke-late",
        "access-eternal",
        "introspect-expired-active",
    ] {
        let faults = vec![fault::find(name).unwrap()];
        let mut outcome = outcome(&Options { faults, ..options(embedded(), org_suites()) });
        let text = grantcheck::transcript::write(&outcome.transcript, &mut outcome.redactor);
        let back = grantcheck::transcript::read(&text).unwrap();
        let judged = judge_recording(&back, "recording", None);
        assert_eq!(failed(&judged), failed(&outcome.report), "{name}");
    }
}
