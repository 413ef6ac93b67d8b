//! The short way of judging an answer that is as it should be. It says yes only where the judge of a run would find
//! nothing; about everything else it says nothing, and the judge is asked.

use serde::Deserializer;
use serde::de::{Deserialize, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
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
    /// Members of the body that have to be read, each once.
    reads: Vec<Wanted>,
}

/// A member of a body that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    name: String,
    /// Whether an expectation looks at its value; else its kind is enough.
    keeps: bool,
}

/// What was read of the members that are asked for, in their order; none where the member is not there.
#[derive(Debug)]
pub struct Members(Vec<Option<Seen>>);

/// A value as far as it matters.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Text,
    True,
    Other,
    Kept(Value),
}

impl Seen {
    fn is_text(&self) -> bool {
        matches!(self, Seen::Text | Seen::Kept(Value::String(_)))
    }

    fn is_true(&self) -> bool {
        matches!(self, Seen::True | Seen::Kept(Value::Bool(true)))
    }
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
        let kind = |name: &str| vec![Wanted { name: name.to_owned(), keeps: false }];
        let mut reads = match own {
            Own::Granted => kind("access_token"),
            Own::Active => kind("active"),
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
        for item in &items {
            let ItemKind::Body(path, _) = item else { continue };
            match reads.iter_mut().find(|wanted| wanted.name == *path) {
                Some(wanted) => wanted.keeps = true,
                None => reads.push(Wanted { name: path.clone(), keeps: true }),
            }
        }
        // More than the judge asks where an expectation speaks of the status: whoever misses it is looked at by the judge.
        Some(Self { own, items, reads })
    }

    /// Reads what is needed of the body: a JSON object with those of its members that are asked for.
    pub fn read(&self, raw: &Raw) -> Option<Members> {
        if self.reads.is_empty() {
            return None;
        }
        let mut reader = serde_json::Deserializer::from_slice(&raw.body);
        let members = Reading(&self.reads).deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        Some(members)
    }

    /// Whether the judge would find nothing. `took` is in microseconds.
    pub fn holds(&self, raw: &Raw, members: Option<&Members>, took: u64) -> bool {
        // The member of its own is the first that is asked for.
        let first = || members.and_then(|members| members.0.first()?.as_ref());
        let own = match self.own {
            Own::Good => (200..300).contains(&raw.status),
            Own::Granted => raw.status == 200 && first().is_some_and(Seen::is_text),
            Own::Active => raw.status == 200 && first().is_some_and(Seen::is_true),
        };
        own && self.items.iter().all(|kind| self.has(kind, raw, members, took))
    }

    fn has(&self, kind: &ItemKind, raw: &Raw, members: Option<&Members>, took: u64) -> bool {
        match kind {
            ItemKind::Status(statuses, classes) => {
                statuses.contains(&raw.status) || classes.contains(&(raw.status / 100))
            }
            ItemKind::Within(limit) => i64::try_from(took / 1000).is_ok_and(|took| took <= *limit),
            // A body that is not read as JSON is the judge's to look at.
            ItemKind::Body(path, matcher) => {
                members.is_some_and(|members| is_like(matcher, self.value(members, path), false))
            }
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

    /// The value of a member that an expectation looks at.
    fn value<'m>(&self, members: &'m Members, name: &str) -> Option<&'m Value> {
        let at = self.reads.iter().position(|wanted| wanted.name == name)?;
        match members.0.get(at)? {
            Some(Seen::Kept(value)) => Some(value),
            _ => None,
        }
    }
}

/// Reads some members of an object and passes over the others. As everywhere, the last of several of one name counts.
struct Reading<'w>(&'w [Wanted]);

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Members;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Members, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Members;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = vec![None; self.0.len()];
        while let Some(at) = map.next_key_seed(Name(self.0))? {
            match at.map(|at| (&self.0[at], &mut members[at])) {
                Some((wanted, member)) if wanted.keeps => *member = Some(Seen::Kept(map.next_value()?)),
                Some((_, member)) => *member = Some(map.next_value()?),
                None => {
                    map.next_value::<Seen>()?;
                }
            }
        }
        Ok(Members(members))
    }
}

/// The name of a member: which of those that are asked for it is, if any.
struct Name<'w>(&'w [Wanted]);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|wanted| wanted.name == name))
    }
}

/// A value is read and not kept, as strictly as one that is: what would be no JSON there is none here.
impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Seen::Other)
    }
}

impl<'de> Visitor<'de> for Seen {
    type Value = Seen;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, is_true: bool) -> Result<Self, E> {
        Ok(if is_true { Seen::True } else { Seen::Other })
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(Seen::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(Seen::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(Seen::Other)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(Seen::Text)
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(Seen::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Seen>()?.is_some() {}
        Ok(Seen::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Seen, Seen>()?.is_some() {}
        Ok(Seen::Other)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_json_there_is_none_here() {
        let quick = |body: &str| {
            let raw = Raw { status: 200, headers: http::HeaderMap::new(), body: body.to_owned().into() };
            let token = Wanted { name: "access_token".into(), keeps: false };
            let wanted = Quick { own: Own::Granted, items: Vec::new(), reads: vec![token] };
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
            let wanted = |name: &str| Wanted { name: name.into(), keeps: true };
            let quick = Quick { own: Own::Good, items: Vec::new(), reads: vec![wanted("a"), wanted("b")] };
            let whole = serde_json::from_str::<Value>(&body).ok().filter(Value::is_object);
            let read = quick.read(&raw);
            prop_assert_eq!(read.is_some(), whole.is_some());
            for name in ["a", "b"] {
                let value = read.as_ref().and_then(|members| quick.value(members, name));
                prop_assert_eq!(value, whole.as_ref().and_then(|whole| whole.get(name)));
            }
        }
    }
}
