//! What an org may do to a client program, out of dice: the access token dies, answers fail, lie or get lost, processes share a
//! grant or are killed. The catalogue judges what the program makes of it; where nothing stands in its way, it has to do
//! its work.

mod case;
mod generate;
mod happening;
mod smaller;
mod write;

pub use generate::WORDS;

use rand::rngs::StdRng;

use super::game::{
    Error, Game, Kind, Played, Player, SUITE, Shown, Size, UNPLAYED, Way, is_bad, names, of_a_bug,
};
use crate::catalog;
use crate::report::Word;
use case::{Case, Starts};
use generate::Ground;
use write::{Scenario, suite};

/// A client program under test.
pub(super) struct ClientGame {
    player: Player,
    ground: Ground,
}

impl ClientGame {
    /// The client of the player's options; `select` are words of what is proposed, and `longest` says how many things the
    /// org does at most.
    pub fn new(player: Player, select: Vec<String>, longest: usize) -> Self {
        let ground = Ground::of(&player.options.client, &player.options.target, select, longest);
        Self { player, ground }
    }

    fn judge(&self, case: &Case, shown: &Shown) -> Played {
        let Some(row) = &shown.row else {
            return Played { broken: Some(UNPLAYED.into()), ..Played::default() };
        };
        let last = case.steps() - 1;
        let mut ways: Vec<Way> = Vec::new();
        for finding in row.findings.iter().filter(|finding| is_bad(finding)) {
            // Where the program ends otherwise, or calls are not answered, one word for it is enough.
            let way = Way::of(finding, last).unwrap_or_else(|| Way {
                kind: Kind::Model("the program does its work".to_owned()),
                verdict: finding.verdict,
                expected: finding.expected.clone(),
                observed: finding.observed.clone(),
                step: last,
            });
            if ways.iter().all(|known| known.kind != way.kind) {
                ways.push(way);
            }
        }
        self.player.asked_for(&mut ways);
        let broken = of_a_bug(row);
        let not_testable = row.reason.clone().filter(|_| row.verdict == Word::NotTestable);
        Played { ways, exchanges: shown.record.len(), not_testable, broken, ..Played::default() }
    }
}

impl Game for ClientGame {
    type Case = Case;

    fn player(&self) -> &Player {
        &self.player
    }

    fn propose(&self, number: u64, dice: &mut StdRng) -> Option<Case> {
        generate::case(&self.ground, number, dice)
    }

    async fn play(&self, cases: &[Case]) -> Result<Vec<Played>, Error> {
        let names = names(cases.len());
        let scenarios: Vec<Scenario<'_>> = cases
            .iter()
            .zip(&names)
            .map(|(case, name)| Scenario { name, case, says: true, check: None })
            .collect();
        let shown = self.player.show(&suite(SUITE, &[], &scenarios), &names).await?;
        Ok(cases.iter().zip(&shown).map(|(case, shown)| self.judge(case, shown)).collect())
    }

    fn smaller(&self, case: &Case, _way: Option<&Way>) -> Vec<Case> {
        smaller::smaller(case)
    }

    fn delays(&self, _case: &Case) -> Vec<i64> {
        Vec::new()
    }

    fn with_delay(&self, case: &Case, _at: usize, _seconds: i64) -> Case {
        case.clone()
    }

    fn size(&self, case: &Case) -> Size {
        let clients = if let Starts::Processes(n) = case.starts { n as usize } else { 1 };
        Size { steps: case.steps(), clients, delays: 0, words: case.words() }
    }

    fn suite(&self, about: &[String], case: &Case, _played: &Played, way: &Way) -> String {
        let check = way.kind.check();
        let kind = way.kind.to_string();
        let name = check.and_then(catalog::find).map_or(kind.as_str(), |check| check.title);
        // What the program must come to says nothing where a check is what it is about.
        let scenario = Scenario { name, case, says: check.is_none(), check };
        suite("found by exploring", about, &[scenario])
    }
}
