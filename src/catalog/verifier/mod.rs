//! Proof Key for Code Exchange, as a client owes it (RFC 7636, RFC 9700 §2.1.1). A judge sees no verifier: whether one
//! fits, and how long it is, are facts of the record.

use super::Cite::{Rfc, Salesforce};
use super::login::{callbacks, requests};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::oauth::grant::authorization_code::GRANT_TYPE;
use crate::oauth::pkce::Method;
use crate::oauth::salesforce::Profile;
use crate::subject::ClientAuth;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// An authorization request by `main` with this, and the code that it brings.
macro_rules! asks {
    ($state:literal, $challenge:expr => $code:literal) => {
        concat!(
            "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback&state=",
            $state,
            $challenge,
            "\n< 302\n< Location: https://client.example/callback?code=",
            $code,
            "&state=",
            $state,
            "\n> GET callback code=",
            $code,
            "&state=",
            $state,
            "\n< 200\n"
        )
    };
}

/// The redemption of a code by `main` with this besides, and its answer.
macro_rules! redeems {
    ($code:literal, $verifier:expr) => {
        redeems!($code, $verifier => "200 {\"access_token\":\"A1\"}")
    };
    ($code:literal, $verifier:expr => $answer:literal) => {
        concat!(
            "> POST token grant_type=authorization_code&client_id=main&client_secret=s\
             &redirect_uri=https://client.example/callback&code=",
            $code,
            $verifier,
            "\n! secret right\n< ",
            $answer,
            "\n"
        )
    };
}

/// The challenge of RFC 7636 appendix B, with its method.
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

/// The challenge of another verifier: 43 times `a`.
macro_rules! other_challenge {
    () => {
        "&code_challenge=ZtNPunH49FD35FWYhT5Tv8I7vRKQJ8uxMaL0_9eHjNA&code_challenge_method=S256"
    };
}

macro_rules! other_verifier {
    () => {
        "&code_verifier=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    };
}

pub(super) mod challenge;
pub(super) mod redemption;

/// The challenge of a request, where it has one.
fn challenge_of(x: &Exchange) -> Option<&str> {
    x.param("code_challenge").filter(|challenge| !challenge.is_empty())
}

/// Redemptions, each with the authorization request that its code was issued for.
fn redemptions(t: &Transcript) -> Vec<(&Exchange, Option<&Exchange>)> {
    let all = callbacks(t);
    let of = |x: &Exchange| {
        let code = x.param("code").filter(|code| !code.is_empty())?;
        let brought = || all.iter().find(|b| b.code() == Some(code) && b.x.number < x.number)?.request;
        t.code(code).map(|issued| issued.authorize).or_else(brought)
    };
    t.requests_of(GRANT_TYPE).map(|x| (x, of(x))).collect()
}
