//! What belongs together: the files of an external client app, and what becomes of connected apps.

use super::{Place, Rule};
use crate::metadata::app::{App, Form};
use crate::metadata::kinds::Kind;
use crate::verdict::{Basis, Level};

const ECA: &str = "Salesforce Metadata API Developer Guide: ExternalClientApplication";

/// Whether an app comes by a package, whose source never has the global settings.
fn is_packaged(app: &App<'_>) -> bool {
    let header = app.part(Kind::ExternalClientApplication);
    matches!(header.and_then(|item| item.root.text("distributionState")), Some("Packaged" | "Managed"))
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "parts/header-is-there",
        title: "the parts of an external client app have their header",
        level: Some(Level::Should),
        partner: None,
        basis: Basis::Vendor,
        cites: &[ECA],
        explain: "Settings and policies name their app by its developer name. Where no such app is in the project, they belong to one of a package, or the name is wrong and a deployment fails.",
        setup: "",
        xml: "externalClientApplication is the developer name of the .eca file, whatever the part's own file is called.",
        judge: |c, told| {
            for app in c.apps.iter().filter(|app| {
                app.form == Form::External && app.part(Kind::ExternalClientApplication).is_none()
            }) {
                for item in &app.parts {
                    let element = item.root.nearest("externalClientApplication");
                    told.item(
                        item,
                        element,
                        format!("there is no external client app `{}` in the project", app.name),
                    );
                }
            }
        },
    },
    Rule {
        id: "parts/one-file-of-each-type",
        title: "an external client app has one file of each type",
        level: Some(Level::Must),
        partner: None,
        basis: Basis::Vendor,
        cites: &[ECA],
        explain: "Of two policies files for one app the one that is deployed last wins. A copy that was renamed is the usual cause.",
        setup: "",
        xml: "Keep one, or correct externalClientApplication in the other.",
        judge: |c, told| {
            for app in &c.apps {
                for (number, item) in app.parts.iter().enumerate() {
                    if let Some(first) = app.parts[..number].iter().find(|other| other.kind == item.kind) {
                        let element = item.root.nearest("externalClientApplication");
                        told.item(
                            item,
                            element,
                            format!("`{}` has a file of this type already: {}", app.name, first.text.name()),
                        );
                    }
                }
            }
        },
    },
    Rule {
        id: "parts/oauth-settings-are-complete",
        title: "OAuth of an external client app has its settings and its global settings",
        level: Some(Level::Must),
        partner: None,
        basis: Basis::Vendor,
        cites: &[ECA],
        explain: "Scopes stand in one file, callback, flows and certificate in the other. With one alone the app has no scopes, or cannot be reached. Of an app that is packaged (distributionState Packaged or Managed) the global file is in no package: the org that it is deployed from has it.",
        setup: "",
        xml: "Retrieve both ExtlClntAppOauthSettings and ExtlClntAppGlobalOauthSettings. The global file is not packaged and must be deployed beside it.",
        judge: |c, told| {
            for app in c.apps.iter().filter(|app| app.part(Kind::ExternalClientApplication).is_some()) {
                match (app.part(Kind::OauthSettings), app.part(Kind::GlobalOauthSettings)) {
                    (Some(item), None) if !is_packaged(app) => told.item(
                        item,
                        &item.root,
                        format!("`{}` has no ExtlClntAppGlobalOauthSettings", app.name),
                    ),
                    (None, Some(item)) => told.item(
                        item,
                        &item.root,
                        format!("`{}` has no ExtlClntAppOauthSettings, and so no scopes", app.name),
                    ),
                    _ => {}
                }
            }
        },
    },
    Rule {
        id: "parts/oauth-policies-are-there",
        title: "OAuth of an external client app has its policies",
        level: Some(Level::Should),
        partner: None,
        basis: Basis::Community,
        cites: &[ECA, "field notes: oauth_policy_not_found"],
        explain: "Without policies the org gives defaults: every user may authorize, refresh tokens are good for a year; or it answers oauth_policy_not_found until the page was saved once.",
        setup: "External Client App Manager › the app › Policies › Edit › Save.",
        xml: "Retrieve ExtlClntAppOauthConfigurablePolicies and keep it with the app.",
        judge: |c, told| {
            for app in c
                .apps
                .iter()
                .filter(|app| app.part(Kind::ExternalClientApplication).is_some() && app.has_oauth())
            {
                if app.part(Kind::OauthPolicies).is_none() {
                    told.at(
                        &app.name,
                        app.here(),
                        format!("`{}` has no ExtlClntAppOauthConfigurablePolicies", app.name),
                    );
                }
            }
        },
    },
    Rule {
        id: "parts/app-is-enabled",
        title: "the app and its OAuth plugin are enabled",
        level: Some(Level::Should),
        partner: None,
        basis: Basis::Vendor,
        cites: &["Salesforce Metadata API Developer Guide: ExtlClntAppConfigurablePolicies"],
        explain: "Every flow of an app that is switched off is refused with oauth_flow_disabled.",
        setup: "External Client App Manager › the app › Policies › App Policies › Enabled.",
        xml: "isEnabled and isOauthPluginEnabled true.",
        judge: |c, told| {
            for app in c.apps.iter().filter(|app| app.has_oauth()) {
                let Some(item) = app.part(Kind::Policies) else { continue };
                for name in ["isEnabled", "isOauthPluginEnabled"] {
                    if let Some(element) = item.root.child(name).filter(|element| element.value == "false") {
                        told.item(item, element, format!("{name} is false, and OAuth is set up"));
                    }
                }
            }
        },
    },
    Rule {
        id: "parts/saml-config-is-complete",
        title: "SAML of a connected app names its service and its subject",
        level: Some(Level::Must),
        partner: None,
        basis: Basis::Vendor,
        cites: &["Salesforce Metadata API Developer Guide: ConnectedApp"],
        explain: "acsUrl, entityUrl and samlSubjectType are required: without them the deployment is refused.",
        setup: "App Manager › the app › Edit › Web App Settings › Enable SAML.",
        xml: "acsUrl, entityUrl and samlSubjectType in samlConfig; or no samlConfig.",
        judge: |c, told| {
            for item in c.project.of(Kind::ConnectedApp) {
                for config in item.root.all("samlConfig") {
                    for name in ["acsUrl", "entityUrl", "samlSubjectType"] {
                        if config.text(name).is_none() {
                            let place = Place { text: item.text.clone(), span: config.span };
                            told.at(item.of(), place, format!("samlConfig has no {name}"));
                        }
                    }
                }
            }
        },
    },
    Rule {
        id: "parts/app-is-external",
        title: "the app is an external client app",
        level: Some(Level::BestPractice),
        partner: None,
        basis: Basis::Vendor,
        cites: &["Salesforce Help 005228017: no new connected apps, Spring '26"],
        explain: "Since Spring '26 no org makes new connected apps, neither in Setup nor by deployment; those that exist go on. An app that moves gets another consumer key, a Local app is reached at its My Domain only, and there is no username-password flow.",
        setup: "Setup › App Manager › the app › Migrate to External Client App, where it is offered; or Setup › External Client App Manager › New.",
        xml: "ExternalClientApplication with its four parts: scopes become one list in ExtlClntAppOauthSettings; callback, certificate, flows, PKCE and rotation go to ExtlClntAppGlobalOauthSettings; run-as user, permitted users, IP relaxation and refresh token policy to ExtlClntAppOauthConfigurablePolicies; isEnabled stands in ExtlClntAppConfigurablePolicies. Each client gets the new consumer key, and asks at the My Domain.",
        judge: |c, told| {
            for app in c.apps.iter().filter(|app| app.form == Form::Connected && app.has_oauth()) {
                let item = app.parts[0];
                told.at(
                    &app.name,
                    Place { text: item.text.clone(), span: item.root.span },
                    format!("`{}` is a connected app", app.name),
                );
            }
        },
    },
];
