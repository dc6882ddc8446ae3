//! Payments to a recipient who has no token account yet: what the one has to bring for which it is created.
//!
//! Nothing is promised, and nothing unproved is held, that could not arrive: such a payment is settled per call from a
//! proved balance, or refused with the remedy before anything is held.

use super::Payments;
use crate::{
    domain::{
        amount::Amount, funding::FundingDemand, hold::Exposure, payment::SessionPayment, reason::PayReason,
        session::Session,
    },
    facilitator::{FacilitatorError, PayError, PayRefusal, SessionError, recipients::RecipientAccount},
    programs::wallet::NotAWallet,
};
use std::time::Duration;

/// How long an answer waits for a look at an account: a chain that is silent must not hold up what is only promised.
const LOOK_PATIENCE: Duration = Duration::from_secs(2);
/// What a payer is told who proves nothing, or too little.
const UNPROVEN: &str = "the recipient has no token account yet, and one is created only for a payment that a proved balance \
                        covers: send a funding proof to POST /sessions/{id}/funding, or have the recipient create its own";

/// What the recipient's side asks of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Nothing: it can arrive.
    Sure,
    /// The recipient's account is created for it.
    Created,
    /// It cannot: the recipient is no wallet.
    Never(NotAWallet),
}

impl Payments {
    /// What the recipient's account asks of the session's next payment. What nobody can tell right now is found out when a
    /// transfer is signed.
    pub(crate) async fn arrival(&self, session: &Session) -> Arrival {
        let recipient = &session.intent.recipient;
        let look = self.core.recipient_account(recipient);
        match tokio::time::timeout(LOOK_PATIENCE, look).await {
            Ok(Ok(RecipientAccount::Missing)) if !self.core.settings.recipients.is_listed(recipient) => {
                Arrival::Created
            }
            Ok(Ok(RecipientAccount::NotAWallet(why))) => Arrival::Never(why),
            Ok(Ok(RecipientAccount::Missing | RecipientAccount::There) | Err(_)) | Err(_) => Arrival::Sure,
        }
    }

    /// Why a payment cannot arrive, or cannot be the one for which the recipient's account is created, where that is needed.
    pub(crate) async fn refuse_creation(
        &self,
        payment: &SessionPayment,
        session: &Session,
        arrival: Arrival,
    ) -> Result<Option<PayRefusal>, PayError> {
        match arrival {
            Arrival::Sure => return Ok(None),
            Arrival::Created => {}
            Arrival::Never(why) => {
                let refusal = PayRefusal::new(PayReason::InvalidRecipient).of(session.user());
                return Ok(Some(PayRefusal { detail: format!("the recipient {why}"), ..refusal }));
            }
        }
        let least = self.core.settings.recipients.least;
        if payment.amount < least {
            let detail = format!("the recipient has no token account yet, and none is created for less than {least}");
            let refusal = PayRefusal::new(PayReason::RecipientNotReady).of(session.user());
            return Ok(Some(PayRefusal { detail, ..refusal }));
        }
        match self.dispatch.forbids_creation(session).await {
            Ok(refusal) => Ok(refusal.map(|refusal| refusal.refuses_payment().of(session.user()))),
            Err(error) => Err(unknown(error, session)),
        }
    }

    /// What is asked of the payer's balance.
    pub(crate) fn demand_on_arrival(
        &self,
        payment: &SessionPayment,
        session: &Session,
        arrival: Arrival,
    ) -> FundingDemand {
        let required = self.core.demand_of(payment).required || arrival == Arrival::Created;
        FundingDemand { required, ..self.core.demand_on(session.user()) }
    }

    /// How much may be promised: nothing to whom it could not be paid.
    pub(crate) fn exposure_on_arrival(&self, arrival: Arrival) -> Exposure {
        match arrival {
            Arrival::Sure => self.core.settings.deferred.exposure,
            Arrival::Created | Arrival::Never(_) => Exposure::shared(Amount::ZERO, Amount::ZERO),
        }
    }
}

/// A refusal before the hold, with the remedy where the recipient's missing account is why.
pub(crate) fn refuse_on_arrival(session: &Session, reason: PayReason, arrival: Arrival) -> PayError {
    let refusal = PayRefusal::new(reason).of(session.user());
    match (arrival, reason) {
        (Arrival::Created, PayReason::FundingUnproven | PayReason::InsufficientFunds) => {
            PayRefusal { detail: UNPROVEN.to_owned(), ..refusal }.into()
        }
        (Arrival::Sure | Arrival::Created | Arrival::Never(_), _) => refusal.into(),
    }
}

/// Whether an account may be created is not known; said on this surface.
fn unknown(error: SessionError, session: &Session) -> PayError {
    match error {
        FacilitatorError::Refused(refusal) => {
            let refused = PayRefusal::new(PayReason::RecipientNotReady).of(session.user());
            PayRefusal { detail: refusal.detail, ..refused }.into()
        }
        FacilitatorError::Unavailable { retry_after, source } => FacilitatorError::Unavailable { retry_after, source },
        FacilitatorError::Overloaded { retry_after } => FacilitatorError::Overloaded { retry_after },
        FacilitatorError::Broken(error) => FacilitatorError::Broken(error),
    }
}
