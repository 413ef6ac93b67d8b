//! Tokens that several processes share, and that outlive the one that was given them.

use super::rotation::{rotations, used_before};
use super::sharing::share_one;
use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "renewal/processes-share-one-refresh",
        title: "processes that share a grant are refused together and lead to one refresh, or lose gracefully",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-11",
        cites: &[
            Rfc(9700, "4.14"),
            RENEWAL,
            Community("grafana/gcx pull request 522"),
            Community("forcedotcom/sfdx-core pull request 1342"),
        ],
        explain: "A lock inside of a process does not hold another process back. Workers, command line calls and replicas that read \
            one refresh token from one store all find the access token dead at the same moment; each refreshes, and a server that \
            rotates ends the grant for all of them. Lock the store, not the process: take the lock, read the tokens again, refresh \
            only if they are still the ones that were refused, write, let go. Who is told \"token request is already being \
            processed\" and reads the store again has lost gracefully. Judged where it is known that there were several processes.",
        passes: concat!(
            "= processes 2\n",
            login!(),
            both_refused!("A1"),
            refresh!("R1" => "A2"),
            call!("A2", "GET api /a" => "200"),
            call!("A2", "GET api /b" => "200")
        ),
        fails: concat!(
            "= processes 2\n",
            login!(),
            both_refused!("A1"),
            refresh!("R1" => "A2" "R2"),
            "= hold\n",
            refresh!("R1" => error "invalid_grant"),
            "= release\n"
        ),
        judge: processes_share_one_refresh,
    },
    Check {
        id: "renewal/rotated-refresh-token-outlives-the-process",
        title: "a program that is started again presents the refresh token of the last refresh, not the one before",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-14",
        cites: &[
            Rfc(9700, "4.14.2"),
            Rfc(6749, "6"),
            Community("forcedotcom/sfdx-core pull request 1340"),
            Community("airbytehq/airbyte pull request 82719"),
        ],
        explain: "When a server rotates, the old refresh token is dead from the moment of the answer. A program that uses the new access \
            token first and stores the new refresh token later, at the end of its work or in a task of its own, loses the grant \
            when it dies in between: its next start presents the old token, and to the server that is a thief. Store the answer, \
            and wait until it is on the disk, before anybody uses it. An answer that may not have reached the program proves \
            nothing: only where it called with the new access token is it judged, and only where it has a place that outlives it.",
        passes: concat!(
            "= store\n",
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => "A2" "R2"),
            call!("A2" => "200"),
            refresh!("R2" => "A3" "R3"),
            "! step 1\n"
        ),
        fails: concat!(
            "= store\n",
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => "A2" "R2"),
            call!("A2" => "200"),
            refresh!("R1" => error "invalid_grant"),
            "! step 1\n"
        ),
        judge: rotated_refresh_token_outlives_the_process,
    },
];

fn processes_share_one_refresh(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    if t.processes() < 2 {
        return j;
    }
    for grant in Grants::of_all(t).iter() {
        let refreshes: Vec<&Exchange> = grant.refreshes().filter(|x| !collided(x)).collect();
        share_one(&mut j, grant, &refreshes, "one refresh for all processes of the grant");
    }
    j
}

fn rotated_refresh_token_outlives_the_process(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    if !t.has_store() {
        return j;
    }
    let expected = "the refresh token that the last refresh brought";
    for grant in Grants::of(t).iter() {
        for (rotation, old, new) in rotations(grant) {
            let Some(next) = grant.refreshes().find(|z| z.began_after(rotation)) else { continue };
            if next.same_start(rotation) {
                continue;
            }
            match refresh_token(next) {
                Some(token) if token == new => j.pass(),
                Some(token) if token == old && used_before(grant, rotation, next) => {
                    j.fail(&[rotation, next], expected, "the one that it replaced");
                }
                Some(token) if token == old => {
                    let observed =
                        "the one that it replaced, but the answer may not have reached the program";
                    j.unproved(&[rotation, next], expected, observed);
                }
                _ => {}
            }
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn who_is_told_of_a_collision_has_lost_gracefully() {
        let id = "renewal/processes-share-one-refresh";
        let lost = concat!("= processes 2\n", login!(), both_refused!("A1"), collision!());
        let served = concat!(call!("A2", "GET api /a" => "200"), call!("A2", "GET api /b" => "200"));
        comes_to(id, &format!("{lost}{served}"), Verdict::Pass);
        comes_to("renewal/overlapping-refusals-share-one-refresh", &format!("{lost}{served}"), Verdict::Skip);
        let alone = concat!(login!(), both_refused!("A1"), refresh!("R1" => "A2"));
        comes_to(id, alone, Verdict::Skip);
    }

    #[test]
    fn an_answer_that_nobody_was_seen_to_read_proves_nothing() {
        let id = "renewal/rotated-refresh-token-outlives-the-process";
        let unread = concat!(
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => "A2" "R2"),
            refresh!("R1" => error "invalid_grant"),
            "! step 1\n"
        );
        comes_to(id, &format!("= store\n{unread}"), Verdict::Inconclusive);
        comes_to(id, unread, Verdict::Skip);
        // Without a store, and in another start, the old one is all that a program can know.
        let refresh = "> POST token grant_type=refresh_token&client_id=main&client_secret=s&refresh_token=R1\n! secret right\n< 400";
        let read = unread.replacen(refresh, &format!("{}{refresh}", call!("A2" => "200")), 1);
        assert_ne!(read, unread);
        let read = format!("= told ends work\n{read}");
        comes_to("renewal/rotated-refresh-token-replaces-the-old", &read, Verdict::Skip);
    }
}
