//! What is measured: a histogram for each step and phase, exact counts, and a series over time. Pure: whoever drives
//! hands in moments and durations. Histograms of several threads are added without loss.

mod hdr;

pub use hdr::Unreadable;

use hdrhistogram::Histogram;
use std::collections::BTreeMap;

use super::pace::SECOND;

/// The longest time that a histogram holds, in microseconds: an hour. What is longer counts as that.
const LONGEST: u64 = 3600 * SECOND;
/// How many points a series holds at most; then each two become one.
const MOST_POINTS: usize = 1200;

/// Durations in microseconds with three significant digits.
#[derive(Clone, Debug)]
pub struct Gauge(Histogram<u64>);

impl Default for Gauge {
    fn default() -> Self {
        // It begins small and grows to what it has seen; three digits are always within its bounds.
        let histogram = Histogram::new(3).expect("three digits are allowed");
        Self(histogram)
    }
}

impl Gauge {
    /// Takes one duration in.
    pub fn record(&mut self, micros: u64) {
        // It grows to whatever is up to the longest, so this cannot fail.
        let _ = self.0.record(micros.min(LONGEST));
    }

    /// Takes in what another one has.
    pub fn add(&mut self, other: &Gauge) {
        // One that grows by itself takes whatever the other holds.
        let _ = self.0.add(&other.0);
    }

    /// What was taken in since it was like that.
    pub fn since(&self, before: &Gauge) -> Gauge {
        let mut since = self.clone();
        // Whatever was there before is there still.
        if since.0.subtract(&before.0).is_err() {
            since.clear();
        }
        since
    }

    /// Every duration that there is, to three digits, in microseconds, with how many of them there are.
    pub fn all(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value()))
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The duration that such a share of all does not exceed (0.99 for p99); 0 where there are none.
    pub fn at(&self, share: f64) -> u64 {
        self.0.value_at_quantile(share)
    }

    /// The mean, in microseconds.
    pub fn mean(&self) -> f64 {
        self.0.mean()
    }

    /// The longest.
    pub fn longest(&self) -> u64 {
        self.0.max()
    }

    /// The shortest; 0 where there are none.
    pub fn shortest(&self) -> u64 {
        self.0.min()
    }

    /// Forgets everything and keeps its room.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many were not longer than that.
    pub fn up_to(&self, micros: u64) -> u64 {
        self.0.count_between(0, micros)
    }
}

/// What one step came to.
#[derive(Clone, Debug, Default)]
pub struct StepGauge {
    /// From the moment at which it should have begun to the end of the answer. The first step of a play should have begun
    /// when the timetable says; every other when the one before it was over.
    pub latency: Gauge,
    /// From the moment at which it was sent to the end of the answer.
    pub service: Gauge,
    /// From the moment at which it was sent to the first byte of the answer.
    pub first_byte: Gauge,
    /// Requests of which an expectation did not hold, or that had no answer.
    pub errors: u64,
    /// Expectations that did not hold.
    pub fails: u64,
    /// Expectations that prove nothing.
    pub doubts: u64,
    /// Plays that could not go on here, by what the server did: no request was sent.
    pub stopped: u64,
    /// Plays that could not go on here because something else had not held before.
    pub skipped: u64,
    /// How often each status came; 0 is no answer.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests that waited for a renewal of their access token. Neither the renewal nor the refused request is in
    /// the latency of the step.
    pub waited: u64,
    /// How long they waited.
    pub wait: Gauge,
}

impl StepGauge {
    /// Requests that are in it.
    pub fn requests(&self) -> u64 {
        self.service.count()
    }

    /// Takes in what another one has.
    pub fn add(&mut self, other: &StepGauge) {
        self.latency.add(&other.latency);
        self.service.add(&other.service);
        self.first_byte.add(&other.first_byte);
        self.wait.add(&other.wait);
        self.errors += other.errors;
        self.fails += other.fails;
        self.doubts += other.doubts;
        self.stopped += other.stopped;
        self.skipped += other.skipped;
        self.waited += other.waited;
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
    }
}

/// One thread's part of a second.
#[derive(Clone, Debug, Default)]
pub struct Slice {
    /// Requests that were answered in it.
    pub requests: u64,
    /// Of these, requests with an error.
    pub errors: u64,
    /// Plays that were over in it.
    pub plays: u64,
    /// Renewals that were over in it.
    pub renewals: u64,
    /// Plays that were not begun because too many were in flight.
    pub dropped: u64,
    /// Plays in flight at its end.
    pub in_flight: u64,
    /// Latencies of its requests.
    pub latency: Gauge,
}

impl Slice {
    /// Takes in another thread's part.
    pub fn add(&mut self, other: &Slice) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.plays += other.plays;
        self.renewals += other.renewals;
        self.dropped += other.dropped;
        self.in_flight += other.in_flight;
        self.latency.add(&other.latency);
    }

    /// Forgets everything and keeps its room.
    pub fn clear(&mut self) {
        let Slice { requests, errors, plays, renewals, dropped, in_flight, latency } = self;
        for number in [requests, errors, plays, renewals, dropped, in_flight] {
            *number = 0;
        }
        latency.clear();
    }
}

/// One point of the series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// When it begins, in seconds since the begin of the run.
    pub at: u64,
    /// How many seconds it covers.
    pub seconds: u64,
    /// Requests that were answered in it.
    pub requests: u64,
    /// Of these, requests with an error.
    pub errors: u64,
    /// Plays that were over in it.
    pub plays: u64,
    /// Renewals that were over in it.
    pub renewals: u64,
    /// Plays that were not begun because too many were in flight.
    pub dropped: u64,
    /// Plays in flight at its end.
    pub in_flight: u64,
    /// Latency at the middle, of a point of several seconds that of the slowest.
    pub p50: u64,
    /// Latency that one in a hundred exceeded, of the slowest second.
    pub p99: u64,
    /// The longest latency.
    pub longest: u64,
    /// All latencies as text, where they are kept.
    pub latency: Option<String>,
}

impl Point {
    fn of(at: u64, slice: &Slice, keeps: bool) -> Self {
        Self {
            at,
            seconds: 1,
            requests: slice.requests,
            errors: slice.errors,
            plays: slice.plays,
            renewals: slice.renewals,
            dropped: slice.dropped,
            in_flight: slice.in_flight,
            p50: slice.latency.at(0.5),
            p99: slice.latency.at(0.99),
            longest: slice.latency.longest(),
            latency: keeps.then(|| slice.latency.text()),
        }
    }

    fn and(self, next: Point) -> Self {
        let both = self.latency.as_deref().zip(next.latency.as_deref());
        // We wrote them, so they can be read.
        let latency = both.and_then(|(one, other)| {
            let mut gauge = Gauge::read(one).ok()?;
            gauge.add(&Gauge::read(other).ok()?);
            Some(gauge.text())
        });
        Self {
            latency,
            at: self.at,
            seconds: self.seconds + next.seconds,
            requests: self.requests + next.requests,
            errors: self.errors + next.errors,
            plays: self.plays + next.plays,
            renewals: self.renewals + next.renewals,
            dropped: self.dropped + next.dropped,
            in_flight: next.in_flight,
            p50: self.p50.max(next.p50),
            p99: self.p99.max(next.p99),
            longest: self.longest.max(next.longest),
        }
    }
}

/// A series over time that does not grow with the length of a run: when it is full, each two points become one.
#[derive(Clone, Debug)]
pub struct Series {
    points: Vec<Point>,
    /// How many seconds a whole point covers.
    width: u64,
    /// Whether all latencies of a point are kept, so that it can be put together with those of other processes.
    keeps: bool,
}

impl Default for Series {
    fn default() -> Self {
        Self { points: Vec::with_capacity(MOST_POINTS), width: 1, keeps: false }
    }
}

impl Series {
    /// One that keeps all latencies of each point.
    pub fn keeping() -> Self {
        Self { keeps: true, ..Self::default() }
    }

    /// Takes in a second; seconds come in order.
    pub fn push(&mut self, second: u64, slice: &Slice) {
        let point = Point::of(second, slice, self.keeps);
        match self.points.last_mut() {
            Some(last) if last.seconds < self.width => *last = std::mem::take(last).and(point),
            _ => self.points.push(point),
        }
        if self.points.len() == MOST_POINTS
            && self.points.last().is_some_and(|last| last.seconds == self.width)
        {
            self.points = self
                .points
                .chunks(2)
                .map(|two| two.iter().cloned().reduce(Point::and).unwrap_or_default())
                .collect();
            self.points.reserve_exact(MOST_POINTS - self.points.len());
            self.width *= 2;
        }
    }

    /// The points in order.
    pub fn points(&self) -> &[Point] {
        &self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::pace::{Course, Timetable};
    use crate::subject::workload::Arrivals;
    use proptest::prelude::*;

    /// A server that answers at once, but stands still between two moments, seen by an open run of ten seconds at 200/s.
    fn stalled(from: u64, to: u64) -> Gauge {
        let mut latency = Gauge::default();
        for (_, begins) in Timetable::new(Course::steady(200.0), Arrivals::Constant, [0; 32])
            .take_while(|(_, at)| *at < 10 * SECOND)
        {
            let ends = if (from..to).contains(&begins) { to } else { begins + 300 };
            latency.record(ends - begins);
        }
        latency
    }

    #[test]
    fn a_server_that_stands_still_is_seen_by_everybody_who_should_have_been_served() {
        let latency = stalled(4 * SECOND, 6 * SECOND);
        let near = |share: f64, wanted: f64| {
            let told = latency.at(share) as f64 / SECOND as f64;
            assert!((told / wanted - 1.0).abs() < 0.01, "{share}: {told} instead of {wanted}");
        };
        near(0.9, 1.0);
        near(0.95, 1.5);
        near(0.99, 1.9);
        assert_eq!((latency.count(), latency.at(0.5)), (2000, 300));
    }

    #[test]
    fn a_series_has_its_sums_however_long_it_is() {
        let mut series = Series::default();
        let mut slice = Slice::default();
        for second in 0..100_000u64 {
            slice.clear();
            slice.requests = second % 7;
            slice.latency.record(second);
            series.push(second, &slice);
        }
        let points = series.points();
        assert!(points.len() < MOST_POINTS && points.len() >= MOST_POINTS / 2);
        assert_eq!(
            points.iter().map(|p| p.requests).sum::<u64>(),
            (0..100_000u64).map(|s| s % 7).sum::<u64>()
        );
        assert_eq!(points.iter().map(|p| p.seconds).sum::<u64>(), 100_000);
        assert!(points.windows(2).all(|two| two[0].at + two[0].seconds == two[1].at));
    }

    #[test]
    fn a_series_that_keeps_latencies_loses_none() {
        let (mut series, mut whole) = (Series::keeping(), Gauge::default());
        for second in 0..MOST_POINTS as u64 + 10 {
            let mut slice = Slice::default();
            slice.latency.record(second * 1000);
            whole.record(second * 1000);
            series.push(second, &slice);
        }
        let mut merged = Gauge::default();
        for point in series.points() {
            merged.add(&Gauge::read(point.latency.as_deref().unwrap()).unwrap());
        }
        assert_eq!(merged.0, whole.0);
        assert_eq!(series.points()[0].seconds, 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_threads_measured_apart_is_what_one_would_have_measured(
            parts in prop::collection::vec(prop::collection::vec(0u64..100_000_000, 0..200), 1..6),
        ) {
            let (mut merged, mut whole) = (Gauge::default(), Gauge::default());
            for part in &parts {
                let mut gauge = Gauge::default();
                for value in part {
                    gauge.record(*value);
                    whole.record(*value);
                }
                merged.add(&gauge);
            }
            prop_assert_eq!(&merged.0, &whole.0);
            let mut all: Vec<u64> = parts.concat();
            all.sort_unstable();
            for share in [0.5, 0.9, 0.99] {
                if let Some(exact) = all.get(((all.len() as f64 * share).ceil() as usize).saturating_sub(1)) {
                    prop_assert!(merged.at(share).abs_diff(*exact) as f64 <= *exact as f64 * 0.001 + 1.0);
                }
            }
        }
    }
}
