//! Refusals and failures of the Machine Payments Protocol to statuses and bodies; logged once, here.
//!
//! Of an answer of `/mpp/settle` with another status than 200 the published client keeps no word, so refusals of that route have
//! that status. The others tell by theirs.

use crate::{
    api::error::{causes, with_retry},
    domain::mpp::{charge::ChargeRefusal, reason::ChargeReason},
    facilitator::{ChargeError, FacilitatorError, RefusedCharge, is_told_already},
    wire::mpp::charge::{ChargeRefused, prepare_status, settle_status},
};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};

/// A status of the wire's table.
fn status(code: u16) -> StatusCode {
    // Every code of the table is one.
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A request of the protocol that is not granted, on its way to a body.
#[derive(Debug)]
pub(in crate::api) struct MppFailure {
    status: StatusCode,
    refused: Box<RefusedCharge>,
}

impl MppFailure {
    /// A refusal before any use case was asked.
    pub(in crate::api) fn new(reason: ChargeReason, detail: &str) -> Self {
        RefusedCharge::because(reason, detail).into()
    }

    /// Replaces the status, where it is not the reason's own.
    pub(in crate::api) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Sets when to come back, in seconds.
    pub(in crate::api) fn again_in(mut self, retry_after: Option<u64>) -> Self {
        self.refused.retry_after = retry_after;
        self
    }

    /// A use case's answer.
    pub(in crate::api) fn of_use_case(error: ChargeError) -> Self {
        match error {
            FacilitatorError::Refused(refused) => {
                let signature = refused.signature.map(tracing::field::display);
                tracing::debug!(reason = refused.refusal.reason.word(), signature, "charge refused");
                (*refused).into()
            }
            FacilitatorError::Unavailable { retry_after, source } => {
                let cause = causes(source.as_ref());
                if is_told_already(source.as_ref()) {
                    tracing::debug!(cause, "charge: outcome not known");
                } else {
                    tracing::warn!(cause, "charge: outcome not known");
                }
                RefusedCharge::new(ChargeReason::Unavailable).again_in(retry_after).into()
            }
            FacilitatorError::Overloaded { retry_after } => {
                tracing::warn!("charge: shed, the ledger cannot keep up");
                RefusedCharge::new(ChargeReason::Unavailable).again_in(retry_after).into()
            }
            FacilitatorError::Broken(source) => {
                tracing::error!(cause = causes(source.as_ref()), "charge: our own fault");
                RefusedCharge::new(ChargeReason::InternalError).into()
            }
        }
    }

    /// As `/mpp/settle` tells it.
    pub(in crate::api) fn of_settle(self) -> Self {
        let code = settle_status(self.refused.refusal.reason);
        self.with_status(status(code))
    }

    /// The body, with its status.
    pub(in crate::api) fn answer(self) -> Response {
        let RefusedCharge { refusal, signature, retry_after, supported } = *self.refused;
        let body = supported.as_ref().map_or_else(|| ChargeRefused::new(&refusal), ChargeRefused::unsupported);
        let body = ChargeRefused { signature: signature.map(|signature| signature.to_string()), ..body };
        let mut response = with_retry(self.status, retry_after, Json(body).into_response());
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}

impl From<RefusedCharge> for MppFailure {
    fn from(refused: RefusedCharge) -> Self {
        Self { status: status(prepare_status(refused.refusal.reason)), refused: Box::new(refused) }
    }
}

impl From<ChargeRefusal> for MppFailure {
    fn from(refusal: ChargeRefusal) -> Self {
        RefusedCharge::from(refusal).into()
    }
}

impl IntoResponse for MppFailure {
    fn into_response(self) -> Response {
        self.answer()
    }
}
