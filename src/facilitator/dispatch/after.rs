//! What follows from a settlement's outcome: what it gave back is queued again.

use crate::{
    domain::{
        hold::Hold,
        reason::PayReason,
        session::{Session, SessionId},
        settlement::{Event, Settlement},
    },
    facilitator::{
        dispatch::Dispatch,
        events::SessionEvent,
        locks::account_locks::LockedAccounts,
        settlement::{SettlementOutcome, driver::Until},
    },
    ledger::{LedgerError, Work},
};
use std::sync::Arc;

impl Dispatch {
    /// Drives a settlement as far as `until`, does what follows from its outcome, and returns it as it then stands. The token
    /// accounts of a transfer are `locked` meanwhile.
    pub(crate) async fn carry(
        self: &Arc<Self>,
        work: Work,
        until: Until,
        locked: Option<LockedAccounts>,
    ) -> Settlement {
        let outcome = self.settlements.drive(work, until, locked).await;
        self.after(outcome).await
    }

    /// Tells queues and counters how a drive ended.
    async fn after(self: &Arc<Self>, outcome: SettlementOutcome) -> Settlement {
        match outcome {
            SettlementOutcome::DrivenElsewhere(settlement) | SettlementOutcome::Ended(settlement) => settlement,
            SettlementOutcome::Returned { settlement, end, promises } => {
                if let Some(session) = settlement.pays_from() {
                    if promises {
                        self.promises_came_back(session).await;
                    }
                    self.settle_what_else_is_promised(session, end.as_ref()).await;
                }
                self.settlements.progress.tell_of_any();
                settlement
            }
        }
    }

    /// A settlement came to nothing: the promises it gave back rest, and are tried again.
    async fn promises_came_back(&self, session: SessionId) {
        let again_at = match self.core.ledger.promised(Some(session)).await {
            Ok(promised) => promised.first().and_then(|promised| promised.again_at),
            // Unknown; the next look finds out.
            Err(_) => Some(self.core.clock.now()),
        };
        if let Some(at) = again_at {
            self.counters.retry_at(session, at, &self.core.settings.deferred);
        }
    }

    /// Settles the user's other promises at once, unless the settlement ended only because nobody waited for it.
    async fn settle_what_else_is_promised(self: &Arc<Self>, session: SessionId, end: Option<&Event>) {
        // That nobody waited any more says nothing about the balance.
        if matches!(end, Some(Event::Abandoned { reason: PayReason::SettlementExpired })) {
            return;
        }
        let settled = match self.core.ledger.session(session).await {
            Ok(Some(session)) => self.settle_promises_of_user(&session).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = settled {
            tracing::warn!(%error, "what else is promised on a balance in trouble waits for its own trigger");
        }
    }

    /// Settles what is promised in every session of this one's user and asset: their balance is in trouble, and what was
    /// promised first should meet what is left of it.
    async fn settle_promises_of_user(self: &Arc<Self>, session: &Session) -> Result<(), LedgerError> {
        for other in self.core.ledger.live_sessions(session.user(), &session.intent.asset).await? {
            self.settle_promises(other.id);
        }
        Ok(())
    }

    /// Gives up what is promised in a session that no delegation backs any more: no transfer can keep it, and as long as
    /// it waits it takes up what may be promised to its merchant.
    pub(super) async fn give_up_uncovered(&self, session: SessionId) -> Result<(), LedgerError> {
        let lost = self.core.ledger.give_up(session, self.core.give_up()).await?;
        self.report_loss(session, &lost);
        Ok(())
    }

    /// Logs promises that were given up, and tells the session's listeners.
    pub(crate) fn report_loss(&self, session: SessionId, lost: &[Hold]) {
        for hold in lost {
            tracing::error!(session = session.log_hash(), payment = %hold.id, "a promised payment is lost");
        }
        if !lost.is_empty() {
            self.core.events.publish(session, SessionEvent::Recorded);
        }
    }

    /// Settles what is promised in a session and may be tried now. Asks the ledger whatever is counted here: a caller who
    /// hung up may have been promised something that was never counted.
    pub(crate) fn settle_promises(self: &Arc<Self>, session: SessionId) {
        let count = self.counters.take_counted(session, &self.core.settings.deferred);
        self.notify_queue_for_promises(session, count);
    }

    /// Takes over what an earlier process promised, and gives how many those are; what waits for nothing more is settled at
    /// once.
    pub(crate) async fn restore_promises(self: &Arc<Self>) -> Result<u64, LedgerError> {
        let mut count = 0;
        for promised in self.core.ledger.promised(None).await? {
            count += promised.count;
            let full = self.counters.restore(&promised, &self.core.settings.deferred);
            if full || !promised.accepting {
                self.settle_promises(promised.session);
            }
        }
        Ok(count)
    }

    /// Counts a session's promises by what the ledger says, and settles them where that reaches a trigger.
    pub(crate) async fn count_promises(self: &Arc<Self>, session: SessionId) -> Result<(), LedgerError> {
        for promised in self.core.ledger.promised(Some(session)).await? {
            if self.counters.raise_to(&promised, &self.core.settings.deferred) {
                self.settle_promises(session);
            }
        }
        Ok(())
    }
}
