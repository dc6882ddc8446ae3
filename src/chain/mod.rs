//! Solana, as far as the facilitator sees it: read, simulate, send what is recorded, and tell honestly what can be
//! known about it.

pub mod answers;
mod block_time;
mod confirm;
mod counts;
pub mod endpoint;
mod everywhere;
pub mod fees;
mod health;
mod heights;
pub mod history;
pub mod inspect;
pub mod keys;
mod minimum_slot;
mod no_effect;
mod node;
pub mod policy;
mod poll;
mod pool;
mod push;
mod reads;
pub mod refresher;
pub mod rpc;
pub mod signature_statuses;
mod socket;
mod spent;
mod statuses;
mod survey;
mod tellers;
mod token_change;
mod told;
pub mod transaction;
mod voices;
mod witness;

pub use block_time::block_times;
pub use counts::ChainCounts;
pub use everywhere::EndpointAccounts;
pub use health::{EndpointHealth, EndpointState};
pub use node::EndpointUrls;
pub use policy::PushPolicy;
pub use token_change::TokenChange;
pub use told::{EndpointWord, Word};

use crate::{
    chain::history::{Listed, Page, SeenTransaction},
    domain::settlement::{Attempt, Observation},
    ledger::Recorded,
};
use async_trait::async_trait;
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use std::time::Duration;

/// Why a question to the chain has no answer. The variants answer one question: can we know?
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// No answer in time, a broken connection, a 429 or 5xx: the outcome is unknown.
    #[error("the Solana RPC is unavailable: {what}")]
    Unavailable {
        /// What was asked, without URLs or keys.
        what: &'static str,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
        /// When the endpoint asks to be asked again.
        retry_after: Option<Duration>,
    },
    /// The endpoint answered no, and it is a known no: nothing was taken.
    #[error("the Solana RPC refused: {0}")]
    Refused(String),
    /// The endpoint's answer cannot be true (another cluster, a malformed account).
    #[error("the Solana RPC answered something impossible: {0}")]
    Inconsistent(String),
}

impl ChainError {
    /// The error with what is known of its cause, safe to show: no endpoint's own words are in it.
    pub fn with_cause(&self) -> String {
        match self {
            Self::Unavailable { source: Some(source), .. } => match source.downcast_ref::<endpoint::EndpointFault>() {
                Some(fault) => format!("{self}: {fault}"),
                None => self.to_string(),
            },
            _ => self.to_string(),
        }
    }
}

/// A blockhash that transactions can be built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveBlockhash {
    /// The blockhash.
    pub hash: Hash,
    /// The block height after which it is dead.
    pub last_valid_block_height: u64,
    /// The slot at which it was told.
    pub slot: u64,
}

impl LiveBlockhash {
    /// In how many blocks a transaction can land that is valid until this height, when this blockhash lives as long as one of
    /// now.
    pub const fn blocks_until(&self, last_valid_block_height: u64) -> u64 {
        last_valid_block_height.saturating_add(heights::LIFE).saturating_sub(self.last_valid_block_height)
    }
}

/// An account as the chain holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainAccount {
    /// Lamports.
    pub lamports: u64,
    /// The owning program.
    pub owner: Pubkey,
    /// Its data.
    pub data: Vec<u8>,
}

/// What a simulation told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// The chain's error, if it would fail.
    pub error: Option<String>,
    /// Program logs.
    pub logs: Vec<String>,
    /// Compute units consumed.
    pub units: u64,
    /// The asked-for accounts after the transaction, in order; empty when it would fail.
    pub accounts: Vec<Option<ChainAccount>>,
}

/// How sure a caller wants to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Commitment {
    /// A supermajority voted for it; callers are answered.
    Confirmed,
    /// It cannot be taken back.
    Finalized,
}

/// The chain behind deadlines, failover and retry policy.
///
/// Readings never go back in time: accounts and simulations are at least as new as the newest landing that this port
/// has told of, whichever endpoint answers; what no endpoint can answer so far is [`ChainError::Unavailable`].
#[async_trait]
pub trait Chain: Send + Sync + 'static {
    /// The genesis hash in base58, to check that this is the right cluster.
    async fn genesis_hash(&self) -> Result<String, ChainError>;

    /// A recent blockhash, from a background refresher in the steady state.
    async fn latest_blockhash(&self) -> Result<LiveBlockhash, ChainError>;

    /// Whether a blockhash that somebody else chose is alive, and until which block height at most: as long as one of now.
    async fn blockhash_life(&self, hash: &Hash) -> Result<Option<LiveBlockhash>, ChainError>;

    /// A blockhash that [`Chain::latest_blockhash`] gave lately, as it was then; `None` for any other. Asks nobody, so whether it
    /// is still alive is not said: its last valid block height is exact, where [`Chain::blockhash_life`] gives the most.
    fn told_blockhash(&self, hash: &Hash) -> Option<LiveBlockhash>;

    /// Accounts at `confirmed`, in the order asked; `None` for one that does not exist. At most 100 keys.
    async fn accounts(&self, keys: &[Pubkey]) -> Result<Vec<Option<ChainAccount>>, ChainError>;

    /// Like [`Chain::accounts`], with the slot of the state they were read from, at least `at_least`: a node that lags behind it
    /// does not answer. The endpoints are asked in turn, so that what is asked in rounds is not answered by one of them alone; turn
    /// 0 is that of the best. At most 100 keys.
    async fn accounts_in_turn(
        &self,
        keys: &[Pubkey],
        at_least: u64,
        turn: usize,
    ) -> Result<(u64, Vec<Option<ChainAccount>>), ChainError>;

    /// Accounts at `confirmed` as every endpoint tells them that has a word, in the configured order: for decisions that may not
    /// hang on one endpoint. An error only when no answer counts. At most 100 keys.
    async fn accounts_everywhere(&self, keys: &[Pubkey]) -> Result<Vec<EndpointAccounts>, ChainError>;

    /// Accounts in a final state, with its slot, in the order asked. At most 100 keys.
    async fn final_accounts(&self, keys: &[Pubkey]) -> Result<(u64, Vec<Option<ChainAccount>>), ChainError>;

    /// One page of an account's history, newest first.
    async fn history(&self, account: &Pubkey, page: Page) -> Result<Vec<Listed>, ChainError>;

    /// What a confirmed transaction did; `None` when the endpoint does not (or not yet) tell of it.
    async fn transaction(&self, signature: &Signature) -> Result<Option<SeenTransaction>, ChainError>;

    /// Rent-exempt minimum for an account of `bytes`, in lamports.
    async fn rent(&self, bytes: usize) -> Result<u64, ChainError>;

    /// Recent priority fee per compute unit for transactions that write these accounts, in micro-lamports.
    async fn priority_fee(&self, writable: &[Pubkey]) -> Result<u64, ChainError>;

    /// Runs a transaction without signatures at `confirmed` and tells `watched` accounts afterwards. That a node does
    /// not know a blockhash which this port has seen alive is [`ChainError::Unavailable`], never the simulation's error.
    async fn simulate(&self, tx: &VersionedTransaction, watched: &[Pubkey]) -> Result<Simulation, ChainError>;

    /// Sends recorded bytes. `Ok` means that an endpoint took them, nothing more; any error means "look".
    async fn send(&self, attempt: &Recorded<Attempt>) -> Result<(), ChainError>;

    /// By how many lamports a landed attempt lowered its fee payer's balance: fee, rent and grants together. None when the
    /// endpoint does not know it (yet, or any more).
    async fn lamports_spent(&self, attempt: &Recorded<Attempt>) -> Result<Option<u64>, ChainError>;

    /// Tells what is known of an attempt, waiting up to `patience` for it to reach `want` (by a pushed notice, with
    /// polling as fallback). Never waits past the answer; [`Observation::Unknown`] when nothing can be known. That it has no
    /// effect, absent or failed for good, as many voices have said as it takes; that it landed, whoever told it first.
    async fn observe(
        &self,
        attempt: &Recorded<Attempt>,
        want: Commitment,
        patience: Duration,
    ) -> Result<Observation, ChainError>;

    /// Tells what is known of many attempts that have landed, in their order and without waiting: one request for 256.
    ///
    /// [`Observation::Pending`]: one whose blockhash is alive is not on the chain any more, by a node whose view is at
    /// least as new as everything seen before. [`Observation::Unknown`]: ask again later. Final is what another voice says than
    /// the one that told of the landing, where several are configured; what one has and another denies is
    /// [`Observation::Disputed`].
    async fn look_up(&self, attempts: &[Recorded<Attempt>]) -> Result<Vec<Observation>, ChainError>;

    /// Whether another voice than the one that told of this landing has it, too: true where nobody else is configured, and then
    /// nothing is asked.
    async fn is_seen_by_another(&self, attempt: &Recorded<Attempt>) -> Result<bool, ChainError>;

    /// What a landed transaction changed of a plain token account, by the word of another voice than the one that told of its
    /// landing, where several are configured; by two that agree, where the teller is not known. None when nobody tells it (yet, or
    /// any more).
    async fn token_change(&self, signature: &Signature, account: &Pubkey) -> Result<Option<TokenChange>, ChainError>;

    /// Whether what one voice tells can be told by another.
    fn has_several_voices(&self) -> bool;

    /// The names of the voices that told this process of a landing; nothing is asked.
    fn seen_by(&self, signature: &Signature) -> Vec<String>;

    /// A slot by which finality had passed the life of an attempt that was examined, as those said who say that it is absent;
    /// none where that was not asked for. Nothing is asked.
    fn past_at(&self, signature: &Signature) -> Option<u64>;

    /// How every endpoint is, in the configured order; nothing is asked.
    fn endpoints(&self) -> Vec<EndpointHealth>;
}
