//! Scenarios that judge a client program: what it is told to do, how the org behaves towards it, and what must come of it.

use serde_json::{Value, json};

use super::id_token;
use super::parse::{Kind, Node};
use super::shape::{Either, Form, Key, Never, Record, Shape, check, may, must, named, one_or_many, record};
use super::stubs::{canned, headers, respond};
use super::told::{self, Told};
use super::words::{DURATION, flows, settings, waivers};
use crate::diagnostic::{Diagnostic, Span, Text, closest};
use crate::oauth::{Endpoint, duration};
use crate::subject::{
    Behaviour, Callback, Called, Cut, Does, Expire, Flow, HOSTS, Instead, OF_THE_CONNECTION, Written,
};

/// The most calls that a program is asked for.
const MOST_CALLS: i64 = 10_000;

/// What a program is played for.
#[derive(Clone, Debug)]
pub struct Play {
    /// How it gets tokens.
    pub flow: Flow,
    /// What it is told, and what is done to it.
    pub told: Told,
    /// What the user has whom it sends to log in.
    pub browser: Browser,
    /// How the org behaves towards it.
    pub org: Behaviour,
    /// How it must end.
    pub exit: Exit,
    /// Where that is said; the scenario, where it is not.
    pub exit_span: Span,
    /// What it must have asked.
    pub requests: Vec<Requests>,
}

/// What a user has whom a program sends to log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Browser {
    /// None: forms are read and sent.
    #[default]
    Forms,
    /// Headless Chromium, which runs what stands in pages.
    Chromium,
}

/// How a program must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did its work: 0.
    Done,
    /// It gave up: 1.
    GaveUp,
    /// Either.
    Any,
}

/// What a program must have asked of one endpoint.
#[derive(Clone, Debug)]
pub struct Requests {
    /// Where the suite says so.
    pub span: Span,
    /// The endpoint.
    pub to: Endpoint,
    /// The `grant_type`, where only those count.
    pub grant_type: Option<String>,
    /// How often.
    pub count: Option<Called>,
    /// How often with success.
    pub answered: Option<Called>,
}

/// The endpoints by the words that suites use.
const ENDPOINTS: [(&str, Endpoint); 9] = [
    ("api", Endpoint::Resource),
    ("authorize", Endpoint::Authorize),
    ("discovery", Endpoint::Discovery),
    ("identity", Endpoint::Identity),
    ("introspect", Endpoint::Introspect),
    ("keys", Endpoint::Keys),
    ("revoke", Endpoint::Revoke),
    ("token", Endpoint::Token),
    ("userinfo", Endpoint::Userinfo),
];

pub(super) const CALLS: Form = Form {
    code: "wrong-type",
    expected: "a whole number from 1 to 10000",
    help: "for example `20`",
    fits: |text| text.parse::<i64>().is_ok_and(|calls| (1..=MOST_CALLS).contains(&calls)),
    schema: || {
        json!({ "anyOf": [
            { "type": "integer", "minimum": 1, "maximum": 10000 },
            { "type": "string", "pattern": "^\\+?0*[1-9][0-9]*$" }
        ] })
    },
};

/// What can be said of what comes back, one of these; `alter` and `headers` go together.
const SAID: [&str; 8] = ["respond", "alter", "headers", "written", "cut", "hang", "stall", "id_token"];

fn endpoints() -> Vec<&'static str> {
    ENDPOINTS.iter().map(|(word, _)| *word).collect()
}

/// The whole file.
pub(super) fn suite(scenario: Shape) -> Shape {
    let no_scenarios: Never = ("the suite has no scenarios, so it would judge nothing", "add a scenario");
    record(vec![
        must("suite", Shape::Name, "what the suite is about"),
        must("judges", Shape::Words("party", vec!["client"]), "which end is under test: `client`"),
        may("app", Shape::Name, "role of the app that the program is, `main` where it is not given"),
        may("user", Shape::Name, "role of the user that it acts for, `main` where it is not given"),
        browser(),
        may("tags", one_or_many("a tag or a list of tags", Shape::Name), "tags of all its scenarios"),
        may("settings", settings(), "what the org is set up for, in all its scenarios"),
        may("waive", waivers(), "checks that its scenarios are let off, each with the reason"),
        must(
            "scenarios",
            Shape::Item(Box::new(Shape::List(Box::new(scenario), Some(no_scenarios)))),
            "what is played",
        ),
    ])
}

/// One scenario.
pub(super) fn scenario() -> Shape {
    let no_rows: Never =
        ("`for_each` has no rows, so the scenario would not be played", "add a row, or leave `for_each` out");
    let row = Shape::Map(None, Box::new(Shape::Any), Some(("this row has no values", "write `name: value`")));
    let check = || one_or_many("the id of a check or a list of them", Shape::Name);
    named(
        "client-scenario",
        Shape::Item(Box::new(Shape::Record(Record {
            keys: vec![
                must("scenario", Shape::Name, "a sentence that says what holds"),
                must("flow", Shape::Words("flow", flows()), "how the program gets tokens"),
                may("app", Shape::Name, "role of the app that the program is"),
                may("user", Shape::Name, "role of the user that it acts for"),
                browser(),
                may("program", told::shape(), "what the program is told"),
                may("org", org(), "how the org behaves towards it"),
                may("settings", settings(), "what the org is set up for"),
                may("expect", expect(), "what must come of it; without it, that the program does its work"),
                may("checks", check(), "checks, or families that end in `/`, that must have evidence here"),
                may("tags", one_or_many("a tag or a list of tags", Shape::Name), "tags"),
                may("waive", waivers(), "checks that this scenario is let off, each with the reason"),
                may(
                    "for_each",
                    Shape::List(Box::new(row), Some(no_rows)),
                    "rows of data: one scenario each, `${row.NAME}` stands for a value",
                ),
            ],
            rules: vec![
                json!({ "if": { "required": ["browser"] },
                    "then": { "properties": { "flow": { "const": "web-server" } } } }),
                json!({ "if": { "required": ["program"], "properties": { "program": { "const": "none" } } },
                    "then": { "not": { "anyOf": [
                        { "required": ["org"] }, { "required": ["browser"] },
                        { "required": ["expect"], "properties": { "expect": { "required": ["exit"] } } },
                    ] } } }),
            ],
            ..Record::default()
        }))),
    )
}

fn org() -> Shape {
    let never: Never = ("nothing is said of the org", "for example `{ expire: { after_calls: 1 } }`");
    let dies: Never = ("nothing is said of when", "for example `{ after_calls: 1 }`");
    let expire = Shape::Record(Record {
        keys: vec![
            may("after_calls", Shape::Form(&CALLS), "the access token dies after it let so many calls in"),
            may(
                "at_once",
                Shape::Form(&CALLS),
                "it dies when so many calls are in flight, which are held until then",
            ),
            may("every", Shape::Form(&CALLS), "it dies each time that so many calls were let in"),
            may(
                "of",
                Shape::Words("endpoint", vec!["api", "identity", "userinfo"]),
                "which calls are meant; those to the API where it is not given",
            ),
            may("late", Shape::Count, "how many of them are refused no sooner than a new token was granted"),
        ],
        never: Some(dies),
        rules: vec![json!({ "oneOf": [
            { "required": ["after_calls"] }, { "required": ["at_once"] }, { "required": ["every"] }
        ] })],
        ..Record::default()
    });
    let no_member: Never = ("no member is named", "for example `alter: { refresh_token: absent }`");
    let altered = Shape::Map(None, Box::new(Shape::Any), Some(no_member));
    let answer = record(vec![
        must("to", Shape::Words("endpoint", endpoints()), "which endpoint is asked"),
        may("grant_type", Shape::Name, "the `grant_type` of a token request, where it must be that one"),
        may("from", Shape::Form(&CALLS), "from which such request on; the first where it is not given"),
        may("times", Shape::Form(&CALLS), "for how many of them; for all that follow where it is not given"),
        may("every", Shape::Form(&CALLS), "for each of which of these; for every one where it is not given"),
        may("respond", respond(), "what is answered in place of the org's own answer"),
        may(
            "alter",
            altered,
            "members of the JSON body that the org's own answer has otherwise; `absent` takes one away",
        ),
        may(
            "written",
            Shape::Words("way", Written::ALL.map(|(word, _)| word).to_vec()),
            "the org's own answer, with its JSON written with spaces, with the last member first, or with escapes",
        ),
        may(
            "cut",
            Shape::Words("moment", vec!["before", "after", "middle"]),
            "the connection is cut before or after the org did what it was asked, or in the middle of its answer",
        ),
        may("headers", headers(), "header fields that the org's own answer has otherwise"),
        may("hang", Shape::Form(&DURATION), "nothing comes back for so long, then the connection is cut"),
        may(
            "stall",
            Shape::Form(&DURATION),
            "half of the org's own answer comes back, then nothing for so long, then the connection is cut",
        ),
        may("id_token", id_token::forged(), "how the ID token of the org's own answer differs"),
    ]);
    let nothing: Never = ("no answer is given", "leave it out, or write what is answered");
    let keys = vec![
        may("expire", expire, "when the access token dies"),
        may(
            "together",
            Shape::Form(&CALLS),
            "so many calls are held until they are in flight at once, and then let in",
        ),
        may(
            "answers",
            Shape::List(Box::new(named("instead", Shape::Item(Box::new(answer)))), Some(nothing)),
            "answers in place of the org's own; the first that fits is given",
        ),
        may("callback", callback(), "what is done to the callback of a login"),
        may("keys", id_token::keys(), "which keys verify ID tokens"),
    ];
    let rules = vec![json!({ "not": { "required": ["expire", "together"] } })];
    Shape::Record(Record { keys, never: Some(never), rules, ..Record::default() })
}

fn browser() -> Key {
    let words = Shape::Words("browser", vec!["forms", "chromium"]);
    may(
        "browser",
        words,
        "what a user has who is sent to log in: `forms`, which are read and sent, or headless `chromium`",
    )
}

fn callback() -> Shape {
    let never: Never = ("nothing is said of the callback", "for example `{ alter: { state: absent } }`");
    let no_parameter: Never = ("no parameter is named", "for example `alter: { state: absent }`");
    let altered = Shape::Map(None, Box::new(Shape::Any), Some(no_parameter));
    let added = Shape::Map(None, Box::new(Shape::Text), Some(no_parameter));
    let names = || one_or_many("a parameter or a list of them", Shape::Name);
    let keys = vec![
        may("deny", Shape::Flag, "the user says no"),
        may("alter", altered, "parameters that the callback has otherwise; `absent` takes one away"),
        may(
            "swap_case",
            names(),
            "parameters whose capitals are small letters there, and the other way round",
        ),
        may("twice", names(), "parameters that stand there twice"),
        may("besides", added, "parameters that stand behind all others, whatever is there already"),
        may(
            "again",
            Shape::Flag,
            "the login is gone through a second time, with the same `state` and another code",
        ),
        may(
            "unsolicited",
            Shape::Flag,
            "before the user goes anywhere, somebody else brings the client a code of their own",
        ),
        may("from", Shape::Form(&CALLS), "from which login on; the first where it is not given"),
        may("times", Shape::Form(&CALLS), "for how many logins; for all that follow where it is not given"),
    ];
    Shape::Record(Record { keys, never: Some(never), ..Record::default() })
}

fn expect() -> Shape {
    let never: Never = ("nothing is expected", "for example `{ exit: done }`");
    let bounds = || {
        let nothing: Never = ("nothing is said of how often", "for example `{ at_least: 1 }`");
        let keys = vec![
            may("at_least", Shape::Count, "at least so often"),
            may("at_most", Shape::Count, "at most so often"),
        ];
        Shape::Either(Box::new(Either {
            expected: "a number of requests",
            help: "write a number, or for example `{ at_least: 1, at_most: 3 }`".into(),
            scalar: Some(Shape::Count),
            list: None,
            map: Some(Shape::Record(Record { keys, never: Some(nothing), ..Record::default() })),
        }))
    };
    let requests = record(vec![
        must("to", Shape::Words("endpoint", endpoints()), "which endpoint"),
        may("grant_type", Shape::Name, "the `grant_type`, where only those count"),
        may("count", bounds(), "how often it was asked"),
        may("answered", bounds(), "how often it answered with success"),
    ]);
    let nothing: Never = ("no request is named", "leave it out, or write `- { to: token, count: 1 }`");
    let keys = vec![
        may(
            "exit",
            Shape::Words("exit", vec!["done", "gave-up", "any"]),
            "how the program ends: `done` (0), `gave-up` (1) or `any` of both",
        ),
        may(
            "requests",
            Shape::List(Box::new(named("requests", Shape::Item(Box::new(requests)))), Some(nothing)),
            "what it must have asked",
        ),
    ];
    Shape::Record(Record { keys, never: Some(never), ..Record::default() })
}

/// Reads what is said of an org, alone.
pub(super) fn read_behaviour(text: &Text, node: &Node) -> Result<Behaviour, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    if !node.entries().is_empty() || node.text().is_some() {
        check(text, node, &org(), &mut problems);
    }
    let behaviour = behaviour(text, Some(node), &mut problems);
    if problems.is_empty() { Ok(behaviour) } else { Err(problems) }
}

/// Reads what is particular to a scenario that judges a client. What the shape tells is left out here.
pub(super) fn read(text: &Text, root: &Node, node: &Node, problems: &mut Vec<Diagnostic>) -> Play {
    let flow = node.get("flow").and_then(Node::text).and_then(Flow::read).unwrap_or(Flow::WebServer);
    let told = told::read(text, node, flow, problems);
    let expect = node.get("expect");
    let exit = expect.and_then(|e| e.get("exit"));
    let requests = expect.and_then(|e| e.get("requests")).map(Node::items).unwrap_or_default();
    let org = behaviour(text, node.get("org"), problems);
    let held = match org.expire {
        Some(Expire::AtOnce { calls, late }) => Some((calls, late)),
        _ => org.together.map(|calls| (calls, 0)),
    };
    if let Some((held, late)) = held {
        let span = node.get("org").map_or(node.span, |n| n.span);
        let Told { calls, concurrency, processes, .. } = told;
        if held > concurrency.min(calls).saturating_mul(processes) {
            let message = format!("{held} calls are never in flight at once");
            let help = format!("the program makes {calls} calls, {concurrency} at a time: see `program`");
            problems.push(Diagnostic::at("contradiction", text, span, message).help(help));
        } else if late >= held {
            let message = "no call is refused that could begin a renewal";
            let help = "let `late` be less than `at_once`";
            problems.push(Diagnostic::at("contradiction", text, span, message).help(help));
        }
    }
    if let Some(callback) = node.get("org").and_then(|org| org.key("callback"))
        && flow != Flow::WebServer
    {
        let message = format!("nobody logs in by {flow}, so there is no callback");
        let help = "leave `callback` out, or write `flow: web-server`";
        problems.push(Diagnostic::at("contradiction", text, callback.span, message).help(help));
    }
    let own = node.get("browser");
    if let Some(own) = own.filter(|_| flow != Flow::WebServer) {
        let message = format!("nobody logs in by {flow}, so there is no browser");
        let help = "leave `browser` out, or write `flow: web-server`";
        problems.push(Diagnostic::at("contradiction", text, own.span, message).help(help));
    }
    Play {
        flow,
        told,
        browser: match own.or_else(|| root.get("browser")).and_then(Node::text) {
            Some("chromium") => Browser::Chromium,
            _ => Browser::Forms,
        },
        org,
        exit: match exit.and_then(Node::text) {
            Some("gave-up") => Exit::GaveUp,
            Some("any") => Exit::Any,
            _ => Exit::Done,
        },
        exit_span: exit.or(node.get("scenario")).map_or(node.span, |n| n.span),
        requests: requests.iter().filter_map(wanted).collect(),
    }
}

fn endpoint(node: &Node) -> Option<Endpoint> {
    named_endpoint(node.get("to")?)
}

fn named_endpoint(node: &Node) -> Option<Endpoint> {
    let word = node.text()?;
    ENDPOINTS.iter().find(|(known, _)| *known == word).map(|(_, endpoint)| *endpoint)
}

fn wanted(node: &Node) -> Option<Requests> {
    Some(Requests {
        span: node.span,
        to: endpoint(node)?,
        grant_type: node.get("grant_type").and_then(Node::text).map(str::to_owned),
        count: node.get("count").and_then(bounds),
        answered: node.get("answered").and_then(bounds),
    })
}

fn bounds(node: &Node) -> Option<Called> {
    let number = |node: &Node| node.number().and_then(|n| u32::try_from(n).ok());
    if let Some(exactly) = number(node) {
        return Some(Called { span: node.span, at_least: exactly, at_most: Some(exactly) });
    }
    let bound = |key: &str| node.get(key).and_then(number);
    Some(Called { span: node.span, at_least: bound("at_least").unwrap_or(0), at_most: bound("at_most") })
}

/// A member of an answer; without quotes, `absent` is a word.
pub(super) fn member((name, value): &(Node, Node)) -> Option<(String, Option<Value>)> {
    let is_absent = matches!(&value.kind, Kind::Scalar { text, plain: true } if text == "absent");
    Some((name.text()?.to_owned(), (!is_absent).then(|| value.json())))
}

fn behaviour(text: &Text, node: Option<&Node>, problems: &mut Vec<Diagnostic>) -> Behaviour {
    let number = |node: Option<&Node>| node.and_then(Node::text).and_then(|n| n.parse::<u32>().ok());
    let Some(node) = node else { return Behaviour::default() };
    let expire = node.get("expire").and_then(|expire| {
        let ways = ["after_calls", "at_once", "every"];
        if ways.iter().filter(|way| expire.get(way).is_some()).count() != 1 {
            let help = "say when by one of `after_calls`, `at_once` and `every`";
            let message = "it is not clear when the access token dies";
            problems.push(Diagnostic::at("contradiction", text, expire.span, message).help(help));
        }
        let late = number(expire.get("late")).unwrap_or(0);
        let after = number(expire.get("after_calls")).map(Expire::AfterCalls);
        let at_once = number(expire.get("at_once")).map(|calls| Expire::AtOnce { calls, late });
        after.or(at_once).or(number(expire.get("every")).map(Expire::Every))
    });
    let written = node.get("answers").map(Node::items).unwrap_or_default();
    let mut answers = Vec::new();
    for one in written {
        let Some(does) = does(text, one, problems) else { continue };
        let fields = one.get("headers").map(Node::entries).unwrap_or_default();
        for (name, _) in fields {
            let is_its_own =
                |own: &&&str| **own != "date" && name.text().is_some_and(|n| n.eq_ignore_ascii_case(own));
            if let Some(own) = OF_THE_CONNECTION.iter().find(is_its_own) {
                let message = format!("the header `{own}` is not for a suite to say");
                let help = "leave it out: the server writes it as the connection needs it";
                problems.push(Diagnostic::at("misplaced", text, name.span, message).help(help));
            }
        }
        let fields = fields.iter().filter_map(|(k, v)| Some((k.text()?.to_owned(), v.text()?.to_owned())));
        let Some(to) = endpoint(one) else { continue };
        answers.push(Instead {
            to,
            grant_type: one.get("grant_type").and_then(Node::text).map(str::to_owned),
            from: number(one.get("from")).unwrap_or(1),
            times: number(one.get("times")),
            every: number(one.get("every")).unwrap_or(1),
            headers: fields.collect(),
            does,
        });
    }
    hosts(text, node, problems);
    let counted = node.get("expire").and_then(|expire| named_endpoint(expire.get("of")?));
    let counted = counted.unwrap_or(Endpoint::Resource);
    let together = number(node.get("together"));
    if let (Some(node), Some(_)) = (node.key("together").filter(|_| together.is_some()), expire) {
        let message = "calls are held together, and the access token dies";
        let help = "leave one of both out: `expire: { at_once: ... }` holds calls as well";
        problems.push(Diagnostic::at("contradiction", text, node.span, message).help(help));
    }
    Behaviour {
        expire,
        together,
        counted,
        answers,
        callback: node.get("callback").map(read_callback).unwrap_or_default(),
        keys: node.get("keys").map(id_token::read_keys).unwrap_or_default(),
    }
}

/// What an answer in place of the org's own is to be.
fn does(text: &Text, one: &Node, problems: &mut Vec<Diagnostic>) -> Option<Does> {
    let mut problem = |message: &str, help: &str| {
        problems.push(Diagnostic::at("contradiction", text, one.span, message).help(help));
    };
    let said: Vec<(&str, &Node)> = SAID.iter().filter_map(|key| Some((*key, one.get(key)?))).collect();
    let list = || SAID.map(|key| format!("`{key}`")).join(", ");
    let (key, node) = match said.as_slice() {
        [] => {
            problem("nothing is said of what comes back", &format!("write one of {}", list()));
            return None;
        }
        [one] | [one @ ("alter", _), ("headers", _)] => *one,
        _ => {
            let help = format!("write one of {}; `alter` and `headers` go together", list());
            problem("more than one thing is said of what comes back", &help);
            return None;
        }
    };
    let word = node.text();
    let millis = || word.and_then(duration).and_then(|millis| u64::try_from(millis).ok()).unwrap_or(0);
    Some(match key {
        "respond" => Does::Answer(canned(text, node, problems)),
        "alter" => Does::Alter(node.entries().iter().filter_map(member).collect()),
        "headers" => Does::Alter(Vec::new()),
        "written" => Does::Write(Written::ALL.iter().find(|(known, _)| word == Some(*known))?.1),
        "id_token" => Does::IdToken(id_token::read_forged(node)),
        "hang" => Does::Hang(millis()),
        "stall" => Does::Stall(millis()),
        _ => Does::Cut(match word {
            Some("after") => Cut::After,
            Some("middle") => Cut::Middle,
            _ => Cut::Before,
        }),
    })
}

fn read_callback(node: &Node) -> Callback {
    let flag = |key: &str| node.get(key).and_then(Node::flag).unwrap_or(false);
    let number = |key: &str| node.get(key).and_then(Node::text).and_then(|n| n.parse::<u32>().ok());
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let entries = |key: &str| node.get(key).map(Node::entries).unwrap_or_default().iter();
    let added = |(name, value): &(Node, Node)| Some((name.text()?.to_owned(), value.text()?.to_owned()));
    let names = |key: &str| {
        let names = node.get(key).map(Node::items).unwrap_or_default();
        names.iter().filter_map(|name| Some(name.text()?.to_owned())).collect()
    };
    Callback {
        deny: flag("deny"),
        alter: entries("alter").filter_map(member).map(|(name, value)| (name, value.map(text))).collect(),
        swap_case: names("swap_case"),
        twice: names("twice"),
        besides: entries("besides").filter_map(added).collect(),
        again: flag("again"),
        unsolicited: flag("unsolicited"),
        from: number("from").unwrap_or(1),
        times: number("times"),
    }
}

/// Tells of `${...}` that stands for no host.
fn hosts(text: &Text, node: &Node, problems: &mut Vec<Diagnostic>) {
    if let Some(value) = node.text() {
        for (at, _) in value.match_indices("${") {
            let name = value[at + 2..].split('}').next().unwrap_or("");
            // The client_id of an app is what an ID token is for.
            if !HOSTS.contains(&name) && !name.ends_with(".client_id") {
                let message = format!("`${{{name}}}` stands for nothing here");
                let known = HOSTS.map(|host| format!("`${{{host}}}`")).join(", ");
                let help = match closest(name, HOSTS) {
                    Some(near) => format!("did you mean `${{{near}}}`?"),
                    None => format!("what an org answers may name its hosts: {known}"),
                };
                problems.push(Diagnostic::at("unknown-name", text, node.span, message).help(help));
            }
        }
    }
    node.entries().iter().for_each(|(_, value)| hosts(text, value, problems));
    if let Kind::List(items) = &node.kind {
        items.iter().for_each(|item| hosts(text, item, problems));
    }
}
