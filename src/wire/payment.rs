//! The decoding that `/verify` and `/settle` share: from bytes to a [`Payment`] both sides agree on, or a reason.
//!
//! Code that gets a [`Payment`] knows (`spec/session.md` §3): the scheme is `session` on both sides, the network is the
//! served one in some spelling, `accepted` equals the requirements in every member that both carry, the payload's
//! amount is the required one, and all keys a caller gave for the same payment (nonce, `payment-identifier`, the
//! authorisation's nonce) are one. Whether the session can pay is not decided here..

mod identity;
mod request;

use crate::{
    domain::{
        amount::Amount,
        network::Network,
        payment::{Payment, SessionPayment},
        printable::brief,
        reason::PayReason,
        session::SessionId,
        signed,
    },
    wire::{
        DEFERRED, PER_CALL, SESSION_SCHEME, agreement, check_version,
        json::{self, Object},
    },
};
use serde_json::Value;
use solana_pubkey::Pubkey;

/// Why a body is no payment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Refused {
    /// The stable word.
    pub reason: PayReason,
    /// A sentence that names members and repeats no values but schemes and networks.
    pub detail: String,
    /// The network as the requirements spell it, for the answer to echo; empty when they name none.
    pub network: String,
}

impl Refused {
    pub(super) fn new(reason: PayReason) -> Self {
        Self::because(reason, reason.meaning())
    }

    pub(super) fn because(reason: PayReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), network: String::new() }
    }
}

impl From<json::WrongType> for Refused {
    fn from(error: json::WrongType) -> Self {
        Self::because(PayReason::BadRequest, error.to_string())
    }
}

/// Reads the body of `/verify` or `/settle` for a facilitator that serves `served`.
pub fn payment(body: &[u8], served: &Network) -> Result<Payment, Refused> {
    let json = json::read(body).map_err(|error| Refused::because(PayReason::BadRequest, error.to_string()))?;
    decode(&json, served).map_err(|refused| Refused { network: spelled_network(&json), ..refused })
}

/// The network to echo in an answer to a body that may be wrong elsewhere.
pub(super) fn spelled_network(json: &Value) -> String {
    let network = json.pointer("/paymentRequirements/network").and_then(Value::as_str).unwrap_or_default();
    // Echoed to the caller only; the bound keeps answers small whatever was sent.
    network.chars().take(64).collect()
}

fn decode(json: &Value, served: &Network) -> Result<Payment, Refused> {
    let sides = Sides::read(json)?;
    sides.check_scheme()?;
    let network = sides.network(served)?;
    let session = sides.session()?;
    let asset = key(&sides.required, "asset", PayReason::AssetMismatch)?;
    let pay_to = key(&sides.required, "payTo", PayReason::RecipientMismatch)?;
    let amount = sides.amount(served)?;
    let terms = sides.terms()?;
    let (nonce, authorization) = identity::identity(&sides.payment, &sides.payload)?;
    Ok(Payment::Session(SessionPayment {
        session,
        amount,
        network,
        asset,
        pay_to,
        nonce,
        resource: sides.resource()?,
        authorization,
        idempotent: terms.idempotent.then(|| request::hash(json)),
        deferred: terms.deferred,
        funding_required: terms.funding_required,
        max_timeout_seconds: terms.max_timeout_seconds,
    }))
}

/// The two sides of a request.
struct Sides<'a> {
    /// `paymentPayload`.
    payment: Object<'a>,
    /// `paymentPayload.payload`.
    payload: Object<'a>,
    /// `paymentPayload.accepted`; its presence is what makes the shape version 2.
    accepted: Option<Object<'a>>,
    /// `paymentRequirements`.
    required: Object<'a>,
}

/// What the merchant adds to the price.
#[derive(Default)]
struct Terms {
    idempotent: bool,
    deferred: bool,
    funding_required: bool,
    max_timeout_seconds: Option<u64>,
}

impl<'a> Sides<'a> {
    fn read(json: &'a Value) -> Result<Self, Refused> {
        let body = Object::root(json)?;
        let payment = required_object(&body, "paymentPayload")?;
        let required = required_object(&body, "paymentRequirements")?;
        for object in [&body, &payment] {
            if let Some(version) = object.integer("x402Version")? {
                check_version(version).map_err(|error| Refused::because(PayReason::BadRequest, error.to_string()))?;
            }
        }
        let payload = required_object(&payment, "payload")?;
        let accepted = payment.object("accepted")?;
        Ok(Self { payment, payload, accepted, required })
    }

    /// Where the payer states scheme and network: in `accepted`, or at the top in version 1.
    fn stated(&self) -> &Object<'a> {
        self.accepted.as_ref().unwrap_or(&self.payment)
    }

    /// The merchant's side first: a payer only repeats what it asks for.
    fn check_scheme(&self) -> Result<(), Refused> {
        for side in [&self.required, self.stated()] {
            let scheme = side.text("scheme")?;
            if scheme == Some(SESSION_SCHEME) {
                continue;
            }
            let path = side.path_of("scheme");
            let detail = match self.accepted {
                None if scheme.is_none() && path.starts_with("paymentPayload") => {
                    "`paymentPayload.accepted` is required: the offer that was taken.".to_owned()
                }
                _ => format!("`{path}` must be `{SESSION_SCHEME}`; {}.", stands(scheme)),
            };
            return Err(Refused::because(PayReason::SchemeMismatch, detail));
        }
        Ok(())
    }

    /// The requirements' spelling, which answers echo.
    fn network(&self, served: &Network) -> Result<String, Refused> {
        for side in [&self.required, self.stated()] {
            let network = side.text("network")?;
            if !network.is_some_and(|spelling| served.is(spelling)) {
                let (path, stands) = (side.path_of("network"), stands(network));
                let detail = format!("`{path}` must name {} in any spelling; {stands}.", served.alias());
                return Err(Refused::because(PayReason::NetworkMismatch, detail));
            }
        }
        Ok(self.required.text("network")?.unwrap_or_default().to_owned())
    }

    fn session(&self) -> Result<SessionId, Refused> {
        let text = self.payload.text("sessionId")?.filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| Refused::new(PayReason::MissingSessionId))?;
        // What is not an id is nobody's session: the same answer as for an unknown one.
        text.parse().map_err(|_| Refused::new(PayReason::SessionNotFound))
    }

    /// The one amount that all its places state.
    fn amount(&self, served: &Network) -> Result<Amount, Refused> {
        let required = amounts(&self.required)?;
        let Some(&amount) = required.first() else {
            let detail = format!("`{}` is required.", self.required.path_of("amount"));
            return Err(Refused::because(PayReason::InvalidAmount, detail));
        };
        if required.iter().any(|other| *other != amount) {
            return Err(Refused::because(PayReason::AmountMismatch, "`amount` and `maxAmountRequired` differ."));
        }
        if let Some(accepted) = &self.accepted {
            amounts(accepted)?;
            if let Some(member) = agreement::difference(accepted.members(), self.required.members(), Some(served)) {
                let detail = format!("`{}` differs from the requirements.", accepted.path_of(&member));
                return Err(Refused::because(PayReason::AcceptedMismatch, detail));
            }
        }
        match amount_member(&self.payload, "amount")? {
            Some(paid) if paid == amount => Ok(amount),
            Some(_) => Err(Refused::new(PayReason::AmountMismatch)),
            None => {
                let detail = format!("`{}` is required.", self.payload.path_of("amount"));
                Err(Refused::because(PayReason::InvalidAmount, detail))
            }
        }
    }

    /// The payer's own URL; in version 1 only the merchant states one.
    fn resource(&self) -> Result<Option<String>, Refused> {
        let told = match self.payment.object("resource")? {
            Some(resource) => resource.text("url")?,
            None => None,
        };
        let stated = if self.accepted.is_none() { self.required.text("resource")? } else { None };
        Ok(told.or(stated).map(str::to_owned))
    }

    fn terms(&self) -> Result<Terms, Refused> {
        let max_timeout_seconds = self.required.integer("maxTimeoutSeconds")?;
        if max_timeout_seconds == Some(0) {
            let detail = format!("`{}` must be positive.", self.required.path_of("maxTimeoutSeconds"));
            return Err(Refused::because(PayReason::BadRequest, detail));
        }
        let Some(extra) = self.required.object("extra")? else {
            return Ok(Terms { max_timeout_seconds, ..Terms::default() });
        };
        let deferred = match extra.text("settlement")? {
            None | Some(PER_CALL) => false,
            Some(DEFERRED) => true,
            // Served less than was asked for would be a surprise later, so an unknown word is refused.
            Some(_) => {
                let detail = format!("`{}` must be `{PER_CALL}` or `{DEFERRED}`.", extra.path_of("settlement"));
                return Err(Refused::because(PayReason::BadRequest, detail));
            }
        };
        Ok(Terms {
            idempotent: extra.flag("idempotent")?.unwrap_or(false),
            deferred,
            funding_required: extra.text("funding")? == Some("required"),
            max_timeout_seconds,
        })
    }
}

fn required_object<'a>(object: &Object<'a>, name: &str) -> Result<Object<'a>, Refused> {
    object
        .object(name)?
        .ok_or_else(|| Refused::because(PayReason::BadRequest, format!("`{}` is required.", object.path_of(name))))
}

/// A key that is not a key cannot be the session's; it gets that reason, with the cause in the sentence.
fn key(object: &Object<'_>, name: &str, reason: PayReason) -> Result<Pubkey, Refused> {
    let refuse = |reason, what| Refused::because(reason, format!("`{}` {what}.", object.path_of(name)));
    let text = object.text(name)?.ok_or_else(|| refuse(PayReason::BadRequest, "is required"))?;
    signed::parse_key(text).ok_or_else(|| refuse(reason, "must be a base58 public key of 32 bytes"))
}

/// Every amount that one side states, each strictly read.
fn amounts(object: &Object<'_>) -> Result<Vec<Amount>, Refused> {
    let stated = agreement::AMOUNT_MEMBERS.into_iter().map(|name| amount_member(object, name));
    stated.filter_map(Result::transpose).collect()
}

fn amount_member(object: &Object<'_>, name: &str) -> Result<Option<Amount>, Refused> {
    let Some(value) = object.get(name) else {
        return Ok(None);
    };
    let refuse =
        |what: String| Refused::because(PayReason::InvalidAmount, format!("`{}`{what}.", object.path_of(name)));
    // A JSON number is refused: beyond 2^53 its meaning depends on who reads it.
    let text = value.as_str().ok_or_else(|| refuse(" must be a string".to_owned()))?;
    Amount::parse_positive(text).map(Some).map_err(|error| refuse(format!(": {error}")))
}

/// What stands in the place of a scheme or a network, which are public.
fn stands(text: Option<&str>) -> String {
    text.map_or_else(|| "it is missing".to_owned(), |text| format!("it is `{}`", brief(text)))
}
