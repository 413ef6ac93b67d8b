//! How much is asked of an org, and when: what a suite says under `load:`, or a command line by its flags. Everything may
//! be left open; a flag goes before the file.

use crate::oauth::duration;

/// What a load run is asked for. Times are in microseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workload {
    /// Closed: so many users, each of whom begins its next play when the last one is over.
    pub users: Option<f64>,
    /// Open: so many plays begin in a second, however the last ones went.
    pub rate: Option<f64>,
    /// How plays of an open run follow each other.
    pub arrivals: Option<Arrivals>,
    /// How users or rate move from level to level.
    pub stages: Option<Vec<Stage>>,
    /// How often a user begins a play.
    pub pacing: Option<u64>,
    /// For how long plays begin.
    pub length: Option<u64>,
    /// How many plays begin at most.
    pub count: Option<u64>,
    /// For how long at the begin nothing is counted.
    pub warm_up: Option<u64>,
    /// The most plays in flight in an open run.
    pub in_flight: Option<u64>,
    /// Whether dropped plays are no failure.
    pub drops: Option<bool>,
    /// Where sessions come from.
    pub tokens: Option<Tokens>,
    /// What becomes of assertions.
    pub assertion: Option<Assertions>,
    /// What becomes of connections.
    pub connections: Option<Connections>,
    /// So many callers find all sessions dead at once, in the middle of the run.
    pub herd: Option<u64>,
    /// What must hold of the whole.
    pub thresholds: Vec<Threshold>,
    /// After how much counted time a threshold that does not hold ends the run.
    pub abort_after: Option<u64>,
}

/// The way to a level: users, or plays a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// The level at its end.
    pub to: f64,
    /// How long it takes, in microseconds.
    pub over: u64,
}

/// How plays of an open run follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrivals {
    /// At equal distances.
    #[default]
    Constant,
    /// At random ones, independent of each other: a Poisson process.
    Poisson,
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
    Pool(u64),
}

/// What becomes of assertions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assertions {
    /// Each request has one of its own.
    #[default]
    Fresh,
    /// One is used until shortly before it expires.
    Reuse,
    /// So many are made before the run begins, for each step that needs them.
    Presigned(u64),
}

/// What becomes of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connections {
    /// Each user keeps its own.
    #[default]
    PerUser,
    /// So many are kept, which all users share: a request waits for a free one.
    Shared(u64),
    /// Every request has one of its own.
    None,
}

/// The highest level of a stage, of users or plays a second.
const HIGHEST: f64 = 1_000_000.0;

/// A number behind `NAME=`.
fn numbered(text: &str, name: &str) -> Option<u64> {
    let number = text.strip_prefix(name)?.strip_prefix('=')?.parse().ok()?;
    (1..=1_000_000).contains(&number).then_some(number)
}

impl Arrivals {
    /// Every word for them.
    pub const WORDS: [&'static str; 2] = ["constant", "poisson"];

    /// Reads the word.
    pub fn read(word: &str) -> Option<Self> {
        match word {
            "constant" => Some(Self::Constant),
            "poisson" => Some(Self::Poisson),
            _ => None,
        }
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
        }
    }
}

impl Tokens {
    /// How to write them.
    pub const HELP: &'static str = "write `fresh`, `per-user`, `shared` or `pool=N`";

    /// Reads `fresh`, `per-user`, `shared` or `pool=N`.
    pub fn read(text: &str) -> Option<Self> {
        match text {
            "fresh" => Some(Self::Fresh),
            "per-user" => Some(Self::PerUser),
            "shared" => Some(Self::Pool(1)),
            _ => numbered(text, "pool").map(Self::Pool),
        }
    }
}

impl Assertions {
    /// How to write them.
    pub const HELP: &'static str = "write `fresh`, `reuse` or `presigned=N`";

    /// Reads `fresh`, `reuse` or `presigned=N`.
    pub fn read(text: &str) -> Option<Self> {
        match text {
            "fresh" => Some(Self::Fresh),
            "reuse" => Some(Self::Reuse),
            _ => numbered(text, "presigned").map(Self::Presigned),
        }
    }
}

impl Connections {
    /// How to write them.
    pub const HELP: &'static str = "write `per-user`, `shared=N` or `none`";

    /// Reads `per-user`, `shared=N` or `none`.
    pub fn read(text: &str) -> Option<Self> {
        match text {
            "per-user" => Some(Self::PerUser),
            "none" => Some(Self::None),
            _ => numbered(text, "shared").map(Self::Shared),
        }
    }
}

impl Stage {
    /// How to write one.
    pub const HELP: &'static str = "write LEVEL@DURATION, for example `100@30s`";

    /// Reads `LEVEL@DURATION`.
    pub fn read(text: &str) -> Option<Self> {
        let (to, over) = text.split_once('@')?;
        Some(Self { to: level(to)?, over: micros(over)? })
    }
}

/// Reads a level of users or plays a second.
pub fn level(text: &str) -> Option<f64> {
    text.strip_suffix("/s")
        .unwrap_or(text)
        .trim()
        .parse()
        .ok()
        .filter(|level| (0.0..=HIGHEST).contains(level))
}

/// Reads a duration, in microseconds.
pub fn micros(text: &str) -> Option<u64> {
    u64::try_from(duration(text)?).ok()?.checked_mul(1000)
}

impl Workload {
    /// This one, and where it is silent, the other. Thresholds of both must hold.
    #[must_use]
    pub fn over(self, other: &Workload) -> Workload {
        // Who says how many play takes the place of whatever was said of it.
        let says = self.users.is_some() || self.rate.is_some() || self.stages.is_some();
        let (users, rate, stages) = if says {
            let levels = self.users.is_some() || self.rate.is_some();
            let kept = |level: Option<f64>| level.filter(|_| !levels);
            (self.users.or(kept(other.users)), self.rate.or(kept(other.rate)), self.stages)
        } else {
            (other.users, other.rate, other.stages.clone())
        };
        // The same goes for how long.
        let ends = self.length.is_some() || self.count.is_some();
        let (length, count) = if ends { (self.length, self.count) } else { (other.length, other.count) };
        let mut thresholds = self.thresholds;
        thresholds.extend(other.thresholds.iter().cloned());
        Workload {
            users,
            rate,
            stages,
            length,
            count,
            thresholds,
            arrivals: self.arrivals.or(other.arrivals),
            pacing: self.pacing.or(other.pacing),
            warm_up: self.warm_up.or(other.warm_up),
            in_flight: self.in_flight.or(other.in_flight),
            drops: self.drops.or(other.drops),
            tokens: self.tokens.or(other.tokens),
            assertion: self.assertion.or(other.assertion),
            connections: self.connections.or(other.connections),
            herd: self.herd.or(other.herd),
            abort_after: self.abort_after.or(other.abort_after),
        }
    }
}

/// What must hold of a run: latency, errors or rate, of all steps or of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// As it was written.
    pub text: String,
    /// Of which steps: a part of `suite › scenario › n do`; none means each step by itself.
    pub step: Option<String>,
    /// What is looked at.
    pub what: Quantity,
    /// Whether it must be below, or above.
    pub below: bool,
    /// Whether it may be equal.
    pub or_equal: bool,
    /// In the unit of the quantity.
    pub bound: f64,
}

/// What a threshold looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantity {
    /// Latency in microseconds that such a share of requests does not exceed.
    Latency(f64),
    /// The mean latency, in microseconds.
    Mean,
    /// The longest latency, in microseconds.
    Longest,
    /// The share of requests with an error, in percent.
    ErrorShare,
    /// How many requests have an error.
    Errors,
    /// Requests a second.
    Rate,
}

impl Threshold {
    /// How to write one.
    pub const HELP: &'static str =
        "write for example `p99 < 250ms`, `errors < 1%` or `jwt-bearer: rate >= 100/s`";

    /// Reads `p99 < 250ms`, `errors < 1%`, `rate >= 100/s`, with `STEP: ` before it where it is about one step.
    pub fn read(text: &str) -> Option<Self> {
        let (step, rest) = match text.rsplit_once(": ") {
            Some((step, rest)) => (Some(step.trim().to_owned()), rest),
            None => (None, text),
        };
        let (name, bound) = rest.split_at(rest.find(['<', '>'])?);
        let below = bound.starts_with('<');
        let or_equal = bound[1..].starts_with('=');
        let bound = bound[1 + usize::from(or_equal)..].trim();
        let time = || micros(bound).map(|micros| micros as f64);
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
        let (what, bound) = match name.trim() {
            "mean" => (Quantity::Mean, time()?),
            "max" => (Quantity::Longest, time()?),
            "rate" => (Quantity::Rate, number(bound.strip_suffix("/s").unwrap_or(bound))?),
            "errors" => match bound.strip_suffix('%') {
                Some(share) => (Quantity::ErrorShare, number(share)?),
                None => (Quantity::Errors, number(bound)?),
            },
            name => {
                let share = number(name.strip_prefix('p')?).filter(|share| *share <= 100.0)?;
                (Quantity::Latency(share / 100.0), time()?)
            }
        };
        Some(Self { text: text.trim().to_owned(), step, what, below, or_equal, bound })
    }

    /// Whether it is about a step of that name.
    pub fn is_about(&self, name: &str) -> bool {
        self.step.as_ref().is_none_or(|step| name.contains(step.as_str()))
    }

    /// Whether a value is within it.
    pub fn holds(&self, value: f64) -> bool {
        match (self.below, self.or_equal) {
            (true, false) => value < self.bound,
            (true, true) => value <= self.bound,
            (false, false) => value > self.bound,
            (false, true) => value >= self.bound,
        }
    }

    /// A value in words.
    pub fn words(&self, value: f64) -> String {
        match self.what {
            Quantity::Latency(_) | Quantity::Mean | Quantity::Longest => format!("{:.3} ms", value / 1000.0),
            Quantity::ErrorShare => format!("{value:.3} %"),
            Quantity::Errors => format!("{value}"),
            Quantity::Rate => format!("{value:.1}/s"),
        }
    }

    /// Whether it says how many errors are allowed.
    pub fn is_about_errors(&self) -> bool {
        matches!(self.what, Quantity::ErrorShare | Quantity::Errors) && self.below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_read_and_told() {
        let read = |text: &str| Threshold::read(text).unwrap();
        let p99 = read("jwt-bearer: p99 < 250ms");
        assert_eq!(
            (p99.step.as_deref(), p99.what, p99.bound),
            (Some("jwt-bearer"), Quantity::Latency(0.99), 250_000.0)
        );
        assert!(p99.holds(249_999.0) && !p99.holds(250_000.0));
        assert!(read("p99.9 <= 2s").holds(2e6));
        assert!(read("rate >= 100/s").holds(100.0) && !read("rate > 100").holds(100.0));
        assert_eq!(read("errors < 1%").what, Quantity::ErrorShare);
        assert_eq!(read("errors < 10").what, Quantity::Errors);
        for wrong in
            ["p99", "p101 < 1s", "p99 < 250", "errors < x%", "speed > 1", "p99 = 1s", "", "rate >= nan"]
        {
            assert_eq!(Threshold::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn words_are_read() {
        assert_eq!(Tokens::read("pool=7"), Some(Tokens::Pool(7)));
        assert_eq!(Tokens::read("shared"), Some(Tokens::Pool(1)));
        assert_eq!((Tokens::read("pool=0"), Tokens::read("pool")), (None, None));
        assert_eq!(Assertions::read("presigned=10"), Some(Assertions::Presigned(10)));
        assert_eq!(Connections::read("shared=3"), Some(Connections::Shared(3)));
        assert_eq!(Stage::read("100@30s"), Some(Stage { to: 100.0, over: 30_000_000 }));
        assert_eq!((Stage::read("-1@30s"), Stage::read("1@x"), Stage::read("1")), (None, None, None));
    }

    #[test]
    fn who_says_how_many_play_takes_the_place_of_the_file() {
        let file = Workload { users: Some(5.0), length: Some(1), warm_up: Some(2), ..Workload::default() };
        let flags = Workload { rate: Some(9.0), ..Workload::default() };
        let both = flags.over(&file);
        assert_eq!((both.users, both.rate, both.length, both.warm_up), (None, Some(9.0), Some(1), Some(2)));
        let both = Workload { count: Some(3), ..Workload::default() }.over(&file);
        assert_eq!((both.users, both.length, both.count), (Some(5.0), None, Some(3)));
    }
}
