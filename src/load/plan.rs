//! What a load run is to do.

use super::pace::Course;
use crate::diagnostic::Diagnostic;
use crate::subject::workload::{Arrivals, Assertions, Connections, Threshold, Tokens, Workload};

/// The most plays in flight in an open run, where nothing is said.
const IN_FLIGHT: usize = 1000;

/// Who decides when a play begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// Closed: so many users, each of whom begins its next play when the last one is over, or when `pacing` has gone by
    /// since the last one should have begun, in microseconds.
    Users(Course, Option<u64>),
    /// Open: plays begin when the timetable says, however the last ones went.
    Rate(Course, Arrivals),
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
    /// After how much counted time a threshold that does not hold ends the run.
    pub abort_after: Option<u64>,
    /// How many threads send.
    pub threads: usize,
    /// Decides random arrivals.
    pub seed: u64,
}

impl Plan {
    /// Makes a plan of what is asked for.
    ///
    /// # Errors
    /// What is missing or does not go together.
    pub fn new(asked: &Workload, threads: usize, seed: u64) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut wrong = |message: &str, help: &str| {
            problems.push(Diagnostic::bare("bad-load", message).help(help));
        };
        let stages = asked.stages.as_deref().unwrap_or_default();
        let course = |level: f64| match stages {
            [] => Course::steady(level),
            stages => Course::through(level, stages),
        };
        let model = match (asked.rate, asked.users) {
            (Some(rate), _) => Model::Rate(course(rate), asked.arrivals.unwrap_or_default()),
            (None, None) if stages.is_empty() => {
                wrong(
                    "nothing says how many play",
                    "write `--users N` for a closed run, or `--rate N` for an open one",
                );
                Model::Users(Course::steady(0.0), None)
            }
            (None, users) => Model::Users(course(users.unwrap_or(0.0)), asked.pacing),
        };
        let course = match &model {
            Model::Users(course, _) | Model::Rate(course, _) => course,
        };
        let length = asked.length.or(Some(course.end()).filter(|end| *end > 0 && asked.count.is_none()));
        if length.is_none() && asked.count.is_none() {
            wrong("nothing says when it ends", "write `--for 30s`, `--count 10000`, or stages");
        }
        if asked.rate.is_some() && asked.pacing.is_some() {
            wrong(
                "a pace is for users; in an open run the rate says when plays begin",
                "leave `--pacing` out",
            );
        }
        let warm_up = asked.warm_up.unwrap_or(0);
        if length.is_some_and(|length| warm_up >= length && length > 0) {
            wrong("the warm-up takes the whole run", "write a shorter one");
        }
        if course.highest() <= 0.0 && problems.is_empty() {
            problems.push(Diagnostic::bare("bad-load", "nobody ever plays").help("write a level above 0"));
        }
        if asked.herd.is_some() && asked.tokens.unwrap_or_default() == Tokens::Fresh {
            problems.push(
                Diagnostic::bare(
                    "bad-load",
                    "a herd is of sessions that outlive a play, and here each play gets its own",
                )
                .help("write `--tokens shared`, `per-user` or `pool=N`"),
            );
        }
        if asked.herd.is_some() && length.is_none() {
            let help = "write `--for 30s`: the herd comes in the middle of it";
            problems.push(Diagnostic::bare("bad-load", "nothing says when the herd comes").help(help));
        }
        let size = |many: Option<u64>| many.and_then(|many| usize::try_from(many).ok());
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            length,
            count: asked.count,
            warm_up,
            in_flight: size(asked.in_flight).unwrap_or(IN_FLIGHT).max(1),
            drops_allowed: asked.drops.unwrap_or(false),
            tokens: asked.tokens.unwrap_or_default(),
            assertions: asked.assertion.unwrap_or_default(),
            connections: asked.connections.unwrap_or_default(),
            herd: size(asked.herd).unwrap_or(0),
            thresholds: asked.thresholds.clone(),
            abort_after: asked.abort_after,
            threads: threads.max(1),
            seed,
            model,
        })
    }

    /// The most sessions that outlive a play, for so many users.
    pub fn sessions(&self) -> usize {
        match self.tokens {
            Tokens::Fresh => 0,
            Tokens::Pool(many) => usize::try_from(many).unwrap_or(usize::MAX),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::workload::Stage;

    fn problems(asked: &Workload) -> String {
        Plan::new(asked, 1, 1).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_plan_needs_to_know_how_many_and_how_long() {
        let told = problems(&Workload::default());
        assert!(told.contains("how many play") && told.contains("when it ends"), "{told}");
        let users = Workload { users: Some(5.0), length: Some(10), ..Workload::default() };
        let plan = Plan::new(&users, 2, 1).unwrap();
        assert_eq!((plan.users(), plan.sessions(), plan.length), (5, 0, Some(10)));
        assert!(problems(&Workload { warm_up: Some(10), ..users.clone() }).contains("warm-up"));
        assert!(problems(&Workload { herd: Some(10), ..users.clone() }).contains("herd"));
        let kept = Workload { tokens: Some(Tokens::PerUser), ..users };
        assert_eq!(Plan::new(&kept, 2, 1).unwrap().sessions(), 5);
    }

    #[test]
    fn stages_say_how_long_by_themselves() {
        let stages = vec![Stage { to: 10.0, over: 5 }, Stage { to: 0.0, over: 6 }];
        let plan = Plan::new(&Workload { stages: Some(stages), ..Workload::default() }, 1, 1).unwrap();
        assert_eq!((plan.length, plan.users()), (Some(11), 10));
    }
}
