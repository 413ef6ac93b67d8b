//! The report for a terminal.

use std::fmt::Write as _;

use super::{At, ErrorRow, FindingRow, Report, ScenarioRow, StormRow, Word, sequence, visible};
use crate::diagnostic::carets;
use crate::verdict::Level;

/// How much is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Whether colours are used.
    pub colour: bool,
    /// Whether passes are listed as well.
    pub all: bool,
}

/// The text of a report, not longer than its findings ask for.
pub fn console(report: &Report, style: Style) -> String {
    let mut out = String::new();
    for row in &report.scenarios {
        let quiet = matches!(row.verdict, Word::Pass | Word::NotTestable);
        if !quiet || style.all {
            scenario(&mut out, row, style);
            // What a program asked says more than that something was expected of it.
            if row.program.is_some() && !quiet {
                out.push_str(&sequence(row, &report.transcript));
            }
        }
    }
    not_testable(&mut out, report, style);
    checks(&mut out, report);
    summary(&mut out, report, style);
    out
}

/// What is told once in the table of checks instead of at every scenario.
fn quiet(finding: &FindingRow) -> bool {
    let lesser = matches!(finding.verdict, Word::Warn | Word::Note) && finding.check.is_some();
    lesser || matches!(finding.verdict, Word::KnownDeviation | Word::Waived)
}

fn paint(text: &str, word: Word, style: Style) -> String {
    let code = match word {
        Word::Pass => "32",
        Word::Fail => "1;31",
        Word::Warn | Word::Inconclusive => "33",
        _ => "2",
    };
    if style.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

fn scenario(out: &mut String, row: &ScenarioRow, style: Style) {
    let word = format!("{:<5}", short(row.verdict));
    let word = paint(&word, row.verdict, style);
    let (suite, name) = (visible(&row.suite), visible(&row.scenario));
    let _ = writeln!(out, "{word} {suite} › {name}  {:.0} ms", row.duration_ms);
    if let Some(reason) = &row.reason {
        let _ = writeln!(out, "      {}", visible(reason));
    }
    if let Some(storm) = row.program.as_ref().and_then(|program| program.storm) {
        let StormRow { callers, renewals, invalid_grants, failed_calls } = storm;
        let _ = writeln!(
            out,
            "      {callers} callers: renewals {renewals}, self-made invalid_grant {invalid_grants}, failed calls {failed_calls}"
        );
    }
    let mut shown: Vec<&FindingRow> = Vec::new();
    for f in row.findings.iter().filter(|f| !quiet(f) || style.all) {
        let same = |other: &&FindingRow| {
            (&other.check, &other.step) == (&f.check, &f.step)
                && other.expected == f.expected
                && other.observed == f.observed
        };
        if !shown.iter().any(same) {
            shown.push(f);
        }
    }
    let mut told: Vec<&str> = Vec::new();
    for f in shown {
        finding(out, f, style);
        // Several findings may be about one answer.
        if let Some(row) = f.error.as_ref().filter(|row| !told.contains(&row.entry.as_str())) {
            told.push(&row.entry);
            error(out, row);
        }
    }
}

fn finding(out: &mut String, f: &FindingRow, style: Style) {
    match (&f.check, &f.at) {
        (None, Some(at)) => {
            let step = f.step.as_ref().map_or(String::new(), |step| format!("  ({step})"));
            let _ = writeln!(out, "      {}:{}:{}{step}", visible(&at.file), at.line, at.column);
            excerpt(out, at, &f.observed, f.verdict, style);
            let _ = writeln!(out, "      expected {}", f.expected);
        }
        (Some(check), _) => {
            let word = paint(severity(f), f.verdict, style);
            let cites = f.cites.first().map_or(String::new(), |cite| format!("   {cite}"));
            let _ = writeln!(out, "      {word} {check}{cites}");
            let _ = writeln!(out, "           expected {}", f.expected);
            let _ = writeln!(out, "           observed {}", f.observed);
        }
        (None, None) => {
            let _ = writeln!(out, "      expected {}, observed {}", f.expected, f.observed);
        }
    }
    if !f.exchanges.is_empty() && style.all {
        let numbers: Vec<String> = f.exchanges.iter().map(|n| format!("#{n}")).collect();
        let _ = writeln!(out, "           exchanges {}", numbers.join(" "));
    }
    if let Some(because) = &f.because {
        let _ = writeln!(out, "           because {}", visible(because));
    }
}

/// What a known error means.
fn error(out: &mut String, row: &ErrorRow) {
    let _ = writeln!(out, "      means {}", visible(&row.means));
    for cause in &row.causes {
        let _ = writeln!(out, "      maybe {}", visible(cause));
    }
    let _ = writeln!(out, "      cure  {}", visible(&row.cure));
    let _ = writeln!(out, "      more  grantcheck explain {}", visible(&row.entry));
}

/// The line of the suite with carets and what came.
fn excerpt(out: &mut String, at: &At, observed: &str, word: Word, style: Style) {
    let gutter = at.line.to_string();
    let _ = writeln!(out, "   {gutter:>4} | {}", shown(&at.text));
    let (before, carets) = carets(&at.text, at.column, at.length);
    let told = format!("{carets} {observed}");
    let _ = writeln!(out, "        | {before}{}", paint(&told, word, style));
}

/// A line with its carets below it: each character takes one place.
fn shown(line: &str) -> String {
    line.chars().map(|c| if visible(&c.to_string()).chars().count() == 1 { c } else { ' ' }).collect()
}

fn severity(f: &FindingRow) -> &'static str {
    match f.verdict {
        Word::Inconclusive => "UNPROVED",
        Word::KnownDeviation => "KNOWN",
        Word::Waived => "WAIVED",
        _ => match f.level {
            Level::Must => "MUST",
            Level::Should => "SHOULD",
            Level::BestPractice => "NOTE",
        },
    }
}

fn short(word: Word) -> &'static str {
    match word {
        Word::Pass => "ok",
        Word::Fail => "FAIL",
        Word::Warn => "WARN",
        Word::Inconclusive => "?",
        Word::NotTestable => "-",
        Word::Note | Word::KnownDeviation | Word::Waived => "ok",
    }
}

/// Says so where client programs could reach more than the org.
fn not_isolated(out: &mut String, report: &Report) {
    let open =
        |row: &&ScenarioRow| row.program.as_ref().is_some_and(|program| program.isolated == Some(false));
    let played = report.scenarios.iter().filter(open).count();
    if played > 0 {
        let _ = writeln!(
            out,
            "not isolated: in {played} plays the program could reach every network that this machine does"
        );
    }
}

/// Reasons for what was not testable, each once with how many scenarios it kept from being played.
fn not_testable(out: &mut String, report: &Report, style: Style) {
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for row in report.scenarios.iter().filter(|row| row.verdict == Word::NotTestable) {
        let reason = row.reason.as_deref().unwrap_or("");
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, n)) => *n += 1,
            None => reasons.push((reason, 1)),
        }
    }
    if reasons.is_empty() || style.all {
        return;
    }
    let _ = writeln!(out, "not testable");
    for (reason, n) in reasons {
        let _ = writeln!(out, "  {n:>4}  {}", visible(reason));
    }
}

fn checks(out: &mut String, report: &Report) {
    let of = |word: Word| report.checks.iter().filter(move |row| row.verdict == word);
    for (word, title) in [(Word::Warn, "SHOULD"), (Word::Note, "NOTE")] {
        for row in of(word) {
            let findings = report.scenarios.iter().flat_map(|s| &s.findings);
            let mut mine =
                findings.filter(|f| f.check.as_deref() == Some(&row.check) && f.verdict == word).peekable();
            let Some(first) = mine.peek().copied() else { continue };
            let cite = first.cites.first().map_or(String::new(), |cite| format!("   {cite}"));
            let _ = writeln!(out, "{title} {}{cite}  ({} times)", row.check, mine.count());
            let _ = writeln!(out, "       expected {}, observed {}", first.expected, first.observed);
        }
    }
    for (word, title) in [
        (Word::KnownDeviation, "known deviations of this kind of org"),
        (Word::Waived, "waived"),
        (Word::Inconclusive, "checks that saw too little to say"),
    ] {
        if of(word).next().is_none() {
            continue;
        }
        let _ = writeln!(out, "{title}");
        for row in of(word) {
            match &row.because {
                Some(because) => {
                    let _ = writeln!(out, "  {}: {}", row.check, visible(because));
                }
                None => {
                    let _ = writeln!(out, "  {}", row.check);
                    let mut findings = report.scenarios.iter().flat_map(|s| &s.findings);
                    let one = findings.find(|f| f.check.as_deref() == Some(&row.check) && f.verdict == word);
                    if let Some(one) = one {
                        let _ = writeln!(out, "       expected {}, observed {}", one.expected, one.observed);
                    }
                }
            }
        }
    }
    for waiver in &report.unused_waivers {
        let _ = writeln!(out, "the waiver of {waiver} waived nothing: take it out");
    }
}

fn summary(out: &mut String, report: &Report, style: Style) {
    let s = &report.summary;
    let mut parts = vec![paint(&format!("{} pass", s.pass), Word::Pass, style)];
    let mut add = |n: usize, what: &str, word: Word| {
        if n > 0 || matches!(word, Word::Fail) {
            let text = format!("{n} {what}");
            parts.push(if n > 0 { paint(&text, word, style) } else { text });
        }
    };
    add(s.fail, "fail", Word::Fail);
    add(s.warn, "warn", Word::Warn);
    add(s.inconclusive, "inconclusive", Word::Inconclusive);
    add(s.not_testable, "not testable", Word::NotTestable);
    add(s.known_deviation, "known deviation", Word::KnownDeviation);
    add(s.waived, "waived", Word::Waived);
    let evidence = report.checks.iter().filter(|row| row.verdict != Word::Inconclusive).count();
    not_isolated(out, report);
    let _ = writeln!(
        out,
        "{} {} on {} ({}): {}; {evidence} checks with evidence, {} exchanges, {:.1} s",
        report.scenarios.len(),
        if report.scenarios.len() == 1 { "scenario" } else { "scenarios" },
        visible(&report.subject.org),
        report.subject.profile.name(),
        parts.join(", "),
        report.transcript.len(),
        report.duration_ms as f64 / 1000.0
    );
    if !report.listed_not_testable.is_empty() {
        let flows = report.listed_not_testable.join(", ");
        let _ = writeln!(
            out,
            "the target lists {flows}, and nothing of it could be played: this run cannot vouch for it"
        );
    }
    if report.interrupted {
        let _ = writeln!(out, "interrupted: this is what was played until then");
    }
}
