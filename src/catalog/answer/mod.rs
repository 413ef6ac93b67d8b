//! What a client makes of a token response (RFC 6749 §5.1, and what Salesforce adds): that it reads whatever is right,
//! and uses no token of what is wrong.

use super::Cite::{Rfc, Salesforce};
use super::evidence::{PROMPT, has_reason, holds, is_sound, same_client, uses};
use super::resource::{calls, ended, let_in, presented};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::transcript::questions::{origin, same_origin};
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// Client credentials of `main`, and what is answered: an access token, members besides it, or something else.
macro_rules! grant {
    () => {
        grant!("A1")
    };
    ($token:literal) => {
        grant!(raw concat!("200 {\"access_token\":\"", $token, "\",\"token_type\":\"Bearer\"}"))
    };
    ($token:literal, $members:literal) => {
        grant!(raw concat!("200 {\"access_token\":\"", $token, "\",", $members, "}"))
    };
    (raw $answer:expr) => {
        concat!(
            "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n! secret right\n< ",
            $answer, "\n"
        )
    };
}

/// A call with this access token, which is let in.
macro_rules! call {
    () => {
        call!("A1")
    };
    ($token:literal) => {
        concat!("> GET api /a\n> Authorization: Bearer ", $token, "\n< 200\n")
    };
}

pub(super) mod hosts;
pub(super) mod lifetime;
pub(super) mod refused;

/// The page of Salesforce that lists the members.
const RESPONSE: super::Cite = Salesforce("OAuth 2.0 Web Server Flow for Web App Integration");

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "answer/unknown-members-are-passed-over",
        title: "members of a token response that nobody knows make no difference",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLT-06",
        cites: &[Rfc(6749, "5.1")],
        explain: "A client must ignore members that it does not know, whatever is in them. Salesforce adds some with each release \
            (token_format, api_instance_url, sfdc_community_url), and so do the extensions of other servers. Deserializers that \
            fail on an unknown field turn a release of the server into an outage of the client. Read the members that you need, and \
            leave the rest. A client that asks again and again in place of using what it was given counts as one that did not \
            understand.",
        passes: concat!(grant!("A1", "\"token_format\":\"opaque\",\"odd\":[{\"x\":null}]"), call!()),
        fails: concat!(grant!("A1", "\"odd\":1"), grant!("A2", "\"odd\":1"), grant!("A3", "\"odd\":1")),
        judge: unknown_members_are_passed_over,
    },
    Check {
        id: "answer/any-json-is-read",
        title: "order, spaces and escapes of a token response make no difference",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLT-07",
        cites: &[Rfc(6749, "5.1"), Rfc(8259, "2"), Rfc(8259, "7")],
        explain: "The response is JSON, and JSON has no order of members, any white space between them, and more than one way to write a \
            letter: some servers write \\/ for each slash, some write pages with line breaks. Code that looks for \"access_token\":\" \
            in the text works against one server in one release. Parse the body with a JSON parser, and do not look at the charset \
            that the media type names.",
        passes: concat!(
            grant!(raw "200 { \"token_type\" : \"Bearer\", \"access_token\" : \"A1\" }"),
            call!()
        ),
        fails: concat!(
            grant!(raw "200 { \"access_token\" : \"A1\" }"),
            grant!(raw "200 { \"access_token\" : \"A2\" }"),
            grant!(raw "200 { \"access_token\" : \"A3\" }")
        ),
        judge: any_json_is_read,
    },
    Check {
        id: "answer/token-type-has-no-case",
        title: "the token type is Bearer in whatever case it is written",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLT-08",
        cites: &[Rfc(6749, "5.1")],
        explain: "token_type is case insensitive: bearer, Bearer and BEARER are one. Servers write all three. A client that compares \
            letters refuses a good token, or, which is harder to see, builds its Authorization header out of the word that came and \
            meets a resource server that knows Bearer alone. Compare without case and send Bearer.",
        passes: concat!(grant!("A1", "\"token_type\":\"bearer\""), call!()),
        fails: concat!(
            grant!("A1", "\"token_type\":\"BEARER\""),
            grant!("A2", "\"token_type\":\"BEARER\""),
            grant!("A3", "\"token_type\":\"BEARER\"")
        ),
        judge: token_type_has_no_case,
    },
    Check {
        id: "answer/token-is-sent-as-it-came",
        title: "an access token is sent letter by letter as it came",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLT-15",
        cites: &[Rfc(6749, "A.12"), Rfc(6750, "2.1")],
        explain: "An access token is opaque, and may hold any visible ASCII letter: those of Salesforce have ! and . in them and grow \
            longer than 2000 letters when they are JWTs. Columns of 255 letters cut them, shells take the exclamation mark for \
            something else, and a decoding that was meant for forms turns + into a space. The server answers INVALID_SESSION_ID, and \
            nobody looks at the length. Store it as text without a limit, and compare what you send to what you got.",
        passes: concat!(grant!("00D!AQ.x"), call!("00D!AQ.x")),
        fails: concat!(grant!("00D!AQ.abcdefgh"), call!("00D!AQ.abcd")),
        judge: token_is_sent_as_it_came,
    },
];

/// The members of a token response that are written somewhere.
const KNOWN: [&str; 14] = [
    "access_token",
    "refresh_token",
    "signature",
    "scope",
    "id_token",
    "instance_url",
    "id",
    "token_type",
    "issued_at",
    "expires_in",
    "sfdc_community_url",
    "sfdc_community_id",
    "api_instance_url",
    "token_format",
];

/// Judges answers that are good, and odd in some way: their token is used. A client that does not understand them asks
/// again; once, that may be another start of it.
fn taken_up(t: &Transcript, expected: &str, odd: impl Fn(&Exchange) -> bool) -> Judgement {
    let mut j = Judgement::new();
    let mut left = Vec::new();
    for x in t.grants().filter(|x| odd(x) && is_sound(x)) {
        // One that is started again asks because it begins.
        let asks = |y: &&Exchange| {
            y.began_after(x) && y.same_start(x) && y.grant_type() == x.grant_type() && same_client(x, y)
        };
        if uses(t, x).next().is_some() {
            j.pass();
        } else if t.at(Endpoint::Token).any(|y| asks(&y)) {
            left.push(x);
        } else {
            j.unproved(&[x], expected, "the record ends before the client was seen to go on");
        }
    }
    match left[..] {
        [first, second, ..] => {
            j.fail(&[first, second], expected, "it was asked for another one, again and again")
        }
        [only] => j.unproved(&[only], expected, "it was asked for another one, once"),
        [] => {}
    }
    j
}

fn unknown_members_are_passed_over(t: &Transcript) -> Judgement {
    taken_up(t, "the access token beside the unknown members is used", |x| {
        let members = x.response().and_then(|response| response.json()?.as_object());
        members.is_some_and(|members| members.keys().any(|name| !KNOWN.contains(&name.as_str())))
    })
}

fn any_json_is_read(t: &Transcript) -> Judgement {
    taken_up(t, "the access token is used, however the JSON is written", |x| {
        let body = x.response().map_or("", |response| response.body.as_str());
        let mut previous = ' ';
        let mut spaced = false;
        for c in body.chars() {
            spaced |= c.is_ascii_whitespace() && matches!(previous, '{' | ',' | ':' | '"');
            previous = c;
        }
        spaced
            || body.contains("\\/")
            || body.contains("\\u")
            || body.trim_start().starts_with("{\"issued_at\"")
    })
}

fn token_type_has_no_case(t: &Transcript) -> Judgement {
    taken_up(t, "the access token is used, however Bearer is written", |x| {
        x.text("token_type").is_some_and(|kind| kind != "Bearer" && kind.eq_ignore_ascii_case("bearer"))
    })
}

/// What somebody made of a token who did not keep it as it was.
fn spoiled(token: &str, sent: &str) -> Option<&'static str> {
    use crate::oauth::params::{form_decode, form_encode};
    let whole = token.len() > 4 && !sent.is_empty() && token != sent;
    if !whole {
        None
    } else if sent.len() > 3 && token.starts_with(sent) {
        Some("the beginning of it")
    } else if form_decode(token).is_ok_and(|decoded| decoded == sent) {
        Some("it, decoded once more")
    } else if form_encode(token) == sent {
        Some("it, encoded once more")
    } else {
        None
    }
}

fn token_is_sent_as_it_came(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.grants() {
        let Some(token) = x.text("access_token") else { continue };
        if uses(t, x).next().is_some() {
            j.pass();
        }
        let wrong = calls(t).filter(|y| y.began_after(x)).find_map(|y| {
            let sent = y.request.header("authorization")?.split_once(' ')?.1;
            let known = t.origin_of_access_token(sent).is_some();
            Some((y, spoiled(token, sent).filter(|_| !known)?))
        });
        if let Some((y, observed)) = wrong {
            j.fail(&[x, y], "the access token as it came", observed);
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use super::spoiled;
    use crate::catalog::find;
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn what_a_client_did_once_may_be_another_start() {
        let id = "answer/unknown-members-are-passed-over";
        let odd = grant!("A1", "\"odd\":1");
        comes_to(id, odd, Verdict::Inconclusive);
        comes_to(id, &format!("{odd}{}", grant!("A2")), Verdict::Inconclusive);
        comes_to(id, concat!(grant!(), call!()), Verdict::Skip);
        // Each of these was killed before its first call.
        let killed = format!("= told ends work\n{odd}{odd}! step 1\n{odd}! step 2\n");
        comes_to(id, &killed, Verdict::Inconclusive);
        comes_to(id, &odd.repeat(3), Verdict::Fail);
    }

    #[test]
    fn compact_json_is_nothing_odd() {
        comes_to("answer/any-json-is-read", concat!(grant!(), call!()), Verdict::Skip);
        let slashes = concat!(grant!("A1", "\"id\":\"https:\\/\\/x\""), call!());
        comes_to("answer/any-json-is-read", slashes, Verdict::Pass);
        comes_to("answer/token-type-has-no-case", concat!(grant!(), call!()), Verdict::Skip);
    }

    #[test]
    fn a_token_is_spoiled_in_more_ways_than_one() {
        assert_eq!(spoiled("abcdefgh", "abcd"), Some("the beginning of it"));
        assert_eq!(spoiled("ab+cd/ef", "ab cd/ef"), Some("it, decoded once more"));
        assert_eq!(spoiled("ab+cd/ef", "ab%2Bcd%2Fef"), Some("it, encoded once more"));
        assert_eq!(spoiled("abcdefgh", "abcdefgh"), None);
        assert_eq!(spoiled("abcdefgh", "xyz"), None);
        let id = "answer/token-is-sent-as-it-came";
        let fails = find(id).unwrap().fails;
        // What another answer gave is no spoiled token.
        comes_to(id, &format!("{}{fails}", grant!("00D!AQ.abcd")), Verdict::Pass);
    }
}
