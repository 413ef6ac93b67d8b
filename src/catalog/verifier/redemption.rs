//! The verifier of a redemption.

use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "verifier/fits-its-challenge",
        title: "a code that was asked for with a challenge is redeemed with the verifier of that challenge",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLP-03",
        cites: &[Rfc(7636, "4.5"), Rfc(7636, "4.6")],
        explain: "Each code goes with the verifier of its own login. A client that keeps one verifier for all logins of a process, or \
            leaves it in a session that another tab overwrote, sends the wrong one where two logins overlap; one that forgets it \
            is refused always. Salesforce says invalid code verifier. Keep the verifier under the state of its login, and take it \
            from there when the callback comes.",
        passes: concat!(asks!("S1", challenge!() => "C1"), redeems!("C1", verifier!())),
        fails: concat!(asks!("S1", challenge!() => "C1"), redeems!("C1", other_verifier!())),
        judge: fits_its_challenge,
    },
    Check {
        id: "verifier/is-long-enough-and-plain",
        title: "a verifier has 43 to 128 unreserved letters",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLP-04",
        cites: &[Rfc(7636, "4.1")],
        explain: "A verifier is 43 to 128 letters, digits, hyphens, dots, underscores and tildes. A shorter one can be guessed by who \
            has the challenge; other letters are encoded by one side and not by the other, and a server may refuse both. \
            Salesforce's own pages make one of 171 letters, and it takes them; towards it a long one weighs less. Take 32 random \
            bytes in base64url without padding: that is 43.",
        passes: concat!(asks!("S1", challenge!() => "C1"), redeems!("C1", verifier!())),
        fails: concat!(asks!("S1", challenge!() => "C1"), redeems!("C1", "&code_verifier=short")),
        judge: is_long_enough_and_plain,
    },
    Check {
        id: "verifier/goes-to-the-token-endpoint-alone",
        title: "a verifier is sent to the token endpoint, and nowhere else",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLP-09",
        cites: &[Rfc(7636, "4.5"), Rfc(7636, "7.1")],
        explain: "The verifier is the secret of the login. In the authorization URL it is shown to the user, the history and every log \
            on the way, together with the challenge that it was to protect; a client that serves as state and verifier both with \
            one value does that without noticing. Send the challenge with the user, and the verifier in the body of the token \
            request.",
        passes: concat!(asks!("S1", challenge!() => "C1"), redeems!("C1", verifier!())),
        fails: concat!(
            asks!("S1", "&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" => "C1"),
            redeems!("C1", verifier!())
        ),
        judge: goes_to_the_token_endpoint_alone,
    },
    Check {
        id: "verifier/retry-keeps-it-and-new-login-does-not",
        title: "a repeated redemption has the same verifier, and the login after a failed one has another",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLP-11",
        cites: &[Rfc(7636, "4.5"), Rfc(7636, "7.1")],
        explain: "The verifier belongs to the code. Where a redemption fails on the way and is repeated, a new verifier can only be \
            refused; where the user logs in again, the old one belongs to a login that somebody may have watched fail. Do not \
            repeat a redemption unless it surely never arrived, and then as it was; begin the next login with everything new.",
        passes: concat!(
            asks!("S1", challenge!() => "C1"),
            redeems!("C1", verifier!() => "503"),
            asks!("S2", other_challenge!() => "C2"),
            redeems!("C2", other_verifier!())
        ),
        fails: concat!(
            asks!("S1", challenge!() => "C1"),
            redeems!("C1", verifier!() => "503"),
            redeems!("C1", other_verifier!())
        ),
        judge: retry_keeps_it_and_new_login_does_not,
    },
    Check {
        id: "verifier/does-not-stand-in-for-the-secret",
        title: "a client with a secret sends it beside the verifier, and one without sends none",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLP-12",
        cites: &[Salesforce("OAuth 2.0 Web Server Flow for Web App Integration"), Rfc(9700, "2.1.1")],
        explain: "PKCE says that the same client redeems the code that asked for it; it does not say which client that is. An app that \
            requires a secret for the web server flow is refused without it, verifier or not. A public client has none, and an \
            empty client_secret is one that is wrong. Send what the app is registered for, and the verifier besides.",
        passes: concat!(asks!("S1", challenge!() => "C1"), redeems!("C1", verifier!())),
        fails: concat!(
            asks!("S1", challenge!() => "C1"),
            "> POST token grant_type=authorization_code&client_id=main&redirect_uri=https://client.example/callback&code=C1",
            verifier!(),
            "\n< 400 {\"error\":\"invalid_client\"}\n"
        ),
        judge: does_not_stand_in_for_the_secret,
    },
];

fn fits_its_challenge(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, request) in redemptions(t) {
        let Some(request) = request else { continue };
        let Some(challenge) = challenge_of(request) else { continue };
        // A padded challenge is another check's, and a plain one shows no hash.
        let challenge = challenge.trim_end_matches('=');
        let said = request.param("code_challenge_method");
        match x.facts.verifier_s256.as_deref() {
            None => j.fail(&[request, x], "the verifier of the challenge", "none"),
            Some(hash) if hash == challenge => j.pass(),
            Some(_)
                if said == Some("S256")
                    || said.is_none() && challenge.len() == 43 && !is_plain(x, challenge) =>
            {
                j.fail(&[request, x], "the verifier of the challenge", "another one");
            }
            Some(_) => {}
        }
    }
    j
}

/// Whether the verifier that was sent is the challenge itself.
fn is_plain(x: &Exchange, challenge: &str) -> bool {
    x.param("code_verifier") == Some(challenge)
}

fn is_long_enough_and_plain(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.requests_of(GRANT_TYPE) {
        let (Some(length), Some(unreserved)) = (x.facts.verifier_length, x.facts.verifier_is_unreserved)
        else {
            continue;
        };
        let expected = "43 to 128 unreserved letters";
        match length {
            _ if !unreserved => j.fail(&[x], expected, "letters that are not unreserved"),
            43..=128 => j.pass(),
            129.. if t.subject.profile == Profile::Salesforce => {
                j.fail_lesser(&[x], expected, format!("{length} letters"))
            }
            _ => j.fail(&[x], expected, format!("{length} letters")),
        }
    }
    j
}

fn goes_to_the_token_endpoint_alone(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let verified = |x: &&Exchange| x.facts.verifier_s256.is_some();
    let verifiers: Vec<(&str, &str)> = t
        .at(Endpoint::Token)
        .filter(verified)
        .filter_map(|x| Some((x.param("code_verifier")?, x.facts.verifier_s256.as_deref()?)))
        .collect();
    // Pages and callbacks carry what the client sent before; a plain challenge is another check's.
    let own = |x: &&Exchange| !matches!(x.endpoint, Endpoint::Token | Endpoint::Page | Endpoint::Callback);
    for x in t.exchanges.iter().filter(own) {
        let params = [x.request.query(), x.request.form()];
        let is_one = |name: &str, value: &str| {
            let same = |(verifier, hash): &(&str, &str)| {
                value == *verifier || value.len() >= 43 && Method::S256.challenge(value) == *hash
            };
            name != "code_challenge"
                && !value.is_empty()
                && (name == "code_verifier" || verifiers.iter().any(same))
        };
        let told = params.iter().flat_map(|params| params.iter()).find(|(name, value)| is_one(name, value));
        if let Some((name, _)) = told {
            j.fail(&[x], "no verifier outside of token requests", format!("it stands in {name}"));
        } else if !verifiers.is_empty() && x.endpoint == Endpoint::Authorize {
            j.pass();
        }
    }
    j
}

fn retry_keeps_it_and_new_login_does_not(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let all = redemptions(t);
    let hash = |x: &Exchange| x.facts.verifier_s256.clone();
    for (n, (x, request)) in all.iter().enumerate().filter(|(_, (x, _))| hash(x).is_some() && !x.granted()) {
        for (y, other) in all[n + 1..].iter().filter(|(y, _)| y.client_id() == x.client_id()) {
            let same_code = x.param("code") == y.param("code");
            let new_login = request.zip(*other).is_some_and(|(a, b)| a.number != b.number);
            match (same_code, hash(x) == hash(y)) {
                (true, true) => j.pass(),
                (true, false) => j.fail(&[x, y], "the same verifier for the same code", "another one"),
                (false, true) if new_login => {
                    j.fail(&[x, y], "another verifier for another login", "the same")
                }
                (false, false) if new_login => j.pass(),
                (false, _) => {}
            }
        }
    }
    j
}

fn does_not_stand_in_for_the_secret(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.requests_of(GRANT_TYPE) {
        let Some(app) = x.client_id().and_then(|id| t.subject.app_of(id)) else { continue };
        let in_form = |name| x.request.form().get(name);
        let filled = |name| in_form(name).is_some_and(|value| !value.is_empty());
        let basic = x.facts.basic_client_id.is_some();
        let authenticated = filled("client_secret") || filled("client_assertion") || basic;
        if app.client_auth == ClientAuth::None {
            if in_form("client_secret").is_some() || basic {
                j.fail(&[x], "no secret: the client is public", "one is sent");
            } else if x.facts.verifier_s256.is_some() {
                j.pass();
            }
        } else if x.facts.verifier_s256.is_some() {
            if authenticated {
                j.pass();
            } else if t.subject.settings.flag("secret_optional") != Some(true) {
                j.fail(&[x], "the secret of the client beside the verifier", "none");
            }
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn a_verifier_that_is_missing_does_not_fit() {
        let id = "verifier/fits-its-challenge";
        let asked = asks!("S1", challenge!() => "C1");
        comes_to(id, &format!("{asked}{}", redeems!("C1", "")), Verdict::Fail);
        comes_to(id, &format!("{}{}", asks!("S1", "" => "C1"), redeems!("C1", "")), Verdict::Skip);
        comes_to(id, &format!("{asked}{}", redeems!("C7", other_verifier!())), Verdict::Skip);
        let unsaid = asked.replace("&code_challenge_method=S256", "");
        comes_to(id, &format!("{unsaid}{}", redeems!("C1", verifier!())), Verdict::Pass);
        comes_to(id, &format!("{unsaid}{}", redeems!("C1", other_verifier!())), Verdict::Fail);
        let plain = asked.replace("S256", "plain");
        comes_to(id, &format!("{plain}{}", redeems!("C1", other_verifier!())), Verdict::Skip);
    }

    #[test]
    fn a_long_verifier_weighs_less_towards_salesforce() {
        let id = "verifier/is-long-enough-and-plain";
        let long = redeems!("C1", "&code_verifier=@").replace('@', &"a".repeat(171));
        comes_to(id, &long, Verdict::Fail);
        comes_to(id, &format!("= salesforce\n{long}"), Verdict::Fail);
        comes_to(id, &redeems!("C1", verifier!()).replace("dBjf", "dB+jf"), Verdict::Fail);
    }

    #[test]
    fn a_verifier_under_another_name_is_one() {
        let id = "verifier/goes-to-the-token-endpoint-alone";
        let state = asks!("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", challenge!() => "C1");
        comes_to(id, &format!("{state}{}", redeems!("C1", verifier!())), Verdict::Fail);
        comes_to(id, asks!("S1", challenge!() => "C1"), Verdict::Skip);
    }

    #[test]
    fn the_login_after_a_failed_one_has_everything_new() {
        let id = "verifier/retry-keeps-it-and-new-login-does-not";
        let first = concat!(asks!("S1", challenge!() => "C1"), redeems!("C1", verifier!() => "503"));
        let second = concat!(asks!("S2", challenge!() => "C2"), redeems!("C2", verifier!()));
        comes_to(id, &format!("{first}{second}"), Verdict::Fail);
        comes_to(id, &format!("{first}{}", redeems!("C1", verifier!())), Verdict::Pass);
        comes_to(
            id,
            &format!("{}{second}", first.replace("503", "200 {\"access_token\":\"A\"}")),
            Verdict::Skip,
        );
    }

    #[test]
    fn a_public_client_has_nothing_to_send() {
        let id = "verifier/does-not-stand-in-for-the-secret";
        let public = redeems!("C1", verifier!()).replace("=main&client_secret=s", "=public");
        comes_to(id, &public, Verdict::Pass);
        comes_to(id, &public.replace("=public", "=public&client_secret="), Verdict::Fail);
        let bare = public.replace("=public", "=main");
        comes_to(id, &bare, Verdict::Fail);
        comes_to(id, &format!("= setting secret_optional true\n{bare}"), Verdict::Skip);
        comes_to(id, &bare.replace("! secret right", "! basic main"), Verdict::Pass);
        comes_to(id, &bare.replace(verifier!(), ""), Verdict::Skip);
    }
}
