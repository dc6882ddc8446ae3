//! `POST /verify`: the checks of `/settle`, without a trace.
//!
//! Of the payer's balance it tells less than `/settle` does, whose answers cost a payment.

use crate::{
    domain::{
        amount::Amount,
        funding::Funding,
        hold::{Hold, HoldState, RecordedAnswer},
        payment::{self, SessionPayment},
        reason::PayReason,
        session::Session,
    },
    facilitator::{
        PayError, PayRefusal, SessionAfter,
        payments::{Payments, landed_level::unseen, missing_recipient::refuse_on_arrival},
    },
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// When to come back while the ledger cannot be written, in seconds: a disk is seldom freed sooner.
const UNWRITABLE_RETRY: u64 = 5;

/// A payment that `/settle` would accept at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The session's user.
    pub payer: Pubkey,
    /// The session as this payment would leave it.
    pub session: SessionAfter,
}

impl Payments {
    /// Runs every check that [`crate::facilitator::Facilitator::settle`] runs. Promises nothing: settle checks again.
    pub(crate) async fn verify(&self, payment: &SessionPayment) -> Result<Verified, PayError> {
        if let Some(fault) = self.core.ledger.write_fault() {
            // What could not be settled is not called payable.
            return Err(PayError::Unavailable { retry_after: UNWRITABLE_RETRY, source: Box::new(fault) });
        }
        let session = self.payable_session(payment).await?;
        let refuse = |reason| PayError::from(PayRefusal::new(reason).of(session.user()));
        let now = self.core.clock.now();
        let limits = &self.core.settings.payments;
        let terms = payment::check_terms(payment, &session, &self.core.settings.served.network, limits, now);
        if let Err(reason) = terms
            && reason != PayReason::PaymentExpired
        {
            return Err(self.terms_refusal(payment, &session, reason).into());
        }
        // A payment that was accepted before is judged by its own hold, not by what is left of the session.
        if let Some(hold) = self.find_repeat(payment, &session).await? {
            let recorded = self.recorded_answer(payment, &hold).await?;
            return match self.with_known_level(&hold, session.user()).await? {
                Some(hold) if self.is_refused_for_funding(payment, &hold) => {
                    Err(repeat_refusal(&session, &hold, PayReason::FundingUnproven, hold.transaction()))
                }
                Some(hold) => verify_repeat(recorded, &session, &hold),
                None => verify_repeat(recorded, &session, &unseen(hold)),
            };
        }
        let arrival = self.arrival(&session).await;
        if let Some(refusal) = self.refuse_new(payment, &session, arrival).await? {
            return Err(refusal.into());
        }
        let exposure = self.core.unverified_exposure(&session).await?;
        terms.and_then(|()| session.may_hold(payment.amount, now, exposure)).map_err(refuse)?;
        let backing = self.core.backing_after(&session, self.amount_to_judge(payment, &session), now).await?;
        if backing.frozen {
            return Err(refuse(PayReason::SourceFrozen));
        }
        let funding = self.demand_on_arrival(payment, &session, arrival).admit(backing.funding);
        let funding = funding.map_err(|reason| refuse_on_arrival(&session, reason, arrival))?;
        let spent = session.spent().checked_add(payment.amount).unwrap_or(session.intent.cap);
        let remaining = session.bound(exposure).checked_sub(spent).unwrap_or_default();
        Ok(Verified {
            payer: *session.user(),
            session: SessionAfter { id: session.id, spent, remaining, payment: None, funding },
        })
    }

    /// The amount for which the payer's balance is judged, in base units: the payment's own where the session key signed it,
    /// the smallest there is elsewhere. Whoever only knows a session's id names what they like, and could search for the
    /// balance with amounts that are told apart; nothing of it would leave a trace.
    fn amount_to_judge(&self, payment: &SessionPayment, session: &Session) -> Amount {
        match session.intent.session_key {
            Some(_) => payment.amount,
            None => self.core.settings.payments.smallest(),
        }
    }

    /// Whether a payment was captured without the proof that is demanded.
    fn is_refused_for_funding(&self, payment: &SessionPayment, hold: &Hold) -> bool {
        let captured = matches!(hold.state, HoldState::Captured { .. }) && !hold.deferred;
        captured && hold.funding != Funding::Proven && self.core.demand_of(payment).required
    }
}

fn repeat_refusal(session: &Session, hold: &Hold, reason: PayReason, transaction: Option<Signature>) -> PayError {
    let after = Some(SessionAfter::of(hold, hold.standing()));
    PayRefusal { transaction, session: after, ..PayRefusal::new(reason).of(session.user()) }.into()
}

/// What `/settle` would say to a repeat; `recorded` is the answer that it would be told again.
fn verify_repeat(recorded: Option<RecordedAnswer>, session: &Session, hold: &Hold) -> Result<Verified, PayError> {
    let duplicate = (PayReason::DuplicateSettlement, hold.transaction());
    let refusal = match &hold.state {
        _ if hold.deferred && recorded.is_some() => None,
        HoldState::Released { reason, signature } => Some((*reason, *signature)),
        HoldState::Captured { .. } if hold.told && recorded.is_none() => Some(duplicate),
        HoldState::Waiting | HoldState::Planned { .. } if hold.deferred => Some(duplicate),
        HoldState::Waiting | HoldState::Planned { .. } | HoldState::Captured { .. } => None,
    };
    match refusal {
        Some((reason, transaction)) => Err(repeat_refusal(session, hold, reason, transaction)),
        None => Ok(Verified { payer: *session.user(), session: SessionAfter::of(hold, hold.standing()) }),
    }
}
