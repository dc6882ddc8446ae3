//! The verbs of approvals, at which a process dies like at all others.

use super::MortalLedger;
use async_trait::async_trait;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use sotto::{
    domain::{
        amount::Amount,
        approval::{Approval, Examination, LandedApprove, SeenDelegation},
        clock::UnixSeconds,
        session::{Session, SessionId},
    },
    ledger::{ApprovalLedger, LedgerError, OpenedOnApproval},
};

#[async_trait]
impl ApprovalLedger for MortalLedger {
    async fn current_approval(&self, user: &Pubkey, asset: &Pubkey) -> Result<Option<Approval>, LedgerError> {
        self.fate.step("current_approval", self.inner.current_approval(user, asset)).await
    }

    async fn standing_approvals(&self, user: &Pubkey) -> Result<Vec<Approval>, LedgerError> {
        self.fate.step("standing_approvals", self.inner.standing_approvals(user)).await
    }

    async fn approvals_of(&self, sessions: &[SessionId]) -> Result<Vec<Option<Approval>>, LedgerError> {
        self.fate.step("approvals_of", self.inner.approvals_of(sessions)).await
    }

    async fn seen_delegations(
        &self,
        users: &[Pubkey],
        asset: &Pubkey,
    ) -> Result<Vec<Option<SeenDelegation>>, LedgerError> {
        self.fate.step("seen_delegations", self.inner.seen_delegations(users, asset)).await
    }

    async fn note_delegation(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        signature: &Signature,
        seen: (u128, u64),
    ) -> Result<(), LedgerError> {
        self.fate.step("note_delegation", self.inner.note_delegation(user, asset, signature, seen)).await
    }

    async fn examination(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        approve: &Signature,
    ) -> Result<Option<Examination>, LedgerError> {
        self.fate.step("examination", self.inner.examination(user, asset, approve)).await
    }

    async fn record_examination(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        approve: &Signature,
        examined: &Examination,
    ) -> Result<(), LedgerError> {
        self.fate.step("record_examination", self.inner.record_examination(user, asset, approve, examined)).await
    }

    async fn may_have_been_used(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        approve: &LandedApprove,
        landed_at: Option<UnixSeconds>,
    ) -> Result<bool, LedgerError> {
        let asked = self.inner.may_have_been_used(user, asset, approve, landed_at);
        self.fate.step("may_have_been_used", asked).await
    }

    async fn land_approval(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        approve: &LandedApprove,
    ) -> Result<Vec<SessionId>, LedgerError> {
        self.fate.step("land_approval", self.inner.land_approval(user, asset, approve)).await
    }

    async fn open_on_approval(&self, session: &Session, most: u64) -> Result<OpenedOnApproval, LedgerError> {
        let opened = self.fate.step("open_on_approval", self.inner.open_on_approval(session, most)).await;
        self.fate.tells().await;
        opened
    }

    async fn learn_approved(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        signature: &Signature,
        amount: Amount,
    ) -> Result<Vec<SessionId>, LedgerError> {
        self.fate.step("learn_approved", self.inner.learn_approved(user, asset, signature, amount)).await
    }

    async fn unverified_beside(&self, session: SessionId) -> Result<Amount, LedgerError> {
        self.fate.step("unverified_beside", self.inner.unverified_beside(session)).await
    }

    async fn may_have_moved_since(&self, user: &Pubkey, asset: &Pubkey, slot: u64) -> Result<bool, LedgerError> {
        self.fate.step("may_have_moved_since", self.inner.may_have_moved_since(user, asset, slot)).await
    }

    async fn wake_promises(&self, user: &Pubkey, asset: &Pubkey, now: UnixSeconds) -> Result<(), LedgerError> {
        self.fate.step("wake_promises", self.inner.wake_promises(user, asset, now)).await
    }

    async fn tried_since(&self, session: SessionId, since: UnixSeconds) -> Result<u64, LedgerError> {
        self.fate.step("tried_since", self.inner.tried_since(session, since)).await
    }

    async fn known_transfers(&self, signatures: &[Signature]) -> Result<Vec<Signature>, LedgerError> {
        self.fate.step("known_transfers", self.inner.known_transfers(signatures)).await
    }

    async fn opening_by_approve(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        handle: u128,
    ) -> Result<Option<SessionId>, LedgerError> {
        self.fate.step("opening_by_approve", self.inner.opening_by_approve(user, asset, handle)).await
    }

    async fn record_approve_handle(&self, session: SessionId, handle: u128) -> Result<(), LedgerError> {
        self.fate.step("record_approve_handle", self.inner.record_approve_handle(session, handle)).await
    }

    async fn approve_handle(&self, session: SessionId) -> Result<Option<u128>, LedgerError> {
        self.fate.step("approve_handle", self.inner.approve_handle(session)).await
    }
}
