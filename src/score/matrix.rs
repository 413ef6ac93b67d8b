//! The kill matrix, told.

use serde_json::{Value, json};
use std::fmt::Write as _;

use super::{Fate, Matrix, Row};

/// How many faults that nothing brings out are named unasked.
const NAMED: usize = 20;

/// For a person at a terminal: what survived comes last, where it is seen, for that is what there is to do.
pub fn console(matrix: &Matrix, all: bool) -> String {
    let mut out = String::new();
    let mut of = |fate: Fate, mark: &str, tell: &dyn Fn(&Row) -> String| {
        for row in matrix.rows.iter().filter(|row| row.fate == fate) {
            let _ = writeln!(out, "{mark} {:<34} {}", row.fault.name, tell(row));
        }
    };
    if all {
        of(Fate::Caught, "caught  ", &|row| {
            let checks: Vec<&str> = row.checks.iter().copied().collect();
            if checks.is_empty() { row.scenarios.join(", ") } else { checks.join(", ") }
        });
        of(Fate::Unseen, "unseen  ", &|row| format!("nothing brings it out: {}", row.fault.doc));
    }
    of(Fate::Survived, "survived", &|row| row.fault.doc.to_owned());
    for name in &matrix.unsound {
        let _ = writeln!(out, "counts for nothing, because it does not pass on the faultless org: {name}");
    }
    let (caught, survived) = (matrix.count(Fate::Caught), matrix.count(Fate::Survived));
    let _ = writeln!(
        out,
        "{} faults: {caught} caught, {survived} survived, {} that these suites do not bring out",
        matrix.rows.len(),
        matrix.count(Fate::Unseen)
    );
    let unseen: Vec<&str> =
        matrix.rows.iter().filter(|row| row.fate == Fate::Unseen).map(|row| row.fault.name).collect();
    if !all && !unseen.is_empty() {
        let shown = unseen.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        let more = match unseen.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let _ = writeln!(out, "not brought out: {shown}{more} (`--all` tells what each does)");
    }
    if matrix.interrupted {
        let _ = writeln!(out, "interrupted: the faults that are not listed were not played");
    }
    out
}

/// For programs.
pub fn json(matrix: &Matrix) -> Value {
    let rows = matrix.rows.iter().map(|row| {
        json!({
            "fault": row.fault.name,
            "does": row.fault.doc,
            "profile": row.profile,
            "fate": word(row.fate),
            "checks": row.checks,
            "scenarios": row.scenarios,
            "missed": row.missed(),
            "beyond": row.beyond(),
        })
    });
    json!({
        "version": 1,
        "summary": {
            "faults": matrix.rows.len(),
            "caught": matrix.count(Fate::Caught),
            "survived": matrix.count(Fate::Survived),
            "unseen": matrix.count(Fate::Unseen),
        },
        "unsound": matrix.unsound,
        "interrupted": matrix.interrupted,
        "faults": rows.collect::<Vec<_>>(),
    })
}

/// As a document.
pub fn markdown(matrix: &Matrix) -> String {
    let mut out = String::from(
        "# The kill matrix\n\nWhat suites say of each wrong that the embedded org can commit: the checks that fail, all of \
         them and no other, and how many scenarios tell. Written by `grantcheck score --markdown docs/mutants.md`, which \
         plays every fault.\n\n",
    );
    let _ = writeln!(
        out,
        "{} faults: {} caught, {} survived, {} not brought out.\n",
        matrix.rows.len(),
        matrix.count(Fate::Caught),
        matrix.count(Fate::Survived),
        matrix.count(Fate::Unseen)
    );
    let _ = writeln!(out, "| fault | the org | fails | scenarios |\n|---|---|---|--:|");
    for row in &matrix.rows {
        let checks: Vec<String> = row.checks.iter().map(|check| format!("`{check}`")).collect();
        let checks = match row.fate {
            Fate::Caught => checks.join(", "),
            fate => format!("*{}*", word(fate)),
        };
        let scenarios = row.scenarios.len();
        let _ = writeln!(out, "| `{}` | {} | {checks} | {scenarios} |", row.fault.name, row.fault.doc);
    }
    out
}

fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Caught => "caught",
        Fate::Survived => "survived",
        Fate::Unseen => "unseen",
    }
}
