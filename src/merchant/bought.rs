//! What a handler finds in the extensions of a request that was paid for.

use crate::{
    merchant::quote::Payable,
    wire::{facilitator::SettleAnswer, session::SessionAfterPayment},
};
use std::{fmt, marker::PhantomData};

/// What a handler finds when its request was paid for upfront.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// The wallet that paid, base58, when the facilitator tells it.
    pub payer: Option<String>,
    /// The transaction that moved the money, base58; empty for a payment that is held and settled later.
    pub transaction: String,
    /// What was paid, in base units.
    pub amount: String,
    /// The network as the offer spells it.
    pub network: String,
    /// The payer's session right after this payment.
    pub session: Option<SessionAfterPayment>,
}

impl Receipt {
    pub(super) fn of(answer: &SettleAnswer, payable: &Payable) -> Self {
        Self {
            payer: answer.payer.clone(),
            transaction: answer.transaction.clone(),
            amount: payable.amount.to_string(),
            network: payable.network.clone(),
            session: answer.extensions.as_ref().and_then(|extensions| extensions.session.clone()),
        }
    }

    /// Whether the money has not moved yet: the facilitator has promised to move it.
    pub fn is_held(&self) -> bool {
        self.transaction.is_empty()
    }

    /// The payment's id, with which [`super::FacilitatorClient::payment`] tells what became of it.
    pub fn payment(&self) -> Option<&str> {
        self.session.as_ref()?.payment.as_deref()
    }
}

/// The receipt for the thing `T`, where the gate says that its route is sold as that ([`super::Gate::sold_as`]). A handler that takes
/// it cannot run for the price of anything else, whichever paywall it ends up behind.
pub struct Bought<T> {
    receipt: Receipt,
    thing: PhantomData<fn() -> T>,
}

impl<T> Bought<T> {
    pub(super) fn by(receipt: &Receipt) -> Self {
        Self { receipt: receipt.clone(), thing: PhantomData }
    }

    /// What was paid, by whom.
    pub const fn receipt(&self) -> &Receipt {
        &self.receipt
    }
}

impl<T> Clone for Bought<T> {
    fn clone(&self) -> Self {
        Self::by(&self.receipt)
    }
}

impl<T> fmt::Debug for Bought<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bought").field(&self.receipt).finish()
    }
}

/// What a handler finds in [`super::Flow::Authorization`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorized {
    /// The wallet that will pay, base58, when the facilitator tells it.
    pub payer: Option<String>,
}
