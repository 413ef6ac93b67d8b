//! Assertions of the app: grant assertions in both forms and client authentication, each open to tweaks.

use serde_json::{Value, json};
use std::sync::LazyLock;

use super::request::{Context, Missing};
use super::{Edit, Encoding, Place, SignatureForm, Tweak, TweakValue};
use crate::oauth::grant::jwt_bearer;
use crate::oauth::jwt::{Draft, Signing};
use crate::oauth::keys::{PrivateKey, RsaAlgorithm};
use crate::oauth::saml;

/// A key that no org knows.
static FRESH: LazyLock<PrivateKey> = LazyLock::new(PrivateKey::generate);

/// Signs a JWT with these claims as the tweak has it.
pub(super) fn jwt(
    cx: &Context<'_>,
    tweak: &Tweak,
    claims: serde_json::Map<String, Value>,
) -> Result<String, Missing> {
    let mut draft = Draft::of(claims);
    for edit in &tweak.edits {
        match edit {
            Edit::Set(Place::Claim, name, value) => {
                draft.claims.insert(name.clone(), number(cx, value)?);
            }
            Edit::Without(Place::Claim, name) => {
                draft.claims.shift_remove(name);
            }
            Edit::Twice(Place::Claim, name, value) => {
                let value = match value {
                    Some(value) => number(cx, value)?,
                    None => draft.claims.get(name).cloned().unwrap_or(Value::Null),
                };
                draft.twice.push((name.clone(), value));
            }
            Edit::Set(Place::Jose, name, value) => {
                draft.header.insert(name.clone(), number(cx, value)?);
            }
            Edit::Without(Place::Jose, name) => {
                draft.header.shift_remove(name);
            }
            _ => {}
        }
    }
    let key = key(cx, tweak)?;
    if tweak.shows_key {
        let mut jwk = key.public().jwk("");
        if let Some(members) = jwk.as_object_mut() {
            members.shift_remove("kid");
        }
        draft.header.insert("jwk".into(), jwk);
    }
    let pem;
    let signing = match (tweak.alg.as_deref(), tweak.signature) {
        (Some("none"), _) => Signing::None,
        (_, Some(SignatureForm::Missing)) => Signing::Stripped,
        (_, Some(SignatureForm::Broken)) => Signing::Broken(&key),
        (Some("HS256"), _) => {
            pem = key.public().pem();
            Signing::Hs256(pem.as_bytes())
        }
        (Some("RS384"), _) => Signing::Rsa(&key, RsaAlgorithm::Rs384),
        (Some("RS512"), _) => Signing::Rsa(&key, RsaAlgorithm::Rs512),
        (Some("PS256"), _) => Signing::Rsa(&key, RsaAlgorithm::Ps256),
        _ => Signing::Rsa(&key, RsaAlgorithm::Rs256),
    };
    Ok(encode(draft.sign(&signing), tweak.encoding))
}

/// The claims of a grant assertion for the context's app and user.
pub(super) fn grant_claims(cx: &Context<'_>) -> serde_json::Map<String, Value> {
    jwt_bearer::claims(&cx.app.client_id, &cx.user.username, &cx.audience(), cx.now / 1000)
}

/// The claims of a client authentication assertion.
pub(super) fn client_claims(cx: &Context<'_>) -> serde_json::Map<String, Value> {
    let audience = cx.endpoints.token.clone().unwrap_or_else(|| cx.audience());
    jwt_bearer::client_claims(&cx.app.client_id, &audience, cx.now / 1000, &cx.random.borrow_mut().token(16))
}

/// Signs a SAML assertion for the context's app and user as the tweak has it, encoded for the wire.
pub(super) fn saml(cx: &Context<'_>, tweak: &Tweak) -> Result<String, Missing> {
    let now = cx.now / 1000;
    let mut draft = saml::Draft {
        id: format!("_{}", cx.random.borrow_mut().token(16).replace('-', "a")),
        issuer: Some(cx.app.client_id.clone()),
        subject: Some(cx.user.username.clone()),
        audience: Some(cx.audience()),
        recipient: cx.endpoints.token.clone(),
        issue_instant: now,
        not_before: Some(now - 120),
        not_on_or_after: Some(now + jwt_bearer::LIFETIME),
        confirmation_not_on_or_after: Some(now + jwt_bearer::LIFETIME),
        authn_instant: Some(now),
        ..saml::Draft::default()
    };
    for edit in &tweak.edits {
        let (name, value) = match edit {
            Edit::Set(Place::Saml, name, value) => (name.as_str(), Some(number(cx, value)?)),
            Edit::Without(Place::Saml, name) => (name.as_str(), None),
            _ => continue,
        };
        let text = value.as_ref().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
        let seconds = value.as_ref().and_then(crate::oauth::jwt::seconds);
        match name {
            "issuer" => draft.issuer = text,
            "subject" => draft.subject = text,
            "audience" => draft.audience = text,
            "recipient" => draft.recipient = text,
            "method" => draft.confirmation_method = text,
            "not_before" => draft.not_before = seconds,
            // Either time alone would leave the other to say that the assertion is still good.
            "not_on_or_after" => {
                draft.not_on_or_after = seconds;
                draft.confirmation_not_on_or_after = seconds;
            }
            _ => draft.confirmation_not_on_or_after = seconds,
        }
    }
    let key = key(cx, tweak)?;
    let placement = match tweak.signature {
        Some(SignatureForm::First) => saml::Placement::First,
        Some(SignatureForm::Last) => saml::Placement::Last,
        _ => saml::Placement::AfterIssuer,
    };
    let broken = tweak.signature == Some(SignatureForm::Broken);
    let sign = |bytes: &[u8]| {
        let mut signature = key.sign(RsaAlgorithm::Rs256, bytes);
        if let Some(last) = signature.last_mut().filter(|_| broken) {
            *last ^= 1;
        }
        signature
    };
    let signed =
        |draft: &saml::Draft| draft.sign(&sign, &saml::Signing { placement, ..saml::Signing::default() });
    let xml = match (tweak.forgery, tweak.signature) {
        (Some(forgery), _) => {
            // Somebody else where there is one; what a comment cuts off leaves the user of the play.
            let other = cx.target.users.get("second").filter(|_| forgery.wraps());
            forgery.forge(&draft, &other.unwrap_or(cx.user).username, &signed)
        }
        (None, Some(SignatureForm::Missing)) => draft.unsigned(),
        (None, _) => signed(&draft),
    };
    Ok(encode(saml::encode(&xml), tweak.encoding))
}

fn key(cx: &Context<'_>, tweak: &Tweak) -> Result<PrivateKey, Missing> {
    match tweak.key.as_deref() {
        Some("fresh") => Ok(FRESH.clone()),
        Some(role) => {
            let app = cx.target.apps.get(role).ok_or_else(|| Missing::App(role.to_owned()))?;
            app.key.clone().ok_or_else(|| Missing::Key(role.to_owned()))
        }
        None => cx.app.key.clone().ok_or_else(|| Missing::Key(cx.role.to_owned())),
    }
}

/// The JSON value of an edit: relative times become seconds since the epoch.
pub(super) fn number(cx: &Context<'_>, value: &TweakValue) -> Result<Value, Missing> {
    Ok(match value {
        TweakValue::Text(template) => {
            Value::from(template.fill(&|name| cx.value(name)).map_err(|u| Missing::Value(u.0))?)
        }
        TweakValue::Relative(millis) => json!((cx.now + millis) / 1000),
        TweakValue::Json(value) => value.clone(),
    })
}

fn encode(text: String, encoding: Option<Encoding>) -> String {
    let padded = |text: &str| -> String {
        let parts: Vec<String> =
            text.split('.').map(|part| format!("{part}{}", "=".repeat((4 - part.len() % 4) % 4))).collect();
        parts.join(".")
    };
    match encoding {
        None => text,
        Some(Encoding::Standard) => padded(&text).replace('-', "+").replace('_', "/"),
        // A text whose length needs no padding gets one all the same: the point is the character.
        Some(Encoding::Padded) => {
            let padded = padded(&text);
            if padded == text { format!("{text}==") } else { padded }
        }
        Some(Encoding::Lines) => text
            .as_bytes()
            .chunks(64)
            .map(|c| String::from_utf8_lossy(c).into_owned())
            .collect::<Vec<_>>()
            .join("\n"),
        // In a JWT before its signature: a signature that is cut may still be base64, and only wrong.
        Some(Encoding::Truncated) => {
            let most = text.len() * 2 / 3;
            text[..text.rfind('.').map_or(most, |dot| dot.min(most))].to_owned()
        }
    }
}
