//! Which entries a text is, and how sure that is.

use super::told::Told;
use super::{Entry, Place, all};
use crate::subject::Flow;

/// How alike a text must be to be told as near, from 0 to 1.
const NEAR: f64 = 0.78;
/// How many words at the end of a text are looked through for near ones.
const WORDS: usize = 60;

/// How an entry was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// The text is a known one.
    Exact,
    /// The text is known, with another code.
    Text,
    /// The text is near to a known one.
    Near,
    /// The code is known; the text is not, or there is none.
    Code,
}

/// An entry that a text may be.
#[derive(Clone, Copy, Debug)]
pub struct Match {
    /// The entry.
    pub entry: &'static Entry,
    /// How it was found.
    pub how: How,
    /// Where it was met: at its own place, or, sent to a callback, at the authorization endpoint.
    pub place: Place,
}

/// What is told, as it is compared: folded once, because there are many entries.
struct Said<'t> {
    told: &'t Told,
    /// The whole text, folded.
    plain: String,
    /// The whole text in lower case.
    lower: String,
    /// The texts, folded.
    texts: Vec<String>,
}

/// What is told, as it is looked at for what is near.
struct Nearly {
    texts: Vec<String>,
    words: Vec<String>,
}

impl How {
    /// In words, for whoever reads the answer.
    pub fn words(self) -> &'static str {
        match self {
            How::Exact => "a known error",
            How::Text => "a known text, here with another code",
            How::Near => "near to a known text, not the same",
            How::Code => "known by its code alone",
        }
    }
}

/// The entries that a text is, the likeliest first: all of one kind of certainty, the surest that there is. With a
/// flow, entries none of whose causes is of it come last.
pub fn look_up(text: &str, flow: Option<Flow>) -> Vec<Match> {
    let told = Told::read(text);
    let mut found = of(&told, flow.or(told.flow));
    // What a callout could not do has the answer of the other side in it, which is an error of its own.
    if let Some(inner) = found.first().filter(|m| m.entry.place == Place::Callout).and_then(|_| inside(&told))
    {
        let known: Vec<&str> = found.iter().map(|m| m.entry.id).collect();
        let inner = of(&inner, flow).into_iter();
        let new = inner.filter(|m| m.how == How::Exact && !known.contains(&m.entry.id));
        found.extend(new.collect::<Vec<_>>());
    }
    found
}

/// The answer of another that is told with an error: `Error: invalid_grant. Error description: audience is invalid.`
fn inside(told: &Told) -> Option<Told> {
    let text = told.texts.iter().chain([&told.plain]).find(|text| text.contains("Error: "))?;
    let (_, answer) = text.split_once("Error: ")?;
    Some(Told { plain: answer.to_owned(), ..Told::default() })
}

fn of(told: &Told, flow: Option<Flow>) -> Vec<Match> {
    let said = Said {
        told,
        plain: fold(&told.plain),
        lower: told.plain.to_lowercase(),
        texts: told.texts.iter().map(|text| fold(text)).collect(),
    };
    let mut found: Vec<(Match, usize)> = all().filter_map(|entry| weigh(entry, &said)).collect();
    if found.iter().all(|(m, _)| m.how == How::Code) {
        let misspelt = found.is_empty();
        let nearly = Nearly::of(&said);
        found.extend(all().filter_map(|entry| near(entry, &said, &nearly, misspelt)));
    }
    let surest = found.iter().map(|(m, _)| m.how).min();
    found.retain(|(m, _)| Some(m.how) == surest);
    // Where a code and its text fit one entry, entries that share the text or a part of it are of another place.
    let most = found.iter().map(|(_, weight)| *weight).max().unwrap_or(0);
    found.retain(|(_, weight)| surest != Some(How::Exact) || *weight == most);
    let suits = |entry: &Entry| {
        flow.is_none_or(|flow| {
            entry.causes.iter().any(|cause| cause.flows.is_empty() || cause.flows.contains(&flow))
        })
    };
    found.sort_by_key(|(m, weight)| (!suits(m.entry), std::cmp::Reverse(*weight)));
    found.into_iter().map(|(m, _)| m).collect()
}

impl Match {
    /// An entry where it is met by what is told.
    fn new(entry: &'static Entry, how: How, told: &Told) -> Self {
        let sent = told.in_url && entry.place == Place::Token;
        Self { entry, how, place: if sent { Place::Authorize } else { entry.place } }
    }
}

impl Nearly {
    fn of(said: &Said<'_>) -> Self {
        let told = said.told;
        let texts = match said.texts.as_slice() {
            [] => vec![fold(&without_codes(&told.plain))],
            texts => texts.to_vec(),
        };
        let words = match told.codes.as_slice() {
            [] => {
                let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
                let words: Vec<String> = told.plain.split_whitespace().take(WORDS).map(bare).collect();
                // A code is said with blanks as well.
                let pairs = words.windows(2).map(|pair| pair.join("_")).collect::<Vec<_>>();
                words.into_iter().chain(pairs).collect()
            }
            codes => codes.iter().map(|code| code.to_lowercase()).collect(),
        };
        Self { texts, words }
    }
}

/// A code that fits weighs more than any text.
const WEIGHT: usize = 1000;

fn weigh(entry: &'static Entry, said: &Said<'_>) -> Option<(Match, usize)> {
    let told = said.told;
    let code = code(entry, said);
    let text = text(entry, said);
    let described = !told.texts.is_empty() || (told.codes.is_empty() && has_more(said, entry));
    let alone = entry.texts.is_empty() || entry.texts.contains(&"");
    let how = match (code, text) {
        (Some(_), Some(_)) => How::Exact,
        (Some(_), None) if alone && !described => How::Exact,
        // Where the code means one thing only, whatever is said beside it does not change it. In another letter case it
        // may be the code of another place.
        (Some(true), None) if entry.texts.is_empty() && only(entry) => How::Exact,
        (Some(_), None) => How::Code,
        (None, Some(_)) if told.codes.is_empty() || entry.codes.is_empty() => How::Exact,
        (None, Some(_)) => How::Text,
        (None, None) => return None,
    };
    // What says the code in general comes before what says one text of it.
    let general = usize::from(how == How::Code && entry.texts.is_empty());
    let weight =
        code.map_or(0, |case| WEIGHT * (1 + usize::from(case))) + general + text.unwrap_or(0).min(WEIGHT - 2);
    Some((Match::new(entry, how, told), weight))
}

/// Whether a code of the entry is told, and if so, whether in the very letter case.
fn code(entry: &Entry, said: &Said<'_>) -> Option<bool> {
    let told = said.told;
    let hits = entry.codes.iter().filter_map(|code| {
        if told.codes.is_empty() {
            let plain_word = !code.contains(['_', '.', ':', '-']);
            if holds_word(&told.plain, code) {
                Some(true)
            } else if !plain_word && holds_word(&said.lower, &code.to_lowercase()) {
                Some(false)
            } else {
                None
            }
        } else if told.codes.iter().any(|said| said == code) {
            Some(true)
        } else {
            told.codes.iter().any(|said| said.eq_ignore_ascii_case(code)).then_some(false)
        }
    });
    hits.max()
}

/// Whether every entry of these codes, in any letter case, has no text.
fn only(entry: &Entry) -> bool {
    let same = |code: &str| entry.codes.iter().any(|own| own.eq_ignore_ascii_case(code));
    let shares = |other: &&Entry| other.codes.iter().any(|code| same(code));
    all().filter(shares).all(|other| other.texts.is_empty())
}

/// Whether more than the code is said in a text without structure.
fn has_more(said: &Said<'_>, entry: &Entry) -> bool {
    let folded = &said.lower;
    entry.codes.iter().any(|code| {
        let code = code.to_lowercase();
        let Some(at) = folded.find(&code) else { return false };
        let rest = folded[at + code.len()..].trim_start_matches(['"', '\'', ')', ']']);
        // A description follows a colon or a dash.
        let rest = rest.trim_start();
        rest.strip_prefix([':', '-', '\u{2013}', '\u{2014}'])
            .is_some_and(|rest| rest.split_whitespace().count() > 1)
    })
}

/// How long the longest text of the entry is that is told.
fn text(entry: &Entry, said: &Said<'_>) -> Option<usize> {
    let known = entry.texts.iter().filter(|text| !text.is_empty());
    let hits = known.filter(|text| {
        let pattern = fold(text);
        match said.texts.as_slice() {
            // A word that is a code as well says nothing more than the code.
            [] => !entry.codes.iter().any(|code| code == *text) && within(&said.plain, &pattern),
            texts => {
                texts.iter().any(|text| matches(text, &pattern))
                    || (pattern.contains('*') && within(&said.plain, &pattern))
            }
        }
    });
    hits.map(|text| text.replace('*', "").len()).max()
}

/// Lower case, plain quotes, no full stop at the end.
fn fold(text: &str) -> String {
    super::told::squeezed(text).to_lowercase().trim_end_matches('.').to_owned()
}

/// Whether a text is of a pattern, in which `*` stands for anything.
fn matches(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Whether a pattern stands somewhere in a text, at the bounds of words.
fn within(text: &str, pattern: &str) -> bool {
    let pattern = pattern.trim_matches('*');
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let rest: Vec<&str> = parts.collect();
    text.match_indices(first).any(|(at, _)| {
        if !bounded(text, at, first.len(), rest.is_empty()) {
            return false;
        }
        let mut behind = &text[at + first.len()..];
        rest.iter().all(|part| {
            let Some(at) = behind.find(part) else { return false };
            behind = &behind[at + part.len()..];
            true
        })
    })
}

/// Whether a word stands in a text on its own.
fn holds_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| bounded(text, at, word.len(), true))
}

fn bounded(text: &str, at: usize, length: usize, behind: bool) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let edge = |a: Option<char>, b: Option<char>| !(a.is_some_and(word) && b.is_some_and(word));
    let inner = &text[at..at + length];
    edge(text[..at].chars().next_back(), inner.chars().next())
        && (!behind || edge(inner.chars().next_back(), text[at + length..].chars().next()))
}

/// An entry one of whose texts is near to what is told; or, where no code is known, one of whose codes is.
fn near(entry: &'static Entry, said: &Said<'_>, nearly: &Nearly, misspelt: bool) -> Option<(Match, usize)> {
    let texts =
        entry.texts.iter().filter(|text| text.len() > 8 && !text.contains('*')).map(|text| fold(text));
    let alike = texts
        .flat_map(|known| nearly.texts.iter().map(move |said| alike(said, &known)))
        .fold(0.0_f64, f64::max);
    let in_codes = || {
        let codes = entry.codes.iter().map(|code| code.to_lowercase());
        let words = || nearly.words.iter().filter(|word| word.len() >= 6);
        codes.flat_map(|code| words().map(move |word| likeness(word, &code))).fold(0.0_f64, f64::max)
    };
    let by_code = alike < NEAR && misspelt;
    let best = if by_code { in_codes() - 0.08 } else { alike };
    // Many entries share a code: the text says which of them it is, be it only by some of its words.
    let words = if by_code {
        nearly.texts.iter().map(|said| shared_words(entry, said)).max().unwrap_or(0)
    } else {
        0
    };
    let weight = words + if code(entry, said).is_some() { WEIGHT } else { 0 };
    // Scores are between 0 and 1.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (best >= NEAR).then(|| (Match::new(entry, How::Near, said.told), weight + (best * 999.0) as usize))
}

/// How alike two texts are, from 0 to 1; 0 where they have more letters apart than could still be near.
fn likeness(one: &str, other: &str) -> f64 {
    let (a, b) = (one.len(), other.len());
    if a.abs_diff(b) * 4 <= a.max(b) { strsim::normalized_damerau_levenshtein(one, other) } else { 0.0 }
}

/// A text without the codes in it: that one of them is like a text of another error says nothing.
fn without_codes(plain: &str) -> String {
    let is_code = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let same = |code: &str| code.eq_ignore_ascii_case(bare);
        bare.contains('_') && all().any(|entry| entry.codes.iter().any(|code| same(code)))
    };
    plain.split(' ').filter(|word| !is_code(word)).collect::<Vec<_>>().join(" ")
}

/// How many percent of the words of a text of the entry stand in a text, nearly or quite.
fn shared_words(entry: &Entry, said: &str) -> usize {
    let words = |text: &str| -> Vec<String> {
        let folded = fold(text);
        let words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2);
        words.take(WORDS).map(str::to_owned).collect()
    };
    let said = words(said);
    let there = |word: &String| said.iter().any(|own| likeness(own, word) >= NEAR);
    let known = entry.texts.iter().map(|text| words(text)).filter(|known| !known.is_empty());
    known.map(|known| known.iter().filter(|word| there(word)).count() * 100 / known.len()).max().unwrap_or(0)
}

/// How alike a known text is to the part of a text that is most like it.
fn alike(text: &str, known: &str) -> f64 {
    let words: Vec<&str> = text.split(' ').collect();
    let words = &words[words.len().saturating_sub(WORDS)..];
    let length = known.split(' ').count();
    let mut best = 0.0_f64;
    for size in length.saturating_sub(1).max(1)..=length + 1 {
        for window in words.windows(size.min(words.len())) {
            best = best.max(likeness(&window.join(" "), known));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<(&'static str, How)> {
        look_up(text, None).into_iter().map(|m| (m.entry.id, m.how)).collect()
    }

    #[test]
    fn a_code_and_its_text_are_one_entry() {
        assert_eq!(
            ids("invalid_grant: user hasn't approved this consumer"),
            [("error/user-has-not-approved", How::Exact)]
        );
        assert_eq!(
            ids(r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#),
            [("api/session-expired", How::Exact)]
        );
        assert_eq!(ids("Bad_OAuth_Token"), [("identity/bad-oauth-token", How::Exact)]);
        assert_eq!(ids("callback({\"error\":\"invalid_token\"})"), [("error/invalid-token", How::Exact)]);
    }

    #[test]
    fn letter_case_decides_between_codes_of_two_places() {
        assert_eq!(ids("403 Invalid_Scope"), [("identity/invalid-scope", How::Exact)]);
        assert_eq!(ids("invalid_scope"), [("error/invalid-scope", How::Exact)]);
    }

    #[test]
    fn letter_case_is_no_sure_match_beside_an_unknown_text() {
        for text in
            ["invalid_scope: who knows", r#"{"error":"invalid_scope","error_description":"who knows"}"#]
        {
            let found = ids(text);
            assert_eq!(found[0], ("error/invalid-scope", How::Code), "{text}: {found:?}");
        }
    }

    #[test]
    fn of_entries_that_share_a_misspelt_code_the_text_chooses() {
        let found = ids("invalid_gant: expired acces token");
        assert_eq!(found[0], ("error/expired-refresh-token", How::Near), "{found:?}");
    }

    #[test]
    fn a_near_text_is_said_to_be_near() {
        let found = ids("invalid_grant: user has not aproved this customer");
        assert_eq!(found[0], ("error/user-has-not-approved", How::Near), "{found:?}");
        let found = ids("invalid_clnt_id");
        assert!(found.contains(&("error/invalid-client-id", How::Near)), "{found:?}");
    }

    #[test]
    fn a_refused_login_of_soap_is_known() {
        let text = "INVALID_LOGIN: Invalid username, password, security token; or user locked out.";
        for text in [text.to_owned(), format!("UnknownError: {text}")] {
            assert_eq!(ids(&text), [("api/soap-login-refused", How::Exact)], "{text}");
        }
    }

    #[test]
    fn a_code_with_a_blank_is_near_to_it() {
        let found = ids("invalid grant");
        assert!(found.iter().all(|(_, how)| *how == How::Near), "{found:?}");
        assert!(found.contains(&("error/user-has-not-approved", How::Near)), "{found:?}");
    }

    #[test]
    fn what_a_callout_was_answered_is_told_with_it() {
        for (text, inner) in [
            (
                "System.CalloutException: Unable to fetch the OAuth token. Error: invalid_grant. Error description: audience is invalid.",
                "error/audience-is-invalid",
            ),
            (
                "System.CalloutException: Unable to complete the JWT token exchange. Error: invalid_client. Error description: invalid client credentials.",
                "error/invalid-client",
            ),
        ] {
            let found = ids(text);
            assert!(found[0].0.starts_with("callout/"), "{found:?}");
            assert!(found.contains(&(inner, How::Exact)), "{found:?}");
        }
    }

    #[test]
    fn what_was_sent_to_a_callback_is_of_the_authorization_endpoint() {
        let of = |text: &str| look_up(text, None)[0].place;
        let text = "error=access_denied&error_description=end-user+denied+authorization";
        assert_eq!(of(&format!("https://app.acme.com/cb?{text}&state=x")), Place::Authorize);
        assert_eq!(of(text), Place::Token);
    }

    #[test]
    fn a_text_of_entities_is_the_text() {
        let page = "{&quot;error&quot;:&quot;invalid_grant&quot;,&quot;error_description&quot;:&quot;user hasn&#x27;t approved this consumer&quot;}";
        assert_eq!(ids(page), [("error/user-has-not-approved", How::Exact)]);
        assert_eq!(
            ids(
                "error=invalid_grant&error_description=user%2520hasn%2527t%2520approved%2520this%2520consumer"
            ),
            [("error/user-has-not-approved", How::Exact)]
        );
    }

    #[test]
    fn a_text_that_is_not_known_is_told_by_its_code() {
        let found = ids(r#"{"error":"invalid_grant","error_description":"the moon is full tonight"}"#);
        assert!(!found.is_empty() && found.iter().all(|(_, how)| *how == How::Code), "{found:?}");
        assert_eq!(ids("banana"), []);
        assert_eq!(ids(""), []);
    }

    #[test]
    fn the_flow_orders_what_is_found() {
        let first = |flow| look_up("no valid scopes defined", flow).first().map(|m| m.entry.id);
        assert_eq!(first(Some(Flow::ClientCredentials)), Some("error/no-valid-scopes"));
    }
}
