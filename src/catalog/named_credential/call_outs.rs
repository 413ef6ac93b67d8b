//! The call-outs of a Named Credential: with its token, and once more where that is refused.

use super::super::renewal::calls::same_call;
use super::super::renewal::grants::{PROMPT, given, is_refresh, refresh_token};
use super::super::resource::ended;
use super::*;
use crate::oauth::grant::authorization_code;

/// The login of a user by the browser flow, which gives A1 and R1.
macro_rules! login {
    () => {
        concat!(
            "= named-credential browser\n",
            ask!("grant_type=authorization_code&code=C&client_id=main&client_secret=s" =>
                "200 {\"access_token\":\"A1\",\"refresh_token\":\"R1\"}")
        )
    };
}

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "named-credential/call-out-carries-the-token",
        title: "after a login by the browser flow, every call-out carries the access token as a bearer token",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "NC-01",
        cites: &[BROWSER, Rfc(6750, "2.1")],
        explain: "The tokens that a login brought authenticate the calls of the Named Credential, in the Authorization header under the \
            scheme Bearer. A call-out without it means that no authorization header is generated (Generate Authorization Header \
            is off and no custom header takes its place), or that the header is written by a formula that names another field. The \
            external server then sees nobody, and its 401 leads to refreshes that mend nothing.",
        passes: concat!(login!(), call!("A1" => "200")),
        fails: concat!(login!(), "> GET api /data\n> User-Agent: SFDC-Callout/66.0\n< 401\n"),
        judge: call_out_carries_the_token,
    },
    Check {
        id: "named-credential/refused-call-is-repeated-once",
        title: "a call-out that is refused with 401 leads to a new token, and is repeated once",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "NC-02",
        cites: &[NO_REFRESH, TROUBLE],
        explain: "Named Credentials rely on 401 from the external service: it makes Salesforce get a new token and send the same call \
            again, and what comes then is what Apex sees. A status that the External Credential lists under Additional Status Codes \
            for Token Refresh does the same. No renewal after a 401 means that there is nothing to renew with: no refresh token was \
            asked for (scope, or access_type=offline at some providers). A second repetition would be a loop.",
        passes: concat!(
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => "200 {\"access_token\":\"A2\"}"),
            call!("A2" => "200")
        ),
        fails: concat!(login!(), call!("A1", "/a" => "401"), call!("A1", "/b" => "401")),
        judge: refused_call_is_repeated_once,
    },
    Check {
        id: "named-credential/rotated-refresh-token-is-used",
        title: "a refresh token that a refresh brought is the one that the next refresh presents",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "NC-08",
        cites: &[Rfc(6749, "6"), Rfc(9700, "4.14.2")],
        explain: "A server that rotates answers a refresh with a new refresh token, and the old one is dead from then on, or taken for \
            stolen: some servers then end the whole grant. A principal that goes on with the old one works until the second \
            refresh, and then asks for a person to log in again. What is stored per principal is the last refresh token.",
        passes: concat!(
            login!(),
            refresh!("R1" => "200 {\"access_token\":\"A2\",\"refresh_token\":\"R2\"}"),
            refresh!("R2" => "200 {\"access_token\":\"A3\",\"refresh_token\":\"R3\"}")
        ),
        fails: concat!(
            login!(),
            refresh!("R1" => "200 {\"access_token\":\"A2\",\"refresh_token\":\"R2\"}"),
            refresh!("R1" => "400 {\"error\":\"invalid_grant\"}")
        ),
        judge: rotated_refresh_token_is_used,
    },
    Check {
        id: "named-credential/refreshes-do-not-collide",
        title: "call-outs of one principal that are refused together lose nothing to refreshes beside each other",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "NC-09",
        cites: &[Rfc(9700, "4.14")],
        explain: "Batches, queueables and users share the token of a named principal, so many call-outs are refused at once when it \
            ends. How many refreshes come of that is Salesforce's affair; that two of them present the same refresh token at the same \
            time, and one is refused for it, is a defect that a server with strict rotation answers by ending the grant. Where it is \
            seen, let the server tolerate a repetition within some seconds, or give each job a principal of its own.",
        passes: concat!(
            login!(),
            call!("A1", "/a" => "401"),
            "= hold\n",
            call!("A1", "/b" => "401"),
            "= hold\n= release\n",
            refresh!("R1" => "200 {\"access_token\":\"A2\"}")
        ),
        fails: concat!(
            login!(),
            refresh!("R1" => "200 {\"access_token\":\"A2\"}"),
            "= hold\n",
            refresh!("R1" => "400 {\"error\":\"invalid_grant\"}"),
            "= release\n"
        ),
        judge: refreshes_do_not_collide,
    },
    Check {
        id: "named-credential/no-token-no-call",
        title: "a principal that has no token makes no call",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "NC-14",
        cites: &[PRINCIPALS, TROUBLE],
        explain: "A user who never logged in at the external server, whose permission sets do not name the principal, or whose token \
            request is refused, has nothing to call with. Apex then gets an exception (We couldn't access the credential(s), or \
            Unable to fetch the OAuth token), and nothing goes out. A call without a token would be answered by whatever the \
            server lets anybody see, which looks like an empty result and not like an error.",
        passes: concat!(
            "= named-credential client-secret\n",
            ask!("grant_type=client_credentials&client_id=main&client_secret=s" => "401 {\"error\":\"invalid_client\"}")
        ),
        fails: concat!(
            "= named-credential client-secret\n",
            ask!("grant_type=client_credentials&client_id=main&client_secret=s" => "401 {\"error\":\"invalid_client\"}"),
            "> GET api /data\n> User-Agent: SFDC-Callout/66.0\n< 401\n"
        ),
        judge: no_token_no_call,
    },
];

fn call_out_carries_the_token(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let by_login = |x: &&Exchange| x.grant_type() == Some(authorization_code::GRANT_TYPE) && x.granted();
    let Some(login) = asked(t).find(by_login) else { return j };
    for call in call_outs(t).filter(|call| call.began_after(login)) {
        match presented(call) {
            Some(_) => j.pass(),
            None => j.fail(&[login, call], "Authorization: Bearer with the access token", "no bearer token"),
        }
    }
    j
}

fn refused_call_is_repeated_once(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "a new token, and the same call once more with it";
    let refused = |x: &Exchange| presented(x).is_some() && renews_on(t, x.status());
    for call in call_outs(t).filter(|x| refused(x)) {
        let is_repetition = call_outs(t)
            .any(|y| refused(y) && same_call(y, call) && call.began_after(y) && call.at - ended(y) <= PROMPT);
        if is_repetition {
            continue;
        }
        let next = call_outs(t).find(|y| same_call(y, call) && y.began_after(call));
        match next {
            Some(next) if presented(next) == presented(call) => {
                j.fail(&[call, next], expected, "the same call again with the same token");
            }
            Some(next) => {
                let again = call_outs(t).find(|y| {
                    refused(next) && same_call(y, next) && y.began_after(next) && y.at - ended(next) <= PROMPT
                });
                match again {
                    Some(again) => j.fail(&[call, next, again], expected, "a second repetition"),
                    None => j.pass(),
                }
            }
            None => {
                let asks = asked(t).find(|y| y.began_after(call));
                let on = call_outs(t).find(|y| y.began_after(call) && presented(y) == presented(call));
                match (asks, on) {
                    // Nothing can be repeated where there is no new token.
                    (Some(asks), _) if !asks.granted() => {}
                    (_, Some(on)) if can_renew(t, call) => {
                        j.fail(&[call, on], expected, "another call with the token that was refused");
                    }
                    _ => j.unproved(&[call], expected, "the record ends before it was seen to go on"),
                }
            }
        }
    }
    j
}

/// Whether it has what it takes to get another token.
fn can_renew(t: &Transcript, call: &Exchange) -> bool {
    let origin = presented(call).and_then(|token| t.origin_of_access_token(token));
    protocol(t).is_some_and(|protocol| protocol != Protocol::Browser)
        || origin.is_some_and(|x| given(x).is_some() || refresh_token(x).is_some())
}

fn rotated_refresh_token_is_used(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in asked(t) {
        let Some(token) = refresh_token(x) else { continue };
        let rotated = t.rotated_before(token, x).filter(|y| x.began_after(y));
        let newer = t.before(x).any(|y| is_refresh(y) && given(y) == Some(token));
        match rotated {
            Some(y) => {
                j.fail(&[y, x], "the refresh token that the last refresh brought", "the one before it")
            }
            None if newer => j.pass(),
            None => {}
        }
    }
    j
}

fn refreshes_do_not_collide(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let refreshes: Vec<&Exchange> = asked(t).filter(|x| refresh_token(x).is_some()).collect();
    let mut collided = false;
    for (i, x) in refreshes.iter().enumerate() {
        let beside = |y: &&&Exchange| y.overlaps(x) && refresh_token(y) == refresh_token(x);
        let Some(y) = refreshes[i + 1..].iter().find(beside) else { continue };
        let refused = |x: &Exchange| (400..500).contains(&x.status());
        if refused(x) || refused(y) {
            collided = true;
            j.fail(&[x, y], "one refresh at a time, or a server that bears more", "one of two was refused");
        }
    }
    let calls: Vec<&Exchange> = call_outs(t).filter(|x| renews_on(t, x.status())).collect();
    let together = |x: &&&Exchange| {
        calls.iter().any(|y| y.overlaps(x) && presented(x).is_some() && presented(x) == presented(y))
    };
    if !collided && !refreshes.is_empty() && calls.iter().any(|x| together(&x)) {
        j.pass();
    }
    j
}

fn no_token_no_call(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let first = t.grants().find(|x| is_its(t, x));
    let before = |x: &Exchange| first.is_none_or(|first| !x.began_after(first));
    let denied = |x: &Exchange| matches!(x.endpoint, Endpoint::Token | Endpoint::Callback) && failed(x);
    let none = t.exchanges.iter().find(|x| is_its(t, x) && denied(x) && before(x));
    let bare = call_outs(t).find(|x| presented(x).is_none() && before(x));
    match (none, bare) {
        (_, Some(call)) => j.fail(&[call], "no call without a token", "a call without one"),
        (Some(_), None) => j.pass(),
        (None, None) => {}
    }
    j
}

/// Whether a token was refused, or a login came back with an error.
fn failed(x: &Exchange) -> bool {
    match x.endpoint {
        Endpoint::Callback => x.request.query().get("error").is_some(),
        _ => (400..500).contains(&x.status()) && !x.granted(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn a_repetition_that_is_refused_too_is_the_last() {
        let id = "named-credential/refused-call-is-repeated-once";
        let twice = concat!(
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => "200 {\"access_token\":\"A2\"}"),
            call!("A2" => "401")
        );
        comes_to(id, twice, Verdict::Pass);
        let again = format!("{twice}{}", call!("A3" => "401"));
        comes_to(id, &again, Verdict::Fail);
        // Nothing to repeat with.
        let over =
            concat!(login!(), call!("A1" => "401"), refresh!("R1" => "400 {\"error\":\"invalid_grant\"}"));
        comes_to(id, over, Verdict::Skip);
        comes_to(id, concat!(login!(), call!("A1" => "401")), Verdict::Inconclusive);
    }

    #[test]
    fn a_listed_status_renews_as_401_does() {
        let id = "named-credential/refused-call-is-repeated-once";
        let rest = concat!(
            ask!("grant_type=client_credentials&client_id=main&client_secret=s" => "200 {\"access_token\":\"A1\"}"),
            call!("A1", "/a" => "403"),
            call!("A1", "/b" => "200")
        );
        comes_to(id, &format!("= named-credential client-secret\n{rest}"), Verdict::Skip);
        comes_to(id, &format!("= named-credential client-secret 403\n{rest}"), Verdict::Fail);
    }

    #[test]
    fn who_is_no_named_credential_is_not_judged() {
        let record = "> GET api /data\n< 401\n> POST token grant_type=client_credentials\n< 400 {\"error\":\"invalid_client\"}\n";
        comes_to("named-credential/no-token-no-call", record, Verdict::Skip);
    }
}
