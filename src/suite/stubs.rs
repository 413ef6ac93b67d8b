//! `stubs:` of a suite: the server that it writes by hand.

use serde_json::json;
use std::collections::BTreeSet;

use super::names::{literal, unclosed};
use super::parse::{Kind, Node};
use super::shape::{Either, Form, Never, Record, Shape, may, must, named, record};
use super::words::DURATION;
use crate::client::Template;
use crate::diagnostic::{Diagnostic, Span, Text};
use crate::oauth::duration;
use crate::subject::{Body, Called, Canned, HOSTS, OF_THE_CONNECTION, Stub, Stubs, Wanted};

/// The longest that a stub may take over its answer, in milliseconds.
const LONGEST_DELAY: i64 = 60_000;

const PATH: Form = Form {
    code: "bad-path",
    expected: "a path",
    help: "write it from its `/` on and without a query, which goes under `params`; a `*` at its end stands for any rest",
    fits: |text| text.starts_with('/') && !text.contains(['?', '#', ' ']),
    schema: || json!({ "type": "string", "pattern": "^/[^?# ]*$" }),
};
const METHOD: Form = Form {
    code: "wrong-type",
    expected: "an HTTP method",
    help: "for example `POST`, in capital letters",
    fits: |text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase()),
    schema: || json!({ "type": "string", "pattern": "^[A-Z]+$" }),
};
const STATUS: Form = Form {
    code: "bad-status",
    expected: "an HTTP status of an answer",
    help: "write a number from 200 to 599",
    fits: |text| text.parse::<u16>().is_ok_and(|status| (200..600).contains(&status)),
    schema: || {
        json!({ "anyOf": [
            { "type": "integer", "minimum": 200, "maximum": 599 },
            { "type": "string", "pattern": "^\\+?0*[2-5][0-9]{2}$" }
        ] })
    },
};
const TIMES: Form = Form {
    code: "wrong-type",
    expected: "a whole number from 1",
    help: "say how often, or leave it out: without it the stub answers as often as it is asked",
    fits: |text| text.parse::<u32>().is_ok_and(|times| times > 0),
    schema: || {
        json!({ "anyOf": [
            { "type": "integer", "minimum": 1 },
            { "type": "string", "pattern": "^\\+?0*[1-9][0-9]*$" }
        ] })
    },
};
const FIELD: Form = Form {
    code: "bad-header",
    expected: "the name of a header field",
    help: "for example `content-type`",
    fits: |text| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    },
    schema: || json!({ "type": "string", "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$" }),
};
const VALUE: Form = Form {
    code: "bad-header",
    expected: "the value of a header field, on one line",
    help: "write it without line breaks",
    fits: |text| !text.chars().any(char::is_control),
    schema: || json!({ "type": ["string", "number", "boolean", "null"] }),
};

/// `stubs:`.
pub(super) fn stubs() -> Shape {
    let never: Never =
        ("the stubs answer nothing", "add one, for example `- { path: /ping, respond: { status: 204 } }`");
    named(
        "stubs",
        Shape::Item(Box::new(record(vec![
            may(
                "alone",
                Shape::Flag,
                "whether what no stub answers is 404; where it is not given, the embedded org answers that",
            ),
            must(
                "answers",
                Shape::List(Box::new(stub()), Some(never)),
                "what is answered: the first that fits",
            ),
        ]))),
    )
}

/// One of its answers.
pub(super) fn stub() -> Shape {
    let never: Never = ("nothing is asked for here", "leave it out, or write `name: value`");
    let values = || Shape::Map(None, Box::new(Shape::Text), Some(never));
    let fields = Shape::Map(Some(&FIELD), Box::new(Shape::Text), Some(never));
    let bounds = vec![
        may("at_least", Shape::Count, "at least so often"),
        may("at_most", Shape::Count, "at most so often"),
    ];
    let nothing: Never = ("nothing is said of the calls", "for example `{ at_least: 1 }`");
    let called = Shape::Either(Box::new(Either {
        expected: "a number of calls",
        help: "write a number, or for example `{ at_least: 1, at_most: 3 }`".into(),
        scalar: Some(Shape::Count),
        list: None,
        map: Some(Shape::Record(Record { keys: bounds, never: Some(nothing), ..Record::default() })),
    }));
    named(
        "stub",
        Shape::Item(Box::new(record(vec![
            may("method", Shape::Form(&METHOD), "the HTTP method; any where it is not given"),
            must("path", Shape::Form(&PATH), "the path of the URL; a `*` at its end stands for any rest"),
            may("params", values(), "parameters of the form or the query: a value, `present` or `absent`"),
            may("headers", fields, "header fields: a value, `present` or `absent`"),
            must("respond", respond(), "what is answered"),
            may(
                "at_most",
                Shape::Form(&TIMES),
                "how often it answers; afterwards the next one that fits does",
            ),
            may("called", called, "how often it must have answered when the scenario is over"),
        ]))),
    )
}

/// Header fields of an answer.
pub(super) fn headers() -> Shape {
    let never: Never = ("no header is named", "for example `headers: { cache-control: no-store }`");
    Shape::Map(Some(&FIELD), Box::new(Shape::Form(&VALUE)), Some(never))
}

/// What a stub answers.
pub(super) fn respond() -> Shape {
    named(
        "respond",
        Shape::Item(Box::new(Shape::Record(Record {
            keys: vec![
                must("status", Shape::Form(&STATUS), "HTTP status"),
                may("headers", headers(), "header fields"),
                may("json", Shape::Any, "the body as JSON"),
                may("body", Shape::Text, "the body as text"),
                may("delay", Shape::Form(&DURATION), "how long the answer takes, a minute at most"),
            ],
            rules: vec![json!({ "not": { "required": ["json", "body"] } })],
            ..Record::default()
        }))),
    )
}

/// Reads `stubs:`. What the shape tells is left out here.
pub(super) fn read(text: &Text, node: &Node, problems: &mut Vec<Diagnostic>) -> Stubs {
    let mut reader = Reader { text, known: &[], filled: BTreeSet::new(), problems };
    let listed = node.get("answers").filter(|answers| matches!(answers.kind, Kind::List(_)));
    let answers =
        listed.map(Node::items).unwrap_or_default().iter().filter_map(|stub| reader.stub(stub)).collect();
    let filled = std::mem::take(&mut reader.filled);
    literal(text, node, &filled, problems);
    Stubs { alone: node.get("alone").and_then(Node::flag).unwrap_or(false), answers }
}

/// Reads one answer that is written out.
pub(super) fn canned(text: &Text, node: &Node, problems: &mut Vec<Diagnostic>) -> Canned {
    Reader { text, known: &HOSTS, filled: BTreeSet::new(), problems }.respond(node)
}

struct Reader<'r> {
    text: &'r Text,
    /// Names that have a value besides those of the request.
    known: &'r [&'r str],
    /// Where names are filled in.
    filled: BTreeSet<usize>,
    problems: &'r mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn problem(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(Diagnostic::at(code, self.text, span, message).help(help));
    }

    fn stub(&mut self, node: &Node) -> Option<Stub> {
        let text_of = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let at_most = text_of("at_most").and_then(|times| times.parse().ok());
        let called = node.get("called").and_then(|called| self.called(called, at_most));
        let respond = self.respond(node.get("respond")?);
        Some(Stub {
            method: text_of("method"),
            path: text_of("path")?,
            params: wanted(node.get("params")),
            headers: wanted(node.get("headers")),
            respond,
            at_most,
            called,
        })
    }

    fn called(&mut self, node: &Node, at_most: Option<u32>) -> Option<Called> {
        let number = |node: &Node| node.number().and_then(|n| u32::try_from(n).ok());
        let (least, most) = match number(node) {
            Some(exactly) => (exactly, Some(exactly)),
            None if matches!(node.kind, Kind::Map(_)) => {
                (node.get("at_least").and_then(number).unwrap_or(0), node.get("at_most").and_then(number))
            }
            None => return None,
        };
        if most.is_some_and(|most| most < least) {
            let help = "make `at_least` the smaller one, or write one number";
            self.problem("contradiction", node.span, "no number of calls is as said", help);
        } else if at_most.is_some_and(|at_most| at_most < least) {
            let message = format!("it answers less often than it must be called, which is {least} times");
            self.problem("contradiction", node.span, message, "raise `at_most` of the stub, or leave it out");
        }
        Some(Called { span: node.span, at_least: least, at_most: most })
    }

    fn respond(&mut self, node: &Node) -> Canned {
        for (key, value) in node.get("headers").map(Node::entries).unwrap_or_default() {
            let name = key.text().unwrap_or("").to_ascii_lowercase();
            if OF_THE_CONNECTION.contains(&name.as_str()) || name.starts_with("grantcheck-") {
                let help = "leave it out: the server writes it as the connection needs it";
                self.problem(
                    "misplaced",
                    key.span,
                    format!("the header `{name}` is not for a stub to say"),
                    help,
                );
            }
            self.names(value);
        }
        if let (Some(key), Some(_)) = (node.key("body"), node.get("json")) {
            let help = "keep one of the two";
            self.problem("contradiction", key.span, "the answer has two bodies, `json` and `body`", help);
        }
        [node.get("json"), node.get("body")].into_iter().flatten().for_each(|body| self.names(body));
        let delay = node.get("delay").and_then(|delay| Some((delay.span, duration(delay.text()?)?)));
        if let Some((span, _)) = delay.filter(|(_, millis)| *millis > LONGEST_DELAY) {
            self.problem("too-long", span, "an answer may take a minute at most", "write `60s` or less");
        }
        let body = match (node.get("json"), node.get("body").and_then(Node::text)) {
            (Some(value), _) => Body::Json(value.json()),
            (None, Some(text)) => Body::Text(text.to_owned()),
            (None, None) => Body::Empty,
        };
        let text_of = |node: &Node| node.text().unwrap_or("").to_owned();
        Canned {
            status: node.get("status").and_then(Node::text).and_then(|s| s.parse().ok()).unwrap_or(200),
            headers: node
                .get("headers")
                .map(Node::entries)
                .unwrap_or_default()
                .iter()
                .map(|(name, value)| (text_of(name), text_of(value)))
                .collect(),
            body,
            delay_ms: delay.and_then(|(_, millis)| u64::try_from(millis).ok()).unwrap_or(0),
        }
    }

    /// Looks at the names in every text of an answer: the request alone gives them values.
    fn names(&mut self, node: &Node) {
        match &node.kind {
            Kind::Scalar { text, .. } => {
                self.filled.insert(node.span.start);
                unclosed(self.text, node.span, text, self.problems);
                let known = |name: &str| name.starts_with("request.") || self.known.contains(&name);
                let foreign = |name: &&str| !known(name) && !name.starts_with("row.");
                for name in Template::new(text).names().filter(foreign) {
                    let message = format!("`${{{name}}}` has no value in the answer of a stub");
                    let help = "a stub knows the request alone: `${request.NAME}` is a parameter of it";
                    self.problem("unknown-name", node.span, message, help);
                }
            }
            Kind::List(items) => items.iter().for_each(|item| self.names(item)),
            Kind::Map(entries) => entries.iter().for_each(|(_, value)| self.names(value)),
        }
    }
}

/// What must be said by those names; without quotes, `present` and `absent` are words.
fn wanted(node: Option<&Node>) -> Vec<(String, Wanted)> {
    let one = |(name, value): &(Node, Node)| {
        let wanted = match &value.kind {
            Kind::Scalar { text, plain: true } if text == "present" => Wanted::Present,
            Kind::Scalar { text, plain: true } if text == "absent" => Wanted::Absent,
            _ => Wanted::Is(value.text()?.to_owned()),
        };
        Some((name.text()?.to_owned(), wanted))
    };
    node.map(Node::entries).unwrap_or_default().iter().filter_map(one).collect()
}
