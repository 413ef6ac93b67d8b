//! What a suite tells a client program: how much it does, how often it is started, how many of it there are, and when it
//! is killed.

use serde_json::json;

use super::client::CALLS;
use super::parse::Node;
use super::shape::{Either, Form, Never, Record, Shape, may, must, record};
use crate::diagnostic::{Diagnostic, Text, closest};
use crate::oauth::Endpoint;
use crate::subject::{Flow, Kill, Moment, Protocol, named_credential};

/// What stands in the place of a program where a suite only listens.
const NOBODY: &str = "none";
/// The most often that a program is started, and the most processes of it at a time.
const MOST_STARTS: i64 = 20;

/// What a program is told, and what is done to it.
#[derive(Clone, Debug)]
pub struct Told {
    /// Whether nobody is told anything: traffic from elsewhere is judged.
    pub listens: bool,
    /// How many calls each of its processes makes.
    pub calls: u32,
    /// How many of them at a time.
    pub concurrency: u32,
    /// How often it is started, one time after another and against the same org.
    pub times: u32,
    /// How many processes of it there are at a time.
    pub processes: u32,
    /// When it is killed.
    pub kill: Option<Kill>,
    /// Whether what it keeps outlives its starts, and is shared by its processes.
    pub store: bool,
    /// What else it is told, by name.
    pub args: Vec<(String, String)>,
}

impl Told {
    /// How many calls all its processes make in all its starts, as far as it is let.
    pub fn all_calls(&self) -> u32 {
        self.calls.saturating_mul(self.processes).saturating_mul(self.times)
    }
}

/// The moments by the words that suites use.
const MOMENTS: [(&str, Moment); 4] = [
    ("token-request", Moment::Asked(Endpoint::Token)),
    ("token-response", Moment::Answered(Endpoint::Token)),
    ("api-request", Moment::Asked(Endpoint::Resource)),
    ("api-response", Moment::Answered(Endpoint::Resource)),
];

const STARTS: Form = Form {
    code: "wrong-type",
    expected: "a whole number from 1 to 20",
    help: "for example `3`",
    fits: |text| text.parse::<i64>().is_ok_and(|starts| (1..=MOST_STARTS).contains(&starts)),
    schema: || {
        json!({ "anyOf": [
            { "type": "integer", "minimum": 1, "maximum": 20 },
            { "type": "string", "pattern": "^\\+?0*([1-9]|1[0-9]|20)$" }
        ] })
    },
};

/// The shape of it.
pub(super) fn shape() -> Shape {
    let never: Never = ("nothing is said of the program", "for example `{ calls: 20, concurrency: 20 }`");
    let args = Shape::Map(None, Box::new(Shape::Text), Some(("no argument is named", "write `name: value`")));
    let kill = record(vec![
        must(
            "after",
            Shape::Words("moment", MOMENTS.map(|(word, _)| word).to_vec()),
            "what it asked, of which nothing is done, or what was done for it, of which it hears nothing",
        ),
        may("nth", Shape::Form(&CALLS), "the how manieth of these; the first where it is not given"),
    ]);
    let keys = vec![
        may("calls", Shape::Form(&CALLS), "how many calls it makes, 1 where it is not given"),
        may("concurrency", Shape::Form(&CALLS), "how many of them at a time, 1 where it is not given"),
        may(
            "times",
            Shape::Form(&STARTS),
            "how often it is started, one time after another; 1 where it is not given, 2 where it is killed",
        ),
        may(
            "processes",
            Shape::Form(&STARTS),
            "how many processes of it there are at a time, 1 where it is not given",
        ),
        may("kill", kill, "when all its processes are killed"),
        may(
            "store",
            Shape::Flag,
            "whether what it keeps outlives its starts; with `processes` and `kill` it does",
        ),
        may("args", args, "what else it is told, by name"),
    ];
    Shape::Either(Box::new(Either {
        expected: "what the program is told",
        help: "write for example `{ calls: 20, concurrency: 20 }`, or `none` where traffic from elsewhere is judged".into(),
        scalar: Some(Shape::Words("program", vec![NOBODY])),
        list: None,
        map: Some(Shape::Record(Record { keys, never: Some(never), ..Record::default() })),
    }))
}

/// Reads it. What the shape tells is left out here.
pub(super) fn read(text: &Text, scenario: &Node, flow: Flow, problems: &mut Vec<Diagnostic>) -> Told {
    let node = scenario.get("program");
    let listens = node.and_then(Node::text) == Some(NOBODY);
    if listens {
        let says = |node: &&Node| node.get("exit").is_some();
        let played = [scenario.get("org"), scenario.get("browser"), scenario.get("expect").filter(says)];
        for played in played.into_iter().flatten() {
            let message = "nobody is played here, so nobody is answered and nobody ends";
            let help =
                "write what is expected under `requests` and `checks` alone, or tell a program something";
            problems.push(Diagnostic::at("contradiction", text, played.span, message).help(help));
        }
    }
    let number = |node: Option<&Node>| node.and_then(Node::text).and_then(|n| n.parse::<u32>().ok());
    let told = |key: &str| node.and_then(|node| node.get(key));
    let kill = told("kill").and_then(|kill| {
        let word = kill.get("after")?.text()?;
        let (_, at) = MOMENTS.iter().find(|(known, _)| *known == word)?;
        Some(Kill { at: *at, nth: number(kill.get("nth")).unwrap_or(1) })
    });
    let times = number(told("times"));
    let processes = number(told("processes")).unwrap_or(1);
    let mut contradiction = |key: &str, message: &str, help: &str| {
        if let Some(key) = node.and_then(|node| node.key(key)) {
            problems.push(Diagnostic::at("contradiction", text, key.span, message).help(help));
        }
    };
    if kill.is_some() && times == Some(1) {
        contradiction(
            "kill",
            "the program is killed and never started again, so nothing comes of it",
            "leave `times` out, or write `times: 2`",
        );
    }
    if processes > 1 && flow == Flow::WebServer {
        contradiction(
            "processes",
            "each process would send the user away, to one callback",
            "write `flow: refresh-token`: all of them begin with the tokens of one login",
        );
    }
    let shared = processes > 1 || kill.is_some();
    let store = told("store").and_then(Node::text).map(|flag| flag == "true");
    if shared && store == Some(false) {
        contradiction(
            "store",
            "processes that share a grant, and whoever is killed, need a store",
            "leave `store` out",
        );
    }
    let args = told("args").map(Node::entries).unwrap_or_default();
    for (name, value) in args {
        problems.extend(misnamed(text, name, value));
    }
    Told {
        listens,
        calls: number(told("calls")).unwrap_or(1),
        concurrency: number(told("concurrency")).unwrap_or(1),
        times: times.unwrap_or(if kill.is_some() { 2 } else { 1 }),
        processes,
        kill,
        store: shared || store == Some(true),
        args: args.iter().filter_map(|(k, v)| Some((k.text()?.to_owned(), v.text()?.to_owned()))).collect(),
    }
}

/// What is wrong with an argument that speaks of a Named Credential.
fn misnamed(text: &Text, name: &Node, value: &Node) -> Option<Diagnostic> {
    let [protocol, renew_on] = named_credential::ARGS;
    let (name, word) = (name.text()?, value.text()?);
    let listed = |status: &str| status.parse().is_ok_and(named_credential::may_be_listed);
    if name == protocol && Protocol::read(word).is_none() {
        let help = match closest(word, Protocol::words()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of: {}", Protocol::words().join(", ")),
        };
        let message = format!("unknown protocol of a Named Credential `{word}`");
        return Some(Diagnostic::at("unknown-word", text, value.span, message).help(help));
    }
    let mut statuses = word.split([',', ' ']).filter(|status| !status.is_empty());
    let wrong = statuses.find(|status| name == renew_on && !listed(status))?;
    let message = format!("`{wrong}` is no status that can be listed");
    let help = "write statuses such as `403, 419`: 4xx, 6xx, 7xx, 8xx or 9xx";
    Some(Diagnostic::at("bad-status", text, value.span, message).help(help))
}
