//! People in browsers: who is logged in, and which authorization requests are under way.

use super::bounded::Aged;
use super::{HOUR, State};
use crate::oauth::pkce::Method;
use crate::org::registry::{AppId, UserId};
use crate::org::scopes::Scopes;

/// How long a page may stand open, in milliseconds.
const VISIT: i64 = 15 * 60_000;
/// How long a login lasts without use: the org's default session timeout (Salesforce Help: OAuth 2.0 Refresh Token Flow; Metadata API Developer Guide).
const LOGIN: i64 = 2 * HOUR;

/// An authorization request under way.
#[derive(Clone)]
pub(in crate::org) struct Visit {
    pub app: AppId,
    /// Where the user agent goes in the end.
    pub redirect_uri: String,
    /// Whether the request named it, so that the redemption has to name it as well.
    pub named_redirect_uri: bool,
    pub scopes: Scopes,
    pub state: Option<String>,
    pub challenge: Option<(String, Method)>,
    pub nonce: Option<String>,
    pub login_hint: Option<String>,
    /// `prompt=login`: whoever is logged in has to do it again.
    pub must_login: bool,
    /// `prompt=consent`: whatever was approved is asked again.
    pub must_approve: bool,
    /// Nobody may be asked anything, and with what error that is said.
    pub silent: Option<&'static str>,
    /// How long ago the login may be, in seconds.
    pub max_age: Option<i64>,
    /// An access token is asked for instead of a code.
    pub implicit: bool,
    /// The issuer, by the host that was asked.
    pub issuer: String,
    /// The browser that came with it, by its cookie: nobody else goes on with it.
    pub browser: String,
    /// What a form must bring back.
    pub csrf: String,
    /// Who logged in for it.
    pub user: Option<UserId>,
    pub at: i64,
}

/// A browser in which somebody is logged in.
pub(super) struct Login {
    user: UserId,
    at: i64,
    used: i64,
}

impl State {
    /// Keeps a request while pages are shown for it; returns its handle.
    pub fn keep_visit(&mut self, visit: Visit) -> String {
        let handle = self.random(43);
        let now = visit.at;
        self.visits.insert(handle.clone(), visit, now);
        handle
    }

    /// The request of a handle, for the browser that brought it.
    pub fn visit(&self, handle: &str, browser: &str, now: i64) -> Option<&Visit> {
        self.visits.get(handle).filter(|visit| visit.browser == browser && !visit.is_over(now))
    }

    /// Notes who logged in for a request.
    pub fn arrive(&mut self, handle: &str, user: UserId) {
        if let Some(visit) = self.visits.get_mut(handle) {
            visit.user = Some(user);
        }
    }

    /// Ends a request; none where somebody else did it first.
    pub fn end_visit(&mut self, handle: &str) -> Option<Visit> {
        self.visits.remove(handle)
    }

    /// Logs a user in; returns what the cookie holds.
    pub fn log_in(&mut self, user: UserId, now: i64) -> String {
        let sid = self.opaque();
        self.logins_of_browsers.insert(sid.clone(), Login { user, at: now, used: now }, now);
        sid
    }

    /// Who is logged in.
    pub fn logged_in(&mut self, sid: &str, now: i64) -> Option<UserId> {
        let login = self.logins_of_browsers.get_mut(sid).filter(|login| !login.is_over(now))?;
        login.used = now;
        Some(login.user)
    }

    /// When the user of a browser logged in.
    pub fn login_at(&self, sid: &str) -> Option<i64> {
        self.logins_of_browsers.get(sid).map(|login| login.at)
    }

    /// Logs out.
    pub fn log_out(&mut self, sid: &str) {
        self.logins_of_browsers.remove(sid);
    }
}

impl Aged for Visit {
    fn born(&self) -> i64 {
        self.at
    }

    fn is_over(&self, now: i64) -> bool {
        self.at + VISIT <= now
    }
}

impl Aged for Login {
    fn born(&self) -> i64 {
        self.at
    }

    fn is_over(&self, now: i64) -> bool {
        self.used + LOGIN <= now
    }
}
