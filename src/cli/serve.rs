//! `sotto serve`: the facilitator, until it is asked to stop.

use super::{
    Global, descriptors,
    error::CliError,
    output::{self, json, say_lines},
    probing::Probing,
    runtime,
    start::{self, Service},
    start_logs,
    stop::Stop,
    warn, wiring,
};
use crate::{
    api::{self, Identity, ServerSettings},
    config::{Config, LogFormat},
    domain::chance::OsChance,
    facilitator::Facilitator,
};
use clap::Args;
use serde_json::json;
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

/// How long a start keeps its callers waiting before it tells them that it is one.
const SHORT_START: Duration = Duration::from_secs(1);

/// Serve the facilitator's HTTP API, until ctrl-c or SIGTERM
///
/// Starts only when the whole configuration is valid, the RPC serves the configured network, and no other process uses
/// the ledger; then it first picks up what an earlier process left unfinished. An RPC that does not answer is waited
/// for; `/health` and `/ready` answer meanwhile. Asked to stop, it takes no new requests, answers those it has, settles
/// what it promised as far as `deferred.leave_within_seconds` allows, and leaves with everything recorded.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sotto serve                                     with ./sotto.toml, .env and the environment\n  \
                        sotto --config /etc/sotto.toml serve --port 8080\n  \
                        SOLANA_RPC_URL=https://rpc.example sotto serve  any key of `sotto config show`"
)]
pub(super) struct Serve {
    /// The port to listen on (server.port)
    #[arg(long)]
    port: Option<u16>,
    /// The address to listen on (server.bind)
    #[arg(long, value_name = "IP")]
    bind: Option<String>,
    /// The RPC endpoint (`network.rpc_urls`)
    #[arg(long, value_name = "URL")]
    rpc_url: Option<String>,
    /// The ledger's file (ledger.path)
    #[arg(long, value_name = "FILE")]
    ledger: Option<String>,
    /// Print where it listens as one JSON object
    #[arg(long)]
    json: bool,
}

impl Serve {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let layers = global.layers(self.settings());
        let json = layers.telemetry().filter(|telemetry| telemetry.log_format == LogFormat::Json);
        if let Some(telemetry) = &json {
            // A program reads the log: it is told there, too, why there is no service.
            start_logs(telemetry)?;
            output::tell_in_log();
        }
        let (config, warnings) = layers.config()?;
        warn(&warnings);
        if json.is_none() {
            start_logs(&config.telemetry)?;
        }
        runtime()?.block_on(self.serve(&config))
    }

    fn settings(&self) -> Vec<(String, String, String)> {
        let port = self.port.map(|port| port.to_string());
        let flags = [
            ("--port", "server.port", &port),
            ("--bind", "server.bind", &self.bind),
            ("--rpc-url", "network.rpc_urls", &self.rpc_url),
            ("--ledger", "ledger.path", &self.ledger),
        ];
        let set = |(flag, key, value): (&str, &str, &Option<String>)| {
            value.as_ref().map(|value| (flag.to_owned(), key.to_owned(), value.clone()))
        };
        flags.into_iter().filter_map(set).collect()
    }

    async fn serve(&self, config: &Config) -> Result<(), CliError> {
        // Bound before anything else, so that a port in use is told before unfinished work is picked up.
        let wanted = config.server.address;
        let listener =
            TcpListener::bind(wanted).await.map_err(|source| CliError::Listen { address: wanted, source })?;
        let address = listener.local_addr()?;
        let settings = descriptors::fit(wiring::server_settings(config))?;
        let (listener, meanwhile) = twice(listener)?;
        let (tell, waiting) = watch::channel(None);
        // Who waits for an RPC in trouble may be asked to stop meanwhile.
        let mut stop = Stop::listen()?;
        let (service, probing) = tokio::select! {
            begun = start::start(config, &tell) => begun?,
            asked = stop.asked() => return Ok(asked?),
            never = answer_meanwhile(meanwhile, address, config, settings.clone(), waiting) => match never {},
        };
        // Beside the serving: it asks the chain, and nobody has to wait for what it tells.
        let telling = tokio::spawn(tell_readiness(Arc::clone(&service.facilitator)));
        self.tell(address, config, &service)?;
        let served = serve_until_stopped(
            listener,
            &service,
            settings,
            until_it_must_stop(stop, probing),
            config.limits.request_timeout,
        )
        .await;
        telling.abort();
        service.facilitator.leave().await;
        service.chain.shutdown().await;
        let counts = service.ledger.counts();
        tracing::info!(commits = counts.commits, verbs = counts.verbs, "stopped");
        served
    }

    fn tell(&self, address: SocketAddr, config: &Config, service: &Service) -> Result<(), CliError> {
        let spender = config.keys.spender.public().to_string();
        let network = service.network.alias();
        tracing::info!(%address, network, spender, "serving");
        if self.json {
            return json(&json!({ "address": address.to_string(), "network": network, "spender": spender }));
        }
        if output::is_in_log() {
            return Ok(());
        }
        say_lines(format_args!("listening on http://{address}\n  spender  {spender}\n  network  {network}"))
    }
}

/// Two handles of one listening socket: one of them is accepted from at a time.
fn twice(listener: TcpListener) -> io::Result<(TcpListener, TcpListener)> {
    let listener = listener.into_std()?;
    let again = listener.try_clone()?;
    Ok((TcpListener::from_std(listener)?, TcpListener::from_std(again)?))
}

/// Answers for a service whose start takes long, until this is dropped. Callers of one that does not are kept in the queue for
/// the moment that it takes.
async fn answer_meanwhile(
    listener: TcpListener,
    address: SocketAddr,
    config: &Config,
    settings: ServerSettings,
    mut waiting: watch::Receiver<Option<String>>,
) -> Infallible {
    // An RPC that says nothing is not in trouble yet, for as long as a request may take.
    let _ = timeout(SHORT_START, waiting.wait_for(Option::is_some)).await;
    tracing::info!(%address, "listening; GET /ready tells what the start waits for");
    let identity = Identity {
        spender: config.keys.spender.public(),
        network: config.network.name.alias().to_owned(),
        asset: config.asset.mint,
    };
    let router = api::starting(identity, waiting, &wiring::api_settings(config, Arc::new(OsChance)));
    // Connections are tasks of their own: dropped with this, it ends them after what they were asked.
    let over = CancellationToken::new();
    let _over = over.clone().drop_guard();
    api::serve(listener, router, settings, over).await;
    std::future::pending().await
}

/// Logs each check that fails. None stops the start: it may be put right while the service runs, and `GET /ready` tells it too.
async fn tell_readiness(facilitator: Arc<Facilitator>) {
    for check in facilitator.readiness().await.checks.iter().filter(|check| !check.ok) {
        tracing::warn!(check = check.name, detail = check.detail, "not ready");
    }
}

/// Until somebody asks to stop, or the token program turns out to be one that must not be settled with.
async fn until_it_must_stop(mut stop: Stop, probing: Probing) -> Result<(), CliError> {
    tokio::select! {
        asked = stop.asked() => Ok(asked?),
        refusal = probing.refusal() => Err(refusal.into()),
    }
}

/// Serves until it must stop, then gives the requests under way up to `patience`.
async fn serve_until_stopped(
    listener: TcpListener,
    service: &Service,
    settings: ServerSettings,
    must_stop: impl Future<Output = Result<(), CliError>>,
    patience: Duration,
) -> Result<(), CliError> {
    let stopping = CancellationToken::new();
    let router = service.router.clone();
    let mut serving = std::pin::pin!(api::serve(listener, router, settings, stopping.clone()));
    let why = tokio::select! {
        () = &mut serving => return Ok(()),
        why = must_stop => why,
    };
    stopping.cancel();
    // Streams have no end of their own.
    service.facilitator.end_streams();
    // What is still under way then is recorded, and the next process finishes it.
    if timeout(patience, serving).await.is_err() {
        tracing::warn!("stopped with requests under way");
    }
    why
}
