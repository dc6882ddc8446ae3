//! How often one payer's signed messages are looked at: each look costs reads of the ledger and the chain.
//!
//! Counted only after the payer's signature was verified, so that nobody uses up another's; and few of one message, because
//! whoever was shown one can send it as often as they like. Kept in memory and bounded: who asked longest ago is forgotten,
//! which only ever forgives.

use crate::domain::{clock::UnixSeconds, hold::ContentHash};
use lru::LruCache;
use solana_pubkey::Pubkey;
use std::{
    hash::Hash,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

/// Payers remembered, and messages.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);
/// How many looks one payer has in [`SPAN`].
const MOST: u64 = 60;
/// How many of them are at one message.
const MOST_OF_MESSAGE: u64 = 5;
/// The time over which they are counted, in seconds, from the first of them on.
const SPAN: u64 = 60;

/// Counts looks at each payer's messages.
pub(crate) struct PayerRate(Mutex<Looks>);

struct Looks {
    payers: Counts<Pubkey>,
    messages: Counts<(Pubkey, ContentHash)>,
}

/// How many there were of each, since when.
struct Counts<K: Hash + Eq>(LruCache<K, (UnixSeconds, u64)>);

impl<K: Hash + Eq> Counts<K> {
    fn new() -> Self {
        Self(LruCache::new(REMEMBERED))
    }

    /// Counts one of this key, or tells in how many seconds there may be another than these.
    fn take(&mut self, key: K, most: u64, now: UnixSeconds) -> Result<(), u64> {
        match self.0.get_mut(&key) {
            Some((since, count)) if now < since.saturating_add(SPAN) => {
                if *count >= most {
                    return Err(since.saturating_add(SPAN) - now);
                }
                *count += 1;
            }
            _ => drop(self.0.put(key, (now, 1))),
        }
        Ok(())
    }
}

impl PayerRate {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Looks { payers: Counts::new(), messages: Counts::new() }))
    }

    /// Counts one look at this message, or tells in how many seconds there may be another. What is too much of one message
    /// counts for no other of its payer.
    pub(crate) fn take(&self, payer: &Pubkey, message: ContentHash, now: UnixSeconds) -> Result<(), u64> {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.messages.take((*payer, message), MOST_OF_MESSAGE, now)?;
        looks.payers.take(*payer, MOST, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of a payer, each looked at once.
    fn messages() -> impl Iterator<Item = ContentHash> {
        (0..=u8::MAX).map(|number| ContentHash([number; 32]))
    }

    #[test]
    fn a_payer_asks_so_often_and_no_more_whatever_others_do() {
        let (rate, payer, last) = (PayerRate::new(), Pubkey::new_unique(), ContentHash([255; 32]));
        assert_eq!(messages().take_while(|message| rate.take(&payer, *message, 1_000).is_ok()).count(), 60);
        assert_eq!(rate.take(&payer, last, 1_010), Err(50));
        assert_eq!(rate.take(&Pubkey::new_unique(), last, 1_010), Ok(()));
        assert_eq!(rate.take(&payer, last, 1_060), Ok(()));
    }

    #[test]
    fn one_message_uses_up_a_twelfth_of_its_payers_looks_however_often_it_is_sent() {
        let (rate, payer, message) = (PayerRate::new(), Pubkey::new_unique(), ContentHash([255; 32]));
        assert!((0..5).all(|_| rate.take(&payer, message, 1_000).is_ok()));
        assert!((0..100).all(|_| rate.take(&payer, message, 1_010) == Err(50)));
        assert_eq!(messages().take_while(|message| rate.take(&payer, *message, 1_010).is_ok()).count(), 55);
        assert_eq!(rate.take(&payer, message, 1_060), Ok(()));
    }
}
