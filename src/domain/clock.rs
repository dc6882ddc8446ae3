//! Time as an argument: everything that asks for the time is handed a [`Clock`].

use std::sync::atomic::{AtomicU64, Ordering};

/// Unix time in whole seconds, UTC.
pub type UnixSeconds = u64;

/// Where "now" comes from.
pub trait Clock: Send + Sync + 'static {
    /// Unix time in whole seconds.
    fn now(&self) -> UnixSeconds;
}

/// The machine's clock. The only place that reads it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock that everything else is handed")]
    fn now(&self) -> UnixSeconds {
        // A clock before 1970 would open no session and expire none; zero is the harmless reading of it.
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs())
    }
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
