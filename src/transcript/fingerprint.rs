//! Fingerprints instead of secrets: the same value gives the same fingerprint within a run, and
//! nothing else can be learnt from it.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::needles::Needles;
use super::{Answer, Exchange};
use crate::oauth::params::form_encode;
use crate::oauth::{Params, base64, base64url, hmac_sha256};
use crate::subject::{Login, Target};

/// Values below this length are replaced only where their name stands beside them: `a` is no secret
/// that could be searched for in a text.
const SHORTEST: usize = 6;

/// Parameters whose values are secret, and the kind that their fingerprint shows.
const PARAMS: &[(&str, &str)] = &[
    ("code", "code"),
    ("client_secret", "client_secret"),
    ("refresh_token", "refresh_token"),
    ("access_token", "access_token"),
    ("oauth_token", "access_token"),
    ("id_token", "id_token"),
    ("id_token_hint", "id_token"),
    ("assertion", "assertion"),
    ("client_assertion", "client_assertion"),
    ("code_verifier", "code_verifier"),
    ("token", "token"),
    ("password", "password"),
    ("pw", "password"),
    ("csrf", "page_field"),
    ("xsrf", "page_field"),
];

/// Members of JSON answers whose values are secret.
const MEMBERS: &[&str] = &["access_token", "refresh_token", "id_token", "signature", "device_code"];

/// Replaces every secret that it knows, in every encoding, by its keyed fingerprint.
pub struct Redactor {
    key: [u8; 32],
    /// Secret value to kind.
    known: BTreeMap<String, &'static str>,
    search: Option<Search>,
}

impl Redactor {
    /// A redactor with a key of this run, which is thrown away with it.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key, known: BTreeMap::new(), search: None }
    }

    /// Learns one secret.
    pub fn learn(&mut self, kind: &'static str, value: &str) {
        if !value.is_empty() && !is_fingerprint(value) {
            self.known.entry(value.to_owned()).or_insert(kind);
            self.search = None;
        }
    }

    /// Learns the secrets of a target.
    pub fn learn_target(&mut self, target: &Target) {
        for app in target.apps.values() {
            if let Some(secret) = &app.client_secret {
                self.learn("client_secret", secret.expose());
            }
        }
        if let Login::Given(grant) = &target.login {
            self.learn("refresh_token", grant.refresh_token.expose());
        }
        for user in target.users.values() {
            if let Some(password) = &user.password {
                self.learn("password", password.expose());
            }
        }
    }

    /// Learns every secret of an exchange.
    pub fn learn_exchange(&mut self, exchange: &Exchange) {
        let request = &exchange.request;
        self.learn_params(request.query());
        self.learn_params(request.form());
        self.learn_headers(&request.headers);
        self.learn_text(&request.body);
        if let Answer::Response(response) = &exchange.answer {
            self.learn_headers(&response.headers);
            self.learn_text(&response.body);
            if let Some(location) = response.header("location") {
                for part in location.split(['?', '#']).skip(1) {
                    self.learn_params(&Params::read_lossy(part));
                }
            }
            if exchange.endpoint == crate::oauth::Endpoint::Page {
                self.learn_hidden_fields(&response.body);
            }
        }
    }

    fn learn_params(&mut self, params: &Params) {
        for (name, kind) in PARAMS {
            for value in params.all(name) {
                self.learn(kind, value);
            }
        }
    }

    fn learn_headers(&mut self, headers: &[(String, String)]) {
        for (name, value) in headers {
            match name.to_ascii_lowercase().as_str() {
                "authorization" | "proxy-authorization" => {
                    let (scheme, rest) = value.split_once(' ').unwrap_or(("", value));
                    // A scheme that stands alone is a word of every report.
                    let alone = ["basic", "bearer", "oauth"].iter().any(|s| rest.eq_ignore_ascii_case(s));
                    if alone {
                        continue;
                    }
                    self.learn(
                        if scheme.eq_ignore_ascii_case("basic") { "basic" } else { "access_token" },
                        rest,
                    );
                }
                "cookie" => {
                    for pair in value.split(';') {
                        self.learn("cookie", pair.split_once('=').map_or("", |(_, v)| v.trim()));
                    }
                }
                "set-cookie" => {
                    let pair = value.split(';').next().unwrap_or("");
                    self.learn("cookie", pair.split_once('=').map_or("", |(_, v)| v.trim()));
                }
                _ => {}
            }
        }
    }

    /// Learns the secrets of a body, whatever it is: JSON with a name that stands twice or with a slip in it, XML, a
    /// form. What cannot be read can still be told, and must not be.
    fn learn_text(&mut self, body: &str) {
        self.learn_json(body);
        let named = MEMBERS.iter().map(|name| (*name, *name)).chain(PARAMS.iter().copied());
        // `code` and its like stand beside much that is no secret.
        for (name, kind) in named.filter(|(name, _)| name.contains('_') || *name == "signature") {
            for (at, _) in body.match_indices(name) {
                if body[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                if let Some(value) = value_beside(&body[at + name.len()..]) {
                    self.learn(kind, value);
                    self.learn(kind, Params::read_lossy(&format!("v={value}")).get("v").unwrap_or(value));
                }
            }
        }
    }

    fn learn_json(&mut self, body: &str) {
        let Ok(Value::Object(members)) = serde_json::from_str::<Value>(body) else { return };
        for (name, value) in &members {
            let Some(text) = value.as_str() else { continue };
            if MEMBERS.contains(&name.as_str()) {
                let kind = MEMBERS.iter().find(|m| *m == name).copied().unwrap_or("token");
                self.learn(kind, text);
            }
            if let Some((_, kind)) = PARAMS.iter().find(|(param, _)| param == name) {
                self.learn(kind, text);
            }
        }
    }

    /// Hidden fields of a page guard a form against forgery; they are as good as a session while it lives.
    fn learn_hidden_fields(&mut self, html: &str) {
        for tag in html.split('<').filter(|tag| tag.starts_with("input") && tag.contains("hidden")) {
            if let Some(value) = tag.split("value=\"").nth(1).and_then(|rest| rest.split('"').next())
                && value.len() >= 16
            {
                self.learn("page_field", value);
            }
        }
    }

    /// The fingerprint of a value: kind and 64 bits of a keyed hash.
    pub fn fingerprint(&self, kind: &str, value: &str) -> String {
        let mut out = format!("{kind}:");
        for byte in &hmac_sha256(&self.key, value.as_bytes())[..8] {
            let _ = write!(out, "{byte:02x}");
        }
        out
    }

    /// A text with every known secret replaced, whether it stands there raw, form-encoded, in base64
    /// or in hexadecimal digits.
    pub fn scrub(&mut self, text: &str) -> String {
        let search = match self.search.take() {
            Some(search) => search,
            None => self.build(),
        };
        let text = scrub_short(search.needles.replace(text), &search.short);
        self.search = Some(search);
        text
    }

    /// Every text in a JSON value, keys among them, scrubbed.
    pub fn scrub_value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.scrub(text),
            Value::Array(list) => list.iter_mut().for_each(|item| self.scrub_value(item)),
            Value::Object(members) => {
                for (name, mut item) in std::mem::take(members) {
                    self.scrub_value(&mut item);
                    members.insert(self.scrub(&name), item);
                }
            }
            _ => {}
        }
    }

    /// Every secret that is known: for the test that searches the outputs.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }

    fn build(&self) -> Search {
        let (mut needles, mut short) = (Vec::new(), Vec::new());
        for (value, kind) in &self.known {
            let print = self.fingerprint(kind, value);
            if value.len() >= SHORTEST {
                needles.extend(encodings(value).into_iter().map(|form| (form, print.clone())));
                continue;
            }
            let beside = PARAMS.iter().flat_map(|(name, _)| [format!("{name}="), format!("\"{name}\":\"")]);
            short.push((value.clone(), beside.collect(), print));
        }
        Search { needles: Needles::new(needles), short }
    }
}

/// What is looked for.
struct Search {
    needles: Needles,
    short: Vec<Short>,
}

/// A short secret, what may stand before it, and its fingerprint.
type Short = (String, Vec<String>, String);

/// A short secret is replaced where the name of its parameter stands before it and nothing of it goes on.
fn scrub_short(mut text: String, short: &[Short]) -> String {
    for (value, beside, print) in short {
        let mut from = 0;
        while let Some(at) = text[from..].find(value.as_str()).map(|at| from + at) {
            let end = at + value.len();
            let goes_on = text[end..].starts_with(|c: char| c.is_alphanumeric() || c == '%' || c == '+');
            if !goes_on && beside.iter().any(|before| text[..at].ends_with(before.as_str())) {
                text.replace_range(at..end, print);
                from = at + print.len();
            } else {
                from = at + text[at..].chars().next().map_or(1, char::len_utf8);
            }
        }
    }
    text
}

/// The forms in which a secret might turn up in an output.
pub fn encodings(value: &str) -> Vec<String> {
    let hex: String = value.bytes().map(|b| format!("{b:02x}")).collect();
    let json = Value::from(value).to_string();
    let html = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let strict = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string();
    // Of the escapes alone: the letters of the secret stay as they are.
    let lower = strict.split('%').enumerate().map(|(i, part)| match part.split_at_checked(2) {
        Some((escape, rest)) if i > 0 => format!("%{}{rest}", escape.to_lowercase()),
        _ => part.to_owned(),
    });
    let lower: String = lower.collect();
    // As those write JSON who keep to ASCII.
    let ascii: String = json.chars().fold(String::new(), |mut out, c| {
        let mut units = [0; 2];
        match c.is_ascii() {
            true => out.push(c),
            false => c.encode_utf16(&mut units).iter().for_each(|unit| {
                let _ = write!(out, "\\u{unit:04x}");
            }),
        }
        out
    });
    let mut all = vec![
        value.to_owned(),
        form_encode(value),
        strict,
        lower,
        base64(value),
        base64url(value),
        hex.to_uppercase(),
        hex,
        // PHP escapes the slash.
        json[1..json.len() - 1].replace('/', "\\/"),
        json[1..json.len() - 1].to_owned(),
        ascii[1..ascii.len() - 1].to_owned(),
        html,
    ];
    all.sort();
    all.dedup();
    all
}

/// What follows a name: `":"VALUE"`, `=VALUE` or `>VALUE<`.
fn value_beside(rest: &str) -> Option<&str> {
    let (value, ends): (&str, &[char]) = if let Some(json) = rest.strip_prefix('"') {
        (json.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?, &['"'])
    } else if let Some(form) = rest.strip_prefix('=') {
        (form, &['&', '"', '\'', '<', ' ', '\n'])
    } else {
        (rest.strip_prefix('>')?, &['<'])
    };
    let value = value.split(ends).next().unwrap_or(value);
    // A short word beside such a name, as in prose, is no secret that could be searched for.
    (value.len() >= SHORTEST).then_some(value)
}

/// Whether a text is a fingerprint already, as in a recording that was read back.
fn is_fingerprint(text: &str) -> bool {
    text.split_once(':').is_some_and(|(kind, hex)| {
        let ours = ["basic", "cookie"].into_iter().chain(MEMBERS.iter().copied());
        ours.chain(PARAMS.iter().map(|(_, kind)| *kind)).any(|known| known == kind)
            && hex.len() == 16
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_replaced_in_every_encoding() {
        let mut redactor = Redactor::new([7; 32]);
        redactor.learn("code", "aPrx+secret/code==");
        let print = redactor.fingerprint("code", "aPrx+secret/code==");
        for form in encodings("aPrx+secret/code==") {
            assert_eq!(redactor.scrub(&format!("<{form}>")), format!("<{print}>"), "{form}");
        }
    }

    #[test]
    fn a_short_secret_is_replaced_beside_its_name_only() {
        let mut redactor = Redactor::new([7; 32]);
        redactor.learn("password", "abc");
        assert_eq!(redactor.scrub("abc"), "abc");
        assert!(!redactor.scrub("pw=abc&x=1").contains("abc"));
        assert!(!redactor.scrub("x=1&pw=abc").contains("abc"));
        assert_eq!(redactor.scrub("pw=abcd"), "pw=abcd");
    }

    #[test]
    fn a_secret_is_learnt_from_every_kind_of_body() {
        use crate::transcript::script;
        for body in [
            r#"{"access_token":"first-secret-1","access_token":"second-secret-2"}"#,
            r#"{"access_token": "first-secret-1",}"#,
            r#"{"data":[{"refresh_token":"first-secret-1"}]}"#,
            r#"{"access_token":"first-secret-1","first-secret-1":true}"#,
            "<OAuth><access_token>first-secret-1</access_token></OAuth>",
            "access_token=first-secret-1&token_type=Bearer",
            r#"{"access_token":"tok:0123456789abcdef"}"#,
        ] {
            let transcript = script::read(&format!("> POST token grant_type=x\n< 200 {body}\n"));
            let text = crate::transcript::write(&transcript, &mut Redactor::new([7; 32]));
            for secret in ["first-secret-1", "second-secret-2", "0123456789abcdef"] {
                assert!(!text.contains(secret), "{body}");
            }
        }
    }

    #[test]
    fn a_secret_that_a_cut_would_halve_is_replaced_first() {
        use crate::transcript::script;
        let secret = format!("long-secret-{}", "y".repeat(40_000));
        let transcript =
            script::read(&format!("> POST token grant_type=x\n< 200 {{\"access_token\":\"{secret}\"}}\n"));
        let text = crate::transcript::write(&transcript, &mut Redactor::new([7; 32]));
        assert!(!text.contains("long-secret-"));
    }

    #[test]
    fn the_key_decides_the_fingerprint() {
        let print = |key| Redactor::new([key; 32]).fingerprint("code", "value");
        assert_eq!(print(1), print(1));
        assert_ne!(print(1), print(2));
        assert!(is_fingerprint(&print(1)));
    }
}
