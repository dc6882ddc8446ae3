//! What a seller of a channel asks for in a 402, as far as a buyer believes it.

use crate::{
    domain::{
        amount::Amount,
        mpp::{spellings::Spellings, voucher::MAX_SERVER_NONCE},
        signed::parse_key,
    },
    wire::json::{self, Object},
};
use reqwest::Url;
use solana_pubkey::Pubkey;

/// The type of the body.
const TYPE: &str = "mpp-session";
/// What is counted where the seller says nothing else.
const METER: &str = "request";

/// A seller's offer to be paid by vouchers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SellerOffer {
    /// The seller's wallet.
    pub recipient: Pubkey,
    /// What one unit costs, in base units.
    pub price_per_unit: Amount,
    /// What is counted.
    pub meter: String,
    /// The deposit that the seller suggests, in base units.
    pub suggested_deposit: Option<Amount>,
    /// The nonce that the seller wants in the voucher.
    pub server_nonce: Option<String>,
}

/// Why an offer is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferFault {
    /// The body is no such offer.
    #[error("the seller's 402 offers no channel")]
    NoOffer,
    /// A member is not what it must be.
    #[error("the seller's offer is malformed: `{0}`")]
    Malformed(&'static str),
    /// It is for another network.
    #[error("the seller's offer is for another network")]
    Network,
    /// The seller takes the vouchers of another facilitator. It is not asked: it would get a sign-in and a grant.
    #[error("the seller takes the vouchers of another facilitator than the buyer's")]
    Facilitator,
}

impl SellerOffer {
    /// Reads the body of a 402 for a buyer on `network` whose facilitator is at `facilitator`. What a seller says of a facilitator is
    /// compared and never followed.
    pub fn read(body: &[u8], network: &Spellings, facilitator: &str) -> Result<Self, OfferFault> {
        let json = json::read(body).map_err(|_| OfferFault::NoOffer)?;
        let object = Object::root(&json).map_err(|_| OfferFault::NoOffer)?;
        let text = |name: &'static str| object.text(name).map_err(|_| OfferFault::Malformed(name));
        if text("type")? != Some(TYPE) {
            return Err(OfferFault::NoOffer);
        }
        if text("network")?.is_some_and(|spelled| network.echo(Some(spelled)).is_err()) {
            return Err(OfferFault::Network);
        }
        if text("facilitator")?.is_some_and(|named| !is_at(named, facilitator)) {
            return Err(OfferFault::Facilitator);
        }
        let amount = |name: &'static str| {
            let parsed = text(name)?.map(Amount::parse_positive).transpose();
            parsed.map_err(|_| OfferFault::Malformed(name))
        };
        let nonce = text("serverNonce")?.map(str::to_owned);
        if nonce.as_ref().is_some_and(|nonce| !is_line(nonce, MAX_SERVER_NONCE)) {
            return Err(OfferFault::Malformed("serverNonce"));
        }
        let meter = text("meter")?.unwrap_or(METER).to_owned();
        if !is_line(&meter, crate::domain::mpp::voucher::MAX_METER) {
            return Err(OfferFault::Malformed("meter"));
        }
        Ok(Self {
            recipient: text("recipient")?.and_then(parse_key).ok_or(OfferFault::Malformed("recipient"))?,
            price_per_unit: amount("pricePerUnit")?.ok_or(OfferFault::Malformed("pricePerUnit"))?,
            meter,
            suggested_deposit: amount("suggestedDeposit")?,
            server_nonce: nonce,
        })
    }
}

/// Whether a text is one line of printable ASCII, and not too long.
fn is_line(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

/// Whether two URLs name one place, whether or not they end with a slash.
fn is_at(named: &str, ours: &str) -> bool {
    let parsed = |text: &str| Url::parse(text.trim_end_matches('/')).ok();
    parsed(named).is_some_and(|named| parsed(ours) == Some(named))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::network::Network;
    use serde_json::{Value, json};

    const URL: &str = "http://127.0.0.1:4021";

    fn offer() -> Value {
        json!({
            "type": "mpp-session",
            "recipient": Pubkey::new_from_array([7; 32]).to_string(),
            "network": "devnet",
            "pricePerUnit": "10000",
            "meter": "request",
            "suggestedDeposit": "1000000",
            "serverNonce": "n-1",
            "facilitator": "http://127.0.0.1:4021/",
            "else": [1],
        })
    }

    fn read(offer: &Value) -> Result<SellerOffer, OfferFault> {
        SellerOffer::read(offer.to_string().as_bytes(), &Spellings::of(&Network::devnet()), URL)
    }

    fn with(name: &str, value: Value) -> Result<SellerOffer, OfferFault> {
        let mut offer = offer();
        offer[name] = value;
        read(&offer)
    }

    #[test]
    fn an_offer_is_read_as_the_published_seller_writes_it() {
        let read_offer = read(&offer()).unwrap();
        assert_eq!((read_offer.price_per_unit.get(), read_offer.meter.as_str()), (10_000, "request"));
        assert_eq!(read_offer.server_nonce.as_deref(), Some("n-1"));
        let bare = with("serverNonce", Value::Null).unwrap();
        assert_eq!(bare.server_nonce, None);
    }

    #[test]
    fn a_facilitator_that_a_seller_names_is_compared_and_nothing_else() {
        assert_eq!(with("facilitator", json!("http://evil.test")), Err(OfferFault::Facilitator));
        assert_eq!(with("facilitator", json!("not a url")), Err(OfferFault::Facilitator));
        assert!(with("facilitator", Value::Null).is_ok());
    }

    #[test]
    fn what_is_no_offer_of_this_network_is_refused() {
        assert_eq!(with("network", json!("mainnet-beta")), Err(OfferFault::Network));
        assert_eq!(with("type", json!("x")), Err(OfferFault::NoOffer));
        for (name, value) in [
            ("recipient", json!("x")),
            ("pricePerUnit", json!("0")),
            ("pricePerUnit", json!(1)),
            ("meter", json!("a\nb")),
            ("serverNonce", json!("")),
            ("suggestedDeposit", json!("-1")),
        ] {
            assert_eq!(with(name, value), Err(OfferFault::Malformed(name)), "{name}");
        }
        assert_eq!(SellerOffer::read(b"", &Spellings::of(&Network::devnet()), URL), Err(OfferFault::NoOffer));
    }
}
