//! Where a client refreshes and where it calls: hosts that the org has named.

use super::*;
use crate::transcript::questions::{origin, same_origin};

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "renewal/refresh-goes-to-its-own-host",
        title: "a refresh goes to a token endpoint of the org that the grant came from",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLR-28",
        cites: &[RENEWAL, Rfc(6749, "10.4")],
        explain: "A refresh token goes where the login was: to the token endpoint of the configuration, which is that of the My Domain \
            or of the login host. A client that builds the address from something that an answer brought (instance_url, the identity \
            URL) hands its refresh token and its secret to whoever could put a host there. Salesforce serves a token endpoint at its \
            instance hosts too, so such a refresh works, and fails nothing here when it is answered as one; a host that is no token \
            endpoint is where the refresh token is lost.",
        passes: concat!(login!(), refresh!("R1" => "A2")),
        fails: concat!(
            login!(
                "{\"access_token\":\"A1\",\"refresh_token\":\"R1\",\"instance_url\":\"https://rogue.example\"}"
            ),
            refresh!("R1" => raw "200 {}"),
            "! host https://rogue.example\n"
        ),
        judge: refresh_goes_to_its_own_host,
    },
    Check {
        id: "renewal/new-instance-is-taken-over",
        title: "when a refresh names another instance_url, the calls that follow go there",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLR-29",
        cites: &[RENEWAL, Salesforce("OAuth 2.0 Web Server Flow for Web App Integration")],
        explain: "instance_url of a token answer says where the API of the org is. An org that is moved to another instance says so with \
            the next refresh, and its old host is gone some day. A client that reads instance_url at the login alone goes on calling \
            the old one. Take it over from every token answer, after a look whether it is a host where the org may be. It is judged \
            for clients that had gone by instance_url before; one that has the host from its configuration is none of this.",
        passes: concat!(moved!(), call!("A2" => "200"), "! host https://na2.example\n"),
        fails: concat!(
            moved!(),
            call!("A2" => "200"),
            "! host https://na1.example\n",
            call!("A2" => "200"),
            "! host https://na1.example\n"
        ),
        judge: new_instance_is_taken_over,
    },
];

/// Whether a host answered as a token endpoint does.
fn is_token_endpoint(x: &Exchange) -> bool {
    x.granted() || x.error().is_some() || x.response().is_none_or(|response| response.status >= 500)
}

fn refresh_goes_to_its_own_host(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "the token endpoint of the configuration, or where the grant came from";
    let configured = t.subject.endpoints.token.as_deref();
    for grant in Grants::of(t).iter() {
        for x in grant.refreshes().filter(|x| refresh_token(x).is_some()) {
            let at = x.request.url.as_str();
            let known = configured.is_some_and(|url| same_origin(url, at))
                || grant.answers().any(|y| y.number < x.number && same_origin(&y.request.url, at));
            if known {
                j.pass();
            } else if configured.is_some() && !is_token_endpoint(x) {
                j.fail(&[x], expected, format!("{}, which is none", origin(at)));
            }
        }
    }
    j
}

fn new_instance_is_taken_over(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of(t);
    let expected = "calls of the new instance";
    for grant in grants.iter() {
        for moved in grant.refreshes().filter(|y| y.granted()) {
            let before = grant.answers().rfind(|y| moved.began_after(y));
            let named = |y: &'_ Exchange| y.text("instance_url").map(str::to_owned);
            let (Some(old), Some(new)) = (before.and_then(named), named(moved)) else { continue };
            let at = |x: &Exchange, url: &str| same_origin(&x.request.url, url);
            let went_by = |x: &&Exchange| {
                x.number < moved.number && at(x, &old) && x.endpoint == crate::oauth::Endpoint::Resource
            };
            let configured = t.subject.endpoints.api.as_deref().is_some_and(|url| same_origin(url, &old));
            if same_origin(&old, &new) || configured || !grant.calls.iter().copied().any(|x| went_by(&x)) {
                continue;
            }
            let token = moved.text("access_token");
            let with =
                |x: &&&Exchange| x.endpoint == crate::oauth::Endpoint::Resource && presented(x) == token;
            let later: Vec<&Exchange> = grant.calls.iter().filter(with).copied().collect();
            let stays: Vec<&Exchange> = later.iter().copied().filter(|x| at(x, &old)).collect();
            match stays.as_slice() {
                // The call that was refused may be sent again as it was.
                [] if later.iter().any(|x| at(x, &new)) => j.pass(),
                [.., last] if stays.len() > 1 => j.fail(&[moved, last], expected, "calls of the old one"),
                [one] => j.unproved(&[moved, one], expected, "one call of the old one"),
                _ => {}
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
    fn an_instance_may_be_a_token_endpoint() {
        let id = "renewal/refresh-goes-to-its-own-host";
        let elsewhere = concat!(login!(), refresh!("R1" => "A2"), "! host https://na1.example\n");
        comes_to(id, elsewhere, Verdict::Skip);
        comes_to(id, &format!("{elsewhere}{}", refresh!("R1" => "A3")), Verdict::Pass);
    }

    #[test]
    fn who_never_went_by_instance_url_need_not_begin() {
        let id = "renewal/new-instance-is-taken-over";
        let stays = concat!(moved!(), call!("A2" => "200"), call!("A2" => "200"));
        comes_to(id, &stays.replace("! host https://na1.example\n", ""), Verdict::Skip);
        let once = concat!(moved!(), call!("A2" => "200"), "! host https://na1.example\n");
        comes_to(id, once, Verdict::Inconclusive);
    }
}
