//! Fingerprints instead of secrets: the same value gives the same fingerprint within a run, and
//! nothing else can be learnt from it.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

mod learning;
mod names;

use super::beside::Beside;
use super::encodings::{encodings, whole};
use super::needles::{Needle, Needles};
use crate::oauth::hmac_sha256;
use crate::subject::Subject;
use names::{PARAMS, is_kind, kind_of};

/// Values below this length are replaced only where their name stands beside them: `a` is no secret
/// that could be searched for in a text.
const SHORTEST: usize = 6;

/// From this length on, a value with more than letters in it is replaced wherever it stands, in the middle of a word as
/// well: no word of a report or a protocol happens to hold it.
const STRONG: usize = 12;

/// From this length on, a long part of what has no name that says that it is secret is as good as the whole.
const UNNAMED: usize = 40;

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

/// Whether a parameter of that name has a secret value, whoever sends it.
pub fn is_secret_parameter(name: &str) -> bool {
    kind_of(name).is_some()
}

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
            // It begins with the client id; the secret in it is looked for by itself.
            // What has no name of its own may be an address, of which a part is known to everybody.
            let unnamed = ["cookie", "page_field", "parameter"].contains(kind) && value.len() < UNNAMED;
            let parts = *kind != "basic" && !unnamed;
            // What has to stand alone does not stand inside something longer.
            let forms = if alone { whole(value) } else { encodings(value) };
            needles.extend(forms.into_iter().map(|text| Needle {
                text,
                stand_in: print.clone(),
                alone,
                word,
                parts,
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

/// Whether a text is a fingerprint already, as in a recording that was read back.
fn is_fingerprint(text: &str) -> bool {
    let hex = |digits: &str| digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    text.split_once(':').is_some_and(|(kind, print)| is_kind(kind) && hex(print))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::params::form_encode;
    use crate::subject::Target;

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
    fn a_secret_that_was_written_in_two_ways_at_once_is_replaced() {
        use crate::oauth::base64;
        let secret = "aPrx+secret/code==";
        let mut redactor = Redactor::new([7; 32]);
        redactor.learn("code", secret);
        let print = redactor.fingerprint("code", secret);
        let colons = secret.bytes().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":");
        let escapes: String = secret.bytes().map(|b| format!("\\x{b:02X}")).collect();
        for text in [colons, escapes, form_encode(&base64(secret))] {
            assert_eq!(redactor.scrub(&format!("<{text}>")), format!("<{print}>"), "{text}");
        }
        // Of what stands in base64 in something else, the letters at both ends have bits of their neighbours.
        for text in
            [base64(base64(secret)), base64(form_encode(secret)), base64(format!("c={}", base64(secret)))]
        {
            assert_eq!(redactor.kinds_in(&format!("<{text}>")), ["code"], "{text}");
            assert!(!redactor.scrub(&text).contains(&text[8..28]), "{text}");
        }
        // Others of the same look are none.
        let other = "bQsy+tecret/dode==";
        for text in [base64(base64(other)), base64(form_encode(other))] {
            assert_eq!(redactor.scrub(&text), text);
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
            // UTF-16, as whoever takes it for UTF-8 reads it.
            (token.chars().map(|c| format!("{c}\0")).collect(), "access_token"),
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
    fn http_basic_is_a_secret_and_the_client_id_in_it_is_none() {
        use crate::oauth::base64;
        use crate::transcript::{Request, script};
        let (id, secret) = ("main-client-of-an-app-with-a-name-that-goes-on-and-on", "s3cr3t+of/the.app=1");
        let mut transcript = script::read("> POST token grant_type=x\n< 200 {}\n");
        let field = format!("Basic {}", base64(format!("{id}:{}", form_encode(secret))));
        let headers = vec![("Authorization".to_owned(), field.clone())];
        transcript.exchanges[0].request =
            Request::new("POST", "https://a.test/token", headers, String::new());
        let mut redactor = Redactor::new([7; 32]);
        transcript.exchanges.iter().for_each(|x| redactor.learn_exchange(x));
        assert_eq!(redactor.kinds_in(&field), ["basic"]);
        for told in [secret.to_owned(), form_encode(secret), base64(format!("x:{secret}"))] {
            assert_eq!(redactor.kinds_in(&told), ["client_secret"], "{told}");
        }
        let public = base64(format!("{{\"aud\":\"{id}\"}}"));
        assert_eq!(redactor.scrub(&public), public);
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

    /// An error that a server keeps in a cookie, and a page it goes back to, stand in every other answer as well.
    #[test]
    fn what_everybody_says_is_no_secret_in_a_cookie_or_a_hidden_field_either() {
        use crate::transcript::script;
        for value in [
            "invalid_grant",
            "application/json",
            "https://org.example/token?x",
            "/authorize",
            "refresh_token openid api",
        ] {
            for page in [
                format!("< 200 ok\n< Set-Cookie: last={value}\n"),
                format!("< 200 <form><input type=hidden name=last value='{value}'></form>\n"),
            ] {
                let transcript = script::read(&format!("> GET authorize state=x\n{page}"));
                let mut redactor = Redactor::new([7; 32]);
                transcript.exchanges.iter().for_each(|x| redactor.learn_exchange(x));
                let said = format!("400 {value} at https://org.example/token and /authorize");
                assert_eq!(redactor.scrub(&said), said, "{page}");
            }
        }
        let page = "< 200 ok\n< Set-Cookie: back=/go?source=CAAAAZ0abcdef0123456\n";
        let transcript = script::read(&format!("> GET authorize state=x\n{page}"));
        let mut redactor = Redactor::new([7; 32]);
        transcript.exchanges.iter().for_each(|x| redactor.learn_exchange(x));
        assert_eq!(redactor.kinds_in("source=CAAAAZ0abcdef0123456"), ["cookie"]);
    }

    /// Pages say some letters otherwise, and what the client asked for is nobody's secret all the same.
    #[test]
    fn what_the_client_asked_for_is_open_however_a_page_carries_it() {
        use crate::transcript::script;
        for (state, field) in
            [("a%0D%0Ab", "a&#10;b"), ("a%00b", "a&#0;b"), ("a%01b", "a&#1;b"), ("a+b", "a b")]
        {
            let transcript = script::read(&format!(
                "> GET authorize state={state}\n< 200 <form><input type=hidden name=state value='{field}'></form>\n\
                 > GET authorize state={state}\n< 302\n< Location: https://client.test/cb?state={state}\n"
            ));
            let text = crate::transcript::write(&transcript, &mut Redactor::new([7; 32]));
            assert!(!text.contains("page_field"), "{text}");
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
            r#"{"lightning_sid":"first-secret-1","frontdoor_uri":"https://a.test/secur/frontdoor.jsp?otp=second-secret-2&cshc=1"}"#,
            r#"{"user":{"sessions":[{"sessionId":"first-secret-1"}],"api_key":"second-secret-2"}}"#,
            r#"{"clientSecret":"first-secret-1","registration_access_token":"second-secret-2"}"#,
            r#"{"token":{"value":"first-secret-1"},"x":[{"name":"client_secret","value":"second-secret-2"}]}"#,
            r#"{"tokens":["first-secret-1"],"password1":"second-secret-2"}"#,
            r#"{"echo":"{\"refreshToken\":\"first-secret-1\"}","otp":12345678}"#,
            "<s:sessionId>first-secret-1</s:sessionId><a href='/x;jsessionid=second-secret-2'>",
            "<password a='1'><![CDATA[first-secret-1]]></password>",
        ] {
            let transcript = script::read(&format!("> POST token grant_type=x\n< 200 {body}\n"));
            let text = crate::transcript::write(&transcript, &mut Redactor::new([7; 32]));
            for secret in ["first-secret-1", "second-secret-2", "0123456789abcdef", "12345678"] {
                assert!(!text.contains(secret), "{body}: {text}");
            }
        }
    }

    #[test]
    fn a_secret_is_learnt_from_every_part_of_a_request() {
        use crate::transcript::{Request, script};
        let secret = "first-secret-1";
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        let referer = format!("https://client.test/cb?code={secret}&state=x");
        let forwarded = format!("Bearer {secret}");
        for (url, header, body) in [
            (format!("https://a.test/api?sid={secret}"), ("x", "y"), String::new()),
            (format!("https://a.test/api;jsessionid={secret}?x=1"), ("x", "y"), String::new()),
            ("https://a.test/api".into(), ("X-SFDC-Session", secret), String::new()),
            ("https://a.test/api".into(), ("X-Api-Key", secret), String::new()),
            ("https://a.test/api".into(), ("Referer", referer.as_str()), String::new()),
            ("https://a.test/api".into(), form, format!("Client_Secret={secret}")),
            ("https://a.test/api".into(), form, format!("client_secret%5B%5D={secret}")),
            ("https://a.test/api".into(), form, format!("next=https%3A%2F%2Fx.test%2Fcb%3Fcode%3D{secret}")),
            (
                "https://a.test/api".into(),
                form,
                format!("message=%7B%22client_secret%22%3A%22{secret}%22%7D"),
            ),
            (format!("https://a.test/api?startURL=%2Fsetup%3Fsid%3D{secret}"), ("x", "y"), String::new()),
            ("https://a.test/api".into(), ("X-Forwarded-Authorization", &forwarded), String::new()),
            (
                "https://a.test/api".into(),
                ("Content-Type", "multipart/form-data; boundary=b"),
                format!(
                    "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n{secret}\r\n--b--\r\n"
                ),
            ),
            (
                "https://a.test/api".into(),
                ("Content-Type", "text/xml"),
                format!("<u:login><u:username>ann</u:username><u:password>{secret}</u:password></u:login>"),
            ),
        ] {
            let mut transcript = script::read("> POST page\n< 200 ok\n");
            let headers = vec![(header.0.to_owned(), header.1.to_owned())];
            transcript.exchanges[0].request = Request::new("POST", &url, headers, body.clone());
            transcript.exchanges[0].tweak = Some(format!("with {secret}"));
            let text = crate::transcript::write(&transcript, &mut Redactor::new([7; 32]));
            assert!(!text.contains(secret), "{url} {header:?} {body}: {text}");
        }
    }

    #[test]
    fn what_an_answer_says_of_a_secret_is_none() {
        use crate::transcript::script;
        let said = r#"{"errors":{"password":"must not be empty","client_secret":["is required"],"session":"expired"}}"#;
        let sent = "password=correcthorse&api_key=battery";
        let transcript = script::read(&format!("> POST token {sent}\n< 400 {said}\n"));
        let text = crate::transcript::write(&transcript, &mut Redactor::new([7; 32]));
        assert!(text.contains("must not be empty") && text.contains("is required"), "{text}");
        assert!(!text.contains("correcthorse") && !text.contains("battery"), "{text}");
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
