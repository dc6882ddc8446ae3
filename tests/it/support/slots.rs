//! The slots of a world: they begin by themselves, as on any network, until a test makes them stand still.
//!
//! Whatever counts in slots (how long a blockhash lives, when something is final, how long a fork can come) would else be
//! a race between the test and the machine. While slots stand still transactions land and are read as ever; they are
//! confirmed, get old and become final only as the test lets slots pass.

use super::{Wallet, World};
use sotto::localnet::Network;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::task::JoinHandle;

/// Slots are short so that tests are.
pub const SLOT: Duration = Duration::from_millis(25);

/// Whether slots begin by themselves.
enum Pace {
    Moves,
    /// Until this is so: asked before each slot.
    MovesUntil(Box<dyn Fn() -> bool + Send>),
    Stands,
}

impl Pace {
    /// Whether the next slot begins now.
    fn moves(&mut self) -> bool {
        if matches!(self, Self::MovesUntil(is) if is()) {
            *self = Self::Stands;
        }
        !matches!(self, Self::Stands)
    }
}

/// Has slots begin, for as long as it lives.
pub struct Slots {
    /// Held while a slot begins, so that none does after they were told to stand still.
    pace: Arc<Mutex<Pace>>,
    ticking: JoinHandle<()>,
}

impl Slots {
    /// From now on, one each time [`SLOT`] has passed.
    pub fn of(network: Network) -> Self {
        let pace = Arc::new(Mutex::new(Pace::Moves));
        let told = Arc::clone(&pace);
        let ticking = tokio::spawn(async move {
            let mut slots = tokio::time::interval(SLOT);
            // On a machine that is busy slots take longer, as everything does.
            slots.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                slots.tick().await;
                let mut pace = told.lock().unwrap();
                if pace.moves() {
                    network.tick();
                }
            }
        });
        Self { pace, ticking }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        self.ticking.abort();
    }
}

impl World {
    /// From now on no slot begins but by [`World::passes`].
    pub fn stands_still(&self) {
        *self.slots.pace.lock().unwrap() = Pace::Stands;
    }

    /// Slots begin by themselves again.
    pub fn moves_on(&self) {
        *self.slots.pace.lock().unwrap() = Pace::Moves;
    }

    /// Lets so many slots pass.
    pub fn passes(&self, slots: u64) {
        self.net.network().tick_slots(slots);
    }

    /// Waits for a payment to `merchant` that lands, and is told so, while slots stand still from the moment it has
    /// landed: it is confirmed, and does not get older.
    pub async fn lands_and_stands_still<T>(&self, merchant: &Wallet, pays: impl Future<Output = T>) -> T {
        let (network, address) = (self.net.network().clone(), self.account_of(&merchant.key()));
        let state = move || network.account(&address).map(|account| account.data);
        let before = state();
        *self.slots.pace.lock().unwrap() = Pace::MovesUntil(Box::new(move || state() != before));
        let lands = async {
            let stands = || matches!(*self.slots.pace.lock().unwrap(), Pace::Stands);
            self.until("it lands", async || stands()).await;
            self.passes(2);
        };
        tokio::join!(pays, lands).0
    }
}
