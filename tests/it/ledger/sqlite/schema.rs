//! Schemas of other versions and of other programs, and what the indexes are for.

use super::super::build::{
    CAP, END, NOW, abandoned, amount, held, hold_id, in_flight, landed, opened, payment, planned, recorded,
    settlement_id, signature,
};
use super::{File, open, populate};
use rusqlite::Connection;
use sotto::{
    domain::{
        amount::Amount,
        hold::HoldState,
        reason::PayReason,
        settlement::{Purpose, Subject},
    },
    ledger::{Deadline, Ledger as _, OpenLedgerError, Upkeep as _},
};
use std::path::Path;

#[tokio::test]
async fn a_schema_from_the_future_is_left_alone() {
    let file = File::new();
    drop(file.open().await);
    let conn = file.raw();
    conn.execute_batch(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9000, 'later', 1, x'00', 0)",
    )
    .expect("writes");
    drop(conn);
    assert!(matches!(open(&file.path).await, Err(OpenLedgerError::SchemaFromTheFuture { version: 9000 })));
    let conn = file.raw();
    conn.execute_batch("DELETE FROM _sqlx_migrations WHERE version = 9000").expect("deletes");
    conn.execute_batch("UPDATE _sqlx_migrations SET checksum = x'00'").expect("updates");
    drop(conn);
    assert!(matches!(open(&file.path).await, Err(OpenLedgerError::SchemaChanged { version: 1 })));
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let file = File::new();
    file.raw().execute_batch("CREATE TABLE sessions (id TEXT, something TEXT)").expect("makes a table");
    assert!(matches!(open(&file.path).await, Err(OpenLedgerError::Foreign)));
    let tables: i64 = file.raw().query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).expect("counts");
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn a_large_ledger_answers_from_indexes() {
    let file = File::new();
    let ledger = file.open().await;
    let session = opened(&ledger, 1).await.id;
    for number in 0..200 {
        held(&ledger, &payment(session, number, 1)).await;
        let settlement = planned(&ledger, session, number).await;
        recorded(&ledger, &settlement, abandoned()).await;
    }
    drop(ledger);
    let conn = file.raw();
    let plan = |sql: &str| -> String {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("prepares");
        // The values do not matter to the plan; unbound parameters are NULL.
        let mut rows = statement.raw_query();
        let mut steps = String::new();
        while let Some(row) = rows.next().expect("explains") {
            steps += &row.get::<_, String>(3).expect("a text");
            steps += "; ";
        }
        steps
    };
    // The WHERE clauses of the verbs that run per payment; none may walk a table that grows with them.
    for sql in [
        "SELECT * FROM holds h LEFT JOIN attempts a ON a.settlement = h.settlement AND a.live = 1 WHERE h.id = ?1",
        "SELECT * FROM holds h WHERE h.session = ?1 AND h.nonce = ?2",
        "SELECT * FROM holds h WHERE h.seq >> 8 IN (SELECT stretch FROM waiting_stretches) AND h.session = ?1 \
         AND h.state = 'waiting' ORDER BY h.seq",
        "SELECT * FROM holds h WHERE h.seq >> 8 IN (SELECT stretch FROM waiting_stretches) AND h.state = 'waiting' \
         AND h.told = 0 AND h.accepted_at < ?1 ORDER BY h.seq",
        "SELECT * FROM holds h WHERE h.settlement = ?1 ORDER BY h.seq",
        "SELECT * FROM holds h WHERE h.session = ?1 AND h.content = ?2 AND h.pending_answered = 1 AND h.nonce IS NULL \
         AND h.told = 0 ORDER BY h.seq LIMIT 1",
        "SELECT * FROM settlements WHERE state NOT IN ('settled', 'released') ORDER BY seq",
        "SELECT * FROM settlements WHERE session = ?1 AND purpose = 'approve' ORDER BY seq DESC LIMIT 1",
        "SELECT * FROM attempts WHERE settlement = ?1 AND live = 1",
        "SELECT * FROM sessions WHERE user = ?1 AND nonce = ?2",
        "SELECT * FROM sessions WHERE user = ?1 AND asset = ?2 AND state IN ('opening', 'open') ORDER BY seq",
        "SELECT * FROM sessions WHERE state = 'opening' ORDER BY seq",
        "SELECT * FROM sessions WHERE state = 'open' AND cap_verified = 0 ORDER BY seq",
        "UPDATE sessions SET state = 'expired' WHERE state = 'open' AND expires_at <= ?1",
        "UPDATE holds SET state = 'captured' WHERE settlement = ?1 AND state = 'planned'",
        "SELECT sum(fee) FROM budget_use WHERE scope = ?1 AND subject = ?2 AND bucket >= ?3",
        "SELECT sum(b.fee) FROM attempts a JOIN sponsored_lamports b ON b.signature = a.signature WHERE a.settlement = ?1",
        "SELECT signature FROM sponsored_lamports WHERE rent_known = 0 AND state = 'spent' ORDER BY settlement LIMIT ?1",
        "SELECT count(*), min(created_at) FROM sessions WHERE recipient = ?1 AND created_at >= ?2",
        "SELECT c.recipient FROM settlements s JOIN created_recipients c ON c.settlement = s.id \
         WHERE s.purpose = 'create_recipient' AND s.created_at >= ?1 AND s.state <> 'released' ORDER BY s.created_at",
    ] {
        let plan = plan(sql);
        let indexed = !plan.contains("SCAN") || plan.contains("USING INDEX");
        assert!(indexed, "{sql}: {plan}");
    }
}

#[tokio::test]
async fn ids_and_bytes_of_every_table_survive_the_file() {
    let file = File::new();
    let ledger = file.open().await;
    let session = opened(&ledger, 1).await.id;
    held(&ledger, &payment(session, 1, CAP)).await;
    let settlement = in_flight(&ledger, session, 1).await;
    assert!(matches!(ledger.end_wait(hold_id(1), PayReason::SettlementExpired).await, Ok(Deadline::Pending(_))));
    let probe = ledger.plan_other(settlement_id(2), Purpose::Probe, Subject::Own, NOW).await.expect("plans");
    let work = ledger.load_work(settlement.id).await.expect("reads");
    drop(ledger);
    let ledger = file.open().await;
    assert_eq!(ledger.load_work(settlement.id).await.ok(), Some(work.clone()));
    let attempt = work.attempt.expect("is live");
    assert_eq!(attempt.get(), &super::super::build::attempt(&planned_view(&settlement), 1));
    assert_eq!(ledger.load_work(probe.id).await.ok().map(|work| work.settlement), Some(probe));
    let hold = ledger.find_hold(hold_id(1)).await.expect("reads").expect("is there");
    let expected = HoldState::Planned { settlement: settlement.id, signature: Some(signature(1)) };
    assert_eq!((hold.state, hold.amount, hold.remaining_after), (expected, amount(CAP), Amount::ZERO));
}

/// The settlement as it was before its attempt was signed.
fn planned_view(settlement: &sotto::domain::settlement::Settlement) -> sotto::domain::settlement::Settlement {
    sotto::domain::settlement::Settlement { attempts: settlement.attempts - 1, ..settlement.clone() }
}

/// The columns of a table, as SQL names them.
fn columns(conn: &Connection, schema: &str, table: &str) -> String {
    let mut asked = conn.prepare(&format!("SELECT name FROM pragma_table_info('{table}', '{schema}')")).expect("asks");
    let names: Vec<String> = asked.query_map([], |row| row.get(0)).expect("reads").map(Result::unwrap).collect();
    names.join(", ")
}

/// Makes a ledger of the first schema out of what `from` holds.
async fn first_schema(from: &File) -> File {
    let old = File::new();
    let first = tempfile::tempdir().expect("a directory");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite/0001_ledger.sql");
    std::fs::copy(source, first.path().join("0001_ledger.sql")).expect("copies");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&old.path).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.expect("connects");
    let migrator = sqlx::migrate::Migrator::new(first.path()).await.expect("reads");
    migrator.run(&pool).await.expect("migrates");
    pool.close().await;
    let conn = old.raw();
    let path = from.path.to_str().expect("a path");
    conn.execute("ATTACH ?1 AS later", [path]).expect("attaches");
    for table in ["sessions", "settlements", "settlement_events", "attempts", "holds", "sponsored_lamports"] {
        let columns = columns(&conn, "main", table);
        // What a session spent stood in its own row then.
        let from = if table == "sessions" {
            "(SELECT s.*, captured, held, captured_before FROM later.sessions s \
              JOIN later.session_sums t ON t.session = s.seq)"
        } else {
            &format!("later.{table}")
        };
        let copy = format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM {from}");
        conn.execute(&copy, []).expect("copies");
    }
    old
}

#[tokio::test]
async fn a_ledger_of_the_first_schema_keeps_everything_when_it_is_brought_up() {
    let file = File::new();
    let ledger = file.open().await;
    populate(&ledger).await;
    let totals = ledger.totals(None).await.expect("adds up");
    let unfinished = ledger.unfinished().await.expect("reads");
    drop(ledger);
    let old = first_schema(&file).await;
    let ledger = old.open().await;
    ledger.audit().await.expect("consistent");
    assert_eq!(ledger.totals(None).await.ok(), Some(totals));
    assert_eq!(ledger.unfinished().await.ok(), Some(unfinished));
}

/// What the verbs refuse first: whatever is asked there, the schema takes back nothing that a session needs.
#[tokio::test]
async fn the_schema_takes_no_delegation_back_that_is_needed() {
    let file = File::new();
    let ledger = file.open().await;
    let session = opened(&ledger, 1).await;
    held(&ledger, &payment(session.id, 1, 10)).await;
    recorded(&ledger, &in_flight(&ledger, session.id, 1).await, landed()).await;
    ledger.expire_sessions(END).await.expect("expires");
    drop(ledger);
    let conn = file.raw();
    let refused = |sql: &str| conn.execute_batch(sql).expect_err("is refused").to_string();
    let revoke = "INSERT INTO revocations (id, settlement, user, asset, signed, newcomer, created_at)
        SELECT randomblob(16), id, user, asset, randomblob(32), 0, 0 FROM sessions";
    assert!(refused(revoke).contains("is not final"), "a fork could take its transfer back");
    conn.execute_batch("UPDATE settlements SET state = 'settled', sequence = sequence + 1").expect("ends");
    conn.execute_batch(
        "PRAGMA foreign_keys = OFF; DROP TRIGGER revocations_come_before_their_settlement;
         INSERT INTO revocations (id, settlement, user, asset, signed, newcomer, created_at)
            SELECT zeroblob(16), zeroblob(16), user, asset, randomblob(32), 0, 0 FROM sessions;
         INSERT INTO settlements (id, purpose, subject_kind, subject_id, amount, state, sequence, attempts, created_at)
            VALUES (zeroblob(16), 'revoke', 'revocation', zeroblob(16), 0, 'reserved', 1, 0, 0)",
    )
    .expect("a revoke is on its way");
    let columns = "user, asset, recipient, spender, session_key, cap, expires_at, spelling, network, intent,
        intent_signature, settle_signature, state, rejected, cap_verified, approve, created_at";
    let opening =
        format!("INSERT INTO sessions (id, nonce, {columns}) SELECT randomblob(16), 'next', {columns} FROM sessions");
    assert!(refused(&opening).contains("is on its way"), "it could lose its approve");
}
