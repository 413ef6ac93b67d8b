//! From what was counted to the report.

use std::collections::BTreeMap;

use super::super::drive::{Job, rows};
use super::super::gauge::{Series, StepGauge};
use super::super::shard::Shard;
use super::super::tally::{Found, Tally};
use super::verdict::{judge, limits, verdict};
use super::{
    CatalogueRow, DeathRow, FoundRow, HerdRow, LoadReport, PartRow, Percentiles, PlayRow, PointRow, RunRow,
    SessionsRow, SigningRow, StepRow, TimetableRow, VERSION, ms, rate,
};
use crate::report::{At, CheckRow, FindingRow, Word};
use crate::run::judge_recording;
use crate::subject::Target;
use crate::subject::workload::Tokens;
use crate::transcript::{Redactor, Transcript, tell_apart};
use crate::verdict::Verdict;

/// The most findings of checks that are told.
const MOST_FINDINGS: usize = 20;

/// What is known of a run besides what the threads counted.
#[derive(Default)]
pub(in crate::load) struct Made {
    pub(in crate::load) begun: i64,
    /// When the timetable began, in milliseconds since the epoch.
    pub(in crate::load) timetable: i64,
    pub(in crate::load) print: String,
    pub(in crate::load) took: u64,
    pub(in crate::load) logging_in: u64,
    pub(in crate::load) presigned: u64,
    pub(in crate::load) presigning: u64,
    pub(in crate::load) interrupted: bool,
    pub(in crate::load) aborted: Option<String>,
    pub(in crate::load) broken: Option<String>,
    pub(in crate::load) not_testable: Vec<(String, String, String)>,
    /// Of these, what was selected and cannot be played under load, in words.
    pub(in crate::load) unplayed: Vec<String>,
    /// Of each thread: processor time and how long it ran, in microseconds.
    pub(in crate::load) threads: Vec<(u64, u64)>,
    /// When the herd went, and how many renewals there had been.
    pub(in crate::load) herd_went: Option<(u64, u64)>,
    pub(in crate::load) bugs: usize,
}

pub(in crate::load) fn step_row(name: &str, gauge: &StepGauge, time: u64) -> StepRow {
    StepRow {
        step: name.to_owned(),
        requests: gauge.requests(),
        rate: rate(gauge.requests(), time),
        errors: gauge.errors,
        fails: gauge.fails,
        doubts: gauge.doubts,
        stopped: gauge.stopped,
        skipped: gauge.skipped,
        statuses: gauge.statuses.clone(),
        latency: Percentiles::of(&gauge.latency),
        service: Percentiles::of(&gauge.service),
        first_byte: Percentiles::of(&gauge.first_byte),
        waited_for_renewal: gauge.waited,
        wait: Percentiles::of(&gauge.wait),
    }
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
    // Who has played as often as it was to does not wait for the end.
    let done = plan.own_count().is_some_and(|count| tally.counted + tally.warm_up >= count);
    let whole = !made.interrupted && made.aborted.is_none() && !done && !plan.is_idle();
    let end = plan.length.filter(|_| whole).unwrap_or(0).max(tally.last);
    let time = end.saturating_sub(plan.warm_up).max(1);
    let mut redactor = job.redactor();
    let exchanges = tally.samples.iter().map(|(_, x)| x).chain(tally.findings.iter().map(|f| &f.exchanges));
    exchanges.flatten().for_each(|x| redactor.learn_exchange(x));
    let names = rows(&job.scenes);
    let mut total = StepGauge::default();
    tally.steps.iter().for_each(|step| total.add(step));
    let catalogue = catalogue(target, job, &tally, &mut redactor);
    let findings: Vec<FoundRow> =
        tally.findings.iter().map(|found| found_row(job, &names, found, &mut redactor)).collect();
    let signing = signing(job, &tally, &made, time);
    let sessions = job.sessions();
    let mut report = LoadReport {
        version: VERSION,
        kind: "load".to_owned(),
        tool: concat!("grantcheck ", env!("CARGO_PKG_VERSION")).to_owned(),
        org: target.org.clone().unwrap_or_else(|| "embedded".to_owned()),
        begun: made.begun,
        duration_ms: ms(made.took),
        logging_in_ms: ms(made.logging_in),
        plan: plan.words(),
        run: RunRow {
            print: made.print.clone(),
            began: made.timetable,
            part: match job.worker() {
                Some(worker) => Some(PartRow::Worker(worker.to_owned())),
                None => (plan.shard != Shard::WHOLE).then_some(PartRow::Shard(plan.shard)),
            },
            thresholds: plan.thresholds.iter().map(|threshold| threshold.text.clone()).collect(),
            in_flight: if plan.is_open() { plan.in_flight as u64 } else { 0 },
            drops_allowed: plan.drops_allowed,
            broken: made.broken.as_deref().map(|why| redactor.scrub(why)),
            unplayed: made.unplayed.clone(),
            idle: plan.is_idle(),
            ..RunRow::default()
        },
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
        sessions: (plan.tokens != Tokens::Fresh).then(|| SessionsRow {
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
        // A run that was ended before the herd went says nothing of it.
        herd: (plan.herd > 0 && !(made.interrupted && made.herd_went.is_none()))
            .then(|| herd(plan.own_herd(), sessions, &tally, &made)),
        thresholds: Vec::new(),
        findings,
        more_findings: tally.more_findings,
        catalogue,
        threads: busy(&made.threads, end),
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
                hdr: p.latency.clone(),
            })
            .collect(),
    };
    report.limits = limits(&report);
    // A part has a part of the rate and of the errors: the whole is judged.
    if report.run.part.is_none() {
        let gauges: Vec<(String, &StepGauge)> =
            names.iter().map(|(name, row)| (name.clone(), &tally.steps[*row])).collect();
        report.thresholds = judge(&plan.thresholds, &gauges, time);
    }
    (report.verdict, report.because) = verdict(&report);
    report
}

fn herd(callers: usize, sessions: usize, tally: &Tally, made: &Made) -> HerdRow {
    // Nor of those who were on the way when it was ended.
    let callers = if made.interrupted { tally.herd_done } else { callers as u64 };
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

/// How busy threads were, of which each has its processor time and how long it ran, in percent. One that is done early does
/// nothing for the rest of the time.
fn busy(threads: &[(u64, u64)], end: u64) -> Vec<f64> {
    threads.iter().map(|(cpu, ran)| share(*cpu, (*ran).max(end))).collect()
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

pub(in crate::load) fn found_row(
    job: &Job,
    names: &[(String, usize)],
    found: &Found,
    redactor: &mut Redactor,
) -> FoundRow {
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
        tell_apart(&mut transcript.exchanges);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_done_early_is_not_busy_all_the_time() {
        assert_eq!(busy(&[(900, 1_000), (950_000, 1_000_000)], 1_000_000), [0.1, 95.0]);
        // What goes on after the end of the timetable counts too.
        assert_eq!(busy(&[(900_000, 2_000_000)], 1_000_000), [45.0]);
    }
}
