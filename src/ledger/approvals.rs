//! The verbs of approvals: which approve stands behind an account, and what sessions take from it.

use crate::{
    domain::{
        amount::Amount,
        approval::{Approval, Examination, LandedApprove, SeenDelegation},
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

    /// Notes the handle that an account shows in the state of this slot, in which the approval of this signature is known to stand.
    /// An older state than the one that was noted changes nothing.
    async fn note_delegation(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        signature: &Signature,
        seen: (u128, u64),
    ) -> Result<(), LedgerError>;

    /// How far the history of an account since the approve of this signature was examined, on record or not.
    async fn examination(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        approve: &Signature,
    ) -> Result<Option<Examination>, LedgerError>;

    /// Notes how far it was examined, so that no number of entries has it begin again. What was examined further stays so.
    async fn record_examination(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        approve: &Signature,
        examined: &Examination,
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
    /// the newest on; from the first that does not fit on they become `superseded`, and what these hold is bound where it fits
    /// into what is left. Gives those, and the others whose holds the new one does not back. One that is on record changes
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

    /// Whether a transfer out of an account landed in a slot after `slot`, or is on its way.
    async fn may_have_moved_since(&self, user: &Pubkey, asset: &Pubkey, slot: u64) -> Result<bool, LedgerError>;

    /// Lets the promises of an account that rest be planned at once: a newer approve is about to take the place of what backs them.
    async fn wake_promises(&self, user: &Pubkey, asset: &Pubkey, now: UnixSeconds) -> Result<(), LedgerError>;

    /// How many promises of a session rest because a settlement of them came to nothing after `since`.
    async fn tried_since(&self, session: SessionId, since: UnixSeconds) -> Result<u64, LedgerError>;

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
