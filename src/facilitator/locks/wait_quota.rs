//! How many requests may wait for the chain: in all, and for one name.
//!
//! A request that waits costs next to nothing but its place among those that wait, and places are what one payer could
//! fill: with closes of one session, with repeats of one payment, with payments that wait for their own opening. So a
//! request that is to wait takes a permit first, under its payer's name; one that finds none is told how things stand, or
//! to come back, at once. Requests that are answered at once need no permit.

use crate::{domain::session::SessionId, facilitator::settings::WaitingSettings};
use solana_pubkey::Pubkey;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// How many may wait for one session's close: all of them are told the same.
const AT_ONE_CLOSE: usize = 4;

/// Bounds how many callers wait at once: per name (a payer, or a session that is closed) and in all.
pub(crate) struct WaitQuota<K> {
    per_name: usize,
    in_all: usize,
    taken: Mutex<Taken<K>>,
}

struct Taken<K> {
    in_all: usize,
    by_name: HashMap<K, usize>,
}

/// The permit to wait, given back on drop.
pub(crate) struct WaitPermit<K: Eq + Hash> {
    quota: Arc<WaitQuota<K>>,
    name: K,
}

impl<K: Eq + Hash + Copy> WaitQuota<K> {
    fn new(per_name: usize, in_all: usize) -> Arc<Self> {
        Arc::new(Self { per_name, in_all, taken: Mutex::new(Taken { in_all: 0, by_name: HashMap::new() }) })
    }

    /// A permit for one more of this name, while there is one for it.
    pub(crate) fn acquire(self: &Arc<Self>, name: K) -> Option<WaitPermit<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_name = taken.by_name.get(&name).copied().unwrap_or_default();
        if of_name >= self.per_name || taken.in_all >= self.in_all {
            return None;
        }
        taken.in_all += 1;
        taken.by_name.insert(name, of_name + 1);
        Some(WaitPermit { quota: Arc::clone(self), name })
    }
}

impl<K: Eq + Hash> Drop for WaitPermit<K> {
    fn drop(&mut self) {
        let mut taken = self.quota.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all -= 1;
        if let Some(count) = taken.by_name.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                taken.by_name.remove(&self.name);
            }
        }
    }
}

/// The wait quotas of one facilitator.
pub(crate) struct WaitQuotas {
    /// Every request that waits, by the payer whose transfers, openings or closes it waits for.
    pub(crate) users: Arc<WaitQuota<Pubkey>>,
    /// Those of them that wait for a close.
    pub(crate) closes: Arc<WaitQuota<SessionId>>,
}

impl WaitQuotas {
    pub(crate) fn new(settings: &WaitingSettings) -> Self {
        Self {
            users: WaitQuota::new(settings.per_user, settings.in_all),
            closes: WaitQuota::new(AT_ONE_CLOSE, usize::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_so_many_permits_and_all_names_together_have_so_many() {
        let quota = WaitQuota::new(2, 3);
        let mut mine: Vec<_> = (0..2).filter_map(|_| quota.acquire(1)).collect();
        assert_eq!((mine.len(), quota.acquire(1).is_none()), (2, true));
        let second = quota.acquire(2);
        assert!(second.is_some() && quota.acquire(3).is_none(), "full");
        mine.pop();
        let other = quota.acquire(3);
        assert!(other.is_some() && quota.acquire(1).is_none());
        drop((mine, second, other));
        let taken = quota.taken.lock();
        assert!(taken.is_ok_and(|taken| taken.in_all == 0 && taken.by_name.is_empty()), "nothing is left behind");
    }
}
