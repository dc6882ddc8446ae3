//! When promises are settled, and when they are given up (`spec/settlement.md` §4).
//!
//! A deferred payment is answered when its hold is durable. Its session's queue is notified by a trigger: enough money,
//! enough payments, the age of the oldest, the session's close or expiry, trouble with the payer's balance, or our own
//! leaving. A settlement that came to nothing gives its promises back to rest, and they are tried again until the policy
//! gives up; then the loss is booked and reported, never hidden. Where the payer has revoked the delegation no settlement
//! is tried any more: the session's queue gives them up. So it does where transfers lower the delegated amount and another
//! approve stands that does not back an ended session: a transfer would take what others were promised.

use crate::{
    domain::{hold::Hold, session::SessionId},
    facilitator::{deferred::Deferred, dispatch::deferred_counters::Due},
    ledger::LedgerError,
};
use solana_pubkey::Pubkey;
use std::{sync::Arc, time::Duration};

impl Deferred {
    /// Counts a promised payment of this user in, and settles its session's promises when it reaches a trigger.
    pub(crate) fn count_promise(&self, user: &Pubkey, hold: &Hold) {
        self.quota.count(user, hold.accepted_at);
        let policy = &self.core.settings.deferred;
        if self.dispatch.counters.add(hold.session, hold.amount, hold.accepted_at, policy) {
            self.dispatch.settle_promises(hold.session);
        }
    }

    /// Counts a session's promises by what the ledger says, because one of them is asked for again: the answer of the
    /// ledger that held it may have been lost before it was counted. Once a second for a session, however often it is
    /// asked for.
    pub(crate) async fn count_again(&self, session: SessionId) -> Result<(), LedgerError> {
        let now = self.core.clock.now();
        if self.dispatch.counters.may_ask(session, now) { self.dispatch.count_promises(session).await } else { Ok(()) }
    }

    /// Settles every promise whose time has come by what the ledger says. The counters in memory only know sooner: they
    /// miss what was accepted from a caller who hung up between the hold and the count.
    pub(crate) async fn settle_due_promises(&self) -> Result<(), LedgerError> {
        let now = self.core.clock.now();
        let age = self.core.settings.deferred.age_seconds;
        for promised in self.core.ledger.promised(None).await? {
            let old = promised.oldest.is_some_and(|oldest| oldest.saturating_add(age) <= now);
            let again = promised.again_at.is_some_and(|at| at <= now);
            let ended = !promised.accepting && promised.count > 0;
            if old || again || ended {
                let count = promised.count + promised.resting;
                self.keep_or_give_up(Due { session: promised.session, count, again }).await;
            }
        }
        Ok(())
    }

    /// Settles promises at their age and retries those that came back, with one timer for all of them. Never ends.
    pub(crate) async fn promise_rounds(self: Arc<Self>) {
        let counters = &self.dispatch.counters;
        loop {
            let now = self.core.clock.now();
            for due in counters.take_due(now, &self.core.settings.deferred) {
                self.keep_or_give_up(due).await;
            }
            // A clock that is set differently is noticed within a round.
            let longest = self.core.settings.background.round;
            let next = counters.next_due();
            let wait = next.map_or(longest, |at| Duration::from_secs(at.saturating_sub(now)).min(longest));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = counters.changed.notified() => {}
            }
        }
    }

    async fn keep_or_give_up(&self, due: Due) {
        if due.again {
            match self.core.ledger.give_up(due.session, self.core.give_up()).await {
                Ok(lost) => self.dispatch.report_loss(due.session, &lost),
                Err(error) => tracing::warn!(%error, "whether a promise is to be given up is seen at its next try"),
            }
        }
        self.dispatch.notify_queue_for_promises(due.session, due.count);
    }
}
