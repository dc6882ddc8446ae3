//! How often one payer's signed messages are looked at: each look costs reads of the ledger and the chain.
//!
//! Counted only after the payer's signature was verified, so that nobody uses up another's. Kept in memory and bounded: the
//! payers who asked longest ago are forgotten, which only ever forgives.

use crate::domain::clock::UnixSeconds;
use lru::LruCache;
use solana_pubkey::Pubkey;
use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

/// Payers remembered.
const PAYERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);
/// How many of one payer are looked at in [`SPAN`].
const MOST: u64 = 60;
/// The time over which they are counted, in seconds, from the first of them on.
const SPAN: u64 = 60;

/// Counts each payer's messages.
pub(crate) struct PayerRate(Mutex<LruCache<Pubkey, (UnixSeconds, u64)>>);

impl PayerRate {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(LruCache::new(PAYERS)))
    }

    /// Counts one of this payer, or tells in how many seconds there may be another.
    pub(crate) fn take(&self, payer: &Pubkey, now: UnixSeconds) -> Result<(), u64> {
        let mut payers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match payers.get_mut(payer) {
            Some((since, count)) if now < since.saturating_add(SPAN) => {
                if *count >= MOST {
                    return Err(since.saturating_add(SPAN) - now);
                }
                *count += 1;
            }
            _ => drop(payers.put(*payer, (now, 1))),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payer_asks_so_often_and_no_more_whatever_others_do() {
        let (rate, payer) = (PayerRate::new(), Pubkey::new_unique());
        assert!((0..MOST).all(|_| rate.take(&payer, 1_000).is_ok()));
        assert_eq!(rate.take(&payer, 1_010), Err(50));
        assert_eq!(rate.take(&Pubkey::new_unique(), 1_010), Ok(()));
        assert_eq!(rate.take(&payer, 1_060), Ok(()));
    }
}
