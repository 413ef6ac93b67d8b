//! What a record tells of the grants of a client: which token came of which answer. So two users, two apps and two
//! logins in one record are not taken for one another, and a token whose answer is not in the record proves nothing.

use std::collections::{HashMap, HashSet};

use super::super::evidence::is_server_request;
pub(in crate::catalog) use super::super::evidence::same_client;
use super::super::resource::{calls, ended, presented};
use super::calls::{is_bad_oauth_token, is_dead, same_call, same_key};
use crate::oauth::Endpoint;
use crate::oauth::grant::refresh_token::GRANT_TYPE;
use crate::transcript::{Exchange, NOTHING, Transcript};

/// For how long a request may have been under way that another answer has made stale, in milliseconds.
pub(in crate::catalog) const IN_FLIGHT: i64 = 100;

/// Within how long of its cause something follows that follows from it, in milliseconds.
pub(in crate::catalog) const PROMPT: i64 = 1000;

/// How long a caller waits for a renewal before it may have given up, in milliseconds.
pub(in crate::catalog) const PATIENCE: i64 = 5000;

/// Every grant of a record.
pub(in crate::catalog) struct Grants<'t> {
    pub(in crate::catalog) t: &'t Transcript,
    all: Vec<Grant<'t>>,
    of: HashMap<usize, usize>,
}

/// One login of one user, with all that was renewed of it. What a server-to-server flow is given again and again for the
/// same subject counts as one.
#[derive(Default)]
pub(in crate::catalog) struct Grant<'t> {
    /// The answer that it began with; none where that was before the record.
    pub(in crate::catalog) origin: Option<&'t Exchange>,
    /// Every token request for it, in the order in which they were begun.
    pub(in crate::catalog) requests: Vec<&'t Exchange>,
    /// Every call with one of its access tokens, in the same order.
    pub(in crate::catalog) calls: Vec<&'t Exchange>,
    /// The access token that was there before the record.
    before: Option<&'t str>,
    /// Whether its client was told to do several things at a time.
    is_concurrent: bool,
}

/// Whether it is a refresh request, also in a form that no server reads.
pub(in crate::catalog) fn is_refresh(x: &Exchange) -> bool {
    let written = || {
        let json: Option<serde_json::Value> = serde_json::from_str(&x.request.body).ok();
        json.is_some_and(|json| json.get("grant_type").and_then(|g| g.as_str()) == Some(GRANT_TYPE))
    };
    x.endpoint == Endpoint::Token && (x.grant_type() == Some(GRANT_TYPE) || written())
}

/// The refresh token that a refresh presents; none where it has none, or only the word for none.
pub(in crate::catalog) fn refresh_token(x: &Exchange) -> Option<&str> {
    x.param("refresh_token").filter(|token| is_refresh(x) && !token.is_empty() && !NOTHING.contains(token))
}

/// The refresh token that an answer hands out.
pub(in crate::catalog) fn given(x: &Exchange) -> Option<&str> {
    x.text("refresh_token").filter(|token| x.granted() && !token.is_empty())
}

/// Whether `z` began so soon after `x` was answered.
pub(in crate::catalog) fn within(z: &Exchange, x: &Exchange, millis: i64) -> bool {
    z.at <= ended(x).saturating_add(millis)
}

/// What a server-to-server grant is asked for: kind, client and subject. None for every other grant.
fn subject(x: &Exchange) -> Option<String> {
    let kind = x.grant_type()?;
    let client = x.client_id()?;
    if kind == "client_credentials" {
        return Some(format!("{kind} {client}"));
    }
    let assertion = x.facts.assertion.as_ref().filter(|_| kind.ends_with("-bearer"))?;
    Some(format!("{kind} {client} {}", assertion.claims.get("sub")?.as_str()?))
}

impl<'t> Grants<'t> {
    /// The grants of that record; none where several processes shared them, for what one of them knew nobody can tell.
    pub(in crate::catalog) fn of(t: &'t Transcript) -> Self {
        if t.processes() > 1 { Self { t, all: Vec::new(), of: HashMap::new() } } else { Self::of_all(t) }
    }

    /// The same, whoever shared them.
    pub(in crate::catalog) fn of_all(t: &'t Transcript) -> Self {
        let mut grants = Self { t, all: Vec::new(), of: HashMap::new() };
        let (mut by_refresh, mut by_subject) = (HashMap::new(), HashMap::new());
        let mut by_access: HashMap<&str, HashSet<usize>> = HashMap::new();
        for x in t.at(Endpoint::Token) {
            let next = grants.all.len();
            let index = match (refresh_token(x), subject(x)) {
                _ if is_refresh(x) && refresh_token(x).is_none() => continue,
                (Some(token), _) => *by_refresh.entry(token).or_insert(next),
                (None, Some(subject)) => *by_subject.entry(subject).or_insert(next),
                (None, None) if x.granted() => {
                    given(x).and_then(|t| by_refresh.get(t).copied()).unwrap_or(next)
                }
                (None, None) => continue,
            };
            if index == next {
                grants.all.push(Grant { is_concurrent: t.is_concurrent(), ..Grant::default() });
            }
            let grant = &mut grants.all[index];
            grant.requests.push(x);
            grants.of.insert(x.number, index);
            if x.granted() {
                if grant.origin.is_none() && !is_refresh(x) {
                    grant.origin = Some(x);
                }
                if let Some(token) = given(x) {
                    by_refresh.entry(token).or_insert(index);
                }
                by_access.entry(x.text("access_token").unwrap_or("")).or_default().insert(index);
            }
        }
        for x in calls(t) {
            // What two grants were given tells nothing of whose call it is.
            let known = presented(x).and_then(|token| by_access.get(token)).filter(|known| known.len() == 1);
            if let Some(&index) = known.and_then(|known| known.iter().next()) {
                grants.all[index].calls.push(x);
                grants.of.insert(x.number, index);
            }
        }
        grants.link_what_was_there_before(|token| by_access.contains_key(token));
        grants
    }

    /// Where a record begins with tokens at hand: one access token whose answer is not in it, which was refused as dead and
    /// let in no more, belongs to the one grant that was there before. Of several nobody could tell.
    fn link_what_was_there_before(&mut self, is_known: impl Fn(&str) -> bool) {
        let before = |x: &&Exchange| presented(x).is_some_and(|token| !is_known(token));
        let early: Vec<&Exchange> = calls(self.t).filter(before).collect();
        let tokens: HashSet<Option<&str>> = early.iter().map(|x| presented(x)).collect();
        let mut there = (0..self.all.len()).filter(|index| self.all[*index].origin.is_none());
        let (Some(index), None, 1) = (there.next(), there.next(), tokens.len()) else { return };
        let Some(first) = self.all[index].requests.first() else { return };
        let refused = |x: &Exchange| is_dead(x) || is_bad_oauth_token(x);
        let died = early.iter().any(|x| refused(x) && !x.began_after(first));
        let lives = early.iter().any(|x| x.began_after(first) && (200..300).contains(&x.status()));
        if !died || lives {
            return;
        }
        self.all[index].before = tokens.into_iter().flatten().next();
        for x in early {
            self.of.insert(x.number, index);
            self.all[index].calls.push(x);
        }
        self.all[index].calls.sort_by_key(|x| x.number);
    }

    /// Every grant.
    pub(in crate::catalog) fn iter(&self) -> impl Iterator<Item = &Grant<'t>> {
        self.all.iter()
    }

    /// The grant that an exchange belongs to.
    pub(in crate::catalog) fn of_exchange(&self, x: &Exchange) -> Option<&Grant<'t>> {
        self.all.get(*self.of.get(&x.number)?)
    }

    /// Whether the client that asked for this grant had no other one in the record when `x` was begun.
    pub(in crate::catalog) fn is_only(&self, grant: &Grant<'t>, x: &Exchange) -> bool {
        let Some(first) = grant.requests.first() else { return false };
        let mine = |other: &&Grant<'t>| {
            other.requests.first().is_some_and(|y| same_client(y, first) && y.number < x.number)
        };
        self.all.iter().filter(mine).count() == 1
    }

    /// Token requests that ask for a new login of the same client, or for its start at the authorization endpoint. Whoever is
    /// started again with nothing kept knows of no grant, and its login says nothing of this one.
    pub(in crate::catalog) fn logins<'a>(
        &'a self,
        grant: &'a Grant<'t>,
    ) -> impl Iterator<Item = &'t Exchange> + 'a {
        let asks = |x: &&Exchange| match x.endpoint {
            Endpoint::Authorize => true,
            Endpoint::Token => !is_refresh(x),
            _ => false,
        };
        let mine = |x: &&Exchange| grant.requests.first().is_some_and(|first| same_client(x, first));
        let knows = |x: &&Exchange| grant.requests.first().is_some_and(|first| self.t.may_know(x, first));
        self.t.exchanges.iter().filter(asks).filter(mine).filter(knows)
    }

    /// Refresh requests of the same client that present no refresh token.
    pub(in crate::catalog) fn empty_refreshes<'a>(
        &'a self,
        grant: &'a Grant<'t>,
    ) -> impl Iterator<Item = &'t Exchange> + 'a {
        let mine = |x: &&Exchange| grant.requests.first().is_some_and(|first| same_client(x, first));
        let empty = |x: &&Exchange| is_refresh(x) && refresh_token(x).is_none();
        self.t.exchanges.iter().filter(empty).filter(mine)
    }

    /// Every call whose access token was refused as dead and that repeats no other, with the call that repeats it with
    /// a newer access token, where there is one.
    pub(in crate::catalog) fn refusals(
        &self,
        grant: &Grant<'t>,
    ) -> Vec<(&'t Exchange, Option<&'t Exchange>)> {
        let mut repeats = HashSet::new();
        let mut found = Vec::new();
        for &call in &grant.calls {
            // What is refused in other words may be repeated with a new token as well, and its repetition is no call of its own.
            if !is_dead(call) && call.status() != 401 || repeats.contains(&call.number) {
                continue;
            }
            let fits = |r: &Exchange| {
                r.began_after(call)
                    && !repeats.contains(&r.number)
                    && same_call(call, r)
                    && self.is_renewed(call, r)
            };
            let all = || calls(self.t).skip_while(|r| r.number < call.number);
            let repeat = all().find(|r| fits(r) && same_key(call, r)).or_else(|| all().find(|r| fits(r)));
            repeats.extend(repeat.map(|r| r.number));
            if is_dead(call) {
                found.push((call, repeat));
            }
        }
        found
    }

    /// Whether `later` presents an access token that the client was given after that of `call`, or once more after `call`:
    /// of the same grant, or of a login that it began when the call had been refused.
    pub(in crate::catalog) fn is_renewed(&self, call: &Exchange, later: &Exchange) -> bool {
        let (Some(grant), Some(other)) = (self.of_exchange(call), self.of_exchange(later)) else {
            return false;
        };
        if std::ptr::eq(grant, other) {
            let token = presented(later);
            let again =
                |y: &Exchange| y.began_after(call) && later.began_after(y) && y.text("access_token") == token;
            return grant.is_newer(presented(call), token) || token.is_some() && grant.answers().any(again);
        }
        let login = other.origin.filter(|origin| origin.began_after(call));
        login.is_some_and(|login| grant.origin.is_none_or(|origin| same_client(origin, login)))
    }

    /// Whether the client was seen to go on when it had an answer to a call with a newer access token than this call's.
    pub(in crate::catalog) fn went_on(&self, call: &Exchange) -> bool {
        let later = calls(self.t).filter(|r| r.number > call.number && r.same_start(call));
        let answered = later.filter(|r| self.is_renewed(call, r));
        answered.map(|r| r.over_at).min().is_some_and(|over| over < self.t.exchanges.len())
    }
}

impl<'t> Grant<'t> {
    /// Every refresh of it, whatever came of it.
    pub(in crate::catalog) fn refreshes(&self) -> impl DoubleEndedIterator<Item = &'t Exchange> + '_ {
        self.requests.iter().copied().filter(|x| is_refresh(x))
    }

    /// Every answer that gave an access token.
    pub(in crate::catalog) fn answers(&self) -> impl DoubleEndedIterator<Item = &'t Exchange> + '_ {
        self.requests.iter().copied().filter(|x| x.granted())
    }

    /// Whether the client had a refresh token of it when `x` was begun. What a server-to-server flow brings without being
    /// asked for it is none that it has to use (RFC 6749 §4.4.3).
    pub(in crate::catalog) fn has_refresh_token(&self, x: &Exchange) -> bool {
        self.origin.is_none_or(|origin| {
            !is_server_request(origin) && self.answers().any(|y| x.began_after(y) && given(y).is_some())
        })
    }

    /// Whether it never had a refresh token.
    pub(in crate::catalog) fn never_had_one(&self) -> bool {
        self.origin.is_some()
            && self.answers().all(|y| given(y).is_none())
            && self.refreshes().next().is_none()
    }

    /// Whether the second access token was given later than the first, for the first time. One that was there before the
    /// record is older than all.
    pub(in crate::catalog) fn is_newer(&self, old: Option<&str>, new: Option<&str>) -> bool {
        if old.is_some() && old == self.before {
            return self.answers().any(|y| y.text("access_token") == new);
        }
        let last = self.answers().filter(|y| y.text("access_token") == old).map(|y| y.over_at).max();
        let first = self.answers().filter(|y| y.text("access_token") == new).map(|y| y.over_at).min();
        old != new && last.zip(first).is_some_and(|(last, first)| last < first)
    }

    /// The first refresh that had brought another access token in place of this one when `x` was begun. Where two
    /// renewals overlapped, either token may be the one in force.
    pub(in crate::catalog) fn replaced(&self, token: Option<&str>, x: &Exchange) -> Option<&'t Exchange> {
        let issued: Vec<&Exchange> = self.answers().filter(|z| z.text("access_token") == token).collect();
        if issued.is_empty() && (token.is_none() || token != self.before) {
            return None;
        }
        self.refreshes().find(|y| {
            y.granted()
                && y.text("access_token") != token
                && x.began_after(y)
                && issued.iter().all(|z| y.began_after(z))
        })
    }

    /// Whether its client does one thing after the other, as far as is known: nothing of it was under way when anything else
    /// of it was begun, up to `x`. Of one that was told to do several things at a time that shows nothing: what it began
    /// earlier may only have come later.
    pub(in crate::catalog) fn is_sequential(&self, x: &Exchange) -> bool {
        if self.is_concurrent {
            return false;
        }
        let mut all: Vec<&Exchange> = self.requests.iter().chain(&self.calls).copied().collect();
        all.retain(|y| y.number <= x.number);
        all.sort_by_key(|y| y.number);
        let mut over = 0;
        all.iter().all(|y| {
            let alone = over <= y.number;
            over = over.max(y.over_at);
            alone
        })
    }

    /// How many of its calls had been refused as dead when `x` was begun.
    pub(in crate::catalog) fn refused_before(&self, x: &Exchange) -> usize {
        self.calls.iter().filter(|c| is_dead(c) && x.began_after(c)).count()
    }

    /// Whether a second refresh may have been under way when the first was answered: so soon, with more callers refused
    /// than refreshes begun, by a client that does not do one thing after the other.
    pub(in crate::catalog) fn in_flight(&self, second: &Exchange, first: &Exchange) -> bool {
        let begun = self.refreshes().filter(|y| y.number < second.number).count();
        within(second, first, IN_FLIGHT) && self.refused_before(second) > begun && !self.is_sequential(second)
    }

    /// The refresh that began soon after `cause` although `renewal` had brought a token that nobody had refused, and
    /// that the client was seen to use.
    pub(in crate::catalog) fn needless(&self, renewal: &Exchange, cause: &Exchange) -> Option<&'t Exchange> {
        let token = renewal.text("access_token");
        if !self.calls.iter().any(|z| presented(z) == token) {
            return None;
        }
        let refused = |x: &Exchange, y: &Exchange| {
            let new = presented(x) == token || self.is_newer(token, presented(x));
            new && x.number < y.number && super::super::resource::let_in(x) != Some(true)
        };
        self.refreshes().find(|y| {
            y.began_after(renewal)
                && y.began_after(cause)
                && within(y, cause, PROMPT)
                && !self.calls.iter().any(|x| refused(x, y))
        })
    }
}
