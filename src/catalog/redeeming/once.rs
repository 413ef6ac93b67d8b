//! How often a code is sent.

use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "redeeming/code-is-sent-once",
        title: "a code that was redeemed, or is being redeemed, is not sent again",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLT-04",
        cites: &[Rfc(6749, "4.1.2"), Rfc(6749, "10.5")],
        explain: "A client must not use a code more than once: to the server the second use is a theft, and it should revoke what the \
            first one brought. It happens where two handlers hear the same callback, where the user reloads the page, and where a \
            component that is rendered twice redeems in both. The tokens of the first redemption then die minutes later, for no \
            reason that anybody can see. Take the code out of the session when it is redeemed.",
        passes: concat!(login!(), redeem!()),
        fails: concat!(login!(), redeem!(), redeem!("400 {\"error\":\"invalid_grant\"}")),
        judge: code_is_sent_once,
    },
    Check {
        id: "redeeming/lost-answer-is-not-asked-for-again",
        title: "a code whose redemption had no answer is not sent again",
        binds: Party::Client,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "CLT-05",
        cites: &[Rfc(6749, "4.1.2")],
        explain: "When the connection breaks, the client does not know whether its code was redeemed. If it was, the second attempt is \
            refused with invalid_grant, and may revoke the tokens that nobody received; if it was not, it would have worked. Since \
            the client cannot tell, the safe way is a new login, which costs a redirect that the user hardly sees. HTTP libraries \
            that retry by themselves have to be told not to retry this POST.",
        passes: concat!(login!(), redeem!("nothing")),
        fails: concat!(login!(), redeem!("nothing"), redeem!("400 {\"error\":\"invalid_grant\"}")),
        judge: lost_answer_is_not_asked_for_again,
    },
    Check {
        id: "redeeming/dead-code-is-not-tried-again",
        title: "a code that was refused is not sent again",
        binds: Party::Client,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "CLT-21",
        cites: &[Rfc(6749, "5.2"), Rfc(6749, "4.1.2")],
        explain: "invalid_grant says that the code is used up, too old, or not this client's. It stays so. A client that tries the same \
            code again hears the same again, and one that does it in a loop locks itself out. Begin a new login, or tell the user \
            that this one failed; look at the clock, the redirect_uri and the client if it keeps failing.",
        passes: concat!(login!(), redeem!("400 {\"error\":\"invalid_grant\"}")),
        fails: concat!(
            login!(),
            redeem!("400 {\"error\":\"invalid_grant\"}"),
            redeem!("400 {\"error\":\"invalid_grant\"}")
        ),
        judge: dead_code_is_not_tried_again,
    },
    Check {
        id: "redeeming/refused-client-is-not-tried-again",
        title: "a redemption that was refused with invalid_client is not repeated",
        binds: Party::Client,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "CLT-22",
        cites: &[Rfc(6749, "5.2")],
        explain: "invalid_client is a fault of the configuration: a wrong or rotated secret, another app, a method that the app is not \
            registered with. The next attempt with the same values has the same answer, and burns the code if it gets that far. \
            Report it to whoever runs the client, with the error as the server told it, and do not send the user through another \
            login that must end the same way.",
        passes: concat!(login!(), redeem!("401 {\"error\":\"invalid_client\"}")),
        fails: concat!(
            login!(),
            redeem!("401 {\"error\":\"invalid_client\"}"),
            redeem!("401 {\"error\":\"invalid_client\"}")
        ),
        judge: refused_client_is_not_tried_again,
    },
];

/// Every redemption with its code, and the later ones of the same code.
fn repeated(t: &Transcript) -> Vec<(&Exchange, Vec<&Exchange>)> {
    let all: Vec<(&Exchange, String)> = redemptions(t).filter_map(|(x, code)| Some((x, code?))).collect();
    let later = |i: usize| {
        let (x, code) = &all[i];
        let same = |(y, other): &&(&Exchange, String)| other == code && same_client(x, y);
        all[i + 1..].iter().filter(same).map(|(y, _)| *y).collect()
    };
    (0..all.len()).filter(|i| !all[*i].1.is_empty()).map(|i| (all[i].0, later(i))).collect()
}

fn code_is_sent_once(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, later) in repeated(t) {
        let took = |y: &&&Exchange| (200..300).contains(&x.status()) || y.overlaps(x);
        match later.iter().find(took) {
            Some(y) => j.fail(&[x, y], "one request with this code", "another one"),
            None => j.pass(),
        }
    }
    j
}

fn lost_answer_is_not_asked_for_again(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, later) in repeated(t) {
        let lost = matches!(x.answer, Answer::Nothing(_));
        match later.iter().find(|y| y.began_after(x)).filter(|_| lost) {
            Some(y) => j.fail(&[x, y], "a new login", "the same code again"),
            None if lost => j.pass(),
            None => {}
        }
    }
    j
}

/// Judges redemptions that were refused with this error.
fn refused(t: &Transcript, error: &str, expected: &str) -> Judgement {
    let mut j = Judgement::new();
    for (x, later) in repeated(t) {
        if x.error().is_some_and(|told| told.error == error) {
            let same = |y: &Exchange| later.iter().any(|later| later.number == y.number);
            not_tried_again(&mut j, x, &again(t, x, same), expected);
        }
    }
    j
}

fn dead_code_is_not_tried_again(t: &Transcript) -> Judgement {
    refused(t, "invalid_grant", "a new login, or the end")
}

fn refused_client_is_not_tried_again(t: &Transcript) -> Judgement {
    refused(t, "invalid_client", "no further request with these credentials")
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn two_redemptions_at_the_same_time_are_two() {
        let id = "redeeming/code-is-sent-once";
        let both = concat!(
            login!(),
            redeem!(),
            "= hold\n",
            redeem!("400 {\"error\":\"invalid_grant\"}"),
            "= release\n"
        );
        comes_to(id, both, Verdict::Fail);
        let refused = concat!(login!(), redeem!("400 {\"error\":\"invalid_grant\"}"), redeem!());
        comes_to(id, refused, Verdict::Pass);
        let two = redeem!().replace("code=C", "code=D");
        comes_to(id, &format!("{}{}{two}", login!(), redeem!()), Verdict::Pass);
    }

    #[test]
    fn each_refusal_is_of_its_kind() {
        let grant = concat!(redeem!("400 {\"error\":\"invalid_grant\"}"), redeem!());
        comes_to("redeeming/refused-client-is-not-tried-again", grant, Verdict::Skip);
        comes_to("redeeming/lost-answer-is-not-asked-for-again", grant, Verdict::Skip);
        let later = grant.replacen("> POST", "+ 1s\n> POST", 1).replace("}\n> POST", "}\n+ 20s\n> POST");
        comes_to("redeeming/dead-code-is-not-tried-again", &later, Verdict::Inconclusive);
    }
}
