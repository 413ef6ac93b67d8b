//! The runner: plans what is played, plays it, judges the record, and makes the rows of the report.

mod before;
mod client;
mod control;
mod doors;
mod expectation;
mod explained;
pub mod fixture;
mod given;
pub mod judging;
mod launch;
mod matching;
mod plan;
mod play;
mod preflight;
mod recorded;
mod replay;
mod rows;
mod storm;
mod trigger;
mod world;

pub use before::{How, Look, look_before};
pub use client::Client;
pub use plan::{Cost, Plan, Planned, Selection, plan};
pub use preflight::{EMBEDDED, Surroundings, embedded_endpoints, look_around, look_back};
pub use recorded::{is_one_play, judge_recording};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::org::fault::Fault;
use crate::report::Report;
use crate::subject::Target;
use crate::suite::Suite;
use crate::transcript::{Recording, Redactor, Transcript};
use crate::wire::clock::Watch;
use crate::wire::isolation::Wall;

/// What a run is about.
#[derive(Clone)]
pub struct Options {
    /// The org.
    pub target: Target,
    /// What is played.
    pub suites: Vec<Suite>,
    /// Which of it.
    pub selection: Selection,
    /// Faults that the embedded org commits.
    pub faults: Vec<&'static Fault>,
    /// Whether the embedded org is reached over a socket instead of in process.
    pub socket: bool,
    /// Whether destructive scenarios may be played on a foreign target.
    pub destructive: bool,
    /// The most token requests that may go to a foreign target; none means no limit was set.
    pub budget: Option<u32>,
    /// Decides order, identifiers, and the dice of the embedded org.
    pub seed: u64,
    /// Moment at which the clocks of embedded orgs begin, in milliseconds since the epoch; none means now.
    pub begin: Option<i64>,
    /// How many scenarios are played at a time on the embedded org.
    pub jobs: usize,
    /// How long an answer may take.
    pub within: Duration,
    /// A recording that answers in place of the target, to which nothing is sent then.
    pub replay: Option<Arc<Recording>>,
    /// Who is the client where a suite judges clients.
    pub client: Client,
    /// Who cuts client programs off from every network, where that can be done.
    pub wall: Option<Wall>,
    /// Where headless Chromium is, for suites that want it.
    pub chromium: Option<PathBuf>,
}

impl Options {
    /// All of these suites against that target, one at a time and with nothing that needs leave.
    pub fn new(target: Target, suites: Vec<Suite>) -> Self {
        Self {
            target,
            suites,
            selection: Selection::default(),
            faults: Vec::new(),
            socket: false,
            destructive: false,
            budget: None,
            seed: 1,
            begin: None,
            jobs: 1,
            within: Duration::from_secs(10),
            replay: None,
            client: Client::default(),
            wall: None,
            chromium: None,
        }
    }
}

/// What a run tells while it goes on.
#[derive(Clone, Debug)]
pub enum Progress {
    /// A scenario was judged.
    Judged {
        /// How many are done.
        done: usize,
        /// How many there are.
        all: usize,
        /// Suite and scenario.
        name: String,
        /// The word of its verdict.
        verdict: &'static str,
    },
    /// A person has to open this page, which leads to the org, and log in as this user.
    OpenBrowser {
        /// The page, on the loopback interface.
        url: String,
        /// The user name.
        user: String,
    },
    /// A person has to do this to a client that runs already.
    Say {
        /// What, in the words of its program file.
        text: String,
    },
}

/// What a run came to.
pub struct Outcome {
    /// The report, not yet redacted.
    pub report: Report,
    /// Everything that was sent and came back.
    pub transcript: Transcript,
    /// Knows every secret of the run.
    pub redactor: Redactor,
}

/// Plays a plan. Ends early, with what was played by then, when `stop` turns true.
///
/// # Errors
/// The world got in the way before anything was played.
pub async fn run(
    options: &Options,
    surroundings: Surroundings,
    progress: mpsc::UnboundedSender<Progress>,
    stop: watch::Receiver<bool>,
) -> Result<Outcome, crate::wire::Error> {
    let watch = Watch::start();
    let plan = plan(options, &surroundings);
    let all = plan.plays.len();
    let shared =
        Arc::new(control::Shared::new(options.clone(), surroundings, progress.clone(), stop.clone()));
    // Scenarios of a foreign target share its users and limits, and those of a socket its port: they are played
    // one after another.
    let alone = (!options.target.is_embedded() || options.socket) && options.replay.is_none();
    let jobs = if alone { 1 } else { options.jobs.max(1) };
    let room = Arc::new(Semaphore::new(jobs));
    let mut tasks = Vec::new();
    let mut interrupted = false;
    for at in plan.order {
        let play = plan.plays[at].clone();
        let mut stopped = stop.clone();
        let permit = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => { interrupted = true; break; }
            permit = room.clone().acquire_owned() => permit,
        };
        let shared = shared.clone();
        let planned = play.clone();
        let task = tokio::spawn(async move {
            let row = control::play_and_judge(&shared, &play).await;
            drop(permit);
            row
        });
        tasks.push((at, planned, task));
    }
    let mut rows = Vec::new();
    for (done, (at, planned, task)) in tasks.into_iter().enumerate() {
        let row = task.await.or_else(|why| match why.is_panic() {
            true => {
                Ok(Some(rows::unplayed(&planned, "grantcheck broke while playing it: our bug".into(), 1)))
            }
            false => Err(why),
        });
        match row {
            Ok(Some(row)) => {
                let name = format!("{} › {}", row.row.suite, row.row.scenario);
                let _ = progress.send(Progress::Judged {
                    done: done + 1,
                    all,
                    name,
                    verdict: row.row.verdict.word(),
                });
                rows.push((at, row));
            }
            Ok(None) => interrupted = true,
            Err(_) => interrupted = true,
        }
    }
    shared.person.leave().await;
    rows.sort_by_key(|(at, _)| *at);
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    let mut redactor = Redactor::new(crate::wire::dice::seed());
    redactor.learn_target(&options.target);
    if let Client::Program(program) = &options.client {
        program.secrets.iter().for_each(|secret| redactor.learn("secret", secret.expose()));
    }
    let (mut report, transcript) = rows::report(options, &shared.surroundings, rows);
    report.duration_ms = watch.micros() / 1000;
    report.interrupted = interrupted || *stop.borrow();
    for exchange in &transcript.exchanges {
        redactor.learn_exchange(exchange);
    }
    Ok(Outcome { report, transcript, redactor })
}
