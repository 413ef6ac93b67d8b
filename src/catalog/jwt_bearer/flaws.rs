//! What is wrong with an assertion or its request, as far as the record shows.

use serde_json::Value;

use crate::catalog::refresh::beside_the_point;
use crate::oauth::grant::jwt_bearer::GRANT_TYPE;
use crate::oauth::salesforce::Profile;
use crate::subject::Flow;
use crate::transcript::questions::origin;
use crate::transcript::{AssertionFacts, Exchange, Transcript};

/// What is wrong with an assertion or its request, as far as the record shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
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

/// Every request with a readable assertion that was decided, and what is wrong with it.
pub(super) fn assertions(t: &Transcript) -> Vec<(&Exchange, &AssertionFacts, Vec<Flaw>)> {
    let decided = |x: &&Exchange| x.response().is_some() && !beside_the_point(x);
    let all =
        t.requests_of(GRANT_TYPE).filter(decided).filter_map(|x| Some((x, x.facts.assertion.as_ref()?)));
    all.filter(|(_, a)| a.malformed.is_none()).map(|(x, a)| (x, a, flaws(t, x, a))).collect()
}

/// A claim; null is none.
pub(super) fn claim<'t>(a: &'t AssertionFacts, name: &str) -> Option<&'t Value> {
    a.claims.get(name).filter(|value| !value.is_null())
}

/// Everything that is wrong, and one doubt where something may be.
pub(super) fn flaws(t: &Transcript, x: &Exchange, a: &AssertionFacts) -> Vec<Flaw> {
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

pub(super) fn audience(t: &Transcript, a: &AssertionFacts) -> Option<Flaw> {
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

/// Salesforce's user names have no letter case.
pub(super) fn same_user(a: &str, b: &str) -> bool {
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
