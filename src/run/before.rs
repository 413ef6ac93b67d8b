//! What is looked at on a real org before anything is played: whether the host is right for the flows, whether the clocks
//! agree, and whether consumer key, callbacks, PKCE and certificate are as the target or the metadata says. A few requests
//! without credentials, as a browser makes them before anybody logs in.

use std::collections::{BTreeMap, BTreeSet};

use super::Surroundings;
use crate::client::{Outgoing, Remember};
use crate::errors;
use crate::metadata::{Form, Registration, days, without_secrets};
use crate::oauth::salesforce::Profile;
use crate::oauth::{Params, pkce};
use crate::subject::{ConnectedApp, Flow, SettingsOf, Target};
use crate::transcript::questions::{is_loopback, moment};
use crate::transcript::{Answer, Response};
use crate::wire::{Transport, clock};

/// The most callbacks of an app that are asked about.
const CALLBACKS: usize = 10;
/// How far clocks may be apart before assertions are refused: Salesforce forgives some minutes, others none.
const SKEW_MS: i64 = 30_000;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// As it should be.
    Right,
    /// Not as it should be.
    Wrong,
    /// It could not be seen.
    Unseen,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What.
    pub what: &'static str,
    /// How it is.
    pub how: How,
    /// What was seen, one sentence without a full stop.
    pub seen: String,
    /// What mends it; empty where there is nothing to mend.
    pub cure: String,
}

impl Look {
    fn right(what: &'static str, seen: impl Into<String>) -> Self {
        Self { what, how: How::Right, seen: seen.into(), cure: String::new() }
    }

    fn wrong(what: &'static str, seen: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { what, how: How::Wrong, seen: seen.into(), cure: cure.into() }
    }

    fn unseen(what: &'static str, seen: impl Into<String>) -> Self {
        Self { what, how: How::Unseen, seen: seen.into(), cure: String::new() }
    }
}

/// Looks at a foreign target: at the apps whose roles are named, which are those that are about to be played, and at those
/// of the metadata. `metadata` are the apps as they were meant to be deployed; they are found in the target by consumer
/// key, else by their developer name as a role, and the first of them else as `main`.
pub async fn look_before(
    target: &Target,
    around: &Surroundings,
    metadata: &[Registration],
    roles: &BTreeSet<String>,
) -> Vec<Look> {
    let Some(transport) = &around.transport else { return Vec::new() };
    let meant = meant(target, metadata);
    let mut looks = Vec::new();
    if target.profile == Profile::Salesforce {
        looks.extend(host(target, &meant));
    }
    if let Some(why) = &around.unreachable {
        let cure = "look at the URL, the network, and `ca:` of the target";
        looks.push(Look::wrong("reach", why.clone(), cure));
        return looks;
    }
    looks.push(clock_of(transport, around).await);
    for (role, app) in &target.apps {
        let registration = meant.get(role.as_str()).copied();
        looks.extend(registration.and_then(|one| certificate(app, one, clock::real_now() / 1000)));
        if app.flows.contains(&Flow::WebServer) && (roles.contains(role) || registration.is_some()) {
            looks.extend(doors(target, around, transport, app, registration).await);
        }
    }
    looks
}

/// Which app of the target each piece of metadata is about.
fn meant<'m>(target: &Target, metadata: &'m [Registration]) -> BTreeMap<String, &'m Registration> {
    let named = |one: &Registration| {
        let key = one.app.client_id.as_str();
        let same = target.apps.iter().find(|(_, app)| !key.is_empty() && app.client_id == key);
        let own = || target.apps.get_key_value(&one.role());
        same.or_else(own).map(|(role, _)| role.clone())
    };
    let mut found: BTreeMap<String, &Registration> = BTreeMap::new();
    for one in metadata {
        if let Some(role) = named(one) {
            found.entry(role).or_insert(one);
        }
    }
    if let Some(first) = metadata.first().filter(|first| named(first).is_none()) {
        found.entry("main".to_owned()).or_insert(first);
    }
    found
}

/// Whether the host serves OAuth, and every flow that the target lists.
fn host(target: &Target, meant: &BTreeMap<String, &Registration>) -> Vec<Look> {
    let url = target.org.as_deref().and_then(|org| url::Url::parse(org).ok());
    let Some(host) = url.as_ref().and_then(url::Url::host_str) else { return Vec::new() };
    let here = target.org.as_deref().is_some_and(is_loopback);
    let mut looks = Vec::new();
    let my_domain = "name the My Domain: https://MYDOMAIN.my.salesforce.com (Setup › My Domain)";
    if url.as_ref().is_some_and(|url| url.scheme() == "http") && !here {
        looks.push(Look::wrong("host", format!("{host} is asked over plain http"), "write https://"));
    }
    let none = [".lightning.force.com", ".my.salesforce-setup.com", ".vf.force.com", ".visualforce.com"];
    if none.iter().any(|end| host.ends_with(end)) {
        looks.push(Look::wrong("host", format!("{host} serves no OAuth"), my_domain));
    }
    if matches!(host, "login.salesforce.com" | "test.salesforce.com") {
        if target.apps.values().any(|app| app.flows.contains(&Flow::ClientCredentials)) {
            let seen = format!("{host} refuses client credentials");
            looks.push(Look::wrong("host", seen, my_domain));
        }
        if meant.values().any(|one| one.form == Form::External) {
            let seen = format!("{host} does not know external client apps of one org");
            looks.push(Look::wrong("host", seen, my_domain));
        }
    }
    if looks.is_empty() {
        looks.push(Look::right(
            "host",
            format!("by its name, {host} serves every flow that the target lists"),
        ));
    }
    looks
}

/// How far the clocks are apart.
async fn clock_of(transport: &Transport, around: &Surroundings) -> Look {
    let url = around.endpoints.discovery.clone().unwrap_or_else(|| around.org.clone());
    let before = clock::real_now();
    let answer = get(transport, &url).await;
    let now = i64::midpoint(before, clock::real_now());
    let date = answer.as_ref().and_then(|response| response.header("date"));
    match date.and_then(moment) {
        Some(theirs) => skew(theirs, now),
        None => Look::unseen("clock", "the org told no Date"),
    }
}

fn skew(theirs: i64, ours: i64) -> Look {
    let apart = theirs - ours;
    // The field has whole seconds.
    let seconds = apart / 1000;
    if apart.abs() <= SKEW_MS {
        return Look::right("clock", format!("{} s apart", seconds.abs()));
    }
    let which = if apart > 0 { "behind" } else { "ahead of" };
    Look::wrong(
        "clock",
        format!(
            "this machine is {} s {which} the org: its assertions count as expired or not yet valid",
            seconds.abs()
        ),
        "set the clock (NTP)",
    )
}

/// Whether the key at hand is that of the certificate in the metadata, and the certificate is in force.
fn certificate(app: &ConnectedApp, meant: &Registration, now: i64) -> Option<Look> {
    let what = "certificate";
    let signs = app.flows.iter().any(|flow| matches!(flow, Flow::JwtBearer | Flow::SamlBearer));
    let Some(certificate) = &meant.app.certificate else {
        let cure = "Settings › OAuth Settings › Use digital signatures › upload the certificate, or take the flow out of the target";
        return signs.then(|| {
            Look::wrong(what, "the target lists a flow that signs, and the metadata has no certificate", cure)
        });
    };
    if app.key.as_ref().is_some_and(|key| key.public() != *certificate.key()) {
        let cure = "name the key that the certificate was made with, or deploy the certificate of this key";
        return Some(Look::wrong(
            what,
            "the key of the target is not that of the certificate in the metadata",
            cure,
        ));
    }
    if certificate.not_after < now {
        let seen =
            format!("the certificate in the metadata expired {} ago", days(now - certificate.not_after));
        return Some(Look::wrong(what, seen, "make a new one, and deploy it"));
    }
    if certificate.not_before > now {
        return Some(Look::wrong(
            what,
            "the certificate in the metadata is not valid yet",
            "wait, or make another",
        ));
    }
    let seen = match &app.key {
        Some(_) => "the key of the target is that of the certificate in the metadata",
        None => "the certificate in the metadata is in force; no key is at hand",
    };
    Some(Look::right(what, seen))
}

/// What the authorization endpoint says before anybody logs in: of the consumer key, of each callback, and of a request
/// without a challenge.
async fn doors(
    target: &Target,
    around: &Surroundings,
    transport: &Transport,
    app: &ConnectedApp,
    meant: Option<&Registration>,
) -> Vec<Look> {
    let Some(endpoint) = &around.endpoints.authorize else {
        return vec![Look::unseen("callback", "the authorization endpoint is not known")];
    };
    let mut looks = Vec::new();
    // Those that the metadata has, and those of the target that it does not have: a play comes back to either.
    let of_metadata = meant.map_or(&[][..], |one| &one.app.redirect_uris);
    let of_target = app.redirect_uris.iter().filter(|uri| !of_metadata.contains(uri));
    let callbacks: Vec<&String> = of_metadata.iter().chain(of_target).collect();
    let challenge = pkce::Method::S256.challenge("a-verifier-of-nobody-0123456789-0123456789-0123456789");
    let mut open = None;
    let mut told: BTreeSet<String> = BTreeSet::new();
    for callback in callbacks.iter().copied().take(CALLBACKS) {
        let answer = get(transport, &ask(endpoint, app, callback, Some(&challenge))).await;
        let shown = without_secrets(callback);
        match answer.as_ref().map(said) {
            None => looks.push(Look::unseen("callback", format!("{shown}: no answer"))),
            Some(None) => {
                looks.push(Look::right("callback", format!("{shown} is registered")));
                open.get_or_insert(callback);
            }
            Some(Some(error)) if error.is_of_callback() => {
                let seen = format!("{shown} is not registered ({error})");
                looks.push(Look::wrong("callback", seen, error.cure()));
            }
            Some(Some(error)) => {
                let of_client = error.code.contains("client_id");
                let what = if of_client { "consumer key" } else { "login" };
                let seen = format!("the org does not begin a login ({error})");
                // What is not of this callback is the same for each, and told once.
                if told.insert(seen.clone()) {
                    looks.push(Look::wrong(what, seen, error.cure()));
                }
                if of_client {
                    return looks;
                }
            }
        }
    }
    if let Some(more @ 1..) = callbacks.len().checked_sub(CALLBACKS) {
        looks.push(Look::unseen("callback", format!("{more} more of the app were not asked about")));
    }
    let Some(callback) = open else { return looks };
    let known = SettingsOf::new(Some(&app.settings), &target.settings);
    let required = meant.map(|one| one.app.policy.pkce_required).or_else(|| known.flag("pkce_required"));
    let whose = if meant.is_some() { "the metadata" } else { "the target" };
    let answer = get(transport, &ask(endpoint, app, callback, None)).await;
    let Some(refused) = answer.as_ref().map(|response| said(response).is_some()) else { return looks };
    looks.push(match (required, refused) {
        (Some(true), true) | (Some(false), false) => {
            Look::right("PKCE", format!("a login without a challenge is {}, as {whose} says", if refused { "refused" } else { "begun" }))
        }
        (Some(true), false) => Look::wrong(
            "PKCE",
            format!("a login without a challenge is begun, and {whose} says that PKCE is required"),
            "Settings › OAuth Settings › Security › Require Proof Key for Code Exchange (PKCE), or deploy the metadata",
        ),
        (Some(false), true) => Look::wrong(
            "PKCE",
            format!("a login without a challenge is refused, and {whose} says that PKCE is not required"),
            "isPkceRequired true in the metadata: that is what the org has; or Setup › OAuth and OpenID Connect Settings, which may require it of every app",
        ),
        (None, refused) => Look::right("PKCE", format!("a login without a challenge is {}", if refused { "refused" } else { "begun" })),
    });
    looks
}

fn ask(endpoint: &str, app: &ConnectedApp, callback: &str, challenge: Option<&str>) -> String {
    let mut query = Params::new()
        .with("response_type", "code")
        .with("client_id", app.client_id.as_str())
        .with("redirect_uri", callback)
        .with("state", "grantcheck-looks-around");
    if let Some(challenge) = challenge {
        query = query.with("code_challenge", challenge).with("code_challenge_method", "S256");
    }
    let joint = if endpoint.contains('?') { '&' } else { '?' };
    format!("{endpoint}{joint}{}", query.write())
}

/// An error that the endpoint told in place of a login page.
struct Told {
    code: String,
    description: Option<String>,
}

impl Told {
    /// Whether it is about the callback: by its code, or by words of an org that has no code for that.
    fn is_of_callback(&self) -> bool {
        let words =
            || self.description.as_deref().is_some_and(|words| words.to_lowercase().contains("redirect_uri"));
        self.code.contains("redirect_uri") || words()
    }

    fn cure(&self) -> String {
        let short = errors::short(&self.code, self.description.as_deref(), Some(Flow::WebServer));
        short.map_or_else(|| "`grantcheck explain` may know it".to_owned(), |short| short.cure)
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.description {
            Some(description) => write!(f, "{}: {description}", self.code),
            None => f.write_str(&self.code),
        }
    }
}

/// The error of an answer: on the spot as a query, in the query of a redirect, or as JSON.
fn said(response: &Response) -> Option<Told> {
    let of = |query: &str| {
        let params: BTreeMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let code = params.get("error").filter(|code| !code.contains(['<', ' ']))?.clone();
        Some(Told { code, description: params.get("error_description").cloned() })
    };
    let location =
        response.header("location").and_then(|at| at.split_once('?')).and_then(|(_, query)| of(query));
    let json = || {
        let body = response.json()?;
        let text = |name: &str| body.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
        Some(Told { code: text("error")?, description: text("error_description") })
    };
    let body = response.body.trim();
    let shown = || of(body).filter(|_| body.starts_with("error=") || body.contains("&error="));
    let other = || {
        let code = format!("status {}", response.status);
        (response.status >= 400).then_some(Told { code, description: None })
    };
    location.or_else(json).or_else(shown).or_else(other)
}

async fn get(transport: &Transport, url: &str) -> Option<Response> {
    let request =
        http::Request::get(url).header("accept", "text/html, application/json").body(bytes::Bytes::new());
    let outgoing = Outgoing { request: request.ok()?, truncated: false, remember: Remember::default() };
    match transport.send(&outgoing).await.0 {
        Answer::Response(response) => Some(response),
        Answer::Nothing(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(org: &str, flows: &[Flow]) -> Vec<String> {
        let mut target =
            Target { org: Some(org.to_owned()), profile: Profile::Salesforce, ..Target::default() };
        target.apps.insert("main".into(), ConnectedApp { flows: flows.to_vec(), ..ConnectedApp::default() });
        host(&target, &BTreeMap::new())
            .into_iter()
            .map(|look| format!("{:?} {}", look.how, look.seen))
            .collect()
    }

    #[test]
    fn a_host_must_serve_the_flows() {
        let alone = [Flow::ClientCredentials];
        assert_eq!(
            at("https://login.salesforce.com", &alone),
            ["Wrong login.salesforce.com refuses client credentials"]
        );
        assert!(at("https://login.salesforce.com", &[Flow::WebServer])[0].starts_with("Right"));
        assert!(at("https://acme.my.salesforce.com", &alone)[0].starts_with("Right"));
        assert_eq!(
            at("https://acme.lightning.force.com", &alone),
            ["Wrong acme.lightning.force.com serves no OAuth"]
        );
        assert_eq!(at("http://acme.my.salesforce.com", &alone).len(), 1);
    }

    #[test]
    fn clocks_may_be_some_seconds_apart() {
        assert_eq!(skew(10_000, 12_000).how, How::Right);
        let behind = skew(200_000, 10_000);
        assert_eq!(behind.how, How::Wrong);
        assert!(behind.seen.contains("190 s behind"), "{}", behind.seen);
        assert!(skew(10_000, 200_000).seen.contains("190 s ahead of"));
    }
}
