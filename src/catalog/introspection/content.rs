//! What is said of a live token, and that it is true.

use serde_json::Value;

use super::super::Cite::{Rfc, Salesforce};
use super::super::resource::{handed_out, is_soap, let_in, opens_otherwise, owner, presented, undisturbed};
use super::super::{Check, Judgement, Party};
use super::{active, questions};
use crate::oauth::Endpoint;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// The redemption of a code by `main`, which gives A and R.
macro_rules! granted {
    () => {
        "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
         < 200 {\"access_token\":\"A\",\"scope\":\"api id\"}\n"
    };
}

/// The question about A, without its answer.
macro_rules! ask {
    ($answer:literal) => {
        concat!("> POST introspect token=A&client_id=main&client_secret=s\n< 200 ", $answer, "\n")
    };
}

/// A call with A.
macro_rules! call {
    ($status:literal) => {
        concat!("> GET api\n> Authorization: Bearer A\n< ", $status, "\n")
    };
}

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "introspection/answer-agrees-with-the-grant",
        title: "client, scope and user of an active token are those of its grant",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "IN-12",
        cites: &[Rfc(7662, "2.2"), Salesforce("Token Introspection")],
        explain: "A resource server decides by these members what the caller may do and on whose data. client_id is the client \
            that asked for the token, scope what was granted, sub and username whoever granted it: a scope that nobody granted \
            opens doors, and another user's name opens that user's data. A server may tell a resource server less scope than \
            there is, never more. The check compares with the token response, the answers about one grant with each other, \
            and those about different users. Store these values with the token and read them from there, not from the client's \
            registration or the latest login.",
        passes: concat!(granted!(), ask!("{\"active\":true,\"client_id\":\"main\",\"scope\":\"api\"}")),
        fails: concat!(
            granted!(),
            ask!("{\"active\":true,\"client_id\":\"main\",\"scope\":\"api id full\"}")
        ),
        judge: answer_agrees_with_the_grant,
    },
    Check {
        id: "introspection/times-are-whole-seconds",
        title: "exp, iat and nbf are integers in seconds, and in order",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "IN-13",
        cites: &[Rfc(7662, "2.2")],
        explain: "The times of a token are numbers of whole seconds since 1970. Milliseconds make it live for fifty thousand \
            years in the eyes of the reader, a text is no number to a strict one, and a token that ends before it was issued \
            is never good. Salesforce gives no expires_in, so its clients learn the end of a session from exp. Write the \
            members as JSON integers, and leave one out rather than fill it with a stand-in.",
        passes: concat!(granted!(), ask!("{\"active\":true,\"exp\":{now+900},\"iat\":{now},\"nbf\":{now}}")),
        fails: concat!(granted!(), ask!("{\"active\":true,\"exp\":{ms},\"iat\":{ms}}")),
        judge: times_are_whole_seconds,
    },
    Check {
        id: "introspection/exp-is-the-end",
        title: "an access token works until the exp that introspection tells, and not beyond",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "IN-14",
        cites: &[Rfc(7662, "2.2"), Rfc(7662, "4")],
        explain: "Whoever caches an answer keeps it until exp, and clients plan their renewal by it. A token that dies earlier \
            breaks them without a reason that they could see; one that lives longer is a token whose end nobody knows. \
            Compute exp from what the resource server enforces: on Salesforce that is the session timeout, which slides with \
            use, so the check goes by the last answer before the call and forgives the clock skew of the target.",
        passes: concat!(
            granted!(),
            ask!("{\"active\":true,\"exp\":{now+900}}"),
            "+ 5m\n",
            call!("200 []"),
            "> GET api\n> Authorization: Bearer B\n< 200 []\n"
        ),
        fails: concat!(granted!(), ask!("{\"active\":true,\"exp\":{now+900}}"), "+ 1h\n", call!("200 []")),
        judge: exp_is_the_end,
    },
    Check {
        id: "introspection/answers-are-not-cacheable",
        title: "HTTP caches are not told to keep an introspection answer",
        binds: Party::Org,
        level: Level::BestPractice,
        basis: Basis::Derived,
        origin: "IN-15",
        cites: &[Rfc(7662, "4"), Rfc(9111, "5.2.2")],
        explain: "An answer from a cache is one from before the revocation. A resource server may decide for itself how long \
            it trusts an answer; a proxy in between that serves it to others takes that decision away, and keeps a user's \
            data besides. Send Cache-Control: no-store, or none at all, as answers to POST are not kept without being asked for; \
            never public or a max-age.",
        passes: concat!(granted!(), ask!("{\"active\":true}"), "< Cache-Control: no-store\n"),
        fails: concat!(granted!(), ask!("{\"active\":true}"), "< Cache-Control: public, max-age=300\n"),
        judge: answers_are_not_cacheable,
    },
];

/// Seconds since the epoch that can be meant: after 2001, and no milliseconds.
const PLAUSIBLE: std::ops::Range<i64> = 1_000_000_000..100_000_000_000;

/// The clock skew that is forgiven where the target does not say, in milliseconds.
const LEEWAY: i64 = 180_000;

/// Every answer that says of a token that it is active.
fn told(t: &Transcript) -> impl DoubleEndedIterator<Item = (&Exchange, &str)> {
    let all: Vec<_> = questions(t).filter(|(x, _)| active(x) == Some(true)).collect();
    all.into_iter()
}

/// The role of the user who logged in for the grant that a token came of; none where nobody did.
fn grantor<'t>(t: &'t Transcript, token: &'t str) -> Option<&'t str> {
    let origin = t.origin_of_access_token(token).or_else(|| t.origin_of_refresh_token(token))?;
    let first = match origin.param("refresh_token") {
        Some(presented) => t.origin_of_refresh_token(t.family(presented))?,
        None => origin,
    };
    t.code(first.param("code")?)?.authorize.user.as_deref()
}

fn answer_agrees_with_the_grant(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in told(t) {
        if let (Some(client), Some(owner)) = (x.text("client_id"), owner(t, token)) {
            let expected = format!("client_id {owner}, which the token was issued to");
            if client == owner { j.pass() } else { j.fail(&[x], expected, format!("client_id {client}")) }
        }
        let handed = t.origin_of_access_token(token).or_else(|| t.origin_of_refresh_token(token));
        if let (Some(scope), Some(granted)) = (x.text("scope"), handed.and_then(|h| h.text("scope"))) {
            let had = |value: &&str| granted.split(' ').any(|g| g == *value || g == "full");
            let more: Vec<&str> = scope.split(' ').filter(|v| !v.is_empty() && !had(v)).collect();
            match more[..] {
                [] => j.pass(),
                _ => j.fail(
                    &[x],
                    format!("no more than the scope of the grant: {granted}"),
                    format!("scope {scope}"),
                ),
            }
        }
        // One user is one subject, two are two.
        let Some(user) = grantor(t, token) else { continue };
        for (y, earlier) in told(t).filter(|(y, _)| y.number < x.number && y.client_id() == x.client_id()) {
            let Some(other) = grantor(t, earlier).filter(|_| owner(t, earlier) == owner(t, token)) else {
                continue;
            };
            for member in ["sub", "username"] {
                let (Some(now), Some(then)) = (x.text(member), y.text(member)) else { continue };
                match (user == other, now == then) {
                    (true, true) | (false, false) => j.pass(),
                    (true, false) => j.fail(
                        &[y, x],
                        format!("the same {member}: the same user granted both tokens"),
                        "another one",
                    ),
                    (false, true) => {
                        j.fail(
                            &[y, x],
                            format!("another {member}: another user granted the token"),
                            "the same one",
                        );
                    }
                }
            }
        }
    }
    j
}

fn times_are_whole_seconds(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, _) in told(t) {
        let mut sound = true;
        let mut seen = false;
        for name in ["exp", "iat", "nbf"] {
            let Some(value) = x.member(name).filter(|value| !value.is_null()) else { continue };
            seen = true;
            let expected = format!("{name} as an integer of seconds since 1970");
            match value.as_i64() {
                Some(seconds) if PLAUSIBLE.contains(&seconds) => continue,
                Some(other) => j.fail(&[x], expected, format!("{other}")),
                None => j.fail(&[x], expected, format!("{value}")),
            }
            sound = false;
        }
        let time = |name| x.member(name).and_then(Value::as_i64);
        for name in ["iat", "nbf"] {
            if let (Some(begin), Some(end)) = (time(name), time("exp"))
                && sound
                && begin > end
            {
                j.fail(&[x], format!("{name} before exp"), format!("{name} {begin}, exp {end}"));
                sound = false;
            }
        }
        if seen && sound {
            j.pass();
        }
    }
    j
}

fn exp_is_the_end(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let leeway = t.subject.settings.millis("leeway").unwrap_or(LEEWAY) + 1000;
    for x in t.at(Endpoint::Resource).filter(|x| !is_soap(x)) {
        let Some(token) = presented(x) else { continue };
        let Some((q, _)) = told(t).rev().find(|(q, asked)| q.number < x.number && *asked == token) else {
            continue;
        };
        let exp = q.member("exp").and_then(Value::as_i64).filter(|exp| PLAUSIBLE.contains(exp));
        let (Some(exp), Some(handed)) = (exp, handed_out(t, token, q)) else { continue };
        let exp_ms = exp.saturating_mul(1000);
        let works = |from: usize| {
            let used =
                |y: &&Exchange| y.number >= from && presented(y) == Some(token) && let_in(y) == Some(true);
            t.before(x).filter(|y| y.endpoint == Endpoint::Resource).any(|y| used(&y))
        };
        let dead = x.status() == 401
            && x.response().is_some_and(|r| {
                !r.body.contains("not valid for use") && !r.body.contains("insufficient_scope")
            });
        if x.at > exp_ms + leeway {
            // Use slides the end of a session, and so does the call itself on nobody's server.
            match let_in(x) {
                Some(true) if !works(q.number) => {
                    j.fail(&[q, x], format!("401: the token was told to end at {exp}"), x.outcome());
                }
                Some(false) if opens_otherwise(t, x) => j.pass(),
                _ => {}
            }
        } else if x.at < exp_ms - leeway {
            // A token that never worked there died of something else.
            if let_in(x) == Some(true) {
                j.pass();
            } else if dead && works(handed.number) && undisturbed(t, handed, x, None) {
                j.fail(&[q, x], format!("to be let in: the token was told to end at {exp}"), x.outcome());
            }
        }
    }
    j
}

fn answers_are_not_cacheable(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, _) in questions(t).filter(|(x, _)| active(x).is_some()) {
        let told =
            x.response().map(|r| r.header_list("cache-control").to_ascii_lowercase()).unwrap_or_default();
        let directives: Vec<&str> = told.split(',').map(str::trim).collect();
        let long = |directive: &&str| {
            let age = directive.strip_prefix("max-age=").or_else(|| directive.strip_prefix("s-maxage="));
            *directive == "public" || age.is_some_and(|age| age.trim_matches('"') != "0")
        };
        let kept = directives.iter().any(long) && !directives.contains(&"no-store");
        j.holds(!kept, x, "no Cache-Control that lets the answer be kept");
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::verdict;

    use crate::verdict::Verdict;

    #[test]
    fn two_users_are_two_subjects() {
        let id = "introspection/answer-agrees-with-the-grant";
        let login = |user: &str, n: u8| {
            format!(
                "> GET authorize client_id=main\n! user {user}\n< 302\n< Location: https://client.example/callback?code=C{n}\n\
                 > POST token grant_type=authorization_code&code=C{n}&client_id=main&client_secret=s\n! user {user}\n\
                 < 200 {{\"access_token\":\"A{n}\",\"refresh_token\":\"R{n}\"}}\n"
            )
        };
        let refresh = "> POST token grant_type=refresh_token&refresh_token=R1&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"B1\"}\n";
        let ask = |token: &str, sub: &str| {
            format!(
                "> POST introspect token={token}&client_id=main&client_secret=s\n< 200 {{\"active\":true,\"sub\":\"{sub}\"}}\n"
            )
        };
        let both = format!("{}{}{refresh}", login("main", 1), login("second", 2));
        let judged = |asks: &[(&str, &str)]| {
            let asks: String = asks.iter().map(|(token, sub)| ask(token, sub)).collect();
            verdict(id, &format!("{both}{asks}"))
        };
        assert_eq!(judged(&[("A1", "one"), ("A2", "two"), ("B1", "one")]), Verdict::Pass);
        assert_eq!(judged(&[("A1", "one"), ("B1", "two")]), Verdict::Fail);
        assert_eq!(judged(&[("A1", "one"), ("A2", "one")]), Verdict::Fail);
        assert_eq!(judged(&[("A1", "one")]), Verdict::Skip);
    }

    #[test]
    fn a_token_that_ends_before_its_exp_fails_and_one_that_was_revoked_does_not() {
        let id = "introspection/exp-is-the-end";
        let begin =
            concat!(granted!(), call!("200 []"), ask!("{\"active\":true,\"exp\":{now+3600}}"), "+ 5m\n");
        assert_eq!(verdict(id, &format!("{begin}{}", call!("401"))), Verdict::Fail);
        let revoke = "> POST revoke token=A&client_id=main&client_secret=s\n< 200\n";
        assert_eq!(verdict(id, &format!("{begin}{revoke}{}", call!("401"))), Verdict::Skip);
    }

    #[test]
    fn a_session_that_was_used_after_the_answer_may_live_longer() {
        let id = "introspection/exp-is-the-end";
        let text = concat!(
            granted!(),
            ask!("{\"active\":true,\"exp\":{now+900}}"),
            "+ 14m\n",
            call!("200 []"),
            "+ 14m\n",
            call!("200 []")
        );
        assert_eq!(verdict(id, text), Verdict::Skip);
    }

    #[test]
    fn times_that_are_texts_or_out_of_order_are_wrong() {
        let id = "introspection/times-are-whole-seconds";
        let with = |members: &str| {
            let text = format!(
                "> POST introspect token=A&client_id=main&client_secret=s\n< 200 {{\"active\":true{members}}}\n"
            );
            verdict(id, &text)
        };
        assert_eq!(with(",\"exp\":\"1700000900\""), Verdict::Fail);
        assert_eq!(with(",\"exp\":1700000000,\"iat\":1700000900"), Verdict::Fail);
        assert_eq!(with(",\"exp\":null"), Verdict::Skip);
        assert_eq!(with(""), Verdict::Skip);
    }
}
