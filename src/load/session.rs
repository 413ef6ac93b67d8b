//! Sessions that outlive a play: each is a grant with its tokens, which any number of users share. Whoever finds the
//! token dead begins the one renewal, and all others wait for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

use crate::client::Session;
use crate::client::renewal::{Caller, Failed, Granted, Renewal, Ticket, Turn};
use crate::oauth::Secret;

/// A session of one scene.
pub(super) struct Live {
    /// The scene that it is for.
    pub(super) scene: usize,
    state: Mutex<State>,
    ended: watch::Sender<Ticket>,
}

struct State {
    renewal: Renewal,
    /// What the login brought besides the tokens in force.
    session: Session,
    /// Another number whenever the tokens are others.
    version: u64,
    /// Whether the death of the grant was told.
    told: bool,
}

/// Versions of sessions, over all of them; 0 is a session that knows nothing.
static VERSIONS: AtomicU64 = AtomicU64::new(1);

/// A number that no session had before.
pub(super) fn version() -> u64 {
    VERSIONS.fetch_add(1, Ordering::Relaxed)
}

impl Live {
    /// A session that nobody has logged in yet.
    pub(super) fn new(scene: usize) -> Arc<Self> {
        let state = State {
            renewal: Renewal::new(None, None),
            session: Session::default(),
            version: version(),
            told: false,
        };
        Arc::new(Self { scene, state: Mutex::new(state), ended: watch::channel(Ticket::default()).0 })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what a login brought.
    pub(super) fn begins(&self, session: Session) {
        let mut state = self.state();
        state.renewal = Renewal::new(session.access_token.clone(), session.refresh_token.clone());
        state.session = session;
        state.version = version();
    }

    /// What a caller does that begins, or whose renewal is over.
    pub(super) fn turn(&self, caller: &mut Caller) -> Turn {
        self.state().renewal.turn(caller)
    }

    /// What a caller does whose token was refused as dead.
    pub(super) fn stale(&self, caller: &mut Caller) -> Turn {
        self.state().renewal.stale(caller)
    }

    /// What the session knows, and its version.
    pub(super) fn known(&self) -> (Session, u64) {
        let state = self.state();
        (state.session.clone(), state.version)
    }

    /// Whether somebody logged it in.
    pub(super) fn is_there(&self) -> bool {
        self.state().session.access_token.is_some()
    }

    /// Whether it is another one than that version.
    pub(super) fn is_newer(&self, version: u64) -> bool {
        self.state().version != version
    }

    /// A renewal is over.
    pub(super) fn settle(&self, ticket: Ticket, outcome: Result<Session, Failed>) {
        let mut state = self.state();
        let granted = outcome.map(|session| {
            let granted = Granted {
                access_token: session.access_token.clone().unwrap_or_default(),
                refresh_token: session.refresh_token.clone(),
                instance_url: session.instance_url.clone(),
                identity_url: session.identity_url.clone(),
                id_token: session.id_token.clone(),
                ..Granted::default()
            };
            state.session = session;
            state.version = version();
            granted
        });
        state.renewal.settle(ticket, granted);
        drop(state);
        self.ended.send_modify(|ended| *ended = ticket.max(*ended));
    }

    /// Waits until a renewal is over.
    pub(super) async fn over(&self, ticket: Ticket) {
        let mut ended = self.ended.subscribe();
        let _ = ended.wait_for(|ended| ticket.is_over_at(*ended)).await;
    }

    /// Makes the access token one that the server does not know, as if it had expired.
    pub(super) fn spoil(&self) {
        let mut state = self.state();
        let refresh_token = state.session.refresh_token.clone();
        let dead = state.session.access_token.as_ref().map(|token| {
            let mut text = token.expose().to_owned();
            let last = text.pop().map_or('A', |last| if last == 'A' { 'B' } else { 'A' });
            text.push(last);
            Secret::new(text)
        });
        state.renewal = Renewal::new(dead.clone(), refresh_token);
        state.session.access_token = dead;
        state.version = version();
    }

    /// Whether this is the first to tell that the grant is dead.
    pub(super) fn tells_of_death(&self) -> bool {
        !std::mem::replace(&mut self.state().told, true)
    }

    /// Whether its death was told.
    pub(super) fn is_dead(&self) -> bool {
        self.state().told
    }
}
