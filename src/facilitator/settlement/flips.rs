//! Bounds how often it is written that a landing was taken back, for one settlement.
//!
//! Endpoints that contradict each other, or one that contradicts itself, can have a settlement land and be taken back many
//! times a second, and every turn is written for ever. The first is written at once, and each further one after a pause that
//! grows: so a fork costs no time, and a liar a few rows a minute. What is not written changes nothing: the settlement stays
//! landed and is looked at again.

use crate::domain::settlement::SettlementId;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The pause after the first time that a landing was taken back; four times as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How long a blockhash lives. The longest pause; after so long in peace the next time is a first one again.
const LIFE: Duration = Duration::from_mins(1);

#[derive(Clone, Copy)]
struct Flipped {
    /// When it was written last.
    at: Instant,
    /// The pause before it is written again.
    pause: Duration,
    /// How often it was not written since.
    unwritten: u64,
}

/// Settlements whose landing was taken back lately.
#[derive(Default)]
pub(crate) struct Flips(Mutex<HashMap<SettlementId, Flipped>>);

impl Flips {
    /// Whether that a landing was taken back is to be written now; counted where it is not.
    pub(crate) fn is_due(&self, id: SettlementId, now: Instant) -> bool {
        match self.lock().get_mut(&id) {
            Some(flipped) if now < flipped.at + flipped.pause => {
                flipped.unwritten += 1;
                false
            }
            Some(_) | None => true,
        }
    }

    /// Notes that a landing was written as taken back; gives how often it was not since the time before.
    pub(crate) fn written(&self, id: SettlementId, now: Instant) -> u64 {
        let mut flipped = self.lock();
        flipped.retain(|_, flipped| now < flipped.at + flipped.pause + LIFE);
        let before = flipped.get(&id).copied();
        let pause = before.map_or(FIRST_PAUSE, |before| (before.pause * 4).min(LIFE));
        flipped.insert(id, Flipped { at: now, pause, unwritten: 0 });
        before.map_or(0, |before| before.unwritten)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SettlementId, Flipped>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn each_time_is_written_later_than_the_one_before_and_the_others_are_counted() {
        let (flips, id, mut now) = (Flips::default(), SettlementId::from_random_bytes([1; 16]), Instant::now());
        for (pause, unwritten) in [(1, 0), (4, 2), (16, 2), (60, 2), (60, 2)] {
            assert!(flips.is_due(id, now));
            assert_eq!(flips.written(id, now), unwritten);
            assert!(!flips.is_due(id, now));
            now += Duration::from_secs(pause);
            assert!(!flips.is_due(id, now - MILLI));
        }
        assert!(flips.is_due(SettlementId::from_random_bytes([2; 16]), now), "each settlement by itself");
    }

    #[test]
    fn after_a_life_in_peace_the_next_time_is_a_first_one() {
        let (flips, id, now) = (Flips::default(), SettlementId::from_random_bytes([1; 16]), Instant::now());
        flips.written(id, now);
        let later = now + FIRST_PAUSE + LIFE;
        flips.written(id, later);
        assert!(flips.is_due(id, later + FIRST_PAUSE));
    }
}
