//! What accounts were before each recent slot changed them.
//!
//! The machine holds one state, the newest. Reads at `confirmed` and `finalized` need older ones, so the journal keeps,
//! for every slot of the recent past, the account as it was before that slot first touched it. The same notes are what
//! a fork puts back.

use std::collections::{HashMap, VecDeque};

use solana_account::AccountSharedData;
use solana_pubkey::Pubkey;

/// Accounts as they were before a slot first changed them; `None` for one that did not exist.
pub(super) type Before = HashMap<Pubkey, Option<AccountSharedData>>;

/// First-touch notes of the last `keep` slots.
pub(super) struct Journal {
    slots: VecDeque<(u64, Before)>,
    keep: usize,
}

impl Journal {
    /// An empty journal that can look back `keep` slots.
    pub(super) fn new(keep: u64) -> Self {
        let keep = usize::try_from(keep.saturating_add(1)).unwrap_or(usize::MAX);
        Self { slots: VecDeque::from([(0, Before::new())]), keep }
    }

    /// Starts the notes of a slot.
    pub(super) fn begin(&mut self, slot: u64) {
        self.slots.push_back((slot, Before::new()));
        while self.slots.len() > self.keep {
            self.slots.pop_front();
        }
    }

    /// Notes that `key` was `before` when the current slot first changed it; later changes in the slot add nothing.
    pub(super) fn note(&mut self, key: Pubkey, before: Option<AccountSharedData>) {
        if let Some((_, notes)) = self.slots.back_mut() {
            notes.entry(key).or_insert(before);
        }
    }

    /// The account as it was at the end of slot `at`, if it has changed since; `None` when it has not.
    pub(super) fn was(&self, key: &Pubkey, at: u64) -> Option<&Option<AccountSharedData>> {
        self.since(at).find_map(|notes| notes.get(key))
    }

    /// Accounts changed after slot `at`, as they were then.
    pub(super) fn changed_since(&self, at: u64) -> HashMap<Pubkey, Option<AccountSharedData>> {
        let mut changed = Before::new();
        for (key, before) in self.since(at).flatten() {
            changed.entry(*key).or_insert_with(|| before.clone());
        }
        changed
    }

    /// The notes of every slot kept, oldest first.
    pub(super) fn kept(&self) -> Vec<(u64, Before)> {
        self.slots.iter().cloned().collect()
    }

    /// A journal with these notes, oldest first.
    pub(super) fn restored(slots: Vec<(u64, Before)>, keep: u64) -> Self {
        Self { slots: slots.into(), ..Self::new(keep) }
    }

    /// Forgets the notes of `slot` and later, whose changes have been put back.
    pub(super) fn take_back(&mut self, slot: u64) {
        self.slots.retain(|(noted, _)| *noted < slot);
    }

    fn since(&self, at: u64) -> impl Iterator<Item = &Before> {
        self.slots.iter().filter(move |(slot, _)| *slot > at).map(|(_, notes)| notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(lamports: u64) -> AccountSharedData {
        AccountSharedData::new(lamports, 0, &Pubkey::default())
    }

    #[test]
    fn an_older_view_sees_the_value_before_the_first_later_change() {
        let key = Pubkey::new_from_array([1; 32]);
        let mut journal = Journal::new(32);
        journal.begin(1);
        journal.note(key, None);
        journal.note(key, Some(account(5)));
        journal.begin(2);
        journal.note(key, Some(account(7)));
        assert_eq!(journal.was(&key, 0), Some(&None));
        assert_eq!(journal.was(&key, 1), Some(&Some(account(7))));
        assert_eq!(journal.was(&key, 2), None, "unchanged since: the machine's own state is right");
        assert_eq!(journal.changed_since(0), HashMap::from([(key, None)]));
    }

    #[test]
    fn notes_older_than_needed_are_forgotten() {
        let mut journal = Journal::new(2);
        (1..=10).for_each(|slot| journal.begin(slot));
        assert_eq!(journal.slots.len(), 3);
    }
}
