//! Where a client goes with what an answer says.

use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "answer/instance-is-called",
        title: "calls go to the instance_url of the answer that brought their access token",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLT-16",
        cites: &[RESPONSE],
        explain: "The host that gives tokens need not be the host that answers calls: login.salesforce.com gives tokens for every org, and \
            instance_url says where this one is. A client that calls the login host, or a host that somebody once copied into its \
            configuration, gets redirects and pages in place of data, and stops working when the org moves. Take instance_url from \
            each token response, refreshes included, and build the URLs of calls from it.",
        passes: concat!(
            grant!("A1", "\"instance_url\":\"https://acme.example\""),
            call!(),
            "! host https://acme.example\n"
        ),
        fails: concat!(grant!("A1", "\"instance_url\":\"https://acme.example\""), call!()),
        judge: instance_is_called,
    },
    Check {
        id: "answer/instance-is-checked-before-a-token-goes-there",
        title: "an instance_url that is no host of the org gets no access token",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLT-17",
        cites: &[Rfc(9700, "4.9.1")],
        explain: "instance_url is text from an answer, and the client sends its access token to wherever it says. Who can change that one \
            member, in a proxy, in a store, in a server that passes answers on, is sent every token from then on, and a request to \
            a host inside the network besides. Look at it before you use it: https, and a domain of Salesforce or one that the \
            configuration names. The check needs a record that knows which hosts are not the org's.",
        passes: concat!(
            grant!("A1", "\"instance_url\":\"https://rogue.example\""),
            "! names https://rogue.example\n",
            call!()
        ),
        fails: concat!(
            grant!("A1", "\"instance_url\":\"https://rogue.example\""),
            "! names https://rogue.example\n",
            call!(),
            "! stranger https://rogue.example\n"
        ),
        judge: instance_is_checked_before_a_token_goes_there,
    },
    Check {
        id: "answer/identity-url-is-checked-before-a-token-goes-there",
        title: "an identity URL that is on no host of the org gets no access token",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLT-27",
        cites: &[Salesforce("Identity URLs"), Rfc(9700, "4.9.1")],
        explain: "id is a URL that tells who the user is, and it answers whoever presents the access token. It is text from the token \
            response like any other: a client that calls it without a look sends its token to whatever host stands there. Compare \
            the host with the login host and the instance, which are the two that Salesforce puts there, and look at the org and \
            user ids in its path before you believe what it says.",
        passes: concat!(
            grant!("A1", "\"id\":\"https://rogue.example/id/00D/005\""),
            "! names https://rogue.example\n",
            call!()
        ),
        fails: concat!(
            grant!("A1", "\"id\":\"https://rogue.example/id/00D/005\""),
            "! names https://rogue.example\n",
            "> GET identity /id/00D/005\n> Authorization: Bearer A1\n! stranger https://rogue.example\n< 200\n"
        ),
        judge: identity_url_is_checked_before_a_token_goes_there,
    },
];

fn instance_is_called(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.grants() {
        let login = &x.request.url;
        let elsewhere = |url: &&str| !same_origin(url, login) && !t.is_strange(url);
        let Some(instance) = x.text("instance_url").filter(elsewhere) else { continue };
        for call in uses(t, x).filter(|y| y.endpoint == Endpoint::Resource) {
            if same_origin(&call.request.url, instance) {
                j.pass();
            } else if same_origin(&call.request.url, login) {
                let observed = format!("a call of {}", origin(login));
                j.fail(&[x, call], format!("a call of {}", origin(instance)), observed);
            }
        }
    }
    j
}

/// Judges that a member that leads to a strange host takes no token there.
fn stays_away(t: &Transcript, member: &str) -> Judgement {
    let mut j = Judgement::new();
    for x in t.grants() {
        let Some(url) = x.text(member).filter(|url| t.is_strange(url)) else { continue };
        let token = x.text("access_token").unwrap_or("");
        let takes = |y: &&Exchange| {
            let there = same_origin(&y.request.url, url) && y.began_after(x);
            there && (presented(y) == Some(token) || token.len() > 15 && holds(y, token))
        };
        match t.after(x).find(takes) {
            Some(y) => j.fail(&[x, y], "no access token there", format!("it is sent to {}", origin(url))),
            None => j.pass(),
        }
    }
    j
}

fn instance_is_checked_before_a_token_goes_there(t: &Transcript) -> Judgement {
    stays_away(t, "instance_url")
}

fn identity_url_is_checked_before_a_token_goes_there(t: &Transcript) -> Judgement {
    stays_away(t, "id")
}

#[cfg(test)]
mod tests {
    use crate::catalog::find;
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn a_strange_instance_need_not_be_called() {
        let strange = find("answer/instance-is-checked-before-a-token-goes-there").unwrap().passes;
        comes_to("answer/instance-is-called", strange, Verdict::Skip);
        let same = concat!(grant!("A1", "\"instance_url\":\"https://org.example\""), call!());
        comes_to("answer/instance-is-called", same, Verdict::Skip);
        // Some APIs have a host of their own.
        let other = concat!(
            grant!("A1", "\"instance_url\":\"https://acme.example\""),
            call!(),
            "! host https://api.example\n"
        );
        comes_to("answer/instance-is-called", other, Verdict::Skip);
    }

    #[test]
    fn a_host_of_which_nothing_is_known_is_not_strange() {
        let id = "answer/instance-is-checked-before-a-token-goes-there";
        let known = concat!(
            grant!("A1", "\"instance_url\":\"https://acme.example\""),
            call!(),
            "! host https://acme.example\n"
        );
        comes_to(id, known, Verdict::Skip);
    }
}
