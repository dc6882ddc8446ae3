//! Which lanes run, and what each is to know.

use crate::domain::session::SessionId;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;

/// One session's lane.
#[derive(Default)]
pub(crate) struct Lane {
    /// For how many holds it was woken since it last took what waits: about as many wait.
    pub(crate) woken: AtomicUsize,
    /// Whether promises may go without a payment that somebody waits for: a trigger of theirs was reached since what waits
    /// was last taken, or a transfer that had them along left some behind.
    pub(crate) due: AtomicBool,
    /// Transfers of this lane in flight.
    pub(crate) flying: AtomicUsize,
    /// Rings when it is woken and when a transfer has come to its end.
    pub(crate) bell: Notify,
}

/// A transfer in the air. Dropped when it has landed or died, and whatever else becomes of its task.
pub(crate) struct Flight(Arc<Lane>);

impl Flight {
    pub(crate) fn of(lane: &Arc<Lane>) -> Self {
        lane.flying.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(lane))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.flying.fetch_sub(1, Ordering::SeqCst);
        self.0.bell.notify_one();
    }
}

/// Lanes that run.
#[derive(Default)]
pub(crate) struct Lanes {
    running: Mutex<HashMap<SessionId, Arc<Lane>>>,
    /// Told whenever a settlement ends: an opening waits for the user's lanes to drain.
    pub(crate) progress: Notify,
}

impl Lanes {
    fn running(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Lane>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes a session's lane for about so many holds, at least one; `due` when promises are among its reasons. The new
    /// lane when the caller has to run it.
    pub(crate) fn wake(&self, session: SessionId, about: usize, due: bool) -> Option<Arc<Lane>> {
        let mut running = self.running();
        let known = running.get(&session).cloned();
        let lane = known.clone().unwrap_or_default();
        lane.due.fetch_or(due, Ordering::SeqCst);
        lane.woken.fetch_add(about.max(1), Ordering::SeqCst);
        lane.bell.notify_one();
        if known.is_some() {
            return None;
        }
        running.insert(session, Arc::clone(&lane));
        Some(lane)
    }

    /// True when the lane may end: nobody woke it since it last looked.
    pub(crate) fn rest(&self, session: SessionId, lane: &Lane) -> bool {
        let mut running = self.running();
        let rests = lane.woken.load(Ordering::SeqCst) == 0;
        if rests {
            running.remove(&session);
        }
        rests
    }

    /// Ends a lane that did not come to its own end: the next wake-up starts another.
    pub(crate) fn abandon(&self, session: SessionId, lane: &Arc<Lane>) {
        let mut running = self.running();
        if running.get(&session).is_some_and(|known| Arc::ptr_eq(known, lane)) {
            running.remove(&session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> SessionId {
        SessionId::from_random_bytes([1; 16])
    }

    #[test]
    fn a_lane_rests_only_when_nobody_woke_it_since_it_looked() {
        let lanes = Lanes::default();
        let lane = lanes.wake(session(), 1, false);
        assert!(lane.is_some() && lanes.wake(session(), 1, false).is_none(), "one lane for a session");
        let lane = lane.unwrap_or_default();
        assert_eq!(lane.woken.load(Ordering::SeqCst), 2);
        assert!(!lanes.rest(session(), &lane));
        lane.woken.store(0, Ordering::SeqCst);
        assert!(lanes.rest(session(), &lane));
        assert!(lanes.wake(session(), 1, false).is_some());
    }

    #[test]
    fn a_payment_that_comes_after_a_trigger_does_not_take_it_back() {
        let lanes = Lanes::default();
        let lane = lanes.wake(session(), 1, false).unwrap_or_default();
        assert!(!lane.due.load(Ordering::SeqCst));
        for due in [true, false] {
            assert!(lanes.wake(session(), 1, due).is_none());
            assert!(lane.due.load(Ordering::SeqCst));
        }
    }

    #[test]
    fn a_lane_whose_task_is_gone_does_not_keep_the_next_from_starting() {
        let lanes = Lanes::default();
        let lane = lanes.wake(session(), 1, false).unwrap_or_default();
        lanes.abandon(session(), &lane);
        let next = lanes.wake(session(), 1, false);
        assert!(next.is_some());
        lanes.abandon(session(), &lane);
        assert!(lanes.wake(session(), 1, false).is_none(), "another one's lane is left alone");
    }

    #[test]
    fn a_flight_ends_whatever_becomes_of_its_task() {
        let lane = Arc::new(Lane::default());
        let flight = Flight::of(&lane);
        assert_eq!(lane.flying.load(Ordering::SeqCst), 1);
        drop(flight);
        assert_eq!(lane.flying.load(Ordering::SeqCst), 0);
    }
}
