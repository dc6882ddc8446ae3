//! What has happened to a session, in one order that never changes: what its listeners are told.

use crate::domain::{
    amount::Amount, clock::UnixSeconds, hold::HoldId, reason::PayReason, session::SessionState,
    settlement::SettlementId,
};
use solana_signature::Signature;

/// A place in the order: everything up to it has been told. What is told of it is an id ([`crate::domain::event_id`]).
///
/// Two counters, because accepted payments and everything else are written to two tables: 3 and 17 are after the row of this
/// session that is the third of what happened and after the one that is the seventeenth payment, of all sessions. Positions
/// of one session are compared, never those of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The last event of the log.
    pub log: u64,
    /// The last accepted payment.
    pub holds: u64,
}

/// Where a reader of the order goes on; kept in memory while they read, told to nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Everything up to here has been read.
    pub position: Position,
    /// Payments of all sessions up to this number hold nothing new for this reader, so they are not walked again; 0 where
    /// that is not known.
    pub walked: u64,
}

impl From<Position> for Cursor {
    fn from(position: Position) -> Self {
        Self { position, walked: 0 }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A payment was accepted.
    Accepted {
        /// The payment.
        payment: HoldId,
        /// In base units.
        amount: Amount,
        /// Whether it was answered as held.
        deferred: bool,
        /// When.
        at: UnixSeconds,
    },
    /// A settlement moved on.
    Settlement {
        /// The settlement.
        id: SettlementId,
        /// How.
        progress: Progress,
        /// Its transaction, once one was signed.
        transaction: Option<Signature>,
        /// The payments that it carries or carried.
        payments: Vec<HoldId>,
        /// Of them those that were promised and wait again, when it came to nothing.
        kept: Vec<HoldId>,
        /// When.
        at: UnixSeconds,
    },
    /// An uncovered payment ended without any transfer: given back at its caller's deadline, or a promise given up.
    Ended {
        /// The payment.
        payment: HoldId,
        /// Whether it had been promised.
        lost: bool,
        /// Why.
        reason: PayReason,
        /// The last transaction that failed to carry it.
        transaction: Option<Signature>,
    },
    /// The session's state changed.
    State(SessionState),
}

/// How a settlement moved on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A transaction was signed and is sent.
    Signed,
    /// It landed: its payments are captured.
    Landed,
    /// It can no longer be taken back.
    Final,
    /// A fork took it back: its payments are pending again.
    TakenBack,
    /// It came to nothing.
    Failed(PayReason),
}

/// What happened after a position, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Each with its own position.
    pub events: Vec<(Position, Happened)>,
    /// Where to read on.
    pub upto: Cursor,
}

/// A payment's own times, Unix seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "they are named as the answer names them")]
pub struct PaymentTimes {
    /// When the transfer that carried it landed.
    pub captured_at: Option<UnixSeconds>,
    /// When that could no longer be taken back.
    pub settled_at: Option<UnixSeconds>,
    /// When its settlement came to nothing.
    pub failed_at: Option<UnixSeconds>,
}
