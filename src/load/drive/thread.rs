//! One thread that sends: its users, its share of the timetable, and what it counts.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::super::LATE;
use super::super::pace::{SECOND, Turn};
use super::super::plan::{Model, Told};
use super::super::play::{Pool, User};
use super::super::session::Live;
use super::super::tally::Tally;
use super::{Job, told};
use crate::client::Dice;
use crate::subject::workload::Connections;
use crate::wire::clock::{Watch, thread_cpu};
use crate::wire::dice;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

/// How long answers are waited for when no more plays begin, beyond the time that an answer may take.
const GRACE: Duration = Duration::from_secs(1);

/// How many connections the callers of a herd share.
const HERD_CONNECTIONS: usize = 256;

/// One thread and what is its own.
pub(in crate::load) struct Thread {
    pub(in crate::load) job: Arc<Job>,
    pub(super) number: usize,
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
    pub(in crate::load) fn now(&self) -> u64 {
        self.job.begin.get().map_or(0, Watch::micros)
    }

    pub(in crate::load) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Dice of their own for one request.
    pub(in crate::load) fn dice(&self) -> Dice {
        Dice(StdRng::from_rng(&mut *self.dice.borrow_mut()))
    }

    /// Whether the next play is one for the catalogue.
    pub(in crate::load) fn samples(&self) -> bool {
        let number = self.plays.get();
        self.plays.set(number + 1);
        self.tally().samples(number)
    }

    /// A user for a renewal, with the connections of the last one.
    pub(in crate::load) fn renewer(&self) -> User {
        self.renewers.borrow_mut().pop().unwrap_or_else(|| User::new(&self.job.scenes, None))
    }

    /// Somebody who plays.
    pub(super) fn user(&self) -> User {
        User::new(&self.job.scenes, self.pool.clone())
    }

    pub(in crate::load) fn give_back(&self, user: User) {
        self.renewers.borrow_mut().push(user);
    }

    /// Takes one play of those that may begin.
    fn claim(&self) -> bool {
        let begun = self.job.begun.fetch_add(1, Ordering::Relaxed);
        self.job.plan.own_count().is_none_or(|count| begun < count)
    }

    pub(super) fn stopped(&self) -> bool {
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
    pub(super) fn live(&self, scene: usize, user: u64) -> Option<Arc<Live>> {
        let lives = self.job.lives.get(scene).filter(|lives| !lives.is_empty())?;
        let at = usize::try_from(user).unwrap_or(0) % lives.len();
        Some(lives[at].clone())
    }

    /// Waits for a moment; false where the run was stopped before it.
    pub(super) async fn until(&self, at: u64) -> bool {
        let Some(begin) = self.job.begin.get() else { return false };
        let mut stop = self.job.stop.clone();
        tokio::select! {
            biased;
            _ = stop.wait_for(|stopped| *stopped) => false,
            () = begin.until(at) => true,
        }
    }
}

/// One thread from its begin to its end.
pub(super) fn thread(job: Arc<Job>, number: usize, tally: Arc<Mutex<Tally>>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        job.ready.fetch_add(1, Ordering::Release);
        return;
    };
    let local = tokio::task::LocalSet::new();
    let shared = match job.plan.own_connections() {
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
                Model::Told(Told { open: false, .. }) => told::closed(&thread).await,
                Model::Told(_) => told::open(&thread).await,
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
    // How many users there will be nobody knows: each logs in when it comes.
    if thread.job.plan.users_log_in_late() {
        return;
    }
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
    if lives.is_empty() {
        return;
    }
    let pool = Rc::new(Pool::new(HERD_CONNECTIONS.div_ceil(threads)));
    let mut tasks = tokio::task::JoinSet::new();
    for number in (thread.number..thread.job.plan.own_herd()).step_by(threads) {
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
    let users = thread.job.plan.own_users() as u64;
    let threads = thread.job.plan.threads.max(1) as u64;
    let tasks: Vec<_> = (thread.number as u64..users)
        .step_by(usize::try_from(threads).unwrap_or(1))
        .map(|here| {
            let thread = thread.clone();
            tokio::task::spawn_local(async move { user(&thread, here).await })
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
pub(super) async fn finish(thread: &Rc<Thread>, mut all: std::pin::Pin<&mut impl Future<Output = ()>>) {
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
        // Each request under way has its own limit by then; whatever still hangs is left.
        tokio::time::sleep(thread.job.within + GRACE).await;
    };
    tokio::select! {
        () = all.as_mut() => {}
        () = ended => {}
    }
}

/// One user of a closed run, by its number here.
async fn user(thread: &Rc<Thread>, here: u64) {
    let plan = &thread.job.plan;
    let Model::Users(course, pacing) = &plan.model else { return };
    let mut user = thread.user();
    let mut turn = Turn::new(plan.shard.number(here), *pacing);
    // Who is behind its pace at the end may make up for it as long as an answer may take.
    let last = plan.length.map(|length| length.saturating_add(thread.job.within.as_micros() as u64));
    loop {
        let now = thread.now();
        if thread.stopped() {
            return;
        }
        let Some(at) = turn.next(course, now) else { return };
        if plan.length.is_some_and(|length| at >= length) {
            return;
        }
        if last.is_some_and(|last| now >= last) {
            if !thread.claim() {
                return;
            }
            dropped(thread, at);
            continue;
        }
        let waits = at > now;
        if waits && !thread.until(at).await {
            return;
        }
        if !thread.claim() {
            return;
        }
        // Without pacing a play should begin when it can; with it, when its time has come.
        let intended = match (pacing, waits) {
            (Some(_), _) => at,
            (None, true) => thread.now(),
            (None, false) => now,
        };
        if pacing.is_some() {
            started(thread, intended);
        }
        let scene = thread.next_scene();
        let live = thread.live(scene, here);
        if live.as_ref().is_some_and(|live| live.is_dead()) {
            return;
        }
        thread.tally().in_flight += 1;
        user.play(thread, scene, live, intended, intended >= plan.warm_up).await;
        thread.tally().in_flight -= 1;
    }
}

/// Counts a play that should have begun and does not.
fn dropped(thread: &Rc<Thread>, intended: u64) {
    if intended >= thread.job.plan.warm_up {
        let mut tally = thread.tally();
        tally.dropped += 1;
        tally.slice.dropped += 1;
    }
}

/// Counts how far the begin of a play is from its time.
pub(super) fn started(thread: &Rc<Thread>, intended: u64) {
    let error = thread.now().saturating_sub(intended);
    if intended < thread.job.plan.warm_up {
        return;
    }
    let mut tally = thread.tally();
    tally.start_error.record(error);
    tally.late += u64::from(error > LATE);
}

/// An open run: this thread's share of the timetable.
async fn open(thread: &Rc<Thread>) {
    let plan = &thread.job.plan;
    let threads = plan.threads.max(1) as u64;
    let mut starter = Starter::new(thread);
    let mut in_a_row = 0;
    for (_, number, at) in plan.starts().filter(|(here, ..)| here % threads == thread.number as u64) {
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
        starter.play(thread.job.turns.of(number), at);
    }
    let mut all = std::pin::pin!(starter.rest());
    finish(thread, all.as_mut()).await;
}

/// Begins plays of an open run, and knows those that are under way.
pub(super) struct Starter {
    thread: Rc<Thread>,
    /// Users that do nothing at the moment, each with its number here.
    idle: Rc<RefCell<Vec<(u64, User)>>>,
    users: u64,
    tasks: tokio::task::JoinSet<()>,
}

impl Starter {
    pub(super) fn new(thread: &Rc<Thread>) -> Self {
        let tasks = tokio::task::JoinSet::new();
        Self { thread: thread.clone(), idle: Rc::default(), users: 0, tasks }
    }

    /// Begins a play that should have begun at that moment, or drops it where too many are in flight.
    pub(super) fn play(&mut self, scene: usize, at: u64) {
        while self.tasks.try_join_next().is_some() {}
        let thread = &self.thread;
        let plan = &thread.job.plan;
        let counted = at >= plan.warm_up;
        if !thread.job.enter() {
            return dropped(thread, at);
        }
        started(thread, at);
        let free = self.idle.borrow_mut().pop();
        let (slot, mut user) = free.unwrap_or_else(|| {
            self.users += 1;
            ((self.users - 1) * plan.threads.max(1) as u64 + thread.number as u64, thread.user())
        });
        let live = thread.live(scene, slot);
        thread.tally().in_flight += 1;
        let (thread, idle) = (thread.clone(), self.idle.clone());
        self.tasks.spawn_local(async move {
            user.play(&thread, scene, live, at, counted).await;
            thread.tally().in_flight -= 1;
            thread.job.leave();
            idle.borrow_mut().push((slot, user));
        });
    }

    /// Waits until all are over.
    pub(super) async fn rest(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}
