//! Time: the real one, or one of the org's own that passes when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

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
    Own(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn real() -> Self {
        Self::Real(Arc::new(AtomicI64::new(0)))
    }

    /// A clock of its own that begins at that moment.
    pub fn own(begin: i64) -> Self {
        Self::Own(Arc::new(AtomicI64::new(begin)))
    }

    /// Milliseconds since the epoch.
    pub fn now(&self) -> i64 {
        match self {
            Clock::Real(offset) => real_now() + offset.load(Ordering::Relaxed),
            Clock::Own(now) => now.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Lets time go by until that moment, where it has not come yet; the machine's clock goes by itself.
    pub fn reach(&self, moment: i64) {
        if let Clock::Own(at) = self {
            at.fetch_max(moment, Ordering::Relaxed);
        }
    }

    /// Waits: in real time by the machine's clock, and not at all by one of its own, which goes on by so much.
    pub async fn wait(&self, time: std::time::Duration) {
        match self {
            Clock::Real(_) => tokio::time::sleep(time).await,
            Clock::Own(_) => self.advance(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)),
        }
    }

    /// Lets time go by.
    pub fn advance(&self, millis: i64) {
        match self {
            Clock::Real(at) | Clock::Own(at) => at.fetch_add(millis, Ordering::Relaxed),
        };
    }
}

/// A span of real time that is being measured.
pub struct Watch(std::time::Instant);

impl Watch {
    /// Begins to measure.
    #[allow(clippy::disallowed_methods)]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Microseconds since the begin.
    pub fn micros(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;

    #[test]
    fn a_clock_of_its_own_passes_when_told() {
        let clock = Clock::own(1000);
        assert_eq!(clock.now(), 1000);
        clock.clone().advance(60_000);
        assert_eq!(clock.now(), 61_001);
    }
}
