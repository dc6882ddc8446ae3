//! What a ledger needs and tells of itself, whatever it holds.

use crate::ledger::{LedgerError, WriteFault, WriterCounts};
use async_trait::async_trait;

/// The verbs that look after a ledger; every [`super::Ledger`] has them.
#[async_trait]
pub trait Upkeep: Send + Sync + 'static {
    /// How many transactions carried how many verbs since the opening.
    fn counts(&self) -> WriterCounts;

    /// A cheap question that fails when the database does. It writes where the last write failed or was seconds ago: nothing else
    /// tells a full disk from one that works.
    async fn ping(&self) -> Result<(), LedgerError>;

    /// Writes a long log of the database back where nobody reads it; gives the log's length in bytes, 0 where there is none.
    async fn shorten_log(&self) -> Result<u64, LedgerError>;

    /// Why nothing can be written, as far as the last writes tell; a [`Ledger::ping`] that works ends it.
    fn write_fault(&self) -> Option<WriteFault>;

    /// Replays every event log and compares it with its projection, and every sum with its rows; the text names the
    /// first contradiction. Run by tests after every scenario and by `sotto doctor`.
    async fn audit(&self) -> Result<(), LedgerError>;
}
