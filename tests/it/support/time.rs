//! The time of a world: the machine's, until a test moves it forward.

use super::World;
use sotto::domain::clock::{Clock, SystemClock, UnixSeconds};
use std::sync::atomic::{AtomicU64, Ordering};

/// The machine's clock, so many seconds ahead.
#[derive(Default)]
pub struct AheadClock(AtomicU64);

impl Clock for AheadClock {
    fn now(&self) -> UnixSeconds {
        SystemClock.now() + self.0.load(Ordering::SeqCst)
    }
}

impl World {
    /// Unix seconds, as the facilitator reads them.
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// From now on it is so many seconds later; the facilitator notices within a round.
    pub fn lets_pass(&self, seconds: u64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }
}
