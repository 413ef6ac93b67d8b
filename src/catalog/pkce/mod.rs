//! Proof Key for Code Exchange (RFC 7636), and what RFC 9700 asks of it beyond.

use super::Cite::Rfc;
use super::authorize::{End, journeys};
use super::{Check, Judgement, Party};
use crate::oauth::from_base64url;
use crate::oauth::grant::authorization_code::GRANT_TYPE;
use crate::oauth::pkce::Method;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// The challenge of RFC 7636 appendix B.
macro_rules! challenge {
    () => {
        "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    };
}

/// The verifier that belongs to it.
macro_rules! verifier {
    () => {
        "&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    };
}

/// A code that was asked for with the one, and its redemption with the other, without the answer.
macro_rules! exchange {
    ($code:literal, $challenge:expr, $verifier:expr) => {
        concat!(
            "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback",
            $challenge,
            "\n< 302\n< Location: https://client.example/callback?code=",
            $code,
            "\n> POST token grant_type=authorization_code&client_id=main&client_secret=s\
             &redirect_uri=https://client.example/callback&code=",
            $code,
            $verifier,
            "\n! secret right\n"
        )
    };
}

macro_rules! taken {
    () => {
        "< 200 {\"access_token\":\"A2\",\"token_type\":\"Bearer\"}\n"
    };
}

macro_rules! refused {
    () => {
        "< 400 {\"error\":\"invalid_grant\",\"error_description\":\"invalid code verifier\"}\n"
    };
}

/// The positive control.
macro_rules! redeemed {
    () => {
        concat!(exchange!("C1", challenge!(), verifier!()), taken!())
    };
}

mod methods;
mod verifiers;

pub(super) use methods::CHECKS as METHODS;
pub(super) use verifiers::CHECKS as VERIFIERS;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "pkce/right-verifier-is-accepted",
        title: "a code that was asked for with an S256 challenge is redeemed with its verifier",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "PK-01",
        cites: &[Rfc(7636, "4.6"), Rfc(9700, "2.1.1")],
        explain: "The challenge is the SHA-256 of the verifier in base64url without padding. A server that computes it \
            otherwise (hexadecimal digits, padding, the other alphabet) refuses every client that does it right. Check the \
            computation with the example in appendix B of RFC 7636. On Salesforce a refusal reads invalid code verifier.",
        passes: redeemed!(),
        fails: concat!(exchange!("C2", challenge!(), verifier!()), refused!()),
        judge: right_verifier_is_accepted,
    },
    Check {
        id: "pkce/wrong-verifier-is-refused",
        title: "a code is not redeemed with a verifier that does not fit its challenge",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "PK-02",
        cites: &[Rfc(7636, "4.6")],
        explain: "The verifier proves that whoever redeems the code is who asked for it. If it is not compared, a code \
            that leaked through a log, a referrer or a hijacked callback is good for anybody. Compute the challenge of what \
            was sent, compare the whole of it, and answer invalid_grant.",
        passes: concat!(
            redeemed!(),
            exchange!("C2", challenge!(), "&code_verifier=eBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            refused!()
        ),
        fails: concat!(
            exchange!("C2", challenge!(), "&code_verifier=eBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            taken!()
        ),
        judge: wrong_verifier_is_refused,
    },
    Check {
        id: "pkce/missing-verifier-is-refused",
        title: "a code that was asked for with a challenge is not redeemed without a verifier",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "PK-03",
        cites: &[Rfc(9700, "2.1.1"), Rfc(7636, "4.6")],
        explain: "A thief of a code does not have the verifier; if he may leave it out, the challenge protects nothing. \
            Once a challenge was sent, a verifier is required, also from clients that have a secret. Keep with the code \
            that it has a challenge, and decide by that and not by what the token request brings.",
        passes: concat!(redeemed!(), exchange!("C2", challenge!(), ""), refused!()),
        fails: concat!(exchange!("C2", challenge!(), ""), taken!()),
        judge: missing_verifier_is_refused,
    },
    Check {
        id: "pkce/verifier-without-challenge-is-refused",
        title: "a code that was asked for without a challenge is not redeemed with a verifier",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "PK-04",
        cites: &[Rfc(9700, "2.1.1"), Rfc(9700, "4.8.2")],
        explain: "A client that sends a verifier believes that it sent a challenge too. If the code has none, somebody took \
            it out of the authorization request, and may now feed a stolen code to the client. A server that ignores the \
            verifier hides that. Refuse the request. Salesforce is known to ignore a verifier that it did not ask for.",
        passes: concat!(redeemed!(), exchange!("C2", "", verifier!()), refused!()),
        fails: concat!(exchange!("C2", "", verifier!()), taken!()),
        judge: verifier_without_challenge_is_refused,
    },
    Check {
        id: "pkce/public-client-needs-a-challenge",
        title: "a public client gets no code without a challenge",
        binds: Party::Org,
        level: Level::Must,
        // RFC 9700 tells public clients to use PKCE, and RFC 7636 the server how to insist; that it must insist follows.
        basis: Basis::Derived,
        origin: "PK-05",
        cites: &[Rfc(9700, "2.1.1"), Rfc(7636, "4.4.1"), Rfc(8252, "8.1")],
        explain: "A public client has no secret, so the verifier is all that ties a code to whoever asked for it. Public \
            clients have to use PKCE; a server that does not insist leaves those that forget it open to a stolen code. \
            Refuse with invalid_request before the login. On Salesforce switch on Require Proof Key for Code Exchange in \
            the OAuth settings of the app, or for the whole org; the refusal reads missing required code challenge.",
        passes: "> GET authorize response_type=code&client_id=public&redirect_uri=https://public.example/callback\
            &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\n\
            < 302\n\
            < Location: https://public.example/callback?code=C1\n\
            > GET authorize response_type=code&client_id=public&redirect_uri=https://public.example/callback\n\
            < 400 error=invalid_request&error_description=missing%20required%20code%20challenge",
        fails: "> GET authorize response_type=code&client_id=public&redirect_uri=https://public.example/callback\n\
            < 302\n\
            < Location: https://public.example/callback?code=C2",
        judge: public_client_needs_a_challenge,
    },
    Check {
        id: "pkce/challenge-is-no-verifier",
        title: "an S256 challenge is not accepted as its own verifier",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "PK-08",
        cites: &[Rfc(7636, "4.6"), Rfc(7636, "7.2")],
        explain: "The challenge travels through the browser and is no secret; only what it was made of is. A server that \
            compares the verifier as it stands, as the plain method does, although S256 was asked for, lets everybody redeem \
            who saw the request. Keep the method with the code, and hash before comparing.",
        passes: concat!(
            redeemed!(),
            exchange!("C2", challenge!(), "&code_verifier=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            refused!()
        ),
        fails: concat!(
            exchange!("C2", challenge!(), "&code_verifier=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            taken!()
        ),
        judge: challenge_is_no_verifier,
    },
];

/// How long a code surely lives where nobody said for how long, in milliseconds.
const FRESH: i64 = 60_000;

/// The redemption of a code whose authorization request stands in the record.
struct Redemption<'t> {
    x: &'t Exchange,
    authorize: &'t Exchange,
    issued: &'t Exchange,
    challenge: Option<&'t str>,
    verifier: Option<&'t str>,
}

/// Redemptions of which the record tells whether there was a challenge.
fn redemptions(t: &Transcript) -> impl Iterator<Item = Redemption<'_>> {
    t.requests_of(GRANT_TYPE).filter_map(|x| {
        let code = t.code(x.request.form().get("code")?)?;
        let asked = |name: &str| code.authorize.param(name).filter(|value| !value.is_empty());
        // A request object may hold a challenge that the record does not show.
        let clear = asked("request").is_none() && asked("request_uri").is_none();
        let once = x.request.form().repeated().is_none()
            && code.authorize.request.query().repeated().is_none()
            && code.authorize.request.form().repeated().is_none();
        (clear && once).then(|| Redemption {
            x,
            authorize: code.authorize,
            issued: code.issued,
            challenge: asked("code_challenge"),
            verifier: x.param("code_verifier").filter(|verifier| !verifier.is_empty()),
        })
    })
}

impl Redemption<'_> {
    fn method(&self) -> Option<&str> {
        self.authorize.param("code_challenge_method").filter(|method| !method.is_empty())
    }

    /// Whether the verifier fits the challenge, by the method that was asked for. Where none was named it is plain by
    /// RFC 7636 §4.3 and S256 by Salesforce: either will do.
    fn fits(&self) -> Option<bool> {
        let (challenge, verifier) = (self.challenge?, self.verifier?);
        let hashed = self.x.facts.verifier_s256.as_deref() == Some(challenge);
        match self.method() {
            Some("S256") => Some(hashed),
            Some("plain") => Some(verifier == challenge),
            None => Some(hashed || verifier == challenge),
            Some(_) => None,
        }
    }

    /// Whether the challenge is the hash of the verifier in another encoding than the one of RFC 7636 §4.2.
    fn is_written_otherwise(&self) -> bool {
        let (Some(challenge), Some(right)) = (self.challenge, self.x.facts.verifier_s256.as_deref()) else {
            return false;
        };
        let Some(hash) = from_base64url(right) else { return false };
        let hexadecimal: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        challenge != right
            && (challenge.eq_ignore_ascii_case(&hexadecimal)
                || challenge.trim_end_matches('=').replace('+', "-").replace('/', "_") == right)
    }

    /// Whether the challenge itself was sent as the verifier.
    fn repeats_the_challenge(&self) -> bool {
        self.challenge.is_some_and(|challenge| {
            self.verifier == Some(challenge)
                || self.x.facts.verifier_s256 == Some(Method::S256.challenge(challenge))
        })
    }

    /// Whether the verifier has a legal length (RFC 7636 §4.1).
    fn length_is_legal(&self) -> bool {
        self.x.facts.verifier_length.is_none_or(|length| (43..=128).contains(&length))
    }

    /// Whether nothing else is wrong with the request, as far as the record shows: the first use of a fresh code by
    /// its client, authenticated, with the redirect URI that was asked for.
    fn is_sound(&self, t: &Transcript) -> bool {
        self.is_sound_but_for_the_secret(t) && self.x.facts.secret_is_right != Some(false)
    }

    fn is_sound_but_for_the_secret(&self, t: &Transcript) -> bool {
        let x = self.x;
        let form = x.request.form();
        let first = !t.requests_of(GRANT_TYPE).any(|earlier| {
            let same = earlier.number != x.number && earlier.param("code") == x.param("code");
            same && (earlier.number < x.number || x.race.is_some() && earlier.race == x.race)
        });
        let fresh = x.at - self.issued.at < t.subject.settings.millis("code_ttl").unwrap_or(FRESH);
        let basic = x.request.header("authorization").is_some();
        let (secret, assertion) =
            (form.get("client_secret").is_some(), form.get("client_assertion").is_some());
        let app = x.client_id().and_then(|id| t.subject.app_of(id));
        let authenticated = match [basic, secret, assertion].iter().filter(|way| **way).count() {
            0 => {
                app.is_some_and(|app| app.public)
                    || t.subject.settings_of(x.client_id()).is("secret_optional")
            }
            1 => true,
            _ => false,
        };
        first
            && fresh
            && authenticated
            && x.facts.client_assertion.as_ref().is_none_or(|a| a.verifies != Some(false))
            && x.request.method == "POST"
            && x.client_id() == self.authorize.param("client_id")
            && x.param("redirect_uri") == self.authorize.param("redirect_uri")
    }

    /// Whether a code of the same client was redeemed as it should be.
    fn has_control(&self, t: &Transcript) -> bool {
        redemptions(t).any(|other| {
            let bare = other.challenge.is_none() && other.verifier.is_none();
            other.x.granted()
                && other.x.client_id() == self.x.client_id()
                && (other.fits() == Some(true) || bare && self.challenge.is_none())
        })
    }
}

fn right_verifier_is_accepted(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for r in redemptions(t).filter(|r| r.method() == Some("S256") && r.fits() == Some(true)) {
        // Other errors are about the client or its rate, and say nothing about the verifier.
        let error = r.x.error().map(|error| error.error).unwrap_or_default();
        let about_it = ["", "invalid_grant", "invalid_request", "server_error"].contains(&error.as_str());
        let sound = r.is_sound(t) && r.length_is_legal() && r.x.tweak.is_none();
        if r.x.granted() {
            j.pass();
        } else if sound && about_it && r.x.response().is_some() && r.x.status() != 429 {
            j.fail(&[r.authorize, r.x], "200 with an access token: the verifier fits", r.x.outcome());
        }
    }
    j
}

fn wrong_verifier_is_refused(t: &Transcript) -> Judgement {
    let wrong = |r: &Redemption<'_>| {
        r.fits() == Some(false) && !r.repeats_the_challenge() && !r.is_written_otherwise()
    };
    refused(t, wrong, &["invalid_grant"], "the verifier does not fit the challenge")
}

fn missing_verifier_is_refused(t: &Transcript) -> Judgement {
    let missing = |r: &Redemption<'_>| r.challenge.is_some() && r.verifier.is_none();
    refused(t, missing, &["invalid_grant", "invalid_request"], "a challenge was sent, and no verifier")
}

fn verifier_without_challenge_is_refused(t: &Transcript) -> Judgement {
    let alone = |r: &Redemption<'_>| r.challenge.is_none() && r.verifier.is_some();
    refused(t, alone, &["invalid_grant", "invalid_request"], "a verifier came, and there is no challenge")
}

fn challenge_is_no_verifier(t: &Transcript) -> Judgement {
    let repeats = |r: &Redemption<'_>| r.method() == Some("S256") && r.repeats_the_challenge();
    refused(t, repeats, &["invalid_grant"], "the verifier is the challenge itself")
}

/// Redemptions with that flaw must be refused. Where something else is wrong as well, only a success says something.
fn refused(
    t: &Transcript,
    flawed: impl Fn(&Redemption<'_>) -> bool,
    errors: &[&str],
    because: &str,
) -> Judgement {
    let mut j = Judgement::new();
    for r in redemptions(t).filter(|r| flawed(r) && (r.x.hands_out_a_token() || r.is_sound(t))) {
        // One that is too short or too long is malformed as well, and may be refused as that.
        let errors = if r.length_is_legal() { errors } else { &[] };
        j.refused(r.x, r.has_control(t), errors, because);
    }
    j
}

fn public_client_needs_a_challenge(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "a refusal with invalid_request: a public client sent no code_challenge";
    for journey in journeys(t) {
        if t.subject.settings_of(journey.one("client_id")).flag("pkce_required") == Some(false) {
            continue;
        }
        // An empty challenge is a matter of its own.
        let sent = journey.values("code_challenge").next().is_some()
            || ["request", "request_uri"]
                .iter()
                .any(|name| journey.values(name).any(|value| !value.is_empty()));
        let public = journey.app(t).is_some_and(|app| app.public);
        if sent || !public || journey.one("response_type") != Some("code") {
            continue;
        }
        let aside = ["code_challenge", "code_challenge_method"];
        if !journey.refused(&mut j, t, journey.end == End::Code, &aside, expected) {
            continue;
        }
        if journey.names("invalid_request") {
            j.pass();
        } else {
            j.fail_lesser(&journey.evidence(), expected, journey.last.outcome());
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::{Judged, find, judge_one};
    use crate::transcript::{Redactor, read, script, write};
    use crate::verdict::{Level, Verdict};

    fn judged(check: &str, script: &str) -> Judged {
        judge_one(find(check).unwrap(), &script::read(script))
    }

    #[track_caller]
    fn comes_to(check: &str, script: &str, verdict: Verdict) {
        let judged = judged(check, script);
        assert_eq!(judged.verdict, verdict, "{:?}", judged.findings);
    }

    const RIGHT: &str = exchange!("C2", challenge!(), verifier!());
    const WRONG_VERIFIER: &str = "pkce/wrong-verifier-is-refused";
    const RIGHT_VERIFIER: &str = "pkce/right-verifier-is-accepted";

    fn wrong() -> String {
        RIGHT.replace("=dBjft", "=eBjft")
    }

    #[test]
    fn a_refusal_proves_nothing_without_a_control_or_beside_another_flaw() {
        comes_to(WRONG_VERIFIER, &format!("{}{}", wrong(), refused!()), Verdict::Inconclusive);
        for (right, wrong_too) in [
            ("! secret right", "! secret wrong"),
            ("client_id=main&client_secret", "client_id=other&client_secret"),
            ("&client_secret=s&redirect_uri", "&client_secret=s&redirect"),
            ("&client_secret=s", ""),
        ] {
            let script = format!("{}{}{}", redeemed!(), wrong().replace(right, wrong_too), refused!());
            assert!(wrong().contains(right), "{right}");
            comes_to(WRONG_VERIFIER, &script, Verdict::Skip);
        }
        let late = format!("{}{}", redeemed!(), wrong().replace("> POST", "+ 5m\n> POST"));
        comes_to(WRONG_VERIFIER, &format!("{late}{}", refused!()), Verdict::Skip);
        comes_to(WRONG_VERIFIER, &format!("= setting code_ttl 10m\n{late}{}", refused!()), Verdict::Pass);
        comes_to(WRONG_VERIFIER, &format!("{late}{}", taken!()), Verdict::Fail);
    }

    #[test]
    fn the_second_use_of_a_code_proves_nothing_about_its_verifier() {
        let again = &RIGHT[RIGHT.find("> POST").unwrap()..];
        let script = format!("{}{}{again}{}", wrong(), refused!(), refused!());
        comes_to(RIGHT_VERIFIER, &script, Verdict::Skip);
        let without = format!("{}{}", again.replace(verifier!(), ""), refused!());
        let script = format!("{RIGHT}{}{without}", taken!());
        comes_to("pkce/missing-verifier-is-refused", &script, Verdict::Skip);
    }

    #[test]
    fn a_refusal_for_another_reason_is_a_lesser_fail() {
        let answer = "< 400 {\"error\":\"invalid_request\"}";
        let script = format!("{}{}{answer}", redeemed!(), wrong());
        let judged = judged(WRONG_VERIFIER, &script);
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Should));
        let short = script.replace("=eBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "=short");
        comes_to(WRONG_VERIFIER, &short, Verdict::Pass);
    }

    #[test]
    fn a_challenge_without_a_method_may_be_taken_either_way() {
        let hashed = format!("{}{}", RIGHT.replace("&code_challenge_method=S256", ""), taken!());
        let plain = hashed.replace(verifier!(), &challenge!()[..59].replace("challenge", "verifier"));
        for script in [&hashed, &plain] {
            comes_to(WRONG_VERIFIER, script, Verdict::Skip);
            comes_to("pkce/challenge-is-no-verifier", script, Verdict::Skip);
        }
        comes_to(WRONG_VERIFIER, &hashed.replace("=dBjft", "=eBjft"), Verdict::Fail);
    }

    #[test]
    fn a_right_verifier_is_not_blamed_for_what_else_went_wrong() {
        comes_to(RIGHT_VERIFIER, &format!("{RIGHT}< 401 {{\"error\":\"invalid_client\"}}"), Verdict::Skip);
        comes_to(RIGHT_VERIFIER, &format!("{RIGHT}! tweak code twice\n{}", refused!()), Verdict::Skip);
        comes_to(RIGHT_VERIFIER, &format!("{RIGHT}< nothing"), Verdict::Skip);
        comes_to(RIGHT_VERIFIER, &format!("{RIGHT}< 500 oops"), Verdict::Fail);
        let race = RIGHT.replace("> POST", "= race\n> POST");
        let other = &RIGHT[RIGHT.find("> POST").unwrap()..];
        let script = format!("{race}{}{other}{}", refused!(), taken!());
        comes_to(RIGHT_VERIFIER, &script, Verdict::Pass);
    }

    #[test]
    fn a_recording_without_secrets_is_judged_alike() {
        for check in super::CHECKS.iter().chain(super::METHODS).chain(super::VERIFIERS) {
            for script in [check.passes, check.fails] {
                // Codes as long as real ones: the shortest are replaced only where a separator follows.
                let live = script::read(&script.replace("C1", "CODE-ONE").replace("C2", "CODE-TWO"));
                let loaded = read(&write(&live, &mut Redactor::new([3; 32]))).unwrap();
                let verdicts = [live, loaded].map(|t| judge_one(check, &t).verdict);
                assert_eq!(verdicts[0], verdicts[1], "{}", check.id);
            }
        }
    }

    #[test]
    fn a_public_client_is_refused_for_the_challenge_and_for_nothing_else() {
        let id = "pkce/public-client-needs-a-challenge";
        let check = find(id).unwrap();
        let redirected = "< 302\n< Location: https://public.example/callback?error=invalid_request&state=s";
        let shown = "< 400 error=invalid_request&error_description=missing%20required%20code%20challenge";
        comes_to(id, &check.passes.replace(shown, redirected), Verdict::Pass);
        let login = check.passes.replace(shown, "< 200 <form><input type=password></form>");
        comes_to(id, &login, Verdict::Inconclusive);
        let other = judged(id, &check.passes.replace(shown, "< 400 error=invalid_scope"));
        assert_eq!((other.verdict, other.findings[0].level), (Verdict::Fail, Level::Should));
        let confidential = check.fails.replace("public", "main").replace("main.example", "client.example");
        comes_to(id, &confidential, Verdict::Skip);
        comes_to(id, &format!("= setting pkce_required false\n{}", check.fails), Verdict::Skip);
        comes_to(id, &check.fails.replace("callback\n", "callback&request_uri=urn:x\n"), Verdict::Skip);
    }
}
