//! Which holds wait for which settlement.
//!
//! Each session with waiting holds has one lane: a task that takes everything that waits, carries it in one transfer,
//! and looks again. While a transfer is prepared or in flight further holds gather, so callers that come together
//! share one transaction. Lanes of different sessions meet only at the gates of their token accounts, which are first
//! come first served.

use crate::{
    domain::{
        session::{Session, SessionId},
        settlement::SettlementId,
    },
    facilitator::{AllowancePolicy, Facilitator, driver::Until, gates::AccountsHeld},
    ledger::{LedgerError, Work},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// How long a lane rests after the ledger failed it.
const REST_AFTER_FAULT: Duration = Duration::from_millis(500);

/// Lanes that run, and whether one was woken since it last looked.
#[derive(Default)]
pub(super) struct Lanes {
    running: Mutex<HashMap<SessionId, bool>>,
    /// Told whenever a settlement ends: an opening waits for the user's lanes to drain.
    pub(super) progress: Notify,
}

impl Lanes {
    /// True when the caller has to start the lane.
    fn wake(&self, session: SessionId) -> bool {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running.get_mut(&session) {
            Some(again) => {
                *again = true;
                false
            }
            None => running.insert(session, false).is_none(),
        }
    }

    /// True when the lane may end: nobody woke it since it last looked.
    fn rest(&self, session: SessionId) -> bool {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running.get_mut(&session) {
            Some(again) if *again => {
                *again = false;
                false
            }
            _ => {
                running.remove(&session);
                true
            }
        }
    }
}

impl Facilitator {
    /// Makes sure that what waits in this session will be settled.
    pub(super) fn wake_lane(self: &Arc<Self>, session: SessionId) {
        if self.lanes.wake(session) {
            let this = Arc::clone(self);
            self.spawn(async move { this.run_lane(session).await });
        }
    }

    async fn run_lane(self: &Arc<Self>, session: SessionId) {
        loop {
            match self.carry_one(session).await {
                Ok(true) => {}
                Ok(false) => {
                    if self.lanes.rest(session) {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(session = session.log_hash(), %error, "a lane rests: the ledger failed");
                    tokio::time::sleep(REST_AFTER_FAULT).await;
                }
            }
        }
    }

    /// Carries what waits in one transfer; false when nothing waited.
    async fn carry_one(self: &Arc<Self>, id: SessionId) -> Result<bool, LedgerError> {
        let Some(session) = self.ledger.session(id).await? else { return Ok(false) };
        let _held = self.hold_accounts(&session).await;
        let settlement = SettlementId::from_random_bytes(self.random_id());
        let limit = self.carry_limit(&session);
        let Some(settlement) = self.ledger.plan_settlement(settlement, id, limit.most, self.clock.now()).await? else {
            return Ok(false);
        };
        self.deferred.planned(id, &self.settings.deferred);
        self.drive(Work { settlement, attempt: None }, Until::Landed).await;
        self.lanes.progress.notify_waiters();
        Ok(true)
    }

    /// The gates a transfer of this session passes; none when no allowance names a handle in advance.
    pub(super) async fn hold_accounts(&self, session: &Session) -> Option<AccountsHeld> {
        match self.settings.decrypt_allowance {
            AllowancePolicy::Never => None,
            AllowancePolicy::Every => {
                let (source, destination) =
                    (self.token_account(session.user()), self.token_account(&session.intent.recipient));
                Some(self.gates.accounts(&source, &destination).await)
            }
        }
    }
}
