//! JSON Web Tokens (RFC 7519) as assertions, ID tokens and access tokens: minted from a draft that
//! can be wrong in any way, read without trust, verified with a known key.

use serde_json::{Map, Value};

use super::keys::{PrivateKey, PublicKey, RsaAlgorithm};
use super::{base64url, from_base64url, hmac_sha256};

/// The longest token that is looked at, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// A token before it is signed.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Members of the JOSE header after `alg`, which [`Signing`] decides unless it stands here.
    pub header: Map<String, Value>,
    /// The claims, in order.
    pub claims: Map<String, Value>,
    /// Claims that are written once more at the end, so that a duplicate member can be said.
    pub twice: Vec<(String, Value)>,
}

/// How a draft is signed, the wrong ways among them.
#[derive(Clone, Debug)]
pub enum Signing<'a> {
    /// With an RSA key.
    Rsa(&'a PrivateKey, RsaAlgorithm),
    /// HMAC-SHA256 with these bytes: with a public key as bytes it is the algorithm confusion of RFC 8725 §2.1.
    Hs256(&'a [u8]),
    /// `alg: none` and an empty signature (RFC 8725 §3.2).
    None,
    /// The header of RS256 and an empty signature.
    Stripped,
    /// RS256 with one bit of the signature flipped.
    Broken(&'a PrivateKey),
}

impl Signing<'_> {
    fn alg(&self) -> &'static str {
        match self {
            Signing::Rsa(_, RsaAlgorithm::Rs384) => "RS384",
            Signing::Rsa(_, RsaAlgorithm::Rs512) => "RS512",
            Signing::Rsa(_, RsaAlgorithm::Ps256) => "PS256",
            Signing::Rsa(..) | Signing::Stripped | Signing::Broken(_) => "RS256",
            Signing::Hs256(_) => "HS256",
            Signing::None => "none",
        }
    }

    fn signature(&self, input: &[u8]) -> Vec<u8> {
        match self {
            Signing::Rsa(key, algorithm) => key.sign(*algorithm, input),
            Signing::Hs256(key) => hmac_sha256(key, input),
            Signing::None | Signing::Stripped => Vec::new(),
            Signing::Broken(key) => {
                let mut signature = key.sign(RsaAlgorithm::Rs256, input);
                if let Some(byte) = signature.last_mut() {
                    *byte ^= 1;
                }
                signature
            }
        }
    }
}

impl Draft {
    /// A draft of these claims.
    pub fn of(claims: Map<String, Value>) -> Self {
        Self { claims, ..Self::default() }
    }

    /// The compact serialization (RFC 7515 §7.1).
    pub fn sign(&self, how: &Signing<'_>) -> String {
        let mut header = Map::new();
        header.insert("alg".into(), how.alg().into());
        header.extend(self.header.clone());
        let mut claims = Value::Object(self.claims.clone()).to_string();
        for (name, value) in &self.twice {
            claims.pop();
            let comma = if claims.len() > 1 { "," } else { "" };
            claims.push_str(&format!("{comma}{}:{value}}}", Value::from(name.as_str())));
        }
        let mut out = base64url(Value::Object(header).to_string());
        out.push('.');
        out.push_str(&base64url(claims));
        let signature = how.signature(out.as_bytes());
        out.push('.');
        out.push_str(&base64url(signature));
        out
    }
}

/// A token as it was read: nothing in it is trusted yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Jwt {
    /// The JOSE header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
    signed: String,
    signature: Vec<u8>,
}

/// Why a text is not a signed token in compact form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Longer than [`LONGEST`].
    #[error("it is longer than 64 KiB")]
    Long,
    /// Not three parts with a dot between them.
    #[error("it has not three parts")]
    Parts,
    /// A part is not base64url without padding.
    #[error("a part is not base64url without padding")]
    Base64,
    /// Header or claims are not a JSON object.
    #[error("header or claims are not a JSON object")]
    Json,
}

impl Jwt {
    /// Reads the compact form.
    ///
    /// # Errors
    /// [`Malformed`], with the reason.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        if text.len() > LONGEST {
            return Err(Malformed::Long);
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [header, claims, signature] = parts[..] else { return Err(Malformed::Parts) };
        let object = |part: &str| -> Result<Map<String, Value>, Malformed> {
            let bytes = from_base64url(part).ok_or(Malformed::Base64)?;
            serde_json::from_slice(&bytes).map_err(|_| Malformed::Json)
        };
        Ok(Self {
            header: object(header)?,
            claims: object(claims)?,
            signed: text[..header.len() + 1 + claims.len()].to_owned(),
            signature: from_base64url(signature).ok_or(Malformed::Base64)?,
        })
    }

    /// `alg` of the header, empty where there is none.
    pub fn alg(&self) -> &str {
        self.header.get("alg").and_then(Value::as_str).unwrap_or("")
    }

    /// A claim that is a text.
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim).and_then(Value::as_str)
    }

    /// A NumericDate (RFC 7519 §2) in whole seconds; a numeric string counts, as Salesforce accepts it.
    pub fn seconds(&self, claim: &str) -> Option<i64> {
        seconds(self.claims.get(claim)?)
    }

    /// Every audience (RFC 7519 §4.1.3).
    pub fn audiences(&self) -> Vec<&str> {
        match self.claims.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the header says RS256, names no extension that must be understood (RFC 7515 §4.1.11), and
    /// the signature fits the key.
    pub fn verifies(&self, key: &PublicKey) -> bool {
        self.alg() == "RS256"
            && !self.header.contains_key("crit")
            && jsonwebtoken::crypto::verify(
                &base64url(&self.signature),
                self.signed.as_bytes(),
                &jsonwebtoken::DecodingKey::from_rsa_der(key.der()),
                jsonwebtoken::Algorithm::RS256,
            )
            .unwrap_or(false)
    }

    /// Whether the signature is the HMAC of these bytes: what an org takes that falls for algorithm confusion.
    pub fn verifies_hs256(&self, key: &[u8]) -> bool {
        self.alg() == "HS256" && self.signature == hmac_sha256(key, self.signed.as_bytes())
    }

    /// Whether there is no signature at all.
    pub fn is_unsigned(&self) -> bool {
        self.signature.is_empty()
    }

    /// Whether a key of a JSON Web Key Set verifies the signature (RFC 7517 §5): the one of the same
    /// `kid`, or any where the header names none. `none` and HMAC never do.
    pub fn verifies_with_set(&self, set: &Value) -> bool {
        let Ok(algorithm) = self.alg().parse::<jsonwebtoken::Algorithm>() else { return false };
        if self.alg().starts_with("HS") {
            return false;
        }
        let kid = self.header.get("kid").and_then(Value::as_str);
        let keys = set.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        keys.iter()
            .filter(|key| kid.is_none() || key.get("kid").and_then(Value::as_str) == kid)
            .filter_map(|key| serde_json::from_value::<jsonwebtoken::jwk::Jwk>(key.clone()).ok())
            .filter_map(|key| jsonwebtoken::DecodingKey::from_jwk(&key).ok())
            .any(|key| {
                let signature = base64url(&self.signature);
                jsonwebtoken::crypto::verify(&signature, self.signed.as_bytes(), &key, algorithm)
                    .unwrap_or(false)
            })
    }
}

/// The left half of a hash, in base64url, with the hash function of a signature algorithm: `at_hash` (OpenID Connect
/// Core §3.1.3.6). None where the algorithm does not name one.
pub fn half_hash(alg: &str, text: &str) -> Option<String> {
    use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
    let function = match alg.get(2..)? {
        "256" => &SHA256,
        "384" => &SHA384,
        "512" => &SHA512,
        _ => return None,
    };
    let hash = digest(function, text.as_bytes());
    let bytes = hash.as_ref();
    Some(base64url(&bytes[..bytes.len() / 2]))
}

/// Whole seconds of a NumericDate that is a number or a numeric string.
pub fn seconds(value: &Value) -> Option<i64> {
    match value {
        #[allow(clippy::cast_possible_truncation)]
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|f| f as i64)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn key() -> PrivateKey {
        PrivateKey::from_pem(include_str!("../../tests/keys/app-main.key")).unwrap()
    }

    fn draft() -> Draft {
        let Value::Object(claims) = json!({ "iss": "client", "exp": 10 }) else { unreachable!() };
        Draft::of(claims)
    }

    #[test]
    fn only_the_right_signature_verifies() {
        let key = key();
        let verifies = |how: Signing<'_>| Jwt::read(&draft().sign(&how)).unwrap().verifies(&key.public());
        assert!(verifies(Signing::Rsa(&key, RsaAlgorithm::Rs256)));
        let pem = key.public().pem();
        for how in [
            Signing::None,
            Signing::Stripped,
            Signing::Broken(&key),
            Signing::Hs256(pem.as_bytes()),
            Signing::Rsa(&key, RsaAlgorithm::Rs512),
        ] {
            assert!(!verifies(how.clone()), "{how:?}");
        }
    }

    #[test]
    fn a_published_set_verifies_by_kid() {
        let key = key();
        let mut draft = draft();
        draft.header.insert("kid".into(), "k1".into());
        let jwt = Jwt::read(&draft.sign(&Signing::Rsa(&key, RsaAlgorithm::Rs256))).unwrap();
        assert!(jwt.verifies_with_set(&json!({ "keys": [key.public().jwk("k1")] })));
        assert!(!jwt.verifies_with_set(&json!({ "keys": [key.public().jwk("k2")] })));
    }

    #[test]
    fn a_duplicate_claim_is_written() {
        let mut draft = draft();
        draft.twice.push(("exp".into(), json!(99)));
        let token = draft.sign(&Signing::None);
        let claims = from_base64url(token.split('.').nth(1).unwrap()).unwrap();
        assert_eq!(String::from_utf8(claims).unwrap(), r#"{"iss":"client","exp":10,"exp":99}"#);
    }

    #[test]
    fn half_a_hash_is_that_of_the_algorithm() {
        let token = "00Dxx0000000001!AQEAQExampleTokenForAtHash";
        assert_eq!(half_hash("RS256", token).as_deref(), Some("vVAQjaHE1u-U8a0ULZp2Gw"));
        assert_eq!(half_hash("ES384", token).map(|hash| hash.len()), Some(32));
        assert_eq!((half_hash("EdDSA", token), half_hash("", token)), (None, None));
    }

    #[test]
    fn malformed_texts_are_named() {
        assert_eq!(Jwt::read("a.b").unwrap_err(), Malformed::Parts);
        assert_eq!(Jwt::read("a=.b.c").unwrap_err(), Malformed::Base64);
        assert_eq!(Jwt::read("e30.W10.").unwrap_err(), Malformed::Json);
    }

    proptest! {
        #[test]
        fn claims_round_trip(name in "[a-z]{1,8}", text in ".*", number in any::<i64>()) {
            let claims: Map<String, Value> = [(name, json!(text)), ("n1".to_owned(), json!(number))].into_iter().collect();
            let token = Draft::of(claims.clone()).sign(&Signing::None);
            prop_assert_eq!(Jwt::read(&token).unwrap().claims, claims);
        }

        #[test]
        fn reading_never_panics(text in any::<String>()) {
            let _ = Jwt::read(&text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Whoever changes one place of a signed token has no signed token any more.
        #[test]
        fn no_edit_of_a_signed_token_verifies(
            texts in prop::collection::vec((any::<String>(), any::<String>()), 0..4),
            at in any::<prop::sample::Index>(), cut in 0usize..3, put in "[A-Za-z0-9_.=-]{0,2}",
        ) {
            let key = key();
            let claims: Map<String, Value> = texts.into_iter().map(|(name, text)| (name, json!(text))).collect();
            let token = Draft::of(claims.clone()).sign(&Signing::Rsa(&key, RsaAlgorithm::Rs256));
            let jwt = Jwt::read(&token).unwrap();
            prop_assert!(jwt.verifies(&key.public()) && jwt.claims == claims);
            let start = at.index(token.len());
            let end = (start + cut).min(token.len());
            let edited = format!("{}{put}{}", &token[..start], &token[end..]);
            let verifies = Jwt::read(&edited).is_ok_and(|jwt| jwt.verifies(&key.public()));
            prop_assert_eq!(verifies, edited == token, "{}", edited);
        }
    }
}
