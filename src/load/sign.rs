//! Signing, as a phase of its own: off the threads that send, as many at a time as there are processors. What was signed
//! can be used again until it is about to expire, or be made before the run begins.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

use super::Sent;
use super::scene::Scene;
use crate::client::{Dice, Missing, Session};
use crate::oauth::grant::jwt_bearer::LIFETIME;
use crate::subject::workload::Assertions;
use crate::wire::clock::{Watch, real_now};
use crate::wire::dice;
use rand::SeedableRng as _;

/// How long before its expiry a signature is not used any more, in milliseconds.
const MARGIN: i64 = 30_000;
/// How many signatures are asked for at a time before the run.
const AT_A_TIME: u64 = 256;

/// A request that is good for some time.
struct Signed {
    until: i64,
    sent: Arc<Sent>,
}

/// Where requests are signed.
pub(super) struct Signer {
    policy: Assertions,
    room: Arc<Semaphore>,
    processors: usize,
    /// By scene and step.
    reused: Mutex<HashMap<(usize, usize), Signed>>,
    ready: Mutex<HashMap<(usize, usize), VecDeque<Signed>>>,
}

/// A request together with what making it cost, in microseconds.
pub(super) struct Made {
    pub(super) sent: Arc<Sent>,
    /// How long it was signed, and how long it waited for its turn; none where a signature was there already.
    pub(super) took: Option<(u64, u64)>,
    /// Whether one was to be there, and was not.
    pub(super) ran_out: bool,
}

impl Signer {
    pub(super) fn new(policy: Assertions, processors: usize) -> Self {
        Self {
            policy,
            room: Arc::new(Semaphore::new(processors.max(1))),
            processors: processors.max(1),
            reused: Mutex::default(),
            ready: Mutex::default(),
        }
    }

    /// How many signatures are made at a time.
    pub(super) fn processors(&self) -> usize {
        self.processors
    }

    /// The request of a step that is signed.
    pub(super) async fn make(
        &self,
        (number, i): (usize, usize),
        scene: &Arc<Scene>,
        session: &Session,
    ) -> Result<Made, Missing> {
        let now = real_now();
        if self.policy == Assertions::Reuse {
            let reused = self.reused.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(signed) = reused.get(&(number, i)).filter(|signed| signed.until > now) {
                return Ok(Made { sent: signed.sent.clone(), took: None, ran_out: false });
            }
        }
        let mut ran_out = false;
        if let Assertions::Presigned(_) = self.policy {
            let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            let queue = ready.entry((number, i)).or_default();
            while let Some(signed) = queue.pop_front() {
                if signed.until > now {
                    return Ok(Made { sent: signed.sent, took: None, ran_out: false });
                }
            }
            ran_out = true;
        }
        let (sent, took) = self.sign(i, scene, session).await?;
        if self.policy == Assertions::Reuse {
            let signed = Signed { until: now + LIFETIME * 1000 - MARGIN, sent: sent.clone() };
            self.reused.lock().unwrap_or_else(PoisonError::into_inner).insert((number, i), signed);
        }
        Ok(Made { sent, took: Some(took), ran_out })
    }

    /// Signs beforehand what the policy wants beforehand. Answers how many that were, and how long it took in microseconds.
    pub(super) async fn prepare(&self, scenes: &[Arc<Scene>]) -> Result<(u64, u64), Missing> {
        let Assertions::Presigned(many) = self.policy else { return Ok((0, 0)) };
        let watch = Watch::start();
        let mut made = 0;
        for (number, scene) in scenes.iter().enumerate() {
            for i in
                (0..scene.steps.len()).filter(|i| scene.steps[*i].lasts == super::scene::Lasts::Assertion)
            {
                let mut left = many;
                while left > 0 {
                    let now = left.min(AT_A_TIME);
                    left -= now;
                    let tasks: Vec<_> = (0..now)
                        .map(|_| {
                            let (scene, room) = (scene.clone(), self.room.clone());
                            tokio::spawn(on_the_pool(room, i, scene, Session::default()))
                        })
                        .collect();
                    for task in tasks {
                        let Ok(signed) = task.await else { continue };
                        let (sent, _) = signed?;
                        let signed = Signed { until: real_now() + LIFETIME * 1000 - MARGIN, sent };
                        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
                        ready.entry((number, i)).or_default().push_back(signed);
                        made += 1;
                    }
                }
            }
        }
        Ok((made, watch.micros()))
    }

    async fn sign(
        &self,
        i: usize,
        scene: &Arc<Scene>,
        session: &Session,
    ) -> Result<(Arc<Sent>, (u64, u64)), Missing> {
        on_the_pool(self.room.clone(), i, scene.clone(), session.clone()).await
    }
}

async fn on_the_pool(
    room: Arc<Semaphore>,
    i: usize,
    scene: Arc<Scene>,
    session: Session,
) -> Result<(Arc<Sent>, (u64, u64)), Missing> {
    let waiting = Watch::start();
    let gone = || Missing::Unsendable("the signing threads are gone".into());
    let permit = room.acquire_owned().await.map_err(|_| gone())?;
    let made = tokio::task::spawn_blocking(move || {
        let waited = waiting.micros();
        let signing = Watch::start();
        let random = std::cell::RefCell::new(Dice(rand::rngs::StdRng::from_seed(dice::seed())));
        let sent = scene.build(i, &session, real_now(), &random).and_then(Sent::new);
        drop(permit);
        sent.map(|sent| (Arc::new(sent), (signing.micros(), waited)))
    });
    made.await.map_err(|_| gone())?
}
