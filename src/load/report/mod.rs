//! What a load run is told as. The JSON is the definition; console, Prometheus and CSV are views of the same rows.

mod made;
mod schema;
mod verdict;

pub(super) use made::{Made, found_row, step_row, told};
pub use schema::schema;
pub(super) use verdict::{judge, verdict};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::gauge::{Gauge, Unreadable};
use super::shard::Shard;
use crate::report::{At, CheckRow, FindingRow, Word};

/// Version of the JSON report of a load run.
pub const VERSION: u32 = 1;

/// What a load run came to. Times are in milliseconds, rates a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadReport {
    /// [`VERSION`].
    pub version: u32,
    /// `load`.
    pub kind: String,
    /// Name and version of this program.
    pub tool: String,
    /// Base URL of the org, or `embedded`.
    pub org: String,
    /// When it began, in milliseconds since the epoch.
    pub begun: i64,
    /// How long all of it took, preparation included.
    pub duration_ms: f64,
    /// How long sessions logged in before the timetable began.
    pub logging_in_ms: f64,
    /// What was to be done, in words.
    pub plan: String,
    /// What has to be known to put the parts of a run together.
    #[serde(default)]
    pub run: RunRow,
    /// For how long nothing was counted at the begin.
    #[serde(default)]
    pub warm_up_ms: f64,
    /// How long was counted.
    pub counted_ms: f64,
    /// The verdict of the whole.
    pub verdict: Word,
    /// Why it is no pass, in words.
    pub because: Vec<String>,
    /// Whether a person ended it.
    pub interrupted: bool,
    /// Why it ended before its time: a threshold did not hold, or every grant had died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted: Option<String>,
    /// All requests.
    pub total: StepRow,
    /// Each step.
    pub steps: Vec<StepRow>,
    /// Each scenario.
    pub plays: Vec<PlayRow>,
    /// How well the timetable was kept, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timetable: Option<TimetableRow>,
    /// New connections and their TLS handshakes.
    pub connect: Percentiles,
    /// TLS handshakes alone.
    pub tls: Percentiles,
    /// Signing, where there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<SigningRow>,
    /// Sessions that outlived a play, where there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionsRow>,
    /// What it cost that all sessions died at once, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub herd: Option<HerdRow>,
    /// What had to hold.
    pub thresholds: Vec<ThresholdRow>,
    /// Expectations that did not hold.
    pub findings: Vec<FoundRow>,
    /// Findings that are not told one by one.
    pub more_findings: u64,
    /// What the catalogue says of a sample.
    pub catalogue: CatalogueRow,
    /// Processor time of this program: of each thread that sends, in percent of a processor.
    pub threads: Vec<f64>,
    /// Processor time of the threads that send for each request, in microseconds, warm-up included.
    pub cpu_us_per_request: f64,
    /// What this program was the limit of, in words.
    pub limits: Vec<String>,
    /// What could not be played, with the reason.
    pub not_testable: Vec<[String; 3]>,
    /// Threads that broke: bugs of this program.
    pub bugs: usize,
    /// Over time.
    pub series: Vec<PointRow>,
}

/// What has to be known to put the parts of a run together, and to judge the whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// Fingerprint of what was to be done: suites, plan and seed. The parts of one run have the same.
    pub print: String,
    /// When the timetable began, in milliseconds since the epoch.
    pub began: i64,
    /// Which part of a run this is; none where it is the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartRow>,
    /// Of a whole that was put together: its parts, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// Of a whole that was put together: what is missing of it, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// What must hold, as it was written. Of a part nothing is judged by it.
    pub thresholds: Vec<String>,
    /// The most plays in flight in an open run, of all parts together; 0 in a closed one, where users are what bounds them.
    pub in_flight: u64,
    /// Whether dropped plays are no failure.
    pub drops_allowed: bool,
    /// Why it could not be prepared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// Scenarios that were selected and cannot be played under load.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unplayed: Vec<String>,
    /// Whether nothing of the run falls to this part of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idle: bool,
}

/// A part of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartRow {
    /// One of so many, each with its share of the schedule.
    Shard(Shard),
    /// A worker that was told what to do, by its name.
    Worker(String),
}

/// Durations in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Percentiles {
    pub count: u64,
    pub min: f64,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
    /// All of them, in microseconds: an HDR histogram of three digits (V2, compressed with zlib, in base64). None where
    /// there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hdr: Option<String>,
}

impl Percentiles {
    /// What a histogram holds.
    pub fn of(gauge: &Gauge) -> Self {
        Self {
            count: gauge.count(),
            min: ms(gauge.shortest()),
            mean: (gauge.mean() * 1.0).round() / 1000.0,
            p50: ms(gauge.at(0.5)),
            p90: ms(gauge.at(0.9)),
            p95: ms(gauge.at(0.95)),
            p99: ms(gauge.at(0.99)),
            p999: ms(gauge.at(0.999)),
            max: ms(gauge.longest()),
            hdr: (gauge.count() > 0).then(|| gauge.text()),
        }
    }

    /// The histogram.
    ///
    /// # Errors
    /// It is not there, or it holds another number of durations than is told.
    pub fn gauge(&self) -> Result<Gauge, Unreadable> {
        let gauge = self.hdr.as_deref().map_or_else(|| Ok(Gauge::default()), Gauge::read)?;
        if gauge.count() == self.count { Ok(gauge) } else { Err(Unreadable::Form) }
    }
}

/// A duration in milliseconds.
pub(super) fn ms(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

/// So many in a second, of so many in that time.
pub(super) fn rate(count: u64, micros: u64) -> f64 {
    (count as f64 * 1e7 / micros.max(1) as f64).round() / 10.0
}

/// One step, or all of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// `suite › scenario › n do`.
    pub step: String,
    /// Requests that were counted.
    pub requests: u64,
    /// Requests a second.
    pub rate: f64,
    /// Requests of which an expectation did not hold, or that had no answer.
    pub errors: u64,
    /// Expectations that did not hold, whether or not they are told one by one.
    #[serde(default)]
    pub fails: u64,
    /// Expectations that prove nothing.
    #[serde(default)]
    pub doubts: u64,
    /// Plays that could not go on at this step, by what the server did; no request was sent for it.
    #[serde(default)]
    pub stopped: u64,
    /// Plays that could not go on at this step because something else had not held before.
    #[serde(default)]
    pub skipped: u64,
    /// How often each status came; 0 is no answer.
    pub statuses: BTreeMap<u16, u64>,
    /// From the moment at which it should have begun.
    pub latency: Percentiles,
    /// From the moment at which it was sent.
    pub service: Percentiles,
    /// From the moment at which it was sent to the first byte of the answer.
    pub first_byte: Percentiles,
    /// Requests that waited for a renewal, which is in none of the three.
    pub waited_for_renewal: u64,
    /// How long they waited.
    pub wait: Percentiles,
}

/// The plays of one scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlayRow {
    /// `suite › scenario`.
    pub scenario: String,
    /// Plays in which everything held.
    pub pass: u64,
    /// Plays in which something did not hold.
    pub fail: u64,
    /// Plays that prove nothing.
    pub inconclusive: u64,
    /// Plays a second.
    pub rate: f64,
    /// From the moment at which it should have begun to its end; of plays that could go on to it.
    pub latency: Percentiles,
}

/// How well a timetable was kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TimetableRow {
    /// How much later than their time plays began.
    pub start_error: Percentiles,
    /// Plays that began more than 2 ms late.
    pub late: u64,
    /// Plays that were not begun because too many were in flight, or because their user waited for an answer until after
    /// the end.
    pub dropped: u64,
}

/// Signing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SigningRow {
    /// Made during the run: how long each took.
    pub took: Percentiles,
    /// How long they waited for their turn.
    pub waited: Percentiles,
    /// Made before the run.
    pub presigned: u64,
    /// How many of those were made in a second.
    pub presigned_rate: f64,
    /// How often none of those was left.
    pub ran_out: u64,
    /// How busy signing was, in percent of the processors that it may use.
    pub busy: f64,
}

/// Sessions that outlived a play.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionsRow {
    /// How many there were.
    pub sessions: u64,
    /// First grants: made before the timetable began, or when a user came of whom nobody knew.
    pub logins: Percentiles,
    /// Renewals: refreshes and new grants.
    pub renewals: Percentiles,
    /// Renewals that brought no token.
    pub failed_renewals: u64,
    /// Requests that were refused because their token was dead. Where a renewal brought another, they were sent again.
    pub refused: u64,
    /// Grants that died.
    pub died: u64,
    /// When the first of them died, of which scenario, and why.
    pub deaths: Vec<DeathRow>,
}

/// What it cost that all sessions died at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HerdRow {
    /// Callers that found their session dead at once.
    pub callers: u64,
    /// How many sessions died.
    pub sessions: u64,
    /// Renewals from then until the end of the run.
    pub renewals: u64,
    /// Callers whose calls did not hold in the end.
    pub failed: u64,
    /// From the death until the last of them was answered.
    pub took_ms: f64,
}

/// The death of a grant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeathRow {
    /// Since the begin.
    pub at_ms: f64,
    /// `suite › scenario`.
    pub scenario: String,
    /// As the server said it.
    pub why: String,
}

/// A threshold and what came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ThresholdRow {
    /// As it was written.
    pub threshold: String,
    /// The step that it was looked at on.
    pub step: String,
    /// What came, in words.
    pub observed: String,
    /// Whether it holds.
    pub holds: bool,
}

/// An expectation that did not hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoundRow {
    /// `suite › scenario › n do`.
    pub step: String,
    /// `fail` or `inconclusive`.
    pub verdict: Word,
    /// How often.
    pub times: u64,
    /// When first, since the begin.
    pub first_ms: f64,
    /// What should have come.
    pub expected: String,
    /// What came the first time.
    pub observed: String,
    /// Where it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
}

/// What the catalogue says of a sample of the plays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CatalogueRow {
    /// Plays that it looked at.
    pub sampled: u64,
    /// Plays that were counted.
    pub of: u64,
    /// Checks that had anything to say.
    pub checks: Vec<CheckRow>,
    /// What does not hold, one example a check.
    pub findings: Vec<FindingRow>,
}

/// A second, or a few.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PointRow {
    pub at_s: u64,
    pub seconds: u64,
    pub requests: u64,
    pub errors: u64,
    pub plays: u64,
    pub renewals: u64,
    pub dropped: u64,
    pub in_flight: u64,
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
    /// All latencies of it, in a part of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hdr: Option<String>,
}

impl LoadReport {
    /// The exit code, as everywhere: 0 conforms, 1 an expectation, a MUST or a threshold does not hold, 3 cannot vouch,
    /// 130 interrupted.
    pub fn exit(&self) -> u8 {
        match self.verdict {
            _ if self.interrupted => 130,
            Word::Fail => 1,
            Word::Inconclusive | Word::NotTestable => 3,
            _ => 0,
        }
    }
}

/// The JSON report as text.
///
/// # Panics
/// Never: a report is plain data.
pub fn json(report: &LoadReport) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("a report is plain data");
    text.push('\n');
    text
}
