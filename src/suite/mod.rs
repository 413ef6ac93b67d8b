//! What authors write: suites, targets and programs. A file becomes a tree with spans, the tree is checked against
//! a shape, and what is right becomes plain data; what is wrong becomes diagnostics, all of them at once.

pub mod client;
mod edits;
mod expand;
mod expect;
mod id_token;
pub mod init;
mod load;
mod names;
mod outside;
mod parse;
mod program;
mod resolve;
mod schema;
mod shape;
mod step;
mod steps;
mod stubs;
mod syntax;
mod target;
pub mod told;
mod tweak;
mod vocabulary;
mod waivers;
mod words;

pub use expect::{Count, CountOf, Expect, Item, ItemKind, JsonType, Matcher, ScopeMatch, TokenName};
pub use outside::Lookup;
pub use program::read_program;
pub use target::read_target;
pub use waivers::{LintWaiver, read_waivers};
pub use words::CAPABILITIES;

use serde_json::Value;

use crate::client::{Action, Tweak};
use crate::diagnostic::{Diagnostic, Span, Text};
use crate::subject::workload::Workload;
use crate::subject::{ClientAuth, Flow, Settings, Stubs};
use std::sync::Arc;

/// A suite: scenarios that judge an org, or client programs.
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
    /// How much of it is played at a time, where it says so.
    pub load: Option<Workload>,
}

/// One play with its expectations.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// A sentence that says what holds.
    pub name: String,
    /// Id of its suite.
    pub suite: String,
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
    /// The server that its suite declares, where it does.
    pub stubs: Option<Arc<Stubs>>,
    /// How often it is played in proportion to others, under load.
    pub weight: u32,
    /// What a client program is played for, where the suite judges clients; there are no steps then.
    pub client: Option<Arc<client::Play>>,
}

impl Scenario {
    /// Its name in a transcript.
    pub fn full_name(&self) -> String {
        format!("{} › {}", self.suite, self.name)
    }

    /// The flows that its steps belong to, each with the role of the app that uses it.
    pub fn flows(&self) -> Vec<(&str, crate::subject::Flow)> {
        let told = self.client.iter().map(|play| (self.app.as_str(), play.flow));
        let steps = self.steps.iter();
        let used =
            steps.filter_map(|step| Some((step.app.as_ref().unwrap_or(&self.app), step.action.flow()?)));
        used.map(|(role, flow)| (role.as_str(), flow)).chain(told).collect()
    }

    /// The roles of the apps that its steps use.
    pub fn apps(&self) -> impl Iterator<Item = &str> {
        let own = core::iter::once(self.app.as_str());
        own.chain(self.steps.iter().filter_map(|step| step.app.as_deref()))
    }
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
    /// Whether its requests are released together with those of the step before.
    pub together: bool,
    /// What is kept of the answer, by name.
    pub capture: Vec<Capture>,
    /// What must come of it; none means its own success.
    pub expect: Option<Expect>,
    /// What proves that a refusal is one.
    pub control: Option<Control>,
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
    /// A name that has a value by then, such as the verifier of this authorization.
    Name(String),
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

/// Reads a suite.
///
/// # Errors
/// Every problem of the file.
pub fn read_suite(text: &Text, id: &str) -> Result<Suite, Vec<Diagnostic>> {
    let node = parse::parse(text)?;
    resolve::resolve(text, id, &node)
}

/// Reads what a suite for clients says under `org:`, alone.
///
/// # Errors
/// Every problem of the text.
pub fn read_behaviour(text: &Text) -> Result<crate::subject::Behaviour, Vec<Diagnostic>> {
    let node = parse::parse(text)?;
    // In a suite the shape of the whole tells of it.
    if matches!(node.json(), Value::Array(_) | Value::Null) {
        let problem = Diagnostic::at("wrong-type", text, node.span, "the behaviour of an org is a mapping");
        return Err(vec![problem.help("write `{}` for nothing, or for example `{\"expire\": ...}`")]);
    }
    client::read_behaviour(text, &node)
}

/// What kind of file a text is by its keys: `suite`, `target` or `program`; none where it is none of them.
pub fn kind(text: &Text) -> Option<&'static str> {
    let node = parse::parse(text).ok()?;
    let kinds = [("suite", "suite"), ("scenarios", "suite"), ("org", "target"), ("command", "program")];
    kinds.into_iter().find(|(key, _)| node.get(key).is_some()).map(|(_, kind)| kind)
}

/// Reads a file as the JSON value that its schema judges.
///
/// # Errors
/// It is not YAML, or more than one can say in JSON.
pub fn to_json(text: &Text) -> Result<Value, Vec<Diagnostic>> {
    parse::parse(text).map(|node| node.json())
}

/// The JSON Schema of a kind of file: `suite`, `client-suite`, `target` or `program`.
pub fn schema(kind: &str) -> Option<Value> {
    match kind {
        "suite" => Some(schema::schema("grantcheck suite", &words::SUITE, true)),
        "client-suite" => Some(schema::schema("grantcheck suite for clients", &words::CLIENT_SUITE, true)),
        "target" => Some(schema::schema("grantcheck target", &target::TARGET, false)),
        "program" => Some(schema::schema("grantcheck program", &program::PROGRAM, false)),
        _ => None,
    }
}

/// The words of the language as tables, for the documentation.
pub fn vocabulary() -> String {
    vocabulary::markdown()
}
