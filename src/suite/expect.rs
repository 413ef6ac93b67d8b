//! Expectations: what must come of a step. Each keeps its span, and all of a step are judged.

use regex::Regex;
use serde_json::Value;

use super::names::check_names;
use super::parse::{Kind, Node};
use super::words::MATCHER_KEYS;
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
    /// Not this.
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
            ItemKind::Error(matcher) => !matches!(matcher, Matcher::Absent),
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
    pub(super) endpoint: Option<Endpoint>,
    pub(super) step: &'r str,
    pub(super) known: &'r [String],
    pub(super) problems: &'r mut Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Reads `expect:` of a step.
    pub(super) fn read(&mut self, node: &Node) -> Expect {
        let mut expect = Expect { items: self.items(node), ..Expect::default() };
        for (key, make) in [
            ("exactly", Count::Exactly as fn(u32) -> Count),
            ("at_most", Count::AtMost),
            ("at_least", Count::AtLeast),
        ] {
            for (number, inner) in node.get(key).map(Node::entries).unwrap_or_default() {
                match number.text().and_then(|n| n.parse().ok()) {
                    Some(n) => {
                        let items = self.items(inner);
                        expect.counts.push(CountOf { span: number.span, count: make(n), items });
                    }
                    None => self.problem(
                        number,
                        "wrong-type",
                        "expected a whole number of repetitions".into(),
                        Some(format!("for example `{key}: {{ 1: {{ status: 200 }} }}`")),
                    ),
                }
            }
        }
        if let Some(others) = node.get("others") {
            expect.others = self.items(others);
            if expect.counts.is_empty() {
                self.problem(
                    others,
                    "misplaced",
                    "`others` without a count says nothing".into(),
                    Some("write `exactly`, `at_most` or `at_least` beside it".into()),
                );
            }
        }
        if expect.items.is_empty() && expect.counts.is_empty() && matches!(node.kind, Kind::Map(_)) {
            let empty = node.entries().is_empty();
            if empty {
                self.problem(
                    node,
                    "empty",
                    "`expect` expects nothing".into(),
                    Some("leave it out: a step without it expects its own success".into()),
                );
            }
        }
        expect
    }

    fn items(&mut self, node: &Node) -> Vec<Item> {
        let mut items = Vec::new();
        for (key, value) in node.entries() {
            let mut put = |kind: Option<ItemKind>, span: Span| {
                if let Some(kind) = kind {
                    items.push(Item { span, kind });
                }
            };
            match key.text().unwrap_or("") {
                "refused" => put(self.refused(value), value.span),
                "status" => put(self.status(value), value.span),
                "within" => put(value.text().and_then(duration).map(ItemKind::Within), value.span),
                "error" => put(self.matcher(value).map(ItemKind::Error), value.span),
                "error_description" => put(self.matcher(value).map(ItemKind::Description), value.span),
                "text" => put(self.matcher(value).map(ItemKind::Text), value.span),
                section @ ("headers" | "body" | "redirect") => {
                    for (name, inner) in value.entries() {
                        let Some(matcher) = self.matcher(inner) else { continue };
                        let name_text = name.text().unwrap_or("").to_owned();
                        if section == "body"
                            && name_text.starts_with('$')
                            && serde_json_path::JsonPath::parse(&name_text).is_err()
                        {
                            self.problem(
                                name,
                                "bad-path",
                                format!("`{name_text}` is not a JSONPath"),
                                Some("for example `$.urls.rest` or `$[0].errorCode` (RFC 9535)".into()),
                            );
                            continue;
                        }
                        let kind = match section {
                            "headers" => ItemKind::Header(name_text, matcher),
                            "body" => ItemKind::Body(name_text, matcher),
                            _ => ItemKind::Redirect(name_text, matcher),
                        };
                        items.push(Item { span: inner.span, kind });
                    }
                }
                "scope" => {
                    for (name, inner) in value.entries() {
                        let how = match name.text() {
                            Some("includes") => ScopeMatch::Includes,
                            Some("excludes") => ScopeMatch::Excludes,
                            Some("equals") => ScopeMatch::Equals,
                            _ => continue,
                        };
                        let values =
                            inner.items().iter().filter_map(|n| n.text().map(str::to_owned)).collect();
                        items.push(Item { span: inner.span, kind: ItemKind::Scope(how, values) });
                    }
                }
                "id_token" => self.token(TokenName::IdToken, value, &mut items),
                "access_token" => self.token(TokenName::AccessToken, value, &mut items),
                _ => {}
            }
        }
        items
    }

    fn token(&mut self, token: TokenName, node: &Node, items: &mut Vec<Item>) {
        if node.text().is_some() {
            if let Some(matcher) = self.matcher(node) {
                items.push(Item { span: node.span, kind: ItemKind::Token(token, matcher) });
            }
            return;
        }
        for (part, inner) in node.entries() {
            if part.text() == Some("verifies") {
                if let Some(flag) = inner.flag() {
                    items.push(Item { span: inner.span, kind: ItemKind::Verifies(token, flag) });
                }
                continue;
            }
            for (name, value) in inner.entries() {
                let Some(matcher) = self.matcher(value) else { continue };
                let name = name.text().unwrap_or("").to_owned();
                let kind = match part.text() {
                    Some("header") => ItemKind::Jose(token, name, matcher),
                    _ => ItemKind::Claim(token, name, matcher),
                };
                items.push(Item { span: value.span, kind });
            }
        }
    }

    fn refused(&mut self, node: &Node) -> Option<ItemKind> {
        let name = node.text()?;
        let endpoint = self.endpoint?;
        if let Some(outcome) = outcome(endpoint, name) {
            return Some(ItemKind::Refused(outcome));
        }
        let here: Vec<&str> = crate::oauth::salesforce::OUTCOMES
            .iter()
            .filter(|outcome| outcome.endpoint == endpoint)
            .map(|outcome| outcome.name)
            .collect();
        let known = crate::oauth::salesforce::OUTCOMES.iter().any(|outcome| outcome.name == name);
        if known {
            // Unknown names are told by the shape; this one is known, only not here.
            let message = format!("`do: {}` is never refused with `{name}`", self.step);
            let help = match here.as_slice() {
                [] => "it has no named refusals; expect a `status`".to_owned(),
                here => format!("its refusals: {}", here.join(", ")),
            };
            self.problem(node, "misplaced", message, Some(help));
        }
        None
    }

    fn status(&mut self, node: &Node) -> Option<ItemKind> {
        let (mut statuses, mut classes) = (Vec::new(), Vec::new());
        for item in node.items() {
            let word = item.text().unwrap_or("");
            match (word.parse::<u16>(), word.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok())) {
                (Ok(status), _) if (100..600).contains(&status) => statuses.push(status),
                (_, Some(class)) if (1..6).contains(&class) => classes.push(class),
                _ => {
                    self.problem(
                        item,
                        "bad-status",
                        format!("`{word}` is no HTTP status"),
                        Some("write a number such as `400`, or a class such as `4xx`".into()),
                    );
                    return None;
                }
            }
        }
        Some(ItemKind::Status(statuses, classes))
    }

    fn matcher(&mut self, node: &Node) -> Option<Matcher> {
        match &node.kind {
            Kind::Scalar { text, plain: true } if text == "absent" => Some(Matcher::Absent),
            Kind::Scalar { text, plain: true } if text == "present" => Some(Matcher::Present),
            Kind::Scalar { text, plain }
                if !plain || (node.number().is_none() && node.flag().is_none() && !node.is_null()) =>
            {
                check_names(self.text, node.span, text, self.known, self.problems);
                Some(Matcher::EqualsText(Template::new(text)))
            }
            Kind::Scalar { .. } => Some(Matcher::Equals(node.json())),
            Kind::List(items) => Some(Matcher::OneOf(items.iter().map(Node::json).collect())),
            Kind::Map(entries) => {
                let mut all = Vec::new();
                for (key, value) in entries {
                    all.push(self.operator(key, value)?);
                }
                match all.len() {
                    1 => all.pop(),
                    _ => Some(Matcher::All(all)),
                }
            }
        }
    }

    fn operator(&mut self, key: &Node, value: &Node) -> Option<Matcher> {
        Some(match key.text().unwrap_or("") {
            "equals" => Matcher::Equals(value.json()),
            "one_of" => Matcher::OneOf(value.items().iter().map(Node::json).collect()),
            "contains" => {
                check_names(self.text, value.span, value.text()?, self.known, self.problems);
                Matcher::Contains(Template::new(value.text()?))
            }
            "matches" => match Regex::new(value.text()?) {
                Ok(regex) => Matcher::Matches(regex),
                Err(why) => {
                    let why = why.to_string();
                    let last = why.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
                    self.problem(value, "bad-pattern", format!("this is not a regular expression: {last}"), Some("escape special characters with a backslash, and put the pattern in single quotes".into()));
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
                other => {
                    let names = ["string", "number", "integer", "boolean", "object", "array", "null"];
                    let help = match closest(other, names) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("one of: {}", names.join(", ")),
                    };
                    self.problem(value, "unknown-word", format!("unknown type `{other}`"), Some(help));
                    return None;
                }
            },
            "not" => Matcher::Not(Box::new(self.matcher(value)?)),
            other => {
                let names = MATCHER_KEYS.iter().map(|key| key.name);
                let help = match closest(other, names.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("one of: {}", names.collect::<Vec<_>>().join(", ")),
                };
                self.problem(key, "unknown-key", format!("unknown operator `{other}`"), Some(help));
                return None;
            }
        })
    }

    fn problem(&mut self, node: &Node, code: &'static str, message: String, help: Option<String>) {
        self.problems.push(Diagnostic::at(code, self.text, node.span, message).help_opt(help));
    }
}
