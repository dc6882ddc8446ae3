//! The archive as a file: it belongs to one ledger, a move that was interrupted is finished, and what differs is not deleted.

use super::super::{
    build::{NOW, held, hold_id, in_flight, landed, opened, payment, recorded},
    cases::history::story,
};
use super::{File, open};
use rusqlite::Connection;
use sotto::{
    domain::{hold::Hold, session::SessionId},
    ledger::{Archived, Ledger as _, LedgerError, OpenLedgerError, SqliteLedger, Upkeep as _},
};
use std::path::{Path, PathBuf};

const LATER: u64 = NOW + 1;

fn archive_of(ledger: &Path) -> PathBuf {
    ledger.with_file_name(format!("{}.archive", ledger.file_name().expect("a name").to_string_lossy()))
}

/// A ledger with a session that may be archived.
async fn ended(ledger: &SqliteLedger) -> SessionId {
    let (session, _) = story(ledger).await;
    let other = opened(ledger, 3).await.id;
    held(ledger, &payment(other, 300, 1)).await;
    session
}

async fn payments(ledger: &SqliteLedger) -> Vec<Option<Hold>> {
    let mut found = Vec::new();
    for number in 1..=4 {
        found.push(ledger.find_hold(hold_id(number)).await.expect("reads"));
    }
    found
}

/// A ledger as it was right before a piece was deleted, with an archive that has it already; gives what moves.
async fn interrupted(file: &File) -> (Archived, Vec<Option<Hold>>) {
    let ledger = file.open().await;
    let session = ended(&ledger).await;
    drop(ledger);
    let before = file.dir.path().join("before.db");
    std::fs::copy(&file.path, &before).expect("copies");
    let ledger = file.open().await;
    let all = payments(&ledger).await;
    let moved = ledger.archive_one(LATER).await.expect("moves").expect("there is one");
    drop(ledger);
    assert_eq!(moved.session, session);
    std::fs::copy(&before, &file.path).expect("copies");
    let begun = "UPDATE sessions SET archived = 1 WHERE id = ?1";
    assert_eq!(file.raw().execute(begun, [session.to_bytes()]).expect("updates"), 1);
    (moved, all)
}

#[tokio::test]
async fn a_move_that_was_interrupted_is_finished_and_nothing_is_told_twice() {
    let file = File::new();
    let (moved, all) = interrupted(&file).await;
    let ledger = file.open().await;
    ledger.audit().await.expect("each row counts once");
    assert_eq!(payments(&ledger).await, all);
    assert_eq!(ledger.archive_one(LATER).await.expect("moves"), Some(moved));
    assert_eq!(payments(&ledger).await, all);
    ledger.audit().await.expect("consistent");
    let left: i64 = file.raw().query_row("SELECT count(*) FROM holds", [], |row| row.get(0)).expect("counts");
    assert_eq!(left, 2, "those of the other sessions");
}

#[tokio::test]
async fn what_differs_in_the_archive_is_not_deleted() {
    let file = File::new();
    let (_, all) = interrupted(&file).await;
    let archive = Connection::open(archive_of(&file.path)).expect("opens");
    archive
        .execute_batch("DROP TRIGGER holds_never_change; UPDATE holds SET amount = amount - 1 WHERE amount > 1")
        .expect("damages it");
    drop(archive);
    let ledger = file.open().await;
    let refused = ledger.archive_one(LATER).await;
    assert!(matches!(&refused, Err(LedgerError::Inconsistent(text)) if text.starts_with("holds")), "{refused:?}");
    assert_eq!(payments(&ledger).await, all);
}

#[tokio::test]
async fn a_ledger_is_not_opened_without_its_archive() {
    let (file, other) = (File::new(), File::new());
    for file in [&file, &other] {
        let ledger = file.open().await;
        ended(&ledger).await;
        ledger.archive_one(LATER).await.expect("moves").expect("there is one");
    }
    let (archive, away) = (archive_of(&file.path), file.dir.path().join("away"));
    std::fs::rename(&archive, &away).expect("moves");
    let refused = open(&file.path).await;
    assert!(matches!(&refused, Err(OpenLedgerError::ArchiveMissing { path }) if *path == archive), "{refused:?}");
    std::fs::copy(archive_of(&other.path), &archive).expect("copies");
    let refused = open(&file.path).await;
    assert!(matches!(&refused, Err(OpenLedgerError::ArchiveOfAnother { path }) if *path == archive), "{refused:?}");
    std::fs::write(&archive, []).expect("writes");
    let refused = open(&file.path).await;
    assert!(matches!(&refused, Err(OpenLedgerError::ArchiveOfAnother { .. })), "one that says nothing: {refused:?}");
    std::fs::rename(&away, &archive).expect("moves");
    open(&file.path).await.expect("opens").audit().await.expect("consistent");
}

#[tokio::test]
async fn nothing_is_deleted_but_what_is_being_moved() {
    let file = File::new();
    let ledger = file.open().await;
    let session = opened(&ledger, 9).await.id;
    held(&ledger, &payment(session, 900, 1)).await;
    recorded(&ledger, &in_flight(&ledger, session, 900).await, landed()).await;
    let moved = ended(&ledger).await;
    drop(ledger);
    let conn = file.raw();
    let refused = |sql: &str| assert!(conn.execute(sql, []).is_err(), "{sql}");
    for table in ["holds", "hold_returns", "session_events"] {
        refused(&format!("DELETE FROM {table}"));
    }
    refused("UPDATE sessions SET archived = 1 WHERE state = 'open'");
    refused("UPDATE sessions SET archived = 2 WHERE state = 'closed'");
    let begins = conn.execute("UPDATE sessions SET archived = 1 WHERE id = ?1", [moved.to_bytes()]);
    assert_eq!(begins.expect("updates"), 1);
    refused("UPDATE sessions SET archived = 0 WHERE archived = 1");
    refused("DELETE FROM holds WHERE session NOT IN (SELECT id FROM sessions WHERE archived = 1)");
}

#[tokio::test]
async fn the_archive_has_every_column_of_what_moves() {
    let file = File::new();
    let ledger = file.open().await;
    ended(&ledger).await;
    ledger.archive_one(LATER).await.expect("moves").expect("there is one");
    drop(ledger);
    let archive = Connection::open(archive_of(&file.path)).expect("opens");
    for table in ["holds", "hold_returns", "session_events"] {
        let names = |conn: &Connection| -> String {
            let sql = format!("SELECT group_concat(name) FROM pragma_table_info('{table}')");
            conn.query_row(&sql, [], |row| row.get(0)).expect("reads")
        };
        assert_eq!(names(&archive), names(&file.raw()), "{table}: what a migration adds has to be kept there too");
    }
}
