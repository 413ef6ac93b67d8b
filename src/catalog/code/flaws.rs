//! What the record proves to be wrong with a redemption, and what it proves to be right.

use super::super::client_auth;
use crate::oauth::Endpoint;
use crate::oauth::grant::authorization_code::GRANT_TYPE;
use crate::subject::Flow;
use crate::transcript::questions::{IssuedCode, together};
use crate::transcript::{Exchange, Transcript};

/// What is wrong with a redemption, as far as the record proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::catalog) enum Flaw {
    /// The record shows the codes of this client, and this is none of them.
    Unknown,
    /// The code was redeemed before.
    Spent,
    /// The code was sent before and not redeemed; it may be burnt.
    Tried,
    /// Others sent the same code at the same moment.
    Raced,
    /// The code was issued to another client.
    Stranger,
    /// Not the redirect_uri of the authorization request.
    RedirectUri,
    /// No redirect_uri though the authorization request had one.
    RedirectUriMissing,
    /// No PKCE verifier for a challenge, one that does not fit, or one without a challenge.
    Verifier,
    /// The code is past its lifetime, or old enough that it may be.
    Late,
    /// The client does not show itself as it must.
    Credentials,
    /// Not a form POST that says everything once.
    Shape,
}

/// How long a code surely lives where no setting says it, in milliseconds: servers that are strict
/// give a minute.
const SURELY_ALIVE: i64 = 60_000;

/// Everything that the record proves to be wrong with a redemption.
pub(in crate::catalog) fn flaws(t: &Transcript, x: &Exchange) -> Vec<Flaw> {
    let Some(code) = code_of(x) else { return vec![Flaw::Shape] };
    let mut flaws = Vec::new();
    match t.code(code) {
        Some(issued) => compare(t, x, issued, &mut flaws),
        None if is_unknown(t, x) => flaws.push(Flaw::Unknown),
        None => {}
    }
    if earlier(t, x).any(Exchange::granted) {
        flaws.push(Flaw::Spent);
    } else if earlier(t, x).next().is_some() {
        flaws.push(Flaw::Tried);
    }
    let others = || t.requests_of(GRANT_TYPE).filter(|y| y.number != x.number && code_of(y) == Some(code));
    if others().any(|y| together(x, y)) {
        flaws.push(Flaw::Raced);
    }
    if client_auth::shown(t, x) == Some(false) {
        flaws.push(Flaw::Credentials);
    }
    let form = x.request.form();
    if x.request.method != "POST" || form.get("code").is_none() || form.repeated().is_some() {
        flaws.push(Flaw::Shape);
    }
    flaws
}

/// Compares a redemption with the authorization that its code comes from.
fn compare(t: &Transcript, x: &Exchange, issued: IssuedCode<'_>, flaws: &mut Vec<Flaw>) {
    let asked = issued.authorize;
    if let (Some(owner), Some(client)) = (asked.client_id(), x.client_id())
        && owner != client
    {
        flaws.push(Flaw::Stranger);
    }
    // A request object takes the place of the parameters beside it (RFC 9101 §5), and it is not in the record.
    let opaque = asked.param("request").is_some() || asked.param("request_uri").is_some();
    let uris =
        asked.request.query().all("redirect_uri").count() + asked.request.form().all("redirect_uri").count();
    if !opaque && uris == 1 {
        match x.param("redirect_uri") {
            None => flaws.push(Flaw::RedirectUriMissing),
            Some(uri) if asked.param("redirect_uri") != Some(uri) => flaws.push(Flaw::RedirectUri),
            Some(_) => {}
        }
    }
    let verifier = x.param("code_verifier");
    let wrong = match asked.param("code_challenge").filter(|challenge| !challenge.is_empty()) {
        None => verifier.is_some(),
        Some(challenge) => {
            let is_s256 = asked.param("code_challenge_method") == Some("S256");
            let differs = x.facts.verifier_s256.as_deref().is_some_and(|hash| hash != challenge);
            let odd = x.facts.verifier_length.is_some_and(|length| !(43..=128).contains(&length));
            verifier.is_none() || is_s256 && differs || odd
        }
    };
    if !opaque && wrong {
        flaws.push(Flaw::Verifier);
    }
    if x.at - issued.issued.at >= t.subject.settings.millis("code_ttl").unwrap_or(SURELY_ALIVE) {
        flaws.push(Flaw::Late);
    }
}

/// Whether the record proves that a code was not issued: it shows where codes of this client come from, and
/// no authorization before this one ended on a page, where a code could stand unseen.
fn is_unknown(t: &Transcript, x: &Exchange) -> bool {
    let mut shows = false;
    for asked in
        t.at(Endpoint::Authorize).filter(|a| x.client_id().is_none_or(|id| a.client_id() == Some(id)))
    {
        let end = t.end_of_authorization(asked);
        if end.code_issued().is_some() {
            shows = true;
        } else if asked.number < x.number && (200..300).contains(&end.status()) {
            return false;
        }
    }
    shows
}

/// Whether nothing is wrong with a redemption, as far as everything goes that can be wrong.
pub(super) fn sound(t: &Transcript, x: &Exchange) -> bool {
    let Some(issued) = code_of(x).and_then(|code| t.code(code)) else { return false };
    let asked = issued.authorize;
    let uri = x.param("redirect_uri");
    let verified = match asked.param("code_challenge") {
        None => x.param("code_verifier").is_none(),
        challenge => {
            asked.param("code_challenge_method") == Some("S256")
                && x.facts.verifier_s256.as_deref() == challenge
        }
    };
    let known_ttl = t.subject.settings.millis("code_ttl").is_some();
    let fresh = known_ttl || x.at - issued.issued.at < SURELY_ALIVE / 2;
    x.tweak.is_none()
        && uri.is_some()
        && asked.param("redirect_uri") == uri
        && verified
        && fresh
        && client_auth::shown_as_registered(t, x)
        && client_auth::lists(t, x, Flow::WebServer)
        && flaws(t, x).is_empty()
}

/// Whether that client redeemed a code of its own: the positive control.
pub(super) fn has_redeemed(t: &Transcript, client: &str) -> bool {
    let harmless = |flaw: &Flaw| matches!(flaw, Flaw::Credentials | Flaw::Late);
    let of_client = |y: &&Exchange| y.granted() && y.client_id() == Some(client);
    t.requests_of(GRANT_TYPE).filter(of_client).any(|y| flaws(t, y).iter().all(harmless))
}

/// Whether the tokens of that answer were used soon afterwards and every use was refused, with no
/// revocation in between.
pub(super) fn shown_dead(t: &Transcript, grant: &Exchange) -> bool {
    const SOON: i64 = 600_000;
    let (access, refresh) = (grant.text("access_token"), grant.text("refresh_token"));
    let revoked =
        |z: &Exchange| [access, refresh].iter().flatten().any(|token| t.revoked_before(token, z).is_some());
    let mut dead = false;
    for z in t.after(grant).filter(|z| z.at - grant.at < SOON && !revoked(z)) {
        let by_access = access.is_some() && z.request.bearer() == access;
        let by_refresh = refresh.is_some() && z.param("refresh_token") == refresh;
        match z.endpoint {
            Endpoint::Resource | Endpoint::Userinfo | Endpoint::Identity if by_access => match z.status() {
                200..300 => return false,
                401 | 403 => dead = true,
                _ => {}
            },
            Endpoint::Introspect if access.is_some() && z.param("token") == access => {
                match z.member("active").and_then(serde_json::Value::as_bool) {
                    Some(true) => return false,
                    Some(false) if z.client_id() == grant.client_id() => dead = true,
                    _ => {}
                }
            }
            Endpoint::Token if by_refresh && z.granted() => return false,
            Endpoint::Token if by_refresh && z.error().is_some_and(|e| e.error == "invalid_grant") => {
                dead = true
            }
            _ => {}
        }
    }
    dead
}

/// Redemptions that were answered.
pub(super) fn redemptions(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    t.requests_of(GRANT_TYPE).filter(|x| x.response().is_some())
}

/// Requests with the same code that were begun earlier, but not in the same race.
pub(super) fn earlier<'t>(t: &'t Transcript, x: &'t Exchange) -> impl Iterator<Item = &'t Exchange> {
    let same = move |y: &&Exchange| y.grant_type() == Some(GRANT_TYPE) && code_of(y) == code_of(x);
    t.before(x).filter(same).filter(move |y| !together(x, y))
}

pub(super) fn code_of(x: &Exchange) -> Option<&str> {
    x.param("code").filter(|code| !code.is_empty())
}
