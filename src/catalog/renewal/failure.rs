//! Refresh requests that are refused, and what each refusal means for the tokens that the client holds.

use super::super::resource::ended;
use super::*;
use crate::transcript::questions::beside_the_point;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "renewal/invalid-grant-is-final",
        title: "a refresh token that was refused with invalid_grant is not presented again",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-20",
        cites: &[Rfc(6749, "5.2"), RENEWAL],
        explain: "invalid_grant says that the refresh token is dead: revoked, expired, rotated out. It will not live again, and only a new \
            login helps. A client that tries again, once for each waiting caller or every few seconds, fills the login history of the \
            user and is taken for an attack. Drop the stored tokens, give the error to everybody who waits, and ask for a \
            login. Refresh requests of other callers that may have been under way fail nothing, and neither does a collision \
            (token request is already being processed).",
        passes: concat!(login!(), call!("A1" => "401"), refresh!("R1" => error "invalid_grant")),
        fails: concat!(
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => error "invalid_grant"),
            refresh!("R1" => error "invalid_grant")
        ),
        judge: invalid_grant_is_final,
    },
    Check {
        id: "renewal/collision-is-not-final",
        title: "a refresh that collided with another leaves the client its tokens",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLR-21",
        cites: &[RENEWAL, Rfc(6749, "5.2")],
        explain: "Salesforce answers invalid_grant (token request is already being processed) when another refresh with the same refresh \
            token is under way. The grant is not dead: the other request has won, or will in a moment. A client that goes by the \
            error code alone throws its tokens away and sends its user to the login. Look at the description, wait, and use \
            what the winner was given; without it, try again.",
        passes: concat!(login!(), call!("A1" => "401"), collision!(), call!("A2" => "200")),
        fails: concat!(
            login!(),
            call!("A1" => "401"),
            collision!(),
            "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback\n< 200\n"
        ),
        judge: collision_is_not_final,
    },
    Check {
        id: "renewal/invalid-client-starts-no-storm",
        title: "a refresh that is refused with invalid_client is not tried over and over",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-22",
        cites: &[Rfc(6749, "5.2")],
        explain: "invalid_client tells of the configuration: a secret that was changed, an app that was removed or blocked. The refresh \
            token may still be good, so it is worth keeping, but no repetition cures it. Report it as an error of configuration, and \
            try again when a person has changed something or when the next call asks for it. It fails where more than three such \
            refreshes follow one another for each refused call, with less than ten seconds between them.",
        passes: concat!(login!(), call!("A1" => "401"), refresh!("R1" => error "invalid_client")),
        fails: concat!(
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => error "invalid_client"),
            refresh!("R1" => error "invalid_client"),
            refresh!("R1" => error "invalid_client"),
            refresh!("R1" => error "invalid_client")
        ),
        judge: invalid_client_starts_no_storm,
    },
];

/// How many refreshes one refused call may lead to where the client is refused: some try another way of authentication.
const TRIES: usize = 3;

/// How long after one another they are counted together, in milliseconds.
const IN_A_ROW: i64 = 10_000;

fn invalid_grant_is_final(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "no further refresh with this refresh token";
    for grant in Grants::of(t).iter() {
        let mut seen = Vec::new();
        // An answer that brings a token beside the error does not say that the grant is dead.
        let refused = |x: &&Exchange| {
            error(x) == "invalid_grant" && !x.hands_out_a_token() && !collided(x) && !beside_the_point(x)
        };
        for x in grant.refreshes().filter(refused) {
            let token = refresh_token(x);
            if seen.contains(&token) {
                continue;
            }
            seen.push(token);
            // A server may hand the same refresh token out again.
            let reissued = |z: &Exchange| {
                grant.answers().any(|y| given(y) == token && y.number > x.number && z.began_after(y))
            };
            let same = |z: &&Exchange| {
                refresh_token(z) == token && z.began_after(x) && same_client(x, z) && t.can_know_answer(z, x)
            };
            let later: Vec<&Exchange> = grant.refreshes().filter(same).filter(|z| !reissued(z)).collect();
            if later.is_empty() {
                j.pass();
            } else if let Some(again) = later.iter().find(|z| !grant.in_flight(z, x)) {
                j.fail(&[x, again], expected, "it was presented again");
            } else if let Some(again) = later.first() {
                j.unproved(&[x, again], expected, "one that may have been under way for another caller");
            }
        }
    }
    j
}

fn collision_is_not_final(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of(t);
    let expected = "work goes on with the tokens of the grant";
    for grant in grants.iter() {
        for x in grant.refreshes().filter(|x| error(x) == "invalid_grant" && collided(x)) {
            let goes_on = grant.refreshes().chain(grant.calls.iter().copied()).any(|z| z.began_after(x));
            let login = grants.logins(grant).find(|z| z.began_after(x));
            match login {
                _ if goes_on => j.pass(),
                Some(login)
                    if grants.is_only(grant, login) && login.user.is_some() && login.user == x.user =>
                {
                    j.fail(&[x, login], expected, "a new login, and no more use of the tokens");
                }
                Some(login) => j.unproved(&[x, login], expected, "a login, which may be of another user"),
                None => j.unproved(&[x], expected, "the record ends before the client was seen to go on"),
            }
        }
    }
    j
}

fn invalid_client_starts_no_storm(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for grant in Grants::of(t).iter() {
        let mut row: Vec<&Exchange> = Vec::new();
        let mut longest = row.clone();
        for x in grant.refreshes().filter(|x| error(x) == "invalid_client") {
            if row.last().is_some_and(|last| x.at - ended(last) >= IN_A_ROW) {
                row.clear();
            }
            row.push(x);
            if row.len() > longest.len() {
                longest.clone_from(&row);
            }
        }
        let Some(last) = longest.last() else { continue };
        let most = TRIES * grant.refused_before(last).max(1);
        if longest.len() > most {
            let observed = format!("{} refreshes in a row", longest.len());
            j.fail(&longest, format!("at most {most} for the calls that were refused"), observed);
        } else {
            j.pass();
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn what_was_under_way_for_another_caller_fails_nothing() {
        let id = "renewal/invalid-grant-is-final";
        let begin = concat!(login!(), both_refused!("A1"), refresh!("R1" => error "invalid_grant"));
        let again = refresh!("R1" => error "invalid_grant");
        comes_to(id, &format!("{begin}{again}"), Verdict::Inconclusive);
        comes_to(id, &format!("{begin}{again}{again}"), Verdict::Fail);
        comes_to(id, &format!("{begin}+ 1s\n{again}"), Verdict::Fail);
        let anew = login!().replace("A1", "A5").replace("code=C", "code=D");
        comes_to(id, &format!("{begin}{anew}{again}"), Verdict::Pass);
        let collided = concat!(login!(), call!("A1" => "401"), collision!(), refresh!("R1" => "A2"));
        comes_to(id, collided, Verdict::Skip);
        let both = r#"{"error":"invalid_grant","access_token":"A2","token_type":"Bearer"}"#;
        let beside = concat!(login!(), call!("A1" => "401"), refresh!("R1" => error "invalid_grant"));
        let beside = beside.replace("400", "200").replace(r#"{"error":"invalid_grant"}"#, both);
        assert!(beside.contains(both));
        comes_to(id, &format!("{beside}+ 1m\n{}", refresh!("R1" => "A3")), Verdict::Skip);
    }

    #[test]
    fn what_a_program_was_told_before_it_ended_it_knows_where_it_could_write_it_down() {
        let id = "renewal/invalid-grant-is-final";
        let refused = refresh!("R1" => error "invalid_grant");
        let begin = format!("{}{}{refused}", login!(), call!("A1" => "401"));
        let lived_on = format!("{begin}{}", call!("A1" => "401"));
        let again = format!("+ 1m\n{refused}! step 1\n");
        comes_to(id, &format!("= store\n{lived_on}{again}"), Verdict::Fail);
        comes_to(id, &format!("= store\n{begin}{again}"), Verdict::Fail);
        comes_to(id, &format!("= store\n= killed\n{begin}! action program\n{again}"), Verdict::Pass);
        comes_to(id, &format!("= told ends work\n{lived_on}{again}"), Verdict::Pass);
        let idle = "renewal/idle-grant-needs-a-login";
        let begin = format!("{}{}{}", login!(), call!("A1" => "401"), idle!());
        let again = format!("+ 1m\n{}", idle!());
        comes_to(idle, &format!("= told ends work\n{begin}{again}"), Verdict::Fail);
        comes_to(idle, &format!("= told ends work\n{begin}{again}! step 1\n"), Verdict::Pass);
    }

    #[test]
    fn the_login_of_another_user_says_nothing_of_a_collision() {
        let id = "renewal/collision-is-not-final";
        let begin = concat!(login!(), call!("A1" => "401"), collision!());
        comes_to(id, begin, Verdict::Inconclusive);
        let other = login!().replace("A1", "B1").replace("R1", "S1").replace("code=C", "code=D");
        comes_to(id, &format!("{begin}{other}! user second\n"), Verdict::Inconclusive);
        comes_to(id, &format!("{begin}{other}"), Verdict::Fail);
    }

    #[test]
    fn a_refresh_for_each_refused_call_is_no_storm() {
        let id = "renewal/invalid-client-starts-no-storm";
        let once = concat!(call!("A1" => "401"), refresh!("R1" => error "invalid_client"));
        comes_to(id, &format!("{}{}", login!(), once.repeat(9)), Verdict::Pass);
        let slow = format!("{}+ 1m\n", refresh!("R1" => error "invalid_client"));
        comes_to(id, &format!("{}{}", login!(), slow.repeat(9)), Verdict::Pass);
    }
}
