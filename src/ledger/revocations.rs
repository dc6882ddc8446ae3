//! The verbs of revokes that we pay for, which stand apart from those of sessions.

use crate::{
    domain::{
        clock::UnixSeconds,
        revocation::{Revocation, RevocationBar, RevocationKey, RevocationLimits, RevocationPlan},
        settlement::Attempt,
    },
    ledger::{LedgerError, RevocationRecorded},
};
use async_trait::async_trait;
use solana_pubkey::Pubkey;

/// The verbs of revokes; [`super::Ledger`] has all others, and what they all promise.
#[async_trait]
pub trait RevocationLedger: Send + Sync + 'static {
    /// Why no revoke of this wallet and asset would be recorded now; promises nothing,
    /// [`RevocationLedger::record_revocation`] decides.
    async fn revocation_bar(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        limits: RevocationLimits,
        now: UnixSeconds,
    ) -> Result<Option<RevocationBar>, LedgerError>;

    /// Writes a revoke with its settlement, its signed attempt and its booking, where nothing bars it and no budget forbids it.
    /// The same signed message is one revoke.
    async fn record_revocation(
        &self,
        plan: &RevocationPlan,
        attempt: Attempt,
        now: UnixSeconds,
    ) -> Result<RevocationRecorded, LedgerError>;

    /// The revoke that was recorded under this key.
    async fn find_revocation(&self, key: &RevocationKey) -> Result<Option<Revocation>, LedgerError>;
}
