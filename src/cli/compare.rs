//! `grantcheck compare`: two JSON reports side by side, of load runs or of runs.

use clap::Args;
use std::path::{Path, PathBuf};

use super::outputs::outputs;
use super::{CannotStart, Exit, Io, load_reports};
use crate::diagnostic::Diagnostic;
use crate::load::LoadReport;
use crate::load::compare::{compare, told};
use crate::report::{DRIFT_VERSION, Drift, Report, VERSION, drift};
use crate::wire::files;

#[derive(Args)]
pub(super) struct Arguments {
    /// JSON report of the first run
    first: PathBuf,
    /// JSON report of the second
    second: PathBuf,
    /// Of runs: keep the differences in this file
    #[arg(long, value_name = "FILE")]
    drift: Option<PathBuf>,
    /// Of runs: tell what is new and what is gone since that was kept
    #[arg(long, value_name = "FILE")]
    known: Option<PathBuf>,
}

/// A report of either kind.
enum Read {
    Load(Box<LoadReport>),
    Run(Box<Report>),
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    outputs(arguments.drift.iter().map(|path| ("the drift", path.as_path())), &[])?;
    let read = [&arguments.first, &arguments.second].map(|path| files::canonical(path));
    if let Some(path) = arguments.drift.as_ref().filter(|path| read.contains(&files::canonical(path))) {
        let message = format!("{} is one of the reports that are compared", path.display());
        return Err(Diagnostic::bare("bad-flag", message).help("name another file for the drift").into());
    }
    match (report(&arguments.first)?, report(&arguments.second)?) {
        (Read::Load(first), Read::Load(second)) => {
            if let Some(flag) =
                arguments.drift.as_ref().map(|_| "--drift").or(arguments.known.as_ref().map(|_| "--known"))
            {
                return Err(Diagnostic::bare(
                    "bad-flag",
                    format!("`{flag}` is for reports of `grantcheck run`"),
                )
                .help("leave it out")
                .into());
            }
            let comparison = compare(&first, &second);
            write!(io.out, "{}", told(&comparison))?;
            Ok(comparison.exit())
        }
        (Read::Run(first), Read::Run(second)) => {
            let known = arguments.known.as_deref().map(kept).transpose()?;
            let drift = drift(&first, &second);
            if let Some(path) = &arguments.drift {
                files::write(path, &format!("{:#}\n", serde_json::json!(drift)))?;
            }
            write!(io.out, "{}", drift.console(known.as_ref()))?;
            Ok(drift.exit(known.as_ref()))
        }
        (Read::Load(_), Read::Run(_)) | (Read::Run(_), Read::Load(_)) => {
            Err(Diagnostic::bare("bad-report", "one is a report of a load run, the other of a run")
                .help("compare two of a kind")
                .into())
        }
    }
}

fn report(path: &Path) -> Result<Read, CannotStart> {
    let text = files::read(path)?;
    let kind = serde_json::from_str::<serde_json::Value>(&text).ok();
    if kind.is_some_and(|report| report["kind"] == "load") {
        return Ok(Read::Load(Box::new(load_reports::read(path)?)));
    }
    let read = serde_json::from_str::<Report>(&text).ok().filter(|report| report.version == VERSION);
    Ok(Read::Run(Box::new(read.ok_or_else(|| {
        Diagnostic::bare("bad-report", format!("{} is no report of a run or a load run", path.display()))
            .help("`grantcheck run --report json=FILE` and `grantcheck load SUITE --report json=FILE` write one")
    })?)))
}

/// A drift that was kept.
fn kept(path: &Path) -> Result<Drift, CannotStart> {
    let read = serde_json::from_str::<Drift>(&files::read(path)?).ok();
    let read = read.filter(|drift| drift.kind == "drift" && drift.version == DRIFT_VERSION);
    Ok(read.ok_or_else(|| {
        Diagnostic::bare("bad-report", format!("{} is no drift that was kept", path.display()))
            .help("`grantcheck compare A B --drift FILE` keeps one")
    })?)
}
