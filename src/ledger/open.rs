//! Opening a ledger by its address, whatever its engine.

use crate::{
    domain::{budget::Spending, clock::UnixSeconds, settlement::SettlementId},
    ledger::{
        ChannelRisks, ImportReport, ImportTerms, Ledger, LedgerError, LedgerOptions, SettlementRecord, SqliteLedger,
    },
};
use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{runtime::Handle, task::spawn_blocking};

#[cfg(test)]
mod tests;

/// Why a ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenLedgerError {
    /// The address names an engine that this program does not have.
    #[error("a ledger at a `{scheme}:` address is not supported; use the path of a SQLite file or `sqlite:` and it")]
    NoSuchEngine {
        /// What stands before the address's colon.
        scheme: String,
    },
    /// Another process has it open.
    #[error("the ledger {} is in use by another process", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// Its file has further names, beside which another process would look for its log and its lock.
    #[error("the ledger {} has several names (hard links); remove all but one: what was written last stands beside one of them", path.display())]
    SeveralNames {
        /// The database.
        path: PathBuf,
    },
    /// Its bytes are not what was written.
    #[error(
        "the ledger {} is damaged, or is no database; keep the file, and restore the last backup as the runbook says", path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
    },
    /// A later version of this program wrote it.
    #[error("the ledger's schema has version {version}, which this program does not know: use the newer program")]
    SchemaFromTheFuture {
        /// The first version unknown to us.
        version: i64,
    },
    /// A migration differs from the one that was run.
    #[error("the ledger's schema version {version} is not the one this program would have made")]
    SchemaChanged {
        /// The version that differs.
        version: i64,
    },
    /// The file belongs to another program.
    #[error("the file holds tables that are not a ledger")]
    Foreign,
    /// The file is the deployed service's and nobody told how to import it.
    #[error("the file holds the deployed service's sessions; name the network and spender to import them")]
    Deployed,
    /// Payments were moved to an archive that is not there.
    #[error("the ledger's archive {} is missing; put it back beside the ledger", path.display())]
    ArchiveMissing {
        /// Where it has to be.
        path: PathBuf,
    },
    /// The archive beside the ledger is not its own.
    #[error("{} is the archive of another ledger; put this one's back in its place", path.display())]
    ArchiveOfAnother {
        /// The file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("the ledger's files cannot be used")]
    Files(#[from] io::Error),
    /// The database refused.
    #[error("the ledger's database cannot be opened")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A migration failed; it was undone.
    #[error("the ledger's schema cannot be brought up to date")]
    Migration(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What was asked of it has no answer.
    #[error("the ledger does not answer")]
    Unanswered(#[source] LedgerError),
    /// The import failed; it was undone.
    #[error("the deployed service's sessions cannot be imported")]
    Import(#[source] LedgerError),
}

/// Opens or creates the ledger at an address: the path of a SQLite file, or that path behind `sqlite:`.
///
/// Refuses the deployed service's file, which [`import`] takes over.
pub async fn open(url: impl AsRef<OsStr>) -> Result<Arc<dyn Ledger>, OpenLedgerError> {
    let ledger = open_sqlite(file_of(url.as_ref())?, LedgerOptions::default()).await?;
    Ok(Arc::new(ledger))
}

/// Opens the ledger at an address and takes over the deployed service's sessions where they stand in its file; the report
/// is none where there was nothing to take over.
pub async fn import(
    url: impl AsRef<OsStr>,
    terms: ImportTerms,
) -> Result<(Arc<dyn Ledger>, Option<ImportReport>), OpenLedgerError> {
    let options = LedgerOptions { import: Some(terms), ..LedgerOptions::default() };
    let ledger = open_sqlite(file_of(url.as_ref())?, options).await?;
    let report = ledger.imported().cloned();
    Ok((Arc::new(ledger), report))
}

/// What was booked since `since` in the ledger at an address, read beside whatever process has it open. Blocks its thread.
pub fn look_at_spending(url: impl AsRef<OsStr>, since: UnixSeconds) -> Result<Vec<Spending>, OpenLedgerError> {
    SqliteLedger::look_at_spending(&file_of(url.as_ref())?, since)
}

/// Everything on record of the settlements that are held in the ledger at an address, oldest first, read beside whatever
/// process has it open. Blocks its thread.
pub fn look_at_held(url: impl AsRef<OsStr>) -> Result<Vec<SettlementRecord>, OpenLedgerError> {
    SqliteLedger::look_at_held(&file_of(url.as_ref())?)
}

/// Everything on record of one settlement, read as [`look_at_held`] does.
pub fn look_at_settlement(
    url: impl AsRef<OsStr>,
    id: SettlementId,
) -> Result<Option<SettlementRecord>, OpenLedgerError> {
    SqliteLedger::look_at_settlement(&file_of(url.as_ref())?, id)
}

/// What stands on channels of a chain, and what was lost; grants that end before `soon` are counted. Read as [`look_at_held`] does.
pub fn look_at_channels(
    url: impl AsRef<OsStr>,
    chain_id: &str,
    soon: UnixSeconds,
) -> Result<ChannelRisks, OpenLedgerError> {
    SqliteLedger::look_at_channels(&file_of(url.as_ref())?, chain_id, soon)
}

/// On a thread of its own, because opening a file blocks.
async fn open_sqlite(path: PathBuf, options: LedgerOptions) -> Result<SqliteLedger, OpenLedgerError> {
    let opening = spawn_blocking(move || Handle::current().block_on(SqliteLedger::open(&path, &options)));
    opening.await.map_err(io::Error::from)?
}

/// The SQLite file that an address names.
fn file_of(url: &OsStr) -> Result<PathBuf, OpenLedgerError> {
    let Some((scheme, rest)) = url.to_str().and_then(|url| url.split_once(':')) else {
        return Ok(Path::new(url).to_owned());
    };
    match scheme {
        "sqlite" => Ok(PathBuf::from(rest.strip_prefix("//").unwrap_or(rest))),
        "postgres" | "postgresql" => Err(OpenLedgerError::NoSuchEngine { scheme: scheme.to_owned() }),
        scheme if rest.starts_with("//") => Err(OpenLedgerError::NoSuchEngine { scheme: scheme.to_owned() }),
        // A colon in a file's name.
        _ => Ok(Path::new(url).to_owned()),
    }
}
