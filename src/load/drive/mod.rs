//! Driving a load run: hosts for the embedded org, one thread for each processor, and a look at all of them once a
//! second.

mod so_far;
mod thread;
mod told;

pub use so_far::{SoFar, StepSoFar};
pub(in crate::load) use thread::Thread;
use told::Levels;
pub use told::class;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

use super::gauge::{Series, Slice, StepGauge};
use super::pace::SECOND;
use super::plan::Plan;
use super::report::{LoadReport, Made, told};
use super::scene::{self, Scene, logins, unplayable};
use super::session::Live;
use super::shard::{Shard, Turns};
use super::sign::Signer;
use super::tally::Tally;
use super::threshold::value;
use crate::client::Session;
use crate::org::Org;
use crate::org::fault::Fault;
use crate::run::{Surroundings, embedded_endpoints};
use crate::subject::workload::{Connections, Quantity, Tokens};
use crate::subject::{Setting, Settings, Target};
use crate::suite::Scenario;
use crate::transcript::{Exchange, Redactor};
use crate::wire::clock::{Watch, real_now};
use crate::wire::host::Host;
use crate::wire::line::Way;
use crate::wire::{Clock, Error, dice};

/// A scenario that is not played: its suite, its name, and why.
pub type NotPlayed = (String, String, String);

/// A scenario with the id of its suite.
pub type Selected = (String, Arc<Scenario>);

/// Those of the scenarios that can be played under load, and those that cannot.
pub fn playable(scenarios: &[Selected], target: &Target, tokens: Tokens) -> (Vec<Selected>, Vec<NotPlayed>) {
    let (mut can, mut cannot) = (Vec::new(), Vec::new());
    for (suite, scenario) in scenarios {
        match unplayable(scenario, target, tokens) {
            Some(why) => cannot.push((suite.clone(), scenario.name.clone(), why)),
            None => can.push((suite.clone(), scenario.clone())),
        }
    }
    (can, cannot)
}

/// The names of the steps that are counted: `suite › scenario › n do (label)`.
pub fn steps<'s>(scenarios: impl Iterator<Item = (&'s str, &'s Scenario)>, tokens: Tokens) -> Vec<String> {
    scenarios
        .flat_map(|(suite, scenario)| {
            let all = scenario.steps.len() + scenario.cleanup.len();
            (logins(scenario, tokens)..all).map(move |i| scene::step_name(suite, scenario, i))
        })
        .collect()
}

/// What is to be loaded.
#[derive(Clone)]
pub struct Options {
    /// The org.
    pub target: Target,
    /// Scenarios, each with the id of its suite.
    pub scenarios: Vec<Selected>,
    /// Scenarios that the target cannot be asked: suite, name, and why.
    pub left_out: Vec<NotPlayed>,
    /// Scenarios that cannot be played under load, so that nobody vouches for them.
    pub unplayable: Vec<NotPlayed>,
    /// Faults that the embedded org commits.
    pub faults: Vec<&'static Fault>,
    /// What is done.
    pub plan: Plan,
    /// How long an answer may take.
    pub within: Duration,
    /// When the timetable begins, in milliseconds since the epoch; as soon as it can where nothing is said. Who is not
    /// ready by then begins its first plays late.
    pub start_at: Option<i64>,
    /// Fingerprint of what is to be done, by which parts of one run know each other.
    pub print: String,
    /// Who else decides how many play, where somebody does.
    pub master: Option<Master>,
}

/// Somebody else who decides how many play.
#[derive(Clone)]
pub struct Master {
    /// The name by which it knows this process.
    pub worker: String,
    /// What it says: how many, by [`class`] of the scenario.
    pub says: watch::Receiver<Arc<BTreeMap<String, u64>>>,
    /// Where it is told once a second what was counted so far.
    pub hears: mpsc::UnboundedSender<SoFar>,
}

/// What a run tells while it goes on.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Whether the timetable has begun; before, sessions log in and assertions are signed.
    pub begun: bool,
    /// Since the begin of the timetable, in microseconds.
    pub now: u64,
    /// How long it is, where that is known, in microseconds.
    pub length: Option<u64>,
    /// The last second.
    pub requests: u64,
    /// Latencies of the last second, in microseconds.
    pub p50: u64,
    /// Latency that one in a hundred exceeded.
    pub p99: u64,
    /// Errors so far.
    pub errors: u64,
    /// Renewals so far.
    pub renewals: u64,
    /// Dropped so far.
    pub dropped: u64,
    /// Plays in flight.
    pub in_flight: u64,
}

/// What all threads share.
pub(in crate::load) struct Job {
    pub(in crate::load) plan: Plan,
    pub(in crate::load) scenes: Vec<Arc<Scene>>,
    pub(in crate::load) way: Way,
    pub(in crate::load) signer: Signer,
    /// Whose turn it is in an open run.
    pub(in crate::load) turns: Turns,
    start_at: Option<i64>,
    master: Option<Master>,
    /// The names by which it knows the scenes.
    classes: Vec<String>,
    /// What the master says, with the moment at which it said so.
    levels: watch::Sender<Levels>,
    /// Sessions that outlive a play, those of a scene together.
    lives: Vec<Vec<Arc<Live>>>,
    begin: OnceLock<Watch>,
    /// Threads that are ready to begin.
    ready: AtomicU64,
    go: watch::Sender<bool>,
    stop: watch::Receiver<bool>,
    /// Plays that were begun.
    begun: AtomicU64,
    /// Callers of the herd that wait for it to go.
    herd_ready: AtomicU64,
    herd: watch::Sender<bool>,
    within: Duration,
    /// Key of the fingerprints that stand in place of secrets in what is told of this run.
    key: [u8; 32],
    /// Plays of an open run that are under way.
    in_flight: AtomicU64,
}

impl Job {
    /// Knows the secrets of the target and those of every session that outlives a play.
    pub(in crate::load) fn redactor(&self) -> Redactor {
        let mut redactor = Redactor::new(self.key);
        self.scenes.iter().for_each(|scene| redactor.learn_target(&scene.target));
        self.lives.iter().flatten().for_each(|live| learn(&mut redactor, &live.known().0));
        redactor
    }

    /// What a server said to a session that it did not grant or renew, without the secrets of that session and of these
    /// exchanges: nobody keeps them, so that nobody could find them in it later.
    pub(in crate::load) fn scrubbed(
        &self,
        text: &str,
        session: &Session,
        exchanges: impl Iterator<Item = Exchange>,
    ) -> String {
        let mut redactor = Redactor::new(self.key);
        learn(&mut redactor, session);
        exchanges.for_each(|x| redactor.learn_exchange(&x));
        redactor.scrub(text)
    }

    /// How many sessions outlive a play.
    pub(in crate::load) fn sessions(&self) -> usize {
        let lives = self.lives.iter().flatten();
        if self.plan.users_log_in_late() {
            lives.filter(|live| live.is_there()).count()
        } else {
            lives.count()
        }
    }

    /// Takes the place of one play more under way, where there is room; [`Job::leave`] gives it back.
    fn enter(&self) -> bool {
        let room = self.plan.own_in_flight() as u64;
        let there = self.in_flight.fetch_add(1, Ordering::Relaxed) < room;
        if !there {
            self.leave();
        }
        there
    }

    fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// The name by which somebody knows this process who decides how many play.
    pub(in crate::load) fn worker(&self) -> Option<&str> {
        self.master.as_ref().map(|master| master.worker.as_str())
    }

    /// A caller of the herd is ready.
    pub(in crate::load) fn herd_is_ready(&self) {
        self.herd_ready.fetch_add(1, Ordering::Release);
    }

    /// Tells when the herd goes.
    pub(in crate::load) fn herd_goes(&self) -> watch::Receiver<bool> {
        self.herd.subscribe()
    }

    /// When the herd goes, in microseconds: in the middle of what is counted.
    fn herd_at(&self) -> Option<u64> {
        let length = self.plan.length.filter(|_| self.plan.herd > 0)?;
        Some(self.plan.warm_up + (length - self.plan.warm_up) / 2)
    }
}

/// Teaches the secrets of a session.
fn learn(redactor: &mut Redactor, session: &Session) {
    let secrets = [
        ("access_token", &session.access_token),
        ("refresh_token", &session.refresh_token),
        ("id_token", &session.id_token),
        ("code", &session.code),
        ("code_verifier", &session.verifier),
        ("assertion", &session.assertion),
    ];
    for (kind, secret) in secrets {
        secret.iter().for_each(|secret| redactor.learn(kind, secret.expose()));
    }
}

/// Plays under load. Ends early, with what was played by then, when `stop` turns true.
///
/// # Errors
/// The world got in the way before anything was played.
pub async fn load(
    options: Options,
    around: &Surroundings,
    progress: mpsc::UnboundedSender<Progress>,
    stop: watch::Receiver<bool>,
) -> Result<LoadReport, Error> {
    let started = Watch::start();
    let not_testable = options.left_out.clone();
    let mut made = Made { begun: real_now(), print: options.print.clone(), not_testable, ..Made::default() };
    let mut hosts: Vec<(Settings, Host, Arc<Org>)> = Vec::new();
    let mut scenes: Vec<Arc<Scene>> = Vec::new();
    let mut row = 0;
    let (playable, not) = playable(&options.scenarios, &options.target, options.plan.tokens);
    let not = options.unplayable.iter().cloned().chain(not);
    for (suite, name, why) in not {
        made.unplayed.push(format!("{suite} › {name}"));
        made.not_testable.push((suite, name, why));
    }
    for (suite, scenario) in &playable {
        let mut target = options.target.clone();
        let org = if target.is_embedded() {
            target.settings = quiet(&target.settings.with(&scenario.settings));
            let known = hosts.iter().find(|(settings, ..)| *settings == target.settings);
            let url = match known {
                Some((_, host, _)) => host.url(),
                None => {
                    let org = Arc::new(Org::new(&target, &options.faults, dice::seed()));
                    let host = Host::start(org.clone(), Clock::real(), "127.0.0.1:0").await?;
                    let url = host.url();
                    hosts.push((target.settings.clone(), host, org));
                    url
                }
            };
            target.endpoints = embedded_endpoints(&url);
            url
        } else {
            target.endpoints = around.endpoints.clone();
            around.org.clone()
        };
        let mut scene = Scene::new(suite, scenario.clone(), target, org, row);
        scene.login = logins(scenario, options.plan.tokens);
        row += scene.steps.len();
        scenes.push(Arc::new(scene));
    }
    let plan = options.plan;
    let lives =
        (0..scenes.len()).map(|scene| (0..plan.own_sessions()).map(|_| Live::new(scene)).collect()).collect();
    let threads = plan.threads.max(1);
    let ((go, _), (herd, _)) = (watch::channel(false), watch::channel(false));
    let (halt, halted) = watch::channel(false);
    let job = Arc::new(Job {
        way: Way::new(
            options.target.ca.as_deref(),
            options.within,
            plan.connections == Connections::PerUser,
        )?,
        signer: Signer::new(plan.own_assertions(), threads),
        turns: Turns::new(scenes.iter().map(|scene| scene.scenario.weight)),
        start_at: options.start_at,
        master: options.master,
        classes: scenes.iter().map(|scene| class(&scene.suite, &scene.scenario.name)).collect(),
        levels: watch::channel(Levels::new(scenes.len())).0,
        plan,
        scenes,
        lives,
        begin: OnceLock::new(),
        ready: AtomicU64::new(0),
        go,
        stop: halted,
        begun: AtomicU64::new(0),
        herd_ready: AtomicU64::new(0),
        herd,
        within: options.within,
        key: dice::seed(),
        in_flight: AtomicU64::new(0),
    });
    if job.scenes.is_empty() {
        return Ok(told(&options.target, &job, Tally::new(0, 0), &Series::default(), made));
    }
    let _ = progress.send(Progress::default());
    match job.signer.prepare(&job.scenes).await {
        Ok((signed, took)) => (made.presigned, made.presigning) = (signed, took),
        Err(why) => made.broken = Some(why.to_string()),
    }
    let tallies: Vec<Arc<Mutex<Tally>>> =
        (0..threads).map(|_| Arc::new(Mutex::new(Tally::new(row, job.scenes.len())))).collect();
    let workers: Vec<_> = tallies
        .iter()
        .enumerate()
        .map(|(number, tally)| {
            let (job, tally) = (job.clone(), tally.clone());
            std::thread::spawn(move || thread::thread(job, number, tally))
        })
        .collect();
    let orgs: Vec<Arc<Org>> = hosts.iter().map(|(_, _, org)| org.clone()).collect();
    let series = collect(&job, &orgs, &tallies, &workers, &progress, stop, &halt, &mut made).await;
    let mut whole = Tally::new(row, job.scenes.len());
    for (worker, tally) in workers.into_iter().zip(tallies) {
        made.bugs += usize::from(worker.join().is_err());
        let tally = std::mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner));
        made.threads.extend(tally.cpu);
        whole.add(tally);
    }
    made.took = started.micros();
    let report = told(&options.target, &job, whole, &series, made);
    for (_, host, _) in hosts {
        host.stop().await;
    }
    Ok(report)
}

/// The embedded org does not count logins of a user unless it is told to: nobody can be shut out.
fn quiet(settings: &Settings) -> Settings {
    let mut all = settings.clone();
    all.0.entry("login_rate".to_owned()).or_insert_with(|| Setting::Word("off".to_owned()));
    all
}

/// Looks at all threads once a second until they are done.
#[allow(clippy::too_many_arguments)]
async fn collect(
    job: &Job,
    orgs: &[Arc<Org>],
    tallies: &[Arc<Mutex<Tally>>],
    workers: &[std::thread::JoinHandle<()>],
    progress: &mpsc::UnboundedSender<Progress>,
    mut stop: watch::Receiver<bool>,
    halt: &watch::Sender<bool>,
    made: &mut Made,
) -> Series {
    // What is put together with other parts is kept whole.
    let whole = job.plan.shard == Shard::WHOLE && job.master.is_none();
    let mut series = if whole { Series::default() } else { Series::keeping() };
    // Who is told when to end is not interrupted by it.
    let told = job.master.is_some();
    let mut stopped = false;
    let mut says = job.master.as_ref().map(|master| master.says.clone());
    let mut so_far = so_far::Looker::new(job);
    let waiting = Watch::start();
    // The threads log their sessions in; when all are ready, the timetable begins for all of them.
    while usize::try_from(job.ready.load(Ordering::Acquire)).unwrap_or(0) < workers.len()
        && !workers.iter().all(std::thread::JoinHandle::is_finished)
    {
        tokio::select! {
            // A thread that breaks down tells nobody: that it is over can only be looked for.
            () = tokio::time::sleep(Duration::from_millis(2)) => {}
            _ = stop.wait_for(|stopped| *stopped), if !stopped => {
                (stopped, made.interrupted) = (true, !told);
                let _ = halt.send(true);
            }
        }
    }
    made.logging_in = waiting.micros();
    let begin = *job.begin.get_or_init(|| job.start_at.map_or_else(Watch::start, Watch::at));
    tokio::select! {
        () = begin.until(0) => {}
        _ = stop.wait_for(|stopped| *stopped), if !stopped => {
            (stopped, made.interrupted) = (true, !told);
            let _ = halt.send(true);
        }
    }
    made.timetable = job.start_at.unwrap_or_else(real_now);
    let _ = job.go.send(true);
    if told {
        // Whoever decides how many play waits to hear that they do.
        let _ = progress.send(Progress { begun: true, ..Progress::default() });
    }
    let (mut errors, mut renewals, mut dropped) = (0, 0, 0);
    let mut second = 0;
    loop {
        // The last look is when the threads are done, which may be before the second is over.
        let at = (second + 1) * SECOND;
        let done = loop {
            let done = workers.iter().all(std::thread::JoinHandle::is_finished);
            if done || begin.micros() >= at {
                break done;
            }
            if !*job.herd.borrow() && job.herd_at().is_some_and(|at| begin.micros() >= at) {
                let ready = usize::try_from(job.herd_ready.load(Ordering::Acquire)).unwrap_or(0);
                if ready >= job.plan.own_herd() {
                    expire(job, orgs);
                    made.herd_went = Some((begin.micros(), renewals_of(tallies)));
                    let _ = job.herd.send(true);
                }
            }
            let next = at.min(begin.micros() + SECOND / 100);
            tokio::select! {
                () = begin.until(next) => {}
                () = told::changed(&mut says, job, begin) => {}
                _ = stop.wait_for(|stopped| *stopped), if !stopped => {
                    (stopped, made.interrupted) = (true, !told);
                    let _ = halt.send(true);
                }
            }
        };
        let mut slice = Slice::default();
        for tally in tallies {
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.slice.in_flight = tally.in_flight;
            slice.add(&tally.slice);
            tally.slice.clear();
        }
        errors += slice.errors;
        renewals += slice.renewals;
        dropped += slice.dropped;
        if !done || slice.requests > 0 {
            series.push(second, &slice);
        }
        // What is left of a second at the end has no rate.
        let now = begin.micros();
        if !done || now >= at {
            let _ = progress.send(Progress {
                begun: true,
                now,
                length: job.plan.length,
                requests: slice.requests,
                p50: slice.latency.at(0.5),
                p99: slice.latency.at(0.99),
                errors,
                renewals,
                dropped,
                in_flight: slice.in_flight,
            });
        }
        so_far.look(tallies);
        if done {
            return series;
        }
        let mut lives = job.lives.iter().flatten().peekable();
        if made.aborted.is_none() && lives.peek().is_some() && lives.all(|live| live.is_dead()) {
            made.aborted = Some("every grant had died, so nobody could play".to_owned());
            let _ = halt.send(true);
        }
        if made.aborted.is_none()
            && let Some(why) = broken_threshold(job, tallies, begin.micros())
        {
            made.aborted = Some(why);
            let _ = halt.send(true);
        }
        second += 1;
    }
}

/// Lets every session die at once: the embedded org ends them; of another org's users forget what is good.
fn expire(job: &Job, orgs: &[Arc<Org>]) {
    if orgs.is_empty() {
        job.lives.iter().flatten().for_each(|live| live.spoil());
    }
    for org in orgs {
        org.expire_access_tokens(real_now());
    }
}

fn renewals_of(tallies: &[Arc<Mutex<Tally>>]) -> u64 {
    let of =
        |tally: &Arc<Mutex<Tally>>| tally.lock().unwrap_or_else(PoisonError::into_inner).renewals.count();
    tallies.iter().map(of).sum()
}

/// A threshold that ends the run and does not hold.
fn broken_threshold(job: &Job, tallies: &[Arc<Mutex<Tally>>], now: u64) -> Option<String> {
    let time = now.saturating_sub(job.plan.warm_up);
    if job.plan.abort_after.is_none_or(|after| time < after) {
        return None;
    }
    // A part of a run has a part of its rate.
    let whole = job.plan.shard == Shard::WHOLE && job.master.is_none();
    for threshold in job.plan.thresholds.iter().filter(|threshold| whole || threshold.what != Quantity::Rate)
    {
        for (name, row) in rows(&job.scenes) {
            if !threshold.is_about(&name) {
                continue;
            }
            let mut gauge = StepGauge::default();
            for tally in tallies {
                gauge.add(&tally.lock().unwrap_or_else(PoisonError::into_inner).steps[row]);
            }
            let value = value(threshold, &gauge, time);
            if let Some(value) = value.filter(|value| !threshold.holds(*value)) {
                return Some(format!("{name}: {}: it is {}", threshold.text, threshold.words(value)));
            }
        }
    }
    None
}

/// The rows of the tally with their names, but for those steps that log in beforehand.
pub(in crate::load) fn rows(scenes: &[Arc<Scene>]) -> Vec<(String, usize)> {
    let mut rows = Vec::new();
    for scene in scenes {
        for (i, step) in scene.steps.iter().enumerate().skip(scene.login) {
            rows.push((scene::step_name(&scene.suite, &scene.scenario, i), step.row));
        }
    }
    rows
}
