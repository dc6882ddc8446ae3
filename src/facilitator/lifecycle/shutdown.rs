//! The end of a process: what is promised is settled if there is time, and every task comes to a durable resting point.

use crate::{
    domain::settlement::{Settlement, State},
    facilitator::Facilitator,
    ledger::LedgerError,
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How often a leaving process looks whether everything has landed, beside being told.
const LOOK: Duration = Duration::from_millis(100);

impl Facilitator {
    /// Stops background work at once and waits until every task has come to a durable resting point. What is in flight
    /// is found again by [`Facilitator::recover`]. [`Facilitator::leave`] settles what is promised first.
    pub async fn stop(&self) {
        self.end_streams();
        self.core.tasks.stop().await;
    }

    /// Ends every stream of events, so that a server which takes no more requests can come to its end. Clients come back
    /// to the next process with the id of their last event.
    pub fn end_streams(&self) {
        self.core.events.end();
    }

    /// Leaves: settles what is promised, for at most the configured time, and stops. What has not landed by then is
    /// durable and is taken over by the next start.
    pub async fn leave(self: &Arc<Self>) {
        let deadline = Instant::now() + self.core.settings.deferred.leave_within;
        // By what the ledger says: an error may have kept a promise from being counted.
        match self.core.ledger.promised(None).await {
            Ok(promised) => {
                let fresh = promised.iter().filter(|promised| promised.count > 0);
                fresh.for_each(|promised| self.dispatch.settle_promises(promised.session));
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
            let progress = self.settlements.progress.of_any();
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
        let waits = self.core.ledger.promised(None).await?.iter().any(|promised| promised.count > 0);
        let is_open = |settlement: &Settlement| {
            matches!(settlement.state, State::Reserved | State::InFlight) && !settlement.is_held()
        };
        Ok(!waits && !self.core.ledger.unfinished().await?.iter().any(|work| is_open(&work.settlement)))
    }
}
