//! What is known of a server's behaviour, by name. A target states it; a suite asks for it, and the
//! embedded org is set up so.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One value of a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    /// On or off.
    Flag(bool),
    /// A span of time, in milliseconds.
    Millis(i64),
    /// One of the words that the table names.
    Word(String),
}

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A duration such as `15m`.
    Duration,
    /// One of these words.
    Words(&'static [&'static str]),
}

/// A row of the table of settings.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name in suites and targets.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// What it means.
    pub doc: &'static str,
}

/// Every setting.
pub const TABLE: &[Row] = &[
    Row { name: "access_token_ttl", kind: Kind::Duration, doc: "how long an access token lives without use" },
    Row {
        name: "admin_approved",
        kind: Kind::Flag,
        doc: "only users whom an admin pre-authorized may use the app",
    },
    Row {
        name: "clock",
        kind: Kind::Flag,
        doc: "time can be made to pass (`do: advance`); the embedded org alone can",
    },
    Row { name: "code_ttl", kind: Kind::Duration, doc: "how long an authorization code lives" },
    Row {
        name: "exp_limit",
        kind: Kind::Words(&["none", "3m", "5m"]),
        doc: "how far ahead `exp` of a JWT assertion may lie (contradictory sources; observed: none)",
    },
    Row {
        name: "nbf",
        kind: Kind::Words(&["ignored", "enforced"]),
        doc: "what becomes of `nbf` of a JWT assertion; enforced under profile rfc where nothing is said",
    },
    Row { name: "introspect_all", kind: Kind::Flag, doc: "an app may introspect tokens of other apps" },
    Row {
        name: "client_jwts",
        kind: Kind::Flag,
        doc: "the API takes a JWT that the client signed with its registered key for an access token",
    },
    Row { name: "jwt_access_tokens", kind: Kind::Flag, doc: "access tokens are JWTs" },
    Row {
        name: "leeway",
        kind: Kind::Duration,
        doc: "how much clock skew the server forgives in assertions",
    },
    Row {
        name: "login_rate",
        kind: Kind::Words(&["3600", "off"]),
        doc: "logins of a user within an hour that the embedded org allows",
    },
    Row {
        name: "pace",
        kind: Kind::Duration,
        doc: "pause before each token request, for servers that limit their rate",
    },
    Row {
        name: "pkce_required",
        kind: Kind::Flag,
        doc: "an authorization request must carry a PKCE challenge",
    },
    Row {
        name: "refresh_policy",
        kind: Kind::Words(&["infinite", "zero", "lifetime", "inactivity"]),
        doc: "what becomes of a refresh token with time",
    },
    Row {
        name: "refresh_token_ttl",
        kind: Kind::Duration,
        doc: "how long a refresh token lives under its policy",
    },
    Row {
        name: "response_iss",
        kind: Kind::Flag,
        doc: "authorization responses name the issuer, and the metadata says so (RFC 9207)",
    },
    Row {
        name: "rotation",
        kind: Kind::Flag,
        doc: "each refresh answers with a new refresh token and kills the old one",
    },
    Row {
        name: "rotation_grace",
        kind: Kind::Duration,
        doc: "how long a refresh token is still taken after another one came in its place; none where nothing is said",
    },
    Row {
        name: "signed_userinfo",
        kind: Kind::Flag,
        doc: "userinfo answers with a signed JWT, as clients may register for it (OpenID Connect Core §5.3.2)",
    },
    Row { name: "secret_for_refresh", kind: Kind::Flag, doc: "a refresh needs client authentication" },
    Row { name: "secret_optional", kind: Kind::Flag, doc: "the redemption of a code needs no client secret" },
    Row {
        name: "audience_error",
        kind: Kind::Words(&["audience is invalid", "Audience validation failed"]),
        doc: "wording for a wrong audience (contradictory sources)",
    },
    Row {
        name: "deny_error",
        kind: Kind::Words(&["access_denied", "access-denied"]),
        doc: "spelling of the error when the user says no (contradictory sources)",
    },
    Row {
        name: "pkce_error",
        kind: Kind::Words(&["invalid_grant", "invalid_request"]),
        doc: "error code for a wrong PKCE verifier (contradictory sources)",
    },
    Row {
        name: "challenge_method_default",
        kind: Kind::Words(&["S256", "plain"]),
        doc: "what a challenge without a method is taken for (contradictory sources); where nothing is set, refused under profile rfc",
    },
    Row {
        name: "unasked_verifier",
        kind: Kind::Words(&["ignored", "refused"]),
        doc: "what becomes of a verifier for a code without a challenge (client libraries: ignored; RFC 9700: refused)",
    },
    Row {
        name: "run_as_needs_approval",
        kind: Kind::Flag,
        doc: "client credentials need the run-as user to be pre-authorized (contradictory sources)",
    },
    Row {
        name: "verifier_limit",
        kind: Kind::Words(&["128", "171"]),
        doc: "longest PKCE verifier: RFC 7636 says 128, Salesforce's own text 171 characters",
    },
    Row {
        name: "discovery_spelling",
        kind: Kind::Words(&["registration_endpoint", "register_endpoint"]),
        doc: "spelling in the discovery document (contradictory sources)",
    },
    Row {
        name: "issued_at",
        kind: Kind::Words(&["milliseconds", "seconds"]),
        doc: "unit of `issued_at` (contradictory sources; observed: milliseconds)",
    },
    Row {
        name: "last_modified",
        kind: Kind::Words(&["zulu", "offset"]),
        doc: "how `last_modified_date` of the identity URL is written (contradictory sources)",
    },
    Row {
        name: "unknown_client_error",
        kind: Kind::Words(&["invalid_client_id", "invalid_client", "app_not_found"]),
        doc: "error for an unknown consumer key (contradictory sources)",
    },
];

/// Settings by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings(pub BTreeMap<String, Setting>);

impl Settings {
    /// Whether a flag is set to true.
    pub fn is(&self, name: &str) -> bool {
        self.flag(name) == Some(true)
    }

    /// A flag, none where it is not known.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.0.get(name) {
            Some(Setting::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// A duration in milliseconds, none where it is not known.
    pub fn millis(&self, name: &str) -> Option<i64> {
        match self.0.get(name) {
            Some(Setting::Millis(millis)) => Some(*millis),
            _ => None,
        }
    }

    /// A word, none where it is not known.
    pub fn word(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Setting::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These, with others on top.
    #[must_use]
    pub fn with(&self, others: &Settings) -> Settings {
        let mut all = self.0.clone();
        all.extend(others.0.clone());
        Settings(all)
    }
}

/// What is known of the server where one app is concerned: what holds for the app alone comes first.
#[derive(Clone, Copy, Debug)]
pub struct SettingsOf<'s> {
    own: Option<&'s Settings>,
    shared: &'s Settings,
}

impl<'s> SettingsOf<'s> {
    /// The settings of an app, none where nothing is known of it alone, beside those of the server.
    pub fn new(own: Option<&'s Settings>, shared: &'s Settings) -> Self {
        Self { own, shared }
    }

    /// Whether a flag is set to true.
    pub fn is(self, name: &str) -> bool {
        self.flag(name) == Some(true)
    }

    /// A flag, none where it is not known.
    pub fn flag(self, name: &str) -> Option<bool> {
        self.of(name).flag(name)
    }

    /// A duration in milliseconds, none where it is not known.
    pub fn millis(self, name: &str) -> Option<i64> {
        self.of(name).millis(name)
    }

    /// A word, none where it is not known.
    pub fn word(self, name: &str) -> Option<&'s str> {
        self.of(name).word(name)
    }

    /// What is known under a name.
    pub fn get(self, name: &str) -> Option<&'s Setting> {
        self.of(name).0.get(name)
    }

    /// The settings that decide about a name.
    fn of(self, name: &str) -> &'s Settings {
        self.own.filter(|own| own.0.contains_key(name)).unwrap_or(self.shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_words_start_with_the_default() {
        let mut names: Vec<_> = TABLE.iter().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
    }

    #[test]
    fn what_holds_for_an_app_alone_comes_before_what_holds_for_all() {
        let settings = |rows: &[(&str, bool)]| {
            Settings(rows.iter().map(|(name, flag)| ((*name).to_owned(), Setting::Flag(*flag))).collect())
        };
        let (own, shared) =
            (settings(&[("rotation", false)]), settings(&[("rotation", true), ("clock", true)]));
        let of = SettingsOf::new(Some(&own), &shared);
        assert_eq!((of.flag("rotation"), of.is("clock"), of.flag("leeway")), (Some(false), true, None));
        assert!(SettingsOf::new(None, &shared).is("rotation"));
    }
}
