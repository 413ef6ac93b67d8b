//! Servers that are no org (wiremock). One has the stubs that a suite writes by hand: each answers what it is for, and
//! what none answers goes to the org behind them, or nowhere. Another has a recording, and answers as was recorded.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wiremock::{Match, Mock, MockServer, Respond, ResponseTemplate};

use super::{Clock, Error};
use crate::client::Template;
use crate::oauth::params::form_encode;
use crate::org::{Org, Reply};
use crate::subject::{Body, Canned, OF_THE_CONNECTION, Stub, Stubs, Target, Wanted};
use crate::transcript::{Answer as Said, Facts, Failure, Replay, Replayed, Request};

/// A header field by which a server of ours tells our transport that nothing is answered, and why.
pub(super) const NOTHING: &str = "grantcheck-nothing";

/// And by which it tells how long an answer takes, in microseconds, where nobody waits for it.
pub(super) const TOOK: &str = "grantcheck-took";

/// A server that answers with stubs. It ends when this is dropped.
pub struct Server {
    server: MockServer,
    /// How often each stub answered.
    calls: Vec<Arc<AtomicU64>>,
}

impl Server {
    /// Puts stubs on a free port of the loopback interface, before an org or alone.
    ///
    /// # Errors
    /// No port can be listened on.
    pub async fn start(stubs: &Stubs, behind: Option<(Arc<Org>, Clock)>) -> Result<Self, Error> {
        let server = listen().await?;
        let mut calls = Vec::new();
        for stub in &stubs.answers {
            let count = Arc::new(AtomicU64::new(0));
            let answer = Answer { canned: stub.respond.clone(), count: count.clone() };
            let mut mock = Mock::given(Fits(stub.clone())).respond_with(answer);
            if let Some(times) = stub.at_most {
                // None at all would be a panic there; the reader refuses it.
                mock = mock.up_to_n_times(u64::from(times.max(1)));
            }
            mock.mount(&server).await;
            calls.push(count);
        }
        if let Some((org, clock)) = behind {
            // Mounted last, it gets what is left.
            Mock::given(wiremock::matchers::any()).respond_with(Behind { org, clock }).mount(&server).await;
        }
        Ok(Self { server, calls })
    }

    /// Puts a recording on a free port of the loopback interface. Time goes by there as it did in the recording.
    ///
    /// # Errors
    /// No port can be listened on.
    pub async fn replaying(replay: Replay, target: Arc<Target>, clock: Clock) -> Result<Self, Error> {
        let server = listen().await?;
        let recorded = Recorded { replay: Mutex::new(replay), target, clock };
        Mock::given(wiremock::matchers::any()).respond_with(recorded).mount(&server).await;
        Ok(Self { server, calls: Vec::new() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        *self.server.address()
    }

    /// How often each stub answered, in their order.
    pub fn calls(&self) -> Vec<u64> {
        self.calls.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

/// A server without any answer yet. wiremock would keep every request; the transcript has them already.
async fn listen() -> Result<MockServer, Error> {
    let fail = |why| Error::Listen { address: "127.0.0.1:0".to_owned(), why };
    let listener = TcpListener::bind("127.0.0.1:0").map_err(fail)?;
    Ok(MockServer::builder().listener(listener).disable_request_recording().start().await)
}

/// A request as it came in, with the host that the client meant.
fn read(request: &wiremock::Request) -> Request {
    let headers: Vec<(String, String)> = super::transport::headers_of(&request.headers);
    let host = request.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let query = request.url.query().map_or(String::new(), |query| format!("?{query}"));
    let url = format!("https://{host}{}{query}", request.url.path());
    Request::new(request.method.as_str(), &url, headers, String::from_utf8_lossy(&request.body).into_owned())
}

/// Which requests a stub is for.
struct Fits(Stub);

impl Match for Fits {
    fn matches(&self, request: &wiremock::Request) -> bool {
        fits(&self.0, &read(request))
    }
}

fn fits(stub: &Stub, request: &Request) -> bool {
    let path = match stub.path.strip_suffix('*') {
        Some(begin) => request.path().starts_with(begin),
        None => request.path() == stub.path,
    };
    let has =
        |name: &str, wanted: &Wanted| wanted.fits(request.form().all(name).chain(request.query().all(name)));
    let bears = |name: &str, wanted: &Wanted| {
        let fields = request.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        wanted.fits(fields.map(|(_, value)| value.as_str()))
    };
    path && stub.method.as_ref().is_none_or(|method| *method == request.method)
        && stub.params.iter().all(|(name, wanted)| has(name, wanted))
        && stub.headers.iter().all(|(name, wanted)| bears(name, wanted))
}

/// A canned answer that counts.
struct Answer {
    canned: Canned,
    count: Arc<AtomicU64>,
}

impl Respond for Answer {
    fn respond(&self, request: &wiremock::Request) -> ResponseTemplate {
        self.count.fetch_add(1, Ordering::Relaxed);
        said(&self.canned, &read(request))
    }
}

/// A canned answer to that request.
fn said(canned: &Canned, request: &Request) -> ResponseTemplate {
    let (kind, body) = match &canned.body {
        Body::Empty => (None, String::new()),
        Body::Text(text) => (Some("text/plain; charset=utf-8"), filled(text, request)),
        Body::Json(value) => (Some("application/json;charset=UTF-8"), json(value, request).to_string()),
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    if let Some(kind) =
        kind.filter(|_| !canned.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-type")))
    {
        headers.push(("content-type".to_owned(), kind.to_owned()));
    }
    for (name, value) in &canned.headers {
        headers.push((name.clone(), filled_as_url(value, request)));
    }
    response(canned.status, &headers, body.into_bytes(), canned.delay_ms)
}

/// A response out of its parts. What cannot be said in a header field is left out.
fn response(status: u16, headers: &[(String, String)], body: Vec<u8>, delay_ms: u64) -> ResponseTemplate {
    let mut template = ResponseTemplate::new(status).set_body_bytes(body);
    for (name, value) in headers {
        if OF_THE_CONNECTION.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            continue;
        }
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
        {
            template = template.append_header(name, value);
        }
    }
    if delay_ms > 0 { template.set_delay(Duration::from_millis(delay_ms)) } else { template }
}

/// No response, and why.
fn nothing(failure: &Failure) -> ResponseTemplate {
    let why = serde_json::to_string(failure).unwrap_or_default();
    response(500, &[(NOTHING.to_owned(), why)], Vec::new(), 0)
}

/// What a name in a stub's text stands for: a parameter of the request, or nothing where it has none of that name.
fn parameter(request: &Request, name: &str) -> String {
    let name = name.strip_prefix("request.").unwrap_or(name);
    request.form().get(name).or_else(|| request.query().get(name)).unwrap_or("").to_owned()
}

fn filled(text: &str, request: &Request) -> String {
    Template::new(text).fill(&|name| Some(parameter(request, name))).unwrap_or_default()
}

/// A value in the query of a URL is form-encoded: a `state` may hold anything.
fn filled_as_url(text: &str, request: &Request) -> String {
    let (base, query) = text.split_once('?').map_or((text, None), |(base, query)| (base, Some(query)));
    let base = filled(base, request);
    let Some(query) = query else { return base };
    let query = Template::new(query).fill(&|name| Some(form_encode(&parameter(request, name))));
    format!("{base}?{}", query.unwrap_or_default())
}

fn json(value: &Value, request: &Request) -> Value {
    match value {
        Value::String(text) => filled(text, request).into(),
        Value::Array(items) => items.iter().map(|item| json(item, request)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), json(value, request))).collect()
        }
        other => other.clone(),
    }
}

/// The org behind the stubs, called in process: it reads what it would have read there.
struct Behind {
    org: Arc<Org>,
    clock: Clock,
}

impl Respond for Behind {
    fn respond(&self, request: &wiremock::Request) -> ResponseTemplate {
        let uri = read(request).url;
        let mut inner = http::Request::builder().method(request.method.clone()).uri(uri);
        for (name, value) in request.headers.iter().filter(|(name, _)| *name != http::header::HOST) {
            inner = inner.header(name, value);
        }
        let Ok(inner) = inner.body(Bytes::from(request.body.clone())) else {
            return response(400, &[], Vec::new(), 0);
        };
        let Reply { response: answer, delay_ms, cut_after } = self.org.handle(&inner, self.clock.now());
        if cut_after.is_some() {
            return nothing(&Failure::Broken("the org cut the connection".into()));
        }
        let mut headers = super::transport::headers_of(answer.headers());
        if delay_ms > 0 {
            // Nobody waits for the org in process, and it is told all the same how long that would have been.
            headers.push((TOOK.to_owned(), delay_ms.saturating_mul(1000).to_string()));
        }
        response(answer.status().as_u16(), &headers, answer.body().to_vec(), 0)
    }
}

/// A recording that answers.
struct Recorded {
    replay: Mutex<Replay>,
    /// What the facts of a request are told by.
    target: Arc<Target>,
    clock: Clock,
}

impl Respond for Recorded {
    fn respond(&self, request: &wiremock::Request) -> ResponseTemplate {
        let request = read(request);
        let facts = Facts::of(&request, None, &self.target);
        let mut replay = self.replay.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Replayed { answer, took, at } = replay.answer(&request, &facts, self.clock.now());
        if let Some(at) = at {
            self.clock.reach(at);
        }
        match answer {
            Said::Response(mut said) => {
                said.headers.push((TOOK.to_owned(), took.to_string()));
                response(said.status, &said.headers, said.body.into_bytes(), 0)
            }
            Said::Nothing(failure) => nothing(&failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as value;

    fn request(method: &str, url: &str, body: &str) -> Request {
        let kind = ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        Request::new(method, url, vec![kind], body.to_owned())
    }

    fn stub(path: &str, params: &[(&str, Wanted)]) -> Stub {
        Stub {
            method: Some("POST".into()),
            path: path.to_owned(),
            params: params.iter().map(|(name, wanted)| ((*name).to_owned(), wanted.clone())).collect(),
            headers: Vec::new(),
            respond: Canned::default(),
            at_most: None,
            called: None,
        }
    }

    #[test]
    fn a_stub_takes_what_it_is_for_and_nothing_else() {
        let token =
            stub("/token", &[("grant_type", Wanted::Is("refresh_token".into())), ("code", Wanted::Absent)]);
        let asks = |method, url, body| fits(&token, &request(method, url, body));
        assert!(asks("POST", "https://a.example/token", "grant_type=refresh_token"));
        assert!(asks("POST", "https://a.example/token?grant_type=refresh_token", ""));
        assert!(!asks("GET", "https://a.example/token?grant_type=refresh_token", ""));
        assert!(!asks("POST", "https://a.example/token/x", "grant_type=refresh_token"));
        assert!(!asks("POST", "https://a.example/token", "grant_type=refresh_token&code=1"));
        assert!(fits(&stub("/a/*", &[]), &request("POST", "https://a.example/a/b/c", "")));
    }

    #[test]
    fn what_the_request_said_is_filled_in_where_it_stands() {
        let asked = request(
            "GET",
            "https://a.example/x?state=a%26b%22&redirect_uri=https%3A%2F%2Fc.example%2Fcb",
            "",
        );
        assert_eq!(
            filled_as_url("${request.redirect_uri}?code=1&state=${request.state}", &asked),
            "https://c.example/cb?code=1&state=a%26b%22"
        );
        assert_eq!(
            json(&value!({ "said": ["${request.state}", 1, "${request.none}"] }), &asked).to_string(),
            r#"{"said":["a&b\"",1,""]}"#
        );
    }
}
