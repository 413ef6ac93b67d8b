//! Reports: the JSON against its published schema, samples of every format kept true.

use crate::support::{embedded, golden, options, outcome, suite_of};
use grantcheck::report::{self, Report, console};
use grantcheck::run::Options;

const SUITE: &str = include_str!("sample.yaml");

/// A run with a pass, a fail, an inconclusive verdict and something not testable, its times taken out.
fn sample() -> Report {
    let faults = vec![grantcheck::org::fault::find("code-reusable").unwrap()];
    let suite = suite_of("suites/sample.yaml", SUITE);
    let mut outcome = outcome(&Options { faults, jobs: 1, ..options(embedded(), vec![suite]) });
    let mut report = report::redacted(&outcome.report, &mut outcome.redactor);
    report.duration_ms = 12;
    for row in &mut report.scenarios {
        row.duration_ms = 3.0;
    }
    report
}

#[test]
fn the_json_report_fits_its_schema() {
    let validator = jsonschema::validator_for(&report::schema()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&report::json(&sample())).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn the_published_schema_is_fresh() {
    golden("docs/report.schema.json", &format!("{:#}\n", report::schema()));
    golden("docs/lint.schema.json", &format!("{:#}\n", report::lint_schema()));
    golden("docs/drift.schema.json", &format!("{:#}\n", report::drift_schema()));
}

#[test]
fn the_published_schema_of_load_reports_is_fresh() {
    golden("docs/load-report.schema.json", &format!("{:#}\n", grantcheck::load::report::schema()));
}

#[test]
fn the_samples_are_fresh() {
    // Fingerprints differ from run to run by design, and the record holds times: the sample keeps the rows alone.
    let mut report = sample();
    report.transcript.clear();
    report.subject.endpoints = Default::default();
    golden("reports/sample/report.json", &scrub(&report::json(&report)));
    golden("reports/sample/junit.xml", &scrub(&report::junit(&report)));
    golden("reports/sample/console.txt", &scrub(&console::console(&report, console::Style::default())));
}

/// Fingerprints and the report's own identifier, which are new in every run.
fn scrub(text: &str) -> String {
    let print = regex::Regex::new(r"\b([a-z_]+):[0-9a-f]{16}\b").unwrap();
    print.replace_all(text, "$1:0000000000000000").into_owned()
}

#[test]
fn junit_says_failure_error_and_skipped() {
    let xml = report::junit(&sample());
    assert!(xml.contains("<failure") && xml.contains("<error") && xml.contains("<skipped"), "{xml}");
}
