//! How many transfers may be on their way together: in all, of one payer's account, and to one merchant's account.
//!
//! Promises fairness: each window is first come first served, and a session stands in line with one transfer at a time
//! ([`super::lanes`]), so the session with five hundred holds gets one place and goes to the end of the line like the
//! session with one. Nobody starves: a transfer takes its places in one order (payer, merchant, the gates of both
//! accounts, all), so no two wait for each other, and whoever holds a place gives it back when its transfer has landed or
//! died.
//!
//! What waits keeps what it has, so the places of most come last. A payer with many sessions at one busy merchant fills
//! his own window and nobody else's; transfers to a merchant whose account is closed ([`super::gates`]) fill that merchant's.
//! Whoever has a place among all waits for nothing any more but the chain.

use crate::facilitator::{locks::keyed_locks::Keyed, settings::DispatchSettings};
use solana_pubkey::Pubkey;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The windows of one facilitator.
pub(crate) struct Windows {
    payers: Keyed<Pubkey, Semaphore>,
    merchants: Keyed<Pubkey, Semaphore>,
    all: Arc<Semaphore>,
    per_payer: usize,
    per_merchant: usize,
}

// The permits are None only of a window that was closed, and none ever is.

/// A transfer's places in the windows of its two accounts, given back on drop.
pub(crate) struct InLine {
    _permits: [Option<OwnedSemaphorePermit>; 2],
}

/// A transfer's places in all three windows, given back on drop.
pub(crate) struct Place {
    _accounts: InLine,
    _all: Option<OwnedSemaphorePermit>,
}

impl Windows {
    /// Windows of these sizes; each at least one.
    pub(crate) fn new(settings: &DispatchSettings) -> Self {
        Self {
            payers: Keyed::default(),
            merchants: Keyed::default(),
            all: Arc::new(Semaphore::new(settings.in_flight.max(1))),
            per_payer: settings.per_payer.max(1),
            per_merchant: settings.per_merchant.max(1),
        }
    }

    /// Waits for a place in the windows of both accounts.
    pub(crate) async fn line_up(&self, source: &Pubkey, destination: &Pubkey) -> InLine {
        let payer = self.payers.lock_of(source, || Semaphore::new(self.per_payer)).acquire_owned().await.ok();
        let merchant = self.merchants.lock_of(destination, || Semaphore::new(self.per_merchant));
        InLine { _permits: [payer, merchant.acquire_owned().await.ok()] }
    }

    /// Waits for a place among all; for one that may move its accounts, and is planned next.
    pub(crate) async fn enter(&self, line: InLine) -> Place {
        Place { _accounts: line, _all: Arc::clone(&self.all).acquire_owned().await.ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn key(number: u8) -> Pubkey {
        Pubkey::new_from_array([number; 32])
    }

    fn windows(in_flight: usize, per_payer: usize, per_merchant: usize) -> Windows {
        Windows::new(&DispatchSettings { in_flight, per_payer, per_merchant, ..DispatchSettings::default() })
    }

    #[test]
    fn each_window_holds_as_many_as_it_says() {
        let windows = windows(3, 2, 2);
        let enter = |from, to| {
            let line = windows.line_up(&key(from), &key(to)).now_or_never()?;
            windows.enter(line).now_or_never()
        };
        let (one, two) = (enter(1, 11), enter(1, 12));
        assert!(one.is_some() && two.is_some());
        assert!(enter(1, 13).is_none(), "the payer's window is full");
        let three = enter(2, 11);
        assert!(three.is_some());
        assert!(enter(3, 13).is_none(), "the window for all is full");
        drop(two);
        assert!(enter(3, 11).is_none(), "the merchant's window is full");
        assert!(enter(3, 13).is_some());
    }

    #[tokio::test]
    async fn places_are_given_in_the_order_of_asking() {
        let windows = Arc::new(windows(1, 1, 1));
        let first = windows.enter(windows.line_up(&key(1), &key(11)).await).await;
        let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
        for number in 2..6_u8 {
            let (windows, told) = (Arc::clone(&windows), told.clone());
            tokio::spawn(async move {
                let place = windows.enter(windows.line_up(&key(number), &key(11)).await).await;
                assert!(told.send(number).is_ok());
                drop(place);
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
