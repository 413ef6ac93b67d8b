//! How a request is read: which response type it asks for, and parameters that stand twice, are empty, are in another
//! order, or hold what nobody expects.

use super::{End, Journey, journeys};
use crate::catalog::Cite::Rfc;
use crate::catalog::{Check, Judgement, Party};
use crate::oauth::grant::authorization_code::GRANT_TYPE;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "authorize/missing-response-type-is-refused",
        title: "a request without a response_type is an error",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-22",
        cites: &[Rfc(6749, "3.1.1"), Rfc(6749, "4.1.2.1")],
        explain: "response_type says what the client expects and where. A server that fills in what is missing gives a \
            client something that it did not ask for, and hides its mistake until it meets another server. Answer with \
            invalid_request or unsupported_response_type, at the redirect URI if that is the client's.",
        passes: concat!(
            granted!(),
            "> GET authorize client_id=main&redirect_uri=https://client.example/callback&state=s2\n\
             < 302\n\
             < Location: https://client.example/callback?error=unsupported_response_type&state=s2"
        ),
        fails: "> GET authorize client_id=main&redirect_uri=https://client.example/callback&state=s2\n\
            < 302\n\
            < Location: https://client.example/callback?code=C2&state=s2",
        judge: missing_response_type_is_refused,
    },
    Check {
        id: "authorize/implicit-grant-is-refused",
        title: "response_type=token is not offered",
        binds: Party::Org,
        level: Level::Should,
        // RFC 9700 tells clients to leave the implicit grant alone; that servers should not offer it follows.
        basis: Basis::Derived,
        origin: "AZ-24",
        cites: &[Rfc(9700, "2.1.2")],
        explain: "The implicit grant puts an access token into the address of a page, where the browser's history, its \
            extensions and every script can read it, and nothing ties it to who asked. Clients should use the code grant \
            instead. Do not offer it to new clients. On Salesforce it is the user-agent flow: switch off Allow OAuth \
            User-Agent Flows in the OAuth and OpenID Connect settings of the org.",
        passes: concat!(
            granted!(),
            "> GET authorize response_type=token&client_id=main&redirect_uri=https://client.example/callback&state=s2\n\
             < 302\n\
             < Location: https://client.example/callback?error=unsupported_response_type&state=s2"
        ),
        fails: "> GET authorize response_type=token&client_id=main&redirect_uri=https://client.example/callback&state=s2\n\
            < 302\n\
            < Location: https://client.example/callback#access_token=A2&state=s2&token_type=Bearer",
        judge: implicit_grant_is_refused,
    },
    Check {
        id: "authorize/repeated-parameter-is-refused",
        title: "a request in which a parameter stands twice is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-26",
        cites: &[Rfc(6749, "3.1"), Rfc(6749, "4.1.2.1")],
        explain: "No parameter may be included more than once. Where one stands twice, the gateway, the validation and the \
            issuing of the code each may see another one: another client, another scope, another challenge. Refuse the \
            request with invalid_request before any of them is used. Extensions that allow repetition, such as resource, \
            say so themselves.",
        passes: concat!(
            granted!(),
            asks_for!("https://client.example/callback&client_id=other"),
            "< 400 error=invalid_request"
        ),
        fails: concat!(
            asks_for!("https://client.example/callback&response_type=code"),
            "< 302\n",
            "< Location: https://client.example/callback?code=C2&state=s2"
        ),
        judge: repeated_parameter_is_refused,
    },
    Check {
        id: "authorize/empty-parameter-counts-as-left-out",
        title: "a parameter without a value counts as left out",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-27",
        cites: &[Rfc(6749, "3.1")],
        explain: "Forms and libraries send the parameters that they know also where they have no value for them. A \
            parameter sent without a value is to be treated as if it were not there; a server that takes the empty text for \
            a value refuses requests that are right. Drop empty parameters when the request is read.",
        passes: concat!(
            asks_for!("https://client.example/callback&login_hint="),
            "< 302\n",
            "< Location: https://client.example/callback?code=C2&state=s2"
        ),
        fails: concat!(
            granted!(),
            asks_for!("https://client.example/callback&login_hint="),
            "< 302\n",
            "< Location: https://client.example/callback?error=invalid_request&state=s2"
        ),
        judge: empty_parameter_counts_as_left_out,
    },
    Check {
        id: "authorize/unknown-scope-is-not-granted-silently",
        title: "a scope that the app may not have is refused with invalid_scope, or left out and the granted scope told",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-28",
        cites: &[Rfc(6749, "3.3"), Rfc(6749, "4.1.2.1")],
        explain: "A server may refuse a scope or grant less than was asked for, but where it grants another scope it has to \
            say so in the token response: a client that is not told believes to have what it asked for, and fails far away \
            from the cause. A server that grants a scope which the app was never given has no scopes at all. Check the \
            request against the scopes of the app, and always return scope.",
        passes: concat!(
            granted!(),
            asks_for!("https://client.example/callback&scope=api+scope_of_nobody"),
            "< 302\n",
            "< Location: https://client.example/callback?error=invalid_scope&state=s2"
        ),
        fails: concat!(
            asks_for!("https://client.example/callback&scope=api+scope_of_nobody"),
            "< 302\n< Location: https://client.example/callback?code=C2&state=s2\n",
            "> POST token grant_type=authorization_code&code=C2&client_id=main&client_secret=s\
             &redirect_uri=https://client.example/callback\n\
             < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}"
        ),
        judge: unknown_scope_is_not_granted_silently,
    },
    Check {
        id: "authorize/order-makes-no-difference",
        title: "the order of parameters and of scope values makes no difference",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-29",
        cites: &[Rfc(6749, "3.3"), Rfc(6749, "3.1")],
        explain: "The parameters of a request are a set, and so are the values of scope. Clients keep them in maps without \
            an order of their own, so a server that depends on one refuses the same client now and then. Look parameters up \
            by name, and compare scopes as sets.",
        passes: concat!(
            granted!(),
            "> GET authorize state=s2&redirect_uri=https://client.example/callback&client_id=main&response_type=code\n\
             < 302\n\
             < Location: https://client.example/callback?code=C2&state=s2"
        ),
        fails: concat!(
            granted!(),
            "> GET authorize state=s2&redirect_uri=https://client.example/callback&client_id=main&response_type=code\n\
             < 400 error=invalid_request"
        ),
        judge: order_makes_no_difference,
    },
    Check {
        id: "authorize/control-characters-break-nothing",
        title: "a parameter with control characters does not end in a server error",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "AZ-47",
        cites: &[Rfc(6749, "4.1.2.1"), Rfc(6749, "A")],
        explain: "The endpoint is open to the whole internet, so a NUL or a line break will come. A server error there \
            tells that the text reached a database or a header before anybody looked at it, which is how injections begin. \
            Check parameters against the characters that RFC 6749 appendix A allows, and refuse others with \
            invalid_request.",
        passes: concat!(
            asks_for!("https://client.example/callback&login_hint=a%00b"),
            "< 400 error=invalid_request"
        ),
        fails: concat!(asks_for!("https://client.example/callback&login_hint=a%00b"), "< 500 oops"),
        judge: control_characters_break_nothing,
    },
];

/// Parameters that may stand twice: RFC 8707 and token exchange say so.
const REPEATABLE: &[&str] = &["resource", "audience"];

/// Every parameter of an authorization request, in order.
/// Whether the request as such could have come to a code: it asks for one, at a registered URI, and nobody forbade to
/// ask the user.
fn is_sound(journey: &Journey<'_>, t: &Transcript) -> bool {
    journey.registered_uri(t).is_some()
        && journey.one("response_type") == Some("code")
        && ["prompt", "immediate"].iter().all(|name| !matches!(journey.one(name), Some("none" | "true")))
}

fn missing_response_type_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "a refusal with invalid_request or unsupported_response_type";
    for journey in journeys(t) {
        let asked = journey.values("response_type").any(|value| !value.is_empty());
        if asked
            || journey.is_hidden()
            || !journey.refused(&mut j, t, journey.end == End::Code, &["response_type"], expected)
        {
            continue;
        }
        if journey.names("invalid_request") || journey.names("unsupported_response_type") {
            j.pass();
        } else {
            j.fail_lesser(&journey.evidence(), expected, journey.last.outcome());
        }
    }
    j
}

fn implicit_grant_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "a refusal: an access token has no place in a redirect";
    for journey in journeys(t).filter(|journey| journey.one("response_type") == Some("token")) {
        if journey.refused(&mut j, t, journey.end == End::Code, &["response_type"], expected) {
            j.pass();
        }
    }
    j
}

fn repeated_parameter_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for journey in journeys(t) {
        // Two redirect URIs are a matter of their own.
        let twice = journey.pairs().map(|(name, _)| name).find(|name| {
            *name != "redirect_uri" && !REPEATABLE.contains(name) && journey.values(name).nth(1).is_some()
        });
        let Some(name) = twice.filter(|_| journey.values("redirect_uri").nth(1).is_none()) else { continue };
        let expected = format!("a refusal with invalid_request: {name} stands twice");
        if !journey.refused(&mut j, t, journey.end == End::Code, &[name], &expected) {
            continue;
        }
        // With two clients, or two response types, nobody can say where an error belongs or which one it is.
        let told = matches!(&journey.end, End::Error(error) if error != "invalid_request");
        if told && !["client_id", "response_type"].contains(&name) {
            j.fail_lesser(&journey.evidence(), expected, journey.last.outcome());
        } else {
            j.pass();
        }
    }
    j
}

fn empty_parameter_counts_as_left_out(t: &Transcript) -> Judgement {
    // Those without which a request is refused are judged where they are missing.
    const NEEDED: &[&str] = &[
        "response_type",
        "client_id",
        "redirect_uri",
        "code_challenge",
        "code_challenge_method",
        "request",
        "request_uri",
    ];
    let mut j = Judgement::new();
    for journey in journeys(t).filter(|journey| is_sound(journey, t)) {
        let empty: Vec<&str> =
            journey.pairs().filter(|(_, value)| value.is_empty()).map(|(name, _)| name).collect();
        let repeated = empty.iter().any(|name| journey.values(name).nth(1).is_some());
        if empty.is_empty() || repeated || empty.iter().any(|name| NEEDED.contains(name)) {
            continue;
        }
        let expected = format!("a code, as without {}", empty.join(", "));
        // The same request without these parameters at all: nothing else shows how it would have ended.
        let control = journeys(t).any(|other| {
            other.end == End::Code
                && empty.iter().all(|name| other.values(name).next().is_none())
                && other.request.user == journey.request.user
                && other.shape(&empty) == journey.shape(&empty)
        });
        match journey.end {
            End::Code => j.pass(),
            End::Error(ref error) if error == "access_denied" => {}
            End::Error(_) | End::Empty | End::Shown if control => {
                j.fail(&journey.evidence(), expected, journey.last.outcome());
            }
            End::Silent => {}
            _ => j.unproved(&journey.evidence(), expected, journey.last.outcome()),
        }
    }
    j
}

fn unknown_scope_is_not_granted_silently(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for journey in journeys(t).filter(|journey| is_sound(journey, t)) {
        let (Some(scope), Some(app)) = (journey.one("scope"), journey.app(t)) else { continue };
        let known = |word: &str| ["openid", "refresh_token", "offline_access"].contains(&word);
        let foreign: Vec<&str> = scope
            .split(' ')
            .filter(|word| !word.is_empty() && !known(word) && !app.scopes.iter().any(|own| own == word))
            .collect();
        // Salesforce's full stands for others, and `scope` of an app may be a pattern.
        let clear =
            !app.scopes.is_empty() && !app.scopes.iter().any(|own| own == "full" || own.contains('*'));
        if foreign.is_empty() || !clear {
            continue;
        }
        let foreign_words = foreign.join(" ");
        let expected =
            format!("a refusal with invalid_scope, or a scope without {foreign_words} that is told");
        if journey.end == End::Code {
            let Some(redeemed) = redemption(t, &journey) else { continue };
            let granted: Option<Vec<&str>> = redeemed.text("scope").map(|scope| scope.split(' ').collect());
            let evidence = [journey.request, redeemed];
            match granted {
                None => j.fail(&evidence, expected, "a token was granted, and no scope was told"),
                Some(words) if foreign.iter().any(|word| words.contains(word)) => {
                    j.fail(&evidence, expected, format!("the granted scope is {}", words.join(" ")));
                }
                Some(_) => j.pass(),
            }
        } else if journey.refused(&mut j, t, false, &["scope"], &expected) {
            if journey.names("invalid_scope") {
                j.pass();
            } else {
                j.fail_lesser(&journey.evidence(), expected, journey.last.outcome());
            }
        }
    }
    j
}

/// The token response to the code of an authorization.
fn redemption<'t>(t: &'t Transcript, journey: &Journey<'t>) -> Option<&'t Exchange> {
    let code = journey.landing.as_ref()?.all("code").first().map(|code| (*code).to_owned())?;
    t.requests_of(GRANT_TYPE).find(|x| x.granted() && x.param("code") == Some(code.as_str()))
}

fn order_makes_no_difference(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let order = |journey: &Journey<'_>| -> Vec<String> {
        let name = |(name, value): (&str, &str)| match name {
            "scope" => format!("scope={value}"),
            name => name.to_owned(),
        };
        journey.pairs().map(name).collect()
    };
    let expected = "a code, as for the same request in another order";
    let once = |journey: &Journey<'_>| {
        let request = &journey.request.request;
        request.query().repeated().is_none() && request.form().repeated().is_none()
    };
    for journey in journeys(t).filter(|journey| is_sound(journey, t) && once(journey)) {
        let others = journeys(t).filter(|other| {
            other.request.number != journey.request.number
                && once(other)
                && other.request.user == journey.request.user
                && other.shape(&[]) == journey.shape(&[])
        });
        let (mut granted_otherwise, mut undecided) = (false, false);
        for other in others {
            let alike = order(&other) == order(&journey);
            granted_otherwise |= !alike && other.end == End::Code;
            undecided |= alike && other.end != journey.end;
        }
        if !granted_otherwise {
            continue;
        }
        match journey.end {
            End::Code => j.pass(),
            End::Error(ref error) if error == "access_denied" => {}
            End::Error(_) | End::Empty | End::Shown if !undecided => {
                j.fail(&journey.evidence(), expected, journey.last.outcome());
            }
            _ => {}
        }
    }
    j
}

fn control_characters_break_nothing(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for journey in journeys(t) {
        let garbled = journey.pairs().find(|(_, value)| value.chars().any(|c| c.is_ascii_control()));
        let Some((name, _)) = garbled else { continue };
        let x = journey.request;
        match x.status() {
            0 | 429 | 503 => {}
            500.. => {
                let expected = format!("anything but a server error: {name} holds control characters");
                j.fail(&[x], expected, x.outcome());
            }
            _ => j.pass(),
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::{Level, Verdict};

    #[test]
    fn resource_may_stand_twice_and_two_redirect_uris_are_judged_elsewhere() {
        let id = "authorize/repeated-parameter-is-refused";
        let fails = find(id).unwrap().fails;
        let resource = fails.replace("&response_type=code\n", "&resource=a&resource=b\n");
        comes_to(id, &resource, Verdict::Skip);
        let two = fails.replace("&response_type=code\n", "&redirect_uri=https://client.example/callback\n");
        comes_to(id, &two, Verdict::Skip);
        comes_to(id, &find(id).unwrap().passes.replace("other", "main"), Verdict::Pass);
    }

    #[test]
    fn an_empty_parameter_is_judged_beside_the_request_without_it() {
        let id = "authorize/empty-parameter-counts-as-left-out";
        let fails = find(id).unwrap().fails;
        comes_to(id, &fails[granted!().len()..], Verdict::Inconclusive);
        comes_to(id, &fails.replace("login_hint=", "code_challenge="), Verdict::Skip);
        let other = fails.replacen("&state=s1\n", "&state=s1&scope=api\n", 1);
        comes_to(id, &other, Verdict::Inconclusive);
    }

    #[test]
    fn a_scope_may_be_left_out_where_that_is_told() {
        let id = "authorize/unknown-scope-is-not-granted-silently";
        let fails = find(id).unwrap().fails;
        let with = |scope: &str| fails.replace("\"A\",", &format!("\"A\",\"scope\":\"{scope}\","));
        comes_to(id, &with("api"), Verdict::Pass);
        comes_to(id, &with("api scope_of_nobody"), Verdict::Fail);
        comes_to(id, &fails.replace("scope_of_nobody", "openid"), Verdict::Skip);
        let shown = find(id).unwrap().passes.replace("error=invalid_scope", "error=invalid_request");
        let judged = judge_one(find(id).unwrap(), &script::read(&shown));
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Should));
    }

    #[test]
    fn scope_values_in_another_order_are_the_same_request() {
        let id = "authorize/order-makes-no-difference";
        let ask = |scope: &str, answer: &str| {
            format!(
                "{}< 302\n< Location: https://client.example/callback?{answer}&state=s2\n",
                asks_for!("https://client.example/callback&scope=")
                    .replace("scope=", &format!("scope={scope}"))
            )
        };
        let granted = ask("api+openid", "code=C2");
        comes_to(id, &format!("{granted}{}", ask("openid+api", "error=invalid_scope")), Verdict::Fail);
        comes_to(id, &format!("{granted}{}", ask("openid+api", "code=C3")), Verdict::Pass);
        comes_to(id, &format!("{granted}{}", ask("openid", "error=invalid_scope")), Verdict::Skip);
    }

    #[test]
    fn a_garbled_parameter_may_be_refused_or_echoed() {
        let id = "authorize/control-characters-break-nothing";
        let passes = find(id).unwrap().passes;
        comes_to(
            id,
            &passes.replace("< 400 error=invalid_request", "< 302\n< Location: /login"),
            Verdict::Pass,
        );
        comes_to(id, &passes.replace("a%00b", "ab"), Verdict::Skip);
        comes_to(id, &passes.replace("< 400 error=invalid_request", "< nothing"), Verdict::Skip);
    }
}
