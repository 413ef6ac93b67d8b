//! How a client reads the refusal of a call.

use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "calling/bare-401-is-a-refusal",
        title: "a 401 with an empty body, or with HTML in it, is a refusal of the access token like any other",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLX-08",
        cites: &[Rfc(6750, "3"), Rfc(9110, "15.5.2")],
        explain: "The status says that the credentials were not taken; the body is for people. A gateway in front of the API answers 401 \
            with nothing or with a page, and a client that looks for INVALID_SESSION_ID in JSON first takes that for an error of \
            its own, goes on with the dead token, or dies of the page. Decide by the status, and use the body only to tell a 401 \
            that no renewal cures.",
        passes: concat!(grant!(), call!("401"), grant!(), call!("200")),
        fails: concat!(grant!(), call!("401 <html>Unauthorized</html>"), call!("/b" => "200")),
        judge: bare_401_is_a_refusal,
    },
    Check {
        id: "calling/challenges-are-read-whole",
        title: "a challenge is found among several, in any case and spacing",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLX-09",
        cites: &[Rfc(9110, "11.6.1"), Rfc(6750, "3")],
        explain: "WWW-Authenticate is a list of challenges: in one field with commas, or in several fields; schemes and parameter names \
            have no case, and around = there may be spaces. A client that compares the field with one text, or reads the first \
            challenge alone, misses invalid_token behind a Basic or a Negotiate that a gateway put before it. Take a parser, or \
            look for the scheme in the whole list; and where there is no challenge at all, let the status decide.",
        passes: concat!(
            grant!(),
            call!("401 {}\n< WWW-Authenticate: Basic realm=\"x\", bearer error = \"invalid_token\""),
            grant!()
        ),
        fails: concat!(
            grant!(),
            call!("401 {}\n< WWW-Authenticate: Basic realm=\"x\", Bearer error=\"invalid_token\""),
            call!("/b" => "200")
        ),
        judge: challenges_are_read_whole,
    },
    Check {
        id: "calling/missing-scope-starts-no-renewal",
        title: "insufficient_scope starts no renewal",
        binds: Party::Client,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "CLX-10",
        cites: &[Rfc(6750, "3.1")],
        explain: "403 with insufficient_scope says that the token is good and that the call needs more than it was granted. A new token \
            of the same grant has the same scope, so a renewal brings the same answer: at best one request too many, at worst a \
            loop. Report the scope that the challenge names; whoever set up the app, or the user in a new authorization, has to \
            grant it.",
        passes: concat!(
            grant!(),
            call!("403\n< WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"full\""),
            call!("/b" => "200")
        ),
        fails: concat!(
            grant!(),
            call!("403\n< WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"full\""),
            "> POST token grant_type=refresh_token&refresh_token=R1&client_id=main\n< 200 {\"access_token\":\"A2\"}\n"
        ),
        judge: missing_scope_starts_no_renewal,
    },
];

/// Every call that was refused with 401, with the list of challenges that came along.
fn refused(t: &Transcript) -> impl Iterator<Item = (&Exchange, String)> {
    calls(t)
        .filter(|x| x.status() == 401 && presented(x).is_some())
        .filter_map(|x| Some((x, x.response()?.header_list("www-authenticate"))))
}

fn bare_401_is_a_refusal(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, challenge) in refused(t) {
        let bare = x.response().is_some_and(|response| response.json().is_none());
        if bare && !challenge.contains("error") {
            renews(&mut j, t, x, "a renewal: the status says that the token was refused");
        }
    }
    j
}

fn challenges_are_read_whole(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, challenge) in refused(t) {
        let plain: String = challenge.chars().filter(|c| !c.is_whitespace()).collect();
        let says = plain.to_ascii_lowercase();
        let dead = says.contains("error=\"invalid_token\"") || says.contains("error=invalid_token");
        let quoted = |param: &str| {
            let (name, value) = param.trim().split_once('=').unwrap_or(("", ""));
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                && value.starts_with('"')
        };
        let usual = challenge.strip_prefix("Bearer ").is_some_and(|rest| rest.split(',').all(quoted));
        if dead && !usual {
            renews(&mut j, t, x, "a renewal: a challenge says invalid_token");
        }
    }
    j
}

fn missing_scope_starts_no_renewal(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in calls(t).filter(|x| x.status() == 403 && presented(x).is_some()) {
        let challenge = x.response().map(|response| response.header_list("www-authenticate"));
        if !challenge.is_some_and(|challenge| challenge.contains("insufficient_scope")) {
            continue;
        }
        // A login that asks for more, or for scopes by name, is another matter.
        let same = |y: &&Exchange| y.param("scope").is_none() && y.param("code").is_none();
        match prompted(t, x).filter(|y| y.endpoint == Endpoint::Token).filter(same) {
            Some(y) => j.fail(&[x, y], "no renewal: a new token has the same scope", "a token request"),
            None => j.pass(),
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::find;
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn a_record_that_ends_with_the_refusal_proves_nothing() {
        let id = "calling/bare-401-is-a-refusal";
        comes_to(id, concat!(grant!(), call!("401")), Verdict::Inconclusive);
        // Whether a client without a refresh token of its own can renew is not known.
        comes_to(id, concat!(call!("401"), call!("200")), Verdict::Inconclusive);
        comes_to(id, concat!(grant!(), call!("401 {\"error\":\"x\"}"), call!("200")), Verdict::Skip);
        // Whoever was refused with a new token as well may give up.
        let again = concat!(grant!(), call!("401"), call!("200")).replace("A1", "A2");
        let first = concat!(grant!(), call!("401 {\"error\":\"x\"}"));
        comes_to(id, &format!("{first}{again}"), Verdict::Inconclusive);
        let other = concat!(grant!(), call!("/b" => "401 {\"error\":\"x\"}"));
        comes_to(id, &format!("{other}{again}"), Verdict::Fail);
    }

    #[test]
    fn whoever_was_killed_may_not_have_read_the_refusal() {
        let id = "calling/bare-401-is-a-refusal";
        let of = |call: &str, step: u32| format!("{call}! action program\n! step {step}\n");
        let later = of(call!("/b" => "200"), 1);
        let record = format!("= killed\n{}{}{later}", grant!(), of(call!("401"), 0));
        comes_to(id, &format!("= store\n{record}"), Verdict::Inconclusive);
        // It went on after that answer, and could write it down.
        let lived_on = record.replace(&later, &format!("{}{later}", of(call!("/c" => "200"), 0)));
        comes_to(id, &format!("= store\n{lived_on}"), Verdict::Fail);
        // Unless that was on its way.
        comes_to(id, &format!("= store\n= concurrency 2\n{lived_on}"), Verdict::Inconclusive);
    }

    #[test]
    fn a_challenge_has_many_forms() {
        let id = "calling/challenges-are-read-whole";
        let fails = find(id).unwrap().fails;
        let plain = "Basic realm=\"x\", Bearer error=\"invalid_token\"";
        for odd in [
            "bearer error=\"invalid_token\"",
            "Bearer realm=\"x\",error = \"invalid_token\"",
            "Bearer error=invalid_token",
        ] {
            comes_to(id, &fails.replace(plain, odd), Verdict::Fail);
        }
        for usual in ["Bearer error=\"invalid_token\"", "Bearer realm=\"x\"", "Token"] {
            comes_to(id, &fails.replace(plain, usual), Verdict::Skip);
        }
    }

    #[test]
    fn a_renewal_for_another_reason_is_none_for_this_one() {
        let id = "calling/missing-scope-starts-no-renewal";
        let fails = find(id).unwrap().fails;
        comes_to(id, &fails.replace("=R1&", "=R1&scope=full&"), Verdict::Pass);
        let (first, refresh) = fails.split_at(fails.rfind("> POST").unwrap());
        comes_to(id, &format!("{first}{}{refresh}", call!("401")), Verdict::Pass);
        let anew = grant!().replace("A1", "A2");
        let other = call!("/b" => "200").replace("A1", "A2");
        comes_to(id, &format!("{first}{anew}{other}"), Verdict::Pass);
        comes_to(id, &format!("{first}{anew}{}", other.replace("/b", "/a")), Verdict::Fail);
    }
}
