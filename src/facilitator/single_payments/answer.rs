//! The answer for a single payment that was recorded: what the ledger says, and its one success.

use super::{SinglePayments, because};
use crate::{
    domain::{
        amount::Amount,
        funding::Funding,
        reason::PayReason,
        single_payment::{Claimant, RecordedSingle, SingleKey, SingleRequirements, SingleState},
    },
    facilitator::{PayError, PayRefusal, looks::Landing},
    ledger::{LedgerError, SingleClaim},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::time::Duration;
use tokio::time::Instant;

/// How long a success waits for the level that it is told with, where nothing but that depends on it.
const PATIENCE: Duration = Duration::from_secs(2);

const KEPT: &str = "it has landed, and its success is kept for the request that recorded it; repeat shortly";
const TOLD_ELSEWHERE: &str = "this transaction is a payment already; its success is told once, to the request that recorded it or \
                              later to one that brings the payer's `authorization` too";

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
    /// Answers a request of which it is proved that it knows more of a recorded payment than everybody: waits while its outcome
    /// is open, unless enough wait already.
    pub(super) async fn answer_prover(
        &self,
        known: RecordedSingle,
        required: &SingleRequirements,
        deadline: Instant,
    ) -> Result<SingleReceipt, PayError> {
        let known = match self.permit(&known.payer).await {
            Some(_permit) => self.await_outcome(known, deadline).await?,
            None => known,
        };
        let proof_demanded = known.proof_demanded || required.funding_required;
        self.answer(RecordedSingle { proof_demanded, ..known }, Claimant::Prover, deadline).await
    }

    /// The payment as it stands when its outcome is known, or when the caller's time is over.
    pub(super) async fn await_outcome(
        &self,
        single: RecordedSingle,
        deadline: Instant,
    ) -> Result<RecordedSingle, LedgerError> {
        let key = SingleKey::Signed(single.signed);
        let look = || self.core.ledger.find_single(&key);
        let is_known =
            |found: &Option<RecordedSingle>| found.as_ref().is_none_or(|found| found.state != SingleState::OnItsWay);
        let found = self.settlements.await_outcome(single.settlement, deadline, look, is_known).await?;
        Ok(found.unwrap_or(single))
    }

    /// Tells how a payment stands, to whoever may hear of its success. That is told once: a merchant who passes on what a payer
    /// sends must not be shown one payment twice.
    pub(super) async fn answer(
        &self,
        single: RecordedSingle,
        claimant: Claimant,
        deadline: Instant,
    ) -> Result<SingleReceipt, PayError> {
        let refuse = |reason| PayError::from(named(&single, PayRefusal::new(reason)));
        let SingleState::Landed { slot } = single.state else { return Err(standing(&single).into()) };
        let funding = self.landed_level(&single, slot, deadline).await?;
        if single.proof_demanded && funding != Some(Funding::Proven) {
            // Until it is known nothing is claimed, so a caller who asks again is told.
            let reason = if funding.is_some() { PayReason::FundingUnproven } else { PayReason::SettlementPending };
            return Err(refuse(reason));
        }
        match self.core.ledger.claim_single(single.id, claimant, self.core.clock.now()).await? {
            SingleClaim::Granted => {}
            SingleClaim::Kept => return Err(named(&single, because(PayReason::SettlementPending, KEPT)).into()),
            SingleClaim::Refused => return Err(refuse(PayReason::DuplicateSettlement)),
        }
        let RecordedSingle { transaction, payer, recipient, asset, amount, .. } = single;
        let funding = funding.unwrap_or(Funding::Unproven);
        Ok(SingleReceipt { transaction, payer, recipient, asset, amount, funding })
    }

    /// The level that may be told of a landed payment: `proven` only after the account's history was seen up to the landing
    /// (ADR 0035). None where that is not known in time.
    async fn landed_level(
        &self,
        single: &RecordedSingle,
        slot: u64,
        deadline: Instant,
    ) -> Result<Option<Funding>, LedgerError> {
        if single.funding != Funding::Proven {
            return Ok(Some(single.funding));
        }
        let until = if single.proof_demanded { deadline } else { deadline.min(Instant::now() + PATIENCE) };
        let landing = Landing { slot, signature: single.transaction };
        if !self.funding.see_landing(&single.payer, landing, until).await? {
            return Ok(None);
        }
        // What the look found is written with it.
        let now = self.core.ledger.find_single(&SingleKey::Signed(single.signed)).await?;
        Ok(now.map(|now| now.funding))
    }
}

/// How a payment stands, for whoever proves nothing: what the chain tells everybody, and never its success or its amount.
pub(super) fn standing(single: &RecordedSingle) -> PayRefusal {
    let refusal = match single.state {
        SingleState::OnItsWay => PayRefusal::new(PayReason::SettlementPending),
        SingleState::Released { reason } => PayRefusal::new(reason),
        SingleState::Landed { .. } if single.proof_demanded && single.funding != Funding::Proven => {
            PayRefusal::new(PayReason::FundingUnproven)
        }
        SingleState::Landed { .. } => because(PayReason::DuplicateSettlement, TOLD_ELSEWHERE),
    };
    named(single, refusal)
}

/// A refusal that names the payer and the transaction.
fn named(single: &RecordedSingle, refusal: PayRefusal) -> PayRefusal {
    PayRefusal { transaction: Some(single.transaction), ..refusal.of(&single.payer) }
}
