//! The verbs of revokes, at which a process dies like at all others.

use super::MortalLedger;
use async_trait::async_trait;
use solana_pubkey::Pubkey;
use sotto::{
    domain::{
        clock::UnixSeconds,
        revocation::{Revocation, RevocationBar, RevocationKey, RevocationLimits, RevocationPlan},
        settlement::Attempt,
    },
    ledger::{LedgerError, RevocationLedger, RevocationRecorded},
};

#[async_trait]
impl RevocationLedger for MortalLedger {
    async fn revocation_bar(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        limits: RevocationLimits,
        now: UnixSeconds,
    ) -> Result<Option<RevocationBar>, LedgerError> {
        self.fate.step("revocation_bar", self.inner.revocation_bar(user, asset, limits, now)).await
    }

    async fn record_revocation(
        &self,
        plan: &RevocationPlan,
        attempt: Attempt,
        now: UnixSeconds,
    ) -> Result<RevocationRecorded, LedgerError> {
        self.fate.step("record_revocation", self.inner.record_revocation(plan, attempt, now)).await
    }

    async fn find_revocation(&self, key: &RevocationKey) -> Result<Option<Revocation>, LedgerError> {
        self.fate.step("find_revocation", self.inner.find_revocation(key)).await
    }
}
