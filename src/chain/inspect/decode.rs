//! From text to a transaction whose every index and flag can be trusted to mean what it says.

use super::TransactionRefusal;
use crate::{chain::transaction::MAX_TRANSACTION_BYTES, domain::base64_text};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use solana_instruction::{AccountMeta, Instruction};
use solana_message::VersionedMessage;
use solana_pubkey::Pubkey;
use solana_transaction::versioned::VersionedTransaction;
use std::collections::{BTreeMap, HashSet};

/// What an account may do in a transaction: sign, be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) signer: bool,
    pub(super) writable: bool,
}

/// Decodes exactly one legacy or version 0 transaction without lookup tables, in its canonical encoding. Of base64
/// every spelling is read that has one meaning: what is canonical is the bytes, which are all that is kept and sent.
pub(super) fn decode(text: &str) -> Result<VersionedTransaction, TransactionRefusal> {
    check_length(text)?;
    transaction(&base64_text::decode(text).map_err(|_| TransactionRefusal::NotBase64)?)
}

/// Like [`decode`], but of base64 only the standard alphabet with its padding is read.
pub(super) fn decode_standard(text: &str) -> Result<VersionedTransaction, TransactionRefusal> {
    check_length(text)?;
    transaction(&STANDARD.decode(text).map_err(|_| TransactionRefusal::NotBase64)?)
}

/// Refuses a text that is longer than the base64 of any packet.
fn check_length(text: &str) -> Result<(), TransactionRefusal> {
    if text.len() > MAX_TRANSACTION_BYTES.div_ceil(3) * 4 { Err(TransactionRefusal::TooLarge) } else { Ok(()) }
}

/// Decodes the bytes themselves.
pub(super) fn transaction(wire: &[u8]) -> Result<VersionedTransaction, TransactionRefusal> {
    if wire.len() > MAX_TRANSACTION_BYTES {
        return Err(TransactionRefusal::TooLarge);
    }
    let transaction: VersionedTransaction =
        wincode::deserialize_exact(wire).map_err(|_| TransactionRefusal::NotATransaction)?;
    // Lengths have more than one encoding; the decoder need not be trusted to refuse the longer ones.
    if wincode::serialize(&transaction).ok().as_deref() != Some(wire) {
        return Err(TransactionRefusal::NotCanonical);
    }
    check_form(&transaction)?;
    Ok(transaction)
}

fn check_form(transaction: &VersionedTransaction) -> Result<(), TransactionRefusal> {
    match &transaction.message {
        VersionedMessage::Legacy(_) => {}
        VersionedMessage::V0(message) if message.address_table_lookups.is_empty() => {}
        VersionedMessage::V0(_) => return Err(TransactionRefusal::LookupTable),
        VersionedMessage::V1(_) => return Err(TransactionRefusal::UnknownVersion),
    }
    // The runtime's own rules: header counts, program and account indexes, one signature per required signer.
    transaction.sanitize().map_err(|_| TransactionRefusal::OutOfRange)?;
    let mut seen = HashSet::new();
    match transaction.message.static_account_keys().iter().find(|key| !seen.insert(**key)) {
        Some(twice) => Err(TransactionRefusal::DuplicateAccount(*twice)),
        None => Ok(()),
    }
}

/// The bytes of a message that was decoded, which its signers sign.
pub(super) fn message(message: &VersionedMessage) -> Vec<u8> {
    // Never the default: what was read was written once already.
    wincode::serialize(message).unwrap_or_default()
}

/// The instructions with their keys in place of indexes. Rights are those of the message, merged over all of it.
pub(super) fn instructions(message: &VersionedMessage) -> Result<Vec<Instruction>, TransactionRefusal> {
    let keys = message.static_account_keys();
    let meta = |index: &u8| {
        let index = usize::from(*index);
        let key = keys.get(index).ok_or(TransactionRefusal::OutOfRange)?;
        let Rights { signer, writable } = rights_at(message, index);
        Ok(AccountMeta { pubkey: *key, is_signer: signer, is_writable: writable })
    };
    message
        .instructions()
        .iter()
        .map(|compiled| {
            let program = keys.get(usize::from(compiled.program_id_index)).ok_or(TransactionRefusal::OutOfRange)?;
            let accounts = compiled.accounts.iter().map(meta).collect::<Result<_, _>>()?;
            Ok(Instruction { program_id: *program, accounts, data: compiled.data.clone() })
        })
        .collect()
}

/// Every account of a message with what it may do.
pub(super) fn rights(message: &VersionedMessage) -> BTreeMap<Pubkey, Rights> {
    message.static_account_keys().iter().enumerate().map(|(index, key)| (*key, rights_at(message, index))).collect()
}

/// Solana orders accounts: writable signers, read-only signers, writable others, read-only others.
fn rights_at(message: &VersionedMessage, index: usize) -> Rights {
    let header = message.header();
    let signers = usize::from(header.num_required_signatures);
    let signer = index < signers;
    let writable_until = if signer {
        signers.saturating_sub(usize::from(header.num_readonly_signed_accounts))
    } else {
        message.static_account_keys().len().saturating_sub(usize::from(header.num_readonly_unsigned_accounts))
    };
    Rights { signer, writable: index < writable_until }
}
