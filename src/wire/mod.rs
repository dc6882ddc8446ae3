//! What goes over HTTP, as serde types and strict decoders; shared by the facilitator, the payer's client and the
//! merchant's middleware.
//!
//! Two ways in. Code that *writes* a body (client, merchant, our answers) uses the typed structs. Code that *decides* over
//! money (`/verify`, `/settle`, `POST /sessions`) uses the decoders [`payment::payment`] and [`opening::opening`],
//! which read raw JSON so that every refusal has its documented word and nothing is coerced. Unknown members are
//! ignored everywhere except in the signed intent: clients of tomorrow may add some.

pub mod agreement;
mod ciphertext;
pub mod facilitator;
pub mod funding;
pub mod header;
pub mod json;
pub mod mpp;
pub mod opening;
pub mod pay;
pub mod payment;
pub mod payments;
pub mod prepare;
pub mod revoke;
pub mod session;
pub mod signed_receipt;
pub mod x402_v1;
pub mod x402_v2;

use json::Object;
use serde_json::Value;

/// The scheme's name on the wire.
pub const SESSION_SCHEME: &str = "session";
/// `extra.settlement` of a merchant who is content with a durable hold that is settled later.
pub const DEFERRED: &str = "deferred";
/// `extra.settlement` of a merchant who waits for a transfer: the default.
pub const PER_CALL: &str = "per-call";
/// x402's extension for idempotency keys.
pub const PAYMENT_IDENTIFIER: &str = "payment-identifier";

/// A JSON object of x402 is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// `x402Version` is a number that we do not speak.
    #[error("x402 version {0} is not spoken here; 1 and 2 are")]
    UnknownVersion(u64),
    /// A member has the wrong type.
    #[error(transparent)]
    WrongType(#[from] json::WrongType),
    /// A member is missing.
    #[error("`{path}` is required")]
    Missing {
        /// Where it should stand, as in `payload.sessionId`.
        path: String,
    },
    /// A required member is missing or of the wrong type.
    #[error("the members are not those of x402 version {version}")]
    Shape {
        /// The version whose shape was tried.
        version: u64,
        /// What serde found.
        #[source]
        source: serde_json::Error,
    },
}

/// Refuses versions nobody has written yet. The number decides nothing else: the published client writes 1 on the
/// shape of 2.
pub fn check_version(version: u64) -> Result<(), WireError> {
    match version {
        x402_v1::VERSION | x402_v2::VERSION => Ok(()),
        other => Err(WireError::UnknownVersion(other)),
    }
}

/// A payer's payment in either shape, as a merchant reads it.
#[derive(Clone, Debug, PartialEq)]
pub enum PaymentPayload {
    /// `scheme` and `network` at the top.
    V1(x402_v1::PaymentPayload),
    /// With `accepted`.
    V2(x402_v2::PaymentPayload),
}

impl PaymentPayload {
    /// Reads a payload; the presence of `accepted` chooses the shape (`spec/session.md` §3).
    pub fn read(json: &Value) -> Result<Self, WireError> {
        let object = Object::outermost(json, "the payment")?;
        check_version(object.integer("x402Version")?.unwrap_or(x402_v2::VERSION))?;
        check_members(&object)?;
        if object.get("accepted").is_some() {
            serde_json::from_value(json.clone())
                .map(Self::V2)
                .map_err(|source| WireError::Shape { version: x402_v2::VERSION, source })
        } else {
            serde_json::from_value(json.clone())
                .map(Self::V1)
                .map_err(|source| WireError::Shape { version: x402_v1::VERSION, source })
        }
    }

    /// The session scheme's part.
    pub fn session(&self) -> &session::SessionPayload {
        match self {
            Self::V1(payment) => &payment.payload,
            Self::V2(payment) => &payment.payload,
        }
    }

    /// The number that the payer wrote.
    pub fn version(&self) -> u64 {
        match self {
            Self::V1(payment) => payment.x402_version,
            Self::V2(payment) => payment.x402_version,
        }
    }
}

/// Names the member of a payment that is missing or of another type: serde would tell its own types.
fn check_members(payment: &Object<'_>) -> Result<(), WireError> {
    if payment.object("accepted")?.is_none() {
        // Version 1 states both at the top; who states neither has left out what version 2 wants.
        if payment.get("scheme").is_none() {
            return Err(WireError::Missing { path: payment.path_of("accepted") });
        }
        required_text(payment, "scheme")?;
        required_text(payment, "network")?;
    }
    let payload = payment.object("payload")?.ok_or_else(|| WireError::Missing { path: payment.path_of("payload") })?;
    required_text(&payload, "sessionId")?;
    required_text(&payload, "amount")?;
    payload.text("nonce")?;
    payload.text("signature")?;
    if let Some(authorization) = payload.object("authorization")? {
        required_text(&authorization, "nonce")?;
        let path = authorization.path_of("expiresAt");
        authorization.integer("expiresAt")?.ok_or(WireError::Missing { path })?;
        authorization.text("resourceHash")?;
    }
    if let Some(resource) = payment.object("resource")? {
        for name in ["url", "description", "mimeType"] {
            resource.text(name)?;
        }
    }
    payment.object("extensions")?;
    Ok(())
}

fn required_text<'a>(object: &Object<'a>, name: &str) -> Result<&'a str, WireError> {
    object.text(name)?.ok_or_else(|| WireError::Missing { path: object.path_of(name) })
}

/// A merchant's challenge in either version, as a payer reads it: tolerant of offers in schemes we do not know.
#[derive(Clone, Debug, PartialEq)]
pub struct Challenge {
    /// 1 or 2.
    pub version: u64,
    /// Why this is a 402, for people.
    pub error: Option<String>,
    /// What is being sold (version 2).
    pub resource: Option<x402_v2::Resource>,
    /// The `session` offers, in the merchant's order.
    pub offers: Vec<Offer>,
    /// What is wrong with those `session` offers that cannot be read, a sentence each; it names members and repeats no values.
    pub malformed: Vec<String>,
    /// What extensions ask for, to be echoed.
    pub extensions: Option<serde_json::Map<String, Value>>,
}

/// One `session` offer of a challenge.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The network as the merchant spelled it.
    pub network: String,
    /// In base units, still text.
    pub amount: String,
    /// The mint, base58.
    pub asset: String,
    /// The wallet to be paid, base58.
    pub pay_to: String,
    /// The longest the merchant waits, in seconds.
    pub max_timeout_seconds: Option<u64>,
    /// The URL, where version 1 tells it.
    pub resource: Option<String>,
    /// The offer as received, to be echoed as `accepted`.
    pub raw: Value,
}

impl Challenge {
    /// Reads a challenge from the header's JSON (version 2) or the body's (version 1).
    ///
    /// Offers of other schemes are left out, and those that lack what a payment needs are told apart.
    pub fn read(json: &Value) -> Result<Self, WireError> {
        let object = Object::outermost(json, "the challenge")?;
        let version = object.integer("x402Version")?.unwrap_or(x402_v1::VERSION);
        check_version(version)?;
        let (mut offers, mut malformed) = (Vec::new(), Vec::new());
        match object.get("accepts").map(Value::as_array) {
            Some(Some(told)) => {
                for (index, raw) in told.iter().enumerate() {
                    match Offer::read(raw, index) {
                        Ok(offer) => offers.extend(offer),
                        Err(error) => malformed.push(error.to_string()),
                    }
                }
            }
            Some(None) => malformed.push("`accepts` must be a list".to_owned()),
            None => malformed.push("`accepts` is required".to_owned()),
        }
        Ok(Self {
            version,
            error: object.get("error").and_then(Value::as_str).map(str::to_owned),
            resource: object.get("resource").and_then(|r| serde_json::from_value(r.clone()).ok()),
            offers,
            malformed,
            extensions: object.get("extensions").and_then(Value::as_object).cloned(),
        })
    }
}

impl Offer {
    /// Reads the offer that stands at `index`; none in another scheme.
    fn read(raw: &Value, index: usize) -> Result<Option<Self>, WireError> {
        if raw.get("scheme").and_then(Value::as_str) != Some(SESSION_SCHEME) {
            return Ok(None);
        }
        let offer = Object::at(raw, format!("accepts[{index}]"))?;
        let text = |name: &str| required_text(&offer, name).map(str::to_owned);
        let amount = match offer.text("amount")? {
            Some(amount) => Some(amount),
            None => offer.text("maxAmountRequired")?,
        };
        Ok(Some(Self {
            network: text("network")?,
            amount: amount.ok_or_else(|| WireError::Missing { path: offer.path_of("amount") })?.to_owned(),
            asset: text("asset")?,
            pay_to: text("payTo")?,
            max_timeout_seconds: raw.get("maxTimeoutSeconds").and_then(Value::as_u64),
            resource: raw.get("resource").and_then(Value::as_str).map(str::to_owned),
            raw: raw.clone(),
        }))
    }
}
