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

/// Looks at thresholds on steps, of which so much time was counted, in microseconds. One that no step is about does not
/// hold: nobody looked at what it says.
pub(in crate::load) fn judge(
    thresholds: &[Threshold],
    steps: &[(String, &StepGauge)],
    time: u64,
) -> Vec<ThresholdRow> {
    let mut rows = Vec::new();
    for threshold in thresholds {
        if !steps.is_empty() && !steps.iter().any(|(name, _)| threshold.is_about(name)) {
            rows.push(ThresholdRow {
                threshold: threshold.text.clone(),
                step: threshold.step.clone().unwrap_or_default(),
                observed: "of no step".to_owned(),
                holds: false,
            });
        }
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
        limits.push(format!(
            "{full} of {} threads that send were busy at {FULL:.0} % and more",
            report.threads.len()
        ));
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
    doubts.extend(run.unplayed.iter().map(|name| format!("{name}: it was selected and not played")));
    if let Some(why) = &report.aborted {
        fails.push(format!("it ended before its time: {why}"));
    }
    // Where a threshold says how many errors there may be, it decides, and not each of them.
    let thresholds: Vec<Threshold> = run.thresholds.iter().filter_map(|text| Threshold::read(text)).collect();
    let bounded = |name: &str| thresholds.iter().any(|t| t.is_about_errors() && t.is_about(name));
    for found in report.findings.iter().filter(|found| !bounded(&found.step)) {
        let told = format!("{}: {} times expected {}", found.step, found.times, found.expected);
        if found.verdict == Word::Fail { fails.push(told) } else { doubts.push(told) }
    }
    // Findings are told as far as there is room for them; what was counted decides.
    for row in &report.steps {
        if bounded(&row.step) {
            // Of a request that was never sent there is no error.
            if row.stopped > 0 {
                fails.push(format!("{}: {} plays could not go on", row.step, row.stopped));
            }
            continue;
        }
        let told = |fail: bool| -> u64 {
            let own = report.findings.iter().filter(|found| found.step == row.step);
            own.filter(|found| (found.verdict == Word::Fail) == fail).map(|found| found.times).sum()
        };
        let others = row.fails.saturating_add(row.stopped).saturating_sub(told(true));
        if others > 0 {
            fails.push(format!("{}: {others} more times something did not hold", row.step));
        }
        let others = row.doubts.saturating_add(row.skipped).saturating_sub(told(false));
        if others > 0 {
            doubts.push(format!("{}: {others} more times something proves nothing", row.step));
        }
    }
    for row in report.thresholds.iter().filter(|row| !row.holds) {
        fails.push(format!("{}: {}: it is {}", row.step, row.threshold, row.observed));
    }
    let dropped = report.timetable.as_ref().map_or(0, |table| table.dropped);
    if dropped > 0 && !run.drops_allowed {
        let why = match run.in_flight {
            0 => "their users waited for answers until after the end".to_owned(),
            many => format!("more than {many} were in flight"),
        };
        fails.push(format!("{dropped} plays were dropped: {why}"));
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
    let herd = report.herd.is_some_and(|herd| herd.callers > herd.failed);
    if report.catalogue.of == 0 && !herd && !(run.idle && run.part.is_some()) {
        doubts.push("nothing was counted".to_owned());
    }
    let word = match () {
        () if !fails.is_empty() => Word::Fail,
        () if !doubts.is_empty() => Word::Inconclusive,
        () => Word::Pass,
    };
    (word, fails.into_iter().chain(doubts).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::report::{CatalogueRow, FoundRow, StepRow};

    /// A report of one play, with that step.
    fn report(row: StepRow) -> LoadReport {
        let catalogue = CatalogueRow { of: 1, ..CatalogueRow::default() };
        LoadReport {
            steps: vec![StepRow { step: "s › a › 1 call".into(), ..row }],
            catalogue,
            ..LoadReport::default()
        }
    }

    #[test]
    fn what_is_not_told_one_by_one_fails_a_run_too() {
        let (word, because) = verdict(&report(StepRow { fails: 3, ..StepRow::default() }));
        assert_eq!((word, because.len()), (Word::Fail, 1), "{because:?}");
        assert_eq!(verdict(&report(StepRow { doubts: 3, ..StepRow::default() })).0, Word::Inconclusive);
        let mut told = report(StepRow { fails: 3, ..StepRow::default() });
        told.findings = vec![FoundRow {
            step: told.steps[0].step.clone(),
            verdict: Word::Fail,
            times: 3,
            first_ms: 0.0,
            expected: "status 200".into(),
            observed: String::new(),
            at: None,
        }];
        assert_eq!(verdict(&told).1, ["s › a › 1 call: 3 times expected status 200"]);
        // A threshold about errors decides about those, and not about what was never sent.
        told.run.thresholds = vec!["errors < 5".into()];
        assert_eq!(verdict(&told).0, Word::Pass);
        told.steps[0].stopped = 1;
        assert_eq!(verdict(&told).1, ["s › a › 1 call: 1 plays could not go on"]);
    }

    #[test]
    fn a_threshold_of_no_step_does_not_hold() {
        let read = [Threshold::read("no such step: p99 < 1s").unwrap()];
        let rows = judge(&read, &[("s › a › 1 call".into(), &StepGauge::default())], 1);
        assert_eq!((rows.len(), rows[0].holds, rows[0].step.as_str()), (1, false, "no such step"));
    }

    #[test]
    fn who_has_nothing_to_do_is_no_doubt() {
        let mut idle = LoadReport::default();
        idle.run.idle = true;
        assert_eq!(verdict(&idle).0, Word::Inconclusive);
        idle.run.part = Some(crate::load::report::PartRow::Worker("w".into()));
        assert_eq!(verdict(&idle).0, Word::Pass);
        idle.run.unplayed = vec!["s › b".into()];
        assert_eq!(verdict(&idle).0, Word::Inconclusive);
    }
}
