//! The index that makes a nonce unique in its session has the nonce first, so that nonces ordered by time stand together.

use super::build::{held, hold_id, opened, payment};
use rusqlite::Connection;
use sotto::{
    domain::hold::NewHold,
    ledger::{LedgerOptions, SqliteLedger},
};

#[tokio::test]
async fn nonces_stand_in_their_own_order_over_all_sessions() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ledger.db");
    let ledger = SqliteLedger::open(&path, &LedgerOptions::default()).await.expect("opens");
    let (one, other) = (opened(&ledger, 1).await.id, opened(&ledger, 2).await.id);
    let first = payment(one, 1, 1);
    held(&ledger, &first).await;
    held(&ledger, &NewHold { id: hold_id(2), session: other, ..first }).await;
    drop(ledger);

    let conn = Connection::open(&path).expect("opens");
    let plan = "EXPLAIN QUERY PLAN SELECT * FROM holds h WHERE h.session = x'00' AND h.nonce = 'a'";
    let plan: String = conn.query_row(plan, [], |row| row.get(3)).expect("explains");
    assert_eq!(plan, "SEARCH h USING INDEX holds_nonce_once_per_session (nonce=? AND session=?)");
    let columns = "session, nonce, content, amount, spent_after, remaining_after, state, told, pending_answered, \
        taken_over, accepted_at, deferred, funding";
    let again = format!("INSERT INTO holds (id, {columns}) SELECT zeroblob(16), {columns} FROM holds WHERE seq = 1");
    let refused = conn.execute(&again, []).expect_err("a nonce pays once in a session").to_string();
    assert!(refused.contains("holds.nonce, holds.session"), "{refused}");
}
