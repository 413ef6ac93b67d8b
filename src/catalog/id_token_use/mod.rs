//! The use of an ID token, as a client owes it (OpenID Connect Core §3.1.3.7, RFC 8725). The record is of a host that
//! played the org, so it knows what is wrong with the token that it brought; whether the client believed it is concluded
//! from whether it went on to the API with the access token that came along. That proves something only of a client that
//! was seen to go on with a right one. A client that was never seen to care for ID tokens (no nonce, no keys) may have
//! asked for `openid` without knowing what for: what it takes weighs less. Signatures need not be verified where the token
//! came over TLS from the token endpoint itself, so they are judged of clients alone that read the keys.

use serde_json::Value;

use super::Cite::{OpenIdCore, Rfc};
use super::login::callbacks;
use super::resource::presented;
use super::{Check, Judgement, Party};
use crate::oauth::grant::authorization_code::GRANT_TYPE;
use crate::oauth::{Endpoint, jwt};
use crate::transcript::{Exchange, TokenFacts, Transcript};
use crate::verdict::{Basis, Level};

/// A login by `main` with a nonce, for which the org brings this ID token beside the access token.
macro_rules! login {
    ($code:literal, $access:literal, $token:expr) => {
        login!($code, $access, "", $token)
    };
    ($code:literal, $access:literal, $more:literal, $token:expr) => {
        concat!(
            "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback\
             &scope=openid+api&state=S",
            $code,
            "&nonce=N",
            $code,
            $more,
            "\n< 302\n< Location: https://client.example/callback?code=",
            $code,
            "&state=S",
            $code,
            "\n> GET callback code=",
            $code,
            "&state=S",
            $code,
            "\n< 200\n> POST token grant_type=authorization_code&client_id=main&client_secret=s&code=",
            $code,
            "\n! secret right\n! id_token ",
            $token,
            "\n< 200 {\"access_token\":\"",
            $access,
            "\",\"id_token\":\"I",
            $code,
            "\"}\n"
        )
    };
}

/// The facts of an ID token with these claims besides, and this header and verdict on its signature.
macro_rules! token {
    ($claims:literal) => {
        token!($claims, "{\"alg\":\"RS256\",\"kid\":\"k\"}", "true")
    };
    ($claims:literal, $header:literal, $verifies:literal) => {
        concat!("{\"header\":", $header, ",\"claims\":{", $claims, "},\"verifies\":", $verifies, "}")
    };
}

/// The claims of a right one, but for the nonce.
macro_rules! right {
    ($code:literal) => {
        concat!(
            "{\"header\":{\"alg\":\"RS256\",\"kid\":\"k\"},\"claims\":{\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\
             \"iat\":{now},\"exp\":{now+120},\"nonce\":\"N",
            $code,
            "\"},\"verifies\":true}"
        )
    };
}

/// A call with an access token.
macro_rules! calls {
    ($access:literal) => {
        concat!("> GET api /data\n> Authorization: Bearer ", $access, "\n< 200\n")
    };
}

/// The keys, as the client read them.
macro_rules! keys {
    () => {
        "> GET keys\n< 200 {\"keys\":[{\"kid\":\"k\"}]}\n"
    };
}

/// A login that is gone on with: the positive control.
macro_rules! control {
    () => {
        concat!(keys!(), login!("C1", "A1", right!("C1")), calls!("A1"))
    };
}

pub(super) mod claims;
pub(super) mod keys;
pub(super) mod signature;

/// How far two clocks may differ, in seconds.
const SKEW: i64 = 300;

/// What is wrong with an ID token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    Issuer,
    /// Another issuer, and signed with a key that is not the org's.
    Stranger,
    Audience,
    /// For another client of the same org.
    OtherClient,
    NoAudience,
    Party,
    Expired,
    Incomplete,
    Nonce,
    Signature,
    Unsigned,
    Hmac,
    ShownKey,
    Hash,
    Age,
    Extension,
}

/// An ID token that was brought by a login.
pub(super) struct Brought<'t> {
    /// The answer of the token endpoint.
    pub(super) x: &'t Exchange,
    pub(super) token: &'t TokenFacts,
    pub(super) flaws: Vec<Flaw>,
    /// The call by which the client went on.
    pub(super) went_on: Option<&'t Exchange>,
}

/// Every ID token that was brought by a login for which `openid` was asked.
pub(super) fn brought(t: &Transcript) -> Vec<Brought<'_>> {
    let callbacks = callbacks(t);
    let mut all = Vec::new();
    for x in t.requests_of(GRANT_TYPE).filter(|x| x.granted()) {
        let Some(token) = &x.facts.id_token else { continue };
        let code = x.param("code").unwrap_or("");
        let by_callback = || callbacks.iter().find(|b| b.code() == Some(code))?.request;
        let Some(request) = t.code(code).map(|issued| issued.authorize).or_else(by_callback) else {
            continue;
        };
        if !request.param("scope").unwrap_or("").split(' ').any(|scope| scope == "openid") {
            continue;
        }
        let went_on = x.text("access_token").and_then(|access_token| {
            let mut after = t.after(x);
            after.find(|y| y.endpoint == Endpoint::Resource && presented(y) == Some(access_token))
        });
        all.push(Brought { x, token, flaws: flaws(t, request, x, token), went_on });
    }
    all
}

fn flaws(t: &Transcript, request: &Exchange, x: &Exchange, token: &TokenFacts) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let alg = token.alg();
    let shows = ["jwk", "jku", "x5u", "x5c"].iter().any(|name| token.header.contains_key(*name));
    let foreign = token.verifies == Some(false);
    let issuer = t.subject.endpoints.issuer.as_deref();
    let stranger = issuer.is_some() && token.text("iss") != issuer;
    match alg {
        "none" => flaws.push(Flaw::Unsigned),
        _ if alg.starts_with("HS") => flaws.push(Flaw::Hmac),
        _ if foreign && shows => flaws.push(Flaw::ShownKey),
        _ if foreign && stranger => flaws.push(Flaw::Stranger),
        _ if foreign => flaws.push(Flaw::Signature),
        _ => {}
    }
    if stranger && !flaws.contains(&Flaw::Stranger) {
        flaws.push(Flaw::Issuer);
    }
    let client_id = x.client_id().unwrap_or("");
    let audiences = token.audiences();
    let of_another = |aud: &&str| t.subject.app_of(aud).is_some();
    match audiences[..] {
        [] => flaws.push(Flaw::NoAudience),
        _ if !audiences.contains(&client_id) && audiences.iter().any(of_another) => {
            flaws.push(Flaw::OtherClient)
        }
        _ if !audiences.contains(&client_id) => flaws.push(Flaw::Audience),
        [_] if token.text("azp").is_none_or(|party| party == client_id) => {}
        _ if token.text("azp") == Some(client_id) => {}
        _ => flaws.push(Flaw::Party),
    }
    let now = x.at.div_euclid(1000);
    let seconds = |claim: &str| token.claims.get(claim).and_then(jwt::seconds);
    if seconds("exp").is_some_and(|exp| exp + SKEW < now) {
        flaws.push(Flaw::Expired);
    }
    let said = |claim: &str| token.claims.get(claim).is_some_and(|value| !value.is_null() && value != "");
    if !["exp", "iat", "sub"].into_iter().all(said) {
        flaws.push(Flaw::Incomplete);
    }
    if let Some(nonce) = request.param("nonce")
        && token.text("nonce") != Some(nonce)
    {
        flaws.push(Flaw::Nonce);
    }
    if token.at_hash_fits == Some(false) {
        flaws.push(Flaw::Hash);
    }
    if let Some(max_age) = request.param("max_age").and_then(|age| age.parse::<i64>().ok())
        && seconds("auth_time").is_none_or(|at| at + max_age + SKEW < now)
    {
        flaws.push(Flaw::Age);
    }
    if token.header.contains_key("crit") {
        flaws.push(Flaw::Extension);
    }
    flaws
}

/// Whether a client was seen to care for ID tokens.
pub(super) fn cares(t: &Transcript) -> bool {
    reads_keys(t)
        || t.at(Endpoint::Authorize).any(|x| x.param("nonce").is_some_and(|nonce| !nonce.is_empty()))
}

/// Whether a client was seen to read the keys by which signatures are verified.
fn reads_keys(t: &Transcript) -> bool {
    t.at(Endpoint::Keys).any(|x| x.status() == 200 && x.action != "browser")
}

/// An ID token with that flaw must not be gone on with.
fn refused(t: &Transcript, flaw: Flaw, expected: &str) -> Judgement {
    let mut j = Judgement::new();
    let all = brought(t);
    let control = all.iter().any(|b| b.flaws.is_empty() && b.went_on.is_some());
    for b in all.iter().filter(|b| b.flaws.contains(&flaw)) {
        let expected = format!("no call: {expected}");
        match b.went_on {
            Some(call) if cares(t) => j.fail(&[b.x, call], expected, "the client went on to the API"),
            Some(call) => j.fail_lesser(&[b.x, call], expected, "the client went on to the API"),
            None if !control => {
                j.unproved(&[b.x], expected, "none, and none was seen with a right ID token either");
            }
            // With more than one flaw it is not known which of them was seen.
            None if b.flaws.len() == 1 => j.pass(),
            None => {}
        }
    }
    j
}

/// The same of a flaw of the signature, which only those owe to see who read the keys.
fn unverified(t: &Transcript, flaw: Flaw, expected: &str) -> Judgement {
    if reads_keys(t) {
        return refused(t, flaw, expected);
    }
    let mut j = Judgement::new();
    for b in brought(t).iter().filter(|b| b.flaws.contains(&flaw)) {
        let observed = "the client never read the keys of the org, and need not where it trusts TLS";
        j.unproved(&[b.x], format!("no call: {expected}"), observed);
    }
    j
}
