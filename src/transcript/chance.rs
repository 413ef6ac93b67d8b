//! How many random bits a secret can hold, as far as the record shows it: by its length and letters, and by what it has in
//! common with others of its kind. More cannot be seen from outside: what looks random may still be predictable.

use std::collections::VecDeque;

use super::{Exchange, Facts};

/// With how many before it a secret is compared.
const BEFORE: usize = 32;

/// Bits by which two random secrets differ at least, whatever they were made of: some letters of both are the same by chance,
/// and a UUID of version 7 has 74 random bits (RFC 9562 §5.7); one of version 1 tells the time and differs in less (§5.1).
pub(crate) const APART: u32 = 48;

/// Tells of each code, refresh token and verifier by how many bits it differs from those before it.
pub fn tell_apart(exchanges: &mut [Exchange]) {
    compare(exchanges, Exchange::code_issued, |facts| &mut facts.code_apart);
    compare(
        exchanges,
        |x| x.text("refresh_token").map(str::to_owned),
        |facts| &mut facts.refresh_token_apart,
    );
    compare(
        exchanges,
        |x| x.request.form().get("code_verifier").map(str::to_owned),
        |facts| &mut facts.verifier_apart,
    );
}

fn compare(
    exchanges: &mut [Exchange],
    secret: impl Fn(&Exchange) -> Option<String>,
    fact: impl Fn(&mut Facts) -> &mut Option<u32>,
) {
    let mut before: VecDeque<String> = VecDeque::new();
    for x in exchanges {
        // The same again is no other one.
        let Some(secret) = secret(x).filter(|secret| !secret.is_empty() && !before.contains(secret)) else {
            continue;
        };
        *fact(&mut x.facts) = before.iter().map(|other| bits_apart(other, &secret)).min();
        before.push_back(secret);
        if before.len() > BEFORE {
            before.pop_front();
        }
    }
}

/// The bits that a code or token can hold at most. What it was drawn from is guessed wide: a text that only happens to
/// have no capital is not taken for one that can have none. A hyphen between digits, as in a UUID, holds nothing.
pub(crate) fn most_bits(token: &str) -> u32 {
    let token = token.trim_end_matches('=');
    let (of_each, dashes) = letter_bits(&[token]);
    let length = token.chars().filter(|c| dashes || *c != '-').count();
    bits(length, of_each)
}

/// The bits that the letters can hold at most in which one of two differs from the other: those at the same place, or all
/// between where they begin alike and end alike, whichever is less. A counter may have grown by a digit.
pub(crate) fn bits_apart(one: &str, other: &str) -> u32 {
    let [one, other] = [one, other].map(|text| text.trim_end_matches('='));
    let (of_each, _) = letter_bits(&[one, other]);
    let [one, other] = [one.as_bytes(), other.as_bytes()];
    let alike = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let [one, other] = [&one[alike..], &other[alike..]];
    let at_the_end = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    let between = one.len().max(other.len()) - at_the_end;
    let in_place = one.iter().zip(other).filter(|(a, b)| a != b).count() + one.len().abs_diff(other.len());
    bits(between.min(in_place), of_each)
}

fn bits(letters: usize, of_each: f64) -> u32 {
    (letters.min(100_000) as f64 * of_each) as u32
}

/// The bits that each letter of these can hold, and whether a hyphen is one of the letters.
fn letter_bits(texts: &[&str]) -> (f64, bool) {
    let drawn_from =
        |digits: fn(u8) -> bool| texts.iter().all(|text| text.bytes().all(|b| digits(b) || b == b'-'));
    let (alphabet, dashes) = if drawn_from(|b| b.is_ascii_digit()) {
        (10.0_f64, false)
    } else if drawn_from(|b| b.is_ascii_hexdigit()) {
        (16.0, false)
    } else if drawn_from(|b| b.is_ascii_alphanumeric() || b"._~+/".contains(&b)) {
        (68.0, true)
    } else {
        (95.0, true)
    };
    (alphabet.log2(), dashes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::base64url;
    use proptest::prelude::*;

    #[test]
    fn what_hardly_changes_is_known() {
        let one = "aPrx.Vn8sK2mQ4tYb7uZc0dLeXfHgJiRkOlPmNnWoTp==";
        let other = "aPrx.Vn8sK2mQ4tYb7uZc0dLeXfHgJiRkOlPmNnWoZz==";
        assert_eq!(bits_apart(one, one), 0);
        assert!(bits_apart(one, other) < 16);
        // One more digit moves all that stands behind it.
        assert!(bits_apart("session-9-of-a-constant-tail", "session-10-of-a-constant-tail") < 16);
        assert!(bits_apart("20260101T000000", "20260101T000001") < 16);
        assert!(bits_apart("", "0123456789abcdef") == 64);
    }

    #[test]
    fn each_is_compared_with_those_before_it() {
        let asks = |verifier: &str| {
            format!(
                "> POST token grant_type=authorization_code&code=C&code_verifier={verifier}\n< 400 {{}}\n"
            )
        };
        let all = ["a-long-one-0001", "something-else-0", "a-long-one-0002", "a-long-one-0001"];
        let mut t = crate::transcript::script::read(&all.map(asks).concat());
        tell_apart(&mut t.exchanges);
        let told: Vec<_> = t.exchanges.iter().map(|x| x.facts.verifier_apart).collect();
        assert_eq!(told[0], None);
        assert!(told[1] > Some(APART));
        assert!(told[2] < Some(16));
        assert_eq!(told[3], None, "it is the first one again");
    }

    proptest! {
        #[test]
        fn random_ones_are_far_apart(one: [u8; 16], other: [u8; 16]) {
            // What chance gives to both is not what a test should make.
            prop_assume!(one.iter().zip(&other).filter(|(a, b)| **a >> 4 == **b >> 4).count() < 5);
            prop_assume!(one.iter().zip(&other).filter(|(a, b)| **a & 15 == **b & 15).count() < 5);
            let hex = |bytes: [u8; 16]| bytes.map(|byte| format!("{byte:02x}")).concat();
            prop_assert!(bits_apart(&hex(one), &hex(other)) >= APART);
            let prefixed = |bytes: [u8; 16]| format!("5Aep861.{}==", base64url(bytes));
            prop_assert!(bits_apart(&prefixed(one), &prefixed(other)) >= APART);
        }
    }
}
