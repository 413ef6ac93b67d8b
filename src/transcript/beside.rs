//! Secrets that are too short, or too much of a word, to be searched for: they are replaced where the name of their
//! parameter stands beside them.

use aho_corasick::{AhoCorasick, Input, MatchKind};

use crate::oauth::params::form_encode;

/// Secrets that are replaced beside a name.
pub(super) struct Beside {
    /// A name with what stands between it and its value.
    names: AhoCorasick,
    /// Each form of a secret with its fingerprint, longest first.
    values: Vec<(String, String)>,
}

impl Beside {
    /// Of these names and values.
    pub fn new<'n>(names: impl Iterator<Item = &'n str>, mut values: Vec<(String, String)>) -> Self {
        let mut before = Vec::new();
        for name in names.filter(|_| !values.is_empty()) {
            for name in [name.to_owned(), form_encode(name)] {
                before.extend(
                    ["=", "%3D", "\":\"", "\": \"", "\" : \"", ">"].map(|mark| format!("{name}{mark}")),
                );
            }
        }
        values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        let names = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&before)
            .expect("the names of one run stay below the limits of the automaton");
        Self { names, values }
    }

    /// The text with every value replaced that stands beside a name, and of which nothing goes on.
    pub fn replace(&self, text: String) -> String {
        let mut out = String::new();
        let (mut copied, mut from) = (0, 0);
        while let Some(found) = self.names.find(Input::new(&text).range(from..)) {
            from = found.start() + 1;
            let goes_before =
                text[..found.start()].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-');
            // `%26` before a name is an `&`.
            if goes_before && !super::needles::ends_with_escape(&text[..found.start()]) {
                continue;
            }
            let rest = &text[found.end()..];
            let there = self
                .values
                .iter()
                .find(|(value, _)| rest.strip_prefix(value.as_str()).is_some_and(|after| !goes_on(after)));
            if let Some((value, print)) = there {
                out.push_str(&text[copied..found.end()]);
                out.push_str(print);
                copied = found.end() + value.len();
                from = copied;
            }
        }
        if copied == 0 {
            return text;
        }
        out.push_str(&text[copied..]);
        out
    }
}

/// Whether what stands behind a value is more of it.
fn goes_on(after: &str) -> bool {
    // An `&` that is written as an escape begins what comes next.
    let next = ["%26", "%22", "%3B"].iter().any(|escape| after.starts_with(escape));
    !next && after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '%' | '+' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_replaced_beside_its_whole_name_only() {
        let values = vec![("abc".to_owned(), "<3>".to_owned()), ("abcd".to_owned(), "<4>".to_owned())];
        let beside = Beside::new(["pin", "user[pin]"].into_iter(), values);
        for (text, replaced) in [
            ("pin=abc&x=abc", "pin=<3>&x=abc"),
            ("x=1&pin=abcd", "x=1&pin=<4>"),
            ("spin=abc", "spin=abc"),
            ("pin=abcde", "pin=abcde"),
            ("{\"pin\": \"abc\"}", "{\"pin\": \"<3>\"}"),
            ("user%5Bpin%5D=abc", "user%5Bpin%5D=<3>"),
            ("next=%2Fa%3Fx%3D1%26pin%3Dabc%26y%3D2", "next=%2Fa%3Fx%3D1%26pin%3D<3>%26y%3D2"),
            ("<pin>abc</pin>", "<pin><3></pin>"),
        ] {
            assert_eq!(beside.replace(text.to_owned()), replaced);
        }
    }
}
