//! Names that may stand in `${...}`, and those that may not.

use crate::client::Template;
use crate::diagnostic::{Diagnostic, Span, Text, closest};

/// Names that a suite may use anywhere, besides what it captured and its row of data.
pub(super) const NAMES: &[&str] = &[
    "access_token",
    "refresh_token",
    "id_token",
    "code",
    "code_verifier",
    "state",
    "nonce",
    "issued_state",
    "app.client_id",
    "app.redirect_uri",
    "user.username",
    "identity_url",
    "instance_url",
    "issuer",
    "assertion",
    "app.redirect_scheme",
    "app.redirect_host",
    "app.redirect_path",
    "app.query_redirect_uri",
    "code_challenge",
    "endpoints.token",
    "endpoints.authorize",
    "now",
];

/// Names of the credentials that a login page is filled with: targets only.
pub(super) const LOGIN_NAMES: &[&str] = &["user.username", "user.password"];

/// Tells of every name in a text that nothing gives a value.
pub(super) fn check_names(
    text: &Text,
    span: Span,
    source: &str,
    known: &[String],
    problems: &mut Vec<Diagnostic>,
) {
    for name in Template::new(source).names() {
        // `other.client_id` and its kin name a role of the target.
        let role = name
            .split_once('.')
            .is_some_and(|(_, what)| matches!(what, "client_id" | "redirect_uri" | "username"));
        if role || NAMES.contains(&name) || known.iter().any(|k| k == name) {
            continue;
        }
        let all = NAMES.iter().copied().chain(known.iter().map(String::as_str));
        let help = match closest(name, all) {
            Some(near) => format!("did you mean `${{{near}}}`?"),
            None => "a suite takes nothing from the environment or from files; capture the value in an earlier step, or put it into the target".to_owned(),
        };
        problems.push(
            Diagnostic::at("unknown-name", text, span, format!("nothing gives `${{{name}}}` a value"))
                .help(help),
        );
    }
}
