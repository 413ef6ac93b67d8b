//! The judges of assertions: what must be granted, what must be refused, and who a token acts for.

use super::flaws::{Flaw, assertions, claim, same_user};
use crate::catalog::Judgement;
use crate::oauth::Endpoint;
use crate::oauth::salesforce::Profile;
use crate::transcript::{AssertionFacts, Exchange, Transcript};

pub(super) fn right_assertion_is_granted(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let mut granted: Vec<(&Exchange, &str)> = Vec::new();
    for (x, a, flaws) in assertions(t) {
        let revoked = || t.before(x).any(|y| y.endpoint == Endpoint::Revoke);
        if !x.granted() {
            if flaws.is_empty() && !revoked() {
                j.fail(&[x], "200 with an access token for the user in sub", x.outcome());
            }
            continue;
        }
        if a.verifies != Some(true)
            || flaws.iter().any(|flaw| *flaw != Flaw::Doubt)
            || claim(a, "prn").is_some()
        {
            continue;
        }
        let Some(user) = a.claims.get("sub").and_then(|sub| sub.as_str()) else { continue };
        j.pass();
        if let Some((z, name)) = shown_user(t, x).filter(|(_, name)| !same_user(name, user)) {
            let another = t.subject.users.values().any(|known| same_user(known, name));
            if another || t.subject.profile == Profile::Salesforce {
                j.fail(&[x, z], format!("a token that acts for {user}"), format!("it acts for {name}"));
            }
        }
        let Some(id) = user_id(x) else { continue };
        // The control may have been played on another instance of the org.
        for (y, other) in granted.iter().filter(|(y, _)| y.part == x.part) {
            if user_id(y).is_some_and(|known| (known == id) != same_user(other, user)) {
                let observed =
                    format!("the identity URLs end in {} and {id}", user_id(y).unwrap_or_default());
                j.fail(&[y, x], format!("the users {other} and {user}, each in its token"), observed);
            }
        }
        granted.push((x, user));
    }
    j
}

pub(super) fn missing_issuer_is_refused(t: &Transcript) -> Judgement {
    // Without iss the server does not know the client, and may say that instead.
    let salesforce = &["invalid_grant", "invalid_client", "invalid_client_id", "app_not_found"];
    refused(t, Flaw::NoIssuer, &["invalid_grant", "invalid_client"], salesforce, "the assertion has no iss")
}

pub(super) fn missing_subject_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::NoSubject, GRANT, GRANT, "the assertion has no sub")
}

pub(super) fn missing_audience_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::NoAudience, GRANT, GRANT, "the assertion has no aud")
}

pub(super) fn wrong_audience_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::WrongAudience, GRANT, GRANT, "aud names another server")
}

pub(super) fn missing_expiry_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::NoExpiry, GRANT, GRANT, "the assertion has no exp")
}

pub(super) fn expired_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::Expired, GRANT, GRANT, "exp has passed")
}

pub(super) fn not_yet_valid_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::NotYetValid, GRANT, GRANT, "nbf has not come")
}

pub(super) fn unsigned_is_refused(t: &Transcript) -> Judgement {
    // Salesforce answers some algorithms that it does not take with invalid_client.
    let salesforce = &["invalid_grant", "invalid_client"];
    refused(t, Flaw::Unsigned, GRANT, salesforce, "the assertion is not signed")
}

pub(super) fn wrong_signature_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::WrongSignature, GRANT, GRANT, "the signature does not fit the key of the app")
}

pub(super) fn unapproved_user_is_refused(t: &Transcript) -> Judgement {
    let salesforce = &["invalid_grant", "invalid_app_access"];
    refused(t, Flaw::UnapprovedUser, GRANT, salesforce, "the user did not approve the app")
}

/// RFC 7523 §3.1.
const GRANT: &[&str] = &["invalid_grant"];

/// Every assertion with that flaw must be refused, with one of the errors of the profile. A refusal counts
/// where nothing else is wrong with the request.
fn refused(t: &Transcript, flaw: Flaw, rfc: &[&str], salesforce: &[&str], because: &str) -> Judgement {
    let mut j = Judgement::new();
    let errors = if t.subject.profile == Profile::Salesforce { salesforce } else { rfc };
    let all = assertions(t);
    for (x, a, _) in
        all.iter().filter(|(x, _, flaws)| flaws[..] == [flaw] || x.granted() && flaws.contains(&flaw))
    {
        let same_app = |y: &Exchange, b: &AssertionFacts| match a.issuer() {
            Some(issuer) => b.issuer() == Some(issuer),
            None => y.app == x.app,
        };
        let control = all.iter().any(|(y, b, flaws)| {
            y.granted()
                && same_app(y, b)
                && b.verifies == Some(true)
                && flaws.iter().all(|f| *f == Flaw::Doubt)
        });
        j.refused(x, control, errors, because);
    }
    j
}

/// Whom an access token acts for, as userinfo or the identity URL say later.
fn shown_user<'t>(t: &'t Transcript, x: &Exchange) -> Option<(&'t Exchange, &'t str)> {
    let token = x.text("access_token")?;
    let uses = |z: &Exchange| {
        let sent = z.request.bearer().or(z.param("access_token")).or(z.param("oauth_token"));
        matches!(z.endpoint, Endpoint::Userinfo | Endpoint::Identity)
            && sent == Some(token)
            && z.status() == 200
    };
    let told = |z: &'t Exchange| Some((z, z.text("preferred_username").or(z.text("username"))?));
    t.after(x).filter(|z| uses(z)).find_map(told)
}

/// The user's part of Salesforce's identity URL.
fn user_id(x: &Exchange) -> Option<&str> {
    let (_, path) = x.text("id")?.split_once("/id/")?;
    let (_, user) = path.split_once('/')?;
    Some(user.get(..15).unwrap_or(user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::jwt_bearer::flaws::audience;
    use crate::catalog::{find, judge_one};
    use crate::oauth::grant::jwt_bearer::GRANT_TYPE;
    use crate::transcript::script;
    use crate::verdict::Level;
    use crate::verdict::{Finding, Verdict};
    use serde_json::Value;

    /// What a check says of a request whose assertion has these claims, after what stands before it.
    fn findings(id: &str, before: &str, claims: &str, answer: &str) -> (Verdict, Vec<Finding>) {
        let request = format!(
            "> POST token grant_type={GRANT_TYPE}&assertion=J2\n\
             ! assertion {{\"claims\":{{{claims}}},\"alg\":\"RS256\",\"verifies\":true}}\n< {answer}"
        );
        let judged = judge_one(find(id).unwrap(), &script::read(&format!("{before}\n{request}")));
        (judged.verdict, judged.findings)
    }

    fn verdict(id: &str, before: &str, claims: &str, answer: &str) -> Verdict {
        findings(id, before, claims, answer).0
    }

    const REFUSED: &str = answer!("invalid assertion");
    const GRANTED: &str = answer!(granted);
    const RIGHT: &str = concat!(claim!(iss), ",", claim!(sub), ",", claim!(aud), ",", claim!(exp));
    const OLD: &str = concat!(claim!(iss), ",", claim!(sub), ",", claim!(aud), ",", claim!(past));

    #[test]
    fn a_refusal_without_a_control_proves_nothing() {
        let expired = "jwt-bearer/expired-is-refused";
        assert_eq!(verdict(expired, "", OLD, REFUSED), Verdict::Inconclusive);
        assert_eq!(verdict(expired, jwt!(), OLD, REFUSED), Verdict::Pass);
        assert_eq!(verdict(expired, jwt!(), OLD, answer!("login rate exceeded")), Verdict::Skip);
    }

    #[test]
    fn another_error_weighs_less() {
        let (verdict, findings) =
            findings("jwt-bearer/expired-is-refused", jwt!(), OLD, "400 {\"error\":\"invalid_request\"}");
        assert_eq!((verdict, findings[0].level), (Verdict::Fail, Level::Should));
    }

    #[test]
    fn what_the_leeway_forgives_is_nobodys_fault() {
        let claims = OLD.replace("{now-300}", "{now-120}");
        for answer in [GRANTED, REFUSED] {
            for id in ["jwt-bearer/expired-is-refused", "jwt-bearer/right-assertion-is-granted"] {
                assert_ne!(verdict(id, "", &claims, answer), Verdict::Fail, "{id} {answer}");
            }
        }
        let strict = "= setting leeway 30s";
        assert_eq!(verdict("jwt-bearer/expired-is-refused", strict, &claims, GRANTED), Verdict::Fail);
    }

    #[test]
    fn a_refusal_for_one_of_two_flaws_says_nothing_of_either_but_acceptance_does() {
        let both = OLD.replace("https://org.example", "https://other.example");
        for id in ["jwt-bearer/expired-is-refused", "jwt-bearer/wrong-audience-is-refused"] {
            assert_eq!(verdict(id, jwt!(), &both, REFUSED), Verdict::Skip);
            assert_eq!(verdict(id, jwt!(), &both, GRANTED), Verdict::Fail);
        }
    }

    #[test]
    fn an_audience_that_may_be_the_server_is_not_called_wrong() {
        let id = "jwt-bearer/wrong-audience-is-refused";
        let aimed = |aud: &str| RIGHT.replace("https://org.example", aud);
        for aud in ["https://org.example/token", "https://org.example/", "http://org.example:8080/x"] {
            assert_eq!(verdict(id, "", &aimed(aud), GRANTED), Verdict::Skip, "{aud}");
        }
        let salesforce = "= salesforce";
        assert_eq!(verdict(id, salesforce, &aimed("https://login.salesforce.com"), GRANTED), Verdict::Skip);
        assert_eq!(verdict(id, salesforce, &aimed("https://login.example"), GRANTED), Verdict::Fail);
        let mut sandbox = script::read(&format!("= salesforce\n{}", jwt!()));
        sandbox.subject.endpoints.issuer = Some("https://acme--uat.sandbox.my.salesforce.com".into());
        let aud = |host: &str| AssertionFacts {
            claims: [("aud".to_owned(), Value::from(host))].into_iter().collect(),
            ..AssertionFacts::default()
        };
        assert_eq!(audience(&sandbox, &aud("https://login.salesforce.com")), Some(Flaw::WrongAudience));
        assert_eq!(audience(&sandbox, &aud("https://test.salesforce.com")), None);
    }

    #[test]
    fn an_assertion_for_later_may_expire_later() {
        let id = "jwt-bearer/not-yet-valid-is-refused";
        let claims = RIGHT.replace("{now+150}", "{now+720},\"nbf\":{now+600}");
        assert_eq!(verdict(id, jwt!(), &claims, REFUSED), Verdict::Pass);
        let alone = RIGHT.replace("{now+150}", "{now+720}");
        let id = "jwt-bearer/right-assertion-is-granted";
        assert_eq!(verdict(id, "", &alone, REFUSED), Verdict::Skip, "it lies far ahead");
    }

    #[test]
    fn another_algorithm_is_not_a_wrong_signature() {
        let rs384 = jwt!("J2": iss sub aud exp; "\"alg\":\"RS384\",\"verifies\":false" => granted);
        let t = script::read(rs384);
        assert_eq!(wrong_signature_is_refused(&t).verdict(), Verdict::Skip);
        // HMAC may be made with a secret that both know; ours is made with the public key.
        let hs256 = |tweak: &str| rs384.replace("RS384", "HS256").replace("\n<", &format!("\n{tweak}\n<"));
        let judge = |text: &str| wrong_signature_is_refused(&script::read(text)).verdict();
        assert_eq!((judge(&hs256("")), judge(&hs256("! tweak alg: HS256"))), (Verdict::Skip, Verdict::Fail));
    }

    #[test]
    fn a_token_for_somebody_else_fails_a_right_assertion() {
        let id = "jwt-bearer/right-assertion-is-granted";
        let shown = |name: &str| {
            let call = "> GET userinfo\n> Authorization: Bearer A1\n< 200 {\"preferred_username\":\"NAME\"}";
            let t = script::read(&format!("{}{}", jwt!(), call.replace("NAME", name)));
            judge_one(find(id).unwrap(), &t).verdict
        };
        assert_eq!(shown("SVC@example.com"), Verdict::Pass);
        assert_eq!(shown("stranger@example.com"), Verdict::Fail);
        assert_eq!(shown("nick"), Verdict::Pass, "some servers' user names are not what sub says");
        let granted = GRANTED.replace('}', ",\"id\":\"https://x/id/00D/005A\"}");
        let before = jwt!().replace(GRANTED, &granted);
        let both = |user: &str| verdict(id, &before, &RIGHT.replace("svc@", user), &granted);
        assert_eq!((both("svc@"), both("bob@")), (Verdict::Pass, Verdict::Fail));
    }

    #[test]
    fn a_user_who_approved_meanwhile_is_not_unapproved() {
        let id = "jwt-bearer/unapproved-user-is-refused";
        let claims = RIGHT.replace("svc@", "stranger@");
        let approved = "> GET authorize client_id=main\n! user unapproved\n< 302\n< Location: https://client.example/callback?code=C\n";
        assert_eq!(verdict(id, approved, &claims, GRANTED), Verdict::Skip);
        assert_eq!(verdict(id, "", &claims, GRANTED), Verdict::Fail);
    }
}
