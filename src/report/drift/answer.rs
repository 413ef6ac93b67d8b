//! An answer as a client sees it: status, names of headers, shape of the body, texts.

use serde_json::Value;
use std::collections::BTreeSet;

/// Header fields of which every server has its own, and that say nothing of OAuth.
const OWN: [&str; 13] = [
    // It is of the host, and stands where there is TLS.
    "strict-transport-security",
    "date",
    "content-length",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "server",
    "via",
    "alt-svc",
    "age",
    "x-request-id",
    "server-timing",
    "content-encoding",
];
/// Members whose text a client reads and that are no secret.
const READ: [&str; 7] =
    ["error", "error_description", "token_type", "scope", "active", "errorCode", "message"];
/// How deep the shape of a body is told.
const DEPTH: usize = 4;
/// The longest text that is told whole, in characters.
const LONGEST: usize = 200;

/// What there is to compare of an answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    /// None where nothing came.
    pub status: Option<u64>,
    /// Whether it was sent at once with others.
    pub raced: bool,
    pub redirect: BTreeSet<String>,
    pub headers: BTreeSet<String>,
    pub body: BTreeSet<String>,
    pub text: BTreeSet<String>,
    error: Option<String>,
    bare: bool,
}

impl Answer {
    /// Whether it is what a person's browser brought: nothing of it is known but the way back, and no server sends so little.
    pub(super) fn is_of_a_browser(&self) -> bool {
        self.bare
    }

    /// Whether it leads on.
    pub(super) fn is_redirect(&self) -> bool {
        self.status.is_some_and(|status| (300..400).contains(&status))
    }

    /// Its status as a word.
    pub(super) fn told_status(&self) -> String {
        self.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string())
    }

    /// Its status and its error.
    pub(super) fn told(&self) -> String {
        match &self.error {
            Some(error) => format!("{} {error}", self.told_status()),
            None => self.told_status(),
        }
    }
}

/// The answer of a row of the transcript; none where the row is none.
pub(super) fn answer(row: &Value) -> Option<Answer> {
    row.as_object()?;
    let raced = row.get("race").is_some_and(|race| !race.is_null());
    let Some(response) = row.get("response").filter(|response| response.is_object()) else {
        return Some(Answer { raced, ..Answer::default() });
    };
    let mut answer = Answer { raced, status: response["status"].as_u64(), ..Answer::default() };
    let mut html = false;
    let names = response["headers"].as_array().into_iter().flatten().filter_map(|field| field[0].as_str());
    answer.bare = names.map(str::to_ascii_lowercase).eq(["location"]);
    for field in response["headers"].as_array().into_iter().flatten() {
        let (Some(name), value) = (field[0].as_str(), field[1].as_str().unwrap_or("")) else { continue };
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "location" => redirect(&mut answer, value),
            "content-type" => {
                html = value.contains("html");
                let kind = value.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
                answer.headers.insert(format!("content-type {kind}"));
                continue;
            }
            _ => {}
        }
        if !OWN.contains(&name.as_str()) {
            answer.headers.insert(name);
        }
    }
    let body = response["body"].as_str().unwrap_or("").trim();
    match serde_json::from_str::<Value>(body) {
        Ok(value) if !body.is_empty() => {
            shape(&mut answer.body, "", &value, DEPTH);
            texts(&mut answer, &value);
        }
        _ if body.is_empty() => {}
        // An error of the authorization endpoint is shown as a query (Salesforce Help: OAuth 2.0 Authorization Errors).
        _ if body.starts_with("error=") => {
            answer.body.insert("a query".to_owned());
            let told: std::collections::BTreeMap<String, String> =
                url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
            texts(&mut answer, &serde_json::json!(told));
        }
        _ if html || body.starts_with('<') => {
            answer.body.insert("a page".to_owned());
        }
        _ => {
            answer.body.insert("text".to_owned());
            answer.text.insert(body.chars().take(LONGEST).collect());
        }
    }
    Some(answer)
}

/// The parameters that a redirect carries, and the texts of an error among them.
fn redirect(answer: &mut Answer, location: &str) {
    let Some((_, query)) = location.split_once(['?', '#']) else { return };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if matches!(&*name, "error" | "error_description") {
            answer.text.insert(format!("{name} {value}"));
        }
        answer.redirect.insert(name.into_owned());
    }
}

/// Members with their types, by their paths.
fn shape(into: &mut BTreeSet<String>, path: &str, value: &Value, deep: usize) {
    let told = |kind: &str| if path.is_empty() { kind.to_owned() } else { format!("{path}: {kind}") };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(items) => {
            into.insert(told("array"));
            if deep > 0 {
                items.iter().for_each(|item| shape(into, &format!("{path}[]"), item, deep - 1));
            }
            return;
        }
        Value::Object(members) => {
            into.insert(told("object"));
            if deep > 0 {
                for (name, member) in members {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    shape(into, &path, member, deep - 1);
                }
            }
            return;
        }
    };
    into.insert(told(kind));
}

/// Texts of members that a client reads; of an error also its short form.
fn texts(answer: &mut Answer, value: &Value) {
    let members = match value {
        Value::Array(items) => items.first().and_then(Value::as_object),
        value => value.as_object(),
    };
    let Some(members) = members else { return };
    let text = |name: &str| {
        let text = match members.get(name)? {
            Value::String(text) => text.clone(),
            Value::Bool(flag) => flag.to_string(),
            _ => return None,
        };
        // A set has no order (RFC 6749 §3.3).
        if name == "scope" {
            let mut scopes: Vec<&str> = text.split_whitespace().collect();
            scopes.sort_unstable();
            return Some(scopes.join(" "));
        }
        Some(text.chars().take(LONGEST).collect::<String>())
    };
    for name in READ {
        answer.text.extend(text(name).map(|text| format!("{name} {text}")));
    }
    let code = text("error").or_else(|| text("errorCode"));
    let words = text("error_description").or_else(|| text("message"));
    answer.error = match (code, words) {
        (Some(code), Some(words)) => Some(format!("{code} ({words})")),
        (code, words) => code.or(words),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(headers: Value, body: &str) -> Answer {
        answer(&json!({ "response": { "status": 200, "headers": headers, "body": body } })).unwrap()
    }

    #[test]
    fn a_redirect_is_compared_by_its_parameters() {
        let back = of(
            json!([["location", "https://a/cb?error=access_denied&error_description=no+way&state=x"]]),
            "",
        );
        assert_eq!(back.redirect.iter().collect::<Vec<_>>(), ["error", "error_description", "state"]);
        assert!(back.text.contains("error_description no way"));
    }

    #[test]
    fn bodies_have_a_shape_whatever_they_are() {
        let shape = |body: &str| of(json!([]), body).body.into_iter().collect::<Vec<_>>();
        assert_eq!(
            shape(r#"{"a":{"b":[1,"x"]}}"#),
            ["a.b: array", "a.b[]: number", "a.b[]: string", "a: object", "object"]
        );
        assert_eq!(shape("<html>"), ["a page"]);
        assert_eq!(shape("Bad_OAuth_Token"), ["text"]);
        assert_eq!(shape(""), [""; 0]);
        let shown =
            of(json!([]), "error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match");
        assert_eq!(shown.told(), "200 redirect_uri_mismatch (redirect_uri must match)");
        let api =
            of(json!([]), r#"[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]"#);
        assert_eq!(api.told(), "200 INVALID_SESSION_ID (Session expired or invalid)");
    }

    #[test]
    fn what_did_not_come_is_no_answer() {
        assert_eq!(answer(&json!({ "failure": {} })).unwrap().told(), "no answer");
        assert!(answer(&Value::Null).is_none());
    }
}
