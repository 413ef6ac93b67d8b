//! The schemas take every right file, and refuse every broken one that a schema can refuse.

use std::collections::BTreeMap;
use std::path::Path;

use grantcheck::diagnostic::Text;
use grantcheck::suite::{Lookup, init, read_program, read_suite, read_target, schema, to_json};
use jsonschema::Validator;
use serde_json::Value;

use crate::golden::kind;
use crate::support::{files, read};

/// Broken files that no schema can refuse, and why.
const SEMANTIC: &[(&str, &str)] = &[
    ("client-suite-host-unknown", "which names a text holds"),
    ("control-circle", "scenarios name each other"),
    ("control-of-another-kind", "a step names another one"),
    ("control-unknown", "a step names another one, or a scenario"),
    ("name-twice", "names of scenarios and steps are compared"),
    ("name-unknown", "which names have a value depends on what steps capture"),
    ("need-scenario", "a scenario names another one"),
    ("program-name-unknown", "names in texts are looked up"),
    ("program-variable-not-set", "which variables are set, and which files there are"),
    ("row", "rows fill in values of the steps"),
    ("target-certificate-of-another-key", "what stands in files"),
    ("target-file-missing", "which files there are"),
    ("target-key-unusable", "what stands in files"),
    ("target-role-unknown", "an app names a user, a user an app"),
    ("target-same-client-twice", "values of two apps are compared"),
    ("target-variable-not-set", "which variables are set"),
    ("tweak-contradiction", "two tweaks name the same parameter"),
    ("tweak-time", "a schema does not see whether `5m` stands in quotes, which makes it a text"),
];

pub fn validator(kind: &str) -> Validator {
    let schema = schema(kind).unwrap();
    jsonschema::meta::validate(&schema).unwrap_or_else(|why| panic!("{kind}: {why}"));
    jsonschema::validator_for(&schema).unwrap_or_else(|why| panic!("{kind}: {why}"))
}

fn validators() -> BTreeMap<&'static str, Validator> {
    ["suite", "client-suite", "target", "program"].map(|kind| (kind, validator(kind))).into()
}

fn json(path: &str) -> Option<Value> {
    to_json(&Text::new(path, read(path))).ok()
}

pub fn told(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

#[test]
fn every_shipped_file_fits_its_schema() {
    for (kind, folder) in [
        ("suite", "suites/org"),
        ("client-suite", "suites/client"),
        ("suite", "suites/load"),
        ("suite", "suites/stubs"),
        ("target", "suites/targets"),
    ] {
        let validator = validator(kind);
        let files = files(folder, ".yaml");
        assert!(!files.is_empty(), "{folder}");
        for path in files {
            let problems = told(&validator, &json(&path).expect(&path));
            assert!(problems.is_empty(), "{path}: {problems:#?}");
        }
    }
    for (kind, source) in [("suite", init::SUITE), ("target", init::TARGET)] {
        let value = to_json(&Text::new("init", source)).unwrap();
        assert!(told(&validator(kind), &value).is_empty(), "{kind}: {:#?}", told(&validator(kind), &value));
    }
}

#[test]
fn a_schema_refuses_every_broken_file_that_it_can() {
    let validators = validators();
    let mut wrong = Vec::new();
    for path in files("suites/broken", ".yaml") {
        let name = path.trim_start_matches("suites/broken/").trim_end_matches(".yaml");
        let semantic = SEMANTIC.iter().any(|(known, _)| *known == name);
        // What is not YAML never comes to a schema.
        let Some(value) = json(&path) else {
            assert!(!semantic, "{path} is not even YAML");
            continue;
        };
        let validator = &validators[kind(&path)];
        match (validator.is_valid(&value), semantic) {
            (true, false) => wrong.push(format!("{path} is accepted")),
            (false, true) => {
                wrong.push(format!("{path} is refused after all: {:?}", told(validator, &value)));
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_listed_as_semantic_is_there_and_has_a_reason() {
    for (name, reason) in SEMANTIC {
        assert!(files("suites/broken", &format!("/{name}.yaml")).len() <= 1);
        assert!(crate::support::at(&format!("suites/broken/{name}.yaml")).exists(), "{name}");
        assert!(!reason.is_empty(), "{name}");
    }
}

/// Words of all files that people may write, to put one in place of another.
fn words() -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for folder in ["suites/org", "suites/load", "suites/stubs", "suites/targets", "suites/broken"] {
        for path in files(folder, ".yaml") {
            words.extend(read(&path).split([' ', '\n', ',']).map(str::to_owned));
        }
    }
    for page in ["docs/suite-format.md", "docs/programs.md"] {
        words.extend(read(page).split([' ', '\n', ',']).map(str::to_owned));
    }
    words.sort();
    words.dedup();
    words
}

/// Right files: the shipped ones, the first ones, and the examples of the page.
fn right() -> Vec<String> {
    let folders = ["suites/org", "suites/load", "suites/client", "suites/stubs", "suites/targets"];
    let shipped = folders.into_iter().flat_map(|folder| files(folder, ".yaml"));
    let pages = read("docs/suite-format.md") + &read("docs/programs.md");
    let examples = pages.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next());
    let begins = ["suite:", "org:", "command:"];
    let examples = examples.filter(|source| begins.iter().any(|begin| source.starts_with(begin)));
    let first = [init::SUITE.to_owned(), init::TARGET.to_owned()];
    shipped.map(|path| read(&path)).chain(examples.map(str::to_owned)).chain(first).collect()
}

/// A right file with one piece in place of another.
fn changed(source: &str, at: usize, word: &str, how: u8) -> String {
    let mut lines: Vec<&str> = source.lines().collect();
    let line = at % lines.len();
    match how {
        0 => {
            lines.remove(line);
        }
        1 => lines.insert(line, lines[at / 7 % lines.len()]),
        _ => {
            let pieces: Vec<&str> = lines[line].split(' ').collect();
            let piece = at / 3 % pieces.len();
            let mut pieces: Vec<&str> = pieces;
            pieces[piece] = word;
            let new = pieces.join(" ");
            let mut out: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
            out[line] = new;
            return out.join("\n");
        }
    }
    lines.join("\n")
}

#[test]
fn a_schema_refuses_nothing_that_a_reader_takes() {
    use proptest::prelude::*;
    let validators = validators();
    let (words, right) = (words(), right());
    let lookup = |lookup: Lookup<'_>| match lookup {
        Lookup::Variable(name) => Some(name.to_owned()),
        Lookup::File(name) => std::fs::read_to_string(crate::support::at("suites/targets").join(name)).ok(),
    };
    let cases = (any::<usize>(), any::<usize>(), any::<usize>(), 0u8..6);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((file, at, word, how) in cases)| {
        let source = changed(&right[file % right.len()], at, &words[word % words.len()], how);
        let text = Text::new("changed.yaml", source.as_str());
        let has = |key: &str| source.starts_with(key) || source.contains(&format!("\n{key}"));
        let (taken, kind) = if has("org:") {
            (read_target(&text, &lookup).is_ok(), "target")
        } else if has("command:") {
            (read_program(&text, Path::new("changed.yaml"), &lookup).is_ok(), "program")
        } else {
            let kind = if has("judges: client") { "client-suite" } else { "suite" };
            (read_suite(&text, "changed").is_ok(), kind)
        };
        if taken {
            let problems = told(&validators[kind], &to_json(&text).unwrap());
            prop_assert!(problems.is_empty(), "{problems:#?}\n{source}");
        }
    });
}
