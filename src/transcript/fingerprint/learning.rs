//! Where secrets are learnt: from what a target says, and from each exchange.

use scraper::{Html, Selector};
use serde_json::Value;
use std::sync::LazyLock;

use super::names::{Named, kind_of, named_values, parts};
use super::{EVERYDAY, Redactor, SHORTEST, STRONG, is_strong, is_word};
use crate::oauth::params::form_decode;
use crate::oauth::{Endpoint, Params, from_base64};
use crate::subject::{Brought, Login, Page, Subject, Target};
use crate::transcript::encodings::basic;
use crate::transcript::{Answer, Exchange};

/// Schemes of `Authorization`: words of every report, wherever they stand.
const SCHEMES: &[&str] = &["basic", "bearer", "digest", "oauth"];

impl Redactor {
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
    pub(in crate::transcript) fn learn_subject(&mut self, subject: &Subject) {
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
                if kind_of(name).is_none() && !self.names.contains_key(name) {
                    self.learn_open(value);
                    self.learn_open(&without_controls(value));
                }
            }
        }
        self.learn_params(request.query());
        self.learn_params(request.form());
        self.learn_text(&request.url, |_| false);
        self.learn_headers(&request.headers);
        self.learn_text(&request.body, |_| false);
        parts(&request.body).into_iter().for_each(|named| self.learn_named(named));
        if let Answer::Response(response) = &exchange.answer {
            self.learn_headers(&response.headers);
            self.learn_text(&response.body, is_remark);
            if walks {
                self.learn_hidden_fields(&response.body);
            }
        }
    }

    fn learn_params(&mut self, params: &Params) {
        for (name, value) in params.iter() {
            match self.names.get(name) {
                Some(kind) => self.learn(kind, value),
                None => match Named::of(name, value) {
                    Some(named) => self.learn_named(named),
                    // What is carried in it: an address to go back to, a form in JSON.
                    None => {
                        self.learn_address(value);
                        self.learn_text(value, |_| false);
                    }
                },
            }
        }
        if let (Some(id), Some(secret)) = (params.get("client_id"), params.get("client_secret")) {
            self.learn_basic(id, secret);
        }
    }

    /// Learns the parameters of an address.
    fn learn_address(&mut self, url: &str) {
        url.split(['?', '#']).skip(1).for_each(|part| self.learn_params(&Params::read_lossy(part)));
    }

    /// Learns what is secret by its name. A word that says how something stands is none: `"session": "active"`.
    fn learn_named(&mut self, Named { kind, name, value }: Named) {
        if kind == "session" && is_plain_word(value) {
            return;
        }
        if value.len() < SHORTEST {
            self.learn_name(kind, name);
        }
        self.learn(kind, value);
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
                "authorization" | "proxy-authorization" => self.learn_authorization(value),
                "cookie" => {
                    for pair in value.split(';') {
                        self.learn_cookie(pair);
                    }
                }
                "set-cookie" => {
                    self.learn_cookie(value.split(';').next().unwrap_or(""));
                }
                name if name.ends_with("authorization") => self.learn_authorization(value),
                _ => {
                    Named::of(name, value).into_iter().for_each(|named| self.learn_named(named));
                    self.learn_address(value);
                    self.learn_text(value, |_| false);
                }
            }
        }
    }

    fn learn_cookie(&mut self, pair: &str) {
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        match Named::of(name.trim(), value.trim()) {
            Some(named) if !is_remark(&named) => self.learn("cookie", named.value),
            _ => self.learn_unnamed("cookie", "", value.trim()),
        }
    }

    fn learn_authorization(&mut self, value: &str) {
        let words: Vec<&str> = value.split_whitespace().collect();
        let basic = words.first().is_some_and(|word| word.eq_ignore_ascii_case("basic"));
        if let Some(halves) = words.get(1).filter(|_| basic).and_then(|word| from_base64(word)) {
            let halves = String::from_utf8_lossy(&halves);
            let secret = halves.split_once(':').map_or("", |(_, secret)| secret);
            self.learn("client_secret", secret);
            self.learn("client_secret", &decoded(secret));
        }
        // Each word by itself: a judge has to see that there are two where one should be.
        for word in words.iter().skip(usize::from(words.len() > 1)) {
            if !SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme)) {
                self.learn(if basic { "basic" } else { "access_token" }, word);
            }
        }
    }

    /// Learns the secrets of a text, whatever it is: an address, JSON with a name that stands twice or with a slip in it,
    /// XML, a form. What cannot be read can still be told, and must not be. `skip` says what is none whatever its name.
    fn learn_text(&mut self, text: &str, skip: fn(&Named) -> bool) {
        if let Ok(value) = serde_json::from_str::<Value>(text) {
            self.learn_json("", &value, 0, skip);
        }
        // `code` stands beside much that is no secret, and a word beside a name, as in prose, could not be searched for.
        for named in named_values(text) {
            if named.kind == "code" || named.value.len() < SHORTEST || skip(&named) {
                continue;
            }
            let Named { kind, name, value } = named;
            let plain =
                value.contains('&').then(|| Html::parse_fragment(value).root_element().text().collect());
            let plain: String = plain.unwrap_or_default();
            let forms = [value, &decoded(value), &plain];
            forms.into_iter().for_each(|value| self.learn_named(Named { kind, name, value }));
        }
    }

    /// Learns what is secret in a JSON value, which stands that deep in another under that name.
    fn learn_json(&mut self, name: &str, value: &Value, depth: usize, skip: fn(&Named) -> bool) {
        let text = match value {
            Value::Object(members) => {
                // `{"name": "client_secret", "value": "..."}`, and `{"client_secret": {"value": "..."}}`.
                let called = ["name", "key"].iter().find_map(|key| members.get(*key)?.as_str());
                for (member, value) in members {
                    let is_value = ["plain", "raw", "value"].contains(&member.as_str());
                    let name = if is_value { called.unwrap_or(name) } else { member };
                    self.learn_json(name, value, depth + 1, skip);
                }
                return;
            }
            Value::Array(items) => {
                return items.iter().for_each(|item| self.learn_json(name, item, depth, skip));
            }
            Value::String(text) => text,
            Value::Number(number) if number.is_u64() => &number.to_string(),
            _ => return,
        };
        self.learn_address(text);
        let Some(named) = Named::of(name, text).filter(|named| !skip(named)) else { return };
        // Of errors, `code` says which.
        if named.kind != "code" || (depth == 1 && !is_word(text)) {
            self.learn_named(named);
        }
    }

    /// Hidden fields of a page guard a form against forgery; they are as good as a session while it lives.
    fn learn_hidden_fields(&mut self, html: &str) {
        for (name, value) in hidden_fields(html) {
            self.learn_unnamed("page_field", &name, &value);
        }
    }

    /// Learns a value whose name says nothing: a cookie, a hidden field. What the client itself asked for, an address and words of the
    /// protocol are nobody's secret; of an address, what it carries may be one.
    fn learn_unnamed(&mut self, kind: &'static str, name: &str, value: &str) {
        if self.is_public(value) {
            return;
        }
        if ["/", "http://", "https://"].iter().any(|start| value.starts_with(start)) {
            self.learn_address(value);
            for part in value.split(['?', '#']).skip(1) {
                let carried = Params::read_lossy(part);
                let secret = carried.iter().filter(|(_, value)| is_strong(value) && !self.is_public(value));
                let secret: Vec<String> = secret.map(|(_, value)| value.to_owned()).collect();
                secret
                    .iter()
                    .filter(|value| !value.contains("://"))
                    .for_each(|value| self.learn(kind, value));
            }
            return;
        }
        if value.len() < SHORTEST {
            self.learn_name(kind, name);
        }
        self.learn(kind, value);
    }

    fn is_public(&self, value: &str) -> bool {
        let known = |text: &str| self.open.contains(text) || self.open.contains(&without_controls(text));
        let mut words = value.split([' ', '+', ',', ';']).filter(|word| !word.is_empty());
        known(value) || words.all(|word| known(word) || is_protocol_word(word)) || EVERYDAY.contains(&value)
    }
}

/// A value as it is behind its percent escapes, as far as it can be read.
fn decoded(value: &str) -> String {
    form_decode(value).unwrap_or_else(|_| value.to_owned())
}

/// A value without what pages do not carry as it is: NUL, line ends.
fn without_controls(value: &str) -> String {
    value.chars().filter(|c| !c.is_control() && *c != '\u{fffd}').collect()
}

/// Whether an answer speaks of something secret in place of telling it: `"password": "is too short"`.
fn is_remark(named: &Named) -> bool {
    let token = named.kind.ends_with("_token") || named.kind == "assertion";
    !token && (named.value.contains(char::is_whitespace) || is_plain_word(named.value))
}

/// Whether a text is made of words in small letters, as errors, scopes and media types are: `invalid_grant`, `text/html`.
fn is_protocol_word(text: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_lowercase() || b"_-".contains(&b);
    text.split(['/', '.', ':']).all(|word| !word.is_empty() && word.len() < 24 && word.bytes().all(is_letter))
}

/// Whether a value is a short word in small letters, as protocols have them.
fn is_plain_word(value: &str) -> bool {
    value.len() < STRONG && value.bytes().all(|b| b.is_ascii_lowercase() || b"_-".contains(&b))
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
