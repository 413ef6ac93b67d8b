//! The history of access tokens: whether any order of events in the client explains what it sent.

use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[Check {
    id: "renewal/calls-use-a-live-access-token",
    title: "after a renewal, every call uses an access token that was live at some moment while the call was under way",
    binds: Party::Client,
    level: Level::Must,
    basis: Basis::Derived,
    origin: "CLR-39",
    cites: &[Rfc(9700, "4.14"), Rfc(6750, "3.1")],
    explain: "Whatever threads, pools and caches a client has, from outside it must look as if its access token stood in one place: \
        a renewal writes it, a call reads it. Then every call that begins when a renewal is over uses a token that is live. A call \
        that presents one which was refused before it began, and whose successor was there already, has read a copy: a header that \
        was set once, a worker with a snapshot, a write that came too late. The finding shows the fewest events that prove it: the \
        refusal, the renewal, the call, and a use of the new token where the answer might still have been on its way.",
    passes: concat!(
        login!(),
        call!("A1" => "401"),
        refresh!("R1" => "A2"),
        call!("A2" => "200 []"),
        call!("A2", "GET api /b" => "200 []")
    ),
    fails: concat!(
        login!(),
        call!("A1" => "401"),
        refresh!("R1" => "A2"),
        call!("A2" => "200 []"),
        call!("A1", "GET api /b" => "401")
    ),
    judge: calls_use_a_live_access_token,
}];

fn calls_use_a_live_access_token(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "an access token that is live while the call is under way";
    for grant in Grants::of(t).iter() {
        for &z in &grant.calls {
            let token = presented(z);
            // One that is started again without a place for its tokens begins with those of the login.
            let knows = |y: &Exchange| t.may_know(z, y);
            let newer =
                |y: &&Exchange| z.began_after(y) && grant.is_newer(token, y.text("access_token")) && knows(y);
            // The last renewal that was over when the call began, and had brought something newer.
            let Some(renewal) = grant.answers().rfind(newer) else {
                if grant.refreshes().any(|y| y.granted() && z.began_after(y) && knows(y)) {
                    j.pass();
                }
                continue;
            };
            // Dead from the first refusal on; before that it may have lived, whatever was granted since.
            let Some(&dead) = grant.calls.iter().find(|c| is_dead(c) && presented(c) == token) else {
                j.pass();
                continue;
            };
            if !z.began_after(dead) {
                j.pass();
                continue;
            }
            // Whether the client is known to have had the new token: a call with it was answered, or it does one thing after
            // the other, or the answer is long there.
            let uses = |w: &&&Exchange| {
                z.began_after(w) && w.began_after(renewal) && grant.is_newer(token, presented(w))
            };
            let used = grant.calls.iter().find(uses).copied();
            let late = !within(z, renewal, IN_FLIGHT);
            match used {
                Some(used) if late || grant.is_sequential(z) => {
                    j.fail(&[dead, renewal, used, z], expected, "one that is known to be dead");
                }
                // A program that was ended before it read the answer would hardly be at the same call again so soon.
                None if is_sound(renewal)
                    && grant.is_sequential(z)
                    && within(z, renewal, PROMPT)
                    && same_call(dead, z) =>
                {
                    j.fail(&[dead, renewal, z], expected, "one that is known to be dead");
                }
                _ => {
                    let observed =
                        "one that is known to be dead, but the new one may not have reached the client";
                    j.unproved(&[dead, renewal, z], expected, observed);
                }
            }
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::Verdict;

    const ID: &str = "renewal/calls-use-a-live-access-token";

    #[test]
    fn a_token_that_nobody_refused_may_live_beside_its_successor() {
        let early = concat!(login!(), refresh!("R1" => "A2"), call!("A2" => "200"), call!("A1" => "200"));
        comes_to(ID, early, Verdict::Pass);
        comes_to(ID, concat!(login!(), call!("A1" => "200")), Verdict::Skip);
    }

    #[test]
    fn what_is_under_way_when_the_answer_comes_proves_nothing() {
        let begin = concat!(login!(), both_refused!("A1"), refresh!("R1" => "A2"));
        let old = call!("A1", "GET api /c" => "401");
        comes_to(ID, &format!("{begin}{old}"), Verdict::Inconclusive);
        let used = call!("A2", "GET api /a" => "200");
        comes_to(ID, &format!("{begin}{used}{old}"), Verdict::Inconclusive);
        comes_to(ID, &format!("{begin}{used}+ 1s\n{old}"), Verdict::Fail);
        // Answers that come at once show no overlap of what is done at a time.
        let quick = concat!(login!(), call!("A1" => "401"), refresh!("R1" => "A2"), call!("A2" => "200"));
        comes_to(ID, &format!("{quick}{old}"), Verdict::Fail);
        comes_to(ID, &format!("= concurrency 2\n{quick}{old}"), Verdict::Inconclusive);
        // A program that was ended before it read the answer knows nothing of it.
        comes_to(ID, &format!("{begin}+ 1m\n{old}"), Verdict::Inconclusive);
    }

    #[test]
    fn who_is_started_again_without_a_place_for_tokens_begins_with_the_old_ones() {
        let begin = concat!(
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => "A2"),
            call!("A2" => "200 []"),
            "+ 1m\n",
            call!("A1", "GET api /b" => "401"),
            "! step 1\n"
        );
        comes_to(ID, &format!("= store\n{begin}"), Verdict::Fail);
        comes_to(ID, &format!("= told ends work\n{begin}"), Verdict::Pass);
        let again = format!("{begin}{}! step 1\n", refresh!("R1" => "A3"));
        let again = format!("= told ends work\n{again}{}! step 1\n", call!("A3" => "200 []"));
        comes_to(ID, &again, Verdict::Pass);
        comes_to(ID, &format!("{again}{}! step 1\n", call!("A1", "GET api /c" => "401")), Verdict::Fail);
    }

    #[test]
    fn an_answer_that_a_client_may_refuse_brought_it_nothing() {
        let renewed = |members: &str| {
            let answer = format!("200 {{\"access_token\":\"A2\"{members}}}");
            let refresh = refresh!("R1" => raw "200 {}").replace("200 {}", &answer);
            format!("{}{}{refresh}{}", login!(), call!("A1" => "401"), call!("A1" => "401"))
        };
        comes_to(ID, &renewed(""), Verdict::Fail);
        comes_to(ID, &renewed(",\"error\":\"invalid_grant\""), Verdict::Inconclusive);
        comes_to(ID, &renewed(",\"token_type\":\"mac\""), Verdict::Inconclusive);
    }

    #[test]
    fn the_finding_shows_the_fewest_events() {
        let record = concat!(
            login!(),
            call!("A1", "GET api /1" => "200"),
            call!("A1", "GET api /2" => "401"),
            refresh!("R1" => "A2"),
            call!("A2", "GET api /3" => "200"),
            call!("A2", "GET api /4" => "200"),
            call!("A1", "GET api /5" => "401")
        );
        let judged = judge_one(find(ID).unwrap(), &script::read(record));
        assert_eq!(judged.findings[0].exchanges, [2, 3, 4, 6]);
    }
}
