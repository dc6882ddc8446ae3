//! Opening a ledger on SQLite: lock, look, migrate, import, connect. At start only, so it blocks its thread.

use crate::ledger::{
    LedgerError, OpenLedgerError,
    sqlite::{
        archive::Archive,
        import::{self, ImportReport, ImportTerms},
        lock::{self, LedgerLock},
        migrate::{self, Found},
        readers::{InlineReaders, Readers},
        snapshots::Snapshots,
        statements::Outcome,
        write_ahead_log::{LogLimits, WriteAheadLog},
        writer::Writer,
    },
};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::{path::Path, sync::Arc, thread::available_parallelism, time::Duration};

#[cfg(test)]
mod tests;

/// How many connections answer questions: two, so that an audit does not hold up the others.
const READERS: usize = 2;
/// The most connections for questions on the caller's own thread: one for each core, up to this many.
const MOST_INLINE_READERS: usize = 8;
/// How long a statement waits for an outside tool that looks into the file.
const BUSY: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection; there are about sixty.
const STATEMENTS: usize = 128;

/// What an operator chooses.
#[derive(Clone, Debug)]
pub struct LedgerOptions {
    /// How many verbs, and how many questions, may wait; one more is [`crate::ledger::LedgerError::Busy`]. 4,096 are a seventh of a
    /// second of work on a fast disk.
    pub queue: usize,
    /// How long the log beside the file may become.
    pub log: LogLimits,
    /// What to import a deployed service's sessions by; without it such a file is refused.
    pub import: Option<ImportTerms>,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        Self { queue: 4_096, log: LogLimits::default(), import: None }
    }
}

/// The parts of an open ledger. Fields are dropped in this order: the readers let go of the file before the writer
/// closes it and frees the lock.
pub(super) struct Parts {
    pub(super) readers: Readers,
    pub(super) inline_readers: InlineReaders,
    pub(super) snapshots: Arc<Snapshots>,
    pub(super) archive: Archive,
    pub(super) log: WriteAheadLog,
    pub(super) writer: Writer,
    pub(super) imported: Option<ImportReport>,
}

pub(super) async fn open(path: &Path, options: &LedgerOptions) -> Result<Parts, OpenLedgerError> {
    let path = &lock::one_name(path)?;
    let lock = LedgerLock::take(path)?.ok_or_else(|| OpenLedgerError::InUse { path: path.clone() })?;
    opened(path, options, lock).await.map_err(|error| damage(path, error))
}

async fn opened(path: &Path, options: &LedgerOptions, lock: LedgerLock) -> Result<Parts, OpenLedgerError> {
    set_deployed_aside(path, options)?;
    migrate::migrate(path).await?;

    let mut conn = connect(path).map_err(database)?;
    write_durably(&conn).map_err(database)?;
    let imported = match &options.import {
        Some(terms) => import::import_deployed(&mut conn, terms).map_err(OpenLedgerError::Import)?,
        None if import::is_set_aside(&conn).map_err(database)? => return Err(OpenLedgerError::Deployed),
        None => None,
    };
    let archive = Archive::of(path, &conn)?;
    let questions = (0..READERS).map(|_| reader(path)).collect::<rusqlite::Result<_>>().map_err(database)?;
    let cores = available_parallelism().map_or(1, usize::from).min(MOST_INLINE_READERS);
    let inline_readers = (0..cores).map(|_| reader(path)).collect::<rusqlite::Result<_>>().map_err(database)?;
    let snapshots = Arc::<Snapshots>::default();
    Ok(Parts {
        readers: Readers::start(questions, options.queue)?,
        inline_readers: InlineReaders::new(inline_readers),
        writer: Writer::start(conn, Some(lock), options.queue, Arc::clone(&snapshots))?,
        snapshots,
        archive,
        log: WriteAheadLog::of(path, options.log),
        imported,
    })
}

/// Asks one question of a ledger that another process may have open, and changes nothing: not its schema either.
pub(super) fn look<T>(path: &Path, question: impl FnOnce(&Connection) -> Outcome<T>) -> Result<T, OpenLedgerError> {
    // Opening would make a file where there is none.
    std::fs::metadata(path)?;
    let conn = reader(path).map_err(database)?;
    match migrate::inspect(&conn).map_err(database)? {
        Found::Ledger => question(&conn).map_err(|error| OpenLedgerError::Unanswered(error.into())),
        Found::Deployed | Found::SetAside => Err(OpenLedgerError::Deployed),
        Found::Nothing | Found::Foreign => Err(OpenLedgerError::Foreign),
    }
}

/// Looks at the file and, when it is the deployed service's, gives its table another name.
fn set_deployed_aside(path: &Path, options: &LedgerOptions) -> Result<(), OpenLedgerError> {
    let conn = connect(path).map_err(database)?;
    match migrate::inspect(&conn).map_err(database)? {
        Found::Deployed | Found::SetAside if options.import.is_none() => Err(OpenLedgerError::Deployed),
        Found::Deployed => import::set_aside(&conn).map_err(database),
        Found::Nothing | Found::Ledger | Found::SetAside => Ok(()),
        Found::Foreign => Err(OpenLedgerError::Foreign),
    }
}

pub(super) fn database(error: rusqlite::Error) -> OpenLedgerError {
    OpenLedgerError::Database(Box::new(error))
}

/// Says of an error that comes from a damaged file just that, with what to do, in place of the database's words for it.
fn damage(path: &Path, error: OpenLedgerError) -> OpenLedgerError {
    let source = match &error {
        OpenLedgerError::Database(source)
        | OpenLedgerError::Migration(source)
        | OpenLedgerError::Unanswered(LedgerError::Unavailable(source)) => &**source,
        _ => return error,
    };
    let mut causes = std::iter::successors(Some(source as &dyn std::error::Error), |cause| cause.source());
    let is_damaged = causes.any(|cause| {
        let own = cause.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
        let of_migrator = cause.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
        matches!(own, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
            // SQLITE_CORRUPT and SQLITE_NOTADB.
            || of_migrator.and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "11" || code == "26")
    });
    if is_damaged { OpenLedgerError::Damaged { path: path.to_owned() } } else { error }
}

/// Makes a connection one that writes. FULL syncs the log at every commit: what is answered is on disk. Triggers also guard rows
/// that REPLACE removes. A log that grew while another process read the file gets short again when it is written back.
pub(super) fn write_durably(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON; \
         PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 67108864;",
    )
}

/// A connection that refuses to write. Not one opened read-only: SQLite leaves CHECK constraints out of those, and the
/// audit's integrity check would not see them broken.
fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let conn = connect(path)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // Each connection belongs to one thread, so SQLite's own mutexes are left out. The file was made beforehand.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(conn)
}
