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
    let rotation = case.rotation.then_some("rotation: true");
    let settings: Vec<&str> = rotation.into_iter().chain(of_turns(case, |turn| turn.what.settings)).collect();
    if !settings.is_empty() {
        key(4, "settings", &format!("{{ {} }}", settings.join(", ")));
    }
    key(4, "program", &program(case));
    let of = if case.does == Some("userinfo") { ", of: userinfo" } else { "" };
    let expire = case.expiry.map(|expiry| match expiry {
        Expiry::After(n) => ("expire", format!("{{ after_calls: {n}{of} }}")),
        Expiry::Every(n) => ("expire", format!("{{ every: {n}{of} }}")),
        Expiry::AtOnce { calls, late: 0 } => ("expire", format!("{{ at_once: {calls} }}")),
        Expiry::AtOnce { calls, late } => ("expire", format!("{{ at_once: {calls}, late: {late} }}")),
        Expiry::Never { together } => ("together", together.to_string()),
    });
    let answers = answers(case);
    if expire.is_some() || !case.turns.is_empty() || !answers.is_empty() {
        key(4, "org", "");
    }
    if let Some((word, expire)) = expire {
        key(6, word, &expire);
    }
    for turn in &case.turns {
        match turn.what.place {
            Place::Callback => key(6, "callback", &format!("{{ {}{} }}", counted(turn), turn.what.says)),
            Place::Keys => key(6, "keys", &format!("{{ {} }}", turn.what.says)),
            _ => {}
        }
    }
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
        Starts::Anew(n) => keys.push(format!("times: {n}")),
        Starts::Processes(n) => keys.push(format!("processes: {n}")),
        Starts::Killed { after, nth } => keys.push(format!("kill: {{ after: {after}, nth: {nth} }}")),
    }
    let authentication = match case.app {
        "basic" => Some("authentication: basic"),
        "assertion" => Some("authentication: private-key-jwt"),
        _ => None,
    };
    let does = case.does.map(|does| format!("does: {does}"));
    let mut args: Vec<&str> = authentication.into_iter().chain(does.as_deref()).collect();
    args.extend(case.pauses.then_some("pause: 1m"));
    args.extend(of_turns(case, |turn| turn.what.args));
    args.extend(case.logs_out.then_some("ends: log-out"));
    if !args.is_empty() {
        keys.push(format!("args: {{ {} }}", args.join(", ")));
    }
    format!("{{ {} }}", keys.join(", "))
}

/// What the turns say of something, each once.
fn of_turns<'c>(case: &'c Case, what: impl Fn(&'c Turn) -> &'static str) -> Vec<&'static str> {
    let mut all: Vec<&'static str> = Vec::new();
    for says in case.turns.iter().map(what) {
        if !says.is_empty() && !all.contains(&says) {
            all.push(says);
        }
    }
    all
}

/// `from` and `times`, with what separates them from what follows.
fn counted(turn: &Turn) -> String {
    let from = if turn.from > 1 { format!("from: {}, ", turn.from) } else { String::new() };
    let times = turn.times.map(|times| format!("times: {times}, ")).unwrap_or_default();
    from + &times
}

/// What stands in place of answers, in the order in which it is looked through.
fn answers(case: &Case) -> Vec<String> {
    let mut all: Vec<String> = case.turns.iter().filter_map(answer).collect();
    let codes = of_turns(case, |turn| turn.what.code);
    all.extend(codes.iter().map(|code| format!("{{ to: token, grant_type: authorization_code, {code} }}")));
    if case.does == Some("pages") {
        let page = |first: &str, json: &str| {
            format!("{{ to: api, {first}, respond: {{ status: 200, json: {{ {json} records: [] }} }} }}")
        };
        let next = "done: false, nextRecordsUrl: /services/data/v62.0/query/01gRM0000000001-2000,";
        all.insert(0, page("times: 1", next));
        all.push(page("from: 2", "done: true,"));
    }
    all
}

fn answer(turn: &Turn) -> Option<String> {
    let to = match turn.what.place {
        Place::Token => "to: token",
        Place::Refresh => "to: token, grant_type: refresh_token",
        Place::Code => "to: token, grant_type: authorization_code",
        Place::Grant => "to: token",
        Place::Api | Place::Page => "to: api",
        Place::Revoke => "to: revoke",
        Place::Callback | Place::Keys => return None,
    };
    Some(format!("{{ {to}, {}{} }}", counted(turn), turn.what.says))
}
