//! The verbs of the Machine Payments Protocol, at which a process dies like at all others.

use super::MortalLedger;
use async_trait::async_trait;
use solana_pubkey::Pubkey;
use sotto::{
    domain::clock::UnixSeconds,
    ledger::{ChargeLedger, IssuerClaim, LedgerError, MppLedger},
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
    async fn count_prepared(&self, more: u64, now: UnixSeconds) -> Result<u64, LedgerError> {
        self.fate.step("count_prepared", self.inner.count_prepared(more, now)).await
    }
}
