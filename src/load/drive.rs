//! Driving a load run: hosts for the embedded org, one thread for each processor, and a look at all of them once a
//! second.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

use super::gauge::{Series, Slice, StepGauge};
use super::pace::{SECOND, Timetable};
use super::plan::{Model, Plan};
use super::play::{Pool, User};
use super::report::{LoadReport, Made, told};
use super::scene::{Scene, unplayable};
use super::session::Live;
use super::sign::Signer;
use super::tally::Tally;
use super::threshold::value;
use crate::client::Dice;
use crate::org::Org;
use crate::org::fault::Fault;
use crate::run::{Surroundings, embedded_endpoints};
use crate::subject::workload::Connections;
use crate::subject::{Setting, Settings, Target};
use crate::suite::Scenario;
use crate::wire::clock::{Watch, real_now, thread_cpu};
use crate::wire::host::Host;
use crate::wire::line::Way;
use crate::wire::{Clock, Error, dice};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

/// How long answers are waited for when no more plays begin, beyond the time that an answer may take.
const GRACE: Duration = Duration::from_secs(1);

/// How many connections the callers of a herd share.
const HERD_CONNECTIONS: usize = 256;

/// What is to be loaded.
pub struct Options {
    /// The org.
    pub target: Target,
    /// Scenarios, each with the id of its suite.
    pub scenarios: Vec<(String, Arc<Scenario>)>,
    /// Scenarios that the target cannot be asked: suite, name, and why.
    pub left_out: Vec<(String, String, String)>,
    /// Faults that the embedded org commits.
    pub faults: Vec<&'static Fault>,
    /// What is done.
    pub plan: Plan,
    /// How long an answer may take.
    pub within: Duration,
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
pub(super) struct Job {
    pub(super) plan: Plan,
    pub(super) scenes: Vec<Arc<Scene>>,
    pub(super) way: Way,
    pub(super) signer: Signer,
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
}

impl Job {
    /// A caller of the herd is ready.
    pub(super) fn herd_is_ready(&self) {
        self.herd_ready.fetch_add(1, Ordering::Release);
    }

    /// Tells when the herd goes.
    pub(super) fn herd_goes(&self) -> watch::Receiver<bool> {
        self.herd.subscribe()
    }

    /// When the herd goes, in microseconds: in the middle of what is counted.
    fn herd_at(&self) -> Option<u64> {
        let length = self.plan.length.filter(|_| self.plan.herd > 0)?;
        Some(self.plan.warm_up + (length - self.plan.warm_up) / 2)
    }
}

/// One thread and what is its own.
pub(super) struct Thread {
    pub(super) job: Arc<Job>,
    number: usize,
    tally: Arc<Mutex<Tally>>,
    dice: RefCell<StdRng>,
    /// Plays of this thread, for the sample.
    plays: Cell<u64>,
    /// How often each scene was played in proportion to its weight.
    turns: RefCell<Vec<i64>>,
    renewers: RefCell<Vec<User>>,
    /// Connections that users share.
    pool: Option<Rc<Pool>>,
}

impl Thread {
    /// Microseconds since the begin of the timetable; 0 before it.
    pub(super) fn now(&self) -> u64 {
        self.job.begin.get().map_or(0, Watch::micros)
    }

    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Dice of their own for one request.
    pub(super) fn dice(&self) -> Dice {
        Dice(StdRng::from_rng(&mut *self.dice.borrow_mut()))
    }

    /// Whether the next play is one for the catalogue.
    pub(super) fn samples(&self) -> bool {
        let number = self.plays.get();
        self.plays.set(number + 1);
        self.tally().samples(number)
    }

    /// A user for a renewal, with the connections of the last one.
    pub(super) fn renewer(&self) -> User {
        self.renewers.borrow_mut().pop().unwrap_or_else(|| User::new(&self.job.scenes, None))
    }

    /// Somebody who plays.
    fn user(&self) -> User {
        User::new(&self.job.scenes, self.pool.clone())
    }

    pub(super) fn give_back(&self, user: User) {
        self.renewers.borrow_mut().push(user);
    }

    /// Takes one play of those that may begin.
    fn claim(&self) -> bool {
        let begun = self.job.begun.fetch_add(1, Ordering::Relaxed);
        self.job.plan.count.is_none_or(|count| begun < count)
    }

    fn stopped(&self) -> bool {
        *self.job.stop.borrow()
    }

    /// The scene whose turn it is: the one that is furthest behind its weight.
    fn next_scene(&self) -> usize {
        let mut turns = self.turns.borrow_mut();
        if turns.len() == 1 {
            return 0;
        }
        let scenes = &self.job.scenes;
        let all: i64 = scenes.iter().map(|scene| i64::from(scene.scenario.weight)).sum();
        for (turn, scene) in turns.iter_mut().zip(scenes) {
            *turn += i64::from(scene.scenario.weight);
        }
        let next = (0..turns.len()).max_by_key(|i| (turns[*i], std::cmp::Reverse(*i))).unwrap_or(0);
        turns[next] -= all;
        next
    }

    /// The session of a user, where sessions outlive a play.
    fn live(&self, scene: usize, user: u64) -> Option<Arc<Live>> {
        let lives = self.job.lives.get(scene).filter(|lives| !lives.is_empty())?;
        let at = usize::try_from(user).unwrap_or(0) % lives.len();
        Some(lives[at].clone())
    }

    /// Waits for a moment; false where the run was stopped before it.
    async fn until(&self, at: u64) -> bool {
        let Some(begin) = self.job.begin.get() else { return false };
        let mut stop = self.job.stop.clone();
        tokio::select! {
            biased;
            _ = stop.wait_for(|stopped| *stopped) => false,
            () = begin.until(at) => true,
        }
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
    let mut made = Made { begun: real_now(), not_testable, ..Made::default() };
    let mut hosts: Vec<(Settings, Host, Arc<Org>)> = Vec::new();
    let mut scenes: Vec<Arc<Scene>> = Vec::new();
    let mut row = 0;
    for (suite, scenario) in &options.scenarios {
        if let Some(why) = unplayable(scenario, &options.target) {
            made.not_testable.push((suite.clone(), scenario.name.clone(), why));
            continue;
        }
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
        if options.plan.sessions() > 0 {
            scene.login = scene.steps_that_log_in();
            if scene.login == 0 || scene.login == scene.steps.len() {
                let why = "its session is to outlive a play, and it has no step that logs in before others that use it";
                made.not_testable.push((suite.clone(), scenario.name.clone(), why.into()));
                continue;
            }
        }
        row += scene.steps.len();
        scenes.push(Arc::new(scene));
    }
    let plan = options.plan;
    let lives =
        (0..scenes.len()).map(|scene| (0..plan.sessions()).map(|_| Live::new(scene)).collect()).collect();
    let threads = plan.threads.max(1);
    let ((go, _), (herd, _)) = (watch::channel(false), watch::channel(false));
    let (halt, halted) = watch::channel(false);
    let job = Arc::new(Job {
        way: Way::new(
            options.target.ca.as_deref(),
            options.within,
            plan.connections == Connections::PerUser,
        )?,
        signer: Signer::new(plan.assertions, threads),
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
            std::thread::spawn(move || thread(job, number, tally))
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
    let mut series = Series::default();
    let waiting = Watch::start();
    // The threads log their sessions in; when all are ready, the timetable begins for all of them.
    while usize::try_from(job.ready.load(Ordering::Acquire)).unwrap_or(0) < workers.len()
        && !workers.iter().all(std::thread::JoinHandle::is_finished)
    {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(2)) => {}
            _ = stop.wait_for(|stopped| *stopped), if !made.interrupted => {
                made.interrupted = true;
                let _ = halt.send(true);
            }
        }
    }
    made.logging_in = waiting.micros();
    let begin = *job.begin.get_or_init(Watch::start);
    let _ = job.go.send(true);
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
                if ready >= job.plan.herd {
                    expire(job, orgs);
                    made.herd_went = Some((begin.micros(), renewals_of(tallies)));
                    let _ = job.herd.send(true);
                }
            }
            let next = at.min(begin.micros() + SECOND / 100);
            tokio::select! {
                () = begin.until(next) => {}
                _ = stop.wait_for(|stopped| *stopped), if !made.interrupted => {
                    made.interrupted = true;
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
        let _ = progress.send(Progress {
            begun: true,
            now: begin.micros(),
            length: job.plan.length,
            requests: slice.requests,
            p50: slice.latency.at(0.5),
            p99: slice.latency.at(0.99),
            errors,
            renewals,
            dropped,
            in_flight: slice.in_flight,
        });
        if done {
            return series;
        }
        let mut lives = job.lives.iter().flatten().peekable();
        if made.aborted.is_none() && lives.peek().is_some() && lives.all(|live| live.is_dead()) {
            made.aborted = Some("every grant died, so nobody can play".to_owned());
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
    for threshold in &job.plan.thresholds {
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
pub(super) fn rows(scenes: &[Arc<Scene>]) -> Vec<(String, usize)> {
    let mut rows = Vec::new();
    for scene in scenes {
        for (i, step) in
            scene.scenario.steps.iter().chain(&scene.scenario.cleanup).enumerate().skip(scene.login)
        {
            let label = step.label.as_ref().map_or(String::new(), |label| format!(" ({label})"));
            rows.push((
                format!("{} › {} {}{label}", scene.name(), i + 1, step.action.name()),
                scene.steps[i].row,
            ));
        }
    }
    rows
}

/// One thread from its begin to its end.
fn thread(job: Arc<Job>, number: usize, tally: Arc<Mutex<Tally>>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        job.ready.fetch_add(1, Ordering::Release);
        return;
    };
    let local = tokio::task::LocalSet::new();
    let shared = match job.plan.connections {
        Connections::Shared(most) => usize::try_from(most).ok(),
        _ => None,
    };
    let thread = Rc::new(Thread {
        pool: shared.map(|most| Rc::new(Pool::new(most.div_ceil(job.plan.threads.max(1))))),
        turns: RefCell::new(vec![0; job.scenes.len()]),
        dice: RefCell::new(StdRng::from_seed(dice::seed())),
        plays: Cell::new(0),
        renewers: RefCell::default(),
        number,
        tally,
        job,
    });
    local.block_on(&runtime, async {
        log_in(&thread).await;
        thread.job.ready.fetch_add(1, Ordering::Release);
        let mut go = thread.job.go.subscribe();
        if go.wait_for(|go| *go).await.is_err() {
            return;
        }
        let (cpu, begun) = (thread_cpu(), Watch::start());
        let users = async {
            match &thread.job.plan.model {
                Model::Users(..) => closed(&thread).await,
                Model::Rate(..) => open(&thread).await,
            }
        };
        tokio::join!(users, herd(&thread));
        let used = cpu.zip(thread_cpu()).map(|(before, after)| (after - before, begun.micros()));
        thread.tally().cpu = used;
    });
}

/// Gets the first tokens of this thread's share of the sessions, a few at a time.
async fn log_in(thread: &Rc<Thread>) {
    const AT_A_TIME: usize = 16;
    let threads = thread.job.plan.threads.max(1);
    let share: Vec<Arc<Live>> =
        thread.job.lives.iter().flatten().skip(thread.number).step_by(threads).cloned().collect();
    let queue = Rc::new(RefCell::new(share));
    let tasks: Vec<_> = (0..AT_A_TIME)
        .map(|_| {
            let (thread, queue) = (thread.clone(), queue.clone());
            tokio::task::spawn_local(async move {
                let mut user = thread.renewer();
                loop {
                    let next = queue.borrow_mut().pop();
                    let Some(live) = next.filter(|_| !thread.stopped()) else { break };
                    if let Err(failed) = user.log_in(&thread, &live).await {
                        live.tells_of_death();
                        thread.tally().death(0, live.scene, failed.why);
                    }
                }
                thread.give_back(user);
            })
        })
        .collect();
    for task in tasks {
        let _ = task.await;
    }
}

/// This thread's share of the herd, a second before it goes and until the last of it was answered.
async fn herd(thread: &Rc<Thread>) {
    let Some(at) = thread.job.herd_at() else { return };
    if !thread.until(at.saturating_sub(SECOND)).await {
        return;
    }
    let threads = thread.job.plan.threads.max(1);
    let lives: Vec<Arc<Live>> = thread.job.lives.iter().flatten().cloned().collect();
    let pool = Rc::new(Pool::new(HERD_CONNECTIONS.div_ceil(threads)));
    let mut tasks = tokio::task::JoinSet::new();
    for number in (thread.number..thread.job.plan.herd).step_by(threads) {
        let live = lives[number % lives.len()].clone();
        let (thread, pool) = (thread.clone(), pool.clone());
        tasks.spawn_local(async move {
            let mut user = User::new(&thread.job.scenes, Some(pool));
            let holds = user.in_herd(&thread, live).await;
            let now = thread.now();
            let mut tally = thread.tally();
            tally.herd_done += 1;
            tally.herd_failed += u64::from(!holds);
            tally.herd_end = tally.herd_end.max(now);
        });
    }
    let mut stop = thread.job.stop.clone();
    tokio::select! {
        () = async { while tasks.join_next().await.is_some() {} } => {}
        _ = stop.wait_for(|stopped| *stopped) => {}
    }
}

/// A closed run: the users of this thread, each in a task of its own.
async fn closed(thread: &Rc<Thread>) {
    let users = thread.job.plan.users() as u64;
    let threads = thread.job.plan.threads.max(1) as u64;
    let tasks: Vec<_> = (thread.number as u64..users)
        .step_by(usize::try_from(threads).unwrap_or(1))
        .map(|number| {
            let thread = thread.clone();
            tokio::task::spawn_local(async move { user(&thread, number).await })
        })
        .collect();
    let mut all = std::pin::pin!(async {
        for task in tasks {
            let _ = task.await;
        }
    });
    finish(thread, all.as_mut()).await;
}

/// Waits until all is over; who is still on the way some time after the end is left.
async fn finish(thread: &Rc<Thread>, mut all: std::pin::Pin<&mut impl Future<Output = ()>>) {
    let mut stop = thread.job.stop.clone();
    let ended = async {
        let length = thread.job.plan.length;
        match (length, thread.job.begin.get()) {
            (Some(length), Some(begin)) => tokio::select! {
                () = begin.until(length) => {}
                _ = stop.wait_for(|stopped| *stopped) => {}
            },
            _ => {
                let _ = stop.wait_for(|stopped| *stopped).await;
            }
        }
        tokio::time::sleep(thread.job.within + GRACE).await;
    };
    tokio::select! {
        () = all.as_mut() => {}
        () = ended => {}
    }
}

/// One user of a closed run.
async fn user(thread: &Rc<Thread>, number: u64) {
    let plan = &thread.job.plan;
    let Model::Users(course, pacing) = &plan.model else { return };
    let mut user = thread.user();
    let mut next = 0;
    loop {
        let now = thread.now().max(next);
        if thread.stopped() || plan.length.is_some_and(|length| now >= length) {
            return;
        }
        let Some(at) = course.above(number as f64, now) else { return };
        if at > thread.now() && !thread.until(at).await {
            return;
        }
        if plan.length.is_some_and(|length| at >= length) || !thread.claim() {
            return;
        }
        // Without pacing a play should begin when it can; with it, when its time has come.
        let intended = if pacing.is_some() { at } else { thread.now() };
        if pacing.is_some() {
            started(thread, intended);
        }
        let scene = thread.next_scene();
        let live = thread.live(scene, number);
        if live.as_ref().is_some_and(|live| live.is_dead()) {
            return;
        }
        thread.tally().in_flight += 1;
        user.play(thread, scene, live, intended, intended >= plan.warm_up).await;
        thread.tally().in_flight -= 1;
        if let Some(pacing) = pacing {
            next = intended + pacing;
        }
    }
}

/// Counts how far the begin of a play is from its time.
fn started(thread: &Rc<Thread>, intended: u64) {
    let error = thread.now().saturating_sub(intended);
    if intended < thread.job.plan.warm_up {
        return;
    }
    let mut tally = thread.tally();
    tally.start_error.record(error);
    tally.late += u64::from(error > super::LATE);
}

/// An open run: this thread's share of the timetable.
async fn open(thread: &Rc<Thread>) {
    let plan = &thread.job.plan;
    let Model::Rate(course, arrivals) = &plan.model else { return };
    let threads = plan.threads.max(1) as u64;
    let room = plan.in_flight.div_ceil(plan.threads.max(1)).max(1) as u64;
    let seed = dice::seed_of(plan.seed, "arrivals");
    let timetable = Timetable::new(course.clone(), *arrivals, seed)
        .take_while(|(_, at)| plan.length.is_none_or(|length| *at < length))
        .take_while(|(number, _)| plan.count.is_none_or(|count| *number < count));
    let idle: Rc<RefCell<Vec<(u64, User)>>> = Rc::default();
    let mut slots = 0;
    let mut tasks = tokio::task::JoinSet::new();
    let mut in_a_row = 0;
    for (_, at) in timetable.filter(|(number, _)| number % threads == thread.number as u64) {
        if at > thread.now() {
            in_a_row = 0;
            if !thread.until(at).await {
                break;
            }
        } else {
            // Who is behind its timetable lets others go on all the same.
            in_a_row += 1;
            if in_a_row % 16 == 0 {
                tokio::task::yield_now().await;
            }
        }
        if thread.stopped() {
            break;
        }
        while tasks.try_join_next().is_some() {}
        let counted = at >= plan.warm_up;
        let in_flight = thread.tally().in_flight;
        if in_flight >= room {
            if counted {
                let mut tally = thread.tally();
                tally.dropped += 1;
                tally.slice.dropped += 1;
            }
            continue;
        }
        started(thread, at);
        let free = idle.borrow_mut().pop();
        let (slot, mut user) = free.unwrap_or_else(|| {
            slots += 1;
            ((slots - 1) * threads + thread.number as u64, thread.user())
        });
        let scene = thread.next_scene();
        let live = thread.live(scene, slot);
        thread.tally().in_flight += 1;
        let (thread, idle) = (thread.clone(), idle.clone());
        tasks.spawn_local(async move {
            user.play(&thread, scene, live, at, counted).await;
            thread.tally().in_flight -= 1;
            idle.borrow_mut().push((slot, user));
        });
    }
    let mut all = std::pin::pin!(async { while tasks.join_next().await.is_some() {} });
    finish(thread, all.as_mut()).await;
}
