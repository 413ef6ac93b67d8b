//! A play of a client program as a scenario, in the words that an author would use. Pure.

use std::fmt::Write as _;

use super::case::{Case, Expiry, Starts, Turn};
use super::happening::Place;

/// A scenario in the making.
pub struct Scenario<'s> {
    /// Its name.
    pub name: &'s str,
    /// What is played.
    pub case: &'s Case,
    /// Whether it says what must come of it, where that is known.
    pub says: bool,
    /// The check that must have evidence, where it is about one.
    pub check: Option<&'s str>,
}

/// Writes a suite of these scenarios. Each line of `about` stands as a comment at its head.
pub fn suite(title: &str, about: &[String], scenarios: &[Scenario<'_>]) -> String {
    let mut out = String::new();
    for line in about {
        let _ = writeln!(out, "# {}", line.replace(['\n', '\r'], " "));
    }
    let _ = writeln!(out, "suite: {title}\njudges: client\nscenarios:");
    for scenario in scenarios {
        write_scenario(&mut out, scenario);
    }
    out
}

fn write_scenario(out: &mut String, scenario: &Scenario<'_>) {
    let case = scenario.case;
    let _ = writeln!(out, "  - scenario: \"{}\"", scenario.name.replace('\\', "\\\\").replace('"', "\\\""));
    let mut key = |indent: usize, key: &str, value: &str| {
        let _ = writeln!(out, "{}{key}: {value}", " ".repeat(indent));
    };
    key(4, "flow", &case.flow.to_string());
    if case.app != "main" {
        key(4, "app", case.app);
    }
    if case.rotation {
        key(4, "settings", "{ rotation: true }");
    }
    key(4, "program", &program(case));
    let expire = case.expiry.map(|expiry| match expiry {
        Expiry::After(n) => format!("{{ after_calls: {n} }}"),
        Expiry::Every(n) => format!("{{ every: {n} }}"),
        Expiry::AtOnce { calls, late: 0 } => format!("{{ at_once: {calls} }}"),
        Expiry::AtOnce { calls, late } => format!("{{ at_once: {calls}, late: {late} }}"),
    });
    if expire.is_some() || !case.turns.is_empty() {
        key(4, "org", "");
    }
    if let Some(expire) = expire {
        key(6, "expire", &expire);
    }
    for turn in &case.turns {
        match turn.what.place {
            Place::Callback => key(6, "callback", &format!("{{ {}{} }}", counted(turn), turn.what.says)),
            Place::Keys => key(6, "keys", &format!("{{ {} }}", turn.what.says)),
            _ => {}
        }
    }
    let answers: Vec<String> = case.turns.iter().filter_map(answer).collect();
    if !answers.is_empty() {
        key(6, "answers", "");
    }
    for answer in answers {
        let _ = writeln!(out, "        - {answer}");
    }
    let expect = match case.answered().filter(|_| scenario.says) {
        Some(calls) => {
            let to = if case.does == Some("userinfo") { "userinfo" } else { "api" };
            format!("{{ requests: [{{ to: {to}, answered: {calls} }}] }}")
        }
        None => "{ exit: any }".to_owned(),
    };
    let _ = writeln!(out, "    expect: {expect}");
    if let Some(check) = scenario.check {
        let _ = writeln!(out, "    checks: [{check}]");
    }
}

fn program(case: &Case) -> String {
    let mut keys = vec![format!("calls: {}", case.calls)];
    if case.concurrency > 1 {
        keys.push(format!("concurrency: {}", case.concurrency));
    }
    match case.starts {
        Starts::Once => {}
        // What is started again goes on with what it kept.
        Starts::Times(n) => keys.push(format!("times: {n}, store: true")),
        Starts::Processes(n) => keys.push(format!("processes: {n}")),
        Starts::Killed { after, nth } => keys.push(format!("kill: {{ after: {after}, nth: {nth} }}")),
    }
    let does = case.does.map(|does| format!("does: {does}"));
    let ends = case.logs_out.then(|| "ends: log-out".to_owned());
    let args: Vec<String> = does.into_iter().chain(ends).collect();
    if !args.is_empty() {
        keys.push(format!("args: {{ {} }}", args.join(", ")));
    }
    format!("{{ {} }}", keys.join(", "))
}

/// `from` and `times`, with what separates them from what follows.
fn counted(turn: &Turn) -> String {
    let from = if turn.from > 1 { format!("from: {}, ", turn.from) } else { String::new() };
    format!("{from}times: {}, ", turn.times)
}

fn answer(turn: &Turn) -> Option<String> {
    let to = match turn.what.place {
        Place::Token => "to: token",
        Place::Refresh => "to: token, grant_type: refresh_token",
        Place::Code => "to: token, grant_type: authorization_code",
        Place::Api => "to: api",
        Place::Revoke => "to: revoke",
        Place::Callback | Place::Keys => return None,
    };
    Some(format!("{{ {to}, {}{} }}", counted(turn), turn.what.says))
}
