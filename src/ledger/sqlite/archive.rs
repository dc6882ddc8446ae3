//! The archive: a second file, to which the payments of sessions that ended long ago move (ADR 0038).
//!
//! Promises: a row leaves the ledger only after the archive has it on disk, byte for byte; a process that dies in between
//! leaves it in both, and who asks of both is told it once. The archive belongs to one ledger, and without it a ledger that
//! has moved anything is not opened.

use crate::{
    domain::{
        clock::UnixSeconds,
        hold::{Hold, NewHold},
        reason::PayReason,
        session::SessionId,
    },
    ledger::{
        Archived, Held, LedgerError, OpenLedgerError,
        rules::accept,
        sqlite::{
            lock,
            open::{self, Parts},
            statements::{
                Outcome,
                archive::{self, Part, Whose},
                holds, select,
            },
        },
    },
};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::task::spawn_blocking;

/// The archive's own schema, by `user_version`; only ever added to.
const SCHEMAS: [&str; 1] = [include_str!("../../../migrations/sqlite_archive/0001_archive.sql")];
/// What is moved, and how its rows are told apart.
const TABLES: [(&str, &str); 3] = [("session_events", "seq"), ("holds", "seq"), ("hold_returns", "hold")];
/// How many rows are copied and deleted at a time: other verbs wait for no more than that.
const PIECE: i64 = 512;

/// The archive of one ledger.
pub(super) struct Archive {
    ledger: PathBuf,
    /// Whether anything has moved: until then nobody has to ask.
    in_use: AtomicBool,
    /// The connection that writes, while there is something to move: closing it writes the log of the file back.
    writing: Arc<Mutex<Option<Connection>>>,
}

/// A piece that the archive has on disk.
struct Piece {
    /// Its rows in the ledger, to be deleted.
    rows: Vec<i64>,
    /// Where the next piece begins.
    from: i64,
}

impl Archive {
    /// The archive of the ledger at `path`. Refused where something was moved, and its archive is not there.
    pub(super) fn of(path: &Path, conn: &Connection) -> Result<Self, OpenLedgerError> {
        let in_use = archive::is_in_use(conn).map_err(|error| OpenLedgerError::Unanswered(error.into()))?;
        let file = file_of(path);
        if in_use && !file.exists() {
            return Err(OpenLedgerError::ArchiveMissing { path: file });
        }
        if file.exists() {
            let theirs = id_in(&file).map_err(open::database)?;
            // One that was made and got no further has no id yet, and nothing was moved to it.
            let is_own = match theirs {
                Some(theirs) => Some(theirs) == id(conn).map_err(open::database)?,
                None => !in_use,
            };
            if !is_own {
                return Err(OpenLedgerError::ArchiveOfAnother { path: file });
            }
        }
        Ok(Self { ledger: path.to_owned(), in_use: AtomicBool::new(in_use), writing: Arc::default() })
    }

    /// Whether anything has moved.
    pub(super) fn is_in_use(&self) -> bool {
        self.in_use.load(Ordering::Acquire)
    }

    /// Asks a question of ledger and archive as if they were one.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let ledger = self.ledger.clone();
        blocking(move || Ok(question(&both(&ledger)?)?)).await
    }

    /// Makes the file where it is missing, and says so to those who ask.
    async fn prepare(&self) -> Result<(), LedgerError> {
        let path = file_of(&self.ledger);
        if self.is_in_use() && !path.exists() {
            return Err(LedgerError::Inconsistent(format!("the archive {} is gone", path.display())));
        }
        self.write(|_| Ok(())).await?;
        self.in_use.store(true, Ordering::Release);
        Ok(())
    }

    /// Copies a piece of a session, and gives it when it is on disk.
    async fn copy(&self, session: SessionId, part: Part, from: i64) -> Result<Piece, LedgerError> {
        self.write(move |conn| {
            let transaction = conn.transaction().map_err(unavailable)?;
            let piece = copy(&transaction, session, part, from)?;
            transaction.commit().map_err(unavailable)?;
            Ok(piece)
        })
        .await
    }

    /// Lends the connection that writes; where the work fails, the next one gets another connection.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (ledger, writing) = (self.ledger.clone(), Arc::clone(&self.writing));
        blocking(move || {
            let mut writing = writing.lock().unwrap_or_else(PoisonError::into_inner);
            let mut conn = match writing.take() {
                Some(conn) => conn,
                None => writable(&ledger)?,
            };
            let done = work(&mut conn)?;
            *writing = Some(conn);
            Ok(done)
        })
        .await
    }

    /// Closes the file: there is nothing to move.
    async fn rest(&self) -> Result<(), LedgerError> {
        let writing = Arc::clone(&self.writing);
        blocking(move || {
            drop(writing.lock().unwrap_or_else(PoisonError::into_inner).take());
            Ok(())
        })
        .await
    }
}

impl Parts {
    /// Asks a question about payments: of the ledger, and of both files where they have moved.
    pub(super) async fn ask_where_kept<T: Send + 'static>(
        &self,
        whose: Whose,
        question: impl Fn(&Connection) -> Outcome<T> + Clone + Send + 'static,
    ) -> Result<T, LedgerError> {
        if !self.archive.is_in_use() {
            return self.readers.run(question).await;
        }
        let here = question.clone();
        let answer = self.readers.run(move |conn| {
            let answer = here(conn);
            if archive::has_moved(conn, whose)? { Ok(None) } else { answer.map(Some) }
        });
        match answer.await? {
            Some(answer) => Ok(answer),
            None => self.archive.ask(question).await,
        }
    }

    /// What a nonce was used for in a session, wherever that is kept.
    pub(super) async fn find_payment(&self, session: SessionId, nonce: &str) -> Result<Option<Hold>, LedgerError> {
        let found = self.inline_readers.ask(|conn| holds::find_payment(conn, session, nonce)).transpose()?;
        match found {
            Some(found) if found.is_some() || !self.archive.is_in_use() => Ok(found),
            _ => {
                let nonce = nonce.to_owned();
                let question = move |conn: &Connection| holds::find_payment(conn, session, &nonce);
                self.ask_where_kept(Whose::Session(session), question).await
            }
        }
    }

    /// What is told of a payment that the ledger has just refused, where its nonce was used by one that has moved.
    /// Only payments of sessions that have ended move: whatever else refuses one is told without a look.
    pub(super) async fn find_moved(&self, new: &NewHold, refused: PayReason) -> Result<Option<Held>, LedgerError> {
        use PayReason::{SessionExpired, SessionNotOpen, SessionRevoked};
        let may_have_moved = matches!(refused, SessionExpired | SessionNotOpen | SessionRevoked);
        let Some(nonce) = new.nonce.as_ref().filter(|_| may_have_moved && self.archive.is_in_use()) else {
            return Ok(None);
        };
        let earlier = self.find_payment(new.session, nonce).await?;
        Ok(earlier.map(|earlier| accept::repeat(new, earlier)))
    }

    /// Moves the payments of one session to the archive.
    pub(super) async fn archive_one(&self, before: UnixSeconds) -> Result<Option<Archived>, LedgerError> {
        let Some(session) = self.readers.run(move |conn| archive::next(conn, before)).await? else {
            self.archive.rest().await?;
            return Ok(None);
        };
        self.archive.prepare().await?;
        self.writer.run(move |conn| archive::begin(conn, session)).await?;
        let mut payments = 0;
        for part in Part::ALL {
            let mut from = 0;
            loop {
                let piece = self.archive.copy(session, part, from).await?;
                if piece.rows.is_empty() {
                    break;
                }
                from = piece.from;
                payments += if part == Part::Events { 0 } else { piece.rows.len() as u64 };
                self.writer.run(move |conn| archive::remove(conn, part, &piece.rows)).await?;
            }
        }
        self.writer.run(move |conn| archive::finish(conn, session)).await?;
        Ok(Some(Archived { session, payments }))
    }
}

/// `<ledger>.archive`.
pub(super) fn file_of(ledger: &Path) -> PathBuf {
    lock::beside(ledger, ".archive")
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    spawn_blocking(work).await.unwrap_or_else(|error| Err(LedgerError::Unavailable(Box::new(error))))
}

fn unavailable(error: rusqlite::Error) -> LedgerError {
    LedgerError::Unavailable(Box::new(error))
}

/// A connection that writes to the archive, with the ledger beside it as `ledger`.
fn writable(ledger: &Path) -> Result<Connection, LedgerError> {
    let path = file_of(ledger);
    let made = lock::private(&path).map_err(|error| LedgerError::Unavailable(Box::new(error)))?;
    drop(made);
    let conn = open::connect(&path).map_err(unavailable)?;
    open::write_durably(&conn).map_err(unavailable)?;
    attach(&conn, ledger, "ledger")?;
    migrate(&conn).map_err(unavailable)?;
    let same = "SELECT (SELECT id FROM main.archive) = (SELECT id FROM ledger.archive)";
    match conn.query_row(same, [], |row| row.get::<_, Option<bool>>(0)).map_err(unavailable)? {
        Some(true) => Ok(conn),
        Some(false) | None => {
            Err(LedgerError::Inconsistent(format!("{} is not this ledger's archive", path.display())))
        }
    }
}

/// Brings the archive's schema up to this program's.
fn migrate(conn: &Connection) -> rusqlite::Result<()> {
    let version: usize =
        conn.query_row("PRAGMA main.user_version", [], |row| row.get::<_, i64>(0))?.try_into().unwrap_or(0);
    for (number, schema) in (1_i64..).zip(SCHEMAS).skip(version) {
        let transaction = conn.unchecked_transaction()?;
        transaction.execute_batch(schema)?;
        transaction.execute("INSERT OR IGNORE INTO main.archive (one, id) SELECT one, id FROM ledger.archive", [])?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Which ledger an archive belongs to; none where it says nothing yet.
fn id_in(archive: &Path) -> rusqlite::Result<Option<Vec<u8>>> {
    let archive = open::connect(archive)?;
    let has = "SELECT 1 FROM sqlite_schema WHERE name = 'archive'";
    match archive.query_row(has, [], |_| Ok(())).optional()? {
        Some(()) => id(&archive),
        None => Ok(None),
    }
}

/// The id that a ledger and its archive share.
fn id(conn: &Connection) -> rusqlite::Result<Option<Vec<u8>>> {
    conn.query_row("SELECT id FROM archive", [], |row| row.get(0)).optional()
}

/// A connection that sees ledger and archive as one, and writes nothing.
fn both(ledger: &Path) -> Result<Connection, LedgerError> {
    let conn = open::connect(ledger).map_err(unavailable)?;
    attach(&conn, &file_of(ledger), "archive")?;
    for (table, key) in TABLES {
        let columns = columns(&conn, table).map_err(unavailable)?;
        // What a process that died has left in both is told once.
        let view = format!(
            "CREATE TEMP VIEW {table} AS SELECT {columns} FROM main.{table} \
             UNION ALL SELECT {columns} FROM archive.{table} AS there \
             WHERE NOT EXISTS (SELECT 1 FROM main.{table} AS here WHERE here.{key} = there.{key})"
        );
        conn.execute_batch(&view).map_err(unavailable)?;
    }
    conn.pragma_update(None, "query_only", true).map_err(unavailable)?;
    Ok(conn)
}

fn attach(conn: &Connection, path: &Path, name: &str) -> Result<(), LedgerError> {
    let not_text = || LedgerError::Inconsistent("the path of a ledger with an archive has to be UTF-8".to_owned());
    let path = path.to_str().ok_or_else(not_text)?;
    conn.execute(&format!("ATTACH ?1 AS {name}"), [path]).map(drop).map_err(unavailable)
}

/// The columns of a table, by name.
fn columns(conn: &Connection, table: &str) -> rusqlite::Result<String> {
    let names = "SELECT group_concat(name, ', ') FROM pragma_table_info(?1, 'main')";
    conn.query_row(names, [table], |row| row.get(0))
}

/// Copies a piece in an open transaction.
fn copy(conn: &Connection, session: SessionId, part: Part, from: i64) -> Result<Piece, LedgerError> {
    let sql = match part {
        Part::Events => {
            "SELECT seq, seq FROM ledger.session_events WHERE session = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3"
        }
        Part::Covered => {
            "SELECT s.seq, h.seq FROM ledger.settlements s JOIN ledger.holds h ON h.settlement = s.id \
             WHERE s.session = ?1 AND s.purpose = 'capture' AND s.seq >= ?2 ORDER BY s.seq LIMIT ?3"
        }
        Part::Uncovered => {
            "SELECT e.seq, h.seq FROM main.session_events e JOIN ledger.holds h ON h.id = e.hold \
             WHERE e.session = ?1 AND e.hold IS NOT NULL AND e.seq >= ?2 ORDER BY e.seq LIMIT ?3"
        }
    };
    let found = select::list(conn, sql, params![session.to_bytes(), from, PIECE], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    })?;
    let piece =
        Piece { from: found.last().map_or(from, |(at, _)| *at), rows: found.into_iter().map(|(_, row)| row).collect() };
    take_in(conn, part, &piece.rows).map_err(unavailable)?.map_or(Ok(piece), |table| {
        Err(LedgerError::Inconsistent(format!("{table}: a row in the archive is not the one in the ledger")))
    })
}

/// Writes rows of the ledger into the archive; gives the table in which one is not the same afterwards.
fn take_in(conn: &Connection, part: Part, rows: &[i64]) -> rusqlite::Result<Option<&'static str>> {
    conn.execute_batch("CREATE TEMP TABLE IF NOT EXISTS moving (seq INTEGER PRIMARY KEY); DELETE FROM temp.moving;")?;
    let mut moving = conn.prepare("INSERT OR IGNORE INTO temp.moving (seq) VALUES (?1)")?;
    for row in rows {
        moving.execute([row])?;
    }
    let tables: &[(&'static str, &str)] = match part {
        Part::Events => &[("session_events", "seq IN (SELECT seq FROM temp.moving)")],
        Part::Covered | Part::Uncovered => &[
            ("holds", "seq IN (SELECT seq FROM temp.moving)"),
            ("hold_returns", "hold IN (SELECT id FROM ledger.holds WHERE seq IN (SELECT seq FROM temp.moving))"),
        ],
    };
    for (table, which) in tables {
        let columns = columns(conn, table)?;
        let rows_of = |schema: &str| format!("SELECT {columns} FROM {schema}.{table} WHERE {which}");
        // What is there from an attempt that was interrupted stays as it is, and is compared like the rest.
        conn.execute(&format!("INSERT OR IGNORE INTO main.{table} ({columns}) {}", rows_of("ledger")), [])?;
        let differs = format!("SELECT 1 FROM ({} EXCEPT {}) LIMIT 1", rows_of("ledger"), rows_of("main"));
        if conn.query_row(&differs, [], |_| Ok(())).optional()?.is_some() {
            return Ok(Some(*table));
        }
    }
    Ok(None)
}
