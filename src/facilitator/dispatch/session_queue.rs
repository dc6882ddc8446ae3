//! Which holds wait for which settlement.
//!
//! Each session with waiting holds has one lane: a task that takes everything that waits, has it carried in one
//! transfer, and looks again. While a transfer is prepared or in flight further holds gather, so callers that come
//! together share one transaction and its price. Lanes of different sessions meet at the windows
//! ([`super::windows`]), where each stands in line with one transfer at a time, and at the gates of their token accounts
//! ([`super::gates`]), which only decrypt allowances close.
//!
//! A lane looks once for each time it was woken, and again where one transfer could not carry all. Promised payments
//! that come while it runs wake it only by their triggers ([`super::deferred`]): else a steady stream of them would keep
//! it flying with a few at a time. For the same reason a lane that was woken for payments takes promises along and does
//! not take off for them alone: by the time it looks, another transfer may have carried the payment that woke it.
//!
//! *Gathering.* Callers who were answered by one landing come back within milliseconds. A lane whose holds came
//! together, or that has more waiting, therefore rests a moment after a landing before it takes off again: without it,
//! eight callers in a loop fall apart into transfers of one and of seven. A session with one caller never waits for it.
//!
//! *Overtaking.* Where [`super::funding::CarryLimit`] allows several transfers of a session in flight, the next one goes
//! when the one before it has landed, or is late: gathering is cheaper than flying in parallel, but one lost transfer
//! must not hold up a session. Nothing depends on the order of landing: each settlement has its own holds, and the
//! ledger books each by itself.

use super::queue_state::{Flight, Lane};
use crate::{
    domain::session::{Session, SessionId},
    facilitator::{
        AllowancePolicy, Facilitator,
        locks::{account_locks::AccountsHeld, idle_accounts::Buying},
        settlement::driver::Until,
    },
    ledger::{Carry, LedgerError, Work},
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::Instant;

/// How long a lane rests after the ledger failed it.
const REST_AFTER_FAULT: Duration = Duration::from_millis(500);

/// Takes the lane off the list when its task ends in whatever way, a panic included.
struct Running {
    facilitator: Arc<Facilitator>,
    session: SessionId,
    lane: Arc<Lane>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.facilitator.lanes.abandon(self.session, &self.lane);
    }
}

/// What a lane did with what waits.
enum TakeOff {
    /// Nothing waits.
    Nothing,
    /// A transfer is on its way; about so many holds came together for it, so many may fly at once, and more may wait
    /// than it could carry.
    Flies { together: usize, window: usize, more: bool },
    /// As many as may fly together do so already: less may by now than when they took off.
    Full { window: usize },
}

impl Facilitator {
    /// Makes sure that a payment which waits in this session will be settled, and what is promised with it.
    pub(crate) fn wake_lane(self: &Arc<Self>, session: SessionId) {
        self.wake(session, 1, false);
    }

    /// The same for about so many promises, whether a payment waits or not.
    pub(crate) fn wake_lane_for_promises(self: &Arc<Self>, session: SessionId, about: u64) {
        self.wake(session, about, true);
    }

    fn wake(self: &Arc<Self>, session: SessionId, about: u64, due: bool) {
        if let Some(lane) = self.lanes.wake(session, usize::try_from(about).unwrap_or(usize::MAX), due) {
            let running = Running { facilitator: Arc::clone(self), session, lane };
            self.spawn(async move { running.run().await });
        }
    }

    /// Takes what waits in one transfer and has it flown by a task of its own.
    async fn take_off(self: &Arc<Self>, id: SessionId, lane: &Arc<Lane>) -> Result<TakeOff, LedgerError> {
        let Some(session) = self.ledger.session(id).await? else {
            lane.woken.store(0, Ordering::SeqCst);
            return Ok(TakeOff::Nothing);
        };
        let [source, destination] = self.accounts_of(&session);
        let work = self.unread.at_work([source, destination]);
        let line = self.windows.line_up(&source, &destination).await;
        // After a landing a lane looks whether more waits; only for somebody who does, others are kept waiting.
        let waits = lane.woken.load(Ordering::SeqCst) > 0;
        let (held, buying) = self.hold_accounts(&session, waits).await;
        // Last: one that stands before a closed account takes no place from those who could fly.
        let place = self.windows.enter(line).await;
        // Counted before they are taken: one that comes in between is counted again and costs a look.
        let together = lane.woken.swap(0, Ordering::SeqCst);
        let limit = self.carry_limit(&session).await?;
        if lane.flying.load(Ordering::SeqCst) >= limit.window {
            lane.woken.fetch_add(together, Ordering::SeqCst);
            if let Some(buying) = buying {
                buying.forgo();
            }
            return Ok(TakeOff::Full { window: limit.window });
        }
        let settlement = self.next_settlement_id();
        // From before it exists, so that no background round takes it for one that nobody drives.
        let claim = self.resuming.claim_owned(settlement);
        // Before they are planned: a promise that comes in between is counted though it is covered, never the reverse.
        let promised = self.deferred.planned(id, &self.settings.deferred);
        let turn = self.bulk.turn(together.saturating_add(usize::try_from(promised).unwrap_or(usize::MAX))).await;
        let due = lane.due.swap(false, Ordering::SeqCst);
        let carry = Carry { most: limit.most, promises_alone: due };
        let planned = self.ledger.plan_settlement(settlement, id, carry, self.clock.now()).await;
        drop(turn);
        lane.due.fetch_or(planned.is_err() && (due || promised > 0), Ordering::SeqCst);
        let Some(settlement) = planned? else {
            if let Some(buying) = buying {
                buying.forgo();
            }
            if promised > 0 && !due {
                // They were not taken along after all.
                self.count(id).await.inspect_err(|_| lane.due.store(true, Ordering::SeqCst))?;
            }
            return Ok(TakeOff::Nothing);
        };
        // What was left behind did not fit: it is a single payment that does not fit into what is left.
        let left = limit.most.checked_sub(settlement.amount).unwrap_or_default();
        let more = left < self.settings.payments.max_per_call;
        lane.due.fetch_or(more, Ordering::SeqCst);
        let (this, flight) = (Arc::clone(self), Flight::of(lane));
        let held = held.with_place(place);
        self.spawn(async move {
            let _flight = flight;
            this.drive_holding(Work { settlement, attempt: None }, Until::Landed, Some(held)).await;
            drop((buying, work, claim));
            this.lanes.progress.notify_waiters();
        });
        Ok(TakeOff::Flies { together, window: limit.window, more })
    }

    /// Holds the accounts of a session's next transfer: alone when it is to buy decrypt allowances, else beside others.
    /// `due` tells whether it may be one that is bought for accounts that never rest.
    pub(crate) async fn hold_accounts(&self, session: &Session, due: bool) -> (AccountsHeld, Option<Buying>) {
        let accounts = self.accounts_of(session);
        let [source, destination] = accounts;
        let alone = match self.settings.decrypt_allowance {
            _ if self.needs_allowances() => true,
            AllowancePolicy::Every => true,
            AllowancePolicy::Never => false,
            // On accounts that are never at rest one transfer in a while waits until both are still.
            AllowancePolicy::Idle => {
                if due && let Some(buying) = self.unread.overdue(accounts, Instant::now()) {
                    if let Some(held) = self.gates.alone_in_time(source, destination).await {
                        return (held, Some(buying));
                    }
                    tracing::info!(session = session.id.log_hash(), "a transfer goes without decrypt allowances");
                }
                false
            }
        };
        (self.gates.accounts(source, destination, alone).await, None)
    }
}

impl Running {
    /// Until nothing waits any more.
    async fn run(self) {
        let (this, lane) = (&self.facilitator, &self.lane);
        loop {
            match this.take_off(self.session, lane).await {
                Ok(TakeOff::Flies { together, window, more }) => {
                    self.await_turn(window).await;
                    if together > 1 || lane.woken.load(Ordering::SeqCst) > 0 {
                        tokio::time::sleep(this.settings.dispatch.gather).await;
                    }
                    // What came meanwhile and woke nobody is promised, and waits for its own trigger.
                    if !more && self.rests() {
                        return;
                    }
                }
                Ok(TakeOff::Full { window }) => self.await_room(window).await,
                Ok(TakeOff::Nothing) if lane.flying.load(Ordering::SeqCst) > 0 => lane.bell.notified().await,
                Ok(TakeOff::Nothing) => {
                    if self.rests() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(session = self.session.log_hash(), %error, "a lane rests: the ledger failed");
                    tokio::time::sleep(REST_AFTER_FAULT).await;
                }
            }
        }
    }

    /// Whether this lane has come to its end: nothing of it flies, and nobody woke it since it last looked.
    fn rests(&self) -> bool {
        self.lane.flying.load(Ordering::SeqCst) == 0 && self.facilitator.lanes.rest(self.session, &self.lane)
    }

    /// Waits until fewer than `window` of the lane's transfers are in flight.
    async fn await_room(&self, window: usize) {
        while self.lane.flying.load(Ordering::SeqCst) >= window {
            self.lane.bell.notified().await;
        }
    }

    /// Waits until the lane's transfers have landed, or until the last one is late, something waits, and another may
    /// fly beside it.
    async fn await_turn(&self, window: usize) {
        let late = Instant::now() + self.facilitator.settings.dispatch.overtake_after;
        loop {
            let flying = self.lane.flying.load(Ordering::SeqCst);
            if flying == 0 {
                return;
            }
            let room = flying < window;
            if room && Instant::now() >= late && self.lane.woken.load(Ordering::SeqCst) > 0 {
                return;
            }
            tokio::select! {
                () = self.lane.bell.notified() => {}
                () = tokio::time::sleep_until(late), if room && Instant::now() < late => {}
            }
        }
    }
}
