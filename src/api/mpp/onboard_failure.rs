//! Refusals and failures of the routes below `/api/sessions` to statuses and bodies; logged once, here. The published client shows
//! their words, and their statuses are their own.

use crate::{
    api::{
        error::{causes, with_retry},
        http::{
            body::{self, Body},
            surface::{self, Fault},
        },
        mpp::failure::MppFailure,
    },
    domain::mpp::reason::{OnboardReason, SiwxReason},
    facilitator::{FacilitatorError, OnboardError, OnboardWord, RefusedOnboarding, is_told_already},
    wire::mpp::{
        onboard::{OnboardBodyError, OnboardRefused, status},
        siwx,
    },
};
use axum::{
    Json,
    body::Bytes,
    http::StatusCode,
    response::{IntoResponse, Response},
};

/// A request that is not granted, on its way to a body.
#[derive(Debug)]
pub(in crate::api) enum OnboardFailure {
    /// In the words of these routes.
    Refused(Box<RefusedOnboarding>),
    /// Before a use case was asked.
    Fault(Box<MppFailure>),
}

/// The bytes of a body of these routes.
pub(super) fn bytes(body: Body) -> Result<Bytes, OnboardFailure> {
    body::read(body).map_err(|fault: Fault| OnboardFailure::Fault(Box::new(surface::mpp_failure(fault))))
}

impl OnboardFailure {
    /// A use case's answer.
    pub(in crate::api) fn of_use_case(error: OnboardError) -> Self {
        match error {
            FacilitatorError::Refused(refused) => {
                tracing::debug!(reason = refused.word.word(), "onboarding refused");
                Self::Refused(refused)
            }
            FacilitatorError::Unavailable { retry_after, source } => {
                let cause = causes(source.as_ref());
                if is_told_already(source.as_ref()) {
                    tracing::debug!(cause, "onboarding: outcome not known");
                } else {
                    tracing::warn!(cause, "onboarding: outcome not known");
                }
                RefusedOnboarding::from(OnboardReason::Unavailable).again_in(retry_after).into()
            }
            FacilitatorError::Overloaded { retry_after } => {
                tracing::warn!("onboarding: shed, the ledger cannot keep up");
                RefusedOnboarding::from(OnboardReason::Unavailable).again_in(retry_after).into()
            }
            FacilitatorError::Broken(source) => {
                tracing::error!(cause = causes(source.as_ref()), "onboarding: our own fault");
                RefusedOnboarding::from(OnboardReason::InternalError).into()
            }
        }
    }
}

impl From<RefusedOnboarding> for OnboardFailure {
    fn from(refused: RefusedOnboarding) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<SiwxReason> for OnboardFailure {
    fn from(reason: SiwxReason) -> Self {
        RefusedOnboarding::from(reason).into()
    }
}

impl From<OnboardBodyError> for OnboardFailure {
    fn from(error: OnboardBodyError) -> Self {
        RefusedOnboarding::because(error.reason, error.detail).into()
    }
}

impl IntoResponse for OnboardFailure {
    fn into_response(self) -> Response {
        let refused = match self {
            Self::Fault(failure) => return failure.answer(),
            Self::Refused(refused) => refused,
        };
        let code = match refused.word {
            OnboardWord::SignIn(reason) => siwx::status(reason),
            OnboardWord::Request(reason) => status(reason),
            OnboardWord::Cap(_) => 429,
            OnboardWord::Disabled => 404,
        };
        let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body =
            OnboardRefused { success: false, ok: false, error: refused.word.word().to_owned(), detail: refused.detail };
        with_retry(code, refused.retry_after, Json(body).into_response())
    }
}
