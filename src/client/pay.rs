//! The decision to pay a challenge, and the payment; pure.
//!
//! A payment is made only of the session scheme, on the session's network, in its asset, to its recipient, at most the
//! payer's maximum, before the session expires. Everything else is a typed refusal and costs nothing.

use crate::{
    client::saved::OpenSession,
    domain::{
        amount::Amount,
        chance::Chance,
        clock::{Clock, UnixSeconds},
        nonce::payment_nonce,
        printable::brief,
        signed,
    },
    wire::{
        Challenge, DEFERRED, Offer, PAYMENT_IDENTIFIER, SESSION_SCHEME,
        header::{self, HeaderError},
        session::{PaymentAuthorization, SessionPayload},
        x402_v1, x402_v2,
    },
};
use serde_json::{Map, Value, json};

/// How long a payment's authorisation outlives the merchant's own wait, in seconds.
const GRACE_SECONDS: u64 = 60;
/// The longest wait of a merchant that an authorisation is made for, in seconds.
const LONGEST_WAIT_SECONDS: u64 = 600;

/// Why a challenge is not paid, from the farthest miss to the nearest. The text tells no amounts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum PayRefusal {
    /// The merchant offers nothing in the session scheme.
    #[error("the merchant does not take the session scheme")]
    NoOffer,
    /// It offers the session scheme, and the offer cannot be read: what is wrong, by the member that is.
    #[error("the merchant's session offer is malformed: {0}")]
    Malformed(String),
    /// Another network: the one that the merchant names.
    #[error("the merchant is on another network, `{0}`")]
    Network(String),
    /// Another asset.
    #[error("the merchant wants another asset")]
    Asset,
    /// The money would go to somebody else than the session's recipient.
    #[error("the merchant wants another recipient to be paid")]
    Recipient,
    /// The amount is not a plain positive number of base units.
    #[error("the merchant's `amount` must be a plain positive number of base units")]
    Amount,
    /// Above the payer's maximum.
    #[error("the price is above the payer's maximum")]
    TooExpensive {
        /// What is asked, in base units.
        asked: Amount,
        /// The most that the payer pays for one call.
        most: Amount,
    },
    /// The session's expiration has passed.
    #[error("the session has expired")]
    Expired,
    /// The payment is too long for a header.
    #[error("the payment does not fit into a header")]
    TooLong,
}

/// A payment, ready to be sent, and to be repeated: repeated, it is still the same payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// What it pays, in base units.
    pub amount: Amount,
    /// The id of the session that pays.
    pub session: String,
    /// Its idempotency key.
    pub nonce: String,
    /// The version of the challenge it answers.
    pub version: u64,
    /// Whether the merchant's offer lets it be held and settled later.
    pub deferred: bool,
    header: String,
}

impl Payment {
    /// Reads the base64 header of a payment that was sent before, so that it can be sent again. `None` where the text is no payment of
    /// a session, or has no nonce.
    pub fn from_header(text: &str) -> Option<Self> {
        let json: Value = header::decode(text).ok()?;
        let member = |pointer: &str| json.pointer(pointer).and_then(Value::as_str);
        Some(Self {
            amount: Amount::parse_positive(member("/payload/amount")?).ok()?,
            session: member("/payload/sessionId")?.to_owned(),
            nonce: member("/payload/nonce")?.to_owned(),
            version: json.get("x402Version")?.as_u64()?,
            deferred: member("/accepted/extra/settlement").is_some_and(|how| how == DEFERRED),
            header: text.to_owned(),
        })
    }

    /// The value of `PAYMENT-SIGNATURE` (and of `X-PAYMENT` for version 1).
    pub fn header(&self) -> &str {
        &self.header
    }
}

/// Pays `challenge`, made for the resource at `url`, from `session`; or says why not.
pub fn pay(
    session: &OpenSession,
    challenge: &Challenge,
    url: &str,
    max_price: Amount,
    clock: &dyn Clock,
    chance: &dyn Chance,
) -> Result<Payment, PayRefusal> {
    let now = clock.now();
    let (offer, amount) = choose(session, challenge, max_price)?;
    if session.expires_at <= now {
        return Err(PayRefusal::Expired);
    }
    let nonce = payment_nonce(clock, chance);
    let payment = x402_v2::PaymentPayload {
        x402_version: challenge.version,
        resource: Some(x402_v2::Resource { url: Some(url.to_owned()), ..x402_v2::Resource::default() }),
        accepted: offer.raw.clone(),
        payload: payload(session, offer, amount, url, &nonce, now),
        extensions: extensions(challenge.extensions.as_ref(), &nonce),
    };
    let header = encode(&payment, offer).map_err(|_| PayRefusal::TooLong)?;
    let deferred = offer.raw.pointer("/extra/settlement").is_some_and(|how| how == DEFERRED);
    let session = session.id.to_string();
    Ok(Payment { amount, session, nonce, version: challenge.version, deferred, header })
}

/// The first offer that may be paid, or the reason of the one that came nearest.
fn choose<'a>(
    session: &OpenSession,
    challenge: &'a Challenge,
    max_price: Amount,
) -> Result<(&'a Offer, Amount), PayRefusal> {
    let mut nearest = challenge.malformed.first().cloned().map_or(PayRefusal::NoOffer, PayRefusal::Malformed);
    for offer in &challenge.offers {
        match check(session, offer, max_price) {
            Ok(amount) => return Ok((offer, amount)),
            Err(refusal) => nearest = nearest.max(refusal),
        }
    }
    Err(nearest)
}

fn check(session: &OpenSession, offer: &Offer, max_price: Amount) -> Result<Amount, PayRefusal> {
    if !session.is_on(&offer.network) {
        return Err(PayRefusal::Network(brief(&offer.network)));
    }
    if offer.asset != session.asset.to_string() {
        return Err(PayRefusal::Asset);
    }
    if offer.pay_to != session.recipient.to_string() {
        return Err(PayRefusal::Recipient);
    }
    let amount = Amount::parse_positive(&offer.amount).map_err(|_| PayRefusal::Amount)?;
    if amount > max_price {
        return Err(PayRefusal::TooExpensive { asked: amount, most: max_price });
    }
    Ok(amount)
}

fn payload(
    session: &OpenSession,
    offer: &Offer,
    amount: Amount,
    url: &str,
    nonce: &str,
    now: UnixSeconds,
) -> SessionPayload {
    let expires_at = now
        .saturating_add(offer.max_timeout_seconds.unwrap_or(0).min(LONGEST_WAIT_SECONDS))
        .saturating_add(GRACE_SECONDS);
    let signed = session.authority.as_ref().map(|authority| {
        let message = signed::payment_message(
            &authority.intent,
            session.id,
            amount,
            &session.recipient,
            nonce,
            expires_at,
            Some(url),
        );
        let authorization = PaymentAuthorization {
            nonce: nonce.to_owned(),
            expires_at,
            resource_hash: Some(signed::resource_hash(url)),
        };
        (authorization, bs58::encode(authority.key.sign(message.as_bytes())).into_string())
    });
    let (authorization, signature) = signed.unzip();
    SessionPayload {
        session_id: session.id.to_string(),
        amount: amount.to_string(),
        nonce: Some(nonce.to_owned()),
        authorization,
        signature,
    }
}

/// Echoes what the challenge's extensions ask for; the payment's identifier is its nonce.
fn extensions(asked: Option<&Map<String, Value>>, nonce: &str) -> Option<Map<String, Value>> {
    let mut echoed = asked?.clone();
    if let Some(Value::Object(identifier)) = echoed.get_mut(PAYMENT_IDENTIFIER) {
        let info = identifier.entry("info").or_insert_with(|| json!({}));
        if let Value::Object(info) = info {
            info.insert("id".to_owned(), Value::from(nonce));
        }
    }
    Some(echoed)
}

/// Version 1 merchants look for scheme and network at the top; the session scheme's for `accepted`. Version 1 payments
/// carry both.
fn encode(payment: &x402_v2::PaymentPayload, offer: &Offer) -> Result<String, HeaderError> {
    let mut json = serde_json::to_value(payment).map_err(HeaderError::Shape)?;
    if payment.x402_version == x402_v1::VERSION
        && let Value::Object(members) = &mut json
    {
        members.insert("scheme".to_owned(), Value::from(SESSION_SCHEME));
        members.insert("network".to_owned(), Value::from(offer.network.as_str()));
    }
    header::encode(&json)
}

#[cfg(test)]
mod tests;
