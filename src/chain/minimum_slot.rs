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

/// How many slots a report may exceed the estimate by and still be believed without confirmation.
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
    minimum: u64,
    agreed: Option<Agreed>,
    /// The shortest time a slot may take.
    slot_time: Duration,
    /// The endpoint that last reported a slot beyond the ceiling, and that slot.
    doubted: Option<(usize, u64)>,
}

/// Which endpoint may confirm a slot that one endpoint alone is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Confirmation {
    /// Another endpoint than the one that reported it.
    AnotherEndpoint,
    /// Any endpoint, the one that reported it included.
    Anyone,
}

/// The slot that no reading may be older than; see the module.
pub(super) struct MinimumSlot {
    confirmation: Confirmation,
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
        } else if self.minimum > slot.saturating_add(SLACK) {
            // Believed before anybody could be asked.
            self.minimum = slot;
        }
        self.agreed = Some(Agreed { slot, at });
        self.doubted = None;
    }

    /// A slot beyond the ceiling: the lower of two such is believed when the second does not come from where the first did.
    fn confirm(&mut self, place: usize, slot: u64, from: Confirmation, now: Instant) -> bool {
        match self.doubted {
            Some((other, reported)) if from == Confirmation::Anyone || other != place => {
                let both = slot.min(reported);
                self.agree(both, now);
                self.minimum = self.minimum.max(both);
                slot <= both.saturating_add(SLACK)
            }
            Some(_) | None => {
                self.doubted = Some((place, slot));
                false
            }
        }
    }
}

impl MinimumSlot {
    /// For so many endpoints: a lone one confirms its own reports.
    pub(super) fn new(endpoints: usize) -> Self {
        let confirmation = if endpoints == 1 { Confirmation::Anyone } else { Confirmation::AnotherEndpoint };
        let known = Known { minimum: 0, agreed: None, slot_time: QUICKEST_SLOT, doubted: None };
        Self { confirmation, known: Mutex::new(known) }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot that no reading may be older than.
    pub(super) fn slot(&self) -> u64 {
        self.lock().minimum
    }

    /// Whether the endpoints were compared: before that every endpoint is believed for the time being.
    pub(super) fn was_compared(&self) -> bool {
        self.lock().agreed.is_some()
    }

    /// Something that matters was seen at `slot`; `place` is the endpoint that told it, where that is known. False when
    /// that cannot be, or not yet: then nothing has changed.
    pub(super) fn tell(&self, place: Option<usize>, slot: u64, now: Instant) -> bool {
        let mut known = self.lock();
        match (known.ceiling(now), place) {
            (Some(ceiling), Some(place)) if slot > ceiling => {
                return known.confirm(place, slot, self.confirmation, now);
            }
            (Some(ceiling), None) if slot > ceiling => return false,
            (Some(_), _) if self.confirmation == Confirmation::Anyone => {
                let at_least = known.agreed.map_or(slot, |agreed| agreed.slot.max(slot));
                known.agree(at_least, now);
            }
            _ => {}
        }
        known.minimum = known.minimum.max(slot);
        true
    }

    /// All endpoints were asked together where they stand: which of them answered, and with which slot. Tells the best of
    /// those slots that are believed.
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
            (None, [(place, slot)]) => _ = known.confirm(*place, *slot, Confirmation::Anyone, now),
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

    fn compared(told: &[u64]) -> (MinimumSlot, Instant) {
        let (minimum, now) = (MinimumSlot::new(told.len()), Instant::now());
        minimum.compared(told.iter().copied().enumerate().collect(), now);
        (minimum, now)
    }

    #[test]
    fn a_slot_that_the_chain_can_have_reached_raises_the_minimum() {
        let (minimum, now) = compared(&[1_000, 1_001]);
        assert!(minimum.tell(Some(0), 1_010, now) && minimum.tell(None, 1_200, now));
        assert_eq!(minimum.slot(), 1_200);
        assert!(minimum.tell(Some(0), 1_100, now));
        assert_eq!(minimum.slot(), 1_200, "it does not sink");
        let later = now + Duration::from_hours(1);
        assert!(minimum.tell(None, 1_000 + 9_000, later), "an hour of idleness");
    }

    #[test]
    fn one_endpoint_alone_is_not_believed_a_slot_from_the_far_future() {
        let (minimum, now) = compared(&[1_000, 1_001]);
        for _ in 0..3 {
            assert!(!minimum.tell(Some(0), FAR, now) && !minimum.tell(None, FAR, now));
        }
        assert!(minimum.tell(Some(1), 1_005, now));
        assert_eq!(minimum.slot(), 1_005);
        minimum.compared(vec![(0, FAR), (1, 1_010)], now + Duration::from_secs(10));
        assert!(!minimum.tell(Some(0), FAR, now + Duration::from_secs(10)));
    }

    #[test]
    fn a_leap_that_a_second_endpoint_confirms_is_believed_up_to_the_lower() {
        let (minimum, now) = compared(&[1_000, 1_001]);
        assert!(!minimum.tell(Some(0), FAR, now));
        assert!(minimum.tell(Some(1), 50_000, now), "a machine that slept");
        assert_eq!(minimum.slot(), 50_000);
        assert!(!minimum.tell(Some(0), FAR, now));
    }

    #[test]
    fn a_lone_endpoint_is_believed_the_second_time() {
        let (minimum, now) = compared(&[1_000]);
        assert!(!minimum.tell(Some(0), FAR, now));
        assert!(minimum.tell(Some(0), 1_003, now), "it was a slip");
        assert!(!minimum.tell(Some(0), 60_000, now) && minimum.tell(Some(0), 60_001, now));
        assert_eq!(minimum.slot(), 60_000);
    }

    #[test]
    fn one_that_answers_alone_of_several_is_believed_the_second_time() {
        let (minimum, now) = compared(&[1_000, 1_001]);
        for seconds in [10, 20] {
            minimum.compared(vec![(0, 90_000 + seconds)], now + Duration::from_secs(seconds));
        }
        assert!(minimum.tell(Some(0), 90_030, now + Duration::from_secs(21)));
    }

    #[test]
    fn an_endpoint_that_stands_still_holds_nobody_back() {
        let (minimum, begun) = compared(&[1_000, 1_001]);
        for step in 1..=100_u64 {
            minimum.compared(vec![(0, 1_000 + 25 * step), (1, 1_001)], begun + Duration::from_secs(10 * step));
        }
        assert!(minimum.tell(Some(0), 1_000 + 2_500, begun + Duration::from_secs(1_000)));
    }

    #[test]
    fn what_was_believed_before_anybody_was_asked_is_taken_back() {
        let (minimum, now) = (MinimumSlot::new(2), Instant::now());
        assert!(!minimum.was_compared() && minimum.tell(Some(0), FAR, now));
        minimum.compared(vec![(0, FAR), (1, 1_000)], now);
        assert_eq!((minimum.was_compared(), minimum.slot()), (true, 1_000));
    }

    #[test]
    fn the_pace_is_measured() {
        let (minimum, now) = compared(&[1_000, 1_000]);
        let later = now + Duration::from_secs(10);
        minimum.compared(vec![(0, 1_025), (1, 1_025)], later);
        let then = later + Duration::from_secs(10);
        assert!(minimum.tell(None, 1_025 + 50 + SLACK, then));
        assert!(!minimum.tell(None, 1_025 + 50 + SLACK + 1, then), "twice the pace and the slack");
    }
}
