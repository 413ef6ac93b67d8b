//! Where an org stands for a client program: at addresses of this machine, with or without TLS, or under the names of
//! Salesforce's hosts behind a proxy.

use std::sync::Arc;

use super::control::Shared;
use crate::org::MY_DOMAIN;
use crate::subject::{Target, Way};
use crate::wire::Error;
use crate::wire::counterpart::{Counterpart, Door, Place, Proxied};
use crate::wire::files::Private;
use crate::wire::host::Host;
use crate::wire::proxy;

/// On this machine, at a port that nobody has.
const ANY_PORT: &str = "127.0.0.1:0";
/// The instance, where hosts have names.
const INSTANCE: &str = "https://acme--instance.my.salesforce.com";
/// The host that is none of the org's, where hosts have names.
const ROGUE: &str = "https://rogue.example";

/// Variables by which programs find the authorities that they trust, each known from the documentation of an ecosystem:
/// OpenSSL and what is built on it, Python's requests, curl, Node.
const CA_VARIABLES: [&str; 4] =
    ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"];
/// Variables by which they find a proxy.
const PROXY_VARIABLES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// The hosts of one play.
pub(super) struct Doors {
    /// Base URL of the org.
    pub(super) org: String,
    /// The certificate of the authority that vouches for them, where there is TLS.
    pub(super) ca: Option<String>,
    /// URL of the proxy, where there is one.
    pub(super) proxy: Option<String>,
    /// Base URL of the instance that it hands clients on to.
    pub(super) instance: String,
    rogue: String,
    named: Vec<String>,
    hosts: Vec<Host>,
}

impl Doors {
    /// Opens them.
    pub(super) async fn open(org: &Arc<Counterpart>, way: &Way, shared: &Shared) -> Result<Self, Error> {
        let mut doors = Self {
            org: MY_DOMAIN.to_owned(),
            instance: INSTANCE.to_owned(),
            rogue: ROGUE.to_owned(),
            ca: None,
            proxy: None,
            named: Vec::new(),
            hosts: Vec::new(),
        };
        if let Way::Proxy(more) = way {
            let authority = shared.authority()?;
            let named = proxy::HOSTS.iter().map(|host| (*host).to_owned()).chain(more.iter().cloned());
            doors.named = named.collect();
            let led: Vec<String> = doors
                .named
                .iter()
                .cloned()
                .chain([ROGUE.trim_start_matches("https://").to_owned()])
                .collect();
            let host = proxy::start(Arc::new(Proxied(org.clone())), &authority, led, ANY_PORT).await?;
            doors.proxy = Some(host.url());
            doors.ca = Some(authority.pem().to_owned());
            doors.hosts.push(host);
            return Ok(doors);
        }
        for door in [Door::Org, Door::Instance, Door::Rogue] {
            let host = match way {
                Way::Tls => Host::serving_tls(org.door(door), &shared.authority()?, ANY_PORT).await?,
                _ => Host::serving(org.door(door), ANY_PORT).await?,
            };
            match door {
                Door::Org => doors.org = host.url(),
                Door::Instance => doors.instance = host.url(),
                Door::Rogue => doors.rogue = host.url(),
            }
            doors.hosts.push(host);
        }
        if *way == Way::Tls {
            doors.ca = Some(shared.authority()?.pem().to_owned());
        }
        Ok(doors)
    }

    /// What the counterpart has to know of them.
    pub(super) fn place(&self, target: Arc<Target>) -> Place {
        let (org, instance, rogue) = (self.org.clone(), self.instance.clone(), self.rogue.clone());
        Place { org, instance, rogue, hosts: self.named.clone(), target }
    }

    /// The ports that they listen on.
    pub(super) fn ports(&self) -> Vec<u16> {
        self.hosts.iter().map(Host::port).collect()
    }

    /// Closes them.
    pub(super) async fn close(self) {
        for host in self.hosts {
            host.stop().await;
        }
    }
}

/// What stands in the environment of a program so that it trusts an authority and asks a proxy, whatever it is written
/// in: as far as its ecosystem looks there at all.
pub(super) fn trusting(
    ca: &str,
    proxy: Option<&str>,
    files: &Private,
) -> Result<Vec<(String, String)>, Error> {
    let mut environment: Vec<(String, String)> =
        CA_VARIABLES.iter().map(|name| ((*name).to_owned(), ca.to_owned())).collect();
    // PHP has no variable of its own; it reads every `.ini` of a folder that a variable names.
    let ini = files.put("authority.ini", &format!("curl.cainfo={ca}\nopenssl.cafile={ca}\n"))?;
    let folder = ini.trim_end_matches("/authority.ini");
    environment.push(("PHP_INI_SCAN_DIR".to_owned(), format!(":{folder}")));
    let Some(proxy) = proxy else { return Ok(environment) };
    environment.extend(PROXY_VARIABLES.iter().map(|name| ((*name).to_owned(), proxy.to_owned())));
    // Node asks no proxy unless it is told to; Java reads its options from a variable.
    environment.push(("NODE_USE_ENV_PROXY".to_owned(), "1".to_owned()));
    if let Some((host, port)) = proxy.trim_start_matches("http://").rsplit_once(':') {
        let java = format!("-Dhttps.proxyHost={host} -Dhttps.proxyPort={port}");
        environment.push(("JAVA_TOOL_OPTIONS".to_owned(), java));
    }
    Ok(environment)
}
