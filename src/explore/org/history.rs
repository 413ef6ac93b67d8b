//! Whether a record is one that an atomic token store could have given: each answer is the right one for a store to which
//! the operations came one after the other, and those that overlapped in some order. Pure.

use serde_json::Value;
use std::collections::BTreeMap;

use super::model::Model;
use super::right::{Op, Right, Rules, Seen};
use crate::oauth::Endpoint;
use crate::oauth::grant::{authorization_code, client_credentials, jwt_bearer, refresh_token, saml_bearer};
use crate::oauth::salesforce::{Refusal, outcome};
use crate::subject::Flow;
use crate::transcript::questions::presented;
use crate::transcript::{Exchange, Part};

/// The most stores that a history may leave possible; beyond that nothing is said.
const MOST: usize = 256;

/// What Salesforce says of a refresh token that another request works on.
const COLLISION: &str = "token request is already being processed";

/// An answer that no history explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The exchange, by position in the record; the last of several that overlapped.
    pub at: usize,
    /// Position of its step in the scenario.
    pub step: usize,
    /// What the step does.
    pub action: String,
    /// What would have been right, where it stood alone.
    pub right: Vec<Right>,
    /// How many requests overlapped.
    pub together: usize,
    /// What came, in words.
    pub observed: String,
    /// What is wrong with it.
    pub amiss: Amiss,
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amiss {
    /// No history explains it.
    Impossible,
    /// It would have been right, had what was handed out not been handed out before.
    Stale,
    /// It refuses what must be refused, and looks like another refusal.
    Otherwise(&'static str),
}

impl Wrong {
    /// What should have come, in words.
    pub fn expected(&self) -> String {
        if self.together > 1 {
            return format!(
                "answers that {} requests could have had one after the other, in some order",
                self.together
            );
        }
        match (self.amiss, &self.right[..]) {
            (Amiss::Otherwise(name), _) => return format!("a refusal that looks like one ({name})"),
            (Amiss::Stale, [Right::Any]) => return "nothing that was handed out before".into(),
            _ => {}
        }
        let words: Vec<String> = self.right.iter().map(|right| right.words()).collect();
        words.join(", or ")
    }

    /// What tells one kind of wrong from another.
    pub fn kind(&self) -> String {
        if self.together > 1 {
            return format!("{} at once", self.action);
        }
        format!("{}: {}", self.action, self.expected())
    }
}

/// What following a record came to.
#[derive(Clone, Debug, Default)]
pub struct Followed {
    /// What would have been right at each step, by position of the step; before the first request of a race.
    pub right: BTreeMap<usize, Vec<Right>>,
    /// The first answer that no history explains.
    pub wrong: Option<Wrong>,
    /// The first refusals that look like others, each kind once.
    pub otherwise: Vec<Wrong>,
}

/// One operation with its answer.
#[derive(Clone, Debug)]
pub struct Event {
    /// What was asked.
    pub op: Op,
    /// What was answered.
    pub seen: Seen,
    /// When, in milliseconds since the epoch.
    pub at: i64,
}

/// Follows the record of one scenario.
pub fn follow(rules: &Rules, record: &[Exchange]) -> Followed {
    let mut followed = Followed::default();
    let mut states = vec![Model::new(rules.clone())];
    let mut assertions: Vec<&str> = Vec::new();
    let played: Vec<&Exchange> = record.iter().filter(|x| x.part == Part::Scenario).collect();
    let mut next = 0;
    while next < played.len() {
        let x = played[next];
        let together =
            played[next..].iter().take_while(|y| x.race.is_some() && y.race == x.race).count().max(1);
        let group = &played[next..next + together];
        next += together;
        let mut events = Vec::new();
        for x in group {
            match event(record, x, &assertions) {
                Reading::Event(event) => events.push(event),
                Reading::Nothing => {}
                // Whether it was done nobody knows, and what comes of it would be guessing.
                Reading::Lost => return followed,
            }
            assertions.extend(x.param("assertion"));
        }
        let Some(first) = events.first() else { continue };
        let mut right: Vec<Right> = states.iter().map(|state| state.right(&first.op, first.at)).collect();
        right.sort_unstable();
        right.dedup();
        followed.right.entry(x.step).or_insert_with(|| right.clone());
        let stale = events.len() == 1 && right.iter().any(|right| right.fits(&first.seen));
        let amiss = if stale { Amiss::Stale } else { Amiss::Impossible };
        states = after(states, &events);
        if states.is_empty() {
            let last = group[group.len() - 1];
            let answers: Vec<String> = group.iter().map(|x| x.outcome()).collect();
            followed.wrong = Some(Wrong {
                at: last.number,
                step: last.step,
                action: actions(group),
                right,
                together: events.len(),
                observed: counted(&answers),
                amiss,
            });
            return followed;
        }
        if let ([_], [Right::Out]) = (&events[..], &right[..])
            && let Some(name) = refused_otherwise(rules, x)
        {
            let wrong = Wrong {
                at: x.number,
                step: x.step,
                action: x.action.clone(),
                right,
                together: 1,
                observed: x.outcome(),
                amiss: Amiss::Otherwise(name),
            };
            if followed.otherwise.iter().all(|known| known.kind() != wrong.kind()) {
                followed.otherwise.push(wrong);
            }
        }
        if states.len() > MOST {
            return followed;
        }
    }
    followed
}

/// The name of the refusal of a dead access token, where an answer that refuses one does not look like it. Of SOAP nothing
/// is said here: the catalogue knows its faults.
fn refused_otherwise(rules: &Rules, x: &Exchange) -> Option<&'static str> {
    let response = x.response().filter(|_| !x.request.url.contains("/services/Soap"))?;
    let outcome = outcome(x.endpoint, "access-token-invalid")?;
    match outcome.refusal(rules.profile) {
        Refusal::Resource { status, holds } => {
            let held = holds.is_empty() || holds.iter().any(|text| response.body.contains(text));
            (!(status.contains(&response.status) && held)).then_some(outcome.name)
        }
        _ => None,
    }
}

/// What is done, each once: `refresh`, `refresh and revoke`.
fn actions(group: &[&Exchange]) -> String {
    let mut words: Vec<&str> = group.iter().map(|x| x.action.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    words.join(" and ")
}

/// `1x 200, 19x 400 invalid_grant`.
fn counted(answers: &[String]) -> String {
    if let [one] = answers {
        return one.clone();
    }
    let mut counts: Vec<(&String, usize)> = Vec::new();
    for answer in answers {
        match counts.iter_mut().find(|(known, _)| *known == answer) {
            Some((_, n)) => *n += 1,
            None => counts.push((answer, 1)),
        }
    }
    counts.iter().map(|(answer, n)| format!("{n}x {answer}")).collect::<Vec<_>>().join(", ")
}

/// The stores that may be left after operations that overlapped; none where no order of them explains the answers.
pub fn after(mut states: Vec<Model>, events: &[Event]) -> Vec<Model> {
    let [event] = events else { return in_some_order(&states, events) };
    states.retain_mut(|state| state.take(&event.op, &event.seen, event.at).is_ok());
    if states.len() > 1 {
        let mut different = Vec::new();
        states.into_iter().for_each(|state| add(&mut different, Some(state)));
        return different;
    }
    states
}

fn taken(state: &Model, event: &Event) -> Option<Model> {
    let mut next = state.clone();
    next.take(&event.op, &event.seen, event.at).ok().map(|()| next)
}

fn add(states: &mut Vec<Model>, state: Option<Model>) {
    if let Some(state) = state.filter(|state| !states.contains(state)) {
        states.push(state);
    }
}

/// The stores that any order of these leaves. Those that ask the same and are answered alike are as good as each other:
/// their order among themselves says nothing.
fn in_some_order(states: &[Model], events: &[Event]) -> Vec<Model> {
    let mut kinds: Vec<Vec<&Event>> = Vec::new();
    for event in events {
        match kinds.iter_mut().find(|kind| alike(kind[0], event)) {
            Some(kind) => kind.push(event),
            None => kinds.push(vec![event]),
        }
    }
    // By how many of each kind are done: the stores that it may have come to.
    let mut layer: Vec<(Vec<usize>, Vec<Model>)> = vec![(vec![0; kinds.len()], states.to_vec())];
    for _ in 0..events.len() {
        let mut after: Vec<(Vec<usize>, Vec<Model>)> = Vec::new();
        for (done, states) in &layer {
            for (k, kind) in kinds.iter().enumerate().filter(|(k, kind)| done[*k] < kind.len()) {
                let event = kind[done[k]];
                let mut counts = done.clone();
                counts[k] += 1;
                let at = after.iter().position(|(known, _)| *known == counts).unwrap_or_else(|| {
                    after.push((counts, Vec::new()));
                    after.len() - 1
                });
                for state in states {
                    turned_away(state, event, events)
                        .into_iter()
                        .for_each(|s| add(&mut after[at].1, Some(s)));
                    // Told that another one was at it, it was not taken up at all.
                    if !matches!(event.seen, Seen::Refused(_, true)) {
                        add(&mut after[at].1, taken(state, event));
                    }
                }
            }
        }
        after.retain(|(_, states)| !states.is_empty() && states.len() <= MOST);
        layer = after;
    }
    let brought: Vec<&str> = events.iter().filter_map(|event| event.seen.access()).collect();
    let mut left: Vec<Model> = Vec::new();
    for mut state in layer.into_iter().flat_map(|(_, states)| states) {
        state.brought_at_once(&brought);
        add(&mut left, Some(state));
    }
    left
}

fn alike(one: &Event, other: &Event) -> bool {
    one.op == other.op
        && match (&one.seen, &other.seen) {
            (Seen::Granted { refresh: a, .. }, Seen::Granted { refresh: b, .. }) => {
                a.is_some() == b.is_some()
            }
            (a, b) => a == b,
        }
}

/// The store after a request that was turned away because another one was at the same token: untouched.
fn turned_away(state: &Model, event: &Event, events: &[Event]) -> Option<Model> {
    let Seen::Refused(status, _) = &event.seen else { return None };
    let another = match &event.op {
        Op::Refresh { token, .. } => {
            let of = |e: &&Event| matches!(&e.op, Op::Refresh { token: other, .. } if other == token);
            events.iter().filter(of).count() > 1
        }
        _ => false,
    };
    (another && (400..500).contains(status)).then(|| state.clone())
}

enum Reading {
    /// An operation with its answer.
    Event(Event),
    /// It asks nothing of the store.
    Nothing,
    /// Nobody knows what became of it.
    Lost,
}

fn event(record: &[Exchange], x: &Exchange, assertions: &[&str]) -> Reading {
    let Some(response) = x.response() else { return Reading::Lost };
    let app = || x.app.clone();
    let text = |name: &str| x.param(name).unwrap_or("").to_owned();
    let status = response.status;
    // For want of time nothing is said.
    if matches!(status, 429 | 503) {
        return Reading::Lost;
    }
    let token_answer = || match x.text("access_token").filter(|_| x.granted()) {
        Some(access) => {
            let openid = |scope: &str| scope.split(' ').any(|scope| scope == "openid");
            Seen::Granted {
                access: access.to_owned(),
                refresh: x.text("refresh_token").map(str::to_owned),
                identity: x.text("id_token").is_some() || x.text("scope").is_some_and(openid),
            }
        }
        None => {
            let refreshes = x.grant_type() == Some(refresh_token::GRANT_TYPE);
            Seen::Refused(status, refreshes && x.text("error_description") == Some(COLLISION))
        }
    };
    let (op, seen) = match x.endpoint {
        Endpoint::Authorize | Endpoint::Page => {
            let Some(code) = x.code_issued() else { return Reading::Nothing };
            let first = record.iter().find(|y| y.step == x.step && y.part == x.part && y.race == x.race);
            let asked = |name: &str| first.and_then(|first| first.param(name));
            let challenge = asked("code_challenge").map(str::to_owned);
            let narrow = asked("scope").is_some_and(|s| !s.split(' ').any(|s| matches!(s, "api" | "full")));
            let user = x.user.clone().unwrap_or_default();
            (Op::Authorize { app: app(), user, challenge, narrow }, Seen::Code(code))
        }
        Endpoint::Token => {
            let op = match x.grant_type().unwrap_or("") {
                authorization_code::GRANT_TYPE => {
                    Op::Redeem { code: text("code"), app: app(), verifier: x.facts.verifier_s256.clone() }
                }
                refresh_token::GRANT_TYPE => Op::Refresh {
                    token: text("refresh_token"),
                    app: app(),
                    narrow: x.param("scope").is_some(),
                },
                client_credentials::GRANT_TYPE => {
                    Op::Grant { app: app(), flow: Flow::ClientCredentials, again: false }
                }
                grant @ (jwt_bearer::GRANT_TYPE | saml_bearer::GRANT_TYPE) => Op::Grant {
                    app: app(),
                    flow: if grant == jwt_bearer::GRANT_TYPE { Flow::JwtBearer } else { Flow::SamlBearer },
                    again: x.param("assertion").is_some_and(|assertion| assertions.contains(&assertion)),
                },
                _ => return Reading::Nothing,
            };
            (op, token_answer())
        }
        Endpoint::Revoke => (Op::Revoke { token: text("token"), app: app() }, Seen::Status(status)),
        Endpoint::Introspect => {
            let seen = match x.member("active") {
                Some(active) if status == 200 => Seen::Active(*active == Value::Bool(true)),
                _ => Seen::Status(status),
            };
            (Op::Introspect { token: text("token"), app: app() }, seen)
        }
        Endpoint::Userinfo | Endpoint::Identity | Endpoint::Resource => {
            let Some(token) = presented(x) else { return Reading::Nothing };
            (Op::Use { token: token.to_owned(), endpoint: x.endpoint }, Seen::Status(status))
        }
        _ => return Reading::Nothing,
    };
    Reading::Event(Event { op, seen, at: x.at })
}
