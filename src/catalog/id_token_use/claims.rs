//! What an ID token says.

use super::*;
use crate::catalog::login::new_for_each_login;
use crate::transcript::APART;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "id-token-use/wrong-issuer-is-refused",
        title: "an ID token of another issuer is not believed",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-01",
        cites: &[OpenIdCore("3.1.3.7")],
        explain: "The iss claim must be the issuer that the client was configured with, letter by letter: a slash at the end makes \
            another one. Who does not compare it takes tokens of whatever server shares a signing key with the right one, of a \
            sandbox for production and of one tenant for another. Salesforce says the login host or the My Domain, whichever the \
            user was sent to. Compare with the issuer of the metadata that was used.",
        passes: concat!(
            control!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://rogue.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\""
                )
            )
        ),
        fails: concat!(
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://rogue.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\""
                )
            ),
            calls!("A2")
        ),
        judge: |t| refused(t, Flaw::Issuer, "the ID token is of another issuer"),
    },
    Check {
        id: "id-token-use/wrong-audience-is-refused",
        title: "an ID token for somebody else is not believed",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-02",
        cites: &[OpenIdCore("3.1.3.7")],
        explain: "The aud claim must hold the client_id. An ID token for another client is right in every other way, signature \
            included; whoever runs that other client can bring it here and be its user. Compare aud with the own client_id, \
            whether it is a text or a list, and refuse the login where it is not there.",
        passes: concat!(
            control!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"you\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\""
                )
            )
        ),
        fails: concat!(
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":[\"you\"],\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\""
                )
            ),
            calls!("A2")
        ),
        judge: |t| refused(t, Flaw::Audience, "the ID token is for somebody else"),
    },
    Check {
        id: "id-token-use/missing-audience-is-refused",
        title: "an ID token without an audience is not believed",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-03",
        cites: &[OpenIdCore("3.1.3.7"), OpenIdCore("2")],
        explain: "Every ID token says for whom it is. Several JWT libraries check the audience only where the claim is there, or only \
            where they were told to, and then a token without it is for everybody. Demand the claim, and compare it.",
        passes: concat!(
            control!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\""
                )
            )
        ),
        fails: concat!(
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\""
                )
            ),
            calls!("A2")
        ),
        judge: |t| refused(t, Flaw::NoAudience, "the ID token is for nobody"),
    },
    Check {
        id: "id-token-use/other-authorized-party-is-refused",
        title: "an ID token that was issued to another party is not believed",
        binds: Party::Client,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "CLI-04",
        cites: &[OpenIdCore("3.1.3.7")],
        explain: "A token for several audiences says by azp to which of them it was issued. Where the claim is missing or names \
            another client, one of those others may have brought it here. Check that there is an azp where there is more than one \
            audience, and that it is the own client_id wherever it stands.",
        passes: concat!(
            control!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":[\"main\",\"you\"],\"azp\":\"you\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\""
                )
            )
        ),
        fails: concat!(
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":[\"main\",\"you\"],\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\""
                )
            ),
            calls!("A2")
        ),
        judge: |t| refused(t, Flaw::Party, "the ID token was issued to another party"),
    },
    Check {
        id: "id-token-use/token-of-another-client-is-refused",
        title: "an ID token that another client of the same org was given is not believed",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-19",
        cites: &[OpenIdCore("3.1.3.7")],
        explain: "Issuer, keys and user are the same for all apps of an org; only the audience tells their ID tokens apart. A client \
            that does not look at it lets the operator of any other app of the org log in as every user who ever used that app. \
            Compare aud with the own client_id.",
        passes: concat!(
            control!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"other\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\""
                )
            )
        ),
        fails: concat!(
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"other\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\""
                )
            ),
            calls!("A2")
        ),
        judge: |t| refused(t, Flaw::OtherClient, "the ID token is of another client"),
    },
    Check {
        id: "id-token-use/expired-is-refused",
        title: "an ID token that has expired is not believed",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-05",
        cites: &[OpenIdCore("3.1.3.7")],
        explain: "An ID token says that somebody has just logged in; after exp it says nothing. Salesforce's live for two minutes. Who \
            takes an old one takes one that was found in a log. Compare exp with the clock, and forgive a difference of clocks of \
            some minutes at most; a machine whose clock is further off needs a time server and no longer leeway.",
        passes: concat!(
            control!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now-900},\"exp\":{now-600},\"nonce\":\"NC2\""
                )
            )
        ),
        fails: concat!(
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now-900},\"exp\":{now-600},\"nonce\":\"NC2\""
                )
            ),
            calls!("A2")
        ),
        judge: |t| refused(t, Flaw::Expired, "the ID token has expired"),
    },
    Check {
        id: "id-token-use/incomplete-is-refused",
        title: "an ID token without exp, iat or sub is not believed",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-06",
        cites: &[OpenIdCore("2")],
        explain: "These claims are required. Without exp a token is good for ever, without iat nobody can tell how old it is, and \
            without sub it says that somebody logged in and not who: a program that goes on takes null for a user, and all such \
            users for one. Name the required claims to the JWT library; most check only what is there.",
        passes: concat!(
            control!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"nonce\":\"NC2\""
                )
            )
        ),
        fails: concat!(
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\""
                )
            ),
            calls!("A2")
        ),
        judge: |t| refused(t, Flaw::Incomplete, "the ID token lacks a required claim"),
    },
    Check {
        id: "id-token-use/wrong-nonce-is-refused",
        title: "an ID token without the nonce of the login is not believed",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-07",
        cites: &[OpenIdCore("3.1.3.7"), OpenIdCore("15.5.2")],
        explain: "The nonce ties an ID token to the login that asked for it: without it a token, or a code that brings one, from one \
            login can be put into another. Where a nonce was sent, the claim must be there and must be the same. Salesforce copies \
            it. Keep it in the session beside the state, and compare both; nothing is not equal to something.",
        passes: concat!(
            control!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC1\""
                )
            )
        ),
        fails: concat!(
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120}"
                )
            ),
            calls!("A2")
        ),
        judge: |t| refused(t, Flaw::Nonce, "the nonce is not that of the login"),
    },
    Check {
        id: "id-token-use/nonce-is-new-and-unguessable",
        title: "each login that sends a nonce has one of its own, which nobody guesses",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-07b",
        cites: &[OpenIdCore("3.1.2.1"), OpenIdCore("15.5.2")],
        explain: "A nonce tells the ID token of this login from those of all others. One that is the same for every login compares \
            equal whatever was put in its place, and so does one that somebody can guess. OpenID Connect names no number; what \
            holds less than 48 bits, or has less than that of its own, is told here. Draw 16 bytes from the random generator of \
            the system for each login, or take the hash of a value that you drew so and keep in the session.",
        passes: concat!(
            "> GET authorize response_type=code&client_id=main&scope=openid&nonce=pX3vK9qLm2TzR7wBdF5yHc\n< 302\n",
            "> GET authorize response_type=code&client_id=main&scope=openid&nonce=Jn8sVtQ0aZk4LbW6uXeGoM\n< 302\n"
        ),
        fails: concat!(
            "> GET authorize response_type=code&client_id=main&scope=openid&nonce=pX3vK9qLm2TzR7wBdF5yHc\n< 302\n",
            "> GET authorize response_type=code&client_id=main&scope=openid&nonce=pX3vK9qLm2TzR7wBdF5yHc\n< 302\n"
        ),
        judge: |t| new_for_each_login(t, "nonce", APART),
    },
    Check {
        id: "id-token-use/wrong-access-token-hash-is-refused",
        title: "an ID token that belongs to another access token is not believed",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-14",
        cites: &[OpenIdCore("3.1.3.8")],
        explain: "at_hash ties the access token to the ID token that came along. If it does not fit, one of the two was replaced, and \
            what the access token reads is data of somebody else than the user who logged in. The claim is optional in this flow; \
            Salesforce sends it. Where it is there, compare it with the left half of the hash of the access token, in base64url.",
        passes: concat!(
            control!(),
            login!(
                "C2",
                "A2",
                "{\"header\":{\"alg\":\"RS256\"},\"claims\":{\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"},\"verifies\":true,\"at_hash_fits\":false}"
            )
        ),
        fails: concat!(
            login!(
                "C2",
                "A2",
                "{\"header\":{\"alg\":\"RS256\"},\"claims\":{\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"},\"verifies\":true,\"at_hash_fits\":false}"
            ),
            calls!("A2")
        ),
        judge: |t| refused(t, Flaw::Hash, "the ID token belongs to another access token"),
    },
    Check {
        id: "id-token-use/login-that-is-too-old-is-refused",
        title: "where max_age was asked for, an ID token of an older login is not believed",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-21",
        cites: &[OpenIdCore("3.1.3.7"), OpenIdCore("3.1.2.1")],
        explain: "A client that sends max_age wants the user to have logged in just now, before a payment for example. The parameter is \
            in a URL that the user's browser carries and can change, and an org may pass it over; the answer is in auth_time. \
            Demand the claim where max_age was sent, and compare it with the clock.",
        passes: concat!(
            control!(),
            login!(
                "C2",
                "A2",
                "&max_age=60",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"auth_time\":{now-3600},\"nonce\":\"NC2\""
                )
            )
        ),
        fails: concat!(
            login!(
                "C2",
                "A2",
                "&max_age=60",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\""
                )
            ),
            calls!("A2")
        ),
        judge: |t| refused(t, Flaw::Age, "the user logged in too long ago"),
    },
    Check {
        id: "id-token-use/is-no-access-token",
        title: "an ID token is never sent in place of an access token",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLI-23",
        cites: &[OpenIdCore("2"), Rfc(9068, "2.1")],
        explain: "An ID token tells the client who logged in. It is for the client, names nobody else as its audience and grants \
            nothing; a server that takes it for access takes every ID token of every client of the org. Salesforce answers \
            INVALID_SESSION_ID. Send the access_token of the answer to the API, and the ID token to nobody.",
        passes: control!(),
        fails: concat!(login!("C1", "A1", right!("C1")), calls!("IC1")),
        judge: is_no_access_token,
    },
];

fn is_no_access_token(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let tokens: Vec<&str> = t.at(Endpoint::Token).filter_map(|x| x.text("id_token")).collect();
    for x in t
        .exchanges
        .iter()
        .filter(|x| matches!(x.endpoint, Endpoint::Resource | Endpoint::Identity | Endpoint::Userinfo))
    {
        match presented(x) {
            Some(token) if tokens.contains(&token) => j.fail(&[x], "an access token", "an ID token"),
            Some(_) if !tokens.is_empty() => j.pass(),
            _ => {}
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    const WRONG: &str = login!(
        "C2",
        "A2",
        token!(
            "\"iss\":\"https://rogue.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\""
        )
    );

    #[test]
    fn a_client_that_was_never_seen_to_go_on_has_refused_nothing() {
        let id = "id-token-use/wrong-issuer-is-refused";
        comes_to(id, WRONG, Verdict::Inconclusive);
        let quiet = control!().replace(calls!("A1"), "");
        comes_to(id, &format!("{quiet}{WRONG}"), Verdict::Inconclusive);
        comes_to(id, control!(), Verdict::Skip);
    }

    #[test]
    fn of_two_flaws_it_is_not_known_which_was_seen() {
        let id = "id-token-use/wrong-issuer-is-refused";
        let two = WRONG.replace("\"aud\":\"main\"", "\"aud\":\"you\"");
        comes_to(id, &format!("{}{two}", control!()), Verdict::Skip);
        comes_to(id, &format!("{}{two}{}", control!(), calls!("A2")), Verdict::Fail);
    }

    #[test]
    fn who_did_not_ask_for_an_id_token_need_not_look_at_it() {
        let id = "id-token-use/wrong-issuer-is-refused";
        let unasked = WRONG.replace("openid+", "");
        comes_to(id, &format!("{unasked}{}", calls!("A2")), Verdict::Skip);
    }

    #[test]
    fn two_audiences_with_the_right_party_are_right() {
        let id = "id-token-use/other-authorized-party-is-refused";
        let token = WRONG.replace("https://rogue.example", "https://org.example");
        let with = |aud: &str| format!("{}{}", token.replace("\"aud\":\"main\"", aud), calls!("A2"));
        comes_to(id, &with("\"aud\":[\"main\",\"you\"],\"azp\":\"main\""), Verdict::Skip);
        comes_to(id, &with("\"aud\":\"main\",\"azp\":\"you\""), Verdict::Fail);
    }

    #[test]
    fn clocks_may_differ_by_some_minutes() {
        let id = "id-token-use/expired-is-refused";
        let token = WRONG.replace("https://rogue.example", "https://org.example");
        comes_to(id, &format!("{}{}", token.replace("now+120", "now-200"), calls!("A2")), Verdict::Skip);
    }

    #[test]
    fn a_nonce_that_can_be_tried_is_none() {
        let id = "id-token-use/nonce-is-new-and-unguessable";
        let asks =
            |nonce: &str| format!("> GET authorize client_id=main&scope=openid&nonce={nonce}\n< 302\n");
        let two = |one: &str, other: &str| format!("{}{}", asks(one), asks(other));
        comes_to(id, &two("12345678", "87654321"), Verdict::Fail);
        comes_to(
            id,
            &two("018f3a5c-7b1e-7a2b-9c4d-1e2f3a4b5c6d", "018f3a5c-7b22-7f91-8e07-d46b9a0c83f2"),
            Verdict::Pass,
        );
        comes_to(
            id,
            &two("3b241101-e2bb-11ee-8c99-0242ac120002", "3b2419a4-e2bb-11ee-8c99-0242ac120002"),
            Verdict::Fail,
        );
        comes_to(id, &two("nonce-of-the-client-1764000000", "nonce-of-the-client-1764000001"), Verdict::Fail);
        comes_to(id, &two("e3b0c44298fc1c14", "9afbf4c8996fb925"), Verdict::Pass);
        comes_to(id, &asks("pX3vK9qLm2TzR7wBdF5yHc"), Verdict::Skip);
        comes_to(id, &asks(""), Verdict::Skip);
    }
}
