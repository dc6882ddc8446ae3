//! Time as an argument: everything that asks for the time is handed a [`Clock`].

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Unix time in whole seconds, UTC.
pub type UnixSeconds = u64;

/// Unix time in whole milliseconds, UTC. For order alone: every term and deadline is in seconds.
pub type UnixMillis = u64;

/// The seconds of an hour.
pub const HOUR: u64 = 3_600;

/// The seconds of a day, by which days are counted from the Unix epoch too.
pub const DAY: u64 = 24 * HOUR;

/// Where "now" comes from.
pub trait Clock: Send + Sync + 'static {
    /// Unix time in whole seconds.
    fn now(&self) -> UnixSeconds;

    /// Unix time in whole milliseconds; as fine as the clock is, which may be seconds.
    fn now_millis(&self) -> UnixMillis {
        self.now().saturating_mul(1_000)
    }
}

/// The machine's clock. The only place that reads it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixSeconds {
        since_1970().as_secs()
    }

    fn now_millis(&self) -> UnixMillis {
        u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The time since 1970. A clock before it would open no session and expire none; zero is the harmless reading of it.
#[expect(clippy::disallowed_methods, reason = "this is the one clock that everything else is handed")]
fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A clock that moves only when told to.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: UnixSeconds) -> Self {
        Self(AtomicU64::new(now))
    }

    /// Moves the clock forward.
    pub fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixSeconds {
        self.0.load(Ordering::SeqCst)
    }
}
