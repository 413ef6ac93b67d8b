//! A program that has Salesforce's hosts written into it: the proxy leads it to the org, over TLS, and to nobody else.

use bytes::Bytes;
use std::sync::Arc;

use crate::support::embedded;
use grantcheck::oauth::Endpoint;
use grantcheck::org::{MY_DOMAIN, Org};
use grantcheck::run::embedded_endpoints;
use grantcheck::subject::{Behaviour, Target};
use grantcheck::transcript::{Answer, Exchange, Failure, Part};
use grantcheck::wire::Clock;
use grantcheck::wire::authority::Authority;
use grantcheck::wire::counterpart::{Counterpart, Door, Place, Proxied};
use grantcheck::wire::host::Host;
use grantcheck::wire::proxy;

const ROGUE: &str = "https://rogue.example";

struct Led {
    counterpart: Arc<Counterpart>,
    _host: Host,
    http: reqwest::Client,
}

fn counterpart(org: &str) -> Arc<Counterpart> {
    let target = Target { endpoints: embedded_endpoints(org), ..embedded() };
    let emulated = Arc::new(Org::new(&target, &[], [1; 32]));
    let counterpart = Arc::new(Counterpart::new(
        emulated,
        Clock::real(),
        Behaviour::default(),
        ("s", "main"),
        Part::Scenario,
        (10, None),
    ));
    counterpart.listens_at(Place {
        org: org.to_owned(),
        instance: "https://acme--instance.my.salesforce.com".to_owned(),
        rogue: ROGUE.to_owned(),
        hosts: proxy::HOSTS.iter().map(|host| (*host).to_owned()).collect(),
        target: Arc::new(target),
    });
    counterpart
}

async fn led(trusts: bool) -> Led {
    let counterpart = counterpart(MY_DOMAIN);
    let authority = Authority::new().unwrap();
    let hosts = proxy::HOSTS.iter().map(|host| (*host).to_owned()).chain(["rogue.example".to_owned()]);
    let gate = Arc::new(Proxied(counterpart.clone()));
    let host = proxy::start(gate, &authority, hosts.collect(), "127.0.0.1:0").await.unwrap();
    let mut builder = reqwest::Client::builder().proxy(reqwest::Proxy::all(host.url()).unwrap());
    if trusts {
        let certificate = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
        builder = builder.tls_certs_merge([certificate]);
    }
    Led { counterpart, _host: host, http: builder.build().unwrap() }
}

impl Led {
    fn seen(&self) -> Vec<Exchange> {
        self.counterpart.seen().exchanges
    }
}

#[test]
fn what_began_before_another_start_is_of_the_first() {
    let counterpart = counterpart(MY_DOMAIN);
    let request = http::Request::get("https://client.example/callback?code=c").body(Bytes::new()).unwrap();
    let nothing = || Answer::Nothing(Failure::Broken("it was killed".into()));
    let (at, first) = counterpart.begins();
    counterpart.starts_again();
    let (_, second) = counterpart.begins();
    counterpart.heard(second, at, 0, &request, nothing());
    counterpart.heard(first, at, 0, &request, nothing());
    let steps: Vec<usize> = counterpart.seen().exchanges.iter().map(|x| x.step).collect();
    assert_eq!(steps, [0, 1]);
}

#[tokio::test]
async fn a_host_of_the_org_is_answered_under_its_own_name() {
    let led = led(true).await;
    let url = "https://login.salesforce.com/.well-known/openid-configuration";
    let answer = led.http.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let document: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(document["issuer"], "https://login.salesforce.com");
    let seen = led.seen();
    assert_eq!((seen[0].endpoint, seen[0].request.url.as_str()), (Endpoint::Discovery, url));
}

#[tokio::test]
async fn who_does_not_trust_the_authority_comes_no_further() {
    let led = led(false).await;
    assert!(led.http.get("https://login.salesforce.com/id/keys").send().await.is_err());
    assert!(led.seen().is_empty());
}

#[tokio::test]
async fn another_host_is_refused_and_told_of() {
    let led = led(true).await;
    assert!(led.http.get("https://telemetry.example/t?k=1").send().await.is_err());
    let plain = led.http.post("http://telemetry.example/t").bearer_auth("T1").body("client_secret=S1");
    assert_eq!(plain.send().await.unwrap().status(), 403);
    let seen = led.seen();
    let told: Vec<_> = seen.iter().map(|x| (x.request.url.as_str(), x.status())).collect();
    assert_eq!(told, [("https://telemetry.example:443", 403), ("http://telemetry.example/t", 403)]);
    // What went there in the clear is in the record, and that it went to a stranger.
    let (request, facts) = (&seen[1].request, &seen[1].facts);
    assert_eq!((request.bearer(), request.body.as_str()), (Some("T1"), "client_secret=S1"));
    assert_eq!(facts.stranger.as_deref(), Some("http://telemetry.example"));
}

#[tokio::test]
async fn the_host_that_is_none_of_the_orgs_hears_and_says_nothing() {
    let led = led(true).await;
    let answer = led.http.post(format!("{ROGUE}/services/oauth2/token")).body("a=b").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, "{}"));
    assert_eq!(led.seen()[0].request.url, "https://rogue.example/services/oauth2/token");
}

#[tokio::test]
async fn over_tls_the_org_is_at_localhost() {
    let counterpart = counterpart("https://localhost:1");
    let authority = Authority::new().unwrap();
    let host = Host::serving_tls(counterpart.door(Door::Org), &authority, "127.0.0.1:0").await.unwrap();
    let certificate = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let http = reqwest::Client::builder().tls_certs_merge([certificate]).no_proxy().build().unwrap();
    let answer = http.get(format!("{}/id/keys", host.url())).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(reqwest::get(format!("{}/id/keys", host.url())).await.is_err());
    // What it says of itself is where it was reached.
    let answer = http.get(format!("{}/.well-known/openid-configuration", host.url())).send().await.unwrap();
    let document: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(document["issuer"].as_str(), Some(host.url().as_str()));
}
