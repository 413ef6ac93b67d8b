//! The target file of apps on a real org.

use std::fmt::Write as _;

use super::{Named, list, run_as, text, time};
use crate::oauth::comes_back;
use crate::subject::{AppPolicy, ClientAuth, Flow, RefreshPolicy};

/// The target file. It is for the org that the apps are deployed to; the embedded org takes them by `--app`.
pub fn target(apps: &[Named<'_>]) -> String {
    let mut out = String::from(
        "# The org that the apps are deployed to. What no metadata has comes from the environment and from files beside this\n\
         # one; no secret stands here. Before deployment: grantcheck run SUITE --app METADATA, which needs no target.\n\
         org: ${SF_ORG} # https://MYDOMAIN.my.salesforce.com: client credentials and external client apps work there only\n\
         profile: salesforce # with its own error codes; also behind a host that does not look like it\n\
         apps:\n",
    );
    let users_of_apps = run_as(apps);
    apps.iter().for_each(|named| app(&mut out, named, apps, &users_of_apps));
    users(&mut out, apps, &users_of_apps);
    let browser = apps.iter().any(|named| named.logs_in())
        && apps
            .iter()
            .filter(|named| named.lists(Flow::WebServer))
            .all(|named| named.callbacks().first().is_some_and(|uri| comes_back(uri)));
    if browser {
        out.push_str("login: browser # a person logs in once, with whatever the org asks for\n");
    } else if apps.iter().any(|named| named.logs_in()) {
        out.push_str(
            "# No callback comes back to this machine: register http://localhost:1717/callback, name it first and write\n\
             # `login: browser`; or give what an earlier login brought: `login: { refresh_token: \"${SF_REFRESH_TOKEN}\" }`.\n\
             login: none\n",
        );
    }
    settings(&mut out, apps);
    out
}

/// A variable of an app: `SF_CLIENT_ID` of the first, `SF_BILLING_CLIENT_ID` of another.
fn variable(named: &Named<'_>, what: &str) -> String {
    if named.role == "main" {
        return format!("SF_{what}");
    }
    let role: String = named.role.to_ascii_uppercase().replace('-', "_");
    format!("SF_{role}_{what}")
}

fn app(out: &mut String, named: &Named<'_>, apps: &[Named<'_>], run_as: &[(String, &str)]) {
    let app = &named.app.app;
    let _ = writeln!(out, "  {}: # {}", named.role, named.app.name.replace(['\n', '\r'], " "));
    let key = match app.client_id.as_str() {
        "" => format!("${{{}}}", variable(named, "CLIENT_ID")),
        key => text(key),
    };
    let _ = writeln!(out, "    client_id: {key}");
    if app.client_auth == ClientAuth::None {
        out.push_str("    client_auth: none # no flow asks for the secret\n");
    } else {
        let _ = writeln!(out, "    client_secret: ${{{}}}", variable(named, "CLIENT_SECRET"));
    }
    if app.certificate.is_some() {
        let file = if named.role == "main" { "server.key".to_owned() } else { format!("{}.key", named.role) };
        let _ =
            writeln!(out, "    key: ${{file:{file}}} # the private key of the certificate in the metadata");
        if let Some(certificate) = &app.certificate {
            let _ = writeln!(out, "    certificate: {}", certificate.base64());
        }
    }
    let callbacks = named.callbacks();
    if !callbacks.is_empty() {
        let _ = writeln!(out, "    redirect_uri: {}", list(callbacks.iter().copied()));
    }
    let _ = writeln!(out, "    scopes: {}", list(app.scopes.iter().map(String::as_str)));
    let flows = app.flows.iter().filter(|flow| **flow != Flow::WebServer || !callbacks.is_empty());
    let mut flows: Vec<&str> = flows.map(|flow| flow.name()).collect();
    if app.policy.disabled {
        out.push_str("    # The app, or its OAuth plugin, is switched off: no flow may work.\n");
        flows.clear();
    }
    let _ = writeln!(out, "    flows: {}", list(flows));
    let own = |(_, username): &&(String, &str)| {
        named.app.run_as.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(username))
    };
    if let Some((role, _)) = run_as.iter().find(own) {
        let _ = writeln!(out, "    run_as: {role}");
    }
    let own = stated(&app.policy, &|name| !agreed(apps, name));
    if !own.is_empty() {
        let _ = writeln!(out, "    settings: {{ {} }} # in which the apps differ", own.join(", "));
    }
}

fn users(out: &mut String, apps: &[Named<'_>], run_as: &[(String, &str)]) {
    let asked = apps.iter().any(|named| named.lists(Flow::WebServer) || named.lists(Flow::JwtBearer));
    if !asked && run_as.is_empty() {
        return;
    }
    out.push_str("users:\n");
    if asked {
        let given = apps.iter().any(|named| named.app.app.policy.admin_approved);
        let who = if given {
            "a user whom a permission set or a profile of the app lets in"
        } else {
            "a user who approved the app before"
        };
        let _ = writeln!(out, "  main: {{ username: \"${{SF_USERNAME}}\" }} # {who}");
        out.push_str(
            "  # unapproved: { username: \"${SF_OTHER_USERNAME}\" } # one who may not, or never did\n",
        );
    }
    for (role, username) in run_as {
        let name = text(username);
        let _ = writeln!(out, "  {role}: {{ username: {name} }} # client credentials run as this user");
    }
}

/// What the metadata says of the server, where all of the apps agree.
fn settings(out: &mut String, apps: &[Named<'_>]) {
    let Some(first) = apps.first() else { return };
    let lines = stated(&first.app.app.policy, &|name| agreed(apps, name));
    if lines.is_empty() {
        return;
    }
    out.push_str("settings: # what the metadata says; scenarios that depend on it are played\n");
    lines.iter().for_each(|line| {
        let _ = writeln!(out, "  {line}");
    });
}

/// Whether the metadata of all of the apps says the same.
fn agreed(apps: &[Named<'_>], name: &str) -> bool {
    // A policy is of no use without its period.
    let names = if name == "refresh_policy" { &[name, "refresh_token_ttl"][..] } else { &[name] };
    names.iter().all(|name| {
        let mut said = apps.iter().map(|one| one.app.app.policy.says(name));
        let first = said.next();
        said.all(|other| Some(other) == first)
    })
}

/// What a policy says, a line for each of the settings that are asked for.
fn stated(policy: &AppPolicy, asked: &dyn Fn(&str) -> bool) -> Vec<String> {
    let flags = [
        ("pkce_required", policy.pkce_required),
        ("secret_optional", policy.secret_optional),
        ("secret_for_refresh", policy.secret_for_refresh),
        ("admin_approved", policy.admin_approved),
        ("rotation", policy.rotation),
        ("introspect_all", policy.introspect_all),
        ("jwt_access_tokens", policy.jwt_access_tokens),
    ];
    let flags = flags.into_iter().filter(|(name, _)| asked(name));
    let mut lines: Vec<String> = flags.map(|(name, flag)| format!("{name}: {flag}")).collect();
    if asked("access_token_ttl") {
        lines.push(format!("access_token_ttl: {}", time(policy.access_token_ttl)));
    }
    if asked("refresh_policy") {
        lines.push(format!("refresh_policy: {}", policy.refresh_policy.word()));
        if let RefreshPolicy::Lifetime(millis) | RefreshPolicy::Inactivity(millis) = policy.refresh_policy {
            lines.push(format!("refresh_token_ttl: {}", time(millis)));
        }
    }
    lines
}
