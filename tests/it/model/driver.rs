//! Plays lines on an embedded org and asks the model about every answer.

use bytes::Bytes;
use http::{Request, header};
use serde_json::Value;
use std::sync::Arc;

use super::state::{MINUTE, Model, SESSION, Seen};
use super::{Client, Line, Op, Which};
use crate::support::embedded;
use grantcheck::client::{Jar, page};
use grantcheck::oauth::Params;
use grantcheck::oauth::pkce::Method;
use grantcheck::org::fault;
use grantcheck::org::{Begun, Org, Reply};
use grantcheck::subject::{Login, Setting, Target};

const BASE: &str = "https://acme.my.salesforce.com";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-00";
/// What is said of a refresh token that another request works on.
const COLLISION: &str = "token request is already being processed";

pub struct Driver {
    org: Org,
    target: Arc<Target>,
    jar: Jar,
    model: Model,
    now: i64,
}

impl Driver {
    pub fn new(rotation: bool, faults: &[&str]) -> Self {
        let mut target = embedded();
        target.settings.0.insert("rotation".into(), Setting::Flag(rotation));
        target.settings.0.insert("access_token_ttl".into(), Setting::Millis(SESSION));
        let faults: Vec<_> = faults.iter().map(|name| fault::find(name).unwrap()).collect();
        let org = Org::new(&target, &faults, [9; 32]);
        let model = Model::new(rotation);
        Self { org, target: Arc::new(target), jar: Jar::default(), model, now: 1_800_000_000_000 }
    }

    pub fn play(&mut self, line: &Line) -> Result<(), String> {
        match line {
            Line::Advance(minutes) => {
                self.now += minutes * MINUTE;
                Ok(())
            }
            Line::One(op) => self.one(op),
            Line::Overlapping(ops) => self.overlapping(ops),
        }
    }

    fn one(&mut self, op: &Op) -> Result<(), String> {
        if !self.model.can(op) {
            return Ok(());
        }
        self.now += 1;
        let seen = match op {
            Op::Authorize => self.authorize(),
            op => see(op, &self.org.handle(&self.request(op), self.now)),
        };
        let before = self.model.clone();
        self.model.take(&before, op, &seen, self.now)
    }

    /// All are begun before any is ended: what each was answered must fit some order of them.
    fn overlapping(&mut self, ops: &[(Op, u8)]) -> Result<(), String> {
        let ops: Vec<&(Op, u8)> = ops.iter().filter(|(op, _)| self.model.can(op)).collect();
        self.now += 1;
        let begun: Vec<Begun> =
            ops.iter().map(|(op, _)| self.org.begin(&self.request(op), self.now)).collect();
        let mut ending: Vec<(usize, Begun)> = begun.into_iter().enumerate().collect();
        ending.sort_by_key(|(i, _)| ops[*i].1);
        let mut seen: Vec<Option<Seen>> = vec![None; ops.len()];
        for (i, begun) in ending {
            let reply = match begun {
                Begun::Reply(reply) => reply,
                Begun::Pending(pending) => self.org.commit(pending, self.now),
            };
            seen[i] = Some(see(&ops[i].0, &reply));
        }
        // One that was turned away because another one was at it has done nothing.
        let refreshes = |token: &str| {
            let of = |op: &Op| match op {
                Op::Refresh { token: back, .. } => self.model.refresh_token(*back).as_deref() == Some(token),
                _ => false,
            };
            ops.iter().filter(|(op, _)| of(op)).count()
        };
        let mut told: Vec<(&Op, Seen)> = Vec::new();
        for ((op, _), seen) in ops.iter().zip(seen) {
            let seen = seen.expect("each was ended");
            match (&seen, op) {
                (Seen::Refused(_, why), Op::Refresh { token, .. }) if why == COLLISION => {
                    let token = self.model.refresh_token(*token).expect("there is a refresh token");
                    if refreshes(&token) < 2 {
                        return Err("a collision with nobody".into());
                    }
                }
                _ => told.push((op, seen)),
            }
        }
        let before = self.model.clone();
        let fit = some_order(&before, &before, &told, self.now);
        self.model = fit.ok_or_else(|| format!("no order explains {told:?}"))?;
        Ok(())
    }

    fn form(&self, client: Client) -> Params {
        let app = &self.target.apps[match client {
            Client::Main => "main",
            Client::Other => "other",
        }];
        let secret = app.client_secret.as_ref().unwrap().expose();
        Params::new().with("client_id", &app.client_id).with("client_secret", secret)
    }

    fn request(&self, op: &Op) -> Request<Bytes> {
        let token = |which: &Which| match which {
            Which::Access(back) => self.model.access_token(*back).unwrap(),
            Which::Refresh(back) => self.model.refresh_token(*back).unwrap(),
        };
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
                        .with("code", self.model.code(*code).unwrap())
                        .with("redirect_uri", callback)
                        .with("code_verifier", verifier),
                )
            }
            Op::Refresh { token, client } => post(
                "token",
                &self
                    .form(*client)
                    .with("grant_type", "refresh_token")
                    .with("refresh_token", self.model.refresh_token(*token).unwrap()),
            ),
            Op::Revoke(which) => post("revoke", &Params::new().with("token", token(which))),
            Op::Introspect(which) => post("introspect", &self.form(Client::Main).with("token", token(which))),
            Op::Call(back) => Request::get(format!("{BASE}/services/data/v62.0/limits"))
                .header(header::AUTHORIZATION, format!("Bearer {}", self.model.access_token(*back).unwrap()))
                .body(Bytes::new())
                .unwrap(),
        }
    }

    /// From the authorize URL over login and approval, as far as they come, to the callback.
    fn authorize(&mut self) -> Seen {
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
                    return Seen::Code(params.get("code").unwrap_or_else(|| panic!("{to}")).to_owned());
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

/// The model after these operations, in whatever order explains what was seen.
fn some_order(before: &Model, model: &Model, told: &[(&Op, Seen)], now: i64) -> Option<Model> {
    if told.is_empty() {
        return Some(model.clone());
    }
    (0..told.len()).find_map(|first| {
        let mut next = model.clone();
        next.take(before, told[first].0, &told[first].1, now).ok()?;
        let mut rest = told.to_vec();
        rest.remove(first);
        some_order(before, &next, &rest, now)
    })
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
        Op::Call(_) => Seen::Status(status),
        Op::Introspect(_) => Seen::Active(body["active"] == true),
        Op::Revoke(_) => Seen::Revoked(status == 200),
        Op::Redeem { .. } | Op::Refresh { .. } => match text("access_token") {
            Some(access_token) => Seen::Granted { access_token, refresh_token: text("refresh_token") },
            None => Seen::Refused(
                text("error").unwrap_or_default(),
                text("error_description").unwrap_or_default(),
            ),
        },
    }
}
