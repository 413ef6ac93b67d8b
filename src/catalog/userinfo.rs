//! Userinfo (OpenID Connect Core §5.3) and Salesforce's identity URL: who may ask, and whom is told of.

use serde_json::Value;

use super::Cite::{OpenIdCore, Rfc, Salesforce};
use super::id_token::is_issuer;
use super::resource::{
    challenge, handed_out, is_forged, is_live, let_in, opens_otherwise, presented, sent_once,
};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "userinfo/subject-is-that-of-the-id-token",
        title: "sub at the userinfo endpoint is sub of the ID token that came with the access token",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-17",
        cites: &[OpenIdCore("5.3.2")],
        explain: "sub must always be there, and the client must compare it with the ID token: if they differ it may not use \
            the answer, as an access token of somebody else could have been slipped in. A server that names users otherwise at \
            both places breaks each correct client. Take sub from one function. On Salesforce it is the identity URL.",
        passes: "> POST token grant_type=authorization_code&code=C&client_id=main\n\
            ! id_token {\"claims\":{\"sub\":\"u1\"}}\n\
            < 200 {\"access_token\":\"A\",\"id_token\":\"I\"}\n\
            > GET userinfo\n\
            > Authorization: Bearer A\n\
            < 200 {\"sub\":\"u1\"}",
        fails: "> POST token grant_type=authorization_code&code=C&client_id=main\n\
            ! id_token {\"claims\":{\"sub\":\"u1\"}}\n\
            < 200 {\"access_token\":\"A\",\"id_token\":\"I\"}\n\
            > GET userinfo\n\
            > Authorization: Bearer A\n\
            < 200 {\"sub\":\"u2\"}",
        judge: subject_is_that_of_the_id_token,
    },
    Check {
        id: "userinfo/signed-answer-is-sound",
        title: "a signed userinfo answer fits a published key, names the issuer, and is made out for the client",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-25",
        cites: &[OpenIdCore("5.3.2")],
        explain: "A client may register for userinfo as a JWT, so that what it is told of a user can be shown to others and \
            cannot be changed on the way. Such an answer is of the type application/jwt, has iss and aud beside the claims, and is \
            signed with a key of jwks_uri. One that fits no key, speaks for another issuer or was made out for another client \
            is refused by each client that looks, and lets the others be told anything. Sign it with the keys and names of the \
            ID tokens. Without a key set that was fetched, nothing is said of the signature.",
        passes: "> POST token grant_type=authorization_code&code=C&client_id=main\n\
            < 200 {\"access_token\":\"A\"}\n\
            > GET userinfo\n\
            > Authorization: Bearer A\n\
            ! signed {\"header\":{\"alg\":\"RS256\"},\"claims\":{\"iss\":\"https://org.example\",\"aud\":\"main\"},\"verifies\":true}\n\
            < 200 {\"sub\":\"u1\"}",
        fails: "> POST token grant_type=authorization_code&code=C&client_id=main\n\
            < 200 {\"access_token\":\"A\"}\n\
            > GET userinfo\n\
            > Authorization: Bearer A\n\
            ! signed {\"header\":{\"alg\":\"RS256\"},\"claims\":{\"iss\":\"https://org.example\",\"aud\":\"main\"},\"verifies\":false}\n\
            < 200 {\"sub\":\"u1\"}",
        judge: signed_answer_is_sound,
    },
    Check {
        id: "userinfo/get-and-post-are-answered",
        title: "the userinfo endpoint answers GET and POST with the token in the header",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-18",
        cites: &[OpenIdCore("5.3.1")],
        explain: "Both methods must be supported, and libraries differ in which one they take. The check compares both with one \
            live access token: where one of them is let in and the other is not, the method is the reason. Route both to \
            the same code.",
        passes: "> POST token grant_type=authorization_code&code=C&client_id=main\n\
            < 200 {\"access_token\":\"A\"}\n\
            > GET userinfo\n\
            > Authorization: Bearer A\n\
            < 200 {\"sub\":\"u1\"}\n\
            > POST userinfo\n\
            > Authorization: Bearer A\n\
            < 200 {\"sub\":\"u1\"}",
        fails: "> POST token grant_type=authorization_code&code=C&client_id=main\n\
            < 200 {\"access_token\":\"A\"}\n\
            > GET userinfo\n\
            > Authorization: Bearer A\n\
            < 200 {\"sub\":\"u1\"}\n\
            > POST userinfo\n\
            > Authorization: Bearer A\n\
            < 405",
        judge: get_and_post_are_answered,
    },
    Check {
        id: "userinfo/bad-token-is-refused",
        title: "userinfo without a token, or with one that nobody issued, is refused with a Bearer challenge",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-19",
        cites: &[OpenIdCore("5.3.3"), Rfc(6750, "3")],
        explain: "Userinfo is a protected resource: without a live access token it must tell of nobody. The refusal follows \
            RFC 6750, a status of 400 or 401 with WWW-Authenticate: Bearer, by which generic clients know what is missing; a \
            refusal in other words weighs less. Check the token before anything is looked up. Salesforce answers 403 and a \
            word of plain text.",
        passes: "> POST token grant_type=authorization_code&code=C&client_id=main\n\
            < 200 {\"access_token\":\"A\"}\n\
            > GET userinfo\n\
            > Authorization: Bearer A\n\
            < 200 {\"sub\":\"u1\"}\n\
            > GET userinfo\n\
            < 401\n\
            < WWW-Authenticate: Bearer",
        fails: "> GET userinfo\n\
            < 200 {\"sub\":\"u1\"}",
        judge: bad_token_is_refused,
    },
    Check {
        id: "userinfo/identity-url-is-its-own-users",
        title: "the identity URL of another user is closed to a token without the scope to call the API",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "ID-22",
        cites: &[Salesforce("Identity URLs")],
        explain: "The identity URL holds name, address and telephone number. With the scope id a token opens its own user's URL; \
            to read another user's it takes scope api or full, and rights over that user. A server that tells any user by the id \
            in the path is a directory of the org for every app that somebody once logged in to. Compare the user of the \
            token with the path before anything else is looked at.",
        passes: "= salesforce\n\
            > POST token grant_type=authorization_code&code=C&client_id=main\n\
            < 200 {\"access_token\":\"A\",\"scope\":\"id\",\"id\":\"https://org.example/id/00D/005A\"}\n\
            > GET identity /id/00D/005A\n\
            > Authorization: Bearer A\n\
            < 200 {}\n\
            > GET identity /id/00D/005B\n\
            > Authorization: Bearer A\n\
            < 403 Invalid_Scope",
        fails: "= salesforce\n\
            > POST token grant_type=authorization_code&code=C&client_id=main\n\
            < 200 {\"access_token\":\"A\",\"scope\":\"id\",\"id\":\"https://org.example/id/00D/005A\"}\n\
            > GET identity /id/00D/005B\n\
            > Authorization: Bearer A\n\
            < 200 {\"username\":\"other@example.com\"}",
        judge: identity_url_is_its_own_users,
    },
];

fn subject_is_that_of_the_id_token(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Userinfo).filter(|x| x.status() == 200 && x.tweak.is_none() && sent_once(x)) {
        // What is encrypted is no JSON object.
        let Some(answer) = x.response().and_then(|r| r.json()?.as_object()) else { continue };
        let Some(handed) = presented(x).and_then(|token| handed_out(t, token, x)) else { continue };
        let Some(sub) = handed.facts.id_token.as_ref().and_then(|token| token.text("sub")) else { continue };
        let expected = "the sub of the ID token";
        match answer.get("sub") {
            Some(Value::String(said)) if said == sub => j.pass(),
            Some(_) => j.fail(&[handed, x], expected, "another sub"),
            None => j.fail(&[handed, x], expected, "no sub"),
        }
    }
    j
}

fn signed_answer_is_sound(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Userinfo).filter(|x| x.status() == 200) {
        let Some(answer) = &x.facts.signed_answer else {
            // Five parts are encrypted (RFC 7516 §3.1), and for nobody else to read.
            let parts = x.response().filter(|r| r.is_jwt()).map(|r| r.body.trim().split('.').count());
            if parts.is_some_and(|parts| parts != 5) && !x.is_cut() {
                j.fail(&[x], "a JWT, as the content type says", "what cannot be read as one");
            }
            continue;
        };
        let mut wrong = Vec::new();
        if answer.verifies == Some(false) {
            wrong.push((
                "a signature that fits a published key".to_owned(),
                format!("none fits: alg {}", answer.alg()),
            ));
        }
        // Without a signature it vouches for nothing, and names nobody.
        if answer.alg() != "none" {
            let issuer = t.subject.endpoints.issuer.as_deref().unwrap_or("");
            match answer.text("iss") {
                None => wrong.push(("iss".to_owned(), "no iss".to_owned())),
                Some(said) if is_issuer(t, said) == Some(false) => {
                    wrong.push((format!("iss {issuer}"), format!("iss {said}")));
                }
                Some(_) => {}
            }
            let handed = presented(x).and_then(|token| handed_out(t, token, x));
            let audiences = answer.audiences();
            match handed.and_then(Exchange::client_id) {
                Some(client) if !audiences.contains(&client) => {
                    wrong.push((format!("aud with {client}"), format!("aud is {}", audiences.join(", "))));
                }
                _ => {}
            }
        }
        if wrong.is_empty() && answer.verifies == Some(true) {
            j.pass();
        }
        for (expected, observed) in wrong {
            j.fail(&[x], expected, observed);
        }
    }
    j
}

fn get_and_post_are_answered(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let plain = |x: &&Exchange| x.tweak.is_none() && sent_once(x);
    let calls: Vec<&Exchange> = t.at(Endpoint::Userinfo).filter(plain).collect();
    for x in calls.iter().filter(|x| ["GET", "POST"].contains(&x.request.method.as_str())) {
        let Some(token) = presented(x).filter(|token| is_live(t, token, x)) else { continue };
        let other = calls.iter().find(|y| {
            let opens = presented(y) == Some(token) && let_in(y) == Some(true) && is_live(t, token, y);
            opens && y.request.method != x.request.method
        });
        let Some(other) = other else { continue };
        match x.status() {
            200..=299 => j.pass(),
            400..=405 | 411 | 415 | 501 => {
                let expected =
                    format!("to be let in by {}, as by {}", x.request.method, other.request.method);
                j.fail(&[other, x], expected, x.outcome());
            }
            _ => {}
        }
    }
    j
}

fn bad_token_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Userinfo).filter(|x| sent_once(x)) {
        let anonymous = x.request.header("authorization").is_none();
        let forged = presented(x).is_some_and(|token| is_forged(t, token, x));
        let because = match (anonymous, forged) {
            (true, _) => "no token was sent",
            (_, true) => "no server ever handed this token out",
            _ => continue,
        };
        let expected = format!("400 or 401 with WWW-Authenticate: Bearer: {because}");
        match x.status() {
            // An error under a status of success tells of nobody.
            200..=299 if x.error().is_some() && x.member("sub").is_none() => {
                j.fail_lesser(&[x], expected, x.outcome());
            }
            200..=299 => j.fail_grave(&[x], expected, x.outcome()),
            0 | 429 | 500.. => {}
            _ if !opens_otherwise(t, x) => {
                j.unproved(&[x], expected, "no token was ever let in");
            }
            400 | 401 if challenge(x).is_some() => j.pass(),
            _ => j.fail_lesser(&[x], expected, x.outcome()),
        }
    }
    j
}

/// Organisation and user of an identity URL.
fn named(url: &str) -> Option<(&str, &str)> {
    let path = url.split(['?', '#']).next()?;
    let (_, ids) = path.split_once("/id/")?;
    let (org, user) = ids.split_once('/')?;
    // Record ids have 15 characters that count, and 3 that check them.
    Some((org.get(..15).unwrap_or(org), user.get(..15).unwrap_or(user)))
}

fn identity_url_is_its_own_users(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let calls = |t: &Transcript, own: bool| -> Vec<usize> {
        let of = |x: &&Exchange| {
            let handed = presented(x).and_then(|token| handed_out(t, token, x));
            let mine = handed.and_then(|handed| named(handed.text("id")?));
            let scope = handed.and_then(|handed| handed.text("scope"));
            let narrow = scope.is_some_and(|scope| {
                !scope.split_whitespace().any(|one| ["api", "full", "web"].contains(&one))
            });
            let asked = named(&x.request.url);
            narrow && asked.is_some() && mine.is_some() && (asked == mine) == own
        };
        t.at(Endpoint::Identity).filter(|x| sent_once(x)).filter(of).map(|x| x.number).collect()
    };
    let control = calls(t, true).iter().any(|n| t.exchanges[*n].status() == 200);
    for x in calls(t, false).into_iter().map(|n| &t.exchanges[n]) {
        let expected = "a refusal: the token is another user's and has no scope for the API";
        match x.status() {
            200..=299 => j.fail(&[x], expected, x.outcome()),
            400..=404 if control => j.pass(),
            400..=404 => j.unproved(&[x], expected, "the token was not seen to open its own user's URL"),
            _ => {}
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

    const GRANTED: &str = "> POST token grant_type=authorization_code&code=C&client_id=main\n\
        < 200 {\"access_token\":\"A\",\"scope\":\"id api\",\"id\":\"https://org.example/id/00D/005A\"}\n";

    #[test]
    fn a_refusal_in_other_words_weighs_less() {
        let text = format!(
            "{GRANTED}> GET userinfo\n> Authorization: Bearer A\n< 200 {{\"sub\":\"u\"}}\n> GET userinfo\n< 403 Missing_OAuth_Token\n"
        );
        let judged = judge_one(find("userinfo/bad-token-is-refused").unwrap(), &script::read(&text));
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Should));
        let alone = "> GET userinfo\n< 401\n< WWW-Authenticate: Bearer\n";
        assert_eq!(verdict("userinfo/bad-token-is-refused", alone), Verdict::Inconclusive);
    }

    #[test]
    fn a_signed_answer_is_judged_in_each_of_its_parts() {
        let said = |facts: &str| {
            let answer = "< 200 {\"sub\":\"u\"}\n";
            let text =
                format!("{GRANTED}> GET userinfo\n> Authorization: Bearer A\n! signed {facts}\n{answer}");
            verdict("userinfo/signed-answer-is-sound", &text)
        };
        let facts = |claims: &str, more: &str| {
            said(&format!("{{\"header\":{{\"alg\":\"RS256\"}},\"claims\":{{{claims}}}{more}}}"))
        };
        let (iss, aud) = ("\"iss\":\"https://org.example\"", "\"aud\":[\"x\",\"main\"]");
        let right = format!("{iss},{aud}");
        assert_eq!(facts(&right, ",\"verifies\":true"), Verdict::Pass);
        assert_eq!(facts(&right, ""), Verdict::Skip, "no key set was fetched");
        assert_eq!(facts(&right, ",\"verifies\":false"), Verdict::Fail);
        for wrong in
            [iss.to_owned(), aud.to_owned(), format!("{iss},\"aud\":\"x\""), format!("{aud},\"iss\":\"x\"")]
        {
            assert_eq!(facts(&wrong, ",\"verifies\":true"), Verdict::Fail, "{wrong}");
        }
        assert_eq!(said("{\"header\":{\"alg\":\"none\"}}"), Verdict::Skip);
    }

    #[test]
    fn what_calls_itself_a_jwt_is_one() {
        let said = |body: &str| {
            let call = "> GET userinfo\n> Authorization: Bearer A\n";
            let text = format!("{GRANTED}{call}< 200 {body}\n< Content-Type: application/jwt\n");
            verdict("userinfo/signed-answer-is-sound", &text)
        };
        assert_eq!(said("not.a.jwt"), Verdict::Fail);
        assert_eq!(said("a.b.c.d.e"), Verdict::Skip, "it is encrypted");
    }

    #[test]
    fn a_token_that_opens_nothing_says_nothing_of_the_method() {
        let text = format!(
            "{GRANTED}> GET userinfo\n> Authorization: Bearer A\n< 403\n> POST userinfo\n> Authorization: Bearer A\n< 403\n"
        );
        assert_eq!(verdict("userinfo/get-and-post-are-answered", &text), Verdict::Skip);
    }

    #[test]
    fn with_the_scope_of_the_api_others_may_be_read() {
        let text = format!("{GRANTED}> GET identity /id/00D/005B\n> Authorization: Bearer A\n< 200 {{}}\n");
        assert_eq!(verdict("userinfo/identity-url-is-its-own-users", &text), Verdict::Skip);
    }
}
