//! The JWT bearer grant (Salesforce Help: OAuth 2.0 JWT Bearer Flow; sfdx-core): the assertion alone says who the client and who the user is.

use serde_json::json;

use super::{Checked, Kind, approved, missing, not_approved, user_may};
use crate::oauth::Params;
use crate::oauth::jwt::Jwt;
use crate::oauth::keys::PublicKey;
use crate::org::answer::{Refused, invalid_client, invalid_grant, invalid_request, refused};
use crate::org::ask::{Ask, given};
use crate::org::authentication::{LONGEST_JTI, admit, unknown};
use crate::org::registry::{App, AppId, UserId};
use crate::org::store::Grant;
use crate::org::{Org, fault};
use crate::subject::Flow;

/// The oldest `iat` that is taken where anybody looks, in seconds.
const OLDEST: i64 = 86_400;

pub(super) fn check(org: &Org, ask: &Ask, params: &Params) -> Result<Checked, Refused> {
    let assertion = given(params, "assertion").ok_or_else(|| missing("assertion"))?;
    let jwt = read(org, assertion).ok_or_else(invalid)?;
    let id = issuer(org, &jwt)?;
    let app = org.registry.app(id);
    admit(app, Flow::JwtBearer)?;
    let strange =
        |name: &String| !["iss", "sub", "prn", "aud", "exp", "nbf", "iat", "jti"].contains(&name.as_str());
    if org.faults.has(&fault::JWT_EXTRA_REFUSED) && jwt.claims.keys().any(strange) {
        return Err(invalid());
    }
    signature(org, app.key_at(ask.seconds()), &jwt)?;
    times(org, &jwt, ask.seconds())?;
    audience(org, ask, &jwt)?;
    let user = subject(org, id, &jwt)?;
    if !(org.registry.user(user).is_shut_out() && org.faults.has(&fault::JWT_INACTIVE)) {
        user_may(org, id, user)?;
    }
    let scopes = approved(org, &org.store.lock(), id, user)?;
    let user = match org.faults.has(&fault::JWT_WRONG_USER) {
        true => org.registry.user_ids().map(|(other, _)| other).find(|other| *other != user).unwrap_or(user),
        false => user,
    };
    let jti = once(org, &jwt);
    Ok(Checked { app: id, jti, kind: Kind::Direct { user, scopes, grant: Grant::JwtBearer } })
}

/// Whether a JWT is an assertion that a client signed for this server, and still good (RFC 7523 §3), whoever its subject
/// is. An external API has its own users.
pub(in crate::org) fn signed_by_client(org: &Org, ask: &Ask, text: &str) -> bool {
    let good = |jwt: Jwt| {
        let app = org.registry.app(issuer(org, &jwt)?);
        signature(org, app.key_at(ask.seconds()), &jwt)?;
        times(org, &jwt, ask.seconds())?;
        audience(org, ask, &jwt)
    };
    Jwt::read(text).is_ok_and(|jwt| good(jwt).is_ok())
}

fn read(org: &Org, assertion: &str) -> Option<Jwt> {
    let lenient = || {
        let text: String = assertion.chars().filter(|c| !c.is_whitespace() && *c != '=').collect();
        Jwt::read(&text.replace('+', "-").replace('/', "_")).ok()
    };
    let lenient = || org.faults.has(&fault::JWT_BASE64_LENIENT).then(lenient).flatten();
    Jwt::read(assertion).ok().or_else(lenient)
}

/// A `jti` that is good for one grant until the assertion is over. Salesforce is seen to ignore it.
fn once(org: &Org, jwt: &Jwt) -> Option<(String, i64)> {
    let heeded = org.registry.switches.rfc && !org.faults.has(&fault::JWT_REPLAY);
    let jti = jwt.text("jti").filter(|jti| heeded && jti.len() <= LONGEST_JTI)?;
    let until = jwt.seconds("exp")?.saturating_mul(1000).saturating_add(org.registry.switches.leeway);
    Some((format!("grant {jti}"), until))
}

fn invalid() -> Refused {
    invalid_grant("invalid assertion")
}

fn issuer(org: &Org, jwt: &Jwt) -> Result<AppId, Refused> {
    let by_key = || {
        let fits = |app: &App| app.key.as_ref().is_some_and(|key| jwt.verifies(key));
        org.registry.app_ids().find(|(_, app)| fits(app)).map(|(id, _)| id)
    };
    match jwt.text("iss") {
        Some(iss) => {
            let guess = || if org.faults.has(&fault::JWT_ISS_ANY) { by_key() } else { None };
            org.registry.app_of(iss).or_else(guess).ok_or_else(|| unknown(org))
        }
        None if org.faults.has(&fault::JWT_ISS_OPTIONAL) => by_key().ok_or_else(invalid),
        None => Err(invalid()),
    }
}

/// RS256 with the certificate of the app and nothing else.
fn signature(org: &Org, key: Option<&PublicKey>, jwt: &Jwt) -> Result<(), Refused> {
    let has = |fault| org.faults.has(fault);
    let good = key.is_some_and(|key| jwt.verifies(key))
        || has(&fault::JWT_NONE) && jwt.is_unsigned()
        || has(&fault::JWT_UNVERIFIED) && !jwt.is_unsigned() && jwt.alg() == "RS256"
        || has(&fault::JWT_HS_CONFUSION) && key.is_some_and(|key| jwt.verifies_hs256(key.pem().as_bytes()))
        || has(&fault::JWT_HEADER_KEY)
            && jwt.header.get("jwk").is_some_and(|jwk| jwt.verifies_with_set(&json!({ "keys": [jwk] })))
        || has(&fault::JWT_ALG_ANY)
            && key.is_some_and(|key| {
                let jwk = key.jwk("");
                jwt.alg() != "RS256" && jwt.verifies_with_set(&json!({ "keys": [jwk] }))
            });
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
            return Err(match org.faults.has(&fault::JWT_ERROR_RENAMED) {
                true => invalid_request("expired assertion"),
                false => invalid_grant("expired authorization code"),
            });
        }
        let limit = switches.exp_limit.filter(|_| !org.faults.has(&fault::JWT_EXP_UNLIMITED));
        if limit.is_some_and(|limit| expires > now + limit) {
            return Err(invalid());
        }
    }
    let time = |name: &str, strange: i64| {
        jwt.claims.contains_key(name).then(|| jwt.seconds(name).unwrap_or(strange))
    };
    let early = time("nbf", i64::MAX).is_some_and(|nbf| nbf.saturating_sub(leeway) > now);
    if early && switches.nbf_enforced && !org.faults.has(&fault::JWT_NBF_IGNORED) {
        return Err(invalid());
    }
    let strange = time("iat", i64::MAX)
        .is_some_and(|iat| iat.saturating_sub(leeway) > now || iat < now.saturating_sub(OLDEST));
    if strange && switches.rfc && !org.faults.has(&fault::JWT_IAT_IGNORED) {
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
    let anybody = |fault| {
        let may =
            |id| user_may(org, app, id).and_then(|()| approved(org, &org.store.lock(), app, id)).is_ok();
        let all = org.registry.user_ids().map(|(id, _)| id).filter(|_| org.faults.has(fault));
        all.into_iter().find(|id| may(*id))
    };
    let (prn, sub) = (jwt.text("prn"), jwt.text("sub"));
    let named = if org.faults.has(&fault::JWT_SUB_WINS) { sub.or(prn) } else { prn.or(sub) };
    match named {
        Some(name) => {
            org.registry.user_of(name).or_else(|| anybody(&fault::JWT_USER_UNKNOWN)).ok_or_else(not_approved)
        }
        None => anybody(&fault::JWT_SUB_OPTIONAL).ok_or_else(invalid),
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
        assert_eq!(play(&org, |claims| drop(claims.insert("nbf".into(), json!(seconds + 600)))), "granted");
        let heeds = org_of(&set(target(), "nbf", Setting::Word("enforced".into())));
        let nbf = play(&heeds, |claims| drop(claims.insert("nbf".into(), json!(seconds + 600))));
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
