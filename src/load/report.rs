//! What a load run is told as. The JSON is the definition; console, Prometheus and CSV are views of the same rows.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::drive::{Job, rows};
use super::gauge::{Gauge, Series, StepGauge};
use super::tally::{Found, Tally};
use super::threshold::value;
use crate::report::{At, CheckRow, FindingRow, Word};
use crate::run::judge_recording;
use crate::subject::Target;
use crate::transcript::{Redactor, Transcript};
use crate::verdict::{Level, Verdict};
use crate::wire::dice;

/// Version of the JSON report of a load run.
pub const VERSION: u32 = 1;
/// From which share on a processor is taken for full, in percent.
const FULL: f64 = 90.0;
/// The most findings of checks that are told.
const MOST_FINDINGS: usize = 20;

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
    /// What was to be done, in words.
    pub plan: String,
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
    /// Which threshold ended it.
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

/// Durations in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// From the moment at which it should have begun to its end.
    pub latency: Percentiles,
}

/// How well a timetable was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TimetableRow {
    /// How much later than their time plays began.
    pub start_error: Percentiles,
    /// Plays that began more than 2 ms late.
    pub late: u64,
    /// Plays that were not begun because too many were in flight.
    pub dropped: u64,
}

/// Signing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// First grants, made before the timetable began.
    pub logins: Percentiles,
    /// Renewals: refreshes and new grants.
    pub renewals: Percentiles,
    /// Renewals that brought no token.
    pub failed_renewals: u64,
    /// Requests that were refused with a dead token and sent again.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
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
}

/// What is known of a run besides what the threads counted.
#[derive(Default)]
pub(super) struct Made {
    pub(super) begun: i64,
    pub(super) took: u64,
    pub(super) logging_in: u64,
    pub(super) presigned: u64,
    pub(super) presigning: u64,
    pub(super) interrupted: bool,
    pub(super) aborted: Option<String>,
    pub(super) broken: Option<String>,
    pub(super) not_testable: Vec<(String, String, String)>,
    /// Of each thread: processor time and how long it ran, in microseconds.
    pub(super) threads: Vec<(u64, u64)>,
    /// When the herd went, and how many renewals there had been.
    pub(super) herd_went: Option<(u64, u64)>,
    pub(super) bugs: usize,
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

/// A duration in milliseconds.
fn ms(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

impl Percentiles {
    fn of(gauge: &Gauge) -> Self {
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
        }
    }
}

fn step_row(name: &str, gauge: &StepGauge, time: u64) -> StepRow {
    StepRow {
        step: name.to_owned(),
        requests: gauge.requests(),
        rate: rate(gauge.requests(), time),
        errors: gauge.errors,
        statuses: gauge.statuses.clone(),
        latency: Percentiles::of(&gauge.latency),
        service: Percentiles::of(&gauge.service),
        first_byte: Percentiles::of(&gauge.first_byte),
        waited_for_renewal: gauge.waited,
        wait: Percentiles::of(&gauge.wait),
    }
}

fn rate(count: u64, micros: u64) -> f64 {
    (count as f64 * 1e7 / micros.max(1) as f64).round() / 10.0
}

/// Puts the report together. Every secret in it is replaced by its fingerprint.
pub(super) fn told(target: &Target, job: &Job, tally: Tally, series: &Series, made: Made) -> LoadReport {
    let plan = &job.plan;
    let end =
        plan.length.filter(|_| !made.interrupted && made.aborted.is_none()).unwrap_or(0).max(tally.last);
    let time = end.saturating_sub(plan.warm_up).max(1);
    let mut redactor = Redactor::new(dice::seed());
    redactor.learn_target(target);
    let exchanges = tally.samples.iter().map(|(_, x)| x).chain(tally.findings.iter().map(|f| &f.exchanges));
    exchanges.flatten().for_each(|x| redactor.learn_exchange(x));
    let names = rows(&job.scenes);
    let mut total = StepGauge::default();
    tally.steps.iter().for_each(|step| total.add(step));
    let thresholds = thresholds(job, &names, &tally, time);
    let catalogue = catalogue(target, job, &tally, &mut redactor);
    let findings: Vec<FoundRow> =
        tally.findings.iter().map(|found| found_row(job, &names, found, &mut redactor)).collect();
    let signing = signing(job, &tally, &made, time);
    let sessions: usize = if plan.sessions() == 0 { 0 } else { plan.sessions() * job.scenes.len() };
    let mut report = LoadReport {
        version: VERSION,
        kind: "load".to_owned(),
        tool: concat!("grantcheck ", env!("CARGO_PKG_VERSION")).to_owned(),
        org: target.org.clone().unwrap_or_else(|| "embedded".to_owned()),
        begun: made.begun,
        plan: plan.words(),
        warm_up_ms: ms(plan.warm_up),
        counted_ms: ms(time),
        verdict: Word::Pass,
        because: Vec::new(),
        interrupted: made.interrupted,
        aborted: made.aborted.clone(),
        total: step_row("all", &total, time),
        steps: names.iter().map(|(name, row)| step_row(name, &tally.steps[*row], time)).collect(),
        plays: job
            .scenes
            .iter()
            .zip(&tally.plays)
            .map(|(scene, plays)| PlayRow {
                scenario: scene.name(),
                pass: plays.pass,
                fail: plays.fail,
                inconclusive: plays.inconclusive,
                rate: rate(plays.pass + plays.fail + plays.inconclusive, time),
                latency: Percentiles::of(&plays.latency),
            })
            .collect(),
        timetable: (tally.start_error.count() > 0 || tally.dropped > 0).then(|| TimetableRow {
            start_error: Percentiles::of(&tally.start_error),
            late: tally.late,
            dropped: tally.dropped,
        }),
        connect: Percentiles::of(&tally.connect),
        tls: Percentiles::of(&tally.tls),
        signing,
        sessions: (sessions > 0).then(|| SessionsRow {
            sessions: sessions as u64,
            logins: Percentiles::of(&tally.logins),
            renewals: Percentiles::of(&tally.renewals),
            failed_renewals: tally.failed_renewals,
            refused: tally.refused,
            died: tally.died,
            deaths: tally
                .deaths
                .iter()
                .map(|(at, scene, why)| DeathRow {
                    at_ms: ms(*at),
                    scenario: job.scenes.get(*scene).map_or_else(String::new, |scene| scene.name()),
                    why: redactor.scrub(why),
                })
                .collect(),
        }),
        herd: (plan.herd > 0).then(|| herd(plan.herd, sessions, &tally, &made)),
        thresholds,
        findings,
        more_findings: tally.more_findings,
        catalogue,
        threads: made.threads.iter().map(|(cpu, ran)| share(*cpu, *ran)).collect(),
        cpu_us_per_request: {
            let cpu: u64 = made.threads.iter().map(|(cpu, _)| cpu).sum();
            (cpu as f64 * 10.0 / total.requests().max(1) as f64).round() / 10.0
        },
        limits: Vec::new(),
        not_testable: made
            .not_testable
            .iter()
            .cloned()
            .map(|(suite, name, why)| [suite, name, why])
            .collect(),
        bugs: made.bugs,
        series: series
            .points()
            .iter()
            .map(|p| PointRow {
                at_s: p.at,
                seconds: p.seconds,
                requests: p.requests,
                errors: p.errors,
                plays: p.plays,
                renewals: p.renewals,
                dropped: p.dropped,
                in_flight: p.in_flight,
                p50: ms(p.p50),
                p99: ms(p.p99),
                max: ms(p.longest),
            })
            .collect(),
    };
    report.limits = limits(&report);
    (report.verdict, report.because) = verdict(job, &report, &tally, &made);
    report
}

fn herd(callers: usize, sessions: usize, tally: &Tally, made: &Made) -> HerdRow {
    let callers = callers as u64;
    let (went, before) = made.herd_went.unwrap_or((tally.herd_end, tally.renewals.count()));
    HerdRow {
        callers,
        sessions: sessions as u64,
        renewals: tally.renewals.count().saturating_sub(before),
        // Who never went, or never came back, is none who was served.
        failed: tally.herd_failed + callers.saturating_sub(tally.herd_done),
        took_ms: ms(tally.herd_end.saturating_sub(went)),
    }
}

fn share(part: u64, whole: u64) -> f64 {
    (part as f64 * 1000.0 / whole.max(1) as f64).round() / 10.0
}

fn signing(job: &Job, tally: &Tally, made: &Made, time: u64) -> Option<SigningRow> {
    if tally.signing.count() == 0 && made.presigned == 0 {
        return None;
    }
    let busy = tally.signing.mean() * tally.signing.count() as f64;
    Some(SigningRow {
        took: Percentiles::of(&tally.signing),
        waited: Percentiles::of(&tally.signing_wait),
        presigned: made.presigned,
        presigned_rate: rate(made.presigned, made.presigning),
        ran_out: tally.ran_out,
        busy: share(busy as u64, time * job.signer.processors() as u64),
    })
}

fn thresholds(job: &Job, names: &[(String, usize)], tally: &Tally, time: u64) -> Vec<ThresholdRow> {
    let mut rows = Vec::new();
    for threshold in &job.plan.thresholds {
        for (name, row) in names.iter().filter(|(name, _)| threshold.is_about(name)) {
            let value = value(threshold, &tally.steps[*row], time);
            rows.push(ThresholdRow {
                threshold: threshold.text.clone(),
                step: name.clone(),
                observed: value
                    .map_or_else(|| "nothing was measured".to_owned(), |value| threshold.words(value)),
                holds: value.is_some_and(|value| threshold.holds(value)),
            });
        }
    }
    rows
}

fn found_row(job: &Job, names: &[(String, usize)], found: &Found, redactor: &mut Redactor) -> FoundRow {
    let row = job.scenes[found.scene].steps[found.step].row;
    let name = names.iter().find(|(_, r)| *r == row).map_or_else(String::new, |(name, _)| name.clone());
    let at = found.finding.at.as_ref().map(|(text, span)| {
        let mut at = At::of(text, *span);
        at.text = redactor.scrub_own(&at.text);
        at
    });
    FoundRow {
        step: name,
        verdict: if found.finding.verdict == Verdict::Fail { Word::Fail } else { Word::Inconclusive },
        times: found.times,
        first_ms: ms(found.first),
        expected: redactor.scrub(&found.finding.expected),
        observed: redactor.scrub(&found.finding.observed),
        at,
    }
}

/// Judges the sampled plays with the catalogue, scenario by scenario.
fn catalogue(target: &Target, job: &Job, tally: &Tally, redactor: &mut Redactor) -> CatalogueRow {
    let mut checks: BTreeMap<String, CheckRow> = BTreeMap::new();
    let mut findings: Vec<FindingRow> = Vec::new();
    for (number, scene) in job.scenes.iter().enumerate() {
        let mut transcript = Transcript {
            subject: scene.subject.clone(),
            waive: target.waive.clone(),
            ..Transcript::default()
        };
        for (k, (_, play)) in tally.samples.iter().filter(|(of, _)| *of == number).enumerate() {
            let name = format!("{} #{k}", scene.name());
            let waive = &scene.scenario.waive;
            if !waive.is_empty() {
                let waivers = waive.iter().map(|(check, because)| crate::subject::Waiver {
                    check: check.clone(),
                    because: because.clone(),
                });
                transcript.waive_in.insert(name.clone(), waivers.collect());
            }
            for exchange in play {
                let mut exchange = exchange.clone();
                exchange.renumber(transcript.exchanges.len());
                exchange.scenario.clone_from(&name);
                transcript.exchanges.push(exchange);
            }
        }
        if transcript.exchanges.is_empty() {
            continue;
        }
        let judged = judge_recording(&transcript, &scene.suite, None);
        for row in judged.checks {
            match checks.get_mut(&row.check) {
                Some(known) => {
                    known.scenarios += row.scenarios;
                    if row.verdict > known.verdict {
                        (known.verdict, known.because) = (row.verdict, row.because);
                    }
                }
                None => {
                    checks.insert(row.check.clone(), row);
                }
            }
        }
        for mut finding in judged.scenarios.into_iter().flat_map(|row| row.findings) {
            let told =
                findings.iter().any(|known| known.check == finding.check && known.verdict == finding.verdict);
            if !told && findings.len() < MOST_FINDINGS {
                finding.expected = redactor.scrub(&finding.expected);
                finding.observed = redactor.scrub(&finding.observed);
                finding.exchanges.clear();
                findings.push(finding);
            }
        }
    }
    CatalogueRow {
        sampled: tally.samples.len() as u64,
        of: tally.counted,
        checks: checks.into_values().collect(),
        findings,
    }
}

/// What this program itself was the limit of.
fn limits(report: &LoadReport) -> Vec<String> {
    let mut limits = Vec::new();
    let full = report.threads.iter().filter(|share| **share >= FULL).count();
    if full > 0 && full == report.threads.len() {
        limits.push(format!(
            "every thread that sends was busy ({}): the rates are what this program can do here, not what the server can",
            report.threads.iter().map(|share| format!("{share:.0} %")).collect::<Vec<_>>().join(", ")
        ));
    } else if full > 0 {
        limits.push(format!("{full} of {} threads that send were busy all the time", report.threads.len()));
    }
    if let Some(signing) = report.signing.filter(|signing| signing.busy >= FULL) {
        limits.push(format!(
            "signing was busy {:.0} % of its time ({:.2} ms each): it bounds the rate; use `assertion: reuse` or `presigned`",
            signing.busy, signing.took.mean
        ));
    }
    if report.org == "embedded" && full > 0 {
        limits.push("the embedded org runs in the same process and shares its processors".to_owned());
    }
    if let Some(table) = report.timetable.filter(|table| table.start_error.p99 > ms(super::LATE)) {
        limits.push(format!(
            "plays began late (p99 {:.1} ms): this program did not keep its timetable",
            table.start_error.p99
        ));
    }
    limits
}

fn verdict(job: &Job, report: &LoadReport, tally: &Tally, made: &Made) -> (Word, Vec<String>) {
    let mut fails = Vec::new();
    let mut doubts = Vec::new();
    if let Some(why) = &made.broken {
        doubts.push(format!("it could not be prepared: {why}"));
    }
    if let Some(why) = &made.aborted {
        fails.push(format!("a threshold ended it: {why}"));
    }
    // Where a threshold says how many errors there may be, it decides, and not each of them.
    let bounded = |name: &str| job.plan.thresholds.iter().any(|t| t.is_about_errors() && t.is_about(name));
    let counted = report.findings.iter().filter(|found| !bounded(&found.step));
    for found in counted {
        let told = format!("{}: {} times expected {}", found.step, found.times, found.expected);
        if found.verdict == Word::Fail { fails.push(told) } else { doubts.push(told) }
    }
    for row in report.thresholds.iter().filter(|row| !row.holds) {
        fails.push(format!("{}: {}: it is {}", row.step, row.threshold, row.observed));
    }
    let dropped = report.timetable.map_or(0, |table| table.dropped);
    if dropped > 0 && !job.plan.drops_allowed {
        fails.push(format!("{dropped} plays were dropped: more than {} were in flight", job.plan.in_flight));
    }
    if let Some(herd) = report.herd.filter(|herd| herd.failed > 0) {
        fails.push(format!("{} of {} callers of the herd were not served", herd.failed, herd.callers));
    }
    if tally.died > 0 {
        fails.push(format!("{} grants died", tally.died));
    }
    for row in &report.catalogue.checks {
        if row.verdict == Word::Fail
            && crate::catalog::all().any(|check| check.id == row.check && check.level == Level::Must)
        {
            fails.push(format!("the catalogue, on the sample: {}", row.check));
        }
    }
    if made.bugs > 0 {
        doubts.push(format!("{} threads broke: our bug", made.bugs));
    }
    if tally.counted == 0 {
        doubts.push("nothing was counted".to_owned());
    }
    let word = match () {
        () if !fails.is_empty() => Word::Fail,
        () if !doubts.is_empty() => Word::Inconclusive,
        () => Word::Pass,
    };
    (word, fails.into_iter().chain(doubts).collect())
}
