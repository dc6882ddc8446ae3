//! Whether our clock agrees with the chain's block time, as the monitor compares them in every round. While they are apart nothing
//! new is granted or opened (`spec/mpp.md` §4); what is owed is settled all the same.

use super::MppShared;
use crate::{
    chain::{ChainError, block_times},
    domain::mpp::clock_difference::ClockDifference,
    facilitator::ClockCheck,
};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// What callers are told while the clocks are apart.
pub(super) const APART: &str =
    "This facilitator's clock and the chain's are apart, so it grants and opens nothing; its operator has to set it.";

/// When it may be worth coming back, in seconds.
pub(super) const AFTER_CLOCK: u64 = 60;

/// How the clocks stood when they were last compared.
#[derive(Default)]
pub(crate) struct LastCompared(Mutex<Option<(ClockDifference, Instant)>>);

impl LastCompared {
    /// Remembers how they stand; true where that changes whether they are too far apart.
    fn saw(&self, difference: ClockDifference) -> bool {
        let before = self.lock().replace((difference, Instant::now()));
        before.is_some_and(|(before, _)| before.is_too_much()) != difference.is_too_much()
    }

    /// Whether they were too far apart; no where they were never compared.
    fn are_apart(&self) -> bool {
        self.lock().is_some_and(|(last, _)| last.is_too_much())
    }

    /// How they stood, where that is at most so old.
    fn young(&self, age: Duration) -> Option<ClockDifference> {
        self.lock().filter(|(_, at)| at.elapsed() <= age).map(|(last, _)| last)
    }

    fn lock(&self) -> MutexGuard<'_, Option<(ClockDifference, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MppShared {
    /// Compares our clock with the block time that endpoints tell; none where they are not compared, or no endpoint tells one.
    pub(crate) async fn compare_clocks(&self) -> Result<Option<ClockDifference>, ChainError> {
        if self.settings.clock == ClockCheck::Skipped {
            return Ok(None);
        }
        let times = block_times(&*self.core.chain).await?;
        let Some(difference) = ClockDifference::of(self.core.clock.now(), &times) else { return Ok(None) };
        if self.clocks.saw(difference) {
            if difference.is_too_much() {
                tracing::error!(detail = %difference, "nothing is granted or opened while the clocks are apart");
            } else {
                tracing::info!(detail = %difference, "the clocks agree again");
            }
        }
        Ok(Some(difference))
    }

    /// How the clocks stood in one of the monitor's last two rounds, and compares them only where there is none: a silent endpoint
    /// keeps no probe waiting.
    pub(crate) async fn clock_difference(&self) -> Result<Option<ClockDifference>, ChainError> {
        match self.clocks.young(self.settings.channels.monitor * 2) {
            Some(last) => Ok(Some(last)),
            None => self.compare_clocks().await,
        }
    }

    /// Whether our clock was last seen too far from the block time.
    pub(super) fn are_clocks_apart(&self) -> bool {
        self.clocks.are_apart()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_when_they_part_and_when_they_agree_again() {
        let (last, at) = (LastCompared::default(), |time| ClockDifference::of(100, &[time]).expect("one time"));
        assert!(!last.are_apart(), "never compared");
        assert!(!last.saw(at(99)));
        assert!(last.saw(at(50)) && last.are_apart());
        assert!(!last.saw(at(40)), "told once");
        assert!(last.saw(at(100)) && !last.are_apart());
        assert_eq!(last.young(Duration::from_mins(1)), Some(at(100)));
        assert_eq!(LastCompared::default().young(Duration::MAX), None);
    }
}
