//! Other ways to read a text: with its escapes read, with what is URL-encoded decoded, in one line without blanks. What is
//! found in a reading has a place in the text.

use std::ops::Range;

use crate::oauth::references::reference;

/// What is done to a text, one after the other; each is none where it changes nothing. URL-encoding is read three times,
/// as often as anybody puts one address into another.
pub(super) const STEPS: [fn(&str) -> Option<Reading>; 5] = [unescape, decode, decode, decode, join];

/// Escapes that are read before a text is searched once more.
const ESCAPES: [&str; 7] = ["&#", "\\u00", "\\x", "&apos;", "&equals;", "&plus;", "&sol;"];

/// The longest sequence of a terminal that is looked for, in bytes.
const LONGEST_SEQUENCE: usize = 10;

/// A text as it can be read.
pub(super) struct Reading {
    /// What is read.
    pub plain: String,
    /// Whether words in it still stand where they stood.
    pub keeps_words: bool,
    /// Of each of its bytes, where that which it was read from begins in the text.
    starts: Vec<usize>,
    /// Of each of its bytes, where that ends.
    ends: Vec<usize>,
}

impl Reading {
    /// Where a part of it, which is not empty, stands in the text.
    pub fn place(&self, part: &Range<usize>) -> Range<usize> {
        self.starts[part.start]..self.ends[part.end - 1]
    }

    /// As a reading of what was read before, with places in the text.
    pub fn after(mut self, before: Option<&Reading>) -> Self {
        if let Some(before) = before {
            self.starts.iter_mut().for_each(|at| *at = before.starts[*at]);
            self.ends.iter_mut().for_each(|at| *at = before.ends[*at - 1]);
        }
        self
    }
}

/// With its escapes read: pages and some JSON write single characters so; which ones is up to their writer.
fn unescape(text: &str) -> Option<Reading> {
    if !ESCAPES.iter().any(|escape| text.contains(escape)) {
        return None;
    }
    let mut plain = String::with_capacity(text.len());
    let (mut starts, mut ends) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()));
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let (c, length) = match c {
            '&' | '\\' => escape(&text[at..]).unwrap_or((c, 1)),
            _ => (c, c.len_utf8()),
        };
        plain.push(c);
        starts.resize(plain.len(), at);
        at += length;
        ends.resize(plain.len(), at);
    }
    Some(Reading { plain, keeps_words: true, starts, ends })
}

/// The character that an escape stands for, and its length.
fn escape(text: &str) -> Option<(char, usize)> {
    if let Some(rest) = text.strip_prefix("\\u") {
        return Some((char::from_u32(u32::from_str_radix(rest.get(..4)?, 16).ok()?)?, 6));
    }
    if let Some(rest) = text.strip_prefix("\\x") {
        // Above ASCII it is one byte of a character, and which one depends on the others.
        let digits = rest.get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let byte = u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii)?;
        return Some((char::from(byte), 4));
    }
    if text.starts_with("\\/") {
        return Some(('/', 2));
    }
    reference(text)
}

/// URL-decoded, as far as it is ASCII.
fn decode(text: &str) -> Option<Reading> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    byte_wise(text, |rest| match rest {
        [b'%', high, low, ..] => match (digit(high)?, digit(low)?) {
            (high @ 0..8, low) => Some((Some((high * 16 + low) as u8), 3)),
            _ => None,
        },
        _ => None,
    })
}

/// In one line: without blanks and line breaks, those that are written `\n` as well, and without what sets the colours of a
/// terminal.
fn join(text: &str) -> Option<Reading> {
    byte_wise(text, |rest| match rest {
        [0x1b, b'[', sequence @ ..] => {
            let length = sequence.iter().take(LONGEST_SEQUENCE).position(|b| (0x40..0x7f).contains(b));
            Some((None, length.map_or(1, |length| length + 3)))
        }
        [b'\\', b'n' | b'r' | b't', ..] => Some((None, 2)),
        [0..=0x20 | 0x7f, ..] => Some((None, 1)),
        _ => None,
    })
}

/// What is read in place of the first bytes, if anything, and how many they are.
type Instead = (Option<u8>, usize);

/// A text with some of its ASCII characters read otherwise; none where that is the same text.
fn byte_wise(text: &str, instead: impl Fn(&[u8]) -> Option<Instead>) -> Option<Reading> {
    let bytes = text.as_bytes();
    let first = (0..bytes.len()).find(|at| instead(&bytes[*at..]).is_some())?;
    let mut plain = bytes[..first].to_vec();
    let (mut starts, mut ends): (Vec<usize>, Vec<usize>) = ((0..first).collect(), (1..=first).collect());
    let mut at = first;
    while at < bytes.len() {
        let (read, length) = instead(&bytes[at..]).unwrap_or((Some(bytes[at]), 1));
        if let Some(read) = read {
            plain.push(read);
            starts.push(at);
            ends.push(at + length);
        }
        at += length;
    }
    let plain = String::from_utf8(plain).ok()?;
    Some(Reading { plain, keeps_words: false, starts, ends })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_step_reads_one_thing() {
        let [unescape, decode, _, _, join] = STEPS;
        let read = |step: fn(&str) -> Option<Reading>, text: &str| step(text).map(|reading| reading.plain);
        assert_eq!(read(unescape, "a&#43;b\\u002b é").as_deref(), Some("a+b+ é"));
        assert_eq!(read(unescape, "\\x61+\\x2B\\xc3\\x+1\\x").as_deref(), Some("a++\\xc3\\x+1\\x"));
        assert_eq!(read(decode, "é%41%2541%C3%zz%4").as_deref(), Some("éA%41%C3%zz%4"));
        assert_eq!(read(join, "é a\\nb\r\n\tc\u{1b}[0;1md\u{1b}").as_deref(), Some("éabcd"));
        for step in STEPS {
            assert_eq!(read(step, "plain-é"), None);
        }
    }

    proptest! {
        #[test]
        fn a_place_is_a_part_of_the_text(text in "([%a-f0-9é \\n\\\\&#;u]|%2[05]|\\\\u00|\\\\x|&#)*") {
            let mut last: Option<Reading> = None;
            for step in STEPS {
                let read = step(last.as_ref().map_or(&text, |reading| &reading.plain));
                let Some(reading) = read.map(|reading| reading.after(last.as_ref())) else { continue };
                let mut end = 0;
                for (at, c) in reading.plain.char_indices() {
                    let place = reading.place(&(at..at + c.len_utf8()));
                    prop_assert!(end <= place.start && text.get(place.clone()).is_some());
                    end = place.end;
                }
                last = Some(reading);
            }
        }
    }
}
