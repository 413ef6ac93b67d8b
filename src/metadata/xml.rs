//! XML as metadata files are written: elements with text, every one with its place.

use roxmltree::{Document, Node, NodeType, ParsingOptions};
use std::fmt::Write as _;

use crate::diagnostic::{Diagnostic, Span, Text};

/// The most nodes of a file; the largest real ones have some thousands.
const NODES: u32 = 200_000;
/// How deep elements may be nested; real ones are five deep.
const DEPTH: usize = 64;
/// The most attributes of a tag, each of which is compared with every other; real ones have two.
const ATTRIBUTES: usize = 64;

/// An element, with all that is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name without a prefix.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Where its name stands in the opening tag.
    pub span: Span,
    /// Its own text, without blanks at both ends; for an element with children usually empty.
    pub value: String,
    /// Where the text stands; the name, where there is none.
    pub value_span: Span,
    /// Everything between its tags.
    pub inside: Span,
    /// Elements in it, in order.
    pub children: Vec<Element>,
}

impl Element {
    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Every child of that name.
    pub fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The element at a path of names, `oauthConfig/callbackUrl`.
    pub fn at(&self, path: &str) -> Option<&Element> {
        path.split('/').try_fold(self, |element, name| element.child(name))
    }

    /// The text at a path, where there is any.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.at(path).map(|element| element.value.as_str()).filter(|value| !value.is_empty())
    }

    /// The nearest element to a path that is there: where what is missing would stand.
    pub fn nearest(&self, path: &str) -> &Element {
        let mut here = self;
        for name in path.split('/') {
            match here.child(name) {
                Some(child) => here = child,
                None => break,
            }
        }
        here
    }
}

/// Reads a file.
///
/// # Errors
/// It is no well-formed XML, has a document type, is said to be in another encoding than UTF-8, or is too large or deep.
pub fn read(text: &Text) -> Result<Element, Diagnostic> {
    let source = text.source();
    let declared = source.strip_prefix("<?xml").and_then(|rest| rest.split("?>").next());
    if let Some(encoding) = declared.and_then(encoding).filter(|e| !e.eq_ignore_ascii_case("utf-8")) {
        let at = source.find(encoding).unwrap_or(0);
        let message = format!("the file says that its encoding is `{encoding}`");
        let span = Span::new(at, at + encoding.len());
        return Err(Diagnostic::at("xml-encoding", text, span, message)
            .help("store it as UTF-8 and say `encoding=\"UTF-8\"`"));
    }
    if let Some(at) = crowded(source) {
        let message = format!("a tag has more than {ATTRIBUTES} attributes");
        return Err(Diagnostic::at("xml-too-large", text, Span::new(at, at + 1), message)
            .help("no metadata file has so many"));
    }
    let options = ParsingOptions { nodes_limit: NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(source, options).map_err(|why| refused(text, &why))?;
    element(text, document.root_element(), DEPTH)
}

fn encoding(declaration: &str) -> Option<&str> {
    let rest = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    rest[1..].split(quote).next()
}

/// Where the first tag begins that has too many attributes. What is no XML at all is told by the parser.
fn crowded(source: &str) -> Option<usize> {
    let bytes = source.as_bytes();
    let mut at = 0;
    while let Some(begin) = source[at..].find('<').map(|found| at + found) {
        let rest = &source[begin..];
        let closing = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")]
            .into_iter()
            .find(|(opening, _)| rest.starts_with(opening));
        if let Some((opening, closing)) = closing {
            let from = begin + opening.len();
            at = source[from..].find(closing).map_or(source.len(), |found| from + found + closing.len());
            continue;
        }
        let (mut quote, mut count) = (None, 0);
        at = begin + 1;
        while let Some(byte) = bytes.get(at) {
            match (quote, byte) {
                (Some(open), byte) if open == *byte => quote = None,
                (None, b'"' | b'\'') => quote = Some(*byte),
                (None, b'=') => count += 1,
                (None, b'>' | b'<') => break,
                _ => {}
            }
            at += 1;
        }
        if count > ATTRIBUTES {
            return Some(begin);
        }
    }
    None
}

/// What stands between the opening tag of an element, which may have a `>` in its attributes, and its closing tag.
fn inside(source: &str, begin: usize, end: usize) -> Span {
    let mut quote = None;
    let opening = source[begin..end].bytes().position(|byte| {
        match (quote, byte) {
            (Some(open), byte) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            _ => {}
        }
        quote.is_none() && byte == b'>'
    });
    let from = opening.map_or(end, |length| begin + length + 1);
    let to = source[from..end].rfind("</").map_or(end, |length| from + length);
    Span::new(from, to)
}

fn refused(text: &Text, why: &roxmltree::Error) -> Diagnostic {
    let source = text.source();
    let (code, help) = match why {
        roxmltree::Error::DtdDetected => {
            let at = source.find("<!DOCTYPE").unwrap_or(0);
            let message = "a document type stands here, and with it entities could";
            return Diagnostic::at("xml-doctype", text, Span::new(at, at + 9), message)
                .help("take it out: metadata has none, and none is read");
        }
        roxmltree::Error::NodesLimitReached => ("xml-too-large", "no metadata file has so many elements"),
        _ => ("xml", "mend the file; Salesforce refuses to deploy it as well"),
    };
    let position = why.pos();
    let line = (position.row as usize).saturating_sub(1);
    let start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let inside: usize =
        source[start..].chars().take((position.col as usize).saturating_sub(1)).map(char::len_utf8).sum();
    // The place is told by line and column already.
    let words = why.to_string();
    let words = words.split(" at ").next().unwrap_or(&words).to_owned();
    Diagnostic::at(
        code,
        text,
        Span::new(start + inside, start + inside + 1),
        format!("this is no XML: {words}"),
    )
    .help(help)
}

fn element(text: &Text, node: Node<'_, '_>, deep: usize) -> Result<Element, Diagnostic> {
    let range = node.range();
    let opening = &text.source()[range.start..range.end];
    let length = opening[1..].find(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).unwrap_or(0);
    let span = Span::new(range.start + 1, range.start + 1 + length);
    if deep == 0 {
        return Err(Diagnostic::at(
            "xml-too-deep",
            text,
            span,
            format!("elements are nested more than {DEPTH} deep"),
        )
        .help("no metadata is"));
    }
    let mut children = Vec::new();
    let mut value = String::new();
    let mut value_span: Option<Span> = None;
    for child in node.children() {
        match child.node_type() {
            NodeType::Element => children.push(element(text, child, deep - 1)?),
            NodeType::Text => {
                let said = child.text().unwrap_or("");
                value.push_str(said);
                if !said.trim().is_empty() {
                    let raw = &text.source()[child.range()];
                    let start = child.range().start + raw.len() - raw.trim_start().len();
                    let end = child.range().start + raw.trim_end().len();
                    value_span = Some(Span::new(value_span.map_or(start, |span| span.start), end));
                }
            }
            _ => {}
        }
    }
    Ok(Element {
        name: node.tag_name().name().to_owned(),
        namespace: node.tag_name().namespace().unwrap_or("").to_owned(),
        span,
        value: value.trim().to_owned(),
        value_span: value_span.unwrap_or(span),
        inside: inside(text.source(), range.start, range.end),
        children,
    })
}

/// Writes a tree as Salesforce does: four blanks a level, the namespace on the root.
pub fn write(root: &Element) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    put(&mut out, root, 0);
    out
}

fn put(out: &mut String, element: &Element, level: usize) {
    let indent = "    ".repeat(level);
    let name = &element.name;
    let space = if level == 0 && !element.namespace.is_empty() {
        format!(" xmlns=\"{}\"", escaped(&element.namespace))
    } else {
        String::new()
    };
    let value = escaped(&element.value);
    match (element.children.is_empty(), value.is_empty()) {
        (true, true) => {
            let _ = writeln!(out, "{indent}<{name}{space}/>");
        }
        (true, false) => {
            let _ = writeln!(out, "{indent}<{name}{space}>{value}</{name}>");
        }
        (false, _) => {
            let _ = writeln!(out, "{indent}<{name}{space}>{value}");
            element.children.iter().for_each(|child| put(out, child, level + 1));
            let _ = writeln!(out, "{indent}</{name}>");
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\r', "&#13;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(source: &str) -> String {
        read(&Text::new("a.xml", source)).unwrap_err().to_string()
    }

    #[test]
    fn every_element_has_its_place() {
        let text =
            Text::new("a", "<?xml version=\"1.0\"?>\n<A xmlns=\"n\">\n  <b> x&amp;y </b>\n  <c/>\n</A>");
        let root = read(&text).unwrap();
        let b = root.child("b").unwrap();
        assert_eq!(
            (b.value.as_str(), &text.source()[b.value_span.start..b.value_span.end]),
            ("x&y", "x&amp;y")
        );
        assert_eq!(text.line_column(b.span.start), (3, 4));
        assert_eq!(root.child("c").unwrap().value_span, root.child("c").unwrap().span);
    }

    #[test]
    fn what_is_no_metadata_is_a_diagnostic_with_a_place() {
        assert!(told("<a><b></a>").contains("a.xml:1:"), "{}", told("<a><b></a>"));
        assert!(told("").contains("error[xml]"));
        assert!(told("<!DOCTYPE a [<!ENTITY b \"bbb\">]><a>&b;</a>").contains("error[xml-doctype]"));
        assert!(told("<a>&b;</a>").contains("error[xml]"));
        assert!(told("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>").contains("`ISO-8859-1`"));
        assert!(told(&format!("{}{}", "<a>".repeat(70), "</a>".repeat(70))).contains("xml-too-deep"));
        assert!(told(&format!("<a>{}</a>", "<b/>".repeat(210_000))).contains("xml-too-large"));
    }

    #[test]
    fn a_tag_of_sixty_thousand_attributes_is_not_looked_into() {
        let many: String = (0..60_000).map(|number| format!(" a{number}='='")).collect();
        assert!(told(&format!("<a{many}/>")).contains("xml-too-large"));
        assert!(told(&format!("<!-- <b{many}> --><a{many}></a>")).contains("xml-too-large"));
        for source in [format!("<a><!-- <b{many}> --></a>"), format!("<a><![CDATA[<b{many}>]]></a>")] {
            assert!(read(&Text::new("a", source)).is_ok());
        }
    }

    #[test]
    fn what_is_inside_stands_between_the_tags() {
        let text = Text::new("a", "<a b='>'><c/>x<d>y</d ></a>");
        let root = read(&text).unwrap();
        let inside = |element: &Element| text.source()[element.inside.start..element.inside.end].to_owned();
        assert_eq!(inside(&root), "<c/>x<d>y</d >");
        assert_eq!([inside(&root.children[0]), inside(&root.children[1])], ["", "y"]);
    }

    fn trees() -> impl Strategy<Value = Element> {
        let leaf = ("[a-zA-Z]{1,8}", "[ -~é]{0,12}").prop_map(|(name, value)| Element {
            name,
            value: value.trim().to_owned(),
            ..Element::default()
        });
        leaf.prop_recursive(3, 24, 5, |inner| {
            ("[a-zA-Z]{1,8}", prop::collection::vec(inner, 1..5)).prop_map(|(name, children)| Element {
                name,
                children,
                ..Element::default()
            })
        })
    }

    fn bare(element: &Element) -> Element {
        Element {
            name: element.name.clone(),
            value: element.value.clone(),
            children: element.children.iter().map(bare).collect(),
            ..Element::default()
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(tree in trees()) {
            let text = Text::new("t", write(&tree));
            prop_assert_eq!(bare(&read(&text).unwrap()), tree);
        }

        #[test]
        fn no_text_breaks_the_reader(parts in prop::collection::vec(prop::sample::select(vec![
            "<", ">", "</", "/>", "a", "A", " x=\"", "\"", "&", "&amp;", ";", "<!--", "-->", "<![CDATA[", "]]>", "<?xml", "?>", "encoding=", "é", "\n", "<!DOCTYPE",
        ]), 0..30)) {
            let _ = read(&Text::new("t", parts.concat()));
        }
    }
}
