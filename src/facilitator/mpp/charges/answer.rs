//! The answer for a charge that was recorded: what the ledger says, and its one success.
//!
//! Landed bytes are public, so whoever is not the first request's caller and does not have its key hears of a success only a while
//! later: a stranger must not be told in a seller's place, who would then be refused as a repeat.

use super::{Charges, settle::Asking, verify::Reading};
use crate::{
    domain::{
        amount::Amount,
        hold::ContentHash,
        mpp::{
            reason::ChargeReason,
            recorded_charge::{ChargeState, RecordedCharge},
            spellings::Spellings,
        },
    },
    facilitator::mpp::{ChargeError, RefusedCharge},
    ledger::{ChargeClaim, LedgerError},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use tokio::time::Instant;

const KEPT: &str = "It has landed, and its success is kept for whoever asked first; repeat in two minutes.";
const NOT_YOURS: &str = "It is on its way for another request; repeat in two minutes.";
const UNREAD: &str = "It has landed, and no second endpoint of the chain has shown it yet; repeat the same request.";

/// A charge that has landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledCharge {
    /// The transaction.
    pub signature: Signature,
    /// The wallet that paid.
    pub payer: Pubkey,
    /// The wallet that is paid.
    pub recipient: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// In base units.
    pub amount: Amount,
    /// The first key of its message.
    pub fee_payer: Pubkey,
    /// The slot in which it was confirmed.
    pub slot: u64,
    /// The network.
    pub network: Spellings,
}

impl Charges {
    /// Answers a request for a charge that is recorded already. Only who may be told its success waits for it.
    pub(super) async fn answer_known(
        &self,
        known: &RecordedCharge,
        message: ContentHash,
        asking: Asking,
    ) -> Result<SettledCharge, ChargeError> {
        if let Some(slot) = known.told_to(&asking.claimant) {
            return Ok(self.success(known, slot));
        }
        if known.told.is_some() {
            return Err(repeat(known).into());
        }
        if !known.is_for(&asking.claimant, self.shared.core.clock.now()) {
            return Err(stranger(known).into());
        }
        let turn = self.turn(message, asking.deadline).await;
        let (_place, _turn) = turn.map_err(|refused| refused.of(known.signature))?;
        self.answer_in_turn(known, message, asking).await
    }

    /// Like [`Charges::answer_known`], when it is this request's turn.
    pub(super) async fn answer_in_turn(
        &self,
        known: &RecordedCharge,
        message: ContentHash,
        asking: Asking,
    ) -> Result<SettledCharge, ChargeError> {
        let known = self.await_outcome(known, &message, asking.deadline).await?;
        let known = self.look_again(&known).await?;
        match known.state {
            ChargeState::OnItsWay => Err(told(&known, ChargeReason::SettlementPending).into()),
            ChargeState::Failed => Err(told(&known, ChargeReason::SettlementFailed).into()),
            ChargeState::Expired => Err(told(&known, ChargeReason::BlockhashExpired).into()),
            ChargeState::Landed { .. } => self.tell(&known, asking).await,
        }
    }

    /// The charge as it stands when its outcome is known, or when the caller's time is over.
    async fn await_outcome(
        &self,
        known: &RecordedCharge,
        message: &ContentHash,
        deadline: Instant,
    ) -> Result<RecordedCharge, LedgerError> {
        let look = || self.shared.core.ledger.find_charge(message);
        let is_known = |found: &Option<RecordedCharge>| found.is_none_or(|found| found.state != ChargeState::OnItsWay);
        let found = self.shared.settlements.await_outcome(known.settlement, deadline, look, is_known).await?;
        Ok(found.unwrap_or(*known))
    }

    /// Tells the success of a landed charge, once.
    async fn tell(&self, known: &RecordedCharge, asking: Asking) -> Result<SettledCharge, ChargeError> {
        let core = &self.shared.core;
        if !known.is_verified && self.read_again(known, asking.deadline).await? == Reading::Missing {
            return Err(because(known, ChargeReason::SettlementPending, UNREAD).into());
        }
        match core.ledger.claim_charge(known.id, &asking.claimant, core.clock.now()).await? {
            ChargeClaim::Granted { slot } => Ok(self.success(known, slot)),
            ChargeClaim::Kept => Err(because(known, ChargeReason::SettlementPending, KEPT).into()),
            ChargeClaim::Told => Err(repeat(known).into()),
            ChargeClaim::NotLanded => Err(told(known, ChargeReason::SettlementPending).into()),
        }
    }

    fn success(&self, known: &RecordedCharge, slot: u64) -> SettledCharge {
        let RecordedCharge { signature, payer, recipient, asset, amount, fee_payer, .. } = *known;
        SettledCharge {
            signature,
            payer,
            recipient,
            asset,
            amount,
            fee_payer,
            slot,
            network: self.shared.network.clone(),
        }
    }
}

/// How a charge stands, for whoever may not be told its success yet: what the chain tells everybody.
fn stranger(known: &RecordedCharge) -> RefusedCharge {
    match known.state {
        ChargeState::OnItsWay => because(known, ChargeReason::SettlementPending, NOT_YOURS),
        ChargeState::Landed { .. } => because(known, ChargeReason::SettlementPending, KEPT),
        ChargeState::Failed => told(known, ChargeReason::SettlementFailed),
        ChargeState::Expired => told(known, ChargeReason::BlockhashExpired),
    }
}

/// Its success was told before.
fn repeat(known: &RecordedCharge) -> RefusedCharge {
    told(known, ChargeReason::DuplicateSettlement)
}

fn told(known: &RecordedCharge, reason: ChargeReason) -> RefusedCharge {
    RefusedCharge::new(reason).of(known.signature)
}

fn because(known: &RecordedCharge, reason: ChargeReason, detail: &str) -> RefusedCharge {
    RefusedCharge::because(reason, detail).of(known.signature)
}
