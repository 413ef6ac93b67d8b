//! What somebody has of an error, read: JSON, XML, the query of a URL, a line of a log.

use std::borrow::Cow;

use serde_json::Value;

use crate::oauth::params::form_decode;
use crate::oauth::references::reference;
use crate::subject::Flow;

/// The most bytes that are read of a text.
const LONGEST: usize = 64 * 1024;
/// How often a text is decoded at most, percent escapes or entities.
const DECODED: usize = 3;
/// How many places of a text, from its beginning and from its end, are tried as the beginning of JSON.
const TRIES: usize = 32;

/// What a text says of an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Values of `error`, `errorCode` and the like.
    pub codes: Vec<String>,
    /// Values of `error_description`, `message` and the like.
    pub texts: Vec<String>,
    /// The flow, where the text names a grant.
    pub flow: Option<Flow>,
    /// The whole text on one line.
    pub plain: String,
    /// Whether a URL says it: what the authorization endpoint sent to the callback.
    pub in_url: bool,
}

impl Told {
    /// Reads a text of any form. Whatever it is, there is something to match. Where nothing is found it is decoded: it may
    /// have been copied out of a page, or be a URL in another.
    pub fn read(text: &str) -> Self {
        let mut text = cut(text);
        let mut told = Told { plain: squeezed(&text), flow: flow(&text), ..Self::default() };
        told.forms(&text);
        for decoded in [unescaped, percent_decoded, percent_decoded, percent_decoded] {
            if !told.is_bare() {
                return told;
            }
            let plainer = decoded(&text);
            if plainer != text {
                told.forms(&plainer);
                told.plain = squeezed(&plainer);
                text = Cow::Owned(plainer);
            }
        }
        told
    }

    fn forms(&mut self, text: &str) {
        self.json(text);
        if self.is_bare() && text.contains("\\\"") {
            self.json(&text.replace("\\\"", "\""));
        }
        self.xml(text);
        if self.is_bare() {
            // Ampersands of a URL are entities in a page.
            self.parameters(&unescaped(text));
        }
    }

    fn is_bare(&self) -> bool {
        self.codes.is_empty() && self.texts.is_empty()
    }

    fn json(&mut self, text: &str) {
        let begins = ['{', '['];
        let last = text.rmatch_indices(begins).take(TRIES);
        for (at, _) in text.match_indices(begins).take(TRIES).chain(last) {
            let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
            if let Some(Ok(value)) = values.next() {
                self.collect(&value);
                if !self.is_bare() {
                    return;
                }
            }
        }
    }

    fn collect(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Object(members) => {
                for (name, value) in members {
                    match (name.as_str(), value) {
                        ("error" | "errorCode" | "exceptionCode" | "error_code", Value::String(code)) => {
                            self.codes.push(code.clone());
                        }
                        (
                            "error_description" | "message" | "errorMessage" | "exceptionMessage",
                            Value::String(text),
                        ) => self.texts.push(squeezed(text)),
                        (_, inner @ (Value::Array(_) | Value::Object(_))) => self.collect(inner),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn xml(&mut self, text: &str) {
        let element = |name: &str| {
            let from = text.find(&format!("<{name}>"))? + name.len() + 2;
            let length = text[from..].find("</")?;
            Some(squeezed(&text[from..from + length]))
        };
        for name in ["error", "errorCode", "exceptionCode", "faultcode"] {
            self.codes.extend(element(name));
        }
        for name in ["error_description", "message", "exceptionMessage", "faultstring"] {
            self.texts.extend(element(name));
        }
    }

    fn parameters(&mut self, text: &str) {
        for (names, into) in
            [(["error", "errorCode"], &mut self.codes), (["error_description", "message"], &mut self.texts)]
        {
            for name in names {
                let Some((at, value)) = parameter(text, name) else { continue };
                let value = squeezed(&value);
                if !value.is_empty() {
                    self.in_url |= is_in_url(&text[..at]);
                    into.push(value);
                }
            }
        }
    }
}

/// The value of `name=value` in a query, a fragment, a form or a line of fields, and where its name stands.
fn parameter(text: &str, name: &str) -> Option<(usize, String)> {
    let key = format!("{name}=");
    let begins = |at: usize| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))
    };
    let at = text.match_indices(&key).map(|(at, _)| at).find(|at| begins(*at))?;
    let rest = text[at + key.len()..].trim_start_matches('\\');
    if let Some(quoted) = quoted(rest) {
        return Some((at, quoted.to_owned()));
    }
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '&' | '"' | '<' | '>' | '#' | ','));
    let value = rest[..end.unwrap_or(rest.len())].trim_end_matches('\'');
    let broken = end.is_some_and(|end| rest[end..].starts_with([' ', '\t']));
    // Words of a log that stand after a bare value belong to it or not: the whole text is looked through instead.
    if broken && !value.contains(['%', '+']) && name.len() > "error".len() {
        return None;
    }
    Some((at, decoded(value)))
}

/// What stands in quotes at the beginning of a text. An apostrophe inside a word ends no single quotes.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inside = &text[1..];
    let closes = |at: usize| {
        quote == '"' || inside[at + 1..].chars().next().is_none_or(|next| !next.is_alphanumeric())
    };
    let end = inside.match_indices(quote).map(|(at, _)| at).find(|at| closes(*at));
    Some(inside[..end.unwrap_or(inside.len())].trim_end_matches('\\'))
}

/// A value of a form. What was encoded several times on its way is decoded as often, as far as that goes.
fn decoded(value: &str) -> String {
    let mut value = form_decode(value).unwrap_or_else(|_| value.to_owned());
    for _ in 0..DECODED {
        let again = percent_decoded(&value);
        if again == value {
            break;
        }
        value = again.replace('+', " ");
    }
    value
}

/// A text without its percent escapes, as far as they are some.
fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Whether what begins at the end of a text is in the query or the fragment of a URL.
fn is_in_url(before: &str) -> bool {
    let word = before.rsplit(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '(')).next();
    word.is_some_and(|word| {
        word.ends_with(['?', '&', '#', ';']) && (word.contains(":/") || word.starts_with('/'))
    })
}

/// A text that is not too long: where it is, its head, its tail, and what is around the last word that speaks of an error.
fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let part = |begin: usize, end: usize| {
        let (mut begin, mut end) = (begin, end.min(text.len()));
        while !text.is_char_boundary(begin) {
            begin += 1;
        }
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        &text[begin..end]
    };
    let quarter = LONGEST / 4;
    let at = ["\"error", "error=", "error_description", "errorCode", "Error:"]
        .iter()
        .find_map(|word| text.rfind(word));
    let around = at.map_or("", |at| part(at.saturating_sub(quarter), at + quarter));
    Cow::Owned([part(0, quarter), around, part(text.len() - quarter, text.len())].join("\n"))
}

/// The flow that a text names by its grant or by the Login Subtype.
fn flow(text: &str) -> Option<Flow> {
    let text = text.to_lowercase();
    let grants = [
        ("grant-type:jwt-bearer", Flow::JwtBearer),
        ("grant-type%3ajwt-bearer", Flow::JwtBearer),
        ("grant-type:saml2-bearer", Flow::SamlBearer),
        ("grant-type%3asaml2-bearer", Flow::SamlBearer),
        ("grant_type=client_credentials", Flow::ClientCredentials),
        ("oauthclientcredential", Flow::ClientCredentials),
        ("grant_type=refresh_token", Flow::RefreshToken),
        ("oauthrefreshtoken", Flow::RefreshToken),
        ("grant_type=authorization_code", Flow::WebServer),
        ("oauthcode", Flow::WebServer),
    ];
    grants.into_iter().find(|(name, _)| text.contains(name)).map(|(_, flow)| flow)
}

/// On one line, with plain quotes and without entities.
pub(super) fn squeezed(text: &str) -> String {
    let plain = unescaped(text)
        .replace(['\u{2019}', '\u{2018}', '\u{2032}'], "'")
        .replace(['\u{201c}', '\u{201d}'], "\"");
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text whose entities of HTML are the letters that they stand for; what was escaped several times is so no more.
fn unescaped(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..DECODED {
        let Some(first) = text.find('&') else { break };
        let mut plain = text[..first].to_owned();
        let mut rest = &text[first..];
        let mut any = false;
        while let Some(at) = rest.find('&') {
            plain.push_str(&rest[..at]);
            rest = &rest[at..];
            let found = reference(rest);
            any |= found.is_some();
            let (letter, length) = found.unwrap_or(('&', 1));
            plain.push(letter);
            rest = &rest[length..];
        }
        plain.push_str(rest);
        text = plain;
        if !any {
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_says_the_same() {
        for text in [
            r#"{"error":"invalid_grant","error_description":"audience is invalid"}"#,
            "HTTP/1.1 400\n\n{\"error_description\":\"audience is invalid\",\"error\":\"invalid_grant\"}",
            r#"2026-01-01 ERROR body="{\"error\":\"invalid_grant\",\"error_description\":\"audience is invalid\"}""#,
            "<OAuth><error_description>audience is invalid</error_description><error>invalid_grant</error></OAuth>",
            "https://a.example/cb?error=invalid_grant&error_description=audience+is%20invalid&state=x",
            "https://a.example/cb#error=invalid_grant&error_description=audience+is+invalid",
            "error=invalid_grant&error_description=audience%20is%20invalid",
            "level=error error=invalid_grant error_description=\"audience is invalid\" n=1",
            "callback({\"error\":\"invalid_grant\",\"error_description\":\"audience is invalid\"})",
            "error='invalid_grant' error_description='audience is invalid' n=1",
            r#"msg="error=\"invalid_grant\" error_description=\"audience is invalid\"""#,
            "{&quot;error&quot;:&quot;invalid_grant&quot;,&quot;error_description&quot;:&quot;audience is invalid&quot;}",
            "&lt;error&gt;invalid_grant&lt;/error&gt;&lt;error_description&gt;audience is invalid&lt;/error_description&gt;",
            "{&amp;quot;error&amp;quot;:&#34;invalid_grant&#x22;,&#34;error_description&#34;:&#34;audience is invalid&#34;}",
            "https://a.example/cb?state=x&amp;error=invalid_grant&amp;error_description=audience+is+invalid",
            "https://a.example/?next=%2Fcb%3Ferror%3Dinvalid_grant%26error_description%3Daudience%2520is%2520invalid",
            "/login?startURL=%252Fcb%253Ferror%253Dinvalid_grant%2526error_description%253Daudience%252Bis%252Binvalid",
            "error=invalid_grant&error_description=audience%2520is%2520invalid",
        ] {
            let told = Told::read(text);
            assert_eq!(
                (told.codes, told.texts),
                (vec!["invalid_grant".to_owned()], vec!["audience is invalid".to_owned()]),
                "{text}"
            );
        }
    }

    #[test]
    fn an_apostrophe_ends_no_quotes() {
        let told = Told::read("error='invalid_grant' error_description='user hasn't approved this consumer'");
        assert_eq!(told.texts, ["user hasn't approved this consumer"]);
        for text in ["hasn&#x27;t &#47; &#x2F;", "hasn&rsquo;t &sol; /", "hasn\u{2019}t / /"] {
            assert_eq!(squeezed(text), "hasn't / /");
        }
        assert_eq!(squeezed("a & b &unknown; &#99999999; &"), "a & b &unknown; &#99999999; &");
    }

    #[test]
    fn of_a_long_text_the_end_is_read_and_what_speaks_of_an_error() {
        let body = r#"{"error":"invalid_grant","error_description":"audience is invalid"}"#;
        let noise = "é noise ".repeat(LONGEST);
        for text in [format!("{body} {noise}"), format!("{noise} {body}")] {
            assert_eq!(Told::read(&text).codes, ["invalid_grant"]);
        }
        assert!(Told::read(&format!("{noise} {body} {noise}")).plain.contains("audience is invalid"));
    }

    #[test]
    fn what_came_in_a_url_is_told_from_what_was_answered() {
        for (text, in_url) in [
            ("https://a.example/cb?state=x&error=access_denied", true),
            ("GET /cb?error=access_denied HTTP/1.1", true),
            ("error=access_denied&state=x", false),
            ("POST https://a.example/token error=access_denied", false),
            (r#"{"error":"access_denied"}"#, false),
        ] {
            assert_eq!(Told::read(text).in_url, in_url, "{text}");
        }
    }

    #[test]
    fn a_grant_in_the_text_names_the_flow() {
        assert_eq!(
            Told::read("grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer 400").flow,
            Some(Flow::JwtBearer)
        );
        assert_eq!(
            Told::read("client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer").flow,
            None
        );
        assert_eq!(Told::read("Remote Access 2.0 OauthRefreshToken").flow, Some(Flow::RefreshToken));
    }
}
