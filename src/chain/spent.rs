//! What a landed transaction cost the key that paid for it, as the chain's own record tells.

use crate::{
    chain::{ChainError, history::record_of, pool::Pool},
    domain::settlement::Attempt,
};

/// By how many lamports the fee payer's balance went down; none when the endpoint does not know the transaction (yet, or
/// any more) or keeps no balances.
pub(super) async fn lamports_spent(pool: &Pool, attempt: &Attempt) -> Result<Option<u64>, ChainError> {
    let answer = record_of(pool, &attempt.signature, "asking what a transaction cost").await?;
    // The fee payer is the first account of every message.
    let balances = answer.and_then(|answer| answer.transaction.meta).and_then(|meta| {
        let before = meta.pre_balances.first().copied()?;
        Some((before, meta.post_balances.first().copied()?))
    });
    Ok(balances.map(|(before, after)| before.saturating_sub(after)))
}
