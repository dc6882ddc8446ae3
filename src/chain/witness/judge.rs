//! What an account bears witness of: pure, from what was read of it. What has to be read before anything can be said is named,
//! oldest first, so that readings can be spread over several examinations.
//!
//! The window: the transactions since before the attempt was signed, up to the slot in which finality had passed the attempt's
//! life. The attempt is in it if it landed at all, and it does not grow with what the payer does later.

use crate::{
    chain::{
        history::Listed,
        witness::{
            entries::Entry,
            path::{Steps, path, through},
        },
    },
    domain::settlement::SeenHandle,
};
use solana_signature::Signature;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The most entries of a window. A longer one is not read: its settlement waits for an operator.
pub(super) const MOST_ENTRIES: usize = 2_048;

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
    /// The list has everything after this slot; 0 where it reaches back to the account's beginning.
    pub(super) whole_after: u64,
}

/// What was read of the transactions that are listed, by their signatures; none of one that nobody tells of.
pub(super) type Readings = HashMap<Signature, Option<Entry>>;

/// What was read of an account.
pub(super) struct Facts<'a> {
    /// The attempt in question.
    pub(super) attempt: &'a Signature,
    pub(super) before: SeenHandle,
    /// The handle of the delegated amount that was seen with it, where the attempt lowers that amount.
    pub(super) delegated: Option<u128>,
    /// The window begins after this slot: the one in which the handle before was seen, or an earlier one.
    pub(super) since: u64,
    /// By each endpoint that says that the attempt has no effect.
    pub(super) told: &'a [Told],
    /// The last slot of the window. Every state above is of this slot or a later one.
    pub(super) final_at: u64,
    /// What each entry did that was read.
    pub(super) read: &'a Readings,
    /// Whether equal lists are enough: where several voices tell them.
    pub(super) is_listed_enough: bool,
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
    /// Not all was read that has to be: the next examination goes on.
    Unfinished,
}

/// What follows from what was read so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// This.
    Says(Testimony),
    /// Nothing before these were read, oldest first; not empty.
    Wants(Vec<Signature>),
}

/// What an unbroken history would prove.
enum Trace {
    Proves(Testimony),
    Wants(Vec<Signature>),
    /// It is broken, or void.
    Nothing,
}

/// A handle of the account that a history leads along.
struct Trail {
    steps: for<'a> fn(&'a Entry) -> Steps<'a>,
    now: fn(&Told) -> Option<u128>,
    proves: Testimony,
}

const BALANCE: Trail =
    Trail { steps: |entry| entry.steps.as_deref(), now: |told| told.after, proves: Testimony::Explained };
const DELEGATION: Trail = Trail {
    steps: |entry| entry.spends.as_deref(),
    now: |told| told.delegated,
    proves: Testimony::DelegationExplained,
};

impl Facts<'_> {
    pub(super) fn judge(&self) -> Judged {
        if self.told.is_empty() || self.lists_the_attempt() {
            return Judged::Says(Testimony::Moved);
        }
        let window = by_slot(self.told, self.since, self.final_at);
        if window.values().map(BTreeSet::len).sum::<usize>() > MOST_ENTRIES {
            return Judged::Says(Testimony::Moved);
        }
        let unread = self.unread(&window);
        if !unread.is_empty() {
            return Judged::Wants(unread);
        }
        let is_listed = self.lists_are_equal();
        let listed = if is_listed { Testimony::MovedAndListed } else { Testimony::Moved };
        let balance = self.balance();
        if let Trace::Proves(testimony) = balance {
            return Judged::Says(testimony);
        }
        match (self.delegation(), balance) {
            (Trace::Proves(testimony), _) => Judged::Says(testimony),
            (Trace::Wants(unread), _) | (_, Trace::Wants(unread)) if !(is_listed && self.is_listed_enough) => {
                Judged::Wants(unread)
            }
            _ => Judged::Says(listed),
        }
    }

    /// Whether the history leads from the balance before to what it is now, without the attempt.
    fn balance(&self) -> Trace {
        let before = self.before.handle;
        let Some(entries) = self.in_window() else { return Trace::Nothing };
        if entries.iter().any(|entry| entry.begins) || self.was_zero(&entries) {
            return Trace::Nothing;
        }
        if self.told.iter().all(|one| one.after == Some(before)) {
            return self.unmoved(entries);
        }
        self.along(&BALANCE, before, entries)
    }

    /// Whether the history leads from the delegated amount before to what it is now, without the attempt. Strangers cannot touch it:
    /// only a delegate lowers it, and only an approve by its owner replaces it, which voids this. A handle of zero is everybody's.
    fn delegation(&self) -> Trace {
        let Some(before) = self.delegated.filter(|handle| *handle != 0) else { return Trace::Nothing };
        let Some(entries) = self.in_window() else { return Trace::Nothing };
        if entries.iter().any(|entry| entry.zeros.contains(&before)) {
            return Trace::Nothing;
        }
        self.along(&DELEGATION, before, entries)
    }

    /// What was read of the window from the handle before on, unless nobody tells of an entry.
    fn in_window(&self) -> Option<Vec<&Entry>> {
        self.all_read(&by_slot(self.told, self.before.slot, self.final_at))
    }

    /// What any of the lists has after the window.
    fn later(&self) -> Entries {
        let newest = self.told.iter().map(|one| one.at).max().unwrap_or_default();
        by_slot(self.told, self.final_at, newest)
    }

    /// Whether these entries are one unbroken way from `before`, which goes on with what comes after the window.
    fn along(&self, trail: &Trail, before: u128, entries: Vec<&Entry>) -> Trace {
        match path(before, entries.into_iter().map(trail.steps)).as_deref() {
            Some([.., last]) => self.goes_on(trail, *last, &self.later()),
            _ => Trace::Nothing,
        }
    }

    /// It is what it was: proof unless it began anew meanwhile.
    fn unmoved<'a>(&'a self, mut entries: Vec<&'a Entry>) -> Trace {
        let later = self.later();
        let unread = self.unread(&later);
        if !unread.is_empty() {
            return Trace::Wants(unread);
        }
        let Some(read) = self.all_read(&later) else { return Trace::Nothing };
        entries.extend(read);
        if entries.iter().any(|entry| entry.begins) || self.was_zero(&entries) || self.hides_zero(&entries) {
            return Trace::Nothing;
        }
        Trace::Proves(Testimony::Unmoved)
    }

    /// Whether what comes after the window begins with the handle with which the window ends: an attempt hidden at its end would
    /// leave a gap. One step is enough, because the attempt is not among what comes later.
    fn goes_on(&self, trail: &Trail, last: u128, later: &Entries) -> Trace {
        for (slot, signatures) in later {
            let unread: Vec<Signature> =
                signatures.iter().filter(|one| !self.read.contains_key(one)).copied().collect();
            if !unread.is_empty() {
                return Trace::Wants(unread);
            }
            let (mut moves, mut follows) = (false, false);
            for signature in signatures {
                let read = self.read.get(signature).and_then(Option::as_ref).filter(|entry| !entry.begins);
                let Some(steps) = read.and_then(trail.steps) else { return Trace::Nothing };
                moves |= !steps.is_empty();
                follows |= !steps.is_empty()
                    && through(last, steps).is_some()
                    && self.is_told(trail, (signature, *slot), last);
            }
            if moves {
                return if follows { Trace::Proves(trail.proves) } else { Trace::Nothing };
            }
        }
        let is_now = self.told.iter().all(|one| (trail.now)(one) == Some(last));
        if is_now { Trace::Proves(trail.proves) } else { Trace::Nothing }
    }

    /// Whether all tell of this entry, or were asked before it and tell what was there then.
    fn is_told(&self, trail: &Trail, (signature, slot): (&Signature, u64), last: u128) -> bool {
        self.told.iter().all(|one| {
            let lists = one.listed.iter().any(|listed| listed.signature == *signature && !listed.failed);
            lists || (one.at < slot && (trail.now)(one) == Some(last))
        })
    }

    /// Whoever lists it cannot say that it has no effect.
    fn lists_the_attempt(&self) -> bool {
        self.told.iter().flat_map(|one| &one.listed).any(|listed| listed.signature == *self.attempt && !listed.failed)
    }

    /// Whether the handle before is that of a new account: everybody's new account has it, so nothing that comes back to it or
    /// starts from it proves anything where somebody may hide that the account began anew.
    fn was_zero(&self, entries: &[&Entry]) -> bool {
        let is_zero = |handle: u128| handle == 0 || entries.iter().any(|entry| entry.zeros.contains(&handle));
        is_zero(self.before.handle) && !self.lists_are_equal()
    }

    /// Whether it is not known what the handle of a new account is, and somebody may hide one.
    fn hides_zero(&self, entries: &[&Entry]) -> bool {
        entries.iter().all(|entry| entry.zeros.is_empty()) && !self.lists_are_equal()
    }

    /// Whether all lists tell the same in the window, reach back far enough, and every entry was read.
    fn lists_are_equal(&self) -> bool {
        let in_window =
            |one: &Told| successes(one, self.since, self.final_at).map(|(_, signature)| signature).collect();
        let lists: Vec<BTreeSet<Signature>> = self.told.iter().map(in_window).collect();
        self.told.iter().all(|one| one.whole_after <= self.since)
            && lists.windows(2).all(|pair| pair[0] == pair[1])
            && lists.iter().flatten().all(|signature| self.read.get(signature).is_some_and(Option::is_some))
    }

    fn unread(&self, entries: &Entries) -> Vec<Signature> {
        entries.values().flatten().filter(|one| !self.read.contains_key(one)).copied().collect()
    }

    /// What they did, unless nobody tells of one.
    fn all_read(&self, entries: &Entries) -> Option<Vec<&Entry>> {
        entries.values().flatten().map(|signature| self.read.get(signature)?.as_ref()).collect()
    }
}

/// Transactions by their slots.
type Entries = BTreeMap<u64, BTreeSet<Signature>>;

/// What any of the lists has of what succeeded after one slot and up to another.
fn by_slot(told: &[Told], after: u64, until: u64) -> Entries {
    let mut entries = Entries::new();
    for (slot, signature) in told.iter().flat_map(|one| successes(one, after, until)) {
        entries.entry(slot).or_default().insert(signature);
    }
    entries
}

fn successes(told: &Told, after: u64, until: u64) -> impl Iterator<Item = (u64, Signature)> {
    let counts = move |listed: &&Listed| !listed.failed && listed.slot > after && listed.slot <= until;
    told.listed.iter().filter(counts).map(|listed| (listed.slot, listed.signature))
}

#[cfg(test)]
mod tests;
