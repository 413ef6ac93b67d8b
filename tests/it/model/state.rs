//! What an org must do, in the fewest words: codes, families of refresh tokens, access tokens, and time.

use std::collections::VecDeque;

use super::{Client, Op, Which};

pub const MINUTE: i64 = 60_000;
/// How long a code lives.
const CODE: i64 = 15 * MINUTE;
/// How long an expired code is known as such.
const KNOWN: i64 = 60 * MINUTE;
/// Session timeout.
pub const SESSION: i64 = 30 * MINUTE;
/// Approvals of one app by one user.
const APPROVALS: usize = 5;

/// An answer, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Granted {
        access_token: String,
        refresh_token: Option<String>,
    },
    /// `error` and `error_description`.
    Refused(String, String),
    Active(bool),
    /// Of a resource.
    Status(u16),
    Revoked(bool),
    Code(String),
}

#[derive(Clone, Debug)]
struct Code {
    text: String,
    issued: i64,
    used: bool,
}

#[derive(Clone, Debug)]
struct Refresh {
    text: String,
    family: usize,
    rotated: bool,
}

#[derive(Clone, Debug)]
struct Access {
    text: String,
    family: usize,
    expires: i64,
    revoked: bool,
}

/// The org as it should be.
#[derive(Clone, Debug, Default)]
pub struct Model {
    rotation: bool,
    codes: Vec<Code>,
    /// Whether each is alive.
    families: Vec<bool>,
    /// Live ones, oldest first.
    approvals: VecDeque<usize>,
    refresh: Vec<Refresh>,
    access: Vec<Access>,
}

fn nth<T>(list: &[T], back: usize) -> Option<usize> {
    (!list.is_empty()).then(|| list.len() - 1 - back % list.len())
}

impl Model {
    pub fn new(rotation: bool) -> Self {
        Self { rotation, ..Self::default() }
    }

    pub fn code(&self, back: usize) -> Option<String> {
        nth(&self.codes, back).map(|i| self.codes[i].text.clone())
    }

    pub fn refresh_token(&self, back: usize) -> Option<String> {
        nth(&self.refresh, back).map(|i| self.refresh[i].text.clone())
    }

    pub fn access_token(&self, back: usize) -> Option<String> {
        nth(&self.access, back).map(|i| self.access[i].text.clone())
    }

    /// Whether there is anything that the operation could be about.
    pub fn can(&self, op: &Op) -> bool {
        match op {
            Op::Authorize => true,
            Op::Redeem { .. } => !self.codes.is_empty(),
            Op::Refresh { .. } | Op::Revoke(Which::Refresh(_)) | Op::Introspect(Which::Refresh(_)) => {
                !self.refresh.is_empty()
            }
            Op::Revoke(Which::Access(_)) | Op::Introspect(Which::Access(_)) | Op::Call(_) => {
                !self.access.is_empty()
            }
        }
    }

    /// Takes an operation and what was answered; says what should have been, where it is something else. Positions
    /// are those of `before`, from which the requests were made.
    pub fn take(&mut self, before: &Model, op: &Op, seen: &Seen, now: i64) -> Result<(), String> {
        match op {
            Op::Authorize => match seen {
                Seen::Code(code) if self.codes.iter().all(|known| known.text != *code) => {
                    self.codes.push(Code { text: code.clone(), issued: now, used: false });
                    Ok(())
                }
                _ => Err(format!("a new code, not {seen:?}")),
            },
            Op::Redeem { code, client, verifier } => {
                let at = nth(&before.codes, *code).expect("there is a code");
                self.redeem(at, *client, *verifier, seen, now)
            }
            Op::Refresh { token, client } => {
                let at = nth(&before.refresh, *token).expect("there is a refresh token");
                self.renew(at, *client, seen, now)
            }
            Op::Revoke(Which::Access(back)) => {
                let at = nth(&before.access, *back).expect("there is an access token");
                let alive = self.lives(at, now);
                self.access[at].revoked |= alive;
                same(seen, &Seen::Revoked(alive))
            }
            Op::Revoke(Which::Refresh(back)) => {
                let at = nth(&before.refresh, *back).expect("there is a refresh token");
                let alive = self.is_good(at);
                if alive {
                    self.kill(self.refresh[at].family);
                }
                same(seen, &Seen::Revoked(alive))
            }
            Op::Introspect(Which::Access(back)) => {
                let at = nth(&before.access, *back).expect("there is an access token");
                same(seen, &Seen::Active(self.lives(at, now)))
            }
            Op::Introspect(Which::Refresh(back)) => {
                let at = nth(&before.refresh, *back).expect("there is a refresh token");
                same(seen, &Seen::Active(self.is_good(at)))
            }
            Op::Call(back) => {
                let at = nth(&before.access, *back).expect("there is an access token");
                let alive = self.lives(at, now);
                // Use past half of the timeout extends it.
                if alive && self.access[at].expires - now < SESSION / 2 {
                    self.access[at].expires = now + SESSION;
                }
                same(seen, &Seen::Status(if alive { 200 } else { 401 }))
            }
        }
    }

    fn redeem(
        &mut self,
        at: usize,
        client: Client,
        verifier: bool,
        seen: &Seen,
        now: i64,
    ) -> Result<(), String> {
        let code = &self.codes[at];
        let over = code.issued + CODE <= now;
        if over && code.issued + CODE + KNOWN <= now && *seen == refused("invalid authorization code") {
            return Ok(());
        }
        if client == Client::Other {
            return same(seen, &refused("invalid authorization code"));
        }
        if over || code.used {
            return same(seen, &refused("expired authorization code"));
        }
        if !verifier {
            return same(seen, &refused("invalid code verifier"));
        }
        let Seen::Granted { access_token, refresh_token: Some(refresh_token) } = seen else {
            return Err(format!("both tokens, not {seen:?}"));
        };
        self.codes[at].used = true;
        let family = self.families.len();
        self.families.push(true);
        self.approvals.push_back(family);
        if self.approvals.len() > APPROVALS {
            self.kill(self.approvals[0]);
        }
        self.new_refresh(refresh_token, family)?;
        self.new_access(access_token, family, now)
    }

    fn renew(&mut self, at: usize, client: Client, seen: &Seen, now: i64) -> Result<(), String> {
        let (family, rotated) = (self.refresh[at].family, self.refresh[at].rotated);
        let dead = refused("expired access/refresh token");
        if client == Client::Other || !self.families[family] {
            return same(seen, &dead);
        }
        if rotated {
            // Somebody has what was replaced: nobody keeps anything.
            self.kill(family);
            return same(seen, &dead);
        }
        let Seen::Granted { access_token, refresh_token } = seen else {
            return Err(format!("an access token, not {seen:?}"));
        };
        match (self.rotation, refresh_token) {
            (true, Some(new)) => {
                self.refresh[at].rotated = true;
                self.new_refresh(new, family)?;
            }
            (false, None) => {}
            _ => return Err(format!("a refresh token if and only if it rotates, not {seen:?}")),
        }
        self.new_access(access_token, family, now)
    }

    fn new_refresh(&mut self, text: &str, family: usize) -> Result<(), String> {
        if self.refresh.iter().any(|known| known.text == text) {
            return Err("a refresh token that was not there before".into());
        }
        self.refresh.push(Refresh { text: text.to_owned(), family, rotated: false });
        Ok(())
    }

    fn new_access(&mut self, text: &str, family: usize, now: i64) -> Result<(), String> {
        if self.access.iter().any(|known| known.text == text) {
            return Err("an access token that was not there before".into());
        }
        self.access.push(Access { text: text.to_owned(), family, expires: now + SESSION, revoked: false });
        Ok(())
    }

    fn kill(&mut self, family: usize) {
        self.families[family] = false;
        self.approvals.retain(|one| *one != family);
    }

    fn lives(&self, at: usize, now: i64) -> bool {
        let token = &self.access[at];
        !token.revoked && self.families[token.family] && now < token.expires
    }

    fn is_good(&self, at: usize) -> bool {
        !self.refresh[at].rotated && self.families[self.refresh[at].family]
    }
}

fn refused(description: &str) -> Seen {
    Seen::Refused("invalid_grant".into(), description.into())
}

fn same(seen: &Seen, right: &Seen) -> Result<(), String> {
    if seen == right { Ok(()) } else { Err(format!("{right:?}, not {seen:?}")) }
}
