//! How Salesforce refuses: the shapes and texts that clients decide by.

use super::{exchanges, is_jwt};
use crate::catalog::Judgement;
use crate::catalog::assertion::NO_CLIENT;
use crate::catalog::resource::{
    calls, handed_out, is_expired, is_forged, is_live, is_soap, let_in, owner, presented, sent_once,
};
use crate::catalog::revocation::{authenticated, revoked, shows_credentials};
use crate::oauth::Endpoint;
use crate::oauth::grant::{client_credentials, jwt_bearer, refresh_token, saml_bearer};
use crate::oauth::salesforce::Profile;
use crate::subject::Flow;
use crate::transcript::{Exchange, Transcript};

/// What is said of a refresh token that is dead.
const DEAD: &[&str] = &["expired access/refresh token", "token validity expired"];

/// What is said of a user whose approval is gone.
const UNAPPROVED: &str = "user hasn't approved this consumer";

/// Errors about the app or its user, whatever the token.
const NOT_OF_THE_TOKEN: &[&str] = &[
    "app_blocked",
    "fail_close_app_blocked",
    "app_not_found",
    "invalid_app_access",
    "oauth_flow_disabled",
    "inactive_user",
    "inactive_org",
];

/// What is said of a refresh token that another request is using.
const COLLISION: &[&str] = &["token request is already being processed", "expired authorization code"];

fn says(x: &Exchange, error: &str, descriptions: &[&str]) -> bool {
    let said = x.error().filter(|e| e.error == error && x.status() == 400).and_then(|e| e.description);
    said.is_some_and(|said| descriptions.iter().any(|d| said.trim().eq_ignore_ascii_case(d)))
}

/// Whether the record proves that an access token is of no use, and not by a flaw of the call.
fn is_dead(t: &Transcript, token: &str, x: &Exchange) -> bool {
    is_forged(t, token, x) || is_expired(t, token, x) || revoked(t, token, x).is_some()
}

pub(super) fn rest_401_is_an_array(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in exchanges(t).filter(|x| x.endpoint == Endpoint::Resource && !is_soap(x) && sent_once(x)) {
        let Some(token) = presented(x) else { continue };
        let expected = "401 with [{\"message\": ..., \"errorCode\": \"INVALID_SESSION_ID\"}]";
        let forged = is_forged(t, token, x);
        if let_in(x) == Some(true) {
            if forged {
                j.fail(&[x], expected, format!("{}, though nobody handed the token out", x.outcome()));
            }
            continue;
        }
        let xml = x.request.header("accept").is_some_and(|accept| accept.contains("xml"));
        if x.status() != 401 || xml {
            continue;
        }
        // Of an ID token that is sent in place of an access token it says what it says of any JWT.
        let jwt = handed_out(t, token, x).map_or_else(
            || {
                t.subject.settings_of(x.client_id()).is("jwt_access_tokens")
                    || t.before(x).any(|y| y.text("id_token") == Some(token))
            },
            |h| is_jwt(t, h),
        );
        let first = x.response().and_then(|r| r.json()?.as_array()?.first());
        let text = |name: &str| first.and_then(|first| first.get(name)?.as_str());
        let code = text("errorCode");
        let known =
            code == Some("INVALID_SESSION_ID") || (jwt || forged) && code == Some("INVALID_AUTH_HEADER");
        j.holds(known && text("message").is_some(), x, expected);
    }
    j
}

pub(super) fn identity_refuses_with_bad_oauth_token(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let identity = |x: &&Exchange| matches!(x.endpoint, Endpoint::Userinfo | Endpoint::Identity);
    for x in calls(t).filter(identity).filter(|_| t.subject.profile == Profile::Salesforce) {
        let Some(token) = presented(x).filter(|token| sent_once(x) && !is_live(t, token, x)) else {
            continue;
        };
        let body = x.response().map_or("", |response| response.body.trim());
        if x.status() == 403 && body.eq_ignore_ascii_case("Bad_OAuth_Token") {
            j.pass();
        } else if is_forged(t, token, x) && let_in(x) == Some(true)
            || is_dead(t, token, x) && let_in(x) == Some(false)
        {
            j.fail(&[x], "403 with the text Bad_OAuth_Token", x.outcome());
        }
    }
    j
}

pub(super) fn soap_fault_is_invalid_session_id(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in exchanges(t).filter(|x| is_soap(x)) {
        let Some(token) = presented(x) else { continue };
        let body = x.response().map_or("", |response| response.body.as_str());
        let code = body.split_once("<faultcode>").and_then(|(_, rest)| rest.split('<').next()).unwrap_or("");
        let right = x.status() == 500
            && code.trim().split_once(':').is_some_and(|(_, code)| code == "INVALID_SESSION_ID");
        let expected = "500 with <faultcode>sf:INVALID_SESSION_ID</faultcode>";
        let dead = is_dead(t, token, x) && (400..=500).contains(&x.status());
        if right {
            j.pass();
        } else if dead || body.contains("INVALID_SESSION_ID") || is_forged(t, token, x) && x.status() == 200 {
            j.fail(&[x], expected, x.outcome());
        }
    }
    j
}

/// Refreshes whose client and form bear no flaw that the record shows.
fn sound_refreshes(t: &Transcript) -> impl Iterator<Item = (&Exchange, &str)> {
    exchanges(t).filter(|x| x.grant_type() == Some(refresh_token::GRANT_TYPE)).filter_map(move |x| {
        let needs_none = t.subject.settings_of(x.client_id()).flag("secret_for_refresh") == Some(false);
        let sound = (authenticated(t, x) || needs_none && !shows_credentials(x))
            && x.param("scope").is_none()
            && x.request.form().repeated().is_none()
            && x.request.method == "POST"
            && x.client_id()
                .and_then(|id| t.subject.app_of(id))
                .is_none_or(|app| app.flows.contains(&Flow::RefreshToken));
        let token = x.request.form().get("refresh_token").filter(|token| sound && !token.is_empty())?;
        owner(t, token).is_none_or(|owner| x.client_id() == Some(owner)).then_some((x, token))
    })
}

pub(super) fn dead_refresh_token_says_expired(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in sound_refreshes(t).filter(|(x, _)| x.race.is_none()) {
        let dead =
            is_forged(t, token, x) || revoked(t, token, x).is_some() || t.rotated_before(token, x).is_some();
        // Of a client that is blocked or not admitted, this is told first.
        let judged = !x.error().is_some_and(|e| NOT_OF_THE_TOKEN.contains(&e.error.as_str()));
        if dead && judged && (400..500).contains(&x.status()) && x.status() != 429 {
            let expected = "400 invalid_grant (expired access/refresh token)";
            // An approval that was revoked with its token is told so, too.
            let gone = !is_forged(t, token, x) && says(x, "invalid_grant", &[UNAPPROVED]);
            j.holds(says(x, "invalid_grant", DEAD) || gone, x, expected);
        }
    }
    j
}

pub(super) fn refresh_collision_has_its_text(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in sound_refreshes(t).filter(|(x, _)| x.race.is_some() && !x.granted()) {
        let mates = sound_refreshes(t).filter(|(y, same)| y.race == x.race && *same == token);
        let winners = mates.map(|(y, _)| y).filter(|y| y.granted()).collect::<Vec<_>>();
        let Some(winner) = winners.first().filter(|_| matches!(x.status(), 400..=599)) else { continue };
        let rotates = t.subject.settings_of(x.client_id()).is("rotation")
            || winners.iter().any(|w| w.text("refresh_token").is_some_and(|new| new != token));
        let late = rotates && says(x, "invalid_grant", DEAD);
        if says(x, "invalid_grant", COLLISION) || late {
            j.pass();
        } else if !matches!(x.status(), 429 | 503) {
            let expected = "400 invalid_grant (token request is already being processed)";
            j.fail(&[winner, x], expected, x.outcome());
        }
    }
    j
}

/// Token requests that were refused as requests, not for the load of the server.
fn refused_at_token(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    let refused = |x: &&Exchange| (400..500).contains(&x.status()) && x.status() != 429;
    exchanges(t).filter(|x| x.endpoint == Endpoint::Token && x.request.method == "POST").filter(refused)
}

pub(super) fn unknown_client_has_its_error(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in refused_at_token(t).filter(|x| x.client_id() == Some(NO_CLIENT)) {
        let other = ["invalid_client", "app_not_found"];
        let known = x.error().is_some_and(|error| other.contains(&error.error.as_str()))
            || says(x, "invalid_client_id", &["client identifier invalid"]);
        j.holds(known, x, "400 invalid_client_id (client identifier invalid)");
    }
    j
}

pub(super) fn wrong_secret_has_its_text(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in refused_at_token(t).filter(|x| x.facts.secret_is_right == Some(false)) {
        // What is wrong with the app, or with the rest of the request, is told before.
        if x.error().is_some_and(|error| error.error == "invalid_client") {
            let said = says(x, "invalid_client", &["invalid client credentials"]);
            j.holds(said, x, "400 invalid_client (invalid client credentials)");
        }
    }
    j
}

pub(super) fn redirect_uri_mismatch_has_its_text(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in exchanges(t).filter(|x| x.endpoint == Endpoint::Authorize && x.tweak.is_some()) {
        let query = x.request.query();
        let app = query.get("client_id").and_then(|id| t.subject.app_of(id));
        let (Some(app), Some(uri)) = (app, query.get("redirect_uri")) else { continue };
        let mismatch = query.repeated().is_none() && !app.redirect_uris.iter().any(|own| own == uri);
        if mismatch && !app.redirect_uris.is_empty() && (400..500).contains(&x.status()) {
            let text = says(x, "redirect_uri_mismatch", &["redirect_uri must match configuration"]);
            j.holds(text, x, "400 redirect_uri_mismatch (redirect_uri must match configuration)");
        }
    }
    j
}

pub(super) fn scope_parameter_is_refused(t: &Transcript) -> Judgement {
    let grants = [
        refresh_token::GRANT_TYPE,
        jwt_bearer::GRANT_TYPE,
        saml_bearer::GRANT_TYPE,
        client_credentials::GRANT_TYPE,
    ];
    let mut j = Judgement::new();
    let asks = |x: &&Exchange| {
        x.param("scope").is_some_and(|scope| !scope.is_empty())
            && x.grant_type().is_some_and(|grant| grants.contains(&grant))
    };
    for x in exchanges(t).filter(asks) {
        let expected = "400 invalid_request (scope parameter not supported)";
        let alone =
            x.tweak.as_deref().is_some_and(|tweak| tweak.starts_with("with scope") && !tweak.contains(','));
        if says(x, "invalid_request", &["scope parameter not supported"]) {
            j.pass();
        } else if x.granted() {
            j.fail(&[x], expected, x.outcome());
        } else if alone && x.status() == 400 {
            j.fail_lesser(&[x], expected, x.outcome());
        }
    }
    j
}

pub(super) fn session_without_api_has_its_text(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in exchanges(t).filter(|x| x.endpoint == Endpoint::Resource && !is_soap(x) && sent_once(x)) {
        let Some(token) = presented(x).filter(|token| x.tweak.is_none() && is_live(t, token, x)) else {
            continue;
        };
        let scope = handed_out(t, token, x).and_then(|handed| handed.text("scope"));
        if scope.is_none_or(|scope| scope.split(' ').any(|s| s == "api" || s == "full")) {
            continue;
        }
        let first = x.response().and_then(|r| r.json()?.as_array()?.first());
        let text = |name: &str| first.and_then(|first| first.get(name)?.as_str());
        let known = text("errorCode") == Some("INVALID_SESSION_ID")
            && text("message") == Some("This session is not valid for use with the REST API");
        // With access tokens in JWT format another code is seen.
        let jwt = handed_out(t, token, x).is_some_and(|handed| is_jwt(t, handed));
        if x.status() == 401 && (!jwt || known) {
            j.holds(known, x, "401 INVALID_SESSION_ID (This session is not valid for use with the REST API)");
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::{Level, Verdict};

    fn judged(id: &str, text: &str) -> (Verdict, Option<Level>) {
        let judged = judge_one(find(id).unwrap(), &script::read(&format!("= salesforce\n{text}")));
        (judged.verdict, judged.findings.first().map(|finding| finding.level))
    }

    fn verdict(id: &str, text: &str) -> Verdict {
        judged(id, text).0
    }

    const REFRESH: &str =
        "> POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=s\n";

    #[test]
    fn nothing_is_judged_under_profile_rfc() {
        for check in crate::catalog::salesforce::CHECKS {
            for text in [check.passes, check.fails] {
                let text = text.replace("= salesforce", "= rfc");
                assert_eq!(judge_one(check, &script::read(&text)).verdict, Verdict::Skip, "{}", check.id);
            }
        }
    }

    #[test]
    fn an_id_token_in_place_of_an_access_token_is_refused_as_any_jwt() {
        let id = "salesforce/rest-401-is-an-array";
        let says = |token: &str| {
            let login = "> POST token grant_type=authorization_code&code=C\n< 200 {\"access_token\":\"A\",\"id_token\":\"I\"}\n";
            let body = r#"[{"message":"INVALID_JWT_FORMAT","errorCode":"INVALID_AUTH_HEADER"}]"#;
            verdict(id, &format!("{login}> GET api\n> Authorization: Bearer {token}\n< 401 {body}\n"))
        };
        assert_eq!((says("I"), says("A")), (Verdict::Pass, Verdict::Fail));
    }

    #[test]
    fn a_member_too_many_weighs_less_than_one_too_few() {
        let id = "salesforce/jwt-bearer-answer-is-short";
        let with = |more: &str| {
            format!(
                "> POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=a\n\
                 < 200 {{\"access_token\":\"A\",\"scope\":\"api\",\"instance_url\":\"i\",\"id\":\"u\",\"token_type\":\"Bearer\"{more}}}\n"
            )
        };
        let more = ",\"issued_at\":\"1\",\"signature\":\"s\"";
        assert_eq!(judged(id, &with(more)), (Verdict::Fail, Some(Level::Should)));
        assert_eq!(verdict(id, &with(&format!("{more},\"token_format\":\"jwt\""))), Verdict::Pass);
        let whole = "salesforce/token-response-has-its-members";
        assert_eq!(verdict(whole, &with(more)), Verdict::Pass);
        assert_eq!(judged(whole, &with(",\"token_format\":\"jwt\"")), (Verdict::Fail, Some(Level::Must)));
    }

    #[test]
    fn the_date_of_the_answer_counts_where_the_clocks_differ() {
        let id = "salesforce/issued-at-is-milliseconds-as-text";
        let text = "> POST token grant_type=client_credentials&client_id=main\n\
            < 200 {\"access_token\":\"A\",\"issued_at\":\"1000000000123\"}\n< Date: Sun, 09 Sep 2001 01:46:40 GMT\n";
        assert_eq!(verdict(id, text), Verdict::Pass);
        assert_eq!(verdict(id, &text.replace("\"1000000000123\"", "1000000000123")), Verdict::Fail);
        assert_eq!(verdict(id, &text.replace("2001", "2011")), Verdict::Fail);
    }

    #[test]
    fn another_users_identity_is_no_mismatch() {
        let id = "salesforce/identity-url-answers-its-user";
        let text = "> POST token grant_type=client_credentials&client_id=main\n\
            < 200 {\"access_token\":\"A\",\"scope\":\"id\",\"id\":\"https://org.example/id/00Dxx0000000001EAA/005xx0000000001AAA\"}\n\
            > GET identity /id/00Dxx0000000001EAA/005xx0000000002AAA\n> Authorization: Bearer A\n";
        assert_eq!(verdict(id, &format!("{text}< 403 Bad_Id\n")), Verdict::Skip);
        let own = text.replace("0002AAA", "0001AAA");
        assert_eq!(verdict(id, &format!("{own}< 403 Bad_OAuth_Token\n")), Verdict::Fail);
        let stranger =
            "< 200 {\"user_id\":\"005xx0000000003AAA\",\"organization_id\":\"00Dxx0000000001EAA\"}\n";
        assert_eq!(verdict(id, &format!("{own}{stranger}")), Verdict::Fail);
    }

    #[test]
    fn a_403_for_another_reason_is_not_about_the_token() {
        let id = "salesforce/identity-refuses-with-bad-oauth-token";
        assert_eq!(
            verdict(id, "> GET userinfo\n> Authorization: Bearer X\n< 403 Wrong_Org\n"),
            Verdict::Skip
        );
        let fail = "> GET userinfo\n> Authorization: Bearer X\n! tweak access_token\n< 401\n";
        assert_eq!(judged(id, fail), (Verdict::Fail, Some(Level::BestPractice)));
    }

    #[test]
    fn a_revoked_session_id_is_known_in_the_envelope() {
        let id = "salesforce/soap-fault-is-invalid-session-id";
        let text = "> POST token grant_type=client_credentials&client_id=main\n< 200 {\"access_token\":\"A\"}\n\
            > POST revoke token=A\n< 200\n\
            > POST api /services/Soap/u/60.0 <u:sessionId>A</u:sessionId>\n";
        assert_eq!(verdict(id, &format!("{text}< 401\n")), Verdict::Fail);
        assert_eq!(
            verdict(id, &format!("{text}< 500 <faultcode>sf:INVALID_SESSION_ID</faultcode>\n")),
            Verdict::Pass
        );
        assert_eq!(
            verdict("revocation/revoked-access-token-is-refused", &format!("{text}< 200 <ok/>\n")),
            Verdict::Fail
        );
    }

    #[test]
    fn a_refresh_with_a_scope_may_be_refused_for_the_scope() {
        let text = "> POST token grant_type=refresh_token&refresh_token=X&scope=api&client_id=main&client_secret=s\n\
            ! tweak refresh_token\n< 400 {\"error\":\"invalid_request\",\"error_description\":\"scope parameter not supported\"}\n";
        assert_eq!(verdict("salesforce/dead-refresh-token-says-expired", text), Verdict::Skip);
    }

    #[test]
    fn a_race_is_judged_by_its_losers_and_rotation_makes_them_late() {
        let id = "salesforce/refresh-collision-has-its-text";
        let race = |winner: &str, loser: &str| {
            verdict(id, &format!("= race\n{REFRESH}< {winner}\n{REFRESH}< {loser}\n= end\n"))
        };
        let (won, rotated) =
            ("200 {\"access_token\":\"B\"}", "200 {\"access_token\":\"B\",\"refresh_token\":\"S\"}");
        let late = "400 {\"error\":\"invalid_grant\",\"error_description\":\"expired access/refresh token\"}";
        assert_eq!(race(won, late), Verdict::Fail);
        assert_eq!(race(rotated, late), Verdict::Pass);
        assert_eq!(race(won, won), Verdict::Skip);
        assert_eq!(race(late, late), Verdict::Skip);
    }
}
