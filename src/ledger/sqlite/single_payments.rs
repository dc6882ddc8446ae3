//! The verbs of single payments on SQLite.

use crate::{
    domain::{
        clock::UnixSeconds,
        settlement::{Attempt, SingleId},
        single_payment::{Claimant, OfferLimits, RecordedSingle, SingleKey, SingleOffer, SinglePlan},
    },
    ledger::{
        LedgerError, Offered, SingleClaim, SinglePaid, SinglePaymentLedger,
        sqlite::{handle::SqliteLedger, statements::single_payments},
    },
};
use async_trait::async_trait;
use solana_pubkey::Pubkey;

#[async_trait]
impl SinglePaymentLedger for SqliteLedger {
    async fn offer_single(
        &self,
        offer: &SingleOffer,
        limits: OfferLimits,
        now: UnixSeconds,
    ) -> Result<Offered, LedgerError> {
        if self.0.log.is_full() {
            return Err(LedgerError::Busy);
        }
        let offer = offer.clone();
        self.0.writer.run(move |conn| single_payments::offer(conn, &offer, limits, now)).await
    }

    async fn single_offers(&self, payer: &Pubkey, now: UnixSeconds) -> Result<Vec<SingleOffer>, LedgerError> {
        let payer = *payer;
        self.0.readers.run(move |conn| single_payments::live_offers(conn, &payer, now)).await
    }

    async fn pay_single(
        &self,
        plan: &SinglePlan,
        attempt: Attempt,
        now: UnixSeconds,
    ) -> Result<SinglePaid, LedgerError> {
        let plan = *plan;
        self.0.writer.run(move |conn| single_payments::pay(conn, &plan, &attempt, now)).await
    }

    async fn find_single(&self, key: &SingleKey) -> Result<Option<RecordedSingle>, LedgerError> {
        let key = key.clone();
        self.0.readers.run(move |conn| single_payments::find(conn, &key)).await
    }

    async fn claim_single(
        &self,
        id: SingleId,
        claimant: Claimant,
        now: UnixSeconds,
    ) -> Result<SingleClaim, LedgerError> {
        self.0.writer.run(move |conn| single_payments::claim(conn, id, claimant, now)).await
    }
}
