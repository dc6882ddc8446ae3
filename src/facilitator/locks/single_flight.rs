//! Who works on what in this process, so that no two tasks do the same work at once.
//!
//! Only a convenience: the ledger decides races between processes, and between tasks that do not ask here.

use std::{
    collections::HashSet,
    hash::Hash,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Ids that some task works on.
pub(crate) struct Claims<K>(Mutex<HashSet<K>>);

impl<K> Default for Claims<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// The right to work on one id, given back on drop. `C` is the way to where it is given back.
pub(crate) struct Claim<K: Copy + Eq + Hash, C: Deref<Target = Claims<K>>> {
    claims: C,
    id: K,
}

impl<K: Copy + Eq + Hash> Claims<K> {
    /// The right to work on `id`, unless somebody has it.
    pub(crate) fn claim(&self, id: K) -> Option<Claim<K, &Self>> {
        // Lazily: a claim made and dropped here would give back what somebody else holds.
        self.lock().insert(id).then(|| Claim { claims: self, id })
    }

    /// The same for a task that outlives whoever starts it.
    pub(crate) fn claim_owned(self: &Arc<Self>, id: K) -> Option<Claim<K, Arc<Self>>> {
        self.lock().insert(id).then(|| Claim { claims: Arc::clone(self), id })
    }

    /// Whether somebody works on `id`.
    pub(crate) fn is_claimed(&self, id: K) -> bool {
        self.lock().contains(&id)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash, C: Deref<Target = Claims<K>>> Drop for Claim<K, C> {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.id);
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
    /// Marks `id`.
    pub(crate) fn remember(&self, id: K) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
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
    fn a_second_claim_is_refused_and_leaves_the_first_alone() {
        let claims = Claims::default();
        let first = claims.claim(1);
        assert!(claims.claim(1).is_none());
        assert!(claims.is_claimed(1));
        drop(first);
        assert!(claims.claim(1).is_some());
    }
}
