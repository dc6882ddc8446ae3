//! What a landed transaction cost the key that paid for it, as the chain's own record tells.

use crate::{
    chain::{ChainError, node::Question, pool::Pool},
    domain::settlement::Attempt,
};
use serde_json::json;
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client_api::{config::RpcTransactionConfig, request::RpcRequest};
use solana_transaction_status_client_types::{EncodedConfirmedTransactionWithStatusMeta, UiTransactionEncoding};

/// By how many lamports the fee payer's balance went down; none when the endpoint does not know the transaction (yet, or
/// any more) or keeps no balances.
pub(super) async fn lamports_spent(pool: &Pool, attempt: &Attempt) -> Result<Option<u64>, ChainError> {
    let config = RpcTransactionConfig {
        encoding: Some(UiTransactionEncoding::Base64),
        commitment: Some(CommitmentConfig::confirmed()),
        max_supported_transaction_version: Some(0),
    };
    let params = json!([attempt.signature.to_string(), config]);
    let question = Question::new("asking what a transaction cost", RpcRequest::GetTransaction, params);
    let answer: Option<EncodedConfirmedTransactionWithStatusMeta> = pool.ask(&question).await?;
    // The fee payer is the first account of every message.
    let balances = answer.and_then(|answer| answer.transaction.meta).and_then(|meta| {
        let before = meta.pre_balances.first().copied()?;
        Some((before, meta.post_balances.first().copied()?))
    });
    Ok(balances.map(|(before, after)| before.saturating_sub(after)))
}
