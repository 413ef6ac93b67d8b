//! Values that a file takes from outside, `${NAME}` and `${file:PATH}`, and what a diagnostic may show of a file that
//! has secrets in it.

use regex::Regex;
use std::sync::LazyLock;

use crate::diagnostic::{Diagnostic, Text};

/// A value that a target or a program takes from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<'l> {
    /// A variable of the environment.
    Variable(&'l str),
    /// The content of a file; a relative path starts from the folder of the file that names it.
    File(&'l str),
}

/// The value of a name in `${...}`.
pub(super) fn found(lookup: &dyn Fn(Lookup<'_>) -> Option<String>, name: &str) -> Option<String> {
    match name.strip_prefix("file:") {
        // An editor ends a file with a line break; no secret and no PEM needs it.
        Some(path) => lookup(Lookup::File(path)).map(|text| text.trim_end().to_owned()),
        None => lookup(Lookup::Variable(name)),
    }
}

/// What is wrong with a name that has no value, and the cure.
pub(super) fn unset(
    lookup: &dyn Fn(Lookup<'_>) -> Option<String>,
    name: &str,
) -> Option<(&'static str, String, String)> {
    if let Some(path) = name.strip_prefix("file:") {
        let help = "a relative path starts from the folder of this file".to_owned();
        let found = lookup(Lookup::File(path)).is_some();
        return (!found).then(|| ("unset", format!("the file `{path}` cannot be read"), help));
    }
    let (state, help) = match lookup(Lookup::Variable(name)).as_deref().map(str::trim) {
        None => ("not set in the environment", "set it before the run, or write the value itself"),
        Some("") => ("empty", "give it a value before the run, or leave the key out"),
        Some(_) => return None,
    };
    Some(("unset", format!("the variable `{name}` is {state}"), help.to_owned()))
}

/// The same problems; no line that they show has a secret in it.
pub(super) fn covered(text: &Text, problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let covered = Text::new(text.name(), cover(text.source()));
    let cover = |p: Diagnostic| Diagnostic { at: p.at.map(|(_, span)| (covered.clone(), span)), ..p };
    problems.into_iter().map(cover).collect()
}

/// The source with what stands behind a key that speaks of a secret struck out, letter by letter, so that
/// spans stay right: what a log keeps of a diagnostic tells nobody a password.
fn cover(source: &str) -> String {
    static SECRETS: LazyLock<Regex> = LazyLock::new(|| {
        let value = r#""(?:[^"\\\n]|\\.)*"?|'[^'\n]*'?|[\[{|>][^\n]*|[^\s,}#"'|>$&*\[{][^\s,}]*"#;
        // An anchor or a tag may stand before the value.
        let between = r#"["']?\s*:\s*(?:[&!]\S*\s+)*"#;
        let key = r"secr?e?t|pass?w|pwd?\b|\bpin\b|_to?ke?n\b";
        let variable = r"(?-i:[A-Z0-9_]*(?:SECRET|PASS|TOKEN|_KEY)[A-Z0-9_]*)";
        let whole = r#"(?i)VARIABLEBETWEEN(VALUE)|(?:KEY)([\w-]*)BETWEEN(VALUE)|://[^\s/:@]*:([^\s/@]+)@|(-----BEGIN[^\n]*)"#;
        let whole = whole
            .replace("(?:KEY)", &format!("(?:{key})"))
            .replace("BETWEEN", between)
            .replace("VALUE", value)
            .replace("VARIABLE", variable);
        Regex::new(&whole).expect("an expression of our own")
    });
    let mut out = source.to_owned();
    for captures in SECRETS.captures_iter(source) {
        // `secret_optional` and its kin say how, not what.
        let switch = captures.get(2).is_some_and(|rest| rest.as_str().starts_with('_'));
        let found = [1, 3, 4, 5].into_iter().find_map(|group| captures.get(group)).filter(|_| !switch);
        let Some(found) = found else { continue };
        let inner = found.as_str().trim_matches(['"', '\'']);
        if !inner.starts_with("${") {
            let end = if inner.starts_with(['[', '{', '|', '>']) {
                end_of_block(source, found.start())
            } else {
                found.end()
            };
            // By bytes, so that spans stay right.
            let bytes = source[found.start()..end].bytes();
            let struck: String = bytes.map(|b| if b == b'\n' { '\n' } else { '*' }).collect();
            out.replace_range(found.start()..end, &struck);
        }
    }
    out
}

/// Where a value ends that goes on in the lines below: before the first that is indented no deeper than its own.
fn end_of_block(source: &str, start: usize) -> usize {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let begin = source[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let mut lines = source[begin..].split_inclusive('\n');
    let first = lines.next().unwrap_or("");
    let own = indent(first);
    let below = lines.take_while(|line| line.trim().is_empty() || indent(line) > own);
    let end = begin + first.len() + below.map(str::len).sum::<usize>();
    if source[..end].ends_with('\n') { end - 1 } else { end }
}

#[cfg(test)]
mod tests {
    use super::cover;

    #[test]
    fn a_line_that_is_shown_has_no_secret() {
        for (source, shown) in [
            ("client_secret: abc # c", "client_secret: *** # c"),
            ("a: { username: u, password: 'p, w', x: 1 }", "a: { username: u, password: ******, x: 1 }"),
            ("client_secrt: \"a b\"\nb: c", "client_secrt: *****\nb: c"),
            ("password: ${SF_PASSWORD}", "password: ${SF_PASSWORD}"),
            ("fill: { pw: \"${user.password}\" }", "fill: { pw: \"${user.password}\" }"),
            ("org: https://u:p%40w@acme.example", "org: https://u:*****@acme.example"),
            ("secret_optional: yes", "secret_optional: yes"),
            (
                "env: { SECRET_KEY_BASE: abc, API_KEY: 'x y' }",
                "env: { SECRET_KEY_BASE: ***, API_KEY: ***** }",
            ),
            ("API_TOKEN: ${API_TOKEN}", "API_TOKEN: ${API_TOKEN}"),
            (
                "client_secret: [ sup3r-s3cret ], x: 1 # c\nb: c",
                "client_secret: **************************\nb: c",
            ),
            ("client_secret: { a: sup3r }\nb: c", "client_secret: ************\nb: c"),
            ("  password: |\n    sup3r\n\n    é\n  b: c", "  password: *\n*********\n\n******\n  b: c"),
            ("- password: >-\n    sup3r", "- password: **\n*********"),
            ("client_secret: [\n  sup3r,\n]", "client_secret: *\n********\n]"),
            ("client_secret: &a sup3r", "client_secret: &a *****"),
            ("client_secret: !!str sup3r", "client_secret: !!str *****"),
        ] {
            assert_eq!(cover(source), shown);
        }
    }
}
