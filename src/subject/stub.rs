//! What a suite has a server of its own answer, as plain data.

use serde_json::Value;

use crate::diagnostic::Span;

/// Header fields that a server writes as the connection needs them: another value would break it.
pub const OF_THE_CONNECTION: [&str; 4] = ["connection", "content-length", "date", "transfer-encoding"];

/// The server that a suite declares under `stubs:`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stubs {
    /// Whether nothing stands behind it: what no stub answers is 404, where otherwise the embedded org answers.
    pub alone: bool,
    /// What it answers; the first that fits does.
    pub answers: Vec<Stub>,
}

/// One canned answer, and which requests it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Stub {
    /// The method, where it must be that one.
    pub method: Option<String>,
    /// The path; a `*` at its end stands for any rest.
    pub path: String,
    /// Parameters of the form or the query, by name.
    pub params: Vec<(String, Wanted)>,
    /// Header fields, by name.
    pub headers: Vec<(String, Wanted)>,
    /// What is answered.
    pub respond: Canned,
    /// How often it answers; afterwards the next one that fits does.
    pub at_most: Option<u32>,
    /// How often it must have answered when the scenario is over.
    pub called: Option<Called>,
}

/// What must be said of a parameter or a header field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One of its values is this one.
    Is(String),
    /// It is there.
    Present,
    /// It is not there.
    Absent,
}

/// An answer that is written out; its texts may hold `${request.NAME}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Canned {
    /// HTTP status.
    pub status: u16,
    /// Header fields in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// How long it takes, in milliseconds.
    pub delay_ms: u64,
}

/// The body of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Body {
    /// None.
    #[default]
    Empty,
    /// A text.
    Text(String),
    /// A JSON value.
    Json(Value),
}

/// How often something must have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Called {
    /// Where the suite says so.
    pub span: Span,
    /// At least so often.
    pub at_least: u32,
    /// At most so often; none means without bound.
    pub at_most: Option<u32>,
}

impl Stub {
    /// It in a few words: method and path.
    pub fn name(&self) -> String {
        format!("{} {}", self.method.as_deref().unwrap_or("any method"), self.path)
    }
}

impl Wanted {
    /// Whether it holds of these values.
    pub fn fits<'v>(&self, mut values: impl Iterator<Item = &'v str>) -> bool {
        match self {
            Wanted::Is(wanted) => values.any(|value| value == wanted),
            Wanted::Present => values.next().is_some(),
            Wanted::Absent => values.next().is_none(),
        }
    }
}

impl Called {
    /// Whether that often is right.
    pub fn fits(&self, times: u64) -> bool {
        times >= u64::from(self.at_least) && self.at_most.is_none_or(|most| times <= u64::from(most))
    }

    /// What is expected, in words.
    pub fn words(&self) -> String {
        match (self.at_least, self.at_most) {
            (least, Some(most)) if least == most => format!("exactly {least}"),
            (0, Some(most)) => format!("at most {most}"),
            (least, Some(most)) => format!("{least} to {most}"),
            (least, None) => format!("at least {least}"),
        }
    }
}
