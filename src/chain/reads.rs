//! Questions about accounts, simulations and fees, and what the answers mean.

use crate::chain::{
    ChainAccount, ChainError, Simulation,
    node::{Node, Question},
    policy::FeePolicy,
    pool::Pool,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use lru::LruCache;
use serde_json::json;
use solana_account_decoder_client_types::{UiAccount, UiAccountEncoding};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::{
    config::{RpcAccountInfoConfig, RpcSimulateTransactionAccountsConfig, RpcSimulateTransactionConfig},
    request::RpcRequest,
    response::{Response, RpcPrioritizationFee, RpcSimulateTransactionResult},
};
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::UiTransactionEncoding;
use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How many account sets' fees are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);
/// How long a priority fee is good for, and how long it serves while a new one is asked for.
const FEE_LIFE: Duration = Duration::from_secs(10);
const FEE_GRACE: Duration = Duration::from_mins(1);
/// The most accounts that recent fees can be asked for.
const MAX_FEE_ACCOUNTS: usize = 128;

/// The answer to [`accounts_question`].
pub(super) type AccountsAnswer = Response<Vec<Option<UiAccount>>>;
/// The answer to [`simulation_question`].
pub(super) type SimulationAnswer = Response<RpcSimulateTransactionResult>;

/// Asks for accounts at `confirmed`, as of `since` or later.
pub(super) fn accounts_question(keys: &[Pubkey], since: u64) -> Question {
    let config = RpcAccountInfoConfig {
        encoding: Some(UiAccountEncoding::Base64),
        commitment: Some(CommitmentConfig::confirmed()),
        min_context_slot: Some(since),
        ..RpcAccountInfoConfig::default()
    };
    let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
    Question::new("reading accounts", RpcRequest::GetMultipleAccounts, json!([names, config]))
}

/// Accounts as of `since` or later, asked of the endpoint of this turn first, and the slot of that state.
pub(super) async fn accounts_in_turn(
    pool: &Pool,
    keys: &[Pubkey],
    since: u64,
    turn: usize,
) -> Result<(u64, Vec<Option<ChainAccount>>), ChainError> {
    let question = accounts_question(keys, pool.minimum_slot().max(since));
    let reached = |node: &Node, told: &AccountsAnswer| pool.has_reached(node, told.context.slot);
    let (_, answer) = pool.ask_judged(&question, turn, reached).await?;
    Ok((answer.context.slot, accounts(&answer, keys)?))
}

/// Accounts in a final state, in the order of `keys`, and its slot.
pub(super) async fn final_accounts(
    pool: &Pool,
    keys: &[Pubkey],
) -> Result<(u64, Vec<Option<ChainAccount>>), ChainError> {
    let config = RpcAccountInfoConfig {
        encoding: Some(UiAccountEncoding::Base64),
        commitment: Some(CommitmentConfig::finalized()),
        ..RpcAccountInfoConfig::default()
    };
    let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let what = "reading accounts as final";
    let answer: AccountsAnswer =
        pool.ask(&Question::new(what, RpcRequest::GetMultipleAccounts, json!([names, config]))).await?;
    Ok((answer.context.slot, accounts(&answer, keys)?))
}

/// The accounts, in the order of `keys`.
pub(super) fn accounts(answer: &AccountsAnswer, keys: &[Pubkey]) -> Result<Vec<Option<ChainAccount>>, ChainError> {
    if answer.value.len() != keys.len() {
        return Err(ChainError::Inconsistent("another number of accounts than asked for".into()));
    }
    answer.value.iter().map(|account| account.as_ref().map(chain_account).transpose()).collect()
}

pub(super) fn chain_account(account: &UiAccount) -> Result<ChainAccount, ChainError> {
    let malformed = |what: &str| ChainError::Inconsistent(format!("an account's {what} cannot be read"));
    Ok(ChainAccount {
        lamports: account.lamports,
        owner: account.owner.parse().map_err(|_| malformed("owner"))?,
        data: account.data.decode().ok_or_else(|| malformed("bytes"))?,
    })
}

/// Asks for a simulation at `confirmed`, as of `since` or later, without signatures.
pub(super) fn simulation_question(
    tx: &VersionedTransaction,
    watched: &[Pubkey],
    since: u64,
) -> Result<Question, ChainError> {
    let addresses = watched.iter().map(ToString::to_string).collect();
    let accounts = RpcSimulateTransactionAccountsConfig { encoding: Some(UiAccountEncoding::Base64), addresses };
    let config = RpcSimulateTransactionConfig {
        commitment: Some(CommitmentConfig::confirmed()),
        encoding: Some(UiTransactionEncoding::Base64),
        accounts: (!watched.is_empty()).then_some(accounts),
        min_context_slot: Some(since),
        ..RpcSimulateTransactionConfig::default()
    };
    let wire = wincode::serialize(tx)
        .map_err(|_| ChainError::Inconsistent("a transaction that cannot be written was to be simulated".into()))?;
    let params = json!([STANDARD.encode(wire), config]);
    Ok(Question::new("simulating a transaction", RpcRequest::SimulateTransaction, params))
}

/// Whether the node did not know the transaction's blockhash.
pub(super) fn misses_blockhash(answer: &SimulationAnswer) -> bool {
    answer.value.err.clone().is_some_and(|error| TransactionError::from(error) == TransactionError::BlockhashNotFound)
}

/// What the simulation told.
pub(super) fn simulation(answer: SimulationAnswer, watched: &[Pubkey]) -> Result<Simulation, ChainError> {
    let result = answer.value;
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

/// The price of priority for one set of accounts.
#[derive(Default)]
struct Price {
    /// When it was asked for, and the answer, in micro-lamports per compute unit.
    told: Mutex<Option<(Instant, u64)>>,
    /// Held by whoever asks for the first time.
    asking: tokio::sync::Mutex<()>,
}

impl Price {
    /// The price, and whether this caller is the one to refresh it.
    fn known(&self) -> Option<(u64, bool)> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, price) = told.as_mut()?;
        let age = asked.elapsed();
        if age >= FEE_GRACE {
            return None;
        }
        let old = age >= FEE_LIFE;
        if old {
            // One refresh at a time.
            *asked = Instant::now();
        }
        Some((*price, old))
    }
}

/// The price of priority, remembered by the accounts that are written.
pub(super) struct RecentFees {
    pool: Arc<Pool>,
    policy: FeePolicy,
    prices: Mutex<LruCache<Vec<Pubkey>, Arc<Price>>>,
}

impl RecentFees {
    pub(super) fn new(pool: Arc<Pool>, policy: FeePolicy) -> Self {
        Self { pool, policy, prices: Mutex::new(LruCache::new(REMEMBERED)) }
    }

    /// The price for transactions that write these accounts; and the accounts, when somebody should
    /// [`RecentFees::refresh`] it in the background.
    ///
    /// Callers who come together before anything is known share one question.
    pub(super) async fn price(&self, writable: &[Pubkey]) -> Result<(u64, Option<Vec<Pubkey>>), ChainError> {
        let accounts = writable.get(..writable.len().min(MAX_FEE_ACCOUNTS)).unwrap_or_default();
        let price = self.price_of(accounts);
        if let Some((known, old)) = price.known() {
            return Ok((known, old.then(|| accounts.to_vec())));
        }
        let first = price.asking.try_lock();
        if first.is_err() {
            // Only until the other one is through: when that came to nothing, nobody waits for a queue of time-outs.
            drop(price.asking.lock().await);
            if let Some((known, _)) = price.known() {
                return Ok((known, None));
            }
        }
        Ok((self.ask(accounts).await?, None))
    }

    /// Asks for the recent fees again and remembers the price; a failure is logged.
    pub(super) async fn refresh(&self, accounts: Vec<Pubkey>) {
        if let Err(error) = self.ask(&accounts).await {
            tracing::debug!(%error, "recent fees cannot be read; the last ones serve");
        }
    }

    fn price_of(&self, accounts: &[Pubkey]) -> Arc<Price> {
        let mut prices = self.prices.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(prices.get_or_insert_ref(accounts, Arc::default))
    }

    async fn ask(&self, accounts: &[Pubkey]) -> Result<u64, ChainError> {
        let names: Vec<String> = accounts.iter().map(ToString::to_string).collect();
        let request = RpcRequest::GetRecentPrioritizationFees;
        let recent: Vec<RpcPrioritizationFee> =
            self.pool.ask(&Question::new("asking for recent fees", request, json!([names]))).await?;
        let price = self.policy.price(recent.into_iter().map(|fee| fee.prioritization_fee).collect());
        *self.price_of(accounts).told.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), price));
        Ok(price)
    }
}
