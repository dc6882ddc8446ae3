//! `sotto localnet`: the embedded network as a process of its own.

use super::{
    Global,
    error::CliError,
    local_network::{LocalNetwork, LocalTerms, Name},
    output::{json, say, say_lines, table},
    runtime, settings_file,
};
use crate::{
    config,
    domain::{amount::Amount, signed::parse_key},
    localnet::{faucet::DEMO_DECIMALS, standins::Delegation},
};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use solana_pubkey::Pubkey;
use std::{path::PathBuf, time::Duration};

/// Run an embedded Solana network with stand-ins for Inco's programs, until ctrl-c
///
/// A real SVM in this process behind standard JSON-RPC and websocket, with stand-ins for Inco's token program, Inco
/// Lightning, the Covalidator and Swig. It listens on loopback only and forgets everything when it stops, unless it is
/// given a file to keep it in. What works here says something about the software that talks to it, and nothing about
/// the programs that are stood in for.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sotto localnet                           JSON-RPC on 8899, websocket on 8900, Covalidator on 8901\n  \
                        sotto localnet --fund WALLET             with 10 SOL, 1000 demo tokens and 1000 cash for WALLET\n  \
                        sotto localnet --write net.toml          then `sotto --config net.toml serve` in another terminal\n  \
                        sotto localnet --seed 1 --port 0 --json  repeatable addresses, free ports, for programs\n  \
                        sotto localnet --state net.json          goes on where it stopped, if it has run before\n  \
                        sotto localnet --second-port 8909        a second endpoint, which can be made to lag\n  \
                        sotto localnet --as-devnet               rehearse a configuration with NETWORK=solana:devnet"
)]
pub(super) struct LocalnetCommand {
    /// The JSON-RPC's port; the websocket is there too and on the next one; 0 picks a free pair
    #[arg(long, default_value_t = 8899)]
    port: u16,
    /// The port of the Covalidator's stand-in; 0 picks a free one
    #[arg(long, default_value_t = 8901)]
    covalidator_port: u16,
    /// What a delegate may move
    #[arg(long, value_enum, default_value_t = DelegationArg::Public)]
    delegation: DelegationArg,
    /// How long a slot takes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 400, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    slot_ms: u64,
    /// Answer to devnet's names and genesis hash, to rehearse a configuration that names devnet; it is not devnet
    #[arg(long)]
    as_devnet: bool,
    /// Make every key and address repeat itself
    #[arg(long)]
    seed: Option<u64>,
    /// Give a wallet 10 SOL, demo tokens and plain cash (1000 of each unless an amount is named); may be repeated
    #[arg(long, value_name = "WALLET[=TOKENS]", value_parser = parse_gift)]
    fund: Vec<(Pubkey, Amount)>,
    /// Keep the network in a file, and go on from there at the next start; who can read it can mint
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Open a second endpoint on this port and the next one, for failover; 0 picks a free pair
    #[arg(long, value_name = "PORT")]
    second_port: Option<u16>,
    /// Write what other commands need to know into a configuration file, for `sotto --config FILE ...`
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Print the addresses as one JSON object
    #[arg(long)]
    json: bool,
}

/// What a delegate may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DelegationArg {
    /// Anything: only the delegate's identity is compared, as the public source does
    Public,
    /// At most the delegated amount, which is lowered, as the published documents say
    Documented,
}

impl DelegationArg {
    /// As it is written on the command line.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Documented => "documented",
        }
    }
}

impl From<DelegationArg> for Delegation {
    fn from(arg: DelegationArg) -> Self {
        match arg {
            DelegationArg::Public => Self::Public,
            DelegationArg::Documented => Self::Documented,
        }
    }
}

impl LocalnetCommand {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        global.start_logs()?;
        runtime()?.block_on(self.serve())
    }

    async fn serve(self) -> Result<(), CliError> {
        let network = LocalNetwork::start(LocalTerms {
            rpc_port: self.port,
            covalidator_port: self.covalidator_port,
            delegation: self.delegation.into(),
            slot: Duration::from_millis(self.slot_ms),
            name: if self.as_devnet { Name::Devnet } else { Name::Own },
            seed: self.seed,
            state: self.state.clone(),
            second_port: self.second_port,
        })
        .await?;
        for (wallet, tokens) in &self.fund {
            network.fund(wallet, tokens.get())?;
        }
        network.until_confirmed().await;
        if let Some(path) = &self.write {
            settings_file::write(path, &network.settings())?;
        }
        network.save()?;
        let mut stop = super::stop::Stop::listen()?;
        self.tell(&network)?;
        stop.asked().await?;
        network.save()?;
        network.stop().await;
        Ok(())
    }

    fn tell(&self, network: &LocalNetwork) -> Result<(), CliError> {
        let settings = network.settings();
        if self.json {
            let settings = settings.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value)));
            let second = network.second_url().map(|url| ("secondRpc".to_owned(), Value::from(url)));
            return json(&Value::Object(settings.chain(second).collect::<Map<_, _>>()));
        }
        say_lines("A local network with stand-ins for Inco's programs is up; ctrl-c stops it.\n")?;
        if network.is_called_devnet() {
            say_lines("It answers to devnet's names and is not devnet: nothing here is worth anything there.\n")?;
        }
        table(["key", "value"], settings.iter().map(|(key, value)| [(*key).to_owned(), value.clone()]))?;
        if let Some(url) = network.second_url() {
            say_lines(format_args!("\nThe second endpoint is {url}"))?;
        }
        say_lines(format_args!("\nCash, a mint of the real SPL Token program, is {}", network.cash_mint()))?;
        say_lines("\nTo point `sotto serve` at it, set:\n")?;
        let variable = |path: &str| config::keys().find(|key| key.path() == path).map(config::Key::variable);
        for (key, value) in &settings {
            say(format_args!("export {}='{value}'", variable(key).unwrap_or_default()))?;
        }
        Ok(())
    }
}

fn parse_gift(text: &str) -> Result<(Pubkey, Amount), String> {
    let (wallet, tokens) = text.split_once('=').unwrap_or((text, "1000"));
    let wallet = parse_key(wallet).ok_or_else(|| format!("{wallet:?} is not a public key"))?;
    let tokens = Amount::parse_decimal(tokens, DEMO_DECIMALS).map_err(|error| error.to_string())?;
    Ok((wallet, tokens))
}
