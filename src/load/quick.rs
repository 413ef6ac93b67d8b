//! The short way of judging an answer that is as it should be. It says yes only where the judge of a run would find
//! nothing; about everything else it says nothing, and the judge is asked.

use serde::Deserializer;
use serde::de::{Deserialize, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::borrow::Cow;

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
    /// Members of the body that have to be read.
    reads: Vec<String>,
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
        let mut reads: Vec<String> = match own {
            Own::Granted => vec!["access_token".to_owned()],
            Own::Active => vec!["active".to_owned()],
            Own::Good => Vec::new(),
        };
        let Some(expect) = &step.expect else {
            return Some(Self { own, items: Vec::new(), reads });
        };
        let simple = expect.counts.is_empty()
            && expect.others.is_empty()
            && expect.items.iter().all(|item| is_simple(&item.kind))
            && !step.expect.as_ref().is_some_and(crate::suite::Expect::is_refusal);
        if !simple {
            return None;
        }
        let items: Vec<ItemKind> = expect.items.iter().map(|item| item.kind.clone()).collect();
        reads.extend(items.iter().filter_map(|kind| match kind {
            ItemKind::Body(path, _) => Some(path.clone()),
            _ => None,
        }));
        // More than the judge asks where an expectation speaks of the status: whoever misses it is looked at by the judge.
        Some(Self { own, items, reads })
    }

    /// Reads what is needed of the body: a JSON object with those of its members that are asked for.
    pub fn read(&self, raw: &Raw) -> Option<Value> {
        if self.reads.is_empty() {
            return None;
        }
        let mut reader = serde_json::Deserializer::from_slice(&raw.body);
        let members = Wanted(&self.reads).deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        Some(members)
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

/// Reads some members of an object and passes over the others. As everywhere, the last of several of one name counts.
struct Wanted<'w>(&'w [String]);

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::with_capacity(self.0.len());
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if self.0.iter().any(|wanted| *wanted == name) {
                members.insert(name.into_owned(), map.next_value()?);
            } else {
                map.next_value::<Passed>()?;
            }
        }
        Ok(Value::Object(members))
    }
}

/// A value that is read and not kept. It is read as strictly as one that is: what would be no JSON there is none here.
struct Passed;

impl<'de> Deserialize<'de> for Passed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Passed)
    }
}

impl<'de> Visitor<'de> for Passed {
    type Value = Passed;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Passed>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Cow<'de, str>, Passed>()?.is_some() {}
        Ok(self)
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
            let values = raw.headers.get_all(name).iter().map(|value| value.to_str());
            // What is no plain text is the judge's to look at.
            let Ok(values) = values.collect::<Result<Vec<_>, _>>() else { return false };
            let value = (!values.is_empty()).then(|| Value::from(values.join(", ")));
            is_like(matcher, value.as_ref(), name.eq_ignore_ascii_case("content-type"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_json_there_is_none_here() {
        let quick = |body: &str| {
            let raw = Raw { status: 200, headers: http::HeaderMap::new(), body: body.to_owned().into() };
            let wanted = Quick { own: Own::Granted, items: Vec::new(), reads: vec!["access_token".into()] };
            wanted.holds(&raw, wanted.read(&raw).as_ref(), 0)
        };
        assert!(quick(r#"{"a":[1,{"b":null,"c":1.5e3}],"access_token":"A","d":true}"#));
        assert!(quick(r#" {"access_token":7,"access_token":"\u00e9"} "#));
        for not in [
            r#"{"access_token":"A","a":1e999}"#,
            r#"{"access_token":"A"} x"#,
            r#"{"access_token":"A","a":tru}"#,
            r#"{"access_token":"A","access_token":null}"#,
            r#"[{"access_token":"A"}]"#,
            r#"{"access_token":"A""#,
            "",
        ] {
            assert!(!quick(not), "{not}");
        }
    }

    proptest! {
        #[test]
        fn members_are_those_of_the_whole(body in "[\\[\\]{}:,\"a0.e1 -]{0,24}", wraps in any::<bool>()) {
            let body = if wraps { format!("{{\"a\":{body},\"b\":1}}") } else { body };
            let raw = Raw { status: 200, headers: http::HeaderMap::new(), body: body.clone().into() };
            let quick = Quick { own: Own::Good, items: Vec::new(), reads: vec!["a".into(), "b".into()] };
            let whole = serde_json::from_str::<Value>(&body).ok().filter(Value::is_object);
            let read = quick.read(&raw);
            prop_assert_eq!(read.is_some(), whole.is_some());
            for name in ["a", "b"] {
                prop_assert_eq!(read.as_ref().and_then(|r| r.get(name)), whole.as_ref().and_then(|w| w.get(name)));
            }
        }
    }
}
