//! Who may revoke what, and how a revocation is asked for.

use super::super::Cite::{Rfc, Salesforce};
use super::super::resource::{is_live, let_in, opens_otherwise, owner, presented};
use super::super::{Check, Judgement, Party};
use super::{authenticated, calls, is_live_refresh_token, shows_credentials};
use crate::oauth::Endpoint;
use crate::oauth::grant::refresh_token::GRANT_TYPE;
use crate::oauth::salesforce::Profile;
use crate::transcript::questions::together;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// A grant to `main` of A, and a call that shows that A works and that another token does.
macro_rules! granted {
    () => {
        "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
         < 200 {\"access_token\":\"A\"}\n\
         > GET api\n> Authorization: Bearer A\n< 200 []\n"
    };
}

/// A revocation by `main` of another token, which shows that it may revoke.
macro_rules! control {
    () => {
        "> POST revoke token=B&client_id=main&client_secret=s\n< 200\n"
    };
}

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "revocation/wrong-hint-is-searched-beyond",
        title: "a token is revoked though token_type_hint names the other kind",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RV-06",
        cites: &[Rfc(7009, "2.1")],
        explain: "The hint speeds the search up and decides nothing: where the token is not found among the kind that it names, \
            the server must look among all others. A server that believes it answers 200, as it does for every token that it \
            cannot find, and the client takes a token for dead that goes on working. Search everywhere, or ignore the hint.",
        passes: concat!(
            granted!(),
            "> POST revoke token=A&token_type_hint=refresh_token&client_id=main&client_secret=s\n< 200\n",
            "> GET api\n> Authorization: Bearer A\n< 401\n"
        ),
        fails: concat!(
            granted!(),
            "> POST revoke token=A&token_type_hint=refresh_token&client_id=main&client_secret=s\n< 200\n",
            "> GET api\n> Authorization: Bearer A\n< 200 []\n"
        ),
        judge: wrong_hint_is_searched_beyond,
    },
    Check {
        id: "revocation/unknown-hint-is-ignored",
        title: "a token_type_hint that nobody knows changes nothing",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RV-07",
        cites: &[Rfc(7009, "2.2"), Rfc(7009, "2.1")],
        explain: "Servers may define hints of their own, and clients send them elsewhere too. A value that the server does not know \
            is ignored and has no influence on the answer: a logout must not fail for a word that was meant to help. Drop what \
            is unknown before anything is decided.",
        passes: concat!(
            granted!(),
            "> POST revoke token=A&token_type_hint=what&client_id=main&client_secret=s\n< 200\n",
            "> GET api\n> Authorization: Bearer A\n< 401\n"
        ),
        fails: concat!(
            granted!(),
            "> POST revoke token=A&token_type_hint=what&client_id=main&client_secret=s\n\
             < 400 {\"error\":\"invalid_request\"}\n"
        ),
        judge: unknown_hint_is_ignored,
    },
    Check {
        id: "revocation/confidential-client-must-authenticate",
        title: "a revocation for a confidential client without its credentials is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RV-08",
        cites: &[Rfc(7009, "2.1"), Rfc(7009, "5"), Salesforce("Revoke OAuth Tokens")],
        explain: "The server first validates the client's credentials, then whether the token is its own. Without that, whoever \
            comes by a token can end the work of an integration, and can try strings to see which are tokens. Ask for the same \
            authentication as at the token endpoint. Salesforce asks for none here: whoever has the token may end it.",
        passes: concat!(
            granted!(),
            "> POST revoke token=A&client_id=main\n< 401 {\"error\":\"invalid_client\"}\n",
            control!()
        ),
        fails: concat!(granted!(), "> POST revoke token=A&client_id=main\n< 200\n"),
        judge: confidential_client_must_authenticate,
    },
    Check {
        id: "revocation/foreign-token-is-refused",
        title: "a client cannot revoke a token of another client",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RV-09",
        cites: &[Rfc(7009, "2.1"), Salesforce("Revoke OAuth Tokens")],
        explain: "After it has authenticated the client the server verifies that the token was issued to it; if not, the request \
            is refused and the client is told. One app must not be able to log the users of all others out. An answer of 200 \
            that leaves the token alive does no harm, and weighs less. Compare the client of the grant with the caller. \
            Salesforce does not ask who calls, so anybody may revoke anything that they hold.",
        passes: concat!(
            granted!(),
            "> POST revoke token=A&client_id=other&client_secret=o\n< 400 {\"error\":\"invalid_grant\"}\n",
            control!()
        ),
        fails: concat!(
            granted!(),
            "> POST revoke token=A&client_id=other&client_secret=o\n< 200\n",
            "> GET api\n> Authorization: Bearer A\n< 401\n"
        ),
        judge: foreign_token_is_refused,
    },
    Check {
        id: "revocation/missing-token-is-invalid-request",
        title: "a revocation without a token is refused with invalid_request",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RV-12",
        cites: &[Rfc(7009, "2.1"), Rfc(7009, "2.2.1"), Rfc(6749, "5.2")],
        explain: "The parameter token is required. A client whose logout leaves it out, or misspells its name, would take a 200 for \
            the end of its token and never learn of the mistake. Answer 400 with invalid_request where it is missing or empty; the \
            200 for unknown tokens is for requests that name one.",
        passes: concat!(
            control!(),
            "> POST revoke client_id=main&client_secret=s\n< 400 {\"error\":\"invalid_request\"}\n"
        ),
        fails: "> POST revoke client_id=main&client_secret=s\n< 200\n",
        judge: missing_token_is_invalid_request,
    },
    Check {
        id: "revocation/get-is-refused",
        title: "a revocation by GET, with the token in the URL, is refused",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "RV-15",
        cites: &[Rfc(7009, "2.1"), Rfc(9700, "4.3.2"), Salesforce("Revoke OAuth Tokens")],
        explain: "Revocation is defined for POST. A URL stays in logs, histories and Referer headers, and where the revocation fails \
            on its way the token in it is alive. GET is also what a page of somebody else can make a browser send. Answer 405. \
            JSONP, which RFC 7009 §2.3 allows for pages on other origins, is not judged. Salesforce documents GET.",
        passes: concat!(control!(), "> GET revoke token=A&client_id=main&client_secret=s\n< 405\n"),
        fails: "> GET revoke token=A&client_id=main&client_secret=s\n< 200\n",
        judge: get_is_refused,
    },
    Check {
        id: "revocation/simultaneous-ones-succeed",
        title: "of simultaneous revocations of one token each is answered 200",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "RV-17",
        cites: &[Rfc(7009, "2.2")],
        explain: "Two tabs that log out at the same moment both want the token gone, and it is. Whichever comes second finds a dead \
            token, for which the answer is 200 as well; an error of the server there comes from a lock or a row that was \
            deleted meanwhile. Make the revocation idempotent. That Salesforce answers 400 to the later one is not held against \
            it here, as it says so of every dead token.",
        passes: concat!(
            granted!(),
            "= race\n> POST revoke token=A&client_id=main&client_secret=s\n< 200\n",
            "> POST revoke token=A&client_id=main&client_secret=s\n< 200\n"
        ),
        fails: concat!(
            granted!(),
            "= race\n> POST revoke token=A&client_id=main&client_secret=s\n< 200\n",
            "> POST revoke token=A&client_id=main&client_secret=s\n< 500\n"
        ),
        judge: simultaneous_ones_succeed,
    },
];

/// Whether a revocation was answered as done.
fn done(x: &Exchange) -> bool {
    matches!(x.status(), 200 | 204) && x.error().is_none()
}

fn busy(x: &Exchange) -> bool {
    matches!(x.status(), 0 | 429 | 503)
}

/// Whether some other revocation, with credentials, was answered as done: the control of a refusal.
fn is_served(t: &Transcript, x: &Exchange) -> bool {
    t.at(Endpoint::Revoke)
        .any(|y| y.number != x.number && done(y) && y.request.method == "POST" && authenticated(t, y))
}

/// Whether a token lives when it is to be revoked.
fn lives(t: &Transcript, token: &str, x: &Exchange) -> bool {
    is_live(t, token, x) || is_live_refresh_token(t, token, x)
}

/// What the first use of a token after `x` came to: whether it went through; none where nothing tells.
fn used_after<'t>(t: &'t Transcript, token: &str, x: &Exchange) -> Option<(&'t Exchange, bool)> {
    let call = |z: &&Exchange| presented(z) == Some(token) && z.began_after(x);
    let called = calls(t).find(call).and_then(|z| {
        let through = let_in(z)?;
        (through || opens_otherwise(t, z)).then_some((z, through))
    });
    called.or_else(|| {
        let refreshed = |z: &&Exchange| z.began_after(x) && z.param("refresh_token") == Some(token);
        let z = t.requests_of(GRANT_TYPE).find(refreshed)?;
        let dead = z.error().is_some_and(|error| error.error == "invalid_grant");
        let control = t.requests_of(GRANT_TYPE).any(Exchange::granted);
        (z.granted() || dead && control).then_some((z, z.granted()))
    })
}

/// Judges revocations of live tokens by their own clients, under a hint that must not matter.
fn whatever_the_hint(t: &Transcript, hint_is: impl Fn(&str, &str) -> bool) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Revoke).filter(|x| x.request.method == "POST" && !busy(x)) {
        let (Some(token), Some(hint)) = (x.param("token"), x.param("token_type_hint")) else { continue };
        let own = x.client_id().is_none_or(|client| Some(client) == owner(t, token));
        let asked = authenticated(t, x) || t.subject.profile == Profile::Salesforce && !shows_credentials(x);
        if !own || !asked || !hint_is(hint, token) || !lives(t, token, x) {
            continue;
        }
        let expected = format!("200, and the token is dead: the hint {hint} must not matter");
        if !done(x) {
            // A server that does not revoke that kind of token says so whatever the hint.
            let unsupported = x.error().is_some_and(|error| error.error == super::UNSUPPORTED);
            match unsupported {
                true => j.unproved(&[x], expected, x.outcome()),
                false => j.fail(&[x], expected, x.outcome()),
            }
            continue;
        }
        match used_after(t, token, x) {
            Some((z, true)) => j.fail(&[x, z], expected, z.outcome()),
            Some((_, false)) => j.pass(),
            None => {}
        }
    }
    j
}

fn wrong_hint_is_searched_beyond(t: &Transcript) -> Judgement {
    whatever_the_hint(t, |hint, token| match hint {
        "access_token" => t.origin_of_access_token(token).is_none(),
        "refresh_token" => t.origin_of_refresh_token(token).is_none(),
        _ => false,
    })
}

fn unknown_hint_is_ignored(t: &Transcript) -> Judgement {
    whatever_the_hint(t, |hint, _| !["access_token", "refresh_token"].contains(&hint))
}

fn confidential_client_must_authenticate(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let bare = |x: &&Exchange| x.request.method == "POST" && !shows_credentials(x) && !busy(x);
    for x in t.at(Endpoint::Revoke).filter(bare) {
        let Some(token) = x.param("token").filter(|token| !token.is_empty()) else { continue };
        let client = x.client_id().or_else(|| owner(t, token));
        if client.and_then(|id| t.subject.app_of(id)).is_none_or(|app| app.public) {
            continue;
        }
        let expected = "a refusal: the client has credentials and does not show them";
        match x.status() {
            200 | 204 if x.error().is_none() => j.fail_grave(&[x], expected, x.outcome()),
            400..=499 if is_served(t, x) => j.pass(),
            400..=499 => j.unproved(&[x], expected, "no revocation with credentials was seen to succeed"),
            _ => {}
        }
    }
    j
}

fn foreign_token_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let shown = |x: &&Exchange| shows_credentials(x) && authenticated(t, x) && !busy(x);
    for x in t.at(Endpoint::Revoke).filter(shown) {
        let Some(token) = x.param("token").filter(|token| lives(t, token, x)) else { continue };
        if owner(t, token).zip(x.client_id()).is_none_or(|(owner, caller)| owner == caller) {
            continue;
        }
        let expected = "a refusal: the token was issued to another client";
        match (done(x), used_after(t, token, x)) {
            (true, Some((z, false))) => j.fail_grave(&[x, z], expected, "the token is dead"),
            (true, _) => j.fail_lesser(&[x], expected, x.outcome()),
            (false, _) if !(400..500).contains(&x.status()) => {}
            (false, _) if is_served(t, x) => j.pass(),
            (false, _) => j.unproved(&[x], expected, "no revocation was seen to succeed"),
        }
    }
    j
}

fn missing_token_is_invalid_request(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let without = |x: &&Exchange| x.request.method == "POST" && x.param("token").is_none_or(str::is_empty);
    for x in t.at(Endpoint::Revoke).filter(without).filter(|x| authenticated(t, x) && !busy(x)) {
        let expected = "400 with invalid_request: there is no token in the request";
        if done(x) {
            j.fail(&[x], expected, x.outcome());
        } else if !is_served(t, x) {
            j.unproved(&[x], expected, "no revocation was seen to succeed");
        } else if x.status() == 400 && x.error().is_some_and(|error| error.error == "invalid_request") {
            j.pass();
        } else {
            j.fail_lesser(&[x], expected, x.outcome());
        }
    }
    j
}

fn get_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let by_get = |x: &&Exchange| x.request.method == "GET" && x.param("callback").is_none();
    for x in t.at(Endpoint::Revoke).filter(by_get).filter(|x| x.param("token").is_some()) {
        match x.status() {
            200 | 204 => j.fail_grave(&[x], "a refusal: the token stands in the URL", x.outcome()),
            400..=499 if is_served(t, x) => j.pass(),
            _ => {}
        }
    }
    j
}

fn simultaneous_ones_succeed(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t
        .at(Endpoint::Revoke)
        .filter(|x| x.race.is_some() && x.request.method == "POST" && authenticated(t, x))
    {
        let Some(token) = x.param("token").filter(|token| x.client_id() == owner(t, token)) else { continue };
        let race = t.at(Endpoint::Revoke).filter(|y| together(x, y) && y.param("token") == Some(token));
        let (mut others, mut won) = (0, done(x));
        for y in race.filter(|y| y.number != x.number) {
            others += 1;
            won |= done(y);
        }
        let dead_is_an_error = t.subject.profile == Profile::Salesforce && x.status() == 400;
        if others == 0 || !won || busy(x) || dead_is_an_error {
            continue;
        }
        j.holds(done(x), x, "200: the token is dead, whoever ended it");
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::verdict;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::{Level, Verdict};

    #[test]
    fn a_server_that_revokes_no_access_tokens_is_not_blamed_for_the_hint() {
        let id = "revocation/unknown-hint-is-ignored";
        let fails = find(id).unwrap().fails;
        assert_eq!(
            verdict(id, &fails.replace("invalid_request", "unsupported_token_type")),
            Verdict::Inconclusive
        );
    }

    #[test]
    fn a_call_beside_the_revocation_may_have_come_first() {
        let id = "revocation/unknown-hint-is-ignored";
        let granted = "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\"}\n";
        let revoke = "> POST revoke token=A&token_type_hint=x&client_id=main&client_secret=s\n< 200\n";
        let call = "> GET api\n> Authorization: Bearer A\n< 200 []\n";
        assert_eq!(verdict(id, &format!("{granted}{revoke}{call}")), Verdict::Fail);
        assert_eq!(verdict(id, &format!("{granted}= race\n{revoke}{call}= end\n")), Verdict::Skip);
    }

    #[test]
    fn a_200_for_a_foreign_token_that_lives_on_weighs_less() {
        let id = "revocation/foreign-token-is-refused";
        let text = find(id).unwrap().fails.replace("< 401", "< 200 []");
        let judged = judge_one(find(id).unwrap(), &script::read(&text));
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Should));
    }

    #[test]
    fn a_public_client_has_nothing_to_show_and_jsonp_is_no_get() {
        let id = "revocation/confidential-client-must-authenticate";
        let fails = find(id).unwrap().fails;
        assert_eq!(verdict(id, &fails.replace("client_id=main\n", "client_id=public\n")), Verdict::Skip);
        let get = find("revocation/get-is-refused").unwrap().fails;
        assert_eq!(
            verdict("revocation/get-is-refused", &get.replace("token=A", "callback=f&token=A")),
            Verdict::Skip
        );
    }

    #[test]
    fn the_later_of_two_may_be_told_that_the_token_is_dead_on_salesforce() {
        let id = "revocation/simultaneous-ones-succeed";
        let text = find(id).unwrap().fails.replace("< 500", "< 400 {\"error\":\"invalid_token\"}");
        assert_eq!(verdict(id, &text), Verdict::Fail);
        assert_eq!(verdict(id, &format!("= salesforce\n{text}")), Verdict::Pass);
    }
}
