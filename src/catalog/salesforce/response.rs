//! What a token response of Salesforce holds, by flow.

use serde_json::Value;

use super::{exchanges, grants, is_jwt};
use crate::catalog::Judgement;
use crate::catalog::resource::{handed_out, is_live, presented};
use crate::oauth::Endpoint;
use crate::oauth::grant::{authorization_code, client_credentials, jwt_bearer, refresh_token, saml_bearer};
use crate::transcript::{Exchange, Transcript};

/// How far a clock may be off, in milliseconds.
const SKEW: i64 = 300_000;

const WITH_SIGNATURE: &[&str] =
    &["access_token", "instance_url", "id", "token_type", "scope", "issued_at", "signature"];

/// The members that the answer of a flow always has, and those that it never has.
fn members_of(t: &Transcript, x: &Exchange) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match x.grant_type()? {
        authorization_code::GRANT_TYPE | refresh_token::GRANT_TYPE => (WITH_SIGNATURE, &[]),
        client_credentials::GRANT_TYPE => (WITH_SIGNATURE, &["id_token"]),
        jwt_bearer::GRANT_TYPE if is_jwt(t, x) => (WITH_SIGNATURE, &[]),
        // What it must not have is judged by itself.
        jwt_bearer::GRANT_TYPE => (&WITH_SIGNATURE[..5], &[]),
        saml_bearer::GRANT_TYPE if is_jwt(t, x) => (&["access_token", "instance_url", "scope"], &[]),
        saml_bearer::GRANT_TYPE => (&["access_token", "instance_url", "scope"], &["issued_at", "signature"]),
        "password" => (&["access_token", "instance_url", "id", "token_type", "issued_at", "signature"], &[]),
        _ => return None,
    })
}

pub(super) fn token_response_has_its_members(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in grants(t) {
        let Some((always, never)) = members_of(t, x) else { continue };
        // The signature is made with the secret, which a public client does not have.
        let public = x.client_id().and_then(|id| t.subject.app_of(id)).is_some_and(|app| app.public);
        let there = |name: &&&str| x.member(name).is_some_and(|value| !value.is_null() && value != "");
        let missing = always.iter().filter(|name| !(public && **name == "signature"));
        let missing = missing.filter(|name| !there(name)).copied().collect::<Vec<_>>();
        let surplus = never.iter().filter(there).copied().collect::<Vec<_>>();
        if !missing.is_empty() {
            let expected = format!("a token response with {}", always.join(", "));
            j.fail(&[x], expected, format!("no {}", missing.join(", ")));
        } else if !surplus.is_empty() {
            let expected = format!("a token response without {}", never.join(", "));
            j.fail_lesser(&[x], expected, format!("it has {}", surplus.join(", ")));
        } else {
            j.pass();
        }
    }
    j
}

pub(super) fn issued_at_is_milliseconds_as_text(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let unit = if t.subject.settings.word("issued_at") == Some("seconds") { 1000 } else { 1 };
    for x in grants(t) {
        let Some(value) = x.member("issued_at") else { continue };
        let expected = "issued_at as a text of milliseconds since the epoch, close to now";
        let text = value.as_str().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let Some(issued) = text.and_then(|text| text.parse::<i64>().ok()) else {
            j.fail(&[x], expected, format!("issued_at is {value}"));
            continue;
        };
        let date = x.response().and_then(|r| r.header("date")).and_then(|date| {
            let parser = jiff::fmt::rfc2822::DateTimeParser::new();
            Some(parser.parse_timestamp(date).ok()?.as_millisecond())
        });
        let issued = issued.saturating_mul(unit);
        let close = |clock: i64| issued.abs_diff(clock) <= SKEW.unsigned_abs();
        if close(x.at) || date.is_some_and(close) {
            j.pass();
        } else {
            j.fail(&[x], expected, format!("issued_at is {value}, and now is {}", date.unwrap_or(x.at)));
        }
    }
    j
}

pub(super) fn signature_fits(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in grants(t) {
        match x.facts.signature_fits {
            Some(true) => j.pass(),
            Some(false) => j.fail(
                &[x],
                "signature = base64(HMAC-SHA256(consumer secret, id + issued_at))",
                "another signature",
            ),
            None => {}
        }
    }
    j
}

pub(super) fn refresh_token_needs_its_scope(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in grants(t) {
        let has_one = match x.grant_type() {
            Some(authorization_code::GRANT_TYPE | refresh_token::GRANT_TYPE) => true,
            Some(
                jwt_bearer::GRANT_TYPE
                | saml_bearer::GRANT_TYPE
                | client_credentials::GRANT_TYPE
                | "password",
            ) => false,
            _ => continue,
        };
        let agreed = x
            .text("scope")
            .map(|scope| scope.split(' ').any(|s| s == "refresh_token" || s == "offline_access"));
        match (x.text("refresh_token").is_some(), has_one, agreed) {
            (true, false, _) => {
                j.fail(&[x], "no refresh token: the flow has none", "the answer holds a refresh token");
            }
            (true, true, Some(false)) => j.fail(
                &[x],
                "no refresh token: neither refresh_token nor offline_access is in the scope",
                format!("a refresh token with scope {}", x.text("scope").unwrap_or("")),
            ),
            (true, true, None) => {}
            _ => j.pass(),
        }
    }
    j
}

/// The org and the user that an identity URL names.
fn named(id: &str) -> Option<(&str, &str)> {
    let mut parts = id.split_once("://")?.1.rsplit('/');
    let (user, org, mark) = (parts.next()?, parts.next()?, parts.next()?);
    let is_id = |id: &str, prefix: &str| {
        matches!(id.len(), 15 | 18) && id.starts_with(prefix) && id.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    (mark == "id" && is_id(org, "00D") && is_id(user, "005") && parts.next().is_some()).then_some((org, user))
}

pub(super) fn identity_url_answers_its_user(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in grants(t) {
        if let Some(id) = x.text("id").filter(|id| named(id).is_none()) {
            j.fail(&[x], "id as a URL that ends in /id/<org>/<user>", format!("id is {id}"));
        }
    }
    for x in exchanges(t).filter(|x| x.endpoint == Endpoint::Identity && x.tweak.is_none()) {
        let Some((org, user)) = named(x.request.url.split('?').next().unwrap_or("")) else { continue };
        let same = |name: &str, id: &str| x.text(name).is_some_and(|told| told.get(..15) == id.get(..15));
        let its_own = presented(x).filter(|token| {
            let handed = handed_out(t, token, x);
            let scope = handed.and_then(|h| h.text("scope")).unwrap_or("");
            is_live(t, token, x)
                && handed.and_then(|h| named(h.text("id")?)) == Some((org, user))
                && scope.split(' ').any(|s| ["id", "openid", "full"].contains(&s))
        });
        let json = x.response().and_then(|r| r.json()).is_some_and(Value::is_object);
        let expected = format!("the user {user} of the org {org}");
        match x.status() {
            200 if json && same("user_id", user) && same("organization_id", org) => j.pass(),
            200 if json => {
                let told = |name: &str| x.text(name).unwrap_or("nobody").to_owned();
                j.fail(&[x], expected, format!("{} of {}", told("user_id"), told("organization_id")));
            }
            401 | 403 | 404 if its_own.is_some() => j.fail(&[x], expected, x.outcome()),
            _ => {}
        }
    }
    j
}

pub(super) fn jwt_bearer_answer_is_short(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in grants(t).filter(|x| x.grant_type() == Some(jwt_bearer::GRANT_TYPE)) {
        let there = |name: &&str| x.member(name).is_some_and(|value| !value.is_null());
        let signed = ["issued_at", "signature"].into_iter().filter(there).collect::<Vec<_>>();
        let expected = "a token response without refresh_token, issued_at and signature";
        if there(&"refresh_token") {
            j.fail(&[x], expected, "it holds a refresh token");
        } else if !signed.is_empty() && !is_jwt(t, x) {
            j.fail_lesser(&[x], expected, format!("it has {}", signed.join(", ")));
        } else {
            j.pass();
        }
    }
    j
}

/// Seconds since the epoch from 2001 to 2286: milliseconds are beyond it.
const SECONDS: std::ops::Range<i64> = 1_000_000_000..10_000_000_000;

pub(super) fn introspection_has_its_members(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let asked = exchanges(t).filter(|x| x.endpoint == Endpoint::Introspect && x.status() == 200);
    for x in asked.filter(|x| x.member("active") == Some(&Value::Bool(true))) {
        let mut wrong = Vec::new();
        for name in ["exp", "iat", "nbf"] {
            let value = x.member(name).filter(|value| !value.is_null());
            if value.is_some_and(|value| value.as_i64().is_none_or(|at| !SECONDS.contains(&at))) {
                wrong.push(name);
            }
        }
        if !matches!(x.text("token_type"), Some("access_token" | "refresh_token")) {
            wrong.push("token_type");
        }
        if x.text("sub").and_then(named).is_none() {
            wrong.push("sub");
        }
        let expected =
            "times in whole seconds, token_type access_token or refresh_token, the identity URL as sub";
        match wrong[..] {
            [] => j.pass(),
            ref wrong => j.fail(&[x], expected, format!("otherwise in {}", wrong.join(", "))),
        }
    }
    j
}
