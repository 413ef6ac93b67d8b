//! The rows of a report.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diagnostic::{Span, Text, part};
use crate::subject::Subject;
use crate::verdict::{Basis, Level};

/// Version of the JSON report. It grows when a reader of the last one would misread this one.
pub const VERSION: u32 = 1;

/// A whole report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// Name and version of this program.
    pub tool: String,
    /// What was under test.
    pub subject: Subject,
    /// Seed of the run.
    pub seed: u64,
    /// Real time that it took, in milliseconds.
    pub duration_ms: u64,
    /// Whether it ended before all was played.
    pub interrupted: bool,
    /// The counts.
    pub summary: Summary,
    /// One row a scenario.
    pub scenarios: Vec<ScenarioRow>,
    /// One row a check that had anything to say.
    pub checks: Vec<CheckRow>,
    /// Waivers that waived nothing.
    pub unused_waivers: Vec<String>,
    /// Flows that the target lists and of which nothing could be played.
    #[serde(default)]
    pub listed_not_testable: Vec<String>,
    /// The record, one row an exchange.
    pub transcript: Vec<Value>,
}

/// The counts: scenarios by verdict, and checks that deviate in a known way or are waived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Scenarios in which everything held.
    pub pass: usize,
    /// Scenarios in which a MUST did not hold.
    pub fail: usize,
    /// Scenarios in which nothing worse than a SHOULD did not hold.
    pub warn: usize,
    /// Scenarios that prove nothing.
    pub inconclusive: usize,
    /// Scenarios that this target cannot be asked.
    pub not_testable: usize,
    /// Checks that do not hold, as is known of this kind of org.
    pub known_deviation: usize,
    /// Checks that do not hold and are waived.
    pub waived: usize,
    /// Flows that the target lists and of which nothing could be played.
    #[serde(default)]
    pub listed_but_not_testable: usize,
    /// Judges that broke: bugs of this program.
    #[serde(default)]
    pub bugs: usize,
}

/// A verdict as it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Word {
    #[default]
    NotTestable,
    Pass,
    Note,
    Waived,
    KnownDeviation,
    Warn,
    Inconclusive,
    Fail,
}

impl Word {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Word::NotTestable => "not testable",
            Word::Pass => "pass",
            Word::Note => "note",
            Word::Waived => "waived",
            Word::KnownDeviation => "known deviation",
            Word::Warn => "warn",
            Word::Inconclusive => "inconclusive",
            Word::Fail => "fail",
        }
    }
}

/// What came of one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScenarioRow {
    /// Id of the suite.
    pub suite: String,
    /// The scenario.
    pub scenario: String,
    /// Its verdict.
    pub verdict: Word,
    /// Why it is not testable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Real time that it took, in milliseconds.
    pub duration_ms: f64,
    /// Where it is written.
    pub at: At,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What was done.
    pub steps: Vec<StepRow>,
    /// The client program's side, where one was played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramRow>,
    /// What does not hold.
    pub findings: Vec<FindingRow>,
}

/// How a client program ended, and what it printed. Its requests are in the transcript.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramRow {
    /// How it ended, in words.
    pub ended: String,
    /// How long it ran, in milliseconds.
    pub ran_ms: u64,
    /// Whether it was cut off from every network but the org; none of grantcheck's own client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolated: Option<bool>,
    /// The end of its standard output, secrets replaced.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stdout: String,
    /// The end of its standard error, secrets replaced.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr: String,
    /// What came of the calls whose access token died under all of them at once, where that was played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<StormRow>,
}

/// A storm in three numbers: at best 1, 0 and 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StormRow {
    /// How many calls were refused together.
    pub callers: u32,
    /// How many renewals the program asked for.
    pub renewals: usize,
    /// How many of them were refused with `invalid_grant` because the program itself had used up what it sent.
    pub invalid_grants: usize,
    /// How many of its calls came to nothing.
    pub failed_calls: usize,
}

/// One step that was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// What.
    #[serde(rename = "do")]
    pub action: String,
    /// The tweak in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tweak: Option<String>,
    /// Its exchanges, by number in the transcript.
    pub exchanges: Vec<usize>,
}

/// A place in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// The file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// How many characters it is about.
    #[serde(default)]
    pub length: usize,
    /// The line itself, or the part of a long one that it is in.
    #[serde(default)]
    pub text: String,
}

impl At {
    /// A span of a text.
    pub fn of(text: &Text, span: Span) -> Self {
        let (line, column) = text.line_column(span.start);
        let shown = part(text.line(line), column);
        Self { file: text.name().to_owned(), line, column, length: text.length(span), text: shown }
    }
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingRow {
    /// The check; none where it is an expectation of the suite.
    pub check: Option<String>,
    /// `fail`, `warn`, `note`, `inconclusive`, `known_deviation` or `waived`.
    pub verdict: Word,
    /// How much it binds.
    pub level: Level,
    /// Where it comes from; none for expectations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// The step, by position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What should have come.
    pub expected: String,
    /// What came.
    pub observed: String,
    /// Where the requirement is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cites: Vec<String>,
    /// The expectation, or the scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
    /// The exchanges that show it, by number in the transcript.
    pub exchanges: Vec<usize>,
    /// Why it is known or waived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// What the error means that the org answered, where it is a known one of Salesforce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorRow>,
}

/// A known error in short; `grantcheck explain` with the entry's id tells the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorRow {
    /// Id of the entry.
    pub entry: String,
    /// What the error means.
    pub means: String,
    /// Likely causes, the likeliest first.
    pub causes: Vec<String>,
    /// What mends each of them, the first first.
    pub cure: String,
}

/// What came of one check over the whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckRow {
    /// Its id.
    pub check: String,
    /// Merged over the scenarios: a fail anywhere, else a pass anywhere, else inconclusive.
    pub verdict: Word,
    /// In how many scenarios it had evidence.
    pub scenarios: usize,
    /// What it says.
    pub title: String,
    /// Why it is known or waived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

impl Report {
    /// The exit code: 0 conforms, 1 a MUST does not hold, 3 cannot vouch, 130 interrupted.
    pub fn exit(&self) -> u8 {
        let s = &self.summary;
        let judged = s.pass + s.fail + s.warn;
        if self.interrupted {
            130
        } else if s.fail > 0 {
            1
        } else if s.inconclusive > 0 || s.listed_but_not_testable > 0 || s.bugs > 0 || judged == 0 {
            3
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(summary: Summary) -> Report {
        Report {
            version: VERSION,
            tool: "t".into(),
            subject: Subject::default(),
            seed: 0,
            duration_ms: 0,
            interrupted: false,
            summary,
            scenarios: Vec::new(),
            checks: Vec::new(),
            unused_waivers: Vec::new(),
            listed_not_testable: Vec::new(),
            transcript: Vec::new(),
        }
    }

    #[test]
    fn the_exit_code_says_what_the_run_is_worth() {
        assert_eq!(report(Summary { pass: 1, ..Summary::default() }).exit(), 0);
        assert_eq!(report(Summary { pass: 1, warn: 1, ..Summary::default() }).exit(), 0);
        assert_eq!(report(Summary { fail: 1, inconclusive: 1, ..Summary::default() }).exit(), 1);
        assert_eq!(report(Summary { pass: 1, inconclusive: 1, ..Summary::default() }).exit(), 3);
        assert_eq!(report(Summary { pass: 1, listed_but_not_testable: 1, ..Summary::default() }).exit(), 3);
        assert_eq!(report(Summary::default()).exit(), 3);
        assert_eq!(
            Report { interrupted: true, ..report(Summary { fail: 1, ..Summary::default() }) }.exit(),
            130
        );
    }
}
