//! Which answers to a call are a reason to renew, and which are none.

use super::loops::chains;
use super::*;
use crate::catalog::evidence::is_listed;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "renewal/missing-rights-start-no-refresh",
        title: "403 for missing rights or limits, and 404, start no refresh",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-30",
        cites: &[Rfc(6750, "3.1")],
        explain: "A 403 of Salesforce's REST API tells of rights (INSUFFICIENT_ACCESS, API_DISABLED_FOR_ORG) or of limits \
            (REQUEST_LIMIT_EXCEEDED), and a 404 of a wrong path. The access token is fine, and another one changes nothing: a client \
            that refreshes on them doubles its load at the moment when a limit is reached. Renew on 401, and on 403 only for the \
            Bad_OAuth_Token of the identity endpoints; give everything else to the caller.",
        passes: concat!(
            login!(),
            call!("A1" => "403 [{\"errorCode\":\"FORBIDDEN\"}]"),
            call!("A1", "GET api /b" => "200")
        ),
        fails: concat!(
            login!(),
            call!("A1" => "403 [{\"errorCode\":\"FORBIDDEN\"}]"),
            refresh!("R1" => "A2"),
            call!("A2" => "403 [{\"errorCode\":\"FORBIDDEN\"}]")
        ),
        judge: missing_rights_start_no_refresh,
    },
    Check {
        id: "renewal/bad-oauth-token-starts-a-refresh",
        title: "403 Bad_OAuth_Token of userinfo or of the identity URL starts a refresh",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Community,
        origin: "CLR-31",
        cites: &[Rfc(6750, "3.1"), Community("how nforce and its kin tell a dead access token")],
        explain: "Salesforce's userinfo endpoint and identity URLs do not answer 401 for a dead access token, but 403 with the text \
            Bad_OAuth_Token. A client that knows 401 alone takes it for a missing right and reports an error that a refresh would \
            have cured. Treat 403 with this text like 401, at these endpoints only.",
        passes: concat!(
            login!(),
            call!("A1", "GET userinfo" => "403 Bad_OAuth_Token"),
            refresh!("R1" => "A2"),
            call!("A2", "GET userinfo" => "200 {}")
        ),
        fails: concat!(
            login!(),
            call!("A1", "GET userinfo" => "403 Bad_OAuth_Token"),
            call!("A1", "GET userinfo" => "403 Bad_OAuth_Token")
        ),
        judge: bad_oauth_token_starts_a_refresh,
    },
    Check {
        id: "renewal/incurable-refusal-ends-after-one-refresh",
        title: "a 401 that no refresh cures ends after one refresh",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Community,
        origin: "CLR-48",
        cites: &[Rfc(6750, "3.1"), Community("Salesforce-Inspector-Advanced issue 244")],
        explain: "\"This session is not valid for use with the REST API\" comes with 401 INVALID_SESSION_ID like an expired session, but \
            means that the access token lacks the scope api, or that API access control keeps the app out. Every new access token \
            is refused in the same way, so a client that renews on each 401 never ends. Stop after one refresh, or look at the \
            message and do not begin; tell of the scope and of API access.",
        passes: concat!(login!(), call!("A1" => incurable), refresh!("R1" => "A2"), call!("A2" => incurable)),
        fails: concat!(
            login!(),
            call!("A1" => incurable),
            refresh!("R1" => "A2"),
            call!("A2" => incurable),
            refresh!("R1" => "A3"),
            call!("A3" => incurable)
        ),
        judge: incurable_refusal_ends_after_one_refresh,
    },
];

fn missing_rights_start_no_refresh(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "no refresh";
    for grant in Grants::of(t).iter().filter(|grant| !grant.never_had_one()) {
        let renews = grant.calls.iter().any(|c| is_dead(c) && grant.refreshes().any(|y| y.began_after(c)));
        let refused =
            |x: &&&Exchange| matches!(x.status(), 403 | 404) && !gives_reason(x) && !is_listed(t, x);
        for &x in grant.calls.iter().filter(refused) {
            let told = grant
                .answers()
                .any(|y| y.text("access_token") == presented(x) && y.member("expires_in").is_some());
            let refresh = grant.refreshes().find(|y| y.began_after(x) && within(y, x, PROMPT));
            let Some(refresh) = refresh else {
                let goes_on = grant.calls.iter().any(|y| y.began_after(x) && presented(y) == presented(x));
                if goes_on || renews {
                    j.pass();
                } else {
                    j.unproved(
                        &[x],
                        expected,
                        "none, but the client was not seen to refresh at all or to go on",
                    );
                }
                continue;
            };
            let between =
                |y: &&Exchange| y.number != x.number && y.number < refresh.number && y.over_at > x.number;
            if grant.calls.iter().copied().any(|y| between(&y)) || grant.refreshes().any(|y| y.overlaps(x)) {
                continue;
            }
            // A refusal from before that no refresh has answered yet is the reason.
            let older =
                |c: &&Exchange| gives_reason(c) && presented(c) == presented(x) && refresh.began_after(c);
            if grant.calls.iter().copied().any(|c| older(&c)) {
                continue;
            }
            let repeated = grant.calls.iter().find(|r| {
                r.began_after(refresh) && same_call(x, r) && grant.is_newer(presented(x), presented(r))
            });
            match repeated {
                Some(repeated) if !told => {
                    j.fail(&[x, refresh, repeated], expected, "a refresh, and the call once more");
                }
                _ => j.unproved(&[x, refresh], expected, "a refresh, which may be ahead of time"),
            }
        }
    }
    j
}

fn bad_oauth_token_starts_a_refresh(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of(t);
    let expected = "a refresh";
    for grant in grants.iter() {
        for &x in grant.calls.iter().filter(|x| is_bad_oauth_token(x) && grant.has_refresh_token(x)) {
            let token = presented(x);
            let renewed = grant.calls.iter().any(|r| r.began_after(x) && grant.is_newer(token, presented(r)));
            if renewed || grant.refreshes().any(|y| y.began_after(x)) {
                j.pass();
                continue;
            }
            if grants.logins(grant).any(|y| y.began_after(x)) || grant.refreshes().any(|y| y.overlaps(x)) {
                continue;
            }
            // What came of a call that broke says nothing of the token.
            let again = |y: &&&Exchange| {
                y.began_after(x)
                    && presented(y) == token
                    && let_in(y) == Some(false)
                    && (grant.is_sequential(y) || !within(y, x, IN_FLIGHT))
            };
            let works = grant
                .calls
                .iter()
                .any(|y| y.began_after(x) && presented(y) == token && let_in(y) == Some(true));
            match grant.calls.iter().find(again) {
                Some(again) if !works => {
                    j.fail(
                        &[x, again],
                        expected,
                        "the dead access token was sent again, and nothing was renewed",
                    );
                }
                _ => j.unproved(
                    &[x],
                    expected,
                    "the record does not tell whether the client gave up or was ended",
                ),
            }
        }
    }
    j
}

fn incurable_refusal_ends_after_one_refresh(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for grant in Grants::of(t).iter() {
        for chain in chains(grant, is_incurable) {
            let goes_on =
                |x: &Exchange| grant.calls.iter().any(|y| y.began_after(x) && presented(y) == presented(x));
            match chain.len() {
                1 if !goes_on(chain[0]) => {}
                ..3 => j.pass(),
                many => j.fail(&chain, "one refresh at most", format!("the call was sent {many} times")),
            }
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::find;
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn a_refresh_may_come_ahead_of_time_or_for_another_call() {
        let id = "renewal/missing-rights-start-no-refresh";
        let fails = find(id).unwrap().fails;
        comes_to(id, &fails.replace("\"scope\":\"api\"", "\"expires_in\":600"), Verdict::Inconclusive);
        let forbidden = call!("A1" => "403 [{\"errorCode\":\"FORBIDDEN\"}]");
        let dead = format!("{}{forbidden}", call!("A1", "GET api /b" => "401"));
        let after = format!("{}{}", refresh!("R1" => "A2"), call!("A2", "GET api /b" => "200"));
        comes_to(id, &format!("{}{dead}{after}", login!()), Verdict::Skip);
        comes_to(id, &format!("{}{forbidden}+ 1h\n{after}", login!()), Verdict::Inconclusive);
        comes_to(id, &format!("{}{forbidden}", login!()), Verdict::Inconclusive);
    }

    #[test]
    fn a_record_that_ends_there_fails_nothing() {
        let id = "renewal/bad-oauth-token-starts-a-refresh";
        let begin = concat!(login!(), call!("A1", "GET userinfo" => "403 Bad_OAuth_Token"));
        comes_to(id, begin, Verdict::Inconclusive);
        comes_to(id, &format!("{begin}{}", call!("A1" => "200")), Verdict::Inconclusive);
        comes_to(id, &format!("{begin}{}", call!("A1" => "503")), Verdict::Inconclusive);
        comes_to(id, &format!("{begin}{}", call!("A1" => "401")), Verdict::Fail);
        let without = begin.replace(",\"refresh_token\":\"R1\"", "");
        comes_to(id, &format!("{without}{}", call!("A1" => "401")), Verdict::Skip);
    }

    #[test]
    fn calls_that_are_each_refused_for_good_are_no_loop() {
        let id = "renewal/incurable-refusal-ends-after-one-refresh";
        let passes = find(id).unwrap().passes;
        let next = concat!(call!("A2" => incurable), refresh!("R1" => "A3"), call!("A3" => incurable));
        comes_to(id, &format!("{passes}{next}"), Verdict::Pass);
        comes_to(id, concat!(login!(), call!("A1" => incurable)), Verdict::Skip);
        comes_to(id, concat!(login!(), call!("A1" => "401")), Verdict::Skip);
    }
}
