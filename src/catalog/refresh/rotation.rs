//! What becomes of a refresh token that was rotated out, and of refreshes that meet in flight (RFC 9700 §4.14).

use super::super::Cite::Rfc;
use super::super::{Check, Judgement, Party};
use super::RENEWAL;
use super::tokens::{
    Family, calls_with, collided, in_time, lives, presented, races, refreshes, rejected, reuses, says,
    shown_dead, sound, works,
};
use crate::transcript::questions::{beside_the_point, together};
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// Two refreshes at once, of which one wins R2.
macro_rules! collision {
    () => {
        concat!(code!(), "= race\n", refresh!("R1" => "A2" "R2"), refresh!("R1" => busy), "= end\n")
    };
}

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "refresh/rotated-out-token-is-refused",
        title: "a refresh token that was rotated out is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RF-09",
        cites: &[Rfc(9700, "4.14.2"), RENEWAL],
        explain: "Where a refresh answers with a new refresh token, the one that was used must be dead from then on. An old token \
            that still works makes rotation worthless: a copy out of a backup or a log is as good as the newest. Salesforce does \
            this for apps with refresh token rotation (isRefreshTokenRotationEnabled) and documents no time of grace. \
            A server that has one says how long it is in its target (rotation_grace: 30s), and is judged after it. \
            A server that re-issues refresh tokens without meaning to rotate them says rotation: false in its target.",
        passes: concat!(code!(), refresh!("R1" => "A2" "R2"), refresh!("R1" => dead)),
        fails: concat!(code!(), refresh!("R1" => "A2" "R2"), refresh!("R1" => "A3" "R3")),
        judge: rotated_out_token_is_refused,
    },
    Check {
        id: "refresh/reuse-kills-the-active-token",
        title: "the use of a rotated-out refresh token ends the active one",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RF-10",
        cites: &[Rfc(9700, "4.14.2"), RENEWAL],
        explain: "When a rotated-out token turns up, two parties hold tokens of one grant and the server cannot tell which of them \
            is the thief. It must end the active refresh token too, so that the thief is out and the user logs in again. A server \
            that only refuses the old token leaves the newest with whoever refreshed first. Keep track of which tokens descend from \
            one grant, and end them all. Salesforce documents this for apps with refresh token rotation.",
        passes: concat!(code!(), refresh!("R1" => "A2" "R2"), refresh!("R1" => dead), refresh!("R2" => dead)),
        fails: concat!(
            code!(),
            refresh!("R1" => "A2" "R2"),
            refresh!("R1" => dead),
            refresh!("R2" => "A3" "R3")
        ),
        judge: reuse_kills_the_active_token,
    },
    Check {
        id: "refresh/one-family-survives-a-race",
        title: "of simultaneous refreshes with one rotating refresh token at most one leaves a living refresh token",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RF-12",
        cites: &[Rfc(9700, "4.14.2"), Rfc(6749, "10.4")],
        explain: "Looking a refresh token up and rotating it out must be one atomic step. Where two requests at the same moment both \
            find it alive, both get a successor, and from then on two families renew themselves side by side: a thief who wins \
            that race is never noticed. Mark the token used with a conditional update or under a lock. A server that grants both and \
            ends all but one of the successors afterwards is safe as well, and so is one that answers both with the same successor.",
        passes: concat!(code!(), "= race\n", refresh!("R1" => "A2" "R2"), refresh!("R1" => busy)),
        fails: concat!(code!(), "= race\n", refresh!("R1" => "A2" "R2"), refresh!("R1" => "A3" "R3")),
        judge: one_family_survives_a_race,
    },
    Check {
        id: "refresh/collision-spares-the-winner",
        title: "after refreshes collided in flight the tokens of the winner still work",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "RF-14",
        cites: &[Rfc(9700, "4.14.2"), RENEWAL],
        explain: "Two threads of one client that refresh at the same moment are a common mistake, not a theft: a server that refuses \
            the second because the first is still being answered should leave the first its tokens. Ending the grant there logs \
            users out for no gain. Salesforce refuses with \"token request is already being processed\". A server that cannot tell \
            the collision from a replay may end everything, as RFC 9700 has it, and is not blamed for that here. \
            Clients avoid the collision by sharing one renewal per token.",
        passes: concat!(collision!(), call!("A2" => "200 []"), refresh!("R2" => "A3" "R3")),
        fails: concat!(collision!(), refresh!("R2" => dead)),
        judge: collision_spares_the_winner,
    },
];

fn rotated_out_token_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token, rotation) in reuses(t) {
        let because = "this refresh token was rotated out before";
        if x.hands_out_a_token() {
            j.fail(&[rotation, x], format!("a refusal with invalid_grant: {because}"), x.outcome());
        } else if sound(t, x) && !Family::of(t, token).was_revoked(t, x) {
            j.refused(x, true, &["invalid_grant"], because);
        }
    }
    j
}

fn reuse_kills_the_active_token(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token, _) in reuses(t).filter(|(x, ..)| !x.granted() && sound(t, x) && !says(x, "invalid_client"))
    {
        let family = Family::of(t, token);
        let active = |r: &str| {
            r != token
                && t.origin_of_refresh_token(r).is_some_and(|o| o.number < x.number && !together(o, x))
                && t.rotated_before(r, x).is_none()
        };
        for later in family.refresh.iter().copied().filter(|r| active(r)) {
            let next = refreshes(t).find(|(z, r)| z.number > x.number && *r == later && !together(x, z));
            let Some((z, _)) = next.filter(|(z, _)| !family.was_revoked(t, z)) else { continue };
            let because = "a token that was rotated out for it had been used again";
            if z.hands_out_a_token() {
                j.fail(&[x, z], format!("a refusal with invalid_grant: {because}"), z.outcome());
            } else if sound(t, z) {
                j.refused(z, true, &["invalid_grant"], because);
            }
        }
    }
    j
}

fn one_family_survives_a_race(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    // Within a time of grace several may win.
    let strict = |race: &[&Exchange]| t.may_rotate(race[0]) && t.rotation_grace(race[0]) == 0;
    for (token, race) in races(t).into_iter().filter(|(_, race)| strict(race)) {
        let won: Vec<&Exchange> = race.iter().copied().filter(|x| x.hands_out_a_token()).collect();
        let successors = won.iter().filter_map(|x| x.text("refresh_token")).filter(|r| *r != token);
        let mut successors: Vec<&str> = successors.collect();
        successors.sort_unstable();
        successors.dedup();
        if won.is_empty() && race.iter().all(|x| sound(t, x)) && lives(t, token, race[0]) {
            j.unproved(&race, "at most one of them succeeds", "none did, though the refresh token was alive");
        }
        if successors.is_empty() {
            continue;
        }
        let last = race.iter().map(|x| x.number).max().unwrap_or_default();
        let living = successors.iter().filter(|r| !shown_dead(t, r, last)).count();
        if living > 1 {
            let observed = format!(
                "{} of {} succeeded, with {} different refresh tokens, {living} of which were not seen to die",
                won.len(),
                race.len(),
                successors.len()
            );
            j.fail(&won, "at most one living refresh token comes of them", observed);
        } else {
            j.pass();
        }
    }
    j
}

fn collision_spares_the_winner(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (token, race) in races(t) {
        let (won, lost): (Vec<&Exchange>, Vec<&Exchange>) = race.iter().partition(|x| x.hands_out_a_token());
        let [winner] = won[..] else { continue };
        let (family, current) = (Family::of(t, token), winner.text("refresh_token").unwrap_or(token));
        if t.beside(winner).any(|y| family.disturbs(t, y)) {
            continue;
        }
        let in_race = |z: &Exchange| z.race.is_some() && together(winner, z);
        for z in t.after(winner).filter(|z| !in_race(z) && z.response().is_some() && !beside_the_point(z)) {
            let called = calls_with(t, z, winner);
            // What another client makes of it says nothing about the winner.
            let its_own = presented(z) == Some(current) && z.client_id() == winner.client_id();
            // A lifetime counts from the grant, which is no older than the record.
            let lifetime =
                t.subject.settings_of(winner.client_id()).word("refresh_policy") == Some("lifetime");
            let since = if lifetime { &t.exchanges[0] } else { winner };
            let refreshed = its_own && sound(t, z) && in_time(t, since, z);
            if called && (200..300).contains(&z.status()) || refreshed && z.granted() {
                j.pass();
            } else if (called && rejected(z) && works(t, z) || refreshed) && lost.iter().all(|x| collided(x))
            {
                j.fail(&[winner, z], "the tokens of the one that succeeded go on working", z.outcome());
                break;
            }
            // Whatever else it asked for, what it was given replaces what the winner has.
            if refreshed || its_own && z.hands_out_a_token() || family.disturbs(t, z) {
                break;
            }
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::find;
    use crate::catalog::testing::verdict;

    use crate::verdict::Verdict;

    #[test]
    fn within_a_time_of_grace_an_old_token_may_be_taken() {
        let reused = |after: &str| {
            let again = refresh!("R1" => "A3" "R3");
            let text = format!(
                "= setting rotation_grace 30s\n{}{}+ {after}\n{again}",
                code!(),
                refresh!("R1" => "A2" "R2")
            );
            verdict("refresh/rotated-out-token-is-refused", &text)
        };
        assert_eq!((reused("29s"), reused("31s")), (Verdict::Skip, Verdict::Fail));
        let race = find("refresh/one-family-survives-a-race").unwrap();
        assert_eq!(verdict(race.id, &format!("= setting rotation_grace 30s\n{}", race.fails)), Verdict::Skip);
    }

    #[test]
    fn a_server_that_says_it_does_not_rotate_may_keep_old_tokens() {
        for id in ["refresh/rotated-out-token-is-refused", "refresh/one-family-survives-a-race"] {
            let fails = find(id).unwrap().fails;
            assert_eq!(verdict(id, &format!("= setting rotation false\n{fails}")), Verdict::Skip);
        }
        let kept = concat!(code!(), refresh!("R1" => "A2" "R1"), refresh!("R1" => "A3" "R1"));
        assert_eq!(verdict("refresh/rotated-out-token-is-refused", kept), Verdict::Skip);
    }

    #[test]
    fn the_losers_of_a_race_do_not_use_a_token_again() {
        let race = concat!(
            code!(),
            "= race\n",
            refresh!("R1" => "A2" "R2"),
            refresh!("R1" => dead),
            "= end\n",
            refresh!("R2" => "A3" "R3")
        );
        for id in ["refresh/rotated-out-token-is-refused", "refresh/reuse-kills-the-active-token"] {
            assert_eq!(verdict(id, race), Verdict::Skip, "{id}");
        }
    }

    #[test]
    fn winners_of_a_race_count_by_what_lives() {
        let id = "refresh/one-family-survives-a-race";
        let two = find(id).unwrap().fails;
        let probed = |r3: &str| verdict(id, &format!("{two}= end\n{}{r3}", refresh!("R2" => "A4" "R4")));
        assert_eq!(probed(refresh!("R3" => dead)), Verdict::Pass);
        assert_eq!(probed(refresh!("R3" => "A5" "R5")), Verdict::Fail);
        assert_eq!(verdict(id, &two.replace("R3", "R2")), Verdict::Pass, "one successor for both");
        let none = concat!(code!(), "= race\n", refresh!("R1" => dead), refresh!("R1" => dead));
        assert_eq!(verdict(id, none), Verdict::Inconclusive);
    }

    #[test]
    fn a_replay_that_ends_the_grant_is_no_collision() {
        let id = "refresh/collision-spares-the-winner";
        let fails = find(id).unwrap().fails;
        assert_eq!(
            verdict(id, &fails.replace("token request is already being processed", "used")),
            Verdict::Skip
        );
        let again = fails.replace("= end\n", concat!("= end\n", refresh!("R1" => dead)));
        assert_eq!(verdict(id, &again), Verdict::Skip);
    }

    #[test]
    fn a_revocation_that_met_the_refreshes_may_have_come_last() {
        let id = "refresh/collision-spares-the-winner";
        let fails = find(id).unwrap().fails;
        let revoke = "> POST revoke token=R1&client_id=main&client_secret=s\n< 200\n";
        assert_eq!(verdict(id, &fails.replace("= end\n", &format!("{revoke}= end\n"))), Verdict::Skip);
        assert_eq!(verdict(id, &fails.replace("= race\n", &format!("= race\n{revoke}"))), Verdict::Skip);
    }

    #[test]
    fn a_grant_whose_lifetime_is_over_is_no_loss() {
        let id = "refresh/collision-spares-the-winner";
        let fails = find(id).unwrap().fails;
        let at = fails.find(refresh!("R2" => dead)).unwrap();
        let late = |policy: &str| {
            let settings = format!("= setting refresh_policy {policy}\n= setting refresh_token_ttl 30d\n");
            let begin = format!("{settings}{}+ 20d\n", code!());
            verdict(id, &format!("{begin}{}+ 20d\n{}", &fails[..at].replace(code!(), ""), &fails[at..]))
        };
        assert_eq!((late("lifetime"), late("inactivity")), (Verdict::Skip, Verdict::Fail));
    }

    #[test]
    fn what_the_winner_replaced_itself_is_no_loss() {
        let id = "refresh/collision-spares-the-winner";
        let fails = find(id).unwrap().fails;
        let at = fails.find(refresh!("R2" => dead)).unwrap();
        let narrower = refresh!("R2" => "A3" "R3").replace("refresh_token=R2", "refresh_token=R2&scope=id");
        assert_eq!(verdict(id, &format!("{}{narrower}{}", &fails[..at], &fails[at..])), Verdict::Skip);
    }

    #[test]
    fn what_is_refused_to_another_client_is_no_loss_of_the_winner() {
        let id = "refresh/collision-spares-the-winner";
        let fails = find(id).unwrap().fails;
        let last = fails.rfind("client_id=main").unwrap();
        let (before, after) = fails.split_at(last);
        let stranger = format!("{before}{}", after.replacen("client_id=main", "client_id=other", 1));
        assert_eq!(verdict(id, &stranger), Verdict::Skip);
    }
}
