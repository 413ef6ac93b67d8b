//! Flows that are on, and what each of them needs.

use super::{Rule, filled_in};
use crate::metadata::app::{App, Form, settings};
use crate::metadata::kinds::Kind;
use crate::verdict::{Basis, Level};

const CLIENT_CREDENTIALS: &str = "Salesforce Help: OAuth 2.0 Client Credentials Flow";
const RUN_AS: &str = "Policies › OAuth Policies › Client Credentials Flow › Run As (connected app: Manage Connected Apps › the app › Edit Policies).";
const FLOWS: &str =
    "Settings › OAuth Settings › Flow Enablement (connected app: App Manager › the app › Edit).";

fn by_itself<'c, 'p>(c: &'c super::Context<'p>) -> impl Iterator<Item = &'c App<'p>> {
    c.apps.iter().filter(|app| app.flag(&settings::CLIENT_CREDENTIALS) == Some(true))
}

pub(super) const RULES: &[Rule] = &[
    rule!(
        "flows/client-credentials-run-as-somebody",
        "the client credentials flow has a user in whose name it runs",
        Must,
        Vendor,
        &[CLIENT_CREDENTIALS],
        "Without one every token request is refused: no client credentials user enabled. A deployment without the element empties what was set in Setup.",
        RUN_AS,
        "oauthConfig/oauthClientCredentialUser, or clientCredentialsFlowUser in ExtlClntAppOauthConfigurablePolicies: a username.",
        |c, told| {
            for app in by_itself(c).filter(|app| app.text(&settings::RUN_AS).is_none()) {
                // Policies that are not in the project may have one.
                if app.form == Form::Connected || app.part(Kind::OauthPolicies).is_some() {
                    told.app(
                        app,
                        &settings::RUN_AS,
                        "the flow is on, and no user is named in whose name it runs",
                    );
                }
            }
        }
    ),
    rule!(
        "flows/client-credentials-are-on-in-both-files",
        "settings and policies agree on the client credentials flow",
        Must,
        Vendor,
        &[CLIENT_CREDENTIALS],
        "An external client app has the flow in its settings and again in its policies. With one alone it is refused: client credentials flow not enabled.",
        RUN_AS,
        "isClientCredentialsFlowEnabled true in ExtlClntAppGlobalOauthSettings and in ExtlClntAppOauthConfigurablePolicies.",
        |c, told| {
            for app in c.apps.iter().filter(|app| app.form == Form::External) {
                let (Some(global), Some(policies)) =
                    (app.part(Kind::GlobalOauthSettings), app.part(Kind::OauthPolicies))
                else {
                    continue;
                };
                let name = "isClientCredentialsFlowEnabled";
                let on = |root: &crate::metadata::Element| root.text(name) == Some("true");
                if on(&global.root) != on(&policies.root) {
                    let (off, other) = if on(&global.root) {
                        (policies, "settings have")
                    } else {
                        (global, "policies have")
                    };
                    told.item(
                        off,
                        off.root.nearest(name),
                        format!("the {other} the client credentials flow on, and it is off here"),
                    );
                }
            }
        }
    ),
    rule!(
        "flows/run-as-user-is-used",
        "a run-as user stands there only where the flow is on",
        BestPractice,
        Derived,
        &[CLIENT_CREDENTIALS],
        "A user that no flow uses is left over; whoever switches the flow on later gives away that user's rights without seeing it.",
        RUN_AS,
        "Take the element out, or switch the flow on.",
        |c, told| {
            for app in c
                .apps
                .iter()
                .filter(|app| app.has_oauth() && app.flag(&settings::CLIENT_CREDENTIALS) != Some(true))
            {
                if app.text(&settings::RUN_AS).is_some() {
                    told.app(
                        app,
                        &settings::RUN_AS,
                        "a run-as user is named, and the client credentials flow is off",
                    );
                }
            }
        }
    ),
    rule!(
        "flows/run-as-user-is-a-username",
        "the run-as user is a username",
        Must,
        Vendor,
        &[CLIENT_CREDENTIALS],
        "It is a username in the form of an e-mail address, not an id and not a name. In a sandbox usernames have a suffix.",
        RUN_AS,
        "`integration@example.com`.",
        |c, told| {
            for app in &c.apps {
                if app.text(&settings::RUN_AS).is_some_and(|user| !user.contains('@') && !filled_in(user)) {
                    told.app(app, &settings::RUN_AS, "this is no username");
                }
            }
        }
    ),
    rule!(
        "flows/client-credentials-have-a-secret",
        "an app with client credentials is confidential",
        Must,
        Normative,
        &["RFC 6749 §4.4"],
        "The client credentials grant is for confidential clients only. An app whose secret is optional is meant to be in the hands of users.",
        FLOWS,
        "isConsumerSecretOptional false, or two apps.",
        |c, told| {
            for app in by_itself(c).filter(|app| app.flag(&settings::SECRET_OPTIONAL) == Some(true)) {
                told.app(
                    app,
                    &settings::SECRET_OPTIONAL,
                    "the secret is optional, and the client credentials flow is on",
                );
            }
        }
    ),
    rule!(
        "flows/refresh-token-can-be-had",
        "an app with a scope for refresh tokens has a flow that brings one",
        Should,
        Derived,
        &["Salesforce Help: OAuth 2.0 Refresh Token Flow"],
        "Refresh tokens come of a login: by the web server flow, which needs a callback, or by the device flow. Without either no flow can bring one, and the scope does nothing.",
        FLOWS,
        "A callbackUrl, or no RefreshToken and OfflineAccess among the scopes.",
        |c, told| {
            // Who signs for users may have the scope for the sake of their approval.
            for app in c.apps.iter().filter(|app| {
                app.has_oauth()
                    && app.is_offline()
                    && app.callbacks().is_empty()
                    && app.flag(&settings::DEVICE) != Some(true)
                    && app.text(&settings::CERTIFICATE).is_none()
            }) {
                told.app(
                    app,
                    &settings::SCOPES,
                    "the app has a scope for refresh tokens, and no flow that could bring one",
                );
            }
        }
    ),
    rule!(
        "flows/device-flow-is-needed",
        "the device flow is on only where it is needed",
        BestPractice,
        Derived,
        &["RFC 8628 §5.4", "RFC 9700 §2.1"],
        "Whoever is talked into entering a code gives their access to a stranger's device; that was used against Salesforce customers in 2025.",
        FLOWS,
        "isDeviceFlowEnabled false.",
        |c, told| {
            for app in c.apps.iter().filter(|app| app.flag(&settings::DEVICE) == Some(true)) {
                told.app(app, &settings::DEVICE, "the device flow is on");
            }
        }
    ),
    rule!(
        "flows/token-exchange-needs-a-secret",
        "token exchange asks for the secret",
        Should,
        Derived,
        &["RFC 8693 §2.1", "RFC 9700 §2.5"],
        "Without it whoever has a token of the other issuer exchanges it.",
        FLOWS,
        "isSecretRequiredForTokenExchange true.",
        |c, told| {
            for app in c.apps.iter().filter(|app| app.flag(&settings::TOKEN_EXCHANGE) == Some(true)) {
                if app.flag(&settings::SECRET_FOR_EXCHANGE) == Some(false) {
                    told.app(app, &settings::SECRET_FOR_EXCHANGE, "tokens are exchanged without the secret");
                }
            }
        }
    ),
    rule!(
        "flows/headless-login-is-posted",
        "the code and credentials flow takes POST only",
        Should,
        Derived,
        &["RFC 9700 §4.2.4", "Salesforce Metadata API Developer Guide: isCodeCredentialPostOnly"],
        "With GET username and password stand in a URL, and so in logs.",
        FLOWS,
        "isCodeCredentialPostOnly or isCodeCredPostOnly true.",
        |c, told| {
            for app in c.apps.iter().filter(|app| app.flag(&settings::CODE_CREDENTIALS) == Some(true)) {
                if app.flag(&settings::POST_ONLY) != Some(true) {
                    told.app(app, &settings::POST_ONLY, "username and password may come in a URL");
                }
            }
        }
    ),
    rule!(
        "flows/introspection-is-of-its-own-tokens",
        "the app introspects its own tokens only",
        Should,
        Derived,
        &["RFC 7662 §4"],
        "With isIntrospectAllTokens it learns of the tokens of every app of the org. A gateway needs that; an ordinary client does not.",
        "Settings › OAuth Settings › Introspect All Tokens.",
        "isIntrospectAllTokens false.",
        |c, told| {
            for app in c.apps.iter().filter(|app| app.flag(&settings::INTROSPECT_ALL) == Some(true)) {
                told.app(app, &settings::INTROSPECT_ALL, "the app introspects the tokens of all apps");
            }
        }
    ),
    rule!(
        "flows/consumer-key-is-allowed",
        "a consumer key that is chosen has 8 to 256 letters, digits or underscores",
        Must,
        Vendor,
        &[
            "Salesforce Metadata API Developer Guide: ConnectedApp (alphanumeric; CumulusCI deploys underscores)"
        ],
        "Another one is refused when the app is created. Keys that Salesforce made have dots as well.",
        "",
        "consumerKey of 8 to 256 letters and digits, or none.",
        |c, told| {
            for app in &c.apps {
                let Some(key) = app.text(&settings::CONSUMER_KEY) else { continue };
                let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
                if !filled_in(key) && (!(8..=256).contains(&key.len()) || !key.chars().all(allowed)) {
                    told.app(app, &settings::CONSUMER_KEY, "this is no consumer key that can be chosen");
                }
            }
        }
    ),
];
