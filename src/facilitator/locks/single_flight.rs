//! One task for each key: which tasks of this process work on what, so that no two do the same work at once.
//!
//! A hint: the ledger decides races between processes, and between tasks that do not ask here.

use std::{
    collections::HashSet,
    hash::Hash,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Keys that some task works on.
pub(crate) struct SingleFlight<K>(Mutex<HashSet<K>>);

impl<K> Default for SingleFlight<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// The right to work on one key, given back on drop. `F` is the way to where it is given back.
pub(crate) struct Running<K: Copy + Eq + Hash, F: Deref<Target = SingleFlight<K>>> {
    flights: F,
    id: K,
}

impl<K: Copy + Eq + Hash> SingleFlight<K> {
    /// The right to work on `id`, unless somebody has it.
    pub(crate) fn start(&self, id: K) -> Option<Running<K, &Self>> {
        // Lazily: a right made and dropped here would give back what somebody else holds.
        self.lock().insert(id).then(|| Running { flights: self, id })
    }

    /// Like [`SingleFlight::start`], for a task that outlives its caller.
    pub(crate) fn start_owned(self: &Arc<Self>, id: K) -> Option<Running<K, Arc<Self>>> {
        self.lock().insert(id).then(|| Running { flights: Arc::clone(self), id })
    }

    /// Whether somebody works on `id`.
    pub(crate) fn is_running(&self, id: K) -> bool {
        self.lock().contains(&id)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash, F: Deref<Target = SingleFlight<K>>> Drop for Running<K, F> {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.id);
    }
}

/// Ids that something is to be remembered of while this process lives.
pub(crate) struct Marks<K>(Mutex<HashSet<K>>);

impl<K> Default for Marks<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Eq + Hash> Marks<K> {
    /// Marks `id`; true when it was not marked before.
    pub(crate) fn remember(&self, id: K) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id)
    }

    /// Takes the mark off `id`.
    pub(crate) fn forget(&self, id: K) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Whether `id` is marked.
    pub(crate) fn contains(&self, id: K) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_task_is_refused_and_leaves_the_first_alone() {
        let flights = SingleFlight::default();
        let first = flights.start(1);
        assert!(flights.start(1).is_none());
        assert!(flights.is_running(1));
        drop(first);
        assert!(flights.start(1).is_some());
    }
}
