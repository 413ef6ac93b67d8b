//! What Salesforce adds to OAuth and clients rely on. Judged under profile `salesforce` alone.

mod refusals;
mod response;

use super::Cite::{Community, Salesforce};
use super::{Check, Party};
use crate::oauth::salesforce::Profile;
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
        judge: response::token_response_has_its_members,
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
        judge: response::issued_at_is_milliseconds_as_text,
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
        judge: response::signature_fits,
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
        judge: response::refresh_token_needs_its_scope,
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
        judge: response::identity_url_answers_its_user,
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
        judge: refusals::rest_401_is_an_array,
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
        judge: refusals::identity_refuses_with_bad_oauth_token,
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
        judge: refusals::soap_fault_is_invalid_session_id,
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
            that ran out may say token validity expired, and an approval that was revoked user hasn't approved this consumer. Send the user through the web server flow again, and store every new \
            refresh token under rotation.",
        passes: "= salesforce\n\
            > POST token grant_type=refresh_token&refresh_token=X&client_id=main&client_secret=s\n\
            ! tweak refresh_token\n\
            < 400 {\"error\":\"invalid_grant\",\"error_description\":\"expired access/refresh token\"}",
        fails: "= salesforce\n\
            > POST token grant_type=refresh_token&refresh_token=X&client_id=main&client_secret=s\n\
            ! tweak refresh_token\n\
            < 400 {\"error\":\"invalid_grant\",\"error_description\":\"grant request is invalid\"}",
        judge: refusals::dead_refresh_token_says_expired,
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
        judge: refusals::refresh_collision_has_its_text,
    },
];

/// Every exchange, where the subject speaks as Salesforce does.
fn exchanges(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    t.exchanges.iter().filter(|_| t.subject.profile == Profile::Salesforce)
}

fn grants(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    exchanges(t).filter(|x| x.granted())
}

/// Whether access tokens of that answer are JWTs.
fn is_jwt(t: &Transcript, handed: &Exchange) -> bool {
    handed.text("token_format") == Some("jwt") || t.subject.settings.is("jwt_access_tokens")
}
