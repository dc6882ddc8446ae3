//! Accounts that somebody has a reason to doubt: the monitor looks at them before its next round.

use solana_pubkey::Pubkey;
use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};
use tokio::sync::Notify;

/// The accounts that are suspected.
#[derive(Default)]
pub(crate) struct Suspects {
    accounts: Mutex<HashSet<Pubkey>>,
    told: Notify,
}

impl Suspects {
    /// Has an account looked at.
    pub(super) fn add(&self, account: &Pubkey) {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).insert(*account);
        self.told.notify_one();
    }

    /// Waits until there are some, and takes them.
    pub(crate) async fn taken(&self) -> Vec<Pubkey> {
        loop {
            self.told.notified().await;
            let taken: Vec<Pubkey> = self.accounts.lock().unwrap_or_else(PoisonError::into_inner).drain().collect();
            if !taken.is_empty() {
                return taken;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_suspected_twice_is_looked_at_once() {
        let (suspects, account) = (Suspects::default(), Pubkey::new_from_array([1; 32]));
        suspects.add(&account);
        suspects.add(&account);
        assert_eq!(suspects.taken().await, [account]);
        assert!(suspects.accounts.lock().expect("no panic").is_empty());
    }
}
