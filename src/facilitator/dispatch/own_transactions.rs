//! What is sent for ourselves, and for no payment: journalled, budgeted and driven like everything we send.

use crate::{
    domain::{
        budget::OverBudget,
        session::SessionId,
        settlement::{Attempt, Purpose, Settlement, State},
    },
    facilitator::{
        Facilitator,
        locks::account_locks::AccountsHeld,
        settlement::{driver::Until, sign::SignFailure},
    },
    ledger::{LedgerError, Signed, Work},
};
use std::sync::Arc;

/// What became of an errand.
pub(crate) struct Errand {
    /// As it stands now: landed or at its end, unless somebody else drives it.
    pub(crate) settlement: Settlement,
    /// The budget that kept it from being sent.
    pub(crate) over: Option<OverBudget>,
}

impl Errand {
    /// Whether it has had its effect.
    pub(crate) const fn is_done(&self) -> bool {
        matches!(self.settlement.state, State::Landed | State::Settled)
    }
}

impl Facilitator {
    /// Journals a signed transaction under a purpose of its own, and drives it until it has landed or come to nothing. The
    /// accounts it moves are `held` meanwhile.
    pub(crate) async fn run_errand(
        self: &Arc<Self>,
        attempt: Attempt,
        purpose: Purpose,
        session: Option<SessionId>,
        held: Option<AccountsHeld>,
    ) -> Result<Errand, LedgerError> {
        let buys = attempt.bears_allowances;
        // From before it exists: a background round that finds it unfinished would leave us without its end.
        let _claim = self.resuming.claim(attempt.settlement);
        let now = self.clock.now();
        let settlement = self.ledger.plan_other(attempt.settlement, purpose, session, now).await?;
        let (work, over) = match self.ledger.record_signed(&settlement, attempt, now).await? {
            Signed::Recorded { settlement, attempt } => (Work { settlement, attempt: Some(attempt) }, None),
            Signed::OverBudget(over) => {
                self.heed_over_budget(&settlement, buys, &over).await?;
                // Nothing was signed, so the driver gives it up.
                (Work { settlement, attempt: None }, Some(over))
            }
        };
        let settlement = self.drive_holding(work, Until::Landed, held).await;
        Ok(Errand { settlement, over })
    }

    /// The spender's own token account; created once, at our cost, when it is first needed.
    pub(crate) async fn ensure_own_account(self: &Arc<Self>) -> Result<(), SignFailure> {
        let spender = self.keys.spender.pubkey();
        let account = self.token_account(&spender);
        // One creation at a time: whoever comes second finds it there.
        let _held = self.gates.account(&account).await;
        // Never created anew when it is there: on a frozen one the instruction would reset it.
        if self.is_made(&account).await? {
            return Ok(());
        }
        let attempt = self.sign_account((self.next_settlement_id(), 1), &spender, &*self.keys.fee_payer).await?;
        let errand = self.run_errand(attempt, Purpose::Probe, None, None).await?;
        if errand.is_done() {
            self.check_rent_of(errand.settlement.id).await?;
            Ok(())
        } else {
            Err(SignFailure::Unavailable("the spender's token account is not there yet".to_owned()))
        }
    }
}
