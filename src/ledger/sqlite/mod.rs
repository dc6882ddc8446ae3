//! The ledger on SQLite, the embedded default: verbs on the one writer, questions on the readers.

mod approvals;
mod archive;
mod channels;
mod delegations;
pub(in crate::ledger) mod handle;
pub(in crate::ledger) mod import;
mod lock;
mod migrate;
mod mpp;
pub(in crate::ledger) mod open;
mod operator;
mod parts;
mod readers;
mod revocations;
mod single_payments;
mod snapshots;
mod statements;
mod upkeep;
pub(in crate::ledger) mod write_ahead_log;
mod write_health;
pub(in crate::ledger) mod writer;

use crate::{
    domain::{
        amount::Amount,
        approval::LandedApprove,
        budget::{BudgetSubject, Budgets, Credit, OverBudget, Spending},
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
        Openings, Promised, Proved, Recorded, Signed, Totals, Work,
        sqlite::{
            open::Parts,
            statements::{
                archive::Whose, bookings, budgets, credit, deferred, funding, history, holds, journal, queries,
                recorded_answers, select, sessions, settlements,
            },
        },
    },
};
use async_trait::async_trait;
use handle::SqliteLedger;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::sync::Arc;

#[async_trait]
impl Ledger for SqliteLedger {
    async fn open_session(&self, session: &Session) -> Result<Opened, LedgerError> {
        let session = session.clone();
        self.0.writer.run(move |conn| sessions::open(conn, &session)).await
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, LedgerError> {
        let Parts { snapshots, inline_readers, readers, .. } = &self.0;
        Ok(snapshots.session(inline_readers, readers, id).await?.map(Arc::unwrap_or_clone))
    }

    async fn find_session(&self, user: &Pubkey, nonce: &str) -> Result<Option<Session>, LedgerError> {
        let (user, nonce) = (*user, nonce.to_owned());
        self.0.readers.run(move |conn| sessions::find(conn, &user, &nonce)).await
    }

    async fn unverified_sessions(&self) -> Result<Vec<Session>, LedgerError> {
        self.0.readers.run(queries::unverified_sessions).await
    }

    async fn live_sessions(&self, user: &Pubkey, asset: &Pubkey) -> Result<Vec<Session>, LedgerError> {
        let (user, asset) = (*user, *asset);
        self.0.readers.run(move |conn| queries::live_sessions(conn, &user, &asset)).await
    }

    async fn sessions_of(
        &self,
        user: &Pubkey,
        asset: Option<&Pubkey>,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<(u64, Session)>, LedgerError> {
        let (user, asset) = (*user, asset.copied());
        self.0.readers.run(move |conn| queries::sessions_of(conn, &user, asset.as_ref(), before, most)).await
    }

    async fn opening_sessions(&self) -> Result<Vec<Session>, LedgerError> {
        self.0.readers.run(queries::opening_sessions).await
    }

    async fn mark_open(
        &self,
        id: SessionId,
        check: CapCheck,
        approve: &LandedApprove,
        superseded: &[SessionId],
    ) -> Result<Session, LedgerError> {
        let (approve, superseded) = (*approve, superseded.to_vec());
        self.0.writer.run(move |conn| sessions::mark_open(conn, id, check, &approve, &superseded)).await
    }

    async fn verify_cap(&self, id: SessionId) -> Result<(), LedgerError> {
        self.0.writer.run(move |conn| sessions::verify(conn, id)).await
    }

    async fn reject_session(&self, id: SessionId, reason: SessionReason) -> Result<(), LedgerError> {
        self.0.writer.run(move |conn| sessions::reject(conn, id, reason)).await
    }

    async fn revoke_sessions(&self, user: &Pubkey, asset: &Pubkey) -> Result<u64, LedgerError> {
        let (user, asset) = (*user, *asset);
        self.0.writer.run(move |conn| sessions::revoke(conn, &user, &asset)).await
    }

    async fn expire_sessions(&self, now: UnixSeconds) -> Result<Vec<SessionId>, LedgerError> {
        self.0.writer.run(move |conn| sessions::expire(conn, now)).await
    }

    async fn close_session(&self, id: SessionId) -> Result<Session, LedgerError> {
        self.0.writer.run(move |conn| sessions::close(conn, id)).await
    }

    async fn hold(&self, hold: &NewHold) -> Result<Held, LedgerError> {
        self.0.hold(hold).await
    }

    async fn find_hold(&self, id: HoldId) -> Result<Option<Hold>, LedgerError> {
        self.0.ask_where_kept(Whose::Payment(id), move |conn| select::hold(conn, id)).await
    }

    async fn find_payment(&self, session: SessionId, nonce: &str) -> Result<Option<Hold>, LedgerError> {
        self.0.find_payment(session, nonce).await
    }

    async fn claim_success(&self, id: HoldId, answer: Option<RecordedAnswer>) -> Result<bool, LedgerError> {
        self.0.writer.run(move |conn| holds::claim_success(conn, id, answer)).await
    }

    async fn recorded_answer(&self, id: HoldId) -> Result<Option<RecordedAnswer>, LedgerError> {
        self.0.ask_inline(move |conn| recorded_answers::find(conn, id)).await
    }

    async fn end_wait(&self, id: HoldId, reason: PayReason) -> Result<Deadline, LedgerError> {
        self.0.writer.run(move |conn| holds::end_wait(conn, id, reason)).await
    }

    async fn plan_settlement(
        &self,
        id: SettlementId,
        session: SessionId,
        carry: Carry,
        now: UnixSeconds,
    ) -> Result<Option<Settlement>, LedgerError> {
        self.0.writer.run(move |conn| settlements::plan(conn, id, session, carry, now)).await
    }

    async fn plan_other(
        &self,
        id: SettlementId,
        purpose: Purpose,
        subject: Subject,
        now: UnixSeconds,
    ) -> Result<Settlement, LedgerError> {
        self.0.writer.run(move |conn| settlements::plan_other(conn, id, purpose, subject, now)).await
    }

    async fn record_signed(
        &self,
        settlement: &Settlement,
        attempt: Attempt,
        now: UnixSeconds,
    ) -> Result<Signed, LedgerError> {
        let settlement = settlement.clone();
        self.0.writer.run(move |conn| journal::record_signed(conn, &settlement, &attempt, now)).await
    }

    async fn set_budgets(&self, limits: &Budgets) -> Result<(), LedgerError> {
        let limits = limits.clone();
        self.0.writer.run(move |conn| budgets::set(conn, &limits)).await
    }

    async fn over_budget(
        &self,
        subject: &BudgetSubject,
        cost: Cost,
        now: UnixSeconds,
    ) -> Result<Option<OverBudget>, LedgerError> {
        let subject = *subject;
        self.0.readers.run(move |conn| budgets::judge_subject(conn, &subject, cost, now)).await
    }

    async fn mark_unproven_grant(&self, session: SessionId) -> Result<(), LedgerError> {
        self.0.writer.run(move |conn| sessions::mark_unproven_grant(conn, session)).await
    }

    async fn unproven_grants_since(&self, since: UnixSeconds) -> Result<OpeningCount, LedgerError> {
        self.0.readers.run(move |conn| queries::unproven_grants_since(conn, since)).await
    }

    async fn granted_since(&self, user: &Pubkey, since: UnixSeconds) -> Result<OpeningCount, LedgerError> {
        let user = *user;
        self.0.readers.run(move |conn| queries::granted_since(conn, &user, since)).await
    }

    async fn spending(&self, since: UnixSeconds) -> Result<Vec<Spending>, LedgerError> {
        self.0.readers.run(move |conn| bookings::spending(conn, since)).await
    }

    async fn rents_to_check(
        &self,
        after: Option<SettlementId>,
        most: u64,
    ) -> Result<Vec<Recorded<Attempt>>, LedgerError> {
        self.0.readers.run(move |conn| bookings::rents_to_check(conn, after, most)).await
    }

    async fn correct_rent(&self, signature: &Signature, rent: u64) -> Result<(), LedgerError> {
        let signature = *signature;
        self.0.writer.run(move |conn| bookings::correct_rent(conn, &signature, rent)).await
    }

    async fn record(
        &self,
        settlement: &Settlement,
        event: Event,
        waiting: &[HoldId],
        now: UnixSeconds,
    ) -> Result<Settlement, LedgerError> {
        let (settlement, waiting) = (settlement.clone(), waiting.to_vec());
        self.0.writer.run(move |conn| journal::record(conn, &settlement, &event, &waiting, now)).await
    }

    async fn load_work(&self, id: SettlementId) -> Result<Work, LedgerError> {
        self.0.readers.run(move |conn| queries::load_work(conn, id)).await
    }

    async fn unfinished(&self) -> Result<Vec<Work>, LedgerError> {
        self.0.readers.run(queries::unfinished).await
    }

    async fn waiting_sessions(&self) -> Result<Vec<SessionId>, LedgerError> {
        self.0.readers.run(queries::waiting_sessions).await
    }

    async fn release_abandoned(&self, before: UnixSeconds, reason: PayReason) -> Result<u64, LedgerError> {
        self.0.writer.run(move |conn| holds::release_abandoned(conn, before, reason)).await
    }

    async fn archive_one(&self, before: UnixSeconds) -> Result<Option<Archived>, LedgerError> {
        self.0.archive_one(before).await
    }

    async fn promised(&self, session: Option<SessionId>) -> Result<Vec<Promised>, LedgerError> {
        self.0.readers.run(move |conn| deferred::promised(conn, session)).await
    }

    async fn give_up(&self, session: SessionId, when: GiveUp) -> Result<Vec<Hold>, LedgerError> {
        self.0.writer.run(move |conn| deferred::give_up(conn, session, when)).await
    }

    async fn holds_of(&self, id: SettlementId) -> Result<Vec<Hold>, LedgerError> {
        self.0.ask_where_kept(Whose::Settlement(id), move |conn| queries::holds_of(conn, id)).await
    }

    async fn history(&self, session: SessionId, after: Cursor, most: usize) -> Result<History, LedgerError> {
        let whose = Whose::Session(session);
        self.0.ask_where_kept(whose, move |conn| history::history(conn, session, after, most)).await
    }

    async fn newest_position(&self, session: SessionId) -> Result<Position, LedgerError> {
        self.0.ask_where_kept(Whose::Session(session), move |conn| history::end(conn, session)).await
    }

    async fn payment_times(&self, payment: HoldId) -> Result<PaymentTimes, LedgerError> {
        self.0.ask_where_kept(Whose::Payment(payment), move |conn| history::times(conn, payment)).await
    }

    async fn approve_of(&self, session: SessionId) -> Result<Option<Work>, LedgerError> {
        self.0.readers.run(move |conn| queries::approve_of(conn, session)).await
    }

    async fn open_holds(&self, session: SessionId) -> Result<u64, LedgerError> {
        self.0.readers.run(move |conn| queries::open_holds(conn, session)).await
    }

    async fn was_settled_from(&self, session: SessionId) -> Result<bool, LedgerError> {
        self.0.readers.run(move |conn| queries::was_settled_from(conn, session)).await
    }

    async fn totals(&self, session: Option<SessionId>) -> Result<Totals, LedgerError> {
        self.0.readers.run(move |conn| queries::totals(conn, session)).await
    }

    async fn lost(&self, session: SessionId) -> Result<Amount, LedgerError> {
        // Every close asks it, also one that gets no permit to wait.
        self.0.ask_inline(move |conn| queries::lost(conn, session)).await
    }

    async fn opened_since(
        &self,
        user: &Pubkey,
        recipient: &Pubkey,
        since: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<Openings, LedgerError> {
        let (user, recipient) = (*user, *recipient);
        self.0.readers.run(move |conn| queries::opened_since(conn, &user, &recipient, since, now)).await
    }

    async fn has_credit(&self, user: &Pubkey, now: UnixSeconds) -> Result<bool, LedgerError> {
        let user = *user;
        self.0.ask_inline(move |conn| Ok(credit::of_user(conn, &user, now)? == Credit::Earned)).await
    }

    async fn transfers_since(&self, since: UnixSeconds) -> Result<Vec<LastTransfer>, LedgerError> {
        self.0.readers.run(move |conn| queries::transfers_since(conn, since)).await
    }

    async fn source(&self, user: &Pubkey, asset: &Pubkey) -> Result<Option<Source>, LedgerError> {
        // Every `/verify` asks it.
        let (user, asset) = (*user, *asset);
        self.0.ask_inline(move |conn| funding::source(conn, &user, &asset)).await
    }

    async fn prove_funding(&self, bound: &NewBound) -> Result<Proved, LedgerError> {
        let bound = *bound;
        self.0.writer.run(move |conn| funding::prove(conn, &bound)).await
    }

    async fn watched_sources(&self) -> Result<Vec<Source>, LedgerError> {
        self.0.readers.run(|conn| queries::snapshot(conn, funding::watched)).await
    }

    async fn record_looks(&self, looks: &[Look], now: UnixSeconds) -> Result<(), LedgerError> {
        let looks = looks.to_vec();
        self.0.writer.run(move |conn| funding::record_looks(conn, &looks, now)).await
    }

    async fn ride_on_look(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        units: Amount,
        most: Amount,
    ) -> Result<Ride, LedgerError> {
        let (user, asset) = (*user, *asset);
        self.0.writer.run(move |conn| funding::ride(conn, &user, &asset, units, most)).await
    }

    async fn landed_slot(&self, hold: HoldId) -> Result<Option<u64>, LedgerError> {
        self.0.ask_where_kept(Whose::Payment(hold), move |conn| funding::landed_slot(conn, hold)).await
    }

    async fn known_signatures(&self, signatures: &[Signature]) -> Result<Vec<Signature>, LedgerError> {
        let signatures = signatures.to_vec();
        self.0.readers.run(move |conn| funding::known_signatures(conn, &signatures)).await
    }

    async fn created_recipient(&self, recipient: &Pubkey, asset: &Pubkey) -> Result<Option<Settlement>, LedgerError> {
        let (recipient, asset) = (*recipient, *asset);
        self.0.readers.run(move |conn| queries::created_recipient(conn, &recipient, &asset)).await
    }

    async fn recipients_created_since(&self, since: UnixSeconds) -> Result<Vec<CreatedRecipient>, LedgerError> {
        self.0.readers.run(move |conn| queries::recipients_created_since(conn, since)).await
    }

    async fn taken_beside(&self, session: SessionId, since: UnixSeconds) -> Result<Option<Amount>, LedgerError> {
        self.0.readers.run(move |conn| import::taken_beside(conn, session, since)).await
    }

    async fn newest_landings(&self, most: u64) -> Result<Vec<Signature>, LedgerError> {
        self.0.readers.run(move |conn| queries::newest_landings(conn, most)).await
    }

    async fn was_taken_over(&self) -> Result<bool, LedgerError> {
        self.0.readers.run(queries::was_taken_over).await
    }
}
