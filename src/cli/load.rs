//! `grantcheck load`: the same scenarios on a timetable.

use clap::Args;
use tokio::sync::mpsc;

use super::loading::{Playing, Prepared, Ready, reading, time};
use super::runtime::told_to_end;
use super::shard::ShardArguments;
use super::{Exit, Io, load_reports};
use crate::diagnostic::Diagnostic;
use crate::load::{self, Plan};
use crate::subject::workload::{Stage, Workload, level};
use crate::wire::clock::real_now;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    playing: Playing,
    /// Closed: so many users, each of whom begins its next play when the last one is over
    #[arg(long, value_name = "N")]
    users: Option<u32>,
    /// Open: so many plays begin in a second, however the last ones went
    #[arg(long, value_name = "N", conflicts_with_all = ["users", "pacing"])]
    rate: Option<String>,
    /// Stages, each LEVEL@DURATION with commas between them: users or rate move in straight lines from level to level
    #[arg(long, value_name = "STAGES", value_delimiter = ',')]
    stages: Vec<String>,
    /// For how long plays begin
    #[arg(long = "for", value_name = "DURATION")]
    length: Option<String>,
    /// How many plays begin at most
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// So many callers find all sessions dead at once, in the middle of the run
    #[arg(long, value_name = "N")]
    herd: Option<u64>,
    /// End the run when a threshold does not hold after so long
    #[arg(long, value_name = "DURATION")]
    abort_after: Option<String>,
    #[command(flatten)]
    shard: ShardArguments,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let reports = arguments.playing.reports()?;
    let (suites, in_file) = arguments.playing.suites()?;
    let mut problems = Vec::new();
    let flags = flags(arguments, &mut problems);
    let (shard, start_at) = arguments.shard.read(&mut problems);
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let threads = arguments.playing.threads();
    let plan = Plan::new(&flags.over(&in_file), threads, arguments.playing.seed)?.part(shard);
    if let Some(start_at) = start_at {
        soon(start_at, plan.length)?;
    }
    let Ready { options, around, runtime } = match arguments.playing.prepare(suites, plan, start_at, io)? {
        Prepared::Ready(ready) => *ready,
        Prepared::DoesNotHold(exit) => return Ok(exit),
    };
    let (tell, mut told) = mpsc::unbounded_channel();
    let (mut stop, mut said) = (runtime.stop(), false);
    let report = runtime.block_on(async {
        let running = load::load(options, &around, tell, runtime.stop());
        tokio::pin!(running);
        loop {
            tokio::select! {
                biased;
                () = told_to_end(&mut stop), if !said => {
                    let _ = writeln!(io.err, "\ninterrupted: no more plays begin; then telling what was played");
                    said = true;
                }
                report = &mut running => return report,
                Some(progress) = told.recv() => show(&load::progress_line(&progress), io),
            }
        }
    })?;
    done_showing(io);
    load_reports::tell(&report, &reports, io)?;
    Ok(report.exit())
}

/// A line about what goes on, in the place of the one before.
pub(super) fn show(line: &str, io: &mut Io<'_>) {
    let _ = match io.terminal {
        true => write!(io.err, "\r\u{1b}[K{line}").and_then(|()| io.err.flush()),
        false => writeln!(io.err, "{line}"),
    };
}

/// Nothing goes on any more.
pub(super) fn done_showing(io: &mut Io<'_>) {
    if io.terminal {
        let _ = write!(io.err, "\r\u{1b}[K");
    }
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

/// What the flags ask for.
fn flags(arguments: &Arguments, problems: &mut Vec<Diagnostic>) -> Workload {
    let asked = arguments.playing.asked(problems);
    let length = time(problems, "--for", &arguments.length);
    let abort_after = time(problems, "--abort-after", &arguments.abort_after);
    // At 0 a run with stages begins; a plan knows whether anybody ever plays.
    let rate = |text: &str| level(text).is_some();
    reading(problems, "--rate", &arguments.rate, &rate, "write how many plays begin in a second");
    for text in &arguments.stages {
        reading(problems, "--stages", &Some(text.clone()), &|text| Stage::read(text).is_some(), Stage::HELP);
    }
    let stages: Vec<Stage> = arguments.stages.iter().filter_map(|text| Stage::read(text)).collect();
    Workload {
        users: arguments.users.map(f64::from),
        rate: arguments.rate.as_deref().and_then(level),
        stages: (!stages.is_empty()).then_some(stages),
        length,
        count: arguments.count,
        herd: arguments.herd,
        abort_after,
        ..asked
    }
}
