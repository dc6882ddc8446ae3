//! Refusals and failures to statuses and bodies, one exhaustive match per surface; logged once, here.
//!
//! Business failures of payments answer 200 (`spec/x402.md` §1.2): official clients read the body, and some read
//! nothing else at another status. Outside goes the stable word and a safe sentence; the cause goes to the log.

use crate::{
    domain::reason::{PayReason, SessionReason},
    facilitator::{
        FacilitatorError, PayError, PayRefusal, SessionAfter, SessionError, SessionRefusal, is_told_already,
    },
    wire::{
        facilitator::{AnswerExtensions, SettleAnswer, VerifyAnswer},
        opening::RefusedOpening,
        payment::Refused,
        session::{SessionAfterPayment, SessionRefusalBody},
    },
};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use std::error::Error;

/// The status of a refused payment.
pub const fn pay_status(reason: PayReason) -> StatusCode {
    match reason {
        PayReason::BadRequest
        | PayReason::PayNotServed
        | PayReason::InvalidDecimals
        | PayReason::MissingCiphertext
        | PayReason::CiphertextNotOurs
        | PayReason::CiphertextUsed
        | PayReason::InvalidSignature
        | PayReason::InvalidMessage
        | PayReason::MessageMismatch
        | PayReason::SourceNotReady
        | PayReason::TransactionNotIssued
        | PayReason::TransactionNotAllowed => StatusCode::BAD_REQUEST,
        PayReason::NonceConflict => StatusCode::CONFLICT,
        PayReason::SellerSettleCapExceeded
        | PayReason::GlobalSettleCapExceeded
        | PayReason::PayerSettleCapExceeded
        | PayReason::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        PayReason::SessionBusy | PayReason::InsufficientSponsorBalance | PayReason::Overloaded => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        PayReason::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        PayReason::SchemeMismatch
        | PayReason::NetworkMismatch
        | PayReason::MissingSessionId
        | PayReason::SessionNotFound
        | PayReason::SessionNotOpen
        | PayReason::SessionRevoked
        | PayReason::DelegationReplaced
        | PayReason::SessionExpired
        | PayReason::SessionNetworkMismatch
        | PayReason::AssetMismatch
        | PayReason::RecipientMismatch
        | PayReason::AcceptedMismatch
        | PayReason::AmountMismatch
        | PayReason::InvalidAmount
        | PayReason::PerCallLimitExceeded
        | PayReason::CapExceeded
        | PayReason::CapUnverified
        | PayReason::DuplicateSettlement
        | PayReason::SessionSignatureRequired
        | PayReason::InvalidSessionSignature
        | PayReason::PaymentExpired
        | PayReason::SettlementPending
        | PayReason::SettlementExpired
        | PayReason::SimulationFailed
        | PayReason::OnchainTransferFailed
        | PayReason::InsufficientFunds
        | PayReason::FundingUnproven
        | PayReason::SourceFrozen
        | PayReason::RecipientNotReady
        | PayReason::InvalidRecipient
        | PayReason::TransactionTooLarge => StatusCode::OK,
    }
}

/// The status of a refused session.
pub const fn session_status(reason: SessionReason) -> StatusCode {
    match reason {
        SessionReason::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        SessionReason::NonceReused
        | SessionReason::ApproveUsed
        | SessionReason::ApproveStale
        | SessionReason::ApprovalExhausted
        | SessionReason::StaleFundingProof
        | SessionReason::SessionNotOpen => StatusCode::CONFLICT,
        SessionReason::QuotaExceeded | SessionReason::RefreshTooSoon | SessionReason::TooManyRequests => {
            StatusCode::TOO_MANY_REQUESTS
        }
        SessionReason::SessionNotFound | SessionReason::PaymentNotFound => StatusCode::NOT_FOUND,
        SessionReason::SignatureRequired | SessionReason::InvalidCloseSignature => StatusCode::FORBIDDEN,
        SessionReason::SessionBusy
        | SessionReason::ApprovePending
        | SessionReason::RevokePending
        | SessionReason::CapUnverified
        | SessionReason::InsufficientSponsorBalance
        | SessionReason::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        SessionReason::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        SessionReason::BadRequest
        | SessionReason::MissingField
        | SessionReason::NetworkMismatch
        | SessionReason::AssetNotAllowed
        | SessionReason::InvalidCap
        | SessionReason::InvalidUser
        | SessionReason::InvalidRecipient
        | SessionReason::ExpirationInPast
        | SessionReason::ExpirationTooFar
        | SessionReason::InvalidAuthSignature
        | SessionReason::AuthSignatureRequired
        | SessionReason::AuthMessageNotJson
        | SessionReason::AuthMessageMissingNonce
        | SessionReason::FieldMismatch
        | SessionReason::ApproveNotAllowed
        | SessionReason::ApproveSubmitFailed
        | SessionReason::RevokeNotAllowed
        | SessionReason::RevokeSubmitFailed
        | SessionReason::ApprovedMismatch
        | SessionReason::DelegateMismatch
        | SessionReason::CapMismatch
        | SessionReason::InvalidFundingProof
        | SessionReason::SourceNotReady
        | SessionReason::RecipientNotReady
        | SessionReason::TransactionTooLarge => StatusCode::BAD_REQUEST,
    }
}

/// A payment that is not accepted, on its way to a body.
#[derive(Debug)]
pub(super) struct PayFailure {
    status: StatusCode,
    retry_after: Option<u64>,
    refusal: Box<PayRefusal>,
    network: String,
}

impl PayFailure {
    /// A refusal before any use case was asked.
    pub(super) fn new(reason: PayReason, detail: &str, network: &str) -> Self {
        let refusal = Box::new(PayRefusal { detail: detail.to_owned(), ..PayRefusal::new(reason) });
        Self { status: pay_status(reason), retry_after: None, refusal, network: network.to_owned() }
    }

    /// Replaces the status, where it is not the reason's own.
    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Replaces the status of a plain refusal by the one that the operator's merchants understand.
    pub(super) fn refused_with(self, status: StatusCode) -> Self {
        if self.status == StatusCode::OK { self.with_status(status) } else { self }
    }

    /// Sets when to come back, in seconds.
    pub(super) fn again_in(self, retry_after: Option<u64>) -> Self {
        Self { retry_after, ..self }
    }

    /// A body that is no payment; `served` is named where the body names no network.
    pub(super) fn of_body(refused: &Refused, served: &str) -> Self {
        tracing::debug!(reason = refused.reason.word(), "payment not readable");
        let network = if refused.network.is_empty() { served } else { &refused.network };
        Self::new(refused.reason, &refused.detail, network)
    }

    /// A use case's answer.
    pub(super) fn of_use_case(error: PayError, network: &str) -> Self {
        let failed = |status, retry_after| {
            let failure = Self::new(PayReason::InternalError, PayReason::InternalError.meaning(), network);
            Self { status, retry_after, ..failure }
        };
        match error {
            FacilitatorError::Refused(refusal) => {
                let transaction = refusal.transaction.map(tracing::field::display);
                tracing::debug!(reason = refusal.reason.word(), transaction, "payment refused");
                let network = network.to_owned();
                Self { status: pay_status(refusal.reason), retry_after: refusal.retry_after, refusal, network }
            }
            FacilitatorError::Unavailable { retry_after, source } => {
                let cause = causes(source.as_ref());
                if is_told_already(source.as_ref()) {
                    tracing::debug!(cause, "payment: outcome not known");
                } else {
                    tracing::warn!(cause, "payment: outcome not known");
                }
                failed(StatusCode::SERVICE_UNAVAILABLE, Some(retry_after))
            }
            FacilitatorError::Overloaded { retry_after } => {
                tracing::warn!("payment: shed, the ledger cannot keep up");
                Self::new(PayReason::Overloaded, PayReason::Overloaded.meaning(), network).again_in(Some(retry_after))
            }
            FacilitatorError::Broken(source) => {
                tracing::error!(cause = causes(source.as_ref()), "payment: our own fault");
                failed(StatusCode::INTERNAL_SERVER_ERROR, None)
            }
        }
    }

    /// The answer as `{error, message}`.
    pub(super) fn plain_answer(self) -> Response {
        let (error, message) = (self.refusal.reason.word(), self.refusal.detail);
        let body = serde_json::json!({ "error": error, "message": message });
        with_retry(self.status, self.retry_after, Json(body).into_response())
    }

    /// The answer in the format of `/verify`.
    pub(super) fn verify_answer(self) -> Response {
        let body = VerifyAnswer {
            is_valid: false,
            invalid_reason: Some(self.refusal.reason.word().to_owned()),
            invalid_message: Some(self.refusal.detail),
            payer: self.refusal.payer.map(|key| key.to_string()),
            extensions: self.refusal.session.map(|after| session_extension(&after)),
        };
        with_retry(self.status, self.retry_after, Json(body).into_response())
    }

    /// The answer in the format of `/settle`.
    pub(super) fn settle_answer(self) -> Response {
        let body = SettleAnswer {
            success: false,
            transaction: self.refusal.transaction.map(|signature| signature.to_string()).unwrap_or_default(),
            network: self.network,
            payer: self.refusal.payer.map(|key| key.to_string()),
            amount: None,
            error_reason: Some(self.refusal.reason.word().to_owned()),
            error_message: Some(self.refusal.detail),
            extensions: self.refusal.session.map(|after| session_extension(&after)),
        };
        with_retry(self.status, self.retry_after, Json(body).into_response())
    }
}

/// A session that is not opened or not shown, on its way to a body.
#[derive(Debug)]
pub(super) struct SessionFailure {
    status: StatusCode,
    retry_after: Option<u64>,
    refusal: SessionRefusal,
}

impl SessionFailure {
    /// A refusal before any use case was asked.
    pub(super) fn new(reason: SessionReason, detail: impl Into<String>) -> Self {
        Self { status: session_status(reason), retry_after: None, refusal: SessionRefusal::because(reason, detail) }
    }

    /// Replaces the status, where it is not the reason's own.
    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Answers `session_busy` as a conflict, unless it says when to repeat: a revoke has to wait for what its wallet ends, and not
    /// for us.
    pub(super) fn busy_is_a_conflict(self) -> Self {
        let is_conflict = self.refusal.reason == SessionReason::SessionBusy && self.retry_after.is_none();
        if is_conflict { self.with_status(StatusCode::CONFLICT) } else { self }
    }

    /// Sets when to come back, in seconds.
    pub(super) fn again_in(self, retry_after: Option<u64>) -> Self {
        Self { retry_after, ..self }
    }

    /// A body that asks for no session.
    pub(super) fn of_body(refused: RefusedOpening) -> Self {
        let RefusedOpening { reason, field, detail } = refused;
        tracing::debug!(reason = reason.word(), field, "opening not readable");
        let refusal = SessionRefusal { field, ..SessionRefusal::because(reason, detail) };
        Self { status: session_status(reason), retry_after: None, refusal }
    }

    /// A use case's answer.
    pub(super) fn of_use_case(error: SessionError) -> Self {
        let failed = |status, retry_after| {
            let failure = Self::new(SessionReason::InternalError, SessionReason::InternalError.meaning());
            Self { status, retry_after, ..failure }
        };
        match error {
            FacilitatorError::Refused(refusal) => {
                let session = refusal.session.map(crate::domain::session::SessionId::log_hash);
                tracing::debug!(reason = refusal.reason.word(), field = refusal.field, session, "session refused");
                Self { status: session_status(refusal.reason), retry_after: refusal.retry_after, refusal: *refusal }
            }
            FacilitatorError::Unavailable { retry_after, source } => {
                let cause = causes(source.as_ref());
                if is_told_already(source.as_ref()) {
                    tracing::debug!(cause, "session: outcome not known");
                } else {
                    tracing::warn!(cause, "session: outcome not known");
                }
                failed(StatusCode::SERVICE_UNAVAILABLE, Some(retry_after))
            }
            FacilitatorError::Overloaded { retry_after } => {
                tracing::warn!("session: shed, the ledger cannot keep up");
                Self::new(SessionReason::Overloaded, SessionReason::Overloaded.meaning()).again_in(Some(retry_after))
            }
            FacilitatorError::Broken(source) => {
                tracing::error!(cause = causes(source.as_ref()), "session: our own fault");
                failed(StatusCode::INTERNAL_SERVER_ERROR, None)
            }
        }
    }

    /// The answer as `{error, message}`.
    pub(super) fn answer(self) -> Response {
        let body = SessionRefusalBody {
            error: self.refusal.word(),
            message: self.refusal.detail,
            session_id: self.refusal.session.map(|id| id.to_string()),
        };
        with_retry(self.status, self.retry_after, Json(body).into_response())
    }
}

impl IntoResponse for SessionFailure {
    fn into_response(self) -> Response {
        self.answer()
    }
}

/// `extensions.session` of an answer.
pub(super) fn session_extension(after: &SessionAfter) -> AnswerExtensions {
    AnswerExtensions {
        session: Some(SessionAfterPayment {
            id: after.id.to_string(),
            spent: after.spent.to_string(),
            remaining: after.remaining.to_string(),
            payment: after.payment.map(|payment| payment.id.to_string()),
            settlement: after.payment.map(|payment| payment.standing.word().to_owned()),
            funding: Some(after.funding.word().to_owned()),
        }),
        ..AnswerExtensions::default()
    }
}

/// Sets the status, and `Retry-After` wherever the caller is asked to come back.
pub(super) fn with_retry(status: StatusCode, retry_after: Option<u64>, mut response: Response) -> Response {
    *response.status_mut() = status;
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        let seconds = HeaderValue::from(retry_after.unwrap_or(1).max(1));
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}

/// An error and everything beneath it, on one line.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        next = cause.source();
    }
    line
}
