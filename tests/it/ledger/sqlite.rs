//! What only the SQLite engine promises: its file, its lock, its schema, and that damage is noticed.

mod archive;
mod channels;
mod damage;
mod delegations;
mod log;
mod schema;
mod words;

use super::build::{NOW, absent, held, hold_id, in_flight, landed, opened, payment, recorded, refused, session_id};
use rusqlite::Connection;
use sotto::{
    domain::{reason::PayReason, settlement::Event},
    ledger::{Held, Ledger as _, LedgerOptions, OpenLedgerError, SqliteLedger, Upkeep as _},
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
    ledger.claim_success(hold_id(1), None).await.expect("tells");
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

/// FR-10. A ledger is one file, however it is named.
#[cfg(unix)]
#[tokio::test]
async fn a_ledger_is_in_use_under_each_of_its_names() {
    use std::os::unix::fs::symlink;
    let file = File::new();
    let (dir, other) = (file.dir.path(), tempfile::tempdir().expect("a directory"));
    symlink(&file.path, dir.join("link.db")).expect("links");
    symlink(dir, other.path().join("elsewhere")).expect("links");
    // A link may be there before its ledger.
    let first = open(&dir.join("link.db")).await.expect("opens");
    assert!(file.path.exists());
    let names = [
        file.path.clone(),
        dir.join("link.db"),
        dir.join("../").join(dir.file_name().expect("a name")).join("ledger.db"),
        other.path().join("elsewhere/ledger.db"),
        other.path().join("elsewhere/link.db"),
    ];
    for name in names {
        let refused = open(&name).await;
        assert!(matches!(&refused, Err(OpenLedgerError::InUse { .. })), "{}: {refused:?}", name.display());
    }
    assert!(first.ping().await.is_ok(), "the first is not disturbed");
    drop(first);
    std::fs::hard_link(&file.path, dir.join("hard.db")).expect("links");
    for name in ["ledger.db", "hard.db", "link.db"] {
        let refused = open(&dir.join(name)).await;
        assert!(matches!(&refused, Err(OpenLedgerError::SeveralNames { .. })), "{name}: {refused:?}");
    }
    std::fs::remove_file(dir.join("hard.db")).expect("removes");
    open(&file.path).await.expect("opens again");
}

/// FR-27. What is damaged is called damaged, once, with what to do.
#[tokio::test]
async fn a_damaged_ledger_is_called_so() {
    let file = File::new();
    populate(&file.open().await).await;
    let mut bytes = std::fs::read(&file.path).expect("reads");
    for byte in &mut bytes[100..8_000] {
        *byte = 0xA5;
    }
    std::fs::write(&file.path, bytes).expect("writes");
    let refused = open(&file.path).await.expect_err("it is damaged");
    assert!(matches!(&refused, OpenLedgerError::Damaged { .. }), "{refused:?}");
    assert!(refused.to_string().contains("backup"), "{refused}");
}

#[tokio::test]
async fn a_path_that_cannot_be_used_is_told() {
    let file = File::new();
    assert!(matches!(open(&file.dir.path().join("missing/ledger.db")).await, Err(OpenLedgerError::Files(_))));
    std::fs::write(&file.path, b"this is no database, it only has its name").expect("writes");
    assert!(matches!(open(&file.path).await, Err(OpenLedgerError::Damaged { .. })));
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
