//! Every other code of the token endpoint: the client, the app's state, the request, the server.

use super::cures::*;
use super::{Entry, LOGINS, NO_ROW, Place, cause, of};
use crate::subject::Flow::{ClientCredentials, JwtBearer, RefreshToken, SamlBearer, WebServer};
use crate::verdict::Basis::{Community, Derived, Vendor};

const HELP: &str = "Salesforce Help: OAuth 2.0 Authorization Errors";
const SDK: &str = "the list of codes in Salesforce's mobile SDKs; no captured answer is known";

macro_rules! row {
    ($id:expr, $codes:expr, $texts:expr, $means:expr, $causes:expr, $look:expr, $basis:expr, $source:expr $(,)?) => {
        Entry {
            id: $id,
            place: Place::Token,
            codes: $codes,
            texts: $texts,
            means: $means,
            causes: $causes,
            look: $look,
            basis: $basis,
            source: $source,
        }
    };
}

pub(super) const ENTRIES: &[Entry] = &[
    row!(
        "error/invalid-client-id",
        &["invalid_client_id"],
        &["client identifier invalid"],
        "The host that was asked knows no app with this consumer key.",
        &[
            cause("The app was made or changed minutes ago.", "It works ten minutes later.", &WAIT),
            cause(
                "The key is cut, has a blank, or is that of another org's app.",
                "Compare it with the app's page.",
                &CONSUMER_KEY
            ),
            cause(
                "Production and sandbox are mixed up: login for a sandbox's app, test for production's.",
                "The host, and the org of the app.",
                &MY_DOMAIN
            ),
            cause(
                "The app was deleted, or an external client app is not known there.",
                "Setup of the org that was asked does not list it.",
                &INSTALL_ECA
            ),
        ],
        NO_ROW,
        Vendor,
        HELP,
    ),
    row!(
        "error/invalid-client",
        &["invalid_client"],
        &["invalid client credentials"],
        "The app is known, and what the client proved itself with is not right.",
        &[
            cause("The secret is wrong, cut, or was rotated.", "Copy it anew and compare.", &SECRET),
            cause(
                "A secret is required and none was sent.",
                "The form has no client_secret, and there is no Basic header.",
                &SECRET
            ),
            of(
                &[RefreshToken],
                "The exchange needs no secret and the refresh does.",
                "Require Secret for Refresh Token Flow is ticked.",
                &SECRET
            ),
            of(
                &[JwtBearer],
                "The assertion is signed with RS512 or another algorithm than RS256.",
                "`alg` in its header.",
                &SIGN
            ),
            cause(
                "Credentials were sent both ways, or in a form that the server does not read.",
                "Authorization: Basic and client_secret in one request.",
                &BASIC
            ),
        ],
        NO_ROW,
        Community,
        "many reports from the field",
    ),
    row!(
        "error/app-must-be-installed",
        &["invalid_client"],
        &["app must be installed into org"],
        "The connected app is not installed in this org, and since September 2025 only users with a permission of their own may use such apps.",
        &[
            cause(
                "An admin has not installed the app.",
                "Connected Apps OAuth Usage shows Install beside it.",
                &INSTALL
            ),
            cause(
                "The user lacks Approve Uninstalled Connected Apps.",
                "Setup › the user's permission sets.",
                &INSTALL
            ),
        ],
        LOGINS,
        Vendor,
        "Salesforce Help 005132365: connected app usage restrictions",
    ),
    row!(
        "error/app-not-found",
        &["app_not_found"],
        &["External client app is not installed in this org", "*external client app is not installed*"],
        "The key is that of an external client app which this org, or this host, does not have.",
        &[
            cause(
                "It was asked through login or test, where Local apps are not known.",
                "The host of the token URL.",
                &MY_DOMAIN
            ),
            cause(
                "The app lives in another org and was not packaged and installed here.",
                "External Client App Manager does not list it.",
                &INSTALL_ECA
            ),
        ],
        NO_ROW,
        Community,
        "github.com/forcedotcom/cli issue 3482",
    ),
    row!(
        "error/app-blocked",
        &["app_blocked", "fail_close_app_blocked"],
        &["this app is blocked by admin"],
        "An admin blocked the app, or API Access Control lets listed apps in only.",
        &[
            cause(
                "The app is blocked in Connected Apps OAuth Usage.",
                "The list shows Unblock beside it.",
                &UNBLOCK
            ),
            cause(
                "API Access Control is on and the app is not installed or its user not pre-authorized.",
                "Setup › API Access Control.",
                &UNBLOCK
            ),
        ],
        LOGINS,
        Community,
        "reports from the field; the list of codes in Salesforce's mobile SDKs",
    ),
    row!(
        "error/invalid-app-access",
        &["invalid_app_access"],
        &["user is not admin approved to access this app"],
        "Only pre-authorized users may use the app, and this one is not.",
        &[
            cause(
                "The user has none of the app's profiles and permission sets.",
                "Setup › the user › Permission Set Assignments.",
                &ASSIGN
            ),
            of(
                &[ClientCredentials],
                "It is the Run As user of an external client app who has none. Sources disagree whether this can be; assigning is harmless.",
                "The policies name that user.",
                &ASSIGN
            ),
            cause(
                "The app should not be limited.",
                "Permitted Users says admin approved, and every user of the org is meant to use it.",
                &PREAUTHORIZE
            ),
        ],
        LOGINS,
        Community,
        "reports from the field; documentation of Amazon Connect's adapter",
    ),
    row!(
        "error/oauth-flow-disabled",
        &["oauth_flow_disabled"],
        &[
            "The external client app or the OAuth plugin is disabled.",
            "The external client app or the OAuth plugin is disabled"
        ],
        "The external client app is switched off, or OAuth or this flow is.",
        &[
            cause(
                "The app or its OAuth plugin is disabled in the policies.",
                "Policies › App Policies.",
                &ENABLE
            ),
            cause("The flow is not enabled.", "Settings › OAuth Settings › Flow Enablement.", &ENABLE),
        ],
        NO_ROW,
        Community,
        "reports from the field",
    ),
    row!(
        "error/policy-not-found",
        &["oauth_policy_not_found", "ecapp_policy_not_found"],
        &[],
        "The external client app is there and has no policies of its own in this org.",
        &[cause(
            "It was deployed or installed without a policy file, and its policies were never saved.",
            "Policies tab is empty.",
            &ENABLE
        )],
        NO_ROW,
        Community,
        SDK,
    ),
    row!(
        "error/invalid-session-level",
        &["invalid_session_level"],
        &[],
        "The app asks for a high assurance session, and the login did not come to one.",
        &[cause(
            "The user logged in without a second factor, or the flow has no user.",
            "Policies › required session level is high assurance.",
            &SESSION_LEVEL
        )],
        LOGINS,
        Community,
        SDK,
    ),
    row!(
        "error/inactive-user-code",
        &["inactive_user"],
        &[],
        "The user is inactive.",
        &[cause("The user was deactivated or frozen.", "Setup › Users.", &USER)],
        LOGINS,
        Vendor,
        HELP,
    ),
    row!(
        "error/inactive-org-code",
        &["inactive_org"],
        &[],
        "The org is locked, closed or suspended.",
        &[cause("It takes no logins.", "Nobody else gets in either.", &ORG)],
        LOGINS,
        Vendor,
        HELP,
    ),
    row!(
        "error/rate-limit-exceeded",
        &["rate_limit_exceeded"],
        &[],
        "There were too many logins.",
        &[cause(
            "The client asks for a token with each call.",
            "Login History: a row every second or so.",
            &LOGIN_RATE
        )],
        LOGINS,
        Vendor,
        HELP,
    ),
    row!(
        "error/invalid-client-credentials-code",
        &["invalid_client_credentials"],
        &[],
        "The client credentials are wrong. Documented, and never met: servers answer invalid_client.",
        &[cause("The secret is wrong or was rotated.", "Copy it anew.", &SECRET)],
        NO_ROW,
        Vendor,
        "Salesforce Help: OAuth 2.0 Authorization Errors; a comment in the iOS SDK",
    ),
    row!(
        "error/invalid-basic-auth-header",
        &["invalid_basic_auth_header"],
        &[],
        "Authorization: Basic cannot be decoded.",
        &[cause(
            "It is not base64 of `id:secret`: an old sample of the documentation shows it wrongly.",
            "Decode what follows `Basic `.",
            &BASIC
        )],
        NO_ROW,
        Community,
        SDK,
    ),
    row!(
        "error/unsupported-grant-type",
        &["unsupported_grant_type"],
        &["grant type not supported"],
        "The server saw no grant_type, or none that it knows. The body often did not arrive as a form.",
        &[
            cause(
                "The body is JSON, or Content-Type is missing or another.",
                "Content-Type of the request.",
                &FORM
            ),
            cause(
                "The URL begins with http: the redirect to https loses the body.",
                "The scheme of the token URL.",
                &FORM
            ),
            cause("grant_type is misspelt.", "Its value.", &GRANT_TYPE),
            cause(
                "The password flow is blocked, or the app is an external client app, which has none.",
                "grant_type is password.",
                &PASSWORD_FLOW
            ),
            cause(
                "A scratch org or sandbox was asked through the wrong host.",
                "The host of the token URL.",
                &MY_DOMAIN
            ),
        ],
        NO_ROW,
        Community,
        "github.com/aaronhuggins/sf-jwt-token issue 1, omniphx/forrest issues 145 and 352, salesforce.stackexchange.com/questions/172980",
    ),
    row!(
        "error/scope-not-supported",
        &["invalid_request"],
        &["scope parameter not supported"],
        "This grant takes no scope: the app's scopes decide.",
        &[of(
            &[JwtBearer, SamlBearer, RefreshToken, ClientCredentials],
            "A library adds scope by itself.",
            "The form has `scope`.",
            &DROP_SCOPE
        ),],
        NO_ROW,
        Community,
        "reports from the field",
    ),
    row!(
        "error/must-use-https",
        &["invalid_request"],
        &["must use HTTP GET", "must use HTTP POST", "HTTPS required", "*HTTPS is required*"],
        "The request was made in a way that the endpoint does not take.",
        &[cause("GET and POST are mixed up, or http is used.", "Method and scheme of the request.", &FORM)],
        NO_ROW,
        Vendor,
        HELP,
    ),
    row!(
        "error/out-of-band-not-supported",
        &["invalid_request"],
        &["out-of-band not supported"],
        "A redirect URI of the out-of-band kind is not taken here.",
        &[of(&[WebServer], "redirect_uri is urn:ietf:wg:oauth:2.0:oob.", "Its value.", &CALLBACK)],
        NO_ROW,
        Vendor,
        HELP,
    ),
    row!(
        "error/pkce-as-documented",
        &["invalid_request"],
        &["*code challenge*", "*code verifier*", "*code_verifier*"],
        "The proof key does not fit. The documentation tells it so; servers are seen to answer invalid_grant with `invalid code verifier`.",
        &[
            of(
                &[WebServer],
                "The verifier is missing, or of another login.",
                "The form of the token request.",
                &VERIFIER
            ),
            of(
                &[WebServer],
                "The app requires PKCE and no challenge was sent.",
                "code_challenge is not in the authorization request.",
                &CHALLENGE
            ),
        ],
        NO_ROW,
        Vendor,
        "Salesforce REST API Developer Guide: OAuth 2.0 Web Server Flow",
    ),
    row!(
        "error/headless-request",
        &["invalid_request"],
        &["uvid invalid", "invalid headers", "guest flow not enabled"],
        "A headless or guest flow was asked for in a way that the site does not allow.",
        &[cause(
            "The flow is not enabled for the site or the app, or a header of it is missing.",
            "The request is for a site and uses code_credentials or a guest's uvid.",
            &HEADLESS
        )],
        NO_ROW,
        Community,
        "reports from the field",
    ),
    row!(
        "error/redirect-uri-mismatch",
        &["redirect_uri_mismatch"],
        &["redirect_uri must match configuration"],
        "The redirect URI is none of the app's callback URLs, or not the one of the authorization request.",
        &[
            of(
                &[WebServer],
                "It differs in scheme, port, letter case, a last slash or an encoded character.",
                "Compare character by character with the app's callback URLs.",
                &CALLBACK
            ),
            of(&[WebServer], "The app was changed minutes ago.", "It works ten minutes later.", &WAIT),
            of(
                &[WebServer],
                "The token request sends another one than the authorization request.",
                "The two requests.",
                &SEND_CALLBACK
            ),
        ],
        NO_ROW,
        Vendor,
        HELP,
    ),
    row!(
        "error/redirect-uri-missing",
        &["redirect_uri_missing"],
        &["redirect_uri not provided", ""],
        "The app has several callback URLs, and the request names none.",
        &[of(&[WebServer], "redirect_uri is left out.", "The request.", &SEND_CALLBACK)],
        NO_ROW,
        Vendor,
        "Salesforce Help: OAuth 2.0 Authorization Errors; the text is not known from a captured answer",
    ),
    row!(
        "error/invalid-scope",
        &["invalid_scope"],
        &["the requested scope is not allowed", ""],
        "A scope was asked for that the app does not have.",
        &[
            of(
                &[WebServer],
                "The app lacks it; refresh_token and openid are the usual ones.",
                "Compare `scope` with the app's scopes.",
                &SCOPES
            ),
            of(&[WebServer], "It is misspelt, or divided by commas.", "The value of `scope`.", &FEWER_SCOPES),
        ],
        NO_ROW,
        Vendor,
        "Salesforce Help: OAuth 2.0 Authorization Errors; the text is not known from a captured answer",
    ),
    row!(
        "error/invalid-assertion-type",
        &["invalid_assertion_type"],
        &[],
        "The type of the assertion is none that is known.",
        &[cause("assertion_type or client_assertion_type is misspelt.", "Its value.", &URN)],
        NO_ROW,
        Community,
        SDK,
    ),
    row!(
        "error/bad-jti-claim",
        &["bad_jti_claim"],
        &[],
        "The `jti` of an assertion or exchanged token is not acceptable.",
        &[cause(
            "It was used before, or has a form that is not taken.",
            "Two requests with one assertion.",
            &JTI
        )],
        NO_ROW,
        Community,
        SDK,
    ),
    row!(
        "error/invalid-dpop-proof",
        &["invalid_dpop_proof", "use_dpop_nonce"],
        &[],
        "The app binds tokens to a key, and the proof is missing, wrong or lacks the server's nonce.",
        &[
            cause("The client does not speak DPoP.", "There is no DPoP header in the request.", &DPOP),
            cause(
                "The proof is for another method, URL or moment, or repeats the nonce of long ago.",
                "htm, htu, iat and nonce of the proof.",
                &DPOP
            ),
        ],
        NO_ROW,
        Community,
        SDK,
    ),
    row!(
        "error/device-pending",
        &["authorization_pending"],
        &[],
        "The device flow: the user has not answered yet. This is no failure.",
        &[cause("The client polls, as it should.", "It ends when the user enters the code.", &POLL)],
        NO_ROW,
        Vendor,
        HELP,
    ),
    row!(
        "error/slow-down",
        &["slow_down"],
        &[],
        "The device flow: the client polls too fast.",
        &[cause("The pause is shorter than `interval`.", "Times of the token requests.", &POLL)],
        NO_ROW,
        Vendor,
        HELP,
    ),
    row!(
        "error/access-denied",
        &["access_denied", "access-denied"],
        &["end-user denied authorization", ""],
        "Access was denied: by the user on the approval page, or for the kind of user in whose name the app would act.",
        &[
            of(
                &[WebServer],
                "The user pressed Deny.",
                "It comes as a redirect to the callback.",
                &USER_SAID_NO
            ),
            of(
                &[ClientCredentials],
                "The Run As user is a portal or community user.",
                "It comes from the token endpoint.",
                &INTERNAL_USER
            ),
        ],
        LOGINS,
        Vendor,
        "Salesforce Help: OAuth 2.0 Authorization Errors, whose sample writes access-denied; servers write access_denied",
    ),
    row!(
        "error/server-error",
        &["server_error"],
        &[],
        "Something went wrong inside; in the device flow also: too many devices.",
        &[cause("It is passing.", "It works a little later.", &BACK_OFF)],
        LOGINS,
        Vendor,
        HELP,
    ),
    row!(
        "error/unknown-error",
        &["unknown_error"],
        &["retry your request"],
        "Something passing, or the sequel of another error.",
        &[
            cause("It is passing.", "The same request works a little later.", &BACK_OFF),
            cause("Consumer key and secret were just rotated.", "Setup Audit Trail.", &WAIT),
        ],
        LOGINS,
        Community,
        "reports from the field",
    ),
    row!(
        "error/system-down",
        &["system_down", "service_unavailable", "login_error"],
        &[],
        "The service is down or in maintenance, or the login broke inside.",
        &[
            cause("Maintenance.", "status.salesforce.com for the org's instance.", &BACK_OFF),
            cause("The org itself takes no logins.", "Others of the instance work.", &ORG),
        ],
        LOGINS,
        Community,
        SDK,
    ),
    row!(
        "error/registration-refused",
        &[
            "exceeded_registration_limit",
            "failed_registration",
            "registration_error",
            "installation_error",
            "invalid_distribution_state"
        ],
        &[],
        "Dynamic registration, or the installation of an app, was refused.",
        &[
            cause("A hundred apps are registered already.", "exceeded_registration_limit.", &REGISTRATION),
            cause(
                "The initial access token is missing or used up.",
                "The Authorization header of the registration.",
                &REGISTRATION
            ),
            cause(
                "The external client app is Local where it should be Packaged.",
                "invalid_distribution_state.",
                &INSTALL_ECA
            ),
        ],
        NO_ROW,
        Community,
        SDK,
    ),
    row!(
        "error/attestation-failed",
        &["app_attest_failed", "app_attest_failed_retry"],
        &[],
        "The mobile app could not prove that it is the genuine one.",
        &[cause(
            "The attestation is missing, old or of another build.",
            "app_attest_failed_retry may be tried again, the other not.",
            &ATTEST
        )],
        NO_ROW,
        Community,
        SDK,
    ),
    row!(
        "error/headless-code",
        &["invalid_otp", "otp_error", "invalid_expid", "unsupported_expid"],
        &[],
        "A headless login: the one-time password is wrong or old, or the experience id is none that is known.",
        &[
            cause(
                "The password was mistyped, is older than it may be, or was used.",
                "invalid_otp or otp_error.",
                &HEADLESS
            ),
            cause(
                "The site does not know the experience id.",
                "invalid_expid or unsupported_expid.",
                &HEADLESS
            ),
        ],
        LOGINS,
        Community,
        SDK,
    ),
    row!(
        "error/wrong-version",
        &["wrong_version"],
        &[],
        "The request speaks another version of the protocol.",
        &[cause(
            "OAuth 1.0a parameters are sent to an OAuth 2.0 endpoint.",
            "oauth_version or oauth_signature in the request.",
            &OAUTH1
        )],
        NO_ROW,
        Vendor,
        HELP,
    ),
    Entry {
        id: "error/invalid-token",
        place: Place::Revocation,
        codes: &["invalid_token"],
        texts: &["invalid token*", ""],
        means: "The token that was to be revoked or exchanged is unknown here. After a revocation that is what was wanted.",
        causes: &[
            cause("It is dead already.", "It was revoked, rotated out or expired before.", &OWN_TOKEN),
            cause(
                "It was cut, or belongs to another org.",
                "Its first 15 characters are the id of its org.",
                &OWN_TOKEN,
            ),
        ],
        look: "Nothing: revocations are not logins. Setup › Connected Apps OAuth Usage shows what is left.",
        basis: Vendor,
        source: "Salesforce: Revoke OAuth Tokens; the description is not known from a captured answer",
    },
    Entry {
        id: "error/unsupported-token-type",
        place: Place::Revocation,
        codes: &["unsupported_token_type"],
        texts: &[],
        means: "What was sent is no token of OAuth: a session id of the user interface or of SOAP login cannot be revoked so.",
        causes: &[cause(
            "The token does not come from an OAuth grant.",
            "Where the client has it from.",
            &OWN_TOKEN,
        )],
        look: "Nothing: revocations are not logins. Setup › Session Management ends sessions of the user interface.",
        basis: Vendor,
        source: "Salesforce: Revoke OAuth Tokens",
    },
    Entry {
        id: "error/introspection-unauthorized",
        place: Place::Introspection,
        codes: &[],
        texts: &["introspect* 401*", "401*introspect*"],
        means: "The caller of introspection did not prove which app it is.",
        causes: &[cause(
            "client_id and client_secret are missing or wrong.",
            "They are in neither the form nor a Basic header.",
            &SECRET,
        )],
        look: NO_ROW,
        basis: Community,
        source: "reports from the field, without the body",
    },
    Entry {
        id: "error/introspection-inactive",
        place: Place::Introspection,
        codes: &[],
        texts: &["*\"active\":false*", "*\"active\": false*"],
        means: "The token is dead, unknown, or was granted to another app than the one that asks.",
        causes: &[
            cause("It expired or was revoked.", "An API call with it is answered 401.", &RENEW),
            cause(
                "Another app was granted it, and this one may not introspect all tokens.",
                "An API call with it works.",
                &OWN_TOKEN,
            ),
        ],
        look: NO_ROW,
        basis: Vendor,
        source: "Salesforce Help: OAuth 2.0 Token Introspection; salesforce.stackexchange.com/questions/305477",
    },
    Entry {
        id: "error/no-json",
        place: Place::Token,
        codes: &[],
        texts: &["*<html*", "*<!doctype html*"],
        means: "The endpoint answered with a page: a wrong host, or maintenance.",
        causes: &[
            cause("The URL is that of a Lightning, Setup or login page.", "Its host and path.", &MY_DOMAIN),
            cause("Maintenance.", "The status is 503; status.salesforce.com.", &BACK_OFF),
        ],
        look: NO_ROW,
        basis: Derived,
        source: "code of client libraries that look for it",
    },
];
