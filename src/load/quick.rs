//! The short way of judging an answer that is as it should be. It says yes only where the judge of a run would find
//! nothing; about everything else it says nothing, and the judge is asked.

use serde_json::Value;

use crate::client::Action;
use crate::oauth::Endpoint;
use crate::run::judging::is_like;
use crate::suite::{ItemKind, Matcher, Step};
use crate::wire::line::Raw;

/// What an answer must be like for the short way.
#[derive(Debug)]
pub struct Quick {
    own: Own,
    items: Vec<ItemKind>,
    /// Whether the body has to be read.
    reads: bool,
}

/// The own success of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    Granted,
    Active,
    Good,
}

impl Quick {
    /// The short way of a step; none where every answer needs the judge.
    pub fn of(step: &Step) -> Option<Self> {
        let own = match (&step.action, step.action.endpoint()?) {
            (Action::Authorize(_) | Action::Advance(_), _) => return None,
            (Action::Introspect(_), _) => Own::Active,
            (_, Endpoint::Token) => Own::Granted,
            _ => Own::Good,
        };
        let granting = own == Own::Granted;
        let Some(expect) = &step.expect else {
            return Some(Self { own, items: Vec::new(), reads: own != Own::Good });
        };
        let simple = expect.counts.is_empty()
            && expect.others.is_empty()
            && expect.items.iter().all(|item| is_simple(&item.kind))
            && !step.expect.as_ref().is_some_and(crate::suite::Expect::is_refusal);
        if !simple {
            return None;
        }
        let items: Vec<ItemKind> = expect.items.iter().map(|item| item.kind.clone()).collect();
        let reads =
            granting || own == Own::Active || items.iter().any(|kind| matches!(kind, ItemKind::Body(..)));
        // More than the judge asks where an expectation speaks of the status: whoever misses it is looked at by the judge.
        Some(Self { own, items, reads })
    }

    /// Reads the body, where that is needed.
    pub fn read(&self, raw: &Raw) -> Option<Value> {
        if self.reads { serde_json::from_slice(&raw.body).ok() } else { None }
    }

    /// Whether the judge would find nothing. `took` is in microseconds.
    pub fn holds(&self, raw: &Raw, json: Option<&Value>, took: u64) -> bool {
        let own = match self.own {
            Own::Good => (200..300).contains(&raw.status),
            Own::Granted => {
                raw.status == 200
                    && json.and_then(|json| json.get("access_token")).is_some_and(Value::is_string)
            }
            Own::Active => {
                raw.status == 200 && json.and_then(|json| json.get("active")) == Some(&Value::Bool(true))
            }
        };
        own && self.items.iter().all(|kind| holds(kind, raw, json, took))
    }
}

fn is_simple(kind: &ItemKind) -> bool {
    match kind {
        ItemKind::Status(..) | ItemKind::Within(_) => !kind.is_refusal(),
        ItemKind::Body(path, matcher) => !path.starts_with('$') && !kind.is_refusal() && is_plain(matcher),
        ItemKind::Header(_, matcher) => is_plain(matcher),
        _ => false,
    }
}

/// Whether a value alone decides, without names of the suite's text.
fn is_plain(matcher: &Matcher) -> bool {
    match matcher {
        Matcher::EqualsText(text) | Matcher::Contains(text) => text.names().next().is_none(),
        Matcher::Not(inner) => is_plain(inner),
        Matcher::All(all) => all.iter().all(is_plain),
        _ => true,
    }
}

fn holds(kind: &ItemKind, raw: &Raw, json: Option<&Value>, took: u64) -> bool {
    match kind {
        ItemKind::Status(statuses, classes) => {
            statuses.contains(&raw.status) || classes.contains(&(raw.status / 100))
        }
        ItemKind::Within(limit) => i64::try_from(took / 1000).is_ok_and(|took| took <= *limit),
        // A body that is not read as JSON is the judge's to look at.
        ItemKind::Body(path, matcher) => json.is_some_and(|json| is_like(matcher, json.get(path), false)),
        ItemKind::Header(name, matcher) => {
            let values: Vec<_> =
                raw.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
            let value = raw.headers.contains_key(name).then(|| Value::from(values.join(", ")));
            is_like(matcher, value.as_ref(), name.eq_ignore_ascii_case("content-type"))
        }
        _ => false,
    }
}
