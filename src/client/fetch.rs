//! HTTP with payment: send, and when a 402 may be paid, pay once and ask once more.

use crate::{
    client::{
        pay::{self, PayRefusal, Payment},
        saved::OpenSession,
    },
    domain::{amount::Amount, chance::Chance, clock::Clock},
    wire::{
        Challenge, WireError,
        facilitator::SettleAnswer,
        header::{self as x402, HeaderError},
        json::{self, JsonError},
        x402_v1,
    },
};
use reqwest::{Request, Response, StatusCode, Url, header::HeaderMap, header::HeaderValue, redirect};
use std::{fmt, sync::Arc, time::Duration};

/// The longest challenge that is read from a body, in bytes.
const MAX_CHALLENGE_BYTES: usize = 64 * 1024;

/// Why a request was not answered, or not paid.
#[derive(Debug, thiserror::Error)]
pub enum PayError {
    /// The request cannot be sent a second time (its body is a stream).
    #[error("a request with a streaming body cannot be paid for, because it cannot be repeated")]
    NotRepeatable,
    /// The request could not be sent, or its answer not read. Nothing was paid.
    #[error("the merchant did not answer")]
    Http(#[source] reqwest::Error),
    /// The 402 is no x402 challenge.
    #[error("the merchant's challenge is unreadable")]
    Challenge(#[source] ChallengeError),
    /// The session may not be used at this origin; see [`OpenSession::origins`].
    #[error("the session may not be used at {origin}")]
    Origin {
        /// Whom the payer was about to pay.
        origin: String,
    },
    /// The challenge is not one that this session pays.
    #[error(transparent)]
    Refusal(#[from] PayRefusal),
    /// The payment was sent, and no answer came: it may have been made. [`Payer::repeat`] repeats the same payment.
    #[error("the merchant did not answer the payment, so its outcome is unknown")]
    Unknown {
        /// The payment that was sent.
        payment: Box<Payment>,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The facilitator did not settle the payment. With `settlement_pending` it still may; [`Payer::repeat`] asks.
    #[error("the payment was not settled: {}", .answer.error_reason.as_deref().unwrap_or("no reason given"))]
    NotSettled {
        /// The payment that was sent.
        payment: Box<Payment>,
        /// What the facilitator said.
        answer: Box<SettleAnswer>,
    },
    /// The merchant asks again instead of serving, and attaches no answer of a facilitator.
    #[error("the merchant refused the payment: {reason}")]
    Rejected {
        /// The payment that was sent.
        payment: Box<Payment>,
        /// The merchant's words.
        reason: String,
    },
}

/// Why a 402 could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ChallengeError {
    /// The header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The body's JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Its members.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Longer than we read.
    #[error("the challenge is longer than {MAX_CHALLENGE_BYTES} bytes")]
    TooLong,
}

/// An answered request.
#[derive(Debug)]
pub struct Fetched {
    /// The merchant's answer.
    pub response: Response,
    /// What was paid for it, if it cost anything.
    pub payment: Option<Payment>,
    /// The receipt that came with it. Its absence does not mean that nothing was paid.
    pub receipt: Option<SettleAnswer>,
}

/// Pays from one session, at its origins, up to a maximum a call.
pub struct Payer {
    http: reqwest::Client,
    session: OpenSession,
    max_price: Amount,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
}

impl fmt::Debug for Payer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payer").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Payer {
    /// Pays at most `max_price` base units a call from `session`; a call, settlement included, may take `deadline`.
    pub fn new(
        session: OpenSession,
        max_price: Amount,
        deadline: Duration,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
    ) -> Result<Self, PayError> {
        let http = reqwest::Client::builder()
            // A followed redirect would carry the payment to whoever it points to; callers get the 3xx.
            .redirect(redirect::Policy::none())
            .timeout(deadline)
            .user_agent(concat!("sotto/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| PayError::Http(error.without_url()))?;
        Ok(Self { http, session, max_price, clock, chance })
    }

    /// The session paid from.
    pub fn session(&self) -> &OpenSession {
        &self.session
    }

    /// `GET url`.
    pub async fn get(&self, url: Url) -> Result<Fetched, PayError> {
        self.fetch(Request::new(reqwest::Method::GET, url)).await
    }

    /// Sends `request`; when the answer is a 402 that may be paid, pays once and sends it once more.
    ///
    /// Refuses before paying: origins that the session is not for, offers that [`pay::pay`] refuses.
    pub async fn fetch(&self, request: Request) -> Result<Fetched, PayError> {
        let again = request.try_clone().ok_or(PayError::NotRepeatable)?;
        let response = self.http.execute(request).await.map_err(http)?;
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            return Ok(Fetched { response, payment: None, receipt: None });
        }
        let url = again.url().clone();
        self.check_origin(&url)?;
        let challenge = challenge(response).await?;
        let resource = resource(url);
        let (now, chance) = (self.clock.now(), self.chance.as_ref());
        let payment = pay::pay(&self.session, &challenge, &resource, self.max_price, now, chance)?;
        self.send_paid(again, payment).await
    }

    /// Sends `request` with a payment that was sent before and whose outcome is not known. It is the same payment:
    /// it is settled once, however often it is sent.
    pub async fn repeat(&self, request: Request, payment: Payment) -> Result<Fetched, PayError> {
        self.check_origin(request.url())?;
        self.send_paid(request, payment).await
    }

    async fn send_paid(&self, mut request: Request, payment: Payment) -> Result<Fetched, PayError> {
        attach(request.headers_mut(), &payment)?;
        let response = match self.http.execute(request).await {
            Ok(response) => response,
            Err(source) => {
                return Err(PayError::Unknown { payment: Box::new(payment), source: source.without_url() });
            }
        };
        let receipt = receipt(response.headers());
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            return Ok(Fetched { response, payment: Some(payment), receipt });
        }
        let payment = Box::new(payment);
        if let Some(answer) = receipt {
            return Err(PayError::NotSettled { payment, answer: Box::new(answer) });
        }
        let reason = challenge(response).await.ok().and_then(|challenge| challenge.error);
        Err(PayError::Rejected { payment, reason: reason.unwrap_or_else(|| "no reason given".to_owned()) })
    }

    fn check_origin(&self, url: &Url) -> Result<(), PayError> {
        let origin = url.origin().ascii_serialization();
        let allowed = |known: &String| Url::parse(known).is_ok_and(|known| known.origin() == url.origin());
        if self.session.origins.iter().any(allowed) { Ok(()) } else { Err(PayError::Origin { origin }) }
    }
}

fn http(error: reqwest::Error) -> PayError {
    PayError::Http(error.without_url())
}

/// What the payment is bound to: the URL as the merchant sees it, without what stays on our side.
fn resource(mut url: Url) -> String {
    url.set_fragment(None);
    // Only URLs without a host refuse this, and they were not fetched.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

fn attach(headers: &mut HeaderMap, payment: &Payment) -> Result<(), PayError> {
    let mut value = HeaderValue::try_from(payment.header()).map_err(|_| PayRefusal::TooLong)?;
    value.set_sensitive(true);
    if payment.version == x402_v1::VERSION {
        headers.insert(x402::X_PAYMENT, value.clone());
    }
    headers.insert(x402::PAYMENT_SIGNATURE, value);
    Ok(())
}

/// The challenge of version 2 in the header, else that of version 1 in the body.
async fn challenge(response: Response) -> Result<Challenge, PayError> {
    let header =
        response.headers().get(x402::PAYMENT_REQUIRED).map(|value| value.to_str().unwrap_or_default().to_owned());
    let json = match header {
        Some(text) => x402::decode(&text).map_err(|error| PayError::Challenge(error.into()))?,
        None => json::read(&body(response).await?).map_err(|error| PayError::Challenge(error.into()))?,
    };
    Challenge::read(&json).map_err(|error| PayError::Challenge(error.into()))
}

async fn body(mut response: Response) -> Result<Vec<u8>, PayError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(http)? {
        if body.len() + chunk.len() > MAX_CHALLENGE_BYTES {
            return Err(PayError::Challenge(ChallengeError::TooLong));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The facilitator's answer as the merchant passed it on, under either version's name; unreadable counts as absent.
fn receipt(headers: &HeaderMap) -> Option<SettleAnswer> {
    [x402::PAYMENT_RESPONSE, x402::X_PAYMENT_RESPONSE]
        .into_iter()
        .filter_map(|name| headers.get(name)?.to_str().ok())
        .find_map(|text| x402::decode(text).ok())
}
