//! Traffic that was recorded elsewhere: judged by the catalogue alone, or by a suite that only listens.

use std::collections::{BTreeMap, BTreeSet};

use super::client::counted;
use super::control::Shared;
use super::plan::Planned;
use super::play::Did;
use super::rows::{self, Judged, Seen, count, empty, pardon, row_of, verdict};
use crate::catalog::{self, Party};
use crate::oauth::Endpoint;
use crate::oauth::salesforce::Profile;
use crate::report::{At, CheckRow, FindingRow, Report, ScenarioRow, StepRow, Word};
use crate::subject::Waiver;
use crate::suite::client::Play;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Finding, Level, Verdict};

/// Judges a scenario that only listens, by what was recorded.
pub(super) fn scenario(shared: &Shared, planned: &Planned, play: &Play, heard: &Transcript) -> Judged {
    let numbers: Vec<usize> = (0..heard.exchanges.len()).collect();
    let findings =
        play.requests.iter().flat_map(|wanted| counted(&planned.scenario, wanted, &heard.exchanges));
    let seen = Seen {
        subject: heard.subject.clone(),
        exchanges: heard.exchanges.clone(),
        findings: findings.map(|finding| (0, finding)).collect(),
        did: vec![Did { action: "recorded", tweak: None, exchanges: numbers }],
        staged: heard.staged.values().next().cloned(),
        ..Seen::default()
    };
    rows::judge(planned, seen, 0, shared)
}

/// Whether a recording is of one client at one org: a suite that only listens would take several for one.
pub fn is_one_play(transcript: &Transcript) -> bool {
    groups(transcript).len() == 1
}

/// Judges a recording with the catalogue: one row a scenario that it holds.
pub fn judge_recording(transcript: &Transcript, file: &str, profile: Option<Profile>) -> Report {
    let mut subject = transcript.subject.clone();
    subject.profile = profile.unwrap_or(subject.profile);
    let party = if subject.program.is_some() { Party::Client } else { Party::Org };
    let mut report = empty(subject.clone(), 0);
    let mut checks: BTreeMap<&'static str, Vec<(Verdict, Option<Word>)>> = BTreeMap::new();
    for group in groups(transcript) {
        let numbers: Vec<usize> = group.iter().map(|x| x.number).collect();
        let mut exchanges: Vec<Exchange> = group.into_iter().cloned().collect();
        for (number, x) in exchanges.iter_mut().enumerate() {
            x.renumber(number);
        }
        let scenario = exchanges.first().map_or(String::new(), |x| x.scenario.clone());
        // What the server was set up for in that scenario is part of what a judge must know.
        let staged = transcript.staged.get_key_value(&scenario);
        let mut set_up = staged.map_or_else(|| subject.clone(), |(_, staged)| staged.around(&subject));
        if let Some(own) = transcript.settings.get(&scenario) {
            set_up.settings = set_up.settings.with(own);
        }
        let waived = transcript.waive_in.get(&scenario).map(Vec::as_slice).unwrap_or_default();
        let staged = staged.into_iter().map(|(name, staged)| (name.clone(), staged.clone())).collect();
        let part = Transcript { subject: set_up, exchanges, staged, ..Transcript::default() };
        let mut findings: Vec<FindingRow> = cut_documents(&part, &numbers);
        for mut judged in catalog::judge(&part, party) {
            doubt(&mut judged, &part);
            let pardon = pardon(judged.check.id, subject.profile, waived, &transcript.waive);
            let mut word = None;
            let told =
                |f: &&Finding| f.verdict == Verdict::Fail || judged.bug || f.observed.ends_with(BEGINNING);
            for finding in judged.findings.iter().filter(told) {
                let mut row = row_of(finding, None);
                row.basis = Some(judged.check.basis);
                row.cites = judged.check.cites.iter().map(ToString::to_string).collect();
                row.exchanges = finding.exchanges.iter().filter_map(|n| numbers.get(*n).copied()).collect();
                if finding.verdict == Verdict::Fail {
                    if let Some(pardon) = pardon.as_ref().filter(|pardon| pardon.covers(finding)) {
                        row.verdict = pardon.word;
                        row.because = Some(pardon.because.clone());
                    }
                    word = word.max(Some(row.verdict));
                }
                findings.push(row);
            }
            report.summary.bugs += usize::from(judged.bug);
            checks.entry(judged.check.id).or_default().push((judged.verdict, word));
        }
        let verdict = verdict(findings.iter());
        count(&mut report.summary, verdict);
        report.scenarios.push(ScenarioRow {
            suite: file.to_owned(),
            scenario,
            verdict,
            reason: None,
            duration_ms: 0.0,
            at: At { file: file.to_owned(), line: 1, column: 1, length: 1, text: String::new() },
            tags: Vec::new(),
            steps: vec![StepRow { action: "recorded".into(), tweak: None, exchanges: numbers }],
            program: None,
            findings,
        });
    }
    for check in catalog::all() {
        let Some(seen) = checks.get(check.id) else { continue };
        let word = seen.iter().filter_map(|(_, word)| *word).max();
        let evident = seen.iter().filter(|(v, _)| matches!(v, Verdict::Pass | Verdict::Fail)).count();
        let verdict = match word {
            Some(word) => word,
            None if evident > 0 => Word::Pass,
            None if seen.iter().any(|(v, _)| *v == Verdict::Inconclusive) => Word::Inconclusive,
            None => continue,
        };
        let waived: Vec<Waiver> = transcript.waive_in.values().flatten().cloned().collect();
        let because = pardon(check.id, subject.profile, &waived, &transcript.waive)
            .filter(|pardon| verdict == pardon.word)
            .map(|pardon| pardon.because);
        report.summary.known_deviation += usize::from(verdict == Word::KnownDeviation);
        report.summary.waived += usize::from(verdict == Word::Waived);
        report.checks.push(CheckRow {
            check: check.id.to_owned(),
            verdict,
            scenarios: evident,
            title: check.title.to_owned(),
            because,
        });
    }
    // Nothing that any check has evidence about is no judgement.
    if report.checks.iter().all(|row| row.verdict == Word::Inconclusive) {
        report.summary.pass = 0;
        report.summary.inconclusive = report.scenarios.len();
    }
    report.transcript = crate::transcript::rows(transcript);
    report
}

/// What is said of evidence that the recording does not hold whole.
const BEGINNING: &str = "the recording holds only the beginning of what was exchanged";

/// Takes back what a judge said of exchanges that the recording does not hold whole. A pass is taken back where nothing
/// else shows it.
pub(super) fn doubt(judged: &mut catalog::Judged, part: &Transcript) {
    let cut: BTreeSet<usize> = part.exchanges.iter().filter(|x| x.is_cut()).map(|x| x.number).collect();
    if cut.is_empty() || judged.bug {
        return;
    }
    for finding in judged.findings.iter_mut().filter(|f| f.exchanges.iter().any(|n| cut.contains(n))) {
        finding.verdict = Verdict::Inconclusive;
        finding.observed = format!("{}: {BEGINNING}", finding.observed);
    }
    if judged.verdict == Verdict::Fail && judged.findings.iter().all(|f| f.verdict != Verdict::Fail) {
        judged.verdict = Verdict::Inconclusive;
    }
    if judged.verdict == Verdict::Pass {
        let mut whole: Vec<Exchange> = part.exchanges.iter().filter(|x| !x.is_cut()).cloned().collect();
        whole.iter_mut().enumerate().for_each(|(number, x)| x.number = number);
        let (subject, staged) = (part.subject.clone(), part.staged.clone());
        let whole = Transcript { subject, exchanges: whole, staged, ..Transcript::default() };
        if catalog::judge_one(judged.check, &whole).verdict != Verdict::Pass {
            judged.verdict = Verdict::Inconclusive;
        }
    }
}

/// What a server publishes of itself, and the recording does not hold whole: checks that would have failed on it may
/// have seen nothing at all.
pub(super) fn cut_documents(part: &Transcript, numbers: &[usize]) -> Vec<FindingRow> {
    let document = |x: &&Exchange| x.is_cut() && matches!(x.endpoint, Endpoint::Keys | Endpoint::Discovery);
    let finding = |x: &Exchange| Finding {
        check: None,
        verdict: Verdict::Inconclusive,
        level: Level::Must,
        expected: "a document that can be judged".to_owned(),
        observed: BEGINNING.to_owned(),
        exchanges: numbers.get(x.number).copied().into_iter().collect(),
        grave: false,
        at: None,
    };
    part.exchanges.iter().filter(document).map(|x| row_of(&finding(x), None)).collect()
}

/// The exchanges of a recording by scenario, in order.
fn groups(transcript: &Transcript) -> Vec<Vec<&Exchange>> {
    let mut groups: Vec<(&str, Vec<&Exchange>)> = Vec::new();
    for x in &transcript.exchanges {
        match groups.iter_mut().find(|(name, _)| *name == x.scenario) {
            Some((_, group)) => group.push(x),
            None => groups.push((&x.scenario, vec![x])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}
