//! Whether a value is as a suite has it.

use serde_json::Value;

use crate::suite::{JsonType, Matcher};

/// Tells the value of a name in `${...}`.
type Fill<'f> = &'f dyn Fn(&str) -> Option<String>;

/// How values are compared.
pub(super) struct Comparing<'f> {
    pub(super) fill: Fill<'f>,
    /// Whether letter case says nothing.
    pub(super) any_case: bool,
}

impl Comparing<'_> {
    /// Whether a value is like that.
    pub(super) fn holds(&self, matcher: &Matcher, value: Option<&Value>) -> bool {
        let fold = |text: String| if self.any_case { text.to_ascii_lowercase() } else { text };
        let text = |value: &Value| fold(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let same = |wanted: &Value, value: &Value| {
            same(wanted, value) || self.any_case && text(wanted) == text(value)
        };
        match (matcher, value) {
            (Matcher::Absent, value) => value.is_none(),
            (Matcher::Present, value) => value.is_some(),
            // What is not there is not another value either.
            (Matcher::Not(inner), value) => value.is_some() && !self.holds(inner, value),
            (Matcher::All(all), value) => all.iter().all(|matcher| self.holds(matcher, value)),
            (_, None) => false,
            (Matcher::EqualsText(template), Some(value)) => template
                .fill(self.fill)
                .is_ok_and(|wanted| value.as_str().is_some_and(|told| fold(told.to_owned()) == fold(wanted))),
            (Matcher::Equals(wanted), Some(value)) => same(wanted, value),
            (Matcher::OneOf(list), Some(value)) => list.iter().any(|wanted| same(wanted, value)),
            (Matcher::Matches(regex), Some(value)) => {
                // An expression says itself what letter case is to it.
                regex.is_match(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            }
            (Matcher::Contains(part), Some(value)) => {
                let Ok(part) = part.fill(self.fill).map(fold) else { return false };
                match value {
                    Value::Array(list) => list.iter().any(|item| text(item) == part),
                    value => text(value).contains(&part),
                }
            }
            (Matcher::Type(kind), Some(value)) => has_type(*kind, value),
        }
    }
}

/// What a value must be, in words.
pub(super) fn words(fill: Fill<'_>, matcher: &Matcher) -> String {
    let list = |list: &[Value]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    match matcher {
        Matcher::Absent => "absent".into(),
        Matcher::Present => "present".into(),
        Matcher::EqualsText(template) => template
            .fill(fill)
            .map_or_else(|u| format!("equal to ${{{}}}, which has no value", u.0), |t| format!("{t:?}")),
        Matcher::Equals(value) => value.to_string(),
        Matcher::OneOf(values) => list(values),
        Matcher::Matches(regex) => format!("matching {}", regex.as_str()),
        Matcher::Contains(part) => {
            part.fill(fill).map_or_else(|u| format!("holding ${{{}}}", u.0), |t| format!("holding {t:?}"))
        }
        Matcher::Type(kind) => format!("of type {}", format!("{kind:?}").to_lowercase()),
        Matcher::Not(inner) => format!("not {}", words(fill, inner)),
        Matcher::All(all) => all.iter().map(|m| words(fill, m)).collect::<Vec<_>>().join(" and "),
    }
}

/// A member by name, or the first node of a JSONPath.
pub(super) fn member(json: Option<&Value>, path: &str) -> Option<Value> {
    let json = json?;
    if path.starts_with('$') {
        let path = serde_json_path::JsonPath::parse(path).ok()?;
        return path.query(json).first().cloned();
    }
    json.get(path).cloned()
}

fn same(wanted: &Value, value: &Value) -> bool {
    match (wanted, value) {
        // A suite writes numbers and flags bare; servers write some of them as texts, headers always.
        (Value::Number(number), Value::String(text)) => number.to_string() == *text,
        (Value::Bool(flag), Value::String(text)) => text == if *flag { "true" } else { "false" },
        // JSON has one kind of number: 3600.0 is 3600.
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => a.as_f64() == b.as_f64(),
        _ => wanted == value,
    }
}

fn has_type(kind: JsonType, value: &Value) -> bool {
    match kind {
        JsonType::String => value.is_string(),
        JsonType::Number => value.is_number(),
        JsonType::Integer => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        JsonType::Boolean => value.is_boolean(),
        JsonType::Object => value.is_object(),
        JsonType::Array => value.is_array(),
        JsonType::Null => value.is_null(),
    }
}
