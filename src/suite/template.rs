//! Texts with `${...}` in them, filled in when a step is played.

use crate::diagnostic::{Diagnostic, Span, Text, closest};

/// A text with names in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(String),
}

/// A name that has no value at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown(pub String);

impl Template {
    /// Reads a text; `${` without `}` stays as it is.
    pub fn new(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, name, after)) =
            rest.split_once("${").and_then(|(before, tail)| tail.split_once('}').map(|(name, after)| (before, name, after)))
        {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Name(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Self(pieces)
    }

    /// The names in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The text with every name replaced.
    ///
    /// # Errors
    /// The first name without a value.
    pub fn fill(&self, value: &dyn Fn(&str) -> Option<String>) -> Result<String, Unknown> {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => Ok(text.clone()),
                Piece::Name(name) => value(name).ok_or_else(|| Unknown(name.clone())),
            })
            .collect()
    }
}

/// Names that a suite may use anywhere, besides what it captured and its row of data.
pub(super) const NAMES: &[&str] = &[
    "access_token", "refresh_token", "id_token", "code", "code_verifier", "state", "nonce", "issued_state",
    "app.client_id", "app.redirect_uri", "user.username", "identity_url", "instance_url", "issuer", "assertion",
    "endpoints.token", "endpoints.authorize", "now",
];

/// Names of the credentials that a login page is filled with: targets only.
pub(super) const LOGIN_NAMES: &[&str] = &["user.username", "user.password"];

/// Tells of every name in a text that nothing gives a value.
pub(super) fn check_names(text: &Text, span: Span, source: &str, known: &[String], problems: &mut Vec<Diagnostic>) {
    for name in Template::new(source).names() {
        // `other.client_id` and its kin name a role of the target.
        let role = name.split_once('.').is_some_and(|(_, what)| matches!(what, "client_id" | "redirect_uri" | "username"));
        if role || NAMES.contains(&name) || known.iter().any(|k| k == name) {
            continue;
        }
        let all = NAMES.iter().copied().chain(known.iter().map(String::as_str));
        let help = match closest(name, all) {
            Some(near) => format!("did you mean `${{{near}}}`?"),
            None => "a suite takes nothing from the environment or from files; capture the value in an earlier step, or put it into the target".to_owned(),
        };
        problems.push(Diagnostic::at("unknown-name", text, span, format!("nothing gives `${{{name}}}` a value")).help(help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_and_missing_ones_told() {
        let value = |name: &str| (name == "a").then(|| "1".to_owned());
        assert_eq!(Template::new("x${a}y").fill(&value), Ok("x1y".into()));
        assert_eq!(Template::new("${b}").fill(&value), Err(Unknown("b".into())));
        assert_eq!(Template::new("open ${").fill(&value), Ok("open ${".into()));
    }
}
