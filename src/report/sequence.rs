//! What a client program and the user's browser asked in one scenario, on a common time line.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{ScenarioRow, visible};

/// The most lines of a scenario.
const MOST: usize = 14;
/// How many exchanges are shown before and after one that shows a finding.
const AROUND: usize = 2;

/// The exchanges of a scenario in the order in which they were begun, one a line; those that a finding names are marked.
/// Of many, those around the marked ones.
pub fn sequence(row: &ScenarioRow, transcript: &[Value]) -> String {
    let numbers: Vec<usize> = row.steps.iter().flat_map(|step| step.exchanges.iter().copied()).collect();
    let marked: BTreeSet<usize> =
        row.findings.iter().flat_map(|finding| finding.exchanges.iter().copied()).collect();
    let shown = shown(&numbers, &marked);
    let at = |number: usize| transcript.get(number).and_then(|x| x.get("at")).and_then(Value::as_i64);
    let begin = numbers.first().and_then(|number| at(*number)).unwrap_or(0);
    let mut out = String::new();
    let mut last = None;
    for place in shown {
        let number = numbers[place];
        let Some(x) = transcript.get(number) else { continue };
        if last.map_or(place > 0, |last| place > last + 1) {
            let _ = writeln!(out, "           ...");
        }
        last = Some(place);
        let mark = if marked.contains(&number) { '>' } else { ' ' };
        let since = at(number).unwrap_or(begin) - begin;
        let _ = writeln!(out, "         {mark} #{number:<4} {since:>6} ms  {}", line(x));
    }
    if last.is_some_and(|last| last + 1 < numbers.len()) {
        let _ = writeln!(out, "           ...");
    }
    out
}

/// Which of them are shown, by position.
fn shown(numbers: &[usize], marked: &BTreeSet<usize>) -> Vec<usize> {
    if numbers.len() <= MOST {
        return (0..numbers.len()).collect();
    }
    let named = |place: &usize| marked.contains(&numbers[*place]);
    let near = |place: &usize| {
        (place.saturating_sub(AROUND)..=place + AROUND).any(|p| p < numbers.len() && named(&p))
    };
    let mut shown: Vec<usize> = (0..numbers.len()).filter(near).take(MOST).collect();
    if shown.is_empty() {
        shown = (0..MOST).collect();
    }
    shown
}

/// `program  token refresh_token      400 invalid_grant   3 ms`.
fn line(x: &Value) -> String {
    let text = |path: &str| x.pointer(path).and_then(Value::as_str).unwrap_or("");
    let endpoint = text("/endpoint");
    let asked = match grant_type(text("/request/body")) {
        Some(grant_type) => format!("{endpoint} {grant_type}"),
        None => format!("{} {endpoint}", text("/request/method")),
    };
    let answer = match x.pointer("/response/status").and_then(Value::as_u64) {
        Some(status) => {
            let body: Value = serde_json::from_str(text("/response/body")).unwrap_or_default();
            let first = body.get(0).and_then(|first| first.get("errorCode"));
            let error = body.get("error").or(first).and_then(Value::as_str).unwrap_or("");
            format!("{status} {error}").trim_end().to_owned()
        }
        None => "no answer".to_owned(),
    };
    let took = x.get("took_us").and_then(Value::as_u64).unwrap_or(0) / 1000;
    visible(&format!("{:<8} {asked:<28} {answer:<24} {took} ms", text("/action")))
}

/// The `grant_type` of a form, by its last word.
fn grant_type(body: &str) -> Option<String> {
    let params = crate::oauth::Params::read_lossy(body);
    let grant_type = params.get("grant_type")?;
    Some(grant_type.rsplit(':').next().unwrap_or(grant_type).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{At, FindingRow, StepRow, Word};
    use crate::verdict::Level;
    use serde_json::json;

    fn row(exchanges: Vec<usize>, marked: Vec<usize>) -> ScenarioRow {
        let finding = FindingRow {
            check: None,
            verdict: Word::Fail,
            level: Level::Must,
            basis: None,
            step: None,
            expected: String::new(),
            observed: String::new(),
            cites: Vec::new(),
            at: None,
            exchanges: marked,
            because: None,
            error: None,
        };
        ScenarioRow {
            suite: "s".into(),
            scenario: "n".into(),
            verdict: Word::Fail,
            reason: None,
            duration_ms: 1.0,
            at: At::default(),
            tags: Vec::new(),
            steps: vec![StepRow { action: "program".into(), tweak: None, exchanges }],
            program: None,
            findings: vec![finding],
        }
    }

    fn exchange(number: usize) -> Value {
        json!({
            "number": number, "at": 1000 + number * 10, "took_us": 2500, "action": "program", "endpoint": "token",
            "request": { "method": "POST", "url": "u", "headers": [],
                         "body": "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer" },
            "response": { "status": 400, "headers": [], "body": "{\"error\":\"invalid_grant\"}" }
        })
    }

    #[test]
    fn each_exchange_has_a_line_and_what_a_finding_names_is_marked() {
        let transcript: Vec<Value> = (0..3).map(exchange).collect();
        let told = sequence(&row(vec![0, 1, 2], vec![1]), &transcript);
        let lines: Vec<Vec<&str>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            lines[1],
            [">", "#1", "10", "ms", "program", "token", "jwt-bearer", "400", "invalid_grant", "2", "ms"]
        );
        assert_eq!((lines.len(), lines[0][0]), (3, "#0"));
    }

    #[test]
    fn of_many_those_around_the_marked_ones_are_shown() {
        let transcript: Vec<Value> = (0..100).map(exchange).collect();
        let told = sequence(&row((0..100).collect(), vec![50]), &transcript);
        let lines: Vec<&str> = told.lines().map(str::trim).collect();
        assert_eq!((lines.len(), lines[0], lines[6]), (7, "...", "..."));
        assert!(lines[1].starts_with("#48") && lines[3].starts_with("> #50"));
    }
}
