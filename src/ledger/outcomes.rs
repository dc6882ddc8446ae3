//! What verbs are asked and answer, where that is more than a domain value.

use crate::{
    domain::{
        amount::Amount,
        budget::OverBudget,
        clock::UnixSeconds,
        funding::Source,
        hold::Hold,
        mpp::delegation::{IssuedMessage, OnboardBar},
        reason::{PayReason, SessionReason},
        revocation::{Revocation, RevocationBar},
        session::{Session, SessionId},
        settlement::{Attempt, Settlement},
        single_payment::Single,
    },
    ledger::Recorded,
};
use solana_pubkey::Pubkey;
use std::{sync::Arc, time::Duration};

/// What a settlement may carry of what waits in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carry {
    /// At most so many base units, but always one hold.
    pub most: Amount,
    /// Whether it goes for promises alone, or only where a payment waits that nobody was told of. It takes promises along
    /// either way.
    pub promises_alone: bool,
}

impl Carry {
    /// Whatever waits, up to so much.
    pub const fn up_to(most: Amount) -> Self {
        Self { most, promises_alone: true }
    }
}

/// What became of a request to open a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The row is new, in state `opening`.
    New(Session),
    /// This user asked for this session before; it is returned as it stands.
    Existing(Session),
    /// The user has used the nonce for something else.
    NonceReused,
    /// A revoke of this user and asset may still land; nothing is written.
    RevokeOnItsWay,
}

/// What became of a request to open a session on an approval that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenedOnApproval {
    /// It is open.
    New(Session),
    /// This user asked for this session before; it is returned as it stands.
    Existing(Session),
    /// The user has used the nonce for something else.
    NonceReused,
    /// The approval does not admit it; nothing was written.
    Refused(SessionReason),
}

/// What became of a request to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Accepted and durable.
    New(Hold),
    /// This payment was accepted before (same nonce and content, or a takeover of a payment that was answered
    /// `settlement_pending`); this is it, as it stands.
    Repeat(Hold),
    /// The nonce names a payment with other content.
    NonceConflict,
    /// Refused; no trace is left.
    Refused(PayReason),
}

/// How a caller's wait ended, decided in one transaction at their deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// No settlement covered it: released, nothing is charged.
    Released,
    /// A settlement covers it: its outcome is to be asked for later. The hold is marked as answered `pending`.
    Pending(Hold),
    /// It was decided in the meantime.
    Decided(Hold),
}

/// What became of a signed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "the large one is what nearly every answer is")]
pub enum Signed {
    /// It is durable and its full cost is booked; only now may it be sent.
    Recorded {
        /// The settlement, in flight.
        settlement: Settlement,
        /// The attempt.
        attempt: Recorded<Attempt>,
    },
    /// It would pass a budget: nothing was written, and it must never be sent.
    OverBudget(OverBudget),
}

impl Signed {
    /// What was recorded; none over budget.
    pub fn recorded(self) -> Option<(Settlement, Recorded<Attempt>)> {
        match self {
            Self::Recorded { settlement, attempt } => Some((settlement, attempt)),
            Self::OverBudget(_) => None,
        }
    }
}

/// How many sessions were opened, or grants given, within a time, and when the first of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpeningCount {
    /// How many.
    pub count: u64,
    /// When the oldest of them was.
    pub first: Option<UnixSeconds>,
}

/// The sessions opened within a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Openings {
    /// By one user.
    pub by_user: OpeningCount,
    /// To pay one merchant.
    pub for_recipient: OpeningCount,
    /// Of those, by users without credit.
    pub for_recipient_by_newcomers: OpeningCount,
    /// By everybody.
    pub by_all: OpeningCount,
    /// Of those, by users without credit.
    pub by_newcomers: OpeningCount,
}

/// The creation of a recipient's token account at our cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreatedRecipient {
    /// The wallet.
    pub recipient: Pubkey,
    /// Whose session it was created for.
    pub payer: Pubkey,
    /// When it was planned.
    pub at: UnixSeconds,
}

/// What became of a request to offer an unsigned transaction for a single payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It is durable, and may be given to the payer.
    Issued,
    /// The payer's nonce was used: for this payment.
    Known(Box<Single>),
    /// The encrypted amount was used by a payment.
    CiphertextUsed,
    /// There are as many offers of this payer, or in all, as there may be.
    TooMany {
        /// Seconds until the first of them ends.
        again_in: u64,
    },
}

/// What became of a single payment that its payer signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinglePaid {
    /// It is durable with its signed transaction, which may be sent now.
    Recorded(Box<Single>, Box<Work>),
    /// It was recorded before; as it stands.
    Known(Box<Single>),
    /// There is no such offer, or its time is over. Nothing was written, as in what follows.
    NotOffered,
    /// Something forbids it.
    Refused(PayReason),
    /// It would pass a budget.
    OverBudget(OverBudget),
}

/// Whether a request may tell the one success of a single payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SingleClaim {
    /// It may, and no other will.
    Granted,
    /// Not yet: it is kept for the request that recorded it.
    Kept,
    /// It was told before, or nothing has landed.
    Refused,
}

/// What became of a revoke that its wallet signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevocationRecorded {
    /// It is durable with its signed transaction, which may be sent now.
    Recorded(Box<Revocation>, Box<Work>),
    /// It was recorded before; as it stands.
    Known(Box<Revocation>),
    /// Something bars it. Nothing was written, as in what follows.
    Barred(RevocationBar),
    /// It would pass a budget.
    OverBudget(OverBudget),
}

/// What became of a message that was about to be issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WasIssued {
    /// It is issued, and what its wallet was issued before is void.
    Issued,
    /// The proof that asks for it asked for this one before.
    Repeated(Box<IssuedMessage>),
    /// The proof was used for something else. Nothing was written, as in what follows.
    ProofUsed,
    /// A message of this wallet is on its way.
    OnItsWay,
    /// Channels of this wallet hold something.
    ChannelsOpen,
    /// A renewal would take away what channels count on, or hide a settlement.
    NotCovered,
    /// Another request was faster: the generation is taken.
    Raced,
}

/// What became of an issued message that its wallet signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnboardRecorded {
    /// It is durable with its signed transaction, which may be sent now.
    Recorded(Box<IssuedMessage>, Box<Work>),
    /// It was recorded before; as it stands.
    Known(Box<IssuedMessage>),
    /// It was never issued, or was forgotten long after its end. Nothing was written, as in what follows.
    NotIssued,
    /// Another was issued after it.
    Voided,
    /// Its time is over.
    Expired,
    /// Another message of this wallet is on its way.
    OnItsWay,
    /// Channels of this wallet hold something.
    ChannelsOpen,
    /// A renewal would take away what channels count on, or hide a settlement.
    NotCovered,
    /// It is a leave, and nothing that it would give back has landed.
    NothingGranted,
    /// There are as many as there may be.
    Barred(OnboardBar),
    /// It would pass a budget.
    OverBudget(OverBudget),
}

/// What became of a proof of a payer's balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proved {
    /// It counts (or the same one did already).
    Counts(Box<Source>),
    /// Something newer is known of the account: it was read from a node that lags.
    Outdated,
}

/// A settlement with its live attempt, if one is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The settlement.
    pub settlement: Settlement,
    /// Its live (or, when landed, its landed) attempt.
    pub attempt: Option<Recorded<Attempt>>,
}

/// What waits in one session by promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promised {
    /// The session.
    pub session: SessionId,
    /// How many payments that no settlement has covered yet.
    pub count: u64,
    /// Their sum, in base units.
    pub amount: Amount,
    /// When the oldest of them was accepted.
    pub oldest: Option<UnixSeconds>,
    /// How many rest because a settlement came to nothing.
    pub resting: u64,
    /// When the first of these may be planned again.
    pub again_at: Option<UnixSeconds>,
    /// Whether the session may accept more: what waits in one that has ended waits for nothing.
    pub accepting: bool,
}

/// What moved to the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Archived {
    /// Whose payments.
    pub session: SessionId,
    /// How many.
    pub payments: u64,
}

/// Sums for reports and tests, in base units and lamports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Sum of captured holds.
    pub captured: Amount,
    /// Sum of holds whose fate is open.
    pub held: Amount,
    /// Sum of payments that were promised and never captured.
    pub lost: Amount,
    /// Sum of single payments whose transfers landed.
    pub single: Amount,
    /// Transfers of sessions that landed.
    pub transfers: u64,
    /// Lamports of fees spent.
    pub fees: u64,
    /// Lamports of rent spent.
    pub rent: u64,
    /// Lamports granted to users.
    pub grants: u64,
}

/// What the ledger remembers of a session's accounts: when a transfer last moved them, and when rent was last paid for
/// decrypt allowances in its name. Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastTransfer {
    /// The session.
    pub session: SessionId,
    /// When a transfer of it last landed.
    pub moved: UnixSeconds,
    /// When decrypt allowances were last bought.
    pub bought: Option<UnixSeconds>,
}

/// Why the ledger cannot be written, while it may still answer questions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be written, for {} s now: {cause}", lasting.as_secs())]
pub struct WriteFault {
    /// For how long.
    pub lasting: Duration,
    /// The database's words for it.
    pub cause: String,
}

/// A transaction failed as a whole; everybody whose work was in it is told the same cause.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the transaction was not completed")]
pub struct NotCompleted {
    /// Whether the one before failed too, so that this tells nothing new.
    pub was_expected: bool,
    /// The database's words for it.
    #[source]
    pub cause: Arc<dyn std::error::Error + Send + Sync>,
}

/// What the writer did, for metrics and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterCounts {
    /// Transactions committed.
    pub commits: u64,
    /// Verbs answered after those commits.
    pub verbs: u64,
}
