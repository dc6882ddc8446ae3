//! Settlements that were planned before: after a start, after an outage, and after a fork took a landing back.

use crate::{
    domain::{
        session::SessionState,
        settlement::{Settlement, State},
    },
    facilitator::{
        dispatch::Dispatch,
        locks::account_locks::LockedAccounts,
        settlement::{driver::Until, finality::NotFinal},
    },
    ledger::Work,
};
use std::sync::Arc;

impl Dispatch {
    /// Drives one settlement to its end in the background, with its accounts locked; what has landed is watched, and what is
    /// held is asked about again once in a while.
    pub(crate) fn resume(self: &Arc<Self>, work: Work) {
        if work.settlement.state == State::Landed {
            return self.settlements.watch(work);
        }
        if self.settlements.is_left_alone(&work.settlement) {
            return;
        }
        let this = Arc::clone(self);
        self.core.tasks.spawn(async move {
            // One task at a time waits to drive a settlement, however many rounds see it unfinished.
            let Some(_queued) = this.settlements.queued.start(work.settlement.id) else { return };
            if work.settlement.held.is_some() && work.settlement.has_had_all_attempts() {
                return this.settlements.look_for_landings(work.settlement.id).await;
            }
            let locked = this.lock_again(&work).await;
            let _busy = locked.as_ref().map(|locked| this.locks.idle.mark_busy(locked.accounts()));
            this.prepare_recipient(&work.settlement).await;
            this.carry(work, Until::Landed, locked).await;
        });
    }

    /// Locks the accounts of a transfer that was planned before, with its permits.
    async fn lock_again(&self, work: &Work) -> Option<LockedAccounts> {
        let settlement = &work.settlement;
        if !settlement.purpose.carries_holds() {
            return None;
        }
        let session = self.core.ledger.session(settlement.session()?).await.ok().flatten()?;
        let [source, destination] = self.core.accounts_of(&session);
        let permits = self.locks.in_flight.acquire_accounts(&source, &destination).await;
        let named = work.attempt.as_ref().is_some_and(|attempt| attempt.get().allowances.are_bought());
        let exclusive = if named { self.locks.accounts.exclusive_in_time(source, destination).await } else { None };
        let locked = match exclusive {
            Some(locked) => locked,
            // Where others move its accounts first it lands with an error, and is made anew without naming handles.
            None => self.lock_plain(&session).await,
        };
        Some(locked.with_permit(self.locks.in_flight.acquire_global(permits).await))
    }

    /// Drives again what the watch over finality finds gone.
    pub(crate) fn drive_again(self: &Arc<Self>, not_final: NotFinal) {
        match not_final {
            NotFinal::Unfinished(work) => self.resume(work),
            NotFinal::TakenBack(work) => {
                let this = Arc::clone(self);
                self.core.tasks.spawn(async move { this.redrive_after_fork(work).await });
            }
        }
    }

    /// Sends again what a fork took back, and drives the settlement until it has landed again or ended.
    pub(crate) async fn redrive_after_fork(self: &Arc<Self>, work: Work) {
        let id = work.settlement.id;
        let Some(_queued) = self.settlements.queued.start(id) else { return };
        // Before it waits for locks: the same bytes land once, whoever sends them, and usually a fork takes them in again.
        if let Some(attempt) = &work.attempt
            && let Err(error) = self.core.chain.send(attempt).await
        {
            tracing::debug!(settlement = %id, %error, "send was not acknowledged");
        }
        let locked = self.lock_again(&work).await;
        let _busy = locked.as_ref().map(|locked| self.locks.idle.mark_busy(locked.accounts()));
        let Ok(work) = self.core.ledger.load_work(id).await else { return };
        let settlement = self.carry(work, Until::LandedAgain, locked).await;
        if settlement.purpose.driven_by_opening() && settlement.state == State::Released {
            self.approve_was_taken_back(&settlement).await;
        }
    }

    /// An approve that a fork took back for good: the session that lives on it is looked at before it costs a fee.
    async fn approve_was_taken_back(&self, settlement: &Settlement) {
        let Some(id) = settlement.session() else { return };
        let session = self.core.ledger.session(id).await.ok().flatten();
        if session.is_some_and(|session| session.state == SessionState::Open) {
            self.settlements.look_into_refusal(id).await;
        }
    }
}
