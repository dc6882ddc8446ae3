//! Creating a recipient's missing token account at our cost: for whom, how often, and when.
//!
//! Its owner can close it and keep the rent, and a fresh key costs a thief nothing. So it is created only with a transfer
//! that is about to pay it from a proved balance, once for a recipient, one a payer and day, and so many a day for all;
//! those that the operator lists get it as soon as a session with them opens (ADR 0034).

use super::Dispatch;
use crate::{
    domain::{
        budget::{BudgetSubject, Scope, Window},
        clock::{DAY, UnixSeconds},
        funding::{Funding, FundingPolicy},
        reason::{PayReason, SessionReason},
        session::Session,
        settlement::{Purpose, Settlement, SettlementId, State, Subject},
    },
    facilitator::{
        PayRefusal, SessionError, SessionRefusal, recipients::RecipientAccount, settlement::driver::Until,
        sponsor::budget::again_in,
    },
    ledger::{LedgerError, Work},
};
use std::sync::Arc;

/// The time over which creations are counted.
const COUNTED: Window = Window::of_events(DAY);

const OFF: &str = "this facilitator creates no accounts; the recipient has to create its own";
const CLOSED: &str = "it was created at our cost once and closed; the recipient has to create its own";
const NO_PROOFS: &str =
    "no balances are proved here; the recipient has to create its own, or be listed by the operator";
const NONE_TODAY: &str =
    "so many accounts were created in 24 hours; the recipient can create its own, or be listed by the operator";
const ONE_A_DAY: &str = "one was created for this payer in the last 24 hours; the recipient can create its own, or be listed by the operator";
const NO_BUDGET: &str = "a budget for accounts is used up for now; the recipient can create its own";

/// Why no account is created for a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotCreated {
    /// Waiting does not help.
    Ever(&'static str),
    /// For now.
    Yet {
        /// What, with the remedy.
        detail: &'static str,
        /// Whose limit.
        scope: Scope,
        /// Seconds after which it may be worth coming back.
        again_in: u64,
    },
}

impl NotCreated {
    /// What an opening is told.
    pub(crate) fn refuses_session(self) -> SessionRefusal {
        match self {
            Self::Ever(detail) => SessionRefusal::because(SessionReason::RecipientNotReady, detail),
            Self::Yet { detail, again_in, .. } => {
                SessionRefusal::because(SessionReason::QuotaExceeded, detail).again_in(Some(again_in))
            }
        }
    }

    /// What a payment is told.
    pub(crate) fn refuses_payment(self) -> PayRefusal {
        let (reason, detail, again_in) = match self {
            Self::Ever(detail) => (PayReason::RecipientNotReady, detail, None),
            Self::Yet { detail, scope, again_in } => (scope.reason(), detail, Some(again_in)),
        };
        PayRefusal { detail: detail.to_owned(), ..PayRefusal::new(reason) }.again_in(again_in)
    }
}

impl Dispatch {
    /// Why the missing account of a session's recipient is not created at our cost, if it is not.
    pub(crate) async fn forbids_creation(&self, session: &Session) -> Result<Option<NotCreated>, SessionError> {
        let (settings, intent) = (&self.core.settings.recipients, &session.intent);
        if !settings.create {
            return Ok(Some(NotCreated::Ever(OFF)));
        }
        match self.core.ledger.created_recipient(&intent.recipient, &intent.asset).await? {
            Some(creation) if creation.state == State::Settled => return Ok(Some(NotCreated::Ever(CLOSED))),
            // Until it is final a node may not show it yet, or a fork may have taken it back.
            Some(_) => return Ok(None),
            None => {}
        }
        if !settings.is_listed(&intent.recipient)
            && let Some(refusal) = self.forbids_one_more(session, self.core.clock.now()).await?
        {
            return Ok(Some(refusal));
        }
        let cost = self.sponsor.creation_cost().await?;
        let over = self.core.ledger.over_budget(&BudgetSubject::of(session), cost, self.core.clock.now()).await?;
        Ok(over.map(|over| NotCreated::Yet { detail: NO_BUDGET, scope: over.scope, again_in: again_in(&over) }))
    }

    /// Why strangers have had what they may have of us in a day. Listed recipients count for nobody.
    async fn forbids_one_more(&self, session: &Session, now: UnixSeconds) -> Result<Option<NotCreated>, LedgerError> {
        let settings = &self.core.settings.recipients;
        if self.core.settings.funding.policy == FundingPolicy::Off {
            return Ok(Some(NotCreated::Ever(NO_PROOFS)));
        }
        let mut created = self.core.ledger.recipients_created_since(COUNTED.oldest(now)).await?;
        created.retain(|created| !settings.is_listed(&created.recipient));
        let own = created.iter().find(|created| created.payer == *session.user());
        let (detail, scope, first) = match own {
            Some(own) => (ONE_A_DAY, Scope::UserDay, Some(own.at)),
            None if created.len() as u64 >= settings.creations_per_day => {
                (NONE_TODAY, Scope::Day, created.first().map(|first| first.at))
            }
            None => return Ok(None),
        };
        Ok(Some(NotCreated::Yet { detail, scope, again_in: first.map_or(DAY, |at| COUNTED.leaves_in(at, now)) }))
    }

    /// Creates the missing account that a planned transfer is to pay, where everything that it carries is proved and large
    /// enough or the recipient is listed. Whatever comes of it, signing looks whether the account is there.
    pub(crate) async fn prepare_recipient(self: &Arc<Self>, settlement: &Settlement) {
        let is_new = settlement.state == State::Reserved && settlement.attempts == 0;
        if !settlement.purpose.carries_holds() || !is_new {
            return;
        }
        if let Err(error) = self.create_for(settlement).await {
            tracing::info!(settlement = %settlement.id, ?error, "a recipient has no token account, and none is created");
        }
    }

    async fn create_for(self: &Arc<Self>, settlement: &Settlement) -> Result<(), SessionError> {
        let Some(id) = settlement.session() else { return Ok(()) };
        let session = self.core.existing(id).await?;
        let recipient = &session.intent.recipient;
        if self.core.recipient_account(recipient).await? != RecipientAccount::Missing {
            return Ok(());
        }
        let settings = &self.core.settings.recipients;
        let holds = self.core.ledger.holds_of(settlement.id).await?;
        let is_proven = holds.iter().all(|hold| hold.funding == Funding::Proven);
        let is_worth_it = is_proven && settlement.amount >= settings.least;
        if settings.is_listed(recipient) || is_worth_it { self.create_recipient(&session).await } else { Ok(()) }
    }

    /// Creates the account of a session's recipient where it is missing and we may, journalled and budgeted like everything
    /// we send. Refuses with `recipient_not_ready`, and for now with `quota_exceeded` and `insufficient_sponsor_balance`.
    pub(crate) async fn create_recipient(self: &Arc<Self>, session: &Session) -> Result<(), SessionError> {
        let recipient = session.intent.recipient;
        // One creation of an account at a time: whoever comes second finds it there.
        let turn = self.creating.lock_of(&recipient, tokio::sync::Mutex::default);
        let _turn = turn.lock().await;
        match self.core.look_at_recipient(&recipient).await? {
            RecipientAccount::There => return Ok(()),
            RecipientAccount::NotAWallet(why) => {
                let detail = format!("the recipient {why}");
                return Err(SessionRefusal::because(SessionReason::InvalidRecipient, detail).into());
            }
            RecipientAccount::Missing => {}
        }
        let id = self.core.next_settlement_id();
        // Ours to drive: a background round that finds it unfinished would leave us without its end.
        let _queued = self.settlements.queued.start(id);
        let settlement = self.plan_creation(session, id).await?;
        let settlement = self.carry(Work { settlement, attempt: None }, Until::Landed, None).await;
        match settlement.state {
            State::Landed | State::Settled => {
                self.core.recipients.saw(&recipient, RecipientAccount::There);
                Ok(self.sponsor.check_rent_of(id).await?)
            }
            // Another task drives it: the next round finds the account there.
            State::Reserved | State::InFlight => Err(being_created()),
            State::Released => Err(self.why_not_created(session).await?.into()),
        }
    }

    /// Plans a creation where one more is allowed: creations that come together would all pass a count that none of them
    /// has changed yet.
    async fn plan_creation(&self, session: &Session, id: SettlementId) -> Result<Settlement, SessionError> {
        let _counting = self.creations.lock().await;
        if let Some(refusal) = self.forbids_creation(session).await? {
            return Err(refusal.refuses_session().into());
        }
        let (subject, now) = (Subject::Session(session.id), self.core.clock.now());
        match self.core.ledger.plan_other(id, Purpose::CreateRecipient, subject, now).await {
            Err(LedgerError::LostRace) => Err(being_created()),
            planned => Ok(planned?),
        }
    }

    /// A creation came to nothing: for now, when a budget or a key without SOL stopped it.
    async fn why_not_created(&self, session: &Session) -> Result<SessionRefusal, SessionError> {
        if let Some(refusal) = self.forbids_creation(session).await? {
            return Ok(refusal.refuses_session());
        }
        let cost = self.sponsor.creation_cost().await?;
        let can_pay = self.sponsor.fee_payers.any_can_pay(cost.total());
        let reason = if can_pay { SessionReason::RecipientNotReady } else { SessionReason::InsufficientSponsorBalance };
        Ok(SessionRefusal::new(reason))
    }
}

fn being_created() -> SessionError {
    SessionError::Unavailable { retry_after: 1, source: "the recipient's account is being created".into() }
}
