//! Programs of clients for an org, out of dice; a pure model of what a conforming org must do proposes what clients do, many at a
//! time, and judges beside the catalogue.

mod generate;
mod history;
mod model;
mod program;
mod right;
mod smaller;
mod write;

pub use generate::{Ground, WORDS};
pub use history::{Amiss, Event, Followed, Wrong, after, follow};
pub use model::Model;
pub use right::{Op, Right, Rules, Seen};

use rand::rngs::StdRng;

use super::game::{
    Error, Game, Kind, Played, Player, SUITE, Shown, Size, UNPLAYED, Way, is_bad, names, of_a_bug,
};
use crate::catalog;
use crate::report::{FindingRow, Word};
use crate::subject::Settings;
use program::Program;
use write::{Says, Scenario, suite};

/// An org under test.
pub(super) struct OrgGame {
    /// Plays.
    pub player: Player,
    /// What can be proposed to it.
    pub ground: Ground,
}

impl OrgGame {
    /// What the model may know of the org under these settings.
    fn rules(&self, settings: &Settings) -> Rules {
        Rules::of(&self.player.options.target, settings)
    }

    fn judge(&self, program: &Program, shown: &Shown) -> Played {
        let Shown { row, record } = shown;
        let followed = follow(&self.rules(&program.settings), record);
        let Some(row) = row else {
            return Played { followed, broken: Some(UNPLAYED.into()), ..Played::default() };
        };
        let step_of = |numbers: &[usize]| {
            let steps = record.iter().filter(|x| numbers.contains(&x.number)).map(|x| x.step);
            steps.max().unwrap_or(program.lines.len().saturating_sub(1))
        };
        let mut ways: Vec<Way> = Vec::new();
        let mut silence = Vec::new();
        // A step that lacks what an earlier one should have brought, where that was right: we proposed nonsense.
        let lacks = |finding: &FindingRow| finding.observed.starts_with("nothing before this step");
        let nonsense = row.findings.iter().find(|finding| lacks(finding) && followed.wrong.is_none());
        let broken = of_a_bug(row).or_else(|| nonsense.map(|finding| finding.observed.clone()));
        for finding in row.findings.iter().filter(|finding| is_bad(finding)) {
            let step = step_of(&finding.exchanges);
            if let Some(way) = Way::of(finding, step) {
                if ways.iter().all(|known| known.kind != way.kind) {
                    ways.push(way);
                }
                continue;
            }
            if lacks(finding) {
                continue;
            }
            silence.push(Way {
                kind: Kind::Silence(finding.expected.clone()),
                verdict: finding.verdict,
                expected: finding.expected.clone(),
                observed: finding.observed.clone(),
                step,
            });
        }
        for wrong in followed.wrong.iter().chain(&followed.otherwise) {
            let otherwise = matches!(wrong.amiss, Amiss::Otherwise(_));
            ways.push(Way {
                kind: Kind::Model(wrong.kind()),
                verdict: if otherwise { Word::Warn } else { Word::Fail },
                expected: wrong.expected(),
                observed: wrong.observed.clone(),
                step: wrong.step,
            });
        }
        // What could not be done after something went wrong is no wonder.
        if ways.is_empty() {
            ways.extend(silence.into_iter().take(1));
        }
        self.player.asked_for(&mut ways);
        let not_testable = row.reason.clone().filter(|_| row.verdict == Word::NotTestable);
        Played { ways, followed, exchanges: record.len(), not_testable, broken }
    }
}

impl Game for OrgGame {
    type Case = Program;

    fn player(&self) -> &Player {
        &self.player
    }

    fn propose(&self, _: u64, dice: &mut StdRng) -> Option<Program> {
        let program = generate::program(&self.ground, &|settings| self.rules(settings), dice);
        (!program.lines.is_empty()).then_some(program)
    }

    async fn play(&self, programs: &[Program]) -> Result<Vec<Played>, Error> {
        let names = names(programs.len());
        let scenarios: Vec<Scenario<'_>> = programs
            .iter()
            .zip(&names)
            .map(|(program, name)| Scenario { name, program, says: Says::Nothing, check: None, anew: false })
            .collect();
        let text = suite(SUITE, &[], &|settings| self.rules(settings), &scenarios);
        let shown = self.player.show(&text, &names).await?;
        Ok(programs.iter().zip(&shown).map(|(program, shown)| self.judge(program, shown)).collect())
    }

    fn smaller(&self, program: &Program, way: Option<&Way>) -> Vec<Program> {
        smaller::smaller(program, way.map(|way| way.step), &|settings| self.rules(settings))
    }

    fn delays(&self, program: &Program) -> Vec<i64> {
        program.delays()
    }

    fn with_delay(&self, program: &Program, at: usize, seconds: i64) -> Program {
        program.clone().with_delay(at, seconds)
    }

    fn size(&self, program: &Program) -> Size {
        Size {
            steps: program.steps(),
            clients: program.clients(),
            delays: program.delays().iter().sum(),
            words: program.words(),
        }
    }

    fn suite(&self, about: &[String], program: &Program, played: &Played, way: &Way) -> String {
        let check = way.kind.check();
        let kind = way.kind.to_string();
        let name = check.and_then(catalog::find).map_or(kind.as_str(), |check| check.title);
        let wrong = played.followed.wrong.as_ref();
        let anew = wrong.is_some_and(|w| w.amiss == Amiss::Stale && way.kind == Kind::Model(w.kind()));
        let scenario = Scenario { name, program, says: Says::Right(&played.followed.right), check, anew };
        suite("found by exploring", about, &|settings| self.rules(settings), &[scenario])
    }
}
