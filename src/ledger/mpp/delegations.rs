//! The verbs of delegations: what is issued, what its wallet has signed of it, what was read, and what a sign-in allows.

use crate::{
    domain::{
        clock::UnixSeconds,
        hold::ContentHash,
        mpp::delegation::{
            CallerOrigin, ConfirmPlan, Delegation, DelegationId, DelegationReading, GrantTerms, IssuePlan,
            IssuedMessage, OnboardBar, OnboardQuestion, OnboardWindow,
        },
        settlement::{Attempt, IssuedId},
    },
    ledger::{LedgerError, OnboardRecorded, WasIssued},
};
use async_trait::async_trait;
use solana_pubkey::Pubkey;

/// By what a delegation is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelegationKey {
    /// Its id.
    Id(DelegationId),
    /// The wallet and the token.
    Buyer(Pubkey, Pubkey),
    /// The account: the session account, or the config account of the Swig.
    Account(Pubkey),
}

/// By what an issued message is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuedKey {
    /// Its id.
    Id(IssuedId),
    /// The hash of its bytes.
    Hash(ContentHash),
}

/// What was read of a delegation beside its figures, of a Swig.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenRole {
    /// The role's id.
    pub role: u32,
    /// The last slot in which our key may act.
    pub expiry_slot: u64,
    /// About when that will be, Unix seconds.
    pub expires_at: UnixSeconds,
}

/// The verbs of delegations; [`crate::ledger::Ledger`] has all others, and what they all promise.
#[async_trait]
pub trait DelegationLedger: Send + Sync + 'static {
    /// The delegation under this key.
    async fn delegation(&self, key: &DelegationKey) -> Result<Option<Delegation>, LedgerError>;

    /// Delegations on which channels live or settlements are on their way: those that were read longest ago first.
    async fn delegations_in_use(&self) -> Result<Vec<Delegation>, LedgerError>;

    /// Every generation as it was issued, whether or not it was ever granted, the newest first: the keys that what stands on chain
    /// is compared with.
    async fn grants_issued(&self, id: DelegationId) -> Result<Vec<GrantTerms>, LedgerError>;

    /// Which of these keys were ever issued to be delegated to.
    async fn delegates_among(&self, keys: &[Pubkey]) -> Result<Vec<Pubkey>, LedgerError>;

    /// Writes a message with the delegation and the grant that it begins, and voids what its wallet was issued before and has
    /// not signed. Nothing is issued while a message of the wallet is on its way.
    async fn issue(&self, plan: &IssuePlan, now: UnixSeconds) -> Result<WasIssued, LedgerError>;

    /// The issued message under this key.
    async fn find_issued(&self, key: &IssuedKey) -> Result<Option<IssuedMessage>, LedgerError>;

    /// The message of a wallet that is on its way, if one is.
    async fn issued_on_its_way(&self, id: DelegationId) -> Result<Option<IssuedMessage>, LedgerError>;

    /// Why a step of an onboarding would not be paid for now; promises nothing, [`DelegationLedger::record_issued`] decides.
    async fn onboard_bar(
        &self,
        question: &OnboardQuestion,
        now: UnixSeconds,
    ) -> Result<Option<OnboardBar>, LedgerError>;

    /// Writes what a wallet has signed of an issued message, with its settlement, its signed attempt and its booking, where
    /// nothing bars it and no budget forbids it. The same message is recorded once.
    async fn record_issued(
        &self,
        plan: &ConfirmPlan,
        attempt: Attempt,
        now: UnixSeconds,
    ) -> Result<OnboardRecorded, LedgerError>;

    /// Writes what was read of the account behind a delegation, unless it is older than what is known: read before the current
    /// generation landed, or of another.
    async fn note_reading(
        &self,
        id: DelegationId,
        reading: &DelegationReading,
        role: Option<SeenRole>,
    ) -> Result<(), LedgerError>;

    /// Whether a wallet is leaving: from the issue of a leave to its end, or to its landing, nothing new stands on the delegation.
    async fn is_leaving(&self, id: DelegationId, now: UnixSeconds) -> Result<bool, LedgerError>;

    /// Opens a window to where a wallet's sign-in came from.
    async fn open_window(&self, window: &OnboardWindow, now: UnixSeconds) -> Result<(), LedgerError>;

    /// Takes one opening from a window of this wallet to this place; false where none is left.
    async fn take_window(&self, wallet: &Pubkey, from: CallerOrigin, now: UnixSeconds) -> Result<bool, LedgerError>;
}
