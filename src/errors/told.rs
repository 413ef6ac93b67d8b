//! What somebody has of an error, read: JSON, XML, the query of a URL, a line of a log.

use serde_json::Value;
use std::borrow::Cow;

use crate::oauth::params::form_decode;
use crate::oauth::references::reference;
use crate::subject::Flow;

/// The most bytes that are read of a text.
const LONGEST: usize = 64 * 1024;
/// How many places of a text are tried as the beginning of JSON.
const TRIES: usize = 32;
/// How often an address may stand in another one.
const DEEPEST: usize = 3;

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
}

impl Told {
    /// Reads a text of any form. Whatever it is, there is something to match.
    pub fn read(text: &str) -> Self {
        let text = both_ends(text);
        let text = unescaped(&text);
        let text = text.as_ref();
        let mut told = Told { plain: squeezed(text), flow: flow(text), ..Self::default() };
        told.json(text);
        if told.is_bare() && text.contains("\\\"") {
            told.json(&text.replace("\\\"", "\""));
        }
        told.xml(text);
        // An address may stand in another one, encoded as often.
        let mut text = Cow::Borrowed(text);
        for _ in 0..=DEEPEST {
            if !told.is_bare() {
                break;
            }
            told.parameters(&text);
            let Ok(decoded) = form_decode(&text) else { break };
            if decoded == text {
                break;
            }
            text = Cow::Owned(decoded);
        }
        told
    }

    fn is_bare(&self) -> bool {
        self.codes.is_empty() && self.texts.is_empty()
    }

    fn json(&mut self, text: &str) {
        for (at, _) in text.match_indices(['{', '[']).take(TRIES) {
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
                let value = parameter(text, name).map(|value| squeezed(&decoded(value)));
                into.extend(value.filter(|value| !value.is_empty()));
            }
        }
    }
}

/// The beginning and the end of a text that is too long.
fn both_ends(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let mut begin = LONGEST / 2;
    while !text.is_char_boundary(begin) {
        begin -= 1;
    }
    let mut end = text.len() - LONGEST / 2;
    while !text.is_char_boundary(end) {
        end += 1;
    }
    Cow::Owned(format!("{}\n{}", &text[..begin], &text[end..]))
}

/// A text of a page, with its characters for what stands for them.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('&') || !text.contains(';') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let (c, length) = reference(&rest[at..]).unwrap_or(('&', 1));
        out.push(c);
        rest = &rest[at + length..];
    }
    Cow::Owned(out + rest)
}

/// A value that was encoded once more than it had to be.
fn decoded(value: String) -> String {
    let is_encoded =
        |value: &str| ["%20", "%27", "%2F", "%2f", "%3A"].iter().any(|code| value.contains(code));
    match form_decode(&value) {
        Ok(plain) if is_encoded(&value) => plain,
        _ => value,
    }
}

/// The value of `name=value` in a query, a fragment, a form or a line of fields.
fn parameter(text: &str, name: &str) -> Option<String> {
    let key = format!("{name}=");
    let begins = |at: usize| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))
    };
    let at = text.match_indices(&key).map(|(at, _)| at).find(|at| begins(*at))? + key.len();
    let rest = &text[at..];
    for quote in ['"', '\''] {
        if let Some(quoted) = rest.strip_prefix(quote) {
            return Some(quoted[..quoted.find(quote).unwrap_or(quoted.len())].to_owned());
        }
    }
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '&' | '"' | '<' | '>' | '#' | ','));
    let value = &rest[..end.unwrap_or(rest.len())];
    let broken = end.is_some_and(|end| rest[end..].starts_with([' ', '\t']));
    // Words of a log that stand after a bare value belong to it or not: the whole text is looked through instead.
    if broken && !value.contains(['%', '+']) && name.len() > "error".len() {
        return None;
    }
    Some(form_decode(value).unwrap_or_else(|_| value.to_owned()))
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

/// On one line, with plain quotes.
pub(super) fn squeezed(text: &str) -> String {
    let plain = unescaped(text).replace(['\u{2019}', '\u{2018}', '\u{2032}'], "'");
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
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
            "{&quot;error&quot;:&quot;invalid_grant&quot;,&quot;error_description&quot;:&quot;audience&#x20;is&#32;invalid&quot;}",
            "error='invalid_grant' error_description='audience is invalid'",
            "https://a.example/login?next=%2Fcb%3Ferror%3Dinvalid_grant%26error_description%3Daudience%2520is%2520invalid",
            "https://a.example/cb?error=invalid_grant&error_description=audience%2520is%2520invalid",
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
    fn an_error_at_the_end_of_a_long_text_is_found() {
        let text = format!("{} error=invalid_grant", "é INFO ok ".repeat(400_000));
        assert_eq!(Told::read(&text).codes, ["invalid_grant"]);
        let _ = Told::read(&"{".repeat(3_000_000));
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
