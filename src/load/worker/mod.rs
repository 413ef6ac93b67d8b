//! A worker of a Locust master: joins it over ZeroMQ, plays as many users as it says, tells it what was counted, and hands
//! its exact report to the bridge at the end. The protocol is that of Locust 2.x, whose master takes workers of any make
//! that say `-1` for their version.

pub mod bridge;
mod link;
pub mod message;
pub mod stats;
mod test;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use rmpv::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

use super::drive::{Options, Progress, class, playable};
use super::report::{LoadReport, json};
use crate::run::Surroundings;
use crate::wire::clock::Watch;
use crate::wire::{process, zmtp};
use link::{Heard, Link};
use message::{Said, map};
use test::{News, Test};

/// How often the worker tells that it is there.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// After how many heartbeats statistics are told.
const STATS_EVERY: u64 = 3;
/// How long a master may say nothing before the connection is made anew, in microseconds.
const SILENCE: u64 = 5_000_000;
/// How long a master that was there may be away before the worker gives up, in microseconds; Locust's own workers do so.
const AWAY: u64 = 60_000_000;
/// How long one waits for a master that was never there, in microseconds.
const NEVER: u64 = 300_000_000;
/// How long a master that was joined anew may say nothing of the users that play.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A worker.
pub struct Worker {
    /// Where the master listens: `HOST:PORT`.
    pub master: String,
    /// The name by which it knows this worker; no two have the same.
    pub name: String,
    /// What is played.
    pub options: Options,
    /// The way to the org.
    pub around: Surroundings,
    /// How long a master that was joined anew may say nothing of the users that play, before they are ended: one that was
    /// started anew knows nothing of them. [`PATIENCE`].
    pub patience: Duration,
}

/// What a worker tells whoever looks on.
#[derive(Debug)]
pub enum Tells {
    /// What happened, in words.
    Line(String),
    /// A second of a test.
    Progress(Progress),
    /// A test is over.
    Report(Box<LoadReport>),
}

/// The master is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no Locust master at {at}: {why}")]
pub struct Away {
    /// Where it was looked for.
    pub at: String,
    /// What was seen last.
    pub why: String,
}

/// What the worker does, in the words of Locust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    Spawning,
    Running,
    Cleanup,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Ready => "ready",
            State::Spawning => "spawning",
            State::Running => "running",
            State::Cleanup => "cleanup",
        }
    }
}

/// Works for a master until it says that the worker is to leave, or `stop` turns true. Answers the report of the last test.
///
/// # Errors
/// The master is not there, or not any more.
pub async fn work(
    worker: &Worker,
    tell: &mpsc::UnboundedSender<Tells>,
    mut stop: watch::Receiver<bool>,
) -> Result<Option<LoadReport>, Away> {
    // Users of what cannot be played would be told as users that play.
    let Options { scenarios, target, plan, .. } = &worker.options;
    let (playable, _) = playable(scenarios, target, plan.tokens);
    let classes = playable.iter().map(|(suite, scenario)| class(suite, &scenario.name));
    let mut desk = Desk {
        worker,
        tell,
        classes: classes.collect(),
        link: Link::to(&worker.master, &worker.name),
        known: false,
        state: State::Ready,
        test: None,
        users: BTreeMap::new(),
        last_spawn: f64::NEG_INFINITY,
        over: false,
        wanted: Wanted::default(),
        report: None,
        strangers: BTreeSet::new(),
        cpu: (Watch::start(), process::cpu()),
        silence: Watch::start(),
        ever: false,
        why: "nobody answered".to_owned(),
        gone: None,
        forgotten: None,
    };
    desk.line(format!("looking for the master at {}", worker.master));
    let mut ticks = tokio::time::interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut beats = 0;
    loop {
        tokio::select! {
            heard = desk.link.next() => desk.hears(heard).await,
            news = test::next(&mut desk.test) => desk.goes_on(news).await,
            _ = ticks.tick() => {
                beats += 1;
                desk.beat(beats).await;
            }
            _ = stop.wait_for(|stopped| *stopped), if !desk.wanted.leave => {
                desk.wanted.leave = true;
                desk.wanted.by_person = true;
                desk.end();
            }
        }
        if desk.wanted.leave && desk.test.is_none() {
            if let Some(away) = desk.gone {
                return Err(away);
            }
            if desk.wanted.by_person {
                desk.send("quit", Value::Nil).await;
            }
            return Ok(desk.report);
        }
    }
}

/// What is to be done when the test is over.
#[derive(Default)]
struct Wanted {
    leave: bool,
    by_person: bool,
    /// The master said that the test is over, and wants to hear that it is.
    stopped: bool,
    report: bool,
    /// Users of a test that begins afterwards.
    next: Option<BTreeMap<String, u64>>,
}

struct Desk<'w> {
    worker: &'w Worker,
    tell: &'w mpsc::UnboundedSender<Tells>,
    classes: BTreeSet<String>,
    link: Link,
    /// Whether the master said that it knows us, on this connection.
    known: bool,
    state: State,
    test: Option<Test<'w>>,
    /// As the master said, of the classes that are played here; none of the others.
    users: BTreeMap<String, u64>,
    last_spawn: f64,
    /// Whether the test ended by itself: what the master says of its users changes nothing any more.
    over: bool,
    wanted: Wanted,
    report: Option<LoadReport>,
    /// Classes that are not played here, and were told.
    strangers: BTreeSet<String>,
    cpu: (Watch, Option<u64>),
    /// Since the master was heard.
    silence: Watch,
    ever: bool,
    why: String,
    /// Since when it was joined anew, while users play of which it said nothing since.
    forgotten: Option<Watch>,
    /// Nobody waits for it any more; a test that goes on is ended first, and told.
    gone: Option<Away>,
}

impl Desk<'_> {
    fn line(&self, line: String) {
        let _ = self.tell.send(Tells::Line(line));
    }

    async fn send(&mut self, kind: &str, data: Value) {
        let bytes = message::write(kind, data, &self.worker.name);
        if let Err(why) = self.link.send(&bytes).await {
            self.cut(&why);
        }
    }

    /// Tells the master what it shows beside the statistics.
    async fn exception(&mut self, text: &str) {
        self.line(text.to_owned());
        let told = format!("{}: {text}", self.worker.name);
        self.send("exception", map([("msg", told.as_str().into()), ("traceback", told.as_str().into())]))
            .await;
    }

    fn cut(&mut self, why: &zmtp::Broken) {
        if self.known {
            self.line(format!("the connection to the master is lost: {why}"));
        } else if !self.ever && self.why != why.to_string() {
            let minutes = NEVER / 60_000_000;
            self.line(format!(
                "it is not there yet: {why}; it is looked for again and again, for {minutes} minutes"
            ));
        }
        self.why = why.to_string();
        self.known = false;
        self.link = Link::again(&self.worker.master, &self.worker.name);
    }

    async fn hears(&mut self, heard: Result<Heard, zmtp::Broken>) {
        match heard {
            Err(why) => self.cut(&why),
            Ok(Heard::Connected) => self.send("client_ready", (-1).into()).await,
            Ok(Heard::Message(bytes)) => {
                self.silence = Watch::start();
                match message::read(&bytes) {
                    Ok(said) => self.is_told(said).await,
                    Err(why) => self.line(why.to_string()),
                }
            }
        }
    }

    async fn is_told(&mut self, said: Said) {
        match said {
            Said::Ack(index) => {
                if !self.known {
                    let number = index.map_or(String::new(), |index| format!(" as worker {index}"));
                    self.line(format!("joined the master at {}{number}", self.worker.master));
                }
                if !self.known && self.ever && self.test.as_ref().is_some_and(|test| !test.ends()) {
                    self.forgotten = Some(Watch::start());
                }
                (self.known, self.ever) = (true, true);
            }
            Said::Spawn { at, users } => self.spawn(at, users).await,
            Said::Stop => {
                self.wanted.stopped = true;
                self.wanted.next = None;
                self.end();
                self.settle().await;
            }
            Said::Quit => {
                self.wanted.leave = true;
                self.end();
            }
            Said::Report => {
                self.wanted.report = true;
                self.end();
                self.settle().await;
            }
            Said::Reconnect => self.cut(&zmtp::Broken::Closed("the master wants another".into())),
            Said::Heartbeat | Said::Other(_) => {}
        }
    }

    async fn spawn(&mut self, at: f64, users: BTreeMap<String, u64>) {
        self.send("spawning", Value::Nil).await;
        if at <= self.last_spawn {
            return;
        }
        (self.last_spawn, self.forgotten) = (at, None);
        let strangers: Vec<String> = users
            .iter()
            .filter(|(name, n)| **n > 0 && !self.classes.contains(*name))
            .map(|(name, _)| name.clone())
            .collect();
        for name in strangers {
            if self.strangers.insert(name.clone()) {
                let text = format!(
                    "`{name}` is not played here: start the worker with the suites that the bridge was written for"
                );
                self.exception(&text).await;
            }
        }
        let playable = |name: &String, n: u64| if self.classes.contains(name) && !self.over { n } else { 0 };
        let users: BTreeMap<String, u64> =
            users.into_iter().map(|(name, n)| (name.clone(), playable(&name, n))).collect();
        match &mut self.test {
            Some(test) if test.ends() => {
                self.wanted.next = Some(users);
                return;
            }
            Some(test) => test.says(&users),
            // Where nothing of it can be played, there is nothing to begin.
            None if self.over || self.classes.is_empty() => {}
            None => {
                self.report = None;
                self.test = Some(Test::begin(self.worker, &users));
            }
        }
        self.users = users;
        self.state = State::Spawning;
        self.spawned().await;
    }

    /// Tells that all users are there, where they are.
    async fn spawned(&mut self) {
        if self.state == State::Spawning && self.test.as_ref().is_none_or(Test::plays) {
            self.state = State::Running;
            let users = message::users(&self.users);
            self.send("spawning_complete", map(users)).await;
        }
    }

    /// The test is to end.
    fn end(&mut self) {
        self.forgotten = None;
        if let Some(test) = &self.test {
            test.end();
            self.state = State::Cleanup;
        }
    }

    async fn goes_on(&mut self, news: News) {
        match news {
            News::Progress(progress) => {
                let _ = self.tell.send(Tells::Progress(progress));
                self.spawned().await;
            }
            News::Died(many) => self.exception(&format!("{many} grants died; the report says why")).await,
            News::Over(outcome) => {
                self.users.values_mut().for_each(|users| *users = 0);
                if let Some(test) = self.test.take() {
                    self.over = !test.ends();
                    let data = test.last_stats().told(&self.users);
                    self.send("stats", data).await;
                }
                match *outcome {
                    Ok(report) => {
                        if let Some(why) = report.aborted.as_ref().or(report.run.broken.as_ref()) {
                            self.exception(why).await;
                        }
                        let _ = self.tell.send(Tells::Report(Box::new(report.clone())));
                        self.report = Some(report);
                    }
                    Err(why) => self.exception(&format!("nothing could be played: {why}")).await,
                }
                self.settle().await;
                if let Some(users) = self.wanted.next.take() {
                    self.test = Some(Test::begin(self.worker, &users));
                    (self.users, self.state) = (users, State::Spawning);
                }
            }
        }
    }

    /// Does what was waited for until no test goes on.
    async fn settle(&mut self) {
        if self.test.is_some() {
            return;
        }
        if std::mem::take(&mut self.wanted.report) {
            let report = match &self.report {
                Some(report) => Value::Binary(packed(report)),
                None => Value::Nil,
            };
            self.send(
                message::REPORT,
                map([("worker", self.worker.name.as_str().into()), ("report", report)]),
            )
            .await;
        }
        if std::mem::take(&mut self.wanted.stopped) {
            self.over = false;
            self.send("client_stopped", Value::Nil).await;
            self.send("client_ready", (-1).into()).await;
        }
        self.state = State::Ready;
    }

    /// Once a second: whether anybody is there, and that we are.
    async fn beat(&mut self, beats: u64) {
        let silence = self.silence.micros();
        if silence > if self.ever { AWAY } else { NEVER } && self.gone.is_none() {
            let why = if self.ever {
                format!("it was not heard for a minute ({})", self.why)
            } else {
                self.why.clone()
            };
            self.gone = Some(Away { at: self.worker.master.clone(), why });
            self.wanted.leave = true;
            self.end();
            return;
        }
        let patience = u64::try_from(self.worker.patience.as_micros()).unwrap_or(u64::MAX);
        if self.forgotten.as_ref().is_some_and(|since| since.micros() > patience) {
            let text =
                "the master that was joined anew knows nothing of the users that play here: they are ended";
            self.exception(text).await;
            self.end();
        }
        if !self.link.is_up() {
            return;
        }
        if silence > SILENCE && self.link.age() > SILENCE {
            return self.cut(&zmtp::Broken::Away("it says nothing".into()));
        }
        if !self.known {
            // The first one may have come before the master listened.
            return self.send("client_ready", (-1).into()).await;
        }
        let cpu = self.cpu_share();
        let beat = map([
            ("state", self.state.word().into()),
            ("current_cpu_usage", cpu.into()),
            ("current_memory_usage", process::memory().into()),
        ]);
        self.send("heartbeat", beat).await;
        if beats.is_multiple_of(STATS_EVERY)
            && let Some(data) = self.test.as_mut().map(|test| test.stats(&self.users))
        {
            self.send("stats", data).await;
        }
    }

    /// Processor time since it was asked last, in percent of what this process may use: 100 means that it is what bounds the
    /// test.
    fn cpu_share(&mut self) -> f64 {
        let (since, before) = std::mem::replace(&mut self.cpu, (Watch::start(), process::cpu()));
        let used = self.cpu.1.zip(before).map_or(0, |(now, before)| now.saturating_sub(before));
        let room = since.micros().max(1) as f64 * self.worker.options.plan.threads.max(1) as f64;
        (used as f64 * 1000.0 / room).round() / 10.0
    }
}

/// The JSON of a report, compressed with zlib.
fn packed(report: &LoadReport) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing into memory cannot fail.
    let _ = zlib.write_all(json(report).as_bytes());
    zlib.finish().unwrap_or_default()
}
