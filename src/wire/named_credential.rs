//! Our own Named Credential: Salesforce as the client of somebody else's server, as a program under test would be. Any
//! number of call-outs of one principal share its token, and one of them renews it for all.

use bytes::Bytes;
use http::Request;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::Transport;
use super::asking::ask;
use super::calls::Calls;
use super::patience::in_time;
use super::renewal::{Brought, Grant, brought};
use crate::client::wrong::Wrongs;
use crate::client::wrong::named_credential::{
    CALLS_ANYWAY, CALLS_BARE, EVERYBODY_RENEWS, FORGETS_ROTATION, IGNORES_LISTED, NEVER_RENEWS,
    RENEWS_UNLISTED, REPEATS_TWICE, REUSES_ASSERTION,
};
use crate::client::{Outgoing, Remember, Session, named_credential};
use crate::oauth::Secret;
use crate::subject::{NamedCredential, Protocol};
use crate::transcript::Answer;

/// How often a call is repeated by a wrong that does so again and again.
const AGAIN_AND_AGAIN: u32 = 3;

/// A Named Credential with the token of its principal.
pub(super) struct Player {
    transport: Transport,
    grant: Grant,
    credential: NamedCredential,
    session: Mutex<Session>,
    /// Whoever asks for a token holds it.
    gate: tokio::sync::Mutex<()>,
    /// For wrongs: the first request for a token, and how many are under way.
    first: Mutex<Option<Outgoing>>,
    asking: watch::Sender<usize>,
    wrong: Wrongs,
}

impl Player {
    /// One that knows these tokens; `grant` has its credential.
    pub(super) fn new(
        transport: Transport,
        grant: Grant,
        credential: NamedCredential,
        session: Session,
        wrong: Wrongs,
    ) -> Arc<Self> {
        let (session, gate, first) = (Mutex::new(session), tokio::sync::Mutex::new(()), Mutex::new(None));
        let (asking, _) = watch::channel(0);
        Arc::new(Self { transport, grant, credential, session, gate, first, asking, wrong })
    }

    /// Makes so many calls. True where each was answered with success.
    pub(super) async fn make(self: &Arc<Self>, calls: &Calls, many: u32) -> bool {
        let room = Arc::new(Semaphore::new(usize::try_from(calls.concurrency.max(1)).unwrap_or(1)));
        let begun = Arc::new(AtomicBool::new(false));
        let mut running = JoinSet::new();
        for number in 0..many {
            let Some(request) = calls.request(number) else { continue };
            let (player, room, begun) = (self.clone(), room.clone(), begun.clone());
            let (clock, pause) = (calls.clock.clone(), calls.pause);
            running.spawn(async move {
                let _permit = room.acquire_owned().await;
                if begun.swap(true, Ordering::Relaxed) && !pause.is_zero() {
                    clock.wait(pause).await;
                }
                player.call(&request).await
            });
        }
        running.join_all().await.into_iter().all(|done| done)
    }

    /// One call-out: with the token in force, and once more with a new one where the answer asks for that.
    async fn call(&self, request: &Request<Bytes>) -> bool {
        let Some(mut token) = self.token(None).await else {
            if self.wrong.has(&CALLS_ANYWAY) {
                self.send(request, None).await;
            }
            return false;
        };
        let most = if self.wrong.has(&REPEATS_TWICE) { AGAIN_AND_AGAIN } else { 1 };
        for _ in 0..most {
            let Some(status) = self.send(request, Some(&token)).await else { return false };
            if !self.renews_on(status) {
                return (200..300).contains(&status);
            }
            let Some(new) = self.token(Some(&token)).await else { return false };
            token = new;
        }
        self.send(request, Some(&token)).await.is_some_and(|status| (200..300).contains(&status))
    }

    fn renews_on(&self, status: u16) -> bool {
        match status {
            _ if self.wrong.has(&NEVER_RENEWS) => false,
            400..=499 if self.wrong.has(&RENEWS_UNLISTED) => true,
            status if self.wrong.has(&IGNORES_LISTED) => status == 401,
            status => self.credential.renews_on(status),
        }
    }

    /// Sends a call, and tells the status of its answer.
    async fn send(&self, request: &Request<Bytes>, token: Option<&Secret>) -> Option<u16> {
        let bare = self.wrong.has(&CALLS_BARE) && self.credential.protocol == Protocol::Browser;
        let mut request = request.clone();
        named_credential::dress(&mut request, token.filter(|_| !bare));
        let outgoing = Outgoing { request, truncated: false, remember: Remember::default() };
        match self.transport.send(&outgoing).await.0 {
            Answer::Response(response) => Some(response.status),
            Answer::Nothing(_) => None,
        }
    }

    /// The token in force, or another where this one is dead. None where there is none to be had.
    async fn token(&self, dead: Option<&Secret>) -> Option<Secret> {
        let alone = self.wrong.has(&EVERYBODY_RENEWS) && dead.is_some();
        let _gate = if alone { None } else { Some(self.gate.lock().await) };
        let known = self.session().clone();
        let signs_each = self.credential.protocol == Protocol::Jwt;
        if let Some(token) =
            known.access_token.clone().filter(|token| !alone && Some(token) != dead && !signs_each)
        {
            return Some(token);
        }
        let outgoing = self.request(&known)?;
        if signs_each {
            let mut signed = Session::default();
            outgoing.remember.into_session(&mut signed);
            return signed.assertion;
        }
        self.asking.send_modify(|asking| *asking += 1);
        let asking = ask(&self.transport, &self.grant, &outgoing);
        let came = in_time(&self.grant.clock, self.grant.manner.wrong, asking).await;
        let came = brought(came, &self.grant);
        let granted = match came {
            Brought::Tokens(granted) => granted,
            _ => {
                self.asking.send_modify(|asking| *asking -= 1);
                return if alone { self.of_another(dead).await } else { None };
            }
        };
        let mut session = self.session();
        session.access_token = Some(granted.access_token.clone());
        if !(self.wrong.has(&FORGETS_ROTATION) && session.refresh_token.is_some()) {
            session.refresh_token = granted.refresh_token.or(session.refresh_token.take());
        }
        drop(session);
        self.asking.send_modify(|asking| *asking -= 1);
        Some(granted.access_token)
    }

    /// What another call-out got, where this one was refused and each asks for itself.
    async fn of_another(&self, dead: Option<&Secret>) -> Option<Secret> {
        let _ = self.asking.subscribe().wait_for(|asking| *asking == 0).await;
        self.session().access_token.clone().filter(|token| Some(token) != dead)
    }

    /// The request for a token, with what is known.
    fn request(&self, session: &Session) -> Option<Outgoing> {
        let action = named_credential::action(&self.credential, session)?;
        let outgoing = self.grant.build(&action, session).ok()?;
        if !self.wrong.has(&REUSES_ASSERTION) || !self.credential.protocol.signs_grants() {
            return Some(outgoing);
        }
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        Some(first.get_or_insert(outgoing).clone())
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
