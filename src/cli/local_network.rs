//! The embedded network as one thing: SVM, Covalidator stand-in, faucet, and the settings that point a facilitator at
//! them. `localnet`, `dev` and `demo` are built on it.

use crate::{
    domain::{
        chance::{Chance, OsChance, SeededChance, draw},
        clock::SystemClock,
    },
    localnet::{
        Localnet, LocalnetConfig, LocalnetError, Slots,
        covalidator::LocalCovalidator,
        faucet::{DEMO_DECIMALS, Faucet, FaucetConfig, FaucetError},
        standins::{Delegation, Rules, StandInConfig, Switches},
    },
};
use solana_pubkey::Pubkey;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// SOL that a funded wallet gets, in lamports.
const GIFT_LAMPORTS: u64 = 10_000_000_000;

/// What a local network is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalTerms {
    /// The port of the JSON-RPC, with the websocket on the next one; 0 picks a free pair.
    pub(super) rpc_port: u16,
    /// The port of the Covalidator's stand-in; 0 picks a free one.
    pub(super) covalidator_port: u16,
    /// What the token program does with the delegated amount.
    pub(super) delegation: Delegation,
    /// How long a slot takes.
    pub(super) slot: Duration,
    /// Makes every key and address repeat itself; never secret then.
    pub(super) seed: Option<u64>,
}

/// Why a local network does not start, or does not give.
#[derive(Debug, thiserror::Error)]
pub(super) enum LocalNetworkError {
    /// The SVM or its servers.
    #[error(transparent)]
    Localnet(#[from] LocalnetError),
    /// The Covalidator's stand-in.
    #[error("the Covalidator's stand-in cannot listen on port {port}")]
    Covalidator {
        /// The port asked for.
        port: u16,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The demo token or its faucet.
    #[error(transparent)]
    Faucet(#[from] FaucetError),
    /// SOL was not given.
    #[error("the local network gave no SOL")]
    Airdrop(#[source] solana_transaction_error::TransactionError),
}

/// A running local network. It stops when dropped; [`LocalNetwork::stop`] also waits until its ports are free.
pub(super) struct LocalNetwork {
    localnet: Localnet,
    covalidator: LocalCovalidator,
    faucet: Faucet,
    delegation: Delegation,
}

impl LocalNetwork {
    /// Starts everything, on loopback only.
    pub(super) async fn start(terms: LocalTerms) -> Result<Self, LocalNetworkError> {
        let chance: Arc<dyn Chance> = match terms.seed {
            Some(seed) => Arc::new(SeededChance::new(seed)),
            None => Arc::new(OsChance),
        };
        let rules = Rules { delegation: terms.delegation, ..Rules::default() };
        let stand_ins = StandInConfig {
            switches: Arc::new(Switches::new(rules)),
            decryption_key: draw(&*chance),
            attestation_key: draw(&*chance),
            seed: u64::from_le_bytes(draw(&*chance)),
            ..StandInConfig::default()
        };
        let localnet = Localnet::start(LocalnetConfig {
            rpc_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, terms.rpc_port)),
            slots: Slots::Every(terms.slot),
            seed: terms.seed,
            stand_ins,
            clock: Arc::new(SystemClock),
            ..LocalnetConfig::default()
        })
        .await?;
        let network = localnet.network();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, terms.covalidator_port));
        let covalidator = LocalCovalidator::start(address, network.stand_ins().clone(), Arc::new(network.clone()))
            .await
            .map_err(|source| LocalNetworkError::Covalidator { port: terms.covalidator_port, source })?;
        let faucet = FaucetConfig {
            programs: network.stand_ins().config().programs,
            encryption_key: network.stand_ins().encryption_key(),
            mint: draw(&*chance),
            authority: draw(&*chance),
            chance,
        };
        let faucet = Faucet::open(Arc::new(network.clone()), faucet)?;
        Ok(Self { localnet, covalidator, faucet, delegation: terms.delegation })
    }

    /// The configuration of a facilitator on this network: key and value.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let stand_ins = self.localnet.network().stand_ins();
        let programs = stand_ins.config().programs;
        let delegation = match self.delegation {
            Delegation::Public => "public",
            Delegation::Documented => "documented",
        };
        vec![
            ("network.name", "solana:localnet".to_owned()),
            ("network.rpc_urls", self.localnet.rpc_url()),
            ("network.ws_url", self.localnet.ws_url()),
            ("network.genesis_hash", self.localnet.genesis_hash()),
            // The published client speaks to devnet and to nothing else.
            ("network.spellings", "solana:devnet".to_owned()),
            ("programs.inco_token", programs.token.to_string()),
            ("programs.inco_lightning", programs.lightning.to_string()),
            ("programs.delegation", delegation.to_owned()),
            ("asset.mint", self.faucet.mint().to_string()),
            ("asset.decimals", DEMO_DECIMALS.to_string()),
            ("covalidator.endpoint", self.covalidator.url()),
            ("covalidator.attestation_key", stand_ins.attestation_key().to_string()),
            ("covalidator.encryption_key", stand_ins.encryption_key().to_hex()),
        ]
    }

    /// Gives `wallet` SOL for fees and `units` base units of the demo token.
    pub(super) fn fund(&self, wallet: &Pubkey, units: u64) -> Result<(), LocalNetworkError> {
        self.localnet.network().airdrop(wallet, GIFT_LAMPORTS).map_err(LocalNetworkError::Airdrop)?;
        if units > 0 {
            self.faucet.fund(wallet, units)?;
        }
        Ok(())
    }

    /// Stops the servers and waits for them.
    pub(super) async fn stop(self) {
        self.covalidator.shutdown().await;
        self.localnet.shutdown().await;
    }
}
