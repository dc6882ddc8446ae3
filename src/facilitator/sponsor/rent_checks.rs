//! Rents that are booked as an upper bound, compared with what the chain says of the landed transaction.
//!
//! Promises: each is asked for once before any is asked for again, so that one which nobody can tell (its transaction is
//! older than what the endpoints keep) keeps no other waiting; and after [`PATIENCE`] answers that tell nothing it is left
//! as it is booked: too much, never too little. What is remembered is lost with the process and costs only requests.

use crate::{
    domain::settlement::{Attempt, SettlementId},
    facilitator::{locks::single_flight::SingleFlight, sponsor::Sponsor},
    ledger::{LedgerError, Recorded},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many rents one round compares with the chain.
const PER_ROUND: u64 = 32;
/// How often the chain may say that it does not know a landed transaction.
const PATIENCE: u32 = 20;

/// How far the comparing of booked rents with the chain has come.
#[derive(Default)]
pub(crate) struct RentChecks {
    /// Held by the task that compares, one at a time.
    turn: Arc<SingleFlight<()>>,
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    /// The one that was asked for last; none at the beginning of the line.
    last: Option<SettlementId>,
    /// How often the chain did not know it.
    times_unknown: HashMap<SettlementId, u32>,
}

/// What asking the chain for one booked rent came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// What was spent is booked.
    Booked,
    /// The chain does not know the transaction (yet, or any more).
    Unknown,
    /// The chain did not answer.
    Unanswered,
}

impl RentChecks {
    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what came of one. True when it is given up.
    fn compared(&self, id: SettlementId, how: Compared) -> bool {
        let mut asked = self.lock();
        asked.last = Some(id);
        match how {
            Compared::Booked => _ = asked.times_unknown.remove(&id),
            Compared::Unanswered => {}
            Compared::Unknown => {
                let times = asked.times_unknown.entry(id).or_default();
                *times += 1;
                if *times >= PATIENCE {
                    asked.times_unknown.remove(&id);
                    return true;
                }
            }
        }
        false
    }
}

impl Sponsor {
    /// Compares some more of the booked rents with what the chain says, in a task of its own: it asks as often as there
    /// are rents, and other work does not wait for that.
    pub(crate) fn check_rents(self: &Arc<Self>) {
        let Some(turn) = self.rents.turn.start_owned(()) else { return };
        let this = Arc::clone(self);
        self.core.tasks.spawn(async move {
            let _turn = turn;
            if let Err(error) = this.check_more_rents().await {
                tracing::warn!(%error, "booked rents cannot be looked at; the next round tries again");
            }
        });
    }

    async fn check_more_rents(&self) -> Result<(), LedgerError> {
        let after = self.rents.lock().last;
        let some = self.core.ledger.rents_to_check(after, PER_ROUND).await?;
        let is_end = (some.len() as u64) < PER_ROUND;
        for attempt in some {
            let how = self.check_rent(&attempt).await?;
            let Attempt { settlement, signature, cost, .. } = attempt.get();
            if self.rents.compared(*settlement, how) {
                tracing::warn!(%settlement, "nobody knows what a landed transaction cost; its upper bound stays booked");
                self.core.ledger.correct_rent(signature, cost.rent).await?;
            }
            if how == Compared::Unanswered {
                // The next round asks for the next one: it may be this one that nobody answers.
                return Ok(());
            }
        }
        if is_end {
            self.rents.lock().last = None;
        }
        Ok(())
    }

    /// Books the rent that a landed transaction really spent. Without an answer of the chain the upper bound stays, and
    /// a later round asks again.
    pub(crate) async fn check_rent(&self, attempt: &Recorded<Attempt>) -> Result<Compared, LedgerError> {
        let Attempt { signature, cost, .. } = attempt.get();
        if cost.rent == 0 {
            return Ok(Compared::Booked);
        }
        match self.core.chain.lamports_spent(attempt).await {
            Ok(Some(spent)) => {
                let rent = spent.saturating_sub(cost.fee).saturating_sub(cost.grant);
                self.core.ledger.correct_rent(signature, rent).await?;
                Ok(Compared::Booked)
            }
            Ok(None) => Ok(Compared::Unknown),
            Err(error) => {
                tracing::debug!(%error, "what a transaction spent is not known yet");
                Ok(Compared::Unanswered)
            }
        }
    }

    /// Books the rent that a settlement's landed transaction really spent.
    pub(crate) async fn check_rent_of(&self, id: SettlementId) -> Result<(), LedgerError> {
        if let Some(attempt) = self.core.ledger.load_work(id).await?.attempt {
            self.check_rent(&attempt).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_nobody_knows_is_given_up_and_one_that_nobody_answers_is_not() {
        let (rents, id) = (RentChecks::default(), SettlementId::from_random_bytes);
        for _ in 1..PATIENCE {
            assert!(!rents.compared(id([1; 16]), Compared::Unknown));
            assert!(!rents.compared(id([2; 16]), Compared::Unanswered));
        }
        assert!(!rents.compared(id([2; 16]), Compared::Unanswered));
        assert!(rents.compared(id([1; 16]), Compared::Unknown));
        assert!(!rents.compared(id([1; 16]), Compared::Unknown), "should a fork bring it back, it begins anew");
        assert!(!rents.compared(id([1; 16]), Compared::Booked));
        assert!(rents.lock().times_unknown.is_empty());
    }
}
