//! What one endpoint tells of an account: its balance in a final state, and the list of its transactions.

use super::judge::Told;
use crate::{
    chain::{
        ChainError,
        history::{self, Listed},
        node::{Node, Question},
        pool::Pool,
        reads,
    },
    programs::{Programs, inco_token::IncoAccount},
};
use lru::LruCache;
use serde_json::json;
use solana_account_decoder_client_types::{UiAccount, UiAccountEncoding};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::{
    config::{RpcAccountInfoConfig, RpcSignaturesForAddressConfig},
    request::RpcRequest,
    response::{Response, RpcConfirmedTransactionStatusWithSignature},
};
use solana_signature::Signature;
use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The most pages of a list, of 1,000 transactions each. What is older than that cannot be examined any more.
const MOST_PAGES: usize = 20;
/// How long what an endpoint told serves all attempts that move the same account: whoever stops lying is asked anew soon.
const FRESH: Duration = Duration::from_secs(2);
/// How many tellings are remembered, at about 2 MB for the longest list.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);

/// What was told a moment ago, by account and the endpoint's place.
pub(super) struct Tellings(Mutex<LruCache<(Pubkey, usize), (Instant, Told)>>);

/// How much of an account has to be told.
#[derive(Clone, Copy)]
pub(super) struct Stretch {
    pub(super) account: Pubkey,
    /// The list has to have everything after this slot.
    pub(super) since: u64,
    /// And the state has to be of this slot or a later one.
    pub(super) until: u64,
}

impl Default for Tellings {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

impl Tellings {
    /// What the endpoint tells of the account, now or a moment ago.
    pub(super) async fn ask(
        &self,
        (pool, node): (&Pool, &Node),
        stretch: Stretch,
        programs: &Programs,
    ) -> Result<Told, ChainError> {
        let key = (stretch.account, node.place);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some((_, told)) = known.filter(|(asked, told)| serves(asked.elapsed(), told, stretch)) {
            return Ok(told);
        }
        let asked = Instant::now();
        let told = Asking { pool, node, stretch }.told(programs).await?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, (asked, told.clone()));
        Ok(told)
    }
}

/// Whether what was told so long ago is as good as what would be told now.
fn serves(ago: Duration, told: &Told, stretch: Stretch) -> bool {
    ago < FRESH && told.at >= stretch.until && told.whole_after <= stretch.since
}

/// Adds a page that begins with the last entry of the list, if the list has two: a node that does not know where to go on says
/// that there is no more, which would look like the account's beginning.
fn join(listed: &mut Vec<Listed>, page: Vec<Listed>) -> Result<(), ChainError> {
    if listed.len() > 1 {
        let last = listed.pop().map(|last| last.signature);
        if page.first().map(|first| first.signature) != last {
            return Err(ChainError::Inconsistent("an account's history does not go on where it ended".to_owned()));
        }
    }
    listed.extend(page);
    Ok(())
}

struct Asking<'a> {
    pool: &'a Pool,
    node: &'a Node,
    stretch: Stretch,
}

impl Asking<'_> {
    /// The account first, then its list: what lands in between is listed and not counted.
    async fn told(&self, programs: &Programs) -> Result<Told, ChainError> {
        let (at, (after, delegated)) = self.handles(programs).await?;
        let (listed, whole_after) = self.list(at).await?;
        Ok(Told { after, delegated, at, listed, whole_after })
    }

    /// The slot of a final state, and the handles of balance and delegated amount in it.
    async fn handles(&self, programs: &Programs) -> Result<(u64, (Option<u128>, Option<u128>)), ChainError> {
        let Stretch { account, until, .. } = self.stretch;
        let config = RpcAccountInfoConfig {
            encoding: Some(UiAccountEncoding::Base64),
            commitment: Some(CommitmentConfig::finalized()),
            min_context_slot: Some(until),
            ..RpcAccountInfoConfig::default()
        };
        let params = json!([account.to_string(), config]);
        let question = Question::new("reading a payer's account as final", RpcRequest::GetAccountInfo, params);
        let read: Response<Option<UiAccount>> = self.pool.ask_node(self.node, &question, self.pool.timeout()).await?;
        if read.context.slot < until {
            return Err(ChainError::Inconsistent("an account is told as it was before it was asked for".to_owned()));
        }
        let account = read.value.as_ref().map(reads::chain_account).transpose()?;
        let decoded = account.filter(|account| account.owner == programs.token);
        let decoded = decoded.and_then(|account| IncoAccount::decode(&account.data).ok());
        Ok((read.context.slot, decoded.map(|account| (account.amount, account.delegated_amount)).unzip()))
    }

    /// Its transactions, newest first, and the slot after which none is missing.
    async fn list(&self, at: u64) -> Result<(Vec<Listed>, u64), ChainError> {
        let mut listed: Vec<Listed> = Vec::new();
        for _ in 0..MOST_PAGES {
            // The last entry is asked for once more.
            let before = listed.len().checked_sub(2).and_then(|place| listed.get(place)).map(|listed| listed.signature);
            let page = self.page(before.as_ref(), at).await?;
            let is_last = page.len() < history::MAX_PAGE;
            join(&mut listed, page)?;
            let oldest = listed.last().map_or(0, |listed| listed.slot);
            if is_last || oldest <= self.stretch.since {
                return Ok((listed, if is_last { 0 } else { oldest }));
            }
        }
        let oldest = listed.last().map_or(0, |listed| listed.slot);
        Ok((listed, oldest))
    }

    async fn page(&self, before: Option<&Signature>, at: u64) -> Result<Vec<Listed>, ChainError> {
        let config = RpcSignaturesForAddressConfig {
            before: before.map(ToString::to_string),
            limit: Some(history::MAX_PAGE),
            commitment: Some(CommitmentConfig::finalized()),
            min_context_slot: Some(at),
            ..RpcSignaturesForAddressConfig::default()
        };
        let params = json!([self.stretch.account.to_string(), config]);
        let what = "reading an account's history as final";
        let question = Question::new(what, RpcRequest::GetSignaturesForAddress, params);
        let told: Vec<RpcConfirmedTransactionStatusWithSignature> =
            self.pool.ask_node(self.node, &question, self.pool.timeout()).await?;
        told.iter().map(history::listed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(numbers: &[u8]) -> Vec<Listed> {
        let one = |number: &u8| {
            let slot = u64::from(*number);
            Listed { signature: Signature::from([*number; 64]), slot, failed: false, finalised: true }
        };
        numbers.iter().map(one).collect()
    }

    #[test]
    fn a_page_goes_on_where_the_list_ended() {
        let joined = |list: &[u8], page: &[u8]| {
            let mut list = listed(list);
            join(&mut list, listed(page)).map(|()| list)
        };
        assert_eq!(joined(&[], &[9, 8]).ok(), Some(listed(&[9, 8])));
        assert_eq!(joined(&[9, 8], &[8, 7]).ok(), Some(listed(&[9, 8, 7])));
        assert_eq!(joined(&[9, 8], &[8]).ok(), Some(listed(&[9, 8])), "there is no more");
        assert!(joined(&[9, 8], &[]).is_err(), "it does not know where to go on");
        assert!(joined(&[9, 8], &[7, 6]).is_err());
    }

    #[test]
    fn what_was_told_serves_others_for_a_moment_where_it_says_enough() {
        let told = Told { after: Some(1), delegated: Some(2), at: 200, listed: Vec::new(), whole_after: 100 };
        let stretch = Stretch { account: Pubkey::default(), since: 100, until: 200 };
        let now = Duration::ZERO;
        assert!(serves(now, &told, stretch));
        assert!(!serves(FRESH, &told, stretch), "who stops lying is asked anew");
        assert!(!serves(now, &told, Stretch { until: 201, ..stretch }), "finality has not passed that attempt's life");
        assert!(!serves(now, &told, Stretch { since: 99, ..stretch }), "it does not reach back so far");
    }
}
