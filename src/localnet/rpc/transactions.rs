//! Simulating and sending.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_account_decoder::{UiAccount, UiAccountEncoding};
use solana_commitment_config::CommitmentLevel;
use solana_message::AccountKeys;
use solana_rpc_client_api::{
    config::{
        RpcRequestAirdropConfig, RpcSendTransactionConfig, RpcSimulateTransactionAccountsConfig,
        RpcSimulateTransactionConfig,
    },
    response::{RpcBlockhash, RpcSimulateTransactionResult},
};
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use solana_transaction_status::parse_ui_inner_instructions;
use solana_transaction_status_client_types::{
    TransactionBinaryEncoding, UiInnerInstructions, UiLoadedAddresses, UiTransactionEncoding, UiTransactionStatusMeta,
};

use super::{
    accounts::Shape,
    error::RpcError,
    params::{Params, json_at, level, pubkey, seen_at},
};
use crate::localnet::{bank::Run, network::Network, view::View};

/// Bytes of the largest transaction that a leader takes.
const MAX_TRANSACTION_BYTES: usize = 1_232;

pub(super) fn airdrop(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let to = params.pubkey(0)?;
    let lamports: u64 = params.required(1)?;
    let _: Option<RpcRequestAirdropConfig> = params.optional(2)?;
    let signature = network.airdrop(&to, lamports).map_err(|fault| RpcError::params(format!("airdrop: {fault}")))?;
    Ok(json!(signature.to_string()))
}

pub(super) fn simulate(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let text: String = params.required(0)?;
    let config: RpcSimulateTransactionConfig = params.optional(1)?;
    let mut tx = decode(&text, config.encoding)?;
    if config.sig_verify && config.replace_recent_blockhash {
        return Err(RpcError::params("sigVerify may not be used with replaceRecentBlockhash"));
    }
    if config.sig_verify && tx.verify_with_results().contains(&false) {
        return Err(RpcError::bad_signature());
    }
    let mut view = network.view();
    let slot = seen_at(&view, config.commitment, config.min_context_slot)?;
    let mut replacement = None;
    if config.replace_recent_blockhash {
        let block = view.block(slot);
        tx.message.set_recent_blockhash(block.hash);
        let last_valid_block_height = block.last_valid_height();
        replacement = Some(RpcBlockhash { blockhash: block.hash.to_string(), last_valid_block_height });
    }
    let simulated = view.simulate(&tx, level(config.commitment));
    let accounts = match config.accounts {
        Some(wanted) => Some(accounts_after(&view, &tx, &wanted, &simulated, slot)?),
        None => None,
    };
    let inner = simulated.as_ref().ok().filter(|_| config.inner_instructions).map(|run| calls(&view, run));
    let mut result = simulation_result(&view, simulated);
    result.inner_instructions = inner;
    result.accounts = accounts;
    result.replacement_blockhash = replacement;
    json_at(slot, result)
}

/// The asked-for accounts as the transaction would leave them; nothing but nulls when it would fail.
fn accounts_after(
    view: &View<'_>,
    tx: &VersionedTransaction,
    wanted: &RpcSimulateTransactionAccountsConfig,
    simulated: &Result<Run, TransactionError>,
    slot: u64,
) -> Result<Vec<Option<UiAccount>>, RpcError> {
    let encoding = wanted.encoding.unwrap_or(UiAccountEncoding::Base64);
    if matches!(encoding, UiAccountEncoding::Binary | UiAccountEncoding::Base58) {
        return Err(RpcError::params("base58 encoding not supported"));
    }
    let named = simulated.as_ref().map_or(tx.message.static_account_keys().len(), |run| run.keys.len());
    if wanted.addresses.len() > named {
        return Err(RpcError::params(format!("Too many accounts provided; max {named}")));
    }
    let Some(run) = simulated.as_ref().ok().filter(|run| run.outcome.is_ok()) else {
        return Ok(vec![None; wanted.addresses.len()]);
    };
    let after = |text: &String| {
        let key = pubkey(text)?;
        let account = match run.keys.iter().position(|named| *named == key) {
            Some(index) => run.after.get(index).cloned().flatten(),
            None => view.account(&key, slot),
        };
        account.map(|account| Shape::whole(encoding).encode(view, &key, &account)).transpose()
    };
    wanted.addresses.iter().map(after).collect()
}

/// The instructions that programs called, parsed where the program is known.
fn calls(view: &View<'_>, run: &Run) -> Vec<UiInnerInstructions> {
    let keys = AccountKeys::new(&run.keys, None);
    let calls = view.status_meta(run).inner_instructions.unwrap_or_default();
    calls.into_iter().map(|calls| parse_ui_inner_instructions(calls, &keys)).collect()
}

fn simulation_result(view: &View<'_>, simulated: Result<Run, TransactionError>) -> RpcSimulateTransactionResult {
    let mut result = RpcSimulateTransactionResult {
        err: None,
        logs: Some(vec![]),
        accounts: None,
        units_consumed: Some(0),
        loaded_accounts_data_size: None,
        return_data: None,
        inner_instructions: None,
        replacement_blockhash: None,
        fee: None,
        pre_balances: None,
        post_balances: None,
        pre_token_balances: None,
        post_token_balances: None,
        loaded_addresses: None,
    };
    let run = match simulated {
        Ok(run) => run,
        Err(fault) => return RpcSimulateTransactionResult { err: Some(fault.into()), ..result },
    };
    let loaded = UiLoadedAddresses::from(&run.loaded);
    let meta = UiTransactionStatusMeta::from(view.status_meta(&run));
    result.err = meta.err;
    result.logs = meta.log_messages.into();
    result.units_consumed = meta.compute_units_consumed.into();
    result.return_data = meta.return_data.into();
    result.fee = Some(meta.fee);
    result.pre_balances = Some(meta.pre_balances);
    result.post_balances = Some(meta.post_balances);
    result.pre_token_balances = meta.pre_token_balances.into();
    result.post_token_balances = meta.post_token_balances.into();
    result.loaded_addresses = Some(loaded);
    result
}

pub(super) fn send(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let text: String = params.required(0)?;
    let config: RpcSendTransactionConfig = params.optional(1)?;
    let tx = decode(&text, config.encoding)?;
    let signature = tx.signatures.first().copied().unwrap_or_default();
    if !config.skip_preflight {
        preflight(network, &tx, &config)?;
    }
    let faults = network.faults();
    if !faults.drops_send() {
        // Whether it lands is not told to senders: they have to look.
        let _ = network.send(tx);
    }
    if faults.errs_after_take() {
        return Err(RpcError::internal());
    }
    Ok(json!(signature.to_string()))
}

fn preflight(network: &Network, tx: &VersionedTransaction, config: &RpcSendTransactionConfig) -> Result<(), RpcError> {
    if tx.verify_with_results().contains(&false) {
        return Err(RpcError::bad_signature());
    }
    if network.faults().is_unhealthy() {
        return Err(RpcError::unhealthy());
    }
    let level = config.preflight_commitment.unwrap_or(CommitmentLevel::Finalized);
    let mut view = network.view();
    let slot = view.slot_at(level);
    if let Some(least) = config.min_context_slot.filter(|least| slot < *least) {
        return Err(RpcError::min_context_slot(least));
    }
    let simulated = view.simulate(tx, level);
    let fault = match &simulated {
        Ok(run) => match &run.outcome {
            Ok(()) => return Ok(()),
            Err(fault) => fault.clone(),
        },
        Err(fault) => fault.clone(),
    };
    let result = simulation_result(&view, simulated);
    Err(RpcError::preflight(format!("Transaction simulation failed: {fault}"), &result))
}

fn decode(text: &str, encoding: Option<UiTransactionEncoding>) -> Result<VersionedTransaction, RpcError> {
    let encoding = encoding.unwrap_or(UiTransactionEncoding::Base58);
    let bytes = match encoding.into_binary_encoding() {
        Some(TransactionBinaryEncoding::Base58) => bs58::decode(text)
            .into_vec()
            .map_err(|fault| RpcError::params(format!("invalid base58 encoding: {fault:?}")))?,
        Some(TransactionBinaryEncoding::Base64) => BASE64_STANDARD
            .decode(text)
            .map_err(|fault| RpcError::params(format!("invalid base64 encoding: {fault:?}")))?,
        None => {
            return Err(RpcError::params(format!(
                "unsupported encoding: {encoding}. Supported encodings: base58, base64"
            )));
        }
    };
    if bytes.len() > MAX_TRANSACTION_BYTES {
        return Err(RpcError::params(format!(
            "decoded solana_transaction::versioned::VersionedTransaction too large: {} bytes (max: \
             {MAX_TRANSACTION_BYTES} bytes)",
            bytes.len()
        )));
    }
    let tx: VersionedTransaction = wincode::deserialize(&bytes).map_err(|fault| {
        RpcError::params(format!("failed to deserialize solana_transaction::versioned::VersionedTransaction: {fault}"))
    })?;
    tx.sanitize().map_err(|fault| RpcError::params(format!("invalid transaction: {fault}")))?;
    if tx.uses_durable_nonce() {
        return Err(RpcError::params("invalid transaction: the local network takes no durable nonces"));
    }
    Ok(tx)
}
