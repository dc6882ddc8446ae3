//! `GET /sessions/{id}`: shows a session.

use crate::{
    api::{
        App,
        error::SessionFailure,
        sessions::{Amounts, SessionPath, SignedRead, approval_view, view},
    },
    facilitator::VisibleSession,
    wire::session::SessionView,
};
use axum::{Json, extract::State};

/// Shows a session; its amounts only to a reader who may know them.
pub(in crate::api) async fn show(
    State(app): State<App>,
    SessionPath(id): SessionPath,
    SignedRead(read): SignedRead,
) -> Result<Json<SessionView>, SessionFailure> {
    let visible = app.facilitator.session(id, read).await.map_err(SessionFailure::of_use_case)?;
    let VisibleSession { session, amounts_visible, approval } = visible;
    let backing = app.facilitator.backing(&session).await.map_err(SessionFailure::of_use_case)?;
    let amounts = if amounts_visible { Amounts::Shown } else { Amounts::Hidden };
    let shown = view(&session, amounts, backing);
    Ok(Json(SessionView { approval: approval.as_ref().map(approval_view), ..shown }))
}
