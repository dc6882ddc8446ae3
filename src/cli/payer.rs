//! What the payer's commands share: the sections of the configuration that a payer needs, their wallet, and the file in
//! which a session is kept.

use super::{Global, warn};
use crate::{
    client::{
        BalanceReader, BodyError, FacilitatorError, FacilitatorPin, FollowError, LocalKey, OpenSession, PayError,
        ProveError, Prover, ReceiptMisfit, RpcError, SavedError, SessionClient, SessionClientError, Settings,
        SingleError, SolanaRpc, Trust, balance::BalanceError,
    },
    config::{AssetConfig, CovalidatorConfig, NetworkConfig, ProgramsConfig, TelemetryConfig, WrongNetwork, read_text},
    covalidator::{HttpCovalidator, SetupError},
    domain::{
        amount::Amount,
        chance::OsChance,
        clock::SystemClock,
        key_pair::{KeyPair, KeyPairError},
        network::Network,
        signed::parse_key,
    },
    programs::{
        Programs,
        ciphertext::{CiphertextError, EncryptionKey},
    },
};
use clap::{ArgGroup, Args};
use solana_pubkey::Pubkey;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use zeroize::Zeroizing;

/// Where `session open` keeps the session unless told otherwise.
pub(super) const SESSION_FILE: &str = ".keys/session.json";
/// Where the payer's wallet is unless told otherwise.
pub(super) const WALLET_FILE: &str = ".keys/payer.json";
/// Which session a command is about: the first argument or `--session`, which every command about a session takes.
#[derive(Debug, Args)]
pub(super) struct SessionChoice {
    /// The session's file [default: .keys/session.json]
    #[arg(value_name = "SESSION")]
    file: Option<PathBuf>,
    /// The session's file, said as the other commands do
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    session: Option<PathBuf>,
}

impl SessionChoice {
    /// The file that was named, or where `session open` keeps a session.
    pub(super) fn path(&self) -> &Path {
        self.file.as_deref().or(self.session.as_deref()).unwrap_or_else(|| Path::new(SESSION_FILE))
    }
}

/// Which facilitator a payer asks, and whom it may be.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("trust").required(true))]
pub(super) struct FacilitatorChoice {
    /// The facilitator's URL
    #[arg(long, value_name = "URL")]
    facilitator: String,
    /// The facilitator's address (the spender); one that names another is refused
    #[arg(long, value_name = "ADDRESS", value_parser = address, group = "trust")]
    facilitator_address: Option<Pubkey>,
    /// The facilitator's fee payer, when it is not the spender
    #[arg(long, value_name = "ADDRESS", value_parser = address, requires = "facilitator_address")]
    fee_payer: Option<Pubkey>,
    /// Trust whatever address the facilitator's URL answers with; for development only
    #[arg(long, group = "trust")]
    trust_on_first_use: bool,
}

impl FacilitatorChoice {
    pub(super) fn url(&self) -> &str {
        &self.facilitator
    }

    fn trust(&self) -> Trust {
        match self.facilitator_address {
            Some(spender) => Trust::Pinned(FacilitatorPin { spender, fee_payer: self.fee_payer.unwrap_or(spender) }),
            None => Trust::OnFirstUse,
        }
    }
}

/// An address on the command line.
pub(super) fn address(text: &str) -> Result<Pubkey, String> {
    parse_key(text).ok_or_else(|| "it is not a public key in base58".to_owned())
}

/// The deadline of one question to the RPC or the Covalidator.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why a payer's command did nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum PayerError {
    /// A file cannot be read or written.
    #[error("{} cannot be {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried, as in "read".
        what: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file to be written is there.
    #[error("{} is there already; choose another file with --out, or add --force to lose the session in it", .0.display())]
    Exists(PathBuf),
    /// What stands where a session is to be written cannot be taken over.
    #[error("{} is in the way: {why}", path.display())]
    InTheWay {
        /// The file.
        path: PathBuf,
        /// What it is.
        why: &'static str,
    },
    /// An opening of something else was sent into the same file, and nobody knows what became of it.
    #[error(
        "{}.new holds an opening that was sent and not ended, with another {what}; end it with the arguments that it had, or set it \
         aside with --force", path.display()
    )]
    AnotherOpening {
        /// Where the session was to be kept.
        path: PathBuf,
        /// In what it differs from the one that was asked for.
        what: &'static str,
    },
    /// The wallet's file holds no key pair.
    #[error("{} holds no key pair; `sotto keygen {}` makes one", path.display(), path.display())]
    Wallet {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: KeyPairError,
    },
    /// The session's file holds no session.
    #[error("{} holds no session; `sotto session open` makes one", path.display())]
    Saved {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: SavedError,
    },
    /// The session is of another asset than the configuration, so its decimals are not known.
    #[error("the session's asset is {0}, and asset.mint is another one; set asset.mint and asset.decimals")]
    OtherAsset(Pubkey),
    /// The RPC.
    #[error("the Solana RPC cannot be used; check network.rpc_urls")]
    Rpc(#[from] RpcError),
    /// The RPC serves another network.
    #[error(transparent)]
    Network(#[from] WrongNetwork),
    /// No RPC is asked, and nothing else tells which local network is meant.
    #[error("network.genesis_hash is not set, and no RPC is asked for it; set it, or leave --no-rpc out")]
    UnknownGenesis,
    /// The Covalidator's encryption key.
    #[error("covalidator.encryption_key is not an uncompressed secp256k1 public key in hex")]
    EncryptionKey(#[from] CiphertextError),
    /// The Covalidator's endpoint.
    #[error("the Covalidator cannot be used; check covalidator.endpoint")]
    Covalidator(#[from] SetupError),
    /// The facilitator's URL.
    #[error("the facilitator cannot be used; check --facilitator")]
    Facilitator(#[from] FacilitatorError),
    /// No session.
    #[error("no session was opened, shown, listed or closed")]
    Open(#[from] SessionClientError),
    /// No delegation was taken back.
    #[error("the delegation was not revoked, as far as is known; a wallet with SOL revokes at any time by itself")]
    Revoke(#[source] SessionClientError),
    /// Nothing to open a session on by a message.
    #[error(
        "no approve of this wallet stands at the facilitator whose amount is known; open with --approved TOKENS first, or name the total"
    )]
    NothingStands,
    /// An opening was sent, and nobody knows what became of it.
    #[error("the opening was sent, and its outcome is not known; it is kept in {}.new, and the same command goes on with it", path.display())]
    UnfinishedOpening {
        /// Where the session is to be kept.
        path: PathBuf,
        /// What happened last.
        #[source]
        source: Box<PayerError>,
    },
    /// Nothing was told of a session or payment, or nothing was closed.
    #[error("the facilitator told nothing")]
    Follow(#[from] FollowError),
    /// No payment.
    #[error("the request was not answered or not paid")]
    Pay(#[from] PayError),
    /// The merchant's answer was not told whole; what was sent to pay for it is told beside it.
    #[error("the merchant's answer was not read to its end; --max-body and --deadline bound it")]
    Body(#[from] BodyError),
    /// No payment of this nonce is kept.
    #[error(
        "no payment with the nonce {0} is kept beside the session or the wallet: its outcome is known, or it was never sent from here"
    )]
    NoKeptPayment(String),
    /// A payment was sent, and may still become something else.
    #[error(
        "the payment's outcome is not known yet ({state}); send nothing else in its place: --again {nonce} sends it again"
    )]
    Undecided {
        /// `pending` or `unknown`.
        state: &'static str,
        /// Its nonce.
        nonce: String,
    },
    /// No single payment.
    #[error("the payment was not made")]
    Single(#[from] SingleError),
    /// Paid and answered, and the receipt is of something else.
    #[error("the payment was sent, and the receipt does not fit it: {0}")]
    Misfit(Box<ReceiptMisfit>),
    /// Answered, with another status than a success.
    #[error("the merchant answered HTTP {0}")]
    NotServed(u16),
    /// No balance.
    #[error("the balance cannot be read")]
    Balance(#[from] BalanceError),
    /// No proof.
    #[error("the balance is not proved")]
    Prove(#[from] ProveError),
}

impl PayerError {
    /// Whether something was sent whose outcome is not known.
    pub(super) const fn is_undecided(&self) -> bool {
        matches!(
            self,
            Self::Undecided { .. }
                | Self::UnfinishedOpening { .. }
                | Self::Revoke(SessionClientError::RevokeUndecided { .. })
        )
    }

    /// Whether nothing can come of an opening that ended like this.
    pub(super) const fn is_final(&self) -> bool {
        matches!(self, Self::Open(SessionClientError::Refused(_) | SessionClientError::Ended(_)))
    }
}

/// The sections that a payer needs: everything but the facilitator's own keys and policy.
pub(super) struct PayerConfig {
    pub(super) network: NetworkConfig,
    pub(super) programs: ProgramsConfig,
    pub(super) asset: AssetConfig,
    pub(super) covalidator: CovalidatorConfig,
}

impl PayerConfig {
    /// Reads the sections and starts the logs.
    pub(super) fn read(global: &Global) -> Result<Self, super::CliError> {
        let layers = global.layers(Vec::new());
        let ((config, telemetry), warnings) = layers.extract(|reader| {
            let (network, programs) = (NetworkConfig::read(reader), ProgramsConfig::read(reader));
            let (asset, covalidator) = (AssetConfig::read(reader), CovalidatorConfig::read(reader));
            let telemetry = TelemetryConfig::read(reader);
            let config = Self { network: network?, programs: programs?, asset: asset?, covalidator: covalidator? };
            Some((config, telemetry?))
        })?;
        warn(&warnings);
        super::start_logs(&telemetry)?;
        Ok(config)
    }

    /// The asset alone, for a command that only prints amounts.
    pub(super) fn read_asset(global: &Global) -> Result<Option<AssetConfig>, super::CliError> {
        let (asset, _) = global.layers(Vec::new()).extract(|reader| Some(AssetConfig::read(reader)))?;
        Ok(asset)
    }

    pub(super) fn programs(&self) -> Programs {
        Programs { token: self.programs.inco_token, lightning: self.programs.inco_lightning }
    }

    /// The first RPC endpoint, after it has proved to serve the configured network.
    pub(super) async fn connect(&self) -> Result<(Arc<SolanaRpc>, Network), PayerError> {
        let url = self.network.rpc_urls.first().map(|url| url.expose().to_owned()).unwrap_or_default();
        let rpc = Arc::new(SolanaRpc::new(url, DEADLINE));
        let network = self.network.name.resolve(&rpc.genesis_hash().await?)?;
        Ok((rpc, network))
    }

    /// A client of this facilitator, and the chain that it asks.
    pub(super) async fn session_client(
        &self,
        facilitator: &FacilitatorChoice,
    ) -> Result<(SessionClient, Arc<SolanaRpc>), PayerError> {
        let (rpc, network) = self.connect().await?;
        let settings = self.settings(facilitator, network)?;
        let reads = Arc::<SolanaRpc>::clone(&rpc);
        Ok((SessionClient::new(settings, reads, Arc::new(SystemClock), Arc::new(OsChance))?, rpc))
    }

    /// A client of this facilitator that asks no node of Solana; refused for a local network whose genesis hash is not configured.
    pub(super) fn client_without_rpc(&self, facilitator: &FacilitatorChoice) -> Result<SessionClient, PayerError> {
        let network = self.network.name.expected().ok_or(PayerError::UnknownGenesis)?;
        let settings = self.settings(facilitator, network)?;
        Ok(SessionClient::without_rpc(settings, Arc::new(SystemClock), Arc::new(OsChance))?)
    }

    fn settings(&self, facilitator: &FacilitatorChoice, network: Network) -> Result<Settings, CiphertextError> {
        Ok(Settings {
            facilitator: facilitator.url().to_owned(),
            trust: facilitator.trust(),
            network,
            asset: self.asset.mint,
            programs: self.programs(),
            encryption_key: EncryptionKey::from_hex(&self.covalidator.encryption_key)?,
        })
    }

    pub(super) fn balances(&self, rpc: Arc<SolanaRpc>) -> Result<BalanceReader, PayerError> {
        Ok(BalanceReader::new(rpc, Arc::new(self.covalidator_client()?), self.programs()))
    }

    /// The Covalidator, believed only with the configured key.
    pub(super) fn covalidator_client(&self) -> Result<HttpCovalidator, PayerError> {
        let (endpoint, key) = (self.covalidator.endpoint.expose(), self.covalidator.attestation_key);
        Ok(HttpCovalidator::new(endpoint, key, DEADLINE)?)
    }

    /// What proves the wallet's balance to a facilitator.
    pub(super) fn prover(&self, rpc: Arc<SolanaRpc>) -> Result<Prover, PayerError> {
        Ok(Prover::new(self.balances(rpc)?, DEADLINE))
    }

    /// Whole tokens in base units, for a session whose asset is the configured one.
    pub(super) fn base_units(&self, session: &OpenSession, tokens: &str) -> Result<Amount, super::CliError> {
        if session.asset != self.asset.mint {
            return Err(PayerError::OtherAsset(session.asset).into());
        }
        tokens_of(tokens, self.asset.decimals)
    }
}

/// Whole tokens in base units.
pub(super) fn tokens_of(text: &str, decimals: u8) -> Result<Amount, super::CliError> {
    Ok(Amount::parse_decimal(text, decimals)?)
}

pub(super) fn read_wallet(path: &Path) -> Result<LocalKey, PayerError> {
    let text = Zeroizing::new(read(path)?);
    let pair = KeyPair::parse(&text).map_err(|source| PayerError::Wallet { path: path.to_owned(), source })?;
    LocalKey::from_bytes(pair.expose())
        .map_err(|_| PayerError::Wallet { path: path.to_owned(), source: KeyPairError::HalvesDiffer })
}

pub(super) fn read_session(path: &Path) -> Result<OpenSession, PayerError> {
    let text = Zeroizing::new(read(path)?);
    OpenSession::from_json(&text).map_err(|source| PayerError::Saved { path: path.to_owned(), source })
}

fn read(path: &Path) -> Result<String, PayerError> {
    read_text(path).map_err(|source| PayerError::File { path: path.to_owned(), what: "read", source })
}
