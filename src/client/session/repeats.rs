//! How often the facilitator is asked again, and until when.

use super::{FIRST_PAUSE, LONGEST_PAUSE};
use std::time::Duration;
use tokio::time::Instant;

/// The repeats of one question, within the patience of the caller.
pub(in crate::client) struct Repeats {
    started: Instant,
    patience: Duration,
    next: Duration,
}

impl Repeats {
    /// Repeats that end before `patience` from now is over.
    pub(in crate::client) fn within(patience: Duration) -> Self {
        Self { started: Instant::now(), patience, next: FIRST_PAUSE }
    }

    /// Waits before the next repeat, as long as was `asked` for or longer; false at once where patience would end meanwhile.
    pub(in crate::client) async fn wait(&mut self, asked: Option<Duration>) -> bool {
        let pause = asked.unwrap_or_default().max(self.next);
        if self.started.elapsed().saturating_add(pause) >= self.patience {
            return false;
        }
        tokio::time::sleep(pause).await;
        self.next = self.next.saturating_mul(2).min(LONGEST_PAUSE);
        true
    }
}
