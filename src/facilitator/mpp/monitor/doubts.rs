//! What was seen once and is acted upon only when it is seen again: one node may lag, or lie once.

use solana_pubkey::Pubkey;
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// What may be doubted of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Doubt {
    /// The grant is gone.
    Gone,
    /// The account is frozen.
    Frozen,
    /// Nothing is left to pay what is owed.
    Empty,
}

/// Since when what is doubted.
#[derive(Default)]
pub(super) struct Doubts(Mutex<HashMap<(Pubkey, Doubt), Instant>>);

impl Doubts {
    /// Whether it was seen before, at least `apart` ago; the first time it is remembered.
    pub(super) fn is_seen_again(&self, account: &Pubkey, doubt: Doubt, apart: Duration, now: Instant) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *seen.entry((*account, doubt)).or_insert(now);
        now.saturating_duration_since(since) >= apart
    }

    /// It was not seen this time.
    pub(super) fn dispel(&self, account: &Pubkey, doubt: Doubt) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(*account, doubt));
    }

    /// Forgets accounts on which nothing stands any more.
    pub(super) fn keep_only(&self, accounts: &[Pubkey]) {
        let wanted: HashSet<&Pubkey> = accounts.iter().collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(account, _), _| wanted.contains(account));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_counts_when_it_is_seen_again_and_not_at_once() {
        let (doubts, account, apart) = (Doubts::default(), Pubkey::new_from_array([1; 32]), Duration::from_secs(15));
        let now = Instant::now();
        let is = |doubt, seconds| doubts.is_seen_again(&account, doubt, apart, now + Duration::from_secs(seconds));
        assert!(!is(Doubt::Gone, 0) && !is(Doubt::Gone, 14));
        assert!(!is(Doubt::Empty, 14), "each by itself");
        assert!(is(Doubt::Gone, 15));
        doubts.dispel(&account, Doubt::Gone);
        assert!(!is(Doubt::Gone, 16));
        doubts.keep_only(&[]);
        assert!(!is(Doubt::Empty, 30));
    }
}
