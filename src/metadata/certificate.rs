//! Certificates in metadata: what they are, whether Salesforce can use them or not.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::public_key::PublicKey;

use crate::oauth::from_base64;

/// A day in seconds.
pub(super) const DAY: i64 = 86_400;

/// The key of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with so many bits.
    Rsa(usize),
    /// Elliptic curves.
    Ec,
    /// Anything else.
    Other,
}

/// What is read of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Its key.
    pub algorithm: Algorithm,
    /// First second of its validity, since the epoch.
    pub not_before: i64,
    /// Last second of its validity, since the epoch.
    pub not_after: i64,
    /// Whether it is signed with SHA-1 or MD5.
    pub weak_signature: bool,
    /// Whether the text has armour; retrieved files have bare base64.
    pub armoured: bool,
}

/// Seconds in whole days, in words.
pub fn days(seconds: i64) -> String {
    match seconds / DAY {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        count => format!("{count} days"),
    }
}

/// Reads a certificate in PEM form or as bare base64 of its DER.
pub(super) fn read(text: &str) -> Option<Read> {
    let armoured = text.contains("-----BEGIN");
    let der = if armoured {
        CertificateDer::from_pem_slice(text.as_bytes()).ok()?.to_vec()
    } else {
        from_base64(&text.chars().filter(|c| !c.is_whitespace()).collect::<String>())?
    };
    let (_, parsed) = x509_parser::parse_x509_certificate(&der).ok()?;
    let algorithm = match parsed.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => Algorithm::Rsa(key.key_size()),
        Ok(PublicKey::EC(_)) => Algorithm::Ec,
        _ => Algorithm::Other,
    };
    // RFC 8017 §A.2.4: md5 and sha1 WithRSAEncryption; RFC 5758 §3.2: ecdsa-with-SHA1.
    let signed = parsed.signature_algorithm.algorithm.to_id_string();
    let weak = ["1.2.840.113549.1.1.4", "1.2.840.113549.1.1.5", "1.2.840.10045.4.1"];
    Some(Read {
        algorithm,
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
        weak_signature: weak.contains(&signed.as_str()),
        armoured,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_day_is_no_days() {
        assert_eq!([0, DAY, 2 * DAY - 1, 2 * DAY].map(days), ["less than a day", "1 day", "1 day", "2 days"]);
    }
}
