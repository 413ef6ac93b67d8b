//! What is known of an org, what is asked of it, and what it must answer: the words of the model. Pure.

use std::collections::BTreeSet;

use crate::oauth::Endpoint;
use crate::oauth::salesforce::Profile;
use crate::subject::{Flow, RefreshPolicy, Settings, Target};

/// How long Salesforce takes a code (REST API Developer Guide: Web Server OAuth Flow), in milliseconds.
pub(super) const CODE: i64 = 15 * 60_000;
/// How long Salesforce's session lives where nothing says otherwise, in milliseconds.
const SESSION: i64 = 2 * 3_600_000;
/// The same where an RFC is the measure (RFC 6750 §5.3).
const SESSION_RFC: i64 = 3_600_000;
/// How long a refresh token lives under a policy that names no time, in milliseconds.
const POLICY: i64 = 365 * 86_400_000;

/// What is known of the org that the model stands for. What is not known leaves the model unsure.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Whether each refresh answers with a new refresh token.
    pub rotation: Option<bool>,
    /// Whether a refresh token may still be taken when another one came in its place.
    pub grace: bool,
    /// How long a code lives, in milliseconds.
    pub code: Option<i64>,
    /// How long an access token lives without use, in milliseconds.
    pub session: Option<i64>,
    /// What becomes of a refresh token with time.
    pub policy: RefreshPolicy,
    /// Whether it is known to do as Salesforce does: the reuse of a rotated refresh token ends its whole family, the
    /// sixth approval drops the first, a second redemption of a code takes nothing away.
    pub salesforce: bool,
    /// What refusals look like.
    pub profile: Profile,
    /// Roles of apps that do not list client credentials.
    pub unlisted: BTreeSet<String>,
    /// Role of an app that is granted client credentials.
    pub listed: Option<String>,
}

impl Rules {
    /// The rules of a target under the settings of a scenario.
    pub fn of(target: &Target, settings: &Settings) -> Self {
        let settings = target.settings.with(settings);
        let embedded = target.is_embedded();
        let known = |millis: Option<i64>, otherwise: i64| millis.or(embedded.then_some(otherwise));
        let session = if target.profile == Profile::Rfc { SESSION_RFC } else { SESSION };
        let ttl = settings.millis("refresh_token_ttl").unwrap_or(POLICY);
        let policy = match settings.word("refresh_policy") {
            Some("zero") => RefreshPolicy::Zero,
            Some("lifetime") => RefreshPolicy::Lifetime(ttl),
            Some("inactivity") => RefreshPolicy::Inactivity(ttl),
            _ => RefreshPolicy::Infinite,
        };
        let apps = target.subject().apps;
        let (listed, unlisted): (Vec<_>, Vec<_>) =
            apps.into_iter().partition(|(_, app)| app.flows.contains(&Flow::ClientCredentials));
        let granted = |role: &str| {
            let policy = target.apps.get(role).map(|app| &app.policy);
            policy.is_some_and(|policy| {
                policy.installed
                    && !(policy.blocked || policy.disabled || embedded && policy.run_as.is_none())
            })
        };
        let mut listed: Vec<String> =
            listed.into_iter().map(|(role, _)| role).filter(|role| granted(role)).collect();
        listed.sort_by_key(|role| role != "main");
        Self {
            rotation: settings.flag("rotation"),
            grace: settings.millis("rotation_grace").is_some_and(|millis| millis > 0),
            code: known(settings.millis("code_ttl"), CODE),
            session: known(settings.millis("access_token_ttl"), session),
            policy,
            salesforce: embedded,
            profile: target.profile,
            unlisted: unlisted.into_iter().map(|(role, _)| role).collect(),
            listed: listed.into_iter().next(),
        }
    }
}

/// One operation on the store of an org. Roles of apps say who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A user lets an app have a code; with the S256 challenge, where one was sent.
    Authorize {
        /// Who asks.
        app: String,
        /// Who logs in.
        user: String,
        /// The challenge.
        challenge: Option<String>,
        /// Whether the scope of the API was left out.
        narrow: bool,
    },
    /// A code is redeemed.
    Redeem {
        /// Which.
        code: String,
        /// Who asks.
        app: String,
        /// The challenge that the verifier fits, where one came.
        verifier: Option<String>,
    },
    /// A refresh token is used.
    Refresh {
        /// Which.
        token: String,
        /// Who asks.
        app: String,
        /// Whether less scope is asked for.
        narrow: bool,
    },
    /// Tokens are asked for without a user agent: client credentials, an assertion.
    Grant {
        /// Who asks.
        app: String,
        /// How.
        flow: Flow,
        /// Whether the same assertion was presented before.
        again: bool,
    },
    /// A token is revoked.
    Revoke {
        /// Which.
        token: String,
        /// Who asks.
        app: String,
    },
    /// The introspection endpoint is asked.
    Introspect {
        /// About which token.
        token: String,
        /// Who asks.
        app: String,
    },
    /// A resource is asked for with a token.
    Use {
        /// Which.
        token: String,
        /// Where.
        endpoint: Endpoint,
    },
}

/// An answer, as far as it matters to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A code.
    Code(String),
    /// Tokens.
    Granted {
        /// The access token.
        access: String,
        /// A refresh token beside it.
        refresh: Option<String>,
        /// Whether the answer says who the user is, or that it may be asked for: an ID token, or the scope `openid`.
        identity: bool,
    },
    /// A refusal with this status; whether it speaks of a collision in flight.
    Refused(u16, bool),
    /// What introspection says.
    Active(bool),
    /// Any other status.
    Status(u16),
}

impl Seen {
    /// The access token that came.
    pub fn access(&self) -> Option<&str> {
        match self {
            Seen::Granted { access, .. } => Some(access),
            _ => None,
        }
    }
}

/// What a conforming org answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// A code.
    Code,
    /// Tokens; with a refresh token or without one, where that is known.
    Granted(Option<bool>),
    /// A refusal, by the name that suites have for it.
    Refused(&'static str),
    /// The resource.
    In,
    /// No resource.
    Out,
    /// What introspection says.
    Active(bool),
    /// The token is revoked.
    Done,
    /// Nothing that the model knows.
    Any,
}

impl Right {
    /// Whether an answer is like this.
    pub fn fits(self, seen: &Seen) -> bool {
        match (self, seen) {
            (Right::Any, _) | (Right::Code, Seen::Code(_)) => true,
            (Right::Granted(with), Seen::Granted { refresh, .. }) => {
                with.is_none_or(|with| with == refresh.is_some())
            }
            (Right::Refused(_), Seen::Refused(status, _)) => (400..500).contains(status),
            (Right::In | Right::Done, Seen::Status(status)) => (200..300).contains(status),
            // Salesforce's SOAP API answers 500.
            (Right::Out, Seen::Status(status)) => (400..=500).contains(status),
            (Right::Active(right), Seen::Active(active)) => right == *active,
            // Who is not told anything is not told that it lives.
            (Right::Active(false), Seen::Status(status)) => (400..500).contains(status),
            _ => false,
        }
    }

    /// In words.
    pub fn words(self) -> String {
        match self {
            Right::Code => "a code that was not there before".into(),
            Right::Granted(None) => "tokens that were not there before".into(),
            Right::Granted(Some(true)) => {
                "an access token and a refresh token that were not there before".into()
            }
            Right::Granted(Some(false)) => {
                "an access token that was not there before, and no refresh token".into()
            }
            Right::Refused(name) => format!("a refusal ({name})"),
            Right::In => "the resource".into(),
            Right::Out => "no resource: the access token is dead".into(),
            Right::Active(active) => format!("active: {active}"),
            Right::Done => "a revocation".into(),
            Right::Any => "anything".into(),
        }
    }
}
