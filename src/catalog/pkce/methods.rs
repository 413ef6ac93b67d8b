//! Challenges and how they were made: which methods the server knows, says, and takes for granted.

use serde_json::Value;

use super::{Redemption, redemptions};
use crate::catalog::Cite::Rfc;
use crate::catalog::authorize::{End, Journey, journeys};
use crate::catalog::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// An authorization request of an app, without its answer.
macro_rules! asks {
    ($app:literal, $challenge:expr) => {
        concat!(
            "> GET authorize response_type=code&client_id=",
            $app,
            "&redirect_uri=https://client.example/callback&state=s2",
            $challenge,
            "\n"
        )
    };
}

macro_rules! granted {
    () => {
        "< 302\n< Location: https://client.example/callback?code=C9&state=s2\n"
    };
}

macro_rules! shown {
    () => {
        "< 400 error=invalid_request&error_description=code%20challenge%20method%20is%20not%20supported\n"
    };
}

macro_rules! metadata {
    () => {
        "> GET metadata\n\
         < 200 {\"issuer\":\"https://org.example\",\"authorization_endpoint\":\"https://org.example/authorize\",\
         \"code_challenge_methods_supported\":[\"S256\"]}\n"
    };
}

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "pkce/required-challenge-is-demanded",
        title: "where PKCE is required, a confidential client gets no code without a challenge either",
        binds: Party::Org,
        level: Level::Should,
        // RFC 9700 recommends PKCE for confidential clients; that a server keeps to its own setting follows.
        basis: Basis::Derived,
        origin: "PK-06",
        cites: &[Rfc(9700, "2.1.1"), Rfc(7636, "4.4.1")],
        explain: "A secret does not protect against a code that is slipped to the client; the challenge does, and an admin \
            who requires it relies on that. Refuse with invalid_request, before the login. On Salesforce Require Proof Key \
            for Code Exchange is a setting of the app and one of the org; the refusal reads missing required code \
            challenge. The target says by pkce_required that it is on.",
        passes: concat!(
            "= setting pkce_required true\n",
            asks!("main", challenge!()),
            granted!(),
            asks!("main", ""),
            "< 400 error=invalid_request&error_description=missing%20required%20code%20challenge"
        ),
        fails: concat!("= setting pkce_required true\n", asks!("main", ""), granted!()),
        judge: required_challenge_is_demanded,
    },
    Check {
        id: "pkce/plain-is-refused-unless-advertised",
        title: "the method plain is taken only where the metadata lists it",
        binds: Party::Org,
        level: Level::Should,
        // RFC 7636 lets servers choose; that they say what they take follows from RFC 8414.
        basis: Basis::Derived,
        origin: "PK-07",
        cites: &[Rfc(9700, "2.1.1"), Rfc(7636, "4.2"), Rfc(7636, "7.2"), Rfc(8414, "2")],
        explain: "With plain the verifier itself travels through the browser, so whoever sees the request can redeem the \
            code. S256 is the only method that does not show it, and a server that takes plain without saying so keeps a \
            weaker door open for whoever asks. Refuse plain with invalid_request; where old clients need it, list it in \
            code_challenge_methods_supported.",
        passes: concat!(
            metadata!(),
            asks!("main", challenge!()),
            granted!(),
            asks!(
                "main",
                "&code_challenge=plain-plain-plain-plain-plain-plain-plain-00&code_challenge_method=plain"
            ),
            shown!()
        ),
        fails: concat!(
            metadata!(),
            asks!(
                "main",
                "&code_challenge=plain-plain-plain-plain-plain-plain-plain-00&code_challenge_method=plain"
            ),
            granted!()
        ),
        judge: plain_is_refused_unless_advertised,
    },
    Check {
        id: "pkce/unknown-method-is-refused",
        title: "a challenge method that nobody knows is refused with invalid_request",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "PK-09",
        cites: &[Rfc(7636, "4.4.1")],
        explain: "A server that does not know how a challenge was made cannot compare it with a verifier. If it takes it \
            all the same, it either compares nothing or refuses the redemption, long after the user approved. Refuse the \
            authorization request with invalid_request.",
        passes: concat!(
            asks!("main", challenge!()),
            granted!(),
            asks!(
                "main",
                "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S1024"
            ),
            shown!()
        ),
        fails: concat!(
            asks!(
                "main",
                "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S1024"
            ),
            granted!()
        ),
        judge: unknown_method_is_refused,
    },
    Check {
        id: "pkce/empty-challenge-counts-as-missing",
        title: "an empty code_challenge is no challenge where one is required",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "PK-16",
        cites: &[Rfc(6749, "3.1"), Rfc(7636, "4.3"), Rfc(7636, "4.4.1")],
        explain: "A parameter sent without a value counts as left out. A server that asks only whether code_challenge \
            stands in the request is satisfied by an empty one, and then has nothing that a verifier could be compared \
            with: PKCE is switched off by whoever writes the link. Drop empty parameters before asking what is missing.",
        passes: concat!(
            "> GET authorize response_type=code&client_id=public&redirect_uri=https://public.example/callback",
            challenge!(),
            "\n< 302\n< Location: https://public.example/callback?code=C1\n",
            "> GET authorize response_type=code&client_id=public&redirect_uri=https://public.example/callback\
             &code_challenge=&code_challenge_method=S256\n\
             < 400 error=invalid_request&error_description=missing%20required%20code%20challenge"
        ),
        fails: "> GET authorize response_type=code&client_id=public&redirect_uri=https://public.example/callback\
            &code_challenge=&code_challenge_method=S256\n\
            < 302\n\
            < Location: https://public.example/callback?code=C2",
        judge: empty_challenge_counts_as_missing,
    },
    Check {
        id: "pkce/support-is-published",
        title: "the metadata lists S256 among the challenge methods",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "PK-17",
        cites: &[Rfc(9700, "2.1.1"), Rfc(8414, "2")],
        explain: "A client can rely on PKCE only where it knows that the server keeps to it; servers must offer a way to \
            find out, and the recommended one is code_challenge_methods_supported. RFC 8414 has it that a server which \
            leaves it out does not support PKCE, and careful clients then stop. List S256 in the document.",
        passes: metadata!(),
        fails: "> GET metadata\n\
            < 200 {\"issuer\":\"https://org.example\",\"authorization_endpoint\":\"https://org.example/authorize\"}",
        judge: support_is_published,
    },
    Check {
        id: "pkce/method-is-not-assumed-to-be-s256",
        title: "a challenge without a method is plain or refused, and never taken for S256",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "PK-19",
        cites: &[Rfc(7636, "4.3"), Rfc(7636, "4.6")],
        explain: "Where code_challenge_method is left out, the method is plain. A server that takes S256 instead works with \
            clients that forgot the parameter, which then fail at every other server, and it refuses those that mean plain. \
            Treat the challenge as plain, or refuse the request where plain is not offered. Salesforce is known to take \
            S256, and its own SDKs leave the parameter out; send code_challenge_method=S256 all the same.",
        passes: concat!(
            asks!("main", challenge!()),
            granted!(),
            asks!("main", "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            shown!()
        ),
        fails: concat!(
            exchange!("C2", "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", verifier!()),
            taken!()
        ),
        judge: method_is_not_assumed_to_be_s256,
    },
];

/// Judges requests that must be refused with invalid_request.
fn must_be_refused<'t>(
    t: &'t Transcript,
    expected: &str,
    aside: &[&str],
    flawed: impl Fn(&Journey<'t>) -> bool,
) -> Judgement {
    let mut j = Judgement::new();
    for journey in journeys(t) {
        if journey.one("response_type") != Some("code")
            || journey.is_hidden()
            || !flawed(&journey)
            || !journey.refused(&mut j, t, journey.end == End::Code, aside, expected)
        {
            continue;
        }
        if journey.names("invalid_request") {
            j.pass();
        } else {
            j.fail_lesser(&journey.evidence(), expected, journey.last.outcome());
        }
    }
    j
}

fn required_challenge_is_demanded(t: &Transcript) -> Judgement {
    let expected = "a refusal with invalid_request: PKCE is required, and no code_challenge came";
    must_be_refused(t, expected, &["code_challenge", "code_challenge_method"], |journey| {
        let required = t.subject.settings_of(journey.one("client_id")).is("pkce_required");
        let confidential = journey.app(t).is_some_and(|app| !app.public);
        required && confidential && journey.values("code_challenge").next().is_none()
    })
}

fn empty_challenge_counts_as_missing(t: &Transcript) -> Judgement {
    let expected = "a refusal with invalid_request: the code_challenge is empty";
    must_be_refused(t, expected, &["code_challenge", "code_challenge_method"], |journey| {
        let public = journey.app(t).is_some_and(|app| app.public);
        let required = t.subject.settings_of(journey.one("client_id")).flag("pkce_required");
        let needed = required.unwrap_or(public);
        let mut values = journey.values("code_challenge").peekable();
        needed && values.peek().is_some() && values.all(str::is_empty)
    })
}

fn unknown_method_is_refused(t: &Transcript) -> Judgement {
    let expected = "a refusal with invalid_request: nobody knows the code_challenge_method";
    must_be_refused(t, expected, &["code_challenge_method"], |journey| {
        let unknown = journey.one("code_challenge_method").is_some_and(|m| !["S256", "plain"].contains(&m));
        unknown && journey.one("code_challenge").is_some()
    })
}

/// Metadata documents of a server with an authorization endpoint, and the challenge methods that each lists.
fn published(t: &Transcript) -> impl Iterator<Item = (&Exchange, Vec<&str>)> {
    let plain = |x: &&Exchange| x.request.method == "GET" && x.tweak.is_none() && x.status() == 200;
    t.at(Endpoint::Discovery).filter(plain).filter_map(|x| {
        x.text("authorization_endpoint")?;
        let methods = x.member("code_challenge_methods_supported").and_then(Value::as_array);
        Some((x, methods.into_iter().flatten().filter_map(Value::as_str).collect()))
    })
}

fn plain_is_refused_unless_advertised(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    if published(t).next().is_none() {
        return j;
    }
    let advertised = published(t).any(|(_, methods)| methods.contains(&"plain"));
    let expected = "a refusal: the metadata does not list plain among the challenge methods";
    for journey in journeys(t) {
        let plain = journey.one("code_challenge_method") == Some("plain");
        if !plain || journey.one("code_challenge").is_none() || journey.is_hidden() {
            continue;
        }
        if advertised {
            // What is offered may be taken; whether it should be offered, the server decides.
            if journey.end == End::Code {
                j.pass();
            }
        } else if journey.refused(&mut j, t, journey.end == End::Code, &["code_challenge_method"], expected) {
            j.pass();
        }
    }
    j
}

fn support_is_published(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    // Of two documents one is enough: OpenID Connect Discovery does not know the member.
    if published(t).any(|(_, methods)| methods.contains(&"S256")) {
        j.pass();
        return j;
    }
    for (x, methods) in published(t) {
        let observed = match methods[..] {
            [] => "no such list".to_owned(),
            ref methods => format!("the list has {}", methods.join(", ")),
        };
        j.fail(&[x], "code_challenge_methods_supported with S256", observed);
    }
    j
}

fn method_is_not_assumed_to_be_s256(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let bare = |journey: &Journey<'_>| {
        journey.one("code_challenge").is_some() && journey.values("code_challenge_method").all(str::is_empty)
    };
    let expected = "the challenge taken as it stands, or a refusal: there is no code_challenge_method";
    for journey in journeys(t).filter(|journey| bare(journey) && !journey.is_hidden()) {
        // A code says nothing yet: what it is compared with shows at the redemption.
        if journey.end != End::Code && journey.refused(&mut j, t, false, &["code_challenge_method"], expected)
        {
            j.pass();
        }
    }
    for r in redemptions(t).filter(|r| r.challenge.is_some() && r.method().is_none()) {
        let as_it_stands = r.verifier.is_some() && r.verifier == r.challenge;
        let hashed = r.x.facts.verifier_s256.as_deref() == r.challenge;
        if as_it_stands && r.x.granted() {
            j.pass();
        } else if hashed && r.x.granted() {
            j.fail_grave(&[r.authorize, r.x], expected, "the verifier was compared as by S256");
        } else if hashed && r.is_sound(t) {
            refused(&mut j, t, &r, expected);
        }
    }
    j
}

/// A refusal of a verifier that S256 would have taken.
fn refused(j: &mut Judgement, t: &Transcript, r: &Redemption<'_>, expected: &str) {
    if r.x.error().is_none() {
        return;
    }
    if r.has_control(t) {
        j.pass();
    } else {
        j.unproved(&[r.x], expected, "it was refused, but no right redemption was seen");
    }
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::{Level, Verdict};

    #[test]
    fn a_challenge_is_demanded_only_where_the_server_is_said_to_demand_it() {
        let id = "pkce/required-challenge-is-demanded";
        let fails = find(id).unwrap().fails;
        comes_to(id, &fails.replace("required true", "required false"), Verdict::Skip);
        comes_to(id, &fails.replace("= setting pkce_required true\n", ""), Verdict::Skip);
        comes_to(id, &fails.replace("=main&", "=public&"), Verdict::Skip);
    }

    #[test]
    fn plain_may_be_taken_where_it_is_listed_and_is_not_judged_without_metadata() {
        let id = "pkce/plain-is-refused-unless-advertised";
        let fails = find(id).unwrap().fails;
        comes_to(id, &fails.replace("[\"S256\"]", "[\"plain\",\"S256\"]"), Verdict::Pass);
        comes_to(id, &fails[metadata!().len()..], Verdict::Skip);
    }

    #[test]
    fn an_empty_challenge_of_a_client_that_needs_none_is_nothing() {
        let id = "pkce/empty-challenge-counts-as-missing";
        let fails = find(id).unwrap().fails;
        comes_to(id, &fails.replace("=public&", "=main&"), Verdict::Skip);
        comes_to("pkce/public-client-needs-a-challenge", fails, Verdict::Skip);
        comes_to(id, &format!("= setting pkce_required false\n{fails}"), Verdict::Skip);
    }

    #[test]
    fn one_document_with_the_methods_is_enough() {
        let id = "pkce/support-is-published";
        let check = find(id).unwrap();
        let other = check.fails.replace("metadata", "discovery");
        comes_to(id, &format!("{other}\n{}", check.passes), Verdict::Pass);
        comes_to(id, &check.passes.replace("S256", "plain"), Verdict::Fail);
        comes_to(id, "> GET metadata\n< 200 {\"issuer\":\"https://org.example\"}\n", Verdict::Skip);
        comes_to(id, "> GET metadata\n< 404\n", Verdict::Skip);
    }

    #[test]
    fn a_challenge_without_a_method_may_be_plain() {
        let id = "pkce/method-is-not-assumed-to-be-s256";
        let fails = find(id).unwrap().fails;
        let plain = fails.replace(
            "verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            "verifier=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        );
        comes_to(id, &plain, Verdict::Pass);
        let refused = fails.replace(taken!(), refused!());
        comes_to(id, &refused, Verdict::Inconclusive);
        comes_to(id, &format!("{}{refused}", redeemed!()), Verdict::Pass);
        let judged = judge_one(find(id).unwrap(), &script::read(fails));
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Must));
    }
}
