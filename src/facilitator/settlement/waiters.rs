//! Callers that wait for the outcome of a hold in this process.
//!
//! A payment says `success:true` to exactly one caller. The driver first *counts* who waits, writes that into the
//! same ledger transaction that captures the hold, and only then tells them; a caller that was counted does not leave
//! before it is told, so the one success that the ledger booked is really said.

use crate::domain::{hold::HoldId, reason::PayReason};
use solana_signature::Signature;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// About how many may wait for one payment: one of them is told that it succeeded.
const AT_ONE_HOLD: usize = 16;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoldOutcome {
    /// The money moved.
    Captured {
        /// The transaction that carried it.
        signature: Signature,
        /// Whether this caller is the one who may say `success:true`.
        reports_success: bool,
    },
    /// Nothing moved and nothing will.
    Released {
        /// Why.
        reason: PayReason,
        /// The transaction that landed with an error, if one did.
        signature: Option<Signature>,
    },
}

/// What a caller asks of the payer's balance for a success to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Nothing: told as a success when the transfer has landed.
    Nothing,
    /// Nothing of the balance, and that the success is written together with the request that it is told to.
    Record,
    /// That it covered the payment: told as a success once that was seen after the landing.
    Proof,
}

struct Caller {
    number: u64,
    asks: Asks,
    tell: oneshot::Sender<HoldOutcome>,
}

#[derive(Default)]
struct Entry {
    callers: Vec<Caller>,
    counted: bool,
}

impl Entry {
    fn asks_for_nothing(&self) -> bool {
        self.callers.iter().all(|caller| caller.asks == Asks::Nothing)
    }

    fn asks_for_proof(&self) -> bool {
        self.callers.iter().any(|caller| caller.asks == Asks::Proof && !caller.tell.is_closed())
    }
}

/// All callers that wait, by hold.
#[derive(Default)]
pub(crate) struct Waiters {
    holds: Mutex<(u64, HashMap<HoldId, Entry>)>,
}

/// A registered caller. Dropping it leaves, so that requests that are cut off anywhere leave nothing behind.
pub(crate) struct Ticket {
    waiters: Arc<Waiters>,
    hold: HoldId,
    number: u64,
    pub(crate) outcome: oneshot::Receiver<HoldOutcome>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // One that was counted stays until it is told; what it is told then is lost with its connection.
        self.waiters.leave(self);
    }
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, (u64, HashMap<HoldId, Entry>)> {
        // Nothing panics while holding it; a poisoned map is still a map.
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a caller. Do it before the hold is written (or re-read), so that no outcome is missed.
    pub(crate) fn register(self: &Arc<Self>, hold: HoldId, asks: Asks) -> Ticket {
        let (tell, outcome) = oneshot::channel();
        let mut guard = self.lock();
        guard.0 += 1;
        let number = guard.0;
        guard.1.entry(hold).or_default().callers.push(Caller { number, asks, tell });
        Ticket { waiters: Arc::clone(self), hold, number, outcome }
    }

    /// Registers one more caller of a hold that may have some already; none when enough wait for it.
    pub(crate) fn join(self: &Arc<Self>, hold: HoldId, asks: Asks) -> Option<Ticket> {
        let crowded = self.lock().1.get(&hold).is_some_and(|entry| entry.callers.len() >= AT_ONE_HOLD);
        (!crowded).then(|| self.register(hold, asks))
    }

    /// A caller wants to leave. False when it has been counted or is just being told: it must stay for its outcome.
    pub(crate) fn leave(&self, ticket: &Ticket) -> bool {
        let mut guard = self.lock();
        let Some(entry) = guard.1.get_mut(&ticket.hold) else { return false };
        if entry.counted {
            return false;
        }
        let Some(place) = entry.callers.iter().position(|caller| caller.number == ticket.number) else { return false };
        entry.callers.remove(place);
        if entry.callers.is_empty() {
            guard.1.remove(&ticket.hold);
        }
        true
    }

    /// Whether anybody waits for any of these holds.
    pub(crate) fn any(&self, mut holds: impl Iterator<Item = HoldId>) -> bool {
        let guard = self.lock();
        holds.any(|id| guard.1.get(&id).is_some_and(|e| e.callers.iter().any(|caller| !caller.tell.is_closed())))
    }

    /// Whether somebody who waits for any of these holds asks for a proof.
    pub(crate) fn any_asks_for_proof(&self, mut holds: impl Iterator<Item = HoldId>) -> bool {
        let guard = self.lock();
        holds.any(|id| guard.1.get(&id).is_some_and(Entry::asks_for_proof))
    }

    /// The holds somebody waits for who asks for nothing but the landing; from now on their callers stay until
    /// [`Waiters::report`] or [`Waiters::uncount`].
    pub(crate) fn count(&self, holds: impl Iterator<Item = HoldId>) -> Vec<HoldId> {
        let mut guard = self.lock();
        holds
            .filter(|id| {
                guard.1.get_mut(id).is_some_and(|entry| {
                    entry.callers.retain(|caller| !caller.tell.is_closed());
                    // Whose success depends on more than the landing claims it from the ledger afterwards.
                    entry.counted = !entry.callers.is_empty() && entry.asks_for_nothing();
                    entry.counted
                })
            })
            .collect()
    }

    /// Undoes [`Waiters::count`] after a failed write: the callers may leave again.
    pub(crate) fn uncount(&self, holds: &[HoldId]) {
        let mut guard = self.lock();
        for id in holds {
            if let Some(entry) = guard.1.get_mut(id) {
                entry.counted = false;
            }
        }
    }

    /// Tells everybody who waits for this hold how it ended.
    pub(crate) fn report(&self, hold: HoldId, outcome: HoldOutcome) {
        for tell in self.callers_of(hold) {
            // Who hung up asks again if they want to know.
            let _ = tell.send(outcome);
        }
    }

    /// Tells everybody who waits for this hold that it was captured; the ledger has booked one success, and the first gets it.
    pub(crate) fn report_success(&self, hold: HoldId, signature: Signature) {
        let mut reports_success = true;
        for tell in self.callers_of(hold) {
            // A caller who hung up passes the success on to the next one.
            if tell.send(HoldOutcome::Captured { signature, reports_success }).is_ok() {
                reports_success = false;
            }
        }
    }

    fn callers_of(&self, hold: HoldId) -> impl Iterator<Item = oneshot::Sender<HoldOutcome>> + use<> {
        let callers = self.lock().1.remove(&hold).map(|entry| entry.callers).unwrap_or_default();
        callers.into_iter().map(|caller| caller.tell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(n: u8) -> HoldId {
        HoldId::from_random_bytes([n; 16])
    }

    #[test]
    fn one_of_many_callers_says_success() {
        let waiters = Arc::new(Waiters::default());
        let tickets: Vec<_> = (0..3).map(|_| waiters.register(hold(1), Asks::Nothing)).collect();
        assert_eq!(waiters.count([hold(1), hold(2)].into_iter()), vec![hold(1)]);
        waiters.report_success(hold(1), Signature::default());
        let reports_success = tickets
            .into_iter()
            .filter_map(|mut ticket| ticket.outcome.try_recv().ok())
            .filter(|told| matches!(told, HoldOutcome::Captured { reports_success: true, .. }))
            .count();
        assert_eq!(reports_success, 1);
    }

    #[test]
    fn a_counted_caller_stays_until_told_or_uncounted() {
        let waiters = Arc::new(Waiters::default());
        let ticket = waiters.register(hold(1), Asks::Nothing);
        assert_eq!(waiters.count([hold(1)].into_iter()).len(), 1);
        assert!(!waiters.leave(&ticket));
        waiters.uncount(&[hold(1)]);
        assert!(waiters.leave(&ticket));
        assert!(!waiters.any([hold(1)].into_iter()));
    }

    /// Guard: the outcome of a caller who leaves while it is told would be the one success, and lost.
    #[test]
    fn a_caller_who_is_being_told_stays() {
        let waiters = Arc::new(Waiters::default());
        let mut ticket = waiters.register(hold(1), Asks::Nothing);
        let mut telling = waiters.callers_of(hold(1));
        assert!(!waiters.leave(&ticket));
        drop(waiters.register(hold(1), Asks::Nothing));
        let _later = waiters.register(hold(1), Asks::Nothing);
        assert!(!waiters.leave(&ticket), "also when another waits by now");
        let outcome = HoldOutcome::Captured { signature: Signature::default(), reports_success: true };
        assert!(telling.next().unwrap().send(outcome).is_ok());
        assert_eq!(ticket.outcome.try_recv(), Ok(outcome));
    }

    #[test]
    fn whoever_is_cut_off_leaves_nothing_behind() {
        let waiters = Arc::new(Waiters::default());
        let [first, second] = [(); 2].map(|()| waiters.register(hold(1), Asks::Nothing));
        drop(first);
        assert!(waiters.any([hold(1)].into_iter()));
        drop(second);
        drop(waiters.register(hold(2), Asks::Nothing));
        assert!(waiters.lock().1.is_empty());
    }

    #[test]
    fn a_caller_who_asks_for_a_proof_is_not_counted_for_a_landing() {
        let waiters = Arc::new(Waiters::default());
        let (_one, other) = (waiters.register(hold(1), Asks::Nothing), waiters.register(hold(1), Asks::Proof));
        assert!(waiters.any_asks_for_proof([hold(2), hold(1)].into_iter()));
        assert!(waiters.count([hold(1)].into_iter()).is_empty());
        drop(other);
        assert!(!waiters.any_asks_for_proof([hold(1)].into_iter()));
        assert_eq!(waiters.count([hold(1)].into_iter()).len(), 1);
    }

    #[test]
    fn a_caller_whose_request_is_recorded_claims_the_success_themselves() {
        let waiters = Arc::new(Waiters::default());
        let (_one, other) = (waiters.register(hold(1), Asks::Nothing), waiters.register(hold(1), Asks::Record));
        assert!(!waiters.any_asks_for_proof([hold(1)].into_iter()));
        assert!(waiters.count([hold(1)].into_iter()).is_empty());
        drop(other);
        assert_eq!(waiters.count([hold(1)].into_iter()).len(), 1);
    }

    #[test]
    fn a_caller_who_hung_up_is_not_counted() {
        let waiters = Arc::new(Waiters::default());
        drop(waiters.register(hold(1), Asks::Nothing));
        assert!(waiters.count([hold(1)].into_iter()).is_empty());
    }
}
