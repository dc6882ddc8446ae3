//! The verbs of delegations on SQLite.

use crate::{
    domain::{
        clock::UnixSeconds,
        mpp::delegation::{
            CallerOrigin, ConfirmPlan, Delegation, DelegationId, DelegationReading, GrantTerms, IssuePlan,
            IssuedMessage, OnboardBar, OnboardQuestion, OnboardWindow,
        },
        settlement::Attempt,
    },
    ledger::{
        DelegationKey, DelegationLedger, IssuedKey, LedgerError, OnboardRecorded, SeenRole, WasIssued,
        sqlite::{
            handle::SqliteLedger,
            statements::mpp::{delegations, issued, onboardings, sign_ins},
        },
    },
};
use async_trait::async_trait;
use solana_pubkey::Pubkey;

#[async_trait]
impl DelegationLedger for SqliteLedger {
    async fn delegation(&self, key: &DelegationKey) -> Result<Option<Delegation>, LedgerError> {
        let key = *key;
        self.0.readers.run(move |conn| delegations::find(conn, &key)).await
    }

    async fn delegations_in_use(&self) -> Result<Vec<Delegation>, LedgerError> {
        self.0.readers.run(delegations::in_use).await
    }

    async fn grants_issued(&self, id: DelegationId) -> Result<Vec<GrantTerms>, LedgerError> {
        self.0.readers.run(move |conn| delegations::grants_issued(conn, id)).await
    }

    async fn delegates_among(&self, keys: &[Pubkey]) -> Result<Vec<Pubkey>, LedgerError> {
        let keys = keys.to_vec();
        self.0.readers.run(move |conn| delegations::delegates_among(conn, &keys)).await
    }

    async fn issue(&self, plan: &IssuePlan, now: UnixSeconds) -> Result<WasIssued, LedgerError> {
        if self.0.log.is_full() {
            return Err(LedgerError::Busy);
        }
        let plan = plan.clone();
        self.0.writer.run(move |conn| issued::issue(conn, &plan, now)).await
    }

    async fn find_issued(&self, key: &IssuedKey) -> Result<Option<IssuedMessage>, LedgerError> {
        let key = *key;
        self.0.readers.run(move |conn| issued::find(conn, &key)).await
    }

    async fn issued_on_its_way(&self, id: DelegationId) -> Result<Option<IssuedMessage>, LedgerError> {
        self.0.readers.run(move |conn| issued::on_its_way(conn, id)).await
    }

    async fn onboard_bar(
        &self,
        question: &OnboardQuestion,
        now: UnixSeconds,
    ) -> Result<Option<OnboardBar>, LedgerError> {
        let question = *question;
        self.0.readers.run(move |conn| onboardings::bar(conn, &question, now)).await
    }

    async fn record_issued(
        &self,
        plan: &ConfirmPlan,
        attempt: Attempt,
        now: UnixSeconds,
    ) -> Result<OnboardRecorded, LedgerError> {
        let plan = *plan;
        self.0.writer.run(move |conn| onboardings::record(conn, &plan, &attempt, now)).await
    }

    async fn note_reading(
        &self,
        id: DelegationId,
        reading: &DelegationReading,
        role: Option<SeenRole>,
    ) -> Result<(), LedgerError> {
        let reading = *reading;
        self.0.writer.run(move |conn| delegations::note_reading(conn, id, &reading, role)).await
    }

    async fn is_leaving(&self, id: DelegationId, now: UnixSeconds) -> Result<bool, LedgerError> {
        self.0.readers.run(move |conn| issued::is_leaving(conn, id, now)).await
    }

    async fn open_window(&self, window: &OnboardWindow, now: UnixSeconds) -> Result<(), LedgerError> {
        let window = *window;
        self.0.writer.run(move |conn| sign_ins::open_window(conn, &window, now)).await
    }

    async fn take_window(&self, wallet: &Pubkey, from: CallerOrigin, now: UnixSeconds) -> Result<bool, LedgerError> {
        let wallet = *wallet;
        self.0.writer.run(move |conn| sign_ins::take_window(conn, &wallet, from, now)).await
    }
}
