//! A nonce is used once, by constraints of the database: whatever the code looks up before it writes, a second row is refused.
//! The index that makes a nonce unique in its session has the nonce first, so that nonces ordered by time stand together.

use super::{
    build::{held, hold_id, opened, payment},
    cases::single_payments::paid,
};
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

/// Writes a table's first row once more, with other values in these columns, and gives why that is refused.
fn refused_again(conn: &Connection, table: &str, others: &[(&str, &str)]) -> String {
    let mut columns = conn.prepare("SELECT name FROM pragma_table_info(?1) WHERE name <> 'seq'").expect("prepares");
    let columns = columns.query_map([table], |row| row.get(0)).expect("reads");
    let columns = columns.collect::<Result<Vec<String>, _>>().expect("reads");
    let value = |column: &String| {
        let other = others.iter().find(|(name, _)| name == column);
        other.map_or_else(|| column.clone(), |(_, value)| (*value).to_owned())
    };
    let values: Vec<String> = columns.iter().map(value).collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    let again = format!("INSERT INTO {table} ({columns}) SELECT {values} FROM {table} WHERE seq = 1");
    conn.execute(&again, []).expect_err("is refused").to_string()
}

/// Guards: `nonce_once_per_user`, `a_message_pays_once`, and the unique ciphertexts of single payments.
#[tokio::test]
async fn no_second_row_opens_or_pays_with_what_was_used() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ledger.db");
    let ledger = SqliteLedger::open(&path, &LedgerOptions::default()).await.expect("opens");
    opened(&ledger, 1).await;
    paid(&ledger, 1).await;
    drop(ledger);

    let conn = Connection::open(&path).expect("opens");
    let (id, hash, ciphertext) = ("randomblob(16)", "randomblob(32)", "randomblob(114)");
    let session = refused_again(
        &conn,
        "sessions",
        &[("id", id), ("intent_signature", "randomblob(64)"), ("approval", "NULL"), ("bound_from", "NULL")],
    );
    assert!(session.contains("sessions.user, sessions.nonce"), "{session}");
    let other = [("id", id), ("settlement", id), ("signed", hash)];
    let nonce = refused_again(&conn, "single_payments", &[&other[..], &[("ciphertext", ciphertext)]].concat());
    assert!(nonce.contains("single_payments.payer, single_payments.nonce"), "{nonce}");
    let used = refused_again(&conn, "single_payments", &[&other[..], &[("nonce", "'another'")]].concat());
    assert!(used.contains("single_payments.ciphertext"), "{used}");
}
