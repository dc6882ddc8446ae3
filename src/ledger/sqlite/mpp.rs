//! The verbs of the Machine Payments Protocol on SQLite.

use crate::{
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
    ledger::{
        ChargeClaim, ChargeLedger, ChargeRecorded, IssuerClaim, LedgerError, MppLedger,
        sqlite::{
            handle::SqliteLedger,
            statements::{
                mpp::{charges, counts, issuers, sponsoring, verified},
                queries::snapshot,
            },
        },
    },
};
use async_trait::async_trait;
use rusqlite::Connection;
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
    async fn count_prepared(&self, more: u64, now: UnixSeconds) -> Result<Use, LedgerError> {
        if more == 0 {
            return self.0.readers.run(move |conn| snapshot(conn, |conn| verified::of_all(conn, now))).await;
        }
        let count = move |conn: &Connection| {
            counts::add(conn, counts::PREPARED, more, now)?;
            verified::of_all(conn, now)
        };
        self.0.writer.run(count).await
    }

    async fn sponsor_bar(&self, sponsored: &Sponsored, now: UnixSeconds) -> Result<Option<SponsorBar>, LedgerError> {
        let sponsored = *sponsored;
        self.0.readers.run(move |conn| snapshot(conn, |conn| sponsoring::bar(conn, &sponsored, now))).await
    }

    async fn taken_from(&self, source: &Pubkey, slot: u64) -> Result<Amount, LedgerError> {
        let source = *source;
        self.0.readers.run(move |conn| charges::taken_from(conn, &source, slot)).await
    }

    async fn record_charge(
        &self,
        plan: &ChargePlan,
        attempt: Attempt,
        now: UnixSeconds,
    ) -> Result<ChargeRecorded, LedgerError> {
        if self.0.log.is_full() {
            return Err(LedgerError::Busy);
        }
        let plan = *plan;
        self.0.writer.run(move |conn| charges::record(conn, &plan, &attempt, now)).await
    }

    async fn find_charge(&self, message: &ContentHash) -> Result<Option<RecordedCharge>, LedgerError> {
        let message = *message;
        self.0.readers.run(move |conn| charges::find(conn, &message)).await
    }

    async fn claim_charge(
        &self,
        id: ChargeId,
        claimant: &ChargeClaimant,
        now: UnixSeconds,
    ) -> Result<ChargeClaim, LedgerError> {
        let claimant = *claimant;
        self.0.writer.run(move |conn| charges::claim(conn, id, &claimant, now)).await
    }

    async fn verify_charge(&self, id: ChargeId, slot: u64) -> Result<(), LedgerError> {
        self.0.writer.run(move |conn| charges::verify(conn, id, slot)).await
    }

    async fn find_expired_charge(&self, id: ChargeId, slot: u64, now: UnixSeconds) -> Result<(), LedgerError> {
        self.0.writer.run(move |conn| charges::found(conn, id, slot, now)).await
    }

    async fn unverified_charges(&self, most: u64) -> Result<Vec<RecordedCharge>, LedgerError> {
        self.0.readers.run(move |conn| charges::unverified(conn, most)).await
    }

    async fn charge_stats(&self, newest: u64, now: UnixSeconds) -> Result<ChargeStats, LedgerError> {
        self.0.readers.run(move |conn| snapshot(conn, |conn| charges::stats(conn, newest, now))).await
    }
}
