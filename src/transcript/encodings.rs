//! How a secret may be written: each form in which it is looked for in what others said.

use serde_json::Value;
use std::fmt::Write as _;

use crate::oauth::params::form_encode;
use crate::oauth::{base64, base64url};

/// The fewest bytes of a secret that are looked for in the midst of something longer in base64: 12 letters, which stand
/// nowhere by chance.
const MIDDLE: usize = 9;

/// Letters of base32 (RFC 4648 §6).
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The forms in which a secret might turn up in an output, by itself or inside something longer.
pub fn encodings(value: &str) -> Vec<String> {
    let mut all = whole(value);
    all.extend(middles(value));
    // What was put into base64 as a whole: a body, a query, and what is in base64 already. Padding is left out of it, because
    // something may stand behind it or not.
    let inner = [form_encode(value), strictly(value), base64(value), base64url(value)];
    for inner in inner.iter().map(|inner| inner.trim_end_matches('=')).filter(|inner| *inner != value) {
        all.extend(middles(inner));
    }
    all.sort();
    all.dedup();
    all
}

/// The forms in which a secret might turn up by itself.
pub(super) fn whole(value: &str) -> Vec<String> {
    let digits: Vec<String> = value.bytes().map(|b| format!("{b:02x}")).collect();
    // As fingerprints and dumps are written.
    let (hex, colons) = (digits.concat(), digits.join(":"));
    let json = Value::from(value).to_string();
    let html = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let strict = strictly(value);
    // Of the escapes alone: the letters of the secret stay as they are.
    let lower = strict.split('%').enumerate().map(|(i, part)| match part.split_at_checked(2) {
        Some((escape, rest)) if i > 0 => format!("%{}{rest}", escape.to_lowercase()),
        _ => part.to_owned(),
    });
    let lower: String = lower.collect();
    // As those write JSON who keep to ASCII.
    let ascii: String = json.chars().fold(String::new(), |mut out, c| {
        let mut units = [0; 2];
        match c.is_ascii() {
            true => out.push(c),
            false => c.encode_utf16(&mut units).iter().for_each(|unit| {
                let _ = write!(out, "\\u{unit:04x}");
            }),
        }
        out
    });
    let base32 = base32(value.as_bytes());
    let mut all = vec![
        value.to_owned(),
        form_encode(value),
        form_encode(&form_encode(value)),
        strict,
        lower,
        base64(value),
        base64url(value),
        base32.to_lowercase(),
        base32,
        hex.to_uppercase(),
        hex,
        colons.to_uppercase(),
        colons,
        // PHP escapes the slash.
        json[1..json.len() - 1].replace('/', "\\/"),
        json[1..json.len() - 1].to_owned(),
        ascii[1..ascii.len() - 1].to_owned(),
        html,
    ];
    all.sort();
    all.dedup();
    all
}

/// URL-encoded but for letters and digits.
fn strictly(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// What an app sends as HTTP Basic, after the name of the scheme: form-encoded (RFC 6749 §2.3.1), and as it stands.
pub(super) fn basic(client_id: &str, secret: &str) -> [String; 2] {
    let encoded = format!("{}:{}", form_encode(client_id), form_encode(secret));
    [base64(encoded), base64(format!("{client_id}:{secret}"))]
}

/// What a secret looks like in the midst of something longer in base64, in both alphabets. Three bytes make four letters,
/// so it depends on how many bytes stand before it; at both ends a letter may have bits of its neighbour.
fn middles(value: &str) -> impl Iterator<Item = String> {
    let before = (0..3).filter_map(|skipped| {
        let rest = value.as_bytes().get(skipped..)?;
        let middle = &rest[..rest.len() / 3 * 3];
        (middle.len() >= MIDDLE).then(|| [base64(middle), base64url(middle)])
    });
    before.flatten().collect::<Vec<_>>().into_iter()
}

/// base32 without padding.
fn base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    for five in bytes.chunks(5) {
        let mut group = [0; 8];
        group[3..3 + five.len()].copy_from_slice(five);
        let bits = u64::from_be_bytes(group);
        let letters = (five.len() * 8).div_ceil(5);
        out.extend((0..letters).map(|at| char::from(BASE32[(bits >> (35 - 5 * at)) as usize % 32])));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_as_the_rfc_has_it() {
        // RFC 4648 §10, without padding.
        for (plain, encoded) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn a_secret_inside_something_in_base64_is_found_wherever_it_begins() {
        let secret = "s3cr3t~?>of the app";
        for before in ["", "x", "xy", "Bearer ", "id:"] {
            for after in ["", "z", "zz", "tail of it"] {
                for text in [
                    base64(format!("{before}{secret}{after}")),
                    base64url(format!("{before}{secret}{after}")),
                ] {
                    assert!(encodings(secret).iter().any(|form| text.contains(form)), "{before}|{after}");
                }
            }
        }
        let body = base64(format!("a=1&client_secret={}&b=2", form_encode(secret)));
        assert!(encodings(secret).iter().any(|form| body.contains(form)));
        let strict = format!("a=1&client_secret={}&b=2", strictly(secret));
        for twice in [&base64(secret), &base64url(secret), &strict] {
            for (before, after) in [("", ""), ("x", "\n"), ("xy", "&b=2")] {
                let text = format!("{before}{twice}{after}");
                for text in [base64(&text), base64url(&text)] {
                    assert!(encodings(secret).iter().any(|form| text.contains(form)), "{before}|{after}");
                }
            }
        }
        // Of a short one too little would be left.
        assert!(middles("s3cr3t-1").next().is_none());
    }
}
