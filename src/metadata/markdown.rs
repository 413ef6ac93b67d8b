//! The page of all rules.

use std::fmt::Write as _;

use super::rules::rules;

/// `docs/lint-rules.md`.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Lint rules\n\nGenerated from the table of rules; `UPDATE=1 cargo test` rewrites it. `grantcheck lint PATH...` applies them to \
         metadata. A MUST fails the run, a SHOULD warns, a NOTE informs; `--profile partner-2026` adds Salesforce's controls of 2026 for partner \
         apps and makes what they ask for a MUST. A file that trips a rule and one that does not stand under `suites/apps/rules/`.\n\n",
    );
    let mut family = "";
    for rule in rules() {
        let (name, _) = rule.id.split_once('/').unwrap_or((rule.id, ""));
        if name != family {
            family = name;
            let _ = writeln!(out, "## {family}\n");
        }
        let level = match (rule.level, rule.partner) {
            (Some(level), Some(partner)) => {
                format!("{}, {} under partner-2026", level.word(), partner.word())
            }
            (Some(level), None) => level.word().to_owned(),
            (None, partner) => {
                format!("{} under partner-2026 only", partner.map_or("", |level| level.word()))
            }
        };
        let _ =
            writeln!(out, "### {}\n\n{level} · {} · {}\n", rule.id, rule.basis.word(), rule.cites.join("; "));
        let mut title = rule.title.chars();
        let title: String =
            title.next().map_or(String::new(), |first| first.to_uppercase().chain(title).collect());
        let _ = writeln!(out, "*{title}.* {}\n", rule.explain);
        if !rule.setup.is_empty() {
            let _ = writeln!(out, "- Setup: {}", rule.setup);
        }
        let _ = writeln!(out, "- XML: {}\n", rule.xml);
    }
    out
}
