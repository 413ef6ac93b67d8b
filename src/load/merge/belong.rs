//! Whether reports are the parts of one run, and all of them.

use std::collections::BTreeMap;

use super::Expected;
use crate::diagnostic::Diagnostic;
use crate::load::report::{LoadReport, PartRow, VERSION};
use crate::load::shard::Shard;

/// A report, and where it comes from.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its file, for a person.
    pub name: String,
    /// What it says.
    pub report: LoadReport,
}

impl PartRow {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            PartRow::Shard(Shard { index, of }) => format!("shard {index}/{of}"),
            PartRow::Worker(name) => format!("worker {name}"),
        }
    }
}

impl Part {
    fn title(&self) -> String {
        self.report.run.part.as_ref().map_or_else(|| self.name.clone(), PartRow::words)
    }

    /// What this part said, with its name before it.
    pub(super) fn said(&self, text: Option<&str>) -> Option<String> {
        text.map(|text| format!("{}: {text}", self.title()))
    }

    /// In words, for the report of the whole.
    pub(super) fn words(&self) -> String {
        let LoadReport { total, counted_ms, .. } = &self.report;
        format!("{}: {} requests, {:.1} s counted", self.title(), total.requests, counted_ms / 1000.0)
    }

    /// From when to when it went on, in milliseconds since the epoch.
    fn span(&self) -> (i64, i64) {
        let LoadReport { begun, run, duration_ms, .. } = &self.report;
        ((*begun).min(run.began), begun.saturating_add(duration_ms.ceil() as i64).max(run.began))
    }
}

/// Whether these are the parts of one run. Answers what is missing, in words, where something may be.
pub(super) fn together(parts: &[Part], expected: Expected) -> Result<Vec<String>, Vec<Diagnostic>> {
    let Some(first) = parts.first() else {
        let help = "name the reports that `grantcheck load --shard` wrote, or their folder";
        return Err(vec![Diagnostic::bare("no-parts", "there is no report to merge").help(help)]);
    };
    let mut problems: Vec<Diagnostic> = parts.iter().filter_map(alone).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    problems.extend(parts.iter().skip(1).filter_map(|part| strange(first, part)));
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for part in parts {
        if let Some(known) = seen.insert(part.title(), &part.name) {
            let message = format!("{known} and {} are both {}", part.name, part.title());
            let help = "leave out the one that is not of this run: what is added twice is counted twice";
            problems.push(Diagnostic::bare("part-twice", message).help(help));
        }
    }
    let missing = missing(parts, expected);
    if !expected.missing_allowed && problems.is_empty() {
        problems.extend(missing.iter().map(|missing| {
            let help = "name its report as well, or write `--allow missing`: then nothing is vouched for";
            Diagnostic::bare("part-missing", missing).help(help)
        }));
    }
    if problems.is_empty() { Ok(missing) } else { Err(problems) }
}

/// What makes a report no part of any run.
fn alone(part: &Part) -> Option<Diagnostic> {
    let (name, report) = (&part.name, &part.report);
    if report.version != VERSION {
        let message = format!("{name} is a report of version {}, and {VERSION} is read here", report.version);
        return Some(Diagnostic::bare("bad-report", message).help("merge with the version that wrote it"));
    }
    match &report.run.part {
        None => {
            let message = format!("{name} is the report of a whole run, and no part of one");
            let help =
                "parts are written by `grantcheck load --shard INDEX/COUNT` and by `grantcheck worker`";
            Some(Diagnostic::bare("whole-run", message).help(help))
        }
        Some(PartRow::Shard(shard)) if Shard::new(shard.index, shard.of).is_none() => {
            let message = format!("{name} says that it is shard {}/{}", shard.index, shard.of);
            Some(Diagnostic::bare("bad-report", message).help(Shard::HELP))
        }
        Some(_) => None,
    }
}

/// What makes a part one of another run than the first.
fn strange(first: &Part, part: &Part) -> Option<Diagnostic> {
    let (a, b) = (&first.report, &part.report);
    let names = |report: &LoadReport| -> Vec<String> {
        let steps = report.steps.iter().map(|row| row.step.clone());
        steps.chain(report.plays.iter().map(|row| row.scenario.clone())).collect()
    };
    let ((a_begin, a_end), (b_begin, b_end)) = (first.span(), part.span());
    let of = |report: &LoadReport| match &report.run.part {
        Some(PartRow::Shard(shard)) => Some(shard.of),
        _ => None,
    };
    let why = if a.org != b.org {
        format!("one loaded {}, the other {}", a.org, b.org)
    } else if a.plan != b.plan {
        format!("one was to do `{}`, the other `{}`", a.plan, b.plan)
    } else if a.run.print != b.run.print || names(a) != names(b) || a.warm_up_ms != b.warm_up_ms {
        "their suites, flags or moments of begin differ".to_owned()
    } else if of(a) != of(b) {
        format!("one is {}, the other {}", first.title(), part.title())
    } else if a_end < b_begin || b_end < a_begin {
        "one was over before the other began".to_owned()
    } else {
        return None;
    };
    let message = format!("{} and {} are of different runs: {why}", first.name, part.name);
    let help = "merge parts that were started with the same suite, target, flags and `--start-at`";
    Some(Diagnostic::bare("another-run", message).help(help))
}

fn missing(parts: &[Part], expected: Expected) -> Vec<String> {
    let of = parts.iter().find_map(|part| match part.report.run.part {
        Some(PartRow::Shard(shard)) => Some(shard.of),
        _ => None,
    });
    if let Some(of) = of {
        let here = |index: u64| {
            parts.iter().any(|part| part.report.run.part == Some(PartRow::Shard(Shard { index, of })))
        };
        return (0..of)
            .filter(|index| !here(*index))
            .map(|index| format!("shard {index}/{of} is missing"))
            .collect();
    }
    let there = parts.len() as u64;
    let wanted = expected.parts.filter(|wanted| *wanted > there);
    wanted.map(|wanted| format!("of {wanted} workers {} are missing", wanted - there)).into_iter().collect()
}
