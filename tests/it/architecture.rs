//! A module names only modules of a strictly lower level.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The level of every top-level module. Where a real dependency contradicts a number, renumber; keep the rule.
const LEVELS: &[(&str, u8)] = &[
    ("diagnostic", 0),
    ("oauth", 1),
    ("verdict", 1),
    ("subject", 2),
    ("transcript", 3),
    ("errors", 3),
    ("metadata", 3),
    ("client", 4),
    ("org", 4),
    ("catalog", 4),
    ("report", 4),
    ("suite", 5),
    ("wire", 6),
    ("run", 7),
    ("score", 8),
    ("load", 8),
    ("explore", 8),
    ("cli", 9),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Modules that a source names with `crate::NAME`, comments and tests of the file's bottom included.
fn named(source: &str) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    for (number, line) in source.lines().enumerate() {
        let code = line.split("//").next().unwrap_or("");
        for (at, _) in code.match_indices("crate::") {
            let rest = &code[at + "crate::".len()..];
            let list = match rest.strip_prefix('{') {
                Some(group) => group.split(',').map(|part| part.trim().to_owned()).collect(),
                None => vec![rest.to_owned()],
            };
            for item in list {
                let name: String =
                    item.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                names.push((number + 1, name));
            }
        }
    }
    names
}

#[test]
fn a_module_names_only_modules_of_a_lower_level() {
    let levels: BTreeMap<&str, u8> = LEVELS.iter().copied().collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    for file in &files {
        let inside = file.strip_prefix(&root).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let module = first.trim_end_matches(".rs");
        if matches!(module, "lib" | "main") {
            continue;
        }
        let level = levels.get(module).unwrap_or_else(|| panic!("{module} has no level"));
        for (line, name) in named(&std::fs::read_to_string(file).unwrap()) {
            let Some(other) = levels.get(name.as_str()) else { continue };
            if name != module && other >= level {
                wrong.push(format!("{}:{line}: {module} ({level}) names {name} ({other})", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_scan_sees_what_it_must_see() {
    let seen: Vec<String> = named("use crate::wire::Clock; // crate::cli\nuse crate::{org::Org, run};")
        .into_iter()
        .map(|(_, n)| n)
        .collect();
    assert_eq!(seen, ["wire", "org", "run"]);
}

#[test]
fn only_wire_and_cli_touch_the_world() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let forbidden = [
        "std::fs",
        "std::env",
        "std::net",
        "tokio::net",
        "SystemTime::now",
        "Instant::now",
        "OsRng",
        "println!",
        "eprintln!",
        "process::exit",
        "process::Command",
    ];
    let mut wrong = Vec::new();
    for file in &files {
        let inside = file.strip_prefix(&root).unwrap();
        if inside.starts_with("wire") || inside.starts_with("main.rs") {
            continue;
        }
        let source = std::fs::read_to_string(file).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap_or("");
        for (number, line) in code.lines().enumerate() {
            let line_code = line.split("//").next().unwrap_or("");
            for word in forbidden.iter().filter(|word| line_code.contains(*word)) {
                wrong.push(format!("{}:{}: {word}", inside.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
