//! What a load run is to do.

use super::pace::{Arrivals, Course};
use super::sign::Assertions;
use super::threshold::Threshold;

/// Who decides when a play begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// Closed: so many users, each of whom begins its next play when the last one is over, or when `pacing` has gone by
    /// since the last one should have begun, in microseconds.
    Users(Course, Option<u64>),
    /// Open: plays begin when the timetable says, however the last ones went.
    Rate(Course, Arrivals),
}

/// Where sessions come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tokens {
    /// Each play gets its own, as the scenario has it.
    #[default]
    Fresh,
    /// Each user logs in once and keeps its session.
    PerUser,
    /// So many sessions, which the users share among them; a renewal of one is one for all who share it.
    Pool(usize),
}

/// What becomes of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connections {
    /// Each user keeps its own.
    #[default]
    PerUser,
    /// Every request has one of its own.
    None,
}

impl Connections {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::PerUser => "per-user",
            Self::None => "none",
        }
    }
}

/// What a load run is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Users, or plays a second.
    pub model: Model,
    /// How long plays begin, warm-up included, in microseconds; none means until `count` is reached.
    pub length: Option<u64>,
    /// How many plays begin at most.
    pub count: Option<u64>,
    /// For how long nothing is counted, in microseconds.
    pub warm_up: u64,
    /// The most plays in flight in an open run; what should begin beyond it is dropped and counted.
    pub in_flight: usize,
    /// Whether dropped plays are no failure.
    pub drops_allowed: bool,
    /// Where sessions come from.
    pub tokens: Tokens,
    /// What becomes of assertions.
    pub assertions: Assertions,
    /// What becomes of connections.
    pub connections: Connections,
    /// So many callers find all sessions dead at once, in the middle of the run; 0 is none.
    pub herd: usize,
    /// What must hold of the whole.
    pub thresholds: Vec<Threshold>,
    /// How many threads send.
    pub threads: usize,
    /// Decides random arrivals.
    pub seed: u64,
}

impl Plan {
    /// The most sessions that outlive a play, for so many users.
    pub fn sessions(&self) -> usize {
        match self.tokens {
            Tokens::Fresh => 0,
            Tokens::Pool(many) => many,
            Tokens::PerUser => self.users(),
        }
    }

    /// The most users at a time.
    pub fn users(&self) -> usize {
        match &self.model {
            Model::Users(course, _) => course.highest().ceil() as usize,
            Model::Rate(..) => self.in_flight,
        }
    }

    /// In words, for a report.
    pub fn words(&self) -> String {
        let seconds = |micros: u64| format!("{} s", micros as f64 / 1e6);
        let model = match &self.model {
            Model::Users(course, pacing) => {
                let pacing =
                    pacing.map_or(String::new(), |pacing| format!(", one play each {}", seconds(pacing)));
                format!("closed: {} users{pacing}", course.highest())
            }
            Model::Rate(course, arrivals) => {
                format!("open: {} plays a second, {} arrivals", course.highest(), arrivals.word())
            }
        };
        let length = self.length.map_or(String::new(), |length| format!(", for {}", seconds(length)));
        let count = self.count.map_or(String::new(), |count| format!(", {count} plays"));
        let warm_up = match self.warm_up {
            0 => String::new(),
            warm_up => format!(", the first {} not counted", seconds(warm_up)),
        };
        format!("{model}{length}{count}{warm_up}")
    }
}
