//! What only the SQLite engine promises: its file, its lock, its schema, and that damage is noticed.

use super::build::{
    CAP, NOW, abandoned, absent, amount, held, hold_id, in_flight, landed, opened, payment, planned, recorded, refused,
    session_id, settlement_id, signature,
};
use rusqlite::Connection;
use sotto::{
    domain::{
        amount::Amount,
        hold::HoldState,
        reason::PayReason,
        settlement::{Event, Purpose},
    },
    ledger::{Deadline, Held, Ledger, LedgerError, LedgerOptions, OpenLedgerError, SqliteLedger},
};
use std::path::{Path, PathBuf};

struct File {
    dir: tempfile::TempDir,
    path: PathBuf,
}

impl File {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("ledger.db");
        Self { dir, path }
    }

    async fn open(&self) -> SqliteLedger {
        open(&self.path).await.expect("opens")
    }

    /// A bare connection, as an outside tool has it.
    fn raw(&self) -> Connection {
        Connection::open(&self.path).expect("opens")
    }
}

async fn open(path: &Path) -> Result<SqliteLedger, OpenLedgerError> {
    SqliteLedger::open(path, &LedgerOptions::default()).await
}

/// One of everything: a settled and a released settlement, one in flight, a waiting hold.
async fn populate(ledger: &SqliteLedger) {
    let session = opened(ledger, 1).await.id;
    held(ledger, &payment(session, 1, 10)).await;
    let landed = recorded(ledger, &in_flight(ledger, session, 1).await, landed()).await;
    recorded(ledger, &landed, Event::Finalised).await;
    ledger.claim_success(hold_id(1)).await.expect("tells");
    held(ledger, &payment(session, 2, 20)).await;
    recorded(ledger, &in_flight(ledger, session, 2).await, refused()).await;
    held(ledger, &payment(session, 3, 30)).await;
    let again = recorded(ledger, &in_flight(ledger, session, 3).await, absent()).await;
    super::build::signed(ledger, &again, 4).await;
    held(ledger, &payment(session, 4, 40)).await;
    ledger.audit().await.expect("consistent");
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let file = File::new();
    let ledger = file.open().await;
    populate(&ledger).await;
    let session = ledger.session(session_id(1)).await.expect("reads");
    let unfinished = ledger.unfinished().await.expect("reads");
    let totals = ledger.totals(None).await.expect("adds up");
    drop(ledger);
    let ledger = file.open().await;
    assert_eq!(ledger.session(session_id(1)).await.ok(), Some(session));
    assert_eq!(ledger.unfinished().await.ok(), Some(unfinished));
    assert_eq!(ledger.totals(None).await.ok(), Some(totals));
    assert!(matches!(ledger.hold(&payment(session_id(1), 1, 10)).await, Ok(Held::Repeat(_))), "nonces survive");
    ledger.audit().await.expect("consistent");
}

#[tokio::test]
async fn what_was_answered_is_in_the_files_when_the_process_dies() {
    let file = File::new();
    let ledger = file.open().await;
    let session = opened(&ledger, 1).await.id;
    for number in 0..30 {
        held(&ledger, &payment(session, number, 1)).await;
    }
    // The files as they are now, with the log that was never written back: what a killed process leaves.
    let dead = File::new();
    for name in ["ledger.db", "ledger.db-wal"] {
        std::fs::copy(file.dir.path().join(name), dead.dir.path().join(name)).expect("copies");
    }
    let recovered = dead.open().await;
    for number in 0..30 {
        assert!(recovered.find_hold(hold_id(number)).await.is_ok_and(|hold| hold.is_some()));
    }
    recovered.audit().await.expect("consistent");
    let released = recovered.release_abandoned(NOW + 1, PayReason::SettlementExpired).await;
    assert_eq!(released.ok(), Some(30), "nobody waits for them any more");
    recovered.audit().await.expect("consistent");
}

#[tokio::test]
async fn two_processes_cannot_open_one_ledger() {
    let file = File::new();
    let first = file.open().await;
    assert!(matches!(open(&file.path).await, Err(OpenLedgerError::InUse { path }) if path == file.path));
    assert!(first.ping().await.is_ok(), "the first is not disturbed");
    drop(first);
    assert!(open(&file.path).await.is_ok());
}

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
async fn a_path_that_cannot_be_used_is_told() {
    let file = File::new();
    assert!(matches!(open(&file.dir.path().join("missing/ledger.db")).await, Err(OpenLedgerError::Files(_))));
    std::fs::write(&file.path, b"this is no database, it only has its name").expect("writes");
    assert!(matches!(open(&file.path).await, Err(OpenLedgerError::Database(_))));
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_the_ledger() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = File::new();
    let ledger = file.open().await;
    populate(&ledger).await;
    for name in ["ledger.db", "ledger.db-wal", "ledger.db.lock"] {
        let mode = std::fs::metadata(file.dir.path().join(name)).expect("is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}

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
        ("UPDATE holds SET remaining_after = 1 WHERE seq = 4", "holds, row 4: its spent and remaining"),
        ("UPDATE session_sums SET held = held + 1", "sessions, row 1: it does not hold"),
        ("UPDATE session_sums SET captured = captured + 1", "sessions, row 1: it has not captured"),
        ("UPDATE sessions SET cap = cap + 1", "sessions, row 1: its columns are not what its signed intent says"),
        ("UPDATE session_sums SET cap = cap + 1", "sessions, row 1: its sums are kept below another cap"),
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
    let probe = ledger.plan_other(settlement_id(2), Purpose::Probe, None, NOW).await.expect("plans");
    let work = ledger.load_work(settlement.id).await.expect("reads");
    drop(ledger);
    let ledger = file.open().await;
    assert_eq!(ledger.load_work(settlement.id).await.ok(), Some(work.clone()));
    let attempt = work.attempt.expect("is live");
    assert_eq!(attempt.get(), &super::build::attempt(&planned_view(&settlement), 1));
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
