//! The ways of showing a secret, what comes of mixing them, and secrets that are missing, empty or somebody else's
//! (RFC 6749 §2.3).

use super::super::Cite::Rfc;
use super::super::code;
use super::super::{Check, Judgement, Party};
use super::{app, by_basic, grant_is_clean, granted_alike, ids_agree, lists, needs_authentication};
use super::{refuses_the_client, requests};
use crate::oauth::Endpoint;
use crate::oauth::grant::{authorization_code, client_credentials};
use crate::subject::{ClientAuth, Flow};
use crate::transcript::questions::beside_the_point;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// A client credentials request, what is known of it, and its answer.
macro_rules! asked {
    ($params:literal, $facts:literal, $answer:ident) => {
        concat!("> POST token grant_type=client_credentials", $params, "\n", $facts, "< ", answer!($answer))
    };
}

/// The same with the right secret of `main` in the body, granted.
macro_rules! right {
    () => {
        asked!("&client_id=main&client_secret=s", "! secret right\n", granted)
    };
}

/// A request by HTTP Basic of `basic`, with more in the body.
macro_rules! by_header {
    ($params:literal, $facts:literal, $answer:ident) => {
        concat!(
            "> POST token grant_type=client_credentials",
            $params,
            "\n> Authorization: Basic YmFzaWM6eA==\n! basic basic\n",
            $facts,
            "< ",
            answer!($answer)
        )
    };
}

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "client-auth/basic-is-form-decoded",
        title: "HTTP Basic with form-encoded credentials is accepted",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-02",
        cites: &[Rfc(6749, "2.3.1")],
        explain: "RFC 6749 has a client form-encode its name and its secret before it puts them into HTTP Basic, since a colon \
            would split them at the wrong place and other letters have no bytes of their own. A server that does not decode \
            them refuses every secret with a reserved character, and it looks as if the secret were wrong. Split at the first \
            colon, then decode both halves; accepting the raw form as well does no harm.",
        passes: by_header!("", "! basic-escaped yes\n! secret right\n", granted),
        fails: by_header!("", "! basic-escaped yes\n! secret right\n", refused),
        judge: basic_is_form_decoded,
    },
    Check {
        id: "client-auth/post-is-accepted",
        title: "a client that is registered to send its secret in the body may do so",
        binds: Party::Org,
        level: Level::BestPractice,
        basis: Basis::Normative,
        origin: "CA-03",
        cites: &[Rfc(6749, "2.3.1")],
        explain: "Sending client_id and client_secret in the body is not recommended, but it is what a client that cannot set \
            headers does, and what many libraries do unless they are told otherwise. A server may leave it out; one that has \
            clients registered for it (client_secret_post) has to take it. Look at both places for credentials, and at one of \
            them only where the registration says so.",
        passes: right!(),
        fails: asked!("&client_id=main&client_secret=s", "! secret right\n", refused),
        judge: post_is_accepted,
    },
    Check {
        id: "client-auth/two-methods-are-refused",
        title: "a secret in the body beside HTTP Basic is refused",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "CA-04",
        cites: &[Rfc(6749, "2.3"), Rfc(6749, "5.2")],
        explain: "A client must use one way of authentication in a request; with two, one part of a server may look at the \
            header and another at the body, and each believe in another client. RFC 6749 lists more than one mechanism among the \
            causes of invalid_request. Count the ways before any of them is tried, and refuse where there are two, also if \
            both are right. Salesforce takes the body and ignores the header, which is a known deviation.",
        passes: concat!(
            by_header!("", "! secret right\n", granted),
            by_header!("&client_secret=s", "! secret right\n", refused)
        ),
        fails: by_header!("&client_secret=s", "! secret right\n", granted),
        judge: two_methods_are_refused,
    },
    Check {
        id: "client-auth/no-credentials-are-refused",
        title: "a confidential client that shows nothing is refused with invalid_client",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-07",
        cites: &[Rfc(6749, "3.2.1"), Rfc(6749, "5.2")],
        explain: "A client that was given a secret or a key must authenticate at the token endpoint; its client_id alone is \
            known to everybody who ever saw one of its authorization requests. A server that checks a secret only where one is \
            sent can be talked to without. Decide by the registration of the client whether credentials are required, and answer \
            invalid_client. On Salesforce, Require Secret for Web Server Flow decides so for codes.",
        passes: concat!(right!(), asked!("&client_id=main", "", refused)),
        fails: concat!(right!(), asked!("&client_id=main", "", granted)),
        judge: no_credentials_are_refused,
    },
    Check {
        id: "client-auth/unknown-client-and-wrong-secret-look-alike",
        title: "an unknown client and a wrong secret are answered alike",
        binds: Party::Org,
        level: Level::BestPractice,
        basis: Basis::Derived,
        origin: "CA-08",
        cites: &[Rfc(6749, "5.2"), Rfc(6749, "10.10")],
        explain: "Where the answers differ, anybody can find out which client identifiers exist by asking, and then try secrets \
            on those alone. RFC 6749 has one error for both, invalid_client; nothing asks for two descriptions. Give the same \
            status, code and text for a client that is unknown, and let both take the same time. The check compares \
            what was answered, not how long it took.",
        passes: concat!(
            asked!("&client_id=main&client_secret=x", "! secret wrong\n", refused),
            asked!("&client_id=nobody&client_secret=s", "! tweak x\n", refused)
        ),
        fails: concat!(
            asked!("&client_id=main&client_secret=x", "! secret wrong\n", refused),
            asked!("&client_id=nobody&client_secret=s", "! tweak x\n", renamed)
        ),
        judge: unknown_client_and_wrong_secret_look_alike,
    },
    Check {
        id: "client-auth/empty-secret-is-refused",
        title: "an empty client secret is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-09",
        cites: &[Rfc(6749, "2.3.1"), Rfc(6749, "3.2.1")],
        explain: "A client may leave the secret out only if its secret is the empty string, so for all others nothing is no \
            secret. A server that takes an empty value for a missing one, and a missing one for a public client, lets everybody in; \
            so does a comparison of the length that was sent. Treat an empty client_secret as left out, and ask the \
            registration whether that is allowed.",
        passes: concat!(right!(), asked!("&client_id=main&client_secret=", "! secret wrong\n", refused)),
        fails: asked!("&client_id=main&client_secret=", "! secret wrong\n", granted),
        judge: empty_secret_is_refused,
    },
    Check {
        id: "client-auth/secret-of-another-client-is-refused",
        title: "the secret of another client is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-10",
        cites: &[Rfc(6749, "2.3.1"), Rfc(6749, "3.2.1")],
        explain: "A secret proves one client. A server that looks whether a secret is known at all, or looks the client up by \
            it, lets each of its clients be every other: redeem their codes, use their refresh tokens. Look the client up by \
            client_id, compare the secret with that of this very client, and answer invalid_client.",
        passes: concat!(right!(), asked!("&client_id=main&client_secret=o", "! secret another\n", refused)),
        fails: asked!("&client_id=main&client_secret=o", "! secret another\n", granted),
        judge: secret_of_another_client_is_refused,
    },
    Check {
        id: "client-auth/client-id-must-fit-the-header",
        title: "a client_id in the body that is not that of HTTP Basic is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CA-11",
        cites: &[Rfc(6749, "3.2.1"), Rfc(6749, "2.3")],
        explain: "With Basic the client has said who it is; client_id in the body is unnecessary there, but some libraries send \
            it. Where the two differ, a server that authenticates the one and acts for the other redeems codes for the wrong \
            client: client A shows its own secret and takes what belongs to client B. Compare them first, and refuse with \
            invalid_client or invalid_request.",
        passes: concat!(
            by_header!("", "! secret right\n", granted),
            by_header!("&client_id=main", "! secret wrong\n", refused)
        ),
        fails: by_header!("&client_id=main", "! secret wrong\n", granted),
        judge: client_id_must_fit_the_header,
    },
    Check {
        id: "client-auth/assertion-beside-a-secret-is-refused",
        title: "a client assertion beside a client secret is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-33",
        cites: &[Rfc(6749, "2.3"), Rfc(7521, "4.2.1")],
        explain: "An assertion and a secret are two ways of authentication, and RFC 7521 says that a request with more than one \
            is invalid. If the server looks at the weaker of the two and ignores the other, a client that was moved to keys is \
            still as safe as its old secret, and nobody notices. Refuse the request with invalid_client or invalid_request \
            before either is checked. Salesforce takes the secret and leaves the assertion unread, which is a known deviation.",
        passes: concat!(
            asked!("&client_id=assertion&client_assertion=J", "! client_assertion {}\n", granted),
            asked!(
                "&client_id=assertion&client_assertion=K&client_secret=s",
                "! client_assertion {}\n",
                refused
            )
        ),
        fails: asked!(
            "&client_id=assertion&client_assertion=K&client_secret=s",
            "! client_assertion {}\n",
            granted
        ),
        judge: assertion_beside_a_secret_is_refused,
    },
    Check {
        id: "client-auth/asymmetric-method-is-offered",
        title: "the metadata offer client authentication without a shared secret",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "CA-14",
        cites: &[Rfc(9700, "2.5"), Rfc(8414, "2")],
        explain: "A shared secret lies on both sides and travels with each request; a stolen copy of the server's store is a \
            stolen copy of every client. With keys (private_key_jwt, or mutual TLS) the server holds nothing worth stealing. \
            RFC 9700 recommends it. Offer one of these methods and say so in token_endpoint_auth_methods_supported; where the \
            metadata does not have the member, nothing is judged.",
        passes: "> GET discovery\n< 200 {\"token_endpoint_auth_methods_supported\":[\"private_key_jwt\"]}",
        fails: "> GET discovery\n< 200 {\"token_endpoint_auth_methods_supported\":[\"client_secret_basic\"]}",
        judge: asymmetric_method_is_offered,
    },
];

fn basic_is_form_decoded(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let escaped =
        |x: &&Exchange| x.facts.basic_escaped == Some(true) && x.facts.secret_is_right == Some(true);
    for x in requests(t).filter(|x| by_basic(x) && ways(x) == 1).filter(escaped) {
        let registered = app(t, x).is_some_and(|app| app.client_auth == ClientAuth::Basic);
        if !ids_agree(x) || !needs_authentication(t, x) {
            continue;
        }
        if x.granted() {
            j.pass();
        } else if registered && refuses_the_client(x) && grant_is_clean(t, x) {
            j.fail(&[x], "the client is authenticated: its form-encoded credentials are right", x.outcome());
        }
    }
    j
}

fn post_is_accepted(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let in_body = |x: &&Exchange| x.request.form().get("client_secret").is_some() && ways(x) == 1;
    for x in requests(t).filter(in_body).filter(|x| x.facts.secret_is_right == Some(true)) {
        let registered = app(t, x).is_some_and(|app| app.client_auth == ClientAuth::Post);
        if !registered || !needs_authentication(t, x) {
            continue;
        }
        if x.granted() {
            j.pass();
        } else if refuses_the_client(x) && grant_is_clean(t, x) {
            j.fail(&[x], "the client is authenticated by the secret in the body: it is right", x.outcome());
        }
    }
    j
}

fn two_methods_are_refused(t: &Transcript) -> Judgement {
    let in_body =
        |x: &Exchange| x.request.form().get("client_secret").is_some_and(|secret| !secret.is_empty());
    several_are_refused(
        t,
        &|x| by_basic(x) && in_body(x),
        "there are two ways of client authentication in it",
    )
}

fn assertion_beside_a_secret_is_refused(t: &Transcript) -> Judgement {
    let asserts =
        |x: &Exchange| x.request.form().get("client_assertion").is_some_and(|text| !text.is_empty());
    several_are_refused(
        t,
        &|x| asserts(x) && ways(x) > 1,
        "there is a client secret beside the client assertion",
    )
}

/// Judges requests with more than one way of authentication: a grant is a fail, a refusal counts where one of the
/// ways alone was granted.
fn several_are_refused(t: &Transcript, several: &dyn Fn(&Exchange) -> bool, because: &str) -> Judgement {
    let mut j = Judgement::new();
    for x in requests(t).filter(|x| several(x) && needs_authentication(t, x)) {
        let client = |y: &Exchange| y.facts.basic_client_id.clone().or(y.client_id().map(str::to_owned));
        let alike = |y: &&Exchange| y.granted() && ways(y) == 1 && y.grant_type() == x.grant_type();
        let control = requests(t).filter(alike).any(|y| client(y) == client(x));
        if x.hands_out_a_token() || clean_but_for_credentials(t, x) {
            j.refused(x, control, &["invalid_request", "invalid_client"], because);
        }
    }
    j
}

fn no_credentials_are_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in requests(t).filter(|x| ways(x) == 0 && x.param("client_secret").is_none()) {
        let judged = [authorization_code::GRANT_TYPE, client_credentials::GRANT_TYPE];
        let confidential = app(t, x).is_some_and(|app| !app.public);
        let asked = x.grant_type().is_some_and(|name| judged.contains(&name)) && needs_authentication(t, x);
        if confidential && asked && (x.hands_out_a_token() || clean_but_for_credentials(t, x)) {
            let control = granted_alike(t, x).any(|y| ways(y) == 1);
            j.refused(x, control, &["invalid_client"], "the client shows nothing");
        }
    }
    j
}

fn unknown_client_and_wrong_secret_look_alike(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let refused =
        |x: &&Exchange| matches!(x.status(), 400 | 401) && !beside_the_point(x) && x.error().is_some();
    let unknown = |x: &&Exchange| {
        let nobody = x.client_id().is_some_and(|id| t.subject.app_of(id).is_none());
        nobody && !t.subject.apps.is_empty() && ways(x) == 1
    };
    let wrong = |x: &&Exchange| x.facts.secret_is_right == Some(false) && ways(x) == 1 && ids_agree(x);
    for x in requests(t).filter(refused).filter(unknown) {
        let alike = |y: &&Exchange| {
            let same =
                y.grant_type() == x.grant_type() && by_basic(y) == by_basic(x) && asserts(y) == asserts(x);
            same && clean_but_for_credentials(t, y)
        };
        let Some(y) = requests(t).filter(refused).filter(wrong).find(alike) else { continue };
        let said = |z: &Exchange| z.error().map(|error| (z.status(), error.error, error.description));
        if said(x) == said(y) {
            j.pass();
        } else {
            let observed = format!("{}, and for a wrong secret {}", x.outcome(), y.outcome());
            j.fail(&[y, x], "the same answer for an unknown client as for a wrong secret", observed);
        }
    }
    j
}

fn empty_secret_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let empty = |x: &&Exchange| x.request.form().get("client_secret") == Some("") && ways(x) == 0;
    for x in requests(t).filter(empty) {
        let confidential =
            app(t, x).is_some_and(|app| !app.public && app.client_auth != ClientAuth::PrivateKeyJwt);
        if confidential
            && needs_authentication(t, x)
            && (x.hands_out_a_token() || clean_but_for_credentials(t, x))
        {
            let control = granted_alike(t, x).any(|y| y.facts.secret_is_right == Some(true));
            j.refused(x, control, &["invalid_client", "invalid_request"], "the client secret is empty");
        }
    }
    j
}

fn secret_of_another_client_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let others =
        |x: &&Exchange| x.facts.secret_of_another == Some(true) && x.facts.secret_is_right == Some(false);
    for x in requests(t).filter(others).filter(|x| ways(x) == 1 && ids_agree(x)) {
        if needs_authentication(t, x) && (x.hands_out_a_token() || clean_but_for_credentials(t, x)) {
            let control = granted_alike(t, x).any(|y| y.facts.secret_is_right == Some(true));
            j.refused(x, control, &["invalid_client"], "the client secret is that of another client");
        }
    }
    j
}

fn client_id_must_fit_the_header(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in requests(t).filter(|x| by_basic(x) && !ids_agree(x) && ways(x) == 1) {
        let known =
            |id: Option<&str>| id.is_some_and(|id| t.subject.app_of(id).is_some_and(|app| !app.public));
        if !known(x.facts.basic_client_id.as_deref()) || !known(x.param("client_id")) {
            continue;
        }
        let alike =
            |y: &&Exchange| y.granted() && y.grant_type() == x.grant_type() && by_basic(y) && ids_agree(y);
        let control = requests(t).filter(alike).any(|y| y.facts.basic_client_id == x.facts.basic_client_id);
        if x.hands_out_a_token()
            || x.grant_type() == Some(client_credentials::GRANT_TYPE) && !beside_the_point(x)
        {
            j.refused(
                x,
                control,
                &["invalid_client", "invalid_request"],
                "header and body name different clients",
            );
        }
    }
    j
}

fn asymmetric_method_is_offered(t: &Transcript) -> Judgement {
    const METHODS: [&str; 3] = ["private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"];
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Discovery).filter(|x| x.status() == 200) {
        let list = x.member("token_endpoint_auth_methods_supported").and_then(serde_json::Value::as_array);
        let Some(list) = list else { continue };
        let offered: Vec<&str> = list.iter().filter_map(serde_json::Value::as_str).collect();
        if offered.iter().any(|method| METHODS.contains(method)) {
            j.pass();
        } else {
            j.fail(&[x], format!("one of {}", METHODS.join(", ")), format!("only {}", offered.join(", ")));
        }
    }
    j
}

/// In how many ways a request shows who the client is.
fn ways(x: &Exchange) -> usize {
    let secret = x.param("client_secret").is_some_and(|secret| !secret.is_empty());
    [secret, asserts(x), by_basic(x)].iter().filter(|way| **way).count()
}

fn asserts(x: &Exchange) -> bool {
    x.param("client_assertion").is_some()
}

/// Whether nothing but its authentication can be wrong with a request; an unknown client has no flows.
fn clean_but_for_credentials(t: &Transcript, x: &Exchange) -> bool {
    let listed = match x.grant_type() {
        Some(client_credentials::GRANT_TYPE) => lists(t, x, Flow::ClientCredentials),
        Some(authorization_code::GRANT_TYPE) => {
            lists(t, x, Flow::WebServer) && code::flaws(t, x).iter().all(|f| *f == code::Flaw::Credentials)
        }
        _ => grant_is_clean(t, x),
    };
    listed && x.request.form().repeated().is_none() && !beside_the_point(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::verdict_of;

    use crate::verdict::Verdict;

    const RIGHT: &str = right!();

    #[test]
    fn a_secret_that_need_not_be_sent_may_be_missing() {
        let missing =
            asked!("&client_id=main", "", granted).replace("client_credentials", "authorization_code&code=C");
        assert_eq!(verdict_of(no_credentials_are_refused, &missing), Verdict::Fail);
        let optional = format!("= setting secret_optional true\n{missing}");
        assert_eq!(verdict_of(no_credentials_are_refused, &optional), Verdict::Skip);
        let public = asked!("&client_id=public", "", granted);
        assert_eq!(verdict_of(no_credentials_are_refused, public), Verdict::Skip);
    }

    #[test]
    fn a_refusal_without_the_right_request_proves_nothing() {
        let none = asked!("&client_id=main", "", refused);
        assert_eq!(verdict_of(no_credentials_are_refused, none), Verdict::Inconclusive);
        let empty = asked!("&client_id=main&client_secret=", "! secret wrong\n", refused);
        assert_eq!(verdict_of(empty_secret_is_refused, empty), Verdict::Inconclusive);
        let two = by_header!("&client_secret=s", "", refused);
        assert_eq!(verdict_of(two_methods_are_refused, &format!("{RIGHT}{two}")), Verdict::Inconclusive);
    }

    #[test]
    fn a_wrong_secret_that_is_nobodys_is_not_that_of_another() {
        let wrong = asked!("&client_id=main&client_secret=x", "! secret wrong\n", granted);
        assert_eq!(verdict_of(secret_of_another_client_is_refused, wrong), Verdict::Skip);
    }

    #[test]
    fn metadata_that_do_not_say_are_not_judged() {
        assert_eq!(verdict_of(asymmetric_method_is_offered, "> GET discovery\n< 200 {}"), Verdict::Skip);
    }
}
