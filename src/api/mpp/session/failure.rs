//! Refusals and failures of channels to statuses and bodies; logged once, here.

use crate::{
    api::error::{causes, with_retry},
    domain::mpp::channel::reason::ChannelReason,
    facilitator::{ChannelError, FacilitatorError, RefusedChannel, is_told_already},
    wire::mpp::session::{RefusedBody, SessionRefused, status},
};
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};

/// A request for a channel that is not granted, on its way to a body.
#[derive(Debug)]
pub(in crate::api) struct SessionRouteFailure {
    status: StatusCode,
    refused: Box<RefusedChannel>,
}

impl SessionRouteFailure {
    /// A refusal before any use case was asked.
    pub(in crate::api) fn new(reason: ChannelReason, detail: &str) -> Self {
        RefusedChannel::because(reason, detail).into()
    }

    /// Replaces the status, where it is not the reason's own.
    pub(in crate::api) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// A use case's answer.
    pub(in crate::api) fn of_use_case(error: ChannelError) -> Self {
        match error {
            FacilitatorError::Refused(refused) => {
                tracing::debug!(reason = refused.reason.word(), "channel refused");
                (*refused).into()
            }
            FacilitatorError::Unavailable { retry_after, source } => {
                let cause = causes(source.as_ref());
                if is_told_already(source.as_ref()) {
                    tracing::debug!(cause, "channel: outcome not known");
                } else {
                    tracing::warn!(cause, "channel: outcome not known");
                }
                RefusedChannel::new(ChannelReason::Unavailable).again_in(retry_after).into()
            }
            FacilitatorError::Overloaded { retry_after } => {
                tracing::warn!("channel: shed, the ledger cannot keep up");
                RefusedChannel::new(ChannelReason::Unavailable).again_in(retry_after).into()
            }
            FacilitatorError::Broken(source) => {
                tracing::error!(cause = causes(source.as_ref()), "channel: our own fault");
                RefusedChannel::new(ChannelReason::InternalError).into()
            }
        }
    }

    /// The body, with its status.
    pub(in crate::api) fn answer(self) -> Response {
        let RefusedChannel { reason, detail, retry_after, supported } = *self.refused;
        let body = SessionRefused { supported, ..SessionRefused::new(reason, &detail) };
        with_retry(self.status, retry_after, Json(body).into_response())
    }
}

fn own_status(reason: ChannelReason) -> StatusCode {
    StatusCode::from_u16(status(reason)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl From<RefusedChannel> for SessionRouteFailure {
    fn from(refused: RefusedChannel) -> Self {
        Self { status: own_status(refused.reason), refused: Box::new(refused) }
    }
}

impl From<RefusedBody> for SessionRouteFailure {
    fn from(refused: RefusedBody) -> Self {
        RefusedChannel::because(refused.reason, refused.detail).into()
    }
}

impl IntoResponse for SessionRouteFailure {
    fn into_response(self) -> Response {
        self.answer()
    }
}
