//! What happened to an account: its list of transactions, and what one of them did.

use crate::{
    chain::{
        ChainError,
        node::{Node, Question},
        pool::Pool,
    },
    domain::signed,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use solana_commitment_config::CommitmentConfig;
use solana_message::compiled_instruction::CompiledInstruction;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::{
    config::{RpcSignaturesForAddressConfig, RpcTransactionConfig},
    request::RpcRequest,
    response::RpcConfirmedTransactionStatusWithSignature,
};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, EncodedTransaction, TransactionBinaryEncoding,
    TransactionConfirmationStatus, UiInstruction, UiTransactionEncoding, UiTransactionStatusMeta,
    option_serializer::OptionSerializer,
};

/// The most entries of one page.
pub const MAX_PAGE: usize = 1_000;

/// Which part of an account's history is asked for, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only what came before this one.
    pub before: Option<Signature>,
    /// The most entries, at most [`MAX_PAGE`].
    pub limit: usize,
    /// Only from a node that knows this slot.
    pub at_least: u64,
}

/// A transaction that named an account, at `confirmed` or surer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its signature.
    pub signature: Signature,
    /// The slot it landed in.
    pub slot: u64,
    /// Whether it landed with an error, and so changed nothing but its fee payer's balance.
    pub failed: bool,
    /// Whether it can no longer be taken back.
    pub finalised: bool,
}

/// What one transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenTransaction {
    /// The slot it landed in.
    pub slot: u64,
    /// When its block was made, in Unix seconds, where the node remembers.
    pub block_time: Option<u64>,
    /// Whether it landed with an error.
    pub failed: bool,
    /// The signers, the fee payer first.
    pub signers: Vec<Pubkey>,
    /// Its own instructions in their order, and after them those that they called, in whatever depth.
    pub instructions: Vec<SeenInstruction>,
}

/// One instruction of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenInstruction {
    /// The program.
    pub program: Pubkey,
    /// The accounts it was given.
    pub accounts: Vec<Pubkey>,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The place of the transaction's own instruction that called it, directly or not; none of one that is the transaction's own.
    pub called_by: Option<usize>,
}

pub(super) async fn page(pool: &Pool, account: &Pubkey, page: Page) -> Result<Vec<Listed>, ChainError> {
    let config = RpcSignaturesForAddressConfig {
        before: page.before.map(|signature| signature.to_string()),
        until: None,
        limit: Some(page.limit.clamp(1, MAX_PAGE)),
        commitment: Some(CommitmentConfig::confirmed()),
        min_context_slot: Some(page.at_least),
    };
    let params = json!([account.to_string(), config]);
    let question = Question::new("reading an account's history", RpcRequest::GetSignaturesForAddress, params);
    let told: Vec<RpcConfirmedTransactionStatusWithSignature> = pool.ask(&question).await?;
    told.iter().map(listed).collect()
}

pub(super) fn listed(told: &RpcConfirmedTransactionStatusWithSignature) -> Result<Listed, ChainError> {
    let signature = told.signature.parse();
    Ok(Listed {
        signature: signature.map_err(|_| ChainError::Inconsistent("a history names no signature".to_owned()))?,
        slot: told.slot,
        failed: told.err.is_some(),
        finalised: told.confirmation_status == Some(TransactionConfirmationStatus::Finalized),
    })
}

/// The chain's own record of a transaction, for whoever asks for `what`; none when the endpoint does not know it (yet, or any
/// more).
pub(super) async fn record_of(
    pool: &Pool,
    signature: &Signature,
    what: &'static str,
) -> Result<Option<EncodedConfirmedTransactionWithStatusMeta>, ChainError> {
    pool.ask(&record_question(signature, what, CommitmentConfig::confirmed())).await
}

/// Asks for the chain's own record of a transaction.
pub(super) fn record_question(signature: &Signature, what: &'static str, commitment: CommitmentConfig) -> Question {
    let config = RpcTransactionConfig {
        encoding: Some(UiTransactionEncoding::Base64),
        commitment: Some(commitment),
        max_supported_transaction_version: Some(0),
    };
    Question::new(what, RpcRequest::GetTransaction, json!([signature.to_string(), config]))
}

/// What one node tells of a transaction that is final, with its log where it keeps logs.
pub(super) async fn final_transaction(
    pool: &Pool,
    node: &Node,
    signature: &Signature,
) -> Result<Option<(SeenTransaction, Option<Vec<String>>)>, ChainError> {
    let question = record_question(signature, "reading a final transaction", CommitmentConfig::finalized());
    let told: Option<EncodedConfirmedTransactionWithStatusMeta> =
        pool.ask_node(node, &question, pool.timeout()).await?;
    let Some(told) = told else { return Ok(None) };
    let seen = seen_as(&told, signature)?;
    let logs = told.transaction.meta.and_then(|meta| Option::from(meta.log_messages));
    Ok(Some((seen, logs)))
}

pub(super) async fn transaction(pool: &Pool, signature: &Signature) -> Result<Option<SeenTransaction>, ChainError> {
    let told = record_of(pool, signature, "reading a transaction").await?;
    told.map(|told| seen_as(&told, signature)).transpose()
}

/// The transaction, if it is the one of this name: its fee payer's signature is that name. So no endpoint can tell another one in
/// its place. What the transaction called and whether it failed is still the endpoint's word.
fn seen_as(told: &EncodedConfirmedTransactionWithStatusMeta, name: &Signature) -> Result<SeenTransaction, ChainError> {
    let unreadable = || ChainError::Inconsistent("a transaction cannot be read".to_owned());
    let transaction = own_transaction(told).ok_or_else(unreadable)?;
    let payer = transaction.message.static_account_keys().first().ok_or_else(unreadable)?;
    let is_signed = || signed::verify(payer, &transaction.message.serialize(), name.as_array());
    if transaction.signatures.first() != Some(name) || !is_signed() {
        return Err(ChainError::Inconsistent(
            "another transaction was told than the one that was asked for".to_owned(),
        ));
    }
    read(told, &transaction).ok_or_else(unreadable)
}

/// The transaction as it was sent.
fn own_transaction(told: &EncodedConfirmedTransactionWithStatusMeta) -> Option<VersionedTransaction> {
    let EncodedTransaction::Binary(text, TransactionBinaryEncoding::Base64) = &told.transaction.transaction else {
        return None;
    };
    wincode::deserialize(&STANDARD.decode(text).ok()?).ok()
}

/// The transaction, unless anything of it is missing or malformed.
pub(super) fn seen(told: &EncodedConfirmedTransactionWithStatusMeta) -> Option<SeenTransaction> {
    read(told, &own_transaction(told)?)
}

fn read(
    told: &EncodedConfirmedTransactionWithStatusMeta,
    transaction: &VersionedTransaction,
) -> Option<SeenTransaction> {
    let meta = told.transaction.meta.as_ref()?;
    let keys = keys(transaction, meta)?;
    let signers = usize::from(transaction.message.header().num_required_signatures);
    let mut instructions = Vec::new();
    for instruction in transaction.message.instructions() {
        instructions.push(resolve(instruction, &keys, None)?);
    }
    for (caller, instruction) in calls(meta)? {
        instructions.push(resolve(&instruction, &keys, Some(caller))?);
    }
    Some(SeenTransaction {
        slot: told.slot,
        block_time: told.block_time.and_then(|seconds| u64::try_from(seconds).ok()),
        failed: meta.err.is_some(),
        signers: keys.get(..signers)?.to_vec(),
        instructions,
    })
}

/// All keys of a transaction, in the order in which its record counts them.
pub(super) fn keys_of(told: &EncodedConfirmedTransactionWithStatusMeta) -> Option<Vec<Pubkey>> {
    keys(&own_transaction(told)?, told.transaction.meta.as_ref()?)
}

/// What the transaction's own instructions called, each with the place of the one that led to it; none where an endpoint has no
/// record of it: a program may have called what nobody sees then. Of one that failed before anything ran there is none anywhere,
/// and what failed has changed nothing.
fn calls(meta: &UiTransactionStatusMeta) -> Option<Vec<(usize, CompiledInstruction)>> {
    let OptionSerializer::Some(groups) = &meta.inner_instructions else {
        return meta.err.is_some().then(Vec::new);
    };
    let mut calls = Vec::new();
    for group in groups {
        for call in &group.instructions {
            let UiInstruction::Compiled(compiled) = call else { return None };
            let instruction = CompiledInstruction {
                program_id_index: compiled.program_id_index,
                accounts: compiled.accounts.clone(),
                data: bs58::decode(&compiled.data).into_vec().ok()?,
            };
            calls.push((usize::from(group.index), instruction));
        }
    }
    Some(calls)
}

/// All keys in the order in which instructions count them: the message's own, then those of lookup tables.
fn keys(transaction: &VersionedTransaction, meta: &UiTransactionStatusMeta) -> Option<Vec<Pubkey>> {
    let mut keys = transaction.message.static_account_keys().to_vec();
    if let OptionSerializer::Some(loaded) = &meta.loaded_addresses {
        for text in loaded.writable.iter().chain(&loaded.readonly) {
            keys.push(text.parse().ok()?);
        }
    }
    Some(keys)
}

fn resolve(instruction: &CompiledInstruction, keys: &[Pubkey], called_by: Option<usize>) -> Option<SeenInstruction> {
    let key = |index: &u8| keys.get(usize::from(*index)).copied();
    Some(SeenInstruction {
        program: key(&instruction.program_id_index)?,
        accounts: instruction.accounts.iter().map(key).collect::<Option<_>>()?,
        bytes: instruction.data.clone(),
        called_by,
    })
}
