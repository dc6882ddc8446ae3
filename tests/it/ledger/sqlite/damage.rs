//! What an outside tool changed is refused or noticed.

use super::super::build::{CAP, approve, hold_id, key, payment, session_id, session_with};
use super::{File, populate};
use rusqlite::Connection;
use sotto::{
    domain::{amount::Amount, approval::LandedApprove, session::CapCheck},
    ledger::{Ledger as _, LedgerError, Upkeep as _},
};

#[tokio::test]
async fn what_happened_cannot_be_rewritten_by_any_tool() {
    let file = File::new();
    let ledger = file.open().await;
    populate(&ledger).await;
    drop(ledger);
    let conn = file.raw();
    for forbidden in [
        "UPDATE settlement_events SET at = 0",
        "DELETE FROM settlement_events",
        "DELETE FROM settlements",
        "DELETE FROM attempts",
        "DELETE FROM holds",
        "DELETE FROM sessions",
        "DELETE FROM sponsored_lamports",
        "UPDATE sponsored_lamports SET at = 0",
        "UPDATE sponsored_lamports SET recipient = user",
        "UPDATE sponsored_lamports SET state = 'reserved' WHERE state = 'void'",
        "UPDATE sponsored_lamports SET fee = 1 WHERE state = 'void'",
        "DELETE FROM budget_use",
        "UPDATE budget_use SET fee = -1",
        "UPDATE settlements SET state = 'reserved' WHERE state = 'settled'",
        "UPDATE settlements SET signature = NULL WHERE state = 'released'",
        "UPDATE settlements SET amount = 1 WHERE state = 'in_flight'",
        "UPDATE attempts SET live = 1 WHERE live = 0",
        "UPDATE attempts SET wire = x'00'",
        "UPDATE holds SET amount = 1",
        "UPDATE holds SET nonce = 'other'",
        "UPDATE holds SET state = 'waiting', reason = NULL, settlement = NULL, signature = NULL WHERE state = 'released'",
        "UPDATE holds SET told = 0 WHERE told = 1",
        "UPDATE holds SET reason = 'bad_request' WHERE state = 'captured'",
        "UPDATE sessions SET cap = cap + 1",
        "UPDATE sessions SET approved = cap",
        "UPDATE sessions SET approval = NULL, bound_from = NULL",
        "UPDATE sessions SET bound_from = -1",
        "DELETE FROM approvals",
        "UPDATE approvals SET amount = amount - 1",
        "UPDATE approvals SET signature = randomblob(64)",
        "UPDATE approvals SET complete = 0",
        "UPDATE approvals SET claimed = 1, handle = NULL",
        "UPDATE session_sums SET captured = cap, held = 1",
        "UPDATE session_sums SET held = -1",
        "UPDATE session_sums SET held = 9223372036854775807",
        "UPDATE session_sums SET cap = cap + 1",
        "DELETE FROM session_sums",
        "UPDATE sessions SET state = 'rejected'",
        "INSERT INTO attempts SELECT randomblob(64), settlement, 9, wire, 0, 0, 0, 0, 0, 1, 0 FROM attempts WHERE live = 1",
    ] {
        let refused = conn.execute(forbidden, []);
        assert!(refused.is_err(), "{forbidden}");
    }
    conn.execute("UPDATE sessions SET state = 'revoked'", []).expect("ends");
    assert!(conn.execute("UPDATE sessions SET state = 'open'", []).is_err(), "an ended session stays ended");
    drop(conn);
    file.open().await.audit().await.expect("nothing was changed but the session's state");
}

/// Guard: the trigger `sessions_take_no_more_than_was_approved`, whatever a verb decides.
#[tokio::test]
async fn no_tool_binds_more_to_an_approve_than_it_delegated() {
    let file = File::new();
    let ledger = file.open().await;
    let of_one_user = |number| session_with(number, |session| session.intent.user = key(23, 1));
    let [first, second] = [of_one_user(1), of_one_user(2)];
    for session in [&first, &second] {
        ledger.open_session(session).await.expect("writes");
    }
    let approve = LandedApprove { amount: Amount::new(2 * CAP - 1), ..approve(1) };
    ledger.mark_open(first.id, CapCheck::Verified, &approve, &[]).await.expect("opens");
    drop(ledger);
    let conn = file.raw();
    let bind = "UPDATE sessions SET approval = (SELECT seq FROM approvals), bound_from = ?1 WHERE seq = 2";
    assert!(conn.execute(bind, [0]).is_err(), "a unit more than was approved");
    assert!(conn.execute(bind, [1]).is_err(), "from more than it has captured");
    conn.execute("UPDATE session_sums SET captured = 1 WHERE session = 2", []).expect("captures");
    assert!(conn.execute(bind, [0]).is_err(), "from less than it has captured");
    assert_eq!(conn.execute(bind, [1]).ok(), Some(1), "all of it");
    conn.execute("UPDATE session_sums SET captured = 5 WHERE session = 2", []).expect("captures");
    for from in [0, 2, 5] {
        assert!(conn.execute("UPDATE sessions SET bound_from = ?1 WHERE seq = 2", [from]).is_err(), "bound once");
    }
    // A row that comes bound would be counted nowhere until its sums are there.
    let columns = "user, asset, recipient, spender, cap, expires_at, spelling, network, intent, intent_signature, \
        settle_signature, cap_verified, created_at";
    let copy = |bound: &str| {
        let sql = format!(
            "INSERT INTO sessions (id, nonce, state, {columns} {bound}) SELECT randomblob(16), hex(randomblob(9)), 'open', \
             {columns} {} FROM sessions WHERE seq = 1",
            if bound.is_empty() { "" } else { ", approval, bound_from" },
        );
        conn.execute(&sql, [])
    };
    assert!(copy(", approval, bound_from").is_err(), "bound before it is counted");
    assert_eq!(copy("").ok(), Some(1), "but for that it is a session");
    conn.execute("UPDATE approvals SET state = 'replaced'", []).expect("is replaced");
    let third = "UPDATE sessions SET approval = (SELECT seq FROM approvals), bound_from = 0 WHERE seq = 3";
    conn.execute(
        "INSERT INTO session_sums (session, cap, captured, held, captured_before, deferred_held, lost) \
         SELECT 3, cap, 0, 0, 0, 0, 0 FROM session_sums WHERE session = 1",
        [],
    )
    .expect("has sums");
    assert!(conn.execute(third, []).is_err(), "nothing binds to what is gone");
    assert!(conn.execute("UPDATE approvals SET state = 'current'", []).is_err(), "and that never comes back");
}

/// From now on this connection refuses nothing.
fn drop_guards(conn: &Connection) {
    let triggers: Vec<String> = conn
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        .expect("prepares")
        .query_map([], |row| row.get(0))
        .expect("reads")
        .collect::<Result<_, _>>()
        .expect("reads");
    for trigger in triggers {
        conn.execute_batch(&format!("DROP TRIGGER {trigger}")).expect("drops");
    }
    conn.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").expect("sets");
}

#[tokio::test]
async fn an_audit_names_what_was_tampered_with() {
    // Each with the table and the words that the audit has to find.
    let damages = [
        ("UPDATE settlements SET state = 'landed' WHERE seq = 1", "settlements, row 1: it is not the projection"),
        ("UPDATE settlements SET sequence = 9 WHERE seq = 3", "settlements, row 3: it is not the projection"),
        ("DELETE FROM settlement_events WHERE sequence = 1", "settlements, row 1: its log"),
        ("UPDATE settlement_events SET event = 'finalised' WHERE sequence = 1", "settlements, row 1: its log"),
        ("UPDATE attempts SET live = 0 WHERE number = 2", "settlements, row 3: its live attempt is not"),
        ("UPDATE attempts SET number = 7 WHERE number = 2", "settlements, row 3: its attempts are not"),
        ("UPDATE sponsored_lamports SET fee = fee + 1 WHERE state = 'spent'", "its bookings are not"),
        ("DELETE FROM sponsored_lamports", "settlements, row 1: its bookings are not"),
        ("UPDATE sponsored_lamports SET purpose = 'probe'", "its bookings are not"),
        ("UPDATE sponsored_lamports SET state = 'spent' WHERE state = 'reserved'", "its bookings are not"),
        ("UPDATE budget_use SET fee = fee + 1 WHERE scope = 'hour'", "budget_use is not the sum of the bookings"),
        ("DELETE FROM budget_use WHERE scope = 'session'", "budget_use is not the sum of the bookings"),
        ("UPDATE settlements SET amount = 11 WHERE seq = 1", "settlements, row 1: its amount is not the sum"),
        ("UPDATE holds SET state = 'planned' WHERE seq = 1", "settlements, row 1: one of its holds"),
        ("UPDATE holds SET reason = 'bad_request' WHERE seq = 2", "settlements, row 2: one of its holds"),
        ("UPDATE holds SET told = 1 WHERE seq = 3", "settlements, row 3: success was told"),
        ("UPDATE holds SET told = 1 WHERE seq = 4", "holds, row 4: told"),
        ("UPDATE holds SET remaining_after = 1000000000 WHERE seq = 4", "holds, row 4: its spent and remaining"),
        ("UPDATE session_sums SET newest_hold = 0", "sessions, row 1: its newest payment is not the last"),
        ("UPDATE session_sums SET held = held + 1", "sessions, row 1: it does not hold"),
        ("UPDATE session_sums SET captured = captured + 1", "sessions, row 1: it has not captured"),
        ("UPDATE sessions SET cap = cap + 1", "sessions, row 1: its columns are not what its signed intent says"),
        ("UPDATE session_sums SET cap = cap + 1", "sessions, row 1: its sums are kept below another cap"),
        ("UPDATE approvals SET amount = 1", "approvals, row 1: its sessions take more than was approved"),
        ("UPDATE approvals SET state = 'replaced'", "it is open on an approve that does not stand"),
        ("UPDATE approvals SET user = randomblob(32)", "it takes from another account's approve"),
        (
            "UPDATE sessions SET bound_from = cap",
            "sessions, row 1: it takes from an approve less than it has captured since",
        ),
        ("UPDATE sessions SET approved = cap", "sessions, row 1: its columns are not what its signed intent says"),
        ("DELETE FROM session_sums", "sessions, row 1: it or its sums are gone"),
        ("UPDATE sessions SET id = randomblob(16)", "refers to a row that is not there"),
        ("UPDATE session_sums SET held = -1", "integrity check"),
    ];
    let file = File::new();
    let ledger = file.open().await;
    populate(&ledger).await;
    drop(ledger);
    let conn = file.raw();
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("writes the log back");
    drop(conn);
    for (damage, expected) in damages {
        let hurt = File::new();
        std::fs::copy(&file.path, &hurt.path).expect("copies");
        let conn = hurt.raw();
        drop_guards(&conn);
        assert_ne!(conn.execute(damage, []).expect("damages"), 0, "{damage}");
        drop(conn);
        match hurt.open().await.audit().await {
            Err(LedgerError::Inconsistent(text)) => assert!(text.contains(expected), "{damage}: {text}"),
            other => panic!("{damage}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_damaged_row_is_named_where_it_is_read() {
    let file = File::new();
    let ledger = file.open().await;
    populate(&ledger).await;
    drop(ledger);
    let conn = file.raw();
    conn.execute_batch(
        "PRAGMA ignore_check_constraints = ON; UPDATE sessions SET state = 'opened';
         UPDATE holds SET state = 'lost' WHERE seq = 4;",
    )
    .expect("damages");
    drop(conn);
    let ledger = file.open().await;
    let told = |error: Option<LedgerError>| match error {
        Some(LedgerError::Inconsistent(text)) => text,
        other => panic!("{other:?}"),
    };
    let session = told(ledger.session(session_id(1)).await.err());
    assert!(session.starts_with("the ledger is") || session.starts_with("sessions.state of row 1"), "{session}");
    let hold = told(ledger.find_hold(hold_id(4)).await.err());
    assert!(hold.starts_with("holds.state of row 4"), "{hold}");
    let refused = ledger.hold(&payment(session_id(1), 9, 1)).await;
    assert!(matches!(refused, Err(LedgerError::Inconsistent(_))), "nothing is accepted on it");
}

#[tokio::test]
async fn no_tool_writes_single_payments_of_a_payer_that_add_up_to_no_amount() {
    let file = File::new();
    drop(file.open().await);
    let conn = file.raw();
    // The settlements that they belong to are not what this is about.
    conn.execute_batch("PRAGMA foreign_keys = OFF").expect("is off");
    let pays = |number: u8, payer: u8, amount: i64| {
        let bytes = |byte: u8| vec![byte; 32];
        conn.execute(
            "INSERT INTO single_payments (id, settlement, payer, recipient, asset, nonce, content, amount, ciphertext, signed, \
             proof_demanded, funding, created_at) VALUES (?1, ?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?5, 0, 'unproven', 1)",
            rusqlite::params![
                vec![number; 16],
                bytes(payer),
                bytes(200),
                number.to_string(),
                bytes(number),
                amount,
                vec![number; 114]
            ],
        )
    };
    let refused = |written: rusqlite::Result<usize>| {
        let told = written.expect_err("is refused").to_string();
        assert!(told.contains("adds up to no amount"), "{told}");
    };
    pays(1, 1, i64::MAX).expect("fits");
    refused(pays(2, 1, 1));
    pays(3, 2, i64::MAX).expect("is another payer's");
    conn.execute(
        "INSERT INTO sources (user, asset, frozen, bound, handle, slot, proved_at, claimed, examined, final, looked_at) \
         VALUES (?1, ?2, 0, 5, zeroblob(16), 1, 1, ?3, 1, 0, 1)",
        rusqlite::params![vec![3_u8; 32], vec![200_u8; 32], i64::MAX],
    )
    .expect("writes");
    refused(pays(4, 3, 1));
    assert!(conn.execute("DELETE FROM single_sums", []).is_err());
}
