//! What is found out about a target before anything is played: its endpoints and what it can do.

use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::client::{Outgoing, Remember};
use crate::oauth::metadata_of;
use crate::oauth::salesforce::Profile;
use crate::subject::{Endpoints, Login, Target};
use crate::transcript::{Answer, Recording};
use crate::wire::{Error, Transport};

/// Where the embedded org answers in process.
pub const EMBEDDED: &str = "https://acme.my.salesforce.com";

/// What is known of the way to a target.
#[derive(Clone)]
pub struct Surroundings {
    /// Base URL.
    pub org: String,
    /// Given and discovered endpoints.
    pub endpoints: Endpoints,
    /// What the target can do, by name.
    pub capabilities: BTreeSet<&'static str>,
    /// The way there; none for the embedded org, which every scenario gets afresh.
    pub transport: Option<Transport>,
    /// Why the target cannot be reached, where it cannot.
    pub unreachable: Option<String>,
}

/// The endpoints of the embedded org, and the defaults of Salesforce, at a base URL.
pub fn embedded_endpoints(base: &str) -> Endpoints {
    let url = |path: &str| Some(format!("{base}{path}"));
    Endpoints {
        issuer: Some(base.to_owned()),
        authorize: url("/services/oauth2/authorize"),
        token: url("/services/oauth2/token"),
        introspect: url("/services/oauth2/introspect"),
        revoke: url("/services/oauth2/revoke"),
        userinfo: url("/services/oauth2/userinfo"),
        keys: url("/id/keys"),
        discovery: url("/.well-known/openid-configuration"),
        metadata: url("/.well-known/oauth-authorization-server"),
        api: url("/services/data/v62.0/limits"),
    }
}

/// Looks around: reads the discovery documents of a foreign target, and says what it can do.
///
/// # Errors
/// The authority of the target cannot be used.
pub async fn look_around(target: &Target, within: Duration) -> Result<Surroundings, Error> {
    let Some(org) = target.org.clone() else {
        let endpoints = over(&target.endpoints, &embedded_endpoints(EMBEDDED));
        let capabilities = capabilities(target, &endpoints);
        return Ok(Surroundings {
            org: EMBEDDED.to_owned(),
            endpoints,
            capabilities,
            transport: None,
            unreachable: None,
        });
    };
    let transport = Transport::http(target.ca.as_deref(), within, &org)?;
    let mut endpoints = target.endpoints.clone();
    let mut unreachable = None;
    let documents = [
        endpoints.discovery.clone().unwrap_or_else(|| format!("{org}/.well-known/openid-configuration")),
        endpoints.metadata.clone().unwrap_or_else(|| metadata_of(&org)),
    ];
    for (i, url) in documents.iter().enumerate() {
        match get(&transport, url).await {
            Ok(Some(document)) => {
                endpoints = over(&endpoints, &discovered(&document));
                let slot = if i == 0 { &mut endpoints.discovery } else { &mut endpoints.metadata };
                slot.get_or_insert_with(|| url.clone());
            }
            Ok(None) => {}
            Err(why) => unreachable = Some(why),
        }
    }
    if target.profile == Profile::Salesforce {
        endpoints = over(&endpoints, &embedded_endpoints(&org));
    }
    let capabilities = capabilities(target, &endpoints);
    Ok(Surroundings { org, endpoints, capabilities, transport: Some(transport), unreachable })
}

/// What a recording says of its target's surroundings: where it answered is where it seems to answer again.
pub fn look_back(target: &Target, recording: &Recording) -> Surroundings {
    let subject = &recording.transcript().subject;
    let (org, endpoints) = if target.is_embedded() {
        let org = recording.origin().unwrap_or_else(|| EMBEDDED.to_owned());
        let endpoints = over(&target.endpoints, &embedded_endpoints(&org));
        (org, endpoints)
    } else {
        (subject.org.clone(), subject.endpoints.clone())
    };
    let capabilities = capabilities(target, &endpoints);
    Surroundings { org, endpoints, capabilities, transport: None, unreachable: None }
}

async fn get(transport: &Transport, url: &str) -> Result<Option<Value>, String> {
    let request = http::Request::get(url).header("accept", "application/json").body(bytes::Bytes::new());
    let Ok(request) = request else { return Ok(None) };
    let outgoing = Outgoing { request, truncated: false, remember: Remember::default() };
    match transport.send(&outgoing).await.0 {
        Answer::Response(response) if response.status == 200 => Ok(response.json().cloned()),
        Answer::Response(_) => Ok(None),
        Answer::Nothing(why) => Err(why.to_string()),
    }
}

fn discovered(document: &Value) -> Endpoints {
    let url = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    Endpoints {
        issuer: url("issuer"),
        authorize: url("authorization_endpoint"),
        token: url("token_endpoint"),
        introspect: url("introspection_endpoint"),
        revoke: url("revocation_endpoint"),
        userinfo: url("userinfo_endpoint"),
        keys: url("jwks_uri"),
        discovery: None,
        metadata: None,
        api: None,
    }
}

/// What is given, and where it is silent, the other.
fn over(given: &Endpoints, other: &Endpoints) -> Endpoints {
    let pick = |a: &Option<String>, b: &Option<String>| a.clone().or_else(|| b.clone());
    Endpoints {
        issuer: pick(&given.issuer, &other.issuer),
        authorize: pick(&given.authorize, &other.authorize),
        token: pick(&given.token, &other.token),
        introspect: pick(&given.introspect, &other.introspect),
        revoke: pick(&given.revoke, &other.revoke),
        userinfo: pick(&given.userinfo, &other.userinfo),
        keys: pick(&given.keys, &other.keys),
        discovery: pick(&given.discovery, &other.discovery),
        metadata: pick(&given.metadata, &other.metadata),
        api: pick(&given.api, &other.api),
    }
}

fn capabilities(target: &Target, endpoints: &Endpoints) -> BTreeSet<&'static str> {
    let salesforce = target.profile == Profile::Salesforce;
    let logs_in = matches!(target.login, Login::Pages(_) | Login::Browser);
    [
        ("authorize", endpoints.authorize.is_some() && logs_in),
        ("clock", target.is_embedded()),
        ("deny", target.deny.is_some()),
        ("discovery", endpoints.discovery.is_some() || endpoints.metadata.is_some()),
        ("embedded", target.is_embedded()),
        ("https", endpoints.token.as_ref().is_some_and(|url| url.starts_with("https://"))),
        ("identity", salesforce),
        ("introspection", endpoints.introspect.is_some()),
        ("keys", endpoints.keys.is_some()),
        ("pages", endpoints.authorize.is_some() && matches!(target.login, Login::Pages(_))),
        ("resource", endpoints.api.is_some()),
        ("revocation", endpoints.revoke.is_some()),
        ("salesforce", salesforce),
        ("userinfo", endpoints.userinfo.is_some()),
    ]
    .into_iter()
    .filter(|(_, can)| *can)
    .map(|(name, _)| name)
    .collect()
}
