//! What the paywall answers by itself, and what it adds to answers that were paid for.

use crate::{
    merchant::{
        cors::{self, Cors},
        facilitator::FacilitatorFault,
        refusals::PaywallReason,
        route::RequestKind,
        sale::NoPrice,
    },
    wire::{facilitator::SettleAnswer, header as x402},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ORIGIN, RETRY_AFTER, VARY},
};

const PAYMENT_RESPONSE: HeaderName = HeaderName::from_static(x402::PAYMENT_RESPONSE);
const X_PAYMENT_RESPONSE: HeaderName = HeaderName::from_static(x402::X_PAYMENT_RESPONSE);

/// Hands the facilitator's answer to the payer, under both versions' names.
pub(super) fn attach(headers: &mut HeaderMap, answer: &SettleAnswer) {
    // An answer that is too long for a header (a facilitator's own extensions) goes without them: the payment counts.
    let brief = || x402::encode(&SettleAnswer { extensions: None, ..answer.clone() });
    let text = x402::encode(answer).or_else(|_| brief());
    if let Some(value) = text.ok().and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(PAYMENT_RESPONSE, value.clone());
        headers.insert(X_PAYMENT_RESPONSE, value);
    }
}

/// Keeps an answer that was paid for out of shared caches, which would serve it to those who have not paid, with the payer's
/// receipt. What the application says of caching stands. `paid_by` are the headers that paid.
pub(super) fn keep_private(headers: &mut HeaderMap, paid_by: &'static str) {
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    }
    headers.append(VARY, HeaderValue::from_static(paid_by));
}

/// The facilitator cannot be asked, so nobody can pay: our side's fault, never a 402.
pub(super) fn unavailable<R: From<String>>(fault: &FacilitatorFault) -> Response<R> {
    tracing::warn!(error = fault as &dyn std::error::Error, "a payment could not be settled");
    let reason = match fault {
        FacilitatorFault::Busy { .. } => PaywallReason::FacilitatorBusy,
        FacilitatorFault::Unreachable(_) => PaywallReason::FacilitatorUnavailable,
        FacilitatorFault::TooLong | FacilitatorFault::Malformed { .. } | FacilitatorFault::Contradiction(_) => {
            PaywallReason::FacilitatorAnswerUnusable
        }
    };
    let message = match fault {
        // Why is the merchant's to know.
        FacilitatorFault::Unreachable(_) => "the facilitator did not answer".to_owned(),
        fault => fault.to_string(),
    };
    let mut response = refused(reason, &message);
    if let FacilitatorFault::Busy { retry_after } = fault {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after.unwrap_or(1)));
    }
    response
}

/// A request for something else than what is sold, marked for pages of other origins; `allow` are the methods with which its path
/// is sold.
pub(super) fn not_sold<B, R: From<String>>(
    kind: RequestKind,
    allow: &str,
    cors: &Cors,
    request: &Request<B>,
) -> Response<R> {
    let is_preflight = kind == RequestKind::OtherMethod && cors::is_preflight(request.method(), request.headers());
    if let Some(allowed) = is_preflight.then(|| cors.preflight(request.headers(), allow)).flatten() {
        return allowed;
    }
    let mut response = match kind {
        RequestKind::OtherMethod => {
            let message = "This path is sold with the methods of the Allow header; nothing was charged.";
            let mut response = refused(PaywallReason::MethodNotAllowed, message);
            response.headers_mut().extend(HeaderValue::try_from(allow).ok().map(|allow| (ALLOW, allow)));
            response
        }
        RequestKind::OtherSpelling => {
            let message = "This path is sold under another spelling; nothing was charged.";
            refused(PaywallReason::NotFound, message)
        }
        RequestKind::Elsewhere | RequestKind::Head | RequestKind::Sold => {
            refused(PaywallReason::NotFound, "Nothing is sold here; nothing was charged.")
        }
    };
    cors.mark(response.headers_mut(), request.headers().get(ORIGIN));
    response
}

/// A request that has no price.
pub(super) fn unpriced<R: From<String>>(none: NoPrice) -> Response<R> {
    let reason = match none {
        NoPrice::NotSold => PaywallReason::NotFound,
        NoPrice::Unknown => PaywallReason::PriceUnknown,
    };
    let mut response = refused(reason, &none.to_string());
    if none == NoPrice::Unknown {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// A request that two paywalls sell, each for something else: the merchant's to mend, and nothing that a payer pays helps.
pub(super) fn paywalls_differ<R: From<String>>() -> Response<R> {
    tracing::error!("two paywalls sell one request on different terms; what the outer one takes buys nothing");
    let message = "Two paywalls sell this on different terms; it is not served until the merchant mends that.";
    refused(PaywallReason::PaywallsDiffer, message)
}

pub(super) fn refused<R: From<String>>(reason: PaywallReason, message: &str) -> Response<R> {
    json(reason.status(), serde_json::json!({ "error": reason.word(), "message": message }).to_string())
}

pub(super) fn json<R: From<String>>(status: StatusCode, body: String) -> Response<R> {
    let mut response = Response::new(R::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
