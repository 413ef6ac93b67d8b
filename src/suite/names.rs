//! Names that may stand in `${...}`, and when they have a value.

use std::collections::BTreeSet;

use super::parse::{Kind, Node};
use crate::client::{Action, Template};
use crate::diagnostic::{Diagnostic, Span, Text, closest};

/// Names that always have a value.
const GIVEN: &[&str] = &[
    "app.client_id",
    "app.redirect_uri",
    "app.redirect_scheme",
    "app.redirect_host",
    "app.redirect_path",
    "app.query_redirect_uri",
    "user.username",
    "issuer",
    "endpoints.token",
    "endpoints.authorize",
    "now",
];
/// Names that an authorization gives a value.
const OF_AUTHORIZE: &[&str] = &["code", "code_verifier", "code_challenge", "state", "nonce"];
/// Names that a token request gives a value.
const OF_TOKEN: &[&str] = &["access_token", "refresh_token", "id_token", "identity_url", "instance_url"];
/// Names that a grant with an assertion gives a value.
const OF_ASSERTION: &[&str] = &["assertion"];

/// Names of the credentials that a login page is filled with: targets only.
pub(super) const LOGIN_NAMES: &[&str] = &["user.username", "user.password"];

/// Every name that grantcheck gives a value itself, with the steps that do.
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    let with = |names: &'static [&'static str], by: &'static str| names.iter().map(move |name| (*name, by));
    with(GIVEN, "always there")
        .chain(with(OF_AUTHORIZE, "after `do: authorize`"))
        .chain(with(OF_TOKEN, "after a token request"))
        .chain(with(OF_ASSERTION, "after `do: jwt-bearer` or `do: saml-bearer`"))
}

/// Whether a name stands for something that the client goes on to keep no longer than until the next of its kind.
pub(super) fn of_the_client(name: &str) -> bool {
    [OF_AUTHORIZE, OF_TOKEN, OF_ASSERTION].iter().any(|names| names.contains(&name))
        && name != "code_challenge"
}

/// The cure where what a step sends is brought by one that goes out with it.
pub(super) const NOT_TOGETHER: &str = "leave `together` out, or have another step before both bring it";

/// The names that have a value at one point of a scenario.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    brought: Vec<&'static str>,
    captured: Vec<String>,
    /// Whether a step before could not be read, so that anything may have a value.
    unsure: bool,
    /// What any step of the scenario captures, be it later.
    pub(super) ever: Vec<String>,
    /// How much of what was brought, and captured, was there before the steps that go out together.
    began: (usize, usize),
    /// Whether it is asked for what is sent together with others, which cannot have what they bring.
    beside: bool,
}

impl Known {
    /// Takes in what a step brings.
    pub(super) fn bring(&mut self, action: &Action) {
        let names: &[&[&'static str]] = match action {
            Action::Authorize(_) => &[OF_AUTHORIZE],
            Action::JwtBearer | Action::SamlBearer => &[OF_TOKEN, OF_ASSERTION],
            Action::CallOut(out) if out.credential.protocol.signs_grants() => &[OF_TOKEN, OF_ASSERTION],
            Action::Redeem | Action::ClientCredentials | Action::Refresh | Action::CallOut(_) => &[OF_TOKEN],
            _ => &[],
        };
        self.brought.extend(names.iter().copied().flatten());
    }

    /// Takes in what a step keeps.
    pub(super) fn capture(&mut self, name: &str) {
        self.captured.push(name.to_owned());
    }

    /// Takes in a step that could not be read.
    pub(super) fn unsure(&mut self) {
        self.unsure = true;
    }

    /// Takes in that a step begins with which others may go out together.
    pub(super) fn begin(&mut self) {
        self.began = (self.brought.len(), self.captured.len());
    }

    /// Says whether it is asked, from here on, for what is sent together with the steps since it began.
    pub(super) fn beside(&mut self, beside: bool) {
        self.beside = beside;
    }

    /// Whether a name has a value that only what is sent together brings.
    pub(super) fn comes_beside(&self, name: &str) -> bool {
        self.beside && !self.has(name) && Self { beside: false, ..self.clone() }.has(name)
    }

    /// Whether a name has a value.
    pub(super) fn has(&self, name: &str) -> bool {
        let now = (self.brought.len(), self.captured.len());
        let (brought, captured) = if self.beside { self.began } else { now };
        // `other.client_id` and its kin name a role of the target.
        let role = name
            .split_once('.')
            .is_some_and(|(_, what)| matches!(what, "client_id" | "redirect_uri" | "username"));
        let brought =
            self.brought[..brought].contains(&name) || (self.unsure && all().any(|(known, _)| known == name));
        role || GIVEN.contains(&name) || brought || self.captured[..captured].iter().any(|k| k == name)
    }

    /// What is wrong with a name, and the cure; none where it has a value.
    fn problem(&self, name: &str) -> Option<(&'static str, String, String)> {
        if self.has(name) {
            return None;
        }
        let early = |help: &str| {
            let message = format!("nothing before this step brings `${{{name}}}`");
            Some(("no-value", message, help.to_owned()))
        };
        if self.comes_beside(name) {
            let message = format!("`${{{name}}}` is brought by a step that goes out together with this one");
            return Some(("no-value", message, NOT_TOGETHER.to_owned()));
        }
        if let Some((_, after)) = all().find(|(known, _)| *known == name) {
            return early(&format!("it has a value {after}"));
        }
        if self.ever.iter().any(|known| known == name) {
            return early("it is captured in a later step");
        }
        let known = all().map(|(name, _)| name).chain(self.ever.iter().map(String::as_str));
        let help = match closest(name, known) {
            Some(near) => format!("did you mean `${{{near}}}`?"),
            None => "a suite takes nothing from the environment or from files: capture the value in an earlier step, or put it into the target".to_owned(),
        };
        Some(("unknown-name", format!("nothing gives `${{{name}}}` a value"), help))
    }
}

/// Tells of every name in a text that nothing gives a value.
pub(super) fn check_names(
    text: &Text,
    span: Span,
    source: &str,
    known: &Known,
    problems: &mut Vec<Diagnostic>,
) {
    for name in Template::new(source).names().filter(|name| !name.starts_with("row.")) {
        if let Some((code, message, help)) = known.problem(name) {
            problems.push(Diagnostic::at(code, text, span, message).help(help));
        }
    }
    unclosed(text, span, source, problems);
}

/// Tells of a `${` that no `}` closes: it would be sent as it stands.
pub(super) fn unclosed(text: &Text, span: Span, source: &str, problems: &mut Vec<Diagnostic>) {
    if source.rsplit_once("${").is_some_and(|(_, rest)| !rest.contains('}')) {
        problems
            .push(Diagnostic::at("bad-name", text, span, "this `${` is not closed").help("write `${name}`"));
    }
}

/// Tells of names where nothing fills them in: they would be sent or compared as they stand.
pub(super) fn literal(text: &Text, node: &Node, filled: &BTreeSet<usize>, problems: &mut Vec<Diagnostic>) {
    match &node.kind {
        Kind::Scalar { text: source, .. } => {
            let names = Template::new(source).names().any(|name| !name.starts_with("row."));
            if names && !filled.contains(&node.span.start) {
                let message = "names are not filled in here";
                let help = "write the value itself; `with:`, `token`, `state`, `path` and values in `expect` take names";
                problems.push(Diagnostic::at("misplaced", text, node.span, message).help(help));
            }
        }
        Kind::List(items) => items.iter().for_each(|item| literal(text, item, filled, problems)),
        Kind::Map(entries) => {
            for (key, value) in entries {
                // Rows are looked at where they are used; what is wrong already says enough.
                let told = |span| problems.iter().any(|p| p.at.as_ref().is_some_and(|(_, s)| *s == span));
                if key.text() != Some("for_each") && !told(key.span) && !told(value.span) {
                    literal(text, value, filled, problems);
                }
            }
        }
    }
}
