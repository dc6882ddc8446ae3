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
    domain::{
        approval::SETTLED_SLOTS,
        funding::{Bound, Examined, Foreign, Lost},
    },
    facilitator::looks::Looks,
    ledger::LedgerError,
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::collections::HashSet;

/// The first page is small: between two looks little happens.
const FIRST_PAGE: usize = 100;
/// The most pages of one examination; an account with more is not worth its requests.
const MOST_PAGES: usize = 5;

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

/// The state of an account up to which its history is to be examined.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UpTo {
    /// Its slot: only a node that knows it is asked.
    pub(crate) slot: u64,
    /// The balance's handle in it, where it was read.
    pub(crate) handle: Option<u128>,
    /// A transfer of ours that landed up to then: nodes write the list later than the account, and one that lacks this
    /// transfer is not whole.
    pub(crate) landed: Option<Signature>,
}

impl UpTo {
    /// A state of an account that was read.
    pub(crate) const fn read(slot: u64, handle: u128) -> Self {
        Self { slot, handle: Some(handle), landed: None }
    }

    /// An examination that finds nothing changed since `bound` was last examined. What lands is judged by the history alone: a
    /// node that tells an old account under a new slot would else vouch for transfers that met another balance. (Told truly, a
    /// handle that has not changed is older than every landing that is not judged yet, so this costs nothing.)
    pub(crate) fn unchanged(&self, bound: &Bound) -> Examined {
        Examined {
            of: bound.slot,
            up_to: bound.examined,
            is_final: bound.is_final,
            lost: None,
            clean: bound.judged_up_to(),
            handle: self.handle,
            ridden: bound.ridden,
        }
    }

    /// Whether a list of what happened since the proof was examined does not reach so far: our own transfer is missing, or the
    /// balance has changed and nothing is there that changed it.
    fn is_beyond(&self, later: &[Listed], bound: &Bound) -> bool {
        let landed = || later.iter().filter(|listed| !listed.failed);
        let has_changed = self.handle.zip(bound.seen.handle).is_some_and(|(now, then)| now != then);
        self.landed.is_some_and(|ours| landed().all(|listed| listed.signature != ours))
            || (has_changed && landed().next().is_none())
    }
}

/// What the first look at the entries of a history found, oldest first.
struct Judged {
    /// What voids the proof, and its slot.
    void: Option<(Lost, u64)>,
    /// Everything up to this slot is harmless or ours.
    clean: u64,
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

impl Looks {
    /// Examines what happened to the account of `owner` since `bound` was last examined, on a node that knows the slot of
    /// `target`. `harmless` are entries that were found so before; it is left as those that will be listed again or, when the
    /// examination is cut off, with those that were found until then.
    pub(crate) async fn examine(
        &self,
        owner: &Pubkey,
        bound: &Bound,
        target: &UpTo,
        harmless: &mut HashSet<Signature>,
        budget: &mut Budget,
    ) -> Result<Examined, ExamineError> {
        let (account, slot) = (self.core.token_account(owner), target.slot);
        let unread = self.unread_history(&account, bound, slot, budget).await?;
        let nothing = target.unchanged(bound);
        let lost = |lost, at, clean| Examined { is_final: false, lost: Some((lost, at)), clean, ..nothing };
        if unread.too_long {
            return Ok(lost(Lost::Unreadable, slot, bound.judged_up_to()));
        }
        let Some(is_final) = anchored(bound, unread.known.as_ref(), slot) else {
            return Ok(lost(Lost::Fork, slot, bound.judged_up_to()));
        };
        let judged = self.judge_entries(owner, slot, &unread.later, harmless, budget).await?;
        if let Some((why, at)) = judged.void {
            return Ok(lost(why, at, judged.clean));
        }
        if judged.clean < slot || target.is_beyond(&unread.later, bound) {
            return Err(ExamineError::Unfinished);
        }
        // Until the anchor is final every look lists again from the proof on, so that a fork is seen.
        let up_to = if is_final { slot.saturating_sub(SETTLED_SLOTS).max(bound.examined) } else { bound.examined };
        harmless.retain(|signature| unread.later.iter().any(|l| l.signature == *signature && l.slot > up_to));
        Ok(Examined { up_to, is_final, clean: slot, ..nothing })
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

    /// The oldest of `later` (newest first) that voids the proof: what landed before it met the whole balance. What landed
    /// after `slot` counts when it can be read; a node may list it a moment before it can show it, and then it is the next
    /// look's.
    async fn judge_entries(
        &self,
        owner: &Pubkey,
        slot: u64,
        later: &[Listed],
        harmless: &mut HashSet<Signature>,
        budget: &mut Budget,
    ) -> Result<Judged, ExamineError> {
        let unknown: Vec<&Listed> =
            later.iter().rev().filter(|listed| !listed.failed && !harmless.contains(&listed.signature)).collect();
        let signatures: Vec<Signature> = unknown.iter().map(|listed| listed.signature).collect();
        let ours: HashSet<Signature> = self.core.ledger.known_signatures(&signatures).await?.into_iter().collect();
        let (account, mut clean) = (self.core.token_account(owner), slot);
        for listed in unknown.into_iter().filter(|listed| !ours.contains(&listed.signature)) {
            budget.spend()?;
            let before = listed.slot.saturating_sub(1);
            let Some(seen) = self.core.chain.transaction(&listed.signature).await? else {
                clean = clean.min(before);
                continue;
            };
            let foreign = foreign(&seen, &account, &self.core.settings.served.programs.token);
            if let Some(lost) = foreign.voids(owner, &self.core.keys.spender.pubkey()).filter(|_| !seen.failed) {
                tracing::info!(transaction = %listed.signature, reason = lost.word(), "a funding proof is void");
                return Ok(Judged { void: Some((lost, listed.slot)), clean: clean.min(before) });
            }
            harmless.insert(listed.signature);
        }
        Ok(Judged { void: None, clean })
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
