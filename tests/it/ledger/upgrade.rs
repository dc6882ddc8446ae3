//! A ledger that an earlier version of this program wrote is the same ledger after its schema was brought up to date.

use super::{
    build::{
        CAP, NOW, abandoned, absent, amount, approve, held, key, opened, payment, planned, recorded, session_with,
        settlement_id, signature,
    },
    cases::{
        channels::{drawn, ends, opened as channel_opened},
        delegations::{PLENTY, confirm, confirms, grants, leaves},
        single_payments::{offer, offered, pays},
    },
};
use rusqlite::Connection;
use sotto::{
    domain::{
        amount::Amount,
        approval::LandedApprove,
        funding::NewBound,
        reason::SessionReason,
        session::{CapCheck, Session},
        settlement::{Purpose, Subject},
        single_payment::SingleOffer,
    },
    ledger::{
        ApprovalLedger as _, ChannelLedger as _, Ledger as _, LedgerError, LedgerOptions, OnboardRecorded,
        OpenedOnApproval, SinglePaid, SqliteLedger, Upkeep as _,
    },
};
use sqlx::{
    Connection as _,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use std::{fs, path::Path};

const SCHEMAS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
const TERMS: &str = "seq, id, user, asset, recipient, spender, session_key, nonce, cap, expires_at, spelling, network, \
    intent, intent_signature, settle_signature, state, rejected, cap_verified, approve, created_at";

/// An empty ledger as the program made it that knew `versions` schemas.
async fn of_version(versions: usize, directory: &Path, path: &Path) {
    let known = directory.join("known");
    fs::create_dir(&known).expect("makes");
    let mut files: Vec<_> = fs::read_dir(SCHEMAS).expect("reads").map(|file| file.expect("reads").path()).collect();
    files.sort();
    for file in files.iter().take(versions) {
        fs::copy(file, known.join(file.file_name().expect("a name"))).expect("copies");
    }
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut conn = SqliteConnection::connect_with(&options).await.expect("connects");
    let schemas = Migrator::new(known).await.expect("reads");
    schemas.run_direct(None, &mut conn, false).await.expect("migrates");
    conn.close().await.expect("closes");
}

async fn open(path: &Path) -> SqliteLedger {
    SqliteLedger::open(path, &LedgerOptions::default()).await.expect("opens")
}

#[tokio::test]
async fn a_ledger_from_before_sums_stood_apart_keeps_its_sums_and_its_guards() {
    let dir = tempfile::tempdir().expect("a directory");
    let (new, old) = (dir.path().join("new.db"), dir.path().join("old.db"));
    let ledger = open(&new).await;
    let session = opened(&ledger, 1).await.id;
    for number in [1, 2] {
        held(&ledger, &payment(session, number, 10)).await;
    }
    let before = ledger.session(session).await.expect("answers");
    drop(ledger);

    of_version(5, dir.path(), &old).await;
    let conn = Connection::open(&old).expect("opens");
    conn.execute("ATTACH ?1 AS new", [new.to_str()]).expect("attaches");
    let columns = "seq, id, session, nonce, content, amount, spent_after, remaining_after, state, settlement, reason, \
        signature, told, pending_answered, taken_over, accepted_at, deferred, returns, not_before, funding";
    conn.execute_batch(&format!(
        "INSERT INTO sessions ({TERMS}, captured, held, captured_before, deferred_held, lost) \
         SELECT {TERMS}, captured, held, captured_before, deferred_held, lost \
         FROM (SELECT s.*, captured, held, captured_before, deferred_held, lost \
               FROM new.sessions s JOIN new.session_sums t ON t.session = s.seq);
         INSERT INTO holds ({columns}) SELECT {columns} FROM new.holds;"
    ))
    .expect("copies");
    drop(conn);

    let ledger = open(&old).await;
    ledger.audit().await.expect("consistent");
    assert_eq!(ledger.session(session).await.expect("answers"), before);
    assert_eq!(before.map(|session| session.held), Some(amount(20)));
    assert_eq!(planned(&ledger, session, 1).await.amount, amount(20), "what waited is found");
    ledger.audit().await.expect("consistent");
    drop(ledger);
    let conn = Connection::open(&old).expect("opens");
    for forbidden in [
        "UPDATE sessions SET cap = cap + 1",
        "DELETE FROM sessions",
        &format!("UPDATE session_sums SET held = {CAP} + 1"),
        "UPDATE session_sums SET captured_before = 1",
    ] {
        assert!(conn.execute(forbidden, []).is_err(), "{forbidden}");
    }
    let told = "SELECT count(*) FROM session_events WHERE state = 'revoked'";
    conn.execute("UPDATE sessions SET state = 'revoked'", []).expect("ends");
    assert_eq!(conn.query_row(told, [], |row| row.get::<_, i64>(0)).ok(), Some(1), "a new state is still an event");
}

/// What sessions had been opened with, and what had been created, counts from the first start of the new version.
#[tokio::test]
async fn a_ledger_from_before_approves_were_used_once_knows_those_that_were_used() {
    let dir = tempfile::tempdir().expect("a directory");
    let (new, old) = (dir.path().join("new.db"), dir.path().join("old.db"));
    let ledger = open(&new).await;
    let of_one_user = |number| session_with(number, |session| session.intent.user = key(23, 1));
    let [never_open, first, second] = [of_one_user(1), of_one_user(2), of_one_user(3)];
    for session in [&never_open, &first, &second] {
        ledger.open_session(session).await.expect("writes");
        ledger.record_approve_handle(session.id, 7).await.expect("records");
    }
    ledger.reject_session(never_open.id, SessionReason::CapMismatch).await.expect("rejects");
    for session in [&first, &second] {
        ledger.mark_open(session.id, CapCheck::Verified, &approve(1), &[]).await.expect("opens");
    }
    let plan = async |number| {
        ledger
            .plan_other(settlement_id(number), Purpose::CreateRecipient, Subject::Session(first.id), NOW)
            .await
            .expect("plans")
    };
    recorded(&ledger, &plan(1).await, abandoned()).await;
    let created = plan(2).await;
    drop(ledger);

    of_version(6, dir.path(), &old).await;
    let conn = Connection::open(&old).expect("opens");
    conn.execute("ATTACH ?1 AS new", [new.to_str()]).expect("attaches");
    for (table, columns) in [
        (
            "sessions",
            "seq, id, user, asset, recipient, spender, session_key, nonce, cap, expires_at, spelling, network, intent, intent_signature, \
             settle_signature, state, rejected, cap_verified, approve, created_at",
        ),
        ("session_sums", "session, cap, captured, held, captured_before, deferred_held, lost"),
        ("settlements", "seq, id, purpose, session, amount, state, sequence, attempts, signature, created_at"),
        ("settlement_events", "*"),
    ] {
        conn.execute(&format!("INSERT INTO {table} SELECT {columns} FROM new.{table}"), []).expect("copies");
    }
    conn.execute("INSERT INTO approvals SELECT * FROM new.approve_handles", []).expect("copies");
    drop(conn);

    let ledger = open(&old).await;
    ledger.audit().await.expect("consistent");
    knows_what_was_used(&ledger, &first).await;
    let known = ledger.created_recipient(&first.intent.recipient, &first.intent.asset).await.expect("answers");
    assert_eq!(known.map(|settlement| settlement.id), Some(created.id));
    drop(ledger);
    let conn = Connection::open(&old).expect("opens");
    for forbidden in [
        "UPDATE used_approves SET session = (SELECT id FROM sessions LIMIT 1)",
        "DELETE FROM used_approves",
        "UPDATE created_recipients SET settlement = (SELECT id FROM settlements WHERE state = 'released')",
        "DELETE FROM created_recipients",
    ] {
        assert!(conn.execute(forbidden, []).is_err(), "{forbidden}");
    }
}

/// What earlier sessions of the wallet of `first` may have used opens nothing more, and goes on under an approve of the new version.
async fn knows_what_was_used(ledger: &SqliteLedger, first: &Session) {
    let asset = first.intent.asset;
    let [of_former, of_nobody] = [7, 8].map(|handle| LandedApprove { handle, ..approve(99) });
    let used = async |approve| ledger.may_have_been_used(first.user(), &asset, approve, Some(u64::MAX >> 1)).await.ok();
    assert_eq!((used(&of_former).await, used(&of_nobody).await), (Some(true), Some(false)));
    // The newest approve behind what is open stands, and nothing more opens on it: what was taken before is not counted.
    let stands = ledger.current_approval(first.user(), &asset).await.expect("answers").expect("stands");
    assert_eq!((stands.signature, stands.is_complete, stands.free()), (signature(1), false, amount(0)));
    let further = session_with(9, |session| {
        (session.intent.user, session.intent.approved) = (key(23, 1), Some(Amount::MAX));
        session.approve = Some(signature(1));
    });
    let refused = ledger.open_on_approval(&further, 16).await.expect("answers");
    assert_eq!(refused, OpenedOnApproval::Refused(SessionReason::ApproveUsed));
    // An approve of the new version takes them over.
    let next = session_with(10, |session| session.intent.user = key(23, 1));
    ledger.open_session(&next).await.expect("writes");
    ledger.mark_open(next.id, CapCheck::Verified, &approve(10), &[]).await.expect("opens");
    let stands = ledger.current_approval(first.user(), &asset).await.expect("answers").expect("stands");
    assert_eq!((stands.signature, stands.live, stands.taken), (signature(10), 3, amount(3 * CAP)));
    ledger.audit().await.expect("consistent");
}

/// Copies the rows of a table of the attached ledger; `*` stands for the columns that this one has.
fn copy_rows(conn: &Connection, table: &str, columns: &str) {
    let of_old = "SELECT group_concat(name, ', ') FROM pragma_table_info(?1, 'main')";
    let columns = match columns {
        "*" => conn.query_row(of_old, [table], |row| row.get(0)).expect("lists"),
        some => some.to_owned(),
    };
    let insert = format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM new.{table}");
    conn.execute(&insert, []).expect("copies");
}

/// An empty wallet could pay as much as it liked before sums were kept: what it paid is more than an amount holds.
#[tokio::test]
async fn a_ledger_from_before_single_payments_were_added_up_opens_whatever_they_add_up_to() {
    let dir = tempfile::tempdir().expect("a directory");
    let (new, old) = (dir.path().join("new.db"), dir.path().join("old.db"));
    for number in [1, 2] {
        let ledger = open(&new).await;
        offered(&ledger, &SingleOffer { payer: key(30, 1), amount: Amount::MAX, ..offer(number) }).await;
        assert!(matches!(pays(&ledger, number, NOW).await, SinglePaid::Recorded(..)));
        drop(ledger);
        // As if it were not known.
        Connection::open(&new).expect("opens").execute("UPDATE single_sums SET amount = 0", []).expect("forgets");
    }
    of_version(16, dir.path(), &old).await;
    let mut conn = Connection::open(&old).expect("opens");
    conn.execute("ATTACH ?1 AS new", [new.to_str()]).expect("attaches");
    // A payment names its settlement, which is written after it.
    let copy = conn.transaction().expect("begins");
    let single = "seq, id, settlement, payer, recipient, asset, nonce, content, amount, ciphertext, signed, proof_demanded, \
        funding, told, reason, created_at";
    let settlement = "seq, id, purpose, subject_kind, subject_id, amount, state, sequence, attempts, signature, created_at, \
        driver, fence";
    for (table, columns) in [
        ("single_payments", single),
        ("settlements", settlement),
        ("settlement_events", "*"),
        ("attempts", "*"),
        ("sponsored_lamports", "*"),
    ] {
        copy_rows(&copy, table, columns);
    }
    copy.commit().expect("commits");
    drop(conn);

    let ledger = open(&old).await;
    ledger.audit().await.expect("consistent");
    let bound = NewBound {
        user: key(30, 1),
        asset: key(20, 0),
        amount: amount(5),
        handle: 7,
        slot: 100,
        anchor: Some(signature(900)),
        now: NOW,
    };
    let proved = ledger.prove_funding(&bound).await;
    assert!(matches!(proved, Err(LedgerError::Inconsistent(_))), "no database failed: {proved:?}");
    for left in [Some(i64::MAX), Some(0)] {
        let unfinished = ledger.unfinished().await.expect("reads");
        let work = unfinished.first().expect("is on its way");
        recorded(&ledger, &recorded(&ledger, &work.settlement, absent()).await, abandoned()).await;
        ledger.audit().await.expect("consistent");
        let sum = "SELECT amount FROM single_sums";
        let conn = Connection::open(&old).expect("opens");
        assert_eq!(conn.query_row(sum, [], |row| row.get::<_, i64>(0)).ok(), left);
    }
}

/// The tables of a ledger, but the program's own and SQLite's.
fn tables(conn: &Connection, kind: &str) -> Vec<(String, String)> {
    let sql = "SELECT name, sql FROM sqlite_master WHERE type = ?1 AND name NOT LIKE 'sqlite!_%' ESCAPE '!' \
        AND name NOT LIKE '!_sqlx%' ESCAPE '!'";
    let mut statement = conn.prepare(sql).expect("prepares");
    let rows = statement.query_map([kind], |row| Ok((row.get(0)?, row.get(1)?))).expect("reads");
    rows.map(|row| row.expect("reads")).collect()
}

/// Copies everything that an older ledger has columns for, as it stands: no trigger of the older one adds to it.
fn copy_everything(conn: &Connection) {
    conn.execute_batch("PRAGMA foreign_keys = OFF").expect("sets");
    let triggers = tables(conn, "trigger");
    for (name, _) in &triggers {
        conn.execute_batch(&format!("DROP TRIGGER {name}")).expect("drops");
    }
    for (table, _) in tables(conn, "table") {
        let columns = "SELECT group_concat(name) FROM pragma_table_info(?1)";
        let columns: String = conn.query_row(columns, [&table], |row| row.get(0)).expect("reads");
        let copy = format!("DELETE FROM {table}; INSERT INTO {table} ({columns}) SELECT {columns} FROM new.{table};");
        conn.execute_batch(&copy).expect("copies");
    }
    for (_, sql) in triggers {
        conn.execute_batch(&sql).expect("makes");
    }
}

/// Caps counted what was planned, and totals the vouchers of channels that had ended.
#[tokio::test]
async fn a_ledger_from_before_caps_counted_what_was_signed_counts_it_from_now_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let (new, old) = (dir.path().join("new.db"), dir.path().join("old.db"));
    let ledger = open(&new).await;
    grants(&ledger, 1, 5_000).await;
    for number in 1..=2 {
        channel_opened(&ledger, 1, number, 1_000).await;
        drawn(&ledger, number, 40).await.expect("drawn");
    }
    drawn(&ledger, 2, 50).await.expect("drawn");
    ends(&ledger, 1, 1).await.1.expect("planned");
    grants(&ledger, 2, 5_000).await;
    leaves(&ledger, 2).await;
    assert!(matches!(confirms(&ledger, &confirm(502, PLENTY), 502, NOW).await, OnboardRecorded::Recorded(..)));
    let before = ledger.channel_counts().await.expect("reads");
    drop(ledger);

    of_version(27, dir.path(), &old).await;
    let conn = Connection::open(&old).expect("opens");
    conn.execute("ATTACH ?1 AS new", [new.to_str()]).expect("attaches");
    copy_everything(&conn);
    conn.execute_batch(
        "UPDATE mpp_transactions SET open = (SELECT state IN ('reserved', 'in_flight') FROM settlements WHERE id = settlement);
         UPDATE mpp_use SET used = used + 2 WHERE cap = 'settle' AND scope = 'global';
         UPDATE channel_totals SET vouchers = 1;
         INSERT INTO mpp_days (wallet, role, day) VALUES (zeroblob(32), 'seller', 1);",
    )
    .expect("is as it was");
    drop(conn);

    let ledger = open(&old).await;
    ledger.audit().await.expect("consistent");
    let after = ledger.channel_counts().await.expect("reads");
    assert_eq!((after, (before.open, before.vouchers)), (before, (1, 3)));
    drop(ledger);
    let conn = Connection::open(&old).expect("opens");
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("reads");
    assert_eq!(
        number("SELECT sum(used) FROM mpp_use WHERE cap = 'settle' AND scope = 'global'"),
        4,
        "two grants, two anchors"
    );
    assert_eq!(number("SELECT sum(used) FROM mpp_use WHERE cap = 'settle' AND scope = 'payer'"), 5, "and a leave");
    assert_eq!(number("SELECT sum(open) FROM mpp_transactions"), 0);
    assert_eq!(number("SELECT count(*) FROM mpp_days WHERE role = 'seller'"), 0);
}
