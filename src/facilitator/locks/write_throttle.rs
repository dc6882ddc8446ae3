//! A limit on the holds that large ledger writes have in the writer's line at once.
//!
//! Promises: however many promises are planned or captured at the same time, the next payment waits behind a bounded
//! number of their holds. Verbs wait in one line for the writer, and planning a hundred holds takes it as long as accepting
//! a hundred payments: after a start that takes over ten thousand promises, or when many sessions come due together, all
//! of it would go before the next payment. So a verb about many holds takes a permit before it gets in line. A verb about
//! few, as of every payment that is settled per call, waits for nothing here and shares commits as ever.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Holds that large verbs have in the writer's line at once: a few milliseconds of it.
const IN_LINE: u32 = 256;
/// A ledger write about at most so many holds is small and takes no permit.
const FEW: usize = 16;

/// Permits for large ledger writes: one for each hold, [`IN_LINE`] in all.
pub(crate) struct WriteThrottle(Semaphore);

impl Default for WriteThrottle {
    fn default() -> Self {
        Self(Semaphore::new(IN_LINE as usize))
    }
}

impl WriteThrottle {
    /// Waits for the permit of a verb about so many holds; kept until the verb is done, and never while another is awaited.
    pub(crate) async fn acquire(&self, holds: usize) -> Option<SemaphorePermit<'_>> {
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
    fn large_writes_wait_for_each_other_and_small_ones_for_nothing() {
        let throttle = WriteThrottle::default();
        let first = throttle.acquire(200).now_or_never().flatten();
        assert!(first.is_some());
        assert!(throttle.acquire(100).now_or_never().is_none(), "the line is full");
        assert!(throttle.acquire(1).now_or_never().is_some(), "a single payment does not wait");
        drop(first);
        assert!(throttle.acquire(100_000).now_or_never().flatten().is_some(), "larger than the line, it has it alone");
    }
}
