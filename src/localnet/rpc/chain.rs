//! Slots, blockhashes, fees and the node itself.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_hash::Hash;
use solana_message::VersionedMessage;
use solana_rpc_client_api::{
    config::{RpcContextConfig, RpcEpochConfig},
    response::{RpcBlockhash, RpcPrioritizationFee},
};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;

use super::{
    error::RpcError,
    params::{Params, json_at, level, pubkey, seen_at},
};
use crate::localnet::{bank::SLOTS_PER_EPOCH, history::Landed, network::Network};

/// What `getVersion` says, so that nobody takes this for a validator.
pub(super) const VERSION: &str = "4.2.2+localnet";
/// What `getVersion` says is not the real thing.
const STAND_INS: [&str; 4] = ["IncoToken", "Inco Lightning", "Covalidator", "Swig"];
/// How many slots back priority fees are told.
const FEE_SLOTS: u64 = 150;
/// Addresses that one question for priority fees may name.
const MAX_FEE_ADDRESSES: usize = 128;
/// The largest account that rent is told for.
const MAX_ACCOUNT_BYTES: usize = 10 * 1024 * 1024;

pub(super) fn health(network: &Network) -> Result<Value, RpcError> {
    if network.faults().is_unhealthy() { Err(RpcError::unhealthy()) } else { Ok(json!("ok")) }
}

pub(super) fn version() -> Value {
    json!({ "solana-core": VERSION, "stand-ins": STAND_INS })
}

/// The first block that this endpoint has.
pub(super) fn first_block(network: &Network) -> Value {
    json!(network.view().first_block())
}

pub(super) fn slot(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let config: RpcContextConfig = params.optional(0)?;
    Ok(json!(seen_at(&network.view(), config.commitment, config.min_context_slot)?))
}

/// The number of blocks below the newest one of a commitment: slots that a fork emptied do not count.
pub(super) fn block_height(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let config: RpcContextConfig = params.optional(0)?;
    let view = network.view();
    let slot = seen_at(&view, config.commitment, config.min_context_slot)?;
    Ok(json!(view.block(slot).height))
}

pub(super) fn epoch(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let config: RpcEpochConfig = params.optional(0)?;
    let view = network.view();
    let slot = seen_at(&view, config.commitment, config.min_context_slot)?;
    Ok(json!({
        "absoluteSlot": slot,
        "blockHeight": view.block(slot).height,
        "epoch": slot / SLOTS_PER_EPOCH,
        "slotIndex": slot % SLOTS_PER_EPOCH,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": view.transaction_count(),
    }))
}

pub(super) fn latest_blockhash(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let config: RpcContextConfig = params.optional(0)?;
    let view = network.view();
    let slot = seen_at(&view, config.commitment, config.min_context_slot)?;
    let block = view.block(slot);
    let last_valid_block_height = block.last_valid_height();
    json_at(slot, RpcBlockhash { blockhash: block.hash.to_string(), last_valid_block_height })
}

pub(super) fn is_blockhash_valid(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let hash: Hash = params.required::<String>(0)?.parse().map_err(|fault| {
        let fault: solana_hash::ParseHashError = fault;
        RpcError::params(format!("{fault:?}"))
    })?;
    let config: RpcContextConfig = params.optional(1)?;
    let view = network.view();
    let slot = seen_at(&view, config.commitment, config.min_context_slot)?;
    json_at(slot, view.is_live(&hash, slot))
}

/// The fee as the virtual machine charges it; null when the blockhash is dead.
pub(super) fn fee_for_message(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let message = BASE64_STANDARD
        .decode(params.required::<String>(0)?)
        .map_err(|fault| RpcError::params(format!("invalid base64 encoding: {fault:?}")))?;
    let message: VersionedMessage = wincode::deserialize(&message).map_err(|fault| {
        RpcError::params(format!("failed to deserialize solana_message::versions::VersionedMessage: {fault}"))
    })?;
    message.sanitize().map_err(|fault| RpcError::params(format!("invalid transaction message: {fault}")))?;
    let config: RpcContextConfig = params.optional(1)?;
    let mut view = network.view();
    let slot = seen_at(&view, config.commitment, config.min_context_slot)?;
    if !view.is_live(message.recent_blockhash(), slot) {
        return json_at(slot, Value::Null);
    }
    let signatures = vec![Signature::default(); usize::from(message.header().num_required_signatures)];
    let tx = VersionedTransaction { signatures, message };
    match view.simulate(&tx, level(config.commitment)) {
        Ok(run) => json_at(slot, run.meta.fee),
        Err(fault) => Err(RpcError::params(format!("invalid transaction message: {fault}"))),
    }
}

/// The least priority fee that landed in each recent slot among transactions writing all of these accounts.
pub(super) fn prioritization_fees(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let addresses: Vec<String> = params.optional(0)?;
    if addresses.len() > MAX_FEE_ADDRESSES {
        return Err(RpcError::params(format!("Too many inputs provided; max {MAX_FEE_ADDRESSES}")));
    }
    let addresses = addresses.iter().map(|text| pubkey(text)).collect::<Result<Vec<_>, _>>()?;
    let view = network.view();
    let newest = view.slot();
    let meant = |landed: &&std::sync::Arc<Landed>| addresses.iter().all(|address| landed.writes(address));
    let fees = (newest.saturating_sub(FEE_SLOTS - 1)..=newest).map(|slot| {
        let prices = view.of_slot(slot).filter(meant).map(|landed| landed.unit_price());
        RpcPrioritizationFee { slot, prioritization_fee: prices.min().unwrap_or(0) }
    });
    super::params::json(fees.collect::<Vec<_>>())
}

pub(super) fn rent(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let bytes: usize = params.required(0)?;
    if bytes > MAX_ACCOUNT_BYTES {
        return Err(RpcError::params(format!("Invalid params: an account holds at most {MAX_ACCOUNT_BYTES} bytes.")));
    }
    Ok(json!(network.view().rent(bytes)))
}
