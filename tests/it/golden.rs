//! Broken files beside the exact words that tell what is wrong with them.

use std::path::Path;

use grantcheck::diagnostic::{Diagnostic, Text};
use grantcheck::suite::{Lookup, read_program, read_suite, read_target};

use crate::support::{at, files, golden as fresh, read};

const FOLDER: &str = "suites/broken";

/// What kind of file a broken one is, by its name: a target, a program or else a suite.
pub fn kind(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let kinds = [("target-", "target"), ("program-", "program"), ("client-suite-", "client-suite")];
    kinds.into_iter().find(|(begin, _)| name.starts_with(begin)).map_or("suite", |(_, kind)| kind)
}

/// Everything that is wrong with a broken file. A target or a program sees the files beside it and no variables.
pub fn problems(path: &str) -> Vec<Diagnostic> {
    let text = Text::new(path, read(path));
    let beside = |lookup: Lookup<'_>| match lookup {
        Lookup::File(name) => std::fs::read_to_string(at(FOLDER).join(name)).ok(),
        Lookup::Variable(_) => None,
    };
    let read = match kind(path) {
        "target" => read_target(&text, &beside).map(|_| ()),
        "program" => read_program(&text, Path::new(path), &beside).map(|_| ()),
        _ => read_suite(&text, "broken").map(|_| ()),
    };
    read.err().unwrap_or_default()
}

#[test]
fn every_broken_file_is_refused_in_these_words() {
    let broken = files(FOLDER, ".yaml");
    assert!(broken.len() >= 40, "{} broken files", broken.len());
    let mut stale = Vec::new();
    for path in &broken {
        let told = problems(path);
        assert!(!told.is_empty(), "{path} is accepted");
        let told = told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let words = path.replace(".yaml", ".err");
        if std::panic::catch_unwind(|| fresh(&words, &told)).is_err() {
            stale.push(words);
        }
    }
    assert!(stale.is_empty(), "told in other words than before: {stale:#?}");
}

#[test]
fn words_have_their_file() {
    for words in files(FOLDER, ".err") {
        let path = words.replace(".err", ".yaml");
        assert!(at(&path).exists(), "{words} has no {path}");
    }
}

#[test]
fn every_problem_says_where_and_how_to_mend_it() {
    for path in files(FOLDER, ".yaml") {
        for problem in problems(&path) {
            let told = problem.to_string();
            let (text, span) = problem.at.as_ref().unwrap_or_else(|| panic!("{told} stands nowhere"));
            assert_eq!(text.name(), path);
            assert!(span.end <= text.source().len(), "{told}");
            assert!(problem.help.is_some(), "{told} has no cure");
            assert!(!problem.message.ends_with('.'), "{told} ends with a full stop");
        }
    }
}
