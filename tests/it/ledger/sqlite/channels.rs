//! What the schema keeps of channels: it may refuse a plan, and never what has happened.

use super::File;
use crate::ledger::{
    build::{amount, landed, recorded},
    cases::{
        channels::{drawn, ends, in_flight, opened, standing},
        delegations::grants,
    },
};
use sotto::ledger::{SqliteLedger, Upkeep as _};

impl File {
    /// From now on every grant was for no more than this, as if an outside tool, or a version of this program, had let more be
    /// planned.
    fn was_granted(&self, limit: u32) {
        let sql = format!(
            "DROP TRIGGER IF EXISTS delegation_grants_keep_their_terms; UPDATE delegation_grants SET spend_limit = {limit}"
        );
        self.raw().execute_batch(&sql).expect("writes");
    }
}

/// Two open channels that owe 40 each.
async fn owing(file: &File) -> SqliteLedger {
    let ledger = file.open().await;
    grants(&ledger, 1, 5_000).await;
    for number in [1, 2] {
        opened(&ledger, 1, number, 1_000).await;
        drawn(&ledger, number, 40).await.expect("drawn");
    }
    ledger
}

/// Guard: no CHECK on `delegation_grants.moved`. A landing that cannot be written is looked at and refused for ever, and takes a
/// place of everybody's meanwhile.
#[tokio::test]
async fn what_has_moved_is_written_however_much_it_is() {
    let file = File::new();
    let ledger = owing(&file).await;
    let (_, planned) = ends(&ledger, 1, 1).await;
    let flying = in_flight(&ledger, &planned.expect("planned"), 3_100).await;
    drop(ledger);
    file.was_granted(39);
    let ledger = file.open().await;
    recorded(&ledger, &flying, landed()).await;
    assert_eq!(standing(&ledger, 1).await.4, 40);
    let found = ledger.audit().await.expect_err("more than was granted").to_string();
    assert!(found.contains("more has moved by it than was granted"), "{found}");
}

/// Guards: `settle::may_move`, and the trigger beneath it.
#[tokio::test]
async fn no_plan_passes_what_was_granted_with_what_is_on_its_way() {
    let file = File::new();
    let ledger = owing(&file).await;
    let (_, first) = ends(&ledger, 1, 1).await;
    assert_eq!(first.map(|first| first.amount), Some(amount(40)));
    drop(ledger);
    file.was_granted(79);
    let plan = "INSERT INTO channel_settlements (settlement, channel, settled_before, amount, sequence, generation) \
        SELECT randomblob(16), c.seq, 0, 40, 1, 0 FROM channels c ORDER BY c.seq DESC LIMIT 1";
    let refused = file.raw().execute_batch(plan).expect_err("is refused").to_string();
    assert!(refused.contains("no more than was granted"), "{refused}");
    let ledger = file.open().await;
    let (_, second) = ends(&ledger, 2, 2).await;
    assert_eq!(second.map(|second| second.amount), Some(amount(39)), "as far as the grant goes");
}
