//! `POST /settle`: hold first, then carry, then answer; or hold, answer, and carry later.
//!
//! The hold is durable before anything is sent, and it decides everything after: a repeat meets its own hold, a crash
//! is found again by it, and an answer is only ever read from it.

use crate::{
    domain::{
        amount::Amount,
        funding::Funding,
        hold::{Hold, HoldState, NewHold, Standing},
        payment::{self, Payment},
        reason::PayReason,
        session::Session,
    },
    facilitator::{
        Facilitator, PayError, PayRefusal, SessionAfter,
        events::SessionEvent,
        locks::wait_quota::Seat,
        settlement::waiters::{Outcome, Ticket},
    },
    ledger::{Deadline, Held},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{sync::Arc, time::Duration};

/// A settled payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The transaction that carried it; none for a payment that is held and settled later.
    pub transaction: Option<Signature>,
    /// The session's user.
    pub payer: Pubkey,
    /// In base units.
    pub amount: Amount,
    /// The network as the caller spelled it.
    pub network: String,
    /// The session right after this payment.
    pub session: SessionAfter,
}

impl Facilitator {
    /// Settles a payment: answered when a transfer that covers it has landed or, when the caller asked for it and the
    /// limits of exposure allow it, as soon as it is durably held.
    ///
    /// Runs every check of [`Facilitator::verify`] by itself. Refuses with the reasons of `spec/session.md` §3; a
    /// refusal before the hold leaves no trace.
    pub async fn settle(self: &Arc<Self>, payment: &Payment) -> Result<Receipt, PayError> {
        let session = self.payable_session(payment).await?;
        let answer = Answer { facilitator: self, payment, session: &session };
        if let Err(reason) =
            payment::check_terms(payment, &session, &self.settings.network, &self.settings.payments, self.clock.now())
        {
            // An authorisation that has expired since still names a payment that was made with it.
            if reason == PayReason::PaymentExpired
                && let Some(hold) = self.find_repeat(payment, &session).await?
            {
                let deadline = tokio::time::Instant::now() + answer.deadline();
                return answer.repeat(hold, None, deadline).await;
            }
            return Err(answer.refuse(reason));
        }
        let deadline = tokio::time::Instant::now() + answer.deadline();
        // A deferred payment is a promise for later. One that is to wait learns before its hold that it cannot.
        let seat = if payment.deferred { None } else { self.rooms.users.enter(*session.user()) };
        let refusal = if payment.deferred {
            None
        } else {
            let crowded = || PayRefusal::new(PayReason::SessionBusy).of(session.user());
            self.unaffordable(&session).or_else(|| seat.is_none().then(crowded))
        };
        if let Some(refusal) = refusal {
            // What was accepted before has its own outcome, whatever may be spent and whoever waits now.
            return match self.find_repeat(payment, &session).await? {
                Some(hold) => answer.repeat(hold, seat, deadline).await,
                None => Err(refusal.into()),
            };
        }
        let new = NewHold {
            id: self.next_hold_id(),
            session: session.id,
            nonce: payment.nonce.clone(),
            content: payment.content(&self.settings.network),
            amount: payment.amount,
            unverified_exposure: self.settings.payments.unverified_exposure,
            deferred: payment.deferred.then_some(self.settings.deferred.exposure),
            funding: self.demand(payment.funding_required),
            now: self.clock.now(),
        };
        let ticket = self.waiters.register(new.id);
        match self.accept(new, &session, deadline).await? {
            Held::New(hold) if hold.deferred => Ok(answer.recorded(&hold)),
            Held::New(hold) => {
                // A promise that would pass the limits of exposure waits after all.
                let seat = seat.or_else(|| answer.seat());
                // Without a seat his time is over, and the ledger decides what he is told.
                let deadline = if seat.is_some() { deadline } else { tokio::time::Instant::now() };
                answer.wait(hold, ticket, deadline).await
            }
            Held::Repeat(hold) => {
                drop(ticket);
                let taken_over = self.taken_over(&hold);
                let told = answer.repeat(hold, seat, deadline).await;
                taken_over.told();
                told
            }
            Held::NonceConflict => Err(answer.refuse(PayReason::NonceConflict)),
            Held::Refused(reason) => Err(answer.refuse(reason)),
        }
    }

    /// The session a payment names; refuses with `session_not_found`.
    pub(crate) async fn payable_session(&self, payment: &Payment) -> Result<Session, PayError> {
        let session = self.ledger.session(payment.session).await?;
        session.ok_or_else(|| PayRefusal::new(PayReason::SessionNotFound).into())
    }

    /// What was accepted under this payment's nonce, when it is the same payment.
    pub(crate) async fn find_repeat(&self, payment: &Payment, session: &Session) -> Result<Option<Hold>, PayError> {
        let Some(nonce) = payment.idempotency_key() else { return Ok(None) };
        let known = self.ledger.find_payment(session.id, nonce).await?;
        match known {
            Some(hold) if hold.content != payment.content(&self.settings.network) => {
                Err(PayRefusal::new(PayReason::NonceConflict).of(session.user()).into())
            }
            known => Ok(known),
        }
    }
}

/// One caller's answer in the making.
struct Answer<'a> {
    facilitator: &'a Arc<Facilitator>,
    payment: &'a Payment,
    session: &'a Session,
}

impl Answer<'_> {
    /// How long this caller waits: the smaller of his own and the configured deadline.
    fn deadline(&self) -> Duration {
        let configured = self.facilitator.settings.answer_deadline;
        self.payment.max_timeout_seconds.map_or(configured, |own| configured.min(Duration::from_secs(own)))
    }

    fn refuse(&self, reason: PayReason) -> PayError {
        PayRefusal::new(reason).of(self.session.user()).into()
    }

    /// Waits for the outcome of a hold until the deadline, and lets one ledger verb decide there.
    async fn wait(&self, hold: Hold, mut ticket: Ticket, deadline: tokio::time::Instant) -> Result<Receipt, PayError> {
        let waited = tokio::time::timeout_at(deadline, &mut ticket.outcome).await;
        let outcome = match waited {
            Ok(told) => told.ok(),
            // Counted callers are told as soon as the ledger has written it; the others may leave.
            Err(_) if self.facilitator.waiters.leave(&ticket) => None,
            Err(_) => (&mut ticket.outcome).await.ok(),
        };
        match outcome {
            Some(Outcome::Captured { signature, yours: true }) if hold.funding == Funding::Proven => {
                // The proof may have been lost while the transfer was on its way.
                let hold = self.facilitator.ledger.find_hold(hold.id).await.ok().flatten().unwrap_or(hold);
                Ok(self.receipt(&hold, Some(signature)))
            }
            Some(Outcome::Captured { signature, yours: true }) => Ok(self.receipt(&hold, Some(signature))),
            // Counted too late or beside somebody else: the ledger knows whether the success was said.
            Some(Outcome::Captured { yours: false, .. }) => {
                let hold = self.facilitator.ledger.find_hold(hold.id).await?.unwrap_or(hold);
                self.decided(&hold).await
            }
            Some(Outcome::Released { reason, signature }) => Err(self.released(reason, signature)),
            None => self.end_wait(&hold).await,
        }
    }

    /// The deadline has come: unplanned is released and refused, planned is pending, decided is told.
    async fn end_wait(&self, hold: &Hold) -> Result<Receipt, PayError> {
        match self.facilitator.ledger.end_wait(hold.id, PayReason::SettlementExpired).await? {
            Deadline::Released => {
                self.facilitator.events.publish(hold.session, SessionEvent::Recorded);
                Err(self.released(PayReason::SettlementExpired, None))
            }
            Deadline::Pending(hold) => Err(self.pending(&hold)),
            Deadline::Decided(hold) => self.decided(&hold).await,
        }
    }

    /// A seat to wait in, when there is one.
    fn seat(&self) -> Option<Seat<Pubkey>> {
        self.facilitator.rooms.users.enter(*self.session.user())
    }

    /// The same payment again: waits when its outcome is open, unless enough wait already, else tells what was recorded.
    async fn repeat(
        &self,
        hold: Hold,
        seat: Option<Seat<Pubkey>>,
        deadline: tokio::time::Instant,
    ) -> Result<Receipt, PayError> {
        if hold.deferred {
            if hold.state == HoldState::Waiting {
                self.facilitator.count_again(hold.session).await?;
            }
            return self.told_before(&hold);
        }
        let seat = seat.or_else(|| self.seat());
        let ticket = seat.is_some().then(|| self.facilitator.waiters.join(hold.id)).flatten();
        // Read again after registering: an outcome between the two would be missed otherwise. Where the ledger does not
        // say, the wait ends with what it says then.
        let hold = self.facilitator.ledger.find_hold(hold.id).await.ok().flatten().unwrap_or(hold);
        match (&hold.state, ticket) {
            (HoldState::Waiting | HoldState::Planned { .. }, Some(ticket)) => {
                self.facilitator.wake_lane(self.session.id);
                self.wait(hold, ticket, deadline).await
            }
            // Nothing but the mark of who waits recognises a payment without a nonce when it comes again.
            (HoldState::Waiting | HoldState::Planned { .. }, None) if hold.nonce.is_none() => {
                self.end_wait(&hold).await
            }
            (HoldState::Waiting | HoldState::Planned { .. }, None) => Err(self.pending(&hold)),
            (HoldState::Captured { .. } | HoldState::Released { .. }, _) => self.decided(&hold).await,
        }
    }

    /// Tells the recorded outcome: `success:true` once, unless the merchant deduplicates by itself.
    async fn decided(&self, hold: &Hold) -> Result<Receipt, PayError> {
        match &hold.state {
            HoldState::Captured { signature, .. } => {
                if self.facilitator.ledger.claim_success(hold.id).await? {
                    Ok(self.receipt(hold, Some(*signature)))
                } else {
                    self.told_before(hold)
                }
            }
            HoldState::Released { reason, signature } => Err(self.released(*reason, *signature)),
            HoldState::Waiting | HoldState::Planned { .. } => Err(self.pending(hold)),
        }
    }

    /// Success was said before: the same answer again to a merchant who deduplicates by himself, to the others how the
    /// payment stands by now.
    fn told_before(&self, hold: &Hold) -> Result<Receipt, PayError> {
        if self.payment.idempotent {
            return Ok(self.recorded(hold));
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
    fn recorded(&self, hold: &Hold) -> Receipt {
        self.receipt(hold, if hold.deferred { None } else { hold.transaction() })
    }

    fn released(&self, reason: PayReason, transaction: Option<Signature>) -> PayError {
        let retry_after = self.facilitator.again_in(self.session, reason);
        PayRefusal { transaction, retry_after, ..PayRefusal::new(reason).of(self.session.user()) }.into()
    }

    fn receipt(&self, hold: &Hold, transaction: Option<Signature>) -> Receipt {
        let standing = if transaction.is_some() { Standing::Captured } else { Standing::Held };
        Receipt {
            transaction,
            payer: *self.session.user(),
            amount: hold.amount,
            network: self.payment.network.clone(),
            session: SessionAfter::of(hold, standing),
        }
    }
}
