//! Promised payments: when they are settled, and when a promise is given up (`spec/settlement.md` §4).
//!
//! A deferred payment is answered when its hold is durable. Its session's lane is woken by a trigger: enough money, enough
//! payments, the age of the oldest, the session's close or expiry, trouble with the payer's balance, or our own leaving.
//! A settlement that came to nothing gives its promises back to rest, and they are tried again until the policy gives up;
//! then the loss is booked and told, never hidden.

use crate::facilitator::dispatch::deferred_counters::{Due, Tallies};
use crate::{
    domain::{
        hold::{GiveUp, Hold},
        reason::PayReason,
        session::{Session, SessionId},
        settlement::{Event, State},
    },
    facilitator::{Facilitator, events::SessionEvent, settings::DeferredPolicy},
    ledger::LedgerError,
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// How often a leaving process looks whether everything has landed, beside being told.
const LOOK: Duration = Duration::from_millis(100);

/// What waits by promise in this process.
#[derive(Default)]
pub(crate) struct Deferred {
    tallies: Mutex<Tallies>,
    /// Told when something may be due earlier than before.
    changed: Notify,
}

impl Deferred {
    fn lock(&self) -> MutexGuard<'_, Tallies> {
        // Nothing panics while holding it; a poisoned tally is still a tally.
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything of this session that waits is covered by a settlement now; so many were counted.
    pub(crate) fn planned(&self, session: SessionId, policy: &DeferredPolicy) -> u64 {
        self.lock().planned(session, policy)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Tallies) -> T) -> T {
        let (result, sooner) = {
            let mut tallies = self.lock();
            let before = tallies.next_due();
            let result = change(&mut tallies);
            let after = tallies.next_due();
            (result, after.is_some() && (before.is_none() || after < before))
        };
        if sooner {
            self.changed.notify_one();
        }
        result
    }
}

impl Facilitator {
    /// Counts a promised payment in, and wakes its lane when it reaches a trigger.
    pub(crate) fn promise(self: &Arc<Self>, hold: &Hold) {
        let policy = &self.settings.deferred;
        let reached = self.deferred.change(|t| t.accept(hold.session, hold.amount, hold.accepted_at, policy));
        if reached {
            self.settle_promises(hold.session);
        }
    }

    /// Counts a session's promises by what the ledger says, because one of them is asked for again: the answer of the
    /// ledger that held it may have been lost before it was counted. Once a second for a session, however often it is
    /// asked for.
    pub(crate) async fn count_again(self: &Arc<Self>, session: SessionId) -> Result<(), LedgerError> {
        if self.deferred.lock().may_ask(session, self.clock.now()) { self.count(session).await } else { Ok(()) }
    }

    /// Counts a session's promises by what the ledger says.
    pub(crate) async fn count(self: &Arc<Self>, session: SessionId) -> Result<(), LedgerError> {
        for promised in self.ledger.promised(Some(session)).await? {
            if self.deferred.change(|t| t.at_least(&promised, &self.settings.deferred)) {
                self.settle_promises(session);
            }
        }
        Ok(())
    }

    /// Settles what is promised in a session and does not rest, now. Asks the ledger whatever is counted here: a caller
    /// who hung up may have been promised something that nobody counted.
    pub(crate) fn settle_promises(self: &Arc<Self>, session: SessionId) {
        let count = self.deferred.planned(session, &self.settings.deferred);
        self.wake_lane_for_promises(session, count);
    }

    /// Settles every promise whose time has come by what the ledger says. The count in memory only knows sooner: it
    /// misses what was accepted from a caller who hung up between the hold and the count.
    pub(crate) async fn keep_promises(self: &Arc<Self>) -> Result<(), LedgerError> {
        let now = self.clock.now();
        let age = self.settings.deferred.age_seconds;
        for promised in self.ledger.promised(None).await? {
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

    /// Settles what is promised in every session of this one's user and asset: his balance is in trouble, and what was
    /// promised first should meet what is left of it.
    async fn settle_promises_of_user(self: &Arc<Self>, session: &Session) -> Result<(), LedgerError> {
        for other in self.ledger.live_sessions(session.user(), &session.intent.asset).await? {
            self.settle_promises(other.id);
        }
        Ok(())
    }

    /// A settlement came to nothing: what it gave back to its session rests and is tried again, and when the chain refused
    /// it, what else is promised on that balance is settled at once. `end` is none when it is not known how it ended, and
    /// `gave_back` tells whether there may be promises among its holds.
    pub(crate) async fn settlement_came_to_nothing(
        self: &Arc<Self>,
        session: SessionId,
        end: Option<&Event>,
        gave_back: bool,
    ) {
        if gave_back {
            let again_at = match self.ledger.promised(Some(session)).await {
                Ok(promised) => promised.first().and_then(|promised| promised.again_at),
                // Unknown; the next look finds out.
                Err(_) => Some(self.clock.now()),
            };
            if let Some(at) = again_at {
                self.deferred.change(|t| t.came_back(session, at, &self.settings.deferred));
            }
        }
        // That nobody waited any more says nothing about the balance.
        if matches!(end, Some(Event::Abandoned { reason: PayReason::SettlementExpired })) {
            return;
        }
        let trouble = match self.ledger.session(session).await {
            Ok(Some(session)) => self.settle_promises_of_user(&session).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = trouble {
            tracing::warn!(%error, "what else is promised on a balance in trouble waits for its own trigger");
        }
    }

    /// Takes over what an earlier process promised; what waits for nothing more is settled at once.
    pub(crate) async fn restore_promises(self: &Arc<Self>) -> Result<u64, LedgerError> {
        let mut count = 0;
        for promised in self.ledger.promised(None).await? {
            count += promised.count;
            let full = self.deferred.change(|t| t.restore(&promised, &self.settings.deferred));
            if full || !promised.accepting {
                self.settle_promises(promised.session);
            }
        }
        Ok(count)
    }

    /// One timer for the age of all promises and for the rest of those that came back.
    pub(crate) async fn promise_rounds(self: Arc<Self>) {
        loop {
            let now = self.clock.now();
            let due = self.deferred.lock().take_due(now, &self.settings.deferred);
            for due in due {
                self.keep_or_give_up(due).await;
            }
            let next = self.deferred.lock().next_due();
            // A clock that is set differently is noticed within a round.
            let longest = self.settings.round;
            let wait = next.map_or(longest, |at| Duration::from_secs(at.saturating_sub(now)).min(longest));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.deferred.changed.notified() => {}
            }
        }
    }

    async fn keep_or_give_up(self: &Arc<Self>, due: Due) {
        if due.again {
            let policy = &self.settings.deferred;
            let when = GiveUp { returns: policy.give_up_returns, age_seconds: policy.give_up_seconds };
            match self.ledger.give_up(due.session, when).await {
                Ok(lost) => self.tell_loss(due.session, &lost),
                Err(error) => tracing::warn!(%error, "whether a promise is to be given up is seen at its next try"),
            }
        }
        self.wake_lane_for_promises(due.session, due.count);
    }

    fn tell_loss(&self, session: SessionId, lost: &[Hold]) {
        for hold in lost {
            tracing::error!(session = session.log_hash(), payment = %hold.id, "a promised payment is lost");
        }
        if !lost.is_empty() {
            self.events.publish(session, SessionEvent::Recorded);
        }
    }

    /// Leaves: settles what is promised, for at most the configured time, and stops. What has not landed by then is
    /// durable and is taken over by the next start.
    pub async fn leave(self: &Arc<Self>) {
        let deadline = Instant::now() + self.settings.deferred.leave_within;
        // By what the ledger says: an error may have kept a promise from being counted.
        match self.ledger.promised(None).await {
            Ok(promised) => {
                let fresh = promised.iter().filter(|promised| promised.count > 0);
                fresh.for_each(|promised| self.settle_promises(promised.session));
            }
            Err(error) => tracing::warn!(%error, "what is promised is settled after the next start"),
        }
        if tokio::time::timeout_at(deadline, self.promises_land()).await.is_err() {
            tracing::info!("what is promised and has not landed is settled after the next start");
        }
        self.stop().await;
    }

    /// Waits until no promise that can be tried now is waiting or on its way.
    async fn promises_land(&self) {
        loop {
            let progress = self.lanes.progress.notified();
            if self.has_landed_promises().await.unwrap_or(false) {
                return;
            }
            tokio::select! {
                () = progress => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn has_landed_promises(&self) -> Result<bool, LedgerError> {
        let waits = self.ledger.promised(None).await?.iter().any(|promised| promised.count > 0);
        let flies = |state: &State| matches!(state, State::Reserved | State::InFlight);
        Ok(!waits && !self.ledger.unfinished().await?.iter().any(|work| flies(&work.settlement.state)))
    }
}
