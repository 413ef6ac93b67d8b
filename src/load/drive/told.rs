//! A run of which a master says how many play each scenario, and may say otherwise at any moment.

use rand::Rng as _;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::watch;

use super::super::pace::SECOND;
use super::super::plan::{Model, Told};
use super::Job;
use super::thread::{Starter, Thread, finish, started};
use crate::subject::workload::Arrivals;
use crate::wire::clock::Watch;

/// How many play each scenario, since when, and how many plays should have begun before then, where the number is a rate.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Levels {
    since: u64,
    /// By scene: the level, and the sum of plays until `since`.
    scenes: Vec<(u64, f64)>,
}

impl Levels {
    pub(super) fn new(scenes: usize) -> Self {
        Self { since: 0, scenes: vec![(0, 0.0); scenes] }
    }

    /// Other levels from a moment on.
    fn change(&mut self, now: u64, levels: impl Iterator<Item = u64>) {
        let seconds = now.saturating_sub(self.since) as f64 / SECOND as f64;
        for ((level, sum), next) in self.scenes.iter_mut().zip(levels) {
            *sum += *level as f64 * seconds;
            *level = next;
        }
        self.since = self.since.max(now);
    }

    fn level(&self, scene: usize) -> u64 {
        self.scenes.get(scene).map_or(0, |(level, _)| *level)
    }

    /// When so many plays of a scene should have begun; none as long as nothing changes.
    fn when(&self, scene: usize, plays: f64) -> Option<u64> {
        let (level, sum) = *self.scenes.get(scene)?;
        let seconds = (plays - sum).max(0.0) / level as f64;
        (level > 0).then(|| self.since + (seconds * SECOND as f64).round() as u64)
    }
}

/// The name by which a master knows the users of a scenario: letters, digits and `_`, and no two scenarios have the same.
pub fn class(suite: &str, scenario: &str) -> String {
    const MOST: usize = 48;
    let mut name = String::new();
    for c in scenario.chars().take(MOST) {
        match c {
            c if c.is_ascii_alphanumeric() => name.push(c),
            _ if name.ends_with('_') => {}
            _ => name.push('_'),
        }
    }
    // A class of Python does not begin with a digit.
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name.insert_str(0, "S_");
    }
    let hash = crate::oauth::sha256(format!("{}/{suite}/{scenario}", suite.len()));
    let hash: String = hash.iter().take(3).map(|byte| format!("{byte:02x}")).collect();
    format!("{}_{hash}", name.trim_end_matches('_'))
}

/// Waits until the master says something else, and notes when it did; for ever where there is none.
pub(super) async fn changed(
    says: &mut Option<watch::Receiver<Arc<BTreeMap<String, u64>>>>,
    job: &Job,
    begin: Watch,
) {
    let Some(receiver) = says else { return std::future::pending().await };
    let levels = job.levels.borrow().clone();
    let said = receiver.borrow().clone();
    if (0..job.classes.len()).any(|scene| levels.level(scene) != told(&said, job, scene)) {
        // What was said before anybody listened.
        receiver.mark_unchanged();
        return note(job, &said, begin);
    }
    match receiver.changed().await {
        Ok(()) => {
            let said = receiver.borrow_and_update().clone();
            note(job, &said, begin);
        }
        Err(_) => *says = None,
    }
}

fn told(said: &BTreeMap<String, u64>, job: &Job, scene: usize) -> u64 {
    job.classes.get(scene).and_then(|class| said.get(class)).copied().unwrap_or(0)
}

fn note(job: &Job, said: &BTreeMap<String, u64>, begin: Watch) {
    let now = begin.micros();
    let next = (0..job.classes.len()).map(|scene| told(said, job, scene));
    job.levels.send_modify(|levels| levels.change(now, next));
}

/// As many users of each scene as the master says, those of this thread.
pub(super) async fn closed(thread: &Rc<Thread>) {
    let Model::Told(Told { most, .. }) = thread.job.plan.model else { return };
    let mut levels = thread.job.levels.subscribe();
    let playing: Rc<RefCell<BTreeSet<(usize, u64)>>> = Rc::default();
    let mut tasks = tokio::task::JoinSet::new();
    let mut stop = thread.job.stop.clone();
    let threads = thread.job.plan.threads.max(1);
    loop {
        let now = levels.borrow_and_update().clone();
        for scene in 0..thread.job.scenes.len() {
            let users = now.level(scene).min(most as u64);
            for number in (thread.number as u64..users).step_by(threads) {
                if playing.borrow_mut().insert((scene, number)) {
                    let (thread, playing) = (thread.clone(), playing.clone());
                    tasks.spawn_local(async move {
                        user(&thread, scene, number).await;
                        playing.borrow_mut().remove(&(scene, number));
                    });
                }
            }
        }
        while tasks.try_join_next().is_some() {}
        tokio::select! {
            biased;
            _ = stop.wait_for(|stopped| *stopped) => break,
            changed = levels.changed() => if changed.is_err() { break },
        }
    }
    let mut all = std::pin::pin!(async { while tasks.join_next().await.is_some() {} });
    finish(thread, all.as_mut()).await;
}

/// One user of a scene, as long as there are to be so many.
async fn user(thread: &Rc<Thread>, scene: usize, number: u64) {
    let plan = &thread.job.plan;
    let Model::Told(Told { pacing, .. }) = plan.model else { return };
    let mut user = thread.user();
    let live = thread.live(scene, number);
    if let Some(live) = live.as_ref().filter(|live| plan.users_log_in_late() && !live.is_there())
        && let Err(failed) = user.log_in(thread, live).await
    {
        live.tells_of_death();
        thread.tally().death(thread.now(), scene, failed.why);
    }
    let mut next = thread.now();
    loop {
        if live.as_ref().is_some_and(|live| live.is_dead())
            || (next > thread.now() && !thread.until(next).await)
        {
            return;
        }
        if thread.stopped() || number >= thread.job.levels.borrow().level(scene) {
            return;
        }
        // Without pacing a play should begin when it can; with it, when its time has come.
        let intended = if pacing.is_some() { next } else { thread.now() };
        if pacing.is_some() {
            started(thread, intended);
        }
        thread.tally().in_flight += 1;
        user.play(thread, scene, live.clone(), intended, intended >= plan.warm_up).await;
        thread.tally().in_flight -= 1;
        next = pacing.map_or(next, |pacing| intended + pacing);
    }
}

/// As many plays of each scene as the master says begin in a second, those of this thread.
pub(super) async fn open(thread: &Rc<Thread>) {
    let scenes: Vec<_> = (0..thread.job.scenes.len())
        .map(|scene| {
            let thread = thread.clone();
            tokio::task::spawn_local(async move { rate(&thread, scene).await })
        })
        .collect();
    let mut all = std::pin::pin!(async {
        for scene in scenes {
            let _ = scene.await;
        }
    });
    finish(thread, all.as_mut()).await;
}

async fn rate(thread: &Rc<Thread>, scene: usize) {
    let Model::Told(Told { arrivals, .. }) = thread.job.plan.model else { return };
    let threads = thread.job.plan.threads.max(1) as f64;
    let mut levels = thread.job.levels.subscribe();
    let mut stop = thread.job.stop.clone();
    let mut starter = Starter::new(thread);
    // Every so many plays of the scene one is of this thread; at random ones it has a process of its own.
    let gap = || match arrivals {
        Arrivals::Constant => threads,
        Arrivals::Poisson => -threads * (1.0 - thread.dice().0.random::<f64>()).ln(),
    };
    let mut due = match arrivals {
        Arrivals::Constant => thread.number as f64,
        Arrivals::Poisson => gap(),
    };
    let mut in_a_row = 0;
    loop {
        let at = levels.borrow_and_update().when(scene, due);
        let waiting = async {
            match at {
                Some(at) if at > thread.now() => thread.until(at).await,
                Some(_) => true,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stopped| *stopped) => break,
            changed = levels.changed() => if changed.is_err() { break },
            _ = waiting => {
                starter.play(scene, at.unwrap_or(0));
                due += gap();
                // Who is behind lets others go on all the same.
                in_a_row += 1;
                if in_a_row % 16 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
    starter.rest().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_class_is_a_name_of_python_and_nobody_elses() {
        let name = class("load/token", "web server: refresh (2)");
        assert!(name.starts_with("web_server_refresh_2_") && name.is_ascii(), "{name}");
        assert!(class("s", "3 of 4").starts_with("S_3_of_4_"));
        assert_ne!(class("s", "ä"), class("s", "ö"));
        assert_ne!(class("a", "b/c"), class("a/b", "c"));
        assert!(class("s", &"x".repeat(500)).len() < 64);
    }

    proptest! {
        #[test]
        fn a_rate_that_changes_loses_no_play(levels in prop::collection::vec((0u64..50, 1u64..20), 1..8)) {
            let mut told = Levels::new(1);
            let (mut now, mut due, mut begun, mut wanted) = (0, 0.0, 0u64, 0);
            for (level, seconds) in levels {
                told.change(now, std::iter::once(level));
                now += seconds * SECOND;
                wanted += level * seconds;
                while told.when(0, due).is_some_and(|at| at < now) {
                    begun += 1;
                    due += 1.0;
                }
            }
            // The first begins at once: at the end of a second so many have begun as its rate says.
            prop_assert!(begun.abs_diff(wanted) <= 1, "{begun} of {wanted}");
        }
    }
}
