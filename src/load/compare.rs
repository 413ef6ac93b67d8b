//! Two load reports side by side: whether throughput or latency changed, or only moved as they always do. The seconds of
//! each run are drawn again and again (a moving block bootstrap: neighbours stay together, because a slow second is seldom
//! alone), and the difference of the means is told with an interval, which is widened as far as few blocks say little. It
//! holds the difference in 99 of 100 cases where seconds know nothing of each other, and in some 95 where half of a second
//! is that of the one before it.

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
/// The quantile of the normal distribution that goes with it.
const NORMAL: f64 = 2.576;
/// The smallest change that is one, in percent: machines drift by as much.
const SMALLEST: f64 = 1.0;

/// What is looked at: its name, whether more of it is worse, and how much of it a second has; none where it says nothing
/// of it.
type Quantity = (&'static str, bool, fn(&PointRow) -> Option<f64>);

/// One quantity in both runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What.
    pub what: &'static str,
    /// Mean over the seconds of the first run, and of the second.
    pub means: (f64, f64),
    /// The change of the second over the first: lowest and highest that are likely.
    pub interval: (f64, f64),
    /// Whether the change is in percent; else, where there was none of it in the first run, it is how much came.
    pub relative: bool,
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
    /// Whether the change is more than chance. What there was none of in a whole run does not come by chance.
    pub fn is_real(&self) -> bool {
        self.rises() || self.interval.1 < -SMALLEST
    }

    /// Whether it is real and for the worse.
    pub fn is_worse(&self) -> bool {
        if self.more_is_worse { self.rises() } else { self.interval.1 < -SMALLEST }
    }

    fn rises(&self) -> bool {
        if self.relative { self.interval.0 > SMALLEST } else { self.means.1 > 0.0 }
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
    doubts.extend(differences(first, second));
    for (which, report) in [("first", first), ("second", second)] {
        if report.total.errors > 0 {
            let share = report.total.errors as f64 * 100.0 / report.total.requests.max(1) as f64;
            doubts.push(format!("{share:.2} % of the requests of the {which} run have an error"));
        }
        if report.interrupted {
            doubts.push(format!("a person ended the {which} run"));
        }
        if let Some(why) = &report.aborted {
            doubts.push(format!("the {which} run ended before its time: {why}"));
        }
        let dropped = report.timetable.as_ref().map_or(0, |table| table.dropped);
        if dropped > 0 {
            doubts.push(format!("{dropped} plays of the {which} run were dropped: they are in no latency"));
        }
        let stopped: u64 = report.steps.iter().map(|row| row.stopped.saturating_add(row.skipped)).sum();
        if stopped > 0 {
            doubts.push(format!("{stopped} plays of the {which} run could not go on to their end"));
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
    for (which, points) in [("first", &a), ("second", &b)] {
        let silent = points.iter().filter(|p| p.requests == 0).count();
        if silent > 0 {
            doubts.push(format!(
                "in {silent} seconds of the {which} run nothing was answered: they have no latency"
            ));
        }
    }
    let quantities: [Quantity; 4] = [
        ("requests a second", false, |p| Some(p.requests as f64 / p.seconds.max(1) as f64)),
        ("latency p50 of a second (ms)", true, |p| (p.requests > 0).then_some(p.p50)),
        ("latency p99 of a second (ms)", true, |p| (p.requests > 0).then_some(p.p99)),
        ("errors a second", true, |p| Some(p.errors as f64 / p.seconds.max(1) as f64)),
    ];
    let mut changes = Vec::new();
    for (what, more_is_worse, of) in quantities {
        let (a, b): (Vec<f64>, Vec<f64>) =
            (a.iter().filter_map(|p| of(p)).collect(), b.iter().filter_map(|p| of(p)).collect());
        if a.len().min(b.len()) < FEWEST {
            doubts.push(format!(
                "{what}: {} and {} seconds have it, and {FEWEST} are needed",
                a.len(),
                b.len()
            ));
            continue;
        }
        let means = (mean(&a), mean(&b));
        // Of nothing there is no share.
        let relative = means.0 > 0.0;
        if relative || means.1 > 0.0 {
            changes.push(Change {
                what,
                means,
                interval: interval(&a, &b, relative),
                relative,
                more_is_worse,
            });
        }
    }
    Comparison { changes, doubts }
}

/// What makes one run another test than the other.
fn differences(first: &LoadReport, second: &LoadReport) -> Vec<String> {
    let mut differ = Vec::new();
    if first.org != second.org {
        differ.push(format!("the orgs differ: {} / {}", first.org, second.org));
    }
    if first.plan != second.plan {
        differ.push(format!("the plans differ: {} / {}", first.plan, second.plan));
    }
    let names = |report: &LoadReport| report.steps.iter().map(|row| row.step.clone()).collect::<Vec<_>>();
    if names(first) != names(second) {
        differ.push("the steps differ".to_owned());
    }
    if differ.is_empty() && first.run.print != second.run.print {
        let parts = "suites, target, seed, moment of begin or flags";
        differ.push(format!("they were not asked for the same: {parts} differ"));
    }
    differ
}

/// The whole seconds that were counted: neither the warm-up, nor one that the run ended in.
fn seconds(report: &LoadReport) -> Vec<&PointRow> {
    let ms = |seconds: u64| seconds.saturating_mul(1000) as f64;
    // It was written with three digits behind the point.
    let end = report.warm_up_ms + report.counted_ms + 0.001;
    let whole =
        |p: &&PointRow| ms(p.at_s) >= report.warm_up_ms && ms(p.at_s.saturating_add(p.seconds)) <= end;
    report.series.iter().filter(whole).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The likely change of the mean of `b` over that of `a`, in percent, or as it is where it is not relative. The draws are
/// the same for the same reports.
fn interval(a: &[f64], b: &[f64], relative: bool) -> (f64, f64) {
    let change = |a: f64, b: f64| match relative {
        false => b - a,
        true if a > 0.0 => (b / a - 1.0) * 100.0,
        true if b > 0.0 => f64::INFINITY,
        true => 0.0,
    };
    let mut dice = StdRng::seed_from_u64(0);
    let mut changes: Vec<f64> =
        (0..DRAWS).map(|_| change(drawn(a, &mut dice), drawn(b, &mut dice))).collect();
    changes.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let last = changes.len().saturating_sub(1);
        changes.get((share * last as f64).round() as usize).copied().unwrap_or(0.0)
    };
    let (middle, wider) = (change(mean(a), mean(b)), wider(a.len().min(b.len())));
    let (low, high) =
        (middle - (middle - at(OUTSIDE / 2.0)) * wider, middle + (at(1.0 - OUTSIDE / 2.0) - middle) * wider);
    // Nothing falls by more than all of it.
    (if relative { low.max(-100.0) } else { low }, high)
}

/// By how much an interval is widened, because blocks that overlap vary less than the seconds do, and because the variance
/// of few blocks is itself uncertain: Student's quantile in place of the normal one, by its expansion (Abramowitz and
/// Stegun, 26.7.5).
fn wider(values: usize) -> f64 {
    let (n, block) = (values as f64, block(values) as f64);
    let freedom = (2.0 * (n / block - 1.0)).max(1.0);
    let z = NORMAL;
    let student = z
        + (z.powi(3) + z) / (4.0 * freedom)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * freedom * freedom);
    (n / (n - block)).sqrt() * student / z
}

/// How many neighbours are drawn together, of so many.
fn block(values: usize) -> usize {
    (values as f64).sqrt().ceil() as usize
}

/// The mean of as many values as there are, drawn in blocks of neighbours.
fn drawn(values: &[f64], dice: &mut StdRng) -> f64 {
    let block = block(values.len());
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
        let Change { what, means: (first, second), interval: (low, high), .. } = change;
        let interval = match change.relative {
            true => format!("{low:+.1} % to {high:+.1} %"),
            false => format!("there was none; {low:+.3} to {high:+.3}"),
        };
        let _ = writeln!(out, "{word:<10} {what:<30} {first:>12.3} -> {second:>12.3}  {interval}");
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
        LoadReport { series, counted_ms: seconds as f64 * 1000.0, ..LoadReport::default() }
    }

    fn worse(found: &Comparison) -> Vec<&'static str> {
        found.changes.iter().filter(|c| c.is_worse()).map(|c| c.what).collect()
    }

    #[test]
    fn errors_that_come_from_nothing_are_worse() {
        let base = report(&mut StdRng::seed_from_u64(7), 30, 100.0, 20.0);
        let mut other = base.clone();
        other.series[4].errors = 1;
        let found = compare(&base, &other);
        assert_eq!((worse(&found), found.exit()), (vec!["errors a second"], 1));
        assert!(told(&found).contains("there was none"), "{}", told(&found));
        let back = compare(&other, &base);
        assert_eq!((worse(&back), back.exit()), (vec![], 0));
    }

    #[test]
    fn seconds_without_an_answer_have_no_latency() {
        let base = report(&mut StdRng::seed_from_u64(7), 30, 100.0, 20.0);
        let mut stalls = base.clone();
        for point in stalls.series.iter_mut().step_by(3) {
            (point.requests, point.p50, point.p99) = (0, 0.0, 0.0);
        }
        let found = compare(&base, &stalls);
        assert_eq!(worse(&found), ["requests a second"]);
        assert!(found.changes.iter().skip(1).all(|c| !c.is_real()), "{found:?}");
        assert!(found.doubts.iter().any(|why| why.starts_with("in 10 seconds of the second")), "{found:?}");
    }

    #[test]
    fn what_makes_runs_others_is_told() {
        let base = report(&mut StdRng::seed_from_u64(7), 30, 100.0, 20.0);
        assert_eq!(compare(&base, &base).doubts, [""; 0]);
        for (change, word) in [
            ((|r: &mut LoadReport| r.org = "https://other.example".into()) as fn(&mut LoadReport), "orgs"),
            (|r| r.plan = "closed".into(), "plans"),
            (|r| r.run.print = "another".into(), "not asked for the same"),
            (|r| r.steps.push(crate::load::report::StepRow::default()), "steps"),
            (|r| r.interrupted = true, "a person"),
            (|r| r.aborted = Some("because".into()), "before its time: because"),
            (|r| r.timetable.get_or_insert_default().dropped = 3, "3 plays of the second run were dropped"),
        ] {
            let mut other = base.clone();
            change(&mut other);
            let doubts = compare(&base, &other).doubts;
            assert!(doubts.len() == 1 && doubts[0].contains(word), "{word}: {doubts:?}");
        }
    }

    #[test]
    fn only_a_part_of_a_second_is_left_out() {
        let ten = report(&mut StdRng::seed_from_u64(7), 10, 100.0, 20.0);
        assert_eq!(compare(&ten, &ten).exit(), 0);
        let less = LoadReport { counted_ms: 9_999.0, ..ten.clone() };
        assert_eq!(compare(&ten, &less).exit(), 3);
        let warm = LoadReport { warm_up_ms: 1_000.0, counted_ms: 9_000.0, ..ten.clone() };
        assert_eq!(compare(&warm, &ten).exit(), 3);
    }

    #[test]
    fn seconds_that_depend_on_each_other_seldom_make_a_change() {
        // Half of each second is that of the one before it.
        let mut dice = StdRng::seed_from_u64(11);
        let mut run = |seconds: usize| {
            let mut last = 0.0;
            (0..seconds)
                .map(|_| {
                    let noise = (0..12).map(|_| dice.random::<f64>()).sum::<f64>() - 6.0;
                    last = 0.5 * last + 0.75_f64.sqrt() * noise;
                    100.0 + 10.0 * last
                })
                .collect::<Vec<f64>>()
        };
        for (seconds, most) in [(10, 16), (30, 14), (60, 12)] {
            let outside = (0..200).filter(|_| {
                let (low, high) = interval(&run(seconds), &run(seconds), true);
                low > 0.0 || high < 0.0
            });
            let outside = outside.count();
            assert!(outside <= most, "of 200 pairs of {seconds} seconds {outside}");
        }
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
        let (long, short) = (report(&mut dice, 60, 1000.0, 20.0), report(&mut dice, 9, 10.0, 20.0));
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
