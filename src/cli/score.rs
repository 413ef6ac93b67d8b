//! `grantcheck score`: which faults of an org, and which wrongs of a client, suites would notice.

use clap::Args;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

use super::outputs::outputs;
use super::run::{faults_named, wrongs_named};
use super::runtime::Runtime;
use super::{Exit, Io, flags, load_files};
use crate::catalog::Party;
use crate::diagnostic::Diagnostic;
use crate::run::Options;
use crate::score::{self, Fate, Mutant, Scored};
use crate::wire::files;

/// The moment at which every play begins, in milliseconds since the epoch, so that what differs between two plays is the
/// fault, and a matrix comes out the same tomorrow.
const BEGIN: i64 = 1_800_000_000_000;

#[derive(Args)]
pub(super) struct Arguments {
    /// Suite files or folders; the shipped suites where none is given
    suites: Vec<PathBuf>,
    /// An embedded org set up by this target file
    #[arg(long, value_name = "FILE")]
    target: Option<String>,
    /// Play as `rfc` or `salesforce` has it
    #[arg(long)]
    profile: Option<String>,
    /// Only these faults; `grantcheck run --fault NAME` shows what one does
    #[arg(long, value_name = "NAME")]
    fault: Vec<String>,
    /// Only these wrongs of grantcheck's own client; `grantcheck run --wrong NAME` shows what one does
    #[arg(long, value_name = "NAME")]
    wrong: Vec<String>,
    /// Only the faults of the org (`org`), or only the wrongs of grantcheck's own client (`client`)
    #[arg(long, value_name = "org|client", value_parser = ["org", "client"])]
    of: Option<String>,
    /// Show all of them, not only those that survived
    #[arg(long)]
    all: bool,
    /// Write the matrix as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the matrix as a Markdown table
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Decides order, identifiers and dice; the same seed plays the same
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many scenarios are played at a time; as many as there are processors where it is not given
    #[arg(long)]
    jobs: Option<usize>,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let files = [("the JSON", &arguments.json), ("the table", &arguments.markdown)];
    let named = arguments.suites.iter().map(PathBuf::as_path);
    let read: Vec<&Path> = named.chain(arguments.target.as_ref().map(Path::new)).collect();
    outputs(files.into_iter().filter_map(|(what, path)| Some((what, path.as_deref()?))), &read)?;
    let options = options(arguments)?;
    let mut problems = Vec::new();
    let faults = faults_named(&arguments.fault, &mut problems).into_iter().map(Mutant::Org);
    let wrongs = wrongs_named(&arguments.wrong, &mut problems).into_iter().map(Mutant::Client);
    let mut mutants: Vec<Mutant> = faults.chain(wrongs).collect();
    if !problems.is_empty() {
        return Err(problems.into());
    }
    if mutants.is_empty() {
        // Those that what is played can be asked about at all.
        let judged = |party| {
            let mut scenarios = options.suites.iter().flat_map(|suite| &suite.scenarios);
            scenarios.any(|scenario| scenario.client.is_some() == (party == Party::Client))
        };
        let meant = |party: Party| arguments.of.as_deref().is_none_or(|of| of == party.word());
        mutants = Mutant::all().filter(|mutant| judged(mutant.party()) && meant(mutant.party())).collect();
    }
    let (tell, mut told) = mpsc::unbounded_channel::<Scored>();
    let runtime = Runtime::new()?;
    let matrix = runtime.block_on(async {
        let scoring = score::score(&options, &mutants, tell, runtime.stop());
        tokio::pin!(scoring);
        loop {
            tokio::select! {
                biased;
                matrix = &mut scoring => return matrix,
                Some(Scored { done, all, name }) = told.recv() => if io.terminal {
                    let _ = write!(io.err, "\r\u{1b}[K{done}/{all} {name}").and_then(|()| io.err.flush());
                }
            }
        }
    })?;
    if io.terminal {
        write!(io.err, "\r\u{1b}[K")?;
    }
    let json = arguments.json.as_ref();
    let json = json.map_or(Ok(()), |path| files::write(path, &format!("{:#}\n", score::json(&matrix))));
    let markdown = arguments.markdown.as_ref();
    let markdown = markdown.map_or(Ok(()), |path| files::write(path, &score::markdown(&matrix)));
    write!(io.out, "{}", score::console(&matrix, arguments.all))?;
    // Of a suite of one's own nobody knows which checks a fault should break there; of the shipped ones we do.
    let shipped = arguments.suites.is_empty() && arguments.target.is_none() && !matrix.interrupted;
    let mut exact = true;
    for row in matrix.inexact().filter(|_| shipped) {
        exact = false;
        writeln!(
            io.out,
            "not exact: {}: not failed {:?}, failed besides {:?}",
            row.mutant.name(),
            row.missed(),
            row.beyond()
        )?;
    }
    json?;
    markdown?;
    Ok(if matrix.interrupted {
        super::INTERRUPTED
    } else if matrix.count(Fate::Survived) > 0 || !exact {
        super::FAILED
    } else if !matrix.unsound.is_empty() || matrix.count(Fate::Caught) == 0 {
        super::CANNOT_VOUCH
    } else {
        super::CONFORMS
    })
}

fn options(arguments: &Arguments) -> Result<Options, super::CannotStart> {
    let mut target = load_files::target(arguments.target.as_deref())?;
    let suites = load_files::suites(&arguments.suites, &["org/", "client/", "named-credential/"])?;
    if !target.is_embedded() {
        return Err(Diagnostic::bare(
            "bad-flag",
            "faults are what the embedded org commits; this is another",
        )
        .help("leave `--target` out, or name a target with `org: embedded`")
        .into());
    }
    let mut problems = Vec::new();
    if let Some(profile) = flags::profile(arguments.profile.as_deref(), &mut problems) {
        target.profile = profile;
    }
    let jobs = flags::jobs(arguments.jobs, flags::processors(), &mut problems);
    if !problems.is_empty() {
        return Err(problems.into());
    }
    Ok(Options { seed: arguments.seed, begin: Some(BEGIN), jobs, ..Options::new(target, suites) })
}
