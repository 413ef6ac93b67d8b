//! How often a client asks with an assertion.

use super::super::evidence::{one_at_a_time, uses};
use super::*;

/// A call with A1 that is refused.
macro_rules! refused {
    () => {
        "> GET api\n> Authorization: Bearer A1\n< 401\n"
    };
}

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "signing/each-request-has-its-own-assertion",
        title: "every token request has an assertion that was signed for it",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLJ-06",
        cites: &[Rfc(7523, "3"), Rfc(7521, "5.2")],
        explain: "An assertion lives for minutes. A client that signs one when it starts and keeps it works in every test, and fails \
            when its first access token ends, an hour later: the assertion is past its time, or its jti was used. Sign when you \
            ask, each time, retries included. Two assertions that were signed in the same second and have no jti are the same text: \
            where that may be, nothing is said.",
        passes: concat!(jwt!("J", "{}"), "+ 1h\n", jwt!("K", "{}")),
        fails: concat!(jwt!("J", "{}"), "+ 1h\n", refused!(), jwt!("J", "{}")),
        judge: each_request_has_its_own_assertion,
    },
    Check {
        id: "signing/callers-share-one-request",
        title: "callers without a token, or with a dead one, share one request with an assertion",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLJ-08",
        cites: &[Rfc(9700, "4.14"), JWT_FLOW],
        explain: "No refresh token is at stake here, so each caller could well ask for itself; but each request is a login. Salesforce \
            counts them for each user and hour, and refuses all of them when it has had enough, which takes every other job of that \
            user along. Put the request behind the same lock that a refresh would have. Two requests for the same user that are \
            under way at the same time count; a second one a good while later may be of a caller that gave up the first.",
        passes: concat!(
            jwt!("J", "{\"claims\":{\"iss\":\"main\",\"sub\":\"u\"}}"),
            "> GET api /a\n> Authorization: Bearer A1\n< 200\n= hold\n> GET api /b\n> Authorization: Bearer A1\n< 200\n= release\n"
        ),
        fails: concat!(
            jwt!("J", "{\"claims\":{\"iss\":\"main\",\"sub\":\"u\"}}"),
            "= hold\n",
            jwt!("K", "{\"claims\":{\"iss\":\"main\",\"sub\":\"u\"}}"),
            "= release\n"
        ),
        judge: callers_share_one_request,
    },
    Check {
        id: "signing/what-setup-forbids-is-not-tried-again",
        title: "a user who did not approve the app and a wrong audience are reported, and not tried again",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLJ-09",
        cites: &[Salesforce("OAuth 2.0 Authorization Errors"), JWT_FLOW],
        explain: "\"user hasn't approved this consumer\", \"audience is invalid\" and their kin say that something is set up wrong: \
            permitted users, the certificate, the login host. The same request brings the same answer until somebody changes it, \
            and each one counts as a failed login. Report the error with its description, and stop. Trying another audience is \
            another request. One more attempt a while later may be a person's, and proves nothing.",
        passes: jwt!(
            "J",
            "{\"claims\":{\"iss\":\"main\",\"sub\":\"u\",\"aud\":\"a\"}}",
            "400 {\"error\":\"invalid_grant\",\"error_description\":\"user hasn't approved this consumer\"}"
        ),
        fails: concat!(
            jwt!(
                "J",
                "{\"claims\":{\"iss\":\"main\",\"sub\":\"u\",\"aud\":\"a\"}}",
                "400 {\"error\":\"invalid_grant\",\"error_description\":\"user hasn't approved this consumer\"}"
            ),
            jwt!(
                "K",
                "{\"claims\":{\"iss\":\"main\",\"sub\":\"u\",\"aud\":\"a\"}}",
                "400 {\"error\":\"invalid_grant\",\"error_description\":\"user hasn't approved this consumer\"}"
            )
        ),
        judge: what_setup_forbids_is_not_tried_again,
    },
];

/// How many milliseconds apart two assertions without a jti differ at least, each signed for itself.
const SAME_SECOND: i64 = 2000;

fn each_request_has_its_own_assertion(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "an assertion that was signed for this request";
    let all: Vec<(&Exchange, &AssertionFacts)> = assertions(t).collect();
    for (i, (y, says)) in all.iter().enumerate() {
        let jti = says.claims.get("jti").filter(|jti| !jti.is_null());
        let same = |(x, earlier): &&(&Exchange, &AssertionFacts)| {
            let jti_again =
                jti.is_some() && earlier.claims.get("jti") == jti && earlier.issuer() == says.issuer();
            x.param("assertion") == y.param("assertion") || jti_again
        };
        match all[..i].iter().find(same) {
            Some((x, _)) if jti.is_none() && !is_later(t, x, y) => {
                j.unproved(&[x, y], expected, "the same text, which may have been signed in the same second");
            }
            Some((x, _)) => j.fail(&[x, y], expected, "one that was sent before"),
            None if i > 0 => j.pass(),
            None => {}
        }
    }
    j
}

/// Whether the second request was surely signed later than the first: the token that came of the first was refused
/// between them. When a request arrives tells little: callers that sign together may come one after another.
fn is_later(t: &Transcript, x: &Exchange, y: &Exchange) -> bool {
    let refused = uses(t, x).any(|call| call.status() == 401 && y.began_after(call));
    refused && y.at.saturating_sub(x.at) > SAME_SECOND
}

fn callers_share_one_request(t: &Transcript) -> Judgement {
    one_at_a_time(t, is_bearer_request)
}

fn what_setup_forbids_is_not_tried_again(t: &Transcript) -> Judgement {
    const SETUP: [&str; 6] = [
        "user hasn't approved this consumer",
        "user is not admin approved",
        "audience is invalid",
        "Audience validation failed",
        "invalid_app_access",
        "app_not_found",
    ];
    let mut j = Judgement::new();
    for (x, says) in assertions(t) {
        let told = x.error().map(|error| error.one_line()).unwrap_or_default();
        if !SETUP.iter().any(|text| told.contains(text)) {
            continue;
        }
        let same = |y: &Exchange| {
            asked_for(x).is_some()
                && asked_for(y) == asked_for(x)
                && y.facts.assertion.as_ref().is_some_and(|other| other.audiences() == says.audiences())
        };
        let expected = "no further request until somebody changed the setup";
        not_tried_again(&mut j, x, &again(t, x, same), expected);
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::find;
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn the_same_text_within_a_second_may_be_signed_twice() {
        let id = "signing/each-request-has-its-own-assertion";
        comes_to(id, concat!(jwt!("J", "{}"), jwt!("J", "{}")), Verdict::Inconclusive);
        comes_to(id, concat!(jwt!("J", "{}"), "+ 1h\n", jwt!("J", "{}")), Verdict::Inconclusive);
        comes_to(id, concat!(jwt!("J", "{}"), refused!(), jwt!("J", "{}")), Verdict::Inconclusive);
        let jti = jwt!("J", "{\"claims\":{\"jti\":\"1\"}}");
        comes_to(id, &format!("{jti}{jti}"), Verdict::Fail);
        comes_to(id, jti, Verdict::Skip);
    }

    #[test]
    fn requests_for_two_users_go_beside_each_other() {
        let id = "signing/callers-share-one-request";
        let fails = find(id).unwrap().fails;
        let (first, second) = fails.split_once("= hold").unwrap();
        let other = second.replace("\"sub\":\"u\"", "\"sub\":\"v\"");
        comes_to(id, &format!("{first}= hold{other}"), Verdict::Skip);
        let late = fails.replace("= hold\n", "= hold\n+ 10s\n");
        comes_to(id, &late, Verdict::Inconclusive);
    }

    #[test]
    fn one_attempt_more_a_while_later_proves_nothing() {
        let id = "signing/what-setup-forbids-is-not-tried-again";
        let refused = find(id).unwrap().passes;
        comes_to(id, &format!("{refused}+ 10s\n{refused}"), Verdict::Inconclusive);
        comes_to(id, &format!("{refused}+ 10s\n{refused}+ 10s\n{refused}"), Verdict::Fail);
        let elsewhere = refused.replace("\"aud\":\"a\"", "\"aud\":\"b\"");
        comes_to(id, &format!("{refused}{elsewhere}"), Verdict::Pass);
        comes_to(id, &refused.replace("user hasn't approved this consumer", "expired"), Verdict::Skip);
    }
}
