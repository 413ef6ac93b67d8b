//! The JWT bearer grant (Salesforce Help: OAuth 2.0 JWT Bearer Flow; sfdx-core): the assertion alone says who the client and who the user is.

use super::{Checked, Kind, approved, missing, not_approved, user_may};
use crate::oauth::Params;
use crate::oauth::jwt::Jwt;
use crate::org::answer::{Refused, invalid_client, invalid_grant, refused};
use crate::org::ask::{Ask, given};
use crate::org::authentication::{admit, unknown};
use crate::org::registry::{App, AppId, UserId};
use crate::org::store::Grant;
use crate::org::{Org, fault};
use crate::subject::Flow;

pub(super) fn check(org: &Org, ask: &Ask, params: &Params) -> Result<Checked, Refused> {
    let assertion = given(params, "assertion").ok_or_else(|| missing("assertion"))?;
    let jwt = Jwt::read(assertion).map_err(|_| invalid())?;
    let id = issuer(org, &jwt)?;
    let app = org.registry.app(id);
    admit(app, Flow::JwtBearer)?;
    signature(org, app, &jwt)?;
    times(org, &jwt, ask.seconds())?;
    audience(org, ask, &jwt)?;
    let user = subject(org, id, &jwt)?;
    user_may(org, id, user)?;
    let scopes = approved(org, &org.store.lock(), id, user)?;
    let user = match org.faults.has(&fault::JWT_WRONG_USER) {
        true => org.registry.user_ids().map(|(other, _)| other).find(|other| *other != user).unwrap_or(user),
        false => user,
    };
    Ok(Checked { app: id, jti: None, kind: Kind::Direct { user, scopes, grant: Grant::JwtBearer } })
}

fn invalid() -> Refused {
    invalid_grant("invalid assertion")
}

fn issuer(org: &Org, jwt: &Jwt) -> Result<AppId, Refused> {
    match jwt.text("iss") {
        Some(iss) => org.registry.app_of(iss).ok_or_else(|| unknown(org)),
        None if org.faults.has(&fault::JWT_ISS_OPTIONAL) => org
            .registry
            .app_ids()
            .find(|(_, app)| app.key.as_ref().is_some_and(|key| jwt.verifies(key)))
            .map(|(id, _)| id)
            .ok_or_else(invalid),
        None => Err(invalid()),
    }
}

/// RS256 with the certificate of the app and nothing else.
fn signature(org: &Org, app: &App, jwt: &Jwt) -> Result<(), Refused> {
    let has = |fault| org.faults.has(fault);
    let good = app.key.as_ref().is_some_and(|key| jwt.verifies(key))
        || has(&fault::JWT_NONE) && jwt.is_unsigned()
        || has(&fault::JWT_UNVERIFIED) && !jwt.is_unsigned() && jwt.alg() == "RS256";
    match jwt.alg() {
        _ if good => Ok(()),
        // What the field saw of a Named Credential that signs with RS512 (Salesforce Help: OAuth 2.0 JWT Bearer Flow; sfdx-core).
        "RS384" | "RS512" if !org.registry.switches.rfc => {
            Err(invalid_client("invalid_client", "invalid client credentials"))
        }
        _ => Err(invalid()),
    }
}

/// `exp` counts as number or numeric text, in seconds; in milliseconds it lies far ahead, which by default is
/// nobody's business.
fn times(org: &Org, jwt: &Jwt, now: i64) -> Result<(), Refused> {
    let switches = &org.registry.switches;
    let leeway = switches.leeway / 1000;
    if !jwt.claims.contains_key("exp") {
        if !org.faults.has(&fault::JWT_EXP_OPTIONAL) {
            return Err(invalid());
        }
    } else {
        let expires = jwt.seconds("exp").ok_or_else(invalid)?;
        if expires.saturating_add(leeway) <= now && !org.faults.has(&fault::JWT_EXP_IGNORED) {
            return Err(invalid_grant("expired authorization code"));
        }
        if switches.exp_limit.is_some_and(|limit| expires > now + limit) {
            return Err(invalid());
        }
    }
    let begins = jwt.claims.contains_key("nbf").then(|| jwt.seconds("nbf").unwrap_or(i64::MAX));
    if begins.is_some_and(|nbf| nbf.saturating_sub(leeway) > now) && !org.faults.has(&fault::JWT_NBF_IGNORED)
    {
        return Err(invalid());
    }
    Ok(())
}

fn audience(org: &Org, ask: &Ask, jwt: &Jwt) -> Result<(), Refused> {
    if !jwt.claims.contains_key("aud") {
        return if org.faults.has(&fault::JWT_AUD_OPTIONAL) { Ok(()) } else { Err(invalid()) };
    }
    let meant = jwt.audiences().iter().any(|aud| ask.host.is_audience(aud));
    if meant || org.faults.has(&fault::JWT_AUD_ANY) {
        return Ok(());
    }
    Err(refused("invalid_grant", org.registry.switches.audience_error))
}

/// `prn` wins over `sub`. Somebody whom the org does not know is somebody who did not approve.
fn subject(org: &Org, app: AppId, jwt: &Jwt) -> Result<UserId, Refused> {
    match jwt.text("prn").or(jwt.text("sub")) {
        Some(name) => org.registry.user_of(name).ok_or_else(not_approved),
        None if org.faults.has(&fault::JWT_SUB_OPTIONAL) => org
            .registry
            .user_ids()
            .map(|(id, _)| id)
            .find(|id| {
                user_may(org, app, *id).and_then(|()| approved(org, &org.store.lock(), app, *id)).is_ok()
            })
            .ok_or_else(invalid),
        None => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use crate::oauth::jwt::{Draft, Signing};
    use crate::oauth::keys::RsaAlgorithm;
    use crate::org::Org;
    use crate::org::testing::*;
    use crate::subject::Setting;
    use serde_json::{Map, Value, json};

    /// Plays an assertion whose claims were changed.
    fn play(org: &Org, change: impl Fn(&mut Map<String, Value>)) -> String {
        let mut claims = claims(NOW);
        change(&mut claims);
        outcome(org, &signed(claims, &main_key()))
    }

    fn outcome(org: &Org, assertion: &str) -> String {
        let reply = jwt_bearer(org, assertion, NOW);
        if status(&reply) == 200 { "granted".to_owned() } else { refusal(&reply).2 }
    }

    #[test]
    fn each_part_is_asked_for() {
        let org = org();
        assert_eq!(play(&org, |_| {}), "granted");
        for claim in ["iss", "sub", "aud", "exp"] {
            let without = play(&org, |claims| {
                claims.remove(claim);
            });
            assert_eq!(without, "invalid assertion", "{claim}");
        }
    }

    #[test]
    fn times_are_judged_with_leeway() {
        let org = org();
        let seconds = NOW / 1000;
        let exp = |value: Value| play(&org, move |claims| drop(claims.insert("exp".into(), value.clone())));
        assert_eq!(exp(json!(seconds - 179)), "granted");
        assert_eq!(exp(json!(seconds - 180)), "expired authorization code");
        assert_eq!(exp(json!(NOW + 300_000)), "granted");
        assert_eq!(exp(json!((seconds + 60).to_string())), "granted");
        assert_eq!(exp(json!("soon")), "invalid assertion");
        let nbf = play(&org, |claims| drop(claims.insert("nbf".into(), json!(seconds + 600))));
        assert_eq!(nbf, "invalid assertion");
        let strict = org_of(&set(target(), "exp_limit", Setting::Word("3m".into())));
        let ahead = play(&strict, |claims| drop(claims.insert("exp".into(), json!(seconds + 181))));
        assert_eq!(ahead, "invalid assertion");
    }

    #[test]
    fn audience_user_and_issuer_are_told_apart() {
        let org = org();
        let with = |claim: &'static str, value: &'static str| {
            play(&org, move |claims| drop(claims.insert(claim.into(), value.into())))
        };
        assert_eq!(with("aud", "https://acme.my.salesforce.com"), "granted");
        assert_eq!(with("aud", "https://login.salesforce.com/"), "audience is invalid");
        assert_eq!(with("sub", "new@acme.com"), "user hasn't approved this consumer");
        assert_eq!(with("sub", "nobody@acme.com"), "user hasn't approved this consumer");
        assert_eq!(with("prn", "nobody@acme.com"), "user hasn't approved this consumer");
        assert_eq!(with("iss", "nobody"), "client identifier invalid");
        assert_eq!(with("iss", "other"), "invalid assertion");
    }

    #[test]
    fn only_the_right_signature_counts() {
        let org = org();
        let (key, draft) = (main_key(), Draft::of(claims(NOW)));
        let pem = key.public().pem();
        for how in [Signing::None, Signing::Stripped, Signing::Broken(&key), Signing::Hs256(pem.as_bytes())] {
            assert_eq!(outcome(&org, &draft.sign(&how)), "invalid assertion", "{how:?}");
        }
        assert_eq!(outcome(&org, &signed(claims(NOW), &other_key())), "invalid assertion");
        let longer = draft.sign(&Signing::Rsa(&key, RsaAlgorithm::Rs512));
        assert_eq!(outcome(&org, &longer), "invalid client credentials");
        assert_eq!(outcome(&faulty(&["jwt-none"]), &draft.sign(&Signing::None)), "granted");
        assert_eq!(outcome(&faulty(&["jwt-none"]), &draft.sign(&Signing::Broken(&key))), "invalid assertion");
        assert_eq!(outcome(&faulty(&["jwt-unverified"]), &draft.sign(&Signing::Broken(&key))), "granted");
    }

    #[test]
    fn an_approval_with_a_refresh_token_counts_until_it_is_gone() {
        let mut target = target();
        target.users.get_mut("main").unwrap().approved.clear();
        let org = org_of(&target);
        assert_eq!(play(&org, |_| {}), "user hasn't approved this consumer");
        let refresh_token = text(&tokens(&org, NOW), "refresh_token");
        assert_eq!(play(&org, |_| {}), "granted");
        org.handle(&post("/services/oauth2/revoke", &format!("token={refresh_token}"), &[]), NOW);
        assert_eq!(play(&org, |_| {}), "user hasn't approved this consumer");
        let strict = org_of(&set(target, "admin_approved", Setting::Flag(true)));
        assert_eq!(play(&strict, |_| {}), "user is not admin approved to access this app");
    }

    #[test]
    fn an_assertion_may_miss_what_a_fault_does_not_ask_for() {
        for (fault, claim) in [
            ("jwt-iss-optional", "iss"),
            ("jwt-sub-optional", "sub"),
            ("jwt-aud-optional", "aud"),
            ("jwt-exp-optional", "exp"),
        ] {
            let granted = play(&faulty(&[fault]), |claims| {
                claims.remove(claim);
            });
            assert_eq!(granted, "granted", "{fault}");
        }
    }
}
