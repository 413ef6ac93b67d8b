//! What stands in the answer that goes to the client: errors that it can read, its state, the issuer, a code that
//! nobody guesses.

use super::{End, Journey, journeys};
use crate::catalog::Cite::{OpenIdCore, Rfc, Salesforce};
use crate::catalog::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// A metadata document that promises `iss`, as examples begin with it.
macro_rules! promised {
    () => {
        "> GET metadata\n\
         < 200 {\"issuer\":\"https://org.example\",\"authorization_response_iss_parameter_supported\":true}\n"
    };
}

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "authorize/error-is-well-formed",
        title: "an error at the redirect URI has a registered code, and only characters that are allowed in it",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-31",
        cites: &[Rfc(6749, "4.1.2.1"), Rfc(6749, "A.7"), Rfc(6749, "A.8"), OpenIdCore("3.1.2.6")],
        explain: "A client decides by error what to do next, and shows or logs error_description. A code that no document \
            defines is unknown to every library; line breaks and quotation marks have broken logs and pages. Use the codes \
            of RFC 6749 and of registered extensions, and printable ASCII without quotation mark and backslash. Salesforce \
            has codes of its own, among them immediate_unsuccessful.",
        passes: concat!(
            asks_for!("https://client.example/callback"),
            "< 302\n",
            "< Location: https://client.example/callback?error=invalid_scope&error_description=no+such+scope&state=s2"
        ),
        fails: concat!(
            asks_for!("https://client.example/callback"),
            "< 302\n",
            "< Location: https://client.example/callback?error=something_odd&state=s2"
        ),
        judge: error_is_well_formed,
    },
    Check {
        id: "authorize/error-carries-the-state",
        title: "an error at the redirect URI carries the state",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-32",
        cites: &[Rfc(6749, "4.1.2.1")],
        explain: "A client takes an answer without its state for a forged one and drops it, so the user is told of an \
            attack in place of the error. Where the request had a state, every answer at the redirect URI has the same one, \
            refusals as well as codes. Add it at the one place that builds the redirect.",
        passes: concat!(
            asks_for!("https://client.example/callback"),
            "< 302\n",
            "< Location: https://client.example/callback?error=invalid_scope&state=s2"
        ),
        fails: concat!(
            asks_for!("https://client.example/callback"),
            "< 302\n",
            "< Location: https://client.example/callback?error=invalid_scope"
        ),
        judge: error_carries_the_state,
    },
    Check {
        id: "authorize/issuer-is-told-with-the-code",
        title: "where the metadata says so, iss comes with the code and is the issuer of the metadata",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-35",
        cites: &[Rfc(9207, "2"), Rfc(9207, "2.3"), Rfc(9207, "3")],
        explain: "A client of several servers tells by iss which of them an answer came from; otherwise a hostile one can \
            have a code delivered to itself that another issued. A client that reads in the metadata that iss is supported \
            refuses answers without it, and answers in which it differs by a single character. Write the issuer from the \
            same configuration into both.",
        passes: concat!(
            promised!(),
            asks_for!("https://client.example/callback"),
            "< 302\n",
            "< Location: https://client.example/callback?code=C2&state=s2&iss=https%3A%2F%2Forg.example"
        ),
        fails: concat!(
            promised!(),
            asks_for!("https://client.example/callback"),
            "< 302\n",
            "< Location: https://client.example/callback?code=C2&state=s2"
        ),
        judge: issuer_is_told_with_the_code,
    },
    Check {
        id: "authorize/issuer-is-told-with-errors",
        title: "where the metadata says so, iss comes with errors as well",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-36",
        cites: &[Rfc(9207, "2")],
        explain: "The parameter iss belongs to every answer that goes to the client, errors included: a client that knows \
            of it from the metadata refuses an error without it, and the user learns nothing of what went wrong. Add it \
            where the redirect is built, not where the code is issued.",
        passes: concat!(
            promised!(),
            asks_for!("https://client.example/callback"),
            "< 302\n",
            "< Location: https://client.example/callback?error=invalid_scope&state=s2&iss=https%3A%2F%2Forg.example"
        ),
        fails: concat!(
            promised!(),
            asks_for!("https://client.example/callback"),
            "< 302\n",
            "< Location: https://client.example/callback?error=invalid_scope&state=s2"
        ),
        judge: issuer_is_told_with_errors,
    },
    Check {
        id: "authorize/code-cannot-be-guessed",
        title: "a code has room for 128 random bits, and none comes twice",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-44",
        cites: &[Rfc(6749, "10.10"), Rfc(6749, "10.5"), Salesforce("OAuth 2.0 Web Server Flow")],
        explain: "Whoever guesses a code has what the user granted, so the chance to hit one must not be above one in two \
            to the 128th: some 22 random letters and digits, or 32 hexadecimal digits. A shorter code cannot hold that \
            much, whatever it was made of; nor can one that is another but for some letters. What is long and all new may \
            still be predictable, which nobody sees from outside. Take codes from a generator for secrets, never from a \
            counter or the clock.",
        passes: concat!(
            asks_for!("https://client.example/callback"),
            "< 302\n",
            "< Location: https://client.example/callback?code=aPrxQ7dF2mVzX9kLbT4wYc8N&state=s2"
        ),
        fails: concat!(
            asks_for!("https://client.example/callback"),
            "< 302\n",
            "< Location: https://client.example/callback?code=aPrxQ7dF2m&state=s2"
        ),
        judge: code_cannot_be_guessed,
    },
];

/// Codes of RFC 6749, OpenID Connect Core, RFC 8707, RFC 9396 and OpenID Connect Unmet Authentication Requirements.
const REGISTERED: &[&str] = &[
    "invalid_request",
    "unauthorized_client",
    "access_denied",
    "unsupported_response_type",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
    "interaction_required",
    "login_required",
    "account_selection_required",
    "consent_required",
    "invalid_request_uri",
    "invalid_request_object",
    "request_not_supported",
    "request_uri_not_supported",
    "registration_not_supported",
    "invalid_target",
    "invalid_authorization_details",
    "unmet_authentication_requirements",
];

/// RFC 6749 §4.1.2.1: printable ASCII without quotation mark and backslash.
fn is_legal(text: &str) -> bool {
    text.bytes().all(|b| (0x20..=0x7e).contains(&b) && b != b'"' && b != b'\\')
}

fn error_is_well_formed(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for journey in journeys(t) {
        let (End::Error(error), Some(landing)) = (&journey.end, &journey.landing) else { continue };
        let illegal = ["error", "error_description", "error_uri"]
            .into_iter()
            .find(|name| landing.all(name).iter().any(|value| !is_legal(value)));
        if let Some(name) = illegal {
            let expected = format!("{name} in printable ASCII, without quotation mark and backslash");
            j.fail_grave(&journey.evidence(), expected, journey.last.outcome());
        } else if landing.all("error").len() > 1 {
            j.fail_grave(&journey.evidence(), "one error", journey.last.outcome());
        } else if REGISTERED.contains(&error.as_str()) {
            j.pass();
        } else {
            j.fail(&journey.evidence(), "a registered error code", journey.last.outcome());
        }
    }
    j
}

fn error_carries_the_state(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for journey in journeys(t).filter(|journey| matches!(journey.end, End::Error(_))) {
        let Some(state) = journey.one("state") else { continue };
        match journey.state_lost() {
            Some(observed) => j.fail(&journey.evidence(), format!("state={state}"), observed),
            None => j.pass(),
        }
    }
    j
}

/// The metadata that says that `iss` is supported, and the issuer that it names.
fn promise(t: &Transcript) -> Option<(&Exchange, &str)> {
    let says = |x: &&Exchange| {
        let promised = x.member("authorization_response_iss_parameter_supported");
        x.status() == 200 && promised.and_then(serde_json::Value::as_bool) == Some(true)
    };
    t.at(Endpoint::Discovery).filter(says).find_map(|x| Some((x, x.text("issuer")?)))
}

fn issuer_is_told_with_the_code(t: &Transcript) -> Judgement {
    issuer_is_told(t, |journey| journey.end == End::Code)
}

fn issuer_is_told_with_errors(t: &Transcript) -> Judgement {
    issuer_is_told(t, |journey| matches!(journey.end, End::Error(_)))
}

fn issuer_is_told(t: &Transcript, wanted: impl Fn(&Journey<'_>) -> bool) -> Judgement {
    let mut j = Judgement::new();
    let Some((metadata, issuer)) = promise(t) else { return j };
    for journey in journeys(t).filter(wanted) {
        let Some(landing) = &journey.landing else { continue };
        let expected = format!("iss={issuer}, as the metadata promises");
        match landing.all("iss")[..] {
            [told] if told == issuer => j.pass(),
            [] => j.fail(&[metadata, journey.last], expected, "no iss"),
            ref told => j.fail(&[metadata, journey.last], expected, format!("iss={}", told.join(" and "))),
        }
    }
    j
}

fn code_cannot_be_guessed(t: &Transcript) -> Judgement {
    const LEAST: u32 = 128;
    let mut j = Judgement::new();
    let mut seen: Vec<(String, &Exchange)> = Vec::new();
    for x in &t.exchanges {
        if !matches!(x.endpoint, Endpoint::Authorize | Endpoint::Page) {
            continue;
        }
        let (Some(code), Some(bits)) = (x.code_issued(), x.facts.code_bits) else { continue };
        if let Some((_, earlier)) = seen.iter().find(|(known, _)| *known == code) {
            j.fail(&[earlier, x], "a code that was not handed out before", "the code of an earlier answer");
        } else if bits < LEAST {
            let observed = format!("a code with room for {bits} bits");
            j.fail(&[x], format!("a code with room for {LEAST} random bits"), observed);
        } else if !j.hardly_new(&[x], "a code", x.facts.code_apart) {
            j.pass();
        }
        seen.push((code, x));
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::Verdict;

    #[test]
    fn illegal_characters_are_no_deviation() {
        let id = "authorize/error-is-well-formed";
        let bad = find(id).unwrap().passes.replace("no+such+scope", "no%0Asuch%22scope");
        let judged = judge_one(find(id).unwrap(), &script::read(&bad));
        assert!(judged.verdict == Verdict::Fail && judged.findings[0].grave);
        comes_to(
            id,
            &find(id).unwrap().fails.replace("https://client.example/callback?", "/error?"),
            Verdict::Skip,
        );
    }

    #[test]
    fn an_issuer_is_compared_character_by_character() {
        let id = "authorize/issuer-is-told-with-the-code";
        let passes = find(id).unwrap().passes;
        comes_to(
            id,
            &passes.replace("iss=https%3A%2F%2Forg.example", "iss=https%3A%2F%2Forg.example%2F"),
            Verdict::Fail,
        );
        comes_to(
            id,
            &find(id).unwrap().fails.replace("supported\":true", "supported\":false"),
            Verdict::Skip,
        );
    }

    #[test]
    fn room_is_counted_by_what_a_code_could_be_made_of() {
        let id = "authorize/code-cannot-be-guessed";
        let with = |code: &str| find(id).unwrap().passes.replace("aPrxQ7dF2mVzX9kLbT4wYc8N", code);
        comes_to(id, &with("0123456789012345678901234567890123456"), Verdict::Fail);
        comes_to(id, &with("0123456789abcdef0123456789abcde"), Verdict::Fail);
        comes_to(id, &with("01234567-89ab-cdef-0123-456789abcdef"), Verdict::Pass);
        comes_to(id, &with("abcdefghijklmnopqrstuv"), Verdict::Pass);
        comes_to(id, &format!("{}\n! code_apart 47\n", with("abcdefghijklmnopqrstuv")), Verdict::Fail);
        comes_to(id, &format!("{}\n! code_apart 48\n", with("abcdefghijklmnopqrstuv")), Verdict::Pass);
        comes_to(
            id,
            &format!("{}\n{}", with("abcdefghijklmnopqrstuv"), with("abcdefghijklmnopqrstuv")),
            Verdict::Fail,
        );
    }
}
