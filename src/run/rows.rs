//! From what was seen to the rows of the report.

use std::collections::{BTreeMap, BTreeSet};

use super::control::Shared;
use super::plan::Planned;
use super::play::Did;
use super::recorded::{cut_documents, doubt};
use super::{Client, Options, Surroundings};
use crate::catalog::{self, Party, deviation};
use crate::oauth::salesforce::Profile;
use crate::report::{
    At, CheckRow, FindingRow, ProgramRow, Report, ScenarioRow, StepRow, Summary, VERSION, Word, visible,
};
use crate::subject::{Flow, Settings, Subject, Waiver};
use crate::suite::Scenario;
use crate::transcript::{Exchange, Staged, Transcript, tell_apart};
use crate::verdict::{Finding, Level, Verdict};

/// What was seen of one scenario.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) subject: Subject,
    pub(super) controls: Vec<Exchange>,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) did: Vec<Did>,
    /// Findings of expectations, each with its step.
    pub(super) findings: Vec<(usize, Finding)>,
    /// Findings about the play as a whole.
    pub(super) over: Vec<Finding>,
    pub(super) stopped: bool,
    /// The client program's side, where one was played.
    pub(super) program: Option<ProgramRow>,
    pub(super) staged: Option<Staged>,
    /// Whether the program broke down or asked nothing: what it did not do proves nothing then.
    pub(super) proves_nothing: bool,
}

/// One judged scenario.
pub(super) struct Judged {
    pub(super) row: ScenarioRow,
    exchanges: Vec<Exchange>,
    /// What each check came to here.
    checks: Vec<(&'static str, Verdict, Option<Word>)>,
    bugs: usize,
    /// Flows that it plays, each with the role of the app.
    flows: Vec<(String, Flow)>,
    /// What the server was set up for.
    settings: Settings,
    /// What it is let off here.
    waive: Vec<Waiver>,
    staged: Option<Staged>,
}

/// The row of a scenario that this target cannot be asked.
pub(super) fn not_testable(planned: &Planned, reason: String) -> Judged {
    let row = ScenarioRow {
        suite: planned.suite.clone(),
        scenario: planned.scenario.name.clone(),
        verdict: Word::NotTestable,
        reason: Some(reason),
        duration_ms: 0.0,
        at: At::of(&planned.scenario.text, planned.scenario.span),
        tags: planned.scenario.tags.clone(),
        steps: Vec::new(),
        program: None,
        findings: Vec::new(),
    };
    Judged {
        row,
        exchanges: Vec::new(),
        checks: Vec::new(),
        bugs: 0,
        flows: flows(&planned.scenario),
        settings: Settings::default(),
        waive: Vec::new(),
        staged: None,
    }
}

/// The row of a scenario that could have been played and was not, for a reason that is not the target's.
pub(super) fn unplayed(planned: &Planned, reason: String, bugs: usize) -> Judged {
    let mut judged = not_testable(planned, reason);
    judged.row.verdict = Word::Inconclusive;
    judged.bugs = bugs;
    judged
}

/// Judges what was seen with the catalogue and merges it with the findings of the expectations.
pub(super) fn judge(planned: &Planned, seen: Seen, micros: u64, shared: &Shared) -> Judged {
    let scenario = &planned.scenario;
    let target = &shared.options.target;
    let offset = seen.controls.len();
    let mut exchanges = seen.controls;
    exchanges.extend(seen.exchanges);
    // A control that was played for another scenario is part of the evidence here.
    let name = format!("{} › {}", planned.suite, scenario.name);
    for (number, x) in exchanges.iter_mut().enumerate() {
        x.renumber(number);
        x.scenario.clone_from(&name);
    }
    let recorded = matches!(shared.options.client, Client::Recorded(_));
    // A recording holds fingerprints, and has told itself of what they stand for.
    if !recorded && shared.options.replay.is_none() {
        tell_apart(&mut exchanges);
    }
    let staged = seen.staged.clone().map(|staged| (name.clone(), staged)).into_iter().collect();
    let transcript = Transcript { subject: seen.subject, exchanges, staged, ..Transcript::default() };
    let mut findings: Vec<FindingRow> = seen
        .findings
        .into_iter()
        .map(|(step, mut finding)| {
            for number in &mut finding.exchanges {
                *number += offset;
            }
            let action = seen.did.get(step).map_or("", |did| did.action);
            row_of(&finding, Some(format!("step {} {action}", step + 1)))
        })
        .collect();
    findings.extend(seen.over.iter().map(|finding| row_of(finding, None)));
    let replay = shared.options.replay.as_ref();
    let hole = replay.and_then(|recording| super::replay::hole(recording, scenario, &transcript.exchanges));
    if let Some(why) = &hole {
        // What comes after a hole is nobody's doing.
        findings.retain(|finding| finding.verdict == Word::Inconclusive);
        findings.push(unproved(scenario, None, "an answer of its own to every request", why));
    }
    let mut checks = Vec::new();
    let mut bugs = 0;
    let party = if scenario.client.is_some() { Party::Client } else { Party::Org };
    if recorded {
        let numbers: Vec<usize> = (0..transcript.exchanges.len()).collect();
        findings.extend(cut_documents(&transcript, &numbers));
    }
    let judged = if hole.is_some() { Vec::new() } else { catalog::judge(&transcript, party) };
    for mut judged in judged {
        if recorded {
            doubt(&mut judged, &transcript);
        }
        if seen.proves_nothing && judged.verdict == Verdict::Pass {
            judged.verdict = Verdict::Skip;
        }
        let named = names(&scenario.checks, judged.check.id);
        bugs += usize::from(judged.bug);
        let pardon = pardon(judged.check.id, target.profile, &waivers(&scenario.waive), &target.waive);
        let mut word = None;
        for finding in &judged.findings {
            let mut row = row_of(finding, None);
            row.basis = Some(judged.check.basis);
            row.cites = judged.check.cites.iter().map(ToString::to_string).collect();
            if finding.verdict == Verdict::Fail {
                if let Some(pardon) = pardon.as_ref().filter(|pardon| pardon.covers(finding)) {
                    row.verdict = pardon.word;
                    row.because = Some(pardon.because.clone());
                }
                word = word.max(Some(row.verdict));
            } else if !named && !judged.bug {
                // A check that only watched and saw too little is told once, for the whole run.
                continue;
            }
            findings.push(row);
        }
        checks.push((judged.check.id, judged.verdict, word));
    }
    let blind = if hole.is_none() { without_evidence(scenario, &checks) } else { Vec::new() };
    // A check may need to have seen the login itself: where none was, its silence is nobody's fault.
    let needs_the_login = planned.without_login.then(|| blind.first()?.check.clone()).flatten();
    if needs_the_login.is_none() {
        findings.extend(blind);
    }
    if party == Party::Org && target.profile == Profile::Salesforce {
        super::explained::explain(&mut findings, &transcript.exchanges);
    }
    // A SHOULD that no expectation and no named check of this scenario is about is told once, for the whole run.
    let about = |f: &FindingRow| match &f.check {
        Some(check) => f.verdict != Word::Warn || covered(&scenario.checks, check),
        None => true,
    };
    let mut verdict =
        if seen.stopped { Word::Inconclusive } else { verdict(findings.iter().filter(|f| about(f))) };
    let mut reason = None;
    if let Some(check) = needs_the_login.filter(|_| verdict == Word::Pass) {
        verdict = Word::NotTestable;
        let why = "saw nothing without the login, and the target gives a refresh token in its place";
        reason = Some(format!("the check {check} {why}"));
    }
    if let Some(recording) = replay.filter(|_| verdict == Word::Inconclusive && !seen.stopped)
        && let Some(why) =
            super::replay::needs_a_signature(recording, scenario, &transcript.subject, &findings)
    {
        (verdict, reason) = (Word::NotTestable, Some(why));
    }
    let steps = seen
        .did
        .into_iter()
        .map(|did| StepRow {
            action: did.action.to_owned(),
            tweak: did.tweak,
            exchanges: did.exchanges.into_iter().map(|n| n + offset).collect(),
        })
        .collect();
    let row = ScenarioRow {
        suite: planned.suite.clone(),
        scenario: scenario.name.clone(),
        verdict,
        reason,
        duration_ms: micros as f64 / 1000.0,
        at: At::of(&scenario.text, scenario.span),
        tags: scenario.tags.clone(),
        steps,
        program: seen.program,
        findings,
    };
    Judged {
        row,
        exchanges: transcript.exchanges,
        checks,
        bugs,
        flows: flows(scenario),
        settings: scenario.settings.clone(),
        waive: waivers(&scenario.waive),
        staged: seen.staged,
    }
}

fn flows(scenario: &Scenario) -> Vec<(String, Flow)> {
    scenario.flows().into_iter().map(|(role, flow)| (role.to_owned(), flow)).collect()
}

/// What a suite lets off, as a recording holds it.
fn waivers(list: &[(String, String)]) -> Vec<Waiver> {
    list.iter().map(|(check, because)| Waiver { check: check.clone(), because: because.clone() }).collect()
}

fn names(list: &[String], check: &str) -> bool {
    list.iter().any(|name| name == check)
}

/// Whether a check is named, or its family.
fn covered(list: &[String], check: &str) -> bool {
    list.iter().any(|name| name == check || (name.ends_with('/') && check.starts_with(name.as_str())))
}

/// Checks that a scenario says must have evidence, and that had none.
fn without_evidence(
    scenario: &crate::suite::Scenario,
    checks: &[(&'static str, Verdict, Option<Word>)],
) -> Vec<FindingRow> {
    let evident = |verdict: Verdict| matches!(verdict, Verdict::Pass | Verdict::Fail);
    let lacking = |name: &&String| {
        let mut all = checks.iter().filter(|(id, ..)| {
            *id == name.as_str() || (name.ends_with('/') && id.starts_with(name.as_str()))
        });
        // Judges that saw something and could not say have told so themselves.
        !all.any(|(_, verdict, _)| {
            evident(*verdict) || (!name.ends_with('/') && *verdict == Verdict::Inconclusive)
        })
    };
    let expected = "evidence for it, as the scenario says under `checks:`";
    let row = |name: &String| {
        unproved(scenario, Some(name.clone()), expected, "nothing that was exchanged bears on it")
    };
    scenario.checks.iter().filter(lacking).map(row).collect()
}

/// A finding that a scenario proves nothing.
fn unproved(
    scenario: &crate::suite::Scenario,
    check: Option<String>,
    expected: &str,
    observed: &str,
) -> FindingRow {
    FindingRow {
        check,
        verdict: Word::Inconclusive,
        level: Level::Must,
        basis: None,
        step: None,
        expected: expected.to_owned(),
        observed: observed.to_owned(),
        cites: Vec::new(),
        at: Some(At::of(&scenario.text, scenario.span)),
        exchanges: Vec::new(),
        because: None,
        error: None,
    }
}

/// Why a fail of a check is not held against the target.
pub(super) struct Pardon {
    pub(super) word: Word,
    pub(super) because: String,
    /// Whether it covers the acceptance of what must be refused.
    accepts: bool,
}

impl Pardon {
    pub(super) fn covers(&self, finding: &Finding) -> bool {
        self.accepts || !finding.grave
    }
}

/// Why a fail of that check is not held against the target.
pub(super) fn pardon(
    check: &str,
    profile: Profile,
    by_suite: &[Waiver],
    by_target: &[Waiver],
) -> Option<Pardon> {
    let covers = |pattern: &str| pattern == check || (pattern.ends_with('/') && check.starts_with(pattern));
    if let Some(waiver) = by_suite.iter().chain(by_target).find(|waiver| covers(&waiver.check)) {
        return Some(Pardon { word: Word::Waived, because: waiver.because.clone(), accepts: true });
    }
    let known = deviation(check).filter(|_| profile == Profile::Salesforce)?;
    let because = format!("{} ({})", known.because, known.source);
    Some(Pardon { word: Word::KnownDeviation, because, accepts: known.accepts })
}

pub(super) fn row_of(finding: &Finding, step: Option<String>) -> FindingRow {
    let verdict = match (finding.verdict, finding.level) {
        (Verdict::Fail, Level::Must) => Word::Fail,
        (Verdict::Fail, Level::Should) => Word::Warn,
        (Verdict::Fail, Level::BestPractice) => Word::Note,
        _ => Word::Inconclusive,
    };
    FindingRow {
        check: finding.check.map(str::to_owned),
        verdict,
        level: finding.level,
        basis: None,
        step,
        expected: visible(&finding.expected),
        observed: visible(&finding.observed),
        cites: Vec::new(),
        at: finding.at.as_ref().map(|(text, span)| At::of(text, *span)),
        exchanges: finding.exchanges.clone(),
        because: None,
        error: None,
    }
}

/// The heaviest finding that counts against the scenario.
pub(super) fn verdict<'f>(findings: impl Iterator<Item = &'f FindingRow>) -> Word {
    let heaviest = findings.map(|f| f.verdict).max();
    heaviest.filter(|word| matches!(word, Word::Fail | Word::Inconclusive | Word::Warn)).unwrap_or(Word::Pass)
}

/// The report of a run, and its whole record.
pub(super) fn report(options: &Options, around: &Surroundings, judged: Vec<Judged>) -> (Report, Transcript) {
    let mut target = options.target.clone();
    target.endpoints = around.endpoints.clone();
    let mut report = empty(target.subject(), options.seed);
    let clients = options.suites.iter().flat_map(|suite| &suite.scenarios).any(|s| s.client.is_some());
    report.subject.program = clients.then(|| options.client.name());
    if let Client::Recorded(heard) = &options.client {
        report.subject = heard.subject.clone();
    }
    let mut transcript = Transcript {
        subject: report.subject.clone(),
        waive: options.target.waive.clone(),
        ..Transcript::default()
    };
    let mut checks: BTreeMap<&'static str, Vec<(Verdict, Option<Word>)>> = BTreeMap::new();
    // A flow that the app of a scenario, or the client program, says must work, and of which nothing that was selected could
    // be played.
    let listed = |role: &str, flow: Flow| match clients {
        true => options.client.flows().contains(&flow),
        false => options.target.apps.get(role).is_some_and(|app| app.flows.contains(&flow)),
    };
    let mut played: BTreeMap<Flow, bool> = BTreeMap::new();
    for mut one in judged {
        let offset = transcript.exchanges.len();
        let numbers = one
            .row
            .steps
            .iter_mut()
            .map(|s| &mut s.exchanges)
            .chain(one.row.findings.iter_mut().map(|f| &mut f.exchanges));
        for number in numbers.flatten() {
            *number += offset;
        }
        if !one.settings.0.is_empty() {
            transcript.settings.insert(format!("{} › {}", one.row.suite, one.row.scenario), one.settings);
        }
        if !one.waive.is_empty() {
            transcript.waive_in.insert(format!("{} › {}", one.row.suite, one.row.scenario), one.waive);
        }
        if let Some(staged) = one.staged {
            transcript.staged.insert(format!("{} › {}", one.row.suite, one.row.scenario), staged);
        }
        for mut exchange in one.exchanges {
            exchange.renumber(exchange.number + offset);
            transcript.exchanges.push(exchange);
        }
        count(&mut report.summary, one.row.verdict);
        report.summary.bugs += one.bugs;
        for (_, flow) in one.flows.into_iter().filter(|(role, flow)| listed(role, *flow)) {
            *played.entry(flow).or_insert(false) |= one.row.verdict != Word::NotTestable;
        }
        for (check, verdict, word) in one.checks {
            checks.entry(check).or_default().push((verdict, word));
        }
        report.scenarios.push(one.row);
    }
    report.listed_not_testable =
        played.iter().filter(|(_, played)| !**played).map(|(flow, _)| flow.name().to_owned()).collect();
    report.summary.listed_but_not_testable = report.listed_not_testable.len();
    let mut used = BTreeSet::new();
    for check in catalog::all() {
        let Some(seen) = checks.get(check.id) else { continue };
        if let Some(row) = check_row(check, seen, options, &mut used) {
            report.summary.known_deviation += usize::from(row.verdict == Word::KnownDeviation);
            report.summary.waived += usize::from(row.verdict == Word::Waived);
            report.checks.push(row);
        }
    }
    if options.replay.is_some() {
        // Nobody must take it for a run on the org itself.
        report.subject.org = format!("a recording of {}", report.subject.org);
    }
    report.unused_waivers = unused_waivers(options, &report.scenarios, &used);
    report.transcript = crate::transcript::rows(&transcript);
    (report, transcript)
}

pub(super) fn empty(subject: Subject, seed: u64) -> Report {
    Report {
        version: VERSION,
        tool: concat!("grantcheck ", env!("CARGO_PKG_VERSION")).to_owned(),
        subject,
        seed,
        duration_ms: 0,
        interrupted: false,
        summary: Summary::default(),
        scenarios: Vec::new(),
        checks: Vec::new(),
        unused_waivers: Vec::new(),
        listed_not_testable: Vec::new(),
        transcript: Vec::new(),
    }
}

pub(super) fn count(summary: &mut Summary, verdict: Word) {
    match verdict {
        Word::Fail => summary.fail += 1,
        Word::Warn => summary.warn += 1,
        Word::Inconclusive => summary.inconclusive += 1,
        Word::NotTestable => summary.not_testable += 1,
        _ => summary.pass += 1,
    }
}

/// One check over the whole run: a fail anywhere, else a pass anywhere, else inconclusive; none where it only skipped.
fn check_row(
    check: &'static catalog::Check,
    seen: &[(Verdict, Option<Word>)],
    options: &Options,
    used: &mut BTreeSet<String>,
) -> Option<CheckRow> {
    let word = seen.iter().filter_map(|(_, word)| *word).max();
    let passed = seen.iter().any(|(verdict, _)| *verdict == Verdict::Pass);
    let unproved = seen.iter().any(|(verdict, _)| *verdict == Verdict::Inconclusive);
    let verdict = match word {
        Some(word) => word,
        None if passed => Word::Pass,
        None if unproved => Word::Inconclusive,
        None => return None,
    };
    if seen.iter().any(|(_, word)| *word == Some(Word::Waived)) {
        used.insert(check.id.to_owned());
    }
    let suites =
        options.suites.iter().flat_map(|s| &s.scenarios).flat_map(|s| waivers(&s.waive)).collect::<Vec<_>>();
    let because = match verdict {
        Word::Waived | Word::KnownDeviation => {
            pardon(check.id, options.target.profile, &suites, &options.target.waive)
                .map(|pardon| pardon.because)
        }
        _ => None,
    };
    let scenarios =
        seen.iter().filter(|(verdict, _)| matches!(verdict, Verdict::Pass | Verdict::Fail)).count();
    Some(CheckRow { check: check.id.to_owned(), verdict, scenarios, title: check.title.to_owned(), because })
}

/// Waivers that no fail needed. Of what was not played nothing is known, and a part of a run says nothing about the
/// waivers of the target.
fn unused_waivers(options: &Options, rows: &[ScenarioRow], used: &BTreeSet<String>) -> Vec<String> {
    let played = |suite: &str, scenario: &str| {
        rows.iter()
            .any(|row| row.suite == suite && row.scenario == scenario && row.verdict != Word::NotTestable)
    };
    let whole = options.selection.patterns.is_empty();
    let covers = |pattern: &str| {
        used.iter().any(|check| check == pattern || (pattern.ends_with('/') && check.starts_with(pattern)))
    };
    let target = options.target.waive.iter().filter(|_| whole).map(|waiver| waiver.check.as_str());
    let suites = options
        .suites
        .iter()
        .flat_map(|suite| suite.scenarios.iter().filter(|s| played(&suite.id, &s.name)))
        .flat_map(|s| &s.waive)
        .map(|(check, _)| check.as_str());
    let all: BTreeSet<&str> = target.chain(suites).collect();
    all.into_iter().filter(|pattern| !covers(pattern)).map(str::to_owned).collect()
}
