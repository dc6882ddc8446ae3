//! `sotto dev`: everything a developer needs, on this machine, until ctrl-c.

mod people;
mod telling;

use super::{
    Global,
    error::CliError,
    keygen::create_private_directory,
    local_network::LocalTerms,
    localnet::DelegationArg,
    output::Format,
    runtime,
    sandbox::{self, Sandbox, SandboxTerms},
    settings_file,
    stop::Stop,
};
use crate::{
    domain::{amount::AmountError, key_pair::KeyPairError},
    localnet::faucet::DEMO_DECIMALS,
    merchant::Price,
};
use clap::Args;
pub(super) use people::new_secret;
use people::{FEES_FILE, People, RECEIPTS_FILE, ROOT_FILE, SPENDER_FILE};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// What the payer is given, in base units: 1000 demo tokens, and 1000 of cash.
const PURSE: u64 = 1_000_000_000;
/// What a call of the paid route costs, in tokens.
const PRICE: &str = "0.01";

/// Run a network, a facilitator, and a merchant with paid routes on this machine, until ctrl-c
///
/// The merchant sells by x402, and by charges and channels of the Machine Payments Protocol. The network has stand-ins for Inco's programs. It, the ledger and the keys are kept in the state directory, so that
/// the next start goes on where this one stopped: sessions, balances and all; `--fresh` begins a new network with a new
/// ledger. Nothing listens beyond this machine. To see a facilitator restart on a network that goes on, run
/// `sotto localnet` and `sotto serve` in two terminals.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sotto dev                                  facilitator on 4021, merchant on 4022\n  \
                  sotto dev --port 5000 --state /tmp/dev     elsewhere\n  \
                  sotto dev --fresh                          on a new network, with the same keys\n  \
                  curl -i http://127.0.0.1:4022/weather      answers 402, with what to pay\n  \
                  curl -i http://127.0.0.1:4022/mpp/weather  asks for a charge of MPP"
)]
pub(super) struct Dev {
    /// The facilitator's port; 0 picks a free one
    #[arg(long, default_value_t = 4021)]
    port: u16,
    /// The merchant's port; 0 picks a free one
    #[arg(long, default_value_t = 4022)]
    merchant_port: u16,
    /// The JSON-RPC's port; the websocket is on the next one; 0 picks a free pair
    #[arg(long, default_value_t = 8899)]
    rpc_port: u16,
    /// The port of the Covalidator's stand-in; 0 picks a free one
    #[arg(long, default_value_t = 8901)]
    covalidator_port: u16,
    /// Where keys, network, ledger and the configuration for other commands are kept
    #[arg(long, value_name = "DIR", default_value = "./.sotto-dev")]
    state: PathBuf,
    /// Begin a new network with a new ledger; the keys are kept
    #[arg(long)]
    fresh: bool,
    /// What a delegate may move
    #[arg(long, value_enum, default_value_t = DelegationArg::Public)]
    delegation: DelegationArg,
    /// How long a slot takes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 400, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    slot_ms: u64,
    /// Print addresses and URLs as one JSON object
    #[arg(long)]
    json: bool,
}

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum DevError {
    /// It or a file in it.
    #[error("{} cannot be used", path.display())]
    State {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A key file.
    #[error("{} holds no key; remove it to get a new one", path.display())]
    Key {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: KeyPairError,
    },
    /// A file of a secret.
    #[error("{} holds no secret of 64 hex digits; remove it to get a new one", .0.display())]
    Secret(PathBuf),
    /// The network knows less than the ledger.
    #[error(
        "the ledger has {missing} transactions that the local network does not have: it ended before it was written to disk. \
         Start a new one with --fresh, or bring back the network.json that belongs to this ledger"
    )]
    OlderNetwork {
        /// How many of those that were looked at.
        missing: usize,
    },
    /// The price.
    #[error("the price is no amount")]
    Price(#[from] AmountError),
}

impl Dev {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        sandbox::start_logs(global, "info")?;
        runtime()?.block_on(self.serve(global))
    }

    async fn serve(&self, global: &Global) -> Result<(), CliError> {
        let state = std::path::absolute(&self.state)?;
        create_private_directory(&state).map_err(|source| DevError::State { path: state.clone(), source })?;
        let people = People::of(&state)?;
        let network = state.join("network.json");
        if self.fresh {
            remove(&network)?;
        }
        let terms = SandboxTerms {
            network: LocalTerms {
                rpc_port: self.rpc_port,
                covalidator_port: self.covalidator_port,
                state: Some(network),
                ..LocalTerms::throwaway(self.delegation.into(), Duration::from_millis(self.slot_ms))
            },
            facilitator_port: self.port,
            merchant_port: self.merchant_port,
            state: state.clone(),
            keys: people.keys.clone(),
            merchant: people.merchant.public(),
            price: Price::decimal(PRICE, DEMO_DECIMALS).map_err(DevError::from)?,
        };
        let sandbox = Sandbox::start(terms, global).await?;
        if sandbox.network.is_new() {
            sandbox.network.give_tokens(&people.payer.public(), PURSE)?;
        }
        // A network that is older than cash has given none yet.
        if !sandbox.network.has_cash_account(&people.payer.public()) {
            sandbox.network.give_cash(&people.payer.public(), PURSE)?;
        }
        // A merchant that is paid in cash needs an account already.
        sandbox.network.give_cash(&people.merchant.public(), 0)?;
        sandbox.network.until_confirmed().await;
        let file = state.join("sotto.toml");
        settings_file::write(&file, &settings(&sandbox, &state))
            .map_err(|source| DevError::State { path: file.clone(), source })?;
        sandbox.network.save()?;
        let mut stop = Stop::listen()?;
        telling::tell(&sandbox, &people, &file, Format::of_switch(self.json))?;
        stop.asked().await?;
        sandbox.stop().await;
        Ok(())
    }
}

/// What other commands need to know of this sandbox.
fn settings(sandbox: &Sandbox, state: &Path) -> Vec<(&'static str, String)> {
    let address = sandbox.facilitator.rsplit_once(':').map_or("", |(_, port)| port);
    let mut settings = sandbox.network.settings();
    let file = |name: &str| format!("file:{}", state.join(name).display());
    settings.extend([
        ("keys.spender", file(SPENDER_FILE)),
        ("keys.fee_payer", format!("{},{}", file(SPENDER_FILE), file(FEES_FILE))),
        ("keys.receipt", file(RECEIPTS_FILE)),
        ("mpp.enabled", "true".to_owned()),
        ("mpp.mint", sandbox.network.cash_mint().to_string()),
        ("mpp.root", file(ROOT_FILE)),
        ("ledger.path", sandbox.ledger.display().to_string()),
        ("server.bind", "127.0.0.1".to_owned()),
        ("server.port", address.to_owned()),
    ]);
    settings
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<(), DevError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(DevError::State { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
