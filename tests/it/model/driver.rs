//! Plays lines on an embedded org and asks the model about every answer.

use bytes::Bytes;
use http::{Request, header};
use serde_json::Value;
use std::sync::Arc;

use super::{Client, Line, Op, Which};
use crate::support::embedded;
use grantcheck::client::{Jar, page};
use grantcheck::explore::{self, Event, Model, Rules, Seen, after};
use grantcheck::oauth::Endpoint;
use grantcheck::oauth::Params;
use grantcheck::oauth::pkce::Method;
use grantcheck::org::fault;
use grantcheck::org::{Begun, Org, Reply};
use grantcheck::subject::{Login, Setting, Target};

const BASE: &str = "https://acme.my.salesforce.com";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-00";
/// What is said of a refresh token that another request works on.
const COLLISION: &str = "token request is already being processed";

/// A minute in milliseconds.
const MINUTE: i64 = 60_000;
/// Session timeout.
const SESSION: i64 = 30 * MINUTE;

pub struct Driver {
    org: Org,
    target: Arc<Target>,
    jar: Jar,
    /// The stores that what was answered so far leaves possible.
    states: Vec<Model>,
    codes: Vec<String>,
    refresh: Vec<String>,
    access: Vec<String>,
    now: i64,
}

fn nth(list: &[String], back: usize) -> Option<&String> {
    (!list.is_empty()).then(|| &list[list.len() - 1 - back % list.len()])
}

impl Driver {
    pub fn new(rotation: bool, faults: &[&str]) -> Self {
        let mut target = embedded();
        target.settings.0.insert("rotation".into(), Setting::Flag(rotation));
        target.settings.0.insert("access_token_ttl".into(), Setting::Millis(SESSION));
        let faults: Vec<_> = faults.iter().map(|name| fault::find(name).unwrap()).collect();
        let org = Org::new(&target, &faults, [9; 32]);
        let states = vec![Model::new(Rules::of(&target, &target.settings))];
        let (codes, refresh, access) = (Vec::new(), Vec::new(), Vec::new());
        let (target, jar) = (Arc::new(target), Jar::default());
        Self { org, target, jar, states, codes, refresh, access, now: 1_800_000_000_000 }
    }

    pub fn play(&mut self, line: &Line) -> Result<(), String> {
        match line {
            Line::Advance(minutes) => {
                self.now += minutes * MINUTE;
                Ok(())
            }
            Line::One(Op::Authorize) => {
                self.now += 1;
                let code = self.authorize();
                let challenge = Some(Method::S256.challenge(VERIFIER));
                let (app, user) = ("main".to_owned(), "main".to_owned());
                let op = explore::Op::Authorize { app, user, challenge, narrow: false };
                self.codes.push(code.clone());
                self.take(&[Event { op, seen: Seen::Code(code), at: self.now }])
            }
            Line::One(op) => self.together(&[(op.clone(), 0)]),
            Line::Overlapping(ops) => self.together(ops),
        }
    }

    /// All are begun before any is ended: what each was answered must fit some order of them.
    fn together(&mut self, ops: &[(Op, u8)]) -> Result<(), String> {
        let ops: Vec<&(Op, u8)> = ops.iter().filter(|(op, _)| self.can(op)).collect();
        self.now += 1;
        let begun: Vec<Begun> =
            ops.iter().map(|(op, _)| self.org.begin(&self.request(op), self.now)).collect();
        let mut ending: Vec<(usize, Begun)> = begun.into_iter().enumerate().collect();
        ending.sort_by_key(|(i, _)| ops[*i].1);
        let mut events: Vec<Event> = Vec::new();
        for (i, begun) in ending {
            let reply = match begun {
                Begun::Reply(reply) => reply,
                Begun::Pending(pending) => self.org.commit(pending, self.now),
            };
            events.push(Event { op: self.asked(&ops[i].0), seen: see(&ops[i].0, &reply), at: self.now });
        }
        // Only now: what is spoken of is what there was when they began.
        for event in &events {
            if let Seen::Granted { access, refresh, .. } = &event.seen {
                self.access.push(access.clone());
                self.refresh.extend(refresh.clone());
            }
        }
        if events.is_empty() { Ok(()) } else { self.take(&events) }
    }

    fn take(&mut self, events: &[Event]) -> Result<(), String> {
        let right: Vec<_> =
            self.states.iter().map(|state| state.right(&events[0].op, events[0].at)).collect();
        self.states = after(std::mem::take(&mut self.states), events);
        if self.states.is_empty() {
            return Err(format!("no order explains {events:?}; the first alone: {right:?}"));
        }
        Ok(())
    }

    /// Whether there is anything that the operation could be about.
    fn can(&self, op: &Op) -> bool {
        match op {
            Op::Authorize => true,
            Op::Redeem { .. } => !self.codes.is_empty(),
            Op::Refresh { .. } | Op::Revoke(Which::Refresh(_)) | Op::Introspect(Which::Refresh(_)) => {
                !self.refresh.is_empty()
            }
            Op::Revoke(Which::Access(_)) | Op::Introspect(Which::Access(_)) | Op::Call(_) => {
                !self.access.is_empty()
            }
        }
    }

    fn token(&self, which: &Which) -> String {
        let (list, back) = match which {
            Which::Access(back) => (&self.access, back),
            Which::Refresh(back) => (&self.refresh, back),
        };
        nth(list, *back).expect("there is one").clone()
    }

    /// An operation as the model has it.
    fn asked(&self, op: &Op) -> explore::Op {
        let app = |client: Client| client.role().to_owned();
        match op {
            Op::Authorize => unreachable!("an authorization is a journey"),
            Op::Redeem { code, client, verifier } => explore::Op::Redeem {
                code: nth(&self.codes, *code).expect("there is a code").clone(),
                app: app(*client),
                verifier: verifier.then(|| Method::S256.challenge(VERIFIER)),
            },
            Op::Refresh { token, client } => explore::Op::Refresh {
                token: self.token(&Which::Refresh(*token)),
                app: app(*client),
                narrow: false,
            },
            Op::Revoke(which) => explore::Op::Revoke { token: self.token(which), app: app(Client::Main) },
            Op::Introspect(which) => {
                explore::Op::Introspect { token: self.token(which), app: app(Client::Main) }
            }
            Op::Call(back) => {
                let token = self.token(&Which::Access(*back));
                explore::Op::Use { token, endpoint: Endpoint::Resource }
            }
        }
    }

    fn form(&self, client: Client) -> Params {
        let app = &self.target.apps[client.role()];
        let secret = app.client_secret.as_ref().unwrap().expose();
        Params::new().with("client_id", &app.client_id).with("client_secret", secret)
    }

    fn request(&self, op: &Op) -> Request<Bytes> {
        match op {
            Op::Authorize => unreachable!("an authorization is a journey"),
            Op::Redeem { code, client, verifier } => {
                let verifier = if *verifier { VERIFIER.to_owned() } else { VERIFIER.replace('0', "1") };
                let callback = self.target.apps["main"].redirect_uri().to_owned();
                post(
                    "token",
                    &self
                        .form(*client)
                        .with("grant_type", "authorization_code")
                        .with("code", nth(&self.codes, *code).unwrap())
                        .with("redirect_uri", callback)
                        .with("code_verifier", verifier),
                )
            }
            Op::Refresh { token, client } => post(
                "token",
                &self
                    .form(*client)
                    .with("grant_type", "refresh_token")
                    .with("refresh_token", self.token(&Which::Refresh(*token))),
            ),
            Op::Revoke(which) => post("revoke", &Params::new().with("token", self.token(which))),
            Op::Introspect(which) => {
                post("introspect", &self.form(Client::Main).with("token", self.token(which)))
            }
            Op::Call(back) => Request::get(format!("{BASE}/services/data/v62.0/limits"))
                .header(header::AUTHORIZATION, format!("Bearer {}", self.token(&Which::Access(*back))))
                .body(Bytes::new())
                .unwrap(),
        }
    }

    /// From the authorize URL over login and approval, as far as they come, to the callback.
    fn authorize(&mut self) -> String {
        let app = &self.target.apps["main"];
        let asked = Params::new()
            .with("response_type", "code")
            .with("client_id", &app.client_id)
            .with("redirect_uri", app.redirect_uri())
            .with("code_challenge", Method::S256.challenge(VERIFIER))
            .with("code_challenge_method", "S256");
        let mut request = Request::get(format!("{BASE}/services/oauth2/authorize?{}", asked.write()))
            .body(Bytes::new())
            .unwrap();
        for _ in 0..10 {
            let at = request.uri().to_string();
            if let Some(cookies) = self.jar.header(&at) {
                request.headers_mut().insert(header::COOKIE, cookies.parse().unwrap());
            }
            let reply = self.org.handle(&request, self.now);
            let headers: Vec<(String, String)> = reply
                .response
                .headers()
                .iter()
                .map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned()))
                .collect();
            self.jar.absorb(&at, &headers);
            let location = headers.iter().find(|(name, _)| name == "location").map(|(_, value)| value);
            if let Some(to) = location {
                let to = page::join(&at, to).unwrap();
                if to.starts_with(app.redirect_uri()) {
                    let params = Params::read(to.split_once('?').map_or("", |(_, query)| query)).unwrap();
                    return params.get("code").unwrap_or_else(|| panic!("{to}")).to_owned();
                }
                request = Request::get(to).body(Bytes::new()).unwrap();
                continue;
            }
            let html = String::from_utf8(reply.response.body().to_vec()).unwrap();
            let Login::Pages(pages) = &self.target.login else { panic!("the embedded org has pages") };
            let user = &self.target.users["main"];
            let submit = pages
                .iter()
                .find_map(|declared| page::pass(&html, &at, declared, user).ok())
                .unwrap_or_else(|| panic!("{at}: {html}"));
            request = Request::builder()
                .method(submit.method.as_str())
                .uri(submit.url)
                .header(header::CONTENT_TYPE, submit.content_type.as_deref().unwrap_or("text/plain"))
                .body(Bytes::from(submit.body))
                .unwrap();
        }
        panic!("the login has no end")
    }
}

fn post(endpoint: &str, form: &Params) -> Request<Bytes> {
    Request::post(format!("{BASE}/services/oauth2/{endpoint}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(form.write()))
        .unwrap()
}

fn see(op: &Op, reply: &Reply) -> Seen {
    let status = reply.response.status().as_u16();
    let body: Value = serde_json::from_slice(reply.response.body()).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    match op {
        Op::Authorize => unreachable!("an authorization is a journey"),
        Op::Call(_) | Op::Revoke(_) => Seen::Status(status),
        Op::Introspect(_) => Seen::Active(body["active"] == true),
        Op::Redeem { .. } | Op::Refresh { .. } => match text("access_token") {
            Some(access) => {
                Seen::Granted { access, refresh: text("refresh_token"), identity: text("id_token").is_some() }
            }
            None => Seen::Refused(status, text("error_description").as_deref() == Some(COLLISION)),
        },
    }
}
