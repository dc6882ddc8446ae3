//! Which ledger a test runs on.
//!
//! Tests that have to hold for every engine are listed in a macro that [`each_engine`] calls once for each: another
//! engine is one line there, and what opens it in [`Engine::open`].

use sotto::ledger::{Ledger, LedgerOptions, SqliteLedger};
use std::{path::Path, sync::Arc};

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
                let ledger = SqliteLedger::open(&directory.join(name), &LedgerOptions::default()).await;
                Arc::new(ledger.expect("the ledger opens"))
            }
        }
    }
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
