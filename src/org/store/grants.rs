//! Authorization codes, refresh tokens and the families that hold them together.

use std::collections::VecDeque;
use std::sync::Arc;

use super::bounded::Aged;
use super::{HOUR, MadeOf, State, Store};
use crate::oauth::pkce::Method;
use crate::org::registry::{AppId, UserId};
use crate::org::scopes::Scopes;

/// Approvals of one app by one user that live at the same time; the next one drops the oldest.
const APPROVALS: usize = 5;
/// Rotated-out refresh tokens of one family that are remembered, so that their reuse is seen.
const RETIRED: usize = 64;
/// How long an abandoned request may hold a refresh token, in milliseconds.
const FLIGHT: i64 = 30_000;

/// An authorization code.
#[derive(Clone)]
pub(in crate::org) struct Code {
    pub app: AppId,
    pub user: UserId,
    pub scopes: Scopes,
    /// As the authorization request had it; none where it had none.
    pub redirect_uri: Option<String>,
    pub challenge: Option<(String, Method)>,
    pub nonce: Option<String>,
    /// When the user logged in, where the client wants to know (`max_age`).
    pub auth_time: Option<i64>,
    pub issued_at: i64,
    pub expires: i64,
    pub used: bool,
    /// How often it came to be redeemed.
    pub tries: u32,
}

/// Number of a family.
pub(in crate::org) type FamilyId = u64;

/// What came of one approval: one live refresh token, those that it replaced, and all their access tokens.
#[derive(Debug)]
pub(in crate::org) struct Family {
    pub app: AppId,
    pub user: UserId,
    pub scopes: Scopes,
    pub granted_at: i64,
    pub last_used: i64,
    /// Key of the session that the approval opened.
    pub first_session: String,
    pub killed: Option<Killed>,
    /// The live refresh token last, those that it replaced before it.
    tokens: VecDeque<String>,
}

/// What dies with a family: everything, unless the org does wrong.
#[derive(Clone, Copy, Debug)]
pub(in crate::org) struct Kill {
    pub access_tokens: bool,
    pub refresh_tokens: bool,
}

/// The end of a family.
#[derive(Clone, Copy, Debug)]
pub(in crate::org) struct Killed {
    at: i64,
    pub what: Kill,
}

/// A refresh token.
#[derive(Debug)]
pub(super) struct Refresh {
    family: FamilyId,
    born: i64,
    /// Since when another one is in its place.
    rotated: Option<i64>,
    /// Who works on it, and since when.
    flight: Option<(u64, i64)>,
    collided: bool,
    /// When it can be forgotten.
    over: Option<i64>,
}

/// What a user gave an app.
#[derive(Debug, Default)]
pub(super) struct Approvals {
    /// Scopes that need not be asked for again.
    consent: Option<Scopes>,
    /// Live families, oldest first.
    families: VecDeque<FamilyId>,
}

/// A refresh token as a request finds it.
pub(in crate::org) struct Found<'s> {
    pub id: FamilyId,
    pub family: &'s Family,
    /// Since when another one is in its place.
    pub rotated: Option<i64>,
    pub born: i64,
}

/// A refresh token that a request works on. Dropped without a commit, it is free again.
pub(in crate::org) struct Flight {
    store: Arc<Store>,
    token: Option<String>,
    ticket: u64,
}

impl State {
    /// Issues a code. It begins with `aPrx` and ends with `==`, as on the wire (REST API Developer Guide: Web Server OAuth Flow).
    pub fn issue_code(&mut self, code: Code, of: MadeOf) -> String {
        let text = format!("aPrx{}==", self.made(of));
        let now = code.issued_at;
        self.codes.insert(text.clone(), code, now);
        text
    }

    /// Whether a code was asked for with that challenge.
    pub fn has_challenge(&self, challenge: &str) -> bool {
        self.codes.values().any(|code| code.challenge.as_ref().is_some_and(|(known, _)| known == challenge))
    }

    /// The code of that text, used or not.
    pub fn code(&self, text: &str) -> Option<&Code> {
        self.codes.get(text)
    }

    /// Uses a code up; false where somebody else did it first.
    #[must_use]
    pub fn use_code(&mut self, text: &str) -> bool {
        self.codes.get_mut(text).is_some_and(|code| {
            code.tries += 1;
            !std::mem::replace(&mut code.used, true)
        })
    }

    /// Opens a family for an approval and issues its refresh token. The sixth of a user and app drops the oldest.
    pub fn open_family(&mut self, user: UserId, app: AppId, scopes: Scopes, now: i64) -> (FamilyId, String) {
        let id = self.number();
        let family = Family {
            app,
            user,
            scopes,
            granted_at: now,
            last_used: now,
            first_session: String::new(),
            killed: None,
            tokens: VecDeque::new(),
        };
        self.families.insert(id, family, now);
        let token = self.issue_refresh(id, now);
        let approvals = self.approvals.entry((user, app)).or_default();
        approvals.families.push_back(id);
        let oldest = if approvals.families.len() > APPROVALS { approvals.families.pop_front() } else { None };
        if let Some(oldest) = oldest {
            self.kill(oldest, Kill::WHOLE, now);
        }
        (id, token)
    }

    /// Names the session that the approval opened.
    pub fn first_session(&mut self, id: FamilyId, session: &str) {
        if let Some(family) = self.families.get_mut(&id) {
            session.clone_into(&mut family.first_session);
        }
    }

    fn issue_refresh(&mut self, id: FamilyId, now: i64) -> String {
        let odd = if self.odd_refresh_tokens { "é" } else { "" };
        let token = format!("5Aep861{}{odd}", self.made(self.refresh_of));
        let refresh =
            Refresh { family: id, born: now, rotated: None, flight: None, collided: false, over: None };
        self.refresh_tokens.insert(token.clone(), refresh, now);
        if let Some(family) = self.families.get_mut(&id) {
            family.tokens.push_back(token.clone());
            if family.tokens.len() > RETIRED
                && let Some(forgotten) = family.tokens.pop_front()
            {
                self.refresh_tokens.remove(&forgotten);
            }
        }
        token
    }

    /// A refresh token that was issued once, with its family; the family may be dead.
    pub fn refresh(&self, token: &str) -> Option<Found<'_>> {
        let refresh = self.refresh_tokens.get(token)?;
        let family = self.families.get(&refresh.family)?;
        Some(Found { id: refresh.family, family, rotated: refresh.rotated, born: refresh.born })
    }

    /// The scopes of the last live approval.
    pub fn approved_scopes(&self, user: UserId, app: AppId) -> Option<Scopes> {
        let last = self.approvals.get(&(user, app))?.families.back()?;
        self.families.get(last).map(|family| family.scopes.clone())
    }

    /// Any live family, of that app if there is one.
    pub fn any_family(&self, app: AppId) -> Option<(UserId, Scopes)> {
        self.families
            .values()
            .filter(|family| family.killed.is_none() && family.app == app)
            .max_by_key(|family| family.granted_at)
            .map(|family| (family.user, family.scopes.clone()))
    }

    /// The family of that number.
    pub fn family(&self, id: FamilyId) -> Option<&Family> {
        self.families.get(&id)
    }

    /// Another user with a live family of that app.
    pub fn another_user(&self, app: AppId, user: UserId) -> Option<UserId> {
        let other = |family: &&Family| family.killed.is_none() && family.app == app && family.user != user;
        self.families.values().filter(other).map(|family| family.user).min()
    }

    /// Takes scope away from a family.
    pub fn narrow(&mut self, id: FamilyId, scopes: Scopes) {
        if let Some(family) = self.families.get_mut(&id) {
            family.scopes = scopes;
        }
    }

    /// Forgets a refresh token.
    pub fn forget_refresh(&mut self, token: &str) {
        self.refresh_tokens.remove(token);
    }

    /// Whether a request was turned away while another works on that refresh token.
    pub fn collided(&self, token: &str) -> bool {
        self.refresh_tokens.get(token).is_some_and(|refresh| refresh.collided)
    }

    /// Whether the user was asked about these scopes before.
    pub fn has_consent(&self, user: UserId, app: AppId, scopes: &Scopes) -> bool {
        let approvals = self.approvals.get(&(user, app));
        approvals.and_then(|a| a.consent.as_ref()).is_some_and(|consent| scopes.within(consent))
    }

    /// Remembers what the user said yes to.
    pub fn consent(&mut self, user: UserId, app: AppId, scopes: &Scopes) {
        let approvals = self.approvals.entry((user, app)).or_default();
        let before = approvals.consent.take().unwrap_or_default();
        approvals.consent = Some(Scopes::of(before.iter().chain(scopes.iter())));
    }

    /// Marks a refresh token as being worked on; none where another request works on it.
    pub fn hold(&mut self, token: &str, now: i64) -> Option<u64> {
        let ticket = self.number();
        let refresh = self.refresh_tokens.get_mut(token)?;
        if refresh.flight.is_some_and(|(_, since)| now - since < FLIGHT) {
            refresh.collided = true;
            return None;
        }
        refresh.flight = Some((ticket, now));
        refresh.collided = false;
        Some(ticket)
    }

    /// Ends the work of a request on a refresh token. None where it had lost its hold to another one;
    /// otherwise whether others were turned away meanwhile.
    pub fn release(&mut self, token: &str, ticket: u64) -> Option<bool> {
        let refresh = self.refresh_tokens.get_mut(token)?;
        let held = refresh.flight.is_some_and(|(holder, _)| holder == ticket);
        if held {
            refresh.flight = None;
        }
        held.then_some(refresh.collided)
    }

    /// Puts a new refresh token in the place of one, and of whatever else is alive in its family unless it is
    /// to be `alone`. What was replaced stays known, so that its reuse is seen.
    pub fn rotate(&mut self, token: &str, alone: bool, now: i64) -> Option<String> {
        let id = self.refresh_tokens.get(token)?.family;
        let retired: Vec<String> = match alone {
            true => vec![token.to_owned()],
            false => self.families.get(&id)?.tokens.iter().cloned().collect(),
        };
        for one in retired {
            if let Some(refresh) = self.refresh_tokens.get_mut(&one) {
                refresh.rotated.get_or_insert(now);
            }
        }
        Some(self.issue_refresh(id, now))
    }

    /// Notes that a family was used.
    pub fn used(&mut self, id: FamilyId, now: i64) {
        if let Some(family) = self.families.get_mut(&id) {
            family.last_used = now;
        }
    }

    /// Ends a family.
    pub fn kill(&mut self, id: FamilyId, what: Kill, now: i64) {
        let Some(family) = self.families.get_mut(&id) else { return };
        if family.killed.is_none() {
            family.killed = Some(Killed { at: now, what });
        }
        if !what.refresh_tokens {
            return;
        }
        for token in &family.tokens {
            if let Some(refresh) = self.refresh_tokens.get_mut(token) {
                refresh.over = Some(now + HOUR);
            }
        }
        if let Some(approvals) = self.approvals.get_mut(&(family.user, family.app)) {
            approvals.families.retain(|one| *one != id);
            if approvals.families.is_empty() {
                approvals.consent = None;
            }
        }
    }
}

impl Kill {
    /// As it should be.
    pub const WHOLE: Kill = Kill { access_tokens: true, refresh_tokens: true };
}

impl Family {
    /// Whether its refresh tokens are of no use any more.
    pub fn is_dead(&self) -> bool {
        self.killed.is_some_and(|killed| killed.what.refresh_tokens)
    }

    /// Whether it was ended after that moment.
    pub fn killed_since(&self, moment: i64) -> bool {
        self.killed.is_some_and(|killed| killed.at > moment)
    }
}

impl Flight {
    pub fn new(store: &Arc<Store>, token: &str, ticket: u64) -> Self {
        Self { store: Arc::clone(store), token: Some(token.to_owned()), ticket }
    }

    /// Hands the hold over to whoever ends it under a lock that is held already.
    pub fn take(mut self) -> (String, u64) {
        (self.token.take().unwrap_or_default(), self.ticket)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            self.store.lock().release(&token, self.ticket);
        }
    }
}

impl Aged for Code {
    fn born(&self) -> i64 {
        self.issued_at
    }

    /// For an hour after its end it is known as expired, not as unknown.
    fn is_over(&self, now: i64) -> bool {
        self.expires + HOUR <= now
    }
}

impl Aged for Refresh {
    fn born(&self) -> i64 {
        self.born
    }

    fn is_over(&self, now: i64) -> bool {
        self.over.is_some_and(|over| over <= now)
    }
}

impl Aged for Family {
    fn born(&self) -> i64 {
        self.granted_at
    }

    /// Long enough for every session that points to it to be over as well, or to be taken for revoked.
    fn is_over(&self, now: i64) -> bool {
        self.killed.is_some_and(|killed| killed.at + 24 * HOUR <= now)
    }
}
