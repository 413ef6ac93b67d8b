//! Fingerprints instead of secrets: the same value gives the same fingerprint within a run, and
//! nothing else can be learnt from it.

use scraper::{Html, Selector};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::LazyLock;

use super::beside::Beside;
use super::encodings::{basic, encodings, whole};
use super::needles::{Needle, Needles};
use super::{Answer, Exchange};
use crate::oauth::{Endpoint, Params, hmac_sha256};
use crate::subject::{Brought, Login, Page, Subject, Target};

/// Values below this length are replaced only where their name stands beside them: `a` is no secret
/// that could be searched for in a text.
const SHORTEST: usize = 6;

/// From this length on, a value with more than letters in it is replaced wherever it stands, in the middle of a word as
/// well: no word of a report or a protocol happens to hold it.
const STRONG: usize = 12;

/// Words of which every exchange and every report is full. Where one of them is a secret, it tells nobody anything
/// but beside its name.
const EVERYDAY: &[&str] = &[
    "access",
    "account",
    "action",
    "approve",
    "assertion",
    "authorization",
    "basic",
    "bearer",
    "challenge",
    "client",
    "cookie",
    "default",
    "error",
    "expired",
    "grantcheck",
    "identity",
    "invalid",
    "missing",
    "parameter",
    "password",
    "public",
    "refresh",
    "request",
    "response",
    "revoke",
    "salesforce",
    "secret",
    "server",
    "session",
    "signature",
    "string",
    "unknown",
    "username",
    "verifier",
    "access_token",
    "authorization_code",
    "client_assertion",
    "client_credentials",
    "client_id",
    "client_secret",
    "code_verifier",
    "id_token",
    "page_field",
    "private_key_jwt",
    "refresh_token",
];

/// What programs write where they have no token. It is no secret, and whoever judges a recording must see it.
pub const NOTHING: [&str; 6] = ["undefined", "null", "None", "nil", "(null)", "[object"];

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

/// Whether a parameter of that name has a secret value, whoever sends it.
pub fn is_secret_parameter(name: &str) -> bool {
    PARAMS.iter().any(|(own, _)| *own == name)
}

/// Members of JSON answers whose values are secret.
const MEMBERS: &[&str] = &["access_token", "refresh_token", "id_token", "signature", "device_code"];

/// Schemes of `Authorization`: words of every report, wherever they stand.
const SCHEMES: &[&str] = &["basic", "bearer", "digest", "oauth"];

/// Replaces every secret that it knows, in every encoding, by its keyed fingerprint.
pub struct Redactor {
    key: [u8; 32],
    /// Secret value to kind.
    known: BTreeMap<String, &'static str>,
    /// Texts that are told to everybody. Where a secret is the same text, it is replaced beside its name alone.
    open: BTreeSet<String>,
    /// Names, besides those of OAuth, whose values are secret, and the kind.
    names: BTreeMap<String, &'static str>,
    search: Option<Search>,
}

/// What is looked for.
struct Search {
    needles: Needles,
    beside: Beside,
}

impl Redactor {
    /// A redactor with a key of this run, which is thrown away with it.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key, known: BTreeMap::new(), open: BTreeSet::new(), names: BTreeMap::new(), search: None }
    }

    /// Learns one secret.
    pub fn learn(&mut self, kind: &'static str, value: &str) {
        let nothing = value.is_empty() || NOTHING.contains(&value);
        if !nothing && !is_fingerprint(value) && !self.known.contains_key(value) {
            self.known.insert(value.to_owned(), kind);
            self.search = None;
        }
    }

    /// Learns a text that everybody may know.
    fn learn_open(&mut self, value: &str) {
        if !value.is_empty() && self.open.insert(value.to_owned()) {
            self.search = None;
        }
    }

    /// Learns a name whose values are secret.
    fn learn_name(&mut self, kind: &'static str, name: &str) {
        if !name.is_empty() && self.names.insert(name.to_owned(), kind).is_none() {
            self.search = None;
        }
    }

    /// Learns the secrets of a target.
    pub fn learn_target(&mut self, target: &Target) {
        self.learn_subject(&target.subject());
        for app in target.apps.values() {
            if let Some(secret) = &app.client_secret {
                self.learn("client_secret", secret.expose());
                self.learn_basic(&app.client_id, secret.expose());
            }
            // What a gateway wants in every request is a key more often than not; a scope is none.
            for (name, value) in app.extra.iter().filter(|(name, _)| name != "scope") {
                self.learn_name("parameter", name);
                self.learn("parameter", value);
            }
        }
        for secret in &target.secrets {
            self.learn("secret", secret.expose());
        }
        if let Login::Given(grant) = &target.login {
            match &grant.token {
                Brought::RefreshToken(token) => self.learn("refresh_token", token.expose()),
                Brought::AccessToken(token) => self.learn("access_token", token.expose()),
            }
        }
        for user in target.users.values() {
            if let Some(password) = &user.password {
                self.learn("password", password.expose());
            }
        }
        if let Login::Pages(pages) = &target.login {
            self.learn_pages(pages);
        }
        self.learn_pages(target.deny.as_deref().unwrap_or_default());
    }

    /// Learns what is no secret of anybody: under which names apps and users are known, and where.
    pub(super) fn learn_subject(&mut self, subject: &Subject) {
        self.learn_open(&subject.org);
        for app in subject.apps.values() {
            self.learn_open(&app.client_id);
            app.redirect_uris.iter().chain(&app.scopes).for_each(|text| self.learn_open(text));
        }
        subject.users.values().for_each(|name| self.learn_open(name));
    }

    /// Learns what a login types: everything but the user's name.
    fn learn_pages(&mut self, pages: &[Page]) {
        for (name, value) in pages.iter().flat_map(|page| &page.fill) {
            let typed = value.replace("${user.username}", "").replace("${user.password}", "");
            if typed.is_empty() && !value.contains("${user.password}") {
                continue;
            }
            self.learn_name("page_field", name);
            if !typed.is_empty() {
                // The word on a button stands on the page as well.
                if typed.chars().all(|c| c.is_alphabetic() || c == ' ') {
                    self.learn_open(&typed);
                }
                self.learn("page_field", &typed);
            }
        }
    }

    /// Learns every secret of an exchange.
    pub fn learn_exchange(&mut self, exchange: &Exchange) {
        let request = &exchange.request;
        let walks = matches!(exchange.endpoint, Endpoint::Authorize | Endpoint::Page);
        if exchange.endpoint == Endpoint::Authorize {
            // The pages that follow carry what the client asked for in hidden fields.
            for (name, value) in request.query().iter().chain(request.form().iter()) {
                if !PARAMS.iter().any(|(secret, _)| *secret == name) && !self.names.contains_key(name) {
                    self.learn_open(value);
                }
            }
        }
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
            if walks {
                self.learn_hidden_fields(&response.body);
            }
        }
    }

    fn learn_params(&mut self, params: &Params) {
        let ours = |name: &str| PARAMS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        for (name, value) in params.iter() {
            if let Some(kind) = ours(name).or_else(|| self.names.get(name).copied()) {
                self.learn(kind, value);
            }
        }
        if let (Some(id), Some(secret)) = (params.get("client_id"), params.get("client_secret")) {
            self.learn_basic(id, secret);
        }
    }

    /// Learns what an app would send as HTTP Basic: a program may write it without ever sending it.
    fn learn_basic(&mut self, client_id: &str, secret: &str) {
        if !secret.is_empty() {
            basic(client_id, secret).iter().for_each(|sent| self.learn("basic", sent));
        }
    }

    fn learn_headers(&mut self, headers: &[(String, String)]) {
        for (name, value) in headers {
            match name.to_ascii_lowercase().as_str() {
                "authorization" | "proxy-authorization" => {
                    let words: Vec<&str> = value.split_whitespace().collect();
                    let basic = words.first().is_some_and(|word| word.eq_ignore_ascii_case("basic"));
                    // Each word by itself: a judge has to see that there are two where one should be.
                    for word in words.iter().skip(usize::from(words.len() > 1)) {
                        if !SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme)) {
                            self.learn(if basic { "basic" } else { "access_token" }, word);
                        }
                    }
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
        for (name, value) in hidden_fields(html) {
            // What the client itself asked for, an address and a word of the protocol are nobody's secret.
            let address = !value.contains('?')
                && ["/", "http://", "https://"].iter().any(|start| value.starts_with(start));
            let word =
                value.len() < STRONG && value.bytes().all(|b| b.is_ascii_lowercase() || b"_-".contains(&b));
            if self.open.contains(&value) || address || word || EVERYDAY.contains(&value.as_str()) {
                continue;
            }
            if value.len() < SHORTEST {
                self.learn_name("page_field", &name);
            }
            self.learn("page_field", &value);
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

    /// What a party said, with every known secret replaced, whether it stands there raw, URL-encoded, in base64 (inside
    /// something longer as well), in base32 or in hexadecimal digits, and in one line or in several. One that may be a
    /// word is replaced where it stands by itself and is no name.
    pub fn scrub(&mut self, text: &str) -> String {
        self.searched(|search| search.beside.replace(search.needles.replace(text, true)))
    }

    /// A text of ours or of an author, with every secret replaced that cannot be a word of it.
    pub fn scrub_own(&mut self, text: &str) -> String {
        self.searched(|search| search.needles.replace(text, false))
    }

    /// The kinds of the secrets that stand in a text, in whatever encoding, those left out that may be a word of it; each
    /// once.
    pub fn kinds_in(&mut self, text: &str) -> Vec<String> {
        let mut kinds = BTreeSet::new();
        self.searched(|search| {
            let prints = search.needles.found(text);
            kinds.extend(prints.iter().filter_map(|print| Some(print.split_once(':')?.0.to_owned())));
            String::new()
        });
        kinds.into_iter().collect()
    }

    /// Every text in a JSON value that a party said, scrubbed.
    pub fn scrub_value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.scrub(text),
            Value::Array(list) => list.iter_mut().for_each(|item| self.scrub_value(item)),
            Value::Object(members) => {
                for (name, mut item) in std::mem::take(members) {
                    self.scrub_value(&mut item);
                    members.insert(self.scrub_own(&name), item);
                }
            }
            _ => {}
        }
    }

    /// Scrubs what is known of a subject: how it is called and where it answers; its words are ours.
    pub fn scrub_subject(&mut self, subject: &mut Subject) {
        let at = &mut subject.endpoints;
        let endpoints = [
            &mut at.issuer,
            &mut at.authorize,
            &mut at.token,
            &mut at.introspect,
            &mut at.revoke,
            &mut at.userinfo,
            &mut at.keys,
            &mut at.discovery,
            &mut at.metadata,
            &mut at.api,
        ];
        let apps = subject.apps.values_mut().flat_map(|app| {
            app.redirect_uris.iter_mut().chain([&mut app.client_id]).chain(app.run_as.as_mut())
        });
        let texts = endpoints.into_iter().flatten().chain(apps).chain(subject.users.values_mut());
        for text in texts.chain([&mut subject.org]) {
            *text = self.scrub(text);
        }
    }

    /// Every secret that is replaced wherever it stands: for the test that searches the outputs.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.known
            .keys()
            .map(String::as_str)
            .filter(|value| !self.has_to_stand_beside(value) && is_strong(value))
    }

    fn searched(&mut self, replace: impl FnOnce(&Search) -> String) -> String {
        let search = match self.search.take() {
            Some(search) => search,
            None => self.build(),
        };
        let text = replace(&search);
        self.search = Some(search);
        text
    }

    /// Whether a secret is replaced beside its name only.
    fn has_to_stand_beside(&self, value: &str) -> bool {
        value.len() < SHORTEST
            || self.open.contains(value)
            || EVERYDAY.iter().any(|word| value.eq_ignore_ascii_case(word))
    }

    fn build(&self) -> Search {
        let (mut needles, mut short) = (Vec::new(), Vec::new());
        for (value, kind) in &self.known {
            let print = self.fingerprint(kind, value);
            if self.has_to_stand_beside(value) {
                short.extend(whole(value).into_iter().map(|form| (form, print.clone())));
                continue;
            }
            let (alone, word) = (!is_strong(value), is_word(value));
            // What has to stand alone does not stand inside something longer.
            let forms = if alone { whole(value) } else { encodings(value) };
            needles.extend(forms.into_iter().map(|text| Needle {
                text,
                stand_in: print.clone(),
                alone,
                word,
            }));
        }
        let names = PARAMS.iter().map(|(name, _)| *name).chain(self.names.keys().map(String::as_str));
        Search { needles: Needles::new(needles), beside: Beside::new(names, short) }
    }
}

/// Whether a secret is nothing but letters, as a word is.
fn is_word(value: &str) -> bool {
    value.chars().all(|c| c.is_alphabetic() || c == '_' || c == '-')
}

/// Whether a secret is none that stands in a text for another reason.
fn is_strong(value: &str) -> bool {
    value.len() >= STRONG && !is_word(value)
}

/// Names and values of the hidden fields of a page, as a browser reads them.
fn hidden_fields(html: &str) -> Vec<(String, String)> {
    static HIDDEN: LazyLock<Selector> =
        LazyLock::new(|| Selector::parse("input[type=hidden i]").expect("a selector of our own"));
    if !html.contains('<') {
        return Vec::new();
    }
    let document = Html::parse_document(html);
    let fields = document.select(&HIDDEN).map(|field| {
        let attribute = |name: &str| field.value().attr(name).unwrap_or("").to_owned();
        (attribute("name"), attribute("value"))
    });
    fields.filter(|(_, value)| !value.is_empty()).collect()
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
        let ours = ["basic", "cookie", "parameter", "secret"].into_iter().chain(MEMBERS.iter().copied());
        ours.chain(PARAMS.iter().map(|(_, kind)| *kind)).any(|known| known == kind)
            && hex.len() == 16
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::params::form_encode;

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
    fn a_secret_is_found_and_replaced_inside_something_larger() {
        use crate::oauth::base64;
        use crate::subject::ConnectedApp;
        let (id, secret, token) =
            ("3MVG9.app", "s3cr3t+of/the.app=1", "00Dxx0000001gPL!AQ8AQFsecret.of_a_session");
        let app = ConnectedApp {
            client_id: id.into(),
            client_secret: Some(secret.into()),
            ..ConnectedApp::default()
        };
        let mut target = Target::default();
        target.apps.insert("main".into(), app);
        let mut redactor = Redactor::new([7; 32]);
        redactor.learn_target(&target);
        redactor.learn("access_token", token);
        let wrapped = |text: &str, at: usize| {
            let lines: Vec<&str> =
                text.as_bytes().chunks(at).map(|l| std::str::from_utf8(l).unwrap()).collect();
            lines.join("\r\n")
        };
        let hex: Vec<String> = token.bytes().map(|b| format!("{b:02x}")).collect();
        for (text, kind) in [
            (format!("Authorization: Basic {}", base64(format!("{id}:{secret}"))), "basic"),
            (format!("{{\"note\": \"{}\"}}", base64(format!("{id}:{}", form_encode(secret)))), "basic"),
            (base64(format!("Bearer {token}")), "access_token"),
            (base64(format!("x{token}zzz")), "access_token"),
            (wrapped(&base64(format!("Authorization: Bearer {token} and more of it")), 20), "access_token"),
            (wrapped(token, 20), "access_token"),
            (form_encode(&form_encode(token)), "access_token"),
            (form_encode(&form_encode(&form_encode(token))), "access_token"),
            (token.bytes().map(|b| format!("%{b:02x}")).collect(), "access_token"),
            (hex.join(" "), "access_token"),
        ] {
            assert_eq!(redactor.kinds_in(&text), [kind], "{text}");
            for scrubbed in [redactor.scrub(&text), redactor.scrub_own(&text)] {
                assert!(scrubbed.contains(&format!("{kind}:")), "{text}: {scrubbed}");
                // Of what stood inside base64 some letters are left, none of them the secret's own but for two bytes.
                assert!(scrubbed.len() < text.len(), "{scrubbed}");
                assert!(redactor.kinds_in(&scrubbed).is_empty(), "{scrubbed}");
            }
        }
        for text in ["Bearer 00Dxx0000001gPL", "the app of the s3cr3t", "QmVhcmVyIA=="] {
            assert_eq!(redactor.scrub(text), text);
        }
    }

    #[test]
    fn a_form_teaches_what_its_app_would_send_as_basic() {
        use crate::transcript::script;
        let transcript =
            script::read("> POST token grant_type=x&client_id=app&client_secret=s3cr3t-of-it-1\n< 200 {}\n");
        let mut redactor = Redactor::new([7; 32]);
        transcript.exchanges.iter().for_each(|x| redactor.learn_exchange(x));
        assert_eq!(redactor.kinds_in(&crate::oauth::base64("app:s3cr3t-of-it-1")), ["basic"]);
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
    fn what_a_target_types_and_adds_is_replaced() {
        use crate::subject::{ConnectedApp, Login, Page, User};
        let fill = [
            ("login", "${user.username}"),
            ("passwd", "${user.password}"),
            ("pin", "12345"),
            ("save", "Allow"),
        ];
        let page = Page { fill: fill.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec(), ..Page::default() };
        let app = ConnectedApp {
            client_id: "main-client-000001".into(),
            extra: vec![
                ("api_key".into(), "pin-98765432".into()),
                ("scope".into(), "full-scope-0001".into()),
            ],
            ..ConnectedApp::default()
        };
        let user = User { username: "ann".into(), password: Some("pw12x".into()), ..User::default() };
        let mut target = Target { login: Login::Pages(vec![page]), ..Target::default() };
        target.apps.insert("main".into(), app);
        target.users.insert("main".into(), user);
        target.secrets = vec!["looked-up-0001".into(), "main-client-000001".into()];
        let mut redactor = Redactor::new([7; 32]);
        redactor.learn_target(&target);
        for leak in [
            "passwd=pw12x",
            "pin=12345",
            "{\"pin\": \"12345\"}",
            "x=pin-98765432",
            "api_key=pin-98765432",
            "looked-up-0001",
        ] {
            let value = leak.rsplit(['=', ' ']).next().unwrap().trim_matches(['"', '}']);
            assert!(!redactor.scrub(leak).contains(value), "{leak}: {}", redactor.scrub(leak));
        }
        for kept in ["login=ann", "Allow", "12345", "main-client-000001", "full-scope-0001"] {
            assert_eq!(redactor.scrub(kept), kept);
        }
    }

    #[test]
    fn hidden_fields_are_learnt_however_a_page_writes_them_and_whoever_answers_it() {
        use crate::transcript::script;
        let secret = "hIdden-Field-0123456789+abc";
        for (input, form) in [
            (r#"<input type="hidden" name="authenticity" value="@@">"#, secret.to_owned()),
            ("<INPUT TYPE='HIDDEN' NAME='a' VALUE='@@'>", secret.to_owned()),
            ("<input value=@@ name=a type=hidden>", secret.to_owned()),
            (r#"<input type="hidden" name="a" value="@@">"#, secret.replace('+', "&#43;")),
            (r#"<input type="hidden" name="a" value="@@">"#, secret.replace('+', "&#x2b;")),
            (r#"<input type="hidden" name="a" value="@@">"#, secret.replace('+', "&plus;")),
        ] {
            for endpoint in ["authorize", "page"] {
                let page = input.replace("@@", &form);
                let transcript = script::read(&format!(
                    "> GET {endpoint} state=state-of-the-client-1\n< 200 <form>{page}\
                     <input type=hidden name=state value=state-of-the-client-1></form>\n\
                     > POST page authenticity={}\n< 302\n",
                    form_encode(secret)
                ));
                let text = crate::transcript::write(&transcript, &mut Redactor::new([7; 32]));
                assert!(!text.contains("hIdden-Field"), "{page}: {text}");
                assert!(
                    text.contains("page_field:")
                        && text.contains("state-of-the-client-1") == (endpoint == "authorize")
                );
            }
        }
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
