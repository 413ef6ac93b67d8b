//! Scope values of an app, of a request, of a grant.

use std::fmt;
use std::sync::Arc;

/// What `full` stands for besides itself (Salesforce Help: OAuth tokens and scopes; the list is not complete there).
const FULL: [&str; 6] = ["visualforce", "web", "openid", "chatter_api", "api", "id"];

/// The order in which they are told, as captures show it (REST API Developer Guide: Web Server OAuth Flow); others follow by the alphabet.
const ORDER: [&str; 15] = [
    "visualforce",
    "refresh_token",
    "offline_access",
    "wave_api",
    "custom_permissions",
    "web",
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "chatter_api",
    "api",
    "id",
    "full",
];

/// A set of scope values, written as it goes over the wire. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scopes(Arc<str>);

impl Scopes {
    /// The set of these values, in the server's order, with what they bring along.
    pub fn of<'s>(values: impl IntoIterator<Item = &'s str>) -> Self {
        let mut all: Vec<&str> = values.into_iter().filter(|value| !value.is_empty()).collect();
        if all.contains(&"full") {
            all.extend(FULL);
        }
        if all.contains(&"web") {
            all.push("visualforce");
        }
        let place = |value: &str| ORDER.iter().position(|o| *o == value).unwrap_or(ORDER.len());
        all.sort_by(|a, b| place(a).cmp(&place(b)).then(a.cmp(b)));
        all.dedup();
        Self(all.join(" ").into())
    }

    /// Each value.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split_ascii_whitespace()
    }

    /// Whether it is one of them.
    pub fn has(&self, value: &str) -> bool {
        self.iter().any(|one| one == value)
    }

    /// Whether a refresh token may come of them.
    pub fn offline(&self) -> bool {
        self.has("refresh_token") || self.has("offline_access")
    }

    /// Whether REST and SOAP may be called with them.
    pub fn api(&self) -> bool {
        self.has("api") || self.has("full")
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These without some.
    pub fn without(&self, values: &[&str]) -> Self {
        Self::of(self.iter().filter(|value| !values.contains(value)))
    }

    /// Whether all of them are among the others.
    pub fn within(&self, others: &Scopes) -> bool {
        self.iter().all(|value| others.has(value))
    }

    /// What is granted of a request; none where it asks for more than there is. `refresh_token` and
    /// `offline_access` are one thing under two names.
    pub fn ask(&self, requested: &str) -> Option<Self> {
        let has = |value: &str| match value {
            "refresh_token" | "offline_access" => self.offline(),
            value => self.has(value),
        };
        requested
            .split(' ')
            .filter(|value| !value.is_empty())
            .all(has)
            .then(|| Self::of(requested.split(' ')))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Scopes;

    #[test]
    fn the_order_is_the_servers() {
        assert_eq!(
            Scopes::of(["api", "id", "openid", "refresh_token"]).to_string(),
            "refresh_token openid api id"
        );
        assert_eq!(Scopes::of(["web", "api"]).to_string(), "visualforce web api");
        assert_eq!(Scopes::of(["zeta", "api", "api"]).to_string(), "api zeta");
        assert!(Scopes::of(["full"]).has("api") && !Scopes::of(["full"]).offline());
    }

    #[test]
    fn more_than_there_is_cannot_be_asked() {
        let all = Scopes::of(["api", "refresh_token"]);
        assert_eq!(all.ask("offline_access api").unwrap().to_string(), "offline_access api");
        assert_eq!(all.ask("api web"), None);
        assert_eq!(all.ask(" ").unwrap(), Scopes::default());
    }
}
