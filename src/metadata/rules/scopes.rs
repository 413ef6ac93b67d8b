//! Scopes.

use std::collections::BTreeSet;

use super::Rule;
use crate::metadata::app::{App, Form, settings};
use crate::metadata::kinds::{Kind, SCOPES};
use crate::metadata::registration::scopes::{of_wire, wire};
use crate::oauth::salesforce::NEED_A_USER;
use crate::verdict::{Basis, Level};

const SETUP: &str = "Settings › OAuth Settings › OAuth Scopes (connected app: App Manager › the app › Edit).";
const XML: &str =
    "oauthConfig/scopes, one element each; or commaSeparatedOauthScopes in ExtlClntAppOauthSettings.";

fn with_oauth<'c, 'p>(c: &'c super::Context<'p>) -> impl Iterator<Item = &'c App<'p>> {
    c.apps.iter().filter(|app| app.has_oauth())
}

pub(super) const RULES: &[Rule] = &[
    rule!(
        "scopes/there-are-some",
        "the app has scopes",
        Must,
        Vendor,
        &["Salesforce Metadata API Developer Guide: ConnectedApp, ExtlClntAppOauthSettings"],
        "An app without scopes grants nothing; its flows are refused, or give a token that no API takes. RefreshToken is no scope of an access token: where a flow gives no refresh token, nothing is left of it.",
        |c, told| {
            let custom = |app: &App<'_>| {
                app.parts.iter().any(|item| item.root.text("commaSeparatedCustomScopes").is_some())
            };
            // Settings that are not in the project have a rule of their own.
            let told_elsewhere =
                |app: &App<'_>| app.form == Form::External && app.part(Kind::OauthSettings).is_none();
            for app in
                with_oauth(c).filter(|app| app.scopes().is_empty() && !custom(app) && !told_elsewhere(app))
            {
                told.app(app, &settings::SCOPES, "the app has no scopes");
            }
            let offline = |scope: &str| matches!(scope, "RefreshToken" | "OfflineAccess");
            for app in with_oauth(c).filter(|app| !custom(app)) {
                let scopes = app.scopes();
                if !scopes.is_empty() && scopes.iter().all(|(scope, _)| offline(scope)) {
                    told.app(app, &settings::SCOPES, "the app has no scope that an access token can have");
                }
            }
        }
    ),
    rule!(
        "scopes/scope-is-known",
        "each scope is one that metadata knows",
        Should,
        Vendor,
        &["Salesforce Metadata API types: ConnectedAppOauthAccessScope"],
        "What is no scope is refused on deployment; a scope that is newer than this list is told as well.",
        |c, told| {
            for app in &c.apps {
                for (scope, place) in app
                    .scopes()
                    .into_iter()
                    .filter(|(scope, _)| !SCOPES.contains(&scope.as_str()) && of_wire(scope).is_none())
                {
                    told.at(&app.name, place, format!("`{scope}` is no scope that is known here"));
                }
            }
        }
    ),
    rule!(
        "scopes/scope-has-its-name-of-metadata",
        "no scope has the name that requests have",
        Must,
        Vendor,
        &["Salesforce Metadata API types: ConnectedAppOauthAccessScope"],
        "Requests say refresh_token, metadata says `RefreshToken`. A deployment refuses the one in place of the other. The other rules take it for the scope that is meant.",
        |c, told| {
            for app in &c.apps {
                for (scope, place) in app.scopes() {
                    if let Some(own) = of_wire(&scope) {
                        told.at(&app.name, place, format!("`{scope}` is written `{own}` in metadata"));
                    }
                }
            }
        }
    ),
    rule!(
        "scopes/scope-stands-once",
        "each scope stands once",
        BestPractice,
        Derived,
        &["RFC 6749 §3.3"],
        "It is left over from a merge.",
        |c, told| {
            for app in &c.apps {
                let mut seen = BTreeSet::new();
                for (scope, place) in app.scopes() {
                    if seen.contains(&scope) {
                        told.at(&app.name, place, format!("`{scope}` stands here again"));
                    } else {
                        seen.insert(scope);
                    }
                }
            }
        }
    ),
    rule!(
        "scopes/full-is-not-granted",
        "the app does not have the scope full",
        Should,
        Derived,
        &["RFC 9700 §2.3"],
        "full is everything that the user may do, also what comes with later releases. Most integrations need api.",
        |c, told| {
            for app in &c.apps {
                for (_, place) in app.scopes().into_iter().filter(|(scope, _)| scope == "Full") {
                    told.at(&app.name, place, "the app has the scope full");
                }
            }
        }
    ),
    rule!(
        "scopes/web-is-needed",
        "the app has the scope web only where users go on to pages",
        BestPractice,
        Derived,
        &["RFC 9700 §2.3"],
        "With web an access token opens a session of the user interface. A program that calls APIs does not need it beside api.",
        |c, told| {
            for app in c.apps.iter().filter(|app| app.has_scope(&["Api"])) {
                for (_, place) in app.scopes().into_iter().filter(|(scope, _)| scope == "Web") {
                    told.at(&app.name, place, "web stands beside api: a token opens pages as well");
                }
            }
        }
    ),
    rule!(
        "scopes/usable-without-a-user",
        "an app with client credentials has a scope that works without a user",
        Must,
        Vendor,
        &["Salesforce Help: OAuth 2.0 Client Credentials Flow (enforced since Winter '26)"],
        "full, web and refresh_token do not count in this flow. With no other the token request is refused: no valid scopes defined.",
        |c, told| {
            for app in with_oauth(c).filter(|app| app.flag(&settings::CLIENT_CREDENTIALS) == Some(true)) {
                let without_user = |scope: &str| {
                    let wire = wire(scope).map_or(scope, |(wire, _)| wire);
                    !NEED_A_USER.contains(&wire)
                };
                let scopes = app.scopes();
                if !scopes.is_empty() && !scopes.iter().any(|(scope, _)| without_user(scope)) {
                    told.app(app, &settings::SCOPES, "none of its scopes works without a user");
                }
            }
        }
    ),
    rule!(
        "scopes/platform-api-has-jwt-tokens",
        "an app for api.salesforce.com issues JWT access tokens",
        Should,
        Vendor,
        &["Salesforce Help: JWT-Based Access Tokens", "field notes: an empty 404 for opaque tokens"],
        "The Agent API and its kin on api.salesforce.com take JWT access tokens only, and answer an empty 404 to others.",
        |c, told| {
            for app in with_oauth(c).filter(|app| app.has_scope(&["SFAP", "SFApiPlatform"])) {
                if app.flag(&settings::NAMED_JWT) != Some(true) {
                    told.app(
                        app,
                        &settings::NAMED_JWT,
                        "the app has sfap_api, and its access tokens are opaque",
                    );
                }
            }
        }
    ),
    rule!(
        "scopes/platform-api-is-named-right",
        "the scope sfap_api has the name of its type of metadata",
        Should,
        Community,
        &["Salesforce Metadata API Developer Guide: ExtlClntAppOauthSettings"],
        "Connected apps write SFAP, external client apps SFApiPlatform.",
        |c, told| {
            for app in &c.apps {
                let wrong = if app.form == Form::External { "SFAP" } else { "SFApiPlatform" };
                for (_, place) in app.scopes().into_iter().filter(|(scope, _)| scope == wrong) {
                    told.at(&app.name, place, format!("`{wrong}` is the name in the other type of app"));
                }
            }
        }
    ),
    rule!(
        "scopes/claims-have-openid",
        "profile, email and the like stand beside openid or id",
        BestPractice,
        Derived,
        &["OpenID Connect Core §5.4"],
        "They name parts of the identity, which only openid or id opens.",
        |c, told| {
            for app in c.apps.iter().filter(|app| !app.has_scope(&["OpenID", "Basic", "Full"])) {
                for (scope, place) in app.scopes() {
                    if matches!(scope.as_str(), "Profile" | "Email" | "Address" | "Phone") {
                        told.at(&app.name, place, format!("`{scope}` opens nothing without OpenID or Basic"));
                    }
                }
            }
        }
    ),
];
