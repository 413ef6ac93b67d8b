//! The JSON Schema of the report of a load run.

use serde_json::{Map, Value, json};

use super::VERSION;

/// JSON Schema (draft 2020-12) of the JSON report of a load run.
pub fn schema() -> Value {
    let count = || json!({ "type": "integer", "minimum": 0 });
    let number = || json!({ "type": "number", "minimum": 0 });
    let text = || json!({ "type": "string" });
    let texts = || json!({ "type": "array", "items": { "type": "string" } });
    let told = || json!({ "$ref": "#/$defs/percentiles" });
    let list = |of: &str| json!({ "type": "array", "items": { "$ref": format!("#/$defs/{of}") } });
    let word = || json!({ "$ref": "#/$defs/word" });
    let moment = || json!({ "type": "integer", "description": "milliseconds since the epoch" });
    let hdr = || {
        json!({ "type": "string", "contentEncoding": "base64",
            "description": "HDR histogram of microseconds with three digits: V2, compressed with zlib" })
    };
    let mut schema = object(&[
        ("version", json!({ "const": VERSION })),
        ("kind", json!({ "const": "load" })),
        ("tool", text()),
        ("org", json!({ "type": "string", "description": "base URL, or `embedded`" })),
        ("begun", moment()),
        ("duration_ms", number()),
        ("logging_in_ms", number()),
        ("plan", json!({ "type": "string", "description": "what was to be done, in words" })),
        ("run", json!({ "$ref": "#/$defs/run" })),
        ("warm_up_ms", number()),
        ("counted_ms", number()),
        ("verdict", word()),
        (
            "because",
            json!({ "type": "array", "items": { "type": "string" }, "description": "why it is no pass" }),
        ),
        ("interrupted", json!({ "type": "boolean" })),
        ("aborted?", text()),
        ("total", json!({ "$ref": "#/$defs/step" })),
        ("steps", list("step")),
        ("plays", list("play")),
        ("timetable?", object(&[("start_error", told()), ("late", count()), ("dropped", count())])),
        ("connect", told()),
        ("tls", told()),
        (
            "signing?",
            object(&[
                ("took", told()),
                ("waited", told()),
                ("presigned", count()),
                ("presigned_rate", number()),
                ("ran_out", count()),
                ("busy", number()),
            ]),
        ),
        (
            "sessions?",
            object(&[
                ("sessions", count()),
                ("logins", told()),
                ("renewals", told()),
                ("failed_renewals", count()),
                ("refused", count()),
                ("died", count()),
                ("deaths", list("death")),
            ]),
        ),
        (
            "herd?",
            object(&[
                ("callers", count()),
                ("sessions", count()),
                ("renewals", count()),
                ("failed", count()),
                ("took_ms", number()),
            ]),
        ),
        ("thresholds", list("threshold")),
        ("findings", list("found")),
        ("more_findings", count()),
        (
            "catalogue",
            object(&[
                ("sampled", count()),
                ("of", count()),
                ("checks", list("check")),
                ("findings", list("finding")),
            ]),
        ),
        (
            "threads",
            json!({ "type": "array", "items": { "type": "number" }, "description": "percent of a processor" }),
        ),
        ("cpu_us_per_request", number()),
        (
            "limits",
            json!({ "type": "array", "items": { "type": "string" }, "description": "what this program was the limit of" }),
        ),
        (
            "not_testable",
            json!({ "type": "array", "items": { "type": "array", "items": { "type": "string" }, "minItems": 3, "maxItems": 3 },
                "description": "suite, scenario, why" }),
        ),
        ("bugs", count()),
        ("series", list("point")),
    ]);
    let definitions = json!({
        "percentiles": object(&[
            ("count", count()), ("min", number()), ("mean", number()), ("p50", number()), ("p90", number()),
            ("p95", number()), ("p99", number()), ("p999", number()), ("max", number()), ("hdr?", hdr()),
        ]),
        "word": { "enum": ["not_testable", "pass", "note", "waived", "known_deviation", "warn", "inconclusive", "fail"] },
        "run": object(&[
            ("print", json!({ "type": "string", "description": "fingerprint of suites, plan and seed; the parts of one run have the same" })),
            ("began", moment()),
            ("part?", json!({ "oneOf": [
                object(&[("shard", object(&[("index", count()), ("of", json!({ "type": "integer", "minimum": 1 }))]))]),
                object(&[("worker", text())]),
            ] })),
            ("parts?", texts()), ("missing?", texts()), ("thresholds", texts()), ("in_flight", count()),
            ("drops_allowed", json!({ "type": "boolean" })), ("broken?", text()),
            ("unplayed?", texts()), ("idle?", json!({ "type": "boolean" })),
        ]),
        "step": object(&[
            ("step", text()), ("requests", count()), ("rate", number()), ("errors", count()),
            ("fails", count()), ("doubts", count()), ("stopped", count()), ("skipped", count()),
            ("statuses", json!({ "type": "object", "propertyNames": { "pattern": "^[0-9]{1,3}$" }, "additionalProperties": count() })),
            ("latency", told()), ("service", told()), ("first_byte", told()), ("waited_for_renewal", count()), ("wait", told()),
        ]),
        "play": object(&[
            ("scenario", text()), ("pass", count()), ("fail", count()), ("inconclusive", count()), ("rate", number()),
            ("latency", told()),
        ]),
        "death": object(&[("at_ms", number()), ("scenario", text()), ("why", text())]),
        "threshold": object(&[
            ("threshold", text()), ("step", text()), ("observed", text()), ("holds", json!({ "type": "boolean" })),
        ]),
        "at": object(&[
            ("file", text()), ("line", count()), ("column", count()), ("length?", count()), ("text?", text()),
        ]),
        "found": object(&[
            ("step", text()), ("verdict", word()), ("times", count()), ("first_ms", number()), ("expected", text()),
            ("observed", text()), ("at?", json!({ "$ref": "#/$defs/at" })),
        ]),
        "check": object(&[
            ("check", text()), ("verdict", word()), ("scenarios", count()), ("title", text()), ("because?", text()),
        ]),
        "finding": { "description": "as in the report of a run", "type": "object", "required": ["check", "verdict", "expected", "observed"] },
        "point": object(&[
            ("at_s", count()), ("seconds", json!({ "type": "integer", "minimum": 1 })), ("requests", count()),
            ("errors", count()), ("plays", count()), ("renewals", count()), ("dropped", count()), ("in_flight", count()),
            ("p50", number()), ("p99", number()), ("max", number()), ("hdr?", hdr()),
        ]),
    });
    let head = [
        ("$schema", json!("https://json-schema.org/draft/2020-12/schema")),
        ("title", json!("report of a grantcheck load run")),
        ("description", json!("Times are in milliseconds, rates a second.")),
    ];
    let mut whole: Map<String, Value> =
        head.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    if let Value::Object(body) = &mut schema {
        whole.append(body);
    }
    whole.insert("$defs".into(), definitions);
    Value::Object(whole)
}

/// An object of these members and no others; one with a `?` behind its name may be absent.
fn object(members: &[(&str, Value)]) -> Value {
    let required: Vec<&str> =
        members.iter().map(|(name, _)| *name).filter(|name| !name.ends_with('?')).collect();
    let properties: Map<String, Value> = members
        .iter()
        .map(|(name, schema)| (name.trim_end_matches('?').to_owned(), schema.clone()))
        .collect();
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}
