//! ID tokens (OpenID Connect Core §2): what they say, and whether it can be trusted.

use serde_json::Value;

use super::Cite::{OpenIdCore, OpenIdDiscovery, Rfc};
use super::discovery::{document, fetches, key_sets};
use super::{Check, Judgement, Party};
use crate::oauth::grant::authorization_code;
use crate::oauth::jwt::seconds;
use crate::oauth::salesforce::Profile;
use crate::transcript::{Exchange, TokenFacts, Transcript};
use crate::verdict::{Basis, Level};

/// An authorization with openid and a nonce that was granted, as examples begin with it.
macro_rules! authorized {
    () => {
        "> GET authorize response_type=code&client_id=main&scope=openid&nonce=n1&redirect_uri=https://client.example/callback\n\
         < 302\n\
         < Location: https://client.example/callback?code=C1\n"
    };
}

/// The redemption of its code, with the facts of the ID token that it brings.
macro_rules! redeemed {
    ($facts:literal) => {
        concat!(
            "> POST token grant_type=authorization_code&code=C1&client_id=main&client_secret=s\n! id_token ",
            $facts,
            "\n< 200 {\"access_token\":\"A1\",\"scope\":\"openid\",\"id_token\":\"I1\"}\n"
        )
    };
}

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "id-token/comes-with-openid",
        title: "an ID token comes where openid was granted, and only there",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-01",
        cites: &[OpenIdCore("3.1.3.3"), OpenIdCore("3.1.2.1")],
        explain: "The scope openid is what makes an OAuth request one of OpenID Connect: its token response holds an \
            id_token, and a client that logs users in stops without one. The scope of the answer decides, else the one that was asked \
            for. An ID token that nobody asked for weighs less: it tells who the user is to a client that only wanted an API, and trips \
            libraries that then begin to verify it. Tie the ID token to the granted scope.",
        passes: concat!(authorized!(), redeemed!("{}")),
        fails: concat!(
            authorized!(),
            "> POST token grant_type=authorization_code&code=C1&client_id=main&client_secret=s\n\
             < 200 {\"access_token\":\"A1\",\"scope\":\"openid\"}\n"
        ),
        judge: comes_with_openid,
    },
    Check {
        id: "id-token/has-its-claims",
        title: "an ID token has iss, sub, aud, exp and iat",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-02",
        cites: &[OpenIdCore("2")],
        explain: "These five are required: without them a client cannot say who vouches for whom, to whom, and until when. Each \
            library that validates refuses the login, mostly with a message that names only the first claim it missed. Fill \
            them in at one place for every flow, refresh included.",
        passes: redeemed!(
            "{\"claims\":{\"iss\":\"https://org.example\",\"sub\":\"u\",\"aud\":\"main\",\"exp\":{now+120},\"iat\":{now}}}"
        ),
        fails: redeemed!(
            "{\"claims\":{\"iss\":\"https://org.example\",\"sub\":\"u\",\"aud\":\"main\",\"exp\":{now+120}}}"
        ),
        judge: has_its_claims,
    },
    Check {
        id: "id-token/issuer-is-the-server",
        title: "iss of an ID token is the issuer that the server publishes, character by character",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-03",
        cites: &[OpenIdCore("2"), OpenIdCore("3.1.3.7"), OpenIdDiscovery("4.3")],
        explain: "The client compares iss with the issuer that it was configured for, as a text: a slash at the end, another host \
            name or http is another issuer, and the login fails. The usual cause is a proxy or a second host name. On \
            Salesforce iss is the host where the user logged in: configure clients with the My Domain, not with \
            login.salesforce.com.",
        passes: redeemed!("{\"claims\":{\"iss\":\"https://org.example\"}}"),
        fails: redeemed!("{\"claims\":{\"iss\":\"https://org.example/\"}}"),
        judge: issuer_is_the_server,
    },
    Check {
        id: "id-token/audience-is-the-client",
        title: "aud of an ID token names the client that it was issued to",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-04",
        cites: &[OpenIdCore("2"), OpenIdCore("3.1.3.7")],
        explain: "aud keeps an ID token that one app got from logging somebody in at another. A correct client refuses a \
            token without its own client_id; one that does not look lets any app of the server in. Put the client_id of \
            the token request there, alone or in a list.",
        passes: redeemed!("{\"claims\":{\"aud\":[\"main\",\"https://api.example\"]}}"),
        fails: redeemed!("{\"claims\":{\"aud\":\"other\"}}"),
        judge: audience_is_the_client,
    },
    Check {
        id: "id-token/authorized-party-is-the-client",
        title: "azp of an ID token, where there is one, is the client that it was issued to",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-05",
        cites: &[OpenIdCore("2")],
        explain: "With several audiences azp says which of them asked for the token. If present it must be that client's id; \
            clients compare it and refuse the rest. A token for the client alone needs no azp, and passes here without. Set it \
            from the authenticated client, never from a list of audiences.",
        passes: redeemed!("{\"claims\":{\"aud\":[\"main\",\"x\"],\"azp\":\"main\"}}"),
        fails: redeemed!("{\"claims\":{\"aud\":[\"main\",\"x\"],\"azp\":\"x\"}}"),
        judge: authorized_party_is_the_client,
    },
    Check {
        id: "id-token/times-make-sense",
        title: "iat of an ID token is now, exp lies after it, and both are numbers",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-06",
        cites: &[OpenIdCore("2"), OpenIdCore("12.2")],
        explain: "Both are JSON numbers of seconds. A text, milliseconds, or a token that had ended before it was issued is \
            refused by correct clients, and taken for ever by careless ones. iat is the moment of this token, also after a \
            refresh. The check forgives ten minutes, for clocks that differ. Take both from one reading of the clock, and \
            keep the server's clock right.",
        passes: redeemed!("{\"claims\":{\"exp\":{now+120},\"iat\":{now}}}"),
        fails: redeemed!("{\"claims\":{\"exp\":{now-60},\"iat\":{now}}}"),
        judge: times_make_sense,
    },
    Check {
        id: "id-token/nonce-comes-back",
        title: "an ID token has the nonce of the authorization request, unchanged",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-07",
        cites: &[OpenIdCore("2"), OpenIdCore("3.1.3.7")],
        explain: "The nonce ties the ID token to the browser session that asked for it: a stolen code that is injected elsewhere \
            brings the wrong one. If it is missing or another, correct clients refuse the login. Keep it with the code, as it was \
            sent, and write it into the token that the code is redeemed for.",
        passes: concat!(authorized!(), redeemed!("{\"claims\":{\"nonce\":\"n1\"}}")),
        fails: concat!(authorized!(), redeemed!("{\"claims\":{\"nonce\":\"n2\"}}")),
        judge: nonce_comes_back,
    },
    Check {
        id: "id-token/signature-fits-a-published-key",
        title: "the signature of an ID token fits a key that the server publishes, named by kid where there are several",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-09",
        cites: &[OpenIdCore("10.1"), OpenIdCore("3.1.3.7"), Rfc(7517, "5")],
        explain: "A client trusts an ID token by its signature alone, with the keys of jwks_uri. If none fits, nobody can log \
            in: the usual causes are a key that was rolled without being published, a cache in front of the document, or \
            the keys of another host. Where the set has several keys the header must name one by kid. Publish a key before it \
            signs and keep it until the last token that it signed has ended. Salesforce has keys that only the My Domain \
            publishes.",
        passes: concat!(
            redeemed!("{\"header\":{\"alg\":\"RS256\"},\"verifies\":true}"),
            "> GET keys\n< 200 {\"keys\":[{\"kty\":\"RSA\"}]}\n"
        ),
        fails: concat!(
            redeemed!("{\"header\":{\"alg\":\"RS256\"},\"verifies\":false}"),
            "> GET keys\n< 200 {\"keys\":[{\"kty\":\"RSA\"}]}\n"
        ),
        judge: signature_fits_a_published_key,
    },
    Check {
        id: "id-token/access-token-hash-fits",
        title: "at_hash of an ID token, where there is one, is the hash of the access token beside it",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-10",
        cites: &[OpenIdCore("3.1.3.6")],
        explain: "at_hash binds the access token to the ID token, so that neither can be exchanged on the way. It is the left \
            half of the hash of the access token's text, with the hash of the signature algorithm, in base64url. Clients that \
            compare it refuse both tokens where it differs. Compute it from the access token of the same answer, after \
            that has its final form.",
        passes: redeemed!(
            "{\"header\":{\"alg\":\"RS256\"},\"claims\":{\"at_hash\":\"x\"},\"at_hash_fits\":true}"
        ),
        fails: redeemed!(
            "{\"header\":{\"alg\":\"RS256\"},\"claims\":{\"at_hash\":\"x\"},\"at_hash_fits\":false}"
        ),
        judge: access_token_hash_fits,
    },
    Check {
        id: "id-token/algorithm-was-agreed-on",
        title: "an ID token is signed, with RS256 or another algorithm that the server advertises",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-11",
        cites: &[OpenIdCore("2"), OpenIdCore("3.1.3.7"), OpenIdDiscovery("3")],
        explain: "RS256 is the default of a client that registered nothing else; none is allowed only to one that asked for \
            it, and no client should. An unsigned token can be written by anybody who can reach the client. An algorithm \
            that id_token_signing_alg_values_supported does not list is one that no client is prepared for. Sign with RS256 \
            unless the registration says otherwise, and list what is used.",
        passes: redeemed!("{\"header\":{\"alg\":\"RS256\"}}"),
        fails: redeemed!("{\"header\":{\"alg\":\"none\"}}"),
        judge: algorithm_was_agreed_on,
    },
    Check {
        id: "id-token/max-age-is-kept",
        title: "where max_age was sent, auth_time says when the user logged in, and that is not longer ago",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-13",
        cites: &[OpenIdCore("2"), OpenIdCore("3.1.2.1")],
        explain: "With max_age a client asks for a login that is fresh enough for what comes next, a payment for example. The \
            server has to ask the user again where the login is older, and to prove it by auth_time, which is required then. A \
            server that ignores the parameter lets a forgotten browser pass for a present user. Keep the time of the \
            login with the session, not that of its last use.",
        passes: "> GET authorize response_type=code&client_id=main&scope=openid&max_age=3600&redirect_uri=https://client.example/callback\n\
            < 302\n\
            < Location: https://client.example/callback?code=C1\n\
            > POST token grant_type=authorization_code&code=C1&client_id=main\n\
            ! id_token {\"claims\":{\"auth_time\":{now-60}}}\n\
            < 200 {\"access_token\":\"A1\",\"id_token\":\"I1\"}",
        fails: "> GET authorize response_type=code&client_id=main&scope=openid&max_age=3600&redirect_uri=https://client.example/callback\n\
            < 302\n\
            < Location: https://client.example/callback?code=C1\n\
            > POST token grant_type=authorization_code&code=C1&client_id=main\n\
            ! id_token {\"claims\":{\"auth_time\":{now-7200}}}\n\
            < 200 {\"access_token\":\"A1\",\"id_token\":\"I1\"}",
        judge: max_age_is_kept,
    },
    Check {
        id: "id-token/subject-is-short-and-stable",
        title: "sub of an ID token has at most 255 ASCII characters and stays the same for a user",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-16",
        cites: &[OpenIdCore("2"), OpenIdCore("8")],
        explain: "Clients keep sub as the key of the account. If it changes from login to login the user gets a new, empty \
            account each time; a longer one is cut by databases, and two users become one. Use an identifier that is never \
            changed or given away again, not a name or an address. The check compares what one client was told of one user.",
        passes: concat!(authorized!(), redeemed!("{\"claims\":{\"sub\":\"https://org.example/id/1\"}}")),
        fails: concat!(authorized!(), redeemed!("{\"claims\":{\"sub\":\"\"}}")),
        judge: subject_is_short_and_stable,
    },
];

/// How far clocks may differ, in seconds.
const SKEW: i64 = 600;

/// Every answer with an ID token that could be read.
fn tokens(t: &Transcript) -> impl Iterator<Item = (&Exchange, &TokenFacts)> {
    t.grants().filter_map(|x| Some((x, x.facts.id_token.as_ref()?)))
}

/// The authorization request whose code was redeemed for an answer.
fn authorization<'t>(t: &'t Transcript, x: &Exchange) -> Option<&'t Exchange> {
    if x.grant_type() != Some(authorization_code::GRANT_TYPE) {
        return None;
    }
    t.code(x.param("code")?).map(|code| code.authorize)
}

/// A parameter that stands once in an authorization request.
fn asked<'x>(authorize: &'x Exchange, name: &'x str) -> Option<&'x str> {
    let mut values = authorize.request.query().all(name).chain(authorize.request.form().all(name));
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => Some(value),
        _ => None,
    }
}

fn comes_with_openid(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.grants().filter(|x| x.grant_type() == Some(authorization_code::GRANT_TYPE)) {
        let requested = || asked(authorization(t, x)?, "scope");
        let Some(scope) = x.text("scope").or_else(requested) else { continue };
        let has = |value: &str| scope.split_whitespace().any(|one| one == value);
        match (has("openid"), x.member("id_token").is_some()) {
            (true, true) => j.pass(),
            (true, false) => {
                j.fail(&[x], "an ID token: openid was granted", "no id_token in the answer");
            }
            // On Salesforce full stands for openid too.
            (false, _) if has("full") => {}
            (false, true) => {
                j.fail_lesser(&[x], "no ID token: openid was not granted", "an id_token in the answer");
            }
            (false, false) => j.pass(),
        }
    }
    j
}

fn has_its_claims(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in tokens(t) {
        let missing = ["iss", "sub", "aud", "exp", "iat"]
            .into_iter()
            .filter(|name| token.claims.get(*name).is_none_or(Value::is_null));
        let missing: Vec<&str> = missing.collect();
        if missing.is_empty() {
            j.pass();
        } else {
            j.fail(&[x], "iss, sub, aud, exp and iat", format!("no {}", missing.join(", no ")));
        }
    }
    j
}

/// Whether the server may speak in that name, which it publishes as its issuer; none where that is not known.
pub(super) fn is_issuer(t: &Transcript, said: &str) -> Option<bool> {
    let issuer = t.subject.endpoints.issuer.as_deref()?;
    // A login host sends users on to their My Domain, which then speaks in its own name (Salesforce is known for it).
    let hosts = ["https://login.salesforce.com", "https://test.salesforce.com"];
    let sent_on = hosts.contains(&issuer) && t.subject.profile == Profile::Salesforce;
    let my_domain = said.starts_with("https://") && said.ends_with(".my.salesforce.com");
    match said == issuer {
        false if sent_on && my_domain => None,
        same => Some(same),
    }
}

fn issuer_is_the_server(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let issuer = t.subject.endpoints.issuer.as_deref().unwrap_or("");
    for (x, token) in tokens(t) {
        let Some(said) = token.text("iss") else { continue };
        match is_issuer(t, said) {
            Some(true) => j.pass(),
            Some(false) => j.fail(&[x], format!("iss {issuer}"), format!("iss {said}")),
            None => {}
        }
    }
    j
}

fn audience_is_the_client(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in tokens(t) {
        let Some(client) = x.client_id().filter(|_| token.claims.contains_key("aud")) else { continue };
        let audiences = token.audiences();
        if audiences.contains(&client) {
            j.pass();
        } else {
            j.fail(&[x], format!("aud with {client}"), format!("aud is {}", audiences.join(", ")));
        }
    }
    j
}

fn authorized_party_is_the_client(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in tokens(t) {
        let Some(client) = x.client_id() else { continue };
        match token.claims.get("azp") {
            Some(Value::String(party)) if party == client => j.pass(),
            Some(other) => j.fail(&[x], format!("azp {client}"), format!("azp is {other}")),
            None if token.audiences() == [client] => j.pass(),
            None => {}
        }
    }
    j
}

fn times_make_sense(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in tokens(t) {
        let (Some(exp), Some(iat)) = (token.claims.get("exp"), token.claims.get("iat")) else { continue };
        let now = x.at.div_euclid(1000);
        let (Some(end), Some(begin)) = (seconds(exp), seconds(iat)) else {
            j.fail(&[x], "numbers of seconds", format!("exp is {exp}, iat is {iat}"));
            continue;
        };
        if !exp.is_number() || !iat.is_number() {
            j.fail(&[x], "numbers of seconds", format!("exp is {exp}, iat is {iat}"));
        } else if end <= begin {
            j.fail(&[x], "exp after iat", format!("it ends {} seconds before it begins", begin - end));
        } else if begin.abs_diff(now) > SKEW.unsigned_abs() {
            let observed = format!("iat is {} seconds away", begin.abs_diff(now));
            j.fail(&[x], "iat is the moment of the answer", observed);
        } else {
            j.pass();
        }
    }
    j
}

fn nonce_comes_back(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in tokens(t) {
        let Some((authorize, nonce)) = authorization(t, x).and_then(|a| Some((a, asked(a, "nonce")?))) else {
            continue;
        };
        match token.claims.get("nonce") {
            Some(Value::String(said)) if said == nonce => j.pass(),
            Some(_) => j.fail(&[authorize, x], "the nonce of the request", "another nonce"),
            None => j.fail(&[authorize, x], "the nonce of the request", "no nonce"),
        }
    }
    j
}

fn signature_fits_a_published_key(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in tokens(t) {
        let sets: Vec<_> = key_sets(t).collect();
        let Some((fetched, _)) = sets.last() else { return j };
        let several = sets
            .iter()
            .any(|(_, set)| set.get("keys").and_then(Value::as_array).is_some_and(|keys| keys.len() > 1));
        match token.verifies {
            Some(false) => {
                let kid = token.header.get("kid").map_or("no kid".to_owned(), |kid| format!("kid {kid}"));
                let observed = format!("none fits: alg {}, {kid}", token.alg());
                j.fail(&[x, fetched], "a signature that fits a published key", observed);
            }
            Some(true) if several && !token.header.contains_key("kid") => {
                j.fail(&[x, fetched], "a kid: several keys are published", "no kid in the header");
            }
            Some(true) => j.pass(),
            None => {}
        }
    }
    j
}

fn access_token_hash_fits(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in tokens(t) {
        match token.at_hash_fits {
            Some(true) => j.pass(),
            Some(false) => {
                j.fail(
                    &[x],
                    "the hash of the access token of this answer",
                    "at_hash is that of something else",
                );
            }
            None => {}
        }
    }
    j
}

fn algorithm_was_agreed_on(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let listed = |x| document(x)?.get("id_token_signing_alg_values_supported")?.as_array();
    let listed: Vec<&Vec<Value>> = fetches(t).filter_map(listed).collect();
    let advertised = |alg: &str| listed.iter().any(|list| list.iter().any(|one| one == alg));
    for (x, token) in tokens(t) {
        let alg = token.alg();
        if alg.eq_ignore_ascii_case("none") || alg.is_empty() {
            j.fail(&[x], "a signature", "alg is none");
        } else if listed.is_empty() {
            // RS256 is the default; what else the client registered for, the record does not tell.
            if alg == "RS256" {
                j.pass();
            }
        } else if advertised(alg) {
            j.pass();
        } else {
            j.fail(&[x], "an algorithm that the metadata lists", format!("alg is {alg}"));
        }
    }
    j
}

fn max_age_is_kept(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in tokens(t) {
        let Some(authorize) = authorization(t, x) else { continue };
        let Some(max_age) = asked(authorize, "max_age").and_then(|age| age.parse::<i64>().ok()) else {
            continue;
        };
        let oldest = authorize.at.div_euclid(1000).saturating_sub(max_age);
        let expected = format!("auth_time within {max_age} seconds of the request");
        match token.claims.get("auth_time").map(|at| (at, seconds(at))) {
            Some((Value::Number(_), Some(at))) if at.saturating_add(SKEW) < oldest => {
                let observed = format!("the login was {} seconds too old", oldest - at);
                j.fail(&[authorize, x], expected, observed);
            }
            Some((Value::Number(_), Some(_))) => j.pass(),
            Some((other, _)) => j.fail(&[authorize, x], expected, format!("auth_time is {other}")),
            None => j.fail(&[authorize, x], expected, "no auth_time"),
        }
    }
    j
}

fn subject_is_short_and_stable(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let mut seen: Vec<(&Exchange, &str, &str, &str)> = Vec::new();
    for (x, token) in tokens(t) {
        let sub = match token.claims.get("sub") {
            Some(Value::String(sub)) if (1..=255).contains(&sub.len()) && sub.is_ascii() => sub,
            Some(Value::String(sub)) => {
                let observed = format!("sub has {} characters", sub.chars().count());
                j.fail(&[x], "1 to 255 ASCII characters", observed);
                continue;
            }
            Some(other) => {
                j.fail(&[x], "sub as a text", format!("sub is {other}"));
                continue;
            }
            None => continue,
        };
        let user = authorization(t, x).and_then(|authorize| authorize.user.as_deref());
        let Some((user, client)) = user.zip(x.client_id()) else { continue };
        let before = seen.iter().find(|(_, u, c, _)| *u == user && *c == client);
        match before {
            Some((earlier, _, _, other)) if *other != sub => {
                j.fail(&[earlier, x], "the sub that this user had before", "another sub");
            }
            _ => j.pass(),
        }
        seen.push((x, user, client, sub));
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::verdict;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::{Level, Verdict};

    fn login(user: &str, code: &str, sub: &str) -> String {
        format!(
            "> GET authorize response_type=code&client_id=main&scope=openid&redirect_uri=https://client.example/callback\n\
             ! user {user}\n< 302\n< Location: https://client.example/callback?code={code}\n\
             > POST token grant_type=authorization_code&code={code}&client_id=main\n\
             ! id_token {{\"claims\":{{\"sub\":\"{sub}\"}}}}\n< 200 {{\"access_token\":\"A\",\"id_token\":\"I\"}}\n"
        )
    }

    #[test]
    fn a_user_keeps_the_sub_and_another_has_another() {
        let id = "id-token/subject-is-short-and-stable";
        let both =
            |a: (&str, &str), b: (&str, &str)| verdict(id, &(login(a.0, "C1", a.1) + &login(b.0, "C2", b.1)));
        assert_eq!(both(("main", "1"), ("main", "1")), Verdict::Pass);
        assert_eq!(both(("main", "1"), ("second", "2")), Verdict::Pass);
        assert_eq!(both(("main", "1"), ("main", "2")), Verdict::Fail);
    }

    #[test]
    fn the_granted_scope_decides_and_not_the_one_that_was_asked_for() {
        let id = "id-token/comes-with-openid";
        let redeem = |answer: &str| {
            format!(
                "> POST token grant_type=authorization_code&code=C1&client_id=main\n< 200 {{\"access_token\":\"A\"{answer}}}\n"
            )
        };
        assert_eq!(verdict(id, &redeem("")), Verdict::Skip);
        assert_eq!(verdict(id, &redeem(",\"scope\":\"api\"")), Verdict::Pass);
        assert_eq!(verdict(id, &redeem(",\"scope\":\"full\",\"id_token\":\"I\"")), Verdict::Skip);
        let unasked =
            judge_one(find(id).unwrap(), &script::read(&redeem(",\"scope\":\"api\",\"id_token\":\"I\"")));
        assert_eq!((unasked.verdict, unasked.findings[0].level), (Verdict::Fail, Level::Should));
    }

    #[test]
    fn a_login_host_is_told_from_another_issuer() {
        let said = |iss: &str| {
            let text = format!(
                "= salesforce\n> POST token grant_type=authorization_code&code=C&client_id=main\n\
                 ! id_token {{\"claims\":{{\"iss\":\"{iss}\"}}}}\n< 200 {{\"access_token\":\"A\",\"id_token\":\"I\"}}\n"
            );
            let mut t = script::read(&text);
            t.subject.endpoints.issuer = Some("https://login.salesforce.com".into());
            judge_one(find("id-token/issuer-is-the-server").unwrap(), &t).verdict
        };
        assert_eq!(said("https://login.salesforce.com"), Verdict::Pass);
        assert_eq!(said("https://acme.my.salesforce.com"), Verdict::Skip);
        assert_eq!(said("https://acme.my.salesforce.com.evil.example"), Verdict::Fail);
    }

    #[test]
    fn without_published_keys_nothing_is_said_of_signatures() {
        let text = "> POST token grant_type=authorization_code&code=C&client_id=main\n\
            ! id_token {\"header\":{\"alg\":\"RS256\"}}\n< 200 {\"access_token\":\"A\",\"id_token\":\"I\"}\n";
        assert_eq!(verdict("id-token/signature-fits-a-published-key", text), Verdict::Skip);
        let several = text.replace("{\"alg\":\"RS256\"}", "{\"alg\":\"RS256\"},\"verifies\":true")
            + "> GET keys\n< 200 {\"keys\":[{\"kid\":\"1\"},{\"kid\":\"2\"}]}\n";
        assert_eq!(verdict("id-token/signature-fits-a-published-key", &several), Verdict::Fail);
    }

    #[test]
    fn other_algorithms_are_judged_by_what_is_advertised() {
        let id = "id-token/algorithm-was-agreed-on";
        let signed = "> POST token grant_type=authorization_code&code=C&client_id=main\n\
            ! id_token {\"header\":{\"alg\":\"ES256\"}}\n< 200 {\"access_token\":\"A\",\"id_token\":\"I\"}\n";
        let listed = |list: &str| {
            format!("{signed}> GET discovery\n< 200 {{\"id_token_signing_alg_values_supported\":[{list}]}}\n")
        };
        assert_eq!(verdict(id, signed), Verdict::Skip);
        assert_eq!(verdict(id, &listed("\"RS256\",\"ES256\"")), Verdict::Pass);
        assert_eq!(verdict(id, &listed("\"RS256\"")), Verdict::Fail);
    }
}
