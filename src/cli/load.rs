//! `grantcheck load`: the same scenarios on a timetable.

use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

use super::outputs::outputs;
use super::run::faults_named;
use super::{CannotStart, Exit, Io, load_files, runtime};
use crate::diagnostic::Diagnostic;
use crate::load::drive::Options;
use crate::load::pace::{Arrivals, Course};
use crate::load::plan::Connections;
use crate::load::{self, Assertions, Model, Plan, Threshold, Tokens};
use crate::oauth::duration;
use crate::report::{self, console};
use crate::run::{self, Selection, look_around};
use crate::wire::files;

#[derive(Args)]
pub(super) struct Arguments {
    /// Suite files or folders
    #[arg(required = true)]
    suites: Vec<PathBuf>,
    /// The org: a target file, a URL, or `embedded`
    #[arg(long, value_name = "FILE|URL")]
    target: Option<String>,
    /// Only scenarios whose name holds TEXT, or that have `tag:NAME` or `check:ID`; `!` before it leaves out
    #[arg(long, value_name = "TEXT")]
    select: Vec<String>,
    /// Closed: so many users, each of whom begins its next play when the last one is over
    #[arg(long, value_name = "N", conflicts_with = "rate")]
    users: Option<u32>,
    /// Open: so many plays begin in a second, however the last ones went
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// How plays of an open run follow each other: `constant` or `poisson`
    #[arg(long, value_name = "HOW", default_value = "constant")]
    arrivals: String,
    /// Stages, each LEVEL@DURATION with commas between them: users or rate move in straight lines from level to level
    #[arg(long, value_name = "STAGES", value_delimiter = ',')]
    stages: Vec<String>,
    /// A user begins a play each so often, or as soon as it can after that
    #[arg(long, value_name = "DURATION", conflicts_with = "rate")]
    pacing: Option<String>,
    /// For how long plays begin
    #[arg(long = "for", value_name = "DURATION")]
    length: Option<String>,
    /// How many plays begin at most
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// For how long at the begin nothing is counted
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    warm_up: String,
    /// The most plays in flight in an open run; what should begin beyond it is dropped, and fails the run
    #[arg(long, value_name = "N", default_value_t = 1000)]
    in_flight: usize,
    /// Where sessions come from: `fresh` (each play gets its own), `per-user`, `shared`, or `pool=N`
    #[arg(long, value_name = "WHERE", default_value = "fresh")]
    tokens: String,
    /// What becomes of assertions: `fresh`, `reuse` until shortly before they expire, or `presigned=N`
    #[arg(long, value_name = "WHAT", default_value = "fresh")]
    assertion: String,
    /// What becomes of connections: `per-user`, or `none` is kept
    #[arg(long, value_name = "WHAT", default_value = "per-user")]
    connections: String,
    /// What must hold: `p99 < 250ms`, `errors < 1%`, `rate >= 100/s`, with `STEP: ` before it for one step; may be repeated
    #[arg(long, value_name = "THRESHOLD")]
    threshold: Vec<String>,
    /// End the run when a threshold does not hold after so long
    #[arg(long, value_name = "DURATION")]
    abort_after: Option<String>,
    /// Let what is no fault of the plan be: `drops`, `destructive`, `logins` beyond the rate that an org allows
    #[arg(long, value_name = "WHAT")]
    allow: Vec<String>,
    /// Threads that send; as many as there are processors where it is not given
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Decides random arrivals
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long an answer may take
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    within: String,
    /// Make the embedded org commit a fault on purpose
    #[arg(long, value_name = "NAME")]
    fault: Vec<String>,
    /// Write a report: `json=FILE`
    #[arg(long, value_name = "FORMAT=FILE", value_delimiter = ',')]
    report: Vec<String>,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let reports = reports(&arguments.report)?;
    outputs(reports.iter().map(|(_, path)| ("a report", path.as_path())))?;
    let target = load_files::target(arguments.target.as_deref())?;
    let suites = load_files::suites(&arguments.suites, &[])?;
    let mut problems = Vec::new();
    let faults = faults_named(&arguments.fault, &mut problems);
    let within = micros("--within", &arguments.within, &mut problems);
    let plan = plan(arguments, &mut problems);
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let mut rehearsal = run::Options {
        selection: Selection { patterns: arguments.select.clone() },
        faults: faults.clone(),
        destructive: arguments.allow.iter().any(|what| what == "destructive"),
        within: Duration::from_micros(within),
        ..run::Options::new(target.clone(), suites)
    };
    rehearsal.jobs = plan.threads;
    let runtime = runtime()?;
    let around = runtime.block_on(look_around(&target, rehearsal.within))?;
    let planned = run::plan(&rehearsal, &around);
    if planned.plays.is_empty() {
        return Err(Diagnostic::bare(
            "nothing-selected",
            "no scenario is selected, so nothing would be played",
        )
        .help("leave `--select` out, or name a part of a scenario's name")
        .into());
    }
    // Each is played once as `run` plays it, with the controls of its refusals: what does not hold then holds under no
    // load either, and a refusal without a control proves nothing.
    if let Some(exit) = rehearse(&rehearsal, &around, &runtime, io)? {
        return Ok(exit);
    }
    let scenarios = planned
        .plays
        .iter()
        .filter(|play| play.not_testable.is_none())
        .map(|play| (play.suite.clone(), play.scenario.clone(), 1))
        .collect();
    let options = Options { target, scenarios, faults, plan, within: Duration::from_micros(within) };
    let (tell, mut told) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let report = runtime.block_on(async {
        let running = load::load(options, &around, tell, stopped);
        tokio::pin!(running);
        loop {
            tokio::select! {
                biased;
                _ = tokio::signal::ctrl_c(), if !*stop.borrow() => {
                    let _ = writeln!(io.err, "\ninterrupted: no more plays begin; then telling what was played");
                    let _ = stop.send(true);
                }
                report = &mut running => return report,
                Some(progress) = told.recv() => {
                    let line = load::progress_line(&progress);
                    let _ = match io.terminal {
                        true => write!(io.err, "\r\u{1b}[K{line}").and_then(|()| io.err.flush()),
                        false => writeln!(io.err, "{line}"),
                    };
                }
            }
        }
    })?;
    if io.terminal {
        let _ = write!(io.err, "\r\u{1b}[K");
    }
    write!(io.out, "{}", load::console(&report, io.colour))?;
    io.out.flush()?;
    for (format, path) in &reports {
        files::write(path, &(format.write)(&report))?;
    }
    Ok(report.exit())
}

/// Plays every scenario once. Answers the exit code where not all of them are as they should be.
fn rehearse(
    options: &run::Options,
    around: &run::Surroundings,
    runtime: &tokio::runtime::Runtime,
    io: &mut Io<'_>,
) -> Result<Option<u8>, CannotStart> {
    let (tell, _told) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let outcome = runtime.block_on(async {
        let running = run::run(options, around.clone(), tell, stopped);
        tokio::pin!(running);
        tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => {
                let _ = stop.send(true);
                (&mut running).await
            }
            outcome = &mut running => outcome,
        }
    })?;
    let mut redactor = outcome.redactor;
    let mut report = report::redacted(&outcome.report, &mut redactor);
    // A flow that the target lists need not be among those that are loaded.
    report.summary.listed_but_not_testable = 0;
    let exit = report.exit();
    if exit == super::CONFORMS {
        return Ok(None);
    }
    write!(io.out, "{}", console::console(&report, console::Style { colour: io.colour, all: false }))?;
    writeln!(io.out, "this is what came of playing each scenario once; nothing was loaded")?;
    Ok(Some(exit))
}

/// A format that a report can be written in.
struct Format {
    name: &'static str,
    write: fn(&load::LoadReport) -> String,
}

const FORMATS: &[Format] = &[Format { name: "json", write: load::report::json }];

fn reports(list: &[String]) -> Result<Vec<(&'static Format, PathBuf)>, CannotStart> {
    let mut reports = Vec::new();
    for item in list {
        let found = item.split_once('=').filter(|(_, path)| !path.is_empty());
        let found =
            found.and_then(|(name, path)| Some((FORMATS.iter().find(|format| format.name == name)?, path)));
        let Some((format, path)) = found else {
            let names: Vec<String> = FORMATS.iter().map(|format| format!("`{}=FILE`", format.name)).collect();
            return Err(Diagnostic::bare("bad-flag", format!("`--report {item}` names no format and file"))
                .help(format!("write {}, several with commas between", names.join(" or ")))
                .into());
        };
        reports.push((format, path.into()));
    }
    Ok(reports)
}

fn bad(flag: &str, help: &str) -> Diagnostic {
    Diagnostic::bare("bad-flag", format!("`{flag}` is not understood")).help(help)
}

/// A duration of a flag in microseconds.
fn micros(flag: &str, text: &str, problems: &mut Vec<Diagnostic>) -> u64 {
    let read = duration(text).and_then(|millis| u64::try_from(millis).ok());
    read.unwrap_or_else(|| {
        problems
            .push(bad(&format!("{flag} {text}"), "write a number and a unit: `250ms`, `30s`, `15m`, `2h`"));
        0
    }) * 1000
}

fn plan(arguments: &Arguments, problems: &mut Vec<Diagnostic>) -> Plan {
    let mut stages = Vec::new();
    for stage in &arguments.stages {
        let read = stage.split_once('@').and_then(|(level, over)| {
            let level = level.parse::<f64>().ok().filter(|level| (0.0..=1e6).contains(level))?;
            Some((level, u64::try_from(duration(over)?).ok()? * 1000))
        });
        match read {
            Some(stage) => stages.push(stage),
            None => problems
                .push(bad(&format!("--stages {stage}"), "write LEVEL@DURATION, for example `100@30s`")),
        }
    }
    let course = |level: Option<f64>| match (level, stages.is_empty()) {
        (Some(level), true) => Course::steady(level),
        (level, _) => Course::through(level.unwrap_or(0.0), &stages),
    };
    let pacing = arguments.pacing.as_deref().map(|text| micros("--pacing", text, problems));
    let model = match (arguments.rate, arguments.users) {
        (Some(rate), _) => {
            if !(rate > 0.0 && rate <= 1e6) && stages.is_empty() {
                problems.push(bad(&format!("--rate {rate}"), "write how many plays begin in a second"));
            }
            let arrivals = Arrivals::read(&arguments.arrivals).unwrap_or_else(|| {
                let flag = format!("--arrivals {}", arguments.arrivals);
                problems.push(bad(&flag, "write `constant` or `poisson`"));
                Arrivals::default()
            });
            Model::Rate(course(Some(rate)), arrivals)
        }
        (None, users) => {
            let users = match (users, stages.is_empty()) {
                (None, true) => {
                    let help = "write `--users N` for a closed run, or `--rate N` for an open one";
                    problems.push(Diagnostic::bare("bad-flag", "nothing says how many play").help(help));
                    None
                }
                (users, _) => users.map(f64::from),
            };
            Model::Users(course(users), pacing)
        }
    };
    let course_end = match &model {
        Model::Users(course, _) | Model::Rate(course, _) => course.end(),
    };
    let length = arguments.length.as_deref().map(|text| micros("--for", text, problems));
    let length = length.or(Some(course_end).filter(|end| *end > 0));
    if length.is_none() && arguments.count.is_none() {
        let help = "write `--for 30s`, `--count 10000`, or stages";
        problems.push(Diagnostic::bare("bad-flag", "nothing says when it ends").help(help));
    }
    let warm_up = micros("--warm-up", &arguments.warm_up, problems);
    if length.is_some_and(|length| warm_up >= length) {
        problems
            .push(bad(&format!("--warm-up {}", arguments.warm_up), "write less than the whole run takes"));
    }
    let abort_after = arguments.abort_after.as_deref().map(|text| micros("--abort-after", text, problems));
    let mut thresholds = Vec::new();
    for text in &arguments.threshold {
        match Threshold::read(text) {
            Ok(threshold) => thresholds.push(Threshold { abort_after, ..threshold }),
            Err(help) => problems.push(bad(&format!("--threshold {text}"), &help)),
        }
    }
    let counted = |text: &str, name: &str| {
        text.strip_prefix(name).and_then(|n| n.parse::<u32>().ok()).filter(|n| *n > 0)
    };
    let tokens = match arguments.tokens.as_str() {
        "fresh" => Tokens::Fresh,
        "per-user" => Tokens::PerUser,
        "shared" => Tokens::Pool(1),
        other => match counted(other, "pool=") {
            Some(many) => Tokens::Pool(many as usize),
            None => {
                problems.push(bad(
                    &format!("--tokens {other}"),
                    "write `fresh`, `per-user`, `shared` or `pool=N`",
                ));
                Tokens::Fresh
            }
        },
    };
    let assertions = match arguments.assertion.as_str() {
        "fresh" => Assertions::Fresh,
        "reuse" => Assertions::Reuse,
        other => match counted(other, "presigned=") {
            Some(many) => Assertions::Presigned(many),
            None => {
                problems
                    .push(bad(&format!("--assertion {other}"), "write `fresh`, `reuse` or `presigned=N`"));
                Assertions::Fresh
            }
        },
    };
    let connections = match arguments.connections.as_str() {
        "per-user" => Connections::PerUser,
        "none" => Connections::None,
        other => {
            problems.push(bad(&format!("--connections {other}"), "write `per-user` or `none`"));
            Connections::PerUser
        }
    };
    for what in &arguments.allow {
        if !["drops", "destructive", "logins"].contains(&what.as_str()) {
            problems.push(bad(&format!("--allow {what}"), "write `drops`, `destructive` or `logins`"));
        }
    }
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Plan {
        model,
        length,
        count: arguments.count,
        warm_up,
        in_flight: arguments.in_flight.max(1),
        drops_allowed: arguments.allow.iter().any(|what| what == "drops"),
        tokens,
        assertions,
        connections,
        herd: 0,
        thresholds,
        threads: arguments.threads.unwrap_or(processors).max(1),
        seed: arguments.seed,
    }
}
