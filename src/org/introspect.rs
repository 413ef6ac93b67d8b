//! Introspection (RFC 7662): for clients that show who they are, about their own tokens.

use http::{HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::{self, Refused, Style, invalid_client, invalid_request};
use super::ask::{Ask, given};
use super::authentication::{identify, prove};
use super::registry::{AppId, UserId};
use super::session::{Presented, present};
use super::{Org, Reply, fault, is_get};
use crate::oauth::Params;
use crate::subject::RefreshPolicy;

/// For how long a stale answer is given where answers come out of a cache, in milliseconds.
const STALE: i64 = 5_000;

/// What is told of a live token.
struct Active {
    scope: String,
    app: Option<AppId>,
    user: UserId,
    kind: &'static str,
    issued_at: i64,
    expires: Option<i64>,
}

pub(super) fn answer(org: &Org, ask: &Ask) -> Reply {
    let by_get = is_get(ask.request.method()) && org.faults.has(&fault::INTROSPECT_GET);
    if !ask.is(&Method::POST) && !by_get {
        return answer::method_not_allowed("POST", ask.now);
    }
    let params = if by_get { ask.query() } else { ask.form() };
    let style = Style { format: answer::Format::Json, ..Style::of(ask, &Params::new()) };
    let Some(params) = params.filter(|params| params.repeated().is_none()) else {
        return refuse(org, invalid_request("malformed request"), StatusCode::BAD_REQUEST, style, ask.now);
    };
    let caller = match caller(org, ask, &params) {
        Ok(caller) => caller,
        Err(error) => return refuse(org, error, StatusCode::UNAUTHORIZED, style, ask.now),
    };
    let Some(token) = given(&params, "token") else {
        if org.faults.has(&fault::INTROSPECT_MISSING_OK) {
            return reply(org, StatusCode::OK, &inactive(org), style, ask.now);
        }
        let error = invalid_request("missing required parameter: token");
        return refuse(org, error, StatusCode::BAD_REQUEST, style, ask.now);
    };
    let found = find(org, token, given(&params, "token_type_hint"), ask.now);
    let mut members = match found {
        Found::Active(active) if is_open_to(org, caller, &active) => told(org, ask, &active),
        Found::Unknown if org.faults.has(&fault::INTROSPECT_UNKNOWN_ERROR) => {
            let error = answer::refused("invalid_token", "unknown token");
            return refuse(org, error, StatusCode::BAD_REQUEST, style, ask.now);
        }
        Found::Unknown if org.faults.has(&fault::INTROSPECT_ALWAYS) => {
            Map::from_iter([("active".to_owned(), true.into())])
        }
        _ => inactive(org),
    };
    if org.faults.has(&fault::INTROSPECT_ACTIVE_TEXT) && members["active"] == Value::Bool(true) {
        members["active"] = "true".into();
    }
    reply(org, StatusCode::OK, &members, style, ask.now)
}

enum Found {
    Active(Active),
    Inactive,
    Unknown,
}

/// Who asks; none where the org asks nobody who they are.
fn caller(org: &Org, ask: &Ask, params: &Params) -> Result<Option<AppId>, Refused> {
    if org.faults.has(&fault::INTROSPECT_OPEN) {
        return Ok(None);
    }
    let wrong = || invalid_client("invalid_client", "invalid client credentials");
    if org.faults.has(&fault::INTROSPECT_BEARER)
        && let Some(Presented::Known { session, .. }) =
            ask.authorization(&["Bearer"]).map(|token| present(org, token))
    {
        return Ok(session.app);
    }
    let claimed = identify(org, ask, params).map_err(|_| wrong())?;
    let policy = &org.registry.app(claimed.id).registered.policy;
    if policy.blocked || policy.disabled || !policy.installed {
        return Err(wrong());
    }
    let shown = given(params, "client_secret").is_some() || ask.authorization(&["Basic"]).is_some();
    if shown && org.faults.has(&fault::INTROSPECT_ANY_SECRET) {
        return Ok(Some(claimed.id));
    }
    let authenticated = prove(org, ask, &claimed, true, false).map_err(|_| wrong())?;
    if let Some((jti, until)) = authenticated.jti
        && !org.store.lock().first_use(claimed.id, &jti, until, ask.now)
    {
        return Err(wrong());
    }
    Ok(Some(claimed.id))
}

/// Whether the caller may know: of its own tokens, or of all where the app is set up so.
fn is_open_to(org: &Org, caller: Option<AppId>, active: &Active) -> bool {
    let all = org.faults.has(&fault::INTROSPECT_ANYBODYS);
    caller.is_none_or(|id| {
        all || active.app == Some(id) || org.registry.app(id).registered.policy.introspect_all
    })
}

/// The token, whatever `token_type_hint` says.
fn find(org: &Org, token: &str, hint: Option<&str>, now: i64) -> Found {
    let always = org.faults.has(&fault::INTROSPECT_ALWAYS);
    let hint = hint.filter(|_| org.faults.has(&fault::INTROSPECT_HINT));
    if let Presented::Known { session, .. } = present(org, token) {
        if hint == Some("refresh_token") {
            return Found::Unknown;
        }
        // An answer out of a cache.
        let cached = org.faults.has(&fault::INTROSPECT_CACHED)
            && session.revoked_at.is_some_and(|at| now < at + STALE);
        let revoked = org.store.lock().is_revoked(&session);
        let over = session.expires <= now;
        let active = (!revoked || org.faults.has(&fault::INTROSPECT_REVOKED_ACTIVE) || cached || always)
            && (!over || org.faults.has(&fault::INTROSPECT_EXPIRED_ACTIVE) || always);
        if !active || !session.is_oauth() {
            return Found::Inactive;
        }
        return Found::Active(Active {
            scope: session.scopes.to_string(),
            app: session.app,
            user: session.user,
            kind: "access_token",
            issued_at: session.issued_at,
            expires: Some(session.expires),
        });
    }
    let state = org.store.lock();
    let Some(found) = state.refresh(token).filter(|_| hint != Some("access_token")) else {
        return Found::Unknown;
    };
    let family = found.family;
    let policy = org.registry.app(family.app).registered.policy.refresh_policy;
    let expires = match policy {
        RefreshPolicy::Infinite => None,
        RefreshPolicy::Zero => state.session(&family.first_session).map(|session| session.expires),
        RefreshPolicy::Lifetime(ttl) => Some(family.granted_at.saturating_add(ttl)),
        RefreshPolicy::Inactivity(ttl) => Some(family.last_used.saturating_add(ttl)),
    };
    let dead = family.is_dead() && !org.faults.has(&fault::INTROSPECT_REVOKED_ACTIVE);
    let over = expires.is_some_and(|at| at <= now);
    let rotated = org.is_rotated_out(&found, now) && !org.faults.has(&fault::INTROSPECT_ROTATED_ACTIVE);
    if (dead || rotated || over) && !always {
        return Found::Inactive;
    }
    Found::Active(Active {
        scope: family.scopes.to_string(),
        app: Some(family.app),
        user: family.user,
        kind: "refresh_token",
        issued_at: found.born,
        expires,
    })
}

/// In the order of the capture; times are whole seconds (Salesforce Help: Token Introspection).
fn told(org: &Org, ask: &Ask, active: &Active) -> Map<String, Value> {
    let has = |fault| org.faults.has(fault);
    let first =
        org.registry.user_ids().next().map(|(id, _)| id).filter(|_| has(&fault::INTROSPECT_FIRST_USER));
    let account = org.registry.user(first.unwrap_or(active.user));
    let unit = if has(&fault::INTROSPECT_MILLIS) { 1 } else { 1000 };
    let late = if has(&fault::INTROSPECT_EXP_LATE) { 3_600_000 } else { 0 };
    let issued_at = active.issued_at.div_euclid(unit);
    let all_scopes = active.app.filter(|_| has(&fault::INTROSPECT_SCOPE_ALL));
    let scope = all_scopes.map_or_else(|| active.scope.clone(), |id| org.registry.app(id).scopes.to_string());
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("active", true.into());
    put("scope", scope.into());
    if let Some(app) = active.app {
        put("client_id", org.registry.app(app).registered.client_id.as_str().into());
    }
    put("username", account.user.username.as_str().into());
    put("sub", account.identity_url(&ask.host.origin).into());
    put("token_type", active.kind.into());
    if let Some(expires) = active.expires {
        put("exp", (expires + late).div_euclid(unit).into());
    }
    put("iat", issued_at.into());
    put("nbf", issued_at.into());
    members
}

fn inactive(org: &Org) -> Map<String, Value> {
    let mut members = Map::from_iter([("active".to_owned(), false.into())]);
    if org.faults.has(&fault::INTROSPECT_TALKS) {
        members.insert("error_description".into(), "the token is expired, revoked or unknown".into());
    }
    members
}

fn refuse(org: &Org, error: Refused, status: StatusCode, style: Style, now: i64) -> Reply {
    let mut reply = reply(org, status, &error.members(), style, now);
    if status == StatusCode::UNAUTHORIZED && style.basic && org.registry.switches.rfc {
        answer::challenge(&mut reply.response, "Basic realm=\"OAuth 2.0\"");
    }
    reply
}

fn reply(org: &Org, status: StatusCode, members: &impl Serialize, style: Style, now: i64) -> Reply {
    let body = answer::json_text(members, style.pretty);
    let mut response = answer::text(status, "application/json;charset=UTF-8", body, now);
    if org.faults.has(&fault::INTROSPECT_CACHEABLE) {
        let kept = HeaderValue::from_static("public, max-age=300");
        response.headers_mut().insert(header::CACHE_CONTROL, kept);
    }
    response.into()
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::org::{Org, Reply};
    use crate::subject::Setting;
    use serde_json::Value;

    fn ask(org: &Org, app: &str, token: &str, now: i64) -> Reply {
        let form =
            format!("token={}&token_type_hint=refresh_token", crate::oauth::params::form_encode(token));
        let credentials = basic(app, &format!("{app}-s3cret"));
        org.handle(&post("/services/oauth2/introspect", &form, &[("authorization", &credentials)]), now)
    }

    fn active(org: &Org, app: &str, token: &str, now: i64) -> Value {
        let reply = ask(org, app, token, now);
        assert_eq!(status(&reply), 200);
        let members = json(&reply);
        assert!(members["active"] != false || members.len() == 1, "{members:?}");
        members["active"].clone()
    }

    #[test]
    fn a_live_token_is_told_in_the_order_of_the_capture() {
        let org = org();
        let tokens = tokens(&org, NOW);
        let members = json(&ask(&org, "main", &text(&tokens, "access_token"), NOW));
        let names: Vec<_> = members.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["active", "scope", "client_id", "username", "sub", "token_type", "exp", "iat", "nbf"]
        );
        assert_eq!(members["exp"], (NOW + 2 * HOUR) / 1000);
        let members = json(&ask(&org, "main", &text(&tokens, "refresh_token"), NOW));
        assert_eq!(members["token_type"], "refresh_token");
    }

    #[test]
    fn dead_unknown_and_foreign_tokens_are_not_active() {
        let org = rotating(&[]);
        let all = tokens(&org, NOW);
        let access = text(&all, "access_token");
        assert_eq!(active(&org, "main", &access, NOW), true);
        assert_eq!(active(&org, "other", &access, NOW), false);
        assert_eq!(active(&org, "main", &access, NOW + 2 * HOUR), false);
        assert_eq!(active(&org, "main", "garbage", NOW), false);
        let old = text(&all, "refresh_token");
        refresh(&org, &old, NOW);
        assert_eq!(active(&org, "main", &old, NOW), false);
        org.handle(&post("/services/oauth2/revoke", &format!("token={access}"), &[]), NOW);
        assert_eq!(active(&org, "main", &access, NOW), false);
        let open = org_of(&set(target(), "introspect_all", Setting::Flag(true)));
        let access = text(&tokens(&open, NOW), "access_token");
        assert_eq!(active(&open, "other", &access, NOW), true);
    }

    #[test]
    fn nobody_learns_anything_without_saying_who_they_are() {
        let org = org();
        for headers in
            [vec![], vec![("authorization", basic("main", "x"))], vec![("authorization", basic("x", "x"))]]
        {
            let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let reply = org.handle(&post("/services/oauth2/introspect", "token=x", &headers), NOW);
            assert_eq!((status(&reply), json(&reply)["error"].as_str()), (401, Some("invalid_client")));
        }
        let reply =
            faulty(&["introspect-open"]).handle(&post("/services/oauth2/introspect", "token=x", &[]), NOW);
        assert_eq!(status(&reply), 200);
        assert_eq!(status(&ask(&org, "main", "", NOW)), 400);
    }

    #[test]
    fn introspection_does_not_extend_a_session() {
        let org = org();
        let token = text(&tokens(&org, NOW), "access_token");
        assert_eq!(active(&org, "main", &token, NOW + 90 * MINUTE), true);
        assert_eq!(active(&org, "main", &token, NOW + 2 * HOUR), false);
        let token = text(&tokens(&org, NOW), "access_token");
        assert_eq!(call(&org, &token, NOW + 90 * MINUTE), 200);
        assert_eq!(active(&org, "main", &token, NOW + 2 * HOUR), true);
        assert_eq!(call(&org, &token, NOW + 210 * MINUTE), 401);
    }

    #[test]
    fn faults_call_dead_tokens_active() {
        let expired = |fault: &str| {
            let org = faulty(&[fault]);
            let token = text(&tokens(&org, NOW), "access_token");
            json(&ask(&org, "main", &token, NOW + 2 * HOUR))["active"].clone()
        };
        assert_eq!(expired("introspect-expired-active"), true);
        assert_eq!(expired("introspect-revoked-active"), false);
        let org = faulty(&["introspect-always"]);
        assert_eq!(json(&ask(&org, "main", "garbage", NOW))["active"], true);
        assert_eq!(status(&ask(&faulty(&["introspect-unknown-error"]), "main", "garbage", NOW)), 400);
        assert_eq!(json(&ask(&faulty(&["introspect-talks"]), "main", "garbage", NOW)).len(), 2);
        let org = faulty(&["introspect-active-text"]);
        let token = text(&tokens(&org, NOW), "access_token");
        assert_eq!(json(&ask(&org, "main", &token, NOW))["active"], "true");
    }
}
