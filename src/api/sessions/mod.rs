//! The routes below `/sessions`, one file each.

pub(super) mod allowances;
pub(super) mod close;
pub(super) mod events;
pub(super) mod funding;
pub(super) mod open;
pub(super) mod payment;
pub(super) mod show;
pub(super) mod signed_read;
mod view;

use crate::{
    api::error::OpenFailure,
    domain::{reason::SessionReason, session::SessionId},
};
use axum::extract::{Path, rejection::PathRejection};
use view::view;

/// The session that a path names.
pub(super) fn named_session(path: Result<Path<String>, PathRejection>) -> Result<SessionId, OpenFailure> {
    session_id(&path.map(|Path(text)| text).unwrap_or_default())
}

/// A session's id; what is not one is nobody's session: the same answer as for an unknown one.
pub(super) fn session_id(text: &str) -> Result<SessionId, OpenFailure> {
    let none = |_| OpenFailure::new(SessionReason::SessionNotFound, SessionReason::SessionNotFound.meaning());
    let id: SessionId = text.parse().map_err(none)?;
    tracing::Span::current().record("session", id.log_hash());
    Ok(id)
}
