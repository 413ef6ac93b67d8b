//! `grantcheck judge`: the catalogue over a recording.

use clap::Args;
use std::path::PathBuf;

use super::outputs::outputs;
use super::{Exit, Io};
use crate::diagnostic::Diagnostic;
use crate::oauth::salesforce::Profile;
use crate::report::console;

#[derive(Args)]
pub(super) struct Arguments {
    /// A transcript that `run --record` wrote
    file: PathBuf,
    /// Judge as `rfc` or `salesforce` has it, whatever the recording says
    #[arg(long)]
    profile: Option<String>,
    /// Write reports: `json=FILE,junit=FILE`
    #[arg(long, value_name = "FORMAT=FILE", value_delimiter = ',')]
    report: Vec<String>,
    /// Show every scenario, not only those with findings
    #[arg(long)]
    all: bool,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let reports = super::run::reports(&arguments.report)?;
    outputs(reports.paths())?;
    let profile = match arguments.profile.as_deref().map(|name| (name, Profile::read(name))) {
        Some((name, None)) => {
            return Err(Diagnostic::bare("bad-flag", format!("`--profile {name}` is no profile"))
                .help("write `rfc` or `salesforce`")
                .into());
        }
        Some((_, profile)) => profile,
        None => None,
    };
    let shown = arguments.file.display().to_string();
    let transcript = super::load_files::transcript(&arguments.file)?;
    let report = crate::run::judge_recording(&transcript, &shown, profile);
    reports.write(&report)?;
    write!(
        io.out,
        "{}",
        console::console(&report, console::Style { colour: io.colour, all: arguments.all })
    )?;
    Ok(report.exit())
}
