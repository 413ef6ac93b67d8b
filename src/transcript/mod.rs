//! The record: every request that was sent with what came back, in order, under the subject that it
//! is about. Playing writes it, judges read it, and nothing is judged that does not stand here.

mod beside;
mod chance;
mod elsewhere;
mod encodings;
mod facts;
mod fingerprint;
mod har;
mod needles;
pub mod questions;
mod readings;
mod record;
mod replay;
pub mod script;

pub use chance::tell_apart;
pub(crate) use chance::{APART, bits_apart, most_bits};
pub use encodings::encodings;
pub use facts::{AssertionFacts, Facts, PRIVATE, TokenFacts, verify_id_token, verify_id_tokens};
pub use fingerprint::{NOTHING, Redactor, is_secret_parameter};
pub use har::{NoHar, is_har, read_har};
pub use record::{Unreadable, read, write};
pub(crate) use record::{redact, rows};
pub use replay::{Recording, Replay, Replayed, Taken};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

use crate::oauth::jwt::Jwt;
use crate::oauth::message::{ErrorResponse, TokenResponse};
use crate::oauth::{Endpoint, Params};
use crate::subject::{Endpoints, NamedCredential, Subject, Waiver};

/// What some servers put before a JSON text; whoever reads it may pass it over (RFC 8259 §8.1).
const BOM: char = '\u{feff}';

/// The ordered record of exchanges with one subject.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    /// What is known of the party under test.
    pub subject: Subject,
    /// In the order in which the requests were begun.
    pub exchanges: Vec<Exchange>,
    /// What the server was set up for in single scenarios, by the name that their exchanges bear.
    pub settings: BTreeMap<String, crate::subject::Settings>,
    /// What the whole subject is let off, and why.
    pub waive: Vec<Waiver>,
    /// What the subject is let off in single scenarios, by the name that their exchanges bear.
    pub waive_in: BTreeMap<String, Vec<Waiver>>,
    /// Where a client program found its surroundings in single scenarios and what it left there, by the same names.
    pub staged: BTreeMap<String, Staged>,
}

/// The surroundings of a client program in one scenario: each play has addresses of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Staged {
    /// Where the org answered.
    pub endpoints: Endpoints,
    /// Callback URLs of the apps that had others than the subject's, by role.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redirect_uris: BTreeMap<String, Vec<String>>,
    /// How many processes of the program there were at a time.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub processes: u32,
    /// How many calls it was told to make, all its processes and starts together.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub calls: u32,
    /// How many of them at a time, in each of its processes.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub concurrency: u32,
    /// Whether it was given a place for its tokens that its processes and its starts share.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub store: bool,
    /// Whether it was killed on the way and started again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub killed: bool,
    /// What the program was told besides, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, String>,
    /// What the program left besides its requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traces: Vec<Trace>,
}

/// How the place of what everybody on the machine can read is told: what processes were started with.
pub const ARGUMENTS: &str = "arguments of its processes";
/// How the place of a file is told that lies in the folder for temporary ones.
pub const TEMPORARY: &str = "temporary";

/// Something that a client program left besides its requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Where: `standard output`, `standard error`, or a file.
    pub place: String,
    /// How long it is, in bytes.
    pub bytes: usize,
    /// The kinds of secrets of the play that stand in it, in whatever encoding; each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<String>,
    /// Of a file: who may do what with it, as Unix has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
}

fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_one(number: &u32) -> bool {
    *number == 1
}

impl Default for Staged {
    fn default() -> Self {
        let endpoints = Endpoints::default();
        Self {
            endpoints,
            redirect_uris: BTreeMap::new(),
            processes: 1,
            calls: 1,
            concurrency: 1,
            store: false,
            killed: false,
            args: BTreeMap::new(),
            traces: Vec::new(),
        }
    }
}

impl Staged {
    /// The Named Credential that the program was to be.
    pub fn named_credential(&self) -> Option<NamedCredential> {
        NamedCredential::of(self.args.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// A subject in these surroundings.
    pub fn around(&self, subject: &Subject) -> Subject {
        let mut subject = Subject {
            endpoints: self.endpoints.clone(),
            named_credential: self.named_credential(),
            ..subject.clone()
        };
        for (role, uris) in &self.redirect_uris {
            if let Some(app) = subject.apps.get_mut(role) {
                app.redirect_uris.clone_from(uris);
            }
        }
        subject
    }
}

/// What an exchange was made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// A step of the scenario itself.
    #[default]
    Scenario,
    /// The positive control of a refusal.
    Control,
    /// Cleaning up afterwards.
    Cleanup,
}

/// One request with its answer.
#[derive(Clone)]
pub struct Exchange {
    /// Position in the transcript, from 0.
    pub number: usize,
    /// How many exchanges of the record had begun when this one was answered: who began later, began after it. One more
    /// than `number` where requests are played one after another.
    pub over_at: usize,
    /// Scenario that made it.
    pub scenario: String,
    /// What it was made for.
    pub part: Part,
    /// Position of the step in its scenario, from 0.
    pub step: usize,
    /// What the step does (`redeem`, `call`, ...).
    pub action: String,
    /// The edit that makes the request differ from a well-formed one, in words.
    pub tweak: Option<String>,
    /// Kind of endpoint.
    pub endpoint: Endpoint,
    /// Role of the app that it was made for.
    pub app: String,
    /// Role of the user that it was made for.
    pub user: Option<String>,
    /// When the request was begun, by the org's clock where it is ours, in milliseconds since the epoch.
    pub at: i64,
    /// From begin to end, in microseconds of real time.
    pub took: u64,
    /// Which race it took part in, where requests were released together.
    pub race: Option<u32>,
    /// What was sent.
    pub request: Request,
    /// What came back.
    pub answer: Answer,
    /// What can be told of secrets without telling them.
    pub facts: Facts,
}

/// What was sent. `Debug` shows no content.
#[derive(Clone, Default, PartialEq)]
pub struct Request {
    /// HTTP method.
    pub method: String,
    /// Absolute URL.
    pub url: String,
    /// Header fields in order.
    pub headers: Vec<(String, String)>,
    /// Body as text.
    pub body: String,
    query: Params,
    form: Params,
}

/// What came back. `Debug` shows no content.
#[derive(Clone, PartialEq)]
pub enum Answer {
    /// A response.
    Response(Response),
    /// No response; why, in words.
    Nothing(Failure),
}

/// A response of a peer.
#[derive(Clone, Default, PartialEq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Header fields in order.
    pub headers: Vec<(String, String)>,
    /// Body as text, cut at a limit.
    pub body: String,
    json: Option<Value>,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "why", rename_all = "kebab-case")]
pub enum Failure {
    /// The peer could not be reached: nobody's fail.
    Unreachable(String),
    /// It accepted the connection and did not answer within the limit (milliseconds): its fail.
    TimedOut(u64),
    /// It closed or broke the connection, or what it sent is no HTTP: its fail.
    Broken(String),
    /// A recording was asked in its place and does not say: nobody's fail.
    Unrecorded,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unreachable(why) => write!(f, "could not be reached: {why}"),
            Failure::TimedOut(limit) => write!(f, "no answer within {limit} ms"),
            Failure::Broken(why) => write!(f, "the connection broke: {why}"),
            Failure::Unrecorded => f.write_str("the recording has no answer to this request"),
        }
    }
}

impl Request {
    /// A request as it goes out.
    pub fn new(method: &str, url: &str, headers: Vec<(String, String)>, body: String) -> Self {
        let query = url.split('#').next().and_then(|u| u.split_once('?')).map_or("", |(_, query)| query);
        let form = header(&headers, "content-type")
            .is_some_and(|t| t.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded"));
        Self {
            query: Params::read_lossy(query),
            form: if form { Params::read_lossy(&body) } else { Params::new() },
            method: method.to_owned(),
            url: url.to_owned(),
            headers,
            body,
        }
    }

    /// A request that is ready to go out.
    pub fn of(request: &http::Request<bytes::Bytes>) -> Self {
        let headers = request
            .headers()
            .iter()
            .map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
            .collect();
        let body = String::from_utf8_lossy(request.body()).into_owned();
        Self::new(request.method().as_str(), &request.uri().to_string(), headers, body)
    }

    /// Parameters of the URL.
    pub fn query(&self) -> &Params {
        &self.query
    }

    /// Parameters of a form body.
    pub fn form(&self) -> &Params {
        &self.form
    }

    /// A header field, first of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The token of an `Authorization: Bearer` header.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        (scheme.eq_ignore_ascii_case("bearer") || scheme == "OAuth").then_some(token)
    }

    /// Path of the URL.
    pub fn path(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        let path = rest.find('/').map_or("/", |slash| &rest[slash..]);
        path.split(['?', '#']).next().unwrap_or("/")
    }
}

impl Response {
    /// A response as it came in.
    pub fn new(status: u16, headers: Vec<(String, String)>, body: String) -> Self {
        let json = serde_json::from_str(&body).ok().or_else(|| {
            // What is signed says the same in other words (OpenID Connect Core §5.3.2).
            let jwt = is_jwt(&headers).then(|| Jwt::read(body.trim()).ok()).flatten()?;
            Some(Value::Object(jwt.claims))
        });
        Self { status, headers, json, body }
    }

    /// A header field, first of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Every field of a name, with commas between them (RFC 9110 §5.2).
    pub fn header_list(&self, name: &str) -> String {
        let values =
            self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str());
        values.collect::<Vec<_>>().join(", ")
    }

    /// Whether the answer calls itself a JWT (RFC 7519 §10.3.1).
    pub fn is_jwt(&self) -> bool {
        is_jwt(&self.headers)
    }

    /// The body, where it is JSON, or the claims of the JWT that it is.
    pub fn json(&self) -> Option<&Value> {
        self.json.as_ref()
    }

    /// Where it redirects to: the URL without query and fragment, and the parameters of the query.
    pub fn redirect(&self) -> Option<(String, Params)> {
        if !(300..400).contains(&self.status) {
            return None;
        }
        let location = self.header("location")?;
        let whole = location.split('#').next().unwrap_or(location);
        let (base, query) = whole.split_once('?').unwrap_or((whole, ""));
        Some((base.to_owned(), Params::read_lossy(query)))
    }

    /// `200`, or `400 invalid_grant (expired authorization code)`, or what else tells it apart, on one line.
    pub fn one_line(&self) -> String {
        if let Some((base, params)) = self.redirect() {
            return match ErrorResponse::from_params(&params) {
                Some(error) => format!("{} redirect to {base} with {}", self.status, error.one_line()),
                None if params.get("code").is_some() => {
                    format!("{} redirect to {base} with a code", self.status)
                }
                None => format!("{} redirect to {base}", self.status),
            };
        }
        if TokenResponse::read(&self.body).is_some() {
            return format!("{} with an access token", self.status);
        }
        if let Some(active) = self.json.as_ref().and_then(|json| json.get("active")) {
            return format!("{} with active: {active}", self.status);
        }
        if let Some(error) = ErrorResponse::read(&self.body) {
            return format!("{} {}", self.status, error.one_line());
        }
        let text = self.body.trim();
        if text.is_empty() || text.len() > 60 || text.starts_with(['<', '{', '[']) {
            return self.status.to_string();
        }
        format!("{} {text}", self.status)
    }
}

impl Exchange {
    /// Moves it to another position, together with those that were begun while it was under way.
    pub fn renumber(&mut self, number: usize) {
        self.over_at = number.saturating_add(self.over_at.saturating_sub(self.number).max(1));
        self.number = number;
    }

    /// The response, if there was one.
    pub fn response(&self) -> Option<&Response> {
        match &self.answer {
            Answer::Response(response) => Some(response),
            Answer::Nothing(_) => None,
        }
    }

    /// HTTP status, 0 where nothing came back.
    pub fn status(&self) -> u16 {
        self.response().map_or(0, |response| response.status)
    }

    /// A parameter of the request: of the form body, or of the query.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.request.form.get(name).or_else(|| self.request.query.get(name))
    }

    /// The `grant_type` of a token request.
    pub fn grant_type(&self) -> Option<&str> {
        if self.endpoint == Endpoint::Token { self.param("grant_type") } else { None }
    }

    /// Who the client says it is: by parameter, by Basic, or by the issuer of an assertion.
    pub fn client_id(&self) -> Option<&str> {
        self.param("client_id")
            .or(self.facts.basic_client_id.as_deref())
            .or_else(|| self.facts.client_assertion.as_ref()?.issuer())
            .or_else(|| self.facts.assertion.as_ref()?.issuer())
    }

    /// A member of a JSON answer.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.response()?.json()?.get(name)
    }

    /// A member of a JSON answer that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.member(name)?.as_str()
    }

    /// Whether tokens were granted: 200 with an access token.
    pub fn granted(&self) -> bool {
        self.endpoint == Endpoint::Token && self.status() == 200 && self.text("access_token").is_some()
    }

    /// Whether the answer hands out an access token in whatever status and format, beside an error or not: what a request
    /// that must be refused must not come to.
    pub fn hands_out_a_token(&self) -> bool {
        let Some(response) = self.response().filter(|_| self.endpoint == Endpoint::Token) else {
            return false;
        };
        let in_form = |text: &str| {
            let mut parts = text.split(['?', '#', '&', '\n']);
            parts.any(|part| part.trim().strip_prefix("access_token=").is_some_and(|value| !value.is_empty()))
        };
        let body = response.body.strip_prefix(BOM).unwrap_or(&response.body);
        let in_body = match (response.json(), serde_json::from_str(body)) {
            (Some(json), _) => has_token(json),
            (None, Ok(json)) => has_token(&json),
            (None, Err(_)) => {
                let mut elements = body.split("<access_token>").skip(1);
                in_form(body) || elements.any(|rest| !rest.is_empty() && !rest.starts_with('<'))
            }
        };
        in_body || response.header("location").is_some_and(in_form)
    }

    /// The authorization code that the answer hands to the client. What the server adds stands behind the query that was
    /// registered with the callback, which may have a `code` of its own.
    pub fn code_issued(&self) -> Option<String> {
        let (_, params) = self.response()?.redirect()?;
        params.last("code").map(str::to_owned)
    }

    /// The OAuth error of the answer, from body or redirect.
    pub fn error(&self) -> Option<ErrorResponse> {
        let response = self.response()?;
        match response.redirect() {
            Some((_, params)) => ErrorResponse::from_params(&params),
            None => ErrorResponse::read(&response.body),
        }
    }

    /// Whether only the beginning of what was sent or came back was recorded.
    pub fn is_cut(&self) -> bool {
        record::is_cut(&self.request.body)
            || self.response().is_some_and(|response| record::is_cut(&response.body))
    }

    /// What came back, on one line.
    pub fn outcome(&self) -> String {
        match &self.answer {
            Answer::Response(response) => {
                let line = response.one_line();
                let told = line.ends_with("with an access token") || !self.hands_out_a_token();
                if told { line } else { format!("{line} with an access token") }
            }
            Answer::Nothing(failure) => failure.to_string(),
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "#{} {} {:?} {} -> {}",
            self.number,
            self.action,
            self.endpoint,
            self.request.method,
            self.status()
        )
    }
}

/// Whether a JSON value has an access token somewhere in it.
fn has_token(json: &Value) -> bool {
    match json {
        Value::Object(members) => members.iter().any(|(name, value)| {
            name == "access_token" && value.as_str().is_some_and(|text| !text.is_empty()) || has_token(value)
        }),
        Value::Array(items) => items.iter().any(has_token),
        _ => false,
    }
}

/// Whether fields say of a body that it is a JWT.
fn is_jwt(headers: &[(String, String)]) -> bool {
    let kind = header(headers, "content-type").and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/jwt"))
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hands_out(answer: &str) -> bool {
        let script = format!("> POST token grant_type=client_credentials\n< {answer}\n");
        script::read(&script).exchanges[0].hands_out_a_token()
    }

    #[test]
    fn a_token_is_handed_out_in_whatever_status_and_format() {
        for answer in [
            "200 {\"access_token\":\"A\"}",
            "400 {\"error\":\"invalid_client\",\"access_token\":\"A\"}",
            "200 [{\"access_token\":\"A\"}]",
            "200 {\"data\":{\"access_token\":\"A\"}}",
            "200 \u{feff}{\"access_token\":\"A\"}",
            "201 <OAuth><access_token>A</access_token></OAuth>",
            "500 token_type=Bearer&access_token=A",
            "302\n< Location: https://client.example/callback#access_token=A",
            "302\n< Location: /done?x=y&access_token=A",
        ] {
            assert!(hands_out(answer), "{answer}");
        }
        for answer in [
            "200",
            "200 {\"access_token\":\"\"}",
            "200 {\"access_token\":null}",
            "400 {\"error\":\"invalid_request\",\"error_description\":\"access_token=A is not taken\"}",
            "200 <access_token></access_token>",
            "200 access_token=",
            "302\n< Location: /error?access_token=",
            "nothing",
        ] {
            assert!(!hands_out(answer), "{answer}");
        }
    }

    #[test]
    fn what_came_back_says_that_a_token_came_along() {
        let answer = "> POST token grant_type=x\n< 403 {\"error\":\"x\",\"data\":{\"access_token\":\"A\"}}\n";
        assert_eq!(script::read(answer).exchanges[0].outcome(), "403 x with an access token");
    }
}
