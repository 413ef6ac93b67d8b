//! The command line: one file a command. A command is a function from arguments to an exit code; what it
//! tells goes through [`Io`].

mod apps;
mod asking;
mod checks;
mod compare;
mod explain;
mod explore;
mod explore_table;
mod flags;
mod init;
mod inside;
mod judge;
mod lint;
mod load;
mod load_files;
mod load_reports;
mod loading;
mod matrix;
mod merge;
mod outputs;
mod run;
mod runtime;
mod schema;
mod score;
mod serve;
mod shard;
mod shipped;
mod suggest;
mod suites;
mod worker;

use clap::{Parser, Subcommand};
use std::io::Write;

use crate::diagnostic::Diagnostic;

/// Exit code: everything that was judged conforms.
pub const CONFORMS: u8 = 0;
/// Exit code: a MUST does not hold.
pub const FAILED: u8 = 1;
/// Exit code: it could not start, for a bad file or flag.
pub const COULD_NOT_START: u8 = 2;
/// Exit code: nothing failed, but the run cannot vouch.
pub const CANNOT_VOUCH: u8 = 3;
/// Exit code: interrupted; what was played is told.
pub const INTERRUPTED: u8 = 130;

/// Where a command tells: the report on `out`, progress and problems on `err`.
pub struct Io<'a> {
    /// For the report.
    pub out: &'a mut dyn Write,
    /// For progress and problems.
    pub err: &'a mut dyn Write,
    /// Whether `out` may be coloured.
    pub colour: bool,
    /// Whether a person sits in front of it.
    pub terminal: bool,
    /// Reads one line from the person; none where there is nobody.
    pub ask: &'a mut dyn FnMut() -> Option<String>,
    /// Reads all that stands on standard input, up to a limit.
    pub ask_all: &'a mut dyn FnMut() -> Option<String>,
    /// The same as `ask`, and what is typed is not shown.
    pub ask_secret: &'a mut dyn FnMut() -> Option<String>,
    /// Opens a page in the person's browser; whether one comes up nobody learns.
    pub open: &'a mut dyn FnMut(&str),
}

/// Why a command could not start.
#[derive(Debug)]
pub enum CannotStart {
    /// Problems in what a person wrote.
    Diagnostics(Vec<Diagnostic>),
    /// The world got in the way.
    World(crate::wire::Error),
    /// Standard output is closed or full.
    Output(std::io::Error),
    /// It was to end before anything was played.
    Interrupted,
}

impl From<Vec<Diagnostic>> for CannotStart {
    fn from(problems: Vec<Diagnostic>) -> Self {
        Self::Diagnostics(problems)
    }
}

impl From<Diagnostic> for CannotStart {
    fn from(problem: Diagnostic) -> Self {
        Self::Diagnostics(vec![problem])
    }
}

impl From<crate::wire::Error> for CannotStart {
    fn from(why: crate::wire::Error) -> Self {
        Self::World(why)
    }
}

impl From<std::io::Error> for CannotStart {
    fn from(why: std::io::Error) -> Self {
        Self::Output(why)
    }
}

/// What a command comes to.
type Exit = Result<u8, CannotStart>;

#[derive(Parser)]
#[command(name = "grantcheck", version, about = ABOUT, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const ABOUT: &str = "Finds out whether OAuth 2.0 works the way everyone assumes it does, around Salesforce";
const EXIT_CODES: &str = "Exit codes: 0 conforms, 1 a MUST does not hold, 2 could not start (bad file, bad flag), \
3 nothing failed but the run cannot vouch (something inconclusive, a listed flow not testable, nothing judged), 130 interrupted.";

#[derive(Subcommand)]
enum Command {
    /// Play suites against an org and judge it; without a target, the embedded org
    Run(run::Arguments),
    /// Play scenarios under load: many users at a time on a timetable, every answer judged
    Load(Box<load::Arguments>),
    /// Join a Locust master, play as many users as it says, and tell it what is counted
    Worker(Box<worker::Arguments>),
    /// Put the reports of the parts of a load run together, exactly, and judge the whole
    Merge(merge::Arguments),
    /// Put two JSON reports side by side: which verdicts and answers differ, or whether a load run became slower
    Compare(compare::Arguments),
    /// Tell which faults of an org suites would notice: the kill matrix
    Score(score::Arguments),
    /// Play orders that nobody wrote against a model, and write what goes wrong as suite files
    Explore(explore::Arguments),
    /// Serve the embedded org over HTTP, for people and for tests
    Serve(serve::Arguments),
    /// Judge a recorded transcript with the catalogue
    Judge(judge::Arguments),
    /// Put JSON reports side by side: programs beside checks
    Matrix(matrix::Arguments),
    /// Judge metadata of apps and credentials before it is deployed
    Lint(lint::Arguments),
    /// Write the target file and the suite that fit an app, out of its metadata
    Suggest(suggest::Arguments),
    /// List the checks of the catalogue
    Checks(checks::Arguments),
    /// Explain a check, or an error as the org answered it: causes, and the cure in Setup
    Explain(explain::Arguments),
    /// Print the JSON Schema of suite, target and program files or of reports
    Schema(schema::Arguments),
    /// List the shipped suites, or write them out
    Suites(suites::Arguments),
    /// Write a commented target and a first suite that run as they are
    Init(init::Arguments),
    #[command(hide = true)]
    Inside(inside::Arguments),
}

impl Command {
    /// What was not done where the command could not start.
    fn undone(&self) -> &'static str {
        match self {
            Command::Lint(_) | Command::Judge(_) => "judged",
            Command::Suggest(_) | Command::Init(_) => "written",
            Command::Merge(_) => "merged",
            Command::Compare(_) | Command::Matrix(_) => "compared",
            Command::Serve(_) => "served",
            Command::Checks(_) | Command::Explain(_) | Command::Schema(_) | Command::Suites(_) => "told",
            _ => "played",
        }
    }
}

/// Runs a command line. The first argument is the program's name.
pub fn run(arguments: &[String], io: &mut Io<'_>) -> u8 {
    let parsed = match Arguments::try_parse_from(arguments) {
        Ok(parsed) => parsed,
        Err(why) => {
            let told = why.render();
            let _ = if why.use_stderr() { write!(io.err, "{told}") } else { write!(io.out, "{told}") };
            return if why.use_stderr() { COULD_NOT_START } else { CONFORMS };
        }
    };
    let undone = parsed.command.undone();
    let exit = match parsed.command {
        Command::Run(arguments) => run::exec(arguments, io),
        Command::Load(arguments) => load::exec(&arguments, io),
        Command::Worker(arguments) => worker::exec(&arguments, io),
        Command::Merge(arguments) => merge::exec(&arguments, io),
        Command::Compare(arguments) => compare::exec(&arguments, io),
        Command::Score(arguments) => score::exec(&arguments, io),
        Command::Explore(arguments) => explore::exec(&arguments, io),
        Command::Serve(arguments) => serve::exec(arguments, io),
        Command::Judge(arguments) => judge::exec(&arguments, io),
        Command::Matrix(arguments) => matrix::exec(&arguments, io),
        Command::Lint(arguments) => lint::exec(&arguments, io),
        Command::Suggest(arguments) => suggest::exec(&arguments, io),
        Command::Checks(arguments) => checks::exec(&arguments, io),
        Command::Explain(arguments) => explain::exec(&arguments, io),
        Command::Schema(arguments) => schema::exec(&arguments, io),
        Command::Suites(arguments) => suites::exec(&arguments, io),
        Command::Init(arguments) => init::exec(&arguments, io),
        Command::Inside(arguments) => return inside::exec(&arguments, io),
    };
    let written = exit.and_then(|code| Ok(io.out.flush().map(|()| code)?));
    match written {
        Ok(code) => code,
        Err(CannotStart::Diagnostics(problems)) => {
            for problem in &problems {
                let _ = writeln!(io.err, "{problem}");
            }
            let _ = writeln!(
                io.err,
                "{} problem{}, nothing was {undone}",
                problems.len(),
                if problems.len() == 1 { "" } else { "s" }
            );
            COULD_NOT_START
        }
        Err(CannotStart::World(why)) => {
            let _ = writeln!(io.err, "error: {why}");
            COULD_NOT_START
        }
        // A reader that went away (`| head`) is not worth a word.
        Err(CannotStart::Output(why)) if why.kind() == std::io::ErrorKind::BrokenPipe => COULD_NOT_START,
        Err(CannotStart::Output(why)) => {
            let _ = writeln!(io.err, "error: standard output cannot be written to: {why}");
            COULD_NOT_START
        }
        Err(CannotStart::Interrupted) => {
            let _ = writeln!(io.err, "\ninterrupted: nothing was {undone}");
            INTERRUPTED
        }
    }
}
