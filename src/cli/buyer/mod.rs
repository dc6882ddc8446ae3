//! `sotto mpp charge|onboard|open|pay|close|leave|status|sessions`: a buyer of the Machine Payments Protocol from the command line.

mod channels;
mod charge;
mod delegation;
mod pay;

use super::{
    Global,
    error::CliError,
    payer::{self, PayerError, WALLET_FILE, address},
    start_logs, warn,
};
use crate::{
    client::{
        FacilitatorError, LocalKey, RpcError, SolanaRpc,
        mpp::{
            BuyError, BuyerState, BuyerToken, MppSessionClient, MppSessionError, SessionTerms, StateFile,
            StateFileError,
        },
    },
    config::{NetworkConfig, TelemetryConfig, WrongNetwork},
    domain::{amount::Amount, chance::OsChance, clock::SystemClock, network::Network},
    programs::spl_token::TokenProgram,
};
use clap::{Args, Subcommand};
use solana_pubkey::Pubkey;
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Where channels and their secrets are kept unless told otherwise.
const STATE_FILE: &str = ".keys/mpp.json";
/// The deadline of one question to the RPC.
const RPC_DEADLINE: Duration = Duration::from_secs(10);

/// Buy by charges and channels of the Machine Payments Protocol, in plain tokens
#[derive(Debug, Subcommand)]
pub(super) enum Mpp {
    Charge(charge::Charge),
    Onboard(delegation::Onboard),
    Open(channels::Open),
    Pay(pay::Pay),
    Close(channels::Close),
    Leave(delegation::Leave),
    Status(delegation::Status),
    Sessions(channels::Sessions),
}

impl Mpp {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        match self {
            Self::Charge(command) => command.run(global),
            Self::Onboard(command) => command.run(global),
            Self::Open(command) => command.run(global),
            Self::Pay(command) => command.run(global),
            Self::Close(command) => command.run(global),
            Self::Leave(command) => command.run(global),
            Self::Status(command) => command.run(global),
            Self::Sessions(command) => command.run(global),
        }
    }
}

/// Why a buyer's command did nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuyerError {
    /// No token is known of the network.
    #[error("this network has no USDC that is known; name the token with --mint and --decimals")]
    NoToken,
    /// No facilitator is named, and none is kept.
    #[error("name the facilitator with --facilitator URL; later commands find it in the state's file")]
    NoFacilitator,
    /// The RPC, which a local network without a configured genesis hash is asked for.
    #[error("the Solana RPC cannot be used; set network.genesis_hash, or check network.rpc_urls")]
    Rpc(#[from] RpcError),
    /// It serves another network.
    #[error(transparent)]
    Network(#[from] WrongNetwork),
    /// The state's file.
    #[error(transparent)]
    State(#[from] StateFileError),
    /// No charge was paid.
    #[error("the request was not answered or not paid")]
    Buy(#[from] BuyError),
    /// A charge was sent, and nobody has said what became of it.
    #[error("a charge was sent, and its outcome is not known: it lands within a minute or never")]
    Undecided(#[source] BuyError),
    /// Channels.
    #[error("the request was not carried out")]
    Session(#[from] MppSessionError),
}

impl BuyerError {
    /// Whether something was sent whose outcome is not known.
    pub(super) const fn is_undecided(&self) -> bool {
        match self {
            Self::Undecided(_) => true,
            Self::Session(error) => error.is_undecided(),
            _ => false,
        }
    }
}

impl From<FacilitatorError> for BuyerError {
    fn from(error: FacilitatorError) -> Self {
        Self::Session(error.into())
    }
}

/// Who pays, and in which token.
#[derive(Debug, Args)]
struct Purse {
    /// The buyer's key pair
    #[arg(long, value_name = "FILE", default_value = WALLET_FILE)]
    key: PathBuf,
    /// The token's mint, instead of the network's USDC
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    mint: Option<Pubkey>,
    /// The decimals of that mint
    #[arg(long, value_name = "NUMBER", default_value_t = 6, requires = "mint")]
    decimals: u8,
    /// That mint is one of Token-2022
    #[arg(long, requires = "mint")]
    token_2022: bool,
}

/// A wallet's channels, and the facilitator that they are at.
#[derive(Debug, Args)]
struct ChannelsAt {
    #[command(flatten)]
    purse: Purse,
    /// The facilitator's URL [default: the one in the state's file]
    #[arg(long, value_name = "URL")]
    facilitator: Option<String>,
    /// The key that has to certify channels, as the facilitator's GET /mpp/keys tells it; without it the first that did
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    issuer: Option<Pubkey>,
    /// The file that holds the channels and their secrets; only you can read it
    #[arg(long, value_name = "FILE", default_value = STATE_FILE)]
    state: PathBuf,
    /// How long a request whose outcome is not known is repeated, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
}

impl Purse {
    fn wallet(&self) -> Result<LocalKey, PayerError> {
        payer::read_wallet(&self.key)
    }

    fn token(&self, network: &Network) -> Result<BuyerToken, BuyerError> {
        let program = if self.token_2022 { TokenProgram::Token2022 } else { TokenProgram::Token };
        match self.mint {
            Some(mint) => Ok(BuyerToken { mint, program, decimals: self.decimals }),
            None => BuyerToken::usdc(network).ok_or(BuyerError::NoToken),
        }
    }
}

impl ChannelsAt {
    /// A client that goes on from the state's file, and keeps what changes in it.
    async fn client(&self, config: &BuyerConfig) -> Result<(MppSessionClient, BuyerToken), CliError> {
        let wallet = self.purse.wallet()?;
        let network = config.network().await?;
        let token = self.purse.token(&network)?;
        let (file, state) = StateFile::open(&self.state).map_err(BuyerError::State)?;
        let kept = state.as_ref().map(|state: &BuyerState| state.facilitator.clone());
        let api_url = self.facilitator.clone().or(kept).ok_or(BuyerError::NoFacilitator)?;
        let terms = SessionTerms { api_url, network, token, issuer: self.issuer };
        let client = MppSessionClient::new(Arc::new(wallet), &terms, state, Arc::new(SystemClock), Arc::new(OsChance))
            .map_err(BuyerError::Session)?
            .keeping(move |state| file.save(state))
            .patient_for(Duration::from_secs(self.patience));
        Ok((client, token))
    }
}

/// The sections that a buyer needs.
struct BuyerConfig {
    network: NetworkConfig,
}

impl BuyerConfig {
    /// Reads the sections and starts the logs.
    fn read(global: &Global) -> Result<Self, CliError> {
        let ((network, telemetry), warnings) = global.layers(Vec::new()).extract(|reader| {
            let (network, telemetry) = (NetworkConfig::read(reader), TelemetryConfig::read(reader));
            Some((network?, telemetry?))
        })?;
        warn(&warnings);
        start_logs(&telemetry)?;
        Ok(Self { network })
    }

    /// The configured network. An RPC is asked only for the genesis hash of a local one that has none configured.
    async fn network(&self) -> Result<Network, BuyerError> {
        if let Some(network) = self.network.name.expected() {
            return Ok(network);
        }
        let url = self.network.rpc_urls.first().map(|url| url.expose().to_owned()).unwrap_or_default();
        let genesis = SolanaRpc::new(url, RPC_DEADLINE).genesis_hash().await?;
        Ok(self.network.name.resolve(&genesis)?)
    }
}

/// Base units as whole tokens.
fn tokens(amount: Amount, token: &BuyerToken) -> String {
    amount.to_decimal(token.decimals)
}
