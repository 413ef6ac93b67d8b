//! Playing one scenario: its steps in order, each judged against its expectations, each refusal with its
//! positive control; then cleaning up; then the catalogue.

use std::sync::Arc;

use super::control::{Played, Shared};
use super::expectation::succeeded;
use super::judging::{Judging, keep};
use super::plan::Planned;
use super::rows::{Judged, Seen, not_testable, unplayed};
use super::world::{Done, World};
use crate::client::{Action, Tweak};
use crate::suite::{Control, Expect, ItemKind, Need, Scenario, Step};
use crate::transcript::{Answer, Exchange, Failure, Part};
use crate::verdict::{Finding, Level, Verdict};
use crate::wire::clock::Watch;

/// What was done in one step.
pub(super) struct Did {
    pub(super) action: &'static str,
    pub(super) tweak: Option<String>,
    pub(super) exchanges: Vec<usize>,
}

/// Plays and judges; none when the run was stopped before it began.
pub(super) async fn scenario(shared: &Shared, planned: &Planned) -> Option<Judged> {
    if *shared.stop.borrow() {
        return None;
    }
    if let Some(reason) = &planned.not_testable {
        return Some(not_testable(planned, reason.clone()));
    }
    if let Some(play) = &planned.scenario.client {
        return super::client::scenario(shared, planned, play).await;
    }
    let watch = Watch::start();
    // A scenario that needs another one to pass is not played where that does not succeed.
    for need in &planned.scenario.needs {
        let Need::Scenario(name) = need else { continue };
        let Some(sibling) = planned.siblings.iter().find(|s| s.name == *name) else { continue };
        let played = Box::pin(whole(shared, planned, sibling)).await;
        if !played.succeeded {
            return Some(not_testable(
                planned,
                format!("the scenario `{name}` that it needs did not succeed: {}", played.why_not),
            ));
        }
    }
    let key = format!("{}/{}", planned.suite, planned.scenario.name);
    let proofs = Proofs::play(shared, planned, &planned.scenario).await;
    let world = match World::new(shared, &planned.scenario, Part::Scenario, &key).await {
        Ok(world) => world,
        Err(why) => return Some(unplayed(planned, why.to_string(), 0)),
    };
    let seen = steps(shared, &planned.scenario, world, proofs).await;
    Some(super::rows::judge(planned, seen, watch.micros(), shared))
}

/// A scenario of the suite played as the control of another.
async fn whole(shared: &Shared, planned: &Planned, sibling: &Arc<Scenario>) -> Played {
    let key = format!("{}/{}", planned.suite, sibling.name);
    let proofs = Box::pin(Proofs::play(shared, planned, sibling)).await;
    // A recording has it as a scenario of its own.
    let world = match World::new(shared, sibling, Part::Scenario, &key).await {
        Ok(world) => world,
        Err(why) => return Played { succeeded: false, why_not: why.to_string(), exchanges: Vec::new() },
    };
    let seen = Box::pin(steps(shared, sibling, world, proofs)).await;
    let mut exchanges = seen.exchanges;
    for x in &mut exchanges {
        x.part = Part::Control;
    }
    let first = seen.findings.iter().map(|(_, f)| f).chain(&seen.over).next().map(|f| f.observed.clone());
    Played { succeeded: first.is_none(), why_not: first.unwrap_or_default(), exchanges }
}

/// The positive control: plays all steps; the last one must come to its own success.
pub(super) async fn control(
    shared: &Shared,
    scenario: &Scenario,
    stand_ins: &(Option<String>, Option<String>),
    key: &str,
) -> Played {
    let failed = |why: String, exchanges| Played { succeeded: false, why_not: why, exchanges };
    let mut world = match World::new(shared, scenario, Part::Control, key).await {
        Ok(world) => world,
        Err(why) => return failed(why.to_string(), Vec::new()),
    };
    world.stand_in(stand_ins.0.as_ref(), stand_ins.1.as_ref());
    let mut outcome = Err("it has no step".to_owned());
    for (i, step) in scenario.steps.iter().enumerate() {
        let done = world.next(&scenario.steps, i).await;
        outcome = match done.last() {
            Some(Done::Exchange(at)) => {
                let x = world.exchanges[*at].clone();
                world.recall(*at);
                keep(&mut world.session, &step.capture, x.response());
                if succeeded(&step.action, &x) {
                    Ok(())
                } else {
                    let answered = || format!("it was answered {}", x.outcome());
                    Err(world.stuck(*at).map_or_else(answered, str::to_owned))
                }
            }
            Some(Done::Missing(why) | Done::MissingOf(_, why)) => Err(why.clone()),
            Some(Done::Nothing) => Ok(()),
            None => Err("it was not played".to_owned()),
        };
    }
    world.tidy_up(scenario.steps.len()).await;
    let mut exchanges = world.end().await;
    for x in &mut exchanges {
        if x.part == Part::Scenario {
            x.part = Part::Control;
        }
    }
    match outcome {
        Ok(()) => Played { succeeded: true, why_not: String::new(), exchanges },
        Err(why) => failed(why, exchanges),
    }
}

/// Plays all steps and cleans up; nothing that comes of it is lost.
async fn steps(shared: &Shared, scenario: &Scenario, mut world: World<'_>, proofs: Proofs) -> Seen {
    let mut seen = Seen { subject: world.target().subject(), ..Seen::default() };
    let mut step_succeeded = vec![false; scenario.steps.len()];
    let mut broken_off = false;
    for (i, step) in scenario.steps.iter().enumerate() {
        if *shared.stop.borrow() {
            seen.stopped = true;
            break;
        }
        let refuses = step.expect.as_ref().is_some_and(Expect::is_refusal);
        let proof = proofs.of(step, i, &step_succeeded);
        let done = world.next(&scenario.steps, i).await;
        let mut answers = Vec::new();
        let mut missing = None;
        for one in done {
            match one {
                Done::Exchange(at) => answers.push(at),
                Done::Missing(why) => missing = Some((i, why)),
                Done::MissingOf(of, why) => missing = Some((of, why)),
                Done::Nothing => step_succeeded[i] = true,
            }
        }
        seen.did.push(Did {
            action: step.action.name(),
            tweak: step.tweak.describe(),
            exchanges: step_exchanges(&world.exchanges, i),
        });
        if *shared.stop.borrow() {
            seen.stopped = true;
            break;
        }
        if let Some((of, why)) = missing {
            let lacking = &scenario.steps[of];
            seen.findings.push((i, could_not(lacking, &why, scenario, !seen.findings.is_empty())));
            broken_off = true;
            break;
        }
        if wants_keys(step) {
            fetch_keys(&mut world, i, step).await;
        }
        let exchanges: Vec<Exchange> = answers.iter().map(|at| world.exchanges[*at].clone()).collect();
        if let Some(last) = exchanges.last() {
            step_succeeded[i] = succeeded(&step.action, last);
        }
        for (at, x) in answers.iter().zip(&exchanges) {
            world.recall(*at);
            keep(&mut world.session, &step.capture, x.response());
        }
        let findings = judge_step(&world, scenario, step, &exchanges);
        // The server may be right to show a page that the target does not declare, or to show it again.
        let stuck =
            answers.last().and_then(|at| world.stuck(*at)).filter(|_| !refuses && !findings.is_empty());
        if let Some(why) = stuck {
            seen.findings.push((i, could_not(step, why, scenario, !seen.findings.is_empty())));
            broken_off = true;
            break;
        }
        let own_failed = step.expect.is_none() && !findings.is_empty();
        // The token may be too old: the target gave it, and the server need not take it.
        let findings = match &step.action {
            Action::Refresh if own_failed && world.awaits_the_given_grant() => not_taken(findings),
            Action::Call(_) | Action::Userinfo(_) | Action::Introspect(_) | Action::Soap(_)
                if own_failed && world.uses_the_given_access_token() =>
            {
                not_taken(findings)
            }
            _ => findings,
        };
        let findings = if refuses { weigh(findings, proof, step, scenario, &exchanges) } else { findings };
        seen.findings.extend(findings.into_iter().map(|finding| (i, finding)));
        // What was not recorded leads nowhere, and what comes of it later would be nobody's doing.
        let unrecorded = |x: &Exchange| x.answer == Answer::Nothing(Failure::Unrecorded);
        if own_failed || exchanges.iter().any(unrecorded) {
            broken_off = true;
            break;
        }
    }
    world.part(Part::Cleanup);
    for (i, step) in scenario.cleanup.iter().enumerate() {
        world.step(scenario.steps.len() + i, step).await;
    }
    world.tidy_up(scenario.steps.len() + scenario.cleanup.len()).await;
    if !seen.stopped {
        seen.over = miscalled(scenario, &world.calls(), broken_off);
    }
    seen.controls = proofs.played.iter().flat_map(|played| played.exchanges.clone()).collect();
    seen.exchanges = world.end().await;
    seen
}

/// Stubs that answered more or less often than the suite says. Where the rest of a scenario was left out, too few calls
/// are no wonder.
fn miscalled(scenario: &Scenario, calls: &[u64], broken_off: bool) -> Vec<Finding> {
    let stubs = scenario.stubs.as_ref().map(|stubs| stubs.answers.as_slice()).unwrap_or_default();
    let wrong = stubs.iter().zip(calls).filter_map(|(stub, calls)| {
        let called = stub.called.filter(|called| !called.fits(*calls))?;
        let too_few = *calls < u64::from(called.at_least);
        (!(broken_off && too_few)).then(|| Finding {
            check: None,
            verdict: Verdict::Fail,
            level: Level::Must,
            expected: format!("{} calls of the stub {}", called.words(), stub.name()),
            observed: format!("it answered {calls} times"),
            exchanges: Vec::new(),
            grave: false,
            at: Some((scenario.text.clone(), called.span)),
        })
    });
    wrong.collect()
}

/// What proves the refusals of a scenario, played before it.
struct Proofs {
    /// By step: whether its control succeeded; none where the step names an earlier one, or must not be refused.
    of: Vec<Option<Result<(), String>>>,
    /// The controls, each once.
    played: Vec<Arc<Played>>,
}

impl Proofs {
    async fn play(shared: &Shared, planned: &Planned, scenario: &Scenario) -> Self {
        let mut proofs = Self { of: Vec::new(), played: Vec::new() };
        for (i, step) in scenario.steps.iter().enumerate() {
            let refuses = step.expect.as_ref().is_some_and(Expect::is_refusal);
            let played = match &step.control {
                _ if !refuses => None,
                Some(Control::Step(_)) => None,
                Some(Control::Scenario(name)) => match planned.siblings.iter().find(|s| s.name == *name) {
                    Some(sibling) => Some(Arc::new(Box::pin(whole(shared, planned, sibling)).await)),
                    None => None,
                },
                Some(Control::Otherwise { .. }) | None => Some(Box::pin(shared.control(scenario, i)).await),
            };
            proofs
                .of
                .push(played.as_ref().map(|p| if p.succeeded { Ok(()) } else { Err(p.why_not.clone()) }));
            if let Some(played) = played
                && !proofs.played.iter().any(|known| Arc::ptr_eq(known, &played))
            {
                proofs.played.push(played);
            }
        }
        proofs
    }

    /// Whether what must succeed did, for a step that must be refused.
    fn of(&self, step: &Step, i: usize, earlier: &[bool]) -> Result<(), String> {
        match (&step.control, self.of.get(i)) {
            (Some(Control::Step(at)), _) if !earlier.get(*at).copied().unwrap_or(false) => {
                Err(format!("step {} that it names did not succeed", at + 1))
            }
            (_, Some(Some(proof))) => proof.clone(),
            _ => Ok(()),
        }
    }
}

/// A refusal without a control that succeeded proves nothing; an acceptance stays what it is.
fn weigh(
    findings: Vec<Finding>,
    proof: Result<(), String>,
    step: &Step,
    scenario: &Scenario,
    answers: &[Exchange],
) -> Vec<Finding> {
    let Err(why) = proof else { return findings };
    let accepted = findings.iter().any(|finding| finding.grave)
        || answers.iter().any(|x| succeeded(&step.action, x) || x.hands_out_a_token());
    if accepted {
        return findings;
    }
    let exchanges = answers.iter().map(|x| x.number).collect();
    let span = step.expect.as_ref().and_then(|e| e.items.first()).map_or(step.span, |item| item.span);
    vec![Finding {
        check: None,
        verdict: Verdict::Inconclusive,
        level: Level::Must,
        expected: "a refusal whose positive control succeeds".into(),
        observed: format!("it was refused, but so was what must succeed: {why}"),
        exchanges,
        grave: false,
        at: Some((scenario.text.clone(), span)),
    }]
}

/// What is told where the refresh token that the target gives is refused.
fn not_taken(findings: Vec<Finding>) -> Vec<Finding> {
    let told = |finding: Finding| Finding {
        verdict: Verdict::Inconclusive,
        expected: "the token that the target gives is taken; log in again where it is too old".into(),
        ..finding
    };
    findings.into_iter().map(told).collect()
}

fn could_not(step: &Step, why: &str, scenario: &Scenario, after_failure: bool) -> Finding {
    // A token that an earlier answer did not bring is the server's omission; a budget or a browser is not.
    let server = why.starts_with("nothing before this step brought") && !why.contains("`app.");
    let verdict = if server && !after_failure { Verdict::Fail } else { Verdict::Inconclusive };
    Finding {
        check: None,
        verdict,
        level: Level::Must,
        expected: format!("`do: {}` can be done", step.action.name()),
        observed: why.to_owned(),
        exchanges: Vec::new(),
        grave: false,
        at: Some((scenario.text.clone(), step.span)),
    }
}

fn judge_step(world: &World<'_>, scenario: &Scenario, step: &Step, answers: &[Exchange]) -> Vec<Finding> {
    let subject = world.target().subject();
    let judging = Judging { scenario, profile: world.target().profile, subject: &subject };
    let answers: Vec<&Exchange> = answers.iter().collect();
    judging.step(step, &world.exchanges, &answers, &|name| world.value(step, name))
}

fn wants_keys(step: &Step) -> bool {
    let Some(expect) = &step.expect else { return false };
    let all = expect.items.iter().chain(expect.counts.iter().flat_map(|c| &c.items)).chain(&expect.others);
    all.into_iter().any(|item| matches!(item.kind, ItemKind::Verifies(..)))
}

async fn fetch_keys(world: &mut World<'_>, i: usize, step: &Step) {
    let keys = Step {
        action: Action::Keys,
        tweak: Tweak::default(),
        times: 1,
        at_once: false,
        together: false,
        expect: None,
        control: None,
        capture: Vec::new(),
        ..step.clone()
    };
    world.step(i, &keys).await;
}

fn step_exchanges(exchanges: &[Exchange], step: usize) -> Vec<usize> {
    exchanges.iter().filter(|x| x.step == step && x.part == Part::Scenario).map(|x| x.number).collect()
}
