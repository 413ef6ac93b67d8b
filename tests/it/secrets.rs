//! Secrets never leave the process: every output of a run is searched for every secret of it, in every encoding.

use aho_corasick::AhoCorasick;

use crate::support::{embedded, options, org_suites, outcome};
use grantcheck::report::{self, console};
use grantcheck::run::Options;
use grantcheck::transcript::{Redactor, encodings};

fn search(outputs: &[(&str, String)], redactor: &Redactor) {
    let secrets: Vec<&str> = redactor.secrets().filter(|secret| secret.len() >= 6).collect();
    assert!(secrets.len() > 100, "the run had only {} secrets: the search proves nothing", secrets.len());
    let forms: Vec<String> = secrets.iter().flat_map(|secret| encodings(secret)).collect();
    let search = AhoCorasick::new(&forms).unwrap();
    for (name, text) in outputs {
        let found = search.find(text).map(|found| forms[found.pattern().as_usize()].len());
        assert_eq!(found, None, "{name} holds a secret of so many characters");
    }
    // The search finds what is there.
    assert!(forms.iter().step_by(97).all(|form| search.is_match(&format!("<{form}>"))));
}

fn outputs(options: &Options) {
    let outcome = outcome(options);
    let mut redactor = outcome.redactor;
    let recording = grantcheck::transcript::write(&outcome.transcript, &mut redactor);
    let report = report::redacted(&outcome.report, &mut redactor);
    let style = console::Style { colour: true, all: true };
    let outputs = [
        ("the JSON report", report::json(&report)),
        ("the JUnit report", report::junit(&report)),
        ("the console", console::console(&report, style)),
        ("the recording", recording),
        ("debug output", format!("{:?}", outcome.transcript)),
    ];
    search(&outputs, &redactor);
}

#[test]
fn no_output_of_a_faultless_run_holds_a_secret() {
    outputs(&options(embedded(), org_suites()));
}

#[test]
fn no_output_of_a_run_with_findings_holds_a_secret() {
    let faults = ["code-reusable", "introspect-talks", "state-lost", "sf-signature"];
    let faults = faults.iter().map(|name| grantcheck::org::fault::find(name).unwrap()).collect();
    outputs(&Options { faults, ..options(embedded(), org_suites()) });
}
