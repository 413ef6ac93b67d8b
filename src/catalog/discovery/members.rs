//! The members of a metadata document: which must be there, and what they must look like.

use serde_json::{Map, Value};

use super::{document, fetches, is_openid};
use crate::catalog::Cite::{OpenIdDiscovery, Rfc};
use crate::catalog::{Check, Judgement, Party};
use crate::transcript::questions::is_loopback;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

pub(in crate::catalog) const MEMBERS: &[Check] = &[
    Check {
        id: "discovery/issuer-is-an-https-url",
        title: "the issuer is an https URL without query and fragment",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "DS-03",
        cites: &[Rfc(8414, "2"), OpenIdDiscovery("3")],
        explain: "The issuer is the name that everything else hangs on: the place of the document, iss of ID tokens, the \
            audience of assertions. Over http anybody on the way can put his own keys and endpoints behind it, and a \
            query or a fragment has no place in the well-known URL that is built of it. Publish the bare https URL. Behind \
            a proxy, tell the server its public name and scheme. A server on the loopback address is let off https.",
        passes: "> GET discovery\n\
            < 200 {\"issuer\":\"https://org.example\"}",
        fails: "> GET discovery\n\
            < 200 {\"issuer\":\"http://org.example\"}",
        judge: issuer_is_an_https_url,
    },
    Check {
        id: "discovery/endpoints-are-https-urls",
        title: "every endpoint in the metadata is an absolute https URL",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "DS-04",
        cites: &[Rfc(8414, "2"), Rfc(6749, "3.1"), Rfc(6749, "3.2")],
        explain: "A client sends codes, secrets and tokens to wherever this document says. RFC 6749 wants TLS at the \
            authorization and the token endpoint, RFC 8414 wants it for jwks_uri; for the others it follows from what they carry. One http \
            URL in the list is enough to read a token on the way. The usual cause is a server behind a proxy that ends TLS: \
            tell it its public scheme. Endpoints on the loopback address are let off.",
        passes: "> GET discovery\n\
            < 200 {\"token_endpoint\":\"https://org.example/token\",\"jwks_uri\":\"https://org.example/keys\"}",
        fails: "> GET discovery\n\
            < 200 {\"token_endpoint\":\"https://org.example/token\",\"jwks_uri\":\"http://org.example/keys\"}",
        judge: endpoints_are_https_urls,
    },
    Check {
        id: "discovery/response-types-are-listed",
        title: "the metadata lists the response types",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "DS-05",
        cites: &[Rfc(8414, "2"), OpenIdDiscovery("3")],
        explain: "response_types_supported is one of the few members that both specifications call REQUIRED. Libraries read \
            the document into a type where it is no option, and refuse the whole server without it. Publish the list, \
            even where it is [\"code\"] alone.",
        passes: "> GET discovery\n\
            < 200 {\"response_types_supported\":[\"code\"]}",
        fails: "> GET discovery\n\
            < 200 {\"issuer\":\"https://org.example\"}",
        judge: response_types_are_listed,
    },
    Check {
        id: "discovery/endpoints-of-grants-are-named",
        title: "the metadata names the endpoints that its grants need",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "DS-06",
        cites: &[Rfc(8414, "2"), OpenIdDiscovery("3")],
        explain: "Whoever supports a grant that begins at the authorization endpoint must say where that is, and whoever \
            supports any grant but the implicit one must say where tokens are handed out. Where grant_types_supported is left \
            out it stands for authorization_code and implicit. A client that finds no endpoint cannot guess it; publish \
            both, or leave out of the list what is not offered.",
        passes: "> GET discovery\n\
            < 200 {\"authorization_endpoint\":\"https://org.example/a\",\"token_endpoint\":\"https://org.example/t\"}",
        fails: "> GET discovery\n\
            < 200 {\"token_endpoint\":\"https://org.example/t\"}",
        judge: endpoints_of_grants_are_named,
    },
    Check {
        id: "discovery/no-list-is-empty",
        title: "the metadata has no empty list",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "DS-07",
        cites: &[Rfc(8414, "3.2"), OpenIdDiscovery("4.2")],
        explain: "A claim with zero elements must be left out. An empty list says that nothing at all is supported, where a \
            missing one stands for a default: a client that finds [] for its way of authentication or its scope gives up \
            at a server that would have taken it. Leave the member out where there is nothing to list.",
        passes: "> GET discovery\n\
            < 200 {\"scopes_supported\":[\"api\"]}",
        fails: "> GET discovery\n\
            < 200 {\"scopes_supported\":[\"api\"],\"ui_locales_supported\":[]}",
        judge: no_list_is_empty,
    },
    Check {
        id: "discovery/assertion-methods-name-their-algorithms",
        title: "where clients may authenticate by assertion, the metadata says with which algorithms, none not among them",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "DS-10",
        cites: &[Rfc(8414, "2"), OpenIdDiscovery("3")],
        explain: "A client that signs its own assertions has to know which algorithm the server verifies. RFC 8414 makes \
            the list required beside private_key_jwt and client_secret_jwt, at the token endpoint as well as for revocation \
            and introspection; OpenID Connect Discovery leaves it open, so that its document is held to the second half \
            alone: none must not be in it, as an assertion without a signature proves nothing. Publish for example \
            token_endpoint_auth_signing_alg_values_supported: [\"RS256\"].",
        passes: "> GET metadata\n\
            < 200 {\"token_endpoint_auth_methods_supported\":[\"private_key_jwt\"],\
            \"token_endpoint_auth_signing_alg_values_supported\":[\"RS256\"]}",
        fails: "> GET metadata\n\
            < 200 {\"token_endpoint_auth_methods_supported\":[\"private_key_jwt\"]}",
        judge: assertion_methods_name_their_algorithms,
    },
    Check {
        id: "discovery/rs256-is-offered-for-id-tokens",
        title: "the OpenID Connect document lists RS256 for ID tokens",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "DS-17",
        cites: &[OpenIdDiscovery("3")],
        explain: "id_token_signing_alg_values_supported is required and must include RS256: it is the one algorithm that \
            every client can be expected to verify, and the default of those who never chose. Without it a client that \
            knows nothing else has no common ground with the server. Offer RS256 besides whatever else is preferred, and \
            say so.",
        passes: "> GET discovery\n\
            < 200 {\"id_token_signing_alg_values_supported\":[\"ES256\",\"RS256\"]}",
        fails: "> GET discovery\n\
            < 200 {\"id_token_signing_alg_values_supported\":[\"ES256\"]}",
        judge: rs256_is_offered_for_id_tokens,
    },
    Check {
        id: "discovery/subject-types-are-listed",
        title: "the OpenID Connect document says which kinds of subject it knows",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "DS-18",
        cites: &[OpenIdDiscovery("3")],
        explain: "subject_types_supported is required: public subs are the same for every client, pairwise ones differ, and a \
            client that joins accounts of several apps must know which it gets. Libraries read it as a member that cannot be \
            missing and refuse the document without it. Publish [\"public\"], [\"pairwise\"] or both.",
        passes: "> GET discovery\n\
            < 200 {\"subject_types_supported\":[\"public\"]}",
        fails: "> GET discovery\n\
            < 200 {\"subject_types_supported\":[]}",
        judge: subject_types_are_listed,
    },
];

/// Every document with the fetch that brought it.
fn documents(t: &Transcript) -> impl Iterator<Item = (&Exchange, &Map<String, Value>)> {
    fetches(t).filter_map(|x| Some((x, document(x)?)))
}

/// The texts of a list; none where there is no list.
pub(super) fn list<'d>(document: &'d Map<String, Value>, name: &str) -> Option<Vec<&'d str>> {
    Some(document.get(name)?.as_array()?.iter().filter_map(Value::as_str).collect())
}

fn issuer_is_an_https_url(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, document) in documents(t) {
        let Some(issuer) = document.get("issuer").and_then(Value::as_str) else { continue };
        let expected = "an https URL without query and fragment";
        let observed = || format!("issuer {issuer}");
        if issuer.contains(['?', '#']) {
            j.fail(&[x], expected, observed());
        } else if issuer.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) {
            j.pass();
        } else if !is_loopback(issuer) {
            j.fail(&[x], expected, observed());
        }
    }
    j
}

fn endpoints_are_https_urls(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, document) in documents(t) {
        let urls = document.iter().filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri");
        let urls = urls.filter_map(|(name, url)| Some((name, url.as_str()?)));
        let (good, other): (Vec<_>, Vec<_>) = urls
            .partition(|(_, url)| url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")));
        let bad = other.iter().filter(|(_, url)| !is_loopback(url));
        let bad: Vec<String> = bad.map(|(name, url)| format!("{name} {url}")).collect();
        if !bad.is_empty() {
            j.fail(&[x], "https URLs alone", bad.join(", "));
        } else if !good.is_empty() {
            j.pass();
        }
    }
    j
}

/// A list that must be there, with these values in it.
fn required(j: &mut Judgement, x: &Exchange, document: &Map<String, Value>, name: &str, values: &[&str]) {
    let expected = match values {
        [] => format!("{name}, with something in it"),
        values => format!("{name} with {}", values.join(" and ")),
    };
    match (list(document, name), document.get(name)) {
        (Some(list), _) if !list.is_empty() && values.iter().all(|value| list.contains(value)) => j.pass(),
        (_, Some(value)) => j.fail(&[x], expected, format!("{name} is {value}")),
        (_, None) => j.fail(&[x], expected, format!("no {name}")),
    }
}

fn response_types_are_listed(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, document) in documents(t) {
        required(&mut j, x, document, "response_types_supported", &[]);
    }
    j
}

fn endpoints_of_grants_are_named(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, document) in documents(t) {
        let grants = list(document, "grant_types_supported");
        let grants = grants.unwrap_or_else(|| vec!["authorization_code", "implicit"]);
        let authorizes = grants.iter().any(|grant| ["authorization_code", "implicit"].contains(grant));
        let redeems = grants.iter().any(|grant| *grant != "implicit");
        let needed = [(authorizes, "authorization_endpoint"), (redeems, "token_endpoint")];
        let missing = needed.iter().filter(|(needed, name)| *needed && !document.contains_key(*name));
        let missing: Vec<&str> = missing.map(|(_, name)| *name).collect();
        if missing.is_empty() {
            j.pass();
        } else {
            let expected = format!("{}, for the grants {}", missing.join(" and "), grants.join(", "));
            j.fail(&[x], expected, format!("no {}", missing.join(", no ")));
        }
    }
    j
}

fn no_list_is_empty(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, document) in documents(t) {
        let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
        let empty = document.iter().filter(|(_, value)| is_empty(value));
        let empty: Vec<&str> = empty.map(|(name, _)| name.as_str()).collect();
        if empty.is_empty() {
            j.pass();
        } else {
            j.fail(&[x], "lists with something in them", format!("nothing in {}", empty.join(", ")));
        }
    }
    j
}

fn assertion_methods_name_their_algorithms(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, document) in documents(t) {
        for endpoint in ["token", "revocation", "introspection"] {
            let methods = list(document, &format!("{endpoint}_endpoint_auth_methods_supported"));
            let signs = |method: &&str| ["private_key_jwt", "client_secret_jwt"].contains(method);
            let signs = methods.is_some_and(|methods| methods.iter().any(signs));
            let name = format!("{endpoint}_endpoint_auth_signing_alg_values_supported");
            match list(document, &name) {
                Some(algorithms) if algorithms.contains(&"none") => {
                    j.fail(&[x], "algorithms that sign", format!("{name} has none"));
                }
                Some(algorithms) if signs && !algorithms.is_empty() => j.pass(),
                // OpenID Connect Discovery §3 does not require it.
                _ if signs && !is_openid(x) => {
                    let expected = format!("{name}: clients may authenticate by assertion");
                    j.fail(&[x], expected, format!("no {name}"));
                }
                _ => {}
            }
        }
    }
    j
}

fn rs256_is_offered_for_id_tokens(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, document) in documents(t).filter(|(x, _)| is_openid(x)) {
        required(&mut j, x, document, "id_token_signing_alg_values_supported", &["RS256"]);
    }
    j
}

fn subject_types_are_listed(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, document) in documents(t).filter(|(x, _)| is_openid(x)) {
        required(&mut j, x, document, "subject_types_supported", &[]);
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::verdict;

    use crate::verdict::Verdict;

    #[test]
    fn the_loopback_address_is_let_off_https() {
        let at = |id: &str, member: &str, url: &str| {
            verdict(id, &format!("> GET discovery\n< 200 {{\"{member}\":\"{url}\"}}\n"))
        };
        let issuer = |url: &str| at("discovery/issuer-is-an-https-url", "issuer", url);
        assert_eq!(issuer("http://127.0.0.1:8080"), Verdict::Skip);
        assert_eq!(issuer("http://localhost.evil.example"), Verdict::Fail);
        assert_eq!(issuer("https://org.example?x"), Verdict::Fail);
        let endpoint = |url: &str| at("discovery/endpoints-are-https-urls", "token_endpoint", url);
        assert_eq!(endpoint("http://[::1]:8080/token"), Verdict::Skip);
        assert_eq!(endpoint("/token"), Verdict::Fail);
    }

    #[test]
    fn an_rfc_8414_document_says_nothing_of_id_tokens() {
        for id in ["discovery/rs256-is-offered-for-id-tokens", "discovery/subject-types-are-listed"] {
            assert_eq!(
                verdict(id, "> GET metadata\n< 200 {\"issuer\":\"https://org.example\"}\n"),
                Verdict::Skip
            );
        }
    }

    #[test]
    fn openid_discovery_leaves_the_algorithms_of_assertions_open() {
        let id = "discovery/assertion-methods-name-their-algorithms";
        let methods = "\"token_endpoint_auth_methods_supported\":[\"private_key_jwt\"]";
        assert_eq!(verdict(id, &format!("> GET discovery\n< 200 {{{methods}}}\n")), Verdict::Skip);
        let none = "\"token_endpoint_auth_signing_alg_values_supported\":[\"RS256\",\"none\"]";
        assert_eq!(verdict(id, &format!("> GET discovery\n< 200 {{{methods},{none}}}\n")), Verdict::Fail);
    }

    #[test]
    fn a_server_without_a_front_needs_no_authorization_endpoint() {
        let id = "discovery/endpoints-of-grants-are-named";
        let text = "> GET metadata\n< 200 {\"grant_types_supported\":[\"client_credentials\"],\"token_endpoint\":\"https://o.example/t\"}\n";
        assert_eq!(verdict(id, text), Verdict::Pass);
    }
}
