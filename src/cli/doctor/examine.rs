//! The questions, each by itself, so that one failure hides no other.

use crate::{
    chain::{Chain, ChainAccount, EndpointState, rpc::SolanaChain},
    cli::{
        doctor::mpp,
        trust,
        wiring::{self, WiringError},
    },
    config::Config,
    covalidator::{Covalidator as _, CovalidatorError, HttpCovalidator, WalletSigner},
    domain::{key_pair::KeyPair, settlement::AbsenceVoices},
    ledger::{self, OpenLedgerError},
    programs::inco_token::IncoMint,
};
use serde::Serialize;
use solana_pubkey::Pubkey;
use std::{collections::BTreeMap, error::Error, time::Duration};

/// How long the Covalidator may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A handle to ask about: nobody has a decrypt allowance for it, and to be told so is the healthy answer.
const SOME_HANDLE: u128 = 1;

/// What was found about one subject.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) subject: &'static str,
    /// Whether it is as it should be.
    pub(super) ok: bool,
    /// What was seen and, when it is wrong, what to do.
    pub(super) detail: String,
}

impl Finding {
    pub(super) fn well(subject: &'static str, detail: impl Into<String>) -> Self {
        Self { subject, ok: true, detail: detail.into() }
    }

    pub(super) fn wrong(subject: &'static str, detail: impl Into<String>) -> Self {
        Self { subject, ok: false, detail: detail.into() }
    }

    /// An error with its causes.
    pub(super) fn failed(subject: &'static str, error: &dyn Error) -> Self {
        let mut detail = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            detail.push_str(": ");
            detail.push_str(&inner.to_string());
            cause = inner.source();
        }
        Self::wrong(subject, detail)
    }
}

/// Asks everything the configuration names.
pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let (mut configured, mut served) = (None, None);
    let mut findings = match wiring::connect(config) {
        Ok(chain) => {
            configured = Some(chain.absence_voices());
            let (seen, chain_id) = network(&chain, config).await;
            served = chain_id;
            let mut findings = vec![seen];
            findings.extend(endpoints(&chain, config).await);
            findings.push(voices(&chain));
            findings.extend(trusted(&chain));
            findings.extend(balances(&chain, config).await);
            findings.extend(accounts(&chain, config).await);
            findings.extend(mpp::examine(&chain, config).await);
            chain.shutdown().await;
            findings
        }
        Err(error) => vec![Finding::failed("rpc", &error)],
    };
    findings.push(covalidator(config).await);
    findings.push(ledger(config, configured).await);
    findings.extend(mpp::channels(config, served.as_deref()).await);
    findings
}

/// What the RPC serves, and its network as CAIP-2 has it where that is the configured one.
async fn network(chain: &impl Chain, config: &Config) -> (Finding, Option<String>) {
    let rpc = match config.network.rpc_urls.as_slice() {
        [only] => only.to_string(),
        several => format!("the first right one of {} endpoints", several.len()),
    };
    match chain.genesis_hash().await.map(|hash| config.network.name.resolve(&hash)) {
        Ok(Ok(network)) => {
            let chain_id = network.canonical().to_owned();
            (Finding::well("rpc", format!("{rpc} serves {} ({chain_id})", network.alias())), Some(chain_id))
        }
        Ok(Err(error)) => (Finding::failed("rpc", &error), None),
        Err(error) => (Finding::failed("rpc", &error), None),
    }
}

/// Every key that pays, and whether the spender is kept apart from them.
async fn balances(chain: &impl Chain, config: &Config) -> Vec<Finding> {
    let spender = config.keys.spender.public();
    let mut keys: Vec<Pubkey> = config.keys.fee_payers.iter().map(KeyPair::public).collect();
    if keys.is_empty() {
        keys.push(spender);
    }
    let accounts = match chain.accounts(&keys).await {
        Ok(accounts) => accounts,
        Err(error) => return vec![Finding::failed("fee payer", &error)],
    };
    let low = config.limits.low_balance_lamports;
    let balance = |(key, account): (&Pubkey, Option<ChainAccount>)| {
        let lamports = account.map_or(0, |account| account.lamports);
        if lamports < low {
            Finding::wrong("fee payer", format!("{key} has {lamports} lamports, below {low}; send it SOL"))
        } else {
            Finding::well("fee payer", format!("{key} has {lamports} lamports"))
        }
    };
    let mut findings: Vec<Finding> = keys.iter().zip(accounts).map(balance).collect();
    if keys.contains(&spender) {
        let detail =
            "warning: the spender pays fees too, so a leak of the hot key costs its SOL as well; set keys.fee_payer";
        findings.push(Finding::well("keys", detail));
    }
    findings
}

/// Each of several endpoints: one that fails today is not there when the first one fails tomorrow.
async fn endpoints(chain: &SolanaChain, config: &Config) -> Vec<Finding> {
    if config.network.rpc_urls.len() == 1 {
        return Vec::new();
    }
    let told = chain.examine().await.into_iter().map(|health| {
        let well = health.state == EndpointState::Well;
        let detail = if well { health.to_string() } else { format!("{health}; correct network.rpc_urls") };
        if well { Finding::well("rpc endpoint", detail) } else { Finding::wrong("rpc endpoint", detail) }
    });
    told.collect()
}

/// Which providers' words are counted, and how many it takes.
fn voices(chain: &SolanaChain) -> Finding {
    let mut endpoints: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, place) in chain.voice_names().into_iter().zip(1..) {
        endpoints.entry(name).or_default().push(place.to_string());
    }
    let listed = endpoints.iter().map(|(name, places)| format!("{name} (endpoint {})", places.join(", ")));
    let listed = listed.collect::<Vec<_>>().join("; ");
    let needed = chain.absence_voices().count();
    Finding::well("rpc voices", format!("{listed}: {needed} must say that a transaction had no effect"))
}

/// Whose word is believed alone. Nothing is wrong with it, so that it fails no deployment that has been chosen.
fn trusted(chain: &SolanaChain) -> Vec<Finding> {
    let warnings = trust::warnings(&chain.voices()).into_iter();
    warnings.map(|warning| Finding::well("rpc trust", format!("warning: {warning}"))).collect()
}

async fn accounts(chain: &impl Chain, config: &Config) -> Vec<Finding> {
    let programs = &config.programs;
    let keys = [programs.inco_token, programs.inco_lightning, config.asset.mint];
    let accounts = match chain.accounts(&keys).await {
        Ok(accounts) => accounts,
        Err(error) => return vec![Finding::failed("accounts", &error)],
    };
    let [token, lightning, mint] = accounts.as_slice() else {
        return vec![Finding::wrong("accounts", "the RPC answered another number of accounts than asked for")];
    };
    let program = |subject, key, found: bool| {
        if found {
            Finding::well(subject, format!("{key} is there"))
        } else {
            Finding::wrong(subject, format!("there is no account {key}; correct [programs]"))
        }
    };
    let mint = mint.as_ref().map(|account| (account.owner == programs.inco_token, IncoMint::decode(&account.data)));
    let (key, decimals) = (config.asset.mint, config.asset.decimals);
    let mint = match mint {
        None => Finding::wrong("mint", format!("there is no account {key}; correct asset.mint")),
        Some((true, Ok(mint))) if mint.decimals == decimals => {
            Finding::well("mint", format!("{key} has {decimals} decimals"))
        }
        Some((true, Ok(mint))) => {
            let detail = format!("{key} has {} decimals, not {decimals}; correct asset.decimals", mint.decimals);
            Finding::wrong("mint", detail)
        }
        Some(_) => Finding::wrong("mint", format!("{key} is not a mint of the IncoToken program; correct asset.mint")),
    };
    vec![
        program("IncoToken", programs.inco_token, token.is_some()),
        program("Inco Lightning", programs.inco_lightning, lightning.is_some()),
        mint,
    ]
}

async fn covalidator(config: &Config) -> Finding {
    let (subject, endpoint) = ("Covalidator", &config.covalidator.endpoint);
    let client = match HttpCovalidator::new(endpoint.expose(), config.covalidator.attestation_key, PATIENCE) {
        Ok(client) => client,
        Err(error) => return Finding::failed(subject, &error),
    };
    let signer = WalletSigner::from_secret(&config.keys.spender.secret());
    match client.decrypt(SOME_HANDLE, &signer, PATIENCE).await {
        Ok(_) | Err(CovalidatorError::NotAllowed { .. } | CovalidatorError::Behind) => {
            Finding::well(subject, format!("{endpoint} answers"))
        }
        Err(error @ (CovalidatorError::Unavailable(_) | CovalidatorError::Untrustworthy(_))) => {
            Finding::failed(subject, &error)
        }
    }
}

/// The ledger, and whether whoever works on it asks as many voices as are `configured`.
async fn ledger(config: &Config, configured: Option<AbsenceVoices>) -> Finding {
    let (subject, path) = ("ledger", &config.ledger.path);
    if !path.exists() {
        return Finding::well(subject, format!("{} will be created", path.display()));
    }
    match ledger::open(path).await {
        Ok(ledger) => match (ledger.audit().await, ledger.agreed_voices().await) {
            (Ok(()), Ok(Some(agreed))) if configured.is_some_and(|configured| configured != agreed) => {
                let (agreed, configured) = (agreed.count(), configured.map_or(agreed.count(), AbsenceVoices::count));
                Finding::failed(subject, &WiringError::OtherVoices { configured, agreed })
            }
            (Ok(()), Ok(_)) => Finding::well(subject, format!("{}: every log agrees with its sums", path.display())),
            (Err(error), _) | (_, Err(error)) => Finding::failed(subject, &error),
        },
        Err(OpenLedgerError::InUse { .. }) => {
            Finding::well(subject, format!("{} is in use: a service is running; stop it for an audit", path.display()))
        }
        Err(OpenLedgerError::Deployed) => {
            let detail = format!("{} is the inco-facilitator's; `serve` imports its live sessions", path.display());
            Finding::well(subject, detail)
        }
        Err(error) => Finding::failed(subject, &error),
    }
}
