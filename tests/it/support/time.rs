//! The time of a world: the machine's, until a test moves it forward.

use super::{World, look_again};
use sotto::domain::clock::{Clock, SystemClock, UnixSeconds};
use std::sync::atomic::{AtomicI64, Ordering};

/// The machine's clock, so many seconds ahead.
#[derive(Default)]
pub struct AheadClock(AtomicI64);

impl Clock for AheadClock {
    fn now(&self) -> UnixSeconds {
        SystemClock.now().saturating_add_signed(self.0.load(Ordering::SeqCst))
    }
}

impl World {
    /// Unix seconds, as the facilitator reads them.
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// From now on it is so many seconds later; the facilitator notices within a round.
    pub fn lets_pass(&self, seconds: u64) {
        self.clock.0.fetch_add(seconds.cast_signed(), Ordering::SeqCst);
    }

    /// From now on it is so late, in Unix seconds, and a second has just begun.
    pub async fn is_set_to(&self, now: u64) {
        let last = SystemClock.now();
        while SystemClock.now() == last {
            look_again().await;
        }
        self.clock.0.store(now.cast_signed() - SystemClock.now().cast_signed(), Ordering::SeqCst);
    }
}
