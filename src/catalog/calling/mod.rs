//! Calls with an access token: how it is sent, and to whom (RFC 6750 §2, §5).

use super::Cite::Rfc;
use super::evidence::{holds, prompted, renews};
use super::resource::{calls, presented};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::oauth::salesforce::Profile;
use crate::transcript::questions::{is_loopback, origin, same_origin};
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// Client credentials of `main`, which give A1.
macro_rules! grant {
    () => {
        "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n! secret right\n< 200 {\"access_token\":\"A1\"}\n"
    };
}

/// A call with A1 and its answer.
macro_rules! call {
    ($answer:literal) => {
        call!("/a" => $answer)
    };
    ($path:literal => $answer:literal) => {
        concat!("> GET api ", $path, "\n> Authorization: Bearer A1\n< ", $answer, "\n")
    };
}

pub(super) mod refusals;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "calling/token-is-in-the-bearer-header",
        title: "an access token is sent in the Authorization header, under the scheme Bearer, and nowhere else",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLX-01",
        cites: &[Rfc(6750, "2"), Rfc(6750, "2.1")],
        explain: "Every resource server takes the header, and none has to take anything else. A request that has the token in two places \
            breaks RFC 6750 outright; another scheme is not read at all, and a 401 follows that no renewal cures. Salesforce also \
            takes its old scheme OAuth. A token in a form body alone weighs less: the RFC has it for clients that cannot set a \
            header. Set Authorization: Bearer, and nothing besides.",
        passes: concat!(grant!(), call!("200")),
        fails: concat!(grant!(), "> GET api /a\n> Authorization: Token A1\n< 401\n"),
        judge: token_is_in_the_bearer_header,
    },
    Check {
        id: "calling/token-stays-out-of-urls",
        title: "no URL has an access token in it",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLX-02",
        cites: &[Rfc(9700, "4.3.2"), Rfc(6750, "2.3")],
        explain: "URLs stand in the logs of servers and proxies, in the history of browsers, and in the Referer of the next request. An \
            access token in one is an access token in all of them, for as long as it lives. Send it in the header. On Salesforce that \
            also speaks against opening a browser at frontdoor.jsp?sid= with an API token: the one-time URL of singleaccess does the \
            same without it.",
        passes: concat!(grant!(), call!("200")),
        fails: concat!(grant!(), "> GET api access_token=A1\n< 200\n"),
        judge: token_stays_out_of_urls,
    },
    Check {
        id: "calling/token-goes-to-its-own-hosts",
        title: "an access token is sent to hosts of its own server, and over TLS",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLX-03",
        cites: &[Rfc(6750, "5.2"), Rfc(6750, "5.3")],
        explain: "Whoever receives a bearer token can use it. A client sends it to the host that it is for, after it has checked the \
            certificate of that host, and to no other, whatever an answer, a link or a redirect names. A loopback address does \
            without TLS. Keep the list of hosts that a token may go to beside the token, fill it from the configuration, and look \
            into it before each request. What may be exchanged for such a token, a refresh token or a code, stays with its server \
            alike. A host counts as strange if the record knows that it is; one that the token response itself \
            named is judged apart.",
        passes: concat!(grant!(), call!("200")),
        fails: concat!(grant!(), call!("200"), "! stranger https://rogue.example\n"),
        judge: token_goes_to_its_own_hosts,
    },
    Check {
        id: "calling/redirect-takes-no-token-along",
        title: "a redirect to another host does not take the access token along",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLX-04",
        cites: &[Rfc(9110, "15.4"), Rfc(6750, "5.3")],
        explain: "An API may redirect, to where an org moved or to a file. HTTP libraries differ in what they do with Authorization then: \
            most drop it when the host changes, some only where the header was set by their own means, and hand-written loops keep \
            it. Follow redirects within the host, and across hosts only without the token, or with one that the new host was looked \
            up for.",
        passes: concat!(grant!(), call!("302\n< Location: https://rogue.example/a")),
        fails: concat!(
            grant!(),
            call!("302\n< Location: https://rogue.example/a"),
            call!("200"),
            "! host https://rogue.example\n"
        ),
        judge: redirect_takes_no_token_along,
    },
    Check {
        id: "calling/links-take-no-token-elsewhere",
        title: "links in bodies that lead to another host are not followed with the access token",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLX-05",
        cites: &[Rfc(9700, "4.9.1"), Rfc(6750, "5.3")],
        explain: "nextRecordsUrl, @odata.nextLink and their kin say where the next page is. In Salesforce they are paths; a client that \
            joins them to the host it knows is safe as long as they are, and one that takes what comes as a URL sends its token to \
            whoever could write one into the data or the way. Resolve the link, compare the host with the one that was called, and \
            refuse another. The check passes where links within the host were seen to be followed and the foreign one was not.",
        passes: concat!(
            grant!(),
            call!("200 {\"nextRecordsUrl\":\"/q/2\"}"),
            call!("/q/2" => "200 {\"nextRecordsUrl\":\"https://rogue.example/q/3\"}")
        ),
        fails: concat!(
            grant!(),
            call!("200 {\"nextRecordsUrl\":\"https://rogue.example/q/2\"}"),
            call!("/q/2" => "200"),
            "! host https://rogue.example\n"
        ),
        judge: links_take_no_token_elsewhere,
    },
];

/// Access tokens that the record knows: what was granted.
fn known(t: &Transcript) -> impl Iterator<Item = &str> {
    t.grants().filter_map(|x| x.text("access_token")).filter(|token| !token.is_empty())
}

fn token_is_in_the_bearer_header(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "the access token in the header, under Bearer, and nowhere else";
    let old = t.subject.profile == Profile::Salesforce;
    for x in calls(t).filter(|x| !super::resource::is_soap(x)) {
        let header = x.request.header("authorization").unwrap_or("");
        let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
        let bearer = scheme.eq_ignore_ascii_case("bearer") || scheme == "OAuth" && old;
        let in_header = known(t).any(|token| header.contains(token)) || bearer && !rest.is_empty();
        let sent = |value: Option<&str>| value.is_some_and(|value| !value.is_empty());
        let in_body = sent(x.request.form().get("access_token"));
        let in_query = sent(x.request.query().get("access_token"));
        match (in_header, in_body || in_query) {
            (true, true) => j.fail(&[x], expected, "the token in more than one place"),
            (true, false) if bearer => j.pass(),
            (true, false) => j.fail(&[x], expected, format!("the scheme {scheme}")),
            (false, true) if in_body => j.fail_lesser(&[x], expected, "the token in a form"),
            _ => {}
        }
    }
    j
}

fn token_stays_out_of_urls(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let asks =
        |x: &&Exchange| !matches!(x.endpoint, Endpoint::Revoke | Endpoint::Introspect | Endpoint::Page);
    for x in t.exchanges.iter().filter(asks) {
        let query = x.request.query();
        let named = query.get("access_token").is_some_and(|value| !value.is_empty());
        let found = known(t).any(|token| {
            query.iter().any(|(_, value)| value == token) || token.len() > 15 && x.request.url.contains(token)
        });
        if named || found {
            j.fail(&[x], "a URL without an access token", "the access token in it");
        } else if presented(x).is_some() {
            j.pass();
        }
    }
    j
}

fn token_goes_to_its_own_hosts(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in &t.exchanges {
        let url = &x.request.url;
        let Some(token) = presented(x) else {
            // Of what a file of somebody's traffic has besides calls, only what should not be there is in the record.
            if x.endpoint == Endpoint::Page
                && x.is_at_stranger()
                && let Some(kind) = taken_there(t, x)
            {
                let observed = format!("the {kind} is sent to {}", origin(url));
                j.fail(&[x], "nothing that was granted at another host", observed);
            }
            continue;
        };
        // What the token response itself names is told by checks of that answer.
        let named = |url: &str| {
            let origin = t.origin_of_access_token(token);
            let member = |name| origin.and_then(|origin| origin.text(name));
            ["instance_url", "id"]
                .iter()
                .any(|name| member(name).is_some_and(|there| same_origin(there, url)))
        };
        if x.is_at_stranger() && named(url) {
            continue;
        }
        if x.is_at_stranger() {
            j.fail(&[x], "no access token at another host", format!("it is sent to {}", origin(url)));
        } else if url.starts_with("http://") && !is_loopback(url) {
            j.fail(&[x], "TLS", format!("the access token goes to {} in the open", origin(url)));
        } else if calls(t).any(|y| y.number == x.number) && !token.is_empty() {
            j.pass();
        }
    }
    j
}

/// What of what was granted stands in a request, in its body or its URL.
fn taken_there(t: &Transcript, x: &Exchange) -> Option<&'static str> {
    let inside = |secret: &str| {
        secret.len() > 8 && (x.request.body.contains(secret) || x.request.url.contains(secret))
    };
    let in_form = |secret: &str| x.request.form().iter().any(|(_, value)| value.contains(secret));
    let there = |secret: &str| inside(secret) || secret.len() > 8 && in_form(secret);
    let granted = |name| t.grants().filter_map(move |y| y.text(name));
    let codes = || t.exchanges.iter().filter(|y| y.number != x.number).filter_map(|y| y.param("code"));
    if granted("access_token").any(there) {
        Some("access token")
    } else if granted("refresh_token").any(there) {
        Some("refresh token")
    } else {
        codes().any(there).then_some("code")
    }
}

/// The first request that takes the access token of a call to that host afterwards.
fn taken_along<'t>(t: &'t Transcript, x: &'t Exchange, to: &str) -> Option<&'t Exchange> {
    let token = presented(x)?;
    t.after(x).find(|y| y.began_after(x) && same_origin(&y.request.url, to) && holds(y, token))
}

fn redirect_takes_no_token_along(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in calls(t) {
        let Some((to, _)) = x.response().and_then(|response| response.redirect()) else { continue };
        if !to.contains("://") || same_origin(&to, &x.request.url) || presented(x).is_none() {
            continue;
        }
        match taken_along(t, x, &to) {
            Some(y) => j.fail(&[x, y], "no access token at the other host", "the token is sent there"),
            None => j.pass(),
        }
    }
    j
}

/// The link to what comes next in the body of an answer.
fn next(x: &Exchange) -> Option<&str> {
    ["nextRecordsUrl", "nextPageUrl", "@odata.nextLink", "next"].iter().find_map(|name| x.text(name))
}

fn links_take_no_token_elsewhere(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let path = |link: &str| link.split(['?', '#']).next().unwrap_or(link).to_owned();
    let followed = calls(t).any(|x| {
        let Some(link) = next(x).filter(|link| link.starts_with('/')) else { return false };
        t.after(x).any(|y| y.request.path() == path(link) && presented(y).is_some())
    });
    for x in calls(t).filter(|x| presented(x).is_some()) {
        let Some(link) = next(x).filter(|link| link.contains("://") && !same_origin(link, &x.request.url))
        else {
            continue;
        };
        let expected = "no access token where the link leads to";
        match taken_along(t, x, link) {
            Some(y) => j.fail(&[x, y], expected, "the token is sent there"),
            None if followed => j.pass(),
            None => j.unproved(&[x], expected, "the client was not seen to follow any link"),
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
    fn a_token_has_one_place() {
        let id = "calling/token-is-in-the-bearer-header";
        let both = "> GET api access_token=A1\n> Authorization: Bearer A1\n< 200\n";
        comes_to(id, &format!("{}{both}", grant!()), Verdict::Fail);
        let form = "> POST api access_token=A1\n< 200\n";
        comes_to(id, &format!("{}{form}", grant!()), Verdict::Fail);
        let old = "> GET api\n> Authorization: OAuth A1\n< 200\n";
        comes_to(id, &format!("= salesforce\n{}{old}", grant!()), Verdict::Pass);
        comes_to(id, &format!("{}> GET api\n< 401\n", grant!()), Verdict::Skip);
    }

    #[test]
    fn a_redirect_may_be_followed_without_the_token_or_within_the_host() {
        let id = "calling/redirect-takes-no-token-along";
        let fails = find(id).unwrap().fails;
        let without =
            fails.rsplit_once("> Authorization: Bearer A1\n").map(|(a, b)| format!("{a}{b}")).unwrap();
        comes_to(id, &without, Verdict::Pass);
        comes_to(id, &fails.replace("Location: https://rogue.example/a", "Location: /b"), Verdict::Skip);
    }

    #[test]
    fn a_link_that_nobody_looks_at_proves_nothing() {
        let id = "calling/links-take-no-token-elsewhere";
        let alone = concat!(grant!(), call!("200 {\"nextRecordsUrl\":\"https://rogue.example/q/2\"}"));
        comes_to(id, alone, Verdict::Inconclusive);
    }

    #[test]
    fn a_token_goes_over_tls() {
        let id = "calling/token-goes-to-its-own-hosts";
        let open = concat!(grant!(), call!("200"), "! host http://org.example\n");
        comes_to(id, open, Verdict::Fail);
        comes_to(id, &open.replace("org.example", "127.0.0.1:8080"), Verdict::Pass);
        let posted = "> POST page note=long-refresh-token\n< 200\n! stranger https://rogue.example\n";
        let granted = grant!().replace("\"A1\"", "\"A1\",\"refresh_token\":\"long-refresh-token\"");
        comes_to(id, &format!("{granted}{posted}"), Verdict::Fail);
        comes_to(id, &format!("{}{posted}", grant!()), Verdict::Skip);
        let there = concat!(call!("200"), "! stranger https://rogue.example\n");
        let named = grant!().replace("\"A1\"", "\"A1\",\"instance_url\":\"https://rogue.example\"");
        comes_to(id, &format!("{named}{there}"), Verdict::Skip);
    }
}
