//! Client credentials: on the My Domain alone, for the app's run-as user, with the scopes that work without one.

use super::{Checked, Kind, user_may};
use crate::oauth::Params;
use crate::org::answer::{Refused, invalid_client, invalid_grant, refused};
use crate::org::ask::{Ask, given};
use crate::org::authentication::{admit, identify, prove};
use crate::org::store::Grant;
use crate::org::{Org, fault};
use crate::subject::Flow;

/// Scopes that are dropped without a word (Salesforce Help: OAuth 2.0 Client Credentials Flow).
const NEED_A_USER: [&str; 4] = ["full", "web", "refresh_token", "offline_access"];

pub(super) fn check(org: &Org, ask: &Ask, params: &Params) -> Result<Checked, Refused> {
    if ask.host.login {
        return Err(invalid_grant("request not supported on this domain"));
    }
    let claimed = identify(org, ask, params)?;
    let app = org.registry.app(claimed.id);
    if app.may(Flow::ClientCredentials) || !org.faults.has(&fault::FLOW_ANY) {
        admit(app, Flow::ClientCredentials)?;
    }
    if org.faults.has(&fault::POST_REFUSED) && given(params, "client_secret").is_some() {
        return Err(invalid_client("invalid_client", "invalid client credentials"));
    }
    let authenticated = prove(org, ask, &claimed, !org.faults.has(&fault::SECRET_NOT_ASKED), false)?;
    let unlisted = !app.may(Flow::ClientCredentials) && org.faults.has(&fault::FLOW_ANY);
    let anybody = || match org.faults.has(&fault::RUN_AS_ANYBODY) || unlisted {
        true => org.registry.user_ids().map(|(id, _)| id).find(|id| user_may(org, claimed.id, *id).is_ok()),
        false => None,
    };
    let user = app
        .run_as
        .or_else(anybody)
        .filter(|_| !org.faults.has(&fault::CLIENT_CREDENTIALS_REFUSED))
        .ok_or_else(|| invalid_grant("no client credentials user enabled"))?;
    user_may(org, claimed.id, user)?;
    let pre_approved = org.registry.user(user).approved.contains(&claimed.id);
    if org.registry.switches.run_as_needs_approval && app.registered.policy.admin_approved && !pre_approved {
        return Err(refused("invalid_app_access", "user is not admin approved to access this app"));
    }
    // What the app lists, not what `full` and `web` stand for: they are gone before they are opened up.
    let listed =
        app.registered.scopes.iter().map(String::as_str).filter(|scope| !NEED_A_USER.contains(scope));
    let scopes = crate::org::scopes::Scopes::of(listed);
    if scopes.is_empty() {
        return Err(invalid_grant("no valid scopes defined"));
    }
    let kind = Kind::Direct { user, scopes, grant: Grant::ClientCredentials };
    Ok(Checked { app: claimed.id, jti: authenticated.jti, kind })
}
