//! The whole of a run out of the reports of its parts: histograms and counts are added without loss, the series are laid
//! over each other by the clock on the wall, and what must hold is judged on the whole. Pure.

mod belong;
mod series;

pub use belong::Part;

use std::collections::BTreeMap;

use super::gauge::{Gauge, StepGauge};
use super::report::{
    CatalogueRow, FoundRow, HerdRow, LoadReport, PartRow, Percentiles, PlayRow, RunRow, SessionsRow,
    SigningRow, StepRow, TimetableRow, VERSION, judge, rate, step_row, verdict,
};
use crate::diagnostic::Diagnostic;
use crate::report::CheckRow;
use crate::subject::workload::Threshold;

/// The most findings of checks, expectations, and deaths of grants that are told, each.
const MOST_FINDINGS: usize = 50;
/// From how many milliseconds on parts did not begin together.
const APART: i64 = 5;

/// What may be missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected {
    /// Whether parts may be missing; the whole is inconclusive at best then, and says so.
    pub missing_allowed: bool,
    /// How many parts there must be, where they do not know it themselves.
    pub parts: Option<u64>,
}

/// Puts the parts of a run together.
///
/// # Errors
/// They do not belong together, one is missing or twice, or a histogram cannot be read.
pub fn merge(parts: &[Part], expected: Expected) -> Result<LoadReport, Vec<Diagnostic>> {
    let missing = belong::together(parts, expected)?;
    let mut adding = Adding { parts, problems: Vec::new() };
    let report = adding.whole(missing);
    if adding.problems.is_empty() { Ok(report) } else { Err(adding.problems) }
}

struct Adding<'p> {
    parts: &'p [Part],
    problems: Vec<Diagnostic>,
}

impl<'p> Adding<'p> {
    fn reports(&self) -> impl Iterator<Item = &'p LoadReport> + use<'p> {
        self.parts.iter().map(|part| &part.report)
    }

    fn count(&self, of: impl Fn(&LoadReport) -> u64) -> u64 {
        self.reports().map(of).fold(0, u64::saturating_add)
    }

    /// Reads a histogram; one that cannot be read is a problem of its file.
    fn read(&mut self, part: &Part, told: &Percentiles) -> Gauge {
        told.gauge().unwrap_or_else(|why| {
            let message = format!("{}: a histogram cannot be added up: {why}", part.name);
            if !self.problems.iter().any(|known| known.message == message) {
                let help = "merge what this version of `grantcheck load` wrote, as it was written";
                self.problems.push(Diagnostic::bare("bad-histogram", message).help(help));
            }
            Gauge::default()
        })
    }

    /// The histogram of all parts.
    fn sum(&mut self, of: impl Fn(&LoadReport) -> Option<&Percentiles>) -> Gauge {
        let mut sum = Gauge::default();
        for part in self.parts {
            if let Some(told) = of(&part.report) {
                sum.add(&self.read(part, told));
            }
        }
        sum
    }

    fn told(&mut self, of: impl Fn(&LoadReport) -> Option<&Percentiles>) -> Percentiles {
        Percentiles::of(&self.sum(of))
    }

    fn step(&mut self, of: impl Fn(&LoadReport) -> Option<&StepRow>) -> StepGauge {
        let mut gauge = StepGauge {
            latency: self.sum(|report| of(report).map(|row| &row.latency)),
            service: self.sum(|report| of(report).map(|row| &row.service)),
            first_byte: self.sum(|report| of(report).map(|row| &row.first_byte)),
            wait: self.sum(|report| of(report).map(|row| &row.wait)),
            errors: self.count(|report| of(report).map_or(0, |row| row.errors)),
            fails: self.count(|report| of(report).map_or(0, |row| row.fails)),
            doubts: self.count(|report| of(report).map_or(0, |row| row.doubts)),
            stopped: self.count(|report| of(report).map_or(0, |row| row.stopped)),
            skipped: self.count(|report| of(report).map_or(0, |row| row.skipped)),
            waited: self.count(|report| of(report).map_or(0, |row| row.waited_for_renewal)),
            ..StepGauge::default()
        };
        for row in self.reports().filter_map(of) {
            for (status, count) in &row.statuses {
                let sum = gauge.statuses.entry(*status).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
        gauge
    }

    fn whole(&mut self, missing: Vec<String>) -> LoadReport {
        let Some(first) = self.parts.first().map(|part| &part.report) else { return LoadReport::default() };
        let (time, began) = (self.time(), self.reports().map(|r| r.run.began).min().unwrap_or(0));
        let begun = self.reports().map(|r| r.begun).min().unwrap_or(0);
        let end = self.reports().map(|r| r.begun as f64 + r.duration_ms).fold(0.0, f64::max);
        let total = self.step(|report| Some(&report.total));
        let steps: Vec<(String, StepGauge)> = (0..first.steps.len())
            .map(|i| (first.steps[i].step.clone(), self.step(|report| report.steps.get(i))))
            .collect();
        let thresholds: Vec<Threshold> =
            first.run.thresholds.iter().filter_map(|text| Threshold::read(text)).collect();
        let gauges: Vec<(String, &StepGauge)> =
            steps.iter().map(|(name, gauge)| (name.clone(), gauge)).collect();
        let cpu: f64 = self.reports().map(|r| r.cpu_us_per_request * r.total.requests as f64).sum();
        let mut report = LoadReport {
            version: VERSION,
            kind: "load".to_owned(),
            tool: first.tool.clone(),
            org: first.org.clone(),
            begun,
            duration_ms: end - begun as f64,
            logging_in_ms: self.reports().map(|r| r.logging_in_ms).fold(0.0, f64::max),
            plan: first.plan.clone(),
            run: RunRow {
                began,
                part: None,
                parts: self.parts.iter().map(Part::words).collect(),
                missing,
                broken: self.parts.iter().find_map(|part| part.said(part.report.run.broken.as_deref())),
                idle: self.reports().all(|r| r.run.idle),
                ..first.run.clone()
            },
            warm_up_ms: first.warm_up_ms,
            counted_ms: time as f64 / 1000.0,
            interrupted: self.reports().any(|r| r.interrupted),
            aborted: self.parts.iter().find_map(|part| part.said(part.report.aborted.as_deref())),
            thresholds: judge(&thresholds, &gauges, time),
            total: step_row("all", &total, time),
            steps: steps.iter().map(|(name, gauge)| step_row(name, gauge, time)).collect(),
            plays: (0..first.plays.len()).map(|i| self.plays(i, time)).collect(),
            timetable: self.timetable(),
            connect: self.told(|report| Some(&report.connect)),
            tls: self.told(|report| Some(&report.tls)),
            signing: self.signing(),
            sessions: self.sessions(began),
            herd: self.herd(),
            findings: Vec::new(),
            more_findings: 0,
            catalogue: self.catalogue(),
            threads: self.reports().flat_map(|r| r.threads.iter().copied()).collect(),
            cpu_us_per_request: (cpu * 10.0 / total.requests().max(1) as f64).round() / 10.0,
            limits: self.limits(),
            not_testable: self.not_testable(),
            bugs: self.reports().map(|r| r.bugs).fold(0, usize::saturating_add),
            series: series::laid_over(self.parts, &mut self.problems),
            ..LoadReport::default()
        };
        (report.findings, report.more_findings) = self.findings(began);
        (report.verdict, report.because) = verdict(&report);
        report
    }

    /// How long was counted, from the first moment of any to the last of any, in microseconds.
    fn time(&self) -> u64 {
        let begin = self.reports().map(|r| r.run.began as f64 + r.warm_up_ms).fold(f64::INFINITY, f64::min);
        let end = |r: &LoadReport| r.run.began as f64 + r.warm_up_ms + r.counted_ms;
        let end = self.reports().map(end).fold(begin, f64::max);
        // It was written in milliseconds, with three digits behind the point.
        ((end - begin) * 1000.0).round().max(1.0) as u64
    }

    fn plays(&mut self, i: usize, time: u64) -> PlayRow {
        let count = |of: fn(&PlayRow) -> u64| self.count(|report| report.plays.get(i).map_or(0, of));
        let (pass, fail, inconclusive) =
            (count(|row| row.pass), count(|row| row.fail), count(|row| row.inconclusive));
        PlayRow {
            scenario: self.parts[0].report.plays[i].scenario.clone(),
            pass,
            fail,
            inconclusive,
            rate: rate(pass.saturating_add(fail).saturating_add(inconclusive), time),
            latency: self.told(|report| report.plays.get(i).map(|row| &row.latency)),
        }
    }

    fn timetable(&mut self) -> Option<TimetableRow> {
        self.reports().any(|r| r.timetable.is_some()).then(|| TimetableRow {
            start_error: self.told(|report| report.timetable.as_ref().map(|row| &row.start_error)),
            late: self.count(|report| report.timetable.as_ref().map_or(0, |row| row.late)),
            dropped: self.count(|report| report.timetable.as_ref().map_or(0, |row| row.dropped)),
        })
    }

    fn signing(&mut self) -> Option<SigningRow> {
        let rows = || self.parts.iter().filter_map(|part| part.report.signing.as_ref());
        let (rate, busy) =
            (rows().map(|row| row.presigned_rate).sum(), rows().map(|row| row.busy).fold(0.0, f64::max));
        self.reports().any(|r| r.signing.is_some()).then(|| SigningRow {
            took: self.told(|report| report.signing.as_ref().map(|row| &row.took)),
            waited: self.told(|report| report.signing.as_ref().map(|row| &row.waited)),
            presigned: self.count(|report| report.signing.as_ref().map_or(0, |row| row.presigned)),
            presigned_rate: rate,
            ran_out: self.count(|report| report.signing.as_ref().map_or(0, |row| row.ran_out)),
            // Of the busiest process: the others do not help it.
            busy,
        })
    }

    fn sessions(&mut self, began: i64) -> Option<SessionsRow> {
        let mut deaths: Vec<_> = self
            .reports()
            .filter_map(|report| Some((later(report, began), report.sessions.as_ref()?)))
            .flat_map(|(later, row)| row.deaths.iter().map(move |death| (later, death.clone())))
            .map(|(later, mut death)| {
                death.at_ms += later;
                death
            })
            .collect();
        deaths.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
        deaths.truncate(MOST_FINDINGS);
        let count = |of: fn(&SessionsRow) -> u64| self.count(|report| report.sessions.as_ref().map_or(0, of));
        let (sessions, failed_renewals) = (count(|row| row.sessions), count(|row| row.failed_renewals));
        let (refused, died) = (count(|row| row.refused), count(|row| row.died));
        self.reports().any(|r| r.sessions.is_some()).then(|| SessionsRow {
            sessions,
            logins: self.told(|report| report.sessions.as_ref().map(|row| &row.logins)),
            renewals: self.told(|report| report.sessions.as_ref().map(|row| &row.renewals)),
            failed_renewals,
            refused,
            died,
            deaths,
        })
    }

    fn herd(&self) -> Option<HerdRow> {
        let rows: Vec<HerdRow> = self.reports().filter_map(|report| report.herd).collect();
        rows.into_iter().reduce(|a, b| HerdRow {
            callers: a.callers.saturating_add(b.callers),
            sessions: a.sessions.saturating_add(b.sessions),
            renewals: a.renewals.saturating_add(b.renewals),
            failed: a.failed.saturating_add(b.failed),
            took_ms: a.took_ms.max(b.took_ms),
        })
    }

    fn findings(&self, began: i64) -> (Vec<FoundRow>, u64) {
        let mut all: Vec<FoundRow> = Vec::new();
        let mut more = self.count(|report| report.more_findings);
        for report in self.reports() {
            for found in &report.findings {
                let mut found = found.clone();
                found.first_ms += later(report, began);
                let same = |known: &&mut FoundRow| {
                    (&known.step, known.verdict, &known.at) == (&found.step, found.verdict, &found.at)
                };
                let full = all.len() >= MOST_FINDINGS;
                match all.iter_mut().find(same) {
                    Some(known) => {
                        known.times = known.times.saturating_add(found.times);
                        if found.first_ms < known.first_ms {
                            (known.first_ms, known.expected, known.observed) =
                                (found.first_ms, found.expected, found.observed);
                        }
                    }
                    None if !full => all.push(found),
                    None => more = more.saturating_add(found.times),
                }
            }
        }
        (all, more)
    }

    fn catalogue(&self) -> CatalogueRow {
        let mut checks: BTreeMap<String, CheckRow> = BTreeMap::new();
        let mut findings = Vec::new();
        for row in self.reports().map(|report| &report.catalogue) {
            for check in &row.checks {
                match checks.get_mut(&check.check) {
                    Some(known) => {
                        known.scenarios = known.scenarios.saturating_add(check.scenarios);
                        if check.verdict > known.verdict {
                            (known.verdict, known.because) = (check.verdict, check.because.clone());
                        }
                    }
                    None => {
                        checks.insert(check.check.clone(), check.clone());
                    }
                }
            }
            for finding in &row.findings {
                let told = |known: &crate::report::FindingRow| {
                    (&known.check, known.verdict) == (&finding.check, finding.verdict)
                };
                if !findings.iter().any(told) && findings.len() < MOST_FINDINGS {
                    findings.push(finding.clone());
                }
            }
        }
        CatalogueRow {
            sampled: self.count(|report| report.catalogue.sampled),
            of: self.count(|report| report.catalogue.of),
            checks: checks.into_values().collect(),
            findings,
        }
    }

    fn limits(&self) -> Vec<String> {
        let mut limits: Vec<String> = self
            .parts
            .iter()
            .flat_map(|part| part.report.limits.iter().filter_map(|limit| part.said(Some(limit))))
            .collect();
        let began = || self.parts.iter().map(|part| part.report.run.began);
        let apart = began().max().unwrap_or(0).saturating_sub(began().min().unwrap_or(0));
        let shards = matches!(self.parts.first().map(|p| &p.report.run.part), Some(Some(PartRow::Shard(_))));
        if shards && apart > APART {
            limits.push(format!(
                "the parts began up to {:.3} s apart, so together they did not keep the schedule of one: use `--start-at`",
                apart as f64 / 1000.0
            ));
        }
        limits
    }

    fn not_testable(&self) -> Vec<[String; 3]> {
        let mut all: Vec<[String; 3]> = Vec::new();
        for row in self.reports().flat_map(|report| &report.not_testable) {
            if !all.contains(row) {
                all.push(row.clone());
            }
        }
        all
    }
}

/// How much later than the first a part began, in milliseconds.
fn later(report: &LoadReport, began: i64) -> f64 {
    report.run.began.saturating_sub(began) as f64
}

#[cfg(test)]
mod tests;
