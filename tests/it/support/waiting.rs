//! Waiting for what happens in the background: for the thing itself, looked at again and again, and never for a time that
//! it should have taken. How long that is depends on what else the machine does.

use super::World;
use sotto::ledger::Ledger;
use std::time::Duration;

/// Longer than anything takes, on a busy machine too: only a test that fails waits for it.
pub const PATIENCE: Duration = Duration::from_mins(5);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// What `outcome` gives; fails with these words when it does not come at all.
pub async fn in_time<T>(what: &str, outcome: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, outcome).await.unwrap_or_else(|_| panic!("it never came to pass: {what}"))
}

/// Waits until something is so.
pub async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    in_time(what, async {
        while !is().await {
            look_again().await;
        }
    })
    .await;
}

/// What stays when everything else has come to its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Left {
    /// Settlements that only an operator can decide on.
    pub settlements: usize,
    /// Units that stay held: by these settlements, or because they were promised and nothing settles them.
    pub units: u64,
}

/// Waits until everything that a ledger knows of has come to its end: nothing is unfinished and nothing is held.
///
/// What is held rests in no settlement before it is planned, and again after a fork took its settlement back. So neither
/// look is enough alone, and what lands between the two is still unfinished at the third.
pub async fn quiet(ledger: &dyn Ledger) {
    quiet_but_for(ledger, Left::default()).await;
}

/// Like [`quiet`], but for what is left.
pub async fn quiet_but_for(ledger: &dyn Ledger, left: Left) {
    let waits = async {
        while !is_quiet_but_for(ledger, left).await {
            look_again().await;
        }
    };
    if tokio::time::timeout(PATIENCE, waits).await.is_err() {
        let (unfinished, totals) = (ledger.unfinished().await.unwrap(), ledger.totals(None).await.unwrap());
        panic!("never quiet: {totals:?} {unfinished:#?}");
    }
}

async fn is_quiet_but_for(ledger: &dyn Ledger, left: Left) -> bool {
    ledger.unfinished().await.unwrap().len() == left.settlements
        && ledger.totals(None).await.unwrap().held.get() == left.units
        && ledger.unfinished().await.unwrap().len() == left.settlements
}

/// The pause before something is looked at again that has no event to wait for.
pub async fn look_again() {
    tokio::time::sleep(LOOK).await;
}

impl World {
    /// Waits until the facilitator has nothing more to do: see [`quiet`].
    pub async fn quiet(&self) {
        quiet(self.ledger()).await;
    }

    /// Waits until something is so; when it never is, tells what was unfinished.
    pub async fn until(&self, what: &str, mut is: impl AsyncFnMut() -> bool) {
        let waits = async {
            while !is().await {
                look_again().await;
            }
        };
        if tokio::time::timeout(PATIENCE, waits).await.is_err() {
            let unfinished = self.ledger().unfinished().await.unwrap();
            panic!("it never came to pass: {what}: {unfinished:#?}");
        }
    }
}
