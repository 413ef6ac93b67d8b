//! What a token answer says, whatever the grant: its letters, its type, how long the token lives, and that it comes
//! at all and in time (RFC 6749 §5).

use super::Cite::Rfc;
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::oauth::grant::{authorization_code, client_credentials, jwt_bearer, saml_bearer};
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// An answer to client credentials.
macro_rules! answered {
    ($answer:literal) => {
        answered!("", $answer)
    };
    ($facts:literal, $answer:literal) => {
        concat!(
            "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n",
            $facts,
            "< ",
            $answer,
            "\n"
        )
    };
}

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "token/lifetime-is-told",
        title: "a token response says expires_in, as a number of seconds",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "CD-32",
        cites: &[Rfc(6749, "5.1")],
        explain: "Without expires_in a client learns that its token is over from a refusal in the middle of its work, \
            or guesses. RFC 6749 recommends it, and where it is left out asks the server to say the lifetime by \
            other means. Write the seconds that remain as a JSON number above zero; a text of digits breaks \
            strict clients and weighs less. Salesforce has no expires_in: the lifetime is a setting of the org, which is a \
            known deviation.",
        passes: answered!("200 {\"access_token\":\"A\",\"expires_in\":3600}"),
        fails: answered!("200 {\"access_token\":\"A\"}"),
        judge: lifetime_is_told,
    },
    Check {
        id: "token/error-text-is-plain",
        title: "error, error_description and error_uri hold only the letters that they may",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-34",
        cites: &[Rfc(6749, "5.2")],
        explain: "These values end up in headers, logs and pages of the client. RFC 6749 keeps them to printable ASCII \
            without the double quote and the backslash, so that nobody has to escape them; a description in \
            another language, or one that quotes what the client sent, breaks a parser or carries something \
            through. Use an apostrophe to quote, leave out what came with the request, and keep translations on \
            a page that error_uri names.",
        passes: answered!("400 {\"error\":\"invalid_grant\",\"error_description\":\"it's over\"}"),
        fails: answered!(
            "400 {\"error\":\"invalid_grant\",\"error_description\":\"the \\\"code\\\" is over\"}"
        ),
        judge: error_text_is_plain,
    },
    Check {
        id: "token/type-is-bearer",
        title: "token_type is Bearer, in whatever letter case",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-36",
        cites: &[Rfc(6749, "5.1"), Rfc(6749, "7.1"), Rfc(6750, "4")],
        explain: "token_type says how the token is used, and a client must not use one whose type it does not know. \
            For a request that asked for nothing else it is Bearer; JWT is a format and no type, and \
            access_token is a type of token in another registry. The letter case does not matter. Where the \
            request brought a proof (DPoP), another type is right and nothing is judged.",
        passes: answered!("200 {\"access_token\":\"A\",\"token_type\":\"bearer\"}"),
        fails: answered!("200 {\"access_token\":\"A\",\"token_type\":\"jwt\"}"),
        judge: type_is_bearer,
    },
    Check {
        id: "token/tokens-are-printable",
        title: "access and refresh tokens are printable ASCII",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-37",
        cites: &[Rfc(6749, "A.12"), Rfc(6749, "A.17")],
        explain: "Tokens travel in headers and forms, through systems that differ in how they treat other bytes; one \
            letter beyond ASCII arrives as two or as a question mark, and the token is dead for no visible \
            reason. RFC 6749 gives both kinds of token the printable ASCII characters and at least one of them. \
            Encode what is inside with base64url.",
        passes: answered!("200 {\"access_token\":\"A\"}"),
        fails: answered!("! token odd\n", "200 {\"access_token\":\"A\"}"),
        judge: tokens_are_printable,
    },
    Check {
        id: "token/server-does-not-break",
        title: "a token request is not answered with a server error",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CD-41",
        cites: &[Rfc(6749, "5.2")],
        explain: "A 500 tells a client nothing: was the code used up, was the refresh token rotated, may it try again? \
            Each guess can lose the grant. Now and then is worse than always, for it shows under load and in no \
            test. Find the request in the server's log by its time; what the client sent wrong has an error of \
            RFC 6749 §5.2, and being out of capacity is 503 with Retry-After, which is not judged here.",
        passes: answered!("400 {\"error\":\"invalid_grant\"}"),
        fails: answered!("500"),
        judge: server_does_not_break,
    },
    Check {
        id: "token/answer-comes-in-time",
        title: "a token request is answered within five seconds",
        binds: Party::Org,
        level: Level::BestPractice,
        basis: Basis::Derived,
        origin: "CD-42",
        cites: &[Rfc(6749, "5.1")],
        explain: "A client that waits for its token does nothing else, and one that gives up does not know whether its \
            code or refresh token was used. Time limits of a few seconds are common in HTTP libraries, so an \
            answer that now and then takes longer loses grants at random. Look at what the slow requests share: \
            a cold start, a lock on the same user or client, a directory that is asked each time.",
        passes: answered!("200 {\"access_token\":\"A\"}"),
        fails: answered!("! took 8000000\n", "200 {\"access_token\":\"A\"}"),
        judge: answer_comes_in_time,
    },
    Check {
        id: "token/token-belongs-to-one-asker",
        title: "no access token is given to two clients or two users",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "TR-02",
        cites: &[Rfc(6749, "1.4"), Rfc(6749, "10.10")],
        explain: "An access token stands for one grant: a client, a user, a scope. A server that hands the same one to \
            a second user or client lets that one act in the first one's name, and nobody notices until data is \
            seen that should not be. The usual causes are a cache that is keyed by too little, or an object \
            shared by two requests at once. The same token twice for the same client and user is no fault: a \
            session may be shared.",
        passes: concat!(answered!("200 {\"access_token\":\"A\"}"), answered!("200 {\"access_token\":\"B\"}")),
        fails: "> POST token grant_type=client_credentials&client_id=main\n< 200 {\"access_token\":\"A\"}\n> POST token grant_type=client_credentials&client_id=other\n< 200 {\"access_token\":\"A\"}\n",
        judge: token_belongs_to_one_asker,
    },
    Check {
        id: "token/access-token-is-short-lived",
        title: "an access token lives an hour at most",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "TR-03",
        cites: &[Rfc(6750, "5.3")],
        explain: "A bearer token is good for whoever holds it until it ends, and few resource servers ask whether it \
            was revoked: the lifetime is the bound of the damage. RFC 6750 asks for an hour or less. Shorten it \
            and give the client a refresh token instead. What is judged is expires_in; where an answer does not \
            have it nothing is said. A session of Salesforce lasts two hours and longer with use, which is a \
            known deviation.",
        passes: answered!("200 {\"access_token\":\"A\",\"expires_in\":3600}"),
        fails: answered!("200 {\"access_token\":\"A\",\"expires_in\":86400}"),
        judge: access_token_is_short_lived,
    },
    Check {
        id: "token/client-credentials-have-no-refresh-token",
        title: "client credentials are answered without a refresh token",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "TR-06",
        cites: &[Rfc(6749, "4.4.3")],
        explain: "A client that holds its credentials can ask again whenever its token ends, so a refresh token adds \
            nothing but another secret, one that outlives a change of the client secret. RFC 6749 says that it \
            should not be included. Leave it out for this grant whatever scope is asked for.",
        passes: answered!("200 {\"access_token\":\"A\"}"),
        fails: answered!("200 {\"access_token\":\"A\",\"refresh_token\":\"R\"}"),
        judge: client_credentials_have_no_refresh_token,
    },
    Check {
        id: "token/password-grant-is-off",
        title: "the password grant is not supported",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "TR-08",
        cites: &[Rfc(9700, "2.4")],
        explain: "With this grant the user gives the password to the client, and every client becomes a place where it \
            can be stolen or guessed; a second factor or single sign-on has no place in it. RFC 9700 says that \
            it must not be used. Switch it off for all clients, so that it is refused as unsupported before any \
            password is looked at. An answer of invalid_grant shows that one was looked at, which weighs less \
            than a token.",
        passes: "> POST token grant_type=password&username=u&password=p&client_id=main&client_secret=s\n! secret right\n< 400 {\"error\":\"unsupported_grant_type\"}",
        fails: "> POST token grant_type=password&username=u&password=p&client_id=main&client_secret=s\n! secret right\n< 400 {\"error\":\"invalid_grant\"}",
        judge: password_grant_is_off,
    },
];

fn lifetime_is_told(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.grants() {
        let expected = "expires_in as a number of seconds";
        match x.member("expires_in") {
            Some(value) if value.as_f64().is_some_and(|seconds| seconds > 0.0) => j.pass(),
            Some(value) if is_digits(value) => {
                j.fail_lesser_grave(&[x], expected, "expires_in that is no number");
            }
            // Of an org that is known to leave it out, nothing is known of one that writes it wrong.
            Some(value) => j.fail_grave(&[x], expected, format!("expires_in of {value}")),
            None => j.fail(&[x], expected, "no expires_in"),
        }
    }
    j
}

/// A text that would be a number without its quotes.
fn is_digits(value: &serde_json::Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn error_text_is_plain(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let plain = |text: &str| text.bytes().all(|b| (0x20..=0x7e).contains(&b) && b != b'"' && b != b'\\');
    for x in t.at(Endpoint::Token).filter(|x| matches!(x.status(), 400 | 401) && x.text("error").is_some()) {
        for name in ["error", "error_description", "error_uri"] {
            let Some(text) = x.text(name) else { continue };
            let spaced = name == "error_uri" && text.contains(' ');
            if plain(text) && !spaced {
                j.pass();
            } else {
                let expected = format!("printable ASCII without quote and backslash in {name}");
                j.fail(&[x], expected, format!("{} with other letters in {name}", x.status()));
            }
        }
    }
    j
}

fn type_is_bearer(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let proves = |x: &&Exchange| x.request.header("dpop").is_some() || x.param("token_type").is_some();
    for x in t.grants().filter(|x| !proves(x)) {
        // REQUIRED (RFC 6749 §5.1).
        let Some(kind) = x.text("token_type") else {
            j.fail(&[x], "token_type Bearer", "no token_type");
            continue;
        };
        if kind.eq_ignore_ascii_case("bearer") {
            j.pass();
        } else {
            j.fail(&[x], "token_type Bearer", format!("token_type {kind}"));
        }
    }
    j
}

fn tokens_are_printable(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.grants() {
        if x.facts.odd_token == Some(true) {
            j.fail(&[x], "tokens of printable ASCII", "a token that is empty or has other letters");
        } else {
            j.pass();
        }
    }
    j
}

fn server_does_not_break(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Token) {
        match x.status() {
            // A request without a body or of another media type may meet something in front of the server.
            500 | 501 | 502 | 504 | 505.. => {
                j.fail(&[x], "an answer, or an error of RFC 6749 §5.2", x.outcome())
            }
            200..500 => j.pass(),
            _ => {}
        }
    }
    j
}

fn answer_comes_in_time(t: &Transcript) -> Judgement {
    /// In microseconds.
    const LONGEST: u64 = 5_000_000;
    let mut j = Judgement::new();
    // Of many at once, some wait for others.
    for x in t.at(Endpoint::Token).filter(|x| x.response().is_some() && x.race.is_none()) {
        if x.took <= LONGEST {
            j.pass();
        } else {
            j.fail(
                &[x],
                "an answer within five seconds",
                format!("{} after {} ms", x.status(), x.took / 1000),
            );
        }
    }
    j
}

fn token_belongs_to_one_asker(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    // Whom a token was asked for; the user of client credentials is nobody's choice.
    let asker = |x: &Exchange| -> Option<(String, Option<String>)> {
        let client = x.client_id()?.to_owned();
        let user = match x.grant_type()? {
            client_credentials::GRANT_TYPE => Some(None),
            authorization_code::GRANT_TYPE => {
                t.code(x.param("code")?).map(|issued| issued.authorize.user.clone())
            }
            jwt_bearer::GRANT_TYPE | saml_bearer::GRANT_TYPE if x.tweak.is_none() => Some(x.user.clone()),
            _ => None,
        };
        Some((client, user?))
    };
    let grants: Vec<(&Exchange, (String, Option<String>))> =
        t.grants().filter_map(|x| Some((x, asker(x)?))).collect();
    for (i, (x, asked)) in grants.iter().enumerate() {
        for (y, before) in &grants[..i] {
            let differs = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
            let other = before.0 != asked.0 || differs(&before.1, &asked.1);
            if x.text("access_token") != y.text("access_token") {
                j.pass();
            } else if other {
                let observed = "the same access token was given to another client or user before";
                j.fail(&[y, x], "an access token of its own", observed);
            }
        }
    }
    j
}

fn access_token_is_short_lived(t: &Transcript) -> Judgement {
    const HOUR: f64 = 3600.0;
    let mut j = Judgement::new();
    for x in t.grants() {
        let Some(seconds) = x.member("expires_in").and_then(serde_json::Value::as_f64) else { continue };
        if seconds <= HOUR {
            j.pass();
        } else {
            j.fail(&[x], "expires_in of 3600 at most", format!("expires_in of {seconds}"));
        }
    }
    j
}

fn client_credentials_have_no_refresh_token(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.requests_of(client_credentials::GRANT_TYPE).filter(|x| x.granted()) {
        let has = x.text("refresh_token").is_some_and(|token| !token.is_empty());
        if has { j.fail(&[x], "no refresh token", "a refresh token") } else { j.pass() }
    }
    j
}

fn password_grant_is_off(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "a refusal of the grant itself: unsupported_grant_type or unauthorized_client";
    for x in t.requests_of("password").filter(|x| x.facts.secret_is_right != Some(false)) {
        match x.error().map(|error| error.error).as_deref() {
            _ if x.hands_out_a_token() => j.fail_grave(&[x], expected, x.outcome()),
            Some("unsupported_grant_type" | "unauthorized_client") => j.pass(),
            // Name and password were looked at, or something else of the grant was.
            Some("invalid_grant") => j.fail_lesser(&[x], expected, x.outcome()),
            _ => {}
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::verdict_of;
    use crate::transcript::script;
    use crate::verdict::Verdict;

    #[test]
    fn a_server_without_capacity_is_not_broken() {
        for silent in ["503", "429 {\"error\":\"slow_down\"}"] {
            let record = format!("> POST token grant_type=client_credentials\n< {silent}\n");
            assert_ne!(verdict_of(server_does_not_break, &record), Verdict::Fail, "{silent}");
        }
    }

    #[test]
    fn the_same_token_for_the_same_asker_is_a_shared_session() {
        let twice = answered!("200 {\"access_token\":\"A\"}").repeat(2);
        assert_eq!(verdict_of(token_belongs_to_one_asker, &twice), Verdict::Skip);
    }

    #[test]
    fn a_lifetime_as_text_weighs_less() {
        let record = answered!("200 {\"access_token\":\"A\",\"expires_in\":\"3600\"}");
        let found = lifetime_is_told(&script::read(record)).into_findings("x", Level::Should);
        assert_eq!(found[0].level, Level::BestPractice);
    }

    #[test]
    fn a_lifetime_that_is_none_is_worse_than_none_at_all() {
        let found = |value: &str| {
            let record = answered!("200 {\"access_token\":\"A\",\"expires_in\":3600}").replace("3600", value);
            lifetime_is_told(&script::read(&record)).into_findings("x", Level::Should)
        };
        for value in ["-5", "0", "\"never\"", "\"-5\"", "\"\"", "null", "[3600]"] {
            assert!(found(value)[0].grave && found(value)[0].level == Level::Should, "{value}");
        }
        assert!(found("\"3600\"")[0].grave);
        assert_eq!(found("3600.0"), []);
        let absent = lifetime_is_told(&script::read(answered!("200 {\"access_token\":\"A\"}")));
        assert!(!absent.into_findings("x", Level::Should)[0].grave);
    }
}
