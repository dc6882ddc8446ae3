//! How many requests may wait for the chain: in all, and for one name.
//!
//! A request that waits costs next to nothing but its place among those that wait, and places are what one payer could
//! fill: with closes of one session, with repeats of one payment, with payments that wait for their own opening. So a
//! request that is to wait takes a permit first, under its payer's name; one that finds none is told how things stand, or
//! to come back, at once. Requests that are answered at once need no permit.

use crate::{
    domain::{budget::Credit, session::SessionId},
    facilitator::settings::WaitingSettings,
};
use solana_pubkey::Pubkey;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// How many may wait for one session's close: all of them are told the same.
const AT_ONE_CLOSE: usize = 4;

/// How many permits there are, for one name and in all.
#[derive(Clone, Copy)]
struct Share {
    per_name: usize,
    in_all: usize,
}

/// Bounds how many callers wait at once: per name (a payer, or a session that is closed) and in all.
///
/// Names of which nothing is known have a share of the permits only, because wallets without tokens cost nothing; the first
/// permit of each is beyond that share, so that those who fill it keep nobody else out. They and those whose balance is proved,
/// which a few tokens and minutes buy, leave some to names with credit.
pub(crate) struct WaitQuota<K> {
    everybody: Share,
    newcomers: Share,
    unproven: Share,
    taken: Mutex<Taken<K>>,
}

struct Taken<K> {
    in_all: usize,
    /// Of them by names without credit.
    newcomers: usize,
    /// Of them by names of which nothing was known.
    unproven: usize,
    by_name: HashMap<K, usize>,
}

/// The permit to wait, given back on drop.
pub(crate) struct WaitPermit<K: Eq + Hash> {
    quota: Arc<WaitQuota<K>>,
    name: K,
    credit: Credit,
}

impl<K: Eq + Hash + Copy> WaitQuota<K> {
    fn new(everybody: Share, newcomers: Share, unproven: Share) -> Arc<Self> {
        let taken = Mutex::new(Taken { in_all: 0, newcomers: 0, unproven: 0, by_name: HashMap::new() });
        Arc::new(Self { everybody, newcomers, unproven, taken })
    }

    /// A permit for one more of this name, while there is one for it.
    pub(crate) fn acquire(self: &Arc<Self>, name: K, credit: Credit) -> Option<WaitPermit<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_name = taken.by_name.get(&name).copied().unwrap_or_default();
        let is_full = |share: Share, in_all: usize| of_name >= share.per_name || in_all >= share.in_all;
        if is_full(self.everybody, taken.in_all) {
            return None;
        }
        if credit != Credit::Earned && is_full(self.newcomers, taken.newcomers) {
            return None;
        }
        if credit == Credit::Start && of_name > 0 && is_full(self.unproven, taken.unproven) {
            return None;
        }
        taken.newcomers += usize::from(credit != Credit::Earned);
        taken.unproven += usize::from(credit == Credit::Start);
        taken.in_all += 1;
        taken.by_name.insert(name, of_name + 1);
        Some(WaitPermit { quota: Arc::clone(self), name, credit })
    }
}

impl<K: Eq + Hash> Drop for WaitPermit<K> {
    fn drop(&mut self) {
        let mut taken = self.quota.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all -= 1;
        taken.newcomers -= usize::from(self.credit != Credit::Earned);
        taken.unproven -= usize::from(self.credit == Credit::Start);
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
    users: Arc<WaitQuota<Pubkey>>,
    /// Those of them that wait for a close.
    closes: Arc<WaitQuota<SessionId>>,
}

impl WaitQuotas {
    pub(crate) fn new(settings: &WaitingSettings) -> Self {
        let everybody = Share { per_name: settings.per_user, in_all: settings.in_all };
        let newcomers = Share { per_name: settings.per_user, in_all: settings.newcomers_in_all };
        let unproven = Share { per_name: settings.per_unproven_user, in_all: settings.unproven_in_all };
        let at_one_close = Share { per_name: AT_ONE_CLOSE, in_all: usize::MAX };
        Self {
            users: WaitQuota::new(everybody, newcomers, unproven),
            closes: WaitQuota::new(at_one_close, at_one_close, at_one_close),
        }
    }

    /// A permit of this payer, while there is one: of the share of those of whom nothing is known first. Only when that is
    /// used up is it asked what is known of the payer, because the answer costs a look.
    pub(crate) async fn acquire(
        &self,
        user: Pubkey,
        credit: impl Future<Output = Credit>,
    ) -> Option<WaitPermit<Pubkey>> {
        if let Some(permit) = self.users.acquire(user, Credit::Start) {
            return Some(permit);
        }
        match credit.await {
            Credit::Start => None,
            known => self.users.acquire(user, known),
        }
    }

    /// As [`WaitQuotas::acquire`], for a caller who waits for this session's close.
    pub(crate) async fn acquire_for_close(
        &self,
        session: SessionId,
        user: Pubkey,
        credit: impl Future<Output = Credit>,
    ) -> Option<(WaitPermit<SessionId>, WaitPermit<Pubkey>)> {
        let close = self.closes.acquire(session, Credit::Earned)?;
        Some((close, self.acquire(user, credit).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_so_many_permits_and_all_names_together_have_so_many() {
        let share = Share { per_name: 2, in_all: 3 };
        let quota = WaitQuota::new(share, share, share);
        let acquire = |name| quota.acquire(name, Credit::Start);
        let mut mine: Vec<_> = (0..2).filter_map(|_| acquire(1)).collect();
        assert_eq!((mine.len(), acquire(1).is_none()), (2, true));
        let second = acquire(2);
        assert!(second.is_some() && acquire(3).is_none(), "full");
        mine.pop();
        let other = acquire(3);
        assert!(other.is_some() && acquire(1).is_none());
        drop((mine, second, other));
        let taken = quota.taken.lock();
        let is_empty = |taken: &Taken<_>| {
            taken.in_all == 0 && taken.newcomers == 0 && taken.unproven == 0 && taken.by_name.is_empty()
        };
        assert!(taken.is_ok_and(|taken| is_empty(&taken)), "nothing is left behind");
    }

    #[test]
    fn names_of_which_nothing_is_known_have_a_share_and_leave_the_rest_to_the_others() {
        let everybody = Share { per_name: 4, in_all: 6 };
        let quota = WaitQuota::new(everybody, everybody, Share { per_name: 2, in_all: 3 });
        let strangers: Vec<_> =
            [1, 1, 1, 2, 2, 3].into_iter().filter_map(|name| quota.acquire(name, Credit::Start)).collect();
        assert_eq!(
            strangers.len(),
            4,
            "two of the first, one of the second: their share is used up, but for one of the third"
        );
        let known: Vec<_> = (0..5).filter_map(|_| quota.acquire(9, Credit::Newcomer)).collect();
        assert_eq!(known.len(), 2, "everything else");
    }

    #[test]
    fn neither_proofs_nor_first_requests_take_what_is_kept_for_payers_with_credit() {
        let everybody = Share { per_name: 4, in_all: 8 };
        let quota = WaitQuota::new(everybody, Share { in_all: 6, ..everybody }, Share { per_name: 2, in_all: 3 });
        let proven: Vec<_> =
            [1, 1, 1, 1, 2].into_iter().filter_map(|name| quota.acquire(name, Credit::Newcomer)).collect();
        let first: Vec<_> = (3..9).filter_map(|name| quota.acquire(name, Credit::Start)).collect();
        assert_eq!((proven.len(), first.len()), (5, 1), "six for all who have no credit");
        let regular: Vec<_> = (0..4).filter_map(|_| quota.acquire(20, Credit::Earned)).collect();
        assert_eq!(regular.len(), 2, "everything else");
    }
}
