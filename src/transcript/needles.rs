//! Finds thousands of secrets in a text at once. Tokens and assertions are long and differ from their first characters
//! on, so the automaton knows beginnings alone; what stands behind one is compared as it is.

use aho_corasick::{AhoCorasick, Input, MatchKind};
use std::collections::HashMap;

/// How much of a needle the automaton knows, in bytes.
const HEAD: usize = 16;

/// A text to be found, and what stands in for it.
type Needle = (String, String);

/// Texts to be found, each with what stands in for it.
pub(super) struct Needles {
    heads: AhoCorasick,
    /// By head: the needles that may stand where it stands, longest first.
    behind: Vec<Vec<Needle>>,
}

impl Needles {
    /// Of these needles, none of them empty.
    pub fn new(needles: Vec<Needle>) -> Self {
        let mut by_head: HashMap<Vec<u8>, Vec<Needle>> = HashMap::new();
        for (needle, stand_in) in needles {
            let head = needle.as_bytes()[..needle.len().min(HEAD)].to_vec();
            by_head.entry(head).or_default().push((needle, stand_in));
        }
        // Where a longer head is found, a shorter needle that it begins with may be what is there.
        let short: HashMap<Vec<u8>, Vec<Needle>> = by_head
            .iter()
            .filter(|(head, _)| head.len() < HEAD)
            .map(|(h, n)| (h.clone(), n.clone()))
            .collect();
        for (head, needles) in &mut by_head {
            for length in 1..head.len() {
                needles.extend(short.get(&head[..length]).into_iter().flatten().cloned());
            }
            needles.sort_by_key(|(needle, _)| std::cmp::Reverse(needle.len()));
        }
        let (heads, behind): (Vec<Vec<u8>>, Vec<Vec<Needle>>) = by_head.into_iter().unzip();
        let heads = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&heads)
            .expect("the heads of one run stay below the limits of the automaton");
        Self { heads, behind }
    }

    /// The text with every needle replaced: of two at the same place the longer one.
    pub fn replace(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let (mut copied, mut from) = (0, 0);
        while let Some(found) = self.heads.find(Input::new(text).range(from..)) {
            let start = found.start();
            let there = self.behind[found.pattern().as_usize()]
                .iter()
                .find(|(needle, _)| text.as_bytes()[start..].starts_with(needle.as_bytes()));
            match there {
                Some((needle, stand_in)) => {
                    out.push_str(&text[copied..start]);
                    out.push_str(stand_in);
                    from = start + needle.len();
                    copied = from;
                }
                None => from = start + 1,
            }
        }
        out.push_str(&text[copied..]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn needles(list: &[&str]) -> Needles {
        Needles::new(list.iter().map(|n| ((*n).to_owned(), format!("<{}>", n.len()))).collect())
    }

    #[test]
    fn the_longer_of_two_wins_and_a_head_alone_is_nothing() {
        let long = "abcdefghijklmnopqrstuvwxyz";
        let found = needles(&["abcd", "abcdefghijklmnopqr", long]);
        assert_eq!(found.replace(&format!("1{long}2")), "1<26>2");
        assert_eq!(found.replace("1abcdefghijklmnopqrstuv2"), "1<18>stuv2");
        assert_eq!(found.replace("1abcdefghijklmnop2"), "1<4>efghijklmnop2");
        assert_eq!(found.replace("abcabcdé"), "abc<4>é");
        assert_eq!(needles(&["xabcdefghijklmnopq", "abcdef"]).replace("xabcdefghijklmnop"), "x<6>ghijklmnop");
    }

    proptest! {
        #[test]
        fn it_finds_what_an_automaton_of_whole_needles_finds(
            list in prop::collection::btree_set("[abé]{1,24}", 1..8), text in "[abé]{0,80}",
        ) {
            let list: Vec<&str> = list.iter().map(String::as_str).collect();
            let whole = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&list).unwrap();
            let stand_ins: Vec<String> = list.iter().map(|n| format!("<{}>", n.len())).collect();
            prop_assert_eq!(needles(&list).replace(&text), whole.replace_all(&text, &stand_ins));
        }
    }
}
