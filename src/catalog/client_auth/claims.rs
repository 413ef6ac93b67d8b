//! What a client assertion has to say claim by claim, and what its header must not be believed for (RFC 7523 §3,
//! RFC 7521 §4.2, RFC 8725 §3).

use super::super::Cite::{OpenIdCore, Rfc};
use super::super::{Check, Judgement, Party};
use super::assertion::{Wrong, has_control, is_right, names_the_issuer, refused_for, with_assertion, wrongs};
use super::{app, grant_is_clean, refuses_the_client};
use crate::subject::ClientAuth;
use crate::transcript::Transcript;
use crate::transcript::questions::beside_the_point;
use crate::verdict::{Basis, Level};

/// A client credentials request with a client assertion that is right but for one thing, and its answer.
macro_rules! asserted {
    (right, $answer:ident) => {
        asserted!("1", "", [aud exp both], rs256, $answer)
    };
    (replay, $answer:ident) => {
        asserted!("1", "", [aud exp both], rs256, $answer)
    };
    (aud, $answer:ident) => {
        asserted!("2", "", [exp both], rs256, $answer)
    };
    (exp, $answer:ident) => {
        asserted!("2", "", [aud both], rs256, $answer)
    };
    (party, $answer:ident) => {
        asserted!("2", "", [aud exp sub], rs256, $answer)
    };
    (nbf, $answer:ident) => {
        asserted!("2", "", [aud exp nbf both], rs256, $answer)
    };
    (issuer, $answer:ident) => {
        asserted!("2", "", [issuer exp both], rs256, $answer)
    };
    (hs, $answer:ident) => {
        asserted!("2", "", [aud exp both], hs256, $answer)
    };
    (carried, $answer:ident) => {
        asserted!("2", "", [aud exp both], jwk, $answer)
    };
    (crit, $answer:ident) => {
        asserted!("2", "", [aud exp both], crit, $answer)
    };
    (type, $answer:ident) => {
        asserted!("2", "", [aud exp both], rs256, $answer, "urn:example:own")
    };
    (named, $answer:ident) => {
        asserted!("2", "basic&x=", [aud exp both], rs256, $answer)
    };
    ($jti:literal, $client:literal, [$($claim:ident)*], $facts:ident, $answer:ident) => {
        asserted!(
            $jti,
            $client,
            [$($claim)*],
            $facts,
            $answer,
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        )
    };
    ($jti:literal, $client:literal, [$($claim:ident)*], $facts:ident, $answer:ident, $type:literal) => {
        concat!(
            concat!("> POST token grant_type=client_credentials&client_id=", $client, "assertion&client_assertion=J"),
            concat!($jti, "&client_assertion_type=", $type, "\n! tweak x\n! client_assertion {\"claims\":{"),
            $(claim!($claim),)*
            concat!("\"jti\":\"", $jti, "\"},", facts!($facts), "}\n< ", answer!($answer))
        )
    };
}

/// A claim of an example.
macro_rules! claim {
    (aud) => {
        "\"aud\":\"https://org.example/token\","
    };
    (issuer) => {
        "\"aud\":\"https://org.example\","
    };
    (exp) => {
        "\"exp\":{now+150},"
    };
    (nbf) => {
        "\"nbf\":{now+600},"
    };
    (both) => {
        "\"iss\":\"assertion\",\"sub\":\"assertion\","
    };
    (sub) => {
        "\"iss\":\"other\",\"sub\":\"assertion\","
    };
}

/// What is known of the signature of an example.
macro_rules! facts {
    (rs256) => {
        "\"verifies\":true,\"alg\":\"RS256\""
    };
    (hs256) => {
        "\"verifies\":false,\"alg\":\"HS256\""
    };
    (jwk) => {
        "\"verifies\":false,\"alg\":\"RS256\",\"header\":{\"jwk\":{}}"
    };
    (crit) => {
        "\"verifies\":false,\"alg\":\"RS256\",\"header\":{\"crit\":[\"x\"]}"
    };
}

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "client-auth/assertion-without-audience-is-refused",
        title: "a client assertion without aud is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-17",
        cites: &[Rfc(7523, "3")],
        explain: "Without aud an assertion says who the client is but not to whom it speaks, so it is good at every \
            server that the client ever talks to; any of them can play it here. RFC 7523 makes the claim a must. \
            A verifier that compares aud only where it is there is a common mistake of libraries whose audience \
            check is optional: switch on that it is required, and answer invalid_client.",
        passes: concat!(asserted!(right, granted), asserted!(aud, refused)),
        fails: concat!(asserted!(right, granted), asserted!(aud, granted)),
        judge: assertion_without_audience_is_refused,
    },
    Check {
        id: "client-auth/assertion-without-expiry-is-refused",
        title: "a client assertion without exp is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-19",
        cites: &[Rfc(7523, "3")],
        explain: "An assertion that never ends is a password that was written into a request, and into every log on \
            the way. RFC 7523 makes exp a must, so its absence is no reason to fall back to a default lifetime. \
            Many verifiers check exp only if it is present: require it. Refuse with invalid_client, and bound \
            how far ahead it may lie.",
        passes: concat!(asserted!(right, granted), asserted!(exp, refused)),
        fails: concat!(asserted!(right, granted), asserted!(exp, granted)),
        judge: assertion_without_expiry_is_refused,
    },
    Check {
        id: "client-auth/assertion-names-the-client-twice",
        title: "iss and sub of a client assertion must both be the client",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-20",
        cites: &[Rfc(7523, "3")],
        explain: "iss says who made the assertion, sub whom it is about; for client authentication both are the \
            client_id. A server that looks at one of them takes an assertion that was made for another purpose, \
            such as a grant assertion with a user as sub, or lets one client speak for another. Compare both \
            with the client that is being authenticated and refuse with invalid_client where one is missing or \
            another.",
        passes: concat!(asserted!(right, granted), asserted!(party, refused)),
        fails: concat!(asserted!(right, granted), asserted!(party, granted)),
        judge: assertion_names_the_client_twice,
    },
    Check {
        id: "client-auth/symmetric-assertion-is-refused",
        title: "an HMAC over a client assertion is refused where the client has a key pair",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-23",
        cites: &[Rfc(8725, "2.1"), Rfc(8725, "3.1")],
        explain: "The public key is public. A verifier that takes the algorithm from the header, and the registered \
            key as whatever that algorithm needs, verifies HS256 with the public key as the secret: anybody can \
            then sign as the client. Fix the algorithm by the registration of the client and never by the token, \
            keep keys by type, and answer invalid_client.",
        passes: concat!(asserted!(right, granted), asserted!(hs, refused)),
        fails: concat!(asserted!(right, granted), asserted!(hs, granted)),
        judge: symmetric_assertion_is_refused,
    },
    Check {
        id: "client-auth/assertion-is-used-once",
        title: "a client assertion whose jti was used before is refused",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "CA-24",
        cites: &[Rfc(7523, "3"), OpenIdCore("9")],
        explain: "An assertion that was caught in a log or by a proxy is good until it expires unless the server \
            remembers which it saw. OpenID Connect has it that an assertion is used once; RFC 7523 leaves it to \
            the server. Remember the jti with its client until exp plus the leeway has passed, in a store that \
            all nodes share, and answer invalid_client. A client must make a new assertion for each request.",
        passes: concat!(asserted!(right, granted), asserted!(replay, refused)),
        fails: concat!(asserted!(right, granted), asserted!(replay, granted)),
        judge: assertion_is_used_once,
    },
    Check {
        id: "client-auth/early-assertion-is-refused",
        title: "a client assertion before its nbf is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-25",
        cites: &[Rfc(7523, "3")],
        explain: "nbf is how a client says from when on an assertion counts; before that moment it must not be \
            accepted, some clock skew apart. A server that ignores it lets somebody collect assertions today for \
            tomorrow. Compare nbf with the clock and the same leeway as exp, and answer invalid_client. The \
            check takes the setting leeway of the target, and three minutes where none is given.",
        passes: concat!(asserted!(right, granted), asserted!(nbf, refused)),
        fails: concat!(asserted!(right, granted), asserted!(nbf, granted)),
        judge: early_assertion_is_refused,
    },
    Check {
        id: "client-auth/assertion-type-is-compared",
        title: "a client assertion under another client_assertion_type is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-27",
        cites: &[Rfc(7521, "4.2"), Rfc(7523, "2.2")],
        explain: "client_assertion_type says how the assertion is to be read: jwt-bearer or saml2-bearer, each with \
            rules of its own. A server that guesses the format, or reads a JWT whatever the type says, checks by \
            the wrong rules sooner or later, and an unknown type must not be let through unread. Compare the \
            whole URN before the assertion is parsed; answer invalid_client or invalid_request. Salesforce says \
            invalid_assertion_type.",
        passes: concat!(asserted!(right, granted), asserted!(type, refused)),
        fails: concat!(asserted!(right, granted), asserted!(type, granted)),
        judge: assertion_type_is_compared,
    },
    Check {
        id: "client-auth/client-id-must-fit-the-assertion",
        title: "a client_id that is not the subject of the client assertion is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-29",
        cites: &[Rfc(7521, "4.2"), Rfc(7521, "4.2.1")],
        explain: "The parameter client_id is unnecessary beside an assertion, but if it is sent it must name the same \
            client as the assertion. A server that authenticates the one and then acts for the other hands codes \
            and refresh tokens of one client to another. Compare client_id with sub before anything else, and \
            refuse with invalid_client.",
        passes: concat!(asserted!(right, granted), asserted!(named, refused)),
        fails: concat!(asserted!(right, granted), asserted!(named, granted)),
        judge: client_id_must_fit_the_assertion,
    },
    Check {
        id: "client-auth/key-of-the-assertion-is-not-trusted",
        title: "a client assertion that brings its own key along is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-31",
        cites: &[Rfc(8725, "3.10"), Rfc(7515, "4.1.3")],
        explain: "The header of a JWT can hold a key (jwk, x5c) or say where one is (jku, x5u). It is written by \
            whoever made the token, so a verifier that uses it verifies that the attacker can sign. Take the key \
            from the registration of the client alone, ignore these members or refuse them, and never fetch what \
            a token points at. Answer invalid_client.",
        passes: concat!(asserted!(right, granted), asserted!(carried, refused)),
        fails: concat!(asserted!(right, granted), asserted!(carried, granted)),
        judge: key_of_the_assertion_is_not_trusted,
    },
    Check {
        id: "client-auth/critical-header-must-be-understood",
        title: "a client assertion with an unknown critical header is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-32",
        cites: &[Rfc(7515, "4.1.11")],
        explain: "crit lists the members of the header that change how the token is to be understood: who does not \
            know one of them must refuse the token. A library that skips crit takes a token under rules that its \
            maker did not mean. Check that the verifier knows crit, most do not unless told; where no extension \
            is supported, refuse every token that has it, with invalid_client.",
        passes: concat!(asserted!(right, granted), asserted!(crit, refused)),
        fails: concat!(asserted!(right, granted), asserted!(crit, granted)),
        judge: critical_header_must_be_understood,
    },
    Check {
        id: "client-auth/issuer-is-an-audience",
        title: "a client assertion may name the issuer as its audience",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "CA-28",
        cites: &[Rfc(7523, "3"), OpenIdCore("9")],
        explain: "The issuer identifier is the one name of a server that a client can learn without looking at each \
            endpoint, and it is what OpenID Connect and the newer profiles put into aud. A server that only \
            knows its token endpoint URL by that name refuses clients that do as their profile says. Accept the \
            issuer of the metadata, to the letter, beside the URL of the token endpoint; never a prefix of \
            either.",
        passes: concat!(asserted!(right, granted), asserted!(issuer, granted)),
        fails: concat!(asserted!(right, granted), asserted!(issuer, refused)),
        judge: issuer_is_an_audience,
    },
    Check {
        id: "client-auth/failed-assertion-is-invalid-client",
        title: "a client assertion that fails is answered with invalid_client",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-30",
        cites: &[Rfc(7521, "4.2.1"), Rfc(7523, "3.2")],
        explain: "invalid_client tells a program that its key, its clock or its registration is wrong, and that no \
            other grant helps. Whoever answers invalid_grant or invalid_request for a failed assertion sends the \
            client off to ask the user again, or to doubt its code. RFC 7521 names the error: let every way in \
            which an assertion can fail end in invalid_client, with the reason in error_description.",
        passes: concat!(asserted!(right, granted), asserted!(nbf, refused)),
        fails: concat!(asserted!(right, granted), asserted!(exp, renamed)),
        judge: failed_assertion_is_invalid_client,
    },
];

fn assertion_without_audience_is_refused(t: &Transcript) -> Judgement {
    refused_for(t, Wrong::AudienceMissing, &["invalid_client"], "the assertion names no audience")
}

fn assertion_without_expiry_is_refused(t: &Transcript) -> Judgement {
    refused_for(t, Wrong::ExpMissing, &["invalid_client"], "the assertion has no exp")
}

fn assertion_names_the_client_twice(t: &Transcript) -> Judgement {
    // Two names for the client in one request make it a malformed one as well (RFC 7521 §4.2).
    let errors = &["invalid_client", "invalid_request"];
    refused_for(t, Wrong::Party, errors, "iss and sub are not both the client")
}

fn symmetric_assertion_is_refused(t: &Transcript) -> Judgement {
    refused_for(
        t,
        Wrong::Symmetric,
        &["invalid_client"],
        "the client is registered with a key pair, and this is an HMAC",
    )
}

fn assertion_is_used_once(t: &Transcript) -> Judgement {
    refused_for(t, Wrong::Replayed, &["invalid_client"], "an assertion with this jti was used before")
}

fn early_assertion_is_refused(t: &Transcript) -> Judgement {
    refused_for(t, Wrong::Early, &["invalid_client"], "the assertion is before its nbf and any leeway")
}

fn assertion_type_is_compared(t: &Transcript) -> Judgement {
    refused_for(
        t,
        Wrong::Type,
        &["invalid_client", "invalid_request", "invalid_assertion_type"],
        "client_assertion_type names no format of assertions",
    )
}

fn client_id_must_fit_the_assertion(t: &Transcript) -> Judgement {
    refused_for(
        t,
        Wrong::Named,
        &["invalid_client", "invalid_request"],
        "client_id is not the client that the assertion is about",
    )
}

fn key_of_the_assertion_is_not_trusted(t: &Transcript) -> Judgement {
    refused_for(
        t,
        Wrong::Carried,
        &["invalid_client"],
        "it is signed with a key that the header brings along, not with that of the client",
    )
}

fn critical_header_must_be_understood(t: &Transcript) -> Judgement {
    refused_for(
        t,
        Wrong::Crit,
        &["invalid_client"],
        "its header demands that an extension be understood that nobody defines",
    )
}

fn issuer_is_an_audience(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in with_assertion(t).filter(|x| is_right(t, x) && names_the_issuer(t, x)) {
        let registered = app(t, x).is_some_and(|app| app.client_auth == ClientAuth::PrivateKeyJwt);
        // That the client is taken with the token endpoint for its audience.
        let control = has_control(t, x, Wrong::Audience);
        if x.granted() {
            j.pass();
        } else if registered && control && refuses_the_client(x) && grant_is_clean(t, x) {
            j.fail(&[x], "the client is authenticated: the audience is the issuer", x.outcome());
        }
    }
    j
}

fn failed_assertion_is_invalid_client(t: &Transcript) -> Judgement {
    /// What has no other error in any RFC.
    const FAILED: [Wrong; 10] = [
        Wrong::Party,
        Wrong::Audience,
        Wrong::AudienceMissing,
        Wrong::Expired,
        Wrong::ExpMissing,
        Wrong::Early,
        Wrong::Signature,
        Wrong::Carried,
        Wrong::Symmetric,
        Wrong::Unsigned,
    ];
    let mut j = Judgement::new();
    for x in with_assertion(t).filter(|x| matches!(x.status(), 400 | 401) && !beside_the_point(x)) {
        let [wrong] = wrongs(t, x)[..] else { continue };
        let Some(error) = x.error().filter(|_| FAILED.contains(&wrong)) else { continue };
        if grant_is_clean(t, x) && has_control(t, x, wrong) {
            let malformed = wrong == Wrong::Party && error.error == "invalid_request";
            let expected = "invalid_client: the client assertion is not good";
            j.holds(malformed || error.error == "invalid_client", x, expected);
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::verdict_of;

    use crate::verdict::Verdict;

    const RIGHT: &str = asserted!(right, granted);

    #[test]
    fn without_a_right_assertion_nothing_is_proved() {
        let alone = asserted!(aud, refused);
        assert_eq!(verdict_of(assertion_without_audience_is_refused, alone), Verdict::Inconclusive);
        assert_eq!(verdict_of(failed_assertion_is_invalid_client, alone), Verdict::Skip);
        assert_eq!(verdict_of(issuer_is_an_audience, asserted!(issuer, refused)), Verdict::Skip);
    }

    #[test]
    fn a_start_within_the_leeway_may_go_either_way() {
        let soon = asserted!(nbf, granted);
        let near = format!("= setting leeway 20m\n{RIGHT}{soon}");
        assert_eq!(verdict_of(early_assertion_is_refused, &near), Verdict::Skip);
        assert_eq!(verdict_of(early_assertion_is_refused, &format!("{RIGHT}{soon}")), Verdict::Fail);
    }

    #[test]
    fn an_hmac_of_a_client_with_a_secret_is_another_method() {
        let taken =
            asserted!(hs, granted).replace("\"assertion\"", "\"main\"").replace("id=assertion", "id=main");
        assert_eq!(verdict_of(symmetric_assertion_is_refused, &taken), Verdict::Skip);
    }
}
