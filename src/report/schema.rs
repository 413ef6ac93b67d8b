//! The JSON Schemas of what is told: the report of a run, of a lint, and the drift between two runs.

use serde_json::{Value, json};

use super::{DRIFT_VERSION, LINT_VERSION, VERSION};

/// Where JSON Schema 2020-12 is defined.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A place in a file.
fn at() -> Value {
    json!({
        "type": "object", "required": ["file", "line", "column"], "additionalProperties": false,
        "properties": {
            "file": { "type": "string" }, "line": { "type": "integer" }, "column": { "type": "integer" },
            "length": { "type": "integer" }, "text": { "type": "string" }
        }
    })
}

/// JSON Schema of what `lint --format json` prints.
pub fn lint_schema() -> Value {
    let text = json!({ "type": "string" });
    let texts = json!({ "type": "array", "items": text });
    let finding = json!({
        "type": "object", "additionalProperties": false,
        "required": ["rule", "level", "basis", "of", "message", "at", "xml", "cites"],
        "properties": {
            "rule": { "type": "string", "description": "id of the rule, for `grantcheck explain`" },
            "level": { "enum": ["must", "should", "best_practice"] },
            "basis": { "enum": ["normative", "derived", "vendor", "community"] },
            "of": { "type": "string", "description": "the app or credential" },
            "message": text, "at": at(), "setup": text, "xml": text, "cites": texts,
            "waived": { "type": "string", "description": "why it is let off" }
        }
    });
    let problem = json!({
        "type": "object", "additionalProperties": false, "required": ["code", "message"],
        "properties": { "code": text, "message": text, "help": text, "at": at() }
    });
    let count = json!({ "type": "integer", "minimum": 0 });
    json!({
        "$schema": DRAFT, "title": "grantcheck lint report", "type": "object", "additionalProperties": false,
        "required": ["version", "tool", "profile", "files", "apps", "findings", "problems", "unused_waivers"],
        "properties": {
            "version": { "const": LINT_VERSION }, "tool": text, "profile": { "enum": ["general", "partner-2026"] },
            "files": count, "apps": count, "findings": { "type": "array", "items": finding },
            "problems": { "type": "array", "items": problem, "description": "files that could not be read" },
            "unused_waivers": texts
        }
    })
}

/// JSON Schema of what `compare --drift` keeps.
pub fn drift_schema() -> Value {
    let text = json!({ "type": "string" });
    let side = json!({
        "type": "object", "additionalProperties": false, "required": ["org", "profile", "tool"],
        "properties": { "org": text, "profile": { "enum": ["rfc", "salesforce"] }, "tool": text }
    });
    let difference = json!({
        "type": "object", "additionalProperties": false, "required": ["what", "at", "first", "second", "scenarios"],
        "properties": {
            "what": { "enum": ["verdict", "exchanges", "status", "redirect", "headers", "body", "text"] },
            "at": { "type": "string", "description": "a scenario, or an action with the status of its answer" },
            "first": text, "second": text, "scenarios": { "type": "array", "items": text }
        }
    });
    json!({
        "$schema": DRAFT, "title": "grantcheck drift", "type": "object", "additionalProperties": false,
        "required": ["version", "kind", "first", "second", "compared", "one_sided", "differences"],
        "properties": {
            "version": { "const": DRIFT_VERSION }, "kind": { "const": "drift" }, "first": side, "second": side,
            "compared": { "type": "integer", "minimum": 0, "description": "scenarios that were played on both" },
            "one_sided": { "type": "object", "additionalProperties": text, "description": "scenarios that one alone played" },
            "by_browser": { "type": "integer", "minimum": 1, "description": "scenarios in which a person logged in on one side alone: of the login the way back is compared" },
            "differences": { "type": "array", "items": difference }
        }
    })
}

/// JSON Schema (draft 2020-12) of the JSON report.
pub fn schema() -> Value {
    let at = at();
    let words = json!({ "enum": ["not_testable", "pass", "note", "waived", "known_deviation", "warn", "inconclusive", "fail"] });
    let numbers = json!({ "type": "array", "items": { "type": "integer", "minimum": 0 } });
    let finding = json!({
        "type": "object", "additionalProperties": false,
        "required": ["check", "verdict", "level", "expected", "observed", "exchanges"],
        "properties": {
            "check": { "type": ["string", "null"], "description": "id of the check; null for an expectation of the suite" },
            "verdict": words, "level": { "enum": ["must", "should", "best_practice"] },
            "basis": { "enum": ["normative", "derived", "vendor", "community"] },
            "step": { "type": "string" }, "expected": { "type": "string" }, "observed": { "type": "string" },
            "cites": { "type": "array", "items": { "type": "string" } }, "at": at,
            "exchanges": numbers, "because": { "type": "string" },
            "error": {
                "description": "what the error means that the org answered, where it is a known one of Salesforce",
                "type": "object", "additionalProperties": false, "required": ["entry", "means", "causes", "cure"],
                "properties": {
                    "entry": { "type": "string", "description": "for `grantcheck explain`" }, "means": { "type": "string" },
                    "causes": { "type": "array", "items": { "type": "string" } }, "cure": { "type": "string" }
                }
            }
        }
    });
    let count = json!({ "type": "integer", "minimum": 0 });
    let program = json!({
        "type": "object", "additionalProperties": false, "required": ["ended", "ran_ms"],
        "properties": {
            "ended": { "type": "string" }, "ran_ms": count,
            "isolated": { "type": "boolean", "description": "whether it was cut off from every network but the org" },
            "stdout": { "type": "string" }, "stderr": { "type": "string" },
            "storm": {
                "description": "calls whose access token died under all of them at once; at best 1 renewal, 0 and 0",
                "type": "object", "additionalProperties": false,
                "required": ["callers", "renewals", "invalid_grants", "failed_calls"],
                "properties": { "callers": count, "renewals": count, "invalid_grants": count, "failed_calls": count }
            }
        }
    });
    let scenario = json!({
        "type": "object", "additionalProperties": false,
        "required": ["suite", "scenario", "verdict", "duration_ms", "at", "steps", "findings"],
        "properties": {
            "suite": { "type": "string" }, "scenario": { "type": "string" }, "verdict": words,
            "reason": { "type": "string" }, "duration_ms": { "type": "number" }, "at": at,
            "tags": { "type": "array", "items": { "type": "string" } },
            "steps": { "type": "array", "items": {
                "type": "object", "required": ["do", "exchanges"], "additionalProperties": false,
                "properties": { "do": { "type": "string" }, "tweak": { "type": "string" }, "exchanges": numbers }
            } },
            "program": program,
            "findings": { "type": "array", "items": finding }
        }
    });
    let check = json!({
        "type": "object", "additionalProperties": false, "required": ["check", "verdict", "scenarios", "title"],
        "properties": {
            "check": { "type": "string" }, "verdict": words, "scenarios": { "type": "integer" },
            "title": { "type": "string" }, "because": { "type": "string" }
        }
    });
    let counts: serde_json::Map<String, Value> = [
        "pass",
        "fail",
        "warn",
        "inconclusive",
        "not_testable",
        "known_deviation",
        "waived",
        "listed_but_not_testable",
        "bugs",
    ]
    .into_iter()
    .map(|name| (name.to_owned(), json!({ "type": "integer", "minimum": 0 })))
    .collect();
    json!({
        "$schema": DRAFT,
        "title": "grantcheck report",
        "type": "object",
        "additionalProperties": false,
        "required": ["version", "tool", "subject", "seed", "duration_ms", "interrupted", "summary", "scenarios", "checks", "unused_waivers", "transcript"],
        "properties": {
            "version": { "const": VERSION }, "tool": { "type": "string" }, "subject": { "type": "object" },
            "seed": { "type": "integer" }, "duration_ms": { "type": "integer" }, "interrupted": { "type": "boolean" },
            "summary": { "type": "object", "additionalProperties": false, "properties": counts },
            "scenarios": { "type": "array", "items": scenario },
            "checks": { "type": "array", "items": check },
            "unused_waivers": { "type": "array", "items": { "type": "string" } },
            "listed_not_testable": { "type": "array", "items": { "type": "string" } },
            "transcript": { "type": "array", "items": { "type": "object", "required": ["number", "endpoint", "request"] } }
        }
    })
}
