//! What an account bears witness of: pure, from what was read of it.

use crate::{
    chain::{
        history::Listed,
        witness::{entries::Entry, path::path},
    },
    domain::settlement::SeenHandle,
};
use solana_signature::Signature;
use std::collections::{BTreeSet, HashMap};

/// The most entries of one examination.
pub(super) const MOST_ENTRIES: usize = 64;

/// What one endpoint told of an account.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// The handle of its balance in a final state; none where there is no such account.
    pub(super) after: Option<u128>,
    /// The handle of the amount that it delegates in that state; none where there is no such account.
    pub(super) delegated: Option<u128>,
    /// The slot of that state.
    pub(super) at: u64,
    /// Its newest transactions, newest first.
    pub(super) listed: Vec<Listed>,
    /// Whether the list reaches back as far as was asked for.
    pub(super) is_whole: bool,
}

/// What was read of an account.
pub(super) struct Facts<'a> {
    /// The attempt in question.
    pub(super) attempt: &'a Signature,
    pub(super) before: SeenHandle,
    /// The handle of the delegated amount that was seen with it, where the attempt lowers that amount.
    pub(super) delegated: Option<u128>,
    /// By each endpoint that says that the attempt has no effect.
    pub(super) told: &'a [Told],
    /// The lowest slot in which one of them had finality past the attempt's life.
    pub(super) final_at: u64,
    /// What each entry did that was read.
    pub(super) entries: &'a HashMap<Signature, Entry>,
}

/// What the account bears witness of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chain) enum Testimony {
    /// Its balance is what it was, so nothing has left it.
    Unmoved,
    /// Its balance has changed, and its history explains how, without the attempt.
    Explained,
    /// Neither, but the amount that it delegates, which the attempt lowers, is what it was, or its history explains how that was
    /// lowered without the attempt.
    DelegationExplained,
    /// None of these; every list of its history is whole and the same, each entry was read, and none is the attempt.
    MovedAndListed,
    /// Nothing of all this.
    Moved,
}

impl Facts<'_> {
    /// The transactions that succeeded after the handle before was seen, up to `until`, by any of the lists.
    pub(super) fn wanted(told: &[Told], before: SeenHandle, until: u64) -> BTreeSet<Signature> {
        told.iter().flat_map(|one| successes(one, before, until)).collect()
    }

    pub(super) fn testimony(&self) -> Testimony {
        if self.told.is_empty() || self.lists_the_attempt() {
            return Testimony::Moved;
        }
        let newest = self.told.iter().map(|one| one.at).max().unwrap_or_default();
        let until_then = Self::wanted(self.told, self.before, newest);
        let read: Option<Vec<&Entry>> = until_then.iter().map(|signature| self.entries.get(signature)).collect();
        let begins = read.as_ref().is_none_or(|entries| entries.iter().any(|entry| entry.begins));
        if !begins && self.is_unmoved() && !self.may_be_zero(read.as_deref().unwrap_or_default()) {
            return Testimony::Unmoved;
        }
        if !begins && read.as_deref().is_some_and(|entries| self.is_explained(entries, newest)) {
            return Testimony::Explained;
        }
        if read.as_deref().is_some_and(|entries| self.is_delegation_explained(entries, newest)) {
            return Testimony::DelegationExplained;
        }
        if self.lists_are_equal() { Testimony::MovedAndListed } else { Testimony::Moved }
    }

    /// Whoever lists it cannot say that it has no effect.
    fn lists_the_attempt(&self) -> bool {
        self.told.iter().flat_map(|one| &one.listed).any(|listed| listed.signature == *self.attempt && !listed.failed)
    }

    fn is_unmoved(&self) -> bool {
        self.told.iter().all(|one| one.after == Some(self.before.handle))
    }

    /// Whether the handle before may be that of a new account: everybody's new account has it, so equality proves nothing
    /// where somebody may hide that the account began anew.
    fn may_be_zero(&self, entries: &[&Entry]) -> bool {
        if self.lists_are_equal() {
            return false;
        }
        let mut zeros = entries.iter().flat_map(|entry| &entry.zeros).peekable();
        self.before.handle == 0 || zeros.peek().is_none() || zeros.any(|zero| *zero == self.before.handle)
    }

    fn is_explained(&self, entries: &[&Entry], newest: u64) -> bool {
        let steps = entries.iter().map(|entry| entry.steps.as_deref());
        path(self.before.handle, steps).is_some_and(|handles| self.lead_to(&handles, newest, |one| one.after))
    }

    /// Whether the delegated amount says that the attempt has not lowered it. Strangers cannot touch it: only a delegate lowers it,
    /// and only an approve by its owner replaces it, which voids this. A handle of zero is everybody's.
    fn is_delegation_explained(&self, entries: &[&Entry], newest: u64) -> bool {
        let Some(before) = self.delegated.filter(|handle| *handle != 0) else { return false };
        if entries.iter().any(|entry| entry.zeros.contains(&before)) {
            return false;
        }
        let spends = entries.iter().map(|entry| entry.spends.as_deref());
        path(before, spends).is_some_and(|handles| self.lead_to(&handles, newest, |one| one.delegated))
    }

    /// Whether these handles lead to what everybody told: to the last one in the newest state, to any of them in one before.
    fn lead_to(&self, handles: &[u128], newest: u64, told: impl Fn(&Told) -> Option<u128>) -> bool {
        self.told.iter().all(|one| {
            let is_last = one.at == newest;
            told(one)
                .is_some_and(|after| if is_last { handles.last() == Some(&after) } else { handles.contains(&after) })
        })
    }

    /// Whether all lists tell the same up to the slot in which everything was final, reach back far enough, and every entry was
    /// read.
    fn lists_are_equal(&self) -> bool {
        let lists: Vec<BTreeSet<Signature>> =
            self.told.iter().map(|one| successes(one, self.before, self.final_at).collect()).collect();
        self.told.iter().all(|one| one.is_whole)
            && lists.windows(2).all(|pair| pair[0] == pair[1])
            && lists.iter().flatten().all(|signature| self.entries.contains_key(signature))
    }
}

fn successes(told: &Told, before: SeenHandle, until: u64) -> impl Iterator<Item = Signature> {
    let counts = move |listed: &&Listed| !listed.failed && listed.slot > before.slot && listed.slot <= until;
    told.listed.iter().filter(counts).map(|listed| listed.signature)
}

#[cfg(test)]
mod tests;
