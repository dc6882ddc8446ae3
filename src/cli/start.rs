//! The start of a service: everything that comes before its first request.
//!
//! Promises: nothing is signed before the network is known to be the configured one and the budgets are in force, and
//! [`start`] picks up no work with a program that is known to be unsafe. What does not depend on each other is asked
//! together, because a restart is a time in which nobody can pay: with nothing missing, a start is three round trips to
//! the RPC (which network; the balances, the probe's accounts and a blockhash; the probe's simulations), and the ledger is
//! opened during the first.

use super::{
    mpp,
    probing::Probing,
    reach::{Trouble, reach},
    trust,
    wiring::{self, WiringError},
};
use crate::{
    api::{self, ApiSettings},
    chain::rpc::SolanaChain,
    config::{Config, RefusedSettlements},
    covalidator::HttpCovalidator,
    domain::{
        chance::{Chance, OsChance},
        clock::{Clock, SystemClock, UnixSeconds},
        network::Network,
    },
    facilitator::{Facilitator, Ports},
    ledger::{self, ImportTerms, Ledger, OpenLedgerError},
};
use axum::http::StatusCode;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// How many sessions that were not imported a line of the log names.
const MOST_TOLD: usize = 50;
/// The longest one request to the Covalidator takes; its patience is the caller's.
const COVALIDATOR_REQUEST: Duration = Duration::from_secs(5);

/// A running service.
pub(super) struct Service {
    pub(super) facilitator: Arc<Facilitator>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) chain: Arc<SolanaChain>,
    pub(super) network: Network,
    pub(super) router: axum::Router,
}

/// Starts a service without a probe, for a command that asks the facilitator itself. Serves nothing yet.
pub(super) async fn assemble(config: &Config) -> Result<Service, WiringError> {
    let service = build(config, Trouble::IsTold).await?;
    service.facilitator.recover().await?;
    Ok(service)
}

/// A service that is about to serve: probed, with unfinished work picked up. Waits for an RPC in trouble, and tells `waiting`
/// so.
pub(super) async fn start(
    config: &Config,
    waiting: &watch::Sender<Option<String>>,
) -> Result<(Service, Probing), WiringError> {
    let service = build(config, Trouble::IsWaitedOut(waiting)).await?;
    for detail in trust::warnings(&service.chain.voices()) {
        tracing::warn!(detail, "an RPC provider's word is believed alone, or counted once");
    }
    let facilitator = &service.facilitator;
    facilitator.set_limits().await?;
    facilitator.claim_root().await?;
    let ((), probing) = tokio::join!(facilitator.learn_balances(), Probing::begin(facilitator, config));
    let probing = probing?;
    facilitator.take_over().await?;
    Ok((service, probing))
}

/// Connects, checks the cluster, opens the ledger and builds the router. Nothing works yet.
async fn build(config: &Config, trouble: Trouble<'_>) -> Result<Service, WiringError> {
    let chance: Arc<dyn Chance> = Arc::new(OsChance);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let chain = Arc::new(wiring::connect(config)?);
    let (network, opened) = tokio::try_join!(reach(&*chain, &config.network.name, trouble), open_own_ledger(config))?;
    let keys = wiring::keys(config);
    let ledger = if let Some(ledger) = opened {
        ledger
    } else {
        let (spender, network) = (keys.spender.pubkey(), network.clone());
        import_ledger(config, ImportTerms { spender, network, now: clock.now() }).await?
    };
    agree_on_voices(&chain, &*ledger, clock.now()).await?;
    let endpoint = config.covalidator.endpoint.expose();
    let covalidator = HttpCovalidator::new(endpoint, config.covalidator.attestation_key, COVALIDATOR_REQUEST)?;
    let ports = Ports {
        ledger: Arc::clone(&ledger),
        chain: Arc::<SolanaChain>::clone(&chain),
        covalidator: Arc::new(covalidator),
        clock,
        chance: Arc::clone(&chance),
    };
    let mpp = mpp::settings(config, &*chain, trouble).await?;
    let facilitator = Facilitator::new(ports, keys, wiring::settings(config, network.clone(), mpp)?);
    let refused_settlement = refused_settlement(config, &*ledger).await?;
    let settings = ApiSettings { refused_settlement, ..wiring::api_settings(config, chance) };
    let router = api::router(Arc::clone(&facilitator), &settings);
    Ok(Service { facilitator, ledger, chain, network, router })
}

/// Refuses a ledger whose other services ask another number of voices before they give back or sign anew: what one of them
/// holds another would not.
async fn agree_on_voices(chain: &SolanaChain, ledger: &dyn Ledger, now: UnixSeconds) -> Result<(), WiringError> {
    let configured = chain.absence_voices();
    let agreed = ledger.agree_on_voices(configured, now).await?;
    if agreed == configured {
        return Ok(());
    }
    Err(WiringError::OtherVoices { configured: configured.count(), agreed: agreed.count() })
}

/// By which status merchants are told that a payment is refused; said where it is not the usual one.
async fn refused_settlement(config: &Config, ledger: &dyn Ledger) -> Result<StatusCode, WiringError> {
    let is_as_deployed = match config.server.refused_settlements {
        RefusedSettlements::Auto => ledger.was_taken_over().await?,
        RefusedSettlements::Ok => false,
        RefusedSettlements::BadRequest => true,
    };
    if !is_as_deployed {
        return Ok(StatusCode::OK);
    }
    let status = StatusCode::BAD_REQUEST;
    tracing::info!(
        status = status.as_u16(),
        "POST /settle answers refusals with this status, as the inco-facilitator did (server.refused_settlements)"
    );
    Ok(status)
}

/// Our own ledger; none when the file is the deployed service's, whose sessions are imported for one network and have to
/// wait until it is known.
async fn open_own_ledger(config: &Config) -> Result<Option<Arc<dyn Ledger>>, WiringError> {
    match ledger::open(&config.ledger.path).await {
        Ok(ledger) => Ok(Some(ledger)),
        Err(OpenLedgerError::Deployed) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn import_ledger(config: &Config, terms: ImportTerms) -> Result<Arc<dyn Ledger>, OpenLedgerError> {
    let (ledger, report) = ledger::import(&config.ledger.path, terms).await?;
    if let Some(report) = report {
        tracing::info!(
            imported = report.imported,
            skipped = report.skipped.values().map(Vec::len).sum::<usize>(),
            "imported the deployed service's sessions"
        );
        tracing::info!(
            "balances become readable on request and at rest, not with each payment as there; the section allowances chooses"
        );
        for (reason, ids) in &report.skipped {
            let told: Vec<&str> = ids.iter().take(MOST_TOLD).map(String::as_str).collect();
            let more = if ids.len() > MOST_TOLD { " ..." } else { "" };
            let (reason, sessions) = (reason.word(), format!("{}{more}", told.join(" ")));
            tracing::info!(
                reason,
                skipped = ids.len(),
                sessions,
                "sessions were not imported; they stay in deployed_sessions_imported"
            );
        }
    }
    Ok(ledger)
}
