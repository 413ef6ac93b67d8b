//! What was explored, told.

use serde_json::{Value, json};
use std::fmt::Write as _;

use super::{Explored, Size};
use crate::report::visible;

/// For a person at a terminal; with the suites themselves where they are written nowhere.
pub fn console(explored: &Explored, whole: bool) -> String {
    let mut out = String::new();
    for one in &explored.found {
        let Size { steps, clients, words, .. } = &one.size;
        let _ = writeln!(
            out,
            "{}  {}",
            one.way.verdict.word().to_uppercase(),
            visible(&one.way.kind.to_string())
        );
        let _ = writeln!(out, "      expected {}", visible(&one.way.expected));
        let _ = writeln!(out, "      observed {}", visible(&one.way.observed));
        let _ = writeln!(
            out,
            "      found in run {}; {steps} step{} of {clients} client{}: {}",
            one.run,
            if *steps == 1 { "" } else { "s" },
            if *clients == 1 { "" } else { "s" },
            words
        );
        match one.reproduced {
            Some(true) => {}
            Some(false) => {
                let why = "the suite alone does not show it: what came depends on more than the suite says";
                let _ = writeln!(out, "      {why}");
            }
            None => {
                let _ = writeln!(out, "      interrupted before it was small, or seen again");
            }
        }
        let _ = writeln!(out, "      {}", one.file);
        if whole {
            let _ = writeln!(out, "\n{}", visible_lines(&one.text));
        }
    }
    if let Some((n, why)) = &explored.not_testable {
        let _ = writeln!(out, "{n} programs could not be played: {}", visible(why));
    }
    if let Some((n, run, why)) = &explored.broken {
        let why = visible(why);
        let _ = writeln!(out, "{n} programs could not be judged, a bug of grantcheck: run {run}, {why}");
    }
    if explored.runs == 0 && !explored.interrupted {
        let _ = writeln!(
            out,
            "nothing could be proposed: what was selected, or the target, leaves nothing to do"
        );
    }
    if explored.interrupted {
        let _ = writeln!(out, "interrupted");
    }
    let found = match explored.found.len() {
        0 => "nothing found".to_owned(),
        1 => "1 thing found".to_owned(),
        n => format!("{n} things found"),
    };
    let seconds = explored.micros as f64 / 1e6;
    let _ = writeln!(
        out,
        "{} programs, {} steps, {} exchanges, {seconds:.1} s; seed {}: {found}",
        explored.runs, explored.steps, explored.exchanges, explored.seed
    );
    out
}

fn visible_lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

/// For programs.
pub fn json(explored: &Explored) -> Value {
    let found = explored.found.iter().map(|one| {
        json!({
            "kind": one.way.kind.to_string(),
            "check": one.way.kind.check(),
            "verdict": one.way.verdict,
            "expected": one.way.expected,
            "observed": one.way.observed,
            "run": one.run,
            "found_ms": one.found / 1000,
            "steps_before": one.steps_before,
            "steps": one.size.steps,
            "clients": one.size.clients,
            "delays_s": one.size.delays,
            "plays": one.plays,
            "does": one.size.words,
            "file": one.file,
            "suite": one.text,
            "reproduced": one.reproduced,
        })
    });
    json!({
        "version": 1,
        "seed": explored.seed,
        "runs": explored.runs,
        "steps": explored.steps,
        "exchanges": explored.exchanges,
        "duration_ms": explored.micros / 1000,
        "not_testable": explored.not_testable.as_ref().map_or(0, |(n, _)| *n),
        "broken": explored.broken.as_ref().map_or(0, |(n, ..)| *n),
        "interrupted": explored.interrupted,
        "found": found.collect::<Vec<_>>(),
    })
}
