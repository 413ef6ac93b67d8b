//! Who may ask, about what, and in which form.

use super::super::Cite::{Rfc, Salesforce};
use super::super::resource::{is_live, owner};
use super::super::revocation::authenticated;
use super::super::{Check, Judgement, Party};
use super::{active, busy, may_ask, questions};
use crate::oauth::Endpoint;
use crate::oauth::salesforce::Profile;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "introspection/wrong-credentials-are-refused",
        title: "a caller with wrong credentials is refused with 401",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "IN-02",
        cites: &[Rfc(7662, "2.1"), Rfc(7662, "2.3"), Rfc(6749, "5.2")],
        explain: "Asking for credentials protects nothing where any value passes for them: the names of clients are public, \
            and whoever knows one could try tokens. Compare the secret, in constant time, before the token is looked \
            at, and answer 401 as for a failed client of the token endpoint. An answer of active: false is an answer too: it \
            tells the caller that its credentials were taken.",
        passes: "> POST introspect token=A&client_id=main&client_secret=s\n! secret right\n\
            < 200 {\"active\":true}\n\
            > POST introspect token=A&client_id=main&client_secret=x\n! secret wrong\n\
            < 401 {\"error\":\"invalid_client\"}",
        fails: "> POST introspect token=A&client_id=main&client_secret=x\n! secret wrong\n\
            < 200 {\"active\":true}",
        judge: wrong_credentials_are_refused,
    },
    Check {
        id: "introspection/foreign-token-is-not-told",
        title: "a client that may not introspect every token learns nothing of another client's",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "IN-09",
        cites: &[Rfc(7662, "2.2"), Rfc(7662, "4"), Salesforce("Token Introspection")],
        explain: "A token that the caller is not allowed to know about is answered with active: false, like one that does not \
            exist: otherwise every client of the server can follow what the users of all the others do. Compare the client of \
            the token with the caller, and keep a list of those who may ask about all. On Salesforce an app sees its own \
            tokens alone unless \"Introspect All Tokens\" is on; a server whose resource servers ask about everybody's tokens \
            is not judged unless its target says introspect_all: false.",
        passes: "= setting introspect_all false\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\"}\n\
            > POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}\n\
            > POST introspect token=A&client_id=other&client_secret=o\n\
            < 200 {\"active\":false}",
        fails: "= setting introspect_all false\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\"}\n\
            > POST introspect token=A&client_id=other&client_secret=o\n\
            < 200 {\"active\":true,\"username\":\"svc@example.com\"}",
        judge: foreign_token_is_not_told,
    },
    Check {
        id: "introspection/missing-token-is-an-error",
        title: "a question without a token is an error, not an answer",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "IN-10",
        cites: &[Rfc(7662, "2.1"), Rfc(6749, "5.2")],
        explain: "The parameter token is required. A caller that forgot it, or wrote its name wrong, must hear so: active: false \
            would send its user away, and active: true would let everybody in. Answer 400 with invalid_request where the \
            parameter is missing or empty, before anything is looked up.",
        passes: "> POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}\n\
            > POST introspect client_id=main&client_secret=s\n\
            < 400 {\"error\":\"invalid_request\"}",
        fails: "> POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}\n\
            > POST introspect client_id=main&client_secret=s\n\
            < 200 {\"active\":false}",
        judge: missing_token_is_an_error,
    },
    Check {
        id: "introspection/get-is-refused",
        title: "introspection by GET, with the token in the URL, is refused",
        binds: Party::Org,
        level: Level::BestPractice,
        basis: Basis::Normative,
        origin: "IN-11",
        cites: &[Rfc(7662, "2.1"), Rfc(7662, "4")],
        explain: "A URL is written into the logs of every server and proxy on its way, and with it a live token. Introspection is \
            defined for POST, and a server may refuse GET for that reason. Answer 405, and look at the parameters of the \
            body alone, so that no client gets used to the other form.",
        passes: "> POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}\n\
            > GET introspect token=A&client_id=main&client_secret=s\n\
            < 405",
        fails: "> GET introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}",
        judge: get_is_refused,
    },
    Check {
        id: "introspection/ordinary-token-is-no-credential",
        title: "an access token that was not made for it does not authorize introspection",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "IN-17",
        cites: &[Rfc(7662, "2.1"), Rfc(7662, "2.3"), Rfc(7662, "4")],
        explain: "A resource server may show an access token of its own instead of client credentials. Where any access token does, \
            whoever found one can ask about every other string, and the endpoint is open to all users of all apps. Demand a \
            scope or an audience that is given to resource servers only, and answer 401 or 403 to a token without it.",
        passes: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"scope\":\"api\"}\n\
            > POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}\n\
            > POST introspect token=A\n\
            > Authorization: Bearer A\n\
            < 401",
        fails: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"scope\":\"api\"}\n\
            > POST introspect token=A\n\
            > Authorization: Bearer A\n\
            < 200 {\"active\":true}",
        judge: ordinary_token_is_no_credential,
    },
];

/// Whether some question of that client, with credentials that were taken, was answered.
fn is_answered(t: &Transcript, x: &Exchange) -> bool {
    questions(t).any(|(y, _)| {
        y.number != x.number && active(y).is_some() && authenticated(t, y) && y.client_id() == x.client_id()
    })
}

fn wrong_credentials_are_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let wrong = |x: &Exchange| {
        let assertion = x.facts.client_assertion.as_ref().is_some_and(|a| a.verifies == Some(false));
        x.facts.secret_is_right == Some(false) || assertion
    };
    for (x, _) in questions(t).filter(|(x, _)| wrong(x) && !busy(x)) {
        let expected = "401: the credentials of the caller are wrong";
        match active(x) {
            Some(true) => j.fail_grave(&[x], expected, x.outcome()),
            Some(false) => j.fail(&[x], expected, "the question was answered, with active: false"),
            None if x.status() == 200 => {}
            None if !is_answered(t, x) => {
                j.unproved(&[x], expected, "it was refused, but no question of this client was answered");
            }
            None if x.status() == 401 => j.pass(),
            None => j.fail_lesser(&[x], expected, x.outcome()),
        }
    }
    j
}

fn foreign_token_is_not_told(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let own_only = |x: &Exchange| match t.subject.settings_of(x.client_id()).flag("introspect_all") {
        Some(all) => !all,
        None => t.subject.profile == Profile::Salesforce,
    };
    for (x, token) in questions(t).filter(|(x, _)| own_only(x) && authenticated(t, x) && !busy(x)) {
        let foreign = owner(t, token).zip(x.client_id()).is_some_and(|(owner, caller)| owner != caller);
        if !foreign || !is_live(t, token, x) {
            continue;
        }
        let expected = "active: false: the token belongs to another client";
        let seen =
            questions(t).any(|(y, asked)| asked == token && y.number != x.number && active(y) == Some(true));
        match active(x) {
            Some(true) => j.fail(&[x], expected, x.outcome()),
            Some(false) if seen => j.pass(),
            Some(false) => j.unproved(&[x], expected, "nor was its own client told that the token is active"),
            None if matches!(x.status(), 401 | 403) && seen => j.pass(),
            None => {}
        }
    }
    j
}

fn missing_token_is_an_error(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let without = |x: &&Exchange| x.param("token").is_none_or(str::is_empty) && x.request.method == "POST";
    for x in t.at(Endpoint::Introspect).filter(without).filter(|x| authenticated(t, x) && !busy(x)) {
        let expected = "400 with invalid_request: there is no token in the request";
        match (active(x), x.status()) {
            (Some(true), _) => j.fail_grave(&[x], expected, x.outcome()),
            (Some(false), _) | (None, 200) => j.fail(&[x], expected, x.outcome()),
            (None, 400..=499) if is_answered(t, x) => j.pass(),
            (None, 400..=499) => j.unproved(&[x], expected, "no question of this client was answered"),
            _ => j.fail_lesser(&[x], expected, x.outcome()),
        }
    }
    j
}

fn get_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, _) in questions(t).filter(|(x, _)| x.request.method == "GET" && !busy(x)) {
        match active(x) {
            Some(_) => j.fail(&[x], "a refusal: the token stands in the URL", x.outcome()),
            None if (400..500).contains(&x.status()) && may_ask(t, x) => j.pass(),
            None => {}
        }
    }
    j
}

fn ordinary_token_is_no_credential(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let meant = |scope: &str| scope.to_ascii_lowercase().contains("introspect");
    for (x, _) in questions(t).filter(|(x, _)| !busy(x)) {
        let Some(shown) = x.request.bearer().filter(|shown| is_live(t, shown, x)) else { continue };
        let itself =
            ["client_id", "client_secret", "client_assertion"].iter().any(|name| x.param(name).is_some());
        let scope = t.origin_of_access_token(shown).and_then(|origin| origin.text("scope"));
        if itself || scope.is_some_and(meant) {
            continue;
        }
        let expected = "a refusal: the caller shows an access token that was granted for something else";
        match active(x) {
            Some(true) => j.fail(&[x], expected, x.outcome()),
            Some(false) => {
                j.fail_lesser(&[x], expected, "the question was answered, though with active: false")
            }
            None if !(400..500).contains(&x.status()) => {}
            None if questions(t).any(|(y, _)| active(y) == Some(true)) => j.pass(),
            None => j.unproved(&[x], expected, "no question was answered at all"),
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::verdict;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::{Level, Verdict};

    const GRANTED: &str = "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
        < 200 {\"access_token\":\"A\",\"scope\":\"api\"}\n";

    #[test]
    fn a_wrong_secret_that_is_refused_with_400_weighs_less() {
        let id = "introspection/wrong-credentials-are-refused";
        let wrong = "> POST introspect token=A&client_id=main&client_secret=x\n! secret wrong\n< 400 {\"error\":\"invalid_client\"}\n";
        assert_eq!(verdict(id, wrong), Verdict::Inconclusive);
        let text = format!(
            "> POST introspect token=A&client_id=main&client_secret=s\n< 200 {{\"active\":true}}\n{wrong}"
        );
        let judged = judge_one(find(id).unwrap(), &script::read(&text));
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Should));
    }

    #[test]
    fn a_server_whose_resource_servers_ask_about_all_is_not_blamed() {
        let id = "introspection/foreign-token-is-not-told";
        let text = format!(
            "{GRANTED}> POST introspect token=A&client_id=other&client_secret=o\n< 200 {{\"active\":true}}\n"
        );
        assert_eq!(verdict(id, &text), Verdict::Skip);
        assert_eq!(verdict(id, &format!("= salesforce\n{text}")), Verdict::Fail);
        assert_eq!(
            verdict(id, &format!("= salesforce\n= setting introspect_all true\n{text}")),
            Verdict::Skip
        );
    }

    #[test]
    fn a_token_that_was_made_for_asking_may_ask() {
        let id = "introspection/ordinary-token-is-no-credential";
        let fails = find(id).unwrap().fails;
        assert_eq!(verdict(id, &fails.replace("\"api\"", "\"token:introspect\"")), Verdict::Skip);
        assert_eq!(
            verdict(id, &fails.replace("> POST introspect token=A", "+ 2h\n> POST introspect token=A")),
            Verdict::Skip
        );
    }
}
