//! The answer to a caller of `/settle`: waits for a hold's outcome, and tells what the ledger says.

use super::{Payments, landed_level::unseen, settle::Receipt};
use crate::{
    domain::{
        funding::Funding,
        hold::{Hold, HoldState, Standing},
        payment::SessionPayment,
        reason::PayReason,
        session::Session,
    },
    facilitator::{
        PayError, PayRefusal, SessionAfter,
        events::SessionEvent,
        locks::wait_quota::WaitPermit,
        settlement::waiters::{Asks, HoldOutcome, Ticket},
    },
    ledger::{Deadline, LedgerError},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// What a request and its answer take on their way.
const ON_THE_WAY: Duration = Duration::from_secs(1);
/// How long a success waits for the level that it is told with.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a caller is kept waiting who said so many seconds: a little less, because theirs began before the request was here,
/// and an answer that comes too late tells them nothing of what is under way.
fn patience(configured: Duration, own: Option<u64>) -> Duration {
    let Some(own) = own.map(Duration::from_secs) else { return configured };
    configured.min(own.saturating_sub(ON_THE_WAY).max(own / 2))
}

/// How long a caller waits, and the permit to.
pub(super) struct Wait {
    pub(super) permit: Option<WaitPermit<Pubkey>>,
    pub(super) deadline: Instant,
}

/// One caller's answer in the making.
pub(super) struct Answer<'a> {
    payments: &'a Arc<Payments>,
    pub(super) payment: &'a SessionPayment,
    pub(super) session: &'a Session,
    /// The end of this caller's time: the smaller of their own and the configured deadline.
    deadline: Instant,
}

impl<'a> Answer<'a> {
    pub(super) fn new(payments: &'a Arc<Payments>, payment: &'a SessionPayment, session: &'a Session) -> Self {
        let patience = patience(payments.core.settings.answer_deadline, payment.max_timeout_seconds);
        Self { payments, payment, session, deadline: Instant::now() + patience }
    }

    /// What has to be done before this caller is told a success: what the merchant demands, or the operator.
    pub(super) fn asks(&self) -> Asks {
        match self.payment.idempotent {
            _ if self.payments.core.demand_of(self.payment).required => Asks::Proof,
            Some(_) => Asks::Record,
            None => Asks::Nothing,
        }
    }

    /// The wait of a caller who has no permit so far.
    pub(super) fn no_wait(&self) -> Wait {
        Wait { permit: None, deadline: self.deadline }
    }

    /// The wait of a caller who is to wait, with the permit when there is one.
    pub(super) async fn wait_with_permit(&self) -> Wait {
        Wait { permit: self.permit().await, deadline: self.deadline }
    }

    async fn permit(&self) -> Option<WaitPermit<Pubkey>> {
        let Payments { core, locks, .. } = &**self.payments;
        locks.waits.acquire(*self.session.user(), core.credit(self.session)).await
    }

    /// The permit that this caller came with, or one of now.
    async fn permit_of(&self, brought: Option<WaitPermit<Pubkey>>) -> Option<WaitPermit<Pubkey>> {
        match brought {
            Some(permit) => Some(permit),
            None => self.permit().await,
        }
    }

    pub(super) fn refuse(&self, reason: PayReason) -> PayError {
        PayRefusal::new(reason).of(self.session.user()).into()
    }

    /// Waits for the outcome of a new hold. A promise that would have passed the limits of exposure waits after all; without
    /// a permit its time is over, and the ledger decides what its caller is told.
    pub(super) async fn wait(&self, hold: Hold, ticket: Ticket, wait: Wait) -> Result<Receipt, PayError> {
        let permit = self.permit_of(wait.permit).await;
        let deadline = if permit.is_some() { wait.deadline } else { Instant::now() };
        self.outcome(hold, ticket, deadline).await
    }

    /// Waits for the outcome of a hold until the deadline, and lets one ledger verb decide there.
    async fn outcome(&self, hold: Hold, mut ticket: Ticket, deadline: Instant) -> Result<Receipt, PayError> {
        let outcome = match tokio::time::timeout_at(deadline, &mut ticket.outcome).await {
            Ok(reported) => reported.ok(),
            Err(_) => self.leave(ticket).await,
        };
        match outcome {
            Some(outcome) => self.reported(hold, outcome).await,
            None => self.end_wait(&hold).await,
        }
    }

    /// Ends a wait. Counted callers are told as soon as the ledger has written it; the others may leave, with nothing.
    async fn leave(&self, mut ticket: Ticket) -> Option<HoldOutcome> {
        if self.payments.settlements.waiters.leave(&ticket) { None } else { (&mut ticket.outcome).await.ok() }
    }

    /// Answers with the outcome that this caller was told.
    async fn reported(&self, hold: Hold, outcome: HoldOutcome) -> Result<Receipt, PayError> {
        let core = &self.payments.core;
        match outcome {
            HoldOutcome::Captured { signature, reports_success: true } if hold.funding == Funding::Proven => {
                // The proof may have been lost while the transfer was on its way.
                let hold = match core.ledger.find_hold(hold.id).await {
                    Ok(Some(hold)) => self.landed(&hold).await.ok().flatten().unwrap_or_else(|| unseen(hold)),
                    _ => unseen(hold),
                };
                Ok(self.paid(&hold, signature).await)
            }
            HoldOutcome::Captured { signature, reports_success: true } => Ok(self.paid(&hold, signature).await),
            // Counted too late or beside another caller: the ledger knows whether the success was reported.
            HoldOutcome::Captured { reports_success: false, .. } => {
                let hold = core.ledger.find_hold(hold.id).await?.unwrap_or(hold);
                self.decided(&hold).await
            }
            HoldOutcome::Released { reason, signature } => Err(self.released(reason, signature)),
        }
    }

    /// Ends the wait at the deadline: an unplanned hold is released, a planned one pending, a decided one reported.
    async fn end_wait(&self, hold: &Hold) -> Result<Receipt, PayError> {
        let core = &self.payments.core;
        match core.ledger.end_wait(hold.id, PayReason::SettlementExpired).await? {
            Deadline::Released => {
                core.events.publish(hold.session, SessionEvent::Recorded);
                Err(self.released(PayReason::SettlementExpired, None))
            }
            Deadline::Pending(hold) => Err(self.pending(&hold)),
            Deadline::Decided(hold) => self.decided(&hold).await,
        }
    }

    /// Answers a payment that was accepted before: waits when its outcome is open, unless enough wait already, else tells
    /// what was recorded.
    pub(super) async fn repeat(&self, hold: Hold, wait: Wait) -> Result<Receipt, PayError> {
        let Payments { core, settlements, dispatch, deferred, .. } = &**self.payments;
        if hold.deferred {
            if hold.state == HoldState::Waiting {
                deferred.count_again(hold.session).await?;
            }
            return self.reported_before(&hold).await;
        }
        let permit = self.permit_of(wait.permit).await;
        let ticket = permit.is_some().then(|| settlements.waiters.join(hold.id, self.asks())).flatten();
        // Read again after registering: an outcome between the two would be missed otherwise. Where the ledger does not
        // say, the wait ends with what it says then.
        let hold = core.ledger.find_hold(hold.id).await.ok().flatten().unwrap_or(hold);
        match (&hold.state, ticket) {
            (HoldState::Waiting | HoldState::Planned { .. }, Some(ticket)) => {
                dispatch.notify_queue(self.session.id);
                self.outcome(hold, ticket, wait.deadline).await
            }
            // Nothing but the mark of a caller who waits recognises a payment without a nonce when it comes again.
            (HoldState::Waiting | HoldState::Planned { .. }, None) if hold.nonce.is_none() => {
                self.end_wait(&hold).await
            }
            (HoldState::Waiting | HoldState::Planned { .. }, None) => Err(self.pending(&hold)),
            // It was decided after this caller had registered: the success that was booked with it may be this caller's.
            (HoldState::Captured { .. } | HoldState::Released { .. }, Some(ticket)) => match self.leave(ticket).await {
                Some(outcome) => self.reported(hold, outcome).await,
                None => self.decided(&hold).await,
            },
            (HoldState::Captured { .. } | HoldState::Released { .. }, None) => self.decided(&hold).await,
        }
    }

    /// A captured payment with the level that may be told of it; none where that is not known in this caller's time, or soon
    /// where nothing but the level depends on it.
    async fn landed(&self, hold: &Hold) -> Result<Option<Hold>, LedgerError> {
        let until = match self.asks() {
            Asks::Proof => self.deadline,
            Asks::Nothing | Asks::Record => self.deadline.min(Instant::now() + PATIENCE),
        };
        self.payments.with_landed_level(hold, self.session.user(), until).await
    }

    /// Tells the recorded outcome: `success:true` once, and again where it was recorded with this request.
    async fn decided(&self, hold: &Hold) -> Result<Receipt, PayError> {
        match &hold.state {
            HoldState::Captured { signature, .. } => self.captured(hold, *signature).await,
            HoldState::Released { reason, signature } => Err(self.released(*reason, *signature)),
            HoldState::Waiting | HoldState::Planned { .. } => Err(self.pending(hold)),
        }
    }

    /// A payment that a transfer carried. Where a proof is demanded and the payer took from the balance before that, it is no
    /// success and stays captured: the doubt is the payer's. Until that is known nothing is claimed, so a caller who asks again,
    /// also after a crash, is told.
    async fn captured(&self, hold: &Hold, signature: Signature) -> Result<Receipt, PayError> {
        let ledger = &self.payments.core.ledger;
        let hold = match (self.landed(hold).await?, self.asks()) {
            (Some(landed), Asks::Proof) if landed.funding != Funding::Proven => {
                return Err(self.refuse_held(&landed, PayReason::FundingUnproven));
            }
            (None, Asks::Proof) => {
                // Marks it, so that one without a nonce is recognised when it comes again.
                ledger.end_wait(hold.id, PayReason::SettlementExpired).await?;
                return Err(self.pending(&unseen(hold.clone())));
            }
            (landed, _) => landed.unwrap_or_else(|| unseen(hold.clone())),
        };
        if ledger.claim_success(hold.id, self.payments.answer_of_now(self.payment)).await? {
            Ok(self.paid(&hold, signature).await)
        } else {
            self.reported_before(&hold).await
        }
    }

    /// Success was reported before: the request that it was recorded with gets that answer again for a while, the others how the
    /// payment stands by now.
    async fn reported_before(&self, hold: &Hold) -> Result<Receipt, PayError> {
        if self.payments.recorded_answer(self.payment, hold).await?.is_some() {
            return Ok(self.recorded(hold).await);
        }
        let reason = match hold.state {
            HoldState::Released { reason, .. } => reason,
            HoldState::Waiting | HoldState::Planned { .. } | HoldState::Captured { .. } => {
                PayReason::DuplicateSettlement
            }
        };
        Err(self.refuse_held(hold, reason))
    }

    fn pending(&self, hold: &Hold) -> PayError {
        self.refuse_held(hold, PayReason::SettlementPending)
    }

    /// A refusal that tells of the payment it is about.
    fn refuse_held(&self, hold: &Hold, reason: PayReason) -> PayError {
        PayRefusal {
            transaction: hold.transaction(),
            session: Some(SessionAfter::of(hold, hold.standing())),
            ..PayRefusal::new(reason).of(self.session.user())
        }
        .into()
    }

    /// The answer that was recorded with the success: what was deferred was held, whatever has become of it since.
    async fn recorded(&self, hold: &Hold) -> Receipt {
        match hold.transaction().filter(|_| !hold.deferred) {
            Some(transaction) => self.paid(hold, transaction).await,
            None => self.held(hold),
        }
    }

    /// The answer to a payment that is held and settled later.
    pub(super) fn held(&self, hold: &Hold) -> Receipt {
        self.receipt(hold, None)
    }

    /// The answer to a payment that this transaction carried, with its signed receipt where one is made.
    async fn paid(&self, hold: &Hold, transaction: Signature) -> Receipt {
        let signs = self.payments.core.keys.receipts.current.is_some();
        // Boxed: it is large, and few answers need it.
        let signing =
            signs.then(|| Box::pin(self.payments.signed_receipt(self.payment, self.session, hold.id, transaction)));
        let signed = match signing {
            Some(signing) => signing.await,
            None => None,
        };
        Receipt { signed, ..self.receipt(hold, Some(transaction)) }
    }

    fn released(&self, reason: PayReason, transaction: Option<Signature>) -> PayError {
        let retry_after = self.payments.sponsor.again_in(self.session, reason);
        PayRefusal { transaction, retry_after, ..PayRefusal::new(reason).of(self.session.user()) }.into()
    }

    fn receipt(&self, hold: &Hold, transaction: Option<Signature>) -> Receipt {
        let credit = if transaction.is_some() { Standing::Captured } else { Standing::Held };
        Receipt {
            transaction,
            payer: *self.session.user(),
            amount: hold.amount,
            network: self.payment.network.clone(),
            session: SessionAfter::of(hold, credit),
            signed: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_time_to_arrive() {
        let configured = Duration::from_secs(30);
        for (own, millis) in [(None, 30_000), (Some(1), 500), (Some(2), 1_000), (Some(20), 19_000), (Some(31), 30_000)]
        {
            assert_eq!(patience(configured, own).as_millis(), millis, "{own:?}");
        }
        assert_eq!(patience(configured, Some(u64::MAX)), configured);
    }
}
