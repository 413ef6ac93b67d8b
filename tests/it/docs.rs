//! Generated pages are fresh.

use std::fmt::Write as _;

use crate::support::golden;
use grantcheck::catalog;

/// `docs/checks.md` out of the rows of the catalogue.
fn checks() -> String {
    let mut out = String::from(
        "# Checks\n\nGenerated from the catalogue; `UPDATE=1 cargo test` rewrites it. A failed MUST fails a run, a SHOULD warns, \
         a NOTE informs; a check whose basis is *community* never fails a run. Each says whom it binds: the org, or the client program.\n\n",
    );
    let mut family = "";
    for check in catalog::all() {
        let (name, _) = check.id.split_once('/').unwrap();
        if name != family {
            family = name;
            let _ = writeln!(out, "## {family}\n");
        }
        let cites: Vec<String> = check.cites.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "### {}\n", check.id);
        let (level, binds, basis) = (check.level.word(), check.binds.word(), check.basis.word());
        let _ = writeln!(out, "{level} · binds the {binds} · {basis} · {}\n", cites.join("; "));
        let _ = writeln!(out, "*{}.* {}\n", capital(check.title), squeeze(check.explain));
        if let Some(deviation) = catalog::deviation(check.id) {
            let _ = writeln!(
                out,
                "Known deviation of Salesforce: {} ({}).\n",
                deviation.because, deviation.source
            );
        }
        let _ = writeln!(out, "Fails on:\n\n```text\n{}\n```\n", script(check.fails));
    }
    let _ = writeln!(
        out,
        "## What is not judged\n\nRequirements that were collected from the RFCs and from Salesforce's documentation, and that no \
         check judges. Faults name checks by numbers of the same collection.\n\n| number | what | why not |\n|---|---|---|"
    );
    for left in catalog::LEFT_OUT {
        let _ = writeln!(out, "| {} | {} | {} |", left.origin, left.what, left.why);
    }
    out
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn script(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_page_of_checks_is_fresh() {
    golden("docs/checks.md", &checks());
}

#[test]
fn the_page_of_errors_is_fresh() {
    golden("docs/errors.md", &grantcheck::errors::markdown());
}

#[test]
fn the_page_of_lint_rules_is_fresh() {
    golden("docs/lint-rules.md", &grantcheck::metadata::markdown());
}

#[test]
fn the_page_of_apps_has_every_element() {
    let page = crate::support::read("docs/apps.md");
    let (before, rest) = page.split_once("<!-- generated: elements -->").unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    let table = grantcheck::metadata::registration::table();
    golden("docs/apps.md", &format!("{before}<!-- generated: elements -->\n\n{table}\n<!-- end -->{after}"));
}

#[test]
fn all_metadata_that_is_there_is_shipped() {
    fn below(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, found);
            } else if path.extension().is_none_or(|ending| ending != "txt") {
                let name = path.strip_prefix(crate::support::at("suites")).unwrap();
                found.push(name.display().to_string());
            }
        }
    }
    let mut paths = Vec::new();
    below(&crate::support::at("suites/apps"), &mut paths);
    paths.sort();
    let mut out = String::from(
        "//! Metadata that is shipped: an example, good and bad files of every lint rule, files of every element. Generated from\n\
         //! `suites/apps`; `UPDATE=1 cargo test` rewrites it.\n\n/// Path and content of every file.\n\
         pub(in crate::cli) const APPS: &[(&str, &str)] = &[\n",
    );
    for path in paths {
        let _ = writeln!(out, "    (\"{path}\", include_str!(\"../../../suites/{path}\")),");
    }
    golden("src/cli/shipped/apps.rs", &(out + "];\n"));
}

#[test]
fn the_page_of_the_org_is_fresh() {
    golden("docs/org.md", &grantcheck::org::behaviour::markdown());
}

#[test]
fn what_is_left_out_is_not_judged_and_names_checks_that_are() {
    for left in catalog::LEFT_OUT {
        assert!(catalog::all().all(|check| check.origin != left.origin), "{} is judged", left.origin);
        for named in left.why.split('`').skip(1).step_by(2).filter(|name| name.contains('/')) {
            assert!(catalog::find(named).is_some(), "{}: there is no check {named}", left.origin);
        }
    }
}
