//! A whole world in one process, on loopback: local network, facilitator, and a merchant with paid routes. `dev` and
//! `demo` are this and nothing else, so whatever works there is the real service and the real SDKs over real HTTP.
//!
//! The configuration is made here: of the user's own, only what is said on the command line counts (`--config`,
//! `--set`). A `.env` with a real key, or a limit in `./sotto.toml`, belongs to a service and not to a sandbox.

mod cash;

use super::{
    Global, descriptors,
    dev::DevError,
    error::CliError,
    local_network::{LocalNetwork, LocalTerms},
    shop,
    start::{self, Service},
    wiring::{self, WiringError},
};
use crate::{
    api,
    chain::Chain as _,
    config::{Config, Environment, Flags, Layers, TelemetryConfig},
    domain::key_pair::KeyPair,
    facilitator::{HandleReport, ProbeVerdict},
    merchant::{FacilitatorClient, Gate, Offer, Paywall, Price},
};
pub(super) use cash::CashError;
use cash::CashTerms;
use solana_pubkey::Pubkey;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// How many of the ledger's newest transactions are looked for on the network.
const NEWEST: u64 = 4;
/// How long a stop waits for requests under way.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// What the key for MPP's fees is given at each start, in lamports: so much less than the spender that the spender goes on to pay
/// for sessions, as both share that by what they have.
const FEES_LAMPORTS: u64 = 200_000_000;
/// The file of the channels that the merchant served, in the state directory.
const CHANNELS_FILE: &str = "mpp-channels";
/// The variable that carries the sandbox's spender into its configuration.
const SPENDER: &str = "SANDBOX_SPENDER";
/// The variable that carries the key for MPP's fees.
const FEES: &str = "SANDBOX_FEES";
/// The variable that carries what signs its receipts.
const RECEIPTS: &str = "SANDBOX_RECEIPTS";
/// The variable that carries the root of MPP's keys.
const ROOT: &str = "SANDBOX_MPP_ROOT";

/// What signs in a sandbox, and from what further keys are derived.
#[derive(Clone)]
pub(super) struct SandboxKeys {
    /// The delegate of sessions, and the first of the two fee payers: the only one that published clients know.
    pub(super) spender: KeyPair,
    /// The other fee payer, for what buyers sign by MPP: a spender never signs that.
    pub(super) fees: KeyPair,
    /// What signs receipts.
    pub(super) receipts: KeyPair,
    /// The root of MPP's keys, in 64 hex digits.
    pub(super) root: Zeroizing<String>,
    /// What the merchant's challenges are bound with.
    pub(super) challenges: Zeroizing<String>,
}

/// What a sandbox is made of.
pub(super) struct SandboxTerms {
    /// The network.
    pub(super) network: LocalTerms,
    /// The facilitator's port; 0 picks a free one.
    pub(super) facilitator_port: u16,
    /// The merchant's port; 0 picks a free one.
    pub(super) merchant_port: u16,
    /// An absolute directory that is there; the ledger goes into it.
    pub(super) state: PathBuf,
    /// What signs.
    pub(super) keys: SandboxKeys,
    /// The wallet that the merchant is paid to.
    pub(super) merchant: Pubkey,
    /// What a call of a route that is paid by x402 costs.
    pub(super) price: Price,
}

/// A running sandbox.
pub(super) struct Sandbox {
    pub(super) network: LocalNetwork,
    pub(super) config: Config,
    pub(super) service: Service,
    /// The facilitator's URL.
    pub(super) facilitator: String,
    /// The merchant's origin.
    pub(super) merchant: String,
    /// The file of the ledger.
    pub(super) ledger: PathBuf,
    stop: CancellationToken,
    servers: Vec<JoinHandle<io::Result<()>>>,
}

impl Sandbox {
    /// Starts everything and gives the facilitator its SOL.
    pub(super) async fn start(terms: SandboxTerms, global: &Global) -> Result<Self, CliError> {
        // Bound first, so that a port in use is told before anything is made.
        let facilitator = listen(terms.facilitator_port).await?;
        let merchant = listen(terms.merchant_port).await?;
        let network = LocalNetwork::start(terms.network.clone()).await?;
        network.give_sol(&terms.keys.spender.public())?;
        network.give_lamports(&terms.keys.fees.public(), FEES_LAMPORTS)?;
        network.until_confirmed().await;
        let ledger = terms.state.join(format!("ledger-{:.8}.db", network.genesis_hash()));
        let config = configure(&network, &terms, &ledger, global)?;
        let service = start::assemble(&config).await?;
        // What a service asks of a program that others have deployed is known of our own stand-ins.
        service.facilitator.apply_probe(ProbeVerdict::Usable);
        service.facilitator.apply_handles(HandleReport { are_derived: true, are_lowered: true });
        check_memory(&service).await?;
        let stop = CancellationToken::new();
        let mut sandbox = Self {
            network,
            config,
            service,
            facilitator: url(&facilitator)?,
            merchant: url(&merchant)?,
            ledger,
            stop,
            servers: Vec::new(),
        };
        // First, because the merchant asks it for its keys.
        sandbox.serve_facilitator(facilitator)?;
        let shop = sandbox.shop(terms.merchant, terms.price, &sandbox.merchant)?;
        let cash = shop::cash_router(sandbox.cash_walls(&terms).await?);
        sandbox.serve(merchant, shop.merge(cash).merge(shop::index(&shop::PAID)));
        Ok(sandbox)
    }

    /// The paid route's URL.
    pub(super) fn paid_route(&self) -> String {
        format!("{}{}", self.merchant, shop::ROUTE)
    }

    /// The URL of the route that is paid later.
    pub(super) fn deferred_route(&self) -> String {
        format!("{}{}", self.merchant, shop::DEFERRED_ROUTE)
    }

    /// The URL of the route that is paid by a charge.
    pub(super) fn charge_route(&self) -> String {
        format!("{}{}", self.merchant, shop::CHARGE_ROUTE)
    }

    /// The URL of the route that is paid by vouchers.
    pub(super) fn stream_route(&self) -> String {
        format!("{}{}", self.merchant, shop::STREAM_ROUTE)
    }

    /// Opens the shop of another merchant, who sells by x402 alone, on a free port; gives its origin.
    pub(super) async fn open_shop(&mut self, merchant: Pubkey, price: Price) -> Result<String, CliError> {
        let listener = listen(0).await?;
        let origin = url(&listener)?;
        let shop = self.shop(merchant, price, &origin)?;
        self.serve(listener, shop.merge(shop::index(&shop::PAID_BY_X402)));
        Ok(origin)
    }

    fn shop(&self, merchant: Pubkey, price: Price, origin: &str) -> Result<axum::Router, CliError> {
        let mint = self.config.asset.mint;
        let offer = Offer::new(self.service.network.alias(), mint, merchant, price)
            .described("The weather, a call", "application/json")
            .facilitator(&self.facilitator);
        let paywall = |path: &str, offer: Offer| {
            let gate = Gate::new(&format!("GET {path}"), offer)?.public_base(origin);
            Ok::<_, CliError>(Paywall::new(FacilitatorClient::new(&self.facilitator)?, gate))
        };
        Ok(shop::router(paywall(shop::ROUTE, offer.clone())?, paywall(shop::DEFERRED_ROUTE, offer.deferred())?))
    }

    async fn cash_walls(&self, terms: &SandboxTerms) -> Result<shop::CashWalls, CashError> {
        let channels = terms.state.join(CHANNELS_FILE);
        cash::walls(CashTerms {
            facilitator: &self.facilitator,
            mint: self.network.cash_mint(),
            recipient: terms.merchant,
            secret: &terms.keys.challenges,
            channels: &channels,
        })
        .await
    }

    /// Serves the facilitator as `sotto serve` does, so that limits by address hold.
    fn serve_facilitator(&mut self, listener: TcpListener) -> Result<(), CliError> {
        let (router, stop) = (self.service.router.clone(), self.stop.clone());
        let settings = descriptors::fit(wiring::server_settings(&self.config))?;
        let server = async move {
            api::serve(listener, router, settings, stop).await;
            Ok(())
        };
        self.servers.push(tokio::spawn(server));
        Ok(())
    }

    fn serve(&mut self, listener: TcpListener, router: axum::Router) {
        let stopped = self.stop.clone().cancelled_owned();
        let server = async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await };
        self.servers.push(tokio::spawn(server));
    }

    /// Answers the requests under way, then stops everything. What is unfinished is in the ledger.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.service.facilitator.end_streams();
        for mut server in self.servers {
            if timeout(STOP_PATIENCE, &mut server).await.is_err() {
                server.abort();
            }
        }
        self.service.facilitator.leave().await;
        self.service.chain.shutdown().await;
        drop(self.service);
        self.network.stop().await;
    }
}

async fn listen(port: u16) -> Result<TcpListener, CliError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.map_err(|source| CliError::Listen { address, source })
}

fn url(listener: &TcpListener) -> io::Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

fn configure(network: &LocalNetwork, terms: &SandboxTerms, ledger: &Path, global: &Global) -> Result<Config, CliError> {
    let own = [
        ("keys.spender", format!("env:{SPENDER}")),
        ("keys.fee_payer", format!("env:{SPENDER},env:{FEES}")),
        ("keys.receipt", format!("env:{RECEIPTS}")),
        ("mpp.enabled", "true".to_owned()),
        ("mpp.mint", network.cash_mint().to_string()),
        ("mpp.root", format!("env:{ROOT}")),
        ("ledger.path", ledger.display().to_string()),
        ("server.bind", Ipv4Addr::LOCALHOST.to_string()),
        ("server.port", terms.facilitator_port.to_string()),
    ];
    let keys = &terms.keys;
    let [spender, fees, receipts] = [secret(&keys.spender)?, secret(&keys.fees)?, secret(&keys.receipts)?];
    let secrets = [(SPENDER, &spender), (FEES, &fees), (RECEIPTS, &receipts), (ROOT, &keys.root)];
    let secrets = secrets.map(|(name, secret)| (name, secret.as_str()));
    let own = network.settings().into_iter().chain(own);
    // Rent and requests cost nothing here: everybody may have a balance made readable, and get what an opening takes, at any
    // time.
    let free = [
        "allowances.request_interval_seconds",
        "limits.grants_per_user_per_day",
        "limits.grants_per_user_per_month",
        "limits.prepares_per_ip_per_second",
        "limits.prepares_per_second",
        "limits.requests_per_ip_per_second",
        "limits.sessions_per_ip_per_hour",
        "limits.unproven_grants_per_hour",
        "mpp.onboardings_per_hour",
        "mpp.onboardings_per_ip_per_day",
        "mpp.onboardings_per_wallet_per_day",
        "mpp.vouchers_per_channel_per_second",
    ];
    let mut defaults = free.map(|key| (key, "0".to_owned())).to_vec();
    // Anybody may pay the sandbox's merchant, the published client too, which proves no balance.
    defaults.push(("settlement.recipients", terms.merchant.to_string()));
    // Its token program is ours and does what is relied on, so nobody has to ask it.
    defaults.push(("settlement.settle_instruction", "transfer_with_authorization".to_owned()));
    let layers = layers(global, secrets, defaults, own)?;
    Ok(layers.config()?.0)
}

/// A key pair as its variable holds it.
fn secret(pair: &KeyPair) -> Result<Zeroizing<String>, CliError> {
    Ok(Zeroizing::new(serde_json::to_string(&pair.expose()[..])?))
}

/// Sets up the logs; `filter` is what is told unless `--set telemetry.log_filter` says otherwise.
pub(super) fn start_logs(global: &Global, filter: &str) -> Result<(), CliError> {
    let defaults = vec![("telemetry.log_filter", filter.to_owned())];
    let (telemetry, _) = layers(global, [], defaults, [])?.extract(TelemetryConfig::read)?;
    super::start_logs(&telemetry)
}

/// Refuses a network that does not have what the ledger saw land on it: every payment would fail, and nobody would know why.
async fn check_memory(service: &Service) -> Result<(), CliError> {
    let landed = service.ledger.newest_landings(NEWEST).await.map_err(WiringError::from)?;
    let mut missing = 0;
    for signature in landed {
        let found = service.chain.transaction(&signature).await.map_err(WiringError::from)?;
        missing += usize::from(found.is_none());
    }
    if missing == 0 { Ok(()) } else { Err(DevError::OlderNetwork { missing }.into()) }
}

/// `defaults` below what the command line says, `own` above it, and nothing of the surroundings.
fn layers<'a>(
    global: &Global,
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    defaults: Vec<(&'static str, String)>,
    own: impl IntoIterator<Item = (&'static str, String)>,
) -> Result<Layers, CliError> {
    let sandbox = |(key, value): (&str, String)| ("the sandbox".to_owned(), key.to_owned(), value);
    let set = global.set.iter().map(|(key, value)| ("--set".to_owned(), key.clone(), value.clone()));
    let flags = Flags {
        file: global.config.as_ref().map(std::path::absolute).transpose()?,
        values: defaults.into_iter().map(sandbox).chain(set).chain(own.into_iter().map(sandbox)).collect(),
    };
    // A directory that is not there has no `.env`, and neither has its parent.
    Ok(Layers::gather(Environment::of(Path::new("not/there"), variables), &flags))
}
