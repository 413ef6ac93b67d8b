//! Which refresh token a client keeps: the newest that it was given.

use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "renewal/rotated-refresh-token-replaces-the-old",
        title: "the refresh token that a refresh brought is the one that the next refresh presents",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLR-13",
        cites: &[Rfc(6749, "6"), Rfc(9700, "4.14.2")],
        explain: "A server may answer a refresh with another refresh token; the client must then drop the old one and keep the new. A \
            client that reads only the access token works exactly once after each login, and with its second refresh it looks like a \
            thief: the server ends the grant. On Salesforce this comes with refresh token rotation of the app. It fails where the client \
            was seen to call with what the answer brought: an answer may be lost, and then the old token is all that there is. Take \
            every member of each token answer over, and store the refresh token before anything else is done with the answer.",
        passes: concat!(
            login!(),
            refresh!("R1" => "A2" "R2"),
            call!("A2" => "401"),
            refresh!("R2" => "A3" "R3")
        ),
        fails: concat!(
            login!(),
            refresh!("R1" => "A2" "R2"),
            call!("A2" => "401"),
            refresh!("R1" => error "invalid_grant")
        ),
        judge: rotated_refresh_token_replaces_the_old,
    },
    Check {
        id: "renewal/rotated-out-refresh-token-is-never-sent",
        title: "a refresh token is not presented any more when its successor was in use",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLR-17",
        cites: &[Rfc(9700, "4.14.2"), RENEWAL],
        explain: "A client that already refreshed with a newer token and then presents an older one has kept a copy: a snapshot of its \
            store, a cache in a second worker, a backup that was read again. To a server that rotates, this is what theft looks \
            like, and it ends the whole grant, the newest token with it. Keep one place for the refresh token of a grant, write it \
            before the answer is used, and let every worker read it there.",
        passes: concat!(login!(), refresh!("R1" => "A2" "R2"), refresh!("R2" => "A3" "R3")),
        fails: concat!(
            login!(),
            refresh!("R1" => "A2" "R2"),
            refresh!("R2" => "A3" "R3"),
            refresh!("R1" => error "invalid_grant")
        ),
        judge: rotated_out_refresh_token_is_never_sent,
    },
    Check {
        id: "renewal/answer-without-refresh-token-keeps-the-old",
        title: "a refresh answer without a refresh token leaves the client the one that it has",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-15",
        cites: &[Rfc(6749, "6"), Rfc(6749, "5.1")],
        explain: "The refresh token is optional in the answer to a refresh: a server that does not rotate, as Salesforce by default, \
            leaves it out. A client that stores the answer as a whole in place of what it had loses its refresh token at the first \
            renewal, and asks its user to log in again at the second. Merge the answer into what is stored, and replace only what \
            the answer has.",
        passes: concat!(login!(), refresh!("R1" => "A2"), call!("A2" => "401"), refresh!("R1" => "A3")),
        fails: concat!(
            login!(),
            refresh!("R1" => "A2"),
            call!("A2" => "401"),
            refresh!("" => error "invalid_request")
        ),
        judge: answer_without_refresh_token_keeps_the_old,
    },
    Check {
        id: "renewal/empty-refresh-token-keeps-the-old",
        title: "an empty or null refresh token in a refresh answer leaves the client the one that it has",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-16",
        cites: &[Rfc(6749, "6"), Rfc(6749, "5.1")],
        explain: "Some servers and gateways write the refresh token that they do not give as an empty text or as null. Neither can \
            be a refresh token. A client that looks only whether the member is there overwrites its living token with nothing, and \
            later sends an empty one, or the word null. Take a refresh token over only where it is a text that is not empty.",
        passes: concat!(
            login!(),
            refresh!("R1" => raw "200 {\"access_token\":\"A2\",\"refresh_token\":\"\"}"),
            refresh!("R1" => "A3")
        ),
        fails: concat!(
            login!(),
            refresh!("R1" => raw "200 {\"access_token\":\"A2\",\"refresh_token\":null}"),
            refresh!("null" => error "invalid_grant")
        ),
        judge: empty_refresh_token_keeps_the_old,
    },
];

/// Every refresh that was answered with another refresh token than it presented: the answer, the old, the new.
pub(super) fn rotations<'t>(grant: &Grant<'t>) -> Vec<(&'t Exchange, &'t str, &'t str)> {
    let rotation = |y: &'t Exchange| {
        let (old, new) = (refresh_token(y)?, given(y)?);
        (old != new).then_some((y, old, new))
    };
    grant.refreshes().filter_map(rotation).collect()
}

/// Whether the client was seen to call with the access token of that answer before `z`.
pub(super) fn used_before(grant: &Grant<'_>, answer: &Exchange, z: &Exchange) -> bool {
    grant.calls.iter().any(|c| c.number < z.number && presented(c) == answer.text("access_token"))
}

fn rotated_refresh_token_replaces_the_old(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for grant in Grants::of(t).iter() {
        for (rotation, old, new) in rotations(grant) {
            let Some(next) = grant.refreshes().find(|z| z.began_after(rotation)) else { continue };
            // What outlives a program is judged apart.
            if !next.same_start(rotation) {
                continue;
            }
            let expected = "the refresh token that the answer brought";
            if refresh_token(next) == Some(new) {
                j.pass();
            } else if refresh_token(next) == Some(old) {
                let mut calls = grant.calls.iter().filter(|c| presented(c) == rotation.text("access_token"));
                let prompted = calls.any(|c| gives_reason(c) && next.began_after(c));
                let late = !within(next, rotation, IN_FLIGHT) || prompted || grant.is_sequential(next);
                if used_before(grant, rotation, next) && late {
                    j.fail(&[rotation, next], expected, "the one that it replaced");
                } else {
                    let observed = "the one that it replaced, but the answer may not have reached the client";
                    j.unproved(&[rotation, next], expected, observed);
                }
            }
        }
    }
    j
}

fn rotated_out_refresh_token_is_never_sent(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for grant in Grants::of(t).iter() {
        for (rotation, old, new) in rotations(grant) {
            let Some(used) = grant.refreshes().find(|w| refresh_token(w) == Some(new)) else { continue };
            let again = |y: &Exchange| given(y) == Some(old) && y.number > rotation.number;
            let stale = |z: &&Exchange| {
                refresh_token(z) == Some(old)
                    && z.number > used.number
                    && z.began_after(rotation)
                    && !grant.answers().any(|y| again(y) && z.began_after(y))
            };
            let expected = "no refresh with a refresh token that was replaced";
            match grant.refreshes().find(stale) {
                Some(z) if within(z, rotation, IN_FLIGHT) && !grant.is_sequential(z) => {
                    j.unproved(&[rotation, z], expected, "one that may have been under way");
                }
                Some(z) => j.fail(&[rotation, used, z], expected, "it was presented after its successor"),
                None => j.pass(),
            }
        }
    }
    j
}

fn answer_without_refresh_token_keeps_the_old(t: &Transcript) -> Judgement {
    kept(t, |answer| answer.member("refresh_token").is_none())
}

fn empty_refresh_token_keeps_the_old(t: &Transcript) -> Judgement {
    kept(t, |answer| {
        answer.member("refresh_token").is_some_and(|token| token.is_null() || token.as_str() == Some(""))
    })
}

/// Whether the refresh token lasts beyond refreshes with such an answer.
fn kept(t: &Transcript, such: fn(&Exchange) -> bool) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of(t);
    for grant in grants.iter() {
        for answer in grant.refreshes().filter(|y| y.granted() && such(y)) {
            let expected = "the refresh token that it presented before";
            let own = grant.refreshes().find(|z| z.began_after(answer));
            let empty = grants.empty_refreshes(grant).find(|z| z.began_after(answer));
            let login = grants.logins(grant).find(|z| {
                let refused = |c: &&&Exchange| is_dead(c) && presented(c) == answer.text("access_token");
                grant.calls.iter().filter(refused).any(|c| z.began_after(c))
            });
            match (own, empty) {
                (Some(own), empty) if empty.is_none_or(|z| own.number < z.number) => {
                    if refresh_token(own) == refresh_token(answer) {
                        j.pass();
                    }
                }
                (_, Some(empty)) if grants.is_only(grant, empty) => {
                    j.fail(&[answer, empty], expected, "a refresh without a refresh token");
                }
                (_, Some(empty)) => {
                    j.unproved(&[answer, empty], expected, "none, in a refresh that may be of another grant");
                }
                (_, None) => {
                    if let Some(login) = login {
                        j.unproved(&[answer, login], expected, "a new login, which may have another reason");
                    }
                }
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
    fn an_answer_that_was_never_used_may_not_have_come() {
        let id = "renewal/rotated-refresh-token-replaces-the-old";
        let ended = concat!(login!(), refresh!("R1" => "A2" "R2"), "+ 1s\n", refresh!("R1" => "A3" "R3"));
        comes_to(id, ended, Verdict::Inconclusive);
        let beside = concat!(
            login!(),
            both_refused!("A1"),
            refresh!("R1" => "A2" "R2"),
            call!("A2" => "200"),
            refresh!("R1" => "A3" "R3")
        );
        comes_to(id, beside, Verdict::Inconclusive);
    }

    #[test]
    fn another_grant_has_a_refresh_token_of_its_own() {
        let other = login!().replace("A1", "B1").replace("R1", "S1").replace("code=C", "code=D");
        let begin = format!("{}{other}{}", login!(), refresh!("R1" => "A2" "R2"));
        let id = "renewal/rotated-refresh-token-replaces-the-old";
        comes_to(id, &format!("{begin}{}", refresh!("S1" => "B2" "S2")), Verdict::Skip);
        let id = "renewal/answer-without-refresh-token-keeps-the-old";
        let begin = format!("{}{other}{}", login!(), refresh!("R1" => "A2"));
        comes_to(id, &format!("{begin}{}", refresh!("" => error "invalid_request")), Verdict::Inconclusive);
    }

    #[test]
    fn a_refresh_token_that_is_handed_out_again_may_be_presented() {
        let id = "renewal/rotated-out-refresh-token-is-never-sent";
        let text = find(id).unwrap().fails.replace("\"refresh_token\":\"R3\"", "\"refresh_token\":\"R1\"");
        comes_to(id, &text, Verdict::Pass);
    }

    #[test]
    fn a_new_login_does_not_show_that_the_token_was_lost() {
        for (id, answer) in [
            ("renewal/answer-without-refresh-token-keeps-the-old", refresh!("R1" => "A2")),
            (
                "renewal/empty-refresh-token-keeps-the-old",
                refresh!("R1" => raw "200 {\"access_token\":\"A2\",\"refresh_token\":\"\"}"),
            ),
        ] {
            let begin = format!("{}{answer}{}", login!(), call!("A2" => "401"));
            comes_to(id, &begin, Verdict::Skip);
            let anew = login!().replace("A1", "A3").replace("R1", "R3").replace("code=C", "code=D");
            comes_to(id, &format!("{begin}{anew}"), Verdict::Inconclusive);
        }
    }
}
