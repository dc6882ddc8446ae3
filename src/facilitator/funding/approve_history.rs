//! What an account's history says of what came after one of its approves.
//!
//! Promises: how far it was examined is on record, entry by entry from the approve on, so that no number of entries by strangers
//! has an examination begin again; what can still be taken back, or before which an entry may still be listed late, is read again.

use crate::{
    chain::{
        ChainError,
        history::{Listed, MAX_PAGE, Page, SeenTransaction},
    },
    domain::{
        approval::{Examination, SETTLED_SLOTS},
        session::Delegation,
    },
    facilitator::{
        funding::{FundingMonitor, approves::is_harmless},
        looks::account_history::ExamineError,
    },
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::collections::HashSet;

/// The most entries that one examination reads one by one.
const MOST_READ: usize = 64;
/// The most pages of one list. What is longer is as good as unreadable; a new approve begins a new list.
const MOST_PAGES: usize = 64;

/// What an account's history says of what came after one of its approves.
pub(crate) struct Changes {
    /// Whether that approve is listed.
    pub(crate) is_listed: bool,
    /// The newest transaction since that may have touched the account's delegation.
    pub(crate) newest: Option<(Signature, SeenTransaction)>,
    /// The slot of the newest one since that we signed, up to the state of the account that was asked about.
    own_slot: Option<u64>,
}

impl Changes {
    /// Whether a transfer of ours explains that the account shows another delegated amount than it did in the slot `since`.
    pub(crate) fn explain(&self, delegation: Delegation, since: Option<u64>) -> bool {
        delegation.is_lowered() && self.own_slot.is_some_and(|own| since.is_none_or(|since| own > since))
    }
}

/// A part of an account's list.
struct Listing {
    /// Newest first.
    later: Vec<Listed>,
    /// The entry after which it begins; none where the list has no such entry.
    start: Option<Listed>,
}

/// One examination under way.
struct Reading<'a> {
    /// The account.
    source: Pubkey,
    /// Those of its entries that name transfers of ours.
    ours: &'a HashSet<Signature>,
    /// The state of the account that is to be explained.
    up_to: u64,
    /// The list was told by a node that knew this slot.
    at_least: u64,
    /// How many entries may still be read.
    left: usize,
    newest: Option<(Signature, SeenTransaction)>,
    own_slot: Option<u64>,
}

impl FundingMonitor {
    /// What has happened to the delegation of a payer's account since this approve, as a node tells that knows the slot `up_to`,
    /// in which the account was read. Fails with `Unfinished` where there is more than is read at once: the next look goes on
    /// where this one ended.
    pub(crate) async fn changes_since(
        &self,
        user: &Pubkey,
        approve: &Signature,
        up_to: u64,
    ) -> Result<Changes, ExamineError> {
        let (source, asset) = (self.core.token_account(user), self.core.settings.served.asset);
        let at_least = self.core.newest_slot.newest().max(up_to);
        let known = self.core.ledger.examination(user, &asset, approve).await?;
        let Listing { later, start } = self.list_since(&source, approve, known.as_ref(), at_least).await?;
        let signatures: Vec<Signature> =
            later.iter().filter(|entry| !entry.failed).map(|entry| entry.signature).collect();
        let ours: HashSet<Signature> = self.core.ledger.known_transfers(&signatures).await?.into_iter().collect();
        let mut reading =
            Reading { source, ours: &ours, up_to, at_least, left: MOST_READ, newest: None, own_slot: None };
        let Some(start) = start else {
            self.read_back(&later, &mut reading).await?;
            return Ok(Changes { is_listed: false, newest: reading.newest, own_slot: reading.own_slot });
        };
        let mut examined = match known {
            Some(known) if known.entry == start.signature => known,
            _ => Examination::beginning(start.signature, start.slot),
        };
        let ended = self.read_on(&later, &mut reading, &mut examined).await;
        if known != Some(examined) {
            self.core.ledger.record_examination(user, &asset, approve, &examined).await?;
        }
        ended?;
        let newest = match (reading.newest, examined.change) {
            (Some(newest), _) => Some(newest),
            (None, Some(change)) => Some((change, self.transaction(&change).await?)),
            (None, None) => None,
        };
        let own_slot = examined.own_slot.filter(|own| *own <= up_to).max(reading.own_slot);
        Ok(Changes { is_listed: true, newest, own_slot })
    }

    /// The account's list back to where it was examined, or to the approve.
    async fn list_since(
        &self,
        source: &Pubkey,
        approve: &Signature,
        known: Option<&Examination>,
        at_least: u64,
    ) -> Result<Listing, ExamineError> {
        let mut later: Vec<Listed> = Vec::new();
        for _ in 0..MOST_PAGES {
            let before = later.last().map(|entry| entry.signature);
            let page = self.core.chain.history(source, Page { before, limit: MAX_PAGE, at_least }).await?;
            let is_last = page.len() < MAX_PAGE;
            for entry in page {
                let is_examined = known.is_some_and(|known| known.entry == entry.signature);
                if is_examined || (entry.signature == *approve && !entry.failed) {
                    return Ok(Listing { later, start: Some(entry) });
                }
                later.push(entry);
            }
            if is_last {
                return Ok(Listing { later, start: None });
            }
        }
        tracing::warn!("a payer's account has a longer history since its approve than is read");
        Err(ExamineError::Unfinished)
    }

    /// Reads from the oldest entry to the newest, and moves `examined` on as far as nothing can change any more.
    async fn read_on(
        &self,
        later: &[Listed],
        reading: &mut Reading<'_>,
        examined: &mut Examination,
    ) -> Result<(), ExamineError> {
        let mut is_settled = true;
        for entry in later.iter().rev() {
            let found = self.read_entry(entry, reading).await?;
            is_settled &= entry.finalised && entry.slot.saturating_add(SETTLED_SLOTS) <= reading.at_least;
            if is_settled {
                (examined.entry, examined.slot) = (entry.signature, entry.slot);
                examined.change = if found == Found::Change { Some(entry.signature) } else { examined.change };
                examined.own_slot =
                    if found == Found::Own { examined.own_slot.max(Some(entry.slot)) } else { examined.own_slot };
            }
        }
        examined.read_at = examined.read_at.max(Some(reading.at_least));
        Ok(())
    }

    /// Reads from the newest entry back to the first that may have touched the delegation.
    async fn read_back(&self, later: &[Listed], reading: &mut Reading<'_>) -> Result<(), ExamineError> {
        for entry in later {
            if self.read_entry(entry, reading).await? == Found::Change {
                break;
            }
        }
        Ok(())
    }

    async fn read_entry(&self, entry: &Listed, reading: &mut Reading<'_>) -> Result<Found, ExamineError> {
        if entry.failed {
            return Ok(Found::Nothing);
        }
        if !reading.ours.contains(&entry.signature) {
            reading.left = reading.left.checked_sub(1).ok_or(ExamineError::Unfinished)?;
            let seen = self.transaction(&entry.signature).await?;
            if !seen.failed && !is_harmless(&seen, &self.core.settings.served.programs, &reading.source) {
                reading.newest = Some((entry.signature, seen));
                return Ok(Found::Change);
            }
            // One that another ledger of ours sent moves as much as our own.
            if seen.failed || !seen.signers.contains(&self.core.keys.spender.pubkey()) {
                return Ok(Found::Nothing);
            }
        }
        if entry.slot <= reading.up_to {
            reading.own_slot = reading.own_slot.max(Some(entry.slot));
        }
        Ok(Found::Own)
    }

    /// A listed transaction. Listed a moment before it can be shown: the next look goes on.
    async fn transaction(&self, signature: &Signature) -> Result<SeenTransaction, ExamineError> {
        let seen: Result<_, ChainError> = self.core.chain.transaction(signature).await;
        seen?.ok_or(ExamineError::Unfinished)
    }
}

/// What one entry of a history is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Nothing that concerns the delegation.
    Nothing,
    /// We signed it as the delegate.
    Own,
    /// It may have touched the delegation.
    Change,
}
