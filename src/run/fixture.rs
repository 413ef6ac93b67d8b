//! The embedded org as the fixture of somebody else's tests: it is served, what is asked of it is recorded, and a small API
//! beside it places behaviour, lets tokens die and time go by, and tells the record and what the catalogue says of the client.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::{embedded_endpoints, judge_recording};
use crate::diagnostic::{Diagnostic, Text};
use crate::oauth::duration;
use crate::org::Org;
use crate::org::fault::{self, Fault};
use crate::report;
use crate::subject::{Behaviour, Callback, Subject, Target};
use crate::suite::read_behaviour;
use crate::transcript::questions::is_loopback;
use crate::transcript::{self, Exchange, Part, Redactor, Transcript, tell_apart};
use crate::wire::counterpart::{Counterpart, Door, Place};
use crate::wire::host::{Cut, Handler, LONGEST_BODY};
use crate::wire::{Clock, dice};

/// Where the API stands.
pub const PREFIX: &str = "/__grantcheck";
/// What a report calls the client whose requests came in.
const CLIENT: &str = "whoever asked";
/// The most exchanges that are kept; what comes after them is answered and forgotten.
const MOST_KEPT: usize = 10_000;
/// What is said of a body that is longer than any that is read.
const TOO_LONG: &str = "the body is longer than 256 KiB, the most that is read";
const _: () = assert!(LONGEST_BODY == 256 * 1024);

/// One route of the API.
struct Route {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    /// What is sent, and an example of it.
    body: Option<(&'static str, &'static str)>,
    answer: &'static str,
    act: fn(&Fixture, &str) -> Result<Value, Problem>,
}

const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/openapi.json",
        summary: "This document.",
        body: None,
        answer: "An OpenAPI 3.1 document.",
        act: |_, _| Ok(openapi()),
    },
    Route {
        method: "PUT",
        path: "/behaviour",
        summary: "How the org behaves from now on, beyond what is right; counting begins anew. `{}` is nothing.",
        body: Some((
            "What a suite for clients says under `org:`, as JSON or YAML.",
            "{\"answers\": [{\"to\": \"token\", \"times\": 1, \"respond\": {\"status\": 503}}]}",
        )),
        answer: "Nothing else.",
        act: Fixture::behave,
    },
    Route {
        method: "POST",
        path: "/expire",
        summary: "Lets every access token die that is alive; refresh tokens live on.",
        body: None,
        answer: "Nothing else.",
        act: |fixture, _| {
            let state = fixture.state();
            state.org.expire_access_tokens(fixture.clock.now());
            Ok(json!({}))
        },
    },
    Route {
        method: "POST",
        path: "/advance",
        summary: "Lets time go by for the org.",
        body: Some(("How much.", "{\"by\": \"2h\"}")),
        answer: "The time of the org, in milliseconds since the epoch.",
        act: Fixture::advance,
    },
    Route {
        method: "GET",
        path: "/transcript",
        summary: "What was asked and answered since the last reset, secrets replaced by fingerprints.",
        body: None,
        answer: "A recording, as `grantcheck judge` reads it.",
        act: |fixture, _| read(&fixture.recording()),
    },
    Route {
        method: "GET",
        path: "/report",
        summary: "What the catalogue says of the client that asked, since the last reset.",
        body: None,
        answer: "A report, as `grantcheck run --report json=FILE` writes it.",
        act: |fixture, _| read(&fixture.report()),
    },
    Route {
        method: "POST",
        path: "/reset",
        summary: "Begins anew: a fresh org, no record, no behaviour.",
        body: Some(("Faults that the fresh org commits.", "{\"faults\": [\"jwt-exp-ignored\"]}")),
        answer: "Nothing else.",
        act: Fixture::reset,
    },
];

/// What is wrong with a request to the API.
struct Problem(String);

impl From<Vec<Diagnostic>> for Problem {
    fn from(problems: Vec<Diagnostic>) -> Self {
        Self(problems.iter().map(ToString::to_string).collect())
    }
}

/// An org that is served to somebody else's tests.
pub struct Fixture {
    target: Target,
    clock: Clock,
    /// Whether the API is there.
    admin: bool,
    url: OnceLock<String>,
    state: Mutex<State>,
    redactor: Mutex<Redactor>,
}

struct State {
    org: Arc<Org>,
    counterpart: Arc<Counterpart>,
    /// What was exchanged before the behaviour changed last.
    past: Vec<Exchange>,
}

impl Fixture {
    /// An org with those apps and users, which commits these faults; with the API or without.
    pub fn new(target: Target, faults: &[&'static Fault], admin: bool) -> Arc<Self> {
        let clock = Clock::real();
        let org = Arc::new(Org::new(&target, faults, dice::seed()));
        let mut redactor = Redactor::new(dice::seed());
        redactor.learn_target(&target);
        let counterpart = counterpart(&org, &clock, Behaviour::default(), MOST_KEPT);
        let state = Mutex::new(State { org, counterpart, past: Vec::new() });
        let (url, redactor) = (OnceLock::new(), Mutex::new(redactor));
        Arc::new(Self { target, clock, admin, url, state, redactor })
    }

    /// Tells it where it listens. Before it was told it answers nothing.
    pub fn listens_at(&self, url: &str) {
        let _ = self.url.set(url.to_owned());
        self.place(&self.state().counterpart);
    }

    /// What was asked and answered, as a recording.
    pub fn recording(&self) -> String {
        transcript::write(&self.transcript(), &mut self.redactor())
    }

    /// What the catalogue says of the client that asked, as a JSON report.
    pub fn report(&self) -> String {
        let report = judge_recording(&self.transcript(), "serve", None);
        report::json(&report::redacted(&report, &mut self.redactor()))
    }

    fn transcript(&self) -> Transcript {
        let mut exchanges = {
            let state = self.state();
            let mut exchanges = state.past.clone();
            exchanges.extend(state.counterpart.seen().exchanges);
            exchanges
        };
        for (number, x) in exchanges.iter_mut().enumerate() {
            x.renumber(number);
        }
        tell_apart(&mut exchanges);
        let mut redactor = self.redactor();
        exchanges.iter().for_each(|x| redactor.learn_exchange(x));
        drop(redactor);
        let subject = Subject { program: Some(CLIENT.to_owned()), ..self.placed().subject() };
        Transcript { subject, exchanges, waive: self.target.waive.clone(), ..Transcript::default() }
    }

    fn behave(&self, body: &str) -> Result<Value, Problem> {
        let behaviour = read_behaviour(&Text::new("body", body))?;
        if behaviour.callback != Callback::default() {
            let why = "`callback` is done to the user's browser, which is the tester's own here: change the callback there";
            return Err(Problem(why.into()));
        }
        let mut state = self.state();
        let seen = state.counterpart.seen().exchanges;
        state.past.extend(seen);
        let left = MOST_KEPT.saturating_sub(state.past.len());
        state.counterpart = counterpart(&state.org, &self.clock, behaviour, left);
        self.place(&state.counterpart);
        Ok(json!({}))
    }

    fn advance(&self, body: &str) -> Result<Value, Problem> {
        let wrong = || Problem("write how much, for example {\"by\": \"2h\"}".into());
        let said: Value = serde_json::from_str(body).map_err(|_| wrong())?;
        let by = said.get("by").and_then(Value::as_str).and_then(duration).filter(|by| *by >= 0);
        self.clock.advance(by.ok_or_else(wrong)?);
        Ok(json!({ "now": self.clock.now() }))
    }

    fn reset(&self, body: &str) -> Result<Value, Problem> {
        let said: Value = match body.trim() {
            "" => json!({}),
            body => serde_json::from_str(body).map_err(|why| Problem(format!("this is not JSON: {why}")))?,
        };
        let wrong = || {
            let how = "send nothing, or the faults of the fresh org: {\"faults\": [\"jwt-exp-ignored\"]}";
            Problem(how.into())
        };
        let said = said.as_object().ok_or_else(wrong)?;
        // A slip of the pen would be a fresh org without the fault that a test is about.
        if said.keys().any(|key| key != "faults") {
            return Err(wrong());
        }
        let names = match said.get("faults") {
            Some(names) => names.as_array().ok_or_else(wrong)?.as_slice(),
            None => &[],
        };
        let mut faults = Vec::new();
        for name in names {
            let found = name.as_str().and_then(fault::find);
            faults.push(found.ok_or_else(|| Problem(format!("the embedded org has no fault {name}")))?);
        }
        let org = Arc::new(Org::new(&self.target, &faults, dice::seed()));
        let counterpart = counterpart(&org, &self.clock, Behaviour::default(), MOST_KEPT);
        self.place(&counterpart);
        *self.state() = State { org, counterpart, past: Vec::new() };
        Ok(json!({}))
    }

    fn place(&self, counterpart: &Counterpart) {
        let url = self.url.get().cloned().unwrap_or_default();
        counterpart.listens_at(Place {
            org: url.clone(),
            instance: url,
            rogue: "https://rogue.example".to_owned(),
            hosts: Vec::new(),
            target: Arc::new(self.placed()),
        });
    }

    /// The target where it listens.
    fn placed(&self) -> Target {
        let mut target = self.target.clone();
        target.endpoints = embedded_endpoints(self.url.get().map_or("", String::as_str));
        target
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn redactor(&self) -> MutexGuard<'_, Redactor> {
        self.redactor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host that a request names, where it is neither this machine nor where the org listens. Where that is every
    /// address of the machine, any address is right: what leads here by deceit is a name.
    fn foreign_host<'r>(&self, request: &'r Request<Bytes>) -> Option<&'r str> {
        let header = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
        let named = header.or(request.uri().authority().map(|authority| authority.as_str()))?;
        let host = |url: &str| Some(url::Url::parse(url).ok()?.host()?.to_owned());
        let asked = host(&format!("http://{named}"));
        let listens = self.url.get().and_then(|url| host(url));
        let everywhere = listens.as_ref().is_some_and(|host| match host {
            url::Host::Ipv4(address) => address.is_unspecified(),
            url::Host::Ipv6(address) => address.is_unspecified(),
            url::Host::Domain(_) => false,
        });
        let by_address = matches!(&asked, Some(url::Host::Ipv4(_) | url::Host::Ipv6(_)));
        let ours = is_loopback(&format!("http://{named}/")) || asked.is_some() && asked == listens;
        (!(ours || everywhere && by_address)).then_some(named)
    }

    /// Answers a request to the API.
    fn administer(&self, path: &str, request: &Request<Bytes>) -> Response<Bytes> {
        let mut routes = ROUTES.iter().filter(|route| route.path == path).peekable();
        if routes.peek().is_none() {
            let known = ROUTES.iter().map(|route| format!("{} {PREFIX}{}", route.method, route.path));
            let error = format!("there is no such route; known are {}", known.collect::<Vec<_>>().join(", "));
            return told(StatusCode::NOT_FOUND, &json!({ "error": error }));
        }
        // A name of somebody else that leads here makes a page of theirs one of this origin, which could read everything.
        if let Some(host) = self.foreign_host(request) {
            let error = format!(
                "the API is not served under the name {host}; ask it by the address it listens on, or localhost"
            );
            return told(StatusCode::FORBIDDEN, &json!({ "error": error }));
        }
        // A page of another site could send a form without asking.
        if request.headers().contains_key(header::ORIGIN) {
            return told(StatusCode::FORBIDDEN, &json!({ "error": "a browser is not asked in here" }));
        }
        let Some(route) = routes.find(|route| *request.method() == *route.method) else {
            return told(StatusCode::METHOD_NOT_ALLOWED, &json!({ "error": "another method is meant" }));
        };
        match (route.act)(self, &String::from_utf8_lossy(request.body())) {
            Ok(value) => told(StatusCode::OK, &value),
            Err(Problem(error)) => told(StatusCode::BAD_REQUEST, &json!({ "error": error })),
        }
    }
}

impl Handler for Fixture {
    async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Cut> {
        if let Some(path) = request.uri().path().strip_prefix(PREFIX).filter(|_| self.admin) {
            return Ok(self.administer(path, &request));
        }
        let counterpart = self.state().counterpart.clone();
        counterpart.door(Door::Org).answer(request).await
    }

    fn too_long(&self, request: &Parts) -> Response<Bytes> {
        if self.admin && request.uri.path().starts_with(PREFIX) {
            return told(StatusCode::PAYLOAD_TOO_LARGE, &json!({ "error": TOO_LONG }));
        }
        self.state().counterpart.door(Door::Org).too_long(request)
    }
}

fn counterpart(org: &Arc<Org>, clock: &Clock, behaviour: Behaviour, kept: usize) -> Arc<Counterpart> {
    Arc::new(Counterpart::keeping(org.clone(), clock.clone(), behaviour, "served", Part::Scenario, kept))
}

fn read(text: &str) -> Result<Value, Problem> {
    serde_json::from_str(text).map_err(|why| Problem(why.to_string()))
}

fn told(status: StatusCode, value: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(format!("{value}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The API, described (OpenAPI 3.1).
pub fn openapi() -> Value {
    let mut paths = serde_json::Map::new();
    let problem = |why: &str| {
        let error = json!({ "type": "string", "description": "Why, in words." });
        let schema = json!({ "type": "object", "required": ["error"], "properties": { "error": error } });
        json!({ "description": why, "content": { "application/json": { "schema": schema } } })
    };
    for route in ROUTES {
        let mut operation = json!({
            "summary": route.summary,
            "responses": {
                "200": { "description": route.answer, "content": { "application/json": {} } },
                "400": problem("What was sent is not understood; `error` says why."),
                "413": problem("What was sent is longer than 256 KiB."),
            },
        });
        if let Some((what, example)) = route.body {
            let example: Value = serde_json::from_str(example).unwrap_or_default();
            operation["requestBody"] =
                json!({ "description": what, "content": { "application/json": { "example": example } } });
        } else if let Some(responses) = operation["responses"].as_object_mut() {
            responses.shift_remove("400");
            responses.shift_remove("413");
        }
        let at = format!("{PREFIX}{}", route.path);
        let methods = paths.entry(at).or_insert_with(|| json!({}));
        methods[route.method.to_ascii_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "grantcheck serve --admin",
            "version": "1",
            "description": "The embedded org as the fixture of a test suite in any language.",
        },
        "servers": [{ "url": "http://127.0.0.1:8787" }],
        "paths": paths,
    })
}
