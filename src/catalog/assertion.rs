//! The assertions of bearer grants, JWT and SAML: what is wrong with one or its request, as far as the record
//! shows, and how a server has to take it.

use serde_json::Value;

use super::Judgement;
use crate::oauth::grant::{jwt_bearer, saml_bearer};
use crate::oauth::salesforce::Profile;
use crate::oauth::{Endpoint, saml};
use crate::subject::Flow;
use crate::transcript::questions::{beside_the_point, origin};
use crate::transcript::{AssertionFacts, Exchange, Transcript};

/// A grant whose credential is an assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub grant_type: &'static str,
    flow: Flow,
}

/// RFC 7523.
pub(super) const JWT: Grant = Grant { grant_type: jwt_bearer::GRANT_TYPE, flow: Flow::JwtBearer };

/// RFC 7522.
pub(super) const SAML: Grant = Grant { grant_type: saml_bearer::GRANT_TYPE, flow: Flow::SamlBearer };

/// A client that no server has; suites speak of it by this name.
pub(super) const NO_CLIENT: &str = "no-such-client-of-this-org";

/// A user whom no server has; suites speak of him by this name.
const NOBODY: &str = "nobody@grantcheck.example";

/// From here on a time lies so far off that no clock and no queue explains it, in seconds.
const AFAR: i64 = 30 * 86_400;

/// What is wrong with an assertion or its request, as far as the record shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    NoIssuer,
    UnknownIssuer,
    NoSubject,
    UnknownUser,
    /// The name of a user with more behind it, and a comment between the two.
    CommentedName,
    NoAudience,
    WrongAudience,
    NoExpiry,
    Expired,
    FarExpiry,
    NotYetValid,
    IssuedAfar,
    Replayed,
    Unsigned,
    WrongSignature,
    PublicKeyAsSecret,
    /// A wrong signature, and the key that it fits in the header.
    ShownKey,
    OtherAlgorithm,
    UnapprovedUser,
    WrongMethod,
    WrongRecipient,
    /// Something that a server may or may not refuse, or that the record does not decide.
    Doubt,
}

/// Every request with a readable assertion that was decided, and what is wrong with it.
pub(super) fn assertions(t: &Transcript, grant: Grant) -> Vec<(&Exchange, &AssertionFacts, Vec<Flaw>)> {
    let all = decided(t, grant).filter_map(|x| Some((x, x.facts.assertion.as_ref()?)));
    all.filter(|(_, a)| a.malformed.is_none()).map(|(x, a)| (x, a, flaws(t, grant, x, a))).collect()
}

/// Every request of a grant that was answered, and not for a reason beside it.
pub(super) fn decided(t: &Transcript, grant: Grant) -> impl Iterator<Item = &Exchange> {
    t.requests_of(grant.grant_type).filter(|x| x.response().is_some() && !beside_the_point(x))
}

/// A claim; null is none.
pub(super) fn claim<'t>(a: &'t AssertionFacts, name: &str) -> Option<&'t Value> {
    a.claims.get(name).filter(|value| !value.is_null())
}

/// Everything that is wrong, and one doubt where something may be.
fn flaws(t: &Transcript, grant: Grant, x: &Exchange, a: &AssertionFacts) -> Vec<Flaw> {
    let parts = [issuer(t, grant, a), subject(t, grant, x, a), audience(t, grant, a), signature(t, x, a)];
    let mut flaws: Vec<Flaw> = parts.into_iter().flatten().collect();
    if grant == SAML {
        flaws.extend(confirmation(t, a));
    }
    flaws.extend(times(t, x, a));
    flaws.extend(sent_before(t, x, a));
    flaws.extend(odd(x, a).then_some(Flaw::Doubt));
    flaws
}

fn issuer(t: &Transcript, grant: Grant, a: &AssertionFacts) -> Option<Flaw> {
    let Some(issuer) = claim(a, "iss") else { return Some(Flaw::NoIssuer) };
    if issuer == NO_CLIENT {
        return Some(Flaw::UnknownIssuer);
    }
    let app = issuer.as_str().and_then(|id| t.subject.app_of(id));
    (!app.is_some_and(|app| app.flows.contains(&grant.flow))).then_some(Flaw::Doubt)
}

fn subject(t: &Transcript, grant: Grant, x: &Exchange, a: &AssertionFacts) -> Option<Flaw> {
    let (sub, prn) = (claim(a, "sub"), claim(a, "prn"));
    let Some(user) = sub.or(prn) else { return Some(Flaw::NoSubject) };
    let Some(user) = user.as_str().filter(|_| prn.is_none_or(|prn| prn == user)) else {
        return Some(Flaw::Doubt);
    };
    if tweaked(x, "forgery: comment") {
        return Some(Flaw::CommentedName);
    }
    let is = |role: &str| t.subject.users.get(role).is_some_and(|name| same_user(name, user));
    if same_user(user, NOBODY) || is("inactive") || is("frozen") {
        return Some(Flaw::UnknownUser);
    }
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
        || shown(t, grant, |b| claim(b, "sub").or(claim(b, "prn")) == Some(&user.into()));
    (!admitted).then_some(Flaw::Doubt)
}

pub(super) fn audience(t: &Transcript, grant: Grant, a: &AssertionFacts) -> Option<Flaw> {
    if claim(a, "aud").is_none_or(|aud| aud.as_array().is_some_and(Vec::is_empty)) {
        return Some(Flaw::NoAudience);
    }
    let audiences = a.audiences();
    let e = &t.subject.endpoints;
    let salesforce = t.subject.profile == Profile::Salesforce;
    let kind = kind(t);
    let login = |aud: &str| LOGIN.contains(&aud) && kind.is_some() && production(host(aud)) == kind;
    let right =
        |aud: &&str| e.issuer.as_deref() == Some(aud) || salesforce && (t.subject.org == **aud || login(aud));
    if audiences.iter().any(right) {
        return None;
    }
    if !audiences.is_empty() && audiences.iter().all(|aud| is_foreign(t, aud)) {
        return Some(Flaw::WrongAudience);
    }
    (!shown(t, grant, |b| b.claims.get("aud") == a.claims.get("aud"))).then_some(Flaw::Doubt)
}

/// The hosts that the server is known by.
fn own_hosts(t: &Transcript) -> Vec<&str> {
    let e = &t.subject.endpoints;
    let own = [Some(&t.subject.org), e.issuer.as_ref(), e.token.as_ref(), e.authorize.as_ref()];
    own.into_iter().flatten().map(|url| host(url)).collect()
}

/// Whether the org is one of production (true) or a sandbox (false); the embedded org is of both kinds.
fn kind(t: &Transcript) -> Option<bool> {
    own_hosts(t).iter().find_map(|host| production(host)).filter(|_| t.subject.org != "embedded")
}

/// Whether a URL surely means another server.
fn is_foreign(t: &Transcript, url: &str) -> bool {
    let host = host(url);
    let may_be_own = match LOGIN.iter().any(|login| same_host(self::host(login), host)) {
        _ if t.subject.profile != Profile::Salesforce => t.subject.endpoints.issuer.is_none(),
        true => kind(t).is_none() || production(host) == kind(t),
        false => FAMILY.iter().any(|domain| host.ends_with(domain)),
    };
    !may_be_own && !own_hosts(t).iter().any(|name| same_host(name, host))
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

fn signature(t: &Transcript, x: &Exchange, a: &AssertionFacts) -> Option<Flaw> {
    let unsigned = a.unsigned || a.alg.eq_ignore_ascii_case("none");
    let saml = a.kind == "saml";
    let other = ["RS384", "RS512", "PS256"].contains(&a.alg.as_str()) && tweaked(x, "alg: ");
    match a.verifies {
        _ if unsigned => Some(Flaw::Unsigned),
        Some(true) => a.shows_key.then_some(Flaw::Doubt),
        // Of another reading of XML, and of another way to wrap it, the facts do not tell a wrong signature.
        Some(false) if saml => {
            let ours = tweaked(x, "signature: broken") || tweaked(x, "key: ");
            Some(if ours { Flaw::WrongSignature } else { Flaw::Doubt })
        }
        // Our own HMAC is made with the public key.
        Some(false) if tweaked(x, "alg: HS") => Some(Flaw::PublicKeyAsSecret),
        Some(false) if a.alg == "RS256" && a.shows_key && tweaked(x, "key: fresh") => Some(Flaw::ShownKey),
        // Of other algorithms, and of an extension that must be understood, the facts do not tell a wrong
        // signature from one that we do not check.
        Some(false) if a.alg == "RS256" && !tweaked(x, "with crit") && !a.shows_key => {
            Some(Flaw::WrongSignature)
        }
        // RFC 7523 leaves the algorithm to the registration; Salesforce documents one.
        Some(false) if other && t.subject.profile == Profile::Salesforce => Some(Flaw::OtherAlgorithm),
        None if claim(a, "iss").is_none_or(|iss| iss == NO_CLIENT) => None,
        _ => Some(Flaw::Doubt),
    }
}

/// Whether the edit of the request, in words, holds these.
pub(super) fn tweaked(x: &Exchange, how: &str) -> bool {
    x.tweak.as_ref().is_some_and(|tweak| tweak.contains(how))
}

/// How the presenter of a SAML assertion is confirmed, and where it may be presented (RFC 7522 §3 (5)).
fn confirmation(t: &Transcript, a: &AssertionFacts) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    match claim(a, "method").and_then(Value::as_str) {
        Some(saml::BEARER) => {}
        Some(_) => flaws.push(Flaw::WrongMethod),
        None => flaws.push(Flaw::Doubt),
    }
    let token = t.subject.endpoints.token.as_deref();
    match claim(a, "recipient").and_then(Value::as_str) {
        Some(here) if Some(here) == token => {}
        Some(other) if is_foreign(t, other) => flaws.push(Flaw::WrongRecipient),
        _ => flaws.push(Flaw::Doubt),
    }
    flaws
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
    // A SAML assertion may have a second end, in its confirmation.
    let second = claim(a, "confirmation_exp").and_then(crate::oauth::jwt::seconds);
    let over = |end: i64| end <= now - leeway;
    let expiry = match (claim(a, "exp"), a.exp()) {
        (None, _) => Some(Flaw::NoExpiry),
        (Some(_), Some(exp)) if over(exp) || second.is_some_and(over) => Some(Flaw::Expired),
        (Some(_), Some(exp)) if exp > now + AFAR && furthest != i64::MAX => Some(Flaw::FarExpiry),
        (Some(_), exp) => exp.is_none_or(|exp| exp <= now + 5 || exp > furthest).then_some(Flaw::Doubt),
    };
    let beginning = match (claim(a, "nbf"), a.nbf()) {
        (Some(_), Some(nbf)) if nbf >= now + leeway => Some(Flaw::NotYetValid),
        (Some(_), nbf) => nbf.is_none_or(|nbf| nbf > now).then_some(Flaw::Doubt),
        (None, _) => None,
    };
    let issued = match claim(a, "iat").map(crate::oauth::jwt::seconds) {
        Some(Some(iat)) if iat >= now + 3600 || iat <= now - AFAR => Some(Flaw::IssuedAfar),
        Some(iat) => iat.is_none_or(|iat| iat > now || iat < now - 600).then_some(Flaw::Doubt),
        None => None,
    };
    let strange = claim(a, "exp").is_some_and(Value::is_string).then_some(Flaw::Doubt);
    [expiry, beginning, issued, strange].into_iter().flatten().collect()
}

/// An assertion that was granted before, and says by its id that it is for one use; or one that was at least sent.
fn sent_before(t: &Transcript, x: &Exchange, a: &AssertionFacts) -> Option<Flaw> {
    let assertion = x.request.form().get("assertion");
    let earlier = || t.before(x).filter(|y| y.request.form().get("assertion") == assertion);
    let named = a.kind == "saml" || claim(a, "jti").is_some();
    let spent = earlier().any(|y| y.granted() && (y.race.is_none() || y.race != x.race));
    if named && spent { Some(Flaw::Replayed) } else { earlier().next().map(|_| Flaw::Doubt) }
}

/// Whether something beside the claims may be a reason to refuse: a scope, a wrong secret, another client
/// than the issuer, a parameter that stands twice.
fn odd(x: &Exchange, a: &AssertionFacts) -> bool {
    let other_client = x
        .param("client_id")
        .or(x.facts.basic_client_id.as_deref())
        .is_some_and(|id| a.issuer().is_some_and(|issuer| issuer != id));
    x.param("scope").is_some()
        || x.facts.secret_is_right == Some(false)
        || other_client
        || x.request.form().repeated().is_some()
        || x.request.form().get("assertion").is_none()
        // The schema of SAML has one place for the signature; who takes another does no wrong.
        || a.kind == "saml" && (tweaked(x, "signature: first") || tweaked(x, "signature: last"))
}

/// Whether an assertion like that, rightly signed, was granted anywhere in the record.
fn shown(t: &Transcript, grant: Grant, like: impl Fn(&AssertionFacts) -> bool) -> bool {
    let granted = t.requests_of(grant.grant_type).filter(|x| x.granted());
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

/// A right assertion is granted, and its token acts for the user whom it names.
pub(super) fn right_is_granted(t: &Transcript, grant: Grant) -> Judgement {
    let mut j = Judgement::new();
    let mut granted: Vec<(&Exchange, &str)> = Vec::new();
    for (x, a, flaws) in assertions(t, grant) {
        let revoked = || t.before(x).any(|y| y.endpoint == Endpoint::Revoke);
        if !x.granted() {
            if flaws.is_empty() && !revoked() {
                j.fail(&[x], "200 with an access token for the user whom it names", x.outcome());
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

/// RFC 7523 §3.1, RFC 7522 §3.1.
pub(super) const GRANT: &[&str] = &["invalid_grant"];

/// What may be said of an issuer that the server does not know: it may be told as such instead.
pub(super) fn unknown_client(t: &Transcript) -> &'static [&'static str] {
    match t.subject.profile {
        Profile::Salesforce => &["invalid_grant", "invalid_client", "invalid_client_id", "app_not_found"],
        Profile::Rfc => &["invalid_grant", "invalid_client"],
    }
}

/// Every assertion that is wrong in what RFC 7523 §3 and RFC 7522 §3 ask for is refused with invalid_grant and nothing
/// else. Whether it is refused at all, others judge.
pub(super) fn failure_is_invalid_grant(t: &Transcript, grant: Grant) -> Judgement {
    use Flaw::{
        Expired, NoAudience, NoExpiry, NoSubject, NotYetValid, WrongAudience, WrongMethod, WrongRecipient,
        WrongSignature,
    };
    let invalid = [
        Expired,
        NoAudience,
        NoExpiry,
        NoSubject,
        NotYetValid,
        WrongAudience,
        WrongMethod,
        WrongRecipient,
        WrongSignature,
    ];
    let mut j = Judgement::new();
    let control = t.has_granted(grant.grant_type);
    for (x, _, flaws) in assertions(t, grant) {
        let wrong = !flaws.is_empty() && flaws.iter().all(|flaw| invalid.contains(flaw));
        if wrong && control && (400..600).contains(&x.status()) {
            let named = x.error().is_some_and(|error| error.error == "invalid_grant");
            j.holds(named, x, "400 invalid_grant: the assertion is not valid");
        }
    }
    j
}

/// What is not written as an assertion has to be, by its tweak, is refused. A request that could be read all the same
/// is none of them.
pub(super) fn refused_forms(
    t: &Transcript,
    grant: Grant,
    is_one: impl Fn(&Exchange) -> bool,
    errors: &[&str],
    because: &str,
) -> Judgement {
    let mut j = Judgement::new();
    for x in decided(t, grant).filter(|x| is_one(x)) {
        let control = assertions(t, grant).iter().any(|(y, b, flaws)| {
            y.granted()
                && y.app == x.app
                && b.verifies == Some(true)
                && flaws.iter().all(|f| *f == Flaw::Doubt)
        });
        let named = x.facts.assertion.as_ref().and_then(|a| a.malformed.as_ref().or(a.rejected.as_ref()));
        let because = named.map_or_else(|| because.to_owned(), |named| format!("{because}: {named}"));
        j.refused(x, control, errors, &because);
    }
    j
}

/// No refresh token comes with an assertion: the next assertion is as good as one.
pub(super) fn no_refresh_token(t: &Transcript, grant: Grant) -> Judgement {
    let mut j = Judgement::new();
    for x in t.requests_of(grant.grant_type).filter(|x| x.granted()) {
        j.holds(x.text("refresh_token").is_none(), x, "an access token and no refresh token");
    }
    j
}

/// Every assertion with that flaw must be refused, with one of the errors. A refusal counts
/// where nothing else is wrong with the request.
pub(super) fn refused(t: &Transcript, grant: Grant, flaw: Flaw, errors: &[&str], because: &str) -> Judgement {
    let mut j = Judgement::new();
    let all = assertions(t, grant);
    for (x, a, _) in all
        .iter()
        .filter(|(x, _, flaws)| flaws[..] == [flaw] || x.hands_out_a_token() && flaws.contains(&flaw))
    {
        let same_app = |y: &Exchange, b: &AssertionFacts| match a.issuer() {
            Some(issuer) if issuer != NO_CLIENT => b.issuer() == Some(issuer),
            _ => y.app == x.app,
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

/// Whom an access token acts for, as userinfo or the identity URL say later.
pub(super) fn shown_user<'t>(t: &'t Transcript, x: &Exchange) -> Option<(&'t Exchange, &'t str)> {
    let token = x.text("access_token")?;
    // Another user's identity URL tells of that one, to whoever has the scope of the API.
    let own = |z: &Exchange| {
        let is_own = |id: &str| id.find("/id/").is_some_and(|at| z.request.path() == &id[at..]);
        z.endpoint == Endpoint::Userinfo || x.text("id").is_none_or(is_own)
    };
    let uses = |z: &Exchange| {
        let sent = z.request.bearer().or(z.param("access_token")).or(z.param("oauth_token"));
        matches!(z.endpoint, Endpoint::Userinfo | Endpoint::Identity)
            && sent == Some(token)
            && z.status() == 200
            && own(z)
    };
    let told = |z: &'t Exchange| Some((z, z.text("preferred_username").or(z.text("username"))?));
    t.after(x).filter(|z| uses(z)).find_map(told)
}

/// The user's part of Salesforce's identity URL.
pub(super) fn user_id(x: &Exchange) -> Option<&str> {
    let (_, path) = x.text("id")?.split_once("/id/")?;
    let (_, user) = path.split_once('/')?;
    Some(user.get(..15).unwrap_or(user))
}

#[cfg(test)]
mod tests {
    use super::shown_user;
    use crate::transcript::script;

    #[test]
    fn the_identity_url_of_another_user_says_nothing_of_whose_token_it_is() {
        let shown = |path: &str| {
            let t = script::read(&format!(
                "> POST token grant_type=x\n< 200 {{\"access_token\":\"A\",\"id\":\"https://login.test/id/00D/005A\"}}\n\
                 > GET identity {path}\n> Authorization: Bearer A\n< 200 {{\"username\":\"somebody\"}}\n"
            ));
            shown_user(&t, &t.exchanges[0]).map(|(_, name)| name.to_owned())
        };
        assert_eq!(shown("/id/00D/005A"), Some("somebody".to_owned()));
        assert_eq!(shown("/id/00D/005B"), None);
    }
}
