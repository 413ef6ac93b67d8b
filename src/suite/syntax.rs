//! What the YAML parser says, in the words of somebody who mends a file.

use crate::diagnostic::{Diagnostic, Span, Text};

/// What the parser says, where a person would look for it, in words that help to mend it.
pub(super) fn not_yaml(text: &Text, at: usize, info: &str) -> Diagnostic {
    let told = |span: Span, message: &str, help: &str| {
        Diagnostic::at("syntax", text, span, message).help(help.to_owned())
    };
    let source = text.source();
    let here = Span::new(at, at + 1);
    let line_start = source[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = source[at..].find('\n').map_or(source.len(), |n| at + n);
    if info.contains("tab") {
        let tab = source[line_start..line_end]
            .find('\t')
            .map_or(here, |n| Span::new(line_start + n, line_start + n + 1));
        return told(tab, "a tab stands where YAML takes only spaces", "indent with spaces");
    }
    if info.contains("simple key")
        && let Some(colon) = tight_colon(&source[..line_end])
    {
        let help = "put a space behind it; a text that holds a colon may stand in quotes";
        return told(Span::new(colon, colon + 1), "no space follows this colon", help);
    }
    if info.contains("invalid indentation")
        && let Some(bracket) = open_bracket(source, line_start)
    {
        let help = "close it on its line, or indent what follows deeper than its key";
        return told(Span::new(bracket, bracket + 1), "this bracket or brace is not closed", help);
    }
    match SYNTAX.iter().find(|(part, ..)| info.contains(part)) {
        Some((_, message, help)) => told(here, message, help),
        None => {
            let help =
                "indent with spaces, put a space after each colon, and quote a text that holds `: ` or ` #`";
            told(here, &format!("this is not YAML: {info}"), help)
        }
    }
}

/// What the parser says, what it means, and the cure.
const SYNTAX: &[(&str, &str, &str)] = &[
    (
        "mapping values are not allowed",
        "this colon stands where no key can be",
        "indent the keys of one mapping alike, and quote a text that holds `: `",
    ),
    (
        "illegal placement of ':'",
        "this colon stands where no key can be",
        "indent the keys of one mapping alike, and quote a text that holds `: `",
    ),
    (
        "simple key expect",
        "this line is no `key: value`",
        "put a colon and a space behind the key, and quote a text that goes over several lines",
    ),
    (
        "block mapping, did not find expected key",
        "this line does not continue what stands before it",
        "keys of one mapping, and items of one list, begin in the same column",
    ),
    (
        "did not find expected '-'",
        "this line does not continue the list before it",
        "items of one list begin with `- ` in the same column",
    ),
    (
        "expected ',' or ']'",
        "this list in brackets is not closed or lacks a comma",
        "write `[a, b]`; quote a text that holds a bracket or a comma",
    ),
    (
        "expected ',' or '}'",
        "this mapping in braces is not closed or lacks a comma",
        "write `{ a: 1, b: 2 }`; quote a text that holds a brace, a comma or `${`",
    ),
    (
        "invalid indentation",
        "this line is not indented as what it belongs to",
        "indent everything inside of a bracket, brace or quote deeper than its key",
    ),
    (
        "quoted scalar, found unexpected end",
        "a quoted text is not closed",
        "put the closing quote at its end",
    ),
    (
        "after double-quoted scalar",
        "something stands behind the closing quote",
        "put the whole text into the quotes; a double quote inside is written `\\\"`",
    ),
    (
        "unknown escape character",
        "this backslash begins no escape that YAML knows",
        "put the text into single quotes: there a backslash is a backslash",
    ),
    ("unknown anchor", "no anchor has this name", "define it before with `&name`, or write the value out"),
    (
        "block sequence entries are not allowed",
        "a list cannot begin here",
        "begin it on a line of its own below its key",
    ),
    ("unexpected character", "a text cannot begin with this character", "put the text into quotes"),
    ("did not find expected node content", "a value is missing here", "write a value, or leave the key out"),
];

/// The colon of a `key:value` in one of the last lines.
fn tight_colon(source: &str) -> Option<usize> {
    let mut end = source.len();
    for line in source.rsplit('\n').take(3) {
        let start = end - line.len();
        let key = line.trim_start_matches([' ', '-']);
        if let Some((name, rest)) = key.split_once(':')
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
            && rest.starts_with(|c: char| !c.is_whitespace())
        {
            return Some(start + line.len() - key.len() + name.len());
        }
        end = start.saturating_sub(1);
    }
    None
}

/// The last bracket or brace of the lines before that none closes, quoted ones apart.
fn open_bracket(source: &str, before: usize) -> Option<usize> {
    let mut open = Vec::new();
    let mut quote = None;
    let start = source[..before.saturating_sub(1)].rfind('\n').map_or(0, |newline| newline + 1);
    for (i, c) in source[start..before].char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => open.push(start + i),
            (None, ']' | '}') => {
                open.pop();
            }
            _ => {}
        }
    }
    open.first().copied()
}
