//! The protocol decision of a paid route: ask for a payment, or have this one settled. Pure.
//!
//! Whatever the payer writes, the requirements that go to the facilitator are this route's own. A payment is
//! passed on only when it accepts one of the route's offers completely and pays exactly its amount.

use crate::{
    domain::{amount::Amount, signed},
    merchant::{
        price::Offer,
        route::{RequestKind, Route, RouteError},
    },
    wire::{
        PaymentPayload, SESSION_SCHEME, WireError, agreement,
        facilitator::PaymentRequest,
        header::{self, HeaderError},
        x402_v1, x402_v2,
    },
};
use http::Method;
use serde_json::{Map, Value};
use solana_pubkey::Pubkey;

/// What an accepted offer has to state in version 2; what it leaves out would be agreed to by silence.
const STATED: [&str; 4] = ["scheme", "network", "asset", "payTo"];

/// What is sold, and the offers for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    routes: Vec<Route>,
    first: Offer,
    others: Vec<Offer>,
    public_base: Option<String>,
}

/// Why nothing is sold like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The route.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The offer's payee.
    #[error(
        "{0} is no wallet: no key signs for a derived address, and what is paid to it is lost. Name the wallet, or say \
         `paying_a_vault` where a program pays out of it"
    )]
    NotAWallet(Pubkey),
}

/// What to do with a request for what is sold.
#[derive(Debug)]
pub enum Decision {
    /// Answer 402 and say why.
    Ask(Refusal),
    /// Have this settled.
    Settle(Box<Payable>),
}

/// A payment that fits one of the route's offers.
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
    /// It accepts something that this route does not offer.
    #[error("the accepted offer is not one of this route's")]
    OtherOffer,
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

impl Gate {
    /// Sells what `route` says, as in `GET /weather/{city}` or `GET|POST /report`: the path as the layer meets it (a nested
    /// router has cut off its prefix). What is not sold is nobody's to pay.
    pub fn new(route: &str, offer: Offer) -> Result<Self, GateError> {
        check_payee(&offer)?;
        Ok(Self { routes: vec![route.parse()?], first: offer, others: Vec::new(), public_base: None })
    }

    /// Sells another route on the same terms.
    pub fn also_sells(mut self, route: &str) -> Result<Self, GateError> {
        self.routes.push(route.parse()?);
        Ok(self)
    }

    /// What a request with this method and path is to what is sold.
    pub fn kind(&self, method: &Method, path: &str) -> RequestKind {
        self.routes.iter().map(|route| route.kind(method, path)).min().unwrap_or(RequestKind::Elsewhere)
    }

    /// The methods with which a path is sold, as in an `Allow` header.
    pub fn methods(&self, path: &str) -> String {
        let of_path = self.routes.iter().filter(|route| route.leads(path));
        of_path.map(Route::methods).collect::<Vec<_>>().join(", ")
    }

    /// Adds another way to pay, less preferred than those before.
    pub fn or(mut self, offer: Offer) -> Result<Self, GateError> {
        check_payee(&offer)?;
        self.others.push(offer);
        Ok(self)
    }

    /// Says under which URL payers reach this server, as in `https://api.example.com`: then a payment that names
    /// another resource is refused, so that one for a sister route cannot be spent here.
    #[must_use]
    pub fn public_base(mut self, base: impl Into<String>) -> Self {
        self.public_base = Some(base.into().trim_end_matches('/').to_owned());
        self
    }

    /// The resource's URL, from the request's path (with its query) and `Host`, unless the public base is known.
    pub fn resource_url(&self, host: Option<&str>, path: &str) -> String {
        match (&self.public_base, host) {
            (Some(base), _) => format!("{base}{path}"),
            (None, Some(host)) => format!("http://{host}{path}"),
            (None, None) => path.to_owned(),
        }
    }

    /// Decides on a request for `url` that carries `payment`, the text of its payment header.
    pub fn decide(&self, payment: Option<&str>, url: &str) -> Decision {
        let Some(text) = payment else { return Decision::Ask(Refusal::NoPayment) };
        match self.read(text, url) {
            Ok(payable) => Decision::Settle(Box::new(payable)),
            Err(refusal) => Decision::Ask(refusal),
        }
    }

    fn offers(&self) -> impl Iterator<Item = &Offer> {
        std::iter::once(&self.first).chain(&self.others)
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
        let identifier = json.pointer("/extensions/payment-identifier").is_some();
        Ok(Payable {
            amount: offer.amount(),
            network: offer.network().to_owned(),
            timeout_seconds: offer.timeout_seconds(),
            has_nonce: session.nonce.is_some() || session.authorization.is_some() || identifier,
            request: PaymentRequest {
                x402_version: Some(payment.version()),
                payment_requirements: requirements(&payment, offer, url),
                payment_payload: json,
            },
        })
    }

    /// The one of our offers that the payer took.
    fn accepted(&self, payment: &PaymentPayload) -> Result<&Offer, Refusal> {
        let taken = |offer: &&Offer| match payment {
            PaymentPayload::V2(payment) => payment.accepted.as_object().is_some_and(|accepted| agrees(accepted, offer)),
            PaymentPayload::V1(payment) => {
                payment.scheme == SESSION_SCHEME
                    && agreement::same_network(&payment.network, offer.network(), None)
                    && payment.payload.amount == offer.amount().to_string()
            }
        };
        self.offers().find(taken).ok_or(Refusal::OtherOffer)
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
            resource: self.first.resource(url),
            accepts: self.offers().map(Offer::requirements).collect(),
            extensions: None,
        };
        let body = x402_v1::PaymentRequired {
            x402_version: x402_v1::VERSION,
            error: Some(error.to_owned()),
            accepts: self.offers().map(|offer| offer.requirements_v1(url)).collect(),
        };
        // Strings and whole numbers: serialising cannot fail, only become too long for a header.
        Asked { header: header::encode(&header).ok(), body: serde_json::to_string(&body).unwrap_or_default() }
    }
}

fn check_payee(offer: &Offer) -> Result<(), GateError> {
    offer.not_a_wallet().map_or(Ok(()), |address| Err(GateError::NotAWallet(address)))
}

/// Whether an accepted offer is `ours`: it states what matters and differs in nothing that both carry.
fn agrees(accepted: &Map<String, Value>, ours: &Offer) -> bool {
    let Ok(Value::Object(required)) = serde_json::to_value(ours.requirements()) else { return false };
    let states = |name: &str| accepted.get(name).is_some_and(Value::is_string);
    STATED.into_iter().all(states)
        && agreement::AMOUNT_MEMBERS.into_iter().any(states)
        && agreement::difference(accepted, &required, None).is_none()
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
