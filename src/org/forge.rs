//! ID tokens that the org would not issue, for clients to refuse: its own with other claims, another header or another
//! signature, and the key sets that go with them.

use serde_json::{Map, Value, json};
use std::sync::LazyLock;

use super::signing::{self, ID_TOKEN_KID};
use crate::oauth::duration;
use crate::oauth::jwt::{Draft, Jwt, Signing};
use crate::oauth::keys::{PrivateKey, RsaAlgorithm};
use crate::subject::{Forged, Keys, Sign};

/// `kid` of the key that the org rolls over to.
const ROLLED_KID: &str = "240";

/// Another key than the org's: published, it is the one that the org rolls over to; kept back, it is an attacker's. It is
/// synthetic, as the org's own, and nothing but a test may trust what it signs.
static OTHER: LazyLock<PrivateKey> = LazyLock::new(|| {
    PrivateKey::from_pem(include_str!("other.key")).expect("the committed other key is an RSA key")
});

/// Claims signed with a key that is not the org's.
pub(super) fn signed(header: Map<String, Value>, claims: Map<String, Value>) -> String {
    Draft { header, claims, twice: Vec::new() }.sign(&Signing::Rsa(&OTHER, RsaAlgorithm::Rs256))
}

/// An ID token of the org as a suite wants it; none where the text is no token. `rolled` says that another key signs by
/// now, `fill` puts names of hosts into texts, `now` is in milliseconds since the epoch.
pub fn id_token(
    text: &str,
    wanted: &Forged,
    rolled: bool,
    fill: &dyn Fn(&str) -> String,
    now: i64,
) -> Option<String> {
    let Jwt { mut header, mut claims, .. } = Jwt::read(text).ok()?;
    if rolled {
        header.insert("kid".into(), ROLLED_KID.into());
    }
    if wanted.sign == Sign::ShownKey {
        header.insert("jwk".into(), OTHER.public().jwk(ROLLED_KID));
    }
    edit(&mut claims, &wanted.claims, &|name, text| match name {
        "exp" | "iat" | "nbf" | "auth_time" => moment(text, now).unwrap_or_else(|| fill(text).into()),
        _ => fill(text).into(),
    });
    edit(&mut header, &wanted.header, &|_, text| fill(text).into());
    // The header says what the signature is, unless the suite wants it to lie.
    if !wanted.header.iter().any(|(name, _)| name == "alg") {
        header.shift_remove("alg");
    }
    let key = if rolled { &OTHER } else { signing::key() };
    let public = signing::key().public().pem();
    let how = match wanted.sign {
        Sign::Right => Signing::Rsa(key, RsaAlgorithm::Rs256),
        Sign::Broken => Signing::Broken(key),
        Sign::Stripped => Signing::Stripped,
        Sign::None => Signing::None,
        Sign::Hs256 => Signing::Hs256(public.as_bytes()),
        Sign::OtherKey | Sign::ShownKey => Signing::Rsa(&OTHER, RsaAlgorithm::Rs256),
    };
    Some(Draft { header, claims, twice: Vec::new() }.sign(&how))
}

fn edit(
    members: &mut Map<String, Value>,
    edits: &[(String, Option<Value>)],
    text: &dyn Fn(&str, &str) -> Value,
) {
    for (name, value) in edits {
        match value {
            Some(Value::String(value)) => members.insert(name.clone(), text(name, value)),
            Some(Value::Array(items)) => {
                let items =
                    items.iter().map(|item| item.as_str().map_or_else(|| item.clone(), |i| text(name, i)));
                members.insert(name.clone(), items.collect())
            }
            Some(value) => members.insert(name.clone(), value.clone()),
            None => members.shift_remove(name),
        };
    }
}

/// `-10m` as seconds since the epoch.
fn moment(text: &str, now: i64) -> Option<Value> {
    let (sign, span) = match text.split_at_checked(1)? {
        ("-", span) => (-1, span),
        ("+", span) => (1, span),
        _ => return None,
    };
    let millis = duration(span)?.checked_mul(sign)?;
    Some(now.saturating_add(millis).div_euclid(1000).into())
}

/// The keys that the org publishes: `rolled` says that another key signs by now.
pub fn key_set(keys: &Keys, rolled: bool) -> Value {
    let mut set = signing::published();
    if let Some(list) = set.get_mut("keys").and_then(Value::as_array_mut) {
        if keys.single {
            list.retain(|key| key.get("kid").is_some_and(|kid| kid == ID_TOKEN_KID));
        }
        if rolled {
            list.push(OTHER.public().jwk(ROLLED_KID));
        }
    }
    set
}

/// The keys that an attacker publishes.
pub fn rogue_key_set() -> Value {
    json!({ "keys": [OTHER.public().jwk(ID_TOKEN_KID), OTHER.public().jwk(ROLLED_KID)] })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn forged(wanted: &Forged, rolled: bool) -> Jwt {
        let Value::Object(claims) = json!({ "iss": "org", "aud": "me", "exp": 5 }) else { unreachable!() };
        let Value::Object(header) = json!({ "kid": ID_TOKEN_KID }) else { unreachable!() };
        let own = signing::sign(header, claims);
        let fill = |text: &str| text.replace("${org.rogue}", "https://rogue.example");
        Jwt::read(&id_token(&own, wanted, rolled, &fill, NOW).unwrap()).unwrap()
    }

    fn said(name: &str, value: Option<Value>) -> Vec<(String, Option<Value>)> {
        vec![(name.to_owned(), value)]
    }

    #[test]
    fn claims_and_header_are_as_a_suite_has_them() {
        let verifies = |jwt: &Jwt| jwt.verifies_with_set(&key_set(&Keys::default(), false));
        let issuer = forged(
            &Forged { claims: said("iss", Some("${org.rogue}/x".into())), ..Forged::default() },
            false,
        );
        assert_eq!(issuer.text("iss"), Some("https://rogue.example/x"));
        assert!(verifies(&issuer));
        let late = forged(&Forged { claims: said("exp", Some("-10m".into())), ..Forged::default() }, false);
        assert_eq!(late.seconds("exp"), Some(NOW / 1000 - 600));
        let list =
            forged(&Forged { claims: said("aud", Some(json!(["me", "you"]))), ..Forged::default() }, false);
        assert_eq!(list.audiences(), ["me", "you"]);
        let bare = forged(&Forged { header: said("kid", None), ..Forged::default() }, false);
        assert!(!bare.header.contains_key("kid") && verifies(&bare));
    }

    #[test]
    fn only_a_right_signature_verifies() {
        for (sign, alg) in [
            (Sign::Broken, "RS256"),
            (Sign::Stripped, "RS256"),
            (Sign::None, "none"),
            (Sign::Hs256, "HS256"),
            (Sign::OtherKey, "RS256"),
            (Sign::ShownKey, "RS256"),
        ] {
            let jwt = forged(&Forged { sign, ..Forged::default() }, false);
            assert_eq!(jwt.alg(), alg);
            assert!(!jwt.verifies_with_set(&key_set(&Keys::default(), false)), "{sign:?}");
            let mut shown = jwt.header.get("jwk").cloned().unwrap_or_default();
            shown["kid"] = ID_TOKEN_KID.into();
            let fits = jwt.verifies_with_set(&json!({ "keys": [shown] }));
            assert_eq!(
                (jwt.header.contains_key("jwk"), fits),
                (sign == Sign::ShownKey, sign == Sign::ShownKey)
            );
        }
    }

    #[test]
    fn a_rolled_key_is_published_beside_the_old_one() {
        let jwt = forged(&Forged::default(), true);
        let keys = Keys { single: true, ..Keys::default() };
        assert!(
            !jwt.verifies_with_set(&key_set(&keys, false)) && jwt.verifies_with_set(&key_set(&keys, true))
        );
        assert_eq!(key_set(&keys, true)["keys"].as_array().map(Vec::len), Some(2));
        assert_eq!(key_set(&Keys::default(), false)["keys"].as_array().map(Vec::len), Some(2));
    }
}
