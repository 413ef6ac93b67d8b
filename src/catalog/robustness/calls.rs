//! Calls that fail for reasons of the server: a renewal cures none of them.

use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "robustness/unknown-status-goes-by-its-class",
        title: "a status that nobody knows is taken for the class that it belongs to, and starts no renewal",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLF-08",
        cites: &[Rfc(9110, "15")],
        explain: "A client need not know every status, but must understand its class: 299 is a success, 499 an error of the request, 599 \
            one of the server. One that treats all it does not know as a dead token renews for nothing and sends the call again, also \
            where it was done already. Look at the first digit where the number is not known.",
        passes: concat!(login!(), call!("A1" => "599"), call!("A1", "GET api /b" => "200")),
        fails: concat!(login!(), call!("A1" => "599"), refresh!("R1" => "A2"), call!("A2" => "599")),
        judge: unknown_status_goes_by_its_class,
    },
    Check {
        id: "robustness/failing-api-starts-no-renewal",
        title: "an API that fails with 5xx starts no renewal",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLF-12",
        cites: &[Rfc(9110, "15.6"), Rfc(6750, "3.1")],
        explain: "In a brown-out every fifth call fails, for reasons of the server. A client that renews for each of them adds a token \
            request and a repetition to every failed call, and throws a good access token away each time: the load grows when it should \
            shrink. A 5xx says nothing of the access token, but for the fault INVALID_SESSION_ID of the SOAP API. Try again later with \
            the same one, or give the error to the caller.",
        passes: concat!(login!(), call!("A1" => "503"), call!("A1", "GET api /b" => "200")),
        fails: concat!(login!(), call!("A1" => "503"), refresh!("R1" => "A2"), call!("A2" => "200")),
        judge: failing_api_starts_no_renewal,
    },
    Check {
        id: "robustness/broken-call-starts-no-login",
        title: "a call whose connection broke starts no renewal and no login",
        binds: Party::Client,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "CLF-16",
        cites: &[Rfc(9112, "9.3.1"), Rfc(9110, "9.2.2")],
        explain: "A server may close a connection that was kept open just as the next request goes out. That has nothing to do with \
            tokens: the call is sent once more over another connection, where its method allows that, or its error goes to the caller. \
            A client that renews or logs in to get on costs its user a login for each idle minute.",
        passes: concat!(login!(), call!("A1" => "nothing"), call!("A1" => "200")),
        fails: concat!(login!(), call!("A1" => "nothing"), refresh!("R1" => "A2"), call!("A2" => "200")),
        judge: broken_call_starts_no_login,
    },
];

/// Statuses that clients know: those that are registered, and some that everybody uses.
const KNOWN: [u16; 62] = [
    200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308, 400, 401,
    402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424, 425,
    426, 428, 429, 431, 440, 451, 494, 495, 499, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511,
];

fn unknown_status_goes_by_its_class(t: &Transcript) -> Judgement {
    let mut j = unrenewed(t, |x| !KNOWN.contains(&x.status()) && x.status() >= 400);
    for grant in Grants::of(t).iter() {
        let done = |x: &&&Exchange| (200..300).contains(&x.status()) && !KNOWN.contains(&x.status());
        for x in grant.calls.iter().filter(done) {
            let again = grant.calls.iter().find(|y| y.began_after(x) && same_call(x, y));
            match again {
                Some(again) if grant.is_sequential(again) && grant.refreshes().any(|y| y.began_after(x)) => {
                    j.fail(&[x, again], "a success", "the call once more, after a renewal");
                }
                Some(_) => {}
                None if t.after(x).next().is_some() => j.pass(),
                None => {}
            }
        }
    }
    j
}

fn failing_api_starts_no_renewal(t: &Transcript) -> Judgement {
    unrenewed(t, |x| x.status() >= 500 && KNOWN.contains(&x.status()) && !gives_reason(x))
}

fn broken_call_starts_no_login(t: &Transcript) -> Judgement {
    unrenewed(t, |x| x.response().is_none())
}

/// Whether no call that came to that led to a renewal or a login.
fn unrenewed(t: &Transcript, came_to: impl Fn(&Exchange) -> bool) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of(t);
    let expected = "no renewal";
    for grant in grants.iter() {
        for &x in grant.calls.iter().filter(|x| came_to(x) && !is_listed(t, x)) {
            let older =
                |c: &&Exchange| gives_reason(c) && c.over_at <= x.over_at && presented(c) == presented(x);
            let asks = |y: &&Exchange| {
                let soon = y.at <= ended(x).saturating_add(PROMPT) && y.number > x.number;
                y.began_after(x) && soon && y.same_start(x)
            };
            let renewal = grant.requests.iter().copied().find(|y| asks(y));
            let login = grants.logins(grant).find(|y| asks(y));
            let first = [renewal, login].into_iter().flatten().min_by_key(|y| y.number);
            let Some(first) = first else {
                let on = |y: &&&Exchange| y.began_after(x) && presented(y) == presented(x);
                if grant.calls.iter().any(|y| on(&y)) {
                    j.pass();
                }
                continue;
            };
            let between = |y: &&Exchange| y.number > x.number && y.number < first.number;
            let lifetime = grant.answers().any(|y| y.member("expires_in").is_some());
            if grant.calls.iter().copied().any(|c| older(&c) || between(&c)) {
                continue;
            }
            if grant.is_sequential(first) && !lifetime {
                j.fail(&[x, first], expected, "one, for a call that says nothing of the access token");
            } else {
                j.unproved(&[x, first], expected, "one, which may have another reason");
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
    fn a_renewal_may_have_another_reason() {
        let id = "robustness/failing-api-starts-no-renewal";
        let failing = concat!(login!(), call!("A1" => "503"));
        let renewed = refresh!("R1" => "A2");
        comes_to(id, &format!("{failing}+ 1m\n{renewed}"), Verdict::Skip);
        comes_to(id, &format!("{failing}{}{renewed}", call!("A1" => "401")), Verdict::Skip);
        let soap = concat!(login!(), soap!("A1" => dead), refresh!("R1" => "A2"));
        comes_to(id, soap, Verdict::Skip);
        comes_to(id, &failing.replace("\"scope\":\"api\"", "\"expires_in\":60"), Verdict::Skip);
    }

    #[test]
    fn a_success_that_nobody_knows_is_one() {
        let id = "robustness/unknown-status-goes-by-its-class";
        let done = concat!(login!(), call!("A1" => "299"));
        comes_to(id, &format!("{done}{}", call!("A1", "GET api /b" => "200")), Verdict::Pass);
        comes_to(id, &format!("{done}{}{}", refresh!("R1" => "A2"), call!("A2" => "299")), Verdict::Fail);
    }
}
