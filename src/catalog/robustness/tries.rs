//! How often a client tries where the token endpoint fails.

use super::*;
use crate::transcript::questions::moment;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "robustness/server-error-is-tried-with-patience",
        title: "a token endpoint that fails with 5xx is tried a few times, with time between the tries",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLF-01",
        cites: &[Rfc(9110, "15.6")],
        explain: "A 5xx tells of the server and not of the request, so another try may help: later. A client that tries at once and \
            without end adds its load to an outage, together with every other that does the same. Wait a little, wait longer after \
            each failure, stop after a few tries and give the error to the caller. It fails on more than ten tries in a row, and on \
            five within a second or four within 200 ms.",
        passes: concat!(
            asks!("503"),
            "+ 1s\n",
            asks!("500"),
            "+ 2s\n",
            asks!("200 {\"access_token\":\"A\"}")
        ),
        fails: concat!(asks!("503"), asks!("503"), asks!("503"), asks!("503"), asks!("503")),
        judge: |t| patient(t, |x| x.status() >= 500),
    },
    Check {
        id: "robustness/broken-connection-is-tried-with-patience",
        title: "a token request whose connection broke is tried a few times, with time between the tries",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLF-03",
        cites: &[Rfc(9110, "9.2.2"), Rfc(9112, "9.3.1")],
        explain: "Connections break: before the request, after it, in the middle of the answer. None of it says anything about the \
            grant. A client that tries again at once meets the same broken server, and one that never stops hangs for its caller. \
            Keep what there is, wait between tries, stop after a few, and name the connection in the error. It fails on more than \
            ten tries in a row, and on five within a second or four within 200 ms.",
        passes: concat!(asks!("nothing"), "+ 1s\n", asks!("200 {\"access_token\":\"A\"}")),
        fails: concat!(
            asks!("nothing"),
            asks!("nothing"),
            asks!("nothing"),
            asks!("nothing"),
            asks!("nothing")
        ),
        judge: |t| patient(t, |x| x.response().is_none()),
    },
    Check {
        id: "robustness/unreadable-answer-is-tried-with-patience",
        title: "a token answer that cannot be read is not asked for again and again",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLF-07",
        cites: &[Rfc(6749, "5.1"), Rfc(8259, "9")],
        explain: "Lists within lists within lists, numbers where texts should be, nothing at all: whatever stands in an answer with 200, \
            a client must come out of it in one piece, with an error. One that takes it for a hiccup and asks at once again has no \
            way out, because the next answer is the same. Bound the depth and the length of what is read, and treat what cannot be \
            read as a failure of the server. It fails on more than ten tries in a row, and on five within a second or four within 200 ms.",
        passes: concat!(asks!("200 [[[[]]]]"), "+ 1s\n", asks!("200 {\"access_token\":\"A\"}")),
        fails: concat!(asks!("200 []"), asks!("200 []"), asks!("200 []"), asks!("200 []"), asks!("200 []")),
        judge: |t| patient(t, |x| x.status() == 200 && !x.granted()),
    },
    Check {
        id: "robustness/pause-is-kept",
        title: "a server that names a pause is left alone for so long, whether it names seconds or a date",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLF-02",
        cites: &[Rfc(9110, "10.2.3"), Rfc(6585, "4")],
        explain: "429 and 503 may say in Retry-After when to come back: in so many seconds, or at a date. Who comes sooner is refused \
            again, and on many servers waits longer for it. Read both forms (a date counts by the server's clock, which its Date header \
            tells), wait at least so long before the same is asked for again, and give up where that is longer than a caller would \
            wait.",
        passes: concat!(asks!("429\n< Retry-After: 5"), "+ 5s\n", asks!("200 {\"access_token\":\"A\"}")),
        fails: concat!(asks!("429\n< Retry-After: 5"), "+ 1s\n", asks!("200 {\"access_token\":\"A\"}")),
        judge: pause_is_kept,
    },
    Check {
        id: "robustness/recovery-is-no-stampede",
        title: "when a token endpoint comes back, the callers of a client do not ask all at once",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLF-13",
        cites: &[Rfc(9110, "15.6.4"), Rfc(6749, "5.2")],
        explain: "During an outage callers gather, and when it ends each of them wants a token. A client in which everybody asks for \
            itself brings the server down again at the moment when it stands up. Let one request stand for all who wait, also for its \
            next try. It fails where, after a failure, four requests for the same are under way at a time.",
        passes: concat!(asks!("503"), "+ 1s\n", asks!("200 {\"access_token\":\"A\"}")),
        fails: concat!(
            asks!("503"),
            asks!("503"),
            "= hold\n",
            asks!("503"),
            "= hold\n",
            asks!("503"),
            "= hold\n",
            asks!("503"),
            "= release\n"
        ),
        judge: recovery_is_no_stampede,
    },
];

/// By how much a clock may be behind that counts whole seconds, in milliseconds.
pub(super) const SLACK: i64 = 1000;

/// How many requests for the same are a stampede.
const STAMPEDE: usize = 4;

/// When a server wants to be asked again, in milliseconds since the epoch by its own clock.
pub(super) fn again_at(x: &Exchange) -> Option<i64> {
    let response = x.response().filter(|response| matches!(response.status, 429 | 503))?;
    let named = response.header("retry-after")?.trim();
    match named.parse::<u32>() {
        Ok(seconds) => Some(ended(x).saturating_add(i64::from(seconds) * 1000)),
        // What stands in the past was meant by another clock.
        Err(_) => moment(named).filter(|at| *at > ended(x)),
    }
}

fn pause_is_kept(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.exchanges.iter().filter(|x| x.action != "browser") {
        let Some(at) = again_at(x).filter(|at| *at > ended(x)) else { continue };
        let same = |z: &&Exchange| match x.endpoint {
            Endpoint::Token => z.endpoint == Endpoint::Token && ask(z) == ask(x),
            _ => z.endpoint == x.endpoint && same_call(z, x),
        };
        let Some(next) = t.after(x).find(|z| same(z) && z.began_after(x) && z.same_start(x)) else {
            continue;
        };
        let expected = format!("{} ms without it", at - ended(x));
        let waited = next.at - ended(x);
        // Of two that were sent beside each other, the second may not know.
        let beside = t.exchanges.iter().any(|z| same(&z) && z.overlaps(x));
        if next.at + SLACK >= at {
            j.pass();
        } else if beside || t.processes() > 1 {
            j.unproved(&[x, next], expected, "one that may have been under way for another caller");
        } else {
            j.fail(&[x, next], expected, format!("the same again after {waited} ms"));
        }
    }
    j
}

fn recovery_is_no_stampede(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let failed = |x: &&Exchange| x.response().is_none() || x.status() >= 500 || x.status() == 429;
    // Processes cannot wait for one another without a place to meet.
    let Some(first) = t.at(Endpoint::Token).find(failed).filter(|_| t.processes() == 1) else { return j };
    let later: Vec<&Exchange> = t.at(Endpoint::Token).filter(|x| x.began_after(first)).collect();
    let mut worst: Vec<&Exchange> = Vec::new();
    for x in &later {
        // Under way when this one begins.
        let together = |y: &&&Exchange| ask(y) == ask(x) && y.number <= x.number && y.over_at > x.number;
        let together: Vec<&Exchange> = later.iter().filter(together).copied().collect();
        if together.len() > worst.len() {
            worst = together;
        }
    }
    match worst.len() {
        0 => {}
        many if many >= STAMPEDE => {
            j.fail(&worst, "one request for all callers", format!("{many} at a time"));
        }
        _ => j.pass(),
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn tries_that_each_have_a_reason_are_no_row() {
        let id = "robustness/server-error-is-tried-with-patience";
        let call = "> GET api\n> Authorization: Bearer A\n< 401\n";
        comes_to(id, &format!("{call}{}", asks!("503")).repeat(12), Verdict::Pass);
        comes_to(id, &format!("{}+ 20s\n", asks!("503")).repeat(11), Verdict::Fail);
        comes_to(id, &format!("{}+ 2m\n", asks!("503")).repeat(11), Verdict::Pass);
        // Each of two calls may be tried for, with a pause that grows; none of them on and on.
        let grows =
            |n: u32| (0..n).map(|i| format!("{}+ {}s\n", asks!("503"), 1 + 2 * i)).collect::<String>();
        comes_to(id, &format!("= calls 2\n{}{}", grows(9), grows(9)), Verdict::Pass);
        comes_to(id, &format!("= calls 2\n{}{}", grows(9), grows(12)), Verdict::Fail);
        comes_to(id, &format!("{}{}", grows(9), grows(9)), Verdict::Fail);
        // Of pauses that dice drew some are short: the tries of two calls are not counted as those of one.
        let drawn = |pauses: &[u32]| {
            pauses.iter().map(|pause| format!("{}+ {pause}s\n", asks!("503"))).collect::<String>()
        };
        comes_to(id, &format!("= calls 2\n{}", drawn(&[9, 2, 9, 9, 9, 9, 2, 9, 9, 9, 9, 9])), Verdict::Pass);
        comes_to(id, &format!("= calls 2\n{}", drawn(&[9, 2].repeat(11))), Verdict::Fail);
        comes_to(id, &asks!("503").repeat(4), Verdict::Fail);
        // Each of five calls asks once.
        comes_to(id, &format!("= calls 5\n{}", asks!("503").repeat(5)), Verdict::Pass);
        comes_to(id, &format!("= calls 2\n{}", asks!("503").repeat(8)), Verdict::Fail);
        comes_to(id, &format!("{}+ 100ms\n", asks!("503")).repeat(4), Verdict::Pass);
        // Each of twelve calls asks once; and a pause that the server names says nothing of who keeps it.
        comes_to(id, &format!("= calls 12\n{}", format!("{}+ 1s\n", asks!("503")).repeat(12)), Verdict::Pass);
        let named = format!("{}+ 3s\n", asks!("503\n< Retry-After: 3")).repeat(12);
        comes_to(id, &format!("= calls 3\n{named}"), Verdict::Pass);
        comes_to(id, &named, Verdict::Fail);
        let vain = format!("{}! took 10000000\n+ 10s\n", asks!("nothing")).repeat(12);
        let broken = "robustness/broken-connection-is-tried-with-patience";
        comes_to(broken, &format!("= calls 3\n{vain}"), Verdict::Pass);
        comes_to(broken, &vain, Verdict::Fail);
        let other = asks!("503").replace("client_id=main", "client_id=other");
        comes_to(id, &format!("{}{other}", asks!("503")).repeat(3), Verdict::Pass);
        comes_to(id, asks!("400 {\"error\":\"invalid_client\"}"), Verdict::Skip);
    }

    #[test]
    fn a_pause_may_be_named_by_a_date() {
        let id = "robustness/pause-is-kept";
        // Scripts begin on 14 November 2023, 22:13:20.
        let until = |date: &str| {
            let asked = asks!("503\n< Retry-After: DATE").replace("DATE", date);
            format!("{asked}+ 10s\n{}", asks!("200 {\"access_token\":\"A\"}"))
        };
        comes_to(id, &until("Tue, 14 Nov 2023 22:13:25 GMT"), Verdict::Pass);
        comes_to(id, &until("Tue, 14 Nov 2023 22:14:20 GMT"), Verdict::Fail);
        comes_to(id, &until("Tue, 14 Nov 2017 22:14:20 GMT"), Verdict::Skip);
        comes_to(id, &until("soon"), Verdict::Skip);
        let date = "Tue, 14 Nov 2023 22:14:20 GMT";
        comes_to(id, &format!("= processes 2\n{}", until(date)), Verdict::Inconclusive);
        let call = "> GET api\n> Authorization: Bearer A\n< 429\n< Retry-After: 5\n";
        comes_to(id, &call.repeat(2), Verdict::Fail);
    }
}
