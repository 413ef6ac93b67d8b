//! Thresholds on what was measured.

use super::gauge::StepGauge;
use crate::subject::workload::{Quantity, Threshold};

/// What a threshold looks at in a run, in its unit; none where nothing was measured. `time` is how long was counted, in
/// microseconds.
pub(super) fn value(threshold: &Threshold, gauge: &StepGauge, time: u64) -> Option<f64> {
    let requests = gauge.requests();
    if requests == 0 && threshold.what != Quantity::Rate {
        return None;
    }
    Some(match threshold.what {
        Quantity::Latency(share) => gauge.latency.at(share) as f64,
        Quantity::Mean => gauge.latency.mean(),
        Quantity::Longest => gauge.latency.longest() as f64,
        Quantity::ErrorShare => gauge.errors as f64 * 100.0 / requests as f64,
        Quantity::Errors => gauge.errors as f64,
        Quantity::Rate => requests as f64 * 1e6 / time.max(1) as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_keeps_no_threshold() {
        let read = |text: &str| Threshold::read(text).unwrap();
        let mut gauge = StepGauge::default();
        assert_eq!(value(&read("p99 < 1s"), &gauge, 1_000_000), None);
        assert_eq!(value(&read("rate > 1"), &gauge, 1_000_000), Some(0.0));
        for micros in [1_000, 2_000, 3_000, 4_000] {
            gauge.latency.record(micros);
            gauge.service.record(micros);
        }
        gauge.errors = 1;
        assert_eq!(value(&read("errors < 30%"), &gauge, 2_000_000), Some(25.0));
        assert_eq!(value(&read("rate > 1"), &gauge, 2_000_000), Some(2.0));
        // Three digits.
        let mean = value(&read("mean < 1s"), &gauge, 2_000_000).unwrap();
        assert!((mean - 2500.0).abs() < 2.5, "{mean}");
    }
}
