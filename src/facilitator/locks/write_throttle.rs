//! Turns at the ledger's one writer for work in bulk.
//!
//! Promises: however many promises are planned or captured at the same time, the next payment waits behind a bounded
//! number of their holds. Verbs stand in one line for the writer, and planning a hundred holds takes it as long as accepting
//! a hundred payments: after a start that takes over ten thousand promises, or when many sessions come due together, all
//! of it would stand before whoever pays next. So what carries many holds takes a turn before it gets in line. What
//! carries few, as every payment that is settled per call does, waits for nobody and shares commits as ever.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Holds that bulk work has in the writer's line at once: a few milliseconds of it.
const IN_LINE: u32 = 256;
/// So many are no bulk.
const FEW: usize = 16;

/// The turns.
pub(crate) struct Bulk(Semaphore);

impl Default for Bulk {
    fn default() -> Self {
        Self(Semaphore::new(IN_LINE as usize))
    }
}

impl Bulk {
    /// Waits for a turn for a verb about so many holds; held until the verb is done, and never while another is awaited.
    pub(crate) async fn turn(&self, holds: usize) -> Option<SemaphorePermit<'_>> {
        if holds <= FEW {
            return None;
        }
        let share = u32::try_from(holds).unwrap_or(IN_LINE).min(IN_LINE);
        // An error only of a semaphore that was closed, and this one never is.
        self.0.acquire_many(share).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[test]
    fn bulk_work_takes_turns_and_nobody_else_waits() {
        let bulk = Bulk::default();
        let first = bulk.turn(200).now_or_never().flatten();
        assert!(first.is_some());
        assert!(bulk.turn(100).now_or_never().is_none(), "the line is full");
        assert!(bulk.turn(1).now_or_never().is_some(), "a single payment does not wait");
        drop(first);
        assert!(bulk.turn(100_000).now_or_never().flatten().is_some(), "larger than the line, it has it alone");
    }
}
