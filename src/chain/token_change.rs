//! What a landed transaction changed of a plain token account, as the chain's own record tells: another voice is asked than the one
//! that told of the landing, where several are configured.

use crate::chain::{
    ChainError,
    history::{keys_of, record_question},
    pool::Pool,
    tellers::Tellers,
    voices::Whom,
};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, UiTransactionTokenBalance, option_serializer::OptionSerializer,
};

/// What a landed transaction changed of one token account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenChange {
    /// The slot it landed in.
    pub slot: u64,
    /// Whether it landed with an error, and so changed nothing.
    pub failed: bool,
    /// By how many base units the balance grew.
    pub units: i128,
}

/// What a transaction changed of an account; none when the voice that is asked does not know it (yet, or any more). Where several
/// voices are configured and it is not known who told of the landing, two have to tell the same.
pub(super) async fn token_change(
    pool: &Pool,
    tellers: &Tellers,
    signature: &Signature,
    account: &Pubkey,
) -> Result<Option<TokenChange>, ChainError> {
    let whom =
        if pool.has_several_voices() { tellers.of(signature).map(Whom::AnotherThan) } else { Some(Whom::Anybody) };
    if let Some(whom) = whom {
        return Ok(ask(pool, whom, signature, account).await?.map(|(_, change)| change));
    }
    let Some((by, first)) = ask(pool, Whom::Anybody, signature, account).await? else { return Ok(None) };
    let voice = pool.voices().of(by);
    let second = ask(pool, Whom::AnotherThan(voice), signature, account).await?;
    Ok(second.map(|(_, change)| change).filter(|change| *change == first))
}

async fn ask(
    pool: &Pool,
    whom: Whom,
    signature: &Signature,
    account: &Pubkey,
) -> Result<Option<(usize, TokenChange)>, ChainError> {
    let question = record_question(signature, "reading what a transaction paid", CommitmentConfig::confirmed());
    let (by, told) =
        pool.ask_whom::<Option<EncodedConfirmedTransactionWithStatusMeta>>(&question, whom, |_| true).await?;
    let unreadable = || ChainError::Inconsistent("what a transaction paid cannot be read".to_owned());
    told.map(|told| Ok((by, change(&told, account).ok_or_else(unreadable)?))).transpose()
}

/// The change, unless anything of it is missing or malformed.
fn change(told: &EncodedConfirmedTransactionWithStatusMeta, account: &Pubkey) -> Option<TokenChange> {
    let meta = told.transaction.meta.as_ref()?;
    let place = keys_of(told)?.iter().position(|key| key == account)?;
    let balance = |balances: &OptionSerializer<Vec<UiTransactionTokenBalance>>| -> Option<i128> {
        let OptionSerializer::Some(balances) = balances else { return None };
        let of_account = balances.iter().find(|balance| usize::from(balance.account_index) == place);
        // An account that is not there holds nothing.
        of_account.map_or(Some(0), |balance| balance.ui_token_amount.amount.parse().ok())
    };
    let (before, after) = (balance(&meta.pre_token_balances)?, balance(&meta.post_token_balances)?);
    Some(TokenChange { slot: told.slot, failed: meta.err.is_some(), units: after - before })
}
