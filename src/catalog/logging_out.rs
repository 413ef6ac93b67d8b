//! How a client ends a session: it revokes what it was given, and uses it no more (RFC 7009).

use super::Cite::{Rfc, Salesforce};
use super::evidence::{is_server_request, is_sound, same_client};
use super::renewal::grants::{Grant, Grants, given, refresh_token};
use super::renewal::identity::is_of_another;
use super::resource::{ended, presented};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// What a program is told under `args` that is to log out when its calls are made.
const TOLD: (&str, &str) = ("ends", "log-out");

/// The redemption of a code by `main`, which gives A1 and R1, and a call.
macro_rules! session {
    () => {
        concat!(
            "= told ends log-out\n> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n",
            "< 200 {\"access_token\":\"A1\",\"refresh_token\":\"R1\"}\n> GET api\n> Authorization: Bearer A1\n< 200\n"
        )
    };
}

/// A revocation by `main` of this token, and its answer.
macro_rules! revoked {
    ($token:literal => $answer:literal) => {
        concat!("> POST revoke token=", $token, "&client_id=main&client_secret=s\n< ", $answer, "\n")
    };
}

/// Salesforce's page on revocation.
const REVOCATION: super::Cite = Salesforce("Revoke OAuth Tokens");

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "logging-out/refresh-token-is-revoked",
        title: "a client that logs out revokes its refresh token or, where it has none, its access token",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLV-01",
        cites: &[Rfc(7009, "2"), REVOCATION],
        explain: "A client that forgets its tokens has logged nobody out: the refresh token lives on at the server for months, in every \
            backup and log that it ever got into. Revoke it when the session ends. On Salesforce the revocation of a refresh token \
            ends the access tokens that came of it; the other way round the refresh token goes on. Judged where a program was told \
            to log out, was let in before, and was not killed.",
        passes: concat!(session!(), revoked!("R1" => "200")),
        fails: concat!(session!(), revoked!("A1" => "200")),
        judge: refresh_token_is_revoked,
    },
    Check {
        id: "logging-out/revocation-is-a-form-post",
        title: "a revocation is a POST with a form, and the token stands in its body",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLV-02",
        cites: &[Rfc(7009, "2.1"), Rfc(9700, "4.3.2")],
        explain: "RFC 7009 has the token in the body of a POST. Salesforce takes a GET with the token in the URL as well, and then it \
            stands in the access log of each proxy on the way, in the history of a browser and in the Referer of the next page. A \
            token that is revoked by then does no harm; one whose revocation failed does.",
        passes: concat!(session!(), revoked!("R1" => "200")),
        fails: concat!(session!(), "> GET revoke token=R1\n< 200\n"),
        judge: revocation_is_a_form_post,
    },
    Check {
        id: "logging-out/revoked-token-is-not-used",
        title: "no token is used after its revocation was answered, nor any that it took along",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLV-06",
        cites: &[Rfc(7009, "2.2"), Rfc(7009, "2.1")],
        explain: "A client may not use a token again once the server said that it is revoked. Whoever does has kept a copy: in a pool of \
            connections, in a worker that goes on, in the store of its next start. The calls fail, a refresh with the dead token may \
            be taken for theft, and the user who logged out sees work go on. End what is under way first, then revoke, then delete \
            the tokens wherever they are, whatever the answer is. With a refresh token its access tokens end too.",
        passes: concat!(
            session!(),
            revoked!("R1" => "200"),
            "> GET authorize response_type=code&client_id=main\n< 302\n"
        ),
        fails: concat!(
            session!(),
            revoked!("R1" => "200"),
            "+ 2s\n> GET api\n> Authorization: Bearer A1\n< 401\n"
        ),
        judge: revoked_token_is_not_used,
    },
    Check {
        id: "logging-out/unavailable-revocation-is-tried-again",
        title: "a revocation that is answered with 503 is tried again, no sooner than the answer says",
        binds: Party::Client,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "CLV-04",
        cites: &[Rfc(7009, "2.2.1"), Rfc(9110, "10.2.3")],
        explain: "503 means that nothing was revoked: the client has to assume that the token lives (RFC 7009 §2.2.1), and Retry-After \
            says when to come again. A client that takes any answer for the end leaves a living refresh token behind, and nobody \
            will look for it. Try again after the time that the server names, a few times, and tell whoever logged out if it never \
            came about.",
        passes: concat!(
            session!(),
            revoked!("R1" => "503\n< Retry-After: 2"),
            "+ 2s\n",
            revoked!("R1" => "200")
        ),
        fails: concat!(session!(), revoked!("R1" => "503\n< Retry-After: 2"), revoked!("R1" => "200")),
        judge: unavailable_revocation_is_tried_again,
    },
];

/// For how long a call may have been under way when its token was revoked, in milliseconds.
const IN_FLIGHT: i64 = 1000;

/// After how many tries of a revocation a client may leave it at that.
const A_FEW: usize = 3;

fn revocations(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    t.at(Endpoint::Revoke)
}

/// The token that a revocation names, wherever it does.
fn named(x: &Exchange) -> Option<&str> {
    x.request.form().get("token").or_else(|| x.request.query().get("token"))
}

fn is_told_to(t: &Transcript) -> bool {
    let (name, word) = TOLD;
    t.staged.values().any(|staged| staged.args.get(name).is_some_and(|told| told == word))
}

/// Whether a client had reason to refuse what an answer brought, and did not use it: that it need not end.
fn is_left(grant: &Grant<'_>, x: &Exchange) -> bool {
    let used = || grant.calls.iter().any(|y| presented(y) == x.text("access_token"));
    (!is_sound(x) || is_of_another(grant, x)) && !used()
}

/// The newest refresh token of a grant, or the newest access token of one that has none.
fn newest<'t>(grant: &Grant<'t>) -> Option<&'t str> {
    let answers = || grant.answers().filter(|x| !is_left(grant, x));
    let refresh = answers().filter_map(given).next_back();
    let known = grant.refreshes().filter_map(refresh_token).next_back();
    refresh.or(known).or_else(|| answers().next_back()?.text("access_token"))
}

fn refresh_token_is_revoked(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    if !is_told_to(t) || t.exchanges.iter().any(|x| x.response().is_none()) {
        return j;
    }
    let grants = Grants::of(t);
    for grant in grants.iter().filter(|grant| grant.calls.iter().any(|x| (200..300).contains(&x.status()))) {
        let (Some(token), Some(last)) = (newest(grant), grant.calls.last()) else { continue };
        // What the server ended itself needs no end.
        if grant.refreshes().last().is_some_and(|x| !x.granted()) {
            continue;
        }
        // Whoever refused what a refresh brought and logged in anew ends the session that it has.
        let anew = |other: &Grant<'_>| {
            other.origin.is_some_and(|login| login.began_after(last) && same_client(login, grant.requests[0]))
        };
        if grant.refreshes().any(|x| !is_sound(x) || is_left(grant, x)) && grants.iter().any(anew) {
            continue;
        }
        let mine: Vec<&Exchange> = revocations(t).filter(|x| same_client(x, grant.requests[0])).collect();
        // Which a server-to-server flow was not to bring, and who let it be has its access token to end.
        let unasked = |x: &Exchange| {
            grant.origin.is_some_and(is_server_request)
                && grant.answers().next_back().and_then(|y| y.text("access_token")) == named(x)
        };
        let done = mine.iter().find(|x| named(x) == Some(token) || unasked(x));
        match (done, mine.first()) {
            (Some(_), _) => j.pass(),
            (None, Some(other)) => j.fail(&[last, other], "the refresh token is revoked", "another token"),
            (None, None) => j.fail(&[last], "the refresh token is revoked", "no revocation"),
        }
    }
    j
}

fn revocation_is_a_form_post(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "a POST with a form that has the token";
    for x in revocations(t) {
        let form = x.request.header("content-type").is_none_or(|kind| kind.contains("x-www-form-urlencoded"));
        if x.request.query().get("token").is_some() {
            j.fail(&[x], expected, format!("a {} with the token in its URL", x.request.method));
        } else if x.request.method != "POST" || !form || named(x).is_none() {
            j.fail(&[x], expected, format!("a {} without such a form", x.request.method));
        } else {
            j.pass();
        }
    }
    j
}

fn revoked_token_is_not_used(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of_all(t);
    for x in revocations(t).filter(|x| x.status() == 200) {
        let Some(token) = named(x) else { continue };
        let of = |grant: &&Grant<'_>| {
            let tells = |y: &Exchange| y.text("refresh_token") == Some(token);
            let presents = |y: &Exchange| refresh_token(y) == Some(token);
            grant.answers().any(tells) || grant.refreshes().any(presents)
        };
        let along: Vec<&str> = match grants.iter().find(of) {
            Some(grant) => grant.answers().filter_map(|y| y.text("access_token")).collect(),
            None => Vec::new(),
        };
        let uses = |y: &&Exchange| {
            let late = y.at.saturating_sub(ended(x)) > IN_FLIGHT;
            let call = presented(y).is_some_and(|sent| sent == token || along.contains(&sent));
            let refresh = refresh_token(y) == Some(token);
            y.began_after(x) && (refresh || call && (late || !y.same_start(x)))
        };
        match t.after(x).find(uses) {
            Some(y) => j.fail(&[x, y], "no use of the token", "it is used once more"),
            None => j.pass(),
        }
    }
    j
}

fn unavailable_revocation_is_tried_again(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let unavailable: Vec<&Exchange> = revocations(t).filter(|x| x.status() == 503).collect();
    for (tries, &x) in unavailable.iter().enumerate() {
        let pause =
            x.response().and_then(|r| r.header("retry-after")?.trim().parse::<i64>().ok()).unwrap_or(0);
        let again = revocations(t).find(|y| y.began_after(x) && named(y) == named(x));
        let expected = format!("another try after {pause} s at the earliest");
        match again {
            // A second is how exactly both ends count.
            Some(y) if y.at - ended(x) >= pause * 1000 - 1000 && (pause <= 1 || y.at - ended(x) >= 500) => {
                j.pass()
            }
            Some(y) => j.fail(&[x, y], expected, format!("one after {} ms", y.at - ended(x))),
            // Of a server that does not come back somebody has to be told at last.
            None if tries + 1 >= A_FEW => {}
            None => j.fail(&[x], expected, "none"),
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use super::super::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn who_was_not_told_to_log_out_owes_no_revocation() {
        let id = "logging-out/refresh-token-is-revoked";
        comes_to(id, session!(), Verdict::Fail);
        comes_to(id, &session!().replace("= told ends log-out\n", ""), Verdict::Skip);
        let given = session!().replace(",\"refresh_token\":\"R1\"", "");
        comes_to(id, &format!("{given}{}", revoked!("A1" => "200")), Verdict::Pass);
        let refresh = "> POST token grant_type=refresh_token&refresh_token=R1&client_id=main&client_secret=s\n\
                       < 200 {\"access_token\":\"A2\",\"refresh_token\":\"R2\"}\n";
        let out = revoked!("R1" => "200");
        comes_to(id, &format!("{}{refresh}{out}", session!()), Verdict::Fail);
        let refused = refresh.replace("\"R2\"", "\"R2\",\"token_type\":\"mac\"");
        comes_to(id, &format!("{}{refused}{out}", session!()), Verdict::Pass);
        let used = "> GET api\n> Authorization: Bearer A2\n< 200\n";
        comes_to(id, &format!("{}{refused}{used}{out}", session!()), Verdict::Fail);
    }

    #[test]
    fn who_logged_in_anew_after_a_refresh_of_no_use_ends_that_session() {
        let id = "logging-out/refresh-token-is-revoked";
        let refresh = "> POST token grant_type=refresh_token&refresh_token=R1&client_id=main&client_secret=s\n\
                       < 200 {\"access_token\":\"A2\",\"error\":\"invalid_grant\"}\n";
        let anew = session!().replace("=C&", "=D&").replace("A1", "A3").replace("R1", "R3");
        let anew = anew.replace("= told ends log-out\n", "");
        let out = revoked!("R3" => "200");
        comes_to(id, &format!("{}{refresh}{anew}{out}", session!()), Verdict::Pass);
        let sound = refresh.replace(",\"error\":\"invalid_grant\"", "");
        comes_to(id, &format!("{}{sound}{anew}{out}", session!()), Verdict::Fail);
        let empty = refresh.replace("\"A2\",\"error\":\"invalid_grant\"", "\"\"");
        comes_to(id, &format!("{}{empty}{anew}{out}", session!()), Verdict::Pass);
        comes_to(id, &format!("{}{anew}{out}", session!()), Verdict::Fail);
    }

    #[test]
    fn what_speaks_of_another_user_is_left_and_what_was_there_before_is_ended() {
        let id = "logging-out/refresh-token-is-revoked";
        let of = |who: &str| {
            format!("! id_token {{\"claims\":{{\"iss\":\"https://org.example\",\"sub\":\"{who}\"}}}}\n")
        };
        let login = session!().replacen("> GET api", &format!("{}> GET api", of("u")), 1);
        let refresh = "> POST token grant_type=refresh_token&refresh_token=R1&client_id=main&client_secret=s\n\
                       < 200 {\"access_token\":\"A2\",\"refresh_token\":\"R2\"}\n";
        let out = |who: &str, token: &str| {
            let revoked = revoked!("R1" => "200").replace("R1", token);
            format!("{login}{refresh}{}{revoked}", of(who))
        };
        comes_to(id, &out("u", "R1"), Verdict::Fail);
        comes_to(id, &out("u", "R2"), Verdict::Pass);
        comes_to(id, &out("somebody-else", "R1"), Verdict::Pass);
    }

    #[test]
    fn who_was_given_a_refresh_token_unasked_ends_what_it_has() {
        let id = "logging-out/refresh-token-is-revoked";
        let session = session!().replace("authorization_code&code=C", "client_credentials");
        comes_to(id, &format!("{session}{}", revoked!("A1" => "200")), Verdict::Pass);
        comes_to(id, &format!("{session}{}", revoked!("R1" => "200")), Verdict::Pass);
        comes_to(id, &session, Verdict::Fail);
    }

    #[test]
    fn a_revocation_that_never_comes_about_is_left_after_a_few_tries() {
        let id = "logging-out/unavailable-revocation-is-tried-again";
        let tries =
            |n: usize| format!("{}{}", session!(), concat!(revoked!("R1" => "503"), "+ 1s\n").repeat(n));
        comes_to(id, &tries(2), Verdict::Fail);
        comes_to(id, &tries(3), Verdict::Pass);
    }

    #[test]
    fn a_call_that_was_under_way_is_none_afterwards() {
        let id = "logging-out/revoked-token-is-not-used";
        let call = "> GET api\n> Authorization: Bearer A1\n< 401\n";
        let out = concat!(session!(), revoked!("R1" => "200"));
        comes_to(id, &format!("{out}{call}"), Verdict::Pass);
        comes_to(id, &format!("{out}{}! step 1\n", call), Verdict::Fail);
        let failed = concat!(session!(), revoked!("R1" => "503"));
        comes_to(id, &format!("{failed}+ 5s\n{call}"), Verdict::Skip);
    }
}
