//! Which ledger a test runs on.
//!
//! Tests that have to hold for every engine are listed in a macro that [`each_engine`] calls once for each: another
//! engine is one line there, and what opens it in [`Engine::open`].

use sotto::ledger::{Ledger, LedgerOptions, SqliteLedger};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};
use tokio::sync::OnceCell;

/// A kind of ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    #[default]
    Sqlite,
}

impl Engine {
    /// The ledger of this name in a directory of the test's own; the same one whenever it is opened.
    pub async fn open(self, directory: &Path, name: &str) -> Arc<dyn Ledger> {
        match self {
            Self::Sqlite => {
                let path = directory.join(name);
                if !path.exists() {
                    fs::write(&path, new_ledger().await).expect("a new ledger is written");
                    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
                }
                let ledger = SqliteLedger::open(&path, &LedgerOptions::default()).await;
                Arc::new(ledger.expect("the ledger opens"))
            }
        }
    }
}

/// The file of a ledger without a row, migrated once for all tests of this process: the migrations were an eighth of what
/// the suite computed. Tests of the file itself open their own.
async fn new_ledger() -> &'static [u8] {
    static FILE: OnceCell<Vec<u8>> = OnceCell::const_new();
    FILE.get_or_init(|| async {
        let directory = tempfile::tempdir().expect("a directory for the new ledger");
        let path = directory.path().join("ledger.db");
        drop(SqliteLedger::open(&path, &LedgerOptions::default()).await.expect("a new ledger opens"));
        let log = rusqlite::Connection::open(&path).expect("opens");
        log.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("the log is written back");
        fs::read(&path).expect("a new ledger is read")
    })
    .await
}

/// Calls a macro once for each engine: with the name of a module, the engine, and whatever else is given.
macro_rules! each_engine {
    ($call:ident $($with:tt)*) => {
        $call! { sqlite, $crate::support::Engine::Sqlite, $($with)* }
    };
}

/// Makes a test of each listed function, which takes the engine; called by [`each_engine`].
macro_rules! cases {
    ($name:ident, $engine:expr, $($case:ident),* $(,)?) => {
        mod $name { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                super::$case($engine).await;
            }
        )* }
    };
}

pub(crate) use {cases, each_engine};
