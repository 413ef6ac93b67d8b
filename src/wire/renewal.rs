//! The driver of renewals: calls go out with the token in force, and a renewal is a task of its own, so that a caller
//! that is cancelled never takes it along.

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use rand::SeedableRng as _;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

use super::{Clock, Transport};
use crate::client::renewal::{Caller, Failed, Granted, Renewal, Ticket, Turn, is_stale};
use crate::client::{Action, Asked, Context, Dice, Missing, Outgoing, Remember, Session, Tweak, build};
use crate::oauth::Secret;
use crate::oauth::message::TokenResponse;
use crate::subject::{Endpoints, Target};
use crate::transcript::{Answer, Response};

/// How tokens are asked for: by this app, for this user, in this way.
#[derive(Clone)]
pub struct Grant {
    /// The org, with its apps and users.
    pub target: Arc<Target>,
    /// Where it answers.
    pub endpoints: Endpoints,
    /// Base URL.
    pub org: String,
    /// Role of the app.
    pub app: String,
    /// Role of the user.
    pub user: String,
    /// The flow of a new grant, for server-to-server flows.
    pub flow: Action,
    /// Tells what time it is to assertions.
    pub clock: Clock,
}

impl Grant {
    /// The token request: with the refresh token, or for a new grant where there is none.
    ///
    /// # Errors
    /// The target lacks what the request is made of.
    pub fn request(&self, refresh_token: Option<&Secret>) -> Result<Outgoing, Missing> {
        let app = self.target.apps.get(&self.app).ok_or_else(|| Missing::App(self.app.clone()))?;
        let nobody = crate::subject::User::default();
        let session = Session { refresh_token: refresh_token.cloned(), ..Session::default() };
        let random = RefCell::new(Dice(rand::rngs::StdRng::from_seed(super::dice::seed())));
        let context = Context {
            target: &self.target,
            endpoints: &self.endpoints,
            org: &self.org,
            role: &self.app,
            app,
            user: self.target.users.get(&self.user).unwrap_or(&nobody),
            auth: app.client_auth,
            session: &session,
            now: self.clock.now(),
            random: &random,
        };
        let action = if refresh_token.is_some() { &Action::Refresh } else { &self.flow };
        build(&context, &Asked { action, tweak: &Tweak::default(), authenticated: false })
    }
}

/// A session that any number of callers share.
pub struct Renewing {
    transport: Transport,
    grant: Grant,
    state: Mutex<Renewal>,
    ended: watch::Sender<Ticket>,
    renewals: AtomicU64,
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GaveUp {
    /// There is no token, and there will be none.
    #[error("no access token: {0}")]
    NoToken(#[from] Failed),
    /// Nothing came back from the resource.
    #[error("the resource: {0}")]
    NoAnswer(crate::transcript::Failure),
}

impl Renewing {
    /// A session with what is known of its tokens.
    pub fn new(
        transport: Transport,
        grant: Grant,
        access_token: Option<Secret>,
        refresh_token: Option<Secret>,
    ) -> Arc<Self> {
        let state = Mutex::new(Renewal::new(access_token, refresh_token));
        let (ended, _) = watch::channel(Ticket::default());
        Arc::new(Self { transport, grant, state, ended, renewals: AtomicU64::new(0) })
    }

    /// How many renewals were begun.
    pub fn renewals(&self) -> u64 {
        self.renewals.load(Ordering::Relaxed)
    }

    /// Calls a resource with the token in force. A token that turns out to be dead is renewed, by one of all callers,
    /// and the call is repeated once.
    ///
    /// # Errors
    /// [`GaveUp`], where there is no answer of the resource.
    pub async fn call(self: &Arc<Self>, request: &Request<Bytes>) -> Result<Response, GaveUp> {
        let mut caller = Caller::default();
        let mut ended = self.ended.subscribe();
        let mut refused = None;
        let mut turn = self.state().turn(&mut caller);
        loop {
            turn = match turn {
                Turn::Send(token) => match self.transport.send(&bearing(request, &token)).await.0 {
                    Answer::Response(response) if is_stale(&response) => {
                        let turn = self.state().stale(&mut caller);
                        if turn == Turn::Accept {
                            return Ok(response);
                        }
                        refused = Some(response);
                        turn
                    }
                    Answer::Response(response) => return Ok(response),
                    Answer::Nothing(why) => return Err(GaveUp::NoAnswer(why)),
                },
                Turn::Renew(ticket, refresh_token) => {
                    self.renewals.fetch_add(1, Ordering::Relaxed);
                    tokio::spawn(Flight::new(self.clone(), ticket).fly(refresh_token));
                    Turn::Wait(ticket)
                }
                Turn::Wait(ticket) => {
                    // The sender lives as long as this session.
                    let _ = ended.wait_for(|ended| ticket.is_over_at(*ended)).await;
                    self.state().turn(&mut caller)
                }
                Turn::GiveUp(why) => return Err(why.into()),
                Turn::Accept => return refused.ok_or_else(|| failed("nothing was refused", false).into()),
            };
        }
    }

    fn state(&self) -> MutexGuard<'_, Renewal> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One renewal under way. However it ends, its ticket is settled, and nobody waits for ever.
struct Flight {
    session: Arc<Renewing>,
    ticket: Ticket,
    outcome: Result<Granted, Failed>,
}

impl Flight {
    fn new(session: Arc<Renewing>, ticket: Ticket) -> Self {
        Self { session, ticket, outcome: Err(failed("the renewal did not come to an end", false)) }
    }

    async fn fly(mut self, refresh_token: Option<Secret>) {
        // Signing takes a millisecond of a processor: it happens here, outside of any lock.
        self.outcome = match self.session.grant.request(refresh_token.as_ref()) {
            Ok(request) => granted(self.session.transport.send(&request).await.0),
            Err(why) => Err(failed(&why.to_string(), true)),
        };
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let outcome = std::mem::replace(&mut self.outcome, Err(failed("it is over", false)));
        self.session.state().settle(self.ticket, outcome);
        self.session.ended.send_replace(self.ticket);
    }
}

fn granted(answer: Answer) -> Result<Granted, Failed> {
    let response = match answer {
        Answer::Response(response) => response,
        Answer::Nothing(why) => return Err(failed(&why.to_string(), false)),
    };
    match TokenResponse::read(&response.body).filter(|_| response.status == 200) {
        Some(tokens) => {
            let secret = |name| tokens.text(name).map(Secret::new);
            let access_token = secret("access_token").unwrap_or_default();
            Ok(Granted { access_token, refresh_token: secret("refresh_token") })
        }
        // What the server refuses it refuses again; what it fails at for a moment it may not.
        None => {
            let momentary = matches!(response.status, 408 | 425 | 429);
            Err(failed(&response.one_line(), (400..500).contains(&response.status) && !momentary))
        }
    }
}

fn failed(why: &str, is_final: bool) -> Failed {
    Failed { why: why.to_owned(), is_final }
}

fn bearing(request: &Request<Bytes>, token: &Secret) -> Outgoing {
    let mut request = request.clone();
    if let Ok(mut value) = HeaderValue::try_from(format!("Bearer {}", token.expose())) {
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    Outgoing { request, truncated: false, remember: Remember::default() }
}
