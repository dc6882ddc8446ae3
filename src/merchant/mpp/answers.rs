//! What a seller answers for charges, and what is added to answers that were paid for.

use crate::{
    merchant::{
        answers::{json, refused, unavailable},
        mpp::client::{ChargeFault, SettlementError},
        refusals::PaywallReason,
    },
    wire::mpp::{
        challenge::Challenge,
        problem::{PROBLEM_JSON, Problem},
        receipt::{self, ChargeReceipt},
    },
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};

const PAYMENT_RECEIPT: HeaderName = HeaderName::from_static(receipt::PAYMENT_RECEIPT);
/// How long to wait for a settlement that is under way, in seconds.
const PENDING_FOR: HeaderValue = HeaderValue::from_static("2");

/// A problem document, with the challenges that solve it.
pub(super) fn problem<R: From<String>>(told: &Problem, challenges: &[Challenge]) -> Response<R> {
    let document = told.document(challenges.first().map(|challenge| challenge.id.as_str()));
    let status = StatusCode::from_u16(document.status).unwrap_or(StatusCode::PAYMENT_REQUIRED);
    // Texts and a whole number: serialising cannot fail.
    let mut response = json(status, serde_json::to_string(&document).unwrap_or_default());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    challenged(response.headers_mut(), challenges);
    response
}

/// Asks for a payment by any of these challenges.
pub(super) fn challenged(headers: &mut HeaderMap, challenges: &[Challenge]) {
    let values = challenges.iter().filter_map(|challenge| HeaderValue::try_from(challenge.header()).ok());
    for value in values {
        headers.append(WWW_AUTHENTICATE, value);
    }
}

/// A settlement whose outcome is not known yet. No 402, for which a buyer would pay again.
pub(super) fn pending<R: From<String>>(error: &SettlementError) -> Response<R> {
    let message = "The settlement is under way; send the same credential again, and pay nothing else for it.";
    let body = serde_json::json!({ "error": error.code, "message": message }).to_string();
    let mut response = json(StatusCode::SERVICE_UNAVAILABLE, body);
    response.headers_mut().insert(RETRY_AFTER, PENDING_FOR);
    response
}

/// No challenge can be had, so nobody can pay: our side's fault, never a 402.
pub(super) fn undecided<R: From<String>>(fault: &ChargeFault) -> Response<R> {
    match fault {
        ChargeFault::Facilitator(fault) => unavailable(fault),
        ChargeFault::Refused(error) => {
            tracing::error!(
                reason = error.code,
                detail = error.message,
                "the facilitator prepares no charge for an offer"
            );
            refused(PaywallReason::FacilitatorAnswerUnusable, "the facilitator prepares no charge for this")
        }
    }
}

/// Hands the receipt to the buyer.
pub(super) fn attach(headers: &mut HeaderMap, receipt: &ChargeReceipt) {
    headers.extend(HeaderValue::try_from(receipt.header()).ok().map(|value| (PAYMENT_RECEIPT, value)));
}
