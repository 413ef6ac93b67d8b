//! How good suites are: each fault of the embedded org, and each wrong of our own client, is played against them, and
//! what they notice is told. A fault that changes answers while every verdict stays the same has survived: nobody would
//! notice it on a real org either.

mod matrix;
mod sequence;

pub use matrix::{at_times, console, json, markdown};
pub use sequence::{Needs, needs};

use std::collections::BTreeSet;
use tokio::sync::{mpsc, watch};

use crate::catalog::{self, Check, Party};
use crate::client::wrong::{Wrong, Wrongs};
use crate::oauth::salesforce::Profile;
use crate::org::fault::Fault;
use crate::report::{Report, ScenarioRow, Word};
use crate::run::{Client, Options, look_around, run};
use crate::transcript::{Answer, Transcript};
use crate::wire::Error;

/// How many scenarios of a client are played at a time at least.
const CLIENTS: usize = 8;

/// What one side does wrong on purpose.
#[derive(Clone, Copy, Debug)]
pub enum Mutant {
    /// The embedded org commits a fault.
    Org(&'static Fault),
    /// Our own client does something wrong.
    Client(&'static Wrong),
}

impl Mutant {
    /// Every fault, and every wrong of our own client.
    pub fn all() -> impl Iterator<Item = Self> {
        let wrongs = crate::client::wrong::all().map(Self::Client);
        crate::org::fault::all().iter().map(Self::Org).chain(wrongs)
    }

    /// How it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Org(fault) => fault.name,
            Self::Client(wrong) => wrong.name,
        }
    }

    /// What is wrong.
    pub fn doc(self) -> &'static str {
        match self {
            Self::Org(fault) => fault.doc,
            Self::Client(wrong) => wrong.doc,
        }
    }

    /// Who does it.
    pub fn party(self) -> Party {
        match self {
            Self::Org(_) => Party::Org,
            Self::Client(_) => Party::Client,
        }
    }

    /// The requirements that it breaks, by their ids in the collection that checks are drawn from.
    pub fn origins(self) -> &'static [&'static str] {
        match self {
            Self::Org(fault) => fault.origins,
            Self::Client(wrong) => wrong.origins,
        }
    }

    /// The options of a run in which it is done.
    pub fn played(self, options: &Options) -> Options {
        match self {
            Self::Org(fault) => Options { faults: vec![fault], ..options.clone() },
            Self::Client(wrong) => Options {
                client: Client::Own(Wrongs::of(wrong)),
                // A client waits for its org more than it computes.
                jobs: options.jobs.max(CLIENTS),
                ..options.clone()
            },
        }
    }
}

/// What became of one fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A verdict changed for the worse.
    Caught,
    /// Answers changed, and no verdict did.
    Survived,
    /// No answer changed: nothing that the suites send brings it out.
    Unseen,
}

/// One fault against the suites.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was done wrong.
    pub mutant: Mutant,
    /// The profile under which it was played: behind a known deviation it would not show.
    pub profile: Profile,
    /// What became of it.
    pub fate: Fate,
    /// Checks that failed and did not without the fault.
    pub checks: BTreeSet<&'static str>,
    /// Scenarios, as `suite › scenario`, whose verdict it made worse.
    pub scenarios: Vec<String>,
}

impl Row {
    /// Checks that the fault is known to break, and that did not fail.
    pub fn missed(&self) -> BTreeSet<&'static str> {
        checks_of(self.mutant).difference(&self.checks).copied().collect()
    }

    /// Checks that failed, and that the fault is not known to break, be it at times.
    pub fn beyond(&self) -> BTreeSet<&'static str> {
        self.always().difference(&checks_of(self.mutant)).copied().collect()
    }

    /// Checks that failed, without those that fail at times.
    pub fn always(&self) -> BTreeSet<&'static str> {
        let name = self.mutant.name();
        let at_times =
            |check: &str| AT_TIMES.iter().any(|(wrong, broken)| *wrong == name && *broken == check);
        self.checks.iter().copied().filter(|check| !at_times(check)).collect()
    }
}

/// Wrongs of our own client whose callers or processes race each other, and what was seen to fail as well where the race went
/// otherwise than it mostly does, on a machine that had much else to do.
pub const AT_TIMES: [(&str, &str); 3] = [
    ("everybody-asks", "renewal/server-to-server-asks-for-a-new-grant"),
    ("everybody-renews", "renewal/replaced-access-token-is-not-sent"),
    ("keeps-first", "renewal/invalid-grant-is-final"),
];

/// All of them against the suites.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    /// In the order in which they were given.
    pub rows: Vec<Row>,
    /// Scenarios that do not pass on the faultless org: what they say of a fault counts for nothing.
    pub unsound: Vec<String>,
    /// Whether it was stopped before the end.
    pub interrupted: bool,
}

impl Matrix {
    /// Faults that break other checks than they are known to: more than one suite can say, and all of them must.
    pub fn inexact(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| !row.missed().is_empty() || !row.beyond().is_empty())
    }

    /// How many faults came to that.
    pub fn count(&self, fate: Fate) -> usize {
        self.rows.iter().filter(|row| row.fate == fate).count()
    }
}

/// What scoring tells while it goes on.
#[derive(Clone, Debug)]
pub struct Scored {
    /// How many are done.
    pub done: usize,
    /// How many there are.
    pub all: usize,
    /// Name of the last one.
    pub name: &'static str,
}

/// The checks that it is known to break.
pub fn checks_of(mutant: Mutant) -> BTreeSet<&'static str> {
    let drawn_from =
        |check: &&Check| check.binds == mutant.party() && mutant.origins().contains(&check.origin);
    catalog::all().filter(drawn_from).map(|check| check.id).collect()
}

/// The profile under which it is played: a check that the one of the target excuses shows nothing there.
pub fn profile_of(mutant: Mutant, profile: Profile) -> Profile {
    let excused = checks_of(mutant).into_iter().any(|check| catalog::deviation(check).is_some());
    if excused { Profile::Rfc } else { profile }
}

/// Plays every one of these against the suites of the options: an org's against those that judge orgs, a client's
/// against those that judge clients. The target must be the embedded org.
///
/// # Errors
/// The world got in the way.
pub async fn score(
    options: &Options,
    mutants: &[Mutant],
    progress: mpsc::UnboundedSender<Scored>,
    stop: watch::Receiver<bool>,
) -> Result<Matrix, Error> {
    let mut matrix = Matrix::default();
    let all = mutants.len();
    let turns = [Party::Org, Party::Client]
        .into_iter()
        .flat_map(|party| [(party, options.target.profile), (party, Profile::Rfc)]);
    for (party, profile) in turns {
        let meant = |mutant: &&Mutant| {
            mutant.party() == party && profile_of(**mutant, options.target.profile) == profile
        };
        let mutants: Vec<Mutant> = mutants.iter().filter(meant).copied().collect();
        let is_done = |row: &Row| row.profile == profile && row.mutant.party() == party;
        if mutants.is_empty() || matrix.rows.iter().any(is_done) {
            continue;
        }
        let mut options = options.clone();
        options.target.profile = profile;
        for suite in &mut options.suites {
            suite.scenarios.retain(|scenario| scenario.client.is_some() == (party == Party::Client));
        }
        options.suites.retain(|suite| !suite.scenarios.is_empty());
        let Some(sound) = Play::of(&options, &stop).await? else { break };
        matrix.unsound.extend(sound.worst());
        for mutant in mutants {
            let Some(play) = Play::of(&mutant.played(&options), &stop).await? else { break };
            matrix.rows.push(row(mutant, profile, &sound, &play));
            let _ = progress.send(Scored { done: matrix.rows.len(), all, name: mutant.name() });
        }
    }
    matrix.unsound.sort();
    matrix.unsound.dedup();
    matrix.interrupted = *stop.borrow();
    let position = |row: &Row| mutants.iter().position(|mutant| mutant.name() == row.mutant.name());
    matrix.rows.sort_by_key(position);
    Ok(matrix)
}

/// The suites, played once.
struct Play {
    report: Report,
    transcript: Transcript,
}

impl Play {
    /// None when it was stopped.
    async fn of(options: &Options, stop: &watch::Receiver<bool>) -> Result<Option<Self>, Error> {
        let (tell, _told) = mpsc::unbounded_channel();
        let around = look_around(&options.target, options.within).await?;
        let outcome = run(options, around, tell, stop.clone()).await?;
        let whole = !outcome.report.interrupted;
        Ok(whole.then_some(Self { report: outcome.report, transcript: outcome.transcript }))
    }

    /// Checks that failed in scenarios that are not left out.
    fn failed(&self, unsound: &[String]) -> BTreeSet<&str> {
        let failed = |word: Word| matches!(word, Word::Fail | Word::Warn | Word::Note);
        let name = |row: &ScenarioRow| format!("{} › {}", row.suite, row.scenario);
        let sound = self.report.scenarios.iter().filter(|row| !unsound.contains(&name(row)));
        let findings = sound.flat_map(|row| &row.findings).filter(|finding| failed(finding.verdict));
        findings.filter_map(|finding| finding.check.as_deref()).collect()
    }

    /// Scenarios that say that something is wrong.
    fn worst(&self) -> Vec<String> {
        let bad = |word: Word| matches!(word, Word::Fail | Word::Warn | Word::Inconclusive);
        let rows = self.report.scenarios.iter().filter(|row| bad(row.verdict));
        rows.map(|row| format!("{} › {}", row.suite, row.scenario)).collect()
    }

    fn answers(&self) -> impl Iterator<Item = (&str, &Answer)> {
        self.transcript.exchanges.iter().map(|x| (x.scenario.as_str(), &x.answer))
    }
}

fn row(mutant: Mutant, profile: Profile, sound: &Play, play: &Play) -> Row {
    let known = sound.worst();
    let before = sound.failed(&known);
    let checks: BTreeSet<&'static str> = play
        .failed(&known)
        .difference(&before)
        .filter_map(|id| catalog::find(id))
        .map(|check| check.id)
        .collect();
    let scenarios: Vec<String> = play.worst().into_iter().filter(|name| !known.contains(name)).collect();
    let fate = if !checks.is_empty() || !scenarios.is_empty() {
        Fate::Caught
    } else if mutant.party() == Party::Org && sound.answers().eq(play.answers()) {
        // Where a client is played, its callers come in any order, and no two plays are the same.
        Fate::Unseen
    } else {
        Fate::Survived
    };
    Row { mutant, profile, fate, checks, scenarios }
}
