//! What is said of one step, whoever played it: a run, or a user under load.

use super::expectation::{Judge, succeeded};
use super::matching::{Comparing, member};
use crate::client::{Action, Session};
use crate::oauth::Endpoint;
use crate::oauth::salesforce::Profile;
use crate::subject::Subject;
use crate::suite::{Capture, Matcher, Scenario, Source, Step};
use crate::transcript::{Exchange, Response};
use crate::verdict::Finding;
use serde_json::Value;

/// What the expectations of a scenario are judged with.
pub struct Judging<'j> {
    /// The scenario.
    pub scenario: &'j Scenario,
    /// How outcomes are spoken of.
    pub profile: Profile,
    /// What is known of the party under test.
    pub subject: &'j Subject,
}

impl Judging<'_> {
    /// Judges the answers to a step against its expectations; all that does not hold is told. `record` is what was
    /// exchanged in the play so far, the answers included; `value` tells the values of names in the suite's text.
    pub fn step(
        &self,
        step: &Step,
        record: &[Exchange],
        answers: &[&Exchange],
        value: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<Finding> {
        let published = |x: &&Exchange| x.endpoint == Endpoint::Keys;
        let keys = record.iter().rev().find(published).and_then(|x| x.response()?.json().cloned());
        let judge = Judge {
            profile: self.profile,
            text: &self.scenario.text,
            value,
            keys: keys.as_ref(),
            action: &step.action,
            subject: self.subject,
            record,
            truncated: step.tweak.body == Some(crate::client::BodyForm::Truncated),
        };
        judge.judge(step.expect.as_ref(), step.span, answers)
    }
}

/// Whether a step came to its own success.
pub fn comes_to_success(action: &Action, x: &Exchange) -> bool {
    succeeded(action, x)
}

/// Whether a value is as a suite has it; no name in its text has a value.
pub fn is_like(matcher: &Matcher, value: Option<&Value>, any_case: bool) -> bool {
    Comparing { fill: &|_| None, any_case }.holds(matcher, value)
}

/// Keeps what a step asks to keep; what is not there keeps nothing, and the step that needs it says so.
pub fn keep(session: &mut Session, captures: &[Capture], response: Option<&Response>) {
    for capture in captures {
        let value = match &capture.from {
            Source::Body(path) => {
                let text = |v: Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
                response.and_then(|response| member(response.json(), path)).map(text)
            }
            Source::Header(name) => response.and_then(|response| response.header(name)).map(str::to_owned),
            Source::Redirect(name) => {
                let redirect = response.and_then(Response::redirect);
                redirect.and_then(|(_, params)| params.get(name).map(str::to_owned))
            }
            Source::Name(name) => session.value(name),
        };
        // What an answer did not bring stays what an earlier one brought: the latest of several tries.
        if let Some(value) = value {
            session.captured.insert(capture.name.clone(), value);
        }
    }
}
