//! Two reports of the same suites side by side: on which verdicts they differ, and on which answers, in status, header
//! names, shape of the body and text. What was found can be kept as a file and compared with what is found later.

mod answer;

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Report, ScenarioRow, Word, visible};
use crate::oauth::salesforce::Profile;
use answer::{Answer, answer};

/// Version of the file. It grows when a reader of the last one would misread this one.
pub const DRIFT_VERSION: u32 = 1;

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// What was played against: a base URL, or `embedded`.
    pub org: String,
    /// How it speaks.
    pub profile: Profile,
    /// Which program played.
    pub tool: String,
}

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The verdict of a scenario that was played on both.
    Verdict,
    /// How many requests a step took.
    Exchanges,
    /// The status of an answer, with its error.
    Status,
    /// Parameters of the way back to the client.
    Redirect,
    /// Names of header fields.
    Headers,
    /// Members of the body and their types.
    Body,
    /// Texts that a client reads: the error, the scope.
    Text,
}

impl What {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            What::Verdict => "verdict",
            What::Exchanges => "requests",
            What::Status => "status",
            What::Redirect => "redirect",
            What::Headers => "headers",
            What::Body => "body",
            What::Text => "text",
        }
    }
}

/// One difference, and where it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What differs.
    pub what: What,
    /// A scenario, or an action with the status of its answer.
    pub at: String,
    /// What the first side has.
    pub first: String,
    /// What the second has.
    pub second: String,
    /// Where it shows: suite and scenario.
    pub scenarios: BTreeSet<String>,
}

impl Difference {
    fn key(&self) -> (What, &str, &str, &str) {
        (self.what, &self.at, &self.first, &self.second)
    }
}

/// What two reports differ in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// [`DRIFT_VERSION`].
    pub version: u32,
    /// `drift`.
    pub kind: String,
    /// The first report.
    pub first: Side,
    /// The second.
    pub second: Side,
    /// How many scenarios were played on both.
    pub compared: usize,
    /// Scenarios that only one of them played, with the reason of the other.
    pub one_sided: BTreeMap<String, String>,
    /// Scenarios with a login that a person did on one side alone: of it the way back is compared, and nothing else is known.
    #[serde(default, skip_serializing_if = "is_none")]
    pub by_browser: usize,
    /// The differences, verdicts first.
    pub differences: Vec<Difference>,
}

/// A drift beside one that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since<'d> {
    /// What was not there before.
    pub new: Vec<&'d Difference>,
    /// What was there before.
    pub known: usize,
    /// What is not there any more.
    pub gone: Vec<&'d Difference>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde gives a reference
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// Compares two reports.
pub fn drift(first: &Report, second: &Report) -> Drift {
    let mut found: BTreeMap<(What, String, String, String), BTreeSet<String>> = BTreeMap::new();
    let mut one_sided = BTreeMap::new();
    let mut compared = 0;
    let mut by_browser = BTreeSet::new();
    let name = |row: &ScenarioRow| format!("{} › {}", row.suite, row.scenario);
    let others: BTreeMap<String, &ScenarioRow> =
        second.scenarios.iter().map(|row| (name(row), row)).collect();
    let firsts: BTreeSet<String> = first.scenarios.iter().map(name).collect();
    for row in &first.scenarios {
        let scenario = name(row);
        let Some(other) = others.get(&scenario) else {
            one_sided.insert(scenario, "the second report does not have it".to_owned());
            continue;
        };
        match (row.verdict, other.verdict) {
            (Word::NotTestable, Word::NotTestable) => continue,
            (Word::NotTestable, _) => {
                one_sided.insert(scenario, format!("first: {}", reason(row)));
                continue;
            }
            (_, Word::NotTestable) => {
                one_sided.insert(scenario, format!("second: {}", reason(other)));
                continue;
            }
            _ => {}
        }
        compared += 1;
        let mut tell = |what: What, at: String, first: String, second: String| {
            found.entry((what, at, first, second)).or_default().insert(scenario.clone());
        };
        if row.verdict != other.verdict {
            let words = (row.verdict.word().to_owned(), other.verdict.word().to_owned());
            tell(What::Verdict, scenario.clone(), words.0, words.1);
        }
        for (one, two) in row.steps.iter().zip(&other.steps).filter(|(one, two)| one.action == two.action) {
            let answers = |report: &Report, numbers: &[usize]| -> Vec<Answer> {
                numbers.iter().filter_map(|number| answer(report.transcript.get(*number)?)).collect()
            };
            let (one_side, other_side) = (answers(first, &one.exchanges), answers(second, &two.exchanges));
            if one.action == "authorize" && is_by_browser(&one_side) != is_by_browser(&other_side) {
                by_browser.insert(scenario.clone());
                way_back(&one_side, &other_side, &mut tell);
                continue;
            }
            step(&one.action, &one_side, &other_side, &mut tell);
        }
    }
    for scenario in others.keys().filter(|name| !firsts.contains(*name)) {
        one_sided.insert(scenario.clone(), "the first report does not have it".to_owned());
    }
    let differences = found
        .into_iter()
        .map(|((what, at, first, second), scenarios)| Difference { what, at, first, second, scenarios })
        .collect();
    Drift {
        version: DRIFT_VERSION,
        kind: "drift".into(),
        first: side(first),
        second: side(second),
        compared,
        one_sided,
        by_browser: by_browser.len(),
        differences,
    }
}

fn side(report: &Report) -> Side {
    let subject = &report.subject;
    Side { org: subject.org.clone(), profile: subject.profile, tool: report.tool.clone() }
}

fn reason(row: &ScenarioRow) -> &str {
    row.reason.as_deref().unwrap_or("not testable")
}

/// Compares the answers of a step.
fn step(
    action: &str,
    first: &[Answer],
    second: &[Answer],
    tell: &mut impl FnMut(What, String, String, String),
) {
    // Requests that were sent at once are answered in any order.
    if first.iter().chain(second).any(|answer| answer.raced) {
        return;
    }
    // Pages between the first request and the last answer are the org's own; how many there are, and how they look, is
    // no behaviour that a client depends on.
    let ends = |answers: &[Answer]| -> Vec<Answer> {
        match answers {
            [only] => vec![only.clone()],
            [first, .., last] if action == "authorize" => vec![first.clone(), last.clone()],
            all => all.to_vec(),
        }
    };
    if action != "authorize" && first.len() != second.len() {
        tell(What::Exchanges, action.to_owned(), first.len().to_string(), second.len().to_string());
        return;
    }
    for (one, two) in ends(first).iter().zip(&ends(second)) {
        if one.status != two.status {
            tell(What::Status, action.to_owned(), one.told(), two.told());
            continue;
        }
        let at = format!("{action} {}", one.told_status());
        for (what, ours, theirs) in [
            (What::Redirect, &one.redirect, &two.redirect),
            (What::Headers, &one.headers, &two.headers),
            (What::Body, &one.body, &two.body),
            (What::Text, &one.text, &two.text),
        ] {
            let (only_first, only_second) = (only(ours, theirs), only(theirs, ours));
            if !only_first.is_empty() || !only_second.is_empty() {
                tell(what, at.clone(), only_first, only_second);
            }
        }
    }
}

/// Whether a person logged in.
fn is_by_browser(answers: &[Answer]) -> bool {
    answers.last().is_some_and(Answer::is_of_a_browser)
}

/// Compares what a login came to, of which one side knows the way back alone.
fn way_back(first: &[Answer], second: &[Answer], tell: &mut impl FnMut(What, String, String, String)) {
    let (Some(one), Some(two)) = (first.last(), second.last()) else { return };
    if !(one.is_redirect() && two.is_redirect()) {
        tell(What::Status, "authorize".to_owned(), one.told(), two.told());
        return;
    }
    for (what, ours, theirs) in
        [(What::Redirect, &one.redirect, &two.redirect), (What::Text, &one.text, &two.text)]
    {
        let (only_first, only_second) = (only(ours, theirs), only(theirs, ours));
        if !only_first.is_empty() || !only_second.is_empty() {
            tell(what, "authorize".to_owned(), only_first, only_second);
        }
    }
}

fn only(these: &BTreeSet<String>, others: &BTreeSet<String>) -> String {
    these.difference(others).cloned().collect::<Vec<_>>().join(", ")
}

impl Drift {
    /// What is new, known and gone, beside a drift that was kept.
    pub fn since<'d>(&'d self, kept: &'d Drift) -> Since<'d> {
        let keys =
            |drift: &'d Drift| -> BTreeSet<_> { drift.differences.iter().map(Difference::key).collect() };
        let (before, now) = (keys(kept), keys(self));
        Since {
            new: self.differences.iter().filter(|one| !before.contains(&one.key())).collect(),
            known: now.intersection(&before).count(),
            gone: kept.differences.iter().filter(|one| !now.contains(&one.key())).collect(),
        }
    }

    /// The exit code: 0 nothing differs that is not known, 1 something does, 3 nothing was played on both.
    pub fn exit(&self, kept: Option<&Drift>) -> u8 {
        let new = kept.map_or(self.differences.len(), |kept| self.since(kept).new.len());
        match () {
            () if new > 0 => 1,
            () if self.compared == 0 => 3,
            () => 0,
        }
    }

    /// What there is to be told, for people.
    pub fn console(&self, kept: Option<&Drift>) -> String {
        let mut out = String::new();
        let Side { org, profile, .. } = &self.first;
        let _ = writeln!(out, "first   {} ({})", visible(org), profile.name());
        let Side { org, profile, .. } = &self.second;
        let _ = writeln!(out, "second  {} ({})", visible(org), profile.name());
        let since = kept.map(|kept| self.since(kept));
        let shown: Vec<&Difference> = match &since {
            Some(since) => since.new.clone(),
            None => self.differences.iter().collect(),
        };
        rows(&mut out, if since.is_some() { "new" } else { "different" }, &shown);
        if let Some(since) = &since {
            rows(&mut out, "gone", &since.gone);
        }
        if !self.one_sided.is_empty() {
            let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
            self.one_sided.values().for_each(|reason| *reasons.entry(reason).or_default() += 1);
            out.push_str("played on one alone\n");
            for (reason, count) in reasons {
                let _ = writeln!(out, "{count:>6}  {}", visible(reason));
            }
        }
        if self.by_browser > 0 {
            let _ = writeln!(
                out,
                "in {} {} a person logged in on one side: of such a login the way back alone is compared",
                self.by_browser,
                if self.by_browser == 1 { "scenario" } else { "scenarios" }
            );
        }
        let verdicts = self.differences.iter().filter(|one| one.what == What::Verdict).count();
        let answers = self.differences.len() - verdicts;
        let _ = write!(
            out,
            "{} scenarios played on both: {verdicts} verdicts and {answers} answers differ",
            self.compared
        );
        if let Some(since) = &since {
            let _ =
                write!(out, "; {} known, {} new, {} gone", since.known, since.new.len(), since.gone.len());
        }
        out.push('\n');
        out
    }
}

fn rows(out: &mut String, head: &str, differences: &[&Difference]) {
    if differences.is_empty() {
        return;
    }
    let _ = writeln!(out, "{head}");
    let nothing = |text: &str| if text.is_empty() { "-".to_owned() } else { visible(text) };
    for one in differences {
        let places = match one.scenarios.len() {
            0 | 1 => String::new(),
            count => format!("   ({count} scenarios)"),
        };
        let _ = writeln!(out, "  {:<8} {}{places}", one.what.word(), visible(&one.at));
        let _ = writeln!(out, "           first   {}", nothing(&one.first));
        let _ = writeln!(out, "           second  {}", nothing(&one.second));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{At, StepRow, Summary};
    use crate::subject::Subject;
    use serde_json::{Value, json};

    fn exchange(status: u16, headers: &[(&str, &str)], body: &Value) -> Value {
        let headers: Vec<_> = headers.iter().map(|(name, value)| json!([name, value])).collect();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        json!({ "response": { "status": status, "headers": headers, "body": body } })
    }

    fn report(verdict: Word, exchanges: Vec<Value>) -> Report {
        let numbers = (0..exchanges.len()).collect();
        let row = ScenarioRow {
            suite: "s".into(),
            scenario: "a".into(),
            verdict,
            reason: (verdict == Word::NotTestable).then(|| "no app".to_owned()),
            duration_ms: 0.0,
            at: At::default(),
            tags: Vec::new(),
            steps: vec![StepRow { action: "refresh".into(), tweak: None, exchanges: numbers }],
            program: None,
            findings: Vec::new(),
        };
        Report {
            version: crate::report::VERSION,
            tool: "t".into(),
            subject: Subject::default(),
            seed: 0,
            duration_ms: 0,
            interrupted: false,
            summary: Summary::default(),
            scenarios: vec![row],
            checks: Vec::new(),
            unused_waivers: Vec::new(),
            listed_not_testable: Vec::new(),
            transcript: exchanges,
        }
    }

    fn told(first: Vec<Value>, second: Vec<Value>) -> Vec<String> {
        let drift = drift(&report(Word::Pass, first), &report(Word::Pass, second));
        drift
            .differences
            .iter()
            .map(|d| format!("{} {}: {} / {}", d.what.word(), d.at, d.first, d.second))
            .collect()
    }

    #[test]
    fn answers_are_compared_by_what_a_client_depends_on() {
        let json = ("content-type", "application/json");
        let one = exchange(
            200,
            &[json, ("date", "x"), ("Pragma", "no-cache")],
            &json!({"access_token": "f:1", "scope": "b a", "n": 1}),
        );
        let two = exchange(
            200,
            &[json, ("date", "y"), ("x-new", "1")],
            &json!({"access_token": "f:2", "scope": "a c", "n": "1"}),
        );
        assert_eq!(
            told(vec![one.clone()], vec![two]),
            [
                "headers refresh 200: pragma / x-new",
                "body refresh 200: n: number / n: string",
                "text refresh 200: scope a b / scope a c",
            ]
        );
        assert_eq!(told(vec![one.clone()], vec![one.clone()]), [""; 0]);
        let refused =
            exchange(400, &[json], &json!({"error": "invalid_grant", "error_description": "ip restricted"}));
        assert_eq!(
            told(vec![one.clone()], vec![refused.clone()]),
            ["status refresh: 200 / 400 invalid_grant (ip restricted)"]
        );
        assert_eq!(told(vec![one.clone(), one], vec![refused]), ["requests refresh: 2 / 1"]);
    }

    #[test]
    fn of_a_login_that_a_person_did_the_way_back_alone_is_compared() {
        let with = |exchanges: Vec<Value>| {
            let mut report = report(Word::Pass, exchanges);
            report.scenarios[0].steps[0].action = "authorize".into();
            report
        };
        let page = exchange(200, &[("content-type", "text/html"), ("set-cookie", "a=b")], &Value::Null);
        let back = |to: &str| {
            let hsts = ("strict-transport-security", "max-age=1");
            exchange(
                303,
                &[("location", to), ("date", "x"), ("cache-control", "no-store"), hsts],
                &Value::Null,
            )
        };
        let brought = with(vec![exchange(
            302,
            &[("Location", "http://localhost:1/cb?code=f:1&state=f:2")],
            &Value::Null,
        )]);
        let same = drift(&with(vec![page.clone(), back("https://a/cb?code=f:3&state=f:4")]), &brought);
        assert_eq!((same.differences.len(), same.by_browser, same.exit(None)), (0, 1, 0));
        assert!(same.console(None).contains("in 1 scenario a person"), "{}", same.console(None));
        let lost = drift(&with(vec![page.clone(), back("https://a/cb?code=f:3")]), &brought);
        assert_eq!(
            (lost.differences[0].what, lost.differences[0].second.as_str()),
            (What::Redirect, "state")
        );
        let refused = drift(&brought, &with(vec![page]));
        assert_eq!(
            (refused.differences[0].what, refused.differences[0].second.as_str()),
            (What::Status, "200")
        );
        // A field of the host alone is no behaviour of OAuth.
        let plain = exchange(
            303,
            &[("location", "https://a/cb?code=f:3"), ("date", "x"), ("cache-control", "no-store")],
            &Value::Null,
        );
        assert_eq!(drift(&with(vec![back("https://a/cb?code=f:3")]), &with(vec![plain])).differences, []);
    }

    #[test]
    fn verdicts_and_what_one_alone_played_are_told_apart() {
        let answer = || vec![exchange(200, &[], &Value::Null)];
        let (pass, fail) = (report(Word::Pass, answer()), report(Word::Fail, answer()));
        let found = drift(&pass, &fail);
        assert_eq!((found.compared, found.exit(None)), (1, 1));
        assert_eq!((found.differences[0].what, found.differences[0].at.as_str()), (What::Verdict, "s › a"));
        let none = drift(&pass, &report(Word::NotTestable, answer()));
        assert_eq!((none.one_sided["s › a"].as_str(), none.exit(None)), ("second: no app", 3));
        assert_eq!(drift(&pass, &pass).exit(None), 0);
    }

    #[test]
    fn a_kept_drift_says_what_is_new_and_what_is_gone() {
        let with = |name: &'static str| vec![exchange(200, &[(name, "1")], &Value::Null)];
        let base = report(Word::Pass, with("a"));
        let before = drift(&base, &report(Word::Pass, with("b")));
        let kept: Drift = serde_json::from_str(&serde_json::to_string(&before).unwrap()).unwrap();
        assert_eq!(kept, before);
        assert_eq!((before.exit(Some(&kept)), before.exit(None)), (0, 1));
        let now = drift(&base, &report(Word::Pass, with("c")));
        let since = now.since(&kept);
        assert_eq!((since.new.len(), since.known, since.gone.len(), now.exit(Some(&kept))), (1, 0, 1, 1));
        let text = now.console(Some(&kept));
        assert!(
            text.contains("new\n") && text.contains("gone\n") && text.contains("0 known, 1 new, 1 gone"),
            "{text}"
        );
    }
}
