//! How often the answer to a close has a wallet's account looked at: whoever may close may do it again and again.
//!
//! Kept in memory and bounded: the wallets that were looked at longest ago are forgotten, which only ever allows a look.

use lru::LruCache;
use solana_pubkey::Pubkey;
use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Wallets remembered.
const WALLETS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);
/// How long a wallet's account is not looked at again.
const PAUSE: Duration = Duration::from_secs(5);

/// When each wallet's account was last looked at.
pub(crate) struct LookRate(Mutex<LruCache<Pubkey, Instant>>);

impl LookRate {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(LruCache::new(WALLETS)))
    }

    /// Whether this wallet's account may be looked at now; if so, it counts as looked at.
    pub(crate) fn may_look(&self, wallet: &Pubkey, now: Instant) -> bool {
        let mut wallets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let may = wallets.get(wallet).is_none_or(|at| now.duration_since(*at) >= PAUSE);
        if may {
            wallets.put(*wallet, now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wallets_account_is_looked_at_once_in_a_while() {
        let (rate, wallet, now) = (LookRate::new(), Pubkey::new_unique(), Instant::now());
        assert!(rate.may_look(&wallet, now) && !rate.may_look(&wallet, now + PAUSE / 2));
        assert!(rate.may_look(&Pubkey::new_unique(), now), "of each wallet");
        assert!(rate.may_look(&wallet, now + PAUSE));
    }
}
