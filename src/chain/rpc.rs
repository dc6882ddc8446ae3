//! [`Chain`] over a Solana RPC endpoint.

use crate::{
    chain::{
        Chain, ChainAccount, ChainError, Commitment, LiveBlockhash, Simulation,
        confirm::Observer,
        endpoint::{self, chain_error},
        policy::FeePolicy,
        poll, push,
        refresher::{Blockhashes, RefreshPolicy},
        sightings::{PollPolicy, Sightings},
    },
    domain::settlement::{Attempt, Observation},
    ledger::Recorded,
};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use lru::LruCache;
use serde_json::json;
use solana_account_decoder_client_types::{UiAccount, UiAccountEncoding};
use solana_commitment_config::CommitmentConfig;
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::{
    config::{
        RpcAccountInfoConfig, RpcSendTransactionConfig, RpcSimulateTransactionAccountsConfig,
        RpcSimulateTransactionConfig,
    },
    request::{MAX_MULTIPLE_ACCOUNTS, RpcRequest},
    response::Response,
};
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_status_client_types::UiTransactionEncoding;
use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How many subscriptions may wait for the websocket; further ones are polled for.
const QUEUED_SUBSCRIPTIONS: usize = 1_024;
/// How many account sets' fees and how many rents are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);
/// How long a priority fee is good for.
const FEE_LIFE: Duration = Duration::from_secs(10);
/// How many blocks a blockhash lives.
const BLOCKHASH_LIFE: u64 = 150;
/// The most accounts that recent fees can be asked for.
const MAX_FEE_ACCOUNTS: usize = 128;

/// How the chain is reached.
#[derive(Clone)]
pub struct ChainSettings {
    /// The JSON-RPC endpoint; may hold a key, and is never shown.
    pub rpc_url: String,
    /// The websocket endpoint; without one, confirmation is polled for.
    pub ws_url: Option<String>,
    /// The deadline of every request.
    pub timeout: Duration,
    /// The longest answer that is read, in bytes.
    pub most_bytes: usize,
    /// When statuses are polled.
    pub poll: PollPolicy,
    /// When blockhashes are refreshed.
    pub refresh: RefreshPolicy,
    /// What is paid for priority.
    pub fees: FeePolicy,
}

impl ChainSettings {
    /// The defaults for an endpoint: 10 seconds a request, 8 MiB an answer.
    pub fn new(rpc_url: String, ws_url: Option<String>) -> Self {
        Self {
            rpc_url,
            ws_url,
            timeout: Duration::from_secs(10),
            most_bytes: 8 << 20,
            poll: PollPolicy::default(),
            refresh: RefreshPolicy::default(),
            fees: FeePolicy::default(),
        }
    }
}

impl fmt::Debug for ChainSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainSettings").field("websocket", &self.ws_url.is_some()).finish_non_exhaustive()
    }
}

/// A Solana cluster behind one endpoint. Background tasks (blockhash, polling, websocket) end when it is dropped.
pub struct SolanaChain {
    client: Arc<RpcClient>,
    blockhashes: Arc<Blockhashes>,
    sightings: Arc<Sightings>,
    fees: Mutex<LruCache<Vec<Pubkey>, (Instant, u64)>>,
    rents: Mutex<LruCache<usize, u64>>,
    policy: FeePolicy,
    timeout: Duration,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl SolanaChain {
    /// Starts the background tasks; must be called within a tokio runtime. Nothing is asked yet.
    pub fn start(settings: ChainSettings) -> Result<Self, ChainError> {
        let ChainSettings { rpc_url, ws_url, timeout, most_bytes, poll, refresh, fees } = settings;
        let client = Arc::new(endpoint::connect(rpc_url, timeout, most_bytes)?);
        let (subscriptions, requests) = mpsc::channel(QUEUED_SUBSCRIPTIONS);
        let chain = Self {
            blockhashes: Arc::new(Blockhashes::new(Arc::clone(&client), refresh)),
            sightings: Arc::new(Sightings::new(poll, subscriptions)),
            client,
            fees: Mutex::new(LruCache::new(REMEMBERED)),
            rents: Mutex::new(LruCache::new(REMEMBERED)),
            policy: fees,
            timeout,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        chain.spawn_tasks(ws_url, requests);
        Ok(chain)
    }

    fn spawn_tasks(&self, ws_url: Option<String>, requests: mpsc::Receiver<(solana_signature::Signature, Commitment)>) {
        let blockhashes = Arc::clone(&self.blockhashes);
        self.spawn(async move { blockhashes.refresh().await });
        let (client, sightings) = (Arc::clone(&self.client), Arc::clone(&self.sightings));
        self.spawn(async move { poll::poll(&client, &sightings).await });
        if let Some(url) = ws_url {
            let (sightings, patience) = (Arc::clone(&self.sightings), self.timeout);
            self.spawn(async move { push::push(&url, patience, &sightings, requests).await });
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move { stop.run_until_cancelled(task).await.unwrap_or(()) });
    }

    /// Ends the background tasks and waits for them.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn accounts_chunk(&self, keys: &[Pubkey]) -> Result<Vec<Option<ChainAccount>>, ChainError> {
        let config = RpcAccountInfoConfig {
            encoding: Some(UiAccountEncoding::Base64),
            commitment: Some(CommitmentConfig::confirmed()),
            ..RpcAccountInfoConfig::default()
        };
        let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let answer: Result<Response<Vec<Option<UiAccount>>>, _> =
            self.client.send(RpcRequest::GetMultipleAccounts, json!([names, config])).await;
        let answer = answer.map_err(|error| chain_error("reading accounts", error))?;
        if answer.value.len() != keys.len() {
            return Err(ChainError::Inconsistent("another number of accounts than asked for".into()));
        }
        answer.value.iter().map(|account| account.as_ref().map(chain_account).transpose()).collect()
    }
}

impl Drop for SolanaChain {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[async_trait]
impl Chain for SolanaChain {
    async fn genesis_hash(&self) -> Result<String, ChainError> {
        let answer = self.client.get_genesis_hash().await;
        answer.map(|hash| hash.to_string()).map_err(|error| chain_error("asking for the genesis hash", error))
    }

    async fn latest_blockhash(&self) -> Result<LiveBlockhash, ChainError> {
        self.blockhashes.latest().await
    }

    async fn blockhash_life(&self, hash: &Hash) -> Result<Option<LiveBlockhash>, ChainError> {
        let commitment = CommitmentConfig::confirmed();
        let params = json!([hash.to_string(), commitment]);
        let answer: Result<Response<bool>, _> = self.client.send(RpcRequest::IsBlockhashValid, params).await;
        let valid = answer.map_err(|error| chain_error("asking whether a blockhash is alive", error))?;
        if !valid.value {
            return Ok(None);
        }
        let answer = self.client.get_epoch_info_with_commitment(commitment).await;
        let now = answer.map_err(|error| chain_error("asking for the block height", error))?;
        // Alive at the slot of the first answer, it is at most as young as that block. Should another, lagging node
        // have given the height, each slot between the two answers can have added one block at most.
        let slot = valid.context.slot;
        let height = now.block_height.saturating_add(slot.saturating_sub(now.absolute_slot));
        let last_valid_block_height = height.saturating_add(BLOCKHASH_LIFE);
        Ok(Some(LiveBlockhash { hash: *hash, last_valid_block_height, slot }))
    }

    async fn accounts(&self, keys: &[Pubkey]) -> Result<Vec<Option<ChainAccount>>, ChainError> {
        let mut accounts = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(MAX_MULTIPLE_ACCOUNTS) {
            accounts.extend(self.accounts_chunk(chunk).await?);
        }
        Ok(accounts)
    }

    async fn rent(&self, bytes: usize) -> Result<u64, ChainError> {
        // Rent is a constant of the cluster.
        if let Some(rent) = self.rents.lock().unwrap_or_else(PoisonError::into_inner).get(&bytes) {
            return Ok(*rent);
        }
        let answer = self.client.get_minimum_balance_for_rent_exemption(bytes).await;
        let rent = answer.map_err(|error| chain_error("asking for the rent", error))?;
        self.rents.lock().unwrap_or_else(PoisonError::into_inner).put(bytes, rent);
        Ok(rent)
    }

    async fn priority_fee(&self, writable: &[Pubkey]) -> Result<u64, ChainError> {
        let accounts = writable.get(..writable.len().min(MAX_FEE_ACCOUNTS)).unwrap_or_default().to_vec();
        if let Some((asked, price)) = self.fees.lock().unwrap_or_else(PoisonError::into_inner).get(&accounts)
            && asked.elapsed() < FEE_LIFE
        {
            return Ok(*price);
        }
        let answer = self.client.get_recent_prioritization_fees(&accounts).await;
        let recent = answer.map_err(|error| chain_error("asking for recent fees", error))?;
        let price = self.policy.price(recent.into_iter().map(|fee| fee.prioritization_fee).collect());
        self.fees.lock().unwrap_or_else(PoisonError::into_inner).put(accounts, (Instant::now(), price));
        Ok(price)
    }

    async fn simulate(&self, tx: &VersionedTransaction, watched: &[Pubkey]) -> Result<Simulation, ChainError> {
        let addresses = watched.iter().map(ToString::to_string).collect();
        let accounts = RpcSimulateTransactionAccountsConfig { encoding: Some(UiAccountEncoding::Base64), addresses };
        let config = RpcSimulateTransactionConfig {
            commitment: Some(CommitmentConfig::confirmed()),
            accounts: (!watched.is_empty()).then_some(accounts),
            ..RpcSimulateTransactionConfig::default()
        };
        let answer = self.client.simulate_transaction_with_config(tx, config).await;
        let result = answer.map_err(|error| chain_error("simulating a transaction", error))?.value;
        let error = result.err.map(|error| error.to_string());
        let accounts = result.accounts.filter(|_| error.is_none()).unwrap_or_default();
        if error.is_none() && accounts.len() != watched.len() {
            return Err(ChainError::Inconsistent("another number of simulated accounts than asked for".into()));
        }
        let accounts = accounts.iter().map(|account| account.as_ref().map(chain_account).transpose());
        Ok(Simulation {
            error,
            logs: result.logs.unwrap_or_default(),
            units: result.units_consumed.unwrap_or(0),
            accounts: accounts.collect::<Result<_, _>>()?,
        })
    }

    async fn send(&self, attempt: &Recorded<Attempt>) -> Result<(), ChainError> {
        let attempt = attempt.get();
        // Recorded bytes go out as they are. No preflight: it would only tell what a look-up tells, and a node that
        // lags would refuse what another takes. No retries by the node: we repeat while the blockhash lives.
        let config = RpcSendTransactionConfig {
            skip_preflight: true,
            encoding: Some(UiTransactionEncoding::Base64),
            max_retries: Some(0),
            ..RpcSendTransactionConfig::default()
        };
        let params = json!([STANDARD.encode(&attempt.wire), config]);
        let answer: Result<String, _> = self.client.send(RpcRequest::SendTransaction, params).await;
        let signature = answer.map_err(|error| chain_error("sending a transaction", error))?;
        if signature == attempt.signature.to_string() {
            Ok(())
        } else {
            Err(ChainError::Inconsistent("the endpoint names another signature than the one sent".into()))
        }
    }

    async fn lamports_spent(&self, attempt: &Recorded<Attempt>) -> Result<Option<u64>, ChainError> {
        crate::chain::spent::lamports_spent(&self.client, attempt.get()).await
    }

    async fn observe(
        &self,
        attempt: &Recorded<Attempt>,
        want: Commitment,
        patience: Duration,
    ) -> Result<Observation, ChainError> {
        let Self { client, blockhashes, sightings, timeout, .. } = self;
        let observer = Observer { client, blockhashes, sightings, timeout: *timeout };
        Ok(observer.observe(attempt.get(), want, patience).await)
    }
}

fn chain_account(account: &UiAccount) -> Result<ChainAccount, ChainError> {
    let malformed = |what: &str| ChainError::Inconsistent(format!("an account's {what} cannot be read"));
    Ok(ChainAccount {
        lamports: account.lamports,
        owner: account.owner.parse().map_err(|_| malformed("owner"))?,
        data: account.data.decode().ok_or_else(|| malformed("bytes"))?,
    })
}
