//! The write-ahead log beside the ledger: written back while nobody reads it, and bounded.
//!
//! SQLite writes the log back by itself and begins it anew, but never past what somebody still reads. A backup of a busy ledger, or
//! a shell that was left open in a transaction, makes it grow with every commit.

use crate::ledger::{LedgerError, sqlite::open};
use rusqlite::Connection;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::task::spawn_blocking;

/// How long a ledger's log may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// From what length it is written back and cut as soon as nobody reads it, in bytes: 64 MiB, as much as SQLite is told to keep
    /// of it.
    pub long: u64,
    /// From what length no new payment is taken, in bytes: 2 GiB. A disk that is full stops more than payments.
    pub full: u64,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { long: 64 * 1024 * 1024, full: 2 * 1024 * 1024 * 1024 }
    }
}

/// The log of one ledger.
#[derive(Debug)]
pub(super) struct WriteAheadLog {
    ledger: PathBuf,
    limits: LogLimits,
    is_full: AtomicBool,
}

impl WriteAheadLog {
    pub(super) fn of(ledger: &Path, limits: LogLimits) -> Self {
        Self { ledger: ledger.to_owned(), limits, is_full: AtomicBool::new(false) }
    }

    /// Whether it was too long for new payments when it was last looked at.
    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Cuts a long log where nobody reads it; gives its length in bytes.
    pub(super) async fn shorten(&self) -> Result<u64, LedgerError> {
        let (ledger, LogLimits { long, full }) = (self.ledger.clone(), self.limits);
        let shortened = spawn_blocking(move || shorten(&ledger, long)).await;
        let length = shortened.map_err(unavailable)?.map_err(unavailable)?;
        self.is_full.store(length > full, Ordering::Relaxed);
        Ok(length)
    }
}

/// Cuts a log that is longer than `long` bytes where nobody reads it; gives its length.
fn shorten(ledger: &Path, long: u64) -> rusqlite::Result<u64> {
    let length = length(ledger);
    if length <= long {
        return Ok(length);
    }
    let conn = open::connect(ledger)?;
    // Whoever reads is not waited for, and neither is the writer.
    conn.busy_timeout(Duration::ZERO)?;
    write_back(&conn)?;
    Ok(self::length(ledger))
}

/// What a reader keeps from being written back stays.
fn write_back(conn: &Connection) -> rusqlite::Result<()> {
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// Nothing at all where there is none.
fn length(ledger: &Path) -> u64 {
    let mut log = ledger.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(PathBuf::from(log)).map_or(0, |file| file.len())
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> LedgerError {
    LedgerError::Unavailable(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_cut_when_its_last_reader_is_gone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("l.db");
        let conn = Connection::open(&path).expect("opens");
        conn.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n BLOB); INSERT INTO t VALUES (1)")
            .expect("makes it");
        let reader = Connection::open(&path).expect("opens");
        reader.execute_batch("BEGIN; SELECT count(*) FROM t").expect("reads");
        for _ in 0..8 {
            conn.execute("INSERT INTO t VALUES (zeroblob(1000000))", []).expect("writes");
        }
        let long = 1_000_000;
        assert!(shorten(&path, long).expect("is looked at") > 8 * long, "somebody still reads what was there before");
        reader.execute_batch("COMMIT").expect("ends");
        assert_eq!(shorten(&path, 100 * long).expect("is looked at"), length(&path), "it is short enough");
        assert_eq!(shorten(&path, long).expect("is looked at"), 0);
        let rows: i64 = conn.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).expect("reads");
        assert_eq!(rows, 9);
    }
}
