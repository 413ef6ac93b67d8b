//! What exploring finds of what an org does wrong on purpose, told as a page.

use std::fmt::Write as _;

use super::{Counterexample, Explored};
use crate::oauth::salesforce::Profile;
use crate::org::fault::Fault;

/// One fault, explored from nothing.
pub struct Row {
    /// The fault.
    pub fault: &'static Fault,
    /// The profile under which it was played.
    pub profile: Profile,
    /// What came of it.
    pub explored: Explored,
}

impl Row {
    /// What was found first that its suite alone shows again.
    pub fn found(&self) -> Option<&Counterexample> {
        self.explored.found.iter().find(|one| one.reproduced)
    }
}

/// The page: `needs` are the faults that were explored, `apart` the names of those that need a malformed request.
pub fn markdown(rows: &[Row], apart: &[&'static str]) -> String {
    let found: Vec<&Counterexample> = rows.iter().filter_map(Row::found).collect();
    let steps = found.iter().map(|one| one.program.steps()).max().unwrap_or(0);
    let mut out = String::from(
        "# What exploring finds\n\nFaults of the embedded org that need a sequence or a race, each explored from nothing. Written by \
         `grantcheck explore --table docs/explored.md`, which plays every one; seconds are of the machine on which it did.\n\n\
         A fault needs a sequence or a race where no shipped scenario notices it with fewer than two requests to token, revocation, \
         introspection, userinfo and resource endpoints, and one that notices it makes none but such as a client sends by \
         itself: well-formed, with values that the play brought.\n\n",
    );
    let _ = writeln!(
        out,
        "{} of {} found, with {} steps at most.\n\n| fault | the org | found as | run | seconds | steps | what is done |\n|---|---|---|--:|--:|--:|---|",
        found.len(),
        rows.len(),
        steps,
    );
    for row in rows {
        let Fault { name, doc, .. } = row.fault;
        let profile = if row.profile == Profile::Rfc { " (profile `rfc`)" } else { "" };
        let Some(one) = row.found() else {
            let (runs, seconds) = (row.explored.runs, row.explored.micros as f64 / 1e6);
            let _ = writeln!(out, "| `{name}` | {doc}{profile} | *not found* | {runs} | {seconds:.0} | | |");
            continue;
        };
        let (run, seconds, steps) = (one.run, one.found as f64 / 1e6, one.program.steps());
        let (kind, words) = (&one.way.kind, one.program.words());
        let _ = writeln!(
            out,
            "| `{name}` | {doc}{profile} | {kind} | {run} | {seconds:.1} | {steps} | {words} |"
        );
    }
    if !apart.is_empty() {
        let names: Vec<String> = apart.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(
            out,
            "\nFaults that show only where some request of several is malformed, which is what suites are for: {}.",
            names.join(", ")
        );
    }
    out
}
