//! RSA keys and certificates: parsed once, used often.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, KeyPair as _, RsaEncoding, RsaKeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::sync::Arc;

use super::{Secret, base64url, from_base64};

/// A signature algorithm with an RSA key (RFC 7518 §3.3 and §3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum RsaAlgorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
}

/// An RSA private key. Cheap to clone; parsing it costs as much as half a signature, so it happens once.
#[derive(Clone)]
pub struct PrivateKey(Arc<RsaKeyPair>);

/// An RSA public key, as the PKCS#1 `RSAPublicKey` structure.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    der: Vec<u8>,
}

/// An X.509 certificate as an admin uploads it to a connected app.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    key: PublicKey,
    /// First second of its validity, since the epoch.
    pub not_before: i64,
    /// Last second of its validity, since the epoch.
    pub not_after: i64,
}

/// Why a text is not a key or certificate that can be used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// No PEM block of a private key.
    #[error("it holds no private key in PEM form")]
    NoPrivateKey,
    /// The key is not an RSA key that can sign.
    #[error("the key is not an RSA key of 2048 to 8192 bits; Salesforce signs and verifies with RS256 only")]
    NotRsa,
    /// Neither PEM nor bare base64 of a certificate.
    #[error("it holds no X.509 certificate, neither in PEM form nor as bare base64")]
    NoCertificate,
}

impl PrivateKey {
    /// Reads a PEM file with a PKCS#8 or PKCS#1 key.
    ///
    /// # Errors
    /// [`Unusable`], which names the reason and never the content.
    pub fn from_pem(pem: &str) -> Result<Self, Unusable> {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| Unusable::NoPrivateKey)?;
        let pair = match &der {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(Unusable::NotRsa),
        };
        pair.map(|pair| Self(Arc::new(pair))).map_err(|_| Unusable::NotRsa)
    }

    /// PKCS#8 in PEM, for a program that signs with it.
    ///
    /// # Errors
    /// The crypto library cannot write the key.
    pub fn to_pem(&self) -> Result<Secret, Unusable> {
        let der: Pkcs8V1Der<'_> = self.0.as_der().map_err(|_| Unusable::NotRsa)?;
        Ok(pem("PRIVATE KEY", der.as_ref()).into())
    }

    /// A new key of 2048 bits, for what must differ from every committed one.
    ///
    /// # Panics
    /// Never with a working source of randomness.
    pub fn generate() -> Self {
        Self(Arc::new(
            RsaKeyPair::generate(KeySize::Rsa2048).expect("RSA key generation needs only randomness"),
        ))
    }

    /// The signature over a message.
    ///
    /// # Panics
    /// Never: the buffer has the size of the modulus, and the key was checked when it was read.
    pub fn sign(&self, algorithm: RsaAlgorithm, message: &[u8]) -> Vec<u8> {
        let encoding: &'static dyn RsaEncoding = match algorithm {
            RsaAlgorithm::Rs256 => &signature::RSA_PKCS1_SHA256,
            RsaAlgorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
            RsaAlgorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
            RsaAlgorithm::Ps256 => &signature::RSA_PSS_SHA256,
        };
        let mut out = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(encoding, &SystemRandom::new(), message, &mut out)
            .expect("an RSA key that was read can sign");
        out
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey { der: self.0.public_key().as_ref().to_vec() }
    }
}

impl PublicKey {
    /// Whether an RSASSA-PKCS1-v1_5 signature with SHA-256 fits (RS256).
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, &self.der)
            .verify(message, signature)
            .is_ok()
    }

    /// The same with SHA-1, which Salesforce documents for SAML assertions.
    pub fn verify_sha1(&self, message: &[u8], signature: &[u8]) -> bool {
        signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, &self.der)
            .verify(message, signature)
            .is_ok()
    }

    /// The PKCS#1 structure.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The key in SubjectPublicKeyInfo PEM: the bytes that an algorithm confusion attack uses as an HMAC key.
    ///
    /// # Panics
    /// Never: the structure was parsed when it was read.
    pub fn pem(&self) -> String {
        let key =
            aws_lc_rs::signature::ParsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, &self.der)
                .expect("a public key that was parsed before");
        let der = key.as_der().expect("a parsed key has an encoding");
        let der: &[u8] = der.as_ref();
        let body = super::base64(der);
        let lines: Vec<&str> =
            body.as_bytes().chunks(64).map(|c| std::str::from_utf8(c).unwrap_or("")).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// The JSON Web Key (RFC 7517 §4, RFC 7518 §6.3.1) under a key id.
    pub fn jwk(&self, kid: &str) -> serde_json::Value {
        let (n, e) = self.components();
        serde_json::json!({ "kty": "RSA", "n": base64url(n), "e": base64url(e), "kid": kid, "alg": "RS256", "use": "sig" })
    }

    /// Modulus and exponent, big endian without leading zeros.
    fn components(&self) -> (Vec<u8>, Vec<u8>) {
        use x509_parser::der_parser::der::parse_der;
        let trimmed = |bytes: &[u8]| bytes.iter().copied().skip_while(|b| *b == 0).collect::<Vec<_>>();
        let Ok((_, structure)) = parse_der(&self.der) else { return (Vec::new(), Vec::new()) };
        let part = |i: usize| structure[i].as_slice().map(trimmed).unwrap_or_default();
        (part(0), part(1))
    }
}

/// PEM (RFC 7468 §2): base64 on lines of 64 characters.
fn pem(label: &str, der: &[u8]) -> String {
    let text = super::base64(der);
    let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line));
    let body = lines.collect::<Vec<_>>().join("\n");
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

impl Certificate {
    /// It in PEM.
    pub fn to_pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }

    /// Reads a certificate in PEM form or as bare base64 of its DER, the form in which Salesforce
    /// hands out the certificate of a connected app.
    ///
    /// # Errors
    /// [`Unusable`], where it is no certificate or holds another kind of key.
    pub fn read(text: &str) -> Result<Self, Unusable> {
        let der = match CertificateDer::from_pem_slice(text.as_bytes()) {
            Ok(der) => der.to_vec(),
            Err(_) => {
                let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
                from_base64(&bare).ok_or(Unusable::NoCertificate)?
            }
        };
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).map_err(|_| Unusable::NoCertificate)?;
        match parsed.public_key().parsed() {
            Ok(x509_parser::public_key::PublicKey::RSA(key)) if (2048..=8192).contains(&key.key_size()) => {}
            _ => return Err(Unusable::NotRsa),
        }
        let key = PublicKey { der: parsed.public_key().subject_public_key.data.to_vec() };
        // Numbers that no RSA key has (an even modulus, say) are told now, or they would be found when it is used.
        signature::ParsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, &key.der)
            .map_err(|_| Unusable::NotRsa)?;
        let (not_before, not_after) =
            (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
        Ok(Self { key, not_before, not_after, der })
    }

    /// The key that it certifies.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The DER in base64, as `ds:X509Certificate` carries it.
    pub fn base64(&self) -> String {
        super::base64(&self.der)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(RSA)")
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey(RSA, {} bytes)", self.der.len())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({} bytes)", self.der.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = include_str!("../../tests/keys/app-main.key");
    const CERTIFICATE: &str = include_str!("../../tests/keys/app-main.crt");

    #[test]
    fn a_signature_verifies_with_the_certificate_in_both_forms() {
        let signature = PrivateKey::from_pem(KEY).unwrap().sign(RsaAlgorithm::Rs256, b"message");
        let pem = Certificate::read(CERTIFICATE).unwrap();
        assert!(pem.key().verify(b"message", &signature));
        assert!(!pem.key().verify(b"massage", &signature));
        assert_eq!(Certificate::read(&pem.base64()).unwrap().key(), pem.key());
    }

    #[test]
    fn the_public_half_of_the_key_is_the_key_of_its_certificate() {
        assert_eq!(
            &PrivateKey::from_pem(KEY).unwrap().public(),
            Certificate::read(CERTIFICATE).unwrap().key()
        );
    }

    #[test]
    fn other_texts_are_refused_by_name() {
        assert_eq!(PrivateKey::from_pem(CERTIFICATE).unwrap_err(), Unusable::NoPrivateKey);
        assert_eq!(Certificate::read("not a certificate").unwrap_err(), Unusable::NoCertificate);
    }

    #[test]
    fn a_certificate_of_no_usable_key_is_refused() {
        let mut der = Certificate::read(CERTIFICATE).unwrap().der;
        // The modulus ends right before the exponent, 65537.
        let exponent = der.windows(5).position(|bytes| bytes == [2, 3, 1, 0, 1]).unwrap();
        der[exponent - 1] ^= 1;
        assert_eq!(
            Certificate::read(&super::super::base64(&der)).unwrap_err(),
            Unusable::NotRsa,
            "it is even"
        );
    }

    proptest! {
        /// A certificate is not verified, only read: whatever its bytes say, the key in it can be shown or there
        /// is none.
        #[test]
        fn no_certificate_is_too_strange(changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4)) {
            let mut der = Certificate::read(CERTIFICATE).unwrap().der;
            for (at, byte) in changes {
                let at = at.index(der.len());
                der[at] = byte;
            }
            if let Ok(read) = Certificate::read(&super::super::base64(&der)) {
                prop_assert!(read.key().pem().len() > 100);
                prop_assert!(read.key().jwk("k")["kty"] == "RSA");
            }
        }

        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            prop_assert!(Certificate::read(&text).is_err() && PrivateKey::from_pem(&text).is_err());
        }
    }
}
