//! What a local network is made of, and why it may not start.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use super::{faucet::FaucetError, standins, state::StateError};
use crate::{
    domain::clock::{Clock, SystemClock},
    programs::ciphertext::CiphertextError,
};

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
    /// Slots that an endpoint may be made to lag behind; the network keeps its past for that long.
    pub most_lag: u64,
    /// Landed transactions that are kept; older ones are pruned once 300 slots have passed, and
    /// `getFirstAvailableBlock` moves.
    pub most_history: usize,
    /// Makes genesis hash, faucet key and faults repeat themselves; without one, each network is new.
    pub seed: Option<u64>,
    /// The genesis hash of a network that begins; drawn where there is none.
    pub genesis: Option<[u8; 32]>,
    /// A file that the network is read from, if it is there, and kept in. Its keys win over those of `seed` and
    /// `stand_ins`.
    pub state: Option<PathBuf>,
    /// The stand-ins for Inco's programs.
    pub stand_ins: standins::StandInConfig,
    /// Where the Covalidator's stand-in listens; loopback only. Port 0 picks a free one.
    pub covalidator_addr: SocketAddr,
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
            most_lag: 64,
            most_history: 50_000,
            seed: None,
            genesis: None,
            state: None,
            stand_ins: standins::StandInConfig::default(),
            covalidator_addr: (Ipv4Addr::LOCALHOST, 0).into(),
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
    StandIns(#[source] CiphertextError),
    /// The Covalidator's stand-in cannot listen.
    #[error("the Covalidator's stand-in cannot listen on {addr}")]
    Covalidator {
        /// The address asked for.
        addr: SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The state file.
    #[error(transparent)]
    State(#[from] StateError),
    /// The demo token cannot be made.
    #[error("the faucet cannot make the demo token")]
    Faucet(#[source] FaucetError),
    /// Finalised transactions would not be confirmed yet.
    #[error("the local network finalises after {finalized} slots but confirms only after {confirmed}")]
    Depths {
        /// Slots until confirmed.
        confirmed: u64,
        /// Slots until finalised.
        finalized: u64,
    },
}
