//! Callers of one grant share one renewal.

use super::repeat::refused_beside;
use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "renewal/overlapping-refusals-share-one-refresh",
        title: "calls of one grant that are refused at the same time lead to one refresh",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-06",
        cites: &[Rfc(9700, "4.14"), RENEWAL],
        explain: "When an access token ends, every call that is under way is refused at once. If each of them refreshes, a server that \
            rotates takes the second use of the refresh token for theft and ends the grant; Salesforce answers \"token request is \
            already being processed\" to all but one. No RFC asks for it, lost grants do. Put the refresh behind one lock or one shared \
            future for each grant, and let whoever waited look at the token again before it refreshes. Grants of other users \
            refresh beside each other.",
        passes: concat!(
            login!(),
            both_refused!("A1"),
            refresh!("R1" => "A2"),
            call!("A2", "GET api /a" => "200")
        ),
        fails: concat!(
            login!(),
            both_refused!("A1"),
            refresh!("R1" => "A2"),
            "= hold\n",
            refresh!("R1" => "A3"),
            "= release\n"
        ),
        judge: overlapping_refusals_share_one_refresh,
    },
    Check {
        id: "renewal/every-refused-caller-is-served",
        title: "every one of the calls that were refused together is repeated with the new access token",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-07",
        cites: &[Rfc(9700, "4.14"), Rfc(6750, "3.1")],
        explain: "One renewal is enough only if everybody who waited for it gets its token. A client that wakes the first waiter and \
            leaves the others with their 401, or that drops a call whose turn came while the refresh was under way, loses work at \
            the end of every session, and only under load. Hand the outcome of the renewal to all waiters, and let each repeat its \
            own call.",
        passes: concat!(
            login!(),
            both_refused!("A1"),
            refresh!("R1" => "A2"),
            call!("A2", "GET api /a" => "200"),
            call!("A2", "GET api /b" => "200")
        ),
        fails: concat!(
            login!(),
            both_refused!("A1"),
            refresh!("R1" => "A2"),
            call!("A2", "GET api /a" => "200"),
            call!("A2", "GET api /c" => "200")
        ),
        judge: every_refused_caller_is_served,
    },
    Check {
        id: "renewal/late-refusal-starts-no-refresh",
        title: "a refusal that comes late, for an access token that is already replaced, starts no refresh",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-10",
        cites: &[Rfc(9700, "4.14"), Rfc(6750, "3.1")],
        explain: "A slow call can be refused when the renewal that others asked for is long over. Its 401 speaks of the old access \
            token and says nothing of the new one; a refresh then is needless, throws a good token away, and under rotation races \
            with the next. Compare the access token that the call was sent with to the one in force: where they differ, repeat \
            with the one in force.",
        passes: concat!(
            login!(),
            call!("A1", "GET api /a" => "401"),
            "= hold\n",
            call!("A1", "GET api /b" => "401"),
            refresh!("R1" => "A2"),
            call!("A2", "GET api /b" => "200"),
            "= release\n",
            call!("A2", "GET api /a" => "200")
        ),
        fails: concat!(
            login!(),
            call!("A1", "GET api /a" => "401"),
            "= hold\n",
            call!("A1", "GET api /b" => "401"),
            refresh!("R1" => "A2"),
            call!("A2", "GET api /b" => "200"),
            "= release\n",
            refresh!("R1" => "A3"),
            call!("A3", "GET api /a" => "200")
        ),
        judge: late_refusal_starts_no_refresh,
    },
];

/// Whether an answer tells a lifetime: a client may then renew ahead of time, whatever was refused.
fn tells_lifetime(x: &Exchange) -> bool {
    x.member("expires_in").is_some()
}

fn overlapping_refusals_share_one_refresh(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for grant in Grants::of(t).iter() {
        let refreshes: Vec<&Exchange> = grant.refreshes().collect();
        share_one(&mut j, grant, &refreshes, "one refresh for all callers of the grant");
    }
    j
}

/// Judges that what is refused together leads to one of these refreshes of a grant.
pub(super) fn share_one(j: &mut Judgement, grant: &Grant<'_>, refreshes: &[&Exchange], expected: &str) {
    let mut beside = false;
    for (i, x) in refreshes.iter().enumerate() {
        let Some(y) = refreshes[i + 1..].iter().find(|y| y.overlaps(x)) else { continue };
        beside = true;
        if y.at - x.at > PROMPT {
            j.unproved(&[x, y], expected, "two at the same time, but the first may have been given up");
        } else {
            j.fail(&[x, y], expected, "two refreshes at the same time");
        }
    }
    if beside {
        return;
    }
    for &call in grant.calls.iter().filter(|c| is_dead(c) && refused_beside(grant, c)) {
        let Some(first) = refreshes.iter().find(|y| y.began_after(call) || y.overlaps(call)) else {
            continue;
        };
        let together = grant.calls.iter().filter(|c| is_dead(c) && presented(c) == presented(call));
        let last = together.clone().map(|c| c.over_at).max().unwrap_or(0);
        match grant.needless(first, first).filter(|_| first.granted() && last <= first.over_at) {
            Some(second) if tells_lifetime(first) => {
                j.unproved(&[first, second], expected, "a second one, which may be ahead of time");
            }
            Some(second) => {
                j.fail(
                    &[call, first, second],
                    expected,
                    "a second one, with nothing refused since the first",
                );
                break;
            }
            None => j.pass(),
        }
    }
}

fn every_refused_caller_is_served(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of(t);
    for grant in grants.iter() {
        for (call, repeat) in
            grants.refusals(grant).into_iter().filter(|(call, _)| refused_beside(grant, call))
        {
            match repeat {
                Some(repeat) if is_dead(repeat) => {}
                Some(_) => j.pass(),
                None => not_repeated(t, &mut j, &grants, grant, call),
            }
        }
    }
    j
}

fn late_refusal_starts_no_refresh(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of(t);
    let expected = "the call once more with the access token in force, and no refresh";
    for grant in grants.iter() {
        for (call, repeat) in grants.refusals(grant) {
            // Begun before the renewal was answered, and refused after it.
            let newer = |y: &&Exchange| {
                y.granted()
                    && grant.is_newer(presented(call), y.text("access_token"))
                    && (call.number + 1..call.over_at).contains(&y.over_at)
            };
            let Some(renewal) = grant.refreshes().find(newer) else { continue };
            match grant.needless(renewal, call) {
                Some(second) if tells_lifetime(renewal) => {
                    j.unproved(&[renewal, call, second], expected, "a refresh, which may be ahead of time");
                }
                Some(second) => j.fail(&[renewal, call, second], expected, "another refresh"),
                None if repeat.is_some() => j.pass(),
                None => {}
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
    fn two_users_refresh_beside_each_other() {
        let id = "renewal/overlapping-refusals-share-one-refresh";
        let other = login!().replace("A1", "B1").replace("R1", "S1").replace("code=C", "code=D");
        let begin = format!("{}{other}{}", login!(), both_refused!("A1"));
        let both = concat!(refresh!("R1" => "A2"), "= hold\n", refresh!("S1" => "B2"), "= release\n");
        comes_to(id, &format!("{begin}{both}"), Verdict::Pass);
        comes_to(id, &format!("{begin}{}", both.replace("S1", "R1")), Verdict::Fail);
    }

    #[test]
    fn a_token_from_before_the_record_belongs_to_the_one_grant_that_was_there() {
        let id = "renewal/overlapping-refusals-share-one-refresh";
        let shared = concat!(
            both_refused!("A1"),
            refresh!("R1" => "A2"),
            call!("A2", "GET api /a" => "200"),
            call!("A2", "GET api /b" => "200")
        );
        comes_to(id, shared, Verdict::Pass);
        // Whose the token is that is let in all the time, nobody can tell; nor whose of two the refused one is.
        let other = concat!(call!("B1", "GET api /c" => "200"));
        comes_to(id, &format!("{shared}{other}"), Verdict::Skip);
        let alive = concat!(refresh!("R1" => "A2"), call!("B1", "GET api /c" => "200"));
        comes_to("renewal/replaced-access-token-is-not-sent", alive, Verdict::Skip);
    }

    #[test]
    fn a_refresh_that_was_given_up_is_none_beside_the_next() {
        let id = "renewal/overlapping-refusals-share-one-refresh";
        let given_up = concat!(
            login!(),
            both_refused!("A1"),
            refresh!("R1" => raw "nothing"),
            "= hold\n+ 10s\n",
            refresh!("R1" => "A2"),
            "= release\n"
        );
        comes_to(id, given_up, Verdict::Inconclusive);
    }

    #[test]
    fn a_repetition_that_is_refused_too_may_be_given_up() {
        let id = "renewal/every-refused-caller-is-served";
        let incurable = "401 [{\"errorCode\":\"INVALID_SESSION_ID\",\"message\":\"This session is not valid for use with the REST API\"}]";
        let first = call!("A1", "GET api /a" => "401").replace("401", incurable);
        let both = "> GET api /a\n> Authorization: Bearer A2\n< 401\n= hold\n> GET api /c\n> Authorization: Bearer A2\n< 401\n= release\n";
        let begin = concat!(refresh!("R1" => "A2"));
        let end = concat!(
            refresh!("R1" => "A3"),
            call!("A3", "GET api /c" => "200"),
            call!("A3", "GET api /d" => "200")
        );
        comes_to(id, &format!("{first}{begin}{both}{end}"), Verdict::Inconclusive);
        let anew = first.replace("/a", "/x");
        comes_to(id, &format!("{anew}{begin}{both}{end}"), Verdict::Fail);
    }

    #[test]
    fn who_was_killed_on_the_way_may_not_have_come_to_it() {
        let id = "renewal/every-refused-caller-is-served";
        let fails = find(id).unwrap().fails;
        let again = format!("{}! step 1\n", call!("A2", "GET api /a" => "200"));
        comes_to(id, &format!("= killed\n{fails}{again}"), Verdict::Inconclusive);
        comes_to(id, &format!("= killed\n{fails}"), Verdict::Fail);
        comes_to(id, &format!("= told ends work\n{fails}{again}"), Verdict::Fail);
    }

    #[test]
    fn a_second_refresh_in_a_row_needs_a_reason() {
        let id = "renewal/overlapping-refusals-share-one-refresh";
        let begin = concat!(
            login!(),
            both_refused!("A1"),
            refresh!("R1" => "A2"),
            call!("A2", "GET api /a" => "200")
        );
        comes_to(id, &format!("{begin}{}", refresh!("R1" => "A3")), Verdict::Fail);
        let told = begin.replace("{\"access_token\":\"A2\"", "{\"access_token\":\"A2\",\"expires_in\":60");
        comes_to(id, &format!("{told}{}", refresh!("R1" => "A3")), Verdict::Inconclusive);
        let refused = format!("{begin}{}{}", call!("A2" => "401"), refresh!("R1" => "A3"));
        comes_to(id, &refused, Verdict::Pass);
        comes_to(id, &format!("{begin}+ 10m\n{}", refresh!("R1" => "A3")), Verdict::Pass);
    }

    #[test]
    fn the_last_repetition_may_be_cut_off_with_the_record() {
        let id = "renewal/every-refused-caller-is-served";
        let text = find(id).unwrap().fails.replace(call!("A2", "GET api /c" => "200"), "");
        comes_to(id, &text, Verdict::Inconclusive);
    }

    #[test]
    fn a_late_refusal_long_before_a_refresh_did_not_start_it() {
        let id = "renewal/late-refusal-starts-no-refresh";
        let fails = find(id).unwrap().fails;
        comes_to(id, &fails.replace("= release\n", "= release\n+ 5m\n"), Verdict::Pass);
        let dead = format!("= release\n{}", call!("A2", "GET api /d" => "401"));
        comes_to(id, &fails.replace("= release\n", &dead), Verdict::Pass);
    }
}
