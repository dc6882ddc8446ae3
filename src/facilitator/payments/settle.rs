//! `POST /settle`: hold first, then carry, then answer; or hold, answer, and carry later.
//!
//! The hold is durable before anything is sent, and it decides everything after: a repeat meets its own hold, a crash
//! is found again by it, and an answer is only ever read from it ([`super::answer`]).

use super::{
    Payments,
    answer::{Answer, Wait},
    missing_recipient::{Arrival, refuse_on_arrival},
};
use crate::{
    domain::{
        amount::Amount,
        hold::{Exposure, Hold, NewHold},
        payment::{self, SessionPayment},
        reason::PayReason,
        session::{Session, SessionState},
    },
    facilitator::{PayError, PayRefusal, SessionAfter},
    ledger::Held,
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::sync::Arc;

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
    /// The signed receipt, where one is made ([`crate::domain::signed_receipt`]).
    pub signed: Option<String>,
}

impl Payments {
    /// Settles a payment; see [`crate::facilitator::Facilitator::settle`].
    pub(crate) async fn settle(self: &Arc<Self>, payment: &SessionPayment) -> Result<Receipt, PayError> {
        let session = self.payable_session(payment).await?;
        let answer = Answer::new(self, payment, &session);
        let core = &self.core;
        let limits = &core.settings.payments;
        if let Err(reason) =
            payment::check_terms(payment, &session, &core.settings.served.network, limits, core.clock.now())
        {
            return self.refuse_terms(&answer, reason).await;
        }
        let wait = if payment.deferred { answer.no_wait() } else { answer.wait_with_permit().await };
        let arrival = self.arrival(&session).await;
        let refusal = match self.refuse_to_wait(payment, &session, &wait) {
            Some(refusal) => Some(refusal),
            None => self.refuse_new(payment, &session, arrival).await?,
        };
        if let Some(refusal) = refusal {
            // What was accepted before has its own outcome, whatever may be spent and whichever callers wait now.
            return match self.find_repeat(payment, &session).await? {
                Some(hold) => answer.repeat(hold, wait).await,
                None => Err(refusal.into()),
            };
        }
        let deferred = self.exposure_of(payment, &session, arrival).await?;
        let new = NewHold { deferred, ..self.new_hold(payment, &session, arrival) };
        let ticket = self.settlements.waiters.register(new.id, answer.asks());
        match self.place_hold(new, &session, wait.deadline).await? {
            Held::New(hold) if hold.deferred => Ok(answer.held(&hold)),
            Held::New(hold) => answer.wait(hold, ticket, wait).await,
            Held::Repeat(hold) => {
                drop(ticket);
                let taken_over = self.taken_over(&hold);
                let answered = answer.repeat(hold, wait).await;
                taken_over.answered();
                answered
            }
            Held::NonceConflict => Err(answer.refuse(PayReason::NonceConflict)),
            Held::Refused(reason) => Err(refuse_on_arrival(&session, reason, arrival)),
        }
    }

    /// The terms refuse the payment; an authorisation that has expired since still names a payment that was made with it.
    async fn refuse_terms(&self, answer: &Answer<'_>, reason: PayReason) -> Result<Receipt, PayError> {
        if reason == PayReason::PaymentExpired
            && let Some(hold) = self.find_repeat(answer.payment, answer.session).await?
        {
            return answer.repeat(hold, answer.no_wait()).await;
        }
        Err(self.terms_refusal(answer.payment, answer.session, reason).into())
    }

    /// What a payment is told whose terms refuse it: with the figures, where a limit of ours is the reason.
    pub(crate) fn terms_refusal(&self, payment: &SessionPayment, session: &Session, reason: PayReason) -> PayRefusal {
        let refusal = PayRefusal::new(reason).of(session.user());
        match self.core.settings.payments.explain(reason, payment.amount) {
            Some(detail) => PayRefusal { detail, ..refusal },
            None => refusal,
        }
    }

    /// Why this payment is not taken as a new one, whoever asks and whether or not they wait.
    pub(crate) async fn refuse_new(
        &self,
        payment: &SessionPayment,
        session: &Session,
        arrival: Arrival,
    ) -> Result<Option<PayRefusal>, PayError> {
        match self.settlements.disputes().refusal(session.user()) {
            Some(refusal) => Ok(Some(refusal)),
            None => self.refuse_creation(payment, session, arrival).await,
        }
    }

    /// Why a payment that is to wait for its transfer cannot; a deferred payment is a promise for later and does not wait.
    fn refuse_to_wait(&self, payment: &SessionPayment, session: &Session, wait: &Wait) -> Option<PayRefusal> {
        if payment.deferred {
            return None;
        }
        let crowded = || PayRefusal::new(PayReason::SessionBusy).of(session.user());
        self.sponsor.budget_refusal(session).or_else(|| wait.permit.is_none().then(crowded))
    }

    /// Within which limits the payment may be promised; none for one that is settled per call.
    async fn exposure_of(
        &self,
        payment: &SessionPayment,
        session: &Session,
        arrival: Arrival,
    ) -> Result<Option<Exposure>, PayError> {
        if !payment.deferred || !self.deferred.quota.allows(session.user(), self.core.clock.now()) {
            return Ok(None);
        }
        // What is not open is refused without a look.
        if session.state == SessionState::Open && !self.funding.look_before_promise(session.user()).await? {
            // Its transfer tells, and must not cost us a fee for it.
            self.settlements.distrust(session.id);
            return Ok(None);
        }
        Ok(Some(self.exposure_on_arrival(arrival)))
    }

    /// The hold of this payment, settled per call.
    fn new_hold(&self, payment: &SessionPayment, session: &Session, arrival: Arrival) -> NewHold {
        let settings = &self.core.settings;
        NewHold {
            id: self.core.next_hold_id(),
            session: session.id,
            nonce: payment.nonce.clone(),
            content: payment.content(&settings.served.network),
            amount: payment.amount,
            unverified_exposure: settings.payments.unverified_exposure,
            deferred: None,
            funding: self.demand_on_arrival(payment, session, arrival),
            answer: self.answer_of_now(payment),
            now: self.core.clock.now(),
        }
    }

    /// The session a payment names; refuses with `session_not_found`.
    pub(crate) async fn payable_session(&self, payment: &SessionPayment) -> Result<Session, PayError> {
        let session = self.core.ledger.session(payment.session).await?;
        session.ok_or_else(|| PayRefusal::new(PayReason::SessionNotFound).into())
    }

    /// What was accepted under this payment's nonce, when it is the same payment.
    pub(crate) async fn find_repeat(
        &self,
        payment: &SessionPayment,
        session: &Session,
    ) -> Result<Option<Hold>, PayError> {
        let Some(nonce) = payment.idempotency_key() else { return Ok(None) };
        let known = self.core.ledger.find_payment(session.id, nonce).await?;
        match known {
            Some(hold) if hold.content != payment.content(&self.core.settings.served.network) => {
                Err(PayRefusal::new(PayReason::NonceConflict).of(session.user()).into())
            }
            known => Ok(known),
        }
    }
}
