//! Programs played as suites, on the same way as those that people write, and judged by catalogue and model.

use std::fmt;
use tokio::sync::{mpsc, watch};

use super::history::{Followed, follow};
use super::model::Rules;
use super::program::Program;
use super::write::{Says, Scenario, suite};
use crate::catalog;
use crate::diagnostic::Text;
use crate::report::{ScenarioRow, Word};
use crate::run::{Options, Surroundings, run};
use crate::subject::Settings;
use crate::suite::read_suite;
use crate::transcript::{Exchange, Part};

/// Name of the suite that is played.
const SUITE: &str = "explored";

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
    /// An answer that no history explains: what does it, and what would have been right.
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

/// Something that is wrong.
#[derive(Clone, Debug)]
pub struct Way {
    /// Which.
    pub kind: Kind,
    /// How heavy it is: `fail`, or `warn` where no MUST is broken.
    pub verdict: Word,
    /// What should have come.
    pub expected: String,
    /// What came.
    pub observed: String,
    /// The last step that shows it, by position.
    pub step: usize,
}

/// What came of one program.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// What is wrong, checks of the catalogue first.
    pub ways: Vec<Way>,
    /// What would have been right at each step.
    pub followed: Followed,
    /// How many requests were sent.
    pub exchanges: usize,
    /// Why this target cannot be asked, where it cannot.
    pub not_testable: Option<String>,
    /// Whether a judge broke, or it was broken off.
    pub broken: bool,
}

impl Played {
    /// The way of that kind.
    pub fn way(&self, kind: &Kind) -> Option<&Way> {
        self.ways.iter().find(|way| way.kind == *kind)
    }
}

/// Plays programs on one target.
pub struct Player {
    /// How a run is made; its suites are set for each.
    pub options: Options,
    /// What is known of the way to the target.
    pub around: Surroundings,
    /// Ends a play early.
    pub stop: watch::Receiver<bool>,
    /// Beginnings of the ids of checks that count; none means all.
    pub checks: Vec<String>,
}

impl Player {
    /// What the model may know of the org under these settings.
    pub fn rules(&self, settings: &Settings) -> Rules {
        Rules::of(&self.options.target, settings)
    }

    /// Plays programs beside each other.
    ///
    /// # Errors
    /// The world got in the way, or what was proposed cannot be read.
    pub async fn play(&self, programs: &[Program]) -> Result<Vec<Played>, Error> {
        let names: Vec<String> = (0..programs.len()).map(|i| format!("run {i}")).collect();
        let scenarios: Vec<Scenario<'_>> = programs
            .iter()
            .zip(&names)
            .map(|(program, name)| Scenario { name, program, says: Says::Nothing, check: None, anew: false })
            .collect();
        let text = suite(SUITE, &[], &|settings| self.rules(settings), &scenarios);
        let (rows, exchanges) = self.run(&text).await?;
        let mut played = Vec::new();
        for (i, program) in programs.iter().enumerate() {
            let name = format!("{SUITE} › {}", names[i]);
            let record: Vec<Exchange> = exchanges
                .iter()
                .filter(|x| x.scenario == name && x.part == Part::Scenario)
                .cloned()
                .collect();
            let row = rows.iter().find(|row| row.scenario == names[i]);
            played.push(self.judge(program, row, &record));
        }
        Ok(played)
    }

    /// Plays a suite that was written, and tells its first scenario.
    ///
    /// # Errors
    /// The world got in the way, or it cannot be read.
    pub async fn play_suite(&self, text: &str) -> Result<Option<ScenarioRow>, Error> {
        let (rows, _) = self.run(text).await?;
        Ok(rows.into_iter().next())
    }

    async fn run(&self, text: &str) -> Result<(Vec<ScenarioRow>, Vec<Exchange>), Error> {
        let text = Text::new("explored.yaml", text);
        let suite = read_suite(&text, SUITE).map_err(|problems| {
            Error::Unreadable(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        })?;
        let options = Options { suites: vec![suite], ..self.options.clone() };
        let (tell, _told) = mpsc::unbounded_channel();
        let outcome = run(&options, self.around.clone(), tell, self.stop.clone()).await?;
        Ok((outcome.report.scenarios, outcome.transcript.exchanges))
    }

    fn judge(&self, program: &Program, row: Option<&ScenarioRow>, record: &[Exchange]) -> Played {
        let followed = follow(&self.rules(&program.settings), record);
        let Some(row) = row else {
            return Played { followed, broken: true, ..Played::default() };
        };
        let step_of = |numbers: &[usize]| {
            let steps = record.iter().filter(|x| numbers.contains(&x.number)).map(|x| x.step);
            steps.max().unwrap_or(program.lines.len().saturating_sub(1))
        };
        let mut ways: Vec<Way> = Vec::new();
        let mut silence = Vec::new();
        let mut broken = false;
        for finding in
            row.findings.iter().filter(|finding| matches!(finding.verdict, Word::Fail | Word::Warn))
        {
            let kind = match &finding.check {
                Some(id) => Kind::Check(id.clone()),
                None => Kind::Silence(finding.expected.clone()),
            };
            let way = Way {
                verdict: finding.verdict,
                expected: match catalog::find(finding.check.as_deref().unwrap_or("")) {
                    Some(check) => format!("{} ({})", check.title, finding.expected),
                    None => finding.expected.clone(),
                },
                observed: finding.observed.clone(),
                step: step_of(&finding.exchanges),
                kind,
            };
            // A step that lacks what an earlier one should have brought, where that was right: we proposed nonsense.
            if finding.check.is_none() && finding.observed.starts_with("nothing before this step") {
                broken |= followed.wrong.is_none();
                continue;
            }
            match way.kind {
                Kind::Check(_) if !ways.iter().any(|known| known.kind == way.kind) => ways.push(way),
                Kind::Check(_) => {}
                _ => silence.push(way),
            }
        }
        broken |=
            row.verdict == Word::Inconclusive && row.findings.iter().any(|f| f.observed.contains("our bug"));
        if let Some(wrong) = &followed.wrong {
            ways.push(Way {
                kind: Kind::Model(wrong.kind()),
                verdict: Word::Fail,
                expected: wrong.expected(),
                observed: wrong.observed.clone(),
                step: wrong.step,
            });
        }
        // What could not be done after something went wrong is no wonder.
        if ways.is_empty() {
            ways.extend(silence.into_iter().take(1));
        }
        if !self.checks.is_empty() {
            ways.retain(|way| match &way.kind {
                Kind::Check(id) => self.checks.iter().any(|check| id.starts_with(check.as_str())),
                _ => false,
            });
        }
        let not_testable = row.reason.clone().filter(|_| row.verdict == Word::NotTestable);
        Played { ways, followed, exchanges: record.len(), not_testable, broken }
    }
}
