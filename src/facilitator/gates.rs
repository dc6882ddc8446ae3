//! Two kinds of waiting in line, both first come first served.
//!
//! *Accounts*: an attempt that buys decrypt allowances names the handles its two token accounts will have, so while it
//! is in flight nothing else of ours may move either: it holds both accounts alone. Plain transfers name no handle and
//! share them. *Openings*: while a new approve of a user is being landed, no payment of that user's other sessions is
//! accepted, so that an approve never backs what it did not count.
//!
//! The lines are fair: one that wants an account alone waits for those who are in it and goes before those who come
//! after, so neither kind starves the other.

use super::{keyed::Keyed, windows::Place};
use solana_pubkey::Pubkey;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// All gates of one facilitator.
#[derive(Default)]
pub(super) struct Gates {
    accounts: Keyed<Pubkey, RwLock<()>>,
    openings: Keyed<(Pubkey, Pubkey), RwLock<()>>,
    /// Held from counting the sessions that were opened lately to writing one more.
    pub(super) quota: tokio::sync::Mutex<()>,
}

/// One account, held alone or together with others.
enum Grip {
    Shared { _guard: OwnedRwLockReadGuard<()> },
    Alone(OwnedRwLockWriteGuard<()>),
}

/// Both token accounts of a transfer, held until it has landed or died.
pub(super) struct AccountsHeld {
    source: Pubkey,
    destination: Pubkey,
    grips: [Option<Grip>; 2],
    _place: Option<Place>,
}

impl AccountsHeld {
    /// The account that pays and the one that is paid.
    pub(super) const fn accounts(&self) -> [Pubkey; 2] {
        [self.source, self.destination]
    }

    /// Whether nothing else of ours moves these accounts meanwhile: then an attempt may name their handles.
    pub(super) fn is_alone(&self) -> bool {
        self.grips.iter().all(|grip| matches!(grip, Some(Grip::Alone(_))))
    }

    /// Lets others in who share: what was to be alone has come to nothing.
    pub(super) fn share(&mut self) {
        for grip in &mut self.grips {
            *grip = grip.take().map(|grip| match grip {
                Grip::Alone(guard) => Grip::Shared { _guard: guard.downgrade() },
                shared @ Grip::Shared { .. } => shared,
            });
        }
    }

    /// Keeps the transfer's place in the windows for as long as the accounts are held.
    pub(super) fn with_place(self, place: Place) -> Self {
        Self { _place: Some(place), ..self }
    }
}

impl Gates {
    /// Waits for both accounts, alone in them or sharing; always in key order, so that two transfers cannot wait for
    /// each other.
    pub(super) async fn accounts(&self, source: Pubkey, destination: Pubkey, alone: bool) -> AccountsHeld {
        let (first, second) = if source <= destination { (source, destination) } else { (destination, source) };
        let first = self.grip(&first, alone).await;
        let second = self.grip(&second, alone).await;
        AccountsHeld { source, destination, grips: [Some(first), Some(second)], _place: None }
    }

    async fn grip(&self, account: &Pubkey, alone: bool) -> Grip {
        let lock = self.accounts.lock_of(account, RwLock::default);
        if alone { Grip::Alone(lock.write_owned().await) } else { Grip::Shared { _guard: lock.read_owned().await } }
    }

    /// Waits for one account.
    pub(super) async fn account(&self, account: &Pubkey) -> OwnedRwLockWriteGuard<()> {
        self.accounts.lock_of(account, RwLock::default).write_owned().await
    }

    /// Waits until no opening of this user and asset is under way, and keeps one from starting.
    pub(super) async fn paying(&self, user: &Pubkey, asset: &Pubkey) -> OwnedRwLockReadGuard<()> {
        self.openings.lock_of(&(*user, *asset), RwLock::default).read_owned().await
    }

    /// The same, unless there is something to wait for.
    pub(super) fn try_paying(&self, user: &Pubkey, asset: &Pubkey) -> Option<OwnedRwLockReadGuard<()>> {
        self.openings.lock_of(&(*user, *asset), RwLock::default).try_read_owned().ok()
    }

    /// Waits for payments of this user and asset that are being accepted, and keeps new ones out.
    pub(super) async fn opening(&self, user: &Pubkey, asset: &Pubkey) -> OwnedRwLockWriteGuard<()> {
        self.openings.lock_of(&(*user, *asset), RwLock::default).write_owned().await
    }

    /// The same, unless somebody is inside.
    pub(super) fn try_opening(&self, user: &Pubkey, asset: &Pubkey) -> Option<OwnedRwLockWriteGuard<()>> {
        self.openings.lock_of(&(*user, *asset), RwLock::default).try_write_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn key(number: u8) -> Pubkey {
        Pubkey::new_from_array([number; 32])
    }

    #[test]
    fn plain_transfers_share_an_account_and_one_that_names_handles_does_not() {
        let gates = Gates::default();
        let share = |from, to| gates.accounts(key(from), key(to), false).now_or_never();
        let (one, two) = (share(1, 9), share(2, 9));
        assert!(one.is_some() && two.is_some());
        assert!(gates.accounts(key(3), key(9), true).now_or_never().is_none());
        drop((one, two));
        let mut alone = gates.accounts(key(3), key(9), true).now_or_never();
        assert!(alone.as_ref().is_some_and(AccountsHeld::is_alone));
        assert!(share(4, 9).is_none());
        if let Some(held) = alone.as_mut() {
            held.share();
            assert!(!held.is_alone());
        }
        assert!(share(4, 9).is_some(), "what was shared lets others in");
    }

    #[tokio::test]
    async fn who_wants_an_account_alone_goes_before_those_who_come_after() {
        let gates = std::sync::Arc::new(Gates::default());
        let inside = gates.accounts(key(1), key(9), false).await;
        let waiting = {
            let gates = std::sync::Arc::clone(&gates);
            tokio::spawn(async move { gates.accounts(key(2), key(9), true).await })
        };
        tokio::task::yield_now().await;
        assert!(gates.accounts(key(3), key(9), false).now_or_never().is_none());
        drop(inside);
        assert!(waiting.await.is_ok_and(|held| held.is_alone()));
    }
}
