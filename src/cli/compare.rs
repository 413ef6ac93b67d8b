//! `grantcheck compare`: two load reports side by side.

use clap::Args;
use std::path::{Path, PathBuf};

use super::{CannotStart, Exit, Io};
use crate::diagnostic::Diagnostic;
use crate::load::LoadReport;
use crate::load::compare::{compare, told};
use crate::wire::files;

#[derive(Args)]
pub(super) struct Arguments {
    /// JSON report of the first load run
    first: PathBuf,
    /// JSON report of the second
    second: PathBuf,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let comparison = compare(&report(&arguments.first)?, &report(&arguments.second)?);
    write!(io.out, "{}", told(&comparison))?;
    Ok(comparison.exit())
}

fn report(path: &Path) -> Result<LoadReport, CannotStart> {
    let read = serde_json::from_str::<LoadReport>(&files::read(path)?).ok();
    let report = read.filter(|report| report.kind == "load");
    Ok(report.ok_or_else(|| {
        Diagnostic::bare("bad-report", format!("{} is no report of a load run", path.display()))
            .help("`grantcheck load SUITE --report json=FILE` writes one")
    })?)
}
