//! Which queues run, and what each is to know.

use crate::domain::session::SessionId;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;

/// One session's queue.
#[derive(Default)]
pub(crate) struct SessionQueue {
    /// Of how many holds it was notified since it last took what waits: about as many wait.
    pub(crate) pending: AtomicUsize,
    /// Whether promises may go without a payment that a caller waits for: a trigger of theirs was reached since what waits
    /// was last taken, or a transfer that had them along left some behind.
    pub(crate) due: AtomicBool,
    /// Transfers of this queue in flight.
    pub(crate) in_flight: AtomicUsize,
    /// Told when the queue is notified and when a transfer has come to its end.
    pub(crate) changed: Notify,
}

/// A transfer in flight. Dropped when it has landed or died, and whatever else becomes of its task.
pub(crate) struct InFlight(Arc<SessionQueue>);

impl InFlight {
    pub(crate) fn of(queue: &Arc<SessionQueue>) -> Self {
        queue.in_flight.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(queue))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_one();
    }
}

/// Queues that are being worked off. A hint: a queue that nobody works off is found by the background round.
#[derive(Default)]
pub(crate) struct SessionQueues(Mutex<HashMap<SessionId, Arc<SessionQueue>>>);

impl SessionQueues {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<SessionQueue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notifies a session's queue of one payment; `Some` is a new queue, whose task the caller must start.
    pub(crate) fn notify(&self, session: SessionId) -> Option<Arc<SessionQueue>> {
        self.add(session, |queue| _ = queue.pending.fetch_add(1, Ordering::SeqCst))
    }

    /// Notifies a session's queue of about so many promises that are due, at least one. The new queue when the caller has to
    /// work it off.
    pub(crate) fn notify_for_promises(&self, session: SessionId, about: usize) -> Option<Arc<SessionQueue>> {
        self.add(session, |queue| {
            queue.due.store(true, Ordering::SeqCst);
            queue.pending.fetch_add(about.max(1), Ordering::SeqCst);
        })
    }

    fn add(&self, session: SessionId, change: impl FnOnce(&SessionQueue)) -> Option<Arc<SessionQueue>> {
        let mut running = self.lock();
        let known = running.get(&session).cloned();
        let queue = known.clone().unwrap_or_default();
        change(&queue);
        queue.changed.notify_one();
        if known.is_some() {
            return None;
        }
        running.insert(session, Arc::clone(&queue));
        Some(queue)
    }

    /// Takes a queue off the list unless it was notified since it last looked. True when it may end.
    pub(crate) fn retire(&self, session: SessionId, queue: &SessionQueue) -> bool {
        let mut running = self.lock();
        let retires = queue.pending.load(Ordering::SeqCst) == 0;
        if retires {
            running.remove(&session);
        }
        retires
    }

    /// Takes a queue off the list that did not come to its own end: the next notification starts another.
    pub(crate) fn abandon(&self, session: SessionId, queue: &Arc<SessionQueue>) {
        let mut running = self.lock();
        if running.get(&session).is_some_and(|known| Arc::ptr_eq(known, queue)) {
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
    fn a_queue_retires_only_when_it_was_not_notified_since_it_looked() {
        let queues = SessionQueues::default();
        let queue = queues.notify(session());
        assert!(queue.is_some() && queues.notify(session()).is_none(), "one queue for a session");
        let queue = queue.unwrap_or_default();
        assert_eq!(queue.pending.load(Ordering::SeqCst), 2);
        assert!(!queues.retire(session(), &queue));
        queue.pending.store(0, Ordering::SeqCst);
        assert!(queues.retire(session(), &queue));
        assert!(queues.notify(session()).is_some());
    }

    #[test]
    fn a_payment_that_comes_after_a_trigger_does_not_take_it_back() {
        let queues = SessionQueues::default();
        let queue = queues.notify(session()).unwrap_or_default();
        assert!(!queue.due.load(Ordering::SeqCst));
        assert!(queues.notify_for_promises(session(), 1).is_none());
        assert!(queue.due.load(Ordering::SeqCst));
        assert!(queues.notify(session()).is_none());
        assert!(queue.due.load(Ordering::SeqCst));
    }

    #[test]
    fn a_queue_whose_task_is_gone_does_not_keep_the_next_from_starting() {
        let queues = SessionQueues::default();
        let queue = queues.notify(session()).unwrap_or_default();
        queues.abandon(session(), &queue);
        let next = queues.notify(session());
        assert!(next.is_some());
        queues.abandon(session(), &queue);
        assert!(queues.notify(session()).is_none(), "another one's queue is left alone");
    }

    #[test]
    fn a_transfer_in_flight_ends_whatever_becomes_of_its_task() {
        let queue = Arc::new(SessionQueue::default());
        let transfer = InFlight::of(&queue);
        assert_eq!(queue.in_flight.load(Ordering::SeqCst), 1);
        drop(transfer);
        assert_eq!(queue.in_flight.load(Ordering::SeqCst), 0);
    }
}
