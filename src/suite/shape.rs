//! What a file may hold, said once: the same shape finds a person's slips and prints the JSON Schema
//! that editors complete from.

use serde_json::Value;
use std::sync::Arc;

use super::parse::{Kind, Node};
use crate::diagnostic::{Diagnostic, Text, closest};

/// What stands at a place of a file.
#[derive(Clone, Debug)]
pub enum Shape {
    /// Any value.
    Any,
    /// A text, a number, a flag or `null`, but not nothing at all.
    Scalar,
    /// A text.
    Text,
    /// A text that says something.
    Name,
    /// `true` or `false`.
    Flag,
    /// A whole number from 0.
    Count,
    /// A text of a certain form.
    Form(&'static Form),
    /// One of these words; what they are goes into the diagnostic.
    Words(&'static str, Vec<&'static str>),
    /// A list of these.
    List(Box<Shape>, Option<Never>),
    /// A mapping from free names, perhaps of a form, to these.
    Map(Option<&'static Form>, Box<Shape>, Option<Never>),
    /// A mapping with known keys.
    Record(Record),
    /// Another shape for a scalar, a list and a mapping; the words say what all of them are.
    Either(Box<Either>),
    /// A record whose `do:` decides which keys it has.
    Step(Vec<Variant>),
    /// A shape that a JSON Schema defines once under this name.
    Named(String, Arc<Shape>),
    /// A thing of its own, which no row of data stands for.
    Item(Box<Shape>),
    /// What its own reader checks, with better words; the JSON Schema has it all the same.
    Elsewhere(Box<Shape>),
}

/// Why a list or mapping must not be empty, and the cure.
pub type Never = (&'static str, &'static str);

/// A text of a certain form.
#[derive(Debug)]
pub struct Form {
    /// Short name of the kind of problem.
    pub code: &'static str,
    /// What is expected.
    pub expected: &'static str,
    /// How to write it.
    pub help: &'static str,
    /// Whether a text has it.
    pub fits: fn(&str) -> bool,
    /// The same as JSON Schema.
    pub schema: fn() -> Value,
}

/// A mapping with known keys.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// What its keys are called in diagnostics; `key` where it is empty.
    pub noun: &'static str,
    /// Where it stands, for keys that belong elsewhere.
    pub place: String,
    /// Its keys.
    pub keys: Vec<Key>,
    /// Keys that belong elsewhere, and what to do about them.
    pub elsewhere: Vec<(&'static str, String)>,
    /// Why it must not be empty.
    pub never: Option<Never>,
    /// What more a JSON Schema says of it; its reader checks that with better words.
    pub rules: Vec<Value>,
}

/// Shapes by the kind of value.
#[derive(Clone, Debug, Default)]
pub struct Either {
    /// What all of them are, in words.
    pub expected: &'static str,
    /// The cure where it is none of them.
    pub help: String,
    /// For a text, a number or a flag.
    pub scalar: Option<Shape>,
    /// For a list.
    pub list: Option<Shape>,
    /// For a mapping.
    pub map: Option<Shape>,
}

/// A key of a record.
#[derive(Clone, Debug)]
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

/// A kind of step.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The word after `do:`.
    pub name: &'static str,
    /// What the step does.
    pub doc: &'static str,
    /// The whole record, `do` included.
    pub record: Record,
}

/// A key that may be there.
pub fn may(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, required: false, doc }
}

/// A key that must be there.
pub fn must(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, required: true, doc }
}

/// A shape that a JSON Schema defines once under this name.
pub fn named(name: impl Into<String>, shape: Shape) -> Shape {
    Shape::Named(name.into(), Arc::new(shape))
}

/// A mapping with known keys.
pub fn record(keys: Vec<Key>) -> Shape {
    Shape::Record(Record { keys, ..Record::default() })
}

/// One of these, or a list of them.
pub fn one_or_many(expected: &'static str, item: Shape) -> Shape {
    let list = Shape::List(Box::new(item.clone()), None);
    Shape::Either(Box::new(Either { expected, scalar: Some(item), list: Some(list), ..Either::default() }))
}

/// Checks a node against a shape; everything that is wrong is added.
pub fn check(text: &Text, node: &Node, shape: &Shape, problems: &mut Vec<Diagnostic>) {
    // Where no row gave a value, that was told, and what it would have been nobody knows.
    if node.text().is_some_and(|text| text.contains("${row.")) {
        return;
    }
    let nothing = matches!(&node.kind, Kind::Scalar { text, plain: true } if text.is_empty());
    let mut wrong = |expected: &str, help: Option<String>| {
        let message = format!("expected {expected}, found {}", describe(node));
        let help = help.unwrap_or_else(|| {
            let empty = node.is_null() || node.text().is_some_and(|text| text.trim().is_empty());
            if empty { "write a value".into() } else { format!("write {expected}") }
        });
        problems.push(Diagnostic::at("wrong-type", text, node.span, message).help(help));
    };
    match (shape, &node.kind) {
        (Shape::Any | Shape::Elsewhere(_), _) => {}
        (Shape::Scalar, Kind::Scalar { .. }) if !nothing => {}
        (Shape::Scalar, _) => wrong("a single value", None),
        (Shape::Text, Kind::Scalar { .. }) if !node.is_null() => {}
        (Shape::Text, _) => wrong("a text", text_help(node)),
        (Shape::Name, Kind::Scalar { text, .. }) if !node.is_null() && !text.trim().is_empty() => {}
        (Shape::Name, _) => wrong("a text", text_help(node)),
        (Shape::Flag, _) if node.flag().is_some() => {}
        (Shape::Flag, _) => wrong("true or false", flag_help(node)),
        (Shape::Count, _) if node.number().is_some_and(|n| n >= 0) => {}
        (Shape::Count, _) => {
            let quoted = node.text().filter(|text| text.parse::<u32>().is_ok());
            wrong("a whole number", quoted.map(|text| format!("write `{text}` without quotes")));
        }
        (Shape::Form(form), _) => check_form(text, node, form, problems),
        (Shape::Words(what, words), _) => check_word(text, node, what, words, problems),
        (Shape::List(item, never), Kind::List(items)) => {
            items.iter().for_each(|node| check(text, node, item, problems));
            if let Some((message, help)) = never.filter(|_| items.is_empty()) {
                problems.push(Diagnostic::at("empty", text, node.span, message).help(help));
            }
        }
        (Shape::List(..), _) => {
            wrong("a list", Some("put `- ` before each item, or write `[a, b]`".into()));
        }
        (Shape::Map(form, value, never), Kind::Map(entries)) => {
            for (key, node) in entries {
                if let Some(form) = form {
                    check_form(text, key, form, problems);
                }
                check(text, node, value, problems);
            }
            if let Some((message, help)) = never.filter(|_| entries.is_empty()) {
                problems.push(Diagnostic::at("empty", text, node.span, message).help(help));
            }
        }
        (Shape::Map(..), _) => wrong("a mapping", Some(pairs(node))),
        (Shape::Record(record), Kind::Map(_)) => check_record(text, node, record, problems),
        (Shape::Record(record), _) => {
            let names = names(&record.keys);
            let listed = if names.len() > 80 {
                String::new()
            } else {
                format!("; its {}s are: {names}", noun(record))
            };
            wrong("a mapping", Some(pairs(node) + &listed));
        }
        (Shape::Either(either), kind) => {
            let fitting = match kind {
                Kind::Scalar { .. } if nothing => None,
                Kind::Scalar { .. } => either.scalar.as_ref(),
                Kind::List(_) => either.list.as_ref(),
                Kind::Map(_) => either.map.as_ref(),
            };
            match fitting {
                Some(shape) => check(text, node, shape, problems),
                None => wrong(either.expected, (!either.help.is_empty()).then(|| either.help.clone())),
            }
        }
        (Shape::Step(variants), Kind::Map(_)) => check_step(text, node, variants, problems),
        (Shape::Step(_), _) => {
            let help = match node.text().and_then(spaced) {
                Some(spaced) => format!("put a space behind the colon: `{spaced}`"),
                None => "a step is a mapping that begins with `do:`".to_owned(),
            };
            wrong("a step", Some(help));
        }
        (Shape::Named(_, shape), _) => check(text, node, shape, problems),
        (Shape::Item(shape), _) => check(text, node, shape, problems),
    }
}

/// How to write a mapping in place of a node.
fn pairs(node: &Node) -> String {
    match node.text().and_then(spaced) {
        Some(spaced) => format!("put a space behind the colon: `{spaced}`"),
        None => "write `name: value` pairs".to_owned(),
    }
}

/// `key:value` as `key: value`; none where it is anything else.
fn spaced(text: &str) -> Option<String> {
    let (key, value) = text.split_once(':')?;
    let word = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    (word && !value.is_empty() && !value.starts_with(['/', ' '])).then(|| format!("{key}: {value}"))
}

fn text_help(node: &Node) -> Option<String> {
    node.text().is_none().then(|| "write one text; quotes make a text of anything".to_owned())
}

fn flag_help(node: &Node) -> Option<String> {
    Some(match node.text()? {
        "yes" | "on" | "Yes" | "On" | "True" => "write `true`".to_owned(),
        "no" | "off" | "No" | "Off" | "False" => "write `false`".to_owned(),
        word @ ("true" | "false") => format!("write `{word}` without quotes"),
        _ => return None,
    })
}

fn check_form(text: &Text, node: &Node, form: &Form, problems: &mut Vec<Diagnostic>) {
    if !node.text().is_some_and(|text| text.contains("${row.") || (form.fits)(text)) {
        let message = format!("expected {}, found {}", form.expected, describe(node));
        problems.push(Diagnostic::at(form.code, text, node.span, message).help(form.help));
    }
}

fn check_word(text: &Text, node: &Node, what: &str, words: &[&'static str], problems: &mut Vec<Diagnostic>) {
    let (code, message) = match node.text().filter(|text| !text.is_empty()) {
        Some(word) if words.contains(&word) => return,
        Some(word) => ("unknown-word", format!("unknown {what} `{word}`")),
        None => ("wrong-type", format!("expected one word, found {}", describe(node))),
    };
    // Among short words everything is near to everything.
    let near = closest(node.text().unwrap_or(""), words.iter().copied()).filter(|near| near.len() > 5);
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("one of: {}", words.join(", ")),
    };
    problems.push(Diagnostic::at(code, text, node.span, message).help(help));
}

fn check_record(text: &Text, node: &Node, record: &Record, problems: &mut Vec<Diagnostic>) {
    // A key that was meant to be a required one says that it is missing.
    let mut meant = Vec::new();
    for (key, value) in node.entries() {
        let name = key.text().unwrap_or("");
        match record.keys.iter().find(|known| known.name == name) {
            Some(known) => check(text, value, &known.shape, problems),
            None if name.contains("${row.") => {}
            None => {
                meant.extend(closest(name, record.keys.iter().map(|key| key.name)));
                problems.push(unknown_key(text, key, name, record));
            }
        }
    }
    let missing = |key: &&Key| key.required && node.get(key.name).is_none() && !meant.contains(&key.name);
    for key in record.keys.iter().filter(missing) {
        let span = node.entries().first().map_or(node.span, |(first, _)| first.span);
        let message = format!("the key `{}` is missing", key.name);
        problems.push(
            Diagnostic::at("missing-key", text, span, message).help(format!("`{}`: {}", key.name, key.doc)),
        );
    }
    if let Some((message, help)) = record.never.filter(|_| node.entries().is_empty()) {
        problems.push(Diagnostic::at("empty", text, node.span, message).help(help));
    }
}

fn unknown_key(text: &Text, key: &Node, name: &str, record: &Record) -> Diagnostic {
    if let Some((_, help)) = record.elsewhere.iter().find(|(known, _)| *known == name) {
        let message = format!("`{name}` does not belong to {}", record.place);
        return Diagnostic::at("misplaced", text, key.span, message).help(help.as_str());
    }
    let known = || record.keys.iter().map(|key| key.name);
    if let Some(spaced) = spaced(name).filter(|_| known().any(|known| name.split(':').next() == Some(known)))
    {
        return Diagnostic::at("unknown-key", text, key.span, format!("unknown {} `{name}`", noun(record)))
            .help(format!("put a space behind the colon: `{spaced}`"));
    }
    let help = match closest(name, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known {}s: {}", noun(record), names(&record.keys)),
    };
    let message = format!("unknown {} `{name}`", noun(record));
    Diagnostic::at("unknown-key", text, key.span, message).help(help)
}

fn check_step(text: &Text, node: &Node, variants: &[Variant], problems: &mut Vec<Diagnostic>) {
    let Some(at) = node.get("do") else {
        let span = node.entries().first().map_or(node.span, |(key, _)| key.span);
        problems.push(
            Diagnostic::at("missing-key", text, span, "this step does not say what it does")
                .help("begin it with `do:`, for example `do: jwt-bearer`"),
        );
        return keys_of_any(text, node, variants, problems);
    };
    match variants.iter().find(|variant| Some(variant.name) == at.text()) {
        Some(variant) => check_record(text, node, &variant.record, problems),
        None => {
            let words: Vec<&str> = variants.iter().map(|variant| variant.name).collect();
            check_word(text, at, "step", &words, problems);
            keys_of_any(text, node, variants, problems);
        }
    }
}

/// What can be said of a step that does not say what it does: a key must be one of some step.
fn keys_of_any(text: &Text, node: &Node, variants: &[Variant], problems: &mut Vec<Diagnostic>) {
    let mut keys: Vec<Key> = Vec::new();
    for key in variants.iter().flat_map(|variant| &variant.record.keys) {
        if !keys.iter().any(|known| known.name == key.name) {
            keys.push(Key { shape: Shape::Any, required: false, ..key.clone() });
        }
    }
    check_record(text, node, &Record { keys, ..Record::default() }, problems);
}

fn noun(record: &Record) -> &'static str {
    if record.noun.is_empty() { "key" } else { record.noun }
}

fn names(keys: &[Key]) -> String {
    keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
}

/// A node in the words of a diagnostic.
pub fn describe(node: &Node) -> String {
    match &node.kind {
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "a mapping".to_owned(),
        Kind::Scalar { .. } if node.is_null() => "nothing".to_owned(),
        Kind::Scalar { text, .. } if text.trim().is_empty() => "an empty text".to_owned(),
        Kind::Scalar { text, .. } => {
            let short: String = text.chars().take(40).collect();
            format!("`{short}`")
        }
    }
}
