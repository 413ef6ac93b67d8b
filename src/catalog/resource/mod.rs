//! The protected resource: what an access token opens, and how a refusal says so (RFC 6750). What a record
//! proves about an access token is asked here, by other families too.

pub(super) mod presentation;

use super::Cite::Rfc;
use super::revocation::revoked;
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::oauth::salesforce::Profile;
use crate::transcript::questions::together;
pub(super) use crate::transcript::questions::{is_soap, presented};
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "resource/bearer-header-is-accepted",
        title: "a live access token in the Authorization header opens the resource",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RS-01",
        cites: &[Rfc(6750, "2.1")],
        explain: "The Bearer header is the one way of sending a token that every resource server must take; the \
            form and query variants are optional. A 401 for a token that was handed out a moment ago means that the token \
            and the resource do not belong together: another host, another org, or a resource server that cannot look the \
            token up. On Salesforce, call the instance_url of the token response, never the login host, and see that the \
            app has the api scope.",
        passes: "> POST token grant_type=client_credentials&client_id=main\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 200 {}",
        fails: "> POST token grant_type=client_credentials&client_id=main\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 401\n\
            < WWW-Authenticate: Bearer error=\"invalid_token\"",
        judge: bearer_header_is_accepted,
    },
    Check {
        id: "resource/invalid-token-is-401-with-challenge",
        title: "a call with an invalid token is refused with 401 and a Bearer challenge that says invalid_token",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RS-06",
        cites: &[Rfc(6750, "3"), Rfc(6750, "3.1")],
        explain: "A resource that lets a made-up token in is open to everybody. One that refuses it must say so in \
            WWW-Authenticate, under the scheme Bearer, and should add error=\"invalid_token\" and status 401: that is how a \
            generic client tells a dead token, which a refresh cures, from a missing right, which nothing cures. Validate \
            every token against its issuer and send the challenge with each refusal. Salesforce names another scheme and \
            answers 403 at its identity endpoints, so a client there has to know its own signs.",
        passes: "> POST token grant_type=client_credentials&client_id=main\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 200 {}\n\
            > GET api\n\
            > Authorization: Bearer no-such-token\n\
            ! tweak access_token\n\
            < 401\n\
            < WWW-Authenticate: Bearer realm=\"org\", error=\"invalid_token\"",
        fails: "> GET api\n\
            > Authorization: Bearer no-such-token\n\
            ! tweak access_token\n\
            < 200 {}",
        judge: invalid_token_is_401_with_challenge,
    },
    Check {
        id: "resource/expired-token-is-refused",
        title: "an access token that is past its time is refused with 401",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RS-07",
        cites: &[Rfc(6749, "7"), Rfc(6750, "3.1")],
        explain: "The lifetime bounds what a stolen token is worth; a resource server that does not look at it \
            turns every leak into a lasting one. The check counts from expires_in or from the stated setting, takes each use \
            as a renewal where a session slides, and forgives the clock skew of the target. Make the resource server \
            compare the expiry at every call, not only when it caches the token. On Salesforce the time is the session \
            timeout of the app's policy, of the profile, or of the org.",
        passes: "= setting access_token_ttl 15m\n\
            > POST token grant_type=client_credentials&client_id=main\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 200 {}\n\
            + 20m\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 401\n\
            < WWW-Authenticate: Bearer error=\"invalid_token\"",
        fails: "> POST token grant_type=client_credentials&client_id=main\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\",\"expires_in\":900}\n\
            + 20m\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 200 {}",
        judge: expired_token_is_refused,
    },
];

/// For how long a token surely lives of which nothing is told, in milliseconds.
const FRESH: i64 = 60_000;

/// The clock skew that is forgiven where the target does not say, in milliseconds.
const LEEWAY: i64 = 180_000;

/// Every call of something that an access token opens.
pub(super) fn calls(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    let guarded = [Endpoint::Resource, Endpoint::Userinfo, Endpoint::Identity];
    t.exchanges.iter().filter(move |x| guarded.contains(&x.endpoint))
}

/// Whether a call was let in; none where the answer is neither that nor a refusal of the token.
pub(super) fn let_in(x: &Exchange) -> Option<bool> {
    let response = x.response()?;
    let error = x.error().map(|error| error.error);
    match response.status {
        200..=299 => Some(true),
        401 => Some(false),
        // Where there is no body, the challenge says it (RFC 6750 §3).
        400 if [error.as_deref(), challenge(x).and_then(|challenge| challenge.error).as_deref()]
            .into_iter()
            .flatten()
            .any(|error| matches!(error, "invalid_token" | "invalid_request")) =>
        {
            Some(false)
        }
        400 if response.body.contains("InvalidSessionId") => Some(false),
        // An array is Salesforce's REST API, where 403 is about rights and limits.
        403 if response.json().is_none_or(|json| !json.is_array())
            && error.as_deref() != Some("insufficient_scope") =>
        {
            Some(false)
        }
        500 if is_soap(x) && response.body.contains("INVALID_SESSION_ID") => Some(false),
        _ => None,
    }
}

/// Whether any other call of that kind of endpoint was let in: the positive control of a refusal.
pub(super) fn opens_otherwise(t: &Transcript, x: &Exchange) -> bool {
    calls(t).any(|y| y.number != x.number && y.endpoint == x.endpoint && let_in(y) == Some(true))
}

/// When the answer was there, in milliseconds since the epoch.
pub(super) fn ended(x: &Exchange) -> i64 {
    x.at.saturating_add(i64::try_from(x.took / 1000).unwrap_or(i64::MAX))
}

/// Whom a token was handed out to.
pub(super) fn owner<'t>(t: &'t Transcript, token: &str) -> Option<&'t str> {
    t.origin_of_access_token(token).or_else(|| t.origin_of_refresh_token(token))?.client_id()
}

/// What the grant of a refresh token is known by: its code, or the first refresh token that came of it.
pub(super) fn grant_of_refresh_token<'t>(t: &'t Transcript, token: &'t str) -> &'t str {
    let first = t.family(token);
    t.origin_of_refresh_token(first).and_then(|origin| origin.param("code")).unwrap_or(first)
}

/// What the grant of a token request is known by, see [`grant_of_refresh_token`]; none where it stands alone.
pub(super) fn grant_of<'t>(t: &'t Transcript, request: &'t Exchange) -> Option<&'t str> {
    let refreshed = request.param("refresh_token").map(|token| grant_of_refresh_token(t, token));
    refreshed.or_else(|| request.param("code")).or_else(|| request.text("refresh_token"))
}

/// The answer that handed this access token out last before `x`.
pub(super) fn handed_out<'t>(t: &'t Transcript, token: &str, x: &Exchange) -> Option<&'t Exchange> {
    t.before(x).rev().find(|y| y.granted() && y.text("access_token") == Some(token) && !together(y, x))
}

/// Whether nothing happened between an answer and `x`, but for `known`, that might have ended what it handed
/// out: a revocation, another use of its code or refresh token, another login of the same user.
pub(super) fn undisturbed(t: &Transcript, handed: &Exchange, x: &Exchange, known: Option<&Exchange>) -> bool {
    let between = |y: &&Exchange| {
        let in_time = y.number > handed.number && y.number < x.number;
        let itself = y.number == handed.number || y.number == x.number;
        (in_time || together(y, x) || together(y, handed))
            && !itself
            && known.is_none_or(|known| known.number != y.number)
    };
    let grant = grant_of(t, handed);
    !t.exchanges.iter().filter(between).any(|y| match y.endpoint {
        Endpoint::Revoke => y.param("token").and_then(|token| owner(t, token)) == handed.client_id(),
        Endpoint::Token => {
            let login = y.granted() && y.client_id() == handed.client_id() && y.user == handed.user;
            login || grant.is_some() && grant_of(t, y) == grant
        }
        _ => false,
    })
}

/// Whether the record proves that an access token lives at the moment of `x`.
pub(super) fn is_live(t: &Transcript, token: &str, x: &Exchange) -> bool {
    let Some(handed) = handed_out(t, token, x) else { return false };
    let stated = t.subject.settings_of(handed.client_id()).millis("access_token_ttl");
    let ttl = [told(handed), stated].into_iter().flatten().min().unwrap_or(FRESH);
    ended(x) < handed.at.saturating_add(ttl) && undisturbed(t, handed, x, None)
}

/// Whether the record proves that an access token is past its time at the moment of `x`, whatever clock skew
/// is forgiven and whichever use slid its session.
pub(super) fn is_expired(t: &Transcript, token: &str, x: &Exchange) -> bool {
    let Some(handed) = handed_out(t, token, x) else { return false };
    let stated = t.subject.settings_of(handed.client_id()).millis("access_token_ttl").map(|ttl| {
        let used = t.before(x).filter(|y| y.number > handed.number).filter(|y| {
            let called = let_in(y) == Some(true) && presented(y) == Some(token);
            called || y.endpoint == Endpoint::Introspect && y.param("token") == Some(token)
        });
        used.map(ended).max().unwrap_or(0).max(ended(handed)).saturating_add(ttl)
    });
    let told = told(handed).map(|ttl| ended(handed).saturating_add(ttl));
    let leeway = t.subject.settings.millis("leeway").unwrap_or(LEEWAY) + 1000;
    told.max(stated).is_some_and(|end| x.at > end.saturating_add(leeway))
}

/// Whether a step put something in the place of a token that no server ever handed out.
pub(super) fn is_forged(t: &Transcript, token: &str, x: &Exchange) -> bool {
    let known = |y: &Exchange| {
        let handed = ["access_token", "refresh_token", "id_token"].iter().any(|m| y.text(m) == Some(token));
        let other_form = y.endpoint == Endpoint::Token
            && y.response().is_some_and(|r| r.status == 200 && r.json().is_none() && r.body.contains(token));
        let called = presented(y) == Some(token) && let_in(y) == Some(true);
        let refreshed = y.granted() && y.param("refresh_token") == Some(token);
        let earlier = y.number < x.number && (called || refreshed);
        handed || other_form || earlier || y.code_issued().as_deref() == Some(token)
    };
    x.tweak.is_some() && !token.is_empty() && !t.exchanges.iter().any(known)
}

/// `expires_in` of an answer, in milliseconds.
fn told(handed: &Exchange) -> Option<i64> {
    let value = handed.member("expires_in")?;
    value.as_i64().or_else(|| value.as_str()?.parse().ok())?.checked_mul(1000)
}

/// Whether the token rides in the header alone.
pub(super) fn sent_once(x: &Exchange) -> bool {
    x.param("access_token").is_none() && x.param("oauth_token").is_none()
}

fn bearer_header_is_accepted(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let usable = |x: &&Exchange| {
        let bearer = x.request.header("authorization").is_some_and(|value| value.starts_with("Bearer "));
        bearer && !is_soap(x) && x.tweak.is_none() && sent_once(x)
    };
    for x in t.at(Endpoint::Resource).filter(usable) {
        let Some(token) = presented(x).filter(|token| is_live(t, token, x)) else { continue };
        let scope = handed_out(t, token, x).and_then(|handed| t.granted_scope(handed));
        // Salesforce answers 401 to a token without the scope of its API, where RFC 6750 has 403.
        let narrow = t.subject.profile == Profile::Salesforce
            && scope.is_some_and(|scope| !scope.split(' ').any(|s| s == "api" || s == "full"));
        let refused = match x.status() {
            401 => !narrow && challenge(x).and_then(|c| c.error).as_deref() != Some("insufficient_scope"),
            400 => x.error().is_some_and(|error| error.error == "invalid_token"),
            _ => false,
        };
        if refused {
            j.fail(&[x], "to be let in: the token was granted before and is within its time", x.outcome());
        } else if let_in(x) == Some(true) {
            j.pass();
        }
    }
    j
}

/// What a Bearer challenge says.
pub(super) struct Challenge {
    pub error: Option<String>,
}

/// The Bearer challenge of an answer (RFC 9110 §11.6.1: schemes and parameters stand between commas).
pub(super) fn challenge(x: &Exchange) -> Option<Challenge> {
    let list = x.response()?.header_list("www-authenticate");
    // Within quotation marks a backslash takes its meaning from what follows (RFC 9110 §5.6.4).
    let (mut quoted, mut escaped) = (false, false);
    let parts = list.split(|c| {
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        c == ',' && !quoted
    });
    let (mut found, mut within) = (None, false);
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        let (word, rest) = part.split_once(' ').unwrap_or((part, ""));
        let is_scheme = !word.contains('=') && !rest.trim_start().starts_with('=');
        let param = if is_scheme { rest } else { part };
        within = if is_scheme { word.eq_ignore_ascii_case("bearer") } else { within };
        if within {
            let challenge = found.get_or_insert(Challenge { error: None });
            let param = param.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("error"));
            if let Some((_, value)) = param {
                challenge.error = Some(value.trim().trim_matches('"').to_owned());
            }
        }
    }
    found
}

fn invalid_token_is_401_with_challenge(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in calls(t).filter(|x| !is_soap(x) && sent_once(x)) {
        let Some(token) = presented(x) else { continue };
        let forged = is_forged(t, token, x);
        if let_in(x) == Some(true) {
            if forged {
                j.fail(&[x], "401: no server ever handed this token out", x.outcome());
            }
            continue;
        }
        let dead = forged || is_expired(t, token, x) || revoked(t, token, x).is_some();
        let refused =
            if dead { let_in(x) == Some(false) } else { x.status() == 401 && !is_live(t, token, x) };
        if !refused || x.endpoint == Endpoint::Identity {
            continue;
        }
        let expected = "401 with WWW-Authenticate: Bearer error=\"invalid_token\"";
        match challenge(x) {
            None => j.fail(&[x], expected, format!("{} without a Bearer challenge", x.status())),
            Some(Challenge { error }) if error.as_deref() != Some("invalid_token") => {
                if dead || error.is_none() {
                    let error = error.unwrap_or_else(|| "no error".into());
                    j.fail_lesser(&[x], expected, format!("{}, and the challenge says {error}", x.status()));
                }
            }
            Some(_) if x.status() != 401 => j.fail_lesser(&[x], expected, x.outcome()),
            Some(_) if opens_otherwise(t, x) => j.pass(),
            Some(_) => j.unproved(&[x], expected, "no call was let in, so that every token may be refused"),
        }
    }
    j
}

fn expired_token_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in calls(t) {
        let Some(token) = presented(x).filter(|token| is_expired(t, token, x)) else { continue };
        let Some(handed) = handed_out(t, token, x) else { continue };
        let expected = "401: the access token is past its time";
        // Salesforce's own signs of a dead token are judged where they are its own: see `salesforce`.
        let vendor = t.subject.profile == Profile::Salesforce && x.endpoint != Endpoint::Resource;
        match let_in(x) {
            Some(true) => j.fail(&[handed, x], expected, x.outcome()),
            Some(false) if !undisturbed(t, handed, x, None) => {}
            Some(false) if !opens_otherwise(t, x) => {
                j.unproved(&[x], expected, "it was refused, but no call was seen to be let in");
            }
            Some(false) if x.status() == 401 || is_soap(x) || vendor => j.pass(),
            Some(false) => j.fail_lesser(&[x], expected, x.outcome()),
            None => {}
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::verdict;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::{Level, Verdict};

    const GRANTED: &str = "> POST token grant_type=authorization_code&code=C&client_id=main\n\
        < 200 {\"access_token\":\"A\",\"refresh_token\":\"R\",\"token_type\":\"Bearer\"}\n";
    const CALL: &str = "> GET api\n> Authorization: Bearer A\n";

    #[test]
    fn a_token_that_may_have_been_ended_is_not_called_live() {
        for between in [
            "> POST revoke token=R&client_id=main\n< 200\n",
            "> POST token grant_type=authorization_code&code=C&client_id=other\n< 400 {\"error\":\"invalid_grant\"}\n",
            "> POST token grant_type=refresh_token&refresh_token=R&client_id=main\n< 200 {\"access_token\":\"B\"}\n",
            "+ 2m\n",
        ] {
            let text = format!("{GRANTED}{between}{CALL}< 401\n");
            assert_eq!(verdict("resource/bearer-header-is-accepted", &text), Verdict::Skip, "{between}");
        }
    }

    #[test]
    fn a_token_without_the_api_scope_is_no_fail_of_the_header() {
        let text = "= salesforce\n> POST token grant_type=client_credentials&client_id=main\n\
            < 200 {\"access_token\":\"A\",\"scope\":\"id\"}\n> GET api\n> Authorization: Bearer A\n\
            < 401 [{\"message\":\"This session is not valid for use with the REST API\",\"errorCode\":\"INVALID_SESSION_ID\"}]\n";
        assert_eq!(verdict("resource/bearer-header-is-accepted", text), Verdict::Skip);
    }

    #[test]
    fn a_refused_made_up_token_proves_nothing_where_nothing_is_let_in() {
        let text = "> GET api\n> Authorization: Bearer X\n! tweak access_token\n< 401\n\
            < WWW-Authenticate: Bearer error=\"invalid_token\"\n";
        assert_eq!(verdict("resource/invalid-token-is-401-with-challenge", text), Verdict::Inconclusive);
    }

    #[test]
    fn a_challenge_of_another_scheme_fails_and_one_without_error_weighs_less() {
        let id = "resource/invalid-token-is-401-with-challenge";
        let with = |challenge: &str| {
            let text = format!(
                "> GET api\n> Authorization: Bearer X\n! tweak access_token\n< 401\n< WWW-Authenticate: {challenge}\n"
            );
            judge_one(find(id).unwrap(), &script::read(&text)).findings.remove(0).level
        };
        assert_eq!(with("Token"), Level::Must);
        assert_eq!(with("Digest realm=\"x\", error=\"invalid_token\""), Level::Must);
        assert_eq!(with("Basic realm=\"x\", Bearer realm=\"y\""), Level::Should);
        let right = "Bearer realm=\"a, b c\", error = \"invalid_token\"";
        let text = format!(
            "> GET api\n> Authorization: Bearer X\n! tweak access_token\n< 401\n< WWW-Authenticate: {right}\n"
        );
        assert_eq!(verdict(id, &text), Verdict::Inconclusive);
    }

    #[test]
    fn a_session_that_was_used_in_between_is_not_called_expired() {
        let text = format!(
            "= setting access_token_ttl 15m\n{GRANTED}+ 10m\n{CALL}< 200\n+ 10m\n{CALL}< 200\n+ 20m\n{CALL}< 401\n"
        );
        assert_eq!(verdict("resource/expired-token-is-refused", &text), Verdict::Pass);
    }

    #[test]
    fn within_the_forgiven_skew_nothing_is_said() {
        let text = format!("= setting access_token_ttl 15m\n{GRANTED}+ 17m\n{CALL}< 200\n");
        assert_eq!(verdict("resource/expired-token-is-refused", &text), Verdict::Skip);
    }

    #[test]
    fn a_refusal_of_an_expired_token_that_was_revoked_too_is_no_evidence() {
        let text = format!(
            "= setting access_token_ttl 15m\n{GRANTED}{CALL}< 200\n> POST revoke token=A&client_id=main\n< 200\n+ 20m\n{CALL}< 401\n"
        );
        assert_eq!(verdict("resource/expired-token-is-refused", &text), Verdict::Skip);
    }
}
