//! What a client makes of the answer to a token request: whether there is a token in it that it can use, and where it may
//! go with it (RFC 6749 §5.1; Salesforce: OAuth 2.0 token response).

use serde_json::{Map, Value};
use std::time::Duration;

use super::renewal::Granted;
use super::wrong::Wrongs;
use super::wrong::resource::{GOES_TO_ANY_INSTANCE, STAYS_AT_LOGIN_HOST};
use super::wrong::robustness::{ASKS_ON_AND_ON, READS_PAGES, USES_BROKEN_ANSWERS};
use super::wrong::tokens::{
    BELIEVES_ANY_LIFETIME, CUTS_TOKENS, KNOWS_ALL_MEMBERS, LOOKS_PAST_ERRORS, READS_BY_HAND, TAKES_ANY_TYPE,
    TAKES_NOTHING_FOR_A_TOKEN, TYPE_BY_LETTER,
};
use crate::oauth::Secret;
use crate::transcript::Response;
use crate::transcript::questions::{is_loopback, moment, same_origin};

/// Where hosts of Salesforce end.
const SALESFORCE: [&str; 2] = [".salesforce.com", ".force.com"];

/// Why a wrong asks again for what it could not read.
pub const UNREAD: &str = "it could not be read";

/// What a client goes by.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// Base URLs of hosts that its tokens may go to, besides the org's own and those of Salesforce.
    pub hosts: Vec<String>,
    /// What it does wrong on purpose.
    pub wrong: Wrongs,
}

/// Why a token response is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// In words, without secrets.
    pub why: String,
    /// Whether the client asks again, as if the server had only failed for a moment.
    pub again: bool,
}

impl Manner {
    /// Whether a token may go to a URL: over TLS or on this machine, to the org or a host that it is known to have.
    pub fn trusts(&self, org: &str, url: &str) -> bool {
        let known = || self.hosts.iter().map(String::as_str).chain([org]).any(|host| same_origin(host, url));
        let parsed = url::Url::parse(url).ok();
        let host = parsed.as_ref().and_then(url::Url::host_str).unwrap_or("");
        let bare = parsed.as_ref().is_some_and(|url| url.username().is_empty() && url.password().is_none());
        let of_salesforce = || SALESFORCE.iter().any(|end| host.ends_with(end));
        let secure = url.starts_with("https://") || url.starts_with("http://") && is_loopback(url);
        bare && secure && (known() || of_salesforce())
    }

    /// Reads what an org answered to a token request with status 200.
    ///
    /// # Errors
    /// [`Unusable`], with the reason.
    pub fn read(&self, org: &str, response: &Response) -> Result<Granted, Unusable> {
        let no = |why: &str| Err(Unusable { why: why.to_owned(), again: false });
        let Some(Value::Object(members)) = response.json() else {
            if let Some(granted) = self.made_of_nonsense(response) {
                return Ok(granted);
            }
            if self.wrong.has(&ASKS_ON_AND_ON) {
                return Err(Unusable { why: UNREAD.to_owned(), again: true });
            }
            return no("the token endpoint answered 200 with something else than a JSON object");
        };
        if let Some(why) = self.puzzled(&response.body, members) {
            return Err(Unusable { why: why.to_owned(), again: true });
        }
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        if members.contains_key("error") && !self.wrong.has(&LOOKS_PAST_ERRORS) {
            return no("the token endpoint answered 200 with an error in it");
        }
        let visible = |token: &&str| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
        let access_token = match text("access_token").filter(visible) {
            Some(token) if self.wrong.has(&CUTS_TOKENS) => token.get(..255).unwrap_or(token),
            Some(token) => token,
            None if self.wrong.has(&TAKES_NOTHING_FOR_A_TOKEN) => "null",
            None => return no("the token response has no access token"),
        };
        let kind = text("token_type").unwrap_or("Bearer");
        if !kind.eq_ignore_ascii_case("bearer") && !self.wrong.has(&TAKES_ANY_TYPE) {
            return no(&format!("access tokens of type {kind} are not known here"));
        }
        let instance_url = text("instance_url").filter(|_| !self.wrong.has(&STAYS_AT_LOGIN_HOST));
        let leads_away = |url: &str| !self.trusts(org, url) && !self.wrong.has(&GOES_TO_ANY_INSTANCE);
        if instance_url.is_some_and(leads_away) {
            return no("instance_url is not a host that the access token may go to");
        }
        Ok(Granted {
            access_token: Secret::new(access_token),
            refresh_token: text("refresh_token").map(Secret::new),
            id_token: text("id_token").map(Secret::new),
            instance_url: instance_url.map(str::to_owned),
            identity_url: text("id").map(str::to_owned),
            lifetime: members.get("expires_in").and_then(lifetime),
            dated: response.header("date").and_then(moment),
        })
    }

    /// What a wrong makes of an answer that is none.
    fn made_of_nonsense(&self, response: &Response) -> Option<Granted> {
        let cut_out = || {
            let (_, rest) = response.body.split_once("\"access_token\":\"")?;
            rest.split('"').next()
        };
        let token = match () {
            () if self.wrong.has(&USES_BROKEN_ANSWERS) => cut_out()?,
            () if self.wrong.has(&READS_PAGES) && response.body.contains("<html") => "undefined",
            () => return None,
        };
        Some(Granted { access_token: Secret::new(token), ..Granted::default() })
    }

    /// What a client stumbles over that reads less than it should.
    fn puzzled(&self, body: &str, members: &Map<String, Value>) -> Option<&'static str> {
        const KNOWN: [&str; 11] = [
            "access_token",
            "refresh_token",
            "signature",
            "scope",
            "instance_url",
            "id",
            "id_token",
            "token_type",
            "issued_at",
            "expires_in",
            "error",
        ];
        let lifetime = members.get("expires_in");
        let is_over = |value: &Value| value.as_u64().is_none_or(|seconds| seconds == 0);
        if self.wrong.has(&KNOWS_ALL_MEMBERS) && members.keys().any(|name| !KNOWN.contains(&name.as_str())) {
            return Some("the token response has a member that nobody knows");
        }
        if self.wrong.has(&READS_BY_HAND) && !body.contains("\"token_type\":\"") {
            return Some("the token response does not begin as it always did");
        }
        if self.wrong.has(&TYPE_BY_LETTER) && members.get("token_type").is_some_and(|kind| kind != "Bearer") {
            return Some("the token type is not Bearer");
        }
        let over = self.wrong.has(&BELIEVES_ANY_LIFETIME) && lifetime.is_some_and(is_over);
        over.then_some("the access token is over already")
    }
}

/// A lifetime in seconds, as a number or as a text; whatever else stands there tells none.
fn lifetime(told: &Value) -> Option<Duration> {
    const LONGEST: f64 = 315_360_000.0;
    let seconds = told.as_f64().or_else(|| told.as_str()?.trim().parse().ok())?;
    (seconds > 0.0 && seconds <= LONGEST).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ORG: &str = "https://org.example";

    fn read(body: &Value) -> Result<Granted, Unusable> {
        let manner = Manner { hosts: vec!["https://api.example".into()], ..Manner::default() };
        manner.read(ORG, &Response::new(200, Vec::new(), body.to_string()))
    }

    #[test]
    fn an_answer_is_taken_for_what_it_is() {
        let granted = read(&json!({
            "access_token": "00D!AQ", "token_type": "bearer", "instance_url": "https://api.example",
            "expires_in": "soon", "odd": [null], "refresh_token": null
        }));
        let granted = granted.unwrap();
        assert_eq!(granted.access_token, "00D!AQ".into());
        assert_eq!(
            (granted.refresh_token, granted.instance_url.as_deref()),
            (None, Some("https://api.example"))
        );
        assert!(read(&json!({ "access_token": "A" })).is_ok());
        for body in [
            json!([]),
            json!({}),
            json!({ "access_token": "" }),
            json!({ "access_token": null }),
            json!({ "access_token": 7 }),
            json!({ "access_token": "A\u{e9}" }),
            json!({ "access_token": "A", "token_type": "mac" }),
            json!({ "access_token": "A", "error": "invalid_grant" }),
            json!({ "access_token": "A", "instance_url": "https://rogue.example" }),
        ] {
            assert!(read(&body).is_err(), "{body}");
        }
        let page = Response::new(200, Vec::new(), "<html>".into());
        assert!(Manner::default().read(ORG, &page).is_err());
    }

    #[test]
    fn a_token_goes_to_known_hosts_alone() {
        let manner = Manner { hosts: vec!["http://127.0.0.1:81".into()], ..Manner::default() };
        for good in [
            "https://org.example",
            "https://org.example/x",
            "http://127.0.0.1:81/y",
            "https://acme.my.salesforce.com",
            "https://acme.my.site.force.com/x",
        ] {
            assert!(manner.trusts(ORG, good), "{good}");
        }
        for bad in [
            "http://org.example",
            "https://org.example.evil",
            "https://org.example@rogue.example",
            "http://127.0.0.1:82",
            "https://salesforce.com.rogue.example",
            "https://notsalesforce.com",
            "http://acme.my.salesforce.com",
            "//org.example",
            "",
        ] {
            assert!(!manner.trusts(ORG, bad), "{bad}");
        }
    }
}
