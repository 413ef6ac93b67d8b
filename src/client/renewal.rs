//! Renewal of an access token, as a state machine that sends nothing. Any number of callers that find the token dead
//! share one renewal; all repeat once with the new token; a failed renewal reaches each of them once. RFC 6749 §6 has
//! the refresh; that callers share it is not in any RFC: where refresh tokens rotate, a second renewal beside the
//! first is a reuse, and ends the grant.

use serde_json::Value;
use std::time::Duration;

use super::wrong::Wrongs;
use super::wrong::authentication::{EVERYBODY_ASKS, TAKES_ANY_REFRESH_TOKEN};
use super::wrong::renewal::{
    EVERYBODY_RENEWS, FORGETS_ROTATION, GOES_BACK, IGNORES_NEW_INSTANCE, KEEPS_LOCK, KEEPS_OLD_ACCESS_TOKEN,
    LATE_REFUSAL_RENEWS, LOSES_REFRESH_TOKEN, REPEATS_FOR_EVER, RETRIES_DEAD_GRANT,
    TAKES_EMPTY_REFRESH_TOKEN, WAITERS_TRY_AGAIN,
};
use crate::oauth::Secret;
use crate::transcript::Response;

/// Numbers the access tokens of a grant, so that a caller can tell that its own is no longer the one in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(u64);

/// Numbers the renewals of a grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// The tokens of one grant, and whether they are being renewed.
#[derive(Debug, Default)]
pub struct Renewal {
    generation: Generation,
    access_token: Option<Secret>,
    refresh_token: Option<Secret>,
    /// The one that it began with, for a wrong.
    first: Option<Secret>,
    instance_url: Option<String>,
    /// When it is to be renewed although it still lives, in milliseconds since the epoch.
    due: Option<i64>,
    is_due: bool,
    /// Whether the renewal under way was begun although the token in force still lives.
    ahead: bool,
    last: Ticket,
    in_flight: bool,
    failure: Option<Failed>,
    dead: bool,
    wrong: Wrongs,
}

/// One call on its way.
#[derive(Debug, Default)]
pub struct Caller {
    /// Of the token that it sent last.
    generation: Generation,
    waits_for: Option<Ticket>,
    has_repeated: bool,
    /// For a wrong.
    has_tried_again: bool,
}

/// What a caller does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Send the request with this access token.
    Send(Secret),
    /// Begin this renewal, with the refresh token or, where there is none, with a new grant; then wait for it.
    Renew(Ticket, Option<Secret>),
    /// Wait until this renewal is over, then ask again.
    Wait(Ticket),
    /// There will be no token.
    GiveUp(Failed),
    /// The token is new and was refused all the same: the answer is the resource's last word.
    Accept,
}

/// Why a renewal brought no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Failed {
    /// In words, without secrets.
    pub why: String,
    /// Whether the grant is dead: asking again would bring the same answer.
    pub is_final: bool,
}

/// What a renewal brought.
#[derive(Clone, Debug, Default)]
pub struct Granted {
    /// The new access token.
    pub access_token: Secret,
    /// The new refresh token, where the old one is replaced.
    pub refresh_token: Option<Secret>,
    /// Where the API answers, as Salesforce tells.
    pub instance_url: Option<String>,
    /// Where the org tells whom the token is for.
    pub identity_url: Option<String>,
    /// The ID token, where one came along.
    pub id_token: Option<Secret>,
    /// How long the access token lives, where the org tells.
    pub lifetime: Option<Duration>,
    /// When the answer was written by the clock of the server, for a wrong.
    pub dated: Option<i64>,
}

impl Renewal {
    /// A grant with what is known of it. Without a refresh token a renewal is a new grant: server-to-server flows have
    /// none, and none that an answer brings is kept for them.
    pub fn new(access_token: Option<Secret>, refresh_token: Option<Secret>) -> Self {
        Self { access_token, first: refresh_token.clone(), refresh_token, ..Self::default() }
    }

    /// The same, with a wrong on purpose.
    #[must_use]
    pub fn committing(self, wrong: Wrongs) -> Self {
        Self { wrong, ..self }
    }

    /// The access token in force.
    pub fn access_token(&self) -> Option<&Secret> {
        self.access_token.as_ref()
    }

    /// The refresh token in force.
    pub fn refresh_token(&self) -> Option<&Secret> {
        self.refresh_token.as_ref()
    }

    /// The wrong that it commits on purpose.
    pub fn wrong(&self) -> Wrongs {
        self.wrong
    }

    /// Where the API answers, where the org said so.
    pub fn instance_url(&self) -> Option<&str> {
        self.instance_url.as_deref()
    }

    /// Takes up what an earlier answer said about where the API answers.
    pub fn answers_at(&mut self, instance_url: Option<String>) {
        self.instance_url = instance_url.or(self.instance_url.take());
    }

    /// Loses the access token that is in force, for a wrong.
    pub fn forget(&mut self) {
        self.access_token = None;
    }

    /// Has the access token renewed from that moment on, before anybody is refused; none leaves it as long as it lives.
    pub fn lasts_until(&mut self, due: Option<i64>) {
        self.due = due;
    }

    /// Looks whether that moment has come. The clock is not asked where nothing is to come.
    pub fn look(&mut self, now: impl FnOnce() -> i64) {
        self.is_due = !self.in_flight && self.due.is_some_and(|due| now() >= due);
    }

    /// What a caller does that begins, or whose renewal is over.
    pub fn turn(&mut self, caller: &mut Caller) -> Turn {
        let over = caller.waits_for.filter(|ticket| *ticket < self.last || !self.in_flight);
        if self.wrong.has(&WAITERS_TRY_AGAIN) && over.is_some() && self.failure.is_some() {
            if self.in_flight {
                return caller.wait(self.last);
            }
            if !std::mem::replace(&mut caller.has_tried_again, true) {
                return self.begin(caller);
            }
        }
        if let Some(failed) = &self.failure
            && (self.is_dead() || over.is_some() && caller.has_seen(self.generation))
            && !(self.wrong.has(&RETRIES_DEAD_GRANT) && over.is_none())
        {
            return Turn::GiveUp(failed.clone());
        }
        if self.in_flight && !(self.access_token.is_none() && self.wrong.has(&EVERYBODY_ASKS)) {
            return caller.wait(self.last);
        }
        match &self.access_token {
            Some(_) if std::mem::take(&mut self.is_due) => {
                self.ahead = true;
                self.begin(caller)
            }
            Some(token) => {
                caller.generation = self.generation;
                Turn::Send(token.clone())
            }
            None => self.begin(caller),
        }
    }

    /// What a caller does whose token was refused as dead.
    pub fn stale(&mut self, caller: &mut Caller) -> Turn {
        let again = std::mem::replace(&mut caller.has_repeated, true);
        if again && !self.wrong.has(&REPEATS_FOR_EVER) {
            return Turn::Accept;
        }
        if self.wrong.has(&KEEPS_LOCK) && self.failure.is_some() {
            return Turn::Accept;
        }
        let late = caller.generation < self.generation && !self.wrong.has(&LATE_REFUSAL_RENEWS);
        let shared = self.in_flight && !self.wrong.has(&EVERYBODY_RENEWS);
        if shared || self.is_dead() || late {
            return self.turn(caller);
        }
        self.begin(caller)
    }

    /// A renewal is over.
    pub fn settle(&mut self, ticket: Ticket, outcome: Result<Granted, Failed>) {
        let foreign = !self.in_flight || ticket != self.last;
        // Who asks for a first token beside others brings none any more when there is one.
        let first = self.wrong.has(&EVERYBODY_ASKS) && self.access_token.is_none();
        if foreign && !self.wrong.has(&EVERYBODY_RENEWS) && !first {
            return;
        }
        self.in_flight &= ticket != self.last;
        match outcome {
            Ok(granted) => {
                self.generation.0 += 1;
                if !self.wrong.has(&KEEPS_OLD_ACCESS_TOKEN) {
                    self.access_token = Some(granted.access_token);
                }
                // A refresh without a new refresh token, or with an empty one, keeps the old one (RFC 6749 §6).
                let new = granted
                    .refresh_token
                    .filter(|new| !new.expose().is_empty() || self.wrong.has(&TAKES_EMPTY_REFRESH_TOKEN));
                let replaces = match &new {
                    Some(_) => !self.wrong.has(&FORGETS_ROTATION),
                    None => self.wrong.has(&LOSES_REFRESH_TOKEN),
                };
                let takes = self.refresh_token.is_some() || self.wrong.has(&TAKES_ANY_REFRESH_TOKEN);
                if takes && replaces {
                    self.refresh_token = new;
                }
                if !self.wrong.has(&IGNORES_NEW_INSTANCE) {
                    self.instance_url = granted.instance_url.or(self.instance_url.take());
                }
                (self.due, self.ahead) = (None, false);
                (self.failure, self.dead) = (None, false);
            }
            // Nobody was refused: the next one tries again, and the token in force is good until then.
            Err(failed) if std::mem::take(&mut self.ahead) && !failed.is_final => {}
            Err(failed) => {
                self.dead = failed.is_final;
                self.failure = Some(failed);
            }
        }
    }

    /// Whether nothing is asked for any more.
    fn is_dead(&self) -> bool {
        self.dead && !self.wrong.has(&RETRIES_DEAD_GRANT) && !self.wrong.has(&EVERYBODY_RENEWS)
    }

    fn begin(&mut self, caller: &mut Caller) -> Turn {
        self.last.0 += 1;
        self.in_flight = true;
        caller.waits_for = Some(self.last);
        let goes_back = self.wrong.has(&GOES_BACK) && self.last >= Ticket(3);
        Turn::Renew(self.last, if goes_back { self.first.clone() } else { self.refresh_token.clone() })
    }
}

impl Caller {
    fn wait(&mut self, ticket: Ticket) -> Turn {
        self.waits_for = Some(ticket);
        Turn::Wait(ticket)
    }

    /// Whether the renewal that it waited for brought nothing newer than what it had.
    fn has_seen(&self, generation: Generation) -> bool {
        self.generation >= generation
    }
}

impl Ticket {
    /// Whether a renewal that ended with that number is this one or a later one.
    pub fn is_over_at(self, ended: Ticket) -> bool {
        ended >= self
    }
}

/// The codes of the errors that the body of an answer names, in either shape that Salesforce writes them in.
fn codes(response: &Response) -> Vec<&str> {
    fn code(error: &Value) -> Option<&str> {
        ["errorCode", "error"].iter().find_map(|key| error.get(key).and_then(Value::as_str))
    }
    match response.json() {
        Some(Value::Array(errors)) => errors.iter().filter_map(code).collect(),
        Some(object) => code(object).into_iter().collect(),
        None => Vec::new(),
    }
}

/// Whether an answer of a resource says that the access token is dead, and a new one would help. A 401 that gives no
/// reason, in a page or in nothing, is one like any other.
///
/// RFC 6750 §3.1 says `invalid_token` in the challenge; Salesforce's REST API says `INVALID_SESSION_ID` in the body, its
/// SOAP API the same in a fault with status 500, and its identity services say 403 with `Bad_OAuth_Token` or
/// `Missing_OAuth_Token` as plain text (Salesforce: REST API status codes; Identity URLs).
pub fn is_stale(response: &Response) -> bool {
    let challenge = || response.header_list("www-authenticate");
    match response.status {
        401 => {
            let codes = codes(response);
            let dead = |code: &&str| matches!(*code, "INVALID_SESSION_ID" | "invalid_token");
            // A challenge of another scheme says nothing of the token, and one without an error nothing at all.
            let says = challenge().to_ascii_lowercase();
            let otherwise = says.contains("error=") || says.contains("error =");
            says.contains("invalid_token") || codes.iter().any(dead) || codes.is_empty() && !otherwise
        }
        403 => matches!(response.body.trim(), "Bad_OAuth_Token" | "Missing_OAuth_Token"),
        500 => response.body.contains("INVALID_SESSION_ID") && response.body.contains("Fault"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn granted(token: &str) -> Granted {
        Granted { access_token: token.into(), ..Granted::default() }
    }

    fn failed(is_final: bool) -> Failed {
        Failed { why: "refused".into(), is_final }
    }

    #[test]
    fn the_second_caller_waits_for_the_first_ones_renewal() {
        let mut renewal = Renewal::new(Some("a".into()), Some("r".into()));
        let (mut one, mut two) = (Caller::default(), Caller::default());
        assert_eq!(renewal.turn(&mut one), Turn::Send("a".into()));
        assert_eq!(renewal.turn(&mut two), Turn::Send("a".into()));
        let Turn::Renew(ticket, refresh_token) = renewal.stale(&mut one) else { panic!("no renewal") };
        assert_eq!(refresh_token, Some("r".into()));
        assert_eq!(renewal.stale(&mut two), Turn::Wait(ticket));
        // One that begins now would send a token that is known to be dead.
        assert_eq!(renewal.turn(&mut Caller::default()), Turn::Wait(ticket));
        renewal.settle(ticket, Ok(granted("b")));
        assert_eq!(renewal.turn(&mut one), Turn::Send("b".into()));
        assert_eq!(renewal.turn(&mut two), Turn::Send("b".into()));
        assert_eq!(renewal.stale(&mut two), Turn::Accept);
    }

    #[test]
    fn one_that_comes_back_late_repeats_without_a_renewal_of_its_own() {
        let mut renewal = Renewal::new(Some("a".into()), Some("r".into()));
        let (mut one, mut late) = (Caller::default(), Caller::default());
        renewal.turn(&mut one);
        renewal.turn(&mut late);
        let Turn::Renew(ticket, _) = renewal.stale(&mut one) else { panic!("no renewal") };
        renewal.settle(ticket, Ok(granted("b")));
        assert_eq!(renewal.stale(&mut late), Turn::Send("b".into()));
    }

    #[test]
    fn a_failure_reaches_those_who_waited_and_nobody_asks_a_dead_grant_again() {
        let mut renewal = Renewal::new(Some("a".into()), Some("r".into()));
        let (mut one, mut two) = (Caller::default(), Caller::default());
        renewal.turn(&mut one);
        renewal.turn(&mut two);
        let Turn::Renew(ticket, _) = renewal.stale(&mut one) else { panic!("no renewal") };
        assert_eq!(renewal.stale(&mut two), Turn::Wait(ticket));
        renewal.settle(ticket, Err(failed(false)));
        assert_eq!(renewal.turn(&mut one), Turn::GiveUp(failed(false)));
        assert_eq!(renewal.turn(&mut two), Turn::GiveUp(failed(false)));
        // What failed for a moment may be tried by the next one; what is refused for good may not.
        let mut three = Caller::default();
        assert_eq!(renewal.turn(&mut three), Turn::Send("a".into()));
        let Turn::Renew(ticket, _) = renewal.stale(&mut three) else { panic!("no renewal") };
        renewal.settle(ticket, Err(failed(true)));
        assert_eq!(renewal.turn(&mut Caller::default()), Turn::GiveUp(failed(true)));
    }

    #[test]
    fn a_server_to_server_flow_keeps_no_refresh_token() {
        let mut renewal = Renewal::new(None, None);
        let mut caller = Caller::default();
        let Turn::Renew(ticket, None) = renewal.turn(&mut caller) else { panic!("no grant") };
        let both = Granted { refresh_token: Some("never".into()), ..granted("a") };
        renewal.settle(ticket, Ok(both));
        assert_eq!(renewal.turn(&mut caller), Turn::Send("a".into()));
        assert!(matches!(renewal.stale(&mut caller), Turn::Renew(_, None)));
    }

    #[test]
    fn what_no_renewal_cures_is_not_stale() {
        let answer = |status, headers: &[(&str, &str)], body: &str| {
            let headers = headers.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
            is_stale(&Response::new(status, headers, body.to_owned()))
        };
        assert!(answer(
            401,
            &[],
            r#"[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]"#
        ));
        assert!(answer(401, &[("WWW-Authenticate", "Bearer error=\"invalid_token\"")], ""));
        assert!(answer(403, &[], "Bad_OAuth_Token"));
        assert!(answer(500, &[], "<faultcode>sf:INVALID_SESSION_ID</faultcode><soapenv:Fault/>"));
        assert!(answer(401, &[], "") && answer(401, &[("WWW-Authenticate", "Token")], "<html>"));
        assert!(answer(401, &[], r#"{"message":"Session expired","errorCode":"INVALID_SESSION_ID"}"#));
        let second = "Basic realm=\"x\", bearer error = \"invalid_token\"";
        assert!(answer(401, &[("WWW-Authenticate", second)], "{}"));
        assert!(!answer(401, &[], r#"[{"errorCode":"INVALID_AUTH_HEADER"}]"#));
        assert!(!answer(401, &[("WWW-Authenticate", "Bearer error=\"invalid_request\"")], ""));
        assert!(!answer(403, &[("WWW-Authenticate", "Bearer error=\"insufficient_scope\"")], ""));
        assert!(!answer(500, &[], "INVALID_SESSION_ID"));
    }

    /// A server whose tokens are numbers, and callers that are somewhere on their way.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum At {
        Start,
        Sent(u64),
        Waiting(Ticket),
        Answered,
        GaveUp,
    }

    struct World {
        renewal: Renewal,
        callers: Vec<(Caller, At)>,
        alive: u64,
        flight: Option<Ticket>,
        renewals: usize,
    }

    impl World {
        fn take(&mut self, who: usize, turn: Turn) {
            self.callers[who].1 = match turn {
                Turn::Send(token) => {
                    let token: u64 = token.expose().parse().unwrap();
                    // Whoever begins while a renewal is under way or after it never sends what it replaces.
                    assert!(self.flight.is_none());
                    At::Sent(token)
                }
                Turn::Renew(ticket, _) => {
                    assert_eq!(self.flight, None, "two renewals at a time");
                    self.flight = Some(ticket);
                    self.renewals += 1;
                    At::Waiting(ticket)
                }
                Turn::Wait(ticket) => At::Waiting(ticket),
                Turn::GiveUp(_) => At::GaveUp,
                Turn::Accept => panic!("a new token was refused"),
            };
        }

        /// Moves on one caller, or the renewal; false where there is nothing to move.
        fn step(&mut self, choice: usize, fails: bool) -> bool {
            let mut movable: Vec<usize> = (0..self.callers.len())
                .filter(|who| match self.callers[*who].1 {
                    At::Start | At::Sent(_) => true,
                    At::Waiting(ticket) => self.flight != Some(ticket),
                    At::Answered | At::GaveUp => false,
                })
                .collect();
            if self.flight.is_some() {
                movable.push(usize::MAX);
            }
            let Some(who) = movable.get(choice % movable.len().max(1)).copied() else { return false };
            if who == usize::MAX {
                let ticket = self.flight.take().unwrap();
                let outcome = if fails { Err(failed(false)) } else { Ok(granted(&self.alive.to_string())) };
                self.renewal.settle(ticket, outcome);
                return true;
            }
            match self.callers[who].1 {
                At::Sent(token) if token == self.alive => self.callers[who].1 = At::Answered,
                At::Sent(_) => {
                    let mut caller = std::mem::take(&mut self.callers[who].0);
                    let turn = self.renewal.stale(&mut caller);
                    self.callers[who].0 = caller;
                    self.take(who, turn);
                }
                _ => {
                    let mut caller = std::mem::take(&mut self.callers[who].0);
                    let turn = self.renewal.turn(&mut caller);
                    self.callers[who].0 = caller;
                    self.take(who, turn);
                }
            }
            true
        }
    }

    proptest! {
        #[test]
        fn any_interleaving_and_any_moment_of_expiry_costs_one_renewal(
            callers in 1usize..12, expires_at in 0usize..30, choices in prop::collection::vec(any::<usize>(), 200),
        ) {
            let renewal = Renewal::new(Some("1".into()), Some("r".into()));
            let start = (0..callers).map(|_| (Caller::default(), At::Start)).collect();
            let mut world = World { renewal, callers: start, alive: 1, flight: None, renewals: 0 };
            for (i, choice) in choices.iter().enumerate() {
                if i == expires_at {
                    world.alive = 2;
                }
                if !world.step(*choice, false) {
                    break;
                }
            }
            prop_assert!(world.callers.iter().all(|(_, at)| *at == At::Answered));
            prop_assert!(world.renewals <= 1);
            // Nobody sends what is dead from now on.
            let token = world.renewal.turn(&mut Caller::default());
            let now = if world.renewals == 0 { "1" } else { "2" };
            prop_assert_eq!(token, Turn::Send(now.into()));
        }

        #[test]
        fn a_failure_leaves_nobody_waiting(
            callers in 1usize..12, choices in prop::collection::vec((any::<usize>(), any::<bool>()), 400),
        ) {
            let renewal = Renewal::new(Some("1".into()), Some("r".into()));
            let start = (0..callers).map(|_| (Caller::default(), At::Start)).collect();
            let mut world = World { renewal, callers: start, alive: 2, flight: None, renewals: 0 };
            for (choice, fails) in choices {
                if !world.step(choice, fails) {
                    break;
                }
            }
            prop_assert!(world.callers.iter().all(|(_, at)| matches!(at, At::Answered | At::GaveUp)));
        }
    }
}
