//! The start of a process: what a killed one left behind is handed to the same driver that serves live requests.

use crate::{
    domain::{reason::PayReason, settlement::State},
    facilitator::Facilitator,
    ledger::{IssuerClaim, LedgerError, Work},
};
use solana_pubkey::Pubkey;
use std::{sync::Arc, time::Duration};

/// How long a start waits for the fee payers' balances; until they are read, every key counts as funded.
const BALANCE_PATIENCE: Duration = Duration::from_secs(2);

/// Why a process does not start its work.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger's keys are derived from another root.
    #[error("mpp.root is another than this ledger's keys are derived from, whose issuer is {in_use}")]
    OtherRoot {
        /// The issuer that is in use.
        in_use: Pubkey,
    },
}

impl Facilitator {
    /// Starts the work of this process, once, before requests are served: what comes before the first signature, then
    /// [`Facilitator::take_over`].
    pub async fn recover(self: &Arc<Self>) -> Result<(), StartError> {
        self.set_limits().await?;
        self.claim_root().await?;
        self.learn_balances().await;
        Ok(self.take_over().await?)
    }

    /// Notes whose root the ledger's keys are derived from; refuses to go on with another one, which would sign for open channels
    /// with other keys. Comes before anything is signed.
    pub async fn claim_root(&self) -> Result<(), StartError> {
        let Some(mpp) = &self.mpp else { return Ok(()) };
        let (shared, chain_id) = (&mpp.shared, mpp.shared.network.chain_id());
        let previous: Vec<Pubkey> =
            shared.settings.roots.previous.iter().map(|root| root.issuer(chain_id).public()).collect();
        let now = self.core.clock.now();
        match self.core.ledger.claim_issuer(chain_id, &shared.issuer, &previous, now).await? {
            IssuerClaim::Accepted => Ok(()),
            IssuerClaim::Another(in_use) => Err(StartError::OtherRoot { in_use }),
        }
    }

    /// Puts the configured budgets in force. Comes before anything is signed.
    pub async fn set_limits(&self) -> Result<(), LedgerError> {
        self.core.ledger.set_budgets(&self.core.settings.budgets).await
    }

    /// Reads what the fee payers have, so that one without SOL gets no work; waits for it for a moment only.
    pub async fn learn_balances(&self) {
        if !matches!(tokio::time::timeout(BALANCE_PATIENCE, self.sponsor.read_balances()).await, Ok(Ok(()))) {
            tracing::warn!("the fee payers' balances are not known yet");
        }
    }

    /// Picks up what was unfinished and starts the background work; what takes time goes on in the background.
    ///
    /// Holds that no settlement covers were accepted from callers who are gone, so they are released, unless they were
    /// promised; everything that was planned is driven to its end.
    pub async fn take_over(self: &Arc<Self>) -> Result<(), LedgerError> {
        let core = &self.core;
        let now = core.clock.now();
        let released = core.ledger.release_abandoned(now.saturating_add(1), PayReason::SettlementExpired).await?;
        if self.mpp.is_some() {
            // Before anything is driven: whoever was opening a channel is gone, and nobody else knows its secret.
            core.ledger.fail_openings().await?;
        }
        let promised = self.dispatch.restore_promises().await?;
        let unfinished = core.ledger.unfinished().await?;
        let openings = core.ledger.opening_sessions().await?;
        tracing::info!(
            released,
            promised,
            settlements = unfinished.len(),
            openings = openings.len(),
            "picking up where it ended"
        );
        for work in unfinished {
            // An approve is driven by its opening, which knows what comes after.
            if !work.settlement.purpose.driven_by_opening() {
                self.resume(work).await?;
            }
        }
        for session in &openings {
            self.sessions.resume_opening(session);
        }
        self.start_background().await
    }

    /// Hands a settlement that was planned before to who drives it; what has landed is watched alike.
    pub(super) async fn resume(&self, work: Work) -> Result<(), LedgerError> {
        if work.settlement.purpose.keeps_openings_out() && work.settlement.state != State::Landed {
            return self.revocations.resume(work).await;
        }
        self.dispatch.resume(work);
        Ok(())
    }
}
