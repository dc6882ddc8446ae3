//! A ledger that an earlier version left behind (`tests/fixtures`) is opened, and nothing of it is lost.

use rusqlite::Connection;
use sotto::{
    domain::{
        history::{Cursor, Happened, Position},
        settlement::{Purpose, State, Subject},
    },
    ledger,
};
use std::{collections::BTreeSet, path::Path};

const LEDGER: &str = include_str!("../../fixtures/v1/ledger.sql");

/// Writes a ledger that is kept as SQL text into a file.
pub(crate) fn write(path: &Path, text: &str) {
    let conn = Connection::open(path).expect("makes a file");
    // The text has its rows in the order of its tables.
    conn.execute_batch("PRAGMA foreign_keys = OFF").expect("sets");
    conn.execute_batch(text).expect("is SQL");
}

fn numbers(conn: &Connection, sql: &str) -> Vec<i64> {
    let mut statement = conn.prepare(sql).expect("prepares");
    let columns = statement.column_count();
    statement.query_row([], |row| (0..columns).map(|column| row.get(column)).collect()).expect("reads")
}

/// Sums that no new schema may change.
const SUMS: [&str; 4] = [
    "SELECT count(*), sum(amount), sum(sequence), sum(attempts) FROM settlements",
    "SELECT count(*), sum(amount), sum(told), sum(deferred) FROM holds",
    "SELECT sum(captured), sum(held), sum(deferred_held), sum(lost) FROM session_sums",
    "SELECT count(*), sum(fee), sum(rent), sum(at) FROM sponsored_lamports",
];

#[tokio::test]
async fn a_ledger_of_the_first_version_is_brought_up_with_everything_in_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ledger.db");
    write(&path, LEDGER);
    let conn = Connection::open(&path).expect("opens");
    let before = SUMS.map(|sql| numbers(&conn, sql));
    let [settled, unfinished] = ["IN", "NOT IN"].map(|is| {
        numbers(&conn, &format!("SELECT count(*) FROM settlements WHERE state {is} ('settled', 'released')"))[0]
    });
    assert!(settled > 0 && unfinished > 0, "work that is done, and work that is not");
    drop(conn);

    let ledger = ledger::open(&path).await.expect("opens");
    ledger.audit().await.expect("agrees with itself");
    let work = ledger.unfinished().await.expect("reads");
    assert_eq!(i64::try_from(work.len()).ok(), Some(unfinished));
    for work in &work {
        let is_own = work.settlement.purpose == Purpose::Probe;
        assert_eq!(matches!(work.settlement.subject, Subject::Session(_)), !is_own, "{:?}", work.settlement);
        assert_eq!(work.attempt.is_some(), work.settlement.state != State::Reserved, "what was signed is at hand");
    }
    drop(ledger);

    let conn = Connection::open(&path).expect("opens");
    assert_eq!(SUMS.map(|sql| numbers(&conn, sql)), before);
    let answers = numbers(&conn, "SELECT count(*) FROM recorded_answers");
    assert_eq!(answers, [0], "whom that version told a success is not known, so nobody is told it again");
    let purposes: BTreeSet<String> = conn
        .prepare("SELECT DISTINCT purpose FROM settlements")
        .expect("prepares")
        .query_map([], |row| row.get(0))
        .expect("reads")
        .collect::<Result<_, _>>()
        .expect("reads");
    // Single payments, revokes, and everything of the Machine Payments Protocol came later.
    let is_later = |purpose: &Purpose| {
        matches!(purpose, Purpose::SinglePayment | Purpose::Revoke) || purpose.word().starts_with("mpp_")
    };
    let known = Purpose::ALL.into_iter().filter(|purpose| !is_later(purpose));
    assert_eq!(purposes, known.map(|purpose| purpose.word().to_owned()).collect(), "it has one of each");
}

/// Positions that were told to clients stay valid: from each the rest of the story is read.
#[tokio::test]
async fn listeners_of_the_first_version_read_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ledger.db");
    write(&path, LEDGER);
    let conn = Connection::open(&path).expect("opens");
    // What that version answered as its end, of all sessions together.
    let end = numbers(&conn, "SELECT (SELECT max(seq) FROM session_events), (SELECT max(seq) FROM holds)");
    drop(conn);
    let number = |at: usize| u64::try_from(end[at]).expect("not negative");
    let end = Position { log: number(0), holds: number(1) };

    let ledger = ledger::open(&path).await.expect("opens");
    let sessions: BTreeSet<_> =
        ledger.unfinished().await.expect("reads").iter().filter_map(|work| work.settlement.session()).collect();
    assert!(!sessions.is_empty());
    for session in sessions {
        let all = ledger.history(session, Cursor::default(), 1_000).await.expect("reads");
        let own = ledger.newest_position(session).await.expect("reads");
        // That version placed events among the payments of all sessions, so its positions may be later.
        assert!(all.upto.position.log == own.log && all.upto.position.holds >= own.holds, "{:?} {own:?}", all.upto);
        assert!(
            matches!(all.events.first(), Some((_, Happened::State(_)))),
            "it opened first: {:?}",
            all.events.first()
        );
        for (index, (position, _)) in all.events.iter().enumerate() {
            let rest = ledger.history(session, (*position).into(), 1_000).await.expect("reads");
            assert_eq!(rest.events, all.events[index + 1..], "after {position:?}");
        }
        let after_the_end = ledger.history(session, end.into(), 1_000).await.expect("reads");
        assert_eq!(after_the_end.events, [], "nothing has happened since");
        assert_eq!(after_the_end.upto.position, end, "and nobody is sent back");
    }
}
