//! Renewals that no refusal asked for: ahead of time, towards the end of a lifetime.

use super::super::resource::ended;
use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[Check {
    id: "renewal/renewal-ahead-comes-towards-the-end",
    title: "a renewal ahead of time comes towards the end of the access token's lifetime, and not at every call",
    binds: Party::Client,
    level: Level::Should,
    basis: Basis::Derived,
    origin: "CLR-26",
    cites: &[Rfc(6749, "5.1")],
    explain: "expires_in lets a client renew before a call is refused. Done right this happens once for each lifetime, in its last \
        part, a little earlier or later for each client so that not all come at once. A client that reads seconds for milliseconds, \
        or takes a lifetime that was not told for none at all, finds every access token expired and renews before each call: twice \
        the requests, and the login rate of the user is gone in an hour. Salesforce tells no lifetime at all. It fails where three \
        renewals in a row come in the first half of the lifetime, or within a minute where none was told, and nothing was refused.",
    passes: concat!(
        login!("{\"access_token\":\"A1\",\"refresh_token\":\"R1\",\"expires_in\":300}"),
        call!("A1" => "200"),
        "+ 280s\n",
        refresh!("R1" => raw "200 {\"access_token\":\"A2\",\"expires_in\":300}"),
        call!("A2" => "200")
    ),
    fails: concat!(
        login!(),
        refresh!("R1" => "A2"),
        call!("A2" => "200"),
        refresh!("R1" => "A3"),
        call!("A3" => "200"),
        refresh!("R1" => "A4"),
        call!("A4" => "200")
    ),
    judge: renewal_ahead_comes_towards_the_end,
}];

/// How many in a row are no whim of a user.
const IN_A_ROW: usize = 3;

/// Within how long of the last one a renewal is early where no lifetime was told, in milliseconds.
const EARLY: i64 = 60_000;

/// The lifetime that an answer tells, in milliseconds.
fn lifetime(x: &Exchange) -> Option<i64> {
    let told = x.member("expires_in")?;
    let seconds = told.as_f64().or_else(|| told.as_str()?.trim().parse().ok())?;
    Some((seconds * 1000.0) as i64)
}

fn renewal_ahead_comes_towards_the_end(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for grant in Grants::of(t).iter() {
        let mut row: Vec<&Exchange> = Vec::new();
        for y in grant.refreshes().filter(|y| y.granted()) {
            let Some(last) = grant.answers().rfind(|x| y.began_after(x)) else { continue };
            let token = last.text("access_token");
            let refused =
                |c: &&Exchange| let_in(c) != Some(true) && c.over_at > last.number && c.number < y.number;
            if grant.calls.iter().copied().any(|c| refused(&c)) || !last.same_start(y) {
                row.clear();
                continue;
            }
            let age = y.at - ended(last);
            let early = age < lifetime(last).map_or(EARLY, |lifetime| lifetime / 2);
            if !early {
                row.clear();
                // Without a lifetime there is nothing that it could be ahead of.
                if lifetime(last).is_some() {
                    j.pass();
                }
                continue;
            }
            // What nobody used was not renewed for a call.
            if !is_refresh(last) || grant.calls.iter().any(|c| presented(c) == token) {
                row.push(y);
            }
            if row.len() == IN_A_ROW {
                let expected = "a renewal in the last part of the lifetime";
                j.fail(&row, expected, format!("{IN_A_ROW} in a row, with nothing refused between them"));
            }
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    const ID: &str = "renewal/renewal-ahead-comes-towards-the-end";

    #[test]
    fn now_and_then_a_renewal_may_be_early() {
        let once = concat!(login!(), refresh!("R1" => "A2"), call!("A2" => "200"));
        comes_to(ID, once, Verdict::Skip);
        let next = |n: u32| refresh!("R1" => "A3").replace("A3", &format!("A{n}"));
        let calls = |n: u32| format!("{}{}", next(n), call!("A3" => "200").replace("A3", &format!("A{n}")));
        let all = |pause: &str| (3..9).map(|n| format!("{pause}{}", calls(n))).collect::<String>();
        comes_to(ID, &format!("{once}{}", all("")), Verdict::Fail);
        comes_to(ID, &format!("{once}{}", all("+ 2m\n")), Verdict::Skip);
        let refused = (3..9).map(|n| format!("{}{}", call!("A2" => "401"), next(n))).collect::<String>();
        comes_to(ID, &format!("{once}{refused}"), Verdict::Skip);
    }
}
