//! What the monitor remembers while this process lives, and what it may spend.

use crate::facilitator::history::ExamineError;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// The requests that one round may still make.
pub(super) struct Budget(pub(super) u32);

impl Budget {
    /// Takes one request.
    pub(super) fn spend(&mut self) -> Result<(), ExamineError> {
        self.0 = self.0.checked_sub(1).ok_or(ExamineError::Unfinished)?;
        Ok(())
    }
}

/// What was seen of one account at earlier looks.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// The balance's handle at the last examination.
    pub(super) handle: u128,
    /// Whether its history was examined when that handle had stood for a whole look already: then nothing that made it
    /// can still be missing from the list.
    pub(super) still: bool,
    /// Entries that can only have added, and will be listed again.
    pub(super) harmless: HashSet<Signature>,
}

/// The monitor's memory. Losing it costs requests and nothing else.
#[derive(Default)]
pub(super) struct Watch {
    newest: AtomicU64,
    accounts: Mutex<HashMap<Pubkey, Known>>,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, HashMap<Pubkey, Known>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The chain is known to have reached this slot: a node that does not know it is not believed.
    pub(super) fn saw(&self, slot: u64) {
        self.newest.fetch_max(slot, Ordering::Relaxed);
    }

    /// The newest slot that anybody told us of.
    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Relaxed)
    }

    /// What is known of this user's account.
    pub(super) fn known(&self, user: &Pubkey) -> Known {
        self.lock().get(user).cloned().unwrap_or_default()
    }

    /// Remembers it.
    pub(super) fn remember(&self, user: &Pubkey, known: Known) {
        self.lock().insert(*user, known);
    }

    /// A new proof begins anew.
    pub(super) fn forget(&self, user: &Pubkey) {
        self.lock().remove(user);
    }

    /// Forgets everybody else.
    pub(super) fn keep(&self, users: &HashSet<Pubkey>) {
        self.lock().retain(|user, _| users.contains(user));
    }
}
