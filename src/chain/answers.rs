//! What is made of an endpoint's answers, from their bytes: the `result` of a JSON-RPC answer.
//!
//! The client of an endpoint has parsed them by the time that the service reads them, and whatever they hold is an error or a
//! value and never a panic. `fuzz/targets.rs` holds the readers to that from here.

use crate::chain::{
    ChainAccount, ChainError, Simulation,
    history::{self, Listed, SeenTransaction},
    reads, statuses,
};
use serde::de::DeserializeOwned;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::response::RpcConfirmedTransactionStatusWithSignature;
use solana_signature::Signature;
use solana_transaction_status_client_types::EncodedConfirmedTransactionWithStatusMeta;

/// The accounts that `getMultipleAccounts` tells of `keys`.
pub fn accounts(result: &[u8], keys: &[Pubkey]) -> Result<Vec<Option<ChainAccount>>, ChainError> {
    reads::accounts(&parsed(result)?, keys)
}

/// What `simulateTransaction` tells, with the accounts of `watched` afterwards.
pub fn simulation(result: &[u8], watched: &[Pubkey]) -> Result<Simulation, ChainError> {
    reads::simulation(parsed(result)?, watched)
}

/// How many of `signatures` the answer of `getSignatureStatuses` knows.
pub fn known_statuses(result: &[u8], signatures: &[Signature]) -> Result<usize, ChainError> {
    let statuses = statuses::checked(parsed(result)?, signatures)?;
    Ok(statuses.value.iter().flatten().count())
}

/// The entries that `getSignaturesForAddress` tells of an account's history.
pub fn listed(result: &[u8]) -> Result<Vec<Listed>, ChainError> {
    let told: Vec<RpcConfirmedTransactionStatusWithSignature> = parsed(result)?;
    told.iter().map(history::listed).collect()
}

/// What `getTransaction` tells that a transaction did; none where something of it is missing or malformed.
pub fn transaction(result: &[u8]) -> Option<SeenTransaction> {
    history::seen(&parsed::<EncodedConfirmedTransactionWithStatusMeta>(result).ok()?)
}

fn parsed<T: DeserializeOwned>(result: &[u8]) -> Result<T, ChainError> {
    serde_json::from_slice(result).map_err(|error| ChainError::Inconsistent(error.to_string()))
}
