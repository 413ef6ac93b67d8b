//! How good suites are: each fault of the embedded org is played against them, and what they notice is told. A fault
//! that changes answers while every verdict stays the same has survived: nobody would notice it on a real org either.

mod matrix;

pub use matrix::{console, json, markdown};

use std::collections::BTreeSet;
use tokio::sync::{mpsc, watch};

use crate::catalog::{self, Check};
use crate::oauth::salesforce::Profile;
use crate::org::fault::Fault;
use crate::report::{Report, ScenarioRow, Word};
use crate::run::{Options, look_around, run};
use crate::transcript::{Answer, Transcript};
use crate::wire::Error;

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
    /// The fault.
    pub fault: &'static Fault,
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
        checks_of(self.fault).difference(&self.checks).copied().collect()
    }

    /// Checks that failed, and that the fault is not known to break.
    pub fn beyond(&self) -> BTreeSet<&'static str> {
        self.checks.difference(&checks_of(self.fault)).copied().collect()
    }
}

/// Every fault against the suites.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    /// In the order of the faults.
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
    /// How many faults are done.
    pub done: usize,
    /// How many there are.
    pub all: usize,
    /// Name of the last one.
    pub fault: &'static str,
}

/// The checks that a fault is known to break.
pub fn checks_of(fault: &Fault) -> BTreeSet<&'static str> {
    let drawn_from = |check: &&Check| fault.origins.contains(&check.origin);
    catalog::all().filter(drawn_from).map(|check| check.id).collect()
}

/// The profile under which a fault is played: a check that the one of the target excuses shows nothing there.
pub fn profile_of(fault: &Fault, profile: Profile) -> Profile {
    let excused = checks_of(fault).into_iter().any(|check| catalog::deviation(check).is_some());
    if excused { Profile::Rfc } else { profile }
}

/// Plays every one of these faults against the suites of the options. The target must be the embedded org.
///
/// # Errors
/// The world got in the way.
pub async fn score(
    options: &Options,
    faults: &[&'static Fault],
    progress: mpsc::UnboundedSender<Scored>,
    stop: watch::Receiver<bool>,
) -> Result<Matrix, Error> {
    let mut matrix = Matrix::default();
    let all = faults.len();
    for profile in [options.target.profile, Profile::Rfc] {
        let meant = |fault: &&&'static Fault| profile_of(fault, options.target.profile) == profile;
        let faults: Vec<_> = faults.iter().filter(meant).collect();
        if faults.is_empty() || matrix.rows.iter().any(|row| row.profile == profile) {
            continue;
        }
        let mut options = options.clone();
        options.target.profile = profile;
        let Some(sound) = Play::of(&options, &stop).await? else { break };
        matrix.unsound.extend(sound.worst());
        for fault in faults {
            let options = Options { faults: vec![*fault], ..options.clone() };
            let Some(play) = Play::of(&options, &stop).await? else { break };
            matrix.rows.push(row(fault, profile, &sound, &play));
            let _ = progress.send(Scored { done: matrix.rows.len(), all, fault: fault.name });
        }
    }
    matrix.unsound.sort();
    matrix.unsound.dedup();
    matrix.interrupted = *stop.borrow();
    let position = |row: &Row| faults.iter().position(|fault| fault.name == row.fault.name);
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

fn row(fault: &'static Fault, profile: Profile, sound: &Play, play: &Play) -> Row {
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
    } else if sound.answers().eq(play.answers()) {
        Fate::Unseen
    } else {
        Fate::Survived
    };
    Row { fault, profile, fate, checks, scenarios }
}
