//! The file of waivers for `lint`: rules that a project is let off, each with the reason.

use std::sync::LazyLock;

use super::parse::{self, Node};
use super::shape::{Shape, check, may, must, record};
use crate::diagnostic::{Diagnostic, Span, Text, closest};

/// One waiver.
#[derive(Clone, Debug)]
pub struct LintWaiver {
    /// Id of the rule, or a family that ends in `/`.
    pub rule: String,
    /// Name of the app or credential; none: all of them.
    pub of: Option<String>,
    /// Why.
    pub because: String,
    /// Where it is written.
    pub at: (Text, Span),
}

static WAIVERS: LazyLock<Shape> = LazyLock::new(|| {
    let waiver = record(vec![
        must("rule", Shape::Name, "id of the rule, or a family that ends in `/`"),
        may("of", Shape::Name, "name of the app or credential; without it, all of them"),
        must("because", Shape::Name, "why it is let off"),
    ]);
    record(vec![must("waive", Shape::List(Box::new(waiver), None), "rules that the project is let off")])
});

/// Reads a file of waivers. The rules that there are come in as `known`.
///
/// # Errors
/// Every problem of the text.
pub fn read_waivers(text: &Text, known: &[&str]) -> Result<Vec<LintWaiver>, Vec<Diagnostic>> {
    let node = parse::parse(text)?;
    let mut problems = Vec::new();
    check(text, &node, &WAIVERS, &mut problems);
    let waivers: Vec<LintWaiver> = node
        .get("waive")
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .filter_map(|waiver| {
            let rule = waiver.get("rule")?;
            let id = rule.text()?;
            let there =
                known.iter().any(|known| *known == id || (id.ends_with('/') && known.starts_with(id)));
            if !there {
                let near = closest(id, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
                problems.push(
                    Diagnostic::at("unknown-rule", text, rule.span, format!("there is no rule `{id}`"))
                        .help_opt(near),
                );
            }
            Some(LintWaiver {
                rule: id.to_owned(),
                of: waiver.get("of").and_then(Node::text).map(str::to_owned),
                because: waiver.get("because")?.text()?.to_owned(),
                at: (text.clone(), rule.span),
            })
        })
        .collect();
    if problems.is_empty() { Ok(waivers) } else { Err(problems) }
}

impl LintWaiver {
    /// Whether it names that rule, or its family.
    pub fn is_about(&self, rule: &str) -> bool {
        self.rule == rule || (self.rule.ends_with('/') && rule.starts_with(&self.rule))
    }

    /// Whether it covers a finding of that rule about that app or credential.
    pub fn covers(&self, rule: &str, of: &str) -> bool {
        self.is_about(rule) && self.of.as_ref().is_none_or(|name| name == of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiver_names_a_rule_and_a_reason() {
        let read = |source: &str| read_waivers(&Text::new("w.yaml", source), &["tokens/pkce-is-required"]);
        let waivers = read("waive:\n  - { rule: tokens/, of: Legacy, because: it goes in May }\n").unwrap();
        assert!(
            waivers[0].covers("tokens/pkce-is-required", "Legacy") && !waivers[0].covers("tokens/x", "Main")
        );
        let told =
            read("waive:\n  - { rule: tokens/pkce-is-requird, because: x }\n").unwrap_err()[0].to_string();
        assert!(
            told.contains("did you mean `tokens/pkce-is-required`?") && told.contains("w.yaml:2:"),
            "{told}"
        );
        assert!(read("waive:\n  - { rule: tokens/ }\n").is_err());
    }
}
