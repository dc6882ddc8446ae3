//! Locks of token accounts, shared or exclusive, first come first served.
//!
//! An attempt that buys decrypt allowances names the handles its two token accounts will have, so while it is in flight
//! nothing else of ours may move either: it locks both exclusively. Plain transfers name no handle and share them.
//!
//! The lines are fair: a task that wants an account exclusively waits for those who have it and goes before those who come
//! after, so neither kind starves the other. Whoever stands at the head of a line keeps it closed, so a task that could
//! also go without an exclusive lock stands there for [`PATIENCE`] at most: a transfer that was lost takes a minute to be
//! proved dead.
//!
//! Two accounts are locked in the order of their keys, so that no two tasks wait for each other. The spender's own comes
//! before any other: all refreshes wait for it, and one that waited there with a wallet's account locked would keep that
//! wallet's payments waiting for everybody's refreshes. No payment moves the spender's own account, so nobody waits the
//! other way round.

use super::{in_flight_limits::TransferPermit, keyed_locks::KeyedLocks};
use solana_pubkey::Pubkey;
use std::time::Duration;
use tokio::{
    sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock},
    time::timeout,
};

/// How long a task that wants accounts exclusively, and can do without, keeps others waiting behind it: several landings.
const PATIENCE: Duration = Duration::from_secs(5);

/// How an account is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Beside other transfers of ours.
    Shared,
    /// Nothing else of ours moves it meanwhile.
    Exclusive,
}

/// The token-account locks of one facilitator.
pub(crate) struct AccountLocks {
    accounts: KeyedLocks<Pubkey, RwLock<()>>,
    patience: Duration,
}

impl Default for AccountLocks {
    fn default() -> Self {
        Self { accounts: KeyedLocks::default(), patience: PATIENCE }
    }
}

/// Held as long as one account is locked.
enum AccountGuard {
    Shared { _guard: OwnedRwLockReadGuard<()> },
    Exclusive(OwnedRwLockWriteGuard<()>),
}

/// Both token accounts of a transfer, locked until it has landed or died.
pub(crate) struct LockedAccounts {
    source: Pubkey,
    destination: Pubkey,
    guards: [Option<AccountGuard>; 2],
    _permit: Option<TransferPermit>,
}

impl LockedAccounts {
    /// The account that pays and the one that is paid.
    pub(crate) const fn accounts(&self) -> [Pubkey; 2] {
        [self.source, self.destination]
    }

    /// Whether nothing else of ours moves these accounts meanwhile: then an attempt may name their handles.
    pub(crate) fn access(&self) -> Access {
        let exclusive = self.guards.iter().all(|guard| matches!(guard, Some(AccountGuard::Exclusive(_))));
        if exclusive { Access::Exclusive } else { Access::Shared }
    }

    /// Lets others share the accounts: what needed them exclusively has come to nothing.
    pub(crate) fn downgrade(&mut self) {
        for guard in &mut self.guards {
            *guard = guard.take().map(|guard| match guard {
                AccountGuard::Exclusive(guard) => AccountGuard::Shared { _guard: guard.downgrade() },
                shared @ AccountGuard::Shared { .. } => shared,
            });
        }
    }

    /// Keeps the transfer's permit for as long as the accounts are locked.
    pub(crate) fn with_permit(self, permit: TransferPermit) -> Self {
        Self { _permit: Some(permit), ..self }
    }
}

impl AccountLocks {
    /// Locks both accounts of a transfer, in the order of their keys. Waits without limit.
    pub(crate) async fn pair(&self, source: Pubkey, destination: Pubkey, access: Access) -> LockedAccounts {
        let (first, second) = if source <= destination { (source, destination) } else { (destination, source) };
        let first = self.lock(&first, access).await;
        let second = self.lock(&second, access).await;
        LockedAccounts { source, destination, guards: [Some(first), Some(second)], _permit: None }
    }

    /// Locks both accounts exclusively; `None` when they are not free within [`PATIENCE`].
    pub(crate) async fn exclusive_in_time(&self, source: Pubkey, destination: Pubkey) -> Option<LockedAccounts> {
        timeout(self.patience, self.pair(source, destination, Access::Exclusive)).await.ok()
    }

    /// Locks the spender's own account, then `destination`, both exclusively. Waits without limit for the first; returns
    /// `None` if the second is not free within [`PATIENCE`].
    pub(crate) async fn own_then(&self, own: Pubkey, destination: Pubkey) -> Option<LockedAccounts> {
        let first = self.lock(&own, Access::Exclusive).await;
        let second = timeout(self.patience, self.lock(&destination, Access::Exclusive)).await.ok()?;
        Some(LockedAccounts { source: own, destination, guards: [Some(first), Some(second)], _permit: None })
    }

    /// Locks one account exclusively. Waits without limit.
    pub(crate) async fn one(&self, account: &Pubkey) -> OwnedRwLockWriteGuard<()> {
        self.accounts.lock_of(account, RwLock::default).write_owned().await
    }

    async fn lock(&self, account: &Pubkey, access: Access) -> AccountGuard {
        let lock = self.accounts.lock_of(account, RwLock::default);
        match access {
            Access::Shared => AccountGuard::Shared { _guard: lock.read_owned().await },
            Access::Exclusive => AccountGuard::Exclusive(lock.write_owned().await),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn key(number: u8) -> Pubkey {
        Pubkey::new_from_array([number; 32])
    }

    fn is_exclusive(locked: &LockedAccounts) -> bool {
        locked.access() == Access::Exclusive
    }

    #[test]
    fn plain_transfers_share_an_account_and_one_that_names_handles_does_not() {
        let locks = AccountLocks::default();
        let share = |from, to| locks.pair(key(from), key(to), Access::Shared).now_or_never();
        let (one, two) = (share(1, 9), share(2, 9));
        assert!(one.is_some() && two.is_some());
        assert!(locks.pair(key(3), key(9), Access::Exclusive).now_or_never().is_none());
        drop((one, two));
        let mut alone = locks.pair(key(3), key(9), Access::Exclusive).now_or_never();
        assert!(alone.as_ref().is_some_and(is_exclusive));
        assert!(share(4, 9).is_none());
        if let Some(locked) = alone.as_mut() {
            locked.downgrade();
            assert!(!is_exclusive(locked));
        }
        assert!(share(4, 9).is_some(), "what was downgraded lets others in");
    }

    #[tokio::test]
    async fn who_stands_in_line_for_our_own_account_holds_no_other() {
        let locks = AccountLocks::default();
        // Whichever of the two sorts first.
        for (own, merchant) in [(key(5), key(9)), (key(5), key(1))] {
            let refreshing = locks.own_then(own, key(7)).now_or_never().flatten();
            let mut waiting = Box::pin(locks.own_then(own, merchant));
            assert!(refreshing.is_some() && waiting.as_mut().now_or_never().is_none());
            assert!(locks.pair(key(3), merchant, Access::Shared).now_or_never().is_some());
            drop(refreshing);
            assert!(waiting.now_or_never().flatten().is_some_and(|locked| is_exclusive(&locked)));
        }
    }

    #[tokio::test]
    async fn who_can_do_without_being_alone_does_not_keep_a_line_closed_for_ever() {
        let locks = AccountLocks { patience: Duration::from_millis(10), ..AccountLocks::default() };
        let lost = locks.pair(key(1), key(9), Access::Shared).await;
        assert!(locks.exclusive_in_time(key(2), key(9)).await.is_none());
        assert!(locks.own_then(key(2), key(9)).await.is_none());
        assert!(locks.pair(key(3), key(9), Access::Shared).now_or_never().is_some(), "the line is open again");
        drop(lost);
        assert!(locks.exclusive_in_time(key(2), key(9)).await.is_some());
    }

    #[tokio::test]
    async fn who_wants_an_account_alone_goes_before_those_who_come_after() {
        let locks = std::sync::Arc::new(AccountLocks::default());
        let inside = locks.pair(key(1), key(9), Access::Shared).await;
        let waiting = {
            let locks = std::sync::Arc::clone(&locks);
            tokio::spawn(async move { locks.pair(key(2), key(9), Access::Exclusive).await })
        };
        tokio::task::yield_now().await;
        assert!(locks.pair(key(3), key(9), Access::Shared).now_or_never().is_none());
        drop(inside);
        assert!(waiting.await.is_ok_and(|locked| is_exclusive(&locked)));
    }
}
