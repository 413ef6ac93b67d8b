//! Assertions that a client presents for a grant: what they say, how they are signed and written, and how often one is
//! sent (RFC 7521, RFC 7522, RFC 7523).

use super::Cite::{Rfc, Salesforce};
use super::evidence::{again, asked_for, is_audience, is_bearer_request, not_tried_again};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::oauth::grant::{jwt_bearer, saml_bearer};
use crate::oauth::salesforce::Profile;
use crate::transcript::{AssertionFacts, Exchange, PRIVATE, Transcript};
use crate::verdict::{Basis, Level};

/// A JWT bearer request with an assertion of that name, what it says, and its answer.
macro_rules! jwt {
    ($name:literal, $facts:literal) => {
        jwt!($name, $facts, "200 {\"access_token\":\"A1\"}")
    };
    ($name:literal, $facts:literal, $answer:literal) => {
        concat!(
            "> POST token grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=",
            $name,
            "\n! assertion ",
            $facts,
            "\n< ",
            $answer,
            "\n"
        )
    };
}

/// The same with a SAML assertion.
macro_rules! saml {
    ($facts:literal) => {
        concat!(
            "> POST token grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Asaml2-bearer&assertion=S\n! assertion ",
            $facts,
            "\n< 200 {\"access_token\":\"A1\"}\n"
        )
    };
}

pub(super) mod asking;
pub(super) mod form;

/// The page of Salesforce that tells of the flow.
const JWT_FLOW: super::Cite = Salesforce("OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration");

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "signing/claims-name-app-and-user",
        title: "the assertion names the app as its issuer and the user as its subject",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLJ-02",
        cites: &[Rfc(7523, "3"), JWT_FLOW],
        explain: "iss is the consumer key of the app, whose certificate the signature is checked with; sub is the user name of whom the \
            client acts for. On Salesforce that is the login name, with the suffix of the sandbox, and neither the e-mail address nor \
            an id. A wrong sub and a user who did not approve the app get the same answer (user hasn't approved this consumer), so \
            look at the claims before you look at Setup.",
        passes: jwt!("J", "{\"claims\":{\"iss\":\"main\",\"sub\":\"svc@example.com\"}}"),
        fails: jwt!("J", "{\"claims\":{\"iss\":\"main\",\"sub\":\"main\"}}"),
        judge: claims_name_app_and_user,
    },
    Check {
        id: "signing/assertion-ends-within-minutes",
        title: "the assertion has an end, as a number of seconds, some minutes ahead",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLJ-03",
        cites: &[Rfc(7523, "3"), Rfc(7519, "2"), JWT_FLOW],
        explain: "exp is a JSON number of seconds since 1970 (RFC 7519). Salesforce documents three minutes ahead and takes more, also \
            text and milliseconds; others do not. An exp in milliseconds lies fifty thousand years ahead: such an assertion is a \
            password that never changes, for whoever finds it. Set now plus two or three minutes, in whole seconds. An end that is \
            more than ten minutes ahead, which some libraries have for a default, weighs less.",
        passes: jwt!("J", "{\"claims\":{\"exp\":{now+150}}}"),
        fails: jwt!("J", "{\"claims\":{\"exp\":{ms}}}"),
        judge: assertion_ends_within_minutes,
    },
    Check {
        id: "signing/audience-is-the-server-asked",
        title: "the audience of the assertion is the server that is asked; production and sandbox are not mixed",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLJ-12",
        cites: &[JWT_FLOW, Rfc(7523, "3")],
        explain: "aud is the login host of the world that the org lives in: https://login.salesforce.com for production, \
            https://test.salesforce.com for a sandbox, or the site or My Domain that is asked. A client that has one of them as a \
            constant works until it is pointed at the other (audience is invalid), and one that names several in a list signs \
            assertions that any of them could take to another. Derive the audience from the configured login host.",
        passes: jwt!("J", "{\"claims\":{\"aud\":\"https://org.example\"}}"),
        fails: concat!(
            "= salesforce\n",
            jwt!("J", "{\"claims\":{\"aud\":\"https://test.salesforce.com\"}}"),
            "! host https://login.salesforce.com\n"
        ),
        judge: audience_is_the_server_asked,
    },
    Check {
        id: "signing/saml-assertion-is-whole",
        title: "a SAML assertion has issuer, subject, audience, recipient, an end and a signature that fit",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLJ-13",
        cites: &[Rfc(7522, "2.1"), Rfc(7522, "3")],
        explain: "The assertion names the app as issuer, the user in NameID, the server in AudienceRestriction, and in the bearer \
            confirmation the token endpoint as Recipient, with NotOnOrAfter as its end. It is signed with the registered key, and \
            encoded with base64url and no line breaks. Each of these is a way in which somebody else's assertion, or last year's, \
            would be taken; each that is left out is refused with the same invalid assertion. An assertion that a single sign-on \
            gave for another recipient cannot be used again here.",
        passes: saml!(
            "{\"kind\":\"saml\",\"verifies\":true,\"claims\":{\"iss\":\"main\",\"sub\":\"svc@example.com\",\"aud\":[\"https://org.example\"],\"recipient\":\"https://org.example/token\",\"exp\":{now+150}}}"
        ),
        fails: saml!(
            "{\"kind\":\"saml\",\"verifies\":true,\"claims\":{\"iss\":\"main\",\"sub\":\"svc@example.com\",\"aud\":[\"https://org.example\"],\"exp\":{now+150}}}"
        ),
        judge: saml_assertion_is_whole,
    },
];

/// For how many seconds an assertion may be good before that is worth a word.
const MINUTES: i64 = 610;
/// From when on an end was surely not meant in seconds.
const YEARS: i64 = 20 * 366 * 86_400;

/// Every grant assertion that was sent to its server, with what it says.
fn assertions(t: &Transcript) -> impl Iterator<Item = (&Exchange, &AssertionFacts)> {
    let there = t.at(Endpoint::Token).filter(|x| !x.is_at_stranger());
    there.filter_map(|x| Some((x, x.facts.assertion.as_ref()?)))
}

/// Every JWT of these that can be read.
fn jwts(t: &Transcript) -> impl Iterator<Item = (&Exchange, &AssertionFacts)> {
    assertions(t).filter(|(_, says)| says.kind == "jwt" && says.malformed.is_none())
}

fn text<'a>(says: &'a AssertionFacts, claim: &str) -> Option<&'a str> {
    says.claims.get(claim).and_then(|value| value.as_str()).filter(|text| !text.is_empty())
}

fn claims_name_app_and_user(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "the consumer key as iss and the user name as sub";
    for (x, says) in jwts(t) {
        let users = &t.subject.users;
        let flaw = match (text(says, "iss"), text(says, "sub")) {
            (None, _) => "no iss",
            (_, None) => "no sub",
            (Some(iss), _) if !t.subject.apps.is_empty() && t.subject.app_of(iss).is_none() => {
                "an iss that is no app's"
            }
            (_, Some(sub)) if !users.is_empty() && !users.values().any(|name| name == sub) => {
                "a sub that is no user's name"
            }
            _ => {
                j.pass();
                continue;
            }
        };
        j.fail(&[x], expected, flaw);
    }
    j
}

fn assertion_ends_within_minutes(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "exp as a number of seconds, some minutes ahead";
    for (x, says) in jwts(t) {
        let exp = says.claims.get("exp");
        let Some(seconds) = says.exp().filter(|_| exp.is_some_and(|exp| exp.is_number())) else {
            let observed = if exp.is_some() { "an exp that is no number" } else { "no exp" };
            j.fail(&[x], expected, observed);
            continue;
        };
        match seconds.saturating_sub(x.at / 1000) {
            ..=0 => j.fail(&[x], expected, "an exp that is past"),
            1..=MINUTES => j.pass(),
            YEARS.. => j.fail(&[x], expected, "an exp that is no time in seconds"),
            ahead => j.fail_lesser(&[x], expected, format!("{ahead} seconds ahead")),
        }
    }
    j
}

fn audience_is_the_server_asked(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, says) in jwts(t) {
        let audiences = says.audiences();
        let expected = "the server that is asked as aud, and no other";
        match audiences.iter().find(|audience| !is_audience(t, x, audience)) {
            Some(other) => j.fail(&[x], expected, (*other).to_owned()),
            None if audiences.is_empty() => j.fail(&[x], expected, "no aud"),
            None => j.pass(),
        }
    }
    j
}

fn saml_assertion_is_whole(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, says) in assertions(t).filter(|(_, says)| says.kind == "saml") {
        let audiences = says.audiences();
        let recipient = text(says, "recipient");
        let ends = says.exp().map(|exp| exp.saturating_sub(x.at / 1000));
        let flaw = if let Some(why) = &says.malformed {
            why.clone()
        } else if text(says, "iss").is_none() || text(says, "sub").is_none() {
            "no issuer or no subject".to_owned()
        } else if !audiences.iter().any(|audience| is_audience(t, x, audience)) {
            "no audience that is the server".to_owned()
        } else if recipient.is_none_or(|to| !is_audience(t, x, to)) {
            "no recipient that is the token endpoint".to_owned()
        } else if ends.is_none_or(|ahead| !(1..YEARS).contains(&ahead)) {
            "no end that is some minutes ahead".to_owned()
        } else if says.verifies == Some(false) {
            says.rejected.clone().unwrap_or_else(|| "a signature that does not fit".to_owned())
        } else {
            j.pass();
            continue;
        };
        j.fail(&[x], "an assertion with all that the profile asks for", flaw);
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::{Level, Verdict};

    #[test]
    fn whom_nobody_knows_is_nobody() {
        let id = "signing/claims-name-app-and-user";
        comes_to(id, jwt!("J", "{\"claims\":{\"sub\":\"svc@example.com\"}}"), Verdict::Fail);
        comes_to(id, jwt!("J", "{\"claims\":{\"iss\":\"main\"}}"), Verdict::Fail);
        comes_to(id, jwt!("J", "{\"claims\":{\"iss\":\"x\",\"sub\":\"svc@example.com\"}}"), Verdict::Fail);
        comes_to(id, jwt!("J", "{\"malformed\":\"x\"}"), Verdict::Skip);
    }

    #[test]
    fn an_end_is_a_number_of_seconds() {
        let id = "signing/assertion-ends-within-minutes";
        comes_to(id, jwt!("J", "{\"claims\":{}}"), Verdict::Fail);
        comes_to(id, jwt!("J", "{\"claims\":{\"exp\":\"{now+60}\"}}"), Verdict::Fail);
        comes_to(id, jwt!("J", "{\"claims\":{\"exp\":{now-60}}}"), Verdict::Fail);
        comes_to(id, jwt!("J", "{\"claims\":{\"exp\":{now+300}}}"), Verdict::Pass);
        let hour =
            judge_one(find(id).unwrap(), &script::read(jwt!("J", "{\"claims\":{\"exp\":{now+3600}}}")));
        assert_eq!((hour.verdict, hour.findings[0].level), (Verdict::Fail, Level::Should));
    }

    #[test]
    fn an_audience_is_one_of_the_server() {
        let id = "signing/audience-is-the-server-asked";
        comes_to(id, jwt!("J", "{\"claims\":{\"aud\":\"https://org.example/token\"}}"), Verdict::Pass);
        comes_to(id, jwt!("J", "{\"claims\":{}}"), Verdict::Fail);
        let both = "{\"claims\":{\"aud\":[\"https://org.example\",\"https://other.example\"]}}";
        comes_to(id, &jwt!("J", "{}").replace("{}", both), Verdict::Fail);
    }

    #[test]
    fn each_part_of_a_saml_assertion_is_missed() {
        let id = "signing/saml-assertion-is-whole";
        let good = find(id).unwrap().passes;
        for (from, to) in [
            ("\"iss\":\"main\",", ""),
            ("\"sub\":\"svc@example.com\",", ""),
            ("[\"https://org.example\"]", "[\"https://other.example\"]"),
            ("/token\"", "/elsewhere\""),
            (",\"exp\":{now+150}", ""),
            ("{now+150}", "{now-1}"),
            ("\"verifies\":true", "\"verifies\":false"),
            ("\"kind\"", "\"malformed\":\"line breaks\",\"kind\""),
        ] {
            assert_ne!(good, good.replace(from, to), "{from}");
            comes_to(id, &good.replace(from, to), Verdict::Fail);
        }
    }
}
