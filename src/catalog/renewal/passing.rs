//! Refresh requests that fail for a while: what passes by itself ends no grant.

use super::super::resource::ended;
use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "renewal/passing-failure-keeps-the-refresh-token",
        title: "after a passing failure the same refresh token is tried again, at most ten times",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-23",
        cites: &[Rfc(6749, "5.2"), Rfc(9110, "15.6.4")],
        explain: "A 5xx, a 429 or no answer at all says nothing of the grant. A client that drops its refresh token then turns an outage \
            of a minute into a new login for every user, and one that tries without end keeps the outage going. Keep the refresh \
            token, wait longer after each try, and stop after a few: the next call may begin anew. Counted are tries in a row that \
            no newly refused call explains, with less than a minute between them.",
        passes: concat!(login!(), refresh!("R1" => raw "503"), "+ 1s\n", refresh!("R1" => "A2")),
        fails: concat!(
            login!(),
            refresh!("R1" => raw "503"),
            "+ 1s\n",
            refresh!("" => error "invalid_request")
        ),
        judge: passing_failure_keeps_the_refresh_token,
    },
    Check {
        id: "renewal/retry-after-is-respected",
        title: "a refresh is not tried again before the time that Retry-After names",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLR-24",
        cites: &[Rfc(9110, "10.2.3"), Rfc(6585, "4")],
        explain: "With 429 or 503 a server may say in Retry-After how many seconds to wait. Whoever comes back sooner is refused again, \
            and in many servers pushes the end of the pause further away. Read the header of the token endpoint too, wait at least \
            that long before the next refresh of this grant, and let all callers wait for the same try. A date in place of seconds \
            is not judged.",
        passes: concat!(
            login!(),
            refresh!("R1" => raw "429\n< Retry-After: 5"),
            "+ 5s\n",
            refresh!("R1" => "A2")
        ),
        fails: concat!(
            login!(),
            refresh!("R1" => raw "429\n< Retry-After: 5"),
            "+ 1s\n",
            refresh!("R1" => "A2")
        ),
        judge: retry_after_is_respected,
    },
];

/// How often a refresh may be tried.
const TRIES: usize = 10;

/// How long after one another tries are counted together, in milliseconds.
const IN_A_ROW: i64 = 60_000;

/// By how much a clock may be behind that counts whole seconds, in milliseconds.
const SLACK: i64 = 500;

/// Whether a refresh failed for a reason that passes by itself.
pub(super) fn passes_by(x: &Exchange) -> bool {
    x.response().is_none() || x.status() == 429 || x.status() >= 500
}

fn passing_failure_keeps_the_refresh_token(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of(t);
    for grant in grants.iter() {
        let expected = "another try with the same refresh token";
        let mut row: Vec<&Exchange> = Vec::new();
        for x in grant.refreshes().filter(|x| passes_by(x)) {
            row = match row.last() {
                // Two at once are no try after the other.
                Some(last) if x.overlaps(last) => continue,
                Some(last) if x.at - ended(last) < IN_A_ROW && !refused_between(grant, last, x) => row,
                _ => Vec::new(),
            };
            row.push(x);
            let own = grant.refreshes().find(|z| z.began_after(x));
            let empty = grants.empty_refreshes(grant).find(|z| z.began_after(x));
            let login = grants.logins(grant).find(|z| z.began_after(x));
            match (own, empty) {
                (own, Some(empty)) if own.is_none_or(|own| empty.number < own.number) => {
                    if grants.is_only(grant, empty) {
                        j.fail(&[x, empty], expected, "a refresh without a refresh token");
                    } else {
                        j.unproved(&[x, empty], expected, "none, in a refresh that may be of another grant");
                    }
                }
                (Some(own), _) => {
                    if refresh_token(own) == refresh_token(x) {
                        j.pass();
                    }
                }
                (None, _) if row.len() >= TRIES => j.pass(),
                (None, _) => {
                    let (also, observed) = match login {
                        Some(login) => (vec![x, login], "a new login, which may have another reason"),
                        None => (vec![x], "no further try in the record"),
                    };
                    j.unproved(&also, expected, observed);
                }
            }
            if row.len() == TRIES + 1 {
                j.fail(&row, format!("at most {TRIES} tries"), "another one");
            }
        }
    }
    j
}

/// Whether a call was refused after the first and before the second: it may ask for a refresh of its own.
fn refused_between(grant: &Grant<'_>, first: &Exchange, second: &Exchange) -> bool {
    grant.calls.iter().any(|c| {
        gives_reason(c) && c.over_at > first.number && c.over_at <= second.number && c.number > first.number
    })
}

fn retry_after_is_respected(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for grant in Grants::of(t).iter() {
        for x in grant.refreshes().filter(|x| matches!(x.status(), 429 | 503)) {
            let named = x.response().and_then(|response| response.header("retry-after"));
            let Some(seconds) = named.and_then(|value| value.trim().parse::<u32>().ok()).filter(|s| *s > 0)
            else {
                continue;
            };
            let Some(next) = grant.refreshes().find(|z| z.began_after(x) && z.same_start(x)) else {
                continue;
            };
            let waited = next.at - ended(x);
            let expected = format!("{seconds} s without a refresh");
            if waited + SLACK >= i64::from(seconds) * 1000 {
                j.pass();
            } else if grant.in_flight(next, x) {
                j.unproved(&[x, next], expected, "one that may have been under way for another caller");
            } else {
                j.fail(&[x, next], expected, format!("the next one came after {waited} ms"));
            }
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    const ID: &str = "renewal/passing-failure-keeps-the-refresh-token";

    #[test]
    fn ten_tries_are_enough() {
        let tries = |many: usize, each: &str| format!("{}{}", login!(), each.repeat(many));
        let each = concat!("+ 1s\n", refresh!("R1" => raw "nothing"));
        comes_to(ID, &tries(10, each), Verdict::Pass);
        comes_to(ID, &tries(11, each), Verdict::Fail);
        comes_to(
            ID,
            &format!("{}{}", tries(20, &each.replace("1s", "2m")), refresh!("R1" => "A2")),
            Verdict::Pass,
        );
        let for_calls = concat!(call!("A1" => "401"), refresh!("R1" => raw "503"));
        comes_to(ID, &format!("{}{}", tries(20, for_calls), refresh!("R1" => "A2")), Verdict::Pass);
    }

    #[test]
    fn neither_another_process_nor_another_start_knows_of_a_pause() {
        let id = "renewal/retry-after-is-respected";
        let hurried =
            concat!(refresh!("R1" => raw "429\n< Retry-After: 5"), "+ 1s\n", refresh!("R1" => "A2"));
        comes_to(id, &format!("{}{hurried}", login!()), Verdict::Fail);
        comes_to(id, &format!("= processes 2\n{}{hurried}", login!()), Verdict::Skip);
        let of = |exchange: &str, step: u32| format!("{exchange}! action program\n! step {step}\n");
        let told = of(refresh!("R1" => raw "429\n< Retry-After: 5"), 0);
        let again = of(refresh!("R1" => "A2"), 1);
        comes_to(id, &format!("{}{told}+ 1s\n{again}", of(login!(), 0)), Verdict::Skip);
    }

    #[test]
    fn who_does_not_try_again_may_have_been_ended() {
        let begin = concat!(login!(), refresh!("R1" => raw "503"));
        comes_to(ID, begin, Verdict::Inconclusive);
        let anew = login!().replace("A1", "A3").replace("R1", "R3").replace("code=C", "code=D");
        comes_to(ID, &format!("{begin}{anew}"), Verdict::Inconclusive);
    }

    #[test]
    fn another_grant_need_not_wait() {
        let id = "renewal/retry-after-is-respected";
        let other = login!().replace("A1", "B1").replace("R1", "S1").replace("code=C", "code=D");
        let begin = format!("{}{other}{}", login!(), refresh!("R1" => raw "429\n< Retry-After: 5"));
        comes_to(id, &format!("{begin}{}", refresh!("S1" => "B2")), Verdict::Skip);
        comes_to(id, &format!("{begin}{}", refresh!("R1" => "A2")), Verdict::Fail);
        let callers = concat!(
            login!(),
            both_refused!("A1"),
            refresh!("R1" => raw "429\n< Retry-After: 5"),
            refresh!("R1" => "A2")
        );
        comes_to(id, callers, Verdict::Inconclusive);
    }
}
