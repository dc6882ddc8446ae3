//! The verbs of charges.

use crate::{
    domain::{
        amount::Amount,
        budget::OverBudget,
        clock::UnixSeconds,
        hold::ContentHash,
        mpp::{
            caps::{SponsorBar, Sponsored, Use},
            recorded_charge::{ChargeClaimant, ChargePlan, ChargeStats, RecordedCharge},
        },
        settlement::{Attempt, ChargeId},
    },
    ledger::{LedgerError, Work},
};
use async_trait::async_trait;
use solana_pubkey::Pubkey;

/// What became of a charge that its buyer signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChargeRecorded {
    /// It is durable with its signed transaction, which may be sent now.
    Recorded(Box<RecordedCharge>, Box<Work>),
    /// Its message was recorded before; as it stands.
    Known(Box<RecordedCharge>),
    /// A cap bars it. Nothing was written, as in what follows.
    Barred(SponsorBar),
    /// Channels are settled from its source: what it holds is set aside for their sellers.
    BacksChannels,
    /// What is in flight from its source leaves less than it moves.
    Overdrawn,
    /// It would pass a budget.
    OverBudget(OverBudget),
}

/// Whether a request may tell the success of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeClaim {
    /// It may: no other request was told, or this one's key was.
    Granted {
        /// The slot to tell with it.
        slot: u64,
    },
    /// Not yet: it is kept for whoever asked first.
    Kept,
    /// It was told before, to another.
    Told,
    /// Nothing has landed.
    NotLanded,
}

/// The verbs of charges; [`crate::ledger::Ledger`] has all others, and what they all promise.
#[async_trait]
pub trait ChargeLedger: Send + Sync + 'static {
    /// Adds so many preparations to those of this UTC day, and tells what of the cap on verification is used then that all share:
    /// preparations, and vouchers where they are counted. Of zero it only tells.
    async fn count_prepared(&self, more: u64, now: UnixSeconds) -> Result<Use, LedgerError>;

    /// Why a transaction would not be sponsored now; promises nothing, the verb that records it decides.
    async fn sponsor_bar(&self, sponsored: &Sponsored, now: UnixSeconds) -> Result<Option<SponsorBar>, LedgerError>;

    /// What charges take from an account that a reading as of `slot` does not show: those in flight, and those that landed later.
    async fn taken_from(&self, source: &Pubkey, slot: u64) -> Result<Amount, LedgerError>;

    /// Writes a charge with its settlement, its signed attempt, who is sponsored and its booking; its message is recorded once for
    /// ever. Nothing is written where a cap, a budget, channels on its source or what that has left forbids it.
    async fn record_charge(
        &self,
        plan: &ChargePlan,
        attempt: Attempt,
        now: UnixSeconds,
    ) -> Result<ChargeRecorded, LedgerError>;

    /// The charge of this message.
    async fn find_charge(&self, message: &ContentHash) -> Result<Option<RecordedCharge>, LedgerError>;

    /// Hands out the success of a charge that has landed, once; to the key that it was told to, again.
    async fn claim_charge(
        &self,
        id: ChargeId,
        claimant: &ChargeClaimant,
        now: UnixSeconds,
    ) -> Result<ChargeClaim, LedgerError>;

    /// Notes that another reading has shown the recipient with what was paid, unless the charge has left this slot since.
    async fn verify_charge(&self, id: ChargeId, slot: u64) -> Result<(), LedgerError>;

    /// Notes that a charge whose absence was proved has landed after all. Others are left alone.
    async fn find_expired_charge(&self, id: ChargeId, slot: u64, now: UnixSeconds) -> Result<(), LedgerError>;

    /// Charges that have landed and that no other reading has shown, oldest first.
    async fn unverified_charges(&self, most: u64) -> Result<Vec<RecordedCharge>, LedgerError>;

    /// How much was prepared and settled, with so many of the newest.
    async fn charge_stats(&self, newest: u64, now: UnixSeconds) -> Result<ChargeStats, LedgerError>;
}
