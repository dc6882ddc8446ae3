//! How many promises each payer made lately: each is a row that stays in the ledger for ever, and costs its payer nothing.
//!
//! Kept in memory, and bounded: the payers who were promised longest ago are forgotten, which only ever forgives, and so
//! does a restart. It decides nothing about money: what is beyond is settled per call.

use crate::domain::clock::{HOUR, UnixSeconds};
use lru::LruCache;
use solana_pubkey::Pubkey;
use std::{
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Payers remembered.
const PAYERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(65_535);

/// One payer's promises since some moment.
#[derive(Clone, Copy)]
struct Counted {
    since: UnixSeconds,
    count: u64,
}

/// Counts each payer's promises by the hour, which begins with the first of them.
pub(crate) struct PromiseQuota {
    most: u64,
    payers: Mutex<LruCache<Pubkey, Counted>>,
}

impl PromiseQuota {
    /// Allows each payer so many in an hour.
    pub(crate) fn new(most: u64) -> Self {
        Self { most, payers: Mutex::new(LruCache::new(PAYERS)) }
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Pubkey, Counted>> {
        self.payers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this payer may be promised one more at `now`.
    pub(crate) fn allows(&self, user: &Pubkey, now: UnixSeconds) -> bool {
        self.lock().peek(user).is_none_or(|counted| counted.is_over(now) || counted.count < self.most)
    }

    /// Counts one promise of this payer, made at `now`.
    pub(crate) fn count(&self, user: &Pubkey, now: UnixSeconds) {
        let mut payers = self.lock();
        match payers.get_mut(user) {
            Some(counted) if !counted.is_over(now) => counted.count += 1,
            _ => drop(payers.put(*user, Counted { since: now, count: 1 })),
        }
    }
}

impl Counted {
    const fn is_over(self, now: UnixSeconds) -> bool {
        now >= self.since.saturating_add(HOUR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payer_is_promised_so_many_in_an_hour_from_the_first_on() {
        let (quota, user) = (PromiseQuota::new(2), Pubkey::new_unique());
        for now in [1_000, 4_000] {
            assert!(quota.allows(&user, now));
            quota.count(&user, now);
        }
        assert!(!quota.allows(&user, 4_599) && quota.allows(&Pubkey::new_unique(), 4_599), "of each payer");
        assert!(quota.allows(&user, 4_600));
        quota.count(&user, 4_600);
        quota.count(&user, 8_199);
        assert!(!quota.allows(&user, 8_199) && quota.allows(&user, 8_200));
    }

    #[test]
    fn a_limit_of_none_allows_all_and_of_nothing_none() {
        let user = Pubkey::new_unique();
        let (all, none) = (PromiseQuota::new(u64::MAX), PromiseQuota::new(0));
        all.count(&user, 5);
        assert!(all.allows(&user, 5));
        none.count(&user, 5);
        assert!(!none.allows(&user, 5));
    }
}
