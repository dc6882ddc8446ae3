//! The verbs of delegations, at which a process dies like at all others.

use super::MortalLedger;
use async_trait::async_trait;
use solana_pubkey::Pubkey;
use sotto::{
    domain::{
        clock::UnixSeconds,
        mpp::delegation::{
            CallerOrigin, ConfirmPlan, Delegation, DelegationId, DelegationReading, GrantTerms, IssuePlan,
            IssuedMessage, OnboardBar, OnboardQuestion, OnboardWindow,
        },
        settlement::Attempt,
    },
    ledger::{DelegationKey, DelegationLedger, IssuedKey, LedgerError, OnboardRecorded, SeenRole, WasIssued},
};

#[async_trait]
impl DelegationLedger for MortalLedger {
    async fn delegation(&self, key: &DelegationKey) -> Result<Option<Delegation>, LedgerError> {
        self.fate.step("delegation", self.inner.delegation(key)).await
    }

    async fn delegations_in_use(&self) -> Result<Vec<Delegation>, LedgerError> {
        self.fate.step("delegations_in_use", self.inner.delegations_in_use()).await
    }

    async fn grants_issued(&self, id: DelegationId) -> Result<Vec<GrantTerms>, LedgerError> {
        self.fate.step("grants_issued", self.inner.grants_issued(id)).await
    }

    async fn delegates_among(&self, keys: &[Pubkey]) -> Result<Vec<Pubkey>, LedgerError> {
        self.fate.step("delegates_among", self.inner.delegates_among(keys)).await
    }

    async fn issue(&self, plan: &IssuePlan, now: UnixSeconds) -> Result<WasIssued, LedgerError> {
        self.fate.step("issue", self.inner.issue(plan, now)).await
    }

    async fn find_issued(&self, key: &IssuedKey) -> Result<Option<IssuedMessage>, LedgerError> {
        self.fate.step("find_issued", self.inner.find_issued(key)).await
    }

    async fn issued_on_its_way(&self, id: DelegationId) -> Result<Option<IssuedMessage>, LedgerError> {
        self.fate.step("issued_on_its_way", self.inner.issued_on_its_way(id)).await
    }

    async fn onboard_bar(
        &self,
        question: &OnboardQuestion,
        now: UnixSeconds,
    ) -> Result<Option<OnboardBar>, LedgerError> {
        self.fate.step("onboard_bar", self.inner.onboard_bar(question, now)).await
    }

    async fn record_issued(
        &self,
        plan: &ConfirmPlan,
        attempt: Attempt,
        now: UnixSeconds,
    ) -> Result<OnboardRecorded, LedgerError> {
        self.fate.step("record_issued", self.inner.record_issued(plan, attempt, now)).await
    }

    async fn note_reading(
        &self,
        id: DelegationId,
        reading: &DelegationReading,
        role: Option<SeenRole>,
    ) -> Result<(), LedgerError> {
        self.fate.step("note_reading", self.inner.note_reading(id, reading, role)).await
    }

    async fn is_leaving(&self, id: DelegationId, now: UnixSeconds) -> Result<bool, LedgerError> {
        self.fate.step("is_leaving", self.inner.is_leaving(id, now)).await
    }

    async fn open_window(&self, window: &OnboardWindow, now: UnixSeconds) -> Result<(), LedgerError> {
        self.fate.step("open_window", self.inner.open_window(window, now)).await
    }

    async fn take_window(&self, wallet: &Pubkey, from: CallerOrigin, now: UnixSeconds) -> Result<bool, LedgerError> {
        self.fate.step("take_window", self.inner.take_window(wallet, from, now)).await
    }
}
