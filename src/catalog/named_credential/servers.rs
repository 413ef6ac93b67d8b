//! What the server that a Named Credential calls owes it.

use super::super::renewal::calls::same_call;
use super::super::renewal::grants::refresh_token;
use super::*;
use crate::subject::named_credential::STORED_TOKEN;
use crate::transcript::{Answer, Failure};
use serde_json::Value;

/// The revocation of an access token by `main`.
macro_rules! revoked {
    ($access:literal) => {
        concat!("> POST revoke token=", $access, "&client_id=main&client_secret=s\n< 200\n")
    };
}

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "named-credential/dead-token-is-answered-401",
        title: "a call-out with a dead token is answered with 401, or with a status that is listed",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Community,
        origin: "NC-03",
        cites: &[TROUBLE, STORED, Rfc(6750, "3.1")],
        explain: "Salesforce gets a new token when a call-out is answered with 401, and on no other status unless the External Credential \
            lists it (Additional Status Codes for Token Refresh: 4xx, and 600 to 999). An API that answers 403 or 400 to a token that has \
            ended works for as long as the first token, and then until somebody logs in again. Answer 401 with WWW-Authenticate: \
            Bearer error=\"invalid_token\", as RFC 6750 asks for, or list the status; Salesforce's own identity URLs, which answer \
            403, need that too.",
        passes: concat!(call!("A1" => "200"), revoked!("A1"), call!("A1" => "401")),
        fails: concat!(call!("A1" => "200"), revoked!("A1"), call!("A1" => "403")),
        judge: dead_token_is_answered_401,
    },
    Check {
        id: "named-credential/duplicate-refreshes-are-borne",
        title: "of refreshes with one token at the same time one succeeds, and the others are refused plainly",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "NC-10",
        cites: &[Rfc(9700, "4.14.2"), Rfc(6749, "5.2")],
        explain: "Salesforce runs call-outs of one principal on many machines, so a refresh token can be presented twice within a moment. \
            A server may take both, or refuse the second with an OAuth error that says so. What it must not do is break (500, or no \
            answer at all), which Salesforce reports as a failed call-out without a word about why, or refuse both, which leaves \
            the principal without a token. An error page in place of JSON weighs less. Put the check and the rotation into one transaction, and bear a repetition for a few \
            seconds.",
        passes: concat!(
            "= race\n",
            refresh!("R1" => "200 {\"access_token\":\"A2\"}"),
            refresh!("R1" => "400 {\"error\":\"invalid_grant\"}"),
            "= end\n"
        ),
        fails: concat!(
            "= race\n",
            refresh!("R1" => "200 {\"access_token\":\"A2\"}"),
            refresh!("R1" => "500"),
            "= end\n"
        ),
        judge: duplicate_refreshes_are_borne,
    },
    Check {
        id: "named-credential/token-request-is-read",
        title: "a token request is read as Salesforce sends it",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "NC-11",
        cites: &[Rfc(6749, "3.2"), Rfc(9110, "12.5.1")],
        explain: "A Named Credential posts a form with nothing but what the grant needs, says User-Agent: SFDC-Callout, and accepts \
            text/html, images and then anything (Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2). A token endpoint that \
            answers 406 for want of application/json, a firewall that knows browsers alone, and a server that wants a parameter \
            of its own in each request, refuse Salesforce and let every test client through. Leave the Accept header of token \
            requests aside, and let the user agent pass.",
        passes: ask!("grant_type=client_credentials&client_id=main&client_secret=s" => "200 {\"access_token\":\"A1\"}"),
        fails: ask!("grant_type=client_credentials&client_id=main&client_secret=s" => "406"),
        judge: token_request_is_read,
    },
    Check {
        id: "named-credential/token-answer-can-be-kept",
        title: "a token answer has a token, the type Bearer, and a lifetime that is a whole number of seconds, if any",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "NC-12",
        cites: &[Rfc(6749, "5.1"), Rfc(6750, "4")],
        explain: "Salesforce stores what the token endpoint answers and sends it under the scheme Bearer. An answer without token_type, \
            with another type, or with an expires_in that is no positive whole number (a text, a date, a fraction) is refused with an \
            error that shows in Setup alone, or kept and never renewed in time. expires_in may be missing: the token is then used \
            until a call-out is answered with 401.",
        passes: ask!("grant_type=client_credentials&client_id=main&client_secret=s" =>
            "200 {\"access_token\":\"A1\",\"token_type\":\"Bearer\",\"expires_in\":3600}"),
        fails: ask!("grant_type=client_credentials&client_id=main&client_secret=s" =>
            "200 {\"access_token\":\"A1\",\"token_type\":\"Bearer\",\"expires_in\":\"3600\"}"),
        judge: token_answer_can_be_kept,
    },
];

fn dead_token_is_answered_401(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "401, or a status that is listed";
    for x in t.at(Endpoint::Resource).filter(|x| says_so(x)) {
        let Some(token) = presented(x) else { continue };
        let revoked = t.revoked_before(token, x).filter(|y| x.began_after(y));
        let is_dead = revoked.is_some() || is_stored(x) && t.origin_of_access_token(token).is_none();
        if !is_dead {
            continue;
        }
        // Where nothing came, or the dead token still opens, other checks speak.
        let renewed = || {
            let repeated = t.at(Endpoint::Resource).filter(|y| y.began_after(x) && same_call(x, y));
            repeated.filter_map(presented).any(|new| new != token)
        };
        match x.status() {
            401 => j.pass(),
            400.. if renewed() => j.pass(),
            400.. => {
                let evidence: Vec<&Exchange> = revoked.into_iter().chain([x]).collect();
                j.fail(&evidence, expected, x.outcome());
            }
            _ => {}
        }
    }
    j
}

/// Whether our own call-out began with a token that the suite gave it.
fn is_stored(x: &Exchange) -> bool {
    x.action == "call-out" && x.tweak.as_deref().is_some_and(|tweak| tweak.contains(STORED_TOKEN))
}

fn duplicate_refreshes_are_borne(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let mut seen: Vec<u32> = Vec::new();
    for x in t.at(Endpoint::Token).filter(|x| says_so(x)) {
        let (Some(race), Some(token)) = (x.race, refresh_token(x)) else { continue };
        if seen.contains(&race) {
            continue;
        }
        seen.push(race);
        let same = |y: &&Exchange| y.race == Some(race) && refresh_token(y) == Some(token);
        let all: Vec<&Exchange> = t.at(Endpoint::Token).filter(same).collect();
        if all.len() < 2 {
            continue;
        }
        let broken: Vec<&Exchange> = all.iter().copied().filter(|y| !y.granted() && !is_refusal(y)).collect();
        let unread = all.iter().find(|y| is_refusal(y) && y.error().is_none());
        if all.iter().any(|y| y.answer == Answer::Nothing(Failure::Unrecorded)) {
            continue;
        }
        if !broken.is_empty() {
            j.fail(&broken, "a token, or an OAuth error", broken[0].outcome());
        } else if let Some(unread) = unread {
            j.fail_lesser(&[unread], "an OAuth error as JSON", "a refusal that is none");
        } else if all.iter().any(|y| y.granted()) {
            j.pass();
        } else {
            j.unproved(&all, "one of them succeeds", "all were refused, and so may have been a single one");
        }
    }
    j
}

/// Whether it has the status of a refusal (RFC 6749 §5.2), or of a limit.
fn is_refusal(x: &Exchange) -> bool {
    matches!(x.status(), 400 | 401 | 429)
}

fn token_request_is_read(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "the request is read, whatever it accepts and whoever says to send it";
    for x in t.at(Endpoint::Token).filter(|x| says_so(x) && x.tweak.is_none()) {
        let error = x.error().map(|error| error.error);
        match x.status() {
            _ if x.granted() => j.pass(),
            403..=406 | 411..=499 if error.is_none() && x.status() != 429 => {
                j.fail(&[x], expected, x.outcome())
            }
            400 if error.as_deref() == Some("invalid_request") => j.fail(&[x], expected, x.outcome()),
            // Who is refused for what it is, or asks too often, was read.
            _ => {}
        }
    }
    j
}

fn token_answer_can_be_kept(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Token).filter(|x| says_so(x) && x.granted()) {
        let whole = |value: &Value| value.as_i64().is_some_and(|seconds| seconds > 0);
        let lifetime = x.member("expires_in").filter(|value| !whole(value));
        match (x.text("token_type"), lifetime) {
            (None, _) => j.fail(&[x], "token_type Bearer", "no token_type"),
            (Some(kind), _) if !kind.eq_ignore_ascii_case("bearer") => {
                j.fail(&[x], "token_type Bearer", format!("token_type {kind}"));
            }
            (_, Some(value)) => {
                j.fail(&[x], "expires_in in whole seconds", format!("expires_in {value}"));
            }
            _ => j.pass(),
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::{Level, Verdict};

    #[test]
    fn a_status_that_is_listed_will_do() {
        let id = "named-credential/dead-token-is-answered-401";
        let renewed = concat!(
            revoked!("A1"),
            call!("A1" => "403"),
            ask!("grant_type=client_credentials&client_id=main&client_secret=s" => "200 {\"access_token\":\"A2\"}"),
            call!("A2" => "200")
        );
        comes_to(id, renewed, Verdict::Pass);
        comes_to(id, concat!(revoked!("A1"), call!("A1" => "200")), Verdict::Skip);
        let other = "> POST revoke token=A1\n< 200\n> GET api /data\n> Authorization: Bearer A1\n< 403\n";
        comes_to(id, other, Verdict::Skip);
    }

    #[test]
    fn who_is_refused_for_what_it_is_was_read() {
        let id = "named-credential/token-request-is-read";
        let refused =
            ask!("grant_type=client_credentials&client_id=x" => "401 {\"error\":\"invalid_client\"}");
        comes_to(id, refused, Verdict::Skip);
    }

    #[test]
    fn an_error_page_weighs_less_than_a_break() {
        let id = "named-credential/duplicate-refreshes-are-borne";
        let page = concat!(
            "= race\n",
            refresh!("R1" => "200 {\"access_token\":\"A2\"}"),
            refresh!("R1" => "400 <html>oops</html>"),
            "= end\n"
        );
        let judged = judge_one(find(id).unwrap(), &script::read(page));
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Should));
    }

    #[test]
    fn two_refreshes_that_both_succeed_are_borne_too() {
        let id = "named-credential/duplicate-refreshes-are-borne";
        let both = concat!(
            "= race\n",
            refresh!("R1" => "200 {\"access_token\":\"A2\"}"),
            refresh!("R1" => "200 {\"access_token\":\"A3\"}"),
            "= end\n"
        );
        comes_to(id, both, Verdict::Pass);
    }
}
