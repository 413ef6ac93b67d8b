//! What is wrong with a request, or with the server, at the token endpoint and beside it.

use super::cures::*;
use super::{Entry, LOGINS, NO_ROW, Place, cause, of};
use crate::subject::Flow::{ClientCredentials, JwtBearer, RefreshToken, SamlBearer, WebServer};
use crate::verdict::Basis::{Community, Derived, Vendor};

const HELP: &str = "Salesforce Help: OAuth 2.0 Authorization Errors";
const SDK: &str = "the list of codes in Salesforce's mobile SDKs; no captured answer is known";

pub(super) const ENTRIES: &[Entry] = &[
    token_row!(
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
    token_row!(
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
    token_row!(
        "error/must-use-https",
        &["invalid_request"],
        &["must use HTTP GET", "must use HTTP POST", "HTTPS required", "*HTTPS is required*"],
        "The request was made in a way that the endpoint does not take.",
        &[cause("GET and POST are mixed up, or http is used.", "Method and scheme of the request.", &FORM)],
        NO_ROW,
        Vendor,
        HELP,
    ),
    token_row!(
        "error/out-of-band-not-supported",
        &["invalid_request"],
        &["out-of-band not supported"],
        "A redirect URI of the out-of-band kind is not taken here.",
        &[of(&[WebServer], "redirect_uri is urn:ietf:wg:oauth:2.0:oob.", "Its value.", &CALLBACK)],
        NO_ROW,
        Vendor,
        HELP,
    ),
    token_row!(
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
    token_row!(
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
    token_row!(
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
    token_row!(
        "error/redirect-uri-missing",
        &["redirect_uri_missing"],
        &["redirect_uri not provided", ""],
        "The app has several callback URLs, and the request names none.",
        &[of(&[WebServer], "redirect_uri is left out.", "The request.", &SEND_CALLBACK)],
        NO_ROW,
        Vendor,
        "Salesforce Help: OAuth 2.0 Authorization Errors; the text is not known from a captured answer",
    ),
    token_row!(
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
    token_row!(
        "error/invalid-assertion-type",
        &["invalid_assertion_type"],
        &[],
        "The type of the assertion is none that is known.",
        &[cause("assertion_type or client_assertion_type is misspelt.", "Its value.", &URN)],
        NO_ROW,
        Community,
        SDK,
    ),
    token_row!(
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
    token_row!(
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
    token_row!(
        "error/device-pending",
        &["authorization_pending"],
        &[],
        "The device flow: the user has not answered yet. This is no failure.",
        &[cause("The client polls, as it should.", "It ends when the user enters the code.", &POLL)],
        NO_ROW,
        Vendor,
        HELP,
    ),
    token_row!(
        "error/slow-down",
        &["slow_down"],
        &[],
        "The device flow: the client polls too fast.",
        &[cause("The pause is shorter than `interval`.", "Times of the token requests.", &POLL)],
        NO_ROW,
        Vendor,
        HELP,
    ),
    token_row!(
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
    token_row!(
        "error/server-error",
        &["server_error"],
        &[],
        "Something went wrong inside; in the device flow also: too many devices.",
        &[cause("It is passing.", "It works a little later.", &BACK_OFF)],
        LOGINS,
        Vendor,
        HELP,
    ),
    token_row!(
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
    token_row!(
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
    token_row!(
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
    token_row!(
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
    token_row!(
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
    token_row!(
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
