//! What one thread counts. The thread that collects takes its second out of it once a second, so each tally has a lock
//! that nearly always nobody waits for.

use super::gauge::{Gauge, Slice, StepGauge};
use crate::transcript::Exchange;
use crate::verdict::Finding;

/// The most different findings that are told.
const MOST_FINDINGS: usize = 50;
/// The most plays that are kept for the catalogue, a thread.
const MOST_SAMPLES: usize = 64;
/// The most deaths of a grant that are told.
const MOST_DEATHS: usize = 20;

/// What one thread counts.
#[derive(Default)]
pub(super) struct Tally {
    /// By row: steps of all scenes, in order.
    pub(super) steps: Vec<StepGauge>,
    /// From the moment at which a play should have begun to its end, by scene.
    pub(super) plays: Vec<PlayGauge>,
    /// How much later than the timetable says plays began.
    pub(super) start_error: Gauge,
    /// Plays that began more than [`super::LATE`] after their time.
    pub(super) late: u64,
    /// Plays that were not begun because too many were in flight.
    pub(super) dropped: u64,
    /// New connections: how long each took to be there, and its TLS handshake.
    pub(super) connect: Gauge,
    pub(super) tls: Gauge,
    /// Signatures: how long each took, and how long it waited for its turn.
    pub(super) signing: Gauge,
    pub(super) signing_wait: Gauge,
    /// Signatures that were to be there beforehand, and were not.
    pub(super) ran_out: u64,
    /// Renewals and logins of sessions that outlive a play.
    pub(super) renewals: Gauge,
    pub(super) logins: Gauge,
    /// Renewals that failed.
    pub(super) failed_renewals: u64,
    /// Callers of the herd: how many are done, how many of them in vain, and when the last one was.
    pub(super) herd_done: u64,
    pub(super) herd_failed: u64,
    pub(super) herd_end: u64,
    /// Requests that were refused because their access token was dead.
    pub(super) refused: u64,
    /// Grants that died: when, in microseconds, of which scene, and why.
    pub(super) deaths: Vec<(u64, usize, String)>,
    pub(super) died: u64,
    /// The second that is going on.
    pub(super) slice: Slice,
    /// Plays in flight.
    pub(super) in_flight: u64,
    /// What does not hold.
    pub(super) findings: Vec<Found>,
    /// Findings that are not told one by one any more.
    pub(super) more_findings: u64,
    /// Plays for the catalogue, each with its scene.
    pub(super) samples: Vec<(usize, Vec<Exchange>)>,
    /// Every how many plays one is taken.
    pub(super) sample_every: u64,
    /// Plays that were counted and those of the warm-up.
    pub(super) counted: u64,
    pub(super) warm_up: u64,
    /// Of the thread, in microseconds: processor time, and how long it ran.
    pub(super) cpu: Option<(u64, u64)>,
    /// When the last answer came, in microseconds.
    pub(super) last: u64,
}

/// Plays of one scene.
#[derive(Clone, Debug, Default)]
pub(super) struct PlayGauge {
    /// From the moment at which it should have begun to its end.
    pub(super) latency: Gauge,
    /// Plays in which everything held.
    pub(super) pass: u64,
    /// Plays in which something did not hold.
    pub(super) fail: u64,
    /// Plays that prove nothing.
    pub(super) inconclusive: u64,
}

/// Something that does not hold, as often as it was seen: what was expected and came is of the first time.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) scene: usize,
    pub(super) step: usize,
    pub(super) finding: Finding,
    pub(super) times: u64,
    /// When it was seen first, in microseconds.
    pub(super) first: u64,
    /// The play in which it was seen first.
    pub(super) exchanges: Vec<Exchange>,
}

impl Tally {
    pub(super) fn new(rows: usize, scenes: usize) -> Self {
        Self {
            steps: vec![StepGauge::default(); rows],
            plays: vec![PlayGauge::default(); scenes],
            sample_every: 1,
            ..Self::default()
        }
    }

    /// Takes a finding in. `exchanges` makes the play that it was seen in, which is kept where it is the first of its
    /// kind.
    pub(super) fn found(
        &mut self,
        (scene, step): (usize, usize),
        finding: Finding,
        now: u64,
        exchanges: impl FnOnce() -> Vec<Exchange>,
    ) {
        self.found_often((scene, step), finding, (1, now), exchanges);
    }

    fn found_often(
        &mut self,
        (scene, step): (usize, usize),
        finding: Finding,
        (times, first): (u64, u64),
        exchanges: impl FnOnce() -> Vec<Exchange>,
    ) {
        let place = |finding: &Finding| finding.at.as_ref().map(|(_, span)| *span);
        let same = |found: &&mut Found| {
            // What came, and what was expected where it is a value of the play, may be another each time: the place in
            // the suite tells findings apart.
            (found.scene, found.step, found.finding.verdict) == (scene, step, finding.verdict)
                && place(&found.finding) == place(&finding)
        };
        if let Some(found) = self.findings.iter_mut().find(same) {
            found.times += times;
            // The first one of all threads is told.
            if first < found.first {
                (found.first, found.finding, found.exchanges) = (first, finding, exchanges());
            }
        } else if self.findings.len() < MOST_FINDINGS {
            self.findings.push(Found { scene, step, finding, times, first, exchanges: exchanges() });
        } else {
            self.more_findings += times;
        }
    }

    /// Whether the play of that number, counted from 0 by this thread, is one for the catalogue.
    pub(super) fn samples(&self, number: u64) -> bool {
        number.is_multiple_of(self.sample_every)
    }

    /// Keeps a play for the catalogue; where there are too many, every other one goes, and half as many come.
    pub(super) fn sampled(&mut self, scene: usize, exchanges: Vec<Exchange>) {
        if self.samples.len() >= MOST_SAMPLES {
            let mut keep = false;
            self.samples.retain(|_| {
                keep = !keep;
                keep
            });
            self.sample_every *= 2;
        }
        self.samples.push((scene, exchanges));
    }

    /// A grant died.
    pub(super) fn death(&mut self, now: u64, scene: usize, why: String) {
        self.died += 1;
        if self.deaths.len() < MOST_DEATHS {
            self.deaths.push((now, scene, why));
        }
    }

    /// Takes in what another thread counted.
    pub(super) fn add(&mut self, other: Tally) {
        for (step, more) in self.steps.iter_mut().zip(&other.steps) {
            step.add(more);
        }
        for (play, more) in self.plays.iter_mut().zip(&other.plays) {
            play.latency.add(&more.latency);
            play.pass += more.pass;
            play.fail += more.fail;
            play.inconclusive += more.inconclusive;
        }
        let gauges = [
            (&mut self.start_error, &other.start_error),
            (&mut self.connect, &other.connect),
            (&mut self.tls, &other.tls),
            (&mut self.signing, &other.signing),
            (&mut self.signing_wait, &other.signing_wait),
            (&mut self.renewals, &other.renewals),
            (&mut self.logins, &other.logins),
        ];
        for (gauge, more) in gauges {
            gauge.add(more);
        }
        self.late += other.late;
        self.dropped += other.dropped;
        self.ran_out += other.ran_out;
        self.failed_renewals += other.failed_renewals;
        self.refused += other.refused;
        self.died += other.died;
        self.herd_done += other.herd_done;
        self.herd_failed += other.herd_failed;
        self.herd_end = self.herd_end.max(other.herd_end);
        self.more_findings += other.more_findings;
        self.counted += other.counted;
        self.warm_up += other.warm_up;
        self.last = self.last.max(other.last);
        self.deaths.extend(other.deaths);
        self.deaths.sort_by_key(|(at, ..)| *at);
        self.deaths.truncate(MOST_DEATHS);
        self.samples.extend(other.samples);
        for found in other.findings {
            let Found { scene, step, finding, times, first, exchanges } = found;
            self.found_often((scene, step), finding, (times, first), || exchanges);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Span, Text};
    use crate::verdict::{Level, Verdict};

    fn finding(expected: &str, from: usize) -> Finding {
        Finding {
            check: None,
            verdict: Verdict::Fail,
            level: Level::Must,
            expected: expected.to_owned(),
            observed: "something else".to_owned(),
            exchanges: Vec::new(),
            grave: false,
            at: Some((Text::new("t.yaml", "x".repeat(1000)), Span { start: from, end: from + 1 })),
        }
    }

    #[test]
    fn values_of_the_plays_make_no_kinds_of_findings() {
        let mut tally = Tally::new(2, 1);
        for play in 0..200 {
            tally.found((0, 0), finding(&format!("body echo \"{play}\""), 1), play, Vec::new);
        }
        tally.found((0, 1), finding("status 200", 1), 200, Vec::new);
        let told: Vec<_> = tally.findings.iter().map(|found| (found.step, found.times)).collect();
        assert_eq!((told, tally.more_findings), (vec![(0, 200), (1, 1)], 0));
        let mut other = Tally::new(2, 1);
        other.found((0, 1), finding("what came first", 1), 7, Vec::new);
        tally.add(other);
        let found = &tally.findings[1];
        assert_eq!((found.times, found.first, found.finding.expected.as_str()), (2, 7, "what came first"));
        (0..100).for_each(|place| tally.found((0, 1), finding("status 200", place), 0, Vec::new));
        assert_eq!((tally.findings.len(), tally.more_findings), (MOST_FINDINGS, 51));
    }
}
