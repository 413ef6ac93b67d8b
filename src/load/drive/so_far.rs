//! What was counted so far, for a master that is told while a run goes on.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Job, rows};
use crate::load::gauge::Gauge;
use crate::load::report::{FoundRow, found_row};
use crate::load::tally::Tally;
use crate::wire::clock::real_now;

/// What was counted so far. Every secret in it is replaced by its fingerprint.
#[derive(Clone, Debug, Default)]
pub struct SoFar {
    /// When it was looked at, in milliseconds since the epoch.
    pub at: i64,
    /// Each step.
    pub steps: Vec<StepSoFar>,
    /// What did not hold, as often as it was seen.
    pub findings: Vec<FoundRow>,
    /// Grants that died.
    pub died: u64,
}

/// What one step came to so far.
#[derive(Clone, Debug, Default)]
pub struct StepSoFar {
    /// `suite › scenario › n do`.
    pub name: String,
    /// Latencies.
    pub latency: Gauge,
    /// Requests with an error.
    pub errors: u64,
}

/// Looks at what all threads counted, where somebody wants to be told.
pub(super) struct Looker<'j> {
    job: &'j Job,
    names: Vec<(String, usize)>,
    findings: Vec<FoundRow>,
    /// How often findings had been seen when they were put into words.
    seen: u64,
}

impl<'j> Looker<'j> {
    pub(super) fn new(job: &'j Job) -> Self {
        let names = if job.master.is_some() { rows(&job.scenes) } else { Vec::new() };
        Self { job, names, findings: Vec::new(), seen: 0 }
    }

    pub(super) fn look(&mut self, tallies: &[Arc<Mutex<Tally>>]) {
        let Some(master) = &self.job.master else { return };
        let mut whole = Tally::new(0, 0);
        let mut steps: Vec<StepSoFar> = self
            .names
            .iter()
            .map(|(name, _)| StepSoFar { name: name.clone(), ..StepSoFar::default() })
            .collect();
        for tally in tallies {
            let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            for (step, (_, row)) in steps.iter_mut().zip(&self.names) {
                if let Some(gauge) = tally.steps.get(*row) {
                    step.latency.add(&gauge.latency);
                    step.errors += gauge.errors;
                }
            }
            let part = Tally { findings: tally.findings.clone(), died: tally.died, ..Tally::default() };
            whole.add(part);
        }
        let seen: u64 = whole.findings.iter().map(|found| found.times).sum();
        if seen != self.seen {
            self.seen = seen;
            let mut redactor = self.job.redactor();
            let exchanges = whole.findings.iter().flat_map(|found| &found.exchanges);
            exchanges.for_each(|x| redactor.learn_exchange(x));
            let rows =
                whole.findings.iter().map(|found| found_row(self.job, &self.names, found, &mut redactor));
            self.findings = rows.collect();
        }
        let findings = self.findings.clone();
        let _ = master.hears.send(SoFar { at: real_now(), steps, findings, died: whole.died });
    }
}
