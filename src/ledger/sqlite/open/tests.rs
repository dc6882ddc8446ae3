//! How the connections are set up: what durability and the audit rest on.

use crate::ledger::sqlite::open::{LedgerOptions, open};
use crate::ledger::sqlite::statements::select;

#[tokio::test]
async fn a_commit_waits_for_the_disk_and_readers_cannot_write() {
    let dir = tempfile::tempdir().expect("a directory");
    let parts = open(&dir.path().join("ledger.db"), &LedgerOptions::default()).await.expect("opens");
    let number =
        |name: &'static str| parts.writer.run(move |conn| select::value::<i64>(conn, &format!("PRAGMA {name}"), []));
    assert_eq!(number("synchronous").await.ok(), Some(Some(2)), "FULL");
    assert_eq!(number("foreign_keys").await.ok(), Some(Some(1)));
    assert_eq!(number("recursive_triggers").await.ok(), Some(Some(1)));
    assert_eq!(number("wal_autocheckpoint").await.ok(), Some(Some(1_000)));
    let mode = parts.writer.run(|conn| select::value::<String>(conn, "PRAGMA journal_mode", [])).await;
    assert_eq!(mode.ok().flatten().as_deref(), Some("wal"));
    let write = parts.readers.run(|conn| Ok(conn.execute("UPDATE session_sums SET held = 0", [])?)).await;
    assert!(write.is_err());
}

#[tokio::test]
async fn a_replaced_row_is_refused_like_a_deleted_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let parts = open(&dir.path().join("ledger.db"), &LedgerOptions::default()).await.expect("opens");
    let verb = |sql: &'static str| parts.writer.run(move |conn| Ok(conn.execute(sql, [])?));
    let insert = "INSERT OR REPLACE INTO settlements (id, purpose, subject_kind, amount, state, sequence, attempts, created_at) \
                  VALUES (zeroblob(16), 'probe', 'own', 0, 'reserved', 1, 0, 0)";
    assert_eq!(verb(insert).await.ok(), Some(1));
    assert!(verb(insert).await.is_err(), "REPLACE would delete the first");
}
