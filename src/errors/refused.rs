//! What is wrong with the client or the state of its app, at the token endpoint.

use super::cures::*;
use super::{Entry, LOGINS, NO_ROW, cause, of};
use crate::subject::Flow::{ClientCredentials, JwtBearer, RefreshToken};
use crate::verdict::Basis::{Community, Vendor};

const HELP: &str = "Salesforce Help: OAuth 2.0 Authorization Errors";
const SDK: &str = "the list of codes in Salesforce's mobile SDKs; no captured answer is known";

pub(super) const ENTRIES: &[Entry] = &[
    token_row!(
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
    token_row!(
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
    token_row!(
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
    token_row!(
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
    token_row!(
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
    token_row!(
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
    token_row!(
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
    token_row!(
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
    token_row!(
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
    token_row!(
        "error/inactive-user-code",
        &["inactive_user"],
        &[],
        "The user is inactive.",
        &[cause("The user was deactivated or frozen.", "Setup › Users.", &USER)],
        LOGINS,
        Vendor,
        HELP,
    ),
    token_row!(
        "error/inactive-org-code",
        &["inactive_org"],
        &[],
        "The org is locked, closed or suspended.",
        &[cause("It takes no logins.", "Nobody else gets in either.", &ORG)],
        LOGINS,
        Vendor,
        HELP,
    ),
    token_row!(
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
    token_row!(
        "error/invalid-client-credentials-code",
        &["invalid_client_credentials"],
        &[],
        "The client credentials are wrong. Documented, and never met: servers answer invalid_client.",
        &[cause("The secret is wrong or was rotated.", "Copy it anew.", &SECRET)],
        NO_ROW,
        Vendor,
        "Salesforce Help: OAuth 2.0 Authorization Errors; a comment in the iOS SDK",
    ),
    token_row!(
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
];
