//! ID tokens that come with a refresh: they speak of the user who logged in.

use super::super::id_token_use::cares;
use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "renewal/refreshed-id-token-has-the-same-issuer",
        title: "a refresh whose ID token names another issuer than that of the login is refused",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLR-36",
        cites: &[super::super::Cite::OpenIdCore("12.2")],
        explain: "An ID token that comes with a refresh must name the issuer that the ID token of the login named. Where it does not, \
            the answer is not from where the login was: an org behind another name, or somebody in between. A client that goes on \
            takes the access token of a stranger for its user's. Keep the issuer of the login with the refresh token, compare it as \
            text, and throw the whole answer away where it differs. An answer without an ID token is no matter of this.",
        passes: concat!(spoken!("https://org.example", "u"), call!("A1" => "200")),
        fails: concat!(spoken!("https://rogue.example", "u"), call!("A2" => "200")),
        judge: |t| refused(t, "iss"),
    },
    Check {
        id: "renewal/refreshed-id-token-has-the-same-user",
        title: "a refresh whose ID token names another user than that of the login is refused",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLR-37",
        cites: &[super::super::Cite::OpenIdCore("12.2")],
        explain: "An ID token that comes with a refresh must name the subject that the ID token of the login named. Another one means \
            that tokens were mixed up on the way: a cache that answers for two users, a store that gave out the wrong row. A client that \
            goes on shows one user the data of another. Keep the subject of the login with the refresh token, and throw the whole \
            answer away where it differs.",
        passes: concat!(spoken!("https://org.example", "u"), call!("A2" => "200")),
        fails: concat!(spoken!("https://org.example", "somebody-else"), call!("A2" => "200")),
        judge: |t| refused(t, "sub"),
    },
];

/// What an ID token that an answer brought says.
fn said<'x>(x: &'x Exchange, claim: &str) -> Option<&'x str> {
    x.facts.id_token.as_ref()?.text(claim)
}

/// Whether a refresh brought an ID token of another issuer or user than that of the login, and is to be thrown away.
pub(in crate::catalog) fn is_of_another(grant: &Grant<'_>, x: &Exchange) -> bool {
    let differs = |claim| {
        let both = grant.origin.and_then(|login| said(login, claim)).zip(said(x, claim));
        both.is_some_and(|(login, now)| login != now)
    };
    differs("iss") || differs("sub")
}

/// Whether nobody calls with the access token of a refresh whose ID token says otherwise than that of the login.
fn refused(t: &Transcript, claim: &str) -> Judgement {
    let mut j = Judgement::new();
    // Who asked for none, or never looked at one, has no use for it: the answer brings it all the same.
    if !cares(t) {
        return j;
    }
    for grant in Grants::of(t).iter() {
        let Some(login) = grant.origin.and_then(|login| said(login, claim)) else { continue };
        for x in grant.refreshes().filter(|x| x.granted()) {
            let Some(now) = said(x, claim) else { continue };
            let with = |c: &&&Exchange| presented(c) == x.text("access_token") && c.began_after(x);
            let used = grant.calls.iter().find(with);
            match used {
                Some(call) if now != login => {
                    let expected = format!("the `{claim}` of the login, or no use of the answer");
                    j.fail(&[x, call], expected, "another one, and a call with the access token beside it");
                }
                _ => j.pass(),
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
    fn who_does_not_go_on_has_refused_it() {
        let id = "renewal/refreshed-id-token-has-the-same-user";
        comes_to(id, spoken!("https://org.example", "somebody-else"), Verdict::Pass);
        let silent = concat!(login!(), refresh!("R1" => "A2"), call!("A2" => "200"));
        comes_to(id, silent, Verdict::Skip);
    }
}
