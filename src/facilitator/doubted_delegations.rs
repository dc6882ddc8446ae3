//! Payers whose accounts show a delegated amount that nothing explains yet.
//!
//! Promises: while a payer is here nothing counts as proven for them, and nothing is promised. Losing it costs one round of the
//! monitor.

use solana_pubkey::Pubkey;
use std::{
    collections::HashSet,
    sync::{PoisonError, RwLock},
};

/// The payers whose delegation is doubted.
#[derive(Default)]
pub(crate) struct DoubtedDelegations(RwLock<HashSet<Pubkey>>);

impl DoubtedDelegations {
    /// Whether this payer's delegation is doubted.
    pub(crate) fn contains(&self, user: &Pubkey) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(user)
    }

    /// Doubts it. True where it was not doubted before.
    pub(crate) fn doubt(&self, user: &Pubkey) -> bool {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(*user)
    }

    /// What stands for the payer's account is known.
    pub(crate) fn clear(&self, user: &Pubkey) {
        if self.contains(user) {
            self.0.write().unwrap_or_else(PoisonError::into_inner).remove(user);
        }
    }
}
