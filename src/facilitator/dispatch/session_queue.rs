//! One queue for each session with waiting holds, and the task that works it off.
//!
//! The task takes everything that waits, has it carried in one transfer, and looks again. While a transfer is prepared or
//! in flight further holds gather, so callers that come together share one transaction and its price. Queues of different
//! sessions meet at the limits of what is in flight ([`crate::facilitator::locks::in_flight_limits`]), where each waits with
//! one transfer at a time, and at the locks of their token accounts ([`crate::facilitator::locks::account_locks`]), which
//! only decrypt allowances take exclusively.
//!
//! A task looks once for each time its queue was notified, and again where one transfer could not carry all. Promised
//! payments that come while it runs notify it only by their triggers ([`crate::facilitator::deferred`]): else a steady
//! stream of them would keep it sending a few at a time. For the same reason a queue that was notified of payments takes
//! promises along and sends nothing for them alone: by the time it looks, another transfer may have carried the payment it
//! was notified of.
//!
//! *Gathering.* Callers who were answered by one landing come back within milliseconds. A queue whose holds came together,
//! or that has more waiting, therefore pauses a moment after a landing before it sends again: without it, eight callers in
//! a loop fall apart into transfers of one and of seven. A session with one caller never waits for it.
//!
//! *Overtaking.* Where [`CarryLimit`] allows several transfers of a session in flight, the next one goes when the one before
//! it has landed, or is late: gathering is cheaper than parallel transfers, but one lost transfer must not hold up a
//! session. Nothing depends on the order of landing: each settlement has its own holds, and the ledger books each by itself.

use super::{
    Dispatch,
    queue_state::{InFlight, SessionQueue},
};
use crate::{
    domain::{
        session::{Session, SessionId, SessionState},
        settlement::{Settlement, SettlementId},
    },
    facilitator::{
        AllowancePolicy,
        backing::CarryLimit,
        locks::{
            account_locks::{Access, LockedAccounts},
            idle_accounts::{AllowancePurchase, BusyAccounts},
            single_flight::{Running, SingleFlight},
        },
        settlement::driver::Until,
    },
    ledger::{Carry, LedgerError, Work},
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::Instant;

/// How long a queue pauses after the ledger failed it.
const PAUSE_AFTER_FAULT: Duration = Duration::from_millis(500);

/// Works off one queue. Takes it off the list when its task ends in whatever way, a panic included.
struct QueueTask {
    dispatch: Arc<Dispatch>,
    session: SessionId,
    queue: Arc<SessionQueue>,
}

impl Drop for QueueTask {
    fn drop(&mut self) {
        self.dispatch.queues.abandon(self.session, &self.queue);
    }
}

/// What one try to send a session's waiting holds came to.
enum Dispatched {
    /// Nothing waits.
    Nothing,
    /// A transfer is on its way; about so many holds came together for it, so many may be in flight at once, and more may
    /// wait than it could carry.
    Sent { together: usize, most_in_flight: usize, more: bool },
    /// Nothing was sent: as many transfers of the session are in flight as may be.
    Full { most_in_flight: usize },
}

/// Everything that the next transfer of a session needs before it is planned.
struct Slot {
    locked: LockedAccounts,
    /// The right to buy decrypt allowances with it.
    purchase: Option<AllowancePurchase>,
    busy: BusyAccounts,
    /// For how many holds the queue was notified: about as many wait.
    together: usize,
    limit: CarryLimit,
}

/// A transfer that is planned.
struct Planned {
    settlement: Settlement,
    /// Marks the settlement as driven, from before it is planned, so that no background round resumes it.
    queued: Option<Running<SettlementId, Arc<SingleFlight<SettlementId>>>>,
}

impl Dispatch {
    /// Makes sure that a payment which waits in this session will be settled, and what is promised with it.
    pub(crate) fn notify_queue(self: &Arc<Self>, session: SessionId) {
        self.work_off(session, self.queues.notify(session));
    }

    /// Makes sure that about so many promises of this session will be settled, whether a payment waits or not.
    pub(crate) fn notify_queue_for_promises(self: &Arc<Self>, session: SessionId, about: u64) {
        let about = usize::try_from(about).unwrap_or(usize::MAX);
        self.work_off(session, self.queues.notify_for_promises(session, about));
    }

    fn work_off(self: &Arc<Self>, session: SessionId, new: Option<Arc<SessionQueue>>) {
        if let Some(queue) = new {
            let task = QueueTask { dispatch: Arc::clone(self), session, queue };
            self.core.tasks.spawn(async move { task.run().await });
        }
    }

    /// Takes what waits in one transfer and has it carried by a task of its own.
    async fn dispatch_next(
        self: &Arc<Self>,
        id: SessionId,
        queue: &Arc<SessionQueue>,
    ) -> Result<Dispatched, LedgerError> {
        let Some(session) = self.core.ledger.session(id).await? else {
            queue.pending.store(0, Ordering::SeqCst);
            return Ok(Dispatched::Nothing);
        };
        let is_lowered = self.core.settings.transfers.delegation.is_lowered();
        if session.state == SessionState::Revoked || (is_lowered && session.state != SessionState::Open) {
            self.give_up_uncovered(id).await?;
        }
        let slot = self.reserve_slot(&session, queue).await?;
        let (together, most_in_flight) = (slot.together, slot.limit.most_in_flight);
        if queue.in_flight.load(Ordering::SeqCst) >= most_in_flight {
            queue.pending.fetch_add(together, Ordering::SeqCst);
            slot.cancel();
            return Ok(Dispatched::Full { most_in_flight });
        }
        let Some(planned) = self.plan_next(id, queue, &slot).await? else {
            slot.cancel();
            return Ok(Dispatched::Nothing);
        };
        // What was left behind did not fit: it is a single payment that does not fit into what is left.
        let left = slot.limit.most.checked_sub(planned.settlement.amount).unwrap_or_default();
        let more = left < self.core.settings.payments.max_per_call;
        queue.due.fetch_or(more, Ordering::SeqCst);
        self.launch(queue, slot, planned);
        Ok(Dispatched::Sent { together, most_in_flight, more })
    }

    /// Takes every permit and lock of a session's next transfer, in the order of [`crate::facilitator::locks`].
    async fn reserve_slot(&self, session: &Session, queue: &SessionQueue) -> Result<Slot, LedgerError> {
        let [source, destination] = self.core.accounts_of(session);
        let busy = self.locks.idle.mark_busy([source, destination]);
        let permits = self.locks.in_flight.acquire_accounts(&source, &destination).await;
        // After a landing a queue looks whether more waits; only for a hold that does, others are kept waiting.
        let waits = queue.pending.load(Ordering::SeqCst) > 0;
        let (locked, purchase) =
            if waits { self.lock_to_buy(session).await } else { (self.lock_plain(session).await, None) };
        // Last: one that waits for a locked account takes no permit from those who could go.
        let permit = self.locks.in_flight.acquire_global(permits).await;
        // Counted before they are taken: one that comes in between is counted again and costs a look.
        let together = queue.pending.swap(0, Ordering::SeqCst);
        let limit = self.core.carry_limit(session).await?;
        Ok(Slot { locked: locked.with_permit(permit), purchase, busy, together, limit })
    }

    /// Plans one settlement over what waits; `None` when nothing does that it may go for.
    async fn plan_next(
        self: &Arc<Self>,
        id: SessionId,
        queue: &SessionQueue,
        slot: &Slot,
    ) -> Result<Option<Planned>, LedgerError> {
        let settlement = self.core.next_settlement_id();
        let queued = self.settlements.queued.start_owned(settlement);
        // Before they are planned: a promise that comes in between is counted though it is covered, never the reverse.
        let promised = self.counters.take_counted(id, &self.core.settings.deferred);
        let about = slot.together.saturating_add(usize::try_from(promised).unwrap_or(usize::MAX));
        let permit = self.locks.writes.acquire(about).await;
        let due = queue.due.swap(false, Ordering::SeqCst);
        let carry = Carry { most: slot.limit.most, promises_alone: due };
        let planned = self.core.ledger.plan_settlement(settlement, id, carry, self.core.clock.now()).await;
        drop(permit);
        queue.due.fetch_or(planned.is_err() && (due || promised > 0), Ordering::SeqCst);
        let Some(settlement) = planned? else {
            if promised > 0 && !due {
                // They were not taken along after all.
                self.count_promises(id).await.inspect_err(|_| queue.due.store(true, Ordering::SeqCst))?;
            }
            return Ok(None);
        };
        Ok(Some(Planned { settlement, queued }))
    }

    /// Has a planned transfer carried by a task of its own.
    fn launch(self: &Arc<Self>, queue: &Arc<SessionQueue>, slot: Slot, planned: Planned) {
        let (this, in_flight) = (Arc::clone(self), InFlight::of(queue));
        let Slot { locked, purchase, busy, .. } = slot;
        let Planned { settlement, queued } = planned;
        self.core.tasks.spawn(async move {
            let _in_flight = in_flight;
            this.prepare_recipient(&settlement).await;
            this.carry(Work { settlement, attempt: None }, Until::Landed, Some(locked)).await;
            drop((purchase, busy, queued));
            this.settlements.progress.tell_of_any();
        });
    }

    /// Locks the accounts of a session's next transfer, with the right to buy decrypt allowances where it is time to buy them
    /// for accounts that are never idle.
    async fn lock_to_buy(&self, session: &Session) -> (LockedAccounts, Option<AllowancePurchase>) {
        let accounts = self.core.accounts_of(session);
        let [source, destination] = accounts;
        // On accounts that are never idle one transfer in a while waits until both are still.
        if self.access() == Access::Shared
            && let Some(purchase) = self.locks.idle.overdue(accounts, Instant::now())
        {
            if let Some(locked) = self.locks.accounts.exclusive_in_time(source, destination).await {
                return (locked, Some(purchase));
            }
            tracing::info!(session = session.id.log_hash(), "a transfer goes without decrypt allowances");
        }
        (self.lock_plain(session).await, None)
    }

    /// Locks the accounts of a session's transfer as the policy says: exclusively where every transfer buys decrypt
    /// allowances, else beside others.
    pub(crate) async fn lock_plain(&self, session: &Session) -> LockedAccounts {
        let [source, destination] = self.core.accounts_of(session);
        self.locks.accounts.pair(source, destination, self.access()).await
    }

    fn access(&self) -> Access {
        match self.core.settings.transfers.decrypt_allowance {
            _ if self.core.needs_allowances() => Access::Exclusive,
            AllowancePolicy::Every => Access::Exclusive,
            AllowancePolicy::Never | AllowancePolicy::Idle => Access::Shared,
        }
    }
}

impl Slot {
    /// Gives everything back: nothing is sent with it.
    fn cancel(self) {
        if let Some(purchase) = self.purchase {
            purchase.cancel();
        }
    }
}

impl QueueTask {
    /// Works until nothing waits any more.
    async fn run(self) {
        let (this, queue) = (&self.dispatch, &self.queue);
        loop {
            match this.dispatch_next(self.session, queue).await {
                Ok(Dispatched::Sent { together, most_in_flight, more }) => {
                    self.await_landing(most_in_flight).await;
                    if together > 1 || queue.pending.load(Ordering::SeqCst) > 0 {
                        tokio::time::sleep(this.core.settings.dispatch.gather).await;
                    }
                    // What came meanwhile without a notification is promised, and waits for its own trigger.
                    if !more && self.is_finished() {
                        return;
                    }
                }
                Ok(Dispatched::Full { most_in_flight }) => self.await_capacity(most_in_flight).await,
                Ok(Dispatched::Nothing) if queue.in_flight.load(Ordering::SeqCst) > 0 => {
                    queue.changed.notified().await;
                }
                Ok(Dispatched::Nothing) => {
                    if self.is_finished() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(session = self.session.log_hash(), %error, "a queue pauses: the ledger failed");
                    tokio::time::sleep(PAUSE_AFTER_FAULT).await;
                }
            }
        }
    }

    /// Whether this queue has come to its end: nothing of it is in flight, and it was not notified since it last looked.
    fn is_finished(&self) -> bool {
        self.queue.in_flight.load(Ordering::SeqCst) == 0 && self.dispatch.queues.retire(self.session, &self.queue)
    }

    /// Waits until fewer than `most_in_flight` of the queue's transfers are in flight.
    async fn await_capacity(&self, most_in_flight: usize) {
        while self.queue.in_flight.load(Ordering::SeqCst) >= most_in_flight {
            self.queue.changed.notified().await;
        }
    }

    /// Waits until the queue's transfers have landed, or until the last one is late, something waits, and another may be in
    /// flight beside it.
    async fn await_landing(&self, most_in_flight: usize) {
        let late = Instant::now() + self.dispatch.core.settings.dispatch.overtake_after;
        loop {
            let in_flight = self.queue.in_flight.load(Ordering::SeqCst);
            if in_flight == 0 {
                return;
            }
            let capacity = in_flight < most_in_flight;
            if capacity && Instant::now() >= late && self.queue.pending.load(Ordering::SeqCst) > 0 {
                return;
            }
            tokio::select! {
                () = self.queue.changed.notified() => {}
                () = tokio::time::sleep_until(late), if capacity && Instant::now() < late => {}
            }
        }
    }
}
