//! Creating a recipient's missing token account, at our cost.

use crate::facilitator::settlement::driver::Until;
use crate::{
    chain::ChainAccount,
    domain::{
        budget::BudgetSubject,
        reason::SessionReason,
        session::Session,
        settlement::{Purpose, State, Subject},
    },
    facilitator::{SessionError, SessionRefusal, sessions::Sessions, sponsor::budget::over_budget_refusal},
    ledger::{LedgerError, Work},
};
use std::sync::Arc;

impl Sessions {
    /// Makes sure that the recipient can be paid: creates a missing token account at our cost, journalled and budgeted
    /// like everything we send, and only after the approve was proved.
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
        if let Some(refusal) = self.forbids_creation(session).await? {
            return Err(refusal.into());
        }
        self.sponsor.check_opening_budget(session, self.sponsor.creation_cost().await?).await?;
        let id = self.core.next_settlement_id();
        // Ours to drive: a background round that finds it unfinished would leave us without its end.
        let _queued = self.settlements.queued.start(id);
        let now = self.core.clock.now();
        let planned =
            self.core.ledger.plan_other(id, Purpose::CreateRecipient, Subject::Session(session.id), now).await;
        if let Err(LedgerError::LostRace) = planned {
            return Err(being_created());
        }
        let settlement = planned?;
        let settlement = self.dispatch.carry(Work { settlement, attempt: None }, Until::Landed, None).await;
        match settlement.state {
            State::Landed | State::Settled => Ok(self.sponsor.check_rent_of(id).await?),
            // Another task drives it: the next round finds the account there.
            State::Reserved | State::InFlight => Err(being_created()),
            State::Released => Err(self.why_not_created(session).await?.into()),
        }
    }

    /// Why a missing account of a session's recipient is not created at our cost, if it is not. Its owner can close it and
    /// keep the rent, so it is created once, and only for an opening that brings an approve of its own: one that names an
    /// approve on chain costs its caller nothing.
    pub(crate) async fn forbids_creation(&self, session: &Session) -> Result<Option<SessionRefusal>, LedgerError> {
        let because = |detail: &str| Ok(Some(SessionRefusal::because(SessionReason::RecipientNotReady, detail)));
        if !self.core.settings.openings.create_recipient {
            return Ok(Some(SessionRefusal::new(SessionReason::RecipientNotReady)));
        }
        if session.opens_on_landed_approve() {
            return because("it is created at our cost only for an opening that sends its approve");
        }
        let intent = &session.intent;
        match self.core.ledger.created_recipient(&intent.recipient, &intent.asset).await? {
            // Until it is final a node may not show it yet, or a fork may have taken it back.
            Some(creation) if creation.state == State::Settled => {
                because("it was created at our cost once, and closed")
            }
            Some(_) | None => Ok(None),
        }
    }

    /// A creation came to nothing: for now, when a budget or a key without SOL stopped it.
    async fn why_not_created(&self, session: &Session) -> Result<SessionRefusal, SessionError> {
        let cost = self.sponsor.creation_cost().await?;
        let over = self.core.ledger.over_budget(&BudgetSubject::of(session), cost, self.core.clock.now()).await?;
        Ok(match over {
            Some(over) => over_budget_refusal(&over),
            None if !self.sponsor.fee_payers.any_can_pay(cost.total()) => {
                SessionRefusal::new(SessionReason::InsufficientSponsorBalance)
            }
            None => SessionRefusal::new(SessionReason::RecipientNotReady),
        })
    }
}

fn being_created() -> SessionError {
    SessionError::Unavailable { retry_after: 1, source: "the recipient's account is being created".into() }
}
