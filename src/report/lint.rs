//! What `lint` tells: rows, and their views for a terminal, for SARIF 2.1.0 and for GitHub.

use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write as _;

use super::{At, visible};
use crate::diagnostic::{Diagnostic, carets};
use crate::metadata::{Finding, Rule};
use crate::verdict::Level;

/// Version of the JSON.
pub const LINT_VERSION: u32 = 1;

/// Under which name views that know rules alone show a waiver that waived nothing.
const UNUSED: &str = "unused-waiver";

/// The report of a lint.
#[derive(Clone, Debug, Serialize)]
pub struct LintReport {
    /// [`LINT_VERSION`].
    pub version: u32,
    /// Name and version of this program.
    pub tool: String,
    /// Which rules held.
    pub profile: String,
    /// How many files of known types were read.
    pub files: usize,
    /// How many apps they come to.
    pub apps: usize,
    /// What does not hold.
    pub findings: Vec<LintRow>,
    /// Files that could not be read.
    pub problems: Vec<ProblemRow>,
    /// Waivers that waived nothing.
    pub unused_waivers: Vec<String>,
    /// Where they are written, in their order.
    #[serde(skip)]
    pub unused_at: Vec<At>,
}

/// One thing that does not hold.
#[derive(Clone, Debug, Serialize)]
pub struct LintRow {
    /// Id of the rule.
    pub rule: String,
    /// How much it weighs.
    pub level: Level,
    /// Where the rule comes from.
    pub basis: crate::verdict::Basis,
    /// The app or credential.
    pub of: String,
    /// What is wrong.
    pub message: String,
    /// Where.
    pub at: At,
    /// The cure in Setup.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub setup: String,
    /// The cure in the file.
    pub xml: String,
    /// Sources of the rule.
    pub cites: Vec<String>,
    /// Why it is let off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waived: Option<String>,
}

/// A file that could not be read.
#[derive(Clone, Debug, Serialize)]
pub struct ProblemRow {
    /// Kind of the problem.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// The cure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
}

impl LintRow {
    /// The row of a finding.
    pub fn new(finding: &Finding, waived: Option<String>) -> Self {
        let Rule { id, basis, setup, xml, cites, .. } = finding.rule;
        Self {
            rule: (*id).into(),
            level: finding.level,
            basis: *basis,
            of: visible(&finding.of),
            message: visible(&finding.message),
            at: At::of(&finding.place.text, finding.place.span),
            setup: (*setup).into(),
            xml: (*xml).into(),
            cites: cites.iter().map(|cite| (*cite).to_owned()).collect(),
            waived,
        }
    }
}

impl ProblemRow {
    /// The row of a diagnostic.
    pub fn new(problem: &Diagnostic) -> Self {
        Self {
            code: problem.code.to_owned(),
            message: visible(&problem.message),
            help: problem.help.clone(),
            at: problem.at.as_ref().map(|(text, span)| At::of(text, *span)),
        }
    }
}

impl LintReport {
    /// The exit code: 2 where a file could not be read, 1 where a MUST does not hold, 3 where there was nothing to
    /// judge, else 0.
    pub fn exit(&self) -> u8 {
        let fails = self.open().any(|row| row.level == Level::Must);
        match (self.problems.is_empty(), fails, self.files) {
            (false, ..) => 2,
            (_, true, _) => 1,
            (_, _, 0) => 3,
            _ => 0,
        }
    }

    /// What is told of each waiver that waived nothing, and where it is written.
    fn unused(&self) -> impl Iterator<Item = (String, &At)> {
        let told = |waiver: &String| format!("the waiver of {} waived nothing: take it out", visible(waiver));
        self.unused_waivers.iter().map(told).zip(&self.unused_at)
    }

    fn open(&self) -> impl Iterator<Item = &LintRow> {
        self.findings.iter().filter(|row| row.waived.is_none())
    }

    /// The text for a terminal.
    pub fn console(&self, colour: bool) -> String {
        let mut out = String::new();
        let paint = |text: &str, level: Level| match (colour, level) {
            (false, _) => text.to_owned(),
            (true, Level::Must) => format!("\u{1b}[1;31m{text}\u{1b}[0m"),
            (true, Level::Should) => format!("\u{1b}[33m{text}\u{1b}[0m"),
            (true, Level::BestPractice) => format!("\u{1b}[2m{text}\u{1b}[0m"),
        };
        for problem in &self.problems {
            let _ = writeln!(out, "error[{}]: {}", problem.code, problem.message);
            if let Some(at) = &problem.at {
                place(&mut out, at, |carets| paint(carets, Level::Must));
            }
            if let Some(help) = &problem.help {
                let _ = writeln!(out, "   = help: {help}");
            }
        }
        for row in self.open() {
            let _ = writeln!(out, "{:<6} {}: {}", paint(row.level.word(), row.level), row.rule, row.message);
            place(&mut out, &row.at, |carets| paint(carets, row.level));
            if !row.setup.is_empty() {
                let _ = writeln!(out, "   = Setup: {}", row.setup);
            }
            let _ = writeln!(out, "   = XML: {}", row.xml);
        }
        for row in self.findings.iter().filter(|row| row.waived.is_some()) {
            let because = visible(row.waived.as_deref().unwrap_or(""));
            let _ = writeln!(out, "waived {}: {} ({because})", row.rule, row.of);
        }
        for (told, _) in self.unused() {
            let _ = writeln!(out, "{told}");
        }
        let count = |level: Level| self.open().filter(|row| row.level == level).count();
        let _ = writeln!(
            out,
            "{} {}, {} {} (profile {}): {} MUST, {} SHOULD, {} NOTE, {} waived, {} not readable",
            self.files,
            if self.files == 1 { "file" } else { "files" },
            self.apps,
            if self.apps == 1 { "app" } else { "apps" },
            self.profile,
            count(Level::Must),
            count(Level::Should),
            count(Level::BestPractice),
            self.findings.len() - self.open().count(),
            self.problems.len()
        );
        out
    }

    /// SARIF 2.1.0, as code scanning reads it.
    pub fn sarif(&self) -> Value {
        let mut ids: Vec<&str> = self.findings.iter().map(|row| row.rule.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut rules: Vec<Value> = ids
            .iter()
            .filter_map(|id| crate::metadata::find(id))
            .map(|rule| {
                json!({
                    "id": rule.id,
                    "shortDescription": { "text": rule.title },
                    "fullDescription": { "text": rule.explain },
                    "help": { "text": format!("In Setup: {}\nIn the file: {}\nSource: {}", rule.setup, rule.xml, rule.cites.join("; ")) }
                })
            })
            .collect();
        // What a file cannot be read for is a rule as well to whoever shows results.
        let mut codes: Vec<&str> = self.problems.iter().map(|problem| problem.code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        let known = rules.len();
        rules.extend(
            codes
                .iter()
                .map(|code| json!({ "id": code, "shortDescription": { "text": "the file can be read" } })),
        );
        let mut results: Vec<Value> = self
            .findings
            .iter()
            .map(|row| {
                let level = match row.level {
                    Level::Must => "error",
                    Level::Should => "warning",
                    Level::BestPractice => "note",
                };
                let mut result = json!({
                    "ruleId": row.rule, "level": level,
                    "ruleIndex": ids.iter().position(|id| *id == row.rule),
                    "message": { "text": format!("{}: {}", row.of, row.message) },
                    "locations": [location(&row.at)]
                });
                if let Some(because) = &row.waived {
                    result["suppressions"] = json!([{ "kind": "external", "justification": because }]);
                }
                result
            })
            .collect();
        results.extend(self.problems.iter().map(|problem| {
            let locations: Vec<Value> = problem.at.iter().map(location).collect();
            let index = codes.iter().position(|code| *code == problem.code).map(|at| known + at);
            json!({
                "ruleId": problem.code, "ruleIndex": index, "level": "error",
                "message": { "text": problem.message }, "locations": locations
            })
        }));
        if !self.unused_at.is_empty() {
            let index = rules.len();
            rules.push(
                json!({ "id": UNUSED, "shortDescription": { "text": "each waiver waives something" } }),
            );
            results.extend(self.unused().map(|(told, at)| {
                json!({
                    "ruleId": UNUSED, "ruleIndex": index, "level": "note",
                    "message": { "text": told }, "locations": [location(at)]
                })
            }));
        }
        let (name, version) = self.tool.split_once(' ').unwrap_or((&self.tool, "0"));
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": { "name": name, "version": version, "rules": rules } },
                "columnKind": "unicodeCodePoints",
                "results": results
            }]
        })
    }

    /// Workflow commands that GitHub shows beside the lines.
    pub fn github(&self) -> String {
        let mut out = String::new();
        let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
        let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
        let at = |at: &At| {
            format!(
                "file={},line={},col={},endColumn={}",
                property(&visible(&at.file)),
                at.line,
                at.column,
                at.column + at.length
            )
        };
        for problem in &self.problems {
            let place = problem.at.as_ref().map_or(String::new(), |place| format!("{},", at(place)));
            let _ =
                writeln!(out, "::error {place}title={}::{}", property(&problem.code), data(&problem.message));
        }
        for row in self.open() {
            let word = match row.level {
                Level::Must => "error",
                Level::Should => "warning",
                Level::BestPractice => "notice",
            };
            let told = data(&format!("{}: {}. {}", row.of, row.message, row.xml));
            let _ = writeln!(out, "::{word} {},title={}::{told}", at(&row.at), property(&row.rule));
        }
        for (told, place) in self.unused() {
            let _ = writeln!(out, "::notice {},title={UNUSED}::{}", at(place), data(&told));
        }
        out
    }
}

fn place(out: &mut String, at: &At, paint: impl Fn(&str) -> String) {
    let gutter = at.line.to_string();
    let blank = " ".repeat(gutter.len());
    let (before, carets) = carets(&at.text, at.column, at.length);
    let _ = writeln!(out, "  --> {}:{}:{}", visible(&at.file), at.line, at.column);
    let _ = writeln!(out, "   {gutter} | {}\n   {blank} | {before}{}", at.text, paint(&carets));
}

fn location(at: &At) -> Value {
    // A URI has no blanks and no backslashes.
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    let mut uri = String::new();
    for b in at.file.replace('\\', "/").bytes() {
        if unreserved(b) {
            uri.push(char::from(b));
        } else {
            let _ = write!(uri, "%{b:02X}");
        }
    }
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri.strip_prefix("./").unwrap_or(&uri) },
        "region": { "startLine": at.line, "startColumn": at.column, "endColumn": at.column + at.length, "snippet": { "text": at.text } }
    } })
}
