//! What is told. The JSON is the definition; the console and JUnit are views of the same rows.

pub mod console;
mod drift;
mod junit;
mod lint;
pub mod matrix;
mod model;
mod schema;
mod sequence;

pub use drift::{DRIFT_VERSION, Difference, Drift, Side, Since, What, drift};
pub use junit::junit;
pub use lint::{LINT_VERSION, LintReport, LintRow, ProblemRow};
pub use model::{
    At, CheckRow, ErrorRow, FindingRow, ProgramRow, Report, ScenarioRow, StepRow, StormRow, Summary, VERSION,
    Word,
};
pub use schema::{drift_schema, lint_schema, schema};
pub use sequence::sequence;

use crate::transcript::Redactor;

/// The report with every secret replaced by its fingerprint.
///
/// Names of suites, scenarios, steps and checks are ours or an author's, and stay as they are.
pub fn redacted(report: &Report, redactor: &mut Redactor) -> Report {
    let mut report = report.clone();
    redactor.scrub_subject(&mut report.subject);
    for row in &mut report.scenarios {
        let written = row.findings.iter_mut().filter_map(|f| f.at.as_mut()).chain([&mut row.at]);
        let tweaks = row.steps.iter_mut().filter_map(|step| step.tweak.as_mut());
        for text in written.map(|at| &mut at.text).chain(tweaks).chain(row.reason.as_mut()) {
            *text = redactor.scrub_own(text);
        }
        for text in row.program.iter_mut().flat_map(|p| [&mut p.ended, &mut p.stdout, &mut p.stderr]) {
            *text = redactor.scrub(text);
        }
        for text in row.findings.iter_mut().flat_map(|f| [&mut f.expected, &mut f.observed]) {
            *text = redactor.scrub(text);
        }
    }
    crate::transcript::redact(&mut report.transcript, redactor);
    report
}

/// A text on one line without what a terminal would act on, or what XML cannot say: a peer's words are a peer's, and a
/// name may come from a file of anybody.
pub fn visible(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let cannot = |c: char| matches!(c, '\u{fffe}' | '\u{ffff}');
    let shown = |c: char| if acts(c) || cannot(c) { c.escape_default().collect() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// The JSON report as text.
///
/// # Panics
/// Never: a report is plain data.
pub fn json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("a report is plain data");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_says_moves_no_cursor() {
        assert_eq!(visible("400 a\u{1b}[2J\nPASS \u{fffe}é"), "400 a\\u{1b}[2J\\nPASS \\u{fffe}é");
    }

    #[test]
    fn what_a_name_holds_moves_no_cursor_and_is_well_formed() {
        let at =
            At { file: "a\u{1b}[2J.yaml".into(), line: 1, column: 1, length: 1, text: "x\u{202e}".into() };
        let finding = |check: Option<&str>| FindingRow {
            check: check.map(str::to_owned),
            verdict: Word::Fail,
            level: crate::verdict::Level::Must,
            basis: None,
            step: None,
            expected: "e".into(),
            observed: "o".into(),
            cites: Vec::new(),
            at: Some(at.clone()),
            exchanges: Vec::new(),
            because: Some("b\u{1b}".into()),
            error: None,
        };
        let row = ScenarioRow {
            suite: "s\u{fffe}\u{1b}".into(),
            scenario: "n\u{fffe}\u{1b}[2J".into(),
            verdict: Word::Fail,
            reason: Some("r\u{1b}".into()),
            duration_ms: 1.0,
            at: at.clone(),
            tags: Vec::new(),
            steps: Vec::new(),
            program: None,
            findings: vec![finding(None), finding(Some("code/works-once"))],
        };
        let report = Report {
            version: VERSION,
            tool: "t".into(),
            subject: crate::subject::Subject::default(),
            seed: 0,
            duration_ms: 0,
            interrupted: false,
            summary: Summary::default(),
            scenarios: vec![row.clone(), ScenarioRow { verdict: Word::NotTestable, ..row }],
            checks: Vec::new(),
            unused_waivers: Vec::new(),
            listed_not_testable: Vec::new(),
            transcript: Vec::new(),
        };
        for all in [false, true] {
            let text = console::console(&report, console::Style { colour: false, all });
            assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{fffe}']), "{text:?}");
        }
        let xml = junit(&report);
        assert!(!xml.contains(['\u{1b}', '\u{fffe}']) && xml.contains("n\\u{fffe}\\u{1b}[2J"), "{xml:?}");
        assert!(roxmltree::Document::parse(&xml).is_ok());
    }
}
