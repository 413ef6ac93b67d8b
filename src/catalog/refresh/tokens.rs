//! What a record tells of refresh tokens: who presented which of them, what was rotated out, what may be alive.

use crate::oauth::Endpoint;
use crate::oauth::grant::refresh_token::GRANT_TYPE;
use crate::oauth::salesforce::Profile;
use crate::subject::{ClientAuth, Flow};
use crate::transcript::questions::{beside_the_point, together};
use crate::transcript::{Exchange, Transcript};

/// The one refresh token that a request presents; none where there is none, or two.
pub(super) fn presented(x: &Exchange) -> Option<&str> {
    let mut all = x.request.form().all("refresh_token");
    let first = all.next().filter(|token| !token.is_empty());
    first.filter(|_| all.next().is_none() && x.grant_type() == Some(GRANT_TYPE))
}

/// Every refresh that was decided, with the refresh token that it presents.
pub(super) fn refreshes(t: &Transcript) -> impl Iterator<Item = (&Exchange, &str)> {
    let decided = |x: &&Exchange| x.response().is_some() && !beside_the_point(x);
    t.requests_of(GRANT_TYPE).filter(decided).filter_map(|x| Some((x, presented(x)?)))
}

/// Every refresh with a token that an earlier refresh rotated out, and that earlier one.
pub(super) fn reuses(t: &Transcript) -> impl Iterator<Item = (&Exchange, &str, &Exchange)> {
    refreshes(t).filter_map(|(x, token)| {
        let rotation = t.rotated_out_before(token, x)?;
        (owner(t, token).is_none() || owner(t, token) == x.client_id()).then_some((x, token, rotation))
    })
}

/// Refreshes with one token that were released together, two or more of them.
pub(super) fn races(t: &Transcript) -> Vec<(&str, Vec<&Exchange>)> {
    let mut races: Vec<(&str, Vec<&Exchange>)> = Vec::new();
    for (x, token) in refreshes(t).filter(|(x, _)| x.race.is_some()) {
        match races.iter_mut().find(|(other, race)| *other == token && together(race[0], x)) {
            Some((_, race)) => race.push(x),
            None => races.push((token, vec![x])),
        }
    }
    races.retain(|(_, race)| race.len() > 1);
    races
}

pub(super) fn says(x: &Exchange, error: &str) -> bool {
    x.error().is_some_and(|e| e.error == error)
}

/// Whether a refused refresh says that another with the same token was under way. The second text is
/// what Salesforce said before 2025.
pub(super) fn collided(x: &Exchange) -> bool {
    let texts = ["already being processed", "expired authorization code"];
    let description = x.error().and_then(|error| error.description).unwrap_or_default();
    texts.iter().any(|text| description.contains(text))
}

/// How many ways of client authentication a request uses.
pub(super) fn credentials(x: &Exchange) -> usize {
    let sent = |name| x.param(name).is_some_and(|value| !value.is_empty());
    let header = x.request.header("authorization").is_some() || x.facts.basic_client_id.is_some();
    usize::from(sent("client_secret")) + usize::from(sent("client_assertion")) + usize::from(header)
}

/// Whether the client authenticates rightly and by the method that is registered.
pub(super) fn authenticated(t: &Transcript, x: &Exchange) -> bool {
    let Some(app) = x.client_id().and_then(|id| t.subject.app_of(id)) else { return false };
    let right = x.facts.secret_is_right == Some(true);
    let basic = x.facts.basic_client_id.as_deref();
    match app.client_auth {
        ClientAuth::None => credentials(x) == 0,
        ClientAuth::Post => credentials(x) == 1 && right && basic.is_none(),
        ClientAuth::Basic => credentials(x) == 1 && right && basic == x.client_id(),
        ClientAuth::PrivateKeyJwt => {
            let signed = x.facts.client_assertion.as_ref().filter(|a| a.verifies == Some(true));
            credentials(x) == 1 && signed.and_then(|a| a.exp()).is_some_and(|exp| exp > x.at / 1000)
        }
    }
}

/// Whether nothing is wrong with a refresh but, maybe, its token.
pub(super) fn sound(t: &Transcript, x: &Exchange) -> bool {
    authenticated(t, x) && x.param("scope").is_none() && x.request.form().repeated().is_none()
}

pub(super) fn lists_refresh(t: &Transcript, x: &Exchange) -> bool {
    let app = x.client_id().and_then(|id| t.subject.app_of(id));
    app.is_some_and(|app| app.flows.contains(&Flow::RefreshToken))
}

/// The client that a refresh token was issued to.
pub(super) fn owner<'t>(t: &'t Transcript, token: &str) -> Option<&'t str> {
    t.origin_of_refresh_token(token)?.client_id()
}

/// The positive control: a refresh of that client that was granted.
pub(super) fn has_refreshed(t: &Transcript, client: Option<&str>) -> bool {
    refreshes(t).any(|(x, _)| x.granted() && x.tweak.is_none() && x.client_id() == client)
}

/// Whether all that the record tells says that a refresh token is alive when `x` presents it.
pub(super) fn lives(t: &Transcript, token: &str, x: &Exchange) -> bool {
    let family = Family::of(t, token);
    let (Some(first), Some(given)) = (family.origin, t.origin_of_refresh_token(token)) else { return false };
    let by_code = |y: &&Exchange| y.param("code").is_some() && y.client_id() == first.client_id();
    let later =
        t.grants().filter(by_code).filter(|y| (first.number + 1..x.number).contains(&y.number)).count();
    // Salesforce keeps five approvals of a user and app; each further one ends the oldest. Of other servers nobody has said
    // how many logins they keep beside each other.
    let beside = if t.subject.profile == Profile::Salesforce { 5 } else { 1 };
    given.number < x.number
        && !together(given, x)
        && in_time(t, first, x)
        && later < beside
        && t.rotated_before(token, x).is_none()
        && !t.before(x).chain(t.beside(x)).any(|y| family.disturbs(t, y))
}

/// Whether the refresh tokens of a grant are within what is known of the policy.
pub(super) fn in_time(t: &Transcript, granted: &Exchange, x: &Exchange) -> bool {
    let settings = t.subject.settings_of(granted.client_id());
    let (age, ttl) = (x.at - granted.at, settings.millis("refresh_token_ttl"));
    match settings.word("refresh_policy") {
        Some("infinite") => true,
        Some("zero") => false,
        Some(_) => ttl.is_some_and(|ttl| age < ttl),
        None => age < ttl.unwrap_or(3_600_000),
    }
}

/// Whether a refresh token that came of a race was seen to be dead after it, and not because it was revoked.
pub(super) fn shown_dead(t: &Transcript, token: &str, last: usize) -> bool {
    for z in t.exchanges.iter().skip(last + 1) {
        match z.endpoint {
            Endpoint::Revoke => return false,
            Endpoint::Introspect if z.param("token") == Some(token) => {
                return z.member("active").and_then(serde_json::Value::as_bool) == Some(false);
            }
            Endpoint::Token if presented(z) == Some(token) && (z.granted() || sound(t, z)) => {
                return says(z, "invalid_grant");
            }
            _ => {}
        }
    }
    false
}

/// The first call with the access token of that answer, while nothing speaks against the token.
pub(super) fn first_call<'t>(t: &'t Transcript, x: &'t Exchange) -> Option<&'t Exchange> {
    let family = Family::of(t, presented(x)?);
    let until = t.after(x).find(|z| {
        family.disturbs(t, z) || z.granted() && presented(z).is_some_and(|r| family.refresh.contains(&r))
    });
    let until = until.map_or(usize::MAX, |z| z.number);
    t.after(x).find(|z| z.number < until && calls_with(t, z, x))
}

/// Whether an exchange is a plain call with the access token of that answer, within its lifetime.
pub(super) fn calls_with(t: &Transcript, z: &Exchange, granted: &Exchange) -> bool {
    let told =
        granted.member("expires_in").and_then(crate::oauth::jwt::seconds).map(|s| s.saturating_mul(1000));
    let settings = t.subject.settings_of(granted.client_id());
    let known = [told, settings.millis("access_token_ttl")].into_iter().flatten().min();
    matches!(z.endpoint, Endpoint::Resource | Endpoint::Userinfo | Endpoint::Identity)
        && z.tweak.is_none()
        && z.request.bearer().is_some_and(|token| granted.text("access_token") == Some(token))
        && z.at - granted.at < known.unwrap_or(60_000)
}

/// Whether a call was refused because the access token is dead, not because it may not do this.
pub(super) fn rejected(z: &Exchange) -> bool {
    let body = z.response().map_or("", |response| response.body.as_str());
    match z.status() {
        401 => !body.contains("not valid for use with") && !body.contains("insufficient_scope"),
        403 => body.contains("Bad_OAuth_Token"),
        _ => false,
    }
}

/// Whether another access token was taken where this call went: else the fault may be the resource's.
pub(super) fn works(t: &Transcript, call: &Exchange) -> bool {
    let other = |y: &Exchange| y.request.bearer().is_some_and(|token| call.request.bearer() != Some(token));
    t.at(call.endpoint).any(|y| (200..300).contains(&y.status()) && other(y))
}

/// Every token of one grant.
pub(super) struct Family<'t> {
    /// The answer that gave the first of them, where the record has it.
    pub(super) origin: Option<&'t Exchange>,
    pub(super) refresh: Vec<&'t str>,
    pub(super) access: Vec<&'t str>,
}

impl<'t> Family<'t> {
    pub(super) fn of(t: &'t Transcript, token: &'t str) -> Self {
        let first = t.family(token);
        let origin = t.origin_of_refresh_token(first);
        let mut family = Self { origin, refresh: vec![first], access: Vec::new() };
        for x in t.grants() {
            let tokens = [x.param("refresh_token"), x.text("refresh_token")];
            if tokens.iter().flatten().any(|token| family.refresh.contains(token)) {
                family.refresh.extend(x.text("refresh_token"));
                family.access.extend(x.text("access_token"));
            }
        }
        family.refresh.sort_unstable();
        family.refresh.dedup();
        family
    }

    /// Whether an exchange may have ended tokens of the family: one of them was revoked, presented in vain,
    /// or presented after it was rotated out; or the code was redeemed again, or more than once at a time.
    pub(super) fn disturbs(&self, t: &Transcript, y: &Exchange) -> bool {
        match (y.endpoint, y.param("refresh_token")) {
            (Endpoint::Revoke, _) => self.revokes(y),
            (Endpoint::Token, Some(token)) => {
                self.refresh.contains(&token) && (!y.granted() || t.rotated_before(token, y).is_some())
            }
            (Endpoint::Token, None) => self.origin.is_some_and(|origin| {
                origin.number != y.number
                    && y.over_at > origin.number
                    && y.param("code").is_some()
                    && y.param("code") == origin.param("code")
            }),
            _ => false,
        }
    }

    fn revokes(&self, y: &Exchange) -> bool {
        y.endpoint == Endpoint::Revoke
            && y.param("token").is_some_and(|r| self.refresh.contains(&r) || self.access.contains(&r))
    }

    pub(super) fn was_revoked(&self, t: &Transcript, x: &Exchange) -> bool {
        t.before(x).any(|y| self.revokes(y))
    }
}
