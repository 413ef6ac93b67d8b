//! The report as JUnit XML: one suite of cases a suite file.

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeSet;
use std::time::Duration;

use super::{FindingRow, Report, ScenarioRow, Word, visible};

/// The XML text.
///
/// # Panics
/// Never: writing into memory cannot fail.
pub fn junit(report: &Report) -> String {
    let mut document = Document::new("grantcheck");
    document.set_time(Duration::from_millis(report.duration_ms));
    let mut names: Vec<&str> = report.scenarios.iter().map(|row| row.suite.as_str()).collect();
    let mut told = BTreeSet::new();
    names.retain(|name| told.insert(*name));
    for name in names {
        let mut suite = TestSuite::new(visible(name));
        suite.add_test_cases(report.scenarios.iter().filter(|row| row.suite == name).map(case));
        document.add_test_suite(suite);
    }
    document.to_string().expect("writing into memory cannot fail")
}

fn case(row: &ScenarioRow) -> TestCase {
    let status = match row.verdict {
        Word::Fail => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("must").set_message(first(row)).set_description(all(row));
            status
        }
        // What proves nothing must not look like success to a CI system.
        Word::Inconclusive => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("inconclusive").set_message(first(row)).set_description(all(row));
            status
        }
        Word::NotTestable => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(visible(row.reason.as_deref().unwrap_or_default()));
            status
        }
        _ => TestCaseStatus::success(),
    };
    let passed = matches!(status, TestCaseStatus::Success { .. });
    let mut case = TestCase::new(visible(&row.scenario), status);
    case.set_classname(visible(&row.suite));
    case.set_time(Duration::from_micros((row.duration_ms * 1000.0) as u64));
    if passed && !row.findings.is_empty() {
        case.set_system_out(all(row));
    }
    case
}

fn first(row: &ScenarioRow) -> String {
    let heaviest = row.findings.iter().max_by_key(|f| f.verdict).map(line);
    heaviest.or_else(|| row.reason.as_deref().map(visible)).unwrap_or_default()
}

fn all(row: &ScenarioRow) -> String {
    row.findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn line(f: &FindingRow) -> String {
    let at =
        f.at.as_ref()
            .map_or(String::new(), |at| format!("{}:{}:{}: ", visible(&at.file), at.line, at.column));
    let check = f.check.as_ref().map_or(String::new(), |check| format!("{check}: "));
    format!("{at}{}: {check}expected {}; observed {}", f.verdict.word(), f.expected, f.observed)
}
