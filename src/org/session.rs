//! From the text of an access token to the session behind it.

use super::registry::org_id;
use super::store::{Grant, Session};
use super::{ORG_ID, Org, signing};
use crate::oauth::jwt::Jwt;

/// What a presented access token is.
pub(super) enum Presented {
    /// Known: its key, and the session as it is now.
    Known { key: String, session: Session, jwt: bool },
    /// A JWT that this org did not sign, or that has expired.
    BadJwt,
    /// An opaque token of another org.
    OtherOrg,
    /// Nothing that this org knows.
    Unknown,
}

/// Finds the session of an access token. A signature is verified before the lock is taken.
pub(super) fn present(org: &Org, token: &str) -> Presented {
    let (key, jwt) = if token.starts_with("eyJ") {
        match Jwt::read(token) {
            Ok(jwt) if jwt.verifies(&signing::key().public()) => match jwt.text("sfi") {
                Some(key) => (key.to_owned(), true),
                None => return Presented::BadJwt,
            },
            _ => return Presented::BadJwt,
        }
    } else {
        (token.to_owned(), false)
    };
    match org.store.lock().session(&key) {
        // A key is not a token: what a JWT carries inside must not open anything on its own.
        Some(session) if session.slides != jwt => Presented::Known { session: session.clone(), key, jwt },
        _ if is_of_another_org(token) => Presented::OtherOrg,
        _ => Presented::Unknown,
    }
}

/// Whether an opaque token names another org than this one (REST API Developer Guide: Web Server OAuth Flow).
fn is_of_another_org(token: &str) -> bool {
    token
        .split_once('!')
        .is_some_and(|(id, _)| id.len() == 15 && id.starts_with("00D") && id != ORG_ID && id != org_id())
}

impl Session {
    /// Whether OAuth made it.
    pub fn is_oauth(&self) -> bool {
        self.grant != Grant::Soap
    }
}
