//! Dispatch: which holds are carried together, and who has them carried.
//!
//! Owns one queue for each session with waiting holds, the counters of what waits by promise, and who creates which
//! recipient's account. Plans settlements, takes the locks they need, has them driven ([`super::settlement`]) and learns
//! from the outcome what came back. Decides nothing about when promises are due or given up ([`super::deferred`]), but that
//! those of a revoked session are, and answers no caller.

pub(crate) mod after;
pub(crate) mod deferred_counters;
pub(crate) mod own_transactions;
pub(crate) mod queue_state;
pub(crate) mod recipient_account;
pub(crate) mod resume;
pub(crate) mod session_queue;
pub(crate) mod single_payment;

use crate::facilitator::{
    core::Core,
    locks::{Locks, keyed_locks::KeyedLocks},
    settlement::Settlements,
    sponsor::Sponsor,
};
use deferred_counters::DeferredCounters;
use queue_state::SessionQueues;
use solana_pubkey::Pubkey;
use std::sync::Arc;

/// Plans settlements and has them carried.
pub(crate) struct Dispatch {
    core: Arc<Core>,
    locks: Arc<Locks>,
    sponsor: Arc<Sponsor>,
    settlements: Arc<Settlements>,
    pub(crate) queues: SessionQueues,
    pub(crate) counters: DeferredCounters,
    /// Held while the account of this recipient is created.
    creating: KeyedLocks<Pubkey, tokio::sync::Mutex<()>>,
    /// Held from counting the accounts that were created lately to planning one more.
    creations: tokio::sync::Mutex<()>,
}

impl Dispatch {
    pub(crate) fn new(
        core: Arc<Core>,
        locks: Arc<Locks>,
        sponsor: Arc<Sponsor>,
        settlements: Arc<Settlements>,
    ) -> Self {
        Self {
            core,
            locks,
            sponsor,
            settlements,
            queues: SessionQueues::default(),
            counters: DeferredCounters::default(),
            creating: KeyedLocks::default(),
            creations: tokio::sync::Mutex::default(),
        }
    }
}
