//! What is told. The JSON is the definition; the console and JUnit are views of the same rows.

pub mod console;
mod junit;
mod model;
mod schema;

pub use junit::junit;
pub use model::{At, CheckRow, FindingRow, Report, ScenarioRow, StepRow, Summary, VERSION, Word};
pub use schema::schema;

use crate::transcript::Redactor;

/// The report with every secret replaced by its fingerprint.
///
/// # Panics
/// Never: a report is plain data and reads back what it wrote.
pub fn redacted(report: &Report, redactor: &mut Redactor) -> Report {
    let mut value = serde_json::to_value(report).expect("a report is plain data");
    redactor.scrub_value(&mut value);
    if let Some(serde_json::Value::Array(rows)) = value.get_mut("transcript") {
        crate::transcript::shorten(rows);
    }
    serde_json::from_value(value).expect("scrubbing changes texts only")
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
