//! The words of the language as tables, for the documentation: out of the same tables that check files.

use std::fmt::Write as _;

use super::shape::{Key, Shape};
use super::target::shape as target;
use super::{edits, load, names, program, steps, stubs, words};
use crate::client::Place;
use crate::oauth::Endpoint;
use crate::oauth::salesforce::OUTCOMES;
use crate::subject::{Kind, SETTINGS};

/// All tables.
pub(super) fn markdown() -> String {
    let mut out = String::new();
    let word = |name: &str| format!("`{name}`");
    let list = |names: &mut dyn Iterator<Item = &'static str>| -> String {
        names.map(word).collect::<Vec<_>>().join(" ")
    };

    table(&mut out, "Keys of a suite", "key", &keys(&words::FRAME));
    table(&mut out, "Keys of a scenario", "key", &keys(&words::SCENARIO));

    out.push_str("### Steps\n\n| `do:` | does | keys of its own |\n|---|---|---|\n");
    for (step, _, doc, own) in steps::kinds() {
        let own = list(&mut own.iter().map(|key| key.name));
        let _ = writeln!(out, "| `{step}` | {doc} | {own} |");
    }
    table(&mut out, "Keys of every step", "key", &steps::common("redeem", Some(Endpoint::Token)));
    let mut own: Vec<Key> = Vec::new();
    for key in steps::kinds().into_iter().flat_map(|(.., keys)| keys) {
        if !own.iter().any(|known| known.name == key.name) {
            own.push(key);
        }
    }
    table(&mut out, "Keys of some steps", "key", &own);

    out.push_str("\n### Names that a tweak knows\n\n| `do:` | parameters | claims | SAML | JOSE header | headers |\n|---|---|---|---|---|---|\n");
    for (step, endpoint, ..) in steps::kinds() {
        if endpoint.is_none() {
            continue;
        }
        let names = edits::names(step);
        let of = |place: Place| list(&mut names.iter().filter(|(_, p)| *p == place).map(|(n, _)| *n));
        let (params, claims) = (of(Place::Param), of(Place::Claim));
        let (saml, jose, headers) = (of(Place::Saml), of(Place::Jose), of(Place::Header));
        let _ = writeln!(out, "| `{step}` | {params} | {claims} | {saml} | {jose} | {headers} |");
    }
    out.push_str(
        "\n### Tweaks of a whole request\n\n| in `with:` | values | means | steps |\n|---|---|---|---|\n",
    );
    let mut told: Vec<(&str, &[&str])> = Vec::new();
    for choice in steps::kinds().iter().flat_map(|(step, ..)| edits::options(step)) {
        if told.contains(&(choice.name, choice.words)) {
            continue;
        }
        told.push((choice.name, choice.words));
        let has = |step: &str| {
            edits::options(step).iter().any(|c| c.name == choice.name && c.words == choice.words)
        };
        let kinds = steps::kinds();
        let owners = list(&mut kinds.iter().map(|(step, ..)| *step).filter(|s| has(s) && *s != "advance"));
        let values = if choice.words.is_empty() {
            "role of an app, `fresh`".to_owned()
        } else {
            list(&mut choice.words.iter().copied())
        };
        let _ = writeln!(out, "| `{}` | {values} | {} | {owners} |", choice.name, choice.doc);
    }
    out.push_str("\n### Names in `${...}`\n\n| name | has a value |\n|---|---|\n");
    for (name, when) in names::all() {
        let _ = writeln!(out, "| `{name}` | {when} |");
    }
    let _ = writeln!(
        out,
        "| `ROLE.client_id` `ROLE.redirect_uri` `ROLE.username` | where the target has the role |"
    );

    table(&mut out, "Expectations", "key", &words::expectations());
    out.push_str("\nA value is a literal, a list (one of them), `absent`, `present`, or one of:\n\n");
    rows(&mut out, "operator", &words::operators());

    out.push_str("\n### Outcomes\n\n| `refused:` | at | means |\n|---|---|---|\n");
    for outcome in OUTCOMES {
        let endpoint = format!("{:?}", outcome.endpoint).to_lowercase();
        let _ = writeln!(out, "| `{}` | {endpoint} | {} |", outcome.name, outcome.doc);
    }
    out.push_str("\n### Settings\n\n| setting | values | means |\n|---|---|---|\n");
    for row in SETTINGS {
        let values = match row.kind {
            Kind::Flag => "`true` `false`".to_owned(),
            Kind::Duration => "a duration".to_owned(),
            Kind::Words(words) => list(&mut words.iter().copied()),
        };
        let _ = writeln!(out, "| `{}` | {values} | {} |", row.name, row.doc);
    }
    out.push_str("\n### Capabilities\n\n| `needs:` | means |\n|---|---|\n");
    for (name, doc) in words::CAPABILITIES {
        let _ = writeln!(out, "| `{name}` | {doc} |");
    }
    table(&mut out, "Keys of `stubs:`", "key", &keys(&stubs::stubs()));
    table(&mut out, "Keys of a stub", "key", &keys(&stubs::stub()));
    table(&mut out, "Keys of `respond:` in a stub", "key", &keys(&stubs::respond()));
    table(&mut out, "Keys of `load:`", "key", &keys(&load::load()));
    table(&mut out, "Keys of a target", "key", &target::target());
    table(&mut out, "Keys of `endpoints:` in a target", "key", &target::endpoints());
    table(&mut out, "Keys of an app in a target", "key", &target::app());
    table(&mut out, "Keys of `policy:` in a target", "key", &target::policy());
    table(&mut out, "Keys of a user in a target", "key", &target::user());
    table(&mut out, "Keys of a page in a target", "key", &target::page());
    table(&mut out, "Keys of `login:` as a refresh token", "key", &target::grant());
    table(&mut out, "Keys of a program", "key", &keys(&program::PROGRAM));
    out
}

fn keys(shape: &Shape) -> Vec<Key> {
    match shape {
        Shape::Record(record) => record.keys.clone(),
        Shape::Named(_, shape) => keys(shape),
        Shape::Item(shape) => keys(shape),
        _ => Vec::new(),
    }
}

fn table(out: &mut String, title: &str, head: &str, keys: &[Key]) {
    if !out.is_empty() {
        out.push('\n');
    }
    let _ = writeln!(out, "### {title}\n");
    rows(out, head, keys);
}

fn rows(out: &mut String, head: &str, keys: &[Key]) {
    let _ = writeln!(out, "| {head} | means |\n|---|---|");
    for key in keys {
        let must = if key.required { " (must be there)" } else { "" };
        let _ = writeln!(out, "| `{}` | {}{must} |", key.name, key.doc);
    }
}
