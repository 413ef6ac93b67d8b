//! The report of a load run for a terminal, and the line of its progress.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::drive::Progress;
use super::report::{LoadReport, Percentiles, StepRow};
use crate::report::{Word, visible};

/// The text of a report.
pub fn console(report: &LoadReport, colour: bool) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} on {}", visible(&report.plan), visible(&report.org));
    for part in &report.run.parts {
        let _ = writeln!(out, "  {}", visible(part));
    }
    if let Some(part) = &report.run.part {
        let after = "what must hold of the whole is judged by `grantcheck merge`";
        let _ = writeln!(out, "{} of it; {after}", visible(&part.words()));
        if report.run.idle {
            let _ = writeln!(
                out,
                "nothing of the run falls to this part: there are more parts than plays or users"
            );
        }
    }
    let _ = writeln!(out, "{:.1} s counted\n", report.counted_ms / 1000.0);
    steps(&mut out, report);
    plays(&mut out, report);
    around(&mut out, report);
    for row in &report.thresholds {
        let word =
            if row.holds { paint("holds", Word::Pass, colour) } else { paint("FAILS", Word::Fail, colour) };
        let _ = writeln!(out, "{word} {}  {}: {}", row.threshold, visible(&row.step), row.observed);
    }
    findings(&mut out, report, colour);
    catalogue(&mut out, report);
    for [suite, scenario, why] in &report.not_testable {
        let _ = writeln!(out, "not played  {} › {}: {}", visible(suite), visible(scenario), visible(why));
    }
    for limit in &report.limits {
        let _ = writeln!(out, "{} {limit}", paint("our own limit:", Word::Warn, colour));
    }
    let word = match report.verdict {
        Word::Pass => "pass",
        Word::Fail => "FAIL",
        _ => "inconclusive",
    };
    let until = if report.interrupted { ", as far as it was played: interrupted" } else { "" };
    let _ = writeln!(out, "{}{until}", paint(word, report.verdict, colour));
    for why in &report.because {
        let _ = writeln!(out, "  {}", visible(why));
    }
    out
}

fn paint(text: &str, word: Word, colour: bool) -> String {
    let code = match word {
        Word::Pass => "32",
        Word::Fail => "1;31",
        _ => "33",
    };
    if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Milliseconds with as many digits as say something.
fn short(ms: f64) -> String {
    match ms {
        ms if ms >= 100.0 => format!("{ms:.0}"),
        ms if ms >= 10.0 => format!("{ms:.1}"),
        ms => format!("{ms:.2}"),
    }
}

fn steps(out: &mut String, report: &LoadReport) {
    let mut rows: Vec<(&str, &StepRow)> = report.steps.iter().map(|row| (row.step.as_str(), row)).collect();
    if rows.len() > 1 {
        rows.push(("all", &report.total));
    }
    let _ = writeln!(
        out,
        "{:>9} {:>9} {:>8} | {:>8} {:>8} {:>8} {:>8} {:>8} | {:>8} {:>8}  step",
        "requests", "a second", "errors", "p50", "p90", "p95", "p99", "max", "p50", "p99"
    );
    let _ = writeln!(out, "{:>28} | {:^44} | {:^17}", "", "latency from its time (ms)", "service (ms)");
    for (name, row) in rows {
        let Percentiles { p50, p90, p95, p99, max, .. } = row.latency;
        let _ = writeln!(
            out,
            "{:>9} {:>9.1} {:>8} | {:>8} {:>8} {:>8} {:>8} {:>8} | {:>8} {:>8}  {}",
            row.requests,
            row.rate,
            row.errors,
            short(p50),
            short(p90),
            short(p95),
            short(p99),
            short(max),
            short(row.service.p50),
            short(row.service.p99),
            visible(name)
        );
    }
    let statuses: Vec<String> = report
        .total
        .statuses
        .iter()
        .map(
            |(status, count)| {
                if *status == 0 { format!("no answer {count}") } else { format!("{status} {count}") }
            },
        )
        .collect();
    let _ = writeln!(out, "\nanswers: {}", statuses.join(", "));
    for row in report.steps.iter().filter(|row| row.stopped + row.skipped > 0) {
        let after = match row.skipped {
            0 => String::new(),
            skipped => format!(", {skipped} of them after something else that does not hold"),
        };
        let plays = row.stopped.saturating_add(row.skipped);
        let _ = writeln!(out, "could not go on: {plays} plays{after}  {}", visible(&row.step));
    }
}

fn plays(out: &mut String, report: &LoadReport) {
    for row in &report.plays {
        let _ = writeln!(
            out,
            "plays: {} pass, {} fail, {} inconclusive, {:.1}/s, p50 {} ms, p99 {} ms  {}",
            row.pass,
            row.fail,
            row.inconclusive,
            row.rate,
            short(row.latency.p50),
            short(row.latency.p99),
            visible(&row.scenario)
        );
    }
}

fn around(out: &mut String, report: &LoadReport) {
    if let Some(table) = &report.timetable {
        let _ = writeln!(
            out,
            "timetable: plays began {} ms late at p50, {} ms at p99; {} late, {} dropped",
            short(table.start_error.p50),
            short(table.start_error.p99),
            table.late,
            table.dropped
        );
    }
    if report.connect.count > 0 {
        let tls = match report.tls.count {
            0 => String::new(),
            count => format!(", {count} TLS handshakes, p50 {} ms", short(report.tls.p50)),
        };
        let Percentiles { count, p50, p99, .. } = report.connect;
        let _ = writeln!(out, "connections: {count}, p50 {} ms, p99 {} ms{tls}", short(p50), short(p99));
    }
    if let Some(signing) = &report.signing {
        let before = match signing.presigned {
            0 => String::new(),
            many => format!(
                "; {many} before the run, {:.0}/s, ran out {} times",
                signing.presigned_rate, signing.ran_out
            ),
        };
        let _ = writeln!(
            out,
            "signing: {} signatures of {} ms (p99 {} ms), waited {} ms at p99, busy {:.0} %{before}",
            signing.took.count,
            short(signing.took.p50),
            short(signing.took.p99),
            short(signing.waited.p99),
            signing.busy
        );
    }
    if let Some(sessions) = &report.sessions {
        let _ = writeln!(
            out,
            "sessions: {} (logins p50 {} ms); {} renewals (p50 {} ms), {} failed; {} requests refused because their token was dead",
            sessions.sessions,
            short(sessions.logins.p50),
            sessions.renewals.count,
            short(sessions.renewals.p50),
            sessions.failed_renewals,
            sessions.refused
        );
        if report.total.waited_for_renewal > 0 {
            let _ = writeln!(
                out,
                "  {} requests waited for a renewal, p50 {} ms, max {} ms: that is not in their latency",
                report.total.waited_for_renewal,
                short(report.total.wait.p50),
                short(report.total.wait.max)
            );
        }
        for death in &sessions.deaths {
            let _ = writeln!(
                out,
                "  a grant died after {:.1} s: {}  {}",
                death.at_ms / 1000.0,
                visible(&death.why),
                visible(&death.scenario)
            );
        }
    }
    if let Some(herd) = &report.herd {
        let _ = writeln!(
            out,
            "herd: {} callers found {} sessions dead at once: {} renewals, {} callers not served, {} ms until the last was",
            herd.callers,
            herd.sessions,
            herd.renewals,
            herd.failed,
            short(herd.took_ms)
        );
    }
    let threads: Vec<String> = report.threads.iter().map(|share| format!("{share:.0} %")).collect();
    if !threads.is_empty() {
        let _ = writeln!(
            out,
            "our threads: {} of a processor, {:.1} us a request",
            threads.join(", "),
            report.cpu_us_per_request
        );
    }
}

fn findings(out: &mut String, report: &LoadReport, colour: bool) {
    for found in &report.findings {
        let word = paint(if found.verdict == Word::Fail { "FAIL" } else { "doubt" }, found.verdict, colour);
        let _ = writeln!(
            out,
            "{word}  {}  {} times, first after {:.1} s",
            visible(&found.step),
            found.times,
            found.first_ms / 1000.0
        );
        if let Some(at) = &found.at {
            let _ = writeln!(
                out,
                "      {}:{}:{}  {}",
                visible(&at.file),
                at.line,
                at.column,
                visible(at.text.trim())
            );
        }
        let _ = writeln!(out, "      expected {}", visible(&found.expected));
        let _ = writeln!(out, "      observed {}", visible(&found.observed));
    }
    if report.more_findings > 0 {
        let _ = writeln!(out, "and {} others", report.more_findings);
    }
}

fn catalogue(out: &mut String, report: &LoadReport) {
    let row = &report.catalogue;
    let mut words: BTreeMap<Word, usize> = BTreeMap::new();
    row.checks.iter().for_each(|check| *words.entry(check.verdict).or_default() += 1);
    let told: Vec<String> = words.iter().map(|(word, count)| format!("{count} {}", word.word())).collect();
    let told = if told.is_empty() { "no check has evidence".to_owned() } else { told.join(", ") };
    let _ = writeln!(out, "catalogue, on a sample of {} of {} plays: {told}", row.sampled, row.of);
    for finding in row.findings.iter().filter(|f| matches!(f.verdict, Word::Fail | Word::Warn)) {
        let check = finding.check.as_deref().unwrap_or("");
        let _ = writeln!(out, "      {} {check}", finding.level.word());
        let _ = writeln!(out, "           expected {}", visible(&finding.expected));
        let _ = writeln!(out, "           observed {}", visible(&finding.observed));
    }
}

/// One line about a run that goes on.
pub fn progress_line(progress: &Progress) -> String {
    if !progress.begun {
        return "getting ready".to_owned();
    }
    let of = progress.length.map_or(String::new(), |length| format!("/{:.0}", length as f64 / 1e6));
    let ms = |micros: u64| short(micros as f64 / 1000.0);
    let mut line = format!(
        "{:.0}{of} s  {} requests/s  p50 {} ms  p99 {} ms  errors {}  in flight {}",
        progress.now as f64 / 1e6,
        progress.requests,
        ms(progress.p50),
        ms(progress.p99),
        progress.errors,
        progress.in_flight
    );
    if progress.renewals > 0 {
        let _ = write!(line, "  renewals {}", progress.renewals);
    }
    if progress.dropped > 0 {
        let _ = write!(line, "  dropped {}", progress.dropped);
    }
    line
}
