//! What a client owes Salesforce besides what the RFCs say.

use std::collections::BTreeSet;

use super::Cite::{Community, Rfc, Salesforce};
use super::evidence::{
    PROMPT, again, is_bearer_request, is_server_request, prompted, renews, same_client, server_requests,
};
use super::resource::{calls, ended, presented};
use super::server_to_server::kept;
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::oauth::salesforce::Profile;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// A server-to-server grant of `main` with these parameters, which brings A1 or another token.
macro_rules! grant {
    () => {
        grant!("", "A1")
    };
    ($params:literal, $token:literal) => {
        concat!(
            "> POST token grant_type=client_credentials&client_id=main&client_secret=s",
            $params,
            "\n! secret right\n< 200 {\"access_token\":\"",
            $token,
            "\"}\n"
        )
    };
}

/// A call with this access token and its answer.
macro_rules! call {
    ($answer:literal) => {
        call!("A1" => $answer)
    };
    ($token:literal => $answer:literal) => {
        concat!("> GET api /a\n> Authorization: Bearer ", $token, "\n< ", $answer, "\n")
    };
}

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "towards-salesforce/login-is-shared",
        title: "a client does not log in anew where the access token that it has would do",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLW-06",
        cites: &[
            Salesforce("Login Rate Limits"),
            Salesforce("OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration"),
        ],
        explain: "Each JWT, SAML and client credentials grant is a login: it stands in the login history, counts against the 3600 an hour \
            that a user has, and ends the oldest session where too many are open. Workers that each log in, and jobs that log in for \
            each record, lock one another out at the worst time. Share the token among workers, through a cache that they all see, \
            and ask anew when it is refused. A single further grant may be another start of the program.",
        passes: concat!("= salesforce\n", grant!(), call!("200"), call!("200")),
        fails: concat!(
            "= salesforce\n",
            grant!(),
            call!("200"),
            grant!("", "A2"),
            call!("A2" => "200"),
            grant!("", "A3"),
            call!("A3" => "200")
        ),
        judge: login_is_shared,
    },
    Check {
        id: "towards-salesforce/request-limit-is-respected",
        title: "REQUEST_LIMIT_EXCEEDED is not answered with the same call at once, nor with a new login",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLW-07",
        cites: &[Salesforce("REST API: Status Codes and Error Responses")],
        explain: "403 with REQUEST_LIMIT_EXCEEDED says that the org has used up its calls for today. Each further call fails the same way, \
            for every integration of the org, and a new login does not help: the limit is the org's. Stop, or wait for minutes, and \
            say so; the count comes down hour by hour over 24 hours. A client that tries each call three times makes the outage \
            three times as long.",
        passes: concat!(
            grant!(),
            call!("403 [{\"errorCode\":\"REQUEST_LIMIT_EXCEEDED\",\"message\":\"x\"}]")
        ),
        fails: concat!(
            grant!(),
            call!("403 [{\"errorCode\":\"REQUEST_LIMIT_EXCEEDED\",\"message\":\"x\"}]"),
            call!("403 [{\"errorCode\":\"REQUEST_LIMIT_EXCEEDED\",\"message\":\"x\"}]"),
            call!("403 [{\"errorCode\":\"REQUEST_LIMIT_EXCEEDED\",\"message\":\"x\"}]")
        ),
        judge: request_limit_is_respected,
    },
    Check {
        id: "towards-salesforce/errors-are-read-in-both-shapes",
        title: "an expired session is understood in an array of errors and in a single object",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLW-08",
        cites: &[Salesforce("REST API: Status Codes and Error Responses")],
        explain: "Salesforce's REST API writes errors as an array of objects with errorCode and message; other APIs of the same org, and \
            the OAuth endpoints, write one object. A client that indexes the array breaks on the object, and the other way round, \
            and the one thing that it had to do, renew a dead session, does not happen. Read both, or decide by the status. The \
            check looks at 401 answers whose body is a single object.",
        passes: concat!(
            grant!(),
            call!("401 {\"errorCode\":\"INVALID_SESSION_ID\",\"message\":\"Session expired or invalid\"}"),
            grant!("", "A2")
        ),
        fails: concat!(
            grant!(),
            call!("401 {\"errorCode\":\"INVALID_SESSION_ID\",\"message\":\"Session expired or invalid\"}"),
            call!("200")
        ),
        judge: errors_are_read_in_both_shapes,
    },
    Check {
        id: "towards-salesforce/maintenance-is-no-reason-to-log-in",
        title: "a page of maintenance in place of an answer starts no login and no renewal",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLW-09",
        cites: &[Salesforce("Trust: Maintenance")],
        explain: "While an instance is maintained, its edge answers 502, 503 or 504 with a page. The session is as good as before. A client \
            that cannot read the page, drops its token and logs in, adds a login storm to the end of every maintenance, and a failed \
            login where the login host is down as well. Take a 5xx for what it is: wait, try the call again a few times, and tell \
            people that the org is not there.",
        passes: concat!(grant!(), call!("503 <html>We are down for maintenance</html>"), call!("200")),
        fails: concat!(grant!(), call!("503 <html>We are down for maintenance</html>"), grant!("", "A2")),
        judge: maintenance_is_no_reason_to_log_in,
    },
    Check {
        id: "towards-salesforce/unknown-app-is-no-hot-loop",
        title: "a refusal because the app is not known yet is not answered with requests in a loop",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Community,
        origin: "CLW-10",
        cites: &[Community("SFDX mass action scheduler issue 29")],
        explain: "A connected app that was just made or changed is known to all servers after some minutes; until then its requests are \
            refused with invalid_client_id or a word like it. To wait is right, and a bounded poll with pauses of many seconds is \
            fine. A loop without a pause brings the answer no sooner, and runs into the login rate when the app is finally there. \
            The check fails where three more requests follow within two seconds.",
        passes: "> POST token grant_type=client_credentials&client_id=main\n< 400 {\"error\":\"invalid_client_id\"}\n+ 1m\n\
            > POST token grant_type=client_credentials&client_id=main\n< 200 {\"access_token\":\"A1\"}\n",
        fails: "> POST token grant_type=client_credentials&client_id=main\n< 400 {\"error\":\"invalid_client_id\"}\n\
            > POST token grant_type=client_credentials&client_id=main\n< 400 {\"error\":\"invalid_client_id\"}\n\
            > POST token grant_type=client_credentials&client_id=main\n< 400 {\"error\":\"invalid_client_id\"}\n\
            > POST token grant_type=client_credentials&client_id=main\n< 400 {\"error\":\"invalid_client_id\"}\n",
        judge: unknown_app_is_no_hot_loop,
    },
    Check {
        id: "towards-salesforce/no-scope-in-server-grants",
        title: "a JWT bearer, SAML bearer or client credentials request at Salesforce has no scope parameter",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLW-15",
        cites: &[Salesforce("OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration"), Rfc(6749, "3.3")],
        explain: "Salesforce grants these flows the scopes of the app, or of the user's earlier approval, and refuses a request that names \
            any: invalid_request, scope parameter not supported. Generic libraries send the configured scope with every grant. Leave \
            it empty for Salesforce, and choose the scopes in the app.",
        passes: concat!("= salesforce\n", grant!()),
        fails: concat!("= salesforce\n", grant!("&scope=api", "A1")),
        judge: no_scope_in_server_grants,
    },
];

fn login_is_shared(t: &Transcript) -> Judgement {
    match t.subject.profile {
        Profile::Salesforce => kept(t, is_server_request),
        Profile::Rfc => Judgement::new(),
    }
}

fn request_limit_is_respected(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let says = |x: &Exchange| x.response().is_some_and(|r| r.body.contains("REQUEST_LIMIT_EXCEEDED"));
    for x in calls(t).filter(|x| x.status() == 403 && says(x)) {
        let same = |y: &Exchange| {
            y.endpoint == x.endpoint && y.request.method == x.request.method && y.request.url == x.request.url
        };
        // Calls that it was told to make may all be of one URL.
        let alike = |y: &&Exchange| y.endpoint == x.endpoint && y.request.method == x.request.method;
        let urls: BTreeSet<&str> = calls(t).filter(alike).map(|y| y.request.url.as_str()).collect();
        let of_one_url = if urls.len() > 1 { 1 } else { usize::try_from(t.calls()).unwrap_or(1).max(1) };
        let soon = |y: &&&Exchange| y.at.saturating_sub(ended(x)) <= PROMPT;
        let repeated: Vec<&Exchange> = again(t, x, same);
        let soon: Vec<&&Exchange> = repeated.iter().filter(soon).collect();
        let login = prompted(t, x).filter(|y| y.param("refresh_token").is_none());
        if let Some(y) = login {
            j.fail(&[x, y], "no login: the limit is the org's", "a new login");
        } else if let ([first, second, ..], true) = (&soon[..], t.processes() > 1) {
            let observed = "the same call, perhaps of other processes and after a renewal";
            j.unproved(&[x, first, second], "a pause, or the end", observed);
        } else if let Some([first, .., second]) = soon.get(..2 * of_one_url) {
            j.fail(&[x, first, second], "a pause, or the end", "the same call again and again");
        } else if let [first, ..] = soon[..] {
            let last = repeated.len() == 1 && t.after(first).next().is_none();
            if !last || !says(first) {
                j.pass();
            }
        } else {
            j.pass();
        }
    }
    j
}

fn errors_are_read_in_both_shapes(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in calls(t).filter(|x| x.status() == 401 && presented(x).is_some()) {
        let code = x.text("errorCode").or(x.text("error"));
        if matches!(code, Some("INVALID_SESSION_ID" | "invalid_token")) {
            renews(&mut j, t, x, "a renewal: the object says that the session is over");
        }
    }
    j
}

fn maintenance_is_no_reason_to_log_in(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in calls(t).filter(|x| matches!(x.status(), 502..=504) && presented(x).is_some()) {
        if x.response().is_none_or(|response| response.json().is_some()) {
            continue;
        }
        match prompted(t, x) {
            Some(y) => {
                j.fail(&[x, y], "no token request: the session is as good as before", "a token request")
            }
            None => j.pass(),
        }
    }
    j
}

fn unknown_app_is_no_hot_loop(t: &Transcript) -> Judgement {
    const UNKNOWN: [&str; 3] = ["invalid_client_id", "app_not_found", "client identifier invalid"];
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Token) {
        let told = x.error().map(|error| error.one_line()).unwrap_or_default();
        if !UNKNOWN.iter().any(|word| told.contains(word)) {
            continue;
        }
        // Who was let in meanwhile has another reason.
        let known = t.at(Endpoint::Token).find(|y| y.began_after(x) && y.granted() && same_client(x, y));
        let same = |y: &Exchange| {
            let soon = y.at.saturating_sub(ended(x)) <= 2 * PROMPT
                && known.is_none_or(|known| y.number <= known.number);
            y.endpoint == Endpoint::Token && y.grant_type() == x.grant_type() && same_client(x, y) && soon
        };
        match again(t, x, same)[..] {
            [first, second, third, ..] => {
                j.fail(&[x, first, second, third], "a pause, or the end", "three more at once");
            }
            _ => j.pass(),
        }
    }
    j
}

fn no_scope_in_server_grants(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    if t.subject.profile == Profile::Salesforce {
        for x in server_requests(t) {
            let kind = if is_bearer_request(x) { "an assertion" } else { "client credentials" };
            match x.param("scope") {
                Some(_) => j.fail(&[x], "no scope parameter", format!("scope beside {kind}")),
                None => j.pass(),
            }
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::find;
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn other_servers_have_other_rules() {
        comes_to("towards-salesforce/no-scope-in-server-grants", grant!("&scope=api", "A1"), Verdict::Skip);
        let many = find("towards-salesforce/login-is-shared").unwrap().fails;
        comes_to("towards-salesforce/login-is-shared", &many.replace("= salesforce\n", ""), Verdict::Skip);
    }

    #[test]
    fn a_login_at_the_limit_is_one_too_many() {
        let id = "towards-salesforce/request-limit-is-respected";
        let limit = call!("403 [{\"errorCode\":\"REQUEST_LIMIT_EXCEEDED\",\"message\":\"x\"}]");
        comes_to(id, &format!("{}{limit}{}", grant!(), grant!("", "A2")), Verdict::Fail);
        comes_to(id, &format!("{}{limit}+ 5m\n{}", grant!(), grant!("", "A2")), Verdict::Pass);
        comes_to(id, &format!("{}{}{limit}{}", grant!(), call!("401"), grant!("", "A2")), Verdict::Pass);
        comes_to(id, &format!("{}{limit}+ 5m\n{limit}+ 5m\n{limit}", grant!()), Verdict::Pass);
        // Three calls of one URL, beside one that was made of another.
        let post = |limit: &str| limit.replace("GET api", "POST api");
        let three = format!("{}{}{}", post(limit), post(call!("201")), post(call!("201")));
        comes_to(id, &format!("= calls 3\n{}{}{three}", grant!(), call!("200")), Verdict::Pass);
    }

    #[test]
    fn who_was_let_in_meanwhile_has_another_reason_to_ask() {
        let id = "towards-salesforce/unknown-app-is-no-hot-loop";
        let unknown = grant!()
            .replace("200 ", "400 ")
            .replace("access_token", "error")
            .replace("A1", "invalid_client_id");
        comes_to(id, &format!("{unknown}{}", unknown.repeat(3)), Verdict::Fail);
        comes_to(id, &format!("{unknown}{}", grant!().repeat(3)), Verdict::Pass);
    }

    #[test]
    fn each_start_and_each_process_meets_the_limit_by_itself() {
        let id = "towards-salesforce/request-limit-is-respected";
        let limit = call!("403 [{\"errorCode\":\"REQUEST_LIMIT_EXCEEDED\",\"message\":\"x\"}]");
        let three = format!("{}{}", grant!(), limit.repeat(3));
        comes_to(id, &format!("= told ends work\n{three}"), Verdict::Fail);
        comes_to(id, &format!("= calls 3\n{three}"), Verdict::Pass);
        comes_to(id, &format!("= calls 3\n{three}{three}{limit}"), Verdict::Fail);
        comes_to(id, &format!("= processes 3\n{three}"), Verdict::Pass);
        let more = format!("= processes 3\n{three}{}", limit.repeat(2));
        comes_to(id, &more, Verdict::Inconclusive);
        let starts = format!("{}{limit}{limit}! step 1\n{limit}! step 2\n", grant!());
        comes_to(id, &format!("= told ends work\n{starts}"), Verdict::Pass);
    }

    #[test]
    fn who_is_started_again_asks_because_it_begins() {
        let id = "towards-salesforce/maintenance-is-no-reason-to-log-in";
        let fails = find(id).unwrap().fails;
        comes_to(id, &format!("= told ends work\n{fails}"), Verdict::Fail);
        comes_to(id, &format!("= told ends work\n{fails}! step 1\n"), Verdict::Pass);
    }

    #[test]
    fn a_page_of_maintenance_is_a_page() {
        let id = "towards-salesforce/maintenance-is-no-reason-to-log-in";
        let fails = find(id).unwrap().fails;
        comes_to(id, &fails.replace("<html>We are down for maintenance</html>", "{}"), Verdict::Skip);
        comes_to(id, &fails.replace("503", "400"), Verdict::Skip);
    }

    #[test]
    fn an_array_is_the_usual_shape() {
        let id = "towards-salesforce/errors-are-read-in-both-shapes";
        let array = concat!(grant!(), call!("401 [{\"errorCode\":\"INVALID_SESSION_ID\"}]"), call!("200"));
        comes_to(id, array, Verdict::Skip);
    }
}
