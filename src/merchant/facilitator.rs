//! The facilitator as a merchant sees it: `/verify`, `/settle` and `/supported` over HTTP.
//!
//! Promises that no call outlives its deadline, that no answer fills the memory, that redirects are not followed (a
//! payment goes where the operator said), and that a `success:true` that does not agree with what was asked is not
//! believed. Errors name no URLs, and no amounts but those of an offer that nobody could pay.

use crate::{
    domain::{amount::Amount, reason::PayReason, signed, signed_receipt::ReceiptKey, unreachable::why},
    merchant::{price::Offer, quote::Payable},
    wire::{
        DEFERRED, SESSION_SCHEME, agreement,
        facilitator::{SettleAnswer, SupportedAnswer, SupportedKind, VerifyAnswer},
        json,
        payments::PaymentView,
        session::SessionTerms,
        signed_receipt::published_keys,
    },
};
use reqwest::{StatusCode, Url, header, redirect};
use serde::{Serialize, de::DeserializeOwned};
use solana_pubkey::Pubkey;
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Mutex, time::sleep};

/// The longest answer that is read, in bytes; a real one has less than one thousand.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How long a question may take whose answer does not wait for the chain.
const PATIENCE: Duration = Duration::from_secs(10);
/// What an answer may take to arrive that the facilitator gives when its time is over.
const ARRIVAL: Duration = Duration::from_secs(1);
/// A repeat is worth its while for no less.
const LEAST_REPEAT: Duration = Duration::from_secs(1);

/// How long what a facilitator says that it serves is believed.
const SUPPORTED_FOR: Duration = Duration::from_mins(5);
/// How often it is asked again for that where it wants to be left alone, after which pause unless it says, and the longest pause.
const MOST_REPEATS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why a client cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Not an absolute `http` or `https` URL.
    #[error("the facilitator's URL is not an http or https URL")]
    Url,
    /// TLS is not available.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// Why the facilitator gave no usable answer. Nothing is known of the payment then: the payer repeats the same header.
#[derive(Debug, thiserror::Error)]
pub enum FacilitatorFault {
    /// No answer: refused connection, broken connection, deadline.
    #[error("the facilitator did not answer: {}", why(.0))]
    Unreachable(#[source] reqwest::Error),
    /// It asks to be left alone (429), or cannot know the outcome now (503).
    #[error("the facilitator is busy")]
    Busy {
        /// For how long, in seconds, when it says.
        retry_after: Option<u64>,
    },
    /// Longer than we read.
    #[error("the facilitator's answer is too long")]
    TooLong,
    /// Not the documented JSON.
    #[error("the facilitator's answer is malformed (HTTP {status})")]
    Malformed {
        /// The HTTP status it came with.
        status: u16,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It claims success for something else than was asked.
    #[error("the facilitator's answer contradicts the request: {0}")]
    Contradiction(&'static str),
}

/// Why a facilitator would settle nothing that an offer asks for.
#[derive(Debug, thiserror::Error)]
pub enum Unserved {
    /// It could not be asked.
    #[error(transparent)]
    Facilitator(#[from] FacilitatorFault),
    /// It has no session kind of this network.
    #[error("the facilitator serves no sessions on the offer's network, `{0}`")]
    Network(String),
    /// It takes another asset there.
    #[error("the facilitator does not take the offer's asset, {0}")]
    Asset(Pubkey),
    /// The price is outside of what it settles for one call.
    #[error("the facilitator settles from {least} to {most} base units a call, and the offer asks for {asked}")]
    Price {
        /// What the offer asks for.
        asked: Amount,
        /// The least.
        least: Amount,
        /// The most.
        most: Amount,
    },
}

/// What a facilitator said that it serves, and when.
type Cached = Arc<Mutex<Option<(Instant, Arc<SupportedAnswer>)>>>;

/// A client of one facilitator; clones share what it said that it serves.
#[derive(Clone)]
pub struct FacilitatorClient {
    http: reqwest::Client,
    base: Url,
    supported: Cached,
}

impl fmt::Debug for FacilitatorClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a key.
        f.debug_struct("FacilitatorClient").finish_non_exhaustive()
    }
}

impl FacilitatorClient {
    /// A client of the facilitator at `url`, as in `https://facilitator.example.com`.
    pub fn new(url: &str) -> Result<Self, SetupError> {
        let mut base = Url::parse(url).map_err(|_| SetupError::Url)?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(SetupError::Url);
        }
        // Without the slash `join` would drop the last part of the path.
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .user_agent(concat!("sotto/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| SetupError::Client(error.without_url()))?;
        Ok(Self { http, base, supported: Cached::default() })
    }

    /// Whether both ask one facilitator, by its URL.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        self.base == other.base
    }

    /// What the facilitator serves, as it said within the last five minutes; however many ask at once, it is asked once. Where
    /// it wants to be left alone (429), it is asked up to three times more, when it says (`spec/x402.md` §1.2).
    pub async fn supported(&self) -> Result<Arc<SupportedAnswer>, FacilitatorFault> {
        let mut cached = self.supported.lock().await;
        if let Some((_, known)) = cached.as_ref().filter(|(told, _)| told.elapsed() < SUPPORTED_FOR) {
            return Ok(Arc::clone(known));
        }
        let told = Arc::new(self.ask_supported().await?);
        *cached = Some((Instant::now(), Arc::clone(&told)));
        Ok(told)
    }

    async fn ask_supported(&self) -> Result<SupportedAnswer, FacilitatorFault> {
        let mut repeats = 0;
        loop {
            let answer = self.answer(self.http.get(self.route("supported"))).await?;
            if answer.status != StatusCode::TOO_MANY_REQUESTS || repeats == MOST_REPEATS {
                return answer.read();
            }
            repeats += 1;
            sleep(answer.retry_after.map_or(FIRST_PAUSE, Duration::from_secs).min(LONGEST_PAUSE)).await;
        }
    }

    /// Whether the facilitator would settle what an offer asks for, as far as it publishes that.
    pub async fn serves(&self, offer: &Offer) -> Result<(), Unserved> {
        let supported = self.supported().await?;
        let of_network = |kind: &&SupportedKind| agreement::same_network(&kind.network, offer.network(), None);
        let sessions = supported.kinds.iter().filter(|kind| kind.scheme == SESSION_SCHEME);
        let kinds: Vec<&SupportedKind> = sessions.filter(of_network).collect();
        if kinds.is_empty() {
            return Err(Unserved::Network(offer.network().to_owned()));
        }
        let terms: Vec<SessionTerms> = kinds.iter().filter_map(|kind| kind.session_terms()).collect();
        let asset = offer.asset().to_string();
        // Who names no asset may take any.
        if !terms.is_empty() && terms.iter().all(|terms| terms.asset.as_ref().is_some_and(|taken| *taken != asset)) {
            return Err(Unserved::Asset(offer.asset()));
        }
        let limits = terms.iter().find_map(|terms| terms.limits.as_ref());
        let Some(most) = limits.and_then(|limits| Amount::parse(&limits.max_per_call).ok()) else { return Ok(()) };
        let least = limits.and_then(|limits| Amount::parse(limits.min_per_call.as_deref()?).ok()).unwrap_or_default();
        let asked = offer.amount();
        if asked < least || asked > most { Err(Unserved::Price { asked, least, most }) } else { Ok(()) }
    }

    /// The keys that the facilitator's signed receipts are believed under, as it tells them itself: pin them, or ask over TLS.
    pub async fn receipt_keys(&self) -> Result<Vec<ReceiptKey>, FacilitatorFault> {
        Ok(published_keys(self.supported().await?.as_ref()))
    }

    /// Whether the payment would be settled now. Moves nothing and reserves nothing.
    pub async fn verify(&self, payable: &Payable) -> Result<VerifyAnswer, FacilitatorFault> {
        let answer = self.post("verify", &payable.request, PATIENCE).await?;
        let verified: VerifyAnswer = answer.read()?;
        if !verified.is_valid && answer.is_backpressure() {
            return Err(FacilitatorFault::Busy { retry_after: answer.retry_after });
        }
        Ok(verified)
    }

    /// Settles the payment; `success` of the answer decides.
    ///
    /// `settlement_pending` is followed by the same request once more, which takes the payment over and never starts
    /// a second (`spec/session.md` §3). So is a lost answer, but only for a payment with a nonce: without one every
    /// request is a new payment. Both together take no longer than the offer said.
    pub async fn settle(&self, payable: &Payable) -> Result<SettleAnswer, FacilitatorFault> {
        let deadline = Instant::now() + Duration::from_secs(payable.timeout_seconds);
        let left = || deadline.saturating_duration_since(Instant::now());
        let first = self.settle_once(payable, left()).await;
        let again = match &first {
            Ok(answer) => is_pending(answer),
            Err(FacilitatorFault::Unreachable(_)) => payable.has_nonce,
            Err(_) => false,
        };
        if !again || left() < LEAST_REPEAT {
            return first;
        }
        match (self.settle_once(payable, left()).await, first) {
            // The time was up: what the first answer said of the payment is what is known.
            (Err(FacilitatorFault::Unreachable(_)), Ok(pending)) => Ok(pending),
            (second, _) => second,
        }
    }

    /// What became of a payment of this session, by the id that its answer told: whether a held payment was captured, and
    /// by which transaction. `None` when the facilitator knows no such payment.
    pub async fn payment(&self, session: &str, payment: &str) -> Result<Option<PaymentView>, FacilitatorFault> {
        let mut url = self.route("sessions");
        match url.path_segments_mut() {
            Ok(mut segments) => segments.extend([session, "payments", payment]),
            Err(()) => return Ok(None),
        };
        let answer = self.get(url).await?;
        if answer.status == StatusCode::NOT_FOUND { Ok(None) } else { answer.read().map(Some) }
    }

    async fn settle_once(&self, payable: &Payable, left: Duration) -> Result<SettleAnswer, FacilitatorFault> {
        let answer = self.post("settle", &payable.request, left.saturating_add(ARRIVAL)).await?;
        let settled: SettleAnswer = answer.read()?;
        if settled.success {
            check_success(&settled, payable)?;
        } else if answer.is_backpressure() && !is_pending(&settled) {
            return Err(FacilitatorFault::Busy { retry_after: answer.retry_after });
        }
        Ok(settled)
    }

    /// The URL of a route below the facilitator's own.
    pub(super) fn route(&self, name: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{name}", self.base.path()));
        url
    }

    /// Asks a route with a JSON body.
    pub(super) async fn post(
        &self,
        route: &str,
        body: &impl Serialize,
        patience: Duration,
    ) -> Result<Answer, FacilitatorFault> {
        self.answer(self.http.post(self.route(route)).json(body).timeout(patience)).await
    }

    /// Asks for a URL of the facilitator's.
    pub(super) async fn get(&self, url: Url) -> Result<Answer, FacilitatorFault> {
        self.answer(self.http.get(url)).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Answer, FacilitatorFault> {
        let unreachable = |error: reqwest::Error| FacilitatorFault::Unreachable(error.without_url());
        let mut response = request.send().await.map_err(unreachable)?;
        let retry_after =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(FacilitatorFault::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status(), retry_after, body })
    }
}

/// What the facilitator answered, in full.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    retry_after: Option<u64>,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn is_backpressure(&self) -> bool {
        matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
    }

    /// It asks to be left alone.
    pub(super) fn busy(&self) -> FacilitatorFault {
        FacilitatorFault::Busy { retry_after: self.retry_after }
    }

    /// It is not what the route answers.
    pub(super) fn malformed(&self, why: &'static str) -> FacilitatorFault {
        FacilitatorFault::Malformed { status: self.status.as_u16(), source: why.into() }
    }

    /// The body in the route's own form: failures have it too, whatever their status (`spec/x402.md` §1.2).
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, FacilitatorFault> {
        let read = json::read(&self.body)
            .map_err(|error| Box::new(error) as Box<dyn std::error::Error + Send + Sync>)
            .and_then(|value| serde_json::from_value(value).map_err(Into::into));
        match read {
            Ok(answer) => Ok(answer),
            Err(_) if self.is_backpressure() => Err(self.busy()),
            Err(source) => Err(FacilitatorFault::Malformed { status: self.status.as_u16(), source }),
        }
    }
}

fn is_pending(answer: &SettleAnswer) -> bool {
    !answer.success && answer.error_reason.as_deref() == Some(PayReason::SettlementPending.word())
}

/// A success must be about the network and the amount that were asked for, and name what moved the money.
fn check_success(answer: &SettleAnswer, payable: &Payable) -> Result<(), FacilitatorFault> {
    if !agreement::same_network(&answer.network, &payable.network, None) {
        return Err(FacilitatorFault::Contradiction("it names another network"));
    }
    if answer.amount.as_ref().is_some_and(|amount| *amount != payable.amount.to_string()) {
        return Err(FacilitatorFault::Contradiction("it names another amount"));
    }
    // Deferred settlement answers without a transaction, and only to who asked for it.
    let deferred = payable.request.payment_requirements.pointer("/extra/settlement").is_some_and(|how| how == DEFERRED);
    match answer.transaction.as_str() {
        "" if deferred => Ok(()),
        "" => Err(FacilitatorFault::Contradiction("it names no transaction")),
        text if signed::parse_signature(text).is_none() => {
            Err(FacilitatorFault::Contradiction("its transaction is no signature"))
        }
        _ => Ok(()),
    }
}
