//! SPL Token amounts of accounts, as the RPC tells them. `IncoToken` accounts are not SPL accounts and have none.

use solana_account::{AccountSharedData, ReadableAccount};
use solana_account_decoder::{
    parse_account_data::SplTokenAdditionalDataV2,
    parse_token::{TokenAccountType, UiTokenAccount, get_token_account_mint, is_known_spl_token_id, parse_token_v3},
};
use solana_pubkey::Pubkey;
use solana_transaction_status_client_types::TransactionTokenBalance;

/// The decimals of a mint; `None` when the account is not one.
pub(super) fn mint_decimals(mint: &AccountSharedData) -> Option<u8> {
    if !is_known_spl_token_id(mint.owner()) {
        return None;
    }
    match parse_token_v3(mint.data(), None) {
        Ok(TokenAccountType::Mint(mint)) => Some(mint.decimals),
        _ => None,
    }
}

/// An SPL Token or Token-2022 account; `decimals_of` finds its mint. `None` when the account is not one.
pub(super) fn token_account(
    account: &AccountSharedData,
    decimals_of: impl Fn(&Pubkey) -> Option<u8>,
) -> Option<UiTokenAccount> {
    if !is_known_spl_token_id(account.owner()) {
        return None;
    }
    let decimals = decimals_of(&get_token_account_mint(account.data())?)?;
    match parse_token_v3(account.data(), Some(&SplTokenAdditionalDataV2::with_decimals(decimals))) {
        Ok(TokenAccountType::Account(account)) => Some(account),
        _ => None,
    }
}

/// The token balances among the accounts of a transaction.
pub(super) fn token_balances(
    accounts: &[Option<AccountSharedData>],
    decimals_of: impl Fn(&Pubkey) -> Option<u8>,
) -> Vec<TransactionTokenBalance> {
    let balance = |(index, account): (usize, &Option<AccountSharedData>)| {
        let account = account.as_ref()?;
        let token = token_account(account, &decimals_of)?;
        Some(TransactionTokenBalance {
            account_index: u8::try_from(index).ok()?,
            mint: token.mint,
            ui_token_amount: token.token_amount,
            owner: token.owner,
            program_id: account.owner().to_string(),
        })
    };
    accounts.iter().enumerate().filter_map(balance).collect()
}
