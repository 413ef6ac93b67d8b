//! The challenge of an authorization request.

use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "verifier/request-carries-a-challenge",
        title: "every authorization request carries a code challenge",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLP-01",
        cites: &[Rfc(9700, "2.1.1"), Rfc(7636, "4.3")],
        explain: "With a challenge, a code is of no use to whoever steals it: only the client that made the challenge has the \
            verifier. Public clients must send one; to clients with a secret it is recommended, because it stops the injection of \
            stolen codes too, and for them its absence weighs less. Salesforce asks for PKCE from new apps by default. Switch it \
            on in the library, and leave it on for every login.",
        passes: asks!("S1", challenge!() => "C1"),
        fails: "> GET authorize response_type=code&client_id=public&state=S1\n< 302\n",
        judge: request_carries_a_challenge,
    },
    Check {
        id: "verifier/method-is-s256",
        title: "the method of a challenge is S256, and is said",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLP-02",
        cites: &[Rfc(7636, "4.2"), Rfc(7636, "4.3"), Rfc(9700, "2.1.1")],
        explain: "A challenge without a method means plain by RFC 7636, so a server that keeps to it compares the hash with the \
            verifier and refuses a client that is otherwise right. Salesforce reads S256 there, which is why several libraries \
            leave the method out; towards it this weighs less. The method plain shows the verifier to everybody who sees the \
            URL. Send code_challenge_method=S256.",
        passes: asks!("S1", challenge!() => "C1"),
        fails: asks!("S1", "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" => "C1"),
        judge: method_is_s256,
    },
    Check {
        id: "verifier/is-new-for-each-login",
        title: "each login has a verifier of its own, which cannot be learnt from its URL",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLP-05",
        cites: &[Rfc(7636, "7.1"), Rfc(9700, "2.1.1")],
        explain: "A verifier that is used again, or that is the state or the nonce of the same request, is known to whoever saw one \
            login, and one of which some letters change can be tried. The challenge must belong to one transaction alone. Draw 32 bytes from the random generator of the system for \
            each login, keep them in the session beside the state, and make nothing else of them but the challenge.",
        passes: concat!(asks!("S1", challenge!() => "C1"), asks!("S2", other_challenge!() => "C2")),
        fails: concat!(asks!("S1", challenge!() => "C1"), asks!("S2", challenge!() => "C2")),
        judge: is_new_for_each_login,
    },
    Check {
        id: "verifier/challenge-is-base64url",
        title: "an S256 challenge is 43 letters of base64url, without padding",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLP-06",
        cites: &[Rfc(7636, "4.2"), Rfc(7636, "A")],
        explain: "The challenge is the SHA-256 of the verifier in base64url: - and _ in place of + and /, and no = at the end. The hash \
            in hexadecimal digits, in the other alphabet or with padding is refused when the code is redeemed, as invalid code \
            verifier, long after the mistake. Check your code with the example in appendix B of RFC 7636.",
        passes: asks!("S1", challenge!() => "C1"),
        fails: asks!("S1", "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM%3D&code_challenge_method=S256" => "C1"),
        judge: challenge_is_base64url,
    },
    Check {
        id: "verifier/stays-after-an-error",
        title: "after an error of the org the next login has an S256 challenge as well",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLP-07",
        cites: &[Rfc(7636, "7.2"), Rfc(9700, "2.1.1")],
        explain: "A client must not fall back to plain, or to no challenge at all, because a login with S256 failed: an error can be \
            made by anybody who stands between, and then the code that follows is unprotected. Show the error, and begin the next \
            login as the last one. A server that does not know PKCE ignores the parameters, so there is nothing to fall back for.",
        passes: concat!(
            "> GET authorize response_type=code&client_id=main&state=S1",
            challenge!(),
            "\n< 302\n> GET callback error=invalid_request&state=S1\n< 200\n",
            asks!("S2", other_challenge!() => "C2")
        ),
        fails: concat!(
            "> GET authorize response_type=code&client_id=main&state=S1",
            challenge!(),
            "\n< 302\n> GET callback error=invalid_request&state=S1\n< 200\n",
            asks!("S2", "" => "C2")
        ),
        judge: stays_after_an_error,
    },
];

fn request_carries_a_challenge(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in requests(t) {
        let app = x.param("client_id").and_then(|id| t.subject.app_of(id));
        let is_public = app.is_some_and(|app| app.public || app.client_auth == ClientAuth::None);
        match challenge_of(x) {
            Some(_) => j.pass(),
            None if is_public => j.fail(&[x], "a code_challenge", "none, and the client is public"),
            None => j.fail_lesser(&[x], "a code_challenge", "none"),
        }
    }
    j
}

fn method_is_s256(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in requests(t).into_iter().filter(|x| challenge_of(x).is_some()) {
        let expected = "code_challenge_method=S256";
        match x.param("code_challenge_method") {
            Some("S256") => j.pass(),
            None | Some("") if t.subject.profile == Profile::Salesforce => {
                j.fail_lesser(&[x], expected, "none")
            }
            None | Some("") => j.fail(&[x], expected, "none, which means plain"),
            Some(other) => j.fail(&[x], expected, other.to_owned()),
        }
    }
    j
}

fn is_new_for_each_login(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let all: Vec<&Exchange> = requests(t).into_iter().filter(|x| challenge_of(x).is_some()).collect();
    for (n, x) in all.iter().enumerate() {
        if let Some(y) = all[..n].iter().find(|y| challenge_of(y) == challenge_of(x)) {
            j.fail(&[y, x], "a challenge of its own for each login", "the same twice");
        }
        let hashes_to = |value: &str| Some(Method::S256.challenge(value)).as_deref() == challenge_of(x);
        let known =
            x.request.query().iter().find(|(name, value)| *name != "code_challenge" && hashes_to(value));
        if let Some((name, _)) = known.filter(|(name, _)| *name != "code_verifier") {
            j.fail(&[x], "a verifier that nobody can know", format!("it is the {name} of the request"));
        }
    }
    for x in t.requests_of(GRANT_TYPE) {
        j.hardly_new(&[x], "a verifier", x.facts.verifier_apart);
    }
    // Of one alone it is not known whether it is another the next time.
    if all.len() > 1 {
        j.pass();
    }
    j
}

fn challenge_is_base64url(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in requests(t) {
        // Salesforce takes a challenge without a method for S256.
        let method = x.param("code_challenge_method").unwrap_or("S256");
        let Some(challenge) = challenge_of(x).filter(|_| method == "S256") else { continue };
        let letters = |c: u8| c.is_ascii_alphanumeric() || b"-_".contains(&c);
        if challenge.len() == 43 && challenge.bytes().all(letters) {
            j.pass();
        } else {
            let odd = challenge
                .bytes()
                .find(|c| !letters(*c))
                .map_or(String::new(), |c| format!(", with {:?} in it", char::from(c)));
            j.fail(&[x], "43 letters of base64url", format!("{} letters{odd}", challenge.len()));
        }
    }
    j
}

fn stays_after_an_error(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let is_s256 =
        |x: &Exchange| challenge_of(x).is_some() && x.param("code_challenge_method") != Some("plain");
    let all = requests(t);
    let answers = callbacks(t);
    let redeemed = redemptions(t);
    // What told the client that a login came to nothing. A user who says no is no reason for anything.
    let error_of = |x: &Exchange| {
        let of_x = |request: Option<&Exchange>| request.is_some_and(|r| r.number == x.number);
        let brought = answers
            .iter()
            .find(|b| of_x(b.request) && b.get("error").is_some_and(|e| !e.starts_with("access")))
            .map(|b| b.x);
        let refused = || {
            redeemed.iter().find(|(y, r)| of_x(*r) && !y.granted() && y.response().is_some()).map(|(y, _)| *y)
        };
        brought.or_else(refused)
    };
    for (n, x) in all.iter().enumerate().filter(|(_, x)| is_s256(x)) {
        let Some(error) = error_of(x) else { continue };
        for y in all[n + 1..]
            .iter()
            .filter(|y| y.number > error.number && y.param("client_id") == x.param("client_id"))
        {
            match challenge_of(y) {
                Some(_) if is_s256(y) => j.pass(),
                Some(_) => j.fail(&[x, error, y], "an S256 challenge, as before the error", "plain"),
                None => j.fail(&[x, error, y], "an S256 challenge, as before the error", "none"),
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
    fn what_weighs_less_fails_all_the_same() {
        let id = "verifier/request-carries-a-challenge";
        comes_to(id, asks!("S1", "" => "C1"), Verdict::Fail);
        comes_to(id, asks!("S1", "&code_challenge=" => "C1"), Verdict::Fail);
        let unsaid = asks!("S1", "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" => "C1");
        comes_to("verifier/method-is-s256", &format!("= salesforce\n{unsaid}"), Verdict::Fail);
        comes_to(
            "verifier/method-is-s256",
            &unsaid.replace("-cM", "-cM&code_challenge_method=plain"),
            Verdict::Fail,
        );
        comes_to("verifier/method-is-s256", asks!("S1", "" => "C1"), Verdict::Skip);
    }

    #[test]
    fn a_verifier_that_stands_beside_its_challenge_is_known() {
        let id = "verifier/is-new-for-each-login";
        let state = asks!("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", challenge!() => "C1");
        comes_to(id, state, Verdict::Fail);
        comes_to(id, asks!("S1", challenge!() => "C1"), Verdict::Skip);
    }

    #[test]
    fn a_verifier_of_which_some_letters_change_is_known() {
        let id = "verifier/is-new-for-each-login";
        let first = concat!(asks!("S1", challenge!() => "C1"), redeems!("C1", verifier!()));
        let second = concat!(asks!("S2", other_challenge!() => "C2"), redeems!("C2", other_verifier!()));
        comes_to(id, &format!("{first}{second}! verifier_apart 24\n"), Verdict::Fail);
        comes_to(id, &format!("{first}{second}! verifier_apart 240\n"), Verdict::Pass);
    }

    #[test]
    fn a_hash_in_another_form_is_no_challenge() {
        let id = "verifier/challenge-is-base64url";
        let right = asks!("S1", challenge!() => "C1");
        for (from, to) in [("E9M", "E9"), ("E9M", "E%2F"), ("E9M", "E9MM")] {
            comes_to(id, &right.replace(from, to), Verdict::Fail);
        }
        comes_to(id, &right.replace("S256", "plain"), Verdict::Skip);
    }

    #[test]
    fn only_an_error_of_the_org_is_followed_by_a_downgrade() {
        let id = "verifier/stays-after-an-error";
        let first = asks!("S1", challenge!() => "C1");
        let bare = asks!("S2", "" => "C2");
        comes_to(id, &format!("{first}{bare}"), Verdict::Skip);
        let refused = redeems!("C1", verifier!() => "400 {\"error\":\"invalid_grant\"}");
        comes_to(id, &format!("{first}{refused}{bare}"), Verdict::Fail);
        comes_to(id, &format!("{first}{refused}{}", bare.replace("main", "other")), Verdict::Skip);
        let plain = asks!("S2", "&code_challenge=x&code_challenge_method=plain" => "C2");
        comes_to(id, &format!("{first}{refused}{plain}"), Verdict::Fail);
        let denied = first.replace("callback code=C1", "callback error=access_denied");
        comes_to(id, &format!("{denied}{bare}"), Verdict::Skip);
    }
}
