//! The verbs of revokes that we pay for on SQLite.

use crate::{
    domain::{
        clock::UnixSeconds,
        revocation::{Revocation, RevocationBar, RevocationKey, RevocationLimits, RevocationPlan},
        settlement::Attempt,
    },
    ledger::{
        LedgerError, RevocationLedger, RevocationRecorded,
        sqlite::{handle::SqliteLedger, statements::revocations},
    },
};
use async_trait::async_trait;
use solana_pubkey::Pubkey;

#[async_trait]
impl RevocationLedger for SqliteLedger {
    async fn revocation_bar(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        limits: RevocationLimits,
        now: UnixSeconds,
    ) -> Result<Option<RevocationBar>, LedgerError> {
        let (user, asset) = (*user, *asset);
        self.0.readers.run(move |conn| revocations::bar(conn, &user, &asset, limits, now)).await
    }

    async fn record_revocation(
        &self,
        plan: &RevocationPlan,
        attempt: Attempt,
        now: UnixSeconds,
    ) -> Result<RevocationRecorded, LedgerError> {
        let plan = *plan;
        self.0.writer.run(move |conn| revocations::record(conn, &plan, &attempt, now)).await
    }

    async fn find_revocation(&self, key: &RevocationKey) -> Result<Option<Revocation>, LedgerError> {
        let key = *key;
        self.0.readers.run(move |conn| revocations::find(conn, &key)).await
    }
}
