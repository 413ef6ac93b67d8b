//! The SAML bearer assertion grant (Salesforce Help: OAuth 2.0 SAML Bearer Assertion Flow).

use super::{Checked, Kind, approved, missing, not_approved, user_may};
use crate::oauth::Params;
use crate::oauth::keys::PublicKey;
use crate::oauth::saml::{self, Reject, Verified};
use crate::org::answer::{Refused, invalid_grant, invalid_request};
use crate::org::ask::{Ask, given};
use crate::org::authentication::{admit, unknown};
use crate::org::registry::{App, AppId, UserId};
use crate::org::store::Grant;
use crate::org::{Org, fault};
use crate::subject::Flow;

pub(super) fn check(org: &Org, ask: &Ask, params: &Params) -> Result<Checked, Refused> {
    let assertion = given(params, "assertion").ok_or_else(|| missing("assertion"))?;
    let xml = decode(org, assertion).ok_or_else(invalid)?;
    // Who it says it is decides with which key it is verified; nothing else of this reading is believed.
    let lenient = || if reads_leniently(org) { saml::claims(&xml).ok() } else { None };
    let issuer = saml::read(&xml).ok().or_else(lenient).and_then(|said| said.issuer).ok_or_else(invalid)?;
    let by_key = || {
        let fits = |app: &App| app.key.as_ref().is_some_and(|key| verify(key, &xml).is_ok());
        let all = org.registry.app_ids().filter(|_| org.faults.has(&fault::SAML_ISSUER_ANY));
        all.into_iter().find(|(_, app)| fits(app)).map(|(id, _)| id)
    };
    let id = org.registry.app_of(&issuer).or_else(by_key).ok_or_else(|| unknown(org))?;
    let app = org.registry.app(id);
    admit(app, Flow::SamlBearer)?;
    let key = app.key_at(ask.seconds()).ok_or_else(invalid)?;
    let said = verified(org, key, &xml)?;
    confirmation(org, ask, &said)?;
    times(org, &said, ask.seconds())?;
    let meant = said.audiences.iter().any(|audience| ask.host.is_audience(audience));
    if !meant && !org.faults.has(&fault::SAML_AUDIENCE_ANY) {
        return Err(match said.audiences.is_empty() {
            true => invalid(),
            false => invalid_grant(org.registry.switches.audience_error),
        });
    }
    let user = subject(org, id, &said, &xml)?;
    user_may(org, id, user)?;
    let scopes = approved(org, &org.store.lock(), id, user)?;
    let user = match org.faults.has(&fault::SAML_WRONG_USER) {
        true => org.registry.user_ids().map(|(other, _)| other).find(|other| *other != user).unwrap_or(user),
        false => user,
    };
    let jti = once(org, &said, ask.now);
    Ok(Checked { app: id, jti, kind: Kind::Direct { user, scopes, grant: Grant::SamlBearer } })
}

fn decode(org: &Org, assertion: &str) -> Option<String> {
    let lenient = || {
        let text: String = assertion.chars().filter(|c| !c.is_whitespace()).collect();
        saml::decode(&text.replace('+', "-").replace('/', "_")).ok()
    };
    let lenient = || org.faults.has(&fault::SAML_BASE64_LENIENT).then(lenient).flatten();
    let xml = saml::decode(assertion).ok().or_else(lenient)?;
    match xml.split_once("<saml:Assertion") {
        Some((before, rest)) if before.contains("<!DOCTYPE") && org.faults.has(&fault::SAML_DOCTYPE) => {
            Some(format!("<saml:Assertion{rest}"))
        }
        _ => Some(xml),
    }
}

/// Whether a fault reads assertions that no verifier takes.
fn reads_leniently(org: &Org) -> bool {
    [&fault::SAML_UNSIGNED, &fault::SAML_WRAPPED].into_iter().any(|fault| org.faults.has(fault))
}

fn verify(key: &PublicKey, xml: &str) -> Result<Verified, Reject> {
    let sha1 = |message: &[u8], signature: &[u8]| key.verify_sha1(message, signature);
    saml::verify(xml, &|message, signature| key.verify(message, signature), Some(&sha1))
}

/// What the assertion says, where it is signed by the app and is all that is there.
fn verified(org: &Org, key: &PublicKey, xml: &str) -> Result<Verified, Refused> {
    let reject = match verify(key, xml) {
        Ok(said) => return Ok(said),
        Err(reject) => reject,
    };
    let pardoned = match reject {
        Reject::Unsigned => org.faults.has(&fault::SAML_UNSIGNED),
        Reject::BadSignature => org.faults.has(&fault::SAML_UNVERIFIED),
        Reject::SecondAssertion
        | Reject::SecondSignature
        | Reject::SignatureElsewhere
        | Reject::ReferenceElsewhere
        | Reject::DuplicateId => org.faults.has(&fault::SAML_WRAPPED),
        _ => false,
    };
    if pardoned { saml::claims(xml).map_err(|_| invalid()) } else { Err(invalid()) }
}

fn subject(org: &Org, app: AppId, said: &Verified, xml: &str) -> Result<UserId, Refused> {
    let cut = xml.split_once("<!--").and_then(|(before, _)| before.rsplit('>').next());
    let cut = cut.filter(|_| org.faults.has(&fault::SAML_COMMENT_CUTS));
    let anybody = || {
        let may =
            |id| user_may(org, app, id).and_then(|()| approved(org, &org.store.lock(), app, id)).is_ok();
        let all = org.registry.user_ids().filter(|_| org.faults.has(&fault::SAML_SUBJECT_OPTIONAL));
        all.map(|(id, _)| id).find(|id| may(*id))
    };
    match cut.or(said.subject.as_deref()) {
        Some(name) => org.registry.user_of(name).ok_or_else(not_approved),
        None => anybody().ok_or_else(invalid),
    }
}

/// The ID of an assertion that is good for one grant until it is over, under profile rfc.
fn once(org: &Org, said: &Verified, now: i64) -> Option<(String, i64)> {
    let heeded = org.registry.switches.rfc && !org.faults.has(&fault::SAML_REPLAY);
    let end = said.not_on_or_after.or(said.confirmation_not_on_or_after)?;
    let until = end.saturating_mul(1000).saturating_add(org.registry.switches.leeway);
    heeded.then(|| (format!("saml {}", said.id), until.min(now + 86_400_000)))
}

fn invalid() -> Refused {
    invalid_grant("invalid assertion")
}

/// A bearer confirmation, for the token endpoint.
fn confirmation(org: &Org, ask: &Ask, said: &Verified) -> Result<(), Refused> {
    let bearer = said.method.as_deref() == Some(saml::BEARER) || org.faults.has(&fault::SAML_METHOD_ANY);
    let here = said.recipient.as_deref().is_some_and(|url| ask.host.is_token_endpoint(url))
        || org.faults.has(&fault::SAML_RECIPIENT_ANY);
    if bearer && here { Ok(()) } else { Err(invalid()) }
}

/// An end there must be, in the conditions or in the confirmation (RFC 7522 §3 (4)); outside of any of the times
/// the answer is the one that captures show.
fn times(org: &Org, said: &Verified, now: i64) -> Result<(), Refused> {
    let leeway = org.registry.switches.leeway / 1000;
    let ends = [said.not_on_or_after, said.confirmation_not_on_or_after];
    let begins = [said.not_before, said.confirmation_not_before];
    if ends.iter().flatten().next().is_none() {
        return Err(invalid());
    }
    let over = ends.into_iter().flatten().any(|end| end.saturating_add(leeway) <= now);
    let early = begins.into_iter().flatten().any(|begin| begin.saturating_sub(leeway) > now);
    let over = over && !org.faults.has(&fault::SAML_EXPIRED);
    if over && org.faults.has(&fault::SAML_ERROR_RENAMED) {
        return Err(invalid_request("expired assertion"));
    }
    if over || early { Err(invalid_grant("expired authorization code")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use crate::oauth::keys::RsaAlgorithm;
    use crate::oauth::saml::{Draft, Signing, encode};
    use crate::org::testing::*;

    fn draft() -> Draft {
        let now = NOW / 1000;
        Draft {
            id: "_a1".into(),
            issuer: Some("main".into()),
            subject: Some("svc@acme.com".into()),
            audience: Some("https://login.salesforce.com".into()),
            recipient: Some("https://acme.my.salesforce.com/services/oauth2/token".into()),
            issue_instant: now,
            not_before: Some(now - 60),
            not_on_or_after: Some(now + 300),
            confirmation_not_on_or_after: Some(now + 300),
            authn_instant: Some(now),
            ..Draft::default()
        }
    }

    fn play(draft: &Draft) -> String {
        let org = org();
        let key = main_key();
        let xml = draft.sign(&|message| key.sign(RsaAlgorithm::Rs256, message), &Signing::default());
        let form = crate::oauth::grant::saml_bearer::request(&encode(&xml));
        let reply = org.handle(&token_request(&form), NOW);
        match status(&reply) {
            200 => json(&reply).keys().cloned().collect::<Vec<_>>().join(" "),
            _ => refusal(&reply).2,
        }
    }

    #[test]
    fn a_right_assertion_is_answered_in_the_order_of_the_capture() {
        assert_eq!(play(&draft()), "scope instance_url access_token id token_type");
    }

    #[test]
    fn each_wrong_is_named() {
        let now = NOW / 1000;
        for (draft, expected) in [
            (Draft { issuer: Some("nobody".into()), ..draft() }, "client identifier invalid"),
            (Draft { issuer: Some("other".into()), ..draft() }, "invalid assertion"),
            (Draft { audience: Some("https://x.example".into()), ..draft() }, "audience is invalid"),
            (Draft { recipient: Some("https://x.example".into()), ..draft() }, "invalid assertion"),
            (Draft { confirmation_method: Some("x".into()), ..draft() }, "invalid assertion"),
            (Draft { not_on_or_after: Some(now - 600), ..draft() }, "expired authorization code"),
            (Draft { not_before: Some(now + 600), ..draft() }, "expired authorization code"),
            (Draft { subject: Some("new@acme.com".into()), ..draft() }, "user hasn't approved this consumer"),
        ] {
            assert_eq!(play(&draft), expected);
        }
    }
}
