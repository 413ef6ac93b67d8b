//! What ties a callback to the login that it answers.

use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "login/state-is-new-and-unguessable",
        title: "each login has a state of its own, of at least 128 bits",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLA-06",
        cites: &[Rfc(6749, "10.10"), Rfc(6749, "10.12")],
        explain: "A state protects as long as nobody but the browser that began the login knows it. One that is the same for every \
            login is known to everybody who ever logged in; one of a few letters or digits, or of which a few change, is found by \
            trying. Draw 16 bytes or more from the random generator of the system for each login, keep them in the session, and \
            put where the user wanted to go into the session as well, not in the place of randomness.",
        passes: concat!(answered!(), asks!("&state=pX3vK9qLm2TzR7wBdF5yHc"), "< 302\n"),
        fails: concat!(answered!(), asks!("&state=S1-0123456789-0123456789"), "< 302\n"),
        judge: |t| new_for_each_login(t, "state", FEWEST_BITS),
    },
    Check {
        id: "login/wrong-state-is-refused",
        title: "a callback with another state than that of the login is refused",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLA-07",
        cites: &[Rfc(6749, "10.12"), Rfc(9700, "4.7")],
        explain: "A state that is sent and not compared protects nobody. Whoever brings a browser to the callback with a code of \
            their own logs that browser in to their account. Compare the state of the callback with the one that was kept for \
            this browser, before anything else is looked at, and show an error where they differ: no token request.",
        passes: concat!(answered!(), brings!("code=C1&state=other", "400")),
        fails: concat!(answered!(), brings!("code=C1&state=other"), redeems!("C1")),
        judge: wrong_state_is_refused,
    },
    Check {
        id: "login/missing-state-is-refused",
        title: "a callback without a state is refused where one was sent",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLA-08",
        cites: &[Rfc(6749, "4.1.2"), Rfc(6749, "10.12")],
        explain: "The org must send the state back where there was one, so an answer without it is not the org's answer. Many \
            programs compare the two only if there is something to compare, and an attacker simply leaves it out. Compare with \
            what was kept whatever the callback says; nothing is not equal to something.",
        passes: concat!(answered!(), brings!("code=C1", "400")),
        fails: concat!(answered!(), brings!("code=C1"), redeems!("C1")),
        judge: missing_state_is_refused,
    },
    Check {
        id: "login/state-works-once",
        title: "a second callback with the same state is not gone on with",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLA-09",
        cites: &[Rfc(9700, "4.2.4"), Rfc(9700, "4.7.1")],
        explain: "A state is in the URL of the callback, and from there it gets into histories, logs and referrers. If it is good for \
            a second login, whoever reads it there can bring a code of their own with it. Throw it away when the first callback \
            with it comes in, before the code is redeemed, and answer the second as any other that nobody asked for.",
        passes: concat!(
            answered!(),
            brings!("code=C1&state=S1-0123456789-0123456789"),
            redeems!("C1"),
            asks!(),
            sends_back!("code=C2&state=S1-0123456789-0123456789"),
            brings!("code=C2&state=S1-0123456789-0123456789", "400")
        ),
        fails: concat!(
            answered!(),
            brings!("code=C1&state=S1-0123456789-0123456789"),
            redeems!("C1"),
            asks!(),
            sends_back!("code=C2&state=S1-0123456789-0123456789"),
            brings!("code=C2&state=S1-0123456789-0123456789"),
            redeems!("C2")
        ),
        judge: state_works_once,
    },
    Check {
        id: "login/unsolicited-callback-is-refused",
        title: "a code that comes before any login was begun is not redeemed",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLA-11",
        cites: &[Rfc(6749, "10.12"), Rfc(9700, "4.7")],
        explain: "Anybody can call the address of a callback, and on a machine of the user any page in the browser can. A client that \
            redeems whatever arrives there takes part in a login that nobody began: the code is an attacker's, and so is the \
            account. Answer a callback only where a login of this browser is under way, and only with its state; let the login \
            that is under way go on.",
        passes: brings!("code=C9", "400"),
        fails: concat!(brings!("code=C9"), redeems!("C9" => "400 {\"error\":\"invalid_grant\"}")),
        judge: unsolicited_callback_is_refused,
    },
];

fn wrong_state_is_refused(t: &Transcript) -> Judgement {
    let wrong = |b: &Callback<'_>| {
        b.sent_state().is_some_and(|sent| b.params.get("state").is_some_and(|s| s != sent))
    };
    refused(t, wrong, "no token request: the state is not that of the login", false)
}

fn missing_state_is_refused(t: &Transcript) -> Judgement {
    let missing = |b: &Callback<'_>| b.sent_state().is_some() && b.params.get("state").is_none();
    refused(t, missing, "no token request: the state is missing", false)
}

fn state_works_once(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let all = callbacks(t);
    for (n, second) in all.iter().enumerate() {
        let Some(state) = second.sent_state().filter(|state| second.get("state") == Some(state)) else {
            continue;
        };
        let is_first = |b: &&Callback<'_>| {
            b.get("state") == Some(state) && b.sent_state() == Some(state) && b.code() != second.code()
        };
        let Some(first) = all[..n].iter().find(is_first) else { continue };
        // A login that came to nothing may be gone on with.
        let Some(done) = first.redemption(t).filter(|x| x.granted()) else { continue };
        match second.redemption(t) {
            Some(x) => j.fail(
                &[first.x, done, second.x, x],
                "no token request for a state that was used",
                "the code of the second callback was redeemed",
            ),
            None if second.code().is_some() && (second.is_heard() || second.is_missed()) => j.pass(),
            None => {}
        }
    }
    j
}

fn unsolicited_callback_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let first = requests(t).first().map_or(usize::MAX, |x| x.number);
    for b in callbacks(t).iter().filter(|b| b.x.number < first && b.code().is_some()) {
        match b.redemption(t) {
            // The org did issue it: the login was begun before the record.
            Some(x) if x.granted() => {}
            Some(x) => {
                j.fail(&[b.x, x], "no token request: nobody was sent to log in", "its code was redeemed")
            }
            None if b.is_heard() => j.pass(),
            None => {}
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn a_state_of_few_bits() {
        let id = "login/state-is-new-and-unguessable";
        let two = |a: &str, b: &str| {
            format!(
                "{}< 302\n{}< 302\n",
                asks!("&state=@").replace('@', a),
                asks!("&state=@").replace('@', b)
            )
        };
        comes_to(id, &two("0123456789ab", "0123456789cd"), Verdict::Fail);
        let (one, other) = ("6f1c0a34-5d6e-4b1f-9f0a-1c2d3e4f5a6b", "7f1c0a34-5d6e-4b1f-9f0a-1c2d3e4f5a6b");
        comes_to(id, &two(one, other), Verdict::Fail);
        comes_to(id, &two(one, "0d2b9c11-8a47-4e0c-b3f5-94a6e7d8c9b0"), Verdict::Pass);
        comes_to(id, answered!(), Verdict::Skip);
        let again = answered!().replace("S1\n", "S1\n! step 0\n");
        comes_to(id, &format!("{again}{again}").replace("\n<", "\n! step 0\n<"), Verdict::Skip);
    }

    #[test]
    fn a_code_that_came_rightly_too_may_be_redeemed() {
        let id = "login/wrong-state-is-refused";
        let both = concat!(
            answered!(),
            brings!("code=C1&state=other", "400"),
            brings!("code=C1&state=S1-0123456789-0123456789"),
            redeems!("C1")
        );
        comes_to(id, both, Verdict::Skip);
        comes_to(id, concat!(answered!(), brings!("code=C1&state=other", "unreachable")), Verdict::Skip);
        // Where none was sent, PKCE may do in its place.
        comes_to(
            id,
            concat!(asks!(""), sends_back!("code=C1"), brings!("code=C1&state=x"), redeems!("C1")),
            Verdict::Skip,
        );
        comes_to(id, concat!(answered!(), brings!("code=C1&state="), redeems!("C1")), Verdict::Fail);
        comes_to(
            "login/missing-state-is-refused",
            concat!(answered!(), brings!("code=C1&state=")),
            Verdict::Skip,
        );
    }

    #[test]
    fn a_login_that_failed_may_be_gone_on_with() {
        let id = "login/state-works-once";
        let second = concat!(
            asks!(),
            sends_back!("code=C2&state=S1-0123456789-0123456789"),
            brings!("code=C2&state=S1-0123456789-0123456789"),
        );
        let first = concat!(answered!(), brings!("code=C1&state=S1-0123456789-0123456789"));
        let failed = redeems!("C1" => "503");
        comes_to(id, &format!("{first}{failed}{second}{}", redeems!("C2")), Verdict::Skip);
        let gone = second.replace("200 You can close this page.", "unreachable");
        comes_to(id, &format!("{first}{}{gone}", redeems!("C1")), Verdict::Pass);
    }

    #[test]
    fn a_login_from_before_the_record_was_begun() {
        let id = "login/unsolicited-callback-is-refused";
        comes_to(id, concat!(brings!("code=C9"), redeems!("C9")), Verdict::Skip);
        comes_to(id, concat!(answered!(), brings!("code=C9"), redeems!("C9" => "400")), Verdict::Skip);
    }
}
