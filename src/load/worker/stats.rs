//! What a Locust master is told every three seconds: what was counted since the last time, in its shape. Pure. The
//! percentiles that it makes of this are rounded by it; the exact histograms come with the report.

use rmpv::Value;
use std::collections::BTreeMap;

use super::message::{map, users};
use crate::load::drive::SoFar;
use crate::load::gauge::Gauge;
use crate::report::Word;

/// The longest text of an error that is told.
const LONGEST: usize = 500;

/// What is added up between two messages.
#[derive(Default)]
pub struct Stats {
    /// What was counted when it was looked at last.
    last: SoFar,
    /// By step.
    steps: Vec<Added>,
    errors: BTreeMap<String, Seen>,
    /// Since when, in seconds since the epoch.
    since: f64,
}

#[derive(Default)]
struct Added {
    name: String,
    latency: Gauge,
    errors: u64,
    /// Requests and errors of each second since the epoch.
    seconds: BTreeMap<i64, (u64, u64)>,
}

struct Seen {
    step: String,
    error: String,
    times: u64,
    first: f64,
    last: f64,
}

impl Stats {
    /// A test begins at that moment, in milliseconds since the epoch.
    pub fn begin(now: i64) -> Self {
        Self { since: seconds(now), ..Self::default() }
    }

    /// Takes in what was counted so far.
    pub fn take(&mut self, so_far: SoFar) {
        // What is counted in a second is looked at when it is over.
        let second = so_far.at.saturating_sub(500).div_euclid(1000);
        for (i, step) in so_far.steps.iter().enumerate() {
            if self.steps.len() <= i {
                self.steps.push(Added { name: step.name.clone(), ..Added::default() });
            }
            let before = self.last.steps.get(i);
            let more =
                before.map_or_else(|| step.latency.clone(), |before| step.latency.since(&before.latency));
            let errors = step.errors.saturating_sub(before.map_or(0, |before| before.errors));
            let added = &mut self.steps[i];
            if more.count() > 0 || errors > 0 {
                let at = added.seconds.entry(second).or_default();
                (at.0, at.1) = (at.0 + more.count(), at.1 + errors);
            }
            added.latency.add(&more);
            added.errors += errors;
        }
        for found in &so_far.findings {
            let same = |known: &&crate::load::report::FoundRow| {
                (&known.step, &known.at, known.verdict) == (&found.step, &found.at, found.verdict)
            };
            let before = self.last.findings.iter().find(same).map_or(0, |known| known.times);
            let times = found.times.saturating_sub(before);
            if times == 0 {
                continue;
            }
            let word = if found.verdict == Word::Fail { "" } else { "in doubt: " };
            let error = cut(&format!("{word}expected {}, observed {}", found.expected, found.observed));
            let now = seconds(so_far.at);
            let seen = self.errors.entry(format!("{}\n{error}", found.step)).or_insert_with(|| Seen {
                step: found.step.clone(),
                error,
                times: 0,
                first: now,
                last: now,
            });
            seen.times += times;
            seen.last = now;
        }
        self.last = so_far;
    }

    /// The data of a `stats` message, with the users that there are; what is told is not told again.
    pub fn told(&mut self, now_users: &BTreeMap<String, u64>) -> Value {
        let last = seconds(self.last.at);
        let since = self.since;
        self.since = last.max(since);
        let mut total = Added { name: "Aggregated".to_owned(), ..Added::default() };
        let mut entries = Vec::new();
        for step in &mut self.steps {
            let requests = step.latency.count();
            if requests == 0 {
                continue;
            }
            // To Locust a failure is a request. One that was seen before its request was counted is told with the next.
            let later = step.errors.saturating_sub(requests);
            let next = Added { name: step.name.clone(), errors: later, ..Added::default() };
            let step = Added { errors: step.errors - later, ..std::mem::replace(step, next) };
            total.latency.add(&step.latency);
            total.errors += step.errors;
            for (second, (requests, errors)) in &step.seconds {
                let at = total.seconds.entry(*second).or_default();
                (at.0, at.1) = (at.0 + requests, at.1 + errors);
            }
            entries.push(step.entry("play", since, last));
        }
        let errors = std::mem::take(&mut self.errors).into_iter().map(|(key, seen)| {
            let data = map([
                ("name", seen.step.into()),
                ("method", "play".into()),
                ("error", seen.error.into()),
                ("occurrences", seen.times.into()),
                ("first_seen", seen.first.into()),
                ("last_seen", seen.last.into()),
            ]);
            (Value::from(hash(&key)), data)
        });
        let [classes, count] = users(now_users);
        map([
            ("stats", Value::Array(entries)),
            ("stats_total", total.entry("", since, last)),
            ("errors", Value::Map(errors.collect())),
            classes,
            count,
        ])
    }
}

impl Added {
    fn entry(&self, method: &str, since: f64, last: f64) -> Value {
        let requests = self.latency.count();
        let ms = |micros: u64| micros as f64 / 1000.0;
        let some = |value: f64| if requests == 0 { Value::Nil } else { value.into() };
        let each = |of: fn(&(u64, u64)) -> u64| {
            let seconds = self.seconds.iter().filter(|(_, counts)| of(counts) > 0);
            Value::Map(seconds.map(|(second, counts)| ((*second).into(), of(counts).into())).collect())
        };
        let times = self.latency.all().map(|(micros, count)| (ms(micros).into(), count.into()));
        map([
            ("name", self.name.as_str().into()),
            ("method", method.into()),
            ("last_request_timestamp", some(last)),
            ("start_time", since.into()),
            ("num_requests", requests.into()),
            ("num_none_requests", 0.into()),
            ("num_failures", self.errors.into()),
            ("total_response_time", (self.latency.mean() * requests as f64 / 1000.0).into()),
            ("max_response_time", ms(self.latency.longest()).into()),
            ("min_response_time", some(ms(self.latency.shortest()))),
            ("total_content_length", 0.into()),
            ("response_times", Value::Map(times.collect())),
            ("num_reqs_per_sec", each(|(requests, _)| *requests)),
            ("num_fail_per_sec", each(|(_, errors)| *errors)),
        ])
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// The same for the same text, wherever it is asked.
fn hash(text: &str) -> String {
    crate::oauth::sha256(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::drive::StepSoFar;
    use crate::load::report::FoundRow;

    fn so_far(at: i64, latencies: &[u64], errors: u64, times: u64) -> SoFar {
        let mut latency = Gauge::default();
        latencies.iter().for_each(|micros| latency.record(*micros));
        let found = FoundRow {
            step: "s › a › 1 call".into(),
            verdict: Word::Fail,
            times,
            first_ms: 0.0,
            expected: "status 200".into(),
            observed: "500".into(),
            at: None,
        };
        SoFar {
            at,
            steps: vec![StepSoFar { name: "s › a › 1 call".into(), latency, errors }],
            findings: if times > 0 { vec![found] } else { Vec::new() },
            died: 0,
        }
    }

    fn get<'v>(value: &'v Value, path: &[&str]) -> &'v Value {
        path.iter().fold(value, |value, name| {
            let by_name = |value: &'v Value| {
                value.as_map()?.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, v)| v)
            };
            let by_number = || name.parse::<usize>().ok().and_then(|i| value.as_array()?.get(i));
            by_name(value).or_else(by_number).unwrap_or_else(|| panic!("{name} of {value}"))
        })
    }

    #[test]
    fn nothing_is_told_twice_and_nothing_is_lost() {
        let mut stats = Stats::begin(10_000);
        let none = BTreeMap::new();
        stats.take(so_far(11_001, &[1000, 2000], 1, 1));
        stats.take(so_far(12_002, &[1000, 2000, 2000], 1, 1));
        let told = stats.told(&[("A".to_owned(), 2), ("B".to_owned(), 1)].into());
        for entry in [get(&told, &["stats", "0"]), get(&told, &["stats_total"])] {
            assert_eq!(
                (get(entry, &["num_requests"]), get(entry, &["num_failures"])),
                (&3.into(), &1.into())
            );
            assert_eq!(get(entry, &["start_time"]), &10.0.into());
            assert_eq!(get(entry, &["last_request_timestamp"]), &12.002.into());
            // 10.5 s and 11.5 s are in the seconds 10 and 11.
            let seconds = Value::Map(vec![(10.into(), 2.into()), (11.into(), 1.into())]);
            assert_eq!(get(entry, &["num_reqs_per_sec"]), &seconds);
            let times = Value::Map(vec![(1.0.into(), 1.into()), (2.0.into(), 2.into())]);
            assert_eq!(get(entry, &["response_times"]), &times);
            assert_eq!(get(entry, &["total_response_time"]), &5.0.into());
        }
        assert_eq!(get(&told, &["user_count"]), &3.into());
        let errors = get(&told, &["errors"]).as_map().unwrap();
        assert_eq!((errors.len(), get(&errors[0].1, &["occurrences"])), (1, &1.into()));
        assert_eq!(get(&errors[0].1, &["error"]), &"expected status 200, observed 500".into());
        // What is told of a kind may be another play's each time.
        let mut more = so_far(13_000, &[1000, 2000, 2000, 70], 3, 3);
        more.findings[0].expected = "body echo \"another value\"".into();
        stats.take(more);
        let told = stats.told(&none);
        assert_eq!(get(&told, &["stats_total", "num_requests"]), &1.into());
        // There are no more failures than requests: the other one is told with the next.
        assert_eq!(get(&told, &["stats_total", "num_failures"]), &1.into());
        let errors = get(&told, &["errors"]).as_map().unwrap();
        assert_eq!((errors.len(), get(&errors[0].1, &["occurrences"])), (1, &2.into()));
        assert_eq!(get(&told, &["stats_total", "start_time"]), &12.002.into());
        let nothing = stats.told(&none);
        assert_eq!(get(&nothing, &["stats"]), &Value::Array(vec![]));
        assert_eq!(get(&nothing, &["stats_total", "last_request_timestamp"]), &Value::Nil);
        assert_eq!(get(&nothing, &["stats_total", "num_requests"]), &0.into());
        stats.take(so_far(14_000, &[1000, 2000, 2000, 70, 70], 3, 3));
        assert_eq!(get(&stats.told(&none), &["stats_total", "num_failures"]), &1.into());
    }
}
