//! Which voice told of each landing, so that another is asked whether it is final, and which have it at all: each of these has
//! to say itself that it has no effect before that is believed.
//!
//! In memory only, and bounded: of a landing whose teller is not known (it was told to a process before this one) two voices
//! are asked. Who told of what does not become final is kept by the ledger, too.

use lru::LruCache;
use solana_signature::Signature;
use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How many landings are remembered, at about 100 bytes each; the longest not asked about is forgotten first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);

/// How often it is said that nobody but the tellers answers.
const ALONE_EVERY: Duration = Duration::from_mins(1);

/// Who told of one landing.
struct Told {
    last: usize,
    all: BTreeSet<usize>,
}

/// The voices that told of each landing.
pub(super) struct Tellers {
    told: Mutex<LruCache<Signature, Told>>,
    /// When it was last said that nobody else answers.
    alone_at: Mutex<Option<Instant>>,
}

impl Default for Tellers {
    fn default() -> Self {
        Self { told: Mutex::new(LruCache::new(REMEMBERED)), alone_at: Mutex::default() }
    }
}

impl Tellers {
    /// `voice` told that this has landed.
    pub(super) fn told(&self, signature: &Signature, voice: usize) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let of = told.get_or_insert_mut(*signature, || Told { last: voice, all: BTreeSet::new() });
        of.last = voice;
        of.all.insert(voice);
    }

    /// `voice` has it, too; who told last stays.
    pub(super) fn confirmed(&self, signature: &Signature, voice: usize) {
        if let Some(of) = self.told.lock().unwrap_or_else(PoisonError::into_inner).get_mut(signature) {
            of.all.insert(voice);
        }
    }

    /// Every voice that told of it.
    pub(super) fn all_of(&self, signature: &Signature) -> BTreeSet<usize> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.get(signature).map(|of| of.all.clone()).unwrap_or_default()
    }

    /// Who told last that this has landed, if that is known.
    pub(super) fn of(&self, signature: &Signature) -> Option<usize> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).get(signature).map(|of| of.last)
    }

    /// Nobody else answered; true when that is to be said again.
    pub(super) fn are_alone(&self, now: Instant) -> bool {
        let mut alone_at = self.alone_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = alone_at.is_none_or(|said| now.duration_since(said) >= ALONE_EVERY);
        if is_due {
            *alone_at = Some(now);
        }
        is_due
    }
}
