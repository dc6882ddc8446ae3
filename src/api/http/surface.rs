//! What the edge itself says no to, in the words of each surface: bodies that cannot be read, overload, a missed
//! deadline, a panic, a wrong method or path.

use crate::{
    api::error::{OpenFailure, PayFailure},
    domain::reason::{PayReason, SessionReason},
};
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use std::sync::Arc;

/// Which format a route's refusals have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Surface {
    /// `isValid`.
    Verify,
    /// `success`, `transaction`, `network`.
    Settle,
    /// `error` and `message`, words of [`SessionReason`].
    Sessions,
    /// `error` and `message`.
    Plain,
}

/// A surface, and the network to name where a request's own spelling is not known.
#[derive(Clone, Debug)]
pub(in crate::api) struct Edge {
    pub(in crate::api) surface: Surface,
    pub(in crate::api) network: Arc<str>,
}

/// What goes wrong before a use case is asked, or instead of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Fault {
    /// The body is larger than it may be.
    TooLarge,
    /// The body broke off.
    BrokenOff,
    /// The body did not come in time.
    Dawdled,
    /// Too many requests from one address.
    TooOften,
    /// Too many requests at once.
    Overloaded,
    /// No answer within the deadline.
    TimedOut,
    /// A bug.
    Panicked,
    /// The path exists, the method does not.
    WrongMethod,
    /// The path does not exist.
    NoSuchRoute,
}

impl Fault {
    const fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BrokenOff => StatusCode::BAD_REQUEST,
            Self::Dawdled => StatusCode::REQUEST_TIMEOUT,
            Self::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Self::Overloaded | Self::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoSuchRoute => StatusCode::NOT_FOUND,
        }
    }

    const fn reasons(self) -> (PayReason, SessionReason) {
        match self {
            Self::TooLarge => (PayReason::BadRequest, SessionReason::BodyTooLarge),
            Self::BrokenOff | Self::Dawdled | Self::WrongMethod | Self::NoSuchRoute => {
                (PayReason::BadRequest, SessionReason::BadRequest)
            }
            Self::TooOften => (PayReason::TooManyRequests, SessionReason::TooManyRequests),
            Self::Overloaded => (PayReason::Overloaded, SessionReason::Overloaded),
            Self::TimedOut | Self::Panicked => (PayReason::InternalError, SessionReason::InternalError),
        }
    }

    /// The word where no reason exists.
    const fn word(self) -> &'static str {
        match self {
            Self::WrongMethod => "method_not_allowed",
            Self::NoSuchRoute => "not_found",
            other => other.reasons().1.word(),
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::TooLarge => "The body is larger than this route reads.",
            Self::BrokenOff => "The body ended early.",
            Self::Dawdled => "The body did not come in time.",
            Self::TooOften => "Too many requests from this address; repeat after Retry-After.",
            Self::Overloaded => "Too many requests at once; repeat in a moment.",
            Self::TimedOut => "No answer in time. What was accepted stays accepted: repeat with the same nonce.",
            Self::Panicked => "Our fault. What was accepted stays accepted: repeat with the same nonce.",
            Self::WrongMethod => "This path is served with the methods of the Allow header.",
            Self::NoSuchRoute => "No such route; see docs/openapi.json.",
        }
    }
}

impl Edge {
    /// The fault in this surface's format.
    pub(in crate::api) fn answer(&self, fault: Fault) -> Response {
        self.answer_in(fault, None)
    }

    /// The same, and when to come back, in seconds.
    pub(in crate::api) fn answer_in(&self, fault: Fault, retry_after: Option<u64>) -> Response {
        match fault {
            Fault::TooOften => tracing::debug!("request refused: too many from one address"),
            Fault::Dawdled => tracing::debug!("request refused: its body did not come in time"),
            Fault::Overloaded => tracing::warn!("request shed: too many at once"),
            Fault::TimedOut => tracing::error!("request dropped at its deadline"),
            Fault::Panicked => tracing::error!("a request panicked"),
            Fault::TooLarge | Fault::BrokenOff | Fault::WrongMethod | Fault::NoSuchRoute => {}
        }
        match self.surface {
            Surface::Verify => pay_failure(fault, &self.network).again_in(retry_after).verify_answer(),
            Surface::Settle => pay_failure(fault, &self.network).again_in(retry_after).settle_answer(),
            Surface::Sessions => open_failure(fault).again_in(retry_after).answer(),
            Surface::Plain => {
                let body = serde_json::json!({"error": fault.word(), "message": fault.meaning()});
                crate::api::error::with_retry(fault.status(), retry_after, Json(body).into_response())
            }
        }
    }
}

/// A fault on `/verify` or `/settle`.
pub(in crate::api) fn pay_failure(fault: Fault, network: &str) -> PayFailure {
    PayFailure::new(fault.reasons().0, fault.meaning(), network).with_status(fault.status())
}

/// A fault on `/sessions`.
pub(in crate::api) fn open_failure(fault: Fault) -> OpenFailure {
    OpenFailure::new(fault.reasons().1, fault.meaning()).with_status(fault.status())
}
