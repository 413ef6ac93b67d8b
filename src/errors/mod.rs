//! Errors as an org tells them: what each means, its likely causes in order, what tells them apart, and the cure.
//!
//! Rows of data, found by the text that somebody has: [`look_up`] reads a JSON body, a URL, a status of the Login
//! History or a line of a log, and says which rows it is and how sure that is.

/// A row of the token endpoint.
macro_rules! token_row {
    ($id:expr, $codes:expr, $texts:expr, $means:expr, $causes:expr, $look:expr, $basis:expr, $source:expr $(,)?) => {
        $crate::errors::Entry {
            id: $id,
            place: $crate::errors::Place::Token,
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

mod api;
mod authorize;
mod callout;
mod cures;
mod grant;
mod history;
mod identity;
mod markdown;
mod matching;
mod refused;
mod request;
mod short;
mod told;

pub use markdown::{full, markdown};
pub use matching::{How, Match, look_up};
pub use short::{Short, short, short_of};
pub use told::Told;

use crate::subject::Flow;
use crate::verdict::Basis;

/// Where an error is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Place {
    Token,
    Authorize,
    ErrorPage,
    Introspection,
    Revocation,
    Identity,
    Api,
    LoginHistory,
    Callout,
}

/// One error, as it is told at one place.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Stable name, a path of slugs.
    pub id: &'static str,
    /// Where it is met.
    pub place: Place,
    /// Values of `error` or `errorCode`, or names of a login status, that go with it; letter case does not count.
    pub codes: &'static [&'static str],
    /// Values of `error_description` or `message` that go with it; `*` stands for anything. Empty: the code says it all.
    pub texts: &'static [&'static str],
    /// What it means there.
    pub means: &'static str,
    /// Likely causes, the likeliest first.
    pub causes: &'static [Cause],
    /// What to look at in the Login History, or in its place.
    pub look: &'static str,
    /// Where this comes from.
    pub basis: Basis,
    /// The page, the source text or the report.
    pub source: &'static str,
}

/// One likely cause of an error.
#[derive(Clone, Copy, Debug)]
pub struct Cause {
    /// The flows in which it can be the cause; empty: any.
    pub flows: &'static [Flow],
    /// What is the matter.
    pub is: &'static str,
    /// What tells it from the others.
    pub tells: &'static str,
    /// What mends it.
    pub cure: &'static Cure,
}

/// What mends a cause; parts that do not apply are empty.
#[derive(Clone, Copy, Debug)]
pub struct Cure {
    /// Click by click in Setup.
    pub setup: &'static str,
    /// In metadata.
    pub metadata: &'static str,
    /// In the client program.
    pub client: &'static str,
    /// How long it takes until it is in force.
    pub takes: Takes,
}

/// How long a cure takes to be in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// With the next request.
    AtOnce,
    /// Settings of an app spread over the servers.
    Minutes,
    /// With the next grant: tokens that exist keep what they have.
    NextGrant,
    /// The sliding hour of the login rate.
    Hour,
    /// It depends on somebody else.
    Others,
}

impl Place {
    /// In words, as the end of a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Place::Token => "at the token endpoint",
            Place::Authorize => "at the authorization endpoint, shown or sent to the callback",
            Place::ErrorPage => "on an error page of the login",
            Place::Introspection => "at the introspection endpoint",
            Place::Revocation => "at the revocation endpoint",
            Place::Identity => "at userinfo, the identity URL or singleaccess",
            Place::Api => "at an API",
            Place::LoginHistory => "in the Login History or a Login event log file",
            Place::Callout => "in a callout through a Named Credential",
        }
    }
}

impl Takes {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Takes::AtOnce => "with the next request",
            Takes::Minutes => "2 to 10 minutes; until then old and new answers come by turns",
            Takes::NextGrant => "with the next grant; tokens that exist keep what they have",
            Takes::Hour => "as the hour in which logins are counted moves on",
            Takes::Others => "when whoever is asked has acted",
        }
    }
}

/// A cause in any flow.
const fn cause(is: &'static str, tells: &'static str, cure: &'static Cure) -> Cause {
    Cause { flows: &[], is, tells, cure }
}

/// A cause in some flows only.
const fn of(flows: &'static [Flow], is: &'static str, tells: &'static str, cure: &'static Cure) -> Cause {
    Cause { flows, is, tells, cure }
}

/// Where the Login History shows a login of an app.
const LOGINS: &str = "Setup › Login History: rows of Login Type `Remote Access 2.0` for the user and the app. A refused row names \
    the status; no row at all means that the request reached another org, or none.";

/// Where nothing is written of it, because it is refused before a user is known.
const NO_ROW: &str = "Nothing: it is refused before a user is known, so the Login History has no row of it.";

/// Every entry, place by place.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    [
        grant::ENTRIES,
        refused::ENTRIES,
        request::ENTRIES,
        authorize::ENTRIES,
        identity::ENTRIES,
        api::ENTRIES,
        history::ENTRIES,
        callout::ENTRIES,
    ]
    .into_iter()
    .flatten()
}

/// The entry of that id.
pub fn find(id: &str) -> Option<&'static Entry> {
    all().find(|entry| entry.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every code that Salesforce's mobile SDKs and its help know.
    const CODES: &str = "access_denied app_attest_failed app_attest_failed_retry app_blocked app_not_found \
        authorization_pending bad_jti_claim ecapp_policy_not_found exceeded_registration_limit fail_close_app_blocked \
        failed_registration immediate_unsuccessful installation_error invalid_app_access invalid_assertion_type \
        invalid_basic_auth_header invalid_client invalid_client_id invalid_distribution_state invalid_dpop_proof \
        invalid_expid invalid_grant invalid_otp invalid_request invalid_scope invalid_session_level invalid_token \
        login_error oauth_flow_disabled oauth_policy_not_found otp_error redirect_uri_mismatch redirect_uri_missing \
        registration_error server_error service_unavailable slow_down system_down unknown_error unsupported_expid \
        unsupported_grant_type unsupported_response_type unsupported_token_type use_dpop_nonce inactive_user \
        inactive_org rate_limit_exceeded invalid_client_credentials wrong_version";

    #[test]
    fn rows_are_whole_and_distinct() {
        let mut ids = BTreeSet::new();
        for entry in all() {
            assert!(ids.insert(entry.id), "{} stands twice", entry.id);
            assert!(
                entry.id.contains('/')
                    && entry
                        .id
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-/".contains(&b)),
                "{}",
                entry.id
            );
            assert!(!entry.codes.is_empty() || !entry.texts.is_empty(), "{}", entry.id);
            assert!(
                !entry.causes.is_empty()
                    && entry.means.ends_with('.')
                    && entry.look.ends_with('.')
                    && !entry.source.is_empty(),
                "{}",
                entry.id
            );
            for cause in entry.causes {
                assert!(cause.is.ends_with('.') && cause.tells.ends_with('.'), "{}: {}", entry.id, cause.is);
                let Cure { setup, metadata, client, .. } = cause.cure;
                assert!(!setup.is_empty() || !metadata.is_empty() || !client.is_empty(), "{}", entry.id);
            }
        }
        assert!(ids.len() >= 90, "{}", ids.len());
    }

    #[test]
    fn every_code_that_is_known_has_an_entry() {
        for code in CODES.split_whitespace() {
            assert!(all().any(|entry| entry.codes.contains(&code)), "{code}");
        }
    }

    #[test]
    fn an_entry_is_found_by_each_of_its_own_texts() {
        for entry in all() {
            for text in
                entry.texts.iter().filter(|text| !text.is_empty()).map(|text| text.replace('*', " x1 "))
            {
                let found = look_up(&text, None);
                assert!(found.iter().any(|m| m.how == How::Exact), "{}: {text}", entry.id);
            }
            for code in entry.codes {
                for text in entry.texts.iter().map(|text| text.replace('*', " x1 ")) {
                    let found = look_up(&format!("{code}: {text}"), None);
                    assert!(
                        found.iter().any(|m| m.entry.id == entry.id && m.how == How::Exact),
                        "{}: {code}: {text}",
                        entry.id
                    );
                }
                if entry.texts.is_empty() || entry.texts.contains(&"") {
                    let found = look_up(code, None);
                    assert!(found.iter().any(|m| m.entry.id == entry.id), "{}: {code}", entry.id);
                }
            }
        }
    }
}
