//! The shapes of a state file: JSON with addresses, hashes and signatures in base58 and bytes in base64.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use solana_account::{AccountSharedData, ReadableAccount};
use solana_account_decoder::parse_token::UiTokenAmount;
use solana_hash::Hash;
use solana_message::v0::LoadedAddresses;
use solana_pubkey::Pubkey;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::{InnerInstructions, TransactionStatusMeta, TransactionTokenBalance};

use super::StateError;
use crate::localnet::{blocks::Block, history::Landed};

/// A value that has a text form.
mod text {
    use super::{Deserialize, Deserializer, Serializer};
    use std::{fmt::Display, str::FromStr};

    pub(super) fn serialize<T: ToString, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_string())
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(de: D) -> Result<T, D::Error> {
        String::deserialize(de)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Addresses.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Address(#[serde(with = "text")] pub(super) Pubkey);

/// Bytes.
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        BASE64_STANDARD.decode(String::deserialize(de)?).map(Self).map_err(serde::de::Error::custom)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SavedBlock {
    slot: u64,
    height: u64,
    #[serde(with = "text")]
    hash: Hash,
}

impl From<Block> for SavedBlock {
    fn from(Block { slot, hash, height }: Block) -> Self {
        Self { slot, height, hash }
    }
}

impl From<SavedBlock> for Block {
    fn from(SavedBlock { slot, height, hash }: SavedBlock) -> Self {
        Self { slot, hash, height }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SavedAccount {
    lamports: u64,
    owner: Address,
    data: Bytes,
    executable: bool,
    rent_epoch: u64,
}

impl From<&AccountSharedData> for SavedAccount {
    fn from(account: &AccountSharedData) -> Self {
        Self {
            lamports: account.lamports(),
            owner: Address(*account.owner()),
            data: Bytes(account.data().to_vec()),
            executable: account.executable(),
            rent_epoch: account.rent_epoch(),
        }
    }
}

impl From<SavedAccount> for AccountSharedData {
    fn from(saved: SavedAccount) -> Self {
        solana_account::Account {
            lamports: saved.lamports,
            data: saved.data.0,
            owner: saved.owner.0,
            executable: saved.executable,
            rent_epoch: saved.rent_epoch,
        }
        .into()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SavedTokenBalance {
    account_index: u8,
    mint: String,
    amount: UiTokenAmount,
    owner: String,
    program: String,
}

/// A landed transaction; what is not here follows from the transaction.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SavedLanded {
    slot: u64,
    index: u32,
    block_time: i64,
    confirmed_in: u64,
    finalized_in: u64,
    tx: Bytes,
    status: Result<(), TransactionError>,
    fee: u64,
    balances: [Vec<u64>; 2],
    token_balances: [Vec<SavedTokenBalance>; 2],
    inner: Vec<InnerInstructions>,
    logs: Vec<String>,
    /// Looked-up accounts: writable, readonly.
    loaded: [Vec<Address>; 2],
    returned: Option<(Address, Bytes)>,
    units: Option<u64>,
}

impl SavedLanded {
    /// # Errors
    /// Never for a transaction that came over the wire.
    pub(super) fn of(landed: &Landed) -> Result<Self, StateError> {
        let meta = &landed.meta;
        let addresses = |keys: &[Pubkey]| keys.iter().copied().map(Address).collect();
        let tokens = |all: &Option<Vec<TransactionTokenBalance>>| all.iter().flatten().map(saved_token).collect();
        Ok(Self {
            slot: landed.slot,
            index: landed.index,
            block_time: landed.block_time,
            confirmed_in: landed.confirmed_in,
            finalized_in: landed.finalized_in,
            tx: Bytes(wincode::serialize(&landed.tx).map_err(|_| StateError::Transaction)?),
            status: meta.status.clone(),
            fee: meta.fee,
            balances: [meta.pre_balances.clone(), meta.post_balances.clone()],
            token_balances: [tokens(&meta.pre_token_balances), tokens(&meta.post_token_balances)],
            inner: meta.inner_instructions.clone().unwrap_or_default(),
            logs: meta.log_messages.clone().unwrap_or_default(),
            loaded: [addresses(&meta.loaded_addresses.writable), addresses(&meta.loaded_addresses.readonly)],
            returned: meta.return_data.as_ref().map(|it| (Address(it.program_id), Bytes(it.data.clone()))),
            units: meta.compute_units_consumed,
        })
    }

    /// # Errors
    /// When the bytes are no transaction.
    pub(super) fn landed(self) -> Result<Arc<Landed>, StateError> {
        let tx: solana_transaction::versioned::VersionedTransaction =
            wincode::deserialize(&self.tx.0).map_err(|_| StateError::Transaction)?;
        let signature = tx.signatures.first().copied().ok_or(StateError::Transaction)?;
        let [writable, readonly] = self.loaded.map(|all| all.into_iter().map(|it| it.0).collect::<Vec<_>>());
        let keys = tx.message.static_account_keys().iter().chain(&writable).chain(&readonly).copied().collect();
        let [pre_balances, post_balances] = self.balances;
        let [before, after] = self.token_balances.map(|all| all.into_iter().map(token).collect());
        let meta = TransactionStatusMeta {
            status: self.status,
            fee: self.fee,
            pre_balances,
            post_balances,
            inner_instructions: Some(self.inner),
            log_messages: Some(self.logs),
            pre_token_balances: Some(before),
            post_token_balances: Some(after),
            rewards: Some(vec![]),
            loaded_addresses: LoadedAddresses { writable, readonly },
            return_data: self.returned.map(|(program, data)| {
                solana_transaction_context::transaction::TransactionReturnData { program_id: program.0, data: data.0 }
            }),
            compute_units_consumed: self.units,
            cost_units: None,
        };
        Ok(Arc::new(Landed {
            signature,
            slot: self.slot,
            index: self.index,
            block_time: self.block_time,
            tx,
            keys,
            meta,
            confirmed_in: self.confirmed_in,
            finalized_in: self.finalized_in,
        }))
    }
}

fn saved_token(balance: &TransactionTokenBalance) -> SavedTokenBalance {
    SavedTokenBalance {
        account_index: balance.account_index,
        mint: balance.mint.clone(),
        amount: balance.ui_token_amount.clone(),
        owner: balance.owner.clone(),
        program: balance.program_id.clone(),
    }
}

fn token(saved: SavedTokenBalance) -> TransactionTokenBalance {
    TransactionTokenBalance {
        account_index: saved.account_index,
        mint: saved.mint,
        ui_token_amount: saved.amount,
        owner: saved.owner,
        program_id: saved.program,
    }
}
