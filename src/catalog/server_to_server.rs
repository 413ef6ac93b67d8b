//! Client credentials, as a client owes them: asked for once, kept, and not asked for again where asking cannot help
//! (RFC 6749 §4.4).

use super::Cite::{Rfc, Salesforce};
use super::evidence::{again, needless, not_tried_again, one_at_a_time, same_client, server_requests};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::oauth::grant::client_credentials::GRANT_TYPE;
use crate::oauth::grant::refresh_token;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// A request of `main` and its answer: an access token, or what is given.
macro_rules! grant {
    ($token:literal) => {
        grant!(raw concat!("200 {\"access_token\":\"", $token, "\"}"))
    };
    (raw $answer:expr) => {
        concat!(
            "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n! secret right\n< ",
            $answer, "\n"
        )
    };
}

/// A call with this access token, and its answer.
macro_rules! call {
    ($token:literal, $path:literal => $answer:literal) => {
        concat!("> GET api ", $path, "\n> Authorization: Bearer ", $token, "\n< ", $answer, "\n")
    };
}

const FLOW: super::Cite = Salesforce("OAuth 2.0 Client Credentials Flow for Server-to-Server Integration");

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "server-to-server/request-is-an-authenticated-form",
        title: "client credentials are asked for in a form that is posted, with one client authentication",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLS-01",
        cites: &[Rfc(6749, "4.4.2"), Rfc(6749, "2.3")],
        explain: "The grant is the client's own: without authentication it would be anybody's. The request is a POST with a form body, \
            grant_type=client_credentials and the way of authentication that the app is registered with, at the token endpoint of \
            the configured My Domain; the login hosts of Salesforce refuse it. Parameters in the URL stand in the logs of every \
            host on the way, the secret among them.",
        passes: grant!("A1"),
        fails: "> POST token grant_type=client_credentials&client_id=main\n< 400 {\"error\":\"invalid_client\"}\n",
        judge: request_is_an_authenticated_form,
    },
    Check {
        id: "server-to-server/access-token-is-kept",
        title: "an access token is kept and used until it is refused or its time is over",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLS-02",
        cites: &[Rfc(6749, "4.4"), FLOW],
        explain: "A client that asks for a token before each call works, doubles the time of every call, and spends the login rate of \
            the integration user: Salesforce stops at 3600 logins an hour, for all of its jobs at once. Keep the token with the \
            session and renew it on 401, or when the expires_in that came with it is over. The check counts grants whose token \
            nobody refused before the next was asked for; a single one may be a program that was started again.",
        passes: concat!(grant!("A1"), call!("A1", "/a" => "200"), call!("A1", "/b" => "200")),
        fails: concat!(
            grant!("A1"),
            call!("A1", "/a" => "200"),
            grant!("A2"),
            call!("A2", "/b" => "200"),
            grant!("A3"),
            call!("A3", "/c" => "200")
        ),
        judge: access_token_is_kept,
    },
    Check {
        id: "server-to-server/first-callers-share-one-grant",
        title: "callers that find no access token yet share one request for it",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLS-03",
        cites: &[Rfc(9700, "4.14"), FLOW],
        explain: "When a service starts, its first hundred requests come at once, and none of them finds a token. Each that asks for \
            itself is a login: a restart of all instances becomes a storm at the token endpoint, and the login rate is gone before \
            the first call. Let the first caller ask and the others wait for what it brings, as with a renewal. A second request \
            a good while after the first may be of a caller that gave up waiting.",
        passes: concat!(
            grant!("A1"),
            call!("A1", "/a" => "200"),
            "= hold\n",
            call!("A1", "/b" => "200"),
            "= release\n"
        ),
        fails: concat!(grant!("A1"), "= hold\n", grant!("A2"), "= release\n"),
        judge: first_callers_share_one_grant,
    },
    Check {
        id: "server-to-server/refresh-token-is-not-used",
        title: "a refresh token that comes with client credentials is not used",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLS-04",
        cites: &[Rfc(6749, "4.4.3")],
        explain: "The answer to client credentials should have no refresh token, since the client can ask again at any time. Where one \
            comes all the same, from a proxy or after an upgrade, a client that takes it up changes from a flow that always works to \
            one that ends: the token rotates, expires, is revoked with the next deployment, and then there is nobody to log in. \
            Ignore it, and ask for a new grant.",
        passes: concat!(
            grant!(raw "200 {\"access_token\":\"A1\",\"refresh_token\":\"R1\"}"),
            call!("A1", "/a" => "401"),
            grant!("A2")
        ),
        fails: concat!(
            grant!(raw "200 {\"access_token\":\"A1\",\"refresh_token\":\"R1\"}"),
            call!("A1", "/a" => "401"),
            "> POST token grant_type=refresh_token&refresh_token=R1&client_id=main&client_secret=s\n< 400 {\"error\":\"invalid_grant\"}\n"
        ),
        judge: refresh_token_is_not_used,
    },
    Check {
        id: "server-to-server/refused-credentials-are-not-tried-again",
        title: "credentials that were refused are not sent again",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLS-05",
        cites: &[Rfc(6749, "5.2")],
        explain: "invalid_client says that the secret or the client is wrong, and the next attempt will hear the same. A client that \
            treats it like an outage, and tries again with a growing pause, fails for minutes where it could have said at once what \
            has to be done, and looks like somebody who guesses secrets. Report it as a fault of the configuration and stop; the \
            secret may have been rotated in Setup.",
        passes: grant!(raw "400 {\"error\":\"invalid_client\"}"),
        fails: concat!(
            grant!(raw "400 {\"error\":\"invalid_client\"}"),
            grant!(raw "400 {\"error\":\"invalid_client\"}")
        ),
        judge: refused_credentials_are_not_tried_again,
    },
    Check {
        id: "server-to-server/what-setup-forbids-is-not-tried-again",
        title: "an app without a run-as user, and a flow that is switched off, are reported and not tried again",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLS-06",
        cites: &[FLOW, Rfc(6749, "5.2")],
        explain: "\"no client credentials user enabled\" and \"client credentials flow not enabled\" are two check boxes in Setup, and \
            unauthorized_client is the RFC's word for the like. No repetition ticks them. A client that retries hides the sentence \
            that says what to do under a hundred others. Pass error and description on to whoever runs the client, and stop.",
        passes: grant!(raw "400 {\"error\":\"invalid_grant\",\"error_description\":\"no client credentials user enabled\"}"),
        fails: concat!(
            grant!(raw "400 {\"error\":\"unauthorized_client\"}"),
            grant!(raw "400 {\"error\":\"unauthorized_client\"}")
        ),
        judge: what_setup_forbids_is_not_tried_again,
    },
];

fn is_ours(x: &Exchange) -> bool {
    x.grant_type() == Some(GRANT_TYPE)
}

fn requests(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    server_requests(t).filter(|x| is_ours(x) && !x.is_at_stranger())
}

fn request_is_an_authenticated_form(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "a posted form with one client authentication";
    for x in requests(t) {
        let form = x.request.form();
        let sent = |name| form.get(name).is_some_and(|value| !value.is_empty());
        let ways = usize::from(sent("client_secret"))
            + usize::from(sent("client_assertion"))
            + usize::from(x.facts.basic_client_id.is_some());
        if x.request.method != "POST" || form.get("grant_type").is_none() {
            j.fail(&[x], expected, "parameters elsewhere");
        } else if let Some(name) = form.repeated() {
            j.fail(&[x], expected, format!("{name} more than once"));
        } else if ways != 1 {
            j.fail(&[x], expected, if ways == 0 { "none".to_owned() } else { format!("{ways} of them") });
        } else {
            j.pass();
        }
    }
    j
}

fn access_token_is_kept(t: &Transcript) -> Judgement {
    kept(t, is_ours)
}

/// Judges that tokens of such grants are used as long as they are good.
pub(super) fn kept(t: &Transcript, of: impl Fn(&Exchange) -> bool) -> Judgement {
    let mut j = Judgement::new();
    let expected = "the access token that is there, until it is refused";
    match needless(t, of) {
        (pairs, _) if pairs.len() > 1 => {
            let (first, second) = pairs[0];
            let observed = format!("a new one {} times, with nothing refused", pairs.len());
            j.fail(&[first, second, pairs[1].1], expected, observed);
        }
        (pairs, _) if pairs.len() == 1 => {
            j.unproved(&[pairs[0].0, pairs[0].1], expected, "a new one, which may be of another start");
        }
        (_, true) => j.pass(),
        _ => {}
    }
    j
}

fn first_callers_share_one_grant(t: &Transcript) -> Judgement {
    one_at_a_time(t, is_ours)
}

fn refresh_token_is_not_used(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let refreshes = |token: &str| {
        let of = move |x: &&Exchange, token: &str| x.param("refresh_token") == Some(token);
        t.requests_of(refresh_token::GRANT_TYPE).find(|x| of(x, token))
    };
    for x in requests(t).filter(|x| x.granted()) {
        let Some(token) = x.text("refresh_token").filter(|token| !token.is_empty()) else { continue };
        if let Some(y) = refreshes(token) {
            j.fail(&[x, y], "a new grant", "a refresh");
        } else if requests(t).any(|y| y.began_after(x) && same_client(x, y)) {
            j.pass();
        }
    }
    j
}

/// Judges requests whose refusal says this.
fn refused(t: &Transcript, expected: &str, says: impl Fn(&str, &str) -> bool) -> Judgement {
    let mut j = Judgement::new();
    for x in requests(t) {
        let Some(error) = x.error().filter(|_| !x.granted()) else { continue };
        if !says(&error.error, error.description.as_deref().unwrap_or("")) {
            continue;
        }
        let same = |y: &Exchange| is_ours(y) && y.endpoint == Endpoint::Token && same_client(x, y);
        not_tried_again(&mut j, x, &again(t, x, same), expected);
    }
    j
}

fn refused_credentials_are_not_tried_again(t: &Transcript) -> Judgement {
    refused(t, "no further request with these credentials", |error, _| error == "invalid_client")
}

fn what_setup_forbids_is_not_tried_again(t: &Transcript) -> Judgement {
    const SETUP: [&str; 2] = ["no client credentials user enabled", "client credentials flow not enabled"];
    refused(t, "no further request until somebody changed the setup", |error, description| {
        error == "unauthorized_client" || SETUP.iter().any(|text| description.contains(text))
    })
}

#[cfg(test)]
mod tests {
    use crate::catalog::find;
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn a_grant_is_one_way_of_authentication_in_a_form() {
        let id = "server-to-server/request-is-an-authenticated-form";
        let good = grant!("A1");
        for (from, to) in
            [("POST", "GET"), ("! secret right\n", "! basic main\n"), ("=s\n", "=s&client_id=main\n")]
        {
            comes_to(id, &good.replace(from, to), Verdict::Fail);
        }
        let basic = good.replace("&client_secret=s", "").replace("! secret right\n", "! basic main\n");
        comes_to(id, &basic, Verdict::Pass);
    }

    #[test]
    fn a_token_that_was_refused_or_is_over_is_not_kept() {
        let id = "server-to-server/access-token-is-kept";
        let fails = find(id).unwrap().fails;
        comes_to(
            id,
            &fails.replace("/a\n> Authorization: Bearer A1\n< 200", "/a\n> Authorization: Bearer A1\n< 401"),
            Verdict::Inconclusive,
        );
        comes_to(id, &fails.replace("< 200\n>", "< 401\n>"), Verdict::Skip);
        let told = fails.replace("\"}", "\",\"expires_in\":60}");
        comes_to(id, &told, Verdict::Skip);
    }

    #[test]
    fn a_refresh_token_that_nothing_followed_shows_nothing() {
        let id = "server-to-server/refresh-token-is-not-used";
        comes_to(id, grant!(raw "200 {\"access_token\":\"A1\",\"refresh_token\":\"R1\"}"), Verdict::Skip);
        comes_to(id, concat!(grant!("A1"), grant!("A2")), Verdict::Skip);
    }

    #[test]
    fn each_refusal_is_of_its_kind() {
        let (credentials, setup) = (
            "server-to-server/refused-credentials-are-not-tried-again",
            "server-to-server/what-setup-forbids-is-not-tried-again",
        );
        let twice = find(credentials).unwrap().fails;
        comes_to(setup, twice, Verdict::Skip);
        comes_to(credentials, find(setup).unwrap().fails, Verdict::Skip);
        let (first, _) = twice.split_at(twice.len() / 2);
        comes_to(credentials, &format!("{first}+ 20s\n{first}"), Verdict::Inconclusive);
    }
}
