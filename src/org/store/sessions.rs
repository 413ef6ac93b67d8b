//! Access tokens and what becomes of them.

use super::bounded::Aged;
use super::grants::FamilyId;
use super::{HOUR, State};
use crate::org::registry::{AppId, UserId};
use crate::org::scopes::Scopes;

/// What a session came of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(in crate::org) enum Grant {
    Code,
    Refresh,
    JwtBearer,
    SamlBearer,
    ClientCredentials,
    /// SOAP `login`: no OAuth at all.
    Soap,
}

/// What stands behind an access token.
#[derive(Clone, Debug)]
pub(in crate::org) struct Session {
    /// The app; none for a session that OAuth did not make.
    pub app: Option<AppId>,
    pub user: UserId,
    pub scopes: Scopes,
    pub grant: Grant,
    pub issued_at: i64,
    /// The session timeout.
    pub ttl: i64,
    /// Whether use extends it; a JWT says its end itself.
    pub slides: bool,
    pub expires: i64,
    /// The refresh token's family that it dies with.
    pub family: Option<FamilyId>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
    /// From when on resources refuse it for that.
    pub refused_from: Option<i64>,
}

/// Why a session is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::org) enum End {
    Expired,
    Revoked,
}

impl State {
    /// Opens a session; returns its key, which is the access token itself unless that is a JWT.
    pub fn open(&mut self, session: Session) -> String {
        let key = if session.slides { self.opaque() } else { self.random(43) };
        self.admit(key.clone(), session);
        key
    }

    /// The key of a session of that app that was opened within the last second.
    pub fn opened_just_now(&self, app: AppId, now: i64) -> Option<String> {
        let fresh = |session: &Session| session.app == Some(app) && now - session.issued_at < 1000;
        self.sessions.iter().find(|(_, session)| fresh(session)).map(|(key, _)| key.clone())
    }

    fn admit(&mut self, key: String, session: Session) {
        let now = session.issued_at;
        self.sessions.insert(key, session, now);
    }

    /// The session of a key.
    pub fn session(&self, key: &str) -> Option<&Session> {
        self.sessions.get(key)
    }

    /// How a session ended for a resource, if it did.
    pub fn end(&self, session: &Session, now: i64) -> Option<End> {
        if session.refused_from.is_some_and(|from| from <= now) || self.family_took_along(session) {
            Some(End::Revoked)
        } else if session.expires <= now {
            Some(End::Expired)
        } else {
            None
        }
    }

    /// Whether a session was revoked, for introspection.
    pub fn is_revoked(&self, session: &Session) -> bool {
        session.revoked_at.is_some() || self.family_took_along(session)
    }

    fn family_took_along(&self, session: &Session) -> bool {
        let Some(id) = session.family else { return false };
        self.families
            .get(&id)
            .is_none_or(|family| family.killed.is_some_and(|killed| killed.what.access_tokens))
    }

    /// A use of the session at a resource: past half of its timeout it is extended (Salesforce Help: OAuth 2.0 Refresh Token Flow; Metadata API Developer Guide).
    pub fn touch(&mut self, key: &str, now: i64) {
        if let Some(session) = self.sessions.get_mut(key)
            && session.slides
            && session.expires > now
            && session.expires - now < session.ttl / 2
        {
            session.expires = now + session.ttl;
        }
    }

    /// Ends every session that is alive.
    pub fn expire_sessions(&mut self, now: i64) {
        for session in self.sessions.values_mut().filter(|session| session.expires > now) {
            session.expires = now;
        }
    }

    /// Revokes a session: for introspection at once, for resources from that moment on.
    pub fn revoke_session(&mut self, key: &str, now: i64, refused_from: Option<i64>) {
        if let Some(session) = self.sessions.get_mut(key) {
            session.revoked_at = Some(now);
            session.refused_from = refused_from;
        }
    }
}

impl Aged for Session {
    fn born(&self) -> i64 {
        self.issued_at
    }

    /// An hour after it expired nobody needs to be told what it was.
    fn is_over(&self, now: i64) -> bool {
        self.expires + HOUR <= now
    }
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;
    use crate::org::registry::Registry;
    use crate::subject::{Target, User};

    #[test]
    fn a_session_slides_past_half_of_its_timeout() {
        let mut target = Target::default();
        target.users.insert("main".into(), User::default());
        let registry = Registry::new(&target, |_| String::new());
        let session = Session {
            app: None,
            user: registry.user_ids().next().unwrap().0,
            scopes: Scopes::default(),
            grant: Grant::Soap,
            issued_at: 0,
            ttl: 100,
            slides: true,
            expires: 100,
            family: None,
            revoked_at: None,
            refused_from: None,
        };
        let store = Store::new([0; 32]);
        let mut state = store.lock();
        let key = state.open(session);
        let expires = |state: &State| state.session(&key).unwrap().expires;
        state.touch(&key, 50);
        assert_eq!(expires(&state), 100);
        state.touch(&key, 51);
        assert_eq!(expires(&state), 151);
        state.touch(&key, 151);
        assert_eq!(expires(&state), 151);
        assert_eq!(state.end(state.session(&key).unwrap(), 151), Some(End::Expired));
    }
}
