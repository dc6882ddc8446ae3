//! The answer for a single payment that was recorded: what the ledger says, and its one success.

use super::SinglePayments;
use crate::{
    domain::{
        amount::Amount,
        funding::Funding,
        reason::PayReason,
        single_payment::{Single, SingleKey, SingleState},
    },
    facilitator::{
        PayError, PayRefusal,
        looks::{Landing, Looked},
    },
    ledger::LedgerError,
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// The pause between two looks at a payment that another request has carried.
const LOOK: Duration = Duration::from_millis(250);
/// How long a success waits for the level that it is told with, where nothing but that depends on it.
const PATIENCE: Duration = Duration::from_secs(2);

/// A single payment that has landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SingleReceipt {
    /// The transaction.
    pub transaction: Signature,
    /// The wallet that paid.
    pub payer: Pubkey,
    /// The wallet that is paid.
    pub recipient: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// In base units.
    pub amount: Amount,
    /// What is known of the payer's balance: landed is not paid, because a short one moves zero.
    pub funding: Funding,
}

impl SinglePayments {
    /// Answers for a payment that was recorded before: waits while its outcome is open, unless enough wait already.
    pub(super) async fn answer_known(
        self: &Arc<Self>,
        single: Single,
        deadline: Instant,
    ) -> Result<SingleReceipt, PayError> {
        let single = match self.permit(&single.payer).await {
            Some(_permit) => self.await_outcome(single, deadline).await?,
            None => single,
        };
        self.answer(single, deadline).await
    }

    /// The payment as it stands when its outcome is known, or when the caller's time is over.
    pub(super) async fn await_outcome(&self, single: Single, deadline: Instant) -> Result<Single, LedgerError> {
        let mut single = single;
        loop {
            single = self.core.ledger.find_single(&SingleKey::Signed(single.signed)).await?.unwrap_or(single);
            if single.state != SingleState::OnItsWay || Instant::now() + LOOK >= deadline {
                return Ok(single);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Tells how a payment stands. Its success is told once: a merchant who passes on what a payer sends must not be shown
    /// one payment twice.
    pub(super) async fn answer(&self, single: Single, deadline: Instant) -> Result<SingleReceipt, PayError> {
        let refuse = |reason| {
            let refusal = PayRefusal::new(reason).of(&single.payer);
            PayError::from(PayRefusal { transaction: Some(single.transaction), ..refusal })
        };
        let slot = match single.state {
            SingleState::Landed { slot } => slot,
            SingleState::OnItsWay => return Err(refuse(PayReason::SettlementPending)),
            SingleState::Released { reason } => return Err(refuse(reason)),
        };
        let funding = self.landed_level(&single, slot, deadline).await?;
        if single.proof_demanded && funding != Some(Funding::Proven) {
            // Until it is known nothing is claimed, so a caller who asks again is told.
            let reason = if funding.is_some() { PayReason::FundingUnproven } else { PayReason::SettlementPending };
            return Err(refuse(reason));
        }
        if !self.core.ledger.claim_single(single.id).await? {
            return Err(refuse(PayReason::DuplicateSettlement));
        }
        let Single { transaction, payer, recipient, asset, amount, .. } = single;
        let funding = funding.unwrap_or(Funding::Unproven);
        Ok(SingleReceipt { transaction, payer, recipient, asset, amount, funding })
    }

    /// The level that may be told of a landed payment: `proven` only after the account's history was seen up to the landing
    /// (ADR 0035). None where that is not known in time.
    async fn landed_level(
        &self,
        single: &Single,
        slot: u64,
        deadline: Instant,
    ) -> Result<Option<Funding>, LedgerError> {
        if single.funding != Funding::Proven {
            return Ok(Some(single.funding));
        }
        let until = if single.proof_demanded { deadline } else { deadline.min(Instant::now() + PATIENCE) };
        let landing = Landing { slot, signature: single.transaction };
        loop {
            let look = self.funding.look_after_landing(&single.payer, landing);
            match tokio::time::timeout_at(until, Box::pin(look)).await {
                Ok(Ok(Looked::Unclear)) if Instant::now() + LOOK < until => tokio::time::sleep(LOOK).await,
                Ok(Ok(Looked::Unclear)) | Err(_) => return Ok(None),
                Ok(Ok(Looked::Stands | Looked::Lost)) => break,
                Ok(Err(error)) => return Err(error),
            }
        }
        // What the look found is written with it.
        let now = self.core.ledger.find_single(&SingleKey::Signed(single.signed)).await?;
        Ok(now.map(|now| now.funding))
    }
}
