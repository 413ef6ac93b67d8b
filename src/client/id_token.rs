//! The ID token of a login, as a client has to look at it before it believes it (OpenID Connect Core §3.1.3.7, RFC 8725).

use serde_json::{Value, json};

use super::wrong::Wrongs;
use super::wrong::id_token::{
    ID_AGE_UNCHECKED, ID_AUDIENCE_NOT_MISSED, ID_AUDIENCE_UNCHECKED, ID_CLAIMS_NOT_MISSED,
    ID_EXPIRY_UNCHECKED, ID_EXTENSIONS_IGNORED, ID_FIRST_KEY_ALONE, ID_HASH_UNCHECKED, ID_HMAC_TAKEN,
    ID_ISSUER_UNCHECKED, ID_KID_REQUIRED, ID_NONCE_NOT_MISSED, ID_NONCE_UNCHECKED, ID_PARTY_UNCHECKED,
    ID_SHOWN_KEY_TAKEN, ID_SIGNATURE_UNCHECKED, ID_STRANGER_TAKEN, ID_UNSIGNED_TAKEN,
};
use super::wrong::renewal::{REFRESHED_ISSUER_UNCHECKED, REFRESHED_USER_UNCHECKED};
use crate::oauth::jwt::{self, Jwt};

/// Whether an ID token that came with a refresh speaks of another login than the one of the login (OpenID Connect Core
/// §12.2): of another issuer, or of another user.
pub fn is_of_another(login: &str, refreshed: &str, wrong: Wrongs) -> bool {
    let claim =
        |text: &str, name: &str| Jwt::read(text).ok().and_then(|token| Some(token.text(name)?.to_owned()));
    let differs = |name| claim(login, name) != claim(refreshed, name);
    differs("iss") && !wrong.has(&REFRESHED_ISSUER_UNCHECKED)
        || differs("sub") && !wrong.has(&REFRESHED_USER_UNCHECKED)
}

/// How far two clocks may differ, in seconds.
const SKEW: i64 = 60;

/// What an ID token has to say.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// The issuer to which the user was sent.
    pub issuer: &'a str,
    /// The client for which it is.
    pub client_id: &'a str,
    /// The nonce that was sent.
    pub nonce: Option<&'a str>,
    /// The access token that came along.
    pub access_token: &'a str,
    /// How long ago the user may have logged in, in seconds, where that was asked for.
    pub max_age: Option<i64>,
    /// Seconds since the epoch.
    pub now: i64,
    /// What the client does wrong on purpose.
    pub wrong: Wrongs,
}

/// Why an ID token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It is signed with a key that is not in the set: the set may be old.
    UnknownKey,
    /// Whatever the keys are.
    Wrong(&'static str),
}

/// Looks at an ID token, with the keys that the issuer publishes.
///
/// # Errors
/// [`Doubt`], where it must not be believed.
pub fn check(text: &str, keys: &Value, expected: &Expected<'_>) -> Result<(), Doubt> {
    let token = Jwt::read(text).map_err(|_| Doubt::Wrong("it is no token"))?;
    let is = |one| expected.wrong.has(one);
    let of_another = token.text("iss") != Some(expected.issuer) && !token.verifies_with_set(keys);
    let stranger = of_another && is(&ID_STRANGER_TAKEN);
    if !stranger && !is(&ID_SIGNATURE_UNCHECKED) {
        signature(&token, keys, expected.wrong)?;
    }
    if token.alg() == "none" && !is(&ID_UNSIGNED_TAKEN)
        || token.alg().starts_with("HS") && !is(&ID_HMAC_TAKEN)
    {
        return Err(Doubt::Wrong("it is signed in a way that was not agreed on"));
    }
    if token.header.contains_key("crit") && !is(&ID_EXTENSIONS_IGNORED) {
        return Err(Doubt::Wrong("it has an extension that is not understood"));
    }
    if token.text("iss") != Some(expected.issuer) && !stranger && !is(&ID_ISSUER_UNCHECKED) {
        return Err(Doubt::Wrong("another issuer"));
    }
    audience(&token, expected)?;
    times(&token, expected)?;
    let is_said = token.text("sub").is_some_and(|sub| !sub.is_empty());
    if !is_said && !is(&ID_CLAIMS_NOT_MISSED) {
        return Err(Doubt::Wrong("nobody"));
    }
    let nonce = token.text("nonce");
    let passes = is(&ID_NONCE_UNCHECKED) || nonce.is_none() && is(&ID_NONCE_NOT_MISSED);
    if expected.nonce.is_some() && nonce != expected.nonce && !passes {
        return Err(Doubt::Wrong("the nonce is not that of this login"));
    }
    let hash = token.claims.get("at_hash").and_then(Value::as_str);
    let right = jwt::half_hash(token.alg(), expected.access_token);
    if hash.is_some() && hash != right.as_deref() && token.alg() != "none" && !is(&ID_HASH_UNCHECKED) {
        return Err(Doubt::Wrong("it belongs to another access token"));
    }
    Ok(())
}

fn signature(token: &Jwt, keys: &Value, wrong: Wrongs) -> Result<(), Doubt> {
    let is = |one| wrong.has(one);
    if token.alg() == "none" && is(&ID_UNSIGNED_TAKEN) || token.alg() == "HS256" && is(&ID_HMAC_TAKEN) {
        return Ok(());
    }
    // The algorithm is the one of the registration, and not what the token says (RFC 8725 §3.1).
    if token.alg() != "RS256" {
        return Err(Doubt::Wrong("it is signed in a way that was not agreed on"));
    }
    let kid = token.header.get("kid");
    if kid.is_none() && is(&ID_KID_REQUIRED) {
        return Err(Doubt::Wrong("it names no key"));
    }
    if let Some(shown) = token.header.get("jwk").filter(|_| is(&ID_SHOWN_KEY_TAKEN)) {
        let mut shown = shown.clone();
        shown["kid"] = kid.cloned().unwrap_or_default();
        let fits = token.verifies_with_set(&json!({ "keys": [shown] }));
        return if fits { Ok(()) } else { Err(Doubt::Wrong("its signature does not fit")) };
    }
    if is(&ID_FIRST_KEY_ALONE) {
        let mut first = keys["keys"][0].clone();
        first["kid"] = kid.cloned().unwrap_or_default();
        let fits = token.verifies_with_set(&json!({ "keys": [first] }));
        return if fits { Ok(()) } else { Err(Doubt::Wrong("its signature does not fit")) };
    }
    let list = keys.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if kid.is_some() && !list.iter().any(|key| key.get("kid") == kid) {
        return Err(Doubt::UnknownKey);
    }
    if token.verifies_with_set(keys) { Ok(()) } else { Err(Doubt::Wrong("its signature does not fit")) }
}

fn audience(token: &Jwt, expected: &Expected<'_>) -> Result<(), Doubt> {
    let is = |one| expected.wrong.has(one);
    let audiences = token.audiences();
    let passes = is(&ID_AUDIENCE_UNCHECKED) || audiences.is_empty() && is(&ID_AUDIENCE_NOT_MISSED);
    if !audiences.contains(&expected.client_id) && !passes {
        return Err(Doubt::Wrong("it is for somebody else"));
    }
    let party = token.text("azp");
    let several = audiences.len() > 1 && party.is_none();
    let another = party.is_some_and(|party| party != expected.client_id);
    if (several || another) && !is(&ID_PARTY_UNCHECKED) {
        return Err(Doubt::Wrong("it is for others as well"));
    }
    Ok(())
}

fn times(token: &Jwt, expected: &Expected<'_>) -> Result<(), Doubt> {
    let is = |one| expected.wrong.has(one);
    match token.seconds("exp") {
        Some(exp) if exp + SKEW <= expected.now && !is(&ID_EXPIRY_UNCHECKED) => {
            return Err(Doubt::Wrong("it has expired"));
        }
        None if !is(&ID_CLAIMS_NOT_MISSED) => return Err(Doubt::Wrong("it never expires")),
        _ => {}
    }
    if token.seconds("iat").is_none() && !is(&ID_CLAIMS_NOT_MISSED) {
        return Err(Doubt::Wrong("it does not say when it was issued"));
    }
    if let Some(max_age) = expected.max_age.filter(|_| !is(&ID_AGE_UNCHECKED)) {
        let recent = |at: i64| at + max_age + SKEW >= expected.now;
        if !token.seconds("auth_time").is_some_and(recent) {
            return Err(Doubt::Wrong("the login is too long ago"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::jwt::{Draft, Signing};
    use crate::oauth::keys::{PrivateKey, RsaAlgorithm};

    fn key() -> PrivateKey {
        PrivateKey::from_pem(include_str!("../../tests/keys/app-main.key")).unwrap()
    }

    fn looked_at(change: impl Fn(&mut Draft)) -> Result<(), Doubt> {
        let key = key();
        let Value::Object(claims) = json!({
            "iss": "https://org.example", "aud": "me", "sub": "u", "iat": 1000, "exp": 2000, "nonce": "n",
            "auth_time": 990, "at_hash": jwt::half_hash("RS256", "A").unwrap()
        }) else {
            unreachable!()
        };
        let mut draft = Draft::of(claims);
        draft.header.insert("kid".into(), "k".into());
        change(&mut draft);
        let text = draft.sign(&Signing::Rsa(&key, RsaAlgorithm::Rs256));
        let expected = Expected {
            issuer: "https://org.example",
            client_id: "me",
            nonce: Some("n"),
            access_token: "A",
            max_age: Some(100),
            now: 1010,
            wrong: Wrongs::default(),
        };
        check(&text, &json!({ "keys": [key.public().jwk("k")] }), &expected)
    }

    #[test]
    fn a_right_id_token_is_believed() {
        assert_eq!(looked_at(|_| {}), Ok(()));
        assert_eq!(looked_at(|draft| drop(draft.header.shift_remove("kid"))), Ok(()));
        assert_eq!(looked_at(|draft| drop(draft.claims.shift_remove("at_hash"))), Ok(()));
        let several = |draft: &mut Draft| {
            draft.claims.insert("aud".into(), json!(["you", "me"]));
            draft.claims.insert("azp".into(), "me".into());
        };
        assert_eq!(looked_at(several), Ok(()));
    }

    #[test]
    fn whatever_is_wrong_with_it_is_seen() {
        for (claim, value) in [
            ("iss", json!("https://org.example/")),
            ("aud", json!("you")),
            ("aud", json!([])),
            ("aud", json!(["me", "you"])),
            ("azp", json!("you")),
            ("exp", json!(900)),
            ("exp", Value::Null),
            ("iat", Value::Null),
            ("sub", Value::Null),
            ("nonce", json!("m")),
            ("nonce", Value::Null),
            ("auth_time", json!(100)),
            ("auth_time", Value::Null),
            ("at_hash", json!("x")),
        ] {
            let change = |draft: &mut Draft| drop(draft.claims.insert(claim.into(), value.clone()));
            assert!(matches!(looked_at(change), Err(Doubt::Wrong(_))), "{claim}: {value}");
        }
        for (member, value) in [("crit", json!(["x"])), ("alg", json!("none")), ("alg", json!("HS256"))] {
            let change = |draft: &mut Draft| drop(draft.header.insert(member.into(), value.clone()));
            assert!(matches!(looked_at(change), Err(Doubt::Wrong(_))), "{member}: {value}");
        }
    }

    #[test]
    fn keys_are_read_again_for_a_key_that_is_not_there() {
        let other = |draft: &mut Draft| drop(draft.header.insert("kid".into(), "new".into()));
        assert_eq!(looked_at(other), Err(Doubt::UnknownKey));
    }
}
