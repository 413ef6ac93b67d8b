//! Introspection (RFC 7662): for clients that show who they are, about their own tokens.

use http::{Method, StatusCode};
use serde_json::{Map, Value};

use super::answer::{self, Refused, Style, invalid_client, invalid_request};
use super::ask::{Ask, given};
use super::authentication::{identify, prove};
use super::registry::{AppId, UserId};
use super::session::{Presented, present};
use super::{Org, Reply, fault};
use crate::oauth::Params;
use crate::subject::RefreshPolicy;

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
    if !ask.is(&Method::POST) {
        return answer::method_not_allowed("POST", ask.now);
    }
    let params = ask.form();
    let style = Style { format: answer::Format::Json, ..Style::of(ask, &Params::new()) };
    let Some(params) = params.filter(|params| params.repeated().is_none()) else {
        return refuse(org, invalid_request("malformed request"), StatusCode::BAD_REQUEST, style, ask.now);
    };
    let caller = match caller(org, ask, &params) {
        Ok(caller) => caller,
        Err(error) => return refuse(org, error, StatusCode::UNAUTHORIZED, style, ask.now),
    };
    let Some(token) = given(&params, "token") else {
        let error = invalid_request("missing required parameter: token");
        return refuse(org, error, StatusCode::BAD_REQUEST, style, ask.now);
    };
    let found = find(org, token, ask.now);
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
    reply(StatusCode::OK, &members, style, ask.now)
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
    let claimed = identify(org, ask, params).map_err(|_| wrong())?;
    let policy = &org.registry.app(claimed.id).registered.policy;
    if policy.blocked || !policy.installed {
        return Err(wrong());
    }
    let authenticated = prove(org, ask, &claimed, true, "").map_err(|_| wrong())?;
    if let Some((jti, until)) = authenticated.jti
        && !org.store.lock().first_use(claimed.id, &jti, until, ask.now)
    {
        return Err(wrong());
    }
    Ok(Some(claimed.id))
}

/// Whether the caller may know: of its own tokens, or of all where the app is set up so.
fn is_open_to(org: &Org, caller: Option<AppId>, active: &Active) -> bool {
    caller.is_none_or(|id| active.app == Some(id) || org.registry.app(id).registered.policy.introspect_all)
}

/// The token, whatever `token_type_hint` says.
fn find(org: &Org, token: &str, now: i64) -> Found {
    let always = org.faults.has(&fault::INTROSPECT_ALWAYS);
    if let Presented::Known { session, .. } = present(org, token) {
        let revoked = org.store.lock().is_revoked(&session);
        let over = session.expires <= now;
        let active = (!revoked || org.faults.has(&fault::INTROSPECT_REVOKED_ACTIVE) || always)
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
    let Some(found) = state.refresh(token) else { return Found::Unknown };
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
    if (dead || found.rotated || over) && !always {
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

/// In the order of the capture; times are whole seconds (SALESFORCE.md §2.11).
fn told(org: &Org, ask: &Ask, active: &Active) -> Map<String, Value> {
    let account = org.registry.user(active.user);
    let issued_at = active.issued_at.div_euclid(1000);
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("active", true.into());
    put("scope", active.scope.as_str().into());
    if let Some(app) = active.app {
        put("client_id", org.registry.app(app).registered.client_id.as_str().into());
    }
    put("username", account.user.username.as_str().into());
    put("sub", account.identity_url(&ask.host.origin).into());
    put("token_type", active.kind.into());
    if let Some(expires) = active.expires {
        put("exp", expires.div_euclid(1000).into());
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
    let mut reply = reply(status, &error.members(), style, now);
    if status == StatusCode::UNAUTHORIZED && style.basic && org.registry.switches.rfc {
        answer::challenge(&mut reply.response, "Basic realm=\"OAuth 2.0\"");
    }
    reply
}

fn reply(status: StatusCode, members: &Map<String, Value>, style: Style, now: i64) -> Reply {
    let body = answer::json_text(members, style.pretty);
    answer::text(status, "application/json;charset=UTF-8", body, now).into()
}
