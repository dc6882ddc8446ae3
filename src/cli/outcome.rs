//! What became of a payment from the command line: told the same way for people and programs, however it went.

use super::payer::PayerError;
use crate::{
    client::{Fate, OpenSession, PayError, Payment, ReceiptMisfit, fate},
    domain::{clock::SystemClock, hold::Standing},
    wire::{facilitator::SettleAnswer, payments::PaymentView},
};

/// Where a payment stands, as far as this side knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PaymentState {
    /// No payment left this machine.
    NothingSent,
    /// The facilitator has it, and says where it stands.
    Known(Standing),
    /// The merchant refused it, and the facilitator has nothing of it.
    Refused,
    /// Neither the merchant nor the facilitator has said.
    Unknown,
}

impl PaymentState {
    /// The word for programs.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::NothingSent => "nothing_sent",
            Self::Known(standing) => standing.word(),
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it may still become something else, so that the same payment is worth sending again.
    pub(super) const fn is_undecided(self) -> bool {
        matches!(self, Self::Known(Standing::Pending) | Self::Unknown)
    }

    /// Whether nothing can change it any more, so that it may be forgotten. What a merchant refused they may still have settled.
    pub(super) const fn is_final(self) -> bool {
        match self {
            Self::Known(Standing::Captured | Standing::Held | Standing::Released | Standing::Lost) => true,
            Self::Known(Standing::Pending) | Self::NothingSent | Self::Refused | Self::Unknown => false,
        }
    }

    /// Whether the merchant has the money, or the facilitator's promise of it.
    pub(super) const fn is_paid(self) -> bool {
        matches!(self, Self::Known(Standing::Captured | Standing::Held))
    }

    fn of(view: &PaymentView) -> Self {
        Standing::from_word(&view.state).map_or(Self::Unknown, Self::Known)
    }
}

/// What became of a payment, and by which names it can be asked for.
pub(super) struct PaymentOutcome {
    pub(super) state: PaymentState,
    /// What was sent.
    pub(super) payment: Option<Payment>,
    /// The facilitator's id of it.
    pub(super) id: Option<String>,
    /// The transaction that carries it, as far as there is one.
    pub(super) transaction: Option<String>,
    /// What the merchant passed on as the facilitator's answer.
    pub(super) receipt: Option<SettleAnswer>,
    /// In which members the receipt is not of this payment.
    pub(super) differences: Vec<&'static str>,
}

/// What the merchant did with a payment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MerchantAnswer {
    Refused,
    /// Served, or did not answer: either way the facilitator's silence says nothing.
    ServedOrSilent,
}

impl PaymentOutcome {
    const fn nothing() -> Self {
        Self {
            state: PaymentState::NothingSent,
            payment: None,
            id: None,
            transaction: None,
            receipt: None,
            differences: Vec::new(),
        }
    }

    /// The outcome of a request that was answered. Where no receipt says it, the facilitator is asked.
    pub(super) async fn of_answer(
        session: &OpenSession,
        payment: Option<Payment>,
        receipt: Option<SettleAnswer>,
        misfit: Option<&ReceiptMisfit>,
    ) -> Self {
        let Some(payment) = payment else { return Self::nothing() };
        if let Some(receipt) = receipt {
            let of_session = receipt.extensions.as_ref().and_then(|extensions| extensions.session.as_ref());
            let standing = if receipt.transaction.is_empty() { Standing::Held } else { Standing::Captured };
            return Self {
                state: PaymentState::Known(standing),
                payment: Some(payment),
                id: of_session.and_then(|session| session.payment.clone()),
                transaction: Some(receipt.transaction.clone()).filter(|text| !text.is_empty()),
                receipt: Some(receipt),
                differences: Vec::new(),
            };
        }
        let fate = fate(session, &payment, &SystemClock).await;
        Self {
            receipt: misfit.map(|misfit| misfit.answer.clone()),
            differences: misfit.into_iter().flat_map(|misfit| &misfit.differences).map(|what| what.word()).collect(),
            ..Self::of_fate(payment, &fate, MerchantAnswer::ServedOrSilent)
        }
    }

    /// The outcome of a request that was not answered, or not paid.
    pub(super) async fn of_error(session: &OpenSession, error: &PayError) -> Self {
        match error {
            PayError::Unknown { payment, .. } => {
                let fate = fate(session, payment, &SystemClock).await;
                Self::of_fate((**payment).clone(), &fate, MerchantAnswer::ServedOrSilent)
            }
            // What says that nothing was settled is no receipt.
            PayError::NotSettled { payment, fate, .. } | PayError::Rejected { payment, fate, .. } => {
                Self::of_fate((**payment).clone(), fate, MerchantAnswer::Refused)
            }
            PayError::NotRepeatable
            | PayError::Http(_)
            | PayError::Challenge(_)
            | PayError::Origin { .. }
            | PayError::Refusal(_)
            | PayError::KeepFailed(_) => Self::nothing(),
        }
    }

    fn of_fate(payment: Payment, fate: &Fate, merchant: MerchantAnswer) -> Self {
        let outcome = Self { payment: Some(payment), ..Self::nothing() };
        match fate {
            Fate::Recorded(view) => Self {
                state: PaymentState::of(view),
                id: Some(view.payment.clone()),
                transaction: Some(view.transaction.clone()).filter(|text| !text.is_empty()),
                ..outcome
            },
            Fate::NoRecord if merchant == MerchantAnswer::Refused => Self { state: PaymentState::Refused, ..outcome },
            Fate::NoRecord | Fate::Untold(_) => Self { state: PaymentState::Unknown, ..outcome },
        }
    }

    /// What a command that ends here fails with, where the payment may still become something else.
    pub(super) fn undecided(&self) -> Option<PayerError> {
        let payment = self.payment.as_ref().filter(|_| self.state.is_undecided())?;
        Some(PayerError::Undecided { state: self.state.word(), nonce: payment.nonce.clone() })
    }
}
