//! The slot that no reading may be older than: raised by what nodes tell, and by nothing that cannot be true.
//!
//! One absurd slot of one node would make every honest endpoint one that is behind. So a slot is believed only up to where
//! the chain can have come since the endpoints were last compared: at twice the pace that was measured, and with [`SLACK`].
//! What is beyond has to be told by a second endpoint, or again where there is only one. An endpoint that creeps ahead
//! by less is not found here: it is believed as much as one that the others lag behind.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// So many slots are given for nothing: comparisons are seconds apart, and a test moves slots by hand.
const SLACK: u64 = 512;
/// The pace of the cluster, and until it is measured that of the quickest local network.
const SLOT: Duration = Duration::from_millis(400);
const QUICKEST_SLOT: Duration = Duration::from_millis(10);
/// A shorter time between two comparisons measures nothing.
const MEASURED_IN: Duration = Duration::from_secs(5);

/// A slot that the chain had certainly reached, or that a lone endpoint told.
#[derive(Clone, Copy, Debug)]
struct Agreed {
    slot: u64,
    at: Instant,
}

#[derive(Debug)]
struct Known {
    floor: u64,
    agreed: Option<Agreed>,
    /// The shortest time a slot may take.
    slot_time: Duration,
    /// What an endpoint told that could not be, and which one.
    claim: Option<(usize, u64)>,
}

/// See the module.
pub(super) struct Floor {
    /// Whether there is one endpoint only.
    alone: bool,
    known: Mutex<Known>,
}

impl Known {
    /// The highest slot that one endpoint alone is believed.
    fn ceiling(&self, now: Instant) -> Option<u64> {
        let agreed = self.agreed?;
        let slots = now.duration_since(agreed.at).as_millis() / self.slot_time.as_millis().max(1);
        Some(agreed.slot.saturating_add(u64::try_from(slots).unwrap_or(u64::MAX)).saturating_add(SLACK))
    }

    fn agree(&mut self, slot: u64, at: Instant) {
        if let Some(before) = self.agreed {
            let (took, slots) = (at.duration_since(before.at), slot.saturating_sub(before.slot));
            if took >= MEASURED_IN && slots > 0 {
                let half = took / u32::try_from(slots.saturating_mul(2)).unwrap_or(u32::MAX);
                self.slot_time = half.clamp(Duration::from_millis(1), SLOT);
            }
        } else if self.floor > slot.saturating_add(SLACK) {
            // Believed before anybody could be asked.
            self.floor = slot;
        }
        self.agreed = Some(Agreed { slot, at });
        self.claim = None;
    }

    /// A slot beyond the ceiling: the lower of two such is believed when the second does not come from where the first did.
    fn claims(&mut self, place: usize, slot: u64, alone: bool, now: Instant) -> bool {
        match self.claim {
            Some((other, claimed)) if alone || other != place => {
                let both = slot.min(claimed);
                self.agree(both, now);
                self.floor = self.floor.max(both);
                slot <= both.saturating_add(SLACK)
            }
            Some(_) | None => {
                self.claim = Some((place, slot));
                false
            }
        }
    }
}

impl Floor {
    pub(super) fn new(alone: bool) -> Self {
        let known = Known { floor: 0, agreed: None, slot_time: QUICKEST_SLOT, claim: None };
        Self { alone, known: Mutex::new(known) }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot that no reading may be older than.
    pub(super) fn slot(&self) -> u64 {
        self.lock().floor
    }

    /// Whether the endpoints were compared: before that everybody is believed for the time being.
    pub(super) fn is_founded(&self) -> bool {
        self.lock().agreed.is_some()
    }

    /// Something that matters was seen at `slot`; `place` is the endpoint that told it, where that is known. False when
    /// that cannot be, or not yet: then nothing has changed.
    pub(super) fn tell(&self, place: Option<usize>, slot: u64, now: Instant) -> bool {
        let mut known = self.lock();
        match (known.ceiling(now), place) {
            (Some(ceiling), Some(place)) if slot > ceiling => return known.claims(place, slot, self.alone, now),
            (Some(ceiling), None) if slot > ceiling => return false,
            (Some(_), _) if self.alone => {
                let at_least = known.agreed.map_or(slot, |agreed| agreed.slot.max(slot));
                known.agree(at_least, now);
            }
            _ => {}
        }
        known.floor = known.floor.max(slot);
        true
    }

    /// All endpoints were asked together where they stand: who answered, and with which slot. Tells the best of those slots
    /// that are believed.
    pub(super) fn compared(&self, mut told: Vec<(usize, u64)>, now: Instant) -> u64 {
        told.sort_by_key(|(_, slot)| std::cmp::Reverse(*slot));
        let mut known = self.lock();
        let believed = known.ceiling(now).and_then(|ceiling| told.iter().find(|(_, slot)| *slot <= ceiling));
        match (believed, told.as_slice()) {
            // The best that can be, else the second: two have come as far as that.
            (Some((_, slot)), _) | (None, [_, (_, slot), ..]) => known.agree(*slot, now),
            // The only one, as long as nothing speaks against it.
            (None, [(_, slot)]) if known.agreed.is_none() => known.agree(*slot, now),
            // The others are silent: it is believed the second time.
            (None, [(place, slot)]) => _ = known.claims(*place, *slot, true, now),
            (None, []) => {}
        }
        let ceiling = known.ceiling(now).unwrap_or(u64::MAX);
        told.iter().map(|(_, slot)| *slot).find(|slot| *slot <= ceiling).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: u64 = 1 << 60;

    fn compared(told: &[u64]) -> (Floor, Instant) {
        let (floor, now) = (Floor::new(told.len() == 1), Instant::now());
        floor.compared(told.iter().copied().enumerate().collect(), now);
        (floor, now)
    }

    #[test]
    fn a_slot_that_the_chain_can_have_reached_raises_the_floor() {
        let (floor, now) = compared(&[1_000, 1_001]);
        assert!(floor.tell(Some(0), 1_010, now) && floor.tell(None, 1_200, now));
        assert_eq!(floor.slot(), 1_200);
        assert!(floor.tell(Some(0), 1_100, now));
        assert_eq!(floor.slot(), 1_200, "it does not sink");
        let later = now + Duration::from_hours(1);
        assert!(floor.tell(None, 1_000 + 9_000, later), "an hour of idleness");
    }

    #[test]
    fn one_endpoint_alone_is_not_believed_a_slot_from_the_far_future() {
        let (floor, now) = compared(&[1_000, 1_001]);
        for _ in 0..3 {
            assert!(!floor.tell(Some(0), FAR, now) && !floor.tell(None, FAR, now));
        }
        assert!(floor.tell(Some(1), 1_005, now));
        assert_eq!(floor.slot(), 1_005);
        floor.compared(vec![(0, FAR), (1, 1_010)], now + Duration::from_secs(10));
        assert!(!floor.tell(Some(0), FAR, now + Duration::from_secs(10)));
    }

    #[test]
    fn a_leap_that_a_second_endpoint_confirms_is_believed_up_to_the_lower() {
        let (floor, now) = compared(&[1_000, 1_001]);
        assert!(!floor.tell(Some(0), FAR, now));
        assert!(floor.tell(Some(1), 50_000, now), "a machine that slept");
        assert_eq!(floor.slot(), 50_000);
        assert!(!floor.tell(Some(0), FAR, now));
    }

    #[test]
    fn a_lone_endpoint_is_believed_the_second_time() {
        let (floor, now) = compared(&[1_000]);
        assert!(!floor.tell(Some(0), FAR, now));
        assert!(floor.tell(Some(0), 1_003, now), "it was a slip");
        assert!(!floor.tell(Some(0), 60_000, now) && floor.tell(Some(0), 60_001, now));
        assert_eq!(floor.slot(), 60_000);
    }

    #[test]
    fn one_that_answers_alone_of_several_is_believed_the_second_time() {
        let (floor, now) = compared(&[1_000, 1_001]);
        for seconds in [10, 20] {
            floor.compared(vec![(0, 90_000 + seconds)], now + Duration::from_secs(seconds));
        }
        assert!(floor.tell(Some(0), 90_030, now + Duration::from_secs(21)));
    }

    #[test]
    fn an_endpoint_that_stands_still_holds_nobody_back() {
        let (floor, begun) = compared(&[1_000, 1_001]);
        for step in 1..=100_u64 {
            floor.compared(vec![(0, 1_000 + 25 * step), (1, 1_001)], begun + Duration::from_secs(10 * step));
        }
        assert!(floor.tell(Some(0), 1_000 + 2_500, begun + Duration::from_secs(1_000)));
    }

    #[test]
    fn what_was_believed_before_anybody_was_asked_is_taken_back() {
        let (floor, now) = (Floor::new(false), Instant::now());
        assert!(!floor.is_founded() && floor.tell(Some(0), FAR, now));
        floor.compared(vec![(0, FAR), (1, 1_000)], now);
        assert_eq!((floor.is_founded(), floor.slot()), (true, 1_000));
    }

    #[test]
    fn the_pace_is_measured() {
        let (floor, now) = compared(&[1_000, 1_000]);
        let later = now + Duration::from_secs(10);
        floor.compared(vec![(0, 1_025), (1, 1_025)], later);
        let then = later + Duration::from_secs(10);
        assert!(floor.tell(None, 1_025 + 50 + SLACK, then));
        assert!(!floor.tell(None, 1_025 + 50 + SLACK + 1, then), "twice the pace and the slack");
    }
}
