//! The embedded network as one thing: SVM, Covalidator stand-in, faucet, and the settings that point a facilitator at
//! them. `localnet`, `dev` and `demo` are built on it.

use crate::{
    domain::{
        chance::{Chance, OsChance, SeededChance, draw},
        clock::SystemClock,
        network::DEVNET_GENESIS,
        signed::parse_key,
    },
    localnet::{
        Endpoint, Localnet, LocalnetConfig, LocalnetError, Slots,
        faucet::{DEMO_DECIMALS, FaucetError},
        standins::{Delegation, Rules, StandInConfig, Switches},
    },
};
use solana_pubkey::Pubkey;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// SOL that a funded wallet gets, in lamports.
const GIFT_LAMPORTS: u64 = 10_000_000_000;

/// What a local network is made of.
#[derive(Clone, Debug)]
pub(super) struct LocalTerms {
    /// The port of the JSON-RPC, with the websocket on the next one; 0 picks a free pair.
    pub(super) rpc_port: u16,
    /// The port of the Covalidator's stand-in; 0 picks a free one.
    pub(super) covalidator_port: u16,
    /// What the token program does with the delegated amount.
    pub(super) delegation: Delegation,
    /// How long a slot takes.
    pub(super) slot: Duration,
    /// What the network answers to.
    pub(super) name: Name,
    /// Makes every key and address repeat itself; never secret then.
    pub(super) seed: Option<u64>,
    /// A file that the network is read from, if it is there, and kept in.
    pub(super) state: Option<PathBuf>,
    /// The port of a second endpoint, with its websocket on the next one; 0 picks a free pair.
    pub(super) second_port: Option<u16>,
}

/// What a local network answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// A genesis hash of its own.
    Own,
    /// Devnet's, for rehearsals of a configuration that names it.
    Devnet,
}

impl LocalTerms {
    /// A network with free ports, random keys and no state that outlives it.
    pub(super) const fn throwaway(delegation: Delegation, slot: Duration) -> Self {
        Self {
            rpc_port: 0,
            covalidator_port: 0,
            delegation,
            slot,
            name: Name::Own,
            seed: None,
            state: None,
            second_port: None,
        }
    }
}

/// Why a local network does not start, or does not give.
#[derive(Debug, thiserror::Error)]
pub(super) enum LocalNetworkError {
    /// The SVM, the stand-ins or their servers.
    #[error(transparent)]
    Localnet(#[from] LocalnetError),
    /// A faucet.
    #[error(transparent)]
    Faucet(#[from] FaucetError),
    /// The network that goes on began under another name.
    #[error("the network in this file began without devnet's name; name another file, or leave --as-devnet out")]
    OtherName,
    /// SOL was not given.
    #[error("the local network gave no SOL")]
    Airdrop(#[source] solana_transaction_error::TransactionError),
}

fn devnet_genesis() -> Option<[u8; 32]> {
    parse_key(DEVNET_GENESIS).map(|hash| hash.to_bytes())
}

/// A running local network. It stops when dropped; [`LocalNetwork::stop`] also waits until its ports are free.
pub(super) struct LocalNetwork {
    localnet: Localnet,
    second: Option<Endpoint>,
    delegation: Delegation,
}

impl LocalNetwork {
    /// Starts everything, on loopback only.
    pub(super) async fn start(terms: LocalTerms) -> Result<Self, LocalNetworkError> {
        let chance: Box<dyn Chance> = match terms.seed {
            Some(seed) => Box::new(SeededChance::new(seed)),
            None => Box::new(OsChance),
        };
        let rules = Rules { delegation: terms.delegation, ..Rules::default() };
        let stand_ins = StandInConfig {
            switches: Arc::new(Switches::new(rules)),
            decryption_key: draw(&*chance),
            attestation_key: draw(&*chance),
            seed: u64::from_le_bytes(draw(&*chance)),
            ..StandInConfig::default()
        };
        let devnet = terms.name == Name::Devnet;
        let localnet = Localnet::start(LocalnetConfig {
            rpc_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, terms.rpc_port)),
            covalidator_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, terms.covalidator_port)),
            slots: Slots::Every(terms.slot),
            seed: terms.seed,
            genesis: devnet.then(devnet_genesis).flatten(),
            state: terms.state,
            stand_ins,
            clock: Arc::new(SystemClock),
            ..LocalnetConfig::default()
        })
        .await?;
        let second = match terms.second_port {
            Some(port) => Some(localnet.open_endpoint(Some((Ipv4Addr::LOCALHOST, port).into())).await?),
            None => None,
        };
        let network = Self { localnet, second, delegation: terms.delegation };
        if devnet && !network.is_called_devnet() {
            return Err(LocalNetworkError::OtherName);
        }
        Ok(network)
    }

    /// The configuration of a facilitator on this network: key and value.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let stand_ins = self.localnet.network().stand_ins();
        let programs = stand_ins.config().programs;
        let delegation = match self.delegation {
            Delegation::Public => "public",
            Delegation::Documented => "documented",
        };
        let mut settings = if self.is_called_devnet() {
            vec![("network.name", "solana:devnet".to_owned())]
        } else {
            vec![
                ("network.name", "solana:localnet".to_owned()),
                ("network.genesis_hash", self.localnet.genesis_hash()),
                // The published clients speak to devnet and to nothing else: those of x402 by its first two names, and those of
                // MPP by the last one.
                ("network.spellings", "solana:devnet,solana-devnet,devnet".to_owned()),
            ]
        };
        settings.extend([
            ("network.rpc_urls", self.localnet.rpc_url()),
            ("network.ws_urls", self.localnet.ws_url()),
            ("programs.inco_token", programs.token.to_string()),
            ("programs.inco_lightning", programs.lightning.to_string()),
            ("programs.delegation", delegation.to_owned()),
            ("asset.mint", self.localnet.mint().to_string()),
            ("asset.decimals", DEMO_DECIMALS.to_string()),
            ("covalidator.endpoint", self.localnet.covalidator_url()),
            ("covalidator.attestation_key", stand_ins.attestation_key().to_string()),
            ("covalidator.encryption_key", stand_ins.encryption_key().to_hex()),
        ]);
        settings
    }

    /// Whether the network has devnet's genesis hash, so that a configuration for devnet fits it.
    pub(super) fn is_called_devnet(&self) -> bool {
        self.localnet.genesis_hash() == DEVNET_GENESIS
    }

    /// The genesis hash, which names the network.
    pub(super) fn genesis_hash(&self) -> String {
        self.localnet.genesis_hash()
    }

    /// `http://` URL of the JSON-RPC.
    pub(super) fn rpc_url(&self) -> String {
        self.localnet.rpc_url()
    }

    /// `http://` URL of the second endpoint's JSON-RPC, if there is one.
    pub(super) fn second_url(&self) -> Option<String> {
        self.second.as_ref().map(Endpoint::rpc_url)
    }

    /// Whether the network began with this start.
    pub(super) fn is_new(&self) -> bool {
        self.localnet.is_new()
    }

    /// Writes the network's state, if it is kept.
    pub(super) fn save(&self) -> Result<(), LocalNetworkError> {
        Ok(self.localnet.save().map_err(LocalnetError::from)?)
    }

    /// Gives `wallet` SOL for fees, and `units` base units of the demo token and of cash.
    pub(super) fn fund(&self, wallet: &Pubkey, units: u64) -> Result<(), LocalNetworkError> {
        self.give_sol(wallet)?;
        if units == 0 {
            return Ok(());
        }
        self.give_tokens(wallet, units)?;
        self.give_cash(wallet, units)
    }

    /// Gives `wallet` SOL for fees.
    pub(super) fn give_sol(&self, wallet: &Pubkey) -> Result<(), LocalNetworkError> {
        self.give_lamports(wallet, GIFT_LAMPORTS)
    }

    /// Gives `wallet` so many lamports.
    pub(super) fn give_lamports(&self, wallet: &Pubkey, lamports: u64) -> Result<(), LocalNetworkError> {
        self.localnet.network().airdrop(wallet, lamports).map_err(LocalNetworkError::Airdrop)?;
        Ok(())
    }

    /// Gives `wallet` a token account, if it has none, and `units` base units of the demo token; zero is an amount too.
    pub(super) fn give_tokens(&self, wallet: &Pubkey, units: u64) -> Result<(), LocalNetworkError> {
        self.localnet.faucet().fund(wallet, units)?;
        Ok(())
    }

    /// Gives `wallet` its canonical account of cash, if it has none, and `units` base units; zero is an amount too.
    pub(super) fn give_cash(&self, wallet: &Pubkey, units: u64) -> Result<(), LocalNetworkError> {
        self.localnet.cash().fund(wallet, units)?;
        Ok(())
    }

    /// Whether `wallet` has its canonical account of cash.
    pub(super) fn has_cash_account(&self, wallet: &Pubkey) -> bool {
        self.localnet.network().account(&self.localnet.cash().account_of(wallet)).is_some()
    }

    /// The mint of cash: plain tokens of the SPL Token program.
    pub(super) fn cash_mint(&self) -> Pubkey {
        self.localnet.cash().mint()
    }

    /// Waits until everything given so far is confirmed: clients and facilitator read confirmed state.
    pub(super) async fn until_confirmed(&self) {
        self.localnet.network().until_confirmed().await;
    }

    /// Stops the servers and waits for them.
    pub(super) async fn stop(self) {
        self.localnet.shutdown().await;
    }
}
