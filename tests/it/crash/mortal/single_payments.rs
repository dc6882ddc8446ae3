//! The verbs of single payments, at which a process dies like at all others.

use super::MortalLedger;
use async_trait::async_trait;
use solana_pubkey::Pubkey;
use sotto::{
    domain::{
        clock::UnixSeconds,
        settlement::{Attempt, SingleId},
        single_payment::{Claimant, OfferLimits, RecordedSingle, SingleKey, SingleOffer, SinglePlan},
    },
    ledger::{LedgerError, Offered, SingleClaim, SinglePaid, SinglePaymentLedger},
};

#[async_trait]
impl SinglePaymentLedger for MortalLedger {
    async fn offer_single(
        &self,
        offer: &SingleOffer,
        limits: OfferLimits,
        now: UnixSeconds,
    ) -> Result<Offered, LedgerError> {
        self.fate.step("offer_single", self.inner.offer_single(offer, limits, now)).await
    }

    async fn single_offers(&self, payer: &Pubkey, now: UnixSeconds) -> Result<Vec<SingleOffer>, LedgerError> {
        self.fate.step("single_offers", self.inner.single_offers(payer, now)).await
    }

    async fn pay_single(
        &self,
        plan: &SinglePlan,
        attempt: Attempt,
        now: UnixSeconds,
    ) -> Result<SinglePaid, LedgerError> {
        self.fate.step("pay_single", self.inner.pay_single(plan, attempt, now)).await
    }

    async fn find_single(&self, key: &SingleKey) -> Result<Option<RecordedSingle>, LedgerError> {
        self.fate.step("find_single", self.inner.find_single(key)).await
    }

    async fn claim_single(
        &self,
        id: SingleId,
        claimant: Claimant,
        now: UnixSeconds,
    ) -> Result<SingleClaim, LedgerError> {
        self.fate.step("claim_single", self.inner.claim_single(id, claimant, now)).await
    }
}
