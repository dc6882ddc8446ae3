//! Two kinds of waiting in line, both first come first served.
//!
//! *Accounts*: with decrypt allowances on, a settlement names the handles its two token accounts will have, so at most
//! one transfer per token account may be in flight. *Openings*: while a new approve of a user is being landed, no
//! payment of that user's other sessions is accepted, so that an approve never backs what it did not count.

use solana_pubkey::Pubkey;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Locks by key that vanish when nobody holds them.
struct Keyed<K>(Mutex<HashMap<K, Weak<RwLock<()>>>>);

impl<K> Default for Keyed<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone> Keyed<K> {
    fn lock_of(&self, key: &K) -> Arc<RwLock<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(key).and_then(Weak::upgrade) {
            return lock;
        }
        // A new key is the moment to forget keys that nobody uses; amortised, because the map halves at least.
        if locks.len() >= 1024 && locks.len().is_power_of_two() {
            locks.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::new(RwLock::new(()));
        locks.insert(key.clone(), Arc::downgrade(&lock));
        lock
    }
}

/// All gates of one facilitator.
#[derive(Default)]
pub(super) struct Gates {
    accounts: Keyed<Pubkey>,
    openings: Keyed<(Pubkey, Pubkey)>,
    /// Held from counting the sessions that were opened lately to writing one more.
    pub(super) quota: tokio::sync::Mutex<()>,
}

/// Both token accounts of a transfer, held.
pub(super) struct AccountsHeld {
    _guards: [OwnedRwLockWriteGuard<()>; 2],
}

impl Gates {
    /// Waits for both accounts, always in key order so that two transfers cannot wait for each other.
    pub(super) async fn accounts(&self, one: &Pubkey, other: &Pubkey) -> AccountsHeld {
        let (first, second) = if one <= other { (one, other) } else { (other, one) };
        let first = self.accounts.lock_of(first).write_owned().await;
        let second = self.accounts.lock_of(second).write_owned().await;
        AccountsHeld { _guards: [first, second] }
    }

    /// Waits for one account.
    pub(super) async fn account(&self, account: &Pubkey) -> OwnedRwLockWriteGuard<()> {
        self.accounts.lock_of(account).write_owned().await
    }

    /// Waits until no opening of this user and asset is under way, and keeps one from starting.
    pub(super) async fn paying(&self, user: &Pubkey, asset: &Pubkey) -> OwnedRwLockReadGuard<()> {
        self.openings.lock_of(&(*user, *asset)).read_owned().await
    }

    /// Waits for payments of this user and asset that are being accepted, and keeps new ones out.
    pub(super) async fn opening(&self, user: &Pubkey, asset: &Pubkey) -> OwnedRwLockWriteGuard<()> {
        self.openings.lock_of(&(*user, *asset)).write_owned().await
    }

    /// The same, unless somebody is inside.
    pub(super) fn try_opening(&self, user: &Pubkey, asset: &Pubkey) -> Option<OwnedRwLockWriteGuard<()>> {
        self.openings.lock_of(&(*user, *asset)).try_write_owned().ok()
    }
}
