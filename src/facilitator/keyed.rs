//! Locks by key that vanish when nobody holds them.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// One `L` per key, alive for as long as somebody holds it.
pub(super) struct Keyed<K, L>(Mutex<HashMap<K, Weak<L>>>);

impl<K, L> Default for Keyed<K, L> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone, L> Keyed<K, L> {
    /// The lock of this key; a new one is made by `make`.
    pub(super) fn lock_of(&self, key: &K, make: impl FnOnce() -> L) -> Arc<L> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(key).and_then(Weak::upgrade) {
            return lock;
        }
        // A new key is the moment to forget keys that nobody uses; amortised, because the map halves at least.
        if locks.len() >= 1024 && locks.len().is_power_of_two() {
            locks.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::new(make());
        locks.insert(key.clone(), Arc::downgrade(&lock));
        lock
    }
}
