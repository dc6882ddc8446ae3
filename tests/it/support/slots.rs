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

/// Has slots begin, for as long as it lives.
pub struct Slots {
    /// Held while a slot begins, so that none does after they were told to stand still.
    still: Arc<Mutex<bool>>,
    ticking: JoinHandle<()>,
}

impl Slots {
    /// From now on, one each time [`SLOT`] has passed.
    pub fn of(network: Network) -> Self {
        let still = Arc::new(Mutex::new(false));
        let stands = Arc::clone(&still);
        let ticking = tokio::spawn(async move {
            let mut slots = tokio::time::interval(SLOT);
            // On a machine that is busy slots take longer, as everything does.
            slots.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                slots.tick().await;
                let stands = stands.lock().unwrap();
                if !*stands {
                    network.tick();
                }
            }
        });
        Self { still, ticking }
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
        *self.slots.still.lock().unwrap() = true;
    }

    /// Slots begin by themselves again.
    pub fn moves_on(&self) {
        *self.slots.still.lock().unwrap() = false;
    }

    /// Lets so many slots pass.
    pub fn passes(&self, slots: u64) {
        self.net.network().tick_slots(slots);
    }

    /// Waits for a payment to `merchant` that lands, and is told so, while slots stand still from the moment it has
    /// landed: it is confirmed, and does not get older.
    pub async fn lands_and_stands_still<T>(&self, merchant: &Wallet, pays: impl Future<Output = T>) -> T {
        let before = self.units(merchant);
        let lands = async {
            self.until("it lands", async || self.units(merchant) != before).await;
            self.stands_still();
            self.passes(2);
        };
        tokio::join!(pays, lands).0
    }
}
