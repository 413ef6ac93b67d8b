//! Flags that several commands have, and what is told where one says what cannot be.

use std::time::Duration;

use crate::diagnostic::Diagnostic;
use crate::oauth::salesforce::Profile;

/// How long an answer may take where nothing is said.
const WITHIN: Duration = Duration::from_secs(10);
/// The longest that anybody waits for an answer, in milliseconds.
const LONGEST_WITHIN: u64 = 3_600_000;
/// The most that is played at a time.
const MOST_JOBS: usize = 1024;

/// A span of time, in milliseconds, above nothing.
pub(super) fn millis(flag: &str, text: &str, problems: &mut Vec<Diagnostic>) -> Option<u64> {
    let millis = crate::oauth::duration(text).and_then(|m| u64::try_from(m).ok()).filter(|m| *m > 0);
    if millis.is_none() {
        let message = format!("`{flag} {text}` is no duration");
        problems.push(Diagnostic::bare("bad-flag", message).help("write for example `500ms`, `60s` or `5m`"));
    }
    millis
}

/// `--within`: how long an answer may take.
pub(super) fn within(text: &str, problems: &mut Vec<Diagnostic>) -> Duration {
    let Some(within) = millis("--within", text, problems) else { return WITHIN };
    if within > LONGEST_WITHIN {
        let message = format!("`--within {text}` is longer than anybody waits for an answer");
        problems.push(Diagnostic::bare("bad-flag", message).help("write `1h` or less"));
    }
    Duration::from_millis(within)
}

/// `--jobs`: how many are played at a time.
pub(super) fn jobs(asked: Option<usize>, otherwise: usize, problems: &mut Vec<Diagnostic>) -> usize {
    if let Some(jobs) = asked.filter(|jobs| !(1..=MOST_JOBS).contains(jobs)) {
        let message = format!("`--jobs {jobs}` is no number of scenarios that can be played at a time");
        let help = format!("write a number from 1 to {MOST_JOBS}, or leave it out");
        problems.push(Diagnostic::bare("bad-flag", message).help(help));
    }
    asked.unwrap_or(otherwise)
}

/// How many processors there are to play on.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// `--profile`: what the profile of the target is replaced by.
pub(super) fn profile(text: Option<&str>, problems: &mut Vec<Diagnostic>) -> Option<Profile> {
    let name = text?;
    let profile = Profile::read(name);
    if profile.is_none() {
        let message = format!("`--profile {name}` is no profile");
        problems.push(Diagnostic::bare("bad-flag", message).help("write `rfc` or `salesforce`"));
    }
    profile
}

/// `--allow destructive`: whether it is allowed.
pub(super) fn destructive(allowed: &[String], problems: &mut Vec<Diagnostic>) -> bool {
    if let Some(name) = allowed.iter().find(|what| *what != "destructive") {
        let message = format!("`--allow {name}` allows nothing");
        problems.push(Diagnostic::bare("bad-flag", message).help("write `--allow destructive`"));
    }
    allowed.iter().any(|what| what == "destructive")
}
