//! What follows from a verb: pure functions from the rows that an engine has read to the effects that it writes.
//!
//! Promises: no function here reads a clock or a database, so two engines that have read the same rows decide alike.
//! An engine reads, locks and writes, and decides nothing that could differ. SQLite's shorter way to accept a payment
//! (`sqlite/statements/plain_hold.rs`) is held to [`accept`] by a property test.

pub(in crate::ledger) mod accept;
pub(in crate::ledger) mod promise;
pub(in crate::ledger) mod record;
pub(in crate::ledger) mod resolve;

use crate::domain::amount::Amount;

/// How the sums of a session change, in base units. What its merchant's sessions hold by promise follows `deferred_held`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ledger) struct SumsChange {
    pub(in crate::ledger) captured: i64,
    pub(in crate::ledger) held: i64,
    pub(in crate::ledger) deferred_held: i64,
    pub(in crate::ledger) lost: i64,
}

impl SumsChange {
    /// A payment is held.
    pub(in crate::ledger) fn hold(amount: Amount) -> Self {
        Self { held: i64::from(amount), ..Self::default() }
    }

    /// A payment is held by promise.
    pub(in crate::ledger) fn promise(amount: Amount) -> Self {
        Self { deferred_held: i64::from(amount), ..Self::hold(amount) }
    }

    /// So much of what is held is given back.
    pub(in crate::ledger) fn give_back(amount: Amount) -> Self {
        Self { held: -i64::from(amount), ..Self::default() }
    }
}
