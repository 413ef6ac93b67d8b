//! Answers of a token endpoint that are none, come in pieces, or lie about the time.

use super::*;
use crate::transcript::NOTHING;
use crate::transcript::questions::moment;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "robustness/silent-server-is-given-up",
        title: "a server that accepts a request and says nothing, or stops in the middle, is given up within a minute",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLF-04",
        cites: &[Rfc(9110, "15.5.9"), Rfc(9112, "9.5")],
        explain: "A server can take the request and never answer, or send half of the answer and then nothing. Both need a limit: one \
            for the time until the first byte, and one for the whole, because a limit that begins anew with each byte lets a server \
            keep its client for ever. Many HTTP libraries have neither where it is not asked for. Judged is a host that saw for how \
            long the client waited.",
        passes: concat!(asks!("nothing"), "= hold\n+ 10s\n= release\n"),
        fails: concat!(asks!("nothing"), "= hold\n+ 90s\n= release\n"),
        judge: silent_server_is_given_up,
    },
    Check {
        id: "robustness/broken-answer-brings-no-token",
        title: "out of a token answer that breaks off no access token is taken",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLF-05",
        cites: &[Rfc(6749, "5.1"), Rfc(9112, "6.3")],
        explain: "An answer that ends too soon, or goes on after its end, is no JSON. What stands in it may be half of a token, or the \
            token of a server that failed while it wrote. A client that looks for access_token in the text, or whose parser is content \
            with the beginning, stores it and works with it until it is refused. Read the answer as a whole or not at all, and keep the \
            tokens that there were.",
        passes: concat!(
            asks!("200 {\"access_token\":\"00D-broken-off"),
            "+ 1s\n",
            asks!("200 {\"access_token\":\"A\"}"),
            "> GET api\n> Authorization: Bearer A\n< 200\n"
        ),
        fails: concat!(
            asks!("200 {\"access_token\":\"00D-broken-off"),
            "> GET api\n> Authorization: Bearer 00D-broken-off\n< 401\n"
        ),
        judge: broken_answer_brings_no_token,
    },
    Check {
        id: "robustness/page-is-no-token-answer",
        title: "a page that comes with 200 in place of a token answer is a failure, and no call is made with what is not in it",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLF-06",
        cites: &[Rfc(6749, "5.1")],
        explain: "Proxies, edges and maintenance windows answer with a page and status 200. A client that goes by the status alone reads \
            a member that is not there, and sends Bearer undefined, Bearer null or no header at all from then on, which looks like a \
            dead token and starts the next renewal. Take an answer for a token only where it is a JSON object with an access token in \
            it, and tell what came instead.",
        passes: concat!(
            asks!("200 <html>maintenance</html>"),
            "+ 1s\n",
            asks!("200 {\"access_token\":\"A\"}"),
            "> GET api\n> Authorization: Bearer A\n< 200\n"
        ),
        fails: concat!(
            asks!("200 <html>maintenance</html>"),
            "> GET api\n> Authorization: Bearer undefined\n< 401\n"
        ),
        judge: page_is_no_token_answer,
    },
    Check {
        id: "robustness/wrong-date-starts-no-renewals",
        title: "a server whose Date is far off starts no renewals",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLF-11",
        cites: &[Rfc(6749, "5.1"), Rfc(9110, "6.6.1")],
        explain: "expires_in is a number of seconds from the answer on, so that nobody's clock matters. A client that adds it to the \
            server's Date and compares the sum with its own clock finds every access token dead when the server is a day behind, and \
            renews before each call. Count from the moment of the answer by one's own clock, one that does not jump. It fails where \
            three renewals in a row come early although nothing was refused.",
        passes: concat!(
            dated!("R1" => "A2"),
            "> GET api\n> Authorization: Bearer A2\n< 200\n> GET api /b\n> Authorization: Bearer A2\n< 200\n"
        ),
        fails: concat!(
            dated!("R1" => "A2"),
            "> GET api\n> Authorization: Bearer A2\n< 200\n",
            dated!("R1" => "A3"),
            "> GET api\n> Authorization: Bearer A3\n< 200\n",
            dated!("R1" => "A4"),
            "> GET api\n> Authorization: Bearer A4\n< 200\n",
            dated!("R1" => "A5"),
            "> GET api\n> Authorization: Bearer A5\n< 200\n"
        ),
        judge: wrong_date_starts_no_renewals,
    },
];

/// How long a client may wait for an answer, in microseconds.
const LONGEST: u64 = 60_000_000;

/// The shortest text that is taken for a token.
const SHORTEST: usize = 8;

/// By how much a Date is far off, in milliseconds.
const FAR: i64 = 3_600_000;

/// How many early renewals in a row are no whim of a user.
const IN_A_ROW: usize = 3;

fn silent_server_is_given_up(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.exchanges.iter().filter(|x| x.action != "browser") {
        match &x.answer {
            Answer::Nothing(Failure::TimedOut(_)) if x.took <= LONGEST => j.pass(),
            Answer::Nothing(_) if x.took > LONGEST => {
                let observed = format!("it waited for {} s", x.took / 1_000_000);
                j.fail(&[x], "the client gives up within a minute", observed);
            }
            _ => {}
        }
    }
    j
}

/// Every token answer with 200 that has no token in it, with what was asked after it.
fn nonsense(t: &Transcript) -> impl Iterator<Item = (&Exchange, Vec<&Exchange>)> {
    let nonsense = |x: &&Exchange| x.status() == 200 && !x.granted() && x.error().is_none();
    t.at(Endpoint::Token).filter(nonsense).map(|x| (x, t.after(x).filter(|y| y.began_after(x)).collect()))
}

fn is_page(x: &Exchange) -> bool {
    let body = x.response().map_or("", |response| response.body.trim_start());
    let kind = x.response().and_then(|response| response.header("content-type")).unwrap_or("");
    body.starts_with('<') || kind.contains("html")
}

fn broken_answer_brings_no_token(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, later) in nonsense(t) {
        let body = x.response().map_or("", |response| response.body.as_str());
        if !body.contains("access_token") || is_page(x) {
            continue;
        }
        let known = |token: &str| t.origin_of_access_token(token).is_some();
        let taken = |y: &&&Exchange| {
            presented(y).is_some_and(|token| token.len() >= SHORTEST && body.contains(token) && !known(token))
        };
        match later.iter().find(taken) {
            Some(call) => j.fail(&[x, call], "no call with what stands in it", "it was taken for a token"),
            None if later.is_empty() => {
                j.unproved(&[x], "no call with what stands in it", "the record ends with it");
            }
            None => j.pass(),
        }
    }
    j
}

fn page_is_no_token_answer(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "no call without an access token";
    for (x, later) in nonsense(t).filter(|(x, _)| is_page(x)) {
        let without = |y: &&&Exchange| {
            let header = y.request.header("authorization").map(|value| value.split(' ').nth(1).unwrap_or(""));
            let nothing = header
                .is_none_or(|token| token.is_empty() || NOTHING.iter().any(|none| token.starts_with(none)));
            let guarded = matches!(y.endpoint, Endpoint::Resource | Endpoint::Userinfo);
            guarded && !is_soap(y) && nothing && let_in(y) == Some(false)
        };
        match later.iter().find(without) {
            Some(call) => j.fail(&[x, call], expected, "one with nothing in its place"),
            None if later.is_empty() => j.unproved(&[x], expected, "the record ends with it"),
            None => j.pass(),
        }
    }
    j
}

fn wrong_date_starts_no_renewals(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "renewals when the lifetime is over by the client's own clock";
    for grant in Grants::of(t).iter() {
        let far = |y: &Exchange| {
            let date = y.response().and_then(|response| response.header("date")).and_then(moment);
            date.is_some_and(|date| (date - y.at).abs() > FAR)
        };
        let mut row: Vec<&Exchange> = Vec::new();
        let mut used = false;
        for y in grant.answers().filter(|y| is_refresh(y) && far(y)) {
            let token = y.text("access_token");
            used |= grant.calls.iter().any(|c| presented(c) == token && let_in(c) == Some(true));
            let asked = |c: &&Exchange| {
                gives_reason(c)
                    && c.number < y.number
                    && row.last().is_none_or(|last| c.over_at > last.number)
            };
            let early = row.last().is_none_or(|last| y.at - ended(last) < FAR / 60);
            if grant.calls.iter().copied().any(|c| asked(&c)) || !early {
                row.clear();
            }
            row.push(y);
            if row.len() == IN_A_ROW + 1 {
                j.fail(&row, expected, "one before each call, with nothing refused");
            }
        }
        if used && row.len() <= IN_A_ROW {
            j.pass();
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn what_stands_in_an_answer_and_was_given_otherwise_is_a_token() {
        let id = "robustness/broken-answer-brings-no-token";
        let broken = asks!("200 {\"access_token\":\"00D-broken-off");
        let known = asks!("200 {\"access_token\":\"00D-broken-off\"}");
        let call = "> GET api\n> Authorization: Bearer 00D-broken-off\n< 200\n";
        comes_to(id, &format!("{broken}{known}{call}"), Verdict::Pass);
        comes_to(id, broken, Verdict::Inconclusive);
    }

    #[test]
    fn a_call_that_needs_no_token_may_have_none() {
        let id = "robustness/page-is-no-token-answer";
        let page = asks!("200 <html>");
        comes_to(id, &format!("{page}> GET api\n< 200\n"), Verdict::Pass);
        comes_to(id, &format!("{page}> GET api\n< 401\n"), Verdict::Fail);
        comes_to(id, page, Verdict::Inconclusive);
    }
}
