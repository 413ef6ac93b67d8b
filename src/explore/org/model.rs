//! What a conforming org must do, in the fewest words: codes, families of refresh tokens, access tokens, and time. Pure.

use std::collections::{BTreeMap, VecDeque};

use super::right::{Op, Right, Rules, Seen};
use crate::oauth::Endpoint;
use crate::subject::{Flow, RefreshPolicy};

/// How far the moment of an exchange may be from the one at which the org decided, in milliseconds.
const SLACK: i64 = 2_000;
/// Approvals of one app by one user that live at the same time on Salesforce; the next one drops the oldest.
const APPROVALS: usize = 5;

/// Whether something lives; what an org may do either way leaves that open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Alive,
    Unsure,
    Dead,
}

#[derive(Clone, Debug, PartialEq)]
struct Code {
    app: String,
    user: String,
    challenge: Option<String>,
    narrow: bool,
    issued: i64,
    used: bool,
    /// Whether another client presented it, so that it may be over.
    spoilt: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Family {
    app: String,
    user: String,
    life: Life,
    narrow: bool,
    /// Whether it was granted who the user is.
    identity: bool,
    /// Whether its access tokens may live on where it is dead.
    outlived: bool,
    granted: i64,
    used: i64,
}

#[derive(Clone, Debug, PartialEq)]
struct Refresh {
    family: usize,
    rotated: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Access {
    app: String,
    family: Option<usize>,
    life: Life,
    /// From when on it may be dead, and from when on it must be: use extends a session, in ways that differ.
    expires: (i64, i64),
    /// Whether less was granted than the app has, so that a resource may want more.
    narrow: bool,
    /// Whether it says who the user is.
    identity: bool,
}

/// The store of an org as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    rules: Rules,
    codes: BTreeMap<String, Code>,
    families: Vec<Family>,
    /// Live ones, oldest first.
    approvals: VecDeque<usize>,
    refresh: BTreeMap<String, Refresh>,
    access: BTreeMap<String, Access>,
}

/// A moment against an end.
fn at_end(now: i64, (from, until): (i64, i64)) -> Life {
    match () {
        () if now < from - SLACK => Life::Alive,
        () if now < until + SLACK => Life::Unsure,
        () => Life::Dead,
    }
}

impl Access {
    fn doubt(&mut self) {
        if self.life == Life::Alive {
            self.life = Life::Unsure;
        }
    }
}

impl Model {
    /// A store with nothing in it.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            codes: BTreeMap::new(),
            families: Vec::new(),
            approvals: VecDeque::new(),
            refresh: BTreeMap::new(),
            access: BTreeMap::new(),
        }
    }

    /// What must come of an operation at that moment.
    pub fn right(&self, op: &Op, now: i64) -> Right {
        match op {
            Op::Authorize { .. } => Right::Code,
            Op::Redeem { code, app, verifier } => self.of_code(code, app, verifier.as_ref(), now),
            Op::Refresh { token, app, narrow } => match self.of_refresh(token, app, now) {
                // Salesforce takes no scope here.
                Right::Granted(_) if *narrow => Right::Any,
                right => right,
            },
            Op::Grant { again: true, .. } => Right::Any,
            Op::Grant { app, flow: Flow::ClientCredentials, .. } if self.rules.unlisted.contains(app) => {
                Right::Refused("flow-not-enabled")
            }
            Op::Grant { .. } => Right::Granted(self.rules.salesforce.then_some(false)),
            Op::Revoke { token, app } => match self.owner(token) {
                // Who revokes what belongs to somebody else is told in many ways.
                Some(owner) if owner == app => match self.life(token, now) {
                    Life::Alive => Right::Done,
                    _ => Right::Any,
                },
                _ => Right::Any,
            },
            Op::Introspect { token, app } => match (self.owner(token), self.life(token, now)) {
                (_, Life::Dead) => Right::Active(false),
                // Elsewhere only access tokens may be told of.
                (Some(owner), Life::Alive)
                    if owner == app && (self.rules.salesforce || self.access.contains_key(token)) =>
                {
                    Right::Active(true)
                }
                _ => Right::Any,
            },
            Op::Use { token, endpoint } => {
                let access = self.access.get(token);
                let life = if access.is_some() { self.life(token, now) } else { Life::Dead };
                match life {
                    Life::Dead => Right::Out,
                    Life::Unsure => Right::Any,
                    // An identity URL is of the user whom an answer named last.
                    Life::Alive if *endpoint == Endpoint::Identity => Right::Any,
                    Life::Alive if access.is_some_and(|access| access.narrow) => Right::Any,
                    // Elsewhere UserInfo is of whoever logged in to say so (OpenID Connect Core 1.0 §5.3).
                    Life::Alive
                        if *endpoint == Endpoint::Userinfo
                            && !self.rules.salesforce
                            && !access.is_some_and(|access| access.identity) =>
                    {
                        Right::Any
                    }
                    Life::Alive => Right::In,
                }
            }
        }
    }

    /// Takes an operation with its answer.
    ///
    /// # Errors
    /// What must have been answered instead.
    pub fn take(&mut self, op: &Op, seen: &Seen, now: i64) -> Result<(), Right> {
        let right = self.right(op, now);
        if !right.fits(seen) || !self.is_new(op, seen, now) {
            return Err(right);
        }
        match (op, seen) {
            (Op::Authorize { app, user, challenge, narrow }, Seen::Code(code)) => {
                let code_of = Code {
                    app: app.clone(),
                    user: user.clone(),
                    challenge: challenge.clone(),
                    narrow: *narrow,
                    issued: now,
                    used: false,
                    spoilt: false,
                };
                self.codes.insert(code.clone(), code_of);
            }
            (Op::Redeem { code, .. }, seen) => self.redeemed(code, right, seen, now),
            (Op::Refresh { token, narrow, .. }, seen) => self.refreshed(token, *narrow, right, seen, now),
            (Op::Grant { app, .. }, Seen::Granted { access, identity, .. }) => {
                let family = None;
                self.open(access, app.clone(), family, (false, *identity), now);
            }
            (Op::Revoke { token, app }, Seen::Status(200..300)) => self.revoked(token, app),
            (Op::Use { token, .. }, Seen::Status(200..300)) => {
                let session = self.rules.session;
                if let (Some(access), Some(ttl)) = (self.access.get_mut(token), session) {
                    access.expires.1 = access.expires.1.max(now + ttl);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What may be left of it where two requests with one refresh token met, and which came of it is not known.
    pub fn collide(&mut self, token: &str) {
        if let Some(refresh) = self.refresh.get(token) {
            self.doubt(refresh.family);
        }
    }

    /// What may be left of access tokens that one grant brought at once: elsewhere the last of them may have ended the others,
    /// and which it was is not known.
    pub fn brought_at_once(&mut self, tokens: &[&str]) {
        if self.rules.salesforce {
            return;
        }
        for token in tokens {
            let family = self.access.get(*token).and_then(|of| of.family);
            let same = |other: &&&str| self.access.get(**other).is_some_and(|of| of.family == family);
            if family.is_some() && tokens.iter().filter(same).count() > 1 {
                self.access.get_mut(*token).into_iter().for_each(Access::doubt);
            }
        }
    }

    fn of_code(&self, code: &str, app: &str, verifier: Option<&String>, now: i64) -> Right {
        let Some(of) = self.codes.get(code) else { return Right::Refused("code-unknown") };
        if of.app != app {
            return Right::Refused("code-of-another-client");
        }
        let end =
            self.rules.code.map_or((i64::MAX / 2, i64::MAX / 2), |ttl| (of.issued + ttl, of.issued + ttl));
        match at_end(now, end) {
            _ if of.used => Right::Refused("code-already-used"),
            Life::Dead => Right::Refused("code-expired"),
            Life::Unsure => Right::Any,
            Life::Alive if of.spoilt => Right::Any,
            Life::Alive if of.challenge.is_some() && of.challenge.as_ref() != verifier => {
                Right::Refused("verifier-wrong")
            }
            Life::Alive => Right::Granted(None),
        }
    }

    fn of_refresh(&self, token: &str, app: &str, now: i64) -> Right {
        const DEAD: Right = Right::Refused("refresh-token-invalid");
        let Some(of) = self.refresh.get(token) else { return DEAD };
        let family = &self.families[of.family];
        if family.app != app {
            return Right::Refused("refresh-token-of-another-client");
        }
        match self.life(token, now) {
            Life::Dead => DEAD,
            Life::Unsure => Right::Any,
            Life::Alive => Right::Granted(self.rules.rotation),
        }
    }

    /// Whom a token was issued to.
    fn owner(&self, token: &str) -> Option<&str> {
        let of_refresh = |refresh: &Refresh| self.families[refresh.family].app.as_str();
        let access = self.access.get(token).map(|access| access.app.as_str());
        access.or_else(|| self.refresh.get(token).map(of_refresh))
    }

    /// Whether a token of either kind lives; one that nobody issued is dead.
    fn life(&self, token: &str, now: i64) -> Life {
        if let Some(access) = self.access.get(token) {
            let family = access.family.map(|at| &self.families[at]).map_or(Life::Alive, |of| match of.life {
                Life::Dead if of.outlived => Life::Unsure,
                life => life,
            });
            let all = [access.life, family, at_end(now, access.expires)];
            return match () {
                () if all.contains(&Life::Dead) => Life::Dead,
                () if all.contains(&Life::Unsure) => Life::Unsure,
                () => Life::Alive,
            };
        }
        let Some(refresh) = self.refresh.get(token) else { return Life::Dead };
        let family = &self.families[refresh.family];
        let in_time = match self.rules.policy {
            RefreshPolicy::Infinite => Life::Alive,
            // It ends with the session that the grant opened.
            RefreshPolicy::Zero => Life::Unsure,
            RefreshPolicy::Lifetime(ttl) => at_end(now, (family.granted + ttl, family.granted + ttl)),
            RefreshPolicy::Inactivity(ttl) => at_end(now, (family.used + ttl, family.used + ttl)),
        };
        match (family.life, in_time) {
            _ if refresh.rotated && !self.rules.grace => Life::Dead,
            (Life::Dead, _) | (_, Life::Dead) => Life::Dead,
            (Life::Alive, Life::Alive) if !refresh.rotated => Life::Alive,
            _ => Life::Unsure,
        }
    }

    /// What is handed out was never handed out before; or it lives, and may be handed out to the same client again.
    fn is_new(&self, op: &Op, seen: &Seen, now: i64) -> bool {
        match seen {
            Seen::Code(code) => !self.codes.contains_key(code),
            Seen::Granted { access, refresh, .. } => {
                let known = refresh.as_ref().and_then(|token| self.refresh.get(token));
                // Without rotation a server may send the same refresh token along.
                let again = known.is_some_and(|of| {
                    self.rules.rotation == Some(true) && !self.is_repeated(op, Some(of.family), of.rotated)
                });
                let access = self.access.get(access).is_some_and(|of| {
                    self.life(access, now) == Life::Dead || !self.is_repeated(op, of.family, false)
                });
                !again && !access
            }
            _ => true,
        }
    }

    /// Whether an org may answer an operation as it answered one before, with a token of that family, which was replaced since
    /// or not: within a time of grace it may do so, and one of which nothing is known may keep what lives.
    fn is_repeated(&self, op: &Op, family: Option<usize>, replaced: bool) -> bool {
        match (op, family) {
            (Op::Grant { .. }, None) => !self.rules.salesforce,
            (Op::Refresh { token, .. }, Some(family)) => {
                let of = self.refresh.get(token).filter(|of| of.family == family);
                of.is_some_and(|of| of.rotated && self.rules.grace || !self.rules.salesforce && !replaced)
            }
            _ => false,
        }
    }

    fn redeemed(&mut self, code: &str, right: Right, seen: &Seen, now: i64) {
        let Some(of) = self.codes.get_mut(code) else { return };
        let Seen::Granted { access, refresh, identity } = seen else {
            // RFC 6749 §4.1.2: what a code brought should end where it comes again.
            if right == Right::Refused("code-of-another-client") && !self.rules.salesforce {
                // Whoever stole it has spoilt it: some servers end it then.
                of.spoilt = true;
            }
            if of.used && matches!(right, Right::Refused(_)) && !self.rules.salesforce {
                let (app, user) = (of.app.clone(), of.user.clone());
                let its = |family: &Family| family.app == app && family.user == user;
                let doubted: Vec<usize> =
                    (0..self.families.len()).filter(|at| its(&self.families[*at])).collect();
                doubted.into_iter().for_each(|at| self.doubt(at));
            }
            return;
        };
        of.used = true;
        let (app, user, narrow) = (of.app.clone(), of.user.clone(), of.narrow);
        let family = self.families.len();
        let life = Life::Alive;
        let identity = *identity;
        self.families.push(Family {
            app: app.clone(),
            user,
            life,
            narrow,
            identity,
            outlived: false,
            granted: now,
            used: now,
        });
        if let Some(refresh) = refresh {
            self.refresh.insert(refresh.clone(), Refresh { family, rotated: false });
            self.approve(family);
        }
        self.open(access, app, Some(family), (narrow, identity), now);
    }

    fn refreshed(&mut self, token: &str, narrow: bool, right: Right, seen: &Seen, now: i64) {
        let Some(of) = self.refresh.get_mut(token) else { return };
        let family = of.family;
        let Seen::Granted { access, refresh, identity } = seen else {
            let by_its_client = right != Right::Refused("refresh-token-of-another-client");
            if !by_its_client && !self.rules.salesforce {
                self.doubt(family);
                return;
            }
            if of.rotated && by_its_client {
                // Somebody has what was replaced: nobody keeps anything.
                // Of a request with a scope, which Salesforce takes nowhere here, it looks at nothing else.
                if self.rules.salesforce && !narrow && !self.rules.grace {
                    self.kill(family)
                } else {
                    self.doubt(family)
                }
            }
            return;
        };
        if let Some(new) = refresh.as_ref().filter(|new| *new != token) {
            of.rotated = true;
            self.refresh.entry(new.clone()).or_insert(Refresh { family, rotated: false });
        }
        if !self.rules.salesforce {
            // One access token at a time is as good as several: no RFC says what becomes of the earlier ones.
            let earlier =
                self.access.iter_mut().filter(|(token, of)| of.family == Some(family) && *token != access);
            earlier.for_each(|(_, of)| of.doubt());
        }
        let of = &mut self.families[family];
        of.used = now;
        let (app, narrow, identity) = (of.app.clone(), of.narrow || narrow, of.identity || *identity);
        self.open(access, app, Some(family), (narrow, identity), now);
    }

    fn revoked(&mut self, token: &str, by: &str) {
        // Who revokes what belongs to somebody else is told in many ways, and should not get what was asked for.
        if self.owner(token).is_some_and(|owner| owner != by) {
            match (self.access.get_mut(token), self.refresh.get(token).map(|of| of.family)) {
                (Some(access), _) => access.doubt(),
                (_, Some(family)) => self.doubt(family),
                _ => {}
            }
        } else if let Some(access) = self.access.get_mut(token) {
            access.life = Life::Dead;
            // The refresh token beside it may end as well (RFC 7009 §2.1).
            if let Some(family) = access.family.filter(|_| !self.rules.salesforce) {
                self.doubt(family);
            }
        } else if let Some(family) = self.refresh.get(token).filter(|of| !of.rotated).map(|of| of.family) {
            self.kill(family);
            // Access tokens should end with it, and need not (RFC 7009 §2.1): the catalogue tells.
            if !self.rules.salesforce {
                self.families[family].outlived = true;
            }
        } else if let Some(refresh) =
            self.refresh.get(token).filter(|_| !self.rules.salesforce || self.rules.grace)
        {
            self.doubt(refresh.family);
        }
    }

    fn approve(&mut self, family: usize) {
        if !self.rules.salesforce {
            // One grant of a client by a user at a time is as good as several: no RFC says how many there may be.
            let (app, user) = (self.families[family].app.clone(), self.families[family].user.clone());
            let earlier =
                (0..family).filter(|at| self.families[*at].app == app && self.families[*at].user == user);
            earlier.collect::<Vec<_>>().into_iter().for_each(|at| self.doubt(at));
            return;
        }
        let (app, user) = (&self.families[family].app, &self.families[family].user);
        let same = |at: &usize| self.families[*at].app == *app && self.families[*at].user == *user;
        let live: Vec<usize> = self.approvals.iter().copied().filter(same).collect();
        self.approvals.push_back(family);
        if live.len() >= APPROVALS {
            self.kill(live[0]);
        }
    }

    fn open(
        &mut self,
        access: &str,
        app: String,
        family: Option<usize>,
        (narrow, identity): (bool, bool),
        now: i64,
    ) {
        let end = self.rules.session.map_or((now + SLACK, i64::MAX / 2), |ttl| (now + ttl, now + ttl));
        // Where nobody says how long it lives, it lives for a while: a minute of real time is less.
        let end = if self.rules.session.is_none() { (now + 60_000, end.1) } else { end };
        let fresh = Access { app, family, life: Life::Alive, expires: end, narrow, identity };
        // One that comes again may have the time that it had, or more.
        let of = self.access.entry(access.to_owned()).or_insert(fresh);
        of.expires.1 = of.expires.1.max(end.1);
    }

    fn kill(&mut self, family: usize) {
        self.families[family].life = Life::Dead;
        self.approvals.retain(|one| *one != family);
    }

    fn doubt(&mut self, family: usize) {
        if self.families[family].life == Life::Alive {
            self.families[family].life = Life::Unsure;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::right::CODE;
    use super::*;
    use crate::oauth::salesforce::Profile;

    const RULES: Rules = Rules {
        rotation: Some(true),
        grace: false,
        code: Some(CODE),
        session: Some(30 * 60_000),
        policy: RefreshPolicy::Infinite,
        salesforce: true,
        profile: Profile::Salesforce,
        unlisted: BTreeSet::new(),
        listed: None,
    };

    fn redeem(code: &str) -> Op {
        Op::Redeem { code: code.into(), app: "main".into(), verifier: None }
    }

    fn refresh(token: &str) -> Op {
        Op::Refresh { token: token.into(), app: "main".into(), narrow: false }
    }

    fn granted(n: u32) -> Seen {
        Seen::Granted { access: format!("a{n}"), refresh: Some(format!("r{n}")), identity: false }
    }

    fn with_tokens(rules: Rules) -> Model {
        let mut model = Model::new(rules);
        let authorize =
            Op::Authorize { app: "main".into(), user: "main".into(), challenge: None, narrow: false };
        model.take(&authorize, &Seen::Code("c".into()), 0).unwrap();
        model.take(&redeem("c"), &granted(1), 0).unwrap();
        model
    }

    #[test]
    fn a_code_is_redeemed_once_by_its_client_in_time() {
        let model = with_tokens(RULES);
        assert_eq!(model.right(&redeem("c"), 1), Right::Refused("code-already-used"));
        assert_eq!(model.right(&redeem("d"), 1), Right::Refused("code-unknown"));
        let mut fresh = Model::new(RULES);
        let authorize = Op::Authorize {
            app: "main".into(),
            user: "main".into(),
            challenge: Some("h".into()),
            narrow: false,
        };
        fresh.take(&authorize, &Seen::Code("c".into()), 0).unwrap();
        assert_eq!(fresh.right(&redeem("c"), 1), Right::Refused("verifier-wrong"));
        let right = |app: &str, now| {
            fresh.right(&Op::Redeem { code: "c".into(), app: app.into(), verifier: Some("h".into()) }, now)
        };
        assert_eq!(right("main", 1), Right::Granted(None));
        assert_eq!(right("main", CODE), Right::Any);
        assert_eq!(right("main", CODE + SLACK), Right::Refused("code-expired"));
        assert_eq!(right("other", 1), Right::Refused("code-of-another-client"));
    }

    #[test]
    fn within_a_time_of_grace_nothing_is_sure_of_a_rotated_token() {
        let mut model = with_tokens(Rules { grace: true, ..RULES });
        model.take(&refresh("r1"), &granted(2), 0).unwrap();
        model.take(&refresh("r1"), &granted(3), 0).unwrap();
        model.take(&refresh("r1"), &Seen::Refused(400, false), 0).unwrap();
        assert_eq!(model.right(&refresh("r2"), 0), Right::Any, "it may be dead, or not");
    }

    #[test]
    fn the_reuse_of_a_rotated_token_ends_its_family() {
        let mut model = with_tokens(RULES);
        model.take(&refresh("r1"), &granted(2), 0).unwrap();
        assert_eq!(model.take(&refresh("r1"), &granted(3), 0), Err(Right::Refused("refresh-token-invalid")));
        model.take(&refresh("r1"), &Seen::Refused(400, false), 0).unwrap();
        assert_eq!(model.right(&refresh("r2"), 0), Right::Refused("refresh-token-invalid"));
        let call = Op::Use { token: "a2".into(), endpoint: Endpoint::Resource };
        assert_eq!(model.right(&call, 0), Right::Out);
    }

    #[test]
    fn a_token_is_handed_out_once() {
        let mut model = with_tokens(RULES);
        assert!(model.take(&refresh("r1"), &granted(1), 0).is_err());
    }

    #[test]
    fn what_is_not_known_of_an_org_leaves_it_open() {
        let rules = Rules { rotation: None, salesforce: false, session: None, ..RULES };
        let mut model = with_tokens(rules);
        model.take(&refresh("r1"), &granted(2), 0).unwrap();
        model.take(&refresh("r1"), &Seen::Refused(400, false), 0).unwrap();
        assert_eq!(model.right(&refresh("r2"), 0), Right::Any);
        let call = Op::Use { token: "a1".into(), endpoint: Endpoint::Resource };
        assert_eq!(model.right(&call, 0), Right::Any);
    }

    /// Of an org of which nothing but its endpoints is known.
    fn foreign() -> Rules {
        Rules { rotation: None, salesforce: false, profile: Profile::Rfc, ..RULES }
    }

    fn to(token: &str, endpoint: Endpoint) -> Op {
        Op::Use { token: token.into(), endpoint }
    }

    #[test]
    fn a_revocation_by_another_client_may_have_been_done_or_not() {
        let revoke = |token: &str, app: &str| Op::Revoke { token: token.into(), app: app.into() };
        for rules in [RULES, foreign()] {
            for token in ["a1", "r1"] {
                let mut model = with_tokens(rules.clone());
                model.take(&revoke(token, "other"), &Seen::Status(200), 0).unwrap();
                assert_eq!(model.right(&to("a1", Endpoint::Resource), 0), Right::Any);
                model.take(&revoke(token, "main"), &Seen::Status(200), 0).unwrap();
                // Elsewhere an access token may outlive the refresh token beside it, as far as the model goes.
                let open = !rules.salesforce && token == "r1";
                let right = if open { Right::Any } else { Right::Out };
                assert_eq!(model.right(&to("a1", Endpoint::Resource), 0), right);
            }
        }
    }

    #[test]
    fn what_a_thief_presented_may_be_over_elsewhere() {
        for (rules, code, token) in
            [(RULES, Right::Granted(None), Right::Granted(Some(true))), (foreign(), Right::Any, Right::Any)]
        {
            let mut model = with_tokens(rules);
            let by = |op: Op| match op {
                Op::Redeem { code, verifier, .. } => Op::Redeem { code, app: "other".into(), verifier },
                Op::Refresh { token, narrow, .. } => Op::Refresh { token, app: "other".into(), narrow },
                op => op,
            };
            let mut used = model.clone();
            used.take(&by(redeem("c")), &Seen::Refused(400, false), 0).unwrap();
            assert_eq!(used.right(&refresh("r1"), 0), token);
            model.take(&by(refresh("r1")), &Seen::Refused(400, false), 0).unwrap();
            assert_eq!(model.right(&refresh("r1"), 0), token);
            let authorize =
                Op::Authorize { app: "main".into(), user: "main".into(), challenge: None, narrow: false };
            model.take(&authorize, &Seen::Code("d".into()), 0).unwrap();
            model.take(&by(redeem("d")), &Seen::Refused(400, false), 0).unwrap();
            assert_eq!(model.right(&redeem("d"), 0), code);
        }
    }

    #[test]
    fn a_new_login_elsewhere_may_end_the_grant_before_it() {
        for (rules, right) in [(RULES, Right::Granted(Some(true))), (foreign(), Right::Any)] {
            let mut model = with_tokens(rules);
            let authorize =
                Op::Authorize { app: "main".into(), user: "main".into(), challenge: None, narrow: false };
            model.take(&authorize, &Seen::Code("d".into()), 0).unwrap();
            model.take(&redeem("d"), &granted(2), 0).unwrap();
            assert_eq!(model.right(&refresh("r1"), 0), right);
        }
    }

    #[test]
    fn who_did_not_ask_who_the_user_is_may_not_be_told() {
        let model = with_tokens(foreign());
        assert_eq!(model.right(&to("a1", Endpoint::Userinfo), 0), Right::Any);
        assert_eq!(model.right(&to("a1", Endpoint::Resource), 0), Right::In);
        let mut model = Model::new(foreign());
        let authorize =
            Op::Authorize { app: "main".into(), user: "main".into(), challenge: None, narrow: false };
        model.take(&authorize, &Seen::Code("c".into()), 0).unwrap();
        let seen = Seen::Granted { access: "a1".into(), refresh: Some("r1".into()), identity: true };
        model.take(&redeem("c"), &seen, 0).unwrap();
        model.take(&refresh("r1"), &granted(2), 0).unwrap();
        assert_eq!(model.right(&to("a2", Endpoint::Userinfo), 0), Right::In);
    }

    #[test]
    fn a_refresh_elsewhere_may_end_the_access_tokens_before_it() {
        let mut model = with_tokens(foreign());
        model.take(&refresh("r1"), &granted(2), 0).unwrap();
        assert_eq!(model.right(&to("a1", Endpoint::Resource), 0), Right::Any);
        assert_eq!(model.right(&to("a2", Endpoint::Resource), 0), Right::In);
        model.brought_at_once(&["a1", "a2"]);
        assert_eq!(
            model.right(&to("a2", Endpoint::Resource), 0),
            Right::Any,
            "it may be the one before the last"
        );
        let mut model = with_tokens(RULES);
        model.take(&refresh("r1"), &granted(2), 0).unwrap();
        model.brought_at_once(&["a1", "a2"]);
        for token in ["a1", "a2"] {
            assert_eq!(model.right(&to(token, Endpoint::Resource), 0), Right::In);
        }
    }

    #[test]
    fn what_lives_may_be_handed_out_again_and_nothing_else() {
        let grant = Op::Grant { app: "main".into(), flow: Flow::ClientCredentials, again: false };
        let token = |n: u32| Seen::Granted { access: format!("a{n}"), refresh: None, identity: false };
        let mut model = with_tokens(foreign());
        model.take(&grant, &token(7), 0).unwrap();
        model.take(&grant, &token(7), 0).unwrap();
        assert!(model.take(&grant, &token(1), 0).is_err(), "it is of a user");
        let revoke = Op::Revoke { token: "a7".into(), app: "main".into() };
        model.take(&revoke, &Seen::Status(200), 0).unwrap();
        assert!(model.take(&grant, &token(7), 0).is_err(), "it was revoked");
        let mut model = with_tokens(RULES);
        model
            .take(&grant, &Seen::Granted { access: "a7".into(), refresh: None, identity: false }, 0)
            .unwrap();
        assert!(model.take(&grant, &token(7), 0).is_err(), "this org keeps nothing");
    }

    #[test]
    fn within_a_time_of_grace_the_same_answer_may_come_again() {
        for rules in [RULES, Rules { rotation: Some(true), ..foreign() }] {
            let mut model = with_tokens(Rules { grace: true, ..rules });
            model.take(&refresh("r1"), &granted(2), 0).unwrap();
            model.take(&refresh("r1"), &granted(2), 0).unwrap();
            assert_eq!(model.right(&refresh("r2"), 0), Right::Granted(Some(true)));
            assert!(model.take(&refresh("r2"), &granted(1), 0).is_err(), "it was replaced");
            model.take(&refresh("r2"), &granted(3), 0).unwrap();
            model.take(&refresh("r1"), &granted(2), 0).unwrap();
        }
    }

    #[test]
    fn the_sixth_approval_drops_the_first() {
        let mut model = with_tokens(RULES);
        for n in 2..=6 {
            let authorize =
                Op::Authorize { app: "main".into(), user: "main".into(), challenge: None, narrow: false };
            model.take(&authorize, &Seen::Code(format!("c{n}")), 0).unwrap();
            assert_eq!(model.right(&refresh("r1"), 0), Right::Granted(Some(true)));
            model.take(&redeem(&format!("c{n}")), &granted(n), 0).unwrap();
        }
        assert_eq!(model.right(&refresh("r1"), 0), Right::Refused("refresh-token-invalid"));
        assert_eq!(model.right(&refresh("r2"), 0), Right::Granted(Some(true)));
    }
}
