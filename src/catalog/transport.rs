//! The transport: what protects requests on their way, as far as a record shows it.

use std::collections::BTreeMap;

use super::Cite::Rfc;
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::transcript::questions::{is_loopback, origin, same_origin};
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "transport/pages-demand-tls",
        title: "a host that people log in at sends Strict-Transport-Security",
        binds: Party::Org,
        level: Level::BestPractice,
        basis: Basis::Derived,
        origin: "TL-06",
        cites: &[Rfc(6797, "7.1"), Rfc(6797, "2.3.1")],
        explain: "A browser that was sent to this host by a plain http link asks without TLS once more, and whoever sits on the \
            network answers with a login page of his own. With Strict-Transport-Security it never does again. Send it with \
            a max-age of a year or more on each page of the login; one page is enough for the browser to know. \
            Addresses, loopback hosts and http are let off, as the header has no meaning there.",
        passes: "> GET authorize response_type=code&client_id=main\n\
            < 200 <form>\n\
            < Content-Type: text/html\n\
            < Strict-Transport-Security: max-age=31536000",
        fails: "> GET authorize response_type=code&client_id=main\n\
            < 200 <form>\n\
            < Content-Type: text/html\n\
            < Date: today",
        judge: pages_demand_tls,
    },
    Check {
        id: "transport/token-request-is-not-sent-on",
        title: "a token request is not redirected to another site",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "TL-07",
        cites: &[Rfc(9700, "4.12"), Rfc(9110, "15.4")],
        explain: "A token request holds the client's secret, and a code, an assertion or a refresh token. With 307 or 308 \
            an HTTP library repeats all of it wherever Location points; another site then has everything. With 301, 302 or 303 the \
            body is dropped and the request fails in a way that nobody understands, which weighs less. Answer at the token \
            endpoint itself, or with an error that names the right host; on Salesforce use the My Domain from the start.",
        passes: "> POST token grant_type=client_credentials&client_id=main\n\
            < 200 {\"access_token\":\"A\"}",
        fails: "> POST token grant_type=client_credentials&client_id=main\n\
            < 307\n\
            < Location: https://elsewhere.example/token",
        judge: token_request_is_not_sent_on,
    },
];

/// Whether a host is told by its name, as Strict-Transport-Security wants it (RFC 6797 §8.1.1).
fn is_named(origin: &str) -> bool {
    let host = origin.split_once("://").map_or("", |(_, authority)| authority);
    let host = host.split(':').next().unwrap_or("");
    !host.starts_with('[') && host.contains(|c: char| c.is_ascii_alphabetic())
}

fn pages_demand_tls(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let mut hosts: BTreeMap<&str, (bool, &Exchange)> = BTreeMap::new();
    for x in t.exchanges.iter().filter(|x| matches!(x.endpoint, Endpoint::Authorize | Endpoint::Page)) {
        // What a browser heard of at the end is all that is known where a person logged in.
        let Some(response) = x.response().filter(|response| response.headers.len() > 1) else { continue };
        let host = origin(&x.request.url);
        if !host.starts_with("https://") || is_loopback(host) || !is_named(host) {
            continue;
        }
        let demands = response.header("strict-transport-security").is_some();
        let (seen, _) = hosts.entry(host).or_insert((false, x));
        *seen |= demands;
    }
    // One answer without it proves little: error pages of a front server, for instance.
    for (host, (demands, x)) in hosts {
        if demands {
            j.pass();
        } else {
            j.fail(&[x], "Strict-Transport-Security", format!("no page of {host} has it"));
        }
    }
    j
}

fn token_request_is_not_sent_on(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Token).filter(|x| x.request.method == "POST") {
        let Some(response) = x.response() else { continue };
        let to = response.header("location").filter(|_| (300..400).contains(&response.status));
        let elsewhere =
            to.filter(|to| to.starts_with("//") || to.contains("://") && !same_origin(to, &x.request.url));
        match (elsewhere, response.status) {
            (Some(to), 307 | 308) => {
                j.fail(&[x], "no redirect to another site", format!("{} to {}", response.status, origin(to)));
            }
            (Some(to), status) => {
                j.fail_lesser(&[x], "no redirect to another site", format!("{status} to {}", origin(to)));
            }
            (None, 200..=299 | 400..=499) => j.pass(),
            (None, _) => {}
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::verdict;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::{Level, Verdict};

    #[test]
    fn one_page_is_enough_and_a_browser_tells_none() {
        let id = "transport/pages-demand-tls";
        let bare = "> GET authorize client_id=main\n< 302\n< Location: /login\n< Date: today\n";
        let page = "> GET page /login\n< 200 <form>\n< Date: today\n< Strict-Transport-Security: max-age=1\n";
        assert_eq!(verdict(id, bare), Verdict::Fail);
        assert_eq!(verdict(id, &format!("{bare}{page}")), Verdict::Pass);
        let heard =
            "> GET authorize client_id=main\n< 302\n< Location: https://client.example/callback?code=C\n";
        assert_eq!(verdict(id, heard), Verdict::Skip);
    }

    #[test]
    fn a_redirect_within_the_site_is_its_own_affair() {
        let id = "transport/token-request-is-not-sent-on";
        let ask = "> POST token grant_type=client_credentials&client_id=main\n";
        assert_eq!(verdict(id, &format!("{ask}< 308\n< Location: /token/\n")), Verdict::Skip);
        let dropped = script::read(&format!("{ask}< 302\n< Location: https://elsewhere.example/\n"));
        let judged = judge_one(find(id).unwrap(), &dropped);
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Should));
    }
}
