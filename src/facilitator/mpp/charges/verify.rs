//! The second look at a landed charge: that its recipient has what was paid. Where two voices are configured no success is told
//! without it; with one, recorded bytes that landed are their own proof, and it is read again later.

use super::Charges;
use crate::{
    chain::TokenChange,
    domain::mpp::recorded_charge::{ChargeState, RecordedCharge},
    facilitator::tasks::ticks,
    ledger::LedgerError,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};

/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// How often charges are read again that nobody has shown yet, and how many.
const ROUND: Duration = Duration::from_secs(5);
const MOST: u64 = 32;

/// What the second look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// It shows what was paid, or nobody but the teller could be asked and has not said otherwise.
    Stands,
    /// It is not shown, or shown otherwise.
    Missing,
}

impl Charges {
    /// Reads a landed charge again, until it is shown or the time is over; once where only one voice is configured.
    pub(super) async fn read_again(&self, known: &RecordedCharge, deadline: Instant) -> Result<Reading, LedgerError> {
        let several = self.shared.core.chain.has_several_voices();
        loop {
            let read = timeout_at(deadline, self.change_of(known)).await.unwrap_or(None);
            match read {
                Some(change) if self.shows(known, change) => {
                    self.shared.core.ledger.verify_charge(known.id, slot_of(known, change)).await?;
                    return Ok(Reading::Stands);
                }
                Some(_) => return Ok(Reading::Missing),
                None if !several => return Ok(Reading::Stands),
                None if Instant::now() + LOOK >= deadline => return Ok(Reading::Missing),
                None => sleep(LOOK).await,
            }
        }
    }

    /// Looks once more at a charge whose absence was proved: where it is seen after all, it has landed. Others are left as they are.
    pub(super) async fn look_again(&self, known: &RecordedCharge) -> Result<RecordedCharge, LedgerError> {
        if known.state != ChargeState::Expired {
            return Ok(*known);
        }
        let found = self.change_of(known).await.filter(|change| is_paid(known, *change));
        let Some(TokenChange { slot, .. }) = found else { return Ok(*known) };
        let (core, signature) = (&self.shared.core, known.signature);
        tracing::error!(%signature, slot, "a charge landed whose absence RPC providers had proved; it is told as a success");
        let now = core.clock.now();
        core.ledger.find_expired_charge(known.id, slot, now).await?;
        Ok(RecordedCharge { state: ChargeState::Landed { slot }, is_verified: true, landed_at: Some(now), ..*known })
    }

    /// Reads again what nobody has shown yet, again and again.
    pub(crate) async fn verification_rounds(self: Arc<Self>) {
        let mut ticks = ticks(ROUND);
        loop {
            ticks.tick().await;
            if let Err(error) = self.verify_landed().await {
                tracing::debug!(%error, "landed charges are read again in the next round");
            }
        }
    }

    async fn verify_landed(&self) -> Result<(), LedgerError> {
        for known in self.shared.core.ledger.unverified_charges(MOST).await? {
            if let Some(change) = self.change_of(&known).await
                && self.shows(&known, change)
            {
                self.shared.core.ledger.verify_charge(known.id, slot_of(&known, change)).await?;
            }
        }
        Ok(())
    }

    async fn change_of(&self, known: &RecordedCharge) -> Option<TokenChange> {
        match self.shared.core.chain.token_change(&known.signature, &known.destination).await {
            Ok(change) => change,
            Err(error) => {
                tracing::debug!(signature = %known.signature, %error, "a landed charge cannot be read");
                None
            }
        }
    }

    /// Whether the recipient has what was paid; that it is otherwise is the operator's to know.
    fn shows(&self, known: &RecordedCharge, change: TokenChange) -> bool {
        let is_paid = is_paid(known, change);
        if !is_paid && self.contradicted.remember(known.signature) {
            let signature = known.signature;
            tracing::error!(%signature, "an RPC provider shows a landed charge otherwise than it was signed; it is not told");
        }
        is_paid
    }
}

fn is_paid(known: &RecordedCharge, change: TokenChange) -> bool {
    !change.failed && change.units == i128::from(known.amount.get())
}

/// The slot that the ledger has of it, which a pushed notice may have told somewhat late.
fn slot_of(known: &RecordedCharge, change: TokenChange) -> u64 {
    match known.state {
        ChargeState::Landed { slot } => slot,
        _ => change.slot,
    }
}
