//! What a route costs, and the requirements that are made of it.

use crate::{
    domain::amount::{Amount, AmountError},
    wire::{DEFERRED, SESSION_SCHEME, x402_v1, x402_v2},
};
use serde_json::{Map, Value};
use solana_pubkey::Pubkey;

/// How long a merchant waits for a settlement unless the offer says otherwise, in seconds.
pub const DEFAULT_TIMEOUT_SECONDS: u64 = 60;

/// The longest that an offer waits, in seconds.
const LONGEST_TIMEOUT_SECONDS: u64 = 600;

/// A price: a positive amount of base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price(Amount);

impl Price {
    /// A price in base units; zero is refused, because a payment of nothing proves nothing.
    pub fn base_units(amount: Amount) -> Result<Self, AmountError> {
        if amount == Amount::ZERO { Err(AmountError::Zero) } else { Ok(Self(amount)) }
    }

    /// A price as people write it, of an asset with `decimals` places: `0.29` with six is 290000 base units.
    pub fn decimal(text: &str, decimals: u8) -> Result<Self, AmountError> {
        Amount::parse_decimal(text, decimals).and_then(Self::base_units)
    }

    /// In base units.
    pub const fn amount(self) -> Amount {
        self.0
    }
}

/// One way to pay for a route.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    network: String,
    asset: Pubkey,
    pay_to: Pubkey,
    price: Price,
    timeout_seconds: u64,
    description: String,
    mime_type: String,
    extra: Map<String, Value>,
    pays_derived_address: bool,
}

impl Offer {
    /// An offer to be paid in `asset` (a mint) to the wallet `pay_to`; `network` is told to payers as it is spelled here.
    pub fn new(network: impl Into<String>, asset: Pubkey, pay_to: Pubkey, price: Price) -> Self {
        Self {
            network: network.into(),
            asset,
            pay_to,
            price,
            timeout_seconds: DEFAULT_TIMEOUT_SECONDS,
            description: String::new(),
            mime_type: String::new(),
            extra: Map::new(),
            pays_derived_address: false,
        }
    }

    /// Is paid to a derived address on purpose: a program pays out of it, and the facilitator's operator lists it.
    #[must_use]
    pub fn paying_a_derived_address(mut self) -> Self {
        self.pays_derived_address = true;
        self
    }

    /// The address that is paid, where it cannot be a wallet: no key signs for it.
    pub(super) fn not_a_wallet(&self) -> Option<Pubkey> {
        (!self.pays_derived_address && !self.pay_to.is_on_curve()).then_some(self.pay_to)
    }

    /// Says what is sold and in which form, as in `application/json`.
    #[must_use]
    pub fn described(mut self, description: impl Into<String>, mime_type: impl Into<String>) -> Self {
        (self.description, self.mime_type) = (description.into(), mime_type.into());
        self
    }

    /// Waits at most this many seconds for a settlement, from 1 to 600: facilitators refuse zero, and no payer's signature is made
    /// for a longer wait.
    #[must_use]
    pub fn within(mut self, seconds: u64) -> Self {
        self.timeout_seconds = seconds.clamp(1, LONGEST_TIMEOUT_SECONDS);
        self
    }

    /// Serves as soon as the payment is durably held, and lets the facilitator settle it later with others: answers come
    /// in milliseconds and a transfer's cost is shared, but until it lands the merchant gives credit. Within the
    /// facilitator's limits; beyond them payments are settled per call.
    #[must_use]
    pub fn deferred(self) -> Self {
        self.with_extra("settlement", DEFERRED)
    }

    /// Tells payers at which facilitator a session for this offer is to be opened, as in `https://facilitator.example.com`: the
    /// URL that payers reach it under, which need not be the one that this server asks.
    #[must_use]
    pub fn facilitator(self, url: impl Into<String>) -> Self {
        self.with_extra("facilitatorUrl", url.into()).with_extra("sessionsEndpoint", "/sessions")
    }

    /// Adds a member to `extra`, such as the facilitator's address.
    #[must_use]
    pub fn with_extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }

    /// The network as payers are told it.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// The mint to be paid in.
    pub fn asset(&self) -> Pubkey {
        self.asset
    }

    /// What is asked for, in base units.
    pub fn amount(&self) -> Amount {
        self.price.amount()
    }

    /// The wallet that is paid.
    pub fn recipient(&self) -> Pubkey {
        self.pay_to
    }

    /// What is sold, for people; none where nothing was said.
    pub(super) fn description(&self) -> Option<&str> {
        Some(self.description.as_str()).filter(|text| !text.is_empty())
    }

    /// The longest wait for a settlement, in seconds.
    pub fn timeout_seconds(&self) -> u64 {
        self.timeout_seconds
    }

    /// The offer in x402 version 2.
    pub fn requirements(&self) -> x402_v2::Requirements {
        x402_v2::Requirements {
            scheme: SESSION_SCHEME.to_owned(),
            network: self.network.clone(),
            amount: self.price.amount().to_string(),
            asset: self.asset.to_string(),
            pay_to: self.pay_to.to_string(),
            max_timeout_seconds: self.timeout_seconds,
            extra: self.extra(),
            others: Map::new(),
        }
    }

    /// The offer in x402 version 1, for the resource at `url`.
    pub fn requirements_v1(&self, url: &str) -> x402_v1::Requirements {
        let amount = self.price.amount().to_string();
        x402_v1::Requirements {
            scheme: SESSION_SCHEME.to_owned(),
            network: self.network.clone(),
            // The published session client reads `amount` and nothing else (`spec/session.md` §3).
            amount: Some(amount.clone()),
            max_amount_required: amount,
            resource: url.to_owned(),
            description: self.description.clone(),
            mime_type: self.mime_type.clone(),
            pay_to: self.pay_to.to_string(),
            max_timeout_seconds: self.timeout_seconds,
            asset: self.asset.to_string(),
            output_schema: None,
            extra: self.extra(),
            others: Map::new(),
        }
    }

    /// What is sold at `url`.
    pub(super) fn resource(&self, url: &str) -> x402_v2::Resource {
        let told = |text: &String| (!text.is_empty()).then(|| text.clone());
        x402_v2::Resource {
            url: Some(url.to_owned()),
            description: told(&self.description),
            mime_type: told(&self.mime_type),
        }
    }

    fn extra(&self) -> Option<Map<String, Value>> {
        (!self.extra.is_empty()).then(|| self.extra.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_decimal_arithmetic_and_never_nothing() {
        assert_eq!(Price::decimal("0.29", 2).map(|p| p.amount().get()), Ok(29));
        assert_eq!(Price::decimal("1", 6).map(|p| p.amount().get()), Ok(1_000_000));
        assert_eq!(Price::decimal("0.000", 6), Err(AmountError::Zero));
        assert_eq!(Price::decimal("0.0000001", 6), Err(AmountError::TooPrecise));
        assert!(Price::decimal("-1", 6).is_err() && Price::decimal("1e3", 6).is_err());
        assert_eq!(Price::base_units(Amount::ZERO), Err(AmountError::Zero));
    }

    #[test]
    fn version_one_states_the_amount_in_both_words() {
        let price = Price::decimal("0.5", 6).unwrap();
        let offer =
            Offer::new("solana:devnet", Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]), price);
        let json = serde_json::to_value(offer.requirements_v1("http://shop/x")).unwrap();
        assert_eq!(json["amount"], "500000");
        assert_eq!(json["maxAmountRequired"], "500000");
        assert_eq!(json["resource"], "http://shop/x");
        assert!(json.get("extra").is_none());
    }

    #[test]
    fn a_wait_is_neither_nothing_nor_for_ever() {
        let price = Price::decimal("0.5", 6).unwrap();
        let offer = || Offer::new("solana:devnet", Pubkey::default(), Pubkey::default(), price);
        for (seconds, waits) in [(0, 1), (7, 7), (601, 600), (u64::MAX, 600)] {
            assert_eq!(offer().within(seconds).timeout_seconds(), waits);
        }
    }

    /// CR-18.
    #[test]
    fn an_offer_says_in_both_versions_where_a_session_for_it_is_opened() {
        let price = Price::decimal("0.5", 6).unwrap();
        let offer = Offer::new("solana:devnet", Pubkey::default(), Pubkey::default(), price);
        let offer = offer.facilitator("https://facilitator.example");
        for extra in [offer.requirements().extra.unwrap(), offer.requirements_v1("http://shop/x").extra.unwrap()] {
            assert_eq!(extra["facilitatorUrl"], "https://facilitator.example");
            assert_eq!(extra["sessionsEndpoint"], "/sessions");
        }
    }

    #[test]
    fn a_deferred_offer_says_so_in_both_versions() {
        let price = Price::decimal("0.5", 6).unwrap();
        let offer = Offer::new("solana:devnet", Pubkey::default(), Pubkey::default(), price).deferred();
        let (new, old) = (offer.requirements().extra.unwrap(), offer.requirements_v1("http://shop/x").extra.unwrap());
        assert_eq!((&new["settlement"], &old["settlement"]), (&Value::from("deferred"), &Value::from("deferred")));
    }
}
