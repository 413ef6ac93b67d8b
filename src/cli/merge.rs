//! `grantcheck merge`: one report out of those of the parts of a run.

use clap::Args;
use std::path::PathBuf;

use super::{Exit, Io, load_reports};
use crate::diagnostic::Diagnostic;
use crate::load::merge::{Expected, Part, merge};
use crate::wire::files;

#[derive(Args)]
pub(super) struct Arguments {
    /// JSON reports of the parts of one load run, or folders of them
    #[arg(required = true)]
    reports: Vec<PathBuf>,
    /// Write reports: `json=FILE`, `prometheus=FILE` (text format), `csv=FILE` (over time)
    #[arg(long, value_name = "FORMAT=FILE", value_delimiter = ',')]
    report: Vec<String>,
    /// Let parts be `missing`; the whole is inconclusive at best then
    #[arg(long, value_name = "WHAT")]
    allow: Vec<String>,
    /// So many parts there must be, where they do not know it themselves: workers of a Locust master
    #[arg(long, value_name = "N")]
    parts: Option<u64>,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let wanted = load_reports::wanted(&arguments.report)?;
    if let Some(strange) = arguments.allow.iter().find(|what| *what != "missing") {
        let message = format!("`--allow {strange}` is not understood");
        return Err(Diagnostic::bare("bad-flag", message).help("write `--allow missing`").into());
    }
    let mut paths = Vec::new();
    for path in &arguments.reports {
        if !files::exists(path) {
            let message = format!("there is nothing at {}", path.display());
            let help = "name reports of `grantcheck load --shard`, or their folder";
            return Err(Diagnostic::bare("no-parts", message).help(help).into());
        }
        let below = files::under(path, &|name| name.ends_with(".json"));
        if let Some(why) = below.problems.into_iter().next() {
            return Err(why.into());
        }
        paths.extend(below.files);
    }
    // A file that is named twice is one part.
    let mut seen = std::collections::BTreeSet::new();
    paths.retain(|path| seen.insert(files::canonical(path)));
    let mut parts = Vec::new();
    for path in &paths {
        parts.push(Part { name: path.display().to_string(), report: load_reports::read(path)? });
    }
    let expected = Expected { missing_allowed: !arguments.allow.is_empty(), parts: arguments.parts };
    let report = merge(&parts, expected)?;
    load_reports::tell(&report, &wanted, io)?;
    Ok(report.exit())
}
