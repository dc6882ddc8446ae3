//! Two kinds of waiting in line, both first come first served.
//!
//! *Accounts*: an attempt that buys decrypt allowances names the handles its two token accounts will have, so while it
//! is in flight nothing else of ours may move either: it holds both accounts alone. Plain transfers name no handle and
//! share them. *Openings*: while a new approve of a user is being landed, no payment of that user's other sessions is
//! accepted, so that an approve never backs what it did not count.
//!
//! The lines are fair: one that wants an account alone waits for those who are in it and goes before those who come
//! after, so neither kind starves the other. Whoever stands at the head of a line keeps it closed, so one that could also
//! go without being alone stands there for [`PATIENCE`] at most: a transfer that was lost takes a minute to be proved dead.
//!
//! Two accounts are taken in key order, so that no two wait for each other. The spender's own comes before any other: all
//! refreshes stand in line for it, and one that stood there with a wallet's account in its hands would keep that wallet's
//! payments waiting for everybody's refreshes. No payment moves the spender's own account, so nobody waits the other
//! way round.

use crate::facilitator::locks::{in_flight_limits::Place, keyed_locks::Keyed};
use solana_pubkey::Pubkey;
use std::time::Duration;
use tokio::{
    sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock},
    time::timeout,
};

/// How long one that wants accounts alone, and can do without, keeps others waiting behind it: several landings.
const PATIENCE: Duration = Duration::from_secs(5);

/// All gates of one facilitator.
pub(crate) struct Gates {
    accounts: Keyed<Pubkey, RwLock<()>>,
    openings: Keyed<(Pubkey, Pubkey), RwLock<()>>,
    /// Held from counting the sessions that were opened lately to writing one more.
    pub(crate) quota: tokio::sync::Mutex<()>,
    patience: Duration,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            accounts: Keyed::default(),
            openings: Keyed::default(),
            quota: tokio::sync::Mutex::default(),
            patience: PATIENCE,
        }
    }
}

/// One account, held alone or together with others.
enum Grip {
    Shared { _guard: OwnedRwLockReadGuard<()> },
    Alone(OwnedRwLockWriteGuard<()>),
}

/// Both token accounts of a transfer, held until it has landed or died.
pub(crate) struct AccountsHeld {
    source: Pubkey,
    destination: Pubkey,
    grips: [Option<Grip>; 2],
    _place: Option<Place>,
}

impl AccountsHeld {
    /// The account that pays and the one that is paid.
    pub(crate) const fn accounts(&self) -> [Pubkey; 2] {
        [self.source, self.destination]
    }

    /// Whether nothing else of ours moves these accounts meanwhile: then an attempt may name their handles.
    pub(crate) fn is_alone(&self) -> bool {
        self.grips.iter().all(|grip| matches!(grip, Some(Grip::Alone(_))))
    }

    /// Lets others in who share: what was to be alone has come to nothing.
    pub(crate) fn share(&mut self) {
        for grip in &mut self.grips {
            *grip = grip.take().map(|grip| match grip {
                Grip::Alone(guard) => Grip::Shared { _guard: guard.downgrade() },
                shared @ Grip::Shared { .. } => shared,
            });
        }
    }

    /// Keeps the transfer's place in the windows for as long as the accounts are held.
    pub(crate) fn with_place(self, place: Place) -> Self {
        Self { _place: Some(place), ..self }
    }
}

impl Gates {
    /// Waits for both accounts, alone in them or sharing; always in key order, so that two transfers cannot wait for
    /// each other.
    pub(crate) async fn accounts(&self, source: Pubkey, destination: Pubkey, alone: bool) -> AccountsHeld {
        let (first, second) = if source <= destination { (source, destination) } else { (destination, source) };
        let first = self.grip(&first, alone).await;
        let second = self.grip(&second, alone).await;
        AccountsHeld { source, destination, grips: [Some(first), Some(second)], _place: None }
    }

    /// The same, alone and within [`PATIENCE`]; `None` when others are in them for longer than that.
    pub(crate) async fn alone_in_time(&self, source: Pubkey, destination: Pubkey) -> Option<AccountsHeld> {
        timeout(self.patience, self.accounts(source, destination, true)).await.ok()
    }

    /// Waits for the spender's own account, for as long as it takes, and with it in hand for `destination`; both alone.
    /// `None` when others are in that one for longer than [`PATIENCE`].
    pub(crate) async fn own_first(&self, own: Pubkey, destination: Pubkey) -> Option<AccountsHeld> {
        let first = self.grip(&own, true).await;
        let second = timeout(self.patience, self.grip(&destination, true)).await.ok()?;
        Some(AccountsHeld { source: own, destination, grips: [Some(first), Some(second)], _place: None })
    }

    async fn grip(&self, account: &Pubkey, alone: bool) -> Grip {
        let lock = self.accounts.lock_of(account, RwLock::default);
        if alone { Grip::Alone(lock.write_owned().await) } else { Grip::Shared { _guard: lock.read_owned().await } }
    }

    /// Waits for one account.
    pub(crate) async fn account(&self, account: &Pubkey) -> OwnedRwLockWriteGuard<()> {
        self.accounts.lock_of(account, RwLock::default).write_owned().await
    }

    /// Waits until no opening of this user and asset is under way, and keeps one from starting.
    pub(crate) async fn paying(&self, user: &Pubkey, asset: &Pubkey) -> OwnedRwLockReadGuard<()> {
        self.openings.lock_of(&(*user, *asset), RwLock::default).read_owned().await
    }

    /// The same, unless there is something to wait for.
    pub(crate) fn try_paying(&self, user: &Pubkey, asset: &Pubkey) -> Option<OwnedRwLockReadGuard<()>> {
        self.openings.lock_of(&(*user, *asset), RwLock::default).try_read_owned().ok()
    }

    /// Waits for payments of this user and asset that are being accepted, and keeps new ones out.
    pub(crate) async fn opening(&self, user: &Pubkey, asset: &Pubkey) -> OwnedRwLockWriteGuard<()> {
        self.openings.lock_of(&(*user, *asset), RwLock::default).write_owned().await
    }

    /// The same, unless somebody is inside.
    pub(crate) fn try_opening(&self, user: &Pubkey, asset: &Pubkey) -> Option<OwnedRwLockWriteGuard<()>> {
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
    async fn who_stands_in_line_for_our_own_account_holds_no_other() {
        let gates = Gates::default();
        // Whichever of the two sorts first.
        for (own, merchant) in [(key(5), key(9)), (key(5), key(1))] {
            let refreshing = gates.own_first(own, key(7)).now_or_never().flatten();
            let mut waiting = Box::pin(gates.own_first(own, merchant));
            assert!(refreshing.is_some() && waiting.as_mut().now_or_never().is_none());
            assert!(gates.accounts(key(3), merchant, false).now_or_never().is_some());
            drop(refreshing);
            assert!(waiting.now_or_never().flatten().is_some_and(|held| held.is_alone()));
        }
    }

    #[tokio::test]
    async fn who_can_do_without_being_alone_does_not_keep_a_line_closed_for_ever() {
        let gates = Gates { patience: Duration::from_millis(10), ..Gates::default() };
        let lost = gates.accounts(key(1), key(9), false).await;
        assert!(gates.alone_in_time(key(2), key(9)).await.is_none());
        assert!(gates.own_first(key(2), key(9)).await.is_none());
        assert!(gates.accounts(key(3), key(9), false).now_or_never().is_some(), "the line is open again");
        drop(lost);
        assert!(gates.alone_in_time(key(2), key(9)).await.is_some());
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
