//! One paywall around another, both selling the request: what the outer one took, and whether that is what the inner one asks for.
//!
//! Promises that no payment on one paywall's terms opens another: a cheap wildcard around a dear route, another merchant's
//! paywall, or one that trusts another facilitator.

use crate::merchant::{
    facilitator::FacilitatorClient,
    layer::Flow,
    quote::{Payable, Quote},
};
use serde_json::Value;

/// What a paywall took for a request, left in its extensions for those further in. Nothing outside of this crate can make one.
#[derive(Clone)]
pub(super) struct Taken {
    facilitator: FacilitatorClient,
    requirements: Value,
    flow: Flow,
}

impl Taken {
    /// Says that `payable` was settled with `facilitator`, or verified, as `flow` wants it before the handler runs.
    pub(super) fn new(facilitator: &FacilitatorClient, flow: Flow, payable: &Payable) -> Self {
        let requirements = payable.request.payment_requirements.clone();
        Self { facilitator: facilitator.clone(), requirements, flow }
    }

    /// Whether an inner paywall would have had just this: one of its own offers, taken by its own facilitator, and settled already
    /// where it settles before it serves.
    pub(super) fn pays(&self, facilitator: &FacilitatorClient, flow: Flow, quote: &Quote) -> bool {
        let is_in_time = self.flow == Flow::Upfront || flow == Flow::Authorization;
        is_in_time && self.facilitator.is_of(facilitator) && quote.asks_for(&self.requirements)
    }
}
