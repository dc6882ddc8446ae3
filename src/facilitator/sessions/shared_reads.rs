//! What strangers share who have us read the chain for nothing: so many at once, and so many in a second.
//!
//! Kept in memory: a start gives everybody their turn anew.

use crate::{
    domain::reason::SessionReason,
    facilitator::{PrepareSettings, SessionRefusal},
};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

/// The places, and when the next may come.
pub(crate) struct SharedReads {
    /// What they are for, as a caller is told.
    what: &'static str,
    places: Semaphore,
    pace: Option<Pace>,
}

/// One in every `interval`, and some of them at once.
struct Pace {
    interval: Duration,
    /// How far ahead of now `due` may lie.
    ahead: Duration,
    /// When everything that was taken is earned again.
    due: Mutex<Instant>,
}

impl SharedReads {
    /// Places of their own for `what`, as many as `settings` has for each kind.
    pub(crate) fn new(what: &'static str, settings: PrepareSettings) -> Self {
        let at_once = u32::try_from(settings.at_once).unwrap_or(u32::MAX);
        let pace = settings.per_second.map(|count| {
            let interval = Duration::from_secs(1) / count.get();
            let ahead = interval.saturating_mul(at_once.saturating_sub(1));
            Pace { interval, ahead, due: Mutex::new(Instant::now()) }
        });
        Self { what, places: Semaphore::new(settings.at_once), pace }
    }

    /// A place, for as long as it is held. Refuses with `overloaded` while others have all places, which takes nothing of the
    /// second, and with `too_many_requests` where there were as many as may be.
    pub(crate) fn take(&self) -> Result<SemaphorePermit<'_>, SessionRefusal> {
        let what = self.what;
        let place = self.places.try_acquire().map_err(|_| {
            let detail = format!("too many {what} at once; repeat in a moment");
            SessionRefusal::because(SessionReason::Overloaded, detail)
        })?;
        self.pace.as_ref().map_or(Ok(()), |pace| pace.take_at(Instant::now())).map_err(|wait| {
            let detail = format!("Too many {what} for all callers together; repeat after Retry-After.");
            let again_in = wait.as_secs().saturating_add(1);
            SessionRefusal::because(SessionReason::TooManyRequests, detail).again_in(Some(again_in))
        })?;
        Ok(place)
    }

    /// Like [`SharedReads::take`], for those who wait: in the order in which they came, and no longer than `patience`.
    pub(crate) async fn wait(&self, patience: Duration) -> Option<SemaphorePermit<'_>> {
        let waited = async {
            let place = self.places.acquire().await.ok()?;
            // Whoever has a place may come before those without one, so few wait here at once.
            while let Some(Err(wait)) = self.pace.as_ref().map(|pace| pace.take_at(Instant::now())) {
                tokio::time::sleep(wait).await;
            }
            Some(place)
        };
        tokio::time::timeout(patience, waited).await.ok().flatten()
    }
}

impl Pace {
    /// Takes one, or tells how long until there is one.
    fn take_at(&self, now: Instant) -> Result<(), Duration> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let from = (*due).max(now);
        let wait = from.duration_since(now).saturating_sub(self.ahead);
        if !wait.is_zero() {
            return Err(wait);
        }
        *due = from + self.interval;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn of(at_once: usize, per_second: u32) -> SharedReads {
        let per_second = NonZeroU32::new(per_second);
        SharedReads::new("approves are prepared", PrepareSettings { at_once, per_second, rest: Duration::ZERO })
    }

    #[test]
    fn some_come_at_once_and_then_the_pace_holds() {
        let shared = of(2, 4);
        let (pace, now) = (shared.pace.as_ref().expect("a limit"), Instant::now());
        let taken = (0..5).filter(|_| pace.take_at(now).is_ok()).count();
        assert_eq!((taken, pace.take_at(now).is_err()), (2, true));
        let after = now + Duration::from_millis(260);
        assert!(pace.take_at(after).is_ok() && pace.take_at(after).is_err());
        let later = now + Duration::from_mins(1);
        assert_eq!((0..5).filter(|_| pace.take_at(later).is_ok()).count(), 2, "what is not used is not saved");
    }

    #[test]
    fn who_finds_no_place_takes_nothing_of_the_second() {
        let shared = of(1, 1);
        let reason = |shared: &SharedReads| shared.take().map(drop).map_err(|refusal| refusal.reason);
        let others = shared.places.try_acquire().expect("is free");
        for _ in 0..3 {
            assert_eq!(reason(&shared), Err(SessionReason::Overloaded));
        }
        drop(others);
        assert_eq!([reason(&shared), reason(&shared)], [Ok(()), Err(SessionReason::TooManyRequests)]);
        let all = of(1, 0);
        assert!((0..100).all(|_| reason(&all) == Ok(())), "no limit");
    }

    #[tokio::test]
    async fn who_waits_comes_in_turn_and_at_the_pace_and_gives_up() {
        let (shared, minute) = (of(1, 10), Duration::from_mins(1));
        let begun = Instant::now();
        let place = shared.wait(minute).await.expect("a place");
        assert!(shared.wait(Duration::from_millis(1)).await.is_none(), "others have it");
        drop(place);
        assert!(shared.wait(minute).await.is_some());
        assert!(begun.elapsed() >= Duration::from_millis(100), "one in a tenth of a second");
        assert!(of(0, 0).wait(Duration::ZERO).await.is_none(), "nobody waits for longer than they said");
    }
}
