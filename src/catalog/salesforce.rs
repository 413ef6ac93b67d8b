//! What Salesforce adds to OAuth and clients rely on. Judged under profile `salesforce` alone.

use serde_json::Value;

use super::Cite::{Community, Salesforce};
use super::resource::{
    calls, handed_out, is_expired, is_forged, is_live, is_soap, let_in, owner, presented, sent_once,
};
use super::revocation::{authenticated, revoked, shows_credentials};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::oauth::grant::{authorization_code, client_credentials, jwt_bearer, refresh_token, saml_bearer};
use crate::oauth::salesforce::Profile;
use crate::subject::Flow;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "salesforce/token-response-has-its-members",
        title: "a token response holds the members that its flow has",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "SF-01",
        cites: &[
            Salesforce("OAuth 2.0 Web Server Flow for Web App Integration"),
            Salesforce("OAuth 2.0 Refresh Token Flow for Renewed Sessions"),
            Salesforce("OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration"),
        ],
        explain: "Clients of Salesforce read more than RFC 6749 has: instance_url says where to call, id who the user is, \
            issued_at and signature come with most flows. A client that finds instance_url missing calls the login host and \
            fails there. JWT bearer with opaque tokens and SAML bearer are the exception: they carry no issued_at and no \
            signature. An emulator has to keep to the members of each flow, for clients are written against them.",
        passes: "= salesforce\n\
            > POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=a\n\
            < 200 {\"access_token\":\"A\",\"scope\":\"api\",\"instance_url\":\"https://org.example\",\"id\":\"https://org.example/id/00Dxx0000000001EAA/005xx0000000001AAA\",\"token_type\":\"Bearer\"}",
        fails: "= salesforce\n\
            > POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\",\"expires_in\":7200}",
        judge: token_response_has_its_members,
    },
    Check {
        id: "salesforce/issued-at-is-milliseconds-as-text",
        title: "issued_at is a text of milliseconds since the epoch",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "SF-02",
        cites: &[Salesforce("OAuth 2.0 Web Server Flow for Web App Integration")],
        explain: "issued_at is the only time in a Salesforce token response, and it is a JSON string of milliseconds. Old \
            pages of the documentation speak of seconds, and clients that believed them take every token for one from 1970 \
            or from the far future. The value is compared with the Date of the answer and with the clock of the run, five \
            minutes either way.",
        passes: "= salesforce\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"issued_at\":\"{ms}\"}",
        fails: "= salesforce\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"issued_at\":\"{now}\"}",
        judge: issued_at_is_milliseconds_as_text,
    },
    Check {
        id: "salesforce/signature-fits",
        title: "signature is the HMAC of id and issued_at under the consumer secret",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "SF-03",
        cites: &[Salesforce("OAuth 2.0 Web Server Flow for Web App Integration")],
        explain: "signature lets a client see that the identity URL was not exchanged on the way: base64 of HMAC-SHA256 \
            with the consumer secret as key over id and issued_at, one behind the other without anything between. If it does \
            not fit, the usual cause is that the secret in the target is not that of the app, or that id or issued_at was \
            rewritten after signing.",
        passes: "= salesforce\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            ! signature right\n\
            < 200 {\"access_token\":\"A\",\"signature\":\"x\"}",
        fails: "= salesforce\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            ! signature wrong\n\
            < 200 {\"access_token\":\"A\",\"signature\":\"x\"}",
        judge: signature_fits,
    },
    Check {
        id: "salesforce/refresh-token-needs-its-scope",
        title: "a refresh token comes only from a flow that has one, with scope refresh_token or offline_access",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "SF-04",
        cites: &[Salesforce("OAuth Tokens and Scopes")],
        explain: "The scope refresh_token, also written offline_access, is what a user agrees to when an app may come back \
            alone; full does not include it. JWT bearer, SAML bearer, client credentials and the password flow never give a \
            refresh token, they ask again. A refresh token that nobody agreed to is access without an end. To get one, add \
            the scope to the app and request it.",
        passes: "= salesforce\n\
            > POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"refresh_token\":\"R\",\"scope\":\"refresh_token api\"}",
        fails: "= salesforce\n\
            > POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"refresh_token\":\"R\",\"scope\":\"api id\"}",
        judge: refresh_token_needs_its_scope,
    },
    Check {
        id: "salesforce/identity-url-answers-its-user",
        title: "id is the identity URL of org and user, and answers that user",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "SF-05",
        cites: &[Salesforce("Identity URLs")],
        explain: "Clients cut the org id and the user id out of id, and fetch it to learn who logged in. It ends in \
            /id/<org>/<user>, and asked with the access token it answers user_id and organization_id of the same two. A \
            wrong user there means data written under a stranger's name. If it is refused, look whether the app has the \
            scope id and whether the host is that of the org.",
        passes: "= salesforce\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"id\":\"https://org.example/id/00Dxx0000000001EAA/005xx0000000001AAA\"}\n\
            > GET identity /id/00Dxx0000000001EAA/005xx0000000001AAA\n\
            > Authorization: Bearer A\n\
            < 200 {\"user_id\":\"005xx0000000001AAA\",\"organization_id\":\"00Dxx0000000001EAA\"}",
        fails: "= salesforce\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"id\":\"005xx0000000001AAA\"}",
        judge: identity_url_answers_its_user,
    },
    Check {
        id: "salesforce/rest-401-is-an-array",
        title: "a REST call with a dead token is 401 with an array that says INVALID_SESSION_ID",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "SF-06",
        cites: &[Salesforce("REST API Developer Guide: Status Codes and Error Responses")],
        explain: "Clients decide to refresh by errorCode INVALID_SESSION_ID in the first element of a JSON array; one that \
            finds an object, or a page, gives up. The same code also stands for a session without the right to the API, with \
            another message, which no refresh cures. With access tokens in JWT format the code may be INVALID_AUTH_HEADER. A \
            proxy that rewrites error bodies is the usual cause of another shape.",
        passes: "= salesforce\n\
            > GET api\n\
            > Authorization: Bearer X\n\
            < 401 [{\"message\":\"Session expired or invalid\",\"errorCode\":\"INVALID_SESSION_ID\"}]",
        fails: "= salesforce\n\
            > GET api\n\
            > Authorization: Bearer X\n\
            < 401 {\"message\":\"Session expired or invalid\",\"errorCode\":\"INVALID_SESSION_ID\"}",
        judge: rest_401_is_an_array,
    },
    Check {
        id: "salesforce/identity-refuses-with-bad-oauth-token",
        title: "userinfo and the identity URL refuse a dead token with 403 and the text Bad_OAuth_Token",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Community,
        origin: "SF-07",
        cites: &[
            Community("jsforce pull request 736"),
            Community("SalesforceMobileSDK-iOS issue 3398"),
            Community("SalesforceMobileSDK-Android pull request 2430"),
        ],
        explain: "The identity endpoints do not speak like the REST API: a dead token is 403 there, not 401, and the body is \
            the bare text Bad_OAuth_Token. A client that refreshes on 401 alone never recovers at these two, which is why \
            several clients look for the text. Treat this 403 as expired, and any other 403 as a missing right.",
        passes: "= salesforce\n\
            > GET userinfo\n\
            > Authorization: Bearer X\n\
            ! tweak access_token\n\
            < 403 Bad_OAuth_Token",
        fails: "= salesforce\n\
            > GET userinfo\n\
            > Authorization: Bearer X\n\
            ! tweak access_token\n\
            < 401 {\"error\":\"invalid_token\"}",
        judge: identity_refuses_with_bad_oauth_token,
    },
    Check {
        id: "salesforce/soap-fault-is-invalid-session-id",
        title: "a SOAP call with a dead session is 500 with the fault code INVALID_SESSION_ID",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "SF-08",
        cites: &[Salesforce("SOAP API Developer Guide: Error Handling")],
        explain: "SOAP takes the access token as sessionId in the envelope and reports its end as a fault, which travels \
            under status 500: no 401 comes at all. A client has to read the fault code before it takes the 500 for an outage, \
            refresh, and put the new token into the envelope. An access token in JWT format is no session id and fails this \
            way for ever, so refreshing on it loops.",
        passes: "= salesforce\n\
            > POST api /services/Soap/u/60.0 <e:Header><sessionId>X</sessionId></e:Header>\n\
            ! tweak access_token\n\
            < 500 <faultcode>sf:INVALID_SESSION_ID</faultcode><faultstring>INVALID_SESSION_ID: Illegal Session</faultstring>",
        fails: "= salesforce\n\
            > POST api /services/Soap/u/60.0 <e:Header><sessionId>X</sessionId></e:Header>\n\
            ! tweak access_token\n\
            < 401 [{\"message\":\"Session expired or invalid\",\"errorCode\":\"INVALID_SESSION_ID\"}]",
        judge: soap_fault_is_invalid_session_id,
    },
    Check {
        id: "salesforce/dead-refresh-token-says-expired",
        title: "a dead refresh token is 400 invalid_grant with expired access/refresh token",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "SF-09",
        cites: &[Salesforce("OAuth 2.0 Authorization Errors")],
        explain: "Salesforce uses invalid_grant for half a dozen causes, so clients read the description: expired \
            access/refresh token means that only a new login helps, while a collision means wait and repeat. It stands for a \
            token revoked, rotated out, pushed out by a newer approval, ended by policy, or sent to the wrong org; a policy \
            that ran out may say token validity expired. Send the user through the web server flow again, and store every new \
            refresh token under rotation.",
        passes: "= salesforce\n\
            > POST token grant_type=refresh_token&refresh_token=X&client_id=main&client_secret=s\n\
            ! tweak refresh_token\n\
            < 400 {\"error\":\"invalid_grant\",\"error_description\":\"expired access/refresh token\"}",
        fails: "= salesforce\n\
            > POST token grant_type=refresh_token&refresh_token=X&client_id=main&client_secret=s\n\
            ! tweak refresh_token\n\
            < 400 {\"error\":\"invalid_grant\",\"error_description\":\"grant request is invalid\"}",
        judge: dead_refresh_token_says_expired,
    },
    Check {
        id: "salesforce/refresh-collision-has-its-text",
        title: "of two refreshes in flight with one token, the loser is told that the request is being processed",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "SF-10",
        cites: &[
            Salesforce("Release Notes, Summer '24 (rn_security_refresh_token_requests)"),
            Community("segmentio/action-destinations pull request 2300"),
        ],
        explain: "Since the summer of 2024 Salesforce lets one refresh of a token through at a time; the others get \
            invalid_grant with token request is already being processed, older orgs said expired authorization code. The \
            grant is alive: a client that throws its tokens away on this invalid_grant logs its user out for nothing. Under \
            rotation a loser that comes a moment later sees the token as rotated out. Share one refresh among all workers, \
            and take the result of the winner.",
        passes: "= salesforce\n\
            = race\n\
            > POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"B\"}\n\
            > POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=s\n\
            < 400 {\"error\":\"invalid_grant\",\"error_description\":\"token request is already being processed\"}\n\
            = end",
        fails: "= salesforce\n\
            = race\n\
            > POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"B\"}\n\
            > POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=s\n\
            < 400 {\"error\":\"invalid_request\",\"error_description\":\"concurrent request\"}\n\
            = end",
        judge: refresh_collision_has_its_text,
    },
];

/// How far a clock may be off, in milliseconds.
const SKEW: i64 = 300_000;

/// What is said of a refresh token that is dead.
const DEAD: &[&str] = &["expired access/refresh token", "token validity expired"];

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

const WITH_SIGNATURE: &[&str] =
    &["access_token", "instance_url", "id", "token_type", "scope", "issued_at", "signature"];

/// Every exchange, where the subject speaks as Salesforce does.
fn exchanges(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    t.exchanges.iter().filter(|_| t.subject.profile == Profile::Salesforce)
}

fn grants(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    exchanges(t).filter(|x| x.granted())
}

fn says(x: &Exchange, error: &str, descriptions: &[&str]) -> bool {
    let said = x.error().filter(|e| e.error == error && x.status() == 400).and_then(|e| e.description);
    said.is_some_and(|said| descriptions.iter().any(|d| said.trim().eq_ignore_ascii_case(d)))
}

/// Whether the record proves that an access token is of no use, and not by a flaw of the call.
fn is_dead(t: &Transcript, token: &str, x: &Exchange) -> bool {
    is_forged(t, token, x) || is_expired(t, token, x) || revoked(t, token, x).is_some()
}

/// Whether access tokens of that answer are JWTs.
fn is_jwt(t: &Transcript, handed: &Exchange) -> bool {
    handed.text("token_format") == Some("jwt") || t.subject.settings.is("jwt_access_tokens")
}

/// The members that the answer of a flow always has, and those that it never has.
fn members_of(t: &Transcript, x: &Exchange) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match x.grant_type()? {
        authorization_code::GRANT_TYPE | refresh_token::GRANT_TYPE => (WITH_SIGNATURE, &[]),
        client_credentials::GRANT_TYPE => (WITH_SIGNATURE, &["id_token"]),
        jwt_bearer::GRANT_TYPE if is_jwt(t, x) => (WITH_SIGNATURE, &[]),
        jwt_bearer::GRANT_TYPE => (&WITH_SIGNATURE[..5], &["issued_at", "signature"]),
        saml_bearer::GRANT_TYPE if is_jwt(t, x) => (&["access_token", "instance_url", "scope"], &[]),
        saml_bearer::GRANT_TYPE => (&["access_token", "instance_url", "scope"], &["issued_at", "signature"]),
        "password" => (&["access_token", "instance_url", "id", "token_type", "issued_at", "signature"], &[]),
        _ => return None,
    })
}

fn token_response_has_its_members(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in grants(t) {
        let Some((always, never)) = members_of(t, x) else { continue };
        // The signature is made with the secret, which a public client does not have.
        let public = x.client_id().and_then(|id| t.subject.app_of(id)).is_some_and(|app| app.public);
        let there = |name: &&&str| x.member(name).is_some_and(|value| !value.is_null() && value != "");
        let missing = always.iter().filter(|name| !(public && **name == "signature"));
        let missing = missing.filter(|name| !there(name)).copied().collect::<Vec<_>>();
        let surplus = never.iter().filter(there).copied().collect::<Vec<_>>();
        if !missing.is_empty() {
            let expected = format!("a token response with {}", always.join(", "));
            j.fail(&[x], expected, format!("no {}", missing.join(", ")));
        } else if !surplus.is_empty() {
            let expected = format!("a token response without {}", never.join(", "));
            j.fail_lesser(&[x], expected, format!("it has {}", surplus.join(", ")));
        } else {
            j.pass();
        }
    }
    j
}

fn issued_at_is_milliseconds_as_text(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let unit = if t.subject.settings.word("issued_at") == Some("seconds") { 1000 } else { 1 };
    for x in grants(t) {
        let Some(value) = x.member("issued_at") else { continue };
        let expected = "issued_at as a text of milliseconds since the epoch, close to now";
        let text = value.as_str().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let Some(issued) = text.and_then(|text| text.parse::<i64>().ok()) else {
            j.fail(&[x], expected, format!("issued_at is {value}"));
            continue;
        };
        let date = x.response().and_then(|r| r.header("date")).and_then(|date| {
            let parser = jiff::fmt::rfc2822::DateTimeParser::new();
            Some(parser.parse_timestamp(date).ok()?.as_millisecond())
        });
        let issued = issued.saturating_mul(unit);
        let close = |clock: i64| issued.abs_diff(clock) <= SKEW.unsigned_abs();
        if close(x.at) || date.is_some_and(close) {
            j.pass();
        } else {
            j.fail(&[x], expected, format!("issued_at is {value}, and now is {}", date.unwrap_or(x.at)));
        }
    }
    j
}

fn signature_fits(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in grants(t) {
        match x.facts.signature_fits {
            Some(true) => j.pass(),
            Some(false) => j.fail(
                &[x],
                "signature = base64(HMAC-SHA256(consumer secret, id + issued_at))",
                "another signature",
            ),
            None => {}
        }
    }
    j
}

fn refresh_token_needs_its_scope(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in grants(t) {
        let has_one = match x.grant_type() {
            Some(authorization_code::GRANT_TYPE | refresh_token::GRANT_TYPE) => true,
            Some(
                jwt_bearer::GRANT_TYPE
                | saml_bearer::GRANT_TYPE
                | client_credentials::GRANT_TYPE
                | "password",
            ) => false,
            _ => continue,
        };
        let agreed = x
            .text("scope")
            .map(|scope| scope.split(' ').any(|s| s == "refresh_token" || s == "offline_access"));
        match (x.text("refresh_token").is_some(), has_one, agreed) {
            (true, false, _) => {
                j.fail(&[x], "no refresh token: the flow has none", "the answer holds a refresh token");
            }
            (true, true, Some(false)) => j.fail(
                &[x],
                "no refresh token: neither refresh_token nor offline_access is in the scope",
                format!("a refresh token with scope {}", x.text("scope").unwrap_or("")),
            ),
            (true, true, None) => {}
            _ => j.pass(),
        }
    }
    j
}

/// The org and the user that an identity URL names.
fn named(id: &str) -> Option<(&str, &str)> {
    let mut parts = id.split_once("://")?.1.rsplit('/');
    let (user, org, mark) = (parts.next()?, parts.next()?, parts.next()?);
    let is_id = |id: &str, prefix: &str| {
        matches!(id.len(), 15 | 18) && id.starts_with(prefix) && id.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    (mark == "id" && is_id(org, "00D") && is_id(user, "005") && parts.next().is_some()).then_some((org, user))
}

fn identity_url_answers_its_user(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in grants(t) {
        if let Some(id) = x.text("id").filter(|id| named(id).is_none()) {
            j.fail(&[x], "id as a URL that ends in /id/<org>/<user>", format!("id is {id}"));
        }
    }
    for x in exchanges(t).filter(|x| x.endpoint == Endpoint::Identity && x.tweak.is_none()) {
        let Some((org, user)) = named(x.request.url.split('?').next().unwrap_or("")) else { continue };
        let same = |name: &str, id: &str| x.text(name).is_some_and(|told| told.get(..15) == id.get(..15));
        let its_own = presented(x).filter(|token| {
            let handed = handed_out(t, token, x);
            let scope = handed.and_then(|h| h.text("scope")).unwrap_or("");
            is_live(t, token, x)
                && handed.and_then(|h| named(h.text("id")?)) == Some((org, user))
                && scope.split(' ').any(|s| ["id", "openid", "full"].contains(&s))
        });
        let json = x.response().and_then(|r| r.json()).is_some_and(Value::is_object);
        let expected = format!("the user {user} of the org {org}");
        match x.status() {
            200 if json && same("user_id", user) && same("organization_id", org) => j.pass(),
            200 if json => {
                let told = |name: &str| x.text(name).unwrap_or("nobody").to_owned();
                j.fail(&[x], expected, format!("{} of {}", told("user_id"), told("organization_id")));
            }
            401 | 403 | 404 if its_own.is_some() => j.fail(&[x], expected, x.outcome()),
            _ => {}
        }
    }
    j
}

fn rest_401_is_an_array(t: &Transcript) -> Judgement {
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
        let jwt =
            handed_out(t, token, x).map_or(t.subject.settings.is("jwt_access_tokens"), |h| is_jwt(t, h));
        let first = x.response().and_then(|r| r.json()?.as_array()?.first());
        let text = |name: &str| first.and_then(|first| first.get(name)?.as_str());
        let code = text("errorCode");
        let known =
            code == Some("INVALID_SESSION_ID") || (jwt || forged) && code == Some("INVALID_AUTH_HEADER");
        j.holds(known && text("message").is_some(), x, expected);
    }
    j
}

fn identity_refuses_with_bad_oauth_token(t: &Transcript) -> Judgement {
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

fn soap_fault_is_invalid_session_id(t: &Transcript) -> Judgement {
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
    let needs_none = t.subject.settings.flag("secret_for_refresh") == Some(false);
    exchanges(t).filter(|x| x.grant_type() == Some(refresh_token::GRANT_TYPE)).filter_map(move |x| {
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

fn dead_refresh_token_says_expired(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in sound_refreshes(t).filter(|(x, _)| x.race.is_none()) {
        let dead =
            is_forged(t, token, x) || revoked(t, token, x).is_some() || t.rotated_before(token, x).is_some();
        // Of a client that is blocked or not admitted, this is told first.
        let judged = !x.error().is_some_and(|e| NOT_OF_THE_TOKEN.contains(&e.error.as_str()));
        if dead && judged && (400..500).contains(&x.status()) && x.status() != 429 {
            let expected = "400 invalid_grant (expired access/refresh token)";
            j.holds(says(x, "invalid_grant", DEAD), x, expected);
        }
    }
    j
}

fn refresh_collision_has_its_text(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in sound_refreshes(t).filter(|(x, _)| x.race.is_some() && !x.granted()) {
        let mates = sound_refreshes(t).filter(|(y, same)| y.race == x.race && *same == token);
        let winners = mates.map(|(y, _)| y).filter(|y| y.granted()).collect::<Vec<_>>();
        let Some(winner) = winners.first().filter(|_| matches!(x.status(), 400..=599)) else { continue };
        let rotates = t.subject.settings.is("rotation")
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
        for check in super::CHECKS {
            for text in [check.passes, check.fails] {
                let text = text.replace("= salesforce", "= rfc");
                assert_eq!(judge_one(check, &script::read(&text)).verdict, Verdict::Skip, "{}", check.id);
            }
        }
    }

    #[test]
    fn a_member_too_many_weighs_less_than_one_too_few() {
        let id = "salesforce/token-response-has-its-members";
        let with = |more: &str| {
            format!(
                "> POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=a\n\
                 < 200 {{\"access_token\":\"A\",\"scope\":\"api\",\"instance_url\":\"i\",\"id\":\"u\",\"token_type\":\"Bearer\"{more}}}\n"
            )
        };
        let more = ",\"issued_at\":\"1\",\"signature\":\"s\"";
        assert_eq!(judged(id, &with(more)), (Verdict::Fail, Some(Level::Should)));
        assert_eq!(verdict(id, &with(&format!("{more},\"token_format\":\"jwt\""))), Verdict::Pass);
        assert_eq!(judged(id, &with(",\"token_format\":\"jwt\"")), (Verdict::Fail, Some(Level::Must)));
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
