//! The opening lock of a user and asset: payments and openings on an approve that stands share it; an opening that lands an approve,
//! a close of all sessions and a revoke have it alone.
//!
//! Promises: while a new approve of a user is being landed, no payment of that user's other sessions is accepted, so that
//! an approve never backs what it did not count (ADR 0009). First come, first served: an opening waits for the payments
//! that have the lock and goes before those that come after.

use super::keyed_locks::KeyedLocks;
use solana_pubkey::Pubkey;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock},
    time::timeout,
};

/// Held by a payment that is being written, or by an opening on an approve that stands: nothing that wants the lock alone starts
/// meanwhile.
pub(crate) type PaymentGuard = OwnedRwLockReadGuard<()>;
/// Held by an opening that lands an approve, a close of all sessions or a revoke: no payment of the user is written meanwhile.
pub(crate) type OpeningGuard = OwnedRwLockWriteGuard<()>;

/// The opening locks of one facilitator.
#[derive(Default)]
pub(crate) struct OpeningLocks(KeyedLocks<(Pubkey, Pubkey), RwLock<()>>);

impl OpeningLocks {
    fn of(&self, user: &Pubkey, asset: &Pubkey) -> Arc<RwLock<()>> {
        self.0.lock_of(&(*user, *asset), RwLock::default)
    }

    /// Waits until nobody has the lock alone, and keeps everybody from it who wants it alone.
    pub(crate) async fn payment(&self, user: &Pubkey, asset: &Pubkey) -> PaymentGuard {
        self.of(user, asset).read_owned().await
    }

    /// Like [`OpeningLocks::payment`], but gives up at once where there is something to wait for.
    pub(crate) fn try_payment(&self, user: &Pubkey, asset: &Pubkey) -> Option<PaymentGuard> {
        self.of(user, asset).try_read_owned().ok()
    }

    /// Waits for payments of this user and asset that are being written, and for whoever else has the lock, and keeps new ones out.
    /// None where that takes longer than `patience`; one that is free is had at once, also where there is none.
    pub(crate) async fn opening_within(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        patience: Duration,
    ) -> Option<OpeningGuard> {
        if let Some(guard) = self.try_opening(user, asset) {
            return Some(guard);
        }
        timeout(patience, self.of(user, asset).write_owned()).await.ok()
    }

    /// Like [`OpeningLocks::opening_within`], but gives up at once where somebody has the lock.
    pub(crate) fn try_opening(&self, user: &Pubkey, asset: &Pubkey) -> Option<OpeningGuard> {
        self.of(user, asset).try_write_owned().ok()
    }
}
