//! The pages about the language: their tables are those of the code, their examples are right.

use std::fmt::Write as _;
use std::path::Path;

use grantcheck::diagnostic::Text;
use grantcheck::subject::program::{VALUES, variable};
use grantcheck::suite::{Lookup, read_program, read_suite, read_target, to_json, vocabulary};

use crate::schema::{told, validator};
use crate::support::{complaints, embedded, golden as fresh, options, outcome, read};

const PAGE: &str = "docs/suite-format.md";
const BEGIN: &str = "<!-- generated: vocabulary -->";
const END: &str = "<!-- end -->";

#[test]
fn the_tables_are_fresh() {
    let page = read(PAGE);
    let (before, rest) = page.split_once(BEGIN).expect(BEGIN);
    let (_, after) = rest.split_once(END).expect(END);
    fresh(PAGE, &format!("{before}{BEGIN}\n\n{}\n{END}{after}", vocabulary()));
}

#[test]
fn every_example_is_right() {
    let page = read(PAGE);
    let (mut suites, mut targets) = (0, 0);
    for (number, block) in page.split("```yaml\n").skip(1).enumerate() {
        let source = block.split("```").next().unwrap_or("");
        let text = Text::new(format!("{PAGE}, example {}", number + 1), source);
        // What a reader puts there is not ours to know: any value does.
        let anything = |lookup: Lookup<'_>| match lookup {
            Lookup::Variable(name) => Some(name.to_owned()),
            Lookup::File(_) => Some(read("suites/targets/keys/main.crt")),
        };
        let (kind, problems) = if source.starts_with("suite:") {
            suites += 1;
            let read = read_suite(&text, "example");
            // What a reader copies out of the page has to run.
            if let Ok(suite) = &read {
                let report = outcome(&options(embedded(), vec![suite.clone()])).report;
                assert_eq!(
                    (report.summary.fail, report.summary.inconclusive),
                    (0, 0),
                    "{source}{}",
                    complaints(&report)
                );
            }
            let clients = source.contains("\njudges: client\n");
            (if clients { "client-suite" } else { "suite" }, read.err())
        } else if source.starts_with("org:") {
            targets += 1;
            ("target", read_target(&text, &anything).err())
        } else {
            continue;
        };
        let problems: Vec<String> = problems.iter().flatten().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        let validator = validator(kind);
        let told = told(&validator, &to_json(&text).unwrap());
        assert!(told.is_empty(), "example {}: {told:#?}", number + 1);
    }
    assert!(suites > 5 && targets > 1, "{suites} suites, {targets} targets");
}

const PROGRAMS: &str = "docs/programs.md";

#[test]
fn the_values_of_a_program_are_fresh() {
    const BEGIN: &str = "<!-- generated: values -->";
    let page = read(PROGRAMS);
    let (before, rest) = page.split_once(BEGIN).expect(BEGIN);
    let (_, after) = rest.split_once(END).expect(END);
    let mut table = String::from("| name | variable | is |\n|---|---|---|\n");
    for value in VALUES {
        let _ = writeln!(table, "| `{}` | `{}` | {} |", value.name, variable(value.name), value.doc);
    }
    fresh(PROGRAMS, &format!("{before}{BEGIN}\n\n{table}\n{END}{after}"));
}

#[test]
fn every_program_of_the_page_is_right() {
    let page = read(PROGRAMS);
    let validator = validator("program");
    let examples = page.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next());
    let examples: Vec<_> = examples.filter(|source| source.starts_with("command:")).collect();
    assert!(examples.len() >= 3, "{} programs", examples.len());
    for source in examples {
        let text = Text::new(PROGRAMS, source);
        let problems = read_program(&text, Path::new(PROGRAMS), &|_| None).err();
        let problems: Vec<String> = problems.iter().flatten().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        let told = told(&validator, &to_json(&text).unwrap());
        assert!(told.is_empty(), "{source}: {told:#?}");
    }
}
