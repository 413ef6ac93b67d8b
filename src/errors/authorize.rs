//! The authorization endpoint and the error pages of the login.

use super::cures::*;
use super::{Entry, LOGINS, NO_ROW, Place, of};
use crate::subject::Flow::WebServer;
use crate::verdict::Basis::{Community, Vendor};

const HELP: &str = "Salesforce Help: OAuth 2.0 Authorization Errors";

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        id: "authorize/code-challenge-required",
        place: Place::Authorize,
        codes: &["invalid_request"],
        texts: &["missing required code challenge"],
        means: "The app, or the whole org, requires PKCE, and the request has no challenge. It is refused before the login, on the spot.",
        causes: &[
            of(
                &[WebServer],
                "The client does not speak PKCE.",
                "code_challenge is not in the URL.",
                &CHALLENGE,
            ),
            of(
                &[WebServer],
                "The org began to require it for all apps.",
                "Setup › OAuth and OpenID Connect Settings.",
                &CHALLENGE,
            ),
        ],
        look: NO_ROW,
        basis: Community,
        source: "reports from the field",
    },
    Entry {
        id: "authorize/unsupported-response-type",
        place: Place::Authorize,
        codes: &["unsupported_response_type"],
        texts: &["response type must be*", ""],
        means: "response_type is missing, misspelt, or of a flow that the app or org does not allow.",
        causes: &[
            of(&[WebServer], "It is not `code`.", "The URL.", &GRANT_TYPE),
            of(
                &[WebServer],
                "It is `token`, and the user-agent flow is blocked.",
                "Setup › OAuth and OpenID Connect Settings.",
                &ENABLE,
            ),
        ],
        look: NO_ROW,
        basis: Vendor,
        source: "Salesforce Help: OAuth 2.0 Authorization Errors; the text is not known from a captured answer",
    },
    Entry {
        id: "authorize/immediate-unsuccessful",
        place: Place::Authorize,
        codes: &["immediate_unsuccessful"],
        texts: &[],
        means: "immediate=true asks for an answer without any page, and a page is needed: login, approval or a second factor.",
        causes: &[of(
            &[WebServer],
            "The user is not logged in, or has not approved the app.",
            "The same URL without immediate=true shows a page.",
            &INTERACTIVE,
        )],
        look: LOGINS,
        basis: Vendor,
        source: HELP,
    },
    Entry {
        id: "page/approval-error-generic",
        place: Place::ErrorPage,
        codes: &["OAUTH_APPROVAL_ERROR_GENERIC"],
        texts: &[
            "An unexpected error has occurred during authentication. Please try again.",
            "An unexpected error has occured during authentication. Please try again.",
            "An unexpected error has occurred during authentication",
        ],
        means: "The approval could not be made. The page does not say why.",
        causes: &[
            of(
                &[WebServer],
                "The connected app is not installed in this org, and the user lacks Approve Uninstalled Connected Apps.",
                "Connected Apps OAuth Usage shows Install beside the app; it began in September 2025.",
                &INSTALL,
            ),
            of(
                &[WebServer],
                "A scope is asked for that the app does not have: refresh_token, mcp_api.",
                "Without `scope` in the URL it works.",
                &FEWER_SCOPES,
            ),
            of(
                &[WebServer],
                "The user is API-only or an integration user, who cannot pass pages.",
                "The user's profile and license.",
                &INTERNAL_USER,
            ),
        ],
        look: LOGINS,
        basis: Community,
        source: "reports from the field; Salesforce Help 005132365",
    },
    Entry {
        id: "page/app-blocked",
        place: Place::ErrorPage,
        codes: &["OAUTH_APP_BLOCKED"],
        texts: &["this app is blocked by admin", ""],
        means: "An admin blocked the app in this org.",
        causes: &[of(
            &[WebServer],
            "It is blocked in Connected Apps OAuth Usage, or API Access Control does not list it.",
            "The list shows Unblock beside it.",
            &UNBLOCK,
        )],
        look: LOGINS,
        basis: Community,
        source: "reports from the field",
    },
    Entry {
        id: "page/app-access-denied",
        place: Place::ErrorPage,
        codes: &["OAUTH_APP_ACCESS_DENIED"],
        texts: &["user is not admin approved to access this app", ""],
        means: "Only pre-authorized users may use the app, and the one who logged in is not.",
        causes: &[
            of(
                &[WebServer],
                "The user has none of the app's profiles and permission sets.",
                "Setup › the user › Permission Set Assignments.",
                &ASSIGN,
            ),
            of(
                &[WebServer],
                "Another user was logged in in this browser.",
                "The name on the page or in Login History.",
                &OTHER_LOGINS,
            ),
        ],
        look: LOGINS,
        basis: Community,
        source: "reports from the field",
    },
    Entry {
        id: "page/external-client-app-not-found",
        place: Place::ErrorPage,
        codes: &["OAUTH_EC_APP_NOT_FOUND"],
        texts: &["External client app is not installed in this org", ""],
        means: "The org in which the user logged in does not have the external client app.",
        causes: &[
            of(
                &[WebServer],
                "The login went through login or test, or another My Domain.",
                "The host of the authorization URL.",
                &MY_DOMAIN,
            ),
            of(
                &[WebServer],
                "The app was not packaged and installed there.",
                "External Client App Manager does not list it.",
                &INSTALL_ECA,
            ),
        ],
        look: LOGINS,
        basis: Community,
        source: "reports from the field",
    },
    Entry {
        id: "page/authorization-blocked",
        place: Place::ErrorPage,
        codes: &["OAUTH_AUTHORIZATION_BLOCKED"],
        texts: &["Cross-org OAuth flows are not supported for this external client app", ""],
        means: "A Local external client app serves its own org only, and the user is of another.",
        causes: &[
            of(
                &[WebServer],
                "The browser is logged in to another org.",
                "It works in a private window.",
                &OTHER_LOGINS,
            ),
            of(
                &[WebServer],
                "Users of other orgs are meant to use it.",
                "Distribution State is Local.",
                &INSTALL_ECA,
            ),
        ],
        look: LOGINS,
        basis: Community,
        source: "reports from the field",
    },
];
