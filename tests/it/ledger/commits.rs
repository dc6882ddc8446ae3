//! What only the SQLite engine promises of commits: those who come together share them.

use super::build::{opened, payment};
use futures_util::future::join_all;
use sotto::ledger::{Held, Ledger as _, LedgerOptions, SqliteLedger, Upkeep as _};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_of_holds_shares_commits() {
    let dir = tempfile::tempdir().expect("a directory");
    let ledger = SqliteLedger::open(&dir.path().join("ledger.db"), &LedgerOptions::default()).await.expect("opens");
    let ledger = Arc::new(ledger);
    let session = opened(ledger.as_ref(), 1).await.id;
    let before = ledger.counts();
    let holds = (0..400).map(|number| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move { ledger.hold(&payment(session, number, 1)).await.expect("answers") })
    });
    let answers = join_all(holds.collect::<Vec<_>>()).await;
    assert!(answers.into_iter().all(|answer| matches!(answer, Ok(Held::New(_)))));
    let after = ledger.counts();
    assert_eq!(after.verbs - before.verbs, 400);
    assert!(after.commits - before.commits < 200, "{} commits for 400 verbs", after.commits - before.commits);
}
