//! The session that a path names.

use crate::{
    api::{App, error::SessionFailure},
    domain::{reason::SessionReason, session::SessionId},
};
use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};

/// The id in `/sessions/{id}`.
pub(in crate::api) struct SessionPath(pub(super) SessionId);

impl FromRequestParts<App> for SessionPath {
    type Rejection = SessionFailure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, SessionFailure> {
        let path = Path::<String>::from_request_parts(parts, app).await;
        session_id(&path.map(|Path(text)| text).unwrap_or_default()).map(Self)
    }
}

/// The session and the payment in `/sessions/{id}/payments/{payment}`; a payment is named by its nonce or its id.
pub(in crate::api) struct PaymentPath {
    pub(super) session: SessionId,
    pub(super) payment: String,
}

impl FromRequestParts<App> for PaymentPath {
    type Rejection = SessionFailure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, SessionFailure> {
        let path = Path::<(String, String)>::from_request_parts(parts, app).await;
        let Path((session, payment)) = path.map_err(|_| unknown_session())?;
        Ok(Self { session: session_id(&session)?, payment })
    }
}

/// Reads a session's id; what is not one is answered like an unknown session.
fn session_id(text: &str) -> Result<SessionId, SessionFailure> {
    let id: SessionId = text.parse().map_err(|_| unknown_session())?;
    tracing::Span::current().record("session", id.log_hash());
    Ok(id)
}

fn unknown_session() -> SessionFailure {
    SessionFailure::new(SessionReason::SessionNotFound, SessionReason::SessionNotFound.meaning())
}
