//! Client credentials: on the My Domain alone, for the app's run-as user, with the scopes that work without one.

use super::{Checked, Kind, user_may};
use crate::oauth::Params;
use crate::org::answer::{Refused, invalid_client, invalid_grant, refused};
use crate::org::ask::{Ask, given};
use crate::org::authentication::{admit, identify, prove};
use crate::org::store::Grant;
use crate::org::{Org, fault};
use crate::subject::Flow;

pub(super) fn check(org: &Org, ask: &Ask, params: &Params) -> Result<Checked, Refused> {
    if ask.host.login {
        return Err(invalid_grant("request not supported on this domain"));
    }
    let claimed = identify(org, ask, params)?;
    let app = org.registry.app(claimed.id);
    let has = |fault| org.faults.has(fault);
    let listed = app.may(Flow::ClientCredentials);
    let open = app.registered.is_public() && has(&fault::CLIENT_CREDENTIALS_PUBLIC)
        || !app.registered.is_public() && !listed && has(&fault::CLIENT_CREDENTIALS_UNLISTED);
    if !open {
        admit(app, Flow::ClientCredentials)?;
    }
    if has(&fault::POST_REFUSED) && given(params, "client_secret").is_some() {
        return Err(invalid_client("invalid_client", "invalid client credentials"));
    }
    let required = (!app.registered.is_public() || !open) && !has(&fault::SECRET_NOT_ASKED);
    let authenticated = prove(org, ask, &claimed, required, false)?;
    let anybody = || match open || has(&fault::RUN_AS_ANYBODY) {
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
    let scopes = match app.userless_scopes.is_empty() {
        true if org.faults.has(&fault::USER_SCOPES_GRANTED) => app.scopes.without(&["refresh_token"]),
        true => return Err(invalid_grant("no valid scopes defined")),
        false => app.userless_scopes.clone(),
    };
    let user = match org.faults.has(&fault::RUN_AS_OTHER) {
        true => org.registry.user_ids().map(|(id, _)| id).find(|id| *id != user).unwrap_or(user),
        false => user,
    };
    let kind = Kind::Direct { user, scopes, grant: Grant::ClientCredentials };
    Ok(Checked { app: claimed.id, jti: authenticated.jti, kind })
}
