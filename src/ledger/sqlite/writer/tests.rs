//! Batching, isolation, back-pressure and ends of the writer, on a table of its own.

use crate::ledger::{
    LedgerError, NotCompleted,
    sqlite::writer::{Outcome, Writer},
};
use futures_util::future::join_all;
use rusqlite::Connection;
use std::{
    path::Path,
    sync::{Arc, mpsc},
};
use tempfile::TempDir;
use tokio::sync::oneshot;

/// A database with one table of numbers, and one whose references are only checked at the commit.
fn database() -> (TempDir, Connection) {
    let dir = tempfile::tempdir().expect("a directory");
    let conn = Connection::open(path(&dir)).expect("opens");
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT;
         CREATE TABLE dangling (n INTEGER REFERENCES numbers (n) DEFERRABLE INITIALLY DEFERRED) STRICT;",
    )
    .expect("makes the tables");
    (dir, conn)
}

fn path(dir: &TempDir) -> std::path::PathBuf {
    Path::new(dir.path()).join("numbers.db")
}

/// What another connection sees: what is committed.
fn committed(dir: &TempDir) -> Vec<i64> {
    let conn = Connection::open(path(dir)).expect("opens");
    let mut statement = conn.prepare("SELECT n FROM numbers ORDER BY n").expect("prepares");
    let rows = statement.query_map([], |row| row.get(0)).expect("reads");
    rows.collect::<Result<_, _>>().expect("reads")
}

fn insert(conn: &Connection, number: i64) -> Outcome<i64> {
    conn.execute("INSERT INTO numbers VALUES (?1)", [number])?;
    Ok(number)
}

type Answer<T> = oneshot::Receiver<Result<T, LedgerError>>;

/// A writer whose thread stands still in its first verb until told to go on, so that what is queued meanwhile is one
/// batch.
struct Held {
    writer: Writer,
    first: Answer<()>,
    go: mpsc::Sender<()>,
    dir: TempDir,
}

impl Held {
    fn new(capacity: usize) -> Self {
        let (dir, conn) = database();
        let writer = Writer::start(conn, None, capacity, Arc::default()).expect("starts");
        let (go, stop) = mpsc::channel::<()>();
        let (standing, stands) = mpsc::channel();
        let first = super::submit(
            writer.queue.as_ref(),
            move |_| {
                standing.send(()).expect("the test listens");
                stop.recv().expect("the test lets go");
                Ok(())
            },
            None,
        );
        stands.recv().expect("the verb runs");
        Self { writer, first: first.expect("is queued"), go, dir }
    }

    fn submit<T: Send + 'static>(
        &self,
        verb: impl FnMut(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<Answer<T>, LedgerError> {
        super::submit(self.writer.queue.as_ref(), verb, None)
    }

    /// Queues a verb for each number while the thread stands, lets it go and gathers the answers.
    async fn batch(
        self,
        numbers: std::ops::Range<i64>,
        verb: impl Fn(&Connection, i64) -> Outcome<i64> + Copy + Send + 'static,
    ) -> (Writer, TempDir, Vec<Result<i64, LedgerError>>) {
        let queued: Vec<_> = numbers.map(|n| self.submit(move |conn| verb(conn, n)).expect("is queued")).collect();
        self.go.send(()).expect("the verb waits");
        super::answer(self.first).await.expect("the verb that stood still was in a transaction of its own");
        let answers = join_all(queued.into_iter().map(super::answer)).await;
        (self.writer, self.dir, answers)
    }
}

#[tokio::test]
async fn verbs_that_queue_up_during_a_commit_share_the_next_one() {
    let (writer, dir, answers) = Held::new(200).batch(0..100, insert).await;
    assert_eq!(answers.into_iter().map(Result::ok).collect::<Vec<_>>(), (0..100).map(Some).collect::<Vec<_>>());
    assert_eq!((writer.counts().commits, writer.counts().verbs), (2, 101));
    assert_eq!(committed(&dir), (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn whoever_is_answered_is_committed() {
    let (dir, conn) = database();
    let writer = Writer::start(conn, None, 8, Arc::default()).expect("starts");
    for number in 0..20 {
        writer.run(move |conn| insert(conn, number)).await.expect("commits");
        assert_eq!(committed(&dir), (0..=number).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_verb_that_fails_undoes_only_itself() {
    let verb = |conn: &Connection, n| {
        insert(conn, n)?;
        match n {
            1 => Err(LedgerError::LostRace.into()),
            // Its own constraint refuses it, which is its own error too.
            3 => insert(conn, 0),
            _ => Ok(n),
        }
    };
    let (writer, dir, answers) = Held::new(8).batch(0..5, verb).await;
    assert!(matches!(answers[1], Err(LedgerError::LostRace)));
    let Err(LedgerError::Inconsistent(text)) = &answers[3] else { panic!("{:?}", answers[3]) };
    assert!(text.contains("UNIQUE constraint failed: numbers.n"), "{text}");
    assert!([0, 2, 4].iter().all(|n| answers[*n].is_ok()));
    assert_eq!(committed(&dir), [0, 2, 4]);
    assert_eq!(writer.counts().commits, 2, "none of them cost the others their commit");
}

#[tokio::test]
async fn a_database_error_is_told_only_to_its_own_caller() {
    let verb = |conn: &Connection, n| {
        insert(conn, n)?;
        if n == 2 {
            conn.execute("INSERT INTO nowhere VALUES (1)", [])?;
        }
        Ok(n)
    };
    let (writer, dir, answers) = Held::new(8).batch(0..5, verb).await;
    assert!(matches!(answers[2], Err(LedgerError::Unavailable(_))));
    assert!([0, 1, 3, 4].iter().all(|n| answers[*n].is_ok()));
    assert_eq!(committed(&dir), [0, 1, 3, 4], "each exactly once, although they ran twice");
    assert_eq!(writer.counts().commits, 5, "one by one");
}

#[tokio::test]
async fn a_plain_verb_that_fails_half_way_after_all_undoes_only_itself() {
    let held = Held::new(8);
    let queued: Vec<_> = (0..5)
        .map(|n| {
            let verb = move |conn: &Connection| {
                insert(conn, n)?;
                // The constraint refuses it when half of it is written.
                if n == 2 { insert(conn, 0) } else { Ok(n) }
            };
            super::submit(held.writer.queue.as_ref(), verb, Some(|_| None)).expect("is queued")
        })
        .collect();
    held.go.send(()).expect("the verb waits");
    super::answer(held.first).await.expect("commits");
    let answers = join_all(queued.into_iter().map(super::answer)).await;
    assert!(matches!(answers[2], Err(LedgerError::Inconsistent(_))));
    assert!([0, 1, 3, 4].iter().all(|n| answers[*n].is_ok()));
    assert_eq!(committed(&held.dir), [0, 1, 3, 4]);
    assert_eq!(held.writer.counts().commits, 6, "one by one");
}

#[tokio::test]
async fn a_failed_commit_is_an_unknown_outcome_for_everyone_in_it() {
    let verb = |conn: &Connection, n| {
        insert(conn, n)?;
        if n == 1 {
            conn.execute("INSERT INTO dangling VALUES (99)", [])?;
        }
        Ok(n)
    };
    let (writer, dir, answers) = Held::new(8).batch(0..3, verb).await;
    for answer in answers {
        let Err(LedgerError::Unavailable(cause)) = answer else { panic!("{answer:?}") };
        assert!(cause.downcast_ref::<NotCompleted>().is_some());
    }
    assert_eq!(committed(&dir), [0_i64; 0]);
    assert!(writer.run(|conn| insert(conn, 7)).await.is_ok(), "the next transaction starts clean");
}

/// As a payment does under its nonce: whether this one is the first.
fn first_under(conn: &Connection, number: i64) -> Outcome<bool> {
    Ok(conn.execute("INSERT OR IGNORE INTO numbers VALUES (?1)", [number])? == 1)
}

#[tokio::test]
async fn a_repeat_in_the_batch_of_its_original_is_answered_when_both_are_committed() {
    let held = Held::new(8);
    let twice = [(); 2].map(|()| held.submit(|conn| first_under(conn, 1)).expect("is queued"));
    let [original, repeat] = twice;
    held.go.send(()).expect("the verb waits");
    assert_eq!(super::answer(repeat).await.ok(), Some(false));
    assert_eq!(committed(&held.dir), [1], "what the repeat was told of is there");
    assert_eq!(super::answer(original).await.ok(), Some(true));
    assert_eq!(held.writer.counts().commits, 2, "one batch");
}

#[tokio::test]
async fn a_repeat_is_told_nothing_when_the_commit_of_its_original_fails() {
    let held = Held::new(8);
    let twice = [(); 2].map(|()| held.submit(|conn| first_under(conn, 1)).expect("is queued"));
    let dangles = |conn: &Connection| Ok(conn.execute("INSERT INTO dangling VALUES (99)", [])?);
    let spoilt = held.submit(dangles).expect("is queued");
    held.go.send(()).expect("the verb waits");
    for answer in twice {
        assert!(matches!(super::answer(answer).await, Err(LedgerError::Unavailable(_))), "nobody knows yet");
    }
    assert!(super::answer(spoilt).await.is_err());
    assert_eq!(committed(&held.dir), [0_i64; 0]);
    assert_eq!(held.writer.run(|conn| first_under(conn, 1)).await.ok(), Some(true), "asked again it is the first");
}

#[tokio::test]
async fn a_full_queue_is_busy_at_once() {
    let held = Held::new(2);
    let queued = [0, 1].map(|n| held.submit(move |conn| insert(conn, n)).expect("is queued"));
    assert!(matches!(held.submit(|conn| insert(conn, 2)), Err(LedgerError::Busy)));
    held.go.send(()).expect("the verb waits");
    for answer in queued {
        super::answer(answer).await.expect("commits");
    }
    assert_eq!(committed(&held.dir), [0, 1], "nothing was written for the one who was turned away");
    assert!(held.writer.run(|conn| insert(conn, 3)).await.is_ok());
}

#[tokio::test]
async fn a_caller_who_leaves_still_has_their_verb_committed() {
    let held = Held::new(8);
    drop(held.submit(|conn| insert(conn, 1)).expect("is queued"));
    held.go.send(()).expect("the verb waits");
    held.writer.run(|conn| insert(conn, 2)).await.expect("commits");
    assert_eq!(committed(&held.dir), [1, 2]);
}

#[tokio::test]
async fn what_is_queued_is_committed_before_the_writer_ends() {
    let held = Held::new(8);
    let queued = held.submit(|conn| insert(conn, 1)).expect("is queued");
    held.go.send(()).expect("the verb waits");
    drop(held.writer);
    assert_eq!(committed(&held.dir), [1]);
    assert_eq!(super::answer(queued).await.ok(), Some(1));
}

#[tokio::test]
async fn a_verb_that_panics_ends_the_writer_and_everyone_is_told() {
    let (dir, conn) = database();
    let writer = Writer::start(conn, None, 8, Arc::default()).expect("starts");
    let broken = writer.run(|conn| -> Outcome<()> { panic!("a bug in a verb on {:?}", conn.path()) }).await;
    assert!(matches!(broken, Err(LedgerError::Unavailable(_))));
    assert!(matches!(writer.run(|conn| insert(conn, 1)).await, Err(LedgerError::Unavailable(_))));
    assert_eq!(committed(&dir), [0_i64; 0]);
}

/// What keeps one write from being done keeps the next one too, and is known until a write works.
#[tokio::test]
async fn a_writer_that_cannot_write_knows_it_until_it_can() {
    let (dir, conn) = database();
    conn.busy_timeout(std::time::Duration::ZERO).expect("is set");
    let writer = Writer::start(conn, None, 8, Arc::default()).expect("starts");
    let broken = |conn: &Connection| Ok(conn.execute("INSERT INTO nowhere VALUES (1)", [])?);
    assert!(writer.run(broken).await.is_err() && writer.fault().is_none(), "one verb's error says nothing of the next");

    let other = Connection::open(path(&dir)).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("is locked");
    for was_expected in [false, true] {
        let Err(LedgerError::Unavailable(cause)) = writer.run(|conn| insert(conn, 1)).await else { panic!("it wrote") };
        assert_eq!(cause.downcast_ref::<NotCompleted>().expect("the writer's").was_expected, was_expected);
    }
    assert!(writer.prove().await.is_err());
    let fault = writer.fault().expect("it is known");
    assert!(fault.to_string().contains("cannot be written") && fault.cause.contains("locked"), "{fault}");

    other.execute_batch("COMMIT").expect("is free");
    writer.prove().await.expect("writes");
    assert!(writer.fault().is_none());
    writer.run(|conn| insert(conn, 1)).await.expect("writes");
    assert_eq!(committed(&dir), [1]);
}
