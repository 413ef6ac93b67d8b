//! From what was counted to the report.

use std::collections::BTreeMap;

use super::super::LATE;
use super::super::drive::{Job, rows};
use super::super::gauge::{Gauge, Series, StepGauge};
use super::super::tally::{Found, Tally};
use super::super::threshold::value;
use super::{
    CatalogueRow, DeathRow, FoundRow, HerdRow, LoadReport, Percentiles, PlayRow, PointRow, SessionsRow,
    SigningRow, StepRow, ThresholdRow, TimetableRow, VERSION,
};
use crate::report::{At, CheckRow, FindingRow, Word};
use crate::run::judge_recording;
use crate::subject::Target;
use crate::transcript::{Redactor, Transcript};
use crate::verdict::{Level, Verdict};
use crate::wire::dice;

/// From which share on a processor is taken for full, in percent.
const FULL: f64 = 90.0;
/// The most findings of checks that are told.
const MOST_FINDINGS: usize = 20;

/// What is known of a run besides what the threads counted.
#[derive(Default)]
pub(in crate::load) struct Made {
    pub(in crate::load) begun: i64,
    pub(in crate::load) took: u64,
    pub(in crate::load) logging_in: u64,
    pub(in crate::load) presigned: u64,
    pub(in crate::load) presigning: u64,
    pub(in crate::load) interrupted: bool,
    pub(in crate::load) aborted: Option<String>,
    pub(in crate::load) broken: Option<String>,
    pub(in crate::load) not_testable: Vec<(String, String, String)>,
    /// Of each thread: processor time and how long it ran, in microseconds.
    pub(in crate::load) threads: Vec<(u64, u64)>,
    /// When the herd went, and how many renewals there had been.
    pub(in crate::load) herd_went: Option<(u64, u64)>,
    pub(in crate::load) bugs: usize,
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
pub(in crate::load) fn told(
    target: &Target,
    job: &Job,
    tally: Tally,
    series: &Series,
    made: Made,
) -> LoadReport {
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
        duration_ms: ms(made.took),
        logging_in_ms: ms(made.logging_in),
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
    if let Some(table) = report.timetable.filter(|table| table.start_error.p99 > ms(LATE)) {
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
