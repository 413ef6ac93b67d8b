//! Token introspection (RFC 7662): who may ask, and what is said of a token alive, dead and unknown.

use serde_json::Value;

pub(super) mod caller;
pub(super) mod content;
pub(super) mod states;

use super::Cite::Rfc;
use super::resource::{is_expired, is_forged, is_live, owner};
use super::revocation::{authenticated, revoked, shows_credentials};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "introspection/caller-must-be-authorized",
        title: "introspection without credentials is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "IN-01",
        cites: &[Rfc(7662, "2.1"), Rfc(7662, "4")],
        explain: "Introspection tells whether a string is a live token, whose it is and what it may do. Open to \
            everybody, it is an oracle on which tokens can be tried without touching any resource. Demand client \
            credentials or a token of its own for this endpoint, and refuse before looking at the token in question.",
        passes: "> POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}\n\
            > POST introspect token=A\n\
            < 401 {\"error\":\"invalid_client\"}",
        fails: "> POST introspect token=A\n\
            < 200 {\"active\":true}",
        judge: caller_must_be_authorized,
    },
    Check {
        id: "introspection/live-token-is-active",
        title: "a live access token is told to be active, as a JSON boolean",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "IN-03",
        cites: &[Rfc(7662, "2.2")],
        explain: "A resource server that asks about a good token and hears that it is not active locks its user out. The \
            member active is a JSON boolean: the text \"true\" is taken for false, or for true in every case, depending on \
            the reader. Look the token up where it was issued. On Salesforce an app may ask about its own tokens only, \
            unless it may introspect all tokens.",
        passes: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\"}\n\
            > POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true,\"scope\":\"api\"}",
        fails: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\"}\n\
            > POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":\"true\"}",
        judge: live_token_is_active,
    },
    Check {
        id: "introspection/expired-token-is-inactive",
        title: "an expired access token is told to be inactive",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "IN-04",
        cites: &[Rfc(7662, "2.2"), Rfc(7662, "4")],
        explain: "Resource servers that introspect leave the question of expiry to this answer: if it ignores the \
            clock, tokens live for ever. Compute active at the moment of the question, from the same expiry that the token \
            was issued with, and do not serve it from a cache that outlives the token.",
        passes: "= setting access_token_ttl 15m\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\"}\n\
            > POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}\n\
            + 20m\n\
            > POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":false}",
        fails: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"expires_in\":900}\n\
            + 20m\n\
            > POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}",
        judge: expired_token_is_inactive,
    },
    Check {
        id: "introspection/revoked-token-is-inactive",
        title: "a revoked token is told to be inactive",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "IN-05",
        cites: &[Rfc(7662, "2.2"), Rfc(7662, "4"), Rfc(7009, "2.1")],
        explain: "Revocation reaches a resource server through introspection: an answer that still says active after \
            the 200 of a revocation keeps the door open that was just closed. Read the state of the token from the store \
            that revocation writes to, for access tokens and for refresh tokens.",
        passes: "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"refresh_token\":\"R\"}\n\
            > POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}\n\
            > POST revoke token=A&client_id=main&client_secret=s\n\
            < 200\n\
            > POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":false}",
        fails: "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"refresh_token\":\"R\"}\n\
            > POST revoke token=R&client_id=main&client_secret=s\n\
            < 200\n\
            > POST introspect token=R&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}",
        judge: revoked_token_is_inactive,
    },
    Check {
        id: "introspection/unknown-token-is-inactive",
        title: "an unknown token is answered 200 with active false, not with an error",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "IN-06",
        cites: &[Rfc(7662, "2.2")],
        explain: "For an authorized caller a token that does not exist is an ordinary answer, not an error: a resource \
            server takes an error for an outage, and then either retries or, worse, lets the caller in. A made-up token that \
            is told to be active is a hole. Answer 200 with active false for whatever cannot be found, however malformed \
            it looks.",
        passes: "> POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}\n\
            > POST introspect token=no-such-token&client_id=main&client_secret=s\n\
            ! tweak token\n\
            < 200 {\"active\":false}",
        fails: "> POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}\n\
            > POST introspect token=no-such-token&client_id=main&client_secret=s\n\
            ! tweak token\n\
            < 400 {\"error\":\"invalid_token\"}",
        judge: unknown_token_is_inactive,
    },
    Check {
        id: "introspection/inactive-answer-says-no-more",
        title: "the answer about an inactive token holds nothing but active",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "IN-07",
        cites: &[Rfc(7662, "2.2")],
        explain: "Why a token is dead, whose it was and when it ended is nobody's business who does not hold a live one: \
            it tells a stranger about users and about the server. Careless readers take the other members for true besides. \
            Build the answer for an inactive token from nothing, not by copying the record of the token and changing \
            one member.",
        passes: "> POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":false}",
        fails: "> POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":false,\"username\":\"svc@example.com\"}",
        judge: inactive_answer_says_no_more,
    },
];

/// Every question about a token, with the token.
fn questions(t: &Transcript) -> impl Iterator<Item = (&Exchange, &str)> {
    let about = |x| Some((x, Exchange::param(x, "token").filter(|token| !token.is_empty())?));
    t.at(Endpoint::Introspect).filter_map(about)
}

/// What is said of a token, where it is a JSON boolean.
fn active(x: &Exchange) -> Option<bool> {
    x.member("active").filter(|_| x.status() == 200)?.as_bool()
}

/// Whether the server had no time to answer.
fn busy(x: &Exchange) -> bool {
    matches!(x.status(), 0 | 429 | 503)
}

/// Whether another token was told to be active: the positive control of an inactive answer.
fn sees_live_tokens(t: &Transcript, token: &str, x: &Exchange) -> bool {
    let earlier = |y: &Exchange, asked: &str| asked != token || y.number < x.number;
    questions(t).any(|(y, asked)| y.number != x.number && active(y) == Some(true) && earlier(y, asked))
}

/// Whether another question of the same caller was answered, so that it is authorized to ask.
fn may_ask(t: &Transcript, x: &Exchange) -> bool {
    authenticated(t, x)
        && questions(t).any(|(y, _)| {
            y.number != x.number
                && active(y).is_some()
                && authenticated(t, y)
                && y.client_id() == x.client_id()
        })
}

/// Judges the answer about a token that is not active.
fn inactive(j: &mut Judgement, t: &Transcript, x: &Exchange, token: &str, because: &str) {
    let expected = format!("200 with active: false: {because}");
    let replayed = x.facts.client_assertion.is_some() && matches!(x.status(), 400 | 401);
    match active(x) {
        Some(true) => j.fail(&[x], expected, x.outcome()),
        Some(false) if sees_live_tokens(t, token, x) => j.pass(),
        Some(false) => j.unproved(&[x], expected, "no token was ever told to be active"),
        None if busy(x) || replayed => {}
        None if may_ask(t, x) => j.fail(&[x], expected, x.outcome()),
        None => {}
    }
}

fn caller_must_be_authorized(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, _) in questions(t).filter(|(x, _)| !shows_credentials(x)) {
        let app = x.client_id().and_then(|id| t.subject.app_of(id));
        if app.is_some_and(|app| app.public) {
            continue;
        }
        match active(x) {
            Some(false) => {
                let expected = "a refusal: the caller shows no credentials";
                j.fail_lesser(&[x], expected, "the question was answered, though with active: false");
            }
            None if x.status() == 200 => {}
            _ => {
                let control = questions(t).any(|(y, _)| authenticated(t, y) && active(y).is_some());
                j.refused(x, control, &[], "the caller shows no credentials");
            }
        }
    }
    j
}

fn live_token_is_active(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let usual = |x: &Exchange| x.param("token_type_hint").is_none_or(|hint| hint == "access_token");
    for (x, token) in questions(t) {
        let own = shows_credentials(x) && authenticated(t, x) && x.client_id() == owner(t, token);
        if !own || !usual(x) || x.tweak.is_some() || x.request.method != "POST" || !is_live(t, token, x) {
            continue;
        }
        let expected = "active: true: the token was granted to the caller and is within its time";
        match (x.status(), x.member("active")) {
            (200, Some(Value::Bool(true))) => j.pass(),
            (200, Some(Value::Bool(false)) | None) => j.fail(&[x], expected, x.outcome()),
            (200, Some(other)) => j.fail(&[x], expected, format!("active is {other}, not a boolean")),
            (400 | 401 | 403, _) => j.unproved(&[x], expected, x.outcome()),
            _ => {}
        }
    }
    j
}

fn expired_token_is_inactive(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in questions(t).filter(|(x, token)| is_expired(t, token, x)) {
        inactive(&mut j, t, x, token, "the token is past its time");
    }
    j
}

fn revoked_token_is_inactive(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in questions(t).filter(|(x, token)| revoked(t, token, x).is_some()) {
        inactive(&mut j, t, x, token, "the token was revoked");
    }
    j
}

fn unknown_token_is_inactive(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in questions(t).filter(|(x, token)| is_forged(t, token, x)) {
        inactive(&mut j, t, x, token, "no server ever handed this token out");
    }
    j
}

fn inactive_answer_says_no_more(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, _) in questions(t).filter(|(x, _)| active(x) == Some(false)) {
        let members = x.response().and_then(|r| r.json()?.as_object());
        let more =
            members.into_iter().flatten().map(|(name, _)| name.as_str()).filter(|name| *name != "active");
        match more.collect::<Vec<_>>()[..] {
            [] => j.pass(),
            ref more => j.fail(&[x], "active alone", format!("it also says {}", more.join(", "))),
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

    const GRANTED: &str = "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
        < 200 {\"access_token\":\"A\",\"refresh_token\":\"R\"}\n";
    const ASK: &str = "> POST introspect token=A&client_id=main&client_secret=s\n";

    #[test]
    fn another_client_may_hear_that_a_live_token_is_inactive() {
        let text = format!(
            "{GRANTED}> POST introspect token=A&client_id=other&client_secret=s\n< 200 {{\"active\":false}}\n"
        );
        assert_eq!(verdict("introspection/live-token-is-active", &text), Verdict::Skip);
    }

    #[test]
    fn a_token_that_was_just_revoked_is_not_called_live() {
        let text = format!(
            "{GRANTED}> POST revoke token=R&client_id=main&client_secret=s\n< 200\n{ASK}< 200 {{\"active\":false}}\n"
        );
        assert_eq!(verdict("introspection/live-token-is-active", &text), Verdict::Skip);
    }

    #[test]
    fn inactive_proves_nothing_where_nothing_is_ever_active() {
        let text = "> POST introspect token=x&client_id=main&client_secret=s\n! tweak token\n< 200 {\"active\":false}\n";
        assert_eq!(verdict("introspection/unknown-token-is-inactive", text), Verdict::Inconclusive);
    }

    #[test]
    fn a_token_from_outside_of_the_record_may_be_active() {
        let text = "> POST introspect token=x&client_id=main&client_secret=s\n< 200 {\"active\":true}\n";
        assert_eq!(verdict("introspection/unknown-token-is-inactive", text), Verdict::Skip);
    }

    #[test]
    fn an_error_for_a_caller_that_was_never_answered_is_no_fail_of_the_token() {
        let text = "> POST introspect token=x&client_id=main&client_secret=s\n! tweak token\n< 401 {\"error\":\"invalid_client\"}\n";
        assert_eq!(verdict("introspection/unknown-token-is-inactive", text), Verdict::Skip);
    }

    #[test]
    fn an_inactive_answer_to_a_stranger_weighs_less_than_an_active_one() {
        let check = find("introspection/caller-must-be-authorized").unwrap();
        let judged = judge_one(check, &script::read("> POST introspect token=A\n< 200 {\"active\":false}\n"));
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Should));
        let public = "> POST introspect token=A&client_id=public\n< 200 {\"active\":true}\n";
        assert_eq!(judge_one(check, &script::read(public)).verdict, Verdict::Skip);
    }
}
