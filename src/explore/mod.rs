//! Plays orders that nobody wrote. A pure model of what a conforming org must do proposes what clients do, many at a time;
//! each program is played as a suite, on the same way as those that people write; catalogue and model judge. What goes
//! wrong is made small and written as a suite file that goes wrong in the same way.

mod generate;
mod history;
mod model;
mod play;
mod program;
mod shrink;
mod table;
mod tell;
mod write;

pub use generate::Ground;
pub use history::{Event, Followed, Wrong, after, follow};
pub use model::{Model, Op, Right, Rules, Seen};
pub use play::{Error, Kind, Way};
pub use program::Program;
pub use table::{Row, markdown};
pub use tell::{console, json};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use std::collections::BTreeSet;
use tokio::sync::{mpsc, watch};

use crate::catalog;
use crate::report::Word;
use crate::run::{Options, Surroundings, look_around};
use crate::subject::Settings;
use crate::wire::clock::Watch;
use crate::wire::dice;
use play::Player;
use write::{Says, Scenario, suite};

/// How many programs are played before time and findings are looked at.
const BATCH: u64 = 32;

/// Words of what can be selected.
pub const WORDS: [&str; 15] = [
    "authorize",
    "redeem",
    "refresh",
    "client-credentials",
    "jwt-bearer",
    "saml-bearer",
    "revoke",
    "introspect",
    "userinfo",
    "identity",
    "call",
    "soap",
    "keys",
    "advance",
    "at-once",
];

/// Whether something can be selected.
pub fn is_word(text: &str) -> bool {
    text.starts_with("check:") || WORDS.contains(&text.strip_prefix('!').unwrap_or(text))
}

/// What is explored.
pub struct Exploration {
    /// How plays are made: target, faults, seed, how many at a time.
    pub options: Options,
    /// How many programs are played; none means as many as there is time for.
    pub runs: Option<u64>,
    /// How long, in milliseconds of real time; none means until all were played.
    pub millis: Option<u64>,
    /// Words of steps that are proposed, `at-once` for several at a time, with `!` those that are not; `check:ID` for the
    /// checks that count. None means all.
    pub select: Vec<String>,
    /// How many steps a program has at most.
    pub longest: usize,
    /// Whether to go on after something was found, for something else.
    pub go_on: bool,
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
    pub program: Program,
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
    /// Whether the suite was seen to go wrong in the same way.
    pub reproduced: bool,
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
    /// Programs whose judging broke.
    pub broken: u64,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
}

impl Explored {
    /// Whether a MUST does not hold.
    pub fn fails(&self) -> bool {
        self.found.iter().any(|one| one.way.verdict == Word::Fail)
    }

    /// Whether something was found that breaks a MUST and that its suite shows again.
    fn is_done(&self) -> bool {
        self.found.iter().any(|one| one.way.verdict == Word::Fail && one.reproduced)
    }

    /// Whether it can vouch for anything.
    pub fn vouches(&self) -> bool {
        let idle = self.not_testable.as_ref().map_or(0, |(n, _)| *n);
        self.runs > idle && self.broken == 0
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
    let watch = Watch::start();
    let around = look_around(&exploration.options.target, exploration.options.within).await?;
    let ground = exploration.ground(&around);
    let player = exploration.player(around, stop.clone());
    let rules = |settings: &Settings| player.rules(settings);
    let mut explored = Explored { seed: exploration.options.seed, ..Explored::default() };
    let mut known: BTreeSet<Kind> = BTreeSet::new();
    while !ground.is_barren() {
        let left = exploration.runs.map_or(BATCH, |runs| runs.saturating_sub(explored.runs).min(BATCH));
        let over = exploration.millis.is_some_and(|millis| watch.micros() >= millis.saturating_mul(1000));
        explored.interrupted = *stop.borrow();
        if left == 0 || over || explored.interrupted {
            break;
        }
        let programs: Vec<Program> = (explored.runs..explored.runs + left)
            .map(|number| proposed(exploration.options.seed, number, &ground, &rules))
            .collect();
        let played = player.play(&programs).await?;
        for (program, played) in programs.iter().zip(played) {
            explored.runs += 1;
            explored.steps += program.steps() as u64;
            explored.exchanges += played.exchanges as u64;
            explored.broken += u64::from(played.broken);
            if let Some(why) = &played.not_testable {
                let (n, _) = explored.not_testable.get_or_insert((0, why.clone()));
                *n += 1;
            }
            for way in played.ways.clone() {
                if *stop.borrow() || !known.insert(way.kind.clone()) {
                    continue;
                }
                let _ = progress.send(Progress::Found(way.kind.to_string()));
                let found = Found { run: explored.runs, at: watch.micros(), seed: explored.seed };
                explored.found.push(counterexample(&player, program, &played, &way, &found).await?);
                if !exploration.go_on && explored.is_done() {
                    break;
                }
            }
            if !exploration.go_on && explored.is_done() {
                break;
            }
        }
        let _ = progress.send(Progress::Played(explored.runs));
        if !exploration.go_on && explored.is_done() {
            break;
        }
    }
    explored.micros = watch.micros();
    Ok(explored)
}

/// The program of that number.
fn proposed(seed: u64, number: u64, ground: &Ground, rules: &dyn Fn(&Settings) -> Rules) -> Program {
    let mut dice = StdRng::from_seed(dice::seed_of(seed, &format!("program/{number}")));
    generate::program(ground, rules, &mut dice)
}

impl Exploration {
    fn ground(&self, around: &Surroundings) -> Ground {
        let mut ground = Ground::of(&self.options.target, &|name| around.capabilities.contains(name));
        ground.select = self.select.iter().filter(|one| !one.starts_with("check:")).cloned().collect();
        ground.longest = self.longest;
        ground
    }

    fn player(&self, around: Surroundings, stop: watch::Receiver<bool>) -> Player {
        let checks =
            self.select.iter().filter_map(|one| one.strip_prefix("check:")).map(str::to_owned).collect();
        Player { options: self.options.clone(), around, stop, checks }
    }
}

/// Where and when something was found.
struct Found {
    run: u64,
    at: u64,
    seed: u64,
}

async fn counterexample(
    player: &Player,
    program: &Program,
    played: &play::Played,
    way: &Way,
    found: &Found,
) -> Result<Counterexample, Error> {
    let small = shrink::shrink(player, program, played.clone(), &way.kind).await?;
    let way = small.played.way(&way.kind).cloned().unwrap_or_else(|| way.clone());
    let check = match &way.kind {
        Kind::Check(id) => Some(id.as_str()),
        _ => None,
    };
    let name = match check.and_then(catalog::find) {
        Some(check) => check.title.to_owned(),
        None => way.kind.to_string(),
    };
    let faults: Vec<String> = player.options.faults.iter().map(|f| format!(" --fault {}", f.name)).collect();
    let about = [
        format!("Found by `grantcheck explore --seed {}{}`, run {}.", found.seed, faults.concat(), found.run),
        format!("Must hold: {}.", way.expected),
        format!("What came: {}.", way.observed),
    ];
    let anew = check.is_none() && small.played.followed.wrong.as_ref().is_some_and(|wrong| wrong.stale);
    let scenario = Scenario {
        name: &name,
        program: &small.program,
        says: Says::Right(&small.played.followed.right),
        check,
        anew,
    };
    let text = suite("found by exploring", &about, &|settings| player.rules(settings), &[scenario]);
    let row = player.play_suite(&text).await?;
    let reproduced = row.is_some_and(|row| match check {
        Some(check) => {
            row.findings.iter().any(|f| f.check.as_deref() == Some(check) && f.verdict == way.verdict)
        }
        None => row.findings.iter().any(|f| f.check.is_none() && f.verdict == Word::Fail),
    });
    Ok(Counterexample {
        file: format!("{}.yaml", slug(&way.kind.to_string())),
        way,
        steps_before: program.steps(),
        program: small.program,
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
