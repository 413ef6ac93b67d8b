//! What a report comes to, out of its rows alone: so that the whole of several parts is judged as one run would have been.

use super::super::LATE;
use super::super::gauge::StepGauge;
use super::super::threshold::value;
use super::{LoadReport, ThresholdRow, ms};
use crate::report::Word;
use crate::subject::workload::Threshold;
use crate::verdict::Level;

/// From which share on a processor is taken for full, in percent.
const FULL: f64 = 90.0;

/// Looks at thresholds on steps, of which so much time was counted, in microseconds.
pub(in crate::load) fn judge(
    thresholds: &[Threshold],
    steps: &[(String, &StepGauge)],
    time: u64,
) -> Vec<ThresholdRow> {
    let mut rows = Vec::new();
    for threshold in thresholds {
        for (name, gauge) in steps.iter().filter(|(name, _)| threshold.is_about(name)) {
            let value = value(threshold, gauge, time);
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

/// What this program itself was the limit of.
pub(in crate::load) fn limits(report: &LoadReport) -> Vec<String> {
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
    if let Some(signing) = report.signing.as_ref().filter(|signing| signing.busy >= FULL) {
        limits.push(format!(
            "signing was busy {:.0} % of its time ({:.2} ms each): it bounds the rate; use `assertion: reuse` or `presigned`",
            signing.busy, signing.took.mean
        ));
    }
    if report.org == "embedded" && full > 0 {
        limits.push("the embedded org runs in the same process and shares its processors".to_owned());
    }
    if let Some(table) = report.timetable.as_ref().filter(|table| table.start_error.p99 > ms(LATE)) {
        limits.push(format!(
            "plays began late (p99 {:.1} ms): this program did not keep its timetable",
            table.start_error.p99
        ));
    }
    limits
}

/// The verdict of a report, and why it is no pass.
pub(in crate::load) fn verdict(report: &LoadReport) -> (Word, Vec<String>) {
    let run = &report.run;
    let mut fails = Vec::new();
    let mut doubts = Vec::new();
    if let Some(why) = &run.broken {
        doubts.push(format!("it could not be prepared: {why}"));
    }
    doubts.extend(run.missing.iter().cloned());
    if let Some(why) = &report.aborted {
        fails.push(format!("a threshold ended it: {why}"));
    }
    // Where a threshold says how many errors there may be, it decides, and not each of them.
    let thresholds: Vec<Threshold> = run.thresholds.iter().filter_map(|text| Threshold::read(text)).collect();
    let bounded = |name: &str| thresholds.iter().any(|t| t.is_about_errors() && t.is_about(name));
    for found in report.findings.iter().filter(|found| !bounded(&found.step)) {
        let told = format!("{}: {} times expected {}", found.step, found.times, found.expected);
        if found.verdict == Word::Fail { fails.push(told) } else { doubts.push(told) }
    }
    for row in report.thresholds.iter().filter(|row| !row.holds) {
        fails.push(format!("{}: {}: it is {}", row.step, row.threshold, row.observed));
    }
    let dropped = report.timetable.as_ref().map_or(0, |table| table.dropped);
    if dropped > 0 && !run.drops_allowed {
        fails.push(format!("{dropped} plays were dropped: more than {} were in flight", run.in_flight));
    }
    if let Some(herd) = report.herd.filter(|herd| herd.failed > 0) {
        fails.push(format!("{} of {} callers of the herd were not served", herd.failed, herd.callers));
    }
    let died = report.sessions.as_ref().map_or(0, |sessions| sessions.died);
    if died > 0 {
        fails.push(format!("{died} grants died"));
    }
    for row in &report.catalogue.checks {
        if row.verdict == Word::Fail
            && crate::catalog::all().any(|check| check.id == row.check && check.level == Level::Must)
        {
            fails.push(format!("the catalogue, on the sample: {}", row.check));
        }
    }
    if report.bugs > 0 {
        doubts.push(format!("{} threads broke: our bug", report.bugs));
    }
    if report.catalogue.of == 0 {
        doubts.push("nothing was counted".to_owned());
    }
    let word = match () {
        () if !fails.is_empty() => Word::Fail,
        () if !doubts.is_empty() => Word::Inconclusive,
        () => Word::Pass,
    };
    (word, fails.into_iter().chain(doubts).collect())
}
