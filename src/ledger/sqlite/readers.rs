//! Readers: a few threads with connections that refuse to write, so that questions never wait for commits (WAL).
//!
//! A question asked after a verb was answered sees what that verb wrote.
//!
//! [`InlineReaders`] are for questions that one index answers: they run on the caller's own thread, because waking another one
//! and being woken by it costs several times what they do.

use crate::ledger::{
    LedgerError,
    sqlite::{
        statements::Outcome,
        writer::{Job, VerbRun, ask},
    },
};
use rusqlite::Connection;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};
use tokio::sync::mpsc;

/// The readers' queue and threads.
pub(super) struct Readers {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    threads: Vec<JoinHandle<()>>,
}

/// Connections for questions of a few microseconds, asked on the thread that has them.
pub(super) struct InlineReaders(Mutex<Vec<Connection>>);

impl InlineReaders {
    pub(super) fn new(connections: Vec<Connection>) -> Self {
        Self(Mutex::new(connections))
    }

    /// Asks a question; none when every connection is in use, which is when there are more threads than connections.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&Connection) -> Outcome<T>) -> Option<Outcome<T>> {
        let conn = self.lock().pop()?;
        let answer = question(&conn);
        self.lock().push(conn);
        Some(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        // A connection is in the list or in use, whatever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Incoming = Arc<Mutex<mpsc::Receiver<Box<dyn Job>>>>;

impl Readers {
    /// Starts one thread for each connection.
    pub(super) fn start(connections: Vec<Connection>, capacity: usize) -> std::io::Result<Self> {
        let (queue, incoming) = mpsc::channel(capacity.max(1));
        let incoming: Incoming = Arc::new(Mutex::new(incoming));
        let threads = connections
            .into_iter()
            .map(|conn| {
                let incoming = Arc::clone(&incoming);
                std::thread::Builder::new().name("ledger-reader".to_owned()).spawn(move || serve(&conn, &incoming))
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Self { queue: Some(queue), threads })
    }

    /// Asks a question.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        question: impl FnMut(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        ask(self.queue.as_ref(), question, None).await
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        drop(self.queue.take());
        for thread in self.threads.drain(..) {
            // A panic in a question was seen by its caller as `Unavailable`.
            drop(thread.join());
        }
    }
}

fn serve(conn: &Connection, incoming: &Incoming) {
    while let Some(mut job) = next(incoming) {
        match job.run(conn) {
            VerbRun::Kept(_) | VerbRun::Undone => job.answer(),
            VerbRun::Failed(error) => job.fail(LedgerError::Unavailable(Box::new(error))),
        }
    }
}

/// The next question. The thread that waits for it holds the lock; the others wait for the lock, which is the same.
fn next(incoming: &Incoming) -> Option<Box<dyn Job>> {
    // Poisoned only if `blocking_recv` panicked; then this reader ends too and callers learn `ThreadEnded`.
    incoming.lock().ok()?.blocking_recv()
}
