//! The verbs of approvals: which approve stands behind an account, and what sessions take from it.

use crate::{
    domain::{
        amount::Amount,
        approval::{Approval, LandedApprove, SeenDelegation},
        clock::UnixSeconds,
        session::{Session, SessionId},
    },
    ledger::{LedgerError, OpenedOnApproval},
};
use async_trait::async_trait;
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// The verbs of approvals; [`super::Ledger`] has all others, and what they all promise.
#[async_trait]
pub trait ApprovalLedger: Send + Sync + 'static {
    /// The approval that stands for an account, as far as is known.
    async fn current_approval(&self, user: &Pubkey, asset: &Pubkey) -> Result<Option<Approval>, LedgerError>;

    /// The approvals that stand for a wallet's accounts, of whatever asset.
    async fn standing_approvals(&self, user: &Pubkey) -> Result<Vec<Approval>, LedgerError>;

    /// For each session the approval that it takes from; none of one that was never bound to any.
    async fn approvals_of(&self, sessions: &[SessionId]) -> Result<Vec<Option<Approval>>, LedgerError>;

    /// For each user what their account of this asset showed when its approval was last known to stand; none where nothing stands.
    async fn seen_delegations(
        &self,
        users: &[Pubkey],
        asset: &Pubkey,
    ) -> Result<Vec<Option<SeenDelegation>>, LedgerError>;

    /// Notes the handle that an account shows while the approval of this signature is known to stand.
    async fn note_delegation(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        signature: &Signature,
        seen: u128,
    ) -> Result<(), LedgerError>;

    /// Whether sessions that are bound to no approval may have taken from this approve, which landed at `landed_at`: one that
    /// bears its name, that was opened since, or that is on record with its handle.
    async fn may_have_been_used(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        approve: &LandedApprove,
        landed_at: Option<UnixSeconds>,
    ) -> Result<bool, LedgerError>;

    /// Notes that an approve has taken the delegate slot of an account: the approval that stood is replaced, and in the same
    /// transaction what stays is bound to the new one, what is held by sessions that have ended first, then live sessions from
    /// the newest on; from the first that does not fit on they become `superseded`. Gives those. One that is on record changes
    /// nothing.
    async fn land_approval(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        approve: &LandedApprove,
    ) -> Result<Vec<SessionId>, LedgerError>;

    /// Opens a session on the approval whose signature it names, if that stands and admits it beside at most `most` live ones:
    /// judged, written as `open` and bound in one transaction, so that no number of openings takes more than was approved. A
    /// refusal writes nothing.
    async fn open_on_approval(&self, session: &Session, most: u64) -> Result<OpenedOnApproval, LedgerError>;

    /// Notes what an approval delegated, once. Sessions on it whose intent says otherwise become `rejected` with `cap_mismatch`,
    /// the others are verified; should these together take more, the oldest become `superseded`. Gives those that ended.
    async fn learn_approved(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        signature: &Signature,
        amount: Amount,
    ) -> Result<Vec<SessionId>, LedgerError>;

    /// What the other unverified sessions on the approval of this one have spent, in base units: they share one limit.
    async fn unverified_beside(&self, session: SessionId) -> Result<Amount, LedgerError>;

    /// Which of these signatures name transactions of ours that change nobody's delegation.
    async fn known_transfers(&self, signatures: &[Signature]) -> Result<Vec<Signature>, LedgerError>;

    /// The oldest session that is being opened by the approve which delegated the amount of this handle from the user's account.
    async fn opening_by_approve(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        handle: u128,
    ) -> Result<Option<SessionId>, LedgerError>;

    /// Remembers the handle of the amount that a session's approve delegated; the first one stays.
    async fn record_approve_handle(&self, session: SessionId, handle: u128) -> Result<(), LedgerError>;

    /// The handle of the amount that a session's approve delegated, if it was seen.
    async fn approve_handle(&self, session: SessionId) -> Result<Option<u128>, LedgerError>;
}
