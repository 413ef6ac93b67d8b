//! How a client shows who it is at the token endpoint: secret (RFC 6749 §2.3.1) or signed assertion
//! (RFC 7523 §2.2), and what the record shows to be wrong with it.

use url::Url;

use super::Cite::{OpenIdCore, Rfc};
use super::code::{self, beside_the_point};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::oauth::grant::{CLIENT_ASSERTION_TYPE, authorization_code, client_credentials, refresh_token};
use crate::oauth::salesforce::Profile;
use crate::subject::{ClientAuth, Flow, SubjectApp};
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// An answer of the examples.
macro_rules! answer {
    (granted) => {
        "200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n"
    };
    (refused) => {
        "401 {\"error\":\"invalid_client\"}\n"
    };
}

/// A client credentials request by HTTP Basic with a `right` or `wrong` secret, and its answer.
macro_rules! basic {
    ($secret:ident, $answer:ident) => {
        concat!(
            "> POST token grant_type=client_credentials\n> Authorization: Basic YmFzaWM6eA==\n! basic basic\n! secret ",
            stringify!($secret),
            "\n< ",
            answer!($answer)
        )
    };
}

/// A client credentials request with a client assertion that is right or wrong in one thing, and its answer.
macro_rules! asserted {
    (right, $answer:ident) => {
        asserted!("1", "org", "+150", "\"verifies\":true,\"alg\":\"RS256\"", $answer)
    };
    (misdirected, $answer:ident) => {
        asserted!("2", "another", "+150", "\"verifies\":true,\"alg\":\"RS256\"", $answer)
    };
    (expired, $answer:ident) => {
        asserted!("2", "org", "-600", "\"verifies\":true,\"alg\":\"RS256\"", $answer)
    };
    (forged, $answer:ident) => {
        asserted!("2", "org", "+150", "\"verifies\":false,\"alg\":\"RS256\"", $answer)
    };
    (unsigned, $answer:ident) => {
        asserted!("2", "org", "+150", "\"verifies\":false,\"unsigned\":true,\"alg\":\"none\"", $answer)
    };
    ($jti:literal, $host:literal, $exp:literal, $facts:literal, $answer:ident) => {
        concat!(
            "> POST token grant_type=client_credentials&client_id=assertion&client_assertion_type=",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=J",
            concat!(
                $jti,
                "\n! client_assertion {\"claims\":{\"jti\":\"",
                $jti,
                "\",\"aud\":\"https://",
                $host
            ),
            concat!(".example/token\",\"iss\":\"assertion\",\"sub\":\"assertion\",\"exp\":{now", $exp, "}},"),
            concat!($facts, "}\n< ", answer!($answer))
        )
    };
}

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "client-auth/basic-is-accepted",
        title: "a client with a secret may show it by HTTP Basic",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-01",
        cites: &[Rfc(6749, "2.3.1")],
        explain: "Basic is the one method that every server must take from a client with a secret, so many libraries send \
            nothing else. Name and secret are form-encoded each, joined by a colon, then base64. A server that does not \
            decode them refuses secrets with reserved characters, one that only looks into the body refuses all. Where the \
            app is registered for another method and the server binds it to that, the finding weighs less (RFC 7591 §2 \
            knows such a registration).",
        passes: basic!(right, granted),
        fails: basic!(right, refused),
        judge: basic_is_accepted,
    },
    Check {
        id: "client-auth/wrong-secret-is-refused",
        title: "a wrong client secret is refused with invalid_client",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-05",
        cites: &[Rfc(6749, "3.2.1"), Rfc(6749, "5.2")],
        explain: "The client_id is public; only the secret keeps others from redeeming stolen codes and refresh tokens in \
            the client's name. A server that does not look at it, or at a part of it, has no client authentication at all. \
            Compare the whole secret in constant time before the grant is touched, and answer invalid_client, so that the \
            client looks at its configuration and not at its grant. On Salesforce, Require Secret for Web Server Flow and \
            Require Secret for Refresh Token Flow decide whether one is asked for.",
        passes: "> POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=s\n\
            ! secret right\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            > POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=x\n\
            ! secret wrong\n\
            < 400 {\"error\":\"invalid_client\"}",
        fails: "> POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=x\n\
            ! secret wrong\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}",
        judge: wrong_secret_is_refused,
    },
    Check {
        id: "client-auth/failed-basic-is-401-with-challenge",
        title: "failed HTTP Basic is answered 401 with WWW-Authenticate: Basic",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-06",
        cites: &[Rfc(6749, "5.2")],
        explain: "A client that came with an Authorization header is part of HTTP's own authentication, and there a failure \
            is 401 with a challenge of the same scheme. Generic HTTP clients read the challenge to learn that they must send \
            other credentials; at 400 they believe that the request was malformed. Answer 401, WWW-Authenticate: Basic \
            realm=\"...\" and invalid_client in the body. For credentials in the body 400 remains right.",
        passes: concat!(basic!(wrong, refused), "< WWW-Authenticate: Basic realm=\"org\""),
        fails: basic!(wrong, refused),
        judge: failed_basic_is_401_with_challenge,
    },
    Check {
        id: "client-auth/right-assertion-is-accepted",
        title: "a client may show itself by a signed assertion (private_key_jwt)",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-15",
        cites: &[Rfc(7523, "2.2"), Rfc(7523, "3"), OpenIdCore("9")],
        explain: "A client that is registered with a key signs a short-lived JWT instead of sending a secret: iss and sub \
            are its client_id, aud is the token endpoint or the issuer. If the server refuses a right one, the safest way of \
            authentication is closed and people fall back to secrets. Look first at the certificate that the server holds, \
            then at its clock and at the audience that it expects. On Salesforce the assertion is read only where no \
            client_secret is sent, and an external client app has a certificate of its own for it.",
        passes: asserted!(right, granted),
        fails: asserted!(right, refused),
        judge: right_assertion_is_accepted,
    },
    Check {
        id: "client-auth/assertion-for-another-audience-is-refused",
        title: "a client assertion that is meant for another server is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-16",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.2")],
        explain: "Without the audience an assertion is good everywhere: another server to which the client showed itself can \
            carry the assertion here and be the client. The server must find its own identity in aud, the token endpoint URL or \
            its issuer identifier, and refuse everything else with invalid_client. Compare whole strings; a prefix or the mere \
            presence of the claim is no check.",
        passes: concat!(asserted!(right, granted), asserted!(misdirected, refused)),
        fails: asserted!(misdirected, granted),
        judge: assertion_for_another_audience_is_refused,
    },
    Check {
        id: "client-auth/expired-assertion-is-refused",
        title: "a client assertion past its exp is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-18",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.2")],
        explain: "The lifetime bounds the damage of an assertion that leaked into a log or a trace: past exp it must be \
            worthless, some clock skew apart. A server that does not look turns every assertion ever sent into a password. \
            Refuse with invalid_client once exp plus the leeway has passed, and keep the leeway at minutes. The check takes the \
            target's setting leeway, and three minutes where none is given.",
        passes: concat!(asserted!(right, granted), asserted!(expired, refused)),
        fails: asserted!(expired, granted),
        judge: expired_assertion_is_refused,
    },
    Check {
        id: "client-auth/assertion-signature-is-verified",
        title: "a client assertion with a signature that does not fit is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-21",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.2")],
        explain: "The claims of an assertion are public knowledge; the signature alone proves that the client wrote them. A \
            server that reads the claims and skips the verification lets anybody in who can spell a client_id. Verify against \
            the certificate or key that is registered for this very client, never against one that the assertion brings along, \
            and answer invalid_client. Most libraries have a decode and a verify call: check that it is the second.",
        passes: concat!(asserted!(right, granted), asserted!(forged, refused)),
        fails: concat!(asserted!(right, granted), asserted!(forged, granted)),
        judge: assertion_signature_is_verified,
    },
    Check {
        id: "client-auth/unsigned-assertion-is-refused",
        title: "a client assertion with alg none or without a signature is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-22",
        cites: &[Rfc(7523, "3"), Rfc(8725, "3.2")],
        explain: "JWT knows an algorithm called none, and a library that goes by the header of the token takes such a token \
            for verified. Then no key is needed to be any client. Fix the algorithms that are accepted (RS256 on Salesforce) when \
            the verifier is built, never take them from the token, and refuse an empty signature with invalid_client whatever \
            the header says.",
        passes: concat!(asserted!(right, granted), asserted!(unsigned, refused)),
        fails: asserted!(unsigned, granted),
        judge: unsigned_assertion_is_refused,
    },
];

fn basic_is_accepted(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in requests(t).filter(|x| by_basic(x) && x.facts.secret_is_right == Some(true)) {
        let alone = x.param("client_secret").is_none() && x.param("client_assertion").is_none();
        if !alone || !ids_agree(x) || !needs_authentication(t, x) {
            continue;
        }
        let expected = "the client is authenticated by HTTP Basic: its secret is right";
        if x.granted() {
            j.pass();
        } else if refuses_the_client(x) && grant_is_clean(t, x) {
            let by_post = |y: &&Exchange| {
                let right = y.granted() && y.facts.secret_is_right == Some(true);
                right && y.client_id() == x.client_id() && !by_basic(y)
            };
            if app(t, x).is_some_and(|app| app.client_auth == ClientAuth::Basic) {
                j.fail(&[x], expected, x.outcome());
            } else if let Some(y) = requests(t).find(by_post) {
                j.fail_lesser(&[y, x], expected, format!("{}, and granted by the body", x.outcome()));
            }
        }
    }
    j
}

fn wrong_secret_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in requests(t).filter(|x| x.facts.secret_is_right == Some(false)) {
        let twice = by_basic(x) && x.param("client_secret").is_some();
        if twice || x.param("client_assertion").is_some() || !ids_agree(x) {
            continue;
        }
        let because = "the client secret is wrong";
        if x.granted() {
            // A secret that is not asked for may be left unread.
            let optional = t.subject.settings.is("secret_optional");
            if !(optional && x.grant_type() == Some(authorization_code::GRANT_TYPE)) {
                j.refused(x, true, &["invalid_client"], because);
            }
        } else if grant_is_clean(t, x) && !beside_the_point(x) {
            let control = granted_alike(t, x).any(|y| y.facts.secret_is_right == Some(true));
            j.refused(x, control, &["invalid_client"], because);
        }
    }
    j
}

fn failed_basic_is_401_with_challenge(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in requests(t).filter(|x| by_basic(x) && (400..500).contains(&x.status()) && !beside_the_point(x)) {
        let failed = match x.error() {
            Some(error) => error.error == "invalid_client",
            None => x.facts.secret_is_right == Some(false),
        };
        let Some(response) = x.response().filter(|_| failed || x.status() == 401) else { continue };
        let list = response.header_list("www-authenticate");
        let scheme = |challenge: &str| {
            challenge.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("basic"))
        };
        if x.status() == 401 && list.split(',').any(scheme) {
            j.pass();
        } else {
            let list = if list.is_empty() { "nothing" } else { list.as_str() };
            let observed = format!("{}; WWW-Authenticate: {list}", x.outcome());
            j.fail(&[x], "401 with WWW-Authenticate: Basic", observed);
        }
    }
    j
}

fn right_assertion_is_accepted(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in with_assertion(t).filter(|x| assertion_is_right(t, x)) {
        let registered = app(t, x).is_some_and(|app| app.client_auth == ClientAuth::PrivateKeyJwt);
        if x.granted() {
            j.pass();
        } else if registered && refuses_the_client(x) && grant_is_clean(t, x) {
            j.fail(
                &[x],
                "the client is authenticated by its assertion: it is right in every part",
                x.outcome(),
            );
        }
    }
    j
}

fn assertion_for_another_audience_is_refused(t: &Transcript) -> Judgement {
    assertion_is_refused(t, Wrong::Audience, "the assertion is meant for another server")
}

fn expired_assertion_is_refused(t: &Transcript) -> Judgement {
    assertion_is_refused(t, Wrong::Expired, "the assertion is past its exp and any leeway")
}

fn assertion_signature_is_verified(t: &Transcript) -> Judgement {
    assertion_is_refused(t, Wrong::Signature, "the signature does not fit the key of the client")
}

fn unsigned_assertion_is_refused(t: &Transcript) -> Judgement {
    assertion_is_refused(t, Wrong::Unsigned, "the assertion is not signed")
}

fn assertion_is_refused(t: &Transcript, wrong: Wrong, because: &str) -> Judgement {
    let mut j = Judgement::new();
    for x in with_assertion(t) {
        let found = wrongs(t, x);
        if !found.contains(&wrong) {
            continue;
        }
        let aud = |z: &Exchange| z.facts.client_assertion.as_ref().and_then(|a| a.claims.get("aud").cloned());
        // Which audiences a server takes is not always known: the control had the same one.
        let control = granted_alike(t, x).any(|y| {
            let alike = wrong == Wrong::Audience || aud(y) == aud(x);
            y.facts.client_assertion.is_some() && alike && wrongs(t, y).is_empty()
        });
        // That a signature does not fit is known as well as the key is: a grant that nothing was done to
        // and no other assertion of the client vouches for may be one of a key that the target does not state.
        let vouched = wrong != Wrong::Signature || control || x.tweak.is_some();
        let alone = found == [wrong] && grant_is_clean(t, x) && !beside_the_point(x);
        if x.granted() && vouched || !x.granted() && alone {
            j.refused(x, control, &["invalid_client"], because);
        }
    }
    j
}

/// What is wrong with a client assertion, as far as the record proves it (RFC 7523 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// It cannot be read.
    Malformed,
    /// `client_assertion_type` is missing or another one.
    Type,
    /// `iss` or `sub` is not the client.
    Party,
    /// `aud` names other servers only.
    Audience,
    /// No `aud`.
    AudienceMissing,
    /// Past `exp` and leeway.
    Expired,
    /// No `exp`, or `exp` or `nbf` within the leeway or beyond it.
    Time,
    /// RS256 with a signature that does not fit.
    Signature,
    /// `alg: none` or no signature.
    Unsigned,
    /// The same assertion, or its `jti`, came before.
    Replayed,
}

/// How much clock skew a server forgives where no setting says it, in milliseconds.
const LEEWAY: i64 = 180_000;

fn wrongs(t: &Transcript, x: &Exchange) -> Vec<Wrong> {
    let Some(assertion) = &x.facts.client_assertion else { return vec![Wrong::Malformed] };
    if assertion.malformed.is_some() {
        return vec![Wrong::Malformed];
    }
    let mut found = Vec::new();
    let mut note = |seen: bool, wrong: Wrong| {
        if seen {
            found.push(wrong);
        }
    };
    note(x.param("client_assertion_type") != Some(CLIENT_ASSERTION_TYPE), Wrong::Type);
    let claim = |name: &str| assertion.claims.get(name).and_then(serde_json::Value::as_str);
    let client = x.client_id();
    note(claim("iss") != client || claim("sub") != client || app(t, x).is_none(), Wrong::Party);
    note(audience(t, x) == Audience::Another, Wrong::Audience);
    note(assertion.audiences().is_empty(), Wrong::AudienceMissing);
    let leeway = t.subject.settings.millis("leeway").unwrap_or(LEEWAY);
    let millis = |seconds: i64| seconds.saturating_mul(1000);
    let past = assertion.exp().map(|exp| x.at.saturating_sub(millis(exp)));
    note(past.is_some_and(|past| past >= leeway.max(1)), Wrong::Expired);
    let early = assertion.nbf().is_some_and(|nbf| millis(nbf) > x.at);
    note(past.is_none_or(|past| (0..leeway.max(1)).contains(&past)) || early, Wrong::Time);
    let unsigned = assertion.unsigned || assertion.alg.eq_ignore_ascii_case("none");
    note(unsigned, Wrong::Unsigned);
    // Of other algorithms the fact does not tell: a server may take them, and the verifier here knows RS256 alone.
    note(!unsigned && assertion.verifies == Some(false) && assertion.alg == "RS256", Wrong::Signature);
    let replayed = t.before(x).any(|y| {
        let same_text =
            y.param("client_assertion").is_some_and(|text| x.param("client_assertion") == Some(text));
        let jti = |z: &Exchange| z.facts.client_assertion.as_ref().and_then(|a| a.claims.get("jti").cloned());
        same_text || jti(x).is_some() && jti(x) == jti(y) && y.client_id() == client
    });
    note(replayed, Wrong::Replayed);
    found
}

/// Whether an assertion is right in every part that a server may look at.
fn assertion_is_right(t: &Transcript, x: &Exchange) -> bool {
    const LONGEST: i64 = 300;
    let Some(assertion) = &x.facts.client_assertion else { return false };
    let now = x.at / 1000;
    let issued = assertion.claims.get("iat").and_then(crate::oauth::jwt::seconds);
    assertion.verifies == Some(true)
        && assertion.alg == "RS256"
        && audience(t, x) == Audience::Exact
        && assertion.exp().is_some_and(|exp| (now + 30..=now + LONGEST).contains(&exp))
        && issued.is_none_or(|iat| (now - LONGEST..=now).contains(&iat))
        && wrongs(t, x).is_empty()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// The token endpoint or the issuer, to the letter.
    Exact,
    /// Not to the letter, or not enough is known of the server.
    Doubtful,
    /// Other servers only.
    Another,
}

fn audience(t: &Transcript, x: &Exchange) -> Audience {
    let Some(assertion) = &x.facts.client_assertion else { return Audience::Doubtful };
    let told = t.at(Endpoint::Discovery).filter_map(|d| d.text("issuer"));
    let e = &t.subject.endpoints;
    let known = [&e.issuer, &e.token, &e.authorize, &e.introspect, &e.revoke, &e.discovery, &e.metadata];
    let asked = std::iter::once(x.request.url.as_str());
    let own: Vec<&str> = known.into_iter().flatten().map(String::as_str).chain(told).chain(asked).collect();
    let audiences = assertion.audiences();
    let exact = [e.token.as_deref(), e.issuer.as_deref()];
    if audiences.iter().any(|aud| exact.contains(&Some(aud))) {
        return Audience::Exact;
    }
    // An issuer may live on another host than the endpoints: unless it is known, only a change on purpose is another.
    let informed = e.issuer.is_some() || x.tweak.is_some();
    let near = |aud: &&str| {
        own.iter().any(|url| same_host(aud, url))
            || same_host(aud, &t.subject.org)
            || t.subject.profile == Profile::Salesforce && is_salesforce(aud)
    };
    if audiences.is_empty() || !informed || audiences.iter().any(near) {
        return Audience::Doubtful;
    }
    Audience::Another
}

/// Whether two texts name the same host, be they URLs or not.
fn same_host(a: &str, b: &str) -> bool {
    let host = |text: &str| Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned));
    let bare = |text: &str| text.trim_end_matches('/').to_ascii_lowercase();
    host(a).unwrap_or_else(|| bare(a)) == host(b).unwrap_or_else(|| bare(b))
}

/// Whether a URL is on a host of Salesforce: an org answers to its login hosts and sites too.
fn is_salesforce(text: &str) -> bool {
    let Some(host) = Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned)) else {
        return false;
    };
    [".salesforce.com", ".force.com", ".my.site.com", ".salesforce.mil", ".sfcrmproducts.cn"]
        .iter()
        .any(|suffix| host.ends_with(suffix))
}

/// Whether the client shows itself as it must; none where the record does not tell.
pub(super) fn shown(t: &Transcript, x: &Exchange) -> Option<bool> {
    if x.client_id().is_none() || !ids_agree(x) {
        return Some(false);
    }
    if t.subject.apps.is_empty() {
        return None;
    }
    let Some(app) = app(t, x) else { return Some(false) };
    let in_url = x.request.query().get("client_secret").is_some();
    let in_body = x.request.form().get("client_secret").is_some();
    let ways = [in_url, in_body, by_basic(x), x.param("client_assertion").is_some()];
    match ways.iter().filter(|sent| **sent).count() {
        0 => Some(app.public || !needs_authentication(t, x)),
        1 if in_url => Some(false),
        1 if x.param("client_assertion").is_some() => {
            let verified = x.facts.client_assertion.as_ref().and_then(|assertion| assertion.verifies);
            if wrongs(t, x).is_empty() { verified.filter(|fits| *fits) } else { Some(false) }
        }
        1 => x.facts.secret_is_right,
        _ => Some(false),
    }
}

/// Whether the client shows itself rightly and in the very way that it is registered for.
pub(super) fn shown_as_registered(t: &Transcript, x: &Exchange) -> bool {
    let Some(app) = app(t, x) else { return false };
    let in_body = x.request.form().get("client_secret").is_some();
    let in_its_way = match app.client_auth {
        ClientAuth::Post => in_body && !by_basic(x),
        ClientAuth::Basic => by_basic(x) && !in_body,
        ClientAuth::None => !in_body && x.request.header("authorization").is_none(),
        ClientAuth::PrivateKeyJwt => assertion_is_right(t, x),
    };
    in_its_way && shown(t, x) == Some(true)
}

/// Whether the app lists that flow.
pub(super) fn lists(t: &Transcript, x: &Exchange, flow: Flow) -> bool {
    app(t, x).is_some_and(|app| app.flows.contains(&flow))
}

fn app<'t>(t: &'t Transcript, x: &Exchange) -> Option<&'t SubjectApp> {
    t.subject.app_of(x.client_id()?)
}

/// Answered token requests that are a POST.
fn requests(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    t.at(Endpoint::Token).filter(|x| x.request.method == "POST" && x.response().is_some())
}

/// Token requests in which a client assertion alone stands for the client.
fn with_assertion(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    requests(t)
        .filter(|x| x.facts.client_assertion.is_some() && needs_authentication(t, x))
        .filter(|x| x.param("client_secret").is_none() && !by_basic(x))
}

/// Granted requests of the same client and grant type: where the flaw is absent, the positive control.
fn granted_alike<'t>(t: &'t Transcript, x: &'t Exchange) -> impl Iterator<Item = &'t Exchange> {
    requests(t).filter(|y| y.granted() && y.client_id() == x.client_id() && y.grant_type() == x.grant_type())
}

fn by_basic(x: &Exchange) -> bool {
    let scheme = x.request.header("authorization").and_then(|header| header.split(' ').next());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic"))
}

/// Whether header and body name the same client, as far as both do.
fn ids_agree(x: &Exchange) -> bool {
    let (header, body) = (x.facts.basic_client_id.as_deref(), x.param("client_id"));
    header.is_none() || body.is_none() || header == body
}

/// Whether a request is granted to an authenticated client only: then a grant shows that the
/// authentication was taken.
fn needs_authentication(t: &Transcript, x: &Exchange) -> bool {
    let settings = &t.subject.settings;
    let needed = match x.grant_type() {
        Some(authorization_code::GRANT_TYPE) => !settings.is("secret_optional"),
        Some(refresh_token::GRANT_TYPE) => settings.flag("secret_for_refresh") != Some(false),
        Some(client_credentials::GRANT_TYPE) => true,
        _ => false,
    };
    needed && app(t, x).is_none_or(|app| !app.public)
}

/// Whether an error says that the server did not take the client for who it is.
fn refuses_the_client(x: &Exchange) -> bool {
    match x.error().map(|error| error.error).as_deref() {
        Some("invalid_client") => true,
        Some("invalid_request" | "invalid_client_id" | "invalid_basic_auth_header") => x.tweak.is_none(),
        _ => x.status() == 401,
    }
}

/// Whether nothing but the client's authentication can be wrong with a request.
fn grant_is_clean(t: &Transcript, x: &Exchange) -> bool {
    if x.request.form().repeated().is_some() {
        return false;
    }
    match x.grant_type() {
        Some(authorization_code::GRANT_TYPE) => {
            lists(t, x, Flow::WebServer)
                && code::flaws(t, x).iter().all(|flaw| *flaw == code::Flaw::Credentials)
        }
        Some(refresh_token::GRANT_TYPE) => x.param("refresh_token").is_some_and(|token| {
            let own =
                t.origin_of_refresh_token(token).is_none_or(|origin| origin.client_id() == x.client_id());
            let live = t.rotated_before(token, x).is_none() && t.revoked_before(token, x).is_none();
            own && live && x.race.is_none()
        }),
        Some(client_credentials::GRANT_TYPE) => lists(t, x, Flow::ClientCredentials),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::script;
    use crate::verdict::Verdict;

    fn verdict(judge: fn(&Transcript) -> Judgement, record: &str) -> Verdict {
        judge(&script::read(record)).verdict()
    }

    fn level(judge: fn(&Transcript) -> Judgement, record: &str) -> Level {
        judge(&script::read(record)).into_findings("x", Level::Must)[0].level
    }

    const RIGHT: &str = asserted!(right, granted);
    const GRANTED: &str = answer!(granted);
    const REFUSED: &str = answer!(refused);

    fn post(secret: &str, answer: &str) -> String {
        let request = "> POST token grant_type=client_credentials&client_id=main&client_secret=s";
        format!("{request}\n! secret {secret}\n< {answer}\n")
    }

    #[test]
    fn basic_of_an_app_that_is_registered_for_the_body_weighs_less_and_needs_a_control() {
        let refused = basic!(right, refused).replace("basic basic", "basic main");
        assert_eq!(verdict(basic_is_accepted, &refused), Verdict::Skip);
        assert_eq!(level(basic_is_accepted, &(post("right", GRANTED) + &refused)), Level::Should);
        // The grant was refused, not the client.
        let grant = basic!(right, refused).replace("401", "400").replace("invalid_client", "invalid_scope");
        assert_eq!(verdict(basic_is_accepted, &grant), Verdict::Skip);
    }

    #[test]
    fn a_refused_secret_proves_nothing_without_a_right_one() {
        let wrong = post("wrong", REFUSED);
        assert_eq!(verdict(wrong_secret_is_refused, &wrong), Verdict::Inconclusive);
        let right = post("right", GRANTED);
        assert_eq!(verdict(wrong_secret_is_refused, &(right.clone() + &wrong)), Verdict::Pass);
        assert_eq!(verdict(wrong_secret_is_refused, &(right.clone() + &post("wrong", "429"))), Verdict::Skip);
        let other = right + &post("wrong", "400 {\"error\":\"invalid_grant\"}");
        assert_eq!(level(wrong_secret_is_refused, &other), Level::Should);
    }

    #[test]
    fn a_wrong_secret_is_not_blamed_for_a_dead_refresh_token_nor_for_not_being_asked_for() {
        let refresh = |token: &str, secret: &str, answer: &str| {
            post(secret, answer)
                .replace("client_credentials", &format!("refresh_token&refresh_token={token}"))
        };
        let rotated = "200 {\"access_token\":\"A\",\"refresh_token\":\"R2\"}";
        let dead =
            refresh("R1", "right", rotated) + &refresh("R1", "wrong", "400 {\"error\":\"invalid_grant\"}");
        assert_eq!(verdict(wrong_secret_is_refused, &dead), Verdict::Skip);
        let taken = post("wrong", GRANTED).replace("client_credentials", "authorization_code&code=C");
        assert_eq!(verdict(wrong_secret_is_refused, &taken), Verdict::Fail);
        let optional = format!("= setting secret_optional true\n{taken}");
        assert_eq!(verdict(wrong_secret_is_refused, &optional), Verdict::Skip);
    }

    #[test]
    fn a_challenge_must_be_of_the_scheme_that_was_used() {
        let judge = |header: &str| {
            verdict(failed_basic_is_401_with_challenge, &format!("{}{header}", basic!(wrong, refused)))
        };
        assert_eq!(judge("< WWW-Authenticate: Bearer realm=\"x\""), Verdict::Fail);
        assert_eq!(judge("< WWW-Authenticate: Bearer realm=\"x\", basic realm=\"y\""), Verdict::Pass);
        // By the body, and for a reason that is not the client's, 400 is right.
        let scope = basic!(right, refused).replace("401", "400").replace("invalid_client", "invalid_scope");
        let record = post("wrong", "400 {\"error\":\"invalid_client\"}") + &scope;
        assert_eq!(verdict(failed_basic_is_401_with_challenge, &record), Verdict::Skip);
    }

    #[test]
    fn an_assertion_that_runs_out_within_the_leeway_may_go_either_way() {
        let soon = RIGHT.replace("+150", "-60");
        for record in [soon.clone(), soon.replace(GRANTED, REFUSED)] {
            assert_eq!(verdict(expired_assertion_is_refused, &record), Verdict::Skip);
            assert_eq!(verdict(right_assertion_is_accepted, &record), Verdict::Skip);
        }
        let strict = format!("= setting leeway 30s\n{soon}");
        assert_eq!(verdict(expired_assertion_is_refused, &strict), Verdict::Fail);
    }

    #[test]
    fn an_audience_on_a_host_of_the_server_is_not_another_server() {
        let judge = |profile: &str, aud: &str| {
            let record = format!("{profile}\n{}", RIGHT.replace("https://org.example/token", aud));
            verdict(assertion_for_another_audience_is_refused, &record)
        };
        assert_eq!(judge("= rfc", "https://org.example/"), Verdict::Skip);
        assert_eq!(judge("= rfc", "https://ORG.example:443/introspect"), Verdict::Skip);
        assert_eq!(judge("= rfc", "https://login.salesforce.com"), Verdict::Fail);
        assert_eq!(judge("= salesforce", "https://login.salesforce.com"), Verdict::Skip);
    }

    #[test]
    fn a_refused_assertion_with_two_flaws_says_nothing_of_either() {
        let refused = asserted!(misdirected, refused);
        assert_eq!(verdict(assertion_for_another_audience_is_refused, refused), Verdict::Inconclusive);
        let both = format!("{RIGHT}{}", refused.replace("+150", "-900"));
        assert_eq!(verdict(assertion_for_another_audience_is_refused, &both), Verdict::Skip);
        assert_eq!(verdict(expired_assertion_is_refused, &both), Verdict::Skip);
    }

    #[test]
    fn what_only_we_cannot_verify_or_a_public_client_need_not_send_is_no_evidence() {
        let forged = asserted!(forged, granted);
        assert_eq!(verdict(assertion_signature_is_verified, forged), Verdict::Skip);
        let other_algorithm = format!("{RIGHT}{}", forged.replace("RS256", "PS256"));
        assert_eq!(verdict(assertion_signature_is_verified, &other_algorithm), Verdict::Skip);
        let public = asserted!(unsigned, granted)
            .replace("client_id=assertion", "client_id=public")
            .replace("client_credentials", "refresh_token&refresh_token=R");
        assert_eq!(verdict(unsigned_assertion_is_refused, &public), Verdict::Skip);
    }
}
