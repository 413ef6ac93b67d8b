//! Salesforce as the client: what Apex sees of a callout through a Named Credential.

use super::cures::*;
use super::{Entry, Place, cause};
use crate::verdict::Basis::{Community, Derived};

const LOOK: &str = "The other side's log of its token endpoint. If that is a Salesforce org: its Login History. Here: a debug log of the callout.";

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        id: "callout/jwt-exchange-failed",
        place: Place::Callout,
        codes: &["System.CalloutException"],
        texts: &[
            "*Unable to complete the JWT token exchange. Error: *",
            "*Unable to complete the JWT token exchange*",
        ],
        means: "The authorization server refused the assertion of the Named Credential. What stands behind `Error:` is its answer.",
        causes: &[
            cause(
                "`invalid client credentials` from a Salesforce org: the assertion is signed with RS512, which it does not take.",
                "The signing algorithm of the External Credential.",
                &CREDENTIAL,
            ),
            cause(
                "The certificate on the app of the other side is another.",
                "Its answer is invalid_grant with invalid assertion.",
                &CERTIFICATE,
            ),
            cause(
                "Issuer, subject or audience do not fit the other side.",
                "Its answer; the claims of the credential.",
                &CREDENTIAL,
            ),
        ],
        look: LOOK,
        basis: Community,
        source: "reports from the field",
    },
    Entry {
        id: "callout/no-access-to-credential",
        place: Place::Callout,
        codes: &["System.CalloutException"],
        texts: &["*We couldn't access the credential*"],
        means: "The running user may not use the principal of the External Credential.",
        causes: &[
            cause(
                "No permission set of the user names the principal.",
                "External Credential Principal Access of the user's permission sets.",
                &PRINCIPAL,
            ),
            cause(
                "A principal of each user's own, and this user has not authenticated it.",
                "The principal's identity type is Per User Principal.",
                &PRINCIPAL,
            ),
        ],
        look: LOOK,
        basis: Community,
        source: "reports from the field",
    },
    Entry {
        id: "callout/token-not-fetched",
        place: Place::Callout,
        codes: &["System.CalloutException"],
        texts: &["*Unable to fetch the OAuth token*"],
        means: "The token endpoint of the other side refused or did not answer. What stands behind `Error:` is its answer.",
        causes: &[
            cause(
                "Client id, secret or scope of the principal are wrong; a Salesforce org takes no scope here.",
                "Its answer.",
                &CREDENTIAL,
            ),
            cause("The token URL is another.", "The credential's token URL.", &CREDENTIAL),
        ],
        look: LOOK,
        basis: Derived,
        source: "assumed wording: not known from a captured message",
    },
    Entry {
        id: "callout/parameters-required",
        place: Place::Callout,
        codes: &[],
        texts: &["*requires the following external credential parameter types: *"],
        means: "A deployment was refused: the External Credential lacks parameters that its variant of the protocol needs.",
        causes: &[cause(
            "AuthProtocolVariant or AuthProviderUrl is missing, often because a template uses names that do not exist.",
            "The list in the message against externalCredentialParameters of the file.",
            &CREDENTIAL,
        )],
        look: "Nothing: it is a deployment. Setup › Deployment Status.",
        basis: Community,
        source: "reports from the field",
    },
];
