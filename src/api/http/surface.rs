//! What is refused before a use case is asked, in the words of each surface: bodies that cannot be read, overload, a missed
//! deadline, a panic, a wrong method or path.

use crate::{
    api::{
        error::{PayFailure, SessionFailure},
        mpp::{failure::MppFailure, session::failure::SessionRouteFailure},
    },
    domain::{
        mpp::{channel::reason::ChannelReason, reason::ChargeReason},
        reason::{PayReason, SessionReason},
    },
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
    /// `success: false`, `errorCode`, `error` and `detail`, words of [`ChargeReason`]; below `/mpp` and `/api/sessions`.
    Mpp,
    /// `error` and `message`.
    Plain,
}

/// The surface of a route, and the network to name where a request's own spelling is not known.
#[derive(Clone, Debug)]
pub(in crate::api) struct RouteSurface {
    pub(in crate::api) surface: Surface,
    pub(in crate::api) network: Arc<str>,
}

/// What goes wrong before a use case is asked, or instead of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Fault {
    /// The body is larger than it may be.
    TooLarge,
    /// The body is compressed.
    Encoded,
    /// The body broke off.
    BrokenOff,
    /// The body did not come in time.
    BodyTimedOut,
    /// Too many requests from one address.
    TooOften,
    /// Too many requests at once.
    Overloaded,
    /// The service does not work yet.
    Starting,
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
            Self::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BrokenOff => StatusCode::BAD_REQUEST,
            Self::BodyTimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Self::Overloaded | Self::Starting | Self::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoSuchRoute => StatusCode::NOT_FOUND,
        }
    }

    /// The reason on `/verify` and `/settle`.
    const fn pay_reason(self) -> PayReason {
        match self {
            Self::TooLarge
            | Self::Encoded
            | Self::BrokenOff
            | Self::BodyTimedOut
            | Self::WrongMethod
            | Self::NoSuchRoute => PayReason::BadRequest,
            Self::TooOften => PayReason::TooManyRequests,
            Self::Overloaded | Self::Starting => PayReason::Overloaded,
            Self::TimedOut | Self::Panicked => PayReason::InternalError,
        }
    }

    /// The reason on `/sessions` and below.
    const fn session_reason(self) -> SessionReason {
        match self {
            Self::TooLarge => SessionReason::BodyTooLarge,
            Self::Encoded | Self::BrokenOff | Self::BodyTimedOut | Self::WrongMethod | Self::NoSuchRoute => {
                SessionReason::BadRequest
            }
            Self::TooOften => SessionReason::TooManyRequests,
            Self::Overloaded | Self::Starting => SessionReason::Overloaded,
            Self::TimedOut | Self::Panicked => SessionReason::InternalError,
        }
    }

    /// The reason on routes of the Machine Payments Protocol.
    const fn charge_reason(self) -> ChargeReason {
        match self {
            Self::TooLarge => ChargeReason::BodyTooLarge,
            Self::Encoded | Self::BrokenOff | Self::BodyTimedOut | Self::WrongMethod | Self::NoSuchRoute => {
                ChargeReason::BadRequest
            }
            Self::TooOften | Self::Overloaded | Self::Starting => ChargeReason::Unavailable,
            Self::TimedOut | Self::Panicked => ChargeReason::InternalError,
        }
    }

    /// The word on routes whose refusals have no closed list of reasons.
    const fn plain_word(self) -> &'static str {
        match self {
            Self::WrongMethod => "method_not_allowed",
            Self::NoSuchRoute => "not_found",
            Self::TooLarge
            | Self::Encoded
            | Self::BrokenOff
            | Self::BodyTimedOut
            | Self::TooOften
            | Self::Overloaded
            | Self::Starting
            | Self::TimedOut
            | Self::Panicked => self.session_reason().word(),
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::TooLarge => "The body is larger than this route reads.",
            Self::Encoded => "The body is compressed; send it without Content-Encoding.",
            Self::BrokenOff => "The body ended early.",
            Self::BodyTimedOut => "The body did not come in time.",
            Self::TooOften => "Too many requests from this address; repeat after Retry-After.",
            Self::Overloaded => "Too many requests at once; repeat in a moment.",
            Self::Starting => "The service is starting, see GET /ready; repeat after Retry-After.",
            Self::TimedOut => "No answer in time. What was accepted stays accepted: repeat with the same nonce.",
            Self::Panicked => "Our fault. What was accepted stays accepted: repeat with the same nonce.",
            Self::WrongMethod => "This path is served with the methods of the Allow header.",
            Self::NoSuchRoute => "No such route; see docs/openapi.json.",
        }
    }

    fn log(self) {
        match self {
            Self::TooOften => tracing::debug!("request refused: too many from one address"),
            Self::BodyTimedOut => tracing::debug!("request refused: its body did not come in time"),
            Self::Overloaded => tracing::warn!("request shed: too many at once"),
            Self::TimedOut => tracing::error!("request dropped at its deadline"),
            Self::Panicked => tracing::error!("a request panicked"),
            // The start says itself what it waits for.
            Self::TooLarge
            | Self::Encoded
            | Self::BrokenOff
            | Self::WrongMethod
            | Self::NoSuchRoute
            | Self::Starting => {}
        }
    }
}

impl RouteSurface {
    /// Answers a fault in this surface's format.
    pub(in crate::api) fn refuse(&self, fault: Fault) -> Response {
        self.refuse_until(fault, None)
    }

    /// Answers a fault in this surface's format, and says when to come back, in seconds.
    pub(in crate::api) fn refuse_until(&self, fault: Fault, retry_after: Option<u64>) -> Response {
        fault.log();
        match self.surface {
            Surface::Verify => pay_failure(fault, &self.network).again_in(retry_after).verify_answer(),
            Surface::Settle => pay_failure(fault, &self.network).again_in(retry_after).settle_answer(),
            Surface::Sessions => session_failure(fault).again_in(retry_after).answer(),
            Surface::Mpp => mpp_failure(fault).again_in(retry_after).answer(),
            Surface::Plain => {
                let body = serde_json::json!({"error": fault.plain_word(), "message": fault.meaning()});
                crate::api::error::with_retry(fault.status(), retry_after, Json(body).into_response())
            }
        }
    }
}

/// A fault on `/verify` or `/settle`.
pub(in crate::api) fn pay_failure(fault: Fault, network: &str) -> PayFailure {
    PayFailure::new(fault.pay_reason(), fault.meaning(), network).with_status(fault.status())
}

/// A fault on `/sessions`.
pub(in crate::api) fn session_failure(fault: Fault) -> SessionFailure {
    SessionFailure::new(fault.session_reason(), fault.meaning()).with_status(fault.status())
}

/// A fault on a route of the Machine Payments Protocol.
pub(in crate::api) fn mpp_failure(fault: Fault) -> MppFailure {
    MppFailure::new(fault.charge_reason(), fault.meaning()).with_status(fault.status())
}

/// A fault on a route of channels. Its body has the members that sessions and charges have alike.
pub(in crate::api) fn channel_failure(fault: Fault) -> SessionRouteFailure {
    let reason = ChannelReason::from_word(fault.charge_reason().word()).unwrap_or(ChannelReason::InternalError);
    SessionRouteFailure::new(reason, fault.meaning()).with_status(fault.status())
}
