//! What becomes of a call whose access token was refused.

use super::waiting::is_refused_for_good;
use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "renewal/refused-call-is-repeated",
        title: "a call that was refused for a dead access token is repeated with the new one after the renewal",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-02",
        cites: &[Rfc(6750, "3.1"), Rfc(6749, "6")],
        explain: "Access tokens end without notice: Salesforce tells no lifetime, so a 401 in the middle of the work is how a client \
            learns of it. A client that hands that 401 to its user, although it has a refresh token, fails once in every session. \
            Renew once, then send the refused call again with the new access token. Where the record ends at the refusal it cannot \
            be told whether the client gave up or was ended; nothing fails then.",
        passes: concat!(login!(), call!("A1" => "401"), refresh!("R1" => "A2"), call!("A2" => "200 []")),
        fails: concat!(login!(), call!("A1" => "401"), call!("A1", "GET api /b" => "401")),
        judge: refused_call_is_repeated,
    },
    Check {
        id: "renewal/repeated-call-is-the-same",
        title: "the call that is repeated after a renewal has the same method, URL and body",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-03",
        cites: &[Rfc(9110, "9.2.2")],
        explain: "A repetition must do what the refused call would have done. A body that is read from a stream is empty the second \
            time, a method falls back to GET, a query or an Idempotency-Key is lost: the server then takes another call than the \
            caller made, and answers it with success. Keep method, URL, headers and body until the answer is final, and change \
            nothing but the access token. Another host is no difference: a renewal may name another instance.",
        passes: concat!(
            login!(),
            call!("A1", "POST api /data a=1" => "401"),
            refresh!("R1" => "A2"),
            call!("A2", "POST api /data a=1" => "201")
        ),
        fails: concat!(
            login!(),
            call!("A1", "POST api /data a=1" => "401"),
            refresh!("R1" => "A2"),
            call!("A2", "POST api /data" => "201")
        ),
        judge: repeated_call_is_the_same,
    },
    Check {
        id: "renewal/replaced-access-token-is-not-sent",
        title: "an access token is not sent any more when a refresh has replaced it",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-04",
        cites: &[Rfc(6750, "3.1")],
        explain: "When a refresh has brought a new access token, every later call must carry it. A client that keeps the old one in a \
            second place (a header set once, a pool, another thread) gets one more 401 for each call, and each of them may start a \
            renewal of its own. Read the access token at the moment of sending, from one place. Calls of other callers that were \
            under way when the answer came are forgiven for 100 ms; the repetition of a refused call is not.",
        passes: concat!(login!(), call!("A1" => "401"), refresh!("R1" => "A2"), call!("A2" => "200 []")),
        fails: concat!(login!(), call!("A1" => "401"), refresh!("R1" => "A2"), call!("A1" => "401")),
        judge: replaced_access_token_is_not_sent,
    },
];

/// Whether another call was refused as dead at the same time with the same access token.
pub(super) fn refused_beside(grant: &Grant<'_>, call: &Exchange) -> bool {
    grant.calls.iter().any(|c| is_dead(c) && c.overlaps(call) && presented(c) == presented(call))
}

fn refused_call_is_repeated(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of(t);
    for grant in grants.iter() {
        for (call, repeat) in grants.refusals(grant) {
            let token = presented(call);
            let newer = |y: &Exchange| grant.is_newer(token, y.text("access_token"));
            // Where a renewal brings the dead token again, what is sent with it is the repetition.
            let next = grant.answers().find(|y| y.began_after(call));
            let same = next.filter(|y| token.is_some() && y.text("access_token") == token);
            if repeat.is_some() {
                j.pass();
            } else if let Some(same) = same {
                let observed = "a renewal that brought the same access token again";
                j.unproved(&[call, same], "the call, once more", observed);
            } else if grant.answers().any(newer) {
                // Callers that were refused together are the matter of another check, and so is a repetition that lost something.
                let lost = |r: &Exchange| r.began_after(call) && mangled(call, r).is_some();
                if !refused_beside(grant, call) && !grant.calls.iter().any(|r| lost(r)) {
                    not_repeated(t, &mut j, &grants, grant, call);
                }
            } else if grant.has_refresh_token(call) {
                nothing_asked(t, &mut j, &grants, grant, call);
            }
        }
    }
    j
}

/// A refused call that no renewal followed.
fn nothing_asked(t: &Transcript, j: &mut Judgement, grants: &Grants<'_>, grant: &Grant<'_>, call: &Exchange) {
    let later = |x: &&Exchange| x.over_at > call.number;
    let asked =
        grant.requests.iter().copied().any(|x| later(&x) && x.number != call.number && x.began_after(call))
            || grant.requests.iter().any(|x| x.overlaps(call))
            || grants.logins(grant).chain(grants.empty_refreshes(grant)).any(|x| x.began_after(call));
    if asked {
        return;
    }
    let expected = "a refresh, and the call once more";
    let token = presented(call);
    let over = |x: &&Exchange| call.began_after(x) && is_refused_for_good(x) && t.can_know_answer(call, x);
    if let Some(over) = grant.refreshes().find(over) {
        return j.unproved(
            &[over, call],
            expected,
            "a refresh had been refused for good, and asking again is no cure",
        );
    }
    let again = |x: &&&Exchange| {
        x.began_after(call)
            && presented(x) == token
            && (grant.is_sequential(x) || !within(x, call, IN_FLIGHT))
    };
    let works = |x: &&Exchange| x.began_after(call) && presented(x) == token && let_in(x) == Some(true);
    match grant.calls.iter().find(again) {
        Some(again) if !grant.calls.iter().copied().any(|x| works(&x)) => {
            j.fail(&[call, again], expected, "the dead access token was sent again, and nothing was renewed");
        }
        Some(again) => j.unproved(&[call, again], expected, "the same access token was taken afterwards"),
        None => {
            j.unproved(&[call], expected, "the record does not tell whether the client gave up or was ended")
        }
    }
}

fn repeated_call_is_the_same(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of(t);
    let expected = "the same method, URL, body and Idempotency-Key";
    for grant in grants.iter() {
        for (call, repeat) in grants.refusals(grant) {
            let alone = !refused_beside(grant, call);
            if let Some(repeat) = repeat {
                let kind = |x: &Exchange| {
                    x.request
                        .header("content-type")
                        .map(|kind| kind.split(';').next().unwrap_or("").to_owned())
                };
                if same_key(call, repeat) && kind(call) == kind(repeat) {
                    j.pass();
                } else if alone {
                    let what = if same_key(call, repeat) { "Content-Type" } else { "Idempotency-Key" };
                    j.fail(&[call, repeat], expected, format!("another {what}"));
                }
                continue;
            }
            // The first call with a newer token, where no other caller waited for it.
            let first = grant.calls.iter().find(|r| r.began_after(call) && grants.is_renewed(call, r));
            match first.filter(|_| alone).and_then(|r| Some((r, mangled(call, r)?))) {
                Some((repeat, what)) => j.fail(&[call, repeat], expected, what),
                None => {
                    if let Some(like) = first.filter(|r| alone && alike(call, r)) {
                        j.unproved(
                            &[call, like],
                            expected,
                            "a call with other content, which may be another one",
                        );
                    }
                }
            }
        }
    }
    j
}

fn replaced_access_token_is_not_sent(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of(t);
    let expected = "the access token that the refresh has brought";
    for grant in grants.iter() {
        let unrepeated: Vec<&Exchange> =
            grants.refusals(grant).into_iter().filter(|(_, r)| r.is_none()).map(|(c, _)| c).collect();
        for &x in &grant.calls {
            let token = presented(x);
            let Some(renewal) = grant.replaced(token, x) else {
                if grant.refreshes().any(|y| y.granted() && y.text("access_token") == token) {
                    j.pass();
                }
                continue;
            };
            // A program that was ended before it had the answer knows nothing of it when it is started again.
            let knew = grant.calls.iter().any(|z| z.number < x.number && grant.is_newer(token, presented(z)))
                || grant.refreshes().any(|z| {
                    z.number < x.number && given(renewal) == refresh_token(z) && z.began_after(renewal)
                });
            let late = !within(x, renewal, IN_FLIGHT);
            let again =
                unrepeated.iter().any(|c| x.began_after(c) && presented(c) == token && same_call(c, x));
            let observed = "the access token from before it";
            if late && knew || !late && again && grant.is_sequential(x) {
                j.fail(&[renewal, x], expected, observed);
            } else if late || again {
                let because = "but the answer may not have reached the client when it was sent";
                j.unproved(&[renewal, x], expected, format!("{observed}, {because}"));
            }
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn a_record_that_ends_at_the_refusal_fails_nothing() {
        let id = "renewal/refused-call-is-repeated";
        comes_to(id, concat!(login!(), call!("A1" => "401")), Verdict::Inconclusive);
        let ended = concat!(login!(), call!("A1" => "401"), refresh!("R1" => "A2"));
        comes_to(id, ended, Verdict::Inconclusive);
        let lost = concat!(
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => "A2"),
            call!("A2", "GET api /b" => "200")
        );
        comes_to(id, lost, Verdict::Inconclusive);
        comes_to(id, &format!("{lost}{}", call!("A2", "GET api /c" => "200")), Verdict::Fail);
    }

    #[test]
    fn a_renewal_may_bring_the_dead_token_once_more() {
        let id = "renewal/refused-call-is-repeated";
        let begin = concat!(login!(), call!("A1" => "401"), refresh!("R1" => "A1"));
        comes_to(id, begin, Verdict::Inconclusive);
        // It is the repetition that is refused, and the next call that is renewed for.
        let again =
            concat!(call!("A1" => "401"), call!("A1" => "401"), refresh!("R1" => "A2"), call!("A2" => "200"));
        comes_to(id, &format!("{begin}{again}{}", call!("A2" => "200")), Verdict::Pass);
        let leaves = concat!(call!("A1", "GET api /b" => "401"), call!("A1", "GET api /c" => "401"));
        comes_to(id, &format!("{begin}{leaves}"), Verdict::Fail);
    }

    #[test]
    fn a_grant_that_is_over_is_not_asked_again() {
        let id = "renewal/refused-call-is-repeated";
        let of = |call: &str, step: u32| format!("{call}! action program\n! step {step}\n");
        let first = of(call!("A1" => "401"), 0);
        let over = of(refresh!("R1" => error "invalid_client"), 0);
        let next = format!("{}{}", of(call!("A1" => "401"), 1), of(call!("A1" => "401"), 2));
        comes_to(id, &format!("= store\n{}{first}{over}{next}", login!()), Verdict::Inconclusive);
        comes_to(id, &format!("= store\n{}{first}{next}", login!()), Verdict::Fail);
    }

    #[test]
    fn what_a_killed_program_had_sent_may_come_late() {
        let id = "renewal/refused-call-is-repeated";
        let first = "> GET api /early\n> Authorization: Bearer A1\n< 200\n! action program\n";
        let of = |call: &str| format!("{call}! action program\n! step 1\n");
        let late: String = [
            call!("A1" => "401"),
            call!("A1" => "401"),
            refresh!("R1" => "A2"),
            call!("A2" => "200"),
            call!("A2", "GET api /b" => "200"),
        ]
        .map(of)
        .concat();
        let record = format!("{}{first}{late}", login!());
        comes_to(id, &format!("= store\n= killed\n{record}"), Verdict::Inconclusive);
        comes_to(id, &format!("= store\n{record}"), Verdict::Fail);
    }

    #[test]
    fn another_user_and_a_new_login_are_no_missing_repetition() {
        let id = "renewal/refused-call-is-repeated";
        let anew = login!().replace("A1", "A9").replace("R1", "R9").replace("code=C", "code=D");
        let record = format!("{}{}{anew}{}", login!(), call!("A1" => "401"), call!("A9" => "200"));
        comes_to(id, &record, Verdict::Pass);
        let user = format!(
            "{}{anew}{}{}{}",
            login!(),
            call!("A1" => "401"),
            call!("A9" => "200"),
            call!("A9" => "200")
        );
        comes_to(id, &user, Verdict::Inconclusive);
        let slow = concat!(
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => "A2"),
            "= hold\n+ 20s\n= release\n",
            call!("A2", "GET api /b" => "200"),
            call!("A2", "GET api /c" => "200")
        );
        comes_to(id, slow, Verdict::Inconclusive);
    }

    #[test]
    fn the_next_call_is_no_repetition_that_lost_something() {
        let id = "renewal/repeated-call-is-the-same";
        let next = concat!(
            login!(),
            call!("A1", "POST api /data a=1" => "401"),
            refresh!("R1" => "A2"),
            call!("A2", "POST api /data b=2" => "201")
        );
        comes_to(id, next, Verdict::Inconclusive);
        let moved = concat!(login!(), call!("A1" => "401"), refresh!("R1" => "A2"), call!("A2" => "200"))
            .replace(
                "GET api /data\n> Authorization: Bearer A2",
                "GET api /data\n> Authorization: Bearer A2\n> Host: na2",
            );
        comes_to(id, &moved, Verdict::Pass);
    }

    #[test]
    fn calls_under_way_may_have_the_old_access_token() {
        let id = "renewal/replaced-access-token-is-not-sent";
        let start = concat!(
            login!(),
            both_refused!("A1"),
            refresh!("R1" => "A2"),
            call!("A2", "GET api /a" => "200")
        );
        let old = call!("A1", "GET api /c" => "401");
        comes_to(id, &format!("{start}{old}"), Verdict::Pass);
        comes_to(id, &format!("{start}+ 200ms\n{old}"), Verdict::Fail);
        let ended =
            concat!(login!(), call!("A1" => "401"), refresh!("R1" => "A2"), "+ 2s\n", call!("A1" => "401"));
        comes_to(id, ended, Verdict::Inconclusive);
    }
}
