//! Thieves who use up what is shared: rent, grants, places for requests that wait, streams, and the room for promises.

use super::{Gear, MEANS, Thief};
use crate::{
    Outcome,
    payment::{Payment, Terms},
    stage,
};
use futures_util::future::join_all;
use serde_json::json;
use sotto::client::{Grant, OpenOptions, OpenSession};
use std::{sync::PoisonError, time::Duration};

/// What creates a recipient's account, in base units (`settlement.recipient_creation_min`).
const LEAST: u64 = 10_000;
/// Requests at once of one who fills places.
const CROWD: usize = 48;
/// Streams at once; more than a stranger gets (`limits.streams`).
const STREAMS: usize = 300;
/// The longest that they are listened to, in milliseconds.
const LISTENING: u64 = 1_000;
/// Promises at once.
const DUST: usize = 32;

impl Thief {
    /// Opens a session for a recipient without an account, pays it as much as has the account created, and closes it.
    pub(super) async fn farms(&mut self) -> Outcome<()> {
        let (gear, fresh) = (self.gear.clone(), stage::wallet());
        gear.ask("requestAirdrop", json!([fresh.pubkey().to_string(), 1_000_000_000_u64])).await?;
        // Gives the farmer the right to decrypt what they have.
        gear.holding(&self.wallet).await?;
        self.did("asked for a recipient's account");
        let options = Gear::options(fresh.pubkey(), MEANS)?;
        let open = gear.open(&self.wallet, &options, Some(gear.prover.clone())).await?;
        let paid = self.payment(open.id, Terms::Proven);
        let mut paid = Payment { merchant: fresh.pubkey(), amount: LEAST, ..paid };
        gear.counter.pay(&mut paid, super::TRIES).await;
        gear.haul().payments.push((self.number, paid));
        let programs = gear.settings.programs;
        let account = programs.token_account(&fresh.pubkey(), &gear.settings.asset);
        gear.lands(&fresh, programs.close_account(&account, &fresh.pubkey(), &fresh.pubkey())).await?;
        self.did("closed a recipient's account");
        Ok(())
    }

    /// Opens a session with a new wallet that has nothing, and asks for a grant.
    pub(super) async fn begs(&mut self) -> Outcome<()> {
        let (gear, fresh) = (self.gear.clone(), stage::wallet());
        gear.ask("localnet_fund", json!([fresh.pubkey().to_string(), 0])).await?;
        gear.haul().wallets.push(fresh.pubkey());
        self.did("asked for a grant");
        let options = OpenOptions { grant: Grant::Always, ..Gear::options(self.merchant, MEANS)? };
        gear.open(&fresh, &options, None).await?;
        self.did("got a grant");
        Ok(())
    }

    /// More payments at once than a stranger has places.
    pub(super) async fn crowds(&mut self, open: &OpenSession) -> bool {
        self.did("crowded");
        self.pays(open.id, &[Terms::PerCall; CROWD]).await
    }

    /// Listens to sessions of their own and of others, more often than there are streams, and leaves.
    pub(super) async fn listens(&mut self, open: &OpenSession) -> Outcome<bool> {
        let gear = self.gear.clone();
        let seen = {
            let others = gear.others.lock().unwrap_or_else(PoisonError::into_inner);
            others.last().map_or(open.id, |payment| payment.session)
        };
        let at = *gear.counter.at.borrow();
        let url = |number: usize| {
            let session = if number.is_multiple_of(2) { open.id } else { seen };
            format!("http://{at}/sessions/{session}/events")
        };
        let streams = join_all((0..STREAMS).map(|number| gear.counter.http.get(url(number)).send())).await;
        let opened = streams.iter().flatten().filter(|stream| stream.status().is_success()).count();
        self.did("listened");
        if opened < STREAMS {
            self.did("was refused a stream");
        }
        tokio::time::sleep(Duration::from_millis(self.dice.below(LISTENING))).await;
        drop(streams);
        Ok(true)
    }

    /// Has payments of one base unit promised.
    pub(super) async fn dusts(&mut self, open: &OpenSession) -> bool {
        self.prices = 1..2;
        self.did("had dust promised");
        self.pays(open.id, &[Terms::Deferred; DUST]).await
    }
}
