//! Plaintexts behind handles: what the real network keeps in enclaves.
//!
//! A transaction writes into a [`Scratch`] of its own; only a transaction that landed is committed to the [`Vault`].
//! So a simulation or a failed transaction leaves nothing that could be decrypted.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};

/// The plaintexts that one execution made. Dropping it forgets them.
#[derive(Debug, Default)]
pub struct Scratch {
    made: HashMap<u128, Option<u128>>,
    draws: u64,
}

impl Scratch {
    /// Remembers what `handle` stands for; `None` for a ciphertext that cannot be decrypted.
    pub(super) fn make(&mut self, handle: u128, plaintext: Option<u128>) {
        self.made.insert(handle, plaintext);
    }

    /// Counts a draw of chance and gives its number within this execution.
    pub(super) fn draw(&mut self) -> u64 {
        self.draws += 1;
        self.draws
    }

    /// The plaintext of a handle that this execution made; otherwise what `vault` knows.
    pub(super) fn plaintext(&self, handle: u128, vault: &Vault) -> Option<u128> {
        match self.made.get(&handle) {
            Some(made) => *made,
            None => vault.look_up(handle)?.plaintext,
        }
    }

    /// Whether this execution has made the handle, or one that `vault` knows.
    pub(super) fn is_made(&self, handle: u128, vault: &Vault) -> bool {
        self.made.contains_key(&handle) || vault.look_up(handle).is_some()
    }

    /// How many handles the execution made.
    pub fn handles(&self) -> usize {
        self.made.len()
    }
}

/// A handle's plaintext and when it landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landed {
    /// What the handle stands for; `None` for a ciphertext that cannot be decrypted.
    pub plaintext: Option<u128>,
    /// The slot of the first transaction that made the handle.
    pub slot: u64,
}

#[derive(Default)]
struct Committed {
    landed: HashMap<u128, Landed>,
    draws: u64,
}

/// The committed plaintexts of one network.
#[derive(Default)]
pub struct Vault(RwLock<Committed>);

impl Vault {
    /// Takes in what a transaction that landed in `slot` made. A handle that exists keeps its first slot.
    pub fn commit(&self, scratch: Scratch, slot: u64) {
        let mut committed = self.0.write().unwrap_or_else(PoisonError::into_inner);
        committed.draws += scratch.draws;
        for (handle, plaintext) in scratch.made {
            committed.landed.entry(handle).or_insert(Landed { plaintext, slot });
        }
    }

    /// Forgets what landed in `slot` or later.
    pub fn take_back(&self, slot: u64) {
        let mut committed = self.0.write().unwrap_or_else(PoisonError::into_inner);
        committed.landed.retain(|_, landed| landed.slot < slot);
    }

    /// What a handle stands for, if a transaction that made it has landed.
    pub fn look_up(&self, handle: u128) -> Option<Landed> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).landed.get(&handle).copied()
    }

    /// How many draws of chance have landed.
    pub(super) fn draws(&self) -> u64 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).draws
    }

    /// Everything, for a snapshot file. Handles ascend.
    pub fn snapshot(&self) -> VaultSnapshot {
        let committed = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut landed: Vec<_> = committed.landed.iter().map(|(handle, landed)| (*handle, *landed)).collect();
        landed.sort_unstable_by_key(|(handle, _)| *handle);
        VaultSnapshot { landed, draws: committed.draws }
    }

    /// Puts a snapshot in place of everything.
    pub fn restore(&self, snapshot: VaultSnapshot) {
        let mut committed = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *committed = Committed { landed: snapshot.landed.into_iter().collect(), draws: snapshot.draws };
    }
}

/// A vault as a value that serde can write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultSnapshot {
    landed: Vec<(u128, Landed)>,
    draws: u64,
}
