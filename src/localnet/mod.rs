//! The embedded local network: a real SVM in this process with stand-ins for Inco's programs, for development and
//! tests. Evidence for our client code, never for Inco's programs.
//!
//! It speaks a validator's JSON-RPC and websocket, so everything else reaches it as it would reach devnet. The layers,
//! from the inside out: `bank` runs transactions and remembers recent states, `cluster` knows slots, commitments and
//! what landed, [`Network`] shares it under one lock and tells of events, `rpc` and `ws` put it on the wire, and
//! [`Localnet`] owns the tasks. The stand-ins for Inco's programs ([`standins`]) run inside the machine; those for the
//! Covalidator ([`covalidator`]) and the demo token's [`faucet`] stand beside it.

mod bank;
mod blockhashes;
mod cluster;
mod config;
pub mod covalidator;
pub mod faucet;
mod faults;
mod history;
mod journal;
mod local_chain;
mod network;
mod rpc;
mod serve;
pub mod standins;
mod token_balances;
mod ws;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use solana_pubkey::Pubkey;
use tokio::{task::JoinHandle, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use self::{
    covalidator::LocalCovalidator,
    faucet::{Faucet, FaucetConfig},
    rpc::{Desk, Front},
};
use crate::domain::chance::{Chance, OsChance, SeededChance, draw};

pub use config::{LocalnetConfig, LocalnetError, Slots};
pub use faults::{ALL, FaultPlan, Faults, Odds, TooManyRequests};
pub use local_chain::LocalChain;
pub use network::Network;

/// How long a stop waits for open connections.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// A running local network. It stops when this is dropped; [`Localnet::shutdown`] also waits for it.
pub struct Localnet {
    network: Network,
    faucet: Arc<Faucet>,
    covalidator: LocalCovalidator,
    addr: SocketAddr,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Localnet {
    /// Starts a network and its servers.
    pub async fn start(config: LocalnetConfig) -> Result<Self, LocalnetError> {
        let depths = cluster::Depths { confirmed: config.confirmed_after, finalized: config.finalized_after };
        if depths.finalized < depths.confirmed {
            return Err(LocalnetError::Depths { confirmed: depths.confirmed, finalized: depths.finalized });
        }
        let chance: Arc<dyn Chance> = match config.seed {
            Some(seed) => Arc::new(SeededChance::new(seed)),
            None => Arc::new(OsChance),
        };
        let stand_ins = standins::StandIns::new(config.stand_ins).map_err(LocalnetError::StandIns)?;
        let listeners = serve::listen(config.rpc_addr)
            .await
            .map_err(|source| LocalnetError::Listen { addr: config.rpc_addr, source })?;
        let network = Network::new(stand_ins.clone(), depths, config.clock, &*chance);
        let covalidator = LocalCovalidator::start(config.covalidator_addr, stand_ins, Arc::new(network.clone()))
            .await
            .map_err(|source| LocalnetError::Covalidator { addr: config.covalidator_addr, source })?;
        let faucet = Arc::new(open_faucet(&network, chance).map_err(LocalnetError::Faucet)?);
        let stop = CancellationToken::new();
        let desk = Desk::new(&network, faucet.clone(), &covalidator);
        let mut tasks = serve::spawn(listeners.both, Front { network: network.clone(), desk: Arc::new(desk) }, &stop);
        if let Slots::Every(period) = config.slots {
            let ticks = tick_every(network.clone(), period);
            let stopped = stop.clone();
            tasks.push(tokio::spawn(async move { stopped.run_until_cancelled(ticks).await.unwrap_or(()) }));
        }
        tracing::info!(
            rpc = %listeners.addr,
            covalidator = covalidator.url(),
            genesis = %network.genesis_hash(),
            mint = %faucet.mint(),
            "an embedded local network is up, with stand-ins for IncoToken, Inco Lightning and the Covalidator"
        );
        Ok(Self { network, faucet, covalidator, addr: listeners.addr, stop, tasks })
    }

    /// `http://` URL of the JSON-RPC.
    pub fn rpc_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// `ws://` URL of the websocket, on the port that clients derive from the RPC's.
    pub fn ws_url(&self) -> String {
        let mut addr = self.addr;
        addr.set_port(addr.port().saturating_add(1));
        format!("ws://{addr}")
    }

    /// The genesis hash in base58.
    pub fn genesis_hash(&self) -> String {
        self.network.genesis_hash().to_string()
    }

    /// URL of the Covalidator stand-in's decrypt endpoint.
    pub fn covalidator_url(&self) -> String {
        self.covalidator.url()
    }

    /// The Covalidator's stand-in.
    pub fn covalidator(&self) -> &LocalCovalidator {
        &self.covalidator
    }

    /// The demo token's mint.
    pub fn mint(&self) -> Pubkey {
        self.faucet.mint()
    }

    /// The demo token's faucet.
    pub fn faucet(&self) -> &Faucet {
        &self.faucet
    }

    /// The network itself, for test code.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What is to go wrong.
    pub fn faults(&self) -> &Faults {
        self.network.faults()
    }

    /// Begins the next slot.
    pub fn tick(&self) {
        self.network.tick();
    }

    /// Begins the next `n` slots.
    pub fn tick_slots(&self, n: u64) {
        self.network.tick_slots(n);
    }

    /// Stops the servers and waits until their ports are free.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        for mut task in std::mem::take(&mut self.tasks) {
            if tokio::time::timeout(STOP_PATIENCE, &mut task).await.is_err() {
                task.abort();
            }
        }
        self.covalidator.stop().await;
    }
}

impl Drop for Localnet {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn open_faucet(network: &Network, chance: Arc<dyn Chance>) -> Result<Faucet, faucet::FaucetError> {
    let stand_ins = network.stand_ins();
    let config = FaucetConfig {
        programs: stand_ins.config().programs,
        encryption_key: stand_ins.encryption_key(),
        mint: draw(&*chance),
        authority: draw(&*chance),
        chance,
    };
    Faucet::open(Arc::new(network.clone()), config)
}

async fn tick_every(network: Network, period: Duration) {
    let mut slots = tokio::time::interval(period);
    slots.set_missed_tick_behavior(MissedTickBehavior::Delay);
    slots.tick().await; // the first one is at once, and its slot has begun already
    loop {
        slots.tick().await;
        network.tick();
    }
}
