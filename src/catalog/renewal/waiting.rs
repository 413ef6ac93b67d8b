//! Who waits for a renewal that fails or does not come: every caller once, and no longer than it must.

use super::super::resource::ended;
use super::passing::passes_by;
use super::repeat::refused_beside;
use super::*;
use crate::transcript::questions::beside_the_point;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "renewal/failed-refresh-reaches-every-caller",
        title: "a refresh that is refused for good is not tried again by each of the callers that waited for it",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-08",
        cites: &[Rfc(9700, "4.14"), Rfc(6749, "5.2")],
        explain: "Callers that share one refresh share its failure too. A client that keeps them in a queue, and lets each try in its \
            turn, asks a dead grant as often as it has callers: the last of a hundred learns after a hundred requests what the first \
            one knew, and the login history of the user fills. Give the outcome of the one refresh to everybody who waited, also \
            when it is an error. It fails where callers that were refused together lead to three refreshes in a row, with no newly \
            refused call between them.",
        passes: concat!(
            login!(),
            both_refused!("A1"),
            refresh!("R1" => error "invalid_grant"),
            call!("A1", "GET api /c" => "401")
        ),
        fails: concat!(
            login!(),
            both_refused!("A1"),
            refresh!("R1" => error "invalid_grant"),
            refresh!("R1" => error "invalid_grant"),
            refresh!("R1" => error "invalid_grant")
        ),
        judge: failed_refresh_reaches_every_caller,
    },
    Check {
        id: "renewal/failed-refresh-blocks-no-later-one",
        title: "when a refresh came to nothing, a call that is refused minutes later begins another",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-09",
        cites: &[Rfc(6749, "5.2"), Community("oauth2-proxy pull request 3456")],
        explain: "A refresh that hangs, or that ends with an error, must let go of whatever keeps other callers out. A lock that is \
            released on success alone, or a shared future that nobody clears, turns one bad minute of the token endpoint into a \
            client that never renews again until it is started anew. Release the lock on every way out, and let the next refused call \
            try afresh. It fails where two calls are refused, five minutes and more after a refresh that failed for a moment, and \
            nothing is renewed.",
        passes: concat!(
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => raw "nothing"),
            "+ 10m\n",
            call!("A1", "GET api /b" => "401"),
            refresh!("R1" => "A2")
        ),
        fails: concat!(
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => raw "nothing"),
            "+ 10m\n",
            call!("A1", "GET api /b" => "401"),
            call!("A1", "GET api /c" => "401")
        ),
        judge: failed_refresh_blocks_no_later_one,
    },
    Check {
        id: "renewal/refresh-is-bounded-in-time",
        title: "a refresh that is not answered is given up within a minute",
        binds: Party::Client,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "CLR-44",
        cites: &[Rfc(9110, "15.5.9"), Community("Nango pull request 2494")],
        explain: "A token endpoint that accepts the connection and then says nothing holds everybody who needs a token. Many HTTP \
            libraries wait for ever where nothing else is said. Give the request for tokens a time limit of its own, ten seconds or \
            so for the connection and the answer together, and treat its end as a failure that passes. Judged is a host that saw \
            for how long the client waited.",
        passes: concat!(login!(), call!("A1" => "401"), refresh!("R1" => raw "nothing")),
        fails: concat!(
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => raw "nothing"),
            "= hold\n+ 90s\n= release\n"
        ),
        judge: refresh_is_bounded_in_time,
    },
];

/// From how long after its failure a refused call must lead to another refresh, in milliseconds.
const RELEASED: i64 = 300_000;

/// How long a client may wait for the answer, in microseconds.
const LONGEST: u64 = 60_000_000;

/// How many refreshes in a row are one for each caller.
const IN_TURN: usize = 3;

/// Whether a refresh was refused for good.
pub(super) fn is_refused_for_good(x: &Exchange) -> bool {
    matches!(x.status(), 400 | 401) && !error(x).is_empty() && !collided(x) && !beside_the_point(x)
}

fn failed_refresh_reaches_every_caller(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "one refresh, and its error for every caller";
    for grant in Grants::of(t).iter() {
        let mut told = 0;
        for first in grant.refreshes().filter(|x| is_refused_for_good(x)) {
            let waits = |c: &&&Exchange| {
                let served = |y: &Exchange| y.number < first.number && y.began_after(c);
                let together = is_dead(c) && c.over_at <= first.over_at && refused_beside(grant, c);
                together && !grant.refreshes().any(served)
            };
            if first.number < told || grant.calls.iter().filter(waits).count() < 2 {
                continue;
            }
            let mut row = vec![first];
            for y in grant.refreshes().filter(|y| y.number > first.number) {
                let last = row[row.len() - 1];
                let asks = |c: &&Exchange| c.over_at > first.over_at && c.over_at <= y.number;
                if !y.began_after(last)
                    || refresh_token(y) != refresh_token(first)
                    || grant.calls.iter().any(|c| gives_reason(c) && asks(c))
                {
                    break;
                }
                row.push(y);
            }
            told = row[row.len() - 1].over_at;
            // Who asks beside the others is the matter of another check.
            let beside = |y: &Exchange| y.overlaps(first) && refresh_token(y) == refresh_token(first);
            match row.len() {
                1 if grant.refreshes().any(beside) => {}
                1 => j.pass(),
                many if many >= IN_TURN => j.fail(&row, expected, format!("{many} refreshes in a row")),
                _ => j.unproved(&row, expected, "another one, which may have been under way"),
            }
        }
    }
    j
}

fn failed_refresh_blocks_no_later_one(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "another refresh";
    for grant in Grants::of(t).iter() {
        for failed in grant.refreshes().filter(|x| passes_by(x)) {
            let later = grant.refreshes().find(|y| y.number > failed.number);
            let until = later.map_or(usize::MAX, |y| y.number);
            let refused: Vec<&Exchange> = grant
                .calls
                .iter()
                .copied()
                // Who gave a refresh up may go on before the server finds out.
                .filter(|c| is_dead(c) && c.number > failed.number && c.number < until)
                .filter(|c| c.at - ended(failed) >= RELEASED)
                .collect();
            match (refused.as_slice(), later) {
                ([], _) => {}
                ([one, two, ..], _) if two.began_after(one) => {
                    j.fail(&[failed, one, two], expected, "refused calls, and nothing was renewed");
                }
                (_, Some(_)) => j.pass(),
                ([one, ..], None) => {
                    j.unproved(&[failed, one], expected, "none in the record, which may end too soon");
                }
            }
        }
    }
    j
}

fn refresh_is_bounded_in_time(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.exchanges.iter().filter(|x| is_refresh(x)) {
        match &x.answer {
            Answer::Nothing(Failure::TimedOut(_)) if x.took <= LONGEST => j.pass(),
            Answer::Nothing(_) if x.took > LONGEST => {
                let waited = x.took / 1_000_000;
                j.fail(&[x], "the client gives up within a minute", format!("it waited for {waited} s"));
            }
            _ => {}
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn callers_that_are_refused_one_after_the_other_ask_for_themselves() {
        let id = "renewal/failed-refresh-reaches-every-caller";
        let begin = concat!(login!(), both_refused!("A1"), refresh!("R1" => error "invalid_client"));
        let again = refresh!("R1" => error "invalid_client");
        comes_to(id, &format!("{begin}{again}"), Verdict::Inconclusive);
        let refused = call!("A1", "GET api /d" => "401");
        comes_to(id, &format!("{begin}{refused}{again}{again}{again}"), Verdict::Pass);
        comes_to(
            id,
            concat!(login!(), call!("A1" => "401"), refresh!("R1" => error "invalid_grant")),
            Verdict::Skip,
        );
        let passing = concat!(login!(), both_refused!("A1"), refresh!("R1" => raw "503"));
        comes_to(id, &format!("{passing}{}", refresh!("R1" => raw "503").repeat(3)), Verdict::Skip);
    }

    #[test]
    fn who_waits_before_the_next_try_keeps_no_lock() {
        let id = "renewal/failed-refresh-blocks-no-later-one";
        let begin = concat!(login!(), call!("A1" => "401"), refresh!("R1" => raw "503"));
        let soon = call!("A1" => "401").repeat(2);
        comes_to(id, &format!("{begin}+ 1m\n{soon}"), Verdict::Skip);
        comes_to(id, &format!("{begin}+ 10m\n{}", call!("A1" => "401")), Verdict::Inconclusive);
        let renewed = concat!(refresh!("R1" => "A2"), "+ 10m\n", call!("A2" => "401"), call!("A2" => "401"));
        comes_to(id, &format!("{begin}{renewed}"), Verdict::Skip);
    }
}
