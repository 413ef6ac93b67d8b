//! Answers that are no login, although they look like one.

use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "answer/unknown-token-type-is-not-used",
        title: "a token of a type that the client does not know is not sent as Bearer",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLT-09",
        cites: &[Rfc(6749, "7.1")],
        explain: "A client must not use an access token whose type it does not understand. A token of type DPoP or mac is bound to a key, \
            and is meant to be worth nothing to whoever overhears it; sent as Bearer it is at best refused, and at worst turned into \
            a plain password. Compare token_type, and give up with an error that names it. The check looks for calls that present \
            such a token under Bearer.",
        passes: concat!(grant!("A1", "\"token_type\":\"mac\""), grant!("A2"), call!("A2")),
        fails: concat!(grant!("A1", "\"token_type\":\"DPoP\""), call!()),
        judge: unknown_token_type_is_not_used,
    },
    Check {
        id: "answer/no-access-token-is-no-login",
        title: "a token response without an access token is an error, and nothing is sent in its place",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLT-10",
        cites: &[Rfc(6749, "5.1")],
        explain: "access_token is required, and is a text. Where it is missing, empty, null or a number, there was no login, whatever the \
            status says. A client that goes on sends \"Bearer undefined\" or \"Bearer null\", which servers log and answer with a 401 \
            that starts a renewal that brings the same; one that stores it has lost the token that it had. Check the member before \
            anything is stored.",
        passes: concat!(grant!(raw "200 {\"access_token\":null}"), grant!(), call!()),
        fails: concat!(grant!(raw "200 {\"access_token\":null}"), call!("null")),
        judge: no_access_token_is_no_login,
    },
    Check {
        id: "answer/error-in-a-200-is-an-error",
        title: "an error, or a page, in an answer with status 200 is no login",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLT-18",
        cites: &[Rfc(6749, "5.1"), Rfc(6749, "5.2")],
        explain: "Some servers and many gateways answer 200 to everything: with an error member in the JSON, or with a login page or a \
            notice of maintenance. A client that looks at the status alone takes that for a login; one that looks for access_token \
            alone uses a token that came beside an error, which no server means to be used. Both have to be right: a JSON object, an \
            access token in it, and no error.",
        passes: concat!(grant!(raw "200 {\"error\":\"invalid_grant\"}"), grant!(), call!()),
        fails: concat!(grant!("A1", "\"error\":\"invalid_grant\""), call!()),
        judge: error_in_a_200_is_an_error,
    },
];

/// What clients send that have no access token.
const NOTHING: [&str; 9] =
    ["", "null", "undefined", "None", "nil", "(null)", "false", "NaN", "[object Object]"];

fn unknown_token_type_is_not_used(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.grants() {
        let Some(kind) = x.text("token_type").filter(|kind| !kind.eq_ignore_ascii_case("bearer")) else {
            continue;
        };
        match uses(t, x).next() {
            Some(y) => j.fail(&[x, y], "no use of it", format!("a token of type {kind}, as Bearer")),
            None => j.pass(),
        }
    }
    j
}

/// The call after that answer whose Authorization holds what is no token.
fn empty_handed<'t>(t: &'t Transcript, x: &'t Exchange) -> Option<&'t Exchange> {
    let number = x.member("access_token").filter(|value| !value.is_null()).map(ToString::to_string);
    calls(t).filter(|y| y.began_after(x)).find(|y| {
        let Some(header) = y.request.header("authorization") else { return false };
        let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
        let empty = NOTHING.contains(&token.trim()) || number.as_deref() == Some(token.trim());
        scheme.eq_ignore_ascii_case("bearer") && empty
    })
}

fn no_access_token_is_no_login(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Token).filter(|x| x.status() == 200) {
        let object = x.response().and_then(|response| response.json()).is_some_and(|json| json.is_object());
        let error = x.member("error").is_some();
        if !object || error || x.text("access_token").is_some_and(|token| !token.is_empty()) {
            continue;
        }
        match empty_handed(t, x) {
            Some(y) => {
                j.fail(&[x, y], "no call: there was no access token", "a call with nothing for a token")
            }
            None => j.pass(),
        }
    }
    j
}

fn error_in_a_200_is_an_error(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Token).filter(|x| x.status() == 200) {
        let json = x.response().and_then(|response| response.json());
        let object = json.is_some_and(|json| json.is_object());
        if object && x.member("error").is_none() {
            continue;
        }
        match uses(t, x).next().or_else(|| empty_handed(t, x)) {
            Some(y) => j.fail(&[x, y], "no call: the answer was an error", "a call as if it were a login"),
            None => j.pass(),
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn nothing_has_many_names() {
        let id = "answer/no-access-token-is-no-login";
        for (answer, sent) in
            [("{}", "undefined"), ("{\"access_token\":\"\"}", ""), ("{\"access_token\":7}", "7")]
        {
            let refused = format!("< 200 {answer}\n> GET api /a\n> Authorization: Bearer {sent}\n< 401\n");
            let text = format!("> POST token grant_type=client_credentials&client_id=main\n{refused}");
            comes_to(id, &text, Verdict::Fail);
        }
        comes_to(id, concat!(grant!(), call!()), Verdict::Skip);
    }

    #[test]
    fn a_page_is_no_login() {
        let id = "answer/error-in-a-200-is-an-error";
        comes_to(id, concat!(grant!(raw "200 <html>"), call!("undefined")), Verdict::Fail);
        comes_to(id, grant!(raw "200 <html>"), Verdict::Pass);
        comes_to(id, concat!(grant!(), call!()), Verdict::Skip);
    }

    #[test]
    fn a_type_that_is_not_told_is_not_judged() {
        let id = "answer/unknown-token-type-is-not-used";
        comes_to(id, concat!(grant!("A1", "\"x\":1"), call!()), Verdict::Skip);
        comes_to(id, concat!(grant!("A1", "\"token_type\":\"BEARER\""), call!()), Verdict::Skip);
    }
}
