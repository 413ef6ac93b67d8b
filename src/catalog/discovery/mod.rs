//! Discovery: what a server publishes of itself (RFC 8414, OpenID Connect Discovery 1.0), and whether it is true.

mod keys;
mod members;
mod truth;

pub(super) use keys::{KEYS, key_sets};
pub(super) use members::MEMBERS;
pub(super) use truth::TRUTH;

use serde_json::{Map, Value};

use super::Cite::{OpenIdDiscovery, Rfc};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::subject::Flow;
use crate::transcript::questions::origin;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "discovery/document-is-json",
        title: "the metadata document is 200 with application/json",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "DS-01",
        cites: &[Rfc(8414, "3.2"), OpenIdDiscovery("4.2")],
        explain: "Clients read this document before anything else, and strict ones look at status and media type first: \
            a JSON text under text/html, or an HTML page with 200, makes discovery fail for some of them only, which is hard to \
            find. Serve a JSON object as application/json with status 200. A document that is not offered should be 404; of \
            the two well-known places one is enough.",
        passes: "> GET discovery\n\
            < 200 {\"issuer\":\"https://org.example\"}",
        fails: "> GET discovery\n\
            < 200 {\"issuer\":\"https://org.example\"}\n\
            < Content-Type: text/html",
        judge: document_is_json,
    },
    Check {
        id: "discovery/issuer-is-where-it-was-fetched",
        title: "the issuer is the URL that the document was fetched from, without the well-known part",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "DS-02",
        cites: &[Rfc(8414, "3.3"), OpenIdDiscovery("4.3")],
        explain: "A client compares both strings, so that a stranger's document cannot pass itself off as that of an \
            honest issuer (mix-up). If they differ, a correct client must not use the document at all; the usual cause is a \
            proxy, a second host name or a missing path. Build the issuer from the host that was asked. On Salesforce \
            configure the My Domain host as the issuer, not the login host: ID tokens carry it as iss.",
        passes: "> GET metadata\n\
            < 200 {\"issuer\":\"https://org.example\"}",
        fails: "> GET discovery\n\
            < 200 {\"issuer\":\"https://internal.example\"}",
        judge: issuer_is_where_it_was_fetched,
    },
    Check {
        id: "discovery/advertised-grants-are-known",
        title: "no grant type that the metadata lists is answered unsupported_grant_type",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "DS-08",
        cites: &[Rfc(8414, "2"), Rfc(6749, "5.2")],
        explain: "A client that chooses its grant by grant_types_supported runs into a wall where the token endpoint \
            does not know what the document promises. The check looks at the token requests of the record: at least one of an \
            app that may use the grant has to be answered with anything else than unsupported_grant_type. Generate the list \
            from the grants that are switched on.",
        passes: "> GET discovery\n\
            < 200 {\"issuer\":\"https://org.example\",\"grant_types_supported\":[\"client_credentials\",\"implicit\"]}\n\
            > POST token grant_type=client_credentials&client_id=main\n\
            < 200 {\"access_token\":\"A\"}",
        fails: "> GET discovery\n\
            < 200 {\"issuer\":\"https://org.example\",\"grant_types_supported\":[\"client_credentials\"]}\n\
            > POST token grant_type=client_credentials&client_id=main\n\
            < 400 {\"error\":\"unsupported_grant_type\"}",
        judge: advertised_grants_are_known,
    },
];

/// Every fetch of the server's own metadata that came back with 200 and is as it should be.
pub(super) fn fetches(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    let own = |x: &&Exchange| !is_stranger(t, x);
    let plain = |x: &&Exchange| x.request.method == "GET" && x.tweak.is_none() && x.status() == 200;
    t.at(Endpoint::Discovery).filter(plain).filter(own)
}

/// Every fetch of the metadata of an issuer that nobody ever spoke of.
fn strangers(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    let plain = |x: &&Exchange| x.request.method == "GET" && x.tweak.is_none() && is_stranger(t, x);
    t.at(Endpoint::Discovery).filter(plain)
}

/// Whether a document was asked for below a path that neither the target nor the server names.
fn is_stranger(t: &Transcript, x: &Exchange) -> bool {
    let endpoints = &t.subject.endpoints;
    let url = x.request.url.split(['?', '#']).next().unwrap_or("");
    let Some(asked) = asked_issuer(url) else { return false };
    let named = [&endpoints.discovery, &endpoints.metadata].into_iter().flatten().any(|known| known == url);
    let issuer = endpoints.issuer.as_deref().map(|issuer| issuer.strip_suffix('/').unwrap_or(issuer));
    !named && asked != origin(&asked) && issuer != Some(asked.as_str())
}

/// Whether it is OpenID Connect's document, not that of RFC 8414.
fn is_openid(x: &Exchange) -> bool {
    !x.request.path().contains("oauth-authorization-server")
}

pub(super) fn document(x: &Exchange) -> Option<&Map<String, Value>> {
    x.response()?.json()?.as_object()
}

fn media_type(x: &Exchange) -> String {
    let value = x.response().and_then(|r| r.header("content-type")).unwrap_or("");
    value.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

fn document_is_json(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let is_good = |x: &Exchange| document(x).is_some() && media_type(x) == "application/json";
    let good = fetches(t).any(is_good);
    for x in fetches(t) {
        // Of two well-known places one is enough, and some servers answer every unknown path with a page.
        let page = document(x).is_none() && media_type(x) == "text/html";
        if is_good(x) {
            j.pass();
        } else if !(page && good) {
            let what = if document(x).is_some() { "a JSON object" } else { "no JSON object" };
            let observed = match media_type(x).as_str() {
                "" => format!("{what} without a media type"),
                media_type => format!("{what} as {media_type}"),
            };
            j.fail(&[x], "a JSON object as application/json", observed);
        }
    }
    j
}

/// The issuer that a document belongs to: its URL without the well-known part (RFC 8414 §3.1 puts that part
/// between host and path, OpenID Connect Discovery §4.1 behind the path).
fn asked_issuer(url: &str) -> Option<String> {
    const WELL_KNOWN: &str = "/.well-known/";
    let url = url.split(['?', '#']).next().unwrap_or(url);
    let start = url.find(WELL_KNOWN)?;
    let name = &url[start + WELL_KNOWN.len()..];
    let path = name.find('/').map_or("", |slash| &name[slash..]);
    Some(format!("{}{path}", &url[..start]))
}

fn issuer_is_where_it_was_fetched(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in fetches(t) {
        let Some((asked, document)) = asked_issuer(&x.request.url).zip(document(x)) else { continue };
        let expected = format!("issuer {asked}");
        match document.get("issuer") {
            // A slash at the end of an issuer is left out of the URL.
            Some(Value::String(issuer)) if issuer.strip_suffix('/').unwrap_or(issuer) == asked => j.pass(),
            Some(Value::String(issuer)) => j.fail(&[x], expected, format!("issuer {issuer}")),
            Some(other) => j.fail(&[x], expected, format!("issuer is {other}")),
            None => j.fail(&[x], expected, "no issuer"),
        }
    }
    j
}

fn flow_of(grant_type: &str) -> Option<Flow> {
    use crate::oauth::grant::{
        authorization_code, client_credentials, jwt_bearer, refresh_token, saml_bearer,
    };
    match grant_type {
        authorization_code::GRANT_TYPE => Some(Flow::WebServer),
        refresh_token::GRANT_TYPE => Some(Flow::RefreshToken),
        client_credentials::GRANT_TYPE => Some(Flow::ClientCredentials),
        jwt_bearer::GRANT_TYPE => Some(Flow::JwtBearer),
        saml_bearer::GRANT_TYPE => Some(Flow::SamlBearer),
        _ => None,
    }
}

/// Token requests of that grant type that reached the choice of the grant, by apps that may use it.
fn probes<'t>(t: &'t Transcript, grant_type: &'t str) -> impl Iterator<Item = &'t Exchange> {
    let flow = flow_of(grant_type);
    t.requests_of(grant_type).filter(move |x| {
        let app = x.client_id().and_then(|id| t.subject.app_of(id));
        let may = app.is_none_or(|app| flow.is_none_or(|flow| app.flows.contains(&flow)));
        let form = x.request.form();
        let readable = form.get("grant_type").is_some() && form.repeated().is_none();
        may && readable && x.request.method == "POST" && (x.granted() || x.error().is_some())
    })
}

fn advertised_grants_are_known(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in fetches(t) {
        let listed = document(x).and_then(|d| d.get("grant_types_supported")?.as_array());
        let listed = listed.into_iter().flatten().filter_map(Value::as_str);
        // The implicit grant has no token request.
        for grant_type in listed.filter(|grant_type| *grant_type != "implicit") {
            let unknown =
                |y: &&Exchange| y.error().is_some_and(|error| error.error == "unsupported_grant_type");
            match probes(t, grant_type).next() {
                Some(probe) if probes(t, grant_type).all(|y| unknown(&y)) => {
                    let expected =
                        format!("anything but unsupported_grant_type: the metadata lists {grant_type}");
                    j.fail(&[x, probe], expected, probe.outcome());
                }
                Some(_) => j.pass(),
                None => {}
            }
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use super::asked_issuer;
    use crate::catalog::testing::verdict;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::Verdict;

    #[test]
    fn the_issuer_is_read_from_both_forms_of_the_url() {
        for (url, issuer) in [
            ("https://a.example/.well-known/openid-configuration", "https://a.example"),
            ("https://a.example/t/.well-known/openid-configuration", "https://a.example/t"),
            ("https://a.example/.well-known/oauth-authorization-server/t?x=1", "https://a.example/t"),
        ] {
            assert_eq!(asked_issuer(url).as_deref(), Some(issuer));
        }
        assert_eq!(asked_issuer("https://a.example/config"), None);
    }

    #[test]
    fn an_issuer_may_end_in_a_slash_but_not_be_a_longer_one() {
        let id = "discovery/issuer-is-where-it-was-fetched";
        let with =
            |issuer: &str| verdict(id, &format!("> GET discovery\n< 200 {{\"issuer\":\"{issuer}\"}}\n"));
        assert_eq!(with("https://org.example/"), Verdict::Pass);
        assert_eq!(with("https://org.example/x"), Verdict::Fail);
        assert_eq!(with("http://org.example"), Verdict::Fail);
    }

    #[test]
    fn a_document_that_is_not_offered_is_no_fail() {
        let id = "discovery/document-is-json";
        assert_eq!(verdict(id, "> GET metadata\n< 404 not here\n"), Verdict::Skip);
        let page = "> GET discovery\n< 200 {\"issuer\":\"x\"}\n> GET metadata\n< 200 <html>\n< Content-Type: text/html\n";
        assert_eq!(verdict(id, page), Verdict::Pass);
        assert_eq!(verdict(id, "> GET discovery\n< 200 <html>\n< Content-Type: text/html\n"), Verdict::Fail);
    }

    #[test]
    fn a_grant_that_one_app_may_not_use_is_still_known() {
        let id = "discovery/advertised-grants-are-known";
        let listed = "> GET discovery\n< 200 {\"grant_types_supported\":[\"client_credentials\"]}\n";
        let refused = "> POST token grant_type=client_credentials&client_id=main\n< 400 {\"error\":\"unsupported_grant_type\"}\n";
        let granted =
            "> POST token grant_type=client_credentials&client_id=other\n< 200 {\"access_token\":\"A\"}\n";
        assert_eq!(verdict(id, &format!("{listed}{refused}{granted}")), Verdict::Pass);
        let mut t = script::read(&format!("{listed}{refused}"));
        t.subject.apps.get_mut("main").unwrap().flows.clear();
        assert_eq!(judge_one(find(id).unwrap(), &t).verdict, Verdict::Skip);
    }

    #[test]
    fn a_grant_that_was_not_asked_for_is_not_judged() {
        let text = "> GET discovery\n< 200 {\"grant_types_supported\":[\"password\",\"implicit\"]}\n";
        assert_eq!(verdict("discovery/advertised-grants-are-known", text), Verdict::Skip);
    }
}
