//! The verbs of the Machine Payments Protocol, at which a process dies like at all others.

use super::MortalLedger;
use async_trait::async_trait;
use solana_pubkey::Pubkey;
use sotto::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        hold::ContentHash,
        mpp::{
            caps::{SponsorBar, Sponsored, Use},
            recorded_charge::{ChargeClaimant, ChargePlan, ChargeStats, RecordedCharge},
        },
        settlement::{Attempt, ChargeId},
    },
    ledger::{ChargeClaim, ChargeLedger, ChargeRecorded, IssuerClaim, LedgerError, MppLedger},
};

#[async_trait]
impl MppLedger for MortalLedger {
    async fn claim_issuer(
        &self,
        chain_id: &str,
        issuer: &Pubkey,
        previous: &[Pubkey],
        now: UnixSeconds,
    ) -> Result<IssuerClaim, LedgerError> {
        self.fate.step("claim_issuer", self.inner.claim_issuer(chain_id, issuer, previous, now)).await
    }
}

#[async_trait]
impl ChargeLedger for MortalLedger {
    async fn count_prepared(&self, more: u64, now: UnixSeconds) -> Result<Use, LedgerError> {
        self.fate.step("count_prepared", self.inner.count_prepared(more, now)).await
    }

    async fn sponsor_bar(&self, sponsored: &Sponsored, now: UnixSeconds) -> Result<Option<SponsorBar>, LedgerError> {
        self.fate.step("sponsor_bar", self.inner.sponsor_bar(sponsored, now)).await
    }

    async fn taken_from(&self, source: &Pubkey, slot: u64) -> Result<Amount, LedgerError> {
        self.fate.step("taken_from", self.inner.taken_from(source, slot)).await
    }

    async fn record_charge(
        &self,
        plan: &ChargePlan,
        attempt: Attempt,
        now: UnixSeconds,
    ) -> Result<ChargeRecorded, LedgerError> {
        self.fate.step("record_charge", self.inner.record_charge(plan, attempt, now)).await
    }

    async fn find_charge(&self, message: &ContentHash) -> Result<Option<RecordedCharge>, LedgerError> {
        self.fate.step("find_charge", self.inner.find_charge(message)).await
    }

    async fn claim_charge(
        &self,
        id: ChargeId,
        claimant: &ChargeClaimant,
        now: UnixSeconds,
    ) -> Result<ChargeClaim, LedgerError> {
        self.fate.step("claim_charge", self.inner.claim_charge(id, claimant, now)).await
    }

    async fn verify_charge(&self, id: ChargeId, slot: u64) -> Result<(), LedgerError> {
        self.fate.step("verify_charge", self.inner.verify_charge(id, slot)).await
    }

    async fn find_expired_charge(&self, id: ChargeId, slot: u64, now: UnixSeconds) -> Result<(), LedgerError> {
        self.fate.step("find_expired_charge", self.inner.find_expired_charge(id, slot, now)).await
    }

    async fn unverified_charges(&self, most: u64) -> Result<Vec<RecordedCharge>, LedgerError> {
        self.fate.step("unverified_charges", self.inner.unverified_charges(most)).await
    }

    async fn charge_stats(&self, newest: u64, now: UnixSeconds) -> Result<ChargeStats, LedgerError> {
        self.fate.step("charge_stats", self.inner.charge_stats(newest, now)).await
    }
}
