//! Everything that the org remembers, behind one lock that is held for short sections only: never while a
//! signature, a hash or a secret is worked on.

mod bounded;
mod browser;
mod grants;
mod sessions;

pub(super) use browser::Visit;
pub(super) use grants::{Code, Family, FamilyId, Flight, Found, Kill};
pub(super) use sessions::{End, Grant, Session};

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};

use super::ORG_ID;
use super::registry::{AppId, UserId};
use bounded::{Aged, Bounded};

/// Logins of one user within an hour (Salesforce Help: login rate).
pub(super) const LOGINS_PER_HOUR: usize = 3600;
const HOUR: i64 = 3_600_000;
/// The most records that can be created.
pub(super) const RECORDS: usize = 10_000;

/// The state, shared by all threads.
pub(super) struct Store {
    state: Mutex<State>,
    token_requests: AtomicU64,
}

/// What is inside of the lock.
pub(super) struct State {
    rng: StdRng,
    codes: Bounded<String, Code>,
    refresh_tokens: Bounded<String, grants::Refresh>,
    families: Bounded<FamilyId, grants::Family>,
    sessions: Bounded<String, Session>,
    approvals: HashMap<(UserId, AppId), grants::Approvals>,
    logins: HashMap<UserId, VecDeque<i64>>,
    /// Whether a user's logins are limited.
    pub counts_logins: bool,
    seen: Bounded<(AppId, String), Seen>,
    visits: Bounded<String, Visit>,
    logins_of_browsers: Bounded<String, browser::Login>,
    /// Created records by id.
    pub records: BTreeMap<String, Record>,
    /// Calls to the REST API.
    pub api_calls: u64,
    /// Whether refresh tokens have a letter that no token may have.
    pub odd_refresh_tokens: bool,
    /// What a refresh token is made of.
    pub refresh_of: MadeOf,
    next: u64,
}

/// What a code or a refresh token is made of.
#[derive(Clone, Copy, Debug)]
pub(super) enum MadeOf {
    /// So many characters of chance.
    Chance(usize),
    /// So many behind a text that is always the same.
    Constant(usize),
}

/// A record of the org's data.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub object: String,
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// A `jti` that was used, until it expires.
struct Seen {
    at: i64,
    until: i64,
}

impl Store {
    pub fn new(seed: [u8; 32]) -> Self {
        let state = State {
            rng: StdRng::from_seed(seed),
            codes: Bounded::new(100_000),
            refresh_tokens: Bounded::new(500_000),
            families: Bounded::new(200_000),
            sessions: Bounded::new(500_000),
            approvals: HashMap::new(),
            logins: HashMap::new(),
            counts_logins: true,
            seen: Bounded::new(200_000),
            visits: Bounded::new(20_000),
            logins_of_browsers: Bounded::new(20_000),
            records: BTreeMap::new(),
            api_calls: 0,
            odd_refresh_tokens: false,
            refresh_of: MadeOf::Chance(80),
            next: 0,
        };
        Self { state: Mutex::new(state), token_requests: AtomicU64::new(0) }
    }

    /// The state. A thread that broke while it held the lock leaves nothing half done that matters here.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a token request.
    pub fn asked(&self) -> u64 {
        self.token_requests.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl State {
    /// A text of so many characters of `A-Z a-z 0-9 . _`, six random bits each.
    pub fn random(&mut self, length: usize) -> String {
        self.random_after("", length)
    }

    /// A text that is made of that.
    pub fn made(&mut self, of: MadeOf) -> String {
        match of {
            MadeOf::Chance(length) => self.random(length),
            MadeOf::Constant(length) => {
                self.random_after("Always.The.Same.Text.Of.More.Than.Forty.Letters.", length)
            }
        }
    }

    /// A text, and after it so many characters as [`Self::random`] has them.
    fn random_after(&mut self, text: &str, length: usize) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
        let mut bytes = vec![0; length];
        self.rng.fill_bytes(&mut bytes);
        bytes.iter_mut().for_each(|byte| *byte = ALPHABET[usize::from(*byte & 63)]);
        let mut out = String::with_capacity(text.len() + length);
        out.push_str(text);
        // All of them are ASCII.
        out.push_str(std::str::from_utf8(&bytes).unwrap_or_default());
        out
    }

    /// So many upper-case hexadecimal digits.
    pub fn random_hex(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.rng.fill_bytes(&mut bytes);
        bytes.iter().map(|byte| char::from(b"0123456789ABCDEF"[usize::from(byte & 15)])).collect()
    }

    /// A number that was never given before.
    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// An opaque access token: the org's id, `!`, 96 characters (REST API Developer Guide: Web Server OAuth Flow).
    fn opaque(&mut self) -> String {
        self.random_after(&format!("{ORG_ID}!"), 96)
    }

    /// Counts a login; false where there were too many of that user within an hour.
    #[must_use]
    pub fn login(&mut self, user: UserId, now: i64) -> bool {
        if !self.counts_logins {
            return true;
        }
        let times = self.logins.entry(user).or_default();
        while times.front().is_some_and(|at| *at <= now - HOUR) {
            times.pop_front();
        }
        let within = times.len() < LOGINS_PER_HOUR;
        if within {
            times.push_back(now);
        }
        within
    }

    /// Notes a `jti`; false where it was used before.
    #[must_use]
    pub fn first_use(&mut self, app: AppId, jti: &str, until: i64, now: i64) -> bool {
        let key = (app, jti.to_owned());
        let first = self.seen.get(&key).is_none_or(|seen| seen.until <= now);
        if first {
            self.seen.insert(key, Seen { at: now, until }, now);
        }
        first
    }
}

impl Aged for Seen {
    fn born(&self) -> i64 {
        self.at
    }

    fn is_over(&self, now: i64) -> bool {
        self.until <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org::registry::Registry;
    use crate::subject::{Target, User};

    #[test]
    fn the_login_rate_is_a_sliding_hour() {
        let mut target = Target::default();
        target.users.insert("main".into(), User::default());
        let registry = Registry::new(&target, |_| String::new());
        let (user, _) = registry.user_ids().next().unwrap();
        let store = Store::new([0; 32]);
        let mut state = store.lock();
        for i in 0..LOGINS_PER_HOUR {
            assert!(state.login(user, i64::try_from(i).unwrap()));
        }
        assert!(!state.login(user, HOUR - 1));
        assert!(state.login(user, HOUR));
        assert!(!state.login(user, HOUR));
    }

    #[test]
    fn the_seed_decides_every_token() {
        let token = |seed| Store::new([seed; 32]).lock().opaque();
        assert_eq!(token(1), token(1));
        assert_ne!(token(1), token(2));
        assert_eq!(token(1).len(), 112);
    }
}
