//! What the Login History and Login event log files say.

use super::cures::*;
use super::{Cause, Entry, Place, cause};
use crate::verdict::Basis::{Community, Vendor};

const SOURCE: &str = "Salesforce Object Reference: EventLogFile, event type Login, LOGIN_STATUS";
const LOOK: &str = "The row itself: Source IP, Login Type, Login Subtype, Application and Login URL say which client it was, and which flow.";

macro_rules! statuses {
    ($($id:literal, $codes:expr, $texts:expr, $means:literal, $is:literal, $cure:ident;)*) => {
        pub(super) const ENTRIES: &[Entry] = &[
            $(Entry {
                id: concat!("login-history/", $id),
                place: Place::LoginHistory,
                codes: &$codes,
                texts: &$texts,
                means: $means,
                causes: &[cause($is, "The status says it; nothing else gives this one.", &$cure)],
                look: LOOK,
                basis: Vendor,
                source: SOURCE,
            },)*
            Entry {
                id: "login-history/token-request-in-process",
                place: Place::LoginHistory,
                codes: &[],
                texts: &["Failed: Token request is already being processed"],
                means: "Two refreshes with the same refresh token ran at once. The client sees invalid_grant.",
                causes: &[Cause { flows: &[], is: "Threads, processes or retries share a refresh token.", tells: "A success of the same second stands beside it.", cure: &ONE_REFRESH }],
                look: LOOK,
                basis: Vendor,
                source: SOURCE,
            },
            Entry {
                id: "login-history/password-flow-disabled",
                place: Place::LoginHistory,
                codes: &[],
                texts: &["Username-Password Flow Disabled", "Failed: Username-Password Flow Disabled"],
                means: "The org blocks the username-password flow. The client sees invalid_grant with authentication failure.",
                causes: &[Cause { flows: &[], is: "The org is new, or an admin blocked the flow.", tells: "Login Subtype is oauthpassword.", cure: &PASSWORD_FLOW }],
                look: LOOK,
                basis: Community,
                source: "reports from the field",
            },
            Entry {
                id: "login-history/security-token-required",
                place: Place::LoginHistory,
                codes: &[],
                texts: &["Failed: API security token required"],
                means: "The password was right, and came without the user's security token from an address that is not trusted.",
                causes: &[Cause { flows: &[], is: "The token is missing behind the password, or a reset of the password made it another.", tells: "The Source IP is in no trusted range of the org.", cure: &PASSWORD_FLOW }],
                look: LOOK,
                basis: Community,
                source: "reports from the field (salesforce.stackexchange.com, question 146422)",
            },
            Entry {
                id: "login-history/computer-activation-required",
                place: Place::LoginHistory,
                codes: &[],
                texts: &["Failed: Computer activation required"],
                means: "The user has to verify who they are, as the browser or the address is new to the org.",
                causes: &[Cause { flows: &[], is: "A login by pages from a place that the org does not know; a program cannot answer the code that is sent.", tells: "The Source IP is in no trusted range of the org, and the same user gets in from elsewhere.", cure: &MFA }],
                look: LOOK,
                basis: Community,
                source: "reports from the field (salesforce.stackexchange.com, question 146422)",
            },
        ];
    };
}

statuses! {
    "login-rate-exceeded", ["LOGIN_ERROR_RATE_EXCEEDED", "LOGIN_RATE_EXCEEDED"], ["Login rate exceeded", ""],
        "The user logged in more than 3,600 times within an hour.", "A client asks for a token with each call.", LOGIN_RATE;
    "org-lockout", ["LOGIN_ERROR_ORG_LOCKOUT"], [], "The org is locked.", "Salesforce locked the org.", ORG;
    "org-suspended", ["LOGIN_ERROR_ORG_SUSPENDED"], [], "The org is suspended.", "The contract or a bill.", ORG;
    "org-closed", ["LOGIN_ERROR_ORG_CLOSED"], [], "The org is closed.", "The org was given up, or a trial ended.", ORG;
    "org-inactive", ["LOGIN_ERROR_ORG_INACTIVE"], [], "The org is inactive.", "Nobody used it, or it is not set up yet.", ORG;
    "org-in-maintenance", ["LOGIN_ERROR_ORG_IN_MAINTENANCE"], [], "The org is in maintenance.", "An upgrade or a migration is under way.", ORG;
    "domain-only", ["LOGIN_ERROR_ORG_DOMAIN_ONLY"], ["Restricted domain", ""],
        "Logins are allowed through the My Domain only.", "The client uses login.salesforce.com or test.salesforce.com.", MY_DOMAIN;
    "restricted-ip", ["LOGIN_ERROR_RESTRICTED_DOMAIN"], ["Restricted IP", ""],
        "The address is outside of the ranges of profile, org or app.", "The client's egress address is not listed.", IP;
    "restricted-time", ["LOGIN_ERROR_RESTRICTED_TIME"], ["Restricted Time", ""], "It is outside of the profile's login hours.", "The job runs at night, or in another time zone.", HOURS;
    "user-inactive", ["LOGIN_ERROR_USER_INACTIVE"], ["User is Inactive", ""], "The user is inactive.", "Somebody deactivated the integration user.", USER;
    "user-frozen", ["LOGIN_ERROR_USER_FROZEN"], ["User Is Frozen", ""], "The user is frozen.", "An admin froze the user.", USER;
    "user-api-only", ["LOGIN_ERROR_USER_API_ONLY"], [], "An API-only user tried to log in by pages.", "The web server flow was used with an integration user.", INTERNAL_USER;
    "password-lockout", ["LOGIN_ERROR_PASSWORD_LOCKOUT"], ["Password Lockout", ""], "Too many wrong passwords.", "A client keeps trying an old password.", USER;
    "invalid-password", ["LOGIN_ERROR_INVALID_PASSWORD"], ["Invalid Password", ""], "The password is wrong.", "It was changed or expired, or the security token is missing.", PASSWORD_FLOW;
    "logins-exceeded", ["LOGIN_ERROR_LOGINS_EXCEEDED"], ["Maximum logins exceeded", ""], "The user has no logins left.", "The license limits logins.", LOGIN_RATE;
    "oauth-api-disabled", ["LOGIN_OAUTH_API_DISABLED"], ["Failed: OAuth API access disabled", ""],
        "The user may not use APIs.", "API Enabled is missing.", API_ENABLED;
    "consumer-deleted", ["LOGIN_OAUTH_CONSUMER_DELETED"], [], "The app was deleted.", "A client still uses its key.", CONSUMER_KEY;
    "access-token-limit", ["LOGIN_OAUTH_EXCEED_GET_AT_LMT"], ["Failed: Get Access Token Limit Exceeded", ""],
        "Too many access tokens were asked for. The number is not published.", "The client asks for a token with each call.", LOGIN_RATE;
    "invalid-code-challenge", ["LOGIN_OAUTH_INVALID_CODE_CHALLENGE"], [], "The code challenge is malformed or missing.", "PKCE is done wrongly, or not at all.", CHALLENGE;
    "invalid-code-verifier", ["LOGIN_OAUTH_INVALID_CODE_VERIFIER"], [], "The verifier does not fit the challenge.", "The verifier of another login, or the challenge is hex.", VERIFIER;
    "invalid-device", ["LOGIN_OAUTH_INVALID_DEVICE"], [], "The device is not known or not allowed.", "A mobile app's device was removed.", LOGIN_AGAIN;
    "invalid-signature", ["LOGIN_OAUTH_INVALID_DSIG"], ["Signature Invalid", ""], "The signature of the assertion does not fit.", "The certificate on the app is that of another key.", CERTIFICATE;
    "oauth-ip-not-allowed", ["LOGIN_OAUTH_INVALID_IP"], ["IP Address Not Allowed", ""], "The app does not allow the address.", "IP Relaxation is enforced, and the address is in no range.", IP;
    "invalid-nonce", ["LOGIN_OAUTH_INVALID_NONCE"], [], "OAuth 1.0a: the nonce is not acceptable.", "An old client.", OAUTH1;
    "invalid-signature-method", ["LOGIN_OAUTH_INVALID_SIG_METHOD"], [], "OAuth 1.0a: the signature method is not taken.", "An old client.", OAUTH1;
    "invalid-timestamp", ["LOGIN_OAUTH_INVALID_TIMESTAMP"], [], "The time of the request or assertion is not acceptable.", "The client's clock is wrong.", CLOCK;
    "oauth-invalid-token", ["LOGIN_OAUTH_INVALID_TOKEN"], [], "The code, refresh token or assertion is not good.", "It was used, expired or revoked.", LOGIN_AGAIN;
    "invalid-verifier", ["LOGIN_OAUTH_INVALID_VERIFIER"], [], "OAuth 1.0a: the verifier is wrong.", "An old client.", OAUTH1;
    "invalid-version", ["LOGIN_OAUTH_INVALID_VERSION"], [], "OAuth 1.0a: the version is not taken.", "An old client.", OAUTH1;
    "invalid-callback-url", ["LOGIN_OAUTH_NO_CALLBACK_URL"], ["Invalid Callback URL", ""], "The redirect URI is none of the app's.", "It differs in a character.", CALLBACK;
    "missing-consumer-key", ["LOGIN_OAUTH_NO_CONSUMER"], ["Missing Consumer Key Parameter", ""], "The request names no app, or one that is not known.", "client_id is missing or cut.", CONSUMER_KEY;
    "no-token", ["LOGIN_OAUTH_NO_TOKEN"], [], "The request lacks the token that it needs.", "A parameter is missing.", FORM;
    "nonce-replay", ["LOGIN_OAUTH_NONCE_REPLAY"], [], "OAuth 1.0a: the nonce was used before.", "An old client, or a repeated request.", OAUTH1;
    "package-missing", ["LOGIN_OAUTH_PACKAGE_MISSING"], ["Package for this consumer is not installed in your organization", ""],
        "The app's package is not installed here.", "The app is of another org.", PACKAGE;
    "package-old", ["LOGIN_OAUTH_PACKAGE_OLD"], [], "The installed package is too old for the app.", "The app was changed in a later version.", PACKAGE;
    "unexpected-parameter", ["LOGIN_OAUTH_UNEXPECTED_PARAM"], [], "The request has a parameter that does not belong there.", "`scope` on a grant that takes none, most often.", DROP_SCOPE;
    "saml-audience", ["LOGIN_SAML_INVALID_AUDIENCE"], [], "The audience of the assertion is not this org.", "Entity ID and Audience differ.", SAML;
    "saml-configuration", ["LOGIN_SAML_INVALID_CONFIG"], [], "There is no SAML configuration that fits.", "Single sign-on is off, or for another site.", SAML;
    "saml-format", ["LOGIN_SAML_INVALID_FORMAT"], [], "The assertion is not what is expected.", "A Response where an Assertion is due, or the other way round; encoding.", SAML;
    "saml-in-response-to", ["LOGIN_SAML_INVALID_IN_RES_TO"], [], "InResponseTo fits no request.", "The answer came late, or to another browser.", SAML;
    "saml-issuer", ["LOGIN_SAML_INVALID_ISSUER"], [], "The issuer is not the configured one; for the bearer flow, not a consumer key.", "A slash or letter case.", SAML;
    "saml-org-id", ["LOGIN_SAML_INVALID_ORG_ID"], [], "The assertion names another org.", "Production and sandbox are mixed up.", SAML;
    "saml-recipient", ["LOGIN_SAML_INVALID_RECIPIENT"], ["Recipient Mismatched", ""], "The recipient is not the URL to which it was sent.", "login and My Domain, or a site, are mixed up.", SAML;
    "saml-signature", ["LOGIN_SAML_INVALID_SIGNATURE"], [], "The signature does not fit the certificate.", "The identity provider rotated its certificate.", SAML;
    "saml-status", ["LOGIN_SAML_INVALID_STATUS"], [], "The identity provider says that its login failed.", "Look there.", SAML;
    "saml-subject-confirmation", ["LOGIN_SAML_INVALID_SUB_CONFIRM"], [], "The confirmation of the subject is not acceptable.", "Method or times of SubjectConfirmationData.", SAML;
    "saml-expired", ["LOGIN_SAML_INVALID_TIMESTAMP"], ["Assertion Expired", ""], "The assertion is outside of its time.", "A clock is wrong, or the assertion was kept.", CLOCK;
    "saml-username", ["LOGIN_SAML_INVALID_USERNAME"], [], "The subject is no user here.", "Username, Federation ID and sandbox suffix are mixed up.", SAML;
    "saml-version", ["LOGIN_SAML_INVALID_VERSION"], [], "The SAML version is not the configured one.", "1.1 and 2.0 are mixed up.", SAML;
    "saml-mismatched-certificate", ["LOGIN_SAML_MISMATCH_CERT"], [], "The certificate in the assertion is not the configured one.", "The identity provider rotated it.", SAML;
    "saml-replay", ["LOGIN_SAML_REPLAY_ATTEMPTED"], [], "The assertion was used before.", "A reload, or a client that keeps assertions.", CLOCK;
    "saml-provisioning", ["LOGIN_SAML_PROVISION_ERROR"], [], "Just-in-time provisioning failed.", "A required field or profile is missing in the assertion or handler.", SAML;
    "two-factor-required", ["LOGIN_TWOFACTOR_REQ"], [], "A second factor is asked for.", "MFA is enforced for the user.", MFA;
}
