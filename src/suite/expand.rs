//! Rows of data: `for_each` turns one scenario into several, `${row.NAME}` into the row's values.

use super::parse::{Kind, Node};
use crate::diagnostic::{Diagnostic, Span, Text, closest};

/// The scenario once for each of its rows, or as it is where it has none.
pub(super) fn rows(text: &Text, scenario: &Node, problems: &mut Vec<Diagnostic>) -> Vec<Node> {
    let listed = match scenario.get("for_each").map(|node| &node.kind) {
        None => {
            left_over(text, scenario, problems);
            return vec![scenario.clone()];
        }
        Some(Kind::List(rows)) if !rows.is_empty() => rows,
        // The shape tells what is wrong with it.
        Some(_) => return vec![scenario.clone()],
    };
    let mut missing = Vec::new();
    let expanded = listed
        .iter()
        .map(|row| {
            let mut node = fill(scenario, row, &mut missing);
            name_by_row(&mut node, scenario, row);
            node
        })
        .collect();
    for lack in &missing {
        problems.push(told(text, lack, listed));
    }
    expanded
}

/// A name that a row does not have.
struct Lack {
    /// Where it is used.
    used: Span,
    /// The row.
    row: Span,
    name: String,
}

fn told(text: &Text, lack: &Lack, rows: &[Node]) -> Diagnostic {
    let name = &lack.name;
    if rows.iter().any(|row| row.get(name).is_some()) {
        let message = format!("this row has no `{name}`, which `${{row.{name}}}` asks for");
        return Diagnostic::at("unknown-name", text, lack.row, message).help("give each row the same names");
    }
    let mut names: Vec<&str> = Vec::new();
    for known in rows.iter().flat_map(Node::entries).filter_map(|(key, _)| key.text()) {
        if !names.contains(&known) {
            names.push(known);
        }
    }
    let help = match closest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `${{row.{near}}}`?"),
        None => format!("the rows have: {}", names.join(", ")),
    };
    let message = format!("no row of `for_each` has `{name}`");
    Diagnostic::at("unknown-name", text, lack.used, message).help(help)
}

/// Tells of `${row.NAME}` where there are no rows.
pub(super) fn left_over(text: &Text, node: &Node, problems: &mut Vec<Diagnostic>) {
    match &node.kind {
        Kind::Scalar { text: source, .. } => {
            if let Some((_, rest)) = source.split_once("${row.") {
                let name = rest.split('}').next().unwrap_or("");
                let message = format!("`${{row.{name}}}` has no value here: there is no `for_each`");
                let help = "rows belong to a scenario: give it `for_each:` with a list of them";
                problems.push(Diagnostic::at("unknown-name", text, node.span, message).help(help));
            }
        }
        Kind::List(items) => items.iter().for_each(|item| left_over(text, item, problems)),
        Kind::Map(entries) => entries.iter().for_each(|(key, value)| {
            left_over(text, key, problems);
            left_over(text, value, problems);
        }),
    }
}

/// A scenario whose name does not tell its rows apart gets the first value of the row behind its name.
fn name_by_row(node: &mut Node, scenario: &Node, row: &Node) {
    let names_row = scenario.get("scenario").and_then(Node::text).is_some_and(|name| name.contains("${row."));
    if names_row {
        return;
    }
    let Some((_, first)) = row.entries().first() else { return };
    let shown = first.text().map_or_else(|| first.json().to_string(), str::to_owned);
    if let Kind::Map(entries) = &mut node.kind {
        for (key, value) in entries {
            if key.text() == Some("scenario")
                && let Kind::Scalar { text, .. } = &mut value.kind
            {
                text.push_str(&format!(": {shown}"));
            }
        }
    }
}

fn fill(node: &Node, row: &Node, missing: &mut Vec<Lack>) -> Node {
    let mut lacks = |name: &str| {
        let lack = Lack { used: node.span, row: row.span, name: name.to_owned() };
        if matches!(row.kind, Kind::Map(_)) {
            missing.push(lack);
        }
    };
    let kind = match &node.kind {
        Kind::Scalar { text, plain } => {
            // A value that is nothing but a name takes the row's value as it is, be it a number or a mapping.
            if let Some(name) = whole_name(text) {
                return match row.get(name) {
                    Some(value) => value.clone(),
                    None => {
                        lacks(name);
                        node.clone()
                    }
                };
            }
            let mut out = String::new();
            let mut rest = text.as_str();
            while let Some((before, tail)) = rest.split_once("${row.") {
                let Some((name, after)) = tail.split_once('}') else { break };
                out.push_str(before);
                match row.get(name) {
                    Some(value) => {
                        out.push_str(&value.text().map_or_else(|| value.json().to_string(), str::to_owned));
                    }
                    None => lacks(name),
                }
                rest = after;
            }
            out.push_str(rest);
            Kind::Scalar { plain: *plain && !text.contains("${row."), text: out }
        }
        Kind::List(items) => Kind::List(items.iter().map(|item| fill(item, row, missing)).collect()),
        Kind::Map(entries) => Kind::Map(
            entries
                .iter()
                .map(|(key, value)| {
                    let value = if key.text() == Some("for_each") {
                        value.clone()
                    } else {
                        fill(value, row, missing)
                    };
                    (fill(key, row, missing), value)
                })
                .collect(),
        ),
    };
    Node { span: node.span, kind }
}

/// The name of a text that is nothing but `${row.NAME}`.
fn whole_name(text: &str) -> Option<&str> {
    text.strip_prefix("${row.")?.strip_suffix('}').filter(|name| !name.contains('}'))
}
