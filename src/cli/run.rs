//! `grantcheck run`: plays suites against an org and judges it.

use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

use super::outputs::outputs;
use super::runtime::{Runtime, told_to_end};
use super::{CannotStart, Exit, Io, apps, asking, flags, load_files};
use crate::client::wrong::{self, Wrong, Wrongs};
use crate::diagnostic::{Diagnostic, closest};
use crate::metadata::{Keys, Registration};
use crate::org::fault::{self, Fault};
use crate::report::{self, console};
use crate::run::{
    self, Client, How, Look, Options, Progress, Selection, look_around, look_back, look_before, plan,
};
use crate::subject::Target;
use crate::wire::isolation::Wall;
use crate::wire::{chromium, files};

#[derive(Args)]
pub(super) struct Arguments {
    /// Suite files or folders; without one, the shipped org suites, or those for clients where a program is named
    suites: Vec<PathBuf>,
    /// The org: a target file, a URL, or `embedded`
    #[arg(long, value_name = "FILE|URL")]
    target: Option<String>,
    /// Metadata of an app, a file or the folder of an external client app: the embedded org has it as `main`; may be
    /// repeated. A target file beside it (`org: embedded`) gives what metadata cannot say: secret, private key, users; of
    /// another org, callbacks, PKCE and certificate are compared with it
    #[arg(long, value_name = "XML")]
    app: Vec<PathBuf>,
    /// Speak of outcomes and deviations as `rfc` or `salesforce` has them, whatever the target says
    #[arg(long)]
    profile: Option<String>,
    /// Only scenarios whose name holds TEXT, or that have `tag:NAME` or `check:ID`; `!` before it leaves out
    #[arg(long, value_name = "TEXT")]
    select: Vec<String>,
    /// Write reports: `json=FILE,junit=FILE`
    #[arg(long, value_name = "FORMAT=FILE", value_delimiter = ',')]
    report: Vec<String>,
    /// Write the transcript, without secrets, for `grantcheck judge`
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Allow `destructive` scenarios on a target that is not disposable
    #[arg(long, value_name = "WHAT")]
    allow: Vec<String>,
    /// The most token requests that may go to a foreign org
    #[arg(long, value_name = "N")]
    budget: Option<u32>,
    /// Decides order, identifiers and dice; the same seed plays the same
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many scenarios are played at a time on the embedded org; as many as there are processors where it is not given
    #[arg(long)]
    jobs: Option<usize>,
    /// How long an answer may take
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    within: String,
    /// Make the embedded org commit a fault on purpose
    #[arg(long, value_name = "NAME")]
    fault: Vec<String>,
    /// The client, where a suite judges clients: a program file, or `own` for grantcheck's own, which is played where
    /// none is named
    #[arg(long, value_name = "FILE|own")]
    program: Option<String>,
    /// Make grantcheck's own client do something wrong on purpose
    #[arg(long, value_name = "NAME")]
    wrong: Option<String>,
    /// Reach the embedded org over a loopback socket instead of in process
    #[arg(long)]
    socket: bool,
    /// Let a recording of `--record` answer in place of the org, to which nothing is sent
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// List the selected scenarios and play none
    #[arg(long)]
    list: bool,
    /// Show every scenario, not only those with findings
    #[arg(long)]
    all: bool,
}

/// Where reports go.
pub(super) struct Reports {
    json: Option<PathBuf>,
    junit: Option<PathBuf>,
}

impl Reports {
    /// Where they go, each with what it is.
    pub(super) fn paths(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        [&self.json, &self.junit].into_iter().flatten().map(|path| ("a report", path.as_path()))
    }

    /// Writes a report in every format that was asked for.
    pub(super) fn write(&self, report: &report::Report) -> Result<(), CannotStart> {
        // One that cannot be written keeps no other from being written.
        let json = self.json.as_ref().map_or(Ok(()), |path| files::write(path, &report::json(report)));
        let junit = self.junit.as_ref().map_or(Ok(()), |path| files::write(path, &report::junit(report)));
        Ok(json.and(junit)?)
    }
}

pub(super) fn exec(arguments: Arguments, io: &mut Io<'_>) -> Exit {
    // It listens from here on: what is tried on disk is taken back.
    let runtime = Runtime::new()?;
    let reports = reports(&arguments.report)?;
    let record = arguments.record.iter().map(|path| ("a recording", path.as_path()));
    let files = [&arguments.suites, &arguments.app].into_iter().flatten().chain(&arguments.replay);
    let named = [&arguments.target, &arguments.program].into_iter().flatten().map(Path::new);
    let read: Vec<&Path> = files.map(PathBuf::as_path).chain(named).collect();
    outputs(reports.paths().chain(record), &read)?;
    let (mut options, metadata) = options(&arguments, io)?;
    if matches!(options.client, Client::Program(_))
        && let Some(own) = files::own_program()
    {
        options.wall = runtime.prepare(Wall::possible(&own))?;
    }
    options.chromium = chromium::find();
    let around = match &options.replay {
        Some(recording) => look_back(&options.target, recording),
        None => runtime.prepare(look_around(&options.target, options.within))??,
    };
    let planned = plan(&options, &around);
    if planned.plays.is_empty() {
        return Err(nothing_selected(&options).into());
    }
    beside_the_point(&arguments, &options, &planned.plays)?;
    if arguments.list {
        for play in &planned.plays {
            let why =
                play.not_testable.as_ref().map_or(String::new(), |why| format!("  (not testable: {why})"));
            let (suite, name) = (report::visible(&play.suite), report::visible(&play.scenario.name));
            writeln!(io.out, "{suite} › {name}{}", report::visible(&why))?;
        }
        let all = planned.plays.len();
        let idle = planned.plays.iter().filter(|play| play.not_testable.is_some()).count();
        writeln!(io.err, "{all} scenarios: {} would be played, {idle} not testable", all - idle)?;
        return Ok(super::CONFORMS);
    }
    if options.replay.is_none() {
        let plays = planned.plays.iter();
        let roles = plays.flat_map(|play| play.scenario.apps()).map(str::to_owned).collect();
        for look in runtime.prepare(look_before(&options.target, &around, &metadata, &roles))? {
            tell(&look, io)?;
        }
    }
    ask_for_budget(&options, &planned.cost, io)?;
    let (tell, mut told) = mpsc::unbounded_channel();
    let (mut stop, mut said) = (runtime.stop(), false);
    let outcome = runtime.block_on(async {
        let running = run::run(&options, around, tell, runtime.stop());
        tokio::pin!(running);
        loop {
            tokio::select! {
                // First, so that an interruption is listened for before anything is sent.
                biased;
                () = told_to_end(&mut stop), if !said => {
                    let _ = writeln!(io.err, "\ninterrupted: ending what was started, then telling what was played");
                    said = true;
                }
                outcome = &mut running => return outcome,
                Some(progress) = told.recv() => show(&progress, io),
            }
        }
    })?;
    let mut redactor = outcome.redactor;
    let report = report::redacted(&outcome.report, &mut redactor);
    let written = reports.write(&report);
    let recorded = arguments.record.as_ref().map_or(Ok(()), |path| {
        files::write(path, &crate::transcript::write(&outcome.transcript, &mut redactor))
    });
    if io.terminal {
        let _ = write!(io.err, "\r\u{1b}[K");
    }
    let style = console::Style { colour: io.colour, all: arguments.all };
    write!(io.out, "{}", console::console(&report, style))?;
    io.out.flush()?;
    // What was played is told before what could not be written.
    written?;
    recorded?;
    Ok(report.exit())
}

/// Refuses flags that no selected scenario is about: what they ask for would not have been tried.
fn beside_the_point(
    arguments: &Arguments,
    options: &Options,
    plays: &[run::Planned],
) -> Result<(), Diagnostic> {
    let clients = plays.iter().filter(|play| play.scenario.client.is_some()).count();
    let flag =
        arguments.program.as_ref().map(|_| "--program").or(arguments.wrong.as_ref().map(|_| "--wrong"));
    if let Some(flag) = flag.filter(|_| clients == 0) {
        let message = format!("`{flag}` is about a client, and no scenario that is selected judges one");
        let help = "leave it out, or name a suite that says `judges: client`, such as suites/client";
        return Err(Diagnostic::bare("bad-flag", message).help(help));
    }
    if !options.faults.is_empty() && clients == plays.len() {
        let message = "`--fault` is about the org, and no scenario that is selected judges it";
        let help = "leave it out, or name a suite that says `judges: org`, such as suites/org";
        return Err(Diagnostic::bare("bad-flag", message).help(help));
    }
    Ok(())
}

fn options(arguments: &Arguments, io: &mut Io<'_>) -> Result<(Options, Vec<Registration>), CannotStart> {
    let mut problems = Vec::new();
    let mut target = None;
    let mut suites = Vec::new();
    let mut metadata = Vec::new();
    let clients = arguments.program.is_some() || arguments.wrong.is_some();
    let shipped = if clients { "client/" } else { "org/" };
    // Problems of suites and target are told together.
    for found in [
        org(arguments, io).map(|(org, apps)| {
            target = Some(org);
            metadata = apps;
        }),
        load_files::suites(&arguments.suites, &[shipped]).map(|s| suites = s),
    ] {
        match found {
            Ok(()) => {}
            Err(CannotStart::Diagnostics(found)) => problems.extend(found),
            Err(other) => return Err(other),
        }
    }
    let faults = faults_named(&arguments.fault, &mut problems);
    let destructive = flags::destructive(&arguments.allow, &mut problems);
    let jobs = flags::jobs(arguments.jobs, flags::processors(), &mut problems);
    let client = client_named(arguments.program.as_deref(), arguments.wrong.as_slice(), &mut problems);
    let within = flags::within(&arguments.within, &mut problems);
    let profile = flags::profile(arguments.profile.as_deref(), &mut problems);
    let Some(mut target) = target.filter(|_| problems.is_empty()) else { return Err(problems.into()) };
    if let Some(profile) = profile {
        target.profile = profile;
    }
    if !target.is_embedded() && (!faults.is_empty() || arguments.socket) {
        return Err(Diagnostic::bare("bad-flag", "`--fault` and `--socket` are for the embedded org")
            .help("leave `--target` out")
            .into());
    }
    let replay = arguments.replay.as_ref().map(|path| load_files::recording(path, &target)).transpose()?;
    if replay.is_some() && (!faults.is_empty() || arguments.socket) {
        return Err(Diagnostic::bare(
            "bad-flag",
            "`--fault` and `--socket` are for an org that is played against",
        )
        .help("leave `--replay` out, or let the recording be one of a run with that fault")
        .into());
    }
    let options = Options {
        selection: Selection { patterns: arguments.select.clone() },
        faults,
        socket: arguments.socket,
        destructive,
        budget: arguments.budget,
        seed: arguments.seed,
        jobs,
        within,
        replay,
        client,
        ..Options::new(target, suites)
    };
    Ok((options, metadata))
}

/// The org: of a target alone, or the embedded one with apps out of metadata. Of another org the metadata only says how its
/// apps were meant to be.
fn org(arguments: &Arguments, io: &mut Io<'_>) -> Result<(Target, Vec<Registration>), CannotStart> {
    if arguments.app.is_empty() {
        return Ok((asking::target(arguments.target.as_deref(), io)?, Vec::new()));
    }
    if let Some(named) = arguments.target.as_deref().filter(|named| *named != "embedded") {
        let target = asking::target(Some(named), io)?;
        if !target.is_embedded() {
            return Ok((target, apps::registrations(&arguments.app, io)?));
        }
    }
    let joined = apps::embedded(&arguments.app, arguments.target.as_deref(), Keys::StandIn, io)?;
    apps::tell(&joined, io)?;
    Ok((joined.target, Vec::new()))
}

/// The faults of those names.
pub(super) fn faults_named(names: &[String], problems: &mut Vec<Diagnostic>) -> Vec<&'static Fault> {
    let mut faults = Vec::new();
    for name in names {
        if let Some(fault) = fault::find(name) {
            faults.push(fault);
            continue;
        }
        let known = || fault::all().iter().map(|fault| fault.name);
        let help = match closest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "docs/mutants.md lists all of them, `grantcheck score --all` too".to_owned(),
        };
        let message = format!("the embedded org has no fault `{name}`");
        problems.push(Diagnostic::bare("unknown-fault", message).help(help));
    }
    faults
}

/// Who is the client of suites that judge clients.
pub(super) fn client_named(
    program: Option<&str>,
    wrong: &[String],
    problems: &mut Vec<Diagnostic>,
) -> Client {
    if let Some(name) = program.filter(|name| *name != "own") {
        if !wrong.is_empty() {
            problems.push(
                Diagnostic::bare("bad-flag", "`--wrong` is for grantcheck's own client")
                    .help("leave `--program` out"),
            );
        }
        match load_files::program(name.as_ref()) {
            Ok(program) => return Client::Program(Arc::new(program)),
            Err(CannotStart::Diagnostics(found)) => problems.extend(found),
            Err(_) => problems.push(
                Diagnostic::bare("no-program", format!("the program file {name} cannot be read"))
                    .help("name a program file, or write `own` for grantcheck's own client"),
            ),
        }
        return Client::default();
    }
    wrongs_named(wrong, problems).first().map_or_else(Client::default, |wrong| Client::Own(Wrongs::of(wrong)))
}

/// The wrongs of grantcheck's own client that have these names.
pub(super) fn wrongs_named(names: &[String], problems: &mut Vec<Diagnostic>) -> Vec<&'static Wrong> {
    let mut wrongs = Vec::new();
    for name in names {
        if let Some(wrong) = wrong::find(name) {
            wrongs.push(wrong);
            continue;
        }
        let known = || wrong::all().map(|wrong| wrong.name);
        let help = match closest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "docs/mutants.md lists all of them, `grantcheck score --all` too".to_owned(),
        };
        let message = format!("the client has no wrong `{name}`");
        problems.push(Diagnostic::bare("unknown-wrong", message).help(help));
    }
    wrongs
}

pub(super) fn reports(list: &[String]) -> Result<Reports, CannotStart> {
    let mut reports = Reports { json: None, junit: None };
    for item in list {
        match item.split_once('=') {
            Some(("json", path)) if !path.is_empty() => reports.json = Some(path.into()),
            Some(("junit", path)) if !path.is_empty() => reports.junit = Some(path.into()),
            _ => {
                return Err(Diagnostic::bare(
                    "bad-flag",
                    format!("`--report {item}` names no format and file"),
                )
                .help("write `json=FILE` or `junit=FILE`, several with commas between")
                .into());
            }
        }
    }
    Ok(reports)
}

/// One line of what was looked at before: standard error, because it is no verdict.
fn tell(look: &Look, io: &mut Io<'_>) -> Result<(), CannotStart> {
    let word = match look.how {
        How::Right => "ok",
        How::Wrong => "wrong",
        How::Unseen => "unseen",
    };
    let cure = if look.cure.is_empty() { String::new() } else { format!("; {}", look.cure) };
    writeln!(io.err, "{word:<7} {}: {}", look.what, report::visible(&format!("{}{cure}", look.seen)))?;
    Ok(())
}

fn nothing_selected(options: &Options) -> Diagnostic {
    let all: Vec<String> = options.suites.iter().map(|suite| suite.id.clone()).collect();
    Diagnostic::bare("nothing-selected", "no scenario is selected, so nothing would be judged")
        .help(format!("`--list` without `--select` shows them all; the suites are: {}", all.join(", ")))
}

/// On a foreign org the cost is told before it is caused: asked for on a terminal, bounded by a flag elsewhere.
fn ask_for_budget(options: &Options, cost: &run::Cost, io: &mut Io<'_>) -> Result<(), CannotStart> {
    if options.target.is_embedded() || options.replay.is_some() || cost.token_requests == 0 {
        return Ok(());
    }
    let logins: Vec<String> = cost.logins.iter().map(|(user, n)| format!("{user} {n}")).collect();
    let told = format!(
        "this run makes up to {} token requests (logins: {})",
        cost.token_requests,
        logins.join(", ")
    );
    if let Some(budget) = options.budget {
        if budget < cost.token_requests {
            writeln!(io.err, "{told}; it stops at the budget of {budget}")?;
        }
        return Ok(());
    }
    let org = options.target.org.as_deref().unwrap_or("");
    if io.terminal {
        write!(io.err, "{told} to {org}. Go on? [y/N] ")?;
        io.err.flush()?;
        if (io.ask)().is_some_and(|line| matches!(line.trim(), "y" | "Y" | "yes")) {
            return Ok(());
        }
    }
    Err(Diagnostic::bare("no-budget", format!("{told} to {org}, and nothing says that it may"))
        .help(format!("`--budget {}` allows it", cost.token_requests))
        .into())
}

fn show(progress: &Progress, io: &mut Io<'_>) {
    let _ = match progress {
        Progress::Judged { done, all, name, .. } if io.terminal => {
            let short: String = name.chars().take(70).collect();
            write!(io.err, "\r\u{1b}[K{done}/{all} {}", report::visible(&short)).and_then(|()| io.err.flush())
        }
        Progress::Judged { .. } => Ok(()),
        Progress::OpenBrowser { url, user } => {
            let told =
                writeln!(io.err, "open this in a browser, log in as {user}, and leave the page open:\n{url}");
            if io.terminal {
                (io.open)(url);
            }
            told
        }
        Progress::Say { text } => writeln!(io.err, "{}", report::visible(text)),
    };
}
