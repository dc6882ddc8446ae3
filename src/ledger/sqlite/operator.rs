//! The verbs of what an operator decides, on SQLite.

use crate::{
    domain::{
        clock::UnixSeconds,
        settlement::{AbsenceVoices, HeldBecause, Resolution, Settlement, SettlementId},
    },
    ledger::{
        LedgerError, OperatorLedger, Resolved, SeenLanding, SettlementRecord,
        sqlite::{
            handle::SqliteLedger,
            statements::{facts, operator, queries::snapshot},
        },
    },
};
use async_trait::async_trait;
use solana_signature::Signature;

#[async_trait]
impl OperatorLedger for SqliteLedger {
    async fn note_held(
        &self,
        settlement: &Settlement,
        because: HeldBecause,
        now: UnixSeconds,
    ) -> Result<Settlement, LedgerError> {
        let settlement = settlement.clone();
        self.0.writer.run(move |conn| operator::note_held(conn, &settlement, because, now)).await
    }

    async fn held_settlements(&self) -> Result<Vec<SettlementRecord>, LedgerError> {
        self.0.readers.run(|conn| snapshot(conn, operator::held)).await
    }

    async fn settlement_record(&self, id: SettlementId) -> Result<Option<SettlementRecord>, LedgerError> {
        self.0.readers.run(move |conn| snapshot(conn, |conn| operator::record(conn, id))).await
    }

    async fn resolve(&self, resolution: &Resolution, now: UnixSeconds) -> Result<Resolved, LedgerError> {
        let resolution = resolution.clone();
        self.0.writer.run(move |conn| operator::resolve(conn, &resolution, now)).await
    }

    async fn note_seen(&self, seen: &[SeenLanding], now: UnixSeconds) -> Result<(), LedgerError> {
        let seen = seen.to_vec();
        self.0.writer.run(move |conn| operator::note_seen(conn, &seen, now)).await
    }

    async fn agreed_voices(&self) -> Result<Option<AbsenceVoices>, LedgerError> {
        self.0.readers.run(|conn| snapshot(conn, facts::voices)).await
    }

    async fn agree_on_voices(&self, voices: AbsenceVoices, now: UnixSeconds) -> Result<AbsenceVoices, LedgerError> {
        self.0.writer.run(move |conn| facts::agree_on_voices(conn, voices, now)).await
    }

    async fn change_voices(&self, voices: AbsenceVoices, now: UnixSeconds) -> Result<(), LedgerError> {
        self.0.writer.run(move |conn| facts::change_voices(conn, voices, now)).await
    }

    async fn note_past(&self, attempt: &Signature, slot: u64, now: UnixSeconds) -> Result<(), LedgerError> {
        let attempt = *attempt;
        self.0.writer.run(move |conn| operator::note_past(conn, &attempt, slot, now)).await
    }
}
