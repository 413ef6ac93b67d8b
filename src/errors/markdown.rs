//! Entries in words: for a terminal, and as a page.

use std::fmt::Write as _;

use super::{Cause, Entry, How, Match, Place, all};
use crate::subject::Flow;

/// All that is known of an entry, for a terminal; with a flow, only the causes that can be of it.
pub fn full(found: &Match, flow: Option<Flow>) -> String {
    let Match { entry, how, place } = found;
    let mut out = String::new();
    let _ = writeln!(out, "{}  {}", entry.id, place.words());
    let _ = writeln!(out, "{}", said(entry));
    if *how != How::Exact {
        let _ = writeln!(out, "({})", how.words());
    }
    let _ = writeln!(out, "\n{}\n", wrapped(entry.means, ""));
    let shown: Vec<&Cause> = causes(entry, flow).collect();
    if let Some(flow) = flow.filter(|flow| !entry.causes.iter().any(|cause| is_in(cause, *flow))) {
        let _ = writeln!(out, "(no cause of it is known in the flow {}: these are of others)\n", flow.name());
    }
    for (number, cause) in shown.iter().enumerate() {
        let _ = writeln!(out, "{}. {}", number + 1, wrapped(&format!("{}{}", flows(cause), cause.is), "   "));
        let before = shown[..number].iter().position(|other| std::ptr::eq(other.cure, cause.cure));
        if let Some(before) = before {
            let _ = writeln!(out, "   told by  {}", wrapped(cause.tells, "            "));
            let _ = writeln!(out, "   cure     as of {}", before + 1);
            continue;
        }
        for (what, text) in parts(cause) {
            let _ = writeln!(out, "   {what:<9}{}", wrapped(text, "            "));
        }
    }
    let _ = writeln!(out, "\nlook at     {}", wrapped(entry.look, "            "));
    let _ = writeln!(out, "source      {} ({})", entry.source, entry.basis.word());
    out
}

/// The page of all entries.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Errors\n\nGenerated from the table of errors; `UPDATE=1 cargo test` rewrites it. `grantcheck explain TEXT` finds an entry by the \
         error as you have it: a JSON body, a URL, `error: description`, a status of the Login History, a line of a log. Causes stand in the \
         order of how likely they are. \"The app\" is a connected app or an external client app.\n\n",
    );
    let mut place: Option<Place> = None;
    let mut entries: Vec<&Entry> = all().collect();
    entries.sort_by_key(|entry| entry.place);
    for entry in entries {
        if place != Some(entry.place) {
            place = Some(entry.place);
            let _ = writeln!(out, "## Met {}\n", entry.place.words());
        }
        let _ = writeln!(out, "### {}\n\n{}\n\n{}\n", entry.id, code(&said(entry)), entry.means);
        for (number, cause) in entry.causes.iter().enumerate() {
            let _ = writeln!(out, "{}. {}{}", number + 1, flows(cause), cause.is);
            let before = entry.causes[..number].iter().position(|other| std::ptr::eq(other.cure, cause.cure));
            if let Some(before) = before {
                let _ = writeln!(out, "   - *told by*: {}\n   - *cure*: as of {}", cause.tells, before + 1);
                continue;
            }
            for (what, text) in parts(cause) {
                let _ = writeln!(out, "   - *{what}*: {text}");
            }
        }
        let _ = writeln!(
            out,
            "\nLook at: {}\n\nSource: {} ({}).\n",
            entry.look,
            entry.source,
            entry.basis.word()
        );
    }
    out
}

/// Whether it may be the cause in that flow.
fn is_in(cause: &Cause, flow: Flow) -> bool {
    cause.flows.is_empty() || cause.flows.contains(&flow)
}

fn causes(entry: &Entry, flow: Option<Flow>) -> impl Iterator<Item = &'static Cause> {
    let of = move |cause: &&Cause| flow.is_none_or(|flow| is_in(cause, flow));
    // A flow that no cause is of leaves them all.
    let any = entry.causes.iter().any(|cause| of(&cause));
    entry.causes.iter().filter(move |cause| !any || of(cause))
}

fn parts(cause: &Cause) -> impl Iterator<Item = (&'static str, &'static str)> {
    let cure = cause.cure;
    let parts = [
        ("told by", cause.tells),
        ("client", cure.client),
        ("Setup", cure.setup),
        ("metadata", cure.metadata),
        ("takes", cure.takes.words()),
    ];
    parts.into_iter().filter(|(_, text)| !text.is_empty())
}

fn flows(cause: &Cause) -> String {
    if cause.flows.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = cause.flows.iter().map(|flow| flow.name()).collect();
    format!("{}: ", names.join(", "))
}

/// Codes and texts as they are met.
fn said(entry: &Entry) -> String {
    let texts: Vec<String> =
        entry.texts.iter().filter(|text| !text.is_empty()).map(|text| text.replace('*', "…")).collect();
    let parts = [entry.codes.join(", "), texts.join(" | ")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}

fn code(text: &str) -> String {
    format!("```text\n{text}\n```")
}

/// Broken at 100 columns, further lines behind an indent.
fn wrapped(text: &str, indent: &str) -> String {
    let mut out = String::new();
    let mut column = indent.len();
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if !out.is_empty() && column + 1 + length > 100 {
            out.push('\n');
            out.push_str(indent);
            column = indent.len();
        } else if !out.is_empty() {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}
