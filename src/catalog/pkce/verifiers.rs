//! Verifiers that are malformed, that fit something else, or that come beside a wrong secret.

use super::{Redemption, redemptions, refused};
use crate::catalog::Cite::Rfc;
use crate::catalog::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::transcript::Transcript;
use crate::verdict::{Basis, Level};

/// A challenge of S256.
macro_rules! s256 {
    ($challenge:literal) => {
        concat!("&code_challenge=", $challenge, "&code_challenge_method=S256")
    };
}

/// A code whose challenge fits its verifier, which is malformed, without the answer.
macro_rules! short {
    () => {
        exchange!(
            "C2",
            s256!("0o7r05FUOMkKYH-oLZRShlK_jwITLsL4yxrke8su3vY"),
            "&code_verifier=short-verifier-of-forty-two-characters-000"
        )
    };
}

macro_rules! long {
    () => {
        exchange!(
            "C2",
            s256!("YjH2qv7tRKBmgAXL_dSRT_-Kvo-yOZ64b3IlpyQcW4A"),
            "&code_verifier=long-verifier-0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
        )
    };
}

macro_rules! reserved {
    () => {
        exchange!(
            "C2",
            s256!("cK-bI2rhv0u5bULsUCTrR-3CxrTpvCIXjl_HP8Z2LFo"),
            "&code_verifier=reserved%2Fcharacters%2Bin%2Bthis%2Fverifier%2B0123456789%2Bx"
        )
    };
}

/// The challenge of RFC 7636 appendix B in hexadecimal digits.
macro_rules! hexadecimal {
    () => {
        exchange!(
            "C2",
            s256!("13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"),
            verifier!()
        )
    };
}

/// Two codes, of which the second is redeemed with the verifier of the first.
macro_rules! swapped {
    () => {
        exchange!("C2", s256!("0o7r05FUOMkKYH-oLZRShlK_jwITLsL4yxrke8su3vY"), verifier!())
    };
}

/// The challenge of RFC 7636 appendix B with another letter case.
macro_rules! other_case {
    () => {
        exchange!("C2", s256!("e9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), verifier!())
    };
}

/// A redemption with the right verifier and the wrong secret.
macro_rules! wrong_secret {
    () => {
        concat!(
            "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback",
            challenge!(),
            "\n< 302\n< Location: https://client.example/callback?code=C2\n",
            "> POST token grant_type=authorization_code&client_id=main&client_secret=x\
             &redirect_uri=https://client.example/callback&code=C2",
            verifier!(),
            "\n! secret wrong\n"
        )
    };
}

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "pkce/short-verifier-is-refused",
        title: "a verifier of fewer than 43 characters is refused, though its challenge fits",
        binds: Party::Org,
        level: Level::Should,
        // RFC 7636 says what a verifier is; that others are turned away follows.
        basis: Basis::Derived,
        origin: "PK-10",
        cites: &[Rfc(7636, "4.1"), Rfc(7636, "7.1")],
        explain: "A verifier has at least 43 characters, because a short one can be found by trying: the challenge is \
            public, and hashing is fast. A server that takes any length leaves clients that send six digits as open as \
            those without PKCE. Check the length before the hash, and answer invalid_grant or invalid_request.",
        passes: concat!(redeemed!(), short!(), refused!()),
        fails: concat!(short!(), taken!()),
        judge: short_verifier_is_refused,
    },
    Check {
        id: "pkce/long-verifier-is-refused",
        title: "a verifier of more than 128 characters is refused, though its challenge fits",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "PK-11",
        cites: &[Rfc(7636, "4.1")],
        explain: "A verifier has at most 128 characters. What is longer is no verifier, and a server without a limit hashes \
            whatever a stranger sends. Clients that are used to a generous server fail elsewhere. Salesforce's own text \
            makes 171 characters out of 128 random bytes, and its libraries send them; use 32 random bytes, which are 43 \
            characters and right everywhere.",
        passes: concat!(redeemed!(), long!(), refused!()),
        fails: concat!(long!(), taken!()),
        judge: long_verifier_is_refused,
    },
    Check {
        id: "pkce/reserved-characters-are-refused",
        title: "a verifier with other than unreserved characters is refused, though its challenge fits",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "PK-12",
        cites: &[Rfc(7636, "4.1")],
        explain: "A verifier is made of letters, digits, hyphen, dot, underscore and tilde, so that it comes through every \
            form encoding as it was sent. Plus, slash or a space change on the way in one library and not in the other, and \
            then the hash does not fit now and then. A server that refuses them shows the mistake on the first try.",
        passes: concat!(redeemed!(), reserved!(), refused!()),
        fails: concat!(reserved!(), taken!()),
        judge: reserved_characters_are_refused,
    },
    Check {
        id: "pkce/challenge-is-base64url-alone",
        title: "a hash in hexadecimal digits, with padding or in the other base64 alphabet is no challenge",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "PK-13",
        cites: &[Rfc(7636, "4.2"), Rfc(7636, "A")],
        explain: "The challenge is the hash in base64url without padding. A server that evens out what clients write \
            otherwise compares something else than it was given, and keeps the mistake of a client alive until it meets a \
            strict server. Compare the text of the challenge with the one that the verifier makes, and nothing else.",
        passes: concat!(redeemed!(), hexadecimal!(), refused!()),
        fails: concat!(hexadecimal!(), taken!()),
        judge: challenge_is_base64url_alone,
    },
    Check {
        id: "pkce/verifier-of-another-request-is-refused",
        title: "a code is not redeemed with the verifier of another authorization request",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "PK-14",
        cites: &[Rfc(7636, "4.6"), Rfc(9700, "4.5.3.1")],
        explain: "The challenge belongs to one code. If a server only asks whether it ever saw the challenge of this \
            verifier, or keeps one challenge for each client or session, an attacker redeems a stolen code with a verifier \
            of his own. Store the challenge with the code, and compare with that one.",
        passes: concat!(redeemed!(), swapped!(), refused!()),
        fails: concat!(redeemed!(), swapped!(), taken!()),
        judge: verifier_of_another_request_is_refused,
    },
    Check {
        id: "pkce/letter-case-counts",
        title: "the challenge is compared with its letter case",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "PK-15",
        cites: &[Rfc(7636, "4.6")],
        explain: "In base64url a and A are different values. A comparison that ignores case, as some databases do by \
            default, throws away much of the strength of the hash. Compare bytes, best in constant time, and give the \
            column a binary collation.",
        passes: concat!(redeemed!(), other_case!(), refused!()),
        fails: concat!(other_case!(), taken!()),
        judge: letter_case_counts,
    },
    Check {
        id: "pkce/verifier-is-no-secret-of-the-client",
        title: "a right verifier does not stand in for a wrong client secret",
        binds: Party::Org,
        level: Level::Must,
        // RFC 7636 adds to client authentication and takes nothing away; the wrong secret alone is RFC 6749's.
        basis: Basis::Derived,
        origin: "PK-18",
        cites: &[Rfc(6749, "4.1.3"), Rfc(6749, "3.2.1"), Rfc(7636, "4.5")],
        explain: "The verifier shows that the code goes to whoever asked for it; the secret shows which client that is. One \
            does not replace the other: without the secret, whoever starts a request in the name of the client can finish \
            it. Authenticate the client first, then compare the verifier. On Salesforce Require Secret for Web Server Flow \
            decides whether a secret has to be sent; one that is sent must be right.",
        passes: concat!(redeemed!(), wrong_secret!(), "< 401 {\"error\":\"invalid_client\"}"),
        fails: concat!(wrong_secret!(), taken!()),
        judge: verifier_is_no_secret_of_the_client,
    },
];

const GRANT_OR_REQUEST: &[&str] = &["invalid_grant", "invalid_request"];

/// Whether a verifier by S256 fits, with this length.
fn fits_with_length(r: &Redemption<'_>, wrong: impl Fn(usize) -> bool) -> bool {
    r.method() == Some("S256") && r.fits() == Some(true) && r.x.facts.verifier_length.is_some_and(wrong)
}

fn short_verifier_is_refused(t: &Transcript) -> Judgement {
    let short = |r: &Redemption<'_>| fits_with_length(r, |length| length < 43);
    refused(t, short, GRANT_OR_REQUEST, "the verifier has fewer than 43 characters")
}

fn long_verifier_is_refused(t: &Transcript) -> Judgement {
    let long = |r: &Redemption<'_>| fits_with_length(r, |length| length > 128);
    refused(t, long, GRANT_OR_REQUEST, "the verifier has more than 128 characters")
}

fn reserved_characters_are_refused(t: &Transcript) -> Judgement {
    let reserved = |r: &Redemption<'_>| {
        r.x.facts.verifier_is_unreserved == Some(false)
            && fits_with_length(r, |length| (43..=128).contains(&length))
    };
    refused(t, reserved, GRANT_OR_REQUEST, "the verifier holds characters that it must not")
}

fn challenge_is_base64url_alone(t: &Transcript) -> Judgement {
    let otherwise = |r: &Redemption<'_>| r.method() == Some("S256") && r.is_written_otherwise();
    refused(t, otherwise, GRANT_OR_REQUEST, "the challenge is the hash in another encoding")
}

fn verifier_of_another_request_is_refused(t: &Transcript) -> Judgement {
    let another = |r: &Redemption<'_>| {
        let fits = r.x.facts.verifier_s256.as_deref();
        r.method() == Some("S256")
            && r.fits() == Some(false)
            && t.at(Endpoint::Authorize).any(|x| {
                x.number < r.x.number
                    && x.number != r.authorize.number
                    && x.param("code_challenge").is_some()
                    && x.param("code_challenge") == fits
            })
    };
    refused(t, another, &["invalid_grant"], "the verifier belongs to another authorization request")
}

fn letter_case_counts(t: &Transcript) -> Judgement {
    let other_case = |r: &Redemption<'_>| {
        let made = r.x.facts.verifier_s256.as_deref().unwrap_or("");
        r.method() == Some("S256")
            && r.challenge.is_some_and(|challenge| challenge != made && challenge.eq_ignore_ascii_case(made))
    };
    refused(t, other_case, &["invalid_grant"], "the challenge fits only where letter case is ignored")
}

fn verifier_is_no_secret_of_the_client(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for r in redemptions(t) {
        let app = r.x.client_id().and_then(|id| t.subject.app_of(id));
        let confidential = app.is_some_and(|app| !app.public);
        let right = r.method() == Some("S256") && r.fits() == Some(true) && r.length_is_legal();
        if !confidential
            || !right
            || r.x.facts.secret_is_right != Some(false)
            || !r.is_sound_but_for_the_secret(t)
        {
            continue;
        }
        j.refused(r.x, r.has_control(t), &[], "the verifier is right, and the client secret is not");
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
    fn a_malformed_verifier_that_does_not_fit_is_another_matter() {
        for id in ["pkce/short-verifier-is-refused", "pkce/long-verifier-is-refused"] {
            let fails = find(id).unwrap().fails;
            comes_to(id, &fails.replace("code_verifier=", "code_verifier=x"), Verdict::Skip);
            comes_to("pkce/wrong-verifier-is-refused", fails, Verdict::Skip);
            let alone = fails.replace(taken!(), refused!());
            comes_to(id, &alone, Verdict::Inconclusive);
        }
    }

    #[test]
    fn a_challenge_in_another_encoding_is_not_called_wrong_twice() {
        let id = "pkce/challenge-is-base64url-alone";
        let fails = find(id).unwrap().fails;
        comes_to("pkce/wrong-verifier-is-refused", fails, Verdict::Skip);
        let hash = "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3";
        let padded = fails.replace(hash, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM%3D");
        comes_to(id, &padded, Verdict::Fail);
        let standard = fails.replace(hash, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw%2BcM");
        comes_to(id, &standard, Verdict::Fail);
        comes_to(id, &fails.replace(hash, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), Verdict::Skip);
    }

    #[test]
    fn a_verifier_that_never_had_a_request_is_only_wrong() {
        let id = "pkce/verifier-of-another-request-is-refused";
        let alone = concat!(swapped!(), taken!());
        comes_to(id, alone, Verdict::Skip);
        comes_to("pkce/wrong-verifier-is-refused", alone, Verdict::Fail);
    }

    #[test]
    fn a_wrong_secret_beside_a_wrong_verifier_says_nothing() {
        let id = "pkce/verifier-is-no-secret-of-the-client";
        let check = find(id).unwrap();
        comes_to(id, &check.fails.replace("=dBjft", "=eBjft"), Verdict::Skip);
        comes_to(id, &check.fails.replace("secret wrong", "secret right"), Verdict::Skip);
        let judged = judge_one(check, &script::read(check.fails));
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Must));
    }
}
