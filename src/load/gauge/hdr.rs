//! A histogram as text: HDR V2, compressed with zlib, in base64, which the tools of HdrHistogram read and write. What is
//! read adds up with others without loss.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use std::io::Read as _;

use super::{Gauge, LONGEST};

/// The longest text that is read. One that says every duration up to an hour takes less.
const LONGEST_TEXT: usize = 256 * 1024;
/// The most bytes that it may come to: each of the counts of such a histogram takes nine at most.
const MOST_BYTES: u64 = 9 * 32 * 1024;
/// The most durations that one count may say.
const MOST: u64 = 1 << 53;

const COMPRESSED: u32 = 0x1c84_9314;
const PLAIN: u32 = 0x1c84_9313;
/// Cookie, length, offset, digits, lowest, highest, ratio.
const HEADER: usize = 40;

/// Why a text is no histogram that can be added to ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is longer than any of ours.
    #[error("it is longer than any histogram of a load run")]
    TooLong,
    /// It is no base64, or no compressed HDR histogram of version 2.
    #[error("it is no HDR histogram (V2, compressed, in base64)")]
    Form,
    /// It is one, but of other digits, bounds or units.
    #[error("it is a histogram of other digits or bounds than those of a load run")]
    Kind,
}

impl Gauge {
    /// As text.
    pub fn text(&self) -> String {
        let mut bytes = Vec::new();
        // With the same bounds always, so that the same durations are the same text however they came together.
        let mut whole = Histogram::<u64>::new_with_bounds(1, LONGEST, 3).expect("these bounds are allowed");
        // None is longer, writing into memory cannot fail, and three digits are far below the limits of the format.
        let _ = whole.add(&self.0);
        let _ = V2DeflateSerializer::new().serialize(&whole, &mut bytes);
        STANDARD.encode(bytes)
    }

    /// What a text says.
    ///
    /// # Errors
    /// It is none that [`text`](Self::text) could have written.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        if text.len() > LONGEST_TEXT {
            return Err(Unreadable::TooLong);
        }
        let bytes = STANDARD.decode(text).map_err(|_| Unreadable::Form)?;
        let packed = bytes.get(8..).filter(|_| number(&bytes, 0) == COMPRESSED).ok_or(Unreadable::Form)?;
        let mut plain = Vec::new();
        let inflated = ZlibDecoder::new(packed).take(MOST_BYTES + 1).read_to_end(&mut plain);
        inflated.map_err(|_| Unreadable::Form)?;
        if plain.len() as u64 > MOST_BYTES {
            return Err(Unreadable::TooLong);
        }
        let counts = plain.get(HEADER..).filter(|_| number(&plain, 0) == PLAIN).ok_or(Unreadable::Form)?;
        let (length, offset, digits) = (number(&plain, 4), number(&plain, 8), number(&plain, 12));
        let lowest = (number(&plain, 16), number(&plain, 20));
        let ratio = plain.get(32..40) == Some(&1.0f64.to_be_bytes()[..]);
        if usize::try_from(length).ok() != Some(counts.len()) {
            return Err(Unreadable::Form);
        }
        // One of another unit has other bounds of its buckets: what it counted cannot be told exactly by ours.
        if (offset, digits, lowest) != (0, 3, (0, 1)) || !ratio {
            return Err(Unreadable::Kind);
        }
        Self::of_counts(counts)
    }

    /// From counts in order of the buckets: LEB128 of zigzag numbers, of which a negative one is so many empty buckets.
    fn of_counts(mut bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut gauge = Self::default();
        let mut at: u64 = 0;
        while !bytes.is_empty() {
            let count = unzigzag(leb128(&mut bytes).ok_or(Unreadable::Form)?);
            if count < 0 {
                at = at.saturating_add(count.unsigned_abs());
                continue;
            }
            let count = count.unsigned_abs();
            if count > 0 {
                let value = lowest_of(at).filter(|value| *value <= LONGEST).ok_or(Unreadable::Kind)?;
                let fits = count <= MOST && gauge.count().saturating_add(count) <= MOST;
                // It grows to whatever is up to the longest.
                if !fits || gauge.0.record_n(value, count).is_err() {
                    return Err(Unreadable::Kind);
                }
            }
            at = at.saturating_add(1);
        }
        Ok(gauge)
    }
}

/// The big-endian number at a place; 0 where there is none.
fn number(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map_or(0, u32::from_be_bytes)
}

/// The lowest value of a bucket of a histogram of three digits whose unit is 1: 2048 of width 1, then 1024 of each double
/// width.
fn lowest_of(bucket: u64) -> Option<u64> {
    let double = bucket >> 10;
    if double < 2 {
        return Some(bucket);
    }
    let (shift, within) = (double - 1, (bucket & 1023) + 1024);
    (shift < 40).then(|| within << shift)
}

/// The next number of the counts; its ninth byte has eight bits.
fn leb128(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..9 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = if place == 8 { *byte } else { byte & 0x7f };
        number |= u64::from(part) << (7 * place);
        if place == 8 || byte & 0x80 == 0 {
            break;
        }
    }
    Some(number)
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::V2Serializer;
    use proptest::prelude::*;
    use std::io::Write as _;

    fn packed(plain: &[u8]) -> String {
        let mut bytes = COMPRESSED.to_be_bytes().to_vec();
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(plain).unwrap();
        let zlib = zlib.finish().unwrap();
        bytes.extend((zlib.len() as u32).to_be_bytes());
        bytes.extend(zlib);
        STANDARD.encode(bytes)
    }

    fn plain(counts: &[u8], length: u32, digits: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [PLAIN, length, 0, digits, 0, 1, 0, u32::MAX] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(1.0f64.to_be_bytes());
        bytes.extend(counts);
        bytes
    }

    #[test]
    fn what_another_program_wrote_is_read() {
        let mut other = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).unwrap();
        for value in [0, 1, 2047, 2048, 2049, 4096, 1_000_000, 59_999_999] {
            other.record_n(value, 3).unwrap();
        }
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&other, &mut bytes).unwrap();
        assert_eq!(Gauge::read(&packed(&bytes)).unwrap().0, other);
    }

    #[test]
    fn what_is_none_is_refused() {
        let said = |plain: &[u8]| Gauge::read(&packed(plain)).map(|gauge| gauge.count());
        assert_eq!(said(&plain(&[2], 1, 3)), Ok(1));
        assert_eq!(said(&plain(&[2], 2, 3)), Err(Unreadable::Form));
        assert_eq!(said(&plain(&[2], 1, 2)), Err(Unreadable::Kind));
        assert_eq!(said(&plain(&[0x80], 1, 3)), Err(Unreadable::Form));
        assert_eq!(said(&[0; 39]), Err(Unreadable::Form));
        // So many empty buckets that a value lies beyond an hour, or beyond any number.
        let far = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
        assert_eq!(said(&plain(&far, 10, 3)), Err(Unreadable::Kind));
        let many = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(said(&plain(&many, 9, 3)), Err(Unreadable::Kind));
        // A text that becomes too many bytes.
        assert_eq!(said(&vec![0; 10_000_000]), Err(Unreadable::TooLong));
        assert_eq!(Gauge::read(&"A".repeat(LONGEST_TEXT + 1)).unwrap_err(), Unreadable::TooLong);
        assert_eq!(Gauge::read("HISTFAAA").unwrap_err(), Unreadable::Form);
        assert_eq!(Gauge::read("").unwrap_err(), Unreadable::Form);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn what_is_written_is_read_again(values in prop::collection::vec((0u64..=LONGEST, 1u32..1000), 0..300)) {
            let mut gauge = Gauge::default();
            for (value, shift) in values {
                gauge.record(value >> (shift % 32));
            }
            let read = Gauge::read(&gauge.text()).unwrap();
            prop_assert_eq!(&read.0, &gauge.0);
            prop_assert_eq!((read.shortest(), read.longest()), (gauge.shortest(), gauge.longest()));
        }

        #[test]
        fn no_bytes_break_it(counts in prop::collection::vec(any::<u8>(), 0..200), any in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Gauge::read(&packed(&plain(&counts, counts.len() as u32, 3)));
            let _ = Gauge::read(&packed(&any));
            let _ = Gauge::read(&STANDARD.encode(&any));
        }
    }
}
