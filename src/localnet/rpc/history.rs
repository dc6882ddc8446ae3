//! What became of transactions.

use serde_json::Value;
use solana_commitment_config::{CommitmentConfig, CommitmentLevel};
use solana_rpc_client_api::{
    config::{RpcEncodingConfigWrapper, RpcSignatureStatusConfig, RpcSignaturesForAddressConfig, RpcTransactionConfig},
    response::RpcConfirmedTransactionStatusWithSignature,
};
use solana_signature::Signature;
use solana_transaction_status::{
    ConfirmedTransactionWithStatusMeta, TransactionWithStatusMeta, VersionedTransactionWithStatusMeta,
};
use solana_transaction_status_client_types::{
    EncodeError, TransactionConfirmationStatus, TransactionStatus, UiTransactionEncoding,
};

use super::{
    error::RpcError,
    params::{Params, json, json_at, level, seen_at, signature},
};
use crate::localnet::{history::Landed, network::Network, view::View};

/// Signatures that one request may ask for.
const MAX_STATUSES: usize = 256;
/// Signatures that one page of an address's history may hold.
const MAX_SIGNATURES: usize = 1_000;

pub(super) fn signature_statuses(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let signatures: Vec<String> = params.required(0)?;
    if signatures.len() > MAX_STATUSES {
        return Err(RpcError::params(format!("Too many inputs provided; max {MAX_STATUSES}")));
    }
    let signatures = signatures.iter().map(|text| signature(text)).collect::<Result<Vec<_>, _>>()?;
    let config: Option<RpcSignatureStatusConfig> = params.optional(1)?;
    let search = config.is_some_and(|config| config.search_transaction_history);
    let view = network.view();
    let status = |signature: &Signature| {
        let landed = if search { view.find(signature) } else { view.find_recent(signature) }?;
        (!network.faults().hides(signature)).then(|| status(&view, landed))
    };
    json_at(view.slot(), signatures.iter().map(status).collect::<Vec<_>>())
}

fn status(view: &View<'_>, landed: &Landed) -> TransactionStatus {
    let (confirmations, confirmation) = match view.level_of(landed) {
        CommitmentLevel::Processed => (Some(0), TransactionConfirmationStatus::Processed),
        CommitmentLevel::Confirmed => {
            (usize::try_from(view.slots_confirmed(landed)).ok(), TransactionConfirmationStatus::Confirmed)
        }
        CommitmentLevel::Finalized => (None, TransactionConfirmationStatus::Finalized),
    };
    TransactionStatus {
        slot: landed.slot,
        confirmations,
        status: landed.meta.status.clone(),
        err: landed.error(),
        confirmation_status: Some(confirmation),
    }
}

pub(super) fn signatures_for_address(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let address = params.pubkey(0)?;
    let config: RpcSignaturesForAddressConfig = params.optional(1)?;
    let limit = config.limit.unwrap_or(MAX_SIGNATURES);
    if limit == 0 || limit > MAX_SIGNATURES {
        return Err(RpcError::params(format!("Invalid limit; max {MAX_SIGNATURES}")));
    }
    let before = config.before.as_deref().map(signature).transpose()?;
    let until = config.until.as_deref().map(signature).transpose()?;
    let least = at_least_confirmed(config.commitment)?;
    let view = network.view();
    seen_at(&view, config.commitment, config.min_context_slot)?;
    let before = match before.map(|before| view.find(&before)) {
        // As of a validator: a page before something unknown is empty, one until something unknown has no end.
        Some(None) => return json([(); 0]),
        Some(Some(before)) => Some(&**before),
        None => None,
    };
    let until = until.and_then(|until| view.find(&until)).map(|until| until.place());
    let page = view
        .of_address(&address, before)
        .take_while(|landed| until.is_none_or(|until| landed.place() > until))
        .filter(|landed| view.has_reached(landed, least) && !network.faults().leaves_out(&landed.signature))
        .take(limit);
    json(page.map(|landed| listed(&view, landed)).collect::<Vec<_>>())
}

fn listed(view: &View<'_>, landed: &Landed) -> RpcConfirmedTransactionStatusWithSignature {
    RpcConfirmedTransactionStatusWithSignature {
        signature: landed.signature.to_string(),
        slot: landed.slot,
        err: landed.error().map(Into::into),
        memo: landed.memo(),
        block_time: Some(landed.block_time),
        confirmation_status: status(view, landed).confirmation_status,
        transaction_index: Some(landed.index),
    }
}

pub(super) fn transaction(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let signature = signature(&params.required::<String>(0)?)?;
    let config = match params.optional::<Option<RpcEncodingConfigWrapper<RpcTransactionConfig>>>(1)? {
        Some(config) => config.convert_to_current(),
        None => RpcTransactionConfig::default(),
    };
    let least = at_least_confirmed(config.commitment)?;
    let view = network.view();
    let landed = view.find(&signature).filter(|landed| view.has_reached(landed, least));
    let landed = landed.filter(|landed| !network.faults().leaves_out(&landed.signature));
    let Some(landed) = landed else { return Ok(Value::Null) };
    let (transaction, meta) = (landed.tx.clone(), landed.meta.clone());
    let told = ConfirmedTransactionWithStatusMeta {
        slot: landed.slot,
        tx_with_meta: TransactionWithStatusMeta::Complete(VersionedTransactionWithStatusMeta { transaction, meta }),
        block_time: Some(landed.block_time),
        index: landed.index,
    };
    let encoding = config.encoding.unwrap_or(UiTransactionEncoding::Json);
    let told = told.encode(encoding, config.max_supported_transaction_version);
    json(told.map_err(|EncodeError::UnsupportedTransactionVersion(version)| RpcError::unsupported_version(version))?)
}

fn at_least_confirmed(commitment: Option<CommitmentConfig>) -> Result<CommitmentLevel, RpcError> {
    match level(commitment) {
        CommitmentLevel::Processed => Err(RpcError::params("Method does not support commitment below `confirmed`")),
        least => Ok(least),
    }
}
