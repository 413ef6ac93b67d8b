//! The judges of JWT assertions: what must be granted, and what must be refused.

use crate::catalog::assertion::{
    self, Flaw, GRANT, JWT, assertions, claim, refused_forms, same_user, shown_user, tweaked, unknown_client,
};
use crate::catalog::{Judgement, client_credentials};
use crate::oauth::salesforce::Profile;
use crate::transcript::Transcript;

/// Errors by profile.
fn by_profile<'e>(t: &Transcript, rfc: &'e [&'e str], salesforce: &'e [&'e str]) -> &'e [&'e str] {
    if t.subject.profile == Profile::Salesforce { salesforce } else { rfc }
}

fn refused(t: &Transcript, flaw: Flaw, errors: &[&str], because: &str) -> Judgement {
    assertion::refused(t, JWT, flaw, errors, because)
}

pub(super) fn right_assertion_is_granted(t: &Transcript) -> Judgement {
    assertion::right_is_granted(t, JWT)
}

pub(super) fn missing_issuer_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::NoIssuer, unknown_client(t), "the assertion has no iss")
}

pub(super) fn unknown_issuer_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::UnknownIssuer, unknown_client(t), "iss names no client of this server")
}

pub(super) fn missing_subject_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::NoSubject, GRANT, "the assertion has no sub")
}

pub(super) fn unknown_user_is_refused(t: &Transcript) -> Judgement {
    let salesforce = &["invalid_grant", "invalid_app_access", "inactive_user"];
    let errors = by_profile(t, GRANT, salesforce);
    refused(t, Flaw::UnknownUser, errors, "sub names nobody who may log in")
}

pub(super) fn missing_audience_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::NoAudience, GRANT, "the assertion has no aud")
}

pub(super) fn wrong_audience_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::WrongAudience, GRANT, "aud names another server")
}

pub(super) fn missing_expiry_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::NoExpiry, GRANT, "the assertion has no exp")
}

pub(super) fn expired_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::Expired, GRANT, "exp has passed")
}

pub(super) fn far_expiry_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::FarExpiry, GRANT, "exp lies more than a month ahead")
}

pub(super) fn not_yet_valid_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::NotYetValid, GRANT, "nbf has not come")
}

pub(super) fn strange_issue_time_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::IssuedAfar, GRANT, "iat lies an hour ahead, or a month back")
}

pub(super) fn replay_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::Replayed, GRANT, "an assertion with this jti was granted before")
}

pub(super) fn unsigned_is_refused(t: &Transcript) -> Judgement {
    // Salesforce answers some algorithms that it does not take with invalid_client.
    let errors = by_profile(t, GRANT, &["invalid_grant", "invalid_client"]);
    refused(t, Flaw::Unsigned, errors, "the assertion is not signed")
}

pub(super) fn wrong_signature_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::WrongSignature, GRANT, "the signature does not fit the key of the app")
}

pub(super) fn public_key_is_no_secret(t: &Transcript) -> Judgement {
    let errors = by_profile(t, GRANT, &["invalid_grant", "invalid_client"]);
    refused(t, Flaw::PublicKeyAsSecret, errors, "it is an HMAC under the public key of the app")
}

pub(super) fn shown_key_is_not_trusted(t: &Transcript) -> Judgement {
    refused(t, Flaw::ShownKey, GRANT, "the key that it shows in its header is not the app's")
}

pub(super) fn other_algorithms_are_refused(t: &Transcript) -> Judgement {
    let errors = &["invalid_grant", "invalid_client"];
    refused(t, Flaw::OtherAlgorithm, errors, "RS256 is the one documented algorithm")
}

pub(super) fn unapproved_user_is_refused(t: &Transcript) -> Judgement {
    let errors = by_profile(t, GRANT, &["invalid_grant", "invalid_app_access"]);
    refused(t, Flaw::UnapprovedUser, errors, "the user did not approve the app")
}

pub(super) fn failure_is_invalid_grant(t: &Transcript) -> Judgement {
    assertion::failure_is_invalid_grant(t, JWT)
}

pub(super) fn no_refresh_token(t: &Transcript) -> Judgement {
    assertion::no_refresh_token(t, JWT)
}

pub(super) fn scope_is_not_widened(t: &Transcript) -> Judgement {
    client_credentials::scope_is_not_widened(t, JWT.grant_type)
}

/// Claims that servers give a meaning to; whatever else stands in an assertion must be ignored.
const KNOWN: [&str; 12] =
    ["iss", "sub", "prn", "aud", "exp", "nbf", "iat", "jti", "scope", "scp", "client_id", "resource"];

pub(super) fn extra_claims_are_ignored(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let all = assertions(t, JWT);
    for (x, a, flaws) in &all {
        if !flaws.is_empty() || a.claims.keys().all(|name| KNOWN.contains(&name.as_str())) {
            continue;
        }
        let plain = all.iter().any(|(y, b, _)| {
            let bare = b.claims.keys().all(|name| KNOWN.contains(&name.as_str()));
            y.granted() && bare && b.issuer() == a.issuer() && claim(b, "sub") == claim(a, "sub")
        });
        if x.granted() {
            j.pass();
        } else if plain && (400..500).contains(&x.status()) {
            j.fail(&[x], "200 with an access token: claims that mean nothing here are ignored", x.outcome());
        }
    }
    j
}

pub(super) fn other_encoding_is_refused(t: &Transcript) -> Judgement {
    let unreadable = |x: &crate::transcript::Exchange| {
        x.facts.assertion.as_ref().is_some_and(|a| a.malformed.is_some()) && tweaked(x, "encoding: ")
            || x.request.form().repeated() == Some("assertion")
    };
    let errors = &["invalid_grant", "invalid_request", "invalid_client"];
    refused_forms(t, JWT, unreadable, errors, "what stands in assertion is not one base64url JWS")
}

pub(super) fn prn_decides(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.requests_of(JWT.grant_type).filter(|_| t.subject.profile == Profile::Salesforce) {
        let text = |name: &str| claim(x.facts.assertion.as_ref()?, name)?.as_str();
        let (Some(prn), Some(sub)) = (text("prn"), text("sub")) else { continue };
        if same_user(prn, sub) || !x.granted() {
            continue;
        }
        let expected = || format!("a token that acts for {prn}, whom prn names");
        match shown_user(t, x) {
            Some((_, name)) if same_user(name, prn) => j.pass(),
            Some((z, name)) if same_user(name, sub) => {
                j.fail(&[x, z], expected(), format!("it acts for {name}"));
            }
            _ => {}
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::assertion::audience;
    use crate::catalog::{find, judge_one};
    use crate::oauth::grant::jwt_bearer::GRANT_TYPE;
    use crate::transcript::{AssertionFacts, script};
    use crate::verdict::Level;
    use crate::verdict::{Finding, Verdict};
    use serde_json::Value;

    /// A request whose assertion has these claims, and its answer.
    fn sent(claims: &str, answer: &str) -> String {
        format!(
            "> POST token grant_type={GRANT_TYPE}&assertion=J2\n\
             ! assertion {{\"claims\":{{{claims}}},\"alg\":\"RS256\",\"verifies\":true}}\n< {answer}"
        )
    }

    /// What a check says of a request whose assertion has these claims, after what stands before it.
    fn findings(id: &str, before: &str, claims: &str, answer: &str) -> (Verdict, Vec<Finding>) {
        let judged =
            judge_one(find(id).unwrap(), &script::read(&format!("{before}\n{}", sent(claims, answer))));
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
    fn an_audience_that_was_granted_once_is_beyond_doubt() {
        let granted = |aud: &str| script::read(&sent(&RIGHT.replace("https://org.example", aud), GRANTED));
        let a = AssertionFacts {
            claims: [("aud".to_owned(), Value::from("https://org.example/token"))].into_iter().collect(),
            ..AssertionFacts::default()
        };
        assert_eq!(audience(&granted("https://org.example/token"), JWT, &a), None);
        assert_eq!(audience(&granted("https://org.example/other"), JWT, &a), Some(Flaw::Doubt));
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
        assert_eq!(audience(&sandbox, JWT, &aud("https://login.salesforce.com")), Some(Flaw::WrongAudience));
        assert_eq!(audience(&sandbox, JWT, &aud("https://test.salesforce.com")), None);
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
        let judge = |text: &str| public_key_is_no_secret(&script::read(text)).verdict();
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
