//! The part that one process has of a run of several: together they keep the schedule that one process would have kept.
//! Pure.

use serde::{Deserialize, Serialize};

/// Of so many parts that one. Whatever is numbered (plays, users, callers of a herd) belongs to the part whose index is
/// the number modulo the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// Which, from 0.
    pub index: u64,
    /// How many there are.
    pub of: u64,
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl Shard {
    /// The most parts that a run may have.
    pub const MOST: u64 = 10_000;
    /// The whole of a run.
    pub const WHOLE: Self = Self { index: 0, of: 1 };
    /// How to write one.
    pub const HELP: &'static str = "write INDEX/COUNT, for example `0/3`, `1/3` and `2/3`";

    /// A part; none where there is no such one.
    pub fn new(index: u64, of: u64) -> Option<Self> {
        (index < of && of <= Self::MOST).then_some(Self { index, of })
    }

    /// Reads `INDEX/COUNT`.
    pub fn read(text: &str) -> Option<Self> {
        let (index, of) = text.split_once('/')?;
        Self::new(index.trim().parse().ok()?, of.trim().parse().ok()?)
    }

    /// How many of the first `many` numbers belong to it.
    pub fn share(self, many: u64) -> u64 {
        many / self.of + u64::from(self.index < many % self.of)
    }

    /// The same of what it cannot do without: one at least.
    pub fn share_or_one(self, many: u64) -> u64 {
        self.share(many).max(1)
    }

    /// The number in the whole of what has that number here.
    pub fn number(self, here: u64) -> u64 {
        here * self.of + self.index
    }

    /// The number here of what has that number in the whole; none where it belongs to another.
    pub fn here(self, number: u64) -> Option<u64> {
        (number % self.of == self.index).then_some(number / self.of)
    }
}

/// Which scenario each play of an open run is of. Of each round of plays as many are of a scenario as its weight says, spread
/// evenly; rounds begin at places that have no order, so that whoever has every n-th play gets all scenarios too.
#[derive(Clone, Debug)]
pub struct Turns(Vec<u32>);

/// The most plays that a round has.
const MOST: u64 = 1 << 16;

impl Turns {
    /// Of scenarios with these weights.
    pub fn new(weights: impl Iterator<Item = u32>) -> Self {
        let mut weights: Vec<i64> = weights.map(i64::from).collect();
        let divisor = weights.iter().copied().fold(0, common);
        weights.iter_mut().for_each(|weight| *weight /= divisor.max(1));
        let all: i64 = weights.iter().sum();
        let mut behind = vec![0; weights.len()];
        let round = u64::try_from(all).unwrap_or(0).min(MOST);
        let turns = (0..round).map(|_| {
            behind.iter_mut().zip(&weights).for_each(|(behind, weight)| *behind += weight);
            let next = (0..behind.len()).max_by_key(|i| (behind[*i], std::cmp::Reverse(*i))).unwrap_or(0);
            behind[next] -= all;
            u32::try_from(next).unwrap_or(0)
        });
        Self(turns.collect())
    }

    /// The scenario of the play of that number.
    pub fn of(&self, play: u64) -> usize {
        let length = self.0.len().max(1) as u64;
        let (round, place) = (play / length, play % length);
        let at = usize::try_from((mixed(round) % length + place) % length).unwrap_or(0);
        self.0.get(at).map_or(0, |scenario| *scenario as usize)
    }
}

/// A number that has nothing of the order that the numbers have (the finalizer of SplitMix64).
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The greatest common divisor.
fn common(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { common(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_part_is_read() {
        assert_eq!(Shard::read("2/3"), Some(Shard { index: 2, of: 3 }));
        for wrong in ["3/3", "0/0", "1", "a/3", "-1/3", "0/10001", ""] {
            assert_eq!(Shard::read(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn parts_are_the_whole_and_nothing_twice(many in 0u64..2000, of in 1u64..40) {
            let mut seen = Vec::new();
            for index in 0..of {
                let shard = Shard::new(index, of).unwrap();
                let own: Vec<u64> = (0..shard.share(many)).map(|here| shard.number(here)).collect();
                prop_assert!(own.iter().enumerate().all(|(here, n)| shard.here(*n) == Some(here as u64)));
                seen.extend(own);
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..many).collect::<Vec<_>>());
        }

        #[test]
        fn each_round_has_each_scenario_as_often_as_its_weight_says(
            weights in prop::collection::vec(1u32..9, 1..6), round in 0u64..50,
        ) {
            let turns = Turns::new(weights.iter().copied());
            let length = turns.0.len() as u64;
            let mut count = vec![0u32; weights.len()];
            (round * length..(round + 1) * length).for_each(|play| count[turns.of(play)] += 1);
            let times = weights[0] / count[0];
            prop_assert_eq!(count.iter().map(|n| n * times).collect::<Vec<_>>(), weights);
        }

        #[test]
        fn whoever_has_every_nth_play_gets_all_scenarios(scenarios in 1u32..6, of in 1u64..9, index in 0u64..9) {
            let turns = Turns::new(std::iter::repeat_n(1, scenarios as usize));
            let mut count = vec![0u32; scenarios as usize];
            (0..1200).for_each(|here| count[turns.of(here * of + index % of)] += 1);
            let fair = 1200 / scenarios;
            prop_assert!(count.iter().all(|n| n.abs_diff(fair) * 4 <= fair), "{count:?}");
        }
    }
}
