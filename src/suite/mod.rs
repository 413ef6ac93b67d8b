//! What authors write: suites and targets. A file becomes a tree with spans, the tree is checked against
//! a shape, and what is right becomes plain data; what is wrong becomes diagnostics, all of them at once.

mod expect;
mod expand;
pub mod init;
mod parse;
mod resolve;
mod shape;
mod target;
mod template;
mod tweak;
mod words;

pub use expect::{Count, CountOf, Expect, Item, ItemKind, JsonType, Matcher, ScopeMatch, TokenName};
pub use resolve::resolve;
pub use target::{Lookup, default_profile, read_target};
pub use template::{Template, Unknown};
pub use tweak::{BodyForm, Edit, Encoding, Place, SignatureForm, Tweak, TweakValue};
pub use words::CAPABILITIES;

use serde_json::Value;

use crate::diagnostic::{Diagnostic, Span, Text};
use crate::oauth::Endpoint;
use crate::subject::{ClientAuth, Flow, Settings};

/// A suite: scenarios that judge an org.
#[derive(Clone, Debug)]
pub struct Suite {
    /// Path-like id, `org/jwt-bearer`.
    pub id: String,
    /// What the author calls it.
    pub title: String,
    /// The file.
    pub text: Text,
    /// Its scenarios, rows of data already expanded.
    pub scenarios: Vec<Scenario>,
}

/// One play with its expectations.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// A sentence that says what holds.
    pub name: String,
    /// The file.
    pub text: Text,
    /// Where its name stands.
    pub span: Span,
    /// Role of the app, where a step does not say.
    pub app: String,
    /// Role of the user, where a step does not say.
    pub user: String,
    /// Tags; `destructive` is one of them.
    pub tags: Vec<String>,
    /// What the target must have.
    pub needs: Vec<Need>,
    /// What the server must be set up for; the embedded org is.
    pub settings: Settings,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What is done afterwards, whatever came.
    pub cleanup: Vec<Step>,
    /// Checks, or families that end in `/`, that must have evidence here.
    pub checks: Vec<String>,
    /// Checks that this scenario is let off, with the reason.
    pub waive: Vec<(String, String)>,
}

/// Something that a target must have for a scenario to be testable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// The app lists this flow.
    Flow(Flow),
    /// The app does not list this flow: it must be refused.
    Unlisted(Flow),
    /// The target can do this; [`CAPABILITIES`] has the names.
    Capability(String),
    /// The target has an app of this role.
    App(String),
    /// The target has a user of this role.
    User(String),
    /// Another scenario of the suite passed.
    Scenario(String),
}

/// One thing that is done.
#[derive(Clone, Debug)]
pub struct Step {
    /// What.
    pub action: Action,
    /// Where its `do:` stands.
    pub span: Span,
    /// Its name, for `control:`.
    pub label: Option<String>,
    /// Role of the app, if another than the scenario's.
    pub app: Option<String>,
    /// Role of the user, if another than the scenario's.
    pub user: Option<String>,
    /// How the client authenticates, if otherwise than the app's way.
    pub client_auth: Option<ClientAuth>,
    /// How the request differs from a well-formed one.
    pub tweak: Tweak,
    /// How often it is done.
    pub times: u32,
    /// Whether all repetitions are released together.
    pub at_once: bool,
    /// What is kept of the answer, by name.
    pub capture: Vec<Capture>,
    /// What must come of it; none means its own success.
    pub expect: Option<Expect>,
    /// What proves that a refusal is one.
    pub control: Option<Control>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Sends the user agent to the authorization endpoint and through the pages to the callback.
    Authorize(Authorize),
    /// Redeems the code.
    Redeem,
    /// JWT bearer grant.
    JwtBearer,
    /// SAML bearer grant.
    SamlBearer,
    /// Client credentials grant.
    ClientCredentials,
    /// Refresh token grant.
    Refresh,
    /// Asks the introspection endpoint about a token.
    Introspect(TokenUse),
    /// Revokes a token.
    Revoke(TokenUse),
    /// Calls the userinfo endpoint.
    Userinfo(TokenUse),
    /// Calls Salesforce's identity URL.
    Identity(TokenUse),
    /// Fetches a discovery document.
    Discover {
        /// RFC 8414's instead of OpenID Connect's.
        oauth: bool,
    },
    /// Fetches the JSON Web Key Set.
    Keys,
    /// Calls the protected resource.
    Call(Call),
    /// Calls Salesforce's SOAP API with the access token as session id.
    Soap(TokenUse),
    /// Lets time go by, in milliseconds.
    Advance(i64),
}

/// How an authorization is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Authorize {
    /// Requested scope values; none means all of the app's.
    pub scope: Option<Vec<String>>,
    /// PKCE method; none means no challenge.
    pub pkce: Option<crate::oauth::pkce::Method>,
    /// Sent as `state` instead of a random one.
    pub state: Option<Template>,
    /// Whether a nonce is sent.
    pub nonce: bool,
    /// Sent as they are.
    pub extra: Vec<(&'static str, String)>,
    /// Whether the user says no.
    pub deny: bool,
    /// Whether pages are passed; if not, the first answer is the last.
    pub follow: bool,
}

/// Which token a step is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenUse {
    /// The token; none means the last access token.
    pub token: Option<Template>,
    /// `token_type_hint`.
    pub hint: Option<String>,
    /// HTTP method, where it is not the usual one.
    pub method: Option<String>,
}

/// A call of a resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// Which token; none means the last access token.
    pub token: Option<Template>,
    /// Whether no token is sent at all.
    pub anonymous: bool,
    /// HTTP method.
    pub method: Option<String>,
    /// Path on the target's host; none means the target's `api`.
    pub path: Option<Template>,
    /// JSON body.
    pub json: Option<Value>,
}

/// What is kept of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    /// Under which name.
    pub name: String,
    /// From where.
    pub from: Source,
}

/// Where in an answer a value stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A member of the JSON body, or a JSONPath.
    Body(String),
    /// A header field.
    Header(String),
    /// A parameter of the redirect to the client.
    Redirect(String),
}

/// What proves that a refusal is one.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// An earlier step of the same scenario, by position.
    Step(usize),
    /// A scenario of the same suite, by name.
    Scenario(String),
    /// The same play with another app, user or client authentication.
    Otherwise {
        /// Role of the app.
        app: Option<String>,
        /// Role of the user.
        user: Option<String>,
        /// Client authentication.
        client_auth: Option<ClientAuth>,
    },
}

impl Action {
    /// The word after `do:`.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Authorize(_) => "authorize",
            Action::Redeem => "redeem",
            Action::JwtBearer => "jwt-bearer",
            Action::SamlBearer => "saml-bearer",
            Action::ClientCredentials => "client-credentials",
            Action::Refresh => "refresh",
            Action::Introspect(_) => "introspect",
            Action::Revoke(_) => "revoke",
            Action::Userinfo(_) => "userinfo",
            Action::Identity(_) => "identity",
            Action::Discover { .. } => "discover",
            Action::Keys => "keys",
            Action::Call(_) => "call",
            Action::Soap(_) => "soap",
            Action::Advance(_) => "advance",
        }
    }

    /// The kind of endpoint that it asks; none where it asks nobody.
    pub fn endpoint(&self) -> Option<Endpoint> {
        words::endpoint(self.name())
    }

    /// The flow that it belongs to.
    pub fn flow(&self) -> Option<Flow> {
        match self {
            Action::Authorize(_) | Action::Redeem => Some(Flow::WebServer),
            Action::JwtBearer => Some(Flow::JwtBearer),
            Action::SamlBearer => Some(Flow::SamlBearer),
            Action::ClientCredentials => Some(Flow::ClientCredentials),
            Action::Refresh => Some(Flow::RefreshToken),
            _ => None,
        }
    }
}

/// Reads a suite.
///
/// # Errors
/// Every problem of the file.
pub fn read_suite(text: &Text, id: &str) -> Result<Suite, Vec<Diagnostic>> {
    let node = parse::parse(text)?;
    resolve(text, id, &node)
}

/// The JSON Schema of a kind of file, `suite` or `target`.
pub fn schema(kind: &str) -> Option<Value> {
    match kind {
        "suite" => Some(shape::schema("grantcheck suite", &words::SUITE)),
        "target" => Some(shape::schema("grantcheck target", &target::TARGET)),
        _ => None,
    }
}

/// The words of the language, for the documentation: steps, outcomes, names of tweaks.
pub fn vocabulary() -> String {
    words::markdown()
}
