//! The buyer's side against the served protocol on a real chain: charges, and channels by either program, with answers that get lost.

mod channels;
mod charges;
mod command_line;
mod lost_answers;
mod sellers;

use crate::support::{MppScene, Wallet};
use sotto::{
    client::{
        LocalKey,
        mpp::{BuyerState, BuyerToken, MppSessionClient, OnboardOptions, SessionTerms},
    },
    domain::{amount::Amount, chance::SeededChance, clock::ManualClock},
    programs::spl_token::TokenProgram,
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// So many base units.
fn units(units: u64) -> Amount {
    Amount::new(units).unwrap()
}

fn key(wallet: &Wallet) -> Arc<LocalKey> {
    Arc::new(LocalKey::from_bytes(&wallet.seed()).unwrap())
}

/// The token of these worlds.
fn cash(scene: &MppScene) -> BuyerToken {
    BuyerToken { mint: scene.world.net.cash().mint(), program: TokenProgram::Token, decimals: 6 }
}

/// The facilitator by the host that sign-ins are for.
fn facilitator(scene: &MppScene) -> String {
    scene.world.running().url.replace("127.0.0.1", "localhost")
}

/// What a buyer has on disk: the state as it was kept last.
#[derive(Clone, Default)]
struct Disk {
    text: Arc<Mutex<Option<String>>>,
    /// How many clients there were: the nonces of each are its own.
    clients: Arc<AtomicU64>,
}

impl Disk {
    fn state(&self) -> Option<BuyerState> {
        self.text.lock().unwrap().as_deref().map(|text| BuyerState::from_json(text).unwrap())
    }

    /// A client of the buyer that begins with what is on disk, as after a crash.
    fn client(&self, scene: &MppScene, api_url: &str) -> MppSessionClient {
        let (network, token) = (scene.world.network.clone(), cash(scene));
        let terms = SessionTerms { api_url: api_url.to_owned(), network, token, issuer: None };
        let clock = Arc::new(ManualClock::at(scene.world.now()));
        let chance = Arc::new(SeededChance::new(self.clients.fetch_add(1, Ordering::SeqCst)));
        let kept = self.clone();
        MppSessionClient::new(key(&scene.buyer), &terms, self.state(), clock, chance)
            .unwrap()
            .keeping(move |state| {
                *kept.text.lock().unwrap() = Some(state.to_json().unwrap().to_string());
                Ok(())
            })
            .patient_for(Duration::from_secs(20))
    }
}

/// A grant of two million units, half of which move into the account.
fn grant() -> OnboardOptions {
    OnboardOptions { spend_limit: units(2_000_000), deposit: Some(units(1_000_000)), ..OnboardOptions::default() }
}
