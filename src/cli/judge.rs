//! `grantcheck judge`: the catalogue over a recording, or over a HAR file.

use clap::Args;
use std::path::PathBuf;

use super::outputs::outputs;
use super::{Exit, Io};
use crate::diagnostic::Diagnostic;
use crate::oauth::salesforce::Profile;
use crate::report::{console, redacted};
use crate::transcript::Redactor;
use crate::wire::dice;

#[derive(Args)]
pub(super) struct Arguments {
    /// A transcript that `run --record` wrote, or a HAR file, of which the client is judged
    file: PathBuf,
    /// What is known of server and apps, for a HAR file: a target file or a URL
    #[arg(long, value_name = "FILE|URL")]
    target: Option<String>,
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
    let har = super::load_files::har(&arguments.file, arguments.target.as_deref())?;
    let mut report;
    if let Some(transcript) = har {
        // A recording is without secrets, a HAR file is full of them.
        let mut redactor = Redactor::new(dice::seed());
        transcript.exchanges.iter().for_each(|x| redactor.learn_exchange(x));
        report = crate::run::judge_recording(&transcript, &shown, profile);
        report = redacted(&report, &mut redactor);
    } else if arguments.target.is_some() {
        return Err(Diagnostic::bare("bad-flag", "a recording has its target in it")
            .help("leave `--target` out; it is for HAR files")
            .into());
    } else {
        let transcript = super::load_files::transcript(&arguments.file)?;
        report = crate::run::judge_recording(&transcript, &shown, profile);
    }
    reports.write(&report)?;
    write!(
        io.out,
        "{}",
        console::console(&report, console::Style { colour: io.colour, all: arguments.all })
    )?;
    Ok(report.exit())
}
