//! What a verb or a question needs of several parts of the open ledger.

use crate::{
    domain::hold::NewHold,
    ledger::{
        Held, LedgerError,
        sqlite::{
            open::Parts,
            statements::{Outcome, audit, holds},
        },
    },
};
use rusqlite::Connection;

impl Parts {
    /// Writes a hold, or says why not: what the writer refuses may be a repeat of a payment that has moved to the archive.
    pub(super) async fn hold(&self, hold: &NewHold) -> Result<Held, LedgerError> {
        if self.log.is_full() {
            return Err(LedgerError::Busy);
        }
        let new = hold.clone();
        let spent = |held: &Held| match held {
            Held::New(hold) => Some(hold.spent_after),
            Held::Repeat(_) | Held::NonceConflict | Held::Refused(_) => None,
        };
        match self.writer.run_hold(move |conn| holds::hold(conn, &new), spent).await? {
            Held::Refused(reason) => Ok(self.find_moved(hold, reason).await?.unwrap_or(Held::Refused(reason))),
            decided => Ok(decided),
        }
    }

    /// Asks a question of a few microseconds on the caller's own thread, or on a reader's where all connections of that kind are
    /// in use.
    pub(super) async fn ask_inline<T: Send + 'static>(
        &self,
        question: impl Fn(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        match self.inline_readers.ask(&question) {
            Some(answer) => Ok(answer?),
            None => self.readers.run(question).await,
        }
    }

    /// Audits both files, and what is remembered of them.
    pub(super) async fn audit(&self) -> Result<(), LedgerError> {
        if self.archive.is_in_use() {
            self.archive.ask(audit::audit).await?;
        } else {
            self.readers.run(audit::audit).await?;
        }
        self.snapshots.audit(&self.readers).await
    }
}
