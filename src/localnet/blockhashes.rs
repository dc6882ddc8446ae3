//! The blockhashes of the last slots, and which of them a transaction may still be built on.
//!
//! A validator keeps 151: the one of the slot that asks and those of the 150 slots before it. Every slot has a block
//! here, so slot and block height are the same number.

use std::collections::{HashMap, VecDeque};

use solana_hash::Hash;

/// How many slots after its own a blockhash can be used.
pub(super) const MAX_AGE: u64 = 150;

/// The newest blockhashes, one a slot, oldest first and without gaps.
pub(super) struct Blockhashes {
    recent: VecDeque<Hash>,
    slots: HashMap<Hash, u64>,
    newest: u64,
    keep: usize,
}

impl Blockhashes {
    /// Starts with the hash of slot 0. Windows can be asked for as seen from up to `depth` slots ago.
    pub(super) fn new(genesis: Hash, depth: u64) -> Self {
        let keep = usize::try_from(MAX_AGE.saturating_add(depth).saturating_add(1)).unwrap_or(usize::MAX);
        Self { recent: VecDeque::from([genesis]), slots: HashMap::from([(genesis, 0)]), newest: 0, keep }
    }

    /// Adds the hash of the next slot.
    pub(super) fn push(&mut self, hash: Hash) {
        self.newest += 1;
        self.recent.push_back(hash);
        self.slots.insert(hash, self.newest);
        while self.recent.len() > self.keep {
            if let Some(old) = self.recent.pop_front() {
                self.slots.remove(&old);
            }
        }
    }

    /// The hash of a slot; the oldest one kept when that is gone.
    pub(super) fn of_slot(&self, slot: u64) -> (Hash, u64) {
        let oldest = self.newest + 1 - self.recent.len() as u64;
        let slot = slot.clamp(oldest, self.newest);
        let hash = usize::try_from(slot - oldest).ok().and_then(|index| self.recent.get(index));
        (hash.copied().unwrap_or_default(), slot)
    }

    /// Whether a transaction on `hash` may run in slot `at`.
    pub(super) fn is_live(&self, hash: &Hash, at: u64) -> bool {
        self.slots.get(hash).is_some_and(|&slot| slot <= at && at - slot <= MAX_AGE)
    }

    /// The newest hashes with their slots, newest first, as the slot hashes sysvar lists them.
    pub(super) fn newest_first(&self) -> Vec<(u64, Hash)> {
        (0..=self.newest).rev().zip(self.recent.iter().rev().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u64) -> Hash {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_le_bytes());
        Hash::new_from_array(bytes)
    }

    #[test]
    fn a_blockhash_lives_for_150_slots_after_its_own_and_no_longer() {
        let mut hashes = Blockhashes::new(hash(1_000), 0);
        (1..=150).for_each(|n| hashes.push(hash(n)));
        assert!(hashes.is_live(&hash(1_000), 150));
        hashes.push(hash(151));
        assert!(!hashes.is_live(&hash(1_000), 151));
        assert!(hashes.is_live(&hash(1), 151));
        assert!(!hashes.is_live(&hash(2_000), 151));
    }

    #[test]
    fn a_view_of_an_older_slot_does_not_know_newer_blockhashes() {
        let mut hashes = Blockhashes::new(hash(1_000), 32);
        (1..=200).for_each(|n| hashes.push(hash(n)));
        assert!(!hashes.is_live(&hash(200), 168));
        assert!(hashes.is_live(&hash(18), 168), "the oldest one that the view still accepts is kept");
        assert_eq!(hashes.of_slot(168), (hash(168), 168));
        assert_eq!(hashes.newest_first()[0], (200, hash(200)));
    }
}
