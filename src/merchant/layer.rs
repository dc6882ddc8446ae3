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
        answers::{attach, json, keep_private, not_sold, paywalls_differ, unavailable, unpriced},
        bought::{Authorized, Receipt},
        browser::{self, Page, Pages},
        cors::Cors,
        facilitator::{FacilitatorClient, Unserved},
        gate::{Gate, Others},
        nested::Taken,
        quote::{Asked, Decision, Payable, Quote, Refusal},
        route::RequestKind,
        service::paywall_service,
    },
    wire::{
        facilitator::{SettleAnswer, VerifyAnswer},
        header as x402,
    },
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{HOST, ORIGIN},
};
use std::sync::Arc;
use tower::Service;

const PAYMENT_REQUIRED: HeaderName = HeaderName::from_static(x402::PAYMENT_REQUIRED);
const PAYMENT_SIGNATURE: HeaderName = HeaderName::from_static(x402::PAYMENT_SIGNATURE);
const X_PAYMENT: HeaderName = HeaderName::from_static(x402::X_PAYMENT);
/// The headers that pay here, of which an answer depends.
const PAID_BY: &str = "payment-signature, x-payment";

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

/// What stands before a paid route.
#[derive(Clone, Debug)]
pub struct Paywall(Arc<Terms>);

#[derive(Clone, Debug)]
struct Terms {
    facilitator: FacilitatorClient,
    gate: Gate,
    flow: Flow,
    cors: Cors,
    pages: Option<Pages>,
}

impl Paywall {
    /// Settles with `facilitator` what `gate` asks for, before serving.
    pub fn new(facilitator: FacilitatorClient, gate: Gate) -> Self {
        Self::with_flow(facilitator, gate, Flow::default())
    }

    /// Like [`Paywall::new`], with a choice of when money moves.
    pub fn with_flow(facilitator: FacilitatorClient, gate: Gate, flow: Flow) -> Self {
        Self(Arc::new(Terms { facilitator, gate, flow, cors: Cors::default(), pages: None }))
    }

    /// Chooses whose pages may pay; without it, those of all origins.
    #[must_use]
    pub fn cors(self, cors: Cors) -> Self {
        Self(Arc::new(Terms { cors, ..Arc::unwrap_or_clone(self.0) }))
    }

    /// Shows a person's browser that opens what is sold a page in place of the JSON that programs read; without it browsers see
    /// the JSON, too.
    #[must_use]
    pub fn page(self, page: impl Fn(&Asked) -> Page + Send + Sync + 'static) -> Self {
        Self(Arc::new(Terms { pages: Some(Pages::new(page)), ..Arc::unwrap_or_clone(self.0) }))
    }

    /// Whether a request asks for what this paywall sells.
    pub(super) fn sells<B>(&self, request: &Request<B>) -> bool {
        self.0.gate.kind(request.method(), request.uri().path()) == RequestKind::Sold
    }

    /// Asks the facilitator whether it would settle what every standing offer asks for: a start that fails is better than a shop in
    /// which nobody can pay. Prices that a callback names are not known before.
    pub async fn check(&self) -> Result<(), Unserved> {
        for offer in self.0.gate.standing_offers() {
            self.0.facilitator.serves(offer).await?;
        }
        Ok(())
    }
}

paywall_service! {
    /// A service behind a [`Paywall`].
    Paid, Paywall, Terms
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
            RequestKind::Elsewhere if self.gate.others_go() == Others::OnToTheApplication => {
                return inner.call(request).await;
            }
            kind @ (RequestKind::Elsewhere | RequestKind::OtherSpelling | RequestKind::OtherMethod) => {
                return Ok(not_sold(kind, &self.gate.methods(path), &self.cors, &request));
            }
            RequestKind::Head => self.price(request).await,
            RequestKind::Sold => match request.extensions().get::<Taken>().cloned() {
                Some(taken) => return self.serve_within(inner, request, &taken).await,
                None => self.serve(inner, request).await?,
            },
        };
        self.cors.mark(response.headers_mut(), origin.as_ref());
        Ok(response)
    }

    /// Serves what a paywall around this one was paid for on this one's own terms, and nothing else.
    async fn serve_within<S, B, R>(
        &self,
        mut inner: S,
        request: Request<B>,
        taken: &Taken,
    ) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>>,
        R: From<String>,
    {
        let quote = match self.gate.quote(request.method(), request.uri(), request.headers()).await {
            Ok(quote) => quote,
            Err(none) => return Ok(unpriced(none)),
        };
        if taken.pays(&self.facilitator, self.flow, &quote) {
            tracing::error!(
                "two paywalls sell one request; the outer one was paid, and the inner one asks for nothing"
            );
            return inner.call(request).await;
        }
        Ok(paywalls_differ())
    }

    async fn serve<S, B, R>(&self, mut inner: S, mut request: Request<B>) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>>,
        R: From<String>,
    {
        let url = self.url(&request);
        let payment = take_payment(request.headers_mut());
        let quote = match self.gate.quote(request.method(), request.uri(), request.headers()).await {
            Ok(quote) => quote,
            Err(none) => return Ok(unpriced(none)),
        };
        let shop = Shop { terms: self, quote: &quote, url: &url, shows_page: self.shows_page(&request) };
        let decision = match &payment {
            Ok(text) => quote.decide(text.as_deref(), &url),
            Err(AmbiguousHeader) => Decision::Ask(Refusal::AmbiguousHeader),
        };
        let payable = match decision {
            Decision::Ask(refusal) => return Ok(shop.ask(&refusal.to_string())),
            Decision::Settle(payable) => payable,
        };
        let before = shop.before_serving(&payable).await;
        if before.is_ok() {
            request.extensions_mut().insert(Taken::new(&self.facilitator, self.flow, &payable));
        }
        let settled = match before {
            Ok(Before::Settled(answer)) => {
                let receipt = Receipt::of(&answer, &payable);
                if let Some(mark) = quote.mark() {
                    mark(request.extensions_mut(), &receipt);
                }
                request.extensions_mut().insert(receipt);
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
            None => match shop.settle(&payable).await {
                Ok(answer) => answer,
                Err(refused) => return Ok(refused),
            },
        };
        if response.status().is_server_error() {
            let status = response.status().as_u16();
            tracing::warn!(status, transaction = answer.transaction, "a request failed that was paid for");
        }
        attach(response.headers_mut(), &answer);
        keep_private(response.headers_mut(), PAID_BY);
        self.mark_for_browsers(response.headers_mut());
        Ok(response)
    }

    /// What a request costs that will not pay.
    async fn price<B, R: From<String>>(&self, mut request: Request<B>) -> Response<R> {
        let url = self.url(&request);
        let _ = take_payment(request.headers_mut());
        match self.gate.quote(request.method(), request.uri(), request.headers()).await {
            Ok(quote) => {
                let shop = Shop { terms: self, quote: &quote, url: &url, shows_page: false };
                shop.ask(&Refusal::NoPayment.to_string())
            }
            Err(none) => unpriced(none),
        }
    }

    /// Whether a browser is shown the page where this request is asked for a payment.
    fn shows_page<B>(&self, request: &Request<B>) -> bool {
        self.pages.is_some() && browser::is_navigation(request.method(), request.headers())
    }

    /// Where there is a page, every answer depends on who asks.
    fn mark_for_browsers(&self, headers: &mut HeaderMap) {
        if self.pages.is_some() {
            browser::mark(headers);
        }
    }

    fn url<B>(&self, request: &Request<B>) -> String {
        let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let host = request.headers().get(HOST).and_then(|value| value.to_str().ok());
        self.gate.resource_url(host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str)), path)
    }
}

/// One request for what is sold, and what it costs.
struct Shop<'a> {
    terms: &'a Terms,
    quote: &'a Quote,
    url: &'a str,
    shows_page: bool,
}

impl Shop<'_> {
    /// Does with the payment what the flow wants done before the handler runs, or answers in its place.
    async fn before_serving<R: From<String>>(&self, payable: &Payable) -> Result<Before, Response<R>> {
        match self.terms.flow {
            Flow::Upfront => self.settle(payable).await.map(|answer| Before::Settled(Box::new(answer))),
            Flow::Authorization => match self.terms.facilitator.verify(payable).await {
                Ok(VerifyAnswer { is_valid: true, payer, .. }) => Ok(Before::Verified(Authorized { payer })),
                Ok(refused) => Err(self.ask(refused.invalid_reason.as_deref().unwrap_or("payment refused"))),
                Err(fault) => Err(unavailable(&fault)),
            },
        }
    }

    /// Settles, or says in the place of the handler's answer why not.
    async fn settle<R: From<String>>(&self, payable: &Payable) -> Result<SettleAnswer, Response<R>> {
        match self.terms.facilitator.settle(payable).await {
            Ok(answer) if answer.success => Ok(answer),
            Ok(refused) => Err(self.unsettled(&refused)),
            Err(fault) => Err(unavailable(&fault)),
        }
    }

    /// 402 with the challenge in both versions, or with a page for a person and the challenge in its header.
    fn ask<R: From<String>>(&self, error: &str) -> Response<R> {
        let asked = self.quote.ask(self.url, error);
        let header = asked.header.as_ref().and_then(|text| HeaderValue::try_from(text).ok());
        let mut response = match self.terms.pages.as_ref().filter(|_| self.shows_page) {
            Some(pages) => {
                let mut response = json(StatusCode::PAYMENT_REQUIRED, String::new());
                let html = pages.show(&asked, response.headers_mut());
                response.map(|_: R| R::from(html))
            }
            None => json(StatusCode::PAYMENT_REQUIRED, asked.body),
        };
        response.headers_mut().extend(header.map(|value| (PAYMENT_REQUIRED, value)));
        self.terms.mark_for_browsers(response.headers_mut());
        response
    }

    /// 402 with the facilitator's no (`spec/x402.md` §1.2), so that a payer can tell it from a fresh challenge.
    fn unsettled<R: From<String>>(&self, refused: &SettleAnswer) -> Response<R> {
        let error = refused.error_reason.as_deref().unwrap_or("payment refused");
        if let Some(reason) = PayReason::from_word(error).filter(|reason| is_of_the_offer(*reason)) {
            let detail = match reason {
                // Its sentence has the figures, and no amount is logged.
                PayReason::PerCallLimitExceeded => "",
                _ => refused.error_message.as_deref().unwrap_or_default(),
            };
            tracing::warn!(reason = error, detail, "a payment was refused for what this offer asks for");
        }
        let mut response = json(StatusCode::PAYMENT_REQUIRED, self.quote.ask(self.url, error).body);
        attach(response.headers_mut(), refused);
        self.terms.mark_for_browsers(response.headers_mut());
        response
    }
}

/// Whether a refusal is about the merchant's own offer, so that no payer can do anything about it.
const fn is_of_the_offer(reason: PayReason) -> bool {
    matches!(reason, PayReason::InvalidRecipient | PayReason::RecipientNotReady | PayReason::PerCallLimitExceeded)
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
