//! The SAML bearer assertion grant (Salesforce Help: OAuth 2.0 SAML Bearer Assertion Flow).

use super::{Checked, Kind, approved, missing, not_approved, user_may};
use crate::oauth::Params;
use crate::oauth::saml::{self, Verified};
use crate::org::Org;
use crate::org::answer::{Refused, invalid_grant};
use crate::org::ask::{Ask, given};
use crate::org::authentication::{admit, unknown};
use crate::org::store::Grant;
use crate::subject::Flow;

pub(super) fn check(org: &Org, ask: &Ask, params: &Params) -> Result<Checked, Refused> {
    let assertion = given(params, "assertion").ok_or_else(|| missing("assertion"))?;
    let xml = saml::decode(assertion).map_err(|_| invalid())?;
    // Who it says it is decides with which key it is verified; nothing else of this reading is believed.
    let issuer = saml::read(&xml).map_err(|_| invalid())?.issuer.ok_or_else(invalid)?;
    let id = org.registry.app_of(&issuer).ok_or_else(|| unknown(org))?;
    let app = org.registry.app(id);
    admit(app, Flow::SamlBearer)?;
    let key = app.key.as_ref().ok_or_else(invalid)?;
    let said = saml::verify(
        &xml,
        &|message, signature| key.verify(message, signature),
        Some(&|message, signature| key.verify_sha1(message, signature)),
    )
    .map_err(|_| invalid())?;
    confirmation(ask, &said)?;
    times(org, &said, ask.seconds())?;
    if !said.audiences.iter().any(|audience| ask.host.is_audience(audience)) {
        return Err(match said.audiences.is_empty() {
            true => invalid(),
            false => invalid_grant(org.registry.switches.audience_error),
        });
    }
    let name = said.subject.as_deref().ok_or_else(invalid)?;
    let user = org.registry.user_of(name).ok_or_else(not_approved)?;
    user_may(org, id, user)?;
    let scopes = approved(org, &org.store.lock(), id, user)?;
    Ok(Checked { app: id, jti: None, kind: Kind::Direct { user, scopes, grant: Grant::SamlBearer } })
}

fn invalid() -> Refused {
    invalid_grant("invalid assertion")
}

/// A bearer confirmation, for the token endpoint.
fn confirmation(ask: &Ask, said: &Verified) -> Result<(), Refused> {
    let bearer = said.method.as_deref() == Some(saml::BEARER);
    let here = said.recipient.as_deref().is_some_and(|url| ask.host.is_token_endpoint(url));
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
