//! APIs with an access token: REST, Bulk, SOAP.

use super::cures::*;
use super::{Entry, Place, cause};
use crate::verdict::Basis::{Community, Vendor};

const LOOK: &str = "Nothing: calls are not logins. Setup › Session Management and Connected Apps OAuth Usage show whether the grant is alive.";
const REST: &str = "Salesforce REST API Developer Guide: Status Codes and Error Responses";
const FIELD: &str = "reports from the field";

macro_rules! row {
    ($id:expr, $codes:expr, $texts:expr, $means:expr, $causes:expr, $basis:expr, $source:expr $(,)?) => {
        Entry {
            id: $id,
            place: Place::Api,
            codes: $codes,
            texts: $texts,
            means: $means,
            causes: $causes,
            look: LOOK,
            basis: $basis,
            source: $source,
        }
    };
}

pub(super) const ENTRIES: &[Entry] = &[
    row!(
        "api/session-expired",
        &["INVALID_SESSION_ID", "InvalidSessionId"],
        &["Session expired or invalid", ""],
        "The access token is expired, revoked or unknown to the org that was asked.",
        &[
            cause(
                "It expired: the session timeout of app, profile or org, counted from the last use.",
                "A refresh gives a token that works.",
                &RENEW
            ),
            cause(
                "It went to another org's host.",
                "The host is not instance_url of the token answer.",
                &INSTANCE_URL
            ),
            cause(
                "Somebody ended the session or revoked the grant.",
                "A refresh fails as well.",
                &LOGIN_AGAIN
            ),
        ],
        Vendor,
        REST,
    ),
    row!(
        "api/session-not-for-rest",
        &["INVALID_SESSION_ID"],
        &[
            "This session is not valid for use with the REST API",
            "This session is not valid for use with the*"
        ],
        "The token is alive, and not good for this API. A refresh changes nothing: do not loop.",
        &[
            cause("The grant lacks the scope api.", "`scope` of the token answer.", &SCOPES),
            cause("API Access Control does not allow the app.", "Setup › API Access Control.", &UNBLOCK),
            cause(
                "The app wants a higher session level, or it is a session of a page.",
                "Policies; where the token comes from.",
                &SESSION_LEVEL
            ),
        ],
        Community,
        "reports from the field; jsforce does not refresh on it",
    ),
    row!(
        "api/agent-not-attached",
        &["INVALID_SESSION_ID", "UNAUTHORIZED"],
        &["*Connected app is not attached to Agent*"],
        "The Agent API does not know the app. A refresh changes nothing.",
        &[cause(
            "The app is not connected to the agent.",
            "Setup › Agents › the agent › Connections.",
            &JWT_TOKEN
        )],
        Community,
        "code of jsforce",
    ),
    row!(
        "api/invalid-auth-header",
        &["INVALID_AUTH_HEADER"],
        &["INVALID_HEADER_TYPE", "INVALID_AUTH_HEADER", ""],
        "The Authorization header is none that the API reads.",
        &[cause(
            "The scheme is not Bearer or OAuth, or the token has quotes or a line break.",
            "The header as it arrived.",
            &BEARER
        )],
        Community,
        FIELD,
    ),
    row!(
        "api/invalid-jwt-format",
        &["INVALID_AUTH_HEADER"],
        &["INVALID_JWT_FORMAT"],
        "The JWT access token is expired or malformed.",
        &[
            cause("It expired: such tokens end at `exp`, whatever their use.", "`exp` in the token.", &RENEW),
            cause("It is cut.", "It has not three parts.", &OWN_TOKEN)
        ],
        Community,
        FIELD,
    ),
    row!(
        "api/invalid-scopes-of-jwt",
        &["INVALID_AUTH_HEADER"],
        &["INVALID_SCOPES", "INVALID_ISS"],
        "The JWT access token lacks a scope for this API, or its issuer is another org.",
        &[
            cause("The app lacks the scope.", "`scp` in the token.", &SCOPES),
            cause("It went to another org's host.", "`iss` in the token.", &INSTANCE_URL)
        ],
        Community,
        FIELD,
    ),
    row!(
        "api/blacktab",
        &["INVALID_SESSION_ID", "FUNCTIONALITY_NOT_ENABLED"],
        &["BlackTab users cannot perform API operations"],
        "The session is that of Salesforce's own support, which may not call APIs.",
        &[cause(
            "The token comes from a login that support made for somebody.",
            "Login History: the user is not yours.",
            &LOGIN_AGAIN
        )],
        Community,
        FIELD,
    ),
    row!(
        "api/request-limit-exceeded",
        &["REQUEST_LIMIT_EXCEEDED"],
        &["TotalRequests Limit exceeded.", "TotalRequests Limit exceeded", ""],
        "The org used up its API calls of 24 hours.",
        &[cause(
            "Too many calls, of this client or another.",
            "Setup › System Overview; Sforce-Limit-Info.",
            &API_LIMIT
        )],
        Community,
        FIELD,
    ),
    row!(
        "api/concurrency-limit",
        &["REQUEST_LIMIT_EXCEEDED"],
        &["ConcurrentPerOrgLongTxn Limit exceeded", "Concurrent* Limit exceeded*"],
        "Too many long calls are under way in the org.",
        &[cause("Calls of more than 20 seconds pile up.", "It passes as they end.", &BACK_OFF)],
        Community,
        FIELD,
    ),
    row!(
        "api/disabled-for-org",
        &["API_DISABLED_FOR_ORG"],
        &[
            "The REST API is not enabled for this Organization.",
            "The REST API is not enabled for this Organization",
            ""
        ],
        "The org's edition has no API.",
        &[cause("Professional or Essentials without the API.", "Setup › Company Information.", &EDITION)],
        Community,
        FIELD,
    ),
    row!(
        "api/disabled-for-user",
        &["API_CURRENTLY_DISABLED"],
        &["API is disabled for this User", ""],
        "The user lacks the permission API Enabled.",
        &[cause(
            "Neither profile nor a permission set gives it.",
            "Setup › the user › View Summary.",
            &API_ENABLED
        )],
        Community,
        FIELD,
    ),
    row!(
        "api/insufficient-access",
        &["INSUFFICIENT_ACCESS", "FORBIDDEN", "INSUFFICIENT_ACCESS_OR_READONLY"],
        &[],
        "The token is good; the user may not do this.",
        &[cause("Object, field or record permissions.", "It works with an admin's token.", &ASSIGN)],
        Vendor,
        REST,
    ),
    row!(
        "api/url-not-reset",
        &["URL_NOT_RESET"],
        &[
            "Destination URL not reset. The URL returned from login must be set in the SforceService",
            "Destination URL not reset*",
            ""
        ],
        "A call for data went to login or test.",
        &[cause("The client does not use instance_url.", "The host of the call.", &INSTANCE_URL)],
        Community,
        FIELD,
    ),
    row!(
        "api/not-found",
        &["NOT_FOUND"],
        &["The requested resource does not exist", ""],
        "The path is none of the API, or the record is not visible.",
        &[cause(
            "A typing error, or a version that the org does not have.",
            "`/services/data/` lists the versions.",
            &PATH
        )],
        Community,
        FIELD,
    ),
    row!(
        "api/org-is-gone",
        &["ERROR_HTTP_420", "HTTP_420"],
        &["Data Not Available", "*status code 420*", "*HTTP 420*", ""],
        "The scratch org or sandbox was deleted or has expired.",
        &[cause("The org is gone.", "Nobody can log in to it.", &ORG)],
        Community,
        "code of sfdx-core",
    ),
    row!(
        "api/header-too-long",
        &["ERROR_HTTP_431", "HTTP_431"],
        &["*Request Header Fields Too Large*", ""],
        "The header is too long: a large token, or cookies that pile up.",
        &[cause(
            "Cookies of earlier calls are sent along, or the token is a JWT of many claims.",
            "Length of the request's header.",
            &BEARER
        )],
        Vendor,
        REST,
    ),
    row!(
        "api/server-unavailable",
        &["SERVER_UNAVAILABLE"],
        &[],
        "The instance is too busy or in maintenance.",
        &[cause("It is passing.", "status.salesforce.com for the instance.", &BACK_OFF)],
        Vendor,
        REST,
    ),
    row!(
        "api/soap-session",
        &["sf:INVALID_SESSION_ID"],
        &[
            "Invalid Session ID found in SessionHeader*",
            "*INVALID_SESSION_ID: Invalid Session ID found in SessionHeader*",
            ""
        ],
        "SOAP does not take the token. Its status is 500, not 401.",
        &[
            cause("It expired.", "A REST call with it is answered 401.", &RENEW),
            cause(
                "It is a JWT access token, which SOAP never takes: refreshing loops.",
                "It begins with `ey` and has three parts.",
                &JWT_TOKEN
            ),
        ],
        Community,
        "code of jsforce; the wording of the fault is assumed",
    ),
    Entry {
        id: "api/soap-login-refused",
        place: Place::Api,
        codes: &["INVALID_LOGIN", "sf:INVALID_LOGIN"],
        texts: &[
            "Invalid username, password, security token; or user locked out.",
            "*INVALID_LOGIN: Invalid username, password, security token; or user locked out*",
            "",
        ],
        means: "login() of SOAP was refused. It is no OAuth: a program that sends username and password does this.",
        causes: &[
            cause(
                "The password is wrong or has expired, or the security token is not behind it, which is asked for from addresses that the org does not trust.",
                "The status in the Login History: Invalid Password, or that the security token is missing.",
                &SOAP_LOGIN,
            ),
            cause(
                "The user is of another org: of a sandbox, and production was asked, or the other way round.",
                "The Login History has no row of it.",
                &SOAP_LOGIN,
            ),
            cause(
                "The user is locked out or frozen.",
                "The status in the Login History; the page of the user.",
                &USER,
            ),
        ],
        look: "Setup › Login History: the row of the user, whose status tells which of them it is.",
        basis: Community,
        source: "reports from the field; the code is of the Salesforce SOAP API Developer Guide: ExceptionCode",
    },
];
