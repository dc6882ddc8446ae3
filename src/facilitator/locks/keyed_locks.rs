//! Locks by key that vanish when nobody holds them.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// How many keys are kept before the first look for unused ones.
const FIRST_SWEEP: usize = 1024;

/// One `L` per key, alive for as long as somebody holds it.
pub(crate) struct KeyedLocks<K, L>(Mutex<Locks<K, L>>);

struct Locks<K, L> {
    by_key: HashMap<K, Weak<L>>,
    /// At how many keys those that nobody uses are forgotten next.
    sweep_at: usize,
}

impl<K, L> Default for KeyedLocks<K, L> {
    fn default() -> Self {
        Self(Mutex::new(Locks { by_key: HashMap::new(), sweep_at: FIRST_SWEEP }))
    }
}

impl<K: Eq + Hash + Clone, L> KeyedLocks<K, L> {
    /// The lock of this key; a new one is made by `make`.
    pub(crate) fn lock_of(&self, key: &K, make: impl FnOnce() -> L) -> Arc<L> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.by_key.get(key).and_then(Weak::upgrade) {
            return lock;
        }
        if locks.by_key.len() >= locks.sweep_at {
            locks.by_key.retain(|_, lock| lock.strong_count() > 0);
            // Twice what is left, so that a look is paid for by as many new keys.
            locks.sweep_at = FIRST_SWEEP.max(2 * locks.by_key.len());
        }
        let lock = Arc::new(make());
        locks.by_key.insert(key.clone(), Arc::downgrade(&lock));
        lock
    }
}
