//! Revocation (RFC 7009, with Salesforce's own answers): by form, by query, as JSONP, without client
//! authentication (Salesforce developer blog: Revoking OAuth 2.0 Tokens).

use http::{StatusCode, header};

use super::answer::{self, Refused, invalid_request, refused};
use super::ask::{Ask, given};
use super::authentication::{identify, prove};
use super::registry::AppId;
use super::session::{Presented, present};
use super::store::{FamilyId, Found, Kill, State};
use super::{Begun, Org, Pending, Reply, Work, fault, is_get};
use crate::oauth::{Params, Secret};

/// The longest name of a JSONP function.
const LONGEST_CALLBACK: usize = 128;
/// How late a revocation takes effect where it does so late, in milliseconds.
const LATE: i64 = 5_000;

/// A token that will be revoked.
pub(super) struct Revocation {
    what: What,
    callback: Option<String>,
}

enum What {
    Access(Secret),
    Refresh(FamilyId, Secret),
}

pub(super) fn begin(org: &Org, ask: &Ask) -> Begun {
    let rfc = org.registry.switches.rfc;
    let by_get = is_get(ask.request.method());
    if !answer::is_get_or_post(ask) || by_get && rfc && !org.faults.has(&fault::REVOKE_GET) {
        return Begun::Reply(answer::method_not_allowed(if rfc { "POST" } else { "GET, POST" }, ask.now));
    }
    let params = ask.params().filter(|params| params.repeated().is_none());
    let Some(params) = params else {
        return Begun::Reply(refuse(&invalid_request("malformed request"), None, ask.now));
    };
    let callback = match given(&params, "callback").filter(|_| is_get(ask.request.method())) {
        Some(name) if !is_callback(name) => {
            return Begun::Reply(refuse(&invalid_request("invalid callback"), None, ask.now));
        }
        callback => callback.map(str::to_owned),
    };
    let caller = match caller(org, ask, &params) {
        Ok(caller) => caller,
        Err(()) => {
            let error = refused("invalid_client", "invalid client credentials");
            return Begun::Reply(refuse_with(StatusCode::UNAUTHORIZED, &error, ask.now));
        }
    };
    let Some(token) = given(&params, "token") else {
        if org.faults.has(&fault::REVOKE_MISSING_OK) {
            return Begun::Reply(done(callback.as_deref(), ask.now));
        }
        let error = invalid_request("missing required parameter: token");
        return Begun::Reply(refuse(&error, callback.as_deref(), ask.now));
    };
    let hint = given(&params, "token_type_hint");
    let known = hint.is_none_or(|hint| ["access_token", "refresh_token"].contains(&hint));
    if !known && org.faults.has(&fault::REVOKE_HINT_STRICT) {
        let error = invalid_request("unknown token_type_hint");
        return Begun::Reply(refuse(&error, callback.as_deref(), ask.now));
    }
    let foreign = |what: &What| caller.is_some_and(|caller| owner(org, what) != Some(caller));
    match find(org, token, hint, ask.now) {
        Ok(what) if foreign(&what) && !org.faults.has(&fault::REVOKE_ANYBODYS) => {
            let error = refused("unauthorized_client", "the token was issued to another client");
            Begun::Reply(refuse_with(StatusCode::BAD_REQUEST, &error, ask.now))
        }
        Ok(what) => Begun::Pending(Pending(Work::Revoke(Revocation { what, callback }))),
        Err(error) => Begun::Reply(not_alive(org, &error, callback.as_deref(), ask.now)),
    }
}

/// The answer for a token that is unknown, dead, or no token of this endpoint.
fn not_alive(org: &Org, error: &Refused, callback: Option<&str>, now: i64) -> Reply {
    // RFC 7009 §2.2: what does not exist is revoked already.
    match org.registry.switches.rfc && !org.faults.has(&fault::REVOKE_UNKNOWN_ERROR) {
        true => done(callback, now),
        false => refuse(error, callback, now),
    }
}

/// Who revokes; none where the org asks nobody who they are: Salesforce does not, RFC 7009 §2.1 does.
fn caller(org: &Org, ask: &Ask, params: &Params) -> Result<Option<AppId>, ()> {
    if !org.registry.switches.rfc || org.faults.has(&fault::REVOKE_OPEN) {
        return Ok(None);
    }
    let claimed = identify(org, ask, params).map_err(|_| ())?;
    let public = org.registry.app(claimed.id).registered.is_public();
    let authenticated = prove(org, ask, &claimed, !public, false).map_err(|_| ())?;
    match authenticated.jti {
        Some((jti, until)) if !org.store.lock().first_use(claimed.id, &jti, until, ask.now) => Err(()),
        _ => Ok(Some(claimed.id)),
    }
}

/// Whom a token was issued to.
fn owner(org: &Org, what: &What) -> Option<AppId> {
    let state = org.store.lock();
    match what {
        What::Access(key) => state.session(key.expose())?.app,
        What::Refresh(family, _) => state.family(*family).map(|family| family.app),
    }
}

pub(super) fn commit(org: &Org, revocation: Revocation, now: i64) -> Reply {
    let has = |fault| org.faults.has(fault);
    let mut state = org.store.lock();
    // Somebody else may have been faster.
    let alive = match &revocation.what {
        What::Access(key) => state
            .session(key.expose())
            .is_some_and(|session| state.end(session, now).is_none() && !state.is_revoked(session)),
        What::Refresh(family, token) => {
            is_live(org, &state, token.expose(), now).is_some_and(|live| live == *family)
        }
    };
    if !alive && has(&fault::REVOKE_RACY) {
        return answer::bare(StatusCode::INTERNAL_SERVER_ERROR, now);
    }
    if !alive {
        return not_alive(org, &unknown(), revocation.callback.as_deref(), now);
    }
    match &revocation.what {
        What::Access(key) => {
            let from = match () {
                () if has(&fault::REVOKE_NOOP_ACCESS) => None,
                () if has(&fault::REVOKE_LATE) => Some(now + LATE),
                () => Some(now),
            };
            state.revoke_session(key.expose(), now, from);
        }
        What::Refresh(family, _) => {
            let what = Kill {
                access_tokens: !has(&fault::REVOKE_KEEPS_ACCESS),
                refresh_tokens: !has(&fault::REVOKE_NOOP_REFRESH),
            };
            state.kill(*family, what, now);
        }
    }
    done(revocation.callback.as_deref(), now)
}

/// A live token of either kind, whatever `token_type_hint` says.
fn find(org: &Org, token: &str, hint: Option<&str>, now: i64) -> Result<What, Refused> {
    let hint = hint.filter(|_| org.faults.has(&fault::REVOKE_HINT));
    if hint != Some("refresh_token")
        && let Presented::Known { key, session, .. } = present(org, token)
    {
        let state = org.store.lock();
        return match state.end(&session, now).is_none() && !state.is_revoked(&session) {
            true if !session.is_oauth() => Err(unsupported()),
            true => Ok(What::Access(key.into())),
            false => Err(unknown()),
        };
    }
    let mut state = org.store.lock();
    match is_live(org, &state, token, now).filter(|_| hint != Some("access_token")) {
        Some(family) => Ok(What::Refresh(family, token.into())),
        // A browser's session is no OAuth token.
        None if state.logged_in(token, now).is_some() => Err(unsupported()),
        None => Err(unknown()),
    }
}

/// The family of a refresh token that is of use.
fn is_live(org: &Org, state: &State, token: &str, now: i64) -> Option<FamilyId> {
    let lives = |found: &Found<'_>| !org.is_rotated_out(found, now) && !found.family.is_dead();
    state.refresh(token).filter(lives).map(|found| found.id)
}

fn unknown() -> Refused {
    refused("invalid_token", "invalid token")
}

fn unsupported() -> Refused {
    refused("unsupported_token_type", "this token type is not supported")
}

fn is_callback(name: &str) -> bool {
    name.len() <= LONGEST_CALLBACK && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_$.".contains(&b))
}

fn done(callback: Option<&str>, now: i64) -> Reply {
    match callback {
        Some(name) => script(&format!("{name}({{}});"), now),
        None => {
            let mut reply = answer::bare(StatusCode::OK, now);
            reply
                .response
                .headers_mut()
                .insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache, no-store"));
            reply
        }
    }
}

/// A form, which is how clients read it; a script could not tell of itself with another status than 200.
fn refuse(error: &Refused, callback: Option<&str>, now: i64) -> Reply {
    match callback {
        Some(name) => script(&format!("{name}({{\"error\":\"{}\"}});", error.error), now),
        None => {
            let kind = "application/x-www-form-urlencoded;charset=UTF-8";
            answer::text(StatusCode::BAD_REQUEST, kind, error.form(), now).into()
        }
    }
}

/// As JSON, as RFC 6749 §5.2 has it.
fn refuse_with(status: StatusCode, error: &Refused, now: i64) -> Reply {
    let body = answer::json_text(&error.members(), false);
    answer::text(status, "application/json;charset=UTF-8", body, now).into()
}

fn script(text: &str, now: i64) -> Reply {
    answer::text(StatusCode::OK, "application/javascript;charset=UTF-8", text.to_owned(), now).into()
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::org::{Org, Reply};

    fn revoke(org: &Org, token: &str) -> Reply {
        org.handle(&post("/services/oauth2/revoke", &format!("token={token}"), &[]), NOW)
    }

    /// Which of both tokens live after one of them was revoked.
    fn left(org: &Org, revoked: &str) -> (bool, bool) {
        let tokens = tokens(org, NOW);
        let reply = revoke(org, &text(&tokens, revoked));
        assert_eq!((status(&reply), body(&reply)), (200, String::new()));
        let access = call(org, &text(&tokens, "access_token"), NOW) == 200;
        (access, status(&refresh(org, &text(&tokens, "refresh_token"), NOW)) == 200)
    }

    #[test]
    fn a_refresh_token_takes_its_access_tokens_along() {
        assert_eq!(left(&org(), "access_token"), (false, true));
        assert_eq!(left(&org(), "refresh_token"), (false, false));
    }

    #[test]
    fn faults_revoke_less_than_they_say() {
        assert_eq!(left(&faulty(&["revoke-noop-access"]), "access_token"), (true, true));
        assert_eq!(left(&faulty(&["revoke-late"]), "access_token"), (true, true));
        assert_eq!(left(&faulty(&["revoke-noop-refresh"]), "refresh_token"), (false, true));
        assert_eq!(left(&faulty(&["revoke-keeps-access"]), "refresh_token"), (true, false));
    }

    #[test]
    fn what_is_not_alive_is_an_error_as_a_form() {
        let org = org();
        let reply = revoke(&org, "nobody");
        assert_eq!(
            (status(&reply), body(&reply).as_str()),
            (400, "error=invalid_token&error_description=invalid%20token")
        );
        let token = text(&tokens(&org, NOW), "access_token");
        revoke(&org, &token);
        assert_eq!(status(&revoke(&org, &token)), 400);
        let mut target = target();
        target.profile = crate::oauth::salesforce::Profile::Rfc;
        assert_eq!(status(&revoke(&org_of(&target), "nobody")), 401);
        let shown = "nobody&client_id=main&client_secret=main-s3cret";
        assert_eq!(status(&revoke(&org_of(&target), shown)), 200);
    }

    #[test]
    fn scripts_are_answered_as_scripts() {
        let org = org();
        let token = text(&tokens(&org, NOW), "access_token");
        let ask = |query: &str| org.handle(&get(&format!("/services/oauth2/revoke?{query}"), &[]), NOW);
        assert_eq!(body(&ask(&format!("token={token}&callback=done"))), "done({});");
        assert_eq!(body(&ask("token=x&callback=done")), "done({\"error\":\"invalid_token\"});");
        assert_eq!(status(&ask("token=x&callback=alert(1)")), 400);
    }
}
