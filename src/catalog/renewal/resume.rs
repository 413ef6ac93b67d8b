//! Work in several calls, and calls that must not be done twice.

use super::super::resource::is_soap;
use super::*;
use crate::oauth::Endpoint;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "renewal/paging-goes-on-where-it-stopped",
        title: "a refusal in the middle of the pages of a result does not send the client back to the first",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Community,
        origin: "CLR-33",
        cites: &[Rfc(9110, "9.2.2"), Community("jsforce issue 1656")],
        explain: "A query with many records comes in pages, each of which names the next (nextRecordsUrl). An access token that dies \
            between two of them costs one renewal, and the page that was refused is asked for again. A client whose repetition wraps \
            the whole query begins at the first page: records come twice, or those of the refused page never. Renew around the single \
            request and keep the position.",
        passes: concat!(paged!(), call!("A2", "GET api /query/01g-2" => "200 {\"done\":true}")),
        fails: concat!(
            paged!(),
            call!("A2", "GET api /query q=all" => "200 {\"done\":false,\"nextRecordsUrl\":\"/query/01g-2\"}")
        ),
        judge: paging_goes_on_where_it_stopped,
    },
    Check {
        id: "renewal/post-is-not-doubled",
        title: "a POST whose connection broke is not sent again unasked, and one that was refused is done once",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLR-34",
        cites: &[Rfc(9110, "9.2.2")],
        explain: "A POST that was refused with 401 has done nothing, so it is repeated after the renewal, once. One whose connection \
            broke may have been done: whoever sends it again creates the record twice, and nobody sees an error. RFC 9110 asks clients \
            not to repeat such a method by themselves unless they know that it does no harm. Give the broken connection to the caller, \
            or send a key that makes the repetition harmless (Idempotency-Key, an external id). Calls of the SOAP API and calls with \
            such a key are not judged, and neither is one that the client makes again and again anyway.",
        passes: concat!(
            login!(),
            call!("A1", "POST api /data a=1" => "nothing"),
            call!("A1", "POST api /data a=2" => "201")
        ),
        fails: concat!(
            login!(),
            call!("A1", "POST api /data a=1" => "nothing"),
            call!("A1", "POST api /data a=1" => "201")
        ),
        judge: post_is_not_doubled,
    },
];

/// The answer of a page that named this one as the next.
fn named_by<'t>(grant: &Grant<'t>, x: &Exchange) -> Option<&'t Exchange> {
    let names = |a: &&&Exchange| {
        a.number < x.number && a.text("nextRecordsUrl").is_some_and(|next| x.request.url.ends_with(next))
    };
    grant.calls.iter().rfind(names).copied()
}

fn paging_goes_on_where_it_stopped(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "the page that was refused, with the new access token";
    for grant in Grants::of(t).iter() {
        for &page in grant.calls.iter().filter(|c| is_dead(c)) {
            let Some(mut first) = named_by(grant, page) else { continue };
            while let Some(earlier) = named_by(grant, first) {
                first = earlier;
            }
            let newer = |r: &&&Exchange| r.began_after(page) && grant.is_newer(presented(page), presented(r));
            let mut after = grant.calls.iter().filter(newer);
            let Some(next) = after.clone().find(|r| same_call(page, r) || same_call(first, r)) else {
                continue;
            };
            if same_call(page, next) {
                j.pass();
            } else if grant.is_sequential(next) && !after.any(|r| r.number < next.number) {
                j.fail(&[first, page, next], expected, "the first page once more");
            } else {
                j.unproved(&[first, page, next], expected, "the first page, perhaps for another caller");
            }
        }
    }
    j
}

/// Whether a call changes something each time that it is done.
fn changes(x: &Exchange) -> bool {
    let keyed = x.request.header("idempotency-key").is_some();
    x.endpoint == Endpoint::Resource && x.request.method == "POST" && !is_soap(x) && !keyed
}

fn post_is_not_doubled(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for grant in Grants::of(t).iter() {
        let posts: Vec<&Exchange> = grant.calls.iter().copied().filter(|x| changes(x)).collect();
        for (i, x) in posts.iter().enumerate() {
            let same = |y: &&Exchange| y.number != x.number && same_call(x, y);
            if posts[..i].iter().any(same) {
                continue;
            }
            let again: Vec<&Exchange> = posts[i..].iter().copied().filter(|y| same(y)).collect();
            if x.response().is_none() {
                match again.first() {
                    Some(again) if again.began_after(x) => {
                        j.fail(&[x, again], "no repetition by itself", "the same call once more");
                    }
                    Some(again) => j.unproved(&[x, again], "no repetition by itself", "two of them at once"),
                    None if t.after(x).any(|y| y.began_after(x)) => j.pass(),
                    None => {}
                }
            } else if is_dead(x) {
                let done: Vec<&Exchange> =
                    again.iter().copied().filter(|y| let_in(y) == Some(true) && y.began_after(x)).collect();
                match done.as_slice() {
                    [] => {}
                    [_] => j.pass(),
                    [one, two, ..] => j.fail(&[x, one, two], "one repetition", "it was done twice"),
                }
            }
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn the_first_page_may_be_asked_for_by_somebody_else() {
        let id = "renewal/paging-goes-on-where-it-stopped";
        let other = call!("A2", "GET api /other" => "200");
        let first = call!("A2", "GET api /query q=all" => "200");
        comes_to(id, &format!("{}{other}{first}", paged!()), Verdict::Inconclusive);
        comes_to(id, &format!("{}{other}", paged!()), Verdict::Skip);
    }

    #[test]
    fn what_may_be_done_twice_is_not_judged() {
        let id = "renewal/post-is-not-doubled";
        let broken = call!("A1", "POST api /data a=1" => "nothing");
        let keyed = broken.replace("\n<", "\n> Idempotency-Key: k\n<");
        comes_to(id, &format!("{}{keyed}{keyed}", login!()), Verdict::Skip);
        let usual = call!("A1", "POST api /data a=1" => "201");
        comes_to(id, &format!("{}{usual}{broken}{usual}", login!()), Verdict::Skip);
        let again = format!("= told ends work\n{}{broken}{broken}", login!());
        comes_to(id, &again, Verdict::Fail);
        comes_to(id, &format!("{again}! step 1\n"), Verdict::Pass);
        let read = call!("A1", "GET api /data" => "nothing");
        comes_to(id, &format!("{}{read}{read}", login!()), Verdict::Skip);
        let renewed = concat!(
            login!(),
            call!("A1", "POST api /data a=1" => "401"),
            refresh!("R1" => "A2"),
            call!("A2", "POST api /data a=1" => "201")
        );
        comes_to(id, renewed, Verdict::Pass);
        comes_to(id, &format!("{renewed}{}", call!("A2", "POST api /data a=1" => "201")), Verdict::Fail);
    }
}
