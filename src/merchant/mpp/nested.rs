//! One layer of charges around another, both selling the request: what the outer one took, and whether that is what the inner one asks
//! for. No charge on one layer's terms opens another.

use crate::merchant::{facilitator::FacilitatorClient, mpp::charge::Charged, price::Offer};

/// What a layer took for a request, left in its extensions for those further in. Nothing outside of this crate can make one.
#[derive(Clone)]
pub(super) struct Taken {
    facilitator: FacilitatorClient,
    /// Network, token, recipient and amount.
    terms: [String; 4],
}

impl Taken {
    /// Says that this charge was settled with `facilitator`.
    pub(super) fn new(facilitator: &FacilitatorClient, charged: &Charged) -> Self {
        let proof = &charged.answer.settlement;
        let terms = [&charged.network, &proof.asset, &proof.recipient, &proof.amount].map(Clone::clone);
        Self { facilitator: facilitator.clone(), terms }
    }

    /// Whether an inner layer would have had just this: one of its own offers, settled with its own facilitator.
    pub(super) fn pays(&self, facilitator: &FacilitatorClient, offers: &[Offer]) -> bool {
        self.facilitator.is_of(facilitator) && offers.iter().any(|offer| terms(offer) == self.terms)
    }
}

fn terms(offer: &Offer) -> [String; 4] {
    [offer.network().to_owned(), offer.asset().to_string(), offer.recipient().to_string(), offer.amount().to_string()]
}
