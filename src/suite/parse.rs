//! YAML to a tree with a span at every name that can be wrong.

use saphyr_parser::{Event, Parser, ScalarStyle};
use std::collections::{HashMap, HashSet};

use super::syntax::not_yaml;
use crate::diagnostic::{Diagnostic, Span, Text};

/// The longest file that is read, in bytes.
const LONGEST: usize = 1024 * 1024;
/// The most nodes that a file may come to, aliases written out.
const MOST_NODES: usize = 100_000;
/// The deepest nesting.
const DEEPEST: usize = 64;

/// One node of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A text; `plain` if it was written without quotes and may be a number or a flag.
    Scalar {
        /// The text.
        text: String,
        /// Written without quotes.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in order.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// A flag: `true` or `false` without quotes.
    pub fn flag(&self) -> Option<bool> {
        match &self.kind {
            Kind::Scalar { text, plain: true } if text == "true" => Some(true),
            Kind::Scalar { text, plain: true } if text == "false" => Some(false),
            _ => None,
        }
    }

    /// A whole number without quotes.
    pub fn number(&self) -> Option<i64> {
        match &self.kind {
            Kind::Scalar { text, plain: true } => text.parse().ok(),
            _ => None,
        }
    }

    /// Whether nothing was written, as in `key:` with no value.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// The items of a list; a scalar counts as a list of itself.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    /// The entries of a mapping, none for other nodes.
    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(k, _)| k.text() == Some(key)).map(|(_, value)| value)
    }

    /// The key itself, for its span.
    pub fn key(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(k, _)| k.text() == Some(key)).map(|(k, _)| k)
    }

    /// The node as a JSON value: plain scalars as flag, number or null, everything else as it is.
    pub fn json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.kind {
            Kind::Scalar { text, .. } => {
                if let Some(flag) = self.flag() {
                    Value::Bool(flag)
                } else if let Some(number) = self.number() {
                    Value::from(number)
                } else if self.is_null() {
                    Value::Null
                } else {
                    Value::from(text.as_str())
                }
            }
            Kind::List(items) => Value::Array(items.iter().map(Node::json).collect()),
            Kind::Map(entries) => Value::Object(
                entries.iter().map(|(k, v)| (k.text().unwrap_or("").to_owned(), v.json())).collect(),
            ),
        }
    }
}

/// Reads one YAML document.
///
/// # Errors
/// Syntax errors, a key that stands twice, a file that is too large or too deep: all of them.
pub fn parse(text: &Text) -> Result<Node, Vec<Diagnostic>> {
    let bytes = Bytes::new(text.source());
    let fail = |at: usize, message: &str, help: &str| {
        vec![Diagnostic::at("syntax", text, Span::new(at, at + 1), message).help(help)]
    };
    if text.source().len() > LONGEST {
        return Err(fail(0, "the file is longer than 1 MiB", "split it into several files"));
    }
    let mut events = Vec::new();
    let (mut documents, mut depth) = (0, 0);
    let mut parser = Parser::new_from_str(text.source());
    while let Some(next) = parser.next_event() {
        let (event, span) =
            next.map_err(|why| vec![not_yaml(text, bytes.of(why.marker().index()), why.info())])?;
        let start = bytes.of(span.start.index());
        let span = Span::new(start, bytes.of(span.end.index()).max(start));
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    let help = "write one suite, target or program in a file";
                    return Err(fail(span.start, "a second document begins here", help));
                }
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            event => {
                match event {
                    Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
                    Event::SequenceEnd | Event::MappingEnd => depth -= 1,
                    _ => {}
                }
                events.push((event, span));
            }
        }
        // Looked at before anything recurses over the tree.
        if depth > DEEPEST {
            return Err(fail(
                span.start,
                "the file nests too deep",
                "no suite, target or program needs 64 levels",
            ));
        }
        if events.len() > MOST_NODES {
            return Err(fail(span.start, "the file has too many values", "split it into several files"));
        }
    }
    if events.is_empty() {
        return Err(fail(0, "the file is empty", "`grantcheck init` writes a first one"));
    }
    let mut tree = Tree { text, anchors: HashMap::new(), nodes: 0, full: false, problems: Vec::new() };
    let node = tree.node(&mut events.into_iter());
    if tree.problems.is_empty() { Ok(node) } else { Err(tree.problems) }
}

/// Turns the parser's character positions into bytes.
struct Bytes(Vec<usize>, usize);

impl Bytes {
    fn new(source: &str) -> Self {
        Self(source.char_indices().map(|(at, _)| at).collect(), source.len())
    }

    fn of(&self, index: usize) -> usize {
        self.0.get(index).copied().unwrap_or(self.1)
    }
}

/// Puts events together. The parser has checked that they nest, so what is missing reads as nothing.
struct Tree<'t> {
    text: &'t Text,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    /// Whether aliases were written out to more than is read: told once.
    full: bool,
    problems: Vec<Diagnostic>,
}

impl Tree<'_> {
    fn node<'i>(&mut self, events: &mut impl Iterator<Item = (Event<'i>, Span)>) -> Node {
        let Some((event, span)) = events.next() else { return nothing(Span::default()) };
        self.finish(event, span, events)
    }

    fn finish<'i>(
        &mut self,
        event: Event<'i>,
        span: Span,
        events: &mut impl Iterator<Item = (Event<'i>, Span)>,
    ) -> Node {
        self.nodes += 1;
        let mut last = span;
        let (kind, anchor, tag) = match event {
            Event::Scalar(value, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                // Where nothing was written, the parser gives a `~` that has no length.
                let nothing = plain && span.start == span.end;
                let text = if nothing { String::new() } else { value.into_owned() };
                (Kind::Scalar { text, plain }, anchor, tag.is_some())
            }
            Event::SequenceStart(anchor, tag) => {
                let mut items = Vec::new();
                loop {
                    match events.next() {
                        None => break,
                        Some((Event::SequenceEnd, end)) => {
                            last = end;
                            break;
                        }
                        Some((event, span)) => items.push(self.finish(event, span, events)),
                    }
                }
                (Kind::List(items), anchor, tag.is_some())
            }
            Event::MappingStart(anchor, tag) => {
                let entries = self.entries(events, &mut last);
                (Kind::Map(entries), anchor, tag.is_some())
            }
            Event::Alias(anchor) => return self.alias(anchor, span),
            _ => return nothing(span),
        };
        if tag {
            let message = "a YAML tag has no meaning here";
            self.problem(span, message, "leave it out; quotes make a text of a number or a flag");
        }
        // A collection in brackets ends with its bracket, one in lines with its last value.
        let bracket = self.text.source()[span.start..].starts_with(['[', '{']);
        let end = match &kind {
            Kind::List(_) | Kind::Map(_) if bracket => Some(last.end),
            Kind::List(items) => items.last().map(|item| item.span.end),
            Kind::Map(entries) => entries.last().map(|(_, value)| value.span.end),
            Kind::Scalar { .. } => None,
        };
        let node = Node { span: Span::new(span.start, end.unwrap_or(span.end).max(span.end)), kind };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        node
    }

    fn entries<'i>(
        &mut self,
        events: &mut impl Iterator<Item = (Event<'i>, Span)>,
        last: &mut Span,
    ) -> Vec<(Node, Node)> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut names: HashSet<String> = HashSet::new();
        while let Some((event, span)) = events.next() {
            if event == Event::MappingEnd {
                *last = span;
                break;
            }
            let key = self.finish(event, span, events);
            let value = self.node(events);
            match key.text() {
                None => self.problem(key.span, "a key must be a plain text", "write `name: value`"),
                Some("<<") => self.problem(
                    key.span,
                    "keys are not merged into one another",
                    "write the keys out, or give the whole value an anchor and name it with `*`",
                ),
                Some(name) if !names.insert(name.to_owned()) => {
                    let message = format!("the key `{name}` stands twice");
                    self.problems.push(
                        Diagnostic::at("duplicate-key", self.text, key.span, message)
                            .help("keep one of the two: the other would be lost without a word"),
                    );
                }
                Some(_) => {}
            }
            entries.push((key, value));
        }
        entries
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Node {
        if self.full {
            return nothing(span);
        }
        let Some(node) = self.anchors.get(&anchor) else {
            self.problem(span, "this alias stands inside of its own anchor", "write the value out");
            return nothing(span);
        };
        self.nodes += count(node);
        if self.nodes > MOST_NODES {
            self.full = true;
            self.problem(span, "the aliases write out to too many values", "write the values out");
            return nothing(span);
        }
        Node { span, kind: node.kind.clone() }
    }

    fn problem(&mut self, span: Span, message: &str, help: &str) {
        self.problems.push(Diagnostic::at("syntax", self.text, span, message).help(help));
    }
}

fn nothing(span: Span) -> Node {
    Node { span, kind: Kind::Scalar { text: String::new(), plain: true } }
}

fn count(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar { .. } => 1,
        Kind::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|(k, v)| count(k) + count(v)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(source: &str) -> Result<Node, Vec<Diagnostic>> {
        parse(&Text::new("t.yaml", source))
    }

    #[test]
    fn spans_point_at_the_name() {
        let source = "ä: 1\nexpect: { refused: x }\n";
        let node = read(source).unwrap();
        let refused = node.get("expect").and_then(|e| e.get("refused")).unwrap();
        assert_eq!(&source[refused.span.start..refused.span.end], "x");
        let key = node.key("expect").unwrap();
        assert_eq!(&source[key.span.start..key.span.end], "expect");
    }

    #[test]
    fn quotes_decide_what_is_a_number() {
        let node = read("a: 1\nb: \"1\"\nc: true\nd: 'true'\n").unwrap();
        assert_eq!(node.json(), serde_json::json!({"a": 1, "b": "1", "c": true, "d": "true"}));
    }

    #[test]
    fn every_duplicate_key_is_told() {
        assert_eq!(read("a: 1\na: 2\nb: { c: 1, c: 2 }\n").unwrap_err().len(), 2);
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut source = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..9 {
            let list = vec![format!("*a{}", i - 1); 10].join(", ");
            source.push_str(&format!("a{i}: &a{i} [{list}]\n"));
        }
        let problems = read(&source).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].message, "the aliases write out to too many values");
    }

    #[test]
    fn depth_is_bounded_before_anything_recurses() {
        for deep in ["- ".repeat(50_000), "[".repeat(200), "? ".repeat(50_000)] {
            assert_eq!(read(&deep).unwrap_err().len(), 1);
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(source in "[a-c:{}\\[\\], \\n&*'\"|>-]{0,60}") {
            let _ = read(&source);
        }
    }
}
