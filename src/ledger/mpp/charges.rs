//! The verbs of charges.

use crate::{domain::clock::UnixSeconds, ledger::LedgerError};
use async_trait::async_trait;

/// The verbs of charges; [`crate::ledger::Ledger`] has all others, and what they all promise.
#[async_trait]
pub trait ChargeLedger: Send + Sync + 'static {
    /// Adds so many preparations to those of this UTC day, and tells how many those are then; of zero it only tells.
    async fn count_prepared(&self, more: u64, now: UnixSeconds) -> Result<u64, LedgerError>;
}
