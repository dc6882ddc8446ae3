//! The one writer: an operating-system thread that owns the only writing connection, and group commit.
//!
//! Promises: a verb's caller is answered only after the transaction that holds the verb's work is committed, which on
//! this connection (WAL, `synchronous = FULL`) means on disk; verbs run in the order in which they were queued, and one
//! that fails undoes only itself (each has a savepoint, or, where failing half-way is out of the question, the batch is
//! run again one by one if it happens all the same); whatever queues up during one commit shares the next one.
//! A full queue is [`LedgerError::Busy`] at once, and nothing was written. A caller who stops waiting changes nothing:
//! its verb still commits. What a commit changed is in the [`Snapshots`] before anybody is answered.
//!
//! Must be true: nobody else writes to the database (the lock of `ledger/sqlite/lock.rs`).

use crate::{
    domain::amount::Amount,
    ledger::{
        LedgerError, NotCompleted, OpenLedgerError, WriteFault, WriterCounts,
        sqlite::{
            lock::LedgerLock,
            open,
            snapshots::{Change, Snapshots, Touched},
            statements::{Outcome, VerbError, queries},
            write_health::WriteHealth,
        },
    },
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

/// The thread is gone: it was dropped or a verb panicked.
#[derive(Debug, thiserror::Error)]
#[error("the ledger's thread has ended")]
struct ThreadEnded;

/// How one run of a verb ended.
pub(super) enum VerbRun {
    /// With a result; what it wrote is to be kept. If all it did was to hold more of one session, what that session has
    /// spent since.
    Kept(Option<Amount>),
    /// With an error of its own; what it wrote is to be undone.
    Undone,
    /// The database failed under it.
    Failed(rusqlite::Error),
}

/// A queued verb with its caller.
pub(super) trait Job: Send {
    /// Does the work and keeps the result; may be called again after a rollback.
    fn run(&mut self, conn: &Connection) -> VerbRun;
    /// Whether it fails before it has written anything, if it fails: it needs no savepoint, which costs a copy of every
    /// page it touches.
    fn is_plain(&self) -> bool;
    /// Tells the caller the result of the last run.
    fn answer(self: Box<Self>);
    /// Tells the caller that there is no result.
    fn fail(self: Box<Self>, error: LedgerError);
}

struct Verb<T, F> {
    work: F,
    /// Of a plain verb: what [`VerbRun::Kept`] has to know.
    spent: Option<fn(&T) -> Option<Amount>>,
    result: Option<Result<T, LedgerError>>,
    caller: oneshot::Sender<Result<T, LedgerError>>,
}

impl<T: Send, F: FnMut(&Connection) -> Outcome<T> + Send> Job for Verb<T, F> {
    fn run(&mut self, conn: &Connection) -> VerbRun {
        let (result, ran) = match (self.work)(conn) {
            Ok(value) => {
                let spent = self.spent.and_then(|spent| spent(&value));
                (Some(Ok(value)), VerbRun::Kept(spent))
            }
            Err(VerbError::Verb(error)) => (Some(Err(error)), VerbRun::Undone),
            Err(VerbError::Database(error)) => (None, VerbRun::Failed(error)),
        };
        self.result = result;
        ran
    }

    fn is_plain(&self) -> bool {
        self.spent.is_some()
    }

    fn answer(self: Box<Self>) {
        if let Some(result) = self.result {
            // A caller who is gone needs no answer; what they asked for is durable all the same.
            drop(self.caller.send(result));
        }
    }

    fn fail(self: Box<Self>, error: LedgerError) {
        drop(self.caller.send(Err(error)));
    }
}

/// Queues a verb and waits for its answer; `spent` makes it a plain one.
pub(super) async fn ask<T: Send + 'static>(
    queue: Option<&mpsc::Sender<Box<dyn Job>>>,
    work: impl FnMut(&Connection) -> Outcome<T> + Send + 'static,
    spent: Option<fn(&T) -> Option<Amount>>,
) -> Result<T, LedgerError> {
    answer(submit(queue, work, spent)?).await
}

/// Queues a verb, or refuses it when the queue is full or its thread has ended.
fn submit<T: Send + 'static>(
    queue: Option<&mpsc::Sender<Box<dyn Job>>>,
    work: impl FnMut(&Connection) -> Outcome<T> + Send + 'static,
    spent: Option<fn(&T) -> Option<Amount>>,
) -> Result<oneshot::Receiver<Result<T, LedgerError>>, LedgerError> {
    let (caller, answer) = oneshot::channel();
    let verb: Box<dyn Job> = Box::new(Verb { work, spent, result: None, caller });
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
    health: Arc<WriteHealth>,
}

#[derive(Default)]
struct Counts {
    commits: AtomicU64,
    verbs: AtomicU64,
}

impl Writer {
    /// Starts the thread on a connection that is ready to write. The lock is kept as long as the connection.
    pub(super) fn start(
        conn: Connection,
        lock: Option<LedgerLock>,
        capacity: usize,
        snapshots: Arc<Snapshots>,
    ) -> Result<Self, OpenLedgerError> {
        let (queue, incoming) = mpsc::channel(capacity.max(1));
        let (counts, health) = (Arc::<Counts>::default(), Arc::<WriteHealth>::default());
        let touched = Touched::listen(&conn).map_err(open::database)?;
        let desk = WriterThread { conn, touched, snapshots, counts: Arc::clone(&counts), health: Arc::clone(&health) };
        let thread = std::thread::Builder::new().name("ledger-writer".to_owned()).spawn(move || {
            desk.serve(incoming);
            drop(desk);
            drop(lock);
        })?;
        Ok(Self { queue: Some(queue), thread: Some(thread), counts, health })
    }

    /// Runs a verb in the next transaction and answers when that is durable.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        ask(self.queue.as_ref(), work, None).await
    }

    /// Runs a verb like [`Writer::run`] that fails, if it fails, before it has written anything, and that, where `spent` says
    /// so, did nothing to `sessions` but hold more of one.
    pub(super) async fn run_hold<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Outcome<T> + Send + 'static,
        spent: fn(&T) -> Option<Amount>,
    ) -> Result<T, LedgerError> {
        ask(self.queue.as_ref(), work, Some(spent)).await
    }

    /// Fails where the database cannot be written; writes only where nothing else has shown it of late.
    pub(super) async fn prove(&self) -> Result<(), LedgerError> {
        if !self.health.is_unproven() {
            return self.run(queries::ping).await;
        }
        self.run(queries::rewrite).await?;
        self.health.wrote();
        Ok(())
    }

    /// What keeps it from writing.
    pub(super) fn fault(&self) -> Option<WriteFault> {
        self.health.fault()
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

/// Where a batch failed.
enum Failure {
    /// Before any verb ran.
    Begin(rusqlite::Error),
    /// Under one of the verbs; the transaction is rolled back.
    Verb(rusqlite::Error),
    /// Under a plain verb of several, which nobody can undo alone; the transaction is rolled back.
    Plain,
    /// At the end: whether it is on disk is not known.
    Commit(rusqlite::Error),
}

/// What the writer's thread owns: its connection, and what it updates after a commit.
struct WriterThread {
    conn: Connection,
    touched: Touched,
    snapshots: Arc<Snapshots>,
    counts: Arc<Counts>,
    health: Arc<WriteHealth>,
}

impl WriterThread {
    fn serve(&self, mut incoming: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::with_capacity(MOST_PER_COMMIT);
        // Takes whatever is there without waiting for more: the next batch gathers while this one commits.
        while incoming.blocking_recv_many(&mut batch, MOST_PER_COMMIT) > 0 {
            self.complete(std::mem::take(&mut batch));
        }
    }

    /// Runs a batch in one transaction and answers its callers; when the database fails under one verb, runs them again
    /// one by one, so that only that verb's caller is told so.
    fn complete(&self, mut batch: Vec<Box<dyn Job>>) {
        let changes = self.conn.total_changes();
        match self.together(&mut batch) {
            Ok(()) => {
                // A transaction that changed nothing touches no disk, and says nothing of it.
                if self.conn.total_changes() != changes {
                    self.health.wrote();
                }
                self.counts.commits.fetch_add(1, Ordering::Relaxed);
                self.counts.verbs.fetch_add(batch.len() as u64, Ordering::Relaxed);
                batch.into_iter().for_each(Job::answer);
            }
            Err(Failure::Plain) => self.one_by_one(batch),
            Err(Failure::Verb(_)) if batch.len() > 1 => self.one_by_one(batch),
            Err(Failure::Begin(error) | Failure::Verb(error) | Failure::Commit(error)) => {
                let cause = NotCompleted { was_expected: self.health.failed(&error), cause: Arc::new(error) };
                for job in batch {
                    job.fail(LedgerError::Unavailable(Box::new(cause.clone())));
                }
            }
        }
    }

    fn one_by_one(&self, batch: Vec<Box<dyn Job>>) {
        for job in batch {
            self.complete(vec![job]);
        }
    }

    fn together(&self, batch: &mut [Box<dyn Job>]) -> Result<(), Failure> {
        let conn = &self.conn;
        // IMMEDIATE, because a transaction that becomes a writer later can fail in the middle.
        statement(conn, "BEGIN IMMEDIATE").map_err(Failure::Begin)?;
        let mut changes = Vec::with_capacity(batch.len());
        let several = batch.len() > 1;
        for job in batch {
            let ran = if several && job.is_plain() { self.plain(job.as_mut()) } else { self.isolated(job.as_mut()) };
            match ran {
                Ok(spent) => self.touched.take(|rows| changes.extend(Change::all(rows, spent))),
                Err(failure) => {
                    roll_back(conn);
                    self.touched.take(|_| ());
                    return Err(failure);
                }
            }
        }
        match statement(conn, "COMMIT") {
            Ok(()) => {
                self.snapshots.apply(changes);
                Ok(())
            }
            Err(error) => {
                roll_back(conn);
                self.snapshots.apply(changes.into_iter().map(Change::unknown));
                Err(Failure::Commit(error))
            }
        }
    }

    /// Runs one verb in a savepoint; gives what [`VerbRun::Kept`] tells.
    fn isolated(&self, job: &mut dyn Job) -> Result<Option<Amount>, Failure> {
        let conn = &self.conn;
        let control = |sql| statement(conn, sql).map_err(Failure::Verb);
        control("SAVEPOINT verb")?;
        match job.run(conn) {
            VerbRun::Kept(spent) => control("RELEASE verb").map(|()| spent),
            VerbRun::Undone => {
                control("ROLLBACK TO verb")?;
                control("RELEASE verb").map(|()| None)
            }
            VerbRun::Failed(error) => Err(Failure::Verb(error)),
        }
    }

    /// Runs one plain verb of several.
    fn plain(&self, job: &mut dyn Job) -> Result<Option<Amount>, Failure> {
        match job.run(&self.conn) {
            VerbRun::Kept(spent) => Ok(spent),
            VerbRun::Undone => Err(Failure::Plain),
            VerbRun::Failed(error) => Err(Failure::Verb(error)),
        }
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
