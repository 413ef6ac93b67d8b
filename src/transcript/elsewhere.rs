//! What of somebody's traffic went to hosts of others with a secret of the record: a browser's file has the whole web in it,
//! and nothing of that is judged but what should not have gone there.

use super::questions::{is_loopback, origin};
use super::{Exchange, Facts, Redactor, Request};
use crate::oauth::Endpoint;
use crate::subject::Target;

/// Kinds of secrets that nobody but their own server and their own client may see.
const SECRET: [&str; 10] = [
    "access_token",
    "assertion",
    "basic",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "password",
    "refresh_token",
    "token",
];

/// Domains of Salesforce, whose hosts take one another's access tokens.
const SALESFORCE: [&str; 8] = [
    "cloudforce.com",
    "documentforce.com",
    "force.com",
    "salesforce-sites.com",
    "salesforce-setup.com",
    "salesforce.com",
    "site.com",
    "visualforce.com",
];

/// What is known of the hosts and secrets of a record.
pub(super) struct Elsewhere {
    /// Sites of the server and of the client.
    own: Vec<String>,
    /// Whether it is known where access tokens belong.
    resources_known: bool,
    secrets: Redactor,
}

impl Elsewhere {
    /// Of a record, its target as it was given and as it is known by now, and the callbacks of the client.
    pub(super) fn of(exchanges: &[Exchange], target: &Target, known: &Target, callbacks: &[String]) -> Self {
        // Nothing that it makes is ever shown, so its key is no secret.
        let mut secrets = Redactor::new([0; 32]);
        secrets.learn_target(target);
        let at = &known.endpoints;
        let endpoints =
            [&at.issuer, &at.authorize, &at.token, &at.introspect, &at.revoke, &at.userinfo, &at.api];
        let answers = exchanges.iter().filter(|x| x.endpoint == Endpoint::Token);
        let named: Vec<&str> = answers
            .flat_map(|x| ["instance_url", "id"].into_iter().filter_map(|name| x.text(name)))
            .collect();
        let resources_known = at.api.is_some() || !named.is_empty();
        let asked =
            exchanges.iter().filter(|x| x.endpoint != Endpoint::Resource).map(|x| x.request.url.as_str());
        let urls = endpoints.into_iter().flatten().chain(&known.org).chain(callbacks).map(String::as_str);
        let mut own: Vec<String> = urls.chain(named).chain(asked).filter_map(site).collect();
        own.sort();
        own.dedup();
        // What a call to somebody else shows is theirs, unless it is known from the record.
        let ours = |x: &&Exchange| {
            x.endpoint != Endpoint::Resource || site(&x.request.url).is_some_and(|site| own.contains(&site))
        };
        exchanges.iter().filter(ours).for_each(|x| secrets.learn_exchange(x));
        Self { own, resources_known, secrets }
    }

    /// Whether a call with an access token is judged, and at whom: one of another service than the record's is not.
    pub(super) fn keeps(&mut self, x: &mut Exchange) -> bool {
        if x.endpoint != Endpoint::Resource || !self.resources_known || !self.is_strange(&x.request.url) {
            return true;
        }
        let Some(facts) = self.facts(&x.request) else { return false };
        x.facts.stranger = facts.stranger;
        x.facts.secret_in = facts.secret_in;
        true
    }

    /// What is to be told of a request to a host of others; none where it is to none, or takes no secret along.
    pub(super) fn facts(&mut self, request: &Request) -> Option<Facts> {
        if !self.is_strange(&request.url) {
            return None;
        }
        let (mut taken, mut place) = (false, None);
        for (there, text) in texts(request) {
            let kinds = self.secrets.kinds_in(&text);
            taken |= kinds.iter().any(|kind| SECRET.contains(&kind.as_str()));
            if kinds.iter().any(|kind| ["client_secret", "basic"].contains(&kind.as_str())) {
                place = place.or(Some(there));
            }
        }
        let stranger = Some(origin(&request.url).to_owned());
        taken.then(|| Facts { stranger, secret_in: place, ..Facts::default() })
    }

    /// As what a request to a host of others is kept: as a call where an access token is in its URL.
    pub(super) fn endpoint(&mut self, request: &Request) -> Endpoint {
        let called = self.secrets.kinds_in(&request.url).iter().any(|kind| kind == "access_token");
        if called { Endpoint::Resource } else { Endpoint::Page }
    }

    fn is_strange(&self, url: &str) -> bool {
        let Some(site) = site(url).filter(|_| !is_loopback(url)) else { return false };
        let sibling =
            || SALESFORCE.contains(&&*site) && self.own.iter().any(|own| SALESFORCE.contains(&&**own));
        !self.own.contains(&site) && !sibling()
    }
}

/// What stands in a request, each with where.
fn texts(request: &Request) -> Vec<(String, String)> {
    let mut texts = vec![("the URL".to_owned(), request.url.clone())];
    let headers = request.headers.iter();
    texts.extend(headers.map(|(name, value)| (format!("the header {name}"), value.clone())));
    match request.form().is_empty() {
        true => texts.push(("the body".to_owned(), request.body.clone())),
        false => {
            let pairs = request.form().iter();
            texts.extend(pairs.map(|(name, value)| (format!("the parameter {name}"), value.to_owned())));
        }
    }
    texts
}

/// The domain that somebody registered, near enough: hosts below it are one party's. An address is a site of its own.
fn site(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let Some(url::Host::Domain(name)) = url.host() else { return Some(url.host()?.to_string()) };
    let labels: Vec<&str> = name.trim_end_matches('.').split('.').collect();
    // `example.co.uk`: the country, and what it has instead of a kind.
    let national =
        labels.len() > 2 && labels[labels.len() - 1].len() == 2 && labels[labels.len() - 2].len() < 4;
    Some(labels[labels.len().saturating_sub(if national { 3 } else { 2 })..].join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_one_party_are_one_site() {
        for (url, expected) in [
            ("https://acme.my.salesforce.com/x", "salesforce.com"),
            ("https://a.example.co.uk", "example.co.uk"),
            ("https://api.acme.io:8443/", "acme.io"),
            ("http://127.0.0.1:1717/cb", "127.0.0.1"),
            ("http://localhost:1/", "localhost"),
        ] {
            assert_eq!(site(url).as_deref(), Some(expected));
        }
        assert_eq!(site("com.example:/cb"), None);
    }

    #[test]
    fn hosts_of_salesforce_take_one_anothers_tokens() {
        let own = vec!["salesforce.com".to_owned(), "client.test".to_owned()];
        let known = Elsewhere { own, resources_known: true, secrets: Redactor::new([0; 32]) };
        for (url, strange) in [
            ("https://acme.lightning.force.com/x", false),
            ("https://app.client.test/", false),
            ("http://127.0.0.1:9/", false),
            ("https://salesforce.com.evil.test/", true),
            ("https://evil.test/", true),
        ] {
            assert_eq!(known.is_strange(url), strange, "{url}");
        }
    }
}
