//! The witness: what the balance of the account that an attempt moves tokens out of says of whether it landed.
//!
//! Every transfer that takes effect stores a new handle, one that moves nothing, too, and a handle is derived from the
//! operation and its operands, so it names the account's whole history. So whoever hides a transfer cannot hide that the
//! handle has changed, only why: a balance that is what it was, or whose changes are all explained by others, has lost
//! nothing by the attempt. The reverse is never concluded: anybody can move a handle by a transfer of zero, so one that moved
//! says nothing of a landing (ADR 0057). Where each transfer by a delegate lowers the amount that was delegated, that amount is a
//! second witness, which strangers cannot move (ADR 0058).
//!
//! Asked only where an attempt is dead and found by nobody; the lists and accounts are read from those who say so.

mod entries;
mod judge;
mod path;
mod returns;

use crate::{
    chain::{
        ChainError,
        history::{self, Listed},
        node::{Node, Question},
        pool::Pool,
        reads,
    },
    domain::settlement::{Attempt, Witness},
    programs::{Programs, inco_token::IncoAccount},
};
use entries::Entry;
pub(super) use judge::Testimony;
use judge::{Facts, MOST_ENTRIES, Told};
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
    collections::{BTreeSet, HashMap},
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// How many entries are remembered that were read, at about 300 bytes each.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4_095);

/// Examines accounts: one examination of each at a time, whose readings the next one uses.
pub(super) struct Examiner {
    programs: Programs,
    turns: Mutex<HashMap<Pubkey, Weak<tokio::sync::Mutex<()>>>>,
    /// By account and transaction, as far as they could be read: what is final never changes.
    read: Mutex<LruCache<(Pubkey, Signature), Entry>>,
}

impl Examiner {
    pub(super) fn new(programs: Programs) -> Self {
        Self { programs, turns: Mutex::default(), read: Mutex::new(LruCache::new(REMEMBERED)) }
    }

    /// What the account says of an attempt. `deniers` are those who say that it has no effect, each with the slot in which
    /// everything up to the end of the attempt's life was final. An error where one of them does not answer.
    pub(super) async fn examine(
        &self,
        pool: &Pool,
        attempt: &Attempt,
        witness: &Witness,
        deniers: &[(&Node, u64)],
    ) -> Result<Testimony, ChainError> {
        let turn = self.turn(witness.account);
        let _turn = turn.lock().await;
        let mut told = Vec::with_capacity(deniers.len());
        for (node, final_at) in deniers {
            told.push(self.ask(pool, node, witness, *final_at).await?);
        }
        let newest = told.iter().map(|one| one.at).max().unwrap_or_default();
        let wanted = Facts::wanted(&told, witness.before, newest);
        let entries = self.entries(pool, &witness.account, &wanted, deniers).await?;
        let final_at = deniers.iter().map(|(_, slot)| *slot).min().unwrap_or_default();
        let facts = Facts {
            attempt: &attempt.signature,
            before: witness.before,
            delegated: witness.delegated,
            told: &told,
            final_at,
            entries: &entries,
        };
        let testimony = facts.testimony();
        tracing::info!(
            transaction = %attempt.signature,
            ?testimony,
            entries = wanted.len(),
            "the payer's balance was asked whether a transaction had an effect"
        );
        Ok(testimony)
    }

    fn turn(&self, account: Pubkey) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(&account).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(account, Arc::downgrade(&turn));
        turn
    }

    /// The account first, then its list: what lands in between is listed and not counted.
    async fn ask(&self, pool: &Pool, node: &Node, witness: &Witness, final_at: u64) -> Result<Told, ChainError> {
        let finalised = Some(CommitmentConfig::finalized());
        let config = RpcAccountInfoConfig {
            encoding: Some(UiAccountEncoding::Base64),
            commitment: finalised,
            min_context_slot: Some(final_at),
            ..RpcAccountInfoConfig::default()
        };
        let params = json!([witness.account.to_string(), config]);
        let question = Question::new("reading a payer's account as final", RpcRequest::GetAccountInfo, params);
        let read: Response<Option<UiAccount>> = pool.ask_node(node, &question, pool.timeout()).await?;
        if read.context.slot < final_at {
            return Err(ChainError::Inconsistent("an account is told as it was before it was asked for".to_owned()));
        }
        let account = read.value.as_ref().map(reads::chain_account).transpose()?;
        let decoded = account.filter(|account| account.owner == self.programs.token);
        let decoded = decoded.and_then(|account| IncoAccount::decode(&account.data).ok());
        let (after, delegated) = decoded.map(|account| (account.amount, account.delegated_amount)).unzip();
        let config = RpcSignaturesForAddressConfig {
            limit: Some(history::MAX_PAGE),
            commitment: finalised,
            min_context_slot: Some(read.context.slot),
            ..RpcSignaturesForAddressConfig::default()
        };
        let params = json!([witness.account.to_string(), config]);
        let question =
            Question::new("reading an account's history as final", RpcRequest::GetSignaturesForAddress, params);
        let told: Vec<RpcConfirmedTransactionStatusWithSignature> =
            pool.ask_node(node, &question, pool.timeout()).await?;
        let listed: Vec<Listed> = told.iter().map(history::listed).collect::<Result<_, _>>()?;
        let is_whole =
            listed.len() < history::MAX_PAGE || listed.iter().any(|listed| listed.slot <= witness.before.slot);
        Ok(Told { after, delegated, at: read.context.slot, listed, is_whole })
    }

    /// What each of these did to the account, where it can be read.
    async fn entries(
        &self,
        pool: &Pool,
        account: &Pubkey,
        wanted: &BTreeSet<Signature>,
        deniers: &[(&Node, u64)],
    ) -> Result<HashMap<Signature, Entry>, ChainError> {
        let mut found = HashMap::new();
        if wanted.len() > MOST_ENTRIES {
            return Ok(found);
        }
        for signature in wanted {
            let key = (*account, *signature);
            let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
            if let Some(entry) = known {
                found.insert(*signature, entry);
                continue;
            }
            for (node, _) in deniers {
                let Some((seen, logs)) = history::final_transaction(pool, node, signature).await? else { continue };
                let entry = entries::read(&seen, logs.as_deref(), account, &self.programs);
                let is_read = entry.steps.is_some();
                if is_read {
                    self.read.lock().unwrap_or_else(PoisonError::into_inner).put(key, entry.clone());
                }
                found.insert(*signature, entry);
                // Another node may keep the log that this one does not have.
                if is_read {
                    break;
                }
            }
        }
        Ok(found)
    }
}
