//! The verbs on SQLite, one function each: plain SQL on the connection that the writer or a reader lends them.
//!
//! Must be true: a function that writes runs inside the writer's transaction, in a savepoint of its own, so returning
//! an error undoes all it did; it may be run twice, so it keeps nothing between runs.

pub(super) mod approvals;
pub(super) mod archive;
pub(super) mod audit;
mod bindings;
pub(super) mod bookings;
pub(super) mod budgets;
pub(super) mod credit;
pub(super) mod deferred;
pub(super) mod examinations;
pub(super) mod facts;
pub(super) mod funding;
pub(super) mod history;
pub(super) mod holds;
pub(super) mod journal;
pub(super) mod mpp;
pub(super) mod operator;
mod plain_hold;
pub(super) mod queries;
pub(super) mod recorded_answers;
pub(super) mod revocations;
pub(super) mod select;
pub(super) mod sessions;
pub(super) mod settlements;
mod single_claims;
pub(super) mod single_payments;
pub(super) mod sums;

#[cfg(test)]
mod tests;

use crate::ledger::LedgerError;

/// Why a verb did not do its work.
#[derive(Debug)]
pub(super) enum VerbError {
    /// The verb's own error: it is undone alone and its neighbours in the batch are not touched.
    Verb(LedgerError),
    /// The database failed: nobody knows what is left of the transaction.
    Database(rusqlite::Error),
}

impl From<LedgerError> for VerbError {
    fn from(error: LedgerError) -> Self {
        Self::Verb(error)
    }
}

impl From<rusqlite::Error> for VerbError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        match &error {
            // A constraint refuses one statement and leaves the transaction as it was. Its text names constraints and
            // columns, never values.
            E::SqliteFailure(cause, text) if cause.code == rusqlite::ErrorCode::ConstraintViolation => {
                let text = text.clone().unwrap_or_else(|| cause.to_string());
                Self::Verb(LedgerError::Inconsistent(text))
            }
            E::FromSqlConversionFailure(..) | E::IntegralValueOutOfRange(..) | E::InvalidColumnType(..) => {
                Self::Verb(LedgerError::Inconsistent(error.to_string()))
            }
            _ => Self::Database(error),
        }
    }
}

impl From<VerbError> for LedgerError {
    fn from(error: VerbError) -> Self {
        match error {
            VerbError::Verb(error) => error,
            VerbError::Database(error) => Self::Unavailable(Box::new(error)),
        }
    }
}

/// What a verb yields.
pub(super) type Outcome<T> = Result<T, VerbError>;

/// A row that must be there is not.
fn missing(what: &str) -> VerbError {
    LedgerError::Inconsistent(format!("there is no such {what}")).into()
}
