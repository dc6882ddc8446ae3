//! Positional parameters, read into the RPC's own types.

use std::str::FromStr;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use solana_commitment_config::{CommitmentConfig, CommitmentLevel};
use solana_pubkey::Pubkey;
use solana_rpc_client_api::response::{Response, RpcResponseContext};
use solana_signature::Signature;

use super::error::RpcError;
use crate::localnet::view::View;

/// The parameters of one call.
pub(in crate::localnet) struct Params(Vec<Value>);

impl Params {
    /// From the `params` member; absent means none.
    pub(in crate::localnet) fn new(params: Option<Value>) -> Result<Self, RpcError> {
        match params {
            None | Some(Value::Null) => Ok(Self(vec![])),
            Some(Value::Array(values)) => Ok(Self(values)),
            Some(_) => Err(RpcError::params("Invalid params: positional parameters expected.")),
        }
    }

    /// The parameter at `index`, which must be there. Each can be taken once.
    pub(in crate::localnet) fn required<T: DeserializeOwned>(&mut self, index: usize) -> Result<T, RpcError> {
        match self.take(index) {
            Some(value) => read(value),
            None => Err(RpcError::params(format!("`params` should have at least {} argument(s)", index + 1))),
        }
    }

    /// The parameter at `index`, or the default when it is absent or null.
    pub(in crate::localnet) fn optional<T: DeserializeOwned + Default>(&mut self, index: usize) -> Result<T, RpcError> {
        self.take(index).filter(|value| !value.is_null()).map_or_else(|| Ok(T::default()), read)
    }

    pub(in crate::localnet) fn pubkey(&mut self, index: usize) -> Result<Pubkey, RpcError> {
        pubkey(&self.required::<String>(index)?)
    }

    fn take(&mut self, index: usize) -> Option<Value> {
        self.0.get_mut(index).map(Value::take)
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, RpcError> {
    serde_json::from_value(value).map_err(|fault| RpcError::params(format!("Invalid params: {fault}.")))
}

/// An address in base58.
pub(in crate::localnet) fn pubkey(text: &str) -> Result<Pubkey, RpcError> {
    Pubkey::from_str(text).map_err(|fault| RpcError::params(format!("Invalid param: {fault:?}")))
}

/// A signature in base58.
pub(in crate::localnet) fn signature(text: &str) -> Result<Signature, RpcError> {
    Signature::from_str(text).map_err(|fault| RpcError::params(format!("Invalid param: {fault:?}")))
}

/// The commitment asked for; `finalized` when none is.
pub(in crate::localnet) fn level(commitment: Option<CommitmentConfig>) -> CommitmentLevel {
    commitment.unwrap_or_default().commitment
}

/// The slot that a read at a commitment sees.
pub(super) fn seen_at(
    view: &View<'_>,
    commitment: Option<CommitmentConfig>,
    min_context_slot: Option<u64>,
) -> Result<u64, RpcError> {
    let slot = view.slot_at(level(commitment));
    match min_context_slot {
        Some(least) if slot < least => Err(RpcError::min_context_slot(slot)),
        _ => Ok(slot),
    }
}

/// An answer as it goes out.
pub(in crate::localnet) fn json(answer: impl Serialize) -> Result<Value, RpcError> {
    serde_json::to_value(answer).map_err(|_| RpcError::internal())
}

/// An answer together with the slot it was seen at.
pub(super) fn json_at(slot: u64, value: impl Serialize) -> Result<Value, RpcError> {
    json(Response { context: RpcResponseContext::new(slot), value })
}
