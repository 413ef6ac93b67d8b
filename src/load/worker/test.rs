//! One test of a master as it goes on: a load run that is told how many play.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

use super::Worker;
use super::stats::Stats;
use crate::load::drive::{Master, Options, Progress, SoFar, load};
use crate::load::report::LoadReport;
use crate::wire::Error;
use crate::wire::clock::real_now;

type Running<'w> = Pin<Box<dyn Future<Output = Result<LoadReport, Error>> + 'w>>;

/// A test.
pub(super) struct Test<'w> {
    running: Running<'w>,
    says: watch::Sender<Arc<BTreeMap<String, u64>>>,
    hears: mpsc::UnboundedReceiver<SoFar>,
    progress: mpsc::UnboundedReceiver<Progress>,
    stop: watch::Sender<bool>,
    plays: bool,
    died: u64,
    stats: Stats,
}

/// What happens in it.
pub(super) enum News {
    Progress(Progress),
    /// So many grants died so far.
    Died(u64),
    Over(Box<Result<LoadReport, Error>>),
}

impl<'w> Test<'w> {
    pub(super) fn begin(worker: &'w Worker, users: &BTreeMap<String, u64>) -> Self {
        let (says, said) = watch::channel(Arc::new(users.clone()));
        let (tell, hears) = mpsc::unbounded_channel();
        let (go, progress) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let master = Master { worker: worker.name.clone(), says: said, hears: tell };
        let options = Options { master: Some(master), ..worker.options.clone() };
        let running = Box::pin(load(options, &worker.around, go, stopped));
        Self { running, says, hears, progress, stop, plays: false, died: 0, stats: Stats::begin(real_now()) }
    }

    /// So many there are to be.
    pub(super) fn says(&self, users: &BTreeMap<String, u64>) {
        self.says.send_replace(Arc::new(users.clone()));
    }

    /// No more plays begin.
    pub(super) fn end(&self) {
        self.stop.send_replace(true);
    }

    /// Whether it was told to end.
    pub(super) fn ends(&self) -> bool {
        *self.stop.borrow()
    }

    /// Whether users are there: before, sessions log in and assertions are signed.
    pub(super) fn plays(&self) -> bool {
        self.plays
    }

    /// What the master is told since the last time.
    pub(super) fn stats(&mut self, users: &BTreeMap<String, u64>) -> rmpv::Value {
        self.stats.told(users)
    }

    /// What is left to tell when it is over.
    pub(super) fn last_stats(mut self) -> Stats {
        while let Ok(so_far) = self.hears.try_recv() {
            self.stats.take(so_far);
        }
        self.stats
    }
}

/// Waits for what happens next in a test; for ever where there is none. Who stops waiting loses nothing.
pub(super) async fn next(test: &mut Option<Test<'_>>) -> News {
    let Some(test) = test else { return std::future::pending().await };
    loop {
        tokio::select! {
            outcome = &mut test.running => return News::Over(Box::new(outcome)),
            Some(progress) = test.progress.recv() => {
                test.plays |= progress.begun;
                return News::Progress(progress);
            }
            Some(so_far) = test.hears.recv() => {
                let died = so_far.died;
                test.stats.take(so_far);
                if died > test.died {
                    test.died = died;
                    return News::Died(died);
                }
            }
        }
    }
}
