//! How a Named Credential asks for its tokens.

use super::super::evidence::is_audience;
use super::super::renewal::grants::{is_refresh, same_client};
use super::*;
use crate::oauth::grant::{authorization_code, client_credentials, jwt_bearer};
use crate::subject::ClientAuth;
use crate::transcript::AssertionFacts;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "named-credential/new-token-takes-a-new-assertion",
        title: "a JWT credential asks for each token with a new assertion, and never refreshes",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Community,
        origin: "NC-04",
        cites: &[STORED, Rfc(7523, "3")],
        explain: "The JWT bearer grant brings no refresh token, and needs none: whoever holds the key signs another assertion. One that \
            was presented before may be refused as a replay, and ends within minutes anyway, so a credential that keeps it works \
            until the first token ends and fails from then on with invalid_grant. Servers that read jti or iat need an assertion for \
            each request.",
        passes: concat!(
            "= named-credential jwt-bearer\n",
            jwt!("J1", "\"iat\":{now}" => "200 {\"access_token\":\"A1\"}"),
            "+ 5m\n",
            jwt!("J2", "\"iat\":{now}" => "200 {\"access_token\":\"A2\"}")
        ),
        fails: concat!(
            "= named-credential jwt-bearer\n",
            jwt!("J1", "\"iat\":{now}" => "200 {\"access_token\":\"A1\"}"),
            "+ 5m\n",
            jwt!("J1", "\"iat\":{now-300}" => "400 {\"error\":\"invalid_grant\"}")
        ),
        judge: new_token_takes_a_new_assertion,
    },
    Check {
        id: "named-credential/assertion-has-the-claims-set-up",
        title: "the assertion names issuer, subject and audience as they are set up, has iat, and ends when it should",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "NC-05",
        cites: &[Salesforce("Named Credentials: OAuth 2.0 Bearer Flow JWT Claims"), Rfc(7523, "3")],
        explain: "An External Credential writes iat by itself and exp two minutes ahead where no other time is set, and signs with RS256 \
            (RS512 can be chosen). iss, sub and aud are what its claims panel has: the client_id at the external server, the user or \
            account there, and the audience that it asks for, as a rule its issuer or token endpoint. Each of them is compared by \
            the server, and each is refused with the same invalid_grant, so compare the claims before the certificate.",
        passes: concat!(
            "= named-credential jwt-bearer\n",
            jwt!("J1", "\"iss\":\"main\",\"sub\":\"svc@example.com\",\"aud\":\"https://org.example/token\",\"iat\":{now},\"exp\":{now+120}" =>
                "200 {\"access_token\":\"A1\"}")
        ),
        fails: concat!(
            "= named-credential jwt-bearer\n",
            jwt!("J1", "\"iss\":\"main\",\"sub\":\"svc@example.com\",\"aud\":\"https://org.example/token\",\"exp\":{now+120}" =>
                "200 {\"access_token\":\"A1\"}")
        ),
        judge: assertion_has_the_claims_set_up,
    },
    Check {
        id: "named-credential/credential-stands-where-it-is-set-up",
        title: "a client credentials request has its credential where the External Credential says, and nowhere else",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "NC-06",
        cites: &[
            Rfc(6749, "2.3.1"),
            Salesforce(
                "Create or Edit an OAuth External Credential with the Client Credentials with Client Secret Flow",
            ),
        ],
        explain: "Whether id and secret go into the body or into HTTP Basic is a checkbox of the External Credential (Pass client \
            credentials in request body), and a signed assertion stands for the secret in a flow of its own. Servers accept one of \
            them for each client, and answer the other with invalid_client, which reads like a wrong secret. RFC 6749 allows one \
            method in a request: a secret that comes in both is refused by some servers and logged by others.",
        passes: concat!(
            "= named-credential client-secret\n",
            ask!("grant_type=client_credentials&client_id=main&client_secret=s" => "200 {\"access_token\":\"A1\"}")
        ),
        fails: concat!(
            "= named-credential client-secret-basic\n",
            ask!("grant_type=client_credentials&client_id=main&client_secret=s" => "200 {\"access_token\":\"A1\"}")
        ),
        judge: credential_stands_where_it_is_set_up,
    },
    Check {
        id: "named-credential/browser-flow-is-protected",
        title: "a login by the browser flow carries a state, and an S256 challenge where PKCE is set up",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "NC-07",
        cites: &[Rfc(9700, "2.1.1"), Rfc(6749, "10.12")],
        explain: "The login of a principal ends at the callback of the Auth Provider in Salesforce. Without a state, somebody could bring \
            a code of their own there, and the org would call out for them; without PKCE, a code that leaks is good for whoever has \
            the secret. Salesforce sends a state always, and a challenge where the Auth Provider has Use Proof Key for Code \
            Exchange (isPkceEnabled); a server that asks for PKCE needs that switch.",
        passes: concat!(
            "= named-credential browser\n",
            "> GET authorize response_type=code&client_id=main&state=s1&code_challenge=c&code_challenge_method=S256\n< 200\n"
        ),
        fails: concat!(
            "= named-credential browser\n",
            "> GET authorize response_type=code&client_id=main&code_challenge=c&code_challenge_method=S256\n< 200\n"
        ),
        judge: browser_flow_is_protected,
    },
];

/// How far apart two moments may lie that are meant to be the same, in seconds.
const SAME: i64 = 1;

fn claim<'a>(says: &'a AssertionFacts, name: &str) -> Option<&'a str> {
    says.claims.get(name)?.as_str().filter(|text| !text.is_empty())
}

fn seconds(says: &AssertionFacts, name: &str) -> Option<i64> {
    says.claims.get(name)?.as_i64()
}

fn new_token_takes_a_new_assertion(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "an assertion that is signed for this request";
    if protocol(t).is_some_and(|protocol| !protocol.signs_grants()) {
        return j;
    }
    let signed = |x: &Exchange| x.grant_type() == Some(jwt_bearer::GRANT_TYPE);
    for x in asked(t) {
        let earlier = |y: &&Exchange| signed(y) && y.granted() && x.began_after(y) && same_client(x, y);
        let Some(y) = asked(t).find(earlier) else { continue };
        if is_refresh(x) {
            j.fail(&[y, x], expected, "a refresh");
        } else if signed(x) && x.param("assertion") == y.param("assertion") {
            // Two within a second may well be the same, letter by letter.
            let issued = x.facts.assertion.as_ref().and_then(|says| seconds(says, "iat"));
            if x.at / 1000 - issued.unwrap_or(y.at / 1000) > SAME {
                j.fail(&[y, x], expected, "the assertion of an earlier grant");
            }
        } else if signed(x) {
            j.pass();
        }
    }
    j
}

fn assertion_has_the_claims_set_up(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in asked(t).filter(|x| x.grant_type() == Some(jwt_bearer::GRANT_TYPE)) {
        let Some(says) = x.facts.assertion.as_ref().filter(|says| says.malformed.is_none()) else { continue };
        match amiss(t, x, says) {
            Some((expected, observed)) => j.fail(&[x], expected, observed),
            None => j.pass(),
        }
    }
    j
}

/// What is wrong with an assertion: what it must have, and what it has.
fn amiss(t: &Transcript, x: &Exchange, says: &AssertionFacts) -> Option<(String, String)> {
    let text = |name: &str| claim(says, name).unwrap_or("none").to_owned();
    if !matches!(says.alg.as_str(), "RS256" | "RS512") {
        return Some(("RS256, or RS512 where that is chosen".into(), format!("alg {}", says.alg)));
    }
    let Some(issued) = seconds(says, "iat") else { return Some(("iat in seconds".into(), "none".into())) };
    let Some(ends) = seconds(says, "exp") else { return Some(("exp in seconds".into(), "none".into())) };
    if protocol(t) == Some(Protocol::JwtBearer)
        && let Some(lifetime) = Protocol::JwtBearer.lifetime()
        && (ends - issued - lifetime).abs() > SAME
    {
        return Some((format!("exp {lifetime} s after iat"), format!("{} s", ends - issued)));
    }
    // What is set up beyond that is known of a play alone.
    protocol(t)?;
    let known = |name: &str| t.subject.app_of(name).is_some();
    if !claim(says, "iss").is_some_and(known) {
        return Some(("iss is the client_id".into(), text("iss")));
    }
    if !claim(says, "sub").is_some_and(|sub| t.subject.users.values().any(|user| user == sub)) {
        return Some(("sub is the user".into(), text("sub")));
    }
    let audiences = says.audiences();
    let meant = audiences.iter().any(|audience| is_audience(t, x, audience));
    (!meant).then(|| ("aud is the server that is asked".into(), audiences.join(", ")))
}

fn credential_stands_where_it_is_set_up(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in asked(t).filter(|x| x.grant_type() == Some(client_credentials::GRANT_TYPE)) {
        let registered = || Some(t.subject.app_of(x.client_id()?)?.client_auth);
        let Some(place) = protocol(t).and_then(Protocol::client_auth).or_else(registered) else { continue };
        let there: Vec<ClientAuth> = [
            (ClientAuth::Post, x.param("client_secret").is_some()),
            (ClientAuth::Basic, x.facts.basic_client_id.is_some() || has_basic(x)),
            (ClientAuth::PrivateKeyJwt, x.param("client_assertion").is_some()),
        ]
        .into_iter()
        .filter_map(|(place, is_there)| is_there.then_some(place))
        .collect();
        if there == [place] {
            j.pass();
        } else {
            let names = there.iter().map(|place| in_words(*place)).collect::<Vec<_>>().join(" and ");
            let names = if names.is_empty() { "no credential".to_owned() } else { names };
            j.fail(&[x], in_words(place), names);
        }
    }
    j
}

fn has_basic(x: &Exchange) -> bool {
    let basic = |value: &str| value.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("basic "));
    x.request.header("authorization").is_some_and(basic)
}

fn in_words(place: ClientAuth) -> &'static str {
    match place {
        ClientAuth::Post => "the secret in the body",
        ClientAuth::Basic => "the secret in HTTP Basic",
        ClientAuth::PrivateKeyJwt => "a signed assertion",
        ClientAuth::None => "no credential",
    }
}

fn browser_flow_is_protected(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let by_login = |x: &Exchange| x.grant_type() == Some(authorization_code::GRANT_TYPE) && says_so(x);
    if protocol(t) != Some(Protocol::Browser) && !t.at(Endpoint::Token).any(by_login) {
        return j;
    }
    let required = t.subject.settings.is("pkce_required");
    for x in t.at(Endpoint::Authorize) {
        let given = |name: &str| x.param(name).filter(|value| !value.is_empty());
        let challenge = given("code_challenge");
        if given("state").is_none() {
            j.fail(&[x], "a state", "none");
        } else if required && challenge.is_none() {
            j.fail(&[x], "an S256 challenge, which is set up here", "no challenge");
        } else if challenge.is_some() && given("code_challenge_method") != Some("S256") {
            let method = given("code_challenge_method").unwrap_or("no method").to_owned();
            j.fail(&[x], "code_challenge_method S256", method);
        } else {
            j.pass();
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn two_assertions_of_one_second_may_be_the_same() {
        let id = "named-credential/new-token-takes-a-new-assertion";
        let record = concat!(
            "= named-credential jwt-exchange\n",
            jwt!("J1", "\"iat\":{now}" => "200 {\"access_token\":\"A1\"}"),
            jwt!("J1", "\"iat\":{now}" => "200 {\"access_token\":\"A2\"}")
        );
        comes_to(id, record, Verdict::Skip);
        let refreshed = concat!(
            jwt!("J1", "\"iat\":{now}" => "200 {\"access_token\":\"A1\",\"refresh_token\":\"R1\"}"),
            refresh!("R1" => "200 {\"access_token\":\"A2\"}")
        );
        comes_to(id, &format!("= named-credential jwt-bearer\n{refreshed}"), Verdict::Fail);
        comes_to(id, &format!("= named-credential browser\n{refreshed}"), Verdict::Skip);
    }

    #[test]
    fn a_lifetime_is_compared_where_nobody_set_another() {
        let id = "named-credential/assertion-has-the-claims-set-up";
        let hour = jwt!("J1", "\"iss\":\"main\",\"sub\":\"svc@example.com\",\"aud\":\"https://org.example\",\"iat\":{now},\"exp\":{now+3600}" =>
            "200 {\"access_token\":\"A1\"}");
        comes_to(id, &format!("= named-credential jwt-bearer\n{hour}"), Verdict::Fail);
        comes_to(id, &format!("= named-credential jwt-exchange\n{hour}"), Verdict::Pass);
        comes_to(id, hour, Verdict::Pass);
    }

    #[test]
    fn a_challenge_is_asked_for_where_it_is_set_up() {
        let id = "named-credential/browser-flow-is-protected";
        let login =
            "= named-credential browser\n> GET authorize response_type=code&client_id=main&state=s1\n< 200\n";
        comes_to(id, login, Verdict::Pass);
        comes_to(id, &format!("= setting pkce_required true\n{login}"), Verdict::Fail);
    }
}
