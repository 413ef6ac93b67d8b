//! Refresh: policies, rotation with reuse detection, and one request at a time for each refresh token.

use super::{Checked, Issued, Kind, missing, session};
use crate::oauth::Params;
use crate::org::answer::{COLLISION, Refused, invalid_grant, refused};
use crate::org::ask::{Ask, given};
use crate::org::authentication::{admit, identify, is_required, prove};
use crate::org::registry::AppId;
use crate::org::scopes::Scopes;
use crate::org::store::{Family, FamilyId, Flight, Found, Grant, Kill, State};
use crate::org::{Org, fault};
use crate::subject::{Flow, RefreshPolicy};

/// After what time a revocation is forgotten where it is forgotten, in milliseconds.
const FORGOTTEN: i64 = 600_000;

/// A refresh token that is held for one request.
pub(super) struct Renewal {
    family: FamilyId,
    token: crate::oauth::Secret,
    /// The hold; none where the org does not know how to hold.
    flight: Option<Flight>,
    /// Less scope than was granted.
    narrowed: Option<Scopes>,
}

/// What is said of a refresh token that is unknown, revoked, rotated out, displaced, or somebody else's.
pub(super) fn dead(org: &Org) -> Refused {
    invalid_grant(match org.faults.has(&fault::REFRESH_DEAD_RENAMED) {
        true => "the refresh token is not valid",
        false => "expired access/refresh token",
    })
}

fn collision(org: &Org) -> Refused {
    invalid_grant(match org.faults.has(&fault::COLLISION_RENAMED) {
        true => "try again later",
        false => COLLISION,
    })
}

/// Everything up to the hold on the refresh token.
pub(super) fn check(org: &Org, ask: &Ask, params: &Params) -> Result<Checked, Refused> {
    let claimed = identify(org, ask, params)?;
    let app = org.registry.app(claimed.id);
    admit(app, Flow::RefreshToken)?;
    let required = is_required(app, Flow::RefreshToken) && !org.faults.has(&fault::REFRESH_UNAUTHENTICATED);
    let authenticated = prove(org, ask, &claimed, required, false)?;
    let token = given(params, "refresh_token").ok_or_else(|| missing("refresh_token"))?;
    let checked = |kind| Ok(Checked { app: claimed.id, jti: authenticated.jti, kind });

    let mut state = org.store.lock();
    let Some(found) = state.refresh(token) else {
        if let Some(session) = state.session(token).filter(|_| org.faults.has(&fault::ACCESS_TOKEN_REFRESHES))
        {
            let (user, scopes) = (session.user, session.scopes.clone());
            return checked(Kind::Direct { user, scopes, grant: Grant::Refresh });
        }
        return match state.any_family(claimed.id) {
            Some((user, scopes)) if org.faults.has(&fault::REFRESH_ANY) => {
                checked(Kind::Direct { user, scopes, grant: Grant::Refresh })
            }
            _ => Err(dead(org)),
        };
    };
    if found.family.app != claimed.id && !org.faults.has(&fault::REFRESH_UNBOUND) {
        return Err(dead(org));
    }
    if is_over(org, found.family, ask.now) {
        return Err(dead(org));
    }
    if org.is_rotated_out(&found, ask.now) && !org.faults.has(&fault::ROTATE_NO_REVOKE) {
        return checked(Kind::Reused(found.id));
    }
    in_time(org, &state, &found, ask.now)?;
    let account = org.registry.user(found.family.user);
    if account.is_shut_out() {
        return Err(dead(org));
    }
    if account.is_restricted(app) {
        return Err(invalid_grant("ip restricted"));
    }
    let narrowed = match given(params, "scope") {
        Some(scope) if org.faults.has(&fault::REFRESH_WIDEN) => Some(Scopes::of(scope.split(' '))),
        Some(scope) => {
            let refuse = || refused("invalid_scope", "the requested scope is not allowed");
            Some(found.family.scopes.ask(scope).ok_or_else(refuse)?)
        }
        None => None,
    };
    let family = found.id;
    let flight = match org.faults.has(&fault::ROTATE_RACY) {
        true => None,
        false => {
            let second = org.faults.has(&fault::ROTATE_RACY_PAIR) && !state.collided(token);
            match state.hold(token, ask.now) {
                Some(ticket) => Some(Flight::new(&org.store, token, ticket)),
                None if second => None,
                None => return Err(collision(org)),
            }
        }
    };
    checked(Kind::Refresh(Renewal { family, token: token.into(), flight, narrowed }))
}

/// Looks again, rotates where the app says so, and issues.
pub(super) fn renew(
    org: &Org,
    state: &mut State,
    id: AppId,
    renewal: Renewal,
    now: i64,
) -> Result<Issued, Refused> {
    let Renewal { family, token, flight, narrowed } = renewal;
    let racy = flight.is_none();
    // Let go before anything can fail: the hold may not be dropped while the state is locked.
    let collided = match flight.map(Flight::take) {
        Some((token, ticket)) => state.release(&token, ticket).ok_or_else(|| collision(org))?,
        None => false,
    };
    let app = org.registry.app(id);
    let found = state.refresh(token.expose()).ok_or_else(|| dead(org))?;
    let late = found.rotated.is_some();
    let stale = org.is_rotated_out(&found, now) && !org.faults.has(&fault::ROTATE_NO_REVOKE);
    let has = |fault| org.faults.has(fault);
    let over = is_over(org, found.family, now) && !has(&fault::REVOKE_UNSEEN);
    if !racy && (over || stale) {
        return Err(dead(org));
    }
    let (owner, granted) = (found.family.user, found.family.scopes.clone());
    let another = state.another_user(id, owner).filter(|_| has(&fault::REFRESH_MIXES_USERS));
    let user = another.unwrap_or(owner);
    if let Some(narrowed) = narrowed.as_ref().filter(|_| has(&fault::REFRESH_NARROW_STICKS)) {
        state.narrow(family, narrowed.clone());
    }
    let mut scopes = narrowed.unwrap_or(granted);
    if has(&fault::REFRESH_SCOPE_LOST) {
        let last = scopes.iter().last().map(str::to_owned).unwrap_or_default();
        scopes = scopes.without(&[last.as_str()]);
    }
    let unrotated = app.registered.is_public() && has(&fault::PUBLIC_UNROTATED);
    let refresh_token = match app.registered.policy.rotation && !unrotated {
        // Who comes within the time of grace is given a token beside the one that is in force.
        true => state.rotate(token.expose(), racy || late, now),
        false => None,
    };
    if refresh_token.is_none() && has(&fault::REFRESH_ONCE) {
        state.forget_refresh(token.expose());
    }
    state.used(family, now);
    let mut session = session(app, id, user, scopes, Grant::Refresh, now);
    // A family that was killed and lives on all the same hands out tokens that live.
    let killed = state.refresh(token.expose()).is_some_and(|found| found.family.killed.is_some());
    session.family = (!killed || has(&fault::REVOKE_GHOST)).then_some(family);
    let key = state.open(session.clone());
    if collided && org.faults.has(&fault::COLLISION_AS_THEFT) {
        state.kill(family, Kill::WHOLE, now);
    }
    let nonce = has(&fault::REFRESH_NONCE_NEW).then(|| "made-up".to_owned());
    Ok(Issued { key, session, refresh_token, nonce, auth_time: None })
}

impl Org {
    /// Whether another refresh token took the place of this one, longer ago than the time of grace.
    pub(in crate::org) fn is_rotated_out(&self, found: &Found<'_>, now: i64) -> bool {
        found.rotated.is_some_and(|at| now - at >= self.registry.switches.rotation_grace)
    }
}

/// Whether a grant has ended.
fn is_over(org: &Org, family: &Family, now: i64) -> bool {
    let remembered = !org.faults.has(&fault::REVOKE_FORGOTTEN) || family.killed_since(now - FORGOTTEN);
    family.is_dead() && remembered && !org.faults.has(&fault::REVOKE_GHOST)
}

/// The refresh token policy, looked at when the token is used, so that a shorter one bites at once
/// (Salesforce Help: OAuth 2.0 Refresh Token Flow; Metadata API Developer Guide).
fn in_time(org: &Org, state: &State, found: &Found<'_>, now: i64) -> Result<(), Refused> {
    let family = found.family;
    let until = |end: i64| if end > now { Ok(()) } else { Err(invalid_grant("token validity expired")) };
    match org.registry.app(family.app).registered.policy.refresh_policy {
        RefreshPolicy::Infinite => Ok(()),
        RefreshPolicy::Zero => {
            let lives = |session| state.end(session, now).is_none();
            if state.session(&family.first_session).is_some_and(lives) { Ok(()) } else { Err(dead(org)) }
        }
        RefreshPolicy::Lifetime(ttl) => until(match org.faults.has(&fault::REFRESH_LIFETIME_SLIDES) {
            true => family.last_used.saturating_add(ttl),
            false => family.granted_at.saturating_add(ttl),
        }),
        RefreshPolicy::Inactivity(_) if org.faults.has(&fault::REFRESH_IDLE_ETERNAL) => Ok(()),
        RefreshPolicy::Inactivity(ttl) => until(match org.faults.has(&fault::REFRESH_IDLE_FROM_GRANT) {
            true => family.granted_at.saturating_add(ttl),
            false => family.last_used.saturating_add(ttl),
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::org::testing::*;
    use crate::org::{Begun, Org, Reply};
    use crate::subject::Setting;

    const DEAD: &str = "expired access/refresh token";
    const BUSY: &str = "token request is already being processed";

    fn begin(org: &Org, token: &str, now: i64) -> Begun {
        org.begin(&token_request(&refreshing(token)), now)
    }

    fn end(org: &Org, begun: Begun) -> Reply {
        match begun {
            Begun::Reply(reply) => reply,
            Begun::Pending(pending) => org.commit(pending, NOW),
        }
    }

    #[test]
    fn without_rotation_the_refresh_token_stays() {
        let org = org();
        let token = text(&tokens(&org, NOW), "refresh_token");
        for _ in 0..3 {
            let answer = json(&refresh(&org, &token, NOW));
            assert!(!answer.contains_key("refresh_token"));
            assert_eq!(call(&org, &text(&answer, "access_token"), NOW), 200);
        }
    }

    #[test]
    fn rotation_replaces_and_reuse_kills_the_family() {
        let org = rotating(&[]);
        let first = tokens(&org, NOW);
        let old = text(&first, "refresh_token");
        let second = json(&refresh(&org, &old, NOW));
        let new = text(&second, "refresh_token");
        assert_ne!(old, new);
        says(&refresh(&org, &old, NOW), DEAD);
        says(&refresh(&org, &new, NOW), DEAD);
        assert_eq!(call(&org, &text(&first, "access_token"), NOW), 401);
        assert_eq!(call(&org, &text(&second, "access_token"), NOW), 401);
    }

    #[test]
    fn a_collision_in_flight_is_no_theft() {
        let org = rotating(&[]);
        let token = text(&tokens(&org, NOW), "refresh_token");
        let winner = begin(&org, &token, NOW);
        says(&end(&org, begin(&org, &token, NOW)), BUSY);
        let answer = json(&end(&org, winner));
        assert_eq!(call(&org, &text(&answer, "access_token"), NOW), 200);
        assert_eq!(status(&refresh(&org, &text(&answer, "refresh_token"), NOW)), 200);
    }

    #[test]
    fn an_abandoned_request_lets_go() {
        let org = rotating(&[]);
        let token = text(&tokens(&org, NOW), "refresh_token");
        drop(begin(&org, &token, NOW));
        let held = begin(&org, &token, NOW);
        says(&refresh(&org, &token, NOW + 29_999), BUSY);
        assert_eq!(status(&refresh(&org, &token, NOW + 30_000)), 200);
        says(&end(&org, held), BUSY);
    }

    #[test]
    fn faults_of_races_do_what_they_say() {
        let race = |fault: &str| {
            let org = rotating(&[fault]);
            let token = text(&tokens(&org, NOW), "refresh_token");
            let begun = [begin(&org, &token, NOW), begin(&org, &token, NOW)];
            let replies = begun.map(|begun| end(&org, begun));
            replies.map(|reply| {
                let lives = |answer: &serde_json::Map<_, _>| {
                    status(&refresh(&org, &text(answer, "refresh_token"), NOW)) == 200
                };
                status(&reply) == 200 && lives(&json(&reply))
            })
        };
        assert_eq!(race("rotate-racy"), [true, true]);
        assert_eq!(race("collision-as-theft"), [false, false]);
    }

    #[test]
    fn faults_of_rotation_do_what_they_say() {
        let reuse = |fault: &str| {
            let org = rotating(&[fault]);
            let old = text(&tokens(&org, NOW), "refresh_token");
            let new = text(&json(&refresh(&org, &old, NOW)), "refresh_token");
            [old, new].map(|token| status(&refresh(&org, &token, NOW)) == 200)
        };
        assert_eq!(reuse("sf-signature"), [false, false]);
        assert_eq!(reuse("rotate-no-revoke"), [true, true]);
        assert_eq!(reuse("rotate-no-family"), [false, true]);
    }

    #[test]
    fn a_refresh_token_belongs_to_its_client() {
        let org = rotating(&[]);
        let token = text(&tokens(&org, NOW), "refresh_token");
        let mut form = refreshing(&token);
        form.set("client_id", "other");
        form.set("client_secret", "other-s3cret");
        says(&org.handle(&token_request(&form), NOW), DEAD);
        form = refreshing(&token);
        form.remove("client_secret");
        assert_eq!(refusal(&org.handle(&token_request(&form), NOW)).1, "invalid_client");
        assert_eq!(status(&refresh(&org, &token, NOW)), 200);
    }

    #[test]
    fn under_profile_rfc_a_refresh_may_ask_for_less() {
        let mut target = target();
        target.profile = crate::oauth::salesforce::Profile::Rfc;
        let org = org_of(&target);
        let token = text(&tokens(&org, NOW), "refresh_token");
        let ask = |scope| org.handle(&token_request(&refreshing(&token).with("scope", scope)), NOW);
        assert_eq!(text(&json(&ask("api")), "scope"), "api");
        assert_eq!(refusal(&ask("api web")).1, "invalid_scope");
        assert_eq!(text(&json(&refresh(&org, &token, NOW)), "scope"), "refresh_token openid api id");
    }

    #[test]
    fn the_sixth_approval_drops_the_oldest() {
        let org = org();
        let all: Vec<_> = (0..6).map(|_| tokens(&org, NOW)).collect();
        let lives = |i: usize| status(&refresh(&org, &text(&all[i], "refresh_token"), NOW)) == 200;
        assert!(!lives(0) && lives(1) && lives(5));
        assert_eq!(call(&org, &text(&all[0], "access_token"), NOW), 401);
    }

    #[test]
    fn policies_are_looked_at_when_the_token_is_used() {
        let with = |policy: &str| {
            let target = set(target(), "refresh_policy", Setting::Word(policy.into()));
            org_of(&set(target, "refresh_token_ttl", Setting::Millis(10 * HOUR)))
        };
        let org = with("zero");
        let token = text(&tokens(&org, NOW), "refresh_token");
        assert_eq!(status(&refresh(&org, &token, NOW + HOUR)), 200);
        says(&refresh(&org, &token, NOW + 2 * HOUR), DEAD);
        let org = with("lifetime");
        let token = text(&tokens(&org, NOW), "refresh_token");
        assert_eq!(status(&refresh(&org, &token, NOW + 10 * HOUR - 1)), 200);
        says(&refresh(&org, &token, NOW + 10 * HOUR), "token validity expired");
        let org = with("inactivity");
        let token = text(&tokens(&org, NOW), "refresh_token");
        assert_eq!(status(&refresh(&org, &token, NOW + 9 * HOUR)), 200);
        assert_eq!(status(&refresh(&org, &token, NOW + 18 * HOUR)), 200);
        says(&refresh(&org, &token, NOW + 28 * HOUR), "token validity expired");
    }
}
