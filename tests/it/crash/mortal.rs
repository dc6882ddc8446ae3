//! A ledger and a chain that die with their process: at one chosen call, before or after its effect, and for ever.

mod approvals;
mod chain;
mod channels;
mod delegations;
mod mpp;
mod operator;
mod revocations;
mod single_payments;

use super::fate::Fate;
use async_trait::async_trait;
pub use chain::MortalChain;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use sotto::{
    domain::{
        amount::Amount,
        approval::LandedApprove,
        budget::{BudgetSubject, Budgets, OverBudget, Spending},
        clock::UnixSeconds,
        funding::{Look, NewBound, Ride, Source},
        history::{Cursor, History, PaymentTimes, Position},
        hold::{GiveUp, Hold, HoldId, NewHold, RecordedAnswer},
        reason::{PayReason, SessionReason},
        session::{CapCheck, Session, SessionId},
        settlement::{Attempt, Cost, Event, Purpose, Settlement, SettlementId, Subject},
    },
    ledger::{
        Archived, Carry, CreatedRecipient, Deadline, Held, LastTransfer, Ledger, LedgerError, Opened, OpeningCount,
        Openings, Promised, Proved, Recorded, Signed, Totals, Upkeep, Work, WriteFault, WriterCounts,
    },
};
use std::sync::Arc;

pub struct MortalLedger {
    pub inner: Arc<dyn Ledger>,
    pub fate: Arc<Fate>,
}

#[async_trait]
impl Ledger for MortalLedger {
    async fn open_session(&self, session: &Session) -> Result<Opened, LedgerError> {
        let opened = self.fate.step("open_session", self.inner.open_session(session)).await;
        self.fate.tells().await;
        opened
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, LedgerError> {
        self.fate.step("session", self.inner.session(id)).await
    }

    async fn find_session(&self, user: &Pubkey, nonce: &str) -> Result<Option<Session>, LedgerError> {
        self.fate.step("find_session", self.inner.find_session(user, nonce)).await
    }

    async fn unverified_sessions(&self) -> Result<Vec<Session>, LedgerError> {
        self.fate.step("unverified_sessions", self.inner.unverified_sessions()).await
    }

    async fn live_sessions(&self, user: &Pubkey, asset: &Pubkey) -> Result<Vec<Session>, LedgerError> {
        self.fate.step("live_sessions", self.inner.live_sessions(user, asset)).await
    }

    async fn sessions_of(
        &self,
        user: &Pubkey,
        asset: Option<&Pubkey>,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<(u64, Session)>, LedgerError> {
        self.fate.step("sessions_of", self.inner.sessions_of(user, asset, before, most)).await
    }

    async fn opening_sessions(&self) -> Result<Vec<Session>, LedgerError> {
        self.fate.step("opening_sessions", self.inner.opening_sessions()).await
    }

    async fn mark_open(
        &self,
        id: SessionId,
        check: CapCheck,
        approve: &LandedApprove,
        superseded: &[SessionId],
    ) -> Result<Session, LedgerError> {
        self.fate.step("mark_open", self.inner.mark_open(id, check, approve, superseded)).await
    }

    async fn verify_cap(&self, id: SessionId) -> Result<(), LedgerError> {
        self.fate.step("verify_cap", self.inner.verify_cap(id)).await
    }

    async fn reject_session(&self, id: SessionId, reason: SessionReason) -> Result<(), LedgerError> {
        self.fate.step("reject_session", self.inner.reject_session(id, reason)).await
    }

    async fn revoke_sessions(&self, user: &Pubkey, asset: &Pubkey) -> Result<u64, LedgerError> {
        self.fate.step("revoke_sessions", self.inner.revoke_sessions(user, asset)).await
    }

    async fn expire_sessions(&self, now: UnixSeconds) -> Result<Vec<SessionId>, LedgerError> {
        self.fate.step("expire_sessions", self.inner.expire_sessions(now)).await
    }

    async fn close_session(&self, id: SessionId) -> Result<Session, LedgerError> {
        self.fate.step("close_session", self.inner.close_session(id)).await
    }

    async fn promised(&self, session: Option<SessionId>) -> Result<Vec<Promised>, LedgerError> {
        self.fate.step("promised", self.inner.promised(session)).await
    }

    async fn archive_one(&self, before: UnixSeconds) -> Result<Option<Archived>, LedgerError> {
        self.fate.step("archive_one", self.inner.archive_one(before)).await
    }

    async fn give_up(&self, session: SessionId, when: GiveUp) -> Result<Vec<Hold>, LedgerError> {
        self.fate.step("give_up", self.inner.give_up(session, when)).await
    }

    async fn hold(&self, hold: &NewHold) -> Result<Held, LedgerError> {
        let held = self.fate.step("hold", self.inner.hold(hold)).await;
        self.fate.tells().await;
        held
    }

    async fn find_hold(&self, id: HoldId) -> Result<Option<Hold>, LedgerError> {
        self.fate.step("find_hold", self.fate.late(self.inner.find_hold(id))).await
    }

    async fn find_payment(&self, session: SessionId, nonce: &str) -> Result<Option<Hold>, LedgerError> {
        self.fate.step("find_payment", self.inner.find_payment(session, nonce)).await
    }

    async fn claim_success(&self, id: HoldId, answer: Option<RecordedAnswer>) -> Result<bool, LedgerError> {
        self.fate.step("claim_success", self.inner.claim_success(id, answer)).await
    }

    async fn recorded_answer(&self, id: HoldId) -> Result<Option<RecordedAnswer>, LedgerError> {
        self.fate.step("recorded_answer", self.inner.recorded_answer(id)).await
    }

    async fn end_wait(&self, id: HoldId, reason: PayReason) -> Result<Deadline, LedgerError> {
        self.fate.step("end_wait", self.inner.end_wait(id, reason)).await
    }

    async fn plan_settlement(
        &self,
        id: SettlementId,
        session: SessionId,
        carry: Carry,
        now: UnixSeconds,
    ) -> Result<Option<Settlement>, LedgerError> {
        self.fate.step("plan_settlement", self.inner.plan_settlement(id, session, carry, now)).await
    }

    async fn plan_other(
        &self,
        id: SettlementId,
        purpose: Purpose,
        subject: Subject,
        now: UnixSeconds,
    ) -> Result<Settlement, LedgerError> {
        self.fate.step("plan_other", self.inner.plan_other(id, purpose, subject, now)).await
    }

    async fn record_signed(
        &self,
        settlement: &Settlement,
        attempt: Attempt,
        now: UnixSeconds,
    ) -> Result<Signed, LedgerError> {
        self.fate.step("record_signed", self.inner.record_signed(settlement, attempt, now)).await
    }

    async fn record(
        &self,
        settlement: &Settlement,
        event: Event,
        waiting: &[HoldId],
        now: UnixSeconds,
    ) -> Result<Settlement, LedgerError> {
        let (loses_answer, word) = (self.fate.loses_answer(&event), event.word());
        let recorded =
            self.fate.step_named(&["record", word], self.inner.record(settlement, event, waiting, now)).await;
        if loses_answer { Err(LedgerError::Unavailable("the answer was lost".into())) } else { recorded }
    }

    async fn load_work(&self, id: SettlementId) -> Result<Work, LedgerError> {
        self.fate.step("load_work", self.inner.load_work(id)).await
    }

    async fn unfinished(&self) -> Result<Vec<Work>, LedgerError> {
        self.fate.step("unfinished", self.inner.unfinished()).await
    }

    async fn waiting_sessions(&self) -> Result<Vec<SessionId>, LedgerError> {
        self.fate.step("waiting_sessions", self.inner.waiting_sessions()).await
    }

    async fn release_abandoned(&self, before: UnixSeconds, reason: PayReason) -> Result<u64, LedgerError> {
        self.fate.step("release_abandoned", self.inner.release_abandoned(before, reason)).await
    }

    async fn holds_of(&self, id: SettlementId) -> Result<Vec<Hold>, LedgerError> {
        self.fate.step("holds_of", self.inner.holds_of(id)).await
    }

    async fn history(&self, session: SessionId, after: Cursor, most: usize) -> Result<History, LedgerError> {
        self.fate.step("history", self.inner.history(session, after, most)).await
    }

    async fn newest_position(&self, session: SessionId) -> Result<Position, LedgerError> {
        self.fate.step("newest_position", self.inner.newest_position(session)).await
    }

    async fn payment_times(&self, payment: HoldId) -> Result<PaymentTimes, LedgerError> {
        self.fate.step("payment_times", self.inner.payment_times(payment)).await
    }

    async fn approve_of(&self, session: SessionId) -> Result<Option<Work>, LedgerError> {
        self.fate.step("approve_of", self.inner.approve_of(session)).await
    }

    async fn open_holds(&self, session: SessionId) -> Result<u64, LedgerError> {
        self.fate.step("open_holds", self.inner.open_holds(session)).await
    }

    async fn was_settled_from(&self, session: SessionId) -> Result<bool, LedgerError> {
        self.fate.step("was_settled_from", self.inner.was_settled_from(session)).await
    }

    async fn totals(&self, session: Option<SessionId>) -> Result<Totals, LedgerError> {
        self.fate.step("totals", self.inner.totals(session)).await
    }

    async fn lost(&self, session: SessionId) -> Result<Amount, LedgerError> {
        self.fate.step("lost", self.inner.lost(session)).await
    }

    async fn opened_since(
        &self,
        user: &Pubkey,
        recipient: &Pubkey,
        since: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<Openings, LedgerError> {
        self.fate.step("opened_since", self.inner.opened_since(user, recipient, since, now)).await
    }

    async fn has_credit(&self, user: &Pubkey, now: UnixSeconds) -> Result<bool, LedgerError> {
        self.fate.step("has_credit", self.inner.has_credit(user, now)).await
    }

    async fn set_budgets(&self, budgets: &Budgets) -> Result<(), LedgerError> {
        self.fate.step("set_budgets", self.inner.set_budgets(budgets)).await
    }

    async fn over_budget(
        &self,
        subject: &BudgetSubject,
        cost: Cost,
        now: UnixSeconds,
    ) -> Result<Option<OverBudget>, LedgerError> {
        self.fate.step("over_budget", self.inner.over_budget(subject, cost, now)).await
    }

    async fn mark_unproven_grant(&self, session: SessionId) -> Result<(), LedgerError> {
        self.fate.step("mark_unproven_grant", self.inner.mark_unproven_grant(session)).await
    }

    async fn unproven_grants_since(&self, since: UnixSeconds) -> Result<OpeningCount, LedgerError> {
        self.fate.step("unproven_grants_since", self.inner.unproven_grants_since(since)).await
    }

    async fn granted_since(&self, user: &Pubkey, since: UnixSeconds) -> Result<OpeningCount, LedgerError> {
        self.fate.step("granted_since", self.inner.granted_since(user, since)).await
    }

    async fn spending(&self, since: UnixSeconds) -> Result<Vec<Spending>, LedgerError> {
        self.fate.step("spending", self.inner.spending(since)).await
    }

    async fn rents_to_check(
        &self,
        after: Option<SettlementId>,
        most: u64,
    ) -> Result<Vec<Recorded<Attempt>>, LedgerError> {
        self.fate.step("rents_to_check", self.inner.rents_to_check(after, most)).await
    }

    async fn correct_rent(&self, signature: &Signature, rent: u64) -> Result<(), LedgerError> {
        self.fate.step("correct_rent", self.inner.correct_rent(signature, rent)).await
    }

    async fn transfers_since(&self, since: UnixSeconds) -> Result<Vec<LastTransfer>, LedgerError> {
        self.fate.step("transfers_since", self.inner.transfers_since(since)).await
    }

    async fn source(&self, user: &Pubkey, asset: &Pubkey) -> Result<Option<Source>, LedgerError> {
        self.fate.step("source", self.inner.source(user, asset)).await
    }

    async fn prove_funding(&self, bound: &NewBound) -> Result<Proved, LedgerError> {
        self.fate.step("prove_funding", self.inner.prove_funding(bound)).await
    }

    async fn watched_sources(&self) -> Result<Vec<Source>, LedgerError> {
        self.fate.step("watched_sources", self.inner.watched_sources()).await
    }

    async fn record_looks(&self, looks: &[Look], now: UnixSeconds) -> Result<(), LedgerError> {
        self.fate.step("record_looks", self.inner.record_looks(looks, now)).await
    }

    async fn ride_on_look(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        units: Amount,
        most: Amount,
    ) -> Result<Ride, LedgerError> {
        self.fate.step("ride_on_look", self.inner.ride_on_look(user, asset, units, most)).await
    }

    async fn landed_slot(&self, hold: HoldId) -> Result<Option<u64>, LedgerError> {
        self.fate.step("landed_slot", self.inner.landed_slot(hold)).await
    }

    async fn known_signatures(&self, signatures: &[Signature]) -> Result<Vec<Signature>, LedgerError> {
        self.fate.step("known_signatures", self.inner.known_signatures(signatures)).await
    }

    async fn created_recipient(&self, recipient: &Pubkey, asset: &Pubkey) -> Result<Option<Settlement>, LedgerError> {
        self.fate.step("created_recipient", self.inner.created_recipient(recipient, asset)).await
    }

    async fn recipients_created_since(&self, since: UnixSeconds) -> Result<Vec<CreatedRecipient>, LedgerError> {
        self.fate.step("recipients_created_since", self.inner.recipients_created_since(since)).await
    }

    async fn taken_beside(&self, session: SessionId, since: UnixSeconds) -> Result<Option<Amount>, LedgerError> {
        self.fate.step("taken_beside", self.inner.taken_beside(session, since)).await
    }

    async fn newest_landings(&self, most: u64) -> Result<Vec<Signature>, LedgerError> {
        self.fate.step("newest_landings", self.inner.newest_landings(most)).await
    }

    async fn was_taken_over(&self) -> Result<bool, LedgerError> {
        self.fate.step("was_taken_over", self.inner.was_taken_over()).await
    }
}

#[async_trait]
impl Upkeep for MortalLedger {
    fn counts(&self) -> WriterCounts {
        self.inner.counts()
    }

    async fn shorten_log(&self) -> Result<u64, LedgerError> {
        self.inner.shorten_log().await
    }

    fn write_fault(&self) -> Option<WriteFault> {
        self.inner.write_fault()
    }

    async fn ping(&self) -> Result<(), LedgerError> {
        self.fate.step("ping", self.inner.ping()).await
    }

    async fn audit(&self) -> Result<(), LedgerError> {
        self.fate.step("audit", self.inner.audit()).await
    }
}
