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
    Check {
        id: "salesforce/unknown-client-has-its-error",
        title: "an unknown consumer key is invalid_client_id with client identifier invalid",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "SF-14",
        cites: &[Salesforce("OAuth 2.0 Authorization Errors")],
        explain: "invalid_client_id says that no app has this consumer key here: a typing error, another org's app, or \
            an app that was created minutes ago and has not spread yet. It is not the invalid_client of a wrong \
            secret, and clients that take one for the other send people to look at the wrong place. An external \
            client app that is not installed answers app_not_found, and some hosts invalid_client. Compare the \
            key, and ask the My Domain of the org.",
        passes: "= salesforce\n\
            > POST token grant_type=client_credentials&client_id=no-such-client-of-this-org&client_secret=s\n\
            < 400 {\"error\":\"invalid_client_id\",\"error_description\":\"client identifier invalid\"}",
        fails: "= salesforce\n\
            > POST token grant_type=client_credentials&client_id=no-such-client-of-this-org&client_secret=s\n\
            < 400 {\"error\":\"invalid_grant\",\"error_description\":\"no such app\"}",
        judge: refusals::unknown_client_has_its_error,
    },
    Check {
        id: "salesforce/wrong-secret-has-its-text",
        title: "a wrong secret is invalid_client with invalid client credentials",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Community,
        origin: "SF-15",
        cites: &[
            Community("Salesforce developer forums: invalid client credentials"),
            Salesforce("OAuth 2.0 Authorization Errors"),
        ],
        explain: "invalid client credentials is what Salesforce is seen to say of a secret that is wrong or missing, \
            and of an assertion with an algorithm that it does not take. The text is known from field reports \
            alone. Copy the secret again, look whether it was rotated, and whether body and Basic name the same \
            app; after Apply on a new secret, old and new are both refused for some minutes.",
        passes: "= salesforce\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=x\n\
            ! secret wrong\n\
            < 400 {\"error\":\"invalid_client\",\"error_description\":\"invalid client credentials\"}",
        fails: "= salesforce\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=x\n\
            ! secret wrong\n\
            < 400 {\"error\":\"invalid_client\",\"error_description\":\"wrong password\"}",
        judge: refusals::wrong_secret_has_its_text,
    },
    Check {
        id: "salesforce/redirect-uri-mismatch-has-its-text",
        title: "a wrong redirect URI is redirect_uri_mismatch with redirect_uri must match configuration",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "SF-16",
        cites: &[Salesforce("OAuth 2.0 Authorization Errors")],
        explain: "A callback that is not registered is told on the spot: 400, and a form-encoded text with \
            redirect_uri_mismatch. It is the first thing that people see when an app is new, and what tools look \
            for to explain it. Copy the URL into the app as it is sent, with its scheme, port and last slash, \
            and wait some minutes after a change.",
        passes: "= salesforce\n\
            > GET authorize response_type=code&client_id=main&redirect_uri=https://rogue.example/callback\n\
            ! tweak with redirect_uri\n\
            < 400 error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration",
        fails: "= salesforce\n\
            > GET authorize response_type=code&client_id=main&redirect_uri=https://rogue.example/callback\n\
            ! tweak with redirect_uri\n\
            < 400 error=invalid_request&error_description=bad%20uri",
        judge: refusals::redirect_uri_mismatch_has_its_text,
    },
    Check {
        id: "salesforce/introspection-has-its-members",
        title: "introspection tells times in seconds, the kind of token, and the identity URL as sub",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "SF-19",
        cites: &[Salesforce("OAuth 2.0 Token Introspection")],
        explain: "There is no expires_in in a token response of Salesforce, so introspection is where a client learns \
            how long a token lives: exp, iat and nbf are whole seconds, while issued_at of a token response is \
            milliseconds. token_type is access_token or refresh_token here and not Bearer, and sub is the \
            identity URL, not an id. Clients that mix these up refresh at once or never. An emulator has to keep \
            to the same units and names.",
        passes: "= salesforce\n\
            > POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true,\"token_type\":\"access_token\",\"sub\":\"https://org.example/id/00Dxx0000000001EAA/005xx0000000001AAA\",\"exp\":{now+100},\"iat\":{now}}",
        fails: "= salesforce\n\
            > POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true,\"token_type\":\"access_token\",\"sub\":\"https://org.example/id/00Dxx0000000001EAA/005xx0000000001AAA\",\"exp\":{ms}}",
        judge: response::introspection_has_its_members,
    },
    Check {
        id: "salesforce/scope-parameter-is-refused",
        title: "a scope with a refresh, an assertion or client credentials is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "SF-29",
        cites: &[
            Salesforce("OAuth 2.0 Refresh Token Flow for Renewed Sessions"),
            Community("appsmith issue 30239"),
        ],
        explain: "Where RFC 6749 lets a client ask for less, Salesforce takes no scope at all: with refresh_token, JWT \
            bearer, SAML bearer and client_credentials it answers invalid_request (scope parameter not \
            supported). Generic OAuth libraries send scope by habit and fail here, at the first refresh and not \
            at the login. Leave the parameter out; the scope is that of the grant, or of the app. An emulator \
            that ignores it hides the fault of the client.",
        passes: "= salesforce\n\
            > POST token grant_type=refresh_token&refresh_token=R&scope=api&client_id=main&client_secret=s\n\
            ! tweak with scope: api\n\
            < 400 {\"error\":\"invalid_request\",\"error_description\":\"scope parameter not supported\"}",
        fails: "= salesforce\n\
            > POST token grant_type=refresh_token&refresh_token=R&scope=api&client_id=main&client_secret=s\n\
            ! tweak with scope: api\n\
            < 200 {\"access_token\":\"A\"}",
        judge: refusals::scope_parameter_is_refused,
    },
    Check {
        id: "salesforce/session-without-api-has-its-text",
        title: "a live token without the scope api is 401 with This session is not valid for use with the REST API",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Community,
        origin: "SF-31",
        cites: &[
            Community("Salesforce-Inspector-Advanced issue 244"),
            Community("jsforce: no refresh on this message"),
        ],
        explain: "A token that lives but may not call the API is refused with the status and the code of a dead one, \
            401 INVALID_SESSION_ID, and only the message tells them apart. A client that refreshes on the code \
            alone gets a new token with the same scope and loops for ever. Read the message, and do not refresh \
            on this one: give the app the scope api, or look at API Access Control.",
        passes: "= salesforce\n\
            > POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"scope\":\"id\"}\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 401 [{\"message\":\"This session is not valid for use with the REST API\",\"errorCode\":\"INVALID_SESSION_ID\"}]",
        fails: "= salesforce\n\
            > POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"scope\":\"id\"}\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 401 [{\"message\":\"Session expired or invalid\",\"errorCode\":\"INVALID_SESSION_ID\"}]",
        judge: refusals::session_without_api_has_its_text,
    },
    Check {
        id: "salesforce/jwt-bearer-answer-is-short",
        title: "a JWT bearer answer has no refresh token, issued_at or signature",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "SF-32",
        cites: &[Salesforce("OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration")],
        explain: "The classic answer to an assertion is shorter than that of the other flows: no refresh_token, no \
            issued_at, no signature. Clients that read issued_at to guess the end of the token, or check the \
            signature, fail on it, so an emulator must not be more generous. A refresh token weighs more than \
            the other two. Where access tokens are JWTs, issued_at and signature do come, and are not judged.",
        passes: "= salesforce\n\
            > POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=a\n\
            < 200 {\"access_token\":\"A\",\"scope\":\"api\",\"instance_url\":\"i\",\"id\":\"u\",\"token_type\":\"Bearer\"}",
        fails: "= salesforce\n\
            > POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=a\n\
            < 200 {\"access_token\":\"A\",\"scope\":\"api\",\"instance_url\":\"i\",\"id\":\"u\",\"token_type\":\"Bearer\",\"refresh_token\":\"R\"}",
        judge: response::jwt_bearer_answer_is_short,
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
    handed.text("token_format") == Some("jwt")
        || handed.facts.jwt_access_token
        || t.subject.settings_of(handed.client_id()).is("jwt_access_tokens")
}
