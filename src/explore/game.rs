//! What exploring plays: something is proposed to one side, played, judged, made small, and written as a suite.

use rand::rngs::StdRng;
use std::fmt;
use std::future::Future;
use tokio::sync::{mpsc, watch};

use super::org::Followed;
use crate::catalog;
use crate::diagnostic::Text;
use crate::report::{FindingRow, ScenarioRow, Word};
use crate::run::{Options, Surroundings, run};
use crate::suite::read_suite;
use crate::transcript::{Exchange, Part};

/// Name of the suite that is played.
pub(super) const SUITE: &str = "explored";

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The world got in the way.
    #[error(transparent)]
    World(#[from] crate::wire::Error),
    /// We wrote a suite that we cannot read.
    #[error("what was proposed is no suite, which is a bug of grantcheck: {0}")]
    Unreadable(String),
}

/// In which way something is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A check of the catalogue fails.
    Check(String),
    /// What no history explains, or what must come of a program and does not: who does it, and what would have been right.
    Model(String),
    /// No answer, or a login without a code.
    Silence(String),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Check(id) => f.write_str(id),
            Kind::Model(kind) => write!(f, "model: {kind}"),
            Kind::Silence(what) => write!(f, "not done: {what}"),
        }
    }
}

impl Kind {
    /// The check, where it is one.
    pub fn check(&self) -> Option<&str> {
        match self {
            Kind::Check(id) => Some(id),
            _ => None,
        }
    }
}

/// Something that is wrong.
#[derive(Clone, Debug)]
pub struct Way {
    /// Which.
    pub kind: Kind,
    /// How heavy it is: `fail`, or `warn` and `note` where no MUST is broken.
    pub verdict: Word,
    /// What should have come.
    pub expected: String,
    /// What came.
    pub observed: String,
    /// The last step that shows it, by position.
    pub step: usize,
}

impl Way {
    /// Of a finding of a check, seen last at that step; none where it is none of a check, or no cause for complaint.
    pub(super) fn of(finding: &FindingRow, step: usize) -> Option<Self> {
        let id = finding.check.as_deref().filter(|_| is_bad(finding))?;
        let title = catalog::find(id).map_or("", |check| check.title);
        Some(Self {
            kind: Kind::Check(id.to_owned()),
            verdict: finding.verdict,
            expected: format!("{title} ({})", finding.expected),
            observed: finding.observed.clone(),
            step,
        })
    }
}

/// What is said of a play that was not reached.
pub(super) const UNPLAYED: &str = "it was not played";

/// What a judge says that broke.
pub(super) fn of_a_bug(row: &ScenarioRow) -> Option<String> {
    let findings = row.findings.iter().map(|finding| &finding.observed);
    findings.clone().find(|observed| observed.contains("our bug")).cloned()
}

/// Whether a finding says that something is wrong.
pub(super) fn is_bad(finding: &FindingRow) -> bool {
    matches!(finding.verdict, Word::Fail | Word::Warn | Word::Note)
}

/// What came of one proposal.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// What is wrong, checks of the catalogue first.
    pub ways: Vec<Way>,
    /// What would have been right at each step of programs for an org.
    pub followed: Followed,
    /// How many requests were sent.
    pub exchanges: usize,
    /// Why this target cannot be asked, where it cannot.
    pub not_testable: Option<String>,
    /// Why it could not be judged, where it could not: a judge broke, it was broken off, or nonsense was proposed.
    pub broken: Option<String>,
}

impl Played {
    /// The way of that kind.
    pub fn way(&self, kind: &Kind) -> Option<&Way> {
        self.ways.iter().find(|way| way.kind == *kind)
    }
}

/// How much there is to a proposal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// How many steps it has: what clients do, or what the org does to a client.
    pub steps: usize,
    /// How many clients take part.
    pub clients: usize,
    /// What goes by between the steps, in seconds.
    pub delays: i64,
    /// In a few words.
    pub words: String,
}

/// What is played against one side.
pub(super) trait Game {
    /// What is proposed.
    type Case: Clone;

    /// Who plays.
    fn player(&self) -> &Player;

    /// Proposes something, the proposal of that number from 0; none where there is nothing to propose.
    fn propose(&self, number: u64, dice: &mut StdRng) -> Option<Self::Case>;

    /// Plays proposals beside each other.
    ///
    /// # Errors
    /// The world got in the way, or what was proposed cannot be read.
    fn play(&self, cases: &[Self::Case]) -> impl Future<Output = Result<Vec<Played>, Error>>;

    /// What is smaller than this and may go wrong in the same way, boldest first.
    fn smaller(&self, case: &Self::Case, way: Option<&Way>) -> Vec<Self::Case>;

    /// The spans of time in it, in seconds.
    fn delays(&self, case: &Self::Case) -> Vec<i64>;

    /// The same with another span at that place.
    fn with_delay(&self, case: &Self::Case, at: usize, seconds: i64) -> Self::Case;

    /// How much there is to it.
    fn size(&self, case: &Self::Case) -> Size;

    /// The suite that shows what is wrong. Each line of `about` stands as a comment at its head.
    fn suite(&self, about: &[String], case: &Self::Case, played: &Played, way: &Way) -> String;
}

/// Plays suites that were written.
pub(super) struct Player {
    /// How a run is made; its suites are set for each.
    pub options: Options,
    /// What is known of the way to the target.
    pub around: Surroundings,
    /// Ends a play early.
    pub stop: watch::Receiver<bool>,
    /// Beginnings of the ids of checks that count; none means all.
    pub checks: Vec<String>,
}

/// One scenario of a suite that was played.
pub(super) struct Shown {
    /// Its row; none where it was not reached.
    pub row: Option<ScenarioRow>,
    /// Its record.
    pub record: Vec<Exchange>,
}

impl Player {
    /// Plays a suite.
    ///
    /// # Errors
    /// The world got in the way, or it cannot be read.
    pub async fn run(&self, text: &str) -> Result<(Vec<ScenarioRow>, Vec<Exchange>), Error> {
        let text = Text::new("explored.yaml", text);
        let suite = read_suite(&text, SUITE).map_err(|problems| {
            Error::Unreadable(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        })?;
        let options = Options { suites: vec![suite], ..self.options.clone() };
        let (tell, _told) = mpsc::unbounded_channel();
        let outcome = run(&options, self.around.clone(), tell, self.stop.clone()).await?;
        Ok((outcome.report.scenarios, outcome.transcript.exchanges))
    }

    /// Plays a suite with scenarios of these names.
    ///
    /// # Errors
    /// The world got in the way, or it cannot be read.
    pub async fn show(&self, text: &str, names: &[String]) -> Result<Vec<Shown>, Error> {
        let (mut rows, exchanges) = self.run(text).await?;
        let shown = |name: &String| {
            let full = format!("{SUITE} › {name}");
            let its = |x: &&Exchange| x.scenario == full && x.part == Part::Scenario;
            let record = exchanges.iter().filter(its).cloned().collect();
            let at = rows.iter().position(|row| row.scenario == *name);
            Shown { row: at.map(|at| rows.swap_remove(at)), record }
        };
        Ok(names.iter().map(shown).collect())
    }

    /// Plays a suite, and tells its first scenario.
    ///
    /// # Errors
    /// The world got in the way, or it cannot be read.
    pub async fn first(&self, text: &str) -> Result<Option<ScenarioRow>, Error> {
        let (rows, _) = self.run(text).await?;
        Ok(rows.into_iter().next())
    }

    /// Without what nobody asked for.
    pub fn asked_for(&self, ways: &mut Vec<Way>) {
        if !self.checks.is_empty() {
            ways.retain(|way| match &way.kind {
                Kind::Check(id) => self.checks.iter().any(|check| id.starts_with(check.as_str())),
                _ => false,
            });
        }
    }
}

/// The names of scenarios that are played together.
pub(super) fn names(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("run {i}")).collect()
}
