//! Proof Key for Code Exchange (RFC 7636).

use super::{base64url, sha256};

/// How a challenge was made of its verifier (RFC 7636 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The hash of the verifier.
    S256,
    /// The verifier itself.
    Plain,
}

impl Method {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Method::S256 => "S256",
            Method::Plain => "plain",
        }
    }

    /// Reads the name on the wire.
    pub fn read(name: &str) -> Option<Self> {
        match name {
            "S256" => Some(Method::S256),
            "plain" => Some(Method::Plain),
            _ => None,
        }
    }

    /// The challenge that belongs to a verifier.
    pub fn challenge(self, verifier: &str) -> String {
        match self {
            Method::S256 => base64url(sha256(verifier)),
            Method::Plain => verifier.to_owned(),
        }
    }
}

/// A verifier of 43 characters from 32 random bytes (RFC 7636 §4.1).
pub fn verifier(random: [u8; 32]) -> String {
    base64url(random)
}

/// Whether a text uses only what a verifier may hold (RFC 7636 §4.1); its length is another question.
pub fn is_unreserved(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_rfc_7636_appendix_b_comes_out() {
        assert_eq!(
            Method::S256.challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    proptest! {
        #[test]
        fn a_verifier_is_one_and_its_challenge_fits_it_alone(random: [u8; 32], other: [u8; 32], text in any::<String>()) {
            let verifier = verifier(random);
            prop_assert!(verifier.len() == 43 && is_unreserved(&verifier), "{}", verifier);
            prop_assert_eq!(crate::oauth::from_base64url(&verifier).unwrap(), random);
            let challenge = Method::S256.challenge(&verifier);
            prop_assert!(challenge.len() == 43 && is_unreserved(&challenge), "{}", challenge);
            prop_assert_eq!(Method::Plain.challenge(&verifier), verifier.as_str());
            prop_assert_eq!(challenge == Method::S256.challenge(&self::verifier(other)), random == other);
            prop_assert_eq!(Method::S256.challenge(&text) == challenge, text == verifier);
            prop_assert_eq!(Method::read(&text).map(Method::name), ["S256", "plain"].into_iter().find(|n| *n == text));
        }
    }

    #[test]
    fn the_methods_have_their_names() {
        for method in [Method::S256, Method::Plain] {
            assert_eq!(Method::read(method.name()), Some(method));
        }
        assert_eq!(Method::read("s256"), None);
    }
}
