//! The witness: what the balance of the account that an attempt moves tokens out of says of whether it landed.
//!
//! Every transfer that takes effect stores a new handle, one that moves nothing, too, and a handle is derived from the
//! operation and its operands, so it names the account's whole history. So whoever hides a transfer cannot hide that the
//! handle has changed, only why: a balance that is what it was, or whose changes are all explained by others, has lost
//! nothing by the attempt. The reverse is never concluded: anybody can move a handle by a transfer of zero, so one that moved
//! says nothing of a landing (ADR 0057).
//!
//! Asked only where an attempt is dead and found by nobody; the lists and accounts are read from those who say so.
//!
//! A busy account has hundreds of transactions in the time that one attempt lives. So an examination reads so many of them
//! ([`BUDGET`]) and the next one goes on, and it reads none that came after finality had passed the attempt's life: that slot is
//! kept, because what a payer does later would make the history longer than anybody can read.

mod entries;
mod judge;
mod kept;
mod path;
mod returns;
mod told;

use crate::{
    chain::{ChainError, history, node::Node, pool::Pool},
    domain::settlement::{Attempt, Witness},
    programs::Programs,
};
use entries::Entry;
pub(super) use judge::Testimony;
use judge::{Facts, Judged, Readings};
pub(super) use kept::Denial;
use kept::Kept;
use lru::LruCache;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use told::{Stretch, Tellings};

/// How many entries one examination reads that were not read before, so that nobody else waits long for its endpoints.
const BUDGET: usize = 64;
/// How many entries are remembered that were read, at about 300 bytes each.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);

/// Examines accounts: one examination of each at a time, whose readings the next one uses.
pub(super) struct Examiner {
    programs: Programs,
    turns: Mutex<HashMap<Pubkey, Weak<tokio::sync::Mutex<()>>>>,
    tellings: Tellings,
    kept: Kept,
    /// By account and transaction, as far as they could be read: what is final never changes.
    read: Mutex<LruCache<(Pubkey, Signature), Entry>>,
}

/// An attempt that has no effect, as some say.
pub(super) struct Case<'a> {
    pub(super) attempt: &'a Attempt,
    pub(super) witness: &'a Witness,
    pub(super) denial: Denial,
    /// Who says so, each with the slot in which everything up to the end of the attempt's life was final: as many voices as it
    /// takes.
    pub(super) deniers: Vec<(&'a Node, u64)>,
    /// Whether they are several voices, so that equal lists are enough.
    pub(super) are_several: bool,
}

impl Case<'_> {
    /// After which slot it can have landed. The handle's slot alone is one endpoint's word.
    fn since(&self) -> u64 {
        self.witness.before.slot.min(self.attempt.signed_at_slot)
    }
}

impl Examiner {
    pub(super) fn new(programs: Programs) -> Self {
        Self {
            programs,
            turns: Mutex::default(),
            tellings: Tellings::default(),
            kept: Kept::default(),
            read: Mutex::new(LruCache::new(REMEMBERED)),
        }
    }

    /// In which slot finality had passed an attempt's life, where it was examined.
    pub(super) fn past_at(&self, signature: &Signature) -> Option<u64> {
        self.kept.past_at(signature)
    }

    /// What the account says of an attempt. An error where one of those who deny it does not answer.
    pub(super) async fn examine(&self, pool: &Pool, case: &Case<'_>) -> Result<Testimony, ChainError> {
        let Case { attempt, witness, denial, .. } = *case;
        let turn = self.turn(witness.account);
        let _turn = turn.lock().await;
        let slots = case.deniers.iter().map(|(_, slot)| *slot);
        let final_at = self.kept.final_at(attempt, denial, slots.max().unwrap_or_default());
        let since = case.since();
        let stretch = Stretch { account: witness.account, since, until: final_at };
        let mut told = Vec::with_capacity(case.deniers.len());
        for (node, _) in &case.deniers {
            told.push(self.tellings.ask((pool, node), stretch, &self.programs).await?);
        }
        let (mut read, mut budget) = (self.kept.unreadable(attempt, denial), BUDGET);
        let testimony = loop {
            let facts = Facts {
                attempt: &attempt.signature,
                before: witness.before,
                delegated: witness.delegated,
                since,
                told: &told,
                final_at,
                read: &read,
                is_listed_enough: case.are_several,
            };
            let known = read.len();
            match facts.judge() {
                Judged::Says(testimony) => break testimony,
                Judged::Wants(unread) => self.read(pool, case, &unread, (&mut read, &mut budget)).await?,
            }
            if read.len() == known {
                break Testimony::Unfinished;
            }
        };
        let testimony = self.kept.examined((attempt, denial), testimony, &read);
        let (entries, left) = (read.len(), budget);
        tracing::info!(
            transaction = %attempt.signature,
            ?testimony,
            entries,
            left,
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

    /// Adds what each of these did to the account, where it can be read: as many as the budget allows.
    async fn read(
        &self,
        pool: &Pool,
        case: &Case<'_>,
        unread: &[Signature],
        (read, budget): (&mut Readings, &mut usize),
    ) -> Result<(), ChainError> {
        let account = case.witness.account;
        for signature in unread {
            let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(&(account, *signature)).cloned();
            let entry = if known.is_some() {
                known
            } else if *budget == 0 {
                return Ok(());
            } else {
                *budget -= 1;
                self.read_one(pool, case, signature).await?
            };
            read.insert(*signature, entry);
        }
        Ok(())
    }

    /// What one transaction did to the account, from whoever tells the most of it; none where nobody knows it.
    async fn read_one(&self, pool: &Pool, case: &Case<'_>, signature: &Signature) -> Result<Option<Entry>, ChainError> {
        let account = case.witness.account;
        let mut known = None;
        for (node, _) in &case.deniers {
            let (seen, logs) = match history::final_transaction(pool, node, signature).await {
                Ok(Some(told)) => told,
                // Another node may know it, or have recorded what this one has not.
                Ok(None) | Err(ChainError::Inconsistent(_)) => continue,
                Err(error) => return Err(error),
            };
            let entry = entries::read(&seen, logs.as_deref(), &account, &self.programs);
            if entry.steps.is_some() {
                let mut remembered = self.read.lock().unwrap_or_else(PoisonError::into_inner);
                remembered.put((account, *signature), entry.clone());
                return Ok(Some(entry));
            }
            // Another node may keep the log that this one does not have.
            known = Some(entry);
        }
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settlement::{Allowances, Cost, Moves, SeenHandle, SettlementId};

    #[test]
    fn a_window_begins_before_the_signing_however_new_the_handle_is_said_to_be() {
        let attempt = Attempt {
            settlement: SettlementId::from_random_bytes([1; 16]),
            number: 1,
            signature: Signature::from([1; 64]),
            wire: vec![1],
            last_valid_block_height: 250,
            signed_at_slot: 100,
            cost: Cost::default(),
            allowances: Allowances::NotBought,
            moves: Moves::Nothing,
            seen_by: Vec::new(),
            past_at: None,
        };
        for (slot, since) in [(90, 90), (100, 100), (5_000, 100)] {
            let before = SeenHandle { handle: 1, slot };
            let witness = Witness { account: Pubkey::default(), before, delegated: None };
            let case = Case {
                attempt: &attempt,
                witness: &witness,
                denial: Denial::Absent,
                deniers: Vec::new(),
                are_several: true,
            };
            assert_eq!(case.since(), since);
        }
    }
}
