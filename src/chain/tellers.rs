//! Which voice told of each landing, so that another is asked whether it is final.
//!
//! In memory only, and bounded: of a landing whose teller is not known (it was told to a process before this one) two voices
//! are asked.

use lru::LruCache;
use solana_signature::Signature;
use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How many landings are remembered, at about 100 bytes each; the longest not asked about is forgotten first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);

/// How often it is said that nobody but the tellers answers.
const ALONE_EVERY: Duration = Duration::from_mins(1);

/// The voice that told last of each landing.
pub(super) struct Tellers {
    told: Mutex<LruCache<Signature, usize>>,
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
        self.told.lock().unwrap_or_else(PoisonError::into_inner).put(*signature, voice);
    }

    /// Who told last that this has landed, if that is known.
    pub(super) fn of(&self, signature: &Signature) -> Option<usize> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).get(signature).copied()
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
