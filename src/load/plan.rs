//! What a load run is to do.

use super::pace::{Course, Timetable};
use super::shard::Shard;
use crate::diagnostic::Diagnostic;
use crate::subject::workload::{Arrivals, Assertions, Connections, Threshold, Tokens, Workload};
use crate::wire::dice;

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
    /// As somebody else says while it goes on.
    Told(Told),
}

/// A run of which somebody else says how many play each scenario.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    /// Closed, with so many users of a scenario as are told; or open, with so many plays of it that begin in a second.
    pub open: bool,
    /// How often a user begins a play, in microseconds.
    pub pacing: Option<u64>,
    /// How plays of an open run follow each other.
    pub arrivals: Arrivals,
    /// The most users of a scenario that are here, whatever is told.
    pub most: usize,
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
    /// Which part of it is done here. Everything else is said of the whole.
    pub shard: Shard,
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
            Model::Users(course, _) | Model::Rate(course, _) => course.clone(),
            Model::Told(_) => Course::steady(0.0),
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
            shard: Shard::WHOLE,
            model,
        })
    }

    /// A plan of which somebody else says how many play, for how long, until it is ended. What is asked for says the rest;
    /// where it has a rate, the run is open.
    ///
    /// # Errors
    /// What does not go together.
    pub fn told(asked: &Workload, most: usize, threads: usize, seed: u64) -> Result<Self, Vec<Diagnostic>> {
        if asked.herd.is_some() {
            let message = "a herd comes in the middle of a run, and nobody knows how long this one is";
            let help = "play it with `grantcheck load`, whole or by `--shard`";
            return Err(vec![Diagnostic::bare("bad-load", message).help(help)]);
        }
        let open = asked.rate.is_some();
        let told = Told {
            open,
            pacing: asked.pacing,
            arrivals: asked.arrivals.unwrap_or_default(),
            most: most.max(1),
        };
        // What a plan of its own would need; none of it is kept.
        let whole = Workload {
            users: Some(1.0),
            rate: None,
            stages: None,
            count: Some(1),
            length: None,
            ..asked.clone()
        };
        let plan = Self::new(&whole, threads, seed)?;
        Ok(Self { model: Model::Told(told), count: None, ..plan })
    }

    /// The same plan, of which that part is done.
    #[must_use]
    pub fn part(self, shard: Shard) -> Self {
        Self { shard, ..self }
    }

    /// The plays of this part of an open run: number here, number in the whole, and when each begins. None of a closed one.
    pub fn starts(&self) -> impl Iterator<Item = (u64, u64, u64)> + use<> {
        let timetable = match &self.model {
            Model::Users(..) | Model::Told(_) => None,
            Model::Rate(course, arrivals) => {
                Some(Timetable::new(course.clone(), *arrivals, dice::seed_of(self.seed, "arrivals")))
            }
        };
        let (length, count, shard) = (self.length, self.count, self.shard);
        let within = move |(number, at): &(u64, u64)| {
            length.is_none_or(|length| *at < length) && count.is_none_or(|count| *number < count)
        };
        let own = move |(number, at)| shard.here(number).map(|here| (here, number, at));
        timetable.into_iter().flatten().take_while(within).filter_map(own)
    }

    /// How many plays begin here at most.
    pub fn own_count(&self) -> Option<u64> {
        self.count.map(|count| self.shard.share(count))
    }

    /// The most plays in flight here.
    pub fn own_in_flight(&self) -> usize {
        self.own_or_one(self.in_flight)
    }

    /// Callers of the herd that are here.
    pub fn own_herd(&self) -> usize {
        usize::try_from(self.shard.share(self.herd as u64)).unwrap_or(usize::MAX)
    }

    /// What becomes of assertions here.
    pub fn own_assertions(&self) -> Assertions {
        match self.assertions {
            Assertions::Presigned(many) => Assertions::Presigned(self.shard.share_or_one(many)),
            other => other,
        }
    }

    /// What becomes of connections here.
    pub fn own_connections(&self) -> Connections {
        match self.connections {
            Connections::Shared(many) => Connections::Shared(self.shard.share_or_one(many)),
            other => other,
        }
    }

    /// The sessions that outlive a play here. A part cannot use those of another, so that it has one at least.
    pub fn own_sessions(&self) -> usize {
        match self.tokens {
            Tokens::Fresh => 0,
            Tokens::Pool(many) => usize::try_from(self.shard.share_or_one(many)).unwrap_or(usize::MAX),
            // Callers of a herd need one where no user is.
            Tokens::PerUser => self.own_users().max(usize::from(self.own_herd() > 0)),
        }
    }

    /// Whether each user has a session of its own, and nobody knows beforehand how many come: those of an open run, and
    /// those of somebody else. A herd needs them all at once.
    pub fn users_log_in_late(&self) -> bool {
        !matches!(self.model, Model::Users(..)) && self.tokens == Tokens::PerUser && self.herd == 0
    }

    /// Whether plays begin however the last ones went.
    pub fn is_open(&self) -> bool {
        matches!(self.model, Model::Rate(..) | Model::Told(Told { open: true, .. }))
    }

    /// Whether nothing falls to this part: no play ever begins here, and there is no caller of a herd.
    pub fn is_idle(&self) -> bool {
        let plays = match &self.model {
            Model::Users(..) => self.own_users() > 0,
            Model::Rate(..) => self.starts().next().is_some(),
            Model::Told(_) => true,
        };
        (!plays || self.own_count() == Some(0)) && self.own_herd() == 0
    }

    /// The most users at a time that are here.
    pub fn own_users(&self) -> usize {
        match &self.model {
            Model::Users(..) => usize::try_from(self.shard.share(self.users() as u64)).unwrap_or(usize::MAX),
            Model::Rate(..) | Model::Told(Told { open: true, .. }) => self.own_in_flight(),
            Model::Told(told) => told.most,
        }
    }

    fn own_or_one(&self, many: usize) -> usize {
        usize::try_from(self.shard.share_or_one(many as u64)).unwrap_or(usize::MAX)
    }

    /// The most sessions that outlive a play, of all parts together.
    pub fn sessions(&self) -> usize {
        match self.tokens {
            Tokens::Fresh => 0,
            Tokens::Pool(many) => usize::try_from(many.max(self.shard.of)).unwrap_or(usize::MAX),
            Tokens::PerUser => self.users(),
        }
    }

    /// The most users at a time.
    pub fn users(&self) -> usize {
        match &self.model {
            Model::Users(course, _) => course.highest().ceil() as usize,
            Model::Rate(..) | Model::Told(Told { open: true, .. }) => self.in_flight,
            Model::Told(told) => told.most,
        }
    }

    /// A fingerprint of what is to be done, with what is to be played: the same in all parts of a run.
    pub fn print<'t>(&self, played: impl Iterator<Item = &'t str>) -> String {
        let whole = Self { threads: 0, shard: Shard::WHOLE, ..self.clone() };
        let mut text = format!("{whole:?}");
        for part in played {
            // With its length before it, no two lists are one text.
            text.push_str(&format!("\n{} {part}", part.len()));
        }
        let hash = crate::oauth::sha256(text);
        hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
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
            Model::Told(Told { open: false, pacing, .. }) => {
                let pacing =
                    pacing.map_or(String::new(), |pacing| format!(", one play each {}", seconds(pacing)));
                format!("closed: as many users as a master says{pacing}")
            }
            Model::Told(Told { arrivals, .. }) => {
                format!("open: as many plays a second as a master says, {} arrivals", arrivals.word())
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

    use proptest::prelude::*;

    fn parts(plan: &Plan, of: u64) -> Vec<Plan> {
        (0..of).map(|index| plan.clone().part(Shard::new(index, of).unwrap())).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Constant or at random, with and without ramps: the moments of all parts are those of one process.
        #[test]
        fn parts_together_keep_the_schedule_of_one(
            rate in 1.0f64..400.0, stages in prop::collection::vec((0.0f64..400.0, 1u64..5), 0..4), poisson in any::<bool>(),
            count in prop::option::of(1u64..2000), seed in any::<u64>(), of in 1u64..8,
        ) {
            let stages: Vec<Stage> =
                stages.into_iter().map(|(to, seconds)| Stage { to, over: seconds * 1_000_000 }).collect();
            let asked = Workload {
                rate: Some(rate),
                stages: Some(stages),
                arrivals: Some(if poisson { Arrivals::Poisson } else { Arrivals::Constant }),
                length: Some(7_000_000),
                count,
                ..Workload::default()
            };
            let plan = Plan::new(&asked, 1, seed).unwrap();
            let whole: Vec<(u64, u64)> = plan.starts().map(|(_, number, at)| (number, at)).collect();
            let mut all = Vec::new();
            for part in parts(&plan, of) {
                let own: Vec<_> = part.starts().collect();
                prop_assert!(own.iter().enumerate().all(|(i, (here, ..))| *here == i as u64));
                all.extend(own.into_iter().map(|(_, number, at)| (number, at)));
            }
            all.sort_unstable();
            prop_assert_eq!(whole, all);
        }

        /// Users, and whatever else there are so many of, are lost or doubled nowhere.
        #[test]
        fn parts_together_have_what_the_whole_has(
            users in 1u32..500, count in 1u64..5000, herd in 1u64..500, pool in 1u64..50, of in 1u64..20,
        ) {
            let asked = Workload {
                users: Some(users.into()),
                count: Some(count),
                length: Some(1_000_000),
                herd: Some(herd),
                tokens: Some(Tokens::Pool(pool)),
                ..Workload::default()
            };
            let plan = Plan::new(&asked, 1, 1).unwrap();
            let parts = parts(&plan, of);
            prop_assert_eq!(parts.iter().map(Plan::own_users).sum::<usize>(), users as usize);
            prop_assert_eq!(parts.iter().filter_map(Plan::own_count).sum::<u64>(), count);
            prop_assert_eq!(parts.iter().map(Plan::own_herd).sum::<usize>() as u64, herd);
            prop_assert_eq!(parts.iter().map(Plan::own_sessions).sum::<usize>() as u64, pool.max(of));
            prop_assert!(parts.iter().all(|part| part.sessions() as u64 == pool.max(of)));
            let prints: Vec<String> = parts.iter().map(|part| part.print(["a", "b"].into_iter())).collect();
            prop_assert!(prints.iter().all(|print| *print == plan.print(["a", "b"].into_iter())));
            prop_assert_ne!(&prints[0], &plan.print(["ab"].into_iter()));
        }
    }

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
    fn some_parts_have_nothing_to_do() {
        let of = |asked: &Workload, of: u64| -> Vec<bool> {
            parts(&Plan::new(asked, 1, 1).unwrap(), of).iter().map(Plan::is_idle).collect()
        };
        let users = Workload { users: Some(2.0), length: Some(10), ..Workload::default() };
        assert_eq!(of(&users, 3), [false, false, true]);
        assert_eq!(of(&Workload { count: Some(1), length: None, ..users.clone() }, 2), [false, true]);
        let rate = Workload { rate: Some(1.0), length: Some(2_000_000), ..Workload::default() };
        assert_eq!(of(&rate, 3), [false, false, true]);
        // A caller of a herd is somebody, and has a session.
        let herd = Workload { herd: Some(3), tokens: Some(Tokens::PerUser), ..users };
        assert_eq!(of(&herd, 3), [false; 3]);
        let last = Plan::new(&herd, 1, 1).unwrap().part(Shard::new(2, 3).unwrap());
        assert_eq!((last.own_users(), last.own_sessions()), (0, 1));
    }

    #[test]
    fn users_of_an_open_run_log_in_when_they_come() {
        let asked = Workload { tokens: Some(Tokens::PerUser), length: Some(10), ..Workload::default() };
        let open = Plan::new(&Workload { rate: Some(1.0), ..asked.clone() }, 1, 1).unwrap();
        let closed = Plan::new(&Workload { users: Some(1.0), ..asked }, 1, 1).unwrap();
        assert!(open.users_log_in_late() && !closed.users_log_in_late());
    }

    #[test]
    fn stages_say_how_long_by_themselves() {
        let stages = vec![Stage { to: 10.0, over: 5 }, Stage { to: 0.0, over: 6 }];
        let plan = Plan::new(&Workload { stages: Some(stages), ..Workload::default() }, 1, 1).unwrap();
        assert_eq!((plan.length, plan.users()), (Some(11), 10));
    }
}
