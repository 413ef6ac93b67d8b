//! `grantcheck judge`: the catalogue over a recording, or over a HAR file.

use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

use super::outputs::outputs;
use super::runtime::deaf;
use super::{CannotStart, Exit, Io, flags};
use crate::diagnostic::Diagnostic;
use crate::oauth::salesforce::Profile;
use crate::report::{Report, console, redacted};
use crate::run::{Client, Options, is_one_play, judge_recording, look_around, run};
use crate::subject::Subject;
use crate::suite::Scenario;
use crate::transcript::{Redactor, Transcript};
use crate::wire::dice;

#[derive(Args)]
pub(super) struct Arguments {
    /// A transcript that `run --record` wrote, or a HAR file, of which the client is judged
    file: PathBuf,
    /// What is known of server and apps, for a HAR file: a target file or a URL
    #[arg(long, value_name = "FILE|URL")]
    target: Option<String>,
    /// A suite that only listens (`program: none`), whose expectations the traffic has to meet as well
    #[arg(long, value_name = "FILE")]
    suite: Vec<PathBuf>,
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
    let named = arguments.suite.iter().map(PathBuf::as_path).chain(arguments.target.as_ref().map(Path::new));
    outputs(reports.paths(), &named.chain([arguments.file.as_path()]).collect::<Vec<_>>())?;
    let mut problems = Vec::new();
    let profile = flags::profile(arguments.profile.as_deref(), &mut problems);
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let shown = arguments.file.display().to_string();
    let har = super::load_files::har(&arguments.file, arguments.target.as_deref())?;
    // A recording is without secrets, a HAR file is full of them.
    let (transcript, secrets) = match har {
        Some((transcript, target)) => (transcript, Some(target)),
        None if arguments.target.is_some() => {
            return Err(Diagnostic::bare("bad-flag", "a recording has its target in it")
                .help("leave `--target` out; it is for HAR files")
                .into());
        }
        None => (super::load_files::transcript(&arguments.file)?, None),
    };
    let mut report = match arguments.suite.as_slice() {
        [] => judge_recording(&transcript, &shown, profile),
        suites => listened(&transcript, suites, profile)?,
    };
    if let Some(target) = secrets {
        let mut redactor = Redactor::new(dice::seed());
        redactor.learn_target(&target);
        transcript.exchanges.iter().for_each(|x| redactor.learn_exchange(x));
        report = redacted(&report, &mut redactor);
    }
    reports.write(&report)?;
    write!(
        io.out,
        "{}",
        console::console(&report, console::Style { colour: io.colour, all: arguments.all })
    )?;
    Ok(report.exit())
}

/// What suites that only listen say of that traffic.
fn listened(heard: &Transcript, suites: &[PathBuf], profile: Option<Profile>) -> Result<Report, CannotStart> {
    if heard.subject.program.is_none() {
        return Err(Diagnostic::bare("bad-flag", "the recording is of an org, and `--suite` is for clients")
            .help("leave `--suite` out")
            .into());
    }
    if heard.exchanges.is_empty() {
        return Err(Diagnostic::bare("bad-flag", "there is no traffic in the recording")
            .help("record it while the client is at work: `serve --record FILE`, or a HAR file")
            .into());
    }
    if !is_one_play(heard) {
        let message = "the recording is of several plays, and a suite would take them for one";
        return Err(Diagnostic::bare("bad-flag", message)
            .help("judge what `serve --record` wrote, or a HAR file; or leave `--suite` out")
            .into());
    }
    let suites = super::load_files::suites(suites, &[])?;
    let listens = |s: &Scenario| s.client.as_ref().is_some_and(|play| play.told.listens);
    if !suites.iter().flat_map(|suite| &suite.scenarios).any(listens) {
        let message = "no scenario of these suites only listens";
        return Err(Diagnostic::bare("nothing-selected", message)
            .help("write `program: none` in the scenarios that are about traffic from elsewhere")
            .into());
    }
    let mut target = super::load_files::target(None)?;
    target.profile = profile.unwrap_or(heard.subject.profile);
    target.waive.clone_from(&heard.waive);
    let subject = Subject { profile: target.profile, ..heard.subject.clone() };
    let heard = Transcript { subject, ..heard.clone() };
    let options = Options { client: Client::Recorded(Arc::new(heard)), ..Options::new(target, suites) };
    let runtime = deaf()?;
    let around = runtime.block_on(look_around(&options.target, options.within))?;
    let (progress, _) = mpsc::unbounded_channel();
    let (_go_on, stop) = watch::channel(false);
    Ok(runtime.block_on(run(&options, around, progress, stop))?.report)
}
