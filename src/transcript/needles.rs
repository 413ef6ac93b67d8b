//! Finds thousands of secrets in a text at once. Tokens and assertions are long and differ from their first characters
//! on, so the automaton knows beginnings alone; what stands behind one is compared as it is.

use aho_corasick::{AhoCorasick, Input, MatchKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::readings::{Reading, STEPS};

/// How much of a needle the automaton knows, in bytes.
const HEAD: usize = 16;

/// How much of a long token is as good as the whole, in bytes: the letters that all tokens of an org begin with, and more
/// chance than anybody guesses.
const PART: usize = 40;
/// The shortest needle of which a part is looked for: of three quarters of it, what is missing can be tried out.
const SHORTEST_TOKEN: usize = 24;
/// The longest needle of which a part is looked for. Longer ones are keys and assertions, which begin alike.
const LONGEST_TOKEN: usize = 200;

/// A text to be found.
#[derive(Clone)]
pub(super) struct Needle {
    /// What is looked for.
    pub text: String,
    /// What stands in for it.
    pub stand_in: String,
    /// Whether it may be a part of something else, so that it is found only where it stands by itself.
    pub alone: bool,
    /// Whether it is a word, which hosts and paths are made of.
    pub word: bool,
    /// Whether a long part of it is as good as the whole: not where some of it is known to everybody.
    pub parts: bool,
}

/// A token, and where a piece of it begins.
type Piece = (Needle, usize);

/// Texts to be found, each with what stands in for it.
pub(super) struct Needles {
    heads: AhoCorasick,
    /// By head: the needles that may stand where it stands, longest first.
    behind: Vec<Vec<Needle>>,
    /// Pieces from the midst of tokens, of which one is in every part that is long enough to matter.
    pieces: AhoCorasick,
    /// By piece: the tokens that it is of, and where it begins in each.
    around: Vec<Vec<Piece>>,
}

impl Needles {
    /// Of these needles, none of them empty.
    pub fn new(needles: Vec<Needle>) -> Self {
        let mut by_head: HashMap<Vec<u8>, Vec<Needle>> = HashMap::new();
        let mut by_piece: HashMap<Vec<u8>, Vec<Piece>> = HashMap::new();
        for needle in needles {
            // So far from each other that one is in every part that is looked for.
            let step = part_of(&needle).unwrap_or(usize::MAX).saturating_sub(HEAD);
            for start in (step..needle.text.len()).step_by(step) {
                let Some(piece) = needle.text.as_bytes().get(start..start + HEAD) else { break };
                by_piece.entry(piece.to_vec()).or_default().push((needle.clone(), start));
            }
            let head = needle.text.as_bytes()[..needle.text.len().min(HEAD)].to_vec();
            by_head.entry(head).or_default().push(needle);
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
            needles.sort_by_key(|needle| std::cmp::Reverse(needle.text.len()));
        }
        let (heads, behind): (Vec<Vec<u8>>, Vec<Vec<Needle>>) = by_head.into_iter().unzip();
        let (pieces, around): (Vec<Vec<u8>>, Vec<Vec<Piece>>) = by_piece.into_iter().unzip();
        Self { heads: automaton(&heads), behind, pieces: automaton(&pieces), around }
    }

    /// The text with every needle replaced: of two at the same place the longer one. `words` says whether those are
    /// looked for that have to stand alone.
    pub fn replace(&self, text: &str, words: bool) -> String {
        let mut places = Places::default();
        self.search(text, words, |range, stand_in| places.add(range, stand_in));
        put(text, places.0.into_iter().map(|(start, (end, stand_in))| (start..end, stand_in)))
    }

    /// What stands in for the needles that are in a text, those left out that have to stand alone; each once.
    pub fn found(&self, text: &str) -> BTreeSet<&str> {
        // What stands in something longer that is one itself is told as that.
        let mut places = Places::default();
        self.search(text, false, |range, stand_in| places.add(range, stand_in));
        places.0.into_values().map(|(_, stand_in)| stand_in).collect()
    }

    /// Searches a text as it stands, and once more in each way in which it can be read otherwise.
    fn search<'n>(&'n self, text: &str, words: bool, mut found: impl FnMut(Range<usize>, &'n str)) {
        if self.behind.is_empty() {
            return;
        }
        for (range, stand_in) in self.find(text, words) {
            found(range, stand_in);
        }
        let mut last: Option<Reading> = None;
        for step in STEPS {
            let read = step(last.as_ref().map_or(text, |reading| &reading.plain));
            let Some(reading) = read.map(|reading| reading.after(last.as_ref())) else { continue };
            for (range, stand_in) in self.find(&reading.plain, words && reading.keeps_words) {
                found(reading.place(&range), stand_in);
            }
            last = Some(reading);
        }
    }

    fn find<'n>(&'n self, text: &str, words: bool) -> Vec<(Range<usize>, &'n str)> {
        let mut all = Vec::new();
        let mut from = 0;
        while let Some(found) = self.heads.find(Input::new(text).range(from..)) {
            let start = found.start();
            let there = self.behind[found.pattern().as_usize()].iter().find(|needle| {
                text.as_bytes()[start..].starts_with(needle.text.as_bytes())
                    && (!needle.alone || (words && stands_alone(text, start, needle)))
            });
            match there {
                Some(needle) => {
                    from = start + needle.text.len();
                    all.push((start..from, needle.stand_in.as_str()));
                }
                None => {
                    let begins = self.behind[found.pattern().as_usize()].iter().map(|needle| (needle, 0));
                    match longest_part(text, start, begins) {
                        Some((part, stand_in)) => {
                            from = part.end;
                            all.push((part, stand_in));
                        }
                        None => from = start + 1,
                    }
                }
            }
        }
        self.find_parts(text, &mut all);
        all
    }

    /// Adds the parts of tokens that stand in a text without their beginning.
    fn find_parts<'n>(&'n self, text: &str, all: &mut Vec<(Range<usize>, &'n str)>) {
        let mut from = 0;
        while let Some(found) = self.pieces.find(Input::new(text).range(from..)) {
            let around = self.around[found.pattern().as_usize()].iter();
            match longest_part(text, found.start(), around.map(|(needle, at)| (needle, *at))) {
                Some((part, stand_in)) => {
                    from = part.end.max(found.end());
                    all.push((part, stand_in));
                }
                None => from = found.start() + 1,
            }
        }
    }
}

fn automaton(patterns: &[Vec<u8>]) -> AhoCorasick {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(patterns)
        .expect("the heads of one run stay below the limits of the automaton")
}

/// How long a part of a needle is looked for, in bytes; none where it has to be whole. Tokens that are JWTs begin alike.
fn part_of(needle: &Needle) -> Option<usize> {
    let length = needle.text.len();
    let is_token = (SHORTEST_TOKEN..=LONGEST_TOKEN).contains(&length) && !needle.text.starts_with("eyJ");
    (is_token && needle.parts && !needle.alone).then_some(PART.min(length / 4 * 3))
}

/// The longest part of one of these tokens that stands around a place of a text, which is that far from its beginning, with what
/// stands in for it, if it is long enough.
fn longest_part<'n>(
    text: &str,
    place: usize,
    tokens: impl Iterator<Item = (&'n Needle, usize)>,
) -> Option<(Range<usize>, &'n str)> {
    let (before, after) = text.as_bytes().split_at(place);
    let common = |(needle, at): (&'n Needle, usize)| {
        let (begin, rest) = needle.text.as_bytes().split_at(at);
        let back = before.iter().rev().zip(begin.iter().rev()).take_while(|(a, b)| a == b).count();
        let on = after.iter().zip(rest).take_while(|(a, b)| a == b).count();
        let enough = part_of(needle).is_some_and(|part| back + on >= part);
        enough.then_some((place - back..place + on, needle.stand_in.as_str()))
    };
    let (part, stand_in) = tokens.filter_map(common).max_by_key(|(part, _)| part.len())?;
    let start = (part.start..part.end).find(|start| text.is_char_boundary(*start))?;
    let end = (start..=part.end).rev().find(|end| text.is_char_boundary(*end))?;
    Some((start..end, stand_in))
}

/// Where needles stand, by the beginning: the end, and what stands in for what is between. None reaches into another.
#[derive(Default)]
struct Places<'n>(BTreeMap<usize, (usize, &'n str)>);

impl<'n> Places<'n> {
    /// Adds one. What it has in it gives way; where it stands in another, or reaches into one, that one stays.
    fn add(&mut self, range: Range<usize>, stand_in: &'n str) {
        let before = self.0.range(..range.start).next_back().filter(|(_, (end, _))| *end > range.start);
        let within = self.0.range(range.clone());
        let mut inside = within.map(|(start, (end, _))| (*start, *end));
        if before.is_some() || inside.clone().any(|(_, end)| end > range.end) {
            return;
        }
        if inside.next() == Some((range.start, range.end)) {
            return;
        }
        let inside: Vec<usize> = self.0.range(range.clone()).map(|(start, _)| *start).collect();
        for start in inside {
            self.0.remove(&start);
        }
        self.0.insert(range.start, (range.end, stand_in));
    }
}

fn put<'s>(text: &str, found: impl Iterator<Item = (Range<usize>, &'s str)>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (range, stand_in) in found {
        out.push_str(&text[copied..range.start]);
        out.push_str(stand_in);
        copied = range.end;
    }
    out.push_str(&text[copied..]);
    out
}

/// Whether a needle that may be a part of something else stands by itself, and is no name of anything.
fn stands_alone(text: &str, start: usize, needle: &Needle) -> bool {
    let (before, after) = (&text[..start], &text[start + needle.text.len()..]);
    let goes_on = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let grown = before.ends_with(goes_on) && !ends_with_escape(before);
    if grown || after.starts_with(goes_on) || is_name(before, after) {
        return false;
    }
    !needle.word || !is_in_an_address(before, after)
}

/// Whether the letters before a place are the end of `%3D`, `\n` or `\u0022`.
pub(super) fn ends_with_escape(before: &str) -> bool {
    let bytes = before.as_bytes();
    let hex = |count: usize, mark: &[u8]| {
        let Some(at) = bytes.len().checked_sub(count + mark.len()) else { return false };
        bytes[at..].starts_with(mark) && bytes[at + mark.len()..].iter().all(u8::is_ascii_hexdigit)
    };
    hex(2, b"%") || hex(4, b"\\u") || ["\\n", "\\r", "\\t"].iter().any(|escape| before.ends_with(escape))
}

/// Whether what stands between these is the name of a parameter, of a JSON member, of an element or of a field.
fn is_name(before: &str, after: &str) -> bool {
    let parameter =
        || after.starts_with('=') && (before.is_empty() || before.ends_with(['&', '?', '#', ';', ',', ' ']));
    let member = || {
        before.ends_with('"')
            && after.strip_prefix('"').is_some_and(|rest| rest.trim_start().starts_with(':'))
    };
    let element = || before.ends_with('<') || before.ends_with("</");
    let field = || {
        let Some(before) = before.strip_suffix(['"', '\'']) else { return false };
        ["autocomplete=", "class=", "for=", "id=", "name=", "type="].iter().any(|name| before.ends_with(name))
    };
    parameter() || member() || element() || field()
}

/// How far back the beginning of a URL is looked for, in bytes.
const LONGEST_URL: usize = 2000;

/// Whether what stands between these is a part of a host, of the path of a URL or of a mail address.
fn is_in_an_address(before: &str, after: &str) -> bool {
    let joined = |mark: Option<char>, next: Option<char>| {
        mark == Some('@') || (mark == Some('.') && next.is_some_and(char::is_alphanumeric))
    };
    let (mut back, mut on) = (before.chars().rev(), after.chars());
    if joined(back.next(), back.next()) || joined(on.next(), on.next()) {
        return true;
    }
    let mut from = before.len().saturating_sub(LONGEST_URL);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    let near = &before[from..];
    let near = near.rsplit(|c: char| c.is_whitespace() || "\"'<>?#&=,;()".contains(c)).next().unwrap_or("");
    let begin =
        ["%3F", "%26", "%3D"].iter().filter_map(|mark| near.rfind(mark).map(|at| at + mark.len())).max();
    let near = &near[begin.unwrap_or(0)..];
    near.starts_with('/') || near.contains("://") || near.contains("%3A%2F%2F")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn needles(list: &[&str]) -> Needles {
        let needle = |n: &&str| Needle {
            text: (*n).to_owned(),
            stand_in: format!("<{}>", n.len()),
            alone: false,
            word: false,
            parts: true,
        };
        Needles::new(list.iter().map(needle).collect())
    }

    #[test]
    fn the_longer_of_two_wins_and_a_head_alone_is_nothing() {
        let long = "abcdefghijklmnopqrstuvw";
        let found = needles(&["abcd", "abcdefghijklmnopqr", long]);
        assert_eq!(found.replace(&format!("1{long}2"), true), "1<23>2");
        assert_eq!(found.replace("1abcdefghijklmnopqrstuv2", true), "1<18>stuv2");
        assert_eq!(found.replace("1abcdefghijklmnop2", true), "1<4>efghijklmnop2");
        assert_eq!(found.replace("abcabcdé", true), "abc<4>é");
        assert_eq!(
            needles(&["xabcdefghijklmnopq", "abcdef"]).replace("xabcdefghijklmnop", true),
            "x<6>ghijklmnop"
        );
    }

    /// Ninety letters in no order.
    fn chance(seed: u32) -> String {
        let letters = b"aB3dE5gH7jKm9PqRsTuVwXyZ";
        let mut state = seed;
        let mut letter = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(letters[(state >> 16) as usize % letters.len()])
        };
        (0..90).map(|_| letter()).collect()
    }

    #[test]
    fn a_long_part_of_a_token_is_as_good_as_the_whole() {
        let token = format!("00Dxx0000000001!{}", chance(3));
        let other = format!("00Dxx0000000001!{}", chance(8));
        let found = needles(&[&token, &other]);
        assert_eq!(found.replace(&format!("tok {}\n", &token[..token.len() - 1]), true), "tok <106>\n");
        assert_eq!(found.replace(&format!("tok {}...", &other[..60]), true), "tok <106>...");
        assert_eq!(found.replace(&format!("tok {}é", &token[..60]), true), "tok <106>é");
        for (from, to) in [(1, 106), (46, 106), (10, 105), (30, 72), (66, 106)] {
            assert_eq!(found.replace(&format!("tok é{}é", &token[from..to]), true), "tok é<106>é");
        }
        let (end, begin) = (&token[60..], &other[..50]);
        assert_eq!(found.replace(&format!("{end}{begin}"), true), "<106><106>");
        // Of a shorter one, what is missing could be tried out.
        let secret = &chance(5)[..27];
        for (from, to) in [(0, 20), (7, 27), (3, 24)] {
            assert_eq!(needles(&[secret]).replace(&format!("({})", &secret[from..to]), true), "(<27>)");
        }
        let half = format!("({})", &secret[..14]);
        assert_eq!(needles(&[secret]).replace(&half, true), half);
        // What says which token it is tells nobody the token.
        let short = format!("tok {}...", &token[..30]);
        assert_eq!(found.replace(&short, true), short);
        let jwt = format!("eyJhbGciOiJIUzI1NiJ9.{}", "eyJpc3MiOiJtYWluIiw".repeat(4));
        let cut = &jwt[..60];
        assert_eq!(needles(&[&jwt]).replace(cut, true), cut);
    }

    #[test]
    fn what_may_be_a_word_is_found_where_it_stands_by_itself_and_is_no_name() {
        let needle = |text: &str, word| Needle {
            text: text.into(),
            stand_in: "*".into(),
            alone: true,
            word,
            parts: false,
        };
        let found = Needles::new(vec![needle("hunter", true), needle("pw-1", false)]);
        for (text, replaced) in [
            ("x=hunter&y=1", "x=*&y=1"),
            ("{\"x\":\"hunter\"}", "{\"x\":\"*\"}"),
            ("wrong: hunter.", "wrong: *."),
            ("next=%2Fa%3Fx%3Dhunter", "next=%2Fa%3Fx%3D*"),
            ("hunter_post the-hunter hunters", "hunter_post the-hunter hunters"),
            ("hunter=1&a=2&hunter=3", "hunter=1&a=2&hunter=3"),
            ("{\"hunter\" : 1}", "{\"hunter\" : 1}"),
            ("<hunter>1</hunter><input name='hunter'>", "<hunter>1</hunter><input name='hunter'>"),
            ("https://hunter.example/hunter?x=hunter", "https://hunter.example/hunter?x=*"),
            ("ann@hunter.example hunter@x.example", "ann@hunter.example hunter@x.example"),
            ("https://pw.example/pw-1?x=pw-1", "https://pw.example/*?x=*"),
        ] {
            assert_eq!(found.replace(text, true), replaced);
            assert_eq!(found.replace(text, false), text);
        }
    }

    #[test]
    fn escapes_that_a_writer_chose_are_read() {
        let found = needles(&["a+b/c=d'e\"f"]);
        for text in [
            "a&#43;b&#x2F;c&#x3d;d&#39;e&quot;f",
            "a\\u002bb\\/c\\u003Dd\\u0027e\\u0022f",
            "a&plus;b/c=d&apos;e\"f",
            "a\\x2bb\\x2Fc=d\\x27e\"f",
            "\\x61\\x2b\\x62\\x2f\\x63\\x3d\\x64\\x27\\x65\\x22\\x66",
        ] {
            assert_eq!(found.replace(&format!("é<{text}>&#169;"), true), "é<<11>>&#169;", "{text}");
        }
        assert_eq!(found.replace("&#;&#x;&#99999999999999;&\\u00", true), "&#;&#x;&#99999999999999;&\\u00");
    }

    #[test]
    fn what_was_broken_or_encoded_twice_is_found_as_one() {
        let long = "abcd!efgh.ijkl+mnop";
        let found = needles(&[long, "abcd!efgh"]);
        for (text, replaced) in [
            ("<abcd!efgh.\nijkl+mnop\n>", "<<19>\n>"),
            ("<abcd!efgh\r\n  .ijkl+mn\top >", "<<19> >"),
            ("<abcd!\u{1b}[1me\u{1b}[0mfgh.ijkl+mnop>", "<<19>>"),
            ("a%20<abcd%2521efgh.ijkl%252Bmnop%25>", "a%20<<19>%25>"),
            ("<%61%62%63%64%21%65%66%67%68.ijkl%2bmnop>é%C3%A9", "<<19>>é%C3%A9"),
            ("<abcd%21efgh%0D%0A.ijkl+mnop>", "<<19>>"),
            ("abcd!efgh.%", "<9>.%"),
        ] {
            assert_eq!(found.replace(text, true), replaced, "{text:?}");
            assert!(found.found(text).iter().any(|there| replaced.contains(there)), "{text:?}");
        }
        let alone =
            Needle { text: "hunter".into(), stand_in: "*".into(), alone: true, word: true, parts: false };
        assert_eq!(Needles::new(vec![alone]).replace("hun ter hunt\ner", true), "hun ter hunt\ner");
    }

    proptest! {
        #[test]
        fn places_never_reach_into_one_another(list in prop::collection::vec((0_usize..30, 1_usize..10), 0..20)) {
            let mut places = Places::default();
            for (start, length) in list {
                places.add(start..start + length, "");
                let ends: Vec<(usize, usize)> = places.0.iter().map(|(start, (end, _))| (*start, *end)).collect();
                prop_assert!(ends.windows(2).all(|pair| pair[0].1 <= pair[1].0));
            }
        }

        #[test]
        fn it_finds_what_an_automaton_of_whole_needles_finds(
            list in prop::collection::btree_set("[abé]{1,11}", 1..8), text in "[abé]{0,80}",
        ) {
            let list: Vec<&str> = list.iter().map(String::as_str).collect();
            let whole = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&list).unwrap();
            let stand_ins: Vec<String> = list.iter().map(|n| format!("<{}>", n.len())).collect();
            prop_assert_eq!(needles(&list).replace(&text, true), whole.replace_all(&text, &stand_ins));
        }
    }
}
