//! How long something that came to nothing is left alone before it is tried again: each time for twice as long.

use std::{collections::HashMap, hash::Hash, time::Duration};
use tokio::time::Instant;

/// Pauses by key, in the memory of one process.
pub(crate) struct Pauses<K> {
    first: Duration,
    longest: Duration,
    known: HashMap<K, Pause>,
}

struct Pause {
    until: Instant,
    length: Duration,
}

impl<K: Eq + Hash> Pauses<K> {
    /// Pauses from `first` to `longest`.
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, known: HashMap::new() }
    }

    /// How long this is still left alone; none where it may be tried.
    pub(crate) fn left(&self, key: &K, now: Instant) -> Option<Duration> {
        let left = self.known.get(key)?.until.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Notes that a try came to nothing.
    pub(crate) fn lengthen(&mut self, key: K, now: Instant) {
        let length = self.known.get(&key).map_or(self.first, |last| last.length.saturating_mul(2));
        let length = length.min(self.longest);
        self.known.insert(key, Pause { until: now + length, length });
    }

    /// Keeps these alone.
    pub(crate) fn keep(&mut self, is_kept: impl Fn(&K) -> bool) {
        self.known.retain(|key, _| is_kept(key));
    }

    /// Forgets what was not tried for the longest pause since it might have been: its next pause is the first again.
    pub(crate) fn forget_old(&mut self, now: Instant) {
        self.known.retain(|_, pause| pause.until + self.longest > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_pause_is_twice_as_long_as_the_one_before_up_to_the_longest() {
        let (mut pauses, mut now) = (Pauses::new(SECOND, 5 * SECOND), Instant::now());
        assert_eq!(pauses.left(&1, now), None);
        for seconds in [1, 2, 4, 5, 5] {
            pauses.lengthen(1, now);
            assert_eq!((pauses.left(&1, now), pauses.left(&2, now)), (Some(seconds * SECOND), None));
            now += seconds * SECOND;
            assert_eq!(pauses.left(&1, now), None, "it is over");
        }
    }

    #[test]
    fn what_is_forgotten_begins_anew() {
        let (mut pauses, now) = (Pauses::new(SECOND, 4 * SECOND), Instant::now());
        let twice = |pauses: &mut Pauses<u8>| (0..2).for_each(|_| pauses.lengthen(1, now));
        let is_known = |pauses: &Pauses<u8>| pauses.known.contains_key(&1);
        twice(&mut pauses);
        pauses.forget_old(now + 5 * SECOND);
        assert_eq!(pauses.left(&1, now), Some(2 * SECOND));
        pauses.forget_old(now + 6 * SECOND);
        assert!(!is_known(&pauses));
        twice(&mut pauses);
        pauses.keep(|key| *key != 1);
        assert!(!is_known(&pauses));
    }
}
