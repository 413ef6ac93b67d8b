//! `invalid_grant` at the token endpoint.

use super::cures::*;
use super::{Entry, LOGINS, NO_ROW, Place, cause, of};
use crate::subject::Flow::{ClientCredentials, JwtBearer, RefreshToken, SamlBearer, WebServer};
use crate::verdict::Basis::{Community, Derived, Vendor};

const HELP: &str = "Salesforce Help: OAuth 2.0 Authorization Errors";

macro_rules! row {
    ($id:expr, $texts:expr, $means:expr, $causes:expr, $look:expr, $basis:expr, $source:expr $(,)?) => {
        token_row!($id, &["invalid_grant"], $texts, $means, $causes, $look, $basis, $source)
    };
}

pub(super) const ENTRIES: &[Entry] = &[
    row!(
        "error/authentication-failure",
        &["authentication failure", "authentication failure - *"],
        "The user could not be logged in. The token endpoint does not say why; the Login History does.",
        &[
            cause(
                "The password is wrong, or the security token is not appended to it.",
                "The Login History says Invalid Password.",
                &PASSWORD_FLOW
            ),
            cause(
                "The org blocks the username-password flow, as all new ones do.",
                "The Login History says Username-Password Flow Disabled, or has no row.",
                &PASSWORD_FLOW
            ),
            cause(
                "The address or the hour is outside of what the profile allows.",
                "The Login History says Restricted IP or Restricted time.",
                &IP
            ),
            cause(
                "The user is locked, frozen or inactive.",
                "The Login History says so; in Setup the user shows Unlock or Unfreeze.",
                &USER
            ),
        ],
        "Setup › Login History: the newest row of the user. Its status is the real reason.",
        Community,
        "restforce's recorded answers; many reports from the field",
    ),
    row!(
        "error/user-has-not-approved",
        &[
            "user hasn't approved this consumer",
            "user hasn\u{2019}t approved this consumer",
            "user has not approved this consumer"
        ],
        "No approval of this app by this user is stored in the org that was asked, or no such user is there: Salesforce does not tell the two apart.",
        &[
            of(
                &[JwtBearer, SamlBearer],
                "Permitted Users says that all users may self-authorize, and this user never did.",
                "The app's policies say so, and Connected Apps OAuth Usage shows no token of the user.",
                &PREAUTHORIZE
            ),
            of(
                &[JwtBearer, SamlBearer],
                "The subject is no user of the org that was asked: a typing error, a sandbox suffix that is missing, the wrong host or audience.",
                "The Login History of the intended org has no row of this attempt.",
                &SUBJECT
            ),
            of(
                &[JwtBearer, SamlBearer],
                "The app is pre-authorized, and the user has none of its profiles and permission sets.",
                "Setup › the user › Permission Set Assignments lacks what the app lists.",
                &ASSIGN
            ),
            of(
                &[JwtBearer, SamlBearer],
                "The user approved the app, but without the scope refresh_token, so that nothing was kept.",
                "The app's scopes lack refresh_token and offline_access.",
                &APPROVE_ONCE
            ),
            of(
                &[RefreshToken],
                "The approval was revoked by the user, an admin or a sixth login.",
                "Connected Apps OAuth Usage no longer lists the user.",
                &LOGIN_AGAIN
            ),
        ],
        LOGINS,
        Community,
        "many reports from the field; simple-salesforce decides by this very text",
    ),
    row!(
        "error/audience-is-invalid",
        &["audience is invalid", "Audience validation failed"],
        "The assertion is meant for another server than the one that was asked.",
        &[
            of(
                &[JwtBearer, SamlBearer],
                "Production and sandbox are mixed up.",
                "The assertion names login.salesforce.com and the org is a sandbox, or the other way round.",
                &AUDIENCE
            ),
            of(
                &[JwtBearer, SamlBearer],
                "The audience is an instance URL, a Lightning host or has a path.",
                "`aud` is anything else than one of the three bases.",
                &AUDIENCE
            ),
            of(
                &[JwtBearer],
                "The audience is the token endpoint, as other servers want it.",
                "`aud` ends in /services/oauth2/token; only client assertions are addressed so.",
                &AUDIENCE
            ),
        ],
        NO_ROW,
        Community,
        "every live report says `audience is invalid`; `Audience validation failed` is in Salesforce's samples only",
    ),
    row!(
        "error/invalid-assertion",
        &["invalid assertion"],
        "The assertion cannot be read, or its signature does not fit the certificate of the app that it names as issuer.",
        &[
            of(
                &[JwtBearer, SamlBearer],
                "The certificate on the app belongs to another key.",
                "The public key of the certificate differs from that of the private key: `openssl x509 -noout -pubkey` and `openssl pkey -pubout`.",
                &CERTIFICATE
            ),
            of(
                &[JwtBearer, SamlBearer],
                "The issuer is the consumer key of another app.",
                "`iss` is not the key of the app that holds the certificate.",
                &CONSUMER_KEY
            ),
            of(
                &[JwtBearer, SamlBearer],
                "It is encoded in another way: padding, `+` and `/`, line breaks, a whole SAML Response.",
                "Decoding each part as base64url without padding fails.",
                &SIGN
            ),
            of(&[JwtBearer], "The algorithm is not RS256.", "`alg` in the header.", &SIGN),
        ],
        LOGINS,
        Community,
        "salesforce.stackexchange.com/questions/71955 and /198011",
    ),
    row!(
        "error/expired-authorization-code",
        &["expired authorization code"],
        "What was presented is no longer good: the code was used or is too old, or the assertion's time is over. The text speaks of a code in every flow.",
        &[
            of(
                &[WebServer],
                "The code was redeemed before: a second tab, a reload, a retry after a time-out.",
                "The client's log has two token requests for one login.",
                &REDEEM_ONCE
            ),
            of(
                &[WebServer],
                "The code is older than 15 minutes.",
                "Time between callback and token request.",
                &REDEEM_ONCE
            ),
            of(
                &[JwtBearer],
                "`exp` is past: the clock is behind, or the assertion was kept.",
                "Compare `exp` with the Date field of the answer.",
                &CLOCK
            ),
            of(
                &[SamlBearer],
                "The assertion is outside of NotBefore and NotOnOrAfter.",
                "Compare Conditions with the Date field of the answer.",
                &CLOCK
            ),
            of(
                &[RefreshToken],
                "Two refreshes with one token at once, as orgs answered until autumn 2024.",
                "Two token requests overlap in the client's log.",
                &ONE_REFRESH
            ),
        ],
        LOGINS,
        Community,
        "github.com/simple-salesforce/simple-salesforce issues 371 and 491; salesforce.stackexchange.com/questions/282513",
    ),
    row!(
        "error/invalid-authorization-code",
        &["invalid authorization code"],
        "The code is none that this server issued to this app for this redirect URI.",
        &[
            of(
                &[WebServer],
                "The code was encoded twice or decoded not at all.",
                "It ends in `%3D%3D` or `%253D%253D` where it should end in `==`.",
                &CODE_AS_IT_CAME
            ),
            of(
                &[WebServer],
                "Another app or redirect URI asked for it.",
                "client_id or redirect_uri differ between the two requests.",
                &CODE_AS_IT_CAME
            ),
            of(
                &[WebServer],
                "It was issued by another host family: login and test, a My Domain of another org.",
                "Hosts of the two requests.",
                &CODE_AS_IT_CAME
            ),
        ],
        LOGINS,
        Community,
        "reports from the field",
    ),
    row!(
        "error/invalid-code-verifier",
        &["invalid code verifier"],
        "The code was asked for with a challenge, and the verifier does not hash to it.",
        &[
            of(
                &[WebServer],
                "The challenge is the hex of the digest, or has padding.",
                "It has 64 characters or ends in `=`; a right one has 43.",
                &VERIFIER
            ),
            of(
                &[WebServer],
                "The verifier of another login was sent, or none.",
                "Two logins at once in one browser, or a store that keeps one verifier for all.",
                &VERIFIER
            ),
            of(
                &[WebServer],
                "The method is missing and the challenge is no SHA-256.",
                "code_challenge_method is not in the authorization request.",
                &VERIFIER
            ),
        ],
        "The Login event log: LOGIN_OAUTH_INVALID_CODE_VERIFIER.",
        Community,
        "salesforce.stackexchange.com/questions/330168",
    ),
    row!(
        "error/expired-refresh-token",
        &["expired access/refresh token"],
        "The refresh token is dead or unknown here. It will not come back.",
        &[
            of(
                &[RefreshToken],
                "It was rotated out: the client kept the old one.",
                "Rotation is on, and the client does not store the refresh_token of each answer.",
                &KEEP_ROTATED
            ),
            of(
                &[RefreshToken],
                "The Refresh Token Policy ended it.",
                "Its age or idle time against the policy of the app.",
                &REFRESH_POLICY
            ),
            of(
                &[RefreshToken],
                "A user, an admin or a log-out revoked it.",
                "Connected Apps OAuth Usage and the user's OAuth Connected Apps no longer list it.",
                &LOGIN_AGAIN
            ),
            of(
                &[RefreshToken],
                "A sixth approval of the same user and app displaced it.",
                "The client logs in again and again instead of refreshing.",
                &FEWER_APPROVALS
            ),
            of(
                &[RefreshToken],
                "It was sent to another org: production and sandbox mixed up, or a refreshed sandbox.",
                "The organization of the identity URL that came with it.",
                &MY_DOMAIN
            ),
            of(
                &[RefreshToken],
                "The user was deactivated, or the app blocked.",
                "Setup › Users; Connected Apps OAuth Usage.",
                &USER
            ),
        ],
        LOGINS,
        Community,
        "restforce's recorded answers; many reports from the field",
    ),
    row!(
        "error/token-validity-expired",
        &["token validity expired"],
        "The refresh token is past what the app's policy allows.",
        &[
            of(
                &[RefreshToken],
                "It was not used for longer than the policy's idle time.",
                "Time since the last refresh.",
                &REFRESH_POLICY
            ),
            of(
                &[RefreshToken],
                "It is older than the policy's lifetime.",
                "Time since the login.",
                &REFRESH_POLICY
            ),
        ],
        LOGINS,
        Community,
        "code of client libraries that know the text",
    ),
    row!(
        "error/token-request-in-process",
        &["token request is already being processed"],
        "Another refresh with the same refresh token is under way. One of them succeeds.",
        &[of(
            &[RefreshToken],
            "Several threads, processes or retries refresh one token at the same time.",
            "Overlapping token requests in the client's log; the Login History has the same text.",
            &ONE_REFRESH
        )],
        "Setup › Login History: Failed: Token request is already being processed, beside a success of the same second.",
        Vendor,
        "Salesforce release notes (concurrent refresh, releases 250 to 252); Object Reference: LOGIN_STATUS",
    ),
    row!(
        "error/ip-restricted",
        &["ip restricted"],
        "The request came from an address that the user's profile or the app does not allow.",
        &[
            cause(
                "The client's egress address is not in the ranges.",
                "The Login History row shows Source IP and Restricted IP.",
                &IP
            ),
            of(
                &[RefreshToken],
                "The app allows refreshes from listed addresses only.",
                "The app's security settings list token IP ranges.",
                &IP
            ),
        ],
        LOGINS,
        Community,
        "reports from the field",
    ),
    row!(
        "error/inactive-user",
        &["inactive user", "user is inactive"],
        "The user of the grant is inactive or frozen.",
        &[
            of(
                &[JwtBearer, SamlBearer, RefreshToken, WebServer],
                "The user was deactivated or frozen.",
                "Setup › Users: Active is not ticked, or Unfreeze is shown.",
                &USER
            ),
            of(
                &[ClientCredentials],
                "The Run As user was.",
                "The app's policies name a user who is inactive.",
                &RUN_AS
            ),
        ],
        LOGINS,
        Derived,
        "assumed: the help lists the code inactive_user; the text is not known from a captured answer",
    ),
    row!(
        "error/org-is-locked",
        &["org is locked", "org is suspended", "org is closed", "org is inactive", "org is in maintenance"],
        "The org takes no logins at present.",
        &[cause(
            "It is locked, suspended, closed or in maintenance.",
            "Nobody else gets in either; status.salesforce.com for maintenance.",
            &ORG
        )],
        LOGINS,
        Derived,
        "assumed after the Object Reference's LOGIN_STATUS values; the text is not known from a captured answer",
    ),
    row!(
        "error/no-client-credentials-user",
        &["no client credentials user enabled"],
        "The client credentials flow is on, and no user is named in whose name it runs.",
        &[
            of(
                &[ClientCredentials],
                "Run As is empty in the app's policies.",
                "The policies page shows no user.",
                &RUN_AS
            ),
            of(
                &[ClientCredentials],
                "The flow was switched off and on, which empties it; or a deployment without the element did.",
                "It worked before.",
                &RUN_AS
            ),
        ],
        NO_ROW,
        Community,
        "documentation of Amazon Connect's adapter; field notes",
    ),
    row!(
        "error/client-credentials-not-enabled",
        &["client credentials flow not enabled"],
        "The app does not allow this flow.",
        &[
            of(
                &[ClientCredentials],
                "The flow is not ticked in the app's settings.",
                "Settings › OAuth Settings › Flow Enablement.",
                &CLIENT_CREDENTIALS
            ),
            of(
                &[ClientCredentials],
                "The settings have it and the policies of the external client app have not.",
                "Policies › OAuth Policies.",
                &CLIENT_CREDENTIALS
            ),
            of(&[ClientCredentials], "The client uses the key of another app.", "client_id.", &CONSUMER_KEY),
        ],
        NO_ROW,
        Community,
        "documentation of Amazon Connect's adapter and of Axonius",
    ),
    row!(
        "error/wrong-domain",
        &["request not supported on this domain"],
        "The host that was asked does not do this.",
        &[
            of(
                &[ClientCredentials],
                "The request went to login or test.",
                "The host of the token URL.",
                &MY_DOMAIN
            ),
            cause(
                "The request went to a Lightning, Setup or Visualforce host.",
                "The host of the token URL.",
                &MY_DOMAIN
            ),
        ],
        NO_ROW,
        Community,
        "reports from the field",
    ),
    row!(
        "error/no-valid-scopes",
        &["no valid scopes defined"],
        "Without a user the scopes full, web and refresh_token do not count, and the app has no other.",
        &[of(
            &[ClientCredentials],
            "The app lists none but full, web, refresh_token.",
            "Its scopes. It worked before Winter '26, which began to enforce it.",
            &SCOPES
        )],
        NO_ROW,
        Vendor,
        "Salesforce Help: OAuth 2.0 Client Credentials Flow; reports since Winter '26",
    ),
    row!(
        "error/login-rate-exceeded",
        &["login rate exceeded"],
        "The user logged in more than 3,600 times within an hour, over all apps and flows.",
        &[
            cause(
                "The client asks for a token with each call instead of keeping it.",
                "Login History: a row every second or so.",
                &LOGIN_RATE
            ),
            cause(
                "Several jobs share one integration user.",
                "Login History: rows of several applications.",
                &LOGIN_RATE
            ),
        ],
        "Setup › Login History of the user, filtered by application; not each refused attempt is written.",
        Vendor,
        "Salesforce Help 000381578: login rate; that the code is invalid_grant is assumed",
    ),
    row!(
        "error/not-admin-approved",
        &["user is not admin approved to access this app"],
        "Only users whom an admin pre-authorized may use the app, and this one is not.",
        &[
            cause(
                "The user has none of the app's profiles and permission sets.",
                "Setup › the user › Permission Set Assignments.",
                &ASSIGN
            ),
            of(
                &[ClientCredentials],
                "It is the Run As user who has none.",
                "The app's policies and that user.",
                &ASSIGN
            ),
        ],
        LOGINS,
        Derived,
        "assumed: known with invalid_app_access; some stacks tell it under invalid_grant",
    ),
    Entry {
        id: "error/invalid-grant",
        place: Place::Token,
        codes: &["invalid_grant"],
        texts: &[],
        means: "What was presented (code, assertion, refresh token, password) is not accepted. The description says why; get hold of it first.",
        causes: &[
            of(
                &[WebServer],
                "The code was used before, is too old, or belongs to another redirect URI.",
                "error_description.",
                &REDEEM_ONCE,
            ),
            of(
                &[JwtBearer, SamlBearer],
                "The user has not approved the app, or the assertion does not fit.",
                "error_description.",
                &PREAUTHORIZE,
            ),
            of(&[RefreshToken], "The refresh token is dead.", "error_description.", &LOGIN_AGAIN),
            of(
                &[ClientCredentials],
                "No Run As user, the wrong host, or no usable scope.",
                "error_description.",
                &RUN_AS,
            ),
        ],
        look: LOGINS,
        basis: Vendor,
        source: HELP,
    },
];
