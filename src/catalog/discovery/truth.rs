//! Whether the metadata is true: held against the rest of the record, and against each other.

use serde_json::{Map, Value};

use super::members::list;
use super::{asked_issuer, document, fetches, flow_of, is_openid, strangers};
use crate::catalog::Cite::{OpenIdDiscovery, Rfc};
use crate::catalog::client_auth::{lists, shown_as_registered};
use crate::catalog::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::subject::ClientAuth;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

pub(in crate::catalog) const TRUTH: &[Check] = &[
    Check {
        id: "discovery/advertised-client-authentication-works",
        title: "a way of client authentication that the metadata lists is accepted at the token endpoint",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "DS-09",
        cites: &[Rfc(8414, "2"), Rfc(6749, "2.3")],
        explain: "Libraries pick the way of authentication from token_endpoint_auth_methods_supported; where it is left out \
            it stands for client_secret_basic. If the endpoint then answers invalid_client to a right secret or a right \
            assertion, the user is told that his credentials are wrong, which they are not. The check looks at apps that are \
            registered for the way and sent the right thing: one of their requests has to be granted. Support what the list \
            says, or take it out. On Salesforce client_secret_post, client_secret_basic and private_key_jwt are listed.",
        passes: "> GET discovery\n\
            < 200 {\"token_endpoint_auth_methods_supported\":[\"client_secret_post\"]}\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            ! secret right\n\
            < 200 {\"access_token\":\"A\"}",
        fails: "> GET discovery\n\
            < 200 {\"token_endpoint_auth_methods_supported\":[\"client_secret_post\"]}\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            ! secret right\n\
            < 400 {\"error\":\"invalid_client\"}",
        judge: advertised_client_authentication_works,
    },
    Check {
        id: "discovery/revocation-and-introspection-are-published",
        title: "the metadata names the revocation and introspection endpoints that there are",
        binds: Party::Org,
        level: Level::BestPractice,
        basis: Basis::Derived,
        origin: "DS-11",
        cites: &[Rfc(8414, "2"), Rfc(7009, "2"), Rfc(7662, "2")],
        explain: "Both members are optional, but a client that finds no revocation_endpoint leaves its tokens alive when the \
            user logs out, and a resource server without introspection_endpoint has to be configured by hand. The \
            check asks for them where the target is known to have the endpoints. Publish what is offered.",
        passes: "> GET discovery\n\
            < 200 {\"revocation_endpoint\":\"https://org.example/revoke\",\"introspection_endpoint\":\"https://org.example/introspect\"}",
        fails: "> GET discovery\n\
            < 200 {\"introspection_endpoint\":\"https://org.example/introspect\"}",
        judge: revocation_and_introspection_are_published,
    },
    Check {
        id: "discovery/both-documents-agree",
        title: "the RFC 8414 document and the OpenID Connect document say the same",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "DS-13",
        cites: &[Rfc(8414, "5"), OpenIdDiscovery("3")],
        explain: "Some clients read the one, some the other, and nobody expects two servers. Where they differ in an endpoint, \
            in the issuer or in what is supported, half of the clients meet another server than the one that was tested. \
            The check compares endpoints, issuer, keys, response types, grants, ways of client authentication and PKCE \
            methods, lists as sets, and members that both have. Serve both from one source.",
        passes: "> GET discovery\n\
            < 200 {\"issuer\":\"https://org.example\",\"response_types_supported\":[\"code\",\"token\"]}\n\
            > GET metadata\n\
            < 200 {\"issuer\":\"https://org.example\",\"response_types_supported\":[\"token\",\"code\"]}",
        fails: "> GET discovery\n\
            < 200 {\"issuer\":\"https://org.example\",\"token_endpoint\":\"https://org.example/token\"}\n\
            > GET metadata\n\
            < 200 {\"issuer\":\"https://org.example\",\"token_endpoint\":\"https://org.example/old\"}",
        judge: both_documents_agree,
    },
    Check {
        id: "discovery/unknown-issuer-has-no-document",
        title: "a path that is no issuer is not answered with the metadata of another one",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "DS-15",
        cites: &[Rfc(8414, "3.1"), Rfc(8414, "3.3"), OpenIdDiscovery("4.3")],
        explain: "A client that asks for the metadata of an issuer must throw a document away that names another. Whoever \
            answers every path with his own leads clients of a mistyped or a foreign tenant into that mistake, and those that do not \
            compare end at the wrong server (mix-up). Answer 404 for an issuer that is not there; a rewrite rule that \
            catches every path is the usual cause.",
        passes: "> GET discovery\n\
            < 200 {\"issuer\":\"https://org.example\"}\n\
            > GET discovery /no-such-issuer/.well-known/openid-configuration\n\
            < 404",
        fails: "> GET discovery\n\
            < 200 {\"issuer\":\"https://org.example\"}\n\
            > GET discovery /no-such-issuer/.well-known/openid-configuration\n\
            < 200 {\"issuer\":\"https://org.example\"}",
        judge: unknown_issuer_has_no_document,
    },
];

/// The ways of authentication by the names that metadata has for them.
const WAYS: [(&str, ClientAuth); 4] = [
    ("client_secret_post", ClientAuth::Post),
    ("client_secret_basic", ClientAuth::Basic),
    ("private_key_jwt", ClientAuth::PrivateKeyJwt),
    ("none", ClientAuth::None),
];

fn advertised_client_authentication_works(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in fetches(t) {
        let Some(document) = document(x) else { continue };
        let listed = list(document, "token_endpoint_auth_methods_supported");
        let listed = listed.unwrap_or_else(|| vec!["client_secret_basic"]);
        for (name, way) in WAYS.into_iter().filter(|(name, _)| listed.contains(name)) {
            let right = |y: &&Exchange| {
                let app = y.client_id().and_then(|id| t.subject.app_of(id));
                let may = y.grant_type().and_then(flow_of).is_some_and(|flow| lists(t, y, flow));
                let in_this_way = app.is_some_and(|app| app.client_auth == way);
                may && in_this_way && y.tweak.is_none() && shown_as_registered(t, y)
            };
            let requests: Vec<&Exchange> = t.at(Endpoint::Token).filter(right).collect();
            let refused = |y: &&Exchange| y.error().is_some_and(|error| error.error == "invalid_client");
            if requests.iter().any(|y| y.granted()) {
                j.pass();
            } else if let Some(refusal) = requests.iter().copied().find(refused)
                && requests.iter().all(refused)
            {
                let expected = format!("{name} to be accepted: the metadata lists it");
                j.fail(&[x, refusal], expected, refusal.outcome());
            }
        }
    }
    j
}

fn revocation_and_introspection_are_published(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    // RFC 8414 is where both are written; OpenID Connect's document stands in where it is the only one.
    let oauth = fetches(t).any(|x| !is_openid(x) && document(x).is_some());
    for x in fetches(t).filter(|x| !(oauth && is_openid(x))) {
        let Some(document) = document(x) else { continue };
        let endpoints = &t.subject.endpoints;
        let known =
            [(&endpoints.revoke, "revocation_endpoint"), (&endpoints.introspect, "introspection_endpoint")];
        let known: Vec<&str> = known.iter().filter(|(url, _)| url.is_some()).map(|(_, name)| *name).collect();
        let missing: Vec<&str> = known.iter().copied().filter(|name| !document.contains_key(*name)).collect();
        if !missing.is_empty() {
            j.fail(&[x], known.join(" and "), format!("no {}", missing.join(", no ")));
        } else if !known.is_empty() {
            j.pass();
        }
    }
    j
}

/// Members that a client acts on.
fn is_shared(name: &str) -> bool {
    const LISTS: [&str; 4] = [
        "response_types_supported",
        "grant_types_supported",
        "token_endpoint_auth_methods_supported",
        "code_challenge_methods_supported",
    ];
    name == "issuer" || name == "jwks_uri" || name.ends_with("_endpoint") || LISTS.contains(&name)
}

/// Whether two values say the same, lists as sets.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_array(), b.as_array()) {
        (Some(a), Some(b)) => a.iter().all(|one| b.contains(one)) && b.iter().all(|one| a.contains(one)),
        _ => a == b,
    }
}

fn both_documents_agree(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let of = |openid: bool| {
        fetches(t).filter(move |x| is_openid(x) == openid).find_map(|x| Some((x, document(x)?)))
    };
    let (Some((x, one)), Some((y, other))) = (of(true), of(false)) else { return j };
    let differ = |(name, value): &(&String, &Value)| {
        is_shared(name) && other.get(*name).is_some_and(|other| !same(value, other))
    };
    let different: Vec<&str> = one.iter().filter(differ).map(|(name, _)| name.as_str()).collect();
    let compared =
        |one: &Map<String, Value>| one.keys().any(|name| is_shared(name) && other.contains_key(name));
    if !different.is_empty() {
        j.fail(&[x, y], "the same in both documents", format!("they differ in {}", different.join(", ")));
    } else if compared(one) {
        j.pass();
    }
    j
}

fn unknown_issuer_has_no_document(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let published = fetches(t).any(|x| document(x).is_some());
    for x in strangers(t) {
        let Some(asked) = asked_issuer(&x.request.url) else { continue };
        let told = x.response().and_then(|r| r.json()?.get("issuer")?.as_str());
        match (x.status(), told) {
            // Whoever makes tenants as they are asked for says nothing wrong of them.
            (200, Some(issuer)) if issuer.strip_suffix('/').unwrap_or(issuer) == asked => {}
            (200, Some(issuer)) => {
                let expected = format!("no metadata: there is no issuer {asked}");
                j.fail(&[x], expected, format!("the metadata of {issuer}"));
            }
            (0 | 429 | 500.., _) => {}
            _ if published => j.pass(),
            _ => {}
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::verdict;

    use crate::verdict::Verdict;

    #[test]
    fn one_client_that_gets_in_shows_that_the_way_works() {
        let id = "discovery/advertised-client-authentication-works";
        let listed =
            "> GET discovery\n< 200 {\"token_endpoint_auth_methods_supported\":[\"client_secret_post\"]}\n";
        let ask = |client: &str, answer: &str| {
            format!(
                "> POST token grant_type=client_credentials&client_id={client}&client_secret=s\n! secret right\n< {answer}\n"
            )
        };
        let (refused, granted) =
            (ask("main", "401 {\"error\":\"invalid_client\"}"), ask("other", "200 {\"access_token\":\"A\"}"));
        assert_eq!(verdict(id, &format!("{listed}{refused}{granted}")), Verdict::Pass);
        assert_eq!(verdict(id, &format!("{listed}{refused}")), Verdict::Fail);
        let wrong = refused.replace("secret right", "secret wrong");
        assert_eq!(verdict(id, &format!("{listed}{wrong}")), Verdict::Skip);
        let dead = ask("main", "400 {\"error\":\"invalid_grant\"}");
        assert_eq!(verdict(id, &format!("{listed}{dead}")), Verdict::Skip);
    }

    #[test]
    fn a_page_for_an_unknown_path_is_no_document() {
        let id = "discovery/unknown-issuer-has-no-document";
        let begin = "> GET discovery\n< 200 {\"issuer\":\"https://org.example\"}\n\
            > GET metadata /.well-known/oauth-authorization-server/nobody\n";
        assert_eq!(verdict(id, &format!("{begin}< 200 <html>\n")), Verdict::Pass);
        let own = "< 200 {\"issuer\":\"https://org.example/nobody\"}\n";
        assert_eq!(verdict(id, &format!("{begin}{own}")), Verdict::Skip);
    }

    #[test]
    fn a_member_that_only_one_document_has_is_no_contradiction() {
        let id = "discovery/both-documents-agree";
        let text = "> GET discovery\n< 200 {\"issuer\":\"https://org.example\",\"userinfo_endpoint\":\"https://org.example/u\"}\n\
            > GET metadata\n< 200 {\"issuer\":\"https://org.example\"}\n";
        assert_eq!(verdict(id, text), Verdict::Pass);
    }
}
