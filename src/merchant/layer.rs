//! The paywall as a tower layer: for axum, `.layer(Paywall::new(facilitator, Gate::new("GET /weather", offer)?))`.
//!
//! It may stand around a route, a router or a whole application: only what its gate sells is asked for and paid, and every
//! other request goes to the application as it came. Of what is sold, other methods are refused with 405 and other spellings
//! of the path with 404 before any money moves; `HEAD` is told the price and never pays. What was paid for is kept out of shared
//! caches unless the application says otherwise: whoever marks a sold answer `public` gives it away.
//!
//! The default flow settles before it serves. A handler that only should run after payment, and whose work is not
//! worth paying for when it fails, may use [`Flow::Authorization`] instead; its price is said there.

use crate::{
    domain::reason::PayReason,
    merchant::{
        answers::{attach, json, keep_private, refused, unavailable},
        cors::{self, Cors},
        facilitator::FacilitatorClient,
        gate::{Decision, Gate, Others, Payable, Refusal},
        route::RequestKind,
    },
    wire::{
        facilitator::{SettleAnswer, VerifyAnswer},
        header as x402,
        session::SessionAfterPayment,
    },
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{ALLOW, HOST, ORIGIN},
};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service};

const PAYMENT_REQUIRED: HeaderName = HeaderName::from_static(x402::PAYMENT_REQUIRED);
const PAYMENT_SIGNATURE: HeaderName = HeaderName::from_static(x402::PAYMENT_SIGNATURE);
const X_PAYMENT: HeaderName = HeaderName::from_static(x402::X_PAYMENT);

/// When money moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// Settle, then run the handler: nothing is served unpaid, and a handler that fails was paid for. Its answer carries the
    /// receipt all the same, and one of 500 or above is logged with the transaction, so that it can be made good.
    #[default]
    Upfront,
    /// Verify, run the handler, settle, hand out its answer: an answer of 400 or above is free. Verifying reserves
    /// nothing, so a payer may make the handler run without getting its answer; use it where running is cheap.
    Authorization,
}

/// What a handler finds in the request's extensions when it was paid for upfront.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// The wallet that paid, base58, when the facilitator tells it.
    pub payer: Option<String>,
    /// The transaction that moved the money, base58; empty for a payment that is held and settled later.
    pub transaction: String,
    /// What was paid, in base units.
    pub amount: String,
    /// The network as the offer spells it.
    pub network: String,
    /// The payer's session right after this payment.
    pub session: Option<SessionAfterPayment>,
}

impl Receipt {
    /// Whether the money has not moved yet: the facilitator has promised to move it.
    pub fn is_held(&self) -> bool {
        self.transaction.is_empty()
    }

    /// The payment's id, with which [`FacilitatorClient::payment`] tells what became of it.
    pub fn payment(&self) -> Option<&str> {
        self.session.as_ref()?.payment.as_deref()
    }
}

/// What a handler finds in the request's extensions in [`Flow::Authorization`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorized {
    /// The wallet that will pay, base58, when the facilitator tells it.
    pub payer: Option<String>,
}

/// What stands before a paid route.
#[derive(Clone, Debug)]
pub struct Paywall(Arc<Terms>);

#[derive(Clone, Debug)]
struct Terms {
    facilitator: FacilitatorClient,
    gate: Gate,
    flow: Flow,
    cors: Cors,
}

impl Paywall {
    /// Settles with `facilitator` what `gate` asks for, before serving.
    pub fn new(facilitator: FacilitatorClient, gate: Gate) -> Self {
        Self::with_flow(facilitator, gate, Flow::default())
    }

    /// Like [`Paywall::new`], with a choice of when money moves.
    pub fn with_flow(facilitator: FacilitatorClient, gate: Gate, flow: Flow) -> Self {
        Self(Arc::new(Terms { facilitator, gate, flow, cors: Cors::default() }))
    }

    /// Chooses whose pages may pay; without it, those of all origins.
    #[must_use]
    pub fn cors(self, cors: Cors) -> Self {
        Self(Arc::new(Terms { cors, ..Arc::unwrap_or_clone(self.0) }))
    }
}

impl<S> Layer<S> for Paywall {
    type Service = Paid<S>;

    fn layer(&self, inner: S) -> Paid<S> {
        Paid { inner, terms: Arc::clone(&self.0) }
    }
}

/// A service behind a [`Paywall`].
#[derive(Clone, Debug)]
pub struct Paid<S> {
    inner: S,
    terms: Arc<Terms>,
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<S, B, R> Service<Request<B>> for Paid<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Send + 'static,
    R: From<String> + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BoxFuture<Result<Response<R>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The instance that was polled ready is the one to call; the fresh clone waits for its own turn.
        let fresh = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, fresh);
        let terms = Arc::clone(&self.terms);
        Box::pin(async move { terms.answer(inner, request).await })
    }
}

/// How far a payment is before the handler runs.
enum Before {
    /// [`Flow::Upfront`]: it is settled.
    Settled(Box<SettleAnswer>),
    /// [`Flow::Authorization`]: it would be accepted now.
    Verified(Authorized),
}

impl Terms {
    /// Sends a request where it belongs: past the paywall, behind it once it is paid for, or nowhere.
    async fn answer<S, B, R>(&self, mut inner: S, request: Request<B>) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>>,
        R: From<String>,
    {
        let origin = request.headers().get(ORIGIN).cloned();
        let path = request.uri().path();
        let mut response = match self.gate.kind(request.method(), path) {
            RequestKind::Elsewhere if self.gate.others_go() == Others::Refused => {
                refused(StatusCode::NOT_FOUND, "not_found", "Nothing is sold here; nothing was charged.")
            }
            RequestKind::Elsewhere => return inner.call(request).await,
            RequestKind::OtherSpelling => {
                let message = "This path is sold under another spelling; nothing was charged.";
                refused(StatusCode::NOT_FOUND, "not_found", message)
            }
            RequestKind::OtherMethod => {
                let allow = self.gate.methods(path);
                let is_preflight = cors::is_preflight(request.method(), request.headers());
                let allowed = is_preflight.then(|| self.cors.preflight(request.headers(), &allow)).flatten();
                if let Some(response) = allowed {
                    return Ok(response);
                }
                let message = "This path is sold with the methods of the Allow header; nothing was charged.";
                let mut response = refused(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
                response.headers_mut().extend(HeaderValue::try_from(allow).ok().map(|allow| (ALLOW, allow)));
                response
            }
            RequestKind::Head => self.ask(&self.url(&request), &Refusal::NoPayment.to_string()),
            RequestKind::Sold if is_paid_for(&request) => {
                tracing::error!(
                    "two paywalls sell one request; the outer one was paid, and the inner one asks for nothing"
                );
                return inner.call(request).await;
            }
            RequestKind::Sold => self.serve(inner, request).await?,
        };
        self.cors.mark(response.headers_mut(), origin.as_ref());
        Ok(response)
    }

    async fn serve<S, B, R>(&self, mut inner: S, mut request: Request<B>) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>>,
        R: From<String>,
    {
        let url = self.url(&request);
        let payment = take_payment(request.headers_mut());
        let decision = match &payment {
            Ok(text) => self.gate.decide(text.as_deref(), &url),
            Err(AmbiguousHeader) => Decision::Ask(Refusal::AmbiguousHeader),
        };
        let payable = match decision {
            Decision::Ask(refusal) => return Ok(self.ask(&url, &refusal.to_string())),
            Decision::Settle(payable) => payable,
        };
        let settled = match self.before_serving(&payable, &url).await {
            Ok(Before::Settled(answer)) => {
                request.extensions_mut().insert(receipt(&answer, &payable));
                Some(*answer)
            }
            Ok(Before::Verified(authorized)) => {
                request.extensions_mut().insert(authorized);
                None
            }
            Err(refused) => return Ok(refused),
        };
        let mut response = inner.call(request).await?;
        let answer = match settled {
            Some(answer) => answer,
            // What was not served is not paid for.
            None if response.status().is_client_error() || response.status().is_server_error() => return Ok(response),
            None => match self.settle(&payable, &url).await {
                Ok(answer) => answer,
                Err(refused) => return Ok(refused),
            },
        };
        if response.status().is_server_error() {
            let status = response.status().as_u16();
            tracing::warn!(status, transaction = answer.transaction, "a request failed that was paid for");
        }
        attach(response.headers_mut(), &answer);
        keep_private(response.headers_mut());
        Ok(response)
    }

    /// Does with the payment what the flow wants done before the handler runs, or answers in its place.
    async fn before_serving<R: From<String>>(&self, payable: &Payable, url: &str) -> Result<Before, Response<R>> {
        match self.flow {
            Flow::Upfront => self.settle(payable, url).await.map(|answer| Before::Settled(Box::new(answer))),
            Flow::Authorization => match self.facilitator.verify(payable).await {
                Ok(VerifyAnswer { is_valid: true, payer, .. }) => Ok(Before::Verified(Authorized { payer })),
                Ok(refused) => Err(self.ask(url, refused.invalid_reason.as_deref().unwrap_or("payment refused"))),
                Err(fault) => Err(unavailable(&fault)),
            },
        }
    }

    /// Settles, or says in the place of the handler's answer why not.
    async fn settle<R: From<String>>(&self, payable: &Payable, url: &str) -> Result<SettleAnswer, Response<R>> {
        match self.facilitator.settle(payable).await {
            Ok(answer) if answer.success => Ok(answer),
            Ok(refused) => Err(self.unsettled(url, &refused)),
            Err(fault) => Err(unavailable(&fault)),
        }
    }

    fn url<B>(&self, request: &Request<B>) -> String {
        let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let host = request.headers().get(HOST).and_then(|value| value.to_str().ok());
        self.gate.resource_url(host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str)), path)
    }

    /// 402 with the challenge in both versions.
    fn ask<R: From<String>>(&self, url: &str, error: &str) -> Response<R> {
        let asked = self.gate.ask(url, error);
        let mut response = json(StatusCode::PAYMENT_REQUIRED, asked.body);
        if let Some(value) = asked.header.and_then(|text| HeaderValue::try_from(text).ok()) {
            response.headers_mut().insert(PAYMENT_REQUIRED, value);
        }
        response
    }

    /// 402 with the facilitator's no (`spec/x402.md` §1.2), so that a payer can tell it from a fresh challenge.
    fn unsettled<R: From<String>>(&self, url: &str, refused: &SettleAnswer) -> Response<R> {
        let error = refused.error_reason.as_deref().unwrap_or("payment refused");
        if let Some(reason) = PayReason::from_word(error).filter(|reason| is_of_the_offer(*reason)) {
            let detail = match reason {
                // Its sentence has the figures, and no amount is logged.
                PayReason::PerCallLimitExceeded => "",
                _ => refused.error_message.as_deref().unwrap_or_default(),
            };
            tracing::warn!(reason = error, detail, "a payment was refused for what this offer asks for");
        }
        let mut response = json(StatusCode::PAYMENT_REQUIRED, self.gate.ask(url, error).body);
        attach(response.headers_mut(), refused);
        response
    }
}

/// Whether a refusal is about the merchant's own offer, so that no payer can do anything about it.
const fn is_of_the_offer(reason: PayReason) -> bool {
    matches!(reason, PayReason::InvalidRecipient | PayReason::RecipientNotReady | PayReason::PerCallLimitExceeded)
}

/// Whether another paywall around this one has taken the payment.
fn is_paid_for<B>(request: &Request<B>) -> bool {
    let taken = request.extensions();
    taken.get::<Receipt>().is_some() || taken.get::<Authorized>().is_some()
}

/// More than one payment header of a name, or one that is not text.
struct AmbiguousHeader;

/// Takes the payment out of a request, so that no handler sees it; version 2's header goes before version 1's.
fn take_payment(headers: &mut HeaderMap) -> Result<Option<String>, AmbiguousHeader> {
    let mut take = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        let text = match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value.to_str().map(|text| Some(text.to_owned())).map_err(|_| AmbiguousHeader),
            (Some(_), Some(_)) => Err(AmbiguousHeader),
        };
        headers.remove(name);
        text
    };
    let (new, old) = (take(&PAYMENT_SIGNATURE), take(&X_PAYMENT));
    Ok(new?.or(old?))
}

fn receipt(answer: &SettleAnswer, payable: &Payable) -> Receipt {
    Receipt {
        payer: answer.payer.clone(),
        transaction: answer.transaction.clone(),
        amount: payable.amount.to_string(),
        network: payable.network.clone(),
        session: answer.extensions.as_ref().and_then(|extensions| extensions.session.clone()),
    }
}
