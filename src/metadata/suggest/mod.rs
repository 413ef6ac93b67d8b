//! The target file and the suite that fit an app: each flow that must work, each that must not, each callback, and the
//! boundaries of its policies. Text of files that people read and change; secrets stand in it by the names of variables.

mod suite;
mod target;

pub use target::target;

use suite::suite;

use super::masking;
use super::registration::{Registration, free, plain};
use super::rules::callbacks::of_an_answer;
use super::rules::filled_in;
use crate::oauth::comes_back;
use crate::oauth::salesforce::NEED_A_USER;
use crate::subject::Flow;

/// An app in the files that are written for it.
pub struct Named<'r> {
    /// Its role in the target.
    pub role: String,
    /// What its metadata says.
    pub app: &'r Registration,
}

impl Named<'_> {
    /// The name of its suite's file, without the ending: its own, or its role where that is another's or the target's.
    fn file(&self, taken: &[String]) -> String {
        let own = plain(&self.app.name);
        let free = |name: &str| {
            let same = |other: &String| other.eq_ignore_ascii_case(name);
            !name.is_empty() && !name.eq_ignore_ascii_case("target") && !taken.iter().any(same)
        };
        match (free(&own), free(&self.role)) {
            (true, _) => own,
            (false, true) => self.role.clone(),
            (false, false) => format!("{}-{}", self.role, taken.len() + 1),
        }
    }
}

/// What is left out of the files of an app, and why, one line each. A URL stands there without what it gives away.
pub fn left_out(apps: &[Named<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    for one in apps {
        for uri in &one.app.app.redirect_uris {
            if let Some(why) = unusable(uri) {
                lines.push(format!("the callback {} of {}: {why}", masking::urls(uri), one.app.name));
            }
        }
        if suite(one).1 == 0 {
            let why = "nothing can be played: no flow of it works, or none has what it needs (a callback, a certificate, a user to run as)";
            lines.push(format!("the suite of {}: {why}", one.app.name));
        }
    }
    lines
}

/// Why a callback cannot be written down for a play, where it cannot.
fn unusable(uri: &str) -> Option<&'static str> {
    match url::Url::parse(uri) {
        _ if filled_in(uri) => Some("a build fills it in"),
        Err(_) => Some("it is no URL"),
        Ok(url) if url.fragment().is_some() => Some("it has a fragment"),
        Ok(_) if of_an_answer(uri).is_some() => Some("its query has a parameter that answers have"),
        Ok(_) if masking::url_gives_away(uri) => Some("a secret stands in it"),
        Ok(_) => None,
    }
}

/// The suite of each app that has any scenario, under the name of its file and with the number of its scenarios.
pub fn suites(apps: &[Named<'_>]) -> Vec<(String, String, usize)> {
    let mut taken: Vec<String> = Vec::new();
    let mut found = Vec::new();
    for one in apps {
        let name = one.file(&taken);
        let (text, count) = suite(one);
        if count > 0 {
            taken.push(name.clone());
            found.push((format!("{name}.yaml"), text, count));
        }
    }
    found
}

/// Role and name of each user whom client credentials run as: `integration` first, another by the role of its app.
fn run_as<'r>(apps: &[Named<'r>]) -> Vec<(String, &'r str)> {
    let mut users: Vec<(String, &str)> = Vec::new();
    for named in apps {
        let Some(username) = named.app.run_as.as_deref() else { continue };
        if !users.iter().any(|(_, known)| known.eq_ignore_ascii_case(username)) {
            let role = match users.is_empty() {
                true => "integration".to_owned(),
                false => format!("integration-{}", named.role),
            };
            users.push((role, username));
        }
    }
    users
}

/// The apps under the roles that `run --app` gives them: the first is `main`.
pub fn named(apps: &[Registration]) -> Vec<Named<'_>> {
    let mut taken: Vec<String> = Vec::new();
    let mut found = Vec::new();
    for (number, app) in apps.iter().enumerate() {
        let role = match number {
            0 => "main".to_owned(),
            _ => free(&app.name, &taken),
        };
        taken.push(role.clone());
        found.push(Named { role, app });
    }
    found
}

/// A text in YAML, in quotes where it needs them.
fn text(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | '+');
    let word = value.chars().all(plain) && value.starts_with(|c: char| c.is_ascii_alphabetic());
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "absent", "present"];
    let url = |value: &str| {
        value.starts_with("https://") && value[8..].chars().all(|c| plain(c) || matches!(c, '?' | '=' | ':'))
    };
    if (word && !reserved.contains(&value)) || url(value) {
        value.to_owned()
    } else {
        serde_json::Value::from(value).to_string()
    }
}

/// A list in YAML on one line.
fn list<'v>(values: impl IntoIterator<Item = &'v str>) -> String {
    let values: Vec<String> =
        values
            .into_iter()
            .map(|value| {
                if value.contains(['?', ',', '[', ']', '{', '}', ':']) { quoted(value) } else { text(value) }
            })
            .collect();
    format!("[{}]", values.join(", "))
}

fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// A span of time as files write it, in the largest unit that fits.
fn time(millis: i64) -> String {
    for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if millis % length == 0 {
            return format!("{}{unit}", millis / length);
        }
    }
    format!("{millis}ms")
}

impl Named<'_> {
    /// Callbacks that can be written down, each once: no placeholder of a build, no fragment, no secret, nothing that is no
    /// URL.
    fn callbacks(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for uri in self.app.app.redirect_uris.iter().filter(|uri| unusable(uri).is_none()) {
            if !all.contains(&uri.as_str()) {
                all.push(uri);
            }
        }
        // With `login: browser` the first must come back to the machine of the person.
        all.sort_by_key(|uri| !comes_back(uri));
        all
    }

    fn lists(&self, flow: Flow) -> bool {
        self.app.app.flows.contains(&flow)
    }

    /// Whether a user who approves what they are asked to approve may use it.
    fn admits(&self) -> bool {
        let policy = &self.app.app.policy;
        !policy.disabled && (!policy.admin_approved || self.app.given)
    }

    fn logs_in(&self) -> bool {
        self.lists(Flow::WebServer) && self.admits() && !self.callbacks().is_empty()
    }

    /// Whether a signed assertion is granted: for users of an admin, or for those whose approval was kept with a refresh token.
    fn signs(&self) -> bool {
        let kept = self.app.app.policy.admin_approved || self.lists(Flow::RefreshToken);
        self.lists(Flow::JwtBearer) && self.admits() && kept
    }

    /// Whether the app gets a token of its own: client credentials, a user to run as, and a scope that needs no user.
    fn runs_alone(&self) -> bool {
        let concrete = self.app.app.scopes.iter().any(|scope| !NEED_A_USER.contains(&scope.as_str()));
        self.lists(Flow::ClientCredentials)
            && self.app.run_as.is_some()
            && concrete
            && !self.app.app.policy.disabled
    }

    /// Whether REST can be called.
    fn calls(&self) -> bool {
        self.has("api") || self.has("full")
    }

    fn has(&self, scope: &str) -> bool {
        self.app.app.scopes.iter().any(|own| own == scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_yaml_would_misread_stand_in_quotes() {
        for (value, written) in [
            ("api", "api"),
            ("https://a.example/cb", "https://a.example/cb"),
            ("true", "\"true\""),
            ("a: b", "\"a: b\""),
            ("12", "\"12\""),
            ("", "\"\""),
            ("say \"x\"", "\"say \\\"x\\\"\""),
        ] {
            assert_eq!(text(value), written);
        }
        assert_eq!(list(["api", "https://a.example/?x=1"]), "[api, \"https://a.example/?x=1\"]");
    }

    #[test]
    fn spans_have_the_largest_unit() {
        assert_eq!([time(86_400_000), time(5_400_000), time(1)], ["1d", "90m", "1ms"]);
    }
}
