//! What one request is sold for, and the protocol's decision on it: ask for a payment, or have this one settled. Pure.
//!
//! Whatever the payer writes, the requirements that go to the facilitator are the merchant's own. A payment is
//! passed on only when it accepts one of the offers completely and pays exactly its amount.

use crate::{
    domain::{amount::Amount, printable::brief, signed},
    merchant::{price::Offer, sale::Mark},
    wire::{
        PaymentPayload, SESSION_SCHEME, WireError, agreement,
        facilitator::PaymentRequest,
        header::{self, HeaderError},
        x402_v1, x402_v2,
    },
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What an accepted offer has to state in version 2; what it leaves out would be agreed to by silence.
const STATED: [&str; 4] = ["scheme", "network", "asset", "payTo"];

/// What two offers have to have in common to be one, whichever version they are written in.
const TERMS: [&str; 6] = ["scheme", "network", "asset", "payTo", "amount", "extra"];

/// The offers for one request, at least one, best first.
#[derive(Clone, Debug)]
pub struct Quote {
    offers: Arc<[Offer]>,
    mark: Option<Mark>,
    public_base: Option<Arc<str>>,
}

/// What to do with a request for what is sold.
#[derive(Debug)]
pub enum Decision {
    /// Answer 402 and say why.
    Ask(Refusal),
    /// Have this settled.
    Settle(Box<Payable>),
}

/// A payment that fits one of the offers.
#[derive(Debug)]
pub struct Payable {
    /// What goes to the facilitator: the payer's payload as received, and our own requirements.
    pub request: PaymentRequest,
    /// The amount asked for.
    pub amount: Amount,
    /// The network as the offer spells it.
    pub network: String,
    /// The longest wait, in seconds.
    pub timeout_seconds: u64,
    /// Whether repeating the request is known to be the same payment.
    pub has_nonce: bool,
}

/// Why a request is answered with 402 before any facilitator is asked. Says nothing of amounts or payloads.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No payment header at all.
    #[error("payment is required")]
    NoPayment,
    /// More than one header of the same name, or bytes that are no text.
    #[error("there must be one payment header, of printable text")]
    AmbiguousHeader,
    /// The header is not base64 of JSON that we read.
    #[error("the payment header is unreadable: {0}")]
    Unreadable(#[from] HeaderError),
    /// The JSON is not a payment.
    #[error("the payment is malformed: {0}")]
    Malformed(#[from] WireError),
    /// It accepts something that this route does not offer: the member that is not that of the nearest offer.
    #[error("the accepted offer is not one of this route's: {0}")]
    OtherOffer(String),
    /// The payload pays another amount than was asked for.
    #[error("the payment's amount is not the one asked for")]
    OtherAmount,
    /// The payment is for another resource.
    #[error("the payment is for another resource")]
    OtherResource,
}

/// What a 402 carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The value of `PAYMENT-REQUIRED` (version 2); none when the offers are too long for a header.
    pub header: Option<String>,
    /// The JSON body (version 1).
    pub body: String,
}

impl Quote {
    pub(super) fn new(offers: Arc<[Offer]>, mark: Option<Mark>) -> Self {
        Self { offers, mark, public_base: None }
    }

    /// The quote of a server that payers reach at `public_base`, where it knows.
    pub(super) fn at(self, public_base: Option<&Arc<str>>) -> Self {
        Self { public_base: public_base.cloned(), ..self }
    }

    /// Leaves a receipt under the type of what was bought, where there is one.
    pub(super) const fn mark(&self) -> Option<Mark> {
        self.mark
    }

    /// The offers, best first.
    pub(super) fn offers(&self) -> &[Offer] {
        &self.offers
    }

    /// Decides on a request for `url` that carries `payment`, the text of its payment header.
    pub fn decide(&self, payment: Option<&str>, url: &str) -> Decision {
        let Some(text) = payment else { return Decision::Ask(Refusal::NoPayment) };
        match self.read(text, url) {
            Ok(payable) => Decision::Settle(Box::new(payable)),
            Err(refusal) => Decision::Ask(refusal),
        }
    }

    /// Whether one of the offers asks for exactly what `requirements` ask for, which another quote has made.
    pub(super) fn asks_for(&self, requirements: &Value) -> bool {
        let is_same = |offer: &Offer| {
            let ours = serde_json::to_value(offer.requirements()).unwrap_or_default();
            ours.is_object() && TERMS.into_iter().all(|name| ours.get(name) == requirements.get(name))
        };
        self.offers.iter().any(is_same)
    }

    fn read(&self, text: &str, url: &str) -> Result<Payable, Refusal> {
        let json: Value = header::decode(text)?;
        let payment = PaymentPayload::read(&json)?;
        let offer = self.accepted(&payment)?;
        let session = payment.session();
        if session.amount != offer.amount().to_string() {
            return Err(Refusal::OtherAmount);
        }
        self.check_resource(&payment, url)?;
        // Where the facilitator reads it: an identifier that names nothing makes no payment repeatable.
        let named = ["info/id", "info/paymentIdentifier", "paymentIdentifier"];
        let identifier =
            |at: &str| json.pointer(&format!("/extensions/payment-identifier/{at}")).is_some_and(Value::is_string);
        let has_identifier = named.into_iter().any(identifier);
        Ok(Payable {
            amount: offer.amount(),
            network: offer.network().to_owned(),
            timeout_seconds: offer.timeout_seconds(),
            has_nonce: session.nonce.is_some() || session.authorization.is_some() || has_identifier,
            request: PaymentRequest {
                x402_version: Some(payment.version()),
                payment_requirements: requirements(&payment, offer, url),
                payment_payload: json,
            },
        })
    }

    /// The one of our offers that the payer took.
    fn accepted(&self, payment: &PaymentPayload) -> Result<&Offer, Refusal> {
        let judged = self.offers.iter().map(|offer| (offer, disagreement(payment, offer)));
        // Of offers that were not taken the nearest is the one whose first difference comes last.
        let mut nearest: Option<Disagreement> = None;
        for (offer, disagreement) in judged {
            match disagreement {
                None => return Ok(offer),
                Some(found) if nearest.as_ref().is_none_or(|nearest| nearest.place < found.place) => {
                    nearest = Some(found);
                }
                Some(_) => {}
            }
        }
        Err(Refusal::OtherOffer(nearest.map_or_else(String::new, |nearest| nearest.told)))
    }

    /// Only a server that knows its public URL can tell its resources from other ones.
    fn check_resource(&self, payment: &PaymentPayload, url: &str) -> Result<(), Refusal> {
        if self.public_base.is_none() {
            return Ok(());
        }
        let told = match payment {
            PaymentPayload::V2(payment) => payment.resource.as_ref().and_then(|resource| resource.url.as_deref()),
            PaymentPayload::V1(_) => None,
        };
        let bound = payment.session().authorization.as_ref().and_then(|signed| signed.resource_hash.as_deref());
        // Published clients send relative URLs and empty objects; only a URL with a host names a resource.
        let elsewhere = told.is_some_and(|told| told.contains("://") && told != url)
            || bound.is_some_and(|bound| bound != signed::resource_hash(url));
        if elsewhere { Err(Refusal::OtherResource) } else { Ok(()) }
    }

    /// The 402 for the resource at `url`; `error` says why, for people.
    pub fn ask(&self, url: &str, error: &str) -> Asked {
        let header = x402_v2::PaymentRequired {
            x402_version: x402_v2::VERSION,
            error: Some(error.to_owned()),
            resource: self.offers.first().map(|offer| offer.resource(url)).unwrap_or_default(),
            accepts: self.offers.iter().map(Offer::requirements).collect(),
            extensions: None,
        };
        let body = x402_v1::PaymentRequired {
            x402_version: x402_v1::VERSION,
            error: Some(error.to_owned()),
            accepts: self.offers.iter().map(|offer| offer.requirements_v1(url)).collect(),
        };
        // Strings and whole numbers: serialising cannot fail, only become too long for a header.
        Asked { header: header::encode(&header).ok(), body: serde_json::to_string(&body).unwrap_or_default() }
    }
}

/// Why an offer is not the one that a payment accepts.
struct Disagreement {
    /// How many of the members that are looked at one after the other agree.
    place: usize,
    /// The first that does not, for people.
    told: String,
}

impl Disagreement {
    fn new(place: usize, told: String) -> Self {
        Self { place, told }
    }
}

/// What of a payment is not of `offer`; none where it accepts it.
fn disagreement(payment: &PaymentPayload, offer: &Offer) -> Option<Disagreement> {
    match payment {
        PaymentPayload::V2(payment) => {
            let nothing = Map::new();
            disagreement_v2(payment.accepted.as_object().unwrap_or(&nothing), offer)
        }
        PaymentPayload::V1(payment) => {
            let network = || agreement::same_network(&payment.network, offer.network(), None);
            if payment.scheme != SESSION_SCHEME {
                Some(Disagreement::new(0, stands("scheme", &payment.scheme, SESSION_SCHEME)))
            } else if !network() {
                Some(Disagreement::new(1, stands("network", &payment.network, offer.network())))
            } else if payment.payload.amount != offer.amount().to_string() {
                Some(Disagreement::new(2, "`payload.amount` is not the one asked for".to_owned()))
            } else {
                None
            }
        }
    }
}

/// An accepted offer is ours where it states what matters and differs in nothing that both carry.
fn disagreement_v2(accepted: &Map<String, Value>, ours: &Offer) -> Option<Disagreement> {
    let text = |name: &str| accepted.get(name).and_then(Value::as_str);
    let Ok(Value::Object(required)) = serde_json::to_value(ours.requirements()) else {
        return Some(Disagreement::new(0, "`accepted` differs".to_owned()));
    };
    for (place, name) in STATED.into_iter().enumerate() {
        let Some(stated) = text(name) else {
            return Some(Disagreement::new(place, format!("`accepted.{name}` is required, as text")));
        };
        let wanted = required.get(name).and_then(Value::as_str).unwrap_or_default();
        let agrees = stated == wanted || (name == "network" && agreement::same_network(stated, wanted, None));
        if !agrees {
            // Schemes and networks are public; who is paid in what is the merchant's to say, in the offers beside this.
            let told = match name {
                "scheme" | "network" => stands(&format!("accepted.{name}"), stated, wanted),
                _ => format!("`accepted.{name}` differs"),
            };
            return Some(Disagreement::new(place, told));
        }
    }
    if !agreement::AMOUNT_MEMBERS.into_iter().any(|name| text(name).is_some()) {
        return Some(Disagreement::new(STATED.len(), "`accepted.amount` is required, as text".to_owned()));
    }
    let member = agreement::difference(accepted, &required, None)?;
    Some(Disagreement::new(STATED.len(), format!("`accepted.{member}` differs")))
}

/// Says what stands at `path`, and what should.
fn stands(path: &str, stated: &str, wanted: &str) -> String {
    format!("`{path}` is `{}` and must be `{wanted}`", brief(stated))
}

/// Our own requirements in the payload's shape; in version 1 only they can tell the resource.
fn requirements(payment: &PaymentPayload, offer: &Offer, url: &str) -> Value {
    let json = match payment {
        PaymentPayload::V2(_) => serde_json::to_value(offer.requirements()),
        PaymentPayload::V1(_) => serde_json::to_value(offer.requirements_v1(url)),
    };
    // Strings, whole numbers and the merchant's own JSON: serialising cannot fail.
    json.unwrap_or_default()
}

#[cfg(test)]
mod tests;
