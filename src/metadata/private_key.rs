//! Private keys that stand where a certificate should: base64 of their DER, without the armour that would name them.

use core::ops::Range;

use crate::oauth::from_base64;

/// How many letters of base64 are looked at: what a key begins with.
const BEGINNING: usize = 64;
/// A shorter text is no key; one of Ed25519 has 64.
const SHORTEST: usize = 40;

/// Whether a text has a private key in it, with armour or without.
pub(super) fn is_in(text: &str) -> bool {
    text.contains("PRIVATE KEY") || !places(text).is_empty()
}

/// Where the first private key of a text begins, with armour or without, up to the end of its line.
pub(super) fn first(text: &str) -> Option<Range<usize>> {
    let armour = text
        .find("-----BEGIN")
        .filter(|at| text[*at..].lines().next().is_some_and(|l| l.contains("PRIVATE KEY-----")));
    let start = armour.or_else(|| places(text).first().map(|place| place.start))?;
    Some(start..text[start..].find('\n').map_or(text.len(), |length| start + length))
}

/// Where private keys stand in a text that have no armour, up to their ends.
pub(super) fn places(text: &str) -> Vec<Range<usize>> {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let mut found: Vec<Range<usize>> = Vec::new();
    // A sequence in DER is an `M` in base64.
    for (at, _) in text.match_indices('M') {
        let goes_on = text[..at].ends_with(letter) || found.last().is_some_and(|last| last.end > at);
        if goes_on {
            continue;
        }
        let letters = || text[at..].chars().filter(|c| !c.is_whitespace());
        let beginning: String = letters().take(BEGINNING).take_while(|c| letter(*c)).collect();
        if begins_a_key(&beginning) {
            let rest = &text[at..];
            let length = rest.find(|c: char| !letter(c) && !c.is_whitespace()).unwrap_or(rest.len());
            found.push(at..at + length);
        }
    }
    found
}

/// Whether base64 begins the DER of a private key: PKCS#8 (RFC 5958 §2), encrypted or not, PKCS#1 (RFC 8017 §A.1.2), SEC 1
/// (RFC 5915 §3), or of the PKCS#12 file (RFC 7292 §4) that holds one. A certificate begins with two sequences and no name of
/// a cipher.
fn begins_a_key(base64: &str) -> bool {
    if base64.len() < SHORTEST {
        return false;
    }
    let whole = base64.trim_end_matches('=').len() / 4 * 4;
    let Some(der) = from_base64(&base64[..whole]) else { return false };
    let Some(inner) = inside(&der) else { return false };
    match inner {
        [0x02, 0x01, 0 | 1 | 3, 0x02 | 0x04 | 0x30, ..] => true,
        [0x30, ..] => inside(inner).is_some_and(|name| {
            let pkcs5 = name.get(2..10) == Some(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05]);
            let pkcs12 = name.get(2..10) == Some(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c]);
            name.starts_with(&[0x06]) && (pkcs5 || pkcs12)
        }),
        _ => false,
    }
}

/// What a sequence in DER holds, as far as it is there.
fn inside(der: &[u8]) -> Option<&[u8]> {
    let [0x30, length, rest @ ..] = der else { return None };
    match length {
        0..=0x7f => Some(rest),
        0x81..=0x84 => rest.get(usize::from(length - 0x80)..),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::keys::{Certificate, PrivateKey};

    fn bare(pem: &str) -> String {
        pem.lines().filter(|line| !line.starts_with("-----")).collect::<Vec<_>>().join("\n  ")
    }

    #[test]
    fn a_key_without_armour_is_a_key_and_a_certificate_is_none() {
        let key = bare(include_str!("../../tests/keys/app-main.key"));
        PrivateKey::from_pem(include_str!("../../tests/keys/app-main.key")).unwrap();
        let text = format!("<certificate>\n{key}</certificate>");
        let found = places(&text);
        let [Range { start: 14, end }] = found[..] else { panic!("{found:?}") };
        assert_eq!(&text[end..], "</certificate>");
        let certificate = include_str!("../../tests/keys/app-main.crt");
        Certificate::read(certificate).unwrap();
        assert!(
            !is_in(&bare(certificate)) && !is_in("MIIEvQ") && !is_in("Many words, MIIE and more of them")
        );
        for beginning in [
            // PKCS#1, PKCS#8 of Ed25519, SEC 1, an encrypted PKCS#8, PKCS#12.
            "MIIEowIBAAKCAQEA7/wSmi8UTKgQ1bAAAAAAAAAAAAAAAAAAAAAA",
            "MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "MHcCAQEEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAoAoGCCqGSM49",
            "MIIFHDBOBgkqhkiG9w0BBQ0wQTApBgkqhkiG9w0BBQwwHAQIAAAAAAAAAAAC",
            "MIIJqQIBAzCCCW8GCSqGSIb3DQEHAaCCCWAEgglcMIIJWDCCA98GCSqGSIb3",
        ] {
            assert!(is_in(beginning), "{beginning}");
        }
    }
}
