//! The verbs of single payments, which stand apart from those of sessions.

use crate::{
    domain::{
        clock::UnixSeconds,
        settlement::{Attempt, SingleId},
        single_payment::{Claimant, OfferLimits, RecordedSingle, SingleKey, SingleOffer, SinglePlan},
    },
    ledger::{LedgerError, Offered, SingleClaim, SinglePaid},
};
use async_trait::async_trait;
use solana_pubkey::Pubkey;

/// The verbs of single payments; [`super::Ledger`] has all others, and what they all promise.
#[async_trait]
pub trait SinglePaymentLedger: Send + Sync + 'static {
    /// Writes an unsigned transaction that is about to be given to its payer, within the limits; forgets an older one of the same
    /// payer and nonce, and offers whose time is over. A nonce and an encrypted amount that were paid with are never offered again.
    async fn offer_single(
        &self,
        offer: &SingleOffer,
        limits: OfferLimits,
        now: UnixSeconds,
    ) -> Result<Offered, LedgerError>;

    /// The offers of a payer whose time is not over, oldest first.
    async fn single_offers(&self, payer: &Pubkey, now: UnixSeconds) -> Result<Vec<SingleOffer>, LedgerError>;

    /// Uses an offer, once and before its end: writes the payment with its nonce, its settlement, its signed attempt and its
    /// booking, and claims its amount from what the payer has proved to hold. Nothing is written where a budget, the
    /// payer's balance, or what was paid before forbids it.
    async fn pay_single(
        &self,
        plan: &SinglePlan,
        attempt: Attempt,
        now: UnixSeconds,
    ) -> Result<SinglePaid, LedgerError>;

    /// The single payment that was recorded under this key.
    async fn find_single(&self, key: &SingleKey) -> Result<Option<RecordedSingle>, LedgerError>;

    /// Hands out `success:true` for a single payment that has landed, once: to the request that recorded it or, once the time
    /// is over for which it was kept for that one, to another that proves more than everybody knows.
    async fn claim_single(
        &self,
        id: SingleId,
        claimant: Claimant,
        now: UnixSeconds,
    ) -> Result<SingleClaim, LedgerError>;
}
