//! A map that forgets what is over, and the oldest half where it grows too large.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// What can be forgotten.
pub(super) trait Aged {
    /// When it came to be.
    fn born(&self) -> i64;
    /// Whether nobody will ask for it any more.
    fn is_over(&self, now: i64) -> bool;
}

/// The map. Sweeping is paid for by the insertions that made it grow. Values are boxed, so that growing, which happens within
/// the lock of the store, moves little.
pub(super) struct Bounded<K, V> {
    map: HashMap<K, Box<V>>,
    sweep_at: usize,
    swept: i64,
    most: usize,
}

/// How often at least what is over is looked for, in milliseconds, so that a quiet hour gives memory back.
const SWEEP_EVERY: i64 = 10 * 60_000;

impl<K: Eq + Hash, V: Aged> Bounded<K, V> {
    pub fn new(most: usize) -> Self {
        Self { map: HashMap::new(), sweep_at: 1024, swept: i64::MIN, most }
    }

    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.map.get(key).map(Box::as_ref)
    }

    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.map.get_mut(key).map(Box::as_mut)
    }

    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.map.remove(key).map(|value| *value)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.map.values().map(Box::as_ref)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.map.values_mut().map(Box::as_mut)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.map.iter().map(|(key, value)| (key, value.as_ref()))
    }

    pub fn insert(&mut self, key: K, value: V, now: i64) {
        if self.map.len() >= self.sweep_at.min(self.most) || now.saturating_sub(self.swept) >= SWEEP_EVERY {
            self.sweep(now);
        }
        self.map.insert(key, Box::new(value));
    }

    fn sweep(&mut self, now: i64) {
        self.map.retain(|_, value| !value.is_over(now));
        if self.map.len() >= self.most {
            let mut ages: Vec<i64> = self.values().map(Aged::born).collect();
            let half = ages.len() / 2;
            let (_, middle, _) = ages.select_nth_unstable(half);
            let middle = *middle;
            self.map.retain(|_, value| value.born() > middle);
        }
        if self.map.len() < self.map.capacity() / 4 {
            self.map.shrink_to(self.map.len() * 2);
        }
        self.sweep_at = (self.map.len() * 2).max(1024);
        self.swept = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Until(i64);

    impl Aged for Until {
        fn born(&self) -> i64 {
            self.0
        }

        fn is_over(&self, now: i64) -> bool {
            self.0 <= now
        }
    }

    #[test]
    fn what_is_over_goes_and_the_rest_stays_within_bounds() {
        let mut map = Bounded::new(2000);
        for i in 0..100_000 {
            map.insert(i, Until(i), i - 10);
        }
        assert!(map.map.len() <= 1100 && map.get(&99_999).is_some());
        let mut full = Bounded::new(2000);
        for i in 0..100_000 {
            full.insert(i, Until(i), -1);
        }
        assert!(full.map.len() <= 2000 && full.get(&99_999).is_some());
    }
}
