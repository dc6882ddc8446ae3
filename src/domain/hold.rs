//! A hold: one accepted payment, durable before its caller is answered.

use crate::domain::{
    amount::Amount, clock::UnixSeconds, reason::PayReason, session::SessionId, settlement::SettlementId,
};
use solana_signature::Signature;
use std::fmt;
use uuid::Uuid;

/// A hold's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HoldId(pub Uuid);

impl HoldId {
    /// An id from 16 random bytes.
    pub fn from_random_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// SHA-256 over everything that makes a payment this payment (`spec/session.md` §3, Content).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentHash(pub [u8; 32]);

/// What has become of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldState {
    /// Accepted; no settlement covers it yet.
    Waiting,
    /// Covered by a settlement whose outcome is not known.
    Planned {
        /// The settlement that covers it.
        settlement: SettlementId,
        /// The signature of its live attempt, once one is signed.
        signature: Option<Signature>,
    },
    /// The money moved.
    Captured {
        /// The settlement that covered it.
        settlement: SettlementId,
        /// The transaction that carried it.
        signature: Signature,
    },
    /// Given back, with proof that nothing moved.
    Released {
        /// Why, as its caller is told.
        reason: PayReason,
        /// The transaction that landed with an error, if one did.
        signature: Option<Signature>,
    },
}

/// An accepted payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// The session it draws on.
    pub session: SessionId,
    /// The caller's idempotency key, if one was given.
    pub nonce: Option<String>,
    /// What the payment is.
    pub content: ContentHash,
    /// In base units.
    pub amount: Amount,
    /// `captured + held` right after this hold, under any concurrency.
    pub spent_after: Amount,
    /// `cap - spent_after`.
    pub remaining_after: Amount,
    /// What has become of it.
    pub state: HoldState,
    /// Whether `success:true` has been handed to a caller: it is handed out once.
    pub told: bool,
    /// When it was accepted.
    pub accepted_at: UnixSeconds,
}

/// A payment that asks to be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHold {
    /// The id it gets when it is new.
    pub id: HoldId,
    /// The session it draws on.
    pub session: SessionId,
    /// The caller's idempotency key.
    pub nonce: Option<String>,
    /// What the payment is.
    pub content: ContentHash,
    /// In base units.
    pub amount: Amount,
    /// The most a session with an unverified cap may spend in all.
    pub unverified_exposure: Amount,
    /// When it is asked.
    pub now: UnixSeconds,
}
