//! An ordered list of parameters that keeps duplicates, so that a wrong request can be said and a
//! wrong one that came in can be told from a right one.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What `application/x-www-form-urlencoded` leaves as it is (RFC 6749 appendix B); a space becomes `+`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b' ');

/// Parameters of a query or of a form body, in order, duplicates kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

/// Why a text is not a list of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A `%` that two hexadecimal digits do not follow.
    #[error("a percent sign is not followed by two hexadecimal digits")]
    Percent,
    /// The decoded bytes are not UTF-8 (RFC 6749 appendix B).
    #[error("a value is not UTF-8")]
    Utf8,
}

impl Params {
    /// No parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one at the end.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// The same with one more at the end.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.push(name, value);
        self
    }

    /// The same with one more, where there is a value.
    #[must_use]
    pub fn with_opt(self, name: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The last value of that name.
    pub fn last(&self, name: &str) -> Option<&str> {
        self.0.iter().rfind(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Every value of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Sets the first of that name and removes its duplicates; adds it at the end where there is none.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let place = self.0.iter().position(|(n, _)| n == name);
        match place {
            Some(place) => {
                self.0[place].1 = value.into();
                let mut seen = false;
                self.0.retain(|(n, _)| n != name || !std::mem::replace(&mut seen, true));
            }
            None => self.push(name, value),
        }
    }

    /// Takes all of that name away; says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(n, _)| n != name);
        before != self.0.len()
    }

    /// The first name that stands more than once (RFC 6749 §3.1 and §3.2 forbid it).
    pub fn repeated(&self) -> Option<&str> {
        self.0
            .iter()
            .enumerate()
            .find(|(i, (name, _))| self.0[..*i].iter().any(|(earlier, _)| earlier == name))
            .map(|(_, (name, _))| name.as_str())
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The form encoding of RFC 6749 appendix B.
    pub fn write(&self) -> String {
        let mut out = String::new();
        for (name, value) in &self.0 {
            if !out.is_empty() {
                out.push('&');
            }
            out.push_str(&form_encode(name));
            out.push('=');
            out.push_str(&form_encode(value));
        }
        out
    }

    /// Reads a form or a query strictly.
    ///
    /// # Errors
    /// A broken percent escape, or bytes that are not UTF-8.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        text.split('&')
            .filter(|part| !part.is_empty())
            .map(|part| {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                Ok((form_decode(name)?, form_decode(value)?))
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Self)
    }

    /// Reads what can be read of a text that a stranger wrote; used where the text is evidence, not input.
    pub fn read_lossy(text: &str) -> Self {
        let decode = |s: &str| percent_decode_str(&s.replace('+', " ")).decode_utf8_lossy().into_owned();
        Self(
            text.split('&')
                .filter(|part| !part.is_empty())
                .map(|part| part.split_once('=').unwrap_or((part, "")))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Params {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(iter: I) -> Self {
        Self(iter.into_iter().map(|(n, v)| (n.into(), v.into())).collect())
    }
}

/// One name or value in the form encoding (RFC 6749 appendix B).
pub fn form_encode(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string().replace(' ', "+")
}

/// Reads [`form_encode`] strictly.
///
/// # Errors
/// A broken percent escape, or bytes that are not UTF-8.
pub fn form_decode(text: &str) -> Result<String, Malformed> {
    let bytes = text.as_bytes();
    for (i, byte) in bytes.iter().enumerate() {
        if *byte == b'%' && !bytes.get(i + 1..i + 3).is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit)) {
            return Err(Malformed::Percent);
        }
    }
    // Most names and values say themselves.
    if !bytes.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Ok(text.to_owned());
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map(|s| s.into_owned()).map_err(|_| Malformed::Utf8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn order_and_duplicates_are_kept() {
        let params = Params::read("b=1&a=2&b=3").unwrap();
        assert_eq!(params.all("b").collect::<Vec<_>>(), ["1", "3"]);
        assert_eq!(params.repeated(), Some("b"));
        assert_eq!(params.write(), "b=1&a=2&b=3");
    }

    #[test]
    fn set_replaces_in_place_and_drops_duplicates() {
        let mut params = Params::read("a=1&b=2&a=3").unwrap();
        params.set("a", "x y");
        assert_eq!(params.write(), "a=x+y&b=2");
    }

    #[test]
    fn broken_escapes_and_bytes_are_told_apart() {
        assert_eq!(Params::read("a=%4"), Err(Malformed::Percent));
        assert_eq!(Params::read("a=%ff"), Err(Malformed::Utf8));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(list in prop::collection::vec(any::<(String, String)>(), 0..6)) {
            let params: Params = list.into_iter().collect();
            prop_assert_eq!(Params::read(&params.write()).unwrap(), params);
        }

        #[test]
        fn reading_never_panics(text in any::<String>()) {
            let _ = Params::read(&text);
            let _ = Params::read_lossy(&text);
        }
    }
}
