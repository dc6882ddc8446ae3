//! The embedded local network: a real SVM in this process with stand-ins for Inco's programs, for development and
//! tests. Evidence for our client code, never for Inco's programs.
//!
//! It speaks a validator's JSON-RPC and websocket, so everything else reaches it as it would reach devnet. The layers,
//! from the inside out: `bank` runs transactions and remembers recent states, `cluster` knows slots, commitments and
//! what landed, [`Network`] shares it under one lock and tells of events, `rpc` and `ws` put it on the wire, and
//! [`Localnet`] owns the tasks.

mod bank;
mod blockhashes;
mod cluster;
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

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{task::JoinHandle, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::domain::{
    chance::{Chance, OsChance, SeededChance},
    clock::{Clock, SystemClock},
};

pub use faults::{ALL, FaultPlan, Faults, Odds, TooManyRequests};
pub use local_chain::LocalChain;
pub use network::Network;

/// How long a stop waits for open connections.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// When slots begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slots {
    /// By themselves, one each time this has passed.
    Every(Duration),
    /// Only when [`Localnet::tick`] or the admin method `localnet_tick` asks for one.
    ByHand,
}

/// What a local network is made of.
#[derive(Clone)]
pub struct LocalnetConfig {
    /// Where JSON-RPC listens; the websocket serves there and one port above. Port 0 picks a free pair.
    pub rpc_addr: SocketAddr,
    /// When slots begin.
    pub slots: Slots,
    /// Slots until a transaction is confirmed.
    pub confirmed_after: u64,
    /// Slots until a transaction is finalised.
    pub finalized_after: u64,
    /// Makes genesis hash, faucet key and faults repeat themselves; without one, each network is new.
    pub seed: Option<u64>,
    /// The stand-ins for Inco's programs.
    pub stand_ins: standins::StandInConfig,
    /// What the clock sysvar follows.
    pub clock: Arc<dyn Clock>,
}

impl Default for LocalnetConfig {
    fn default() -> Self {
        Self {
            rpc_addr: (Ipv4Addr::LOCALHOST, 0).into(),
            slots: Slots::Every(Duration::from_millis(400)),
            confirmed_after: 1,
            finalized_after: 32,
            seed: None,
            stand_ins: standins::StandInConfig::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Why a local network does not start.
#[derive(Debug, thiserror::Error)]
pub enum LocalnetError {
    /// The ports are taken or may not be used.
    #[error("the local network cannot listen on {addr} and the port above it")]
    Listen {
        /// The RPC address asked for.
        addr: SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The stand-ins' keys are no keys.
    #[error("the stand-ins cannot be made")]
    StandIns(#[source] crate::programs::ciphertext::CiphertextError),
    /// Finalised transactions would not be confirmed yet.
    #[error("the local network finalises after {finalized} slots but confirms only after {confirmed}")]
    Depths {
        /// Slots until confirmed.
        confirmed: u64,
        /// Slots until finalised.
        finalized: u64,
    },
}

/// A running local network. It stops when this is dropped; [`Localnet::shutdown`] also waits for it.
pub struct Localnet {
    network: Network,
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
        let chance: Box<dyn Chance> = match config.seed {
            Some(seed) => Box::new(SeededChance::new(seed)),
            None => Box::new(OsChance),
        };
        let stand_ins = standins::StandIns::new(config.stand_ins).map_err(LocalnetError::StandIns)?;
        let listeners = serve::listen(config.rpc_addr)
            .await
            .map_err(|source| LocalnetError::Listen { addr: config.rpc_addr, source })?;
        let network = Network::new(stand_ins, depths, config.clock, &*chance);
        let stop = CancellationToken::new();
        let mut tasks = serve::spawn(listeners.both, &network, &stop);
        if let Slots::Every(period) = config.slots {
            let ticks = tick_every(network.clone(), period);
            let stopped = stop.clone();
            tasks.push(tokio::spawn(async move { stopped.run_until_cancelled(ticks).await.unwrap_or(()) }));
        }
        tracing::info!(
            rpc = %listeners.addr,
            genesis = %network.genesis_hash(),
            "an embedded local network is up, with stand-ins for IncoToken, Inco Lightning and the Covalidator"
        );
        Ok(Self { network, addr: listeners.addr, stop, tasks })
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
    }
}

impl Drop for Localnet {
    fn drop(&mut self) {
        self.stop.cancel();
    }
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
