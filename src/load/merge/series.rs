//! Series of several processes laid over each other by the clock on the wall.

use std::collections::BTreeMap;

use super::Part;
use crate::diagnostic::Diagnostic;
use crate::load::gauge::Gauge;
use crate::load::report::{PointRow, ms};

/// One point of the whole, as it comes together.
#[derive(Default)]
struct Sum {
    point: PointRow,
    /// By part: how many seconds it covers here, and what was in flight at their end.
    by_part: BTreeMap<usize, (u64, u64)>,
    latency: Option<Gauge>,
    /// Whether the latencies of a point were not kept, so that only the slowest part can be told.
    coarse: bool,
}

/// The series of the whole. Where parts have points of different lengths, the longest decides.
pub(super) fn laid_over(parts: &[Part], problems: &mut Vec<Diagnostic>) -> Vec<PointRow> {
    let began = parts.iter().map(|part| part.report.run.began).min().unwrap_or(0);
    let points = || parts.iter().flat_map(|part| &part.report.series);
    let width = points().map(|point| point.seconds).max().unwrap_or(1).max(1);
    let mut sums: BTreeMap<u64, Sum> = BTreeMap::new();
    for (number, part) in parts.iter().enumerate() {
        // To the nearest second: a series has no finer places.
        let later = u64::try_from(part.report.run.began.saturating_sub(began).saturating_add(500) / 1000)
            .unwrap_or(0);
        for point in &part.report.series {
            let sum = sums.entry(point.at_s.saturating_add(later) / width).or_default();
            sum.add(number, point);
            let Some(text) = &point.hdr else {
                sum.coarse |= point.requests > 0;
                continue;
            };
            match Gauge::read(text) {
                Ok(gauge) => sum.latency.get_or_insert_default().add(&gauge),
                Err(why) => {
                    let message = format!("{}: the series cannot be added up: {why}", part.name);
                    if !problems.iter().any(|known| known.message == message) {
                        let help = "merge what this version of `grantcheck load` wrote, as it was written";
                        problems.push(Diagnostic::bare("bad-histogram", message).help(help));
                    }
                }
            }
        }
    }
    sums.into_iter().map(|(place, sum)| sum.told(place * width)).collect()
}

impl Sum {
    fn add(&mut self, part: usize, point: &PointRow) {
        let whole = &mut self.point;
        for (sum, more) in [
            (&mut whole.requests, point.requests),
            (&mut whole.errors, point.errors),
            (&mut whole.plays, point.plays),
            (&mut whole.renewals, point.renewals),
            (&mut whole.dropped, point.dropped),
        ] {
            *sum = sum.saturating_add(more);
        }
        whole.p50 = whole.p50.max(point.p50);
        whole.p99 = whole.p99.max(point.p99);
        whole.max = whole.max.max(point.max);
        let own = self.by_part.entry(part).or_default();
        *own = (own.0.saturating_add(point.seconds), point.in_flight);
    }

    fn told(self, at_s: u64) -> PointRow {
        let mut point = PointRow {
            at_s,
            seconds: self.by_part.values().map(|(seconds, _)| *seconds).max().unwrap_or(1),
            in_flight: self.by_part.values().map(|(_, in_flight)| *in_flight).fold(0, u64::saturating_add),
            ..self.point
        };
        if let Some(latency) = self.latency.filter(|latency| !self.coarse && latency.count() > 0) {
            point.p50 = ms(latency.at(0.5));
            point.p99 = ms(latency.at(0.99));
            point.max = ms(latency.longest());
        }
        point
    }
}
