//! `grantcheck explore`: plays orders that nobody wrote, and writes what goes wrong as suite files.

use clap::Args;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

use super::outputs::outputs;
use super::run::{client_named, faults_named};
use super::runtime::Runtime;
use super::{CannotStart, Exit, Io, flags, load_files};
use crate::catalog;
use crate::diagnostic::{Diagnostic, closest};
use crate::explore::{self, Error, Exploration, Explored, Progress, Side};
use crate::report;
use crate::run::{Client, Options};
use crate::wire::files;
use crate::wire::isolation::Wall;

/// The moment at which every play begins, in milliseconds since the epoch, so that a seed plays the same tomorrow.
const BEGIN: i64 = 1_800_000_000_000;
/// How many programs are played where neither a number nor a time is said.
const RUNS: u64 = 1000;
/// The most steps that a program has.
const MOST_STEPS: usize = 500;

#[derive(Args)]
pub(super) struct Arguments {
    /// The org: a target file, a URL, or `embedded`
    #[arg(long, value_name = "FILE|URL")]
    target: Option<String>,
    /// Explore a client program in place of an org: a program file, or `own` for grantcheck's own
    #[arg(long, value_name = "FILE|own")]
    program: Option<String>,
    /// Make grantcheck's own client do something wrong on purpose, and explore it
    #[arg(long, value_name = "NAME")]
    wrong: Option<String>,
    /// Judge as `rfc` or `salesforce` has it, whatever the target says
    #[arg(long)]
    profile: Option<String>,
    /// Make the embedded org commit a fault on purpose
    #[arg(long, value_name = "NAME")]
    fault: Vec<String>,
    /// Propose only what is of this kind (`refresh`, `revoke`, ..., `at-once`; of a client `expire`, `token`, ...), or with
    /// `!` before it none of it; `check:ID` counts only checks that begin so
    #[arg(long, value_name = "WORD")]
    select: Vec<String>,
    /// Decides what is proposed; the same seed plays the same on the embedded org. Drawn and told where it is not given
    #[arg(long)]
    seed: Option<u64>,
    /// How long to go on, for example `60s`
    #[arg(long = "for", value_name = "DURATION")]
    time: Option<String>,
    /// How many programs to play; 1000 where no time is given either
    #[arg(long, value_name = "N")]
    runs: Option<u64>,
    /// How many steps a program has at most
    #[arg(long, value_name = "N", default_value_t = 12)]
    steps: usize,
    /// Explore each fault of the embedded org that needs a sequence or a race, or those of `--fault`, or with `--program own`
    /// each wrong of our own client, for a minute each or as long as `--for` says, and write which are found as a Markdown
    /// table
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Go on after something that fails, for something else that does
    #[arg(long)]
    go_on: bool,
    /// Write a suite file for each thing that goes wrong into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write a report: `json=FILE`
    #[arg(long, value_name = "FORMAT=FILE", value_delimiter = ',')]
    report: Vec<String>,
    /// Allow what may spoil an org that is not disposable: `destructive`
    #[arg(long, value_name = "WHAT")]
    allow: Vec<String>,
    /// The most token requests that may go to a foreign org
    #[arg(long, value_name = "N")]
    budget: Option<u32>,
    /// How many programs are played at a time on the embedded org; as many as there are processors where it is not given
    #[arg(long)]
    jobs: Option<usize>,
    /// How long an answer may take
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    within: String,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let json = json_path(&arguments.report)?;
    let table = arguments.table.iter().map(|path| ("the table", path.as_path()));
    let named = [&arguments.target, &arguments.program].into_iter().flatten();
    let read: Vec<&Path> = named.map(Path::new).collect();
    outputs(json.iter().map(|path| ("a report", path.as_path())).chain(table), &read)?;
    let mut exploration = exploration(arguments)?;
    let runtime = Runtime::new()?;
    if matches!(exploration.options.client, Client::Program(_))
        && let Some(own) = files::own_program()
    {
        exploration.options.wall = runtime.prepare(Wall::possible(&own))?;
    }
    if let Some(path) = &arguments.table {
        return super::explore_table::exec(exploration, path, &runtime, io);
    }
    if let Some(folder) = &arguments.out {
        files::make_folder(folder)?;
    }
    writeln!(io.err, "seed {}", exploration.options.seed)?;
    let explored = match played(&exploration, &runtime, io)? {
        Ok(explored) => explored,
        Err(Error::World(why)) => return Err(why.into()),
        Err(why) => {
            writeln!(io.err, "error: {why}")?;
            return Ok(super::CANNOT_VOUCH);
        }
    };
    let mut written = Ok(());
    if let Some(folder) = &arguments.out {
        for one in &explored.found {
            written = written.and(files::write(&folder.join(&one.file), &one.text));
        }
    }
    if let Some(path) = &json {
        written = written.and(files::write(path, &format!("{:#}\n", explore::json(&explored))));
    }
    write!(io.out, "{}", explore::console(&explored, arguments.out.is_none()))?;
    io.out.flush()?;
    written?;
    Ok(match () {
        () if explored.fails() => super::FAILED,
        () if explored.interrupted => super::INTERRUPTED,
        () if !explored.vouches() => super::CANNOT_VOUCH,
        () => super::CONFORMS,
    })
}

fn played(
    exploration: &Exploration,
    runtime: &Runtime,
    io: &mut Io<'_>,
) -> Result<Result<Explored, Error>, CannotStart> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let explored = runtime.block_on(async {
        let exploring = explore::explore(exploration, &tell, runtime.stop());
        tokio::pin!(exploring);
        loop {
            tokio::select! {
                biased;
                explored = &mut exploring => return explored,
                Some(progress) = told.recv() => if io.terminal {
                    let text = match progress {
                        Progress::Played(runs) => format!("{runs} programs"),
                        Progress::Found(what) => format!("making it small: {}", report::visible(&what)),
                    };
                    let _ = write!(io.err, "\r\u{1b}[K{text}").and_then(|()| io.err.flush());
                }
            }
        }
    });
    if io.terminal {
        write!(io.err, "\r\u{1b}[K")?;
    }
    Ok(explored)
}

fn json_path(list: &[String]) -> Result<Option<PathBuf>, CannotStart> {
    let mut json = None;
    for item in list {
        match item.split_once('=') {
            Some(("json", path)) if !path.is_empty() => json = Some(path.into()),
            _ => {
                let message = format!("`--report {item}` names no format and file");
                return Err(Diagnostic::bare("bad-flag", message).help("write `json=FILE`").into());
            }
        }
    }
    Ok(json)
}

fn exploration(arguments: &Arguments) -> Result<Exploration, CannotStart> {
    let mut target = load_files::target(arguments.target.as_deref())?;
    let mut problems = Vec::new();
    let faults = faults_named(&arguments.fault, &mut problems);
    let millis = arguments.time.as_deref().and_then(|time| flags::millis("--for", time, &mut problems));
    let within = flags::within(&arguments.within, &mut problems);
    if let Some(profile) = flags::profile(arguments.profile.as_deref(), &mut problems) {
        target.profile = profile;
    }
    let allowed = flags::destructive(&arguments.allow, &mut problems);
    let side =
        if arguments.program.is_some() || arguments.wrong.is_some() { Side::Client } else { Side::Org };
    let client = client_named(arguments.program.as_deref(), arguments.wrong.as_slice(), &mut problems);
    for word in &arguments.select {
        let begins = |id: &str| catalog::all().any(|check| check.id.starts_with(id));
        if !side.knows(word) {
            let message = format!("`--select {word}` is no kind of step that is proposed");
            let help = format!("the words are: {}", side.words().join(", "));
            problems.push(Diagnostic::bare("bad-flag", message).help(help));
        } else if let Some(id) = word.strip_prefix("check:").filter(|id| !begins(id)) {
            let message = format!("no check begins with `{id}`");
            let help = match closest(id, catalog::all().map(|check| check.id)) {
                Some(near) => format!("did you mean `check:{near}`?"),
                None => "docs/checks.md lists all checks".to_owned(),
            };
            problems.push(Diagnostic::bare("bad-flag", message).help(help));
        }
    }
    if arguments.runs == Some(0) {
        let message = "`--runs 0` leaves nothing to do";
        problems.push(Diagnostic::bare("bad-flag", message).help("write 1 or more"));
    }
    if !(3..=MOST_STEPS).contains(&arguments.steps) {
        let what = if arguments.steps < 3 { "leaves nothing to do" } else { "is more than anybody can read" };
        let message = format!("`--steps {}` {what}", arguments.steps);
        let help = format!("write a number from 3 to {MOST_STEPS}");
        problems.push(Diagnostic::bare("bad-flag", message).help(help));
    }
    let foreign = !target.is_embedded();
    if side == Side::Client && (foreign || !faults.is_empty()) {
        problems.push(
            Diagnostic::bare("bad-flag", "a client is explored against the embedded org, which is right")
                .help("leave `--target` and `--fault` out"),
        );
    }
    if side == Side::Client && arguments.table.is_some() && !matches!(client, Client::Own(_)) {
        problems.push(
            Diagnostic::bare("bad-flag", "`--table` is about wrongs of grantcheck's own client")
                .help("write `--program own`"),
        );
    }
    if foreign && arguments.table.is_some() {
        problems.push(
            Diagnostic::bare("bad-flag", "`--table` is about faults of the embedded org")
                .help("leave `--target` out"),
        );
    }
    if foreign && !faults.is_empty() {
        problems.push(
            Diagnostic::bare("bad-flag", "`--fault` is for the embedded org").help("leave `--target` out"),
        );
    }
    // A client waits for its org more than it computes.
    let processors = flags::processors() * if side == Side::Client { 8 } else { 1 };
    let jobs = flags::jobs(arguments.jobs, processors, &mut problems);
    if foreign && !allowed && !target.disposable {
        problems.push(
            Diagnostic::bare("not-disposable", "exploring reuses, revokes and spoils what it finds")
                .help("allow it with `--allow destructive`, or say `disposable: true` in the target"),
        );
    }
    if foreign && arguments.budget.is_none() {
        problems.push(
            Diagnostic::bare("no-budget", "exploring makes as many token requests as it is let")
                .help("say with `--budget N` how many may go to the org"),
        );
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let seed = arguments.seed.unwrap_or_else(|| {
        let drawn = crate::wire::dice::seed();
        u64::from(u32::from_le_bytes([drawn[0], drawn[1], drawn[2], drawn[3]]))
    });
    let options = Options {
        faults,
        seed,
        destructive: true,
        budget: arguments.budget,
        begin: (!foreign).then_some(BEGIN),
        jobs,
        within,
        client,
        ..Options::new(target, Vec::new())
    };
    Ok(Exploration {
        side,
        options,
        runs: arguments.runs.or_else(|| (millis.is_none() && arguments.table.is_none()).then_some(RUNS)),
        millis,
        select: arguments.select.clone(),
        longest: arguments.steps,
        go_on: arguments.go_on,
        anything: arguments.table.is_some(),
    })
}
