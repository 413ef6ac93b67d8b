//! Grants without a refresh token.

use super::repeat::refused_beside;
use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "renewal/no-refresh-without-a-refresh-token",
        title: "a client without a refresh token answers a refusal with no refresh request and no endless repetition",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Community,
        origin: "CLR-18",
        cites: &[Rfc(6749, "1.5"), Rfc(6749, "6"), Community("jsforce issue 1170")],
        explain: "Without the scope refresh_token (or offline_access) the web server flow gives an access token alone. When that ends \
            there is nothing to renew with, and the only cure is a new login. A client that sends a refresh without a token, or \
            the refused call over and over, hides this behind invalid_request or a hanging program. Tell the user to log in again, \
            and look for the missing scope in the app and in the authorization request. Whether five refusals of one call are \
            five calls or one that is repeated, a record cannot tell; nothing fails then.",
        passes: concat!(login!("{\"access_token\":\"A1\"}"), call!("A1" => "200"), call!("A1" => "401")),
        fails: concat!(
            login!("{\"access_token\":\"A1\"}"),
            call!("A1" => "401"),
            refresh!("" => error "invalid_request")
        ),
        judge: no_refresh_without_a_refresh_token,
    },
    Check {
        id: "renewal/server-to-server-asks-for-a-new-grant",
        title: "in a server-to-server flow a refusal leads to one new grant and never to a refresh",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-19",
        cites: &[Rfc(7521, "4.1"), Rfc(6749, "4.4.3")],
        explain: "JWT bearer, SAML bearer and client credentials give no refresh token: the client has what it needs to ask again, and \
            renewal is a new grant. A client that was written for the web server flow sends an empty refresh here, or gives up until \
            it is started again; one that lets every caller ask for itself spends the login rate of the user. On 401 ask once, with a \
            fresh assertion, for all callers, and repeat their calls.",
        passes: concat!(grant!("A1"), call!("A1" => "401"), grant!("A2"), call!("A2" => "200")),
        fails: concat!(grant!("A1"), call!("A1" => "401"), refresh!("" => error "invalid_request")),
        judge: server_to_server_asks_for_a_new_grant,
    },
];

/// How often one call may be refused with one access token before it looks like a loop.
const CALLS: usize = 5;

/// The refresh that a client sent when a call had been refused: one without a refresh token, or with another token of
/// the grant in its place.
fn wrong_refresh<'t>(grants: &Grants<'t>, grant: &Grant<'t>, call: &Exchange) -> Option<&'t Exchange> {
    let misused = |x: &Exchange| {
        refresh_token(x).is_some_and(|token| {
            let own = |y: &Exchange| y.text("access_token") == Some(token) || y.param("code") == Some(token);
            grant.answers().any(own)
        })
    };
    let empty = grants.empty_refreshes(grant);
    let misused = grants.t.exchanges.iter().filter(|x| misused(x));
    empty.chain(misused).filter(|x| x.began_after(call)).min_by_key(|x| x.number)
}

/// Says what a refresh without a refresh token proves.
fn tell(
    j: &mut Judgement,
    grants: &Grants<'_>,
    grant: &Grant<'_>,
    call: &Exchange,
    wrong: &Exchange,
    expected: &str,
) {
    if grants.is_only(grant, wrong) || refresh_token(wrong).is_some() {
        j.fail(&[call, wrong], expected, "a refresh without a refresh token");
    } else {
        j.unproved(
            &[call, wrong],
            expected,
            "a refresh without a refresh token, which may be of another grant",
        );
    }
}

fn no_refresh_without_a_refresh_token(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of(t);
    let expected = "no refresh, and a new login";
    for grant in grants.iter().filter(|grant| grant.never_had_one()) {
        if grant.origin.and_then(Exchange::grant_type) != Some("authorization_code") {
            continue;
        }
        let Some(&call) = grant.calls.iter().find(|c| is_dead(c)) else { continue };
        if let Some(wrong) = wrong_refresh(&grants, grant, call) {
            tell(&mut j, &grants, grant, call, wrong, expected);
            continue;
        }
        let times = |x: &Exchange| {
            let again = |y: &&&Exchange| is_dead(y) && same_call(x, y) && presented(x) == presented(y);
            grant.calls.iter().filter(again).filter(|y| y.number == x.number || y.began_after(x)).count()
        };
        match grant.calls.iter().filter(|x| is_dead(x)).map(|x| times(x)).max() {
            Some(many) if many >= CALLS => {
                j.unproved(&[call], expected, format!("the same call {many} times, each of them refused"));
            }
            _ => j.pass(),
        }
    }
    j
}

fn server_to_server_asks_for_a_new_grant(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of(t);
    let expected = "one new grant, and the call once more";
    for grant in grants.iter().filter(|grant| grant.never_had_one()) {
        let kind = grant.origin.and_then(Exchange::grant_type).unwrap_or("");
        if kind != "client_credentials" && !kind.ends_with("-bearer") {
            continue;
        }
        for &call in grant.calls.iter().filter(|c| is_dead(c)) {
            if let Some(wrong) = wrong_refresh(&grants, grant, call) {
                tell(&mut j, &grants, grant, call, wrong, expected);
                break;
            }
            let Some(new) = grant.requests.iter().find(|x| x.began_after(call)) else {
                let again = |x: &&&Exchange| {
                    let prompt = within(x, call, IN_FLIGHT) && !grant.is_sequential(x);
                    x.began_after(call) && presented(x) == presented(call) && is_dead(x) && !prompt
                };
                // A call that came late, with a token that was renewed by then, is the matter of another check.
                let renewed =
                    grant.answers().any(|y| grant.is_newer(presented(call), y.text("access_token")));
                // Who asks in a flow of another kind, or for a subject that the record does not name, renews as well.
                let asked = grants
                    .logins(grant)
                    .any(|x| x.over_at > call.number && !grant.answers().any(|y| y.number == x.number));
                if let Some(again) = grant.calls.iter().find(again).filter(|_| !asked && !renewed) {
                    j.fail(
                        &[call, again],
                        expected,
                        "the dead access token was sent again, and nothing was asked for",
                    );
                }
                continue;
            };
            // Who was refused with the same access token shares it, and so the renewal.
            let beside = grant.requests.iter().find(|y| y.overlaps(new) && y.began_after(call));
            match beside.filter(|_| refused_beside(grant, call)) {
                Some(other) if (other.at - new.at).abs() > PROMPT => {
                    let observed =
                        "two requests for it at the same time, but the first may have been given up";
                    j.unproved(&[call, new, other], expected, observed);
                }
                Some(other) => {
                    j.fail(&[call, new, other], expected, "two requests for it at the same time");
                    break;
                }
                None => j.pass(),
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
    fn a_grant_that_was_given_up_is_none_beside_the_next() {
        let id = "renewal/server-to-server-asks-for-a-new-grant";
        let grant = "> POST token grant_type=client_credentials&client_id=main\n";
        let refused = |path: &str| format!("> GET api {path}\n> Authorization: Bearer A1\n< 401\n");
        let begin = format!(
            "{grant}< 200 {{\"access_token\":\"A1\"}}\n= race\n{}{}= end\n",
            refused("/a"),
            refused("/b")
        );
        let again = format!("{grant}< 200 {{\"access_token\":\"A2\"}}\n");
        let beside = |gone: &str| format!("{begin}{grant}< nothing\n= hold\n+ {gone}\n{again}= release\n");
        comes_to(id, &beside("10s"), Verdict::Inconclusive);
        comes_to(id, &beside("0s"), Verdict::Fail);
    }

    #[test]
    fn the_refresh_of_another_user_is_none_of_this_grant() {
        let id = "renewal/no-refresh-without-a-refresh-token";
        let other = login!().replace("A1", "B1").replace("code=C", "code=D");
        let begin = format!("{}{other}{}", login!("{\"access_token\":\"A1\"}"), call!("A1" => "401"));
        comes_to(id, &format!("{begin}{}", refresh!("R1" => "B2")), Verdict::Pass);
        comes_to(id, &format!("{begin}{}", refresh!("null" => error "invalid_grant")), Verdict::Inconclusive);
        let loops = format!("{}{}", login!("{\"access_token\":\"A1\"}"), call!("A1" => "401").repeat(5));
        comes_to(id, &loops, Verdict::Inconclusive);
        let token = concat!(
            login!("{\"access_token\":\"A1\"}"),
            call!("A1" => "401"),
            refresh!("A1" => error "invalid_grant")
        );
        comes_to(id, token, Verdict::Fail);
    }

    #[test]
    fn two_subjects_ask_beside_each_other() {
        let id = "renewal/server-to-server-asks-for-a-new-grant";
        let other = |access: &str| {
            let grant = grant!("A9").replace("A9", access);
            grant.replace("client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer").replace(
                "! secret right",
                "! assertion {\"claims\":{\"iss\":\"main\",\"sub\":\"other@example.com\"}}",
            )
        };
        let begin = format!("{}{}{}", grant!("A1"), other("B1"), both_refused!("A1"));
        let beside = |second: &str| format!("{begin}{}= hold\n{second}= release\n", grant!("A2"));
        comes_to(id, &beside(&other("B2")), Verdict::Pass);
        comes_to(id, &beside(grant!("A3")), Verdict::Fail);
    }

    #[test]
    fn callers_that_come_late_are_served_by_the_grant_of_the_first() {
        let id = "renewal/server-to-server-asks-for-a-new-grant";
        let late = concat!(call!("A1" => "401"), call!("A1" => "401"));
        let record = format!("{}{}{}{late}", grant!("A1"), call!("A1" => "401"), grant!("A2"));
        comes_to(id, &format!("{record}{}", call!("A2" => "200")), Verdict::Pass);
    }

    #[test]
    fn a_dead_token_is_not_sent_on_and_on() {
        let id = "renewal/server-to-server-asks-for-a-new-grant";
        comes_to(id, concat!(grant!("A1"), call!("A1" => "401")), Verdict::Skip);
        comes_to(id, concat!(grant!("A1"), call!("A1" => "401"), call!("A1" => "401")), Verdict::Fail);
    }
}
