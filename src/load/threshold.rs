//! What must hold of a whole run: latency, errors and rate, of all steps or of one.

use super::gauge::StepGauge;
use crate::oauth::duration;

/// What must hold of a run.
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
    /// After how many microseconds of counted time the run ends where it does not hold; none where it runs on.
    pub abort_after: Option<u64>,
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

/// What a threshold looks at in a run.
pub struct Measured<'m> {
    /// The step.
    pub gauge: &'m StepGauge,
    /// How long was counted, in microseconds.
    pub time: u64,
}

impl Threshold {
    /// Reads `p99 < 250ms`, `errors < 1%`, `rate >= 100/s`, with `STEP: ` before it where it is about one step.
    ///
    /// # Errors
    /// What is wrong, and how to write it.
    pub fn read(text: &str) -> Result<Self, String> {
        const HELP: &str = "write for example `p99 < 250ms`, `errors < 1%` or `jwt-bearer: rate >= 100/s`";
        let wrong = || HELP.to_owned();
        let (step, rest) = match text.rsplit_once(": ") {
            Some((step, rest)) => (Some(step.trim().to_owned()), rest),
            None => (None, text),
        };
        let at = rest.find(['<', '>']).ok_or_else(wrong)?;
        let (name, bound) = rest.split_at(at);
        let below = bound.starts_with('<');
        let or_equal = bound[1..].starts_with('=');
        let bound = bound[1 + usize::from(or_equal)..].trim();
        let time = || {
            duration(bound)
                .filter(|millis| *millis >= 0)
                .map(|millis| millis as f64 * 1000.0)
                .ok_or_else(wrong)
        };
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite()).ok_or_else(wrong);
        let (what, bound) = match name.trim() {
            "mean" => (Quantity::Mean, time()?),
            "max" => (Quantity::Longest, time()?),
            "rate" => (Quantity::Rate, number(bound.trim_end_matches("/s"))?),
            "errors" => match bound.strip_suffix('%') {
                Some(share) => (Quantity::ErrorShare, number(share)?),
                None => (Quantity::Errors, number(bound)?),
            },
            name => {
                let share =
                    name.strip_prefix('p').and_then(|digits| digits.parse::<f64>().ok()).ok_or_else(wrong)?;
                if !(0.0..=100.0).contains(&share) {
                    return Err(wrong());
                }
                (Quantity::Latency(share / 100.0), time()?)
            }
        };
        let text = text.trim().to_owned();
        Ok(Self { text, step, what, below, or_equal, bound, abort_after: None })
    }

    /// Whether it is about a step of that name.
    pub fn is_about(&self, name: &str) -> bool {
        self.step.as_ref().is_none_or(|step| name.contains(step.as_str()))
    }

    /// What it looks at, in its unit; none where nothing was measured.
    pub fn value(&self, measured: &Measured<'_>) -> Option<f64> {
        let gauge = measured.gauge;
        let requests = gauge.requests();
        if requests == 0 && self.what != Quantity::Rate {
            return None;
        }
        Some(match self.what {
            Quantity::Latency(share) => gauge.latency.at(share) as f64,
            Quantity::Mean => gauge.latency.mean(),
            Quantity::Longest => gauge.latency.longest() as f64,
            Quantity::ErrorShare => gauge.errors as f64 * 100.0 / requests as f64,
            Quantity::Errors => gauge.errors as f64,
            Quantity::Rate => requests as f64 * 1e6 / measured.time.max(1) as f64,
        })
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
            assert!(Threshold::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_not_measured_keeps_no_threshold() {
        let gauge = StepGauge::default();
        let measured = Measured { gauge: &gauge, time: 1_000_000 };
        assert_eq!(Threshold::read("p99 < 1s").unwrap().value(&measured), None);
        assert_eq!(Threshold::read("rate > 1").unwrap().value(&measured), Some(0.0));
    }
}
