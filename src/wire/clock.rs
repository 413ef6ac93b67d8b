//! Time: the real one, or one of the org's own that passes when it is told to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// Milliseconds since the epoch by the machine's clock.
#[allow(clippy::disallowed_methods)]
pub fn real_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A clock that everybody who shares it reads the same.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's, plus what was advanced, in milliseconds.
    Real(Arc<AtomicI64>),
    /// One that stands still but for a millisecond at each reading, so that what happens has an order.
    Own(Arc<Standing>),
}

/// A clock that stands still until it is told to go on.
#[derive(Debug)]
pub struct Standing {
    at: AtomicI64,
    /// Tells those who wait for a moment that it went on.
    moved: Notify,
    /// The moments that somebody waits for, by number.
    awaited: Mutex<BTreeMap<u64, i64>>,
    /// How many waits there were, which numbers them.
    waits: AtomicU64,
    /// How many of them came to their end.
    ended: AtomicU64,
}

/// Somebody who waits for a moment, until it is dropped.
struct Waiter {
    standing: Arc<Standing>,
    number: u64,
    end: i64,
}

impl Standing {
    fn awaited(&self) -> MutexGuard<'_, BTreeMap<u64, i64>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    fn new(standing: Arc<Standing>, time: Duration) -> Self {
        let end = standing.at.load(Ordering::Relaxed).saturating_add(millis(time));
        let number = standing.waits.fetch_add(1, Ordering::Relaxed);
        standing.awaited().insert(number, end);
        Self { standing, number, end }
    }

    async fn until_the_end(self) {
        loop {
            let moved = self.standing.moved.notified();
            if self.standing.at.load(Ordering::Relaxed) >= self.end {
                self.standing.ended.fetch_add(1, Ordering::Relaxed);
                return;
            }
            moved.await;
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.standing.awaited().remove(&self.number);
    }
}

impl Clock {
    /// The machine's clock.
    pub fn real() -> Self {
        Self::Real(Arc::new(AtomicI64::new(0)))
    }

    /// A clock of its own that begins at that moment.
    pub fn own(begin: i64) -> Self {
        Self::Own(Arc::new(Standing {
            at: AtomicI64::new(begin),
            moved: Notify::new(),
            awaited: Mutex::default(),
            waits: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        }))
    }

    /// Milliseconds since the epoch.
    pub fn now(&self) -> i64 {
        match self {
            Clock::Real(offset) => real_now() + offset.load(Ordering::Relaxed),
            Clock::Own(standing) => standing.at.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Lets time go by until that moment, where it has not come yet; the machine's clock goes by itself.
    pub fn reach(&self, moment: i64) {
        if let Clock::Own(standing) = self {
            standing.at.fetch_max(moment, Ordering::Relaxed);
            standing.moved.notify_waiters();
        }
    }

    /// Waits until so much time has gone by, which is for others to let go by where the clock stands still. It counts from
    /// this call on, whenever it is awaited.
    pub fn until_gone_by(&self, time: Duration) -> impl Future<Output = ()> + use<> {
        let waiter = match self {
            Clock::Own(standing) => Some(Waiter::new(standing.clone(), time)),
            Clock::Real(_) => None,
        };
        async move {
            match waiter {
                Some(waiter) => waiter.until_the_end().await,
                None => tokio::time::sleep(time).await,
            }
        }
    }

    /// Whether somebody waits for a moment that has come, and did not get round to noticing it.
    pub fn is_overdue(&self) -> bool {
        let Clock::Own(standing) = self else { return false };
        let now = standing.at.load(Ordering::Relaxed);
        standing.awaited().values().any(|end| *end <= now)
    }

    /// How many waits for a moment came to their end.
    pub fn waits_ended(&self) -> u64 {
        match self {
            Clock::Own(standing) => standing.ended.load(Ordering::Relaxed),
            Clock::Real(_) => 0,
        }
    }

    /// Waits: in real time by the machine's clock, and not at all by one of its own, which goes on by so much.
    pub async fn wait(&self, time: Duration) {
        match self {
            Clock::Real(_) => tokio::time::sleep(time).await,
            Clock::Own(_) => self.advance(millis(time)),
        }
    }

    /// Lets time go by.
    pub fn advance(&self, millis: i64) {
        match self {
            Clock::Real(at) => {
                at.fetch_add(millis, Ordering::Relaxed);
            }
            Clock::Own(standing) => {
                standing.at.fetch_add(millis, Ordering::Relaxed);
                standing.moved.notify_waiters();
            }
        }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// A span of real time that is being measured.
#[derive(Clone, Copy, Debug)]
pub struct Watch(std::time::Instant);

impl Watch {
    /// Begins to measure.
    #[allow(clippy::disallowed_methods)]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Measures from a moment on, in milliseconds since the epoch by the machine's clock; it may lie ahead.
    #[allow(clippy::disallowed_methods)]
    pub fn at(moment: i64) -> Self {
        let (now, ahead) = (std::time::Instant::now(), moment.saturating_sub(real_now()));
        let by = Duration::from_millis(ahead.unsigned_abs());
        let at = if ahead < 0 { now.checked_sub(by) } else { now.checked_add(by) };
        Self(at.unwrap_or(now))
    }

    /// Microseconds since the begin; 0 before it.
    pub fn micros(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The moment when so much time will have gone by since the begin.
    pub fn after(&self, time: Duration) -> tokio::time::Instant {
        (self.0 + time).into()
    }

    /// Waits until so many microseconds have gone by since the begin; the timer has steps of a millisecond, and is never
    /// early.
    pub async fn until(&self, micros: u64) {
        tokio::time::sleep_until((self.0 + Duration::from_micros(micros)).into()).await;
    }
}

/// Processor time that the calling thread used so far, in microseconds; none where the system does not tell.
pub fn thread_cpu() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let micros = used.tv_sec.saturating_mul(1_000_000).saturating_add(used.tv_nsec / 1000);
        u64::try_from(micros).ok()
    }
    #[cfg(not(target_os = "linux"))]
    None
}

#[cfg(test)]
mod tests {
    use super::{Clock, Watch, real_now};
    use std::time::Duration;

    #[tokio::test]
    async fn a_span_may_begin_at_any_moment() {
        assert!(Watch::at(real_now() - 5_000).micros() >= 4_000_000);
        let ahead = Watch::at(real_now() + 3_600_000);
        assert_eq!(ahead.micros(), 0);
        assert!(tokio::time::timeout(Duration::from_millis(1), ahead.until(0)).await.is_err());
        // Nothing was so long ago, or lies so far ahead, that it breaks.
        let _ = (Watch::at(i64::MIN).micros(), Watch::at(i64::MAX).micros());
    }

    #[tokio::test]
    async fn who_waits_for_a_moment_is_told_when_it_comes() {
        let clock = Clock::own(1000);
        let waiting = tokio::spawn({
            let clock = clock.clone();
            async move { clock.until_gone_by(Duration::from_secs(10)).await }
        });
        tokio::task::yield_now().await;
        clock.advance(9_000);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished() && !clock.is_overdue());
        clock.advance(1_000);
        assert!(clock.is_overdue());
        waiting.await.unwrap();
        assert_eq!((clock.is_overdue(), clock.waits_ended()), (false, 1));
        // It counts from the call on, and who does not wait any more is not waited for.
        let late = clock.until_gone_by(Duration::from_secs(1));
        clock.advance(1_000);
        assert!(clock.is_overdue());
        drop(late);
        assert!(!clock.is_overdue());
    }

    #[test]
    fn a_clock_of_its_own_passes_when_told() {
        let clock = Clock::own(1000);
        assert_eq!(clock.now(), 1000);
        clock.clone().advance(60_000);
        assert_eq!(clock.now(), 61_001);
    }
}
