//! What a client does when a grant is over, or when it looks as if it were.

use super::waiting::is_refused_for_good;
use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "renewal/refresh-comes-before-a-new-login",
        title: "a client that has a refresh token tries it before it begins a new login",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-47",
        cites: &[Rfc(6749, "1.5"), Rfc(6749, "6"), Community("PrefectHQ/fastmcp issue 4265")],
        explain: "A refresh token is there so that nobody has to log in again when an access token ends. A client that answers a 401 \
            with a new login interrupts its user for nothing, and on a server without a user it stops. It happens where the code that \
            finds a dead token knows only how to begin: look for a stored refresh token first, and send the user away when that was \
            refused. A login of another user proves nothing, and neither does one of which it is not known whose it is.",
        passes: concat!(login!(), call!("A1" => "401"), refresh!("R1" => "A2"), call!("A2" => "200")),
        fails: concat!(
            login!(),
            call!("A1" => "401"),
            "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback\n< 200\n"
        ),
        judge: refresh_comes_before_a_new_login,
    },
    Check {
        id: "renewal/dead-grant-stops-the-work",
        title: "when a refresh was refused for good, the calls that waited are not sent again with the dead access token",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-41",
        cites: &[Rfc(7009, "2.1"), Rfc(6749, "5.2")],
        explain: "An administrator who revokes an app ends its access and refresh tokens at once, in the middle of its work. What is \
            under way then finds the access token dead, and the one refresh says that the grant is over. There is nothing left to \
            send: a client that repeats its calls with the old access token all the same gets the same refusal for each of them, \
            and may lose what it took for done. Give the error of the refresh to every caller and stop until somebody has logged in.",
        passes: concat!(login!(), both_refused!("A1"), refresh!("R1" => error "invalid_grant")),
        fails: concat!(
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => error "invalid_grant"),
            call!("A1" => "401")
        ),
        judge: dead_grant_stops_the_work,
    },
    Check {
        id: "renewal/idle-grant-needs-a-login",
        title: "a grant that ended because it was not used leads to a login and not to further refreshes",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLR-40",
        cites: &[RENEWAL, Rfc(6749, "5.2")],
        explain: "Salesforce lets a refresh token die that was not used for the time in the app's refresh token policy, 30 days for \
            example, and says invalid_grant (token validity expired). Nobody has revoked anything, and no repetition helps. Tell \
            the user that the connection was not used for too long and that a login restores it; a client that has to live without \
            its user should refresh now and then, before the time is over.",
        passes: concat!(login!(), "+ 31d\n", call!("A1" => "401"), idle!()),
        fails: concat!(login!(), "+ 31d\n", call!("A1" => "401"), idle!(), "+ 1m\n", idle!()),
        judge: idle_grant_needs_a_login,
    },
    Check {
        id: "renewal/lost-answer-ends-in-a-login",
        title: "when the answer to a refresh was lost and the next try is refused for good, no further one is made",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-25",
        cites: &[Rfc(9700, "4.14.2")],
        explain: "A server that rotates may have replaced the refresh token when the connection broke, and the client never learns the \
            new one. Its next try with the old one looks like theft and ends the grant. That cannot be avoided, but it must end \
            there: invalid_grant after a lost answer means a new login, and a client that goes on trying turns one lost packet into \
            a loop. Try again once, since the server may not have done anything yet, then ask for a login.",
        passes: concat!(
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => raw "nothing"),
            refresh!("R1" => error "invalid_grant")
        ),
        fails: concat!(
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => raw "nothing"),
            refresh!("R1" => error "invalid_grant"),
            "+ 1s\n",
            refresh!("R1" => error "invalid_grant")
        ),
        judge: lost_answer_ends_in_a_login,
    },
];

/// How Salesforce says that a refresh token was not used for too long (Salesforce Help: OAuth 2.0 Refresh Token Flow).
const IDLE: &str = "token validity expired";

fn refresh_comes_before_a_new_login(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of(t);
    let expected = "a refresh first";
    for grant in grants.iter() {
        for &call in grant.calls.iter().filter(|c| is_dead(c) && grant.has_refresh_token(c)) {
            // A refusal that others had asked for already, or of a token that is replaced.
            let newer = |y: &Exchange| {
                y.over_at <= call.over_at && grant.is_newer(presented(call), y.text("access_token"))
            };
            if grant.refreshes().any(|y| y.overlaps(call)) || grant.answers().any(newer) {
                continue;
            }
            let refresh = grant.refreshes().find(|y| y.began_after(call));
            let login = grants.logins(grant).find(|y| y.began_after(call));
            let gave_up = grant.refreshes().any(|y| y.number < call.number && is_refused_for_good(y));
            match (refresh, login) {
                _ if gave_up => {}
                (Some(y), login) if login.is_none_or(|login| y.number < login.number) => j.pass(),
                (_, Some(login)) if !within(login, call, PATIENCE) => {
                    j.unproved(&[call, login], expected, "a login, so late that it may have another reason");
                }
                (_, Some(login))
                    if grants.is_only(grant, login)
                        && login.user.is_some()
                        && grant.requests.iter().any(|y| y.user == login.user) =>
                {
                    j.fail(&[call, login], expected, "a new login, and the refresh token was not tried");
                }
                (_, Some(login)) => {
                    j.unproved(&[call, login], expected, "a login, which may be of another user")
                }
                (_, None) => {}
            }
        }
    }
    j
}

fn dead_grant_stops_the_work(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "no call with the dead access token";
    for grant in Grants::of(t).iter() {
        for x in grant.refreshes().filter(|x| is_refused_for_good(x) && error(x) == "invalid_grant") {
            let waits = |c: &&&Exchange| is_dead(c) && c.over_at <= x.number && within(x, c, PATIENCE);
            let waiting: Vec<&Exchange> = grant.calls.iter().filter(waits).copied().collect();
            if waiting.is_empty() {
                continue;
            }
            let again = |z: &&&Exchange| {
                z.began_after(x)
                    && within(z, x, PROMPT)
                    && waiting.iter().any(|c| same_call(c, z) && presented(c) == presented(z))
            };
            let again: Vec<&Exchange> = grant.calls.iter().filter(again).copied().collect();
            match again.as_slice() {
                [] => j.pass(),
                // Its caller may have asked anew, and the client may not have the answer yet.
                [one] if within(one, x, IN_FLIGHT) && !grant.is_sequential(one) => {
                    j.unproved(&[x, one], expected, "one that may have been under way");
                }
                [one, ..] => j.fail(&[x, one], expected, "a call that had been refused, once more with it"),
            }
        }
    }
    j
}

fn idle_grant_needs_a_login(t: &Transcript) -> Judgement {
    ended(t, |_, x| {
        let description = x.error().and_then(|error| error.description).unwrap_or_default();
        error(x) == "invalid_grant" && description.contains(IDLE)
    })
}

fn lost_answer_ends_in_a_login(t: &Transcript) -> Judgement {
    ended(t, |grant, x| {
        let lost =
            |y: &Exchange| y.response().is_none() && x.began_after(y) && refresh_token(y) == refresh_token(x);
        error(x) == "invalid_grant" && !collided(x) && grant.refreshes().any(lost)
    })
}

/// Whether the first such answer is the end of refreshes with that refresh token.
fn ended(t: &Transcript, such: impl Fn(&Grant<'_>, &Exchange) -> bool) -> Judgement {
    let mut j = Judgement::new();
    let expected = "no further refresh, and a new login";
    for grant in Grants::of(t).iter() {
        let Some(x) = grant.refreshes().find(|x| such(grant, x)) else { continue };
        let again = |z: &&Exchange| {
            z.began_after(x) && refresh_token(z) == refresh_token(x) && t.can_know_answer(z, x)
        };
        let later: Vec<&Exchange> = grant.refreshes().filter(again).collect();
        match later.iter().find(|z| !grant.in_flight(z, x)) {
            Some(again) => j.fail(&[x, again], expected, "another refresh with the same refresh token"),
            None if later.is_empty() => j.pass(),
            None => {
                j.unproved(&[x, later[0]], expected, "one that may have been under way for another caller")
            }
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    const LOGIN: &str = "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback\n< 200\n";

    #[test]
    fn a_login_after_a_refresh_that_failed_is_what_is_left() {
        let id = "renewal/refresh-comes-before-a-new-login";
        let begin = concat!(login!(), call!("A1" => "401"));
        comes_to(id, &format!("{begin}{}{LOGIN}", refresh!("R1" => error "invalid_grant")), Verdict::Pass);
        comes_to(id, &format!("{begin}{LOGIN}! user second\n"), Verdict::Inconclusive);
        comes_to(id, &format!("{begin}+ 1m\n{LOGIN}"), Verdict::Inconclusive);
        let without = begin.replace(",\"refresh_token\":\"R1\"", "");
        comes_to(id, &format!("{without}{LOGIN}"), Verdict::Skip);
        let dead = format!("{begin}{}", refresh!("R1" => error "invalid_grant"));
        comes_to(id, &format!("{dead}{}{LOGIN}", call!("A1" => "401")), Verdict::Pass);
    }

    #[test]
    fn who_is_started_again_with_nothing_kept_has_to_log_in() {
        let id = "renewal/refresh-comes-before-a-new-login";
        let of = |exchange: &str, step: u32| format!("{exchange}! action program\n! step {step}\n");
        let first = format!("{}{}", of(login!(), 0), of(call!("A1" => "401"), 0));
        let anew = format!("{LOGIN}! action browser\n{}", of(&login!().replace("code=C", "code=D"), 1));
        comes_to(id, &format!("{first}{anew}"), Verdict::Skip);
        comes_to(id, &format!("= store\n{first}{anew}"), Verdict::Fail);
    }

    #[test]
    fn what_a_server_is_given_unasked_has_not_to_be_tried() {
        let id = "renewal/refresh-comes-before-a-new-login";
        let grant = |token: &str| {
            format!(
                "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
                 < 200 {{\"access_token\":\"{token}\",\"refresh_token\":\"R\"}}\n"
            )
        };
        comes_to(id, &format!("{}{}{}", grant("A1"), call!("A1" => "401"), grant("A2")), Verdict::Skip);
    }

    #[test]
    fn a_caller_that_comes_later_may_find_out_for_itself() {
        let id = "renewal/dead-grant-stops-the-work";
        let begin = concat!(login!(), both_refused!("A1"), refresh!("R1" => error "invalid_grant"));
        comes_to(id, &format!("{begin}{}", call!("A1", "GET api /d" => "401")), Verdict::Pass);
        comes_to(id, &format!("{begin}+ 1m\n{}", call!("A1", "GET api /a" => "401")), Verdict::Pass);
        let passing = begin.replace("400 {\"error\":\"invalid_grant\"}", "503");
        comes_to(id, &format!("{passing}{}", call!("A1", "GET api /a" => "401")), Verdict::Skip);
    }

    #[test]
    fn only_what_was_said_of_idleness_is_meant() {
        let revoked = concat!(
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => error "invalid_grant"),
            "+ 1m\n",
            refresh!("R1" => error "invalid_grant")
        );
        comes_to("renewal/idle-grant-needs-a-login", revoked, Verdict::Skip);
        comes_to("renewal/lost-answer-ends-in-a-login", revoked, Verdict::Skip);
    }
}
