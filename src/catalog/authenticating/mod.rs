//! How a client says who it is: in one way, in the way that it was registered with, and to its own server alone
//! (RFC 6749 §2.3, RFC 7523 §2.2).

use super::Cite::{OpenIdCore, Rfc};
use super::evidence::{is_audience, same_client};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::oauth::grant::CLIENT_ASSERTION_TYPE;
use crate::subject::ClientAuth;
use crate::transcript::{AssertionFacts, Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// A request for client credentials with these parameters besides, facts about it, and its answer.
macro_rules! asks {
    ($params:literal) => {
        asks!($params, "", "200 {\"access_token\":\"A1\"}")
    };
    ($params:literal, $facts:expr) => {
        asks!($params, $facts, "200 {\"access_token\":\"A1\"}")
    };
    ($params:literal, $facts:expr, $answer:literal) => {
        concat!("> POST token grant_type=client_credentials", $params, "\n", $facts, "< ", $answer, "\n")
    };
}

/// The same with an assertion of the client `assertion`, whose name tells it from others, and what it says.
macro_rules! asserts {
    ($name:literal, $facts:literal) => {
        concat!(
            "> POST token grant_type=client_credentials&client_id=assertion",
            "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=",
            $name,
            "\n! client_assertion ",
            $facts,
            "\n< 200 {\"access_token\":\"A1\"}\n"
        )
    };
}

pub(super) mod assertion;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "authenticating/one-method-per-request",
        title: "a request says who its client is in one way",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLC-01",
        cites: &[Rfc(6749, "2.3")],
        explain: "A secret in the body, HTTP Basic, and a signed assertion are three ways of client authentication, and a request has \
            one of them. A library that sets the Authorization header by itself, under an application that puts the secret into the \
            form, sends two; servers refuse that, or take one of them, and nobody knows which until the secret changes. Choose one \
            way and switch the other off. client_id in the form beside Basic or an assertion is no second way.",
        passes: asks!("&client_id=main&client_secret=s", "! secret right\n"),
        fails: asks!("&client_id=main&client_secret=s", "! secret right\n! basic main\n"),
        judge: one_method_per_request,
    },
    Check {
        id: "authenticating/basic-is-form-encoded",
        title: "client id and secret are form-encoded before they go into HTTP Basic",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLC-02",
        cites: &[Rfc(6749, "2.3.1"), Rfc(6749, "B")],
        explain: "Both halves of the Basic credentials are encoded as a form would have them, then joined by a colon, then put in \
            base64. Most secrets have nothing to encode, so a client that leaves it out works for years, and is refused with \
            invalid_client the day a secret has a plus, a percent sign, a colon or a letter beyond ASCII. Encode both halves first, \
            or send the secret in the body. The check needs a secret with such a character; servers that take both readings, as \
            Salesforce does, hide the mistake.",
        passes: asks!("", "! basic basic\n! basic-escaped yes\n! secret right\n"),
        fails: asks!("", "! basic basic\n! basic-raw yes\n! secret wrong\n"),
        judge: basic_is_form_encoded,
    },
    Check {
        id: "authenticating/refused-method-is-not-replaced",
        title: "a client whose authentication was refused does not send its secret in another way",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLC-03",
        cites: &[Rfc(6749, "2.3"), Rfc(6749, "5.2")],
        explain: "invalid_client says that the credentials were not taken. A client that then tries Basic, then the body, then the query \
            spreads its secret over places where proxies and logs look for none, doubles the failed logins that a server counts, \
            and hides from its owner what is set up wrong. Some libraries do so by default, to find out what a server wants. Set \
            the method that the app is registered with, and report invalid_client as what it is.",
        passes: concat!(
            asks!("&client_id=main&client_secret=s", "", "401 {\"error\":\"invalid_client\"}"),
            asks!("&client_id=main&client_secret=s")
        ),
        fails: concat!(
            asks!("&client_id=main&client_secret=s", "", "401 {\"error\":\"invalid_client\"}"),
            asks!("", "! basic main\n")
        ),
        judge: refused_method_is_not_replaced,
    },
    Check {
        id: "authenticating/public-client-sends-no-secret",
        title: "a public client sends its client_id and no secret, not even an empty one",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLC-04",
        cites: &[Rfc(6749, "3.2.1"), Rfc(6749, "2.3.1")],
        explain: "A client that has no secret names itself by client_id alone. An empty client_secret, or Basic with nothing behind the \
            colon, is a wrong secret to a server that compares, and a secret that everybody knows to one that does not. A made-up \
            one, shipped with an app to thousands of devices, is none. Leave the parameter out, and let PKCE tie the code to its \
            client.",
        passes: asks!("&client_id=public"),
        fails: asks!("&client_id=public&client_secret="),
        judge: public_client_sends_no_secret,
    },
    Check {
        id: "authenticating/secret-stays-at-its-endpoints",
        title: "the client secret is sent to the token, revocation and introspection endpoints of its server, and nowhere else",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLC-13",
        cites: &[Rfc(6749, "2.3.1"), Rfc(6749, "10.1")],
        explain: "The secret proves who the client is to its authorization server. An API needs the access token alone, a user's browser \
            needs neither, and another host must not have it at all: whoever has the secret of an app with client credentials has \
            its access. It gets lost where one HTTP client with default headers or default parameters is used for everything, and \
            where a redirect is followed with the form. Give token requests an HTTP client of their own.",
        passes: asks!("&client_id=main&client_secret=s", "! secret right\n"),
        fails: "> GET api\n> Authorization: Bearer A1\n! secret-in the header x-client-secret\n< 200 {}\n",
        judge: secret_stays_at_its_endpoints,
    },
];

/// A way of client authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Post,
    Basic,
    Assertion,
}

/// The endpoints at which a client authenticates.
fn authenticates(x: &Exchange) -> bool {
    matches!(x.endpoint, Endpoint::Token | Endpoint::Revoke | Endpoint::Introspect)
}

/// Every way in which a request authenticates its client.
fn methods(x: &Exchange) -> Vec<Method> {
    let sent = |name| x.param(name).is_some_and(|value| !value.is_empty());
    [
        (sent("client_secret"), Method::Post),
        (x.facts.basic_client_id.is_some(), Method::Basic),
        (sent("client_assertion"), Method::Assertion),
    ]
    .into_iter()
    .filter_map(|(there, method)| there.then_some(method))
    .collect()
}

fn one_method_per_request(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.exchanges.iter().filter(|x| authenticates(x)) {
        match methods(x).len() {
            0 => {}
            1 => j.pass(),
            ways => j.fail(&[x], "one way of client authentication", format!("{ways} of them")),
        }
    }
    j
}

fn basic_is_form_encoded(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.exchanges.iter().filter(|x| authenticates(x)) {
        if x.facts.basic_is_raw {
            j.fail(&[x], "both halves form-encoded, and then base64", "the secret as it stands");
        } else if x.facts.basic_escaped == Some(true) && x.facts.secret_is_right == Some(true) {
            j.pass();
        }
    }
    j
}

fn refused_method_is_not_replaced(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.exchanges.iter().filter(|x| authenticates(x)) {
        let ways = methods(x);
        let error = x.error().map(|error| error.error);
        let refused = error.as_deref() == Some("invalid_client") || x.status() == 401 && error.is_none();
        if !refused || ways.is_empty() {
            continue;
        }
        let other = |y: &&Exchange| {
            let secret = |way: &Method| *way != Method::Assertion && !ways.contains(way);
            authenticates(y) && y.began_after(x) && same_client(x, y) && methods(y).iter().any(secret)
        };
        match t.after(x).find(other) {
            Some(y) => j.fail(&[x, y], "no other way of client authentication", "the secret in another way"),
            None => j.pass(),
        }
    }
    j
}

fn public_client_sends_no_secret(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Token) {
        let by_code = || t.code(x.param("code")?)?.authorize.param("client_id");
        let Some(id) = x.client_id().or_else(by_code) else { continue };
        if !t.subject.app_of(id).is_some_and(|app| app.public) {
            continue;
        }
        let expected = "client_id and no secret";
        if x.param("client_secret").is_some() {
            j.fail(&[x], expected, "a client_secret");
        } else if x.facts.basic_client_id.is_some() {
            j.fail(&[x], expected, "HTTP Basic");
        } else if x.param("client_id").is_none() {
            j.fail(&[x], expected, "no client_id");
        } else {
            j.pass();
        }
    }
    j
}

fn secret_stays_at_its_endpoints(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in &t.exchanges {
        let as_meant = x.param("client_secret").is_some_and(|secret| !secret.is_empty())
            || x.facts.basic_client_id.is_some() && x.facts.secret_is_right != Some(false);
        if !as_meant && x.facts.secret_in.is_none() {
            continue;
        }
        let place = x.facts.secret_in.as_deref().unwrap_or("the place that is meant for it");
        if x.is_at_stranger() {
            j.fail(&[x], "no secret at another host", format!("the client secret there, in {place}"));
        } else if !authenticates(x) && x.endpoint != Endpoint::Callback {
            j.fail(&[x], "no secret at an endpoint that needs none", format!("it is sent in {place}"));
        } else if as_meant {
            j.pass();
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn a_name_beside_the_authentication_is_no_second_one() {
        let id = "authenticating/one-method-per-request";
        comes_to(id, asks!("&client_id=main", "! basic main\n"), Verdict::Pass);
        comes_to(id, asks!("&client_id=main"), Verdict::Skip);
        comes_to(id, asks!("&client_id=main&client_secret=s&client_assertion=J"), Verdict::Fail);
    }

    #[test]
    fn a_secret_without_odd_letters_shows_nothing_of_their_encoding() {
        let id = "authenticating/basic-is-form-encoded";
        comes_to(id, asks!("", "! basic main\n! secret right\n"), Verdict::Skip);
        comes_to(id, asks!("", "! basic main\n! basic-escaped yes\n! secret wrong\n"), Verdict::Skip);
    }

    #[test]
    fn what_follows_a_refusal_is_looked_at_and_not_what_came_before_it() {
        let id = "authenticating/refused-method-is-not-replaced";
        let refused = asks!("&client_id=main&client_secret=s", "", "401 {\"error\":\"invalid_client\"}");
        let basic = asks!("", "! basic main\n");
        comes_to(id, &format!("{basic}{refused}"), Verdict::Pass);
        comes_to(id, &format!("{refused}{}", asks!("", "! basic other\n")), Verdict::Pass);
        let grant = asks!("&client_id=main&client_secret=s", "", "400 {\"error\":\"invalid_grant\"}");
        comes_to(id, &format!("{grant}{basic}"), Verdict::Skip);
    }

    #[test]
    fn a_public_client_is_known_by_its_code_too() {
        let id = "authenticating/public-client-sends-no-secret";
        let login = "> GET authorize response_type=code&client_id=public&state=s\n< 302\n\
            < Location: https://public.example/callback?code=C&state=s\n";
        let redeem = "> POST token grant_type=authorization_code&code=C\n< 400\n";
        comes_to(id, &format!("{login}{redeem}"), Verdict::Fail);
        let named = redeem.replace("code=C", "code=C&client_id=public");
        comes_to(id, &format!("{login}{named}"), Verdict::Pass);
        comes_to(id, asks!("&client_id=main&client_secret=s"), Verdict::Skip);
        comes_to(id, asks!("", "! basic public\n"), Verdict::Fail);
    }

    #[test]
    fn a_secret_at_a_strange_host_is_one_too_many() {
        let id = "authenticating/secret-stays-at-its-endpoints";
        let there = asks!("&client_id=main&client_secret=s", "! stranger https://rogue.example\n");
        comes_to(id, there, Verdict::Fail);
        comes_to(id, asks!("&client_id=public"), Verdict::Skip);
        comes_to(id, "> GET api\n! basic main\n! secret right\n< 401\n", Verdict::Fail);
    }
}
