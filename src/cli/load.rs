//! `grantcheck load`: the same scenarios on a timetable.

use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

use super::run::faults_named;
use super::shard::ShardArguments;
use super::{CannotStart, Exit, Io, load_files, load_reports, runtime};
use crate::diagnostic::Diagnostic;
use crate::load::drive::Options;
use crate::load::guard::LOGINS_AN_HOUR;
use crate::load::{self, Plan};
use crate::oauth::salesforce::Profile;
use crate::report::{self, console};
use crate::run::{self, Selection, look_around};
use crate::subject::workload::{
    Arrivals, Assertions, Connections, Stage, Threshold, Tokens, Workload, level, micros,
};
use crate::suite::{Scenario, Suite};
use crate::wire::clock::real_now;
use crate::wire::host::MOST_CONNECTIONS;

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
    rate: Option<String>,
    /// How plays of an open run follow each other: `constant` or `poisson`
    #[arg(long, value_name = "HOW")]
    arrivals: Option<String>,
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
    #[arg(long, value_name = "DURATION")]
    warm_up: Option<String>,
    /// The most plays in flight in an open run, 1000 where nothing is said; what is beyond it is dropped, and fails the run
    #[arg(long, value_name = "N")]
    in_flight: Option<u64>,
    /// Where sessions come from: `fresh` (each play gets its own), `per-user`, `shared`, or `pool=N`
    #[arg(long, value_name = "WHERE")]
    tokens: Option<String>,
    /// What becomes of assertions: `fresh`, `reuse` until shortly before they expire, or `presigned=N`
    #[arg(long, value_name = "WHAT")]
    assertion: Option<String>,
    /// So many callers find all sessions dead at once, in the middle of the run
    #[arg(long, value_name = "N")]
    herd: Option<u64>,
    /// What becomes of connections: `per-user`, `shared=N` by all users, or `none` is kept
    #[arg(long, value_name = "WHAT")]
    connections: Option<String>,
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
    #[command(flatten)]
    shard: ShardArguments,
    /// Write reports: `json=FILE`, `prometheus=FILE` (text format), `csv=FILE` (over time)
    #[arg(long, value_name = "FORMAT=FILE", value_delimiter = ',')]
    report: Vec<String>,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let reports = load_reports::wanted(&arguments.report)?;
    let target = load_files::target(arguments.target.as_deref())?;
    let suites = load_files::suites(&arguments.suites, &[])?;
    let mut problems = Vec::new();
    let faults = faults_named(&arguments.fault, &mut problems);
    let within = micros(&arguments.within).filter(|within| *within > 0);
    if within.is_none() {
        let message = format!("`--within {}` is no duration", arguments.within);
        problems.push(Diagnostic::bare("bad-flag", message).help("write for example `10s` or `500ms`"));
    }
    let flags = flags(arguments, &mut problems);
    let (shard, start_at) = arguments.shard.read(&mut problems);
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let within = Duration::from_micros(within.unwrap_or_default());
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = arguments.threads.unwrap_or(processors);
    let plan = Plan::new(&flags.over(&of_suites(&suites)?), threads, arguments.seed)?.part(shard);
    if let Some(start_at) = start_at {
        soon(start_at, plan.length)?;
    }
    let sources: Vec<String> = suites.iter().map(|suite| suite.text.source().to_owned()).collect();
    if target.is_embedded() && plan.connections == Connections::PerUser && plan.own_users() > MOST_CONNECTIONS
    {
        let message = format!(
            "the embedded org takes {MOST_CONNECTIONS} connections, and there may be {} users",
            plan.own_users()
        );
        let help = "write `--connections shared=N`, or fewer users, or a smaller `--in-flight`";
        return Err(Diagnostic::bare("bad-load", message).help(help).into());
    }
    let mut rehearsal = run::Options {
        selection: Selection { patterns: arguments.select.clone() },
        faults: faults.clone(),
        destructive: arguments.allow.iter().any(|what| what == "destructive"),
        within,
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
    let playable = planned.plays.iter().filter(|play| play.not_testable.is_none());
    let allowed = arguments.allow.iter().any(|what| what == "logins");
    if target.org.is_some() && target.profile == Profile::Salesforce && !allowed {
        guard(&plan, playable.map(|play| &*play.scenario))?;
    }
    // Each is played once as `run` plays it, with the controls of its refusals: what does not hold then holds under no
    // load either, and a refusal without a control proves nothing.
    if let Some(exit) = rehearse(&rehearsal, &around, &runtime, io)? {
        return Ok(exit);
    }
    let scenarios: Vec<(String, Arc<Scenario>)> = planned
        .plays
        .iter()
        .filter(|play| play.not_testable.is_none())
        .map(|play| (play.suite.clone(), play.scenario.clone()))
        .collect();
    let left_out = planned
        .plays
        .iter()
        .filter_map(|play| Some((play.suite.clone(), play.scenario.name.clone(), play.not_testable.clone()?)))
        .collect();
    let print = {
        let names =
            scenarios.iter().map(|(suite, scenario): &(String, _)| format!("{suite} {}", scenario.name));
        let faults = faults.iter().map(|fault| fault.name.to_owned());
        let start = start_at.map(|at| at.to_string());
        let all: Vec<String> = names.chain(faults).chain(start).chain(sources).collect();
        plan.print(all.iter().map(String::as_str))
    };
    let options = Options { target, scenarios, left_out, faults, plan, within, start_at, print };
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
    load_reports::tell(&report, &reports, io)?;
    Ok(report.exit())
}

/// Refuses a moment at which nothing would be left of the run, or for which nobody waits.
fn soon(start_at: i64, length: Option<u64>) -> Result<(), Diagnostic> {
    const DAY: i64 = 86_400_000;
    let ahead = start_at.saturating_sub(real_now());
    let over =
        length.is_some_and(|length| ahead.saturating_add(i64::try_from(length / 1000).unwrap_or(0)) <= 0);
    let message = match () {
        () if over || ahead < -DAY => "`--start-at` lies so long ago that the run would be over",
        () if ahead > DAY => "`--start-at` lies more than a day ahead",
        () => return Ok(()),
    };
    Err(Diagnostic::bare("bad-flag", message)
        .help("write a moment a minute or two ahead: time for every part to log in"))
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

/// Refuses what would shut a user of a real org out.
fn guard<'s>(plan: &Plan, scenarios: impl Iterator<Item = &'s Scenario> + Clone) -> Result<(), Diagnostic> {
    for (user, logins) in load::guard::logins(plan, scenarios) {
        let told = match logins {
            Some(logins) if logins <= LOGINS_AN_HOUR => continue,
            Some(logins) => format!("up to {logins} times"),
            None => "as often as it can".to_owned(),
        };
        let message = format!(
            "this would log the user `{user}` in {told} within an hour; Salesforce lets it in {LOGINS_AN_HOUR} times and then shuts it out"
        );
        return Err(Diagnostic::bare("login-rate", message)
            .help("write `--tokens shared` or `per-user`, `--count N`, a lower rate, or `--allow logins`"));
    }
    Ok(())
}

/// What the flags ask for.
fn flags(arguments: &Arguments, problems: &mut Vec<Diagnostic>) -> Workload {
    let mut bad = |flag: String, help: &str| {
        problems.push(Diagnostic::bare("bad-flag", format!("`{flag}` is not understood")).help(help));
    };
    let mut time = |flag: &str, text: &Option<String>| {
        let text = text.as_ref()?;
        let read = micros(text);
        if read.is_none() {
            bad(format!("{flag} {text}"), "write a number and a unit: `250ms`, `30s`, `15m`, `2h`");
        }
        read
    };
    let pacing = time("--pacing", &arguments.pacing);
    let length = time("--for", &arguments.length);
    let warm_up = time("--warm-up", &arguments.warm_up);
    let abort_after = time("--abort-after", &arguments.abort_after);
    let mut read = |flag: &str, text: &Option<String>, known: &dyn Fn(&str) -> bool, help: &str| {
        if let Some(text) = text.as_ref().filter(|text| !known(text)) {
            bad(format!("{flag} {text}"), help);
        }
    };
    read(
        "--rate",
        &arguments.rate,
        &|text| level(text).is_some_and(|rate| rate > 0.0),
        "write how many plays begin in a second",
    );
    read(
        "--arrivals",
        &arguments.arrivals,
        &|text| Arrivals::read(text).is_some(),
        "write `constant` or `poisson`",
    );
    read("--tokens", &arguments.tokens, &|text| Tokens::read(text).is_some(), Tokens::HELP);
    read("--assertion", &arguments.assertion, &|text| Assertions::read(text).is_some(), Assertions::HELP);
    read(
        "--connections",
        &arguments.connections,
        &|text| Connections::read(text).is_some(),
        Connections::HELP,
    );
    for text in &arguments.stages {
        read("--stages", &Some(text.clone()), &|text| Stage::read(text).is_some(), Stage::HELP);
    }
    for text in &arguments.threshold {
        read("--threshold", &Some(text.clone()), &|text| Threshold::read(text).is_some(), Threshold::HELP);
    }
    for text in &arguments.allow {
        let known = |text: &str| ["drops", "destructive", "logins"].contains(&text);
        read("--allow", &Some(text.clone()), &known, "write `drops`, `destructive` or `logins`");
    }
    let stages: Vec<Stage> = arguments.stages.iter().filter_map(|text| Stage::read(text)).collect();
    Workload {
        users: arguments.users.map(f64::from),
        rate: arguments.rate.as_deref().and_then(level),
        arrivals: arguments.arrivals.as_deref().and_then(Arrivals::read),
        stages: (!stages.is_empty()).then_some(stages),
        pacing,
        length,
        count: arguments.count,
        warm_up,
        in_flight: arguments.in_flight,
        drops: arguments.allow.iter().any(|what| what == "drops").then_some(true),
        tokens: arguments.tokens.as_deref().and_then(Tokens::read),
        assertion: arguments.assertion.as_deref().and_then(Assertions::read),
        connections: arguments.connections.as_deref().and_then(Connections::read),
        herd: arguments.herd,
        thresholds: arguments.threshold.iter().filter_map(|text| Threshold::read(text)).collect(),
        abort_after,
    }
}

/// What the suites say; two of them cannot both say it.
fn of_suites(suites: &[Suite]) -> Result<Workload, Diagnostic> {
    let mut saying = suites.iter().filter(|suite| suite.load.is_some());
    let (first, second) = (saying.next(), saying.next());
    if let (Some(first), Some(second)) = (first, second) {
        let message = format!("both {} and {} say `load:`", first.text.name(), second.text.name());
        return Err(Diagnostic::bare("bad-load", message).help("play them in two runs"));
    }
    Ok(first.and_then(|suite| suite.load.clone()).unwrap_or_default())
}
