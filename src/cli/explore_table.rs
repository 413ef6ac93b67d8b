//! `grantcheck explore --table FILE`: each fault that needs a sequence or a race, or each wrong of our own client, explored from
//! nothing.

use std::fmt::Write as _;
use std::path::Path;
use tokio::sync::{mpsc, watch};

use super::runtime::Runtime;
use super::{Exit, Io, load_files};
use crate::catalog::Party;
use crate::client::wrong::{self, Wrong, named_credential};
use crate::explore::{self, Error, Exploration, Row, Side};
use crate::org::fault::Fault;
use crate::run::{Client, Options};
use crate::score::{self, Mutant, Needs, needs, profile_of};
use crate::wire::files;

/// How long each is explored where nothing is said, in milliseconds.
const LONG: u64 = 60_000;

/// Explores every one of these faults, or where there are none all that need it, and writes the page.
pub(super) fn exec(exploration: Exploration, path: &Path, runtime: &Runtime, io: &mut Io<'_>) -> Exit {
    let (tell, _told) = mpsc::unbounded_channel();
    let mut mutants: Vec<Mutant> = exploration.options.faults.iter().copied().map(Mutant::Org).collect();
    let mut apart = Vec::new();
    match (exploration.side, &exploration.options.client) {
        (Side::Client, Client::Own(wrongs)) if wrongs.name().is_some() => {
            mutants = wrong::all().filter(|wrong| wrongs.has(wrong)).map(Mutant::Client).collect();
        }
        (Side::Client, _) => {
            let of_credentials =
                |wrong: &Wrong| named_credential::ALL.iter().any(|one| one.name == wrong.name);
            let (named, others): (Vec<&Wrong>, Vec<&Wrong>) =
                wrong::all().partition(|one| of_credentials(one));
            mutants = others.into_iter().map(Mutant::Client).collect();
            apart = named.iter().map(|wrong| wrong.name).collect();
        }
        (Side::Org, _) if mutants.is_empty() => {
            let (faults, others) = runtime.block_on(in_need(&exploration.options, runtime.stop()))?;
            (mutants, apart) = (faults.into_iter().map(Mutant::Org).collect(), others);
        }
        (Side::Org, _) => {}
    }
    let millis = exploration.millis.or_else(|| exploration.runs.is_none().then_some(LONG));
    let mut rows = Vec::new();
    for mutant in mutants {
        let mut options = mutant.played(&exploration.options);
        options.target.profile = profile_of(mutant, options.target.profile);
        let one = Exploration { options, millis, select: exploration.select.clone(), ..exploration };
        let explored = runtime.block_on(explore::explore(&one, &tell, runtime.stop()));
        let explored = match explored {
            Ok(explored) => explored,
            Err(Error::World(why)) => return Err(why.into()),
            Err(why) => {
                writeln!(io.err, "error: {why}")?;
                return Ok(super::CANNOT_VOUCH);
            }
        };
        if explored.interrupted {
            return Ok(super::INTERRUPTED);
        }
        let (name, doc) = (mutant.name(), mutant.doc());
        let row = Row { name, doc, profile: one.options.target.profile, explored };
        let said = row.found().map_or("not found".to_owned(), |found| {
            format!("run {}, {} steps: {}", found.run, found.size.steps, found.size.words)
        });
        writeln!(io.out, "{name:<28} {:>6.1} s  {said}", row.explored.micros as f64 / 1e6)?;
        io.out.flush()?;
        rows.push(row);
    }
    let program = if exploration.side == Side::Client { " --program own" } else { "" };
    let seed = exploration.options.seed;
    let mut command = format!("grantcheck explore{program} --table {} --seed {seed}", path.display());
    if let Some(millis) = exploration.millis {
        let _ = write!(command, " --for {}", in_words(millis));
    }
    files::write(path, &explore::markdown(exploration.side, &command, &rows, &apart))?;
    let found = rows.iter().filter(|row| row.found().is_some()).count();
    writeln!(io.out, "{found} of {} found", rows.len())?;
    Ok(if found == rows.len() { super::CONFORMS } else { super::FAILED })
}

/// A span of time as it is written behind a flag.
fn in_words(millis: u64) -> String {
    if millis.is_multiple_of(1000) { format!("{}s", millis / 1000) } else { format!("{millis}ms") }
}

/// The faults that need a sequence or a race, and the names of those that need a malformed request, as the shipped suites
/// show.
async fn in_need(
    options: &Options,
    stop: watch::Receiver<bool>,
) -> Result<(Vec<&'static Fault>, Vec<&'static str>), super::CannotStart> {
    let suites = load_files::suites(&[], &["org/", "named-credential/"])?;
    let options = Options { suites: suites.clone(), ..options.clone() };
    let mutants: Vec<Mutant> = Mutant::all().filter(|mutant| mutant.party() == Party::Org).collect();
    let (tell, _told) = mpsc::unbounded_channel();
    let matrix = score::score(&options, &mutants, tell, stop).await?;
    let (mut faults, mut apart) = (Vec::new(), Vec::new());
    for row in &matrix.rows {
        let Mutant::Org(fault) = row.mutant else { continue };
        match needs(row, &suites) {
            Needs::Sequence => faults.push(fault),
            Needs::Malformed => apart.push(fault.name),
            Needs::OneRequest => {}
        }
    }
    Ok((faults, apart))
}
