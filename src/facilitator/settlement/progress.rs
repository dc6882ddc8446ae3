//! News that something was recorded of a settlement, for those in this process who wait for it.
//!
//! A hint: what was recorded is read from the ledger, and whoever waits looks there now and then without news.

use super::Settlements;
use crate::{domain::settlement::SettlementId, ledger::LedgerError};
use std::time::Duration;
use tokio::{
    sync::{
        Notify,
        broadcast::{self, error::RecvError},
        futures::Notified,
    },
    time::{Instant, sleep, sleep_until},
};

/// How much news waits for one who waits; one that lags further looks at the ledger.
const WAITING_NEWS: usize = 256;
/// The longest pause between two looks: what another process records brings no news.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Tells those who wait.
pub(crate) struct Progress {
    any: Notify,
    each: broadcast::Sender<SettlementId>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { any: Notify::new(), each: broadcast::channel(WAITING_NEWS).0 }
    }
}

impl Progress {
    /// Something was recorded of this settlement.
    pub(crate) fn tell(&self, settlement: SettlementId) {
        // Nobody waiting is no failure.
        let _ = self.each.send(settlement);
        self.any.notify_waiters();
    }

    /// What followed from a settlement, or was recorded in its place, has happened.
    pub(crate) fn tell_of_any(&self) {
        self.any.notify_waiters();
    }

    /// Waits for news of any settlement. Made before the look, so that no news is lost in between.
    pub(crate) fn of_any(&self) -> Notified<'_> {
        self.any.notified()
    }
}

/// Waits for news of one settlement.
async fn of(news: &mut broadcast::Receiver<SettlementId>, settlement: SettlementId) {
    loop {
        match news.recv().await {
            Ok(told) if told != settlement => {}
            // What was missed may have been of this one.
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Settlements {
    /// What the ledger says of what a settlement carries, when it says that its outcome is known, or when the time is over: looked
    /// at whenever something was recorded of the settlement here.
    pub(crate) async fn await_outcome<T, F>(
        &self,
        settlement: SettlementId,
        deadline: Instant,
        look: impl Fn() -> F,
        is_known: impl Fn(&T) -> bool,
    ) -> Result<T, LedgerError>
    where
        F: Future<Output = Result<T, LedgerError>>,
    {
        // From before the look, so that no news is lost in between.
        let mut news = self.progress.each.subscribe();
        loop {
            let found = look().await?;
            if is_known(&found) || Instant::now() >= deadline {
                return Ok(found);
            }
            tokio::select! {
                () = of(&mut news, settlement) => {}
                () = sleep(LONGEST_PAUSE) => {}
                () = sleep_until(deadline) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn id(byte: u8) -> SettlementId {
        SettlementId(uuid::Uuid::from_bytes([byte; 16]))
    }

    #[tokio::test]
    async fn who_waits_for_one_settlement_is_told_of_that_one() {
        let progress = Progress::default();
        let mut news = progress.each.subscribe();
        progress.tell(id(1));
        progress.tell_of_any();
        assert!(of(&mut news, id(2)).now_or_never().is_none(), "of another");
        progress.tell(id(2));
        assert!(of(&mut news, id(2)).now_or_never().is_some());
        assert!(of(&mut news, id(2)).now_or_never().is_none(), "once");
    }

    #[tokio::test]
    async fn who_has_missed_news_looks() {
        let progress = Progress::default();
        let mut news = progress.each.subscribe();
        (0..=WAITING_NEWS).for_each(|_| progress.tell(id(1)));
        assert!(of(&mut news, id(2)).now_or_never().is_some());
        assert!(of(&mut news, id(2)).now_or_never().is_none());
    }

    #[tokio::test]
    async fn who_waits_for_any_settlement_is_told_of_each() {
        let progress = Progress::default();
        let ways: [fn(&Progress); 2] = [|progress| progress.tell(id(1)), Progress::tell_of_any];
        for tell in ways {
            let news = progress.of_any();
            tell(&progress);
            news.await;
        }
    }
}
