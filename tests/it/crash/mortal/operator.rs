//! The verbs of what an operator decides, at which a process dies like at all others.

use super::MortalLedger;
use async_trait::async_trait;
use solana_signature::Signature;
use sotto::{
    domain::{
        clock::UnixSeconds,
        settlement::{AbsenceVoices, HeldBecause, Resolution, Settlement, SettlementId},
    },
    ledger::{LedgerError, OperatorLedger, Resolved, SeenLanding, SettlementRecord},
};

#[async_trait]
impl OperatorLedger for MortalLedger {
    async fn note_held(
        &self,
        settlement: &Settlement,
        because: HeldBecause,
        now: UnixSeconds,
    ) -> Result<Settlement, LedgerError> {
        self.fate.step("note_held", self.inner.note_held(settlement, because, now)).await
    }

    async fn held_settlements(&self) -> Result<Vec<SettlementRecord>, LedgerError> {
        self.fate.step("held_settlements", self.inner.held_settlements()).await
    }

    async fn settlement_record(&self, id: SettlementId) -> Result<Option<SettlementRecord>, LedgerError> {
        self.fate.step("settlement_record", self.inner.settlement_record(id)).await
    }

    async fn resolve(&self, resolution: &Resolution, now: UnixSeconds) -> Result<Resolved, LedgerError> {
        self.fate.step("resolve", self.inner.resolve(resolution, now)).await
    }

    async fn note_seen(&self, seen: &[SeenLanding], now: UnixSeconds) -> Result<(), LedgerError> {
        self.fate.step("note_seen", self.inner.note_seen(seen, now)).await
    }

    async fn agreed_voices(&self) -> Result<Option<AbsenceVoices>, LedgerError> {
        self.fate.step("agreed_voices", self.inner.agreed_voices()).await
    }

    async fn agree_on_voices(&self, voices: AbsenceVoices, now: UnixSeconds) -> Result<AbsenceVoices, LedgerError> {
        self.fate.step("agree_on_voices", self.inner.agree_on_voices(voices, now)).await
    }

    async fn change_voices(&self, voices: AbsenceVoices, now: UnixSeconds) -> Result<(), LedgerError> {
        self.fate.step("change_voices", self.inner.change_voices(voices, now)).await
    }

    async fn note_past(&self, attempt: &Signature, slot: u64, now: UnixSeconds) -> Result<(), LedgerError> {
        self.fate.step("note_past", self.inner.note_past(attempt, slot, now)).await
    }
}
