//! Refusals and failures of the Machine Payments Protocol to statuses and bodies; logged once, here.
//!
//! Of an answer of `/mpp/settle` with another status than 200 the published client keeps no word, so refusals of that route have
//! that status. The others tell by theirs.

use crate::domain::mpp::charge::ChargeRefusal;
use crate::{
    api::error::{causes, with_retry},
    domain::mpp::reason::ChargeReason,
    facilitator::{ChargeError, FacilitatorError, RefusedCharge, is_told_already},
    wire::mpp::charge::ChargeRefused,
};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};

/// The status by which a route that is no `/mpp/settle` refuses.
pub const fn charge_status(reason: ChargeReason) -> StatusCode {
    match reason {
        ChargeReason::BadRequest | ChargeReason::UnsupportedNetwork => StatusCode::BAD_REQUEST,
        ChargeReason::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ChargeReason::MppDisabled => StatusCode::NOT_FOUND,
        ChargeReason::GlobalVerifyCap
        | ChargeReason::SellerVerifyCap
        | ChargeReason::PayerVerifyCap
        | ChargeReason::GlobalSettleCap
        | ChargeReason::SellerSettleCap
        | ChargeReason::PayerSettleCap
        | ChargeReason::GlobalFeeCap
        | ChargeReason::SellerFeeCap
        | ChargeReason::PayerFeeCap
        | ChargeReason::GlobalConcurrencyCap
        | ChargeReason::SellerConcurrencyCap
        | ChargeReason::PayerConcurrencyCap => StatusCode::TOO_MANY_REQUESTS,
        ChargeReason::InsufficientSponsorBalance | ChargeReason::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ChargeReason::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        ChargeReason::AssetNotAllowed
        | ChargeReason::InvalidAmount
        | ChargeReason::AmountBelowMin
        | ChargeReason::InvalidTransactionEncoding
        | ChargeReason::LookupTable
        | ChargeReason::FeePayerMismatch
        | ChargeReason::InvalidTransaction
        | ChargeReason::ProgramNotAllowed
        | ChargeReason::ComputeUnitsTooHigh
        | ChargeReason::PriorityFeeTooHigh
        | ChargeReason::ComputeBudgetNotAllowed
        | ChargeReason::MalformedTransfer
        | ChargeReason::UnsupportedTokenInstruction
        | ChargeReason::MalformedInstruction
        | ChargeReason::FeePayerNotIsolated
        | ChargeReason::NoTransferInstruction
        | ChargeReason::MultipleTransfers
        | ChargeReason::RecipientMismatch
        | ChargeReason::AmountMismatch
        | ChargeReason::SimulationFailed
        | ChargeReason::BlockhashExpired
        | ChargeReason::DuplicateSettlement
        | ChargeReason::SettlementPending
        | ChargeReason::SettlementFailed => StatusCode::OK,
    }
}

/// The status by which `/mpp/settle` refuses: 200, but where the request itself is at fault.
pub const fn settle_status(reason: ChargeReason) -> StatusCode {
    match charge_status(reason) {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::INTERNAL_SERVER_ERROR => {
            StatusCode::OK
        }
        status => status,
    }
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
        let status = settle_status(self.refused.refusal.reason);
        self.with_status(status)
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
        Self { status: charge_status(refused.refusal.reason), refused: Box::new(refused) }
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
