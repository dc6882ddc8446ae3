//! What only the SQLite engine promises of promises: no tool rewrites them, and damage to their sums and traces is named.

use super::build::{abandoned, held, opened, payment, planned, recorded, refused};
use rusqlite::Connection;
use sotto::{
    domain::{
        hold::{Exposure, GiveUp, NewHold},
        session::Delegation,
    },
    ledger::{Ledger, LedgerError, LedgerOptions, SqliteLedger, Upkeep as _},
};
use std::path::Path;

async fn open(path: &Path) -> SqliteLedger {
    SqliteLedger::open(path, &LedgerOptions::default()).await.expect("opens")
}

/// A promise that came back and waits, one that was lost, one that was never tried.
async fn populate(path: &Path) {
    let ledger = open(path).await;
    let session = opened(&ledger, 1).await.id;
    let limits = Exposure::shared(super::build::amount(500), super::build::amount(1_000));
    let new = |number, units| NewHold { deferred: Some(limits), ..payment(session, number, units) };
    held(&ledger, &new(1, 10)).await;
    recorded(&ledger, &super::build::in_flight(&ledger, session, 1).await, refused()).await;
    ledger
        .give_up(session, GiveUp { returns: 1, age_seconds: u64::MAX, delegation: Delegation::Public })
        .await
        .expect("gives up");
    held(&ledger, &new(2, 20)).await;
    recorded(&ledger, &planned(&ledger, session, 2).await, abandoned()).await;
    held(&ledger, &new(3, 30)).await;
    ledger.audit().await.expect("consistent");
}

fn raw(path: &Path) -> Connection {
    Connection::open(path).expect("opens")
}

#[tokio::test]
async fn an_audit_names_what_was_done_to_promises() {
    let damages = [
        ("UPDATE session_sums SET deferred_held = deferred_held - 1", "sessions, row 1: what it promised or lost"),
        ("UPDATE session_sums SET lost = 0", "sessions, row 1: what it promised or lost"),
        ("UPDATE holds SET deferred = 0 WHERE seq = 3", "sessions, row 1: what it promised or lost"),
        ("UPDATE merchant_exposure SET deferred_held = 1", "its merchant's exposure is not"),
        ("DELETE FROM merchant_exposure", "its merchant's exposure is not"),
        ("DELETE FROM hold_returns", "settlements, row 1: its amount is not the sum"),
        ("UPDATE hold_returns SET reason = 'bad_request'", "settlements, row 1: it gave holds back for another"),
        ("UPDATE holds SET returns = 9 WHERE seq = 2", "holds, row 2: its returns are not"),
        ("UPDATE session_events SET session = x'00'", "refers to a row that is not there"),
        ("UPDATE holds SET told = 0 WHERE seq = 2", "integrity check"),
        ("UPDATE session_sums SET deferred_held = held + 1", "integrity check"),
        ("UPDATE sessions SET state = 'closed'", "sessions, row 1: it is closed and still holds something"),
    ];
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ledger.db");
    populate(&path).await;
    raw(&path).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("writes the log back");
    for (number, (damage, expected)) in damages.into_iter().enumerate() {
        let hurt = dir.path().join(format!("{number}.db"));
        std::fs::copy(&path, &hurt).expect("copies");
        let conn = raw(&hurt);
        let drops: String = conn
            .query_row(
                "SELECT group_concat('DROP TRIGGER ' || name, ';') FROM sqlite_schema WHERE type = 'trigger'",
                [],
                |row| row.get(0),
            )
            .expect("reads");
        conn.execute_batch(&drops).expect("drops");
        conn.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").expect("sets");
        assert_ne!(conn.execute(damage, []).expect("damages"), 0, "{damage}");
        drop(conn);
        match open(&hurt).await.audit().await {
            Err(LedgerError::Inconsistent(text)) => assert!(text.contains(expected), "{damage}: {text}"),
            other => panic!("{damage}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_promise_cannot_be_rewritten_by_any_tool() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ledger.db");
    populate(&path).await;
    let conn = raw(&path);
    for forbidden in [
        "UPDATE holds SET deferred = 0",
        "UPDATE holds SET told = 0 WHERE deferred = 1",
        "UPDATE holds SET returns = -1",
        "UPDATE session_sums SET deferred_held = -1",
        "UPDATE session_sums SET deferred_held = held + 1",
        "UPDATE session_sums SET lost = -1",
        "UPDATE merchant_exposure SET deferred_held = -1",
        "DELETE FROM merchant_exposure",
        "UPDATE hold_returns SET reason = 'bad_request'",
        "DELETE FROM hold_returns",
        "UPDATE session_events SET session = x'00'",
        "DELETE FROM session_events",
    ] {
        assert!(conn.execute(forbidden, []).is_err(), "{forbidden}");
    }
    drop(conn);
    open(&path).await.audit().await.expect("nothing was changed");
}
