//! The embedded local network: a real SVM in this process with stand-ins for Inco's programs and for Swig, for
//! development and tests. Evidence for our client code, never for the programs that they stand in for.
//!
//! It speaks a validator's JSON-RPC and websocket, so everything else reaches it as it would reach devnet. The layers,
//! from the inside out: `bank` runs transactions and remembers recent states, `cluster` knows slots, commitments and
//! what landed, [`Network`] shares it under one lock and tells of events, `rpc` and `ws` put it on the wire, and
//! [`Localnet`] owns the tasks. The stand-ins for Inco's programs and for Swig ([`standins`]) run inside the machine;
//! that for the Covalidator ([`covalidator`]) and the [`faucet`]s stand beside it.
//!
//! # What goes wrong on demand
//! A test holds a [`Localnet`]; a program in another process says the same over JSON-RPC with the `localnet_` methods
//! (`rpc/admin.rs` lists them). Chances are drawn from [`LocalnetConfig::seed`].
//!
//! | what | test code | over JSON-RPC |
//! |---|---|---|
//! | latency, drops, errors after the take, 429, late or missing confirmation, frozen, unhealthy, no websockets | `net.faults().change(\|plan\| plan.drop_sends = Odds::next(1))` | `localnet_setFaults` |
//! | an endpoint that leaves transactions out of histories, or tells old accounts under the slot of now | `net.faults().change(\|plan\| plan.accounts_behind = 3)`, `plan.hidden_history` | `localnet_setFaults` |
//! | websockets cut once | `net.faults().disconnect_websockets()` | `localnet_disconnectWebsockets` |
//! | a fork takes back the last 3 slots; the slot of a transaction and all later ones | `net.network().fork(3)`; `.fork_away(&signature)` | `localnet_fork`, `localnet_forkAway` |
//! | a fork whose transactions land again 2 slots later | `net.network().fork_and_replay(3, 2)` | `localnet_fork` `[3, 2]` |
//! | a second endpoint, 10 slots late | `let other = net.open_endpoint(None).await?; other.faults().lag_behind(10)` | `localnet_setFaults` at its port |
//! | an endpoint without its older history | `other.faults().forget_before(slot)` | the same, `firstBlock` |
//! | a stranger lands between a simulation and the landing of what was simulated | `net.network().ambush(account, tx)` | |
//!
//! Faults belong to the endpoint they are set at: one can lag, refuse or forget while another answers truly. Only a
//! frozen network and late confirmation are of the network itself and count at its first endpoint.

mod balance_changes;
mod bank;
mod blocks;
mod cluster;
mod config;
pub mod covalidator;
pub mod faucet;
mod faults;
mod forks;
mod genesis;
mod history;
mod journal;
mod local_chain;
mod network;
mod node;
mod rpc;
mod serve;
pub mod standins;
mod state;
mod token_balances;
mod view;
mod ws;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use solana_pubkey::Pubkey;
use tokio::{task::JoinHandle, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use self::{
    covalidator::LocalCovalidator,
    faucet::{Cash, Faucet, FaucetConfig, Faucets},
    rpc::{Desk, Front},
};
use crate::domain::chance::{Chance, OsChance, SeededChance};

pub use cluster::{ForkError, TakenBack};
pub use config::{LocalnetConfig, LocalnetError, Slots};
pub use faults::{ALL, FaultPlan, Faults, Odds, TooManyRequests};
pub use local_chain::LocalChain;
pub use network::Network;
pub use node::Endpoint;
pub use state::StateError;

/// How long a stop waits for open connections.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// A running local network. It stops when this is dropped; [`Localnet::shutdown`] also waits for it.
pub struct Localnet {
    network: Network,
    faucets: Arc<Faucets>,
    covalidator: LocalCovalidator,
    addr: SocketAddr,
    desk: Arc<Desk>,
    keeper: Option<state::Keeper>,
    is_new: bool,
    stop: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// Endpoints opened besides the first one.
    others: AtomicU64,
}

/// Runs `work` in a task until it ends or `stop` is cancelled.
fn spawn_until(stop: &CancellationToken, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    let stopped = stop.clone();
    tokio::spawn(async move { stopped.run_until_cancelled(work).await.unwrap_or(()) })
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
        let restored = config.state.as_deref().map(state::read).transpose()?.flatten();
        let is_new = restored.is_none();
        let identity = match &restored {
            Some(restored) => restored.identity.clone(),
            None => state::Identity::new(&*chance, &config.stand_ins, config.genesis),
        };
        let stand_ins = standins::StandInConfig {
            decryption_key: identity.decryption_key,
            attestation_key: identity.attestation_key,
            seed: identity.randomness,
            ..config.stand_ins
        };
        let stand_ins = standins::StandIns::new(stand_ins).map_err(LocalnetError::StandIns)?;
        let listeners = serve::listen(config.rpc_addr)
            .await
            .map_err(|source| LocalnetError::Listen { addr: config.rpc_addr, source })?;
        let memory = cluster::Memory { most_lag: config.most_lag, transactions: config.most_history };
        let network = match restored {
            Some(restored) => Network::restored(stand_ins.clone(), depths, memory, config.clock, restored),
            None => Network::new(stand_ins.clone(), depths, memory, config.clock, &identity),
        };
        let covalidator = LocalCovalidator::start(config.covalidator_addr, stand_ins, Arc::new(network.clone()))
            .await
            .map_err(|source| LocalnetError::Covalidator { addr: config.covalidator_addr, source })?;
        let faucets = Arc::new(open_faucets(&network, &identity, chance).map_err(LocalnetError::Faucet)?);
        let stop = CancellationToken::new();
        let desk = Arc::new(Desk::new(&network, faucets.clone(), &covalidator, config.slots));
        let mut tasks = serve::spawn(listeners.both, Front { network: network.clone(), desk: desk.clone() }, &stop);
        if let Slots::Every(period) = config.slots {
            tasks.push(spawn_until(&stop, tick_every(network.clone(), period)));
        }
        let keeper = config.state.map(|path| {
            let turn = Arc::default();
            state::Keeper { path, identity, network: network.clone(), turn }
        });
        if let Some(keeper) = keeper.clone() {
            // At once, so that a file that cannot be written is told now.
            keeper.save()?;
            tasks.push(spawn_until(&stop, async move { keeper.keep().await }));
        }
        tracing::info!(
            rpc = %listeners.addr,
            covalidator = covalidator.url(),
            genesis = %network.genesis_hash(),
            mint = %faucets.demo.mint(),
            cash = %faucets.cash.mint(),
            "an embedded local network is up, with stand-ins for IncoToken, Inco Lightning, the Covalidator and Swig"
        );
        let (addr, tasks, others) = (listeners.addr, Mutex::new(tasks), AtomicU64::new(0));
        Ok(Self { network, faucets, covalidator, addr, desk, keeper, is_new, stop, tasks, others })
    }

    /// Opens another endpoint of this network, which sees the same chain and has faults of its own. `addr` is where its
    /// JSON-RPC listens, with the websocket there and one port above; without one a free pair on loopback is picked.
    pub async fn open_endpoint(&self, addr: Option<SocketAddr>) -> Result<Endpoint, LocalnetError> {
        let addr = addr.unwrap_or_else(|| SocketAddr::new(self.addr.ip(), 0));
        let listeners = serve::listen(addr).await.map_err(|source| LocalnetError::Listen { addr, source })?;
        let number = self.others.fetch_add(1, Ordering::Relaxed) + 1;
        let network = self.network.another(number);
        let front = Front { network: network.clone(), desk: self.desk.clone() };
        let served = serve::spawn(listeners.both, front, &self.stop);
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).extend(served);
        Ok(Endpoint { network, addr: listeners.addr })
    }

    /// `http://` URL of the JSON-RPC.
    pub fn rpc_url(&self) -> String {
        node::rpc_url(self.addr)
    }

    /// `ws://` URL of the websocket, on the port that clients derive from the RPC's.
    pub fn ws_url(&self) -> String {
        node::ws_url(self.addr)
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
        self.faucets.demo.mint()
    }

    /// The demo token's faucet.
    pub fn faucet(&self) -> &Faucet {
        &self.faucets.demo
    }

    /// The faucet of plain tokens.
    pub fn cash(&self) -> &Cash {
        &self.faucets.cash
    }

    /// The network itself, for test code.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Whether the network began with this start, and was not read from a state file.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Writes the network's state into its file, if it has one.
    pub fn save(&self) -> Result<(), StateError> {
        self.keeper.as_ref().map_or(Ok(()), state::Keeper::save)
    }

    /// What is to go wrong at the first endpoint and with the network itself.
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

    /// Stops the servers, waits until their ports are free, and writes the state file, if there is one.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for mut task in tasks {
            if tokio::time::timeout(STOP_PATIENCE, &mut task).await.is_err() {
                task.abort();
            }
        }
        self.covalidator.stop().await;
        if let Err(fault) = self.save() {
            tracing::error!(%fault, "the network's state is lost from the last time it was written");
        }
    }
}

impl Drop for Localnet {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn open_faucets(
    network: &Network,
    identity: &state::Identity,
    chance: Arc<dyn Chance>,
) -> Result<Faucets, faucet::FaucetError> {
    let stand_ins = network.stand_ins();
    let config = FaucetConfig {
        programs: stand_ins.config().programs,
        encryption_key: stand_ins.encryption_key(),
        mint: identity.mint,
        authority: identity.authority,
        chance,
    };
    let demo = Faucet::open(Arc::new(network.clone()), config)?;
    Ok(Faucets { demo, cash: Cash::open(network, identity) })
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
