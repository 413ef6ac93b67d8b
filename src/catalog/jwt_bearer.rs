//! The JWT bearer grant (RFC 7523 §2.1, §3): which assertions are worth an access token.

use serde_json::Value;

use super::Cite::{Rfc, Salesforce};
use super::refresh::beside_the_point;
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::oauth::grant::jwt_bearer::GRANT_TYPE;
use crate::oauth::salesforce::Profile;
use crate::subject::Flow;
use crate::transcript::questions::origin;
use crate::transcript::{AssertionFacts, Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// A request with an assertion of that name, these claims and, if not a right one, that signature, and
/// what comes of it. Without anything it is the positive control.
macro_rules! jwt {
    ($name:literal: $first:ident $($claim:ident)*; $signature:literal => $($answer:tt)+) => {
        concat!(
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=", $name,
            "\n! assertion {\"claims\":{", claim!($first), $(",", claim!($claim),)* "},", $signature,
            "}\n< ", answer!($($answer)+), "\n"
        )
    };
    ($name:literal: $($claim:ident)+ => $($answer:tt)+) => {
        jwt!($name: $($claim)+; "\"alg\":\"RS256\",\"verifies\":true" => $($answer)+)
    };
    () => {
        jwt!("J1": iss sub aud exp => granted)
    };
}

macro_rules! claim {
    (iss) => {
        "\"iss\":\"main\""
    };
    (sub) => {
        "\"sub\":\"svc@example.com\""
    };
    (stranger) => {
        "\"sub\":\"stranger@example.com\""
    };
    (aud) => {
        "\"aud\":\"https://org.example\""
    };
    (elsewhere) => {
        "\"aud\":\"https://other.example\""
    };
    (exp) => {
        "\"exp\":{now+150}"
    };
    (past) => {
        "\"exp\":{now-300}"
    };
    (future) => {
        "\"nbf\":{now+600}"
    };
}

/// A token, or a refusal with Salesforce's text.
macro_rules! answer {
    (granted) => {
        "200 {\"access_token\":\"A1\",\"token_type\":\"Bearer\"}"
    };
    ($text:literal) => {
        concat!("400 {\"error\":\"invalid_grant\",\"error_description\":\"", $text, "\"}")
    };
}

const FLOW: super::Cite = Salesforce("OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration");

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "jwt-bearer/right-assertion-is-granted",
        title: "a right assertion gives an access token for the user that it names",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-01",
        cites: &[Rfc(7523, "2.1"), Rfc(7523, "3"), FLOW],
        explain: "An assertion that names the app, an admitted user, this server and a near expiry, signed with the app's key, is \
            worth an access token, and that token acts for the user in sub and for nobody else. If it is refused, no \
            server-to-server integration starts. On Salesforce, look at four places: the certificate of this very app, \
            aud (https://login.salesforce.com, https://test.salesforce.com for sandboxes, or the My Domain), the clock, and \
            whether the user is pre-authorized (Permitted Users) or approved the app once with the scope refresh_token.",
        passes: jwt!(),
        fails: jwt!("J1": iss sub aud exp => "invalid assertion"),
        judge: right_assertion_is_granted,
    },
    Check {
        id: "jwt-bearer/missing-issuer-is-refused",
        title: "an assertion without iss is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-02",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.1")],
        explain: "iss says who made the assertion and so which key must have signed it. A server that grants one without it has \
            taken the key from somewhere that the signature does not vouch for, such as a client_id parameter beside it. \
            Demand the claim and choose the key by it. On Salesforce iss is the consumer key of the app.",
        passes: concat!(jwt!(), jwt!("J2": sub aud exp; "\"alg\":\"RS256\"" => "invalid assertion")),
        fails: jwt!("J2": sub aud exp; "\"alg\":\"RS256\"" => granted),
        judge: missing_issuer_is_refused,
    },
    Check {
        id: "jwt-bearer/missing-subject-is-refused",
        title: "an assertion without sub is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-03",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.1")],
        explain: "sub names the user for whom the access token is asked. Where it is missing, a server that grants must have chosen a \
            user by itself, and a client gets the rights of somebody whom nobody named. Refuse with invalid_grant. Salesforce \
            takes the older claim prn in its place; where neither is there, it must refuse.",
        passes: concat!(jwt!(), jwt!("J2": iss aud exp => "invalid assertion")),
        fails: jwt!("J2": iss aud exp => granted),
        judge: missing_subject_is_refused,
    },
    Check {
        id: "jwt-bearer/missing-audience-is-refused",
        title: "an assertion without aud is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-04",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.1")],
        explain: "aud says which server an assertion is for. One without it is good everywhere that the client's key is trusted, so \
            that whoever receives it can present it to every other server and act as the user there. A missing aud is therefore as \
            wrong as a foreign one: refuse it with invalid_grant before anything is granted.",
        passes: concat!(jwt!(), jwt!("J2": iss sub exp => "audience is invalid")),
        fails: jwt!("J2": iss sub exp => granted),
        judge: missing_audience_is_refused,
    },
    Check {
        id: "jwt-bearer/wrong-audience-is-refused",
        title: "an assertion that is meant for another server is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-05",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.1"), FLOW],
        explain: "The server must find itself in aud: its issuer, its token endpoint, or another name that it is known by. If it takes \
            foreign audiences, an assertion that was made for a sandbox or a partner opens production as well. Compare whole \
            strings against a short list. Salesforce answers invalid_grant (audience is invalid) and knows itself as the login \
            host of its kind of org, the My Domain and its sites.",
        passes: concat!(jwt!(), jwt!("J2": iss sub elsewhere exp => "audience is invalid")),
        fails: jwt!("J2": iss sub elsewhere exp => granted),
        judge: wrong_audience_is_refused,
    },
    Check {
        id: "jwt-bearer/missing-expiry-is-refused",
        title: "an assertion without exp is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-06",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.1")],
        explain: "exp limits the time in which a copied assertion is of any use. Without it, an assertion that once stood in a log or \
            a ticket stays a key to the user's data for as long as the certificate is valid. The claim is required, so its \
            absence must be refused and not read as no limit; some JWT libraries check exp only where it is present.",
        passes: concat!(jwt!(), jwt!("J2": iss sub aud => "invalid assertion")),
        fails: jwt!("J2": iss sub aud => granted),
        judge: missing_expiry_is_refused,
    },
    Check {
        id: "jwt-bearer/expired-is-refused",
        title: "an assertion that expired longer ago than clocks may differ is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-07",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.1"), FLOW],
        explain: "An assertion past its exp must be refused; a few minutes may be forgiven, because clocks differ. A server that takes \
            old ones lets anybody repeat an assertion that he once saw. Salesforce forgives three minutes, which is assumed where \
            the target does not state its leeway, and answers invalid_grant (expired authorization code). A client that meets this \
            by surprise should look at its clock and at the unit of exp: seconds, not milliseconds.",
        passes: concat!(jwt!(), jwt!("J2": iss sub aud past => "expired authorization code")),
        fails: jwt!("J2": iss sub aud past => granted),
        judge: expired_is_refused,
    },
    Check {
        id: "jwt-bearer/not-yet-valid-is-refused",
        title: "an assertion whose nbf lies further ahead than clocks may differ is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-08",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.1")],
        explain: "nbf is optional, but where a client sends it the assertion must not be accepted before that moment, give or take the \
            difference of clocks. A client that prepares assertions ahead of time relies on it: until then a stolen one must be \
            worthless. Compare nbf with the clock wherever it is present and answer invalid_grant. Salesforce's pages do not \
            mention nbf, and field notes say that it may be ignored: do not rely on it there.",
        passes: concat!(jwt!(), jwt!("J2": iss sub aud exp future => "invalid assertion")),
        fails: jwt!("J2": iss sub aud exp future => granted),
        judge: not_yet_valid_is_refused,
    },
    Check {
        id: "jwt-bearer/unsigned-is-refused",
        title: "an assertion without a signature is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-12",
        cites: &[Rfc(7523, "3"), Rfc(8725, "3.2")],
        explain: "Without a signature everybody can write an assertion for every user, knowing no more than the public client_id. \
            That holds for alg none in any spelling and for a signature that was cut off while the header still says RS256. \
            Fix the algorithm by the registration of the client, never by the header of the assertion, and refuse what lacks a \
            signature with invalid_grant. On Salesforce the algorithm is RS256.",
        passes: concat!(
            jwt!(),
            jwt!("J2": iss sub aud exp; "\"alg\":\"none\",\"unsigned\":true,\"verifies\":false" => "invalid assertion")
        ),
        fails: jwt!("J2": iss sub aud exp; "\"alg\":\"none\",\"unsigned\":true,\"verifies\":false" => granted),
        judge: unsigned_is_refused,
    },
    Check {
        id: "jwt-bearer/wrong-signature-is-refused",
        title: "an assertion whose signature does not fit the app's key is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-13",
        cites: &[Rfc(7523, "3"), Rfc(8725, "3.1"), Rfc(8725, "3.3"), FLOW],
        explain: "The signature must be checked with the key of the very client that iss names. One bit off, or the key of another app \
            of the same org, is a refusal with invalid_grant; otherwise any app can speak in the name of any other, or anybody in \
            the name of all. Do not decode an assertion without verifying it, do not try every known key in turn, and do not take a \
            public key for an HMAC secret because the header says HS256. \
            Salesforce answers invalid assertion; then compare the certificate of the app with the key of the client.",
        passes: concat!(
            jwt!(),
            jwt!("J2": iss sub aud exp; "\"alg\":\"RS256\",\"verifies\":false" => "invalid assertion")
        ),
        fails: jwt!("J2": iss sub aud exp; "\"alg\":\"RS256\",\"verifies\":false" => granted),
        judge: wrong_signature_is_refused,
    },
    Check {
        id: "jwt-bearer/unapproved-user-is-refused",
        title: "an assertion for a user who did not approve the app is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "JB-19",
        cites: &[FLOW, Rfc(7523, "3"), Rfc(7523, "3.1")],
        explain: "The app's key alone must not open the data of every user: the user has to have approved the app before, or an admin \
            has to have pre-authorized him. RFC 7523 leaves to the server who is an authorized subject; Salesforce answers \
            invalid_grant (user hasn't approved this consumer), and the same for a user whom it does not know. If this fails, set \
            Permitted Users to \"Admin approved users are pre-authorized\" and assign the app to the few profiles or permission sets \
            that need it. The target's user unapproved states who must be refused.",
        passes: concat!(jwt!(), jwt!("J2": iss stranger aud exp => "user hasn't approved this consumer")),
        fails: jwt!("J2": iss stranger aud exp => granted),
        judge: unapproved_user_is_refused,
    },
];

/// What is wrong with an assertion or its request, as far as the record shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    NoIssuer,
    NoSubject,
    NoAudience,
    WrongAudience,
    NoExpiry,
    Expired,
    NotYetValid,
    Unsigned,
    WrongSignature,
    UnapprovedUser,
    /// Something that a server may or may not refuse, or that the record does not decide.
    Doubt,
}

fn right_assertion_is_granted(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let mut granted: Vec<(&Exchange, &str)> = Vec::new();
    for (x, a, flaws) in assertions(t) {
        let revoked = || t.before(x).any(|y| y.endpoint == Endpoint::Revoke);
        if !x.granted() {
            if flaws.is_empty() && !revoked() {
                j.fail(&[x], "200 with an access token for the user in sub", x.outcome());
            }
            continue;
        }
        if a.verifies != Some(true)
            || flaws.iter().any(|flaw| *flaw != Flaw::Doubt)
            || claim(a, "prn").is_some()
        {
            continue;
        }
        let Some(user) = a.claims.get("sub").and_then(|sub| sub.as_str()) else { continue };
        j.pass();
        if let Some((z, name)) = shown_user(t, x).filter(|(_, name)| !same_user(name, user)) {
            let another = t.subject.users.values().any(|known| same_user(known, name));
            if another || t.subject.profile == Profile::Salesforce {
                j.fail(&[x, z], format!("a token that acts for {user}"), format!("it acts for {name}"));
            }
        }
        let Some(id) = user_id(x) else { continue };
        // The control may have been played on another instance of the org.
        for (y, other) in granted.iter().filter(|(y, _)| y.part == x.part) {
            if user_id(y).is_some_and(|known| (known == id) != same_user(other, user)) {
                let observed =
                    format!("the identity URLs end in {} and {id}", user_id(y).unwrap_or_default());
                j.fail(&[y, x], format!("the users {other} and {user}, each in its token"), observed);
            }
        }
        granted.push((x, user));
    }
    j
}

fn missing_issuer_is_refused(t: &Transcript) -> Judgement {
    // Without iss the server does not know the client, and may say that instead.
    let salesforce = &["invalid_grant", "invalid_client", "invalid_client_id", "app_not_found"];
    refused(t, Flaw::NoIssuer, &["invalid_grant", "invalid_client"], salesforce, "the assertion has no iss")
}

fn missing_subject_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::NoSubject, GRANT, GRANT, "the assertion has no sub")
}

fn missing_audience_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::NoAudience, GRANT, GRANT, "the assertion has no aud")
}

fn wrong_audience_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::WrongAudience, GRANT, GRANT, "aud names another server")
}

fn missing_expiry_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::NoExpiry, GRANT, GRANT, "the assertion has no exp")
}

fn expired_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::Expired, GRANT, GRANT, "exp has passed")
}

fn not_yet_valid_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::NotYetValid, GRANT, GRANT, "nbf has not come")
}

fn unsigned_is_refused(t: &Transcript) -> Judgement {
    // Salesforce answers some algorithms that it does not take with invalid_client.
    let salesforce = &["invalid_grant", "invalid_client"];
    refused(t, Flaw::Unsigned, GRANT, salesforce, "the assertion is not signed")
}

fn wrong_signature_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::WrongSignature, GRANT, GRANT, "the signature does not fit the key of the app")
}

fn unapproved_user_is_refused(t: &Transcript) -> Judgement {
    let salesforce = &["invalid_grant", "invalid_app_access"];
    refused(t, Flaw::UnapprovedUser, GRANT, salesforce, "the user did not approve the app")
}

/// RFC 7523 §3.1.
const GRANT: &[&str] = &["invalid_grant"];

/// Every assertion with that flaw must be refused, with one of the errors of the profile. A refusal counts
/// where nothing else is wrong with the request.
fn refused(t: &Transcript, flaw: Flaw, rfc: &[&str], salesforce: &[&str], because: &str) -> Judgement {
    let mut j = Judgement::new();
    let errors = if t.subject.profile == Profile::Salesforce { salesforce } else { rfc };
    let all = assertions(t);
    for (x, a, _) in
        all.iter().filter(|(x, _, flaws)| flaws[..] == [flaw] || x.granted() && flaws.contains(&flaw))
    {
        let same_app = |y: &Exchange, b: &AssertionFacts| match a.issuer() {
            Some(issuer) => b.issuer() == Some(issuer),
            None => y.app == x.app,
        };
        let control = all.iter().any(|(y, b, flaws)| {
            y.granted()
                && same_app(y, b)
                && b.verifies == Some(true)
                && flaws.iter().all(|f| *f == Flaw::Doubt)
        });
        j.refused(x, control, errors, because);
    }
    j
}

/// Every request with a readable assertion that was decided, and what is wrong with it.
fn assertions(t: &Transcript) -> Vec<(&Exchange, &AssertionFacts, Vec<Flaw>)> {
    let decided = |x: &&Exchange| x.response().is_some() && !beside_the_point(x);
    let all =
        t.requests_of(GRANT_TYPE).filter(decided).filter_map(|x| Some((x, x.facts.assertion.as_ref()?)));
    all.filter(|(_, a)| a.malformed.is_none()).map(|(x, a)| (x, a, flaws(t, x, a))).collect()
}

/// A claim; null is none.
fn claim<'t>(a: &'t AssertionFacts, name: &str) -> Option<&'t Value> {
    a.claims.get(name).filter(|value| !value.is_null())
}

/// Everything that is wrong, and one doubt where something may be.
fn flaws(t: &Transcript, x: &Exchange, a: &AssertionFacts) -> Vec<Flaw> {
    let mut flaws: Vec<Flaw> =
        [issuer(t, a), subject(t, x, a), audience(t, a), signature(x, a)].into_iter().flatten().collect();
    flaws.extend(times(t, x, a));
    flaws.extend(odd(t, x, a).then_some(Flaw::Doubt));
    flaws
}

fn issuer(t: &Transcript, a: &AssertionFacts) -> Option<Flaw> {
    let Some(issuer) = claim(a, "iss") else { return Some(Flaw::NoIssuer) };
    let app = issuer.as_str().and_then(|id| t.subject.app_of(id));
    (!app.is_some_and(|app| app.flows.contains(&Flow::JwtBearer))).then_some(Flaw::Doubt)
}

fn subject(t: &Transcript, x: &Exchange, a: &AssertionFacts) -> Option<Flaw> {
    let (sub, prn) = (claim(a, "sub"), claim(a, "prn"));
    let Some(user) = sub.or(prn) else { return Some(Flaw::NoSubject) };
    let Some(user) = user.as_str().filter(|_| prn.is_none_or(|prn| prn == user)) else {
        return Some(Flaw::Doubt);
    };
    let is = |role: &str| t.subject.users.get(role).is_some_and(|name| same_user(name, user));
    if is("unapproved") {
        // He may have approved the app in the meantime.
        let approved = t.before(x).any(|y| {
            let gave = y.code_issued().is_some() || y.granted() && y.param("code").is_some();
            y.user.as_deref() == Some("unapproved") && y.app == x.app && gave
        });
        return Some(if approved { Flaw::Doubt } else { Flaw::UnapprovedUser });
    }
    // Of other users the record knows no more than what the org did.
    let admitted = is("main")
        || is("second") && x.app == "main"
        || shown(t, |b| claim(b, "sub").or(claim(b, "prn")) == Some(&user.into()));
    (!admitted).then_some(Flaw::Doubt)
}

fn audience(t: &Transcript, a: &AssertionFacts) -> Option<Flaw> {
    if claim(a, "aud").is_none_or(|aud| aud.as_array().is_some_and(Vec::is_empty)) {
        return Some(Flaw::NoAudience);
    }
    let audiences = a.audiences();
    let e = &t.subject.endpoints;
    let own = [Some(&t.subject.org), e.issuer.as_ref(), e.token.as_ref(), e.authorize.as_ref()];
    let own: Vec<&str> = own.into_iter().flatten().map(|url| host(url)).collect();
    let salesforce = t.subject.profile == Profile::Salesforce;
    // The embedded org is of both kinds.
    let kind = own.iter().find_map(|host| production(host)).filter(|_| t.subject.org != "embedded");
    let login = |aud: &str| LOGIN.contains(&aud) && kind.is_some() && production(host(aud)) == kind;
    let right =
        |aud: &&str| e.issuer.as_deref() == Some(aud) || salesforce && (t.subject.org == **aud || login(aud));
    if audiences.iter().any(right) {
        return None;
    }
    let foreign = |aud: &&str| {
        let host = host(aud);
        let may_be_own = match LOGIN.iter().any(|login| same_host(self::host(login), host)) {
            _ if !salesforce => e.issuer.is_none(),
            true => kind.is_none() || production(host) == kind,
            false => FAMILY.iter().any(|domain| host.ends_with(domain)),
        };
        !may_be_own && !own.iter().any(|name| same_host(name, host))
    };
    if !audiences.is_empty() && audiences.iter().all(foreign) {
        return Some(Flaw::WrongAudience);
    }
    (!shown(t, |b| b.claims.get("aud") == a.claims.get("aud"))).then_some(Flaw::Doubt)
}

/// What production orgs and sandboxes are called in an audience.
const LOGIN: [&str; 2] = ["https://login.salesforce.com", "https://test.salesforce.com"];

/// Where an org of Salesforce may have further names: instances, sites.
const FAMILY: [&str; 5] =
    [".salesforce.com", ".force.com", ".my.site.com", ".my.salesforce.mil", ".sfcrmproducts.cn"];

/// Whether a host of Salesforce is one of production orgs (true) or of sandboxes (false).
fn production(host: &str) -> Option<bool> {
    match host {
        "login.salesforce.com" => Some(true),
        "test.salesforce.com" => Some(false),
        _ if !host.ends_with(".my.salesforce.com") => None,
        _ => Some(!host.contains(".sandbox.") && !host.contains(".scratch.")),
    }
}

fn signature(x: &Exchange, a: &AssertionFacts) -> Option<Flaw> {
    let unsigned = a.unsigned || a.alg.eq_ignore_ascii_case("none");
    let tweaked = |how: &str| x.tweak.as_ref().is_some_and(|tweak| tweak.contains(how));
    match a.verifies {
        _ if unsigned => Some(Flaw::Unsigned),
        Some(true) => None,
        // Our own HMAC is made with the public key. Of other algorithms, and of an extension that must be
        // understood, the facts do not tell a wrong signature from one that we do not check.
        Some(false) if a.alg == "RS256" && !tweaked("with crit") || tweaked("alg: HS") => {
            Some(Flaw::WrongSignature)
        }
        None if claim(a, "iss").is_none() => None,
        _ => Some(Flaw::Doubt),
    }
}

/// Five seconds at each edge are left to the way over the network.
fn times(t: &Transcript, x: &Exchange, a: &AssertionFacts) -> Vec<Flaw> {
    let now = x.at / 1000;
    let leeway = t.subject.settings.millis("leeway").unwrap_or(180_000) / 1000 + 5;
    let furthest = match t.subject.settings.word("exp_limit") {
        Some("none") => i64::MAX,
        Some("3m") => now + 185,
        Some("5m") => now + 305,
        // An assertion for later has its time from then on.
        _ => a.nbf().unwrap_or(now).clamp(now, now + 3600) + 305,
    };
    let expiry = match (claim(a, "exp"), a.exp()) {
        (None, _) => Some(Flaw::NoExpiry),
        (Some(_), Some(exp)) if exp <= now - leeway => Some(Flaw::Expired),
        (Some(_), exp) => exp.is_none_or(|exp| exp <= now + 5 || exp > furthest).then_some(Flaw::Doubt),
    };
    let beginning = match (claim(a, "nbf"), a.nbf()) {
        (Some(_), Some(nbf)) if nbf >= now + leeway => Some(Flaw::NotYetValid),
        (Some(_), nbf) => nbf.is_none_or(|nbf| nbf > now).then_some(Flaw::Doubt),
        (None, _) => None,
    };
    let issued = claim(a, "iat").map(crate::oauth::jwt::seconds);
    let strange = claim(a, "exp").is_some_and(Value::is_string)
        || issued.is_some_and(|iat| iat.is_none_or(|iat| iat > now || iat < now - 600));
    [expiry, beginning, strange.then_some(Flaw::Doubt)].into_iter().flatten().collect()
}

/// Whether something beside the claims may be a reason to refuse: a scope, a wrong secret, another client
/// than the issuer, a parameter that stands twice, an assertion that was sent before.
fn odd(t: &Transcript, x: &Exchange, a: &AssertionFacts) -> bool {
    let assertion = x.request.form().get("assertion");
    let other_client = x
        .param("client_id")
        .or(x.facts.basic_client_id.as_deref())
        .is_some_and(|id| a.issuer().is_some_and(|issuer| issuer != id));
    x.param("scope").is_some()
        || x.facts.secret_is_right == Some(false)
        || other_client
        || x.request.form().repeated().is_some()
        || assertion.is_none()
        || t.before(x).any(|y| y.request.form().get("assertion") == assertion)
}

/// Whether an assertion like that, rightly signed, was granted anywhere in the record.
fn shown(t: &Transcript, like: impl Fn(&AssertionFacts) -> bool) -> bool {
    let granted = t.requests_of(GRANT_TYPE).filter(|x| x.granted());
    granted.filter_map(|x| x.facts.assertion.as_ref()).any(|b| b.verifies == Some(true) && like(b))
}

/// Whom an access token acts for, as userinfo or the identity URL say later.
fn shown_user<'t>(t: &'t Transcript, x: &Exchange) -> Option<(&'t Exchange, &'t str)> {
    let token = x.text("access_token")?;
    let uses = |z: &Exchange| {
        let sent = z.request.bearer().or(z.param("access_token")).or(z.param("oauth_token"));
        matches!(z.endpoint, Endpoint::Userinfo | Endpoint::Identity)
            && sent == Some(token)
            && z.status() == 200
    };
    let told = |z: &'t Exchange| Some((z, z.text("preferred_username").or(z.text("username"))?));
    t.after(x).filter(|z| uses(z)).find_map(told)
}

/// The user's part of Salesforce's identity URL.
fn user_id(x: &Exchange) -> Option<&str> {
    let (_, path) = x.text("id")?.split_once("/id/")?;
    let (_, user) = path.split_once('/')?;
    Some(user.get(..15).unwrap_or(user))
}

/// Salesforce's user names have no letter case.
fn same_user(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

fn host(url: &str) -> &str {
    let authority = origin(url).rsplit(['/', '@']).next().unwrap_or(url);
    authority.split(':').next().unwrap_or(authority)
}

/// Whether two hosts are the same, or both this machine.
fn same_host(a: &str, b: &str) -> bool {
    let local = |host: &str| matches!(host, "localhost" | "127.0.0.1");
    a.eq_ignore_ascii_case(b) || local(a) && local(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::{Finding, Verdict};

    /// What a check says of a request whose assertion has these claims, after what stands before it.
    fn findings(id: &str, before: &str, claims: &str, answer: &str) -> (Verdict, Vec<Finding>) {
        let request = format!(
            "> POST token grant_type={GRANT_TYPE}&assertion=J2\n\
             ! assertion {{\"claims\":{{{claims}}},\"alg\":\"RS256\",\"verifies\":true}}\n< {answer}"
        );
        let judged = judge_one(find(id).unwrap(), &script::read(&format!("{before}\n{request}")));
        (judged.verdict, judged.findings)
    }

    fn verdict(id: &str, before: &str, claims: &str, answer: &str) -> Verdict {
        findings(id, before, claims, answer).0
    }

    const REFUSED: &str = answer!("invalid assertion");
    const GRANTED: &str = answer!(granted);
    const RIGHT: &str = concat!(claim!(iss), ",", claim!(sub), ",", claim!(aud), ",", claim!(exp));
    const OLD: &str = concat!(claim!(iss), ",", claim!(sub), ",", claim!(aud), ",", claim!(past));

    #[test]
    fn a_refusal_without_a_control_proves_nothing() {
        let expired = "jwt-bearer/expired-is-refused";
        assert_eq!(verdict(expired, "", OLD, REFUSED), Verdict::Inconclusive);
        assert_eq!(verdict(expired, jwt!(), OLD, REFUSED), Verdict::Pass);
        assert_eq!(verdict(expired, jwt!(), OLD, answer!("login rate exceeded")), Verdict::Skip);
    }

    #[test]
    fn another_error_weighs_less() {
        let (verdict, findings) =
            findings("jwt-bearer/expired-is-refused", jwt!(), OLD, "400 {\"error\":\"invalid_request\"}");
        assert_eq!((verdict, findings[0].level), (Verdict::Fail, Level::Should));
    }

    #[test]
    fn what_the_leeway_forgives_is_nobodys_fault() {
        let claims = OLD.replace("{now-300}", "{now-120}");
        for answer in [GRANTED, REFUSED] {
            for id in ["jwt-bearer/expired-is-refused", "jwt-bearer/right-assertion-is-granted"] {
                assert_ne!(verdict(id, "", &claims, answer), Verdict::Fail, "{id} {answer}");
            }
        }
        let strict = "= setting leeway 30s";
        assert_eq!(verdict("jwt-bearer/expired-is-refused", strict, &claims, GRANTED), Verdict::Fail);
    }

    #[test]
    fn a_refusal_for_one_of_two_flaws_says_nothing_of_either_but_acceptance_does() {
        let both = OLD.replace("https://org.example", "https://other.example");
        for id in ["jwt-bearer/expired-is-refused", "jwt-bearer/wrong-audience-is-refused"] {
            assert_eq!(verdict(id, jwt!(), &both, REFUSED), Verdict::Skip);
            assert_eq!(verdict(id, jwt!(), &both, GRANTED), Verdict::Fail);
        }
    }

    #[test]
    fn an_audience_that_may_be_the_server_is_not_called_wrong() {
        let id = "jwt-bearer/wrong-audience-is-refused";
        let aimed = |aud: &str| RIGHT.replace("https://org.example", aud);
        for aud in ["https://org.example/token", "https://org.example/", "http://org.example:8080/x"] {
            assert_eq!(verdict(id, "", &aimed(aud), GRANTED), Verdict::Skip, "{aud}");
        }
        let salesforce = "= salesforce";
        assert_eq!(verdict(id, salesforce, &aimed("https://login.salesforce.com"), GRANTED), Verdict::Skip);
        assert_eq!(verdict(id, salesforce, &aimed("https://login.example"), GRANTED), Verdict::Fail);
        let mut sandbox = script::read(&format!("= salesforce\n{}", jwt!()));
        sandbox.subject.endpoints.issuer = Some("https://acme--uat.sandbox.my.salesforce.com".into());
        let aud = |host: &str| AssertionFacts {
            claims: [("aud".to_owned(), Value::from(host))].into_iter().collect(),
            ..AssertionFacts::default()
        };
        assert_eq!(audience(&sandbox, &aud("https://login.salesforce.com")), Some(Flaw::WrongAudience));
        assert_eq!(audience(&sandbox, &aud("https://test.salesforce.com")), None);
    }

    #[test]
    fn an_audience_that_was_granted_once_is_beyond_doubt() {
        let t = script::read(&jwt!().replace("https://org.example", "https://org.example/token"));
        let aud = |text: &str| AssertionFacts {
            claims: [("aud".to_owned(), Value::from(text))].into_iter().collect(),
            ..AssertionFacts::default()
        };
        assert_eq!(audience(&t, &aud("https://org.example/token")), None);
        assert_eq!(audience(&t, &aud("https://org.example/other")), Some(Flaw::Doubt));
    }

    #[test]
    fn an_assertion_for_later_may_expire_later() {
        let id = "jwt-bearer/not-yet-valid-is-refused";
        let claims = RIGHT.replace("{now+150}", "{now+720},\"nbf\":{now+600}");
        assert_eq!(verdict(id, jwt!(), &claims, REFUSED), Verdict::Pass);
        let alone = RIGHT.replace("{now+150}", "{now+720}");
        let id = "jwt-bearer/right-assertion-is-granted";
        assert_eq!(verdict(id, "", &alone, REFUSED), Verdict::Skip, "it lies far ahead");
    }

    #[test]
    fn another_algorithm_is_not_a_wrong_signature() {
        let rs384 = jwt!("J2": iss sub aud exp; "\"alg\":\"RS384\",\"verifies\":false" => granted);
        let t = script::read(rs384);
        assert_eq!(wrong_signature_is_refused(&t).verdict(), Verdict::Skip);
        // HMAC may be made with a secret that both know; ours is made with the public key.
        let hs256 = |tweak: &str| rs384.replace("RS384", "HS256").replace("\n<", &format!("\n{tweak}\n<"));
        let judge = |text: &str| wrong_signature_is_refused(&script::read(text)).verdict();
        assert_eq!((judge(&hs256("")), judge(&hs256("! tweak alg: HS256"))), (Verdict::Skip, Verdict::Fail));
    }

    #[test]
    fn a_token_for_somebody_else_fails_a_right_assertion() {
        let id = "jwt-bearer/right-assertion-is-granted";
        let shown = |name: &str| {
            let call = "> GET userinfo\n> Authorization: Bearer A1\n< 200 {\"preferred_username\":\"NAME\"}";
            let t = script::read(&format!("{}{}", jwt!(), call.replace("NAME", name)));
            judge_one(find(id).unwrap(), &t).verdict
        };
        assert_eq!(shown("SVC@example.com"), Verdict::Pass);
        assert_eq!(shown("stranger@example.com"), Verdict::Fail);
        assert_eq!(shown("nick"), Verdict::Pass, "some servers' user names are not what sub says");
        let granted = GRANTED.replace('}', ",\"id\":\"https://x/id/00D/005A\"}");
        let before = jwt!().replace(GRANTED, &granted);
        let both = |user: &str| verdict(id, &before, &RIGHT.replace("svc@", user), &granted);
        assert_eq!((both("svc@"), both("bob@")), (Verdict::Pass, Verdict::Fail));
    }

    #[test]
    fn a_user_who_approved_meanwhile_is_not_unapproved() {
        let id = "jwt-bearer/unapproved-user-is-refused";
        let claims = RIGHT.replace("svc@", "stranger@");
        let approved = "> GET authorize client_id=main\n! user unapproved\n< 302\n< Location: https://client.example/callback?code=C\n";
        assert_eq!(verdict(id, approved, &claims, GRANTED), Verdict::Skip);
        assert_eq!(verdict(id, "", &claims, GRANTED), Verdict::Fail);
    }
}
