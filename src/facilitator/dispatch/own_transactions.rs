//! Transactions that are sent on our own behalf and for no payment: journalled, budgeted and driven like everything we send.

use crate::{
    domain::{
        budget::OverBudget,
        settlement::{Attempt, Purpose, Settlement, State, Subject},
    },
    facilitator::{
        dispatch::Dispatch, error::SignFailure, locks::account_locks::LockedAccounts, settlement::driver::Until,
    },
    ledger::{LedgerError, Signed, Work},
};
use std::sync::Arc;

/// What became of a transaction of our own.
pub(crate) struct OwnTransaction {
    /// As it stands now: landed or at its end, unless another task drives it.
    pub(crate) settlement: Settlement,
    /// The budget that kept it from being sent.
    pub(crate) over: Option<OverBudget>,
}

impl OwnTransaction {
    /// Whether it has had its effect.
    pub(crate) const fn is_done(&self) -> bool {
        matches!(self.settlement.state, State::Landed | State::Settled)
    }
}

impl Dispatch {
    /// Journals a signed transaction under a purpose of its own, and drives it until it has landed or come to nothing. The
    /// accounts it moves are `locked` meanwhile.
    pub(crate) async fn send_own(
        self: &Arc<Self>,
        attempt: Attempt,
        purpose: Purpose,
        subject: Subject,
        locked: Option<LockedAccounts>,
    ) -> Result<OwnTransaction, LedgerError> {
        let buys = attempt.allowances;
        // From before it exists: a background round that finds it unfinished would leave us without its end.
        let _queued = self.settlements.queued.start(attempt.settlement);
        let now = self.core.clock.now();
        let settlement = self.core.ledger.plan_other(attempt.settlement, purpose, subject, now).await?;
        let (work, over) = match self.core.ledger.record_signed(&settlement, attempt, now).await? {
            Signed::Recorded { settlement, attempt } => (Work { settlement, attempt: Some(attempt) }, None),
            Signed::OverBudget(over) => {
                self.sponsor.note_over_budget(&settlement, buys, &over).await?;
                // Nothing was signed, so the driver gives it up.
                (Work { settlement, attempt: None }, Some(over))
            }
        };
        let settlement = self.carry(work, Until::Landed, locked).await;
        Ok(OwnTransaction { settlement, over })
    }

    /// Makes sure that the spender's own token account exists; created once, at our cost, when it is first needed.
    pub(crate) async fn ensure_own_account(self: &Arc<Self>) -> Result<(), SignFailure> {
        let core = &self.core;
        let spender = core.keys.spender.pubkey();
        let account = core.token_account(&spender);
        // One creation at a time: whoever comes second finds it there.
        let _locked = self.locks.accounts.one(&account).await;
        // Never created anew when it is there: on a frozen one the instruction would reset it.
        if core.is_made(&account).await? {
            return Ok(());
        }
        let id = (core.next_settlement_id(), 1);
        let attempt = self.settlements.sign_account(id, &spender, &*core.keys.fee_payer).await?;
        let own = self.send_own(attempt, Purpose::Probe, Subject::Own, None).await?;
        if own.is_done() {
            self.sponsor.check_rent_of(own.settlement.id).await?;
            Ok(())
        } else {
            Err(SignFailure::Unavailable("the spender's token account is not there yet".to_owned()))
        }
    }
}
