//! What a file may hold, said once: the same shape finds a person's slips and prints the JSON Schema
//! that editors complete from.

use serde_json::{Map, Value, json};

use super::parse::{Kind, Node};
use crate::diagnostic::{Diagnostic, Text, closest};
use crate::oauth::duration;

/// What stands at a place of a file.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Any value.
    Any,
    /// A text, a number or a flag.
    Scalar,
    /// A text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number from 0.
    Count,
    /// A duration such as `15m`.
    Duration,
    /// One of these words; the table's name for them goes into the diagnostic.
    Words(&'static str, fn() -> Vec<&'static str>),
    /// A list of these.
    List(&'static Shape),
    /// One of these, or a list of them.
    OneOrMany(&'static Shape),
    /// A mapping from free names to these.
    Map(&'static Shape),
    /// A mapping with known keys.
    Record(&'static [Key]),
    /// A mapping with known keys, or a scalar of the first shape.
    Short(&'static Shape, &'static [Key]),
    /// A record whose `do:` decides which further keys it has.
    Step(&'static [Key], fn() -> Vec<Variant>),
    /// A mapping from these free names, or one scalar, or a list of scalars.
    Edits,
}

/// A key of a record.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// What it means; an editor shows this.
    pub doc: &'static str,
}

/// The further keys of a step.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// The word after `do:`.
    pub name: &'static str,
    /// Keys that this kind of step has besides the common ones.
    pub keys: &'static [Key],
    /// What the step does.
    pub doc: &'static str,
}

/// A key that may be there.
pub const fn may(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, required: false, doc }
}

/// A key that must be there.
pub const fn must(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, required: true, doc }
}

/// Checks a node against a shape; everything that is wrong is added.
pub fn check(text: &Text, node: &Node, shape: &Shape, problems: &mut Vec<Diagnostic>) {
    let wrong = |problems: &mut Vec<Diagnostic>, expected: &str, help: Option<String>| {
        let message = format!("expected {expected}, found {}", describe(node));
        problems.push(Diagnostic::at("wrong-type", text, node.span, message).help_opt(help));
    };
    match shape {
        Shape::Any => {}
        Shape::Scalar => {
            if node.text().is_none() || node.is_null() {
                wrong(problems, "a text, a number or a flag", None);
            }
        }
        Shape::Text => {
            if node.text().is_none() || node.is_null() {
                wrong(problems, "a text", None);
            }
        }
        Shape::Flag => {
            if node.flag().is_none() {
                let help =
                    node.text().filter(|t| matches!(*t, "yes" | "no" | "on" | "off" | "true" | "false"));
                wrong(
                    problems,
                    "true or false",
                    help.map(|t| match t {
                        "yes" | "on" => "write `true`".to_owned(),
                        "no" | "off" => "write `false`".to_owned(),
                        t => format!("write `{t}` without quotes"),
                    }),
                );
            }
        }
        Shape::Count => {
            if node.number().is_none_or(|n| n < 0) {
                wrong(problems, "a whole number", None);
            }
        }
        Shape::Duration => {
            if node.text().and_then(duration).is_none() {
                wrong(
                    problems,
                    "a duration",
                    Some("write a number and a unit: `250ms`, `30s`, `15m`, `2h`, `30d`".into()),
                );
            }
        }
        Shape::Words(what, words) => match node.text() {
            Some(word) if words().contains(&word) => {}
            Some(word) if !node.is_null() => {
                let words = words();
                let help = match closest(word, words.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("one of: {}", words.join(", ")),
                };
                let message = format!("unknown {what} `{word}`");
                problems.push(Diagnostic::at("unknown-word", text, node.span, message).help(help));
            }
            _ => wrong(
                problems,
                &format!("the name of a {what}"),
                Some(format!("one of: {}", words().join(", "))),
            ),
        },
        Shape::List(item) => match &node.kind {
            Kind::List(items) => items.iter().for_each(|node| check(text, node, item, problems)),
            _ => wrong(problems, "a list", Some("put `- ` before each item, or write `[a, b]`".into())),
        },
        Shape::OneOrMany(item) => match &node.kind {
            Kind::List(items) => items.iter().for_each(|node| check(text, node, item, problems)),
            _ => check(text, node, item, problems),
        },
        Shape::Map(value) => match &node.kind {
            Kind::Map(entries) => entries.iter().for_each(|(_, node)| check(text, node, value, problems)),
            _ => wrong(problems, "a mapping", Some("write `name: value` pairs".into())),
        },
        Shape::Record(keys) => match &node.kind {
            Kind::Map(_) => record(text, node, keys, None, problems),
            _ => wrong(problems, "a mapping", Some(format!("its keys are: {}", names(keys)))),
        },
        Shape::Short(short, keys) => match &node.kind {
            Kind::Map(_) => record(text, node, keys, None, problems),
            _ => check(text, node, short, problems),
        },
        Shape::Edits => match &node.kind {
            Kind::List(items) => items.iter().for_each(|node| check(text, node, &Shape::Scalar, problems)),
            Kind::Scalar { .. } if node.is_null() => {
                wrong(problems, "a name, a list of names, or `name: value` pairs", None)
            }
            _ => {}
        },
        Shape::Step(common, variants) => {
            let Kind::Map(_) = &node.kind else {
                return wrong(problems, "a step", Some("a step is a mapping that begins with `do:`".into()));
            };
            let variants = variants();
            let word = node.get("do").and_then(Node::text);
            match word.and_then(|word| variants.iter().find(|v| v.name == word)) {
                Some(variant) => {
                    let keys: Vec<Key> = common.iter().chain(variant.keys).copied().collect();
                    record(text, node, &keys, Some((variant.name, &variants)), problems);
                }
                None => match node.get("do") {
                    Some(at) => {
                        let word = at.text().unwrap_or("");
                        let help = match closest(word, variants.iter().map(|v| v.name)) {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => {
                                let all: Vec<_> = variants.iter().map(|v| v.name).collect();
                                format!("one of: {}", all.join(", "))
                            }
                        };
                        let message = format!("unknown step `{word}`");
                        problems.push(Diagnostic::at("unknown-step", text, at.span, message).help(help));
                    }
                    None => {
                        let span = node.entries().first().map_or(node.span, |(key, _)| key.span);
                        problems.push(
                            Diagnostic::at("missing-key", text, span, "this step does not say what it does")
                                .help("begin it with `do:`, for example `do: jwt-bearer`"),
                        );
                    }
                },
            }
        }
    }
}

fn record(
    text: &Text,
    node: &Node,
    keys: &[Key],
    step: Option<(&str, &[Variant])>,
    problems: &mut Vec<Diagnostic>,
) {
    for (key, value) in node.entries() {
        let name = key.text().unwrap_or("");
        if let Some(known) = keys.iter().find(|known| known.name == name) {
            check(text, value, &known.shape, problems);
            continue;
        }
        let elsewhere = step.and_then(|(_, variants)| {
            variants.iter().find(|v| v.keys.iter().any(|key| key.name == name)).map(|v| v.name)
        });
        let (message, help) = match (step, elsewhere) {
            (Some((word, _)), Some(other)) => {
                (format!("`{name}` does not belong to `do: {word}`"), format!("it is a key of `do: {other}`"))
            }
            _ => {
                let help = match closest(name, keys.iter().map(|key| key.name)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known keys: {}", names(keys)),
                };
                (format!("unknown key `{name}`"), help)
            }
        };
        problems.push(Diagnostic::at("unknown-key", text, key.span, message).help(help));
    }
    for key in keys.iter().filter(|key| key.required && node.get(key.name).is_none()) {
        let span = node.entries().first().map_or(node.span, |(first, _)| first.span);
        let message = format!("the key `{}` is missing", key.name);
        problems.push(
            Diagnostic::at("missing-key", text, span, message).help(format!("`{}`: {}", key.name, key.doc)),
        );
    }
}

fn names(keys: &[Key]) -> String {
    keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
}

fn describe(node: &Node) -> String {
    match &node.kind {
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "a mapping".to_owned(),
        Kind::Scalar { .. } if node.is_null() => "nothing".to_owned(),
        Kind::Scalar { text, .. } => {
            let short: String = text.chars().take(40).collect();
            format!("`{short}`")
        }
    }
}

/// The JSON Schema (draft 2020-12) of a shape.
pub fn schema(title: &str, shape: &Shape) -> Value {
    let mut root = Map::new();
    root.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    root.insert("title".into(), title.into());
    if let Value::Object(body) = schema_of(shape) {
        root.extend(body);
    }
    Value::Object(root)
}

fn schema_of(shape: &Shape) -> Value {
    match shape {
        Shape::Any => json!({}),
        Shape::Scalar | Shape::Text => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Flag => or_row(json!({ "type": "boolean" })),
        Shape::Count => or_row(json!({ "type": "integer", "minimum": 0 })),
        Shape::Duration => or_row(json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" })),
        Shape::Words(_, words) => {
            // A word that looks like a number is a number to a YAML reader.
            let words: Vec<Value> = words()
                .into_iter()
                .flat_map(|w| std::iter::once(Value::from(w)).chain(w.parse::<i64>().ok().map(Value::from)))
                .collect();
            or_row(json!({ "enum": words }))
        }
        Shape::List(item) => json!({ "type": "array", "items": schema_of(item) }),
        Shape::OneOrMany(item) => {
            let item = schema_of(item);
            json!({ "anyOf": [item, { "type": "array", "items": item }] })
        }
        Shape::Map(value) => json!({ "type": "object", "additionalProperties": schema_of(value) }),
        Shape::Record(keys) => object(keys, Map::new()),
        Shape::Short(short, keys) => json!({ "anyOf": [schema_of(short), object(keys, Map::new())] }),
        Shape::Edits => json!({ "type": ["string", "number", "boolean", "object", "array"] }),
        Shape::Step(common, variants) => {
            let variants = variants();
            let words: Vec<&str> = variants.iter().map(|v| v.name).collect();
            let branches: Vec<Value> = variants
                .iter()
                .map(|variant| {
                    let keys: Vec<Key> = common.iter().chain(variant.keys).copied().collect();
                    let mut first = Map::new();
                    first.insert("do".into(), json!({ "const": variant.name, "description": variant.doc }));
                    json!({
                        "if": { "properties": { "do": { "const": variant.name } } },
                        "then": object(&keys, first)
                    })
                })
                .collect();
            json!({ "type": "object", "required": ["do"], "properties": { "do": { "enum": words } }, "allOf": branches })
        }
    }
}

/// A value, or the name of one in a row of data.
fn or_row(value: Value) -> Value {
    json!({ "anyOf": [value, { "type": "string", "pattern": "\\$\\{row\\." }] })
}

fn object(keys: &[Key], mut properties: Map<String, Value>) -> Value {
    for key in keys.iter().filter(|key| key.name != "do") {
        let mut property = schema_of(&key.shape);
        if let Value::Object(members) = &mut property {
            members.insert("description".into(), key.doc.into());
        }
        properties.insert(key.name.into(), property);
    }
    if keys.iter().any(|key| key.name == "do") {
        properties.entry("do").or_insert(json!({}));
    }
    let required: Vec<&str> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut out = Map::new();
    out.insert("type".into(), "object".into());
    out.insert("additionalProperties".into(), false.into());
    if !required.is_empty() {
        out.insert("required".into(), json!(required));
    }
    out.insert("properties".into(), Value::Object(properties));
    Value::Object(out)
}
