//! The one writer: an operating-system thread that owns the only writing connection, and group commit.
//!
//! Promises: a verb's caller is answered only after the transaction that holds the verb's work is committed, which on
//! this connection (WAL, `synchronous = FULL`) means on disk; verbs run in the order in which they were queued, each in
//! its own savepoint, so one that fails undoes only itself; whatever queues up during one commit shares the next one.
//! A full queue is [`LedgerError::Busy`] at once, and nothing was written. A caller who stops waiting changes nothing:
//! his verb still commits.
//!
//! Must be true: nobody else writes to the database (the lock of `ledger/open.rs`).

use crate::ledger::{
    LedgerError,
    lock::LedgerLock,
    verbs::{Outcome, VerbError},
};
use rusqlite::Connection;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};
use tokio::sync::{mpsc, oneshot};

#[cfg(test)]
mod tests;

/// The most verbs that one transaction carries; bounds how long the first of them waits for the last.
const MOST_PER_COMMIT: usize = 512;

/// What the writer did, for metrics and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterCounts {
    /// Transactions committed.
    pub commits: u64,
    /// Verbs answered after those commits.
    pub verbs: u64,
}

/// The writer's shared failure: every caller of a batch is told the same cause.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the transaction was not completed")]
struct NotCompleted(#[source] Arc<rusqlite::Error>);

/// The thread is gone: it was dropped or a verb panicked.
#[derive(Debug, thiserror::Error)]
#[error("the ledger's thread has ended")]
struct ThreadEnded;

/// How one run of a verb ended.
pub(super) enum Ran {
    /// With a result; what it wrote is to be kept.
    Kept,
    /// With an error of its own; what it wrote is to be undone.
    Undone,
    /// The database failed under it.
    Failed(rusqlite::Error),
}

/// A queued verb with its caller.
pub(super) trait Job: Send {
    /// Does the work and keeps the result; may be called again after a rollback.
    fn run(&mut self, conn: &Connection) -> Ran;
    /// Tells the caller the result of the last run.
    fn answer(self: Box<Self>);
    /// Tells the caller that there is no result.
    fn fail(self: Box<Self>, error: LedgerError);
}

struct Verb<T, F> {
    work: F,
    result: Option<Result<T, LedgerError>>,
    caller: oneshot::Sender<Result<T, LedgerError>>,
}

impl<T: Send, F: FnMut(&Connection) -> Outcome<T> + Send> Job for Verb<T, F> {
    fn run(&mut self, conn: &Connection) -> Ran {
        let (result, ran) = match (self.work)(conn) {
            Ok(value) => (Some(Ok(value)), Ran::Kept),
            Err(VerbError::Verb(error)) => (Some(Err(error)), Ran::Undone),
            Err(VerbError::Database(error)) => (None, Ran::Failed(error)),
        };
        self.result = result;
        ran
    }

    fn answer(self: Box<Self>) {
        if let Some(result) = self.result {
            // A caller who is gone needs no answer; what he asked for is durable all the same.
            drop(self.caller.send(result));
        }
    }

    fn fail(self: Box<Self>, error: LedgerError) {
        drop(self.caller.send(Err(error)));
    }
}

/// Queues a verb and waits for its answer.
pub(super) async fn ask<T: Send + 'static>(
    queue: Option<&mpsc::Sender<Box<dyn Job>>>,
    work: impl FnMut(&Connection) -> Outcome<T> + Send + 'static,
) -> Result<T, LedgerError> {
    answer(submit(queue, work)?).await
}

/// Queues a verb, or refuses it when the queue is full or its thread has ended.
fn submit<T: Send + 'static>(
    queue: Option<&mpsc::Sender<Box<dyn Job>>>,
    work: impl FnMut(&Connection) -> Outcome<T> + Send + 'static,
) -> Result<oneshot::Receiver<Result<T, LedgerError>>, LedgerError> {
    let (caller, answer) = oneshot::channel();
    let verb: Box<dyn Job> = Box::new(Verb { work, result: None, caller });
    queue.ok_or_else(ended)?.try_send(verb).map_err(|error| match error {
        mpsc::error::TrySendError::Full(_) => LedgerError::Busy,
        mpsc::error::TrySendError::Closed(_) => ended(),
    })?;
    Ok(answer)
}

/// Waits for the answer to a queued verb. Without one the thread ended under it, and the outcome is unknown.
async fn answer<T>(answer: oneshot::Receiver<Result<T, LedgerError>>) -> Result<T, LedgerError> {
    answer.await.unwrap_or_else(|_| Err(ended()))
}

fn ended() -> LedgerError {
    LedgerError::Unavailable(Box::new(ThreadEnded))
}

/// The writer's queue and thread. Dropping it commits what is queued, closes the database and frees the lock.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    commits: AtomicU64,
    verbs: AtomicU64,
}

impl Writer {
    /// Starts the thread on a connection that is ready to write. The lock is kept as long as the connection.
    pub(super) fn start(conn: Connection, lock: Option<LedgerLock>, capacity: usize) -> std::io::Result<Self> {
        let (queue, incoming) = mpsc::channel(capacity.max(1));
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        let thread = std::thread::Builder::new().name("ledger-writer".to_owned()).spawn(move || {
            serve(&conn, incoming, &shared);
            drop(conn);
            drop(lock);
        })?;
        Ok(Self { queue: Some(queue), thread: Some(thread), counts })
    }

    /// Runs a verb in the next transaction and answers when that is durable.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        ask(self.queue.as_ref(), work).await
    }

    /// What was done so far.
    pub(super) fn counts(&self) -> WriterCounts {
        WriterCounts {
            commits: self.counts.commits.load(Ordering::Relaxed),
            verbs: self.counts.verbs.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic in a verb was seen by its caller as `Unavailable`; there is nothing left to tell here.
            drop(thread.join());
        }
    }
}

fn serve(conn: &Connection, mut incoming: mpsc::Receiver<Box<dyn Job>>, counts: &Counts) {
    let mut batch = Vec::with_capacity(MOST_PER_COMMIT);
    // Takes whatever is there without waiting for more: the next batch gathers while this one commits.
    while incoming.blocking_recv_many(&mut batch, MOST_PER_COMMIT) > 0 {
        complete(conn, std::mem::take(&mut batch), counts);
    }
}

/// Where a batch failed.
enum Failure {
    /// Before any verb ran.
    Begin(rusqlite::Error),
    /// Under one of the verbs; the transaction is rolled back.
    Verb(rusqlite::Error),
    /// At the end: whether it is on disk is not known.
    Commit(rusqlite::Error),
}

/// Runs a batch in one transaction and answers its callers; when the database fails under one verb, runs them again
/// one by one, so that only that verb's caller is told so.
fn complete(conn: &Connection, mut batch: Vec<Box<dyn Job>>, counts: &Counts) {
    match together(conn, &mut batch) {
        Ok(()) => {
            counts.commits.fetch_add(1, Ordering::Relaxed);
            counts.verbs.fetch_add(batch.len() as u64, Ordering::Relaxed);
            batch.into_iter().for_each(Job::answer);
        }
        Err(Failure::Verb(_)) if batch.len() > 1 => {
            for job in batch {
                complete(conn, vec![job], counts);
            }
        }
        Err(Failure::Begin(error) | Failure::Verb(error) | Failure::Commit(error)) => {
            let cause = NotCompleted(Arc::new(error));
            for job in batch {
                job.fail(LedgerError::Unavailable(Box::new(cause.clone())));
            }
        }
    }
}

fn together(conn: &Connection, batch: &mut [Box<dyn Job>]) -> Result<(), Failure> {
    // IMMEDIATE, because a transaction that becomes a writer later can fail in the middle.
    statement(conn, "BEGIN IMMEDIATE").map_err(Failure::Begin)?;
    for job in batch {
        if let Err(error) = isolated(conn, job.as_mut()) {
            roll_back(conn);
            return Err(Failure::Verb(error));
        }
    }
    statement(conn, "COMMIT").map_err(|error| {
        roll_back(conn);
        Failure::Commit(error)
    })
}

/// Runs one verb in a savepoint.
fn isolated(conn: &Connection, job: &mut dyn Job) -> rusqlite::Result<()> {
    statement(conn, "SAVEPOINT verb")?;
    match job.run(conn) {
        Ran::Kept => statement(conn, "RELEASE verb"),
        Ran::Undone => {
            statement(conn, "ROLLBACK TO verb")?;
            statement(conn, "RELEASE verb")
        }
        Ran::Failed(error) => Err(error),
    }
}

fn statement(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute([]).map(drop)
}

fn roll_back(conn: &Connection) {
    // Some failures end the transaction by themselves. If this fails too, the next BEGIN does, and every caller is
    // told that the ledger is unavailable.
    if !conn.is_autocommit() {
        drop(statement(conn, "ROLLBACK"));
    }
}
