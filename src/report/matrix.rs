//! Programs beside checks: what each of several reports says of each check, in one table.

use serde_json::{Value, json};
use std::fmt::Write as _;

use super::{Report, Word, visible};

/// Reports side by side.
#[derive(Clone, Debug)]
pub struct Table {
    /// What was under test in each, in the order in which they were given.
    pub columns: Vec<Column>,
    /// One row a check that any of them says something of, by id.
    pub rows: Vec<Row>,
}

/// What one report is about.
#[derive(Clone, Debug)]
pub struct Column {
    /// The program, or the org.
    pub name: String,
    /// How many scenarios came to what: pass, fail, the rest.
    pub scenarios: [usize; 3],
    /// Whether it is ready for refresh token rotation.
    pub rotation: Ready,
}

/// What a set of checks comes to together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// All of them hold.
    Yes,
    /// These do not hold.
    No(Vec<String>),
    /// Nothing is wrong, and of these nothing was seen.
    Unknown(Vec<String>),
}

/// What each report says of one check.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub check: String,
    /// What it says.
    pub title: String,
    /// A word for each column; none where it had no evidence.
    pub words: Vec<Option<Word>>,
}

/// Puts reports side by side. `rotation` are the checks that a client passes which is ready for refresh token rotation.
pub fn table(reports: &[Report], rotation: &[&str]) -> Table {
    let mut checks: Vec<(&str, &str)> = reports
        .iter()
        .flat_map(|report| &report.checks)
        .map(|row| (row.check.as_str(), row.title.as_str()))
        .collect();
    checks.sort_unstable();
    checks.dedup_by_key(|(check, _)| *check);
    let word = |report: &Report, check: &str| {
        report.checks.iter().find(|row| row.check == check).map(|row| row.verdict)
    };
    let rows = checks.into_iter().map(|(check, title)| Row {
        check: check.to_owned(),
        title: title.to_owned(),
        words: reports.iter().map(|report| word(report, check)).collect(),
    });
    let column = |report: &Report| {
        let s = &report.summary;
        Column {
            name: report.subject.program.clone().unwrap_or_else(|| report.subject.org.clone()),
            scenarios: [s.pass, s.fail, s.warn + s.inconclusive + s.not_testable],
            rotation: ready(rotation, |check| word(report, check)),
        }
    };
    Table { columns: reports.iter().map(column).collect(), rows: rows.collect() }
}

fn ready(checks: &[&str], word: impl Fn(&str) -> Option<Word>) -> Ready {
    let those = |is: &dyn Fn(Option<Word>) -> bool| -> Vec<String> {
        checks.iter().filter(|check| is(word(check))).map(|check| (*check).to_owned()).collect()
    };
    let failed = those(&|word| matches!(word, Some(Word::Fail | Word::Warn | Word::Waived)));
    let unseen = those(&|word| !matches!(word, Some(Word::Pass | Word::Note | Word::KnownDeviation)));
    match (failed.is_empty(), unseen.is_empty()) {
        (false, _) => Ready::No(failed),
        (true, false) => Ready::Unknown(unseen),
        (true, true) => Ready::Yes,
    }
}

impl Ready {
    fn word(&self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No(_) => "no",
            Self::Unknown(_) => "unknown",
        }
    }

    /// The checks that stand in the way.
    fn because(&self) -> &[String] {
        match self {
            Self::Yes => &[],
            Self::No(checks) | Self::Unknown(checks) => checks,
        }
    }
}

/// The word in a narrow column.
fn short(word: Option<Word>) -> &'static str {
    match word {
        None => "-",
        Some(Word::Inconclusive) => "unclear",
        Some(Word::KnownDeviation) => "deviates",
        Some(word) => word.word(),
    }
}

/// For a person at a terminal.
pub fn console(table: &Table) -> String {
    let names: Vec<String> = table.columns.iter().map(|column| visible(&column.name)).collect();
    let widths: Vec<usize> = names.iter().map(|name| name.chars().count().max(8)).collect();
    let first =
        table.rows.iter().map(|row| row.check.len()).chain(["ready for rotation".len()]).max().unwrap_or(0);
    let mut out = String::new();
    let mut line = |head: &str, cells: Vec<String>| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let cells = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(out, "{}", format!("{head:<first$}  {cells}").trim_end());
    };
    line("", names.clone());
    for row in &table.rows {
        line(&row.check, row.words.iter().map(|word| short(*word).to_owned()).collect());
    }
    line("", Vec::new());
    line("scenarios passed", of(table, |column| column.scenarios[0].to_string()));
    line("failed", of(table, |column| column.scenarios[1].to_string()));
    line("neither", of(table, |column| column.scenarios[2].to_string()));
    line("ready for rotation", of(table, |column| column.rotation.word().to_owned()));
    for column in table.columns.iter().filter(|column| column.rotation != Ready::Yes) {
        let why = match column.rotation {
            Ready::No(_) => "is not ready for refresh token rotation",
            _ => "may be ready for refresh token rotation; nothing was seen of",
        };
        let _ = writeln!(out, "{} {why}: {}", visible(&column.name), column.rotation.because().join(", "));
    }
    out
}

fn of(table: &Table, cell: impl Fn(&Column) -> String) -> Vec<String> {
    table.columns.iter().map(cell).collect()
}

/// For programs.
pub fn json(table: &Table) -> Value {
    let columns = table.columns.iter().map(|column| {
        let [pass, fail, rest] = column.scenarios;
        json!({
            "name": column.name,
            "scenarios": { "pass": pass, "fail": fail, "neither": rest },
            "rotation": { "ready": column.rotation.word(), "because": column.rotation.because() },
        })
    });
    let rows =
        table.rows.iter().map(|row| json!({ "check": row.check, "title": row.title, "verdicts": row.words }));
    json!({ "version": 1, "programs": columns.collect::<Vec<_>>(), "checks": rows.collect::<Vec<_>>() })
}

/// For a browser: one file that asks for nothing else.
pub fn html(table: &Table) -> String {
    let mut out = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>grantcheck: programs beside checks</title>\n\
         <style>body{font:14px/1.5 sans-serif;margin:2em}table{border-collapse:collapse}th,td{padding:.2em .8em;text-align:left;\
         border-bottom:1px solid #ddd}.pass{color:#176c2b}.fail{color:#a11;font-weight:bold}.warn{color:#8a5a00}\
         .unclear,.deviates{color:#666}code{font-size:13px}</style>\n<h1>Programs beside checks</h1>\n<table>\n<tr><th>check",
    );
    for column in &table.columns {
        let _ = write!(out, "<th>{}", escaped(&column.name));
    }
    out.push('\n');
    for row in &table.rows {
        let _ = write!(out, "<tr><td title=\"{}\"><code>{}</code>", escaped(&row.title), escaped(&row.check));
        for word in &row.words {
            let short = short(*word);
            let class = short.split(' ').next().unwrap_or("");
            let _ = write!(out, "<td class=\"{class}\">{short}");
        }
        out.push('\n');
    }
    let mut line = |head: &str, cells: Vec<String>| {
        let _ = write!(out, "<tr><th>{head}");
        cells.iter().for_each(|cell| {
            let _ = write!(out, "<td>{}", escaped(cell));
        });
        out.push('\n');
    };
    line("scenarios passed", of(table, |column| column.scenarios[0].to_string()));
    line("failed", of(table, |column| column.scenarios[1].to_string()));
    line("neither", of(table, |column| column.scenarios[2].to_string()));
    line(
        "ready for refresh token rotation",
        of(table, |column| match column.rotation.because() {
            [] => column.rotation.word().to_owned(),
            because => format!("{}: {}", column.rotation.word(), because.join(", ")),
        }),
    );
    out.push_str("</table>\n</html>\n");
    out
}

fn escaped(text: &str) -> String {
    visible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{CheckRow, Summary, VERSION};
    use crate::subject::Subject;

    fn report(program: &str, checks: &[(&str, Word)]) -> Report {
        let check = |(check, verdict): &(&str, Word)| CheckRow {
            check: (*check).to_owned(),
            verdict: *verdict,
            scenarios: 1,
            title: "a <title>".into(),
            because: None,
        };
        Report {
            version: VERSION,
            tool: "t".into(),
            subject: Subject { program: Some(program.into()), ..Subject::default() },
            seed: 0,
            duration_ms: 0,
            interrupted: false,
            summary: Summary { pass: 2, fail: 1, inconclusive: 3, ..Summary::default() },
            scenarios: Vec::new(),
            checks: checks.iter().map(check).collect(),
            unused_waivers: Vec::new(),
            listed_not_testable: Vec::new(),
            transcript: Vec::new(),
        }
    }

    #[test]
    fn each_program_has_its_word_for_each_check() {
        let one = report("one", &[("a/x", Word::Pass), ("a/y", Word::Fail)]);
        let two = report("two<b>", &[("a/x", Word::Pass)]);
        let table = table(&[one, two], &["a/x", "a/y"]);
        let told = console(&table);
        let cells: Vec<Vec<&str>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(cells[1], ["a/x", "pass", "pass"]);
        assert_eq!(cells[2], ["a/y", "fail", "-"]);
        assert_eq!(table.columns[0].rotation, Ready::No(vec!["a/y".into()]));
        assert_eq!(table.columns[1].rotation, Ready::Unknown(vec!["a/y".into()]));
        assert_eq!(json(&table)["checks"][1]["verdicts"], json!(["fail", null]));
        let page = html(&table);
        assert!(page.contains("two&lt;b&gt;") && page.contains("a &lt;title&gt;") && !page.contains("<b>"));
    }

    #[test]
    fn all_of_them_make_a_client_ready() {
        assert_eq!(ready(&["a", "b"], |_| Some(Word::Pass)), Ready::Yes);
        let one_is_unclear = |check: &str| Some(if check == "a" { Word::Pass } else { Word::Inconclusive });
        assert_eq!(ready(&["a", "b"], one_is_unclear), Ready::Unknown(vec!["b".into()]));
    }
}
