//! What is kept of an attempt's examination until the next one: the slot at which its window ends, and what cannot be read.

use super::{
    BUDGET,
    entries::Entry,
    judge::{MOST_ENTRIES, Readings, Testimony},
};
use crate::{chain::heights::LIFE, domain::settlement::Attempt};
use lru::LruCache;
use solana_signature::Signature;
use std::{
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How many attempts are remembered, at about 150 bytes each.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4_095);
/// Of how many of them it is remembered what cannot be read, at up to 600 kB each.
const REMEMBERED_UNREADABLE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(31);
/// After so many examinations that did not come to an end it is over: more than a window of any size takes.
const MOST_ROUNDS: usize = 2 * MOST_ENTRIES / BUDGET;

/// How an attempt is said to have no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::chain) enum Denial {
    /// It never landed and never will.
    Absent,
    /// It failed.
    Failed,
}

type Key = (Signature, Denial);

#[derive(Clone, Copy)]
struct Progress {
    final_at: u64,
    /// Examinations since the last one that came to an end.
    rounds: usize,
}

/// What is kept of each attempt.
pub(super) struct Kept {
    progress: Mutex<LruCache<Key, Progress>>,
    unreadable: Mutex<LruCache<Key, Readings>>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            progress: Mutex::new(LruCache::new(REMEMBERED)),
            unreadable: Mutex::new(LruCache::new(REMEMBERED_UNREADABLE)),
        }
    }
}

impl Kept {
    fn progress(&self) -> MutexGuard<'_, LruCache<Key, Progress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last slot of an attempt's window: by then everything was final that can be of its life. `told` is the highest slot
    /// that those who deny it name.
    ///
    /// The highest, because each speaks for what was final to itself: it is not too low as long as one of them tells the truth. Of
    /// several times that they were asked, the lowest. And never before a blockhash as old as the attempt is dead at the fastest.
    pub(super) fn final_at(&self, attempt: &Attempt, denial: Denial, told: u64) -> u64 {
        let (floor, written) = match denial {
            Denial::Absent => (attempt.signed_at_slot.saturating_add(LIFE), attempt.past_at),
            Denial::Failed => (0, None),
        };
        let mut progress = self.progress();
        let key = (attempt.signature, denial);
        let known = progress.get(&key).copied();
        let lowest = [known.map(|known| known.final_at), written].into_iter().flatten().fold(told, u64::min);
        let final_at = lowest.max(floor);
        progress.put(key, Progress { final_at, rounds: known.map_or(0, |known| known.rounds) });
        final_at
    }

    /// In which slot finality had passed an attempt's life.
    pub(super) fn past_at(&self, signature: &Signature) -> Option<u64> {
        self.progress().peek(&(*signature, Denial::Absent)).map(|progress| progress.final_at)
    }

    /// What the examinations before could not read, unless one has come to an end since: then everybody is asked again.
    pub(super) fn unreadable(&self, attempt: &Attempt, denial: Denial) -> Readings {
        let mut unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        unreadable.pop(&(attempt.signature, denial)).unwrap_or_default()
    }

    /// What comes of an examination: one that never comes to an end says no more than that the balance has moved.
    pub(super) fn examined(
        &self,
        (attempt, denial): (&Attempt, Denial),
        testimony: Testimony,
        read: &Readings,
    ) -> Testimony {
        let key = (attempt.signature, denial);
        let mut progress = self.progress();
        let Some(known) = progress.get_mut(&key) else { return testimony };
        known.rounds = if testimony == Testimony::Unfinished { known.rounds + 1 } else { 0 };
        if known.rounds > MOST_ROUNDS {
            known.rounds = 0;
            return Testimony::Moved;
        }
        drop(progress);
        if testimony == Testimony::Unfinished {
            let is_read = |entry: &Option<Entry>| entry.as_ref().is_some_and(|entry| entry.steps.is_some());
            let rest = read.iter().filter(|(_, entry)| !is_read(entry));
            let rest = rest.map(|(signature, entry)| (*signature, entry.clone())).collect();
            self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).put(key, rest);
        }
        testimony
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settlement::{Allowances, Cost, Moves, SettlementId};

    /// Signed at slot 100.
    fn attempt(past_at: Option<u64>) -> Attempt {
        Attempt {
            settlement: SettlementId::from_random_bytes([1; 16]),
            number: 1,
            signature: Signature::from([1; 64]),
            wire: vec![1],
            last_valid_block_height: 250,
            signed_at_slot: 100,
            cost: Cost::default(),
            allowances: Allowances::NotBought,
            moves: Moves::Nothing,
            seen_by: Vec::new(),
            past_at,
        }
    }

    #[test]
    fn a_window_ends_where_finality_first_passed_the_attempts_life() {
        let (kept, now) = (Kept::default(), attempt(None));
        assert_eq!(kept.past_at(&now.signature), None);
        assert_eq!(kept.final_at(&now, Denial::Absent, 300), 300);
        assert_eq!(kept.final_at(&now, Denial::Absent, 9_000), 300, "what the payer does later does not count");
        assert_eq!(kept.final_at(&now, Denial::Absent, 290), 290);
        assert_eq!(kept.past_at(&now.signature), Some(290));
        let after_a_start = attempt(Some(310));
        assert_eq!(Kept::default().final_at(&after_a_start, Denial::Absent, 9_000), 310);
    }

    #[test]
    fn a_slot_at_which_the_attempt_could_still_land_ends_no_window() {
        assert_eq!(Kept::default().final_at(&attempt(Some(3)), Denial::Absent, 2), 250);
    }

    /// A failure says nothing of what is final later.
    #[test]
    fn what_failed_has_a_window_of_its_own() {
        let kept = Kept::default();
        assert_eq!(kept.final_at(&attempt(Some(310)), Denial::Failed, 140), 140);
        assert_eq!(kept.past_at(&attempt(None).signature), None);
        assert_eq!(kept.final_at(&attempt(None), Denial::Absent, 300), 300);
    }

    #[test]
    fn what_cannot_be_read_is_not_read_again_until_an_examination_ends() {
        let (kept, attempt) = (Kept::default(), attempt(None));
        kept.final_at(&attempt, Denial::Absent, 300);
        let read = Readings::from([(Signature::from([2; 64]), None)]);
        let goes = |testimony| kept.examined((&attempt, Denial::Absent), testimony, &read);
        assert_eq!(goes(Testimony::Unfinished), Testimony::Unfinished);
        assert_eq!(kept.unreadable(&attempt, Denial::Absent), read);
        assert_eq!(goes(Testimony::Moved), Testimony::Moved);
        assert!(kept.unreadable(&attempt, Denial::Absent).is_empty());
        for _ in 0..MOST_ROUNDS {
            assert_eq!(goes(Testimony::Unfinished), Testimony::Unfinished);
        }
        assert_eq!(goes(Testimony::Unfinished), Testimony::Moved, "it is held, and asked about again later");
        assert_eq!(goes(Testimony::Unfinished), Testimony::Unfinished);
    }
}
