//! What a client makes of the lifetime that an answer tells, or does not tell.

use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "answer/untold-lifetime-is-no-end",
        title: "an access token whose lifetime is not told is used until it is refused",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLT-11",
        cites: &[Rfc(6749, "5.1")],
        explain: "expires_in is recommended and not required, and Salesforce never sends it. A client that reads the missing member as \
            zero asks for a new token before every call; one that computes with undefined does so, or never, by chance. Take it that \
            the token is good until the API says otherwise, and let the 401 start the renewal. The check counts renewals of a token \
            that nobody had refused; a single one may be another start of the program.",
        passes: concat!(grant!(), call!(), call!()),
        fails: concat!(grant!(), call!(), grant!("A2"), call!("A2"), grant!("A3"), call!("A3")),
        judge: untold_lifetime_is_no_end,
    },
    Check {
        id: "answer/odd-lifetime-is-no-loop",
        title: "a lifetime that is zero, negative, huge or no number does not make the client ask in a loop",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLT-12",
        cites: &[Rfc(6749, "5.1"), Rfc(6749, "A.14")],
        explain: "expires_in is a number of seconds, and servers send texts, fractions, zero, minus one for never, and numbers beyond 32 \
            bits. A client that finds its new token expired already, and so asks for another, which is expired too, never comes to \
            its first call. Whatever the answer says of its lifetime, use the token at least once; take what cannot be read as not \
            told. The check fails where three answers in a row brought tokens that were never used.",
        passes: concat!(grant!("A1", "\"expires_in\":0"), call!()),
        fails: concat!(
            grant!("A1", "\"expires_in\":0"),
            grant!("A2", "\"expires_in\":0"),
            grant!("A3", "\"expires_in\":0")
        ),
        judge: odd_lifetime_is_no_loop,
    },
];

fn untold_lifetime_is_no_end(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "the access token until it is refused";
    let mut needless = Vec::new();
    for x in t.grants().filter(|x| x.member("expires_in").is_none()) {
        let calls: Vec<&Exchange> = uses(t, x).collect();
        if calls.is_empty() || calls.iter().any(|call| let_in(call) != Some(true)) {
            continue;
        }
        // What comes so soon after a call that was let in was not asked for because of time.
        let renews = |y: &&Exchange| {
            let after = |call: &&&Exchange| y.began_after(call) && y.at.saturating_sub(ended(call)) <= PROMPT;
            let refresh = y.param("refresh_token").is_some();
            let anew = y.grant_type() == x.grant_type() && y.param("code").is_none();
            y.began_after(x)
                && t.may_know(y, x)
                && !has_reason(t, y)
                && same_client(x, y)
                && (refresh || anew)
                && calls.iter().any(|call| after(&call))
        };
        match t.at(Endpoint::Token).find(renews) {
            Some(y) => needless.push((x, y)),
            None if calls.len() > 1 => j.pass(),
            None => {}
        }
    }
    match needless[..] {
        [(x, y), (_, z), ..] => j.fail(&[x, y, z], expected, "a new one for each call, with nothing refused"),
        [(x, y)] => j.unproved(&[x, y], expected, "a new one, once, with nothing refused"),
        [] => {}
    }
    j
}

/// Whether an answer tells a lifetime that is no whole number of seconds above zero within a year.
fn is_odd(x: &Exchange) -> bool {
    let sane = |seconds: u64| (1..=31_622_400).contains(&seconds);
    x.member("expires_in").is_some_and(|told| !told.as_u64().is_some_and(sane))
}

fn odd_lifetime_is_no_loop(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "the access token is used at least once";
    let odd: Vec<&Exchange> = t.grants().filter(|x| is_odd(x)).collect();
    let unused = |x: &&Exchange| uses(t, x).next().is_none();
    for three in odd.windows(3) {
        if three.iter().all(&unused) && same_client(three[0], three[2]) {
            j.fail(three, expected, "three in a row that were never used");
            return j;
        }
    }
    for x in &odd {
        let asks = |y: &Exchange| y.began_after(x) && same_client(x, y);
        match unused(x) {
            false => j.pass(),
            true if t.at(Endpoint::Token).any(asks) => {}
            true => j.unproved(&[x], expected, "the record ends before the client was seen to go on"),
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
    fn a_renewal_that_was_asked_for_is_none_too_many() {
        let id = "answer/untold-lifetime-is-no-end";
        let fails = find(id).unwrap().fails;
        comes_to(id, &fails.replace("< 200\n>", "< 401\n>"), Verdict::Skip);
        comes_to(id, &fails.replace("\"Bearer\"}", "\"Bearer\",\"expires_in\":60}"), Verdict::Skip);
        comes_to(id, concat!(grant!(), call!(), grant!("A2"), call!("A2")), Verdict::Inconclusive);
        let later = concat!(grant!(), call!(), "+ 10m\n", grant!("A2"), call!("A2"), "+ 10m\n", grant!("A3"));
        comes_to(id, later, Verdict::Skip);
    }

    #[test]
    fn a_lifetime_may_be_odd_in_many_ways() {
        let id = "answer/odd-lifetime-is-no-loop";
        for told in ["0", "-1", "\"3600\"", "3600.5", "99999999999999", "null"] {
            let text = find(id).unwrap().fails.replace(":0}", &format!(":{told}}}"));
            comes_to(id, &text, Verdict::Fail);
        }
        comes_to(id, concat!(grant!("A1", "\"expires_in\":7200"), call!()), Verdict::Skip);
        comes_to(id, grant!("A1", "\"expires_in\":0"), Verdict::Inconclusive);
    }
}
