//! What exploring finds of what an org does wrong on purpose, told as a page.

use std::fmt::Write as _;

use super::{Counterexample, Explored, Side};
use crate::oauth::salesforce::Profile;

/// One fault of the embedded org, or one wrong of our own client, explored from nothing.
pub struct Row {
    /// How it is asked for.
    pub name: &'static str,
    /// What is wrong.
    pub doc: &'static str,
    /// The profile under which it was played.
    pub profile: Profile,
    /// What came of it.
    pub explored: Explored,
}

impl Row {
    /// What was found first that its suite alone shows again.
    pub fn found(&self) -> Option<&Counterexample> {
        self.explored.found.iter().find(|one| one.reproduced == Some(true))
    }
}

const OF_ORGS: &str = "# What exploring finds\n\nFaults of the embedded org that need a sequence or a race, each explored from nothing. \
    Written by `COMMAND`, which plays every one; seconds are of the machine on which it did.\n\n\
    A fault needs a sequence or a race where no shipped scenario notices it with fewer than two requests to token, revocation, \
    introspection, userinfo and resource endpoints, and one that notices it makes none but such as a client sends by \
    itself: well-formed, with values that the play brought.\n\n";
const OF_CLIENTS: &str = "# What exploring finds of clients\n\nWrongs of grantcheck's own client, each explored from nothing: the embedded \
    org behaves as dice have it, and what the client makes of it is judged. Written by `COMMAND`, which plays every \
    one; seconds are of the machine on which it did. A step is something that is done to the client: it is set to work, its token dies, \
    the org answers otherwise, it is started again.\n\n";

/// The page of what was explored by that command; `apart` are the names of those that exploring does not play: faults that need
/// a malformed request, and wrongs of a Named Credential.
pub fn markdown(side: Side, command: &str, rows: &[Row], apart: &[&'static str]) -> String {
    let found: Vec<&Counterexample> = rows.iter().filter_map(Row::found).collect();
    let steps = found.iter().map(|one| one.size.steps).max().unwrap_or(0);
    let (about, wrong, whose) = match side {
        Side::Org => (OF_ORGS, "fault", "the org"),
        Side::Client => (OF_CLIENTS, "wrong", "what is wrong"),
    };
    let mut out = about.replace("COMMAND", command);
    let _ = writeln!(
        out,
        "{} of {} found, with {} steps at most.\n\n| {wrong} | {whose} | found as | run | seconds | steps | what is done |\n|---|---|---|--:|--:|--:|---|",
        found.len(),
        rows.len(),
        steps,
    );
    for row in rows {
        let Row { name, doc, .. } = row;
        let profile = if row.profile == Profile::Rfc { " (profile `rfc`)" } else { "" };
        let Some(one) = row.found() else {
            let (runs, seconds) = (row.explored.runs, row.explored.micros as f64 / 1e6);
            let _ = writeln!(out, "| `{name}` | {doc}{profile} | *not found* | {runs} | {seconds:.0} | | |");
            continue;
        };
        let (run, seconds, steps) = (one.run, one.found as f64 / 1e6, one.size.steps);
        let (kind, words) = (&one.way.kind, &one.size.words);
        let _ = writeln!(
            out,
            "| `{name}` | {doc}{profile} | {kind} | {run} | {seconds:.1} | {steps} | {words} |"
        );
    }
    if !apart.is_empty() {
        let names: Vec<String> = apart.iter().map(|name| format!("`{name}`")).collect();
        let what = match side {
            Side::Org => {
                "Faults that show only where some request of several is malformed, which is what suites are for"
            }
            Side::Client => "Wrongs of a Named Credential, which suites play",
        };
        let _ = writeln!(out, "\n{what}: {}.", names.join(", "));
    }
    out
}
