//! Accounts as every endpoint tells them, for what may not hang on one endpoint's word: a loss that is written off, a clock that is
//! called wrong.

use crate::chain::{
    ChainAccount, ChainError, endpoint,
    pool::Pool,
    reads::{self, AccountsAnswer},
};
use solana_pubkey::Pubkey;

/// What one configured endpoint says of accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointAccounts {
    /// Its place in the operator's list, 1 for the first.
    pub endpoint: usize,
    /// Which voice it is: endpoints of one host or of one configured name have one number.
    pub voice: usize,
    /// The accounts, in the order asked, and the slot of that state; none where it gave no answer that counts.
    pub told: Option<(u64, Vec<Option<ChainAccount>>)>,
}

/// Asks every endpoint, together. One that lags behind what was seen to land gives no answer that counts, nor does one that tells
/// of a time to come; one that serves another cluster than the operator named has no word and is left out. An error only when no
/// answer counts.
pub(super) async fn accounts(pool: &Pool, keys: &[Pubkey]) -> Result<Vec<EndpointAccounts>, ChainError> {
    let minimum_slot = pool.minimum_slot();
    let question = reads::accounts_question(keys, minimum_slot);
    let answers = pool.ask_all::<AccountsAnswer>(&question).await;
    let mut told = Vec::with_capacity(answers.len());
    for (node, answer) in pool.configured().iter().zip(answers) {
        if pool.serves_another_cluster(node) {
            continue;
        }
        let counts = |answer: &AccountsAnswer| {
            let slot = answer.context.slot;
            slot >= minimum_slot && pool.has_reached(node, slot)
        };
        let answer =
            answer.filter(counts).and_then(|answer| Some((answer.context.slot, reads::accounts(&answer, keys).ok()?)));
        told.push(EndpointAccounts { endpoint: node.place + 1, voice: pool.voices().of(node.place), told: answer });
    }
    if told.iter().any(|endpoint| endpoint.told.is_some()) { Ok(told) } else { Err(endpoint::behind(question.what)) }
}
