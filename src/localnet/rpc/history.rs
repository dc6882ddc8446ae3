//! What became of transactions.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;
use solana_commitment_config::{CommitmentConfig, CommitmentLevel};
use solana_rpc_client_api::{
    config::{RpcEncodingConfigWrapper, RpcSignatureStatusConfig, RpcSignaturesForAddressConfig, RpcTransactionConfig},
    response::RpcConfirmedTransactionStatusWithSignature,
};
use solana_signature::Signature;
use solana_transaction::versioned::{TransactionVersion, VersionedTransaction};
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, EncodedTransaction, EncodedTransactionWithStatusMeta,
    TransactionBinaryEncoding, TransactionConfirmationStatus, TransactionStatus, UiCompiledInstruction, UiMessage,
    UiRawMessage, UiTransaction, UiTransactionEncoding, UiTransactionStatusMeta,
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
/// The stack height of an instruction of the transaction itself.
const TOP_LEVEL: u32 = 1;

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
    let version = told_version(&landed.tx, config.max_supported_transaction_version)?;
    json(EncodedConfirmedTransactionWithStatusMeta {
        slot: landed.slot,
        transaction: EncodedTransactionWithStatusMeta {
            transaction: encode(&landed.tx, config.encoding.unwrap_or(UiTransactionEncoding::Json))?,
            meta: Some(UiTransactionStatusMeta::from(landed.meta.clone())),
            version,
        },
        block_time: Some(landed.block_time),
        transaction_index: Some(landed.index),
    })
}

fn at_least_confirmed(commitment: Option<CommitmentConfig>) -> Result<CommitmentLevel, RpcError> {
    match level(commitment) {
        CommitmentLevel::Processed => Err(RpcError::params("Method does not support commitment below `confirmed`")),
        least => Ok(least),
    }
}

/// The version told to a client that understands versions up to `most`; to one that knows of none, nothing.
fn told_version(tx: &VersionedTransaction, most: Option<u8>) -> Result<Option<TransactionVersion>, RpcError> {
    match (tx.version(), most) {
        (TransactionVersion::Legacy(_), None) => Ok(None),
        (TransactionVersion::Number(version), None) => Err(RpcError::unsupported_version(version)),
        (TransactionVersion::Number(version), Some(most)) if version > most => {
            Err(RpcError::unsupported_version(version))
        }
        (version, Some(_)) => Ok(Some(version)),
    }
}

fn encode(tx: &VersionedTransaction, encoding: UiTransactionEncoding) -> Result<EncodedTransaction, RpcError> {
    let bytes = || wincode::serialize(tx).map_err(|_| RpcError::internal());
    Ok(match encoding {
        UiTransactionEncoding::Binary => EncodedTransaction::LegacyBinary(bs58::encode(bytes()?).into_string()),
        UiTransactionEncoding::Base58 => {
            let text = bs58::encode(bytes()?).into_string();
            EncodedTransaction::Binary(text, TransactionBinaryEncoding::Base58)
        }
        UiTransactionEncoding::Base64 => {
            EncodedTransaction::Binary(BASE64_STANDARD.encode(bytes()?), TransactionBinaryEncoding::Base64)
        }
        UiTransactionEncoding::Json => EncodedTransaction::Json(ui_transaction(tx)),
        UiTransactionEncoding::JsonParsed => {
            return Err(RpcError::params("the local network does not parse instructions: use json or base64"));
        }
    })
}

fn ui_transaction(tx: &VersionedTransaction) -> UiTransaction {
    let message = &tx.message;
    let instruction = |instruction| UiCompiledInstruction::from(instruction, Some(TOP_LEVEL));
    UiTransaction {
        signatures: tx.signatures.iter().map(ToString::to_string).collect(),
        message: UiMessage::Raw(UiRawMessage {
            header: *message.header(),
            account_keys: message.static_account_keys().iter().map(ToString::to_string).collect(),
            recent_blockhash: message.recent_blockhash().to_string(),
            instructions: message.instructions().iter().map(instruction).collect(),
            address_table_lookups: message.address_table_lookups().map(|all| all.iter().map(Into::into).collect()),
            transaction_config: None,
        }),
    }
}
