//! Creating a recipient's missing token account, at our cost.

use crate::facilitator::settlement::driver::Until;
use crate::{
    chain::ChainAccount,
    domain::{
        budget::BudgetSubject,
        reason::SessionReason,
        session::Session,
        settlement::{Purpose, State},
    },
    facilitator::{SessionError, SessionRefusal, sessions::Sessions, sponsor::budget::too_costly},
    ledger::Work,
};
use std::sync::Arc;

impl Sessions {
    /// Makes sure that the recipient can be paid: creates a missing token account at our cost, journalled and budgeted
    /// like everything we send, and only after the approve was proved, so that nobody makes us create accounts for free.
    ///
    /// `seen` is the account as it was a moment ago: one that can be paid stays. Refuses with `recipient_not_ready`, and
    /// for now with `quota_exceeded` while a budget is used up.
    pub(crate) async fn ensure_recipient(
        self: &Arc<Self>,
        session: &Session,
        seen: Option<&ChainAccount>,
    ) -> Result<(), SessionError> {
        let recipient = session.intent.recipient;
        if self.core.usable(seen, &recipient, SessionReason::RecipientNotReady)?.is_some() {
            return Ok(());
        }
        let account = self.core.token_account(&recipient);
        // One creation per account at a time: whoever comes second finds it there.
        let _held = self.locks.accounts.one(&account).await;
        let known = self.core.account(&account).await?;
        if self.core.usable(known.as_ref(), &recipient, SessionReason::RecipientNotReady)?.is_some() {
            return Ok(());
        }
        if !self.core.settings.create_recipient {
            return Err(SessionRefusal::new(SessionReason::RecipientNotReady).into());
        }
        self.sponsor.check_opening_budget(session, self.sponsor.creation_cost().await?).await?;
        let id = self.core.next_settlement_id();
        // Ours to drive: a background round that finds it unfinished would leave us without its end.
        let _claim = self.settlements.queued.start(id);
        let now = self.core.clock.now();
        let settlement = self.core.ledger.plan_other(id, Purpose::CreateRecipient, Some(session.id), now).await?;
        let settlement = self.dispatch.carry(Work { settlement, attempt: None }, Until::Landed, None).await;
        match settlement.state {
            State::Landed | State::Settled => Ok(self.sponsor.check_rent_of(id).await?),
            // Somebody else drives it: the next round finds the account there.
            State::Reserved | State::InFlight => Err(SessionError::Unavailable {
                retry_after: 1,
                source: "the recipient's account is being created".into(),
            }),
            State::Released => Err(self.why_not_created(session).await?.into()),
        }
    }

    /// A creation came to nothing: for now, when a budget or an empty purse stopped it.
    async fn why_not_created(&self, session: &Session) -> Result<SessionRefusal, SessionError> {
        let cost = self.sponsor.creation_cost().await?;
        let over = self.core.ledger.over_budget(&BudgetSubject::of(session), cost, self.core.clock.now()).await?;
        Ok(match over {
            Some(over) => too_costly(&over),
            None if !self.sponsor.fee_payers.any_can_pay(cost.total()) => {
                SessionRefusal::new(SessionReason::InsufficientSponsorBalance)
            }
            None => SessionRefusal::new(SessionReason::RecipientNotReady),
        })
    }
}
