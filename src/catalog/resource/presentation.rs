//! How a token is presented, and what is no access token at all.

use super::super::Cite::{OpenIdCore, Rfc};
use super::super::revocation::revoked;
use super::super::{Check, Judgement, Party};
use super::{
    calls, challenge, handed_out, is_expired, is_live, is_soap, let_in, opens_otherwise, presented,
    sent_once, undisturbed,
};
use crate::oauth::Endpoint;
use crate::oauth::salesforce::Profile;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// A grant of A, and a call that is let in with it.
macro_rules! granted {
    () => {
        "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
         < 200 {\"access_token\":\"A\",\"id_token\":\"I\"}\n\
         > GET api\n> Authorization: Bearer A\n< 200 []\n"
    };
}

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "resource/missing-token-is-challenged",
        title: "a call without a token is refused with a Bearer challenge that names no error",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RS-05",
        cites: &[Rfc(6750, "3"), Rfc(6750, "3.1"), Rfc(9110, "15.5.2")],
        explain: "A client that does not know yet that it needs a token learns it from WWW-Authenticate: Bearer, and a 401 must carry \
            that header. An error code belongs to a token, and there is none; so the challenge should not have one. A resource \
            that lets the call in though it refuses bad tokens is open to everybody who leaves the token out. Let one place check \
            for the header before any handler runs. Salesforce names another scheme, and answers 403 at its identity endpoints.",
        passes: concat!(granted!(), "> GET api\n< 401\n< WWW-Authenticate: Bearer realm=\"org\"\n"),
        fails: concat!(granted!(), "> GET api\n< 401\n"),
        judge: missing_token_is_challenged,
    },
    Check {
        id: "resource/revoked-token-is-refused",
        title: "a call with a revoked access token is refused with 401",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RS-08",
        cites: &[Rfc(7009, "2.1"), Rfc(6750, "3.1")],
        explain: "A server may say that it cannot revoke access tokens. Once it has answered that a token is revoked, every resource \
            must refuse it, from the first call on and for good, with the 401 that tells a client to get another. Let resources ask \
            the authorization server, or be told by it, and do not let a revocation be forgotten before the token expires.",
        passes: concat!(
            granted!(),
            "> POST revoke token=A&client_id=main&client_secret=s\n< 200\n\
             > GET api\n> Authorization: Bearer A\n< 401\n\
             > GET api\n> Authorization: Bearer B\n< 200 []\n"
        ),
        fails: concat!(
            granted!(),
            "> POST revoke token=A&client_id=main&client_secret=s\n< 200\n\
             > GET api\n> Authorization: Bearer A\n< 200 []\n"
        ),
        judge: revoked_token_is_refused,
    },
    Check {
        id: "resource/scheme-is-read-in-any-case",
        title: "the scheme Bearer is read in any case",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RS-10",
        cites: &[Rfc(9110, "11.1"), Rfc(6750, "2.1")],
        explain: "Names of authentication schemes do not distinguish upper and lower case. Clients take the scheme from token_type, \
            which servers write as they like, so bearer, Bearer and BEARER all arrive. Compare without regard to case; the token \
            itself is compared exactly.",
        passes: concat!(granted!(), "> GET api\n> Authorization: bearer A\n< 200 []\n"),
        fails: concat!(granted!(), "> GET api\n> Authorization: bearer A\n< 401\n"),
        judge: scheme_is_read_in_any_case,
    },
    Check {
        id: "resource/garbled-header-is-refused",
        title: "a Bearer header without a token, or with more than one, is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RS-11",
        cites: &[Rfc(6750, "2.1"), Rfc(6750, "3.1")],
        explain: "The header is the scheme, a space and one token. If a server takes the first word of several and a proxy before it \
            the last, each checks another token, and what was checked is not what is used. Parse the whole value by the grammar \
            and refuse what is left over.",
        passes: concat!(granted!(), "> GET api\n> Authorization: Bearer A B\n< 401\n"),
        fails: concat!(granted!(), "> GET api\n< 401\n> GET api\n> Authorization: Bearer A B\n< 200 []\n"),
        judge: garbled_header_is_refused,
    },
    Check {
        id: "resource/id-token-is-refused",
        title: "an ID token opens no resource",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RS-15",
        cites: &[Rfc(9068, "5"), OpenIdCore("2")],
        explain: "An ID token tells the client who logged in; its audience is the client, and it carries no rights. It is handed to \
            browsers and written into logs with less care than an access token. A resource that verifies the signature and no \
            more takes it for one. Check typ, aud and scope of a JWT, or look tokens up by a reference that ID tokens do not hold.",
        passes: concat!(granted!(), "> GET api\n> Authorization: Bearer I\n< 401\n"),
        fails: concat!(granted!(), "> GET api\n> Authorization: Bearer I\n< 200 []\n"),
        judge: id_token_is_refused,
    },
];

/// Whether a path was seen to refuse some call: it is not open to everybody.
fn is_guarded(t: &Transcript, x: &Exchange) -> bool {
    calls(t).any(|y| y.number != x.number && y.request.path() == x.request.path() && let_in(y) == Some(false))
}

fn missing_token_is_challenged(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let bare = |x: &&Exchange| x.request.header("authorization").is_none() && sent_once(x) && !is_soap(x);
    for x in calls(t).filter(bare).filter(|x| x.endpoint != Endpoint::Identity) {
        let expected = "401 with WWW-Authenticate: Bearer, and no error in it";
        match (let_in(x), challenge(x)) {
            (Some(true), _) if is_guarded(t, x) => j.fail_grave(&[x], expected, x.outcome()),
            (Some(true) | None, _) => {}
            (Some(false), None) => {
                j.fail(&[x], expected, format!("{} without a Bearer challenge", x.status()))
            }
            (Some(false), Some(challenge)) => match challenge.error {
                Some(error) => j.fail_lesser(&[x], expected, format!("the challenge says {error}")),
                None if x.status() != 401 => j.fail_lesser(&[x], expected, x.outcome()),
                None if opens_otherwise(t, x) => j.pass(),
                None => j.unproved(&[x], expected, "no call was let in, so that every call may be refused"),
            },
        }
    }
    j
}

fn revoked_token_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in calls(t) {
        let Some(token) = presented(x) else { continue };
        let (Some(revoke), Some(handed)) = (revoked(t, token, x), handed_out(t, token, x)) else { continue };
        let expected = "401: the access token was revoked";
        let vendor = t.subject.profile == Profile::Salesforce && x.endpoint != Endpoint::Resource;
        match let_in(x) {
            Some(true) => j.fail(&[revoke, x], expected, x.outcome()),
            Some(false) if is_expired(t, token, x) || !undisturbed(t, handed, x, Some(revoke)) => {}
            Some(false) if !opens_otherwise(t, x) => {
                j.unproved(&[x], expected, "it was refused, but no call was seen to be let in");
            }
            Some(false) if x.status() == 401 || is_soap(x) || vendor => j.pass(),
            Some(false) => j.fail_lesser(&[x], expected, x.outcome()),
            None => {}
        }
    }
    j
}

fn scheme_is_read_in_any_case(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let scheme = |x: &Exchange| {
        x.request.header("authorization").and_then(|v| v.split(' ').next()).unwrap_or("").to_owned()
    };
    for x in
        calls(t).filter(|x| scheme(x).eq_ignore_ascii_case("bearer") && scheme(x) != "Bearer" && !is_soap(x))
    {
        let Some(token) = presented(x).filter(|token| is_live(t, token, x)) else { continue };
        let as_usual = |y: &Exchange| {
            y.endpoint == x.endpoint
                && scheme(y) == "Bearer"
                && presented(y) == Some(token)
                && let_in(y) == Some(true)
        };
        let expected = "to be let in: the scheme has no case";
        match let_in(x) {
            Some(true) => j.pass(),
            Some(false) if calls(t).any(as_usual) => j.fail(&[x], expected, x.outcome()),
            Some(false) => j.unproved(&[x], expected, "nor was the token let in under Bearer"),
            None => {}
        }
    }
    j
}

fn garbled_header_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let garbled = |x: &&Exchange| {
        let value = x.request.header("authorization").unwrap_or("").trim();
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        scheme.eq_ignore_ascii_case("bearer")
            && (rest.is_empty() || rest.trim().contains(char::is_whitespace))
    };
    for x in calls(t).filter(garbled).filter(|x| sent_once(x) && !is_soap(x)) {
        let expected = "a refusal: the header does not hold one token";
        match let_in(x) {
            Some(true) if is_guarded(t, x) => j.fail_grave(&[x], expected, x.outcome()),
            Some(false) if opens_otherwise(t, x) => j.pass(),
            Some(false) => j.unproved(&[x], expected, "it was refused, but no call was seen to be let in"),
            _ => {}
        }
    }
    j
}

fn id_token_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in calls(t) {
        let Some(token) = presented(x).filter(|token| t.origin_of_access_token(token).is_none()) else {
            continue;
        };
        if !t.grants().any(|y| y.text("id_token") == Some(token)) {
            continue;
        }
        let expected = "401: an ID token is no access token";
        match let_in(x) {
            Some(true) => j.fail(&[x], expected, x.outcome()),
            Some(false) if opens_otherwise(t, x) => j.pass(),
            Some(false) => j.unproved(&[x], expected, "it was refused, but no call was seen to be let in"),
            None => {}
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
    fn what_is_open_to_everybody_needs_no_token() {
        let id = "resource/missing-token-is-challenged";
        assert_eq!(verdict(id, "> GET api\n< 200 []\n"), Verdict::Skip);
        let guarded = "> GET api\n> Authorization: Bearer X\n< 401\n> GET api\n< 200 []\n";
        assert_eq!(verdict(id, guarded), Verdict::Fail);
        let garbled = "> GET api\n> Authorization: Bearer A B\n< 200 []\n";
        assert_eq!(verdict("resource/garbled-header-is-refused", garbled), Verdict::Skip);
    }

    #[test]
    fn an_error_where_there_is_no_token_weighs_less() {
        let id = "resource/missing-token-is-challenged";
        let text = find(id).unwrap().passes.replace("realm=\"org\"", "error=\"invalid_token\"");
        let judged = judge_one(find(id).unwrap(), &script::read(&text));
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Should));
    }

    #[test]
    fn a_token_that_never_worked_says_nothing_about_the_scheme() {
        let id = "resource/scheme-is-read-in-any-case";
        let text = find(id).unwrap().fails.replace("> GET api\n> Authorization: Bearer A\n< 200 []\n", "");
        assert_eq!(verdict(id, &text), Verdict::Inconclusive);
    }
}
