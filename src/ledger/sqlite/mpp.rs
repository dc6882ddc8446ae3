//! The verbs of the Machine Payments Protocol on SQLite.

use crate::{
    domain::clock::UnixSeconds,
    ledger::{
        ChargeLedger, IssuerClaim, LedgerError, MppLedger,
        sqlite::{
            handle::SqliteLedger,
            statements::mpp::{counts, issuers},
        },
    },
};
use async_trait::async_trait;
use solana_pubkey::Pubkey;

#[async_trait]
impl MppLedger for SqliteLedger {
    async fn claim_issuer(
        &self,
        chain_id: &str,
        issuer: &Pubkey,
        previous: &[Pubkey],
        now: UnixSeconds,
    ) -> Result<IssuerClaim, LedgerError> {
        let (chain_id, issuer, previous) = (chain_id.to_owned(), *issuer, previous.to_vec());
        self.0.writer.run(move |conn| issuers::claim(conn, &chain_id, &issuer, &previous, now)).await
    }
}

#[async_trait]
impl ChargeLedger for SqliteLedger {
    async fn count_prepared(&self, more: u64, now: UnixSeconds) -> Result<u64, LedgerError> {
        if more == 0 {
            return self.0.readers.run(move |conn| counts::today(conn, counts::PREPARED, now)).await;
        }
        self.0.writer.run(move |conn| counts::add(conn, counts::PREPARED, more, now)).await
    }
}
