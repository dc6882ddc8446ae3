//! [`Chain`] over one or more Solana RPC endpoints.

use crate::{
    chain::{
        Chain, ChainAccount, ChainCounts, ChainError, Commitment, EndpointAccounts, EndpointHealth, EndpointUrls,
        LiveBlockhash, PushPolicy, Simulation, TokenChange,
        confirm::Observer,
        counts::Counters,
        everywhere,
        heights::LIFE,
        history::{self, Listed, Page, SeenTransaction},
        node::Question,
        policy::FeePolicy,
        poll,
        pool::Pool,
        push::PushSockets,
        reads::{self, RecentFees},
        refresher::{Blockhashes, RefreshPolicy},
        signature_statuses::{PollPolicy, SignatureStatuses, Wanted},
        spent,
        survey::Survey,
        tellers::Tellers,
        token_change::token_change,
        voices::Voices,
        witness::Examiner,
    },
    domain::{
        json_rpc::MOST_ANSWER_BYTES,
        network::Network,
        settlement::{Attempt, Observation},
    },
    ledger::Recorded,
    programs::Programs,
};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use lru::LruCache;
use serde_json::json;
use solana_commitment_config::CommitmentConfig;
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::{
    config::{RpcContextConfig, RpcSendTransactionConfig},
    request::{MAX_MULTIPLE_ACCOUNTS, RpcRequest},
    response::Response,
};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_status_client_types::UiTransactionEncoding;
use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How many subscriptions may wait for a websocket; further ones are polled for.
const QUEUED_SUBSCRIPTIONS: usize = 4_096;
/// How many rents are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);
/// How often, and after which pauses, it is asked about a blockhash that a node does not know: it may be too young.
const SECOND_LOOKS: [Duration; 3] =
    [Duration::from_millis(150), Duration::from_millis(300), Duration::from_millis(450)];

/// How the chain is reached.
#[derive(Clone, Debug)]
pub struct ChainSettings {
    /// The endpoints, the preferred one first; at least one.
    pub endpoints: Vec<EndpointUrls>,
    /// What the operator calls the provider of each endpoint, in their order: those of one name are one voice, as those of one
    /// host are. May be shorter than their list, or empty.
    pub voices: Vec<String>,
    /// Which cluster they have to serve; without it, the one that the first answer names.
    pub expected: Option<Network>,
    /// The programs whose accounts bear witness of transfers.
    pub programs: Programs,
    /// The deadline of every request.
    pub timeout: Duration,
    /// The longest answer that is read, in bytes.
    pub most_bytes: usize,
    /// When statuses are polled.
    pub poll: PollPolicy,
    /// How notices are had.
    pub push: PushPolicy,
    /// When blockhashes are refreshed.
    pub refresh: RefreshPolicy,
    /// What is paid for priority.
    pub fees: FeePolicy,
}

impl ChainSettings {
    /// The defaults for one endpoint: 10 seconds a request, [`MOST_ANSWER_BYTES`] an answer.
    pub fn new(rpc_url: String, ws_url: Option<String>) -> Self {
        Self::of(vec![EndpointUrls { rpc: rpc_url, websocket: ws_url }])
    }

    /// The defaults for several endpoints, the preferred one first.
    pub fn of(endpoints: Vec<EndpointUrls>) -> Self {
        Self {
            endpoints,
            voices: Vec::new(),
            expected: None,
            programs: Programs::default(),
            timeout: Duration::from_secs(10),
            most_bytes: MOST_ANSWER_BYTES,
            poll: PollPolicy::default(),
            push: PushPolicy::default(),
            refresh: RefreshPolicy::default(),
            fees: FeePolicy::default(),
        }
    }
}

/// A Solana cluster behind its endpoints. Background tasks (blockhash, polling, websockets, examination) end when it
/// is dropped.
pub struct SolanaChain {
    pool: Arc<Pool>,
    counters: Arc<Counters>,
    blockhashes: Arc<Blockhashes>,
    statuses: Arc<SignatureStatuses>,
    tellers: Tellers,
    examiner: Examiner,
    fees: Arc<RecentFees>,
    rents: Mutex<LruCache<usize, u64>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl SolanaChain {
    /// Starts the background tasks; must be called within a tokio runtime.
    pub fn start(settings: ChainSettings) -> Result<Self, ChainError> {
        let ChainSettings { endpoints, voices, expected, programs, timeout, most_bytes, poll, push, refresh, fees } =
            settings;
        let voices = Voices::new(&endpoints, &voices);
        let pushes = endpoints.iter().any(|urls| urls.websocket.is_some());
        let counters = Arc::new(Counters::default());
        let pool = Arc::new(Pool::new(endpoints, voices, expected, timeout, most_bytes, &counters)?);
        let (subscriptions, requests) = mpsc::channel(QUEUED_SUBSCRIPTIONS);
        let chain = Self {
            blockhashes: Arc::new(Blockhashes::new(Arc::clone(&pool), refresh)),
            statuses: Arc::new(SignatureStatuses::new(poll, subscriptions)),
            fees: Arc::new(RecentFees::new(Arc::clone(&pool), fees)),
            pool,
            counters,
            tellers: Tellers::default(),
            examiner: Examiner::new(programs),
            rents: Mutex::new(LruCache::new(REMEMBERED)),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        chain.spawn_tasks(pushes.then_some(push), requests);
        Ok(chain)
    }

    fn spawn_tasks(&self, push: Option<PushPolicy>, requests: mpsc::Receiver<Wanted>) {
        let blockhashes = Arc::clone(&self.blockhashes);
        self.spawn(async move { blockhashes.refresh().await });
        let (pool, statuses) = (Arc::clone(&self.pool), Arc::clone(&self.statuses));
        self.spawn(async move { poll::poll(&pool, &statuses).await });
        let pool = Arc::clone(&self.pool);
        self.spawn(async move { pool.keep_examining().await });
        if let Some(policy) = push {
            let (pool, statuses) = (Arc::clone(&self.pool), Arc::clone(&self.statuses));
            let sockets = PushSockets { pool, statuses, counters: Arc::clone(&self.counters), policy };
            self.spawn(async move { sockets.keep(requests).await });
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

    /// The endpoints.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// What was asked and pushed since the start.
    pub fn counts(&self) -> ChainCounts {
        self.counters.read()
    }

    /// Asks every endpoint where it stands, and tells how each is.
    pub async fn examine(&self) -> Vec<EndpointHealth> {
        self.pool.examine().await;
        self.pool.health()
    }

    async fn accounts_chunk(&self, keys: &[Pubkey]) -> Result<Vec<Option<ChainAccount>>, ChainError> {
        reads::accounts(&self.pool.ask(&reads::accounts_question(keys, self.pool.minimum_slot())).await?, keys)
    }

    /// The slot at which a blockhash is known to be alive, if a node says so.
    async fn blockhash_alive_at(&self, hash: &Hash) -> Result<Option<u64>, ChainError> {
        let config = RpcContextConfig {
            commitment: Some(CommitmentConfig::confirmed()),
            min_context_slot: Some(self.pool.minimum_slot().max(self.blockhashes.seen_at(hash).unwrap_or(0))),
        };
        let what = "asking whether a blockhash is alive";
        let question = Question::new(what, RpcRequest::IsBlockhashValid, json!([hash.to_string(), config]));
        let valid: Response<bool> = self.pool.ask_reached(&question).await?;
        Ok(valid.value.then_some(valid.context.slot))
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
        self.pool.genesis_hash().await
    }

    async fn latest_blockhash(&self) -> Result<LiveBlockhash, ChainError> {
        self.blockhashes.latest().await
    }

    async fn blockhash_life(&self, hash: &Hash) -> Result<Option<LiveBlockhash>, ChainError> {
        let mut alive = self.blockhash_alive_at(hash).await?;
        // A node that does not know it may be a moment behind the one it came from.
        for pause in SECOND_LOOKS {
            if alive.is_none() {
                sleep(pause).await;
                alive = self.blockhash_alive_at(hash).await?;
            }
        }
        let Some(slot) = alive else { return Ok(None) };
        self.blockhashes.saw(hash, slot);
        // Alive at that slot, it is at most as young as its block. Each slot since our own newest blockhash can have
        // added one block at most.
        let ours = self.blockhashes.latest().await?;
        let height = ours.last_valid_block_height.saturating_sub(LIFE).saturating_add(slot.saturating_sub(ours.slot));
        let last_valid_block_height = height.saturating_add(LIFE);
        Ok(Some(LiveBlockhash { hash: *hash, last_valid_block_height, slot }))
    }

    fn told_blockhash(&self, hash: &Hash) -> Option<LiveBlockhash> {
        self.blockhashes.told(hash)
    }

    async fn accounts(&self, keys: &[Pubkey]) -> Result<Vec<Option<ChainAccount>>, ChainError> {
        let mut accounts = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(MAX_MULTIPLE_ACCOUNTS) {
            accounts.extend(self.accounts_chunk(chunk).await?);
        }
        Ok(accounts)
    }

    async fn accounts_in_turn(
        &self,
        keys: &[Pubkey],
        at_least: u64,
        turn: usize,
    ) -> Result<(u64, Vec<Option<ChainAccount>>), ChainError> {
        reads::accounts_in_turn(&self.pool, keys, at_least, turn).await
    }

    async fn accounts_everywhere(&self, keys: &[Pubkey]) -> Result<Vec<EndpointAccounts>, ChainError> {
        everywhere::accounts(&self.pool, keys).await
    }

    async fn final_accounts(&self, keys: &[Pubkey]) -> Result<(u64, Vec<Option<ChainAccount>>), ChainError> {
        reads::final_accounts(&self.pool, keys).await
    }

    async fn history(&self, account: &Pubkey, page: Page) -> Result<Vec<Listed>, ChainError> {
        history::page(&self.pool, account, page).await
    }

    async fn transaction(&self, signature: &Signature) -> Result<Option<SeenTransaction>, ChainError> {
        history::transaction(&self.pool, signature).await
    }

    async fn rent(&self, bytes: usize) -> Result<u64, ChainError> {
        // Rent is a constant of the cluster.
        if let Some(rent) = self.rents.lock().unwrap_or_else(PoisonError::into_inner).get(&bytes) {
            return Ok(*rent);
        }
        let request = RpcRequest::GetMinimumBalanceForRentExemption;
        let rent = self.pool.ask(&Question::new("asking for the rent", request, json!([bytes]))).await?;
        self.rents.lock().unwrap_or_else(PoisonError::into_inner).put(bytes, rent);
        Ok(rent)
    }

    async fn priority_fee(&self, writable: &[Pubkey]) -> Result<u64, ChainError> {
        let (price, old) = self.fees.price(writable).await?;
        if let Some(question) = old {
            // The old price serves once more; the next one finds the new.
            let fees = Arc::clone(&self.fees);
            self.spawn(async move { fees.refresh(question).await });
        }
        Ok(price)
    }

    async fn simulate(&self, tx: &VersionedTransaction, watched: &[Pubkey]) -> Result<Simulation, ChainError> {
        let hash = tx.message.recent_blockhash();
        let known = self.blockhashes.seen_at(hash);
        let question = reads::simulation_question(tx, watched, self.pool.minimum_slot().max(known.unwrap_or(0)))?;
        // A blockhash that was alive and is not known here says something of the node, or of time, and nothing of the
        // transaction.
        let lags = |result: &reads::SimulationAnswer| {
            let misses = known.is_some() && reads::misses_blockhash(result);
            if misses {
                self.blockhashes.distrust(hash);
            }
            misses
        };
        let answer = self.pool.ask_for(&question, |answer| !lags(answer)).await?;
        reads::simulation(answer, watched)
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
        let question = Question::new("sending a transaction", RpcRequest::SendTransaction, params);
        let signature = self.pool.send(&attempt.signature, &question).await?;
        if signature == attempt.signature.to_string() {
            Ok(())
        } else {
            Err(ChainError::Inconsistent("the endpoint names another signature than the one sent".into()))
        }
    }

    async fn lamports_spent(&self, attempt: &Recorded<Attempt>) -> Result<Option<u64>, ChainError> {
        spent::lamports_spent(&self.pool, attempt.get()).await
    }

    async fn observe(
        &self,
        attempt: &Recorded<Attempt>,
        want: Commitment,
        patience: Duration,
    ) -> Result<Observation, ChainError> {
        let Self { pool, blockhashes, statuses, tellers, examiner, .. } = self;
        Ok(Observer { pool, blockhashes, statuses, tellers, examiner }.observe(attempt.get(), want, patience).await)
    }

    async fn look_up(&self, attempts: &[Recorded<Attempt>]) -> Result<Vec<Observation>, ChainError> {
        let attempts: Vec<&Attempt> = attempts.iter().map(Recorded::get).collect();
        let Self { pool, blockhashes, tellers, examiner, .. } = self;
        Survey { pool, blockhashes, tellers, examiner }.look_up(&attempts).await
    }

    async fn is_seen_by_another(&self, attempt: &Recorded<Attempt>) -> Result<bool, ChainError> {
        let Self { pool, blockhashes, tellers, examiner, .. } = self;
        Survey { pool, blockhashes, tellers, examiner }.is_seen_by_another(attempt.get()).await
    }

    async fn token_change(&self, signature: &Signature, account: &Pubkey) -> Result<Option<TokenChange>, ChainError> {
        token_change(&self.pool, &self.tellers, signature, account).await
    }

    fn has_several_voices(&self) -> bool {
        self.pool.has_several_voices()
    }

    fn seen_by(&self, signature: &Signature) -> Vec<String> {
        let voices = self.tellers.all_of(signature).into_iter();
        voices.map(|voice| self.pool.voices().name(voice).to_owned()).collect()
    }

    fn past_at(&self, signature: &Signature) -> Option<u64> {
        self.examiner.past_at(signature)
    }

    fn endpoints(&self) -> Vec<EndpointHealth> {
        self.pool.health()
    }
}
