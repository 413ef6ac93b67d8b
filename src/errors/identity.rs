//! Userinfo, the identity URL and singleaccess: plain words, with 403 where others say 401.

use super::cures::*;
use super::{Entry, Place, cause};
use crate::verdict::Basis::{Community, Derived};

const LOOK: &str = "Nothing: calls are not logins. Setup › Session Management and Connected Apps OAuth Usage show whether the grant is alive.";

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        id: "identity/missing-oauth-token",
        place: Place::Identity,
        codes: &["Missing_OAuth_Token"],
        texts: &[],
        means: "The call carries no access token that the endpoint sees.",
        causes: &[cause(
            "The Authorization header is missing, or was dropped by a redirect or a proxy.",
            "The request as it arrived.",
            &BEARER,
        )],
        look: LOOK,
        basis: Community,
        source: "reports from the field",
    },
    Entry {
        id: "identity/bad-oauth-token",
        place: Place::Identity,
        codes: &["Bad_OAuth_Token"],
        texts: &[],
        means: "The access token is expired, revoked or unknown. This is the identity endpoints' way of asking for a refresh, with status 403.",
        causes: &[
            cause(
                "The token expired, and the client renews on 401 only.",
                "A REST call with the same token is answered 401.",
                &RENEW_ON_403,
            ),
            cause("An API-only user at singleaccess.", "The user's profile.", &INTERNAL_USER),
            cause("The token is cut.", "It should be 15 characters, `!`, and about 96 more.", &OWN_TOKEN),
        ],
        look: LOOK,
        basis: Community,
        source: "reports from the field; clients that look for this text",
    },
    Entry {
        id: "identity/wrong-org",
        place: Place::Identity,
        codes: &["Wrong_Org"],
        texts: &[],
        means: "The token is of another org than the URL.",
        causes: &[cause(
            "Production and sandbox, or the identity URL of another login, are mixed up.",
            "The org id in the token and in the URL.",
            &OWN_TOKEN,
        )],
        look: LOOK,
        basis: Community,
        source: "reports from the field",
    },
    Entry {
        id: "identity/inactive-user",
        place: Place::Identity,
        codes: &["Inactive_User"],
        texts: &[],
        means: "The user of the identity URL is inactive, or not to be seen by the one who asks.",
        causes: &[cause("The user was deactivated.", "Setup › Users.", &USER)],
        look: LOOK,
        basis: Derived,
        source: "assumed: not known from a captured answer",
    },
    Entry {
        id: "identity/bad-id",
        place: Place::Identity,
        codes: &["Bad_Id"],
        texts: &[],
        means: "The identity URL is malformed.",
        causes: &[cause(
            "The URL was put together instead of taken from `id` of the token answer.",
            "It should be /id/ORG/USER with ids of 18 characters.",
            &PATH,
        )],
        look: LOOK,
        basis: Derived,
        source: "assumed: not known from a captured answer",
    },
    Entry {
        id: "identity/invalid-scope",
        place: Place::Identity,
        codes: &["Invalid_Scope"],
        texts: &[],
        means: "singleaccess needs a token with the scope web, and this one lacks it. As `invalid_scope` in lower case it is another matter: a scope that the app does not have.",
        causes: &[cause(
            "The app lacks web, or it was not asked for.",
            "`scope` of the token answer.",
            &SCOPES,
        )],
        look: LOOK,
        basis: Community,
        source: "reports from the field",
    },
];
