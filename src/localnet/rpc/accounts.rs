//! Accounts and balances.

use serde_json::Value;
use solana_account::{AccountSharedData, ReadableAccount};
use solana_account_decoder::{
    UiAccount, UiAccountEncoding, UiDataSliceConfig, encode_ui_account,
    parse_account_data::{AccountAdditionalDataV3, SplTokenAdditionalDataV2},
    parse_token::get_token_account_mint,
};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::{
    config::{RpcAccountInfoConfig, RpcContextConfig, RpcProgramAccountsConfig},
    filter::RpcFilterType,
    response::RpcKeyedAccount,
};

use super::{
    error::RpcError,
    params::{Params, json, json_at, pubkey, seen_at},
};
use crate::localnet::{network::Network, token_balances::token_account, view::View};

/// Accounts that one request may ask for.
const MAX_ACCOUNTS: usize = 100;
/// Filters of one scan.
const MAX_FILTERS: usize = 4;
/// Bytes that base58 is still used for.
const MAX_BASE58_BYTES: usize = 128;

pub(super) fn balance(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let key = params.pubkey(0)?;
    let config: RpcContextConfig = params.optional(1)?;
    let view = network.view();
    let slot = seen_at(&view, config.commitment, config.min_context_slot)?;
    json_at(slot, view.account(&key, told_as_of(network, &view, slot)).map_or(0, |account| account.lamports()))
}

pub(super) fn account(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let key = params.pubkey(0)?;
    let config: RpcAccountInfoConfig = params.optional(1)?;
    let view = network.view();
    let slot = seen_at(&view, config.commitment, config.min_context_slot)?;
    json_at(slot, Shape::of(&config).find(&view, &key, told_as_of(network, &view, slot))?)
}

pub(super) fn accounts(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let keys: Vec<String> = params.required(0)?;
    if keys.len() > MAX_ACCOUNTS {
        return Err(RpcError::params(format!("Too many inputs provided; max {MAX_ACCOUNTS}")));
    }
    let keys = keys.iter().map(|text| pubkey(text)).collect::<Result<Vec<_>, _>>()?;
    let mut config: RpcAccountInfoConfig = params.optional(1)?;
    config.encoding = config.encoding.or(Some(UiAccountEncoding::Base64));
    let view = network.view();
    let slot = seen_at(&view, config.commitment, config.min_context_slot)?;
    let (shape, told) = (Shape::of(&config), told_as_of(network, &view, slot));
    json_at(slot, keys.iter().map(|key| shape.find(&view, key, told)).collect::<Result<Vec<_>, _>>()?)
}

pub(super) fn program_accounts(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let program = params.pubkey(0)?;
    let config: RpcProgramAccountsConfig = params.optional(1)?;
    let filters = config.filters.unwrap_or_default();
    if filters.len() > MAX_FILTERS {
        return Err(RpcError::params(format!("Too many filters provided; max {MAX_FILTERS}")));
    }
    for filter in &filters {
        filter.verify().map_err(|fault| RpcError::params(format!("Invalid param: {fault:?}")))?;
    }
    let shape = Shape::of(&config.account_config);
    let view = network.view();
    let slot = seen_at(&view, config.account_config.commitment, config.account_config.min_context_slot)?;
    let mut found = Vec::new();
    for (key, account) in view.owned_by(&program, told_as_of(network, &view, slot)) {
        if filters.iter().all(|filter| matches(filter, &account)) {
            found.push(RpcKeyedAccount { pubkey: key.to_string(), account: shape.encode(&view, &key, &account)? });
        }
    }
    if config.with_context == Some(true) { json_at(slot, found) } else { json(found) }
}

/// The slot as of which accounts are told to somebody who is told `slot`: another one only by fault.
fn told_as_of(network: &Network, view: &View<'_>, slot: u64) -> u64 {
    slot.saturating_sub(network.faults().accounts_behind().min(view.most_lag()))
}

fn matches(filter: &RpcFilterType, account: &AccountSharedData) -> bool {
    match filter {
        RpcFilterType::DataSize(size) => account.data().len() as u64 == *size,
        RpcFilterType::Memcmp(compare) => compare.bytes_match(account.data()),
        RpcFilterType::TokenAccountState => get_token_account_mint(account.data()).is_some(),
    }
}

pub(super) fn token_account_balance(network: &Network, mut params: Params) -> Result<Value, RpcError> {
    let key = params.pubkey(0)?;
    let commitment: Option<CommitmentConfig> = params.optional(1)?;
    let view = network.view();
    let slot = seen_at(&view, commitment, None)?;
    let account = view.account(&key, told_as_of(network, &view, slot));
    let account = account.ok_or_else(|| RpcError::params("Invalid param: could not find account"))?;
    let token = token_account(&account, |mint| view.decimals(mint))
        .ok_or_else(|| RpcError::params("Invalid param: not a Token account"))?;
    json_at(slot, token.token_amount)
}

/// How an account is to be told.
#[derive(Clone, Copy)]
pub(in crate::localnet) struct Shape {
    encoding: UiAccountEncoding,
    slice: Option<UiDataSliceConfig>,
}

impl Shape {
    pub(in crate::localnet) fn of(config: &RpcAccountInfoConfig) -> Self {
        Self { encoding: config.encoding.unwrap_or(UiAccountEncoding::Binary), slice: config.data_slice }
    }

    pub(super) fn whole(encoding: UiAccountEncoding) -> Self {
        Self { encoding, slice: None }
    }

    fn find(self, view: &View<'_>, key: &Pubkey, slot: u64) -> Result<Option<UiAccount>, RpcError> {
        view.account(key, slot).map(|account| self.encode(view, key, &account)).transpose()
    }

    /// An account in the asked-for encoding.
    pub(in crate::localnet) fn encode(
        self,
        view: &View<'_>,
        key: &Pubkey,
        account: &AccountSharedData,
    ) -> Result<UiAccount, RpcError> {
        let bytes = self.slice.map_or(account.data().len(), |slice| slice.length.min(account.data().len()));
        let base58 = matches!(self.encoding, UiAccountEncoding::Binary | UiAccountEncoding::Base58);
        if base58 && bytes > MAX_BASE58_BYTES {
            return Err(RpcError::unanswerable(format!(
                "Encoded binary (base 58) data should be less than {MAX_BASE58_BYTES} bytes, please use Base64 encoding."
            )));
        }
        let decimals = || {
            let mint = get_token_account_mint(account.data())?;
            let decimals = view.decimals(&mint)?;
            let additional = SplTokenAdditionalDataV2::with_decimals(decimals);
            Some(AccountAdditionalDataV3 { spl_token_additional_data: Some(additional) })
        };
        let additional = if self.encoding == UiAccountEncoding::JsonParsed { decimals() } else { None };
        Ok(encode_ui_account(key, account, self.encoding, additional, self.slice))
    }
}
