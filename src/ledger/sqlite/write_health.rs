//! Whether the ledger can be written: learnt from the writer's own commits.
//!
//! Reading goes on where writing fails (a full disk, one mounted read-only), so who only asks would never know.

use crate::ledger::WriteFault;
use rusqlite::ErrorCode;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long a write proves that the next one can work.
const PROOF_LASTS: Duration = Duration::from_secs(5);

/// What the last writes say.
#[derive(Debug, Default)]
pub(super) struct WriteHealth(Mutex<Writes>);

#[derive(Debug, Default)]
struct Writes {
    last: Option<Instant>,
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    since: Instant,
    cause: String,
}

impl WriteHealth {
    fn lock(&self) -> MutexGuard<'_, Writes> {
        // Each change is one assignment, so what a panic left is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was written and is on disk.
    pub(super) fn wrote(&self) {
        *self.lock() = Writes { last: Some(Instant::now()), failing: None };
    }

    /// A transaction was not completed. Says whether that was to be expected: the one before failed too.
    pub(super) fn failed(&self, error: &rusqlite::Error) -> bool {
        let mut writes = self.lock();
        if writes.failing.is_some() {
            return true;
        }
        if is_of_the_medium(error) {
            writes.failing = Some(Failing { since: Instant::now(), cause: error.to_string() });
        }
        false
    }

    /// What keeps the ledger from being written, as far as the last writes tell.
    pub(super) fn fault(&self) -> Option<WriteFault> {
        let writes = self.lock();
        let failing = writes.failing.as_ref()?;
        Some(WriteFault { lasting: failing.since.elapsed(), cause: failing.cause.clone() })
    }

    /// Whether it takes a write to know.
    pub(super) fn is_unproven(&self) -> bool {
        let writes = self.lock();
        writes.failing.is_some() || writes.last.is_none_or(|last| last.elapsed() > PROOF_LASTS)
    }
}

/// Whether an error says something about every write, and not only about the verb under which it happened.
fn is_of_the_medium(error: &rusqlite::Error) -> bool {
    use ErrorCode as E;
    let code = error.sqlite_error_code();
    code.is_some_and(|code| {
        matches!(
            code,
            E::DiskFull
                | E::SystemIoFailure
                | E::ReadOnly
                | E::CannotOpen
                | E::PermissionDenied
                | E::DatabaseBusy
                | E::DatabaseLocked
                | E::DatabaseCorrupt
                | E::NotADatabase
                | E::FileLockingProtocolFailed
        )
    })
}
