//! Client authentication by a signed assertion (RFC 7523 §2.2, OpenID Connect Core §9).

use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "authenticating/assertion-names-its-client",
        title: "a client assertion has the client as issuer and subject, an audience, an end and an id",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLC-05",
        cites: &[Rfc(7523, "3"), OpenIdCore("9")],
        explain: "A client assertion is a signed JWT that says: I am this client, to this server, until then. iss and sub are the \
            client_id, aud names the server, exp is a number of seconds, and jti makes it one of its kind. Without exp it is a \
            secret that never ends, without aud one that every server may replay at another. An assertion built for the JWT bearer \
            grant has the user as sub and is none. RFC 7523 leaves jti to the server, OpenID Connect demands it: where it alone is \
            missing, that weighs less.",
        passes: asserts!(
            "J",
            "{\"alg\":\"RS256\",\"claims\":{\"iss\":\"assertion\",\"sub\":\"assertion\",\"aud\":\"https://org.example\",\"exp\":{now+60},\"jti\":\"1\"}}"
        ),
        fails: asserts!(
            "J",
            "{\"alg\":\"RS256\",\"claims\":{\"iss\":\"assertion\",\"sub\":\"svc@example.com\",\"aud\":\"https://org.example\",\"exp\":{now+60},\"jti\":\"1\"}}"
        ),
        judge: assertion_names_its_client,
    },
    Check {
        id: "authenticating/assertion-is-for-this-server",
        title: "the audience of a client assertion is the server that it is sent to, and no other",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLC-06",
        cites: &[Rfc(7523, "3")],
        explain: "aud keeps a server from using what it was sent at another server. It is the issuer or the token endpoint of this one, \
            compared letter by letter, and nothing besides. A client that puts all of its servers into one list, to sign once, lets \
            each of them log in as the client at every other. Build the audience from the server that the request goes to.",
        passes: asserts!("J", "{\"claims\":{\"aud\":[\"https://org.example/token\"]}}"),
        fails: asserts!("J", "{\"claims\":{\"aud\":[\"https://org.example\",\"https://other.example\"]}}"),
        judge: assertion_is_for_this_server,
    },
    Check {
        id: "authenticating/assertion-lives-minutes",
        title: "a client assertion ends within minutes",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLC-07",
        cites: &[Rfc(7523, "3")],
        explain: "An assertion is used once, at once. What lives longer is good for whoever finds it in a log. Five minutes cover the \
            clocks of both sides; ten are still minutes. Up to an hour, which some libraries have for a default, weighs less here; \
            more, or an exp in milliseconds, which lies fifty thousand years ahead, is a password. Set exp to now plus a few \
            minutes, in seconds.",
        passes: asserts!("J", "{\"claims\":{\"exp\":{now+300}}}"),
        fails: asserts!("J", "{\"claims\":{\"exp\":{now+86400}}}"),
        judge: assertion_lives_minutes,
    },
    Check {
        id: "authenticating/each-request-has-its-own-assertion",
        title: "every request has a client assertion of its own, with a jti that was not used before",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLC-08",
        cites: &[OpenIdCore("9"), Rfc(7523, "3")],
        explain: "A server may keep the jti of each assertion and refuse the second use: that is what the claim is for. A client that \
            keeps an assertion until it ends, or signs it once and sends it again when a request failed, is refused then, and only \
            then, which is hard to find. Sign for each request, retries included, with a random jti.",
        passes: concat!(
            asserts!("J", "{\"claims\":{\"jti\":\"1\"}}"),
            asserts!("K", "{\"claims\":{\"jti\":\"2\"}}")
        ),
        fails: concat!(
            asserts!("J", "{\"claims\":{\"jti\":\"1\"}}"),
            asserts!("K", "{\"claims\":{\"jti\":\"1\"}}")
        ),
        judge: each_request_has_its_own_assertion,
    },
    Check {
        id: "authenticating/assertion-is-signed-by-its-key",
        title: "a client assertion is signed with the private key of the client, never with none or a shared secret",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLC-09",
        cites: &[Rfc(8725, "3.1"), Rfc(7523, "3")],
        explain: "The app is registered with a certificate, and the signature shows that the client holds its key. alg none shows \
            nothing, and HS256 with a secret, or with the public key for one, makes everybody who can check the assertion able to \
            write one. Fix the algorithm in the client's configuration and do not let it follow from the kind of key at hand. A \
            signature that does not fit the registered certificate is most often a key that was renewed on one side.",
        passes: asserts!("J", "{\"alg\":\"RS256\",\"verifies\":true}"),
        fails: asserts!("J", "{\"alg\":\"HS256\",\"verifies\":false}"),
        judge: assertion_is_signed_by_its_key,
    },
    Check {
        id: "authenticating/assertion-type-is-the-registered-one",
        title: "client_assertion_type is the URN that is registered for JWTs",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLC-11",
        cites: &[Rfc(7523, "2.2"), Rfc(7521, "4.2")],
        explain: "The type is urn:ietf:params:oauth:client-assertion-type:jwt-bearer, with client-assertion-type in it; the grant type \
            of the JWT bearer flow looks alike and is another. A server that does not know the type does not look at the assertion, \
            and answers as if there were none. Copy the URN, and send it together with client_assertion, each once.",
        passes: asserts!("J", "{}"),
        fails: asks!(
            "&client_id=assertion&client_assertion=J&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
        ),
        judge: assertion_type_is_the_registered_one,
    },
];

/// For how long a client assertion may be good, in seconds: minutes, and what libraries have for a default.
const MINUTES: i64 = 610;
const HOUR: i64 = 3660;

/// Every client assertion that was sent, with what it says.
fn assertions(t: &Transcript) -> impl Iterator<Item = (&Exchange, &AssertionFacts)> {
    t.exchanges.iter().filter_map(|x| Some((x, x.facts.client_assertion.as_ref()?)))
}

/// Those that can be read.
fn readable(t: &Transcript) -> impl Iterator<Item = (&Exchange, &AssertionFacts)> {
    assertions(t).filter(|(_, says)| says.malformed.is_none())
}

fn assertion_names_its_client(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "iss and sub of the client, aud, exp and jti";
    for (x, says) in assertions(t) {
        let text = |name: &str| says.claims.get(name).and_then(|value| value.as_str());
        let known = |id: &str| t.subject.apps.is_empty() || t.subject.app_of(id).is_some();
        let named = x.param("client_id");
        let flaw = match (text("iss"), text("sub")) {
            _ if says.malformed.is_some() => "it is no JWT that can be read",
            (None, _) => "no iss",
            (_, None) => "no sub",
            (iss, sub) if iss != sub => "iss and sub differ",
            (Some(iss), _) if named.is_some_and(|named| named != iss) => "another client than client_id",
            (Some(iss), _) if named.is_none() && !known(iss) => "a client that is not registered",
            _ if says.audiences().is_empty() => "no aud",
            _ if !says.claims.get("exp").is_some_and(|exp| exp.is_number()) => "no exp that is a number",
            _ if text("jti").is_none_or(str::is_empty) => {
                j.fail_lesser(&[x], expected, "no jti");
                continue;
            }
            _ => {
                j.pass();
                continue;
            }
        };
        j.fail(&[x], expected, flaw);
    }
    j
}

fn assertion_is_for_this_server(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, says) in readable(t) {
        let audiences = says.audiences();
        match audiences.iter().find(|audience| !is_audience(t, x, audience)) {
            Some(other) => j.fail(&[x], "the server that is asked, and no other", format!("also {other}")),
            None if audiences.is_empty() => {}
            None => j.pass(),
        }
    }
    j
}

fn assertion_lives_minutes(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, says) in readable(t) {
        let Some(exp) = says.exp() else { continue };
        let ahead = exp.saturating_sub(x.at / 1000);
        let expected = "an end within ten minutes";
        if ahead <= MINUTES {
            j.pass();
        } else if ahead <= HOUR {
            j.fail_lesser(&[x], expected, format!("{ahead} seconds ahead"));
        } else {
            j.fail(&[x], expected, format!("{ahead} seconds ahead"));
        }
    }
    j
}

fn each_request_has_its_own_assertion(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let all: Vec<(&Exchange, &AssertionFacts)> = assertions(t).collect();
    for (i, (y, says)) in all.iter().enumerate() {
        let sent = y.param("client_assertion");
        let jti = says.claims.get("jti").filter(|jti| !jti.is_null());
        let issuer = says.issuer();
        let same = all[..i].iter().find(|(x, earlier)| {
            let jti_again = jti.is_some() && earlier.claims.get("jti") == jti && earlier.issuer() == issuer;
            x.param("client_assertion") == sent && sent.is_some() || jti_again
        });
        match same {
            Some((x, _)) => {
                j.fail(&[x, y], "an assertion of its own", "one that was sent before, or its jti")
            }
            None if i > 0 => j.pass(),
            None => {}
        }
    }
    j
}

fn assertion_is_signed_by_its_key(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, says) in readable(t) {
        // Where nobody said which apps there are, this one may be registered for either.
        let by_key = |id: &str| match t.subject.app_of(id) {
            Some(app) => app.client_auth == ClientAuth::PrivateKeyJwt,
            None => !t.subject.apps.is_empty(),
        };
        let expected = "a signature with the private key of the client";
        if says.unsigned || says.alg == "none" {
            j.fail(&[x], expected, "no signature");
        } else if says.alg.starts_with("HS") {
            // A client may be registered to sign with its secret.
            if x.client_id().is_some_and(by_key) {
                j.fail(&[x], expected, format!("alg {}", says.alg));
            }
        } else if says.alg == "RS256" && says.verifies == Some(false) {
            j.fail(&[x], expected, "a signature that does not fit the registered certificate");
        } else if !says.alg.is_empty() {
            j.pass();
        }
    }
    j
}

fn assertion_type_is_the_registered_one(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.exchanges.iter().filter(|x| authenticates(x)) {
        let (kind, sent) = (x.param("client_assertion_type"), x.param("client_assertion"));
        match (kind, sent) {
            (None, None) => {}
            (Some(CLIENT_ASSERTION_TYPE), Some(_)) => j.pass(),
            (Some(CLIENT_ASSERTION_TYPE), None) => j.fail(&[x], "an assertion of that type", "none"),
            (kind, _) => {
                j.fail(&[x], CLIENT_ASSERTION_TYPE, kind.unwrap_or("no client_assertion_type").to_owned());
            }
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
    fn claims_that_are_missing_are_told() {
        let id = "authenticating/assertion-names-its-client";
        let good = find(id).unwrap().passes;
        for (from, to) in [
            ("\"iss\":\"assertion\",", ""),
            ("\"sub\":\"assertion\",", ""),
            (",\"aud\":\"https://org.example\"", ""),
            ("\"exp\":{now+60}", "\"exp\":\"{now+60}\""),
            ("\"assertion\"", "\"main\""),
        ] {
            assert_ne!(good, good.replace(from, to));
            comes_to(id, &good.replace(from, to), Verdict::Fail);
        }
        comes_to(id, asserts!("J", "{\"malformed\":\"it has not three parts\"}"), Verdict::Fail);
        let without = judge_one(find(id).unwrap(), &script::read(&good.replace(",\"jti\":\"1\"", "")));
        assert_eq!((without.verdict, without.findings[0].level), (Verdict::Fail, Level::Should));
    }

    #[test]
    fn an_app_that_nobody_told_of_may_sign_with_its_secret() {
        let check = find("authenticating/assertion-is-signed-by-its-key").unwrap();
        let mut t = script::read(check.fails);
        assert_eq!(judge_one(check, &t).verdict, Verdict::Fail);
        t.subject.apps.clear();
        assert_eq!(judge_one(check, &t).verdict, Verdict::Skip);
    }

    #[test]
    fn an_hour_is_long_and_a_day_is_too_long() {
        let id = "authenticating/assertion-lives-minutes";
        let hour = asserts!("J", "{\"claims\":{\"exp\":{now+3600}}}");
        let judged = judge_one(find(id).unwrap(), &script::read(hour));
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Should));
        comes_to(id, asserts!("J", "{\"claims\":{\"exp\":{now-60}}}"), Verdict::Pass);
        comes_to(id, asserts!("J", "{\"claims\":{\"exp\":{ms}}}"), Verdict::Fail);
    }

    #[test]
    fn the_same_text_is_the_same_assertion_whatever_it_says() {
        let id = "authenticating/each-request-has-its-own-assertion";
        comes_to(id, concat!(asserts!("J", "{}"), asserts!("J", "{}")), Verdict::Fail);
        comes_to(id, concat!(asserts!("J", "{}"), asserts!("K", "{}")), Verdict::Pass);
        comes_to(id, asserts!("J", "{}"), Verdict::Skip);
    }

    #[test]
    fn a_client_may_be_registered_to_sign_with_its_secret() {
        let id = "authenticating/assertion-is-signed-by-its-key";
        let text = asserts!("J", "{\"alg\":\"HS256\",\"verifies\":false}");
        comes_to(id, &text.replace("client_id=assertion", "client_id=main"), Verdict::Skip);
        comes_to(id, asserts!("J", "{\"alg\":\"RS256\",\"verifies\":false}"), Verdict::Fail);
        comes_to(id, asserts!("J", "{\"alg\":\"PS256\",\"verifies\":false}"), Verdict::Pass);
        comes_to(id, asserts!("J", "{\"alg\":\"none\",\"unsigned\":true}"), Verdict::Fail);
    }
}
