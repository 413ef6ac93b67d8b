//! What the processes of our own client share, and what outlives them: the tokens of one grant behind one lock, as a
//! file would hold them with a lock of the system on it, which a process that dies gives back.

use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::client::renewal::{Failed, Granted};
use crate::client::wrong::Wrongs;
use crate::client::wrong::store::OPENS_STORE;
use crate::oauth::Secret;

/// A place for the tokens of one grant.
#[derive(Default)]
pub struct Store(Arc<Mutex<Kept>>);

/// What stands in it.
#[derive(Clone, Default)]
pub struct Kept {
    /// The access token in force.
    pub access_token: Option<Secret>,
    /// The refresh token in force.
    pub refresh_token: Option<Secret>,
    /// Where the API answers, where the org said so.
    pub instance_url: Option<String>,
    /// Why there will be no token any more.
    pub over: Option<Failed>,
}

impl Store {
    /// What stands in it now.
    pub async fn read(&self) -> Kept {
        self.0.lock().await.clone()
    }

    /// Locks it: nobody else reads or writes until the guard is gone.
    pub async fn lock(&self) -> OwnedMutexGuard<Kept> {
        self.0.clone().lock_owned().await
    }

    /// What a file of it would hold, and who may read it; none where nothing was ever kept.
    pub async fn file(&self, wrong: Wrongs) -> Option<(String, u32)> {
        let kept = self.read().await;
        let tokens: Vec<&str> =
            [&kept.access_token, &kept.refresh_token].into_iter().flatten().map(Secret::expose).collect();
        (!tokens.is_empty()).then(|| (tokens.join("\n"), if wrong.has(&OPENS_STORE) { 0o644 } else { 0o600 }))
    }
}

impl Kept {
    /// Takes an answer over: a member that it does not have stays as it was (RFC 6749 §6).
    pub fn take(&mut self, granted: &Granted) {
        self.access_token = Some(granted.access_token.clone());
        let new = granted.refresh_token.clone().filter(|new| !new.expose().is_empty());
        self.refresh_token = new.or(self.refresh_token.take());
        self.instance_url = granted.instance_url.clone().or(self.instance_url.take());
        self.over = None;
    }

    /// The same as an answer that somebody else was given.
    pub fn granted(&self) -> Option<Granted> {
        Some(Granted {
            access_token: self.access_token.clone()?,
            refresh_token: self.refresh_token.clone(),
            instance_url: self.instance_url.clone(),
            ..Granted::default()
        })
    }
}
