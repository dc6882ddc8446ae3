//! The blocks of the last slots, their hashes, and which of those a transaction may still be built on.
//!
//! A validator keeps 151 hashes: the one of the block that asks and those of the 150 blocks before it. Every slot has a
//! block until a fork takes some back: their slots stay empty, so that block heights fall behind slots, as on the real
//! network.

use std::collections::{HashMap, VecDeque};

use solana_hash::Hash;

/// How many blocks after its own a blockhash can be used.
pub(super) const MAX_AGE: u64 = 150;

/// A block, as those who build transactions need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) slot: u64,
    pub(super) hash: Hash,
    pub(super) height: u64,
}

impl Block {
    /// The last block height at which a transaction on this block's hash can land.
    pub(super) fn last_valid_height(&self) -> u64 {
        self.height + MAX_AGE
    }
}

/// The newest blocks, oldest first.
pub(super) struct Blocks {
    recent: VecDeque<Block>,
    heights: HashMap<Hash, u64>,
    keep: usize,
}

impl Blocks {
    /// Starts with the block of slot 0. Windows can be asked for as seen from up to `depth` slots ago.
    pub(super) fn new(genesis: Hash, depth: u64) -> Self {
        Self::restored([Block { slot: 0, hash: genesis, height: 0 }], depth)
    }

    /// Starts with these blocks, oldest first.
    pub(super) fn restored(blocks: impl IntoIterator<Item = Block>, depth: u64) -> Self {
        let keep = usize::try_from(MAX_AGE.saturating_add(depth).saturating_add(1)).unwrap_or(usize::MAX);
        let mut restored = Self { recent: VecDeque::new(), heights: HashMap::new(), keep };
        blocks.into_iter().for_each(|block| restored.add(block));
        restored
    }

    /// Adds the block of a slot, which is newer than all others.
    pub(super) fn push(&mut self, slot: u64, hash: Hash) {
        let height = self.newest().height + 1;
        self.add(Block { slot, hash, height });
    }

    fn add(&mut self, block: Block) {
        self.recent.push_back(block);
        self.heights.insert(block.hash, block.height);
        while self.recent.len() > self.keep {
            if let Some(old) = self.recent.pop_front() {
                self.heights.remove(&old.hash);
            }
        }
    }

    /// The newest block.
    pub(super) fn newest(&self) -> Block {
        self.recent.back().copied().unwrap_or(Block { slot: 0, hash: Hash::default(), height: 0 })
    }

    /// The newest block that is not newer than a slot; the oldest one kept when all are.
    pub(super) fn at(&self, slot: u64) -> Block {
        let after = self.recent.partition_point(|block| block.slot <= slot);
        self.recent.get(after.saturating_sub(1)).copied().unwrap_or_else(|| self.newest())
    }

    /// The slot of the block `back` blocks before the newest one, if it is kept.
    pub(super) fn slot_before(&self, back: u64) -> Option<u64> {
        let back = usize::try_from(back).ok()?;
        self.recent.len().checked_sub(back.checked_add(1)?).and_then(|index| self.recent.get(index)).map(|it| it.slot)
    }

    /// Whether a transaction on `hash` may run in slot `at`.
    pub(super) fn is_live(&self, hash: &Hash, at: u64) -> bool {
        let height = self.at(at).height;
        self.heights.get(hash).is_some_and(|&of| of <= height && height - of <= MAX_AGE)
    }

    /// Forgets the blocks of `slot` and later: nothing can be built on them any more.
    pub(super) fn take_back(&mut self, slot: u64) {
        while self.recent.back().is_some_and(|block| block.slot >= slot) {
            if let Some(gone) = self.recent.pop_back() {
                self.heights.remove(&gone.hash);
            }
        }
    }

    /// The newest hashes with their slots, newest first, as the slot hashes sysvar lists them.
    pub(super) fn newest_first(&self) -> Vec<(u64, Hash)> {
        self.recent.iter().rev().map(|block| (block.slot, block.hash)).collect()
    }

    /// The blocks kept, oldest first.
    pub(super) fn kept(&self) -> Vec<Block> {
        self.recent.iter().copied().collect()
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
    fn a_blockhash_lives_for_150_blocks_after_its_own_and_no_longer() {
        let mut blocks = Blocks::new(hash(1_000), 0);
        (1..=150).for_each(|n| blocks.push(n, hash(n)));
        assert!(blocks.is_live(&hash(1_000), 150));
        blocks.push(151, hash(151));
        assert!(!blocks.is_live(&hash(1_000), 151));
        assert!(blocks.is_live(&hash(1), 151));
        assert!(!blocks.is_live(&hash(2_000), 151));
    }

    #[test]
    fn a_view_of_an_older_slot_does_not_know_newer_blockhashes() {
        let mut blocks = Blocks::new(hash(1_000), 32);
        (1..=200).for_each(|n| blocks.push(n, hash(n)));
        assert!(!blocks.is_live(&hash(200), 168));
        assert!(blocks.is_live(&hash(18), 168), "the oldest one that the view still accepts is kept");
        assert_eq!(blocks.at(168), Block { slot: 168, hash: hash(168), height: 168 });
        assert_eq!(blocks.newest_first()[0], (200, hash(200)));
    }

    #[test]
    fn blocks_that_were_taken_back_leave_their_slots_empty_and_their_heights_to_others() {
        let mut blocks = Blocks::new(hash(1_000), 32);
        (1..=10).for_each(|n| blocks.push(n, hash(n)));
        assert_eq!(blocks.slot_before(2), Some(8));
        blocks.take_back(8);
        blocks.push(11, hash(11));
        assert!(!blocks.is_live(&hash(9), 11), "nothing can be built on a block that is gone");
        assert!(blocks.is_live(&hash(7), 11));
        assert_eq!(blocks.at(10), Block { slot: 7, hash: hash(7), height: 7 }, "the slots in between are empty");
        assert_eq!(blocks.newest(), Block { slot: 11, hash: hash(11), height: 8 });
    }
}
