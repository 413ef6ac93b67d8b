//! What `load` and `worker` have in common: what is played, against whom and how, looked at before anything is loaded.

use clap::Args;
use std::path::PathBuf;
use tokio::sync::mpsc;

use super::load_reports::{self, Format};
use super::run::faults_named;
use super::runtime::Runtime;
use super::{CannotStart, Io, asking, flags, load_files};
use crate::diagnostic::Diagnostic;
use crate::load::drive::{Options, Selected, playable, steps};
use crate::load::guard::LOGINS_AN_HOUR;
use crate::load::{self, Model, Plan};
use crate::oauth::salesforce::Profile;
use crate::report::{self, console};
use crate::run::{self, Selection, look_around};
use crate::subject::Target;
use crate::subject::workload::{Arrivals, Assertions, Connections, Threshold, Tokens, Workload, micros};
use crate::suite::{Scenario, Suite};
use crate::wire::host::MOST_CONNECTIONS;

#[derive(Args)]
pub(super) struct Playing {
    /// Suite files or folders
    #[arg(required = true)]
    pub(super) suites: Vec<PathBuf>,
    /// The org: a target file, a URL, or `embedded`
    #[arg(long, value_name = "FILE|URL")]
    pub(super) target: Option<String>,
    /// Only scenarios whose name holds TEXT, or that have `tag:NAME` or `check:ID`; `!` before it leaves out
    #[arg(long, value_name = "TEXT")]
    pub(super) select: Vec<String>,
    /// How plays of an open run follow each other: `constant` or `poisson`
    #[arg(long, value_name = "HOW")]
    pub(super) arrivals: Option<String>,
    /// A user begins a play each so often, or as soon as it can after that
    #[arg(long, value_name = "DURATION")]
    pub(super) pacing: Option<String>,
    /// For how long at the begin nothing is counted
    #[arg(long, value_name = "DURATION")]
    pub(super) warm_up: Option<String>,
    /// The most plays in flight in an open run, 1000 where nothing is said; what is beyond it is dropped, and fails the run
    #[arg(long, value_name = "N")]
    pub(super) in_flight: Option<u64>,
    /// Where sessions come from: `fresh` (each play gets its own), `per-user`, `shared`, or `pool=N`
    #[arg(long, value_name = "WHERE")]
    pub(super) tokens: Option<String>,
    /// What becomes of assertions: `fresh`, `reuse` until shortly before they expire, or `presigned=N`
    #[arg(long, value_name = "WHAT")]
    pub(super) assertion: Option<String>,
    /// What becomes of connections: `per-user`, `shared=N` by all users, or `none` is kept
    #[arg(long, value_name = "WHAT")]
    pub(super) connections: Option<String>,
    /// What must hold: `p99 < 250ms`, `errors < 1%`, `rate >= 100/s`, with `STEP: ` before it for one step; may be repeated
    #[arg(long, value_name = "THRESHOLD")]
    pub(super) threshold: Vec<String>,
    /// Let what is no fault of the plan be: `drops`, `destructive`, `logins` beyond the rate that an org allows
    #[arg(long, value_name = "WHAT")]
    pub(super) allow: Vec<String>,
    /// Threads that send; as many as there are processors where it is not given
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// Decides random arrivals
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// How long an answer may take
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    pub(super) within: String,
    /// Make the embedded org commit a fault on purpose
    #[arg(long, value_name = "NAME")]
    pub(super) fault: Vec<String>,
    /// Write reports: `json=FILE`, `prometheus=FILE` (text format), `csv=FILE` (over time)
    #[arg(long, value_name = "FORMAT=FILE", value_delimiter = ',')]
    pub(super) report: Vec<String>,
}

/// What is ready to be loaded.
pub(super) struct Ready {
    pub(super) options: Options,
    pub(super) around: run::Surroundings,
    pub(super) runtime: Runtime,
}

/// What it came to before anything was loaded.
pub(super) enum Prepared {
    Ready(Box<Ready>),
    /// Something does not hold, which was told: the exit code.
    DoesNotHold(u8),
}

impl Playing {
    /// Formats and files of the report.
    pub(super) fn reports(&self) -> Result<Vec<(&'static Format, PathBuf)>, CannotStart> {
        load_reports::wanted(&self.report)
    }

    /// The suites, and what they ask for.
    pub(super) fn suites(&self) -> Result<(Vec<Suite>, Workload), CannotStart> {
        let suites = load_files::suites(&self.suites, &[])?;
        let asked = of_suites(&suites)?;
        Ok((suites, asked))
    }

    /// How many threads send.
    pub(super) fn threads(&self) -> usize {
        self.threads.unwrap_or_else(flags::processors)
    }

    /// What is selected.
    pub(super) fn selection(&self) -> Selection {
        Selection { patterns: self.select.clone() }
    }

    /// Plans what a plan is made of, guards users of a real org, and plays everything once.
    pub(super) fn prepare(
        &self,
        suites: Vec<Suite>,
        plan: Plan,
        start_at: Option<i64>,
        io: &mut Io<'_>,
    ) -> Result<Prepared, CannotStart> {
        let target = asking::target(self.target.as_deref(), io)?;
        let mut problems = Vec::new();
        let faults = faults_named(&self.fault, &mut problems);
        let within = flags::within(&self.within, &mut problems);
        if !problems.is_empty() {
            return Err(problems.into());
        }
        let sources: Vec<String> = suites.iter().map(|suite| suite.text.source().to_owned()).collect();
        if target.is_embedded()
            && plan.connections == Connections::PerUser
            && plan.own_users() > MOST_CONNECTIONS
        {
            let message = format!(
                "the embedded org takes {MOST_CONNECTIONS} connections, and there may be {} users",
                plan.own_users()
            );
            let help = "write `--connections shared=N`, or fewer users, or a smaller `--in-flight`";
            return Err(Diagnostic::bare("bad-load", message).help(help).into());
        }
        let mut rehearsal = run::Options {
            selection: self.selection(),
            faults: faults.clone(),
            destructive: self.allow.iter().any(|what| what == "destructive"),
            within,
            ..run::Options::new(target.clone(), suites)
        };
        rehearsal.jobs = plan.threads;
        let runtime = Runtime::new()?;
        let around = runtime.prepare(look_around(&target, rehearsal.within))??;
        let planned = run::plan(&rehearsal, &around);
        if planned.plays.is_empty() {
            return Err(nothing_selected().into());
        }
        let testable = planned.plays.iter().filter(|play| play.not_testable.is_none());
        let testable: Vec<Selected> =
            testable.map(|play| (play.suite.clone(), play.scenario.clone())).collect();
        let (scenarios, unplayable) = playable(&testable, &target, plan.tokens);
        for (suite, name, why) in &unplayable {
            let name = report::visible(&format!("{suite} › {name}"));
            writeln!(io.err, "{name} cannot be played under load: {why}; nothing here vouches for it")?;
        }
        if scenarios.is_empty() && plan.herd == 0 {
            writeln!(io.out, "no scenario that is selected can be played under load; nothing was loaded")?;
            return Ok(Prepared::DoesNotHold(super::CANNOT_VOUCH));
        }
        known_steps(&plan, &scenarios)?;
        let allowed = self.allow.iter().any(|what| what == "logins");
        if target.org.is_some() && target.profile == Profile::Salesforce && !allowed {
            guard(&plan, scenarios.iter().map(|(_, scenario)| &**scenario))?;
        }
        // Each is played once as `run` plays it, with the controls of its refusals: what does not hold then holds under no
        // load either, and a refusal without a control proves nothing.
        if let Some(exit) = rehearse(&rehearsal, &around, &runtime, io)? {
            return Ok(Prepared::DoesNotHold(exit));
        }
        let left_out = planned
            .plays
            .iter()
            .filter_map(|play| {
                Some((play.suite.clone(), play.scenario.name.clone(), play.not_testable.clone()?))
            })
            .collect();
        let print = {
            let names = scenarios.iter().map(|(suite, scenario)| format!("{suite} {}", scenario.name));
            let faults = faults.iter().map(|fault| fault.name.to_owned());
            let start = start_at.map(|at| at.to_string());
            let within = format!("within {} us", within.as_micros());
            let around = [within, digest(&target, &plan)];
            let all: Vec<String> = names.chain(faults).chain(start).chain(sources).chain(around).collect();
            plan.print(all.iter().map(String::as_str))
        };
        let options = Options {
            target,
            scenarios,
            left_out,
            unplayable,
            faults,
            plan,
            within,
            start_at,
            print,
            master: None,
        };
        Ok(Prepared::Ready(Box::new(Ready { options, around, runtime })))
    }

    /// What these flags ask for.
    pub(super) fn asked(&self, problems: &mut Vec<Diagnostic>) -> Workload {
        let known = |what: &str| ["drops", "destructive", "logins"].contains(&what);
        reading(
            problems,
            "--arrivals",
            &self.arrivals,
            &|text| Arrivals::read(text).is_some(),
            "write `constant` or `poisson`",
        );
        reading(problems, "--tokens", &self.tokens, &|text| Tokens::read(text).is_some(), Tokens::HELP);
        reading(
            problems,
            "--assertion",
            &self.assertion,
            &|text| Assertions::read(text).is_some(),
            Assertions::HELP,
        );
        reading(
            problems,
            "--connections",
            &self.connections,
            &|text| Connections::read(text).is_some(),
            Connections::HELP,
        );
        for text in &self.threshold {
            reading(
                problems,
                "--threshold",
                &Some(text.clone()),
                &|text| Threshold::read(text).is_some(),
                Threshold::HELP,
            );
        }
        for text in &self.allow {
            reading(
                problems,
                "--allow",
                &Some(text.clone()),
                &known,
                "write `drops`, `destructive` or `logins`",
            );
        }
        Workload {
            arrivals: self.arrivals.as_deref().and_then(Arrivals::read),
            pacing: time(problems, "--pacing", &self.pacing),
            warm_up: time(problems, "--warm-up", &self.warm_up),
            in_flight: self.in_flight,
            drops: self.allow.iter().any(|what| what == "drops").then_some(true),
            tokens: self.tokens.as_deref().and_then(Tokens::read),
            assertion: self.assertion.as_deref().and_then(Assertions::read),
            connections: self.connections.as_deref().and_then(Connections::read),
            thresholds: self.threshold.iter().filter_map(|text| Threshold::read(text)).collect(),
            ..Workload::default()
        }
    }
}

/// Refuses a threshold that no step is about: it would hold of nothing.
fn known_steps(plan: &Plan, scenarios: &[Selected]) -> Result<(), Vec<Diagnostic>> {
    /// The most names that are told.
    const MOST: usize = 20;
    let names = steps(scenarios.iter().map(|(suite, scenario)| (suite.as_str(), &**scenario)), plan.tokens);
    let about = |threshold: &&Threshold| names.iter().any(|name| threshold.is_about(name));
    let problems: Vec<Diagnostic> = plan
        .thresholds
        .iter()
        .filter(|threshold| !names.is_empty() && !about(threshold))
        .map(|threshold| {
            let message = format!("no step that is counted is one that `{}` is about", threshold.text);
            let mut told: Vec<String> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
            if names.len() > MOST {
                told.push(format!("{} more", names.len() - MOST));
            }
            let help = format!("write a part of one of these before the colon: {}", told.join(", "));
            Diagnostic::bare("bad-threshold", message).help(help)
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// What of a target has to be the same in all parts of a run. Workers of a master may have users of their own.
fn digest(target: &Target, plan: &Plan) -> String {
    let whose = match plan.model {
        Model::Told(_) => None,
        _ => Some(target.subject()),
    };
    format!("{:?} {:?} {:?} {:?} {whose:?}", target.org, target.profile, target.settings, target.waive)
}

/// Nothing would be played.
pub(super) fn nothing_selected() -> Diagnostic {
    Diagnostic::bare("nothing-selected", "no scenario is selected, so nothing would be played")
        .help("leave `--select` out, or name a part of a scenario's name")
}

/// Refuses what is written behind a flag and not known.
pub(super) fn reading(
    problems: &mut Vec<Diagnostic>,
    flag: &str,
    text: &Option<String>,
    known: &dyn Fn(&str) -> bool,
    help: &str,
) {
    if let Some(text) = text.as_ref().filter(|text| !known(text)) {
        problems.push(Diagnostic::bare("bad-flag", format!("`{flag} {text}` is not understood")).help(help));
    }
}

/// The duration behind a flag, in microseconds.
pub(super) fn time(problems: &mut Vec<Diagnostic>, flag: &str, text: &Option<String>) -> Option<u64> {
    let help = "write a number and a unit: `250ms`, `30s`, `15m`, `2h`";
    reading(problems, flag, text, &|text| micros(text).is_some(), help);
    micros(text.as_ref()?)
}

/// Plays every scenario once. Answers the exit code where not all of them are as they should be.
fn rehearse(
    options: &run::Options,
    around: &run::Surroundings,
    runtime: &Runtime,
    io: &mut Io<'_>,
) -> Result<Option<u8>, CannotStart> {
    let (tell, _told) = mpsc::unbounded_channel();
    let outcome = runtime.block_on(run::run(options, around.clone(), tell, runtime.stop()))?;
    let mut redactor = outcome.redactor;
    let mut report = report::redacted(&outcome.report, &mut redactor);
    // A flow that the target lists need not be among those that are loaded.
    report.summary.listed_but_not_testable = 0;
    let exit = report.exit();
    if exit == super::CONFORMS {
        return Ok(None);
    }
    write!(io.out, "{}", console::console(&report, console::Style { colour: io.colour, all: false }))?;
    writeln!(io.out, "this is what came of playing each scenario once; nothing was loaded")?;
    Ok(Some(exit))
}

/// Refuses what would shut a user of a real org out.
fn guard<'s>(plan: &Plan, scenarios: impl Iterator<Item = &'s Scenario> + Clone) -> Result<(), Diagnostic> {
    for (user, logins) in load::guard::logins(plan, scenarios) {
        let told = match logins {
            Some(logins) if logins <= LOGINS_AN_HOUR => continue,
            Some(logins) => format!("up to {logins} times"),
            None => "as often as it can".to_owned(),
        };
        let message = format!(
            "this would log the user `{user}` in {told} within an hour; Salesforce lets it in {LOGINS_AN_HOUR} times and then shuts it out"
        );
        return Err(Diagnostic::bare("login-rate", message)
            .help("write `--tokens shared` or `per-user`, `--count N`, a lower rate, or `--allow logins`"));
    }
    Ok(())
}

/// What the suites say; two of them cannot both say it.
fn of_suites(suites: &[Suite]) -> Result<Workload, Diagnostic> {
    let mut saying = suites.iter().filter(|suite| suite.load.is_some());
    let (first, second) = (saying.next(), saying.next());
    if let (Some(first), Some(second)) = (first, second) {
        let message = format!("both {} and {} say `load:`", first.text.name(), second.text.name());
        return Err(Diagnostic::bare("bad-load", message).help("play them in two runs"));
    }
    Ok(first.and_then(|suite| suite.load.clone()).unwrap_or_default())
}
