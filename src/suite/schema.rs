//! JSON Schemas (draft 2020-12) out of shapes, for editors.

use serde_json::{Map, Value, json};

use super::shape::{Key, Record, Shape, Variant};

/// The JSON Schema of a shape.
///
/// `rows` says whether `${row.NAME}` may stand for a value of any kind, as it may in suites.
pub fn schema(title: &str, shape: &Shape, rows: bool) -> Value {
    let mut writer = Writer { rows, definitions: Map::new() };
    let body = writer.plain(shape);
    let mut root = Map::new();
    root.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    root.insert("title".into(), title.into());
    if let Value::Object(body) = body {
        root.extend(body);
    }
    if rows {
        writer.definitions.insert("row".into(), json!({ "type": "string", "pattern": ROW }));
    }
    if !writer.definitions.is_empty() {
        root.insert("$defs".into(), Value::Object(writer.definitions));
    }
    Value::Object(root)
}

const ROW: &str = r"\$\{row\.[^}]+\}";

struct Writer {
    rows: bool,
    definitions: Map<String, Value>,
}

impl Writer {
    fn schema(&mut self, shape: &Shape) -> Value {
        let plain = self.plain(shape);
        if self.rows && !takes_text(shape) {
            return or(vec![plain, json!({ "$ref": "#/$defs/row" })]);
        }
        plain
    }

    fn plain(&mut self, shape: &Shape) -> Value {
        match shape {
            Shape::Any => json!({}),
            Shape::Scalar => json!({ "type": ["string", "number", "boolean", "null"] }),
            Shape::Text => json!({ "type": ["string", "number", "boolean"] }),
            Shape::Name => json!({ "type": ["string", "number", "boolean"], "pattern": "\\S" }),
            Shape::Flag => json!({ "type": "boolean" }),
            Shape::Count => json!({ "type": "integer", "minimum": 0 }),
            Shape::Form(form) => (form.schema)(),
            Shape::Words(_, words) => {
                // A word that looks like a number is a number to a YAML reader.
                let number = |word: &str| word.parse::<i64>().ok().map(Value::from);
                let words: Vec<Value> =
                    words.iter().flat_map(|w| std::iter::once(Value::from(*w)).chain(number(w))).collect();
                json!({ "enum": words })
            }
            Shape::List(item, never) => {
                let items = if is_record(item) { self.plain(item) } else { self.schema(item) };
                let mut list = json!({ "type": "array", "items": items });
                if never.is_some() {
                    list["minItems"] = 1.into();
                }
                list
            }
            Shape::Map(form, value, never) => {
                let mut map = json!({ "type": "object", "additionalProperties": self.schema(value) });
                if let Some(form) = form {
                    let names = (form.schema)();
                    map["propertyNames"] =
                        if self.rows { or(vec![names, json!({ "$ref": "#/$defs/row" })]) } else { names };
                }
                if never.is_some() {
                    map["minProperties"] = 1.into();
                }
                map
            }
            Shape::Record(record) => self.record(record, None),
            Shape::Either(either) => {
                let shapes = [&either.scalar, &either.list, &either.map];
                or(shapes.into_iter().flatten().map(|shape| self.plain(shape)).collect())
            }
            Shape::Step(variants) => self.step(variants),
            Shape::Named(name, shape) => {
                if !self.definitions.contains_key(*name) {
                    let definition = self.plain(shape);
                    self.definitions.insert((*name).into(), definition);
                }
                json!({ "$ref": format!("#/$defs/{name}") })
            }
            Shape::Elsewhere(shape) => self.plain(shape),
        }
    }

    fn record(&mut self, record: &Record, word: Option<(&str, &str)>) -> Value {
        let mut properties = Map::new();
        for key in &record.keys {
            let mut property = match word.filter(|_| key.name == "do") {
                Some((word, doc)) => json!({ "const": word, "description": doc }),
                None => self.schema(&key.shape),
            };
            if let Value::Object(members) = &mut property {
                members.entry("description").or_insert(key.doc.into());
            }
            properties.insert(key.name.into(), property);
        }
        let required: Vec<&str> = record.keys.iter().filter(|key| key.required).map(name).collect();
        let mut out = json!({ "type": "object", "additionalProperties": false });
        if !required.is_empty() {
            out["required"] = json!(required);
        }
        if record.never.is_some() {
            out["minProperties"] = 1.into();
        }
        out["properties"] = Value::Object(properties);
        if !record.rules.is_empty() {
            out["allOf"] = Value::Array(record.rules.clone());
        }
        if self.rows {
            // A row may give a name as well.
            out["patternProperties"] = json!({ ROW: {} });
        }
        out
    }

    fn step(&mut self, variants: &[Variant]) -> Value {
        let words: Vec<&str> = variants.iter().map(|v| v.name).collect();
        let branches: Vec<Value> = variants
            .iter()
            .map(|variant| {
                json!({
                    "if": { "properties": { "do": { "const": variant.name } }, "required": ["do"] },
                    "then": self.record(&variant.record, Some((variant.name, variant.doc)))
                })
            })
            .collect();
        let word = if self.rows {
            or(vec![json!({ "enum": words }), json!({ "$ref": "#/$defs/row" })])
        } else {
            json!({ "enum": words })
        };
        json!({ "type": "object", "required": ["do"], "properties": { "do": word }, "allOf": branches })
    }
}

/// Whether any text is right there, `${row.NAME}` among them.
fn takes_text(shape: &Shape) -> bool {
    match shape {
        Shape::Any | Shape::Scalar | Shape::Text | Shape::Name => true,
        Shape::Named(_, shape) => takes_text(shape),
        Shape::Elsewhere(shape) => takes_text(shape),
        Shape::Either(either) => either.scalar.as_ref().is_some_and(takes_text),
        _ => false,
    }
}

/// Whether it is a thing of its own, which no row stands for.
fn is_record(shape: &Shape) -> bool {
    match shape {
        Shape::Record(_) | Shape::Step(_) => true,
        Shape::Named(_, shape) => is_record(shape),
        _ => false,
    }
}

fn name(key: &Key) -> &'static str {
    key.name
}

/// One of these; those that are alternatives themselves are taken apart.
fn or(branches: Vec<Value>) -> Value {
    let mut all: Vec<Value> = Vec::new();
    for branch in branches {
        let inner = match &branch {
            Value::Object(members) if members.len() == 1 => members.get("anyOf").and_then(Value::as_array),
            _ => None,
        };
        for one in inner.cloned().unwrap_or_else(|| vec![branch.clone()]) {
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    if all.len() == 1 { all.remove(0) } else { json!({ "anyOf": all }) }
}
