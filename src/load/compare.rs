//! Two load reports side by side: whether throughput or latency changed, or only moved as they always do. The seconds of
//! each run are drawn again and again (a moving block bootstrap: neighbours stay together, because a slow second is seldom
//! alone), and the difference of the means is told with the interval that holds it in 99 of 100 cases.

use rand::Rng as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use std::fmt::Write as _;

use super::report::{LoadReport, PointRow};
use crate::report::visible;

/// The fewest seconds of which something can be said.
const FEWEST: usize = 10;
/// How often the seconds are drawn.
const DRAWS: usize = 2000;
/// What lies outside of the interval, in both directions together: several quantities are looked at, and one of them
/// lies outside sooner or later.
const OUTSIDE: f64 = 0.01;
/// The smallest change that is one, in percent: machines drift by as much.
const SMALLEST: f64 = 1.0;

/// What is looked at: its name, whether more of it is worse, and how much of it a second has.
type Quantity = (&'static str, bool, fn(&PointRow) -> f64);

/// One quantity in both runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What.
    pub what: &'static str,
    /// Mean over the seconds of the first run, and of the second.
    pub means: (f64, f64),
    /// The change of the second over the first, in percent: lowest and highest that are likely.
    pub interval: (f64, f64),
    /// Whether more of it is worse.
    pub more_is_worse: bool,
}

/// What a comparison came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Each quantity.
    pub changes: Vec<Change>,
    /// Why nothing, or less, can be said.
    pub doubts: Vec<String>,
}

impl Change {
    /// Whether the change is more than chance.
    pub fn is_real(&self) -> bool {
        self.interval.0 > SMALLEST || self.interval.1 < -SMALLEST
    }

    /// Whether it is real and for the worse.
    pub fn is_worse(&self) -> bool {
        if self.more_is_worse { self.interval.0 > SMALLEST } else { self.interval.1 < -SMALLEST }
    }
}

impl Comparison {
    /// The exit code: 0 nothing became worse, 1 something did, 3 nothing can be said.
    pub fn exit(&self) -> u8 {
        match () {
            () if self.changes.is_empty() => 3,
            () if self.changes.iter().any(Change::is_worse) => 1,
            () => 0,
        }
    }
}

/// Compares the second run with the first.
pub fn compare(first: &LoadReport, second: &LoadReport) -> Comparison {
    let mut doubts = Vec::new();
    if first.plan != second.plan {
        doubts.push(format!("the plans differ: {} / {}", first.plan, second.plan));
    }
    for (which, report) in [("first", first), ("second", second)] {
        if report.total.errors > 0 {
            let share = report.total.errors as f64 * 100.0 / report.total.requests.max(1) as f64;
            doubts.push(format!("{share:.2} % of the requests of the {which} run have an error"));
        }
        if !report.limits.is_empty() {
            doubts.push(format!("the {which} run measured this program: {}", report.limits.join("; ")));
        }
    }
    let (a, b) = (seconds(first), seconds(second));
    if a.len().min(b.len()) < FEWEST {
        doubts.push(format!(
            "there are {} and {} whole seconds, and {FEWEST} are needed of each",
            a.len(),
            b.len()
        ));
        return Comparison { changes: Vec::new(), doubts };
    }
    let quantities: [Quantity; 4] = [
        ("requests a second", false, |p| p.requests as f64 / p.seconds.max(1) as f64),
        ("latency p50 of a second (ms)", true, |p| p.p50),
        ("latency p99 of a second (ms)", true, |p| p.p99),
        ("errors a second", true, |p| p.errors as f64 / p.seconds.max(1) as f64),
    ];
    let changes = quantities.into_iter().filter_map(|(what, more_is_worse, of)| {
        let (a, b): (Vec<f64>, Vec<f64>) =
            (a.iter().map(|p| of(p)).collect(), b.iter().map(|p| of(p)).collect());
        let means = (mean(&a), mean(&b));
        // Of nothing there is no share.
        (means.0 > 0.0).then(|| Change { what, means, interval: interval(&a, &b), more_is_worse })
    });
    Comparison { changes: changes.collect(), doubts }
}

/// The whole seconds that were counted: neither the warm-up nor the last, which may be a part of one.
fn seconds(report: &LoadReport) -> Vec<&PointRow> {
    let counted = |p: &&PointRow| (p.at_s * 1000) as f64 >= report.warm_up_ms;
    let all: Vec<&PointRow> = report.series.iter().filter(counted).collect();
    all[..all.len().saturating_sub(1)].to_vec()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The likely change of the mean of `b` over that of `a`, in percent. The draws are the same for the same reports.
fn interval(a: &[f64], b: &[f64]) -> (f64, f64) {
    let mut dice = StdRng::seed_from_u64(0);
    let mut changes: Vec<f64> = (0..DRAWS)
        .filter_map(|_| {
            let (a, b) = (drawn(a, &mut dice), drawn(b, &mut dice));
            (a > 0.0).then(|| (b / a - 1.0) * 100.0)
        })
        .collect();
    changes.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let last = changes.len().saturating_sub(1);
        changes.get((share * last as f64).round() as usize).copied().unwrap_or(0.0)
    };
    (at(OUTSIDE / 2.0), at(1.0 - OUTSIDE / 2.0))
}

/// The mean of as many values as there are, drawn in blocks of neighbours.
fn drawn(values: &[f64], dice: &mut StdRng) -> f64 {
    let block = (values.len() as f64).cbrt().ceil() as usize;
    let (mut sum, mut left) = (0.0, values.len());
    while left > 0 {
        let from = dice.random_range(0..=values.len() - block);
        let taken = &values[from..from + block.min(left)];
        sum += taken.iter().sum::<f64>();
        left -= taken.len();
    }
    sum / values.len() as f64
}

/// The text of a comparison.
pub fn told(comparison: &Comparison) -> String {
    let mut out = String::new();
    for change in &comparison.changes {
        let word = match () {
            () if change.is_worse() => "worse",
            () if change.is_real() => "better",
            () => "no change",
        };
        let _ = writeln!(
            out,
            "{word:<10} {:<30} {:>12.3} -> {:>12.3}  {:+.1} % to {:+.1} %",
            change.what, change.means.0, change.means.1, change.interval.0, change.interval.1
        );
    }
    for doubt in &comparison.doubts {
        let _ = writeln!(out, "mind: {}", visible(doubt));
    }
    if comparison.changes.is_empty() {
        out.push_str("nothing can be said\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn report(dice: &mut StdRng, seconds: u64, rate: f64, p99: f64) -> LoadReport {
        let mut noise = || 0.9 + 0.2 * dice.random::<f64>();
        let point = |at_s, n: (f64, f64)| PointRow {
            at_s,
            seconds: 1,
            requests: (rate * n.0) as u64,
            p50: p99 / 2.0 * n.1,
            p99: p99 * n.1,
            ..PointRow::default()
        };
        let series = (0..seconds).map(|at| point(at, (noise(), noise()))).collect();
        LoadReport { series, ..LoadReport::default() }
    }

    #[test]
    fn a_change_is_told_from_noise() {
        let mut dice = StdRng::seed_from_u64(7);
        let base = report(&mut dice, 60, 1000.0, 20.0);
        let slower = report(&mut dice, 60, 1000.0, 24.0);
        let found = compare(&base, &slower);
        let worse: Vec<&str> = found.changes.iter().filter(|c| c.is_worse()).map(|c| c.what).collect();
        assert_eq!(worse, ["latency p50 of a second (ms)", "latency p99 of a second (ms)"]);
        assert_eq!((found.exit(), compare(&slower, &base).exit()), (1, 0));
        let less = report(&mut dice, 60, 900.0, 20.0);
        assert!(compare(&base, &less).changes[0].is_worse());
        let (low, high) = compare(&base, &less).changes[0].interval;
        assert!(low > -15.0 && high < -5.0, "{low} {high}");
    }

    #[test]
    fn of_too_little_nothing_is_said() {
        let mut dice = StdRng::seed_from_u64(7);
        let (long, short) = (report(&mut dice, 60, 1000.0, 20.0), report(&mut dice, 10, 10.0, 20.0));
        let found = compare(&long, &short);
        assert_eq!((found.exit(), found.changes.len(), found.doubts.len()), (3, 0, 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn two_runs_of_the_same_seldom_differ(seed in any::<u64>()) {
            let mut dice = StdRng::seed_from_u64(seed);
            let found = compare(&report(&mut dice, 60, 1000.0, 20.0), &report(&mut dice, 60, 1000.0, 20.0));
            // Whatever chance makes of it is small.
            prop_assert!(found.changes.iter().all(|c| c.interval.0 < 2.0 && c.interval.1 > -2.0), "{found:?}");
        }
    }
}
