//! A program as a suite, in the words that an author would use. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::program::{Brought, Foreseen, Held, Kind, Line, Program, What, Who, duration, setting};
use super::right::{Right, Rules};
use crate::subject::Settings;

/// An expectation that holds whatever comes.
const ANYTHING: &str = "{ status: [2xx, 3xx, 4xx, 5xx] }";

/// How much a suite says about what must come of its steps.
pub enum Says<'s> {
    /// Nothing: everything is played to the end, and judged afterwards.
    Nothing,
    /// What is right at each step, by position, as far as that is known.
    Right(&'s BTreeMap<usize, Vec<Right>>),
}

/// A scenario in the making.
pub struct Scenario<'s> {
    /// Its name.
    pub name: &'s str,
    /// What is done.
    pub program: &'s Program,
    /// What must come of it.
    pub says: Says<'s>,
    /// The check that must have evidence, where it is about one.
    pub check: Option<&'s str>,
    /// Whether the last step must bring an access token that was not there before.
    pub anew: bool,
}

/// Writes a suite of these scenarios, with the controls that their refusals need. Each line of `about` stands as a comment
/// at its head.
pub fn suite(
    title: &str,
    about: &[String],
    rules: &dyn Fn(&Settings) -> Rules,
    scenarios: &[Scenario<'_>],
) -> String {
    let mut out = String::new();
    for line in about {
        let _ = writeln!(out, "# {}", line.replace(['\n', '\r'], " "));
    }
    let _ = writeln!(out, "suite: {title}\njudges: org\nscenarios:");
    let mut controls = BTreeMap::new();
    for scenario in scenarios {
        write_scenario(&mut out, scenario, &rules(&scenario.program.settings), &mut controls);
    }
    for (name, (settings, steps)) in &controls {
        head(&mut out, name, None, settings);
        out.push_str(steps);
    }
    out
}

/// Name of a control, with its settings and the text of its steps.
type Controls = BTreeMap<String, (Settings, String)>;

fn head(out: &mut String, name: &str, who: Option<&Who>, settings: &Settings) {
    let _ = writeln!(out, "  - scenario: {}", quoted(name));
    if let Some(Who { app, user }) = who {
        for (key, role) in [("app", app), ("user", user)].iter().filter(|(_, role)| *role != "main") {
            let _ = writeln!(out, "    {key}: {role}");
        }
    }
    let _ = writeln!(out, "    tags: [destructive]");
    if !settings.0.is_empty() {
        let all: Vec<String> =
            settings.0.iter().map(|(name, value)| format!("{name}: {}", setting(value))).collect();
        let _ = writeln!(out, "    settings: {{ {} }}", all.join(", "));
    }
}

fn write_scenario(out: &mut String, scenario: &Scenario<'_>, rules: &Rules, controls: &mut Controls) {
    let program = scenario.program;
    let first = program.lines.iter().find(|line| !matches!(line.what, What::Advance(_)));
    let default =
        first.map_or_else(|| Who { app: "main".into(), user: "main".into() }, |line| line.who.clone());
    head(out, scenario.name, Some(&default), &program.settings);
    if let Some(check) = scenario.check {
        let _ = writeln!(out, "    checks: [{check}]");
    }
    let _ = writeln!(out, "    steps:");
    let spoken = spoken(program, rules);
    // The one before, which must not come again.
    let before = if scenario.anew {
        program.lines.iter().rev().skip(1).find(|l| l.what.asks_for_tokens())
    } else {
        None
    };
    for (i, line) in program.lines.iter().enumerate() {
        let _ = writeln!(out, "      - do: {}", line.what.word());
        let mut key = |key: &str, value: &str| {
            let _ = writeln!(out, "        {key}: {value}");
        };
        if let What::Advance(seconds) = line.what {
            key("by", &duration(seconds));
            continue;
        }
        if line.who.app != default.app {
            key("app", &line.who.app);
        }
        if line.who.user != default.user {
            key("user", &line.who.user);
        }
        for (name, value) in own_keys(line, &spoken[i]) {
            key(name, &value);
        }
        if line.times > 1 {
            key("times", &line.times.to_string());
            key("at_once", "true");
        }
        if line.together {
            key("together", "true");
        }
        let mut kept = kept(line, &spoken);
        if before.is_some_and(|before| before.id == line.id) {
            kept.push(("before".into(), "body.access_token".into()));
        }
        let kept: Vec<String> = kept.iter().map(|(name, from)| format!("{name}: {from}")).collect();
        if !kept.is_empty() {
            key("capture", &format!("{{ {} }}", kept.join(", ")));
        }
        let (expect, control) = match &scenario.says {
            // A flow that an app does not list is asked for only where that is refused.
            Says::Nothing if is_unlisted(line, rules) => {
                (Some("{ refused: flow-not-enabled }".into()), Some(control(program, line, rules)))
            }
            // What is right for those that go out together depends on who comes first.
            _ if line.together || program.lines.get(i + 1).is_some_and(|next| next.together) => {
                (open(line), None)
            }
            Says::Nothing => (open(line), None),
            Says::Right(right) => said(program, line, right.get(&i).map_or(&[][..], Vec::as_slice), rules),
        };
        let anew = before.is_some() && i + 1 == program.lines.len();
        let anew = anew.then(|| "{ body: { access_token: { not: \"${before}\" } } }".to_owned());
        if let Some(expect) = anew.or(expect) {
            key("expect", &expect);
        }
        if let Some((name, steps)) = control {
            key("control", &quoted(&name));
            controls.insert(name, (program.settings.clone(), steps));
        }
    }
}

/// What a line says out loud, because it is not what grantcheck would send by itself.
#[derive(Clone, Copy, Default)]
struct Spoken<'p> {
    code: Option<(u32, u32)>,
    /// Role of the app that the code was issued to.
    app: Option<&'p str>,
    token: Option<Held>,
    /// Whether the token goes without saying.
    usual: bool,
    assertion: Option<u32>,
    /// Whether its assertion comes again.
    comes_again: bool,
}

/// What each line says out loud: what the last answers brought goes without saying.
fn spoken<'p>(program: &'p Program, rules: &Rules) -> Vec<Spoken<'p>> {
    let mut foreseen = Foreseen::new(rules.clone());
    let mut last: BTreeMap<Brought, Option<u32>> = BTreeMap::new();
    let again: BTreeSet<u32> = program
        .lines
        .iter()
        .filter_map(|line| match line.what {
            What::JwtBearer { again } | What::SamlBearer { again } => again,
            _ => None,
        })
        .collect();
    let mut all = Vec::new();
    let mut group: Vec<(&Line, bool)> = Vec::new();
    for (i, line) in program.lines.iter().enumerate() {
        let is_last = |what: Brought, of: u32| last.get(&what) == Some(&Some(of));
        let mut spoken = Spoken { comes_again: again.contains(&line.id), ..Spoken::default() };
        match line.what {
            What::Redeem { code, verifier } if !(is_last(Brought::Code, code) && code == verifier) => {
                spoken.code = Some((code, verifier));
                let origin = program.lines.iter().find(|line| line.id == code);
                spoken.app = origin.map(|origin| origin.who.app.as_str());
            }
            What::JwtBearer { again: Some(of) } | What::SamlBearer { again: Some(of) } => {
                spoken.assertion = Some(of);
            }
            _ => {}
        }
        if let Some(held) = line.what.token() {
            spoken.usual = is_last(held.kind.brought(), held.of);
            spoken.token = Some(held);
        }
        all.push(spoken);
        let unsure = foreseen.right(line) == Some(Right::Any);
        foreseen.take(line);
        group.push((line, unsure));
        // Those that go out together know nothing of each other's answers.
        if program.lines.get(i + 1).is_some_and(|next| next.together) {
            continue;
        }
        let meet = group.len() > 1;
        for (line, unsure) in group.drain(..) {
            for what in [Brought::Code, Brought::Access, Brought::Refresh] {
                if foreseen.has(line.id, what) {
                    last.insert(what, Some(line.id));
                } else if (unsure || meet) && line.what.asks_for_tokens() && what != Brought::Code {
                    // It may have brought one: from then on nothing goes without saying.
                    last.insert(what, None);
                }
            }
        }
    }
    all
}

fn named(held: Held) -> String {
    match held.kind {
        Kind::Access => format!("access_{}", held.of),
        Kind::Refresh => format!("refresh_{}", held.of),
        Kind::Id => format!("id_{}", held.of),
    }
}

/// The keys that a kind of step has for itself.
fn own_keys(line: &Line, spoken: &Spoken<'_>) -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    let mut with: Vec<String> = Vec::new();
    match &line.what {
        What::Authorize { scope, nonce, prompt } => {
            keys.extend(scope.map(|scope| ("scope", format!("[{}]", scope.join(", ")))));
            keys.extend(nonce.then(|| ("nonce", "true".to_owned())));
            keys.extend(prompt.then(|| ("prompt", "login".to_owned())));
        }
        What::Redeem { .. } => {
            if let Some((code, verifier)) = spoken.code {
                with.push(format!("code: \"${{code_{code}}}\""));
                with.push(format!("code_verifier: \"${{verifier_{verifier}}}\""));
                with.push(format!("redirect_uri: \"${{{}.redirect_uri}}\"", spoken.app.unwrap_or("app")));
            }
        }
        What::Refresh { token, narrow } => {
            if !spoken.usual || token.kind == Kind::Access {
                with.push(format!(
                    "refresh_token: \"${{{}}}\"",
                    if spoken.usual { "access_token".into() } else { named(*token) }
                ));
            }
            if *narrow {
                with.push("scope: id".into());
            }
        }
        What::JwtBearer { .. } | What::SamlBearer { .. } => {
            let jwt = matches!(line.what, What::JwtBearer { .. });
            if let Some(of) = spoken.assertion {
                with.push(format!("assertion: \"${{assertion_{of}}}\""));
            } else if spoken.comes_again && jwt {
                with.push(format!("jti: \"explored-{}-${{now}}\"", line.id));
            }
        }
        _ => {}
    }
    if !with.is_empty() {
        keys.push(("with", format!("{{ {} }}", with.join(", "))));
    }
    if let (Some(held), false) = (spoken.token, matches!(line.what, What::Refresh { .. })) {
        match (held.kind, spoken.usual) {
            (Kind::Access, true) => {}
            (Kind::Refresh, true) => keys.push(("token", "refresh_token".into())),
            (Kind::Id, _) | (_, false) => keys.push(("token", format!("\"${{{}}}\"", named(held)))),
        }
    }
    if let What::Revoke { hint: Some(hint), .. } | What::Introspect { hint: Some(hint), .. } = line.what {
        keys.push(("hint", hint.to_owned()));
    }
    keys
}

/// What is kept of a line for later ones, each with where it stands.
fn kept(line: &Line, spoken: &[Spoken<'_>]) -> Vec<(String, String)> {
    let id = line.id;
    let mut kept = Vec::new();
    if spoken.iter().any(|s| s.code.is_some_and(|(code, _)| code == id)) {
        kept.push((format!("code_{id}"), "redirect.code".into()));
    }
    if spoken.iter().any(|s| s.code.is_some_and(|(_, verifier)| verifier == id)) {
        kept.push((format!("verifier_{id}"), "\"${code_verifier}\"".into()));
    }
    let members = [
        (Kind::Access, "body.access_token"),
        (Kind::Refresh, "body.refresh_token"),
        (Kind::Id, "body.id_token"),
    ];
    for (kind, from) in members {
        let held = Held { kind, of: id };
        if spoken.iter().any(|s| s.token == Some(held) && !s.usual) {
            kept.push((named(held), from.into()));
        }
    }
    if spoken.iter().any(|s| s.assertion == Some(id)) {
        kept.push((format!("assertion_{id}"), "\"${assertion}\"".into()));
    }
    kept
}

/// Whether a line asks for client credentials for an app that does not list them.
fn is_unlisted(line: &Line, rules: &Rules) -> bool {
    line.what == What::ClientCredentials && rules.unlisted.contains(&line.who.app)
}

/// An expectation that lets everything pass; a login has to bring a code.
fn open(line: &Line) -> Option<String> {
    (!matches!(line.what, What::Authorize { .. })).then(|| ANYTHING.to_owned())
}

/// What must come of a line, and the control of a refusal: its name and its steps.
fn said(
    program: &Program,
    line: &Line,
    right: &[Right],
    rules: &Rules,
) -> (Option<String>, Option<(String, String)>) {
    let [right] = right else { return (open(line), None) };
    if line.times > 1 {
        return (Some(of_race(line, *right)), None).into_control(program, line, *right, rules);
    }
    let refused = |name: &str| (Some(format!("{{ refused: {name} }}")), Some(control(program, line, rules)));
    match right {
        Right::Code | Right::In | Right::Done | Right::Active(true) | Right::Granted(None) => (None, None),
        Right::Granted(Some(with)) => {
            let word = if *with { "present" } else { "absent" };
            (Some(format!("{{ body: {{ access_token: present, refresh_token: {word} }} }}")), None)
        }
        Right::Refused(name) => refused(name),
        Right::Out if matches!(line.what, What::Soap { .. }) => {
            (Some("{ status: [4xx, 5xx] }".into()), Some(control(program, line, rules)))
        }
        Right::Out => refused("access-token-invalid"),
        Right::Active(false) => refused("token-inactive"),
        Right::Any => (open(line), None),
    }
}

trait IntoControl {
    fn into_control(self, program: &Program, line: &Line, right: Right, rules: &Rules) -> Self;
}

impl IntoControl for (Option<String>, Option<(String, String)>) {
    /// Where all of a race must be refused, a control proves it.
    fn into_control(mut self, program: &Program, line: &Line, right: Right, rules: &Rules) -> Self {
        if matches!(right, Right::Refused(_) | Right::Out | Right::Active(false)) {
            self.1 = Some(control(program, line, rules));
        }
        self
    }
}

/// What must come of several at once, where the first of them alone would come to that.
fn of_race(line: &Line, right: Right) -> String {
    match (&line.what, right) {
        (What::Redeem { .. }, Right::Granted(_)) => {
            "{ at_most: { 1: { status: 200 } }, others: { refused: code-already-used } }".into()
        }
        (What::Refresh { .. }, Right::Granted(Some(true))) => {
            "{ at_most: { 1: { status: 200 } }, others: { refused: refresh-in-flight } }".into()
        }
        (What::Refresh { .. }, Right::Granted(_)) => {
            "{ at_least: { 1: { status: 200 } }, others: { refused: refresh-in-flight } }".into()
        }
        (What::Revoke { .. }, _) => "{ status: [2xx, 4xx] }".into(),
        (_, Right::Granted(_) | Right::In | Right::Done | Right::Code) => "{ status: 2xx }".into(),
        (_, Right::Refused(name)) => format!("{{ refused: {name} }}"),
        (What::Soap { .. }, Right::Out) => "{ status: [4xx, 5xx] }".into(),
        (_, Right::Out) => "{ refused: access-token-invalid }".into(),
        (_, Right::Active(true)) => "{ body: { active: true } }".into(),
        (_, Right::Active(false)) => "{ refused: token-inactive }".into(),
        (_, Right::Any) => ANYTHING.into(),
    }
}

/// The play that shows that a request like this one can succeed: a fresh grant, used at once.
fn control(program: &Program, line: &Line, rules: &Rules) -> (String, String) {
    let of = match (&line.what, line.what.token()) {
        (What::Redeem { code, .. }, _) => Some(*code),
        (_, Some(held)) => Some(held.of),
        _ => None,
    };
    let origin = of.and_then(|of| program.lines.iter().find(|line| line.id == of));
    let listed = rules.listed.clone().map(|app| Who { app, user: "main".into() });
    // Who is refused for what it is has another one beside it.
    let other = listed.filter(|_| line.what == What::ClientCredentials);
    let who = other.as_ref().unwrap_or_else(|| origin.map_or(&line.who, |origin| &origin.who));
    let word = line.what.word();
    let mut steps: Vec<String> = match origin.map(|origin| &origin.what) {
        _ if line.what == What::ClientCredentials => Vec::new(),
        Some(What::ClientCredentials | What::JwtBearer { .. } | What::SamlBearer { .. }) => {
            vec![format!("do: {}", origin.map_or("", |origin| origin.what.word()))]
        }
        _ => vec!["do: authorize".into(), "do: redeem".into()],
    };
    let kind = line.what.token().map(|held| held.kind);
    match (&line.what, kind) {
        (What::Redeem { .. }, _) => {}
        (What::Refresh { .. }, _) | (_, Some(Kind::Access) | None) => steps.push(format!("do: {word}")),
        (_, Some(Kind::Refresh)) if matches!(line.what, What::Introspect { .. } | What::Revoke { .. }) => {
            steps.push(format!("do: {word}\n        token: refresh_token"));
        }
        _ => steps.push(format!("do: {word}")),
    }
    let by = match (who.app.as_str(), who.user.as_str()) {
        ("main", "main") => String::new(),
        ("main", user) => format!(" of the user {user}"),
        (app, "main") => format!(" of the app {app}"),
        (app, user) => format!(" of the app {app} and the user {user}"),
    };
    let first = steps[0].trim_start_matches("do: ");
    let after = if first == "authorize" { " after a login".into() } else { format!(" after {first}") };
    let after = if steps.len() > 1 { after } else { String::new() };
    let what = if kind == Some(Kind::Refresh) && !matches!(line.what, What::Refresh { .. }) {
        " with a refresh token"
    } else {
        ""
    };
    let name = format!("what must succeed{by}: {word}{what}{after}");
    let mut text = String::from("    steps:\n");
    for step in &steps {
        let _ = writeln!(text, "      - {step}");
        for (key, role) in [("app", &who.app), ("user", &who.user)].iter().filter(|(_, role)| *role != "main")
        {
            let _ = writeln!(text, "        {key}: {role}");
        }
    }
    (name, text)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
