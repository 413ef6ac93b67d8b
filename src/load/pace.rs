//! The timetable: how many users there are at a moment, and when each play begins. Pure: time is a number of
//! microseconds since the begin of the run.

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore};

use crate::subject::workload::{Arrivals, Stage};

/// A second, in microseconds.
pub const SECOND: u64 = 1_000_000;

/// A level that moves in straight lines from point to point and stays where the last one left it: users, or plays that
/// begin in a second.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Moments and levels, the first at 0, in order of time.
    points: Vec<(u64, f64)>,
}

impl Course {
    /// The same level from begin to end.
    pub fn steady(level: f64) -> Self {
        Self { points: vec![(0, level.max(0.0))] }
    }

    /// From a first level through stages.
    pub fn through(first: f64, stages: &[Stage]) -> Self {
        let mut points = vec![(0, first.max(0.0))];
        let mut at = 0;
        for Stage { to, over } in stages {
            at += over;
            points.push((at, to.max(0.0)));
        }
        Self { points }
    }

    /// When the last stage is over; 0 where there is none.
    pub fn end(&self) -> u64 {
        self.points.last().map_or(0, |(at, _)| *at)
    }

    /// The highest level.
    pub fn highest(&self) -> f64 {
        self.points.iter().map(|(_, level)| *level).fold(0.0, f64::max)
    }

    /// The level at a moment.
    pub fn level(&self, at: u64) -> f64 {
        let after = self.points.partition_point(|(point, _)| *point <= at);
        let (begin, from) = self.points[after.saturating_sub(1)];
        match self.points.get(after) {
            Some((end, to)) => from + (to - from) * (at - begin) as f64 / (end - begin) as f64,
            None => from,
        }
    }

    /// How much has come together until a moment, where the level is a rate a second.
    pub fn sum(&self, until: u64) -> f64 {
        let mut sum = 0.0;
        for (i, (begin, from)) in self.points.iter().enumerate() {
            if until <= *begin {
                break;
            }
            let end = self.points.get(i + 1).map_or(until, |(end, _)| (*end).min(until));
            sum += (from + self.level_until(i, end)) / 2.0 * (end - begin) as f64 / SECOND as f64;
        }
        sum
    }

    /// When so much has come together; none where that never happens.
    pub fn when(&self, sum: f64) -> Option<u64> {
        let mut left = sum.max(0.0);
        for (i, (begin, from)) in self.points.iter().enumerate() {
            let Some((end, to)) = self.points.get(i + 1) else {
                // The level stays.
                return (*from > 0.0).then(|| begin + micros(left / from));
            };
            let length = (end - begin) as f64 / SECOND as f64;
            let here = (from + to) / 2.0 * length;
            if left <= here && here > 0.0 {
                let slope = (to - from) / length;
                // left = from t + slope t² / 2, in the form that stays exact where the slope is small.
                let root = (from * from + 2.0 * slope * left).max(0.0).sqrt();
                let time = if from + root > 0.0 { 2.0 * left / (from + root) } else { 0.0 };
                return Some((begin + micros(time)).min(*end));
            }
            left -= here;
        }
        None
    }

    /// The first moment from `at` on at which there are more than so many; none where there never are.
    pub fn above(&self, users: f64, at: u64) -> Option<u64> {
        if self.level(at) > users {
            return Some(at);
        }
        let first = self.points.partition_point(|(point, _)| *point <= at);
        for (i, (end, to)) in self.points.iter().enumerate().skip(first) {
            if *to > users {
                let (begin, from) = self.points[i - 1];
                let share = (users - from) / (to - from);
                let crossing = begin + (share * (end - begin) as f64).ceil() as u64 + 1;
                return Some(crossing.clamp(at, *end));
            }
        }
        None
    }

    fn level_until(&self, segment: usize, at: u64) -> f64 {
        let (begin, from) = self.points[segment];
        match self.points.get(segment + 1) {
            Some((end, to)) if end > &begin => {
                from + (to - from) * (at - begin) as f64 / (end - begin) as f64
            }
            _ => from,
        }
    }
}

/// When the plays of one user of a closed run should begin.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The user plays as long as there are more than so many.
    number: f64,
    pacing: Option<u64>,
    next: u64,
}

impl Turn {
    /// Of the user of that number in the whole run, who begins a play each so often where a pace is given.
    pub fn new(number: u64, pacing: Option<u64>) -> Self {
        Self { number: number as f64, pacing, next: 0 }
    }

    /// When its next play should begin, asked when it could; none where it never plays again. With a pace what is overdue
    /// stays as overdue as it is: the user waited for the server, and what it would have asked meanwhile was late too.
    pub fn next(&mut self, course: &Course, now: u64) -> Option<u64> {
        let at = course.above(self.number, if self.pacing.is_some() { self.next } else { now })?;
        self.next = self.pacing.map_or(0, |pacing| at + pacing);
        Some(at)
    }
}

fn micros(seconds: f64) -> u64 {
    (seconds * SECOND as f64).round().max(0.0) as u64
}

/// When the plays of an open run begin, in microseconds since its begin. It never asks how the last one went: what a
/// server delays does not delay the next play.
#[derive(Clone, Debug)]
pub struct Timetable {
    course: Course,
    arrivals: Arrivals,
    dice: StdRng,
    sum: f64,
    next: u64,
}

impl Timetable {
    /// A timetable; the seed decides the moments of a Poisson process.
    pub fn new(course: Course, arrivals: Arrivals, seed: [u8; 32]) -> Self {
        let mut dice = StdRng::from_seed(seed);
        let sum = match arrivals {
            Arrivals::Constant => 0.0,
            Arrivals::Poisson => gap(&mut dice),
        };
        Self { course, arrivals, dice, sum, next: 0 }
    }
}

impl Iterator for Timetable {
    /// Number of the play, and its moment.
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        let at = self.course.when(self.sum)?;
        let number = self.next;
        self.next += 1;
        self.sum = match self.arrivals {
            // Counted, not added up: no error grows with the length of a run.
            Arrivals::Constant => self.next as f64,
            Arrivals::Poisson => self.sum + gap(&mut self.dice),
        };
        Some((number, at))
    }
}

/// Exponentially distributed with mean 1.
fn gap(dice: &mut impl RngCore) -> f64 {
    -(1.0 - dice.random::<f64>()).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stage(to: f64, seconds: u64) -> Stage {
        Stage { to, over: seconds * SECOND }
    }

    fn starts(course: Course, arrivals: Arrivals, seed: u8, until: u64) -> Vec<u64> {
        Timetable::new(course, arrivals, [seed; 32]).map(|(_, at)| at).take_while(|at| *at < until).collect()
    }

    #[test]
    fn a_ramp_begins_slowly_and_ends_at_its_level() {
        let course = Course::through(0.0, &[stage(100.0, 10), stage(100.0, 10), stage(0.0, 10)]);
        assert_eq!(
            (course.level(5 * SECOND), course.level(25 * SECOND), course.end()),
            (50.0, 50.0, 30 * SECOND)
        );
        let all = starts(course, Arrivals::Constant, 0, 60 * SECOND);
        let within =
            |from: u64, to: u64| all.iter().filter(|at| (from * SECOND..to * SECOND).contains(at)).count();
        assert_eq!((within(0, 10), within(10, 20)), (500, 1000));
        // The very last one falls on the end, where the rate is nothing.
        assert!((500..=501).contains(&within(20, 31)), "{}", within(20, 31));
    }

    #[test]
    fn who_waited_for_the_server_is_as_late_as_it_is() {
        // 20 users, each with a play every 100 ms for 10 s; the server stands still from second 4 to second 6.
        let (course, length) = (Course::steady(20.0), 10 * SECOND);
        let mut late = Vec::new();
        for user in 0..20 {
            let (mut turn, mut now) = (Turn::new(user, Some(SECOND / 10)), 0);
            while let Some(at) = turn.next(&course, now).filter(|at| *at < length) {
                let begins = at.max(now);
                let stalls = (4 * SECOND..6 * SECOND).contains(&begins);
                now = if stalls { 6 * SECOND } else { begins } + 300;
                late.push(now - at);
            }
        }
        late.sort_unstable();
        let near = |share: f64, seconds: f64| {
            let told = late[(late.len() as f64 * share).ceil() as usize - 1] as f64 / SECOND as f64;
            assert!((told / seconds - 1.0).abs() < 0.06, "{share}: {told} instead of {seconds}");
        };
        assert_eq!((late.len(), late[1000]), (2000, 300));
        near(0.9, 1.0);
        near(0.95, 1.5);
        near(0.99, 1.9);
        // Without a pace nobody has a time: the next play should begin when it can.
        let mut turn = Turn::new(0, None);
        assert_eq!((turn.next(&course, 7), turn.next(&course, 9)), (Some(7), Some(9)));
        assert_eq!(Turn::new(20, None).next(&course, 0), None);
        // Who comes later has its first play then.
        let mut third = Turn::new(2, Some(SECOND));
        let course = Course::through(0.0, &[stage(4.0, 4)]);
        let at = third.next(&course, 0).unwrap();
        assert_eq!((at / SECOND, third.next(&course, 60 * SECOND)), (2, Some(at + SECOND)));
    }

    #[test]
    fn users_come_when_the_level_passes_them() {
        let course = Course::through(0.0, &[stage(4.0, 4), stage(0.0, 4)]);
        assert_eq!(course.above(0.0, 0), Some(1));
        let third = course.above(2.0, 0).unwrap();
        assert!((2 * SECOND..2 * SECOND + 3).contains(&third) && course.level(third) > 2.0, "{third}");
        assert_eq!(course.above(4.0, 0), None);
        assert_eq!(course.above(2.0, 7 * SECOND), None);
        assert_eq!(Course::steady(3.0).above(2.0, 77), Some(77));
        assert_eq!(Course::steady(3.0).above(3.0, 0), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn an_open_schedule_keeps_its_rate(rate in 1u32..5000, seconds in 1u64..20) {
            let all = starts(Course::steady(rate.into()), Arrivals::Constant, 0, seconds * SECOND);
            prop_assert_eq!(all.len() as u64, u64::from(rate) * seconds);
            // Any whole second of it has the same number, whatever came before.
            let last = all.iter().filter(|at| **at >= (seconds - 1) * SECOND).count();
            prop_assert_eq!(last as u32, rate);
        }

        #[test]
        fn random_arrivals_have_the_rate_and_no_memory(rate in 50u32..500, seed in any::<u8>()) {
            let all = starts(Course::steady(rate.into()), Arrivals::Poisson, seed, 100 * SECOND);
            let mean = f64::from(rate) * 100.0;
            // Six standard deviations.
            prop_assert!((all.len() as f64 - mean).abs() < 6.0 * mean.sqrt(), "{} of {mean}", all.len());
            // The gaps of a Poisson process are as long in the mean as they vary: constant ones do not vary at all.
            let gaps: Vec<f64> = all.windows(2).map(|two| (two[1] - two[0]) as f64).collect();
            let average = gaps.iter().sum::<f64>() / gaps.len() as f64;
            let variance = gaps.iter().map(|gap| (gap - average).powi(2)).sum::<f64>() / gaps.len() as f64;
            prop_assert!((0.8..1.2).contains(&(variance.sqrt() / average)), "{}", variance.sqrt() / average);
        }

        #[test]
        fn a_sum_and_its_moment_are_each_others_inverse(
            first in 0.0f64..100.0, stages in prop::collection::vec((0.1f64..200.0, 1u64..20), 0..5), share in 0.0f64..1.0,
        ) {
            let stages: Vec<Stage> = stages.into_iter().map(|(to, over)| stage(to, over)).collect();
            let course = Course::through(first.max(0.1), &stages);
            let at = (share * (course.end() + 10 * SECOND) as f64) as u64;
            let back = course.when(course.sum(at)).unwrap();
            prop_assert!(back.abs_diff(at) <= 20, "{at} {back}");
        }
    }
}
