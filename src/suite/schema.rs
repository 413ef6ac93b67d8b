//! JSON Schemas (draft 2020-12) out of shapes, for editors. Alternatives of different types are told apart
//! by `if` and `then`, so that an editor points at the slip and not at the whole value.

use serde_json::{Map, Value, json};

use super::shape::{Record, Shape, Variant};

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
    /// The schema of a shape, or of `${row.NAME}` in its place.
    fn schema(&mut self, shape: &Shape) -> Value {
        let plain = self.plain(shape);
        if !self.rows || takes_row(shape) {
            return plain;
        }
        let row = json!({ "$ref": "#/$defs/row" });
        match shape {
            Shape::List(..) | Shape::Map(..) | Shape::Record(_) | Shape::Step(_) => {
                json!({ "if": { "type": "string" }, "then": row, "else": plain })
            }
            _ => json!({ "anyOf": [plain, row] }),
        }
    }

    /// The schema of a shape.
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
                let mut list = json!({ "type": "array", "items": self.schema(item) });
                if never.is_some() {
                    list["minItems"] = 1.into();
                }
                list
            }
            Shape::Map(form, value, never) => {
                let mut map = json!({ "type": "object", "additionalProperties": self.schema(value) });
                if let Some(form) = form {
                    let names = (form.schema)();
                    let row = json!({ "$ref": "#/$defs/row" });
                    map["propertyNames"] = if self.rows { json!({ "anyOf": [names, row] }) } else { names };
                }
                if never.is_some() {
                    map["minProperties"] = 1.into();
                }
                map
            }
            Shape::Record(record) => self.record(record, None),
            Shape::Either(either) => {
                let scalar = match &either.scalar {
                    Some(shape) => Some(self.schema(shape)),
                    None => self.rows.then(|| json!({ "$ref": "#/$defs/row" })),
                };
                let branches = [
                    (&["string", "number", "boolean", "null"][..], scalar),
                    (&["array"], either.list.as_ref().map(|shape| self.plain(shape))),
                    (&["object"], either.map.as_ref().map(|shape| self.plain(shape))),
                ];
                let branches: Vec<_> = branches.into_iter().filter_map(|(t, s)| Some((t, s?))).collect();
                let types: Vec<&str> = branches.iter().flat_map(|(types, _)| *types).copied().collect();
                let branches: Vec<Value> = branches
                    .into_iter()
                    .map(|(types, then)| json!({ "if": { "type": types }, "then": then }))
                    .collect();
                json!({ "type": types, "allOf": branches })
            }
            Shape::Step(variants) => self.step(variants),
            Shape::Named(name, shape) => {
                if !self.definitions.contains_key(name) {
                    let definition = if is_item(shape) { self.plain(shape) } else { self.schema(shape) };
                    self.definitions.insert(name.clone(), definition);
                }
                json!({ "$ref": format!("#/$defs/{name}") })
            }
            Shape::Item(shape) => self.plain(shape),
            Shape::Elsewhere(shape) => self.schema(shape),
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
        let required: Vec<&str> = record.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
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
        let mut word = json!({ "enum": words });
        if self.rows {
            word = json!({ "anyOf": [word, { "$ref": "#/$defs/row" }] });
        }
        json!({ "type": "object", "required": ["do"], "properties": { "do": word }, "allOf": branches })
    }
}

/// Whether the schema of that shape has room for `${row.NAME}` by itself.
fn takes_row(shape: &Shape) -> bool {
    match shape {
        Shape::Any | Shape::Scalar | Shape::Text | Shape::Name | Shape::Either(_) | Shape::Item(_) => true,
        // What they hold was asked.
        Shape::Named(..) | Shape::Elsewhere(_) => true,
        _ => false,
    }
}

fn is_item(shape: &Shape) -> bool {
    matches!(shape, Shape::Item(_))
}
