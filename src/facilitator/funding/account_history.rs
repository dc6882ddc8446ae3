//! Examining an account's history since a proof: what in it can have taken something away.
//!
//! Promises: an examination that is told as complete has seen everything that the endpoint, at the slot of the look,
//! knows of the account since the proof; what cannot be read to its end is told as nothing. Every transaction is ours,
//! or harmless, or voids the proof; there is no fourth kind.

use crate::{
    chain::{
        ChainError,
        history::{Listed, MAX_PAGE, Page, SeenTransaction},
    },
    domain::funding::{Bound, Examined, Foreign, Lost},
    facilitator::funding::FundingMonitor,
    ledger::LedgerError,
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::collections::HashSet;

/// The first page is small: between two looks little happens.
const FIRST_PAGE: usize = 100;
/// The most pages of one examination; an account with more is not worth its requests.
const MOST_PAGES: usize = 5;
/// What is this many slots behind is final on every cluster; entries may be written late, but not that late.
const SETTLED_SLOTS: u64 = 32;

/// Why an examination came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExamineError {
    /// The chain did not answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The ledger did not answer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Its requests are used up, or an entry cannot be read yet: the next look goes on.
    #[error("the history was not read to its end")]
    Unfinished,
}

/// The requests that one examination may still make.
pub(crate) struct Budget(pub(crate) u32);

impl Budget {
    /// Takes one request.
    fn spend(&mut self) -> Result<(), ExamineError> {
        self.0 = self.0.checked_sub(1).ok_or(ExamineError::Unfinished)?;
        Ok(())
    }
}

/// The part of a history that is not examined yet.
struct Unread {
    /// Newest first.
    later: Vec<Listed>,
    /// The newest entry that is examined already.
    known: Option<Listed>,
    /// It goes on further back than is read.
    too_long: bool,
}

impl FundingMonitor {
    /// Examines what happened to `account` since `bound` was last examined, on a node that knows `slot`. `harmless` are
    /// entries that were found so before; it is left as those that will be listed again or, when the examination is cut
    /// off, with those that were found until then.
    pub(crate) async fn examine(
        &self,
        owner: &Pubkey,
        bound: &Bound,
        slot: u64,
        harmless: &mut HashSet<Signature>,
        budget: &mut Budget,
    ) -> Result<Examined, ExamineError> {
        let account = self.core.token_account(owner);
        let unread = self.unread_history(&account, bound, slot, budget).await?;
        let of = bound.slot;
        let lost = |lost, at| Examined { of, up_to: bound.examined, is_final: false, lost: Some((lost, at)) };
        if unread.too_long {
            return Ok(lost(Lost::Unreadable, slot));
        }
        let Some(is_final) = anchored(bound, unread.known.as_ref(), slot) else { return Ok(lost(Lost::Fork, slot)) };
        if let Some((why, at)) = self.first_void(owner, slot, &unread.later, harmless, budget).await? {
            return Ok(lost(why, at));
        }
        // Until the anchor is final every look lists again from the proof on, so that a fork is seen.
        let up_to = if is_final { slot.saturating_sub(SETTLED_SLOTS).max(bound.examined) } else { bound.examined };
        harmless.retain(|signature| unread.later.iter().any(|l| l.signature == *signature && l.slot > up_to));
        Ok(Examined { of, up_to, is_final, lost: None })
    }

    async fn unread_history(
        &self,
        account: &Pubkey,
        bound: &Bound,
        slot: u64,
        budget: &mut Budget,
    ) -> Result<Unread, ExamineError> {
        let mut unread = Unread { later: Vec::new(), known: None, too_long: false };
        for number in 0..MOST_PAGES {
            budget.spend()?;
            let limit = if number == 0 { FIRST_PAGE } else { MAX_PAGE };
            let before = unread.later.last().map(|listed| listed.signature);
            let page = self.core.chain.history(account, Page { before, limit, at_least: slot }).await?;
            let whole = page.len() < limit;
            for listed in page {
                if listed.slot <= bound.examined {
                    unread.known = Some(listed);
                    return Ok(unread);
                }
                unread.later.push(listed);
            }
            if whole {
                return Ok(unread);
            }
        }
        unread.too_long = true;
        Ok(unread)
    }

    /// The first of `later` (newest first) that voids the proof. What landed after `slot` counts when it can be read; a
    /// node may list it a moment before it can show it, and then it is the next look's.
    async fn first_void(
        &self,
        owner: &Pubkey,
        slot: u64,
        later: &[Listed],
        harmless: &mut HashSet<Signature>,
        budget: &mut Budget,
    ) -> Result<Option<(Lost, u64)>, ExamineError> {
        let unknown: Vec<&Listed> =
            later.iter().filter(|listed| !listed.failed && !harmless.contains(&listed.signature)).collect();
        let signatures: Vec<Signature> = unknown.iter().map(|listed| listed.signature).collect();
        let ours: HashSet<Signature> = self.core.ledger.known_signatures(&signatures).await?.into_iter().collect();
        let (account, mut all) = (self.core.token_account(owner), true);
        for listed in unknown.into_iter().filter(|listed| !ours.contains(&listed.signature)) {
            budget.spend()?;
            let Some(seen) = self.core.chain.transaction(&listed.signature).await? else {
                all &= listed.slot > slot;
                continue;
            };
            let foreign = foreign(&seen, &account, &self.core.settings.served.programs.token);
            if let Some(lost) = foreign.voids(owner, &self.core.keys.spender.pubkey()).filter(|_| !seen.failed) {
                tracing::info!(transaction = %listed.signature, reason = lost.word(), "a funding proof is void");
                return Ok(Some((lost, listed.slot)));
            }
            harmless.insert(listed.signature);
        }
        if all { Ok(None) } else { Err(ExamineError::Unfinished) }
    }
}

/// `Some(is final)` while the proof's anchor is in the history, `None` when a fork took it back. Only for a bound
/// of which nothing after the proof's own slot is examined; later the anchor is final.
fn anchored(bound: &Bound, known: Option<&Listed>, slot: u64) -> Option<bool> {
    if bound.is_final {
        return Some(true);
    }
    match (bound.anchor, known) {
        (Some(anchor), Some(listed)) if listed.signature == anchor => Some(listed.finalised),
        (Some(_), _) => None,
        // No history was told at the proof: it is as old as the slot.
        (None, _) => Some(slot.saturating_sub(bound.slot) >= SETTLED_SLOTS),
    }
}

/// What somebody else's transaction means for `account`.
fn foreign(seen: &SeenTransaction, account: &Pubkey, token_program: &Pubkey) -> Foreign {
    let acts = seen
        .instructions
        .iter()
        .any(|instruction| instruction.program == *token_program && instruction.accounts.first() == Some(account));
    Foreign { signers: seen.signers.clone(), acts_on_account: acts }
}
