//! Rows of data: `for_each` turns one scenario into several, `${row.NAME}` into the row's values.

use super::parse::{Kind, Node};
use crate::diagnostic::{Diagnostic, Text, closest};

/// The scenario once for each of its rows, or as it is where it has none.
pub(super) fn rows(text: &Text, scenario: &Node, problems: &mut Vec<Diagnostic>) -> Vec<Node> {
    let Some(list) = scenario.get("for_each") else { return vec![scenario.clone()] };
    let Kind::List(rows) = &list.kind else { return vec![scenario.clone()] };
    if rows.is_empty() {
        problems.push(
            Diagnostic::at(
                "empty",
                text,
                list.span,
                "`for_each` has no rows, so the scenario would not be played",
            )
            .help("add a row, or leave `for_each` out"),
        );
    }
    rows.iter()
        .map(|row| {
            let mut missing = Vec::new();
            let mut node = fill(scenario, row, &mut missing);
            for (span, name) in missing {
                let names = row.entries().iter().filter_map(|(key, _)| key.text());
                let help = match closest(&name, names.clone()) {
                    Some(near) => format!("did you mean `${{row.{near}}}`?"),
                    None => format!("the row has: {}", names.collect::<Vec<_>>().join(", ")),
                };
                let message = format!("this row of `for_each` has no `{name}`");
                let new = Diagnostic::at("unknown-name", text, span, message).help(help);
                if !problems.contains(&new) {
                    problems.push(new);
                }
            }
            name_by_row(&mut node, scenario, row);
            node
        })
        .collect()
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

fn fill(node: &Node, row: &Node, missing: &mut Vec<(crate::diagnostic::Span, String)>) -> Node {
    let kind = match &node.kind {
        Kind::Scalar { text, plain } => {
            // A value that is nothing but a name takes the row's value as it is, be it a number or a mapping.
            if let Some(name) = text
                .strip_prefix("${row.")
                .and_then(|rest| rest.strip_suffix('}'))
                .filter(|name| !name.contains('}'))
            {
                return match row.get(name) {
                    Some(value) => Node { span: node.span, kind: value.kind.clone() },
                    None => {
                        missing.push((node.span, name.to_owned()));
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
                        out.push_str(&value.text().map_or_else(|| value.json().to_string(), str::to_owned))
                    }
                    None => missing.push((node.span, name.to_owned())),
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
