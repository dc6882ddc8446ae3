//! The tasks that wait for transactions, and what was last seen of each transaction.
//!
//! Two sources write here, the websocket and the poller; waiting requests only read, and wake when something changes.
//! A transaction that no task waits for any more is forgotten.

use crate::chain::Commitment;
use solana_signature::Signature;
use solana_transaction_status_client_types::{TransactionConfirmationStatus, TransactionStatus};
use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::Instant,
};

/// A transaction, and how sure its waiters want to be of it.
pub(super) type Wanted = (Signature, Commitment);

/// How sure a status is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// One node has executed it; a fork may still drop it.
    Processed,
    /// A supermajority voted for it.
    Confirmed,
    /// It cannot be taken back.
    Finalized,
}

impl From<Commitment> for Level {
    fn from(commitment: Commitment) -> Self {
        match commitment {
            Commitment::Confirmed => Self::Confirmed,
            Commitment::Finalized => Self::Finalized,
        }
    }
}

/// A transaction as it was seen on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The slot it landed in; of a pushed notice the slot it was told at, which may be a few later.
    pub(super) slot: u64,
    pub(super) level: Level,
    /// The chain's words when it landed with an error.
    pub(super) error: Option<String>,
    /// The endpoint that told it: its place in the operator's list, 0 for the first.
    pub(super) by: usize,
}

impl Seen {
    /// What the endpoint at the place `by` tells.
    pub(super) fn told(by: usize, status: &TransactionStatus) -> Self {
        let level = match status.confirmation_status() {
            TransactionConfirmationStatus::Processed => Level::Processed,
            TransactionConfirmationStatus::Confirmed => Level::Confirmed,
            TransactionConfirmationStatus::Finalized => Level::Finalized,
        };
        Self { slot: status.slot, level, error: status.err.as_ref().map(ToString::to_string), by }
    }

    /// Whether it is on the chain without an error, by more than one node's word.
    pub(super) fn has_landed(&self) -> bool {
        self.error.is_none() && self.level >= Level::Confirmed
    }

    /// Whether it is on the chain with an error for good, as this endpoint tells.
    pub(super) fn has_failed_for_good(&self) -> bool {
        self.error.is_some() && self.level == Level::Finalized
    }
}

/// What is known of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SignatureStatus {
    /// How often a node answered the question; 0: nothing is known at all.
    pub(super) answers: u64,
    /// What was seen last; `None` when the last answer was that there is no such transaction.
    pub(super) seen: Option<Seen>,
}

struct Entry {
    told: watch::Sender<SignatureStatus>,
    due: Instant,
    pause: Duration,
    /// Since when a websocket has promised a notice.
    subscribed: Option<Instant>,
}

/// How often the poller asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollPolicy {
    /// The pause before the second question about a transaction; the pauses grow from here.
    pub first: Duration,
    /// The longest pause.
    pub most: Duration,
    /// With a working websocket, how long a pushed notice is waited for before the first question.
    pub after_push: Duration,
}

impl Default for PollPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(400),
            most: Duration::from_secs(1),
            after_push: Duration::from_millis(1_500),
        }
    }
}

/// So many landings in a row without their notices are no accident.
const MOST_MISSED: u32 = 8;
/// A notice that was promised so long ago should have come before polling found out.
const NOTICE_IS_LATE: Duration = Duration::from_secs(1);

/// A websocket that is up.
pub(super) struct SocketUp<'a>(&'a SignatureStatuses);

impl Drop for SocketUp<'_> {
    fn drop(&mut self) {
        self.0.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The register of waiters.
pub(super) struct SignatureStatuses {
    entries: Mutex<HashMap<Wanted, Entry>>,
    policy: PollPolicy,
    /// How many websockets are up.
    sockets: AtomicUsize,
    /// Landings in a row that polling found although a notice had been promised.
    missed: AtomicU32,
    subscriptions: mpsc::Sender<Wanted>,
    /// Wakes the poller when something became due earlier than it knew.
    pub(super) changed: Notify,
}

impl SignatureStatuses {
    /// `subscriptions` takes what is to be subscribed to; when it is full or closed, polling does alone.
    pub(super) fn new(policy: PollPolicy, subscriptions: mpsc::Sender<Wanted>) -> Self {
        let (sockets, missed) = (AtomicUsize::new(0), AtomicU32::new(0));
        Self { entries: Mutex::default(), policy, sockets, missed, subscriptions, changed: Notify::new() }
    }

    /// Joins the waiters for a transaction. `patience` shorter than a pushed notice is waited for asks at once.
    pub(super) fn watch(&self, wanted: Wanted, patience: Duration) -> watch::Receiver<SignatureStatus> {
        let now = Instant::now();
        let pushed = self.sockets.load(Ordering::Relaxed) > 0 && patience > self.policy.after_push;
        let due = if pushed { now + self.policy.after_push } else { now };
        let mut entries = self.lock();
        if let Some(entry) = entries.get_mut(&wanted).filter(|entry| !entry.told.is_closed()) {
            entry.due = entry.due.min(due);
            let receiver = entry.told.subscribe();
            drop(entries);
            self.changed.notify_one();
            return receiver;
        }
        let (told, receiver) = watch::channel(SignatureStatus::default());
        entries.insert(wanted, Entry { told, due, pause: self.policy.first, subscribed: None });
        drop(entries);
        // Full or closed: the poller finds it.
        _ = self.subscriptions.try_send(wanted);
        self.changed.notify_one();
        receiver
    }

    /// Everything that is waited for.
    pub(super) fn wanted(&self) -> Vec<Wanted> {
        let mut entries = self.lock();
        entries.retain(|_, entry| !entry.told.is_closed());
        entries.keys().copied().collect()
    }

    /// Ends when nobody waits for `wanted` any more.
    pub(super) async fn abandoned(&self, wanted: &Wanted) {
        let told = self.lock().get(wanted).map(|entry| entry.told.clone());
        if let Some(told) = told {
            told.closed().await;
        }
    }

    /// A websocket is up, until the guard is dropped.
    pub(super) fn socket_up(&self) -> SocketUp<'_> {
        self.sockets.fetch_add(1, Ordering::Relaxed);
        self.missed.store(0, Ordering::Relaxed);
        SocketUp(self)
    }

    /// Everybody who waits is asked about at once.
    pub(super) fn ask_now(&self) {
        let now = Instant::now();
        for entry in self.lock().values_mut() {
            entry.due = now;
        }
        self.changed.notify_one();
    }

    /// An endpoint has promised a notice.
    pub(super) fn subscribed(&self, wanted: &Wanted) {
        if let Some(entry) = self.lock().get_mut(wanted) {
            entry.subscribed = Some(Instant::now());
        }
    }

    /// Whether the promised notices do not come: a websocket may look alive and push nothing.
    pub(super) fn notices_are_missing(&self) -> bool {
        self.missed.load(Ordering::Relaxed) >= MOST_MISSED
    }

    /// When the next question is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let mut entries = self.lock();
        entries.retain(|_, entry| !entry.told.is_closed());
        entries.values().map(|entry| entry.due).min()
    }

    /// At most `most` signatures whose question is due; together with those that soon will be, to share the request.
    /// Each is due again after its growing pause.
    pub(super) fn take_due(&self, most: usize) -> Vec<Signature> {
        let now = Instant::now();
        let mut signatures = Vec::new();
        for ((signature, _), entry) in self.lock().iter_mut() {
            if signatures.len() == most {
                break;
            }
            if entry.due <= now + self.policy.first / 4 {
                entry.due = now + entry.pause;
                entry.pause = (entry.pause + entry.pause / 4).min(self.policy.most);
                signatures.push(*signature);
            }
        }
        signatures
    }

    /// A node answered about `signature`, at its slot `at`.
    pub(super) fn answered(&self, signature: &Signature, at: u64, seen: Option<&Seen>) {
        self.count_missed(signature, seen);
        self.tell(signature, |status| {
            status.answers += 1;
            match (&mut status.seen, seen) {
                // A node that lags behind the one that saw it has nothing to say.
                (Some(known), None) if known.slot >= at => {}
                (Some(known), Some(new)) if known.level > new.level && known.slot == new.slot => {}
                (known, new) => *known = new.cloned(),
            }
        });
    }

    fn count_missed(&self, signature: &Signature, seen: Option<&Seen>) {
        let Some(seen) = seen else { return };
        let entries = self.lock();
        for commitment in [Commitment::Confirmed, Commitment::Finalized] {
            let promised = entries.get(&(*signature, commitment)).is_some_and(|entry| {
                entry.told.borrow().seen.is_none() && entry.subscribed.is_some_and(|at| at.elapsed() > NOTICE_IS_LATE)
            });
            if promised && seen.level >= commitment.into() {
                self.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A notice was pushed.
    pub(super) fn noticed(&self, signature: &Signature, new: &Seen) {
        self.missed.store(0, Ordering::Relaxed);
        self.tell(signature, |status| {
            if status.seen.as_ref().is_none_or(|seen| seen.level < new.level) {
                status.seen = Some(new.clone());
            }
        });
    }

    fn tell(&self, signature: &Signature, change: impl Fn(&mut SignatureStatus)) {
        let entries = self.lock();
        for commitment in [Commitment::Confirmed, Commitment::Finalized] {
            if let Some(entry) = entries.get(&(*signature, commitment)) {
                entry.told.send_modify(&change);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Wanted, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So long that nothing becomes due while a test runs.
    const LONG: Duration = Duration::from_hours(1);

    fn statuses() -> SignatureStatuses {
        let policy = PollPolicy { first: LONG, most: LONG, after_push: LONG };
        SignatureStatuses::new(policy, mpsc::channel(1).0)
    }

    fn wanted(byte: u8) -> Wanted {
        (Signature::from([byte; 64]), Commitment::Confirmed)
    }

    fn seen(slot: u64, level: Level) -> Seen {
        Seen { slot, level, error: None, by: 0 }
    }

    #[tokio::test]
    async fn a_lagging_node_does_not_take_back_what_was_seen_but_a_later_one_does() {
        let statuses = statuses();
        let waiter = statuses.watch(wanted(1), Duration::ZERO);
        statuses.noticed(&wanted(1).0, &seen(10, Level::Confirmed));
        statuses.answered(&wanted(1).0, 9, None);
        assert_eq!(waiter.borrow().seen, Some(seen(10, Level::Confirmed)));
        statuses.answered(&wanted(1).0, 10, Some(&seen(10, Level::Processed)));
        assert_eq!(waiter.borrow().seen, Some(seen(10, Level::Confirmed)));
        statuses.answered(&wanted(1).0, 11, None);
        assert_eq!(waiter.borrow().clone(), SignatureStatus { answers: 3, seen: None });
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_forgotten() {
        let statuses = statuses();
        let waiter = statuses.watch(wanted(1), Duration::ZERO);
        assert!(statuses.next_due().is_some());
        drop(waiter);
        statuses.abandoned(&wanted(1)).await;
        assert!(statuses.next_due().is_none());
        assert!(statuses.wanted().is_empty());
    }

    #[tokio::test]
    async fn questions_share_requests_up_to_a_limit_and_are_due_again_later() {
        let statuses = statuses();
        let waiters: Vec<_> = (0..5).map(|byte| statuses.watch(wanted(byte), Duration::ZERO)).collect();
        let first = statuses.take_due(3);
        let second = statuses.take_due(3);
        assert_eq!((first.len(), second.len()), (3, 2));
        assert!(statuses.take_due(3).is_empty());
        assert!(statuses.next_due().unwrap() > Instant::now());
        drop(waiters);
    }

    #[tokio::test]
    async fn with_pushed_notices_a_patient_waiter_asks_later_and_at_once_when_they_stop() {
        let statuses = statuses();
        let up = statuses.socket_up();
        let _patient = statuses.watch(wanted(1), 2 * LONG);
        assert!(statuses.take_due(9).is_empty());
        let _hasty = statuses.watch(wanted(2), Duration::ZERO);
        assert_eq!(statuses.take_due(9), [wanted(2).0]);
        drop(up);
        statuses.ask_now();
        assert_eq!(statuses.take_due(9).len(), 2);
    }
}
