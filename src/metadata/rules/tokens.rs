//! PKCE, secrets, and how long tokens are good.

use super::{Rule, access};
use crate::metadata::app::{App, Form, Lifetime, settings};
use crate::metadata::kinds::Kind;
use crate::verdict::{Basis, Level};

const CONTROLS: &str =
    "Salesforce Packaging Guide: Secure Code, connected apps and external client apps (controls of 2026)";
const REFRESH: &str = "Salesforce Help: OAuth 2.0 Refresh Token Flow";
/// Thirty days in hours.
const MONTH: u64 = 30 * 24;

/// Whether users can log in to it in a browser: where it has a callback, the authorization endpoint serves it, whatever
/// other flows it has.
fn has_users(app: &App<'_>) -> bool {
    app.has_oauth() && !app.callbacks().is_empty()
}

pub(super) const RULES: &[Rule] = &[
    rule!(
        "tokens/pkce-is-required",
        "PKCE is required",
        Some(Level::Should),
        Some(Level::Must),
        Vendor,
        &["RFC 9700 §2.1.1", CONTROLS],
        "Without PKCE a code that leaks (a log, a referrer, another app on the device) is redeemed by whoever has it. Clients that send a challenge are protected already; the flag refuses those that do not.",
        "Settings › OAuth Settings › Security › Require Proof Key for Code Exchange (PKCE).",
        "isPkceRequired true in oauthConfig, or in ExtlClntAppGlobalOauthSettings (there it is the default).",
        |c, told| {
            for app in c.apps.iter().filter(|app| has_users(app)) {
                let required = app.flag(&settings::PKCE).unwrap_or(app.form == Form::External);
                if !required {
                    told.app(app, &settings::PKCE, "the app does not require PKCE");
                }
            }
        }
    ),
    rule!(
        "tokens/public-client-uses-pkce",
        "an app without a secret requires PKCE",
        Some(Level::Must),
        None,
        Normative,
        &["RFC 9700 §2.1.1"],
        "Where no secret is asked for at the exchange, PKCE is all that ties a code to the client that asked for it.",
        "Settings › OAuth Settings › Security › Require Proof Key for Code Exchange (PKCE).",
        "isPkceRequired true.",
        |c, told| {
            for app in c
                .apps
                .iter()
                .filter(|app| app.has_oauth() && app.flag(&settings::SECRET_OPTIONAL) == Some(true))
            {
                if !app.flag(&settings::PKCE).unwrap_or(app.form == Form::External) {
                    told.app(app, &settings::SECRET_OPTIONAL, "the exchange needs no secret and no PKCE");
                }
            }
        }
    ),
    rule!(
        "tokens/rotation-is-on",
        "refresh tokens are rotated",
        Some(Level::BestPractice),
        Some(Level::Must),
        Vendor,
        &["RFC 9700 §4.14.2", CONTROLS],
        "With rotation a stolen refresh token is good until the next refresh of either side, and its use by the other ends the grant. Clients must store the refresh token of each answer.",
        "Settings › OAuth Settings › Security › Enable Refresh Token Rotation.",
        "isRefreshTokenRotationEnabled true in oauthConfig (not in oauthPolicy), or in ExtlClntAppGlobalOauthSettings.",
        |c, told| {
            for app in c.apps.iter().filter(|app| {
                app.has_oauth() && app.is_offline() && app.flag(&settings::ROTATION) != Some(true)
            }) {
                told.app(app, &settings::ROTATION, "the app has refresh tokens, and they are not rotated");
            }
        }
    ),
    rule!(
        "tokens/public-client-rotates",
        "refresh tokens of an app without a secret are rotated",
        Some(Level::Must),
        None,
        Normative,
        &["RFC 9700 §2.2.2"],
        "A public client's refresh token is good in anybody's hands. It must be rotated, or bound to the client's key.",
        "Settings › OAuth Settings › Security › Enable Refresh Token Rotation.",
        "isRefreshTokenRotationEnabled true, or isDPopEnabled true.",
        |c, told| {
            for app in c
                .apps
                .iter()
                .filter(|app| app.is_offline() && app.flag(&settings::SECRET_FOR_REFRESH) == Some(false))
            {
                let bound = app.parts.iter().any(|item| {
                    ["oauthConfig/isDPopEnabled", "isDPopEnabled"]
                        .iter()
                        .any(|path| item.root.text(path) == Some("true"))
                });
                if app.flag(&settings::ROTATION) != Some(true) && !bound {
                    told.app(
                        app,
                        &settings::SECRET_FOR_REFRESH,
                        "a refresh needs no secret, and refresh tokens are not rotated",
                    );
                }
            }
        }
    ),
    rule!(
        "tokens/rotation-stands-in-the-settings",
        "rotation is switched on where it counts",
        Some(Level::Must),
        None,
        Community,
        &["Salesforce Metadata API Developer Guide: ConnectedApp"],
        "The flag belongs to oauthConfig. Published samples put it into oauthPolicy, where it does nothing or fails the deployment.",
        "",
        "Move isRefreshTokenRotationEnabled from oauthPolicy to oauthConfig.",
        |c, told| {
            for item in &c.project.items {
                for path in ["oauthPolicy/isRefreshTokenRotationEnabled", "oauthPolicy/isPkceRequired"] {
                    if let Some(element) = item.root.at(path).filter(|_| item.kind == Kind::ConnectedApp) {
                        told.item(item, element, format!("`{path}` has no effect"));
                    }
                }
            }
        }
    ),
    rule!(
        "tokens/idle-lifetime-is-a-month-at-most",
        "a refresh token that is not used for 30 days is dead",
        None,
        Some(Level::Must),
        Vendor,
        &[CONTROLS, "RFC 9700 §4.14.2"],
        "The controls of 2026 ask for an idle lifetime of at most 30 days.",
        "Policies › OAuth Policies › Refresh Token Policy › Expire refresh token if not used for: 30 Days.",
        "refreshTokenPolicy `specific_inactivity:30:DAYS`; or refreshTokenPolicyType SpecificInactivity, refreshTokenValidityPeriod 30, refreshTokenValidityUnit Days.",
        |c, told| {
            // Without its policies an external client app has the default of a year.
            for app in c.apps.iter().filter(|app| app.is_offline()) {
                let long = match app.lifetime() {
                    Some(Ok(Lifetime::IdleHours(hours) | Lifetime::Hours(hours))) => hours > MONTH,
                    Some(Ok(Lifetime::Zero)) => false,
                    Some(Ok(Lifetime::Infinite)) | None => true,
                    Some(Err(())) => false,
                };
                if long {
                    told.app(
                        app,
                        &settings::REFRESH_POLICY,
                        "refresh tokens may stay unused for more than 30 days",
                    );
                }
            }
        }
    ),
    rule!(
        "tokens/lifetime-is-not-infinite",
        "refresh tokens do not live for ever",
        Some(Level::Should),
        None,
        Derived,
        &["RFC 9700 §4.14.2"],
        "A refresh token that nobody uses any more should end by itself. One that was stolen from a backup works years later.",
        "Policies › OAuth Policies › Refresh Token Policy › Expire refresh token if not used for.",
        "refreshTokenPolicy `specific_inactivity:90:DAYS`; or refreshTokenPolicyType SpecificInactivity with period and unit.",
        |c, told| {
            for app in c.apps.iter().filter(|app| app.is_offline()) {
                let message = match app.lifetime() {
                    Some(Ok(Lifetime::Infinite)) => "refresh tokens are good until they are revoked",
                    // What holds where nothing stands there.
                    None if app.form == Form::Connected => {
                        "no refresh token policy stands there: refresh tokens are good until they are revoked"
                    }
                    _ => continue,
                };
                told.app(app, &settings::REFRESH_POLICY, message);
            }
        }
    ),
    rule!(
        "tokens/policy-fits-the-scope",
        "an app with refresh tokens lets them live",
        Some(Level::Must),
        None,
        Vendor,
        &[REFRESH],
        "The scope refresh_token hands them out, and the policy `zero` ends them at once: the client's first refresh fails with expired access/refresh token.",
        "Policies › OAuth Policies › Refresh Token Policy; or take the scope away.",
        "Another refreshTokenPolicy, or no RefreshToken and OfflineAccess among the scopes.",
        |c, told| {
            for app in
                c.apps.iter().filter(|app| app.is_offline() && app.lifetime() == Some(Ok(Lifetime::Zero)))
            {
                told.app(app, &settings::REFRESH_POLICY, "refresh tokens are granted and expire at once");
            }
        }
    ),
    rule!(
        "tokens/policy-is-readable",
        "the refresh token policy can be read",
        Some(Level::Must),
        None,
        Vendor,
        &["Salesforce Metadata API Developer Guide: ConnectedApp, ExtlClntAppOauthConfigurablePolicies"],
        "In a connected app the policy is one text: infinite, zero, specific_lifetime:N:UNIT or specific_inactivity:N:UNIT with HOURS, DAYS or MONTHS. In an external client app a specific one needs period and unit. N is from 1 to 100,000: a policy of nought ends refresh tokens at once, which `zero` says, and longer ones are no time.",
        "Policies › OAuth Policies › Refresh Token Policy.",
        "`specific_inactivity:30:DAYS`; or refreshTokenValidityPeriod and refreshTokenValidityUnit beside the type.",
        |c, told| {
            for app in &c.apps {
                let said = app.text(&settings::REFRESH_POLICY).unwrap_or("");
                // A sign before the period is read as a number, and written by nobody else.
                if app.lifetime() != Some(Err(())) && !said.contains('+') {
                    continue;
                }
                told.app(
                    app,
                    &settings::REFRESH_POLICY,
                    format!("`{said}` is no policy, lacks period or unit, or has a period that is none"),
                );
            }
        }
    ),
    rule!(
        "tokens/policy-is-complete",
        "oauthPolicy has both of its elements",
        Some(Level::Must),
        None,
        Vendor,
        &["Salesforce Metadata API Developer Guide: ConnectedApp"],
        "Where one of them is missing, the deployment fails or the org puts in its default, which may be wider.",
        "Manage Connected Apps › the app › Edit Policies.",
        "ipRelaxation and refreshTokenPolicy in oauthPolicy.",
        |c, told| {
            for item in c.project.of(Kind::ConnectedApp) {
                let Some(policy) = item.root.child("oauthPolicy") else { continue };
                for name in ["ipRelaxation", "refreshTokenPolicy"] {
                    if policy.child(name).is_none() {
                        told.item(item, policy, format!("oauthPolicy has no {name}"));
                    }
                }
            }
        }
    ),
    rule!(
        "tokens/secret-is-asked-for-alike",
        "exchange and refresh agree on the secret",
        Some(Level::Must),
        None,
        Derived,
        &["RFC 6749 §6", "RFC 6749 §3.2.1"],
        "An app without a secret that must send one to refresh logs in and then fails after the first session. The other way round, a confidential client's refresh token is good without its secret.",
        "Settings › OAuth Settings › Security: Require Secret for Web Server Flow, and for Refresh Token Flow.",
        "isConsumerSecretOptional true goes with isSecretRequiredForRefreshToken false, and false with true.",
        |c, told| {
            for app in c.apps.iter().filter(|app| app.is_offline()) {
                let public = app.flag(&settings::SECRET_OPTIONAL).unwrap_or(false);
                let refresh = app.flag(&settings::SECRET_FOR_REFRESH).unwrap_or(true);
                if public && refresh {
                    told.app(
                        app,
                        &settings::SECRET_FOR_REFRESH,
                        "the exchange needs no secret, and the refresh does",
                    );
                } else if !public && !refresh {
                    told.app(
                        app,
                        &settings::SECRET_FOR_REFRESH,
                        "the exchange needs the secret, and the refresh does not",
                    );
                }
            }
        }
    ),
    rule!(
        "tokens/ip-allow-list-is-there",
        "refresh tokens are taken from listed addresses only",
        None,
        Some(Level::Must),
        Vendor,
        &[CONTROLS],
        "The controls of 2026 ask for a list of addresses from which a refresh token is good.",
        "Settings › OAuth Settings › Security › refresh token IP allow-list.",
        "tokenIpRanges in ExtlClntAppOauthSecuritySettings; for a connected app ipRanges with ipRelaxation ENFORCE, until it is moved.",
        |c, told| {
            for app in c.apps.iter().filter(|app| app.is_offline()) {
                let (list, enforced) = match app.form {
                    Form::External => ("tokenIpRanges", true),
                    Form::Connected => ("ipRanges", app.relaxation().as_deref() == Some("ENFORCE")),
                };
                let ranges = access::ranges_in(app, list);
                // A range that is none, or everything, is no list of addresses.
                let listed = enforced
                    && !ranges.is_empty()
                    && ranges.iter().all(|(_, first, last)| {
                        access::is_range(first, last) && !access::is_wide(first, last)
                    });
                if !listed {
                    told.at(
                        &app.name,
                        app.here(),
                        "no addresses are listed from which its refresh tokens are good",
                    );
                }
            }
        }
    ),
    rule!(
        "tokens/id-token-is-short-lived",
        "ID tokens are good for minutes",
        Some(Level::BestPractice),
        None,
        Derived,
        &["OpenID Connect Core §2", "Salesforce Metadata API Developer Guide"],
        "An ID token says that the user has just logged in. Salesforce's default is two minutes; an hour and more invites its use as an access token.",
        "Settings › OAuth Settings › ID Token.",
        "idTokenValidity or idTokenValidityInMinutes of at most 60.",
        |c, told| {
            for item in &c.project.items {
                for path in
                    ["oauthConfig/idTokenConfig/idTokenValidity", "idTokenConfig/idTokenValidityInMinutes"]
                {
                    let Some(element) = item.root.at(path) else { continue };
                    if element.value.parse().is_ok_and(|minutes: u32| minutes > 60) {
                        told.item(item, element, format!("ID tokens are good for {} minutes", element.value));
                    }
                }
            }
        }
    ),
    rule!(
        "tokens/jwt-lifetime-is-set",
        "JWT access tokens with a lifetime of their own have one",
        Some(Level::Must),
        None,
        Vendor,
        &[
            "Salesforce Help: JWT-Based Access Tokens",
            "Salesforce Metadata API Developer Guide: ExtlClntAppOauthConfigurablePolicies"
        ],
        "namedUserJwtSessionTimeoutType Custom needs namedUserJwtTimeout. A JWT cannot be revoked before it ends, so the timeout matters.",
        "Policies › OAuth Policies › named user JWT timeout.",
        "namedUserJwtTimeout beside namedUserJwtSessionTimeoutType Custom.",
        |c, told| {
            for item in c.project.of(Kind::OauthPolicies) {
                let Some(kind) =
                    item.root.child("namedUserJwtSessionTimeoutType").filter(|e| e.value == "Custom")
                else {
                    continue;
                };
                if item.root.text("namedUserJwtTimeout").is_none() {
                    told.item(item, kind, "the timeout is Custom, and namedUserJwtTimeout is missing");
                }
            }
        }
    ),
    rule!(
        "tokens/lifetime-is-enforced",
        "the lifetime of refresh tokens is enforced",
        None,
        Some(Level::Should),
        Vendor,
        &[CONTROLS, "Salesforce Metadata API types, 2026"],
        "isEnforceRefreshTokenTTL came with the controls of 2026.",
        "Settings › OAuth Settings › Security.",
        "isEnforceRefreshTokenTTL true.",
        |c, told| {
            for app in c
                .apps
                .iter()
                .filter(|app| app.has_oauth() && app.is_offline() && app.flag(&settings::TTL) != Some(true))
            {
                told.app(app, &settings::TTL, "the lifetime of refresh tokens is not enforced");
            }
        }
    ),
];
