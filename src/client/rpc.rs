//! The part of Solana that a payer needs: read and simulate. Nothing here can send a transaction: a payer's approve
//! goes to the facilitator, which adds its signature.

use crate::domain::unreachable::known_cause;
use async_trait::async_trait;
use solana_account_decoder_client_types::{UiAccount, UiAccountEncoding};
use solana_commitment_config::CommitmentConfig;
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::{
    client_error::{Error as ClientError, ErrorKind},
    config::{RpcAccountInfoConfig, RpcSimulateTransactionAccountsConfig, RpcSimulateTransactionConfig},
    request::RpcError as NodeError,
};
use solana_transaction::versioned::VersionedTransaction;
use std::{fmt, future::Future, time::Duration};

/// An account as the chain holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Lamports.
    pub lamports: u64,
    /// The owning program.
    pub owner: Pubkey,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What a simulation told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated {
    /// The chain's error, if the transaction would fail.
    pub error: Option<String>,
    /// The watched accounts afterwards, in order; empty when it would fail.
    pub accounts: Vec<Option<Account>>,
}

/// Why a question has no answer. Names no URL: it may hold a key.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// No answer in time, or none at all.
    #[error("the Solana RPC is unavailable ({what}){}", because(source.as_deref()))]
    Unavailable {
        /// What was asked.
        what: &'static str,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// There is nobody to ask.
    #[error("no Solana RPC was given")]
    NotGiven,
    /// An answer that cannot be true.
    #[error("the Solana RPC answered something impossible ({what})")]
    Impossible {
        /// What was asked.
        what: &'static str,
    },
}

/// Why there was no answer, where it is known; without an error the time was up.
fn because(source: Option<&(dyn std::error::Error + Send + Sync + 'static)>) -> String {
    let cause = match source {
        Some(source) => known_cause(source),
        None => Some("it did not answer in time"),
    };
    cause.map(|cause| format!(": {cause}")).unwrap_or_default()
}

/// What a payer asks of Solana, all at `confirmed`.
#[async_trait]
pub trait PayerRpc: Send + Sync + 'static {
    /// A recent blockhash.
    async fn latest_blockhash(&self) -> Result<Hash, RpcError>;

    /// Accounts in the order asked; `None` for one that does not exist. At most 100.
    async fn accounts(&self, keys: &[Pubkey]) -> Result<Vec<Option<Account>>, RpcError>;

    /// The least that an account of so many bytes has to hold, in lamports.
    async fn rent(&self, bytes: usize) -> Result<u64, RpcError>;

    /// Runs a transaction whose signatures need not be there, and tells `watched` accounts afterwards.
    async fn simulate(&self, transaction: &VersionedTransaction, watched: &[Pubkey]) -> Result<Simulated, RpcError>;
}

/// A Solana RPC node over HTTP; every question has the same deadline.
pub struct SolanaRpc {
    node: RpcClient,
    deadline: Duration,
}

impl fmt::Debug for SolanaRpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a key.
        f.debug_struct("SolanaRpc").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl SolanaRpc {
    /// The node at `url`, given `deadline` for each question, retries after a 429 included.
    pub fn new(url: String, deadline: Duration) -> Self {
        let node = RpcClient::new_with_timeout_and_commitment(url, deadline, CommitmentConfig::confirmed());
        Self { node, deadline }
    }

    /// The genesis hash in base58, to check that this is the right network.
    pub async fn genesis_hash(&self) -> Result<String, RpcError> {
        Ok(self.ask("genesis hash", self.node.get_genesis_hash()).await?.to_string())
    }

    async fn ask<T>(
        &self,
        what: &'static str,
        question: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, RpcError> {
        match tokio::time::timeout(self.deadline, question).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(RpcError::Unavailable { what, source: Some(without_url(*error.kind)) }),
            Err(_) => Err(RpcError::Unavailable { what, source: None }),
        }
    }
}

/// Errors of the HTTP client print the URL they failed at; ours must not.
fn without_url(kind: ErrorKind) -> Box<dyn std::error::Error + Send + Sync> {
    match kind {
        ErrorKind::Reqwest(error) => Box::new(error.without_url()),
        ErrorKind::RpcError(NodeError::RpcResponseError { code, message, .. }) => {
            Box::new(NodeRefusal { code, message })
        }
        other => Box::new(other),
    }
}

/// A node's error, without the simulation that may hang on it.
#[derive(Debug, thiserror::Error)]
#[error("the node answered {code}: {message}")]
struct NodeRefusal {
    code: i64,
    message: String,
}

/// Stands for the node of a payer who gave none: whatever is asked fails.
pub(super) struct NoRpc;

#[async_trait]
impl PayerRpc for NoRpc {
    async fn latest_blockhash(&self) -> Result<Hash, RpcError> {
        Err(RpcError::NotGiven)
    }

    async fn accounts(&self, _keys: &[Pubkey]) -> Result<Vec<Option<Account>>, RpcError> {
        Err(RpcError::NotGiven)
    }

    async fn rent(&self, _bytes: usize) -> Result<u64, RpcError> {
        Err(RpcError::NotGiven)
    }

    async fn simulate(&self, _transaction: &VersionedTransaction, _watched: &[Pubkey]) -> Result<Simulated, RpcError> {
        Err(RpcError::NotGiven)
    }
}

fn accounts(what: &'static str, told: Vec<Option<UiAccount>>, asked: usize) -> Result<Vec<Option<Account>>, RpcError> {
    if told.len() != asked {
        return Err(RpcError::Impossible { what });
    }
    let read = |account: UiAccount| {
        let account = account.to_account().ok_or(RpcError::Impossible { what })?;
        Ok(Account { lamports: account.lamports, owner: account.owner, bytes: account.data })
    };
    told.into_iter().map(|account| account.map(read).transpose()).collect()
}

#[async_trait]
impl PayerRpc for SolanaRpc {
    async fn latest_blockhash(&self) -> Result<Hash, RpcError> {
        self.ask("latest blockhash", self.node.get_latest_blockhash()).await
    }

    async fn accounts(&self, keys: &[Pubkey]) -> Result<Vec<Option<Account>>, RpcError> {
        let config = RpcAccountInfoConfig {
            encoding: Some(UiAccountEncoding::Base64),
            commitment: Some(CommitmentConfig::confirmed()),
            ..RpcAccountInfoConfig::default()
        };
        let told = self.ask("accounts", self.node.get_multiple_ui_accounts_with_config(keys, config)).await?;
        accounts("accounts", told.value, keys.len())
    }

    async fn rent(&self, bytes: usize) -> Result<u64, RpcError> {
        self.ask("rent", self.node.get_minimum_balance_for_rent_exemption(bytes)).await
    }

    async fn simulate(&self, transaction: &VersionedTransaction, watched: &[Pubkey]) -> Result<Simulated, RpcError> {
        let config = RpcSimulateTransactionConfig {
            sig_verify: false,
            commitment: Some(CommitmentConfig::confirmed()),
            accounts: Some(RpcSimulateTransactionAccountsConfig {
                encoding: Some(UiAccountEncoding::Base64),
                addresses: watched.iter().map(ToString::to_string).collect(),
            }),
            ..RpcSimulateTransactionConfig::default()
        };
        let simulation = self.node.simulate_transaction_with_config(transaction, config);
        let told = self.ask("simulation", simulation).await?.value;
        match told.err {
            Some(error) => Ok(Simulated { error: Some(error.to_string()), accounts: Vec::new() }),
            None => Ok(Simulated {
                error: None,
                accounts: accounts("simulation", told.accounts.unwrap_or_default(), watched.len())?,
            }),
        }
    }
}
