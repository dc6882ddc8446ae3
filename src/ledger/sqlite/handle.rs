//! The open ledger itself: opening it, and what it tells besides its verbs.

use crate::{
    domain::{budget::Spending, clock::UnixSeconds},
    ledger::{
        OpenLedgerError,
        sqlite::{
            import::ImportReport,
            open::{self, LedgerOptions, Parts},
            statements::bookings,
        },
    },
};
use std::path::Path;

/// An open ledger. One process has it open at a time; dropping it waits for what is queued and closes the file.
pub struct SqliteLedger(pub(super) Parts);

impl SqliteLedger {
    /// Opens or creates the ledger at `path`, in a directory that exists.
    pub async fn open(path: &Path, options: &LedgerOptions) -> Result<Self, OpenLedgerError> {
        open::open(path, options).await.map(Self)
    }

    /// What was booked since `since`, read beside whatever process has the ledger open.
    pub fn look_at_spending(path: &Path, since: UnixSeconds) -> Result<Vec<Spending>, OpenLedgerError> {
        open::look(path, |conn| bookings::spending(conn, since))
    }

    /// What was imported from the deployed service's file at this opening.
    pub fn imported(&self) -> Option<&ImportReport> {
        self.0.imported.as_ref()
    }
}

impl std::fmt::Debug for SqliteLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteLedger").field("counts", &self.0.writer.counts()).finish_non_exhaustive()
    }
}
