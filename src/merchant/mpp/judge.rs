//! Whether a credential pays what a route asks for, before any facilitator is asked. Pure.
//!
//! What is asked for is the route's own offer and never what the buyer echoes: the published seller compares the challenge with
//! itself, so that a cheap route's credential opens a dear one.

use crate::{
    domain::{clock::UnixMillis, mpp::timestamp},
    merchant::price::Offer,
    wire::mpp::{
        INTENT_CHARGE, METHOD, USDC_DEVNET, USDC_MAINNET,
        challenge::{Challenge, ChargeRequested},
        problem::Problem,
    },
};

/// The name of USDC in a challenge, as the published seller writes it.
const USDC: &str = "USDC";

/// What a token is called in challenges: `USDC` where it is that, else its address.
pub(super) fn currency(offer: &Offer) -> String {
    let mint = offer.asset().to_string();
    if mint == USDC_MAINNET || mint == USDC_DEVNET { USDC.to_owned() } else { mint }
}

/// What the buyer was asked for and which of the offers that is, where the challenge is one of ours, still good, and for one of the
/// offers.
pub(super) fn accepted<'a>(
    echoed: &Challenge,
    (realm, secret): (&str, &[u8]),
    offers: &'a [Offer],
    now: UnixMillis,
) -> Result<(ChargeRequested, &'a Offer), Problem> {
    if echoed.method != METHOD || echoed.intent != INTENT_CHARGE {
        return Err(Problem::MethodUnsupported);
    }
    // No challenge of this layer binds a body, so one that does is for something else.
    if echoed.realm != realm || echoed.digest.is_some() || !echoed.is_of(secret) {
        return Err(Problem::InvalidChallenge);
    }
    let expires = echoed.expires.as_deref().and_then(timestamp::read).ok_or(Problem::InvalidChallenge)?;
    if now >= expires {
        return Err(Problem::PaymentExpired);
    }
    let requested = echoed.requested().map_err(|_| Problem::InvalidChallenge)?;
    let offer = offers.iter().find(|offer| asks_for(offer, &requested)).ok_or(Problem::InvalidChallenge)?;
    Ok((requested, offer))
}

/// Whether an offer asks for just this.
fn asks_for(offer: &Offer, requested: &ChargeRequested) -> bool {
    let details = &requested.method_details;
    requested.amount == offer.amount().to_string()
        && requested.currency == currency(offer)
        && requested.recipient == offer.recipient().to_string()
        && details.network == offer.network()
        && details.spl_token == offer.asset().to_string()
}

#[cfg(test)]
mod tests;
