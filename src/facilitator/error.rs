//! What a use case answers when it does not answer yes: refused (a known no, with a reason), unavailable (we cannot
//! know; repeat), or broken (our own records contradict each other).

use crate::{
    chain::{ChainError, transaction::TransactionError},
    covalidator::CovalidatorError,
    domain::{
        amount::Amount,
        funding::Funding,
        hold::{Hold, HoldId, Standing},
        reason::{PayReason, SessionReason},
        session::SessionId,
    },
    ledger::{LedgerError, NotCompleted, WriteFault},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::error::Error;

/// The ways in which a use case fails. `R` is what a refusal says on that surface.
#[derive(Debug)]
pub enum FacilitatorError<R> {
    /// A known no.
    Refused(Box<R>),
    /// The outcome is unknown; the same request may be repeated after `retry_after` seconds.
    Unavailable {
        /// How long to wait, in seconds.
        retry_after: u64,
        /// The cause, for the log.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// More is asked than we can take; nothing was done about this, and the same request may be repeated.
    Overloaded {
        /// How long to wait, in seconds.
        retry_after: u64,
    },
    /// Our fault; the same request will not help.
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

/// Why a payment is refused, and what its caller may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayRefusal {
    /// The stable word.
    pub reason: PayReason,
    /// A sentence that is safe to show.
    pub detail: String,
    /// The session's user, once it is known.
    pub payer: Option<Pubkey>,
    /// The transaction that concerns this payment, if one does.
    pub transaction: Option<Signature>,
    /// The session as this payment left it, when the payment was held.
    pub session: Option<SessionAfter>,
    /// Seconds after which it may be worth coming back, where that is known.
    pub retry_after: Option<u64>,
}

/// A session right after one payment, under any concurrency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionAfter {
    /// The session.
    pub id: SessionId,
    /// `captured + held` right after the payment, in base units.
    pub spent: Amount,
    /// What may still be held.
    pub remaining: Amount,
    /// The payment itself, when it was held.
    pub payment: Option<PaymentAfter>,
    /// What was known of the payer's balance when the payment was held: whether "settled" is proved to mean "paid".
    pub funding: Funding,
}

impl SessionAfter {
    /// The session right after this payment, which stands as its answer tells.
    pub(crate) const fn of(hold: &Hold, standing: Standing) -> Self {
        Self {
            id: hold.session,
            spent: hold.spent_after,
            remaining: hold.remaining_after,
            payment: Some(PaymentAfter { id: hold.id, standing }),
            funding: hold.funding,
        }
    }
}

/// A payment as its answer tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaymentAfter {
    /// The id under which it can be asked for later.
    pub id: HoldId,
    /// Where it stood when it was answered.
    pub standing: Standing,
}

/// Why a session is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRefusal {
    /// The stable word, or its beginning when `field` completes it.
    pub reason: SessionReason,
    /// The member that completes `missing_` and `auth_message_field_mismatch_`.
    pub field: Option<&'static str>,
    /// A sentence that is safe to show.
    pub detail: String,
    /// The session the answer is about, when its row exists.
    pub session: Option<SessionId>,
    /// Seconds after which it may be worth coming back, where that is known.
    pub retry_after: Option<u64>,
}

impl SessionRefusal {
    /// A refusal whose sentence is the reason's own meaning.
    pub fn new(reason: SessionReason) -> Self {
        Self { reason, field: None, detail: reason.meaning().to_owned(), session: None, retry_after: None }
    }

    /// A refusal with a more precise sentence.
    pub fn because(reason: SessionReason, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..Self::new(reason) }
    }

    /// A refusal while something else has the opening lock of a wallet.
    pub(crate) fn wallet_busy() -> Self {
        Self::because(SessionReason::SessionBusy, "An opening or a revoke of this wallet is under way; repeat.")
    }

    /// Names the session that the refusal is about; its row exists.
    #[must_use]
    pub fn about(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// Says after how many seconds it may be worth coming back.
    #[must_use]
    pub fn again_in(mut self, seconds: Option<u64>) -> Self {
        self.retry_after = seconds;
        self
    }

    /// The word on the wire.
    pub fn word(&self) -> String {
        format!("{}{}", self.reason.word(), self.field.unwrap_or_default())
    }
}

impl PayRefusal {
    /// A refusal whose sentence is the reason's own meaning.
    pub fn new(reason: PayReason) -> Self {
        let detail = reason.meaning().to_owned();
        Self { reason, detail, payer: None, transaction: None, session: None, retry_after: None }
    }

    /// Says after how many seconds it may be worth coming back.
    #[must_use]
    pub fn again_in(mut self, seconds: Option<u64>) -> Self {
        self.retry_after = seconds;
        self
    }

    /// Names the payer that the refusal is about.
    #[must_use]
    pub fn of(mut self, payer: &Pubkey) -> Self {
        self.payer = Some(*payer);
        self
    }
}

/// Why opening, reading, proving or closing a session failed.
pub type SessionError = FacilitatorError<SessionRefusal>;
/// Why verifying or settling a payment failed.
pub type PayError = FacilitatorError<PayRefusal>;

impl From<SessionRefusal> for SessionError {
    fn from(refusal: SessionRefusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<PayRefusal> for PayError {
    fn from(refusal: PayRefusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// Port errors all answer "can we know?", so they map alike on every surface; written out per port so that a new
/// variant has to be decided here.
impl<R> From<LedgerError> for FacilitatorError<R> {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Busy => Self::Overloaded { retry_after: 1 },
            LedgerError::Unavailable(_) | LedgerError::LostRace => {
                Self::Unavailable { retry_after: 1, source: Box::new(error) }
            }
            LedgerError::Inconsistent(_) => Self::Broken(Box::new(error)),
        }
    }
}

impl<R> From<ChainError> for FacilitatorError<R> {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Unavailable { retry_after, .. } => Self::Unavailable {
                retry_after: retry_after.map_or(1, |wait| wait.as_secs().max(1)),
                source: Box::new(error),
            },
            // A use case that can be refused by the chain handles `Refused` itself; here nothing expected it.
            ChainError::Refused(_) | ChainError::Inconsistent(_) => Self::Broken(Box::new(error)),
        }
    }
}

impl<R> From<CovalidatorError> for FacilitatorError<R> {
    fn from(error: CovalidatorError) -> Self {
        match error {
            CovalidatorError::Behind | CovalidatorError::Unavailable(_) => {
                Self::Unavailable { retry_after: 2, source: Box::new(error) }
            }
            CovalidatorError::NotAllowed { .. } | CovalidatorError::Untrustworthy(_) => Self::Broken(Box::new(error)),
        }
    }
}

/// Why an attempt could not be made.
pub(crate) enum SignFailure {
    /// The transfer cannot work: a known no.
    Refused {
        /// What callers are told.
        reason: PayReason,
        /// For the operator's log.
        detail: String,
    },
    /// The chain does not answer; try again.
    Unavailable(String),
    /// The ledger failed.
    Ledger(LedgerError),
}

impl SignFailure {
    pub(crate) fn refused(reason: PayReason, detail: impl Into<String>) -> Self {
        Self::Refused { reason, detail: detail.into() }
    }
}

impl From<LedgerError> for SignFailure {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<ChainError> for SignFailure {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Refused(detail) => Self::refused(PayReason::SimulationFailed, detail),
            ChainError::Unavailable { .. } | ChainError::Inconsistent(_) => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<TransactionError> for SignFailure {
    fn from(error: TransactionError) -> Self {
        let reason = match error {
            TransactionError::TooLarge { .. } => PayReason::TransactionTooLarge,
            TransactionError::Uncompilable | TransactionError::MissingSigner(_) => PayReason::InternalError,
        };
        Self::refused(reason, error.to_string())
    }
}

/// Whether an error comes from a ledger that is known not to be written, of which one line tells for all requests.
pub fn is_told_already(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        let was_expected = cause.downcast_ref::<NotCompleted>().is_some_and(|failure| failure.was_expected);
        if was_expected || cause.is::<WriteFault>() {
            return true;
        }
        next = cause.source();
    }
    false
}
