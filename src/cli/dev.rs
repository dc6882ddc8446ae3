//! `sotto dev`: everything a developer needs, on this machine, until ctrl-c.

use super::{
    Global,
    error::CliError,
    keygen::{Existing, create_private_directory, new_pair, write_pair},
    local_network::LocalTerms,
    localnet::DelegationArg,
    output::{json, say_lines},
    runtime,
    sandbox::{self, Sandbox, SandboxTerms},
    settings_file,
    stop::Stop,
};
use crate::{
    config::read_text,
    domain::{
        amount::AmountError,
        chance::OsChance,
        key_pair::{KeyPair, KeyPairError},
        signed_receipt::ReceiptKey,
    },
    localnet::faucet::DEMO_DECIMALS,
    merchant::Price,
};
use clap::Args;
use serde_json::json;
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// What the payer is given, in base units: 1000 demo tokens, and 1000 of cash.
const PURSE: u64 = 1_000_000_000;
/// What a call of the paid route costs, in tokens.
const PRICE: &str = "0.01";

/// Run a network, a facilitator, and a merchant with a paid route on this machine, until ctrl-c
///
/// The network has stand-ins for Inco's programs. It, the ledger and the keys are kept in the state directory, so that
/// the next start goes on where this one stopped: sessions, balances and all; `--fresh` begins a new network with a new
/// ledger. Nothing listens beyond this machine. To see a facilitator restart on a network that goes on, run
/// `sotto localnet` and `sotto serve` in two terminals.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sotto dev                               facilitator on 4021, merchant on 4022\n  \
                  sotto dev --port 5000 --state /tmp/dev  elsewhere\n  \
                  sotto dev --fresh                       on a new network, with the same keys\n  \
                  curl -i http://127.0.0.1:4022/weather   answers 402, with what to pay"
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

/// The people of the sandbox, whose keys outlive it.
struct People {
    facilitator: KeyPair,
    /// What signs the facilitator's receipts.
    receipts: KeyPair,
    merchant: KeyPair,
    payer: KeyPair,
}

impl Dev {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        sandbox::start_logs(global, "info")?;
        runtime()?.block_on(self.serve(global))
    }

    async fn serve(&self, global: &Global) -> Result<(), CliError> {
        let state = std::path::absolute(&self.state)?;
        create_private_directory(&state).map_err(|source| DevError::State { path: state.clone(), source })?;
        let pair = |name| load_or_make(&state.join(name));
        let people = People {
            facilitator: pair("facilitator.json")?,
            receipts: pair("receipts.json")?,
            merchant: pair("merchant.json")?,
            payer: pair("payer.json")?,
        };
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
            spender: people.facilitator.clone(),
            receipts: people.receipts.clone(),
            merchant: people.merchant.public(),
            price: Price::decimal(PRICE, DEMO_DECIMALS).map_err(DevError::from)?,
        };
        let sandbox = Sandbox::start(terms, global).await?;
        if sandbox.network.is_new() {
            sandbox.network.give_tokens(&people.payer.public(), PURSE)?;
            sandbox.network.give_cash(&people.payer.public(), PURSE)?;
            // A merchant that is paid in cash needs an account already.
            sandbox.network.give_cash(&people.merchant.public(), 0)?;
        }
        sandbox.network.until_confirmed().await;
        let file = state.join("sotto.toml");
        settings_file::write(&file, &settings(&sandbox, &state))
            .map_err(|source| DevError::State { path: file.clone(), source })?;
        sandbox.network.save()?;
        let mut stop = Stop::listen()?;
        self.tell(&sandbox, &people, &file)?;
        stop.asked().await?;
        sandbox.stop().await;
        Ok(())
    }

    fn tell(&self, sandbox: &Sandbox, people: &People, file: &Path) -> Result<(), CliError> {
        let (route, config) = (sandbox.paid_route(), file.display());
        let state = file.parent().unwrap_or(file).display();
        let purse = if sandbox.network.is_new() { "1000 tokens, 1000 cash and no SOL" } else { "what it had" };
        if self.json {
            return json(&json!({
                "facilitator": sandbox.facilitator,
                "merchant": sandbox.merchant,
                "paidRoute": route,
                "rpc": sandbox.network.rpc_url(),
                "spender": people.facilitator.public().to_string(),
                "recipient": people.merchant.public().to_string(),
                "payer": people.payer.public().to_string(),
                "payerKey": format!("{state}/payer.json"),
                "receiptKey": ReceiptKey::current(people.receipts.public()).id(),
                "mint": sandbox.config.asset.mint.to_string(),
                "mppMint": sandbox.network.cash_mint().to_string(),
                "config": config.to_string(),
            }));
        }
        say_lines(format_args!(
            "A network with stand-ins for Inco's programs, a facilitator and a merchant are up; ctrl-c stops them.\n\n  \
             facilitator  {}   spender {}\n  \
             merchant     {}   paid to {}\n  \
             payer        {purse}, {}\n  \
             Solana RPC   {}\n  \
             keys         {state}/\n  \
             config       {config}\n\n\
             What the merchant answers to somebody who does not pay:\n\n  \
             curl -i {route}\n\n\
             Open a session (one signature), pay for a call, and see what is left:\n\n  \
             sotto --config {config} session open --facilitator {} --facilitator-address {} \\\n    \
             --key {state}/payer.json --recipient {} --cap 1 --origin {} --out {state}/session.json --force\n  \
             sotto --config {config} session pay {route} --session {state}/session.json --max-price {PRICE}\n  \
             sotto --config {config} balance --refresh --session {state}/session.json --key {state}/payer.json\n",
            sandbox.facilitator,
            people.facilitator.public(),
            sandbox.merchant,
            people.merchant.public(),
            people.payer.public(),
            sandbox.network.rpc_url(),
            sandbox.facilitator,
            people.facilitator.public(),
            people.merchant.public(),
            sandbox.merchant,
        ))
    }
}

/// What other commands need to know of this sandbox.
fn settings(sandbox: &Sandbox, state: &Path) -> Vec<(&'static str, String)> {
    let address = sandbox.facilitator.rsplit_once(':').map_or("", |(_, port)| port);
    let mut settings = sandbox.network.settings();
    settings.extend([
        ("keys.spender", format!("file:{}", state.join("facilitator.json").display())),
        ("keys.receipt", format!("file:{}", state.join("receipts.json").display())),
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

/// The key in the file, which is made if there is none.
fn load_or_make(path: &Path) -> Result<KeyPair, CliError> {
    match read_text(path).map(zeroize::Zeroizing::new) {
        Ok(text) => Ok(KeyPair::parse(&text).map_err(|source| DevError::Key { path: path.to_owned(), source })?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let pair = new_pair(&OsChance);
            write_pair(&pair, path, Existing::Keep)?;
            Ok(pair)
        }
        Err(source) => Err(DevError::State { path: path.to_owned(), source }.into()),
    }
}
