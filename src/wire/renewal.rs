//! The driver of renewals: calls go out with the token in force, and a renewal is a task of its own, so that a caller
//! that is cancelled never takes it along.

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use rand::SeedableRng as _;
use std::cell::RefCell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::asking::ask;
use super::calling::ENVELOPE;
use super::patience::{due, in_time, pause};
use super::store::Store;
use super::{Clock, Transport};
use crate::client::answer::{Manner, UNREAD, Unusable};
use crate::client::renewal::{Caller, Failed, Granted, Renewal, Ticket, Turn, is_stale};
use crate::client::wrong::authentication::{ASKS_FOR_EVERY_CALL, TAKES_ANY_REFRESH_TOKEN};
use crate::client::wrong::renewal::{
    BY_QUERY, COLLISION_IS_FINAL, FOLLOWS_REDIRECT, FORGETS_IN_OUTAGE, GIVES_UP_AT_ONCE, HURRIES,
    LEAVES_WAITERS, LOGS_IN_AT_ONCE, LOSES_REFRESH_TOKEN, NEVER_REPEATS, POSTS_TWICE, REFRESHES_AT_IDENTITY,
    REFRESHES_WITHOUT_TOKEN, RENEWS_WHEN_FORBIDDEN, REPEATS_ANOTHER_CALL, REPEATS_WITH_DEAD_TOKEN,
    RETRIES_REFUSED_CLIENT, STALE_COPY, STARTS_OVER, STORMS, TAKES_BAD_TOKEN_FOR_RIGHTS, UNAUTHENTICATED,
    WIDENS_SCOPE,
};
use crate::client::wrong::robustness::{ASKS_ON_AND_ON, RENEWS_WHEN_BROKEN};
use crate::client::wrong::store::{KEEPS_FIRST, LOCKS_NOTHING, STORES_LAST};
use crate::client::wrong::tokens::RENEWS_UNTOLD;
use crate::client::wrong::{Wrongs, tweak};
use crate::client::{Action, Asked, Context, Dice, Missing, Outgoing, Remember, Session, build};
use crate::client::{id_token, named_credential};
use crate::oauth::{Params, Secret};
use crate::subject::{Endpoints, NamedCredential, Target};
use crate::transcript::questions::origin;
use crate::transcript::{Answer, Response};

/// How often a renewal that fails for a moment is tried at most.
const MOST_TRIES: u32 = 4;
/// How long the first wait between two tries is; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait that a server can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

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
    /// The flow of a new grant, for server-to-server flows; others need their user for one.
    pub flow: Option<Action>,
    /// Tells what time it is to assertions.
    pub clock: Clock,
    /// Which hosts its tokens may go to, and what it does wrong.
    pub manner: Manner,
    /// The Named Credential that it is, where it is one.
    pub credential: Option<NamedCredential>,
}

impl Grant {
    /// The token request: with the refresh token, or for a new grant where there is none.
    ///
    /// # Errors
    /// The target lacks what the request is made of.
    pub fn request(&self, refresh_token: Option<&Secret>) -> Result<Outgoing, Missing> {
        let session = Session { refresh_token: refresh_token.cloned(), ..Session::default() };
        match (refresh_token, &self.flow) {
            (Some(_), _) => self.build(&Action::Refresh, &session),
            (None, Some(flow)) => self.build(flow, &session),
            (None, None) => Err(Missing::Value("refresh_token".into())),
        }
    }

    /// The request of an action, with what the client knows.
    ///
    /// # Errors
    /// The target lacks what the request is made of.
    pub fn build(&self, action: &Action, session: &Session) -> Result<Outgoing, Missing> {
        let app = self.target.apps.get(&self.app).ok_or_else(|| Missing::App(self.app.clone()))?;
        let nobody = crate::subject::User::default();
        let random = RefCell::new(Dice(rand::rngs::StdRng::from_seed(super::dice::seed())));
        let context = Context {
            target: &self.target,
            endpoints: &self.endpoints,
            org: &self.org,
            role: &self.app,
            app,
            user: self.target.users.get(&self.user).unwrap_or(&nobody),
            auth: match &self.credential {
                Some(credential) => {
                    named_credential::client_auth(credential, app.client_auth, self.manner.wrong)
                }
                None => app.client_auth,
            },
            session,
            now: self.clock.now(),
            random: &random,
        };
        let tweak = match &self.credential {
            Some(credential) => {
                named_credential::tweak(credential, action, None, context.now, self.manner.wrong)
            }
            None => {
                let jti = random.borrow_mut().token(16);
                tweak(self.manner.wrong, action, app.client_auth, context.now, jti)
            }
        };
        build(&context, &Asked { action, tweak: &tweak, authenticated: false })
    }
}

/// A session that any number of callers share.
pub struct Renewing {
    transport: Transport,
    grant: Grant,
    /// The base URL of the org, read once for all calls.
    place: Option<Uri>,
    state: Mutex<Renewal>,
    wrong: Wrongs,
    ended: watch::Sender<Ticket>,
    renewals: AtomicU64,
    /// For a wrong: the access token that it began with, how many calls were sent, and where the org tells of the user.
    copy: Option<Secret>,
    sent: AtomicU64,
    identity: OnceLock<String>,
    /// The ID token of the login.
    id_token: OnceLock<Secret>,
    /// What it shares with others of its kind, where there is something.
    store: OnceLock<Arc<Store>>,
    /// Renewals under way, which end with the process that began them.
    flights: Mutex<JoinSet<()>>,
    /// Until when the server wants to be left alone, in milliseconds since the epoch: the next renewal keeps a pause that
    /// the last one was told of.
    left_alone_until: AtomicI64,
}

/// A process in which a session lives: when it is gone, nothing of it goes on.
pub(super) struct Process(pub(super) Arc<Renewing>);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.flights.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
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
    /// The next page is on another host, or there is no end of pages.
    #[error("the next page is somewhere else")]
    LedAway,
}

impl Renewing {
    /// A session with what is known of its tokens.
    pub fn new(
        transport: Transport,
        grant: Grant,
        access_token: Option<Secret>,
        refresh_token: Option<Secret>,
    ) -> Arc<Self> {
        Self::committing(transport, grant, access_token, refresh_token, Wrongs::default())
    }

    /// The same, with a wrong on purpose.
    pub fn committing(
        transport: Transport,
        grant: Grant,
        access_token: Option<Secret>,
        refresh_token: Option<Secret>,
        wrong: Wrongs,
    ) -> Arc<Self> {
        let copy = access_token.clone().filter(|_| wrong.has(&STALE_COPY));
        let state = Mutex::new(Renewal::new(access_token, refresh_token).committing(wrong));
        let (ended, _) = watch::channel(Ticket::default());
        let (renewals, sent) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self {
            transport,
            place: grant.org.parse().ok(),
            grant,
            state,
            wrong,
            ended,
            renewals,
            copy,
            sent,
            identity: OnceLock::new(),
            id_token: OnceLock::new(),
            store: OnceLock::new(),
            flights: Mutex::default(),
            left_alone_until: AtomicI64::new(0),
        })
    }

    /// Has it share its tokens with whoever looks into that store.
    pub fn shares(&self, store: &Arc<Store>) {
        let _ = self.store.set(store.clone());
    }

    /// The access token in force.
    pub fn access_token(&self) -> Option<Secret> {
        self.state().access_token().cloned()
    }

    /// The tokens in force, as an answer would bring them.
    pub(super) fn granted(&self) -> Option<Granted> {
        let state = self.state();
        let (access_token, refresh_token) = (state.access_token()?.clone(), state.refresh_token().cloned());
        Some(Granted { access_token, refresh_token, ..Granted::default() })
    }

    /// Takes up what the answer to a login said besides the tokens.
    pub fn begins_with(&self, granted: &Granted) {
        let mut state = self.state();
        state.answers_at(granted.instance_url.clone());
        state.lasts_until(due(granted, &self.grant.clock, self.wrong));
        drop(state);
        if let Some(url) = &granted.identity_url {
            let _ = self.identity.set(url.clone());
        }
        if let Some(text) = &granted.id_token {
            let _ = self.id_token.set(text.clone());
        }
    }

    pub(super) fn manner(&self) -> &Manner {
        &self.grant.manner
    }

    pub(super) fn wrong(&self) -> Wrongs {
        self.wrong
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(super) fn org(&self) -> &str {
        &self.grant.org
    }

    /// The instance that the org named, where that is another host.
    pub(super) fn other_instance(&self) -> Option<Uri> {
        let org = self.org().trim_end_matches('/');
        self.state().instance_url().filter(|url| url.trim_end_matches('/') != org)?.parse().ok()
    }

    /// Where the org is.
    pub(super) fn place(&self) -> Option<&Uri> {
        self.place.as_ref()
    }

    pub(super) fn client_secret(&self) -> Option<&Secret> {
        self.grant.target.apps.get(&self.grant.app)?.client_secret.as_ref()
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
        let (mut refused, mut sent) = (None, None);
        let mut began = false;
        let asks_anew = self.wrong.has(&ASKS_FOR_EVERY_CALL) && self.grant.flow.is_some();
        if asks_anew || self.wrong.has(&RENEWS_UNTOLD) {
            self.state().forget();
        }
        let mut turn = self.first_turn(&mut caller);
        loop {
            turn = match turn {
                Turn::Send(_) if refused.is_some() && self.repeats_nothing(request) => Turn::Accept,
                Turn::Send(token) => {
                    let token = if refused.is_some() { token } else { self.read(token) };
                    let outgoing = self.bearing(request, &token, sent.as_ref());
                    sent.get_or_insert(token);
                    match self.sent(outgoing).await {
                        Answer::Response(response) if self.is_stale(&response) => {
                            let turn = self.state().stale(&mut caller);
                            if turn == Turn::Accept {
                                return Ok(response);
                            }
                            refused = Some(response);
                            turn
                        }
                        Answer::Response(response) => return Ok(response),
                        Answer::Nothing(_) if self.sends_again(request, refused.is_some()) => {
                            refused = Some(Response::default());
                            self.state().turn(&mut caller)
                        }
                        Answer::Nothing(_) if self.wrong.has(&RENEWS_WHEN_BROKEN) && refused.is_none() => {
                            refused = Some(Response::default());
                            self.state().stale(&mut caller)
                        }
                        Answer::Nothing(why) => return Err(GaveUp::NoAnswer(why)),
                    }
                }
                Turn::Renew(ticket, refresh_token) => {
                    began = true;
                    self.renewals.fetch_add(1, Ordering::Relaxed);
                    let flight = Flight::new(self.clone(), ticket, sent.clone()).fly(refresh_token);
                    let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
                    while flights.try_join_next().is_some() {}
                    flights.spawn(flight);
                    drop(flights);
                    Turn::Wait(ticket)
                }
                Turn::Wait(ticket) => {
                    // The sender lives as long as this session.
                    let _ = self.ended.subscribe().wait_for(|ended| ticket.is_over_at(*ended)).await;
                    if self.wrong.has(&LEAVES_WAITERS) && !began && refused.is_some() {
                        Turn::Accept
                    } else {
                        self.state().turn(&mut caller)
                    }
                }
                Turn::GiveUp(why) => {
                    if let Some(token) = sent.filter(|_| self.wrong.has(&REPEATS_WITH_DEAD_TOKEN)) {
                        let _ = self.sent(self.bearing(request, &token, None)).await;
                    }
                    return Err(why.into());
                }
                Turn::Accept => return refused.ok_or_else(|| failed("nothing was refused", false).into()),
            };
        }
    }

    fn is_stale(&self, response: &Response) -> bool {
        if response.status == 403 && self.wrong.has(&TAKES_BAD_TOKEN_FOR_RIGHTS) {
            return false;
        }
        if let Some(stale) = self.misread(response) {
            return stale;
        }
        is_stale(response) || self.wrong.has(&RENEWS_WHEN_FORBIDDEN) && matches!(response.status, 403 | 404)
    }

    fn first_turn(&self, caller: &mut Caller) -> Turn {
        let mut state = self.state();
        state.look(|| self.grant.clock.now());
        state.turn(caller)
    }

    /// Whether a wrong leaves a refused call as it is.
    fn repeats_nothing(&self, request: &Request<Bytes>) -> bool {
        let is_page = request.uri().path().contains("/query/");
        self.wrong.has(&NEVER_REPEATS) || self.wrong.has(&STARTS_OVER) && is_page
    }

    /// The access token of a call, which a wrong reads elsewhere now and then.
    fn read(&self, token: Secret) -> Secret {
        match &self.copy {
            Some(copy) if self.sent.fetch_add(1, Ordering::Relaxed) % 4 == 3 => copy.clone(),
            _ => token,
        }
    }

    /// Whether a wrong sends a call again whose connection broke.
    fn sends_again(&self, request: &Request<Bytes>, again: bool) -> bool {
        self.wrong.has(&POSTS_TWICE) && request.method() == http::Method::POST && !again
    }

    /// The call with an access token; `sent` is the one that it was sent with before, where it is a repetition.
    fn bearing(&self, request: &Request<Bytes>, token: &Secret, sent: Option<&Secret>) -> Outgoing {
        let mut request = self.addressed(request);
        if request.headers().contains_key(ENVELOPE) {
            self.enclose(&mut request, token, sent);
            return Outgoing { request, truncated: false, remember: Remember::default() };
        }
        let repeated = sent.is_some();
        if let Ok(mut value) = HeaderValue::try_from(format!("Bearer {}", token.expose())) {
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        self.misplace(&mut request, token);
        if repeated && self.wrong.has(&REPEATS_ANOTHER_CALL) {
            *request.method_mut() = http::Method::DELETE;
        }
        Outgoing { request, truncated: false, remember: Remember::default() }
    }

    /// One request for tokens, as the grant has it.
    fn asking(&self, refresh_token: Option<&Secret>) -> Result<Outgoing, Missing> {
        // What clients do that have only one way to renew.
        let none = Secret::default();
        let lost = self.wrong.has(&LOSES_REFRESH_TOKEN) && self.grant.flow.is_none();
        let again = self.grant.flow.is_none() || self.renewals() > 1;
        let asks_all_the_same = self.wrong.has(&REFRESHES_WITHOUT_TOKEN) && again || lost;
        let refresh_token = refresh_token.or(Some(&none).filter(|_| asks_all_the_same));
        let mut outgoing = self.grant.request(refresh_token)?;
        if refresh_token.is_none() {
            return Ok(outgoing);
        }
        let request = &mut outgoing.request;
        let mut form = Params::read_lossy(&String::from_utf8_lossy(request.body()));
        if self.wrong.has(&WIDENS_SCOPE) {
            form.push("scope", "api full");
        }
        if self.wrong.has(&UNAUTHENTICATED) {
            form.remove("client_secret");
        }
        if self.wrong.has(&BY_QUERY)
            && let Ok(uri) = format!("{}?{}", request.uri(), form.write()).parse()
        {
            *request.uri_mut() = uri;
            form = Params::new();
        }
        if let Some(url) = self.identity.get().filter(|_| self.wrong.has(&REFRESHES_AT_IDENTITY))
            && let Ok(uri) = format!("{}{}", origin(url), request.uri().path()).parse()
        {
            *request.uri_mut() = uri;
        }
        *request.body_mut() = form.write().into();
        Ok(outgoing)
    }

    /// Sends a request for tokens: the first ones, or others for a refresh token.
    async fn ask(&self, mut request: Outgoing) -> Answer {
        let refreshes = String::from_utf8_lossy(request.request.body()).contains("refresh_token=");
        if !refreshes {
            return ask(&self.transport, &self.grant, &request).await;
        }
        let answer = self.transport.send(&request).await.0;
        let Answer::Response(response) = &answer else { return answer };
        let to = response.header("location").and_then(|to| to.parse().ok());
        match to.filter(|_| self.wrong.has(&FOLLOWS_REDIRECT) && matches!(response.status, 307 | 308)) {
            Some(to) => {
                *request.request.uri_mut() = to;
                self.transport.send(&request).await.0
            }
            None => answer,
        }
    }

    /// Whether an answer brings an ID token that is not of the user who logged in.
    fn is_of_another(&self, granted: &Granted) -> bool {
        let both = self.id_token.get().zip(granted.id_token.as_ref());
        both.is_some_and(|(login, new)| id_token::is_of_another(login.expose(), new.expose(), self.wrong))
    }

    fn state(&self) -> MutexGuard<'_, Renewal> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One renewal under way. However it ends, its ticket is settled, and nobody waits for ever.
struct Flight {
    session: Arc<Renewing>,
    ticket: Ticket,
    /// The access token that it is to replace.
    replaced: Option<Secret>,
    outcome: Result<Granted, Failed>,
}

impl Flight {
    fn new(session: Arc<Renewing>, ticket: Ticket, replaced: Option<Secret>) -> Self {
        Self { session, ticket, replaced, outcome: Err(failed("the renewal did not come to an end", false)) }
    }

    /// Renews: where the tokens are shared, under their lock, and not if another process has done so already.
    async fn fly(mut self, refresh_token: Option<Secret>) {
        let Some(store) = self.session.store.get().cloned() else { return self.renew(refresh_token).await };
        let wrong = self.session.wrong;
        let mut kept = store.lock().await;
        if wrong.has(&LOCKS_NOTHING) {
            drop(kept);
            self.renew(refresh_token).await;
            kept = store.lock().await;
        } else if let Some(over) = &kept.over {
            self.outcome = Err(over.clone());
            return;
        } else if let Some(granted) =
            kept.granted().filter(|new| Some(&new.access_token) != self.replaced.as_ref())
        {
            self.outcome = Ok(granted);
            return;
        } else {
            self.renew(kept.refresh_token.clone().or(refresh_token)).await;
        }
        // Before anybody uses it: whoever is killed from here on has lost nothing.
        match &self.outcome {
            Ok(granted) if !wrong.has(&STORES_LAST) && !wrong.has(&KEEPS_FIRST) => {
                // What a server-to-server flow brings without being asked for it is not kept either.
                let keeps = self.session.grant.flow.is_none() || wrong.has(&TAKES_ANY_REFRESH_TOKEN);
                let refresh_token = granted.refresh_token.clone().filter(|_| keeps);
                kept.take(&Granted { refresh_token, ..granted.clone() });
            }
            Err(failed) if failed.is_final => kept.over = Some(failed.clone()),
            _ => {}
        }
    }

    async fn renew(&mut self, mut refresh_token: Option<Secret>) {
        let wrong = self.session.wrong;
        let most = match () {
            () if wrong.has(&GIVES_UP_AT_ONCE) => 1,
            () if [&STORMS, &RETRIES_REFUSED_CLIENT, &ASKS_ON_AND_ON].iter().any(|w| wrong.has(w)) => 30,
            () => MOST_TRIES,
        };
        if wrong.has(&LOGS_IN_AT_ONCE) && self.session.grant.flow.is_none() {
            self.outcome = Err(failed("the user has to log in", true));
            return;
        }
        let clock = &self.session.grant.clock;
        let left_alone = &self.session.left_alone_until;
        let pause = Duration::from_millis(
            u64::try_from(left_alone.load(Ordering::Relaxed) - clock.now()).unwrap_or_default(),
        );
        if pause > LONGEST_WAIT {
            self.outcome = Err(failed("the server wants to be left alone", false));
            return;
        }
        if !pause.is_zero() {
            clock.wait(pause).await;
        }
        for tried in 1..=most {
            // Signing takes a millisecond of a processor: it happens here, outside of any lock.
            let brought = match self.session.asking(refresh_token.as_ref()) {
                Ok(request) => {
                    let asking = self.session.ask(request);
                    brought(in_time(clock, wrong, asking).await, &self.session.grant)
                }
                Err(why) => Brought::Nothing(failed(&why.to_string(), true)),
            };
            let (why, wait) = match brought {
                Brought::Tokens(granted) => {
                    self.outcome = match self.session.is_of_another(&granted) {
                        true => Err(failed("the ID token of the refresh speaks of another login", true)),
                        false => Ok(granted),
                    };
                    return;
                }
                Brought::Nothing(failed)
                    if wrong.has(&RETRIES_REFUSED_CLIENT) && failed.why.contains("invalid_client") =>
                {
                    (failed.why, Duration::ZERO)
                }
                Brought::Nothing(failed) => {
                    self.outcome = Err(failed);
                    return;
                }
                Brought::NothingYet(why, _) if wrong.has(&COLLISION_IS_FINAL) && why.contains(COLLISION) => {
                    self.outcome = Err(failed(&why, true));
                    return;
                }
                Brought::NothingYet(why, _) if wrong.has(&STORMS) || why == UNREAD => (why, Duration::ZERO),
                Brought::NothingYet(why, _) if wrong.has(&HURRIES) => (why, FIRST_WAIT),
                Brought::NothingYet(why, Some(pause)) => {
                    let until =
                        clock.now().saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
                    left_alone.store(until, Ordering::Relaxed);
                    (why, pause)
                }
                Brought::NothingYet(why, None) => (why, FIRST_WAIT * (1 << (tried - 1))),
            };
            self.outcome = Err(failed(&why, false));
            if wrong.has(&FORGETS_IN_OUTAGE) {
                refresh_token = Some(Secret::default());
            }
            // A server that wants to be left alone for longer than a caller would wait is left alone.
            if tried == most || wait > LONGEST_WAIT {
                return;
            }
            clock.wait(wait).await;
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let outcome = std::mem::replace(&mut self.outcome, Err(failed("it is over", false)));
        let (clock, wrong) = (&self.session.grant.clock, self.session.wrong);
        let due = outcome.as_ref().ok().and_then(|granted| due(granted, clock, wrong));
        let mut state = self.session.state();
        state.settle(self.ticket, outcome);
        if due.is_some() {
            state.lasts_until(due);
        }
        drop(state);
        self.session.ended.send_modify(|ended| *ended = self.ticket.max(*ended));
    }
}

/// What one request for tokens brought.
pub(super) enum Brought {
    Tokens(Granted),
    Nothing(Failed),
    /// Nothing for the moment, why, and how long the server wants to be left alone.
    NothingYet(String, Option<Duration>),
}

/// How Salesforce says that another request holds the refresh token (Salesforce Help: OAuth 2.0 Refresh Token Flow;
/// field reports).
const COLLISION: &str = "token request is already being processed";

/// Reads the answer to a request for tokens.
pub(super) fn brought(answer: Answer, grant: &Grant) -> Brought {
    let response = match answer {
        Answer::Response(response) => response,
        Answer::Nothing(why) => return Brought::NothingYet(why.to_string(), None),
    };
    if response.status == 200 {
        return match grant.manner.read(&grant.org, &response) {
            Ok(granted) => Brought::Tokens(granted),
            Err(Unusable { why, again: true }) => Brought::NothingYet(why, None),
            // A page in place of an answer may be gone a moment later; what was read and refused will not be.
            Err(Unusable { why, .. }) => Brought::Nothing(failed(&why, response.json().is_some())),
        };
    }
    // What the server refuses it refuses again; what it fails at for a moment it may not.
    let momentary = matches!(response.status, 408 | 425 | 429 | 500..) || response.body.contains(COLLISION);
    let why = response.one_line();
    if !momentary {
        return Brought::Nothing(failed(&why, (400..500).contains(&response.status)));
    }
    Brought::NothingYet(why, pause(&response, &grant.clock))
}

fn failed(why: &str, is_final: bool) -> Failed {
    Failed { why: why.to_owned(), is_final }
}
