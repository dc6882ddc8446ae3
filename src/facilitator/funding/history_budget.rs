//! Which account's history is read with which of the round's requests (ADR 0022).
//!
//! Promises: the accounts share what a round may ask fairly, so that one whose history strangers have filled takes
//! nothing from the others; what was read of it is not read again; a history that is not read to its end in
//! [`MOST_ROUNDS`] rounds costs its proof, and no more requests.

use crate::{
    domain::{
        clock::UnixSeconds,
        funding::{Bound, Examined, Funding, Look, Lost},
    },
    facilitator::{
        events::SessionEvent,
        funding::FundingMonitor,
        looks::{
            REQUESTS_OF_A_LOOK,
            account_history::{Budget, ExamineError, UpTo},
            monitor_state::Known,
        },
    },
    ledger::LedgerError,
};
use solana_pubkey::Pubkey;
use std::sync::Arc;

/// The least that an account gets when it gets anything: the longest list of a history and a few of its entries, so that
/// every share is progress.
const LEAST_SHARE: u32 = 8;
/// In so many rounds a history has to be read to its end.
const MOST_ROUNDS: u32 = 8;

/// An account that was seen, and whose history since its proof is to be read.
pub(crate) struct Unexamined {
    pub(crate) user: Pubkey,
    pub(crate) bound: Bound,
    /// The balance's handle, as it was seen.
    pub(crate) handle: u128,
    /// The slot of that state.
    pub(crate) slot: u64,
    /// When it was asked for.
    pub(crate) asked_at: UnixSeconds,
}

impl Unexamined {
    const fn seen(&self) -> UpTo {
        UpTo::read(self.slot, self.handle)
    }
}

/// What became of one examination.
enum Outcome {
    Examined(Examined),
    /// Its requests are used up, or an entry cannot be read.
    Unfinished,
    /// The chain did not answer: it says nothing about the account.
    Unavailable,
}

impl FundingMonitor {
    /// Reads the histories of these accounts, those first that were never in vain and were looked at longest ago.
    pub(crate) async fn examine_all(self: &Arc<Self>, mut unexamined: Vec<Unexamined>) -> Result<(), LedgerError> {
        unexamined.sort_by_cached_key(|one| self.looks.state.unfinished_rounds_of(&one.user, one.bound.slot));
        let mut left = self.core.settings.funding.requests_per_round;
        let count = unexamined.len();
        for (number, one) in unexamined.iter().enumerate() {
            let share = share(left, count - number);
            if share == 0 {
                tracing::info!(accounts = count - number, "the histories of some accounts are read in the next round");
                break;
            }
            let mut budget = Budget(share);
            let outcome = self.examine_one(one, &mut budget).await?;
            left -= share - budget.0;
            match outcome {
                Outcome::Examined(examined) => {
                    self.looks.state.reset_unfinished(&one.user);
                    self.tell_examined(one, examined).await?;
                }
                Outcome::Unfinished if self.looks.state.count_unfinished(&one.user, one.bound.slot) >= MOST_ROUNDS => {
                    tracing::warn!(reason = Lost::Unreadable.word(), "a funding proof is void");
                    let lost = Some((Lost::Unreadable, one.slot));
                    let (nothing, clean) = (one.seen().unchanged(&one.bound), one.bound.judged_up_to());
                    self.tell_examined(one, Examined { is_final: false, lost, clean, ..nothing }).await?;
                }
                Outcome::Unfinished | Outcome::Unavailable => {}
            }
        }
        Ok(())
    }

    /// Reads one account's history for a payment. True when that came to its end.
    pub(crate) async fn examine_for_payment(self: &Arc<Self>, one: &Unexamined) -> Result<bool, LedgerError> {
        match self.examine_one(one, &mut Budget(REQUESTS_OF_A_LOOK)).await? {
            Outcome::Examined(examined) => {
                self.tell_examined(one, examined).await?;
                Ok(true)
            }
            Outcome::Unfinished | Outcome::Unavailable => Ok(false),
        }
    }

    async fn examine_one(&self, one: &Unexamined, budget: &mut Budget) -> Result<Outcome, LedgerError> {
        let mut known = self.looks.state.known(&one.user);
        let examined = self.looks.examine(&one.user, &one.bound, &one.seen(), &mut known.harmless, budget).await;
        let outcome = match examined {
            Ok(examined) => {
                let still = known.handle == one.handle;
                known = Known { handle: one.handle, still, ..known };
                Outcome::Examined(examined)
            }
            Err(ExamineError::Unfinished) => Outcome::Unfinished,
            // One account that cannot be examined is no reason to leave the others alone.
            Err(ExamineError::Chain(error)) => {
                tracing::info!(error = error.with_cause(), "an account's history cannot be read now");
                Outcome::Unavailable
            }
            Err(ExamineError::Ledger(error)) => return Err(error),
        };
        self.looks.state.remember(&one.user, known);
        Ok(outcome)
    }

    /// Records what was found, as of the moment at which the account's state was asked for, and acts on it at once.
    async fn tell_examined(self: &Arc<Self>, one: &Unexamined, examined: Examined) -> Result<(), LedgerError> {
        let look =
            Look { user: one.user, asset: self.core.settings.served.asset, frozen: None, examined: Some(examined) };
        self.core.ledger.record_looks(&[look], one.asked_at).await?;
        if examined.lost.is_some() {
            self.tell_and_settle(&one.user, SessionEvent::Funding(Funding::Unproven)).await?;
        }
        Ok(())
    }
}

/// How many of the `left` requests the next of `accounts` accounts may use: an equal part, at least
/// [`LEAST_SHARE`], never more than `left`. What one does not use is left to the others.
fn share(left: u32, accounts: usize) -> u32 {
    let fair = left / u32::try_from(accounts).unwrap_or(u32::MAX).max(1);
    fair.max(LEAST_SHARE).min(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_gets_its_fair_part_and_what_others_leave() {
        assert_eq!(share(300, 1), 300, "alone it gets everything");
        assert_eq!(share(300, 3), 100);
        assert_eq!(share(299, 2), 149);
        assert_eq!(share(300, 1_000), LEAST_SHARE, "never too little to get on");
        assert_eq!((share(5, 1_000), share(0, 3)), (5, 0), "never more than there is");
    }
}
