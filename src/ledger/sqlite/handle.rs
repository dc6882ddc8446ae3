//! The open ledger itself: opening it, and what it tells besides its verbs.

use crate::{
    domain::{budget::Spending, clock::UnixSeconds, settlement::SettlementId},
    ledger::{
        ChannelRisks, OpenLedgerError, SettlementRecord,
        sqlite::{
            import::ImportReport,
            open::{self, LedgerOptions, Parts},
            statements::{bookings, mpp::channels, operator, queries::snapshot},
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

    /// What is held, read beside whatever process has the ledger open.
    pub fn look_at_held(path: &Path) -> Result<Vec<SettlementRecord>, OpenLedgerError> {
        open::look(path, |conn| snapshot(conn, operator::held))
    }

    /// One settlement, read beside whatever process has the ledger open.
    pub fn look_at_settlement(path: &Path, id: SettlementId) -> Result<Option<SettlementRecord>, OpenLedgerError> {
        open::look(path, |conn| snapshot(conn, |conn| operator::record(conn, id)))
    }

    /// What stands on channels, read beside whatever process has the ledger open.
    pub fn look_at_channels(path: &Path, chain_id: &str, soon: UnixSeconds) -> Result<ChannelRisks, OpenLedgerError> {
        open::look(path, |conn| snapshot(conn, |conn| channels::risks(conn, chain_id, soon)))
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
