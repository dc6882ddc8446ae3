//! How many transfers may be in flight together: in all, of one payer's account, and to one merchant's account.
//!
//! Promises fairness: each limit is first come first served, and a session waits with one transfer at a time
//! ([`crate::facilitator::dispatch::session_queue`]), so the session with five hundred holds gets one permit and goes to
//! the end of the line like the session with one. A transfer takes its permits in one order (payer, merchant, the locks of
//! both accounts, all), so no two wait for each other, and gives them back when it has landed or died.
//!
//! What waits keeps what it has, so the permits that most compete for come last. A payer with many sessions at one busy
//! merchant fills their own limit and no other's; transfers to a merchant whose account is locked
//! ([`super::account_locks`]) fill that merchant's. A transfer with a permit among all waits for nothing any more but the
//! chain.
//!
//! Single payments of payers without credit have a share of their own, and wait for a place in it before they are recorded: what
//! is recorded and does not land keeps its permits until it is proved dead, costs its payer nothing, and comes from as many
//! wallets as somebody likes to have.

use super::keyed_locks::KeyedLocks;
use crate::{domain::budget::Credit, facilitator::settings::DispatchSettings};
use solana_pubkey::Pubkey;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Of all permits, the part that single payments of payers without credit may have: one in so many.
const PART_FOR_SINGLES: usize = 8;

/// The limits of one facilitator.
pub(crate) struct InFlightLimits {
    payers: KeyedLocks<Pubkey, Semaphore>,
    merchants: KeyedLocks<Pubkey, Semaphore>,
    all: Arc<Semaphore>,
    singles: Arc<Semaphore>,
    per_payer: usize,
    per_merchant: usize,
}

// The permits are None only of a semaphore that was closed, and none ever is.

/// A transfer's permits of its two accounts, given back on drop.
pub(crate) struct AccountPermits {
    _permits: [Option<OwnedSemaphorePermit>; 2],
}

/// The place of a single payment whose payer has no credit, given back on drop; others need none.
pub(crate) struct SinglePermit {
    _permit: Option<OwnedSemaphorePermit>,
}

/// All three permits of a transfer, given back on drop.
pub(crate) struct TransferPermit {
    _accounts: AccountPermits,
    _all: Option<OwnedSemaphorePermit>,
}

impl InFlightLimits {
    /// Limits of these sizes; each at least one.
    pub(crate) fn new(settings: &DispatchSettings) -> Self {
        Self {
            payers: KeyedLocks::default(),
            merchants: KeyedLocks::default(),
            all: Arc::new(Semaphore::new(settings.in_flight.max(1))),
            singles: Arc::new(Semaphore::new((settings.in_flight / PART_FOR_SINGLES).max(1))),
            per_payer: settings.per_payer.max(1),
            per_merchant: settings.per_merchant.max(1),
        }
    }

    /// Waits for the place of a single payment that is to be recorded.
    pub(crate) async fn acquire_single(&self, credit: Credit) -> SinglePermit {
        let permit = match credit {
            Credit::Earned => None,
            Credit::Newcomer | Credit::Start => Arc::clone(&self.singles).acquire_owned().await.ok(),
        };
        SinglePermit { _permit: permit }
    }

    /// Waits for a permit of the payer's account, then for one of the merchant's.
    pub(crate) async fn acquire_accounts(&self, source: &Pubkey, destination: &Pubkey) -> AccountPermits {
        let payer = self.payers.lock_of(source, || Semaphore::new(self.per_payer)).acquire_owned().await.ok();
        let merchant = self.merchants.lock_of(destination, || Semaphore::new(self.per_merchant));
        AccountPermits { _permits: [payer, merchant.acquire_owned().await.ok()] }
    }

    /// Waits for a permit among all transfers; for one that has its accounts locked and is planned next.
    pub(crate) async fn acquire_global(&self, accounts: AccountPermits) -> TransferPermit {
        TransferPermit { _accounts: accounts, _all: Arc::clone(&self.all).acquire_owned().await.ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn key(number: u8) -> Pubkey {
        Pubkey::new_from_array([number; 32])
    }

    fn limits(in_flight: usize, per_payer: usize, per_merchant: usize) -> InFlightLimits {
        InFlightLimits::new(&DispatchSettings { in_flight, per_payer, per_merchant, ..DispatchSettings::default() })
    }

    #[test]
    fn each_limit_lets_in_as_many_as_it_says() {
        let limits = limits(3, 2, 2);
        let enter = |from, to| {
            let accounts = limits.acquire_accounts(&key(from), &key(to)).now_or_never()?;
            limits.acquire_global(accounts).now_or_never()
        };
        let (one, two) = (enter(1, 11), enter(1, 12));
        assert!(one.is_some() && two.is_some());
        assert!(enter(1, 13).is_none(), "the payer's limit is reached");
        let three = enter(2, 11);
        assert!(three.is_some());
        assert!(enter(3, 13).is_none(), "the limit of all is reached");
        drop(two);
        assert!(enter(3, 11).is_none(), "the merchant's limit is reached");
        assert!(enter(3, 13).is_some());
    }

    #[test]
    fn single_payments_without_credit_have_one_place_in_eight() {
        let limits = limits(16, 2, 2);
        let enter = |credit| limits.acquire_single(credit).now_or_never();
        let both = [Credit::Start, Credit::Newcomer].map(enter);
        assert!(both.iter().all(Option::is_some));
        assert!(enter(Credit::Newcomer).is_none() && enter(Credit::Start).is_none());
        assert!(enter(Credit::Earned).is_some(), "who has credit needs none");
        drop(both);
        assert!(enter(Credit::Start).is_some());
    }

    #[tokio::test]
    async fn permits_are_given_in_the_order_of_asking() {
        let limits = Arc::new(limits(1, 1, 1));
        let first = limits.acquire_global(limits.acquire_accounts(&key(1), &key(11)).await).await;
        let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
        for number in 2..6_u8 {
            let (limits, told) = (Arc::clone(&limits), told.clone());
            tokio::spawn(async move {
                let permit = limits.acquire_global(limits.acquire_accounts(&key(number), &key(11)).await).await;
                assert!(told.send(number).is_ok());
                drop(permit);
            });
            // Lets it get in line before the next.
            tokio::task::yield_now().await;
        }
        drop((first, told));
        let mut seen = Vec::new();
        while let Some(number) = order.recv().await {
            seen.push(number);
        }
        assert_eq!(seen, [2, 3, 4, 5]);
    }
}
