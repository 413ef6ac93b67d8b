//! Plays orders that nobody wrote: for an org what clients do, many at a time; for a client program how the org behaves towards
//! it. Both are played as suites, on the same way as those that people write; catalogue and model judge. What goes wrong is
//! made small and written as a suite file that goes wrong in the same way.

mod client;
mod game;
mod org;
mod shrink;
mod table;
mod tell;

pub use game::{Error, Kind, Size, Way};
pub use org::{Amiss, Event, Followed, Model, Op, Right, Rules, Seen, Wrong, after, follow};
pub use table::{Row, markdown};
pub use tell::{console, json};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use std::collections::BTreeSet;
use tokio::sync::{mpsc, watch};

use crate::report::Word;
use crate::run::{Client, Options, Surroundings, look_around};
use crate::wire::clock::Watch;
use crate::wire::dice;
use client::ClientGame;
use game::{Game, Played, Player};
use org::{Ground, OrgGame};

/// How many proposals are played before time and findings are looked at.
const BATCH: u64 = 32;

/// Who is explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The org of the target.
    Org,
    /// The client of the options, towards the embedded org.
    Client,
}

impl Side {
    /// Words of what can be selected.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Side::Org => &org::WORDS,
            Side::Client => &client::WORDS,
        }
    }

    /// Whether something can be selected.
    pub fn knows(self, text: &str) -> bool {
        text.starts_with("check:") || self.words().contains(&text.strip_prefix('!').unwrap_or(text))
    }
}

/// Whether somebody who selected these words wants that one.
fn wants(select: &[String], word: &str) -> bool {
    let named = |pattern: &str| select.iter().any(|one| one == pattern);
    !named(&format!("!{word}")) && (select.iter().all(|one| one.starts_with('!')) || named(word))
}

/// What is explored.
pub struct Exploration {
    /// Who is explored.
    pub side: Side,
    /// How plays are made: target, faults, seed, how many at a time.
    pub options: Options,
    /// How many programs are played; none means as many as there is time for.
    pub runs: Option<u64>,
    /// How long, in milliseconds of real time; none means until all were played.
    pub millis: Option<u64>,
    /// Words of what is proposed, of [`Side::words`], with `!` what is not; `check:ID` for the checks that count. None means
    /// all.
    pub select: Vec<String>,
    /// How many steps a program has at most.
    pub longest: usize,
    /// Whether to go on after something was found, for something else.
    pub go_on: bool,
    /// Whether to end with whatever is found first, though no MUST is broken.
    pub anything: bool,
}

/// What is told while it goes on.
#[derive(Clone, Debug)]
pub enum Progress {
    /// So many programs were played.
    Played(u64),
    /// Something went wrong in that way, and is made small.
    Found(String),
}

/// What goes wrong, as small as it gets.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// What is wrong.
    pub way: Way,
    /// What is done.
    pub size: Size,
    /// Number of the program in which it was found, from 1.
    pub run: u64,
    /// When it was found, in microseconds since the begin.
    pub found: u64,
    /// How many steps it had then.
    pub steps_before: usize,
    /// How many programs were played to make it small.
    pub plays: usize,
    /// Name of its suite file.
    pub file: String,
    /// Its suite file.
    pub text: String,
    /// Whether the suite was seen to go wrong in the same way; none where that was not tried to the end.
    pub reproduced: Option<bool>,
}

/// What an exploration came to.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// Seed.
    pub seed: u64,
    /// How many programs were played.
    pub runs: u64,
    /// How many steps they had.
    pub steps: u64,
    /// How many requests were sent.
    pub exchanges: u64,
    /// Real time that it took, in microseconds.
    pub micros: u64,
    /// What goes wrong, each kind once.
    pub found: Vec<Counterexample>,
    /// Programs that this target cannot be asked, and why not, for one of them.
    pub not_testable: Option<(u64, String)>,
    /// How many programs could not be judged, which is a bug of ours; the run of one of them, what it does, and why.
    pub broken: Option<(u64, u64, String)>,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
}

impl Explored {
    /// Whether a MUST does not hold.
    pub fn fails(&self) -> bool {
        self.found.iter().any(|one| one.way.verdict == Word::Fail)
    }

    /// Whether something was found that breaks a MUST, or does anything wrong, and that its suite shows again.
    fn is_done(&self, anything: bool) -> bool {
        self.found
            .iter()
            .any(|one| (anything || one.way.verdict == Word::Fail) && one.reproduced == Some(true))
    }

    /// Whether it can vouch for anything.
    pub fn vouches(&self) -> bool {
        let idle = self.not_testable.as_ref().map_or(0, |(n, _)| *n);
        self.runs > idle && self.broken.is_none()
    }
}

/// Explores a target.
///
/// # Errors
/// The world got in the way, or we wrote what we cannot read.
pub async fn explore(
    exploration: &Exploration,
    progress: &mpsc::UnboundedSender<Progress>,
    stop: watch::Receiver<bool>,
) -> Result<Explored, Error> {
    let mut asked = stop.clone();
    let around = tokio::select! {
        biased;
        Ok(_) = asked.wait_for(|stop| *stop) => {
            let seed = exploration.options.seed;
            return Ok(Explored { seed, interrupted: true, ..Explored::default() });
        }
        around = look_around(&exploration.options.target, exploration.options.within) => around?,
    };
    match exploration.side {
        Side::Org => {
            let mut ground =
                Ground::of(&exploration.options.target, &|name| around.capabilities.contains(name));
            ground.select = exploration.steps();
            ground.longest = exploration.longest;
            let player = exploration.player(around, stop);
            play(exploration, &OrgGame { player, ground }, progress).await
        }
        Side::Client => {
            let player = exploration.player(around, stop);
            let game = ClientGame::new(player, exploration.steps(), exploration.longest);
            play(exploration, &game, progress).await
        }
    }
}

async fn play<G: Game>(
    exploration: &Exploration,
    game: &G,
    progress: &mpsc::UnboundedSender<Progress>,
) -> Result<Explored, Error> {
    let watch = Watch::start();
    let seed = exploration.options.seed;
    let stopped = || *game.player().stop.borrow();
    let mut explored = Explored { seed, ..Explored::default() };
    let mut known: BTreeSet<Kind> = BTreeSet::new();
    let mut proposed = 0;
    'batches: loop {
        let left = exploration.runs.map_or(BATCH, |runs| runs.saturating_sub(proposed).min(BATCH));
        let over = exploration.millis.is_some_and(|millis| watch.micros() >= millis.saturating_mul(1000));
        explored.interrupted = stopped();
        if left == 0 || over || explored.interrupted {
            break;
        }
        let numbers = proposed..proposed + left;
        proposed += left;
        let some = |number| game.propose(number, &mut dice_of(seed, number)).map(|case| (number + 1, case));
        let (numbers, cases): (Vec<u64>, Vec<G::Case>) =
            numbers.take_while(|_| !stopped()).filter_map(some).unzip();
        // What was selected leaves nothing to do, or nothing is to be done any more.
        if cases.is_empty() {
            explored.interrupted = stopped();
            break;
        }
        let played = game.play(&cases).await?;
        for ((run, case), played) in numbers.into_iter().zip(&cases).zip(played) {
            explored.runs += 1;
            explored.steps += game.size(case).steps as u64;
            explored.exchanges += played.exchanges as u64;
            if let Some(why) = &played.broken {
                let first = || (0, run, format!("{}: {why}", game.size(case).words));
                explored.broken.get_or_insert_with(first).0 += 1;
            }
            if let Some(why) = &played.not_testable {
                let (n, _) = explored.not_testable.get_or_insert((0, why.clone()));
                *n += 1;
            }
            for way in &played.ways {
                if stopped() || !known.insert(way.kind.clone()) {
                    continue;
                }
                let _ = progress.send(Progress::Found(way.kind.to_string()));
                let found = Found { run, at: watch.micros(), exploration };
                explored.found.push(counterexample(game, case, &played, way, &found).await?);
                if !exploration.go_on && explored.is_done(exploration.anything) {
                    break 'batches;
                }
            }
        }
        let _ = progress.send(Progress::Played(explored.runs));
    }
    explored.micros = watch.micros();
    Ok(explored)
}

/// What decides about the proposal of that number.
fn dice_of(seed: u64, number: u64) -> StdRng {
    StdRng::from_seed(dice::seed_of(seed, &format!("program/{number}")))
}

impl Exploration {
    /// What is proposed, without the checks.
    fn steps(&self) -> Vec<String> {
        self.select.iter().filter(|one| !one.starts_with("check:")).cloned().collect()
    }

    fn player(&self, around: Surroundings, stop: watch::Receiver<bool>) -> Player {
        let checks =
            self.select.iter().filter_map(|one| one.strip_prefix("check:")).map(str::to_owned).collect();
        Player { options: self.options.clone(), around, stop, checks }
    }

    /// How it is asked for, as far as it does not go without saying.
    fn command(&self) -> String {
        let mut command = format!("grantcheck explore --seed {}", self.options.seed);
        for fault in &self.options.faults {
            command.push_str(&format!(" --fault {}", fault.name));
        }
        if self.side == Side::Client {
            let name = self.options.client.name();
            match &self.options.client {
                Client::Own(wrongs) => match wrongs.name() {
                    Some(wrong) => command.push_str(&format!(" --wrong {wrong}")),
                    None => command.push_str(" --program own"),
                },
                _ => command.push_str(&format!(" --program {name}")),
            }
        }
        command
    }
}

/// Where and when something was found.
struct Found<'e> {
    run: u64,
    at: u64,
    exploration: &'e Exploration,
}

async fn counterexample<G: Game>(
    game: &G,
    case: &G::Case,
    played: &Played,
    way: &Way,
    found: &Found<'_>,
) -> Result<Counterexample, Error> {
    let small = shrink::shrink(game, case, played.clone(), &way.kind).await?;
    let way = small.played.way(&way.kind).cloned().unwrap_or_else(|| way.clone());
    let about = [
        format!("Found by `{}`, run {}.", found.exploration.command(), found.run),
        format!("Must hold: {}.", way.expected),
        format!("What came: {}.", way.observed),
    ];
    let text = game.suite(&about, &small.case, &small.played, &way);
    let row = game.player().first(&text).await?;
    let shows = row.is_some_and(|row| {
        row.findings.iter().any(|f| f.check.as_deref() == way.kind.check() && f.verdict == way.verdict)
    });
    // One that was broken off says nothing.
    let reproduced = (shows || !*game.player().stop.borrow()).then_some(shows);
    Ok(Counterexample {
        file: format!("{}.yaml", slug(&way.kind.to_string())),
        steps_before: game.size(case).steps,
        size: game.size(&small.case),
        way,
        run: found.run,
        found: found.at,
        plays: small.plays,
        text,
        reproduced,
    })
}

/// Letters and digits with hyphens between.
fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<_>>().join("-").to_lowercase();
    slug.chars().take(80).collect::<String>().trim_end_matches('-').to_owned()
}
