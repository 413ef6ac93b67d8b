//! Expectations: what must come of a step. Each keeps its span, and all of a step are judged.

use regex::Regex;
use serde_json::Value;

use std::collections::BTreeSet;

use super::names::{Known, check_names};
use super::parse::{Kind, Node};
use super::words::{self, outcomes};
use crate::client::Template;
use crate::diagnostic::{Diagnostic, Span, Text, closest};
use crate::oauth::salesforce::{Outcome, outcome};
use crate::oauth::{Endpoint, duration};

/// What must come of a step.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// Expectations of every single answer.
    pub items: Vec<Item>,
    /// Expectations of the repetitions together.
    pub counts: Vec<CountOf>,
    /// What holds of the repetitions that no count took.
    pub others: Vec<Item>,
}

/// So many of the repetitions are as said.
#[derive(Clone, Debug)]
pub struct CountOf {
    /// Where it stands.
    pub span: Span,
    /// How many.
    pub count: Count,
    /// What they are like.
    pub items: Vec<Item>,
}

/// A number of repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Count {
    Exactly(u32),
    AtMost(u32),
    AtLeast(u32),
}

/// One expectation.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where it stands.
    pub span: Span,
    /// What is expected.
    pub kind: ItemKind,
}

/// What can be expected of one answer.
#[derive(Clone, Debug)]
pub enum ItemKind {
    /// A refusal by name.
    Refused(&'static Outcome),
    /// One of these statuses; a class is its hundred (4 for `4xx`).
    Status(Vec<u16>, Vec<u16>),
    /// A header field.
    Header(String, Matcher),
    /// A member of the JSON body: name or JSONPath.
    Body(String, Matcher),
    /// The body as text.
    Text(Matcher),
    /// Granted scope values.
    Scope(ScopeMatch, Vec<String>),
    /// A parameter of the redirect, or its base URL for `to`.
    Redirect(String, Matcher),
    /// A claim of a token.
    Claim(TokenName, String, Matcher),
    /// A member of a token's JOSE header.
    Jose(TokenName, String, Matcher),
    /// Whether the token's signature fits a published key.
    Verifies(TokenName, bool),
    /// Whether the token is there, as for `id_token: present`.
    Token(TokenName, Matcher),
    /// `error` of the answer.
    Error(Matcher),
    /// `error_description` of the answer.
    Description(Matcher),
    /// How long the answer may take, in milliseconds.
    Within(i64),
}

/// Which token of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TokenName {
    IdToken,
    AccessToken,
}

impl TokenName {
    /// The member of the token response.
    pub fn member(self) -> &'static str {
        match self {
            TokenName::IdToken => "id_token",
            TokenName::AccessToken => "access_token",
        }
    }
}

/// How a set of scope values is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ScopeMatch {
    Includes,
    Excludes,
    Equals,
}

/// What a value must be.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// It is not there.
    Absent,
    /// It is there.
    Present,
    /// This text, names filled in.
    EqualsText(Template),
    /// This JSON value.
    Equals(Value),
    /// One of these.
    OneOf(Vec<Value>),
    /// The expression finds something in it.
    Matches(Regex),
    /// It holds this text.
    Contains(Template),
    /// It has this type.
    Type(JsonType),
    /// There, and not this. That it is not present is [`Matcher::Absent`], and the other way round.
    Not(Box<Matcher>),
    /// All of these.
    All(Vec<Matcher>),
}

/// A JSON type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum JsonType {
    String,
    Number,
    Integer,
    Boolean,
    Object,
    Array,
    Null,
}

impl ItemKind {
    /// Whether it says that the request must not succeed.
    pub fn is_refusal(&self) -> bool {
        match self {
            ItemKind::Refused(_) => true,
            ItemKind::Status(statuses, classes) => {
                statuses.iter().all(|s| *s >= 400) && classes.iter().all(|c| *c >= 4)
            }
            ItemKind::Error(matcher) | ItemKind::Description(matcher) => matcher.wants_something(),
            ItemKind::Redirect(name, matcher) => match name.as_str() {
                "error" | "error_description" => matcher.wants_something(),
                "code" => matches!(matcher, Matcher::Absent),
                _ => false,
            },
            ItemKind::Body(name, matcher) => match name.as_str() {
                "error" | "error_description" => matcher.wants_something(),
                "access_token" => matches!(matcher, Matcher::Absent),
                "active" => matcher.excludes_true(),
                _ => false,
            },
            _ => false,
        }
    }
}

impl Matcher {
    /// Whether it can only hold of a value that is there.
    fn wants_something(&self) -> bool {
        match self {
            Matcher::Absent => false,
            Matcher::All(all) => all.iter().any(Matcher::wants_something),
            _ => true,
        }
    }

    /// Whether it can only hold of a value that is there and is not `true`.
    fn excludes_true(&self) -> bool {
        match self {
            Matcher::Equals(value) => *value != Value::Bool(true),
            Matcher::OneOf(values) => !values.contains(&Value::Bool(true)),
            Matcher::Not(inner) => match &**inner {
                Matcher::Equals(value) => *value == Value::Bool(true),
                Matcher::OneOf(values) => values.contains(&Value::Bool(true)),
                _ => false,
            },
            Matcher::All(all) => all.iter().any(Matcher::excludes_true),
            _ => false,
        }
    }
}

impl Expect {
    /// Whether the step must be refused.
    pub fn is_refusal(&self) -> bool {
        self.counts.is_empty() && self.items.iter().any(|item| item.kind.is_refusal())
    }
}

/// What resolving expectations needs.
pub(super) struct Reader<'r> {
    pub(super) text: &'r Text,
    pub(super) endpoint: Endpoint,
    pub(super) step: &'r str,
    pub(super) known: &'r Known,
    /// Where names were filled in.
    pub(super) filled: &'r mut BTreeSet<usize>,
    pub(super) problems: &'r mut Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Reads `expect:` of a step. What the shape finds wrong is left out here without a word.
    pub(super) fn read(&mut self, node: &Node) -> Expect {
        let mut expect = Expect { items: self.items(node), ..Expect::default() };
        for (key, make) in [
            ("exactly", Count::Exactly as fn(u32) -> Count),
            ("at_most", Count::AtMost),
            ("at_least", Count::AtLeast),
        ] {
            for (number, inner) in node.get(key).map(Node::entries).unwrap_or_default() {
                if let Some(n) = number.text().and_then(|n| n.parse().ok()) {
                    let items = self.items(inner);
                    expect.counts.push(CountOf { span: number.span, count: make(n), items });
                }
            }
        }
        if let Some(others) = node.get("others") {
            expect.others = self.items(others);
        }
        expect
    }

    fn items(&mut self, node: &Node) -> Vec<Item> {
        let mut items = Vec::new();
        for (key, value) in node.entries() {
            let one = match key.text().unwrap_or("") {
                "refused" => self.refused(value),
                "status" => status(value),
                "within" => value.text().and_then(duration).map(ItemKind::Within),
                "error" => self.matcher(value).map(ItemKind::Error),
                "error_description" => self.matcher(value).map(ItemKind::Description),
                "text" => self.matcher(value).map(ItemKind::Text),
                "headers" => {
                    self.each(value, &mut items, ItemKind::Header);
                    None
                }
                "body" => {
                    self.body(value, &mut items);
                    None
                }
                "redirect" => {
                    self.each(value, &mut items, ItemKind::Redirect);
                    None
                }
                "scope" => {
                    self.scope(value, &mut items);
                    None
                }
                "id_token" => {
                    self.token(TokenName::IdToken, value, &mut items);
                    None
                }
                "access_token" => {
                    self.token(TokenName::AccessToken, value, &mut items);
                    None
                }
                _ => None,
            };
            items.extend(one.map(|kind| Item { span: value.span, kind }));
        }
        items
    }

    fn each(&mut self, node: &Node, items: &mut Vec<Item>, make: impl Fn(String, Matcher) -> ItemKind) {
        for (name, value) in node.entries() {
            if let Some(matcher) = self.matcher(value) {
                let kind = make(name.text().unwrap_or("").to_owned(), matcher);
                items.push(Item { span: value.span, kind });
            }
        }
    }

    fn body(&mut self, node: &Node, items: &mut Vec<Item>) {
        for (name, _) in node.entries() {
            if let Some((message, help)) = name.text().and_then(bad_member) {
                self.problem(name, "bad-path", message, Some(help));
            }
        }
        self.each(node, items, ItemKind::Body);
    }

    fn scope(&mut self, node: &Node, items: &mut Vec<Item>) {
        for (name, value) in node.entries() {
            let how = match name.text() {
                Some("includes") => ScopeMatch::Includes,
                Some("excludes") => ScopeMatch::Excludes,
                Some("equals") => ScopeMatch::Equals,
                _ => continue,
            };
            let values = value.items().iter().filter_map(|n| n.text().map(str::to_owned)).collect();
            items.push(Item { span: value.span, kind: ItemKind::Scope(how, values) });
        }
    }

    fn token(&mut self, token: TokenName, node: &Node, items: &mut Vec<Item>) {
        if node.text().is_some() {
            let matcher = self.matcher(node);
            items.extend(matcher.map(|m| Item { span: node.span, kind: ItemKind::Token(token, m) }));
            return;
        }
        for (part, inner) in node.entries() {
            match part.text() {
                Some("verifies") => items.extend(
                    inner.flag().map(|flag| Item { span: inner.span, kind: ItemKind::Verifies(token, flag) }),
                ),
                Some("header") => self.each(inner, items, |name, m| ItemKind::Jose(token, name, m)),
                Some("claims") => self.each(inner, items, |name, m| ItemKind::Claim(token, name, m)),
                _ => {}
            }
        }
    }

    fn refused(&mut self, node: &Node) -> Option<ItemKind> {
        let name = node.text().filter(|name| !name.contains("${row."));
        if let Some(outcome) = name.and_then(|name| outcome(self.endpoint, name)) {
            return Some(ItemKind::Refused(outcome));
        }
        let name = match name {
            Some(name) if !node.is_null() => name,
            None if node.text().is_some() => return None,
            _ => {
                let message =
                    format!("expected the name of an outcome, found {}", super::shape::describe(node));
                self.problem(
                    node,
                    "wrong-type",
                    message,
                    Some("for example `refused: assertion-expired`".into()),
                );
                return None;
            }
        };
        let here = outcomes(Some(self.endpoint));
        let list = || match here.as_slice() {
            [] => "it has no named refusals: expect a `status`".to_owned(),
            here => format!("its refusals: {}", here.join(", ")),
        };
        if outcomes(None).contains(&name) {
            let message = format!("`do: {}` is never refused with `{name}`", self.step);
            self.problem(node, "misplaced", message, Some(list()));
            return None;
        }
        let near = closest(name, here.iter().copied());
        let help = near.map_or_else(list, |near| format!("did you mean `{near}`?"));
        self.problem(node, "unknown-word", format!("unknown outcome `{name}`"), Some(help));
        None
    }

    fn matcher(&mut self, node: &Node) -> Option<Matcher> {
        match &node.kind {
            Kind::Scalar { text, plain: true } if text == "absent" => Some(Matcher::Absent),
            Kind::Scalar { text, plain: true } if text == "present" => Some(Matcher::Present),
            Kind::Scalar { text, plain: true } if text.is_empty() => None,
            Kind::Scalar { text, plain }
                if !plain || (node.number().is_none() && node.flag().is_none() && !node.is_null()) =>
            {
                Some(Matcher::EqualsText(self.template(node, text)))
            }
            Kind::Scalar { .. } => Some(Matcher::Equals(node.json())),
            Kind::List(items) => Some(Matcher::OneOf(items.iter().map(Node::json).collect())),
            Kind::Map(entries) => {
                let mut all = Vec::new();
                for (key, value) in entries {
                    all.push(self.operator(key, value)?);
                }
                match all.len() {
                    0 => None,
                    1 => all.pop(),
                    _ => Some(Matcher::All(all)),
                }
            }
        }
    }

    fn template(&mut self, node: &Node, text: &str) -> Template {
        check_names(self.text, node.span, text, self.known, self.problems);
        self.filled.insert(node.span.start);
        Template::new(text)
    }

    fn operator(&mut self, key: &Node, value: &Node) -> Option<Matcher> {
        Some(match key.text().unwrap_or("") {
            "equals" => match value.text() {
                Some(text) if text.contains("${") => Matcher::EqualsText(self.template(value, text)),
                _ => Matcher::Equals(value.json()),
            },
            "one_of" => Matcher::OneOf(value.items().iter().map(Node::json).collect()),
            "contains" => Matcher::Contains(self.template(value, value.text()?)),
            "matches" => match Regex::new(value.text()?) {
                Ok(regex) => {
                    // A `$` before a brace belongs to the expression.
                    self.filled.insert(value.span.start);
                    Matcher::Matches(regex)
                }
                Err(why) => {
                    let why = why.to_string();
                    let why = why.lines().last().unwrap_or("").trim_start_matches("error: ");
                    let message = format!("this is no regular expression: {why}");
                    let help = "put a backslash before a special character, and the whole into single quotes";
                    self.problem(value, "bad-pattern", message, Some(help.into()));
                    return None;
                }
            },
            "type" => match value.text()? {
                "string" => Matcher::Type(JsonType::String),
                "number" => Matcher::Type(JsonType::Number),
                "integer" => Matcher::Type(JsonType::Integer),
                "boolean" => Matcher::Type(JsonType::Boolean),
                "object" => Matcher::Type(JsonType::Object),
                "array" => Matcher::Type(JsonType::Array),
                "null" => Matcher::Type(JsonType::Null),
                _ => return None,
            },
            "not" => match self.matcher(value)? {
                Matcher::Present => Matcher::Absent,
                Matcher::Absent => Matcher::Present,
                inner => Matcher::Not(Box::new(inner)),
            },
            _ => return None,
        })
    }

    fn problem(&mut self, node: &Node, code: &'static str, message: String, help: Option<String>) {
        self.problems.push(Diagnostic::at(code, self.text, node.span, message).help_opt(help));
    }
}

fn status(node: &Node) -> Option<ItemKind> {
    let (mut statuses, mut classes) = (Vec::new(), Vec::new());
    for item in node.items() {
        match words::status(item.text()?)? {
            (status, false) => statuses.push(status),
            (class, true) => classes.push(class),
        }
    }
    (!node.items().is_empty()).then_some(ItemKind::Status(statuses, classes))
}

/// What is wrong with the name of a member of a JSON body, and the cure.
pub(super) fn bad_member(name: &str) -> Option<(String, String)> {
    if name.contains("${row.") {
        return None;
    }
    if name.starts_with('$') {
        let help = "for example `$.urls.rest` or `$[0].errorCode` (RFC 9535)".to_owned();
        return serde_json_path::JsonPath::parse(name)
            .is_err()
            .then(|| (format!("`{name}` is no JSONPath"), help));
    }
    // A URL may well be a name; a dotted path is meant to lead somewhere, and would find nothing.
    let dotted = name.contains('.') && !name.contains('/');
    dotted.then(|| {
        let help = format!("write `$.{name}` for a member of a member, or `$['{name}']` for one name");
        (format!("`{name}` is a name with a dot, not a path"), help)
    })
}
