//! What a recording cannot be asked, or cannot prove, in place of its target.

use std::collections::BTreeMap;

use crate::catalog;
use crate::client::BodyForm;
use crate::report::{FindingRow, Word};
use crate::subject::Subject;
use crate::suite::{Expect, ItemKind, Scenario, Step};
use crate::transcript::{Answer, Exchange, Failure, Part, Recording, Transcript};
use crate::verdict::Verdict;

/// Why a scenario cannot be played against a recording.
pub(super) fn stands_in_the_way(recording: &Recording, scenario: &Scenario) -> Option<String> {
    if scenario.stubs.is_some() {
        return Some(
            "its stubs are a server of their own, and a recording answers in place of every server".into(),
        );
    }
    if scenario.steps.iter().filter_map(|step| step.expect.as_ref()).any(looks_into_a_token) {
        return Some("it looks into a token, and a recording has fingerprints in place of tokens".into());
    }
    let halved = |step: &Step| step.tweak.body == Some(BodyForm::Truncated);
    if scenario.steps.iter().any(halved) {
        return Some("half a request cannot be recognised in a recording".into());
    }
    if recording.of(&scenario.full_name()).next().is_none() {
        return Some("the recording has nothing of it".into());
    }
    None
}

fn looks_into_a_token(expect: &Expect) -> bool {
    let counted = expect.counts.iter().flat_map(|count| &count.items);
    let mut all = expect.items.iter().chain(counted).chain(&expect.others);
    all.any(|item| matches!(item.kind, ItemKind::Claim(..) | ItemKind::Jose(..) | ItemKind::Verifies(..)))
}

/// Why a scenario that was played against a recording proves nothing, where that is for want of a signature: checks
/// that it names had evidence when it was recorded, and would have had none without what signatures say. None where
/// anything else stands in the way.
pub(super) fn needs_a_signature(
    recording: &Recording,
    scenario: &Scenario,
    subject: &Subject,
    findings: &[FindingRow],
) -> Option<String> {
    let exchanges: Vec<Exchange> = recording.of(&scenario.full_name()).cloned().collect();
    let without =
        exchanges.iter().cloned().map(|x| Exchange { facts: x.facts.clone().without_signatures(), ..x });
    let of = |exchanges: Vec<Exchange>| Transcript {
        subject: subject.clone(),
        exchanges: numbered(exchanges),
        ..Transcript::default()
    };
    let (with, without) = (of(exchanges.clone()), of(without.collect()));
    let mut wanting = Vec::new();
    for finding in findings.iter().filter(|finding| finding.verdict == Word::Inconclusive) {
        // An expectation that proves nothing is not for want of a signature.
        let named = finding.check.as_deref()?;
        let covered = |id: &str| id == named || (named.ends_with('/') && id.starts_with(named));
        let evident = |transcript: &Transcript| {
            let checks = catalog::all().filter(|check| covered(check.id));
            checks.into_iter().any(|check| {
                matches!(catalog::judge_one(check, transcript).verdict, Verdict::Pass | Verdict::Fail)
            })
        };
        if !evident(&with) || evident(&without) {
            return None;
        }
        if !wanting.contains(&named) {
            wanting.push(named);
        }
    }
    (!wanting.is_empty()).then(|| {
        format!("no signature can be verified in a recording, and nothing else shows {}", wanting.join(", "))
    })
}

/// Why nothing can be said of what was exchanged in a replay: an answer is missing, or one had to do for two requests
/// that were answered apart when it was recorded.
pub(super) fn hole(recording: &Recording, scenario: &Scenario, exchanges: &[Exchange]) -> Option<String> {
    let unrecorded =
        |x: &&Exchange| x.part != Part::Cleanup && x.answer == Answer::Nothing(Failure::Unrecorded);
    if let Some(x) = exchanges.iter().find(unrecorded) {
        return Some(x.outcome());
    }
    let then = handed_out(recording.of(&scenario.full_name()));
    let now = handed_out(exchanges.iter());
    let twice = now.iter().any(|(value, times)| *times > then.get(value).copied().unwrap_or(0).max(1));
    twice.then(|| "the recording has one answer to what was asked twice".to_owned())
}

/// How often each code and access token was handed out.
fn handed_out<'x>(exchanges: impl Iterator<Item = &'x Exchange>) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for x in exchanges {
        let granted = || x.text("access_token").filter(|_| x.granted()).map(str::to_owned);
        if let Some(value) = x.code_issued().or_else(granted) {
            *counted.entry(value).or_default() += 1;
        }
    }
    counted
}

/// Judges point at exchanges by position.
fn numbered(mut exchanges: Vec<Exchange>) -> Vec<Exchange> {
    exchanges.iter_mut().enumerate().for_each(|(number, x)| x.renumber(number));
    exchanges
}
