//! The kill matrix, told.

use serde_json::{Value, json};
use std::fmt::Write as _;

use super::{AT_TIMES, Fate, Matrix, Row};
use crate::catalog::Party;

/// How many faults that nothing brings out are named unasked.
const NAMED: usize = 20;

/// For a person at a terminal: what survived comes last, where it is seen, for that is what there is to do.
pub fn console(matrix: &Matrix, all: bool) -> String {
    let mut out = String::new();
    let mut of = |fate: Fate, mark: &str, tell: &dyn Fn(&Row) -> String| {
        for row in matrix.rows.iter().filter(|row| row.fate == fate) {
            let _ = writeln!(out, "{mark} {:<34} {}", row.mutant.name(), tell(row));
        }
    };
    if all {
        of(Fate::Caught, "caught  ", &|row| {
            let checks: Vec<&str> = row.checks.iter().copied().collect();
            if checks.is_empty() { row.scenarios.join(", ") } else { checks.join(", ") }
        });
        of(Fate::Unseen, "unseen  ", &|row| format!("nothing brings it out: {}", row.mutant.doc()));
    }
    of(Fate::Survived, "survived", &|row| row.mutant.doc().to_owned());
    for name in &matrix.unsound {
        let _ = writeln!(
            out,
            "counts for nothing, because it does not pass on the faultless org under each profile: {name}"
        );
    }
    let (caught, survived) = (matrix.count(Fate::Caught), matrix.count(Fate::Survived));
    let _ = writeln!(
        out,
        "{}: {caught} caught, {survived} survived, {} that these suites do not bring out",
        counted(matrix),
        matrix.count(Fate::Unseen)
    );
    let unseen: Vec<&str> =
        matrix.rows.iter().filter(|row| row.fate == Fate::Unseen).map(|row| row.mutant.name()).collect();
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
            "fault": row.mutant.name(),
            "of": row.mutant.party().word(),
            "does": row.mutant.doc(),
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
        "# The kill matrix\n\nWhat suites say of each wrong that the embedded org, or our own client, can commit: the checks \
         that fail, all of them and no other, and how many scenarios tell. Written by `grantcheck score --markdown \
         docs/mutants.md`, which plays every one.\n\n",
    );
    let _ = writeln!(
        out,
        "{}: {} caught, {} survived, {} not brought out.\n",
        counted(matrix),
        matrix.count(Fate::Caught),
        matrix.count(Fate::Survived),
        matrix.count(Fate::Unseen)
    );
    for (party, head) in [(Party::Org, "| fault | the org |"), (Party::Client, "\n| wrong | the client |")] {
        let mut rows = matrix.rows.iter().filter(|row| row.mutant.party() == party).peekable();
        if rows.peek().is_some() {
            let _ = writeln!(out, "{head} fails | scenarios |\n|---|---|---|--:|");
        }
        for row in rows {
            let checks: Vec<String> = row.always().iter().map(|check| format!("`{check}`")).collect();
            let checks = match row.fate {
                Fate::Caught => checks.join(", "),
                fate => format!("*{}*", word(fate)),
            };
            let (name, doc, scenarios) = (row.mutant.name(), row.mutant.doc(), row.scenarios.len());
            let _ = writeln!(out, "| `{name}` | {doc} | {checks} | {scenarios} |");
        }
    }
    if matrix.rows.iter().any(|row| AT_TIMES.iter().any(|(name, _)| *name == row.mutant.name())) {
        let _ = writeln!(out, "\n{}", at_times());
    }
    out
}

/// What fails as well where a race goes otherwise.
pub fn at_times() -> String {
    let each = AT_TIMES.map(|(name, check)| format!("`{check}` of `{name}`"));
    format!("Where callers or processes race each other, these fail as well at times: {}.", each.join(", "))
}

/// `296 faults and 18 wrongs of the client`.
fn counted(matrix: &Matrix) -> String {
    let of = |party| matrix.rows.iter().filter(|row| row.mutant.party() == party).count();
    match (of(Party::Org), of(Party::Client)) {
        (0, wrongs) if wrongs > 0 => format!("{wrongs} wrongs of the client"),
        (faults, 0) => format!("{faults} faults"),
        (faults, wrongs) => format!("{faults} faults and {wrongs} wrongs of the client"),
    }
}

fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Caught => "caught",
        Fate::Survived => "survived",
        Fate::Unseen => "unseen",
    }
}
