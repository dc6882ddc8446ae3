//! The verbs of approvals on SQLite.

use crate::{
    domain::{
        amount::Amount,
        approval::{Approval, Examination, LandedApprove, SeenDelegation},
        clock::UnixSeconds,
        session::{Session, SessionId},
    },
    ledger::{
        ApprovalLedger, LedgerError, OpenedOnApproval,
        sqlite::{
            handle::SqliteLedger,
            statements::{approvals, deferred, examinations, funding, queries, sums},
        },
    },
};
use async_trait::async_trait;
use solana_pubkey::Pubkey;
use solana_signature::Signature;

#[async_trait]
impl ApprovalLedger for SqliteLedger {
    async fn current_approval(&self, user: &Pubkey, asset: &Pubkey) -> Result<Option<Approval>, LedgerError> {
        let (user, asset) = (*user, *asset);
        self.0.readers.run(move |conn| approvals::current(conn, &user, &asset)).await
    }

    async fn standing_approvals(&self, user: &Pubkey) -> Result<Vec<Approval>, LedgerError> {
        let user = *user;
        self.0.readers.run(move |conn| approvals::standing(conn, &user)).await
    }

    async fn approvals_of(&self, sessions: &[SessionId]) -> Result<Vec<Option<Approval>>, LedgerError> {
        let sessions = sessions.to_vec();
        self.0.readers.run(move |conn| queries::snapshot(conn, |conn| approvals::of_sessions(conn, &sessions))).await
    }

    async fn seen_delegations(
        &self,
        users: &[Pubkey],
        asset: &Pubkey,
    ) -> Result<Vec<Option<SeenDelegation>>, LedgerError> {
        let (users, asset) = (users.to_vec(), *asset);
        self.0.readers.run(move |conn| queries::snapshot(conn, |conn| examinations::seen(conn, &users, &asset))).await
    }

    async fn note_delegation(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        signature: &Signature,
        seen: (u128, u64),
    ) -> Result<(), LedgerError> {
        let (user, asset, signature) = (*user, *asset, *signature);
        self.0.writer.run(move |conn| examinations::note(conn, &user, &asset, &signature, seen)).await
    }

    async fn examination(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        approve: &Signature,
    ) -> Result<Option<Examination>, LedgerError> {
        let (user, asset, approve) = (*user, *asset, *approve);
        self.0.readers.run(move |conn| examinations::find(conn, &user, &asset, &approve)).await
    }

    async fn record_examination(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        approve: &Signature,
        examined: &Examination,
    ) -> Result<(), LedgerError> {
        let (user, asset, approve, examined) = (*user, *asset, *approve, *examined);
        self.0.writer.run(move |conn| examinations::record(conn, &user, &asset, &approve, &examined)).await
    }

    async fn may_have_been_used(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        approve: &LandedApprove,
        landed_at: Option<UnixSeconds>,
    ) -> Result<bool, LedgerError> {
        let (user, asset, approve) = (*user, *asset, *approve);
        self.0.readers.run(move |conn| approvals::may_have_been_used(conn, &user, &asset, &approve, landed_at)).await
    }

    async fn land_approval(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        approve: &LandedApprove,
    ) -> Result<Vec<SessionId>, LedgerError> {
        let (user, asset, approve) = (*user, *asset, *approve);
        self.0.writer.run(move |conn| approvals::land(conn, &user, &asset, &approve)).await
    }

    async fn open_on_approval(&self, session: &Session, most: u64) -> Result<OpenedOnApproval, LedgerError> {
        let session = session.clone();
        self.0.writer.run(move |conn| approvals::open(conn, &session, most)).await
    }

    async fn learn_approved(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        signature: &Signature,
        amount: Amount,
    ) -> Result<Vec<SessionId>, LedgerError> {
        let (user, asset, signature) = (*user, *asset, *signature);
        self.0.writer.run(move |conn| approvals::learn(conn, &user, &asset, &signature, amount)).await
    }

    async fn unverified_beside(&self, session: SessionId) -> Result<Amount, LedgerError> {
        self.0.ask_inline(move |conn| sums::unverified_beside(conn, session)).await
    }

    async fn may_have_moved_since(&self, user: &Pubkey, asset: &Pubkey, slot: u64) -> Result<bool, LedgerError> {
        let (user, asset) = (*user, *asset);
        self.0.readers.run(move |conn| funding::may_have_moved_since(conn, &user, &asset, slot)).await
    }

    async fn wake_promises(&self, user: &Pubkey, asset: &Pubkey, now: UnixSeconds) -> Result<(), LedgerError> {
        let (user, asset) = (*user, *asset);
        self.0.writer.run(move |conn| deferred::wake(conn, &user, &asset, now)).await
    }

    async fn tried_since(&self, session: SessionId, since: UnixSeconds) -> Result<u64, LedgerError> {
        self.0.readers.run(move |conn| deferred::tried_since(conn, session, since)).await
    }

    async fn known_transfers(&self, signatures: &[Signature]) -> Result<Vec<Signature>, LedgerError> {
        let signatures = signatures.to_vec();
        self.0.readers.run(move |conn| approvals::known_transfers(conn, &signatures)).await
    }

    async fn opening_by_approve(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        handle: u128,
    ) -> Result<Option<SessionId>, LedgerError> {
        let (user, asset) = (*user, *asset);
        self.0.readers.run(move |conn| approvals::opening_by(conn, &user, &asset, handle)).await
    }

    async fn record_approve_handle(&self, session: SessionId, handle: u128) -> Result<(), LedgerError> {
        self.0.writer.run(move |conn| approvals::record_handle(conn, session, handle)).await
    }

    async fn approve_handle(&self, session: SessionId) -> Result<Option<u128>, LedgerError> {
        self.0.readers.run(move |conn| approvals::handle(conn, session)).await
    }
}
