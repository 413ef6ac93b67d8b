//! The walk-through of the README: what it shows is what comes.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::support::{Folder, grantcheck, read};
use regex::Regex;

/// What the README calls a folder of the reader's.
const THERE: &str = "out/orders";

/// The commands of a page's console blocks, each with the lines that are shown of its output.
fn commands(page: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for block in page.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            match line.strip_prefix("$ grantcheck ") {
                Some(command) => found.push((command.to_owned(), Vec::new())),
                None => found.last_mut().expect("a command comes first").1.push(line.to_owned()),
            }
        }
    }
    found
}

/// Words of a command, of which those in quotes are one.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in command.split('"').enumerate() {
        if number % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// The lines that are shown stand in the output, in order, and next to each other but for `...`.
fn shows(expected: &[String], output: &str) -> Result<(), String> {
    let time = Regex::new(r"\d+(\.\d+)? m?s\b").unwrap();
    let port = Regex::new(r"127\.0\.0\.1:\d+").unwrap();
    let fingerprint = Regex::new(r":[0-9a-f]{16}\b").unwrap();
    // Every new check is one more with evidence.
    let counts = Regex::new(r"\d+ checks with evidence, \d+ exchanges").unwrap();
    let plain = |line: &str| {
        let line = time.replace_all(line, "TIME");
        let line = port.replace_all(&line, "ADDRESS").into_owned();
        let line = counts.replace_all(&line, "COUNTS").into_owned();
        fingerprint.replace_all(&line, ":FINGERPRINT").trim_end().to_owned()
    };
    let output: Vec<String> = output.lines().map(plain).collect();
    let (mut at, mut anywhere) = (0, false);
    for line in expected {
        if line == "..." {
            anywhere = true;
            continue;
        }
        let line = plain(line);
        let found = if anywhere {
            output[at..].iter().position(|one| *one == line).map(|place| at + place)
        } else {
            (output.get(at) == Some(&line)).then_some(at)
        };
        let Some(found) = found else {
            return Err(format!(
                "this line does not come there: {line}\n--- the output is\n{}",
                output.join("\n")
            ));
        };
        (at, anywhere) = (found + 1, false);
    }
    if !anywhere && at < output.len() {
        return Err(format!("more comes: {}", output[at..].join("\n")));
    }
    Ok(())
}

/// What a server tells until it waits for requests.
fn served(arguments: &[String]) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_grantcheck"))
        .args(arguments)
        .args(["--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut told).unwrap();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        told.push_str(&line);
        told.push('\n');
        if line.contains("/services/oauth2/authorize?") {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    told
}

#[test]
fn the_walk_through_shows_what_comes() {
    let readme = read("README.md");
    let (_, rest) = readme.split_once("## From a DX project to a verdict\n").expect("the walk-through");
    let section = rest.split("\n## ").next().unwrap();
    let folder = Folder::new("walk");
    // The name of the folder is that of the suite.
    let here = folder.join("orders").display().to_string();
    let commands = commands(section);
    assert!(commands.len() >= 7, "{commands:?}");
    let mut wrong = Vec::new();
    for (command, expected) in commands {
        let words: Vec<String> = words(&command).iter().map(|word| word.replace(THERE, &here)).collect();
        let output = if words[0] == "serve" {
            served(&words)
        } else {
            let (_, out, err) = grantcheck(&words.iter().map(String::as_str).collect::<Vec<_>>());
            format!("{err}{out}")
        };
        if let Err(why) = shows(&expected, &output.replace(&here, THERE)) {
            wrong.push(format!("$ grantcheck {command}\n{why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
