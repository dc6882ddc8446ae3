//! HTTP with payment: send, and when a 402 may be paid, pay once and ask once more.
//!
//! Promises that a request is paid at most once, whatever the merchant says: what became of a payment is asked of the
//! facilitator, and what is sent again is the same payment.

use crate::{
    client::{
        body::{BodyError, BoundedBody},
        follow::{Fate, fate},
        funding::{Prover, asks_for_proof},
        pay::{self, PayRefusal, Payment},
        receipt::{self, ReceiptMisfit},
        saved::OpenSession,
        signer::PayerSigner,
    },
    domain::{amount::Amount, chance::Chance, clock::Clock, reason::PayReason},
    wire::{
        Challenge, WireError,
        facilitator::SettleAnswer,
        header::{self as x402, HeaderError},
        json::{self, JsonError},
        x402_v1,
    },
};
use reqwest::{Request, Response, StatusCode, Url, header::HeaderMap, header::HeaderValue, redirect};
use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The longest challenge that is read from a body, in bytes.
const MAX_CHALLENGE_BYTES: u64 = 64 * 1024;
/// How long a proof that could not be made is not tried again.
const PROOF_PAUSE_SECONDS: u64 = 30;

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
    /// The payment could not be kept before it was sent, so it was not sent.
    #[error("the payment was not sent, because it could not be kept")]
    KeepFailed(#[source] io::Error),
    /// The payment was sent, and no answer came: it may have been made. [`Payer::repeat`] repeats the same payment.
    #[error("the merchant did not answer the payment, so its outcome is unknown")]
    Unknown {
        /// The payment that was sent.
        payment: Box<Payment>,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The merchant says that the facilitator did not settle the payment. Only `fate` is the facilitator's own word. With
    /// `settlement_pending` it still may be settled; [`Payer::repeat`] asks.
    #[error(
        "the merchant says that the payment was not settled: {}; {fate}",
        .answer.error_reason.as_deref().unwrap_or("no reason given")
    )]
    NotSettled {
        /// The payment that was sent.
        payment: Box<Payment>,
        /// What the facilitator said, as the merchant passed it on.
        answer: Box<SettleAnswer>,
        /// What the facilitator has of the payment.
        fate: Box<Fate>,
    },
    /// The merchant asks again instead of serving, and attaches no answer of a facilitator.
    #[error("the merchant refused the payment: {reason}; {fate}")]
    Rejected {
        /// The payment that was sent.
        payment: Box<Payment>,
        /// The merchant's words.
        reason: String,
        /// What the facilitator has of the payment.
        fate: Box<Fate>,
    },
}

impl PayError {
    /// The payment that was sent, where one was.
    pub fn payment(&self) -> Option<&Payment> {
        match self {
            Self::Unknown { payment, .. } | Self::NotSettled { payment, .. } | Self::Rejected { payment, .. } => {
                Some(payment)
            }
            Self::NotRepeatable
            | Self::Http(_)
            | Self::Challenge(_)
            | Self::Origin { .. }
            | Self::Refusal(_)
            | Self::KeepFailed(_) => None,
        }
    }
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
    /// The merchant's answer. Its body is as long as the merchant likes: [`BoundedBody`] reads no more than a limit.
    pub response: Response,
    /// What was sent to pay for it, if it cost anything.
    pub payment: Option<Payment>,
    /// The receipt that came with it, where it is one of this payment. Its absence does not mean that nothing was paid.
    pub receipt: Option<SettleAnswer>,
    /// A receipt that came with it and is none of this payment.
    pub misfit: Option<Box<ReceiptMisfit>>,
}

/// Pays from one session, at its origins, up to a maximum a call.
pub struct Payer {
    http: reqwest::Client,
    session: OpenSession,
    max_price: Amount,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    funding: Option<(Prover, Arc<dyn PayerSigner>)>,
    /// Unix seconds before which no further proof is tried: one that cannot be made now is not worth asking for again
    /// at every payment.
    next_proof: AtomicU64,
    keep: Option<Keep>,
}

/// Keeps a payment before it is sent, with the URL it goes to.
type Keep = Box<dyn Fn(&Url, &Payment) -> io::Result<()> + Send + Sync>;

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
        Ok(Self { http, session, max_price, clock, chance, funding: None, next_proof: AtomicU64::new(0), keep: None })
    }

    /// Lets `wallet` prove its balance whenever an answer says that it is unproven or short. A payment that was refused for
    /// want of a proof, and that the facilitator does not have, is then sent once more: the same one.
    #[must_use]
    pub fn proving(mut self, prover: Prover, wallet: Arc<dyn PayerSigner>) -> Self {
        self.funding = Some((prover, wallet));
        self
    }

    /// Has `keep` called with each payment before it is sent, and the URL it goes to: what is kept can be sent again with
    /// [`Payer::repeat`], whatever becomes of this process. One that cannot be kept is not sent.
    #[must_use]
    pub fn keeping(mut self, keep: impl Fn(&Url, &Payment) -> io::Result<()> + Send + Sync + 'static) -> Self {
        self.keep = Some(Box::new(keep));
        self
    }

    /// Proves the balance anew; true when the facilitator took the proof.
    async fn prove(&self) -> bool {
        let Some((prover, wallet)) = &self.funding else { return false };
        let now = self.clock.now();
        if now < self.next_proof.load(Ordering::Relaxed) {
            return false;
        }
        let proved = prover.prove(&self.session, wallet.as_ref()).await;
        if let Err(error) = &proved {
            tracing::info!(%error, "the balance is not proved");
            self.next_proof.store(now.saturating_add(PROOF_PAUSE_SECONDS), Ordering::Relaxed);
        }
        proved.is_ok()
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
            return Ok(Fetched { response, payment: None, receipt: None, misfit: None });
        }
        let url = again.url().clone();
        self.check_origin(&url)?;
        let challenge = challenge(response).await?;
        let (clock, chance) = (self.clock.as_ref(), self.chance.as_ref());
        let payment = pay::pay(&self.session, &challenge, &resource(url), self.max_price, clock, chance)?;
        let once_more = again.try_clone();
        match self.send_paid(again, payment).await {
            // This is the merchant's word, and a merchant may have had the payment settled. So the facilitator must have
            // nothing of it, and it is this payment that is sent again: both together are settled once.
            Err(PayError::NotSettled { payment, answer, fate })
                if wants_proof(&answer) && matches!(*fate, Fate::NoRecord) =>
            {
                match once_more {
                    Some(request) if self.prove().await => self.send_paid(request, *payment).await,
                    _ => Err(PayError::NotSettled { payment, answer, fate }),
                }
            }
            Ok(fetched) => {
                if fetched.receipt.as_ref().is_some_and(|receipt| asks_for_proof(level(receipt))) {
                    self.prove().await;
                }
                Ok(fetched)
            }
            failed => failed,
        }
    }

    /// Sends `request` with a payment that was sent before and whose outcome is not known. It is the same payment:
    /// it is settled once, however often it is sent.
    pub async fn repeat(&self, request: Request, payment: Payment) -> Result<Fetched, PayError> {
        self.check_origin(request.url())?;
        self.send_paid(request, payment).await
    }

    async fn send_paid(&self, mut request: Request, payment: Payment) -> Result<Fetched, PayError> {
        attach(request.headers_mut(), &payment)?;
        if let Some(keep) = &self.keep {
            keep(request.url(), &payment).map_err(PayError::KeepFailed)?;
        }
        let response = match self.http.execute(request).await {
            Ok(response) => response,
            Err(source) => {
                return Err(PayError::Unknown { payment: Box::new(payment), source: source.without_url() });
            }
        };
        let told = told(response.headers());
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            let (receipt, misfit) = match told.map(|answer| receipt::compare(&self.session, &payment, answer)) {
                Some(Ok(receipt)) => (Some(receipt), None),
                Some(Err(misfit)) => (None, Some(misfit)),
                None => (None, None),
            };
            return Ok(Fetched { response, payment: Some(payment), receipt, misfit });
        }
        let words = if told.is_none() { challenge(response).await.ok() } else { None };
        let fate = Box::new(fate(&self.session, &payment, self.clock.as_ref()).await);
        let payment = Box::new(payment);
        if let Some(answer) = told {
            return Err(PayError::NotSettled { payment, answer: Box::new(answer), fate });
        }
        let reason = words.and_then(|challenge| challenge.error).unwrap_or_else(|| "no reason given".to_owned());
        Err(PayError::Rejected { payment, reason, fate })
    }

    fn check_origin(&self, url: &Url) -> Result<(), PayError> {
        let origin = url.origin().ascii_serialization();
        let allowed = |known: &String| Url::parse(known).is_ok_and(|known| known.origin() == url.origin());
        if self.session.origins.iter().any(allowed) { Ok(()) } else { Err(PayError::Origin { origin }) }
    }
}

/// What an answer says of the payer's balance.
fn level(answer: &SettleAnswer) -> Option<&str> {
    answer.extensions.as_ref()?.session.as_ref()?.funding.as_deref()
}

/// Whether a payment was refused, without a trace, because the balance is not proved to cover it.
fn wants_proof(answer: &SettleAnswer) -> bool {
    let reason = answer.error_reason.as_deref().and_then(PayReason::from_word);
    matches!(reason, Some(PayReason::FundingUnproven | PayReason::InsufficientFunds))
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
    let json = if let Some(text) = header {
        x402::decode(&text).map_err(|error| PayError::Challenge(error.into()))?
    } else {
        let body = BoundedBody::of(response, MAX_CHALLENGE_BYTES).bytes().await.map_err(|error| match error {
            BodyError::TooLong(_) => PayError::Challenge(ChallengeError::TooLong),
            BodyError::Broken(error) => PayError::Http(error),
        })?;
        json::read(&body).map_err(|error| PayError::Challenge(error.into()))?
    };
    Challenge::read(&json).map_err(|error| PayError::Challenge(error.into()))
}

/// The facilitator's answer as the merchant passed it on, under either version's name; unreadable counts as absent.
fn told(headers: &HeaderMap) -> Option<SettleAnswer> {
    [x402::PAYMENT_RESPONSE, x402::X_PAYMENT_RESPONSE]
        .into_iter()
        .filter_map(|name| headers.get(name)?.to_str().ok())
        .find_map(|text| x402::decode(text).ok())
}
